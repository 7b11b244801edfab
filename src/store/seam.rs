//! The face that the rest of leadloop sees: a store, what it is given, and what it tells.

use super::Error;
use jiff::Timestamp;
use std::{collections::BTreeMap, io::Write, ops::ControlFlow};

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A place for ordered keys and for history.
///
/// Keys are at least one byte long and do not begin with a zero byte, which is the store's own.
pub trait Store: Send + Sync {
    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where what is stored is not what was written, [`Error::Io`] where the disk cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// The keys that begin with `prefix`, in order, strictly after the whole key `after` where it is given, and at most `limit` of them.
    /// A batch is never seen by half within one scan; between two scans the rows may change.
    ///
    /// # Errors
    /// As [`Store::get`].
    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, Error>;

    /// Writes a batch: atomic, and durable on return. An empty batch is nothing.
    ///
    /// # Errors
    /// [`Error::TooLarge`] and [`Error::Full`] where nothing was written and the store goes on; otherwise it is not known whether the batch was
    /// written, and every later commit answers [`Error::Poisoned`] until the store is opened again, which settles it.
    fn commit(&self, batch: Batch) -> Result<(), Error>;

    /// Visits the history in order, until the visitor breaks off. What is committed meanwhile may not be visited.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Newer`] where the ledger cannot be read, [`Error::Io`] where the disk cannot.
    fn history(&self, visit: &mut dyn FnMut(Frame) -> ControlFlow<()>) -> Result<(), Error>;

    /// Sizes, for the health page and the alarms; cheap enough to be asked every few seconds.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk cannot be asked.
    fn stats(&self) -> Result<Stats, Error>;

    /// Reads every row and every frame, and compares the two. Commits wait meanwhile.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk cannot be read; what is wrong with the content is told in the [`Verification`].
    fn verify(&self) -> Result<Verification, Error>;

    /// Writes all rows as lines of JSON in the order of their keys, between a line that names the format and a line with the count and
    /// the SHA-256 of all lines before it. Returns the number of rows. Commits wait meanwhile: give it a file, not a slow connection.
    ///
    /// # Errors
    /// [`Error::Io`] where `out` cannot be written, otherwise as [`Store::get`].
    fn export(&self, out: &mut dyn Write) -> Result<u64, Error>;
}

/// What is to be written together. On one key, the last word wins.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(super) at: Timestamp,
    pub(super) changes: BTreeMap<Vec<u8>, Change>,
    pub(super) facts: Vec<serde_json::Value>,
}

/// What becomes of one key; without a value it is removed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) kept: bool,
    pub(super) value: Option<Vec<u8>>,
}

impl Batch {
    /// An empty batch of the moment `at`, which is the time its history bears.
    pub fn new(at: Timestamp) -> Self {
        Batch {
            at,
            changes: BTreeMap::new(),
            facts: Vec::new(),
        }
    }

    /// Sets a key to something that can be had again from the vendors.
    ///
    /// # Panics
    /// As all four, where the key is empty or begins with a zero byte: keys are composed by our own code.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.change(
            key.into(),
            Change {
                kept: false,
                value: Some(value.into()),
            },
        )
    }

    /// Removes a key that was [put](Batch::put).
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.change(
            key.into(),
            Change {
                kept: false,
                value: None,
            },
        )
    }

    /// Sets a key to something that nobody could tell us again: it is written to the ledger too.
    pub fn keep(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.change(
            key.into(),
            Change {
                kept: true,
                value: Some(value.into()),
            },
        )
    }

    /// Removes a key that was [kept](Batch::keep); the history still tells of it.
    pub fn forget(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.change(
            key.into(),
            Change {
                kept: true,
                value: None,
            },
        )
    }

    /// Adds a line of history.
    pub fn fact(&mut self, fact: impl Into<serde_json::Value>) -> &mut Self {
        self.facts.push(fact.into());
        self
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.facts.is_empty()
    }

    /// Whether some of it belongs into the ledger.
    pub(super) fn is_history(&self) -> bool {
        !self.facts.is_empty() || self.changes.values().any(|change| change.kept)
    }

    fn change(&mut self, key: Vec<u8>, change: Change) -> &mut Self {
        assert!(
            key.first().is_some_and(|first| *first != 0),
            "a key is not empty and does not begin with a zero byte"
        );
        self.changes.insert(key, change);
        self
    }
}

/// One batch as the ledger remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its place in the history, counted from one without gaps.
    pub sequence: u64,
    /// The batch's moment.
    pub at: Timestamp,
    /// The lines of history.
    pub facts: Vec<serde_json::Value>,
    /// The keys kept (with their value) and forgotten (without), in the order of the keys.
    pub kept: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// How large a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes that the rows take on the disk.
    pub row_bytes: u64,
    /// Bytes that the ledger takes on the disk.
    pub ledger_bytes: u64,
    /// Frames in the ledger.
    pub frames: u64,
}

/// What [`Store::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Rows read.
    pub rows: u64,
    /// Rows among them that are kept, that is, also in the ledger.
    pub kept: u64,
    /// Frames read.
    pub frames: u64,
    /// What is wrong, in words; the first hundred.
    pub problems: Vec<String>,
}

impl Verification {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}
