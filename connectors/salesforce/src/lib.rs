//! leadloop's connector to Salesforce Sales Cloud, over its REST API and, for lead conversion
//! alone, its SOAP API.
//!
//! Promises: streams are read by `SystemModstamp` in half-open windows that end in the settled past
//! and overlap, so that a late commit is not lost; every create is an upsert on a unique external
//! id; every row of a batch is judged by its own answer; links that the vendor gives are followed
//! on the connection's own host only.
//!
//! Absent on purpose: Bulk API, change data capture and the search index (which lags). Deletions
//! older than the recycle bin cannot be told by Salesforce, so the daemon sweeps for them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod settings;
mod vendor;

mod mapping;
mod placeholder;
mod plan;
mod shape;
mod soql;
mod wire;

mod answer;
mod api;
mod position;

mod connection;
mod convert;
mod find;
mod judge;
mod probe;
mod read;
mod row;
mod soap;
mod user;
mod write;

#[cfg(test)]
mod tests;

pub use vendor::Salesforce;
