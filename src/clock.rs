//! The only place that asks what time it is.
//!
//! Everything else is handed a [`Clock`], so that a test can hold time still.
//! Waiting (timers) is left to the edges that wait.

#![warn(clippy::arithmetic_side_effects)]

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Wall time for labels, monotonic time for durations and rates.
pub trait Clock: Send + Sync {
    /// The wall clock: what a human calls the time. May jump.
    fn now(&self) -> Timestamp;
    /// Time since an arbitrary origin. Never goes back.
    fn monotonic(&self) -> Duration;

    /// Both at once.
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), monotonic: self.monotonic() }
    }
}

/// One instant, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What a human calls the time.
    pub wall: Timestamp,
    /// Time since the clock's origin, for differences.
    pub monotonic: Duration,
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that stands still until told to move.
#[derive(Debug)]
pub struct FixedClock {
    start: Timestamp,
    elapsed: Mutex<Duration>,
}

impl FixedClock {
    /// A clock standing at `start`, its monotonic time at zero.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { start, elapsed: Mutex::new(Duration::ZERO) }
    }

    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        let mut elapsed = self.elapsed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *elapsed = elapsed.saturating_add(by);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.start.saturating_add(self.monotonic()).unwrap_or(self.start)
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
