use crate::{
    dialect::Dialect,
    export::{Held, domain},
    pending::{Changed, Create, Pending, Update, key_of, new_id},
    snapshot::Snapshot,
    value::same,
};
use contract::{Fields, Id, Kind, Record, Relation, Value, field};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// The exports with what we have written laid over them.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// Records by kind and id.
    pub records: BTreeMap<Kind, BTreeMap<Id, Arc<Held>>>,
    /// Our ids that have become others, by kind.
    pub merged: BTreeMap<Kind, BTreeMap<Id, Id>>,
}

/// Whether a person's e-mail address, or an account's name and domain, say that it is what we made: HubSpot keeps
/// addresses unique, and where exports show no key there is nothing else to tell by.
pub(crate) fn told_by_values(snapshot: &Snapshot, kind: Kind) -> bool {
    let hubspot = matches!(kind, Kind::Lead | Kind::Contact)
        && snapshot
            .of(kind)
            .any(|(_, recognised)| recognised.dialect == Dialect::Hubspot);
    hubspot || !snapshot.shows_keys(kind)
}

/// What a record is told by where there is no key.
pub(crate) fn mark(kind: Kind, fields: &Fields) -> Option<String> {
    match kind {
        Kind::Lead | Kind::Contact => fields.text(field::EMAIL).map(str::to_lowercase),
        Kind::Account => Some(format!(
            "{}|{}",
            fields.text(field::NAME)?.to_lowercase(),
            domain(fields)?
        )),
        _ => None,
    }
}

/// Records of the exports by their mark; `None` where several share it.
pub(crate) fn marks(snapshot: &Snapshot, kind: Kind) -> BTreeMap<String, Option<Id>> {
    let mut marks = BTreeMap::new();
    for held in snapshot
        .records
        .get(&kind)
        .into_iter()
        .flat_map(BTreeMap::values)
    {
        if let Some(mark) = mark(kind, &held.record.fields) {
            marks
                .entry(mark)
                .and_modify(|id| *id = None)
                .or_insert_with(|| Some(held.record.id.clone()));
        }
    }
    marks
}

/// Ids of exported records by the key they bear.
pub(crate) fn keys(snapshot: &Snapshot, kind: Kind) -> BTreeMap<String, Id> {
    let records = snapshot
        .records
        .get(&kind)
        .into_iter()
        .flat_map(BTreeMap::values);
    records
        .filter_map(|held| {
            Some((
                held.record.fields.text(field::KEY)?.to_owned(),
                held.record.id.clone(),
            ))
        })
        .collect()
}

/// Brings what is pending up to date with the exports: what they show by now is theirs to tell.
///
/// | the export shows | then |
/// |---|---|
/// | our key, or the same mark where it shows no keys | the create is done; the record has the export's id |
/// | the lead as converted | the conversion is done |
/// | the value that we wrote | the update is done |
/// | a value that was there before | the update still waits for its import |
/// | any other value | somebody changed it since: the export wins |
pub(crate) fn settle(snapshot: &Snapshot, pending: &mut Pending) {
    for (kind, creates) in &mut pending.creates {
        let keys = keys(snapshot, *kind);
        let marks = if told_by_values(snapshot, *kind) {
            marks(snapshot, *kind)
        } else {
            BTreeMap::new()
        };
        for (key, create) in creates {
            let by_mark = || marks.get(&mark(*kind, &create.fields)?)?.clone();
            let found = keys
                .get(key)
                .cloned()
                .or_else(|| create.shown.is_none().then(by_mark).flatten());
            if let Some(id) = found {
                *create = Create {
                    at: create.at,
                    fields: Fields::default(),
                    relations: contract::Relations::default(),
                    taken: true,
                    shown: Some(id),
                };
            }
        }
    }
    let contacts = marks(snapshot, Kind::Contact);
    for (lead, convert) in &mut pending.converts {
        if convert.shown.is_some() {
            continue;
        }
        let record = snapshot
            .get(Kind::Lead, &Id(lead.clone()))
            .map(|held| &held.record);
        if record.is_some_and(|lead| !lead.is_converted()) {
            continue;
        }
        let told = record.and_then(|lead| lead.relations.one(Relation::ConvertedContact).cloned());
        let by_mark = || {
            contacts
                .get(&mark(Kind::Contact, &convert.person)?)?
                .clone()
        };
        convert.shown = told.or_else(|| convert.contact.clone()).or_else(by_mark);
    }
    let kinds: Vec<Kind> = pending.updates.keys().copied().collect();
    for kind in kinds {
        let updates = pending.updates.remove(&kind).unwrap_or_default();
        let mut kept: BTreeMap<String, Update> = BTreeMap::new();
        for (id, mut update) in updates {
            let id = pending.resolve(kind, &Id(id));
            if let Some(held) = snapshot.get(kind, &id) {
                let record = &held.record;
                update
                    .fields
                    .retain(|name, changed| waits(record.fields.get(name), changed));
                update.relations.retain(|relation, changed| {
                    let shown = record.relations.all(*relation);
                    changed.to != shown && changed.from.iter().any(|from| from == shown)
                });
            }
            if !update.fields.is_empty() || !update.relations.is_empty() {
                let entry = kept.entry(id.0).or_default();
                entry.fields.append(&mut update.fields);
                entry.relations.append(&mut update.relations);
            }
        }
        if !kept.is_empty() {
            pending.updates.insert(kind, kept);
        }
    }
}

fn waits(shown: Option<&Value>, changed: &Changed<Option<Value>>) -> bool {
    !same(shown, changed.to.as_ref()) && changed.from.iter().any(|from| same(shown, from.as_ref()))
}

impl World {
    /// Lays what is pending, settled before, over the exports.
    pub fn new(snapshot: &Snapshot, pending: &Pending) -> World {
        let mut world = World {
            records: snapshot.records.clone(),
            merged: BTreeMap::new(),
        };
        world.tell_merges(snapshot, pending);
        for (kind, creates) in &pending.creates {
            for (key, create) in creates.iter().filter(|(_, create)| create.shown.is_none()) {
                let mut record = Record::new(*kind, new_id(key), create.at);
                record.fields = create.fields.clone();
                record.fields.set(field::KEY, key.as_str());
                record.relations = resolved(&create.relations, pending);
                world.records.entry(*kind).or_default().insert(
                    record.id.clone(),
                    Arc::new(Held {
                        record,
                        dated: true,
                    }),
                );
            }
        }
        for (lead, convert) in pending
            .converts
            .iter()
            .filter(|(_, convert)| convert.shown.is_none())
        {
            let contact = convert.contact.clone().unwrap_or_else(|| new_id(lead));
            let account = pending.resolve(Kind::Account, &convert.account);
            if let Some(held) = world
                .records
                .entry(Kind::Lead)
                .or_default()
                .get_mut(&Id(lead.clone()))
            {
                let held = Arc::make_mut(held);
                touch(held, convert.at);
                held.record.fields.set(field::IS_CONVERTED, true);
                held.record
                    .relations
                    .set(Relation::ConvertedContact, contact.clone());
                held.record
                    .relations
                    .set(Relation::ConvertedAccount, account.clone());
            }
            if convert.contact.is_none() {
                let mut record = Record::new(Kind::Contact, contact, convert.at);
                record.fields = convert.person.clone();
                record.relations.set(Relation::Account, account);
                if let Some(owner) = &convert.owner {
                    record.relations.set(Relation::Owner, owner.clone());
                }
                world.records.entry(Kind::Contact).or_default().insert(
                    record.id.clone(),
                    Arc::new(Held {
                        record,
                        dated: true,
                    }),
                );
            }
        }
        for (kind, updates) in &pending.updates {
            for (id, update) in updates {
                let Some(held) = world
                    .records
                    .get_mut(kind)
                    .and_then(|records| records.get_mut(&Id(id.clone())))
                else {
                    continue;
                };
                let held = Arc::make_mut(held);
                for (name, changed) in &update.fields {
                    touch(held, changed.at);
                    held.record.fields.put(name.as_str(), changed.to.clone());
                }
                for (relation, changed) in &update.relations {
                    touch(held, changed.at);
                    if let Some(id) = changed.to.first() {
                        held.record
                            .relations
                            .set(*relation, pending.resolve(points_to(*relation), id));
                    }
                    for id in changed.to.iter().skip(1) {
                        held.record
                            .relations
                            .add(*relation, pending.resolve(points_to(*relation), id));
                    }
                }
            }
        }
        world
    }

    fn tell_merges(&mut self, snapshot: &Snapshot, pending: &Pending) {
        for kind in [Kind::Lead, Kind::Contact, Kind::Account, Kind::Opportunity] {
            let merged = self.merged.entry(kind).or_default();
            for (key, create) in pending.creates.get(&kind).into_iter().flatten() {
                if let Some(id) = &create.shown {
                    merged.insert(new_id(key), id.clone());
                }
            }
            merged.extend(
                keys(snapshot, kind)
                    .into_iter()
                    .map(|(key, id)| (new_id(&key), id)),
            );
        }
        let contacts = self.merged.entry(Kind::Contact).or_default();
        for (lead, convert) in pending
            .converts
            .iter()
            .filter(|(_, convert)| convert.contact.is_none())
        {
            if let Some(id) = &convert.shown {
                contacts.insert(new_id(lead), id.clone());
            }
        }
        for (kind, merged) in &self.merged {
            for (loser, winner) in merged {
                let Some(held) = self
                    .records
                    .get_mut(kind)
                    .and_then(|records| records.get_mut(winner))
                else {
                    continue;
                };
                let record = &mut Arc::make_mut(held).record;
                record.relations.add(Relation::MergedFrom, loser.clone());
                // Known again by its values: the export shows no key, and still it is the record that bears it.
                if let Some(key) = key_of(loser)
                    .filter(|key| record.key().is_none() && pending.create(*kind, key).is_some())
                {
                    record.fields.set(field::KEY, key);
                }
            }
        }
    }

    /// A record under its id, or under the id it had before the exports showed it.
    pub fn get(&self, kind: Kind, id: &Id) -> Option<&Held> {
        let id = self
            .merged
            .get(&kind)
            .and_then(|merged| merged.get(id))
            .unwrap_or(id);
        self.records.get(&kind)?.get(id).map(Arc::as_ref)
    }
}

fn touch(held: &mut Held, at: Timestamp) {
    held.record.modified = if held.dated {
        held.record.modified.max(at)
    } else {
        at
    };
    held.dated = true;
}

/// The kind of record that a relation points to.
pub(crate) fn points_to(relation: Relation) -> Kind {
    match relation {
        Relation::Account | Relation::Parent | Relation::ConvertedAccount => Kind::Account,
        Relation::Owner => Kind::User,
        Relation::Contact | Relation::ConvertedContact => Kind::Contact,
        Relation::Opportunity | Relation::ConvertedOpportunity => Kind::Opportunity,
        Relation::MergedFrom | Relation::About => Kind::Note,
    }
}

fn resolved(relations: &contract::Relations, pending: &Pending) -> contract::Relations {
    let mut resolved = contract::Relations::default();
    for (relation, ids) in relations.iter() {
        for id in ids {
            resolved.add(relation, pending.resolve(points_to(relation), id));
        }
    }
    resolved
}

/// Whether an id is that of a contact that only a pending conversion promises.
pub(crate) fn is_promised(pending: &Pending, kind: Kind, id: &Id) -> bool {
    kind == Kind::Contact
        && key_of(id).is_some_and(|lead| {
            pending
                .converts
                .get(lead)
                .is_some_and(|convert| convert.shown.is_none())
        })
}
