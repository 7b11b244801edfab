//! A call, written as the HTTP request that carries it.

use crate::{Body, Call, Secret, SessionSettings, origin, token::chain};
use bytes::Bytes;
use contract::ConnectorError;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use secrecy::ExposeSecret;
use url::{Url, form_urlencoded};

impl SessionSettings {
    /// # Errors
    /// Where the call cannot be written; the message holds none of its values, which may be
    /// persons' data or secrets.
    pub(crate) fn request(
        &self,
        origin: &Url,
        call: &Call,
        token: &Secret,
    ) -> Result<Request<Bytes>, ConnectorError> {
        let odd = |detail: String| ConnectorError::Protocol {
            doing: call.doing.to_owned(),
            detail,
        };
        let url =
            origin::target(origin, &call.path, &call.query).map_err(|what| odd(what.to_owned()))?;
        let (content_type, body) = body(&call.body, token);
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| {
                odd(format!(
                    "the value of header {name} has characters that no header may have"
                ))
            })?;
            headers.insert(name, value);
            Ok::<_, ConnectorError>(())
        };
        set(header::USER_AGENT, &self.user_agent)?;
        set(header::ACCEPT, "application/json")?;
        if let Some(content_type) = content_type {
            set(header::CONTENT_TYPE, content_type)?;
        }
        for (name, value) in &call.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| {
                odd("the name of a header has characters that no header may have".to_owned())
            })?;
            set(name, value)?;
        }
        headers.insert(header::AUTHORIZATION, bearer(token)?);
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(url.as_str())
            .body(Bytes::from(body))
            .map_err(|error| odd(chain(&error)))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn body(body: &Body, token: &Secret) -> (Option<&'static str>, Vec<u8>) {
    match body {
        Body::Empty => (None, Vec::new()),
        Body::Json(json) => (Some("application/json"), json.clone()),
        Body::Form(pairs) => {
            let form = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish();
            (Some("application/x-www-form-urlencoded"), form.into_bytes())
        }
        Body::Text { content_type, text } => (Some(content_type), text.clone().into_bytes()),
        Body::Bearing {
            content_type,
            write,
        } => (
            Some(content_type),
            write(token.expose_secret()).into_bytes(),
        ),
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, ConnectorError> {
    let text = format!("Bearer {}", token.expose_secret());
    let mut value = HeaderValue::from_str(&text).map_err(|_| ConnectorError::Unauthorized {
        detail: "the token has characters that no token may have; store it again, on one line"
            .to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}
