//! Stories against the simulated org.

use super::*;
use contract::{
    By, Change, Connector, Cursor, Fields, Id, Kind, Lookup, Nothing, Record, Relation, Relations,
    Remedy, Request, Severity, field,
};
use jiff::SignedDuration;
use simulator::{Actor, Effect, Fault, Site, When, salesforce};

struct Hands(Mutex<Timestamp>);

impl Hands {
    fn pass(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

struct Scene {
    hands: Arc<Hands>,
    site: Site,
    connector: Arc<dyn Connector>,
}

struct ConsumerSecret(String);

impl Secrets for ConsumerSecret {
    fn resolve(&self, _: &SecretRef) -> Result<Secret, SecretError> {
        Ok(Secret::from(self.0.clone()))
    }
}

fn scene(settings: salesforce::Settings) -> Scene {
    furnished(settings, |_, _| ()).0
}

/// A scene whose org was changed before it opened.
fn furnished<T>(
    settings: salesforce::Settings,
    furnish: impl FnOnce(&mut salesforce::Salesforce, Timestamp) -> T,
) -> (Scene, T) {
    let hands = Arc::new(Hands(Mutex::new(NOW.parse().unwrap())));
    let consumer = settings.consumer.clone();
    let mut org = salesforce::Salesforce::new(settings, hands.now());
    let furniture = furnish(&mut org, hands.now());
    let site = Site::new(org, hands.clone());
    let tools = Tools {
        connection: "crm".to_owned(),
        side: Side::Crm,
        transport: Arc::new(site.clone()),
        clock: hands.clone(),
        secrets: Arc::new(ConsumerSecret(consumer.secret)),
        keep: Arc::new(MemoryKeep::default()),
        extra_fields: BTreeMap::new(),
        allow_insecure_loopback: true,
    };
    let settings = format!(
        "login_url = 'http://127.0.0.1:8080'
        client_credentials = {{ client_id = '{}', client_secret = {{ env = 'S' }} }}",
        consumer.key
    );
    let connector = Salesforce.build(settings.parse().unwrap(), tools).unwrap();
    let scene = Scene {
        hands,
        site,
        connector,
    };
    (scene, furniture)
}

impl Scene {
    fn create(&self, kind: Kind, values: &[(&str, &str)]) -> String {
        self.site
            .with(|org, now| org.create(kind, values, Actor::Person, now))
    }

    /// Reads a stream to its end.
    async fn read(&self, kind: Kind, from: &mut Cursor) -> Vec<Change> {
        let mut changes = Vec::new();
        loop {
            let request = Request {
                kind,
                from,
                at_most: 200,
                known: &Nothing,
            };
            let page = self.connector.read(&request).await.unwrap();
            changes.extend(page.changes);
            *from = page.next;
            if !page.more {
                return changes;
            }
        }
    }

    async fn find(&self, kind: Kind, by: By) -> Vec<Record> {
        self.connector.find(&Lookup { kind, by }).await.unwrap()
    }
}

fn upserted(changes: &[Change]) -> Vec<&Record> {
    let records = changes.iter().map(|change| match change {
        Change::Upserted(record) => Some(record),
        _ => None,
    });
    records.flatten().collect()
}

fn lead(key: &str, email: &str) -> Operation {
    let fields = Fields::default()
        .with(field::EMAIL, email)
        .with(field::LAST_NAME, "O'Hara");
    let fields = fields
        .with(field::OPT_OUT, true)
        .with(field::COMPANY, "Acme & Söhne");
    Operation::Create {
        kind: Kind::Lead,
        key: key.into(),
        fields,
        relations: Relations::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_sound_org_has_no_errors() {
    let scene = scene(salesforce::Settings::default());
    let probe = scene.connector.probe().await.unwrap();
    let errors = probe
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    assert_eq!(
        errors.map(|finding| &finding.what).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert!(probe.user.contains('@'), "{}", probe.user);
    assert!(scene.connector.usage().daily_limit.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_is_lost_makes_no_twin() {
    let scene = scene(salesforce::Settings::default());
    let fault = Fault::new("PATCH /services/data", When::Nth(1), Effect::LostAnswer);
    scene.site.faults(|faults| faults.add(fault));
    let operations = vec![lead("k-1", "a@example.com"), lead("k-2", "b@example.com")];
    let outcomes = write(&scene.connector, operations).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Applied { .. })),
        "{outcomes:?}"
    );
    assert_eq!(scene.site.with(|org, _| org.live(Kind::Lead).len()), 2);
    scene.hands.pass(60);
    let found = scene
        .find(Kind::Lead, By::Keys(vec!["k-1".into(), "k-9".into()]))
        .await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].fields.text(field::LAST_NAME), Some("O'Hara"));
    assert_eq!(found[0].fields.text(field::COMPANY), Some("Acme & Söhne"));
    assert!(found[0].fields.is_true(field::OPT_OUT));
    let by_mail = scene
        .find(Kind::Lead, By::Emails(vec!["A@EXAMPLE.com".to_owned()]))
        .await;
    assert_eq!(by_mail, found);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_read_whole_by_pages_and_then_by_changes() {
    let session_life = SignedDuration::from_hours(24);
    let scene = scene(salesforce::Settings {
        page_size: 200,
        session_life,
        ..Default::default()
    });
    let account = scene.create(Kind::Account, &[(field::NAME, "Acme")]);
    let mut ids = Vec::new();
    for number in 0..450 {
        let email = format!("p{number}@example.com");
        let values = [
            (field::LAST_NAME, "P"),
            (field::EMAIL, &email),
            ("account", &account),
        ];
        ids.push(scene.create(Kind::Contact, &values));
    }
    scene.hands.pass(60);
    let mut cursor = Cursor::start();
    let changes = scene.read(Kind::Contact, &mut cursor).await;
    assert_eq!(upserted(&changes).len(), 450);
    assert_eq!(
        upserted(&changes)[0].relations.one(Relation::Account),
        Some(&Id(account))
    );
    // Beyond the overlap, so that only what is new is told.
    scene.hands.pass(3600);
    scene.read(Kind::Contact, &mut cursor).await;
    scene.hands.pass(3600);
    let title = [(field::TITLE, "CEO")];
    scene
        .site
        .with(|org, now| org.set(Kind::Contact, &ids[7], &title, Actor::Person, now));
    scene
        .site
        .with(|org, now| org.delete(Kind::Contact, &ids[8], Actor::Person, now));
    let losers = [ids[10].as_str()];
    scene
        .site
        .with(|org, now| org.merge(Kind::Contact, &ids[9], &losers, Actor::Person, now));
    scene.hands.pass(60);
    let before = scene.site.calls_total();
    let changes = scene.read(Kind::Contact, &mut cursor).await;
    let told = upserted(&changes);
    assert!(
        told.iter()
            .any(|one| one.id.0 == ids[7] && one.fields.text(field::TITLE) == Some("CEO"))
    );
    assert!(changes.contains(&Change::Deleted {
        kind: Kind::Contact,
        id: Id(ids[8].clone())
    }));
    let merged = Change::Merged {
        kind: Kind::Contact,
        loser: Id(ids[10].clone()),
        winner: Id(ids[9].clone()),
    };
    assert!(changes.contains(&merged), "{changes:?}");
    // One for the window; a describe and a query for the winner's roles.
    assert_eq!(scene.site.calls_total() - before, 3);
    scene.hands.pass(3600);
    scene.read(Kind::Contact, &mut cursor).await;
    assert_eq!(scene.site.calls_total() - before, 4);
    let gone = By::Ids(vec![
        Id(ids[7].clone()),
        Id(ids[8].clone()),
        Id(ids[10].clone()),
    ]);
    assert_eq!(scene.find(Kind::Contact, gone).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn late_commits_and_expired_locators_lose_nothing() {
    let settings = salesforce::Settings {
        page_size: 200,
        commit_lag: SignedDuration::from_secs(120),
        locator_life: SignedDuration::from_secs(30),
        session_life: SignedDuration::from_secs(300),
        ..Default::default()
    };
    let scene = scene(settings);
    let mut cursor = Cursor::start();
    let mut seen = BTreeSet::new();
    for number in 0..600 {
        let email = format!("p{number}@example.com");
        scene.create(
            Kind::Lead,
            &[(field::LAST_NAME, "P"), (field::EMAIL, &email)],
        );
        scene.hands.pass(1);
        if number % 10 == 0 {
            // One page at a time; the locator of a page has often expired by the next.
            scene.hands.pass(if number % 100 == 0 { 40 } else { 0 });
            let request = Request {
                kind: Kind::Lead,
                from: &cursor,
                at_most: 200,
                known: &Nothing,
            };
            let page = scene.connector.read(&request).await.unwrap();
            seen.extend(upserted(&page.changes).iter().map(|one| one.id.0.clone()));
            cursor = page.next;
        }
    }
    scene.hands.pass(300);
    let changes = scene.read(Kind::Lead, &mut cursor).await;
    seen.extend(upserted(&changes).iter().map(|one| one.id.0.clone()));
    assert_eq!(seen.len(), 600);
}

#[tokio::test(start_paused = true)]
async fn a_lead_is_converted_once() {
    let scene = scene(salesforce::Settings::default());
    let account = scene.create(Kind::Account, &[(field::NAME, "Acme")]);
    write(&scene.connector, vec![lead("k-1", "a@acme.example")]).await;
    scene.hands.pass(60);
    let lead = scene
        .find(Kind::Lead, By::Keys(vec!["k-1".into()]))
        .await
        .remove(0);
    let convert = || Operation::Convert {
        lead: lead.id.clone(),
        account: Id(account.clone()),
        contact: None,
        owner: None,
        seen_status: Some("Open - Not Contacted".to_owned()),
    };
    let fault = Fault::new("POST /services/Soap", When::Nth(1), Effect::LostAnswer);
    scene.site.faults(|faults| faults.add(fault));
    assert_eq!(
        write(&scene.connector, vec![convert()]).await,
        [Outcome::Unknown]
    );
    scene.hands.pass(60);
    let again = write(&scene.connector, vec![convert()]).await;
    assert!(
        matches!(
            &again[0],
            Outcome::Refused {
                remedy: Remedy::LookAgain,
                ..
            }
        ),
        "{again:?}"
    );
    let lead = scene
        .find(Kind::Lead, By::Ids(vec![lead.id.clone()]))
        .await
        .remove(0);
    assert!(lead.is_converted());
    let contact = lead.relations.one(Relation::ConvertedContact).unwrap();
    assert_eq!(
        lead.relations.one(Relation::ConvertedAccount),
        Some(&Id(account.clone()))
    );
    let contact = scene
        .find(Kind::Contact, By::Ids(vec![contact.clone()]))
        .await
        .remove(0);
    assert_eq!(contact.relations.one(Relation::Account), Some(&Id(account)));
    assert!(
        scene
            .site
            .with(|org, _| org.live(Kind::Opportunity).is_empty())
    );
    let update = Operation::Update {
        kind: Kind::Lead,
        id: lead.id.clone(),
        set: BTreeMap::from([(field::TITLE.to_owned(), Some("CEO".into()))]),
        relations: Relations::default(),
    };
    let refused = write(&scene.connector, vec![update]).await;
    assert!(
        matches!(
            &refused[0],
            Outcome::Refused {
                remedy: Remedy::LookAgain,
                ..
            }
        ),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn contacts_of_orphaned_leads_go_to_the_user_that_we_are() {
    let hidden = BTreeSet::from(["User.IsActive".to_owned()]);
    for (hidden_fields, gone_converts) in [(BTreeSet::new(), true), (hidden, false)] {
        let settings = salesforce::Settings {
            hidden_fields,
            ..Default::default()
        };
        let (scene, queue) = furnished(settings, |org, now| org.create_queue("Inbound", now));
        let account = scene.create(Kind::Account, &[(field::NAME, "Acme")]);
        let gone = [
            (field::NAME, "Gone"),
            (field::EMAIL, "gone@acme.example"),
            (field::ACTIVE, "false"),
        ];
        let gone = scene.create(Kind::User, &gone);
        let convert = |owner: &str| {
            let values = [
                (field::LAST_NAME, "A"),
                (field::COMPANY, "Acme"),
                ("owner", owner),
            ];
            Operation::Convert {
                lead: Id(scene.create(Kind::Lead, &values)),
                account: Id(account.clone()),
                contact: None,
                owner: None,
                seen_status: Some("Open - Not Contacted".to_owned()),
            }
        };
        let wanted = vec![convert(&queue), convert(&gone)];
        scene.hands.pass(60);
        let outcomes = write(&scene.connector, wanted).await;
        let owner = |outcome: &Outcome| match outcome {
            Outcome::Applied { id, .. } => scene
                .site
                .with(|org, _| org.get(Kind::Contact, &id.0, "owner")),
            _ => None,
        };
        let us = owner(&outcomes[0]).unwrap();
        let name = scene
            .site
            .with(|org, _| org.get(Kind::User, &us, field::NAME));
        assert_eq!(name.as_deref(), Some("Integration User"));
        assert_eq!(
            owner(&outcomes[1]),
            gone_converts.then_some(us),
            "{outcomes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_placeholder_is_written_and_never_read() {
    let scene = scene(salesforce::Settings::default());
    for (kind, demanded) in [
        (Kind::Lead, vec![field::LAST_NAME, field::COMPANY]),
        (Kind::Contact, vec![field::LAST_NAME]),
    ] {
        let create = Operation::Create {
            kind,
            key: "k-1".into(),
            fields: Fields::default().with(field::FIRST_NAME, "[not provided]"),
            relations: Relations::default(),
        };
        let outcomes = write(&scene.connector, vec![create]).await;
        let Outcome::Applied { id, .. } = &outcomes[0] else {
            panic!("{outcomes:?}")
        };
        scene.hands.pass(60);
        let found = scene.find(kind, By::Ids(vec![id.clone()])).await.remove(0);
        let changes = scene.read(kind, &mut Cursor::start()).await;
        assert_eq!(upserted(&changes), [&found]);
        for name in demanded {
            let held = scene.site.with(|org, _| org.get(kind, &id.0, name));
            assert_eq!(held.as_deref(), Some("[not provided]"));
            assert_eq!(found.fields.get(name), None);
        }
        // Nobody demands a first name, so these are somebody's own words.
        assert_eq!(found.fields.text(field::FIRST_NAME), Some("[not provided]"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_rule_shows_the_twin() {
    let scene = scene(salesforce::Settings::default());
    let twin = scene.create(
        Kind::Lead,
        &[(field::LAST_NAME, "A"), (field::EMAIL, "a@acme.example")],
    );
    scene.hands.pass(60);
    let outcomes = write(&scene.connector, vec![lead("k-1", "a@acme.example")]).await;
    assert!(
        matches!(&outcomes[0], Outcome::Conflict { current } if current.id.0 == twin),
        "{outcomes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn locks_are_deferred_and_hidden_fields_are_left_out() {
    let hidden_fields = BTreeSet::from(["Lead.Industry".to_owned()]);
    let scene = scene(salesforce::Settings {
        lock_chance: 1.0,
        hidden_fields,
        ..Default::default()
    });
    let id = scene.create(
        Kind::Lead,
        &[(field::LAST_NAME, "A"), (field::EMAIL, "a@acme.example")],
    );
    scene.hands.pass(60);
    let update = |name: &str| Operation::Update {
        kind: Kind::Lead,
        id: Id(id.clone()),
        set: BTreeMap::from([(name.to_owned(), Some("Energy".into()))]),
        relations: Relations::default(),
    };
    let locked = write(&scene.connector, vec![update(field::TITLE)]).await;
    assert!(matches!(&locked[0], Outcome::Deferred { .. }), "{locked:?}");
    let hidden = write(&scene.connector, vec![update(field::INDUSTRY)]).await;
    assert!(matches!(
        &hidden[0],
        Outcome::Refused {
            remedy: Remedy::FixMapping { .. },
            ..
        }
    ));
    assert_eq!(scene.read(Kind::Lead, &mut Cursor::start()).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn notes_can_be_looked_for_after_a_doubt() {
    let scene = scene(salesforce::Settings::default());
    let id = scene.create(
        Kind::Lead,
        &[(field::LAST_NAME, "A"), (field::EMAIL, "a@acme.example")],
    );
    scene.hands.pass(60);
    let fault = Fault::new("POST /services/data", When::Nth(1), Effect::LostAnswer);
    scene.site.faults(|faults| faults.add(fault));
    let note = Operation::Note {
        key: "n-1".into(),
        kind: Kind::Lead,
        about: Id(id.clone()),
        at: scene.hands.now(),
        subject: "Handed over".to_owned(),
        body: "Score 90".to_owned(),
    };
    assert_eq!(
        write(&scene.connector, vec![note]).await,
        [Outcome::Unknown]
    );
    scene.hands.pass(60);
    let notes = scene
        .find(Kind::Note, By::About(vec![Id(id.clone())]))
        .await;
    assert_eq!(
        notes.iter().filter_map(Record::key).collect::<Vec<_>>(),
        ["n-1".into()]
    );
    assert_eq!(notes[0].relations.one(Relation::About), Some(&Id(id)));
}

#[tokio::test(start_paused = true)]
async fn every_kind_can_be_read() {
    let scene = scene(salesforce::Settings {
        multi_currency: true,
        ..Default::default()
    });
    let account = scene.create(Kind::Account, &[(field::NAME, "Acme")]);
    let contact = scene.create(
        Kind::Contact,
        &[(field::LAST_NAME, "A"), ("account", &account)],
    );
    let values = [
        (field::NAME, "Deal"),
        (field::STAGE, "Closed Won"),
        (field::AMOUNT, "12.50"),
    ];
    let more = [
        (field::CLOSE_DATE, "2026-04-01"),
        (field::CURRENCY, "EUR"),
        ("account", account.as_str()),
    ];
    let values: Vec<_> = values.into_iter().chain(more).collect();
    let deal = scene.create(Kind::Opportunity, &values);
    let role = [
        ("opportunity", deal.as_str()),
        ("contact", &contact),
        (field::IS_PRIMARY, "true"),
    ];
    scene.create(Kind::Role, &role);
    scene.hands.pass(60);
    let users = scene.read(Kind::User, &mut Cursor::start()).await;
    assert!(
        upserted(&users)
            .iter()
            .any(|user| user.fields.is_true(field::ACTIVE))
    );
    let deals = scene.read(Kind::Opportunity, &mut Cursor::start()).await;
    let deal = upserted(&deals)[0];
    assert!(deal.fields.is_true(field::IS_WON), "{deal:?}");
    assert_eq!(
        deal.fields.get(field::AMOUNT),
        Some(&"12.5".parse::<rust_decimal::Decimal>().unwrap().into())
    );
    assert_eq!(deal.fields.text(field::CURRENCY), Some("EUR"));
    let roles = scene.read(Kind::Role, &mut Cursor::start()).await;
    assert_eq!(
        upserted(&roles)[0].relations.one(Relation::Contact),
        Some(&Id(contact))
    );
}
