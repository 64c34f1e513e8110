//! The JSON of `/healthz`. Pure.

#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::health::{self, Brings, EventsState, FolderState, ForwardingState, MirrorState, State};

/// So many descriptions that do not count are told one by one.
const DESCRIPTIONS: usize = 10;

/// The agent's health, as people and probes read it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// `ok`; `degraded` when something needs attention; `stalled` when nothing moves.
    pub status: &'static str,
    /// Every thread goes round.
    #[serde(skip)]
    pub alive: bool,
    collectors: BTreeMap<&'static str, Collector>,
    exporters: BTreeMap<&'static str, Exporter>,
    history: History,
    samples: Samples,
    /// Files of tokens and certificates that cannot be used, a sentence each without its full stop.
    access: Vec<String>,
    /// Descriptions of models that do not count, a sentence each without its full stop.
    descriptions: Vec<String>,
    /// Events of predictions; none before the first.
    events: Option<Events>,
    /// Folders that are watched, by path.
    folders: BTreeMap<String, Folder>,
    /// References that the configuration names, by model.
    references: BTreeMap<String, Reference>,
    /// Labels on their way to and from other agents.
    forwarding: Forwarding,
    /// Stored files on their way to an object store; none without one.
    archive: Option<Archive>,
    /// Copies of requests for another sink; none without one.
    mirror: Option<Mirror>,
    containers_left_out: u64,
    threads: BTreeMap<&'static str, Thread>,
    panics: u64,
}

/// Stored files for an object store, since the start.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Archive {
    place: String,
    sent: u64,
    sent_bytes: u64,
    waiting: u64,
    waiting_bytes: u64,
    failures: u64,
    /// Removed before they were sent.
    lost: u64,
    /// Why the last attempt failed, until one does not.
    error: Option<String>,
}

impl Archive {
    fn of(state: &health::ArchiveState) -> Option<Self> {
        let health::ArchiveState { place, sent, sent_bytes, waiting, waiting_bytes, failures, lost, error } =
            state.clone();
        Some(Self { place: place?, sent, sent_bytes, waiting, waiting_bytes, failures, lost, error })
    }

    fn faults(&self) -> Vec<String> {
        let away = self.error.as_ref().map(|error| {
            format!("The archive {} does not take files, and {} wait: {error}.", self.place, self.waiting)
        });
        let lost = (self.lost > 0)
            .then(|| format!("{} files were removed before the archive had them: raise samples.max_bytes.", self.lost));
        away.into_iter().chain(lost).collect()
    }
}

/// Copies of requests, since the start.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Mirror {
    url: String,
    sent: u64,
    failed: u64,
    /// By why.
    dropped: BTreeMap<&'static str, u64>,
    waiting_bytes: u64,
    /// Why the last one was not taken, until one is.
    error: Option<String>,
}

impl Mirror {
    fn of(state: &MirrorState) -> Option<Self> {
        let MirrorState { url, sent, failed, dropped, waiting_bytes, error } = state.clone();
        Some(Self { url: url?, sent, failed, dropped, waiting_bytes, error })
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Thread {
    /// It has been silent for too long.
    hangs: bool,
    /// Seconds since it last went round.
    staleness: f64,
    restarts: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Collector {
    #[serde(skip)]
    brings: Option<Brings>,
    up: bool,
    /// What it reads is not on this machine, and may well not be.
    absent: bool,
    /// It is down though what it reads is or was there.
    fault: bool,
    /// Seconds since the last read.
    staleness: Option<f64>,
    dropped: u64,
    failures: u64,
    message: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Exporter {
    enabled: bool,
    up: Option<bool>,
    /// Seconds since the last success.
    staleness: Option<f64>,
    sent: u64,
    rejected: u64,
    dropped: u64,
    failures: u64,
    queued_bytes: u64,
    error: Option<String>,
    message: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct History {
    up: bool,
    rows: u64,
    pending: u64,
    dropped: u64,
    files: u64,
    bytes: u64,
    message: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Samples {
    /// `None` while what is stored is still being read.
    up: Option<bool>,
    models: u64,
    in_flight_bytes: u64,
    bytes: u64,
    failed: u64,
    damaged: u64,
    removed_early: u64,
    message: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Events {
    received: u64,
    accepted: u64,
    /// By why.
    left_out: BTreeMap<&'static str, u64>,
    /// By why.
    rejected: BTreeMap<&'static str, u64>,
    rows: u64,
    sampled_out_rows: u64,
    rejected_rows: u64,
    /// By which half there is.
    unpaired: BTreeMap<&'static str, u64>,
    late: u64,
    dropped: u64,
    waiting: u64,
    waiting_bytes: u64,
    last_rejection: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Folder {
    up: Option<bool>,
    taken: u64,
    repeated: u64,
    bad: u64,
    rows: u64,
    rejected: u64,
    waiting: u64,
    passed_over: u64,
    current: Option<String>,
    waits: Option<String>,
    error: Option<String>,
    last_rejection: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Reference {
    source: String,
    up: Option<bool>,
    /// Seconds since it was last found as it is.
    staleness: Option<f64>,
    failures: u64,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Forwarding {
    enabled: bool,
    sent: u64,
    refused: u64,
    lost: u64,
    received: u64,
    error: Option<String>,
    #[serde(skip)]
    fault: bool,
    agents: BTreeMap<String, OtherAgent>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OtherAgent {
    agent: Option<String>,
    up: Option<bool>,
    /// Seconds since it last answered.
    staleness: Option<f64>,
    sent: u64,
    refused: u64,
    failures: u64,
    error: Option<String>,
}

impl Events {
    /// What needs attention, a sentence each.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.dropped > 0 {
            faults.push(format!(
                "{} predictions were taken and could not be stored; /healthz has why the last was rejected.",
                self.dropped
            ));
        }
        let full = self.rejected.get("full").copied().unwrap_or_default();
        if full > 0 {
            faults.push(format!(
                "{full} events of predictions were refused for want of room: raise ingest.events.max_waiting, waiting_memory or ingest.in_flight."
            ));
        }
        faults
    }
}

impl Folder {
    /// What needs attention, a sentence each.
    fn faults(&self, path: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(error) = &self.error {
            let what = if self.up == Some(false) { "cannot be watched" } else { "is not watched whole" };
            faults.push(format!("The folder {path} {what}: {error}."));
        }
        if self.bad > 0 {
            let last = self.last_rejection.as_deref().unwrap_or("unknown error");
            faults.push(format!("{} files of the folder {path} cannot be read. The last: {last}.", self.bad));
        }
        faults
    }
}

impl Report {
    /// Who is to bring this, and why it does not: a sentence, where nobody brings it now.
    pub fn why_none(&self, what: Brings) -> Option<String> {
        let of: Vec<_> = self.collectors.iter().filter(|(_, c)| c.brings == Some(what)).collect();
        if of.is_empty() {
            return Some("Their collector is switched off (collect.disabled).".to_owned());
        }
        if of.iter().any(|(_, c)| c.up) {
            return None;
        }
        let why = |message: &str| if message.is_empty() { "no answer yet".to_owned() } else { message.to_owned() };
        Some(of.iter().map(|(name, c)| format!("Collector {name}: {}.", why(&c.message))).collect::<Vec<_>>().join(" "))
    }

    /// How collectors are, in a line.
    pub fn collectors(&self) -> String {
        let named = |wanted: &dyn Fn(&Collector) -> bool| -> Vec<&str> {
            self.collectors.iter().filter(|(_, c)| wanted(c)).map(|(name, _)| *name).collect()
        };
        let works = match &named(&|c| c.up && !c.fault)[..] {
            [] => "None works.".to_owned(),
            [one] => format!("{one} works."),
            all => format!("{} work.", all.join(", ")),
        };
        let told = |before: &str, names: &[&str], after: &str| {
            if names.is_empty() { String::new() } else { format!("{before}{}{after}", names.join(", ")) }
        };
        let down = told(" ⚠ ", &named(&|c| c.fault), " failed.");
        let absent = told(" Not on this machine: ", &named(&|c| !c.up && !c.fault), ".");
        format!("{works}{down}{absent}")
    }

    /// What needs attention, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, thread) in self.threads.iter().filter(|(_, thread)| thread.hangs) {
            faults.push(format!("Thread {name} hangs: no output for {:.0} s.", thread.staleness));
        }
        for (name, c) in self.collectors.iter().filter(|(_, c)| c.fault) {
            if c.up {
                let silent = c.staleness.map_or_else(String::new, |s| format!("no output for {s:.0} s; "));
                faults.push(format!("Collector {name} hangs: {silent}its source does not respond."));
            } else {
                faults.push(format!("Collector {name} is down: {}.", c.message));
            }
        }
        for (name, e) in self.exporters.iter().filter(|(_, e)| e.enabled && e.up == Some(false)) {
            let error = e.error.as_deref().unwrap_or("unknown error");
            faults.push(format!("Exporter {name} cannot send: {error}."));
        }
        if !self.history.up {
            faults.push(format!("The history cannot be written: {}.", self.history.message));
        }
        let samples = &self.samples;
        if samples.up == Some(false) {
            faults.push(format!("Samples are rejected: {}.", samples.message));
        }
        if samples.failed > 0 {
            faults.push(format!(
                "{} batches were stored but could not be evaluated: please report this with the log.",
                samples.failed
            ));
        }
        if samples.damaged > 0 {
            faults.push(format!(
                "{} files of samples could not be read to the end; the log names them.",
                samples.damaged
            ));
        }
        if samples.removed_early > 0 {
            faults.push(format!(
                "{} samples were removed before their labels could arrive: raise samples.max_bytes, or lower label_horizon.",
                samples.removed_early
            ));
        }
        faults.extend(self.access.iter().map(|told| format!("{told}.")));
        for told in self.descriptions.iter().take(DESCRIPTIONS) {
            faults.push(format!("{told}."));
        }
        if let Some(more) = self.descriptions.len().checked_sub(DESCRIPTIONS).filter(|more| *more > 0) {
            faults.push(format!("{more} more descriptions do not count; /v1/descriptions lists them."));
        }
        faults.extend(self.events.iter().flat_map(Events::faults));
        faults.extend(self.folders.iter().flat_map(|(path, folder)| folder.faults(path)));
        for (model, reference) in self.references.iter().filter(|(_, reference)| reference.up == Some(false)) {
            let error = reference.error.as_deref().unwrap_or("unknown error");
            faults.push(format!("The reference of {model} cannot be taken, and the one before stays: {error}."));
        }
        let forwarding = &self.forwarding;
        if forwarding.fault {
            let error = forwarding.error.as_deref().unwrap_or("unknown error");
            faults.push(format!("Labels go to no other agent: {error}."));
        }
        for (address, other) in forwarding.agents.iter().filter(|(_, other)| other.up == Some(false)) {
            let error = other.error.as_deref().unwrap_or("unknown error");
            faults.push(format!("The agent at {address} takes no labels: {error}."));
        }
        if forwarding.refused > 0 {
            faults.push(format!("Other agents refused {} labels; /healthz has why.", forwarding.refused));
        }
        if forwarding.lost > 0 {
            faults.push(format!(
                "{} labels were too old or removed before every agent had them: raise samples.max_bytes.",
                forwarding.lost
            ));
        }
        faults.extend(self.archive.iter().flat_map(Archive::faults));
        if self.containers_left_out > 0 {
            faults.push(format!(
                "{} containers are left out: collect.max_containers is reached.",
                self.containers_left_out
            ));
        }
        if self.panics > 0 {
            faults.push(format!(
                "Threads panicked {} times and were restarted: please report this with the log.",
                self.panics
            ));
        }
        let lost = self.history.dropped > 0 || self.exporters.values().any(|e| e.dropped > 0 || e.rejected > 0);
        if lost || self.collectors.values().any(|c| c.dropped > 0) {
            faults.push("Some data was dropped; /healthz has the counts.".to_owned());
        }
        faults
    }
}

/// How labels on their way are shown; `since` says how long ago a time was.
fn forwarding(state: &ForwardingState, since: impl Fn(Option<Duration>) -> Option<f64>) -> Forwarding {
    let other = |(address, other): (&String, &health::OtherAgent)| {
        let shown = OtherAgent {
            agent: other.agent.clone(),
            up: other.up,
            staleness: since(other.answered_at),
            sent: other.sent,
            refused: other.refused,
            failures: other.failures,
            error: other.error.clone(),
        };
        (address.clone(), shown)
    };
    Forwarding {
        enabled: state.enabled,
        sent: state.sent,
        refused: state.refused,
        lost: state.lost,
        received: state.received,
        error: state.error.clone(),
        fault: state.fault,
        agents: state.agents.iter().map(other).collect(),
    }
}

fn events(state: &EventsState) -> Events {
    Events {
        received: state.received,
        accepted: state.accepted,
        left_out: state.left_out.clone(),
        rejected: state.rejected.clone(),
        rows: state.rows,
        sampled_out_rows: state.sampled_out_rows,
        rejected_rows: state.rejected_rows,
        unpaired: state.unpaired.into_iter().filter(|(half, _)| !half.is_empty()).collect(),
        late: state.late,
        dropped: state.dropped,
        waiting: state.waiting,
        waiting_bytes: state.waiting_bytes,
        last_rejection: state.last_rejection.clone(),
    }
}

fn folder(state: &FolderState) -> Folder {
    Folder {
        up: state.up,
        taken: state.taken,
        repeated: state.repeated,
        bad: state.bad,
        rows: state.rows,
        rejected: state.rejected,
        waiting: state.waiting,
        passed_over: state.passed_over,
        current: state.current.clone(),
        waits: state.waits.clone(),
        error: state.error.clone(),
        last_rejection: state.last_rejection.clone(),
    }
}

/// What the state amounts to at `now`.
pub fn report(state: &State, now: Duration) -> Report {
    let since = |at: Option<Duration>| at.map(|at| now.saturating_sub(at).as_secs_f64());
    let alive = !state.threads.values().any(|thread| thread.hangs(now));
    let mut report = Report {
        status: "ok",
        alive,
        collectors: state
            .collectors
            .iter()
            .map(|(name, c)| {
                let collector = Collector {
                    brings: c.brings,
                    up: c.up,
                    absent: c.absent,
                    fault: c.is_fault(now),
                    staleness: since(c.read_at),
                    dropped: c.dropped,
                    failures: c.failures,
                    message: c.message.clone(),
                };
                (*name, collector)
            })
            .collect(),
        exporters: state
            .exporters
            .iter()
            .map(|(name, e)| {
                let exporter = Exporter {
                    enabled: e.enabled,
                    up: e.up,
                    staleness: since(e.sent_at),
                    sent: e.sent,
                    rejected: e.rejected,
                    dropped: e.dropped,
                    failures: e.failures,
                    queued_bytes: e.queued,
                    error: e.error.clone(),
                    message: e.message.clone(),
                };
                (*name, exporter)
            })
            .collect(),
        history: History {
            up: state.history.up,
            rows: state.history.rows,
            pending: state.history.pending,
            dropped: state.history.dropped,
            files: state.history.files,
            bytes: state.history.bytes,
            message: state.history.message.clone(),
        },
        samples: Samples {
            up: state.samples.up,
            models: state.samples.models,
            in_flight_bytes: state.samples.in_flight,
            bytes: state.samples.bytes,
            failed: state.samples.failed,
            damaged: state.samples.damaged,
            removed_early: state.samples.removed_early,
            message: state.samples.message.clone(),
        },
        access: state.access.clone(),
        descriptions: state.descriptions.clone(),
        events: state.events.as_ref().map(events),
        folders: state.folders.iter().map(|(path, state)| (path.clone(), folder(state))).collect(),
        references: state
            .references
            .iter()
            .map(|(model, r)| {
                let (source, error) = (r.source.clone(), r.error.clone());
                let reference =
                    Reference { source, up: r.up, staleness: since(r.read_at), failures: r.failures, error };
                (model.clone(), reference)
            })
            .collect(),
        forwarding: forwarding(&state.forwarding, since),
        archive: Archive::of(&state.archive),
        mirror: Mirror::of(&state.mirror),
        containers_left_out: state.containers_left_out,
        threads: state
            .threads
            .iter()
            .map(|(name, thread)| {
                let staleness = now.saturating_sub(thread.beat).as_secs_f64();
                (*name, Thread { hangs: thread.hangs(now), staleness, restarts: thread.restarts })
            })
            .collect(),
        panics: state.panics,
    };
    if !alive {
        report.status = "stalled";
    } else if !report.faults().is_empty() {
        report.status = "degraded";
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{CollectorState, ThreadState};

    #[test]
    fn an_absent_engine_is_no_fault_and_a_lost_one_is() {
        let second = Duration::from_secs(1);
        let mut state = State::default();
        for name in ["pipeline", "models"] {
            state.threads.insert(name, ThreadState { beat: second, silent: second, restarts: 0 });
        }
        state.history.up = true;
        state
            .collectors
            .insert("docker", CollectorState { absent: true, message: "none".to_owned(), ..CollectorState::default() });
        assert_eq!(report(&state, second).status, "ok");
        state.collectors.insert(
            "docker",
            CollectorState { read_at: Some(second), message: "gone".to_owned(), ..CollectorState::default() },
        );
        assert_eq!(report(&state, second).status, "degraded");
        assert_eq!(report(&state, second * 2).status, "degraded");
        // One thread that hangs is enough.
        state.threads.insert("pipeline", ThreadState { beat: second * 3, silent: second, restarts: 0 });
        let stalled = report(&state, second * 3);
        assert_eq!((stalled.status, stalled.alive), ("stalled", false));
        assert!(stalled.faults()[0].starts_with("Thread models hangs: no output for 2 s"), "{:?}", stalled.faults());
    }

    #[test]
    fn why_there_is_none_is_told_by_whoever_is_to_bring_it() {
        let why = |collectors: &[(&'static str, Brings, bool, &str)]| {
            let mut state = State::default();
            for (name, brings, up, message) in collectors {
                let (brings, message) = (Some(*brings), (*message).to_owned());
                state.collectors.insert(name, CollectorState { brings, up: *up, message, ..CollectorState::default() });
            }
            report(&state, Duration::ZERO).why_none(Brings::Devices)
        };
        let tree = ("tree", Brings::Containers, true, "cgroup v2");
        let off = Some("Their collector is switched off (collect.disabled).".to_owned());
        assert_eq!(why(&[tree]), off);
        let [missing, silent] = ["not found: libgpu.so", ""].map(|text| ("gpus", Brings::Devices, false, text));
        assert_eq!(why(&[tree, missing]).as_deref(), Some("Collector gpus: not found: libgpu.so."));
        assert_eq!(why(&[silent]).as_deref(), Some("Collector gpus: no answer yet."));
        assert_eq!(why(&[missing, ("others", Brings::Devices, true, "2 GPUs")]), None);
    }

    #[test]
    fn what_needs_attention_has_its_figure() {
        let mut state = State::default();
        let read_at = Some(Duration::ZERO);
        let silent = CollectorState { up: true, read_at, message: "docker 20".to_owned(), ..CollectorState::default() };
        state.collectors.insert("docker", silent);
        state.history.message = "disk full".to_owned();
        let gone = crate::health::ReferenceState {
            up: Some(false),
            error: Some("https://models/m: the server answers 404 Not Found".to_owned()),
            ..crate::health::ReferenceState::default()
        };
        state.references.insert("ml/m".to_owned(), gone);
        let away = crate::health::OtherAgent {
            up: Some(false),
            error: Some("status 503".to_owned()),
            ..crate::health::OtherAgent::default()
        };
        let forwarding = &mut state.forwarding;
        forwarding.agents.insert("http://a:9477".to_owned(), away);
        (forwarding.refused, forwarding.lost, forwarding.fault) = (5, 6, true);
        forwarding.error = Some("all cannot be looked up".to_owned());
        (state.samples.failed, state.samples.damaged, state.panics) = (2, 3, 4);
        state.events =
            Some(EventsState { dropped: 7, rejected: [("full", 8), ("body", 9)].into(), ..EventsState::default() });
        let full = FolderState { up: Some(true), error: Some("too many".to_owned()), ..FolderState::default() };
        let bad = FolderState { bad: 2, last_rejection: Some("a.csv: broken".to_owned()), ..FolderState::default() };
        let down = FolderState { up: Some(false), error: Some("No such file".to_owned()), ..FolderState::default() };
        state.folders =
            [("/a", full), ("/b", bad), ("/c", down)].map(|(path, folder)| (path.to_owned(), folder)).into();
        let faults = report(&state, Duration::from_secs(3600)).faults();
        for fault in [
            "The folder /a is not watched whole: too many.",
            "2 files of the folder /b cannot be read. The last: a.csv: broken.",
            "The folder /c cannot be watched: No such file.",
            "Collector docker hangs: no output for 3600 s; its source does not respond.",
            "The history cannot be written: disk full.",
            "The reference of ml/m cannot be taken, and the one before stays: https://models/m: the server answers 404 Not Found.",
            "Labels go to no other agent: all cannot be looked up.",
            "The agent at http://a:9477 takes no labels: status 503.",
            "Other agents refused 5 labels; /healthz has why.",
            "6 labels were too old or removed before every agent had them: raise samples.max_bytes.",
            "2 batches were stored but could not be evaluated: please report this with the log.",
            "3 files of samples could not be read to the end; the log names them.",
            "Threads panicked 4 times and were restarted: please report this with the log.",
            "7 predictions were taken and could not be stored; /healthz has why the last was rejected.",
            "8 events of predictions were refused for want of room: raise ingest.events.max_waiting, waiting_memory or ingest.in_flight.",
        ] {
            assert!(faults.iter().any(|found| found == fault), "{fault} {faults:?}");
        }
    }
}
