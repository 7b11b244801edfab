//! Tells marketing where a handed-over lead stands: fields and timeline, on every record it has of the person.

use super::{Case, Changes, Lane, Ref, Stage, Verdict, feedback, key_of_note, normal};
use contract::{Operation, Record, Relations, Value, field};
use kit::Side;
use std::collections::BTreeMap;

impl Case<'_> {
    /// Tells marketing what sales says, on every record it has of the person.
    pub(super) fn feed_back(&mut self) {
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
}
