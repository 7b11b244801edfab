//! Small stories: a few people in two worlds, told minute by minute, and what the comparison says of them.

mod fields;
mod people;
mod verdicts;
mod worlds;

use super::*;
use crate::{Actor, Dialect, population::plain::Plain, world::relation};
use contract::{Kind, field};
use jiff::Timestamp;

/// Two small worlds in which things happen minute by minute.
struct Story {
    marketing: Plain,
    crm: Plain,
    minute: i64,
}

impl Story {
    fn new() -> Story {
        Story {
            marketing: Plain::marketing(),
            crm: Plain::crm(),
            minute: 0,
        }
    }

    fn now(&mut self) -> Timestamp {
        self.minute += 10;
        Timestamp::from_second(1_800_000_000 + self.minute * 60).unwrap()
    }

    fn lead(&mut self, email: &str, more: &[(&str, &str)]) -> String {
        let now = self.now();
        let mut values = vec![
            (field::EMAIL, email),
            (field::LIFECYCLE, "marketingqualifiedlead"),
            (field::LAST_NAME, "Abe"),
        ];
        values.extend(more);
        self.marketing
            .create(Kind::Lead, &values, Actor::Person, now)
    }

    fn make(&mut self, kind: Kind, actor: Actor, values: &[(&str, &str)]) -> String {
        let now = self.now();
        self.crm.create(kind, values, actor, now)
    }

    /// A contact that leadloop made for the lead.
    fn contact(&mut self, email: &str, more: &[(&str, &str)]) -> String {
        let mut values = vec![(field::EMAIL, email), (field::LAST_NAME, "Abe")];
        values.extend(more);
        self.make(Kind::Contact, Actor::Integration, &values)
    }

    fn in_marketing(&mut self, id: &str, actor: Actor, values: &[(&str, &str)]) {
        let now = self.now();
        assert!(self.marketing.set(Kind::Lead, id, values, actor, now));
    }

    fn in_crm(&mut self, kind: Kind, id: &str, actor: Actor, values: &[(&str, &str)]) {
        let now = self.now();
        assert!(self.crm.set(kind, id, values, actor, now));
    }

    fn note(&mut self, lead: &str, subject: &str) {
        let now = self.now();
        self.marketing.create(
            Kind::Note,
            &[(relation::ABOUT, lead), (field::SUBJECT, subject)],
            Actor::Integration,
            now,
        );
    }

    fn compare(&self) -> Comparison {
        compare(&self.marketing, &self.crm, &Expectations::default())
    }

    /// What is wrong, as `list: what`, in order.
    fn check(&self, expected: &[&str]) {
        let comparison = self.compare();
        let lists = [
            ("drift", &comparison.drift),
            ("duplicate", &comparison.duplicates),
            ("lost", &comparison.lost),
        ];
        let told: Vec<String> = lists
            .iter()
            .flat_map(|(list, differences)| {
                differences
                    .iter()
                    .map(move |difference| format!("{list}: {}", difference.what))
            })
            .collect();
        assert_eq!(told, expected, "{comparison:#?}");
    }
}
