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
use contract::{Id, Kind, Record, Relation, field};
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
    /// Each with the contact it bears on, and whether by a role.
    opportunities: Vec<(Record, Id, bool)>,
}

impl Survey {
    /// Gathers what is known about a person.
    pub fn of(change: &Change<'_>, person: Person) -> Result<Survey, Error> {
        let base = change.base(&person.id)?;
        let mut survey = Survey {
            person,
            base,
            marketing: vec![],
            leads: vec![],
            converted: vec![],
            contacts: vec![],
            missing: vec![],
            opportunities: vec![],
        };
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
        let address = marketing
            .first()
            .and_then(|lead| normal::email(lead.fields.text(field::EMAIL)));
        let order = |records: &'a [Record]| {
            view::crm_in_order(records.iter().collect(), &self.base, address.as_deref())
        };
        View {
            loop_name: &knowledge.loop_name,
            person: &self.person,
            base: &self.base,
            marketing,
            leads: order(&self.leads),
            converted: order(&self.converted),
            contacts: order(&self.contacts),
            missing: self.missing.clone(),
            opportunities: self
                .opportunities
                .iter()
                .map(|(record, contact, by_role)| Opportunity {
                    record,
                    contact,
                    by_role: *by_role,
                })
                .collect(),
            owners: &knowledge.owners,
            accounts: &knowledge.accounts,
            limits: &knowledge.limits,
        }
    }
}

/// Opportunities of contacts: by role, and those of their accounts that have no role at all.
fn opportunities(
    change: &Change<'_>,
    contacts: &[Record],
) -> Result<Vec<(Record, Id, bool)>, Error> {
    let mut found = Vec::new();
    let opportunity = |id| change.mirror(&Ref::new(Side::Crm, Kind::Opportunity, id));
    for contact in contacts {
        let mut ids = change.pointing(Kind::Opportunity, Relation::Contact, &contact.id)?;
        for role in change.pointing(Kind::Role, Relation::Contact, &contact.id)? {
            if let Some(role) = change.mirror(&Ref::new(Side::Crm, Kind::Role, role))? {
                ids.extend(role.relations.all(Relation::Opportunity).iter().cloned());
            }
        }
        ids.sort();
        ids.dedup();
        for id in ids {
            found.extend(opportunity(id)?.map(|record| (record, contact.id.clone(), true)));
        }
        let Some(account) = contact.relations.one(Relation::Account) else {
            continue;
        };
        for id in change.pointing(Kind::Opportunity, Relation::Account, account)? {
            if !change
                .pointing(Kind::Role, Relation::Opportunity, &id)?
                .is_empty()
            {
                continue;
            }
            let without_role = opportunity(id)?
                .filter(|record| record.relations.all(Relation::Contact).is_empty());
            found.extend(without_role.map(|record| (record, contact.id.clone(), false)));
        }
    }
    Ok(found)
}
