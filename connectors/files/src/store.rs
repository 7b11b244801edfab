use crate::{
    folder::{Folder, PENDING, State, refused},
    import::Importer,
    pending::Pending,
};
use contract::ConnectorError;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// How safely a change was stored.
pub(crate) enum Stored {
    /// All of it.
    Safely,
    /// What is pending is, the files are not: the next write makes them.
    Halfway(String),
}

impl Folder {
    /// Changes what is pending and makes the import files anew, durably. `change` tells what the writes became.
    ///
    /// What is pending is stored before the files are put in place, and says that they are not yet: a crash in between
    /// is made good by the next write. Content is written out beforehand, so that no lack of space comes up then.
    ///
    /// # Errors
    /// Nothing has been stored.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&State, &mut Pending) -> T,
    ) -> Result<(T, Stored), ConnectorError> {
        let mut cache = self.cache();
        let state = self.load(&mut cache)?;
        let mut pending = state.pending.clone();
        let out = self.settings.out();
        if pending.done {
            self.notice_taken(&out, &mut pending)?;
        }
        let answer = change(&state, &mut pending);
        if pending == state.stored && pending.done {
            return Ok((answer, Stored::Safely));
        }
        let importer = Importer {
            settings: &self.settings,
            snapshot: &state.snapshot,
            pending: &pending,
        };
        let contents = importer.files();
        fs::create_dir_all(&out).map_err(|error| unwritable(&out, &error))?;
        let mut prepared = Vec::new();
        let mut digests = BTreeMap::new();
        for (name, content) in &contents {
            let digest = digest(content);
            if !pending.done || pending.files.get(name) != Some(&digest) {
                let path = out.join(name);
                if !pending.files.contains_key(name) && path.exists() {
                    put_aside(&path)?;
                }
                prepared.push((
                    prepare(&path, content).map_err(|error| unwritable(&path, &error))?,
                    path,
                ));
            }
            digests.insert(name.clone(), digest);
        }
        let stale: Vec<PathBuf> = pending
            .files
            .keys()
            .filter(|name| !contents.contains_key(*name))
            .map(|name| out.join(name))
            .collect();
        pending.files = digests;
        pending.done = prepared.is_empty() && stale.is_empty();
        let store = |pending: &Pending| {
            let path = out.join(PENDING);
            let prepared = prepare(&path, &pending.seal())?;
            fs::rename(prepared, &path)?;
            File::open(&out)?.sync_all()
        };
        store(&pending).map_err(|error| unwritable(&out.join(PENDING), &error))?;
        cache.forget();
        let mut placed = || -> io::Result<()> {
            for (from, to) in &prepared {
                fs::rename(from, to)?;
            }
            for path in &stale {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            pending.done = true;
            store(&pending)
        };
        match placed() {
            Ok(()) => Ok((answer, Stored::Safely)),
            Err(error) => Ok((
                answer,
                Stored::Halfway(format!(
                    "import files in {} could not be put in place: {error}",
                    out.display()
                )),
            )),
        }
    }

    /// An import file that is gone or changed is somebody's now: its rows are on their way into the vendor.
    fn notice_taken(&self, out: &Path, pending: &mut Pending) -> Result<(), ConnectorError> {
        let files = pending.files.clone();
        for (name, known) in files {
            let path = out.join(&name);
            match fs::read(&path) {
                Ok(content) if digest(&content) == known => continue,
                Ok(_) => put_aside(&path)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(refused(
                        "looking at import files",
                        format!("cannot read {}: {error}", path.display()),
                    ));
                }
            }
            pending.take(&name);
            pending.files.remove(&name);
        }
        Ok(())
    }
}

fn unwritable(path: &Path, error: &io::Error) -> ConnectorError {
    ConnectorError::Unavailable {
        detail: format!(
            "cannot write {}: {error}; make the folder writable for leadloop, and free space",
            path.display()
        ),
    }
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Writes content beside a path, durably, for a rename that cannot run out of space.
fn prepare(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.tmp"));
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(beside)
}

/// Gives a file that is not ours to overwrite another name.
fn put_aside(path: &Path) -> Result<(), ConnectorError> {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let free = (1..)
        .map(|number| path.with_file_name(format!("{stem}-{number}.csv")))
        .find(|path| !path.exists());
    let aside = free.expect("no folder holds that many files");
    tracing::info!(from = %path.display(), to = %aside.display(), "an import file was changed by somebody; it is put aside");
    fs::rename(path, &aside).map_err(|error| unwritable(&aside, &error))
}
