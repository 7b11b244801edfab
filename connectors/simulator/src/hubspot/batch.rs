//! A hundred records at a time.
//!
//! With a distinct `objectWriteTraceId` in every input, failures come item by item; without, one bad input fails them all.

use super::{
    HubSpot,
    associations::{batch as frame, inputs},
    check::Claims,
    record::{View, Wanted},
    request::{Answer, Call, Problem, Reply, Version, scalar, texts},
    schema::Object,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most inputs of a batch; half as many where histories are read.
const MOST: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
    Upsert,
}

impl HubSpot {
    pub(super) fn batch(
        &mut self,
        call: &Call<'_>,
        version: Version,
        object: Object,
        verb: &str,
    ) -> Answer {
        match verb {
            "read" => self.batch_read(call, version, object),
            "archive" => {
                for input in inputs(call, MOST)? {
                    if let Some(id) = scalar(&input["id"]) {
                        self.archive(object, &id, Self::CALLER, call.now);
                    }
                }
                Ok(Reply::nothing())
            }
            "create" => self.batch_write(call, version, object, Verb::Create),
            "update" => self.batch_write(call, version, object, Verb::Update),
            "upsert" => self.batch_write(call, version, object, Verb::Upsert),
            _ => Err(Problem::no_route()),
        }
    }

    fn batch_read(&mut self, call: &Call<'_>, version: Version, object: Object) -> Answer {
        let body = call.json()?;
        let wanted = Wanted {
            properties: texts(&body["properties"]),
            history: texts(&body["propertiesWithHistory"]),
            associations: Vec::new(),
        };
        let inputs = inputs(
            call,
            if wanted.history.is_empty() {
                MOST
            } else {
                MOST / 2
            },
        )?;
        let archived = call.flag("archived");
        let mut results = Vec::new();
        let mut missing = Vec::new();
        let mut seen = BTreeSet::new();
        for input in inputs {
            let id =
                scalar(&input["id"]).ok_or_else(|| Problem::invalid("every input needs an id"))?;
            let row = match body["idProperty"].as_str() {
                Some(property) if property != "hs_object_id" => {
                    self.unique_row(object, property, &id)?
                }
                _ if archived => self
                    .world
                    .get(object.table(), &id)
                    .filter(|row| row.deleted.is_some() && !row.purged),
                _ => self.lookup(object, &id),
            };
            match row {
                Some(row) if seen.insert(row.id.clone()) => {
                    results.push(self.render(object, &View::now(row), &wanted))
                }
                Some(_) => {}
                None => missing.push(id),
            }
        }
        let mut body = frame(Value::Array(results), call.now);
        let mut status = 200;
        if !missing.is_empty() {
            status = version.partial(200);
            body["numErrors"] = 1.into();
            body["errors"] = json!([{
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": format!("Could not get some {} objects, they may be deleted or not exist.", object.singular().to_uppercase()),
                "context": { "ids": missing },
            }]);
        }
        Ok(Reply {
            status,
            body: Some(body),
        })
    }

    fn batch_write(
        &mut self,
        call: &Call<'_>,
        version: Version,
        object: Object,
        verb: Verb,
    ) -> Answer {
        let inputs = inputs(call, MOST)?;
        if verb != Verb::Create {
            refuse_twins(&inputs)?;
        }
        let traces: BTreeSet<&str> = inputs
            .iter()
            .filter_map(|input| input["objectWriteTraceId"].as_str())
            .collect();
        let traced = traces.len() == inputs.len();
        if !traced {
            // All or nothing: every input is checked before the first is carried out.
            let mut claims = Claims::new();
            for input in &inputs {
                self.rehearse(object, version, verb, input, &mut claims)?;
            }
        }
        let mut results = Vec::new();
        let mut errors = Vec::new();
        for input in &inputs {
            match self.carry_out(object, version, verb, input, call.now) {
                Ok(mut result) => {
                    if traced {
                        result["objectWriteTraceId"] = input["objectWriteTraceId"].clone();
                    }
                    results.push(result);
                }
                Err(problem) => {
                    let correlation = self.correlation();
                    let mut error = problem.json(&correlation);
                    error["context"]["objectWriteTraceId"] = json!([input["objectWriteTraceId"]]);
                    errors.push(error);
                }
            }
        }
        let success = if verb == Verb::Create { 201 } else { 200 };
        let mut body = frame(Value::Array(results), call.now);
        let mut status = success;
        if !errors.is_empty() {
            status = version.partial(success);
            body["numErrors"] = errors.len().into();
            body["errors"] = errors.into();
        }
        Ok(Reply {
            status,
            body: Some(body),
        })
    }

    fn rehearse(
        &self,
        object: Object,
        version: Version,
        verb: Verb,
        input: &Value,
        claims: &mut Claims,
    ) -> Result<(), Problem> {
        match self.target(object, verb, input)? {
            Some(id) => {
                let row = self.world.get(object.table(), &id);
                self.check(object, version, row, &input["properties"], claims)
                    .map(drop)
            }
            None => self
                .check_create(object, version, &with_key(verb, input), claims)
                .map(drop),
        }
    }

    fn carry_out(
        &mut self,
        object: Object,
        version: Version,
        verb: Verb,
        input: &Value,
        now: Timestamp,
    ) -> Result<Value, Problem> {
        let target = self.target(object, verb, input)?;
        let is_new = target.is_none();
        let id = match target {
            Some(id) => {
                let row = self.world.get(object.table(), &id);
                let changes = self.check(
                    object,
                    version,
                    row,
                    &input["properties"],
                    &mut Claims::new(),
                )?;
                self.write(object, &id, changes, Self::CALLER, now);
                id
            }
            None => self.create_from(
                object,
                version,
                &with_key(verb, input),
                &mut Claims::new(),
                now,
            )?,
        };
        let mut result = self.shown(object, &id, &input["properties"]);
        if verb == Verb::Upsert {
            result["new"] = is_new.into();
        }
        Ok(result)
    }

    /// The record that an input means; `None` where a new one is to be made.
    fn target(&self, object: Object, verb: Verb, input: &Value) -> Result<Option<String>, Problem> {
        if verb == Verb::Create {
            return Ok(None);
        }
        let id = scalar(&input["id"])
            .filter(|id| !id.is_empty())
            .ok_or_else(|| Problem::invalid("every input needs an id"))?;
        let property = input["idProperty"]
            .as_str()
            .filter(|property| *property != "hs_object_id");
        let row = match property {
            Some(property) => self.unique_row(object, property, &id)?,
            None => self.lookup(object, &id),
        };
        match (row, verb) {
            (Some(row), _) => Ok(Some(row.id.clone())),
            (None, Verb::Upsert) if property.is_some() => Ok(None),
            (None, _) => {
                let mut problem = Problem::new(
                    404,
                    "OBJECT_NOT_FOUND",
                    format!("{} {id} does not exist", object.singular()),
                );
                problem.context = json!({ "ids": [id] });
                Err(problem)
            }
        }
    }
}

/// An upsert that makes a record writes the value it was looked for by.
fn with_key(verb: Verb, input: &Value) -> Value {
    let mut input = input.clone();
    if verb == Verb::Upsert
        && let Some(property) = input["idProperty"].as_str().map(str::to_owned)
        && input["properties"][&property].is_null()
        && (input["properties"].is_object() || input["properties"].is_null())
    {
        input["properties"][&property] = input["id"].clone();
    }
    input
}

fn refuse_twins(inputs: &[Value]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for input in inputs {
        let id = scalar(&input["id"]).unwrap_or_default().to_lowercase();
        if !seen.insert(id.clone()) {
            return Err(Problem::invalid(format!(
                "Duplicate IDs found in batch input: [{id}]"
            )));
        }
    }
    Ok(())
}
