use super::{
    Settings,
    schema::{Field, Object, Source, Type},
};
use crate::world::{Actor, Row, World};
use jiff::{SignedDuration, Timestamp, civil::Date};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::{Value, json};
use std::{borrow::Cow, cmp::Ordering};

/// The users in whose name things happen.
#[derive(Clone, Debug)]
pub(super) struct People {
    pub(super) organization: String,
    pub(super) person: String,
    pub(super) integration: String,
    pub(super) system: String,
}

impl People {
    /// The user that stands for an actor.
    pub(super) fn user(&self, actor: Actor) -> &str {
        match actor {
            Actor::Person => &self.person,
            Actor::Integration => &self.integration,
            Actor::System => &self.system,
        }
    }
}

/// The value of a field in a row, by its type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell<'w> {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(Cow<'w, str>),
    Time(Timestamp),
    Date(Date),
}

/// The world as the API shows it at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'w> {
    pub(super) world: &'w World,
    pub(super) settings: &'w Settings,
    pub(super) people: &'w People,
    pub(super) now: Timestamp,
}

impl<'w> View<'w> {
    /// The field with this name, unless it does not exist or is hidden from us: the two look alike.
    pub(super) fn field(&self, object: &'static Object, name: &str) -> Option<&'static Field> {
        object.field(name).filter(|field| self.shows(object, field))
    }

    /// The fields that we may see.
    pub(super) fn fields(self, object: &'static Object) -> impl Iterator<Item = &'static Field> {
        object
            .fields()
            .filter(move |field| self.shows(object, field))
    }

    fn shows(&self, object: &Object, field: &Field) -> bool {
        if field.name == "CurrencyIsoCode" && !self.settings.multi_currency {
            return false;
        }
        let hidden = &self.settings.hidden_fields;
        hidden.is_empty() || !hidden.contains(&format!("{}.{}", object.name, field.name))
    }

    /// When a row was last changed, as the row tells it: to the second, and a little before the row could be read.
    pub(super) fn stamp(&self, row: &Row) -> Timestamp {
        seconds(self.lagging(row.modified, &row.id))
    }

    /// When a row was made, as the row tells it.
    pub(super) fn created(&self, row: &Row) -> Timestamp {
        match row.field("CreatedDate").and_then(|date| date.parse().ok()) {
            Some(imported) => seconds(imported),
            None => seconds(self.lagging(row.created, &row.id)),
        }
    }

    /// A row's stamp is taken when its transaction starts, and the row shows when it ends. The share of the lag is the
    /// row's own, so that rows overtake each other but no row goes back in time.
    fn lagging(&self, at: Timestamp, id: &str) -> Timestamp {
        let most = self.settings.commit_lag.as_millis();
        let share = id.bytes().fold(7_i128, |hash, byte| {
            (hash * 31 + i128::from(byte)) % 1_000_003
        });
        let lag = share % (most + 1);
        let lag = SignedDuration::from_millis(i64::try_from(lag).unwrap_or(0));
        at.checked_sub(lag).unwrap_or(at)
    }

    /// Whether a deleted row can still be seen by those who ask for deleted rows.
    pub(super) fn in_recycle_bin(&self, row: &Row) -> bool {
        !row.purged
            && row
                .deleted
                .is_some_and(|deleted| self.now.duration_since(deleted) <= self.settings.delete_log)
    }

    /// The value of a field.
    pub(super) fn cell(&self, field: &Field, row: &'w Row) -> Cell<'w> {
        match field.source {
            Source::Stored => stored(field, row.field(field.name)),
            Source::Id => Cell::Text(Cow::Borrowed(&row.id)),
            Source::Created => Cell::Time(self.created(row)),
            Source::Modified => Cell::Time(self.stamp(row)),
            Source::CreatedBy => Cell::Text(Cow::Borrowed(self.people.user(row.created_by))),
            Source::ModifiedBy => Cell::Text(Cow::Borrowed(self.people.user(row.modified_by))),
            Source::Deleted => Cell::Bool(row.deleted.is_some()),
            Source::Master => match &row.merged_into {
                Some(winner) => Cell::Text(Cow::Borrowed(winner)),
                None => Cell::Null,
            },
            Source::FullName => match (row.field("FirstName"), row.field("LastName")) {
                (Some(first), Some(last)) => Cell::Text(Cow::Owned(format!("{first} {last}"))),
                (Some(name), None) | (None, Some(name)) => Cell::Text(Cow::Borrowed(name)),
                (None, None) => Cell::Null,
            },
        }
    }

    /// The value of a field as JSON.
    pub(super) fn json(&self, field: &Field, row: &'w Row) -> Value {
        self.cell(field, row).json()
    }
}

/// A stored text read as its field's type. Text that does not fit the type (a person's world edit) shows as null.
fn stored<'w>(field: &Field, value: Option<&'w str>) -> Cell<'w> {
    let Some(value) = value else {
        return if field.kind == Type::Bool {
            Cell::Bool(false)
        } else {
            Cell::Null
        };
    };
    match field.kind {
        Type::Bool => Cell::Bool(value.eq_ignore_ascii_case("true")),
        Type::Date => value
            .get(..10)
            .and_then(|day| day.parse().ok())
            .map_or(Cell::Null, Cell::Date),
        Type::Time => value
            .parse()
            .map_or(Cell::Null, |time| Cell::Time(seconds(time))),
        kind if kind.is_number() => value.parse().map_or(Cell::Null, Cell::Number),
        _ => Cell::Text(Cow::Borrowed(value)),
    }
}

impl Cell<'_> {
    /// As the REST API writes it.
    pub(super) fn json(&self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Bool(truth) => json!(truth),
            Cell::Number(number) => number_json(*number),
            Cell::Text(text) => json!(text),
            Cell::Time(time) => json!(shown_time(*time)),
            Cell::Date(day) => json!(day.to_string()),
        }
    }

    /// As CSV and SOAP write it: times end in `Z`.
    pub(super) fn text(&self) -> String {
        match self {
            Cell::Null => String::new(),
            Cell::Bool(truth) => truth.to_string(),
            Cell::Number(number) => number_json(*number).to_string(),
            Cell::Text(text) => text.to_string(),
            Cell::Time(time) => time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
            Cell::Date(day) => day.to_string(),
        }
    }
}

/// Numbers come as doubles (`5000.0`), integers too.
fn number_json(number: Decimal) -> Value {
    json!(number.to_f64().unwrap_or_default())
}

/// A time as the REST API writes it: an offset without a colon, which RFC 3339 does not know.
pub(super) fn shown_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

/// A time without its fraction of a second.
pub(super) fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(
        time.as_nanosecond()
            .div_euclid(1_000_000_000)
            .try_into()
            .unwrap_or(0),
    )
    .unwrap_or(time)
}

/// Compares text without regard to case.
pub(super) fn compare_folded(left: &str, right: &str) -> Ordering {
    if left.is_ascii() && right.is_ascii() {
        let bytes = |text: &'_ str| {
            text.bytes()
                .map(|byte| byte.to_ascii_lowercase())
                .collect::<Vec<_>>()
        };
        return if left.eq_ignore_ascii_case(right) {
            Ordering::Equal
        } else {
            bytes(left).cmp(&bytes(right))
        };
    }
    left.to_lowercase().cmp(&right.to_lowercase())
}
