//! Decides what is missing: one pure function from everything known about one person to the writes that are still owed.
//!
//! [`decide`] looks at state, never at events. Seeing the same page twice, late or out of order changes nothing; an echo of
//! our own write finds nothing missing. There is no IO here, no clock and no chance: values in, values out, and every
//! decision carries its reasons in words that operations understand.

pub mod feedback;
pub mod fields;
pub mod identity;
mod intent;
pub mod matching;
pub mod normal;
mod outcome;
mod person;
pub mod view;

pub use intent::{Intent, Lane, Owner, key_of_account, key_of_lead, key_of_note, person_of};
pub use outcome::{Settlement, settle};
pub use person::{Base, Person, PersonId, Receipt, Ref, Refusal, Review, Ruling, Stage, Verdict};
pub use view::{User, View};

use crate::agreement::{Agreement, FieldRule, NoCompany};
use contract::{Fields, Id, Kind, Operation, Record, Relation, Relations, Value, field};
use fields::{Next, Standing};
use jiff::Timestamp;
use kit::Side;
use matching::{Candidate, Found, Match};
use std::collections::BTreeMap;

/// What is to be done about one person.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Every write that is missing right now, whether owed already or not.
    pub intents: Vec<Intent>,
    /// The person as known from now on.
    pub person: Person,
    /// What is settled from now on.
    pub base: Base,
    /// What came of looking for an account, if that was needed.
    pub found: Option<Match>,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// Decides about one person.
pub fn decide(agreement: &Agreement, view: &View<'_>, now: Timestamp) -> Decision {
    let mut case = Case {
        agreement,
        view,
        now,
        decision: Decision {
            intents: Vec::new(),
            person: view.person.clone(),
            base: view.base.clone(),
            found: None,
            reasons: Vec::new(),
        },
        reviews: BTreeMap::new(),
    };
    case.opt_out();
    if case.is_for_sales() {
        case.with_sales();
    }
    case.finish()
}

struct Case<'a> {
    agreement: &'a Agreement,
    view: &'a View<'a>,
    now: Timestamp,
    decision: Decision,
    reviews: BTreeMap<String, String>,
}

impl Case<'_> {
    /// Opted out anywhere is opted out everywhere, for as long as the person is known, whether or not sales has the lead.
    fn opt_out(&mut self) {
        let view = self.view;
        let live = || {
            view.marketing
                .iter()
                .map(|record| (Side::Marketing, *record))
                .chain(view.crm().map(|record| (Side::Crm, record)))
        };
        let seen = live().find(|(_, record)| record.fields.is_true(field::OPT_OUT));
        if let Some((side, record)) = seen
            && !self.decision.person.opted_out
        {
            self.decision.person.opted_out = true;
            self.reason(format!(
                "opted out: seen on {}",
                Ref::new(side, record.kind, record.id.clone())
            ));
        }
        if !self.decision.person.opted_out {
            return;
        }
        let missing: Vec<(Side, Kind, Id)> = live()
            .filter(|(_, record)| !record.fields.is_true(field::OPT_OUT))
            .map(|(side, record)| (side, record.kind, record.id.clone()))
            .collect();
        for (side, kind, id) in missing {
            // Marketing's preference belongs to an address: without one there is nobody to mail.
            if side == Side::Marketing
                && self
                    .view
                    .marketing
                    .iter()
                    .any(|record| record.id == id && record.fields.text(field::EMAIL).is_none())
            {
                continue;
            }
            let set = BTreeMap::from([(field::OPT_OUT.to_owned(), Some(Value::Bool(true)))]);
            let operation = Operation::Update {
                kind,
                id: id.clone(),
                set,
                relations: Relations::default(),
            };
            let reasons = vec!["opted out on either side means both".to_owned()];
            self.owe(
                format!("opt-out/{side}/{kind}/{id}"),
                side,
                Lane::OptOut,
                operation,
                format!("opt out {side} {kind} {id}"),
                reasons,
            );
        }
    }

    /// Whether sales has the lead already, or shall have it now.
    fn is_for_sales(&mut self) -> bool {
        let Some(lead) = self.view.marketing.first().copied() else {
            if self.view.person.handed_over.is_some() {
                self.reason("gone from marketing: left as it is in the CRM".to_owned());
            }
            return false;
        };
        if self.view.marketing.len() > 1 {
            let others: Vec<String> = self.view.marketing[1..]
                .iter()
                .map(|record| record.id.to_string())
                .collect();
            self.reviews.insert(
                "marketing-duplicates".to_owned(),
                format!(
                    "marketing has duplicates of lead {}: {}",
                    lead.id,
                    others.join(", ")
                ),
            );
        }
        if self.view.person.handed_over.is_some() {
            return true;
        }
        let mut answers = self
            .view
            .marketing
            .iter()
            .map(|lead| self.agreement.mql.holds(&lead.fields));
        let first = answers.next().unwrap_or(Ok(false));
        let answer = if answers.any(|answer| answer == Ok(true)) {
            Ok(true)
        } else {
            first
        };
        match answer {
            Ok(true)
                if normal::email(lead.fields.text(field::EMAIL)).is_none()
                    && self.view.crm().next().is_none() =>
            {
                let words = "meets the lead definition, but has no valid e-mail address to know the person by: correct it in marketing";
                self.reviews.insert("address".to_owned(), words.to_owned());
                false
            }
            Ok(true) => {
                self.reason("meets the lead definition (MQL)".to_owned());
                true
            }
            Ok(false) => {
                self.reason("does not meet the lead definition yet".to_owned());
                false
            }
            Err(error) => {
                self.reviews.insert(
                    "definition".to_owned(),
                    format!("the lead definition cannot be evaluated for this lead: {error}"),
                );
                false
            }
        }
    }

    fn with_sales(&mut self) {
        let lead = self.view.marketing[0];
        self.report_duplicates();
        if let Some(contact) = self
            .view
            .contacts
            .first()
            .copied()
            .filter(|contact| !self.is_outranked(lead, contact))
        {
            self.hand_over("the CRM has the contact");
            self.under_account(lead, contact);
            self.in_step(lead, contact);
        } else if let Some(crm_lead) = self.view.leads.first().copied() {
            self.hand_over("the CRM has the lead");
            self.in_step(lead, crm_lead);
            self.convert(lead, crm_lead);
        } else if let Some((record, at)) = self
            .view
            .person
            .gone
            .iter()
            .filter(|(record, _)| record.side == Side::Crm)
            .max_by_key(|(_, at)| **at)
        {
            let reason = format!(
                "{record} was deleted in the CRM, seen at {at}: nothing is created in its place"
            );
            self.reason(reason);
        } else if !self.view.converted.is_empty() {
            self.reason("converted in the CRM; waiting for the contact to be read".to_owned());
        } else if let Some(missing) = self.view.missing.first() {
            self.reason(format!(
                "{missing} is linked and cannot be read in the CRM: nothing is created in its place"
            ));
        } else {
            self.create(lead);
        }
        self.feed_back();
    }

    /// Whether the CRM has a lead at the person's address while the contact is at another: then the lead is who is meant.
    fn is_outranked(&self, lead: &Record, contact: &Record) -> bool {
        let address = |record: &Record| normal::email(record.fields.text(field::EMAIL));
        let wanted = address(lead);
        wanted.is_some()
            && address(contact) != wanted
            && self
                .view
                .leads
                .first()
                .is_some_and(|crm_lead| address(crm_lead) == wanted)
    }

    fn report_duplicates(&mut self) {
        let names: Vec<String> = self
            .view
            .crm()
            .map(|record| format!("{} {}", record.kind, record.id))
            .collect();
        if names.len() > 1 {
            self.reviews.insert(
                "duplicates".to_owned(),
                format!(
                    "the CRM has duplicates of one person: {}; {} leads",
                    names.join(", "),
                    names[0]
                ),
            );
        }
    }

    fn hand_over(&mut self, how: &str) {
        if self.decision.person.handed_over.is_none() {
            self.decision.person.handed_over = Some(self.now);
            self.reason(format!("handed over to sales: {how}"));
        }
    }

    /// A contact without an account goes under the one found for it; one that has an account stays where people put it.
    fn under_account(&mut self, lead: &Record, contact: &Record) {
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

    /// Keeps the leading record of each side in step, field by field.
    fn in_step(&mut self, lead: &Record, crm: &Record) {
        let with = Ref::new(Side::Crm, crm.kind, crm.id.clone());
        let carries_on = |before: &Ref| {
            *before == with || self.view.converted.iter().any(|lead| lead.id == before.id)
        };
        // What was settled between other records says nothing of these, unless this is the contact that a lead became.
        let same_lead = self
            .decision
            .base
            .lead
            .as_ref()
            .is_none_or(|before| *before == lead.id);
        if !same_lead || !self.decision.base.with.as_ref().is_some_and(carries_on) {
            self.decision.base.fields.clear();
        }
        self.decision.base.with = Some(with);
        self.decision.base.lead = Some(lead.id.clone());
        let mut to_crm = Changes::default();
        let mut to_marketing = Changes::default();
        for rule in &self.agreement.fields {
            let Some(name) = crm_name(rule, crm.kind) else {
                continue;
            };
            let marketing = lead.fields.get(&rule.marketing);
            let theirs = crm.fields.get(name);
            let standing = Standing {
                marketing,
                crm: theirs,
                base: self.decision.base.fields.get(&rule.name),
                marketing_modified: lead.modified,
                crm_modified: crm.modified,
                ruling: self.decision.person.rulings.get(&rule.name),
            };
            match fields::next(rule, self.agreement.first_meeting, standing) {
                Next::Settled => {
                    self.decision
                        .base
                        .fields
                        .insert(rule.name.clone(), fields::settled(rule, marketing, theirs));
                }
                Next::ToCrm(value) => {
                    let value =
                        value.map(|value| self.view.limits.fit(Side::Crm, crm.kind, name, value));
                    if normal::normal(&rule.name, value.as_ref())
                        == normal::normal(&rule.name, theirs)
                    {
                        // Cut to what the field takes, it says the same already.
                        self.decision
                            .base
                            .fields
                            .insert(rule.name.clone(), fields::settled(rule, marketing, theirs));
                    } else {
                        to_crm.add(name, &rule.name, theirs, value);
                    }
                }
                Next::ToMarketing(value) => {
                    to_marketing.add(&rule.marketing, &rule.name, marketing, value)
                }
                Next::Leave(why) => self.reason(format!(
                    "{}: marketing has {}, the CRM has {}; {why}",
                    rule.name,
                    shown(marketing),
                    shown(theirs)
                )),
                Next::Review => {
                    self.reviews.insert(
                        format!("field/{}", rule.name),
                        format!(
                            "{}: marketing says {}, the CRM says {}; both changed",
                            rule.name,
                            shown(marketing),
                            shown(theirs)
                        ),
                    );
                }
            }
        }
        self.update(Side::Crm, crm, to_crm);
        self.update(Side::Marketing, lead, to_marketing);
    }

    fn update(&mut self, side: Side, record: &Record, changes: Changes) {
        if changes.set.is_empty() {
            return;
        }
        let operation = Operation::Update {
            kind: record.kind,
            id: record.id.clone(),
            set: changes.set,
            relations: Relations::default(),
        };
        let what = format!(
            "update {side} {} {}: {}",
            record.kind,
            record.id,
            changes.names.join(", ")
        );
        self.owe(
            format!("update/{side}/{}/{}", record.kind, record.id),
            side,
            Lane::Update,
            operation,
            what,
            changes.reasons,
        );
    }

    /// Converts a CRM lead into its account, unless sales has turned the lead down.
    fn convert(&mut self, lead: &Record, crm_lead: &Record) {
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
    fn create(&mut self, lead: &Record) {
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
            let Some(name) = crm_name(rule, kind) else {
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

    /// Tells marketing what sales says, on every record it has of the person.
    fn feed_back(&mut self) {
        if self.decision.person.handed_over.is_none() {
            return;
        }
        let feedback = &self.agreement.feedback;
        let verdict = feedback::verdict(
            self.view,
            &self.agreement.dispositions,
            feedback.opportunities_without_roles,
            self.now,
        );
        let disposition = verdict.as_ref().map(|verdict| verdict.disposition);
        let stage = Stage::of(disposition);
        if self
            .view
            .person
            .verdict
            .as_ref()
            .map(|verdict| verdict.disposition)
            != disposition
        {
            self.reason(match disposition {
                Some(disposition) => format!("sales says: {disposition}"),
                None => "sales no longer says anything".to_owned(),
            });
        }
        self.decision.person.stage = stage;
        self.decision.person.verdict.clone_from(&verdict);
        let crm = self
            .view
            .contacts
            .first()
            .or(self.view.leads.first())
            .copied();
        let wanted = feedback::fields(verdict.as_ref(), stage, crm);
        for record in self.view.marketing.clone() {
            self.tell(record, &wanted, stage);
            if let Some(verdict) = verdict.as_ref().filter(|_| feedback.note) {
                self.note(record, verdict);
            }
        }
    }

    fn tell(
        &mut self,
        record: &Record,
        wanted: &BTreeMap<&'static str, Option<Value>>,
        stage: Stage,
    ) {
        let mut changes = Changes::default();
        // The date belongs to the verdict: it is told with it, not corrected by itself.
        let told = wanted.get(field::DISPOSITION).and_then(Option::as_ref)
            == record.fields.get(field::DISPOSITION);
        for (name, value) in wanted {
            let value = value.clone().map(|value| {
                self.view
                    .limits
                    .fit(Side::Marketing, record.kind, name, value)
            });
            let dated = *name == field::DISPOSITION_AT && told && record.fields.get(name).is_some();
            if !dated
                && normal::normal(name, value.as_ref())
                    != normal::normal(name, record.fields.get(name))
            {
                changes.add(name, name, record.fields.get(name), value);
            }
        }
        if changes.set.is_empty() {
            return;
        }
        let said = wanted
            .get(field::DISPOSITION)
            .and_then(Option::as_ref)
            .map_or(format!("stage {stage}"), |said| {
                format!("sales says {said}")
            });
        let operation = Operation::Update {
            kind: record.kind,
            id: record.id.clone(),
            set: changes.set,
            relations: Relations::default(),
        };
        let what = format!("tell marketing lead {}: {said}", record.id);
        self.owe(
            format!("feedback/{}", record.id),
            Side::Marketing,
            Lane::Disposition,
            operation,
            what,
            changes.reasons,
        );
    }

    fn note(&mut self, record: &Record, verdict: &Verdict) {
        let (subject, body) = feedback::note(verdict);
        let about = Ref::new(Side::Marketing, record.kind, record.id.clone());
        let content = format!(
            "{} {} {}",
            verdict.disposition,
            verdict.reason.as_deref().unwrap_or_default(),
            verdict.since
        );
        let key = key_of_note(self.view.loop_name, &about, &content);
        if self.decision.person.receipts.contains_key(&key.0) {
            return;
        }
        let what = format!("note on marketing lead {}: {subject}", record.id);
        let operation = Operation::Note {
            key,
            kind: record.kind,
            about: record.id.clone(),
            at: verdict.since,
            subject,
            body,
        };
        let reasons = vec!["sales' verdict belongs on the timeline".to_owned()];
        self.owe(
            format!("note/{}", record.id),
            Side::Marketing,
            Lane::Disposition,
            operation,
            what,
            reasons,
        );
    }

    fn owe(
        &mut self,
        slot: String,
        side: Side,
        lane: Lane,
        operation: Operation,
        what: String,
        reasons: Vec<String>,
    ) {
        let owner = Owner::Person(self.decision.person.id.clone());
        self.decision.intents.push(Intent::new(
            self.view.loop_name,
            owner,
            slot,
            side,
            lane,
            operation,
            what,
            reasons,
        ));
    }

    fn reason(&mut self, reason: String) {
        self.decision.reasons.push(reason);
    }

    fn finish(mut self) -> Decision {
        let open = std::mem::take(&mut self.decision.person.reviews);
        for (question, words) in self.reviews {
            let since = open.get(&question).map_or(self.now, |review| review.since);
            self.decision
                .reasons
                .push(format!("for the arbiter: {words}"));
            self.decision.person.reviews.insert(
                question,
                Review {
                    question: words,
                    since,
                },
            );
        }
        // A refusal stands for its content: what is no longer owed in that form is no longer refused.
        let owed: Vec<_> = self
            .decision
            .intents
            .iter()
            .map(|intent| intent.id.clone())
            .collect();
        self.decision
            .person
            .refused
            .retain(|intent, _| owed.contains(intent));
        self.decision
    }
}

#[derive(Default)]
struct Changes {
    set: BTreeMap<String, Option<Value>>,
    names: Vec<String>,
    reasons: Vec<String>,
}

impl Changes {
    fn add(&mut self, field_name: &str, shown_as: &str, from: Option<&Value>, to: Option<Value>) {
        self.reasons.push(format!(
            "{shown_as}: {} becomes {}",
            shown(from),
            shown(to.as_ref())
        ));
        self.names.push(shown_as.to_owned());
        self.set.insert(field_name.to_owned(), to);
    }
}

fn crm_name(rule: &FieldRule, kind: Kind) -> Option<&str> {
    match kind {
        Kind::Contact => rule.contact.as_deref(),
        _ => rule.lead.as_deref(),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("nothing".to_owned(), |value| format!("\"{value}\""))
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
