//! Canonical field names and HubSpot's property names of contacts, and how a property's text becomes a typed value.
//!
//! HubSpot tells every value as text or null; which type it has, follows from the canonical name. A name without a
//! canonical counterpart is the property's own name, and its value stays text.

use contract::{FieldType, Value, field};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::collections::{BTreeMap, BTreeSet};

/// The contact's owner: an owner's id, not a user's.
pub(crate) const OWNER: &str = "hubspot_owner_id";
/// Ids of the contacts that were merged into this one.
pub(crate) const MERGED: &str = "hs_merged_object_ids";
/// When the contact last changed. Other objects call it `hs_lastmodifieddate`.
pub(crate) const MODIFIED: &str = "lastmodifieddate";
/// The lifecycle stage, which the API moves forward only.
pub(crate) const LIFECYCLE: &str = "lifecyclestage";
/// Whether the address is unsubscribed from everything; written through the preferences only.
pub(crate) const OPT_OUT: &str = "hs_email_optout";
/// The contact's e-mail address.
pub(crate) const EMAIL: &str = "email";

const CONTACT: [(&str, &str); 27] = [
    (field::EMAIL, EMAIL),
    (field::FIRST_NAME, "firstname"),
    (field::LAST_NAME, "lastname"),
    (field::TITLE, "jobtitle"),
    (field::PHONE, "phone"),
    (field::COMPANY, "company"),
    (field::WEBSITE, "website"),
    (field::COUNTRY, "country"),
    (field::STATE, "state"),
    (field::CITY, "city"),
    (field::INDUSTRY, "industry"),
    (field::LEAD_SOURCE, "hs_analytics_source"),
    (field::LIFECYCLE, LIFECYCLE),
    (field::SCORE, "hubspotscore"),
    (field::STATUS, "hs_lead_status"),
    (field::OPT_OUT, OPT_OUT),
    (field::CREATED_AT, "createdate"),
    (field::KEY, field::KEY),
    (field::DISPOSITION, field::DISPOSITION),
    (field::DISPOSITION_REASON, field::DISPOSITION_REASON),
    (field::DISPOSITION_AT, field::DISPOSITION_AT),
    (field::FUNNEL_STAGE, field::FUNNEL_STAGE),
    (field::SALES_STAGE, field::SALES_STAGE),
    (field::SALES_AMOUNT, field::SALES_AMOUNT),
    (field::SALES_CURRENCY, field::SALES_CURRENCY),
    (field::SALES_OWNER, field::SALES_OWNER),
    (field::CRM_ID, field::CRM_ID),
];

/// Properties that HubSpot keeps itself: a write that names one of them fails as a whole.
const READ_ONLY: [&str; 6] = [
    "hs_analytics_source",
    "createdate",
    MODIFIED,
    MERGED,
    OPT_OUT,
    "hs_object_id",
];

/// The translation between canonical names and contact properties.
#[derive(Debug)]
pub(crate) struct Mapping {
    native: BTreeMap<String, String>,
    canonical: BTreeMap<String, String>,
    properties: Vec<String>,
}

impl Mapping {
    /// The usual names with the connection's overrides, and the properties that the agreement names beyond them.
    ///
    /// # Errors
    /// Says which override does not work.
    pub fn new(
        overrides: &BTreeMap<String, String>,
        extra: Option<&BTreeSet<String>>,
    ) -> Result<Mapping, String> {
        let mut native: BTreeMap<String, String> = CONTACT
            .iter()
            .map(|(canonical, native)| ((*canonical).to_owned(), (*native).to_owned()))
            .collect();
        for (canonical, property) in overrides {
            if canonical == field::OPT_OUT || property == OPT_OUT {
                return Err(format!(
                    "fields.{canonical}: opting out is HubSpot's own subscription state and cannot be mapped to a property"
                ));
            }
            if property.is_empty()
                || !property
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            {
                return Err(format!(
                    "fields.{canonical}: {property:?} is not a property's internal name (lower case, digits, underscore)"
                ));
            }
            native.insert(canonical.clone(), property.clone());
        }
        let mut canonical = BTreeMap::new();
        for (name, property) in &native {
            if let Some(other) = canonical.insert(property.clone(), name.clone()) {
                return Err(format!(
                    "fields.{name}: the property {property} stands for {other} already"
                ));
            }
        }
        let mut properties: BTreeSet<String> = native.values().cloned().collect();
        properties.extend([OWNER, MERGED, MODIFIED].map(str::to_owned));
        properties.extend(extra.into_iter().flatten().cloned());
        Ok(Mapping {
            native,
            canonical,
            properties: properties.into_iter().collect(),
        })
    }

    /// The property for a name.
    pub fn native<'a>(&'a self, name: &'a str) -> &'a str {
        self.native.get(name).map_or(name, String::as_str)
    }

    /// The name for a property.
    pub fn canonical<'a>(&'a self, property: &'a str) -> &'a str {
        self.canonical
            .get(property)
            .map_or(property, String::as_str)
    }

    /// What to ask for when reading contacts: HubSpot leaves out what is not asked for.
    pub fn properties(&self) -> &[String] {
        &self.properties
    }

    /// The property that bears leadloop's key.
    pub fn key(&self) -> &str {
        self.native(field::KEY)
    }

    /// Whether HubSpot keeps the property itself.
    pub fn is_read_only(property: &str) -> bool {
        READ_ONLY.contains(&property)
    }
}

/// The type that a canonical field has at HubSpot.
pub(crate) fn field_type(canonical: &str) -> FieldType {
    match canonical {
        field::OPT_OUT | field::ACTIVE => FieldType::Bool,
        field::SCORE | field::AMOUNT | field::SALES_AMOUNT => FieldType::Number,
        field::CREATED_AT | field::LAST_ACTIVITY_AT | field::DISPOSITION_AT => FieldType::Time,
        field::CLOSE_DATE => FieldType::Date,
        _ => FieldType::Text,
    }
}

/// A property's text as a value; blank is none. A number or a time that does not read as one stays text, so that a
/// mapping to a text property works; yes or no must be told plainly.
///
/// # Errors
/// Says what is odd.
pub(crate) fn read_value(canonical: &str, text: &str) -> Result<Option<Value>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let typed = match field_type(canonical) {
        FieldType::Bool => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => return Err(format!("{canonical} is neither true nor false")),
        },
        FieldType::Number => text.parse().ok().map(Value::Number),
        FieldType::Time => read_time(text).map(Value::Time),
        FieldType::Date => read_date(text).map(Value::Date),
        _ => None,
    };
    Ok(typed.or_else(|| Value::text(text)))
}

/// A value as HubSpot takes it: times as epoch milliseconds, days as `yyyy-mm-dd`, numbers without separators.
pub(crate) fn write_value(value: &Value) -> String {
    match value {
        Value::Time(time) => time.as_millisecond().to_string(),
        other => other.to_string(),
    }
}

/// A time as HubSpot tells it: ISO 8601, epoch milliseconds, or a plain day, which is midnight UTC.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Timestamp::from_millisecond(milliseconds).ok();
    }
    text.parse().ok().or_else(|| {
        let day: Date = text.parse().ok()?;
        day.to_zoned(TimeZone::UTC)
            .ok()
            .map(|midnight| midnight.timestamp())
    })
}

fn read_date(text: &str) -> Option<Date> {
    read_time(text).map(|time| time.to_zoned(TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(pairs: &[(&str, &str)]) -> Result<Mapping, String> {
        let overrides = pairs
            .iter()
            .map(|(canonical, native)| ((*canonical).to_owned(), (*native).to_owned()))
            .collect();
        Mapping::new(
            &overrides,
            Some(&BTreeSet::from(["recent_conversion_date".to_owned()])),
        )
    }

    #[test]
    fn names_go_both_ways_and_unknown_ones_pass_through() {
        let mapping = mapping(&[("other_id", "salesforcecontactid")]).unwrap();
        for (canonical, native) in [
            ("first_name", "firstname"),
            ("title", "jobtitle"),
            ("other_id", "salesforcecontactid"),
            ("leadloop_key", "leadloop_key"),
        ] {
            assert_eq!(mapping.native(canonical), native);
            assert_eq!(mapping.canonical(native), canonical);
        }
        assert_eq!(mapping.native("hs_persona"), "hs_persona");
        for asked in [
            "email",
            OWNER,
            MERGED,
            MODIFIED,
            "recent_conversion_date",
            "leadloop_crm_id",
            "salesforcecontactid",
        ] {
            assert!(
                mapping
                    .properties()
                    .iter()
                    .any(|property| property == asked),
                "{asked}"
            );
        }
    }

    #[test]
    fn overrides_that_cannot_work_are_refused() {
        for (canonical, native, part) in [
            ("opt_out", "my_flag", "cannot be mapped"),
            ("title", "firstname", "already"),
            ("title", "Job Title", "internal name"),
        ] {
            let error = mapping(&[(canonical, native)]).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn text_becomes_what_the_name_says() {
        let time: Timestamp = "2019-12-07T16:50:06.678Z".parse().unwrap();
        for (name, text, value) in [
            ("first_name", " Ada ", Some(Value::from("Ada"))),
            ("first_name", "  ", None),
            ("opt_out", "", None),
            ("opt_out", "true", Some(Value::Bool(true))),
            (
                "score",
                "42.50",
                Some(Value::Number("42.50".parse().unwrap())),
            ),
            ("score", "hot", Some(Value::from("hot"))),
            (
                "created_at",
                "2019-12-07T16:50:06.678Z",
                Some(Value::Time(time)),
            ),
            ("created_at", "1575737406678", Some(Value::Time(time))),
            (
                "close_date",
                "2026-03-01",
                Some(Value::Date("2026-03-01".parse().unwrap())),
            ),
            (
                "close_date",
                "1772323200000",
                Some(Value::Date("2026-03-01".parse().unwrap())),
            ),
            ("hs_persona", "true", Some(Value::from("true"))),
        ] {
            assert_eq!(read_value(name, text), Ok(value), "{name} {text:?}");
        }
        assert!(read_value("opt_out", "perhaps").is_err());
    }

    #[test]
    fn values_go_out_as_hubspot_takes_them() {
        let time: Timestamp = "2019-12-07T16:50:06.678Z".parse().unwrap();
        assert_eq!(write_value(&Value::Time(time)), "1575737406678");
        assert_eq!(
            write_value(&Value::Date("2026-03-01".parse().unwrap())),
            "2026-03-01"
        );
        assert_eq!(
            write_value(&Value::Number("1500.00".parse().unwrap())),
            "1500"
        );
        assert_eq!(write_value(&Value::Bool(true)), "true");
    }
}
