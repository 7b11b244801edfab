//! Writes drafts into the two systems, oldest things first.

use super::{
    Person,
    drafts::{ContactDraft, Draft, LeadDraft, OpportunityDraft},
    lists::fold,
};
use crate::{Actor, Dialect, world::relation};
use contract::{Kind, field};
use jiff::{SignedDuration, Timestamp};

/// Spreads what happened over the time before the start.
pub(super) struct Calendar {
    pub(super) start: Timestamp,
}

impl Calendar {
    /// Like [`Calendar::at`], but the first tenth came with an import: all of it bears one stamp.
    fn at_after_import(&self, place: usize, of: usize, from_days: i64, to_days: i64) -> Timestamp {
        let place = if place < of / 10 { 0 } else { place };
        self.at(place, of, from_days, to_days)
    }

    /// The moment of the n-th of so many things that happened from one number of days before the start to another.
    fn at(&self, place: usize, of: usize, from_days: i64, to_days: i64) -> Timestamp {
        let day = 86_400;
        let span = (from_days - to_days) * day;
        let offset = span * place as i64 / (of.max(1) as i64);
        let before = from_days * day - offset;
        self.start
            .saturating_sub(SignedDuration::from_secs(before.max(60)))
            .unwrap_or(self.start)
    }
}

pub(super) fn stage_users(
    marketing: &mut dyn Dialect,
    crm: &mut dyn Dialect,
    draft: &Draft,
    calendar: &Calendar,
) -> Vec<String> {
    let at = calendar.at(0, 1, 1_095, 1_094);
    let mut owners = Vec::new();
    for (number, name) in draft.reps.iter().enumerate() {
        let (first, last) = name.split_once(' ').unwrap_or((name, name));
        let email = format!("{}.{}@our-sales.example", fold(first), fold(last));
        // The last one has left the company and still owns records.
        let active = if number + 1 == draft.reps.len() {
            "false"
        } else {
            "true"
        };
        let values = [
            (field::NAME, *name),
            (field::EMAIL, &email),
            (field::FIRST_NAME, first),
            (field::LAST_NAME, last),
            (field::ACTIVE, active),
        ];
        if number < 3 && marketing.table(Kind::User).is_some() {
            let values = known(marketing, Kind::User, &values);
            marketing.create(Kind::User, &values, Actor::Person, at);
        }
        if crm.table(Kind::User).is_some() {
            let values = known(crm, Kind::User, &values);
            owners.push(crm.create(Kind::User, &values, Actor::Person, at));
        }
    }
    owners
}

pub(super) fn stage_accounts(
    crm: &mut dyn Dialect,
    draft: &Draft,
    owners: &[String],
    calendar: &Calendar,
) -> Vec<String> {
    let mut ids: Vec<String> = Vec::with_capacity(draft.accounts.len());
    for (place, account) in draft.accounts.iter().enumerate() {
        let at = calendar.at(place, draft.accounts.len(), 1_090, 200);
        let mut values = vec![
            (field::NAME, account.name.as_str()),
            (field::WEBSITE, &account.website),
            (field::COUNTRY, account.country),
            (field::CITY, account.city),
            (field::STATE, account.state),
            (field::INDUSTRY, account.industry),
            (field::TYPE, account.kind),
        ];
        push_owner(&mut values, owners, account.owner);
        let values = known(crm, Kind::Account, &values);
        ids.push(crm.create(Kind::Account, &values, Actor::Person, at));
    }
    let at = calendar.at(0, 1, 199, 198);
    for (place, account) in draft.accounts.iter().enumerate() {
        if let Some(parent) = account.parent {
            crm.set(
                Kind::Account,
                &ids[place],
                &[(relation::PARENT, &ids[parent])],
                Actor::Person,
                at,
            );
        }
    }
    ids
}

pub(super) fn stage_contacts(
    crm: &mut dyn Dialect,
    draft: &Draft,
    owners: &[String],
    accounts: &[String],
    calendar: &Calendar,
) -> Vec<String> {
    let mut ids = Vec::with_capacity(draft.contacts.len());
    for (place, contact) in draft.contacts.iter().enumerate() {
        let ContactDraft {
            person,
            account,
            owner,
            status,
            opt_out,
        } = contact;
        let mut values = person_values(person);
        values.push((relation::ACCOUNT, &accounts[*account]));
        push_owner(&mut values, owners, *owner);
        push_status(&mut values, *status);
        if *opt_out {
            values.push((field::OPT_OUT, "true"));
        }
        let at = calendar.at_after_import(place, draft.contacts.len(), 190, 40);
        let values = known(crm, Kind::Contact, &values);
        ids.push(crm.create(Kind::Contact, &values, Actor::Person, at));
    }
    ids
}

pub(super) fn stage_crm_leads(
    crm: &mut dyn Dialect,
    draft: &Draft,
    owners: &[String],
    calendar: &Calendar,
) -> usize {
    if crm.table(Kind::Lead).is_none() {
        return 0;
    }
    for (place, lead) in draft.crm_leads.iter().enumerate() {
        let mut values = person_values(&lead.person);
        values.extend([
            (field::COMPANY, lead.company.as_str()),
            (field::LEAD_SOURCE, lead.source),
            (field::STATUS, lead.status),
        ]);
        push_owner(&mut values, owners, lead.owner);
        let at = calendar.at(place, draft.crm_leads.len(), 120, 35);
        let values = known(crm, Kind::Lead, &values);
        crm.create(Kind::Lead, &values, Actor::Person, at);
    }
    draft.crm_leads.len()
}

pub(super) fn stage_opportunities(
    crm: &mut dyn Dialect,
    draft: &Draft,
    owners: &[String],
    accounts: &[String],
    contacts: &[String],
    calendar: &Calendar,
) -> usize {
    if crm.table(Kind::Opportunity).is_none() {
        return 0;
    }
    for (place, opportunity) in draft.opportunities.iter().enumerate() {
        let OpportunityDraft {
            name,
            account,
            contacts: people,
            stage,
            amount,
            lost_reason,
            owner,
            ..
        } = opportunity;
        let at = calendar.at(place, draft.opportunities.len(), 38, 2);
        let close = calendar
            .at(place, draft.opportunities.len(), 10, -60)
            .to_string();
        let mut values = vec![
            (field::NAME, name.as_str()),
            (relation::ACCOUNT, &accounts[*account]),
            (field::STAGE, stage.name),
            (field::AMOUNT, amount),
            (field::CLOSE_DATE, &close[..10]),
            (field::IS_CLOSED, stage.closed()),
            (field::IS_WON, stage.won()),
            (field::LOST_REASON, lost_reason),
        ];
        push_owner(&mut values, owners, *owner);
        let values = known(crm, Kind::Opportunity, &values);
        let id = crm.create(Kind::Opportunity, &values, Actor::Person, at);
        let people: Vec<&str> = people
            .iter()
            .map(|place| contacts[*place].as_str())
            .collect();
        put_in_roles(crm, &id, &people, at);
    }
    draft.opportunities.len()
}

pub(super) fn stage_leads(marketing: &mut dyn Dialect, draft: &Draft, calendar: &Calendar) {
    for (place, lead) in draft.leads.iter().enumerate() {
        let LeadDraft {
            person,
            company,
            website,
            lifecycle,
            score,
            source,
            opt_out,
            industry,
        } = lead;
        let mut values = person_values(person);
        values.extend([
            (field::COMPANY, company.as_str()),
            (field::WEBSITE, website),
            (field::INDUSTRY, industry),
            (field::LIFECYCLE, lifecycle),
            (field::SCORE, score),
            (field::LEAD_SOURCE, source),
        ]);
        if *opt_out {
            values.push((field::OPT_OUT, "true"));
        }
        let at = calendar.at_after_import(place, draft.leads.len(), 30, 0);
        let values = known(marketing, Kind::Lead, &values);
        marketing.create(Kind::Lead, &values, Actor::Person, at);
    }
}

/// A person's values by canonical names.
pub(crate) fn person_values(person: &Person) -> Vec<(&'static str, &str)> {
    vec![
        (field::FIRST_NAME, person.first_name.as_str()),
        (field::LAST_NAME, &person.last_name),
        (field::EMAIL, person.email.as_deref().unwrap_or_default()),
        (field::TITLE, &person.title),
        (field::PHONE, &person.phone),
        (field::COUNTRY, &person.country),
        (field::STATE, &person.state),
        (field::CITY, &person.city),
    ]
}

fn push_owner<'a>(values: &mut Vec<(&'static str, &'a str)>, owners: &'a [String], owner: usize) {
    if let Some(owner) = owners.get(owner) {
        values.push((relation::OWNER, owner));
    }
}

fn push_status<'a>(
    values: &mut Vec<(&'static str, &'a str)>,
    (status, reason): (&'a str, &'a str),
) {
    if !status.is_empty() {
        values.push((field::STATUS, status));
        values.push((field::STATUS_REASON, reason));
    }
}

/// Only values that this vendor has a field for, and no blanks. Relations always pass: a dialect may keep them elsewhere than in fields.
pub(crate) fn known<'a>(
    dialect: &dyn Dialect,
    kind: Kind,
    values: &[(&'static str, &'a str)],
) -> Vec<(&'static str, &'a str)> {
    let relations = [
        relation::ACCOUNT,
        relation::PARENT,
        relation::OWNER,
        relation::CONTACT,
        relation::OPPORTUNITY,
    ];
    let fits = |name: &str| {
        dialect.native(kind, name).is_some() || relations.contains(&name) || name == field::OPT_OUT
    };
    values
        .iter()
        .copied()
        .filter(|(name, value)| fits(name) && !value.is_empty())
        .collect()
}

/// Ties contacts to an opportunity, the first as the primary one: by roles where the vendor keeps such records.
pub(crate) fn put_in_roles(
    crm: &mut dyn Dialect,
    opportunity: &str,
    contacts: &[&str],
    now: Timestamp,
) {
    if contacts.is_empty() {
        return;
    }
    if crm.table(Kind::Role).is_none() {
        crm.set(
            Kind::Opportunity,
            opportunity,
            &[(relation::CONTACT, &contacts.join(";"))],
            Actor::Person,
            now,
        );
        return;
    }
    for (place, contact) in contacts.iter().enumerate() {
        let primary = if place == 0 { "true" } else { "false" };
        let values = [
            (relation::OPPORTUNITY, opportunity),
            (relation::CONTACT, contact),
            (field::IS_PRIMARY, primary),
        ];
        let values = known(crm, Kind::Role, &values);
        crm.create(Kind::Role, &values, Actor::Person, now);
    }
}
