//! What an object looks like to our user: the fields that `describe` shows. A field that is hidden
//! by field-level security does not exist here.

use contract::{FieldInfo, FieldType};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The visible fields of one object.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    columns: BTreeMap<String, Column>,
    /// When it was asked for.
    pub(crate) fetched: Timestamp,
}

/// One visible field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) max_length: Option<usize>,
    pub(crate) options: Vec<String>,
    pub(crate) restricted: bool,
    pub(crate) required: bool,
    pub(crate) createable: bool,
    pub(crate) updateable: bool,
    pub(crate) unique: bool,
    pub(crate) external_id: bool,
}

/// The type of a field, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Type {
    #[default]
    Text,
    Bool,
    Number,
    Time,
    Date,
    Picklist,
    Reference,
}

/// The answer to `describe`, as far as it is used.
#[derive(Deserialize)]
pub(crate) struct Describe {
    fields: Vec<DescribedField>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedField {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    length: usize,
    #[serde(default)]
    nillable: bool,
    #[serde(default)]
    createable: bool,
    #[serde(default)]
    updateable: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    external_id: bool,
    #[serde(default)]
    defaulted_on_create: bool,
    #[serde(default)]
    restricted_picklist: bool,
    #[serde(default)]
    picklist_values: Option<Vec<Choice>>,
}

#[derive(Deserialize)]
struct Choice {
    value: String,
    #[serde(default = "yes")]
    active: bool,
}

fn yes() -> bool {
    true
}

impl Shape {
    pub(crate) fn new(describe: Describe, fetched: Timestamp) -> Shape {
        let columns = describe.fields.into_iter().filter_map(Column::new);
        Shape {
            columns: columns
                .map(|column| (column.name.to_ascii_lowercase(), column))
                .collect(),
            fetched,
        }
    }

    /// A field by its API name, in any case.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(&name.to_ascii_lowercase())
    }

    /// All fields in the order of their names.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.values()
    }

    /// The shape without a field that describe shows and queries refuse all the same.
    pub(crate) fn without(mut self, name: &str) -> Shape {
        self.columns.remove(&name.to_ascii_lowercase());
        self
    }
}

impl Column {
    fn new(field: DescribedField) -> Option<Column> {
        let kind = match field.kind.as_str() {
            // Compounds cannot be compared or written; their parts are fields of their own.
            "address" | "location" | "complexvalue" | "base64" | "anyType" => return None,
            "boolean" => Type::Bool,
            "int" | "long" | "double" | "currency" | "percent" => Type::Number,
            "datetime" => Type::Time,
            "date" => Type::Date,
            "picklist" | "multipicklist" | "combobox" => Type::Picklist,
            "reference" | "id" => Type::Reference,
            _ => Type::Text,
        };
        let options = field.picklist_values.unwrap_or_default();
        Some(Column {
            name: field.name,
            kind,
            max_length: (kind == Type::Text && field.length > 0).then_some(field.length),
            options: options
                .into_iter()
                .filter(|option| option.active)
                .map(|option| option.value)
                .collect(),
            restricted: field.restricted_picklist,
            required: field.createable && !field.nillable && !field.defaulted_on_create,
            createable: field.createable,
            updateable: field.updateable,
            unique: field.unique,
            external_id: field.external_id,
        })
    }

    /// The field in the contract's words.
    pub(crate) fn info(&self, name: &str) -> FieldInfo {
        FieldInfo {
            name: name.to_owned(),
            native: self.name.clone(),
            field_type: match self.kind {
                Type::Text => FieldType::Text,
                Type::Bool => FieldType::Bool,
                Type::Number => FieldType::Number,
                Type::Time => FieldType::Time,
                Type::Date => FieldType::Date,
                Type::Picklist => FieldType::Picklist,
                Type::Reference => FieldType::Reference,
            },
            max_length: self.max_length,
            options: self.options.clone(),
            restricted: self.restricted,
            required: self.required && self.kind != Type::Bool,
            writable: self.createable && self.updateable,
            unique: self.unique,
        }
    }
}

#[cfg(test)]
pub(crate) fn example(fields: serde_json::Value) -> Shape {
    Shape::new(
        serde_json::from_value(serde_json::json!({ "fields": fields })).unwrap(),
        Timestamp::UNIX_EPOCH,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_found_in_any_case_and_compounds_are_not_there() {
        let shape = example(json!([
            {"name": "LastName", "type": "string", "length": 80, "createable": true, "updateable": true},
            {"name": "MailingAddress", "type": "address"},
            {"name": "Status", "type": "picklist", "restrictedPicklist": true, "createable": true, "updateable": true, "nillable": false,
             "defaultedOnCreate": true, "picklistValues": [{"value": "New", "active": true}, {"value": "Old", "active": false}]},
        ]));
        let name = shape.column("lastname").unwrap().info("last_name");
        assert_eq!(
            (
                name.native.as_str(),
                name.max_length,
                name.required,
                name.writable
            ),
            ("LastName", Some(80), true, true)
        );
        let status = shape.column("Status").unwrap().info("status");
        assert_eq!(
            (status.options, status.restricted, status.required),
            (vec!["New".to_owned()], true, false)
        );
        assert!(shape.column("MailingAddress").is_none());
        assert!(shape.without("status").column("Status").is_none());
    }
}
