use super::{Intent, Person, Receipt, Ref, Refusal};
use contract::{Id, Kind, Operation, Outcome, Record, Relation, Relations, Remedy, Value, field};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What an outcome means for what leadloop knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settlement {
    /// Whether the intent is closed.
    pub closed: bool,
    /// Records that now are the person's.
    pub links: Vec<Ref>,
    /// Records as they are now known to be.
    pub put: Vec<Record>,
    /// Values that a known record now has.
    pub patch: Option<Patch>,
    /// Records to be looked at again before deciding.
    pub look: Vec<Ref>,
    /// What to tell, in words.
    pub said: String,
}

/// Values that a known record now has.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The record.
    pub record: Ref,
    /// Its new values; `None` is blank.
    pub set: BTreeMap<String, Option<Value>>,
    /// Its new relations.
    pub relations: Relations,
    /// When it changed, where the vendor told.
    pub modified: Option<Timestamp>,
}

impl Patch {
    /// Applies the patch to the record as it was known.
    pub fn apply(&self, record: &mut Record) {
        for (name, value) in &self.set {
            record.fields.put(name.as_str(), value.clone());
        }
        for (relation, ids) in self.relations.iter() {
            if let Some(id) = ids.first() {
                record.relations.set(relation, id.clone());
            }
        }
        if let Some(modified) = self.modified {
            record.modified = record.modified.max(modified);
        }
    }
}

/// Draws the consequences of an outcome. The person, if the intent is one's, learns what cannot be had again from the vendors.
pub fn settle(
    intent: &Intent,
    outcome: &Outcome,
    person: Option<&mut Person>,
    now: Timestamp,
) -> Settlement {
    match outcome {
        Outcome::Applied {
            id,
            modified,
            relations,
        } => applied(intent, id, *modified, relations, person, now),
        Outcome::Conflict { current } => {
            let record = Ref::new(intent.side, current.kind, current.id.clone());
            let links = if matches!(
                intent.operation,
                Operation::Create {
                    kind: Kind::Lead | Kind::Contact,
                    ..
                }
            ) {
                vec![record]
            } else {
                Vec::new()
            };
            let said = format!("{} {} stands in the way", current.kind, current.id);
            Settlement {
                closed: true,
                links,
                put: vec![(**current).clone()],
                said,
                ..Settlement::default()
            }
        }
        Outcome::Refused {
            remedy: Remedy::LookAgain,
            reason,
        } => {
            let look = intent
                .operation
                .target()
                .map(|(kind, id)| Ref::new(intent.side, kind, id.clone()))
                .into_iter()
                .collect();
            Settlement {
                closed: true,
                look,
                said: reason.clone(),
                ..Settlement::default()
            }
        }
        Outcome::Refused { reason, remedy } => {
            if let Some(person) = person {
                let refusal = Refusal {
                    slot: intent.slot.clone(),
                    what: intent.what.clone(),
                    reason: reason.clone(),
                    remedy: remedy.to_string(),
                    at: now,
                };
                person.refused.insert(intent.id.clone(), refusal);
            }
            Settlement {
                closed: true,
                said: format!("{reason} ({remedy})"),
                ..Settlement::default()
            }
        }
        Outcome::Deferred { reason, .. } => Settlement {
            said: reason.clone(),
            ..Settlement::default()
        },
        Outcome::Unknown => Settlement {
            said: "no answer; it is looked up before anything is written again".to_owned(),
            ..Settlement::default()
        },
    }
}

fn applied(
    intent: &Intent,
    id: &Id,
    modified: Option<Timestamp>,
    also: &Relations,
    person: Option<&mut Person>,
    now: Timestamp,
) -> Settlement {
    let mut settlement = Settlement {
        closed: true,
        said: "done".to_owned(),
        ..Settlement::default()
    };
    match &intent.operation {
        Operation::Create {
            kind,
            key,
            fields,
            relations,
        } => {
            // Until it is read, its own time is unknown: then whatever is read is newer.
            let mut record = Record::new(
                *kind,
                id.0.as_str(),
                modified.unwrap_or(Timestamp::UNIX_EPOCH),
            );
            record.fields = fields.clone();
            record.fields.set(field::KEY, key.0.as_str());
            record.relations = relations.clone();
            if matches!(kind, Kind::Lead | Kind::Contact) {
                settlement
                    .links
                    .push(Ref::new(intent.side, *kind, id.clone()));
            }
            settlement.put.push(record);
            settlement.said = format!("{kind} {id}");
        }
        Operation::Update {
            kind,
            id,
            set,
            relations,
        } => {
            let record = Ref::new(intent.side, *kind, id.clone());
            settlement.patch = Some(Patch {
                record,
                set: set.clone(),
                relations: relations.clone(),
                modified,
            });
        }
        Operation::Convert { lead, .. } => {
            let contact = also.one(Relation::ConvertedContact).unwrap_or(id).clone();
            let set = BTreeMap::from([(field::IS_CONVERTED.to_owned(), Some(Value::Bool(true)))]);
            settlement.patch = Some(Patch {
                record: Ref::new(intent.side, Kind::Lead, lead.clone()),
                set,
                relations: also.clone(),
                modified,
            });
            settlement
                .links
                .push(Ref::new(intent.side, Kind::Contact, contact.clone()));
            settlement.said = format!("contact {contact}");
            if let Some(person) = person {
                person.converted.insert(lead.clone());
            }
        }
        Operation::Note { key, .. } => {
            settlement.said = format!("note {id}");
            if let Some(person) = person {
                person.receipts.insert(
                    key.0.clone(),
                    Receipt {
                        note: id.clone(),
                        at: now,
                    },
                );
            }
        }
    }
    settlement
}
