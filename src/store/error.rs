//! Why the store cannot do what it was asked. Each kind has its own remedy, and the message tells it.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A failure of the store. The message says what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process works on the same directory.
    #[error("the state in {} is in use by another process; {}", .path.display(), self.remedy())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The file system has no room left.
    #[error("there is no space left for the state in {}; {}", .path.display(), self.remedy())]
    Full {
        /// The directory.
        path: PathBuf,
    },
    /// What is stored is not what was written, or its parts do not belong together.
    #[error("{what}; {remedy}")]
    Corrupt {
        /// What is wrong, and where.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// A newer leadloop has written this.
    #[error("{what} has format {found}, and this leadloop knows up to {known}; {}", self.remedy())]
    Newer {
        /// The file or row.
        what: String,
        /// Its format.
        found: u32,
        /// The newest format that we read.
        known: u32,
    },
    /// A value or a batch that the store does not take. Nothing was written, and the store goes on.
    #[error("{what} is {size} bytes long, and the store takes {limit}; {}", self.remedy())]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The operating system refuses.
    #[error("cannot {doing}; {}", self.remedy())]
    Io {
        /// What we were doing, to which file.
        doing: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An earlier write failed, and since then it is not known what the disk holds.
    #[error("the store has stopped after an earlier failure ({cause}); {}", self.remedy())]
    Poisoned {
        /// That failure.
        cause: String,
    },
}

impl Error {
    /// What an operator does about it.
    pub fn remedy(&self) -> &str {
        match self {
            Error::Locked { .. } => "stop the other leadloop first, or put the question to it",
            Error::Full { .. } => {
                "free space on that file system, and restart leadloop where it has stopped"
            }
            Error::Corrupt { remedy, .. } => remedy,
            Error::Newer { .. } => "install the newer leadloop again",
            Error::TooLarge { .. } => "map fewer or shorter fields",
            Error::Io { .. } => {
                "see that the disk is sound and that the files belong to the user who runs leadloop, then restart it"
            }
            Error::Poisoned { .. } => "restart leadloop: what was acknowledged is safe",
        }
    }

    /// An operating system's refusal, with the full disk told apart.
    pub(super) fn io(doing: impl Into<String>, path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            return Error::Full {
                path: path.to_path_buf(),
            };
        }
        Error::Io {
            doing: doing.into(),
            source,
        }
    }

    /// The same failure once more, for the others who waited for the same write.
    pub(super) fn echo(&self) -> Self {
        match self {
            Error::Locked { path } => Error::Locked { path: path.clone() },
            Error::Full { path } => Error::Full { path: path.clone() },
            Error::Corrupt { what, remedy } => Error::Corrupt {
                what: what.clone(),
                remedy: remedy.clone(),
            },
            Error::Newer { what, found, known } => Error::Newer {
                what: what.clone(),
                found: *found,
                known: *known,
            },
            Error::TooLarge { what, size, limit } => Error::TooLarge {
                what: what.clone(),
                size: *size,
                limit: *limit,
            },
            Error::Io { doing, source } => Error::Io {
                doing: doing.clone(),
                source: io::Error::new(source.kind(), source.to_string()),
            },
            Error::Poisoned { cause } => Error::Poisoned {
                cause: cause.clone(),
            },
        }
    }

    /// The failure with its whole chain, in one line.
    pub(super) fn chain(&self) -> String {
        match self {
            Error::Io { doing, source } => format!("cannot {doing}: {source}"),
            other => other.to_string(),
        }
    }
}

/// Whether the system says that there is no room, or none for us.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
