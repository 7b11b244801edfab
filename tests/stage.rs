//! A stage for rehearsals: two simulated vendors in memory, the real connectors, and the real loop, all on tokio's paused time.

use jiff::{SignedDuration, Timestamp};
use kit::{
    Clock, MemoryKeep, Secret, SecretError, SecretRef, Secrets, Side, Tools, Transport, Vendor,
};
use leadloop::{
    agreement,
    flow::{self, Board, Loop, LoopStatus},
    store::{MemoryStore, Store, state::State},
};
use simulator::{
    Actor, Dialect, Site,
    compare::{Expectations, compare},
    hubspot, population, salesforce,
    world::{Operation, What},
};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// When every rehearsal begins: a Monday morning.
const BEGIN: &str = "2026-03-02T08:00:00Z";

/// Follows tokio's time: where that is paused, nothing passes but what somebody waits for.
pub struct Paused {
    begin: Timestamp,
    started: tokio::time::Instant,
}

impl Paused {
    pub fn new() -> Arc<Paused> {
        Arc::new(Paused {
            begin: BEGIN.parse().unwrap(),
            started: tokio::time::Instant::now(),
        })
    }
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        self.begin + SignedDuration::try_from(self.started.elapsed()).unwrap()
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Every secret is the simulated vendor's.
struct OneSecret(String);

impl Secrets for OneSecret {
    fn resolve(&self, _: &SecretRef) -> Result<Secret, SecretError> {
        Ok(Secret::from(self.0.clone()))
    }
}

/// Two vendors with a believable population, and leadloop between them.
pub struct Stage {
    pub clock: Arc<Paused>,
    pub marketing: Site,
    pub crm: Site,
    pub store: Arc<MemoryStore>,
    pub leadloop: Loop,
    board: Board,
    secret: String,
    stop: watch::Sender<bool>,
}

impl Stage {
    /// Populates both vendors by the seed, and opens a loop that knows nothing yet.
    pub fn new(seed: u64, leads: usize, accounts: usize) -> Stage {
        let clock = Paused::new();
        let start = clock.now() - SignedDuration::from_hours(1);
        let settings = salesforce::Settings {
            seed,
            daily_limit: 1_000_000,
            ..salesforce::Settings::default()
        };
        let secret = settings.consumer.secret.clone();
        let mut marketing = hubspot::HubSpot::new(hubspot::Knobs {
            tokens: [(secret.clone(), hubspot::Scopes::All)].into(),
            ..hubspot::Knobs::default()
        });
        let mut crm = salesforce::Salesforce::new(settings, start);
        population::populate(
            &mut marketing,
            &mut crm,
            &population::Options {
                seed,
                leads,
                accounts,
                start,
            },
        );
        let (marketing, crm) = (
            Site::new(marketing, clock.clone()),
            Site::new(crm, clock.clone()),
        );
        let store = Arc::new(MemoryStore::new());
        let board = Board::default();
        let leadloop = open(&clock, &marketing, &crm, &secret, &store, &board);
        Stage {
            clock,
            marketing,
            crm,
            store,
            leadloop,
            board,
            secret,
            stop: watch::channel(false).0,
        }
    }

    /// Ends the process and begins a new one on this store. Connectors begin anew as well.
    pub fn restart_on(&mut self, store: MemoryStore) {
        self.store = Arc::new(store);
        self.leadloop = open(
            &self.clock,
            &self.marketing,
            &self.crm,
            &self.secret,
            &self.store,
            &self.board,
        );
    }

    /// Restarts with what the ledger remembers and nothing else, as after the loss of the rows.
    pub fn restart_without_rows(&mut self) {
        let mut frames = Vec::new();
        self.store
            .history(&mut |frame| {
                frames.push(frame);
                ControlFlow::Continue(())
            })
            .unwrap();
        self.restart_on(MemoryStore::from_history(frames));
    }

    pub async fn cycle(&mut self) -> flow::Cycle {
        self.leadloop.cycle(&self.stop.subscribe()).await.unwrap()
    }

    /// What `leadloop run --once` does.
    pub async fn run_once(&mut self) {
        self.leadloop.run_once(self.stop.subscribe()).await.unwrap();
    }

    /// Cycles until everything that the vendors show late has been seen and nothing more follows from it.
    pub async fn rest(&mut self) {
        // Deletions are looked for every ten minutes, and windows reach far back as often.
        for pause in [15, 15, 660, 15] {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            self.cycle().await;
        }
        let mut quiet = 0;
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(15)).await;
            quiet = if self.cycle().await.is_quiet() {
                quiet + 1
            } else {
                0
            };
            if quiet == 3 {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.board.all());
    }

    /// Both worlds say the same, by the judgement of somebody who knows nothing of leadloop.
    #[track_caller]
    pub fn assert_agreed(&self) {
        let comparison = self.marketing.with(|marketing, _| {
            self.crm
                .with(|crm, _| compare(marketing, crm, &Expectations::default()))
        });
        let differences: Vec<String> = [
            ("drift", &comparison.drift),
            ("twice", &comparison.duplicates),
            ("lost", &comparison.lost),
        ]
        .iter()
        .flat_map(|(sort, found)| found.iter().map(move |found| format!("{sort}: {found}")))
        .collect();
        assert!(
            comparison.is_clean(),
            "{} differences:\n{}\n{}",
            differences.len(),
            differences.join("\n"),
            self.stories(&differences)
        );
        assert!(comparison.people_compared > 0, "nobody was compared");
    }

    /// What leadloop has written at both vendors so far, by their own logs.
    pub fn written(&self) -> usize {
        self.log(|_| true).len()
    }

    /// Records that leadloop has made at both vendors so far, by table.
    pub fn created(&self) -> BTreeMap<String, usize> {
        let mut created = BTreeMap::new();
        for operation in self.log(|operation| matches!(operation.what, What::Created(_))) {
            *created.entry(operation.table).or_default() += 1;
        }
        created
    }

    /// What leadloop did at both vendors, in the vendors' words.
    pub fn log(&self, wanted: impl Fn(&Operation) -> bool) -> Vec<Operation> {
        let of = |dialect: &mut dyn Dialect| -> Vec<Operation> {
            dialect
                .world()
                .log()
                .iter()
                .filter(|operation| operation.actor == Actor::Integration && wanted(operation))
                .cloned()
                .collect()
        };
        let mut log = self.marketing.with(|dialect, _| of(dialect));
        log.extend(self.crm.with(|dialect, _| of(dialect)));
        log
    }

    /// What was done to the records that are named in these texts, by whomever: for whoever looks into a failure.
    fn stories(&self, texts: &[String]) -> String {
        let names: Vec<&str> = texts
            .iter()
            .flat_map(|text| text.split(|c: char| c.is_whitespace() || "(),:".contains(c)))
            .filter(|word| {
                word.contains('@')
                    || (word.len() >= 12 && word.chars().filter(char::is_ascii_digit).count() >= 6)
            })
            .collect();
        let named = |operation: &Operation| {
            let what = format!("{:?}", operation.what);
            names
                .iter()
                .any(|name| operation.id == *name || what.contains(name))
        };
        let of = |dialect: &mut dyn Dialect| -> Vec<Operation> {
            dialect
                .world()
                .log()
                .iter()
                .filter(|operation| named(operation))
                .cloned()
                .collect()
        };
        let mut story = self.marketing.with(|dialect, _| of(dialect));
        story.extend(self.crm.with(|dialect, _| of(dialect)));
        story.sort_by_key(|operation| operation.at);
        let mut told: Vec<String> = story
            .iter()
            .map(|operation| {
                format!(
                    "{} {:?} {} {} {:?}",
                    operation.at, operation.actor, operation.table, operation.id, operation.what
                )
            })
            .collect();
        for who in names.iter().filter(|name| name.contains('@')) {
            for answer in flow::explain(&self.leadloop, who).unwrap() {
                told.push(format!("now: {}, owed: {}", answer["now"], answer["owed"]));
                told.push(format!("the person: {}", answer["person"]));
            }
        }
        told.join("\n")
    }

    /// How the loop says that it is.
    pub fn status(&self) -> LoopStatus {
        self.board.all().remove(0)
    }
}

fn open(
    clock: &Arc<Paused>,
    marketing: &Site,
    crm: &Site,
    secret: &str,
    store: &Arc<MemoryStore>,
    board: &Board,
) -> Loop {
    let tools = |connection: &str, side, site: &Site| Tools {
        connection: connection.to_owned(),
        side,
        transport: Arc::new(site.clone()) as Arc<dyn Transport>,
        clock: clock.clone(),
        secrets: Arc::new(OneSecret(secret.to_owned())),
        keep: Arc::new(MemoryKeep::default()),
        extra_fields: BTreeMap::new(),
        allow_insecure_loopback: true,
    };
    let marketing = ::hubspot::HubSpot
        .build(
            HUBSPOT.parse().unwrap(),
            tools("marketing", Side::Marketing, marketing),
        )
        .unwrap();
    let crm = ::salesforce::Salesforce
        .build(SALESFORCE.parse().unwrap(), tools("crm", Side::Crm, crm))
        .unwrap();
    Loop::open(
        flow::Settings {
            name: "rehearsal".to_owned(),
            every: Duration::from_secs(30),
            sweep_every: SignedDuration::from_hours(24),
            asked: BTreeMap::new(),
        },
        marketing,
        crm,
        Arc::new(agreement::parse(agreement::TEMPLATE).unwrap()),
        State::new(store.clone() as Arc<dyn Store>, "rehearsal"),
        clock.clone(),
        board.clone(),
    )
    .unwrap()
}

const HUBSPOT: &str = r#"
base_url = "http://127.0.0.1:8080"
token = { env = "TOKEN" }
share = 1.0
"#;

const SALESFORCE: &str = r#"
login_url = "http://127.0.0.1:8081"
client_credentials = { client_id = "3MVG9-leadloop-simulator", client_secret = { env = "SECRET" } }
share = 1.0
fields.contact = { status = "Contact_Status__c", status_reason = "Contact_Status_Reason__c" }
fields.lead = { status_reason = "Status_Reason__c" }
fields.account = { domains = "Domains__c" }
fields.opportunity = { lost_reason = "Lost_Reason__c" }
"#;
