//! Who may be mailed. The state belongs to the address: a contact shows that of its present address.
//!
//! Source: HubSpot, communication preferences v4.

use super::{
    HubSpot,
    associations::{batch, inputs},
    record::Changes,
    request::{Answer, Call, Problem, Reply, Version, iso, scalar},
    schema::Object,
};
use crate::world::Actor;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

const MOST: usize = 100;

impl HubSpot {
    /// Unsubscribes an address from all e-mail, or (what no API does, only the person) subscribes it again.
    /// Contacts with the address show it at once.
    pub fn set_unsubscribed(&mut self, address: &str, out: bool, actor: Actor, now: Timestamp) {
        let address = address.trim().to_lowercase();
        let changed = if out {
            self.unsubscribed.insert(address.clone())
        } else {
            self.unsubscribed.remove(&address)
        };
        if !changed {
            return;
        }
        let table = Object::Contact.table();
        let holders: Vec<String> = self
            .world
            .table(table)
            .find("email", &address)
            .iter()
            .map(|row| row.id.clone())
            .collect();
        for id in holders {
            let changes = Changes::from([("hs_email_optout".to_owned(), Some(out.to_string()))]);
            self.write(Object::Contact, &id, changes, actor, now);
        }
    }

    /// `/communication-preferences/{version}/…`.
    pub(super) fn communication_preferences(
        &mut self,
        call: &Call<'_>,
        version: Version,
        rest: &[&str],
    ) -> Answer {
        match (call.method, rest) {
            (&Method::POST, ["statuses", "batch", "unsubscribe-all"]) => {
                email_channel(call)?;
                let mut results = Vec::new();
                let mut errors = Vec::new();
                for input in inputs(call, MOST)? {
                    let address = scalar(&input).unwrap_or_default();
                    if !address.contains('@') {
                        let correlation = self.correlation();
                        let mut error =
                            Problem::invalid(format!("{address} is not an e-mail address"))
                                .json(&correlation);
                        error["context"] = json!({ "subscriberIdString": [address] });
                        errors.push(error);
                        continue;
                    }
                    self.set_unsubscribed(&address, true, Self::CALLER, call.now);
                    results.push(json!({ "subscriberIdString": address, "statuses": [self.wide_status(&address, call.now)] }));
                }
                let mut body = batch(Value::Array(results), call.now);
                let mut status = 200;
                if !errors.is_empty() {
                    status = version.partial(200);
                    body["numErrors"] = errors.len().into();
                    body["errors"] = errors.into();
                }
                Ok(Reply {
                    status,
                    body: Some(body),
                })
            }
            (&Method::POST, ["statuses", "batch", "unsubscribe-all", "read"]) => {
                email_channel(call)?;
                let inputs = inputs(call, MOST)?;
                let results = inputs.iter().filter_map(scalar);
                let results = results
                    .map(|address| {
                        let status = self.wide_status(&address, call.now);
                        json!({ "subscriberIdString": address, "wideStatuses": [status] })
                    })
                    .collect();
                Ok(Reply::ok(batch(results, call.now)))
            }
            (&Method::POST, ["statuses", address, "unsubscribe-all"]) => {
                email_channel(call)?;
                self.set_unsubscribed(address, true, Self::CALLER, call.now);
                Ok(Reply::ok(batch(
                    json!([self.wide_status(address, call.now)]),
                    call.now,
                )))
            }
            (&Method::GET, ["statuses", address, "unsubscribe-all"]) => {
                email_channel(call)?;
                Ok(Reply::ok(batch(
                    json!([self.wide_status(address, call.now)]),
                    call.now,
                )))
            }
            _ => Err(Problem::no_route()),
        }
    }

    fn wide_status(&self, address: &str, now: Timestamp) -> Value {
        json!({
            "subscriberIdString": address,
            "channel": "EMAIL",
            "wideStatusType": "PORTAL_WIDE",
            "status": if self.is_unsubscribed(address) { "UNSUBSCRIBED" } else { "NOT_SPECIFIED" },
            "timestamp": iso(now),
        })
    }
}

fn email_channel(call: &Call<'_>) -> Result<(), Problem> {
    match call.query("channel") {
        Some("EMAIL") => Ok(()),
        Some(other) => Err(Problem::invalid(format!(
            "{other} is not a channel of this portal"
        ))),
        None => Err(Problem::invalid("channel is required")),
    }
}
