//! What stands behind the ingest: rows that passed are logged, then queued for the model worker.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};

use super::commits::Commits;
use super::memory;
use crate::config::Config;
use crate::frame::json::WrongTypes;
use crate::frame::stack::frame_of;
use crate::health::{EventsState, Health};
use crate::identity::ModelKey;
use crate::ingest::events::count::Counts;
use crate::ingest::{Described, Kept, Refused, Repeats, Reservation, Room, RowCounts, Sink};
use crate::model::border::{Batch, FORWARDED, Purpose};
use crate::model::privacy::Key;
use crate::model::{Schema, Spec, Store, profile};
use crate::store::log::{Durability, Entry, Kind};
use crate::store::{Error, Log};

/// A batch that is stored and waits to be taken in.
pub struct Accepted {
    /// As it stands in the log.
    pub entry: Entry,
    /// The memory it is spoken for; given back when it has been taken in.
    pub reservation: Reservation,
}

/// What the ingest knows of models, and where it puts what passed.
pub struct Models {
    /// Locked for moments only: requests are asked for on the runtime's threads.
    known: Mutex<Registry>,
    /// Why there is no log, if there is none; locked for moments only.
    closed: Mutex<Option<String>>,
    /// The open log. Locked while rows are written, so never on the runtime's threads; always before `known`.
    log: Mutex<Option<Log>>,
    /// What is on the disk, where senders wait for that.
    commits: Option<Commits>,
    durability: Durability,
    out: Sender<Accepted>,
    /// Who this agent is, once its store is open; locked for moments only.
    agent: Mutex<Option<String>>,
    /// The log's segment from which on another agent still is to have labels.
    owed_from: AtomicU64,
    /// Samples rejected for a value of another type, until the model worker takes note.
    wrong_types: Mutex<BTreeMap<ModelKey, WrongTypes>>,
    /// Memory is short: nothing more is taken in.
    pressed: AtomicBool,
    /// Memory of what is in flight, for all ingest.
    pub in_flight: Arc<Room>,
    /// Batches that may be sent again.
    pub repeats: Arc<Repeats>,
    health: Arc<Health>,
}

#[derive(Default)]
struct Registry {
    specs: BTreeMap<ModelKey, Arc<Spec>>,
    schemas: BTreeMap<ModelKey, Arc<Schema>>,
    max_models: usize,
    max_features: usize,
    /// How long samples are kept.
    retention: Duration,
}

impl Registry {
    fn configure(&mut self, config: &Config, key: Key) {
        let keyed = |spec: &Spec| Arc::new(Spec { key, ..spec.clone() });
        self.specs = config.model.iter().map(|spec| (spec.key(), keyed(spec))).collect();
        (self.max_models, self.max_features) = (config.models.max_models, config.models.max_features);
        self.retention = config.samples.retention;
    }

    /// The model is known or described, or there is room for one more.
    fn has_room(&self, model: &ModelKey) -> bool {
        self.schemas.contains_key(model) || self.specs.contains_key(model) || self.schemas.len() < self.max_models
    }

    fn spec(&self, model: &ModelKey) -> Arc<Spec> {
        self.specs.get(model).map_or_else(
            || {
                // Nobody said how long its labels are waited for: as long as its rows are kept.
                let spec = Spec::of(model);
                Arc::new(Spec { label_horizon: spec.label_horizon.min(self.retention), ..spec })
            },
            Arc::clone,
        )
    }
}

/// The key that columns are hashed with. Without one what is to be hashed is left out, and told.
fn key(config: &Config) -> Key {
    let Some(path) = &config.models.hash_key_file else { return Key::default() };
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    read.and_then(|text| Key::parse(&text)).unwrap_or_else(|why| {
        tracing::error!(path = %path.display(), why, "models.hash_key_file: columns that are to be hashed are left out");
        Key::default()
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Models {
    pub fn new(config: &Config, health: Arc<Health>, out: Sender<Accepted>) -> Self {
        let mut registry = Registry::default();
        registry.configure(config, key(config));
        Self {
            known: Mutex::new(registry),
            closed: Mutex::new(Some(STARTING.to_owned())),
            log: Mutex::new(None),
            commits: (config.samples.durability == Durability::Fsync).then(Commits::default),
            durability: config.samples.durability,
            out,
            agent: Mutex::default(),
            owed_from: AtomicU64::new(u64::MAX),
            wrong_types: Mutex::default(),
            pressed: AtomicBool::new(false),
            repeats: Arc::default(),
            in_flight: Room::new(config.ingest.clone().within(memory::allowance(config)).in_flight.as_u64()),
            health,
        }
    }

    /// Takes a new configuration.
    pub fn configure(&self, config: &Config) {
        // A file is read, which nobody is to wait for.
        let key = key(config);
        locked(&self.known).configure(config, key);
    }

    /// The model's description: the configuration's, or the defaults.
    pub fn spec(&self, model: &ModelKey) -> Spec {
        locked(&self.known).spec(model).as_ref().clone()
    }

    /// Notes what a stored model's columns hold.
    pub fn remember(&self, model: &ModelKey, schema: &Schema) {
        Arc::make_mut(locked(&self.known).schemas.entry(model.clone()).or_default()).merge(schema);
    }

    /// Forgets what a model's columns hold: there is room for another.
    pub fn forget(&self, model: &ModelKey) {
        locked(&self.known).schemas.remove(model);
    }

    /// The model is described in the configuration.
    pub fn is_described(&self, model: &ModelKey) -> bool {
        locked(&self.known).specs.contains_key(model)
    }

    /// There is no room for another model that nobody described.
    pub fn is_full(&self) -> bool {
        let registry = locked(&self.known);
        registry.schemas.len() >= registry.max_models
    }

    /// Samples rejected for a value of another type since this was asked last.
    pub fn take_wrong_types(&self) -> BTreeMap<ModelKey, WrongTypes> {
        std::mem::take(&mut locked(&self.wrong_types))
    }

    /// The last entry that was written, in whatever log.
    pub fn last_written(&self) -> u64 {
        locked(&self.log).as_ref().map_or(0, Log::last).max(self.commits.as_ref().map_or(0, Commits::last))
    }

    /// Opens the log for the ingest, or says why there is none.
    pub fn set_log(&self, log: Result<Log, String>) {
        if let Some(commits) = &self.commits
            && self.with_log(|_| ()).is_some()
        {
            commits.settle(self.synced());
        }
        let (log, closed) = match log {
            Ok(log) => (Some(log.with(self.durability)), None),
            Err(why) => (None, Some(why)),
        };
        let mut open = locked(&self.log);
        *locked(&self.closed) = closed;
        *open = log;
    }

    /// Says who this agent is, by the store that it has.
    pub fn set_agent(&self, agent: Option<String>) {
        *locked(&self.agent) = agent;
    }

    /// Says from which segment on another agent still is to have labels; `None` where all have all.
    pub fn owe_from(&self, segment: Option<u64>) {
        self.owed_from.store(segment.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was said so last.
    pub fn owed_from(&self) -> Option<u64> {
        Some(self.owed_from.load(Ordering::Relaxed)).filter(|segment| *segment < u64::MAX)
    }

    /// Writes to the disk what senders wait for, as long as there is any who may; otherwise at once the end.
    pub async fn commit(self: Arc<Self>) {
        let Some(commits) = &self.commits else {
            // What waits in memory alone is given to the system, whatever the model worker is at.
            if self.durability != Durability::Memory {
                return;
            }
            loop {
                tokio::time::sleep(WRITTEN_OUT).await;
                let models = Arc::clone(&self);
                let _ = tokio::task::spawn_blocking(move || models.write_out()).await;
            }
        };
        loop {
            commits.wanted().await;
            let models = Arc::clone(&self);
            // What comes meanwhile is written together, by the next round.
            let synced = tokio::task::spawn_blocking(move || models.synced()).await;
            commits.settle(synced.unwrap_or_else(|error| (u64::MAX, Err(error.to_string()))));
        }
    }

    /// Writes the log to the disk: up to which entry, and whether that went well.
    fn synced(&self) -> (u64, Result<(), String>) {
        let closed = || (u64::MAX, Err("the log was closed".to_owned()));
        let Some((last, unsynced)) = self.with_log(|log| (log.last(), log.unsynced())) else { return closed() };
        let Err(error) = unsynced.and_then(|unsynced| unsynced.sync()) else { return (last, Ok(())) };
        self.with_log(|log| (log.give_up(), Err(error.to_string()))).unwrap_or_else(closed)
    }

    /// Gives the system what waits in the log, where entries are not written at once.
    pub fn write_out(&self) {
        if let Some(Err(error)) = self.with_log(Log::write_out) {
            tracing::error!(%error, "accepted rows wait in memory: the log cannot be written");
        }
    }

    /// Writes what the system still holds of the log to the disk, while others go on writing.
    pub fn flush(&self) -> Result<(), Error> {
        if let Some(commits) = &self.commits {
            commits.settle(self.synced());
            return Ok(());
        }
        let file = match locked(&self.log).as_ref() {
            Some(log) => log.handle()?,
            None => return Ok(()),
        };
        file.sync()
    }

    /// Works on the open log, while the ingest waits.
    pub fn with_log<T>(&self, work: impl FnOnce(&mut Log) -> T) -> Option<T> {
        locked(&self.log).as_mut().map(work)
    }

    /// Memory is short, or no longer.
    pub fn press(&self, short: bool) {
        if self.pressed.swap(short, Ordering::Relaxed) != short {
            tracing::warn!(short, "memory: samples are {}", if short { "refused for now" } else { "taken again" });
        }
    }
}

/// A batch as its model keeps it: of a reference whose rows are not to be kept their profile.
fn as_kept(purpose: Purpose, batch: Batch, spec: &Spec) -> Result<(Purpose, Batch), String> {
    if purpose != Purpose::Reference || spec.store == Store::Rows {
        return Ok((purpose, batch));
    }
    let frame = frame_of(&batch.record).map_err(|error| error.to_string())?;
    let profile = profile::of_rows(&frame, spec)?;
    let admitted = profile::admit(profile.text(), spec, usize::MAX)?;
    let notes = batch.record.schema_ref().metadata().iter();
    let kept = notes.into_iter().try_fold(admitted.batch, |kept, (name, note)| kept.noted(name, note))?;
    Ok((Purpose::Profile, kept))
}

/// Its bodies go nowhere else as they came.
fn is_private(spec: &Spec) -> bool {
    !spec.privacy.is_empty() || spec.store == Store::Counts
}

/// So often what waits in memory is given to the system.
const WRITTEN_OUT: Duration = Duration::from_secs(1);

const STARTING: &str = "what was stored before is still being read";

impl Sink for Models {
    fn describe(&self, model: &ModelKey) -> Result<Described, Refused> {
        if let Some(message) = locked(&self.closed).clone() {
            return Err(if message == STARTING {
                Refused::Busy { message, retry: Duration::from_secs(1) }
            } else {
                Refused::NotStored(message)
            });
        }
        if self.pressed.load(Ordering::Relaxed) {
            let message = "memory is short (models.memory_limit)".to_owned();
            return Err(Refused::Busy { message, retry: Duration::from_secs(5) });
        }
        let registry = locked(&self.known);
        if !registry.has_room(model) {
            let message = format!(
                "there are {} models already (models.max_models); DELETE /v1/models/{{model}} removes one, and one that is silent for a day \
                 gives way by itself",
                registry.schemas.len()
            );
            return Err(Refused::Busy { message, retry: Duration::from_secs(3600) });
        }
        Ok(Described {
            spec: registry.spec(model),
            schema: registry.schemas.get(model).map_or_else(Arc::default, Arc::clone),
            max_features: registry.max_features,
        })
    }

    fn accept(
        &self,
        model: &ModelKey,
        purpose: Purpose,
        batch: Batch,
        reservation: Reservation,
    ) -> Result<(), Refused> {
        let spec = locked(&self.known).spec(model);
        let (purpose, batch) = as_kept(purpose, batch, &spec).map_err(Refused::Unusable)?;
        // Locked until the rows are written and queued: a schema is what was stored, no two bodies make it at once, and the queue
        // has the log's order.
        let mut log = locked(&self.log);
        let known = {
            let registry = locked(&self.known);
            if !registry.has_room(model) {
                return Err(Refused::Changed);
            }
            registry.schemas.get(model).map_or_else(Arc::default, Arc::clone)
        };
        let changed = |name: &String, kind| known.features.get(name).is_some_and(|known| known != kind);
        let refers = matches!(purpose, Purpose::Reference | Purpose::Profile);
        if !refers && batch.schema.features.iter().any(|(name, kind)| changed(name, kind)) {
            return Err(Refused::Changed);
        }
        let kind = match purpose {
            Purpose::Samples => Kind::Samples,
            Purpose::Labels => Kind::Labels,
            Purpose::Reference => Kind::Reference,
            Purpose::Profile => Kind::Profile,
        };
        let why = || locked(&self.closed).clone().unwrap_or_else(|| STARTING.to_owned());
        let open = log.as_mut().ok_or_else(|| Refused::NotStored(why()))?;
        let stands_for_it = match kind {
            Kind::Samples | Kind::Labels if spec.store == Store::Counts => batch.without_rows(),
            _ => Ok(batch.record.clone()),
        };
        let written =
            stands_for_it.and_then(|record| open.append(kind, model, &record).map_err(|error| error.to_string()));
        let sequence = written.map_err(Refused::NotStored)?;
        if let Some(commits) = &self.commits {
            commits.written(sequence);
        }
        let mut registry = locked(&self.known);
        let schema = Arc::make_mut(registry.schemas.entry(model.clone()).or_default());
        if refers {
            schema.replace(&batch.schema);
        } else {
            schema.merge(&batch.schema);
        }
        drop(registry);
        if batch.record.column_by_name(FORWARDED).is_some() {
            let rows = batch.record.num_rows() as u64;
            self.health.update(|state| state.forwarding.received = state.forwarding.received.saturating_add(rows));
        }
        let entry = Entry { sequence, kind, model: model.clone(), record: batch.record };
        // The model_worker outlives the ingest; were it gone, the log has the rows for the next start.
        let _ = self.out.send(Accepted { entry, reservation });
        Ok(())
    }

    fn remove(&self, model: &ModelKey) -> Result<bool, Refused> {
        let mut log = locked(&self.log);
        if !locked(&self.known).schemas.contains_key(model) {
            return Ok(false);
        }
        let why = || locked(&self.closed).clone().unwrap_or_else(|| STARTING.to_owned());
        let open = log.as_mut().ok_or_else(|| Refused::NotStored(why()))?;
        let nothing = RecordBatch::try_from_iter([("id", Arc::new(StringArray::new_null(0)) as _)]);
        let record = nothing.map_err(|error| Refused::NotStored(error.to_string()))?;
        let sequence =
            open.append(Kind::Removal, model, &record).map_err(|error| Refused::NotStored(error.to_string()))?;
        if let Some(commits) = &self.commits {
            commits.written(sequence);
        }
        locked(&self.known).schemas.remove(model);
        self.repeats.forget(model);
        let entry = Entry { sequence, kind: Kind::Removal, model: model.clone(), record };
        let _ = self.out.send(Accepted { entry, reservation: Reservation::none(&self.in_flight) });
        Ok(true)
    }

    fn refused(&self, model: &ModelKey, wrong_types: &WrongTypes) {
        // Of a model that has no columns yet nobody knows their types; and what is not known takes no room.
        if !locked(&self.known).schemas.contains_key(model) {
            return;
        }
        let mut all = locked(&self.wrong_types);
        let of_model = all.entry(model.clone()).or_default();
        of_model.rows = of_model.rows.saturating_add(wrong_types.rows);
        for (column, rows) in &wrong_types.by_column {
            of_model.add(column, *rows);
        }
    }

    fn agent(&self) -> Option<String> {
        locked(&self.agent).clone()
    }

    fn takes_forwarded(&self, model: &ModelKey) -> bool {
        let registry = locked(&self.known);
        let known = registry.schemas.contains_key(model) || registry.specs.contains_key(model);
        known || registry.schemas.len() < registry.max_models / 2
    }

    fn kept(&self) -> Kept {
        match &self.commits {
            Some(commits) => commits.kept(),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn known_as(&self, model: ModelKey) -> ModelKey {
        let specs = &locked(&self.known).specs;
        let anywhere = ModelKey::named(&model.name);
        if !specs.contains_key(&model) && specs.contains_key(&anywhere) { anywhere } else { model }
    }

    fn counted(&self, events: &Counts) {
        let Counts {
            received,
            accepted,
            rows,
            sampled_out_rows,
            rejected_rows,
            late,
            dropped,
            waiting,
            waiting_bytes,
            ..
        } = *events;
        let state = EventsState {
            received,
            accepted,
            left_out: events.left_out.clone(),
            rejected: events.rejected.clone(),
            rows,
            sampled_out_rows,
            rejected_rows,
            unpaired: [("request", events.unpaired_requests), ("response", events.unpaired_responses)],
            late,
            dropped,
            waiting,
            waiting_bytes,
            last_rejection: events.last_rejection.clone(),
        };
        self.health.update(|health| health.events = Some(state));
    }

    fn is_private(&self, model: Option<&ModelKey>) -> bool {
        let specs = &locked(&self.known).specs;
        match model {
            Some(model) => specs.get(model).is_some_and(|spec| is_private(spec)),
            None => specs.values().any(|spec| is_private(spec)),
        }
    }

    fn repeated(&self) {
        self.health.update(|state| state.samples.repeated = state.samples.repeated.saturating_add(1));
    }

    fn answered(&self, status: u16, rows: RowCounts) {
        self.health.update(|state| {
            let samples = &mut state.samples;
            *samples.answers.entry(status).or_default() += 1;
            samples.accepted = samples.accepted.saturating_add(rows.accepted);
            samples.sampled_out = samples.sampled_out.saturating_add(rows.sampled_out);
            for (reason, count) in [("type", rows.wrong_type), ("fault", rows.faulty)] {
                let known = samples.rejected.entry(reason).or_default();
                *known = known.saturating_add(count);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;

    /// A request is asked for on a thread of the runtime, which must not wait for a disk.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "how long it really takes is what is tried")]
    fn what_is_known_is_told_while_the_log_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (out, _queue) = channel();
        let models = Arc::new(Models::new(&Config::default(), Arc::default(), out));
        models.set_log(Ok(Log::open(folder.path(), 1, 1).expect("a log")));
        let (writing, begun) = channel();
        let writer = Arc::clone(&models);
        let slow = std::thread::spawn(move || {
            writer.with_log(|_| {
                writing.send(()).expect("somebody waits");
                std::thread::sleep(Duration::from_secs(2));
            })
        });
        begun.recv().expect("it began");
        let at = Instant::now();
        assert!(models.describe(&ModelKey::named("m")).is_ok());
        assert!(at.elapsed() < Duration::from_secs(1), "it waited for the disk");
        slow.join().expect("it ended");
    }
}
