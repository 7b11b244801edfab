//! A HubSpot that answers from a script, for tests.

use crate::VENDOR;
use async_trait::async_trait;
use bytes::Bytes;
use contract::{Connector, Id, Kind, Known};
use jiff::Timestamp;
use kit::{Clock, MemoryKeep, Side, SystemSecrets, Tools, Transport, TransportError, Vendor};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Instant,
};

/// What a request asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `METHOD /path?query`, decoded as far as tests care.
    pub line: String,
    pub body: Value,
}

/// One expected request and its answer; no answer is a connection that broke.
type Step = (&'static str, Option<(u16, Value)>);

/// Answers in the order of its steps, and only to the requests that they name.
pub(crate) struct Script {
    steps: Mutex<VecDeque<Step>>,
    asked: Mutex<Vec<Asked>>,
    now: Mutex<Timestamp>,
}

/// The script's first moment.
pub(crate) const START: &str = "2026-11-01T12:00:00Z";

impl Script {
    pub fn new(steps: Vec<Step>) -> Arc<Script> {
        let now = START.parse().unwrap();
        Arc::new(Script {
            steps: Mutex::new(steps.into()),
            asked: Mutex::default(),
            now: Mutex::new(now),
        })
    }

    /// More steps.
    pub fn then(&self, steps: Vec<Step>) {
        self.steps.lock().unwrap().extend(steps);
    }

    /// Lets time go by.
    pub fn advance(&self, seconds: i64) {
        let mut now = self.now.lock().unwrap();
        *now += jiff::SignedDuration::from_secs(seconds);
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        assert!(
            self.steps.lock().unwrap().is_empty(),
            "not asked: {:?}",
            self.steps.lock().unwrap()
        );
        self.asked.lock().unwrap().clone()
    }

    /// A connection to it.
    pub fn connect(self: &Arc<Self>, more: &str) -> Arc<dyn Connector> {
        let env = BTreeMap::from([("TOKEN".to_owned(), "pat-na1-0123456789".to_owned())]);
        let tools = Tools {
            connection: "hub".to_owned(),
            side: Side::Marketing,
            transport: self.clone(),
            clock: self.clone(),
            secrets: Arc::new(SystemSecrets::new(None, env)),
            keep: Arc::new(MemoryKeep::default()),
            extra_fields: BTreeMap::new(),
            allow_insecure_loopback: false,
        };
        VENDOR
            .build(
                format!("token = {{ env = 'TOKEN' }}\n{more}")
                    .parse()
                    .unwrap(),
                tools,
            )
            .unwrap()
    }
}

impl Clock for Script {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        assert_eq!(
            request.headers()["authorization"],
            "Bearer pat-na1-0123456789"
        );
        let line = format!(
            "{} {}",
            request.method(),
            request.uri().path_and_query().unwrap()
        )
        .replace("%2C", ",");
        let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        self.asked.lock().unwrap().push(Asked {
            line: line.clone(),
            body,
        });
        let (expected, answer) = self
            .steps
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or_else(|| panic!("not in the script: {line}"));
        assert!(
            line.contains(expected),
            "{line} where {expected} was expected"
        );
        let Some((status, body)) = answer else {
            return Err(TransportError {
                maybe_sent: true,
                detail: "connection reset".to_owned(),
            });
        };
        let date = self.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let body = Bytes::from(body.to_string());
        Ok(http::Response::builder()
            .status(status)
            .header("date", date)
            .body(body)
            .unwrap())
    }
}

/// A caller that holds some contacts.
pub(crate) struct Holds(pub BTreeMap<&'static str, Timestamp>);

impl Known for Holds {
    fn modified(&self, _: Kind, id: &Id) -> Option<Timestamp> {
        self.0.get(id.0.as_str()).copied()
    }
}
