//! GPUs' minutes -> what each is paid for: computing, held idle, free.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use polars::prelude::{ChunkAgg, DataFrame, PolarsResult};
use serde::Serialize;

use super::cost::{MONTH, Prices};
use super::usage::{HOURS, Replica};
use super::{Config, ENDED};
use crate::frame::past::{Past, columns};
use crate::signal::Part::{Increase, Last, Max, Mean, Share};
use crate::signal::gpu::{Gpu, id};
use crate::stats::sketch::Sketch;

const IDENTITY: &[&str] = &["minute", "node", "gpu", "gpu_index", "gpu_model", "containers"];

/// The columns of the GPU table that are read.
#[must_use]
pub fn read_columns() -> Vec<String> {
    columns::<Gpu>(IDENTITY)
}

/// A run ends where one of these changes: the same containers hold the same device throughout.
const ALIKE: &[&str] = &["gpu_index", "gpu_model", "memory_total", "containers"];

/// A GPU and what was made of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GpuUse {
    /// The node it is on.
    pub node: String,
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
    /// What it did hour by hour, from the first to the last.
    pub hours: Vec<GpuHour>,
}

/// What a GPU did in an hour, as shares of its minutes; `None` in an hour of which nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GpuHour {
    /// When it began.
    #[cfg_attr(test, schemars(with = "String"))]
    pub hour: Timestamp,
    /// It computed.
    pub active: Option<f64>,
    /// Memory was resident and nothing computed.
    pub held_idle: Option<f64>,
    /// Nobody held it.
    pub free: Option<f64>,
}

const MS_PER_HOUR: i64 = 3_600_000;

#[derive(Debug, Default)]
struct DeviceUsage {
    index: u64,
    model: Option<String>,
    minutes: u64,
    judged: u64,
    states: [f64; 3],
    utilization: Sketch,
    memory_peak: Option<f64>,
    memory_total: Option<u64>,
    energy: Option<f64>,
    last: Option<Timestamp>,
    /// Sums of the states' shares, and minutes, by the hour.
    hours: BTreeMap<i64, ([f64; 3], u64)>,
}

/// Every GPU that was met, and what containers had of them.
#[derive(Debug, Default)]
pub struct GpuUsages {
    gpus: BTreeMap<(String, String), DeviceUsage>,
    /// GPU hours by container id, and GPU model: a minute that several held is shared between them.
    held: BTreeMap<String, BTreeMap<Option<String>, f64>>,
}

impl GpuUsages {
    /// Takes rows from `since` to `until` in.
    ///
    /// # Errors
    /// A column is of another type than this version writes.
    pub fn take(&mut self, frame: &DataFrame, since: Timestamp, until: Timestamp) -> PolarsResult<()> {
        let past = Past::new(frame, &["node", "gpu"], ALIKE, since, until)?;
        let (nodes, ids, models) = (past.text("node")?, past.text("gpu")?, past.text("gpu_model")?);
        let (indices, containers) = (past.count("gpu_index")?, past.list("containers")?);
        let get = |key: &str, part| past.signal(id(key).column(part));
        let states = [get("state.active", Share)?, get("state.held_idle", Share)?, get("state.free", Share)?];
        let (utilization, peak, energy) =
            (get("utilization", Mean)?, get("memory_used", Max)?, get("energy", Increase)?);
        let total = past.counted(id("memory_total").column(Last))?;
        for run in &past.runs {
            let first = run.rows.start;
            let Some(name) = ids.and_then(|ids| ids.get(first)) else { continue };
            let node = nodes.and_then(|nodes| nodes.get(first)).unwrap_or_default();
            let gpu = self.gpus.entry((node.to_owned(), name.to_owned())).or_default();
            gpu.index = indices.get(first).unwrap_or(gpu.index);
            gpu.model = models.and_then(|models| models.get(first)).map(str::to_owned).or(gpu.model.take());
            gpu.memory_total = total.get(first).or(gpu.memory_total);
            let minutes = past.new_minutes(run, &mut gpu.last);
            gpu.minutes += minutes;
            let [active, held, free] = states.each_ref().map(|state| run.of(state));
            // A run ends with its hour.
            let hour = past.minutes(run).first().map_or(i64::MIN, |minute| minute.div_euclid(MS_PER_HOUR));
            let by_hour = gpu.hours.entry(hour).or_default();
            for ((active, held), free) in active.iter().zip(held.iter()).zip(free.iter()) {
                if let (Some(active), Some(held), Some(free)) = (active, held, free) {
                    gpu.judged += 1;
                    by_hour.1 += 1;
                    let sums = gpu.states.iter_mut().zip(&mut by_hour.0);
                    for ((whole, of_hour), share) in sums.zip([active, held, free]) {
                        *whole += share.min(1.0);
                        *of_hour += share.min(1.0);
                    }
                }
            }
            run.of(&utilization).iter().flatten().for_each(|share| gpu.utilization.push(share));
            gpu.memory_peak = match (gpu.memory_peak, run.of(&peak).max()) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
            let used = run.of(&energy);
            if used.null_count() < used.len() {
                gpu.energy = Some(gpu.energy.unwrap_or(0.0) + used.sum().unwrap_or(0.0));
            }
            let Some(holders) = containers.and_then(|containers| containers.get_as_series(first)) else { continue };
            for container in holders.str()?.iter().flatten() {
                let by_model = self.held.entry(container.to_owned()).or_default();
                *by_model.entry(gpu.model.clone()).or_default() += minutes as f64 / 60.0 / holders.len() as f64;
            }
        }
        Ok(())
    }

    /// What the GPU time of containers cost.
    #[must_use]
    pub fn cost_of(&self, containers: &BTreeMap<String, Replica>, prices: &Prices) -> f64 {
        let of_them = self.held.iter().filter(|(container, _)| containers.contains_key(*container));
        of_them.flat_map(|(_, held)| held).map(|(model, hours)| hours * prices.gpu(model.as_deref())).sum()
    }

    /// The container held a GPU.
    #[must_use]
    pub fn was_held_by(&self, container: &str) -> bool {
        self.held.contains_key(container)
    }

    /// The newest minute.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.gpus.values().filter_map(|gpu| gpu.last).max()
    }

    /// Each GPU that is still there at `end`, by index. With too little history none has a price for what it did.
    #[must_use]
    pub fn judged(&self, end: Timestamp, config: &Config, prices: &Prices) -> Vec<GpuUse> {
        let there = |gpu: &DeviceUsage| gpu.last.is_some_and(|last| end.duration_since(last) <= ENDED);
        let all = self.gpus.iter().filter(|(_, gpu)| there(gpu));
        let enough = |gpu: &DeviceUsage| Duration::from_secs(gpu.minutes * 60) >= config.min_history;
        let mut all: Vec<GpuUse> = all.map(|((node, id), gpu)| judged(node, id, gpu, enough(gpu), prices)).collect();
        all.sort_by(|a, b| (&a.node, a.index, &a.id).cmp(&(&b.node, b.index, &b.id)));
        all
    }
}

fn judged(node: &str, id: &str, gpu: &DeviceUsage, enough: bool, prices: &Prices) -> GpuUse {
    let share = |state: usize| (gpu.judged > 0).then(|| gpu.states[state] / gpu.judged as f64);
    let cost = prices.gpu(gpu.model.as_deref()) * MONTH;
    GpuUse {
        node: node.to_owned(),
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
        hours: every_hour(&gpu.hours),
    }
}

/// The hours from the first to the last; those without a row are unknown.
fn every_hour(known: &BTreeMap<i64, ([f64; 3], u64)>) -> Vec<GpuHour> {
    let (Some(first), Some(last)) = (known.keys().next(), known.keys().next_back()) else { return Vec::new() };
    let hour = |at: i64| {
        let (sums, minutes) = known.get(&at).copied().unwrap_or_default();
        let [active, held_idle, free] = sums.map(|sum| (minutes > 0).then(|| sum / minutes as f64));
        Some(GpuHour { hour: Timestamp::from_second(at.checked_mul(3600)?).ok()?, active, held_idle, free })
    };
    ((*first).max(last.saturating_sub(HOURS))..=*last).filter_map(hour).collect()
}
