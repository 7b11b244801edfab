//! The agreement: what sales and marketing have agreed on, as one versioned TOML file per loop.
//!
//! It names the arbiter, defines the lead, says how accounts are found, which fields flow where and under which rule,
//! and what sales' words mean to marketing. This room turns text into checked values and evaluates the lead definition;
//! it reads no file and no clock. A wrong agreement is one error with line, key and remedy.

mod definition;
mod parse;

pub use definition::{Definition, DefinitionError};
pub use parse::{Error, parse};

use contract::field;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The agreement `leadloop init` writes, commented for the people who will agree on it.
pub const TEMPLATE: &str = include_str!("../../systemd/agreement.toml");

/// One agreement in force.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Raised by its authors with every change; reports cite it.
    pub version: u32,
    /// Who decides where the two teams or the two systems disagree.
    pub arbiter: String,
    /// What makes a lead one that sales must take.
    pub mql: Definition,
    /// How people find their account.
    pub matching: Matching,
    /// What happens where both sides hold different values before leadloop has ever seen them agree.
    pub first_meeting: FirstMeeting,
    /// Fields kept in step.
    pub fields: Vec<FieldRule>,
    /// What sales' words mean.
    pub dispositions: Dispositions,
    /// How sales' verdicts reach marketing.
    pub feedback: Feedback,
}

/// How people find their account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// Our own domains: colleagues are not leads' companies.
    pub own_domains: Vec<String>,
    /// More domains that say nothing about a company, beside the public mail providers.
    pub excluded_domains: Vec<String>,
    /// Whether an account is created for a company that has none.
    pub create_accounts: bool,
    /// Whether a CRM lead is converted into the account found for it.
    pub convert_leads: bool,
    /// What becomes of a lead without a usable company.
    pub no_company: NoCompany,
    /// Asked in order where several accounts fit equally well.
    pub tie_breakers: Vec<TieBreaker>,
    /// How many contacts of an account must bear a domain before it counts as the account's own.
    pub learned_domain_contacts: u32,
}

impl Default for Matching {
    fn default() -> Self {
        Matching {
            own_domains: Vec::new(),
            excluded_domains: Vec::new(),
            create_accounts: true,
            convert_leads: true,
            no_company: NoCompany::Lead,
            tie_breakers: vec![
                TieBreaker::SameCountry,
                TieBreaker::Customer,
                TieBreaker::OpenOpportunity,
                TieBreaker::MostContacts,
                TieBreaker::TopOfHierarchy,
                TieBreaker::Oldest,
            ],
            learned_domain_contacts: 2,
        }
    }
}

/// What becomes of a lead without a usable company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoCompany {
    /// It becomes a CRM lead, and a contact once its company is known.
    Lead,
    /// It waits in marketing until its company is known.
    Wait,
}

/// What tells accounts apart that fit a person equally well. Each keeps the best and passes on the rest that are level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TieBreaker {
    /// The account is in the person's country.
    SameCountry,
    /// The account's type says customer.
    Customer,
    /// The account has an open opportunity.
    OpenOpportunity,
    /// The account with the most contacts.
    MostContacts,
    /// The account that was active most recently.
    RecentActivity,
    /// The account that has no parent among those that are level.
    TopOfHierarchy,
    /// The account that was created first.
    Oldest,
}

impl fmt::Display for TieBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TieBreaker::SameCountry => "same country",
            TieBreaker::Customer => "customer",
            TieBreaker::OpenOpportunity => "open opportunity",
            TieBreaker::MostContacts => "most contacts",
            TieBreaker::RecentActivity => "recent activity",
            TieBreaker::TopOfHierarchy => "top of hierarchy",
            TieBreaker::Oldest => "oldest",
        })
    }
}

/// What happens where both sides hold different values before leadloop has ever seen them agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstMeeting {
    /// Blanks are filled; two different values stay as they are until one of them moves.
    #[default]
    FillBlanks,
    /// The field's rule decides.
    Rule,
}

/// A field kept in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// Its name in the agreement.
    pub name: String,
    /// The marketing side's name for it.
    pub marketing: String,
    /// The name on a CRM lead, if it is kept in step there.
    pub lead: Option<String>,
    /// The name on a CRM contact, if it is kept in step there.
    pub contact: Option<String>,
    /// Which way values flow.
    pub flow: Flow,
    /// Who wins when both sides moved.
    pub rule: Rule,
    /// What a blank does.
    pub blanks: Blanks,
    /// Marketing's picklist values and what the CRM calls them.
    pub aliases: BTreeMap<String, String>,
}

/// Which way a field's values flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// Both ways.
    #[default]
    Both,
    /// From marketing to the CRM.
    ToCrm,
    /// From the CRM to marketing.
    ToMarketing,
}

/// Who wins when both sides moved to different values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The CRM.
    Crm,
    /// Marketing.
    Marketing,
    /// The CRM, unless it is blank there.
    #[default]
    CrmUnlessBlank,
    /// The record that changed last.
    Newest,
    /// The arbiter; until then nothing is overwritten.
    Arbiter,
}

/// What a blank on one side does to a value on the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blanks {
    /// It never overwrites.
    #[default]
    Keep,
    /// It clears, like any other change.
    Clear,
}

/// Sales' verdict on a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Sales has taken it.
    Accepted,
    /// Sales is at it.
    Working,
    /// Not a lead for sales.
    Rejected,
    /// Not now; back to marketing.
    Recycled,
    /// Sales confirms the need.
    Qualified,
    /// There is an open opportunity.
    Opportunity,
    /// Bought.
    Won,
    /// Did not buy.
    Lost,
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Disposition::Accepted => "accepted",
            Disposition::Working => "working",
            Disposition::Rejected => "rejected",
            Disposition::Recycled => "recycled",
            Disposition::Qualified => "qualified",
            Disposition::Opportunity => "opportunity",
            Disposition::Won => "won",
            Disposition::Lost => "lost",
        })
    }
}

/// What sales' words mean: the CRM's value, in any letter case, to a disposition. A value that is not listed means nothing yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dispositions {
    /// Values of a CRM lead's status.
    pub lead_status: BTreeMap<String, Disposition>,
    /// Values of a contact's status, where the CRM has such a field.
    pub contact_status: BTreeMap<String, Disposition>,
}

/// How sales' verdicts reach marketing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feedback {
    /// Whether each new verdict also becomes an entry on the lead's timeline.
    pub note: bool,
    /// Whether opportunities without contact roles count for the account's contacts.
    pub opportunities_without_roles: bool,
}

impl Default for Feedback {
    fn default() -> Self {
        Feedback {
            note: true,
            opportunities_without_roles: true,
        }
    }
}

/// Canonical person fields that a lead definition may use, with their types: absent ones read as `""`, `0` or `false`.
pub const LEAD_TEXTS: [&str; 14] = [
    field::EMAIL,
    field::FIRST_NAME,
    field::LAST_NAME,
    field::TITLE,
    field::PHONE,
    field::COMPANY,
    field::WEBSITE,
    field::COUNTRY,
    field::STATE,
    field::CITY,
    field::INDUSTRY,
    field::LEAD_SOURCE,
    field::LIFECYCLE,
    field::STATUS,
];
