//! Who may call: static bearer tokens (service keys, private apps) and OAuth with tokens of thirty minutes.

use super::request::{Answer, Call, Problem, Reply};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// How long an OAuth access token lives. Source: HubSpot, manage OAuth tokens.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_secs(1800);

/// An OAuth app that a portal has installed.
#[derive(Clone, Debug)]
pub struct App {
    /// Its client id.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: String,
    /// The refresh token that the installation gave.
    pub refresh_token: String,
    /// Codes that may be exchanged for tokens, each once.
    pub codes: BTreeSet<String>,
    /// Whether each refresh gives a new refresh token and ends the old one.
    pub rotates: bool,
}

/// What a static token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// Everything.
    All,
    /// Only what is named (`crm.objects.contacts.read`).
    Only(BTreeSet<String>),
}

/// The tokens that are good.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) fixed: BTreeMap<String, Scopes>,
    app: Option<App>,
    issued: BTreeMap<String, Timestamp>,
    count: u64,
}

/// Who is calling.
pub(super) struct Caller {
    pub(super) oauth: bool,
    pub(super) scopes: Scopes,
}

impl Caller {
    /// Refuses a caller without the scope.
    pub(super) fn need(&self, scope: &str) -> Result<(), Problem> {
        match &self.scopes {
            Scopes::Only(held) if !held.contains(scope) => Err(missing_scope(scope)),
            _ => Ok(()),
        }
    }
}

impl Gate {
    pub(super) fn new(fixed: BTreeMap<String, Scopes>, app: Option<App>) -> Self {
        Gate {
            fixed,
            app,
            issued: BTreeMap::new(),
            count: 0,
        }
    }

    pub(super) fn check(
        &self,
        headers: &http::HeaderMap,
        now: Timestamp,
    ) -> Result<Caller, Problem> {
        let header = headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let Some(token) = header.and_then(|header| {
            header
                .strip_prefix("Bearer ")
                .or(header.strip_prefix("bearer "))
        }) else {
            return Err(Problem::new(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found.",
            ));
        };
        if let Some(scopes) = self.fixed.get(token) {
            return Ok(Caller {
                oauth: false,
                scopes: scopes.clone(),
            });
        }
        match self.issued.get(token) {
            Some(until) if now < *until => Ok(Caller {
                oauth: true,
                scopes: Scopes::All,
            }),
            Some(until) => {
                let ago = now.duration_since(*until).as_secs();
                let message =
                    format!("The OAuth token used to make this call expired {ago} second(s) ago.");
                Err(Problem::new(401, "EXPIRED_AUTHENTICATION", message))
            }
            None => Err(Problem::new(
                401,
                "INVALID_AUTHENTICATION",
                "The access token is not valid or was revoked.",
            )),
        }
    }

    /// Ends every OAuth access token at once, as a revocation does.
    pub(super) fn revoke_issued(&mut self) {
        self.issued.clear();
    }

    /// `POST /oauth/{version}/token`.
    pub(super) fn token(&mut self, call: &Call<'_>, portal: u64) -> Answer {
        let form: BTreeMap<String, String> = call
            .form()
            .into_iter()
            .chain(call.query.iter().cloned())
            .collect();
        let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let Some(app) = &mut self.app else {
            return Err(refused(
                "BAD_CLIENT_ID",
                "invalid_client",
                "unknown client id",
            ));
        };
        if given("client_id") != app.client_id {
            return Err(refused(
                "BAD_CLIENT_ID",
                "invalid_client",
                "missing or unknown client id",
            ));
        }
        if given("client_secret") != app.client_secret {
            return Err(refused(
                "BAD_CLIENT_SECRET",
                "invalid_client",
                "missing or invalid client secret",
            ));
        }
        self.count += 1;
        let refreshable = match given("grant_type") {
            "refresh_token" if given("refresh_token") == app.refresh_token => {
                if app.rotates {
                    app.refresh_token = format!("refresh-{portal}-{}", self.count);
                }
                true
            }
            "refresh_token" => {
                return Err(refused(
                    "BAD_REFRESH_TOKEN",
                    "invalid_grant",
                    "missing or invalid refresh token",
                ));
            }
            "authorization_code" if app.codes.remove(given("code")) => true,
            "authorization_code" => {
                return Err(refused(
                    "BAD_AUTH_CODE",
                    "invalid_grant",
                    "missing or unknown auth code",
                ));
            }
            "client_credentials" => false,
            other => {
                return Err(refused(
                    "BAD_GRANT_TYPE",
                    "unsupported_grant_type",
                    &format!("grant type {other:?} is not known"),
                ));
            }
        };
        let access = format!("access-{portal}-{}", self.count);
        self.issued.insert(
            access.clone(),
            call.now.saturating_add(TOKEN_LIFE).unwrap_or(call.now),
        );
        let mut reply = json!({
            "token_type": "bearer",
            "access_token": access,
            "expires_in": TOKEN_LIFE.as_secs(),
            "token_use": "access_token",
            "hub_id": portal,
            "user_id": 1,
            "scopes": ["oauth", "crm.objects.contacts.read", "crm.objects.contacts.write"],
        });
        if refreshable {
            reply["refresh_token"] = app.refresh_token.clone().into();
        }
        Ok(Reply::ok(reply))
    }
}

fn refused(status: &str, error: &str, message: &str) -> Problem {
    let mut problem = Problem::new(400, "VALIDATION_ERROR", message);
    problem.extra = json!({ "status": status, "error": error, "error_description": message });
    problem
}

pub(super) fn missing_scope(scope: &str) -> Problem {
    let mut problem = Problem::new(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call.",
    );
    problem.errors = vec![json!({
        "message": "One or more of the following scopes are required.",
        "context": { "requiredGranularScopes": [scope] },
    })];
    problem
}
