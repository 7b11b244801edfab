//! One batch as one line of JSON in the ledger: `{"v":1,"at":"…","facts":[…],"kept":[["key","value"],["key",null]]}`.
//!
//! Keys and values are bytes. Those that are UTF-8, which is all that leadloop writes, stand as text, so that the ledger can be
//! read with the eye; others stand as an array of numbers. Bytes come back exactly as they were either way.

use super::{Batch, Error, Frame, seam::Change};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, path::Path};

/// The newest version of a line that we read, and the one that we write.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    v: u32,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    facts: Cow<'a, [serde_json::Value]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<(Bytes, Option<Bytes>)>,
}

/// All that every version of a line has.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

/// Bytes in JSON: text where they are text, otherwise numbers.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::Text(text.to_owned()),
            Err(_) => Bytes::Raw(bytes.to_vec()),
        }
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        match bytes {
            Bytes::Text(text) => text.into_bytes(),
            Bytes::Raw(raw) => raw,
        }
    }
}

/// What the ledger remembers of a batch.
pub(super) fn remembered(batch: &Batch, sequence: u64) -> Frame {
    let kept = batch.changes.iter().filter(|(_, change)| change.kept);
    let kept = kept
        .map(|(key, Change { value, .. })| (key.clone(), value.clone()))
        .collect();
    Frame {
        sequence,
        at: batch.at,
        facts: batch.facts.clone(),
        kept,
    }
}

/// A batch's line, with its line feed.
pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let kept = batch.changes.iter().filter(|(_, change)| change.kept);
    let kept = kept
        .map(|(key, Change { value, .. })| {
            (Bytes::from(&key[..]), value.as_deref().map(Bytes::from))
        })
        .collect();
    let line = Line {
        v: VERSION,
        at: batch.at,
        facts: Cow::Borrowed(&batch.facts),
        kept,
    };
    let mut bytes = serde_json::to_vec(&line).expect("a line is plain data with text keys");
    bytes.push(b'\n');
    bytes
}

/// Reads a line, without its line feed, back. The ledger's path is for the message.
pub(super) fn decode(line: &[u8], sequence: u64, ledger: &Path) -> Result<Frame, Error> {
    match serde_json::from_slice::<Line<'_>>(line) {
        Ok(Line {
            v: VERSION,
            at,
            facts,
            kept,
        }) => {
            let kept = kept
                .into_iter()
                .map(|(key, value)| (key.into(), value.map(Vec::from)))
                .collect();
            Ok(Frame {
                sequence,
                at,
                facts: facts.into_owned(),
                kept,
            })
        }
        read => {
            let version = match &read {
                Ok(line) => Some(line.v),
                Err(_) => serde_json::from_slice::<Versioned>(line)
                    .ok()
                    .map(|line| line.v),
            };
            if let Some(found) = version.filter(|version| *version > VERSION) {
                return Err(Error::Newer {
                    what: format!("entry {sequence} of {}", ledger.display()),
                    found,
                    known: VERSION,
                });
            }
            Err(Error::Corrupt {
                what: format!(
                    "entry {sequence} of {} cannot be understood",
                    ledger.display()
                ),
                remedy: "restore the ledger from a backup".to_owned(),
            })
        }
    }
}
