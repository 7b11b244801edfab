use super::{Domain, domain};
use crate::decide::normal;
use contract::{Id, Key, Record, Relation, Value, field};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An account as matching sees it.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Its name as written.
    pub name: String,
    /// Its own domains.
    pub domains: Vec<Domain>,
    /// Its country, normalised.
    pub country: Option<String>,
    /// Its type (customer, prospect).
    pub kind: Option<String>,
    /// The account above it.
    pub parent: Option<Id>,
    /// Who owns it.
    pub owner: Option<Id>,
    /// leadloop's key in it.
    pub key: Option<Key>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was last active.
    pub active: Option<Timestamp>,
    /// How many contacts it has.
    pub contacts: u32,
    /// How many of its opportunities are open.
    pub open_opportunities: u32,
}

/// All accounts, ready to be searched. Changing one account touches only what that account bears.
#[derive(Clone, Debug, Default)]
pub struct Index {
    accounts: HashMap<Id, Account>,
    by_domain: HashMap<Domain, BTreeSet<Id>>,
    by_contact_domain: HashMap<Domain, BTreeMap<Id, u32>>,
    by_name: HashMap<String, BTreeSet<Id>>,
    by_key: HashMap<Key, Id>,
    buried: BTreeMap<Key, Option<Id>>,
}

impl Index {
    /// The account with this id.
    pub fn account(&self, id: &Id) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// The account that bears leadloop's key.
    pub fn with_key(&self, key: &Key) -> Option<&Id> {
        self.by_key.get(key)
    }

    /// Whether any account bears a domain, by its own word.
    pub fn is_borne(&self, domain: &str) -> bool {
        domain::parse(domain).is_some_and(|domain| self.by_domain.contains_key(&domain))
    }

    /// Remembers that an account which leadloop made is gone, and what it lives on in, if anything.
    pub fn bury(&mut self, key: Key, lives_on: Option<Id>) {
        self.buried.insert(key, lives_on);
    }

    /// What became of the account with this key: nothing known, gone, or merged into another.
    pub fn buried(&self, key: &Key) -> Option<Option<&Id>> {
        self.buried.get(key).map(Option::as_ref)
    }

    /// Takes in an account as it is now.
    pub fn put_account(&mut self, record: &Record) {
        let before = self.take(&record.id);
        let text = |name: &str| record.fields.text(name);
        let time = |name: &str| record.fields.get(name).and_then(Value::as_time);
        let mut domains = Vec::new();
        for name in [field::WEBSITE, field::DOMAINS] {
            for domain in text(name).map(domain::all_of).unwrap_or_default() {
                if !domains.contains(&domain) && !domain::is_free_mail(&domain) {
                    domains.push(domain);
                }
            }
        }
        let account = Account {
            name: text(field::NAME).unwrap_or_default().to_owned(),
            domains,
            country: text(field::COUNTRY).map(normal::country),
            kind: text(field::TYPE).map(str::to_lowercase),
            parent: record.relations.one(Relation::Parent).cloned(),
            owner: record.relations.one(Relation::Owner).cloned(),
            key: record.key(),
            created: time(field::CREATED_AT),
            active: time(field::LAST_ACTIVITY_AT),
            contacts: before.as_ref().map_or(0, |before| before.contacts),
            open_opportunities: before
                .as_ref()
                .map_or(0, |before| before.open_opportunities),
        };
        for domain in &account.domains {
            self.by_domain
                .entry(domain.clone())
                .or_default()
                .insert(record.id.clone());
        }
        if let Some(name) = fold(&account.name) {
            self.by_name
                .entry(name)
                .or_default()
                .insert(record.id.clone());
        }
        if let Some(key) = &account.key {
            self.by_key.insert(key.clone(), record.id.clone());
        }
        self.accounts.insert(record.id.clone(), account);
    }

    /// Forgets an account that is gone.
    pub fn remove_account(&mut self, id: &Id) {
        self.take(id);
    }

    fn take(&mut self, id: &Id) -> Option<Account> {
        let account = self.accounts.remove(id)?;
        for domain in &account.domains {
            drop_from(&mut self.by_domain, domain, id);
        }
        if let Some(name) = fold(&account.name) {
            drop_from(&mut self.by_name, &name, id);
        }
        if let Some(key) = &account.key
            && self.by_key.get(key) == Some(id)
        {
            self.by_key.remove(key);
        }
        Some(account)
    }

    /// A contact was one way and is another now; `None` is "not there".
    pub fn contact_changed(&mut self, before: Option<&Record>, after: Option<&Record>) {
        for (record, step) in [(before, -1), (after, 1)] {
            let Some(account) = record.and_then(|record| record.relations.one(Relation::Account))
            else {
                continue;
            };
            // A contact may be read before its account: then an entry waits for it.
            let entry = self.accounts.entry(account.clone()).or_default();
            entry.contacts = entry.contacts.saturating_add_signed(step);
            let email = record.and_then(|record| record.fields.text(field::EMAIL));
            let Some(domain) =
                domain::of_email(email).filter(|domain| !domain::is_free_mail(domain))
            else {
                continue;
            };
            let counts = self.by_contact_domain.entry(domain).or_default();
            let count = counts.entry(account.clone()).or_default();
            *count = count.saturating_add_signed(step);
            if *count == 0 {
                counts.remove(account);
            }
        }
    }

    /// An opportunity was one way and is another now.
    pub fn opportunity_changed(&mut self, before: Option<&Record>, after: Option<&Record>) {
        for (record, step) in [(before, -1), (after, 1)] {
            let Some(record) = record.filter(|record| !record.fields.is_true(field::IS_CLOSED))
            else {
                continue;
            };
            let Some(account) = record.relations.one(Relation::Account) else {
                continue;
            };
            let entry = self.accounts.entry(account.clone()).or_default();
            entry.open_opportunities = entry.open_opportunities.saturating_add_signed(step);
        }
    }

    /// Accounts whose own domain this is.
    pub(super) fn bearing(&self, domain: &Domain) -> BTreeSet<&Id> {
        self.by_domain.get(domain).into_iter().flatten().collect()
    }

    /// Accounts of which at least so many contacts, and at least a third of all, have addresses there.
    pub(super) fn learned(&self, domain: &Domain, at_least: u32) -> BTreeSet<&Id> {
        let counts = self.by_contact_domain.get(domain).into_iter().flatten();
        counts
            .filter(|(id, count)| {
                **count >= at_least.max(1)
                    && self.accounts.get(*id).is_some_and(|account| {
                        !account.name.is_empty() && **count * 3 >= account.contacts
                    })
            })
            .map(|(id, _)| id)
            .collect()
    }

    /// Accounts of this name, unless their country is another.
    pub(super) fn named(&self, company: &str, country: Option<&str>) -> BTreeSet<&Id> {
        let Some(name) = fold(company) else {
            return BTreeSet::new();
        };
        let country = country.map(normal::country);
        let agrees = |id: &&Id| match (
            &country,
            self.accounts
                .get(*id)
                .and_then(|account| account.country.as_ref()),
        ) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        };
        self.by_name
            .get(&name)
            .into_iter()
            .flatten()
            .filter(agrees)
            .collect()
    }
}

fn drop_from<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<Id>>, key: &K, id: &Id) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}

/// Legal forms that say nothing about which company it is.
const LEGAL_FORMS: [&str; 34] = [
    "inc",
    "incorporated",
    "corp",
    "corporation",
    "co",
    "company",
    "llc",
    "llp",
    "lp",
    "ltd",
    "limited",
    "plc",
    "gmbh",
    "ag",
    "kg",
    "ohg",
    "ug",
    "se",
    "sa",
    "sas",
    "sarl",
    "srl",
    "spa",
    "bv",
    "nv",
    "ab",
    "as",
    "oy",
    "oyj",
    "aps",
    "kk",
    "pty",
    "ltda",
    "cv",
];

/// A company name as it is compared: lower case without punctuation and legal forms; `None` where nothing is left.
fn fold(name: &str) -> Option<String> {
    let plain: String = name
        .to_lowercase()
        .chars()
        .filter(|c| *c != '.')
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let mut words: Vec<&str> = plain
        .split_whitespace()
        .filter(|word| *word != "the")
        .collect();
    while words.len() > 1 && words.last().is_some_and(|word| LEGAL_FORMS.contains(word)) {
        words.pop();
    }
    (!words.is_empty()).then(|| words.join(" "))
}
