use super::Failure;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use url::form_urlencoded;

/// One call below `/services/data/vXX.0`, on its own or inside a composite.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The decoded pieces of the path.
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    /// By lower-case name.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Bytes,
}

/// Who calls, and how the answer is to be spelt.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The id of the user whose session it is.
    pub(super) user: String,
    /// `/services/data/v68.0`
    pub(super) base: String,
    /// Whether the caller wants duplicates saved all the same.
    pub(super) save_duplicates: bool,
    /// Whether duplicates are to be shown with their values.
    pub(super) record_details: bool,
    /// Whether this is one row of many.
    pub(super) in_batch: bool,
}

impl Caller {
    /// The key under which an error tells what a duplicate rule found.
    pub(super) fn duplicates_key(&self) -> &'static str {
        if self.in_batch {
            "duplicateResult"
        } else {
            "duplicateResut"
        }
    }

    /// The same caller, for the rows of a batch.
    pub(super) fn batch(&self) -> Caller {
        Caller {
            in_batch: true,
            ..self.clone()
        }
    }
}

impl Call {
    /// Reads a request whose path starts with the API's base.
    pub(super) fn read(request: &Request<Bytes>) -> Call {
        let headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        let uri = request.uri();
        Call {
            headers,
            body: request.body().clone(),
            ..Call::to(
                request.method().clone(),
                uri.path(),
                uri.query().unwrap_or(""),
            )
        }
    }

    /// A call without headers and body.
    pub(super) fn to(method: Method, path: &str, query: &str) -> Call {
        Call {
            method,
            segments: path
                .split('/')
                .filter(|segment| !segment.is_empty())
                .map(decoded)
                .collect(),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers: BTreeMap::new(),
            body: Bytes::new(),
        }
    }

    /// The first value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A header by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// A header that holds an HTTP date.
    pub(super) fn date(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        let Some(text) = self.header(name) else {
            return Ok(None);
        };
        match jiff::fmt::rfc2822::parse(text) {
            Ok(zoned) => Ok(Some(zoned.timestamp())),
            Err(_) => Err(Failure::new(
                "INVALID_HEADER",
                format!("{name}: not an HTTP date: {text}"),
            )),
        }
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::new(
                "JSON_PARSER_ERROR",
                format!("Unexpected character: {error}"),
            )
        })
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Failure> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            _ => Err(Failure::new(
                "JSON_PARSER_ERROR",
                "the body is not an object",
            )),
        }
    }
}

fn decoded(segment: &str) -> String {
    // A plus stands for itself in a path; only a query reads it as a blank.
    let guarded = segment
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    form_urlencoded::parse(guarded.as_bytes())
        .next()
        .map_or_else(String::new, |(text, _)| text.into_owned())
}

/// What is answered.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Empty,
    Json(Value),
    Text(&'static str, String),
}

impl Reply {
    pub(super) fn json(status: u16, body: Value) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Body::Json(body),
        }
    }

    pub(super) fn empty(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    pub(super) fn text(status: u16, content_type: &'static str, text: String) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Body::Text(content_type, text),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let (content_type, bytes) = match self.body {
            Body::Empty => (None, Bytes::new()),
            Body::Json(value) => (
                Some("application/json;charset=UTF-8"),
                Bytes::from(value.to_string()),
            ),
            Body::Text(content_type, text) => (Some(content_type), Bytes::from(text)),
        };
        let mut builder = Response::builder()
            .status(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        if let Some(content_type) = content_type {
            builder = builder.header(header::CONTENT_TYPE, content_type);
        }
        builder.body(bytes).unwrap_or_else(|_| {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Reply::json(failure.status, failure.body())
    }
}

/// The origin that a request came to: plain HTTP on the loopback interface, HTTPS elsewhere.
pub(super) fn origin(request: &Request<Bytes>) -> String {
    if let (Some(scheme), Some(authority)) = (request.uri().scheme_str(), request.uri().authority())
    {
        return format!("{scheme}://{authority}");
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) {
            name
        } else {
            host
        }
    });
    let loopback = name == "localhost"
        || name.ends_with(".localhost")
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    format!("{}://{host}", if loopback { "http" } else { "https" })
}
