//! The single writer: what waits is written together, so that the syncs are shared.
//!
//! The order is the promise: the ledger first, synced; then the rows, in one batch that also says how far into the ledger they are,
//! synced; then the answers. A crash in between leaves the rows behind the ledger, which the next start sees and makes good.

use super::{
    Batch, Error, frame,
    ledger::{Ledger, PAYLOAD_LIMIT},
    rows::{Rows, VALUE_LIMIT},
};
use rustix::fs::statvfs;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender},
    },
};

/// At most so many batches share a sync; more would make the first of them wait.
pub(super) const GROUP_BATCHES: usize = 100;
/// Nor more than about so many bytes, which bounds memory.
const GROUP_BYTES: usize = 8 << 20;
/// The largest batch, counting what it writes to the rows and to the ledger.
const BATCH_LIMIT: usize = 16 << 20;

/// Room that is left on the file system: sled and the ledger fail for good when a write meets a full disk, so that we stop before.
const RESERVE_BYTES: u64 = 64 << 20;

/// What the writer and the callers share.
pub(super) struct Shared {
    pub(super) directory: PathBuf,
    pub(super) rows: Rows,
    /// Whoever holds it, writes, or keeps the others from writing.
    pub(super) ledger: Mutex<Ledger>,
    /// How far the ledger may be read: to the last group that is acknowledged.
    pub(super) end: AtomicU64,
    pub(super) frames: AtomicU64,
    /// The failure after which nothing is written.
    broken: OnceLock<String>,
}

/// A batch, and who waits for it.
pub(super) struct Waiting {
    batch: Batch,
    /// Its line in the ledger, written by whoever waits, so that the writer has less to do.
    line: Option<Vec<u8>>,
    bytes: usize,
    answer: SyncSender<Result<(), Error>>,
}

impl Waiting {
    /// Prepares a batch; refuses what does not fit, before anything is written.
    pub(super) fn new(batch: Batch, answer: SyncSender<Result<(), Error>>) -> Result<Self, Error> {
        for (key, change) in &batch.changes {
            let size = change.value.as_ref().map_or(0, Vec::len);
            if size > VALUE_LIMIT {
                let what = format!("the value of {}", key.escape_ascii());
                return Err(Error::TooLarge {
                    what,
                    size,
                    limit: VALUE_LIMIT,
                });
            }
        }
        let line = batch.is_history().then(|| frame::encode(&batch));
        let changes = batch
            .changes
            .iter()
            .map(|(key, change)| key.len() + change.value.as_ref().map_or(0, Vec::len));
        let bytes = changes.sum::<usize>() + line.as_ref().map_or(0, Vec::len);
        if bytes > BATCH_LIMIT {
            return Err(Error::TooLarge {
                what: "a batch".to_owned(),
                size: bytes,
                limit: BATCH_LIMIT,
            });
        }
        Ok(Waiting {
            batch,
            line,
            bytes,
            answer,
        })
    }
}

impl Shared {
    pub(super) fn new(directory: PathBuf, rows: Rows, ledger: Ledger) -> Self {
        let (end, frames) = (ledger.end().into(), ledger.position().sequence.into());
        Shared {
            directory,
            rows,
            ledger: Mutex::new(ledger),
            end,
            frames,
            broken: OnceLock::new(),
        }
    }

    /// Refuses after a failure.
    pub(super) fn sound(&self) -> Result<(), Error> {
        match self.broken.get() {
            Some(cause) => Err(Error::Poisoned {
                cause: cause.clone(),
            }),
            None => Ok(()),
        }
    }

    fn write(&self, group: &[Waiting]) -> Result<(), Error> {
        self.sound()?;
        let bytes: usize = group.iter().map(|waiting| waiting.bytes).sum();
        let system = statvfs(&self.directory).map_err(|error| {
            Error::io(
                format!("ask for the free space of {}", self.directory.display()),
                &self.directory,
                error.into(),
            )
        })?;
        require_room(
            &self.directory,
            system.f_bavail.saturating_mul(system.f_frsize),
            bytes,
        )?;

        let written =
            catch_unwind(AssertUnwindSafe(|| self.write_through(group))).unwrap_or_else(|_| {
                Err(Error::Poisoned {
                    cause: "the writer panicked".to_owned(),
                })
            });
        if let Err(error) = &written {
            let cause = self.broken.get_or_init(|| error.chain());
            tracing::error!(cause, "the store has stopped");
        }
        written
    }

    fn write_through(&self, group: &[Waiting]) -> Result<(), Error> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = group
            .iter()
            .filter_map(|waiting| waiting.line.as_deref())
            .collect();
        let position = if lines.is_empty() {
            None
        } else {
            Some(ledger.append(&lines)?)
        };
        let changes = group.iter().flat_map(|waiting| &waiting.batch.changes);
        self.rows
            .apply(changes.map(|(key, change)| (&key[..], change)), position)?;
        self.end.store(ledger.end(), Ordering::Release);
        self.frames
            .store(ledger.position().sequence, Ordering::Release);
        Ok(())
    }
}

/// Writes until there is nobody left who could send.
pub(super) fn run(shared: &Arc<Shared>, queue: &Receiver<Waiting>) {
    while let Ok(first) = queue.recv() {
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while group.len() < GROUP_BATCHES && bytes < GROUP_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            bytes += next.bytes;
            group.push(next);
        }
        let written = shared.write(&group);
        for waiting in group {
            let answer = match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(error.echo()),
            };
            // Whoever has stopped waiting does not mind.
            let _ = waiting.answer.send(answer);
        }
    }
}

/// Refuses a write that would meet a full disk.
pub(super) fn require_room(directory: &Path, free: u64, bytes: usize) -> Result<(), Error> {
    if free < RESERVE_BYTES + bytes as u64 {
        return Err(Error::Full {
            path: directory.to_owned(),
        });
    }
    Ok(())
}

// A group may end with a batch as large as the limit.
const _: () = assert!(GROUP_BYTES + BATCH_LIMIT < PAYLOAD_LIMIT);
