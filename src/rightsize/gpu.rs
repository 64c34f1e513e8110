//! GPUs' minutes -> what each is paid for: computing, held idle, free.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult};
use serde::Serialize;

use super::cost::{MONTH, Prices};
use super::usage::minutes;
use super::{Config, ENDED};
use crate::stats::sketch::Sketch;

/// The columns of the GPU table that are read.
pub const COLUMNS: &[&str] = &[
    "minute",
    "gpu",
    "gpu_index",
    "gpu_model",
    "containers",
    "utilization_mean",
    "memory_used_max",
    "memory_total",
    "energy",
    "active",
    "held_idle",
    "free",
];

/// A GPU and what was made of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GpuUse {
    /// The device's id.
    pub id: String,
    /// Its place among the node's devices.
    pub index: u64,
    /// What it is.
    pub model: Option<String>,
    /// Minutes that were seen.
    pub minutes: u64,
    /// Share of them in which it computed, of those whose state is known.
    pub active: Option<f64>,
    /// Share in which memory was resident and nothing computed.
    pub held_idle: Option<f64>,
    /// Share in which nobody held it.
    pub free: Option<f64>,
    /// Median of the minutes' mean utilization.
    pub utilization_p50: Option<f64>,
    /// 95th percentile of it.
    pub utilization_p95: Option<f64>,
    /// Peak of memory in use, in bytes.
    pub memory_peak: Option<f64>,
    /// Memory there is, in bytes.
    pub memory_total: Option<u64>,
    /// Energy used, in joules.
    pub energy: Option<f64>,
    /// What a month of it costs.
    pub cost: f64,
    /// What of that is for minutes in which nothing computed though memory was held.
    pub held_idle_cost: Option<f64>,
    /// What of that is for minutes in which nobody held it.
    pub free_cost: Option<f64>,
}

#[derive(Debug, Default)]
struct Gpu {
    index: u64,
    model: Option<String>,
    minutes: u64,
    known: u64,
    states: [f64; 3],
    utilization: Sketch,
    memory_peak: Option<f64>,
    memory_total: Option<u64>,
    energy: Option<f64>,
    last: Option<Timestamp>,
}

/// Every GPU that was met, and what containers had of them.
#[derive(Debug, Default)]
pub struct GpuUsages {
    gpus: BTreeMap<String, Gpu>,
    /// GPU hours by container id and GPU model: a minute that several held is shared between them.
    held: BTreeMap<(String, Option<String>), f64>,
}

impl GpuUsages {
    /// Takes rows from `since` to `until` in.
    ///
    /// # Errors
    /// A column is of another type than this version writes.
    pub fn take(&mut self, frame: &DataFrame, since: Timestamp, until: Timestamp) -> PolarsResult<()> {
        let minute = minutes(frame)?;
        let text = |name: &str| frame.column(name)?.str();
        let real = |name: &str| frame.column(name)?.f64();
        let count = |name: &str| frame.column(name)?.u64();
        let (id, model, containers) = (text("gpu")?, text("gpu_model")?, frame.column("containers")?.list()?);
        let (index, total) = (count("gpu_index")?, count("memory_total")?);
        let (utilization, peak, energy) = (real("utilization_mean")?, real("memory_used_max")?, real("energy")?);
        let states = [real("active")?, real("held_idle")?, real("free")?];
        for at in 0..frame.height() {
            let at_time = minute.get(at).and_then(|ms| Timestamp::from_millisecond(ms).ok());
            if !at_time.is_some_and(|time| (since..until).contains(&time)) {
                continue;
            }
            let Some(id) = id.get(at) else { continue };
            let gpu = self.gpus.entry(id.to_owned()).or_default();
            gpu.index = index.get(at).unwrap_or(gpu.index);
            gpu.model = model.get(at).map(str::to_owned).or(gpu.model.take());
            gpu.memory_total = total.get(at).or(gpu.memory_total);
            gpu.minutes += 1;
            gpu.last = gpu.last.max(at_time);
            let share =
                |state: &polars::prelude::Float64Chunked| state.get(at).filter(|share| (0.0..=1.0).contains(share));
            if let [Some(active), Some(held), Some(free)] = states.map(share) {
                gpu.known += 1;
                for (sum, share) in gpu.states.iter_mut().zip([active, held, free]) {
                    *sum += share;
                }
            }
            if let Some(value) = utilization.get(at) {
                gpu.utilization.push(value);
            }
            gpu.memory_peak = match (gpu.memory_peak, peak.get(at).filter(|bytes| bytes.is_finite())) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
            if let Some(joules) = energy.get(at).filter(|joules| joules.is_finite()) {
                gpu.energy = Some(gpu.energy.unwrap_or(0.0) + joules);
            }
            let Some(holders) = containers.get_as_series(at) else { continue };
            for container in holders.str()?.iter().flatten() {
                let hours = self.held.entry((container.to_owned(), gpu.model.clone())).or_default();
                *hours += 1.0 / 60.0 / holders.len() as f64;
            }
        }
        Ok(())
    }

    /// What the GPU time of containers cost.
    #[must_use]
    pub fn cost_of(&self, containers: &[String], prices: &Prices) -> f64 {
        let of_them = self.held.iter().filter(|((container, _), _)| containers.contains(container));
        of_them.map(|((_, model), hours)| hours * prices.gpu(model.as_deref())).sum()
    }

    /// The newest minute.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.gpus.values().filter_map(|gpu| gpu.last).max()
    }

    /// Each GPU that is still there at `end`, by index. With too little history none has a price for what it did.
    #[must_use]
    pub fn judged(&self, end: Timestamp, config: &Config, prices: &Prices) -> Vec<GpuUse> {
        let there = |gpu: &Gpu| gpu.last.is_some_and(|last| end.duration_since(last) <= ENDED);
        let all = self.gpus.iter().filter(|(_, gpu)| there(gpu));
        let enough = |gpu: &Gpu| Duration::from_secs(gpu.minutes * 60) >= config.min_history;
        let mut all: Vec<GpuUse> = all.map(|(id, gpu)| judged(id, gpu, enough(gpu), prices)).collect();
        all.sort_by(|a, b| (a.index, &a.id).cmp(&(b.index, &b.id)));
        all
    }
}

fn judged(id: &str, gpu: &Gpu, enough: bool, prices: &Prices) -> GpuUse {
    let share = |state: usize| (gpu.known > 0).then(|| gpu.states[state] / gpu.known as f64);
    let cost = prices.gpu(gpu.model.as_deref()) * MONTH;
    GpuUse {
        id: id.to_owned(),
        index: gpu.index,
        model: gpu.model.clone(),
        minutes: gpu.minutes,
        active: share(0),
        held_idle: share(1),
        free: share(2),
        utilization_p50: gpu.utilization.quantile(0.5),
        utilization_p95: gpu.utilization.quantile(0.95),
        memory_peak: gpu.memory_peak,
        memory_total: gpu.memory_total,
        energy: gpu.energy,
        cost,
        held_idle_cost: share(1).filter(|_| enough).map(|share| share * cost),
        free_cost: share(2).filter(|_| enough).map(|share| share * cost),
    }
}
