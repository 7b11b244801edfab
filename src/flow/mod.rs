//! The loops and the waits: poll, decide, deliver, and look again.
//!
//! ```text
//! poll -> page -> mirror + cursor (one commit) -> decide -> intents + history (one commit) -> deliver -> outcome (one commit)
//! ```
//!
//! One writer per loop. A crash anywhere is repaired by looking again, because decisions are made from state. Nothing is
//! decided before every stream has been read to its end once: until then absence means nothing.

mod deliver;
mod doubt;
mod health;
mod intake;
mod poll;
pub mod preview;
mod resolve;
pub mod status;
mod survey;
mod sweep;

pub use resolve::{explain, review, rule};
pub use status::{Board, LoopStatus, SideStatus};
pub use survey::Survey;

use health::{Ailment, Condition};

use crate::{
    agreement::Agreement,
    decide::{User, matching::Index, view::Limits},
    store::{
        self,
        state::{Counters, Owed, Progress, State},
    },
};
use contract::{Connector, Id, Kind};
use jiff::{SignedDuration, Timestamp};
use kit::{Clock, Side};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// Most writes in the outbox of one side before deciding pauses.
const OUTBOX_BOUND: usize = 20_000;

/// After this time vendors show what was just done: longer than the settling time and the index lag that they are known for.
const SHOWS_AFTER: Duration = Duration::from_secs(5);

/// What is to happen later than this is not waited for by a run that comes to an end.
const SOON: SignedDuration = SignedDuration::from_mins(1);

/// How often a waiting loop says that it is alive.
const ALIVE: Duration = Duration::from_secs(10);

/// What people ask of a running loop.
#[derive(Debug)]
pub enum Order {
    /// Everything known and decided about somebody.
    Explain {
        /// An e-mail address or an id.
        who: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Vec<serde_json::Value>, String>>,
    },
    /// What awaits the arbiter, and what was refused.
    Review {
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Vec<serde_json::Value>, String>>,
    },
    /// Try refused writes again: somebody's, or all.
    Retry {
        /// An e-mail address or an id.
        who: Option<String>,
        /// Where the answer goes: how many there were.
        answer: oneshot::Sender<Result<usize, String>>,
    },
    /// The arbiter's ruling on a field.
    Rule {
        /// An e-mail address or an id.
        who: String,
        /// The field.
        field: String,
        /// The side whose value stands.
        take: Side,
        /// Who decides.
        by: String,
        /// Why.
        why: Option<String>,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<String, String>>,
    },
}

/// One marketing connection and one CRM connection, kept in step under one agreement.
pub struct Loop {
    settings: Settings,
    connectors: BTreeMap<Side, Arc<dyn Connector>>,
    agreement: Arc<Agreement>,
    state: State,
    clock: Arc<dyn Clock>,
    board: Board,
    knowledge: Knowledge,
    sides: BTreeMap<Side, Condition>,
    /// Streams that the vendor refuses or tells unintelligibly. The others of the side go on.
    ailing: BTreeMap<(Side, Kind), Ailment>,
    /// How often a write was refused with "look again", since this process started.
    looked: BTreeMap<contract::IntentId, u32>,
}

/// How a loop runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The loop's name.
    pub name: String,
    /// The time between two polls.
    pub every: Duration,
    /// The time in which every record held is looked up again, to find what the vendor does not tell.
    pub sweep_every: SignedDuration,
    /// What each side is asked for, as a fingerprint. Where it changes, the side's streams are read again from the beginning.
    pub asked: BTreeMap<Side, String>,
}

/// What a loop holds in memory: all of it can be had again from the state.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// The loop's name.
    pub loop_name: String,
    /// The CRM's accounts.
    pub accounts: Index,
    /// The CRM's users.
    pub owners: BTreeMap<Id, User>,
    /// Longest texts that the sides take.
    pub limits: Limits,
    /// What the loop has done.
    pub counters: Counters,
}

/// Why a loop stops.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state cannot be read or written: nothing more is promised until it is opened again.
    #[error("the state of loop {loop_name} failed")]
    Store {
        /// The loop.
        loop_name: String,
        /// Why.
        #[source]
        source: store::Error,
    },
    /// `run --once` cannot come to an end because a side does not answer.
    #[error("loop {loop_name}: {side}: {detail}")]
    Blocked {
        /// The loop.
        loop_name: String,
        /// The side.
        side: Side,
        /// What is the matter, and the remedy.
        detail: String,
    },
}

/// What one cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// Changes taken in.
    pub read: usize,
    /// Writes delivered.
    pub written: usize,
    /// Whether something is left that waits for its time.
    pub waiting: bool,
}

impl Cycle {
    /// Whether nothing happened and nothing is left to happen.
    pub fn is_quiet(&self) -> bool {
        self.read == 0 && self.written == 0 && !self.waiting
    }
}

impl Loop {
    /// Opens a loop on its state: links are restored and the index is built from the mirrors.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn open(
        settings: Settings,
        marketing: Arc<dyn Connector>,
        crm: Arc<dyn Connector>,
        agreement: Arc<Agreement>,
        state: State,
        clock: Arc<dyn Clock>,
        board: Board,
    ) -> Result<Loop, Error> {
        let knowledge = Knowledge {
            loop_name: settings.name.clone(),
            ..Knowledge::default()
        };
        let mut opened = Loop {
            connectors: BTreeMap::from([(Side::Marketing, marketing), (Side::Crm, crm)]),
            agreement,
            state,
            clock,
            board,
            knowledge,
            sides: BTreeMap::from([
                (Side::Marketing, Condition::default()),
                (Side::Crm, Condition::default()),
            ]),
            ailing: BTreeMap::new(),
            looked: BTreeMap::new(),
            settings,
        };
        opened.remember().map_err(|source| opened.failed(source))?;
        Ok(opened)
    }

    fn remember(&mut self) -> Result<(), store::Error> {
        let now = self.clock.now();
        let restored = self.state.restore_links(now)?;
        if restored > 0 {
            tracing::warn!(
                restored,
                "links were restored from the ledger; both sides are read again"
            );
        }
        self.ask_anew(now)?;
        self.knowledge.counters = self.state.read().counters()?;
        for (key, lives_on) in self.state.read().buried_accounts()? {
            self.knowledge.accounts.bury(key, lives_on);
        }
        for kind in [Kind::User, Kind::Account, Kind::Contact, Kind::Opportunity] {
            let mut after: Option<Id> = None;
            loop {
                let records = self
                    .state
                    .read()
                    .mirrors(Side::Crm, kind, after.as_ref(), 1000)?;
                let Some(last) = records.last() else { break };
                after = Some(last.id.clone());
                for record in &records {
                    match kind {
                        Kind::User => {
                            let name = record
                                .fields
                                .text(contract::field::NAME)
                                .unwrap_or_default()
                                .to_owned();
                            let active = record
                                .fields
                                .get(contract::field::ACTIVE)
                                .is_none_or(|active| active.as_bool().unwrap_or(true));
                            self.knowledge
                                .owners
                                .insert(record.id.clone(), User { name, active });
                        }
                        Kind::Account => self.knowledge.accounts.put_account(record),
                        Kind::Contact => {
                            self.knowledge.accounts.contact_changed(None, Some(record))
                        }
                        _ => self
                            .knowledge
                            .accounts
                            .opportunity_changed(None, Some(record)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Streams that were read under other settings, or for other fields, are read again: what is not in the mirrors would
    /// pass for blank.
    fn ask_anew(&self, now: Timestamp) -> Result<(), store::Error> {
        let mut change = self.state.change(now);
        for (side, asked) in &self.settings.asked {
            for kind in streams(self.connectors[side].as_ref()) {
                let stream = change.stream(*side, kind)?;
                if stream.asked.as_ref() == Some(asked) {
                    continue;
                }
                if stream.asked.is_some() {
                    tracing::info!(loop_name = self.settings.name, %side, %kind, "settings or fields have changed: the stream is read again");
                }
                let fresh = store::state::Stream {
                    cursor: contract::Cursor::start(),
                    complete: false,
                    asked: Some(asked.clone()),
                    ..stream
                };
                change.put_stream(*side, kind, &fresh)?;
            }
        }
        if change.is_empty() {
            Ok(())
        } else {
            self.state.commit(change)
        }
    }

    /// The loop's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Puts another agreement in force. Everybody is decided on again; the history cites the version.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn agree(&mut self, agreement: Arc<Agreement>, text: &str) -> Result<(), Error> {
        self.agreement = agreement;
        let result = self.put_in_force(text);
        result.map_err(|source| self.failed(source))
    }

    fn put_in_force(&mut self, text: &str) -> Result<(), store::Error> {
        use sha2::{Digest, Sha256};
        let fingerprint: String = Sha256::digest(text.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if self.state.read().agreement()?.as_ref() == Some(&fingerprint) {
            return Ok(());
        }
        // First everybody is due, then it is in force: a crash between the two repeats the first.
        resolve::everybody_due(&self.state, self.clock.now())?;
        let mut change = self.state.change(self.clock.now());
        change.put_agreement(&fingerprint);
        change.fact(serde_json::json!({"fact": "agreement", "loop": self.settings.name, "version": self.agreement.version, "arbiter": self.agreement.arbiter, "sha256": fingerprint, "text": text}));
        self.state.commit(change)
    }

    /// Runs until told to stop. Between two cycles it takes orders, and says that it is alive.
    ///
    /// # Errors
    /// [`Error::Store`]: nothing can be promised any more.
    pub async fn run(
        &mut self,
        mut stop: watch::Receiver<bool>,
        mut orders: mpsc::Receiver<Order>,
    ) -> Result<(), Error> {
        while !*stop.borrow() {
            let started = tokio::time::Instant::now();
            self.cycle(&stop).await?;
            let next = started + self.settings.every;
            let mut waiting = true;
            while waiting && !*stop.borrow() {
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => waiting = false,
                    order = orders.recv() => match order {
                        Some(order) => waiting = !blocking(|| self.obey(order)),
                        None => waiting = false,
                    },
                    () = tokio::time::sleep_until(next) => waiting = false,
                    () = tokio::time::sleep(ALIVE) => self.board.beat(),
                }
            }
        }
        Ok(())
    }

    /// Carries out an order. Returns whether it is worth a cycle at once.
    fn obey(&mut self, order: Order) -> bool {
        // Whoever asked may have gone away meanwhile; then nobody needs the answer.
        match order {
            Order::Explain { who, answer } => {
                let _ = answer.send(explain(self, &who).map_err(|error| error.to_string()));
                false
            }
            Order::Review { answer } => {
                let _ = answer.send(review(&self.state).map_err(|error| error.to_string()));
                false
            }
            Order::Retry { who, answer } => {
                let _ = answer.send(
                    self.retry(who.as_deref())
                        .map_err(|error| error.to_string()),
                );
                true
            }
            Order::Rule {
                who,
                field,
                take,
                by,
                why,
                answer,
            } => {
                let _ = answer.send(rule(self, &who, &field, take, &by, why.as_deref()));
                true
            }
        }
    }

    /// Runs until both sides are quiet and nothing is owed.
    ///
    /// # Errors
    /// [`Error::Store`], or [`Error::Blocked`] where a side cannot be asked.
    pub async fn run_once(&mut self, stop: watch::Receiver<bool>) -> Result<(), Error> {
        let mut settled = true;
        loop {
            let cycle = self.cycle(&stop).await?;
            let blocked = self.sides.iter().find(|(_, condition)| {
                condition.parked
                    || condition.failures >= 3
                    || condition.paused_for(self.clock.now()) > SignedDuration::from_mins(5)
            });
            if let Some(((side, _), ailment)) = self
                .ailing
                .iter()
                .find(|(_, ailment)| ailment.failures >= 3)
            {
                return Err(Error::Blocked {
                    loop_name: self.settings.name.clone(),
                    side: *side,
                    detail: ailment.detail.clone(),
                });
            }
            if let Some((side, condition)) = blocked {
                let detail = condition
                    .trouble
                    .clone()
                    .unwrap_or_else(|| "it asks us to wait for long".to_owned());
                return Err(Error::Blocked {
                    loop_name: self.settings.name.clone(),
                    side: *side,
                    detail,
                });
            }
            let troubled = self
                .sides
                .values()
                .any(|condition| condition.trouble.is_some())
                || !self.ailing.is_empty();
            if (cycle.is_quiet() && !troubled && settled) || *stop.borrow() {
                return Ok(());
            }
            // What was just done shows at the vendors a little later: quiet is what stays quiet until then.
            settled = cycle.is_quiet();
            tokio::time::sleep(SHOWS_AFTER).await;
        }
    }

    /// One cycle: poll both sides, decide, deliver, until nothing more follows from it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn cycle(&mut self, stop: &watch::Receiver<bool>) -> Result<Cycle, Error> {
        let result = self.try_cycle(stop).await;
        let cycle = result.map_err(|source| self.failed(source))?;
        self.report(cycle);
        Ok(cycle)
    }

    async fn try_cycle(&mut self, stop: &watch::Receiver<bool>) -> Result<Cycle, store::Error> {
        let mut cycle = Cycle::default();
        self.learn_limits().await;
        self.look_into_doubts().await?;
        for side in [Side::Crm, Side::Marketing] {
            cycle.read += self.poll(side, stop).await?;
        }
        self.sweep().await?;
        while !*stop.borrow() {
            let decided = self.decide_due()?;
            let written = self.deliver(stop).await?;
            cycle.written += written;
            if decided == 0 && written == 0 {
                break;
            }
        }
        cycle.waiting = self.something_waits()?;
        Ok(cycle)
    }

    /// Whether something is left that can be expected to happen soon. What a vendor has put off again and again, or for long,
    /// is not waited for: it stays in the outbox.
    fn something_waits(&self) -> Result<bool, store::Error> {
        if !self.is_complete()? {
            return Ok(true);
        }
        let read = self.state.read();
        let soon = self.clock.now().checked_add(SOON).unwrap_or(Timestamp::MAX);
        let expected = |owed: &Owed| match owed.progress {
            Progress::InDoubt(_) => true,
            Progress::Waiting(until) => until <= soon && owed.attempts < 6,
        };
        Ok(!read.next_due(1)?.is_empty()
            || read
                .owed(Side::Marketing)?
                .iter()
                .chain(&read.owed(Side::Crm)?)
                .any(expected))
    }

    /// Whether every stream has been read to its end at least once.
    fn is_complete(&self) -> Result<bool, store::Error> {
        let read = self.state.read();
        for (side, connector) in &self.connectors {
            for kind in streams(connector.as_ref()) {
                if !read.stream(*side, kind)?.complete {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn failed(&self, source: store::Error) -> Error {
        Error::Store {
            loop_name: self.settings.name.clone(),
            source,
        }
    }

    fn report(&self, cycle: Cycle) {
        let now = self.clock.now();
        let read = self.state.read();
        let mut sides = BTreeMap::new();
        for (side, connector) in &self.connectors {
            let condition = &self.sides[side];
            let mut streams_status = BTreeMap::new();
            for kind in streams(connector.as_ref()) {
                let stream = read.stream(*side, kind).unwrap_or_default();
                streams_status.insert(
                    kind.to_string(),
                    status::StreamStatus {
                        complete: stream.complete,
                        read_at: stream.read_at,
                    },
                );
            }
            let owed = read.outbox_size(*side, OUTBOX_BOUND).unwrap_or_default();
            let mut ailing = self.ailing.iter().filter(|((of, _), _)| of == side);
            sides.insert(
                side.to_string(),
                SideStatus {
                    vendor: connector.capabilities().vendor.to_owned(),
                    streams: streams_status,
                    outbox: owed,
                    trouble: condition
                        .trouble
                        .clone()
                        .or_else(|| ailing.next().map(|(_, ailment)| ailment.detail.clone())),
                    parked: condition.parked,
                    paused_until: condition.paused_until,
                    usage: connector.usage(),
                },
            );
        }
        self.board.put(LoopStatus {
            name: self.settings.name.clone(),
            agreement_version: self.agreement.version,
            last_cycle: Some(now),
            quiet: cycle.is_quiet(),
            read: cycle.read,
            written: cycle.written,
            counters: self.knowledge.counters.clone(),
            sides,
        });
    }
}

/// The streams that a connector offers, in the order in which they are read.
fn streams(connector: &dyn Connector) -> impl Iterator<Item = Kind> {
    Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Note && connector.capabilities().reads.contains(kind))
}

/// Runs blocking store work without starving the other tasks, where the runtime has other threads to give.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
