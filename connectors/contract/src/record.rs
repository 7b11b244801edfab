use crate::{Value, field};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// What a record is, in the field's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person as marketing holds it, or a CRM's lead.
    Lead,
    /// A person under an account in the CRM.
    Contact,
    /// A company in the CRM.
    Account,
    /// A deal in the CRM.
    Opportunity,
    /// The tie between an opportunity and a contact, where the CRM keeps it as a record of its own.
    Role,
    /// Somebody who may own records.
    User,
    /// An entry on a person's timeline.
    Note,
}

impl Kind {
    /// Every kind, in the order in which they are read: owners before what they own, accounts before people.
    pub const ALL: [Kind; 7] = [
        Kind::User,
        Kind::Account,
        Kind::Contact,
        Kind::Lead,
        Kind::Opportunity,
        Kind::Role,
        Kind::Note,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Lead => "lead",
            Kind::Contact => "contact",
            Kind::Account => "account",
            Kind::Opportunity => "opportunity",
            Kind::Role => "role",
            Kind::User => "user",
            Kind::Note => "note",
        })
    }
}

/// A vendor's id of a record: opaque text, compared as it is. A connector brings ids to one form (18-character Salesforce ids).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub String);

/// A unique key that leadloop writes into what it creates, so that creating twice finds the first. At most 64 characters of `[a-z0-9-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub String);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Id {
    fn from(id: &str) -> Self {
        Id(id.to_owned())
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Key(key.to_owned())
    }
}

/// Field values by canonical name, or by the vendor's own name where there is none. Blank fields are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Sets a field; blank text removes it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.put(name, Some(value.into()));
    }

    /// Sets a field, or removes it where there is no value. Blank text counts as no value.
    pub fn put(&mut self, name: impl Into<String>, value: Option<Value>) {
        let name = name.into();
        match value {
            Some(Value::Text(text)) if text.trim().is_empty() => {
                self.0.remove(&name);
            }
            Some(value) => {
                self.0.insert(name, value);
            }
            None => {
                self.0.remove(&name);
            }
        }
    }

    /// With one more field: for literals.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// The value of a field, if it is not blank.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The text of a field, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_text)
    }

    /// Whether a field says yes; absent is no.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// All fields in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many fields are not blank.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all fields are blank.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>> FromIterator<(N, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(pairs: I) -> Self {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.set(name, value);
        }
        fields
    }
}

/// How one record points to another of the same vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The account of a contact or an opportunity.
    Account,
    /// The parent of an account.
    Parent,
    /// The user (or queue) that owns the record.
    Owner,
    /// The contacts of an opportunity, or the contact of a role.
    Contact,
    /// The opportunity of a role.
    Opportunity,
    /// The contact that a CRM lead became.
    ConvertedContact,
    /// The account that a CRM lead was converted into.
    ConvertedAccount,
    /// The opportunity that conversion opened.
    ConvertedOpportunity,
    /// Ids of records that were merged into this one.
    MergedFrom,
    /// The record that a note is about.
    About,
}

/// Ids that a record points to. An absent relation points nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Relations(BTreeMap<Relation, Vec<Id>>);

impl Relations {
    /// Points a relation to one more record, once.
    pub fn add(&mut self, relation: Relation, id: Id) {
        let ids = self.0.entry(relation).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }

    /// With one more relation: for literals.
    #[must_use]
    pub fn with(mut self, relation: Relation, id: impl Into<Id>) -> Self {
        self.add(relation, id.into());
        self
    }

    /// Points a relation to exactly one record.
    pub fn set(&mut self, relation: Relation, id: Id) {
        self.0.insert(relation, vec![id]);
    }

    /// The first record that a relation points to.
    pub fn one(&self, relation: Relation) -> Option<&Id> {
        self.all(relation).first()
    }

    /// All records that a relation points to.
    pub fn all(&self, relation: Relation) -> &[Id] {
        self.0.get(&relation).map_or(&[], Vec::as_slice)
    }

    /// All relations, each with its ids.
    pub fn iter(&self) -> impl Iterator<Item = (Relation, &[Id])> {
        self.0
            .iter()
            .map(|(relation, ids)| (*relation, ids.as_slice()))
    }

    /// Whether the record points nowhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A vendor's record as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is.
    pub kind: Kind,
    /// The vendor's id.
    pub id: Id,
    /// When the vendor says that it last changed, for whatever reason.
    pub modified: Timestamp,
    /// Its values.
    #[serde(default)]
    pub fields: Fields,
    /// Where it points.
    #[serde(default)]
    pub relations: Relations,
}

impl Record {
    /// A record with no values yet.
    pub fn new(kind: Kind, id: impl Into<Id>, modified: Timestamp) -> Self {
        Record {
            kind,
            id: id.into(),
            modified,
            fields: Fields::default(),
            relations: Relations::default(),
        }
    }

    /// The key that leadloop wrote into it.
    pub fn key(&self) -> Option<Key> {
        self.fields.text(field::KEY).map(Key::from)
    }

    /// Whether it is a CRM lead that has been converted.
    pub fn is_converted(&self) -> bool {
        self.fields.is_true(field::IS_CONVERTED)
    }
}
