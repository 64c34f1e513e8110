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
use crate::clock::{Clock, Moment};
use crate::collect::{Brings, Entry, Message, Stop};
use crate::config::Config;
use crate::export::{Points, Told};
use crate::frame::MinuteRow;
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::health::Health;
use crate::metric::Point;
use crate::model::minute::Traffic;
use crate::model::view::ModelsView;
use crate::reading::Depth;
use crate::snapshot::Snapshot;
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
    pub told: Arc<Told>,
}

/// What others know.
pub struct Sources {
    /// The models.
    pub models: watch::Receiver<Arc<ModelsView>>,
    /// What the history says of sizes.
    pub review: watch::Receiver<Found>,
}

pub struct Pipeline {
    node: String,
    data: PathBuf,
    full_tick: Duration,
    max_containers: usize,
    state: State,
    history: History,
    collectors: Vec<&'static Entry>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    sources: Sources,
    traffic: Traffic,
    alerting: Alerting,
    snapshots: watch::Sender<Arc<Snapshot>>,
    points: watch::Sender<Arc<Points>>,
    started: Timestamp,
    retained: Option<Duration>,
    /// When points were last made.
    pointed: Duration,
    /// A newcomer waited for its name when the last snapshot was made.
    waiting: bool,
    /// Everything that can be read has been read once.
    ready: bool,
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
        Self {
            node: setting.node.clone(),
            data: setting.data.clone(),
            full_tick: config.agent.tick,
            max_containers: config.collect.max_containers,
            state: State::new(setting.node.clone(), config.agent.tick, config.collect.max_containers),
            history,
            collectors: config.collect.enabled().collect(),
            clock: Arc::clone(&setting.clock),
            health,
            sources,
            traffic: Traffic::new(now.wall),
            alerting: Alerting::new(config, &setting.node, &setting.data, now, outlets.told, outlets.alerts),
            snapshots: outlets.snapshots,
            points: outlets.points,
            started: now.wall,
            retained: None,
            pointed: Duration::ZERO,
            waiting: false,
            ready: false,
        }
    }

    /// Nothing known yet but what the history has.
    fn begin(&self) -> State {
        let (until, mut states) = (self.clock.now(), PastStates::default());
        let since = until.checked_sub(DAY).unwrap_or(until);
        let take = |frame: &DataFrame| states.take(frame, &self.node);
        if let Err(error) = past::read::<GpuRow>(&self.data, PAST_COLUMNS, since, until, take) {
            tracing::warn!(%error, "the last day of GPUs cannot be read");
        }
        State::new(self.node.clone(), self.full_tick, self.max_containers).recalling(states)
    }

    /// Runs until told to stop, or until nobody can report any longer; then writes the open minute.
    pub fn run(&mut self, reports: &Receiver<Message>, config: &mut watch::Receiver<Config>, stop: &Stop) {
        self.state = self.begin();
        while !stop.is_stopped() {
            // A panic here is a bug, and must not end the agent: what was known is forgotten and gathered anew.
            match catch_unwind(AssertUnwindSafe(|| self.round(reports, config))) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(_) => {
                    tracing::error!("the analysis panicked and begins anew; this is a bug in plumbline");
                    self.health.update(|state| state.panics += 1);
                    self.state = self.begin();
                }
            }
        }
        let rows = self.state.finish();
        let gpu_rows = self.state.finish_gpus();
        let lost = self.keep(rows) + self.keep_gpus(gpu_rows);
        if self.history.is_ours() {
            self.alerting.keep(self.clock.moment());
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
            Ok(message) => self.take(message),
            Err(RecvTimeoutError::Timeout) if self.waiting || !self.ready => {
                self.publish(self.clock.moment(), true);
            }
            // No reading may come for long, or ever; models go on.
            Err(RecvTimeoutError::Timeout) => {
                let now = self.clock.moment();
                let due = now.monotonic.saturating_sub(self.pointed) > self.full_tick;
                let news = |changed: Result<bool, _>| changed.unwrap_or(false);
                if due || news(self.sources.models.has_changed()) || news(self.sources.review.has_changed()) {
                    self.publish(now, due);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
        }
        self.retain_sometimes();
        ControlFlow::Continue(())
    }

    fn configure(&mut self, config: &Config) {
        (self.full_tick, self.max_containers) = (config.agent.tick, config.collect.max_containers);
        self.state.configure(self.full_tick, self.max_containers);
        self.history.configure(config.history.clone());
        self.alerting.configure(config);
        self.retained = None;
        let collectors: Vec<&'static Entry> = config.collect.enabled().collect();
        for entry in std::mem::replace(&mut self.collectors, collectors) {
            if !self.collectors.iter().any(|kept| kept.name == entry.name) {
                self.lose(entry.name);
            }
        }
    }

    fn lose(&mut self, collector: &'static str) {
        let now = self.clock.moment();
        let outcome = self.state.lose(collector, now);
        if !outcome.rows.is_empty() {
            self.keep(outcome.rows);
        }
        self.keep_gpus(outcome.gpu_rows);
        self.publish(now, outcome.changed);
    }

    fn take(&mut self, message: Message) {
        if !self.collectors.iter().any(|entry| entry.name == message.collector) {
            return; // switched off meanwhile
        }
        let Some(report) = message.report else {
            self.lose(message.collector);
            return;
        };
        let now = self.clock.moment();
        let leads = report.containers.is_some() || !self.state.reads_tree();
        let outcome = self.state.absorb(message.collector, report, now);
        if !outcome.rows.is_empty() {
            self.keep(outcome.rows);
        }
        self.keep_gpus(outcome.gpu_rows);
        if leads || outcome.changed {
            self.publish(now, outcome.changed || (leads && message.depth == Depth::Full));
        }
    }

    /// Makes a snapshot known, and its points too where they are worth sending.
    fn publish(&mut self, now: Moment, with_points: bool) {
        let state = self.health.state();
        let open = |entry: &Entry| state.collectors.get(entry.name).is_some_and(|c| c.up);
        let silent = |entry: &Entry| state.collectors.get(entry.name).is_none_or(|c| c.message.is_empty());
        // Some engine is up, or has not said yet whether it is.
        let expect_names =
            self.collectors.iter().any(|entry| entry.brings == Brings::Names && (open(entry) || silent(entry)));
        let waited = std::mem::replace(&mut self.waiting, self.state.is_waiting(now));
        let models = Arc::clone(&self.sources.models.borrow_and_update());
        let review = self.sources.review.borrow_and_update().clone();
        let mut snapshot = self.state.snapshot(now, expect_names).joined(models, review, self.alerting.view());
        let tree_to_come =
            self.collectors.iter().any(|entry| entry.brings == Brings::Containers && (open(entry) || silent(entry)))
                && !self.state.has_read();
        let was_ready = self.ready;
        let tree_expected = self.collectors.iter().any(|entry| entry.brings == Brings::Containers);
        self.ready |= (snapshot.ready || !tree_expected) && !tree_to_come;
        snapshot.ready = self.ready;
        if self.ready && (with_points || waited || !was_ready) {
            let mut own = state.points(weigh(OWN_PROC.as_ref()), self.started, now.wall, now.monotonic);
            let measured = snapshot.points();
            let rows = self.traffic.step(&self.node, &snapshot.models, now.wall);
            self.keep_models(rows);
            let all: Vec<&Point> = measured.iter().chain(&own).collect();
            self.alerting.step(&all, now, self.history.is_ours());
            own.extend(self.alerting.view().points(now.wall));
            self.pointed = now.monotonic;
            let (models, review) = (Arc::clone(&snapshot.models), snapshot.review.clone());
            snapshot = snapshot.joined(models, review, self.alerting.view());
            self.points.send_replace(Arc::new(Points { measured, own }));
        }
        snapshot.traffic = self.traffic.recent();
        self.snapshots.send_replace(Arc::new(snapshot));
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
