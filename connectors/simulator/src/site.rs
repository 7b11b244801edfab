//! A dialect on a clock, with faults and counters: what tests and rehearsals talk to.

use crate::{
    fault::{Effect, Faults, first_half},
    world::Dialect,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;
use kit::{Clock, Transport, TransportError};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One simulated account at one vendor. Clones are the same account.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

struct Inner {
    dialect: Mutex<Box<dyn Dialect>>,
    clock: Arc<dyn Clock>,
    faults: Mutex<Faults>,
    calls: Mutex<BTreeMap<String, u64>>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("calls", &self.calls_total())
            .finish_non_exhaustive()
    }
}

impl Site {
    /// Puts a dialect on a clock.
    pub fn new(dialect: impl Dialect + 'static, clock: Arc<dyn Clock>) -> Self {
        Site::boxed(Box::new(dialect), clock)
    }

    /// Puts a dialect of whichever vendor on a clock.
    pub fn boxed(dialect: Box<dyn Dialect>, clock: Arc<dyn Clock>) -> Self {
        Site(Arc::new(Inner {
            dialect: Mutex::new(dialect),
            clock,
            faults: Mutex::default(),
            calls: Mutex::default(),
        }))
    }

    /// The present moment on the site's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Does something to the dialect directly, as a person at the vendor's screens would. No call is counted.
    pub fn with<T>(&self, act: impl FnOnce(&mut dyn Dialect, Timestamp) -> T) -> T {
        let now = self.now();
        act(lock(&self.0.dialect).as_mut(), now)
    }

    /// Changes what goes wrong.
    pub fn faults<T>(&self, act: impl FnOnce(&mut Faults) -> T) -> T {
        act(&mut lock(&self.0.faults))
    }

    /// How often each `METHOD /path` was called, calls that a fault swallowed included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        lock(&self.0.calls).clone()
    }

    /// How many calls there were whose `METHOD /path` contains a text.
    pub fn calls_to(&self, text: &str) -> u64 {
        lock(&self.0.calls)
            .iter()
            .filter(|(path, _)| path.contains(text))
            .map(|(_, count)| count)
            .sum()
    }

    /// How many calls there were.
    pub fn calls_total(&self) -> u64 {
        lock(&self.0.calls).values().sum()
    }

    fn handle(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let now = self.now();
        lock(&self.0.dialect).handle(request, now)
    }

    fn half(&self, request: &Request<Bytes>) {
        let mut half = Request::new(first_half(request.body()));
        *half.method_mut() = request.method().clone();
        *half.uri_mut() = request.uri().clone();
        *half.headers_mut() = request.headers().clone();
        self.handle(&half);
    }

    /// Adds the `Date` of the site's clock (RFC 9110, 5.6.7).
    fn stamp(&self, mut response: Response<Bytes>) -> Response<Bytes> {
        let date = self.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
        response
    }
}

#[async_trait]
impl Transport for Site {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let line = format!("{} {}", request.method(), request.uri().path());
        let full = match request.uri().query() {
            Some(query) => format!("{line}?{query}"),
            None => line.clone(),
        };
        *lock(&self.0.calls).entry(line).or_default() += 1;
        let effect = self.faults(|faults| faults.judge(&full));
        if let Some(effect) = &effect {
            tracing::debug!(request = full, ?effect, "a fault strikes");
        }
        let response = match effect {
            None => self.handle(&request),
            Some(Effect::Answer(status, retry_after)) => {
                let mut response = refusal(status);
                if let Some(seconds) = retry_after {
                    response
                        .headers_mut()
                        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
                response
            }
            Some(Effect::AppliedButAnswer(status)) => {
                self.handle(&request);
                refusal(status)
            }
            Some(Effect::LostAnswer) => {
                self.handle(&request);
                return Err(lost("the connection closed before the answer came", true));
            }
            Some(Effect::LostRequest) => {
                return Err(lost("the connection closed before the answer came", true));
            }
            Some(Effect::Refused) => return Err(lost("connection refused", false)),
            Some(Effect::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                self.handle(&request)
            }
            Some(Effect::HalfBatch) => {
                self.half(&request);
                refusal(504)
            }
            Some(Effect::Malformed) => {
                let mut response = self.handle(&request);
                let half = response.body().len() / 2;
                response.body_mut().truncate(half);
                response
            }
            Some(Effect::Html) => page(
                StatusCode::OK,
                "<html><body>Please sign in to the proxy.</body></html>",
            ),
        };
        Ok(self.stamp(response))
    }
}

fn lost(detail: &str, maybe_sent: bool) -> TransportError {
    TransportError {
        maybe_sent,
        detail: detail.to_owned(),
    }
}

/// What a gateway or the vendor's edge says: JSON with a message for 4xx, a page for 5xx.
fn refusal(status: u16) -> Response<Bytes> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_server_error() {
        return page(
            status,
            "<html><body>The server is temporarily unable to answer.</body></html>",
        );
    }
    let body =
        serde_json::json!({ "status": "error", "message": format!("refused with {status}") })
            .to_string();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json;charset=utf-8"),
    );
    response
}

fn page(status: StatusCode, html: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(html.as_bytes()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// A panic elsewhere must not hide the world from the test that reports it.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::{Fault, When},
        hubspot::{HubSpot, Knobs, TOKEN},
        serve::serve,
    };
    use serde_json::{Value, json};
    use std::time::Instant;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::oneshot,
    };

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            "2026-10-01T08:00:00Z".parse().unwrap()
        }

        fn monotonic(&self) -> Instant {
            Instant::now()
        }
    }

    fn site() -> Site {
        Site::new(HubSpot::new(Knobs::default()), Arc::new(Still))
    }

    fn create(emails: &[&str]) -> Request<Bytes> {
        let inputs: Vec<Value> = emails
            .iter()
            .map(|email| json!({ "properties": { "email": email } }))
            .collect();
        Request::post("http://localhost/crm/objects/2026-09/contacts/batch/create")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .body(Bytes::from(json!({ "inputs": inputs }).to_string()))
            .unwrap()
    }

    fn contacts(site: &Site) -> usize {
        site.with(|dialect, _| dialect.live(contract::Kind::Lead).len())
    }

    #[tokio::test]
    async fn what_is_lost_on_the_way_may_have_been_done() {
        for (effect, done, told) in [
            (Effect::LostAnswer, 2, Err(true)),
            (Effect::LostRequest, 0, Err(true)),
            (Effect::Refused, 0, Err(false)),
            (Effect::AppliedButAnswer(504), 2, Ok(504)),
            (Effect::HalfBatch, 1, Ok(504)),
            (Effect::Answer(429, Some(7)), 0, Ok(429)),
            (Effect::Html, 0, Ok(200)),
            (Effect::Malformed, 2, Ok(201)),
        ] {
            let site = site();
            site.faults(|faults| {
                faults.add(Fault::new("batch/create", When::Nth(1), effect.clone()))
            });
            let answer = site.send(create(&["a@example.com", "b@example.com"])).await;
            let answer = answer
                .map(|response| response.status().as_u16())
                .map_err(|error| error.maybe_sent);
            assert_eq!((answer, contacts(&site)), (told, done), "{effect:?}");
            let again = site.send(create(&["c@example.com"])).await.unwrap();
            assert_eq!(
                again.headers()[header::DATE],
                "Thu, 01 Oct 2026 08:00:00 GMT"
            );
            assert_eq!(site.calls_to("batch/create"), 2);
        }
    }

    #[tokio::test]
    async fn a_connection_is_kept_and_a_lost_answer_closes_it() {
        let site = site();
        site.faults(|faults| {
            faults.add(Fault::new("batch/create", When::Nth(3), Effect::LostAnswer))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(site.clone(), listener, async {
            let _ = stopped.await;
        }));
        let mut stream = TcpStream::connect(address).await.unwrap();
        for (email, status) in [
            ("a@example.com", "HTTP/1.1 201"),
            ("b@example.com", "HTTP/1.1 201"),
            ("c@example.com", ""),
        ] {
            let body = json!({ "inputs": [{ "properties": { "email": email } }] }).to_string();
            let head = format!(
                "POST /crm/v3/objects/contacts/batch/create HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream
                .write_all(format!("{head}{body}").as_bytes())
                .await
                .unwrap();
            let mut answer = vec![0; 65_536];
            let length = stream.read(&mut answer).await.unwrap();
            assert!(String::from_utf8_lossy(&answer[..length]).starts_with(status));
            assert_eq!(length == 0, status.is_empty());
        }
        assert_eq!(contacts(&site), 3, "the third was done and its answer lost");
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }
}
