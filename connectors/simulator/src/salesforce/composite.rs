//! Several calls in one, that may refer to each other's answers.

use super::{
    Caller, Failure, Salesforce,
    call::{Body, Call, Reply},
    schema::Object,
};
use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most calls in one composite.
const MOST: usize = 25;
/// Most queries and collections among them.
const MOST_WIDE: usize = 5;
/// Most graphs, and most nodes in all of them.
const MOST_GRAPHS: usize = 75;
const MOST_NODES: usize = 500;
/// After so many failed graphs the rest is not tried.
const PATIENCE: usize = 14;

impl Salesforce {
    /// `POST /composite`
    pub(super) fn composite(
        &mut self,
        call: &Call,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let body = call.object()?;
        let requests = list(&body, "compositeRequest")?;
        if requests.len() > MOST {
            let message = format!("Limit Exceeded: at most {MOST} subrequests are allowed");
            return Err(Failure::new("LIMIT_EXCEEDED", message));
        }
        let wide = requests.iter().filter(|request| {
            let url = request["url"].as_str().unwrap_or_default();
            url.contains("/query") || url.contains("/composite/sobjects")
        });
        if wide.count() > MOST_WIDE {
            let message =
                format!("Limit Exceeded: at most {MOST_WIDE} queries and collections are allowed");
            return Err(Failure::new("LIMIT_EXCEEDED", message));
        }
        let atomic = body
            .get("allOrNone")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let (answers, _) = self.chain(&requests, atomic, caller, now)?;
        Ok(Reply::json(200, json!({"compositeResponse": answers})))
    }

    /// `POST /composite/graph`
    pub(super) fn graphs(
        &mut self,
        call: &Call,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let body = call.object()?;
        let graphs = list(&body, "graphs")?;
        let nodes: usize = graphs
            .iter()
            .map(|graph| graph["compositeRequest"].as_array().map_or(0, Vec::len))
            .sum();
        if graphs.len() > MOST_GRAPHS || nodes > MOST_NODES {
            let message = format!(
                "Limit Exceeded: at most {MOST_GRAPHS} graphs with {MOST_NODES} nodes are allowed"
            );
            return Err(Failure::new("LIMIT_EXCEEDED", message));
        }
        let mut failures = 0;
        let mut answers = Vec::new();
        for graph in &graphs {
            let requests = graph["compositeRequest"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let (responses, good) = if failures >= PATIENCE {
                (requests.iter().map(halted).collect(), false)
            } else {
                self.chain(&requests, true, caller, now)?
            };
            failures += usize::from(!good);
            answers.push(json!({
                "graphId": graph["graphId"],
                "graphResponse": {"compositeResponse": responses},
                "isSuccessful": good,
            }));
        }
        Ok(Reply::json(200, json!({"graphs": answers})))
    }

    /// `POST /composite/tree/{object}`: records with their children, all or none.
    pub(super) fn tree(
        &mut self,
        call: &Call,
        object: &'static Object,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let body = call.object()?;
        let records = list(&body, "records")?;
        let before = self.world.clone();
        let mut results = Vec::new();
        let mut errors = Vec::new();
        for record in records {
            self.branch(
                object,
                record,
                None,
                &caller.batch(),
                now,
                &mut results,
                &mut errors,
            );
        }
        if errors.is_empty() {
            return Ok(Reply::json(
                201,
                json!({"hasErrors": false, "results": results}),
            ));
        }
        self.world = before;
        Ok(Reply::json(
            400,
            json!({"hasErrors": true, "results": errors}),
        ))
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "a private recursion that carries its two lists of outcomes along"
    )]
    fn branch(
        &mut self,
        object: &'static Object,
        record: Value,
        parent: Option<(&str, &str)>,
        caller: &Caller,
        now: Timestamp,
        results: &mut Vec<Value>,
        errors: &mut Vec<Value>,
    ) {
        let reference = record["attributes"]["referenceId"].clone();
        let Value::Object(fields) = record else {
            return;
        };
        let (children, mut fields): (Map<String, Value>, Map<String, Value>) = fields
            .into_iter()
            .partition(|(_, value)| value["records"].is_array());
        if let Some((field, id)) = parent {
            fields.insert(field.to_owned(), json!(id));
        }
        match self.create_record(object, &fields, caller, now) {
            Err(failure) => {
                let row = failure.row();
                errors.push(json!({"referenceId": reference, "errors": row["errors"]}));
            }
            Ok(id) => {
                results.push(json!({"referenceId": reference, "id": id}));
                for (name, mut group) in children {
                    let Some(child) = object.child(&name) else {
                        continue;
                    };
                    let Some(target) = Object::named(child.object) else {
                        continue;
                    };
                    if let Value::Array(records) = group["records"].take() {
                        for record in records {
                            self.branch(
                                target,
                                record,
                                Some((child.field, &id)),
                                caller,
                                now,
                                results,
                                errors,
                            );
                        }
                    }
                }
            }
        }
    }

    /// Carries out calls in order; their answers, and whether all went well.
    fn chain(
        &mut self,
        requests: &[Value],
        atomic: bool,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<(Vec<Value>, bool), Failure> {
        let before = atomic.then(|| self.world.clone());
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        let mut answers: Vec<Value> = Vec::new();
        let mut failed_at = None;
        for (place, request) in requests.iter().enumerate() {
            let reference = request["referenceId"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if reference.is_empty() || known.contains_key(&reference) {
                let message =
                    format!("Provided referenceId ('{reference}') must be unique and not empty.");
                return Err(Failure::new("JSON_PARSER_ERROR", message));
            }
            let reply = self
                .link(request, &known, caller, now)
                .unwrap_or_else(Reply::from);
            let body = match reply.body {
                Body::Json(value) => value,
                Body::Empty => Value::Null,
                Body::Text(_, text) => json!(text),
            };
            if reply.status < 300 {
                known.insert(reference.clone(), body.clone());
            } else {
                known.insert(reference.clone(), Value::Null);
                failed_at = failed_at.or(Some(place));
            }
            let headers: Map<String, Value> = reply
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect();
            answers.push(json!({
                "body": body,
                "httpHeaders": headers,
                "httpStatusCode": reply.status,
                "referenceId": reference,
            }));
            if atomic && failed_at.is_some() {
                break;
            }
        }
        if let (Some(world), Some(failed)) = (before, failed_at) {
            self.world = world;
            answers = requests
                .iter()
                .enumerate()
                .map(|(place, request)| {
                    if place == failed {
                        answers[failed].clone()
                    } else {
                        halted(request)
                    }
                })
                .collect();
        }
        Ok((answers, failed_at.is_none()))
    }

    fn link(
        &mut self,
        request: &Value,
        known: &BTreeMap<String, Value>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let method = request["method"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let method: Method = method
            .parse()
            .map_err(|_| Failure::new("METHOD_NOT_ALLOWED", "unknown method"))?;
        let url = replaced(request["url"].as_str().unwrap_or_default(), known)?;
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let mut call = Call::to(method, path, query);
        if let Some(headers) = request["httpHeaders"].as_object() {
            call.headers = headers
                .iter()
                .filter_map(|(name, value)| {
                    Some((name.to_ascii_lowercase(), value.as_str()?.to_owned()))
                })
                .collect();
        }
        if !request["body"].is_null() {
            call.body = Bytes::from(resolved(&request["body"], known)?.to_string());
        }
        let segments = call.segments.clone();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["services", "data", version, path @ ..] => {
                self.check_version(version)?;
                if matches!(path, ["composite"] | ["composite", "graph"] | ["jobs", ..]) {
                    return Err(Failure::not_found());
                }
                self.rest(&call, path, caller, now)
            }
            _ => Err(Failure::not_found()),
        }
    }
}

fn list(body: &Map<String, Value>, name: &str) -> Result<Vec<Value>, Failure> {
    body.get(name)
        .and_then(Value::as_array)
        .cloned()
        .ok_or_else(|| Failure::new("JSON_PARSER_ERROR", format!("{name}: expected an array")))
}

fn halted(request: &Value) -> Value {
    json!({
        "body": [{
            "errorCode": "PROCESSING_HALTED",
            "message": "The transaction was rolled back since another operation in the same transaction failed.",
        }],
        "httpHeaders": {},
        "httpStatusCode": 400,
        "referenceId": request["referenceId"],
    })
}

/// A value with every `@{…}` in its texts replaced.
fn resolved(value: &Value, known: &BTreeMap<String, Value>) -> Result<Value, Failure> {
    Ok(match value {
        Value::String(text) => json!(replaced(text, known)?),
        Value::Array(items) => items
            .iter()
            .map(|item| resolved(item, known))
            .collect::<Result<_, _>>()?,
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), resolved(value, known)?)));
            Value::Object(fields.collect::<Result<_, Failure>>()?)
        }
        other => other.clone(),
    })
}

fn replaced(text: &str, known: &BTreeMap<String, Value>) -> Result<String, Failure> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let (reference, after) = after.split_once('}').ok_or_else(|| {
            Failure::new(
                "JSON_PARSER_ERROR",
                format!("unterminated reference in {text}"),
            )
        })?;
        whole.push_str(before);
        whole.push_str(&looked_up(reference, known)?);
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

/// `ref.id`, `ref.records[0].Id`
fn looked_up(reference: &str, known: &BTreeMap<String, Value>) -> Result<String, Failure> {
    let missing = || {
        let message = format!("Invalid reference specified. No value for {reference} found");
        Failure::new("PROCESSING_HALTED", message)
    };
    let dotted = reference.replace('[', ".").replace(']', "");
    let mut parts = dotted.split('.');
    let mut value = parts
        .next()
        .and_then(|name| known.get(name))
        .ok_or_else(missing)?;
    for part in parts {
        value = match (value, part.parse::<usize>()) {
            (Value::Array(items), Ok(place)) => items.get(place),
            _ => value.get(part),
        }
        .ok_or_else(missing)?;
    }
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(missing()),
        other => Ok(other.to_string()),
    }
}
