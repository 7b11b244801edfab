//! leadloop closes the loop between marketing automation and CRM.
//!
//! Rooms, in the order in which a newcomer should read them:
//!
//! | room | what it holds |
//! |---|---|
//! | [`agreement`] | what sales and marketing have agreed on, as checked values (pure) |
//! | [`decide`] | from everything known about one person to the writes that are missing (pure) |
//! | [`store`] | the state: ledger and sled behind one seam; alone knows keys and bytes |
//! | [`flow`] | the loops and the waits: poll, decide, deliver, look again |
//! | [`config`], [`registry`] | the configuration file, and the vendors it can name |
//! | [`daemon`] | puts the rooms together, listens to signals |
//! | [`admin`], [`telemetry`] | health, metrics, orders; logs and signs of life |
//! | [`cli`], [`rehearsal`] | the commands, and the simulated vendors they offer |
//!
//! Invariants that everything leans on: decisions are made from state, never from events; a cursor commits together with
//! the mirrors that it covers; an attempt is recorded before a vendor is called; an opt-out never goes back.

pub mod agreement;
pub mod decide;
pub mod store;

pub mod flow;

pub mod config;
pub mod registry;

pub mod daemon;

pub mod admin;
pub mod telemetry;

pub mod cli;
pub mod rehearsal;

mod suggest;
