//! Fills a marketing system and a CRM the way years of use do: believable people and companies, and the usual mess.
//!
//! Companies are invented, people come from many countries and scripts. What leadloop must cope with is in here on
//! purpose: accounts that share a domain as parent and subsidiary or as plain duplicates, web sites typed in
//! every way, people whose mail domain is not their company's site, e-mail addresses in other letter case on the other
//! side, public mail providers, addresses that are none, people already in the CRM as contacts or as CRM leads, several
//! people of one unknown company, an owner who has left. The same options make the same two worlds.

mod companies;
pub(crate) mod drafts;
mod draw;
mod lists;
mod people;
#[cfg(test)]
pub(crate) mod plain;
mod stage;

pub(crate) use companies::{Company, Founder, as_typed, website};
pub(crate) use lists::{Lists, country_codes, freemail};
pub(crate) use people::{Mail, Person, Registry, retyped};
pub(crate) use stage::{known, person_values, put_in_roles};

use crate::Dialect;
use drafts::Draft;
use jiff::Timestamp;
use stage::{
    Calendar, stage_accounts, stage_contacts, stage_crm_leads, stage_leads, stage_opportunities,
    stage_users,
};

/// What to stage.
#[derive(Clone, Debug)]
pub struct Options {
    /// Makes this world and no other.
    pub seed: u64,
    /// How many people marketing holds.
    pub leads: usize,
    /// How many accounts the CRM holds.
    pub accounts: usize,
    /// When the story starts: everything staged was made in the three years before.
    pub start: Timestamp,
}

/// What was staged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// Accounts in the CRM.
    pub accounts: usize,
    /// Contacts in the CRM.
    pub contacts: usize,
    /// Unconverted CRM leads.
    pub crm_leads: usize,
    /// Opportunities in the CRM.
    pub opportunities: usize,
    /// People in marketing.
    pub leads: usize,
    /// Those of them that are an MQL or beyond.
    pub qualified: usize,
}

/// Fills both systems. They may hold something already; it is left alone.
pub fn populate(marketing: &mut dyn Dialect, crm: &mut dyn Dialect, options: &Options) -> Staged {
    let draft = Draft::draw(options);
    let calendar = Calendar {
        start: options.start,
    };
    let owners = stage_users(marketing, crm, &draft, &calendar);
    let accounts = stage_accounts(crm, &draft, &owners, &calendar);
    let contacts = stage_contacts(crm, &draft, &owners, &accounts, &calendar);
    let crm_leads = stage_crm_leads(crm, &draft, &owners, &calendar);
    let opportunities = stage_opportunities(crm, &draft, &owners, &accounts, &contacts, &calendar);
    stage_leads(marketing, &draft, &calendar);
    Staged {
        accounts: accounts.len(),
        contacts: contacts.len(),
        crm_leads,
        opportunities,
        leads: draft.leads.len(),
        qualified: draft
            .leads
            .iter()
            .filter(|lead| is_qualified_stage(lead.lifecycle))
            .count(),
    }
}

/// Lifecycle stages, in HubSpot's internal values, from which on a lead is sales' business.
pub(crate) fn is_qualified_stage(lifecycle: &str) -> bool {
    matches!(
        lifecycle,
        "marketingqualifiedlead" | "salesqualifiedlead" | "opportunity" | "customer"
    )
}

#[cfg(test)]
mod tests {
    use super::{plain::Plain, *};
    use crate::world::relation;
    use contract::{Kind, field};

    fn staged(seed: u64, leads: usize, accounts: usize) -> (Plain, Plain, Staged) {
        let (mut marketing, mut crm) = (Plain::marketing(), Plain::crm());
        let start = "2026-03-02T08:00:00Z".parse().unwrap();
        let staged = populate(
            &mut marketing,
            &mut crm,
            &Options {
                seed,
                leads,
                accounts,
                start,
            },
        );
        (marketing, crm, staged)
    }

    fn dump(dialect: &Plain) -> Vec<String> {
        Kind::ALL
            .iter()
            .filter_map(|kind| dialect.table(*kind))
            .flat_map(|table| {
                dialect
                    .world()
                    .table(table)
                    .rows()
                    .map(|row| format!("{row:?}"))
            })
            .collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_worlds_and_another_seed_others() {
        let (first, second, third) = (staged(7, 60, 20), staged(7, 60, 20), staged(8, 60, 20));
        assert_eq!(dump(&first.0), dump(&second.0));
        assert_eq!(dump(&first.1), dump(&second.1));
        assert_ne!(dump(&first.0), dump(&third.0));
    }

    #[test]
    fn the_mess_has_its_shares() {
        let (marketing, crm, staged) = staged(1, 4_000, 1_000);
        assert_eq!((staged.leads, staged.accounts), (4_000, 1_000));
        let emails: Vec<String> = marketing
            .live(Kind::Lead)
            .iter()
            .filter_map(|id| marketing.get(Kind::Lead, id, field::EMAIL))
            .collect();
        let free = freemail();
        let with_free = emails
            .iter()
            .filter(|email| {
                free.iter()
                    .any(|domain| email.ends_with(&format!("@{domain}")))
            })
            .count();
        assert!(
            (650..950).contains(&with_free),
            "{with_free} at public providers"
        );
        let in_crm = |kind| {
            emails
                .iter()
                .filter(|email| !crm.find(kind, field::EMAIL, email).is_empty())
                .count()
        };
        let (as_contact, as_lead) = (in_crm(Kind::Contact), in_crm(Kind::Lead));
        assert!(
            (650..950).contains(&as_contact),
            "{as_contact} known as contacts"
        );
        assert!(
            (280..520).contains(&as_lead),
            "{as_lead} known as CRM leads"
        );
        assert!(
            (1_900..2_500).contains(&staged.qualified),
            "{} qualified",
            staged.qualified
        );
        let opted_out = marketing.find(Kind::Lead, field::OPT_OUT, "true").len();
        assert!((120..280).contains(&opted_out), "{opted_out} opted out");
        assert_eq!(crm.find(Kind::User, field::ACTIVE, "false").len(), 1);
        assert!(
            crm.live(Kind::Account)
                .iter()
                .any(|id| crm.get(Kind::Account, id, relation::PARENT).is_some())
        );
    }

    #[test]
    fn no_address_comes_twice_in_marketing() {
        let (marketing, _, _) = staged(3, 3_000, 500);
        let mut emails: Vec<String> = marketing
            .live(Kind::Lead)
            .iter()
            .filter_map(|id| marketing.get(Kind::Lead, id, field::EMAIL))
            .filter(|email| email.contains('.'))
            .map(|email| email.trim().to_lowercase())
            .collect();
        let all = emails.len();
        emails.sort();
        emails.dedup();
        assert_eq!(emails.len(), all);
    }
}
