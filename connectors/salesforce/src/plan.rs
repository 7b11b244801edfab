//! What to ask of an object, and how a row becomes a record.

use crate::{
    mapping::Object,
    placeholder,
    shape::{Column, Shape},
    wire,
};
use contract::{Id, Key, Kind, Record, Relation, field};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// What to ask of an object, given what is visible of it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) object: &'static str,
    columns: Vec<(String, Column)>,
    relations: Vec<(Relation, String)>,
    /// The field that tells when a row last changed.
    pub(crate) stamp: Option<String>,
    created: bool,
    /// Whether rows tell that they are deleted.
    pub(crate) deleted: bool,
    master: bool,
}

/// One row, read.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) record: Record,
    pub(crate) deleted: bool,
    /// The record that a deleted one was merged into.
    pub(crate) winner: Option<Id>,
}

/// A row that cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) id: Option<Id>,
    pub(crate) reason: String,
}

impl Plan {
    pub(crate) fn new(object: &Object, shape: &Shape) -> Plan {
        let mapped = object
            .fields
            .iter()
            .map(|(canonical, native)| (canonical.clone(), native));
        let extra = object.extra.iter().map(|native| (native.clone(), native));
        let shown = |name: &str| shape.column(name).map(|column| column.name.clone());
        Plan {
            kind: object.kind,
            object: object.name,
            columns: mapped
                .chain(extra)
                .filter_map(|(name, native)| Some((name, shape.column(native)?.clone())))
                .collect(),
            relations: object
                .relations
                .iter()
                .filter_map(|(relation, native)| Some((*relation, shown(native)?)))
                .collect(),
            stamp: shown("SystemModstamp").or_else(|| shown("LastModifiedDate")),
            created: shape.column("CreatedDate").is_some(),
            deleted: shape.column("IsDeleted").is_some(),
            master: shape.column("MasterRecordId").is_some(),
        }
    }

    /// `SELECT … FROM …` with each field once.
    pub(crate) fn select(&self) -> String {
        self.select_with(None)
    }

    /// The same, with one more field at the end, such as one of a parent: `Owner.IsActive`.
    pub(crate) fn select_with(&self, path: Option<&str>) -> String {
        let mut names = vec!["Id"];
        names.extend(self.stamp.as_deref());
        names.extend(self.created.then_some("CreatedDate"));
        names.extend(self.deleted.then_some("IsDeleted"));
        names.extend(self.master.then_some("MasterRecordId"));
        names.extend(self.columns.iter().map(|(_, column)| column.name.as_str()));
        names.extend(self.relations.iter().map(|(_, native)| native.as_str()));
        names.extend(path);
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.to_ascii_lowercase()));
        format!("SELECT {} FROM {}", names.join(","), self.object)
    }

    /// Reads a row. `at` stands in where the object does not tell when a row changed.
    pub(crate) fn row(&self, json: &Map<String, Json>, at: Timestamp) -> Result<Row, Unreadable> {
        let reference = |name: &str| {
            json.get(name)
                .and_then(Json::as_str)
                .filter(|text| !text.is_empty())
                .map(wire::id)
        };
        let Some(id) = reference("Id") else {
            return Err(Unreadable {
                id: None,
                reason: "no Id".to_owned(),
            });
        };
        let unreadable = |reason: String| Unreadable {
            id: Some(id.clone()),
            reason,
        };
        let modified = match &self.stamp {
            Some(name) => json
                .get(name)
                .and_then(Json::as_str)
                .and_then(wire::time)
                .ok_or_else(|| unreadable(format!("{name} is not a time")))?,
            None => json
                .get("CreatedDate")
                .and_then(Json::as_str)
                .and_then(wire::time)
                .unwrap_or(at),
        };
        let mut record = Record::new(self.kind, id.0.as_str(), modified);
        for (name, column) in &self.columns {
            let value = wire::read(column, json.get(&column.name).unwrap_or(&Json::Null))
                .map_err(&unreadable)?;
            let value = placeholder::see_through(self.kind, &column.name, value);
            record.fields.put(name, value);
        }
        for (relation, native) in &self.relations {
            if let Some(id) = reference(native) {
                record.relations.add(*relation, id);
            }
        }
        if self.kind == Kind::Note
            && let Some(key) = record.fields.text(field::BODY).and_then(note_key)
        {
            record.fields.set(field::KEY, key.0.as_str());
        }
        let deleted = self.deleted
            && json
                .get("IsDeleted")
                .and_then(Json::as_bool)
                .unwrap_or(false);
        let winner = if self.master {
            reference("MasterRecordId")
        } else {
            None
        };
        Ok(Row {
            record,
            deleted,
            winner,
        })
    }
}

/// What begins the line of a note that bears leadloop's key.
const NOTE_KEY: &str = "ref: ";

/// A note's text with leadloop's key on a last line of its own: tasks have no unique field.
pub(crate) fn note_body(body: &str, key: &Key) -> String {
    // A task's description holds 32,000 characters; the key must be among them.
    let room = 31_000;
    let body: String = body.trim_end().chars().take(room).collect();
    format!("{body}\n\n{NOTE_KEY}{key}")
}

fn note_key(body: &str) -> Option<Key> {
    let key = body
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix(NOTE_KEY))?
        .trim();
    (!key.is_empty()).then(|| Key::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;
    use crate::shape::example;
    use contract::Value;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn contact() -> (Mapping, Shape) {
        let own = BTreeMap::from([(
            Kind::Contact,
            BTreeMap::from([("status".to_owned(), "contact_status__c".to_owned())]),
        )]);
        let extra = BTreeMap::from([(
            Kind::Contact,
            BTreeSet::from(["Rating__c".to_owned(), "Secret__c".to_owned()]),
        )]);
        let shape = example(json!([
            {"name": "Id", "type": "id"}, {"name": "Email", "type": "email"}, {"name": "LastName", "type": "string"},
            {"name": "AccountId", "type": "reference"}, {"name": "SystemModstamp", "type": "datetime"},
            {"name": "IsDeleted", "type": "boolean"}, {"name": "MasterRecordId", "type": "reference"},
            {"name": "Contact_Status__c", "type": "picklist"}, {"name": "Rating__c", "type": "double"},
        ]));
        (Mapping::new("Leadloop_Key__c", &own, &extra), shape)
    }

    #[test]
    fn hidden_fields_are_not_asked_for() {
        let (mapping, shape) = contact();
        let select = Plan::new(mapping.object(Kind::Contact), &shape).select();
        assert_eq!(
            select,
            "SELECT Id,SystemModstamp,IsDeleted,MasterRecordId,Email,LastName,Contact_Status__c,Rating__c,AccountId FROM Contact"
        );
    }

    #[test]
    fn a_row_becomes_a_record_in_canonical_words() {
        let (mapping, shape) = contact();
        let plan = Plan::new(mapping.object(Kind::Contact), &shape);
        let json = json!({"attributes": {"type": "Contact"}, "Id": "0035000000VALDt", "SystemModstamp": "2026-01-02T03:04:05.000+0000", "IsDeleted": false,
            "MasterRecordId": null, "Email": "ada@example.com", "LastName": null, "Contact_Status__c": "Working", "Rating__c": 4.0, "AccountId": "0015000000VALDt"});
        let row = plan
            .row(json.as_object().unwrap(), Timestamp::UNIX_EPOCH)
            .unwrap();
        assert_eq!(row.record.id.0, "0035000000VALDtAAP");
        assert_eq!(row.record.fields.text("email"), Some("ada@example.com"));
        assert_eq!(row.record.fields.text("status"), Some("Working"));
        assert_eq!(
            row.record.fields.get("Rating__c"),
            Some(&Value::Number("4".parse().unwrap()))
        );
        assert_eq!(row.record.fields.get("last_name"), None);
        assert_eq!(
            row.record.relations.one(Relation::Account),
            Some(&Id::from("0015000000VALDtAAP"))
        );
        assert!(!row.deleted);
    }

    #[test]
    fn an_unreadable_row_tells_its_id() {
        let (mapping, shape) = contact();
        let plan = Plan::new(mapping.object(Kind::Contact), &shape);
        let json = json!({"Id": "0035000000VALDtAAP", "SystemModstamp": "now"});
        let unreadable = plan
            .row(json.as_object().unwrap(), Timestamp::UNIX_EPOCH)
            .unwrap_err();
        assert_eq!(unreadable.id, Some(Id::from("0035000000VALDtAAP")));
    }

    #[test]
    fn a_note_bears_its_key() {
        let key = Key::from("abc-1");
        assert_eq!(note_key(&note_body("Hello\nref: other", &key)), Some(key));
        assert_eq!(note_key("no key here"), None);
    }
}
