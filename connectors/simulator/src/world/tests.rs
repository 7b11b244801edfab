use super::*;
use std::collections::BTreeMap;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn changes(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
        .collect()
}

fn world() -> World {
    let mut world = World::new();
    world.insert(
        "people",
        "1",
        values(&[("name", "Ada"), ("city", "Ulm"), ("phone", "")]),
        Actor::Person,
        at(0),
    );
    world.insert(
        "people",
        "2",
        values(&[("name", "Bob")]),
        Actor::Integration,
        at(1),
    );
    world
}

#[test]
fn a_row_remembers_every_value_it_had() {
    let mut world = world();
    world.update(
        "people",
        "1",
        &changes(&[("city", Some("Bonn")), ("name", Some("Ada"))]),
        Actor::Integration,
        at(10),
    );
    world.update(
        "people",
        "1",
        &changes(&[("city", None)]),
        Actor::Person,
        at(20),
    );
    let row = world.get("people", "1").unwrap();
    let city = |second| {
        row.as_of(at(second))
            .and_then(|fields| fields.get("city").cloned())
    };
    assert_eq!(row.as_of(at(-1)), None);
    assert_eq!(
        (city(0).as_deref(), city(10).as_deref(), city(20)),
        (Some("Ulm"), Some("Bonn"), None)
    );
    assert_eq!(
        (row.modified, row.modified_by, row.created_by),
        (at(20), Actor::Person, Actor::Person)
    );
    assert_eq!(
        world.log()[2].what,
        What::Updated(changes(&[("city", Some("Bonn"))])),
        "what did not change is not told"
    );
}

#[test]
fn an_update_without_a_difference_still_stamps() {
    let mut world = world();
    assert!(world.update(
        "people",
        "1",
        &changes(&[("name", Some("Ada"))]),
        Actor::System,
        at(5)
    ));
    assert_eq!(world.get("people", "1").unwrap().modified, at(5));
    assert!(!world.update("people", "9", &changes(&[]), Actor::System, at(5)));
}

#[test]
fn indexes_follow_values_and_lives() {
    let mut world = world();
    world.index("people", "city");
    let found = |world: &World, city: &str| world.table("people").find("city", city).len();
    assert_eq!((found(&world, "ULM"), found(&world, "bonn")), (1, 0));
    world.update(
        "people",
        "1",
        &changes(&[("city", Some("Bonn"))]),
        Actor::Person,
        at(2),
    );
    assert_eq!((found(&world, "ulm"), found(&world, "bonn")), (0, 1));
    world.delete("people", "1", Actor::Person, at(3));
    assert_eq!(found(&world, "bonn"), 0);
    world.restore("people", "1", Actor::Person, at(4));
    assert_eq!(found(&world, "bonn"), 1);
}

#[test]
fn changes_are_found_by_time_deleted_rows_too() {
    let mut world = world();
    world.delete("people", "1", Actor::Person, at(8));
    let since = |second| {
        world
            .table("people")
            .modified_since(at(second))
            .map(|row| row.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(since(0), ["2", "1"]);
    assert_eq!(since(2), ["1"]);
}

#[test]
fn a_merged_id_leads_to_the_survivor() {
    let mut world = world();
    world.insert("people", "3", Values::new(), Actor::Person, at(2));
    assert!(world.merge("people", "2", &["1"], Actor::Person, at(3)));
    assert!(world.merge("people", "3", &["2"], Actor::Person, at(4)));
    assert_eq!(world.resolve("people", "1").unwrap().id, "3");
    assert!(
        !world.merge("people", "1", &["3"], Actor::Person, at(5)),
        "the winner must be there"
    );
    assert!(
        !world.restore("people", "1", Actor::Person, at(5)),
        "a merge is not undone"
    );
    assert_eq!(world.table("people").len(), 1);
}

#[test]
fn a_lag_delays_sight_and_a_purge_leaves_nothing() {
    let mut world = world();
    world.set_lag("people", SignedDuration::from_secs(3));
    world.update(
        "people",
        "1",
        &changes(&[("city", Some("Bonn"))]),
        Actor::Person,
        at(10),
    );
    assert_eq!(world.get("people", "1").unwrap().visible_at, at(13));
    assert!(world.purge("people", "1", Actor::Integration, at(20)));
    let row = world.get("people", "1").unwrap();
    assert!(row.purged && row.fields.is_empty() && row.history.is_empty());
    assert!(!world.restore("people", "1", Actor::Person, at(21)));
}
