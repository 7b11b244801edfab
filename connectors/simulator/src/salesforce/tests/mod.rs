//! Stories on an org's HTTP face.

mod batches;
mod conversion;
mod queries;
mod sessions;
mod writes;

use super::{Salesforce, Settings};
use crate::world::{Actor, Dialect};
use bytes::Bytes;
use contract::Kind;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// An org, a session in it, and a clock that tests move.
struct Org {
    salesforce: Salesforce,
    now: Timestamp,
    token: String,
}

fn org() -> Org {
    org_with(Settings::default())
}

fn org_with(settings: Settings) -> Org {
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let mut org = Org {
        salesforce: Salesforce::new(settings, now),
        now,
        token: String::new(),
    };
    org.now += SignedDuration::from_hours(1);
    org.sign_in();
    org
}

impl Org {
    fn sign_in(&mut self) {
        let consumer = self.salesforce.settings().consumer.clone();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            consumer.key, consumer.secret
        );
        let (status, answer) = self.form("/services/oauth2/token", &form);
        assert_eq!(status, 200, "{answer}");
        self.token = answer["access_token"].as_str().unwrap().to_owned();
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Response<Bytes> {
        let path = if path.starts_with("/services") {
            path.to_owned()
        } else {
            format!("/services/data/v66.0/{path}")
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "org.my.salesforce.com")
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.salesforce
            .handle(&request.body(Bytes::from(body)).unwrap(), self.now)
    }

    fn form(&mut self, path: &str, form: &str) -> (u16, Value) {
        let request = Request::post(path)
            .header("host", "org.my.salesforce.com")
            .body(Bytes::from(form.to_owned()));
        read(&self.salesforce.handle(&request.unwrap(), self.now))
    }

    fn call(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        read(&self.send(method, path, &[], body))
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        self.call("GET", path, Value::Null)
    }

    fn query(&mut self, soql: &str) -> Value {
        let (status, answer) = self.try_query(soql);
        assert_eq!(status, 200, "{soql}: {answer}");
        answer
    }

    fn try_query(&mut self, soql: &str) -> (u16, Value) {
        let q: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("q", soql)
            .finish();
        self.get(&format!("query?{q}"))
    }

    /// The ids that a query finds.
    fn ids(&mut self, soql: &str) -> Vec<String> {
        let answer = self.query(soql);
        answer["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| text(&record["Id"]))
            .collect()
    }

    fn create(&mut self, object: &str, body: Value) -> String {
        let (status, answer) = self.call("POST", &format!("sobjects/{object}"), body);
        assert_eq!(status, 201, "{answer}");
        text(&answer["id"])
    }

    /// Somebody at the screens makes a record.
    fn person_creates(&mut self, kind: Kind, values: &[(&str, &str)]) -> String {
        self.salesforce
            .create(kind, values, Actor::Person, self.now)
    }
}

fn read(response: &Response<Bytes>) -> (u16, Value) {
    let body = response.body();
    let value =
        serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)));
    (response.status().as_u16(), value)
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not text: {value}"))
        .to_owned()
}

/// The code of a single call's error.
fn code(answer: &Value) -> &str {
    answer[0]["errorCode"].as_str().unwrap_or("no error")
}
