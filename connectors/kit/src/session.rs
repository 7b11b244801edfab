//! The HTTP session of one connection: budget, token, sending, judging, trying again.
//!
//! What a caller can rely on: an error other than a doubt means that nothing was done at the
//! vendor; calls go to one origin; no redirect is followed; nothing secret is logged.

use crate::{
    Answer, Auth, Budget, Call, Clock, Delays, Limits, Secret, Tools, Transport, Verdict, origin,
    retry::{Jitter, Waits},
    token::{Token, Tokens},
};
use contract::{ConnectorError, Usage};
use jiff::{SignedDuration, Timestamp};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};
use url::Url;

/// A demand for a longer wait than this is not believed, and our own delays are kept. HubSpot's
/// longest, while an account migrates, is a day.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What is particular to a vendor's HTTP face.
#[derive(Clone)]
pub struct SessionSettings {
    /// Scheme, host and port. Every call goes there and nowhere else, unless the vendor names an
    /// instance that [`crate::OAuth::instance_suffixes`] allows.
    pub origin: Url,
    /// How we introduce ourselves.
    pub user_agent: String,
    /// The vendor's reading of an answer.
    pub classify: fn(&Answer) -> Verdict,
    /// Limits that the vendor tells in headers or bodies.
    pub observe: fn(&Answer) -> Option<Limits>,
    /// When to try again, and when to give up.
    pub delays: Delays,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Nothing was done at the vendor.
    #[error(transparent)]
    Failed(#[from] ConnectorError),
    /// The request may have been seen and done; there is no usable answer.
    #[error("the call may have been done: {0}")]
    Doubt(String),
}

/// For reads, where a doubt is nothing worse than no answer.
impl From<SessionError> for ConnectorError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Failed(error) => error,
            SessionError::Doubt(detail) => ConnectorError::Unavailable { detail },
        }
    }
}

/// One connection's conversation with its vendor.
pub struct Session {
    settings: SessionSettings,
    budget: Budget,
    tokens: Tokens,
    connection: String,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    jitter: Jitter,
    /// How far the vendor's clock is ahead of ours.
    ahead: Mutex<SignedDuration>,
}

impl Session {
    /// Asks nobody and reads nothing.
    pub fn new(settings: SessionSettings, auth: Auth, budget: Budget, tools: &Tools) -> Session {
        let origin = origin::bare(&settings.origin);
        let tokens = Tokens::new(
            auth,
            origin,
            settings.user_agent.clone(),
            settings.delays,
            tools,
        );
        Session {
            settings,
            budget,
            tokens,
            connection: tools.connection.clone(),
            transport: tools.transport.clone(),
            clock: tools.clock.clone(),
            jitter: Jitter::new(&tools.connection),
            ahead: Mutex::new(SignedDuration::ZERO),
        }
    }

    /// Carries out a call: waits for the budget, sends, and tries again where that is harmless.
    ///
    /// | what happened | repeatable | not repeatable |
    /// |---|---|---|
    /// | not sent | again | again |
    /// | throttled for a while | again after the wait | again after the wait |
    /// | throttled for long | `Failed(Throttled)` | `Failed(Throttled)` |
    /// | token expired | refreshed once, again | refreshed once, again |
    /// | answer lost, or the vendor fails | again, at last a doubt | a doubt at once |
    ///
    /// # Errors
    /// [`SessionError::Failed`] only where nothing was done at the vendor. A read that finds no
    /// answer fails as `Unavailable`: there is nothing that it could have done.
    pub async fn call(&self, call: Call) -> Result<Answer, SessionError> {
        let mut waits = Waits::new(&self.settings.delays, &self.jitter);
        // Why an earlier attempt may have been done.
        let mut doubt: Option<String> = None;
        let failure = loop {
            match self.attempt(&call, &waits).await {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::NotDone(error) => break error,
                Attempt::Wait { wait, error } => {
                    let next = match wait {
                        Some(wait) => waits.demanded(wait),
                        None => waits.next(),
                    };
                    let Some(next) = next else { break error };
                    tokio::time::sleep(next).await;
                }
                Attempt::MaybeDone(detail) => {
                    let error = ConnectorError::Unavailable {
                        detail: detail.clone(),
                    };
                    if !call.method.is_safe() {
                        doubt = Some(detail);
                    }
                    let next = if call.repeatable { waits.next() } else { None };
                    let Some(next) = next else { break error };
                    tokio::time::sleep(next).await;
                }
            }
        };
        Err(match doubt {
            Some(detail) => SessionError::Doubt(detail),
            None => SessionError::Failed(failure),
        })
    }

    /// What has been used of the budget.
    pub fn usage(&self) -> Usage {
        self.budget.usage()
    }

    /// The present moment on the vendor's clock, as the last `Date` header told it: never ahead of
    /// it by more than a second's rounding and the answer's way.
    pub fn server_now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().expect("no holder of this lock panics");
        self.clock
            .now()
            .checked_add(ahead)
            .unwrap_or_else(|_| self.clock.now())
    }

    /// The present moment on our clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The access token, for protocols that want it in the body. [`crate::Body::Bearing`] survives an
    /// expired token, which a body written beforehand does not.
    ///
    /// # Errors
    /// As for any call.
    pub async fn access_token(&self) -> Result<Secret, ConnectorError> {
        Ok(self.tokens.get(None).await?.secret)
    }

    /// Path and query of a link that the vendor gave, to be called next.
    ///
    /// # Errors
    /// [`ConnectorError::Protocol`] where it leads to another origin: our token is for this one.
    pub fn same_origin(&self, link: &str) -> Result<String, ConnectorError> {
        origin::same(&self.tokens.origin(), link)
    }

    async fn attempt(&self, call: &Call, waits: &Waits<'_>) -> Attempt {
        if let Err(error) = self.budget.take(call.bucket, waits.left()).await {
            return Attempt::NotDone(error);
        }
        let mut stale = None;
        loop {
            let token = match self.tokens.get(stale).await {
                Ok(token) => token,
                Err(error) => return Attempt::NotDone(error),
            };
            let answer = match self.send(call, &token).await {
                Ok(answer) => answer,
                Err(attempt) => return attempt,
            };
            match (self.settings.classify)(&answer) {
                Verdict::Expired if stale.is_none() => {
                    stale = Some(token.generation);
                    if let Err(error) = self.budget.take(call.bucket, waits.left()).await {
                        return Attempt::NotDone(error);
                    }
                }
                verdict => return self.judge(call, answer, verdict),
            }
        }
    }

    async fn send(&self, call: &Call, token: &Token) -> Result<Answer, Attempt> {
        let request = self
            .settings
            .request(&self.tokens.origin(), call, &token.secret)
            .map_err(Attempt::NotDone)?;
        let path = request.uri().path().to_owned();
        let begun = self.clock.monotonic();
        let response = self.transport.send(request).await;
        let millis = self
            .clock
            .monotonic()
            .saturating_duration_since(begun)
            .as_millis() as u64;
        let response = response.map_err(|error| {
            tracing::debug!(
                connection = self.connection,
                method = %call.method,
                path,
                millis,
                error = error.detail,
                maybe_sent = error.maybe_sent,
                "no answer"
            );
            let detail = format!("{}: {}", call.doing, error.detail);
            if error.maybe_sent {
                Attempt::MaybeDone(detail)
            } else {
                Attempt::Wait {
                    wait: None,
                    error: ConnectorError::Unavailable { detail },
                }
            }
        })?;
        let (parts, body) = response.into_parts();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        tracing::debug!(
            connection = self.connection,
            method = %call.method,
            path,
            status = answer.status,
            millis,
            "answered"
        );
        if let Some(date) = answer.date() {
            let ahead = date.duration_since(self.clock.now());
            *self.ahead.lock().expect("no holder of this lock panics") = ahead;
        }
        if let Some(limits) = (self.settings.observe)(&answer) {
            self.budget.observe(call.bucket, limits);
        }
        Ok(answer)
    }

    fn judge(&self, call: &Call, answer: Answer, verdict: Verdict) -> Attempt {
        let status = answer.status;
        match verdict {
            Verdict::Fine => Attempt::Answered(answer),
            Verdict::Expired => Attempt::NotDone(ConnectorError::Unauthorized {
                detail: format!(
                    "HTTP {status} also with a new token while {}; {}",
                    call.doing,
                    self.tokens.remedy()
                ),
            }),
            Verdict::Unauthorized(detail) => {
                Attempt::NotDone(ConnectorError::Unauthorized { detail })
            }
            Verdict::Throttled {
                retry_after,
                detail,
                long,
            } => {
                let wait = retry_after.filter(|wait| *wait <= LONGEST_WAIT);
                let error = ConnectorError::Throttled {
                    retry_after: wait,
                    detail,
                };
                if long {
                    return Attempt::NotDone(error);
                }
                if let Some(wait) = wait {
                    // The others in this bucket would be told the same. Beyond our patience it is
                    // the daemon that waits.
                    let patience = self.settings.delays.give_up_after;
                    self.budget.hold(call.bucket, wait.min(patience));
                }
                Attempt::Wait { wait, error }
            }
            Verdict::Transient(words) => {
                Attempt::MaybeDone(format!("{}: HTTP {status}: {words}", call.doing))
            }
            Verdict::Refused(detail) => Attempt::NotDone(ConnectorError::Refused {
                doing: call.doing.to_owned(),
                detail,
            }),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("connection", &self.connection)
            .field("origin", &self.tokens.origin().as_str())
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// What one attempt came to.
enum Attempt {
    Answered(Answer),
    /// Nothing was done, and trying again is of no use.
    NotDone(ConnectorError),
    /// Nothing was done; again after the wait that was asked for, or our own.
    Wait {
        wait: Option<Duration>,
        error: ConnectorError,
    },
    /// Perhaps it was done.
    MaybeDone(String),
}
