use crate::{
    export::{ExportFile, Held},
    recognise::{Recognised, Slot},
};
use contract::{Id, Kind, Relation, field};
use std::{collections::BTreeMap, sync::Arc};

/// Everything that lies in the folder, later files over earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// All files, by name.
    pub files: Vec<Arc<ExportFile>>,
    /// Records by kind and id.
    pub records: BTreeMap<Kind, BTreeMap<Id, Arc<Held>>>,
    /// Records that exports call deleted.
    pub gone: BTreeMap<Kind, BTreeMap<Id, Option<Id>>>,
}

impl Snapshot {
    /// Puts files together.
    pub fn new(files: Vec<Arc<ExportFile>>) -> Snapshot {
        let mut snapshot = Snapshot {
            files,
            ..Snapshot::default()
        };
        for file in &snapshot.files {
            let Some(recognised) = &file.recognised else {
                continue;
            };
            let records = snapshot.records.entry(recognised.kind).or_default();
            let gone = snapshot.gone.entry(recognised.kind).or_default();
            for held in &file.records {
                gone.remove(&held.record.id);
                records.insert(held.record.id.clone(), Arc::clone(held));
            }
            for (id, master) in &file.gone {
                records.remove(id);
                gone.insert(id.clone(), master.clone());
            }
        }
        snapshot.resolve_names();
        snapshot
    }

    /// Files that were read as a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (&ExportFile, &Recognised)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.as_ref(), file.recognised.as_ref()?)))
            .filter(move |(_, recognised)| recognised.kind == kind)
    }

    /// Whether some export of the kind shows leadloop's key.
    pub fn shows_keys(&self, kind: Kind) -> bool {
        self.of(kind).any(|(_, recognised)| {
            recognised
                .place(&Slot::Field(field::KEY.to_owned()))
                .is_some()
        })
    }

    /// A record of the exports.
    pub fn get(&self, kind: Kind, id: &Id) -> Option<&Held> {
        self.records.get(&kind)?.get(id).map(Arc::as_ref)
    }

    /// Exports by label show owners and accounts by name: where exactly one record bears it, that is meant.
    fn resolve_names(&mut self) {
        let owners = self.names(Kind::User, &[field::NAME, field::EMAIL]);
        let accounts = self.names(Kind::Account, &[field::NAME]);
        for (kind, records) in &mut self.records {
            for held in records.values_mut() {
                let relations = &held.record.relations;
                let owner = relations
                    .one(Relation::Owner)
                    .and_then(|owner| owners.get(&owner.0.to_lowercase()).cloned().flatten());
                let needs_account = matches!(kind, Kind::Contact | Kind::Opportunity)
                    && relations.one(Relation::Account).is_none();
                let name = held
                    .record
                    .fields
                    .text(field::COMPANY)
                    .filter(|_| needs_account);
                let account =
                    name.and_then(|name| accounts.get(&name.to_lowercase()).cloned().flatten());
                for (relation, id) in [(Relation::Owner, owner), (Relation::Account, account)] {
                    if let Some(id) = id {
                        Arc::make_mut(held).record.relations.set(relation, id);
                    }
                }
            }
        }
    }

    fn names(&self, kind: Kind, fields: &[&str]) -> BTreeMap<String, Option<Id>> {
        let mut names = BTreeMap::new();
        for held in self
            .records
            .get(&kind)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            for text in fields
                .iter()
                .filter_map(|name| held.record.fields.text(name))
            {
                let id = held.record.id.clone();
                let entry = names
                    .entry(text.to_lowercase())
                    .or_insert_with(|| Some(id.clone()));
                if entry.as_ref() != Some(&id) {
                    *entry = None;
                }
            }
        }
        names
    }
}
