//! Holds two worlds against the agreement: what differs, what is there twice, what got lost.
//!
//! This is a second opinion. It sees only the two vendors' worlds with their histories and knows nothing of what leadloop
//! remembers; each rule is written down here anew, from the agreement's words. It is meant for worlds at rest: while
//! somebody still works in one of them, what is on its way counts as missing.

pub(crate) mod domain;
mod expect;
mod normal;
mod rules;
mod sales;
mod view;

pub use expect::{Expectations, FieldExpectation};

use crate::Dialect;
use std::fmt;

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Values or places that differ though they should agree.
    pub drift: Vec<Difference>,
    /// People or accounts that leadloop has made twice.
    pub duplicates: Vec<Difference>,
    /// People, verdicts and opt-outs that have not arrived.
    pub lost: Vec<Difference>,
    /// Qualified leads that were held against their record in the CRM.
    pub people_compared: usize,
    /// Fields that were held against each other.
    pub fields_compared: usize,
    /// Qualified leads on which sales has said something.
    pub dispositions_expected: usize,
}

impl Comparison {
    /// Whether both worlds agree in everything.
    pub fn is_clean(&self) -> bool {
        self.drift.is_empty() && self.duplicates.is_empty() && self.lost.is_empty()
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Whom it is about: e-mail address or company, with the records' ids.
    pub who: String,
    /// What is wrong: a field's name, or the rule in a few words.
    pub what: String,
    /// What marketing has.
    pub marketing: Option<String>,
    /// What the CRM has.
    pub crm: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "{}: {}: marketing has {}, the CRM has {}",
            self.who,
            self.what,
            shown(&self.marketing),
            shown(&self.crm)
        )
    }
}

/// Compares two worlds at rest.
pub fn compare(
    marketing: &dyn Dialect,
    crm: &dyn Dialect,
    expectations: &Expectations,
) -> Comparison {
    let case = view::Case {
        marketing: view::Marketing::of(marketing, expectations),
        crm: view::Crm::of(crm),
        expectations,
    };
    let mut comparison = Comparison::default();
    for lead in &case.marketing.leads {
        rules::opt_out(&case, lead, &mut comparison);
        if !lead.qualified {
            continue;
        }
        if rules::is_lost(&case, lead) {
            comparison.lost.push(rules::lost(lead));
            continue;
        }
        rules::account(&case, lead, &mut comparison);
        rules::fields(&case, lead, &mut comparison);
        sales::disposition(&case, lead, &mut comparison);
    }
    rules::twins(&case, &mut comparison);
    rules::twin_accounts(&case, &mut comparison);
    comparison
}

#[cfg(test)]
mod tests;
