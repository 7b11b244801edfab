//! Stories of a folder of exports: what is read from it, what is written for import, and how the two meet again.
#![allow(clippy::unwrap_used)]

#[path = "stories/desk.rs"]
mod desk;
#[path = "stories/reading.rs"]
mod reading;
#[path = "stories/writing.rs"]
mod writing;
