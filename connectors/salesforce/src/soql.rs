//! SOQL text: literals that cannot break out, and `IN` lists that fit into a URL.

use jiff::{Timestamp, tz::TimeZone};

/// A GET's whole URI may have 16,384 bytes, and so may URI and headers together (Salesforce REST
/// API guide, status codes 414 and 431). An access token alone can take 2,000, so the query keeps
/// well below.
const QUERY_BYTES: usize = 11_000;

/// Most values in one `IN` list.
const LIST: usize = 300;

/// A string literal: quoted, with everything escaped that SOQL treats specially.
pub(crate) fn text(value: &str) -> String {
    let mut literal = String::with_capacity(value.len() + 2);
    literal.push('\'');
    for character in value.chars() {
        match character {
            '\\' => literal.push_str("\\\\"),
            '\'' => literal.push_str("\\'"),
            '"' => literal.push_str("\\\""),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '\u{8}' => literal.push_str("\\b"),
            '\u{c}' => literal.push_str("\\f"),
            control if control.is_control() => {}
            plain => literal.push(plain),
        }
    }
    literal.push('\'');
    literal
}

/// A datetime literal: unquoted, in UTC, in whole seconds (rounded down).
pub(crate) fn time(value: Timestamp) -> String {
    value
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// `field IN (…)` lists that each fit into one query beside `rest`.
pub(crate) fn lists<'a>(
    rest: &str,
    field: &str,
    values: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let fixed = encoded(rest) + encoded(field) + encoded(" WHERE  IN ()");
    let room = QUERY_BYTES.saturating_sub(fixed);
    let mut lists: Vec<Vec<String>> = Vec::new();
    let mut used = 0;
    for value in values {
        let literal = text(value);
        let size = encoded(&literal) + encoded(",");
        match lists.last_mut() {
            Some(list) if used + size <= room && list.len() < LIST => {
                list.push(literal);
                used += size;
            }
            _ => {
                lists.push(vec![literal]);
                used = size;
            }
        }
    }
    lists
        .into_iter()
        .map(|list| format!("{field} IN ({})", list.join(",")))
        .collect()
}

/// Length after percent-encoding, at its longest.
fn encoded(text: &str) -> usize {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                1
            } else {
                3
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let check = |value: &str, literal: &str| assert_eq!(text(value), literal);
        check("o'hara@example.com", r"'o\'hara@example.com'");
        check(r"\' OR Name != '", r"'\\\' OR Name != \''");
        check("a\nb\u{0}c", r"'a\nbc'");
        check("", "''");
    }

    #[test]
    fn times_are_plain_seconds_in_utc() {
        let at: Timestamp = "2026-11-21T10:00:00.75+01:00".parse().unwrap();
        assert_eq!(time(at), "2026-11-21T09:00:00Z");
    }

    #[test]
    fn a_long_list_is_cut_to_fit_the_url() {
        let ids: Vec<String> = (0..1000).map(|n| format!("003{n:015}")).collect();
        let parts = lists(
            "SELECT Id FROM Contact",
            "Id",
            ids.iter().map(String::as_str),
        );
        assert_eq!(parts.len(), 4);
        let emails: Vec<String> = (0..300)
            .map(|n| format!("somebody+{n}@a-rather-long-domain-name.example.com"))
            .collect();
        let parts = lists(
            "SELECT Id FROM Contact",
            "Email",
            emails.iter().map(String::as_str),
        );
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|part| encoded(part) < QUERY_BYTES));
        assert_eq!(
            parts
                .iter()
                .map(|part| part.matches('@').count())
                .sum::<usize>(),
            300
        );
        assert!(lists("", "Id", []).is_empty());
    }
}
