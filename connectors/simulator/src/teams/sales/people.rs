//! What sales does with people: verdicts, corrections, and the housekeeping that goes wrong at times.

use super::{SalesTeam, because, move_children, set_known};
use crate::{
    Actor, Dialect,
    compare::domain::{email_domain, website_domains},
    population::{
        Mail,
        drafts::{RECYCLE_REASONS, REJECT_REASONS},
        freemail, known, person_values, retyped,
    },
    teams::{convert, domain_of, label, new_phone, pick},
    world::relation,
};
use contract::{Kind, field};
use jiff::Timestamp;
use rand::{RngExt, seq::IndexedRandom};
use std::collections::BTreeMap;

impl SalesTeam {
    pub(super) fn lead_status(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let lead = self.open_lead(crm)?;
        let (status, reason, verb) = match self.rng.random_range(0..10) {
            0..5 => ("Working - Contacted", "", "is working on"),
            5..8 => (
                "Closed - Not Converted",
                self.one_of(&REJECT_REASONS),
                "turned down",
            ),
            _ => ("Recycled", self.one_of(&RECYCLE_REASONS), "gave back"),
        };
        if crm.get(Kind::Lead, &lead, field::STATUS).as_deref() == Some(status) {
            return None;
        }
        set_known(
            crm,
            Kind::Lead,
            &lead,
            &[(field::STATUS, status), (field::STATUS_REASON, reason)],
            now,
        );
        let who = self.rep_of(crm, Kind::Lead, &lead);
        Some(because(
            format!("{who} {verb} {}", label(crm, Kind::Lead, &lead)),
            reason,
        ))
    }

    pub(super) fn convert(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let lead = self.open_lead(crm)?;
        let account = self.account_for(crm, &lead);
        let (who, whom) = (
            self.rep_of(crm, Kind::Lead, &lead),
            label(crm, Kind::Lead, &lead),
        );
        let converted = convert(crm, &lead, account.as_deref(), Actor::Person, now)?;
        let under = crm
            .get(Kind::Account, &converted.account, field::NAME)
            .unwrap_or_default();
        Some(format!(
            "{who} converted {whom} into a contact under {under}"
        ))
    }

    pub(super) fn contact_status(
        &mut self,
        crm: &mut dyn Dialect,
        now: Timestamp,
    ) -> Option<String> {
        crm.native(Kind::Contact, field::STATUS)?;
        let contact = self.contact(crm)?;
        let (status, reason, verb) = match self.rng.random_range(0..20) {
            0..7 => ("Accepted", "", "accepted"),
            7..12 => ("Working", "", "is working on"),
            12..15 => ("Rejected", self.one_of(&REJECT_REASONS), "rejected"),
            15..17 => ("Recycled", self.one_of(&RECYCLE_REASONS), "recycled"),
            _ => ("Qualified", "", "qualified"),
        };
        if crm.get(Kind::Contact, &contact, field::STATUS).as_deref() == Some(status) {
            return None;
        }
        set_known(
            crm,
            Kind::Contact,
            &contact,
            &[(field::STATUS, status), (field::STATUS_REASON, reason)],
            now,
        );
        let who = self.rep_of(crm, Kind::Contact, &contact);
        Some(because(
            format!("{who} {verb} {}", label(crm, Kind::Contact, &contact)),
            reason,
        ))
    }

    pub(super) fn edit(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let (kind, id) = if self.rng.random_bool(0.75) {
            (Kind::Contact, self.contact(crm)?)
        } else {
            (Kind::Lead, self.open_lead(crm)?)
        };
        let (name, value) = if self.rng.random_bool(0.5) {
            (
                field::TITLE,
                self.lists.word("titles", &mut self.rng).to_owned(),
            )
        } else {
            (field::PHONE, new_phone(&mut self.rng))
        };
        crm.native(kind, name)?;
        crm.set(kind, &id, &[(name, &value)], Actor::Person, now);
        Some(format!(
            "{} noted a new {name} of {}: {value}",
            self.rep_of(crm, kind, &id),
            label(crm, kind, &id)
        ))
    }

    pub(super) fn change_owner(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let contact = self.contact(crm)?;
        let before = self.rep_of(crm, Kind::Contact, &contact);
        let active = crm.find(Kind::User, field::ACTIVE, "true");
        let owner = active.choose(&mut self.rng)?;
        if crm.get(Kind::Contact, &contact, relation::OWNER).as_ref() == Some(owner) {
            return None;
        }
        crm.set(
            Kind::Contact,
            &contact,
            &[(relation::OWNER, owner)],
            Actor::Person,
            now,
        );
        Some(format!(
            "{before} handed {} to {}",
            label(crm, Kind::Contact, &contact),
            self.rep_of(crm, Kind::Contact, &contact)
        ))
    }

    pub(super) fn opt_out(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let contact = self.contact(crm)?;
        if crm.get(Kind::Contact, &contact, field::OPT_OUT).as_deref() == Some("true") {
            return None;
        }
        crm.set(
            Kind::Contact,
            &contact,
            &[(field::OPT_OUT, "true")],
            Actor::Person,
            now,
        );
        Some(format!(
            "{} asked {} for no more mail",
            label(crm, Kind::Contact, &contact),
            self.rep_of(crm, Kind::Contact, &contact)
        ))
    }

    pub(super) fn add_contact(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let account = &pick(crm, Kind::Account, &mut self.rng, |_| true)?;
        let twin = if self.rng.random_bool(0.25) {
            self.contact(crm)
        } else {
            None
        };
        let held: Vec<(&'static str, String)>;
        let values = match &twin {
            Some(twin) => {
                let email = crm
                    .get(Kind::Contact, twin, field::EMAIL)
                    .map(|email| retyped(&email, &mut self.rng))?;
                let text = |name: &str| crm.get(Kind::Contact, twin, name).unwrap_or_default();
                held = vec![
                    (field::FIRST_NAME, text(field::FIRST_NAME)),
                    (field::LAST_NAME, text(field::LAST_NAME)),
                    (field::EMAIL, email),
                    (relation::ACCOUNT, text(relation::ACCOUNT)),
                    (relation::OWNER, text(relation::OWNER)),
                ];
                held.iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect()
            }
            None => {
                let place = self.lists.place(&mut self.rng);
                let person = self
                    .registry
                    .person(&self.lists, place, Mail::Free, &mut self.rng);
                let owner = crm
                    .get(Kind::Account, account, relation::OWNER)
                    .unwrap_or_default();
                held = person_values(&person)
                    .into_iter()
                    .map(|(name, value)| (name, value.to_owned()))
                    .chain([
                        (relation::ACCOUNT, account.clone()),
                        (relation::OWNER, owner),
                    ])
                    .collect();
                held.iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect::<Vec<_>>()
            }
        };
        let values = known(crm, Kind::Contact, &values);
        let contact = crm.create(Kind::Contact, &values, Actor::Person, now);
        let how = if twin.is_some() {
            "once more"
        } else {
            "by hand"
        };
        Some(format!(
            "{} typed in {} {how}",
            self.rep_of(crm, Kind::Contact, &contact),
            label(crm, Kind::Contact, &contact)
        ))
    }

    pub(super) fn merge_contacts(
        &mut self,
        crm: &mut dyn Dialect,
        now: Timestamp,
    ) -> Option<String> {
        let email = crm.native(Kind::Contact, field::EMAIL)?;
        let mut by_email: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in crm.world().table(crm.table(Kind::Contact)?).live() {
            if let Some(email) = row.field(email) {
                by_email
                    .entry(email.trim().to_lowercase())
                    .or_default()
                    .push(row.id.clone());
            }
        }
        let twins: Vec<&Vec<String>> = by_email
            .values()
            .filter(|contacts| contacts.len() > 1)
            .collect();
        let [winner, loser, ..] = twins.choose(&mut self.rng)?.as_slice() else {
            return None;
        };
        let opted_out = [winner, loser]
            .iter()
            .any(|id| crm.get(Kind::Contact, id, field::OPT_OUT).as_deref() == Some("true"));
        let kept = crm.merge(Kind::Contact, winner, &[loser], Actor::Person, now)?;
        move_children(crm, Kind::Role, relation::CONTACT, loser, &kept, now);
        // Whoever merges by hand keeps the stricter wish.
        if opted_out && crm.get(Kind::Contact, &kept, field::OPT_OUT).as_deref() != Some("true") {
            crm.set(
                Kind::Contact,
                &kept,
                &[(field::OPT_OUT, "true")],
                Actor::Person,
                now,
            );
        }
        Some(format!(
            "{} merged two records of {}",
            self.rep_of(crm, Kind::Contact, &kept),
            label(crm, Kind::Contact, &kept)
        ))
    }

    pub(super) fn delete_contact(
        &mut self,
        crm: &mut dyn Dialect,
        now: Timestamp,
    ) -> Option<String> {
        let contact = self.contact(crm)?;
        let (who, whom) = (
            self.rep_of(crm, Kind::Contact, &contact),
            label(crm, Kind::Contact, &contact),
        );
        crm.delete(Kind::Contact, &contact, Actor::Person, now)
            .then(|| format!("{who} deleted {whom}"))
    }

    /// The account a rep converts a lead into: one with the lead's domain if the rep looks for it, else a new one.
    fn account_for(&mut self, crm: &dyn Dialect, lead: &str) -> Option<String> {
        let email = crm.get(Kind::Lead, lead, field::EMAIL)?;
        let domain = email_domain(&email)?;
        if freemail().contains(&domain.as_str())
            || domain_of(&email).is_none()
            || self.rng.random_bool(0.15)
        {
            return None;
        }
        let website = crm.native(Kind::Account, field::WEBSITE)?;
        let mut accounts = crm.world().table(crm.table(Kind::Account)?).live();
        accounts
            .find(|row| {
                row.field(website)
                    .is_some_and(|site| website_domains(site).contains(&domain))
            })
            .map(|row| row.id.clone())
    }
}
