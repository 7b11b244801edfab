//! The store on the disk: `ledger` and `sled/` in one directory, with one writer.

use super::{
    Batch, Error, Frame, Stats, Store, Verification,
    export::Export,
    ledger, opening,
    rows::Row,
    seam::Entry,
    survey,
    verify::Comparison,
    writer::{self, GROUP_BATCHES, Shared, Waiting},
};
use jiff::Timestamp;
use rustix::fs::statvfs;
use std::{
    fs::{self, DirBuilder, File},
    io::Write,
    ops::ControlFlow,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
    sync::{
        Arc, PoisonError,
        atomic::Ordering,
        mpsc::{self, SyncSender},
    },
    thread::JoinHandle,
};

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memory for sled's cache of pages, in bytes. sled's own default, a gibibyte, is more than a small service may use.
    pub cache_bytes: u64,
    /// The present moment, for the names of what is put aside.
    pub now: Timestamp,
}

impl Options {
    /// The usual cache, 64 MiB.
    pub fn at(now: Timestamp) -> Self {
        Options {
            cache_bytes: 64 << 20,
            now,
        }
    }
}

/// A store that was opened, and what its operator should know about it.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: DiskStore,
    /// What was found and done, in sentences for people: to be said loudly, and not to be taken for errors.
    pub notices: Vec<String>,
}

/// The store on the disk.
pub struct DiskStore {
    queue: Option<SyncSender<Waiting>>,
    writer: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// The lock on the directory, given back last.
    _lock: File,
}

impl std::fmt::Debug for DiskStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DiskStore")
            .field("directory", &self.shared.directory)
            .finish_non_exhaustive()
    }
}

/// Reads a directory's history without its lock, also while a daemon writes to it. An entry being written is left out.
///
/// # Errors
/// As [`Store::history`].
pub fn history_of(
    directory: &Path,
    visit: &mut dyn FnMut(Frame) -> ControlFlow<()>,
) -> Result<(), Error> {
    survey::frames(directory, None, 0, &mut |frame| Ok(visit(frame)))
}

/// How often a directory that is in use is tried again, and how long between.
const PATIENCE: u32 = 20;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

impl DiskStore {
    /// Opens the store of a directory, and creates both where they are missing.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process has it open, [`Error::Full`] where there is no room to work in, [`Error::Corrupt`] where
    /// the history is damaged, missing, or not the one of the rows, [`Error::Newer`] where a newer leadloop has written it.
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Opened, Error> {
        let directory = directory.as_ref();
        for _ in 0..PATIENCE {
            match DiskStore::open_now(directory, options) {
                // Whoever had it may be on its way out: sled gives its lock back a moment after it was closed.
                Err(Error::Locked { .. }) => std::thread::sleep(PAUSE),
                opened => return opened,
            }
        }
        DiskStore::open_now(directory, options)
    }

    fn open_now(directory: &Path, options: Options) -> Result<Opened, Error> {
        let failed = |doing: &str, source| {
            Error::io(
                format!("{doing} {}", directory.display()),
                directory,
                source,
            )
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| failed("create", source))?;
        let lock = opening::lock(directory)?;
        let system = statvfs(directory)
            .map_err(|error| failed("ask for the free space of", error.into()))?;
        writer::require_room(
            directory,
            system.f_bavail.saturating_mul(system.f_frsize),
            0,
        )?;

        let mut notices = Vec::new();
        let permissions = fs::metadata(directory)
            .map_err(|source| failed("look at", source))?
            .permissions();
        if permissions.mode() & 0o077 != 0 {
            notices.push(format!(
                "{} holds personal data and is open to other users of this machine; close it with `chmod 700 {0}`",
                directory.display()
            ));
        }
        let (ledger, rows) = opening::bring_together(directory, options, &mut notices)?;
        let shared = Arc::new(Shared::new(directory.to_owned(), rows, ledger));
        let (queue, waiting) = mpsc::sync_channel(GROUP_BATCHES);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || writer::run(&shared, &waiting)
            })
            .map_err(|source| failed("start the writer of", source))?;
        let store = DiskStore {
            queue: Some(queue),
            writer: Some(writer),
            shared,
            _lock: lock,
        };
        Ok(Opened { store, notices })
    }
}

impl Store for DiskStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.shared.rows.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.shared.rows.scan(prefix, after, limit)
    }

    fn commit(&self, batch: Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let stopped = || Error::Poisoned {
            cause: "the writer is gone".to_owned(),
        };
        let (answer, answered) = mpsc::sync_channel(1);
        let queue = self
            .queue
            .as_ref()
            .expect("the queue is taken only when the store is dropped");
        queue
            .send(Waiting::new(batch, answer)?)
            .map_err(|_| stopped())?;
        answered.recv().map_err(|_| stopped())?
    }

    fn history(&self, visit: &mut dyn FnMut(Frame) -> ControlFlow<()>) -> Result<(), Error> {
        let end = self.shared.end.load(Ordering::Acquire);
        survey::frames(&self.shared.directory, Some(end), 0, &mut |frame| {
            Ok(visit(frame))
        })
    }

    fn stats(&self) -> Result<Stats, Error> {
        Ok(Stats {
            row_bytes: self.shared.rows.bytes()?,
            ledger_bytes: self.shared.end.load(Ordering::Acquire),
            frames: self.shared.frames.load(Ordering::Acquire),
        })
    }

    fn verify(&self) -> Result<Verification, Error> {
        let ledger = self
            .shared
            .ledger
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut comparison = Comparison::default();
        let read = survey::frames(
            &self.shared.directory,
            Some(ledger.end()),
            0,
            &mut |frame| {
                comparison.frame(frame);
                Ok(ControlFlow::Continue(()))
            },
        );
        tell(&mut comparison, read)?;
        if comparison.frames() != ledger.position().sequence {
            comparison.problem(format!(
                "{} was written to entry {}, and can be read to entry {}",
                ledger::path_in(&self.shared.directory).display(),
                ledger.position().sequence,
                comparison.frames()
            ));
        }
        let read = self.shared.rows.walk(&mut |row| {
            match row {
                Row::Sound { key, value, kept } => comparison.row(key, value, kept),
                Row::Unsound { key, why } => comparison.unreadable(key, why.to_string()),
            }
            Ok(())
        });
        tell(&mut comparison, read)?;
        Ok(comparison.finish())
    }

    fn export(&self, out: &mut dyn Write) -> Result<u64, Error> {
        let _unwritten = self
            .shared
            .ledger
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut export = Export::begin(out)?;
        self.shared.rows.walk(&mut |row| match row {
            Row::Sound { key, value, kept } => export.row(key, value, kept),
            Row::Unsound { why, .. } => Err(why),
        })?;
        export.finish()
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // It catches its own panics; should one escape, the next start settles what was not acknowledged.
            let _ = writer.join();
        }
    }
}

/// Damage is what a verification is about; anything else prevents it.
fn tell(comparison: &mut Comparison, read: Result<(), Error>) -> Result<(), Error> {
    match read {
        Err(error @ (Error::Corrupt { .. } | Error::Newer { .. })) => {
            comparison.problem(error.to_string())
        }
        read => read?,
    }
    Ok(())
}
