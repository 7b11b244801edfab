//! Tokens and sessions. Errors here have OAuth's shape (RFC 6749, 5.2), not the API's.

use super::{
    Salesforce,
    call::{Reply, origin},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Request, header};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rand::RngExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use url::form_urlencoded;

/// How far ahead an assertion may expire.
const ASSERTION_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// The sessions and refresh tokens that are good.
#[derive(Clone, Debug, Default)]
pub(super) struct Auth {
    sessions: BTreeMap<String, Session>,
    refresh_tokens: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Session {
    user: String,
    until: Timestamp,
}

/// An OAuth error and its description.
type Refusal = (&'static str, &'static str);

impl Auth {
    pub(super) fn with_refresh_token(token: &str) -> Auth {
        Auth {
            refresh_tokens: BTreeSet::from([token.to_owned()]),
            ..Auth::default()
        }
    }

    /// The user of a session that is still good.
    pub(super) fn user(&self, token: &str, now: Timestamp) -> Option<&str> {
        self.sessions
            .get(token)
            .filter(|session| now < session.until)
            .map(|session| session.user.as_str())
    }

    /// Ends every session.
    pub(super) fn expire(&mut self) {
        self.sessions.clear();
    }

    /// Ends one session or refresh token. `false` where there is no such token.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        let session = self.sessions.remove(token).is_some();
        self.refresh_tokens.remove(token) || session
    }

    /// The refresh tokens that are good.
    pub(super) fn refresh_tokens(&self) -> impl Iterator<Item = &str> {
        self.refresh_tokens.iter().map(String::as_str)
    }
}

/// The session token that a request bears.
pub(super) fn bearer(request: &Request<Bytes>) -> Option<&str> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth"))
        .then_some(token.trim())
}

impl Salesforce {
    /// Opens a session; returns its token.
    pub(super) fn open_session(&mut self, user: String, now: Timestamp) -> String {
        let token = format!(
            "{}!AQ{:032x}",
            &self.people.organization[..15],
            self.chance.random::<u128>()
        );
        let until = now
            .checked_add(self.settings.session_life)
            .unwrap_or(Timestamp::MAX);
        self.auth
            .sessions
            .insert(token.clone(), Session { user, until });
        token
    }

    /// `POST /services/oauth2/token`
    pub(super) fn token(&mut self, request: &Request<Bytes>, now: Timestamp) -> Reply {
        let form: BTreeMap<String, String> = form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let origin = origin(request);
        let basic = basic(request);
        let client = || match &basic {
            Some((id, secret)) => (id.clone(), secret.clone()),
            None => (
                field("client_id").to_owned(),
                field("client_secret").to_owned(),
            ),
        };
        let mut rotated = None;
        let user = match field("grant_type") {
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                self.assertion(field("assertion"), &origin, now)
            }
            "client_credentials" => {
                if self.settings.my_domain {
                    self.client(&client(), true)
                        .map(|()| self.people.integration.clone())
                } else {
                    Err(("invalid_grant", "request not supported on this domain"))
                }
            }
            "refresh_token" => self.client(&client(), false).and_then(|()| {
                let token = field("refresh_token");
                if !self.auth.refresh_tokens.contains(token) {
                    return Err(("invalid_grant", "expired access/refresh token"));
                }
                if self.settings.rotates_refresh_tokens {
                    let next = format!("5Aep861{:032x}", self.chance.random::<u128>());
                    self.auth.refresh_tokens.remove(token);
                    self.auth.refresh_tokens.insert(next.clone());
                    rotated = Some(next);
                }
                Ok(self.people.integration.clone())
            }),
            "password" => self.client(&client(), true).and_then(|()| {
                self.login(field("username"), field("password"))
                    .ok_or(("invalid_grant", "authentication failure"))
            }),
            _ => Err(("unsupported_grant_type", "grant type not supported")),
        };
        match user {
            Err((error, description)) => Reply::json(
                400,
                json!({"error": error, "error_description": description}),
            ),
            Ok(user) => {
                let token = self.open_session(user.clone(), now);
                let mut answer = json!({
                    "access_token": token,
                    "instance_url": origin,
                    "id": format!("{origin}/id/{}/{user}", self.people.organization),
                    "token_type": "Bearer",
                    "issued_at": now.as_millisecond().to_string(),
                    "signature": STANDARD.encode(self.chance.random::<u128>().to_be_bytes()),
                    "scope": "api refresh_token",
                });
                if let (Some(rotated), Some(answer)) = (rotated, answer.as_object_mut()) {
                    answer.insert("refresh_token".to_owned(), json!(rotated));
                }
                Reply::json(200, answer).with("Cache-Control", "no-cache, no-store")
            }
        }
    }

    fn client(&self, (id, secret): &(String, String), needs_secret: bool) -> Result<(), Refusal> {
        let consumer = &self.settings.consumer;
        if *id != consumer.key {
            return Err(("invalid_client_id", "client identifier invalid"));
        }
        let absent = secret.is_empty() && !needs_secret;
        if !absent && *secret != consumer.secret {
            return Err(("invalid_client", "invalid client credentials"));
        }
        Ok(())
    }

    /// The user with this name and password. A security token may follow the password.
    pub(super) fn login(&self, username: &str, password: &str) -> Option<String> {
        let good = username.eq_ignore_ascii_case(&self.settings.username)
            && password.starts_with(&self.settings.password);
        (good && !self.settings.password.is_empty()).then(|| self.people.integration.clone())
    }

    /// Checks a JWT bearer assertion (RFC 7523).
    fn assertion(&self, assertion: &str, origin: &str, now: Timestamp) -> Result<String, Refusal> {
        const INVALID: Refusal = ("invalid_grant", "invalid assertion");
        let consumer = &self.settings.consumer;
        let claims: Value = match &consumer.public_key {
            Some(pem) => {
                let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| INVALID)?;
                // Times and audience are checked below, on the site's clock.
                let mut validation = Validation::new(Algorithm::RS256);
                validation.validate_exp = false;
                validation.validate_aud = false;
                validation.required_spec_claims.clear();
                jsonwebtoken::decode(assertion, &key, &validation)
                    .map_err(|_| INVALID)?
                    .claims
            }
            None => {
                let parts: Vec<&str> = assertion.split('.').collect();
                let [header, claims, signature] = parts.as_slice() else {
                    return Err(INVALID);
                };
                let header: Value = part(header).ok_or(INVALID)?;
                if header["alg"] != "RS256" || signature.is_empty() {
                    return Err(INVALID);
                }
                part(claims).ok_or(INVALID)?
            }
        };
        if claims["iss"] != consumer.key.as_str() {
            return Err(("invalid_client_id", "client identifier invalid"));
        }
        let audience = claims["aud"]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches('/');
        if ![
            "https://login.salesforce.com",
            "https://test.salesforce.com",
            origin,
        ]
        .contains(&audience)
        {
            return Err(("invalid_grant", "audience is invalid"));
        }
        // Published clients write the expiry as a number or as text.
        let expiry = claims["exp"]
            .as_i64()
            .or_else(|| claims["exp"].as_str()?.parse().ok())
            .ok_or(INVALID)?;
        let expiry = Timestamp::from_second(expiry).map_err(|_| INVALID)?;
        if expiry <= now || expiry.duration_since(now) > ASSERTION_LIFE {
            return Err(INVALID);
        }
        match claims["sub"].as_str() {
            Some(subject) if subject.eq_ignore_ascii_case(&self.settings.username) => {
                Ok(self.people.integration.clone())
            }
            _ => Err(("invalid_grant", "user hasn't approved this consumer")),
        }
    }

    /// `POST /services/oauth2/revoke`
    pub(super) fn revoke(&mut self, request: &Request<Bytes>) -> Reply {
        let query = request.uri().query().unwrap_or("").as_bytes();
        let token = form_urlencoded::parse(request.body())
            .chain(form_urlencoded::parse(query))
            .find(|(name, _)| name == "token")
            .map(|(_, token)| token.into_owned());
        if token.is_some_and(|token| self.auth.revoke(&token)) {
            return Reply::empty(200);
        }
        Reply::json(
            400,
            json!({"error": "unsupported_token_type", "error_description": "this token type is not supported"}),
        )
    }

    /// `GET /services/oauth2/userinfo` and the identity address.
    pub(super) fn userinfo(&self, user: &str, origin: &str) -> Value {
        let field = |name: &str| {
            self.world
                .get("User", user)
                .and_then(|row| row.field(name))
                .unwrap_or_default()
        };
        let organization = &self.people.organization;
        json!({
            "sub": format!("{origin}/id/{organization}/{user}"),
            "id": format!("{origin}/id/{organization}/{user}"),
            "user_id": user,
            "organization_id": organization,
            "username": field("Username"),
            "preferred_username": field("Username"),
            "display_name": field("Name"),
            "name": field("Name"),
            "email": field("Email"),
            "email_verified": true,
            "active": true,
            "user_type": "STANDARD",
            "zoneinfo": "UTC",
            "urls": {
                "rest": format!("{origin}/services/data/v{{version}}/"),
                "sobjects": format!("{origin}/services/data/v{{version}}/sobjects/"),
                "query": format!("{origin}/services/data/v{{version}}/query/"),
                "partner": format!("{origin}/services/Soap/u/{{version}}/{}", &organization[..15]),
            },
        })
    }
}

fn basic(request: &Request<Bytes>) -> Option<(String, String)> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let encoded = value
        .strip_prefix("Basic ")
        .or_else(|| value.strip_prefix("basic "))?;
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn part(encoded: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}
