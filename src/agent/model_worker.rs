//! The thread that owns the models: takes rows in, judges windows, and keeps what is stored in order.
//!
//! ```text
//! Models::accept (log, then queue) -> ModelWorker (windows, verdicts, checkpoint, compaction) -> view -> web, exporters
//! ```

mod recovery;
mod stored;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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
use crate::frame::stack::frame_of;
use crate::health::Health;
use crate::identity::ModelKey;
use crate::ingest::Sink as _;
use crate::model::Schema;
use crate::model::view::ModelsView;
use crate::model::watch::{Mode, Progress, Watch};
use crate::store::Samples;
use crate::store::log::{Entry, Kind, Segment};
use crate::store::samples::{Leave, Retained};
use crate::telemetry::weigh;

/// How long the model worker sleeps without work.
const PATIENCE: Duration = Duration::from_millis(100);
/// Batches taken in between two looks at the windows.
const AT_ONCE: usize = 64;
const PUBLISH_EVERY: Duration = Duration::from_millis(500);
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
    /// The last entry that was taken in.
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
            store: None,
            looked_up: Duration::ZERO,
            looking: Duration::ZERO,
            stored: BTreeMap::new(),
            repeated: BTreeMap::new(),
            removed: BTreeMap::new(),
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
        while let Ok(taken) = queue.try_recv() {
            self.take(taken);
        }
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
        self.changed = true;
    }

    /// Takes the references of models up anew, whose description says now what is compared and how.
    fn refer_again(&mut self, models: &[ModelKey]) {
        let references = self.store.as_ref().and_then(|store| store.references().ok()).unwrap_or_default();
        let now = self.clock.now();
        for reference in references.into_iter().filter(|reference| models.contains(&reference.model)) {
            if let (Some(watch), Ok(rows)) = (self.watches.get_mut(&reference.model), reference.rows) {
                watch.refer_to(&rows, now, reference.provisional);
            }
        }
    }

    fn round(&mut self, queue: &Receiver<Accepted>) -> ControlFlow<()> {
        match queue.recv_timeout(PATIENCE) {
            Ok(taken) => {
                self.take(taken);
                for taken in queue.try_iter().take(AT_ONCE) {
                    self.take(taken);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
        }
        self.judge();
        let now = self.clock.monotonic();
        if now.saturating_sub(self.looked_at_memory) >= MEMORY_EVERY {
            self.looked_at_memory = now;
            self.stay_within_memory();
            self.look_after_log();
        }
        if self.changed && now.saturating_sub(self.published) >= PUBLISH_EVERY {
            self.published = now;
            self.publish();
        }
        if now.saturating_sub(self.kept_at) >= CHECKPOINT_EVERY.max(self.keeping * 20) {
            self.kept_at = now;
            if self.through > self.kept {
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
        self.through = self.through.max(sequence);
        self.changed = true;
    }

    fn failed(&mut self, model: &ModelKey, error: &str) {
        tracing::error!(%model, error, "a batch is stored but could not be taken in");
        self.health.update(|state| state.samples.failed += 1);
    }

    /// After a panic nothing that was being changed can be relied on: the model goes on from what it knows for certain.
    fn begin_anew(&mut self, model: &ModelKey) {
        let Some(watch) = self.watches.remove(model) else { return };
        let progress = watch.progress.clone();
        let spec = self.models.spec(model);
        let mut anew = Watch::new(spec, self.config.models.metric_bins, progress, self.clock.now());
        if let Some(store) = &self.store
            && let Ok(references) = store.references()
        {
            let of_this = references.into_iter().filter(|reference| reference.model == *model);
            for frame in of_this.filter_map(|reference| reference.rows.ok()) {
                anew.remember(&frame, self.clock.now());
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
        if mode == Mode::Live {
            watch.progress.heard = Some(now);
        }
        match kind {
            Kind::Samples => {
                watch.progress.schema.merge(&Schema::of(&frame));
                if let Some(rows) = watch.absorb(frame, mode, now)? {
                    tracing::info!(%model, rows = rows.height(), "its first rows are a provisional reference");
                    self.keep_reference(model, true, &rows);
                }
            }
            Kind::Labels => watch.absorb_labels(&frame, mode)?,
            Kind::Reference if mode == Mode::Live => {
                watch.progress.schema.replace(&Schema::of(&frame));
                watch.refer_to(&frame, now, false);
                tracing::info!(%model, rows = frame.height(), "a reference took effect");
                self.keep_reference(model, false, &frame);
            }
            // Its file has it; and who is removed is not here.
            Kind::Reference | Kind::Removal => {}
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

    fn keep_reference(&self, model: &ModelKey, provisional: bool, frame: &DataFrame) {
        let Some(store) = &self.store else { return };
        if let Err(error) = store.keep_reference(model, provisional, frame) {
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
        }
        for model in broken {
            self.failed(&model, "a panic while a window was judged; this is a bug in plumbline");
            self.begin_anew(&model);
        }
    }

    fn publish(&mut self) {
        self.changed = false;
        let models: Vec<_> = self.watches.values().map(Watch::view).collect();
        for model in &models {
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
        let in_flight = self.models.in_flight.load(Ordering::Relaxed);
        self.health.update(|state| {
            state.samples.models = models.len() as u64;
            state.samples.in_flight = in_flight;
        });
        let metric_features = self.config.models.metric_features;
        self.view.send_replace(Arc::new(ModelsView { models, metric_features }));
    }

    /// What all windows may take together.
    fn budget(&self) -> u64 {
        self.config.models.memory.as_u64().min(self.limit.map_or(u64::MAX, |limit| limit / 5))
    }

    /// Gives up the oldest rows of the largest model until all are within bounds.
    pub(super) fn stay_within_memory(&mut self) {
        let in_flight = self.models.in_flight.load(Ordering::Relaxed);
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
        let Some(store) = &self.store else { return };
        let begun = self.clock.monotonic();
        let models = self.watches.iter().map(|(key, watch)| (key.clone(), watch.progress.clone())).collect();
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
                let horizon = |model: &ModelKey| self.models.spec(model).label_horizon;
                match store.retain(&self.config.samples, self.clock.now(), horizon) {
                    Ok(Retained { bytes, early }) => {
                        if early > 0 {
                            tracing::warn!(
                                rows = early,
                                "samples were removed while labels for them could still come; raise samples.max_bytes"
                            );
                        }
                        self.health.update(|state| {
                            state.samples.bytes = bytes;
                            state.samples.removed_early = state.samples.removed_early.saturating_add(early);
                        });
                    }
                    Err(error) => tracing::warn!(%error, "old samples cannot be removed"),
                }
            }
        }
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
        for (_, segment) in closed.iter().take(COMPACTED_AT_ONCE) {
            match catch_unwind(AssertUnwindSafe(|| {
                store.compact(segment, Leave { removed: &self.removed, repeated: &self.repeated })
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use jiff::Timestamp;
    use polars::prelude::{ChunkAgg, IntoColumn, NamedFrom, Series};

    use super::*;
    use crate::clock::FixedClock;
    use crate::frame::json::{Layout, Limits, decode};
    use crate::ingest::Reservation;
    use crate::model::border::{Purpose, expected, pass};

    const DAY: u64 = 86_400;

    fn key() -> ModelKey {
        ModelKey::named("m")
    }

    fn known(worker: &ModelWorker) -> Vec<&str> {
        worker.watches.keys().map(|key| key.name.as_str()).collect()
    }

    /// Hands rows to the ingest's side, and takes them in.
    fn send(worker: &mut ModelWorker, queue: &Receiver<Accepted>, purpose: Purpose, rows: &[String]) {
        send_to(worker, queue, &key(), purpose, rows);
    }

    fn send_to(
        worker: &mut ModelWorker,
        queue: &Receiver<Accepted>,
        key: &ModelKey,
        purpose: Purpose,
        rows: &[String],
    ) {
        let models = Arc::clone(&worker.models);
        let known = models.describe(key).expect("known");
        let limits = Limits { rows: 1_000_000, columns: 100, cells: 100_000_000 };
        let kinds = |name: &str| expected(name, &known.spec, &known.schema);
        let decoded = decode(rows.join("\n").as_bytes(), Layout::Lines, limits, &kinds).expect("rows");
        let passed = pass(decoded, purpose, &known.spec, &known.schema, 100, worker.clock.now());
        let batch = passed.batch.expect("a batch");
        models.accept(key, purpose, batch, Reservation::none(&models.in_flight)).expect("accepted");
        while let Ok(accepted) = queue.try_recv() {
            worker.take(accepted);
        }
        worker.judge();
    }

    /// Weeks of rows that memory holds a fraction of; then labels for the first of them.
    #[test]
    fn labels_that_come_late_find_their_rows_in_the_store() {
        const HOURS: i64 = 30 * 24;
        const ROWS: i64 = 250;
        let data = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        let (out, queue) = channel();
        let config =
            "[samples]\nretention = \"40d\"\n[[model]]\nname = \"m\"\nmax_rows = 5000\nlabel_horizon = \"40d\"\n";
        let config = Config::parse(config).expect("a config");
        let models = Arc::new(Models::new(&config, Arc::default(), out));
        let view = watch::Sender::new(Arc::default());
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let mut worker = ModelWorker::new(
            Arc::clone(&models),
            (data.path().to_owned(), "n".to_owned()),
            config,
            shared,
            Arc::default(),
            view,
        );
        worker.open();
        let mut most = 0;
        for hour in 0..HOURS {
            let row = |i: i64| {
                let at = hour * 3_600_000 + i * (3_600_000 / ROWS);
                format!(r#"{{"id": "{hour}-{i}", "timestamp": {at}, "x": {i}, "prediction": {}}}"#, i % 2)
            };
            clock.advance(Duration::from_secs(3600));
            send(&mut worker, &queue, Purpose::Samples, &(0..ROWS).map(row).collect::<Vec<_>>());
            most = most.max(worker.watches[&key()].bytes());
            if hour % 48 == 47 {
                models.with_log(|log| log.rotate().expect("rotated"));
                worker.keep_checkpoint();
                worker.compact();
            }
        }
        assert!(most < 8 << 20, "{most} bytes for {} rows", HOURS * ROWS);
        // Every third is wrong, and one has a row that never came.
        let label = |hour: i64| {
            move |i: i64| format!(r#"{{"id": "{hour}-{i}", "label": {}}}"#, if i % 3 == 0 { 1 - i % 2 } else { i % 2 })
        };
        for hour in [0, 300] {
            send(&mut worker, &queue, Purpose::Labels, &(0..ROWS).map(label(hour)).collect::<Vec<_>>());
        }
        send(&mut worker, &queue, Purpose::Labels, &[r#"{"id": "never", "label": 1}"#.to_owned()]);
        let measured = |worker: &ModelWorker, hour: i64| {
            let start = Timestamp::from_second(hour * 3600).expect("a time");
            let view = worker.watches[&key()].view();
            let window = view.windows.iter().find(|window| window.start == start).cloned();
            window.and_then(|window| window.performance).map(|found| {
                let accuracy = found.measures().find(|(name, _)| *name == "accuracy").map(|(_, value)| value);
                (found.rows, accuracy.map(|accuracy| (accuracy * 1000.0).round()))
            })
        };
        worker.look_up();
        let right = (0..ROWS).filter(|i| i % 3 != 0).count() as f64 / ROWS as f64;
        for hour in [0, 300] {
            assert_eq!(measured(&worker, hour), Some((ROWS as u64, Some((right * 1000.0).round()))), "hour {hour}");
        }
        assert_eq!(worker.watches[&key()].view().counts.unmatched, 1);
        // A restart in between forgets nothing that waits.
        send(&mut worker, &queue, Purpose::Labels, &(0..ROWS).map(label(100)).collect::<Vec<_>>());
        worker.keep_checkpoint();
        let (config, view) = (worker.config.clone(), watch::Sender::new(Arc::default()));
        let again = Arc::clone(&worker.clock);
        drop(worker);
        models.set_log(Err("away".to_owned()));
        let mut worker =
            ModelWorker::new(models, (data.path().to_owned(), "n".to_owned()), config, again, Arc::default(), view);
        worker.open();
        worker.look_up();
        assert_eq!(measured(&worker, 100).map(|found| found.0), Some(ROWS as u64));
    }

    /// Writes an hour a file, of so many rows each, as the log would become them.
    fn store_hours(data: &std::path::Path, hours: i64, rows: i64) {
        const HOUR: i64 = 3_600_000;
        let store = Samples::open(data, "n").expect("a store");
        let mut log = crate::store::Log::open(&store.log_folder(), 1, 1).expect("a log");
        for hour in 0..hours {
            let times = arrow::array::TimestampMillisecondArray::from_iter_values(
                (0..rows).map(|i| hour * HOUR + i * (HOUR / rows)),
            );
            let times: arrow::array::ArrayRef = Arc::new(times.with_timezone("UTC"));
            let ids = arrow::array::StringViewArray::from_iter_values((0..rows).map(|i| format!("{hour}-{i}")));
            let predictions = arrow::array::Int64Array::from_iter_values((0..rows).map(|i| i % 2));
            let record = arrow::array::RecordBatch::try_from_iter([
                ("id", Arc::new(ids) as _),
                ("timestamp", Arc::clone(&times)),
                ("_arrival", times),
                ("prediction", Arc::new(predictions) as _),
            ]);
            log.append(Kind::Samples, &key(), &record.expect("a record")).expect("written");
            log.rotate().expect("rotated");
            let leave = Leave { removed: &BTreeMap::new(), repeated: &BTreeMap::new() };
            store.compact(&log.closed().expect("segments")[0], leave).expect("compacted");
        }
    }

    /// A month at a rate that memory holds an hour of. At 1,000 rows/s an hour is a dozen files of 300,000 rows instead of one of 1,500,
    /// and the index of an id a page in 587 instead of one in three: what is read of the files themselves for an hour's labels is
    /// that hour's files in either case, and this counts them.
    #[test]
    fn labels_of_any_hour_of_a_month_read_that_hours_files_alone() {
        const HOURS: i64 = 30 * 24;
        const ROWS: i64 = 1500;
        const HOUR: i64 = 3_600_000;
        let data = tempfile::tempdir().expect("a folder");
        store_hours(data.path(), HOURS, ROWS);
        let clock = Arc::new(FixedClock::new(Timestamp::from_millisecond(HOURS * HOUR).expect("a time")));
        let (out, queue) = channel();
        let config =
            "[samples]\nretention = \"31d\"\n[[model]]\nname = \"m\"\nmax_rows = 5000\nlabel_horizon = \"31d\"\n";
        let config = Config::parse(config).expect("a config");
        let models = Arc::new(Models::new(&config, Arc::default(), out));
        let begin = || {
            models.set_log(Err("away".to_owned()));
            let folder = (data.path().to_owned(), "n".to_owned());
            let (view, shared) = (watch::Sender::new(Arc::default()), Arc::clone(&clock) as Arc<dyn Clock>);
            let mut worker =
                ModelWorker::new(Arc::clone(&models), folder, config.clone(), shared, Arc::default(), view);
            worker.open();
            worker
        };
        let mut worker = begin();
        clock.advance(Duration::from_secs(3600));
        let settle = |worker: &mut ModelWorker| {
            let read = |worker: &ModelWorker| worker.stored.get(&key()).map_or(0, |known| known.read);
            let before = read(worker);
            clock.advance(Duration::from_secs(300));
            worker.judge();
            worker.look_up();
            read(worker) - before
        };
        let measured = |worker: &ModelWorker, hour: i64| {
            let start = Timestamp::from_second(hour * 3600).expect("a time");
            let view = worker.watches[&key()].view();
            let window = view.windows.iter().find(|window| window.start == start).cloned();
            window.and_then(|window| window.performance).map_or((0, 0.0), |found| {
                let right = found.measures().find(|(name, _)| *name == "accuracy").map_or(0.0, |(_, value)| value);
                (found.rows, (right * found.rows as f64).round())
            })
        };
        // The first so many are wrong.
        let labels = |hour: i64, wrong: i64, ids: std::ops::Range<i64>| -> Vec<String> {
            ids.map(|i| format!(r#"{{"id": "{hour}-{i}", "label": {}}}"#, (i + i64::from(i < wrong)) % 2)).collect()
        };
        settle(&mut worker);
        for hour in [0, HOURS / 2, HOURS - 1] {
            send(&mut worker, &queue, Purpose::Labels, &labels(hour, 300, 0..ROWS));
            let read = settle(&mut worker);
            // Once for their ids, once to see which rows the window has, once for what is measured. The last hour is in memory.
            assert_eq!(read, if hour == HOURS - 1 { 0 } else { 3 }, "hour {hour}");
            assert_eq!(measured(&worker, hour), (1500, 1200.0), "hour {hour}");
        }
        // Labels of rows that were never here open nothing.
        let strangers: Vec<String> = (0..20_000).map(|i| format!(r#"{{"id": "never-{i}", "label": 1}}"#)).collect();
        send(&mut worker, &queue, Purpose::Labels, &strangers);
        assert_eq!(settle(&mut worker), 0);
        assert_eq!(worker.watches[&key()].view().counts.unmatched, 20_000);
        // They pushed the others out of memory, which are read from where they are stored: here a few are corrected.
        models.with_log(|log| log.rotate().expect("rotated"));
        worker.keep_checkpoint();
        assert!(worker.compact());
        send(&mut worker, &queue, Purpose::Labels, &labels(0, 0, 0..100));
        // As before, and the one file of labels, twice at most.
        let read = settle(&mut worker);
        assert!((4..=5).contains(&read), "{read}");
        assert_eq!(measured(&worker, 0), (1500, 1300.0));
        // The hour in memory, too, though its labels are not.
        send(&mut worker, &queue, Purpose::Labels, &labels(HOURS - 1, 0, 0..100));
        settle(&mut worker);
        assert_eq!(measured(&worker, HOURS - 1), (1500, 1300.0));
        // Over a restart, with one index gone and another damaged.
        worker.keep_checkpoint();
        drop(worker);
        let store = Samples::open(data.path(), "n").expect("a store");
        let files = store.compacted_of(Kind::Samples, &key()).expect("files");
        drop(store);
        assert_eq!(files.len(), 720);
        let (gone, damaged) = (crate::store::ids::beside(&files[100]), crate::store::ids::beside(&files[200]));
        std::fs::remove_file(&gone).expect("removed");
        let mut bytes = std::fs::read(&damaged).expect("an index");
        let whole = bytes.clone();
        bytes[3000] ^= 1;
        std::fs::write(&damaged, bytes).expect("written");
        let mut worker = begin();
        for hour in [0, 100, 200, 300] {
            send(&mut worker, &queue, Purpose::Labels, &labels(hour, 0, 0..ROWS));
        }
        // Four windows in one go, and the last hour's is among them.
        settle(&mut worker);
        settle(&mut worker);
        for hour in [0, 100, 200, 300] {
            assert_eq!(measured(&worker, hour), (1500, 1500.0), "hour {hour}");
        }
        assert!(gone.exists());
        assert_eq!(std::fs::read(&damaged).expect("an index"), whole);
        // A window of more rows than are joined at a time has them all, and each once.
        let of_m = key();
        let (mut look, watch) = worker.look(&of_m).expect("it is known");
        let mut window = |share: usize| {
            look.share = share;
            let (rows, labelled) = look.window(watch, 0, HOUR).expect("a window");
            (rows, labelled.height(), labelled.column("label").expect("labels").i64().expect("whole").sum())
        };
        assert_eq!(window(400), window(1_000_000));
        assert_eq!(window(400), (1500, 1500, Some(750)));
        let bytes = worker.watches[&key()].bytes();
        assert!(bytes < 4 << 20, "{bytes} bytes in memory of {} rows", HOURS * ROWS);
    }

    /// Between memory and Parquet there is the log: rows that have left the one and are not in the other yet are there.
    #[test]
    fn labels_find_rows_that_only_the_log_has() {
        let data = tempfile::tempdir().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        let (out, queue) = channel();
        let config = Config::parse("[[model]]\nname = \"m\"\nmax_rows = 300\n").expect("a config");
        let models = Arc::new(Models::new(&config, Arc::default(), out));
        let (folder, view) = ((data.path().to_owned(), "n".to_owned()), watch::Sender::new(Arc::default()));
        let mut worker = ModelWorker::new(models, folder, config, clock, Arc::default(), view);
        worker.open();
        for hour in 0..4_i64 {
            let row = |i: i64| {
                let at = hour * 3_600_000 + i * 1000;
                format!(r#"{{"id": "{hour}-{i}", "timestamp": {at}, "prediction": {}}}"#, i % 2)
            };
            send(&mut worker, &queue, Purpose::Samples, &(0..250).map(row).collect::<Vec<_>>());
        }
        let label = |i: i64| format!(r#"{{"id": "0-{i}", "label": 1}}"#);
        send(&mut worker, &queue, Purpose::Labels, &(0..250).map(label).collect::<Vec<_>>());
        worker.look_up();
        let view = worker.watches[&key()].view();
        assert_eq!((view.rows_in_memory, view.counts.unmatched), (300, 0));
        let first = view.windows.last().and_then(|window| window.performance.as_ref());
        assert_eq!(first.map(|performance| (performance.rows, performance.accuracy)), Some((250, Some(0.5))));
    }

    /// A request that is sent again after a broken connection: its rows are counted, and stored once.
    #[test]
    fn a_repeated_id_is_stored_once() {
        let data = tempfile::tempdir().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        let (out, queue) = channel();
        let config = Config::default();
        let models = Arc::new(Models::new(&config, Arc::default(), out));
        let begin = |config: Config| {
            let view = watch::Sender::new(Arc::default());
            let folder = (data.path().to_owned(), "n".to_owned());
            let mut worker =
                ModelWorker::new(Arc::clone(&models), folder, config, Arc::clone(&clock), Arc::default(), view);
            worker.open();
            worker
        };
        let mut worker = begin(config.clone());
        let rows = |ids: std::ops::Range<i64>| {
            ids.map(|i| format!(r#"{{"id": "{i}", "timestamp": {}, "x": {i}}}"#, i * 1000)).collect::<Vec<_>>()
        };
        send(&mut worker, &queue, Purpose::Samples, &rows(0..10));
        send(&mut worker, &queue, Purpose::Samples, &rows(0..10));
        models.with_log(|log| log.rotate().expect("rotated"));
        send(&mut worker, &queue, Purpose::Samples, &rows(5..15));
        // Over a restart, which replays the log.
        drop(worker);
        models.set_log(Err("away".to_owned()));
        let mut worker = begin(config);
        send(&mut worker, &queue, Purpose::Samples, &rows(14..16));
        models.with_log(|log| log.rotate().expect("rotated"));
        worker.keep_checkpoint();
        assert!(worker.compact());
        let store = worker.store.as_ref().expect("a store");
        let mut ids: Vec<String> = Vec::new();
        for (_, _, path) in store.compacted(Kind::Samples).expect("files") {
            let frame = crate::store::samples::read_parquet(&path).expect("a frame");
            ids.extend(frame.column("id").expect("ids").str().expect("texts").iter().flatten().map(str::to_owned));
        }
        ids.sort_by_key(|id| id.parse::<i64>().expect("a number"));
        assert_eq!(ids, (0..16).map(|i| i.to_string()).collect::<Vec<_>>());
        assert!(worker.repeated.is_empty(), "nothing is remembered of what is stored");
    }

    /// Three models of one name: each has its own rows, verdict, files and end, over a restart too.
    #[test]
    fn namesakes_live_side_by_side() {
        let data = tempfile::tempdir().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        let (out, queue) = channel();
        let config = "[[model]]\nname = \"m\"\nwindow_rows = 250\n[[model]]\nname = \"m\"\nnamespace = \"ml\"\nwindow_rows = 300\n";
        let config = Config::parse(config).expect("a config");
        let models = Arc::new(Models::new(&config, Arc::default(), out));
        let begin = || {
            models.set_log(Err("away".to_owned()));
            let (folder, view) = ((data.path().to_owned(), "n".to_owned()), watch::Sender::new(Arc::default()));
            let shared = Arc::clone(&clock);
            let mut worker =
                ModelWorker::new(Arc::clone(&models), folder, config.clone(), shared, Arc::default(), view);
            worker.open();
            worker
        };
        let keys = [ModelKey::named("m"), ModelKey::within("ml", "m"), ModelKey::within("shop", "m")];
        // The same ids, a column of another kind in each, and as many rows as the first's window holds.
        let rows = |column: &str, value: &str| -> Vec<String> {
            (0..250)
                .map(|i| format!(r#"{{"id": "{i}", "timestamp": {i}, "{column}": {value}, "version": "{column}"}}"#))
                .collect()
        };
        let mut worker = begin();
        for (key, (column, value)) in keys.iter().zip([("x", "1"), ("x", "\"a\""), ("y", "true")]) {
            send_to(&mut worker, &queue, key, Purpose::Reference, &rows(column, value));
            send_to(&mut worker, &queue, key, Purpose::Samples, &rows(column, value));
        }
        let seen = |worker: &ModelWorker| -> Vec<(String, u64, Vec<String>, bool)> {
            let view = |watch: &Watch| {
                let view = watch.view();
                let versions = view.latest.as_ref().map(|window| window.versions.clone()).unwrap_or_default();
                (
                    view.key.to_string(),
                    view.counts.samples,
                    versions,
                    view.reference.is_some_and(|r| !r.about.provisional),
                )
            };
            worker.watches.values().map(view).collect()
        };
        let all = [("m", vec!["x"]), ("ml/m", vec![]), ("shop/m", vec![])];
        let all = all.map(|(key, versions): (&str, Vec<&str>)| {
            (key.to_owned(), 250, versions.into_iter().map(str::to_owned).collect::<Vec<_>>(), true)
        });
        assert_eq!(seen(&worker), all, "the first alone has windows of so many rows");
        // Half of it in Parquet, half in the log, all in the checkpoint; then without one.
        models.with_log(|log| log.rotate().expect("rotated"));
        worker.keep_checkpoint();
        assert!(worker.compact());
        drop(worker);
        let mut worker = begin();
        assert_eq!(seen(&worker), all);
        send_to(
            &mut worker,
            &queue,
            &keys[1],
            Purpose::Samples,
            &[r#"{"id": "250", "timestamp": 250, "x": "b"}"#.to_owned()],
        );
        drop(worker);
        std::fs::remove_file(data.path().join("models/checkpoint.json")).expect("removed");
        let mut worker = begin();
        let counts =
            |worker: &ModelWorker| worker.watches.values().map(|w| w.view().counts.samples).collect::<Vec<_>>();
        assert_eq!(counts(&worker), [250, 251, 250]);
        // One goes, with its files and nobody else's.
        assert_eq!(models.remove(&keys[1]), Ok(true));
        assert_eq!(models.remove(&ModelKey::within("away", "m")), Ok(false));
        while let Ok(accepted) = queue.try_recv() {
            worker.take(accepted);
        }
        let stored = |worker: &ModelWorker| {
            let files = worker.store.as_ref().expect("a store").compacted(Kind::Samples).expect("files");
            files.into_iter().map(|(_, key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!((counts(&worker), stored(&worker)), (vec![250, 250], vec![keys[0].clone(), keys[2].clone()]));
        worker.keep_checkpoint();
        drop(worker);
        let mut worker = begin();
        assert_eq!(counts(&worker), [250, 250]);
        // It may come again, with columns of other kinds.
        send_to(&mut worker, &queue, &keys[1], Purpose::Samples, &rows("x", "2"));
        assert_eq!(counts(&worker), [250, 250, 250]);
    }

    #[test]
    fn models_that_are_silent_expire_and_make_room() {
        let data = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        let (out, queue) = channel();
        let mut config = Config::parse("[[model]]\nname = \"described\"\n").expect("a config");
        config.models.max_models = 3;
        let models = Arc::new(Models::new(&config, Arc::default(), out));
        let view = watch::Sender::new(Arc::default());
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let mut worker = ModelWorker::new(
            Arc::clone(&models),
            (data.path().to_owned(), "n".to_owned()),
            config,
            shared,
            Arc::default(),
            view,
        );
        worker.open();
        let hear = |worker: &mut ModelWorker, model: &str| {
            let rows = crate::frame::stack::frame_of(
                &arrow::array::RecordBatch::try_from_iter([(
                    "id",
                    Arc::new(arrow::array::StringViewArray::from(vec!["1"])) as _,
                )])
                .expect("a batch"),
            );
            let mut rows = rows.expect("a frame");
            let at = Series::new("label".into(), vec![1_i64]).into_column();
            rows.with_column(at).expect("a column");
            let model = ModelKey::named(model);
            models.remember(&model, &Schema::of(&rows));
            let mut progress = Progress::default();
            progress.heard = Some(clock.now());
            worker.watches.insert(model.clone(), Watch::new(models.spec(&model), 10, progress, clock.now()));
        };
        let expire = |worker: &mut ModelWorker| {
            worker.expire();
            while let Ok(accepted) = queue.try_recv() {
                worker.take(accepted);
            }
        };
        hear(&mut worker, "dated-1");
        clock.advance(Duration::from_secs(3600));
        hear(&mut worker, "dated-2");
        hear(&mut worker, "described");
        clock.advance(Duration::from_secs(DAY - 1800));
        expire(&mut worker);
        assert_eq!(known(&worker), ["dated-2", "described"], "the one that was silent for a day makes room");
        assert!(!models.is_full());
        clock.advance(Duration::from_secs(3 * DAY));
        expire(&mut worker);
        assert_eq!(known(&worker), ["dated-2", "described"], "there is room: nobody has to go");
        clock.advance(Duration::from_secs(90 * DAY));
        expire(&mut worker);
        assert!(known(&worker).is_empty(), "{:?}", known(&worker));
    }
}
