//! What `decide` looks at: everything known about one person at one moment, and in which order records lead.

use super::{Base, Person, Ref, feedback::Opportunity, matching::Index, normal};
use contract::{Id, Record, Relation, Value, field};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Everything known about one person at one moment.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The loop's name.
    pub loop_name: &'a str,
    /// The person.
    pub person: &'a Person,
    /// What was settled before.
    pub base: &'a Base,
    /// Marketing's live records of the person, the leading one first.
    pub marketing: Vec<&'a Record>,
    /// Live CRM leads that are not converted, the leading one first.
    pub leads: Vec<&'a Record>,
    /// CRM leads that have been converted.
    pub converted: Vec<&'a Record>,
    /// CRM records of the person that are not gone as far as was told, and yet not there.
    pub missing: Vec<Ref>,
    /// Live contacts, the leading one first.
    pub contacts: Vec<&'a Record>,
    /// Opportunities that bear on the person.
    pub opportunities: Vec<Opportunity<'a>>,
    /// The CRM's users by id.
    pub owners: &'a BTreeMap<Id, User>,
    /// The CRM's accounts.
    pub accounts: &'a Index,
    /// Longest texts that the two sides take.
    pub limits: &'a Limits,
}

impl<'a> View<'a> {
    /// The CRM's live records of the person, contacts first.
    pub fn crm(&self) -> impl Iterator<Item = &'a Record> {
        self.contacts.iter().chain(&self.leads).copied()
    }
}

/// A user of the CRM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// As colleagues know them.
    pub name: String,
    /// Whether they may own records.
    pub active: bool,
}

/// Longest texts that the two sides take, in characters, by side, kind and canonical field name.
#[derive(Clone, Debug, Default)]
pub struct Limits(pub BTreeMap<(kit::Side, contract::Kind, String), usize>);

impl Limits {
    /// A value cut to what the field takes. Nothing is cut where no limit is known.
    pub fn fit(&self, side: kit::Side, kind: contract::Kind, name: &str, value: Value) -> Value {
        let Some(most) = self.0.get(&(side, kind, name.to_owned())) else {
            return value;
        };
        match value {
            Value::Text(text) if text.chars().count() > *most => Value::Text(
                text.chars()
                    .take(*most)
                    .collect::<String>()
                    .trim_end()
                    .to_owned(),
            ),
            other => other,
        }
    }
}

/// Puts marketing's leads in the order in which they lead: the one settled before, then the oldest, then the smallest id.
pub fn leads_in_order<'a>(leads: Vec<&'a Record>, base: &Base) -> Vec<&'a Record> {
    in_order(leads, |record| base.lead.as_ref() == Some(&record.id), None)
}

/// Puts the CRM's records of one kind in the order in which they lead: those at the person's present address, the one
/// settled with before, those under an account, those that bear leadloop's key, then the oldest, then the smallest id.
pub fn crm_in_order<'a>(
    records: Vec<&'a Record>,
    base: &Base,
    address: Option<&str>,
) -> Vec<&'a Record> {
    in_order(
        records,
        |record| {
            base.with
                .as_ref()
                .is_some_and(|with| with.kind == record.kind && with.id == record.id)
        },
        address,
    )
}

fn in_order<'a>(
    mut records: Vec<&'a Record>,
    is_settled: impl Fn(&Record) -> bool,
    address: Option<&str>,
) -> Vec<&'a Record> {
    let created = |record: &Record| {
        record
            .fields
            .get(field::CREATED_AT)
            .and_then(Value::as_time)
            .unwrap_or(Timestamp::MAX)
    };
    records.sort_by_cached_key(|record| {
        let at_address = address.is_some()
            && normal::email(record.fields.text(field::EMAIL)).as_deref() == address;
        (
            !at_address,
            !is_settled(record),
            record.relations.one(Relation::Account).is_none(),
            record.key().is_none(),
            created(record),
            record.id.clone(),
        )
    });
    records
}
