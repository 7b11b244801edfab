//! What a connection may use of its vendor: calls per time, and calls per day across restarts.
//!
//! The day's calls are debited in blocks *before* they are made, so that a crash can only make us
//! use less than we may. Days are counted in UTC; vendors reset at times of their own, and what
//! they tell in their headers comes first.

use crate::{Bucket, Clock, Keep, Tools, pace::Paced};
use contract::{ConnectorError, Usage};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

/// The most calls that are debited at a time.
const BLOCK: u64 = 100;

/// How long we believe that nothing is left of the vendor's day. After it, one call finds out: no
/// vendor says when its day begins.
const BELIEVE_EMPTY: Duration = Duration::from_secs(15 * 60);

/// What a vendor tells about its limits in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls per day, for everybody who uses the account.
    pub daily_limit: Option<u64>,
    /// Calls left today, for everybody.
    pub daily_left: Option<u64>,
    /// Nothing more in this bucket for so long.
    pub wait: Option<Duration>,
}

/// What a connection may use.
pub struct Budget {
    buckets: Vec<Paced>,
    daily: Option<u64>,
    share: f64,
    connection: String,
    keep: Arc<dyn Keep>,
    clock: Arc<dyn Clock>,
    spent: Mutex<Spent>,
}

/// The day's account.
#[derive(Default)]
struct Spent {
    /// Whether what an earlier process kept has been read.
    loaded: bool,
    day: Option<Date>,
    /// Calls made or promised today.
    today: u64,
    /// Calls debited durably; never fewer than `today`.
    debited: u64,
    /// Calls of this process.
    calls: u64,
    limit: Option<u64>,
    left: Option<(u64, Timestamp)>,
}

/// The day's account as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    day: Date,
    debited: u64,
    limit: Option<u64>,
}

impl Budget {
    /// `daily` is our own cap of calls per day; `share` (0 to 1) is how much of the vendor's daily
    /// limit we may use, from the moment it is known. Calls that name none of the buckets count in
    /// the first.
    pub fn new(buckets: Vec<Bucket>, daily: Option<u64>, share: f64, tools: &Tools) -> Budget {
        Budget {
            buckets: buckets.into_iter().map(Paced::new).collect(),
            daily,
            share: if share.is_finite() {
                share.clamp(0.0, 1.0)
            } else {
                1.0
            },
            connection: tools.connection.clone(),
            keep: tools.keep.clone(),
            clock: tools.clock.clone(),
            spent: Mutex::default(),
        }
    }

    /// Waits for a place in the bucket and debits one call.
    ///
    /// # Errors
    /// Throttled where the day is used up, or the vendor asked for a longer wait than `patience`.
    pub(crate) async fn take(
        &self,
        bucket: &str,
        patience: Duration,
    ) -> Result<(), ConnectorError> {
        // Asked twice, so that nobody queues for a place in a day that is used up.
        self.check()?;
        if let Some(paced) = self.paced(bucket) {
            paced.pass(patience).await?;
        }
        self.debit()
    }

    /// Lets nothing through in a bucket for so long.
    pub(crate) fn hold(&self, bucket: &str, wait: Duration) {
        if let Some(paced) = self.paced(bucket) {
            paced.hold(wait);
        }
    }

    /// Takes note of what the vendor told.
    pub(crate) fn observe(&self, bucket: &str, limits: Limits) {
        if let Some(wait) = limits.wait.filter(|wait| !wait.is_zero()) {
            self.hold(bucket, wait);
        }
        let now = self.clock.now();
        let mut spent = self.spent();
        spent.limit = limits.daily_limit.or(spent.limit);
        spent.left = limits.daily_left.map(|left| (left, now)).or(spent.left);
    }

    pub(crate) fn usage(&self) -> Usage {
        let mut spent = self.spent();
        self.turn_day(&mut spent);
        Usage {
            calls: spent.calls,
            today: spent.today,
            daily_limit: spent.limit,
            daily_left: spent.left.map(|(left, _)| left),
            allowance: self.allowance(&spent),
        }
    }

    fn paced(&self, bucket: &str) -> Option<&Paced> {
        self.buckets
            .iter()
            .find(|paced| paced.bucket.name == bucket)
            .or(self.buckets.first())
    }

    fn spent(&self) -> std::sync::MutexGuard<'_, Spent> {
        self.spent.lock().expect("no holder of this lock panics")
    }

    fn allowance(&self, spent: &Spent) -> Option<u64> {
        // Rounded down: a call too few is better than one too many.
        let shared = spent.limit.map(|limit| (limit as f64 * self.share) as u64);
        [self.daily, shared].into_iter().flatten().min()
    }

    fn name(&self) -> String {
        format!("quota-{}", self.connection)
    }

    /// Reads what an earlier process kept, and begins a new day where one has begun.
    fn turn_day(&self, spent: &mut Spent) {
        let today = TimeZone::UTC.to_datetime(self.clock.now()).date();
        if !spent.loaded {
            spent.loaded = true;
            match self.load() {
                Ok(Some(kept)) => {
                    spent.day = Some(kept.day);
                    spent.today = kept.debited;
                    spent.debited = kept.debited;
                    spent.limit = spent.limit.or(kept.limit);
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(
                    connection = self.connection,
                    error,
                    "cannot read what was used of the daily quota; counting from zero"
                ),
            }
        }
        if spent.day != Some(today) {
            spent.day = Some(today);
            spent.today = 0;
            spent.debited = 0;
        }
    }

    fn load(&self) -> Result<Option<Kept>, String> {
        let Some(bytes) = self
            .keep
            .load(&self.name())
            .map_err(|error| error.to_string())?
        else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| error.to_string())
    }

    fn check(&self) -> Result<(), ConnectorError> {
        let mut spent = self.spent();
        self.turn_day(&mut spent);
        self.room(&spent)
    }

    fn room(&self, spent: &Spent) -> Result<(), ConnectorError> {
        let now = self.clock.now();
        if let Some((0, since)) = spent.left {
            let age = now.duration_since(since).unsigned_abs();
            if age < BELIEVE_EMPTY {
                return Err(ConnectorError::Throttled {
                    retry_after: Some(BELIEVE_EMPTY - age),
                    detail: "nothing is left of the vendor's daily limit".to_owned(),
                });
            }
        }
        match self.allowance(spent) {
            Some(allowance) if spent.today >= allowance => Err(ConnectorError::Throttled {
                retry_after: Some(until_midnight(now)),
                detail: format!("our daily allowance of {allowance} calls is used up"),
            }),
            _ => Ok(()),
        }
    }

    fn debit(&self) -> Result<(), ConnectorError> {
        let mut spent = self.spent();
        self.turn_day(&mut spent);
        self.room(&spent)?;
        if spent.today >= spent.debited {
            self.debit_block(&mut spent);
        }
        spent.today += 1;
        spent.calls += 1;
        Ok(())
    }

    /// Saves under the lock and on the caller's thread: a few milliseconds once in a hundred calls,
    /// and nothing whose order a simulated run could not repeat.
    fn debit_block(&self, spent: &mut Spent) {
        let allowance = self.allowance(spent);
        let block = allowance.map_or(BLOCK, |allowance| (allowance / 100).clamp(1, BLOCK));
        let debited = spent.today + block;
        spent.debited = allowance.map_or(debited, |allowance| debited.min(allowance));
        let Some(day) = spent.day else { return };
        let kept = Kept {
            version: 1,
            day,
            debited: spent.debited,
            limit: spent.limit,
        };
        let bytes = serde_json::to_vec(&kept).expect("plain data with text keys");
        if let Err(error) = self.keep.save(&self.name(), &bytes) {
            // Not fatal: within this process the count is right all the same.
            tracing::warn!(
                connection = self.connection,
                error = error.to_string(),
                "cannot keep what is used of the daily quota; a restart would count from less"
            );
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("connection", &self.connection)
            .field("daily", &self.daily)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

fn until_midnight(now: Timestamp) -> Duration {
    const DAY: i64 = 24 * 60 * 60;
    Duration::from_secs((DAY - now.as_second().rem_euclid(DAY)).unsigned_abs())
}
