//! Looking records up as they are right now. The search index lags, so it is never asked.

use crate::{api::Scope, connection::Connection, judge::missing_column, shape::Shape, soql, wire};
use contract::{By, ConnectorError, Id, Kind, Lookup, Record, field};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

const DOING: &str = "looking records up";

/// How often a query is asked anew after a field turned out to be hidden.
const ATTEMPTS: usize = 4;

impl Connection {
    pub(crate) async fn look_up(&self, lookup: &Lookup) -> Result<Vec<Record>, ConnectorError> {
        let kind = lookup.kind;
        let object = self.mapping.object(kind);
        let by = |name: &str| {
            object
                .fields
                .get(name)
                .cloned()
                .ok_or_else(|| unanswerable(kind, name))
        };
        match &lookup.by {
            By::Ids(ids) => self.by_ids(kind, ids).await,
            By::Keys(keys) => {
                self.matching(
                    kind,
                    &by(field::KEY)?,
                    keys.iter().map(|key| key.0.as_str()).collect(),
                )
                .await
            }
            By::Emails(emails) => {
                let emails = emails
                    .iter()
                    .map(|email| email.trim())
                    .filter(|email| !email.is_empty())
                    .collect();
                self.matching(kind, &by(field::EMAIL)?, emails).await
            }
            By::About(ids) if kind == Kind::Note => {
                let ids: Vec<Id> = ids.iter().map(|id| wire::id(&id.0)).collect();
                let mut notes = self.matching(kind, "WhoId", valid(&ids)).await?;
                // Other people's tasks are none of our notes.
                notes.retain(|note| note.key().is_some());
                Ok(notes)
            }
            By::About(_) => Err(unanswerable(kind, "about")),
        }
    }

    pub(crate) async fn by_ids(
        &self,
        kind: Kind,
        ids: &[Id],
    ) -> Result<Vec<Record>, ConnectorError> {
        let ids: Vec<Id> = ids.iter().map(|id| wire::id(&id.0)).collect();
        // One malformed id would fail the whole query; it has no record anyway.
        self.matching(kind, "Id", valid(&ids)).await
    }

    /// The living records whose field has one of these values.
    pub(crate) async fn matching(
        &self,
        kind: Kind,
        native: &str,
        values: BTreeSet<&str>,
    ) -> Result<Vec<Record>, ConnectorError> {
        let found = self.matching_with(kind, native, values, None).await?;
        Ok(found.into_iter().map(|(record, _)| record).collect())
    }

    /// The same, each with the value of one field more: null where it is blank or cannot be seen.
    pub(crate) async fn matching_with(
        &self,
        kind: Kind,
        native: &str,
        values: BTreeSet<&str>,
        mut path: Option<&str>,
    ) -> Result<Vec<(Record, Json)>, ConnectorError> {
        let mut records = Vec::new();
        if values.is_empty() {
            return Ok(records);
        }
        let shape = self.shape_with(kind, &BTreeSet::from([native])).await?;
        if native != "Id" && shape.column(native).is_none() {
            let detail = format!(
                "{native} of {} is not visible; check field-level security",
                self.mapping.object(kind).name
            );
            return Err(ConnectorError::Refused {
                doing: DOING.to_owned(),
                detail,
            });
        }
        let mut plan = self.plan(kind).await?;
        // Tasks are archived after a year or so, and only `queryAll` sees them then.
        let scope = if kind == Kind::Note {
            Scope::All
        } else {
            Scope::Living
        };
        for list in soql::lists(&plan.select_with(path), native, values) {
            let mut attempt = 0;
            let rows = loop {
                let soql = format!("{} WHERE {list}", plan.select_with(path));
                match self.api.all(&soql, scope, DOING).await {
                    Ok(rows) => break rows,
                    Err(failure) => {
                        if let Some(hidden) = path
                            && failure
                                .message("INVALID_FIELD")
                                .is_some_and(|message| is_foreign(message, &shape))
                        {
                            tracing::warn!(%kind, hidden, "a field cannot be read; it is left out");
                            path = None;
                            continue;
                        }
                        attempt += 1;
                        if attempt == ATTEMPTS || !self.learn(kind, &failure).await? {
                            return Err(failure.into());
                        }
                        plan = self.plan(kind).await?;
                    }
                }
            };
            plan = self.fitting(plan, &rows).await?;
            for json in rows {
                match plan.row(&json, self.api.session.server_now()) {
                    Ok(row) if row.deleted => {}
                    Ok(row) => {
                        let beside = path.map(|path| along(&json, path)).unwrap_or_default();
                        records.push((row.record, beside));
                    }
                    Err(unreadable) => {
                        let detail = format!(
                            "{} {}: {}",
                            plan.object,
                            unreadable.id.map_or("without id".to_owned(), |id| id.0),
                            unreadable.reason
                        );
                        return Err(ConnectorError::Protocol {
                            doing: DOING.to_owned(),
                            detail,
                        });
                    }
                }
            }
        }
        Ok(records)
    }
}

/// Whether a refusal is about a field that is not of the object itself.
fn is_foreign(message: &str, shape: &Shape) -> bool {
    missing_column(message).is_none_or(|column| shape.column(&column).is_none())
}

/// The value at the end of a path through parents.
fn along(row: &Map<String, Json>, path: &str) -> Json {
    let mut names = path.split('.');
    let first = names.next().and_then(|name| row.get(name));
    let value = names.fold(first, |value, name| value?.get(name));
    value.cloned().unwrap_or_default()
}

pub(crate) fn valid(ids: &[Id]) -> BTreeSet<&str> {
    ids.iter()
        .map(|id| id.0.as_str())
        .filter(|id| wire::is_id(id))
        .collect()
}

fn unanswerable(kind: Kind, by: &str) -> ConnectorError {
    ConnectorError::Refused {
        doing: DOING.to_owned(),
        detail: format!("{kind} records cannot be looked up by {by}"),
    }
}
