//! Alerts beside the pipeline: holds each tick's points against the rules, keeps the state, makes it known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::alert::engine::{Engine, Kept};
use crate::alert::view::AlertsView;
use crate::clock::Moment;
use crate::config::Config;
use crate::metric::Point;
use crate::store::state;

/// The state is kept at each change, and so often without one.
const KEEP_EVERY: Duration = Duration::from_secs(30);

pub struct Alerting {
    engine: Engine,
    path: PathBuf,
    out: watch::Sender<Arc<AlertsView>>,
    /// When it began, on both clocks.
    began: Moment,
    kept: Duration,
    /// The state could be written the last time.
    written: bool,
}

impl Alerting {
    /// With the state that the agent before this one kept.
    pub fn new(config: &Config, node: &str, data: &Path, now: Moment, out: watch::Sender<Arc<AlertsView>>) -> Self {
        let path = data.join("alerts.json");
        let kept = state::read::<Kept>(&path).unwrap_or_else(|error| {
            tracing::warn!(%error, "the state of alerts cannot be read: it begins anew");
            None
        });
        let rules = config.alerting.rules(&config.alert);
        let most = config.alerting.max_alerts;
        let engine = Engine::new(node.to_owned(), rules, most, kept.unwrap_or_default(), now.wall);
        out.send_replace(Arc::new(engine.view()));
        Self { engine, path, out, began: now, kept: now.monotonic, written: true }
    }

    pub fn configure(&mut self, config: &Config) {
        self.engine.configure(config.alerting.rules(&config.alert), config.alerting.max_alerts);
    }

    /// Holds the points against the rules. `ours`: the data folder is held by this agent, so its state may be written.
    pub fn step(&mut self, points: &[&Point], now: Moment, ours: bool) {
        let changed = self.engine.step(points, self.steady(now));
        self.out.send_replace(Arc::new(self.engine.view()));
        if ours && (changed || now.monotonic.saturating_sub(self.kept) >= KEEP_EVERY) {
            self.keep(now);
        }
    }

    /// The time by the clock that does not jump: an hour that is set forward makes nothing fire.
    fn steady(&self, now: Moment) -> Timestamp {
        let elapsed = now.monotonic.saturating_sub(self.began.monotonic);
        self.began.wall.checked_add(elapsed).unwrap_or(now.wall)
    }

    /// What was made known last.
    pub fn view(&self) -> Arc<AlertsView> {
        Arc::clone(&self.out.borrow())
    }

    /// Writes the state.
    pub fn keep(&mut self, now: Moment) {
        self.kept = now.monotonic;
        let result = state::write(&self.path, &self.engine.kept(self.steady(now)));
        if let Err(error) = &result
            && self.written
        {
            tracing::warn!(%error, "the state of alerts cannot be kept: a restart would forget it");
        }
        self.written = result.is_ok();
    }
}
