use contract::{Fields, Id, Key, Kind, Relations, Value};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the stored shape.
const VERSION: u32 = 1;

/// What has been written for import: the truth from which import files are made, kept beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    version: u32,
    /// Whether the files below are known to lie there. Where not, they are made again.
    pub done: bool,
    /// Import files that we made, with the digest of their content.
    pub files: BTreeMap<String, String>,
    /// Records to make.
    pub creates: BTreeMap<Kind, BTreeMap<String, Create>>,
    /// Records to change.
    pub updates: BTreeMap<Kind, BTreeMap<String, Update>>,
    /// Leads to convert, by id.
    pub converts: BTreeMap<String, Convert>,
    /// Notes, by key.
    pub notes: BTreeMap<String, Note>,
}

/// A record to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Create {
    pub at: Timestamp,
    pub fields: Fields,
    pub relations: Relations,
    /// Whether somebody took the file away: it is being imported, and does not belong into the next one.
    pub taken: bool,
    /// The record that exports show for it. From then on they speak for it.
    pub shown: Option<Id>,
}

/// A record to change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Update {
    pub fields: BTreeMap<String, Changed<Option<Value>>>,
    pub relations: BTreeMap<contract::Relation, Changed<Vec<Id>>>,
}

/// A value to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Changed<T> {
    pub at: Timestamp,
    pub to: T,
    /// What exports may show as long as they do not know better. Anything else is somebody's later change, and wins.
    pub from: Vec<T>,
    pub taken: bool,
}

/// A lead to convert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Convert {
    pub at: Timestamp,
    pub account: Id,
    pub contact: Option<Id>,
    pub owner: Option<Id>,
    /// The lead's values as far as they become the contact's.
    pub person: Fields,
    pub taken: bool,
    /// The contact that exports show for it.
    pub shown: Option<Id>,
}

/// A note to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub kind: Kind,
    pub about: Id,
    pub at: Timestamp,
    pub subject: String,
    pub body: String,
    pub taken: bool,
}

impl Default for Pending {
    fn default() -> Self {
        Pending {
            version: VERSION,
            done: true,
            files: BTreeMap::new(),
            creates: BTreeMap::new(),
            updates: BTreeMap::new(),
            converts: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }
}

impl Pending {
    /// Opens what [`Pending::seal`] made.
    pub fn open(bytes: &[u8]) -> Result<Pending, String> {
        let pending: Pending = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if pending.version == VERSION {
            Ok(pending)
        } else {
            Err(format!(
                "its version is {}, this leadloop knows {VERSION}",
                pending.version
            ))
        }
    }

    /// As it is stored.
    pub fn seal(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("plain data with text keys")
    }

    /// A pending create.
    pub fn create(&self, kind: Kind, key: &str) -> Option<&Create> {
        self.creates.get(&kind)?.get(key)
    }

    /// The record that an id of ours has become: `new:…` of a create or a conversion that exports show by now.
    pub fn resolve(&self, kind: Kind, id: &Id) -> Id {
        let Some(key) = key_of(id) else {
            return id.clone();
        };
        let shown = self
            .create(kind, key)
            .and_then(|create| create.shown.clone());
        let converted = || {
            self.converts
                .get(key)
                .filter(|_| kind == Kind::Contact)
                .and_then(|convert| convert.shown.clone())
        };
        shown.or_else(converted).unwrap_or_else(|| id.clone())
    }

    /// Marks what lies in a file as taken away.
    pub fn take(&mut self, file: &str) {
        for (kind, creates) in &mut self.creates {
            if crate::import::creates_file(*kind) == file {
                creates.values_mut().for_each(|create| create.taken = true);
            }
        }
        for (kind, updates) in &mut self.updates {
            if crate::import::updates_file(*kind) == file {
                for update in updates.values_mut() {
                    update
                        .fields
                        .values_mut()
                        .for_each(|changed| changed.taken = true);
                    update
                        .relations
                        .values_mut()
                        .for_each(|changed| changed.taken = true);
                }
            }
        }
        if file == crate::import::CONVERTS {
            self.converts
                .values_mut()
                .for_each(|convert| convert.taken = true);
        }
        if file == crate::import::NOTES {
            self.notes.values_mut().for_each(|note| note.taken = true);
        }
    }
}

/// The id of what we made and no export shows yet.
pub(crate) fn new_id(key: &str) -> Id {
    Id(format!("new:{key}"))
}

/// The key in such an id.
pub(crate) fn key_of(id: &Id) -> Option<&str> {
    id.0.strip_prefix("new:")
}

/// The same, as a key.
pub(crate) fn as_key(key: &str) -> Key {
    Key(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 1 looks like on disk.
    const EXAMPLE: &str = r#"{"version":1,"done":true,"files":{"contacts-create.csv":"00"},
        "creates":{"contact":{"k1":{"at":"2026-01-02T03:04:05Z","fields":{"email":{"text":"a@b.c"}},"relations":{"account":["001"]},"taken":false,"shown":null}}},
        "updates":{"lead":{"7":{"fields":{"title":{"at":"2026-01-02T03:04:05Z","to":null,"from":[{"text":"CTO"}],"taken":false}},"relations":{}}}},
        "converts":{"9":{"at":"2026-01-02T03:04:05Z","account":"001","contact":null,"owner":null,"person":{},"taken":false,"shown":null}},
        "notes":{"n1":{"kind":"lead","about":"7","at":"2026-01-02T03:04:05Z","subject":"s","body":"b","taken":true}}}"#;

    #[test]
    fn version_one_is_still_read() {
        let pending = Pending::open(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(Pending::open(&pending.seal()).unwrap(), pending);
        assert_eq!(
            pending
                .create(Kind::Contact, "k1")
                .unwrap()
                .fields
                .text("email"),
            Some("a@b.c")
        );
        assert!(
            Pending::open(EXAMPLE.replace("\"version\":1", "\"version\":2").as_bytes()).is_err()
        );
    }
}
