use crate::{
    folder::State,
    pending::{Note, as_key, new_id},
};
use contract::{By, Id, Kind, Lookup, Record, Relation, field};
use std::collections::{BTreeMap, BTreeSet};

/// The records that answer to a lookup.
pub(crate) fn find(state: &State, lookup: &Lookup) -> Vec<Record> {
    let kind = lookup.kind;
    let mut found: BTreeMap<Id, Record> = BTreeMap::new();
    let mut add = |record: Record| {
        found.insert(record.id.clone(), record);
    };
    let records = || {
        state
            .world
            .records
            .get(&kind)
            .into_iter()
            .flat_map(BTreeMap::values)
            .map(|held| &held.record)
    };
    let notes = || {
        state
            .pending
            .notes
            .iter()
            .map(|(key, note)| note_record(state, key, note))
    };
    match &lookup.by {
        By::Ids(ids) if kind == Kind::Note => {
            let ids: BTreeSet<&Id> = ids.iter().collect();
            notes()
                .filter(|note| ids.contains(&note.id))
                .for_each(&mut add);
        }
        By::Ids(ids) => ids
            .iter()
            .filter_map(|id| state.world.get(kind, id))
            .for_each(|held| add(held.record.clone())),
        By::Keys(keys) if kind == Kind::Note => {
            let keys: BTreeSet<&str> = keys.iter().map(|key| key.0.as_str()).collect();
            notes()
                .filter(|note| {
                    note.fields
                        .text(field::KEY)
                        .is_some_and(|key| keys.contains(key))
                })
                .for_each(&mut add);
        }
        By::Keys(keys) => {
            keys.iter()
                .filter_map(|key| state.world.get(kind, &new_id(&key.0)))
                .for_each(|held| add(held.record.clone()));
            // A key may also have been written into a record that was there before.
            let keys: BTreeSet<&str> = keys.iter().map(|key| key.0.as_str()).collect();
            records()
                .filter(|record| {
                    record
                        .fields
                        .text(field::KEY)
                        .is_some_and(|key| keys.contains(key))
                })
                .cloned()
                .for_each(&mut add);
        }
        By::Emails(emails) => {
            let emails: BTreeSet<String> = emails
                .iter()
                .map(|email| email.trim().to_lowercase())
                .collect();
            let has = |record: &&Record| {
                record
                    .fields
                    .text(field::EMAIL)
                    .is_some_and(|email| emails.contains(&email.to_lowercase()))
            };
            records().filter(has).cloned().for_each(&mut add);
        }
        By::About(ids) => {
            for asked in ids {
                for (key, note) in state
                    .pending
                    .notes
                    .iter()
                    .filter(|(_, note)| note.kind == kind || kind == Kind::Note)
                {
                    let resolved = state.pending.resolve(note.kind, &note.about);
                    if note.about == *asked
                        || resolved == *asked
                        || resolved == state.pending.resolve(note.kind, asked)
                    {
                        let mut record = note_record(state, key, note);
                        record.relations.set(Relation::About, asked.clone());
                        add(record);
                    }
                }
            }
        }
    }
    found.into_values().collect()
}

fn note_record(state: &State, key: &str, note: &Note) -> Record {
    let mut record = Record::new(Kind::Note, new_id(key), note.at);
    record.fields.set(field::KEY, as_key(key).0.as_str());
    record.fields.set(field::SUBJECT, note.subject.as_str());
    record.fields.set(field::BODY, note.body.as_str());
    record.relations.set(
        Relation::About,
        state.pending.resolve(note.kind, &note.about),
    );
    record
}
