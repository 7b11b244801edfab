//! Calls per time: each bucket lets calls through at the vendor's rate, in the order they came.

use contract::ConnectorError;
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use std::{
    num::NonZeroU32,
    sync::{Mutex, OnceLock},
    time::Duration,
};
use tokio::time::Instant;

/// A rate that a vendor allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// What calls name it by.
    pub name: &'static str,
    /// So many calls …
    pub calls: u32,
    /// … in any stretch of this length.
    pub per: Duration,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// A bucket in use.
pub(crate) struct Paced {
    pub(crate) bucket: Bucket,
    limiter: OnceLock<Option<Limiter>>,
    turn: tokio::sync::Mutex<()>,
    held_until: Mutex<Option<Instant>>,
}

impl Paced {
    pub(crate) fn new(bucket: Bucket) -> Paced {
        Paced {
            bucket,
            limiter: OnceLock::new(),
            turn: tokio::sync::Mutex::new(()),
            held_until: Mutex::new(None),
        }
    }

    /// Lets nothing through for this long: the vendor asked for it.
    pub(crate) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut held = self
            .held_until
            .lock()
            .expect("no holder of this lock panics");
        *held = (*held).max(Some(until));
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// Throttled where the vendor asked for a longer wait than the caller has patience for.
    pub(crate) async fn pass(&self, patience: Duration) -> Result<(), ConnectorError> {
        // tokio's lock is fair, so calls go in the order they came, and only one of them watches.
        let _turn = self.turn.lock().await;
        let limiter = self.limiter.get_or_init(|| limiter(&self.bucket));
        loop {
            let now = Instant::now();
            let held = *self
                .held_until
                .lock()
                .expect("no holder of this lock panics");
            if let Some(until) = held.filter(|until| *until > now) {
                if until - now > patience {
                    return Err(ConnectorError::Throttled {
                        retry_after: Some(until - now),
                        detail: format!("the vendor's rate limit ({})", self.bucket.name),
                    });
                }
                tokio::time::sleep_until(until).await;
                continue;
            }
            let Some(limiter) = limiter else {
                return Ok(());
            };
            match limiter.check() {
                Ok(()) => return Ok(()),
                Err(until) => {
                    tokio::time::sleep(until.wait_time_from(limiter.clock().now())).await;
                }
            }
        }
    }
}

/// A tenth of the calls may come in a burst, the rest evenly: so no stretch of time, wherever the
/// vendor lets it begin, holds more than it allows. The burst is used up at first, because an
/// earlier process may have used it a moment ago.
fn limiter(bucket: &Bucket) -> Option<Limiter> {
    let calls = bucket.calls.max(1);
    let burst = (calls / 10).max(1);
    let period = bucket.per / (calls - burst).max(1);
    let burst = NonZeroU32::new(burst)?;
    let quota = Quota::with_period(period)?.allow_burst(burst);
    let limiter = RateLimiter::direct_with_clock(quota, TokioClock(Instant::now()));
    let _ = limiter.check_n(burst);
    Some(limiter)
}

/// tokio's clock for governor, so that paused time paces too.
#[derive(Clone, Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
