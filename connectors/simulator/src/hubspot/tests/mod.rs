//! Stories of callers and a portal.

mod account;
mod batches;
mod merging;
mod records;
mod searching;

use super::{HubSpot, Knobs, TOKEN};
use crate::world::Dialect;
use bytes::Bytes;
use http::{Request, Response, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A portal, a caller with a token, and a clock moved by hand.
struct Portal {
    hubspot: HubSpot,
    now: Timestamp,
    token: String,
}

impl Portal {
    fn new(knobs: Knobs) -> Self {
        Portal {
            hubspot: HubSpot::new(knobs),
            now: "2026-10-01T08:00:00Z".parse().unwrap(),
            token: TOKEN.to_owned(),
        }
    }

    fn open() -> Self {
        Portal::new(Knobs::default())
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn raw(&mut self, method: &str, path: &str, body: &str) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://api.hubapi.com{path}"))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Bytes::from(body.to_owned()))
            .unwrap();
        self.hubspot.handle(&request, self.now)
    }

    fn ask(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let response = self.raw(method, path, &body);
        let json = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        (response.status().as_u16(), json)
    }

    fn contact(&mut self, properties: Value) -> String {
        let (status, made) = self.ask(
            "POST",
            "/crm/objects/2026-09/contacts",
            json!({ "properties": properties }),
        );
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// Properties of a contact, read as they are.
    fn contact_properties(&mut self, id: &str, names: &str) -> Value {
        let (status, json) = self.ask(
            "GET",
            &format!("/crm/objects/2026-09/contacts/{id}?properties={names}"),
            Value::Null,
        );
        assert_eq!(status, 200, "{json}");
        json["properties"].clone()
    }
}
