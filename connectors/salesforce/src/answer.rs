//! What an answer's status, headers and error body mean.
//!
//! | status | code | meaning |
//! |---|---|---|
//! | 401 | any | the token is no longer good |
//! | any | REQUEST_LIMIT_EXCEEDED | wait: seconds for concurrency, long for the daily total. It comes as 403 |
//! | 403 | others | a permission or a disabled API: fix it at Salesforce |
//! | 410 | | the API version is retired |
//! | 414, 431 | | the query is too long |
//! | 420, 5xx | | passing; a body may be HTML. A SOAP fault comes as 500 and is for the caller |
//! | other 4xx, 300 | | for the caller |

use crate::soap;
use kit::{Answer, Limits, Verdict};
use serde_json::Value as Json;
use std::time::Duration;

/// Another call of ours or of somebody else's is soon done.
const CONCURRENCY_WAIT: Duration = Duration::from_secs(5);

/// The daily total is a rolling sum over 24 hours: it frees itself little by little.
const DAILY_WAIT: Duration = Duration::from_secs(30 * 60);

/// One error of Salesforce's. Single-record resources say `errorCode`, collections say
/// `statusCode`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct VendorError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// API names of the fields to blame.
    pub(crate) fields: Vec<String>,
    /// Records that a duplicate rule found, the most similar first: object and id.
    pub(crate) matches: Vec<(String, String)>,
}

impl VendorError {
    /// Reads one error object.
    pub(crate) fn read(json: &Json) -> Option<VendorError> {
        let text = |name: &str| json.get(name).and_then(Json::as_str);
        // OAuth resources use words of their own.
        let code = text("statusCode")
            .or_else(|| text("errorCode"))
            .or_else(|| text("error"))?;
        let message = text("message")
            .or_else(|| text("error_description"))
            .unwrap_or_default();
        let fields = json
            .get("fields")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        Some(VendorError {
            code: code.to_owned(),
            message: clean(message),
            fields: fields.filter_map(Json::as_str).map(str::to_owned).collect(),
            matches: matches(json),
        })
    }

    /// Reads the body of an error answer: a list of errors, or one.
    pub(crate) fn read_all(body: &[u8]) -> Vec<VendorError> {
        match serde_json::from_slice::<Json>(body) {
            Ok(Json::Array(errors)) => errors.iter().filter_map(VendorError::read).collect(),
            Ok(error) => VendorError::read(&error).into_iter().collect(),
            Err(_) => Vec::new(),
        }
    }

    /// The error in one line.
    pub(crate) fn words(&self) -> String {
        if self.message.is_empty() {
            self.code.clone()
        } else {
            format!("{}: {}", self.code, self.message)
        }
    }
}

/// The records in a duplicate rule's result. The key is misspelt in real answers, and spelled well
/// in others.
fn matches(error: &Json) -> Vec<(String, String)> {
    let result = ["duplicateResult", "duplicateResut"]
        .iter()
        .find_map(|name| error.get(*name));
    let results = result
        .and_then(|result| result.get("matchResults"))
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let mut found = Vec::new();
    for result in results {
        let object = result
            .get("entityType")
            .and_then(Json::as_str)
            .unwrap_or_default();
        for record in result
            .get("matchRecords")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            let confidence = record
                .get("matchConfidence")
                .and_then(Json::as_f64)
                .unwrap_or_default();
            let Some(record) = record.get("record") else {
                continue;
            };
            let object = record
                .pointer("/attributes/type")
                .and_then(Json::as_str)
                .unwrap_or(object);
            if let Some(id) = record
                .get("Id")
                .or_else(|| record.get("id"))
                .and_then(Json::as_str)
            {
                found.push((confidence, object.to_owned(), id.to_owned()));
            }
        }
    }
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    found
        .into_iter()
        .map(|(_, object, id)| (object, id))
        .collect()
}

/// A vendor's words, fit for a log: one line, no control characters, not endless.
pub(crate) fn clean(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars()
        .filter(|character| !character.is_control())
        .take(400)
        .collect()
}

/// The code of a SOAP fault; a maintenance page has none.
fn fault(body: &[u8]) -> Option<VendorError> {
    let has = body.trim_ascii_start().starts_with(b"<")
        && body.windows(10).any(|part| part == b"faultcode>");
    match soap::reply(std::str::from_utf8(body).ok().filter(|_| has)?) {
        Ok(soap::Reply::Fault(fault)) => Some(fault),
        _ => None,
    }
}

/// Reads an answer for the session.
pub(crate) fn classify(answer: &Answer) -> Verdict {
    if matches!(answer.status, 200..=300 | 304) {
        return Verdict::Fine;
    }
    if let Some(fault) = fault(&answer.body) {
        return match fault.code.as_str() {
            "INVALID_SESSION_ID" => Verdict::Expired,
            "REQUEST_LIMIT_EXCEEDED" => limited(&fault.message),
            _ => Verdict::Fine,
        };
    }
    let errors = VendorError::read_all(&answer.body);
    let words = errors.first().map_or_else(
        || format!("HTTP {}", answer.status),
        |error| format!("HTTP {}, {}", answer.status, error.words()),
    );
    let is = |code: &str| errors.iter().any(|error| error.code == code);
    if let Some(limit) = errors
        .iter()
        .find(|error| error.code == "REQUEST_LIMIT_EXCEEDED")
    {
        return limited(&limit.message);
    }
    match answer.status {
        401 => Verdict::Expired,
        403 if is("TXN_SECURITY_METERING_ERROR") => Verdict::Transient(format!(
            "{words}; the user permission `Exempt from Transaction Security` ends this"
        )),
        403 if is("SERVER_UNAVAILABLE") => Verdict::Transient(words),
        403 => Verdict::Refused(words),
        410 => Verdict::Refused(format!(
            "{words}: this API version is retired, raise `version`"
        )),
        414 | 431 => Verdict::Refused(format!(
            "{words}: the request is too long, map fewer fields"
        )),
        420 => Verdict::Transient(format!(
            "{words}: Salesforce's edge has no route to the org"
        )),
        429 => Verdict::Throttled {
            retry_after: retry_after(answer),
            detail: words,
            long: false,
        },
        301..=399 => Verdict::Refused(format!(
            "{words}: a redirect is not followed, set `login_url` to the org's My Domain"
        )),
        500.. => Verdict::Transient(words),
        _ => Verdict::Fine,
    }
}

fn limited(message: &str) -> Verdict {
    let long = !message.contains("Concurrent");
    let wait = if long { DAILY_WAIT } else { CONCURRENCY_WAIT };
    Verdict::Throttled {
        retry_after: Some(wait),
        detail: format!("REQUEST_LIMIT_EXCEEDED: {message}"),
        long,
    }
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    answer
        .header("retry-after")?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// Reads `Sforce-Limit-Info: api-usage=25/5000; per-app-api-usage=17/250(appName=x)`. The tighter
/// of the two counts.
pub(crate) fn observe(answer: &Answer) -> Option<Limits> {
    let header = answer.header("sforce-limit-info")?;
    let (limit, left) = header
        .split(';')
        .filter_map(usage)
        .min_by_key(|(_, left)| *left)?;
    Some(Limits {
        daily_limit: Some(limit),
        daily_left: Some(left),
        wait: None,
    })
}

fn usage(part: &str) -> Option<(u64, u64)> {
    let (_, numbers) = part.split_once("api-usage=")?;
    let (used, limit) = numbers.split_once('/')?;
    let limit: String = limit.chars().take_while(char::is_ascii_digit).collect();
    let (used, limit): (u64, u64) = (used.trim().parse().ok()?, limit.parse().ok()?);
    Some((limit, limit.saturating_sub(used)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn error(code: &str, message: &str) -> String {
        json!([{"errorCode": code, "message": message}]).to_string()
    }

    #[test]
    fn a_rate_limit_hides_behind_403() {
        let concurrent = classify(&answer(
            403,
            &error(
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
            ),
        ));
        assert!(matches!(concurrent, Verdict::Throttled { long: false, .. }));
        let total = classify(&answer(
            403,
            &error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        ));
        assert!(matches!(total, Verdict::Throttled { long: true, .. }));
        assert!(matches!(
            classify(&answer(403, &error("API_DISABLED_FOR_ORG", "off"))),
            Verdict::Refused(_)
        ));
    }

    #[test]
    fn statuses_have_their_meanings() {
        assert!(matches!(
            classify(&answer(
                401,
                &error("INVALID_SESSION_ID", "Session expired or invalid")
            )),
            Verdict::Expired
        ));
        assert!(matches!(classify(&answer(300, "[]")), Verdict::Fine));
        assert!(matches!(
            classify(&answer(400, &error("INVALID_QUERY_LOCATOR", ""))),
            Verdict::Fine
        ));
        assert!(matches!(
            classify(&answer(429, &error("SERVER_UNAVAILABLE", ""))),
            Verdict::Throttled { .. }
        ));
        assert!(
            matches!(classify(&answer(503, "<html>we will be back</html>")), Verdict::Transient(words) if !words.contains("html"))
        );
        assert!(matches!(classify(&answer(420, "")), Verdict::Transient(_)));
        assert!(
            matches!(classify(&answer(302, "")), Verdict::Refused(words) if words.contains("My Domain"))
        );
        assert!(
            matches!(classify(&answer(410, "")), Verdict::Refused(words) if words.contains("version"))
        );
        assert!(matches!(classify(&answer(414, "")), Verdict::Refused(_)));
        let fault = |code: &str| {
            format!(
                "<s:Envelope><s:Body><s:Fault><faultcode>sf:{code}</faultcode></s:Fault></s:Body></s:Envelope>"
            )
        };
        assert!(matches!(
            classify(&answer(500, &fault("INVALID_SESSION_ID"))),
            Verdict::Expired
        ));
        assert!(matches!(
            classify(&answer(500, &fault("INSUFFICIENT_ACCESS"))),
            Verdict::Fine
        ));
        assert!(matches!(
            classify(&answer(500, &error("UNKNOWN_EXCEPTION", ""))),
            Verdict::Transient(_)
        ));
    }

    #[test]
    fn the_tighter_limit_counts() {
        let mut answer = answer(200, "");
        answer.headers.insert(
            "sforce-limit-info",
            "api-usage=25/5000; per-app-api-usage=17/250(appName=leadloop)"
                .parse()
                .unwrap(),
        );
        let limits = observe(&answer).unwrap();
        assert_eq!(
            (limits.daily_limit, limits.daily_left),
            (Some(250), Some(233))
        );
    }

    #[test]
    fn both_spellings_of_both_keys_are_read() {
        for (code, duplicate) in [
            ("statusCode", "duplicateResult"),
            ("errorCode", "duplicateResut"),
        ] {
            let error = VendorError::read(&json!({code: "DUPLICATES_DETECTED", "message": "Use one of\nthese records?", duplicate: {
                "allowSave": true,
                "matchResults": [{"entityType": "Contact", "matchRecords": [
                    {"matchConfidence": 70.0, "record": {"attributes": {"type": "Contact"}, "Id": "003000000000001AAA"}},
                    {"matchConfidence": 100.0, "record": {"attributes": {"type": "Contact"}, "Id": "003000000000002AAA"}},
                ]}],
            }}))
            .unwrap();
            assert_eq!(
                error.matches[0],
                ("Contact".to_owned(), "003000000000002AAA".to_owned())
            );
            assert_eq!(
                error.words(),
                "DUPLICATES_DETECTED: Use one of these records?"
            );
        }
    }
}
