use crate::{
    export::{self, ExportFile, Raw, finding},
    overlay::{World, settle},
    pending::Pending,
    recognise::Context,
    settings::Settings,
    snapshot::Snapshot,
    value::Reading,
    view::View,
};
use contract::{ConnectorError, Finding, Kind, Severity};
use jiff::{Timestamp, tz::TimeZone};
use kit::Side;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, Metadata},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Where what is pending is kept, beside the import files.
pub(crate) const PENDING: &str = "leadloop-pending.json";

/// The folder of exports and the one of import files.
pub(crate) struct Folder {
    /// The connection's settings.
    pub settings: Settings,
    /// On which side it stands.
    pub side: Side,
    /// Fields beyond the canonical ones that are read.
    pub extra: BTreeMap<Kind, BTreeSet<String>>,
    cache: Mutex<Cache>,
}

/// What is in both folders at one moment.
pub(crate) struct State {
    /// The exports.
    pub snapshot: Snapshot,
    /// What is pending, brought up to date with them.
    pub pending: Pending,
    /// Both together.
    pub world: World,
    /// About files that are not exports.
    pub findings: Vec<Finding>,
    pub stored: Pending,
    views: Mutex<BTreeMap<Kind, Arc<View>>>,
}

#[derive(Default)]
pub(crate) struct Cache {
    files: BTreeMap<String, (Stamp, Arc<ExportFile>)>,
    state: Option<(Option<Stamp>, Arc<State>)>,
    /// Views whose reading is under way: it ends on the view that it began with, whatever is put into the folder meanwhile.
    pinned: BTreeMap<Kind, Arc<View>>,
}

/// Exports by name.
type Listing = Vec<(String, PathBuf)>;

/// What changes when a file does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

pub(crate) fn refused(doing: &str, detail: String) -> ConnectorError {
    ConnectorError::Refused {
        doing: doing.to_owned(),
        detail,
    }
}

impl Cache {
    /// What is pending has changed.
    pub fn forget(&mut self) {
        self.state = None;
    }
}

impl State {
    /// The view of a kind.
    pub fn view(&self, kind: Kind) -> Arc<View> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views
            .entry(kind)
            .or_insert_with(|| Arc::new(View::new(kind, &self.snapshot, &self.world)))
            .clone()
    }
}

impl Folder {
    /// Looks at nothing yet.
    pub fn new(settings: Settings, side: Side, extra: BTreeMap<Kind, BTreeSet<String>>) -> Folder {
        Folder {
            settings,
            side,
            extra,
            cache: Mutex::default(),
        }
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache> {
        // Whoever panicked left a cache that is merely older.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in the folders now. Where no file has changed, nothing is read.
    pub fn state(&self) -> Result<Arc<State>, ConnectorError> {
        self.load(&mut self.cache())
    }

    /// The view to read on: the one that a reading began with, while it is remembered.
    pub fn view(&self, kind: Kind, under_way: Option<&str>) -> Result<Arc<View>, ConnectorError> {
        let mut cache = self.cache();
        if let Some(pinned) = cache
            .pinned
            .get(&kind)
            .filter(|view| under_way == Some(view.digest().as_str()))
        {
            return Ok(Arc::clone(pinned));
        }
        let view = self.load(&mut cache)?.view(kind);
        cache.pinned.insert(kind, Arc::clone(&view));
        Ok(view)
    }

    pub(crate) fn load(&self, cache: &mut Cache) -> Result<Arc<State>, ConnectorError> {
        let (listing, findings) = self.listing()?;
        let reading = self.reading()?;
        let context = Context {
            settings: &self.settings,
            side: self.side,
            extra: &self.extra,
        };
        let mut files = BTreeMap::new();
        let mut fresh = cache.files.len() != listing.len();
        for (name, path) in listing {
            let file = match cache.files.get(&name) {
                Some((stamp, file)) if stamp_of(&path).as_ref() == Some(stamp) => {
                    (stamp.clone(), Arc::clone(file))
                }
                _ => {
                    fresh = true;
                    read_file(&name, &path, &context, &reading)?
                }
            };
            files.insert(name, file);
        }
        let pending_path = self.settings.out().join(PENDING);
        let pending_stamp = stamp_of(&pending_path);
        if let Some((stamp, state)) = &cache.state
            && !fresh
            && *stamp == pending_stamp
        {
            return Ok(Arc::clone(state));
        }
        let stored = read_pending(&pending_path)?;
        cache.files = files;
        let snapshot = Snapshot::new(
            cache
                .files
                .values()
                .map(|(_, file)| Arc::clone(file))
                .collect(),
        );
        let mut pending = stored.clone();
        settle(&snapshot, &mut pending);
        let world = World::new(&snapshot, &pending);
        let state = Arc::new(State {
            snapshot,
            pending,
            world,
            findings,
            stored,
            views: Mutex::default(),
        });
        cache.state = Some((pending_stamp, Arc::clone(&state)));
        Ok(state)
    }

    fn reading(&self) -> Result<Reading, ConnectorError> {
        let zone = match &self.settings.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|error| {
                refused(
                    "reading the settings",
                    format!(
                        "time_zone {name:?} is not known: {error}; name one like \"Europe/Berlin\""
                    ),
                )
            })?,
        };
        Ok(Reading {
            zone,
            day_first: self.settings.day_first,
        })
    }

    fn listing(&self) -> Result<(Listing, Vec<Finding>), ConnectorError> {
        let doing = "listing the exports";
        let folder = &self.settings.folder;
        let unreadable = |error: io::Error| {
            refused(
                doing,
                format!(
                    "cannot read the folder {}: {error}; create it, or let leadloop's user read it",
                    folder.display()
                ),
            )
        };
        let mut listing = Vec::new();
        let mut findings = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            // Editors' and spreadsheets' own files.
            if name.starts_with(['.', '~']) || !path.is_file() {
                continue;
            }
            let extension = path
                .extension()
                .and_then(|extension| extension.to_str())
                .unwrap_or_default()
                .to_lowercase();
            match extension.as_str() {
                "csv" | "tsv" | "txt" => listing.push((name.to_owned(), path.clone())),
                "zip" | "gz" | "xls" | "xlsx" => {
                    findings.push(finding(
                        Severity::Warning,
                        format!("{name} is ignored: it is not CSV"),
                        "unpack it, or export it as CSV",
                    ));
                }
                _ => {}
            }
        }
        if listing.is_empty() {
            let detail = format!(
                "there is no CSV file in {}; put the exports there",
                folder.display()
            );
            return Err(refused(doing, detail));
        }
        listing.sort();
        findings.sort_by(|one, other| one.what.cmp(&other.what));
        Ok((listing, findings))
    }
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

fn read_file(
    name: &str,
    path: &Path,
    context: &Context<'_>,
    reading: &Reading,
) -> Result<(Stamp, Arc<ExportFile>), ConnectorError> {
    let doing = "reading the exports";
    let unreadable = |error: io::Error| {
        refused(
            doing,
            format!(
                "cannot read {}: {error}; let leadloop's user read it",
                path.display()
            ),
        )
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let bytes = fs::read(path).map_err(unreadable)?;
    let stamp = Stamp::of(&metadata);
    if stamp_of(path).as_ref() != Some(&stamp) {
        return Err(ConnectorError::Unavailable {
            detail: format!(
                "{} is being written; it is read once that has ended",
                path.display()
            ),
        });
    }
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| Timestamp::try_from(time).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let file = export::read(
        &Raw {
            name,
            bytes: &bytes,
            modified,
        },
        context,
        reading,
    )
    .map_err(|error| refused(doing, format!("{}: {error}", path.display())))?;
    Ok((stamp, Arc::new(file)))
}

fn read_pending(path: &Path) -> Result<Pending, ConnectorError> {
    let doing = "reading what waits for its import";
    match fs::read(path) {
        Ok(bytes) => Pending::open(&bytes).map_err(|error| {
            let remedy = "restore it from a backup, or move it away with the import files after importing them";
            refused(doing, format!("{} is damaged: {error}; {remedy}", path.display()))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Pending::default()),
        Err(error) => Err(refused(doing, format!("cannot read {}: {error}; let leadloop's user read it", path.display()))),
    }
}
