use super::{CANARY, World, credential, lost, reply};
use crate::{Auth, Call, Grant, OAuth, SecretRef, Secrets, SystemSecrets};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tracing_subscriber::fmt::MakeWriter;
use url::Url;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Writes down everything that this thread logs from now on.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_logged_without_anything_that_is_secret_or_personal() {
    let log = Log::default();
    let _listening = log.listen();
    let granted =
        format!(r#"{{"access_token":"access-{CANARY}","refresh_token":"next-{CANARY}"}}"#);
    let world = World::new([lost(), reply(200, &granted), lost(), reply(200, CANARY)]);
    let session = world.session(Auth::OAuth(OAuth {
        token_origin: Url::parse("https://login.vendor.test").unwrap(),
        token_path: "/oauth/token".to_owned(),
        grant: Grant::RefreshToken {
            id: "app".to_owned(),
            secret: Some(credential("secret")),
            refresh_token: credential("refresh"),
        },
        keep_as: "refresh".to_owned(),
        instance_suffixes: Vec::new(),
    }));
    let call = Call::post_json("/leads", &CANARY)
        .query("email", CANARY)
        .header("x-key", CANARY);
    session.call(call.repeatable()).await.unwrap();
    let text = log.text();
    assert!(
        text.contains("path=\"/leads\"") && text.contains("status=200"),
        "{text}"
    );
    assert!(text.contains("a new access token"), "{text}");
    assert!(!text.contains(CANARY), "{text}");
}

#[test]
fn a_secret_from_the_environment_is_warned_of_once() {
    let log = Log::default();
    let _listening = log.listen();
    let secrets = SystemSecrets::new(None, [("A".to_owned(), CANARY.to_owned())].into());
    for _ in 0..3 {
        secrets.resolve(&SecretRef::Env("A".to_owned())).unwrap();
    }
    let text = log.text();
    assert_eq!(
        text.matches("prefer a systemd credential").count(),
        1,
        "{text}"
    );
    assert!(!text.contains(CANARY), "{text}");
}
