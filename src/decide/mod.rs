//! Decides what is missing: one pure function from everything known about one person to the writes that are still owed.
//!
//! [`decide`] looks at state, never at events. Seeing the same page twice, late or out of order changes nothing; an echo of
//! our own write finds nothing missing. There is no IO here, no clock and no chance: values in, values out, and every
//! decision carries its reasons in words that operations understand.

mod account;
pub mod feedback;
pub mod fields;
pub mod identity;
mod intent;
pub mod matching;
pub mod normal;
mod outcome;
mod person;
mod step;
mod tell;
pub mod view;

pub use intent::{Intent, Lane, Owner, key_of_account, key_of_lead, key_of_note, person_of};
pub use outcome::{Settlement, settle};
pub use person::{Base, Person, PersonId, Receipt, Ref, Refusal, Review, Ruling, Stage, Verdict};
pub use view::{User, View};

use crate::agreement::{Agreement, FieldRule};
use contract::{Id, Kind, Operation, Record, Relations, Value, field};
use jiff::Timestamp;
use kit::Side;
use matching::Match;
use std::collections::BTreeMap;

/// What is to be done about one person.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Every write that is missing right now, whether owed already or not.
    pub intents: Vec<Intent>,
    /// The person as known from now on.
    pub person: Person,
    /// What is settled from now on.
    pub base: Base,
    /// What came of looking for an account, if that was needed.
    pub found: Option<Match>,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// Decides about one person.
pub fn decide(agreement: &Agreement, view: &View<'_>, now: Timestamp) -> Decision {
    let mut case = Case {
        agreement,
        view,
        now,
        decision: Decision {
            intents: Vec::new(),
            person: view.person.clone(),
            base: view.base.clone(),
            found: None,
            reasons: Vec::new(),
        },
        reviews: BTreeMap::new(),
    };
    case.opt_out();
    if case.is_for_sales() {
        case.with_sales();
    }
    case.finish()
}

struct Case<'a> {
    agreement: &'a Agreement,
    view: &'a View<'a>,
    now: Timestamp,
    decision: Decision,
    reviews: BTreeMap<String, String>,
}

impl Case<'_> {
    /// Opted out anywhere is opted out everywhere, for as long as the person is known, whether or not sales has the lead.
    fn opt_out(&mut self) {
        let view = self.view;
        let live = || {
            view.marketing
                .iter()
                .map(|record| (Side::Marketing, *record))
                .chain(view.crm().map(|record| (Side::Crm, record)))
        };
        let seen = live().find(|(_, record)| record.fields.is_true(field::OPT_OUT));
        if let Some((side, record)) = seen
            && !self.decision.person.opted_out
        {
            self.decision.person.opted_out = true;
            self.reason(format!(
                "opted out: seen on {}",
                Ref::new(side, record.kind, record.id.clone())
            ));
        }
        if !self.decision.person.opted_out {
            return;
        }
        let missing: Vec<(Side, Kind, Id)> = live()
            .filter(|(_, record)| !record.fields.is_true(field::OPT_OUT))
            .map(|(side, record)| (side, record.kind, record.id.clone()))
            .collect();
        for (side, kind, id) in missing {
            // Marketing's preference belongs to an address: without one there is nobody to mail.
            if side == Side::Marketing
                && self
                    .view
                    .marketing
                    .iter()
                    .any(|record| record.id == id && record.fields.text(field::EMAIL).is_none())
            {
                continue;
            }
            let set = BTreeMap::from([(field::OPT_OUT.to_owned(), Some(Value::Bool(true)))]);
            let operation = Operation::Update {
                kind,
                id: id.clone(),
                set,
                relations: Relations::default(),
            };
            let reasons = vec!["opted out on either side means both".to_owned()];
            self.owe(
                format!("opt-out/{side}/{kind}/{id}"),
                side,
                Lane::OptOut,
                operation,
                format!("opt out {side} {kind} {id}"),
                reasons,
            );
        }
    }

    /// Whether sales has the lead already, or shall have it now.
    fn is_for_sales(&mut self) -> bool {
        let Some(lead) = self.view.marketing.first().copied() else {
            if self.view.person.handed_over.is_some() {
                self.reason("gone from marketing: left as it is in the CRM".to_owned());
            }
            return false;
        };
        if self.view.marketing.len() > 1 {
            let others: Vec<String> = self.view.marketing[1..]
                .iter()
                .map(|record| record.id.to_string())
                .collect();
            self.reviews.insert(
                "marketing-duplicates".to_owned(),
                format!(
                    "marketing has duplicates of lead {}: {}",
                    lead.id,
                    others.join(", ")
                ),
            );
        }
        if self.view.person.handed_over.is_some() {
            return true;
        }
        let mut answers = self
            .view
            .marketing
            .iter()
            .map(|lead| self.agreement.mql.holds(&lead.fields));
        let first = answers.next().unwrap_or(Ok(false));
        let answer = if answers.any(|answer| answer == Ok(true)) {
            Ok(true)
        } else {
            first
        };
        match answer {
            Ok(true)
                if normal::email(lead.fields.text(field::EMAIL)).is_none()
                    && self.view.crm().next().is_none() =>
            {
                let words = "meets the lead definition, but has no valid e-mail address to know the person by: correct it in marketing";
                self.reviews.insert("address".to_owned(), words.to_owned());
                false
            }
            Ok(true) => {
                self.reason("meets the lead definition (MQL)".to_owned());
                true
            }
            Ok(false) => {
                self.reason("does not meet the lead definition yet".to_owned());
                false
            }
            Err(error) => {
                self.reviews.insert(
                    "definition".to_owned(),
                    format!("the lead definition cannot be evaluated for this lead: {error}"),
                );
                false
            }
        }
    }

    fn with_sales(&mut self) {
        let lead = self.view.marketing[0];
        self.report_duplicates();
        if let Some(contact) = self
            .view
            .contacts
            .first()
            .copied()
            .filter(|contact| !self.is_outranked(lead, contact))
        {
            self.hand_over("the CRM has the contact");
            self.under_account(lead, contact);
            self.in_step(lead, contact);
        } else if let Some(crm_lead) = self.view.leads.first().copied() {
            self.hand_over("the CRM has the lead");
            self.in_step(lead, crm_lead);
            self.convert(lead, crm_lead);
        } else if let Some((record, at)) = self
            .view
            .person
            .gone
            .iter()
            .filter(|(record, _)| record.side == Side::Crm)
            .max_by_key(|(_, at)| **at)
        {
            let reason = format!(
                "{record} was deleted in the CRM, seen at {at}: nothing is created in its place"
            );
            self.reason(reason);
        } else if !self.view.converted.is_empty() {
            self.reason("converted in the CRM; waiting for the contact to be read".to_owned());
        } else if let Some(missing) = self.view.missing.first() {
            self.reason(format!(
                "{missing} is linked and cannot be read in the CRM: nothing is created in its place"
            ));
        } else {
            self.create(lead);
        }
        self.feed_back();
    }

    /// Whether the CRM has a lead at the person's address while the contact is at another: then the lead is who is meant.
    fn is_outranked(&self, lead: &Record, contact: &Record) -> bool {
        let address = |record: &Record| normal::email(record.fields.text(field::EMAIL));
        let wanted = address(lead);
        wanted.is_some()
            && address(contact) != wanted
            && self
                .view
                .leads
                .first()
                .is_some_and(|crm_lead| address(crm_lead) == wanted)
    }

    fn report_duplicates(&mut self) {
        let names: Vec<String> = self
            .view
            .crm()
            .map(|record| format!("{} {}", record.kind, record.id))
            .collect();
        if names.len() > 1 {
            self.reviews.insert(
                "duplicates".to_owned(),
                format!(
                    "the CRM has duplicates of one person: {}; {} leads",
                    names.join(", "),
                    names[0]
                ),
            );
        }
    }

    fn hand_over(&mut self, how: &str) {
        if self.decision.person.handed_over.is_none() {
            self.decision.person.handed_over = Some(self.now);
            self.reason(format!("handed over to sales: {how}"));
        }
    }

    fn owe(
        &mut self,
        slot: String,
        side: Side,
        lane: Lane,
        operation: Operation,
        what: String,
        reasons: Vec<String>,
    ) {
        let owner = Owner::Person(self.decision.person.id.clone());
        self.decision.intents.push(Intent::new(
            self.view.loop_name,
            owner,
            slot,
            side,
            lane,
            operation,
            what,
            reasons,
        ));
    }

    fn reason(&mut self, reason: String) {
        self.decision.reasons.push(reason);
    }

    fn finish(mut self) -> Decision {
        let open = std::mem::take(&mut self.decision.person.reviews);
        for (question, words) in self.reviews {
            let since = open.get(&question).map_or(self.now, |review| review.since);
            self.decision
                .reasons
                .push(format!("for the arbiter: {words}"));
            self.decision.person.reviews.insert(
                question,
                Review {
                    question: words,
                    since,
                },
            );
        }
        // A refusal stands for its content: what is no longer owed in that form is no longer refused.
        let owed: Vec<_> = self
            .decision
            .intents
            .iter()
            .map(|intent| intent.id.clone())
            .collect();
        self.decision
            .person
            .refused
            .retain(|intent, _| owed.contains(intent));
        self.decision
    }
}

#[derive(Default)]
struct Changes {
    set: BTreeMap<String, Option<Value>>,
    names: Vec<String>,
    reasons: Vec<String>,
}

impl Changes {
    fn add(&mut self, field_name: &str, shown_as: &str, from: Option<&Value>, to: Option<Value>) {
        self.reasons.push(format!(
            "{shown_as}: {} becomes {}",
            shown(from),
            shown(to.as_ref())
        ));
        self.names.push(shown_as.to_owned());
        self.set.insert(field_name.to_owned(), to);
    }
}

fn crm_name(rule: &FieldRule, kind: Kind) -> Option<&str> {
    match kind {
        Kind::Contact => rule.contact.as_deref(),
        _ => rule.lead.as_deref(),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("nothing".to_owned(), |value| format!("\"{value}\""))
}
