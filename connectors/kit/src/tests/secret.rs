use super::CANARY;
use crate::{SecretRef, Secrets, SystemSecrets, parse};
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    token: SecretRef,
    #[allow(dead_code, reason = "only its parsing matters")]
    region: Option<u8>,
}

fn read(text: &str) -> Result<SecretRef, crate::SettingsError> {
    parse::<Settings>(text.parse().unwrap()).map(|settings| settings.token)
}

#[test]
fn a_secret_is_given_by_reference_only() {
    for (text, reference) in [
        (
            r#"token = { credential = "a" }"#,
            SecretRef::Credential("a".into()),
        ),
        (
            r#"token = { file = "/run/a" }"#,
            SecretRef::File("/run/a".into()),
        ),
        (r#"token = { env = "A" }"#, SecretRef::Env("A".into())),
        ("[token]\nenv = \"A\"", SecretRef::Env("A".into())),
    ] {
        assert_eq!(read(text).unwrap(), reference);
    }
    for text in [
        format!(r#"token = "{CANARY}""#),
        "token = 417".to_owned(),
        "token = true".to_owned(),
        "token = []".to_owned(),
        "token = {}".to_owned(),
        format!(r#"token = {{ value = "{CANARY}" }}"#),
        format!(r#"token = {{ env = "A", file = "{CANARY}" }}"#),
        "token = { env = 417 }".to_owned(),
        r#"token = { file = "" }"#.to_owned(),
    ] {
        let error = read(&text).unwrap_err();
        assert_eq!(error.key.as_deref(), Some("token"), "{text}: {error}");
        assert!(
            error.message.contains("{ credential = \"…\" }"),
            "{text}: {error}"
        );
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
        assert!(!error.message.contains("417"), "{error}");
    }
}

#[test]
fn a_wrong_setting_is_named() {
    for (text, key, word) in [
        ("token = { env = 'A' }\nregoin = 1", "regoin", "region"),
        (
            "token = { env = 'A' }\nregion = 'eu'",
            "region",
            "`region`: invalid type",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.key.as_deref(), Some(key));
        assert!(error.message.contains(word), "{error}");
    }
    assert!(read("region = 1").unwrap_err().message.contains("`token`"));
}

fn write(path: &Path, mode: u32, content: &[u8]) -> SecretRef {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    SecretRef::File(path.to_owned())
}

#[test]
fn files_are_read_without_their_last_newline_and_only_if_private() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("secret");
    let secrets = SystemSecrets::new(None, BTreeMap::new());
    let cases: [(u32, &[u8], Result<&str, &str>); 11] = [
        (0o600, b"word\n", Ok("word")),
        (0o400, b"word", Ok("word")),
        (0o600, b"word\r\n", Ok("word")),
        (0o600, b"word\n\n", Ok("word\n")),
        (0o600, b" word ", Ok(" word ")),
        (0o640, b"word", Err("chmod 600")),
        (0o604, b"word", Err("chmod 600")),
        (0o620, b"word", Err("chmod 600")),
        (0o600, b"\n", Err("it is empty")),
        (0o600, b"\xff\xfe", Err("cannot read it as text")),
        (0o600, &[b'x'; 70_000], Err("more than 65536 bytes")),
    ];
    for (mode, content, expected) in cases {
        let _ = fs::remove_file(&path);
        let reference = write(&path, mode, content);
        match (secrets.resolve(&reference), expected) {
            (Ok(secret), Ok(text)) => assert_eq!(secret.expose_secret(), text),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (result, _) => panic!("{mode:o} {content:?}: {result:?}"),
        }
    }
    for (wrong, words) in [
        (place.path().to_owned(), "not a regular file"),
        (place.path().join("absent"), "cannot open it"),
    ] {
        let error = secrets
            .resolve(&SecretRef::File(wrong))
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn credentials_come_from_their_directory_only() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("credentials");
    fs::create_dir(&directory).unwrap();
    write(&place.path().join("outside"), 0o600, b"word");
    // As systemd makes them where it grants access by ACL.
    write(&directory.join("vendor.token"), 0o440, b"word\n");
    let secrets = SystemSecrets::new(Some(directory), BTreeMap::new());
    let resolve = |name: &str| secrets.resolve(&SecretRef::Credential(name.to_owned()));
    assert_eq!(resolve("vendor.token").unwrap().expose_secret(), "word");
    for wrong in ["../outside", "..", ".", "/etc/passwd"] {
        assert!(resolve(wrong).is_err(), "{wrong}");
    }
    let error = resolve("absent").unwrap_err().to_string();
    assert!(error.contains("LoadCredential=absent:"), "{error}");
    let without = SystemSecrets::new(None, BTreeMap::new());
    let error = without
        .resolve(&SecretRef::Credential("a".to_owned()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("$CREDENTIALS_DIRECTORY"), "{error}");
}

#[test]
fn the_environment_is_what_was_handed_in() {
    let env = [
        ("A".to_owned(), CANARY.to_owned()),
        ("B".to_owned(), String::new()),
    ];
    let secrets = SystemSecrets::new(None, env.into());
    let resolve = |name: &str| secrets.resolve(&SecretRef::Env(name.to_owned()));
    let secret = resolve("A").unwrap();
    assert_eq!(secret.expose_secret(), CANARY);
    assert!(resolve("B").is_err() && resolve("PATH").is_err());
    assert!(!format!("{secrets:?} {secret:?}").contains(CANARY));
}
