//! What the loops tell of themselves, for status, health and metrics.

use crate::store::state::Counters;
use contract::Usage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Where loops hang up how they are, and others read it.
#[derive(Clone, Debug, Default)]
pub struct Board {
    loops: Arc<Mutex<BTreeMap<String, LoopStatus>>>,
    beats: Arc<AtomicU64>,
}

/// How one loop is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoopStatus {
    /// Its name.
    pub name: String,
    /// The agreement in force.
    pub agreement_version: u32,
    /// When the last cycle ended.
    pub last_cycle: Option<Timestamp>,
    /// Whether that cycle found nothing to do and left nothing.
    pub quiet: bool,
    /// Changes it took in.
    pub read: usize,
    /// Writes it delivered.
    pub written: usize,
    /// What the loop has done since its state began.
    pub counters: Counters,
    /// Its two sides.
    pub sides: BTreeMap<String, SideStatus>,
}

/// How one side of a loop is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SideStatus {
    /// The vendor.
    pub vendor: String,
    /// Its streams.
    pub streams: BTreeMap<String, StreamStatus>,
    /// Writes owed to it.
    pub outbox: usize,
    /// What is the matter, in words.
    pub trouble: Option<String>,
    /// Whether somebody must act.
    pub parked: bool,
    /// Nothing is asked before this moment.
    pub paused_until: Option<Timestamp>,
    /// What has been used of the budget.
    pub usage: Usage,
}

/// How far one stream is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Whether it has been read to its end at least once.
    pub complete: bool,
    /// When it was last read to its end.
    pub read_at: Option<Timestamp>,
}

impl Board {
    /// Hangs up how a loop is.
    pub fn put(&self, status: LoopStatus) {
        self.lock().insert(status.name.clone(), status);
        self.beat();
    }

    /// How all loops are.
    pub fn all(&self) -> Vec<LoopStatus> {
        self.lock().values().cloned().collect()
    }

    /// Something has moved: a page, a decision, an answer. The watchdog looks at this.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something has moved.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, LoopStatus>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
