use crate::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a connector can do, known without asking the vendor.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// The vendor's name as configured (`hubspot`).
    pub vendor: &'static str,
    /// Kinds that can be read.
    pub reads: BTreeSet<Kind>,
    /// Kinds that can be created and updated.
    pub writes: BTreeSet<Kind>,
    /// Most records in one [`crate::Connector::write`] of creates or updates.
    pub batch: usize,
    /// Most conversions in one [`crate::Connector::write`]; 0 where the vendor has none.
    pub conversions: usize,
    /// Most timeline notes in one [`crate::Connector::write`]; 0 where the vendor has none.
    pub notes: usize,
    /// What makes a create safe.
    pub creates: CreateSafety,
    /// Whether `read` tells of every deletion. Where it does not, the daemon sweeps the ids it holds with `find`.
    pub tells_deletes: bool,
}

/// What keeps a create that is tried again from making a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateSafety {
    /// The vendor upserts on leadloop's unique key: trying again is harmless.
    UniqueKey,
    /// The vendor has no unique key: look before every second try.
    FindFirst,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Free text.
    Text,
    /// Yes or no.
    Bool,
    /// A number or money.
    Number,
    /// A point in time.
    Time,
    /// A day.
    Date,
    /// One of a list.
    Picklist,
    /// A pointer to another record.
    Reference,
}

/// A field as the vendor describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldInfo {
    /// Canonical name, or the vendor's own where there is none.
    pub name: String,
    /// The vendor's own name.
    pub native: String,
    /// Its type.
    pub field_type: FieldType,
    /// Longest text in characters, where the vendor tells.
    pub max_length: Option<usize>,
    /// Values of a picklist.
    pub options: Vec<String>,
    /// Whether other values than `options` are refused.
    pub restricted: bool,
    /// Whether a create without it is refused.
    pub required: bool,
    /// Whether we may write it.
    pub writable: bool,
    /// Whether the vendor keeps its values unique.
    pub unique: bool,
}

/// What [`crate::Connector::probe`] found out.
#[derive(Clone, Debug, Serialize)]
pub struct Probe {
    /// The account we are connected to, as its owners know it (`portal 424242`, `Example GmbH (00D…)`).
    pub account: String,
    /// As whom.
    pub user: String,
    /// What stands in the way, or is worth knowing.
    pub findings: Vec<Finding>,
}

/// One thing that a probe found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is the case.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The loop cannot work.
    Error,
    /// The loop works, with less.
    Warning,
    /// Good to know.
    Note,
}

/// What a connection has used of its budget.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Calls made since the connector was built.
    pub calls: u64,
    /// Calls made in the vendor's present day, by us.
    pub today: u64,
    /// The vendor's limit per day, where known.
    pub daily_limit: Option<u64>,
    /// What is left of it for everybody, as the vendor last told.
    pub daily_left: Option<u64>,
    /// The most that we allow ourselves per day.
    pub allowance: Option<u64>,
}
