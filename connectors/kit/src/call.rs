//! What is asked of a vendor and what it answers.

use bytes::Bytes;
use contract::ConnectorError;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

/// One request to a vendor, before authentication.
#[derive(Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The encoded path with its leading `/`; a query may follow it, as in a link to the next page.
    pub path: String,
    /// Pairs of the query, not encoded.
    pub query: Vec<(String, String)>,
    /// Headers beyond those that the session sets: authorization, user agent, content type.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// Sending it twice does no harm: it is sent again after a doubt.
    pub repeatable: bool,
    /// Which rate bucket it is counted in.
    pub bucket: &'static str,
    /// What it is for, to be read in errors: `reading contacts`.
    pub doing: &'static str,
}

/// The body of a request.
#[derive(Clone)]
pub enum Body {
    /// None.
    Empty,
    /// JSON, written.
    Json(Vec<u8>),
    /// A form, to be encoded.
    Form(Vec<(String, String)>),
    /// Any other text.
    Text {
        /// Its content type.
        content_type: &'static str,
        /// The text.
        text: String,
    },
    /// Text that bears the access token itself, as SOAP's session header does; it is written anew
    /// for every attempt, since the token may have changed.
    Bearing {
        /// Its content type.
        content_type: &'static str,
        /// Writes it around the access token.
        write: Arc<dyn Fn(&str) -> String + Send + Sync>,
    },
}

impl Call {
    fn new(method: Method, path: impl Into<String>, body: Body) -> Call {
        Call {
            repeatable: method.is_safe(),
            method,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body,
            bucket: "main",
            doing: "a call",
        }
    }

    /// Reads; harmless to repeat.
    pub fn get(path: impl Into<String>) -> Call {
        Call::new(Method::GET, path, Body::Empty)
    }

    /// Posts JSON. Not repeatable unless [`Call::repeatable`] says so.
    pub fn post_json(path: impl Into<String>, body: &impl Serialize) -> Call {
        Call::new(Method::POST, path, json(body))
    }

    /// Patches with JSON. Not repeatable unless [`Call::repeatable`] says so.
    pub fn patch_json(path: impl Into<String>, body: &impl Serialize) -> Call {
        Call::new(Method::PATCH, path, json(body))
    }

    /// Posts a form. Not repeatable unless [`Call::repeatable`] says so.
    pub fn post_form(path: impl Into<String>, pairs: Vec<(String, String)>) -> Call {
        Call::new(Method::POST, path, Body::Form(pairs))
    }

    /// Sends text of any type.
    pub fn text(
        method: Method,
        path: impl Into<String>,
        content_type: &'static str,
        text: String,
    ) -> Call {
        Call::new(method, path, Body::Text { content_type, text })
    }

    /// Posts text that bears the access token itself; see [`Body::Bearing`].
    pub fn bearing(
        path: impl Into<String>,
        content_type: &'static str,
        write: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Call {
        Call::new(
            Method::POST,
            path,
            Body::Bearing {
                content_type,
                write: Arc::new(write),
            },
        )
    }

    /// With one more pair in the query.
    #[must_use]
    pub fn query(mut self, key: impl Into<String>, value: impl Into<String>) -> Call {
        self.query.push((key.into(), value.into()));
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Call {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sending it twice does no harm.
    #[must_use]
    pub fn repeatable(mut self) -> Call {
        self.repeatable = true;
        self
    }

    /// Counted in this rate bucket rather than `main`.
    #[must_use]
    pub fn bucket(mut self, name: &'static str) -> Call {
        self.bucket = name;
        self
    }

    /// What it is for, to be read in errors: `reading contacts`.
    #[must_use]
    pub fn doing(mut self, text: &'static str) -> Call {
        self.doing = text;
        self
    }
}

fn json(body: &impl Serialize) -> Body {
    Body::Json(serde_json::to_vec(body).expect("bodies are plain data with text keys"))
}

/// Without query, headers and body: they hold persons' data and sometimes secrets.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &path)
            .field("doing", &self.doing)
            .field("repeatable", &self.repeatable)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Empty => "Empty",
            Body::Json(_) => "Json(…)",
            Body::Form(_) => "Form(…)",
            Body::Text { .. } => "Text(…)",
            Body::Bearing { .. } => "Bearing(…)",
        })
    }
}

/// A vendor's whole answer.
#[derive(Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Answer {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`ConnectorError::Protocol`] with where the JSON departs from what was expected.
    pub fn json<T: DeserializeOwned>(&self, doing: &str) -> Result<T, ConnectorError> {
        serde_json::from_slice(&self.body).map_err(|error| ConnectorError::Protocol {
            doing: doing.to_owned(),
            detail: format!("HTTP {}: {error}", self.status),
        })
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// A header, where it is readable text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The server's time of the answer: the `Date` header, to the second.
    pub fn date(&self) -> Option<Timestamp> {
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(self.header("date")?)
            .ok()
    }

    /// The wait that the `Retry-After` header asks for, in seconds or until a date.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()?;
        // Both dates are the server's, so our own clock does not matter.
        let wait = until.duration_since(self.date()?);
        Some(wait.try_into().unwrap_or_default())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
