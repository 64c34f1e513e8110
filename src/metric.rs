//! What a metric is, the [`Point`] every exporter encodes, and the metrics that are no signal of a thing: what is concluded of containers,
//! and how the agent is doing. The whole list is `catalogue`'s; signals have tables of their own (`signal`).
//!
//! Names and units follow OpenTelemetry's semantic conventions 1.44.0; what they lack stands under `plumbline.`.
//! Encoding is left to `export`.

pub mod attribute;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

pub use attribute::{Attribute, Subject};

/// The schema the names follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// How a metric's values relate over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Grows from its start time.
    Counter,
    /// A sum that may fall.
    UpDown,
    /// A value of the moment.
    Gauge,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Dotted, as OpenTelemetry spells it.
    pub name: &'static str,
    /// How its values relate.
    pub kind: Kind,
    /// UCUM unit, as OpenTelemetry writes it.
    pub unit: &'static str,
    /// The attributes its points carry beside their subject's.
    pub attributes: &'static [&'static str],
    /// One sentence for people.
    pub help: &'static str,
}

/// A metric, for a catalogue.
#[must_use]
pub const fn metric(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    attributes: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, unit, attributes, help }
}

/// Collector state.
pub static COLLECTOR_UP: Metric = metric(
    "plumbline.collector.up",
    Kind::UpDown,
    "1",
    &["collector"],
    "1 when the collector is open and its last read succeeded, else 0.",
);
/// Collector age.
pub static COLLECTOR_STALENESS: Metric =
    metric("plumbline.collector.staleness", Kind::Gauge, "s", &["collector"], "Time since the collector last read.");
/// Collector cost.
pub static COLLECTOR_DURATION: Metric =
    metric("plumbline.collector.duration", Kind::Gauge, "s", &["collector"], "How long the last read took.");
/// Collector failures.
pub static COLLECTOR_FAILURES: Metric =
    metric("plumbline.collector.failures", Kind::Counter, "{failure}", &["collector"], "Failures to open or read.");
/// Collector drops.
pub static COLLECTOR_DROPPED: Metric = metric(
    "plumbline.collector.dropped",
    Kind::Counter,
    "{report}",
    &["collector"],
    "Reports dropped because the pipeline was busy; the next one makes them good.",
);
/// Containers over the bound.
pub static CONTAINERS_LEFT_OUT: Metric = metric(
    "plumbline.containers.left_out",
    Kind::UpDown,
    "{container}",
    &[],
    "Containers passed over because there are more than collect.max_containers.",
);
/// Panics.
pub static PANICS: Metric = metric(
    "plumbline.panics",
    Kind::Counter,
    "{panic}",
    &[],
    "How often a thread panicked, and went on or began anew: a bug each time.",
);
/// Heartbeat.
pub static THREAD_STALENESS: Metric =
    metric("plumbline.thread.staleness", Kind::Gauge, "s", &["thread"], "Time since the thread last went round.");
/// Restarts of threads.
pub static THREAD_RESTARTS: Metric = metric(
    "plumbline.thread.restarts",
    Kind::Counter,
    "{restart}",
    &["thread"],
    "How often a thread panicked and was begun anew with what is stored: a bug each time.",
);
/// Exported points.
pub static EXPORTER_SENT: Metric =
    metric("plumbline.exporter.sent", Kind::Counter, "{point}", &["exporter"], "Points the receiver took.");
/// Refused points.
pub static EXPORTER_REJECTED: Metric = metric(
    "plumbline.exporter.rejected",
    Kind::Counter,
    "{point}",
    &["exporter"],
    "Points the receiver refused for good.",
);
/// Dropped points.
pub static EXPORTER_DROPPED: Metric = metric(
    "plumbline.exporter.dropped",
    Kind::Counter,
    "{point}",
    &["exporter"],
    "Points thrown away because the queue was full or the agent stopped.",
);
/// Failed attempts.
pub static EXPORTER_FAILURES: Metric =
    metric("plumbline.exporter.failures", Kind::Counter, "{attempt}", &["exporter"], "Attempts to send that failed.");
/// Queue.
pub static EXPORTER_QUEUED: Metric =
    metric("plumbline.exporter.queue.size", Kind::UpDown, "By", &["exporter"], "Bytes that wait to be sent.");
/// History state.
pub static HISTORY_UP: Metric =
    metric("plumbline.history.up", Kind::UpDown, "1", &[], "1 when the history can be written, else 0.");
/// History rows.
pub static HISTORY_ROWS: Metric = metric("plumbline.history.rows", Kind::Counter, "{row}", &[], "Minute rows written.");
/// History drops.
pub static HISTORY_DROPPED: Metric = metric(
    "plumbline.history.dropped",
    Kind::Counter,
    "{row}",
    &[],
    "Minute rows thrown away because the disk failed for too long.",
);
/// History size.
pub static HISTORY_SIZE: Metric =
    metric("plumbline.history.size", Kind::UpDown, "By", &[], "Bytes of history on disk.");
/// Samples state.
pub static SAMPLES_UP: Metric = metric(
    "plumbline.samples.up",
    Kind::UpDown,
    "1",
    &[],
    "1 when samples of models can be stored, else 0; none before the store is read.",
);
/// Samples on their way.
pub static SAMPLES_IN_FLIGHT: Metric = metric(
    "plumbline.samples.in_flight",
    Kind::UpDown,
    "By",
    &[],
    "Bytes of request bodies and batches that wait to be processed; beyond ingest.in_flight requests get 429.",
);
/// Samples on disk.
pub static SAMPLES_SIZE: Metric = metric(
    "plumbline.samples.size",
    Kind::UpDown,
    "By",
    &[],
    "Bytes of samples and labels on disk, the log's included.",
);
/// Batches that failed.
pub static SAMPLES_FAILED: Metric = metric(
    "plumbline.samples.failed",
    Kind::Counter,
    "{batch}",
    &[],
    "Batches that were stored but could not be taken into windows: a bug each time.",
);
/// Damage.
pub static SAMPLES_DAMAGED: Metric = metric(
    "plumbline.samples.damaged",
    Kind::Counter,
    "{file}",
    &[],
    "Stored files that could not be read again to their end.",
);
/// Samples that went too early.
pub static SAMPLES_REMOVED_EARLY: Metric = metric(
    "plumbline.samples.removed_early",
    Kind::Counter,
    "{row}",
    &[],
    "Rows that samples.max_bytes removed while labels for them could still come (label_horizon); their labels are unmatched.",
);
/// Files that the archive took.
pub static ARCHIVE_SENT: Metric = metric(
    "plumbline.archive.sent",
    Kind::Counter,
    "{file}",
    &[],
    "Stored files that the object store of samples.archive took.",
);
/// Their size.
pub static ARCHIVE_SENT_SIZE: Metric =
    metric("plumbline.archive.sent.size", Kind::Counter, "By", &[], "Size of the files that it took.");
/// Files that it is still to have.
pub static ARCHIVE_WAITING: Metric =
    metric("plumbline.archive.waiting", Kind::Gauge, "{file}", &[], "Stored files that wait to be sent there.");
/// Attempts in vain.
pub static ARCHIVE_FAILURES: Metric = metric(
    "plumbline.archive.failures",
    Kind::Counter,
    "{attempt}",
    &[],
    "Attempts to send one that failed; /healthz has why.",
);
/// Files that it never got.
pub static ARCHIVE_LOST: Metric = metric(
    "plumbline.archive.lost",
    Kind::Counter,
    "{file}",
    &[],
    "Stored files that samples.max_bytes removed before they were sent.",
);
/// Labels that others took.
pub static LABELS_FORWARDED: Metric = metric(
    "plumbline.labels.forwarded",
    Kind::Counter,
    "{label}",
    &[],
    "Labels of clients that other agents took from this one, counted for each of them.",
);
/// Labels that others refused.
pub static LABELS_REFUSED: Metric = metric(
    "plumbline.labels.refused",
    Kind::Counter,
    "{label}",
    &[],
    "Labels that another agent refused for good; /healthz has why.",
);
/// Labels that some never got.
pub static LABELS_LOST: Metric = metric(
    "plumbline.labels.lost",
    Kind::Counter,
    "{label}",
    &[],
    "Labels that were beyond label_horizon, or removed by samples.max_bytes, before every other agent had them.",
);
/// Labels from others.
pub static LABELS_RECEIVED: Metric =
    metric("plumbline.labels.received", Kind::Counter, "{label}", &[], "Labels that other agents sent on to this one.");
/// The others.
pub static LABELS_AGENTS: Metric = metric(
    "plumbline.labels.agents",
    Kind::Gauge,
    "{agent}",
    &["state"],
    "Other agents that labels go on to: up, down for a minute at least, or unknown before the first answer.",
);
/// Who is not let in.
pub static ACCESS_REFUSED: Metric = metric(
    "plumbline.access.refused",
    Kind::Counter,
    "{request}",
    &["reason"],
    "Requests that were refused: without a token (none), with one that is not known (unknown), or with one that lacks the right (right).",
);
/// Descriptions of models.
pub static DESCRIPTIONS_UNUSED: Metric = metric(
    "plumbline.descriptions.unused",
    Kind::Gauge,
    "{description}",
    &[],
    "Descriptions of models by the API or in ConfigMaps that do not count; GET /v1/descriptions says why.",
);
/// The ingest.
pub static INGEST_REQUESTS: Metric = metric(
    "plumbline.ingest.requests",
    Kind::Counter,
    "{request}",
    &["http.response.status_code"],
    "Requests with samples, labels or references, by answer; 429 means that a bound was reached.",
);
/// Wrong rows.
pub static INGEST_REJECTED: Metric = metric(
    "plumbline.ingest.rejected",
    Kind::Counter,
    "{row}",
    &["reason"],
    "Rows rejected for an error in them, a value of another type than the column's (type) or another (fault); the response to their request names each.",
);
/// Requests that came again.
pub static INGEST_REPEATED: Metric = metric(
    "plumbline.ingest.repeated",
    Kind::Counter,
    "{request}",
    &[],
    "Requests that came again under their Idempotency-Key and were answered as before; their rows are there once.",
);
/// Rows that were read.
pub static INGEST_RECEIVED: Metric = metric(
    "plumbline.ingest.received",
    Kind::Counter,
    "{row}",
    &[],
    "Rows of samples, labels and references that were read of bodies; each is accepted, sampled out or rejected.",
);
/// Rows that were stored.
pub static INGEST_ACCEPTED: Metric = metric(
    "plumbline.ingest.accepted",
    Kind::Counter,
    "{row}",
    &[],
    "Rows of samples, labels and references that were stored.",
);
/// Rows that are not kept.
pub static INGEST_SAMPLED_OUT: Metric = metric(
    "plumbline.ingest.sampled_out",
    Kind::Counter,
    "{row}",
    &[],
    "Rows that were left out because their model's description asks for a part (sample).",
);
/// Files of watched folders.
pub static FOLDERS_FILES: Metric = metric(
    "plumbline.folders.files",
    Kind::Counter,
    "{file}",
    &["state"],
    "Files of watched folders: taken, left as their content had been taken before (repeated), or not to be read (bad).",
);
/// Files that wait.
pub static FOLDERS_WAITING: Metric =
    metric("plumbline.folders.waiting", Kind::UpDown, "{file}", &[], "Files of watched folders that wait to be taken.");
/// Folders that cannot be read.
pub static FOLDERS_DOWN: Metric = metric(
    "plumbline.folders.down",
    Kind::UpDown,
    "{folder}",
    &[],
    "Watched folders that cannot be read; /healthz has why.",
);
/// Rows of files.
pub static FOLDERS_ROWS: Metric = metric(
    "plumbline.folders.rows",
    Kind::Counter,
    "{row}",
    &[],
    "Rows of files in watched folders that were stored, or handed on as events.",
);
/// Wrong rows of files.
pub static FOLDERS_REJECTED: Metric = metric(
    "plumbline.folders.rejected",
    Kind::Counter,
    "{row}",
    &[],
    "Rows of files in watched folders with an error in them; the log has the last one of each file.",
);
/// Events that came.
pub static EVENTS_RECEIVED: Metric = metric(
    "plumbline.events.received",
    Kind::Counter,
    "{event}",
    &[],
    "CloudEvents of predictions that came; each is accepted, left out or rejected.",
);
/// Events that were taken.
pub static EVENTS_ACCEPTED: Metric =
    metric("plumbline.events.accepted", Kind::Counter, "{event}", &[], "CloudEvents that were taken.");
/// Events that nobody wants.
pub static EVENTS_LEFT_OUT: Metric = metric(
    "plumbline.events.left_out",
    Kind::Counter,
    "{event}",
    &["reason"],
    "CloudEvents that are not watched: of another type, of another component than the predictor, the half that the model's description leaves out, sent twice, a reward without a truth, a model that did not answer, or a request that an explainer made up.",
);
/// Events that were not taken.
pub static EVENTS_REJECTED: Metric = metric(
    "plumbline.events.rejected",
    Kind::Counter,
    "{event}",
    &["reason"],
    "CloudEvents that were rejected, by why; the answer says more, and /healthz has the last one.",
);
/// Halves alone.
pub static EVENTS_UNPAIRED: Metric = metric(
    "plumbline.events.unpaired",
    Kind::Counter,
    "{event}",
    &["half"],
    "Requests without a response, which are dropped, and responses without a request, which become rows without features.",
);
/// Halves that came too late.
pub static EVENTS_LATE: Metric = metric(
    "plumbline.events.late",
    Kind::Counter,
    "{event}",
    &[],
    "Requests and responses that came after the other half had waited in vain (ingest.events.wait).",
);
/// Predictions that were lost.
pub static EVENTS_DROPPED: Metric = metric(
    "plumbline.events.dropped",
    Kind::Counter,
    "{prediction}",
    &[],
    "Predictions that were taken and could not be stored.",
);
/// Halves that wait.
pub static EVENTS_WAITING: Metric = metric(
    "plumbline.events.waiting",
    Kind::UpDown,
    "{event}",
    &[],
    "Requests and responses that wait for their other half, in memory.",
);
/// Rows of events.
pub static EVENTS_ROWS: Metric =
    metric("plumbline.events.rows", Kind::Counter, "{row}", &[], "Rows that were stored of CloudEvents.");
/// Copies that arrived.
pub static MIRROR_SENT: Metric = metric(
    "plumbline.mirror.sent",
    Kind::Counter,
    "{request}",
    &[],
    "Copies of requests that the other sink ([mirror]) took.",
);
/// Copies that did not.
pub static MIRROR_FAILED: Metric = metric(
    "plumbline.mirror.failed",
    Kind::Counter,
    "{request}",
    &[],
    "Copies of requests that the other sink did not take: each is lost to it, and to it alone.",
);
/// Copies that were not made.
pub static MIRROR_DROPPED: Metric = metric(
    "plumbline.mirror.dropped",
    Kind::Counter,
    "{request}",
    &["reason"],
    "Copies of requests that were not sent: too many waited (full; mirror.waiting_memory), or their model's description keeps columns from all (private).",
);
/// Rows of events that are not kept.
pub static EVENTS_SAMPLED_OUT_ROWS: Metric = metric(
    "plumbline.events.sampled_out_rows",
    Kind::Counter,
    "{row}",
    &[],
    "Rows of CloudEvents that were left out because their model's description asks for a part (sample).",
);
/// Wrong rows of events.
pub static EVENTS_REJECTED_ROWS: Metric = metric(
    "plumbline.events.rejected_rows",
    Kind::Counter,
    "{row}",
    &[],
    "Rows of CloudEvents with a value of another type than the column's, or another fault; /healthz has the last one.",
);
/// The agent's CPU time.
pub static PROCESS_CPU_TIME: Metric =
    metric("process.cpu.time", Kind::Counter, "s", &[], "CPU time the agent itself used.");
/// The agent's memory.
pub static PROCESS_MEMORY_USAGE: Metric =
    metric("process.memory.usage", Kind::UpDown, "By", &[], "Resident memory of the agent itself.");

/// GPU memory of a container.
pub static CONTAINER_GPU_MEMORY: Metric = metric(
    "plumbline.container.gpu.memory.usage",
    Kind::UpDown,
    "By",
    &["hw.id"],
    "GPU memory held by the container's processes, by GPU; absent if the driver does not report it.",
);
/// CPU to ask for.
pub static RECOMMENDED_CPU: Metric = metric(
    "plumbline.recommendation.cpu",
    Kind::UpDown,
    "{cpu}",
    &[],
    "Recommended CPU request, by the container's history; absent without enough of it.",
);
/// Memory to ask for.
pub static RECOMMENDED_MEMORY: Metric = metric(
    "plumbline.recommendation.memory",
    Kind::UpDown,
    "By",
    &[],
    "Recommended memory request, by the container's history; absent without enough of it.",
);
/// More than needed.
pub static OVER_PROVISIONED: Metric = metric(
    "plumbline.recommendation.over_provisioned",
    Kind::UpDown,
    "1",
    &["resource"],
    "1 when the container requests more of the resource (cpu, memory) than it needs, else 0.",
);
/// Less than needed.
pub static UNDER_PROVISIONED: Metric = metric(
    "plumbline.recommendation.under_provisioned",
    Kind::UpDown,
    "1",
    &["resource"],
    "1 when the container requests less of the resource (cpu, memory) than it needs, else 0.",
);
/// What following it saves.
pub static RECOMMENDED_SAVING: Metric = metric(
    "plumbline.recommendation.saving",
    Kind::Gauge,
    "{currency}",
    &["resource", "confirmed"],
    "What following the recommendation for the resource saves in a month of 730 hours, at the configured prices; below zero where it costs more.",
);
/// What a container costs.
pub static CONTAINER_COST: Metric = metric(
    "plumbline.container.cost",
    Kind::Gauge,
    "{currency}",
    &[],
    "What the container costs in a month of 730 hours at the configured prices: what it requests, or uses if that is more.",
);
/// Alerts.
pub static ALERTS: Metric = metric(
    "plumbline.alert.active",
    Kind::UpDown,
    "{alert}",
    &["alert", "severity", "state"],
    "Alerts that are pending or firing, by rule.",
);
/// Lost alerts.
pub static ALERTS_LEFT_OUT: Metric = metric(
    "plumbline.alert.left_out",
    Kind::UpDown,
    "{alert}",
    &[],
    "Series that meet a rule's condition but are not followed, because alerting.max_alerts are.",
);
/// Collector faults.
pub static COLLECTOR_FAULT: Metric = metric(
    "plumbline.collector.fault",
    Kind::UpDown,
    "1",
    &["collector"],
    "1 when the collector is down though what it reads is or was there, else 0; what is not installed is no fault.",
);

/// Cores of the node that are for pods.
pub static NODE_CPU_ALLOCATABLE: Metric =
    metric("k8s.node.cpu.allocatable", Kind::UpDown, "{cpu}", &[], "Cores of the node that are for pods.");
/// Bytes of the node's memory that are for pods.
pub static NODE_MEMORY_ALLOCATABLE: Metric =
    metric("k8s.node.memory.allocatable", Kind::UpDown, "By", &[], "Memory of the node that is for pods.");
/// Cores that pods ask for.
pub static NODE_CPU_REQUESTED: Metric = metric(
    "plumbline.node.cpu.requested",
    Kind::UpDown,
    "{cpu}",
    &[],
    "Cores that the pods on the node ask for, as the scheduler counts them.",
);
/// Bytes that pods ask for.
pub static NODE_MEMORY_REQUESTED: Metric = metric(
    "plumbline.node.memory.requested",
    Kind::UpDown,
    "By",
    &[],
    "Memory that the pods on the node ask for, as the scheduler counts them.",
);
/// Cores that nobody can ask for.
pub static NODE_CPU_STRANDED: Metric = metric(
    "plumbline.node.cpu.stranded",
    Kind::UpDown,
    "{cpu}",
    &[],
    "Cores that stay free once the node's memory is asked for in full, by pods of the node's own shape.",
);
/// Bytes that nobody can ask for.
pub static NODE_MEMORY_STRANDED: Metric = metric(
    "plumbline.node.memory.stranded",
    Kind::UpDown,
    "By",
    &[],
    "Memory that stays free once the node's cores are asked for in full, by pods of the node's own shape.",
);
/// Resources of device plugins that are for pods.
pub static NODE_EXTENDED_ALLOCATABLE: Metric = metric(
    "plumbline.node.extended.allocatable",
    Kind::UpDown,
    "{device}",
    &["resource"],
    "Resources of device plugins (nvidia.com/gpu) that the node has for pods.",
);
/// Those that pods ask for.
pub static NODE_EXTENDED_REQUESTED: Metric = metric(
    "plumbline.node.extended.requested",
    Kind::UpDown,
    "{device}",
    &["resource"],
    "Resources of device plugins that the pods on the node ask for.",
);
/// Restarts of a container in its pod.
pub static POD_CONTAINER_RESTARTS: Metric = metric(
    "k8s.container.restart.count",
    Kind::UpDown,
    "{restart}",
    &[],
    "How often the container of the pod has been restarted, as the kubelet counts; it may begin anew.",
);

/// What is known of the node.
pub static NODE_METRICS: &[&Metric] = &[
    &NODE_CPU_ALLOCATABLE,
    &NODE_MEMORY_ALLOCATABLE,
    &NODE_CPU_REQUESTED,
    &NODE_MEMORY_REQUESTED,
    &NODE_CPU_STRANDED,
    &NODE_MEMORY_STRANDED,
    &NODE_EXTENDED_ALLOCATABLE,
    &NODE_EXTENDED_REQUESTED,
];

/// What is concluded of a container, beside its signals.
pub static CONTAINER_METRICS: &[&Metric] = &[
    &POD_CONTAINER_RESTARTS,
    &CONTAINER_GPU_MEMORY,
    &CONTAINER_COST,
    &RECOMMENDED_CPU,
    &RECOMMENDED_MEMORY,
    &RECOMMENDED_SAVING,
    &OVER_PROVISIONED,
    &UNDER_PROVISIONED,
];

/// Every metric of the agent itself.
pub static AGENT_METRICS: &[&Metric] = &[
    &COLLECTOR_UP,
    &COLLECTOR_FAULT,
    &COLLECTOR_STALENESS,
    &COLLECTOR_DURATION,
    &COLLECTOR_FAILURES,
    &COLLECTOR_DROPPED,
    &CONTAINERS_LEFT_OUT,
    &PANICS,
    &THREAD_STALENESS,
    &THREAD_RESTARTS,
    &EXPORTER_SENT,
    &EXPORTER_REJECTED,
    &EXPORTER_DROPPED,
    &EXPORTER_FAILURES,
    &EXPORTER_QUEUED,
    &HISTORY_UP,
    &HISTORY_ROWS,
    &HISTORY_DROPPED,
    &HISTORY_SIZE,
    &SAMPLES_UP,
    &SAMPLES_IN_FLIGHT,
    &SAMPLES_SIZE,
    &SAMPLES_FAILED,
    &SAMPLES_DAMAGED,
    &SAMPLES_REMOVED_EARLY,
    &ARCHIVE_SENT,
    &ARCHIVE_SENT_SIZE,
    &ARCHIVE_WAITING,
    &ARCHIVE_FAILURES,
    &ARCHIVE_LOST,
    &LABELS_FORWARDED,
    &LABELS_REFUSED,
    &LABELS_LOST,
    &LABELS_RECEIVED,
    &LABELS_AGENTS,
    &ACCESS_REFUSED,
    &DESCRIPTIONS_UNUSED,
    &INGEST_REQUESTS,
    &INGEST_REPEATED,
    &INGEST_RECEIVED,
    &INGEST_ACCEPTED,
    &INGEST_SAMPLED_OUT,
    &INGEST_REJECTED,
    &FOLDERS_FILES,
    &FOLDERS_WAITING,
    &FOLDERS_DOWN,
    &FOLDERS_ROWS,
    &FOLDERS_REJECTED,
    &EVENTS_RECEIVED,
    &EVENTS_ACCEPTED,
    &EVENTS_LEFT_OUT,
    &EVENTS_REJECTED,
    &EVENTS_UNPAIRED,
    &EVENTS_LATE,
    &EVENTS_DROPPED,
    &EVENTS_WAITING,
    &EVENTS_ROWS,
    &EVENTS_SAMPLED_OUT_ROWS,
    &MIRROR_SENT,
    &MIRROR_FAILED,
    &MIRROR_DROPPED,
    &EVENTS_REJECTED_ROWS,
    &PROCESS_CPU_TIME,
    &PROCESS_MEMORY_USAGE,
    &ALERTS,
    &ALERTS_LEFT_OUT,
];

/// A value, as whole or as real as what it was read from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Counts and bytes.
    Int(u64),
    /// Seconds, cores and shares. Always finite.
    Float(f64),
}

impl Number {
    /// As a real.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(count) => count as f64,
            Self::Float(real) => real,
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(count) => serializer.serialize_u64(*count),
            Self::Float(real) => serializer.serialize_f64(*real),
        }
    }
}

/// The attributes of one point.
pub type PointAttributes = Vec<(&'static str, Cow<'static, str>)>;

/// One value of one series at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Which metric.
    pub metric: &'static Metric,
    /// Of whom.
    pub subject: Arc<Subject>,
    /// Which series of that metric.
    pub attributes: PointAttributes,
    /// `None` marks a series that has vanished.
    pub value: Option<Number>,
    /// Since when a counter counts.
    pub start: Option<Timestamp>,
    /// When it was read.
    pub at: Timestamp,
}

impl Point {
    /// A point with a value. A value that is not finite becomes `None`.
    #[must_use]
    pub fn new(
        metric: &'static Metric,
        subject: &Arc<Subject>,
        attributes: PointAttributes,
        value: Number,
        start: Option<Timestamp>,
        at: Timestamp,
    ) -> Self {
        let value = match value {
            Number::Float(v) if !v.is_finite() => None,
            value => Some(value),
        };
        Self { metric, subject: Arc::clone(subject), attributes, value, start, at }
    }

    fn series(&self) -> Series<'_> {
        (self.metric.name, &self.subject, &self.attributes)
    }
}

type Series<'a> = (&'static str, &'a Subject, &'a PointAttributes);

/// The series of `before` that `now` no longer has, each as one point without a value, marked at `at`.
#[must_use]
pub fn vanished(before: &[Point], now: &[Point], at: Timestamp) -> Vec<Point> {
    let present: HashSet<Series<'_>> = now.iter().map(Point::series).collect();
    before
        .iter()
        .filter(|point| point.value.is_some() && !present.contains(&point.series()))
        .map(|point| Point { value: None, at, ..point.clone() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_static_is_in_the_list_once() {
        let declared = include_str!("metric.rs")
            .lines()
            .filter(|line| line.starts_with("pub static ") && line.contains(": Metric ="))
            .count();
        let lists = [CONTAINER_METRICS, NODE_METRICS, AGENT_METRICS];
        let names: HashSet<&str> = lists.into_iter().flatten().map(|metric| metric.name).collect();
        assert_eq!(names.len(), declared, "a static is not listed");
    }

    #[test]
    fn a_vanished_series_is_marked_once() {
        let subject = Arc::new(Subject::node());
        let at = Timestamp::UNIX_EPOCH;
        let point = |name: &'static str| {
            Point::new(&COLLECTOR_UP, &subject, vec![("collector", name.into())], Number::Int(1), None, at)
        };
        let before = [point("a"), point("b")];
        let now = [point("b")];
        let marked = vanished(&before, &now, at);
        assert_eq!(marked.len(), 1);
        assert_eq!((marked[0].value, &marked[0].attributes), (None, &before[0].attributes));
        let after: Vec<Point> = now.iter().cloned().chain(marked).collect();
        assert_eq!(vanished(&after, &now, at), [], "a mark is not marked again");
    }

    #[test]
    fn what_is_not_finite_has_no_value() {
        let subject = Arc::new(Subject::node());
        let point =
            Point::new(&PROCESS_CPU_TIME, &subject, vec![], Number::Float(f64::NAN), None, Timestamp::UNIX_EPOCH);
        assert_eq!(point.value, None);
    }
}
