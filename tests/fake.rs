//! The plainest vendor there can be, on both sides: records in memory, every write done at once, ids that can be read.

use crate::stage::Paused;
use async_trait::async_trait;
use contract::{
    Batch, By, Capabilities, Change, Connector, ConnectorError, CreateSafety, Cursor, FieldInfo,
    Id, Key, Kind, Lookup, Operation, Outcome, Outcomes, Page, Probe, Record, Relation, Relations,
    Remedy, Request, Usage, Value, field,
};
use kit::{Clock, Side};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

/// How a vendor names what is created, and how it tells of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Ids are `contact1`, `contact2` in the order of creation; else they follow from leadloop's key, whatever the order.
    pub counted: bool,
    /// Most changes on one page.
    pub page: usize,
    /// Whether each page also tells again what was told before.
    pub repeats: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Manner {
            counted: true,
            page: 1000,
            repeats: false,
        }
    }
}

/// One vendor. Clones are the same.
#[derive(Clone)]
pub struct Fake {
    side: Side,
    manner: Manner,
    capabilities: Capabilities,
    clock: Arc<Paused>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    records: BTreeMap<(Kind, Id), Record>,
    told: Vec<Told>,
    counts: BTreeMap<Kind, u32>,
    written: Vec<String>,
    refuses: BTreeMap<String, String>,
}

/// One entry in the stream of changes: what is upserted is told as it is when it is read.
enum Told {
    Upserted(Kind, Id),
    Deleted(Kind, Id),
    Merged(Kind, Id, Id),
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} side", self.side)
    }
}

impl Fake {
    pub fn new(side: Side, manner: Manner, clock: Arc<Paused>) -> Fake {
        let (reads, writes): (&[Kind], &[Kind]) = match side {
            Side::Marketing => (&[Kind::Lead], &[Kind::Lead]),
            Side::Crm => (
                &[
                    Kind::User,
                    Kind::Account,
                    Kind::Contact,
                    Kind::Lead,
                    Kind::Opportunity,
                    Kind::Role,
                ],
                &[Kind::Account, Kind::Contact, Kind::Lead],
            ),
        };
        let capabilities = Capabilities {
            vendor: "fake",
            reads: reads.iter().copied().collect(),
            writes: writes.iter().copied().collect(),
            batch: 100,
            conversions: 100,
            notes: 100,
            creates: CreateSafety::UniqueKey,
            tells_deletes: true,
        };
        Fake {
            side,
            manner,
            capabilities,
            clock,
            inner: Arc::default(),
        }
    }

    /// Sets fields and relations of a record as a person would; the record is made if there is none. A value of `None` clears.
    pub fn put(
        &self,
        kind: Kind,
        id: &str,
        set: &BTreeMap<String, Option<Value>>,
        relations: &[(Relation, Option<&str>)],
    ) {
        let mut inner = self.lock();
        let now = self.clock.now();
        let record = inner
            .records
            .entry((kind, id.into()))
            .or_insert_with(|| Record::new(kind, id, now));
        record.modified = now;
        for (name, value) in set {
            record.fields.put(name.as_str(), value.clone());
        }
        for (relation, to) in relations {
            let rest: Relations = record
                .relations
                .iter()
                .filter(|(other, _)| other != relation)
                .fold(Relations::default(), |mut rest, (relation, ids)| {
                    ids.iter().for_each(|id| rest.add(relation, id.clone()));
                    rest
                });
            record.relations = to.map_or(rest.clone(), |to| rest.with(*relation, to));
        }
        inner.told.push(Told::Upserted(kind, id.into()));
    }

    /// Deletes a record as a person would.
    pub fn delete(&self, kind: Kind, id: &str) -> bool {
        let mut inner = self.lock();
        let was_there = inner.records.remove(&(kind, id.into())).is_some();
        inner.told.push(Told::Deleted(kind, id.into()));
        was_there
    }

    /// Merges a record into another as a person would.
    pub fn merge(&self, kind: Kind, loser: &str, winner: &str) -> bool {
        let mut inner = self.lock();
        if !inner.records.contains_key(&(kind, winner.into()))
            || inner.records.remove(&(kind, loser.into())).is_none()
        {
            return false;
        }
        inner
            .told
            .push(Told::Merged(kind, loser.into(), winner.into()));
        inner.told.push(Told::Upserted(kind, winner.into()));
        true
    }

    /// From now on every write is refused whose words contain this text.
    pub fn refuse(&self, text: &str, reason: &str) {
        self.lock()
            .refuses
            .insert(text.to_owned(), reason.to_owned());
    }

    /// From now on nothing is refused.
    pub fn accept(&self) {
        self.lock().refuses.clear();
    }

    /// Live records of a kind, in the order of their ids.
    pub fn records(&self, kind: Kind) -> Vec<Record> {
        self.lock()
            .records
            .values()
            .filter(|record| record.kind == kind)
            .cloned()
            .collect()
    }

    /// What leadloop has written since this was asked last, batch after batch, in words.
    pub fn take_written(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().written)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn carry_out(&self, inner: &mut Inner, operation: &Operation) -> Outcome {
        let words = words(operation, self.clock.now());
        if let Some((_, reason)) = inner
            .refuses
            .iter()
            .find(|(text, _)| words.contains(text.as_str()))
        {
            return Outcome::Refused {
                reason: reason.clone(),
                remedy: Remedy::CorrectRecord { fields: Vec::new() },
            };
        }
        let now = self.clock.now();
        let applied = |id: &Id, relations: Relations| Outcome::Applied {
            id: id.clone(),
            modified: Some(now),
            relations,
        };
        let gone = || Outcome::Refused {
            reason: "no such record".to_owned(),
            remedy: Remedy::LookAgain,
        };
        let mut told = words;
        let outcome = match operation {
            Operation::Create {
                kind,
                key,
                fields,
                relations,
            } => {
                let known = inner
                    .records
                    .values()
                    .find(|record| record.kind == *kind && record.key().as_ref() == Some(key))
                    .map(|record| record.id.clone());
                let id = known.unwrap_or_else(|| self.name(inner, *kind, key));
                let record = inner
                    .records
                    .entry((*kind, id.clone()))
                    .or_insert_with(|| Record::new(*kind, id.clone(), now));
                record.modified = now;
                fields
                    .iter()
                    .for_each(|(name, value)| record.fields.set(name, value.clone()));
                record.fields.set(field::KEY, key.0.as_str());
                relations
                    .iter()
                    .for_each(|(relation, ids)| record.relations.set(relation, ids[0].clone()));
                inner.told.push(Told::Upserted(*kind, id.clone()));
                told = told.replacen('?', &id.0, 1);
                applied(&id, Relations::default())
            }
            Operation::Update {
                kind,
                id,
                set,
                relations,
            } => {
                let Some(record) = inner
                    .records
                    .get_mut(&(*kind, id.clone()))
                    .filter(|record| !record.is_converted())
                else {
                    return gone();
                };
                record.modified = now;
                set.iter()
                    .for_each(|(name, value)| record.fields.put(name.as_str(), value.clone()));
                relations
                    .iter()
                    .for_each(|(relation, ids)| record.relations.set(relation, ids[0].clone()));
                inner.told.push(Told::Upserted(*kind, id.clone()));
                applied(id, Relations::default())
            }
            Operation::Convert {
                lead,
                account,
                contact,
                owner,
                seen_status,
            } => {
                let place = (Kind::Lead, lead.clone());
                let Some(before) = inner
                    .records
                    .get(&place)
                    .filter(|record| !record.is_converted())
                    .cloned()
                else {
                    return gone();
                };
                if before.fields.text(field::STATUS) != seen_status.as_deref() {
                    return Outcome::Conflict {
                        current: Box::new(before),
                    };
                }
                let id = contact
                    .clone()
                    .unwrap_or_else(|| self.name(inner, Kind::Contact, &Key(lead.0.clone())));
                let mut made = inner
                    .records
                    .get(&(Kind::Contact, id.clone()))
                    .cloned()
                    .unwrap_or_else(|| Record::new(Kind::Contact, id.clone(), now));
                made.modified = now;
                for name in [
                    field::EMAIL,
                    field::FIRST_NAME,
                    field::LAST_NAME,
                    field::TITLE,
                    field::PHONE,
                    field::COUNTRY,
                    field::STATE,
                    field::CITY,
                    field::OPT_OUT,
                    field::KEY,
                ] {
                    made.fields.put(name, before.fields.get(name).cloned());
                }
                made.relations.set(Relation::Account, account.clone());
                if let Some(owner) = owner.as_ref().or(before.relations.one(Relation::Owner)) {
                    made.relations.set(Relation::Owner, owner.clone());
                }
                let became = Relations::default()
                    .with(Relation::ConvertedContact, id.0.as_str())
                    .with(Relation::ConvertedAccount, account.0.as_str());
                let record = inner.records.entry(place).or_insert(before);
                record.modified = now;
                record.fields.set(field::IS_CONVERTED, true);
                became
                    .iter()
                    .for_each(|(relation, ids)| record.relations.set(relation, ids[0].clone()));
                inner.records.insert((Kind::Contact, id.clone()), made);
                inner.told.push(Told::Upserted(Kind::Contact, id.clone()));
                inner.told.push(Told::Upserted(Kind::Lead, lead.clone()));
                told.push_str(&format!(" as {id}"));
                applied(&id, became)
            }
            Operation::Note {
                key,
                about,
                subject,
                body,
                ..
            } => {
                let id = self.name(inner, Kind::Note, key);
                let mut note = Record::new(Kind::Note, id.clone(), now);
                note.fields = note
                    .fields
                    .with(field::KEY, key.0.as_str())
                    .with(field::SUBJECT, subject.as_str())
                    .with(field::BODY, body.as_str());
                note.relations.set(Relation::About, about.clone());
                inner.records.insert((Kind::Note, id.clone()), note);
                applied(&id, Relations::default())
            }
        };
        inner.written.push(format!("{} {told}", self.side));
        outcome
    }

    fn name(&self, inner: &mut Inner, kind: Kind, key: &Key) -> Id {
        if !self.manner.counted {
            return Id(format!("{kind}-{key}"));
        }
        let count = inner.counts.entry(kind).or_default();
        *count += 1;
        Id(format!("{kind}{count}"))
    }
}

/// A write in words: `contact c1 title=CTO`. The id of what is created is not known yet and stands as `?`.
fn words(operation: &Operation, now: jiff::Timestamp) -> String {
    let relations_in_words = |relations: &Relations| -> Vec<String> {
        relations
            .iter()
            .map(|(relation, ids)| format!("{}={}", relation_name(relation), ids[0]))
            .collect()
    };
    let pair = |name: &str, value: Option<&Value>| match value {
        Some(Value::Time(at)) if *at == now => format!("{name}=now"),
        value => format!(
            "{name}={}",
            quoted(&value.map(ToString::to_string).unwrap_or_default())
        ),
    };
    let parts = match operation {
        Operation::Create {
            kind,
            fields,
            relations,
            ..
        } => {
            let mut parts = vec!["new".to_owned(), kind.to_string(), "?".to_owned()];
            parts.extend(relations_in_words(relations));
            parts.extend(fields.iter().map(|(name, value)| pair(name, Some(value))));
            parts
        }
        Operation::Update {
            kind,
            id,
            set,
            relations,
        } => {
            let mut parts = vec![kind.to_string(), id.to_string()];
            parts.extend(relations_in_words(relations));
            parts.extend(set.iter().map(|(name, value)| pair(name, value.as_ref())));
            parts
        }
        Operation::Convert {
            lead,
            account,
            owner,
            ..
        } => {
            let mut parts = vec![format!("convert lead {lead} into {account}")];
            parts.extend(owner.as_ref().map(|owner| format!("owner={owner}")));
            parts
        }
        Operation::Note { about, body, .. } => {
            vec![format!("note on {about}: {}", body.replace('\n', " | "))]
        }
    };
    parts.join(" ")
}

fn quoted(text: &str) -> String {
    if text.contains(char::is_whitespace) {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

/// Relations that stories speak of, by name.
pub const RELATIONS: [(&str, Relation); 6] = [
    ("account", Relation::Account),
    ("owner", Relation::Owner),
    ("parent", Relation::Parent),
    ("contact", Relation::Contact),
    ("opportunity", Relation::Opportunity),
    ("converted_contact", Relation::ConvertedContact),
];

fn relation_name(relation: Relation) -> &'static str {
    RELATIONS
        .iter()
        .find(|(_, known)| *known == relation)
        .map_or("other", |(name, _)| name)
}

#[async_trait]
impl Connector for Fake {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    async fn probe(&self) -> Result<Probe, ConnectorError> {
        Ok(Probe {
            account: "fake".to_owned(),
            user: "nobody".to_owned(),
            findings: Vec::new(),
        })
    }

    async fn describe(&self, _: Kind) -> Result<Vec<FieldInfo>, ConnectorError> {
        Ok(Vec::new())
    }

    async fn read(&self, request: &Request<'_>) -> Result<Page, ConnectorError> {
        let inner = self.lock();
        let from: usize = request.from.open()?.unwrap_or(0);
        let of_kind = |told: &Told| {
            let (Told::Upserted(kind, _) | Told::Deleted(kind, _) | Told::Merged(kind, ..)) = told;
            *kind == request.kind
        };
        let fresh: Vec<usize> = (from..inner.told.len())
            .filter(|place| of_kind(&inner.told[*place]))
            .collect();
        let page: Vec<usize> = fresh.iter().copied().take(self.manner.page).collect();
        let more = page.len() < fresh.len();
        let next = if more {
            page.last().map_or(from, |last| last + 1)
        } else {
            inner.told.len()
        };
        let mut places = page.clone();
        if self.manner.repeats && !page.is_empty() {
            places.extend(
                (0..next)
                    .rev()
                    .filter(|place| {
                        matches!(inner.told[*place], Told::Upserted(..))
                            && of_kind(&inner.told[*place])
                    })
                    .take(5),
            );
            places.extend(page);
        }
        let change = |place: &usize| match &inner.told[*place] {
            Told::Upserted(kind, id) => inner
                .records
                .get(&(*kind, id.clone()))
                .cloned()
                .map(Change::Upserted),
            Told::Deleted(kind, id) => Some(Change::Deleted {
                kind: *kind,
                id: id.clone(),
            }),
            Told::Merged(kind, loser, winner) => Some(Change::Merged {
                kind: *kind,
                loser: loser.clone(),
                winner: winner.clone(),
            }),
        };
        Ok(Page {
            changes: places.iter().filter_map(change).collect(),
            next: Cursor::seal(&next),
            more,
        })
    }

    async fn find(&self, lookup: &Lookup) -> Result<Vec<Record>, ConnectorError> {
        let wanted: BTreeSet<String> = match &lookup.by {
            By::Ids(ids) | By::About(ids) => ids.iter().map(ToString::to_string).collect(),
            By::Keys(keys) => keys.iter().map(ToString::to_string).collect(),
            By::Emails(emails) => emails.iter().map(|email| email.to_lowercase()).collect(),
        };
        let answers = |record: &Record| match &lookup.by {
            By::Ids(_) => wanted.contains(&record.id.0),
            By::About(_) => record
                .relations
                .one(Relation::About)
                .is_some_and(|about| wanted.contains(&about.0)),
            By::Keys(_) => record.key().is_some_and(|key| wanted.contains(&key.0)),
            By::Emails(_) => record
                .fields
                .text(field::EMAIL)
                .is_some_and(|email| wanted.contains(&email.to_lowercase())),
        };
        Ok(self
            .records(lookup.kind)
            .into_iter()
            .filter(answers)
            .collect())
    }

    async fn write(&self, batch: &Batch) -> Result<Outcomes, ConnectorError> {
        let mut inner = self.lock();
        let mut outcomes = Outcomes::unknown(batch);
        let now = self.clock.now();
        // Intents come in the order of their ids, which says nothing; in the order of their words a story can be read.
        let mut places: Vec<usize> = (0..batch.writes().len()).collect();
        places.sort_by_key(|place| words(&batch.writes()[*place].operation, now));
        for place in places {
            let outcome = self.carry_out(&mut inner, &batch.writes()[place].operation);
            outcomes.set(place, outcome);
        }
        Ok(outcomes)
    }
}
