//! The one place where a clock is read.

use jiff::Timestamp;
use std::time::Instant;

/// Tells the time. Waiting is tokio's.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
    /// The present moment on a clock that never goes back.
    fn monotonic(&self) -> Instant;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}
