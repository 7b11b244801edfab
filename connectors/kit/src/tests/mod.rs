//! Stories of connections, told over memory and paused time; only the network's own story opens
//! sockets, on loopback.

mod budget;
mod keep;
mod log;
mod network;
mod secret;
mod session;
mod token;

use crate::{
    Answer, Auth, Bucket, Budget, Clock, Delays, Keep, Limits, MemoryKeep, Secret, SecretError,
    SecretRef, Secrets, Session, SessionSettings, Side, Tools, Transport, TransportError, Verdict,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use url::Url;

/// Stands in every secret of these stories and must stand in nothing that is printed.
pub(crate) const CANARY: &str = "canary-4f1c";

/// When every story begins.
pub(crate) const BEGIN: &str = "2026-03-01T12:00:00Z";

/// tokio's time, beginning at a given moment.
pub(crate) struct TokioTime {
    begin: Timestamp,
    start: tokio::time::Instant,
}

impl TokioTime {
    pub(crate) fn at(begin: &str) -> Arc<TokioTime> {
        let begin = begin.parse().unwrap();
        Arc::new(TokioTime {
            begin,
            start: tokio::time::Instant::now(),
        })
    }
}

impl Clock for TokioTime {
    fn now(&self) -> Timestamp {
        self.begin + self.start.elapsed()
    }

    fn monotonic(&self) -> std::time::Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// A request as the vendor saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Seconds since the beginning of the story.
    pub(crate) at: f64,
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) body: String,
}

type Reply = Result<Response<Bytes>, TransportError>;

/// A vendor that gives its replies in order, and the last one for ever.
pub(crate) struct Script {
    replies: Mutex<VecDeque<(Duration, Reply)>>,
    pub(crate) seen: Mutex<Vec<Seen>>,
    start: tokio::time::Instant,
    /// What was kept at the moment of each request.
    keep: Arc<dyn Keep>,
    watch: &'static str,
    pub(crate) kept: Mutex<Vec<bool>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Reply {
        let header = |name| {
            request
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().into())
        };
        self.seen.lock().unwrap().push(Seen {
            at: self.start.elapsed().as_secs_f64(),
            url: request.uri().to_string(),
            token: header("authorization"),
            body: String::from_utf8(request.body().to_vec()).unwrap(),
        });
        self.kept
            .lock()
            .unwrap()
            .push(self.keep.load(self.watch).unwrap().is_some());
        let (delay, reply) = {
            let mut replies = self.replies.lock().unwrap();
            match replies.len() {
                0 => panic!("a request without a reply: {}", request.uri()),
                1 => {
                    let (delay, reply) = &replies[0];
                    (*delay, copy(reply))
                }
                _ => replies.pop_front().unwrap(),
            }
        };
        tokio::time::sleep(delay).await;
        reply
    }
}

fn copy(reply: &Reply) -> Reply {
    match reply {
        Err(error) => Err(error.clone()),
        Ok(response) => {
            let mut again = Response::new(response.body().clone());
            *again.status_mut() = response.status();
            *again.headers_mut() = response.headers().clone();
            Ok(again)
        }
    }
}

pub(crate) fn reply(status: u16, body: &str) -> Reply {
    Ok(Response::builder()
        .status(status)
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap())
}

pub(crate) fn reply_with(status: u16, header: (&str, &str), body: &str) -> Reply {
    let response = Response::builder()
        .status(status)
        .header(header.0, header.1);
    Ok(response
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap())
}

pub(crate) fn lost() -> Reply {
    Err(TransportError {
        maybe_sent: true,
        detail: "the connection was reset".to_owned(),
    })
}

pub(crate) fn unreachable() -> Reply {
    Err(TransportError {
        maybe_sent: false,
        detail: "connection refused".to_owned(),
    })
}

/// Secrets in memory.
#[derive(Default)]
pub(crate) struct Drawer(pub(crate) Mutex<BTreeMap<SecretRef, String>>);

impl Secrets for Drawer {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let text = self.0.lock().unwrap().get(reference).cloned();
        text.map(Secret::from).ok_or_else(|| SecretError {
            reference: reference.clone(),
            detail: "it is not there".to_owned(),
        })
    }
}

pub(crate) fn credential(name: &str) -> SecretRef {
    SecretRef::Credential(name.to_owned())
}

/// Everything around a session.
pub(crate) struct World {
    pub(crate) script: Arc<Script>,
    pub(crate) keep: Arc<MemoryKeep>,
    pub(crate) drawer: Arc<Drawer>,
    pub(crate) tools: Tools,
    pub(crate) delays: Delays,
    pub(crate) buckets: Vec<Bucket>,
}

impl World {
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> World {
        World::slow(replies.into_iter().map(|reply| (Duration::ZERO, reply)))
    }

    /// Replies that take their time.
    pub(crate) fn slow(replies: impl IntoIterator<Item = (Duration, Reply)>) -> World {
        let keep = Arc::new(MemoryKeep::default());
        let script = Arc::new(Script {
            replies: Mutex::new(replies.into_iter().collect()),
            seen: Mutex::default(),
            start: tokio::time::Instant::now(),
            keep: keep.clone(),
            watch: "refresh",
            kept: Mutex::default(),
        });
        let drawer = Arc::new(Drawer::default());
        for name in ["token", "secret", "refresh"] {
            let text = format!("{name}-{CANARY}");
            drawer.0.lock().unwrap().insert(credential(name), text);
        }
        let tools = Tools {
            connection: "acme".to_owned(),
            side: Side::Marketing,
            transport: script.clone(),
            clock: TokioTime::at(BEGIN),
            secrets: drawer.clone(),
            keep: keep.clone(),
            extra_fields: BTreeMap::new(),
            allow_insecure_loopback: false,
        };
        World {
            script,
            keep,
            drawer,
            tools,
            delays: Delays::default(),
            buckets: Vec::new(),
        }
    }

    pub(crate) fn session(&self, auth: Auth) -> Session {
        let budget = Budget::new(self.buckets.clone(), None, 1.0, &self.tools);
        self.session_with(auth, budget)
    }

    pub(crate) fn session_with(&self, auth: Auth, budget: Budget) -> Session {
        let settings = SessionSettings {
            origin: Url::parse("https://api.vendor.test").unwrap(),
            user_agent: "leadloop/test".to_owned(),
            classify,
            observe,
            delays: self.delays,
        };
        Session::new(settings, auth, budget, &self.tools)
    }

    pub(crate) fn bearer(&self) -> Session {
        self.session(Auth::Bearer(credential("token")))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }

    /// Whole seconds at which requests were seen.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.seen().iter().map(|seen| seen.at as u64).collect()
    }

    pub(crate) fn count(&self, url: &str) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.url.starts_with(url))
            .count()
    }
}

/// How the vendor of these stories is read.
fn classify(answer: &Answer) -> Verdict {
    match answer.status {
        200..=299 | 300 | 404 => Verdict::Fine,
        401 => Verdict::Expired,
        403 => Verdict::Unauthorized("the app was removed".to_owned()),
        429 => Verdict::Throttled {
            retry_after: answer.retry_after(),
            detail: "too many requests".to_owned(),
            long: answer.text().contains("daily"),
        },
        500..=599 => Verdict::Transient(answer.text().into_owned()),
        _ => Verdict::Refused(answer.text().into_owned()),
    }
}

fn observe(answer: &Answer) -> Option<Limits> {
    let number = |name| answer.header(name)?.parse().ok();
    Some(Limits {
        daily_limit: number("x-daily"),
        daily_left: number("x-left"),
        wait: number("x-wait").map(Duration::from_secs),
    })
}
