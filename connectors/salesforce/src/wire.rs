//! Salesforce's ids, times and values, read and written.

use crate::shape::{Column, Type};
use contract::{Id, Value};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rust_decimal::Decimal;
use serde_json::{Number, Value as Json};

/// Whether a text has the form of a record id.
pub(crate) fn is_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A record id in its 18-character form. The last three characters tell which of the first fifteen
/// are capitals.
pub(crate) fn id(text: &str) -> Id {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    if text.len() != 15 || !is_id(text) {
        return Id(text.to_owned());
    }
    let mut long = text.to_owned();
    for part in text.as_bytes().chunks(5) {
        let bits = part.iter().enumerate().fold(0usize, |bits, (place, byte)| {
            bits | usize::from(byte.is_ascii_uppercase()) << place
        });
        long.push(char::from(DIGITS[bits]));
    }
    Id(long)
}

/// A time as Salesforce writes it: `2013-05-08T21:20:00.000+0000`, an offset without a colon.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok())
}

/// Reads a value of a column. Blank is `None`.
pub(crate) fn read(column: &Column, json: &Json) -> Result<Option<Value>, String> {
    let wrong = || {
        format!(
            "{} holds {} where a {:?} was described",
            column.name,
            kind_of(json),
            column.kind
        )
    };
    Ok(match (column.kind, json) {
        (_, Json::Null) => None,
        (Type::Bool, Json::Bool(truth)) => Some(Value::Bool(*truth)),
        (Type::Number, Json::Number(number)) => Some(Value::Number(
            decimal(&number.to_string()).ok_or_else(wrong)?,
        )),
        (Type::Number, Json::String(text)) if text.trim().is_empty() => None,
        (Type::Number, Json::String(text)) => Some(Value::Number(decimal(text).ok_or_else(wrong)?)),
        (Type::Time, Json::String(text)) => Some(Value::Time(time(text).ok_or_else(wrong)?)),
        (Type::Date, Json::String(text)) => {
            Some(Value::Date(text.parse::<Date>().map_err(|_| wrong())?))
        }
        (Type::Reference, Json::String(text)) => Value::text(id(text).0),
        (Type::Text | Type::Picklist, Json::String(text)) => Value::text(text),
        (Type::Text | Type::Picklist, Json::Number(number)) => Value::text(number.to_string()),
        (Type::Text | Type::Picklist, Json::Bool(truth)) => Value::text(truth.to_string()),
        _ => return Err(wrong()),
    })
}

/// Writes a value into a column; `None` clears it. A box cannot be empty, so clearing it unticks
/// it.
pub(crate) fn write(column: &Column, value: Option<&Value>) -> Json {
    let Some(value) = value else {
        return if column.kind == Type::Bool {
            Json::Bool(false)
        } else {
            Json::Null
        };
    };
    match (column.kind, value) {
        (Type::Bool, value) => value
            .as_bool()
            .map_or_else(|| Json::String(value.to_string()), Json::Bool),
        (Type::Number, value) => value
            .as_number()
            .map_or_else(|| Json::String(value.to_string()), number),
        (Type::Time, Value::Date(date)) => Json::String(format!("{date}T00:00:00.000Z")),
        (Type::Date, Value::Time(time)) => {
            Json::String(time.to_zoned(TimeZone::UTC).date().to_string())
        }
        (_, Value::Time(time)) => Json::String(format_time(*time)),
        (_, value) => Json::String(value.to_string()),
    }
}

/// A time in UTC and milliseconds: finer fractions are not accepted.
pub(crate) fn format_time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| Decimal::from_scientific(text).ok())
        .map(|number: Decimal| number.normalize())
}

fn number(value: Decimal) -> Json {
    let text = value.normalize().to_string();
    let whole = text.parse::<i64>().ok().map(Number::from);
    // A decimal that a double cannot carry goes as text, which Salesforce reads as well.
    let exact = || {
        text.parse::<f64>()
            .ok()
            .filter(|double| double.to_string() == text)
            .and_then(Number::from_f64)
    };
    whole
        .or_else(exact)
        .map_or(Json::String(text.clone()), Json::Number)
}

fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "nothing",
        Json::Bool(_) => "a truth",
        Json::Number(_) => "an unreadable number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a structure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(kind: Type) -> Column {
        Column {
            name: "X__c".to_owned(),
            kind,
            ..Column::default()
        }
    }

    #[test]
    fn short_ids_become_long_ones() {
        assert_eq!(id("0015000000VALDt").0, "0015000000VALDtAAP");
        assert_eq!(id("0015000000VALDtAAP").0, "0015000000VALDtAAP");
        assert_eq!(id("001000000000001").0, "001000000000001AAA");
        assert_eq!(id("odd").0, "odd");
    }

    #[test]
    fn offsets_without_a_colon_are_read() {
        let at: Timestamp = "2013-05-08T21:20:00Z".parse().unwrap();
        for text in [
            "2013-05-08T21:20:00.000+0000",
            "2013-05-08T21:20:00Z",
            "2013-05-08T23:20:00.000+0200",
            "2013-05-08T21:20:00.000+00:00",
        ] {
            assert_eq!(time(text), Some(at), "{text}");
        }
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn values_are_read_by_described_type() {
        let check = |kind, json: Json, value: Option<Value>| {
            assert_eq!(read(&column(kind), &json), Ok(value))
        };
        check(
            Type::Number,
            json!(1250.50),
            Some(Value::Number("1250.5".parse().unwrap())),
        );
        check(
            Type::Number,
            json!(1e21),
            Some(Value::Number("1000000000000000000000".parse().unwrap())),
        );
        check(
            Type::Date,
            json!("2026-02-28"),
            Some(Value::Date("2026-02-28".parse().unwrap())),
        );
        check(Type::Bool, json!(true), Some(Value::Bool(true)));
        check(Type::Text, json!("  "), None);
        check(Type::Text, json!(null), None);
        check(
            Type::Reference,
            json!("0015000000VALDt"),
            Some(Value::from("0015000000VALDtAAP")),
        );
        assert!(read(&column(Type::Time), &json!("soon")).is_err());
        assert!(read(&column(Type::Text), &json!({"street": "x"})).is_err());
    }

    #[test]
    fn values_are_written_by_described_type() {
        let check = |kind, value: Option<Value>, json: Json| {
            assert_eq!(write(&column(kind), value.as_ref()), json)
        };
        check(Type::Bool, None, json!(false));
        check(Type::Text, None, json!(null));
        check(Type::Bool, Some(Value::from("true")), json!(true));
        check(
            Type::Number,
            Some(Value::Number("12.50".parse().unwrap())),
            json!(12.5),
        );
        check(
            Type::Number,
            Some(Value::Number("7".parse().unwrap())),
            json!(7),
        );
        check(
            Type::Text,
            Some(Value::Number("7.10".parse().unwrap())),
            json!("7.1"),
        );
        let at: Timestamp = "2026-01-02T03:04:05.678912Z".parse().unwrap();
        check(
            Type::Time,
            Some(Value::Time(at)),
            json!("2026-01-02T03:04:05.678Z"),
        );
        check(Type::Date, Some(Value::Time(at)), json!("2026-01-02"));
    }
}
