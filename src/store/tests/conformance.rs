//! One suite over every store.

use super::*;
use crate::store::{Error, MemoryStore};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn on_both(promise: impl Fn(&dyn Store)) {
    promise(&MemoryStore::new());
    let directory = directory();
    promise(&open(directory.path()));
}

#[test]
fn what_was_committed_is_read() {
    on_both(|store| {
        let mut batch = batch();
        batch.put("a", "1").keep("b", "2").put("c", Vec::new());
        store.commit(batch).unwrap();
        assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(store.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!(store.get(b"c").unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(store.get(b"d").unwrap(), None);
    });
}

#[test]
fn what_was_removed_is_gone() {
    on_both(|store| {
        let mut first = batch();
        first.put("a", "1").keep("b", "2");
        store.commit(first).unwrap();
        let mut second = batch();
        second.delete("a").forget("b").delete("never there");
        store.commit(second).unwrap();
        assert_eq!(keys(store), Vec::<String>::new());
    });
}

#[test]
fn on_one_key_the_last_word_wins() {
    on_both(|store| {
        let mut batch = batch();
        batch
            .put("a", "1")
            .delete("a")
            .put("b", "1")
            .put("b", "2")
            .delete("c")
            .put("c", "3");
        store.commit(batch).unwrap();
        assert_eq!(keys(store), ["b", "c"]);
        assert_eq!(store.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    });
}

#[test]
fn a_scan_is_ordered_bounded_and_continues() {
    on_both(|store| {
        let mut batch = batch();
        for key in ["l:3", "l:1", "l:2", "k:9", "m:1", "l"] {
            batch.put(key, key);
        }
        store.commit(batch).unwrap();
        let scan = |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
            let rows = store
                .scan(prefix.as_bytes(), after.map(str::as_bytes), limit)
                .unwrap();
            rows.into_iter()
                .map(|(key, value)| {
                    assert_eq!(key, value);
                    String::from_utf8(key).unwrap()
                })
                .collect()
        };
        assert_eq!(scan("l:", None, 10), ["l:1", "l:2", "l:3"]);
        assert_eq!(scan("l:", None, 2), ["l:1", "l:2"]);
        assert_eq!(scan("l:", Some("l:2"), 2), ["l:3"]);
        assert_eq!(scan("l:", Some("l:25"), 2), ["l:3"]);
        assert_eq!(scan("l:", Some("l:3"), 2), Vec::<String>::new());
        assert_eq!(scan("l:", Some("k"), 1), ["l:1"]);
        assert_eq!(scan("l:", Some("m"), 1), Vec::<String>::new());
        assert_eq!(scan("l:", None, 0), Vec::<String>::new());
        assert_eq!(scan("x", None, 1), Vec::<String>::new());
        assert_eq!(scan("", None, 10), ["k:9", "l", "l:1", "l:2", "l:3", "m:1"]);
        assert_eq!(scan("", Some("l:3"), 10), ["m:1"]);
    });
}

#[test]
fn history_holds_what_cannot_be_had_again() {
    on_both(|store| {
        let mut first = Batch::new(moment(1));
        first
            .fact(json!({ "why": "same e-mail\nand \u{0}" }))
            .fact("second")
            .keep("b", "2")
            .put("a", "1")
            .forget("z");
        store.commit(first).unwrap();
        let mut derived = Batch::new(moment(2));
        derived.put("a", "2");
        store.commit(derived).unwrap();
        let mut third = Batch::new(moment(3));
        third.keep([0xff, 0xfe], [0x80, 0, b'\n', 1]);
        store.commit(third).unwrap();

        assert_eq!(
            history(store),
            [
                Frame {
                    sequence: 1,
                    at: moment(1),
                    facts: vec![json!({ "why": "same e-mail\nand \u{0}" }), json!("second")],
                    kept: vec![(b"b".to_vec(), Some(b"2".to_vec())), (b"z".to_vec(), None)],
                },
                Frame {
                    sequence: 2,
                    at: moment(3),
                    facts: Vec::new(),
                    kept: vec![(vec![0xff, 0xfe], Some(vec![0x80, 0, b'\n', 1]))],
                },
            ]
        );
    });
}

#[test]
fn a_visitor_of_history_may_break_off_and_may_call_the_store() {
    on_both(|store| {
        (1..=3).for_each(|number| commit(store, number));
        let mut seen = Vec::new();
        store
            .history(&mut |frame| {
                seen.push(frame.sequence);
                commit(store, 10 + frame.sequence as u32);
                if frame.sequence == 2 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
        assert_eq!(seen, [1, 2]);
        assert_eq!(sequences(store), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn an_empty_batch_is_nothing() {
    on_both(|store| {
        store.commit(batch()).unwrap();
        assert_eq!(store.stats().unwrap().frames, 0);
    });
}

#[test]
fn a_sound_store_verifies() {
    on_both(|store| {
        (1..=3).for_each(|number| commit(store, number));
        let mut gone = batch();
        gone.forget("kept:002");
        store.commit(gone).unwrap();
        let found = store.verify().unwrap();
        assert_eq!(found.problems, Vec::<String>::new());
        assert_eq!((found.rows, found.kept, found.frames), (5, 2, 4));
        assert_eq!(store.stats().unwrap().frames, 4);
    });
}

#[test]
fn a_key_that_changes_sides_is_reported() {
    on_both(|store| {
        let mut batch = Batch::new(moment(0));
        batch.keep("a", "1").keep("b", "1");
        store.commit(batch).unwrap();
        let mut batch = Batch::new(moment(0));
        batch.put("a", "2").delete("b");
        store.commit(batch).unwrap();
        assert_eq!(
            store.verify().unwrap().problems,
            [
                "row a was kept and is now derived",
                "the ledger keeps b, but there is no such row"
            ]
        );
    });
}

#[test]
fn an_export_has_every_row_and_a_checksum() {
    on_both(|store| {
        commit(store, 1);
        let mut out = Vec::new();
        assert_eq!(store.export(&mut out).unwrap(), 2);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"leadloop\":\"rows\",\"v\":1}\n\
             {\"key\":\"kept:001\",\"value\":\"{\\\"n\\\":1}\",\"kept\":true}\n\
             {\"key\":\"put:001\",\"value\":\"mirror\"}\n\
             {\"rows\":2,\"sha256\":\"9264e5670a0d589caeb3363fbc6591cab7688ac0de65425eea2992550843afd7\"}\n"
        );
    });
}

#[test]
fn a_batch_is_seen_whole() {
    on_both(|store| {
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for number in 0..50 {
                    let mut batch = batch();
                    (0..20).for_each(|key| {
                        batch.put(format!("k:{key:02}"), format!("{number}"));
                    });
                    store.commit(batch).unwrap();
                }
            });
            while !writer.is_finished() {
                let rows = store.scan(b"k:", None, 100).unwrap();
                assert!(rows.is_empty() || rows.len() == 20);
                assert!(rows.iter().all(|(_, value)| *value == rows[0].1));
            }
        });
    });
}

#[test]
fn many_may_commit_at_once() {
    on_both(|store| {
        std::thread::scope(|scope| {
            for worker in 0..8_u32 {
                scope
                    .spawn(move || (0..25).for_each(|number| commit(store, worker * 100 + number)));
            }
        });
        assert_eq!(keys(store).len(), 400);
        assert_eq!(sequences(store), (1..=200).collect::<Vec<_>>());
        assert!(store.verify().unwrap().is_sound());
    });
}

#[test]
#[should_panic(expected = "a key is not empty")]
fn a_key_is_not_empty() {
    batch().put("", "1");
}

#[test]
#[should_panic(expected = "a key is not empty")]
fn a_key_does_not_begin_with_a_zero_byte() {
    batch().keep("\0format", "1");
}

/// One step of a random story. Keys that begin with `k` are kept, the others are derived.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(String, Option<Vec<u8>>)>),
    Scan(String, Option<String>, usize),
    Reopen,
    LoseRows,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let changes = proptest::collection::vec(("[kd][ab]{0,3}", value()), 1..8);
    let step = prop_oneof![
        8 => changes.prop_map(Step::Commit),
        4 => ("[kd]?[ab]{0,2}", proptest::option::of("[kd][ab]{0,3}"), 0..6_usize)
            .prop_map(|(prefix, after, limit)| Step::Scan(prefix, after, limit)),
        1 => Just(Step::Reopen),
        1 => Just(Step::LoseRows),
    ];
    proptest::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn both_stores_behave_as_an_ordered_map(steps in steps()) {
        let directory = directory();
        let mut disk = Some(open(directory.path()));
        let mut memory = MemoryStore::new();
        let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for step in steps {
            let store = disk.as_ref().unwrap();
            match step {
                Step::Commit(changes) => {
                    let mut batch = batch();
                    for (key, value) in changes {
                        match (key.starts_with('k'), value.clone()) {
                            (true, Some(value)) => batch.keep(key.clone(), value),
                            (true, None) => batch.forget(key.clone()),
                            (false, Some(value)) => batch.put(key.clone(), value),
                            (false, None) => batch.delete(key.clone()),
                        };
                        match value {
                            Some(value) => model.insert(key, value),
                            None => model.remove(&key),
                        };
                    }
                    store.commit(batch.clone()).unwrap();
                    memory.commit(batch).unwrap();
                }
                Step::Scan(prefix, after, limit) => {
                    let expected: Vec<_> = model
                        .iter()
                        .filter(|(key, _)| key.starts_with(&prefix) && after.as_ref().is_none_or(|after| *key > after))
                        .take(limit)
                        .map(|(key, value)| (key.clone().into_bytes(), value.clone()))
                        .collect();
                    let after = after.as_ref().map(String::as_bytes);
                    prop_assert_eq!(&store.scan(prefix.as_bytes(), after, limit).unwrap(), &expected);
                    prop_assert_eq!(&memory.scan(prefix.as_bytes(), after, limit).unwrap(), &expected);
                }
                Step::Reopen => {
                    drop(disk.take());
                    disk = Some(open(directory.path()));
                    memory = memory.restarted();
                }
                Step::LoseRows => {
                    let before = history(store);
                    drop(disk.take());
                    fs::remove_dir_all(directory.path().join("sled")).unwrap();
                    disk = Some(opened(directory.path()).store);
                    memory = MemoryStore::from_history(before);
                    model.retain(|key, _| key.starts_with('k'));
                }
            }
        }
        let store = disk.as_ref().unwrap();
        let all: Vec<_> = model.into_iter().map(|(key, value)| (key.into_bytes(), value)).collect();
        prop_assert_eq!(&store.scan(b"", None, usize::MAX).unwrap(), &all);
        prop_assert_eq!(&memory.scan(b"", None, usize::MAX).unwrap(), &all);
        prop_assert_eq!(history(store), history(&memory));
        prop_assert_eq!(store.verify().unwrap(), memory.verify().unwrap());
        prop_assert!(store.verify().unwrap().is_sound());
    }
}

#[test]
fn a_value_or_batch_that_is_too_long_is_refused_and_the_store_goes_on() {
    let directory = directory();
    let store = open(directory.path());
    let mut long = batch();
    long.put("a", vec![b'x'; (1 << 20) + 1]);
    let error = store.commit(long).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the value of a is 1048577 bytes long, and the store takes 1048576; map fewer or shorter fields"
    );
    let mut many = batch();
    (0..17).for_each(|number| {
        many.put(format!("{number}"), vec![b'x'; 1 << 20]);
    });
    assert!(matches!(store.commit(many), Err(Error::TooLarge { .. })));
    commit(&store, 1);
    assert_eq!(keys(&store), ["kept:001", "put:001"]);
}

#[test]
fn long_values_come_back() {
    let directory = directory();
    let store = open(directory.path());
    let value = |number: u32| vec![number as u8; (100 << 10) + number as usize];
    for number in 0..40 {
        let mut batch = batch();
        batch
            .put(format!("{number}"), value(number))
            .keep(format!("k{number}"), value(number));
        store.commit(batch).unwrap();
    }
    let mut longest = batch();
    longest.keep("longest", vec![0xff; 1 << 20]);
    store.commit(longest).unwrap();
    drop(store);
    let store = open(directory.path());
    for number in 0..40 {
        assert!(store.get(format!("{number}").as_bytes()).unwrap() == Some(value(number)));
    }
    assert!(store.verify().unwrap().is_sound());
}
