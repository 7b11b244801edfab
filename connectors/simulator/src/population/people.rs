//! People: e-mail addresses, phone numbers and the small ways in which two systems write the same thing differently.

use super::{
    companies::Company,
    lists::{Lists, Name},
};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use std::collections::BTreeSet;

/// Somebody, as they are.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    /// `None` where no system knows it.
    pub(crate) email: Option<String>,
    pub(crate) title: String,
    pub(crate) phone: String,
    pub(crate) country: String,
    pub(crate) state: String,
    pub(crate) city: String,
}

/// Where somebody gets their e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mail<'a> {
    /// At their company.
    Business(&'a Company),
    /// At a public provider.
    Free,
    /// An address that cannot be one.
    Malformed,
    /// Not known.
    None,
}

impl PartialEq for Company {
    fn eq(&self, other: &Self) -> bool {
        self.domain == other.domain
    }
}

impl Eq for Company {}

/// Invents people, no address twice.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    taken: BTreeSet<String>,
}

impl Registry {
    pub(crate) fn person(
        &mut self,
        lists: &Lists,
        place: usize,
        mail: Mail<'_>,
        rng: &mut StdRng,
    ) -> Person {
        // One in ten works in another country than the company.
        let place = if rng.random_bool(0.1) {
            lists.place(rng)
        } else {
            place
        };
        let here = &lists.places[place];
        let (given, family) = lists.person(here, rng);
        let (city, state) = here.cities.choose(rng).copied().unwrap_or_default();
        let country = if rng.random_bool(0.1) {
            here.spellings.choose(rng).copied().unwrap_or(here.country)
        } else {
            here.country
        };
        Person {
            email: self.email(lists, &given, &family, mail, rng),
            first_name: given.written.to_owned(),
            last_name: family.written.to_owned(),
            title: lists.word("titles", rng).to_owned(),
            phone: phone(here.dial, rng),
            country: country.to_owned(),
            state: state.to_owned(),
            city: city.to_owned(),
        }
    }

    fn email(
        &mut self,
        lists: &Lists,
        given: &Name,
        family: &Name,
        mail: Mail<'_>,
        rng: &mut StdRng,
    ) -> Option<String> {
        let local = local_part(given, family, rng);
        let domain = match mail {
            Mail::None => return None,
            Mail::Malformed => return Some(malformed(&local, rng)),
            Mail::Free => lists.word("freemail", rng).to_owned(),
            Mail::Business(company) if rng.random_bool(0.05) => {
                format!(
                    "{}.{}",
                    ["mail", "eu", "office", "corp"][rng.random_range(0..4)],
                    company.mail_domain
                )
            }
            Mail::Business(company) => company.mail_domain.clone(),
        };
        let mut email = format!("{local}@{domain}");
        let mut number = 1;
        while !self.taken.insert(email.clone()) {
            number += 1;
            email = format!("{local}{number}@{domain}");
        }
        Some(email)
    }
}

fn local_part(given: &Name, family: &Name, rng: &mut StdRng) -> String {
    let (given, family) = (&given.latin, &family.latin);
    let initial = given.chars().next().unwrap_or('x');
    match rng.random_range(0..10) {
        0..5 => format!("{given}.{family}"),
        5..7 => format!("{initial}.{family}"),
        7 => format!("{initial}{family}"),
        8 => format!("{given}_{family}"),
        _ => format!("{given}{family}"),
    }
}

fn malformed(local: &str, rng: &mut StdRng) -> String {
    match rng.random_range(0..4) {
        0 => format!("{local}(at)company"),
        1 => format!("{local}@"),
        2 => format!("{local} {}@mail", rng.random_range(10..99)),
        _ => format!("{local}@@web..de"),
    }
}

fn phone(dial: &str, rng: &mut StdRng) -> String {
    if rng.random_bool(0.08) {
        return String::new();
    }
    let area = rng.random_range(20..999);
    let first = rng.random_range(100..999);
    let last = rng.random_range(1_000..9_999);
    match rng.random_range(0..7) {
        0..3 => format!("+{dial} {area} {first}{last}"),
        3 => format!("+{dial} ({area}) {first}-{last}"),
        4 => format!("+{dial}.{area}.{first}.{last}"),
        5 => format!("+{dial}/{area}/{first} {last}"),
        _ => format!("+{dial}-{area}-{first}-{last}"),
    }
}

/// The same phone number with other punctuation.
pub(crate) fn rewritten(phone: &str, rng: &mut StdRng) -> String {
    let mark = [" ", "-", ".", ""][rng.random_range(0..4)];
    let groups: Vec<&str> = phone
        .split(|letter: char| !letter.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .collect();
    if groups.is_empty() {
        String::new()
    } else {
        format!("+{}", groups.join(mark))
    }
}

/// The same e-mail address in other letters, as people type them.
pub(crate) fn retyped(email: &str, rng: &mut StdRng) -> String {
    match rng.random_range(0..4) {
        0 => email.to_uppercase(),
        1 => {
            let mut after_mark = true;
            let capitals = |letter: char| {
                let capital = if after_mark {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                };
                after_mark = matches!(letter, '.' | '_' | '-');
                capital
            };
            let (local, domain) = email.split_once('@').unwrap_or((email, ""));
            format!(
                "{}@{domain}",
                local.chars().map(capitals).collect::<String>()
            )
        }
        2 => {
            let (local, domain) = email.split_once('@').unwrap_or((email, ""));
            format!("{local}@{}", domain.to_uppercase())
        }
        _ => email.to_owned(),
    }
}
