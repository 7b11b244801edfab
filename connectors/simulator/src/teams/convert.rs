//! Conversion of a CRM lead as people do it at the vendor's screens.

use crate::{Actor, Dialect, population::known, world::relation};
use contract::{Kind, field};
use jiff::Timestamp;

/// What became of a converted CRM lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The contact.
    pub contact: String,
    /// The account it is under.
    pub account: String,
}

const CARRIED: [&str; 10] = [
    field::FIRST_NAME,
    field::LAST_NAME,
    field::EMAIL,
    field::TITLE,
    field::PHONE,
    field::COUNTRY,
    field::STATE,
    field::CITY,
    field::LEAD_SOURCE,
    field::OPT_OUT,
];

/// Converts a CRM lead at the vendor's screens: into the account given, or into a new one of the lead's company. A
/// contact with the lead's e-mail address under that account is taken over and only its blanks are filled; otherwise a
/// contact is made. `None` where the vendor has no conversion, or the lead is gone or converted already.
pub fn convert(
    crm: &mut dyn Dialect,
    lead: &str,
    account: Option<&str>,
    actor: Actor,
    now: Timestamp,
) -> Option<Converted> {
    crm.native(Kind::Lead, field::IS_CONVERTED)?;
    crm.world().get_live(crm.table(Kind::Lead)?, lead)?;
    if crm.get(Kind::Lead, lead, field::IS_CONVERTED).as_deref() == Some("true") {
        return None;
    }
    let owner = crm
        .get(Kind::Lead, lead, relation::OWNER)
        .unwrap_or_default();
    let account = match account {
        Some(account) => account.to_owned(),
        None => new_account(crm, lead, &owner, actor, now),
    };
    let held: Vec<(&'static str, String)> = CARRIED
        .iter()
        .filter_map(|name| crm.get(Kind::Lead, lead, name).map(|value| (*name, value)))
        .collect();
    let mut values: Vec<(&'static str, &str)> = held
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let contact = match existing(crm, lead, &account) {
        Some(contact) => {
            values.retain(|(name, value)| {
                let opts_out = *name == field::OPT_OUT && *value == "true";
                opts_out || crm.get(Kind::Contact, &contact, name).is_none()
            });
            let values = known(crm, Kind::Contact, &values);
            crm.set(Kind::Contact, &contact, &values, actor, now);
            contact
        }
        None => {
            values.extend([
                (relation::ACCOUNT, account.as_str()),
                (relation::OWNER, owner.as_str()),
            ]);
            let values = known(crm, Kind::Contact, &values);
            crm.create(Kind::Contact, &values, actor, now)
        }
    };
    let outcome = [
        (field::IS_CONVERTED, "true"),
        (field::STATUS, "Closed - Converted"),
        (relation::CONVERTED_CONTACT, contact.as_str()),
        (relation::CONVERTED_ACCOUNT, account.as_str()),
    ];
    crm.set(Kind::Lead, lead, &outcome, actor, now);
    Some(Converted { contact, account })
}

fn new_account(
    crm: &mut dyn Dialect,
    lead: &str,
    owner: &str,
    actor: Actor,
    now: Timestamp,
) -> String {
    let text = |name: &str| crm.get(Kind::Lead, lead, name).unwrap_or_default();
    let (name, website, country) = (
        text(field::COMPANY),
        text(field::WEBSITE),
        text(field::COUNTRY),
    );
    let is_company = !name.trim().is_empty() && !name.starts_with('[');
    let name = if is_company {
        name
    } else {
        format!("{} (private)", text(field::LAST_NAME))
    };
    let values = [
        (field::NAME, name.as_str()),
        (field::WEBSITE, website.as_str()),
        (field::COUNTRY, country.as_str()),
        (relation::OWNER, owner),
    ];
    let values = known(crm, Kind::Account, &values);
    crm.create(Kind::Account, &values, actor, now)
}

fn existing(crm: &dyn Dialect, lead: &str, account: &str) -> Option<String> {
    let email = crm.get(Kind::Lead, lead, field::EMAIL)?;
    crm.find(Kind::Contact, field::EMAIL, &email)
        .into_iter()
        .find(|contact| {
            crm.get(Kind::Contact, contact, relation::ACCOUNT)
                .as_deref()
                == Some(account)
        })
}
