use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The value of one field. Blank is not a value: a blank field is absent from [`crate::Fields`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Text as the vendor holds it. Several picklist values are separated by `;`.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// A number or an amount of money.
    Number(Decimal),
    /// A point in time.
    Time(Timestamp),
    /// A calendar day with no zone: never shift it.
    Date(Date),
}

impl Value {
    /// Text, unless it is blank after trimming.
    pub fn text(text: impl AsRef<str>) -> Option<Value> {
        let text = text.as_ref().trim();
        (!text.is_empty()).then(|| Value::Text(text.to_owned()))
    }

    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth, also where a vendor writes it as text.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The number, also where a vendor writes it as text.
    pub fn as_number(&self) -> Option<Decimal> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The time, if this is a time.
    pub fn as_time(&self) -> Option<Timestamp> {
        match self {
            Value::Time(time) => Some(*time),
            _ => None,
        }
    }
}

/// As a vendor's text form or a person would read it: RFC 3339 times, plain numbers without trailing zeros.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Number(number) => write!(f, "{}", number.normalize()),
            Value::Time(time) => write!(f, "{time}"),
            Value::Date(date) => write!(f, "{date}"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Value::Number(number)
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Value::Time(time)
    }
}
