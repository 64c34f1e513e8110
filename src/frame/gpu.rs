//! The GPU's row of a minute and its columns.

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult};

use super::{Cells, MinuteColumn, Row, column, max, mean, p95};
use crate::identity::{Device, Share};
use crate::minute::gpu::{GpuState, GpuSummary};

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
    /// Memory there is, in bytes.
    pub memory_total: Option<u64>,
    /// Ids of the containers that held memory on it, as last seen, in order; `None` where the driver does not tell.
    pub containers: Option<Vec<String>>,
    /// What was sampled and counted.
    pub summary: GpuSummary,
}

/// The columns of the GPU minutes.
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
        "ids of the containers on it, as last seen; null where the driver does not tell",
        Cells::Texts(|r| r.containers.as_deref()),
    ),
    column("samples", "readings that fell into the minute", Cells::Count(|r| Some(r.summary.samples.into()))),
    column("utilization_mean", "share of time a kernel ran: mean", Cells::Real(|r| mean(r.summary.utilization))),
    column("utilization_max", "share of time a kernel ran: maximum", Cells::Real(|r| max(r.summary.utilization))),
    column(
        "utilization_p95",
        "share of time a kernel ran: 95th percentile (R-7)",
        Cells::Real(|r| p95(r.summary.utilization)),
    ),
    column("memory_used_mean", "memory in use, in bytes: mean", Cells::Real(|r| mean(r.summary.memory_used))),
    column("memory_used_max", "memory in use, in bytes: maximum", Cells::Real(|r| max(r.summary.memory_used))),
    column("memory_total", "memory there is, in bytes", Cells::Count(|r| r.memory_total)),
    column("power_mean", "power, in watts: mean", Cells::Real(|r| mean(r.summary.power))),
    column("power_max", "power, in watts: maximum", Cells::Real(|r| max(r.summary.power))),
    column("temperature_max", "temperature in degrees Celsius: maximum", Cells::Real(|r| r.summary.temperature_max)),
    column("energy", "increase: energy used, in joules", Cells::Real(|r| r.summary.energy)),
    column(
        "active",
        "share of the minute's readings in which it computed",
        Cells::Real(|r| r.summary.share(GpuState::Active)),
    ),
    column(
        "held_idle",
        "share in which memory was resident and nothing computed",
        Cells::Real(|r| r.summary.share(GpuState::HeldIdle)),
    ),
    column("free", "share in which nobody held it", Cells::Real(|r| r.summary.share(GpuState::Free))),
];

impl Row for GpuRow {
    const TABLE: &'static str = "gpu_minute";
    const VERSION: u32 = 2;

    fn minute(&self) -> Timestamp {
        self.minute
    }

    fn frame(rows: &[Self]) -> PolarsResult<DataFrame> {
        DataFrame::new(rows.len(), GPU_COLUMNS.iter().map(|column| column.cells(rows)).collect())
    }
}
