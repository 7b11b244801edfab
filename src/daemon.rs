//! Puts the rooms together: from a configuration to connectors, loops, admin interface and signals.

use crate::{
    admin::{self, Action, Panel},
    config::{self, Config, Outside, Surroundings},
    flow::{self, Board, Loop, Order},
    store::{DiskStore, Options, Store, state::State},
    telemetry::{Notify, Watchdog},
};
use anyhow::Context;
use contract::Connector;
use jiff::Timestamp;
use kit::{FileKeep, Network, NetworkSettings, Side, SystemClock, SystemSecrets};
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap, path::PathBuf, sync::Arc, sync::atomic::AtomicU64, time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

/// What a command stands on: connectors as configured.
pub struct Connected {
    /// Connectors by connection.
    pub connectors: BTreeMap<String, Arc<dyn Connector>>,
}

/// Builds the connectors of a configuration on the real network.
///
/// # Errors
/// A setting is wrong, or the network cannot be set up.
pub fn connect(config: &Config, surroundings: &Surroundings) -> anyhow::Result<Connected> {
    let keep = Arc::new(FileKeep::new(config.state.join("keep"), None));
    connect_keeping(config, surroundings, keep)
}

/// Builds the connectors of a configuration, with small values kept elsewhere.
///
/// # Errors
/// As [`connect`].
pub fn connect_keeping(
    config: &Config,
    surroundings: &Surroundings,
    keep: Arc<dyn kit::Keep>,
) -> anyhow::Result<Connected> {
    let network = |allow_insecure_loopback| {
        Network::new(NetworkSettings {
            allow_insecure_loopback,
            ..NetworkSettings::default()
        })
        .context("the network cannot be set up")
    };
    let credentials = surroundings
        .env
        .get("CREDENTIALS_DIRECTORY")
        .map(PathBuf::from);
    let outside = Outside {
        network: Arc::new(network(false)?),
        loopback: Arc::new(network(true)?),
        clock: Arc::new(SystemClock),
        secrets: Arc::new(SystemSecrets::new(credentials, surroundings.env.clone())),
        keep,
    };
    Ok(Connected {
        connectors: config.connect(&outside)?,
    })
}

/// Opens the state of a configuration, and says what was found on the way.
///
/// # Errors
/// See [`crate::store::Error`].
pub fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let opened = DiskStore::open(&config.state, Options::at(Timestamp::now()))
        .with_context(|| format!("the state in {} cannot be opened", config.state.display()))?;
    for notice in opened.notices {
        tracing::warn!("{notice}");
    }
    Ok(Arc::new(opened.store))
}

/// How the loops are by their stored state alone.
///
/// # Errors
/// See [`crate::store::Error`].
pub fn stored(config: &Config) -> anyhow::Result<Vec<flow::LoopStatus>> {
    stored_in(config, &open_store(config)?)
}

/// How the loops are by this store alone.
///
/// # Errors
/// See [`crate::store::Error`].
pub fn stored_in(config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<Vec<flow::LoopStatus>> {
    let mut loops = Vec::new();
    for (name, settings) in &config.loops {
        let state = State::new(store.clone(), name);
        let read = state.read();
        let mut sides = BTreeMap::new();
        for (side, connection) in [
            (Side::Marketing, &settings.marketing),
            (Side::Crm, &settings.crm),
        ] {
            let mut of = flow::SideStatus {
                vendor: config.connections[connection].connector.clone(),
                outbox: read.outbox_size(side, usize::MAX)?,
                ..flow::SideStatus::default()
            };
            for kind in contract::Kind::ALL {
                let stream = read.stream(side, kind)?;
                if !stream.cursor.is_start() || stream.complete {
                    of.streams.insert(
                        kind.to_string(),
                        flow::status::StreamStatus {
                            complete: stream.complete,
                            read_at: stream.read_at,
                        },
                    );
                }
            }
            sides.insert(side.to_string(), of);
        }
        let counters = read.counters()?;
        loops.push(flow::LoopStatus {
            name: name.clone(),
            agreement_version: settings.agreement.version,
            counters,
            sides,
            ..flow::LoopStatus::default()
        });
    }
    Ok(loops)
}

/// Opens every loop of a configuration on a store.
///
/// # Errors
/// The state cannot be read.
pub fn open_loops(
    config: &Config,
    connected: &Connected,
    store: &Arc<dyn Store>,
    board: &Board,
) -> anyhow::Result<Vec<Loop>> {
    let mut loops = Vec::new();
    for (name, settings) in &config.loops {
        let opened = Loop::open(
            loop_settings(config, name),
            connected.connectors[&settings.marketing].clone(),
            connected.connectors[&settings.crm].clone(),
            settings.agreement.clone(),
            State::new(store.clone(), name),
            Arc::new(SystemClock),
            board.clone(),
        )?;
        loops.push(opened);
    }
    Ok(loops)
}

/// How a loop of a configuration runs.
pub fn loop_settings(config: &Config, name: &str) -> flow::Settings {
    let settings = &config.loops[name];
    let asked = BTreeMap::from([
        (Side::Marketing, config.asked(&settings.marketing)),
        (Side::Crm, config.asked(&settings.crm)),
    ]);
    flow::Settings {
        name: name.to_owned(),
        every: settings.every,
        sweep_every: settings.sweep_every,
        asked,
    }
}

/// Puts the configured agreement in force.
fn agree(config: &Config, opened: &mut Loop) -> anyhow::Result<()> {
    let settings = &config.loops[opened.name()];
    opened.agree(settings.agreement.clone(), &settings.agreement_text)?;
    Ok(())
}

/// Says where the state holds loops that the configuration no longer names: a renamed loop begins anew.
fn warn_of_strangers(config: &Config, store: &dyn Store) -> anyhow::Result<()> {
    let mut after = None;
    while let Some((key, _)) = store.scan(b"l/", after.as_deref(), 1)?.into_iter().next() {
        let name = String::from_utf8_lossy(&key)
            .split('/')
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        if !config.loops.contains_key(&name) {
            tracing::warn!(
                loop_name = name,
                "the state holds a loop that is not configured; a loop that was renamed begins anew: give it back its name"
            );
        }
        // Behind every key of this loop: `0` follows `/`.
        after = Some(format!("l/{name}0").into_bytes());
    }
    Ok(())
}

/// Runs every loop once, one after the other, until all is quiet.
///
/// # Errors
/// The state fails, or a side cannot be asked.
pub async fn once(
    config: &Config,
    surroundings: &Surroundings,
) -> anyhow::Result<Vec<flow::LoopStatus>> {
    let connected = connect(config, surroundings)?;
    let store = open_store(config)?;
    let board = Board::default();
    let (stopper, stop) = watch::channel(false);
    let asked = tokio::spawn(until_told(stopper));
    warn_of_strangers(config, store.as_ref())?;
    for mut opened in open_loops(config, &connected, &store, &board)? {
        agree(config, &mut opened)?;
        opened.run_once(stop.clone()).await?;
    }
    asked.abort();
    Ok(board.all())
}

/// Runs until SIGTERM or SIGINT. SIGHUP reads the configuration again; a bad one changes nothing.
///
/// # Errors
/// The configuration is wrong at the start, or the state fails.
pub async fn run(mut config: Config, surroundings: &Surroundings) -> anyhow::Result<()> {
    let notify = Notify;
    let store = open_store(&config)?;
    let board = Board::default();
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be listened to")?;
    let (stopper, stop) = watch::channel(false);
    tokio::spawn(until_told(stopper));
    if let Some(interval) = notify.watchdog() {
        let beats = board.clone();
        tokio::spawn(Watchdog::new(move || beats.beats()).run(interval, notify));
    }
    let desk = Arc::new(Desk {
        board: board.clone(),
        store: store.clone(),
        started: Timestamp::now(),
        orders: std::sync::Mutex::new(BTreeMap::new()),
    });
    let (closer, closing) = watch::channel(false);
    let mut served = tokio::spawn(serve(desk.clone(), config.admin.clone(), closing));
    loop {
        let connected = connect(&config, surroundings)?;
        let (halter, halt) = watch::channel(false);
        let mut running = JoinSet::new();
        let mut orders = BTreeMap::new();
        warn_of_strangers(&config, store.as_ref())?;
        for mut opened in open_loops(&config, &connected, &store, &board)? {
            agree(&config, &mut opened)?;
            let (sender, receiver) = mpsc::channel(16);
            orders.insert(opened.name().to_owned(), sender);
            let halt = halt.clone();
            running.spawn(async move { opened.run(halt, receiver).await });
        }
        desk.take_orders(orders);
        notify.ready();
        tracing::info!(loops = running.len(), state = %config.state.display(), "running");
        let mut stop = stop.clone();
        let mut status = tokio::time::interval(Duration::from_secs(15));
        let next = loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break None,
                _ = hangup.recv() => {
                    notify.reloading();
                    match Config::load(&config.file, surroundings).map_err(anyhow::Error::from).and_then(|new| connect(&new, surroundings).map(|_| new)) {
                        Ok(new) => break Some(new),
                        Err(error) => {
                            tracing::error!(error = format!("{error:#}"), "the configuration is not taken; the old one stays in force");
                            notify.ready();
                        }
                    }
                }
                Some(ended) = running.join_next() => {
                    // A loop ends by itself only when its state has failed: then nothing can be promised any more.
                    ended.context("a loop broke down")??;
                }
                // It ends by itself only when it cannot be had: then nobody could ask us anything.
                ended = &mut served => return ended.context("the admin interface broke down")?,
                _ = status.tick() => notify.status(&summary(&board)),
            }
        };
        if next.is_none() {
            notify.stopping();
            tracing::info!("stopping");
        }
        halter.send_replace(true);
        while let Some(ended) = running.join_next().await {
            ended.context("a loop broke down")??;
        }
        match next {
            Some(new)
                if new.state != config.state
                    || new.admin.socket != config.admin.socket
                    || new.admin.listen != config.admin.listen =>
            {
                tracing::warn!(
                    "a new state directory or admin address needs a restart; everything else is taken"
                );
                config = new.staying_at(&config);
            }
            Some(new) => config = new,
            None => break,
        }
    }
    closer.send_replace(true);
    let _ = served.await;
    Ok(())
}

async fn serve(
    desk: Arc<Desk>,
    admin: config::Admin,
    mut closing: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let shutdown = async move {
        let _ = closing.wait_for(|closing| *closing).await;
    };
    admin::serve(desk, admin.socket, admin.listen, shutdown)
        .await
        .context("the admin interface does not run")
}

/// Flips the switch at SIGTERM or SIGINT.
async fn until_told(stopper: watch::Sender<bool>) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stopper.send_replace(true);
}

fn summary(board: &Board) -> String {
    let loops: Vec<String> = board
        .all()
        .into_iter()
        .map(|status| {
            let trouble: Vec<String> = status
                .sides
                .iter()
                .filter_map(|(side, of)| {
                    of.trouble
                        .as_ref()
                        .map(|trouble| format!("{side}: {trouble}"))
                })
                .collect();
            let owed: usize = status.sides.values().map(|side| side.outbox).sum();
            let last = status.last_cycle.map_or("never".to_owned(), |at| {
                at.strftime("%H:%M:%SZ").to_string()
            });
            let rest = if trouble.is_empty() {
                String::new()
            } else {
                format!("; {}", trouble.join("; "))
            };
            format!(
                "{}: last cycle {last}, {} read, {} written, {owed} owed{rest}",
                status.name, status.read, status.written
            )
        })
        .collect();
    loops.join(" | ")
}

/// Answers the admin interface.
struct Desk {
    board: Board,
    store: Arc<dyn Store>,
    started: Timestamp,
    orders: std::sync::Mutex<BTreeMap<String, mpsc::Sender<Order>>>,
}

impl Desk {
    fn take_orders(&self, orders: BTreeMap<String, mpsc::Sender<Order>>) {
        *self
            .orders
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = orders;
    }

    fn loops(&self) -> Vec<mpsc::Sender<Order>> {
        self.orders
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Asks every loop the same and gathers the answers.
    async fn ask<T>(
        &self,
        order: impl Fn(oneshot::Sender<Result<T, String>>) -> Order,
    ) -> anyhow::Result<Vec<Result<T, String>>> {
        let mut answers = Vec::new();
        for sender in self.loops() {
            let (answer, answered) = oneshot::channel();
            sender
                .send(order(answer))
                .await
                .ok()
                .context("the loop is not running")?;
            let answer = tokio::time::timeout(Duration::from_secs(25), answered)
                .await
                .context("the loop is busy with a long cycle; ask again later")?;
            answers.push(answer.context("the loop has stopped")?);
        }
        Ok(answers)
    }
}

#[async_trait::async_trait]
impl Panel for Desk {
    fn status(&self) -> Value {
        status(&self.board.all(), self.store.as_ref(), Some(self.started))
    }

    fn live(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        let loops = self.board.all();
        if loops.is_empty() {
            return Err("no loop has finished a cycle yet".to_owned());
        }
        let parked = loops
            .iter()
            .flat_map(|status| {
                status
                    .sides
                    .iter()
                    .map(move |(side, of)| (status, side, of))
            })
            .find(|(_, _, of)| of.parked);
        match parked {
            Some((status, side, of)) => Err(format!(
                "{} {side}: {}",
                status.name,
                of.trouble.as_deref().unwrap_or("parked")
            )),
            None => Ok(()),
        }
    }

    fn metrics(&self) -> String {
        metrics(&self.board.all(), self.store.as_ref())
    }

    async fn explain(&self, who: &str) -> anyhow::Result<Value> {
        let answers = self
            .ask(|answer| Order::Explain {
                who: who.to_owned(),
                answer,
            })
            .await?;
        gather(answers)
    }

    async fn act(&self, action: Action) -> anyhow::Result<Value> {
        match action {
            Action::Reviews => gather(self.ask(|answer| Order::Review { answer }).await?),
            Action::Retry { who } => {
                let answers = self
                    .ask(|answer| Order::Retry {
                        who: who.clone(),
                        answer,
                    })
                    .await?;
                let counts = answers
                    .into_iter()
                    .collect::<Result<Vec<usize>, String>>()
                    .map_err(anyhow::Error::msg)?;
                Ok(json!({"tried_again": counts.iter().sum::<usize>()}))
            }
            Action::Rule {
                person,
                field,
                take,
                by,
                why,
            } => {
                let take = match take.as_str() {
                    "marketing" => Side::Marketing,
                    "crm" => Side::Crm,
                    other => {
                        return Err(admin::Refusal::Invalid(format!(
                            "take is marketing or crm, not {other}"
                        ))
                        .into());
                    }
                };
                let answers = self
                    .ask(|answer| Order::Rule {
                        who: person.clone(),
                        field: field.clone(),
                        take,
                        by: by.clone(),
                        why: why.clone(),
                        answer,
                    })
                    .await?;
                let refused = answers
                    .iter()
                    .find_map(|answer| answer.as_ref().err())
                    .cloned();
                match (answers.into_iter().find_map(Result::ok), refused) {
                    (Some(said), _) => Ok(json!({"said": said})),
                    (None, refused) => Err(anyhow::Error::msg(
                        refused.unwrap_or_else(|| "no loop is running".to_owned()),
                    )),
                }
            }
        }
    }
}

fn gather(answers: Vec<Result<Vec<Value>, String>>) -> anyhow::Result<Value> {
    let answers = answers
        .into_iter()
        .collect::<Result<Vec<_>, String>>()
        .map_err(anyhow::Error::msg)?;
    Ok(Value::Array(answers.into_iter().flatten().collect()))
}

/// The state of everything, as one object.
pub fn status(loops: &[flow::LoopStatus], store: &dyn Store, started: Option<Timestamp>) -> Value {
    let state = store.stats().map(|stats| json!({"rows_bytes": stats.row_bytes, "ledger_bytes": stats.ledger_bytes, "frames": stats.frames})).unwrap_or_default();
    json!({"version": env!("CARGO_PKG_VERSION"), "running_since": started, "loops": loops, "state": state})
}

fn metrics(loops: &[flow::LoopStatus], store: &dyn Store) -> String {
    type Labels = Vec<(String, String)>;
    type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
    let mut registry = Registry::with_prefix("leadloop");
    let mut family = |name: &str, help: &str| {
        let gauges = Gauges::default();
        registry.register(name, help, gauges.clone());
        gauges
    };
    let counted = family(
        "count",
        "What a loop has done since its state began, by what",
    );
    let owed = family("outbox", "Writes owed to a side");
    let parked = family("parked", "1 where a side waits for somebody to act");
    let cycle = family("last_cycle_timestamp_seconds", "When the last cycle ended");
    let read = family(
        "stream_read_timestamp_seconds",
        "When a stream last had something to tell and was read to its end",
    );
    let calls = family("calls", "Calls made to a side since the start");
    let today = family(
        "calls_today",
        "Calls made to a side in the vendor's present day",
    );
    let left = family(
        "quota_left",
        "What is left of the vendor's daily quota for everybody",
    );
    let bytes = family("state_bytes", "Size of the state on disk");
    let label = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Labels>()
    };
    for status in loops {
        let name = status.name.as_str();
        for (what, count) in &status.counters.0 {
            counted
                .get_or_create(&label(&[("loop", name), ("what", what)]))
                .set(*count as f64);
        }
        if let Some(at) = status.last_cycle {
            cycle
                .get_or_create(&label(&[("loop", name)]))
                .set(at.as_second() as f64);
        }
        for (side, of) in &status.sides {
            let labels = label(&[("loop", name), ("side", side)]);
            owed.get_or_create(&labels).set(of.outbox as f64);
            parked
                .get_or_create(&labels)
                .set(f64::from(u8::from(of.parked)));
            calls.get_or_create(&labels).set(of.usage.calls as f64);
            today.get_or_create(&labels).set(of.usage.today as f64);
            if let Some(quota) = of.usage.daily_left {
                left.get_or_create(&labels).set(quota as f64);
            }
            for (kind, stream) in &of.streams {
                if let Some(at) = stream.read_at {
                    read.get_or_create(&label(&[("loop", name), ("side", side), ("stream", kind)]))
                        .set(at.as_second() as f64);
                }
            }
        }
    }
    if let Ok(stats) = store.stats() {
        bytes
            .get_or_create(&label(&[("part", "rows")]))
            .set(stats.row_bytes as f64);
        bytes
            .get_or_create(&label(&[("part", "ledger")]))
            .set(stats.ledger_bytes as f64);
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}
