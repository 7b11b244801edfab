//! The account of a person: found, owed once for all its people, or left to the arbiter.

use super::{
    Case, Intent, Lane, Owner, feedback, fields, key_of_account, key_of_lead,
    matching::{self, Candidate, Found, Match},
};
use crate::agreement::NoCompany;
use contract::{Fields, Id, Kind, Operation, Record, Relation, Relations, Value, field};
use kit::Side;
use std::collections::BTreeMap;

impl Case<'_> {
    /// A contact without an account goes under the one found for it; one that has an account stays where people put it.
    pub(super) fn under_account(&mut self, lead: &Record, contact: &Record) {
        if contact.relations.one(Relation::Account).is_some() {
            return;
        }
        if let Some(found) = self.account(lead) {
            let relations = Relations::default().with(Relation::Account, found.account.0.as_str());
            let operation = Operation::Update {
                kind: Kind::Contact,
                id: contact.id.clone(),
                set: BTreeMap::new(),
                relations,
            };
            let slot = format!("account/{}", contact.id);
            self.owe(
                slot,
                Side::Crm,
                Lane::Update,
                operation,
                format!(
                    "put contact {} under {}",
                    contact.id,
                    self.named(&found.account)
                ),
                found.evidence,
            );
        }
    }
    /// Converts a CRM lead into its account, unless sales has turned the lead down.
    pub(super) fn convert(&mut self, lead: &Record, crm_lead: &Record) {
        if !self.agreement.matching.convert_leads {
            return;
        }
        if feedback::is_turned_down(feedback::status(
            crm_lead,
            &self.agreement.dispositions.lead_status,
        )) {
            self.reason("not converted: sales has turned the lead down".to_owned());
            return;
        }
        // The fields must agree before the lead becomes read-only.
        let unsettled = self.decision.intents.iter().any(|intent| {
            intent.side == Side::Crm
                && intent.operation.target() == Some((Kind::Lead, &crm_lead.id))
        });
        let Some(found) = self.account(lead) else {
            return;
        };
        if unsettled {
            self.reason(format!(
                "to be converted into {} once the lead is up to date",
                self.named(&found.account)
            ));
            return;
        }
        let owned = crm_lead
            .relations
            .one(Relation::Owner)
            .and_then(|owner| self.view.owners.get(owner))
            .is_some_and(|user| user.active);
        let owner = if owned {
            None
        } else {
            self.owner_of(&found.account)
        };
        let operation = Operation::Convert {
            lead: crm_lead.id.clone(),
            account: found.account.clone(),
            contact: None,
            owner,
            seen_status: crm_lead.fields.text(field::STATUS).map(str::to_owned),
        };
        let what = format!(
            "convert lead {} into {}",
            crm_lead.id,
            self.named(&found.account)
        );
        self.owe(
            format!("convert/{}", crm_lead.id),
            Side::Crm,
            Lane::NewLead,
            operation,
            what,
            found.evidence,
        );
    }

    /// Nobody in the CRM yet: a contact under its account, or a CRM lead where there is no usable company.
    pub(super) fn create(&mut self, lead: &Record) {
        let found = self.account(lead);
        let owed = self
            .decision
            .intents
            .iter()
            .any(|intent| matches!(intent.owner, Owner::Organisation(_)));
        let waiting = owed && matches!(self.decision.found, Some(Match::None { .. }));
        let ambiguous = matches!(self.decision.found, Some(Match::Ambiguous { .. }));
        let (kind, relations, reasons) = match found {
            Some(found) => {
                let mut relations = Relations::default().with(Relation::Account, found.account.0.as_str());
                if let Some(owner) = self.owner_of(&found.account) {
                    relations.set(Relation::Owner, owner);
                }
                (Kind::Contact, relations, found.evidence)
            }
            None if waiting => return self.reason("waits for its account to be created, or for what the CRM refused about it to be corrected".to_owned()),
            None if ambiguous => return self.reason("waiting for the arbiter to choose the account".to_owned()),
            None if self.agreement.matching.no_company == NoCompany::Wait => return self.reason("no usable company: waits in marketing".to_owned()),
            None => (Kind::Lead, Relations::default(), vec!["no usable company: becomes a CRM lead".to_owned()]),
        };
        let mut values = Fields::default();
        for rule in &self.agreement.fields {
            let Some(name) = super::crm_name(rule, kind) else {
                continue;
            };
            if rule.flow == crate::agreement::Flow::ToMarketing {
                continue;
            }
            let value = fields::alias(rule, lead.fields.get(&rule.marketing), Side::Crm);
            values.put(
                name,
                value.map(|value| self.view.limits.fit(Side::Crm, kind, name, value)),
            );
        }
        if self.decision.person.opted_out {
            values.set(field::OPT_OUT, true);
        }
        let key = key_of_lead(self.view.loop_name, &lead.id);
        let what = match relations.one(Relation::Account) {
            Some(account) => format!("create contact under {}", self.named(account)),
            None => "create CRM lead".to_owned(),
        };
        let operation = Operation::Create {
            kind,
            key,
            fields: values,
            relations,
        };
        self.owe(
            "create".to_owned(),
            Side::Crm,
            Lane::NewLead,
            operation,
            what,
            reasons,
        );
    }

    /// The account for a person; one that is missing is owed, once for all its people.
    fn account(&mut self, lead: &Record) -> Option<Found> {
        let candidate = Candidate {
            email: lead.fields.text(field::EMAIL),
            website: lead.fields.text(field::WEBSITE),
            company: lead.fields.text(field::COMPANY),
            country: lead.fields.text(field::COUNTRY),
        };
        let outcome = matching::find(self.view.accounts, &self.agreement.matching, &candidate);
        self.decision.found = Some(outcome.clone());
        match outcome {
            Match::Matched(found) => {
                self.reason(format!(
                    "{} by {} (confidence {}): {}",
                    self.named(&found.account),
                    found.rule,
                    found.confidence,
                    found.evidence.join("; ")
                ));
                Some(found)
            }
            Match::Ambiguous { accounts, evidence } => {
                let names: Vec<String> =
                    accounts.iter().map(|account| self.named(account)).collect();
                self.reviews.insert(
                    "account".to_owned(),
                    format!(
                        "which account: {}? {}",
                        names.join(", "),
                        evidence.join("; ")
                    ),
                );
                None
            }
            Match::None { domain, evidence } => {
                self.reason(format!("no account: {}", evidence.join("; ")));
                let domain = domain.filter(|_| self.agreement.matching.create_accounts)?;
                let key = key_of_account(self.view.loop_name, domain.as_str());
                if let Some(account) = self.view.accounts.with_key(&key) {
                    // Ours, although its web site no longer says so.
                    return Some(Found {
                        account: account.clone(),
                        rule: matching::Rule::EmailDomain,
                        confidence: rust_decimal::Decimal::new(98, 2),
                        evidence: vec![format!("the account was created for {domain}")],
                        runners_up: Vec::new(),
                    });
                }
                match self.view.accounts.buried(&key) {
                    Some(Some(account)) => {
                        return Some(Found {
                            account: account.clone(),
                            rule: matching::Rule::EmailDomain,
                            confidence: rust_decimal::Decimal::new(95, 2),
                            evidence: vec![format!(
                                "the account created for {domain} was merged into it"
                            )],
                            runners_up: Vec::new(),
                        });
                    }
                    Some(None) => {
                        self.reviews.insert("account".to_owned(), format!("the account created for {domain} was deleted in the CRM: none is created in its place; create one, or exclude the domain"));
                        return None;
                    }
                    None => {}
                }
                let domain = domain.as_str();
                // Whoever comes first names the account; the others owe the same one by its domain.
                let given = candidate
                    .company
                    .map(str::trim)
                    .filter(|name| name.chars().filter(|c| c.is_alphabetic()).count() > 1);
                let name = given.map_or_else(|| company_name(domain), str::to_owned);
                let name =
                    self.view
                        .limits
                        .fit(Side::Crm, Kind::Account, field::NAME, Value::Text(name));
                let mut fields = Fields::default()
                    .with(field::NAME, name)
                    .with(field::WEBSITE, domain);
                fields.put(field::COUNTRY, candidate.country.and_then(Value::text));
                let operation = Operation::Create {
                    kind: Kind::Account,
                    key,
                    fields,
                    relations: Relations::default(),
                };
                let owner = Owner::Organisation(domain.to_owned());
                let what = format!("create account for {domain}");
                let reasons = vec![format!("no account bears {domain}")];
                self.decision.intents.push(Intent::new(
                    self.view.loop_name,
                    owner,
                    "account".to_owned(),
                    Side::Crm,
                    Lane::NewLead,
                    operation,
                    what,
                    reasons,
                ));
                None
            }
        }
    }

    /// An account as people know it, with its id.
    fn named(&self, account: &Id) -> String {
        match self
            .view
            .accounts
            .account(account)
            .map(|account| account.name.as_str())
            .filter(|name| !name.is_empty())
        {
            Some(name) => format!("account {name} ({account})"),
            None => format!("account {account}"),
        }
    }

    fn owner_of(&self, account: &Id) -> Option<Id> {
        let owner = self.view.accounts.account(account)?.owner.clone()?;
        self.view.owners.get(&owner).filter(|user| user.active)?;
        Some(owner)
    }
}

/// A name for the account of a domain, until people give it a better one: the registrable label, capitalised.
fn company_name(domain: &str) -> String {
    let label = domain.split('.').next().unwrap_or(domain);
    let (label, _) = idna::domain_to_unicode(label);
    let mut words = label
        .split(['-', '_'])
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect::<String>())
                .unwrap_or_default()
        });
    let first = words.next().unwrap_or_default();
    words.fold(first, |name, word| format!("{name} {word}"))
}
