use contract::{FieldType, Value, field};
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    fmt::strtime,
    tz::TimeZone,
};
use rust_decimal::Decimal;

/// How cells that leave something open are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Zone of times that carry none.
    pub zone: TimeZone,
    /// Whether `1/2/2026` is the first of February.
    pub day_first: bool,
}

/// The type that a canonical field has; all others are text.
pub(crate) fn type_of(name: &str) -> FieldType {
    match name {
        field::OPT_OUT
        | field::IS_CLOSED
        | field::IS_WON
        | field::ACTIVE
        | field::IS_PRIMARY
        | field::IS_CONVERTED => FieldType::Bool,
        field::AMOUNT | field::SCORE | field::SALES_AMOUNT => FieldType::Number,
        field::CREATED_AT | field::LAST_ACTIVITY_AT | field::DISPOSITION_AT => FieldType::Time,
        field::CLOSE_DATE => FieldType::Date,
        _ => FieldType::Text,
    }
}

impl Reading {
    /// The value in a cell that is not blank; `None` where it does not look like the field's type.
    pub fn value(&self, name: &str, cell: &str) -> Option<Value> {
        match type_of(name) {
            FieldType::Bool => truth(cell).map(Value::Bool),
            FieldType::Number => number(cell).map(Value::Number),
            FieldType::Time => self.time(cell).map(Value::Time),
            FieldType::Date => self.date(cell).map(Value::Date),
            FieldType::Text | FieldType::Picklist | FieldType::Reference => Value::text(cell),
        }
    }

    /// A point in time.
    ///
    /// | form | example |
    /// |---|---|
    /// | ISO with a zone | `2026-01-02T13:45:00.000+0000` |
    /// | ISO without | `2026-01-02 13:45`, `2026-01-02` |
    /// | slashes, month first unless told otherwise | `1/2/2026 1:45 PM` |
    /// | dots, day first | `02.01.2026 13:45` |
    /// | milliseconds since 1970 | `1767361500000` |
    pub fn time(&self, cell: &str) -> Option<Timestamp> {
        let cell = cell.trim();
        if let Ok(time) = cell.parse() {
            return Some(time);
        }
        if cell.len() == 13 && cell.bytes().all(|byte| byte.is_ascii_digit()) {
            return Timestamp::from_millisecond(cell.parse().ok()?).ok();
        }
        for format in [
            "%Y-%m-%dT%H:%M:%S%.f%z",
            "%Y-%m-%d %H:%M:%S%.f %z",
            "%Y-%m-%d %H:%M:%S%.f%z",
        ] {
            if let Ok(time) = strtime::parse(format, cell).and_then(|parsed| parsed.to_timestamp())
            {
                return Some(time);
            }
        }
        self.civil(cell)?
            .to_zoned(self.zone.clone())
            .ok()
            .map(|zoned| zoned.timestamp())
    }

    /// A day, in the zone in which it is written.
    pub fn date(&self, cell: &str) -> Option<Date> {
        let cell = cell.trim();
        // A day with a zoned time behind it (`2026-01-02T00:00:00.000Z`) is that day wherever it is read.
        if let Some(Ok(date)) = cell.get(..10).map(str::parse::<Date>) {
            return Some(date);
        }
        self.civil(cell).map(DateTime::date)
    }

    fn civil(&self, cell: &str) -> Option<DateTime> {
        let slashes = if self.day_first {
            "%d/%m/%Y"
        } else {
            "%m/%d/%Y"
        };
        let cell = cell
            .replace(',', " ")
            .replace(['\u{a0}', '\u{202f}'], " ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let cell = cell.strip_suffix(" UTC").unwrap_or(&cell);
        for day in ["%Y-%m-%d", slashes, "%d.%m.%Y", "%Y/%m/%d"] {
            for hour in [
                "",
                " %H:%M:%S%.f",
                " %H:%M",
                " %I:%M:%S %p",
                " %I:%M %p",
                "T%H:%M:%S%.f",
                "T%H:%M",
            ] {
                let Ok(parsed) = strtime::parse(format!("{day}{hour}"), cell) else {
                    continue;
                };
                return if hour.is_empty() {
                    parsed.to_date().ok().map(|date| date.at(0, 0, 0, 0))
                } else {
                    parsed.to_datetime().ok()
                };
            }
        }
        None
    }
}

/// Yes or no in the words of exports.
pub(crate) fn truth(cell: &str) -> Option<bool> {
    match cell.trim().to_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "t" | "x" | "on" | "ja" | "oui" | "sí" | "si" | "wahr"
        | "active" | "checked" => Some(true),
        "false" | "0" | "no" | "n" | "f" | "off" | "nein" | "non" | "falsch" | "inactive"
        | "unchecked" => Some(false),
        _ => None,
    }
}

/// A number with or without thousands separators, currency and either decimal mark. Where one mark could be both,
/// three digits behind a comma are thousands (`1,234`), anything behind a dot is decimals (`1.234`).
pub(crate) fn number(cell: &str) -> Option<Decimal> {
    let cell = cell.trim();
    let (cell, negative) = match cell
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(inner) => (inner, true),
        None => (cell, false),
    };
    let code = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let words = cell.split_whitespace().filter(|word| !code(word));
    let bare: String = words
        .flat_map(str::chars)
        .filter(|c| {
            !matches!(
                c,
                '$' | '€' | '£' | '¥' | '\'' | '’' | '\u{a0}' | '\u{202f}'
            )
        })
        .collect();
    let bare = match (bare.rfind(','), bare.rfind('.')) {
        (Some(comma), Some(dot)) if comma > dot => bare.replace('.', "").replace(',', "."),
        (Some(_), Some(_)) => bare.replace(',', ""),
        (Some(_), None) => {
            let groups: Vec<&str> = bare.split(',').collect();
            let thousands = groups.iter().skip(1).all(|group| group.len() == 3);
            if thousands {
                bare.replace(',', "")
            } else {
                bare.replace(',', ".")
            }
        }
        (None, Some(_)) if bare.matches('.').count() > 1 => bare.replace('.', ""),
        (None, _) => bare,
    };
    let number: Decimal = bare.parse().ok()?;
    Some(if negative { -number } else { number })
}

/// Whether an export shows the value that was written, however it spells it.
pub(crate) fn same(shown: Option<&Value>, written: Option<&Value>) -> bool {
    let (Some(shown), Some(written)) = (shown, written) else {
        return shown.is_none() && written.is_none();
    };
    if shown == written {
        return true;
    }
    match (shown, written) {
        // Two texts are not compared as numbers: 01067 is a postal code, and 1067 is another.
        (Value::Number(number), other) | (other, Value::Number(number)) => {
            other.as_number() == Some(*number)
        }
        (Value::Date(date), Value::Time(time)) | (Value::Time(time), Value::Date(date)) => {
            time.to_zoned(TimeZone::UTC).date() == *date
        }
        // Exports show minutes, writes carry nanoseconds.
        (Value::Time(shown), Value::Time(written)) => {
            shown.as_second().div_euclid(60) == written.as_second().div_euclid(60)
        }
        (Value::Bool(truth), other) | (other, Value::Bool(truth)) => {
            other.as_bool() == Some(*truth)
        }
        (shown, written) => shown.to_string().trim() == written.to_string().trim(),
    }
}

/// A value as import files show it.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Time(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(day_first: bool) -> Reading {
        Reading {
            zone: TimeZone::UTC,
            day_first,
        }
    }

    #[test]
    fn times_of_all_exports_are_read() {
        let check = |cell: &str, expect: &str| {
            assert_eq!(
                reading(false)
                    .time(cell)
                    .map(|time| time.to_string())
                    .as_deref(),
                Some(expect),
                "{cell}"
            );
        };
        check("2026-01-02T13:45:00.000+0000", "2026-01-02T13:45:00Z");
        check("2026-01-02T13:45:00.000Z", "2026-01-02T13:45:00Z");
        check("2026-01-02T13:45:00+01:00", "2026-01-02T12:45:00Z");
        check("2026-01-02 13:45", "2026-01-02T13:45:00Z");
        check("2026-01-02 13:45:10", "2026-01-02T13:45:10Z");
        check("2026-01-02", "2026-01-02T00:00:00Z");
        check("1/2/2026", "2026-01-02T00:00:00Z");
        check("1/2/2026 1:45 PM", "2026-01-02T13:45:00Z");
        check("1/2/2026, 1:45 PM", "2026-01-02T13:45:00Z");
        check("02.01.2026 13:45", "2026-01-02T13:45:00Z");
        check("1767361500000", "2026-01-02T13:45:00Z");
        assert_eq!(reading(false).time("13/2/2026"), None);
        assert_eq!(
            reading(true)
                .time("13/2/2026")
                .map(|time| time.to_string())
                .as_deref(),
            Some("2026-02-13T00:00:00Z")
        );
        assert_eq!(reading(false).time("soon"), None);
    }

    #[test]
    fn days_are_not_shifted() {
        let check = |cell: &str| {
            assert_eq!(
                reading(false)
                    .date(cell)
                    .map(|date| date.to_string())
                    .as_deref(),
                Some("2026-01-02"),
                "{cell}"
            )
        };
        check("2026-01-02");
        check("2026-01-02T00:00:00.000Z");
        check("1/2/2026");
        check("2.1.2026");
    }

    #[test]
    fn numbers_lose_their_dress() {
        let check = |cell: &str, expect: &str| {
            assert_eq!(
                number(cell).map(|n| n.normalize().to_string()).as_deref(),
                Some(expect),
                "{cell}"
            )
        };
        check("1234.5", "1234.5");
        check("1,234.50", "1234.5");
        check("1.234,50", "1234.5");
        check("1,234", "1234");
        check("1234,5", "1234.5");
        check("1.234.567", "1234567");
        check("USD 12,000.00", "12000");
        check("12 000,00 EUR", "12000");
        check("$5", "5");
        check("(40)", "-40");
        check("-40", "-40");
        assert_eq!(number("many"), None);
    }

    #[test]
    fn a_value_is_known_again_in_the_export() {
        let text = Value::from("true");
        assert!(same(Some(&text), Some(&Value::Bool(true))));
        assert!(same(None, None));
        assert!(!same(None, Some(&text)));
        assert!(!same(
            Some(&Value::from("01067")),
            Some(&Value::from("1067"))
        ));
        assert!(same(
            Some(&Value::from("12")),
            Some(&Value::Number(Decimal::from(12)))
        ));
    }
}
