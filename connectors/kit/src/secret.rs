//! Where secrets are and how they are read. Configuration holds references only, so that a
//! configuration file can be shown, kept in version control and sent to support.

use secrecy::ExposeSecret;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// A secret text: redacted in `Debug`, cleared from memory when dropped.
pub type Secret = secrecy::SecretString;

/// No secret that a vendor issues is longer; a private key in PEM has some 3 KiB.
const LONGEST: u64 = 64 * 1024;

const FORMS: &str = "secrets are given by reference: { credential = \"…\" }, { file = \"…\" } or \
                     { env = \"…\" }";

/// Where a secret is, never the secret itself: `{ credential = "…" }`, `{ file = "…" }` or
/// `{ env = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// A systemd credential, by its name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A file that nobody but its owner may read.
    File(PathBuf),
    /// An environment variable: works, with a warning.
    Env(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Credential(name) => write!(f, "credential `{name}`"),
            SecretRef::File(path) => write!(f, "file `{}`", path.display()),
            SecretRef::Env(name) => write!(f, "environment variable `{name}`"),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Forms)
    }
}

/// Reads the three forms. Whatever else stands there may be the secret itself, so no message
/// repeats it.
struct Forms;

impl<'de> Visitor<'de> for Forms {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORMS)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let wrong = || A::Error::custom(FORMS);
        let Some(form) = map.next_key::<String>()? else {
            return Err(wrong());
        };
        let place: String = map.next_value().map_err(|_| wrong())?;
        if map.next_key::<String>()?.is_some() || place.trim().is_empty() {
            return Err(wrong());
        }
        match form.as_str() {
            "credential" => Ok(SecretRef::Credential(place)),
            "file" => Ok(SecretRef::File(PathBuf::from(place))),
            "env" => Ok(SecretRef::Env(place)),
            _ => Err(wrong()),
        }
    }
}

/// Resolves references to secrets.
pub trait Secrets: Send + Sync {
    /// The secret as it is right now; asked again after a vendor has refused it.
    ///
    /// # Errors
    /// Names the reference and what to do.
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, SecretError>;
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {reference}: {detail}")]
pub struct SecretError {
    /// Where it should be.
    pub reference: SecretRef,
    /// What is wrong, and the remedy.
    pub detail: String,
}

/// Secrets of a service: systemd's credentials, files, and the environment as it was handed in.
pub struct SystemSecrets {
    credentials_directory: Option<PathBuf>,
    env: BTreeMap<String, String>,
    warned: Mutex<BTreeSet<String>>,
}

impl SystemSecrets {
    /// `credentials_directory` is what systemd passes as `$CREDENTIALS_DIRECTORY`; `env` is the
    /// whole environment.
    pub fn new(
        credentials_directory: Option<PathBuf>,
        env: BTreeMap<String, String>,
    ) -> SystemSecrets {
        SystemSecrets {
            credentials_directory,
            env,
            warned: Mutex::default(),
        }
    }

    fn text(&self, reference: &SecretRef) -> Result<String, String> {
        match reference {
            SecretRef::Credential(name) => {
                if name.contains('/') || name == "." || name == ".." {
                    return Err("a credential's name has no `/`".to_owned());
                }
                let Some(directory) = &self.credentials_directory else {
                    return Err(format!(
                        "there is no $CREDENTIALS_DIRECTORY; run as a systemd service with \
                         `LoadCredential={name}:/path`, or use {{ file = \"…\" }}"
                    ));
                };
                // systemd hands out mode 0440 where it grants access by ACL, so the group is no
                // stranger here.
                read(&directory.join(name), 0o007).map_err(|error| {
                    format!("{error}; add `LoadCredential={name}:/path` to the service")
                })
            }
            SecretRef::File(path) => read(path, 0o077),
            SecretRef::Env(name) => {
                let value = self.env.get(name).cloned();
                let mut warned = self.warned.lock().expect("no holder of this lock panics");
                if value.is_some() && warned.insert(name.clone()) {
                    tracing::warn!(
                        variable = name,
                        "a secret comes from the environment, where other programs may see it; \
                         prefer a systemd credential"
                    );
                }
                value.ok_or_else(|| "it is not set".to_owned())
            }
        }
    }
}

impl fmt::Debug for SystemSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemSecrets")
            .field("credentials_directory", &self.credentials_directory)
            .finish_non_exhaustive()
    }
}

impl Secrets for SystemSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let failed = |detail| SecretError {
            reference: reference.clone(),
            detail,
        };
        let text = Secret::from(self.text(reference).map_err(failed)?);
        let whole = text.expose_secret();
        // Editors and `echo` end a file with a newline that is no part of the secret.
        let bare = whole.strip_suffix('\n').unwrap_or(whole);
        let bare = bare.strip_suffix('\r').unwrap_or(bare);
        if bare.trim().is_empty() {
            return Err(failed("it is empty; put the secret there".to_owned()));
        }
        Ok(Secret::from(bare))
    }
}

/// Reads a file that none of the `strangers` (bits of the mode) may touch.
fn read(path: &Path, strangers: u32) -> Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot open it: {error}"))?;
    let meta = file
        .metadata()
        .map_err(|error| format!("cannot look at it: {error}"))?;
    if !meta.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & strangers != 0 {
        return Err(format!(
            "others may read it (mode {mode:03o}); run `chmod 600 {}`",
            path.display()
        ));
    }
    if meta.len() > LONGEST {
        return Err(format!(
            "it has more than {LONGEST} bytes, which no secret has"
        ));
    }
    let mut text = String::new();
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read it as text: {error}"))?;
    Ok(text)
}
