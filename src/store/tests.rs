//! What both stores promise, and what the one on the disk does about damage.

#![allow(clippy::unwrap_used)]

mod conformance;
mod damage;
mod faults;
mod formats;

use super::{Batch, DiskStore, Frame, Opened, Options, Store};
use jiff::Timestamp;
use serde_json::json;
use std::{fs, ops::ControlFlow, os::unix::fs::PermissionsExt, path::Path};

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn batch() -> Batch {
    Batch::new(moment(0))
}

fn options() -> Options {
    Options {
        cache_bytes: 4 << 20,
        now: moment(0),
    }
}

fn opened(directory: &Path) -> Opened {
    DiskStore::open(directory, options()).unwrap()
}

fn open(directory: &Path) -> DiskStore {
    let Opened { store, notices } = opened(directory);
    assert_eq!(notices, Vec::<String>::new());
    store
}

/// A directory of our own, closed to others as the service's is.
fn directory() -> tempfile::TempDir {
    let closed = fs::Permissions::from_mode(0o700);
    tempfile::Builder::new()
        .permissions(closed)
        .tempdir()
        .unwrap()
}

/// Commits `kept:N` with a fact, and `put:N`.
fn commit(store: &dyn Store, number: u32) {
    let mut batch = Batch::new(moment(number.into()));
    batch
        .keep(format!("kept:{number:03}"), format!("{{\"n\":{number}}}"))
        .put(format!("put:{number:03}"), "mirror");
    batch.fact(json!({ "seen": number }));
    store.commit(batch).unwrap();
}

fn keys(store: &dyn Store) -> Vec<String> {
    let rows = store.scan(b"", None, usize::MAX).unwrap();
    rows.into_iter()
        .map(|(key, _)| String::from_utf8(key).unwrap())
        .collect()
}

fn history(store: &dyn Store) -> Vec<Frame> {
    let mut frames = Vec::new();
    store
        .history(&mut |frame| {
            frames.push(frame);
            ControlFlow::Continue(())
        })
        .unwrap();
    frames
}

fn sequences(store: &dyn Store) -> Vec<u64> {
    history(store).iter().map(|frame| frame.sequence).collect()
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
