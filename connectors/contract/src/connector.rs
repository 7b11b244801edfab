use crate::{
    Batch, Capabilities, ConnectorError, Cursor, FieldInfo, Id, Key, Kind, Outcomes, Page, Probe,
    Record, Usage,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::fmt;

/// One account at one vendor, ready to be asked.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync {
    /// What can be asked at all.
    fn capabilities(&self) -> &Capabilities;

    /// What has been used of the budget. Asks nobody.
    fn usage(&self) -> Usage;

    /// Who are we, what may we do, what is missing? One or a few calls, no change at the vendor.
    async fn probe(&self) -> Result<Probe, ConnectorError>;

    /// The fields of a kind. Fields we cannot see are absent.
    async fn describe(&self, kind: Kind) -> Result<Vec<FieldInfo>, ConnectorError>;

    /// What changed since the cursor, at least once, with nothing left out. One call to the vendor where that is possible.
    async fn read(&self, request: &Request<'_>) -> Result<Page, ConnectorError>;

    /// The records that answer to the lookup, as they are right now (not from a search index that lags).
    async fn find(&self, lookup: &Lookup) -> Result<Vec<Record>, ConnectorError>;

    /// Carries out a batch. Every write has an outcome, and silence is [`crate::Outcome::Unknown`].
    ///
    /// # Errors
    /// An error means that nothing reached the vendor. Once a request may have been seen, the answer is `Ok`.
    async fn write(&self, batch: &Batch) -> Result<Outcomes, ConnectorError>;
}

/// What to read.
pub struct Request<'a> {
    /// Which stream.
    pub kind: Kind,
    /// From where.
    pub from: &'a Cursor,
    /// At most so many records; a connector may return fewer, or use the vendor's own page size where that is smaller.
    pub at_most: usize,
    /// What the caller holds already, so that an echo costs no second call.
    pub known: &'a dyn Known,
}

/// What the caller of `read` holds already.
pub trait Known: Send + Sync {
    /// When the record that the caller holds was last modified at the vendor.
    fn modified(&self, kind: Kind, id: &Id) -> Option<Timestamp>;
}

/// A caller that holds nothing.
#[derive(Debug)]
pub struct Nothing;

impl Known for Nothing {
    fn modified(&self, _: Kind, _: &Id) -> Option<Timestamp> {
        None
    }
}

/// A question for records.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Of which kind.
    pub kind: Kind,
    /// By what.
    pub by: By,
}

/// What records are looked up by.
#[derive(Clone, Debug)]
pub enum By {
    /// The vendor's ids. An id with no answer is gone.
    Ids(Vec<Id>),
    /// Keys that leadloop wrote.
    Keys(Vec<Key>),
    /// E-mail addresses, compared as the vendor compares them.
    Emails(Vec<String>),
    /// Notes about these records, each with its [`crate::field::KEY`] and [`crate::Relation::About`].
    About(Vec<Id>),
}
