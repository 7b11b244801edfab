use super::{Candidate, Found, Index, Match, Rule};
use crate::{
    agreement::{Matching, TieBreaker},
    decide::normal,
};
use contract::Id;
use rust_decimal::Decimal;
use std::{cmp::Reverse, collections::BTreeSet};

/// Picks one of the accounts that fit equally well, asking the agreement's tie-breakers in order.
pub fn decide(
    index: &Index,
    options: &Matching,
    candidate: &Candidate<'_>,
    rule: Rule,
    accounts: BTreeSet<&Id>,
    mut evidence: Vec<String>,
) -> Match {
    let mut level: Vec<&Id> = accounts.iter().copied().collect();
    let several = level.len() > 1;
    if several {
        evidence.push(format!("{} accounts come into question", level.len()));
    }
    for tie_breaker in &options.tie_breakers {
        if level.len() == 1 {
            break;
        }
        let kept = best(index, *tie_breaker, candidate, &level);
        if kept.len() < level.len() {
            evidence.push(format!(
                "{tie_breaker}: {} of {} remain",
                kept.len(),
                level.len()
            ));
            level = kept;
        }
    }
    match level.as_slice() {
        [account] => Match::Matched(Found {
            account: (*account).clone(),
            rule,
            confidence: confidence(rule, several),
            evidence,
            runners_up: accounts
                .into_iter()
                .filter(|id| *id != *account)
                .cloned()
                .collect(),
        }),
        _ => Match::Ambiguous {
            accounts: level.into_iter().cloned().collect(),
            evidence,
        },
    }
}

/// How sure each rule is. A tie that had to be broken lowers it.
fn confidence(rule: Rule, several: bool) -> Decimal {
    let sure = match rule {
        Rule::EmailDomain => 98,
        Rule::ContactDomain => 93,
        Rule::WebsiteDomain => 92,
        Rule::CompanyName => 80,
    };
    Decimal::new(if several { sure - 10 } else { sure }, 2)
}

fn best<'a>(
    index: &Index,
    tie_breaker: TieBreaker,
    candidate: &Candidate<'_>,
    level: &[&'a Id],
) -> Vec<&'a Id> {
    let account = |id: &Id| index.account(id);
    match tie_breaker {
        TieBreaker::SameCountry => {
            let Some(country) = candidate.country.map(normal::country) else {
                return level.to_vec();
            };
            keep_if(level, |id| {
                account(id).and_then(|account| account.country.as_ref()) == Some(&country)
            })
        }
        TieBreaker::Customer => keep_if(level, |id| {
            account(id)
                .and_then(|account| account.kind.as_deref())
                .is_some_and(|kind| kind.contains("customer"))
        }),
        TieBreaker::OpenOpportunity => keep_if(level, |id| {
            account(id).is_some_and(|account| account.open_opportunities > 0)
        }),
        TieBreaker::MostContacts => {
            keep_most(level, |id| account(id).map(|account| account.contacts))
        }
        TieBreaker::RecentActivity => {
            keep_most(level, |id| account(id).and_then(|account| account.active))
        }
        TieBreaker::TopOfHierarchy => {
            let among = |parent: &Id| level.contains(&parent);
            keep_if(level, |id| {
                !account(id)
                    .and_then(|account| account.parent.as_ref())
                    .is_some_and(among)
            })
        }
        TieBreaker::Oldest => keep_most(level, |id| {
            account(id).and_then(|account| account.created).map(Reverse)
        }),
    }
}

/// Those for which it holds, or all where it holds for none.
fn keep_if<'a>(level: &[&'a Id], holds: impl Fn(&Id) -> bool) -> Vec<&'a Id> {
    let kept: Vec<&Id> = level.iter().copied().filter(|id| holds(id)).collect();
    if kept.is_empty() {
        level.to_vec()
    } else {
        kept
    }
}

/// Those with the highest figure; those without any come last.
fn keep_most<'a, T: Ord>(level: &[&'a Id], figure: impl Fn(&Id) -> Option<T>) -> Vec<&'a Id> {
    let most = level.iter().map(|id| figure(id)).max().flatten();
    level
        .iter()
        .copied()
        .filter(|id| figure(id) == most)
        .collect()
}
