//! The node's GPUs between reports: what is known of each, its open minute, and who holds it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::frame::gpu::GpuRow;
use crate::identity::Device;
use crate::minute::gpu::{GpuAccumulator, GpuState, GpuSummary, state};
use crate::reading::{GpuProcess, GpuReading};
use crate::snapshot::{ContainerGpuView, ContainerView, GpuProcessView, GpuView};

/// Minutes of a day, whose states are held for the page.
const MINUTES: usize = 24 * 60;

/// Every GPU that is there, by index.
#[derive(Debug, Default)]
pub struct Gpus {
    gpus: BTreeMap<u32, Gpu>,
    /// The open minute, in minutes since the epoch.
    minute: Option<i64>,
}

#[derive(Debug)]
struct Gpu {
    reading: GpuReading,
    minute: GpuAccumulator,
    states: VecDeque<Option<GpuState>>,
}

fn state_of(reading: &GpuReading) -> Option<GpuState> {
    state(reading, reading.processes.as_ref().map(Vec::len))
}

impl Gpu {
    /// Adds minutes' states, and forgets those of more than a day ago.
    fn remember(&mut self, states: impl IntoIterator<Item = Option<GpuState>>) {
        self.states.extend(states);
        let excess = self.states.len().saturating_sub(MINUTES);
        self.states.drain(..excess);
    }
}

impl Gpus {
    /// Brings them in line with a whole reading. Returns the rows of a minute that closed with it.
    pub fn take(&mut self, node: &str, readings: Vec<GpuReading>, now: Timestamp) -> Vec<GpuRow> {
        let minute = now.as_second().div_euclid(60);
        let open = self.minute.filter(|open| *open != minute);
        let rows = if open.is_some() { self.close(node) } else { Vec::new() };
        // Minutes in which nobody read are unknown, not left out.
        let gap = open.map_or(0, |open| (minute - open - 1).clamp(0, MINUTES as i64)) as usize;
        for gpu in self.gpus.values_mut() {
            gpu.remember(std::iter::repeat_n(None, gap));
        }
        self.minute = Some(minute);
        let mut before = std::mem::take(&mut self.gpus);
        for mut reading in readings {
            let known = before.remove(&reading.index).filter(|known| known.reading.id == reading.id);
            // What inner ticks leave out stands as last told, as long as the device is there.
            if let Some(Gpu { reading: last, .. }) = known.as_ref().filter(|_| reading.ok != Some(false)) {
                reading.processes = reading.processes.or_else(|| last.processes.clone());
                reading.energy = reading.energy.or(last.energy);
                reading.temperature = reading.temperature.or(last.temperature);
            }
            let (minute, states) = known.map(|known| (known.minute, known.states)).unwrap_or_default();
            let mut gpu = Gpu { reading, minute, states };
            let state = state_of(&gpu.reading);
            gpu.minute.take(&gpu.reading, state);
            self.gpus.insert(gpu.reading.index, gpu);
        }
        rows
    }

    /// Nobody reads them any longer. Returns the open minute's rows.
    pub fn lose(&mut self, node: &str) -> Vec<GpuRow> {
        let rows = self.close(node);
        self.gpus.clear();
        rows
    }

    /// Closes the open minute.
    pub fn close(&mut self, node: &str) -> Vec<GpuRow> {
        let Some(minute) = self.minute.take().and_then(|open| Timestamp::from_second(open * 60).ok()) else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        for gpu in self.gpus.values_mut() {
            let summary = gpu.minute.close();
            gpu.remember([summary.as_ref().and_then(GpuSummary::mostly)]);
            let Some(summary) = summary.filter(|_| gpu.reading.identified) else { continue };
            let holders = gpu.reading.processes.iter().flatten().filter_map(|process| process.container.clone());
            let containers: BTreeSet<String> = holders.collect();
            rows.push(GpuRow {
                minute,
                node: node.to_owned(),
                device: Device { vendor: gpu.reading.vendor, uuid: gpu.reading.id.clone() },
                parent: gpu.reading.parent.clone(),
                share: gpu.reading.share,
                index: gpu.reading.index,
                model: gpu.reading.model.clone(),
                memory_total: gpu.reading.memory_total,
                containers: gpu.reading.processes.is_some().then(|| containers.into_iter().collect()),
                summary,
            });
        }
        rows
    }

    /// All that is known of them, with their holders' names; and to each container its part.
    ///
    /// What was read longer ago than `stale` is no longer known: a driver that hangs says nothing of it.
    pub fn views(&self, containers: &mut [ContainerView], now: Moment, stale: Duration) -> Vec<GpuView> {
        let mut views = Vec::new();
        for gpu in self.gpus.values() {
            let fresh = now.monotonic.saturating_sub(gpu.reading.at.monotonic) <= stale;
            let reading = if fresh { gpu.reading.clone() } else { gpu.reading.forgotten() };
            let processes = reading.processes.as_ref().map(|all| {
                let view = |process: &GpuProcess| {
                    let container = process.container.as_ref();
                    let known = containers.iter().find(|c| Some(&c.id) == container);
                    GpuProcessView {
                        pid: process.pid,
                        container: process.container.clone(),
                        container_name: known.map(|c| c.name.clone()),
                        resolved: process.resolved,
                        memory: process.memory,
                    }
                };
                all.iter().map(view).collect()
            });
            for container in containers.iter_mut() {
                let all = || reading.processes.iter().flatten();
                let of_it = || all().filter(|p| p.container.as_ref() == Some(&container.id));
                if of_it().next().is_some() {
                    let memory = of_it().filter_map(|p| p.memory).reduce(u64::saturating_add);
                    let part = ContainerGpuView { id: reading.id.clone(), index: reading.index, memory };
                    container.gpus.push(part);
                }
            }
            views.push(GpuView {
                id: reading.id.clone(),
                index: reading.index,
                model: reading.model.clone(),
                vendor: reading.vendor,
                parent: reading.parent.clone(),
                share: reading.share,
                driver: reading.driver.clone(),
                read_at: reading.at.wall,
                ok: reading.ok,
                state: state_of(&reading),
                utilization: reading.utilization,
                memory_used: reading.memory_used,
                memory_total: reading.memory_total,
                power: reading.power,
                energy: reading.energy,
                temperature: reading.temperature,
                processes,
                minutes: gpu.states.iter().copied().collect(),
            });
        }
        views
    }
}
