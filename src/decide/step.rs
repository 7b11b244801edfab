//! Keeps the leading records of both sides in step, field by field, by the three-way rule.

use super::{
    Case, Changes, Lane, Ref, crm_name,
    fields::{self, Next, Standing},
    normal, shown,
};
use contract::{Operation, Record, Relation, Relations};
use kit::Side;

impl Case<'_> {
    /// Keeps the leading record of each side in step, field by field.
    pub(super) fn in_step(&mut self, lead: &Record, crm: &Record) {
        let with = Ref::new(Side::Crm, crm.kind, crm.id.clone());
        let became =
            |lead: &&Record| lead.relations.one(Relation::ConvertedContact) == Some(&crm.id);
        let carries_on = |before: &Ref| {
            let is_origin = |lead: &Record| lead.id == before.id && before.kind == lead.kind;
            *before == with
                || self
                    .view
                    .converted
                    .iter()
                    .copied()
                    .filter(became)
                    .any(is_origin)
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
        if to_crm.set.is_empty() && to_marketing.set.is_empty() {
            self.reason(format!(
                "in step: marketing lead {} and CRM {} {}",
                lead.id, crm.kind, crm.id
            ));
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
}
