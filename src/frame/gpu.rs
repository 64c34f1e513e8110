//! The GPU's row of a minute and its columns.

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult};

use super::{Cells, MinuteColumn, Row, column, signals};
use crate::identity::{Device, Share};
use crate::minute::Summary;
use crate::signal::gpu::Gpu;

/// One GPU's row of one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuRow {
    /// When the minute began.
    pub minute: Timestamp,
    /// The node's name.
    pub node: String,
    /// The device.
    pub device: Device,
    /// The device it is a part of, by its id.
    pub parent: Option<String>,
    /// How much of the hardware it is.
    pub share: Share,
    /// Its place among the node's devices.
    pub index: u32,
    /// What it is.
    pub model: Option<String>,
    /// Ids of the containers that held memory on it, as last seen, in order; `None` where the driver does not tell.
    pub containers: Option<Vec<String>>,
    /// Its signals.
    pub summary: Summary,
}

/// The GPU minutes' own columns; those of their signals follow them.
pub const GPU_COLUMNS: &[MinuteColumn<GpuRow>] = &[
    column("minute", "when the minute began (UTC)", Cells::Time(|r| Some(r.minute))),
    column("node", "name of the node", Cells::Text(|r| Some(&r.node))),
    column("gpu", "id of the device (NVML's UUID)", Cells::Text(|r| Some(&r.device.uuid))),
    column("gpu_vendor", "who made it", Cells::Text(|r| Some(r.device.vendor))),
    column("gpu_parent", "the device it is a slice or a time share of", Cells::Text(|r| r.parent.as_deref())),
    column(
        "gpu_share",
        "how much of the hardware it is: whole, slice, time_share",
        Cells::Text(|r| Some(r.share.name())),
    ),
    column("gpu_index", "its place among the node's devices", Cells::Count(|r| Some(r.index.into()))),
    column("gpu_model", "what it is", Cells::Text(|r| r.model.as_deref())),
    column(
        "containers",
        "ids of the containers on it, as last seen; null if the driver does not report them",
        Cells::Texts(|r| r.containers.as_deref()),
    ),
    column("samples", "readings that fell into the minute", Cells::Count(|r| Some(r.summary.samples.into()))),
];

impl Row for GpuRow {
    const TABLE: &'static str = "gpu_minute";
    const VERSION: u32 = 2;

    fn minute(&self) -> Timestamp {
        self.minute
    }

    fn frame(rows: &[Self]) -> PolarsResult<DataFrame> {
        let own = GPU_COLUMNS.iter().map(|column| column.cells(rows));
        DataFrame::new(rows.len(), own.chain(signals::<_, Gpu>(rows, |row| &row.summary)).collect())
    }
}
