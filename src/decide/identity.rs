//! Which person a record belongs to: first what is linked already, then an id that one side stores of the other, then a key
//! that leadloop wrote, then the normalised e-mail address.

use super::{Person, PersonId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What speaks for a record being a person's. Each list holds persons, the strongest evidence first.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The person that the record is linked to already.
    pub linked: Option<Person>,
    /// Persons of records that this one points to or that point to it: conversion, merge, stored ids.
    pub by_id: Vec<Person>,
    /// Persons whose record bears the same key.
    pub by_key: Vec<Person>,
    /// Persons with a record of the same e-mail address.
    pub by_email: Vec<Person>,
}

/// Where a record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The person, or none: the record begins a new one.
    pub person: Option<PersonId>,
    /// Persons who turn out to be the same and are taken in.
    pub absorbed: Vec<PersonId>,
    /// What decided.
    pub by: By,
}

/// What decided where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// It was linked already.
    Link,
    /// An id that one record stores of the other.
    Id,
    /// leadloop's key.
    Key,
    /// The e-mail address.
    Email,
    /// Nothing: it is new.
    New,
}

/// Places a record. Two persons are joined by key or e-mail only while at most one of them has records on both sides:
/// two pairs that come to share an address stay two, and a person decides.
pub fn place(evidence: &Evidence) -> Placement {
    let ranked = evidence
        .linked
        .iter()
        .map(|person| (By::Link, person))
        .chain(evidence.by_id.iter().map(|person| (By::Id, person)))
        .chain(evidence.by_key.iter().map(|person| (By::Key, person)))
        .chain(evidence.by_email.iter().map(|person| (By::Email, person)));
    let mut chosen: Option<(By, &Person)> = None;
    let mut paired = false;
    let mut absorbed = BTreeSet::new();
    for (by, person) in ranked {
        match chosen {
            None => {
                paired = person.is_paired();
                chosen = Some((by, person));
            }
            Some((_, first)) if first.id == person.id => {}
            // Ids are the vendor's own word that the records are one.
            Some(_) if by == By::Id || !(paired && person.is_paired()) => {
                paired |= person.is_paired();
                absorbed.insert(person.id.clone());
            }
            Some(_) => {}
        }
    }
    match chosen {
        Some((by, person)) => {
            absorbed.remove(&person.id);
            Placement {
                person: Some(person.id.clone()),
                absorbed: absorbed.into_iter().collect(),
                by,
            }
        }
        None => Placement {
            person: None,
            absorbed: Vec::new(),
            by: By::New,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Ref;

    /// A person named by an id, with records written as `marketing/lead/1 crm/contact/2`.
    fn person(id: &str, records: &str) -> Person {
        let mut records = records
            .split(' ')
            .map(|text| Ref::try_from(text.to_owned()).expect("a record"));
        let mut person = Person::new(
            PersonId(id.into()),
            records.next().expect("at least one record"),
        );
        person.records.extend(records);
        person
    }

    fn check(evidence: Evidence, person: Option<&str>, absorbed: &[&str], by: By) {
        let placement = place(&evidence);
        assert_eq!(placement.person.as_ref().map(|id| id.0.as_str()), person);
        assert_eq!(
            placement
                .absorbed
                .iter()
                .map(|id| id.0.as_str())
                .collect::<Vec<_>>(),
            absorbed
        );
        assert_eq!(placement.by, by);
    }

    #[test]
    fn a_record_nobody_knows_begins_a_person() {
        check(Evidence::default(), None, &[], By::New);
    }

    #[test]
    fn a_link_survives_a_changed_address() {
        let evidence = Evidence {
            linked: Some(person("ada", "marketing/lead/1 crm/contact/2")),
            ..Evidence::default()
        };
        check(evidence, Some("ada"), &[], By::Link);
    }

    #[test]
    fn a_key_weighs_more_than_an_address() {
        let evidence = Evidence {
            by_key: vec![person("ada", "marketing/lead/1 crm/contact/2")],
            by_email: vec![person("eve", "marketing/lead/9 crm/contact/8")],
            ..Evidence::default()
        };
        check(evidence, Some("ada"), &[], By::Key);
    }

    #[test]
    fn a_lead_and_the_contact_of_the_same_address_become_one_person() {
        let evidence = Evidence {
            linked: Some(person("contact", "crm/contact/2")),
            by_email: vec![person("lead", "marketing/lead/1")],
            ..Evidence::default()
        };
        check(evidence, Some("contact"), &["lead"], By::Link);
    }

    #[test]
    fn two_pairs_that_come_to_share_an_address_stay_two() {
        let evidence = Evidence {
            linked: Some(person("ada", "marketing/lead/1 crm/contact/2")),
            by_email: vec![person("bob", "marketing/lead/3 crm/contact/4")],
            ..Evidence::default()
        };
        check(evidence, Some("ada"), &[], By::Link);
    }

    #[test]
    fn a_vendors_own_merge_joins_even_two_pairs() {
        let evidence = Evidence {
            linked: Some(person("ada", "marketing/lead/1 crm/contact/2")),
            by_id: vec![person("bob", "marketing/lead/3 crm/contact/4")],
            ..Evidence::default()
        };
        check(evidence, Some("ada"), &["bob"], By::Link);
    }
}
