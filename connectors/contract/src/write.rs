use crate::{Fields, Id, Key, Kind, Record, Relations, Value};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, collections::BTreeSet, fmt, time::Duration};

/// The stable id of a write that leadloop owes. Safe in headers and URLs: `[a-z0-9-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub String);

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One write and the intent it carries out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// For which intent.
    pub intent: IntentId,
    /// What to do.
    pub operation: Operation,
}

/// What to do at the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Make a record that bears the key, or update the one that already does.
    Create {
        /// Of which kind.
        kind: Kind,
        /// leadloop's key in it.
        key: Key,
        /// Its values.
        fields: Fields,
        /// Where it points.
        relations: Relations,
    },
    /// Change these fields of a record and no others.
    Update {
        /// Of which kind.
        kind: Kind,
        /// Which one.
        id: Id,
        /// New values; `None` clears the field.
        set: BTreeMap<String, Option<Value>>,
        /// Relations to point anew.
        relations: Relations,
    },
    /// Convert a CRM lead into a contact under an account.
    Convert {
        /// The lead.
        lead: Id,
        /// The account it goes under.
        account: Id,
        /// The contact it is merged into, if there is one already.
        contact: Option<Id>,
        /// Who shall own the contact. Where absent, the lead's owner, or whom the connection names when a queue owns the lead.
        owner: Option<Id>,
        /// The lead's status as it was when this was decided. Conversion cannot be undone: where sales has set another
        /// status since, the lead is not converted ([`Outcome::Conflict`]).
        seen_status: Option<String>,
    },
    /// Put an entry on a record's timeline.
    Note {
        /// leadloop's key in it.
        key: Key,
        /// The kind of the record that it is about.
        kind: Kind,
        /// The record that it is about.
        about: Id,
        /// When it happened.
        at: Timestamp,
        /// One line.
        subject: String,
        /// Plain text.
        body: String,
    },
}

impl Operation {
    /// The existing record that is touched, if any: a batch touches each at most once.
    pub fn target(&self) -> Option<(Kind, &Id)> {
        match self {
            Operation::Create { .. } | Operation::Note { .. } => None,
            Operation::Update { kind, id, .. } => Some((*kind, id)),
            Operation::Convert { lead, .. } => Some((Kind::Lead, lead)),
        }
    }

    /// The key that the operation writes, if any.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Operation::Create { key, .. } | Operation::Note { key, .. } => Some(key),
            Operation::Update { .. } | Operation::Convert { .. } => None,
        }
    }

    /// What can share a batch: the same kind of operation on the same kind of record.
    pub fn shape(&self) -> (&'static str, Kind) {
        match self {
            Operation::Create { kind, .. } => ("create", *kind),
            Operation::Update { kind, .. } => ("update", *kind),
            Operation::Convert { .. } => ("convert", Kind::Lead),
            Operation::Note { .. } => ("note", Kind::Note),
        }
    }
}

/// Writes of one shape that go out together: at least one, no record and no key twice.
#[derive(Clone, Debug)]
pub struct Batch(Vec<Write>);

/// Why writes cannot form a batch.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// There is nothing to do.
    #[error("a batch without writes")]
    Empty,
    /// The writes differ in operation or kind.
    #[error("a batch of several shapes")]
    Mixed,
    /// A record or a key stands in it twice.
    #[error("a batch that touches one record twice")]
    Repeated,
}

impl Batch {
    /// Checks the preconditions once, so that connectors need not.
    ///
    /// # Errors
    /// See [`BatchError`].
    pub fn new(writes: Vec<Write>) -> Result<Batch, BatchError> {
        let first = writes.first().ok_or(BatchError::Empty)?.operation.shape();
        let mut targets = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for write in &writes {
            if write.operation.shape() != first {
                return Err(BatchError::Mixed);
            }
            let fresh = write
                .operation
                .target()
                .is_none_or(|target| targets.insert(target))
                && write.operation.key().is_none_or(|key| keys.insert(key));
            if !fresh {
                return Err(BatchError::Repeated);
            }
        }
        Ok(Batch(writes))
    }

    /// The shape that all writes share.
    pub fn shape(&self) -> (&'static str, Kind) {
        self.0[0].operation.shape()
    }

    /// The writes, in order.
    pub fn writes(&self) -> &[Write] {
        &self.0
    }
}

/// What became of one write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done, and the vendor said so.
    Applied {
        /// The record (for a conversion: the contact).
        id: Id,
        /// Its time of change, where the vendor told.
        modified: Option<Timestamp>,
        /// What else came of it: after a conversion, `ConvertedContact` and `ConvertedAccount`.
        relations: Relations,
    },
    /// Not done: another record stands in the way, or the record has changed in the meantime.
    Conflict {
        /// That record, as it is.
        current: Box<Record>,
    },
    /// Not done, and trying again as it is would not help.
    Refused {
        /// The vendor's words.
        reason: String,
        /// What would help.
        remedy: Remedy,
    },
    /// Not done; try again later.
    Deferred {
        /// How much later, where it is known.
        retry_after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// Not known. Look before writing again.
    Unknown,
}

/// What helps against a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The record's data is not accepted: correct it at its source.
    CorrectRecord {
        /// The fields the vendor complains about, by canonical name.
        fields: Vec<String>,
    },
    /// The mapping or the vendor's fields do not fit: change the agreement or the vendor's setup.
    FixMapping {
        /// The fields the vendor complains about, by canonical name.
        fields: Vec<String>,
    },
    /// We lack a permission.
    Grant {
        /// Which one, in the vendor's words.
        permission: String,
    },
    /// The record is gone, merged or converted: nothing to do but look again.
    LookAgain,
    /// A person must look at it.
    AskArbiter,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::CorrectRecord { fields } if fields.is_empty() => {
                write!(f, "correct the record at its source")
            }
            Remedy::CorrectRecord { fields } => {
                write!(f, "correct {} at its source", fields.join(", "))
            }
            Remedy::FixMapping { fields } if fields.is_empty() => {
                write!(f, "fix the mapping or the vendor's setup")
            }
            Remedy::FixMapping { fields } => write!(
                f,
                "fix the mapping of {}, or the field's setup at the vendor",
                fields.join(", ")
            ),
            Remedy::Grant { permission } => write!(f, "grant {permission}"),
            Remedy::LookAgain => write!(f, "nothing to do; the record is read again"),
            Remedy::AskArbiter => write!(f, "ask the arbiter"),
        }
    }
}

/// The outcomes of a batch: one for each write, [`Outcome::Unknown`] until said otherwise.
#[derive(Clone, Debug)]
pub struct Outcomes(Vec<(IntentId, Outcome)>);

impl Outcomes {
    /// Nothing is known yet.
    pub fn unknown(batch: &Batch) -> Self {
        Outcomes(
            batch
                .writes()
                .iter()
                .map(|write| (write.intent.clone(), Outcome::Unknown))
                .collect(),
        )
    }

    /// Sets the outcome of the write at this place in the batch. A place outside the batch is ignored.
    pub fn set(&mut self, place: usize, outcome: Outcome) {
        if let Some((_, slot)) = self.0.get_mut(place) {
            *slot = outcome;
        }
    }

    /// Outcomes in the order of the batch's writes.
    pub fn iter(&self) -> impl Iterator<Item = (&IntentId, &Outcome)> {
        self.0.iter().map(|(intent, outcome)| (intent, outcome))
    }

    /// Sets every outcome that is still unknown.
    pub fn fill(&mut self, outcome: &Outcome) {
        for (_, slot) in &mut self.0 {
            if *slot == Outcome::Unknown {
                *slot = outcome.clone();
            }
        }
    }
}
