//! The vocabulary between leadloop and a vendor: what may be asked of a connector, and in which words it answers.
//!
//! A connector answers one question at a time. It has no loop, no channel and no remembered position, and dropping
//! a future cancels the question. There is no IO in this crate: it knows nobody, and everybody may know it.
//!
//! Field names are canonical ([`field`]); a connector translates them to its vendor's own and back, and passes any other
//! name through as the vendor's own field name. So one agreement reads the same whichever two vendors it joins.

pub mod field;

mod capability;
mod change;
mod connector;
mod cursor;
mod error;
mod record;
mod value;
mod write;

pub use capability::{
    Capabilities, CreateSafety, FieldInfo, FieldType, Finding, Probe, Severity, Usage,
};
pub use change::{Change, Page};
pub use connector::{By, Connector, Known, Lookup, Nothing, Request};
pub use cursor::Cursor;
pub use error::ConnectorError;
pub use record::{Fields, Id, Key, Kind, Record, Relation, Relations};
pub use value::Value;
pub use write::{Batch, BatchError, IntentId, Operation, Outcome, Outcomes, Remedy, Write};
