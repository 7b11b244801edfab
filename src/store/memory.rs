//! The store in memory: the model that the one on the disk is measured against, and one that fails where a test says so.

use super::{
    Batch, Error, Frame, Stats, Store, Verification,
    export::Export,
    frame,
    seam::{Change, Entry},
    verify::Comparison,
};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    ops::{
        Bound::{Excluded, Included, Unbounded},
        ControlFlow,
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A store that is gone with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Clone, Debug, Default)]
struct Inner {
    rows: BTreeMap<Vec<u8>, Row>,
    frames: Vec<Frame>,
    /// How many of the frames the rows have seen.
    applied: usize,
    operations: u64,
    fault: Option<(u64, Fault)>,
    broken: Option<String>,
}

#[derive(Clone, Debug)]
struct Row {
    value: Vec<u8>,
    kept: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing of the operation happens.
    Before,
    /// A commit reaches the ledger, and not the rows.
    Between,
    /// A commit happens, and its answer is lost.
    After,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    /// A store whose `n`-th operation, counted from one over all calls, fails with nothing done. After a failed commit every other one
    /// answers [`Error::Poisoned`].
    pub fn failing_at(n: u64) -> Self {
        Self::with(n, Fault::Before)
    }

    /// A store whose `n`-th operation, if it is a commit, is written to the ledger but not to the rows, as after a crash between the two.
    pub fn tearing_at(n: u64) -> Self {
        Self::with(n, Fault::Between)
    }

    /// A store whose `n`-th operation, if it is a commit, is done and answered with an error all the same.
    pub fn doubting_at(n: u64) -> Self {
        Self::with(n, Fault::After)
    }

    /// A store as it is rebuilt from a history: the kept rows, and nothing else.
    pub fn from_history(frames: impl IntoIterator<Item = Frame>) -> Self {
        let mut inner = Inner {
            frames: frames.into_iter().collect(),
            ..Inner::default()
        };
        inner.apply_again();
        MemoryStore {
            inner: Mutex::new(inner),
        }
    }

    /// The store as it is after the process has ended and begun again, with no further fault.
    pub fn restarted(&self) -> Self {
        let before = self.lock();
        let mut inner = Inner {
            operations: 0,
            fault: None,
            broken: None,
            ..before.clone()
        };
        inner.apply_again();
        MemoryStore {
            inner: Mutex::new(inner),
        }
    }

    /// How many operations were asked for so far: the range in which a fault can fall.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    fn with(n: u64, fault: Fault) -> Self {
        MemoryStore {
            inner: Mutex::new(Inner {
                fault: Some((n, fault)),
                ..Inner::default()
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an operation, and says which fault meets it.
    fn begin(&self) -> (MutexGuard<'_, Inner>, Option<Fault>) {
        let mut inner = self.lock();
        inner.operations += 1;
        let fault = inner
            .fault
            .filter(|(n, _)| *n == inner.operations)
            .map(|(_, fault)| fault);
        (inner, fault)
    }

    /// Begins an operation that only reads.
    fn reading(&self) -> Result<MutexGuard<'_, Inner>, Error> {
        match self.begin() {
            (_, Some(Fault::Before)) => Err(injected("read from")),
            (inner, _) => Ok(inner),
        }
    }
}

impl Inner {
    fn write(&mut self, changes: BTreeMap<Vec<u8>, Change>) {
        for (key, Change { kept, value }) in changes {
            match value {
                Some(value) => self.rows.insert(key, Row { value, kept }),
                None => self.rows.remove(&key),
            };
        }
        self.applied = self.frames.len();
    }

    fn apply_again(&mut self) {
        let changes = self.frames[self.applied..]
            .iter()
            .flat_map(|frame| &frame.kept);
        let changes = changes
            .map(|(key, value)| {
                (
                    key.clone(),
                    Change {
                        kept: true,
                        value: value.clone(),
                    },
                )
            })
            .collect();
        self.write(changes);
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.reading()?.rows.get(key).map(|row| row.value.clone()))
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, Error> {
        let from = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        let inner = self.reading()?;
        let rows = inner
            .rows
            .range::<[u8], _>((from, Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix));
        Ok(rows
            .take(limit)
            .map(|(key, row)| (key.clone(), row.value.clone()))
            .collect())
    }

    fn commit(&self, batch: Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let (mut inner, fault) = self.begin();
        if let Some(cause) = &inner.broken {
            return Err(Error::Poisoned {
                cause: cause.clone(),
            });
        }
        if fault != Some(Fault::Before) {
            if batch.is_history() {
                let frame = frame::remembered(&batch, inner.frames.len() as u64 + 1);
                inner.frames.push(frame);
            }
            if fault != Some(Fault::Between) {
                inner.write(batch.changes);
            }
        }
        if fault.is_some() {
            let error = injected("write to");
            inner.broken = Some(error.chain());
            return Err(error);
        }
        Ok(())
    }

    fn history(&self, visit: &mut dyn FnMut(Frame) -> ControlFlow<()>) -> Result<(), Error> {
        // The visitor may call the store, so that the lock is not held while it looks.
        let frames = self.reading()?.frames.clone();
        for frame in frames {
            if visit(frame).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn stats(&self) -> Result<Stats, Error> {
        let inner = self.reading()?;
        let row_bytes = inner
            .rows
            .iter()
            .map(|(key, row)| key.len() + row.value.len())
            .sum::<usize>() as u64;
        Ok(Stats {
            row_bytes,
            ledger_bytes: 0,
            frames: inner.frames.len() as u64,
        })
    }

    fn verify(&self) -> Result<Verification, Error> {
        let inner = self.reading()?;
        let mut comparison = Comparison::default();
        inner
            .frames
            .iter()
            .cloned()
            .for_each(|frame| comparison.frame(frame));
        inner
            .rows
            .iter()
            .for_each(|(key, row)| comparison.row(key, &row.value, row.kept));
        Ok(comparison.finish())
    }

    fn export(&self, out: &mut dyn Write) -> Result<u64, Error> {
        let inner = self.reading()?;
        let mut export = Export::begin(out)?;
        for (key, row) in &inner.rows {
            export.row(key, &row.value, row.kept)?;
        }
        export.finish()
    }
}

fn injected(doing: &str) -> Error {
    Error::Io {
        doing: format!("{doing} the store in memory"),
        source: io::Error::other("the fault that a test asked for"),
    }
}
