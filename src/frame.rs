//! Schemas of the frames, and their making.
//!
//! A minute's columns are listed once: whose row it is in [`MINUTE_COLUMNS`], its signals in their table. The frame, the reference page
//! and the tests follow from the lists. Storing frames is left to `store`.

pub mod bridge;
pub mod delimited;
pub mod gpu;
pub mod guard;
pub mod json;
pub mod model;
pub mod normal;
pub mod parquet;
pub mod past;
pub mod stack;

use jiff::Timestamp;
use polars::prelude::{
    Column, DataFrame, Int64Chunked, IntoColumn, ListBuilderTrait, ListStringChunkedBuilder, NamedFrom, PolarsResult,
    TimeUnit, TimeZone,
};

use crate::identity::{Link, Model, Role, Workload};
use crate::metric::Number;
use crate::minute::Summary;
use crate::signal::container::Container;
use crate::signal::{self, Table};

/// Version of the minute frame's schema. A column more keeps it; a column less, or of another meaning, raises it.
pub const MINUTE_SCHEMA_VERSION: u32 = 2;

/// One container's row of one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct MinuteRow {
    /// When the minute began.
    pub minute: Timestamp,
    /// The container.
    pub identity: RowIdentity,
    /// Its signals.
    pub summary: Summary,
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
    /// Its pod's class of service.
    pub qos: Option<String>,
    /// The resources that its pod asks for as a whole.
    pub pod_requests: Option<String>,
    /// What scales it, and by which resources.
    pub autoscaler: Option<String>,
    /// The model it serves or trains.
    pub model: Option<Link<Model>>,
    /// When this run of it began.
    pub started: Option<Timestamp>,
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
        }
    }
}

const fn column<R>(name: &'static str, help: &'static str, cells: Cells<R>) -> MinuteColumn<R> {
    MinuteColumn { name, help, cells }
}

/// The minute frame's own columns; those of its signals follow them.
pub const MINUTE_COLUMNS: &[MinuteColumn] = &[
    column("minute", "when the minute began (UTC)", Cells::Time(|r| Some(r.minute))),
    column("node", "name of the node", Cells::Text(|r| Some(&r.identity.node))),
    column("container_id", "container id, 64 hex digits", Cells::Text(|r| Some(&r.identity.container_id))),
    column("container_name", "container name", Cells::Text(|r| r.identity.container_name.as_deref())),
    column(
        "role",
        "its part in its pod: main, init, sidecar, sandbox, ephemeral; null if unknown",
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
        "what the workload is: Deployment, StatefulSet, Pod, ..., ComposeService, Container",
        Cells::Text(|r| Some(r.identity.workload.as_ref()?.kind.name())),
    ),
    column("workload", "the workload's name", Cells::Text(|r| Some(&r.identity.workload.as_ref()?.name))),
    column("namespace", "Kubernetes namespace", Cells::Text(|r| r.identity.namespace.as_deref())),
    column("pod", "Kubernetes pod", Cells::Text(|r| r.identity.pod.as_deref())),
    column("pod_uid", "Kubernetes pod UID", Cells::Text(|r| r.identity.pod_uid.as_deref())),
    column("pod_container", "container name within the pod", Cells::Text(|r| r.identity.pod_container.as_deref())),
    column(
        "qos",
        "its pod's class of service: Guaranteed, Burstable, BestEffort; null where the Kubernetes API is not read",
        Cells::Text(|r| r.identity.qos.as_deref()),
    ),
    column(
        "pod_requests",
        "resources that its pod asks for as a whole (cpu,memory); null if none",
        Cells::Text(|r| r.identity.pod_requests.as_deref()),
    ),
    column(
        "autoscaler",
        "what scales it, and by which resources: HorizontalPodAutoscaler/web:cpu; null if none is known",
        Cells::Text(|r| r.identity.autoscaler.as_deref()),
    ),
    column(
        "model",
        "the model it serves or trains: label plumbline.io/model, else KServe's inference service",
        Cells::Text(|r| Some(&r.identity.model.as_ref()?.to.key.name)),
    ),
    column(
        "model_relation",
        "what it is to the model: serves, or trains (label plumbline.io/stage: training, tuning)",
        Cells::Text(|r| Some(r.identity.model.as_ref()?.relation.name())),
    ),
    column(
        "model_namespace",
        "in what the model's name is unique: its pod's namespace",
        Cells::Text(|r| r.identity.model.as_ref()?.to.key.namespace.as_deref()),
    ),
    column(
        "model_version",
        "the model's version: label plumbline.io/model-version",
        Cells::Text(|r| r.identity.model.as_ref()?.to.version.as_deref()),
    ),
    column("started", "when this run of the container began (UTC)", Cells::Time(|r| r.identity.started)),
    column("samples", "inner ticks that fell into the minute", Cells::Count(|r| Some(r.summary.samples.into()))),
];

/// The rows as a frame.
///
/// # Errors
/// Only where polars refuses columns it should not.
pub fn minute_frame(rows: &[MinuteRow]) -> PolarsResult<DataFrame> {
    let own = MINUTE_COLUMNS.iter().map(|column| column.cells(rows));
    DataFrame::new(rows.len(), own.chain(signals::<_, Container>(rows, |row| &row.summary)).collect())
}

/// The columns of the rows' signals, by their table.
fn signals<R, T: Table>(rows: &[R], summary: fn(&R) -> &Summary) -> impl Iterator<Item = Column> {
    signal::Column::<T>::all().enumerate().map(move |(place, column)| {
        let cells = rows.iter().map(|row| summary(row).cells.get(place).copied().flatten());
        let name = (*column.name()).into();
        if column.is_count() {
            let count = |number| if let Number::Int(count) = number { Some(count) } else { None };
            Column::new(name, cells.map(|cell| cell.and_then(count)).collect::<Vec<_>>())
        } else {
            Column::new(name, cells.map(|cell| cell.map(Number::as_f64)).collect::<Vec<_>>())
        }
    })
}

const UNIT: TimeUnit = TimeUnit::Milliseconds;

#[cfg(test)]
mod tests {
    use polars::prelude::DataType;

    use super::*;
    use crate::signal::Part;
    use crate::signal::container::id;

    #[test]
    fn an_empty_frame_has_every_column_with_its_type() {
        let frame = minute_frame(&[]).expect("a frame");
        assert_eq!(frame.width(), MINUTE_COLUMNS.len() + signal::Column::<Container>::all().count());
        let time = DataType::Datetime(UNIT, Some(TimeZone::UTC));
        assert_eq!(frame.column("minute").expect("minute").dtype(), &time);
        assert_eq!(frame.column("container_id").expect("id").dtype(), &DataType::String);
        assert_eq!(frame.column("cpu_time").expect("cpu_time").dtype(), &DataType::Float64);
        assert_eq!(frame.column("oom_kills").expect("oom_kills").dtype(), &DataType::UInt64);
    }

    #[test]
    fn unknown_is_null() {
        let summary = Summary::of(60, [(id("cpu.usage").column(Part::Max), Number::Float(1.0))]);
        let identity = RowIdentity { container_id: "c".to_owned(), ..RowIdentity::default() };
        let frame = minute_frame(&[MinuteRow { minute: Timestamp::UNIX_EPOCH, identity, summary }]).expect("a frame");
        let real = |name| frame.column(name).expect("column").f64().expect("floats").get(0);
        assert_eq!((real("cpu_usage_max"), real("memory_usage_mean")), (Some(1.0), None));
        assert_eq!(frame.column("oom_kills").expect("column").null_count(), 1);
    }
}
