//! Compares the rows with the ledger: every kept row is what the ledger last said of its key, and nothing else is kept.

use super::{Frame, Verification};
use std::collections::BTreeMap;

/// Enough to see what kind of trouble it is.
const PROBLEMS_TOLD: usize = 100;

/// A comparison under way: first all frames, then all rows.
#[derive(Default)]
pub(super) struct Comparison {
    /// The checksum of each key's last kept value; values themselves would not fit into memory.
    kept: BTreeMap<Vec<u8>, u32>,
    found: Verification,
}

impl Comparison {
    pub(super) fn frame(&mut self, frame: Frame) {
        self.found.frames += 1;
        for (key, value) in frame.kept {
            match value {
                Some(value) => self.kept.insert(key, crc32fast::hash(&value)),
                None => self.kept.remove(&key),
            };
        }
    }

    /// How many frames were seen.
    pub(super) fn frames(&self) -> u64 {
        self.found.frames
    }

    pub(super) fn row(&mut self, key: &[u8], value: &[u8], kept: bool) {
        self.found.rows += 1;
        self.found.kept += u64::from(kept);
        match (self.kept.remove(key), kept) {
            (Some(checksum), true) if checksum == crc32fast::hash(value) => {}
            (Some(_), true) => self.problem(format!(
                "row {} is not what the ledger last said",
                key.escape_ascii()
            )),
            (Some(_), false) => self.problem(format!(
                "row {} was kept and is now derived",
                key.escape_ascii()
            )),
            (None, true) => self.problem(format!(
                "row {} is kept, but not in the ledger",
                key.escape_ascii()
            )),
            (None, false) => {}
        }
    }

    /// A row that cannot be read; the ledger's word on it is not compared.
    pub(super) fn unreadable(&mut self, key: &[u8], why: String) {
        self.found.rows += 1;
        self.kept.remove(key);
        self.problem(why);
    }

    pub(super) fn problem(&mut self, problem: String) {
        if self.found.problems.len() < PROBLEMS_TOLD {
            self.found.problems.push(problem);
        }
    }

    pub(super) fn finish(mut self) -> Verification {
        for key in std::mem::take(&mut self.kept).into_keys() {
            self.problem(format!(
                "the ledger keeps {}, but there is no such row",
                key.escape_ascii()
            ));
        }
        self.found
    }
}
