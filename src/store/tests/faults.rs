//! The store that fails on request, and what may be left after a failure.

use super::*;
use crate::store::{Error, MemoryStore, writer};

#[test]
fn the_chosen_operation_fails_and_later_commits_are_refused() {
    let store = MemoryStore::failing_at(2);
    commit(&store, 1);
    let mut second = batch();
    second.put("a", "1");
    assert!(matches!(
        store.commit(second.clone()),
        Err(Error::Io { .. })
    ));
    let error = store.commit(second).unwrap_err();
    assert!(matches!(error, Error::Poisoned { .. }));
    assert_eq!(
        error.to_string(),
        "the store has stopped after an earlier failure (cannot write to the store in memory: the fault that a test asked for); \
         restart leadloop: what was acknowledged is safe"
    );
    assert_eq!(keys(&store), ["kept:001", "put:001"]);
    let store = store.restarted();
    commit(&store, 2);
    assert_eq!(keys(&store).len(), 4);
}

#[test]
fn a_failed_read_does_no_harm() {
    let store = MemoryStore::failing_at(2);
    commit(&store, 1);
    assert!(store.get(b"kept:001").is_err());
    assert!(store.get(b"kept:001").unwrap().is_some());
    commit(&store, 2);
    assert_eq!(store.operations(), 4);
}

#[test]
fn a_torn_commit_leaves_what_was_kept() {
    let store = MemoryStore::tearing_at(2);
    commit(&store, 1);
    let mut torn = batch();
    torn.keep("kept:002", "2")
        .put("put:002", "2")
        .delete("put:001");
    assert!(store.commit(torn).is_err());
    assert_eq!(keys(&store), ["kept:001", "put:001"]);
    let store = store.restarted();
    assert_eq!(keys(&store), ["kept:001", "kept:002", "put:001"]);
    assert!(store.verify().unwrap().is_sound());
}

#[test]
fn a_commit_in_doubt_may_have_happened() {
    let store = MemoryStore::doubting_at(1);
    let mut doubted = batch();
    doubted.put("a", "1").fact("said");
    assert!(store.commit(doubted).is_err());
    let store = store.restarted();
    assert_eq!(keys(&store), ["a"]);
    assert_eq!(sequences(&store), [1]);
}

#[test]
fn a_commit_stops_before_the_disk_is_full() {
    let path = Path::new("/var/lib/leadloop");
    assert!(writer::require_room(path, 65 << 20, 1 << 20).is_ok());
    let error = writer::require_room(path, 65 << 20, (1 << 20) + 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no space left for the state in /var/lib/leadloop; \
         free space on that file system, and restart leadloop where it has stopped"
    );
}
