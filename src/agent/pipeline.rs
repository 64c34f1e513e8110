//! The one thread between the collectors and everyone who reads: analysis, history, snapshots.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::{OWN_PROC, Setting};
use crate::analysis::{Input, State};
use crate::clock::{Clock, Moment};
use crate::collect::Message;
use crate::config::Config;
use crate::export::Points;
use crate::frame::MinuteRow;
use crate::health::Health;
use crate::reading::Depth;
use crate::snapshot::Snapshot;
use crate::store::History;
use crate::telemetry::weigh;

/// What the pipeline is told beside reports.
pub enum Control {
    /// A new config is in force.
    Configure(Box<Config>),
    /// Write what is left and end.
    Finish,
}

/// How long it sleeps without a report: soon enough for a newcomer whose name does not come.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often the disk is looked over.
const RETAIN_EVERY: Duration = Duration::from_secs(600);

pub struct Pipeline {
    state: State,
    history: History,
    engines: Vec<&'static str>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    points: watch::Sender<Arc<Points>>,
    started: Timestamp,
    retained: Option<Duration>,
    /// A newcomer waited for its name when the last snapshot was made.
    waiting: bool,
}

impl Pipeline {
    pub fn new(
        config: &Config,
        setting: &Setting,
        history: History,
        health: Arc<Health>,
        snapshots: watch::Sender<Arc<Snapshot>>,
        points: watch::Sender<Arc<Points>>,
    ) -> Self {
        Self {
            state: State::new(setting.node.clone(), config.agent.tick),
            history,
            engines: engines(config),
            clock: Arc::clone(&setting.clock),
            health,
            snapshots,
            points,
            started: setting.clock.now(),
            retained: None,
            waiting: false,
        }
    }

    /// Runs until told to finish, or until nobody can report any longer.
    pub fn run(mut self, reports: &Receiver<Message>, control: &Receiver<Control>) {
        loop {
            match control.try_recv() {
                Ok(Control::Configure(config)) => self.configure(&config),
                Ok(Control::Finish) => break,
                Err(_) => {}
            }
            match reports.recv_timeout(PATIENCE) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) if self.waiting => self.publish(self.clock.moment(), true),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.retain_sometimes();
        }
        let rows = self.state.finish();
        self.keep(rows);
    }

    fn configure(&mut self, config: &Config) {
        self.state.configure(config.agent.tick);
        self.history.configure(config.history.clone());
        self.engines = engines(config);
        self.retained = None;
    }

    fn take(&mut self, message: Message) {
        let now = self.clock.moment();
        let Some(report) = message.report else {
            self.state.forget_points(message.collector);
            return;
        };
        let leads = report.containers.is_some();
        let input = Input { containers: report.containers, facts: report.facts, points: Some(report.points) };
        let told = input.facts.is_some();
        let outcome = self.state.absorb(message.collector, input, now);
        if !outcome.rows.is_empty() {
            self.keep(outcome.rows);
        }
        if leads || told || outcome.changed {
            self.publish(now, outcome.changed || (leads && message.depth == Depth::Full));
        }
    }

    /// Makes a snapshot known, and its points too where they are worth sending.
    fn publish(&mut self, now: Moment, with_points: bool) {
        let expect_names = self.names_are_to_be_expected();
        let waited = std::mem::replace(&mut self.waiting, self.state.is_waiting(now));
        let snapshot = Arc::new(self.state.snapshot(now, expect_names));
        if (with_points || waited) && snapshot.ready {
            let own = self.health.state().points(weigh(OWN_PROC.as_ref()), self.started, now.wall, now.monotonic);
            self.points.send_replace(Arc::new(Points { measured: snapshot.points(), own }));
        }
        self.snapshots.send_replace(snapshot);
        self.health.update(|state| state.snapshot_at = Some(now.monotonic));
    }

    /// Some engine is up, or has not said yet whether it is.
    fn names_are_to_be_expected(&self) -> bool {
        let state = self.health.state();
        self.engines.iter().any(|name| state.collectors.get(name).is_some_and(|c| c.up || c.message.is_empty()))
    }

    fn keep(&mut self, rows: Vec<MinuteRow>) {
        let (appended, result) = self.history.append(rows);
        self.health.update(|state| {
            let history = &mut state.history;
            match &result {
                Ok(()) if !history.up => {
                    history.message = format!("{}", self.history.folder().display());
                    tracing::info!("history is written again");
                }
                Err(error) if history.up => {
                    tracing::warn!(%error, "history cannot be written: rows wait, it will be tried again each minute");
                }
                _ => {}
            }
            history.up = result.is_ok();
            if let Err(error) = result {
                history.message = error.to_string();
            }
            history.rows += appended.written;
            history.dropped += appended.dropped;
            history.pending = appended.pending;
        });
    }

    fn retain_sometimes(&mut self) {
        let now = self.clock.moment();
        if self.retained.is_some_and(|at| now.monotonic.saturating_sub(at) < RETAIN_EVERY) {
            return;
        }
        self.retained = Some(now.monotonic);
        match self.history.retain(now.wall) {
            Ok(kept) => self.health.update(|state| {
                state.history.files = kept.len() as u64;
                state.history.bytes = kept.iter().map(|file| file.bytes).sum();
            }),
            Err(error) => tracing::warn!(%error, "old history cannot be removed"),
        }
    }
}

/// The collectors that tell names.
fn engines(config: &Config) -> Vec<&'static str> {
    config.collect.enabled().filter(|entry| entry.names).map(|entry| entry.name).collect()
}

/// Takes the history's folder at the start, and notes how that went.
pub fn open_history(history: &mut History, health: &Health) {
    let opened = history.open();
    health.update(|state| {
        state.history.up = opened.is_ok();
        state.history.message = match opened {
            Ok(()) => history.folder().display().to_string(),
            Err(error) => error.to_string(),
        };
    });
}
