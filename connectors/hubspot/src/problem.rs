//! HubSpot's words about what went wrong, and what helps.
//!
//! Every part of an error may be missing, stand one level deeper, or be text where a list is documented
//! (<https://developers.hubspot.com/docs/api-reference/error-handling>), so it is picked apart by hand.

use crate::mapping::Mapping;
use contract::{Id, Remedy};
use serde_json::Value;
use std::collections::BTreeSet;

/// The longest excerpt of a vendor's words that is kept, in characters.
const LONGEST: usize = 500;

/// An error, of a whole answer or of one entry in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problem {
    /// HTTP status, where the whole answer failed.
    pub status: Option<u16>,
    /// In a sentence.
    pub message: String,
    /// `VALIDATION_ERROR`, `CONFLICT` and so on.
    pub category: String,
    /// `PROPERTY_DOESNT_EXIST`, `INVALID_EMAIL` and so on.
    pub codes: BTreeSet<String>,
    /// The properties that are complained about.
    pub properties: BTreeSet<String>,
    /// The entries that failed, by what we sent to tell them apart.
    pub trace_ids: BTreeSet<String>,
    /// The entries that failed, by id.
    pub ids: BTreeSet<String>,
    /// Scopes that the token lacks.
    pub scopes: BTreeSet<String>,
    /// Which limit was met.
    pub policy: Option<String>,
    correlation: Option<String>,
}

impl Problem {
    /// The error that an answer tells in its body, which may be no JSON at all.
    pub fn of_answer(status: u16, body: &[u8]) -> Problem {
        let mut problem = match serde_json::from_slice::<Value>(body) {
            Ok(value) => Problem::of_value(&value),
            Err(_) => Problem {
                message: excerpt(&String::from_utf8_lossy(body)),
                ..Problem::default()
            },
        };
        if problem.message.is_empty() {
            problem.message = format!("status {status} without a reason");
        }
        problem.status = Some(status);
        problem
    }

    /// The error that stands in a batch's list of errors.
    pub fn of_value(value: &Value) -> Problem {
        let mut problem = Problem {
            message: text(value, "message"),
            category: text(value, "category"),
            ..Problem::default()
        };
        problem.policy = some(text(value, "policyName"));
        problem.correlation = some(text(value, "correlationId"));
        problem.collect(value);
        if let Some(embedded) = embedded(&problem.message) {
            let words: Vec<String> = embedded
                .iter()
                .map(|one| text(one, "message"))
                .filter(|words| !words.is_empty())
                .collect();
            for one in &embedded {
                problem.codes.extend(some(text(one, "error")));
                problem.properties.extend(some(text(one, "name")));
            }
            if !words.is_empty() {
                problem.message = words.join("; ");
            }
        }
        problem.message = excerpt(&problem.message);
        problem
    }

    fn collect(&mut self, value: &Value) {
        self.codes.extend(some(text(value, "code")));
        self.codes.extend(some(text(value, "subCategory")));
        self.codes.extend(some(text(value, "error")));
        if let Some(context) = value.get("context") {
            self.properties
                .extend(listed(context, &["propertyName", "properties"]));
            self.trace_ids
                .extend(listed(context, &["objectWriteTraceId"]));
            self.ids
                .extend(listed(context, &["ids", "id", "subscriberIdString"]));
            self.scopes.extend(listed(
                context,
                &["requiredGranularScopes", "missingScopes", "requiredScopes"],
            ));
        }
        for nested in value
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let words = text(nested, "message");
            if self.message.is_empty() {
                self.message = words;
            } else if !words.is_empty() && !self.message.contains(&words) {
                self.message = format!("{}: {words}", self.message);
            }
            self.collect(nested);
        }
    }

    /// The vendor's words, with what its support asks for.
    pub fn words(&self) -> String {
        let mut words = self.message.clone();
        if !self.category.is_empty() && !words.contains(&self.category) {
            words = format!("{words} ({})", excerpt(&self.category));
        }
        if let Some(correlation) = &self.correlation {
            words = format!("{words} [correlation id {}]", excerpt(correlation));
        }
        words
    }

    /// Whether the record is not there.
    pub fn is_gone(&self) -> bool {
        self.has("OBJECT_NOT_FOUND")
    }

    /// Whether we lack a permission.
    pub fn is_forbidden(&self) -> bool {
        self.status == Some(403) || self.has("MISSING_SCOPES")
    }

    /// Whether the vendor's trouble passes, and nothing is wrong with the entry.
    pub fn passes(&self) -> bool {
        [
            "RATE_LIMITS",
            "RATE_LIMIT",
            "INTERNAL_ERROR",
            "SERVICE_UNAVAILABLE",
        ]
        .iter()
        .any(|code| self.has(code))
    }

    /// Whether the properties themselves are at fault, so that every entry that has one of them fails alike.
    pub fn is_about_schema(&self) -> bool {
        [
            "PROPERTY_DOESNT_EXIST",
            "PROPERTY_NOT_FOUND",
            "READ_ONLY_VALUE",
            "READ_ONLY_PROPERTY",
        ]
        .iter()
        .any(|code| self.has(code))
    }

    /// Whether the value is not one of the property's options.
    pub fn is_about_options(&self) -> bool {
        self.has("INVALID_OPTION")
    }

    /// The record that stands in the way, told as "Existing ID: 123" or "123 already has that value".
    pub fn existing(&self) -> Option<Id> {
        if let Some((before, _)) = self.message.split_once(" already has that value") {
            let id = before
                .rsplit(|character: char| !character.is_ascii_digit())
                .next()?;
            return (!id.is_empty()).then(|| Id::from(id));
        }
        let (_, rest) = self.message.split_once("xisting ID:")?;
        let id: String = rest
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        (!id.is_empty()).then_some(Id(id))
    }

    /// What would help.
    pub fn remedy(&self, mapping: &Mapping) -> Remedy {
        let fields = self
            .properties
            .iter()
            .map(|property| mapping.canonical(property).to_owned())
            .collect();
        if self.is_forbidden() {
            let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
            let permission = if scopes.is_empty() {
                "the scope that this call needs".to_owned()
            } else {
                scopes.join(", ")
            };
            Remedy::Grant { permission }
        } else if self.is_gone() {
            Remedy::LookAgain
        } else if self.is_about_schema() {
            Remedy::FixMapping { fields }
        } else if self.category == "CONFLICT" {
            Remedy::AskArbiter
        } else {
            Remedy::CorrectRecord { fields }
        }
    }

    fn has(&self, code: &str) -> bool {
        self.category.eq_ignore_ascii_case(code)
            || self.codes.iter().any(|one| one.eq_ignore_ascii_case(code))
    }
}

/// The values under these names: a list, one text, or text such as `{missingScopes=[a, b]}`.
fn listed(context: &Value, names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for name in names {
        match context {
            Value::Object(entries) => match entries.get(*name) {
                Some(Value::Array(values)) => found.extend(values.iter().filter_map(plain)),
                Some(value) => found.extend(plain(value)),
                None => {}
            },
            Value::String(text) => {
                let inside = text
                    .split_once(&format!("{name}=["))
                    .and_then(|(_, rest)| rest.split_once(']'));
                found.extend(
                    inside
                        .into_iter()
                        .flat_map(|(inside, _)| inside.split(','))
                        .map(|one| one.trim().to_owned()),
                );
            }
            _ => {}
        }
    }
    found.retain(|one| !one.is_empty());
    found
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The list that some messages carry in their text: `Property values were not valid: [{…}]`.
fn embedded(message: &str) -> Option<Vec<Value>> {
    let start = message.find("[{")?;
    let end = message.rfind(']')?;
    serde_json::from_str(message.get(start..=end)?).ok()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(plain).unwrap_or_default()
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Printable and short: the words go to logs and terminals.
fn excerpt(text: &str) -> String {
    let printable = text.chars().map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    let mut excerpt: String = printable.take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        excerpt.push('…');
    }
    excerpt.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn problem(json: &str) -> Problem {
        Problem::of_answer(400, json.as_bytes())
    }

    fn remedy(problem: &Problem) -> Remedy {
        problem.remedy(&Mapping::new(&BTreeMap::new(), None).unwrap())
    }

    #[test]
    fn each_code_has_its_remedy() {
        for (json, expected) in [
            (
                r#"{"category":"VALIDATION_ERROR","message":"bad","errors":[{"message":"Property \"leadloop_reason\" does not exist","code":"PROPERTY_DOESNT_EXIST","context":{"propertyName":["leadloop_reason"]}}]}"#,
                Remedy::FixMapping {
                    fields: vec!["leadloop_reason".into()],
                },
            ),
            (
                r#"{"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"no such address\",\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]"}"#,
                Remedy::CorrectRecord {
                    fields: vec!["email".into()],
                },
            ),
            (
                r#"{"category":"VALIDATION_ERROR","message":"x","errors":[{"code":"INVALID_OPTION","context":{"propertyName":["hs_lead_status"]}}]}"#,
                Remedy::CorrectRecord {
                    fields: vec!["status".into()],
                },
            ),
            (
                r#"{"category":"MISSING_SCOPES","message":"no","errors":[{"context":{"requiredGranularScopes":["crm.objects.contacts.write"]}}]}"#,
                Remedy::Grant {
                    permission: "crm.objects.contacts.write".into(),
                },
            ),
            (
                r#"{"category":"MISSING_SCOPES","message":"no","errors":[{"context":"{missingScopes=[scope1, scope2]}"}]}"#,
                Remedy::Grant {
                    permission: "scope1, scope2".into(),
                },
            ),
            (
                r#"{"category":"OBJECT_NOT_FOUND","message":"gone"}"#,
                Remedy::LookAgain,
            ),
            (
                r#"{"subCategory":"crm.associations.OTHER","message":"x"}"#,
                Remedy::CorrectRecord { fields: vec![] },
            ),
        ] {
            assert_eq!(remedy(&problem(json)), expected, "{json}");
        }
    }

    #[test]
    fn nothing_in_an_error_is_counted_on() {
        for body in [
            "",
            "{}",
            "[]",
            "null",
            "<html>Bad gateway</html>",
            r#"{"errors":{"a":1},"context":[],"message":{}}"#,
        ] {
            let problem = problem(body);
            assert!(!problem.words().is_empty(), "{body}");
            let _ = remedy(&problem);
        }
    }

    #[test]
    fn the_record_in_the_way_is_read_from_the_words() {
        let problem = problem(
            r#"{"message":"Contact already exists. Existing ID: 179556362935","category":"CONFLICT","correlationId":"c-1"}"#,
        );
        assert_eq!(problem.existing(), Some("179556362935".into()));
        let unique = super::Problem {
            message: "Cannot set leadloop_key of contact 12 to k-7. 345 already has that value."
                .into(),
            ..super::Problem::default()
        };
        assert_eq!(unique.existing(), Some("345".into()));
        assert!(
            problem.words().contains("correlation id c-1"),
            "{}",
            problem.words()
        );
    }

    #[test]
    fn hostile_words_are_made_printable_and_short() {
        let long = format!("{{\"message\":\"\\u001b[31m{}\"}}", "x".repeat(2_000));
        let words = problem(&long).words();
        assert!(words.chars().count() <= LONGEST + 1);
        assert!(!words.chars().any(char::is_control));
    }
}
