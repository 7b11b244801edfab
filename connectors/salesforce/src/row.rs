//! A row to be saved: values and relations under the org's own names, in its own types. What cannot
//! be written is refused here.

use crate::{
    connection::Connection,
    mapping::{Object, label},
    placeholder,
    shape::{Column, Shape},
    wire,
};
use contract::{Fields, Operation, Outcome, Relations, Remedy, Value, field};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

impl Connection {
    /// The row of a create or an update.
    pub(crate) fn row(
        &self,
        operation: &Operation,
        object: &Object,
        shape: &Shape,
    ) -> Result<Map<String, Json>, Outcome> {
        let mut json = Map::new();
        json.insert("attributes".to_owned(), json!({ "type": object.name }));
        match operation {
            Operation::Create {
                key,
                fields,
                relations,
                ..
            } => {
                put(
                    &mut json,
                    object,
                    shape,
                    Verb::Create,
                    &all(fields),
                    relations,
                )?;
                let missing = |name| Outcome::Refused {
                    reason: format!("{} has no visible field {name}", object.name),
                    remedy: Remedy::FixMapping {
                        fields: vec![field::KEY.to_owned()],
                    },
                };
                let column = shape
                    .column(&self.mapping.key_field)
                    .ok_or_else(|| missing(&self.mapping.key_field))?;
                json.insert(column.name.clone(), Json::String(key.0.clone()));
                placeholder::complete(object.kind, &mut json);
            }
            Operation::Update {
                id, set, relations, ..
            } => {
                json.insert("id".to_owned(), Json::String(wire::id(&id.0).0));
                let set = set
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_ref()))
                    .collect();
                put(&mut json, object, shape, Verb::Update, &set, relations)?;
                placeholder::replace_blanks(object.kind, &mut json);
            }
            Operation::Convert { .. } | Operation::Note { .. } => {
                return Err(Outcome::Refused {
                    reason: "not a record to save".to_owned(),
                    remedy: Remedy::AskArbiter,
                });
            }
        }
        Ok(json)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
}

fn all(fields: &Fields) -> BTreeMap<&str, Option<&Value>> {
    fields
        .iter()
        .map(|(name, value)| (name, Some(value)))
        .collect()
}

/// Puts values and relations under their API names; what cannot be written refuses the row before
/// it is sent.
fn put(
    json: &mut Map<String, Json>,
    object: &Object,
    shape: &Shape,
    verb: Verb,
    values: &BTreeMap<&str, Option<&Value>>,
    relations: &Relations,
) -> Result<(), Outcome> {
    let mut closed = Vec::new();
    for (name, value) in values {
        // The key has its own place, and is never changed.
        if *name == field::KEY {
            continue;
        }
        match shape
            .column(object.native(name))
            .filter(|column| is_open(column, verb))
        {
            Some(column) => {
                json.insert(column.name.clone(), wire::write(column, *value));
            }
            None => closed.push((*name).to_owned()),
        }
    }
    for (relation, ids) in relations.iter() {
        let column = object
            .reference(relation)
            .and_then(|native| shape.column(native))
            .filter(|column| is_open(column, verb));
        match (column, ids.first()) {
            (Some(column), Some(id)) => {
                json.insert(column.name.clone(), Json::String(wire::id(&id.0).0));
            }
            _ => closed.push(label(relation)),
        }
    }
    if closed.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "{} has no field that we may write for {}",
        object.name,
        closed.join(", ")
    );
    Err(Outcome::Refused {
        reason,
        remedy: Remedy::FixMapping { fields: closed },
    })
}

fn is_open(column: &Column, verb: Verb) -> bool {
    if verb == Verb::Create {
        column.createable
    } else {
        column.updateable
    }
}

/// The API names of what an operation sets.
pub(crate) fn natives<'a>(operation: &'a Operation, object: &'a Object) -> Vec<&'a str> {
    match operation {
        Operation::Create { fields, .. } => {
            fields.iter().map(|(name, _)| object.native(name)).collect()
        }
        Operation::Update { set, .. } => set.keys().map(|name| object.native(name)).collect(),
        Operation::Convert { .. } | Operation::Note { .. } => Vec::new(),
    }
}
