//! Which call goes where.

use super::{
    Caller, Failure, Salesforce,
    call::{Call, Reply},
    schema::Object,
    soql::Scope,
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Salesforce {
    /// Answers a call below `/services/data/vXX.0`; `path` are the pieces after it.
    pub(super) fn rest(
        &mut self,
        call: &Call,
        path: &[&str],
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let method = &call.method;
        match path {
            [] => only(method, &[Method::GET]).map(|()| resources(&caller.base)),
            ["limits"] => only(method, &[Method::GET]).map(|()| self.limits()),
            ["query", rest @ ..] | ["queryAll", rest @ ..] => {
                only(method, &[Method::GET])?;
                let scope = if path[0] == "queryAll" {
                    Scope::Deleted
                } else {
                    Scope::Live
                };
                match rest {
                    [] => self.query(call, scope, caller, now),
                    [locator] => self.query_more(locator, caller, now),
                    _ => Err(Failure::not_found()),
                }
            }
            ["sobjects"] => {
                only(method, &[Method::GET])?;
                Ok(Reply::json(200, self.global_describe(&caller.base)))
            }
            ["sobjects", object, rest @ ..] => {
                let object = Object::named(object).ok_or_else(Failure::not_found)?;
                self.sobject(call, object, rest, caller, now)
            }
            ["composite"] if *method == Method::POST => self.composite(call, caller, now),
            ["composite", "sobjects", rest @ ..] => self.collections(call, rest, caller, now),
            ["composite", "graph"] if *method == Method::POST => self.graphs(call, caller, now),
            ["composite", "tree", object] if *method == Method::POST => {
                let object = Object::named(object).ok_or_else(Failure::not_found)?;
                self.tree(call, object, caller, now)
            }
            ["jobs", rest @ ..] => self.jobs(call, rest, caller, now),
            _ => Err(Failure::not_found()),
        }
    }

    fn limits(&self) -> Reply {
        let max = self.settings.daily_limit;
        let left = max.saturating_sub(self.calls_today);
        Reply::json(
            200,
            json!({
                "DailyApiRequests": {"Max": max, "Remaining": left},
                "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
                "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
                "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
                "DataStorageMB": {"Max": 5, "Remaining": 5},
                "FileStorageMB": {"Max": 20, "Remaining": 20},
            }),
        )
    }
}

/// Refuses other methods.
pub(super) fn only(method: &Method, allowed: &[Method]) -> Result<(), Failure> {
    if allowed.contains(method) {
        return Ok(());
    }
    let list: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    let message = format!(
        "HTTP Method '{method}' not allowed. Allowed are {}",
        list.join(",")
    );
    Err(Failure::new("METHOD_NOT_ALLOWED", message))
}

fn resources(base: &str) -> Reply {
    let names = [
        "sobjects",
        "query",
        "queryAll",
        "limits",
        "composite",
        "jobs",
    ];
    let listed: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!(format!("{base}/{name}"))))
        .collect();
    Reply::json(200, Value::Object(listed))
}
