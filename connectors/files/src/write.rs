use crate::{
    dialect::Dialect,
    folder::State,
    overlay::{is_promised, keys, mark, marks, points_to, told_by_values},
    pending::{Changed, Convert, Create, Note, Pending, Update, key_of, new_id},
    settings::Settings,
    sheet::shape,
    value::same,
    view::is_ours,
};
use contract::{
    Batch, Capabilities, Fields, Id, Key, Kind, Operation, Outcome, Relation, Relations, Remedy,
    Value, field,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Values of a lead that become its contact's.
const PERSON: [&str; 10] = [
    field::EMAIL,
    field::FIRST_NAME,
    field::LAST_NAME,
    field::TITLE,
    field::PHONE,
    field::COUNTRY,
    field::STATE,
    field::CITY,
    field::LEAD_SOURCE,
    field::OPT_OUT,
];

/// Carries writes out on what is pending.
pub(crate) struct Writer<'a> {
    settings: &'a Settings,
    capabilities: &'a Capabilities,
    state: &'a State,
    now: Timestamp,
    keys: BTreeMap<String, Id>,
    marks: BTreeMap<String, Option<Id>>,
}

impl<'a> Writer<'a> {
    /// For the writes of one batch.
    pub fn new(
        settings: &'a Settings,
        capabilities: &'a Capabilities,
        state: &'a State,
        now: Timestamp,
        batch: &Batch,
    ) -> Writer<'a> {
        let (keys, marks) = match batch.shape() {
            ("create", kind) => {
                let marks = if told_by_values(&state.snapshot, kind) {
                    marks(&state.snapshot, kind)
                } else {
                    BTreeMap::new()
                };
                (keys(&state.snapshot, kind), marks)
            }
            _ => (BTreeMap::new(), BTreeMap::new()),
        };
        Writer {
            settings,
            capabilities,
            state,
            now,
            keys,
            marks,
        }
    }

    /// Carries out one write.
    pub fn write(&self, pending: &mut Pending, operation: &Operation) -> Outcome {
        match operation {
            Operation::Create {
                kind,
                key,
                fields,
                relations,
            } => self.create(pending, *kind, key, fields, relations),
            Operation::Update {
                kind,
                id,
                set,
                relations,
            } => self.update(pending, *kind, id, set, relations),
            Operation::Convert {
                lead,
                account,
                contact,
                owner,
                ..
            } => self.convert(pending, lead, account, contact.as_ref(), owner.as_ref()),
            Operation::Note {
                key,
                kind,
                about,
                at,
                subject,
                body,
            } => {
                if is_promised(pending, *kind, about) {
                    return not_yet(crate::import::CONVERTS);
                }
                let note = Note {
                    kind: *kind,
                    about: about.clone(),
                    at: *at,
                    subject: subject.clone(),
                    body: body.clone(),
                    taken: false,
                };
                pending.notes.entry(key.0.clone()).or_insert(note);
                Outcome::Applied {
                    id: new_id(&key.0),
                    modified: Some(self.now),
                    relations: Relations::default(),
                }
            }
        }
    }

    fn applied(&self, id: Id) -> Outcome {
        Outcome::Applied {
            id,
            modified: Some(self.now),
            relations: Relations::default(),
        }
    }

    fn create(
        &self,
        pending: &mut Pending,
        kind: Kind,
        key: &Key,
        fields: &Fields,
        relations: &Relations,
    ) -> Outcome {
        let (dialect, _) = shape(self.settings, &self.state.snapshot, kind);
        let is_marketing = !self.capabilities.writes.contains(&Kind::Contact);
        if !self.capabilities.writes.contains(&kind)
            || kind == Kind::Lead && dialect == Dialect::Hubspot && !is_marketing
        {
            return cannot_write(kind);
        }
        let shown = self.keys.get(&key.0).cloned().or_else(|| {
            pending
                .create(kind, &key.0)
                .and_then(|create| create.shown.clone())
        });
        if let Some(id) = shown {
            let set = fields
                .iter()
                .filter(|(name, _)| *name != field::KEY)
                .map(|(name, value)| (name.to_owned(), Some(value.clone())))
                .collect();
            return self.update(pending, kind, &id, &set, relations);
        }
        let twin = mark(kind, fields).and_then(|mark| self.marks.get(&mark).cloned().flatten());
        if let Some(current) = twin.and_then(|id| self.state.world.get(kind, &id)) {
            return Outcome::Conflict {
                current: Box::new(current.record.clone()),
            };
        }
        let mut fields = fields.clone();
        fields.put(field::KEY, None);
        let creates = pending.creates.entry(kind).or_default();
        let known = creates
            .get(&key.0)
            .is_some_and(|known| known.fields == fields && known.relations == *relations);
        if !known {
            creates.insert(
                key.0.clone(),
                Create {
                    at: self.now,
                    fields,
                    relations: relations.clone(),
                    taken: false,
                    shown: None,
                },
            );
        }
        self.applied(new_id(&key.0))
    }

    fn update(
        &self,
        pending: &mut Pending,
        kind: Kind,
        id: &Id,
        set: &BTreeMap<String, Option<Value>>,
        relations: &Relations,
    ) -> Outcome {
        if !self.capabilities.writes.contains(&kind) {
            return cannot_write(kind);
        }
        let id = pending.resolve(kind, id);
        if is_promised(pending, kind, &id) {
            return not_yet(crate::import::CONVERTS);
        }
        if self.state.world.get(kind, &id).is_none() {
            return Outcome::Refused {
                reason: format!("no export shows the {kind} {id}"),
                remedy: Remedy::LookAgain,
            };
        }
        let (dialect, _) = shape(self.settings, &self.state.snapshot, kind);
        let cleared: Vec<String> = set
            .iter()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        if dialect == Dialect::Hubspot && !cleared.is_empty() {
            return Outcome::Refused {
                reason: "HubSpot's importer cannot clear a field".to_owned(),
                remedy: Remedy::FixMapping { fields: cleared },
            };
        }
        let carries: &[&str] = match id.0.split_once(':') {
            Some(("email", _)) => &[field::EMAIL],
            Some(("account", _)) => &[field::NAME],
            _ => &[],
        };
        if let Some(name) = carries.iter().find(|name| set.contains_key(**name)) {
            let reason = format!(
                "the exports have no id column, and records are found by their {name}: it cannot be changed"
            );
            return Outcome::Refused {
                reason,
                remedy: Remedy::FixMapping {
                    fields: vec![(*name).to_owned()],
                },
            };
        }
        let created = key_of(&id)
            .and_then(|key| pending.create(kind, key))
            .cloned();
        let shown = self.state.snapshot.get(kind, &id).map(|held| &held.record);
        let blank = (Fields::default(), Relations::default());
        let (old, points) = match (&created, shown) {
            (_, Some(record)) => (&record.fields, &record.relations),
            (Some(create), None) => (&create.fields, &create.relations),
            (None, None) => (&blank.0, &blank.1),
        };
        let entry: &mut Update = pending
            .updates
            .entry(kind)
            .or_default()
            .entry(id.0.clone())
            .or_default();
        for (name, to) in set {
            let changed = self.changed(
                entry.fields.remove(name),
                old.get(name).cloned(),
                to.clone(),
                |a, b| same(a.as_ref(), b.as_ref()),
            );
            if let Some(changed) = changed {
                entry.fields.insert(name.clone(), changed);
            }
        }
        for (relation, to) in relations.iter() {
            let to = to.to_vec();
            let changed = self.changed(
                entry.relations.remove(&relation),
                points.all(relation).to_vec(),
                to,
                |a, b| a == b,
            );
            if let Some(changed) = changed {
                entry.relations.insert(relation, changed);
            }
        }
        if entry.fields.is_empty() && entry.relations.is_empty() {
            prune(pending, kind, &id);
        }
        self.applied(id)
    }

    /// What is to be changed now; `None` where the exports say it already and nothing else was written meanwhile.
    fn changed<T: Clone>(
        &self,
        known: Option<Changed<T>>,
        shown: T,
        to: T,
        same: impl Fn(&T, &T) -> bool,
    ) -> Option<Changed<T>> {
        let Some(known) = known else {
            return (!same(&shown, &to)).then(|| Changed {
                at: self.now,
                to,
                from: vec![shown],
                taken: false,
            });
        };
        if same(&known.to, &to) {
            return Some(known);
        }
        if !known.taken && same(&shown, &to) {
            return None;
        }
        let mut from = known.from;
        from.push(known.to);
        from.retain(|from| !same(from, &to));
        // While the file is on its way, exports may still show what this now takes back.
        if same(&shown, &to) {
            from.push(shown);
        }
        Some(Changed {
            at: self.now,
            to,
            from,
            taken: false,
        })
    }

    fn convert(
        &self,
        pending: &mut Pending,
        lead: &Id,
        account: &Id,
        contact: Option<&Id>,
        owner: Option<&Id>,
    ) -> Outcome {
        let (dialect, _) = shape(self.settings, &self.state.snapshot, Kind::Lead);
        if self.capabilities.conversions == 0 || dialect == Dialect::Hubspot {
            let remedy = Remedy::FixMapping { fields: Vec::new() };
            return Outcome::Refused {
                reason: "these exports hold no leads that can be converted".to_owned(),
                remedy,
            };
        }
        let lead = pending.resolve(Kind::Lead, lead);
        if is_ours(&lead) {
            return not_yet(&crate::import::creates_file(Kind::Lead));
        }
        let contact = contact.map(|contact| pending.resolve(Kind::Contact, contact));
        if contact.as_ref().is_some_and(is_ours) {
            return not_yet(&crate::import::creates_file(Kind::Contact));
        }
        let Some(held) = self.state.snapshot.get(Kind::Lead, &lead) else {
            return Outcome::Refused {
                reason: format!("no export shows the lead {lead}"),
                remedy: Remedy::LookAgain,
            };
        };
        let record = &held.record;
        if record.is_converted() {
            return Outcome::Conflict {
                current: Box::new(record.clone()),
            };
        }
        let owner = owner
            .or_else(|| record.relations.one(Relation::Owner))
            .cloned();
        let seen = self
            .state
            .world
            .get(Kind::Lead, &lead)
            .map_or(record, |held| &held.record);
        let person = PERSON
            .into_iter()
            .filter_map(|name| Some((name, seen.fields.get(name)?.clone())))
            .collect();
        let fresh = Convert {
            at: self.now,
            account: account.clone(),
            contact: contact.clone(),
            owner,
            person,
            taken: false,
            shown: None,
        };
        let known = pending.converts.get(&lead.0);
        let agrees = known.is_some_and(|known| {
            (&known.account, &known.contact, &known.owner)
                == (&fresh.account, &fresh.contact, &fresh.owner)
        });
        if !agrees {
            pending.converts.insert(lead.0.clone(), fresh);
        }
        let id = contact.unwrap_or_else(|| new_id(&lead.0));
        let account = pending.resolve(points_to(Relation::Account), account);
        let relations = Relations::default()
            .with(Relation::ConvertedContact, id.0.as_str())
            .with(Relation::ConvertedAccount, account.0.as_str());
        Outcome::Applied {
            id,
            modified: Some(self.now),
            relations,
        }
    }
}

fn prune(pending: &mut Pending, kind: Kind, id: &Id) {
    if let Some(updates) = pending.updates.get_mut(&kind) {
        updates.remove(&id.0);
        if updates.is_empty() {
            pending.updates.remove(&kind);
        }
    }
}

fn cannot_write(kind: Kind) -> Outcome {
    Outcome::Refused {
        reason: format!("no import files are made for the kind {kind}"),
        remedy: Remedy::FixMapping { fields: Vec::new() },
    }
}

/// The record has no id before the vendor has made it.
fn not_yet(file: &str) -> Outcome {
    Outcome::Deferred {
        retry_after: None,
        reason: format!(
            "the record gets its id with the import of {file}; import it and put a new export into the folder"
        ),
    }
}
