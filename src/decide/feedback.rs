//! Sales' words as dispositions: what the CRM's records say about a lead, in the agreement's terms.

use super::{Verdict, view::View};
use crate::agreement::{Disposition, Dispositions};
use contract::{Id, Record, Relation, Value, field};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// An opportunity that bears on a contact.
#[derive(Clone, Debug)]
pub struct Opportunity<'a> {
    /// The opportunity.
    pub record: &'a Record,
    /// The contact.
    pub contact: &'a Id,
    /// Whether a contact role ties it to the contact; else it is the account's, without any role.
    pub by_role: bool,
}

/// Sales' present verdict, if there is one: what is said of the leading record that anything is said of, contacts before CRM
/// leads. Of a contact: an open opportunity (the newest), won, lost (the latest), its status. Then, what was said of a CRM
/// lead before leadloop converted it; then, that people converted it (accepted).
pub fn verdict<'a>(
    view: &View<'a>,
    dispositions: &Dispositions,
    without_roles: bool,
    now: Timestamp,
) -> Option<Verdict> {
    let of_contact = |contact: &'a Record| {
        let mine = || {
            view.opportunities
                .iter()
                .filter(move |opportunity| *opportunity.contact == contact.id)
        };
        let has_role = mine().any(|opportunity| opportunity.by_role);
        let relevant =
            mine().filter(|opportunity| opportunity.by_role || (without_roles && !has_role));
        let best = relevant
            .map(|opportunity| opportunity.record)
            .max_by_key(|record| rank(record));
        let verdict = best
            .map(from_opportunity)
            .or_else(|| from_status(contact, &dispositions.contact_status))?;
        Some((verdict, contact.relations.one(Relation::Owner)))
    };
    let of_lead = |lead: &'a Record| {
        Some((
            from_status(lead, &dispositions.lead_status)?,
            lead.relations.one(Relation::Owner),
        ))
    };
    let of_conversion = || {
        // Who owns the contact that the lead became; until it is read, who owns the lead.
        let origin = view.converted.first().copied()?;
        let became = origin.relations.one(Relation::ConvertedContact);
        let record = view
            .contacts
            .iter()
            .copied()
            .find(|contact| Some(&contact.id) == became)
            .unwrap_or(origin);
        Some((
            remembered(view).or_else(|| converted_by_people(view))?,
            record.relations.one(Relation::Owner),
        ))
    };
    let found = view
        .contacts
        .iter()
        .copied()
        .find_map(of_contact)
        .or_else(|| view.leads.iter().copied().find_map(of_lead))
        .or_else(of_conversion);
    let (mut verdict, owner) = found?;
    verdict.owner = owner
        .and_then(|owner| view.owners.get(owner))
        .map(|user| user.name.clone());
    verdict.since = since(view, &verdict, now);
    Some(verdict)
}

/// Since when a verdict stands: as remembered; else as marketing was told, should the memory be lost; else now. To the
/// millisecond, which is what vendors keep.
fn since(view: &View<'_>, verdict: &Verdict, now: Timestamp) -> Timestamp {
    let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    match view.person.verdict.as_ref() {
        Some(standing)
            if standing.disposition == verdict.disposition && standing.reason == verdict.reason =>
        {
            standing.since
        }
        Some(_) => now,
        None => {
            let lead = view.marketing.first().filter(|lead| {
                lead.fields.text(field::DISPOSITION) == Some(&verdict.disposition.to_string())
            });
            lead.and_then(|lead| lead.fields.get(field::DISPOSITION_AT))
                .and_then(Value::as_time)
                .unwrap_or(now)
        }
    }
}

/// What sales said of the lead holds until it says something of the contact that leadloop made of it.
fn remembered(view: &View<'_>) -> Option<Verdict> {
    let ours = view.leads.is_empty()
        && view
            .converted
            .iter()
            .any(|record| view.person.converted.contains(&record.id));
    let said = view.person.verdict.as_ref().filter(|_| ours)?;
    let of_a_lead = !matches!(
        said.disposition,
        Disposition::Opportunity | Disposition::Won | Disposition::Lost
    );
    of_a_lead.then(|| plain(said.disposition, said.reason.as_deref()))
}

/// People who convert a lead have taken it. A conversion that leadloop made says nothing about what sales thinks.
fn converted_by_people(view: &View<'_>) -> Option<Verdict> {
    let by_people = view
        .converted
        .iter()
        .any(|record| !view.person.converted.contains(&record.id));
    by_people.then(|| plain(Disposition::Accepted, None))
}

fn rank(opportunity: &Record) -> (u8, Option<Timestamp>, Id) {
    let class = match (
        opportunity.fields.is_true(field::IS_CLOSED),
        opportunity.fields.is_true(field::IS_WON),
    ) {
        (false, false) => 2,
        (_, true) => 1,
        (true, false) => 0,
    };
    (
        class,
        opportunity
            .fields
            .get(field::CREATED_AT)
            .and_then(Value::as_time),
        opportunity.id.clone(),
    )
}

fn from_opportunity(opportunity: &Record) -> Verdict {
    let disposition = match (
        opportunity.fields.is_true(field::IS_CLOSED),
        opportunity.fields.is_true(field::IS_WON),
    ) {
        (_, true) => Disposition::Won,
        (true, false) => Disposition::Lost,
        (false, false) => Disposition::Opportunity,
    };
    let reason = (disposition == Disposition::Lost)
        .then(|| opportunity.fields.text(field::LOST_REASON))
        .flatten();
    let mut verdict = plain(disposition, reason);
    verdict.sales_stage = opportunity.fields.text(field::STAGE).map(str::to_owned);
    verdict.amount = opportunity
        .fields
        .get(field::AMOUNT)
        .and_then(Value::as_number);
    verdict.currency = opportunity.fields.text(field::CURRENCY).map(str::to_owned);
    verdict
}

fn from_status(record: &Record, words: &BTreeMap<String, Disposition>) -> Option<Verdict> {
    Some(plain(
        status(record, words)?,
        record.fields.text(field::STATUS_REASON),
    ))
}

/// What a record's status means, if it means anything.
pub fn status(record: &Record, words: &BTreeMap<String, Disposition>) -> Option<Disposition> {
    words
        .get(&record.fields.text(field::STATUS)?.to_lowercase())
        .copied()
}

fn plain(disposition: Disposition, reason: Option<&str>) -> Verdict {
    Verdict {
        disposition,
        reason: reason.map(str::to_owned),
        sales_stage: None,
        amount: None,
        currency: None,
        owner: None,
        since: Timestamp::UNIX_EPOCH,
    }
}

/// The fields that tell marketing where a handed-over lead stands; what sales does not say is blank.
pub fn fields(
    verdict: Option<&Verdict>,
    stage: super::Stage,
    crm: Option<&Record>,
) -> BTreeMap<&'static str, Option<Value>> {
    let text = |pick: fn(&Verdict) -> &Option<String>| {
        verdict
            .and_then(|verdict| pick(verdict).as_deref())
            .and_then(Value::text)
    };
    let mut fields = BTreeMap::from([
        (
            field::DISPOSITION,
            verdict.map(|verdict| Value::Text(verdict.disposition.to_string())),
        ),
        (field::DISPOSITION_REASON, text(|verdict| &verdict.reason)),
        (
            field::DISPOSITION_AT,
            verdict.map(|verdict| Value::Time(verdict.since)),
        ),
        (field::FUNNEL_STAGE, Some(Value::Text(stage.to_string()))),
        (field::SALES_STAGE, text(|verdict| &verdict.sales_stage)),
        (
            field::SALES_AMOUNT,
            verdict
                .and_then(|verdict| verdict.amount)
                .map(Value::Number),
        ),
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
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name}: {value}")))
    };
    line("Reason", verdict.reason.clone());
    line("Stage", verdict.sales_stage.clone());
    line(
        "Amount",
        verdict.amount.map(|amount| {
            format!(
                "{}{}",
                amount.normalize(),
                verdict
                    .currency
                    .as_ref()
                    .map(|c| format!(" {c}"))
                    .unwrap_or_default()
            )
        }),
    );
    line("Owner", verdict.owner.clone());
    (subject, lines.join("\n"))
}

/// Whether sales has said no, or not now: nothing is converted against that.
pub fn is_turned_down(disposition: Option<Disposition>) -> bool {
    matches!(
        disposition,
        Some(Disposition::Rejected | Disposition::Recycled)
    )
}
