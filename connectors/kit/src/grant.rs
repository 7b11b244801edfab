//! One exchange with a token endpoint: a form goes out, a token or a refusal comes back.

use crate::{
    Answer, Grant, OAuth, Secret,
    retry::Waits,
    token::{Inner, chain},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use contract::ConnectorError;
use http::{HeaderValue, Method, Request, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use url::{Url, form_urlencoded};

/// Vendors accept assertions that end within minutes; Salesforce's limit is said to be three.
const ASSERTION_LIFETIME: i64 = 180;

/// What a token endpoint gave.
pub(crate) struct Granted {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) instance_url: Option<String>,
}

/// Why it gave nothing.
pub(crate) enum Exchange {
    /// It does not accept the credentials.
    Refused(Refusal),
    /// Anything else.
    Failed(ConnectorError),
}

/// The vendor's words of refusal, with no secret in them.
pub(crate) struct Refusal(pub(crate) String);

impl From<ConnectorError> for Exchange {
    fn from(error: ConnectorError) -> Self {
        Exchange::Failed(error)
    }
}

/// Asks for a token; tries again while the endpoint fails, since asking twice gives a token all
/// the same.
pub(crate) async fn exchange(
    inner: &Inner,
    oauth: &OAuth,
    refresh: Option<&Secret>,
) -> Result<Granted, Exchange> {
    let mut waits = Waits::new(&inner.delays, &inner.jitter);
    loop {
        let ask = Ask::new(inner, oauth, refresh)?;
        let failure = match inner.transport.send(ask.request(inner, oauth)?).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let answer = Answer {
                    status: parts.status.as_u16(),
                    headers: parts.headers,
                    body,
                };
                match ask.read(&answer) {
                    Err(Exchange::Failed(error)) => error,
                    settled => return settled,
                }
            }
            Err(error) => ConnectorError::Unavailable {
                detail: format!("fetching an access token: {}", error.detail),
            },
        };
        let wait = match &failure {
            ConnectorError::Throttled {
                retry_after: Some(wait),
                ..
            } => waits.demanded(*wait),
            ConnectorError::Throttled { .. } | ConnectorError::Unavailable { .. } => waits.next(),
            _ => None,
        };
        let Some(wait) = wait else {
            return Err(failure.into());
        };
        tokio::time::sleep(wait).await;
    }
}

/// A request for a token.
struct Ask {
    form: Vec<(&'static str, Secret)>,
    basic: Option<Secret>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

impl Ask {
    fn new(inner: &Inner, oauth: &OAuth, refresh: Option<&Secret>) -> Result<Ask, ConnectorError> {
        let mut ask = Ask {
            form: Vec::new(),
            basic: None,
        };
        match &oauth.grant {
            Grant::ClientCredentials { id, secret, basic } => {
                let secret = inner.resolve(secret)?;
                ask.add("grant_type", "client_credentials");
                if *basic {
                    ask.basic = Some(basic_credentials(id, &secret));
                } else {
                    ask.add("client_id", id);
                    ask.form.push(("client_secret", secret));
                }
            }
            Grant::RefreshToken {
                id,
                secret,
                refresh_token,
            } => {
                ask.add("grant_type", "refresh_token");
                ask.add("client_id", id);
                if let Some(secret) = secret {
                    ask.form.push(("client_secret", inner.resolve(secret)?));
                }
                let refresh = match refresh {
                    Some(refresh) => refresh.clone(),
                    None => inner.resolve(refresh_token)?,
                };
                ask.form.push(("refresh_token", refresh));
            }
            Grant::JwtBearer {
                id,
                username,
                audience,
                key,
            } => {
                let pem = inner.resolve(key)?;
                let wrong = |what: &str| ConnectorError::Unauthorized {
                    detail: format!("{what} the RSA private key (PEM) in {key}"),
                };
                let exp = inner.clock.now().as_second() + ASSERTION_LIFETIME;
                let claims = Claims {
                    iss: id,
                    sub: username,
                    aud: audience,
                    exp,
                };
                let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes())
                    .map_err(|_| wrong("cannot read"))?;
                let assertion = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key)
                    .map_err(|_| wrong("cannot sign with"))?;
                ask.add("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                ask.form.push(("assertion", Secret::from(assertion)));
            }
        }
        Ok(ask)
    }

    fn add(&mut self, key: &'static str, value: &str) {
        self.form.push((key, Secret::from(value)));
    }

    fn request(&self, inner: &Inner, oauth: &OAuth) -> Result<Request<Bytes>, ConnectorError> {
        let mut url: Url = oauth.token_origin.clone();
        url.set_path(&oauth.token_path);
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (key, value) in &self.form {
            form.append_pair(key, value.expose_secret());
        }
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url.as_str())
            .header(header::USER_AGENT, &inner.user_agent)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(basic) = &self.basic {
            let mut value = HeaderValue::from_str(basic.expose_secret())
                .expect("base64 is made of visible characters");
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        request
            .body(Bytes::from(form.finish()))
            .map_err(|error| ConnectorError::Protocol {
                doing: "fetching an access token".to_owned(),
                detail: format!("the request cannot be built: {}", chain(&error)),
            })
    }

    fn read(&self, answer: &Answer) -> Result<Granted, Exchange> {
        let doing = || "fetching an access token".to_owned();
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let text = |key: &str| {
            body.get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        if answer.status == 200 {
            let Some(access_token) = text("access_token") else {
                let detail = "the answer has no access_token".to_owned();
                return Err(ConnectorError::Protocol {
                    doing: doing(),
                    detail,
                }
                .into());
            };
            return Ok(Granted {
                access_token: Secret::from(access_token),
                refresh_token: text("refresh_token").map(Secret::from),
                expires_in: body.get("expires_in").and_then(seconds),
                instance_url: text("instance_url"),
            });
        }
        let kind = text("error");
        let words = match (
            &kind,
            &text("error_description").or_else(|| text("message")),
        ) {
            (Some(error), Some(words)) => format!("{error}: {words}"),
            (Some(words), None) | (None, Some(words)) => words.clone(),
            (None, None) => "no reason given".to_owned(),
        };
        let words = format!("HTTP {}, {}", answer.status, self.redact(&tidy(&words)));
        let busy = matches!(
            kind.as_deref(),
            Some("temporarily_unavailable" | "server_error")
        );
        match answer.status {
            429 => Err(ConnectorError::Throttled {
                retry_after: answer.retry_after(),
                detail: format!("{}: {words}", doing()),
            }
            .into()),
            400..=499 if !busy && !matches!(answer.status, 408 | 425) => {
                Err(Exchange::Refused(Refusal(words)))
            }
            300..=399 => Err(ConnectorError::Protocol {
                doing: doing(),
                detail: format!(
                    "HTTP {}: the token endpoint redirects elsewhere; check the configured host",
                    answer.status
                ),
            }
            .into()),
            _ => Err(ConnectorError::Unavailable {
                detail: format!("{}: {words}", doing()),
            }
            .into()),
        }
    }

    /// A vendor may repeat what it was sent. Short values are names, and words like any other.
    fn redact(&self, words: &str) -> String {
        let mut words = words.to_owned();
        for (key, value) in &self.form {
            let secret = matches!(*key, "client_secret" | "refresh_token" | "assertion");
            if secret && value.expose_secret().len() >= 8 {
                words = words.replace(value.expose_secret(), "…");
            }
        }
        words
    }
}

/// RFC 6749, 2.3.1: id and secret are form-encoded before they are joined.
fn basic_credentials(id: &str, secret: &Secret) -> Secret {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret.expose_secret()));
    Secret::from(format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

/// Seconds, as a number or, as some vendors write it, as text.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())?;
    Some(Duration::from_secs(seconds))
}

/// A vendor's words fit for one line of a log.
pub(crate) fn tidy(words: &str) -> String {
    let line: String = words
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
