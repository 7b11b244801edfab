//! Small values that must survive a crash: rotated refresh tokens and spent quota.

use crate::Secret;
use chacha20poly1305::{
    AeadCore, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, OsRng, Payload},
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Keeps small values (rotated refresh tokens, spent quota) so that they survive a crash.
pub trait Keep: Send + Sync {
    /// The last saved value.
    ///
    /// # Errors
    /// Where there may be a value that cannot be had; nothing saved is `None`.
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeepError>;

    /// Saves a value; durable once it returns.
    ///
    /// # Errors
    /// Where it may be lost.
    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeepError>;
}

/// Why a value cannot be kept or had.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The file system refuses.
    #[error("cannot {doing} `{path}`")]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The value is sealed and no key was given.
    #[error("`{path}` is sealed; configure the sealing key it was written with")]
    Locked {
        /// Which file.
        path: PathBuf,
    },
    /// The value was sealed with another key, or tampered with.
    #[error(
        "`{path}` does not open with this sealing key; restore the key, or remove the file and sign in again"
    )]
    WrongKey {
        /// Which file.
        path: PathBuf,
    },
    /// The file is not one of ours, or of a later version.
    #[error("`{path}` has an unknown form; remove it and sign in again")]
    Unknown {
        /// Which file.
        path: PathBuf,
    },
    /// The environment refuses; for keeps that are no files.
    #[error("{0}")]
    Other(String),
}

/// Keeps values for as long as the process lives.
#[derive(Default)]
pub struct MemoryKeep {
    values: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl fmt::Debug for MemoryKeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryKeep").finish_non_exhaustive()
    }
}

impl Keep for MemoryKeep {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeepError> {
        Ok(self
            .values
            .lock()
            .expect("no holder of this lock panics")
            .get(name)
            .cloned())
    }

    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeepError> {
        let mut values = self.values.lock().expect("no holder of this lock panics");
        values.insert(name.to_owned(), value.to_vec());
        Ok(())
    }
}

/// The first bytes of a file whose value is plain.
const PLAIN: &[u8] = b"leadloop-keep-1 plain\n";
/// The first bytes of a file whose value is sealed: a nonce of 24 bytes and the ciphertext follow.
const SEALED: &[u8] = b"leadloop-keep-1 sealed\n";
const NONCE: usize = 24;

/// Keeps values in files of one directory, sealed where a key is given.
pub struct FileKeep {
    directory: PathBuf,
    cipher: Option<XChaCha20Poly1305>,
    /// Two writers of one name would share a temporary file.
    writing: Mutex<()>,
}

impl FileKeep {
    /// Keeps values in `directory`, which is made when first needed. With a `key`, values are
    /// sealed with XChaCha20-Poly1305, bound to their names.
    pub fn new(directory: impl Into<PathBuf>, key: Option<&Secret>) -> FileKeep {
        let cipher = key.map(|key| {
            // The credential may have any length; its hash is the key.
            let mut hash = Sha256::new();
            hash.update(b"leadloop keep 1\0");
            hash.update(key.expose_secret().as_bytes());
            XChaCha20Poly1305::new(&hash.finalize())
        });
        FileKeep {
            directory: directory.into(),
            cipher,
            writing: Mutex::new(()),
        }
    }

    fn seal(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, KeepError> {
        let Some(cipher) = &self.cipher else {
            return Ok([PLAIN, value].concat());
        };
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let sealed = cipher
            .encrypt(
                &nonce,
                Payload {
                    msg: value,
                    aad: name.as_bytes(),
                },
            )
            .map_err(|_| KeepError::Other(format!("cannot seal `{name}`")))?;
        Ok([SEALED, nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, name: &str, path: PathBuf, bytes: &[u8]) -> Result<Vec<u8>, KeepError> {
        // A plain value is taken also where a key is configured by now: it is sealed when it is
        // next saved.
        if let Some(value) = bytes.strip_prefix(PLAIN) {
            return Ok(value.to_vec());
        }
        let Some((nonce, sealed)) = bytes
            .strip_prefix(SEALED)
            .and_then(|rest| rest.split_at_checked(NONCE))
        else {
            return Err(KeepError::Unknown { path });
        };
        let Some(cipher) = &self.cipher else {
            return Err(KeepError::Locked { path });
        };
        cipher
            .decrypt(
                XNonce::from_slice(nonce),
                Payload {
                    msg: sealed,
                    aad: name.as_bytes(),
                },
            )
            .map_err(|_| KeepError::WrongKey { path })
    }
}

impl fmt::Debug for FileKeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKeep")
            .field("directory", &self.directory)
            .field("sealed", &self.cipher.is_some())
            .finish_non_exhaustive()
    }
}

impl Keep for FileKeep {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeepError> {
        let name = file_name(name);
        let path = self.directory.join(&name);
        match std::fs::read(&path) {
            Ok(bytes) => self.open(&name, path, &bytes).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(KeepError::Io {
                doing: "read",
                path,
                source,
            }),
        }
    }

    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeepError> {
        let name = file_name(name);
        let bytes = self.seal(&name, value)?;
        let path = self.directory.join(&name);
        let _turn = self.writing.lock().expect("no holder of this lock panics");
        replace(&self.directory, &name, &bytes).map_err(|source| KeepError::Io {
            doing: "write",
            path,
            source,
        })
    }
}

/// Replaces a file so that after a crash either the old or the new content is there, and after the
/// return the new one: written beside, synced, renamed, and the directory synced.
fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let beside = directory.join(format!(".{name}.new"));
    // A leftover of a crash is removed rather than reused: its mode is not ours to trust.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, directory.join(name))?;
    File::open(directory)?.sync_all()
}

/// A name as a file's name: different names stay different, and none leaves the directory or meets
/// a temporary file.
fn file_name(name: &str) -> String {
    let mut safe = String::new();
    for (place, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => safe.push(byte as char),
            b'.' if place > 0 => safe.push('.'),
            _ => safe.push_str(&format!("%{byte:02x}")),
        }
    }
    if safe.is_empty() {
        return "%".to_owned();
    }
    // File systems allow 255 bytes.
    if safe.len() > 200 {
        let hash = Sha256::digest(name.as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        return format!("{}%{hash}", &safe[..100]);
    }
    safe
}
