//! What is found on opening, and what is done about it: the table in `disk`, line by line.

use super::*;
use crate::store::{Error, history_of};

fn refused(directory: &Path) -> Error {
    DiskStore::open(directory, options()).unwrap_err()
}

/// A directory with three commits.
fn filled() -> tempfile::TempDir {
    let directory = directory();
    let store = open(directory.path());
    (1..=3).for_each(|number| commit(&store, number));
    directory
}

const KEPT: [&str; 3] = ["kept:001", "kept:002", "kept:003"];
const ALL: [&str; 6] = [
    "kept:001", "kept:002", "kept:003", "put:001", "put:002", "put:003",
];

#[test]
fn a_store_is_created_closed_to_others_and_found_again() {
    let above = directory();
    let directory = above.path().join("state");
    let store = open(&directory);
    (1..=3).for_each(|number| commit(&store, number));
    drop(store);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("ledger")), 0o600);
    assert_eq!(names(&directory), ["ledger", "sled"]);
    let store = open(&directory);
    assert_eq!(keys(&store), ALL);
    assert_eq!(sequences(&store), [1, 2, 3]);
    commit(&store, 4);
    assert_eq!(sequences(&store), [1, 2, 3, 4]);
}

#[test]
fn a_directory_that_is_open_to_others_is_noticed() {
    let directory = filled();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let notices = opened(directory.path()).notices;
    assert!(
        notices[0].contains("is open to other users of this machine; close it with `chmod 700"),
        "{notices:?}"
    );
}

#[test]
fn a_second_opening_is_refused() {
    let directory = filled();
    let store = open(directory.path());
    let error = refused(directory.path());
    assert!(
        matches!(&error, Error::Locked { path } if path == directory.path()),
        "{error}"
    );
    assert!(error.to_string().ends_with(
        "is in use by another process; stop the other leadloop first, or put the question to it"
    ));
    drop(store);
    open(directory.path());
}

#[test]
fn the_history_can_be_read_beside_a_running_store() {
    let directory = filled();
    let store = open(directory.path());
    commit(&store, 4);
    let mut seen = Vec::new();
    let visit = &mut |frame: Frame| {
        seen.push(frame.facts[0]["seen"].as_u64().unwrap());
        ControlFlow::Continue(())
    };
    history_of(directory.path(), visit).unwrap();
    assert_eq!(seen, [1, 2, 3, 4]);
}

#[test]
fn without_rows_the_kept_ones_come_back_from_the_ledger() {
    let directory = filled();
    fs::remove_dir_all(directory.path().join("sled")).unwrap();
    let Opened { store, notices } = opened(directory.path());
    assert_eq!(keys(&store), KEPT);
    assert_eq!(store.get(b"kept:002").unwrap().unwrap(), b"{\"n\":2}");
    assert_eq!(sequences(&store), [1, 2, 3]);
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(notices.len(), 1);
    assert!(notices[0].ends_with(
        "were rebuilt from the 3 entries of the ledger; everything else is read again from the vendors"
    ));
    drop(store);
    assert_eq!(keys(&open(directory.path())), KEPT);
}

#[test]
fn a_long_history_is_rebuilt_in_steps() {
    let directory = directory();
    let store = open(directory.path());
    for part in 0..5 {
        let mut batch = batch();
        (0..700).for_each(|number| {
            batch.keep(format!("{:04}", part * 500 + number), format!("{part}"));
        });
        store.commit(batch).unwrap();
    }
    let mut batch = batch();
    batch.forget("0000");
    store.commit(batch).unwrap();
    let before = store.scan(b"", None, usize::MAX).unwrap();
    drop(store);
    fs::remove_dir_all(directory.path().join("sled")).unwrap();
    let store = opened(directory.path()).store;
    assert_eq!(before.len(), 2699);
    assert!(store.scan(b"", None, usize::MAX).unwrap() == before);
}

/// Applies `damage` to a filled store, and expects the rows to be put aside and rebuilt.
fn check_put_aside(damage: impl Fn(&Path)) {
    let directory = filled();
    damage(&directory.path().join("sled"));
    let Opened { store, notices } = opened(directory.path());
    assert_eq!(keys(&store), KEPT);
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(
        names(directory.path()),
        ["ledger", "sled", "sled.damaged-20231114T221320Z"]
    );
    assert!(
        notices[0].contains("it was moved to")
            && notices[0].contains("sled.damaged-20231114T221320Z"),
        "{notices:?}"
    );
    assert_eq!(notices.len(), 2);
    commit(&store, 4);
    drop(store);
    assert_eq!(keys(&open(directory.path())).len(), 5);

    damage(&directory.path().join("sled"));
    opened(directory.path());
    assert!(names(directory.path()).contains(&"sled.damaged-20231114T221320Z-2".to_owned()));
}

#[test]
fn rows_that_are_overwritten_are_rebuilt() {
    let directory = filled();
    fs::write(directory.path().join("sled/db"), vec![0xa5; 8 << 20]).unwrap();
    // sled takes this for a table without a row.
    let Opened { store, notices } = opened(directory.path());
    assert_eq!(keys(&store), KEPT);
    assert!(
        notices[0].contains("were rebuilt from the 3 entries"),
        "{notices:?}"
    );
}

#[test]
fn rows_that_lost_their_file_are_put_aside() {
    check_put_aside(|sled| fs::remove_file(sled.join("db")).unwrap());
}

#[test]
fn rows_whose_configuration_is_overwritten_are_put_aside() {
    check_put_aside(|sled| fs::write(sled.join("conf"), "not a configuration").unwrap());
}

#[test]
fn rows_that_are_cut_anywhere_never_lose_what_was_kept() {
    let pristine = filled();
    let store = open(pristine.path());
    for number in 0..240 {
        let mut batch = batch();
        batch.put(format!("put:long:{number:03}"), vec![b'x'; 100 << 10]);
        store.commit(batch).unwrap();
    }
    drop(store);
    let length = fs::metadata(pristine.path().join("sled/db")).unwrap().len();
    let mut put_aside = 0;
    for part in 0..8 {
        let directory = directory();
        copy(pristine.path(), directory.path());
        let db = fs::OpenOptions::new()
            .write(true)
            .open(directory.path().join("sled/db"))
            .unwrap();
        db.set_len(length * part / 8).unwrap();
        let store = opened(directory.path()).store;
        put_aside += names(directory.path()).len() - 2;
        let mut found = keys(&store);
        found.retain(|key| key.starts_with("kept:"));
        assert_eq!(found, KEPT, "cut to {part} eighths");
        commit(&store, 4);
        assert!(store.verify().unwrap().is_sound());
    }
    // Where the cut falls into free space, sled does not mind; elsewhere it fails or panics.
    assert!(put_aside >= 4, "{put_aside} of 8 were put aside");
}

#[test]
fn rows_that_lag_behind_the_ledger_catch_up() {
    let directory = filled();
    let aside = self::directory();
    copy(&directory.path().join("sled"), &aside.path().join("sled"));
    let store = open(directory.path());
    let mut batch = batch();
    batch
        .forget("kept:001")
        .keep("kept:004", "4")
        .delete("put:001");
    store.commit(batch).unwrap();
    drop(store);
    fs::remove_dir_all(directory.path().join("sled")).unwrap();
    copy(&aside.path().join("sled"), &directory.path().join("sled"));

    let store = open(directory.path());
    assert_eq!(
        keys(&store),
        [
            "kept:002", "kept:003", "kept:004", "put:001", "put:002", "put:003"
        ]
    );
    assert!(store.verify().unwrap().is_sound());
}

#[test]
fn an_older_ledger_is_refused_until_the_rows_are_moved_away() {
    let directory = filled();
    let path = directory.path().join("ledger");
    let older = fs::read(&path).unwrap();
    let store = open(directory.path());
    commit(&store, 4);
    drop(store);
    fs::write(&path, &older).unwrap();

    let error = refused(directory.path()).to_string();
    assert!(error.contains("ends with entry 3, but"), "{error}");
    assert!(
        error.contains("has already seen entry 4: an older ledger was restored"),
        "{error}"
    );
    assert!(
        error.contains("; restore the newest ledger; or, where none is newer, move"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), older);

    fs::rename(directory.path().join("sled"), directory.path().join("away")).unwrap();
    assert_eq!(keys(&opened(directory.path()).store), KEPT);
}

#[test]
fn a_ledger_of_another_history_is_refused() {
    let directory = filled();
    let other = self::directory();
    let store = open(other.path());
    (11..=15).for_each(|number| commit(&store, number));
    drop(store);
    fs::copy(other.path().join("ledger"), directory.path().join("ledger")).unwrap();
    let error = refused(directory.path()).to_string();
    assert!(error.contains("are not of the same history"), "{error}");
}

#[test]
fn a_missing_ledger_is_refused() {
    let directory = filled();
    fs::rename(
        directory.path().join("ledger"),
        directory.path().join("elsewhere"),
    )
    .unwrap();
    let error = refused(directory.path()).to_string();
    assert!(error.contains("ledger is missing"), "{error}");
    assert_eq!(names(directory.path()), ["elsewhere", "sled"]);

    fs::write(directory.path().join("sled/db"), vec![0xa5; 1 << 20]).unwrap();
    assert!(matches!(refused(directory.path()), Error::Corrupt { .. }));
    assert_eq!(names(directory.path()), ["elsewhere", "sled"]);
}

#[test]
fn an_interrupted_append_is_cut_wherever_it_stopped() {
    let directory = filled();
    let path = directory.path().join("ledger");
    let whole = fs::read(&path).unwrap();
    // The rows lag by one entry, as they do when an append is interrupted.
    let store = open(directory.path());
    commit(&store, 4);
    drop(store);
    let longer = fs::read(&path).unwrap();
    for length in whole.len() + 1..longer.len() {
        let torn = self::directory();
        fs::write(torn.path().join("ledger"), &longer[..length]).unwrap();
        let mut seen = 0;
        history_of(torn.path(), &mut |frame| {
            seen = frame.sequence;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(seen, 3, "torn at {length}");
    }

    let torn = self::directory();
    fs::write(torn.path().join("ledger"), &longer[..longer.len() - 1]).unwrap();
    let Opened { store, notices } = opened(torn.path());
    assert_eq!(keys(&store), KEPT);
    assert_eq!(
        notices[0],
        format!(
            "the ledger ended with {} bytes of an interrupted write; they were cut off and put beside it as ledger.torn-20231114T221320Z",
            longer.len() - 1 - whole.len()
        )
    );
    assert_eq!(fs::read(torn.path().join("ledger")).unwrap(), whole);
    assert_eq!(
        fs::read(torn.path().join("ledger.torn-20231114T221320Z")).unwrap(),
        longer[whole.len()..longer.len() - 1]
    );
    commit(&store, 5);
    drop(store);
    assert_eq!(sequences(&open(torn.path())), [1, 2, 3, 4]);
}

#[test]
fn a_tail_of_zeros_is_an_interrupted_append() {
    let directory = filled();
    let path = directory.path().join("ledger");
    let whole = fs::read(&path).unwrap();
    let mut longer = whole.clone();
    longer.resize(whole.len() + 5000, 0);
    fs::write(&path, longer).unwrap();
    let Opened { store, notices } = opened(directory.path());
    assert_eq!(keys(&store), ALL);
    assert_eq!(notices.len(), 1);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn any_flipped_bit_is_noticed_and_nothing_is_changed() {
    let directory = filled();
    let path = directory.path().join("ledger");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        // The last entry may look like an interrupted append here; the rows know better, which opening shows below.
        let mut seen = 0;
        let read = history_of(directory.path(), &mut |frame| {
            seen = frame.sequence;
            ControlFlow::Continue(())
        });
        assert!(seen < 3, "byte {at} is flipped and was not noticed");
        assert!(
            read.is_err() || seen == 2,
            "byte {at} is flipped and taken for the end"
        );
        if at % 40 == 0 || at == whole.len() - 1 {
            let error = refused(directory.path());
            assert!(
                matches!(error, Error::Corrupt { .. } | Error::Newer { .. }),
                "byte {at}: {error}"
            );
            assert_eq!(fs::read(&path).unwrap(), flipped);
        }
    }
}

#[test]
fn damage_in_the_middle_names_the_place_and_the_remedy() {
    let directory = filled();
    let path = directory.path().join("ledger");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = refused(directory.path()).to_string();
    assert!(
        error.contains("at byte 32 is damaged, and more history follows; restore it from a backup"),
        "{error}"
    );
    assert!(
        error.contains(&format!("`truncate -s 32 {}`", path.display())),
        "{error}"
    );
}

#[test]
fn an_entry_that_is_cut_out_is_noticed() {
    let directory = filled();
    let path = directory.path().join("ledger");
    let bytes = fs::read(&path).unwrap();
    let length = 20 + u32::from_le_bytes(bytes[32..36].try_into().unwrap()) as usize;
    fs::write(&path, [&bytes[..32], &bytes[32 + length..]].concat()).unwrap();
    let error = refused(directory.path()).to_string();
    assert!(
        error.contains("continues with entry 2 after entry 0"),
        "{error}"
    );
}

#[test]
fn what_a_newer_leadloop_wrote_is_refused() {
    let directory = filled();
    let path = directory.path().join("ledger");
    let mut bytes = fs::read(&path).unwrap();
    bytes[16] = 2;
    fs::write(&path, &bytes).unwrap();
    let error = refused(directory.path()).to_string();
    assert!(
        error.ends_with(
            "ledger has format 2, and this leadloop knows up to 1; install the newer leadloop again"
        ),
        "{error}"
    );
}

#[test]
fn damage_to_a_running_store_is_found_by_verifying() {
    let directory = filled();
    let store = open(directory.path());
    let path = directory.path().join("ledger");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let problems = store.verify().unwrap().problems;
    assert!(
        problems[0].ends_with("was written to entry 3, and can be read to entry 2"),
        "{problems:?}"
    );
    assert_eq!(problems[1], "row kept:003 is kept, but not in the ledger");
}
