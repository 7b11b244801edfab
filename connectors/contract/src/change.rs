use crate::{Cursor, Id, Kind, Record};
use serde::{Deserialize, Serialize};

/// One answer to [`crate::Connector::read`].
#[derive(Clone, Debug)]
pub struct Page {
    /// What changed. The same change may be told again, late or out of order.
    pub changes: Vec<Change>,
    /// Where to read on; to be kept only together with the changes.
    pub next: Cursor,
    /// Whether more is waiting right now.
    pub more: bool,
}

/// What happened to a record at the vendor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The record now looks like this: all its values, not only the changed ones.
    Upserted(Record),
    /// The record is gone.
    Deleted {
        /// What it was.
        kind: Kind,
        /// Its id.
        id: Id,
    },
    /// One record was merged into another; the loser is gone.
    Merged {
        /// What they are.
        kind: Kind,
        /// The id that is gone.
        loser: Id,
        /// The id that lives on.
        winner: Id,
    },
    /// The vendor sent a record that cannot be read. The stream goes on without it.
    Unreadable {
        /// What it should have been.
        kind: Kind,
        /// Its id, where one could be read.
        id: Option<Id>,
        /// What is wrong with it.
        reason: String,
    },
}
