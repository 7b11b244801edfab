use super::format::written;
use crate::salesforce::{
    Failure,
    call::{Call, Reply},
    schema::Object,
    soql::Scope,
    view::shown_time,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How many rows one page of a query's results has, where the caller does not say.
const PAGE: usize = 50_000;

/// One job.
#[derive(Clone, Debug)]
pub(in super::super) struct Job {
    pub(super) work: Work,
    pub(super) state: State,
    pub(super) made: Timestamp,
    pub(super) user: String,
    pub(super) base: String,
    /// When it is done, once it was uploaded.
    pub(super) due: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) enum Work {
    Ingest {
        object: &'static Object,
        operation: Operation,
        key: String,
        data: String,
        outcome: Outcome,
    },
    Query {
        text: String,
        scope: Scope,
        header: Vec<String>,
        rows: Vec<Vec<String>>,
    },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) header: Vec<String>,
    /// Id, whether created, and the row.
    pub(super) successful: Vec<(String, bool, Vec<String>)>,
    /// Complaint and the row.
    pub(super) failed: Vec<(String, Vec<String>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
    HardDelete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            State::Open => "Open",
            State::UploadComplete => "UploadComplete",
            State::InProgress => "InProgress",
            State::JobComplete => "JobComplete",
            State::Failed => "Failed",
            State::Aborted => "Aborted",
        }
    }
}

impl Operation {
    pub(super) fn named(name: &str) -> Option<Operation> {
        Some(match name {
            "insert" => Operation::Insert,
            "update" => Operation::Update,
            "upsert" => Operation::Upsert,
            "delete" => Operation::Delete,
            "hardDelete" => Operation::HardDelete,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Operation::Insert => "insert",
            Operation::Update => "update",
            Operation::Upsert => "upsert",
            Operation::Delete => "delete",
            Operation::HardDelete => "hardDelete",
        }
    }
}

impl Job {
    pub(super) fn is(&self, kind: &str) -> bool {
        matches!(
            (&self.work, kind),
            (Work::Ingest { .. }, "ingest") | (Work::Query { .. }, "query")
        )
    }

    pub(super) fn shown(&self, id: &str) -> Value {
        let version = self
            .base
            .rsplit('v')
            .next()
            .and_then(|version| version.parse::<f64>().ok())
            .unwrap_or_default();
        let mut shown = json!({
            "id": id,
            "state": self.state.name(),
            "createdById": self.user,
            "createdDate": shown_time(self.made),
            "systemModstamp": shown_time(self.made),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": version,
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
            "retries": 0,
            "totalProcessingTime": 0,
        });
        let more = match &self.work {
            Work::Ingest {
                object,
                operation,
                key,
                outcome,
                ..
            } => json!({
                "object": object.name,
                "operation": operation.name(),
                "externalIdFieldName": if key.is_empty() { Value::Null } else { json!(key) },
                "contentUrl": format!("{}/jobs/ingest/{id}/batches", self.base.trim_start_matches('/')),
                "jobType": "V2Ingest",
                "numberRecordsProcessed": outcome.successful.len() + outcome.failed.len(),
                "numberRecordsFailed": outcome.failed.len(),
                "apexProcessingTime": 0,
                "apiActiveProcessingTime": 0,
            }),
            Work::Query {
                text, scope, rows, ..
            } => json!({
                "object": text.split_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("from")).nth(1),
                "operation": if *scope == Scope::Deleted { "queryAll" } else { "query" },
                "jobType": "V2Query",
                "numberRecordsProcessed": rows.len(),
            }),
        };
        if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
            shown.extend(more);
        }
        shown
    }

    /// The lists that an ingest job leaves behind. A job that is not complete has not processed anything.
    pub(super) fn list(&self, list: &str) -> Result<Reply, Failure> {
        let Work::Ingest { outcome, data, .. } = &self.work else {
            return Err(Failure::not_found());
        };
        let mut header = outcome.header.clone();
        let rows: Vec<Vec<String>> = match list {
            "successfulResults" => {
                header.splice(0..0, ["sf__Id".to_owned(), "sf__Created".to_owned()]);
                let row = |(id, created, row): &(String, bool, Vec<String>)| {
                    [vec![id.clone(), created.to_string()], row.clone()].concat()
                };
                outcome.successful.iter().map(row).collect()
            }
            "failedResults" => {
                header.splice(0..0, ["sf__Id".to_owned(), "sf__Error".to_owned()]);
                let row = |(complaint, row): &(String, Vec<String>)| {
                    [vec![String::new(), complaint.clone()], row.clone()].concat()
                };
                outcome.failed.iter().map(row).collect()
            }
            "unprocessedrecords" => {
                let text = if self.state == State::JobComplete {
                    data.lines()
                        .next()
                        .map(|line| format!("{line}\n"))
                        .unwrap_or_default()
                } else {
                    data.clone()
                };
                return Ok(Reply::text(200, "text/csv", text));
            }
            _ => return Err(Failure::not_found()),
        };
        Ok(Reply::text(200, "text/csv", written(&header, &rows)))
    }

    pub(super) fn results(&self, call: &Call) -> Result<Reply, Failure> {
        let Work::Query { header, rows, .. } = &self.work else {
            return Err(Failure::not_found());
        };
        if self.state != State::JobComplete {
            return Err(Failure::new("INVALIDJOBSTATE", "the results are not ready"));
        }
        let from: usize = match call.parameter("locator") {
            None | Some("" | "null") => 0,
            Some(locator) => locator
                .parse()
                .map_err(|_| Failure::new("INVALID_QUERY_LOCATOR", "invalid query locator"))?,
        };
        let most = call
            .parameter("maxRecords")
            .and_then(|most| most.parse::<usize>().ok())
            .unwrap_or(PAGE)
            .max(1);
        let from = from.min(rows.len());
        let end = from.saturating_add(most).min(rows.len());
        let locator = if end < rows.len() {
            end.to_string()
        } else {
            "null".to_owned()
        };
        Ok(
            Reply::text(200, "text/csv", written(header, &rows[from..end]))
                .with("Sforce-Locator", locator)
                .with("Sforce-NumberOfRecords", (end - from).to_string()),
        )
    }
}
