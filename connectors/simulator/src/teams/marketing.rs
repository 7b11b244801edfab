//! The people who use the marketing system.

use super::{ATTEMPTS, domain_of, label, new_phone, pick, weighted};
use crate::{
    Actor, Dialect,
    population::{
        Company, Founder, Lists, Mail, Person, Registry, as_typed, freemail, is_qualified_stage,
        known, person_values,
    },
    world::Row,
};
use contract::{Kind, field};
use jiff::Timestamp;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// How often marketing does what: weights, 0 for never.
#[derive(Clone, Debug)]
pub struct MarketingRates {
    /// Most actions in one step; at least one is tried.
    pub actions: usize,
    /// New people arrive, at times several colleagues at once.
    pub new_lead: u32,
    /// A title, phone number or city is corrected.
    pub edit: u32,
    /// Somebody's e-mail address changes.
    pub change_email: u32,
    /// Somebody becomes an MQL.
    pub qualify: u32,
    /// Somebody unsubscribes.
    pub unsubscribe: u32,
    /// Two records are merged.
    pub merge: u32,
    /// A record is deleted.
    pub delete: u32,
}

impl Default for MarketingRates {
    fn default() -> Self {
        MarketingRates {
            actions: 2,
            new_lead: 30,
            edit: 25,
            change_email: 4,
            qualify: 20,
            unsubscribe: 4,
            merge: 2,
            delete: 1,
        }
    }
}

/// The people who use the marketing system.
#[derive(Debug)]
pub struct MarketingTeam {
    rng: StdRng,
    rates: MarketingRates,
    lists: Lists,
    founder: Founder,
    registry: Registry,
    stopped: bool,
}

#[derive(Clone, Copy)]
enum Action {
    NewLead,
    Edit,
    ChangeEmail,
    Qualify,
    Unsubscribe,
    Merge,
    Delete,
}

impl MarketingTeam {
    /// A team that does the same for the same seed in the same world.
    pub fn new(seed: u64, rates: MarketingRates) -> Self {
        MarketingTeam {
            rng: StdRng::seed_from_u64(seed),
            rates,
            lists: Lists::read(),
            founder: Founder::default(),
            registry: Registry::default(),
            stopped: false,
        }
    }

    /// Goes home: later steps do nothing.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// A little work. What was done, in sentences.
    pub fn step(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> Vec<String> {
        if self.stopped {
            return Vec::new();
        }
        let wanted = self.rng.random_range(1..=self.rates.actions.max(1));
        let mut done = Vec::new();
        for _ in 0..wanted * ATTEMPTS {
            if done.len() >= wanted {
                break;
            }
            done.extend(self.act(marketing, now));
        }
        done
    }

    fn act(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let rates = &self.rates;
        let choices = [
            (rates.new_lead, Action::NewLead),
            (rates.edit, Action::Edit),
            (rates.change_email, Action::ChangeEmail),
            (rates.qualify, Action::Qualify),
            (rates.unsubscribe, Action::Unsubscribe),
            (rates.merge, Action::Merge),
            (rates.delete, Action::Delete),
        ];
        match weighted(&choices, &mut self.rng)? {
            Action::NewLead => Some(self.new_leads(marketing, now)),
            Action::Edit => self.edit(marketing, now),
            Action::ChangeEmail => self.change_email(marketing, now),
            Action::Qualify => self.qualify(marketing, now),
            Action::Unsubscribe => self.unsubscribe(marketing, now),
            Action::Merge => self.merge(marketing, now),
            Action::Delete => self.delete(marketing, now),
        }
    }

    fn new_leads(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> String {
        let (company, people) = match self.rng.random_range(0..10) {
            0..5 => (self.colleague_company(marketing), 1),
            5..7 => (
                Some(self.founder.found(&self.lists, &mut self.rng)),
                self.rng.random_range(2..4),
            ),
            _ => (None, 1),
        };
        let mut told = Vec::new();
        for _ in 0..people {
            let person = self.somebody_new(marketing, company.as_ref());
            let typed = company
                .as_ref()
                .map(|company| as_typed(company, &mut self.rng))
                .unwrap_or_default();
            let lifecycle = if self.rng.random_bool(0.6) {
                "marketingqualifiedlead"
            } else {
                "lead"
            };
            let score = self.rng.random_range(10..100).to_string();
            let mut values = person_values(&person);
            values.extend([
                (field::COMPANY, typed.as_str()),
                (field::LIFECYCLE, lifecycle),
                (field::SCORE, &score),
                (
                    field::LEAD_SOURCE,
                    self.lists.word("sources", &mut self.rng),
                ),
            ]);
            let values = known(marketing, Kind::Lead, &values);
            let id = marketing.create(Kind::Lead, &values, Actor::Person, now);
            told.push(label(marketing, Kind::Lead, &id));
        }
        format!("{} filled in a form", told.join(" and "))
    }

    fn somebody_new(&mut self, marketing: &dyn Dialect, company: Option<&Company>) -> Person {
        let place =
            company.map_or_else(|| self.lists.place(&mut self.rng), |company| company.place);
        let mail = company.map_or(Mail::Free, Mail::Business);
        loop {
            let person = self
                .registry
                .person(&self.lists, place, mail, &mut self.rng);
            // The registry never gives an address twice, so this ends.
            if person
                .email
                .as_deref()
                .is_none_or(|email| marketing.find(Kind::Lead, field::EMAIL, email).is_empty())
            {
                return person;
            }
        }
    }

    /// The company of somebody whom marketing knows, as far as marketing knows it.
    fn colleague_company(&mut self, marketing: &dyn Dialect) -> Option<Company> {
        let lead = self.someone(marketing)?;
        let domain = marketing
            .get(Kind::Lead, &lead, field::EMAIL)
            .as_deref()
            .and_then(domain_of)?;
        if freemail().contains(&domain.as_str()) || domain.contains("..") || domain.contains('@') {
            return None;
        }
        let name = marketing.get(Kind::Lead, &lead, field::COMPANY)?;
        let place = self.lists.place(&mut self.rng);
        Some(Company {
            place,
            brand: name.clone(),
            name,
            mail_domain: domain.clone(),
            domain,
            industry: "",
        })
    }

    fn edit(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let lead = &self.someone(marketing)?;
        let place = self.lists.place(&mut self.rng);
        let (name, value) = match self.rng.random_range(0..3) {
            0 => (
                field::TITLE,
                self.lists.word("titles", &mut self.rng).to_owned(),
            ),
            1 => (field::PHONE, new_phone(&mut self.rng)),
            _ => (
                field::CITY,
                self.lists.places[place]
                    .cities
                    .choose(&mut self.rng)?
                    .0
                    .to_owned(),
            ),
        };
        marketing.native(Kind::Lead, name)?;
        marketing.set(Kind::Lead, lead, &[(name, &value)], Actor::Person, now);
        Some(format!(
            "{} has a new {name} in marketing: {value}",
            label(marketing, Kind::Lead, lead)
        ))
    }

    fn change_email(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let lead = &self.someone(marketing)?;
        let old = marketing.get(Kind::Lead, lead, field::EMAIL)?;
        let (local, domain) = old.trim().split_once('@')?;
        let new = format!(
            "{}{}@{}",
            local.to_lowercase(),
            self.rng.random_range(2..90),
            domain.to_lowercase()
        );
        if domain_of(&new).is_none()
            || domain.contains('@')
            || !marketing.find(Kind::Lead, field::EMAIL, &new).is_empty()
        {
            return None;
        }
        marketing.set(
            Kind::Lead,
            lead,
            &[(field::EMAIL, &new)],
            Actor::Person,
            now,
        );
        Some(format!(
            "{} changed their address to {new}",
            label(marketing, Kind::Lead, lead)
        ))
    }

    fn qualify(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let lead = &self.someone(marketing)?;
        let stage = marketing
            .get(Kind::Lead, lead, field::LIFECYCLE)
            .unwrap_or_default();
        if is_qualified_stage(&stage) {
            return None;
        }
        let score = self.rng.random_range(60..100).to_string();
        let values = known(
            marketing,
            Kind::Lead,
            &[
                (field::LIFECYCLE, "marketingqualifiedlead"),
                (field::SCORE, &score),
            ],
        );
        marketing.set(Kind::Lead, lead, &values, Actor::Person, now);
        Some(format!(
            "{} became an MQL",
            label(marketing, Kind::Lead, lead)
        ))
    }

    fn unsubscribe(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let lead = &self.someone(marketing)?;
        if marketing.get(Kind::Lead, lead, field::OPT_OUT).as_deref() == Some("true") {
            return None;
        }
        marketing.set(
            Kind::Lead,
            lead,
            &[(field::OPT_OUT, "true")],
            Actor::Person,
            now,
        );
        Some(format!(
            "{} unsubscribed",
            label(marketing, Kind::Lead, lead)
        ))
    }

    /// Two records of one company, taken for one person: vendors do not ask whether they are.
    fn merge(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let winner = &self.someone(marketing)?;
        let at = format!(
            "@{}",
            marketing
                .get(Kind::Lead, winner, field::EMAIL)
                .as_deref()
                .and_then(domain_of)?
        );
        let email = marketing.native(Kind::Lead, field::EMAIL)?;
        let colleague = |row: &Row| {
            row.id != *winner && row.field(email).is_some_and(|email| email.ends_with(&at))
        };
        let loser = pick(marketing, Kind::Lead, &mut self.rng, colleague)?;
        let gone = label(marketing, Kind::Lead, &loser);
        let kept = marketing.merge(Kind::Lead, winner, &[&loser], Actor::Person, now)?;
        Some(format!(
            "marketing merged {gone} into {}",
            label(marketing, Kind::Lead, &kept)
        ))
    }

    fn someone(&mut self, marketing: &dyn Dialect) -> Option<String> {
        pick(marketing, Kind::Lead, &mut self.rng, |_| true)
    }

    fn delete(&mut self, marketing: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let lead = &self.someone(marketing)?;
        let gone = label(marketing, Kind::Lead, lead);
        marketing
            .delete(Kind::Lead, lead, Actor::Person, now)
            .then(|| format!("marketing deleted {gone}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::{Options, plain::Plain, populate};

    fn start() -> Timestamp {
        "2026-03-02T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_day_of_marketing_is_told_in_sentences_and_repeats_from_its_seed() {
        let day = || {
            let (mut marketing, mut crm) = (Plain::marketing(), Plain::crm());
            populate(
                &mut marketing,
                &mut crm,
                &Options {
                    seed: 4,
                    leads: 120,
                    accounts: 30,
                    start: start(),
                },
            );
            let mut team = MarketingTeam::new(9, MarketingRates::default());
            (0..200)
                .flat_map(|_| team.step(&mut marketing, start()))
                .collect::<Vec<String>>()
        };
        let told = day();
        assert_eq!(told, day());
        for word in [
            "filled in a form",
            "became an MQL",
            "unsubscribed",
            "changed their address",
            "merged",
            "has a new",
        ] {
            assert!(
                told.iter().any(|sentence| sentence.contains(word)),
                "nothing {word}"
            );
        }
    }

    #[test]
    fn after_stop_nothing_happens() {
        let mut marketing = Plain::marketing();
        let mut team = MarketingTeam::new(1, MarketingRates::default());
        assert!(
            !team.step(&mut marketing, start()).is_empty(),
            "an empty world still gets new leads"
        );
        team.stop();
        let before = marketing.world().log().len();
        assert!(team.step(&mut marketing, start()).is_empty());
        assert_eq!(marketing.world().log().len(), before);
    }
}
