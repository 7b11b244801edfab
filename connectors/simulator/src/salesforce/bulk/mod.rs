//! Bulk API 2.0: jobs that are uploaded, take their time, and leave results behind.

mod format;
mod job;

pub(super) use job::Job;

use super::{
    Caller, Failure, Salesforce,
    call::{Call, Reply},
    ids,
    records::Upserted,
    rest::only,
    schema::Object,
    soql::{Output, Scope},
};
use format::{cells, columns, job_body, record};
use http::Method;
use jiff::Timestamp;
use job::{Operation, Outcome, State, Work};
use serde_json::{Map, Value, json};

/// Largest upload in bytes.
const LARGEST: usize = 150_000_000;

impl Salesforce {
    /// Answers a call below `/jobs`.
    pub(super) fn jobs(
        &mut self,
        call: &Call,
        path: &[&str],
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        match (path, &call.method) {
            (["ingest"], &Method::POST) => self.open_ingest(call, caller, now),
            (["query"], &Method::POST) => self.open_query(call, caller, now),
            ([kind @ ("ingest" | "query")], &Method::GET) => {
                let listed = self.jobs.iter().filter(|(_, job)| job.is(kind));
                let records: Vec<Value> = listed.map(|(id, job)| job.shown(id)).collect();
                Ok(Reply::json(
                    200,
                    json!({"done": true, "records": records, "nextRecordsUrl": null}),
                ))
            }
            ([kind @ ("ingest" | "query"), id], method) => {
                let id = self.job_id(kind, id)?;
                match *method {
                    Method::DELETE => {
                        self.jobs.remove(&id);
                        return Ok(Reply::empty(204));
                    }
                    Method::PATCH => self.move_job(&id, call, now)?,
                    _ => only(method, &[Method::GET, Method::PATCH, Method::DELETE])?,
                }
                let job = self.jobs.get(&id).ok_or_else(Failure::not_found)?;
                Ok(Reply::json(200, job.shown(&id)))
            }
            (["ingest", id, "batches"], &Method::PUT) => {
                let id = self.job_id("ingest", id)?;
                let text = String::from_utf8(call.body.to_vec())
                    .ok()
                    .filter(|text| text.len() <= LARGEST)
                    .ok_or_else(|| {
                        Failure::new(
                            "INVALIDBATCH",
                            "the data is not UTF-8 or larger than 150 MB",
                        )
                    })?;
                match self.jobs.get_mut(&id) {
                    Some(Job {
                        work: Work::Ingest { data, .. },
                        state: State::Open,
                        ..
                    }) => *data = text,
                    _ => return Err(Failure::new("INVALIDJOBSTATE", "the job is not open")),
                }
                Ok(Reply::empty(201))
            }
            (["ingest", id, list], &Method::GET) => {
                let id = self.job_id("ingest", id)?;
                let job = self.jobs.get(&id).ok_or_else(Failure::not_found)?;
                job.list(list)
            }
            (["query", id, "results"], &Method::GET) => {
                let id = self.job_id("query", id)?;
                let job = self.jobs.get(&id).ok_or_else(Failure::not_found)?;
                job.results(call)
            }
            _ => Err(Failure::not_found()),
        }
    }

    fn job_id(&self, kind: &str, id: &str) -> Result<String, Failure> {
        let id = ids::full(id).ok_or_else(Failure::not_found)?;
        match self.jobs.get(&id) {
            Some(job) if job.is(kind) => Ok(id),
            _ => Err(Failure::not_found()),
        }
    }

    fn open_ingest(
        &mut self,
        call: &Call,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let (body, inline) = job_body(call)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let object = Object::named(text("object"));
        let object = object.ok_or_else(|| {
            Failure::new(
                "INVALIDENTITY",
                format!("unable to find object: {}", text("object")),
            )
        })?;
        let operation = Operation::named(text("operation"));
        let operation = operation.ok_or_else(|| {
            Failure::new(
                "INVALIDJOB",
                format!("no such operation: {}", text("operation")),
            )
        })?;
        if !matches!(text("columnDelimiter"), "" | "COMMA")
            || !matches!(text("contentType"), "" | "CSV")
        {
            return Err(Failure::new(
                "INVALIDJOB",
                "only CSV with commas is supported",
            ));
        }
        let key = text("externalIdFieldName").to_owned();
        if operation == Operation::Upsert && key.is_empty() {
            return Err(Failure::new(
                "INVALIDJOB",
                "upsert needs externalIdFieldName",
            ));
        }
        let state = if inline.is_some() {
            State::UploadComplete
        } else {
            State::Open
        };
        let due = inline
            .is_some()
            .then(|| now.checked_add(self.settings.bulk_delay).unwrap_or(now));
        let data = inline.unwrap_or_default();
        let work = Work::Ingest {
            object,
            operation,
            key,
            data,
            outcome: Outcome::default(),
        };
        Ok(self.open_job(work, state, due, caller, now))
    }

    fn open_query(
        &mut self,
        call: &Call,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let body = call.object()?;
        let text = body
            .get("query")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let scope = match body.get("operation").and_then(Value::as_str) {
            Some("query") => Scope::Live,
            Some("queryAll") => Scope::Deleted,
            _ => return Err(Failure::new("INVALIDJOB", "operation is query or queryAll")),
        };
        let plan = self.plan(&text, now).map_err(|failure| Failure {
            code: "API_ERROR",
            ..failure
        })?;
        if plan.counts
            || plan
                .outputs
                .iter()
                .any(|output| matches!(output, Output::Child(..)))
        {
            return Err(Failure::new(
                "API_ERROR",
                "COUNT() and subqueries are not supported in a bulk query",
            ));
        }
        let due = now.checked_add(self.settings.bulk_delay).unwrap_or(now);
        let work = Work::Query {
            text,
            scope,
            header: Vec::new(),
            rows: Vec::new(),
        };
        Ok(self.open_job(work, State::UploadComplete, Some(due), caller, now))
    }

    fn open_job(
        &mut self,
        work: Work,
        state: State,
        due: Option<Timestamp>,
        caller: &Caller,
        now: Timestamp,
    ) -> Reply {
        let id = ids::id("750", self.world.next("job"));
        let job = Job {
            work,
            state,
            made: now,
            user: caller.user.clone(),
            base: caller.base.clone(),
            due,
        };
        let shown = job.shown(&id);
        self.jobs.insert(id, job);
        Reply::json(200, shown)
    }

    fn move_job(&mut self, id: &str, call: &Call, now: Timestamp) -> Result<(), Failure> {
        let body = call.object()?;
        let delay = self.settings.bulk_delay;
        let job = self.jobs.get_mut(id).ok_or_else(Failure::not_found)?;
        match (body.get("state").and_then(Value::as_str), job.state) {
            (Some("UploadComplete"), State::Open) => {
                job.state = State::UploadComplete;
                job.due = Some(now.checked_add(delay).unwrap_or(now));
                Ok(())
            }
            (Some("Aborted"), State::Open | State::UploadComplete | State::InProgress) => {
                job.state = State::Aborted;
                Ok(())
            }
            (wanted, state) => {
                let message = format!(
                    "cannot move the job from {} to {}",
                    state.name(),
                    wanted.unwrap_or_default()
                );
                Err(Failure::new("INVALIDJOBSTATE", message))
            }
        }
    }

    /// Works off the jobs that are due.
    pub(super) fn run_jobs(&mut self, now: Timestamp) {
        let mut due = Vec::new();
        for (id, job) in &mut self.jobs {
            if matches!(job.state, State::UploadComplete | State::InProgress) {
                match job.due {
                    Some(at) if at <= now => due.push(id.clone()),
                    // Half way through, the job says that it is at work.
                    _ if now.duration_since(job.made) * 2 >= self.settings.bulk_delay => {
                        job.state = State::InProgress
                    }
                    _ => {}
                }
            }
        }
        for id in due {
            if let Some(mut job) = self.jobs.remove(&id) {
                self.run_job(&mut job, now);
                self.jobs.insert(id, job);
            }
        }
    }

    fn run_job(&mut self, job: &mut Job, now: Timestamp) {
        let caller = Caller {
            user: job.user.clone(),
            base: job.base.clone(),
            save_duplicates: false,
            record_details: false,
            in_batch: true,
        };
        job.state = match &mut job.work {
            Work::Query {
                text,
                scope,
                header,
                rows,
            } => match self.plan(text, now) {
                Ok(plan) => {
                    *header = columns(&plan);
                    let view = self.view(now);
                    *rows = plan
                        .rows(view, *scope)
                        .into_iter()
                        .map(|row| cells(&plan, view, row))
                        .collect();
                    State::JobComplete
                }
                Err(_) => State::Failed,
            },
            Work::Ingest {
                object,
                operation,
                key,
                data,
                outcome,
            } => match self.ingest(object, *operation, key, data, &caller, now) {
                Ok(done) => {
                    *outcome = done;
                    State::JobComplete
                }
                Err(_) => State::Failed,
            },
        };
    }

    fn ingest(
        &mut self,
        object: &'static Object,
        operation: Operation,
        key: &str,
        data: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Outcome, csv::Error> {
        let mut reader = csv::Reader::from_reader(data.as_bytes());
        let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let mut outcome = Outcome {
            header: header.clone(),
            ..Outcome::default()
        };
        for row in reader.records() {
            let row: Vec<String> = row?.iter().map(str::to_owned).collect();
            let record = record(&header, &row);
            match self.ingest_row(object, operation, key, record, caller, now) {
                Ok((id, created)) => outcome.successful.push((id, created, row)),
                Err(failure) => {
                    let fields = if failure.fields.is_empty() {
                        "--".to_owned()
                    } else {
                        failure.fields.join(" ")
                    };
                    outcome.failed.push((
                        format!("{}:{}:{fields}", failure.code, failure.message),
                        row,
                    ));
                }
            }
        }
        Ok(outcome)
    }

    fn ingest_row(
        &mut self,
        object: &'static Object,
        operation: Operation,
        key: &str,
        mut record: Map<String, Value>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<(String, bool), Failure> {
        let mut take = |name: &str| {
            let found = record
                .keys()
                .find(|key| key.eq_ignore_ascii_case(name))
                .cloned();
            let value = found.and_then(|found| record.remove(&found));
            value
                .and_then(|value| value.as_str().map(str::to_owned))
                .ok_or_else(|| {
                    Failure::new("MISSING_ARGUMENT", format!("{name} not specified")).on(name)
                })
        };
        match operation {
            Operation::Insert => Ok((self.create_record(object, &record, caller, now)?, true)),
            Operation::Update => {
                let id = take("Id")?;
                let id = self.existing(object, &id)?;
                self.update_record(object, &id, &record, now)?;
                Ok((id, false))
            }
            Operation::Delete | Operation::HardDelete => {
                let id = take("Id")?;
                let id = self.existing(object, &id)?;
                self.delete_record(object, &id, now)?;
                if operation == Operation::HardDelete {
                    self.world
                        .purge(object.name, &id, crate::world::Actor::Integration, now);
                }
                Ok((id, false))
            }
            Operation::Upsert => {
                let value = take(key)?;
                match self.upsert_record(object, (key, &value), &record, caller, now)? {
                    Upserted::Created(id) => Ok((id, true)),
                    Upserted::Updated(id) => Ok((id, false)),
                    Upserted::Ambiguous(_) => Err(Failure::new(
                        "DUPLICATE_EXTERNAL_ID",
                        "more than one record found for external id field",
                    )),
                }
            }
        }
    }
}
