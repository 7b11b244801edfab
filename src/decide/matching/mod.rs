//! From lead to account: by domain first, by company name only as a fallback, with evidence either way.
//!
//! The index is a value built from accounts and their contacts; a match is a pure function of the index, the agreement's
//! options and what is known of the person. The same input in any order gives the same output.

pub mod domain;
mod index;
mod tie;

pub use domain::Domain;
pub use index::{Account, Index};

use crate::agreement::Matching;
use contract::Id;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is known of the person who needs an account.
#[derive(Clone, Debug, Default)]
pub struct Candidate<'a> {
    /// The e-mail address.
    pub email: Option<&'a str>,
    /// The web site the person gave.
    pub website: Option<&'a str>,
    /// The company the person gave.
    pub company: Option<&'a str>,
    /// The country the person gave.
    pub country: Option<&'a str>,
}

/// What the search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// One account.
    Matched(Found),
    /// Several that nothing tells apart: the arbiter decides.
    Ambiguous {
        /// They are, in the order of their ids.
        accounts: Vec<Id>,
        /// Why each came into question.
        evidence: Vec<String>,
    },
    /// No account. With a domain, one may be created for it; without, there is no usable company.
    None {
        /// The company's domain, if the person has a usable one.
        domain: Option<Domain>,
        /// Why nothing was found, in words.
        evidence: Vec<String>,
    },
}

/// The account found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The account.
    pub account: Id,
    /// By which rule.
    pub rule: Rule,
    /// How sure, from 0 to 1.
    pub confidence: Decimal,
    /// Why, in words.
    pub evidence: Vec<String>,
    /// The other accounts that came into question.
    pub runners_up: Vec<Id>,
}

/// The rule that found an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The domain of the e-mail address is that of the account's web site, or listed for it.
    EmailDomain,
    /// The domain of the e-mail address is that of the account's contacts.
    ContactDomain,
    /// The domain of the person's web site is the account's.
    WebsiteDomain,
    /// The company's name is the account's, and no country speaks against it.
    CompanyName,
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Rule::EmailDomain => "e-mail domain",
            Rule::ContactDomain => "domain of its contacts",
            Rule::WebsiteDomain => "domain of the web site",
            Rule::CompanyName => "company name",
        })
    }
}

/// Finds the account of a person.
pub fn find(index: &Index, options: &Matching, candidate: &Candidate<'_>) -> Match {
    let mut evidence = Vec::new();
    let email = usable(
        domain::of_email(candidate.email),
        options,
        "e-mail",
        &mut evidence,
    );
    let website = usable(
        domain::of_website(candidate.website),
        options,
        "web site",
        &mut evidence,
    );

    let mut searches: Vec<(Rule, BTreeSet<&Id>, String)> = Vec::new();
    if let Some(domain) = &email {
        searches.push((
            Rule::EmailDomain,
            index.bearing(domain),
            format!("the e-mail domain {domain} is the account's own"),
        ));
        let learned = index.learned(domain, options.learned_domain_contacts);
        searches.push((
            Rule::ContactDomain,
            learned,
            format!("contacts of the account have addresses at {domain}"),
        ));
    }
    if let Some(domain) = &website {
        searches.push((
            Rule::WebsiteDomain,
            index.bearing(domain),
            format!("the web site's domain {domain} is the account's own"),
        ));
    }
    if let Some(company) = candidate.company {
        let named = index.named(company, candidate.country);
        searches.push((
            Rule::CompanyName,
            named,
            format!("the company \"{company}\" has the account's name"),
        ));
    }
    for (rule, accounts, why) in searches {
        if accounts.is_empty() {
            continue;
        }
        evidence.push(why);
        return tie::decide(index, options, candidate, rule, accounts, evidence);
    }
    let domain = email.or(website);
    match &domain {
        Some(domain) => evidence.push(format!("no account bears {domain}")),
        None => evidence.push("no domain that says anything about a company".to_owned()),
    }
    Match::None { domain, evidence }
}

/// A domain, unless it says nothing about a company.
fn usable(
    domain: Option<Domain>,
    options: &Matching,
    of: &str,
    evidence: &mut Vec<String>,
) -> Option<Domain> {
    let domain = domain?;
    let listed = |list: &[String]| {
        list.iter()
            .any(|text| domain::parse(text).as_ref() == Some(&domain))
    };
    let why = if domain::is_free_mail(&domain) {
        "is a public mail provider's"
    } else if listed(&options.own_domains) {
        "is our own"
    } else if listed(&options.excluded_domains) {
        "is excluded by the agreement"
    } else {
        return Some(domain);
    };
    evidence.push(format!("the {of} domain {domain} {why}"));
    None
}

#[cfg(test)]
mod tests;
