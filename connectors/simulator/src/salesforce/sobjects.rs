//! Single records over REST.

use super::{
    Caller, Failure, Salesforce,
    call::{Call, Reply},
    ids,
    records::Upserted,
    rest::only,
    schema::Object,
    soql::attributes,
};
use crate::world::Row;
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

impl Salesforce {
    /// Answers a call below `/sobjects/{object}`.
    pub(super) fn sobject(
        &mut self,
        call: &Call,
        object: &'static Object,
        path: &[&str],
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let method = &call.method;
        match path {
            [] if *method == Method::POST => {
                let id = self.create_record(object, &call.object()?, caller, now)?;
                Ok(created(&id, None).with(
                    "Location",
                    format!("{}/sobjects/{}/{id}", caller.base, object.name),
                ))
            }
            [] => {
                only(method, &[Method::GET, Method::POST])?;
                Ok(Reply::json(
                    200,
                    json!({"objectDescribe": self.summary(object, &caller.base), "recentItems": []}),
                ))
            }
            ["describe"] => self.describe(call, object, caller, now),
            ["updated"] => self.updated(call, object, now),
            ["deleted"] => self.deleted(call, object, now),
            [id] => self.single(call, object, id, caller, now),
            [field, value] => self.by_key(call, object, field, value, caller, now),
            _ => Err(Failure::not_found()),
        }
    }

    fn single(
        &mut self,
        call: &Call,
        object: &'static Object,
        id: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        only(
            &call.method,
            &[Method::GET, Method::HEAD, Method::PATCH, Method::DELETE],
        )?;
        // An id that leads nowhere is a missing page here, and a bad reference in a batch.
        let id = self
            .existing(object, id)
            .map_err(|failure| match failure.code {
                "INVALID_CROSS_REFERENCE_KEY" | "MALFORMED_ID" => Failure::not_found(),
                _ => failure,
            })?;
        if call.method == Method::DELETE {
            self.delete_record(object, &id, now)?;
            return Ok(Reply::empty(204));
        }
        let row = self
            .world
            .get_live(object.name, &id)
            .ok_or_else(Failure::not_found)?;
        if let Some(reply) = self.precondition(call, object, row, now)? {
            return Ok(reply);
        }
        if call.method == Method::PATCH {
            let body = call.object()?;
            if body.keys().any(|name| name.eq_ignore_ascii_case("Id")) {
                let message = "The Id field should not be specified in the sobject data.";
                return Err(Failure::new("INVALID_FIELD", message).on("Id"));
            }
            self.update_record(object, &id, &body, now)?;
            return Ok(Reply::empty(204));
        }
        self.shown(call, object, &id, caller, now)
    }

    fn shown(
        &self,
        call: &Call,
        object: &'static Object,
        id: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let view = self.view(now);
        let row = self
            .world
            .get_live(object.name, id)
            .ok_or_else(Failure::not_found)?;
        let mut record = Map::new();
        record.insert(
            "attributes".to_owned(),
            attributes(object, id, &caller.base),
        );
        match call.parameter("fields") {
            Some(fields) => {
                for name in fields.split(',').map(str::trim) {
                    let field = view.field(object, name).ok_or_else(|| {
                        let message =
                            format!("No such column '{name}' on sobject of type {}", object.name);
                        Failure::new("INVALID_FIELD", message)
                    })?;
                    record.insert(field.name.to_owned(), view.json(field, row));
                }
                record.insert("Id".to_owned(), json!(id));
            }
            None => {
                record.extend(
                    view.fields(object)
                        .map(|field| (field.name.to_owned(), view.json(field, row))),
                );
            }
        }
        let mut reply = Reply::json(200, Value::Object(record))
            .with("Last-Modified", http_date(view.stamp(row)));
        if object.name == "Account" {
            reply = reply.with("ETag", etag(row));
        }
        Ok(reply)
    }

    /// Conditional requests. Only accounts have entity tags; the stamps that others go by count in seconds.
    fn precondition(
        &self,
        call: &Call,
        object: &Object,
        row: &Row,
        now: Timestamp,
    ) -> Result<Option<Reply>, Failure> {
        let stamp = self.view(now).stamp(row);
        let failed = || {
            Failure::new(
                "PRECONDITION_FAILED",
                "the record does not meet the condition of the request",
            )
        };
        for header in ["if-match", "if-none-match"] {
            let Some(wanted) = call.header(header) else {
                continue;
            };
            if object.name != "Account" {
                let message = format!("{header} is not supported for {}", object.name);
                return Err(Failure::new("INVALID_HEADER", message));
            }
            let current = etag(row);
            let matches = wanted == "*" || wanted.split(',').any(|tag| tag.trim() == current);
            match (header, matches, &call.method) {
                ("if-match", false, _) => return Err(failed()),
                ("if-none-match", true, &Method::GET) => return Ok(Some(Reply::empty(304))),
                ("if-none-match", true, _) => return Err(failed()),
                _ => {}
            }
        }
        if let Some(since) = call.date("if-unmodified-since")?
            && stamp > since
        {
            return Err(failed());
        }
        if let Some(since) = call.date("if-modified-since")?
            && stamp <= since
        {
            return Ok(Some(Reply::empty(304)));
        }
        Ok(None)
    }

    fn by_key(
        &mut self,
        call: &Call,
        object: &'static Object,
        field: &str,
        value: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        only(&call.method, &[Method::GET, Method::PATCH, Method::DELETE])?;
        let view = self.view(now);
        let field = view
            .field(object, field)
            .filter(|field| field.external_id || field.id_lookup);
        let field = field.ok_or_else(|| {
            Failure::new(
                "NOT_FOUND",
                "Provided external ID field does not exist or is not accessible",
            )
        })?;
        let found: Vec<String> = if field.name == "Id" {
            ids::full(value)
                .filter(|id| self.world.get_live(object.name, id).is_some())
                .into_iter()
                .collect()
        } else {
            self.world
                .table(object.name)
                .find(field.name, value)
                .into_iter()
                .map(|row| row.id.clone())
                .collect()
        };
        if found.len() > 1 {
            return Ok(choices(&found, object, &caller.base));
        }
        if call.method != Method::PATCH {
            let id = found.first().ok_or_else(Failure::not_found)?;
            if call.method == Method::DELETE {
                self.delete_record(object, id, now)?;
                return Ok(Reply::empty(204));
            }
            return self.shown(call, object, id, caller, now);
        }
        let body = call.object()?;
        for name in ["Id", field.name] {
            if body.keys().any(|key| key.eq_ignore_ascii_case(name)) {
                let message =
                    format!("The {name} field should not be specified in the sobject data.");
                return Err(Failure::new("INVALID_FIELD", message).on(name));
            }
        }
        if found.is_empty() && call.parameter("updateOnly") == Some("true") {
            return Err(Failure::not_found());
        }
        if let Some(row) = found
            .first()
            .and_then(|id| self.world.get_live(object.name, id))
            && let Some(reply) = self.precondition(call, object, row, now)?
        {
            return Ok(reply);
        }
        match self.upsert_record(object, (field.name, value), &body, caller, now)? {
            Upserted::Created(id) => Ok(created(&id, Some(true))),
            Upserted::Updated(id) => {
                let mut reply = created(&id, Some(false));
                reply.status = 200;
                Ok(reply)
            }
            Upserted::Ambiguous(ids) => Ok(choices(&ids, object, &caller.base)),
        }
    }
}

fn created(id: &str, created: Option<bool>) -> Reply {
    let mut body = json!({"id": id, "success": true, "errors": []});
    if let (Some(created), Some(body)) = (created, body.as_object_mut()) {
        body.insert("created".to_owned(), json!(created));
    }
    Reply::json(201, body)
}

/// Several records answer to one key: their addresses, and nothing is done.
fn choices(ids: &[String], object: &Object, base: &str) -> Reply {
    let addresses: Vec<String> = ids
        .iter()
        .map(|id| format!("{base}/sobjects/{}/{id}", object.name))
        .collect();
    Reply::json(300, json!(addresses))
}

fn etag(row: &Row) -> String {
    format!("\"{:x}\"", row.modified.as_nanosecond())
}

pub(super) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
