//! The ledger's file: append-only, framed by length and checksum, synced on every append.
//!
//! | bytes | header of the file |
//! |---|---|
//! | 0..16 | `leadloop ledger` and a line feed |
//! | 16..20 | format, 1 |
//! | 20..28 | creation, microseconds since 1970 |
//! | 28..32 | CRC-32 of bytes 0..28 |
//!
//! | bytes | a group |
//! |---|---|
//! | 0..4 | length of the payload |
//! | 4..8 | CRC-32 of bytes 8.. and the payload |
//! | 8..16 | sequence of the first line |
//! | 16..20 | number of lines |
//! | 20.. | payload: lines of JSON, one per batch (see `frame`) |
//!
//! Numbers are little-endian. What is synced together is one group: after a power cut, the disk may hold any part of what was not
//! synced, so at most the last group can be torn. A bad group at the end is therefore an interrupted append and is cut; a bad group with
//! a good one after it is damage, and is left for a person to judge. Where the rows have already recorded a group that is now bad, it
//! was not an interrupted append either; `disk` compares the two.

use super::{Error, error::is_full, survey::Survey};
use jiff::Timestamp;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The newest format that we read, and the one that we write.
pub(super) const FORMAT: u32 = 1;
pub(super) const MAGIC: [u8; 16] = *b"leadloop ledger\n";
pub(super) const HEADER: usize = 32;
pub(super) const GROUP_HEADER: usize = 20;

/// The longest payload: far beyond any batch, and short enough to be read into memory.
pub(super) const PAYLOAD_LIMIT: usize = 64 << 20;

/// How far the history goes: the last line's sequence, and the checksum of its group (of the header, where there is none yet).
/// The checksum tells whether two positions with one sequence belong to one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) sequence: u64,
    pub(super) checksum: u32,
}

/// The ledger, open for appending.
pub(super) struct Ledger {
    file: File,
    path: PathBuf,
    end: u64,
    position: Position,
}

/// Where a directory's ledger is.
pub(super) fn path_in(directory: &Path) -> PathBuf {
    directory.join("ledger")
}

/// A moment in the name of a file.
pub(super) fn stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

impl Ledger {
    /// Creates an empty ledger. It appears under its name only when it is whole.
    pub(super) fn create(directory: &Path, now: Timestamp) -> Result<Self, Error> {
        let path = path_in(directory);
        let draft = directory.join("ledger.new");
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&FORMAT.to_le_bytes());
        header.extend_from_slice(&now.as_microsecond().to_le_bytes());
        let checksum = crc32fast::hash(&header);
        header.extend_from_slice(&checksum.to_le_bytes());

        let written = (|| {
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&header)?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)?;
            File::open(directory)?.sync_all()
        })();
        written
            .map_err(|source| Error::io(format!("create {}", path.display()), directory, source))?;
        Self::append_to(
            directory,
            HEADER as u64,
            Position {
                sequence: 0,
                checksum,
            },
        )
    }

    /// Opens a surveyed ledger for appending, and cuts what was torn. The cut bytes are put beside it, for whoever wants to look.
    pub(super) fn open(directory: &Path, survey: &Survey, now: Timestamp) -> Result<Self, Error> {
        if survey.torn > 0 {
            let path = path_in(directory);
            let cut = (|| {
                let mut torn = Vec::new();
                let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
                file.seek(SeekFrom::Start(survey.end))?;
                file.read_to_end(&mut torn)?;
                let beside = directory.join(format!("ledger.torn-{}", stamp(now)));
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .mode(0o600)
                    .open(beside)?
                    .write_all(&torn)?;
                file.set_len(survey.end)?;
                file.sync_all()
            })();
            cut.map_err(|source| Error::io(format!("cut {}", path.display()), directory, source))?;
        }
        Self::append_to(directory, survey.end, survey.position)
    }

    fn append_to(directory: &Path, end: u64, position: Position) -> Result<Self, Error> {
        let path = path_in(directory);
        let file = OpenOptions::new().append(true).open(&path);
        let file = file
            .map_err(|source| Error::io(format!("open {}", path.display()), directory, source))?;
        Ok(Ledger {
            file,
            path,
            end,
            position,
        })
    }

    /// Appends lines as one group, and waits until the disk has them. Returns the new position.
    /// After an error, the ledger is not to be written to again: what the disk holds is not known.
    pub(super) fn append(&mut self, lines: &[&[u8]]) -> Result<Position, Error> {
        let group = group(self.position.sequence + 1, lines);
        if let Err(source) = self.file.write_all(&group) {
            // A full disk is the common cause; giving the bytes back spares the next start a torn tail. If it fails, that start cuts it.
            let _ = self.file.set_len(self.end);
            return Err(self.failed("write to", source));
        }
        self.file
            .sync_data()
            .map_err(|source| self.failed("sync", source))?;
        self.end += group.len() as u64;
        let checksum = u32::from_le_bytes(group[4..8].try_into().expect("four bytes"));
        self.position = Position {
            sequence: self.position.sequence + lines.len() as u64,
            checksum,
        };
        Ok(self.position)
    }

    /// How far the history goes.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Where the last group ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    fn failed(&self, doing: &str, source: io::Error) -> Error {
        if is_full(&source) {
            return Error::Full {
                path: self.path.parent().unwrap_or(&self.path).to_path_buf(),
            };
        }
        Error::Io {
            doing: format!("{doing} {}", self.path.display()),
            source,
        }
    }
}

/// The bytes of a group.
fn group(first: u64, lines: &[&[u8]]) -> Vec<u8> {
    let length: usize = lines.iter().map(|line| line.len()).sum();
    assert!(
        length <= PAYLOAD_LIMIT,
        "the writer keeps groups below the limit"
    );
    let mut group = Vec::with_capacity(GROUP_HEADER + length);
    group.extend_from_slice(&(length as u32).to_le_bytes());
    group.extend_from_slice(&[0; 4]);
    group.extend_from_slice(&first.to_le_bytes());
    group.extend_from_slice(&(lines.len() as u32).to_le_bytes());
    for line in lines {
        group.extend_from_slice(line);
    }
    let checksum = crc32fast::hash(&group[8..]);
    group[4..8].copy_from_slice(&checksum.to_le_bytes());
    group
}
