//! Creates, updates and notes: sObject collections of up to 200 rows, each judged by its own
//! answer.

use crate::{
    answer::VendorError,
    connection::Connection,
    judge::{self, Judgement},
    mapping::{Object, label},
    plan::note_body,
    row::natives,
    wire,
};
use contract::{
    Batch, ConnectorError, Id, Key, Kind, Operation, Outcome, Outcomes, Record, Remedy, Value,
    field,
};
use kit::{Answer, Call, SessionError};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// A row that is ready to be sent, and its place in the batch.
struct Ready {
    place: usize,
    json: Map<String, Json>,
}

impl Connection {
    /// Creates (by upsert on leadloop's key) or updates records of one kind.
    pub(crate) async fn save(&self, batch: &Batch, kind: Kind) -> Result<Outcomes, ConnectorError> {
        let object = self.mapping.object(kind);
        let natives = batch
            .writes()
            .iter()
            .flat_map(|write| natives(&write.operation, object))
            .collect();
        let shape = self.shape_with(kind, &natives).await?;
        let mut outcomes = Outcomes::unknown(batch);
        let mut ready = Vec::new();
        for (place, write) in batch.writes().iter().enumerate() {
            match self.row(&write.operation, object, &shape) {
                Ok(json) => ready.push(Ready { place, json }),
                Err(outcome) => outcomes.set(place, outcome),
            }
        }
        if ready.is_empty() {
            return Ok(outcomes);
        }
        let create = batch.shape().0 == "create";
        let resource = match create {
            true => format!(
                "composite/sobjects/{}/{}",
                object.name, self.mapping.key_field
            ),
            false => "composite/sobjects".to_owned(),
        };
        // Upserts on a unique key and updates come to the same when they are done twice.
        let call = Call::patch_json(self.api.data(&resource), &collection(&ready))
            .repeatable()
            .doing("saving records");
        self.deliver(call, batch, object, &ready, &mut outcomes)
            .await?;
        Ok(outcomes)
    }

    /// Writes completed tasks. Tasks have no unique key, so this is not sent twice.
    pub(crate) async fn note(&self, batch: &Batch) -> Result<Outcomes, ConnectorError> {
        let object = self.mapping.object(Kind::Note);
        let mut outcomes = Outcomes::unknown(batch);
        let mut ready = Vec::new();
        for (place, write) in batch.writes().iter().enumerate() {
            let Operation::Note {
                key,
                kind,
                about,
                at,
                subject,
                body,
            } = &write.operation
            else {
                continue;
            };
            if !matches!(kind, Kind::Lead | Kind::Contact) {
                let reason =
                    format!("a task stands on leads and contacts here, not on {kind} records");
                outcomes.set(
                    place,
                    Outcome::Refused {
                        reason,
                        remedy: Remedy::FixMapping {
                            fields: vec![label(contract::Relation::About)],
                        },
                    },
                );
                continue;
            }
            let subject: String = subject.chars().take(255).collect();
            let json = json!({
                "attributes": { "type": object.name },
                "WhoId": wire::id(&about.0).0,
                "Subject": subject,
                "Description": note_body(body, key),
                "Status": self.settings.note_status,
                "ActivityDate": at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string(),
            });
            if let Json::Object(json) = json {
                ready.push(Ready { place, json });
            }
        }
        if ready.is_empty() {
            return Ok(outcomes);
        }
        let call = Call::post_json(self.api.data("composite/sobjects"), &collection(&ready))
            .doing("writing notes");
        self.deliver(call, batch, object, &ready, &mut outcomes)
            .await?;
        Ok(outcomes)
    }

    async fn deliver(
        &self,
        call: Call,
        batch: &Batch,
        object: &Object,
        ready: &[Ready],
        outcomes: &mut Outcomes,
    ) -> Result<(), ConnectorError> {
        let assign = if self.settings.assignment_rules {
            "true"
        } else {
            "false"
        };
        let call = call.header("Sforce-Auto-Assign", assign).header(
            "Sforce-Duplicate-Rule-Header",
            "allowSave=false; includeRecordDetails=false; runAsCurrentUser=true",
        );
        let answer = match self.api.send(call).await {
            Ok(answer) => answer,
            Err(SessionError::Failed(error)) => return Err(error),
            Err(SessionError::Doubt(detail)) => {
                tracing::warn!(detail, "a batch may have been written");
                return Ok(());
            }
        };
        let Some(rows) = rows(&answer, ready.len()) else {
            self.judge_whole(&answer, object, ready, outcomes).await;
            return Ok(());
        };
        let mut conflicts = Vec::new();
        for (row, Ready { place, .. }) in rows.iter().zip(ready) {
            match judge::row(row, object) {
                Judgement::Final(outcome) => outcomes.set(*place, outcome),
                judgement => conflicts.push((*place, judgement)),
            }
        }
        self.resolve(conflicts, batch, object, outcomes).await;
        Ok(())
    }

    /// Judges an answer that is not a list of results: the request as a whole was refused, or the
    /// answer is unreadable.
    async fn judge_whole(
        &self,
        answer: &Answer,
        object: &Object,
        ready: &[Ready],
        outcomes: &mut Outcomes,
    ) {
        if answer.status == 300 {
            let reason = format!(
                "several {} records bear one {}; it is not unique",
                object.name, self.mapping.key_field
            );
            let fields = vec![field::KEY.to_owned()];
            outcomes.fill(&Outcome::Refused {
                reason,
                remedy: Remedy::FixMapping { fields },
            });
            return;
        }
        let errors = if (400..500).contains(&answer.status) {
            VendorError::read_all(&answer.body)
        } else {
            Vec::new()
        };
        let Some(error) = errors.first() else {
            tracing::warn!(
                status = answer.status,
                "the answer to a batch is unreadable; it may have been written"
            );
            return;
        };
        if error.code == "NOT_FOUND" || error.message.contains(&self.mapping.key_field) {
            // The resource is the external id itself: `Provided external ID field does not exist or
            // is not accessible`.
            self.forget_shape(object.kind).await;
            let remedy = Remedy::FixMapping {
                fields: vec![field::KEY.to_owned()],
            };
            outcomes.fill(&Outcome::Refused {
                reason: error.words(),
                remedy,
            });
            return;
        }
        // A column that is not there spoils the whole request. The row that names it is to blame;
        // the others go again without it.
        if let Some(column) = judge::missing_column(&error.message) {
            self.forget_shape(object.kind).await;
            for Ready { place, json } in ready {
                let blamed = json
                    .keys()
                    .any(|native| native.eq_ignore_ascii_case(&column));
                let outcome = match blamed {
                    true => Outcome::Refused {
                        reason: error.words(),
                        remedy: Remedy::FixMapping {
                            fields: vec![object.canonical(&column)],
                        },
                    },
                    false => Outcome::Deferred {
                        retry_after: None,
                        reason: format!("another row of the batch was refused: {}", error.words()),
                    },
                };
                outcomes.set(*place, outcome);
            }
            return;
        }
        match judge::errors_of(&errors, object) {
            Judgement::Final(outcome) => outcomes.fill(&outcome),
            Judgement::Stands { reason, .. } | Judgement::Twin { reason } => {
                outcomes.fill(&Outcome::Refused {
                    reason,
                    remedy: Remedy::AskArbiter,
                });
            }
        }
    }

    /// Looks at the records that stand in the way, with one lookup by id for each kind and one by
    /// e-mail.
    async fn resolve(
        &self,
        conflicts: Vec<(usize, Judgement)>,
        batch: &Batch,
        object: &Object,
        outcomes: &mut Outcomes,
    ) {
        if conflicts.is_empty() {
            return;
        }
        let mut ids: BTreeMap<Kind, Vec<Id>> = BTreeMap::new();
        let mut emails = BTreeSet::new();
        for (place, judgement) in &conflicts {
            match judgement {
                Judgement::Stands {
                    object: name, id, ..
                } => ids
                    .entry(self.kind_of(name.as_deref(), object))
                    .or_default()
                    .push(id.clone()),
                _ => emails.extend(email(&batch.writes()[*place].operation)),
            }
        }
        let mut found: Vec<Record> = Vec::new();
        let mut unseen = None;
        for (kind, ids) in &ids {
            match self.by_ids(*kind, ids).await {
                Ok(records) => found.extend(records),
                Err(error) => unseen = Some(error),
            }
        }
        if !emails.is_empty() && object.fields.contains_key(field::EMAIL) {
            let native = object.native(field::EMAIL);
            match self
                .matching(
                    object.kind,
                    native,
                    emails.iter().map(String::as_str).collect(),
                )
                .await
            {
                Ok(records) => found.extend(records),
                Err(error) => unseen = Some(error),
            }
        }
        for (place, judgement) in conflicts {
            let write = &batch.writes()[place].operation;
            let outcome = match judgement {
                Judgement::Final(outcome) => outcome,
                Judgement::Stands { id, reason, .. } => verdict(
                    found.iter().find(|record| record.id == id),
                    write,
                    reason,
                    &unseen,
                ),
                Judgement::Twin { reason } => {
                    let own = write.target().map(|(_, id)| id);
                    let wanted = email(write);
                    let twin = found.iter().find(|record| {
                        let theirs = record.fields.text(field::EMAIL).map(str::to_lowercase);
                        theirs.is_some() && theirs == wanted && Some(&record.id) != own
                    });
                    verdict(twin, write, reason, &unseen)
                }
            };
            outcomes.set(place, outcome);
        }
    }

    fn kind_of(&self, name: Option<&str>, object: &Object) -> Kind {
        name.and_then(|name| self.mapping.kind(name))
            .unwrap_or(object.kind)
    }
}

fn collection(ready: &[Ready]) -> Json {
    json!({ "allOrNone": false, "records": ready.iter().map(|row| &row.json).collect::<Vec<_>>() })
}

/// The results, where there is one for each row sent. They come in the order of the request.
fn rows(answer: &Answer, sent: usize) -> Option<Vec<Json>> {
    let rows: Vec<Json> = if matches!(answer.status, 200 | 201) {
        serde_json::from_slice(&answer.body).ok()?
    } else {
        return None;
    };
    (rows.len() == sent).then_some(rows)
}

fn email(operation: &Operation) -> Option<String> {
    let value = match operation {
        Operation::Create { fields, .. } => fields.text(field::EMAIL),
        Operation::Update { set, .. } => set
            .get(field::EMAIL)
            .and_then(|value| value.as_ref())
            .and_then(Value::as_text),
        Operation::Convert { .. } | Operation::Note { .. } => None,
    };
    value.map(|email| email.trim().to_lowercase())
}

/// The outcome of a write that another record stands in the way of.
fn verdict(
    current: Option<&Record>,
    write: &Operation,
    reason: String,
    unseen: &Option<ConnectorError>,
) -> Outcome {
    let own: Option<&Key> = write.key();
    match (current, unseen) {
        // It bears our key: two upserts of one key met. The next one finds it.
        (Some(record), _) if own.is_some() && record.key().as_ref() == own => Outcome::Deferred {
            retry_after: None,
            reason,
        },
        (Some(record), _) => Outcome::Conflict {
            current: Box::new(record.clone()),
        },
        (None, Some(error)) => Outcome::Deferred {
            retry_after: None,
            reason: format!("{reason}; the record in the way cannot be read now: {error}"),
        },
        (None, None) => Outcome::Refused {
            reason: format!("{reason}; the record in the way cannot be seen"),
            remedy: Remedy::AskArbiter,
        },
    }
}
