//! The thread that owns the models: takes rows in, judges windows, and keeps what is stored in order.
//!
//! ```text
//! Models::accept (log, then queue) -> ModelWorker (windows, verdicts, checkpoint, compaction) -> view -> web, exporters
//! ```

mod recovery;
mod stored;
mod waiting;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use polars::prelude::{DataFrame, PolarsResult};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::models::{Accepted, Models};
use super::{OWN_PROC, memory, supervise};
use crate::clock::Clock;
use crate::collect::Stop;
use crate::config::Config;
use crate::frame::normal::{FORWARDED, NOT_STORED, SAMPLED_OUT};
use crate::frame::stack::frame_of;
use crate::health::Health;
use crate::identity::ModelKey;
use crate::ingest::Sink as _;
use crate::model::reference::Given;
use crate::model::view::{ModelView, ModelsView};
use crate::model::watch::{Mode, Progress, Watch};
use crate::model::{Schema, Spec, Store};
use crate::store::log::{Entry, Kind, Segment};
use crate::store::outgoing::Outgoing;
use crate::store::samples::{Held, Leave, Retained, StoredReference};
use crate::store::{Error, Samples};
use crate::telemetry::weigh;
use waiting::Waiting;

/// How long the model worker sleeps without work.
const PATIENCE: Duration = Duration::from_millis(100);
/// Batches taken in between two looks at the windows.
const AT_ONCE: usize = 64;
const PUBLISH_EVERY: Duration = Duration::from_millis(500);
/// Where nothing happens, that is told so often: a model grows stale by itself.
const PUBLISH_STILL: Duration = Duration::from_secs(10);
const MEMORY_EVERY: Duration = Duration::from_secs(1);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
const RETAIN_EVERY: Duration = Duration::from_secs(600);
const OPEN_EVERY: Duration = Duration::from_secs(5);
/// Removals remembered.
const REMOVED: usize = 10_000;
/// Where there is no room for another model, one that was silent for so long gives way.
const MAKES_ROOM: Duration = Duration::from_secs(86_400);
/// A log segment is closed when it is full, or this old.
const COMPACTED_AT_ONCE: usize = 8;
const SEGMENT_AGE: Duration = Duration::from_secs(300);

/// What is kept of all models beside their rows.
#[derive(Default, Serialize, Deserialize)]
struct Checkpoint {
    /// Entries up to this one are counted in it.
    through: u64,
    models: Vec<(ModelKey, Progress)>,
    /// The entries by which models were removed, as long as the log may have older ones of theirs.
    #[serde(default)]
    removed: Vec<(ModelKey, u64)>,
}

/// The thread that owns the models.
pub struct ModelWorker {
    models: Arc<Models>,
    data: PathBuf,
    node: String,
    config: Config,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    view: watch::Sender<Arc<ModelsView>>,
    watches: BTreeMap<ModelKey, Watch>,
    /// Whether each model drifted when people were last told.
    told: BTreeMap<ModelKey, bool>,
    /// The settings of each model that were in vain when people were last told.
    in_vain: BTreeMap<ModelKey, Vec<String>>,
    store: Option<Samples>,
    /// When labels were last looked up, and how long that took.
    looked_up: Duration,
    looking: Duration,
    /// What is known of each model's stored files.
    stored: BTreeMap<ModelKey, stored::StoredFiles>,
    /// Of entries that the log still has, which rows were new: those that were not are not stored.
    repeated: BTreeMap<u64, Vec<bool>>,
    /// As in the checkpoint.
    removed: BTreeMap<ModelKey, u64>,
    /// Batches that wait their turn.
    waiting: Waiting,
    /// The last entry that was taken in while others before it may wait.
    seen: u64,
    /// All entries up to this one were taken in.
    through: u64,
    /// The last entry that the checkpoint on disk counts.
    kept: u64,
    changed: bool,
    published: Duration,
    looked_at_memory: Duration,
    /// Bytes taken in since.
    taken_in: u64,
    kept_at: Duration,
    retained: Option<Duration>,
    segment_began: Duration,
    limit: Option<u64>,
    opened: Option<Duration>,
    /// The last entry of the runs before.
    recovered: u64,
    /// How long the last checkpoint took: large ones are written less often.
    keeping: Duration,
}

impl ModelWorker {
    pub fn new(
        models: Arc<Models>,
        (data, node): (PathBuf, String),
        config: Config,
        clock: Arc<dyn Clock>,
        health: Arc<Health>,
        view: watch::Sender<Arc<ModelsView>>,
    ) -> Self {
        let now = clock.monotonic();
        Self {
            limit: memory::allowance(&config),
            models,
            data,
            node,
            clock,
            health,
            view,
            watches: BTreeMap::new(),
            told: BTreeMap::new(),
            in_vain: BTreeMap::new(),
            store: None,
            looked_up: Duration::ZERO,
            looking: Duration::ZERO,
            stored: BTreeMap::new(),
            repeated: BTreeMap::new(),
            removed: BTreeMap::new(),
            waiting: Waiting::default(),
            seen: 0,
            through: 0,
            kept: 0,
            changed: true,
            published: Duration::ZERO,
            looked_at_memory: now,
            taken_in: 0,
            kept_at: now,
            retained: None,
            segment_began: now,
            opened: None,
            recovered: 0,
            keeping: Duration::ZERO,
            config,
        }
    }

    /// Runs until told to stop, then takes in what is queued and writes a checkpoint.
    pub fn run(mut self, queue: &Receiver<Accepted>, config: &mut watch::Receiver<Config>, stop: &Stop) {
        while !stop.is_stopped() {
            self.beat();
            if self.store.is_none() && self.opened.is_none_or(|at| self.since(at) >= OPEN_EVERY) {
                self.opened = Some(self.clock.monotonic());
                self.open();
            }
            if config.has_changed().unwrap_or(false) {
                let config = config.borrow_and_update().clone();
                if catch_unwind(AssertUnwindSafe(|| self.configure(config))).is_err() {
                    tracing::error!("a panic while the models' configuration took effect; this is a bug in plumbline");
                    self.health.update(|state| state.panics += 1);
                }
            }
            match catch_unwind(AssertUnwindSafe(|| self.round(queue))) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(_) => {
                    tracing::error!("the models' round panicked and goes on; this is a bug in plumbline");
                    self.health.update(|state| state.panics += 1);
                }
            }
        }
        self.models.set_log(Err("the agent is stopping".to_owned()));
        self.waiting.extend(queue);
        self.take_all();
        self.judge();
        self.keep_checkpoint();
    }

    fn configure(&mut self, config: Config) {
        self.models.configure(&config);
        self.limit = memory::allowance(&config);
        self.config = config;
        let mut differ = Vec::new();
        for (key, watch) in &mut self.watches {
            match watch.configure(self.models.spec(key), self.config.models.metric_bins) {
                Ok(true) => differ.push(key.clone()),
                Ok(false) => {}
                Err(error) => tracing::error!(model = %key, %error, "its rows cannot be placed anew"),
            }
        }
        self.refer_again(&differ);
        // Of some models no row may be kept any longer.
        self.retained = None;
        self.changed = true;
    }

    /// Takes the references of models up anew, whose description says now what is compared and how.
    fn refer_again(&mut self, models: &[ModelKey]) {
        let Some(store) = &self.store else { return };
        let references = store.references().unwrap_or_default();
        let now = self.clock.now();
        for StoredReference { model, provisional, held } in references {
            if !models.contains(&model) {
                continue;
            }
            let taken = taken_up(store, (&self.models.spec(&model), provisional), held);
            match (self.watches.get_mut(&model), taken) {
                (Some(watch), Ok(given)) => watch.refer_to(&given, now, provisional),
                (Some(watch), Err(error)) => {
                    tracing::error!(%model, %error, "its reference cannot be taken up again");
                    watch.forget_reference();
                }
                (None, _) => {}
            }
        }
    }

    fn round(&mut self, queue: &Receiver<Accepted>) -> ControlFlow<()> {
        let patience = if self.waiting.is_empty() { PATIENCE } else { Duration::ZERO };
        match queue.recv_timeout(patience) {
            Ok(taken) => self.waiting.push(taken),
            Err(RecvTimeoutError::Disconnected) if self.waiting.is_empty() => return ControlFlow::Break(()),
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
        }
        self.waiting.extend(queue);
        for _ in 0..AT_ONCE {
            let Some(taken) = self.waiting.pop() else { break };
            self.take(taken);
        }
        for (model, wrong_types) in self.models.take_wrong_types() {
            if let Some(watch) = self.watches.get_mut(&model) {
                watch.refuse(wrong_types, self.clock.now());
                self.changed = true;
            }
        }
        self.judge();
        let now = self.clock.monotonic();
        if now.saturating_sub(self.looked_at_memory) >= MEMORY_EVERY {
            self.looked_at_memory = now;
            self.stay_within_memory();
            self.look_after_log();
        }
        let unsaid = now.saturating_sub(self.published);
        if unsaid >= if self.changed { PUBLISH_EVERY } else { PUBLISH_STILL } {
            self.published = now;
            self.publish();
        }
        if now.saturating_sub(self.kept_at) >= CHECKPOINT_EVERY.max(self.keeping * 20) {
            self.kept_at = now;
            if self.seen.max(self.through) > self.kept {
                self.keep_checkpoint();
            }
            self.tidy(now);
            // Labels of rows that never came are looked for in vain: the longer a look takes, the less often it is taken.
            if now.saturating_sub(self.looked_up) >= self.looking * 20 {
                self.look_up();
                self.looked_up = self.clock.monotonic();
                self.looking = self.looked_up.saturating_sub(now);
            }
            self.expire();
        }
        ControlFlow::Continue(())
    }

    fn beat(&self) {
        self.health.beat(supervise::MODELS.name, self.clock.monotonic());
    }

    fn since(&self, at: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(at)
    }

    /// Takes in all that wait, whosever turn it is: what is written down then speaks of all entries up to one.
    fn take_all(&mut self) {
        while let Some(taken) = self.waiting.pop() {
            self.take(taken);
        }
    }

    /// Takes a batch in. Whatever goes wrong with it is this batch's alone.
    fn take(&mut self, Accepted { entry, reservation }: Accepted) {
        self.taken_in += reservation.bytes();
        let (sequence, model) = (entry.sequence, entry.model.clone());
        // A thread that was begun anew has had from the log what still waits in the queue.
        if sequence <= self.through {
            return;
        }
        match catch_unwind(AssertUnwindSafe(|| self.apply(&entry, Mode::Live))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.failed(&model, &error.to_string()),
            Err(_) => {
                self.failed(&model, "a panic; this is a bug in plumbline");
                self.begin_anew(&model);
            }
        }
        drop(reservation);
        self.look_up_if_many(&model);
        // Between two looks at the clock a fast sender fills any memory.
        if self.taken_in > self.budget() / 8 {
            self.stay_within_memory();
            // What the log has not written out yet is charged to the cgroup too, and cannot be reclaimed.
            if self.limit.is_some()
                && let Err(error) = self.models.flush()
            {
                tracing::error!(%error, "the samples' log cannot be flushed");
            }
        }
        self.seen = self.seen.max(sequence);
        if self.waiting.is_empty() {
            self.through = self.through.max(self.seen);
        }
        self.changed = true;
    }

    fn failed(&mut self, model: &ModelKey, error: &str) {
        tracing::error!(%model, error, "a batch is stored but could not be taken in");
        self.health.update(|state| state.samples.failed += 1);
    }

    /// After a panic nothing that was being changed can be relied on: the model goes on from what it knows for certain.
    fn begin_anew(&mut self, model: &ModelKey) {
        let Some(watch) = self.watches.remove(model) else { return };
        let progress = watch.checkpoint();
        let spec = self.models.spec(model);
        let mut anew = Watch::new(spec, self.config.models.metric_bins, progress, self.clock.now());
        if let Some(store) = &self.store
            && let Ok(references) = store.references()
        {
            for StoredReference { provisional, held, .. } in references.into_iter().filter(|kept| kept.model == *model)
            {
                if let Ok(given) = taken_up(store, (anew.spec(), provisional), held) {
                    anew.remember(&given, self.clock.now());
                }
            }
        }
        self.watches.insert(model.clone(), anew);
    }

    fn apply(&mut self, entry: &Entry, mode: Mode) -> PolarsResult<()> {
        if entry.kind == Kind::Removal {
            self.remove(&entry.model, entry.sequence);
            return Ok(());
        }
        if self.removed.get(&entry.model).is_some_and(|removal| entry.sequence < *removal) {
            return Ok(());
        }
        let frame = frame_of(&entry.record)?;
        self.apply_frame(&entry.model, entry.kind, frame, mode)?;
        let left_out = entry.note(SAMPLED_OUT).and_then(|count| count.parse().ok()).unwrap_or(0);
        if let Some(watch) = self.watches.get_mut(&entry.model).filter(|_| mode == Mode::Live && left_out > 0) {
            let of_kind = |kind| if entry.kind == kind { left_out } else { 0 };
            watch.sample_out(of_kind(Kind::Samples), of_kind(Kind::Labels));
        }
        // Rows that are not stored are gone when the log alone has them to tell of.
        let gone = entry.note(NOT_STORED).and_then(|count| count.parse().ok()).unwrap_or(0);
        if let Some(watch) = self.watches.get_mut(&entry.model).filter(|_| mode == Mode::Live && gone > 0)
            && entry.kind == Kind::Samples
        {
            watch.lose(gone);
        }
        let repeated = self.watches.get_mut(&entry.model).and_then(Watch::take_repeated);
        if let Some(fresh) = repeated.filter(|_| entry.kind == Kind::Samples) {
            self.repeated.insert(entry.sequence, fresh);
        }
        Ok(())
    }

    fn apply_frame(&mut self, model: &ModelKey, kind: Kind, frame: DataFrame, mode: Mode) -> PolarsResult<()> {
        let now = self.clock.now();
        let watch = self.watches.entry(model.clone()).or_insert_with(|| {
            tracing::info!(%model, "a model is met for the first time");
            Watch::new(self.models.spec(model), self.config.models.metric_bins, Progress::default(), now)
        });
        // What other agents send on says that the model lives, but not that it does here.
        let marked = if kind == Kind::Labels { forwarded(&frame) } else { 0 };
        let forwarded = marked > 0 && marked == frame.height();
        watch.progress.shared |= marked > 0;
        if mode == Mode::Live && !forwarded {
            watch.progress.heard = Some(now);
        }
        match kind {
            Kind::Samples => {
                watch.progress.schema.merge(&Schema::of(&frame, &self.models.spec(model)));
                if let Some(given) = watch.absorb(frame, mode, now)? {
                    tracing::info!(%model, rows = given.rows(), "its first rows are a provisional reference");
                    self.keep_reference(model, true, &given);
                }
            }
            Kind::Labels => watch.absorb_labels(&frame, mode)?,
            Kind::Reference | Kind::Profile if mode == Mode::Live => {
                let given = if kind == Kind::Profile { Given::profile_of(&frame)? } else { frame.into() };
                watch.progress.schema.replace(&given.schema(&self.models.spec(model)));
                watch.refer_to(&given, now, false);
                tracing::info!(%model, rows = given.rows(), profile = kind == Kind::Profile, "a reference took effect");
                self.keep_reference(model, false, &given);
            }
            // Its file has it; and who is removed is not here.
            Kind::Reference | Kind::Profile | Kind::Removal => {}
        }
        Ok(())
    }

    /// Forgets a model and removes what is stored of it.
    fn remove(&mut self, model: &ModelKey, sequence: u64) {
        // One that began anew after this removal, replayed: its checkpoint is of the new one.
        if self.removed.get(model).is_some_and(|known| *known >= sequence) {
            return;
        }
        self.removed.insert(model.clone(), sequence);
        // Of so many the oldest are long past what the log still has.
        if self.removed.len() > REMOVED
            && let Some(oldest) = self.removed.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone())
        {
            self.removed.remove(&oldest);
        }
        self.watches.remove(model);
        self.stored.remove(model);
        self.told.remove(model);
        self.in_vain.remove(model);
        self.models.forget(model);
        if let Some(store) = &self.store
            && let Err(error) = store.remove(model)
        {
            tracing::error!(%model, %error, "not all that is stored of a removed model could be removed");
        }
        self.changed = true;
        tracing::info!(%model, "removed");
    }

    /// Removes models of which nothing has come for long; where there is no room for another, the one that has been silent for
    /// longest, unless somebody described it.
    fn expire(&mut self) {
        let now = self.clock.now();
        let after = self.config.models.expire_after;
        let silent = |watch: &Watch| watch.silent(now);
        let mut gone: Vec<ModelKey> =
            self.watches.iter().filter(|(_, watch)| silent(watch) >= after).map(|(key, _)| key.clone()).collect();
        if gone.is_empty() && self.models.is_full() {
            let undescribed = self.watches.iter().filter(|(key, _)| !self.models.is_described(key));
            let quiet = undescribed.filter(|(_, watch)| silent(watch) >= MAKES_ROOM);
            gone.extend(quiet.max_by_key(|(_, watch)| silent(watch)).map(|(key, _)| key.clone()));
        }
        for model in gone {
            tracing::info!(%model, "nothing has come for it for long: it expires");
            if let Err(error) = self.models.remove(&model) {
                tracing::warn!(%model, %error, "it could not be removed");
            }
        }
    }

    fn keep_reference(&self, model: &ModelKey, provisional: bool, given: &Given) {
        let Some(store) = &self.store else { return };
        let kept = match given {
            Given::Rows(frame) => store.keep_reference(model, provisional, frame),
            Given::Profile(profile) => store.keep_profile(model, provisional, profile.text()),
        };
        if let Err(error) = kept {
            tracing::error!(%model, %error, "the reference cannot be kept: a restart will not know it");
        }
    }

    /// Judges the windows that are due.
    fn judge(&mut self) {
        let now = self.clock.moment();
        let mut broken = Vec::new();
        for (key, watch) in &mut self.watches {
            let judged = catch_unwind(AssertUnwindSafe(|| watch.judge(now.wall, now.monotonic)));
            match judged {
                Ok(Ok(any)) => self.changed |= any,
                Ok(Err(error)) => tracing::error!(model = %key, %error, "a window could not be judged"),
                Err(_) => broken.push(key.clone()),
            }
            // Without a store nobody keeps them.
            for window in watch.take_judged() {
                let Some(store) = &self.store else { continue };
                if let Err(error) = store.keep_window(key, window.end.as_millisecond(), &window) {
                    tracing::warn!(model = %key, %error, "a window cannot be kept: its page will be gone before its line is");
                }
            }
        }
        for model in broken {
            self.failed(&model, "a panic while a window was judged; this is a bug in plumbline");
            self.begin_anew(&model);
        }
    }

    fn publish(&mut self) {
        self.changed = false;
        let now = self.clock.now();
        let models: Vec<_> = self.watches.values().filter_map(|watch| self.shown(watch, now)).collect();
        for model in &models {
            let in_vain = model.in_vain();
            if self.in_vain.get(&model.key) != Some(&in_vain) {
                for message in &in_vain {
                    tracing::warn!(model = %model.key, "thresholds.columns: {message}");
                }
                self.in_vain.insert(model.key.clone(), in_vain);
            }
            let verdict = &model.verdict;
            let Some(drift) = verdict.drift else { continue };
            let before = self.told.insert(model.key.clone(), drift);
            let provisional = verdict.provisional;
            if drift && before != Some(true) && provisional {
                let columns = verdict.columns.join(", ");
                tracing::info!(model = %model.key, columns, "it is not as it began (its reference is provisional)");
            } else if drift && before != Some(true) {
                tracing::warn!(model = %model.key, columns = verdict.columns.join(", "), "drift");
            } else if !drift && before == Some(true) {
                tracing::info!(model = %model.key, "drifts no longer");
            } else if !drift && before.is_none() && verdict.in_a_row.is_empty() {
                tracing::info!(model = %model.key, "first verdict: no drift");
            }
        }
        let in_flight = self.models.in_flight.held();
        self.health.update(|state| {
            state.samples.models = self.watches.len() as u64;
            state.samples.in_flight = in_flight;
        });
        let metric_features = self.config.models.metric_features;
        self.view.send_replace(Arc::new(ModelsView { models, metric_features }));
    }

    /// The model as it is shown. One of which there is nothing here but labels that other agents sent on is theirs to show; and where
    /// labels go to every agent, one without a sample here is no mistake.
    fn shown(&self, watch: &Watch, now: jiff::Timestamp) -> Option<ModelView> {
        let mut view = watch.view(now);
        let received = watch.progress.shared;
        if received && view.counts.samples == 0 && view.reference.is_none() && !self.models.is_described(&view.key) {
            return None;
        }
        if received || self.config.forward.is_on() {
            view.counts.elsewhere = std::mem::take(&mut view.counts.unmatched);
        }
        Some(view)
    }

    /// What all windows may take together.
    fn budget(&self) -> u64 {
        self.config.models.memory.as_u64().min(self.limit.map_or(u64::MAX, |limit| limit / 5))
    }

    /// Gives up the oldest rows of the largest model until all are within bounds.
    pub(super) fn stay_within_memory(&mut self) {
        let in_flight = self.models.in_flight.held();
        self.health.update(|state| state.samples.in_flight = in_flight);
        let held: u64 = self.watches.values().map(Watch::bytes).sum();
        self.taken_in = 0;
        let budget = self.budget();
        let resident = weigh(OWN_PROC.as_ref()).resident.unwrap_or(0);
        // What was freed stays with the allocator for the next rows: only what windows and bodies hold now can be given up
        // or waited for, and to give up more of them than the limit is over would not help.
        let limit = self.limit.unwrap_or(u64::MAX);
        let ours = held + in_flight;
        let over_limit = if resident > limit { ours.saturating_sub(limit / 3) } else { 0 };
        let mut too_much = held.saturating_sub(budget).max(over_limit.min(held));
        let mut empty = Vec::new();
        while too_much > 0 {
            let full = self.watches.iter_mut().filter(|(key, _)| !empty.contains(*key));
            let Some((key, largest)) = full.max_by_key(|(_, watch)| watch.bytes()) else { break };
            let before = largest.bytes();
            if largest.give_up_oldest() == 0 {
                empty.push(key.clone());
                continue;
            }
            too_much = too_much.saturating_sub(before.saturating_sub(largest.bytes()));
            self.changed = true;
        }
        // What is left cannot be given up: references, and bodies that are on their way.
        let left: u64 = self.watches.values().map(Watch::bytes).sum();
        self.models.press(left > budget || (resident > limit && left + in_flight > limit / 2));
    }

    /// Whether the log is still where it was: somebody may have removed the folder.
    fn look_after_log(&mut self) {
        if self.store.is_some() && self.models.with_log(|log| log.is_there()) == Some(false) {
            self.models.set_log(Err("the folder of samples is gone; it is being made anew".to_owned()));
            tracing::error!("the folder of samples was removed: what it held is lost to the next start");
            self.store = None;
            self.opened = None;
        }
    }

    fn keep_checkpoint(&mut self) {
        self.take_all();
        let Some(store) = &self.store else { return };
        let begun = self.clock.monotonic();
        let models = self.watches.iter().map(|(key, watch)| (key.clone(), watch.checkpoint())).collect();
        let removed = self.removed.iter().map(|(key, at)| (key.clone(), *at)).collect();
        match store.write_checkpoint(&Checkpoint { through: self.through, models, removed }) {
            Ok(()) => self.kept = self.through,
            Err(error) => tracing::error!(%error, "the checkpoint cannot be written; a restart will replay more"),
        }
        self.keeping = self.since(begun);
    }

    /// Closes a segment that is full or old, makes Parquet of one that is closed and counted, and removes what is too old.
    fn tidy(&mut self, now: Duration) {
        let old = now.saturating_sub(self.segment_began) >= SEGMENT_AGE;
        let rotated = self.models.with_log(|log| {
            if log.is_empty() || !old {
                return Ok(false);
            }
            log.rotate().map(|()| true)
        });
        match rotated {
            Some(Ok(true)) => self.segment_began = now,
            Some(Err(error)) => tracing::error!(%error, "the samples' log cannot go on to its next segment"),
            _ => {}
        }
        let due = self.retained.is_none_or(|at| now.saturating_sub(at) >= RETAIN_EVERY);
        if self.compact() || due {
            self.retained = Some(now);
            if let Some(store) = &self.store {
                let horizon = |model: &ModelKey| {
                    let spec = self.models.spec(model);
                    (spec.store == Store::Rows).then_some(spec.label_horizon)
                };
                let owed = self.owed();
                match store.retain(&self.config.samples, self.clock.now(), horizon) {
                    Ok(Retained { bytes, early, unarchived }) => {
                        let lost = owed.saturating_sub(self.owed());
                        if lost > 0 {
                            tracing::warn!(
                                labels = lost,
                                "removed before every agent had them; raise samples.max_bytes"
                            );
                        }
                        if early > 0 {
                            tracing::warn!(
                                rows = early,
                                "samples were removed while labels for them could still come; raise samples.max_bytes"
                            );
                        }
                        if unarchived > 0 {
                            tracing::warn!(
                                files = unarchived,
                                "removed before the archive had them; raise samples.max_bytes"
                            );
                        }
                        self.health.update(|state| {
                            state.archive.lost = state.archive.lost.saturating_add(unarchived);
                            state.samples.bytes = bytes;
                            state.samples.removed_early = state.samples.removed_early.saturating_add(early);
                            state.forwarding.lost = state.forwarding.lost.saturating_add(lost);
                        });
                    }
                    Err(error) => tracing::warn!(%error, "old samples cannot be removed"),
                }
            }
        }
    }

    /// Stored labels that another agent is still to have.
    fn owed(&self) -> u64 {
        let from = self.models.owed_from();
        from.map_or(0, |segment| Outgoing::new(&self.data, &self.node).stored_from(segment).unwrap_or(0))
    }

    /// Makes Parquet of closed segments that the checkpoint counts, a few at a time. Returns whether there was any.
    fn compact(&mut self) -> bool {
        let Some(store) = &self.store else { return false };
        let (recovered, kept) = (self.recovered, self.kept);
        let closed = self.models.with_log(|log| {
            let last = |segment: Segment| (log.last_of(segment.number).unwrap_or(recovered), segment);
            let counted = |(last, _): &(u64, Segment)| *last <= kept;
            log.closed().map(|all| all.into_iter().map(last).filter(counted).collect::<Vec<_>>())
        });
        let closed = closed.and_then(Result::ok).unwrap_or_default();
        // The log has their keys beside their rows, and Parquet has not.
        if !closed.is_empty()
            && let Err(error) = store.keep_repeats(&self.models.repeats.notes())
        {
            tracing::error!(%error, "keys of batches cannot be kept: the samples' log grows until they can");
            return false;
        }
        let of_counts_alone = self.config.of_counts_alone();
        for (_, segment) in closed.iter().take(COMPACTED_AT_ONCE) {
            match catch_unwind(AssertUnwindSafe(|| {
                store.compact(
                    segment,
                    Leave { removed: &self.removed, repeated: &self.repeated, of_counts_alone: &of_counts_alone },
                )
            })) {
                Ok(Ok(rows)) => tracing::debug!(segment = segment.number, rows, "compacted"),
                Ok(Err(error)) => tracing::error!(%error, "a segment of the samples' log cannot be made Parquet"),
                Err(_) => tracing::error!(
                    segment = segment.number,
                    "a panic while it was made Parquet; this is a bug in plumbline"
                ),
            }
        }
        if closed.len() <= COMPACTED_AT_ONCE
            && let Some(through) = closed.iter().map(|(last, _)| *last).max()
        {
            self.repeated.retain(|sequence, _| *sequence > through);
        }
        !closed.is_empty()
    }
}

/// How many of these labels another agent sent on.
fn forwarded(labels: &DataFrame) -> usize {
    let marks = labels.column(FORWARDED).and_then(|column| Ok(column.bool()?.sum())).ok().flatten();
    marks.map_or(0, |marks| marks as usize)
}

/// A kept reference as it was kept.
pub(super) fn given(held: Result<Held, Error>) -> Result<Given, String> {
    match held.map_err(|error| error.to_string())? {
        Held::Rows(frame) => Ok(frame.into()),
        Held::Profile(text) => Given::profile(&text),
    }
}

/// A kept reference as it is taken up again. Where its rows are no longer to be kept, their profile takes their place, on the disk too.
fn taken_up(store: &Samples, (spec, provisional): (&Spec, bool), held: Result<Held, Error>) -> Result<Given, String> {
    let had_rows = matches!(held, Ok(Held::Rows(_)));
    let given = given(held)?.kept(spec)?;
    if let Given::Profile(profile) = &given
        && had_rows
    {
        store.keep_profile(&spec.key(), provisional, profile.text()).map_err(|error| error.to_string())?;
    }
    Ok(given)
}

#[cfg(test)]
mod tests;
