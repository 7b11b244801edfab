//! Answers and orders of people: explain a person, list what awaits the arbiter, take a ruling, try refused writes again.

use super::{Loop, Survey, blocking};
use crate::{
    decide::{self, Person, PersonId, Ref, Ruling, normal},
    store::{self, state::State},
};
use contract::{Id, Kind};
use jiff::Timestamp;
use kit::Side;
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// Everything known and decided about the persons that `who` names (an e-mail address or a vendor's id), in order, with reasons.
/// Reads the state only.
///
/// # Errors
/// See [`store::Error`].
pub fn explain(loop_: &Loop, who: &str) -> Result<Vec<Value>, store::Error> {
    let state = &loop_.state;
    let mut answers = Vec::new();
    for person in find(state, who)? {
        let read = state.read();
        let survey = Survey::of(&read, person.clone())?;
        let decision = decide::decide(
            &loop_.agreement,
            &survey.view(&loop_.knowledge),
            loop_.clock.now(),
        );
        let open = read.open(&decide::Owner::Person(person.id.clone()))?;
        let owed: Vec<Value> = open.values().map(|owed| json!({"what": owed.intent.what, "why": owed.intent.reasons, "progress": owed.progress, "attempts": owed.attempts})).collect();
        let mut records = Vec::new();
        for record in &person.records {
            records.push(json!({"record": record, "mirror": read.mirror(record)?}));
        }
        answers.push(json!({
            "loop": loop_.settings.name,
            "agreement_version": loop_.agreement.version,
            "person": person,
            "records": records,
            "now": decision.reasons,
            "owed": owed,
            "history": history(state, &person)?,
        }));
    }
    Ok(answers)
}

/// Persons named by an e-mail address, a vendor's id, or leadloop's own id.
fn find(state: &State, who: &str) -> Result<Vec<Person>, store::Error> {
    let read = state.read();
    let mut records: Vec<Ref> = Vec::new();
    if let Some(email) = normal::email(Some(who)) {
        records.extend(read.with_email(&email)?);
    }
    for (side, kind) in [
        (Side::Marketing, Kind::Lead),
        (Side::Crm, Kind::Contact),
        (Side::Crm, Kind::Lead),
    ] {
        records.push(Ref::new(side, kind, Id::from(who)));
    }
    records.extend(Ref::try_from(who.to_owned()));
    let mut persons: Vec<Person> = read
        .person(&PersonId(who.to_owned()))?
        .into_iter()
        .collect();
    for record in records {
        if let Some(person) = read
            .person_with(&record)?
            .filter(|person| persons.iter().all(|known| known.id != person.id))
        {
            persons.push(person);
        }
    }
    Ok(persons)
}

fn history(state: &State, person: &Person) -> Result<Vec<Value>, store::Error> {
    // Whoever was taken in has a history too, written before it was known that they are one.
    let mut ids = vec![person.id.0.clone()];
    let mut joined: Vec<(String, String)> = Vec::new();
    state.history(&mut |frame| {
        let pairs = frame.facts.iter().filter(|fact| fact["fact"] == "absorbed");
        joined.extend(pairs.filter_map(|fact| {
            Some((
                fact["person"].as_str()?.to_owned(),
                fact["into"].as_str()?.to_owned(),
            ))
        }));
        ControlFlow::Continue(())
    })?;
    for (absorbed, into) in joined.into_iter().rev() {
        if ids.contains(&into) {
            ids.push(absorbed);
        }
    }
    let mut lines = Vec::new();
    state.history(&mut |frame| {
        for fact in frame.facts {
            let about = |name: &str| {
                fact.get(name)
                    .and_then(Value::as_str)
                    .is_some_and(|id| ids.iter().any(|known| known == id))
            };
            let is_mine = about("person") || about("into");
            if is_mine {
                lines.push(json!({"at": frame.at, "sequence": frame.sequence, "entry": fact}));
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(lines)
}

/// What awaits the arbiter, and which writes the vendors refused: person by person.
///
/// # Errors
/// See [`store::Error`].
pub fn review(state: &State) -> Result<Vec<Value>, store::Error> {
    let read = state.read();
    let mut found = Vec::new();
    let mut after: Option<PersonId> = None;
    loop {
        let persons = read.persons(after.as_ref(), 1000)?;
        let Some(last) = persons.last() else { break };
        after = Some(last.id.clone());
        for person in persons
            .iter()
            .filter(|person| !person.reviews.is_empty() || !person.refused.is_empty())
        {
            found.push(json!({"person": person.id, "records": person.records, "reviews": person.reviews, "refused": person.refused}));
        }
    }
    for (intent, refusal) in read.refusals()? {
        found.push(json!({"person": null, "refused": {intent.0: refusal}}));
    }
    Ok(found)
}

/// Takes the arbiter's ruling on one field of one person. The ruling speaks for the two values that stand there now.
///
/// # Errors
/// In words: no such person, or nothing to decide.
pub fn rule(
    loop_: &mut Loop,
    who: &str,
    field: &str,
    take: Side,
    by: &str,
    why: Option<&str>,
) -> Result<String, String> {
    let now = loop_.clock.now();
    let state = loop_.state.clone();
    let persons = find(&state, who).map_err(|error| error.to_string())?;
    let [person] = persons.as_slice() else {
        return Err(format!(
            "{} persons answer to {who}: name one by its id",
            persons.len()
        ));
    };
    if !person.reviews.contains_key(&format!("field/{field}")) {
        let open: Vec<&str> = person
            .reviews
            .keys()
            .filter_map(|question| question.strip_prefix("field/"))
            .collect();
        return Err(format!(
            "nothing is open on the field {field} of {who}; open: {}",
            if open.is_empty() {
                "nothing".to_owned()
            } else {
                open.join(", ")
            }
        ));
    }
    let Some(rule) = loop_
        .agreement
        .fields
        .iter()
        .find(|rule| rule.name == field)
    else {
        return Err(format!("the agreement has no field {field}"));
    };
    let read = state.read();
    let survey = Survey::of(&read, person.clone()).map_err(|error| error.to_string())?;
    let view = survey.view(&loop_.knowledge);
    let marketing = view
        .marketing
        .first()
        .and_then(|record| record.fields.get(&rule.marketing))
        .cloned();
    let crm = view
        .crm()
        .next()
        .and_then(|record| {
            record.fields.get(if record.kind == Kind::Contact {
                rule.contact.as_deref()?
            } else {
                rule.lead.as_deref()?
            })
        })
        .cloned();
    let mut ruled = person.clone();
    ruled.rulings.insert(
        field.to_owned(),
        Ruling {
            take,
            over: (marketing, crm),
            by: by.to_owned(),
            why: why.map(str::to_owned),
            at: now,
        },
    );
    let mut change = state.change(now);
    change.fact(json!({"fact": "ruling", "person": person.id, "field": field, "take": take, "by": by, "why": why}));
    let result = change
        .put_person(&ruled)
        .and_then(|()| super::intake::touch(&mut change, &ruled))
        .and_then(|()| state.commit(change));
    result.map_err(|error| error.to_string())?;
    Ok(format!("{by} rules: {field} of {who} is as {take} has it"))
}

/// Marks every person as due whom marketing knows.
pub(super) fn everybody_due(state: &State, now: Timestamp) -> Result<(), store::Error> {
    let mut after: Option<Id> = None;
    loop {
        let mut change = state.change(now);
        let records = change.mirrors(Side::Marketing, Kind::Lead, after.as_ref(), 1000)?;
        let Some(last) = records.last() else {
            return Ok(());
        };
        after = Some(last.id.clone());
        for record in &records {
            let reference = Ref::new(Side::Marketing, Kind::Lead, record.id.clone());
            if let Some(person) = change.person_of(&reference)? {
                change.due(&person, &reference);
            }
        }
        state.commit(change)?;
    }
}

/// Forgets what was refused of these persons. Returns how much.
fn forgive(state: &State, persons: Vec<Person>, now: Timestamp) -> Result<usize, store::Error> {
    let mut change = state.change(now);
    let mut forgiven = 0;
    for mut person in persons
        .into_iter()
        .filter(|person| !person.refused.is_empty())
    {
        forgiven += person.refused.len();
        change.fact(json!({"fact": "retry", "person": person.id, "refused": person.refused.len()}));
        person.refused.clear();
        change.put_person(&person)?;
        super::intake::touch(&mut change, &person)?;
    }
    if !change.is_empty() {
        state.commit(change)?;
    }
    Ok(forgiven)
}

impl Loop {
    /// Has refused writes tried again: those of one person, or all. Returns how many there were.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn retry(&mut self, who: Option<&str>) -> Result<usize, store::Error> {
        let now = self.clock.now();
        let state = self.state.clone();
        self.looked.clear();
        blocking(|| {
            // Shared writes are refused for everybody: one person's new try is a new try for all who wait.
            let mut change = state.change(now);
            let shared = change.forget_refusals()?;
            if !change.is_empty() {
                state.commit(change)?;
            }
            let mut forgiven = shared;
            match who {
                Some(who) => forgiven += forgive(&state, find(&state, who)?, now)?,
                None => {
                    let mut after: Option<PersonId> = None;
                    loop {
                        let persons = state.read().persons(after.as_ref(), 500)?;
                        let Some(last) = persons.last() else { break };
                        after = Some(last.id.clone());
                        forgiven += forgive(&state, persons, now)?;
                    }
                }
            }
            if shared > 0 {
                everybody_due(&state, now)?;
            }
            Ok(forgiven)
        })
    }
}
