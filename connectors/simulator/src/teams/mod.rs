//! Two teams at work: people who use the marketing system and the CRM while leadloop runs between them.
//!
//! Each step is a little work at the vendor's own screens, drawn from a seed, and tells in a sentence what was done.
//! Sales works mostly on people who were handed over, so that there is always a verdict on its way back. The teams see
//! only their own system; nothing here knows of leadloop.

mod convert;
mod marketing;
mod sales;

pub use convert::{Converted, convert};
pub use marketing::{MarketingRates, MarketingTeam};
pub use sales::{SalesRates, SalesTeam};

use crate::{Dialect, world::Row};
use contract::{Kind, field};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

/// How often one kind of action is tried before the step is given up: worlds may have nothing to act on.
const ATTEMPTS: usize = 6;

/// One of the weighted choices; `None` where all weights are zero.
fn weighted<T: Copy>(choices: &[(u32, T)], rng: &mut StdRng) -> Option<T> {
    let total: u32 = choices.iter().map(|(weight, _)| weight).sum();
    if total == 0 {
        return None;
    }
    let mut drawn = rng.random_range(0..total);
    for (weight, choice) in choices {
        if drawn < *weight {
            return Some(*choice);
        }
        drawn -= weight;
    }
    None
}

/// A live record of this kind that fits, drawn by chance.
fn pick(
    dialect: &dyn Dialect,
    kind: Kind,
    rng: &mut StdRng,
    fits: impl Fn(&Row) -> bool,
) -> Option<String> {
    let table = dialect.world().table(dialect.table(kind)?);
    let fitting: Vec<&str> = table
        .live()
        .filter(|row| fits(row))
        .map(|row| row.id.as_str())
        .collect();
    fitting.choose(rng).map(|id| (*id).to_owned())
}

/// A person as colleagues speak of them: name and company.
fn label(dialect: &dyn Dialect, kind: Kind, id: &str) -> String {
    let text = |name: &str| {
        dialect
            .get(kind, id, name)
            .filter(|text| !text.trim().is_empty())
    };
    let name = match (text(field::FIRST_NAME), text(field::LAST_NAME)) {
        (Some(first), Some(last)) => format!("{first} {last}"),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => text(field::EMAIL).unwrap_or_else(|| "somebody without a name".to_owned()),
    };
    let account = text(crate::world::relation::ACCOUNT)
        .and_then(|account| dialect.get(Kind::Account, &account, field::NAME));
    match account.or_else(|| text(field::COMPANY)) {
        Some(company) => format!("{name} ({})", company.trim()),
        None => name,
    }
}

/// The domain of an e-mail address, in lower case.
fn domain_of(email: &str) -> Option<String> {
    email
        .trim()
        .rsplit_once('@')
        .map(|(_, domain)| domain.to_lowercase())
        .filter(|domain| domain.contains('.'))
}

fn new_phone(rng: &mut StdRng) -> String {
    format!(
        "+{} {} {}{}",
        rng.random_range(20..99),
        rng.random_range(20..999),
        rng.random_range(100..999),
        rng.random_range(1_000..9_999)
    )
}
