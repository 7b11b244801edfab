//! What a request is made of, and the forms that HubSpot's answers take.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The generation of the API that a path names. Shapes are shared; a few rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V1,
    V2,
    V3,
    V4,
    March2026,
    September2026,
}

impl Version {
    pub(super) fn parse(segment: &str) -> Option<Version> {
        Some(match segment {
            "v1" => Version::V1,
            "v2" => Version::V2,
            "v3" => Version::V3,
            "v4" => Version::V4,
            "2026-03" => Version::March2026,
            "2026-09" => Version::September2026,
            _ => return None,
        })
    }

    /// Whether the portal's own rules (required fields of forms, conditional ones) bind API writes: since 2026-09.
    pub(super) fn is_strict(self) -> bool {
        self == Version::September2026
    }

    /// The status of a batch that went through in part: 207 before 2026-09, the plain success since.
    pub(super) fn partial(self, success: u16) -> u16 {
        if self == Version::September2026 {
            success
        } else {
            207
        }
    }
}

/// One request, taken apart.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: &'a Bytes,
    pub(super) now: Timestamp,
}

impl<'a> Call<'a> {
    pub(super) fn new(request: &'a Request<Bytes>, now: Timestamp) -> Self {
        let decode = |text: &str| -> String {
            url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
                .next()
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        let segments = request
            .uri()
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode)
            .collect();
        let query = request.uri().query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        Call {
            method: request.method(),
            segments,
            query,
            body: request.body(),
            now,
        }
    }

    /// The first value of a query parameter that is not empty.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// All values of a query parameter, repeated or separated by commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.query
            .iter()
            .filter(|(key, _)| key == name)
            .flat_map(|(_, value)| value.split(','))
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.query(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The page size: the default where none is given, refused beyond the most.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, Problem> {
        match self.query("limit") {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
                _ => Err(Problem::invalid(format!(
                    "limit must be between 1 and {most}, got {text}"
                ))),
            },
        }
    }

    pub(super) fn json(&self) -> Result<Value, Problem> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(self.body)
            .map_err(|error| Problem::invalid(format!("Invalid input JSON: {error}")))
    }

    pub(super) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body)
            .into_owned()
            .collect()
    }
}

/// A success.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Reply {
            status: 200,
            body: Some(body),
        }
    }

    pub(super) fn created(body: Value) -> Self {
        Reply {
            status: 201,
            body: Some(body),
        }
    }

    pub(super) fn nothing() -> Self {
        Reply {
            status: 204,
            body: None,
        }
    }
}

/// A refusal, of a request or of one item in a batch. Boxed, since most answers are none.
#[derive(Clone, Debug)]
pub(super) struct Problem(Box<Details>);

#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) status: u16,
    pub(super) category: &'static str,
    pub(super) message: String,
    pub(super) errors: Vec<Value>,
    pub(super) context: Value,
    /// Members that only this kind of refusal has (`policyName`).
    pub(super) extra: Value,
}

impl std::ops::Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl std::ops::DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl Problem {
    pub(super) fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Problem(Box::new(Details {
            status,
            category,
            message: message.into(),
            errors: Vec::new(),
            context: Value::Null,
            extra: Value::Null,
        }))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Problem::new(400, "VALIDATION_ERROR", message)
    }

    pub(super) fn not_found() -> Self {
        Problem::new(404, "OBJECT_NOT_FOUND", "resource not found")
    }

    pub(super) fn no_route() -> Self {
        Problem::new(
            404,
            "OBJECT_NOT_FOUND",
            "no endpoint at this path and method",
        )
    }

    /// Property values that were refused, each with its own word.
    pub(super) fn properties(complaints: &[Complaint]) -> Self {
        let list: Vec<Value> = complaints
            .iter()
            .map(|complaint| {
                json!({ "isValid": false, "message": complaint.message, "error": complaint.code, "name": complaint.property })
            })
            .collect();
        let mut problem = Problem::invalid(format!(
            "Property values were not valid: {}",
            Value::Array(list)
        ));
        problem.errors = complaints
            .iter()
            .map(|complaint| {
                json!({
                    "message": complaint.message,
                    "code": complaint.code,
                    "context": { "propertyName": [complaint.property] },
                })
            })
            .collect();
        problem
    }

    pub(super) fn json(&self, correlation: &str) -> Value {
        let mut body = json!({
            "status": "error",
            "message": self.message,
            "correlationId": correlation,
            "category": self.category,
        });
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors.clone());
        }
        if !self.context.is_null() {
            body["context"] = self.context.clone();
        }
        if let Value::Object(extra) = &self.extra {
            for (name, value) in extra {
                body[name] = value.clone();
            }
        }
        body
    }
}

/// What is wrong with one property value.
#[derive(Clone, Debug)]
pub(super) struct Complaint {
    pub(super) property: String,
    pub(super) code: &'static str,
    pub(super) message: String,
}

pub(super) type Answer = Result<Reply, Problem>;

/// A response with a JSON body, or none.
pub(super) fn response(status: u16, body: Option<&Value>) -> Response<Bytes> {
    let bytes = body
        .map(|body| Bytes::from(body.to_string()))
        .unwrap_or_default();
    let mut response = Response::new(bytes);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if body.is_some() {
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json;charset=utf-8"),
        );
    }
    response
}

/// A moment as HubSpot writes it: ISO 8601 in UTC with milliseconds.
pub(super) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A moment as HubSpot reads it: epoch milliseconds, ISO 8601, or a plain day at midnight UTC.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Timestamp::from_millisecond(milliseconds).ok();
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    day.to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

/// HubSpot counts in milliseconds.
pub(super) fn truncate(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// A JSON scalar as the text that properties are made of; `None` for null.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A list of texts in a JSON member; empty where it is absent.
pub(super) fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(scalar)
        .collect()
}
