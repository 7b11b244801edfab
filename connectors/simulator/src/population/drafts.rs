//! What is to be staged, on paper, before anything is written.

use super::Person;

/// Both systems on paper.
pub(super) struct Draft {
    pub(super) reps: Vec<&'static str>,
    pub(super) accounts: Vec<AccountDraft>,
    pub(super) contacts: Vec<ContactDraft>,
    pub(super) crm_leads: Vec<CrmLeadDraft>,
    pub(super) opportunities: Vec<OpportunityDraft>,
    pub(super) leads: Vec<LeadDraft>,
}

/// An account, oldest first in [`Draft::accounts`].
pub(super) struct AccountDraft {
    /// Place among the companies drawn.
    pub(super) company: usize,
    pub(super) name: String,
    pub(super) website: String,
    pub(super) country: &'static str,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) industry: &'static str,
    pub(super) kind: &'static str,
    /// Place in [`Draft::reps`].
    pub(super) owner: usize,
    /// Place in [`Draft::accounts`].
    pub(super) parent: Option<usize>,
    /// Contacts beside those that marketing knows too.
    pub(super) contacts: usize,
    /// 0 is the oldest, 1 the youngest.
    pub(super) age: f64,
}

/// A contact.
pub(super) struct ContactDraft {
    pub(super) person: Person,
    pub(super) account: usize,
    pub(super) owner: usize,
    pub(super) status: (&'static str, &'static str),
    pub(super) opt_out: bool,
}

/// A CRM lead that nobody has converted.
pub(super) struct CrmLeadDraft {
    pub(super) person: Person,
    pub(super) company: String,
    pub(super) source: &'static str,
    pub(super) status: &'static str,
    pub(super) owner: usize,
}

/// An opportunity.
pub(super) struct OpportunityDraft {
    pub(super) name: String,
    pub(super) account: usize,
    /// Places in [`Draft::contacts`].
    pub(super) contacts: Vec<usize>,
    pub(super) stage: &'static Stage,
    pub(super) amount: String,
    pub(super) lost_reason: &'static str,
    pub(super) owner: usize,
}

/// A person in marketing.
pub(super) struct LeadDraft {
    pub(super) person: Person,
    pub(super) company: String,
    pub(super) website: String,
    pub(super) industry: &'static str,
    pub(super) lifecycle: &'static str,
    pub(super) score: String,
    pub(super) source: &'static str,
    pub(super) opt_out: bool,
}

/// A stage of an opportunity, in Salesforce's standard names.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// Won or lost; `None` while open.
    pub(super) outcome: Option<bool>,
}

impl Stage {
    pub(crate) fn closed(&self) -> &'static str {
        if self.outcome.is_some() {
            "true"
        } else {
            "false"
        }
    }

    pub(crate) fn won(&self) -> &'static str {
        if self.outcome == Some(true) {
            "true"
        } else {
            "false"
        }
    }
}

/// Open stages in the order in which deals pass them, then won, then lost.
pub(crate) const STAGES: [Stage; 6] = [
    Stage {
        name: "Prospecting",
        outcome: None,
    },
    Stage {
        name: "Qualification",
        outcome: None,
    },
    Stage {
        name: "Proposal/Price Quote",
        outcome: None,
    },
    Stage {
        name: "Negotiation/Review",
        outcome: None,
    },
    Stage {
        name: "Closed Won",
        outcome: Some(true),
    },
    Stage {
        name: "Closed Lost",
        outcome: Some(false),
    },
];

/// Why deals are lost.
pub(crate) const LOST_REASONS: [&str; 5] = [
    "Price",
    "Competitor",
    "No budget",
    "No decision",
    "Bad timing",
];

/// Why people are turned down.
pub(crate) const REJECT_REASONS: [&str; 5] = [
    "Not a fit",
    "No budget",
    "Student",
    "Competitor",
    "Cannot be reached",
];

/// Why people are given back to marketing.
pub(crate) const RECYCLE_REASONS: [&str; 3] = [
    "Next year",
    "Project postponed",
    "In contract until renewal",
];
