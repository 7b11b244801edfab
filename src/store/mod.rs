//! What leadloop remembers: ordered keys, and a history that nothing can replace.
//!
//! Two things are kept, behind one seam ([`Store`]):
//!
//! - the **ledger**, an append-only file of everything that the vendors cannot tell us again, which is also the history that reports read;
//! - the **rows**, an ordered table for all the rest, kept in sled, and rebuilt from the ledger where it is lost.
//!
//! | a batch says | goes to the rows | goes to the ledger | after the rows are lost |
//! |---|---|---|---|
//! | [`Batch::put`], [`Batch::delete`] | yes | no | gone: the vendors are read again |
//! | [`Batch::keep`], [`Batch::forget`] | yes | yes | back as it was |
//! | [`Batch::fact`] | no | yes | untouched |
//!
//! Promises: a commit that was acknowledged survives a killed process and a power cut, and a batch is seen whole or not at all.
//! One weaker promise is all that an *unacknowledged* commit gets: after a crash it may be absent, whole, or its kept half (keeps, forgets and
//! facts) may stand without its derived half (puts and deletes). Whoever writes derived rows must be able to derive them again.
//!
//! A key is derived or kept for all its life; [`Store::verify`] reports a key that changed sides.
//!
//! Every call blocks on the disk; asynchronous callers wrap it in `spawn_blocking`. Deliberately absent: types of rows, which are the
//! caller's, compaction of the ledger, and more than one process on one directory.

mod disk;
mod error;
mod export;
mod frame;
mod ledger;
mod memory;
mod opening;
mod rows;
mod seam;
pub mod state;
mod survey;
mod value;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use disk::{DiskStore, Opened, Options, history_of};
pub use error::Error;
pub use memory::MemoryStore;
pub use seam::{Batch, Entry, Frame, Stats, Store, Verification};
