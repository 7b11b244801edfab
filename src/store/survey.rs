//! Reading the ledger: every group is judged on the way, and what follows the last good one is told apart.
//!
//! A bad group at the end is an interrupted append; a bad group with a good one after it is damage.

use super::{
    Error, Frame, frame,
    ledger::{FORMAT, GROUP_HEADER, HEADER, MAGIC, PAYLOAD_LIMIT, Position, path_in},
};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::ControlFlow,
    path::Path,
};

/// What reading a whole ledger has shown.
#[derive(Debug)]
pub(super) struct Survey {
    /// Where the last good group ends.
    pub(super) end: u64,
    /// Where the history begins.
    pub(super) start: Position,
    /// The last good group's position.
    pub(super) position: Position,
    /// Bytes of an interrupted append after it.
    pub(super) torn: u64,
    /// The checksum at the sequence that was asked for, if a group ends there.
    pub(super) asked: Option<u32>,
}

/// The fixed part of a group.
struct Head {
    length: usize,
    checksum: u32,
    first: u64,
    lines: u32,
}

impl Head {
    /// Reads the fixed part; `bytes` begins with a group.
    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; GROUP_HEADER] = bytes.first_chunk()?;
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let first = u64::from(number(8)) | u64::from(number(12)) << 32;
        Some(Head {
            length: number(0) as usize,
            checksum: number(4),
            first,
            lines: number(16),
        })
    }

    /// Whether a group of this shape can stand where `room` bytes are left, header included.
    fn fits(&self, room: u64) -> bool {
        (1..=PAYLOAD_LIMIT).contains(&self.length)
            && (GROUP_HEADER + self.length) as u64 <= room
            && self.lines > 0
            && self.first > 0
    }

    fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(self.lines) - 1)
    }
}

/// Reads the whole ledger without changing it. `None` where there is none. `asked` is a sequence whose checksum the caller wants.
pub(super) fn survey(directory: &Path, asked: Option<u64>) -> Result<Option<Survey>, Error> {
    let mut checksum = None;
    let walked = walk(directory, None, &mut |group| {
        if Some(group.position.sequence) == asked {
            checksum = Some(group.position.checksum);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(walked.map(|walked| Survey {
        asked: checksum,
        ..walked
    }))
}

/// Visits the frames after the sequence `after`, up to byte `end` where it is given; otherwise whatever is whole.
pub(super) fn frames(
    directory: &Path,
    end: Option<u64>,
    after: u64,
    visit: &mut dyn FnMut(Frame) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let path = path_in(directory);
    walk(directory, end, &mut |group| {
        if group.position.sequence <= after {
            return Ok(ControlFlow::Continue(()));
        }
        let lines = group.payload.split_inclusive(|byte| *byte == b'\n');
        for (sequence, line) in (group.first..)
            .zip(lines)
            .filter(|(sequence, _)| *sequence > after)
        {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if visit(frame::decode(line, sequence, &path)?)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(())
}

/// A good group on the way.
struct Group<'a> {
    first: u64,
    position: Position,
    payload: &'a [u8],
}

type Visit<'a> = &'a mut dyn FnMut(Group<'_>) -> Result<ControlFlow<()>, Error>;

/// Goes through the groups, judging each. The file's header counts as a group without lines.
/// The length is taken once, at the beginning, so that a writer at work can only leave the end torn.
fn walk(directory: &Path, end: Option<u64>, visit: Visit<'_>) -> Result<Option<Survey>, Error> {
    let path = path_in(directory);
    let failed = |source| Error::io(format!("read {}", path.display()), directory, source);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let length = file.metadata().map_err(failed)?.len();
    let length = end.map_or(length, |end| end.min(length));
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let start = Position {
        sequence: 0,
        checksum: file_header(&mut reader, length, &path).map_err(failed)??,
    };
    let mut position = start;
    let mut offset = HEADER as u64;
    let mut payload = Vec::new();
    let mut broken_off = visit(Group {
        first: 0,
        position,
        payload: &[],
    })?
    .is_break();

    while !broken_off && offset < length {
        let Some(head) = good_group(&mut reader, length - offset, &mut payload).map_err(failed)?
        else {
            judge_tail(
                reader.into_inner(),
                offset,
                length,
                position.sequence,
                &path,
            )
            .map_err(failed)??;
            return Ok(Some(Survey {
                end: offset,
                start,
                position,
                torn: length - offset,
                asked: None,
            }));
        };
        if head.first != position.sequence + 1 {
            return Err(damaged(
                &path,
                offset,
                &format!(
                    "continues with entry {} after entry {}",
                    head.first, position.sequence
                ),
            ));
        }
        position = Position {
            sequence: head.last(),
            checksum: head.checksum,
        };
        broken_off = visit(Group {
            first: head.first,
            position,
            payload: &payload,
        })?
        .is_break();
        offset += (GROUP_HEADER + head.length) as u64;
    }
    Ok(Some(Survey {
        end: offset,
        start,
        position,
        torn: 0,
        asked: None,
    }))
}

/// The checksum of the file's header.
fn file_header(reader: &mut impl Read, length: u64, path: &Path) -> io::Result<Result<u32, Error>> {
    let mut header = [0; HEADER];
    if length >= HEADER as u64 {
        reader.read_exact(&mut header)?;
    }
    let number = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if header[..16] == MAGIC && number(16) > FORMAT {
        return Ok(Err(Error::Newer {
            what: path.display().to_string(),
            found: number(16),
            known: FORMAT,
        }));
    }
    if header[..16] != MAGIC || number(16) != FORMAT || number(28) != crc32fast::hash(&header[..28])
    {
        return Ok(Err(Error::Corrupt {
            what: format!("{} does not begin as a ledger does", path.display()),
            remedy: "restore it from a backup".to_owned(),
        }));
    }
    Ok(Ok(number(28)))
}

/// The next group, if it is whole and its checksum is right.
fn good_group(
    reader: &mut impl Read,
    room: u64,
    payload: &mut Vec<u8>,
) -> io::Result<Option<Head>> {
    let mut bytes = [0; GROUP_HEADER];
    if room < GROUP_HEADER as u64 {
        return Ok(None);
    }
    reader.read_exact(&mut bytes)?;
    let Some(head) = Head::read(&bytes).filter(|head| head.fits(room)) else {
        return Ok(None);
    };
    payload.resize(head.length, 0);
    reader.read_exact(payload)?;
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes[8..]);
    checksum.update(payload);
    Ok((checksum.finalize() == head.checksum).then_some(head))
}

/// Whether what follows a bad group is only the rest of an interrupted append.
fn judge_tail(
    mut file: File,
    offset: u64,
    length: u64,
    last: u64,
    path: &Path,
) -> io::Result<Result<(), Error>> {
    let damage = damaged(path, offset, "is damaged, and more history follows");
    if length - offset > (GROUP_HEADER + PAYLOAD_LIMIT) as u64 {
        return Ok(Err(damage));
    }
    let mut tail = vec![0; (length - offset) as usize];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut tail)?;
    // Text in JSON holds no zero byte and a sequence always does, so that no payload passes for a header.
    let good = (1..tail.len()).any(|at| {
        let rest = &tail[at..];
        Head::read(rest)
            .filter(|head| head.first > last && head.fits(rest.len() as u64))
            .is_some_and(|head| {
                crc32fast::hash(&rest[8..GROUP_HEADER + head.length]) == head.checksum
            })
    });
    Ok(if good { Err(damage) } else { Ok(()) })
}

fn damaged(path: &Path, offset: u64, how: &str) -> Error {
    let directory = path.parent().unwrap_or(path).display();
    Error::Corrupt {
        what: format!("the ledger {} at byte {offset} {how}", path.display()),
        remedy: format!(
            "restore it from a backup; or, where everything after that byte may be lost, keep a copy, cut it with \
             `truncate -s {offset} {}`, and move {directory}/sled away",
            path.display()
        ),
    }
}
