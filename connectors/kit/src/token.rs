//! Access tokens: fetched when needed, by one task at a time, never logged.
//!
//! A rotated refresh token is saved durably before the access token that came with it is first
//! used: the vendor has already forgotten the old one. For the same reason a refresh runs in a task
//! of its own, so that a caller who goes away does not take the new token along.

use crate::{
    Auth, Clock, Delays, Grant, Keep, OAuth, Secret, SecretRef, Secrets, Tools, Transport,
    grant::{self, Exchange, Granted, Refusal},
    origin,
    retry::Jitter,
};
use contract::ConnectorError;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument;
use url::Url;

/// Tokens are renewed this long before they end, so that none ends on its way.
const EARLY: Duration = Duration::from_secs(60);

/// An access token.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    /// Counts the tokens of this process.
    pub(crate) generation: u64,
    renew_at: Option<Instant>,
}

/// Holds the access token of one session.
pub(crate) struct Tokens {
    inner: Arc<Inner>,
    state: Arc<Mutex<State>>,
}

pub(crate) struct Inner {
    auth: Auth,
    pub(crate) connection: String,
    pub(crate) user_agent: String,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    secrets: Arc<dyn Secrets>,
    keep: Arc<dyn Keep>,
    allow_insecure_loopback: bool,
    pub(crate) delays: Delays,
    pub(crate) jitter: Jitter,
    /// Where calls go: the configured origin, or the instance that the vendor named.
    origin: RwLock<Url>,
    attempts: AtomicU64,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    generation: u64,
    /// The refresh token to use next, once one has been chosen.
    refresh: Option<Refresh>,
    /// What the last attempt came to, for those who waited for it.
    failure: Option<ConnectorError>,
}

#[derive(Clone)]
struct Refresh {
    secret: Secret,
    /// Whether it is not yet durable.
    unsaved: bool,
}

/// A rotated refresh token as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    refresh_token: String,
    /// The hash of the configured refresh token that it descends from: another one in the
    /// configuration means that somebody has signed in again.
    descends_from: String,
}

impl Tokens {
    pub(crate) fn new(
        auth: Auth,
        origin: Url,
        user_agent: String,
        delays: Delays,
        tools: &Tools,
    ) -> Tokens {
        Tokens {
            inner: Arc::new(Inner {
                auth,
                connection: tools.connection.clone(),
                user_agent,
                transport: tools.transport.clone(),
                clock: tools.clock.clone(),
                secrets: tools.secrets.clone(),
                keep: tools.keep.clone(),
                allow_insecure_loopback: tools.allow_insecure_loopback,
                delays,
                jitter: Jitter::new(&format!("{}/token", tools.connection)),
                origin: RwLock::new(origin),
                attempts: AtomicU64::new(0),
            }),
            state: Arc::default(),
        }
    }

    /// Where calls go.
    pub(crate) fn origin(&self) -> Url {
        self.inner
            .origin
            .read()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// What an operator does when the vendor refuses.
    pub(crate) fn remedy(&self) -> String {
        self.inner.auth.remedy()
    }

    /// A token that is good as far as we know; another than the one of the `stale` generation.
    pub(crate) async fn get(&self, stale: Option<u64>) -> Result<Token, ConnectorError> {
        let seen = self.inner.attempts.load(Ordering::Acquire);
        let state = self.state.clone().lock_owned().await;
        if let Some(token) = state.usable(self.inner.clock.monotonic(), stale) {
            return Ok(token);
        }
        // Those who waited for an attempt share what it came to, rather than hammering.
        if self.inner.attempts.load(Ordering::Acquire) != seen
            && let Some(failure) = &state.failure
        {
            return Err(same(failure));
        }
        let inner = self.inner.clone();
        tokio::spawn(async move { inner.renew(state).await }.in_current_span())
            .await
            .unwrap_or_else(|_| {
                Err(ConnectorError::Unavailable {
                    detail: "the token's renewal was interrupted".to_owned(),
                })
            })
    }
}

impl State {
    fn usable(&self, now: Instant, stale: Option<u64>) -> Option<Token> {
        if self.refresh.as_ref().is_some_and(|refresh| refresh.unsaved) {
            return None;
        }
        let token = self.token.as_ref()?;
        let good = stale != Some(token.generation) && token.renew_at.is_none_or(|at| now < at);
        good.then(|| token.clone())
    }

    fn set(&mut self, secret: Secret, renew_at: Option<Instant>) {
        self.generation += 1;
        self.token = Some(Token {
            secret,
            generation: self.generation,
            renew_at,
        });
    }
}

impl Inner {
    async fn renew(&self, mut state: OwnedMutexGuard<State>) -> Result<Token, ConnectorError> {
        let result = match &self.auth {
            Auth::Bearer(reference) => self.reread(&mut state, reference),
            Auth::OAuth(oauth) => self.fetch(&mut state, oauth).await,
        };
        state.failure = result.as_ref().err().map(same);
        self.attempts.fetch_add(1, Ordering::Release);
        result?;
        state
            .token
            .clone()
            .ok_or_else(|| ConnectorError::Unavailable {
                detail: "there is no access token".to_owned(),
            })
    }

    /// A static token is read again after a refusal: the operator may have put a new one there.
    fn reread(&self, state: &mut State, reference: &SecretRef) -> Result<(), ConnectorError> {
        let secret = self.resolve(reference)?;
        if let Some(old) = &state.token
            && old.secret.expose_secret() == secret.expose_secret()
        {
            let detail = format!("the token is refused; {}", self.auth.remedy());
            return Err(ConnectorError::Unauthorized { detail });
        }
        state.set(secret, None);
        Ok(())
    }

    async fn fetch(&self, state: &mut State, oauth: &OAuth) -> Result<(), ConnectorError> {
        let Grant::RefreshToken { refresh_token, .. } = &oauth.grant else {
            let granted = grant::exchange(self, oauth, None).await;
            return self.accept(state, oauth, self.words(granted)?);
        };
        if state
            .refresh
            .as_ref()
            .is_some_and(|refresh| refresh.unsaved)
        {
            // An earlier save failed; the token in memory is the only one that the vendor knows.
            self.save(state, oauth, refresh_token)?;
            if state.usable(self.clock.monotonic(), None).is_some() {
                return Ok(());
            }
        }
        let configured = self.resolve(refresh_token)?;
        let first = match &state.refresh {
            Some(refresh) => refresh.secret.clone(),
            None => self
                .kept(oauth, &configured)?
                .unwrap_or_else(|| configured.clone()),
        };
        let mut granted = grant::exchange(self, oauth, Some(&first)).await;
        let mut used = &first;
        if matches!(granted, Err(Exchange::Refused(_)))
            && first.expose_secret() != configured.expose_secret()
        {
            // Somebody may have signed in again: then the configured one is the good one.
            granted = grant::exchange(self, oauth, Some(&configured)).await;
            used = &configured;
        }
        let granted = self.words(granted)?;
        let secret = granted
            .refresh_token
            .clone()
            .unwrap_or_else(|| used.clone());
        // Also where the configured one has taken the place of a kept one.
        let unsaved = secret.expose_secret() != first.expose_secret();
        state.refresh = Some(Refresh { secret, unsaved });
        let accepted = self.accept(state, oauth, granted);
        if unsaved {
            self.save(state, oauth, refresh_token)?;
        }
        accepted
    }

    /// Takes a granted token over, unless its instance is not the vendor's.
    fn accept(
        &self,
        state: &mut State,
        oauth: &OAuth,
        granted: Granted,
    ) -> Result<(), ConnectorError> {
        let renew_at = granted.expires_in.and_then(|lifetime| {
            // A lifetime under two minutes is halved, so that the token is used at all.
            let early = EARLY.min(lifetime / 2);
            self.clock.monotonic().checked_add(lifetime - early)
        });
        state.token = None;
        if let Some(instance) = granted
            .instance_url
            .filter(|_| !oauth.instance_suffixes.is_empty())
        {
            let allowed = &oauth.instance_suffixes;
            let origin = origin::instance(&instance, allowed, self.allow_insecure_loopback)?;
            *self.origin.write().expect("no holder of this lock panics") = origin;
        }
        state.set(granted.access_token, renew_at);
        tracing::debug!(
            connection = self.connection,
            seconds = granted.expires_in.map(|lifetime| lifetime.as_secs()),
            "a new access token"
        );
        Ok(())
    }

    pub(crate) fn resolve(&self, reference: &SecretRef) -> Result<Secret, ConnectorError> {
        self.secrets
            .resolve(reference)
            .map_err(|error| ConnectorError::Unauthorized {
                detail: error.to_string(),
            })
    }

    fn words(&self, granted: Result<Granted, Exchange>) -> Result<Granted, ConnectorError> {
        granted.map_err(|error| match error {
            Exchange::Refused(Refusal(words)) => ConnectorError::Unauthorized {
                detail: format!("{words}; {}", self.auth.remedy()),
            },
            Exchange::Failed(error) => error,
        })
    }

    /// The rotated refresh token that was kept, unless somebody has signed in anew since.
    fn kept(&self, oauth: &OAuth, configured: &Secret) -> Result<Option<Secret>, ConnectorError> {
        let failed = |detail: String| ConnectorError::Unauthorized { detail };
        let Some(bytes) = self.keep.load(&oauth.keep_as).map_err(|error| {
            failed(format!(
                "cannot read the kept refresh token: {}",
                chain(&error)
            ))
        })?
        else {
            return Ok(None);
        };
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| {
            failed(format!(
                "cannot understand the kept refresh token; {}",
                self.auth.remedy()
            ))
        })?;
        let fresh = kept.descends_from != fingerprint(configured);
        Ok((!fresh).then(|| Secret::from(kept.refresh_token)))
    }

    fn save(
        &self,
        state: &mut State,
        oauth: &OAuth,
        configured: &SecretRef,
    ) -> Result<(), ConnectorError> {
        let descends_from = fingerprint(&self.resolve(configured)?);
        let Some(refresh) = &mut state.refresh else {
            return Ok(());
        };
        let kept = Kept {
            version: 1,
            refresh_token: refresh.secret.expose_secret().to_owned(),
            descends_from,
        };
        let bytes = serde_json::to_vec(&kept).expect("plain data with text keys");
        self.keep.save(&oauth.keep_as, &bytes).map_err(|error| ConnectorError::Unavailable {
            detail: format!(
                "cannot keep the new refresh token, without which a restart would have to sign in \
                 again: {}",
                chain(&error)
            ),
        })?;
        refresh.unsaved = false;
        Ok(())
    }
}

fn fingerprint(secret: &Secret) -> String {
    let hash = Sha256::digest(secret.expose_secret().as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The same error once more.
fn same(error: &ConnectorError) -> ConnectorError {
    use ConnectorError::*;
    match error {
        Unauthorized { detail } => Unauthorized {
            detail: detail.clone(),
        },
        Throttled {
            retry_after,
            detail,
        } => Throttled {
            retry_after: *retry_after,
            detail: detail.clone(),
        },
        Unavailable { detail } => Unavailable {
            detail: detail.clone(),
        },
        CursorLost => CursorLost,
        Refused { doing, detail } => Refused {
            doing: doing.clone(),
            detail: detail.clone(),
        },
        Protocol { doing, detail } => Protocol {
            doing: doing.clone(),
            detail: detail.clone(),
        },
    }
}
