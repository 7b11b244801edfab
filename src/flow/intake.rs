//! Takes in what a vendor tells: mirrors, indices, and which persons it touches.

use super::Knowledge;
use crate::{
    decide::{
        Owner, Person, PersonId, Ref, User,
        identity::{self, By, Evidence},
        matching::domain,
        normal, person_of,
    },
    store::{
        Error,
        state::{Change, Progress},
    },
};
use contract::{Id, Kind, Record, Relation, field};
use jiff::Timestamp;
use kit::Side;
use serde_json::json;

/// Most records on one address or key that can still be one person.
const CROWD: usize = 10;

/// Takes in one change. Telling it twice, late or out of order makes no difference.
pub fn take(
    knowledge: &mut Knowledge,
    change: &mut Change<'_>,
    side: Side,
    told: contract::Change,
    now: Timestamp,
) -> Result<(), Error> {
    match told {
        contract::Change::Upserted(record) => upserted(knowledge, change, side, &record),
        contract::Change::Deleted { kind, id } => {
            deleted(knowledge, change, &Ref::new(side, kind, id), now)
        }
        contract::Change::Merged {
            kind,
            loser,
            winner,
        } => merged(knowledge, change, side, kind, &loser, &winner),
        contract::Change::Unreadable { kind, id, reason } => {
            let id = id.map(|id| id.0);
            tracing::warn!(%side, %kind, ?id, reason, "a record cannot be read; the rest goes on");
            change.fact(json!({"fact": "unreadable", "record": id.map(|id| format!("{side}/{kind}/{id}")), "reason": reason}));
            knowledge.counters.add("unreadable", 1);
            Ok(())
        }
    }
}

fn upserted(
    knowledge: &mut Knowledge,
    change: &mut Change<'_>,
    side: Side,
    record: &Record,
) -> Result<(), Error> {
    let reference = Ref::new(side, record.kind, record.id.clone());
    let known = change.mirror(&reference)?;
    if known
        .as_ref()
        .is_some_and(|known| known.modified > record.modified)
    {
        return Ok(());
    }
    if known.is_none() {
        knowledge
            .counters
            .add(&format!("read/{side}/{}", record.kind), 1);
    }
    let before = change.put_mirror(side, record)?;
    // A record that says the same but for its time touches nobody.
    let same = before.as_ref().is_some_and(|before| {
        before.fields == record.fields && before.relations == record.relations
    });
    if same
        && !(matches!(record.kind, Kind::Lead | Kind::Contact)
            && change.person_of(&reference)?.is_none())
    {
        return Ok(());
    }
    match record.kind {
        Kind::User => {
            let name = record
                .fields
                .text(field::NAME)
                .unwrap_or_default()
                .to_owned();
            let active = record
                .fields
                .get(field::ACTIVE)
                .is_none_or(|active| active.as_bool().unwrap_or(true));
            if side == Side::Crm {
                knowledge
                    .owners
                    .insert(record.id.clone(), User { name, active });
            }
        }
        Kind::Account if side == Side::Crm => {
            knowledge.accounts.put_account(record);
            touch_domains(change, before.as_ref(), Some(record))?;
        }
        Kind::Lead | Kind::Contact => {
            if side == Side::Crm && record.kind == Kind::Contact {
                knowledge
                    .accounts
                    .contact_changed(before.as_ref(), Some(record));
            }
            identify(knowledge, change, side, record)?;
        }
        Kind::Opportunity => {
            knowledge
                .accounts
                .opportunity_changed(before.as_ref(), Some(record));
            for version in before.iter().chain([record]) {
                touch_opportunity(change, version)?;
            }
        }
        Kind::Role => {
            for version in before.iter().chain([record]) {
                touch_role(change, version)?;
            }
        }
        Kind::Account | Kind::Note => {}
    }
    Ok(())
}

fn deleted(
    knowledge: &mut Knowledge,
    change: &mut Change<'_>,
    record: &Ref,
    now: Timestamp,
) -> Result<(), Error> {
    let before = change.remove_mirror(record)?;
    if let (Kind::Lead | Kind::Contact, None) = (record.kind, &before) {
        // The mirror may be lost while the link is remembered: the record is gone all the same.
        return bury_person_record(change, record, None, now);
    }
    let Some(before) = before else { return Ok(()) };
    match record.kind {
        Kind::User => {
            knowledge.owners.remove(&record.id);
        }
        Kind::Account => {
            knowledge.accounts.remove_account(&record.id);
            bury_account(knowledge, change, &before, None);
            touch_domains(change, Some(&before), None)?;
        }
        Kind::Lead | Kind::Contact => {
            if record.kind == Kind::Contact && record.side == Side::Crm {
                knowledge.accounts.contact_changed(Some(&before), None);
            }
            bury_person_record(change, record, Some(&before), now)?;
        }
        Kind::Opportunity => {
            knowledge.accounts.opportunity_changed(Some(&before), None);
            touch_opportunity(change, &before)?;
        }
        Kind::Role => touch_role(change, &before)?,
        Kind::Note => {}
    }
    Ok(())
}

/// An account that leadloop made is gone: it is not made again.
fn bury_account(
    knowledge: &mut Knowledge,
    change: &mut Change<'_>,
    before: &Record,
    lives_on: Option<&Id>,
) {
    if let Some(key) = before.key() {
        change.bury_account(&key, lives_on);
        knowledge.accounts.bury(key, lives_on.cloned());
    }
}

/// A person's record is gone: nothing is created in its place, and what was owed for a lead that marketing has dropped is not.
fn bury_person_record(
    change: &mut Change<'_>,
    record: &Ref,
    before: Option<&Record>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(mut person) = change.person_with(record)? else {
        return Ok(());
    };
    person.records.remove(record);
    person.gone.insert(record.clone(), now);
    see_opt_out(change, &mut person, before)?;
    change.unlink(record);
    change.fact(json!({"fact": "gone", "person": person.id, "record": record}));
    change.remember_person(&person)?;
    if person.records.iter().all(|record| record.side == Side::Crm) {
        for owed in change
            .open(&Owner::Person(person.id.clone()))?
            .into_values()
            .filter(|owed| matches!(owed.progress, Progress::Waiting(_)))
        {
            change.settle(&owed.intent);
        }
    }
    touch(change, &person)
}

/// Whoever has been seen opted out stays opted out, and so does the address.
fn see_opt_out(
    change: &mut Change<'_>,
    person: &mut Person,
    record: Option<&Record>,
) -> Result<(), Error> {
    let Some(record) = record else { return Ok(()) };
    let address = normal::email(record.fields.text(field::EMAIL));
    let suppressed = address
        .as_deref()
        .map(|address| change.is_suppressed(address))
        .transpose()?
        .unwrap_or(false);
    if !record.fields.is_true(field::OPT_OUT) && !suppressed {
        return Ok(());
    }
    person.opted_out = true;
    if let Some(address) = address.filter(|_| !suppressed) {
        change.suppress(&address);
    }
    Ok(())
}

fn merged(
    knowledge: &mut Knowledge,
    change: &mut Change<'_>,
    side: Side,
    kind: Kind,
    loser: &Id,
    winner: &Id,
) -> Result<(), Error> {
    let gone = Ref::new(side, kind, loser.clone());
    let lives = Ref::new(side, kind, winner.clone());
    let before = change.remove_mirror(&gone)?;
    repoint(knowledge, change, side, kind, loser, winner)?;
    match kind {
        Kind::Account => {
            knowledge.accounts.remove_account(loser);
            if let Some(before) = &before {
                bury_account(knowledge, change, before, Some(winner));
                touch_domains(change, Some(before), None)?;
            }
        }
        Kind::Lead | Kind::Contact => {
            if kind == Kind::Contact && side == Side::Crm {
                knowledge.accounts.contact_changed(before.as_ref(), None);
            }
            let Some(mut person) = change.person_with(&gone)? else {
                return Ok(());
            };
            see_opt_out(change, &mut person, before.as_ref())?;
            person.records.remove(&gone);
            person.records.insert(lives.clone());
            change.unlink(&gone);
            change.fact(
                json!({"fact": "merged", "person": person.id, "record": gone, "into": lives}),
            );
            if let Some(mut other) = change
                .person_with(&lives)?
                .filter(|other| other.id != person.id)
            {
                // The winner's person takes in the loser's: what was settled with it goes on.
                std::mem::swap(&mut person, &mut other);
                join(change, &mut person, other)?;
            }
            // What was settled with the record that is gone holds for the one it lives on in.
            let mut base = change.base(&person.id)?;
            if base.with.as_ref() == Some(&gone) {
                base.with = Some(lives.clone());
            }
            if side == Side::Marketing && base.lead.as_ref() == Some(loser) {
                base.lead = Some(winner.clone());
            }
            change.put_base(&person.id, &base)?;
            change.put_person(&person)?;
            touch(change, &person)?;
        }
        Kind::User | Kind::Opportunity | Kind::Role | Kind::Note => {}
    }
    Ok(())
}

/// Vendors move what hung on a merged record without a change of its own: it is moved here too.
fn repoint(
    knowledge: &mut Knowledge,
    change: &mut Change<'_>,
    side: Side,
    kind: Kind,
    loser: &Id,
    winner: &Id,
) -> Result<(), Error> {
    let hanging: &[(Kind, Relation)] = match kind {
        Kind::Account => &[
            (Kind::Contact, Relation::Account),
            (Kind::Opportunity, Relation::Account),
        ],
        Kind::Contact => &[
            (Kind::Role, Relation::Contact),
            (Kind::Lead, Relation::ConvertedContact),
        ],
        _ => &[],
    };
    for (pointing, relation) in hanging {
        for id in change.pointing(*pointing, *relation, loser)? {
            let Some(mut record) = change.mirror(&Ref::new(side, *pointing, id))? else {
                continue;
            };
            record.relations.set(*relation, winner.clone());
            upserted(knowledge, change, side, &record)?;
        }
    }
    Ok(())
}

/// Finds the person that a record belongs to, and marks the person as due.
fn identify(
    knowledge: &mut Knowledge,
    change: &mut Change<'_>,
    side: Side,
    record: &Record,
) -> Result<(), Error> {
    let reference = Ref::new(side, record.kind, record.id.clone());
    let evidence = evidence(change, &reference, record)?;
    let placement = identity::place(&evidence);
    let everybody = evidence
        .linked
        .into_iter()
        .chain(evidence.by_id)
        .chain(evidence.by_key)
        .chain(evidence.by_email);
    let mut everybody: Vec<Person> = everybody.collect();
    let mut take = |id: &PersonId| {
        everybody
            .iter()
            .position(|person| person.id == *id)
            .map(|place| everybody.swap_remove(place))
    };
    let mut person = match placement.person.as_ref().and_then(&mut take) {
        Some(person) => person,
        None => {
            // The ledger may remember somebody whose links were lost in a crash.
            let id = person_of(&knowledge.loop_name, &reference);
            change
                .person(&id)?
                .unwrap_or_else(|| Person::new(id, reference.clone()))
        }
    };
    let is_new = person.records.insert(reference.clone());
    let opted_out = person.opted_out;
    see_opt_out(change, &mut person, Some(record))?;
    if person.opted_out && !opted_out {
        knowledge.counters.add("opted_out", 1);
        change.fact(json!({"fact": "decided", "person": person.id, "news": ["opted out"], "reasons": [format!("seen on {reference}, or known of its address")]}));
    }
    person.gone.remove(&reference);
    for id in &placement.absorbed {
        if let Some(other) = take(id) {
            join(change, &mut person, other)?;
        }
    }
    if placement.by != By::Link
        && (is_new || !placement.absorbed.is_empty())
        && person.records.len() > 1
    {
        change.fact(
            json!({"fact": "linked", "person": person.id, "record": reference, "by": placement.by}),
        );
    }
    change.put_person(&person)?;
    touch(change, &person)
}

fn evidence(change: &Change<'_>, reference: &Ref, record: &Record) -> Result<Evidence, Error> {
    let mut evidence = Evidence {
        linked: change.person_with(reference)?,
        ..Evidence::default()
    };
    let mut ids: Vec<Ref> = Vec::new();
    if reference.side == Side::Crm {
        let converted = record
            .relations
            .all(Relation::ConvertedContact)
            .iter()
            .cloned();
        ids.extend(converted.map(|id| Ref::new(Side::Crm, Kind::Contact, id)));
        if record.kind == Kind::Contact {
            let from = change.pointing(Kind::Lead, Relation::ConvertedContact, &record.id)?;
            ids.extend(
                from.into_iter()
                    .map(|id| Ref::new(Side::Crm, Kind::Lead, id)),
            );
        }
    }
    if let Some(other) = record.fields.text(field::OTHER_ID) {
        let kinds: &[Kind] = if reference.side == Side::Crm {
            &[Kind::Lead]
        } else {
            &[Kind::Contact, Kind::Lead]
        };
        let side = if reference.side == Side::Crm {
            Side::Marketing
        } else {
            Side::Crm
        };
        ids.extend(
            kinds
                .iter()
                .map(|kind| Ref::new(side, *kind, Id::from(other))),
        );
    }
    for id in ids {
        evidence.by_id.extend(change.person_with(&id)?);
    }
    if let Some(key) = record.key() {
        evidence.by_key = persons(change, change.with_key(&key)?, reference)?;
    }
    if let Some(email) = normal::email(record.fields.text(field::EMAIL)) {
        evidence.by_email = persons(change, change.with_email(&email)?, reference)?;
    }
    Ok(evidence)
}

fn persons(change: &Change<'_>, records: Vec<Ref>, but: &Ref) -> Result<Vec<Person>, Error> {
    // What so many records share is a placeholder, and says nothing of who somebody is.
    if records.len() > CROWD {
        return Ok(Vec::new());
    }
    let mut persons: Vec<Person> = Vec::new();
    for record in records.iter().filter(|record| *record != but) {
        if let Some(person) = change
            .person_with(record)?
            .filter(|person| persons.iter().all(|known| known.id != person.id))
        {
            persons.push(person);
        }
    }
    persons.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(persons)
}

/// Takes one person into another: records, what was settled, and what is owed and in doubt.
fn join(change: &mut Change<'_>, person: &mut Person, other: Person) -> Result<(), Error> {
    let owner = Owner::Person(person.id.clone());
    for mut owed in change.open(&Owner::Person(other.id.clone()))?.into_values() {
        change.settle(&owed.intent);
        // What was never tried is decided anew. What was tried must still be looked up.
        if matches!(owed.progress, Progress::InDoubt(_)) {
            owed.intent.owner = owner.clone();
            owed.intent.slot = format!("{}#{}", owed.intent.slot, owed.intent.id);
            change.owe(&owed);
        }
    }
    let base = change.base(&person.id)?;
    if base.with.is_none() {
        let theirs = change.base(&other.id)?;
        change.put_base(&person.id, &theirs)?;
    }
    change.fact(json!({"fact": "absorbed", "person": other.id, "into": person.id}));
    change.remove_person(&other.id)?;
    person.absorb(other);
    Ok(())
}

/// Marks a person as due, if marketing knows the person: nobody else is decided on.
pub fn touch(change: &mut Change<'_>, person: &Person) -> Result<(), Error> {
    if let Some(record) = person
        .records
        .iter()
        .find(|record| record.side == Side::Marketing)
    {
        change.due(&person.id, record);
    }
    Ok(())
}

fn touch_record(change: &mut Change<'_>, record: &Ref) -> Result<(), Error> {
    match change.person_with(record)? {
        Some(person) => touch(change, &person),
        None => Ok(()),
    }
}

/// An account that comes to bear a domain, or ceases to, concerns everybody with an address there.
fn touch_domains(
    change: &mut Change<'_>,
    before: Option<&Record>,
    after: Option<&Record>,
) -> Result<(), Error> {
    let domains = |record: &Record| -> Vec<domain::Domain> {
        let written = [field::WEBSITE, field::DOMAINS]
            .iter()
            .filter_map(|name| record.fields.text(name));
        written
            .flat_map(domain::all_of)
            .filter(|domain| !domain::is_free_mail(domain))
            .collect()
    };
    let (old, new) = (
        before.map(domains).unwrap_or_default(),
        after.map(domains).unwrap_or_default(),
    );
    let looks_alike = |one: &Record, other: &Record| {
        let same = |name: &str| one.fields.get(name) == other.fields.get(name);
        same(field::NAME)
            && same(field::TYPE)
            && same(field::COUNTRY)
            && one.relations.one(Relation::Parent) == other.relations.one(Relation::Parent)
    };
    // What tells accounts apart may have changed while their domains have not.
    let all = !matches!((before, after), (Some(before), Some(after)) if looks_alike(before, after));
    for domain in old
        .iter()
        .filter(|domain| all || !new.contains(domain))
        .chain(new.iter().filter(|domain| !old.contains(domain)))
    {
        for marketing in change.at_domain(domain)? {
            touch_record(change, &marketing)?;
        }
    }
    Ok(())
}

fn touch_opportunity(change: &mut Change<'_>, opportunity: &Record) -> Result<(), Error> {
    let mut contacts = opportunity.relations.all(Relation::Contact).to_vec();
    for role in change.pointing(Kind::Role, Relation::Opportunity, &opportunity.id)? {
        if let Some(role) = change.mirror(&Ref::new(Side::Crm, Kind::Role, role))? {
            contacts.extend(role.relations.all(Relation::Contact).to_vec());
        }
    }
    for account in opportunity.relations.all(Relation::Account) {
        contacts.extend(change.pointing(Kind::Contact, Relation::Account, account)?);
    }
    for contact in contacts {
        touch_record(change, &Ref::new(Side::Crm, Kind::Contact, contact))?;
    }
    Ok(())
}

fn touch_role(change: &mut Change<'_>, role: &Record) -> Result<(), Error> {
    for contact in role.relations.all(Relation::Contact) {
        touch_record(change, &Ref::new(Side::Crm, Kind::Contact, contact.clone()))?;
    }
    // With its first role an opportunity ceases to be the whole account's.
    for opportunity in role.relations.all(Relation::Opportunity) {
        if let Some(opportunity) =
            change.mirror(&Ref::new(Side::Crm, Kind::Opportunity, opportunity.clone()))?
        {
            touch_opportunity(change, &opportunity)?;
        }
    }
    Ok(())
}
