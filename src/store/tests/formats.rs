//! One example of each stored shape, so that a change of a shape cannot go unnoticed.

use super::*;
use crate::store::{
    Error, frame, ledger,
    value::{self, Unreadable},
};

#[test]
fn version_1_of_a_line() {
    let line = br#"{"v":1,"at":"2026-03-01T08:00:00Z","facts":[{"stage":"mql"}],"kept":[["link:1","{\"a\":1}"],["out",null],[[255,0],[128]]]}"#;
    let frame = frame::decode(line, 7, Path::new("ledger")).unwrap();
    assert_eq!(
        frame,
        Frame {
            sequence: 7,
            at: "2026-03-01T08:00:00Z".parse().unwrap(),
            facts: vec![json!({ "stage": "mql" })],
            kept: vec![
                (b"link:1".to_vec(), Some(b"{\"a\":1}".to_vec())),
                (b"out".to_vec(), None),
                (vec![255, 0], Some(vec![128])),
            ],
        }
    );
    let mut batch = Batch::new(frame.at);
    batch
        .fact(frame.facts[0].clone())
        .keep("link:1", "{\"a\":1}")
        .forget("out")
        .keep([255, 0], [128]);
    assert_eq!(frame::encode(&batch), [&line[..], b"\n"].concat());
}

#[test]
fn a_line_of_a_newer_version_is_told_from_damage() {
    let decode = |line: &str| frame::decode(line.as_bytes(), 7, Path::new("ledger")).unwrap_err();
    assert!(matches!(
        decode(r#"{"v":2,"when":3}"#),
        Error::Newer {
            found: 2,
            known: 1,
            ..
        }
    ));
    assert!(matches!(
        decode(r#"{"v":2,"at":"2026-03-01T08:00:00Z"}"#),
        Error::Newer { .. }
    ));
    assert!(matches!(
        decode(r#"{"v":1,"when":3}"#),
        Error::Corrupt { .. }
    ));
    assert!(matches!(decode("{"), Error::Corrupt { .. }));
}

/// A ledger of format 1, created at the beginning of March 2026, with one group of one line. All before the line is hexadecimal.
const HEADER: &str = "6c6561646c6f6f70206c65646765720a 01000000 0060c326eb4b0600 a27e74cd";
const GROUP: &str = "37000000 56dca69b 0100000000000000 01000000";
const LINE: &str = "{\"v\":1,\"at\":\"2026-03-01T08:00:00Z\",\"kept\":[[\"a\",\"1\"]]}\n";

fn hexadecimal(text: &str) -> Vec<u8> {
    let digits = text.replace(' ', "");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn format_1_of_the_ledger() {
    let directory = directory();
    let bytes = [
        &hexadecimal(HEADER)[..],
        &hexadecimal(GROUP),
        LINE.as_bytes(),
    ]
    .concat();
    fs::write(directory.path().join("ledger"), &bytes).unwrap();
    let store = opened(directory.path()).store;
    assert_eq!(
        history(&store),
        [Frame {
            sequence: 1,
            at: "2026-03-01T08:00:00Z".parse().unwrap(),
            facts: Vec::new(),
            kept: vec![(b"a".to_vec(), Some(b"1".to_vec()))],
        }]
    );
    assert_eq!(keys(&store), ["a"]);

    let written = self::directory();
    let created = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut batch = Batch::new("2026-03-01T08:00:00Z".parse().unwrap());
    batch.keep("a", "1");
    ledger::Ledger::create(written.path(), created)
        .unwrap()
        .append(&[&frame::encode(&batch)])
        .unwrap();
    assert_eq!(fs::read(written.path().join("ledger")).unwrap(), bytes);
}

#[test]
fn version_1_of_a_value() {
    let kept = hexadecimal("01 01 7e4991fe 31");
    assert_eq!(value::seal(b"a", b"1", true), kept);
    assert_eq!(value::open(b"a", &kept), Ok((&b"1"[..], true)));
    let derived = hexadecimal("01 00 3f788ae7 31");
    assert_eq!(value::seal(b"a", b"1", false), derived);
    assert_eq!(value::open(b"a", &derived), Ok((&b"1"[..], false)));
}

#[test]
fn a_value_that_is_not_what_was_written_is_refused() {
    let sealed = value::seal(b"a", b"12", true);
    for at in 1..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[at] ^= 1;
        assert_eq!(
            value::open(b"a", &flipped),
            Err(Unreadable::Damaged),
            "byte {at}"
        );
        assert_eq!(
            value::open(b"a", &sealed[..at]),
            Err(Unreadable::Damaged),
            "cut at {at}"
        );
    }
    assert_eq!(value::open(b"b", &sealed), Err(Unreadable::Damaged));
    let newer = [&[2], &sealed[1..]].concat();
    assert_eq!(value::open(b"a", &newer), Err(Unreadable::Newer(2)));
}
