//! The daemon's face to its administrators: health, metrics and status to read, a few commands to give.
//!
//! | where | what | who |
//! |---|---|---|
//! | a Unix socket, mode 0660 | everything | who may enter its directory and write to it |
//! | a loopback address (optional) | `/healthz`, `/readyz`, `/metrics` | everybody on this machine |
//!
//! Nothing here knows a loop: what is told and done is behind [`Panel`]. Nothing changes on a GET, nothing changes over TCP.
//! Deliberately absent: addresses beyond loopback, TLS, passwords, CORS. Who wants to look from afar puts a proxy in front.

mod client;
mod listen;
mod routes;
#[cfg(test)]
mod tests;

pub use client::{AskError, ask};
pub use listen::{Error, serve};

use async_trait::async_trait;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the daemon shows and lets be done.
///
/// Errors of [`Panel::explain`] and [`Panel::act`] are answered as 500, unless they hold a [`Refusal`].
#[async_trait]
pub trait Panel: Send + Sync {
    /// How everything is, for `GET /status`.
    fn status(&self) -> Value;

    /// Whether the daemon makes progress at all, for `GET /healthz`.
    ///
    /// # Errors
    /// What is stuck, in one line.
    fn live(&self) -> Result<(), String>;

    /// Whether the daemon does what it is there for, for `GET /readyz`.
    ///
    /// # Errors
    /// What it waits for, in one line.
    fn ready(&self) -> Result<(), String>;

    /// Everything counted, as Prometheus or OpenMetrics text, for `GET /metrics`.
    fn metrics(&self) -> String;

    /// What is known and was decided about a person, for `GET /explain?who=…`.
    async fn explain(&self, who: &str) -> anyhow::Result<Value>;

    /// Does what an administrator or the arbiter asks for. May be dropped half-way where the caller waited too long.
    async fn act(&self, action: Action) -> anyhow::Result<Value>;
}

/// What an administrator or the arbiter may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Tries writes again that a vendor has refused: `POST /retry`.
    Retry {
        /// Whose; everybody's where absent.
        who: Option<String>,
    },
    /// Decides an open question for good: `POST /rule`.
    Rule {
        /// Whose record.
        person: String,
        /// Which field.
        field: String,
        /// What to take: a side, or a value.
        take: String,
        /// Who has decided.
        by: String,
        /// Why, for the history.
        why: Option<String>,
    },
    /// Lists what awaits a decision: `GET /reviews`.
    Reviews,
}

impl Action {
    /// The request that carries this action: method, path and body for [`ask`].
    pub fn request(&self) -> (Method, &'static str, Option<Value>) {
        match self {
            Action::Retry { who } => (Method::POST, "/retry", Some(json!({ "who": who }))),
            Action::Rule {
                person,
                field,
                take,
                by,
                why,
            } => {
                let body =
                    json!({ "person": person, "field": field, "take": take, "by": by, "why": why });
                (Method::POST, "/rule", Some(body))
            }
            Action::Reviews => (Method::GET, "/reviews", None),
        }
    }
}

/// An error of a [`Panel`] that is the asker's to mend.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such person, field or question: 404.
    #[error("{0}")]
    Unknown(String),
    /// It cannot be done as asked for: 422.
    #[error("{0}")]
    Invalid(String),
}
