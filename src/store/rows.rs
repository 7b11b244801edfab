//! The rows, in sled 0.34. Nothing outside this file knows sled.
//!
//! What sled does not do for us is done here. Its `flush` does not reach the disk on Linux (it calls `sync_file_range`), so the file is
//! synced through a handle of our own; values too long for its log go to files that it never syncs, so large segments make such
//! values rare, and the files are synced too; it panics on some damaged files, so that it is called with the panic caught; and
//! its readers may see half of a batch, so that a lock keeps scans and batches apart.
//!
//! Keys that begin with a zero byte are the store's own: its format, and how far into the ledger the rows are.

use super::{
    Error,
    error::is_full,
    ledger::Position,
    seam::{Change, Entry},
    value,
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
};

/// The newest format of the table that we read, and the one that we write.
const FORMAT: u32 = 1;

const FORMAT_KEY: &[u8] = b"\0format";
const POSITION_KEY: &[u8] = b"\0position";

/// The longest value. Records of marketing and CRM systems stay far below.
pub(super) const VALUE_LIMIT: usize = 1 << 20;

/// sled puts anything longer than a quarter of a segment into a file of its own, and a page holds up to sixteen values:
/// with segments of this size, values of some 120 KiB each stay in the log. It cannot be changed for a table that exists.
const SEGMENT_BYTES: usize = 8 << 20;

/// The rows of one directory.
pub(super) struct Rows {
    db: sled::Db,
    directory: PathBuf,
    data: File,
    synced_blobs: Mutex<BTreeSet<OsString>>,
    /// Held to write while a batch is applied, to read while a scan runs.
    whole: RwLock<()>,
}

/// What there is to open.
pub(super) enum Found {
    /// No table.
    Nothing,
    /// A table that was never filled.
    Blank(Rows),
    /// A table, and how far into the ledger it is.
    Table(Rows, Position),
    /// Something that does not open, and why.
    Damaged(String),
}

/// One row on its way through a walk.
pub(super) enum Row<'a> {
    Sound {
        key: &'a [u8],
        value: &'a [u8],
        kept: bool,
    },
    Unsound {
        key: &'a [u8],
        why: Error,
    },
}

/// Where a directory's rows are.
pub(super) fn path_in(directory: &Path) -> PathBuf {
    directory.join("sled")
}

/// Looks at what a directory holds, without creating anything.
pub(super) fn find(directory: &Path, cache_bytes: u64) -> Result<Found, Error> {
    let path = path_in(directory);
    match fs::read_dir(&path).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return Ok(Found::Nothing),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(source) => {
            return Err(Error::io(
                format!("read {}", path.display()),
                directory,
                source,
            ));
        }
        // sled would create the file anew beside what belonged to the old one.
        Ok(false) if !path.join("db").exists() => {
            return Ok(Found::Damaged(format!(
                "{} has lost its file db",
                path.display()
            )));
        }
        Ok(false) => {}
    }
    let rows = match Rows::open(directory, cache_bytes) {
        Err(Error::Corrupt { what, .. }) => return Ok(Found::Damaged(what)),
        opened => opened?,
    };
    match rows.state() {
        Err(Error::Corrupt { what, .. }) => Ok(Found::Damaged(what)),
        Err(error) => Err(error),
        Ok(None) => Ok(Found::Blank(rows)),
        Ok(Some(position)) => Ok(Found::Table(rows, position)),
    }
}

/// Creates an empty table that stands at the beginning of a ledger.
pub(super) fn create(directory: &Path, cache_bytes: u64, start: Position) -> Result<Rows, Error> {
    let rows = Rows::open(directory, cache_bytes)?;
    rows.begin(start)?;
    Ok(rows)
}

impl Rows {
    fn open(directory: &Path, cache_bytes: u64) -> Result<Self, Error> {
        let path = path_in(directory);
        // The flusher must stay on: it also reclaims space.
        let config = sled::Config::new()
            .path(&path)
            .cache_capacity(cache_bytes)
            .segment_size(SEGMENT_BYTES)
            .flush_every_ms(Some(500));
        let db = guarded(directory, "open", || config.open())?;
        let data = File::open(path.join("db"));
        let data = data.map_err(|source| {
            Error::io(
                format!("open {}", path.join("db").display()),
                directory,
                source,
            )
        })?;
        let rows = Rows {
            db,
            directory: directory.to_owned(),
            data,
            synced_blobs: Mutex::default(),
            whole: RwLock::default(),
        };
        for created in [&path, &path.join("blobs"), directory] {
            File::open(created)
                .and_then(|created| created.sync_all())
                .map_err(|source| rows.io("sync", source))?;
        }
        Ok(rows)
    }

    /// Makes a blank table one that stands at the beginning of a ledger.
    pub(super) fn begin(&self, start: Position) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        batch.insert(FORMAT_KEY, &FORMAT.to_le_bytes());
        batch.insert(POSITION_KEY, position_value(start));
        self.apply_batch(batch)
    }

    /// The position, `None` in a blank table.
    fn state(&self) -> Result<Option<Position>, Error> {
        let get = |key| guarded(&self.directory, "read", || self.db.get(key));
        let Some(format) = get(FORMAT_KEY)? else {
            return match guarded(&self.directory, "read", || self.db.first())? {
                None => Ok(None),
                Some(_) => Err(damaged(&self.directory, "has rows, but no format")),
            };
        };
        let format = <[u8; 4]>::try_from(&format[..])
            .map_err(|_| damaged(&self.directory, "has no format"))?;
        let format = u32::from_le_bytes(format);
        if format > FORMAT {
            return Err(Error::Newer {
                what: path_in(&self.directory).display().to_string(),
                found: format,
                known: FORMAT,
            });
        }
        let stored = get(POSITION_KEY)?
            .ok_or_else(|| damaged(&self.directory, "does not say how far it is"))?;
        let (value, _) = self.value(POSITION_KEY, &stored)?;
        let value = <[u8; 12]>::try_from(value)
            .map_err(|_| damaged(&self.directory, "does not say how far it is"))?;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = value;
        let sequence = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Ok(Some(Position {
            sequence,
            checksum: u32::from_le_bytes([i, j, k, l]),
        }))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(stored) = guarded(&self.directory, "read", || self.db.get(key))? else {
            return Ok(None);
        };
        let (value, _) = self.value(key, &stored)?;
        Ok(Some(value.to_vec()))
    }

    pub(super) fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        let mut rows = Vec::new();
        let mut range = self.range(prefix, after);
        while rows.len() < limit {
            let Some((key, stored)) =
                guarded(&self.directory, "read", || range.next().transpose())?
            else {
                break;
            };
            if !key.starts_with(prefix) {
                break;
            }
            let (value, _) = self.value(&key, &stored)?;
            rows.push((key.to_vec(), value.to_vec()));
        }
        Ok(rows)
    }

    /// Visits all rows in order. The caller sees to it that nothing is written meanwhile.
    pub(super) fn walk(
        &self,
        visit: &mut dyn FnMut(Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut range = self.range(&[], None);
        while let Some((key, stored)) =
            guarded(&self.directory, "read", || range.next().transpose())?
        {
            match self.value(&key, &stored) {
                Ok((value, kept)) => visit(Row::Sound {
                    key: &key,
                    value,
                    kept,
                })?,
                Err(why) => visit(Row::Unsound { key: &key, why })?,
            }
        }
        Ok(())
    }

    /// Applies changes in one step, with the position that they lead to, and waits until the disk has them.
    /// After an error, the rows are not to be written to again.
    pub(super) fn apply<'a>(
        &self,
        changes: impl Iterator<Item = (&'a [u8], &'a Change)>,
        position: Option<Position>,
    ) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        for (key, change) in changes {
            match &change.value {
                Some(value) => batch.insert(key, value::seal(key, value, change.kept)),
                None => batch.remove(key),
            }
        }
        if let Some(position) = position {
            batch.insert(POSITION_KEY, position_value(position));
        }
        self.apply_batch(batch)
    }

    pub(super) fn bytes(&self) -> Result<u64, Error> {
        guarded(&self.directory, "measure", || self.db.size_on_disk())
    }

    fn apply_batch(&self, batch: sled::Batch) -> Result<(), Error> {
        {
            let _whole = self.whole.write().unwrap_or_else(PoisonError::into_inner);
            guarded(&self.directory, "write to", || self.db.apply_batch(batch))?;
        }
        guarded(&self.directory, "write to", || self.db.flush())?;
        self.sync_blobs()
            .map_err(|source| self.io("sync", source))?;
        self.data
            .sync_data()
            .map_err(|source| self.io("sync", source))
    }

    /// Syncs the files of long values that were not synced yet. There are hardly ever any.
    fn sync_blobs(&self) -> io::Result<()> {
        let directory = path_in(&self.directory).join("blobs");
        let mut present = BTreeSet::new();
        for entry in fs::read_dir(&directory)? {
            present.insert(entry?.file_name());
        }
        let mut synced = self
            .synced_blobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if present.is_subset(&synced) {
            *synced = present;
            return Ok(());
        }
        for blob in present.difference(&synced) {
            match File::open(directory.join(blob)) {
                // sled has removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => opened?.sync_all()?,
            }
        }
        File::open(&directory)?.sync_all()?;
        *synced = present;
        Ok(())
    }

    /// Everything from a prefix on, but for the store's own rows.
    fn range(&self, prefix: &[u8], after: Option<&[u8]>) -> sled::Iter {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let prefix = if prefix.is_empty() { &[1][..] } else { prefix };
        let from = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        self.db.range::<&[u8], _>((from, Unbounded))
    }

    /// The value and whether it is kept.
    fn value<'a>(&self, key: &[u8], stored: &'a [u8]) -> Result<(&'a [u8], bool), Error> {
        value::open(key, stored).map_err(|error| {
            let what = format!(
                "row {} in {}",
                key.escape_ascii(),
                path_in(&self.directory).display()
            );
            match error {
                value::Unreadable::Newer(found) => Error::Newer {
                    what,
                    found: u32::from(found),
                    known: u32::from(value::VERSION),
                },
                value::Unreadable::Damaged => Error::Corrupt {
                    what: format!("{what} is not what was written"),
                    remedy: rebuild(&self.directory),
                },
            }
        })
    }

    fn io(&self, doing: &str, source: io::Error) -> Error {
        Error::io(
            format!("{doing} {}", path_in(&self.directory).display()),
            &self.directory,
            source,
        )
    }
}

fn position_value(position: Position) -> Vec<u8> {
    let mut value = position.sequence.to_le_bytes().to_vec();
    value.extend_from_slice(&position.checksum.to_le_bytes());
    value::seal(POSITION_KEY, &value, false)
}

/// Calls sled, with its panics and errors made ours.
fn guarded<T>(
    directory: &Path,
    doing: &str,
    call: impl FnOnce() -> sled::Result<T>,
) -> Result<T, Error> {
    // A panic leaves sled in a state that is not looked at again: opening is given up, and a failed write poisons the store.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(source))) => Err(judge_io(directory, doing, source)),
        Ok(Err(error)) => Err(damaged(directory, &format!("is damaged ({error})"))),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(damaged(
                directory,
                &format!("is damaged ({})", text.unwrap_or("sled panicked")),
            ))
        }
    }
}

/// sled reports its lock, the system's refusals and its own findings all as errors of IO. A damaged table is put aside, so that
/// what may pass (no permission, no room, no memory, no file handles, an unreadable disk) must not be taken for damage.
fn judge_io(directory: &Path, doing: &str, source: io::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, UnexpectedEof};
    if source.to_string().contains("could not acquire lock") {
        return Error::Locked {
            path: directory.to_owned(),
        };
    }
    if !is_full(&source)
        && matches!(
            source.kind(),
            InvalidData | InvalidInput | NotFound | Other | UnexpectedEof
        )
    {
        return damaged(directory, &format!("is damaged ({source})"));
    }
    Error::io(
        format!("{doing} {}", path_in(directory).display()),
        directory,
        source,
    )
}

fn damaged(directory: &Path, how: &str) -> Error {
    Error::Corrupt {
        what: format!("{} {how}", path_in(directory).display()),
        remedy: rebuild(directory),
    }
}

fn rebuild(directory: &Path) -> String {
    format!(
        "stop leadloop, move {} away and start it again: the rows are then rebuilt from the ledger, and the vendors read again",
        path_in(directory).display()
    )
}
