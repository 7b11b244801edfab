//! What a status and its headers mean: the part of HubSpot that the session must understand to wait, to sign in again
//! or to give up. <https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines>

use crate::{problem::Problem, wire::Answered};
use contract::ConnectorError;
use kit::{Answer, Limits, Verdict};
use std::time::Duration;

/// HubSpot's reading of an answer. Refusals with a reason (400, 403, 404, 409) go to whoever asked.
pub(crate) fn classify(answer: &Answer) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Fine,
        300..=399 => Verdict::Refused(
            "HubSpot answers with a redirect, which is never followed: check base_url".to_owned(),
        ),
        401 => Verdict::Expired,
        429 => throttled(answer),
        // The account is moving between data centres and says for how long, up to a day; nothing is taken in meanwhile.
        477 => Verdict::Throttled {
            retry_after: answer.retry_after(),
            detail: "the account is being migrated".to_owned(),
            long: true,
        },
        408 | 423 => Verdict::Transient(words(answer)),
        // In front of HubSpot, 530 stands for an address or credentials that lead nowhere; it does not pass by itself.
        530 => Verdict::Unauthorized(format!("{}: check the token and base_url", words(answer))),
        500..=599 => Verdict::Transient(words(answer)),
        _ => Verdict::Fine,
    }
}

/// The limits that HubSpot tells. Searches tell none, and apps with OAuth hear no daily ones.
pub(crate) fn observe(answer: &Answer) -> Option<Limits> {
    let number = |name: &str| {
        answer
            .header(name)
            .and_then(|value| value.trim().parse::<u64>().ok())
    };
    let daily_limit = number("x-hubspot-ratelimit-daily");
    let daily_left = number("x-hubspot-ratelimit-daily-remaining");
    // The window rolls, so places come free one after another; a tenth of it is enough to wait for some.
    let spent = number("x-hubspot-ratelimit-remaining") == Some(0);
    let interval = number("x-hubspot-ratelimit-interval-milliseconds").unwrap_or(10_000);
    let wait = spent.then(|| Duration::from_millis(interval.min(10_000) / 10));
    (daily_limit.is_some() || daily_left.is_some() || wait.is_some()).then_some(Limits {
        daily_limit,
        daily_left,
        wait,
    })
}

/// The results of a question, or why it was refused.
pub(crate) fn results(answer: &Answer, doing: &str) -> Result<Answered, ConnectorError> {
    if (200..300).contains(&answer.status) {
        return answer.json(doing);
    }
    Err(refused(
        &Problem::of_answer(answer.status, &answer.body),
        doing,
    ))
}

/// A question that HubSpot refuses.
pub(crate) fn refused(problem: &Problem, doing: &str) -> ConnectorError {
    let mut detail = problem.words();
    if problem.is_forbidden() && !problem.scopes.is_empty() {
        let scopes: Vec<&str> = problem.scopes.iter().map(String::as_str).collect();
        detail = format!("{detail}; grant {}", scopes.join(", "));
    }
    if problem.passes() {
        return ConnectorError::Unavailable {
            detail: format!("{doing}: {detail}"),
        };
    }
    ConnectorError::Refused {
        doing: doing.to_owned(),
        detail,
    }
}

fn throttled(answer: &Answer) -> Verdict {
    let problem = Problem::of_answer(answer.status, &answer.body);
    let policy = problem.policy.clone().unwrap_or_default();
    let told = answer.retry_after();
    let long = policy.eq_ignore_ascii_case("DAILY");
    // Retry-After is often missing; the ten-second window and the search's second are known.
    let known = if policy.to_ascii_uppercase().starts_with("TEN_SECONDLY") {
        Some(Duration::from_secs(10))
    } else if policy.eq_ignore_ascii_case("SECONDLY") || problem.message.contains("secondly limit")
    {
        Some(Duration::from_secs(1))
    } else {
        None
    };
    Verdict::Throttled {
        retry_after: told.or(if long { None } else { known }),
        detail: problem.words(),
        long,
    }
}

fn words(answer: &Answer) -> String {
    format!(
        "status {}: {}",
        answer.status,
        Problem::of_answer(answer.status, &answer.body).words()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let mut map = http::HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                http::HeaderName::try_from(*name).unwrap(),
                value.parse().unwrap(),
            );
        }
        Answer {
            status,
            headers: map,
            body: bytes::Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn each_limit_has_its_wait() {
        for (body, headers, wait, long) in [
            (
                r#"{"policyName":"TEN_SECONDLY_ROLLING","message":"You have reached your ten_secondly_rolling limit."}"#,
                &[][..],
                Some(10),
                false,
            ),
            (
                r#"{"message":"You have reached your secondly limit."}"#,
                &[],
                Some(1),
                false,
            ),
            (
                r#"{"policyName":"DAILY","message":"You have reached your daily limit."}"#,
                &[],
                None,
                true,
            ),
            (
                r#"{"policyName":"DAILY"}"#,
                &[("retry-after", "3600")],
                Some(3600),
                true,
            ),
            ("", &[], None, false),
        ] {
            match classify(&answer(429, headers, body)) {
                Verdict::Throttled {
                    retry_after,
                    long: is_long,
                    ..
                } => {
                    assert_eq!(
                        (retry_after, is_long),
                        (wait.map(Duration::from_secs), long),
                        "{body}"
                    );
                }
                _ => panic!("{body} is a limit"),
            }
        }
    }

    #[test]
    fn statuses_mean_what_hubspot_means() {
        for (status, expected) in [
            (200, "fine"),
            (207, "fine"),
            (302, "refused"),
            (400, "fine"),
            (401, "expired"),
            (403, "fine"),
            (404, "fine"),
            (409, "fine"),
            (414, "fine"),
            (423, "transient"),
            (477, "throttled"),
            (500, "transient"),
            (502, "transient"),
            (504, "transient"),
            (521, "transient"),
            (524, "transient"),
            (530, "unauthorized"),
        ] {
            let verdict = match classify(&answer(status, &[], "")) {
                Verdict::Fine => "fine",
                Verdict::Expired => "expired",
                Verdict::Unauthorized(_) => "unauthorized",
                Verdict::Throttled { .. } => "throttled",
                Verdict::Transient(_) => "transient",
                Verdict::Refused(_) => "refused",
            };
            assert_eq!(verdict, expected, "{status}");
        }
    }

    #[test]
    fn limits_are_read_where_they_are_told() {
        assert!(
            observe(&answer(200, &[], "{}")).is_none(),
            "a search tells none"
        );
        let headers = [
            ("x-hubspot-ratelimit-daily", "650000"),
            ("x-hubspot-ratelimit-daily-remaining", "1000"),
            ("x-hubspot-ratelimit-remaining", "0"),
            ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
        ];
        let limits = observe(&answer(200, &headers, "{}")).unwrap();
        assert_eq!(
            (limits.daily_limit, limits.daily_left, limits.wait),
            (Some(650_000), Some(1_000), Some(Duration::from_secs(1)))
        );
    }
}
