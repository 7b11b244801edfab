//! The connector against a simulated portal, in memory and under paused time.
#![allow(clippy::unwrap_used)]

use contract::{
    Batch, By, Change, Connector, Cursor, Fields, Id, IntentId, Kind, Known, Lookup, Operation,
    Outcome, Record, Relation, Relations, Request, Value, Write, field,
};
use jiff::{SignedDuration, Timestamp};
use kit::{Clock, MemoryKeep, Side, SystemSecrets, Tools, Vendor};
use simulator::{
    Actor, Effect, Fault, Site, When,
    hubspot::{App, HubSpot, Knobs, TOKEN},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// Wall time that goes with tokio's.
struct Paused {
    start: tokio::time::Instant,
    at: Timestamp,
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.start.elapsed()).unwrap();
        self.at.checked_add(elapsed).unwrap()
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// A portal and a connection to it.
struct Setting {
    site: Site,
    connector: Arc<dyn Connector>,
    cursor: Cursor,
    mirror: BTreeMap<Id, Record>,
}

struct Mirror<'a>(&'a BTreeMap<Id, Record>);

impl Known for Mirror<'_> {
    fn modified(&self, _: Kind, id: &Id) -> Option<Timestamp> {
        self.0.get(id).map(|record| record.modified)
    }
}

impl Setting {
    fn new(knobs: Knobs) -> Setting {
        Setting::with(knobs, "token = { env = 'TOKEN' }")
    }

    fn with(knobs: Knobs, settings: &str) -> Setting {
        let start = tokio::time::Instant::now();
        let clock = Arc::new(Paused {
            start,
            at: "2026-11-01T12:00:00.123Z".parse().unwrap(),
        });
        let site = Site::new(HubSpot::new(knobs), clock.clone());
        let secrets = [
            ("TOKEN", TOKEN),
            ("SECRET", "client-secret-1"),
            ("REFRESH", "refresh-token-1"),
        ];
        let env = secrets
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let tools = Tools {
            connection: "hub".to_owned(),
            side: Side::Marketing,
            transport: Arc::new(site.clone()),
            clock,
            secrets: Arc::new(SystemSecrets::new(None, env)),
            keep: Arc::new(MemoryKeep::default()),
            extra_fields: BTreeMap::new(),
            allow_insecure_loopback: false,
        };
        let connector = hubspot::VENDOR
            .build(settings.parse().unwrap(), tools)
            .unwrap();
        Setting {
            site,
            connector,
            cursor: Cursor::start(),
            mirror: BTreeMap::new(),
        }
    }

    fn person(&self, values: &[(&str, &str)]) -> Id {
        Id(self
            .site
            .with(|portal, now| portal.create(Kind::Lead, values, Actor::Person, now)))
    }

    fn change(&self, id: &Id, values: &[(&str, &str)]) -> bool {
        self.site
            .with(|portal, now| portal.set(Kind::Lead, &id.0, values, Actor::Person, now))
    }

    fn shows(&self, id: &Id, name: &str) -> Option<String> {
        self.site
            .with(|portal, _| portal.get(Kind::Lead, &id.0, name))
            .filter(|value| !value.is_empty())
    }

    /// Reads until nothing more waits, as the daemon does: a failed question is asked again with the same cursor.
    async fn poll(&mut self) {
        for _ in 0..10_000 {
            let known = Mirror(&self.mirror);
            let request = Request {
                kind: Kind::Lead,
                from: &self.cursor,
                at_most: 500,
                known: &known,
            };
            let Ok(page) = self.connector.read(&request).await else {
                tokio::time::sleep(Duration::from_secs(30)).await;
                continue;
            };
            self.cursor = page.next;
            for change in page.changes {
                match change {
                    Change::Upserted(record) => {
                        let newer = |held: &Record| held.modified > record.modified;
                        if !self.mirror.get(&record.id).is_some_and(newer) {
                            self.mirror.insert(record.id.clone(), record);
                        }
                    }
                    Change::Deleted { id, .. } | Change::Merged { loser: id, .. } => {
                        self.mirror.remove(&id);
                    }
                    Change::Unreadable { reason, .. } => panic!("{reason}"),
                }
            }
            if !page.more {
                return;
            }
        }
        panic!("the stream never ends");
    }

    async fn write(&mut self, operations: Vec<Operation>) -> Vec<Outcome> {
        let write = |(place, operation)| Write {
            intent: IntentId(format!("i{place}")),
            operation,
        };
        let batch = Batch::new(operations.into_iter().enumerate().map(write).collect()).unwrap();
        let outcomes = self.connector.write(&batch).await.unwrap();
        // As the daemon does it: what has been applied is known from then on.
        for ((_, outcome), write) in outcomes.iter().zip(batch.writes()) {
            if let (Outcome::Applied { modified, .. }, Operation::Update { id, set, .. }) =
                (outcome, &write.operation)
                && let Some(held) = self.mirror.get_mut(id)
            {
                for (name, value) in set {
                    held.fields.put(name.as_str(), value.clone());
                }
                held.modified = held.modified.max(modified.unwrap_or(held.modified));
            }
        }
        outcomes
            .iter()
            .map(|(_, outcome)| outcome.clone())
            .collect()
    }

    /// The mirror says what the portal says.
    fn agree(&self) {
        let live: BTreeSet<Id> = self
            .site
            .with(|portal, _| portal.live(Kind::Lead))
            .into_iter()
            .map(Id)
            .collect();
        let held: BTreeSet<Id> = self.mirror.keys().cloned().collect();
        assert_eq!(live, held);
        for (id, record) in &self.mirror {
            for name in [
                field::EMAIL,
                field::FIRST_NAME,
                field::CITY,
                field::OPT_OUT,
                field::LIFECYCLE,
                field::DISPOSITION,
            ] {
                let held = record.fields.get(name).map(Value::to_string);
                assert_eq!(held, self.shows(id, name), "{name} of {id}");
            }
        }
    }
}

fn update(id: &Id, set: &[(&str, Value)]) -> Operation {
    let set = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Some(value.clone())))
        .collect();
    Operation::Update {
        kind: Kind::Lead,
        id: id.clone(),
        set,
        relations: Relations::default(),
    }
}

fn create(key: &str, email: &str) -> Operation {
    let fields = Fields::default()
        .with(field::EMAIL, email)
        .with(field::FIRST_NAME, "New");
    Operation::Create {
        kind: Kind::Lead,
        key: key.into(),
        fields,
        relations: Relations::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_portal_is_read_once_and_then_costs_one_call_a_poll() {
    let mut setting = Setting::new(Knobs::default());
    for number in 0..250 {
        setting.person(&[
            ("email", &format!("p{number}@example.com")),
            ("first_name", "P"),
        ]);
    }
    tokio::time::sleep(Duration::from_secs(3600)).await;
    setting.poll().await;
    setting.agree();
    assert_eq!(
        setting.site.calls_total(),
        4,
        "three pages and the first window"
    );
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        setting.poll().await;
    }
    assert_eq!(setting.site.calls_total(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_large_change_is_read_whole() {
    let mut setting = Setting::new(Knobs::unlimited());
    setting.poll().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    for number in 0..1_450 {
        setting.person(&[("email", &format!("p{number}@example.com"))]);
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    setting.poll().await;
    setting.agree();
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_change_is_not_hidden_by_our_own() {
    for index_lag in [2, 300] {
        let index_lag = SignedDuration::from_secs(index_lag);
        let mut setting = Setting::new(Knobs {
            index_lag,
            ..Knobs::default()
        });
        let ada = setting.person(&[("email", "ada@example.com"), ("city", "Ulm")]);
        setting.poll().await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        setting.change(&ada, &[("city", "Bonn")]);
        let set = [("leadloop_disposition", "accepted".into())];
        let outcomes = setting.write(vec![update(&ada, &set)]).await;
        assert!(matches!(outcomes[0], Outcome::Applied { .. }));
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            setting.poll().await;
        }
        setting.agree();
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_index_shows_late_comes_with_a_deep_window() {
    let mut setting = Setting::new(Knobs {
        index_lag: SignedDuration::from_mins(6),
        ..Knobs::default()
    });
    let ada = setting.person(&[("email", "ada@example.com"), ("city", "Ulm")]);
    setting.poll().await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    setting.change(&ada, &[("city", "Bonn")]);
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        setting.poll().await;
    }
    setting.agree();
}

#[tokio::test(start_paused = true)]
async fn merged_and_archived_contacts_are_followed() {
    for merge_makes_new_id in [true, false] {
        let mut setting = Setting::new(Knobs {
            merge_makes_new_id,
            ..Knobs::default()
        });
        let [winner, loser, gone] = ["w", "l", "g"]
            .map(|name| setting.person(&[("email", &format!("{name}@example.com"))]));
        setting.poll().await;
        tokio::time::sleep(Duration::from_secs(90)).await;
        let survivor = setting
            .site
            .with(|portal, now| {
                portal.merge(Kind::Lead, &winner.0, &[&loser.0], Actor::Person, now)
            })
            .unwrap();
        setting
            .site
            .with(|portal, now| portal.delete(Kind::Lead, &gone.0, Actor::Person, now));
        for _ in 0..25 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            setting.poll().await;
        }
        setting.agree();
        let found = setting
            .connector
            .find(&Lookup {
                kind: Kind::Lead,
                by: By::Ids(vec![loser.clone(), gone]),
            })
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id.0, survivor);
        assert!(
            found[0]
                .relations
                .all(Relation::MergedFrom)
                .contains(&loser)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_carried_out_record_by_record() {
    let mut setting = Setting::new(Knobs::default());
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| {
        setting.person(&[
            ("email", &format!("{name}@example.com")),
            ("lifecycle", "customer"),
        ])
    });
    setting.poll().await;
    let outcomes = setting
        .write(vec![
            update(&ada, &[("email", "nonsense".into())]),
            update(
                &bob,
                &[
                    ("opt_out", true.into()),
                    ("lifecycle", "lead".into()),
                    ("leadloop_amount", Value::Number(1500.into())),
                ],
            ),
            update(&eve, &[("email", "bob@example.com".into())]),
            update(&"99".into(), &[("city", "Ulm".into())]),
            update(&"98".into(), &[("no_such_property", "x".into())]),
        ])
        .await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused { remedy, .. } if remedy.to_string() == "correct email at its source"),
        "{outcomes:?}"
    );
    assert!(
        matches!(&outcomes[1], Outcome::Applied { .. }),
        "{outcomes:?}"
    );
    assert!(
        matches!(&outcomes[2], Outcome::Conflict { current } if current.id == bob),
        "{outcomes:?}"
    );
    assert!(
        matches!(&outcomes[3], Outcome::Refused { remedy, .. } if remedy.to_string().contains("nothing to do")),
        "{outcomes:?}"
    );
    assert!(
        matches!(&outcomes[4], Outcome::Refused { .. }),
        "{outcomes:?}"
    );
    for (name, value) in [
        ("opt_out", "true"),
        ("lifecycle", "lead"),
        ("leadloop_amount", "1500"),
    ] {
        assert_eq!(setting.shows(&bob, name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_makes_no_twin() {
    for effect in [
        Effect::LostAnswer,
        Effect::HalfBatch,
        Effect::AppliedButAnswer(502),
        Effect::Answer(503, None),
    ] {
        let mut setting = Setting::new(Knobs::default());
        let old = setting.person(&[("email", "old@example.com")]);
        setting
            .site
            .faults(|faults| faults.add(Fault::new("batch/upsert", When::Nth(1), effect.clone())));
        let outcomes = setting
            .write(vec![
                create("k-1", "one@example.com"),
                create("k-2", "two@example.com"),
                create("k-3", "old@example.com"),
            ])
            .await;
        assert!(
            outcomes[..2]
                .iter()
                .all(|outcome| matches!(outcome, Outcome::Applied { .. })),
            "{effect:?}: {outcomes:?}"
        );
        assert!(
            matches!(&outcomes[2], Outcome::Conflict { current } if current.id == old),
            "{effect:?}: {outcomes:?}"
        );
        assert_eq!(
            setting.site.with(|portal, _| portal.live(Kind::Lead)).len(),
            3,
            "{effect:?}"
        );
        let keys = By::Keys(vec!["k-1".into(), "k-2".into(), "k-9".into()]);
        assert_eq!(
            setting
                .connector
                .find(&Lookup {
                    kind: Kind::Lead,
                    by: keys
                })
                .await
                .unwrap()
                .len(),
            2
        );
        let emails = By::Emails(vec!["ONE@example.com".into(), "nobody@example.com".into()]);
        let found = setting
            .connector
            .find(&Lookup {
                kind: Kind::Lead,
                by: emails,
            })
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key(), Some("k-1".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_note_is_found_after_a_doubt() {
    let mut setting = Setting::new(Knobs::default());
    let ada = setting.person(&[("email", "ada@example.com")]);
    let note = |key: &str| Operation::Note {
        key: key.into(),
        kind: Kind::Lead,
        about: ada.clone(),
        at: "2026-11-01T11:00:00Z".parse().unwrap(),
        subject: "Rejected by sales".to_owned(),
        body: "<no budget>".to_owned(),
    };
    setting.site.faults(|faults| {
        faults.add(Fault::new(
            "notes/batch/create",
            When::Nth(2),
            Effect::LostAnswer,
        ))
    });
    assert!(matches!(
        setting.write(vec![note("n-1")]).await[0],
        Outcome::Applied { .. }
    ));
    assert_eq!(setting.write(vec![note("n-2")]).await, [Outcome::Unknown]);
    let found = setting
        .connector
        .find(&Lookup {
            kind: Kind::Note,
            by: By::About(vec![ada.clone()]),
        })
        .await
        .unwrap();
    let keys: BTreeSet<String> = found
        .iter()
        .filter_map(|note| note.key())
        .map(|key| key.0)
        .collect();
    assert_eq!(keys, ["n-1".to_owned(), "n-2".to_owned()].into());
    assert!(
        found
            .iter()
            .all(|note| note.relations.one(Relation::About) == Some(&ada))
    );
    assert!(
        found
            .iter()
            .all(|note| note.fields.text(field::BODY) == Some("<no budget>"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_probe_and_the_description_fit_a_fresh_portal() {
    let setting = Setting::new(Knobs::default());
    let probe = setting.connector.probe().await.unwrap();
    assert!(probe.account.contains("4242424"), "{}", probe.account);
    assert!(probe.findings.is_empty(), "{:?}", probe.findings);
    let fields = setting.connector.describe(Kind::Lead).await.unwrap();
    for name in [
        field::EMAIL,
        field::LIFECYCLE,
        field::KEY,
        field::DISPOSITION,
    ] {
        assert!(
            fields
                .iter()
                .any(|field| field.name == name && field.writable),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_signs_in_and_stays_signed_in() {
    let app = App {
        client_id: "app-1".to_owned(),
        client_secret: "client-secret-1".to_owned(),
        refresh_token: "refresh-token-1".to_owned(),
        codes: BTreeSet::new(),
        rotates: true,
    };
    let settings = "oauth = { client_id = 'app-1', client_secret = { env = 'SECRET' }, refresh_token = { env = 'REFRESH' } }";
    let mut setting = Setting::with(
        Knobs {
            app: Some(app),
            ..Knobs::default()
        },
        settings,
    );
    for _ in 0..4 {
        setting.person(&[("first_name", "Ada")]);
        tokio::time::sleep(Duration::from_secs(10)).await;
        setting.poll().await;
        setting.agree();
        tokio::time::sleep(Duration::from_secs(2_000)).await;
    }
    assert!(setting.site.calls_to("/oauth/2026-09/token") == 4);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_whatever_goes_wrong() {
    for seed in 0..15_u64 {
        let mut setting = Setting::new(Knobs {
            index_lag: SignedDuration::from_secs(seed as i64 % 20),
            ..Knobs::default()
        });
        setting.site.faults(|faults| {
            *faults = simulator::fault::Faults::seeded(seed);
            for effect in [
                Effect::Malformed,
                Effect::LostAnswer,
                Effect::Answer(429, Some(3)),
                Effect::Answer(502, None),
                Effect::Html,
            ] {
                faults.add(Fault::new("", When::PerMille(30), effect));
            }
        });
        let mut people: Vec<Id> = (0..30)
            .map(|number| setting.person(&[("email", &format!("p{number}@example.com"))]))
            .collect();
        let mut dice = seed;
        let mut roll = |sides: u64| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        for round in 0..60 {
            for _ in 0..roll(4) {
                let place = roll(people.len() as u64) as usize;
                let other = roll(people.len() as u64) as usize;
                match roll(12) {
                    0 => people.push(
                        setting.person(&[("email", &format!("r{round}s{place}@example.com"))]),
                    ),
                    1 => {
                        setting.site.with(|portal, now| {
                            portal.delete(Kind::Lead, &people[place].0, Actor::Person, now)
                        });
                    }
                    2 if place != other => {
                        let (winner, loser) = (people[place].clone(), people[other].clone());
                        let survivor = setting.site.with(|portal, now| {
                            portal.merge(Kind::Lead, &winner.0, &[&loser.0], Actor::Person, now)
                        });
                        people.extend(survivor.map(Id).filter(|survivor| *survivor != winner));
                    }
                    3 => {
                        setting.change(&people[place], &[("opt_out", "true")]);
                    }
                    4 | 5 => {
                        let set = update(
                            &people[place],
                            &[("leadloop_disposition", format!("d{round}").as_str().into())],
                        );
                        let write = Write {
                            intent: IntentId("i".into()),
                            operation: set,
                        };
                        // Whatever comes of it, the next reading tells.
                        let _ = setting
                            .connector
                            .write(&Batch::new(vec![write]).unwrap())
                            .await;
                    }
                    _ => {
                        setting.change(&people[place], &[("city", &format!("c{round}"))]);
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(roll(40_000))).await;
            setting.poll().await;
        }
        setting.site.faults(|faults| faults.clear());
        for _ in 0..45 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            setting.poll().await;
        }
        setting.agree();
    }
}
