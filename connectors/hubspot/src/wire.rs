//! HubSpot's objects as they come over the wire, and how they become records.
//!
//! Every list is taken apart before its entries are read, so that one odd entry does not spoil its page.

use crate::mapping::{MERGED, MODIFIED, Mapping, OWNER, read_time, read_value};
use contract::{Change, Id, Kind, Record, Relation, field};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An answer with results: a list, a search, or a batch, which may also hold errors whatever its status says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    /// The entries, unread.
    #[serde(default)]
    pub results: Vec<Box<RawValue>>,
    /// What failed in a batch.
    #[serde(default)]
    pub errors: Vec<serde_json::Value>,
    /// How many failed; may be more than `errors` tells.
    #[serde(default)]
    pub num_errors: u64,
    /// Where the list goes on.
    #[serde(default)]
    paging: Option<Paging>,
}

#[derive(Debug, Deserialize)]
struct Paging {
    #[serde(default)]
    next: Option<Next>,
}

#[derive(Debug, Deserialize)]
struct Next {
    /// Opaque; HubSpot's `link` beside it is never followed.
    #[serde(default, deserialize_with = "lenient")]
    after: Option<String>,
}

impl Answered {
    /// The position of the next page.
    pub fn after(&self) -> Option<String> {
        self.paging
            .as_ref()
            .and_then(|paging| paging.next.as_ref())
            .and_then(|next| next.after.clone())
    }
}

/// A CRM object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default)]
    properties: BTreeMap<String, Lenient>,
    #[serde(default, deserialize_with = "lenient")]
    updated_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    archived_at: Option<String>,
    /// What we sent to tell the entries of a batch apart.
    #[serde(default, deserialize_with = "lenient")]
    pub object_write_trace_id: Option<String>,
}

impl Object {
    /// The object's id: a decimal number, kept as text.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| is_object_id(id))
    }

    /// A property, unless it is blank.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties
            .get(name)
            .and_then(|value| value.0.as_deref())
            .filter(|value| !value.trim().is_empty())
    }

    /// Whether the answer tells the property at all, be it blank.
    pub fn tells(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }

    /// When it last changed. The property comes first, for it is what a search compares with.
    pub fn modified(&self) -> Option<Timestamp> {
        self.property(MODIFIED)
            .or_else(|| self.property("hs_lastmodifieddate"))
            .and_then(read_time)
            .or_else(|| self.updated_at.as_deref().and_then(read_time))
    }

    /// When it was archived.
    pub fn archived_at(&self) -> Option<Timestamp> {
        self.archived_at.as_deref().and_then(read_time)
    }

    /// The contact as a lead.
    ///
    /// # Errors
    /// Says what keeps it from being read.
    pub fn lead(&self, mapping: &Mapping) -> Result<Record, String> {
        let id = self.id().ok_or("it has no usable id")?;
        let modified = self
            .modified()
            .ok_or("it does not tell when it was modified")?;
        let mut record = Record::new(Kind::Lead, id, modified);
        for (property, value) in &self.properties {
            let Some(text) = value.0.as_deref() else {
                continue;
            };
            match property.as_str() {
                MODIFIED | "hs_object_id" => {}
                OWNER if !text.trim().is_empty() => record
                    .relations
                    .set(Relation::Owner, Id(text.trim().to_owned())),
                OWNER => {}
                MERGED => {
                    for loser in text
                        .split([';', ','])
                        .map(str::trim)
                        .filter(|loser| is_object_id(loser) && *loser != id)
                    {
                        record
                            .relations
                            .add(Relation::MergedFrom, Id(loser.to_owned()));
                    }
                }
                _ => {
                    let name = mapping.canonical(property);
                    record.fields.put(name, read_value(name, text)?);
                }
            }
        }
        Ok(record)
    }
}

/// Whether the text is an object's id.
pub(crate) fn is_object_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads one entry.
///
/// # Errors
/// Says what is wrong with it, and its id where that much can be read.
pub(crate) fn entry<T: DeserializeOwned>(raw: &RawValue) -> Result<T, Unreadable> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let id = serde_json::from_str::<Named>(raw.get())
            .ok()
            .and_then(|named| named.id)
            .filter(|id| is_object_id(id));
        Unreadable {
            id: id.map(Id),
            reason: error.to_string(),
        }
    })
}

/// An entry that cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub id: Option<Id>,
    pub reason: String,
}

impl Unreadable {
    /// As a change of a stream.
    pub fn into_change(self, kind: Kind) -> Change {
        Change::Unreadable {
            kind,
            id: self.id,
            reason: self.reason,
        }
    }
}

#[derive(Deserialize)]
struct Named {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
}

/// The contact in an entry.
pub(crate) fn lead(raw: &RawValue, mapping: &Mapping) -> Result<Record, Unreadable> {
    let object: Object = entry(raw)?;
    object.lead(mapping).map_err(|reason| Unreadable {
        id: object.id().map(Id::from),
        reason,
    })
}

/// What an entry tells: the record as it is, and the records that were merged into it.
pub(crate) fn lead_changes(raw: &RawValue, mapping: &Mapping, changes: &mut Vec<Change>) {
    match lead(raw, mapping) {
        Ok(record) => {
            let merged = merges(&record);
            changes.push(Change::Upserted(record));
            changes.extend(merged);
        }
        Err(unreadable) => changes.push(unreadable.into_change(Kind::Lead)),
    }
}

fn merges(record: &Record) -> Vec<Change> {
    let losers = record.relations.all(Relation::MergedFrom).iter();
    losers
        .map(|loser| Change::Merged {
            kind: Kind::Lead,
            loser: loser.clone(),
            winner: record.id.clone(),
        })
        .collect()
}

/// Somebody who may own records.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
    #[serde(default)]
    archived: bool,
}

impl Owner {
    /// The owner as a user. `hubspot_owner_id` holds this id, not the user's.
    pub fn user(&self) -> Result<Record, String> {
        let id = self
            .id
            .as_deref()
            .filter(|id| !id.is_empty())
            .ok_or("it has no id")?;
        let modified = self
            .updated_at
            .as_deref()
            .and_then(read_time)
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let mut record = Record::new(Kind::User, id, modified);
        let first = self.first_name.as_deref().unwrap_or_default().trim();
        let last = self.last_name.as_deref().unwrap_or_default().trim();
        record.fields.set(
            field::EMAIL,
            self.email.as_deref().unwrap_or_default().trim(),
        );
        record.fields.set(field::FIRST_NAME, first);
        record.fields.set(field::LAST_NAME, last);
        record
            .fields
            .set(field::NAME, format!("{first} {last}").trim());
        record.fields.set(field::ACTIVE, !self.archived);
        Ok(record)
    }
}

/// The owner in an entry.
pub(crate) fn user(raw: &RawValue) -> Result<Record, Unreadable> {
    let owner: Owner = entry(raw)?;
    owner
        .user()
        .map_err(|reason| Unreadable { id: None, reason })
}

/// A search for the contacts modified in a window, in the order of their ids and beyond the last one seen. Paging by
/// offset is never used: it ends at 10,000 results and drifts while records change.
/// <https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm>
pub(crate) fn search(from: Timestamp, to: Timestamp, beyond: u64, limit: usize) -> impl Serialize {
    let filter = |name: &str, operator: &str, value: String| serde_json::json!({ "propertyName": name, "operator": operator, "value": value });
    serde_json::json!({
        "filterGroups": [{ "filters": [
            filter(MODIFIED, "GTE", from.as_millisecond().to_string()),
            filter(MODIFIED, "LTE", to.as_millisecond().to_string()),
            filter("hs_object_id", "GT", beyond.to_string()),
        ] }],
        "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }],
        "properties": [MODIFIED],
        "limit": limit,
    })
}

/// Text, also where a number or a truth stands; null is none.
#[derive(Debug)]
struct Lenient(Option<String>);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer).map(Lenient)
    }
}

pub(crate) fn lenient<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::String(text) => Ok(Some(text)),
        serde_json::Value::Number(number) => Ok(Some(number.to_string())),
        serde_json::Value::Bool(truth) => Ok(Some(truth.to_string())),
        _ => Err(serde::de::Error::custom(
            "text expected, and a list or an object found",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping() -> Mapping {
        Mapping::new(&BTreeMap::new(), None).unwrap()
    }

    fn raw(json: serde_json::Value) -> Box<RawValue> {
        RawValue::from_string(json.to_string()).unwrap()
    }

    #[test]
    fn a_contact_becomes_a_lead() {
        let raw = raw(serde_json::json!({
            "id": "501", "updatedAt": "2026-01-02T03:04:05.678Z", "archived": false,
            "properties": {
                "email": "ada@example.com", "firstname": "Ada", "lastname": null, "hs_email_optout": "true", "jobtitle": "",
                "hubspot_owner_id": "77", "hs_merged_object_ids": "300;301", "lastmodifieddate": "2026-01-02T03:04:05.600Z", "hs_persona": "p1",
            },
        }));
        let record = lead(&raw, &mapping()).unwrap();
        assert_eq!(record.id, Id::from("501"));
        assert_eq!(
            record.modified,
            "2026-01-02T03:04:05.600Z".parse().unwrap(),
            "the time that a search compares with"
        );
        assert_eq!(record.fields.text(field::EMAIL), Some("ada@example.com"));
        assert!(record.fields.is_true(field::OPT_OUT));
        assert_eq!(record.fields.get(field::TITLE), None, "blank is absent");
        assert_eq!(record.fields.text("hs_persona"), Some("p1"));
        assert_eq!(record.relations.one(Relation::Owner), Some(&Id::from("77")));
        assert_eq!(
            record.relations.all(Relation::MergedFrom),
            [Id::from("300"), Id::from("301")]
        );

        let mut changes = Vec::new();
        lead_changes(&raw, &mapping(), &mut changes);
        assert_eq!(changes.len(), 3);
        assert_eq!(
            changes[1],
            Change::Merged {
                kind: Kind::Lead,
                loser: "300".into(),
                winner: "501".into()
            }
        );
    }

    #[test]
    fn an_odd_entry_says_which_it_is_and_why() {
        for (json, id) in [
            (
                serde_json::json!({ "id": "7", "properties": [] }),
                Some("7"),
            ),
            (
                serde_json::json!({ "id": 8, "properties": { "email": "a@b.c" } }),
                Some("8"),
            ),
            (
                serde_json::json!({ "id": "9", "updatedAt": "2026-01-01T00:00:00Z", "properties": { "hs_email_optout": "maybe" } }),
                Some("9"),
            ),
            (serde_json::json!("nonsense"), None),
            (
                serde_json::json!({ "id": "../1", "updatedAt": "2026-01-01T00:00:00Z" }),
                None,
            ),
        ] {
            let unreadable = lead(&raw(json.clone()), &mapping()).unwrap_err();
            assert_eq!(unreadable.id, id.map(Id::from), "{json}");
            assert!(!unreadable.reason.is_empty());
        }
    }

    #[test]
    fn numbers_and_truths_without_quotes_are_read_all_the_same() {
        let json = serde_json::json!({ "id": 5, "properties": { "hubspotscore": 12, "hs_email_optout": false, "lastmodifieddate": "1767322800000" } });
        let record = lead(&raw(json), &mapping()).unwrap();
        assert_eq!(
            record
                .fields
                .get(field::SCORE)
                .and_then(contract::Value::as_number),
            Some(12.into())
        );
        assert_eq!(
            record.modified,
            Timestamp::from_millisecond(1_767_322_800_000).unwrap()
        );
    }

    #[test]
    fn an_owner_becomes_a_user() {
        let json = serde_json::json!({ "id": "77", "userId": 1234, "email": "sam@example.com", "firstName": "Sam", "lastName": "Field", "archived": true });
        let record = user(&raw(json)).unwrap();
        assert_eq!(record.id, Id::from("77"));
        assert_eq!(record.fields.text(field::NAME), Some("Sam Field"));
        assert!(!record.fields.is_true(field::ACTIVE));
    }

    #[test]
    fn a_search_never_pages_by_offset_and_stays_small() {
        let time = Timestamp::from_millisecond(1_767_322_800_000).unwrap();
        let body = serde_json::to_string(&search(time, time, 42, 200)).unwrap();
        assert!(!body.contains("\"after\""));
        assert!(
            body.contains("\"1767322800000\""),
            "milliseconds as text: {body}"
        );
        assert!(body.len() < 3_000);
    }
}
