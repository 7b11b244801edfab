//! Many records in one call: each row has its own outcome, and the call is a success whatever they are.

use super::{
    Caller, Failure, Salesforce,
    call::{Call, Reply},
    records::Upserted,
    rest::only,
    schema::Object,
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Most records in one call.
const MOST: usize = 200;
/// A record's object and its values.
type Typed = (&'static Object, Map<String, Value>);

/// Most runs of one type that a call is cut into.
const CHUNKS: usize = 10;

impl Salesforce {
    /// Answers a call below `/composite/sobjects`.
    pub(super) fn collections(
        &mut self,
        call: &Call,
        path: &[&str],
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let caller = &caller.batch();
        match (path, &call.method) {
            ([], &Method::DELETE) => {
                let ids: Vec<&str> = call
                    .parameter("ids")
                    .unwrap_or_default()
                    .split(',')
                    .filter(|id| !id.is_empty())
                    .collect();
                counted(ids.len())?;
                let atomic = call.parameter("allOrNone") == Some("true");
                Ok(self.rows(ids, atomic, |salesforce, id| {
                    let object = Object::of_id(id).ok_or_else(|| {
                        Failure::new("MALFORMED_ID", format!("malformed id {id}"))
                    })?;
                    salesforce.delete_record(object, id, now)?;
                    Ok(json!({"id": id, "success": true, "errors": []}))
                }))
            }
            ([], &Method::POST) => {
                let (records, atomic) = records(call)?;
                let records = typed(records)?;
                Ok(self.rows(records, atomic, |salesforce, (object, record)| {
                    let id = salesforce.create_record(object, &record, caller, now)?;
                    Ok(json!({"id": id, "success": true, "errors": []}))
                }))
            }
            ([], &Method::PATCH) => {
                let (records, atomic) = records(call)?;
                let records = typed(records)?;
                Ok(self.rows(records, atomic, |salesforce, (object, record)| {
                    let id = record
                        .iter()
                        .find(|(name, _)| name.eq_ignore_ascii_case("id"));
                    let id = id.and_then(|(_, id)| id.as_str()).ok_or_else(|| {
                        Failure::new("MISSING_ARGUMENT", "Id not specified in an update call")
                            .on("Id")
                    })?;
                    let id = salesforce.existing(object, id)?;
                    salesforce.update_record(object, &id, &record, now)?;
                    Ok(json!({"id": id, "success": true, "errors": []}))
                }))
            }
            ([object, field], &Method::PATCH) => {
                let object = Object::named(object).ok_or_else(Failure::not_found)?;
                let (records, atomic) = records(call)?;
                let records = typed(records)?;
                if records.iter().any(|(other, _)| other.name != object.name) {
                    let message = format!("all records must be of type {}", object.name);
                    return Err(Failure::new("INVALID_TYPE", message));
                }
                Ok(self.rows(records, atomic, |salesforce, (object, record)| {
                    salesforce.upsert_row(object, field, record, caller, now)
                }))
            }
            ([object], &Method::GET) => {
                let object = Object::named(object).ok_or_else(Failure::not_found)?;
                self.retrieve(call, object, now)
            }
            ([object], &Method::POST) => {
                // The form of retrieval that takes its lists in the body.
                let object = Object::named(object).ok_or_else(Failure::not_found)?;
                let body = call.object()?;
                let list = |name: &str| {
                    let items = body
                        .get(name)
                        .and_then(Value::as_array)
                        .cloned()
                        .unwrap_or_default();
                    items
                        .iter()
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join(",")
                };
                let query = vec![
                    ("ids".to_owned(), list("ids")),
                    ("fields".to_owned(), list("fields")),
                ];
                self.retrieve(
                    &Call {
                        query,
                        ..call.clone()
                    },
                    object,
                    now,
                )
            }
            _ => {
                only(
                    &call.method,
                    &[Method::GET, Method::POST, Method::PATCH, Method::DELETE],
                )?;
                Err(Failure::not_found())
            }
        }
    }

    fn upsert_row(
        &mut self,
        object: &'static Object,
        field: &str,
        mut record: Map<String, Value>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        let name = record
            .keys()
            .find(|name| name.eq_ignore_ascii_case(field))
            .cloned();
        let value = name.and_then(|name| record.remove(&name));
        let value = match value {
            Some(Value::String(text)) => Some(text).filter(|text| !text.is_empty()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let value = value.ok_or_else(|| {
            Failure::new("MISSING_ARGUMENT", format!("{field} not specified")).on(field)
        })?;
        match self.upsert_record(object, (field, &value), &record, caller, now)? {
            Upserted::Created(id) => {
                Ok(json!({"id": id, "success": true, "errors": [], "created": true}))
            }
            Upserted::Updated(id) => {
                Ok(json!({"id": id, "success": true, "errors": [], "created": false}))
            }
            Upserted::Ambiguous(ids) => {
                let message = format!(
                    "{field}: more than one record found for external id field: [{}]",
                    ids.join(", ")
                );
                Err(Failure::new("DUPLICATE_EXTERNAL_ID", message).on(field))
            }
        }
    }

    /// Carries out rows one by one. Where all or none is wished, one failure undoes the rest.
    fn rows<T>(
        &mut self,
        items: Vec<T>,
        atomic: bool,
        mut act: impl FnMut(&mut Salesforce, T) -> Result<Value, Failure>,
    ) -> Reply {
        let before = atomic.then(|| self.world.clone());
        let outcomes: Vec<Result<Value, Failure>> =
            items.into_iter().map(|item| act(self, item)).collect();
        let failed = outcomes.iter().any(Result::is_err);
        let undone = match before {
            Some(world) if failed => {
                self.world = world;
                true
            }
            _ => false,
        };
        let rows: Vec<Value> = outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Err(failure) => failure.row(),
                Ok(_) if undone => Failure::new(
                    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                    "Record rolled back because not all records were valid and the request was using AllOrNone header",
                )
                .row(),
                Ok(row) => row,
            })
            .collect();
        Reply::json(200, json!(rows))
    }

    fn retrieve(
        &self,
        call: &Call,
        object: &'static Object,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let view = self.view(now);
        let ids: Vec<&str> = call
            .parameter("ids")
            .unwrap_or_default()
            .split(',')
            .filter(|id| !id.is_empty())
            .collect();
        if ids.len() > 2_000 {
            return Err(Failure::new(
                "EXCEEDED_ID_LIMIT",
                "at most 2000 ids are allowed",
            ));
        }
        let fields = call
            .parameter("fields")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let fields = fields
            .map(|name| {
                view.field(object, name).ok_or_else(|| {
                    let message =
                        format!("No such column '{name}' on sobject of type {}", object.name);
                    Failure::new("INVALID_FIELD", message)
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let records: Vec<Value> = ids
            .iter()
            .map(|id| {
                let id = self.existing(object, id).ok();
                let Some(row) = id.and_then(|id| self.world.get_live(object.name, &id)) else {
                    return Value::Null;
                };
                let mut record = Map::new();
                let base = format!("/services/data/v{}.0", self.settings.newest_version);
                record.insert(
                    "attributes".to_owned(),
                    super::soql::attributes(object, &row.id, &base),
                );
                record.extend(
                    fields
                        .iter()
                        .map(|field| (field.name.to_owned(), view.json(field, row))),
                );
                Value::Object(record)
            })
            .collect();
        Ok(Reply::json(200, json!(records)))
    }
}

fn counted(count: usize) -> Result<(), Failure> {
    if count > MOST {
        return Err(Failure::new(
            "EXCEEDED_ID_LIMIT",
            format!("record limit reached. cannot submit more than {MOST} records into this call"),
        ));
    }
    Ok(())
}

/// The records of a body and whether all or none of them shall be written.
fn records(call: &Call) -> Result<(Vec<Value>, bool), Failure> {
    let mut body = call.object()?;
    let atomic = body
        .get("allOrNone")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    match body.remove("records") {
        Some(Value::Array(records)) => {
            counted(records.len())?;
            Ok((records, atomic))
        }
        _ => Err(Failure::new(
            "JSON_PARSER_ERROR",
            "records: expected an array",
        )),
    }
}

/// Each record with its object. A change of type from one record to the next starts a new chunk, and chunks are few.
fn typed(records: Vec<Value>) -> Result<Vec<Typed>, Failure> {
    let mut typed: Vec<Typed> = Vec::new();
    let mut chunks = 0;
    for record in records {
        let name = record["attributes"]["type"].as_str().unwrap_or_default();
        let object = Object::named(name).ok_or_else(|| {
            Failure::new(
                "INVALID_TYPE",
                format!("sObject type '{name}' is not supported."),
            )
        })?;
        if typed
            .last()
            .is_none_or(|(last, _)| last.name != object.name)
        {
            chunks += 1;
        }
        match record {
            Value::Object(record) => typed.push((object, record)),
            _ => {
                return Err(Failure::new(
                    "JSON_PARSER_ERROR",
                    "records: expected objects",
                ));
            }
        }
    }
    if chunks > CHUNKS {
        let message = format!(
            "Cannot have more than {CHUNKS} chunks in a single operation. Please rearrange the data."
        );
        return Err(Failure::new("LIMIT_EXCEEDED", message));
    }
    Ok(typed)
}
