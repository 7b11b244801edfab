//! From the JSON of a request to the text that rows hold, with the vendor's checks of each value.

use super::{
    Failure, ids,
    schema::{Field, Object, Options, Type},
    view::View,
};
use crate::world::World;
use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// New values by field name; `None` clears.
pub(super) type Changes = BTreeMap<String, Option<String>>;

/// What a body is for: some fields can be set only when a record is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Create,
    Update,
}

/// Reads a record's values. `attributes` and the names in `ignored` are passed over.
pub(super) fn changes(
    view: View<'_>,
    object: &'static Object,
    body: &Map<String, Value>,
    purpose: Purpose,
    ignored: &[&str],
) -> Result<Changes, Failure> {
    let mut changes = Changes::new();
    let mut read_only = Vec::new();
    for (name, value) in body {
        if name == "attributes" || ignored.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            continue;
        }
        if let Value::Object(parent) = value {
            let (field, id) = referenced(view, object, name, parent)?;
            changes.insert(field.name.to_owned(), Some(id));
            continue;
        }
        let field = view.field(object, name).ok_or_else(|| {
            Failure::new(
                "INVALID_FIELD",
                format!("No such column '{name}' on sobject of type {}", object.name),
            )
        })?;
        let writable = match purpose {
            Purpose::Create => field.createable,
            Purpose::Update => field.updateable,
        };
        if !writable {
            read_only.push(field.name.to_owned());
            continue;
        }
        changes.insert(field.name.to_owned(), text(view, field, value)?);
    }
    if read_only.is_empty() {
        return Ok(changes);
    }
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
         read/write for your profile or permission set.",
        read_only.join(", ")
    );
    Err(Failure {
        fields: read_only,
        ..Failure::new("INVALID_FIELD_FOR_INSERT_UPDATE", message)
    })
}

/// `"Account": {"Leadloop_Key__c": "k"}`: a parent named by an external id instead of its id.
fn referenced(
    view: View<'_>,
    object: &'static Object,
    relationship: &str,
    parent: &Map<String, Value>,
) -> Result<(&'static Field, String), Failure> {
    let unknown = || {
        let message = format!(
            "No such column '{relationship}' on sobject of type {}",
            object.name
        );
        Failure::new("INVALID_FIELD", message)
    };
    let field = object.relationship(relationship).ok_or_else(unknown)?;
    let target = field
        .references
        .first()
        .and_then(|name| Object::named(name))
        .ok_or_else(unknown)?;
    let (name, value) = parent
        .iter()
        .find(|(name, _)| *name != "attributes")
        .ok_or_else(unknown)?;
    let key = view
        .field(target, name)
        .filter(|key| key.external_id || key.id_lookup)
        .ok_or_else(unknown)?;
    let value = text(view, key, value)?.unwrap_or_default();
    let found = view.world.table(target.name).find(key.name, &value);
    match found.as_slice() {
        [row] => Ok((field, row.id.clone())),
        _ => {
            let message = format!(
                "Foreign key external ID: {} not found for field {} in entity {}",
                value, key.name, target.name
            );
            Err(Failure::new("INVALID_FIELD", message))
        }
    }
}

/// One value as rows hold it; `None` where it clears the field.
fn text(view: View<'_>, field: &Field, value: &Value) -> Result<Option<String>, Failure> {
    let unreadable = || {
        let form = match value {
            Value::String(text) => format!("VALUE_STRING value {text}"),
            other => format!("value {other}"),
        };
        let message = format!(
            "Cannot deserialize instance of {} from {form} or request may be missing a required field",
            field.kind.name()
        );
        Failure::new("JSON_PARSER_ERROR", message)
    };
    let given = match value {
        Value::Null => None,
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) | Value::Object(_) => return Err(unreadable()),
    };
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        if field.kind == Type::Bool {
            let message = format!("{}: value not of required type: null", field.label);
            return Err(Failure::new("INVALID_TYPE_ON_FIELD_IN_RECORD", message).on(field.name));
        }
        return Ok(None);
    };
    let stored = match field.kind {
        Type::Bool => match given.to_ascii_lowercase().as_str() {
            truth @ ("true" | "false") => truth.to_owned(),
            _ => return Err(unreadable()),
        },
        Type::Date => given
            .get(..10)
            .and_then(|day| day.parse::<Date>().ok())
            .ok_or_else(unreadable)?
            .to_string(),
        Type::Time => time(&given).ok_or_else(unreadable)?.to_string(),
        Type::Int => given.parse::<i64>().map_err(|_| unreadable())?.to_string(),
        Type::Percent | Type::Currency => {
            let number = given
                .parse::<Decimal>()
                .or_else(|_| Decimal::from_scientific(&given));
            number.map_err(|_| unreadable())?.normalize().to_string()
        }
        Type::Id | Type::Reference => pointer(view.world, field, &given)?,
        Type::Email if !is_email(&given) && given.chars().count() <= field.length => {
            let message = format!("{}: invalid email address: {given}", field.label);
            return Err(Failure::new("INVALID_EMAIL_ADDRESS", message).on(field.name));
        }
        Type::Picklist => {
            let fits = !view.settings.restricted_picklists
                || options(view, field).is_none_or(|options| options.contains(&given));
            if !fits {
                let message = format!(
                    "{}: bad value for restricted picklist field: {given}",
                    field.label
                );
                return Err(
                    Failure::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).on(field.name),
                );
            }
            given
        }
        Type::Text | Type::TextArea | Type::Email | Type::Phone | Type::Url => given,
    };
    if field.length > 0 && stored.chars().count() > field.length {
        let message = format!(
            "{}: data value too large: {stored} (max length={})",
            field.label, field.length
        );
        return Err(Failure::new("STRING_TOO_LONG", message).on(field.name));
    }
    Ok(Some(stored))
}

/// The values that a picklist lists, where it lists any.
pub(super) fn options(view: View<'_>, field: &Field) -> Option<Vec<String>> {
    match field.options {
        Options::None => None,
        Options::Fixed(options) => {
            Some(options.iter().map(|option| (*option).to_owned()).collect())
        }
        Options::Rows(table) => {
            let mut rows: Vec<_> = view.world.table(table).live().collect();
            rows.sort_by_key(|row| {
                row.field("SortOrder")
                    .and_then(|order| order.parse::<i64>().ok())
            });
            Some(
                rows.into_iter()
                    .filter_map(|row| row.field("ApiName"))
                    .map(str::to_owned)
                    .collect(),
            )
        }
    }
}

/// A time with an offset, with or without its colon, or a bare day.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse()
        .or_else(|_| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text))
        .ok()
        .or_else(|| format!("{text}T00:00:00Z").parse().ok())
}

/// An id in its full form, of a record that is there and of the kind that the field points to.
fn pointer(world: &World, field: &Field, given: &str) -> Result<String, Failure> {
    let malformed = |complaint: &str| {
        let message = format!("{}: {complaint}: {given}", field.label);
        Failure::new("MALFORMED_ID", message).on(field.name)
    };
    let id = ids::full(given).ok_or_else(|| malformed("id value of incorrect type"))?;
    let target = Object::of_id(&id).filter(|target| field.references.contains(&target.name));
    let target = target.ok_or_else(|| malformed("id value of incorrect type"))?;
    match world.get(target.name, &id) {
        Some(row) if row.is_live() => Ok(id),
        Some(row) if !row.purged => {
            Err(Failure::new("ENTITY_IS_DELETED", "entity is deleted").on(field.name))
        }
        _ => Err(
            Failure::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
                .on(field.name),
        ),
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*/=?^_+-`{|}~".contains(&byte);
    !local.is_empty()
        && local.len() <= 64
        && local.bytes().all(allowed)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}
