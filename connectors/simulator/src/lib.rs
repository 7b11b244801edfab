//! Worlds that behave like the vendors leadloop speaks to: for tests, for rehearsals and for the demonstration.
//!
//! A [`world::World`] is neutral tables with the whole history of what was done to them. A [`world::Dialect`] answers a
//! vendor's HTTP requests out of one. A [`Site`] puts a dialect on a clock, with faults, and serves it in memory
//! (as a [`kit::Transport`]) or over loopback ([`serve`]). Nothing here reads a wall clock or draws its own chance.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod world;

pub mod fault;
pub mod serve;
pub mod site;

pub mod hubspot;
pub mod salesforce;

pub mod population;
pub mod teams;

pub mod compare;

pub use fault::{Effect, Fault, Faults, When};
pub use site::Site;
pub use world::{Actor, Dialect, World};
