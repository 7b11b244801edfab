//! What stands in Salesforce for a value that it demands and nobody has, so that a person reaches
//! sales rather than the dead letters. Salesforce's own web-to-lead form writes the same words.
//!
//! Leads must have `LastName` and `Company`, contacts `LastName`. For these fields:
//!
//! | when | the field is | then |
//! |---|---|---|
//! | creating | not given, or blank | the placeholder is written |
//! | updating | cleared, or blank | the placeholder is written |
//! | updating | not named | nothing is written |
//! | reading or looking up | the placeholder | the field is blank, so that it never flows back |
//!
//! The rule goes by API name: a canonical field that the operator maps elsewhere is free of it.

use contract::{Kind, Value};
use serde_json::{Map, Value as Json};

const NOT_PROVIDED: &str = "[not provided]";

/// Puts the placeholder where a new record lacks a demanded value.
pub(crate) fn complete(kind: Kind, row: &mut Map<String, Json>) {
    for native in demanded(kind) {
        row.entry(*native).or_insert(Json::Null);
    }
    replace_blanks(kind, row);
}

/// Puts the placeholder where a row would clear a demanded value.
pub(crate) fn replace_blanks(kind: Kind, row: &mut Map<String, Json>) {
    for native in demanded(kind) {
        if let Some(value) = row.get_mut(*native).filter(|value| is_blank(value)) {
            *value = Json::String(NOT_PROVIDED.to_owned());
        }
    }
}

/// The value as it counts: the placeholder is none.
pub(crate) fn see_through(kind: Kind, native: &str, value: Option<Value>) -> Option<Value> {
    let stands_here = demanded(kind)
        .iter()
        .any(|name| name.eq_ignore_ascii_case(native));
    value.filter(|value| !(stands_here && value.as_text() == Some(NOT_PROVIDED)))
}

fn demanded(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Lead => &["LastName", "Company"],
        Kind::Contact => &["LastName"],
        _ => &[],
    }
}

fn is_blank(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.trim().is_empty(),
        _ => false,
    }
}
