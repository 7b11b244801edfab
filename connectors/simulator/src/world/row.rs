use jiff::Timestamp;
use std::collections::BTreeMap;

/// Field values of a row by the vendor's own names. An absent field is null.
pub type Values = BTreeMap<String, String>;

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// Somebody at the vendor's own screens.
    Person,
    /// A program over the vendor's API, leadloop for one.
    Integration,
    /// The vendor itself: calculated fields, workflows.
    System,
}

/// One change of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The vendor's name of the field.
    pub field: String,
    /// The value from then on; `None` where it was cleared.
    pub value: Option<String>,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
}

/// One record.
#[derive(Clone, Debug)]
pub struct Row {
    /// The vendor's id.
    pub id: String,
    /// Present values.
    pub fields: Values,
    /// When it came to be.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// From when on the last change shows where the vendor lags (a search index, a late commit).
    pub visible_at: Timestamp,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// Whether it is gone for good: no listing shows it, nothing restores it.
    pub purged: bool,
    /// The record that it was merged into.
    pub merged_into: Option<String>,
    /// Who made it.
    pub created_by: Actor,
    /// Who changed it last.
    pub modified_by: Actor,
    /// Every value that every field ever had, oldest first.
    pub history: Vec<FieldChange>,
}

impl Row {
    /// The present value of a field.
    pub fn field(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// Whether the record is there at all: neither deleted nor purged.
    pub fn is_live(&self) -> bool {
        self.deleted.is_none() && !self.purged
    }

    /// The values as they were at a moment; `None` before the record was made.
    pub fn as_of(&self, at: Timestamp) -> Option<Values> {
        if at < self.created {
            return None;
        }
        let mut fields = Values::new();
        for change in self.history.iter().filter(|change| change.at <= at) {
            match &change.value {
                Some(value) => fields.insert(change.field.clone(), value.clone()),
                None => fields.remove(&change.field),
            };
        }
        Some(fields)
    }
}
