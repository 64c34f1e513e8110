//! How the agent itself is doing: what is up, what is stale, what was lost.
//!
//! Plain state behind one lock, written by whoever does the work and read by the page, the metrics and the log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::metric::{self, Number, Point, Subject};
use std::sync::Arc;

/// The shared state of health.
#[derive(Debug, Default)]
pub struct Health {
    state: Mutex<State>,
}

/// Everything known of the agent's health at one moment. Times are on the clock's monotonic side.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// By collector.
    pub collectors: BTreeMap<&'static str, CollectorState>,
    /// By exporter.
    pub exporters: BTreeMap<&'static str, ExporterState>,
    /// The minute history on disk.
    pub history: HistoryState,
    /// The models' samples.
    pub samples: SamplesState,
    /// Descriptions of models that do not count, a sentence each without its full stop.
    pub descriptions: Vec<String>,
    /// Events of predictions, once one came.
    pub events: Option<EventsState>,
    /// Folders that are watched, by path.
    pub folders: BTreeMap<String, FolderState>,
    /// References that the configuration names, by model.
    pub references: BTreeMap<String, ReferenceState>,
    /// Labels that go on to other agents.
    pub forwarding: ForwardingState,
    /// Stored files on their way to an object store.
    pub archive: ArchiveState,
    /// Copies of requests for another sink.
    pub mirror: MirrorState,
    /// Files of tokens and certificates that cannot be used, a sentence each without its full stop; what was before is in force.
    pub access: Vec<String>,
    /// Requests that were refused for what token came with them, by the reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Containers beyond the configured bound, at the last read.
    pub containers_left_out: u64,
    /// How often a thread panicked and went on or began anew.
    pub panics: u64,
    /// Threads that must not end, by name.
    pub threads: BTreeMap<&'static str, ThreadState>,
}

/// What a collector's reports hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brings {
    /// Every container's resource use. Without it there is little to show: its absence is a fault.
    Containers,
    /// Containers' names. Newcomers are shown a moment later, with theirs.
    Names,
    /// GPUs.
    Devices,
    /// What was set aside for containers that others name. Nobody waits for it.
    Allocations,
}

/// One collector.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CollectorState {
    /// What its reports hold.
    pub brings: Option<Brings>,
    /// It is open and its last read succeeded.
    pub up: bool,
    /// What it reads is not on this machine, and may well not be.
    pub absent: bool,
    /// What it found when it opened, or why it could not.
    pub message: String,
    /// When it last read.
    pub read_at: Option<Duration>,
    /// How long that took.
    pub duration: Option<Duration>,
    /// Failures to open or read so far.
    pub failures: u64,
    /// Reports thrown away because nobody took them in time.
    pub dropped: u64,
}

/// One thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadState {
    /// When it last went round, with or without news.
    pub beat: Duration,
    /// It hangs when it has been silent for longer.
    pub silent: Duration,
    /// How often it panicked and was begun anew.
    pub restarts: u64,
}

impl ThreadState {
    /// It has been silent for too long.
    #[must_use]
    pub fn hangs(&self, now: Duration) -> bool {
        now.saturating_sub(self.beat) > self.silent
    }
}

/// One exporter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExporterState {
    /// Where it sends to, or that it is off and how to switch it on.
    pub message: String,
    /// It is switched on.
    pub enabled: bool,
    /// The last attempt succeeded; `None` before the first.
    pub up: Option<bool>,
    /// When the last attempt succeeded.
    pub sent_at: Option<Duration>,
    /// Points the receiver took.
    pub sent: u64,
    /// Points the receiver refused for good.
    pub rejected: u64,
    /// Points thrown away because the queue was full or the agent stopped.
    pub dropped: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Bytes that wait in the queue.
    pub queued: u64,
    /// The last error.
    pub error: Option<String>,
}

/// A model's reference that the configuration names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReferenceState {
    /// Where it lies, without keys.
    pub source: String,
    /// The last attempt succeeded; `None` before the first.
    pub up: Option<bool>,
    /// When it was last found as it is, or taken.
    pub read_at: Option<Duration>,
    /// Attempts that failed.
    pub failures: u64,
    /// The last error, while it lasts.
    pub error: Option<String>,
}

/// Labels that clients sent here, on their way to other agents, and what those send on to this one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ForwardingState {
    /// It is switched on.
    pub enabled: bool,
    /// Labels that other agents took, of each agent.
    pub sent: u64,
    /// Labels that another agent refused for good, of each agent.
    pub refused: u64,
    /// Labels that were too old, or removed, before every agent had them.
    pub lost: u64,
    /// Labels that other agents sent on to this one.
    pub received: u64,
    /// Why it is not known who the others are, while that lasts.
    pub error: Option<String>,
    /// That has lasted for long.
    pub fault: bool,
    /// The others, by address.
    pub agents: BTreeMap<String, OtherAgent>,
}

/// Stored files on their way to an object store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveState {
    /// Where they go; `None` where there is no archive.
    pub place: Option<String>,
    /// Files that it took.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Files that wait, at the last look.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Files that were removed, for there was too much, before it had them.
    pub lost: u64,
    /// Why the last attempt failed, until one does not.
    pub error: Option<String>,
}

/// Copies of requests for another sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirrorState {
    /// Where they go; `None` where there is no mirror.
    pub url: Option<String>,
    /// It took them.
    pub sent: u64,
    /// It did not take them: they are lost.
    pub failed: u64,
    /// They were not sent, by why: too many waited, or their model has columns that are kept from all.
    pub dropped: BTreeMap<&'static str, u64>,
    /// What waits, in bytes.
    pub waiting_bytes: u64,
    /// Why the last one was not taken, until one is.
    pub error: Option<String>,
}

/// Another agent that labels go on to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OtherAgent {
    /// Who it says that it is.
    pub agent: Option<String>,
    /// It answers; false once it has not for a minute, `None` before its first answer.
    pub up: Option<bool>,
    /// When it last answered.
    pub answered_at: Option<Duration>,
    /// Labels it took.
    pub sent: u64,
    /// Labels it refused for good.
    pub refused: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// The last error, while it lasts; else why it refused labels last.
    pub error: Option<String>,
}

/// The minute history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryState {
    /// It can be written.
    pub up: bool,
    /// Where it is, or why it cannot be written.
    pub message: String,
    /// Rows written so far.
    pub rows: u64,
    /// Rows that wait for a disk that fails.
    pub pending: u64,
    /// Rows thrown away because too many waited.
    pub dropped: u64,
    /// Files on disk.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The models' samples: the ingest, the store, the memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SamplesState {
    /// They can be stored; `None` while what is stored is still being read.
    pub up: Option<bool>,
    /// Where, or why not.
    pub message: String,
    /// Answers of the ingest, by HTTP status.
    pub answers: BTreeMap<u16, u64>,
    /// Rows that were stored.
    pub accepted: u64,
    /// Rows that were left out because a model's description asks for a part.
    pub sampled_out: u64,
    /// Requests that were answered as they had been before.
    pub repeated: u64,
    /// Rows that were told to be wrong, by why.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Bytes of bodies and batches that wait to be taken in.
    pub in_flight: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Models that are watched.
    pub models: u64,
    /// Batches that were stored but could not be taken in.
    pub failed: u64,
    /// Stored entries that could not be read again.
    pub damaged: u64,
    /// Rows that retention removed while labels for them could still come.
    pub removed_early: u64,
}

impl SamplesState {
    /// Rows that were told to be wrong.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.rejected.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Rows of all bodies that were read.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.accepted.saturating_add(self.sampled_out).saturating_add(self.wrong())
    }
}

/// Takes a point of the agent's own: its metric, its attribute and its value.
type Add<'a> = &'a mut dyn FnMut(&'static metric::Metric, Option<(&'static str, &'static str)>, Number);

impl SamplesState {
    /// What became of requests and rows.
    fn add_rows(&self, add: Add<'_>) {
        add(&metric::INGEST_REPEATED, None, Number::Int(self.repeated));
        add(&metric::INGEST_RECEIVED, None, Number::Int(self.received()));
        add(&metric::INGEST_ACCEPTED, None, Number::Int(self.accepted));
        add(&metric::INGEST_SAMPLED_OUT, None, Number::Int(self.sampled_out));
        for (reason, count) in &self.rejected {
            add(&metric::INGEST_REJECTED, Some(("reason", reason)), Number::Int(*count));
        }
    }
}

impl ForwardingState {
    fn add_points(&self, add: Add<'_>) {
        if self.enabled || self.received > 0 {
            add(&metric::LABELS_RECEIVED, None, Number::Int(self.received));
        }
        if self.enabled {
            add(&metric::LABELS_FORWARDED, None, Number::Int(self.sent));
            add(&metric::LABELS_REFUSED, None, Number::Int(self.refused));
            add(&metric::LABELS_LOST, None, Number::Int(self.lost));
            for (state, up) in [("up", Some(true)), ("down", Some(false)), ("unknown", None)] {
                let agents = self.agents.values().filter(|agent| agent.up == up).count() as u64;
                add(&metric::LABELS_AGENTS, Some(("state", state)), Number::Int(agents));
            }
        }
    }
}

impl ArchiveState {
    fn add_points(&self, add: Add<'_>) {
        if self.place.is_none() {
            return;
        }
        for (metric, value) in [
            (&metric::ARCHIVE_SENT, self.sent),
            (&metric::ARCHIVE_SENT_SIZE, self.sent_bytes),
            (&metric::ARCHIVE_WAITING, self.waiting),
            (&metric::ARCHIVE_FAILURES, self.failures),
            (&metric::ARCHIVE_LOST, self.lost),
        ] {
            add(metric, None, Number::Int(value));
        }
    }
}

impl MirrorState {
    fn add_points(&self, add: Add<'_>) {
        if self.url.is_none() {
            return;
        }
        add(&metric::MIRROR_SENT, None, Number::Int(self.sent));
        add(&metric::MIRROR_FAILED, None, Number::Int(self.failed));
        for reason in ["full", "private"] {
            let count = self.dropped.get(reason).copied().unwrap_or_default();
            add(&metric::MIRROR_DROPPED, Some(("reason", reason)), Number::Int(count));
        }
    }
}

/// What became of events of predictions. Every one received is accepted, left out or rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventsState {
    /// Events that came.
    pub received: u64,
    /// Events that were taken.
    pub accepted: u64,
    /// Events that nobody here wants, by why.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Events that were not taken, by why.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Rows that were stored of them.
    pub rows: u64,
    /// Rows that were left out because a model's description asks for a part.
    pub sampled_out_rows: u64,
    /// Rows with a fault.
    pub rejected_rows: u64,
    /// Halves whose other did not come in time, by which they are.
    pub unpaired: [(&'static str, u64); 2],
    /// Halves that came when the other had been given up.
    pub late: u64,
    /// Predictions that were taken and could not be stored.
    pub dropped: u64,
    /// Halves that wait for the other.
    pub waiting: u64,
    /// What they take, in bytes.
    pub waiting_bytes: u64,
    /// Why an event or a row was rejected last.
    pub last_rejection: Option<String>,
}

/// A folder whose files are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderState {
    /// It can be read; `None` before the first look.
    pub up: Option<bool>,
    /// Files that were taken.
    pub taken: u64,
    /// Files whose content had been taken before.
    pub repeated: u64,
    /// Files that cannot be read.
    pub bad: u64,
    /// Rows that were stored.
    pub rows: u64,
    /// Rows that were told to be wrong.
    pub rejected: u64,
    /// Files that wait to be taken.
    pub waiting: u64,
    /// Names that are nobody's here.
    pub passed_over: u64,
    /// The file that is being taken.
    pub current: Option<String>,
    /// What it waits for, while it does.
    pub waits: Option<String>,
    /// Why it cannot be watched, or not all of it.
    pub error: Option<String>,
    /// What was wrong last with a file or a row.
    pub last_rejection: Option<String>,
}

impl Health {
    /// Changes the state.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Watches a thread from `now` on.
    pub fn watch(&self, name: &'static str, silent: Duration, now: Duration) {
        self.update(|state| state.threads.insert(name, ThreadState { beat: now, silent, restarts: 0 }));
    }

    /// The thread goes round.
    pub fn beat(&self, name: &'static str, now: Duration) {
        self.update(|state| {
            if let Some(thread) = state.threads.get_mut(name) {
                thread.beat = now;
            }
        });
    }

    /// A collector is switched on: known from now on, so that its silence is told from its absence.
    pub fn expect(&self, name: &'static str, brings: Brings) {
        self.collector(name, |state| state.brings = Some(brings));
    }

    /// Changes one collector's state.
    pub fn collector<T>(&self, name: &'static str, change: impl FnOnce(&mut CollectorState) -> T) -> T {
        self.update(|state| change(state.collectors.entry(name).or_default()))
    }

    /// Changes one exporter's state.
    pub fn exporter<T>(&self, name: &'static str, change: impl FnOnce(&mut ExporterState) -> T) -> T {
        self.update(|state| change(state.exporters.entry(name).or_default()))
    }

    /// A copy of the state.
    #[must_use]
    pub fn state(&self) -> State {
        self.update(|state| state.clone())
    }
}

/// What the agent itself weighs, from its own process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weight {
    /// CPU time since the process started, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Resident memory in bytes.
    pub resident: Option<u64>,
}

/// A collector that is up and has not read for this long hangs: ticks are a minute apart at most.
const HANGS: Duration = Duration::from_secs(150);

impl CollectorState {
    /// It has not said yet whether it can read.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        !self.up && self.message.is_empty()
    }

    /// It has said that it cannot read.
    #[must_use]
    pub fn is_down(&self) -> bool {
        !self.up && !self.message.is_empty()
    }

    /// What is not installed is no fault; what is or was there and fails is, and what hangs. Silence before the first word is none.
    #[must_use]
    pub fn is_fault(&self, now: Duration) -> bool {
        let hangs = self.read_at.is_some_and(|at| now.saturating_sub(at) > HANGS);
        (self.up && hangs) || (self.is_down() && (!self.absent || self.read_at.is_some()))
    }
}

/// A metric, its label and its value.
type Counted = (&'static metric::Metric, Option<(&'static str, &'static str)>, u64);

impl State {
    /// The collectors that are switched on and bring this.
    pub fn bringing(&self, what: Brings) -> impl Iterator<Item = (&'static str, &CollectorState)> {
        self.collectors.iter().filter(move |(_, c)| c.brings == Some(what)).map(|(name, c)| (*name, c))
    }

    /// What watched folders come to together, if any is watched.
    fn of_folders(&self) -> Vec<Counted> {
        if self.folders.is_empty() {
            return Vec::new();
        }
        let sum = |of: fn(&FolderState) -> u64| self.folders.values().map(of).fold(0, u64::saturating_add);
        let files = |state, of| (&metric::FOLDERS_FILES, Some(("state", state)), sum(of));
        vec![
            files("taken", |folder| folder.taken),
            files("repeated", |folder| folder.repeated),
            files("bad", |folder| folder.bad),
            (&metric::FOLDERS_WAITING, None, sum(|folder| folder.waiting)),
            (&metric::FOLDERS_DOWN, None, sum(|folder| u64::from(folder.up == Some(false)))),
            (&metric::FOLDERS_ROWS, None, sum(|folder| folder.rows)),
            (&metric::FOLDERS_REJECTED, None, sum(|folder| folder.rejected)),
        ]
    }

    /// The agent's own points. Counters count from `start`, when the agent started.
    #[must_use]
    pub fn points(&self, weight: Weight, start: Timestamp, at: Timestamp, now: Duration) -> Vec<Point> {
        let subject = Arc::new(Subject::node());
        let mut points = Vec::new();
        let mut add = |metric: &'static metric::Metric, label: Option<(&'static str, &'static str)>, value: Number| {
            let attributes = label.map(|(key, value)| (key, value.into())).into_iter().collect();
            points.push(Point::new(metric, &subject, attributes, value, Some(start), at));
        };
        for (name, collector) in &self.collectors {
            let label = Some(("collector", *name));
            add(&metric::COLLECTOR_UP, label, Number::Int(collector.up.into()));
            add(&metric::COLLECTOR_FAULT, label, Number::Int(collector.is_fault(now).into()));
            if let Some(read_at) = collector.read_at {
                add(&metric::COLLECTOR_STALENESS, label, Number::Float(now.saturating_sub(read_at).as_secs_f64()));
            }
            if let Some(duration) = collector.duration {
                add(&metric::COLLECTOR_DURATION, label, Number::Float(duration.as_secs_f64()));
            }
            add(&metric::COLLECTOR_FAILURES, label, Number::Int(collector.failures));
            add(&metric::COLLECTOR_DROPPED, label, Number::Int(collector.dropped));
        }
        for (reason, refused) in &self.refused {
            add(&metric::ACCESS_REFUSED, Some(("reason", *reason)), Number::Int(*refused));
        }
        add(&metric::DESCRIPTIONS_UNUSED, None, Number::Int(self.descriptions.len() as u64));
        add(&metric::CONTAINERS_LEFT_OUT, None, Number::Int(self.containers_left_out));
        for (name, exporter) in self.exporters.iter().filter(|(_, exporter)| exporter.enabled) {
            let label = Some(("exporter", *name));
            add(&metric::EXPORTER_SENT, label, Number::Int(exporter.sent));
            add(&metric::EXPORTER_REJECTED, label, Number::Int(exporter.rejected));
            add(&metric::EXPORTER_DROPPED, label, Number::Int(exporter.dropped));
            add(&metric::EXPORTER_FAILURES, label, Number::Int(exporter.failures));
            add(&metric::EXPORTER_QUEUED, label, Number::Int(exporter.queued));
        }
        add(&metric::PANICS, None, Number::Int(self.panics));
        for (name, thread) in &self.threads {
            let label = Some(("thread", *name));
            add(&metric::THREAD_STALENESS, label, Number::Float(now.saturating_sub(thread.beat).as_secs_f64()));
            add(&metric::THREAD_RESTARTS, label, Number::Int(thread.restarts));
        }
        if let Some(up) = self.samples.up {
            add(&metric::SAMPLES_UP, None, Number::Int(up.into()));
        }
        add(&metric::SAMPLES_IN_FLIGHT, None, Number::Int(self.samples.in_flight));
        add(&metric::SAMPLES_SIZE, None, Number::Int(self.samples.bytes));
        self.samples.add_rows(&mut add);
        add(&metric::SAMPLES_FAILED, None, Number::Int(self.samples.failed));
        add(&metric::SAMPLES_DAMAGED, None, Number::Int(self.samples.damaged));
        add(&metric::SAMPLES_REMOVED_EARLY, None, Number::Int(self.samples.removed_early));
        if let Some(events) = &self.events {
            add(&metric::EVENTS_RECEIVED, None, Number::Int(events.received));
            add(&metric::EVENTS_ACCEPTED, None, Number::Int(events.accepted));
            for (metric, by_reason) in
                [(&metric::EVENTS_LEFT_OUT, &events.left_out), (&metric::EVENTS_REJECTED, &events.rejected)]
            {
                for (reason, count) in by_reason {
                    add(metric, Some(("reason", reason)), Number::Int(*count));
                }
            }
            for (half, count) in events.unpaired {
                add(&metric::EVENTS_UNPAIRED, Some(("half", half)), Number::Int(count));
            }
            add(&metric::EVENTS_LATE, None, Number::Int(events.late));
            add(&metric::EVENTS_DROPPED, None, Number::Int(events.dropped));
            add(&metric::EVENTS_WAITING, None, Number::Int(events.waiting));
            add(&metric::EVENTS_ROWS, None, Number::Int(events.rows));
            add(&metric::EVENTS_SAMPLED_OUT_ROWS, None, Number::Int(events.sampled_out_rows));
            add(&metric::EVENTS_REJECTED_ROWS, None, Number::Int(events.rejected_rows));
        }
        self.mirror.add_points(&mut add);
        self.archive.add_points(&mut add);
        for (metric, label, value) in self.of_folders() {
            add(metric, label, Number::Int(value));
        }
        self.forwarding.add_points(&mut add);
        add(&metric::HISTORY_UP, None, Number::Int(self.history.up.into()));
        add(&metric::HISTORY_ROWS, None, Number::Int(self.history.rows));
        add(&metric::HISTORY_DROPPED, None, Number::Int(self.history.dropped));
        add(&metric::HISTORY_SIZE, None, Number::Int(self.history.bytes));
        if let Some(seconds) = weight.cpu_seconds {
            add(&metric::PROCESS_CPU_TIME, None, Number::Float(seconds));
        }
        if let Some(bytes) = weight.resident {
            add(&metric::PROCESS_MEMORY_USAGE, None, Number::Int(bytes));
        }
        for (status, answers) in &self.samples.answers {
            let attributes = vec![("http.response.status_code", status.to_string().into())];
            let value = Number::Int(*answers);
            points.push(Point::new(&metric::INGEST_REQUESTS, &subject, attributes, value, Some(start), at));
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that is still being read is neither up nor down: an alert that met a 0 here was pending on every start.
    #[test]
    fn what_is_not_known_yet_is_no_point() {
        let up = |known| {
            let mut state = State::default();
            state.samples.up = known;
            let start = Timestamp::UNIX_EPOCH;
            let points = state.points(Weight::default(), start, start, Duration::ZERO);
            points.iter().find(|point| std::ptr::eq(point.metric, &raw const metric::SAMPLES_UP)).and_then(|p| p.value)
        };
        assert_eq!(up(None), None);
        assert_eq!(up(Some(false)), Some(Number::Int(0)));
        assert_eq!(up(Some(true)), Some(Number::Int(1)));
    }
}
