use super::CANARY;
use crate::{FileKeep, Keep, KeepError, Secret};
use std::{
    collections::BTreeSet,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

fn key(text: &str) -> Option<Secret> {
    Some(Secret::from(text))
}

#[test]
fn values_come_back_after_a_restart() {
    for sealing in [None, key("a key")] {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("kept");
        let keep = || FileKeep::new(&directory, sealing.as_ref());
        assert_eq!(keep().load("refresh").unwrap(), None);
        keep().save("refresh", b"one").unwrap();
        keep().save("refresh", b"two").unwrap();
        keep().save("quota", b"").unwrap();
        assert_eq!(keep().load("refresh").unwrap().unwrap(), b"two");
        assert_eq!(keep().load("quota").unwrap().unwrap(), b"");
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(directory.clone()), 0o700);
        let files: Vec<_> = std::fs::read_dir(&directory)
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        assert_eq!(files.len(), 2);
        for file in files {
            assert_eq!(mode(file), 0o600);
        }
    }
}

#[test]
fn a_sealed_value_opens_with_its_key_under_its_name_only() {
    let place = tempfile::tempdir().unwrap();
    let keep = |sealing: Option<Secret>| FileKeep::new(place.path(), sealing.as_ref());
    keep(key("right"))
        .save("refresh", CANARY.as_bytes())
        .unwrap();
    let bytes = std::fs::read(place.path().join("refresh")).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(CANARY));

    assert!(matches!(
        keep(key("wrong")).load("refresh"),
        Err(KeepError::WrongKey { .. })
    ));
    assert!(matches!(
        keep(None).load("refresh"),
        Err(KeepError::Locked { .. })
    ));
    std::fs::copy(place.path().join("refresh"), place.path().join("other")).unwrap();
    assert!(matches!(
        keep(key("right")).load("other"),
        Err(KeepError::WrongKey { .. })
    ));
    for damaged in [&bytes[..bytes.len() - 1], &bytes[..30], b"what is this"] {
        std::fs::write(place.path().join("refresh"), damaged).unwrap();
        assert!(keep(key("right")).load("refresh").is_err());
    }
}

#[test]
fn a_value_from_before_the_key_is_still_read_and_sealed_when_next_saved() {
    let place = tempfile::tempdir().unwrap();
    FileKeep::new(place.path(), None)
        .save("refresh", b"plain")
        .unwrap();
    let sealing = FileKeep::new(place.path(), key("a key").as_ref());
    assert_eq!(sealing.load("refresh").unwrap().unwrap(), b"plain");
    sealing.save("refresh", b"plain").unwrap();
    assert!(FileKeep::new(place.path(), None).load("refresh").is_err());
}

#[test]
fn names_stay_apart_and_inside() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("kept");
    let keep = FileKeep::new(&directory, None);
    let long = "x".repeat(300);
    let longer = "x".repeat(301);
    let names = [
        "a", "A", "a.b", "a/b", "a%2fb", "../a", "..", ".", "", "%", ".a.new", "ä", "a\0b", &long,
        &longer,
    ];
    for name in names {
        keep.save(name, name.as_bytes()).unwrap();
    }
    for name in names {
        assert_eq!(
            keep.load(name).unwrap().unwrap(),
            name.as_bytes(),
            "{name:?}"
        );
    }
    let inodes: BTreeSet<u64> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().ino())
        .collect();
    assert_eq!(inodes.len(), names.len());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_leftover_of_a_crash_is_no_obstacle() {
    let place = tempfile::tempdir().unwrap();
    let keep = FileKeep::new(place.path(), None);
    keep.save("refresh", b"one").unwrap();
    std::fs::write(place.path().join(".refresh.new"), b"half").unwrap();
    assert_eq!(keep.load("refresh").unwrap().unwrap(), b"one");
    keep.save("refresh", b"two").unwrap();
    assert_eq!(keep.load("refresh").unwrap().unwrap(), b"two");
}

/// The forms that earlier versions wrote; one example of each stays readable.
#[test]
fn the_first_form_is_read() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(
        place.path().join("quota-acme"),
        b"leadloop-keep-1 plain\n{}",
    )
    .unwrap();
    let keep = FileKeep::new(place.path(), None);
    assert_eq!(keep.load("quota-acme").unwrap().unwrap(), b"{}");
}
