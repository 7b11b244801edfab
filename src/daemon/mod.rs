//! Puts the rooms together: from a configuration to connectors, loops, admin interface and signals.

mod desk;

pub use desk::status;

use crate::{
    admin,
    config::{self, Config, Outside, Surroundings},
    flow::{self, Board, Loop},
    store::{DiskStore, Options, Store, state::State},
    telemetry::{Notify, Watchdog},
};
use anyhow::Context;
use contract::Connector;
use desk::Desk;
use jiff::Timestamp;
use kit::{FileKeep, Network, NetworkSettings, Side, SystemClock, SystemSecrets};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
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
