//! Gathers everything known about one person, so that `decide` can look at it.

use super::Knowledge;
use crate::{
    decide::{
        Base, Person, Ref,
        feedback::Opportunity,
        normal,
        view::{self, View},
    },
    store::{Error, state::Change},
};
use contract::{Kind, Record, Relation, field};
use kit::Side;

/// Everything known about one person, owned.
#[derive(Clone, Debug)]
pub struct Survey {
    person: Person,
    base: Base,
    marketing: Vec<Record>,
    leads: Vec<Record>,
    converted: Vec<Record>,
    contacts: Vec<Record>,
    missing: Vec<Ref>,
    opportunities: Vec<(Record, bool)>,
}

impl Survey {
    /// Gathers what is known about a person.
    pub fn of(change: &Change<'_>, person: Person) -> Result<Survey, Error> {
        let base = change.base(&person.id)?;
        let mut survey = Survey { person, base, marketing: vec![], leads: vec![], converted: vec![], contacts: vec![], missing: vec![], opportunities: vec![] };
        for reference in &survey.person.records {
            let Some(record) = change.mirror(reference)? else {
                if reference.side == Side::Crm {
                    survey.missing.push(reference.clone());
                }
                continue;
            };
            match (reference.side, reference.kind) {
                (Side::Marketing, _) => survey.marketing.push(record),
                (Side::Crm, Kind::Contact) => survey.contacts.push(record),
                (Side::Crm, _) if record.is_converted() => survey.converted.push(record),
                (Side::Crm, _) => survey.leads.push(record),
            }
        }
        survey.opportunities = opportunities(change, &survey.contacts)?;
        Ok(survey)
    }

    /// As `decide` wants to see it.
    pub fn view<'a>(&'a self, knowledge: &'a Knowledge) -> View<'a> {
        let marketing = view::leads_in_order(self.marketing.iter().collect(), &self.base);
        let address = marketing.first().and_then(|lead| normal::email(lead.fields.text(field::EMAIL)));
        let order = |records: &'a [Record]| view::crm_in_order(records.iter().collect(), &self.base, address.as_deref());
        View {
            loop_name: &knowledge.loop_name,
            person: &self.person,
            base: &self.base,
            marketing,
            leads: order(&self.leads),
            converted: order(&self.converted),
            contacts: order(&self.contacts),
            missing: self.missing.clone(),
            opportunities: self.opportunities.iter().map(|(record, by_role)| Opportunity { record, by_role: *by_role }).collect(),
            owners: &knowledge.owners,
            accounts: &knowledge.accounts,
            limits: &knowledge.limits,
        }
    }
}

/// Opportunities of contacts: by role, and those of their accounts that have no role at all.
fn opportunities(change: &Change<'_>, contacts: &[Record]) -> Result<Vec<(Record, bool)>, Error> {
    let mut found: Vec<(Record, bool)> = Vec::new();
    let mut add = |record: Record, by_role: bool| {
        if !found.iter().any(|(known, _)| known.id == record.id) {
            found.push((record, by_role));
        }
    };
    let opportunity = |id| change.mirror(&Ref::new(Side::Crm, Kind::Opportunity, id));
    for contact in contacts {
        for role in change.pointing(Kind::Role, Relation::Contact, &contact.id)? {
            let Some(role) = change.mirror(&Ref::new(Side::Crm, Kind::Role, role))? else { continue };
            for id in role.relations.all(Relation::Opportunity) {
                opportunity(id.clone())?.into_iter().for_each(|record| add(record, true));
            }
        }
        for id in change.pointing(Kind::Opportunity, Relation::Contact, &contact.id)? {
            opportunity(id)?.into_iter().for_each(|record| add(record, true));
        }
        let Some(account) = contact.relations.one(Relation::Account) else { continue };
        for id in change.pointing(Kind::Opportunity, Relation::Account, account)? {
            let Some(record) = opportunity(id)? else { continue };
            let has_roles = !record.relations.all(Relation::Contact).is_empty() || !change.pointing(Kind::Role, Relation::Opportunity, &record.id)?.is_empty();
            if !has_roles {
                add(record, false);
            }
        }
    }
    Ok(found)
}
