//! Both worlds, indexed the way the rules ask.

use super::{Expectations, domain};
use crate::{
    Actor, Dialect,
    world::{FieldChange, Row, relation},
};
use contract::{Kind, field};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What the rules look at.
pub(super) struct Case<'a> {
    pub(super) marketing: Marketing<'a>,
    pub(super) crm: Crm<'a>,
    pub(super) expectations: &'a Expectations,
}

/// A person in marketing.
pub(super) struct Lead<'a> {
    pub(super) row: &'a Row,
    /// The present address as a key.
    pub(super) email: Option<String>,
    /// Addresses of records that were merged into this one.
    pub(super) merged_emails: BTreeSet<String>,
    /// Addresses that the record had before.
    pub(super) former_emails: BTreeSet<String>,
    /// Whether it is sales' business.
    pub(super) qualified: bool,
    /// Since when, if it is.
    pub(super) since: Timestamp,
    pub(super) opted_out: bool,
}

impl Lead<'_> {
    /// All addresses that the person is or was known by, the present one first.
    pub(super) fn emails(&self) -> impl Iterator<Item = &String> {
        self.email
            .iter()
            .chain(&self.merged_emails)
            .chain(&self.former_emails)
    }

    /// How a difference names the person.
    pub(super) fn who(&self) -> String {
        format!(
            "{} (lead {})",
            self.email.as_deref().unwrap_or("no address"),
            self.row.id
        )
    }
}

/// Marketing's world.
pub(super) struct Marketing<'a> {
    pub(super) dialect: &'a dyn Dialect,
    pub(super) leads: Vec<Lead<'a>>,
    /// Texts of the timeline notes that an integration wrote, in lower case, by lead.
    pub(super) notes: BTreeMap<String, Vec<String>>,
}

impl<'a> Marketing<'a> {
    pub(super) fn of(dialect: &'a dyn Dialect, expectations: &Expectations) -> Marketing<'a> {
        let mut marketing = Marketing {
            dialect,
            leads: Vec::new(),
            notes: BTreeMap::new(),
        };
        let Some(table) = dialect.table(Kind::Lead) else {
            return marketing;
        };
        let mut merged: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for row in dialect
            .world()
            .table(table)
            .rows()
            .filter(|row| row.merged_into.is_some())
        {
            if let Some(winner) = dialect.world().resolve(table, &row.id) {
                merged.entry(&winner.id).or_default().extend(email_history(
                    dialect,
                    Kind::Lead,
                    row,
                ));
            }
        }
        for row in dialect.world().table(table).live() {
            let email = dialect
                .get(Kind::Lead, &row.id, field::EMAIL)
                .and_then(|email| domain::address(&email));
            let mut merged_emails = merged.remove(row.id.as_str()).unwrap_or_default();
            let mut former_emails = email_history(dialect, Kind::Lead, row);
            if let Some(email) = &email {
                merged_emails.remove(email);
                former_emails.remove(email);
            }
            let since = qualified_since(dialect, row, expectations);
            marketing.leads.push(Lead {
                row,
                qualified: email.is_some() && since.is_some(),
                since: since.unwrap_or(row.created),
                email,
                merged_emails,
                former_emails,
                opted_out: is_true(dialect, Kind::Lead, &row.id, field::OPT_OUT),
            });
        }
        marketing.notes = notes(dialect, table);
        marketing
    }
}

/// Where a person stands in the CRM.
pub(super) struct Person<'a> {
    pub(super) kind: Kind,
    pub(super) row: &'a Row,
    /// The CRM lead that the contact was before.
    pub(super) origin: Option<&'a Row>,
    pub(super) account: Option<String>,
    pub(super) opted_out: bool,
}

/// The CRM's world.
pub(super) struct Crm<'a> {
    pub(super) dialect: &'a dyn Dialect,
    /// Live contacts and unconverted live leads.
    pub(super) people: Vec<Person<'a>>,
    /// Places in `people`.
    pub(super) by_email: BTreeMap<String, Vec<usize>>,
    /// Addresses of records that are there no more, where that is no loss: people deleted them, or they live on in another record.
    pub(super) excused: BTreeSet<String>,
    /// Live accounts by id.
    pub(super) accounts: BTreeMap<&'a str, &'a Row>,
    /// Ids of live accounts by registrable domain.
    pub(super) by_domain: BTreeMap<String, Vec<&'a str>>,
    /// Ids of live opportunities by contact with a live role.
    pub(super) with_role: BTreeMap<String, Vec<String>>,
    /// Ids of live opportunities that have no role, by account.
    pub(super) without_role: BTreeMap<String, Vec<String>>,
}

impl<'a> Crm<'a> {
    pub(super) fn of(dialect: &'a dyn Dialect) -> Crm<'a> {
        let mut crm = Crm {
            dialect,
            people: Vec::new(),
            by_email: BTreeMap::new(),
            excused: BTreeSet::new(),
            accounts: BTreeMap::new(),
            by_domain: BTreeMap::new(),
            with_role: BTreeMap::new(),
            without_role: BTreeMap::new(),
        };
        crm.read_accounts();
        let origins = crm.read_leads();
        crm.read_contacts(&origins);
        crm.read_opportunities();
        crm
    }

    /// Everybody in the CRM under one of these addresses.
    pub(super) fn known_by<'s>(
        &'s self,
        emails: impl Iterator<Item = &'s String>,
    ) -> Vec<&'s Person<'a>> {
        let places: BTreeSet<usize> = emails
            .filter_map(|email| self.by_email.get(email))
            .flatten()
            .copied()
            .collect();
        places
            .into_iter()
            .map(|place| &self.people[place])
            .collect()
    }

    fn read_accounts(&mut self) {
        let dialect = self.dialect;
        let Some(table) = dialect.table(Kind::Account) else {
            return;
        };
        for row in dialect.world().table(table).live() {
            let mut domains = BTreeSet::new();
            for name in [field::WEBSITE, field::DOMAINS] {
                domains.extend(domain::website_domains(
                    &dialect
                        .get(Kind::Account, &row.id, name)
                        .unwrap_or_default(),
                ));
            }
            for domain in domains {
                self.by_domain.entry(domain).or_default().push(&row.id);
            }
            self.accounts.insert(&row.id, row);
        }
    }

    /// Reads CRM leads; answers with the lead that each contact was before.
    fn read_leads(&mut self) -> BTreeMap<String, &'a Row> {
        let dialect = self.dialect;
        let mut origins = BTreeMap::new();
        let Some(table) = dialect.table(Kind::Lead) else {
            return origins;
        };
        for row in dialect.world().table(table).rows() {
            if !row.is_live() {
                self.excuse(Kind::Lead, table, row);
            } else if is_true(dialect, Kind::Lead, &row.id, field::IS_CONVERTED) {
                let Some(contact) = dialect.get(Kind::Lead, &row.id, relation::CONVERTED_CONTACT)
                else {
                    continue;
                };
                let lives_on = dialect
                    .table(Kind::Contact)
                    .and_then(|contacts| dialect.world().resolve(contacts, &contact));
                // What people did to the contact afterwards is theirs; that an integration deletes it is a loss.
                if lives_on.is_some_and(|contact| {
                    contact.is_live() || contact.modified_by != Actor::Integration
                }) {
                    self.excused.extend(email_history(dialect, Kind::Lead, row));
                }
                origins.insert(lives_on.map_or(contact, |row| row.id.clone()), row);
            } else {
                self.push(Kind::Lead, row, None);
            }
        }
        origins
    }

    fn read_contacts(&mut self, origins: &BTreeMap<String, &'a Row>) {
        let dialect = self.dialect;
        let Some(table) = dialect.table(Kind::Contact) else {
            return;
        };
        for row in dialect.world().table(table).rows() {
            if row.is_live() {
                self.push(Kind::Contact, row, origins.get(&row.id).copied());
            } else {
                self.excuse(Kind::Contact, table, row);
            }
        }
    }

    fn push(&mut self, kind: Kind, row: &'a Row, origin: Option<&'a Row>) {
        let email = self
            .dialect
            .get(kind, &row.id, field::EMAIL)
            .and_then(|email| domain::address(&email));
        if let Some(email) = email {
            self.by_email
                .entry(email)
                .or_default()
                .push(self.people.len());
        }
        self.people.push(Person {
            kind,
            row,
            origin,
            account: self.dialect.get(kind, &row.id, relation::ACCOUNT),
            opted_out: is_true(self.dialect, kind, &row.id, field::OPT_OUT),
        });
    }

    /// A person record that is gone is no loss if people deleted it, or if it was merged into one that lives or that people deleted.
    fn excuse(&mut self, kind: Kind, table: &str, row: &Row) {
        let last = self.dialect.world().resolve(table, &row.id).unwrap_or(row);
        if last.is_live() || last.modified_by != Actor::Integration {
            self.excused.extend(email_history(self.dialect, kind, row));
        }
    }

    fn read_opportunities(&mut self) {
        let dialect = self.dialect;
        let Some(opportunities) = dialect.table(Kind::Opportunity) else {
            return;
        };
        let mut with_any: BTreeSet<String> = BTreeSet::new();
        if let Some(roles) = dialect.table(Kind::Role) {
            for role in dialect.world().table(roles).live() {
                let pointer = |name| dialect.get(Kind::Role, &role.id, name);
                let (Some(opportunity), Some(contact)) =
                    (pointer(relation::OPPORTUNITY), pointer(relation::CONTACT))
                else {
                    continue;
                };
                if dialect
                    .world()
                    .get_live(opportunities, &opportunity)
                    .is_some()
                {
                    with_any.insert(opportunity.clone());
                    self.with_role.entry(contact).or_default().push(opportunity);
                }
            }
        }
        for row in dialect.world().table(opportunities).live() {
            let contacts = dialect
                .get(Kind::Opportunity, &row.id, relation::CONTACT)
                .unwrap_or_default();
            for contact in contacts.split(';').filter(|contact| !contact.is_empty()) {
                with_any.insert(row.id.clone());
                self.with_role
                    .entry(contact.to_owned())
                    .or_default()
                    .push(row.id.clone());
            }
            if with_any.contains(&row.id) {
                continue;
            }
            if let Some(account) = dialect.get(Kind::Opportunity, &row.id, relation::ACCOUNT) {
                self.without_role
                    .entry(account)
                    .or_default()
                    .push(row.id.clone());
            }
        }
    }
}

/// The history of one canonical field of a row, oldest first.
pub(super) fn history<'r>(
    dialect: &dyn Dialect,
    kind: Kind,
    row: &'r Row,
    name: &str,
) -> impl DoubleEndedIterator<Item = &'r FieldChange> {
    let native = dialect.native(kind, name).unwrap_or_default();
    row.history
        .iter()
        .filter(move |change| change.field == native)
}

/// Whether a field says yes.
pub(super) fn is_true(dialect: &dyn Dialect, kind: Kind, id: &str, name: &str) -> bool {
    dialect
        .get(kind, id, name)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// All addresses that a record ever had.
fn email_history(dialect: &dyn Dialect, kind: Kind, row: &Row) -> BTreeSet<String> {
    let values =
        history(dialect, kind, row, field::EMAIL).filter_map(|change| change.value.as_deref());
    values.filter_map(domain::address).collect()
}

/// Since when a record has been in a qualified stage, if it is in one.
fn qualified_since(
    dialect: &dyn Dialect,
    row: &Row,
    expectations: &Expectations,
) -> Option<Timestamp> {
    let mut since = None;
    for change in history(dialect, Kind::Lead, row, field::LIFECYCLE) {
        let stage = change.value.as_deref().unwrap_or_default();
        let qualifies = expectations.qualified_stages.contains(stage);
        since = qualifies.then(|| since.unwrap_or(change.at));
    }
    since
}

fn notes(dialect: &dyn Dialect, leads: &str) -> BTreeMap<String, Vec<String>> {
    let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let Some(table) = dialect.table(Kind::Note) else {
        return notes;
    };
    for row in dialect
        .world()
        .table(table)
        .live()
        .filter(|row| row.created_by == Actor::Integration)
    {
        let text = |name| {
            dialect
                .get(Kind::Note, &row.id, name)
                .unwrap_or_default()
                .to_lowercase()
        };
        let words = format!("{} {}", text(field::SUBJECT), text(field::BODY));
        let about = dialect
            .get(Kind::Note, &row.id, relation::ABOUT)
            .unwrap_or_default();
        for lead in about
            .split(';')
            .filter_map(|lead| dialect.world().resolve(leads, lead))
        {
            notes
                .entry(lead.id.clone())
                .or_default()
                .push(words.clone());
        }
    }
    notes
}
