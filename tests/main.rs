//! leadloop as a whole: its laws, its decisions told as stories, and rehearsals on simulated vendors under paused time.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod purity;

mod fake;
mod stage;

mod stories;

mod laws;

mod budget;
mod files;
mod rehearsal;
