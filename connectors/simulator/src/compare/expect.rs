//! The agreement as values, for those who hold worlds against it.

use contract::field;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// What two worlds are held against: the agreement's words as values. The default is the agreement that `leadloop init` writes.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// Lifecycle stages, in marketing's internal values, from which on a lead is sales' business.
    pub qualified_stages: BTreeSet<String>,
    /// Fields kept in step.
    pub fields: Vec<FieldExpectation>,
    /// Whether two different values that were there before the two records met may stay until one of them moves.
    pub standing_differences: bool,
    /// What stands in the CRM for a value that nobody has given.
    pub placeholders: BTreeSet<String>,
    /// What the CRM's contact statuses mean, in lower case.
    pub contact_status: BTreeMap<String, &'static str>,
    /// What the CRM's lead statuses mean, in lower case.
    pub lead_status: BTreeMap<String, &'static str>,
    /// Whether an opportunity without contact roles counts for all its account's contacts who have no role anywhere.
    pub opportunities_without_roles: bool,
    /// Whether each verdict is also an entry on the lead's timeline.
    pub notes: bool,
    /// Whether the opportunity's currency is told.
    pub currency: bool,
    /// Domains that say nothing about a company, beside the public mail providers that populations use.
    pub excluded_domains: BTreeSet<String>,
    /// What somebody did in the CRM so shortly before leadloop wrote is not held against leadloop: it could not have seen it.
    pub hindsight: SignedDuration,
}

/// How one field is kept in step.
#[derive(Clone, Debug)]
pub struct FieldExpectation {
    /// Canonical name.
    pub name: &'static str,
    /// Whether it is kept in step on contacts.
    pub on_contacts: bool,
    /// Whether it is kept in step on CRM leads.
    pub on_leads: bool,
    /// Whether values flow to the CRM.
    pub to_crm: bool,
    /// Whether values flow to marketing.
    pub to_marketing: bool,
}

impl Default for Expectations {
    fn default() -> Self {
        let both = |name| FieldExpectation {
            name,
            on_contacts: true,
            on_leads: true,
            to_crm: true,
            to_marketing: true,
        };
        let on_leads = |name| FieldExpectation {
            on_contacts: false,
            ..both(name)
        };
        let words = |pairs: &[(&str, &'static str)]| {
            pairs
                .iter()
                .map(|(word, meaning)| (word.to_lowercase(), *meaning))
                .collect()
        };
        Expectations {
            qualified_stages: [
                "marketingqualifiedlead",
                "salesqualifiedlead",
                "opportunity",
                "customer",
            ]
            .map(str::to_owned)
            .into(),
            fields: vec![
                both(field::FIRST_NAME),
                both(field::LAST_NAME),
                both(field::TITLE),
                both(field::PHONE),
                both(field::COUNTRY),
                both(field::STATE),
                both(field::CITY),
                on_leads(field::COMPANY),
                on_leads(field::WEBSITE),
                FieldExpectation {
                    to_marketing: false,
                    ..on_leads(field::INDUSTRY)
                },
            ],
            standing_differences: true,
            placeholders: ["[not provided]".to_owned()].into(),
            contact_status: words(&[
                ("Accepted", "accepted"),
                ("Working", "working"),
                ("Rejected", "rejected"),
                ("Recycled", "recycled"),
                ("Qualified", "qualified"),
            ]),
            lead_status: words(&[
                ("Working - Contacted", "working"),
                ("Closed - Not Converted", "rejected"),
                ("Recycled", "recycled"),
            ]),
            opportunities_without_roles: true,
            notes: true,
            currency: false,
            excluded_domains: BTreeSet::new(),
            hindsight: SignedDuration::from_mins(2),
        }
    }
}
