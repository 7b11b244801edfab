//! The people who use the CRM: how their days are drawn and whom they turn to.

mod deals;
mod people;

use super::{ATTEMPTS, pick, weighted};
use crate::{
    Actor, Dialect,
    population::{Lists, Registry},
    world::{Row, relation},
};
use contract::{Kind, field};
use jiff::Timestamp;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// How often sales does what: weights, 0 for never.
#[derive(Clone, Debug)]
pub struct SalesRates {
    /// Most actions in one step; at least one is tried.
    pub actions: usize,
    /// A CRM lead gets another status, with a reason where it is closed or recycled.
    pub lead_status: u32,
    /// Sales converts a CRM lead itself.
    pub convert: u32,
    /// A contact gets another status, with a reason where it is rejected or recycled.
    pub contact_status: u32,
    /// An opportunity is opened: four in five with a contact role, the others on the account alone.
    pub open_opportunity: u32,
    /// An open opportunity moves to its next stage.
    pub move_stage: u32,
    /// An open opportunity is won or lost.
    pub close_opportunity: u32,
    /// A title or phone number is corrected.
    pub edit: u32,
    /// A contact gets another owner.
    pub change_owner: u32,
    /// Somebody asks sales not to be mailed.
    pub opt_out: u32,
    /// A contact is typed in by hand, at times one that the CRM has already.
    pub add_contact: u32,
    /// Two contacts with one e-mail address are merged.
    pub merge_contacts: u32,
    /// Two accounts with one domain and name are merged.
    pub merge_accounts: u32,
    /// A contact is deleted.
    pub delete_contact: u32,
}

impl Default for SalesRates {
    fn default() -> Self {
        SalesRates {
            actions: 2,
            lead_status: 12,
            convert: 4,
            contact_status: 34,
            open_opportunity: 14,
            move_stage: 14,
            close_opportunity: 9,
            edit: 10,
            change_owner: 3,
            opt_out: 3,
            add_contact: 3,
            merge_contacts: 1,
            merge_accounts: 1,
            delete_contact: 1,
        }
    }
}

/// The people who use the CRM.
#[derive(Debug)]
pub struct SalesTeam {
    rng: StdRng,
    rates: SalesRates,
    lists: Lists,
    registry: Registry,
    stopped: bool,
}

#[derive(Clone, Copy)]
enum Action {
    LeadStatus,
    Convert,
    ContactStatus,
    OpenOpportunity,
    MoveStage,
    CloseOpportunity,
    Edit,
    ChangeOwner,
    OptOut,
    AddContact,
    MergeContacts,
    MergeAccounts,
    DeleteContact,
}

impl SalesTeam {
    /// A team that does the same for the same seed in the same world.
    pub fn new(seed: u64, rates: SalesRates) -> Self {
        SalesTeam {
            rng: StdRng::seed_from_u64(seed),
            rates,
            lists: Lists::read(),
            registry: Registry::default(),
            stopped: false,
        }
    }

    /// Goes home: later steps do nothing.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// A little work. What was done, in sentences.
    pub fn step(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Vec<String> {
        if self.stopped {
            return Vec::new();
        }
        let wanted = self.rng.random_range(1..=self.rates.actions.max(1));
        let mut done = Vec::new();
        for _ in 0..wanted * ATTEMPTS {
            if done.len() >= wanted {
                break;
            }
            done.extend(self.act(crm, now));
        }
        done
    }

    fn act(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let rates = &self.rates;
        let choices = [
            (rates.lead_status, Action::LeadStatus),
            (rates.convert, Action::Convert),
            (rates.contact_status, Action::ContactStatus),
            (rates.open_opportunity, Action::OpenOpportunity),
            (rates.move_stage, Action::MoveStage),
            (rates.close_opportunity, Action::CloseOpportunity),
            (rates.edit, Action::Edit),
            (rates.change_owner, Action::ChangeOwner),
            (rates.opt_out, Action::OptOut),
            (rates.add_contact, Action::AddContact),
            (rates.merge_contacts, Action::MergeContacts),
            (rates.merge_accounts, Action::MergeAccounts),
            (rates.delete_contact, Action::DeleteContact),
        ];
        match weighted(&choices, &mut self.rng)? {
            Action::LeadStatus => self.lead_status(crm, now),
            Action::Convert => self.convert(crm, now),
            Action::ContactStatus => self.contact_status(crm, now),
            Action::OpenOpportunity => self.open_opportunity(crm, now),
            Action::MoveStage => self.move_stage(crm, now),
            Action::CloseOpportunity => self.close_opportunity(crm, now),
            Action::Edit => self.edit(crm, now),
            Action::ChangeOwner => self.change_owner(crm, now),
            Action::OptOut => self.opt_out(crm, now),
            Action::AddContact => self.add_contact(crm, now),
            Action::MergeContacts => self.merge_contacts(crm, now),
            Action::MergeAccounts => self.merge_accounts(crm, now),
            Action::DeleteContact => self.delete_contact(crm, now),
        }
    }

    /// Somebody to act on: mostly people who were handed over.
    fn contact(&mut self, crm: &dyn Dialect) -> Option<String> {
        self.someone(crm, Kind::Contact, |_| true)
    }

    /// A CRM lead that nobody has converted, mostly one that was handed over.
    fn open_lead(&mut self, crm: &dyn Dialect) -> Option<String> {
        let converted = crm.native(Kind::Lead, field::IS_CONVERTED)?;
        self.someone(crm, Kind::Lead, |row| row.field(converted) != Some("true"))
    }

    fn someone(
        &mut self,
        crm: &dyn Dialect,
        kind: Kind,
        fits: impl Fn(&Row) -> bool,
    ) -> Option<String> {
        let handed = |row: &Row| {
            row.created_by == Actor::Integration || row.modified_by == Actor::Integration
        };
        let handed_over = pick(crm, kind, &mut self.rng, |row| handed(row) && fits(row));
        if handed_over.is_some() && self.rng.random_bool(0.85) {
            return handed_over;
        }
        pick(crm, kind, &mut self.rng, fits)
    }

    /// The owner's name, or some rep's where the owner is none.
    fn rep_of(&mut self, crm: &dyn Dialect, kind: Kind, id: &str) -> String {
        let owner = crm
            .get(kind, id, relation::OWNER)
            .and_then(|owner| crm.get(Kind::User, &owner, field::NAME));
        owner.unwrap_or_else(|| self.lists.word("reps", &mut self.rng).to_owned())
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words.choose(&mut self.rng).copied().unwrap_or_default()
    }
}

/// Sets values that the vendor has fields for; empty ones clear.
fn set_known(
    crm: &mut dyn Dialect,
    kind: Kind,
    id: &str,
    values: &[(&'static str, &str)],
    now: Timestamp,
) {
    let values: Vec<(&str, &str)> = values
        .iter()
        .copied()
        .filter(|(name, _)| crm.native(kind, name).is_some())
        .collect();
    crm.set(kind, id, &values, Actor::Person, now);
}

/// Points what pointed to a merged record to the one that lives on, where the vendor has not done so itself.
fn move_children(
    crm: &mut dyn Dialect,
    kind: Kind,
    pointer: &str,
    from: &str,
    to: &str,
    now: Timestamp,
) {
    for child in crm.find(kind, pointer, from) {
        crm.set(kind, &child, &[(pointer, to)], Actor::Person, now);
    }
}

fn because(sentence: String, reason: &str) -> String {
    if reason.is_empty() {
        sentence
    } else {
        format!("{sentence}: {}", reason.to_lowercase())
    }
}

#[cfg(test)]
mod tests;
