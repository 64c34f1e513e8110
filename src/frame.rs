//! Schemas of the frames, and their making.
//!
//! The minute frame's columns are listed once, in [`MINUTE_COLUMNS`]: the frame, the reference page and the tests
//! follow from the list. Storing frames is left to `store`.

pub mod bridge;
pub mod gpu;
pub mod guard;
pub mod json;
pub mod model;
pub mod normal;
pub mod stack;

use jiff::Timestamp;
use polars::prelude::{
    Column, DataFrame, Int64Chunked, IntoColumn, ListBuilderTrait, ListStringChunkedBuilder, NamedFrom, PolarsResult,
    TimeUnit, TimeZone,
};

use crate::identity::{Model, Role, Workload};
use crate::minute::{COUNTERS, CounterColumn, Spread, Summary};

/// Version of the minute frame's schema. A column more keeps it; a column less, or of another meaning, raises it.
pub const MINUTE_SCHEMA_VERSION: u32 = 2;

/// One container's row of one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct MinuteRow {
    /// When the minute began.
    pub minute: Timestamp,
    /// The container.
    pub identity: RowIdentity,
    /// What was sampled and counted.
    pub summary: Summary,
    /// Limits and other settings, as last seen in the minute.
    pub settings: RowSettings,
}

/// Whose row it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowIdentity {
    /// The node's name.
    pub node: String,
    /// 64 hex digits.
    pub container_id: String,
    /// The name people gave it.
    pub container_name: Option<String>,
    /// Its part in its pod.
    pub role: Option<Role>,
    /// The image without its tag.
    pub image: Option<String>,
    /// The image's tag.
    pub image_tag: Option<String>,
    /// The runtime.
    pub runtime: Option<String>,
    /// What it belongs to.
    pub workload: Option<Workload>,
    /// Kubernetes namespace.
    pub namespace: Option<String>,
    /// Kubernetes pod.
    pub pod: Option<String>,
    /// The pod's UID.
    pub pod_uid: Option<String>,
    /// The container's name within its pod.
    pub pod_container: Option<String>,
    /// The model it serves.
    pub model: Option<Model>,
    /// When this run of it began.
    pub started: Option<Timestamp>,
}

/// Settings and states that are neither sampled each second nor counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RowSettings {
    /// In cores.
    pub cpu_limit: Option<f64>,
    /// In cores.
    pub cpu_request: Option<f64>,
    /// In bytes.
    pub memory_limit: Option<u64>,
    /// In bytes.
    pub memory_request: Option<u64>,
    /// In bytes.
    pub memory_rss: Option<u64>,
    /// Tasks.
    pub pids: Option<u64>,
    /// By the runtime, of its own accord.
    pub restarts: Option<u64>,
}

/// Rows of a table of minutes: what its columns are made of.
pub trait Row: Sized {
    /// The table's name, its folder in the store.
    const TABLE: &'static str;
    /// Version of its schema. A column more keeps it; a column less, or of another meaning, raises it.
    const VERSION: u32;
    /// When the minute began.
    fn minute(&self) -> Timestamp;
    /// The rows as a frame.
    ///
    /// # Errors
    /// Only where polars refuses columns it should not.
    fn frame(rows: &[Self]) -> PolarsResult<DataFrame>;
}

impl Row for MinuteRow {
    const TABLE: &'static str = "container_minute";
    const VERSION: u32 = MINUTE_SCHEMA_VERSION;

    fn minute(&self) -> Timestamp {
        self.minute
    }

    fn frame(rows: &[Self]) -> PolarsResult<DataFrame> {
        minute_frame(rows)
    }
}

/// One column of a table of minutes.
pub struct MinuteColumn<R: 'static = MinuteRow> {
    /// Its name.
    pub name: &'static str,
    /// What it tells, with its unit.
    pub help: &'static str,
    cells: Cells<R>,
}

enum Cells<R: 'static> {
    Time(fn(&R) -> Option<Timestamp>),
    Text(fn(&R) -> Option<&str>),
    Texts(fn(&R) -> Option<&[String]>),
    Count(fn(&R) -> Option<u64>),
    Real(fn(&R) -> Option<f64>),
}

impl<R> MinuteColumn<R> {
    /// The type of its cells, as people name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.cells {
            Cells::Time(_) => "timestamp[ms, UTC]",
            Cells::Text(_) => "string",
            Cells::Texts(_) => "list of strings",
            Cells::Count(_) => "u64",
            Cells::Real(_) => "f64",
        }
    }

    fn cells(&self, rows: &[R]) -> Column {
        let name = self.name.into();
        match self.cells {
            Cells::Time(cell) => {
                let ms: Vec<Option<i64>> = rows.iter().map(|r| cell(r).map(Timestamp::as_millisecond)).collect();
                Int64Chunked::new(name, ms).into_datetime(UNIT, Some(TimeZone::UTC)).into_column()
            }
            Cells::Text(cell) => Column::new(name, rows.iter().map(cell).collect::<Vec<_>>()),
            Cells::Texts(cell) => {
                let mut lists = ListStringChunkedBuilder::new(name, rows.len(), rows.len());
                for row in rows {
                    match cell(row) {
                        Some(texts) => lists.append_values_iter(texts.iter().map(String::as_str)),
                        None => lists.append_null(),
                    }
                }
                lists.finish().into_column()
            }
            Cells::Count(cell) => Column::new(name, rows.iter().map(cell).collect::<Vec<_>>()),
            Cells::Real(cell) => Column::new(name, rows.iter().map(cell).collect::<Vec<_>>()),
        }
    }
}

const fn column<R>(name: &'static str, help: &'static str, cells: Cells<R>) -> MinuteColumn<R> {
    MinuteColumn { name, help, cells }
}

/// The minute frame's own columns; one column for each of [`COUNTERS`] follows them.
pub const MINUTE_COLUMNS: &[MinuteColumn] = &[
    column("minute", "when the minute began (UTC)", Cells::Time(|r| Some(r.minute))),
    column("node", "name of the node", Cells::Text(|r| Some(&r.identity.node))),
    column("container_id", "container id, 64 hex digits", Cells::Text(|r| Some(&r.identity.container_id))),
    column("container_name", "container name", Cells::Text(|r| r.identity.container_name.as_deref())),
    column(
        "role",
        "its part in its pod: main, init, sidecar; null if unknown",
        Cells::Text(|r| Some(r.identity.role?.name())),
    ),
    column("image", "image name without tag", Cells::Text(|r| r.identity.image.as_deref())),
    column("image_tag", "image tag", Cells::Text(|r| r.identity.image_tag.as_deref())),
    column("runtime", "container runtime", Cells::Text(|r| r.identity.runtime.as_deref())),
    column(
        "workload_namespace",
        "in what the workload's name is unique: Kubernetes namespace, Compose project, engine",
        Cells::Text(|r| r.identity.workload.as_ref()?.namespace.as_deref()),
    ),
    column(
        "workload_kind",
        "what the workload is: Pod, ComposeService, Container",
        Cells::Text(|r| Some(r.identity.workload.as_ref()?.kind.name())),
    ),
    column("workload", "the workload's name", Cells::Text(|r| Some(&r.identity.workload.as_ref()?.name))),
    column("namespace", "Kubernetes namespace", Cells::Text(|r| r.identity.namespace.as_deref())),
    column("pod", "Kubernetes pod", Cells::Text(|r| r.identity.pod.as_deref())),
    column("pod_uid", "Kubernetes pod UID", Cells::Text(|r| r.identity.pod_uid.as_deref())),
    column("pod_container", "container name within the pod", Cells::Text(|r| r.identity.pod_container.as_deref())),
    column(
        "model",
        "the model it serves: label plumbline.io/model, else KServe's inference service",
        Cells::Text(|r| Some(&r.identity.model.as_ref()?.name)),
    ),
    column(
        "model_namespace",
        "in what the model's name is unique: its pod's namespace",
        Cells::Text(|r| r.identity.model.as_ref()?.namespace.as_deref()),
    ),
    column(
        "model_version",
        "the model's version: label plumbline.io/model-version",
        Cells::Text(|r| r.identity.model.as_ref()?.version.as_deref()),
    ),
    column("started", "when this run of the container began (UTC)", Cells::Time(|r| r.identity.started)),
    column("samples", "inner ticks that fell into the minute", Cells::Count(|r| Some(r.summary.samples.into()))),
    column("cpu_usage_mean", "CPU used in cores: CPU time over wall time", Cells::Real(|r| mean(r.summary.cpu_usage))),
    column("cpu_usage_max", "CPU used in cores: largest inner tick", Cells::Real(|r| max(r.summary.cpu_usage))),
    column("cpu_usage_p95", "CPU used in cores: 95th percentile (R-7)", Cells::Real(|r| p95(r.summary.cpu_usage))),
    column("memory_usage_mean", "memory charged in bytes: mean", Cells::Real(|r| mean(r.summary.memory_usage))),
    column("memory_usage_max", "memory charged in bytes: maximum", Cells::Real(|r| max(r.summary.memory_usage))),
    column(
        "memory_usage_p95",
        "memory charged in bytes: 95th percentile (R-7)",
        Cells::Real(|r| p95(r.summary.memory_usage)),
    ),
    column(
        "memory_working_set_mean",
        "usage less inactive file pages, in bytes: mean",
        Cells::Real(|r| mean(r.summary.memory_working_set)),
    ),
    column(
        "memory_working_set_max",
        "usage less inactive file pages, in bytes: maximum",
        Cells::Real(|r| max(r.summary.memory_working_set)),
    ),
    column(
        "memory_working_set_p95",
        "usage less inactive file pages, in bytes: 95th percentile (R-7)",
        Cells::Real(|r| p95(r.summary.memory_working_set)),
    ),
    column("memory_rss", "anonymous memory in bytes, as last seen", Cells::Count(|r| r.settings.memory_rss)),
    column("pids", "tasks, as last seen", Cells::Count(|r| r.settings.pids)),
    column("cpu_limit", "CPU limit in cores; null without one", Cells::Real(|r| r.settings.cpu_limit)),
    column("cpu_request", "CPU request in cores; null if none or unknown", Cells::Real(|r| r.settings.cpu_request)),
    column("memory_limit", "memory limit in bytes; null without one", Cells::Count(|r| r.settings.memory_limit)),
    column(
        "memory_request",
        "memory request in bytes; null if none or unknown",
        Cells::Count(|r| r.settings.memory_request),
    ),
    column("restarts", "restarts by the runtime in all, as last seen", Cells::Count(|r| r.settings.restarts)),
];

fn mean(spread: Option<Spread>) -> Option<f64> {
    spread.map(|s| s.mean)
}

fn max(spread: Option<Spread>) -> Option<f64> {
    spread.map(|s| s.max)
}

fn p95(spread: Option<Spread>) -> Option<f64> {
    spread.map(|s| s.p95)
}

/// The rows as a frame.
///
/// # Errors
/// Only where polars refuses columns it should not.
pub fn minute_frame(rows: &[MinuteRow]) -> PolarsResult<DataFrame> {
    let mut columns = Vec::with_capacity(MINUTE_COLUMNS.len() + COUNTERS.len());
    columns.extend(MINUTE_COLUMNS.iter().map(|column| column.cells(rows)));
    for (index, CounterColumn { name, per_second, .. }) in COUNTERS.iter().enumerate() {
        let counts = rows.iter().map(|row| row.summary.increases[index]);
        columns.push(match per_second {
            Some(unit) => Column::new((*name).into(), counts.map(|c| c.map(|c| c as f64 / unit)).collect::<Vec<_>>()),
            None => Column::new((*name).into(), counts.collect::<Vec<_>>()),
        });
    }
    DataFrame::new(rows.len(), columns)
}

const UNIT: TimeUnit = TimeUnit::Milliseconds;

#[cfg(test)]
mod tests {
    use polars::prelude::DataType;

    use super::*;

    #[test]
    fn an_empty_frame_has_every_column_with_its_type() {
        let frame = minute_frame(&[]).expect("a frame");
        assert_eq!(frame.width(), MINUTE_COLUMNS.len() + COUNTERS.len());
        let time = DataType::Datetime(UNIT, Some(TimeZone::UTC));
        assert_eq!(frame.column("minute").expect("minute").dtype(), &time);
        assert_eq!(frame.column("container_id").expect("id").dtype(), &DataType::String);
        assert_eq!(frame.column("cpu_time").expect("cpu_time").dtype(), &DataType::Float64);
        assert_eq!(frame.column("oom_kills").expect("oom_kills").dtype(), &DataType::UInt64);
    }

    #[test]
    fn unknown_is_null_and_units_are_seconds() {
        let mut increases = vec![None; COUNTERS.len()];
        increases[0] = Some(1_500_000_000);
        let row = MinuteRow {
            minute: Timestamp::UNIX_EPOCH,
            identity: RowIdentity { container_id: "c".to_owned(), ..RowIdentity::default() },
            summary: Summary {
                samples: 60,
                cpu_usage: Some(Spread { mean: 0.5, max: 1.0, p95: 0.9 }),
                memory_usage: None,
                memory_working_set: None,
                increases,
            },
            settings: RowSettings::default(),
        };
        let frame = minute_frame(&[row]).expect("a frame");
        let real = |name| frame.column(name).expect("column").f64().expect("floats").get(0);
        assert_eq!(real("cpu_time"), Some(1.5));
        assert_eq!(real("cpu_usage_max"), Some(1.0));
        assert_eq!(real("memory_usage_mean"), None);
        assert_eq!(frame.column("oom_kills").expect("column").null_count(), 1);
    }
}
