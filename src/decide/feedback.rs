//! Sales' words as dispositions: what the CRM's records say about a lead, in the agreement's terms.

use super::{Verdict, view::View};
use crate::agreement::{Disposition, Dispositions};
use contract::{Id, Record, Relation, Value, field};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// An opportunity that bears on a person.
#[derive(Clone, Debug)]
pub struct Opportunity<'a> {
    /// The opportunity.
    pub record: &'a Record,
    /// Whether a contact role ties it to the person; else it is the account's, without any role.
    pub by_role: bool,
}

/// Sales' present verdict, if there is one. Precedence: an open opportunity (the newest), won, lost (the latest), the
/// contact's status, the CRM lead's status, a conversion (accepted).
pub fn verdict(view: &View<'_>, dispositions: &Dispositions, without_roles: bool, now: Timestamp) -> Option<Verdict> {
    let record = view.contacts.first().or(view.leads.first()).copied();
    let has_role = view.opportunities.iter().any(|opportunity| opportunity.by_role);
    let relevant = view.opportunities.iter().filter(|opportunity| opportunity.by_role || (without_roles && !has_role));
    let opportunity = relevant.map(|opportunity| opportunity.record).max_by_key(|record| rank(record));
    let found = match opportunity {
        Some(opportunity) => Some(from_opportunity(opportunity)),
        None => from_status(view, dispositions),
    };
    let (disposition, mut verdict) = found?;
    let owner = record.or(view.converted.first().copied()).and_then(|record| record.relations.one(Relation::Owner));
    verdict.owner = owner.and_then(|owner| view.owners.get(owner)).map(|user| user.name.clone());
    verdict.since = match view.person.verdict.as_ref() {
        Some(standing) if standing.disposition == disposition && standing.reason == verdict.reason => standing.since,
        _ => now,
    };
    Some(verdict)
}

fn rank(opportunity: &Record) -> (u8, Option<Timestamp>, Id) {
    let class = match (opportunity.fields.is_true(field::IS_CLOSED), opportunity.fields.is_true(field::IS_WON)) {
        (false, false) => 2,
        (_, true) => 1,
        (true, false) => 0,
    };
    (class, opportunity.fields.get(field::CREATED_AT).and_then(Value::as_time), opportunity.id.clone())
}

fn from_opportunity(opportunity: &Record) -> (Disposition, Verdict) {
    let disposition = match (opportunity.fields.is_true(field::IS_CLOSED), opportunity.fields.is_true(field::IS_WON)) {
        (_, true) => Disposition::Won,
        (true, false) => Disposition::Lost,
        (false, false) => Disposition::Opportunity,
    };
    let reason = (disposition == Disposition::Lost).then(|| opportunity.fields.text(field::LOST_REASON)).flatten();
    let mut verdict = plain(disposition, reason);
    verdict.sales_stage = opportunity.fields.text(field::STAGE).map(str::to_owned);
    verdict.amount = opportunity.fields.get(field::AMOUNT).and_then(Value::as_number);
    verdict.currency = opportunity.fields.text(field::CURRENCY).map(str::to_owned);
    (disposition, verdict)
}

fn from_status(view: &View<'_>, dispositions: &Dispositions) -> Option<(Disposition, Verdict)> {
    let read = |record: &Record, words: &BTreeMap<String, Disposition>| {
        let disposition = status(record, words)?;
        Some((disposition, plain(disposition, record.fields.text(field::STATUS_REASON))))
    };
    let by_contact = view.contacts.iter().find_map(|record| read(record, &dispositions.contact_status));
    let by_lead = || view.leads.iter().find_map(|record| read(record, &dispositions.lead_status));
    let by_conversion = || {
        // A conversion that leadloop made says nothing about what sales thinks.
        let by_people = view.converted.iter().any(|record| !view.person.converted.contains(&record.id));
        by_people.then(|| (Disposition::Accepted, plain(Disposition::Accepted, None)))
    };
    // What sales said of the lead holds until it says something of the contact that leadloop made of it.
    let by_memory = || {
        let ours = view.leads.is_empty() && view.converted.iter().any(|record| view.person.converted.contains(&record.id));
        let said = view.person.verdict.as_ref().filter(|_| ours)?;
        let of_a_lead = !matches!(said.disposition, Disposition::Opportunity | Disposition::Won | Disposition::Lost);
        of_a_lead.then(|| (said.disposition, plain(said.disposition, said.reason.as_deref())))
    };
    by_contact.or_else(by_lead).or_else(by_memory).or_else(by_conversion)
}

/// What a record's status means, if it means anything.
pub fn status(record: &Record, words: &BTreeMap<String, Disposition>) -> Option<Disposition> {
    words.get(&record.fields.text(field::STATUS)?.to_lowercase()).copied()
}

fn plain(disposition: Disposition, reason: Option<&str>) -> Verdict {
    Verdict { disposition, reason: reason.map(str::to_owned), sales_stage: None, amount: None, currency: None, owner: None, since: Timestamp::UNIX_EPOCH }
}

/// The fields that tell marketing where a handed-over lead stands; what sales does not say is blank.
pub fn fields(verdict: Option<&Verdict>, stage: super::Stage, crm: Option<&Record>) -> BTreeMap<&'static str, Option<Value>> {
    let text = |pick: fn(&Verdict) -> &Option<String>| verdict.and_then(|verdict| pick(verdict).as_deref()).and_then(Value::text);
    let mut fields = BTreeMap::from([
        (field::DISPOSITION, verdict.map(|verdict| Value::Text(verdict.disposition.to_string()))),
        (field::DISPOSITION_REASON, text(|verdict| &verdict.reason)),
        (field::DISPOSITION_AT, verdict.map(|verdict| Value::Time(verdict.since))),
        (field::FUNNEL_STAGE, Some(Value::Text(stage.to_string()))),
        (field::SALES_STAGE, text(|verdict| &verdict.sales_stage)),
        (field::SALES_AMOUNT, verdict.and_then(|verdict| verdict.amount).map(Value::Number)),
        (field::SALES_CURRENCY, text(|verdict| &verdict.currency)),
        (field::SALES_OWNER, text(|verdict| &verdict.owner)),
    ]);
    // Between a conversion and the reading of its contact there is no record to name; the old name is not wiped meanwhile.
    if let Some(record) = crm {
        fields.insert(field::CRM_ID, Some(Value::Text(record.id.0.clone())));
    }
    fields
}

/// A verdict as an entry on the timeline: subject and body.
pub fn note(verdict: &Verdict) -> (String, String) {
    let subject = format!("Sales: {}", verdict.disposition);
    let mut lines = vec![subject.clone()];
    let mut line = |name: &str, value: Option<String>| lines.extend(value.map(|value| format!("{name}: {value}")));
    line("Reason", verdict.reason.clone());
    line("Stage", verdict.sales_stage.clone());
    line("Amount", verdict.amount.map(|amount| format!("{}{}", amount.normalize(), verdict.currency.as_ref().map(|c| format!(" {c}")).unwrap_or_default())));
    line("Owner", verdict.owner.clone());
    (subject, lines.join("\n"))
}

/// Whether sales has said no, or not now: nothing is converted against that.
pub fn is_turned_down(disposition: Option<Disposition>) -> bool {
    matches!(disposition, Some(Disposition::Rejected | Disposition::Recycled))
}
