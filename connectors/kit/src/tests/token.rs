use super::{BEGIN, CANARY, TokioTime, World, credential, lost, reply};
use crate::{Auth, Call, Grant, Keep, KeepError, OAuth, SecretRef, Session};
use contract::ConnectorError;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use url::Url;

const TOKEN: &str = "https://login.vendor.test/oauth/token";
const API: &str = "https://api.vendor.test";

fn oauth(grant: Grant) -> OAuth {
    OAuth {
        token_origin: Url::parse("https://login.vendor.test").unwrap(),
        token_path: "/oauth/token".to_owned(),
        grant,
        keep_as: "refresh".to_owned(),
        instance_suffixes: Vec::new(),
    }
}

fn refresh() -> Auth {
    Auth::OAuth(oauth(Grant::RefreshToken {
        id: "app".to_owned(),
        secret: Some(credential("secret")),
        refresh_token: credential("refresh"),
    }))
}

fn client(basic: bool) -> Auth {
    let secret = credential("secret");
    Auth::OAuth(oauth(Grant::ClientCredentials {
        id: "app one".to_owned(),
        secret,
        basic,
    }))
}

fn granted(access: &str, more: Value) -> super::Reply {
    let mut body = json!({"access_token": access, "token_type": "bearer", "expires_in": 1800});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    reply(200, &body.to_string())
}

fn refused() -> super::Reply {
    reply(
        400,
        r#"{"error":"invalid_grant","error_description":"expired refresh token"}"#,
    )
}

async fn read(session: &Session) -> Result<u16, ConnectorError> {
    Ok(session.call(Call::get("/leads")).await?.status)
}

fn detail(error: &ConnectorError) -> String {
    let text = error.to_string();
    assert!(!text.contains(CANARY), "{text}");
    text
}

#[tokio::test(start_paused = true)]
async fn many_callers_cause_one_refresh() {
    let slow = Duration::from_secs(3);
    let world = World::slow([
        (slow, granted("one", json!({}))),
        (Duration::ZERO, reply(200, "")),
    ]);
    let session = Arc::new(world.session(refresh()));
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { read(&session).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 200);
    }
    assert_eq!((world.count(TOKEN), world.count(API)), (1, 20));
}

#[tokio::test(start_paused = true)]
async fn many_callers_share_one_refusal() {
    let world = World::slow([(Duration::from_secs(3), refused())]);
    let session = Arc::new(world.session(refresh()));
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { read(&session).await })
        })
        .collect();
    for call in calls {
        assert!(matches!(
            call.await.unwrap(),
            Err(ConnectorError::Unauthorized { .. })
        ));
    }
    assert_eq!(world.count(TOKEN), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_a_minute_before_it_ends() {
    let world = World::new([
        granted("one", json!({"expires_in": "300"})),
        reply(200, ""),
        reply(200, ""),
        granted("two", json!({"expires_in": 300})),
        reply(200, ""),
    ]);
    let session = world.session(client(false));
    read(&session).await.unwrap();
    tokio::time::sleep(Duration::from_secs(239)).await;
    read(&session).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    read(&session).await.unwrap();
    assert_eq!(world.count(TOKEN), 2);
    assert_eq!(world.seen()[4].token.as_deref(), Some("Bearer two"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_renewed_once() {
    let world = World::new([
        granted("one", json!({})),
        reply(401, ""),
        granted("two", json!({})),
        reply(200, ""),
    ]);
    let session = world.session(client(false));
    assert_eq!(read(&session).await.unwrap(), 200);
    let tokens: Vec<_> = world
        .seen()
        .into_iter()
        .filter_map(|seen| seen.token)
        .collect();
    assert_eq!(tokens, ["Bearer one", "Bearer two"]);

    let world = World::new([
        granted("one", json!({})),
        reply(401, ""),
        granted("two", json!({})),
        reply(401, ""),
    ]);
    let error = read(&world.session(client(false))).await.unwrap_err();
    assert!(detail(&error).contains("check the client id"), "{error}");
    assert_eq!(world.seen().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_bears_the_token_is_written_anew() {
    let world = World::new([
        granted("one", json!({})),
        reply(401, ""),
        granted("two", json!({})),
        reply(200, ""),
    ]);
    let session = world.session(client(false));
    let call = Call::bearing("/soap", "text/xml", |token| {
        format!("<session>{token}</session>")
    });
    session.call(call).await.unwrap();
    let bodies: Vec<_> = world.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(
        [&*bodies[1], &*bodies[3]],
        ["<session>one</session>", "<session>two</session>"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_static_token_is_read_again_after_a_refusal() {
    let world = World::new([
        reply(200, ""),
        reply(401, ""),
        reply(200, ""),
        reply(401, ""),
    ]);
    let session = world.bearer();
    read(&session).await.unwrap();
    world
        .drawer
        .0
        .lock()
        .unwrap()
        .insert(credential("token"), format!("new-{CANARY}"));
    assert_eq!(read(&session).await.unwrap(), 200);
    let error = read(&session).await.unwrap_err();
    assert!(
        detail(&error).contains("put it into credential `token`"),
        "{error}"
    );
    assert_eq!(world.seen().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_is_kept_before_its_companion_is_used() {
    let new = format!("rotated-{CANARY}");
    let world = World::new([
        granted("one", json!({"refresh_token": new})),
        reply(200, ""),
    ]);
    read(&world.session(refresh())).await.unwrap();
    // At the token endpoint nothing was kept; at the first use of the access token it was.
    assert_eq!(*world.script.kept.lock().unwrap(), [false, true]);

    // A new process goes on with the kept one.
    read(&world.session(refresh())).await.unwrap_err();
    let body = &world.seen()[2].body;
    assert!(body.contains(&format!("refresh_token={new}")), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_kept_token_gives_way_to_the_configured_one() {
    let world = World::new([
        granted("one", json!({"refresh_token": "kept-token"})),
        reply(200, ""),
        refused(),
        granted("two", json!({})),
        reply(200, ""),
        granted("three", json!({})),
        reply(200, ""),
    ]);
    for _ in 0..3 {
        read(&world.session(refresh())).await.unwrap();
    }
    let asked: Vec<String> = world
        .seen()
        .iter()
        .filter(|seen| seen.url == TOKEN)
        .map(|seen| seen.body.rsplit('=').next().unwrap().to_owned())
        .collect();
    let configured = format!("refresh-{CANARY}");
    assert_eq!(asked, [&configured, "kept-token", &configured, &configured]);
}

#[tokio::test(start_paused = true)]
async fn a_new_sign_in_comes_before_the_kept_token() {
    let world = World::new([
        granted("one", json!({"refresh_token": "kept-token"})),
        reply(200, ""),
        granted("two", json!({})),
        reply(200, ""),
    ]);
    read(&world.session(refresh())).await.unwrap();
    world
        .drawer
        .0
        .lock()
        .unwrap()
        .insert(credential("refresh"), "signed-in-again".to_owned());
    read(&world.session(refresh())).await.unwrap();
    assert!(
        world.seen()[2]
            .body
            .ends_with("refresh_token=signed-in-again")
    );
}

/// A keep whose disk is full until told otherwise.
struct Full(AtomicBool, crate::MemoryKeep);

impl Keep for Full {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeepError> {
        self.1.load(name)
    }

    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeepError> {
        if name == "refresh" && self.0.load(Ordering::SeqCst) {
            return Err(KeepError::Other("the disk is full".to_owned()));
        }
        self.1.save(name, value)
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_that_cannot_be_kept_is_not_lost() {
    let mut world = World::new([
        granted("one", json!({"refresh_token": "rotated"})),
        reply(200, ""),
    ]);
    let keep = Arc::new(Full(AtomicBool::new(true), crate::MemoryKeep::default()));
    world.tools.keep = keep.clone();
    let session = world.session(refresh());
    let error = read(&session).await.unwrap_err();
    assert!(detail(&error).contains("the disk is full"), "{error}");
    keep.0.store(false, Ordering::SeqCst);
    assert_eq!(read(&session).await.unwrap(), 200);
    assert!(keep.load("refresh").unwrap().is_some());
    assert_eq!((world.count(TOKEN), world.count(API)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_does_not_take_the_new_token_along() {
    let world = World::slow([
        (
            Duration::from_secs(3),
            granted("one", json!({"refresh_token": "rotated"})),
        ),
        (Duration::ZERO, reply(200, "")),
    ]);
    let session = world.session(refresh());
    let gone = tokio::time::timeout(Duration::from_secs(1), read(&session)).await;
    assert!(gone.is_err());
    assert_eq!(read(&session).await.unwrap(), 200);
    assert!(world.keep.load("refresh").unwrap().is_some());
    assert_eq!(world.count(TOKEN), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_remedy_and_no_secret() {
    let echo =
        format!(r#"{{"error":"invalid_grant","error_description":"no refresh-{CANARY}\n"}}"#);
    let world = World::new([reply(400, &echo)]);
    let error = read(&world.session(refresh())).await.unwrap_err();
    assert_eq!(
        detail(&error),
        "the vendor refuses the credentials: HTTP 400, invalid_grant: no …; sign in again and put \
         the new refresh token into credential `refresh`"
    );
    assert!(!format!("{error:?} {:?}", refresh()).contains(CANARY));

    let missing = Auth::Bearer(SecretRef::Env("NO_SUCH".to_owned()));
    let error = read(&world.session(missing)).await.unwrap_err();
    assert!(detail(&error).contains("environment variable `NO_SUCH`"));
}

#[tokio::test(start_paused = true)]
async fn a_failing_token_endpoint_is_asked_again() {
    let world = World::new([
        lost(),
        reply(503, "<html>"),
        reply(400, r#"{"error":"temporarily_unavailable"}"#),
        granted("one", json!({})),
        reply(200, ""),
    ]);
    assert_eq!(read(&world.session(client(false))).await.unwrap(), 200);

    let world = World::new([reply(302, "")]);
    let error = read(&world.session(client(false))).await.unwrap_err();
    assert!(detail(&error).contains("redirects elsewhere"));
    assert_eq!(world.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn client_credentials_go_into_the_header_or_the_body() {
    let world = World::new([granted("one", json!({})), reply(200, "")]);
    read(&world.session(client(true))).await.unwrap();
    let seen = &world.seen()[0];
    assert_eq!(seen.body, "grant_type=client_credentials");
    // `app+one:secret-canary-4f1c`
    assert_eq!(
        seen.token.as_deref(),
        Some("Basic YXBwK29uZTpzZWNyZXQtY2FuYXJ5LTRmMWM=")
    );

    let world = World::new([granted("one", json!({})), reply(200, "")]);
    read(&world.session(client(false))).await.unwrap();
    let seen = &world.seen()[0];
    let body =
        format!("grant_type=client_credentials&client_id=app+one&client_secret=secret-{CANARY}");
    assert_eq!((&seen.body, &seen.token), (&body, &None));
}

#[tokio::test(start_paused = true)]
async fn an_assertion_is_signed_for_three_minutes() {
    let world = World::new([granted("one", json!({})), reply(200, "")]);
    let pem = include_str!("private.pem").to_owned();
    world
        .drawer
        .0
        .lock()
        .unwrap()
        .insert(credential("key"), pem);
    let auth = Auth::OAuth(oauth(Grant::JwtBearer {
        id: "app".to_owned(),
        username: "ops@acme.test".to_owned(),
        audience: "https://login.vendor.test".to_owned(),
        key: credential("key"),
    }));
    read(&world.session(auth)).await.unwrap();
    let body = world.seen()[0].body.clone();
    let form: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(
        form["grant_type"],
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let key = DecodingKey::from_rsa_pem(include_bytes!("public.pem")).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&["https://login.vendor.test"]);
    let claims = jsonwebtoken::decode::<Value>(&form["assertion"], &key, &validation)
        .unwrap()
        .claims;
    let begin: jiff::Timestamp = BEGIN.parse().unwrap();
    assert_eq!(claims["exp"], begin.as_second() + 180);
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("app"), &json!("ops@acme.test"))
    );
}

#[tokio::test(start_paused = true)]
async fn calls_go_to_the_named_instance_if_it_is_the_vendors() {
    let auth = || {
        let Auth::OAuth(mut oauth) = client(false) else {
            unreachable!()
        };
        oauth.instance_suffixes = vec!["my.vendor.test".to_owned()];
        Auth::OAuth(oauth)
    };
    let answer = |instance: &str| {
        [
            granted("one", json!({"instance_url": instance})),
            reply(200, ""),
        ]
    };
    for (instance, insecure, first) in [
        (
            "https://acme.my.vendor.test",
            false,
            "https://acme.my.vendor.test/leads",
        ),
        (
            "https://ACME.my.vendor.test/path?x",
            false,
            "https://acme.my.vendor.test/leads",
        ),
        ("http://127.0.0.1:8080", true, "http://127.0.0.1:8080/leads"),
    ] {
        let mut world = World::new(answer(instance));
        world.tools.allow_insecure_loopback = insecure;
        let session = world.session(auth());
        read(&session).await.unwrap();
        assert_eq!(world.seen()[1].url, first);
        assert!(session.same_origin("https://api.vendor.test/next").is_err());
    }
    for evil in [
        "https://evil.test",
        "https://evilmy.vendor.test",
        "https://my.vendor.test.evil.test",
        "http://acme.my.vendor.test",
        "https://user:word@acme.my.vendor.test",
        "https://acme.my.vendor.test@evil.test",
        "http://127.0.0.1:8080",
        "nonsense",
    ] {
        let world = World::new(answer(evil));
        let error = read(&world.session(auth())).await.unwrap_err();
        assert!(
            matches!(error, ConnectorError::Protocol { .. }),
            "{evil}: {error}"
        );
        assert_eq!(world.seen().len(), 1, "{evil}");
    }
    // Where no instance is expected, none is heeded.
    let world = World::new(answer("https://evil.test"));
    read(&world.session(client(false))).await.unwrap();
    assert_eq!(world.seen()[1].url, "https://api.vendor.test/leads");
}

#[tokio::test(start_paused = true)]
async fn the_access_token_can_be_had() {
    let mut world = World::new([granted("one", json!({}))]);
    world.tools.clock = TokioTime::at(BEGIN);
    let session = world.session(client(false));
    assert_eq!(session.access_token().await.unwrap().expose_secret(), "one");
}
