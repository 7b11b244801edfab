//! How answers are judged and how long to wait before trying again. The `backoff` crate stays
//! inside this file.

use backoff::{Clock, backoff::Backoff, exponential::ExponentialBackoff};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};
use std::{sync::Mutex, time::Duration};

/// A vendor's reading of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// For the caller to read; also an error status that the caller understands.
    Fine,
    /// The token is no longer good and nothing was done: refresh it once and send again.
    Expired,
    /// The credentials are refused, in the vendor's words, and a new token would not help.
    Unauthorized(String),
    /// Too many calls; nothing was done.
    Throttled {
        /// How long the vendor asks us to wait.
        retry_after: Option<Duration>,
        /// Which limit, in the vendor's words.
        detail: String,
        /// A daily limit: waiting here is of no use.
        long: bool,
    },
    /// The vendor fails for the moment, in its words; the call may have been done all the same.
    Transient(String),
    /// The vendor refuses the question itself, in its words; nothing was done.
    Refused(String),
}

/// When to try again, and when to give up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delays {
    /// The first wait.
    pub first: Duration,
    /// By how much each wait is longer than the last.
    pub factor: f64,
    /// The longest wait that we choose ourselves. A longer one that a vendor demands is kept.
    pub most: Duration,
    /// After this long in one call, the caller is told; also where a vendor demands a longer wait
    /// than is left of it.
    pub give_up_after: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Delays {
            first: Duration::from_millis(500),
            factor: 2.0,
            most: Duration::from_secs(30),
            give_up_after: Duration::from_secs(120),
        }
    }
}

/// Chance for jitter, the same for the same connection: a simulated run can be played again.
pub(crate) struct Jitter(Mutex<StdRng>);

impl Jitter {
    pub(crate) fn new(connection: &str) -> Jitter {
        Jitter(Mutex::new(StdRng::from_seed(
            Sha256::digest(connection.as_bytes()).into(),
        )))
    }

    /// Between three quarters of the time and all of it.
    fn shorten(&self, wait: Duration) -> Duration {
        let mut random = self.0.lock().expect("no holder of this lock panics");
        wait.mul_f64(1.0 - 0.25 * random.random::<f64>())
    }
}

/// The waits of one call.
pub(crate) struct Waits<'a> {
    growing: ExponentialBackoff<TokioClock>,
    patience: Duration,
    jitter: &'a Jitter,
}

impl<'a> Waits<'a> {
    pub(crate) fn new(delays: &Delays, jitter: &'a Jitter) -> Waits<'a> {
        let first = delays.first.min(delays.most);
        let mut growing = ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            // Its own jitter draws from the thread's chance, which no test can repeat.
            randomization_factor: 0.0,
            multiplier: delays.factor.max(1.0),
            max_interval: delays.most,
            start_time: TokioClock.now(),
            max_elapsed_time: None,
            clock: TokioClock,
        };
        growing.reset();
        Waits {
            growing,
            patience: delays.give_up_after,
            jitter,
        }
    }

    /// The next wait; `None` when it is time to give up.
    pub(crate) fn next(&mut self) -> Option<Duration> {
        let wait = self.growing.next_backoff()?;
        self.allow(self.jitter.shorten(wait))
    }

    /// The wait that a vendor demands; `None` when it is longer than we have patience for.
    pub(crate) fn demanded(&self, wait: Duration) -> Option<Duration> {
        self.allow(wait)
    }

    /// What is left before giving up.
    pub(crate) fn left(&self) -> Duration {
        self.patience
            .saturating_sub(self.growing.get_elapsed_time())
    }

    fn allow(&self, wait: Duration) -> Option<Duration> {
        (wait <= self.left()).then_some(wait)
    }
}

struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> std::time::Instant {
        tokio::time::Instant::now().into_std()
    }
}
