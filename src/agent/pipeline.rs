//! The one thread between the collectors and everyone who reads: analysis, history, snapshots.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use polars::prelude::DataFrame;
use tokio::sync::watch;

use super::alerting::Alerting;
use super::recommender::Found;
use super::{OWN_PROC, Setting, supervise};
use crate::alert::view::AlertsView;
use crate::analysis::State;
use crate::analysis::gpu::{PAST_COLUMNS, PastStates};
use crate::clock::Clock;
use crate::collect::{Entry, Message, Stop};
use crate::config::Config;
use crate::export::{Delivered, Points};
use crate::frame::MinuteRow;
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::health::{Brings, CollectorState, Health};
use crate::model::view::ModelsView;
use crate::snapshot::Snapshot;
use crate::step::{Event, Expected, Inputs, NodeState, Rows};
use crate::store::history::Appended;
use crate::store::past;
use crate::store::{self, History};
use crate::telemetry::weigh;

/// How long it sleeps without a report: soon enough for a newcomer whose name does not come.
const PATIENCE: Duration = Duration::from_millis(250);
/// What the page shows of GPUs.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How often the disk is looked over.
const RETAIN_EVERY: Duration = Duration::from_secs(600);

/// Where what is known goes.
pub struct Outlets {
    /// For the page and the API.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// For `/metrics` and the exporters.
    pub points: watch::Sender<Arc<Points>>,
    /// For the page, the API and the exporters.
    pub alerts: watch::Sender<Arc<AlertsView>>,
    /// What exporters have told of them.
    pub delivered: Arc<Delivered>,
}

/// What others know.
pub struct Sources {
    /// The models.
    pub models: watch::Receiver<Arc<ModelsView>>,
    /// What the history says of sizes.
    pub review: watch::Receiver<Found>,
}

pub struct Pipeline {
    setting: Start,
    state: NodeState,
    history: History,
    collectors: Vec<&'static Entry>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    sources: Sources,
    alerting: Alerting,
    snapshots: watch::Sender<Arc<Snapshot>>,
    points: watch::Sender<Arc<Points>>,
    started: Timestamp,
    retained: Option<Duration>,
}

/// What the analysis begins anew with.
struct Start {
    node: String,
    data: PathBuf,
    full_tick: Duration,
    max_containers: usize,
}

impl Start {
    /// Nothing known yet but what the history has.
    fn analysis(&self, now: Timestamp) -> State {
        let mut states = PastStates::default();
        let since = now.checked_sub(DAY).unwrap_or(now);
        let take = |frame: &DataFrame| states.take(frame, &self.node);
        if let Err(error) = past::read::<GpuRow>(&self.data, PAST_COLUMNS, since, now, take) {
            tracing::warn!(%error, "the last day of GPUs cannot be read");
        }
        State::new(self.node.clone(), self.full_tick, self.max_containers).recalling(states)
    }
}

impl Pipeline {
    pub fn new(
        config: &Config,
        setting: &Setting,
        history: History,
        health: Arc<Health>,
        sources: Sources,
        outlets: Outlets,
    ) -> Self {
        let now = setting.clock.moment();
        let (node, data) = (setting.node.clone(), setting.data.clone());
        let (full_tick, max_containers) = (config.agent.tick, config.collect.max_containers);
        let (alerting, alerts) = Alerting::recall(config, &node, &data, now, outlets.delivered, outlets.alerts);
        let start = Start { node: node.clone(), data, full_tick, max_containers };
        Self {
            state: NodeState::new(
                node.clone(),
                full_tick,
                State::new(node, full_tick, max_containers),
                alerts,
                now.wall,
            ),
            setting: start,
            history,
            collectors: config.collect.enabled().collect(),
            clock: Arc::clone(&setting.clock),
            health,
            sources,
            alerting,
            snapshots: outlets.snapshots,
            points: outlets.points,
            started: now.wall,
            retained: None,
        }
    }

    /// Runs until told to stop, or until nobody can report any longer; then writes the open minute.
    pub fn run(&mut self, reports: &Receiver<Message>, config: &mut watch::Receiver<Config>, stop: &Stop) {
        self.state.restart(self.setting.analysis(self.clock.now()));
        while !stop.is_stopped() {
            // A panic here is a bug, and must not end the agent: what was known is forgotten and gathered anew.
            match catch_unwind(AssertUnwindSafe(|| self.round(reports, config))) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(_) => {
                    tracing::error!("the analysis panicked and begins anew; this is a bug in plumbline");
                    self.health.update(|state| state.panics += 1);
                    self.state.restart(self.setting.analysis(self.clock.now()));
                }
            }
        }
        let models = Arc::clone(&self.sources.models.borrow());
        let lost = {
            let rows = self.state.finish(&models);
            self.write(rows)
        };
        if self.history.is_ours() {
            self.alerting.keep(self.state.alerts(), self.clock.moment());
        }
        if lost > 0 {
            tracing::warn!(rows = lost, "minutes are lost: the history could not be written before the end");
        }
    }

    /// Takes one report, or waits for one for a while.
    fn round(&mut self, reports: &Receiver<Message>, config: &mut watch::Receiver<Config>) -> ControlFlow<()> {
        let now = self.clock.monotonic();
        self.health.beat(supervise::PIPELINE.name, now);
        if config.has_changed().unwrap_or(false) {
            let config = config.borrow_and_update().clone();
            self.configure(&config);
        }
        match reports.recv_timeout(PATIENCE) {
            // One that was switched off meanwhile has nothing to say.
            Ok(Message { collector, .. }) if !self.collectors.iter().any(|entry| entry.name == collector) => {}
            Ok(Message { collector, report: Some(report), depth, .. }) => {
                self.step(Event::Report { collector, report, depth });
            }
            Ok(Message { collector, report: None, .. }) => self.step(Event::Lost { collector }),
            Err(RecvTimeoutError::Timeout) => self.step(Event::Silence),
            Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
        }
        self.retain_sometimes();
        ControlFlow::Continue(())
    }

    fn configure(&mut self, config: &Config) {
        let (full_tick, max_containers) = (config.agent.tick, config.collect.max_containers);
        (self.setting.full_tick, self.setting.max_containers) = (full_tick, max_containers);
        self.state.configure(full_tick, max_containers);
        self.history.configure(config.history.clone());
        self.state.alerts().configure(config.alerting.rules(&config.alert), config.alerting.max_alerts);
        self.retained = None;
        let collectors: Vec<&'static Entry> = config.collect.enabled().collect();
        for entry in std::mem::replace(&mut self.collectors, collectors) {
            if !self.collectors.iter().any(|kept| kept.name == entry.name) {
                self.step(Event::Lost { collector: entry.name });
            }
        }
    }

    /// Steps, writes the rows, and makes known what follows.
    fn step(&mut self, event: Event) {
        let now = self.clock.moment();
        let health = self.health.state();
        // By the configuration: health learns of a collector a moment later.
        let of = |what: Brings| self.collectors.iter().filter(move |entry| entry.brings == what);
        let down = |entry: &Entry| health.collectors.get(entry.name).is_some_and(CollectorState::is_down);
        let coming = |what| of(what).any(|entry| !down(entry));
        let expected = Expected {
            names: coming(Brings::Names),
            tree: of(Brings::Containers).next().is_some(),
            tree_coming: coming(Brings::Containers),
        };
        let news = |changed: Result<bool, _>| changed.unwrap_or(false);
        let news = news(self.sources.models.has_changed()) || news(self.sources.review.has_changed());
        let started = self.started;
        let inputs = Inputs {
            models: Arc::clone(&self.sources.models.borrow_and_update()),
            review: self.sources.review.borrow_and_update().clone(),
            news,
            expected,
            own: || health.points(weigh(OWN_PROC.as_ref()), started, now.wall, now.monotonic),
        };
        let step = self.state.step(event, inputs, now);
        self.write(step.rows);
        if let Some((measured, own)) = step.points {
            let ours = self.history.is_ours();
            self.alerting.publish(self.state.alerts(), step.alerts_changed, now, ours);
            self.points.send_replace(Arc::new(Points { measured, own }));
        }
        if let Some(snapshot) = step.snapshot {
            self.snapshots.send_replace(Arc::new(snapshot));
        }
    }

    /// Writes rows. Returns how many of containers and GPUs could not be written yet.
    fn write(&mut self, rows: Rows) -> u64 {
        let waiting = if rows.containers.is_empty() { 0 } else { self.keep(rows.containers) };
        self.keep_models(rows.models);
        waiting + self.keep_gpus(rows.gpus)
    }

    /// Writes models' rows.
    fn keep_models(&mut self, rows: Vec<ModelRow>) {
        if rows.is_empty() {
            return;
        }
        let appended = self.history.append_models(rows);
        self.count(&appended, "models' minutes wait");
    }

    /// Counts rows of tables beside the containers'.
    fn count(&self, (appended, result): &(Appended, Result<(), store::Error>), waiting: &str) {
        if let Err(error) = result {
            tracing::debug!(%error, "{waiting}");
        }
        self.health.update(|state| {
            state.history.rows += appended.written;
            state.history.dropped += appended.dropped;
        });
    }

    /// Writes rows. Returns how many could not be written yet.
    fn keep(&mut self, rows: Vec<MinuteRow>) -> u64 {
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
        // There is more on the disk now.
        self.retained = None;
        appended.pending
    }

    /// The same for GPUs' rows.
    fn keep_gpus(&mut self, rows: Vec<GpuRow>) -> u64 {
        if rows.is_empty() {
            return 0;
        }
        let appended = self.history.append_gpus(rows);
        self.count(&appended, "GPUs' minutes wait");
        appended.0.pending
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
