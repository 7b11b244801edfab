//! One value as it is stored: a version byte, a byte that tells kept (1) from derived (0), the CRC-32 of key, kind and value,
//! little-endian, and the value. The key is part of the checksum, so that a value under another's key is noticed.

/// The newest version that we read, and the one that we write.
pub(super) const VERSION: u8 = 1;
/// Version, kind, checksum.
const HEADER: usize = 6;

/// Why stored bytes are not a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// They have this version, which we do not know.
    Newer(u8),
    /// They are not what was written for this key.
    Damaged,
}

/// The bytes that stand for a value.
pub(super) fn seal(key: &[u8], value: &[u8], kept: bool) -> Vec<u8> {
    let kind = u8::from(kept);
    let mut stored = Vec::with_capacity(HEADER + value.len());
    stored.extend_from_slice(&[VERSION, kind]);
    stored.extend_from_slice(&checksum(key, kind, value).to_le_bytes());
    stored.extend_from_slice(value);
    stored
}

/// The value and whether it is kept.
pub(super) fn open<'a>(key: &[u8], stored: &'a [u8]) -> Result<(&'a [u8], bool), Unreadable> {
    match stored {
        [version, ..] if *version > VERSION => Err(Unreadable::Newer(*version)),
        [VERSION, kind @ (0 | 1), a, b, c, d, value @ ..]
            if u32::from_le_bytes([*a, *b, *c, *d]) == checksum(key, *kind, value) =>
        {
            Ok((value, *kind == 1))
        }
        _ => Err(Unreadable::Damaged),
    }
}

fn checksum(key: &[u8], kind: u8, value: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(key);
    checksum.update(&[kind]);
    checksum.update(value);
    checksum.finalize()
}
