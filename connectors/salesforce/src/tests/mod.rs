//! Stories against canned answers: what is asked of Salesforce, and what is made of what it says.

mod converting;
mod probing;
mod reading;
mod simulated;
mod writing;

use crate::Salesforce;
use async_trait::async_trait;
use bytes::Bytes;
use contract::{Batch, Connector, IntentId, Operation, Outcome, Write};
use jiff::{Timestamp, tz::TimeZone};
use kit::{
    Clock, MemoryKeep, Secret, SecretError, SecretRef, Secrets, Side, Tools, Transport,
    TransportError, Vendor,
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Instant,
};
use url::form_urlencoded;

/// An org that answers from a script.
#[derive(Default)]
struct Org {
    script: Mutex<Vec<(String, VecDeque<Canned>)>>,
    seen: Mutex<Vec<Seen>>,
    now: Mutex<Timestamp>,
}

#[derive(Clone)]
enum Canned {
    Answer(u16, String),
    Lost,
}

#[derive(Clone, Debug)]
struct Seen {
    line: String,
    query: String,
    headers: http::HeaderMap,
    body: String,
}

impl Org {
    /// Answers requests whose `METHOD path query` contains a text, in turn; the last answer stays.
    fn on(self: &Arc<Self>, text: &str, status: u16, body: impl ToString) -> Arc<Self> {
        self.put(text, Canned::Answer(status, body.to_string()))
    }

    fn lose(self: &Arc<Self>, text: &str) -> Arc<Self> {
        self.put(text, Canned::Lost)
    }

    fn put(self: &Arc<Self>, text: &str, canned: Canned) -> Arc<Self> {
        let mut script = self.script.lock().unwrap();
        match script.iter_mut().find(|(known, _)| known == text) {
            Some((_, answers)) => answers.push_back(canned),
            None => script.push((text.to_owned(), VecDeque::from([canned]))),
        }
        drop(script);
        self.clone()
    }

    fn seen(&self, text: &str) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| format!("{} {}", seen.line, seen.query).contains(text))
            .cloned()
            .collect()
    }

    fn at(&self, now: &str) {
        *self.now.lock().unwrap() = now.parse().unwrap();
    }
}

#[async_trait]
impl Transport for Org {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let query = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
        let query = query
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join("&");
        let seen = Seen {
            line: format!("{} {}", request.method(), request.uri().path()),
            query,
            headers: request.headers().clone(),
            body: String::from_utf8_lossy(request.body()).into_owned(),
        };
        let whole = format!("{} {}", seen.line, seen.query);
        self.seen.lock().unwrap().push(seen);
        let mut script = self.script.lock().unwrap();
        let answers = script
            .iter_mut()
            .find(|(text, _)| whole.contains(text.as_str()))
            .map(|(_, answers)| answers);
        let answers = answers.unwrap_or_else(|| panic!("nobody expected {whole}"));
        let canned = if answers.len() > 1 {
            answers.pop_front().unwrap()
        } else {
            answers[0].clone()
        };
        let Canned::Answer(status, body) = canned else {
            return Err(TransportError {
                maybe_sent: true,
                detail: "the connection broke".to_owned(),
            });
        };
        let date = self
            .now
            .lock()
            .unwrap()
            .to_zoned(TimeZone::UTC)
            .strftime("%a, %d %b %Y %H:%M:%S GMT")
            .to_string();
        let response = http::Response::builder()
            .status(status)
            .header("date", date)
            .header("sforce-limit-info", "api-usage=18/5000");
        Ok(response.body(Bytes::from(body)).unwrap())
    }
}

impl Clock for Org {
    // Our own clock is an hour slow: windows must go by the server's.
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap() - jiff::SignedDuration::from_hours(1)
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

struct OneSecret;

impl Secrets for OneSecret {
    fn resolve(&self, _: &SecretRef) -> Result<Secret, SecretError> {
        Ok(Secret::from("a-secret-of-some-length".to_owned()))
    }
}

const NOW: &str = "2026-03-01T12:00:00Z";

/// An org where signing in works and the usual objects are described.
fn org() -> Arc<Org> {
    let org = Arc::new(Org::default());
    org.at(NOW);
    let token = json!({"access_token": "00D!token-1", "instance_url": "https://acme.my.salesforce.com", "token_type": "Bearer"});
    org.on("POST /services/oauth2/token", 200, token);
    for (object, describe) in [
        ("Lead", lead()),
        ("Contact", contact()),
        ("Account", account()),
    ] {
        org.on(
            &format!("GET /services/data/v68.0/sobjects/{object}/describe"),
            200,
            json!({"fields": describe}),
        );
    }
    org
}

fn text(name: &str, length: usize) -> Json {
    json!({"name": name, "type": "string", "length": length, "createable": true, "updateable": true, "nillable": true})
}

fn system(fields: Vec<Json>) -> Json {
    let own = [
        json!({"name": "Id", "type": "id"}),
        json!({"name": "IsDeleted", "type": "boolean"}),
        json!({"name": "MasterRecordId", "type": "reference"}),
        json!({"name": "SystemModstamp", "type": "datetime"}),
        json!({"name": "CreatedDate", "type": "datetime"}),
        json!({"name": "OwnerId", "type": "reference", "createable": true, "updateable": true}),
        json!({"name": "Leadloop_Key__c", "type": "string", "length": 64, "externalId": true, "unique": true, "createable": true, "updateable": true, "nillable": true}),
    ];
    own.into_iter().chain(fields).collect()
}

fn opt_out() -> Json {
    json!({"name": "HasOptedOutOfEmail", "type": "boolean", "createable": true, "updateable": true})
}

fn lead() -> Json {
    let converted = [
        "ConvertedContactId",
        "ConvertedAccountId",
        "ConvertedOpportunityId",
    ]
    .map(|name| json!({"name": name, "type": "reference"}));
    let mut fields = vec![
        text("Email", 80),
        text("FirstName", 40),
        text("LastName", 80),
        text("Company", 255),
        text("LeadSource", 40),
        text("Status", 40),
        opt_out(),
    ];
    fields.push(json!({"name": "IsConverted", "type": "boolean"}));
    fields.extend(converted);
    system(fields)
}

fn contact() -> Json {
    let account =
        json!({"name": "AccountId", "type": "reference", "createable": true, "updateable": true});
    system(vec![
        text("Email", 80),
        text("FirstName", 40),
        text("LastName", 80),
        opt_out(),
        account,
    ])
}

fn account() -> Json {
    system(vec![text("Name", 255), text("Website", 255)])
}

const SETTINGS: &str = "
login_url = 'https://acme.my.salesforce.com'
refresh_token = { client_id = 'app', client_secret = { env = 'S' }, refresh_token = { env = 'R' } }
";

fn connect(org: &Arc<Org>) -> Arc<dyn Connector> {
    connect_with(org, "")
}

fn connect_with(org: &Arc<Org>, more: &str) -> Arc<dyn Connector> {
    let tools = Tools {
        connection: "crm".to_owned(),
        side: Side::Crm,
        transport: org.clone(),
        clock: org.clone(),
        secrets: Arc::new(OneSecret),
        keep: Arc::new(MemoryKeep::default()),
        extra_fields: BTreeMap::from([(
            contract::Kind::Lead,
            BTreeSet::from(["Hidden__c".to_owned()]),
        )]),
        allow_insecure_loopback: false,
    };
    Salesforce
        .build(format!("{SETTINGS}{more}").parse().unwrap(), tools)
        .unwrap()
}

/// An id of 18 characters.
fn id(prefix: &str, number: usize) -> String {
    crate::wire::id(&format!("{prefix}{number:012}")).0
}

fn batch(operations: Vec<Operation>) -> Batch {
    let write = |(number, operation)| Write {
        intent: IntentId(format!("i{number}")),
        operation,
    };
    Batch::new(operations.into_iter().enumerate().map(write).collect()).unwrap()
}

async fn write(connector: &Arc<dyn Connector>, operations: Vec<Operation>) -> Vec<Outcome> {
    let outcomes = connector.write(&batch(operations)).await.unwrap();
    outcomes
        .iter()
        .map(|(_, outcome)| outcome.clone())
        .collect()
}

fn page(records: Vec<Json>) -> Json {
    json!({"totalSize": records.len(), "done": true, "records": records})
}

fn refusal(code: &str, message: &str) -> Json {
    json!([{"errorCode": code, "message": message}])
}

#[test]
fn the_template_is_accepted_once_its_host_is_filled_in() {
    let table: toml::Table = Salesforce.template(Side::Crm).parse().unwrap();
    let settings: crate::settings::Settings = kit::parse(table).unwrap();
    assert!(settings.check(false).is_ok());
}
