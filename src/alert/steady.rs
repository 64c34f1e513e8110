//! The alerts over a clock that may be set: an hour that is set forward makes nothing fire, and what is shown then is right by the
//! corrected clock.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::engine::{Engine, Kept};
use super::rule::Rule;
use super::view::AlertsView;
use crate::clock::Moment;
use crate::metric::Point;

/// From so much on the wall clock was set; less is slewing.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// All rules and what meets them, with the time between the clocks.
#[derive(Debug)]
pub struct Alerts {
    engine: Engine,
    view: Arc<AlertsView>,
    /// When it began, on both clocks.
    began: Moment,
    /// How far the wall clock was set since.
    correction: SignedDuration,
}

impl Alerts {
    /// The engine's, from now on.
    #[must_use]
    pub fn new(engine: Engine, now: Moment) -> Self {
        let view = Arc::new(engine.view());
        Self { engine, view, began: now, correction: SignedDuration::ZERO }
    }

    /// Takes other rules.
    pub fn configure(&mut self, rules: Vec<Rule>, max_alerts: usize) {
        self.engine.configure(rules, max_alerts);
    }

    /// Holds the points against the rules. Returns whether any alert came, went or changed its state.
    pub fn step(&mut self, points: &[&Point], now: Moment) -> bool {
        self.correct(now);
        let changed = self.engine.step(points, self.steady(now));
        self.view = Arc::new(self.engine.view());
        changed
    }

    /// As of the last step.
    #[must_use]
    pub fn view(&self) -> Arc<AlertsView> {
        Arc::clone(&self.view)
    }

    /// What is to be kept, by the wall clock; of events those beyond `told`.
    #[must_use]
    pub fn kept(&mut self, now: Moment, told: u64) -> Kept {
        self.correct(now);
        self.engine.kept(self.steady(now), told)
    }

    /// The time by the clock that does not jump.
    fn steady(&self, now: Moment) -> Timestamp {
        let elapsed = now.monotonic.saturating_sub(self.began.monotonic);
        self.began.wall.checked_add(elapsed).unwrap_or(now.wall)
    }

    /// Follows a wall clock that was set. Shown times keep still while it is merely slewed.
    fn correct(&mut self, now: Moment) {
        let ahead = now.wall.duration_since(self.steady(now));
        if (ahead - self.correction).abs() >= STEP {
            self.correction = ahead;
            self.engine.correct(ahead);
        }
    }
}
