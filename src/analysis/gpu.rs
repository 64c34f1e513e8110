//! The node's GPUs between reports: what is known of each, its open minute, and who holds it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use polars::prelude::{DataFrame, DataType, PolarsResult, TimeUnit, TimeZone};

use crate::clock::Moment;
use crate::frame::gpu::GpuRow;
use crate::identity::claim::{CGROUP, Devices};
use crate::identity::{Device, Link, Relation, Source, Sourced};
use crate::minute::gpu::{GpuAccumulator, GpuState, GpuSummary, state};
use crate::reading::{GpuProcess, GpuReading};
use crate::signal::gpu::id;
use crate::snapshot::{ContainerGpuView, ContainerView, GpuProcessView, GpuView};

/// Minutes of a day, whose states are held for the page.
const MINUTES: u16 = 24 * 60;

/// The states of GPUs' minutes before this agent began, by device and minute since the epoch.
#[derive(Debug, Default)]
pub struct PastStates(HashMap<String, BTreeMap<i64, GpuState>>);

/// The columns of the GPU table that it is read from.
pub const PAST_COLUMNS: &[&str] = &["minute", "node", "gpu", "active", "held_idle", "free"];

impl PastStates {
    /// Takes this node's stored minutes in.
    ///
    /// # Errors
    /// A column is of another type than this version writes.
    pub fn take(&mut self, frame: &DataFrame, node: &str) -> PolarsResult<()> {
        let unit = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
        let minute = frame.column("minute")?.cast(&unit)?;
        let (minute, on, gpu) =
            (minute.datetime()?.physical(), frame.column("node")?.str()?, frame.column("gpu")?.str()?);
        let shares = [frame.column("active")?.f64()?, frame.column("held_idle")?.f64()?, frame.column("free")?.f64()?];
        for at in (0..frame.height()).filter(|at| on.get(*at) == Some(node)) {
            let (Some(ms), Some(gpu)) = (minute.get(at), gpu.get(at)) else { continue };
            let known =
                GpuState::ALL.into_iter().zip(shares).filter_map(|(state, share)| Some((state, share.get(at)?)));
            let mostly = known.filter(|(_, share)| *share > 0.0).max_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((state, _)) = mostly {
                self.0.entry(gpu.to_owned()).or_default().insert(ms.div_euclid(60_000), state);
            }
        }
        Ok(())
    }

    /// The device's minutes before this one, oldest first, a day at most.
    fn before(&self, gpu: &str, minute: i64) -> VecDeque<Option<GpuState>> {
        let Some(states) = self.0.get(gpu) else { return VecDeque::new() };
        let from = minute - i64::from(MINUTES);
        let first = states.range(from..minute).next().map_or(minute, |(first, _)| *first);
        (first..minute).map(|minute| states.get(&minute).copied()).collect()
    }
}

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
        let excess = self.states.len().saturating_sub(MINUTES.into());
        self.states.drain(..excess);
    }
}

impl Gpus {
    /// Brings them in line with a whole reading. Returns the rows of a minute that closed with it.
    pub fn take(&mut self, node: &str, past: &PastStates, readings: Vec<GpuReading>, now: Timestamp) -> Vec<GpuRow> {
        let minute = now.as_second().div_euclid(60);
        let open = self.minute.filter(|open| *open != minute);
        let rows = if open.is_some() { self.close(node) } else { Vec::new() };
        // Minutes in which nobody read are unknown, not left out.
        let gap = open.map_or(0, |open| minute.saturating_sub(open).saturating_sub(1));
        let gap = u16::try_from(gap.max(0)).unwrap_or(MINUTES).min(MINUTES).into();
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
                reading.signals.complete(&last.signals);
            }
            let (accumulated, states) = known.map_or_else(
                || (GpuAccumulator::default(), past.before(&reading.id, minute)),
                |known| (known.minute, known.states),
            );
            let mut gpu = Gpu { reading, minute: accumulated, states };
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
            let summary = gpu.minute.close(&gpu.reading.signals.values);
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
                containers: gpu.reading.processes.is_some().then(|| containers.into_iter().collect()),
                summary,
            });
        }
        rows
    }

    /// All that is known of them. What was read longer ago than `stale` is no longer known: a driver that hangs says nothing of it.
    pub fn views(&self, source: Source, now: Moment, stale: Duration) -> Vec<GpuView> {
        let view = |gpu: &Gpu| {
            let fresh = now.monotonic.saturating_sub(gpu.reading.at.monotonic) <= stale;
            let reading = if fresh { gpu.reading.clone() } else { gpu.reading.forgotten() };
            let mut signals = reading.signals.clone();
            let total = signals.value(const { id("memory_total") }).filter(|total| *total > 0.0);
            let share = signals.value(const { id("memory_used") }).zip(total).map(|(used, total)| used / total);
            signals.values.real(const { id("memory_utilization") }, share);
            let state = state_of(&reading);
            let processes = reading.processes.map(|all| all.into_iter().map(process).collect());
            GpuView {
                device: Device { vendor: reading.vendor, uuid: reading.id },
                source,
                index: reading.index,
                model: reading.model,
                parent: reading.parent,
                share: reading.share,
                driver: reading.driver,
                read_at: reading.at.wall,
                ok: reading.ok,
                state,
                signals,
                processes,
                minutes: gpu.states.iter().copied().collect(),
            }
        };
        self.gpus.values().map(view).collect()
    }
}

fn process(process: GpuProcess) -> GpuProcessView {
    let GpuProcess { pid, container, resolved, memory } = process;
    let container = container.map(|to| Link { to, relation: Relation::PartOf, source: CGROUP });
    GpuProcessView { pid, container, container_name: None, resolved, memory }
}

/// Gives each container its devices, and the devices' processes the names of their containers.
pub fn join(
    containers: &mut [ContainerView],
    gpus: &mut [GpuView],
    allocated: impl Fn(&str) -> Option<Sourced<Devices>>,
) {
    let places: HashMap<String, usize> =
        containers.iter().enumerate().map(|(place, container)| (container.id.clone(), place)).collect();
    for gpu in gpus {
        for container in containers.iter_mut() {
            let given = allocated(&container.id).filter(|given| given.value.have(&gpu.device.uuid, gpu.index));
            if let Some(given) = given {
                container.gpus.push(part(gpu, Relation::Allocated, given.source));
            }
        }
        for process in gpu.processes.iter_mut().flatten() {
            let Some(place) = process.container.as_ref().and_then(|link| places.get(&link.to)) else { continue };
            process.container_name = Some(containers[*place].name.clone());
        }
        for process in gpu.processes.iter().flatten() {
            let Some(place) = process.container.as_ref().and_then(|link| places.get(&link.to)) else { continue };
            let parts = &mut containers[*place].gpus;
            let used = |part: &ContainerGpuView| part.device.to == gpu.device && part.device.relation == Relation::Used;
            let at = parts.iter().position(used).unwrap_or_else(|| {
                parts.push(part(gpu, Relation::Used, gpu.source));
                parts.len() - 1
            });
            let so_far = parts[at].memory;
            parts[at].memory = match (so_far, process.memory) {
                (Some(a), Some(b)) => Some(a.saturating_add(b)),
                (a, b) => a.or(b),
            };
        }
    }
}

fn part(gpu: &GpuView, relation: Relation, source: &'static str) -> ContainerGpuView {
    ContainerGpuView { device: Link { to: gpu.device.clone(), relation, source }, index: gpu.index, memory: None }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polars::prelude::NamedFrom;
    use polars::prelude::{Int64Chunked, IntoColumn, Series};

    use super::*;
    use crate::identity::claim::DOCKER;
    use crate::identity::{ContainerClaim, Device};
    use crate::reading::Report;

    fn frame(rows: &[(i64, &str, Option<f64>, Option<f64>)]) -> DataFrame {
        let minutes: Vec<i64> = rows.iter().map(|row| row.0 * 60_000).collect();
        let minutes = Int64Chunked::new("minute".into(), minutes);
        let column = |name: &str, values: Vec<Option<f64>>| Series::new(name.into(), values).into_column();
        DataFrame::new(
            rows.len(),
            vec![
                minutes.into_datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)).into_column(),
                Series::new("node".into(), rows.iter().map(|row| row.1).collect::<Vec<_>>()).into_column(),
                Series::new("gpu".into(), vec!["G"; rows.len()]).into_column(),
                column("active", rows.iter().map(|row| row.2).collect()),
                column("held_idle", rows.iter().map(|row| row.3).collect()),
                column("free", rows.iter().map(|row| Some(1.0 - row.2? - row.3?)).collect()),
            ],
        )
        .expect("a frame")
    }

    #[test]
    fn the_day_before_the_agent_began_is_in_the_history() {
        let mut past = PastStates::default();
        let rows = [
            (1000, "here", Some(0.9), Some(0.1)),
            (1001, "here", None, None),
            (1002, "here", Some(0.0), Some(1.0)),
            (1003, "there", Some(1.0), Some(0.0)),
            (-900, "here", Some(1.0), Some(0.0)),
        ];
        past.take(&frame(&rows), "here").expect("taken");
        let states = past.before("G", 1004);
        assert_eq!(states, [Some(GpuState::Active), None, Some(GpuState::HeldIdle), None]);
        assert_eq!(past.before("H", 1004), [], "another device");
        let mut gpus = Gpus::default();
        let at = crate::clock::Moment {
            wall: Timestamp::from_second(1004 * 60).expect("a time"),
            monotonic: Duration::ZERO,
        };
        let device = Device { vendor: "NVIDIA", uuid: "G".to_owned() };
        let reading = GpuReading { identified: true, ..GpuReading::unread(device.uuid, 0, device.vendor, at) };
        gpus.take("here", &past, vec![reading], at.wall);
        let views = gpus.views("nvml", at, Duration::from_secs(1));
        assert_eq!(VecDeque::from(views[0].minutes.clone()), states);
    }

    #[test]
    fn a_container_has_what_it_was_given_beside_what_it_uses() {
        let at = crate::clock::Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO };
        let mut state = crate::analysis::State::new("node-1".to_owned(), Duration::from_secs(10), 10);
        let claim = |id: &str, devices| {
            let claim =
                ContainerClaim { id: id.to_owned(), source: DOCKER, name: Some(id.to_owned()), ..Default::default() };
            Arc::new(ContainerClaim { devices, ..claim })
        };
        let claims = vec![
            claim("a", Some(Devices::All)),
            claim("b", Some(Devices::Named(vec!["1".to_owned()]))),
            claim("c", None),
        ];
        state.absorb(DOCKER, Report { claims: Some(claims.into()), ..Report::default() }, at);
        let gpu = |index: u32, holder: &str| {
            let process = |pid, memory| GpuProcess { pid, container: Some(holder.to_owned()), resolved: true, memory };
            let processes = Some(vec![process(1, Some(5)), process(2, Some(7))]);
            GpuReading {
                identified: true,
                processes,
                ..GpuReading::unread(format!("GPU-{index}"), index, "nvidia", at)
            }
        };
        state.absorb("nvml", Report { gpus: Some(vec![gpu(0, "c"), gpu(1, "b")]), ..Report::default() }, at);
        let snapshot = state.snapshot(at, true);
        let of = |place: usize| -> Vec<_> {
            let parts = snapshot.containers[place].gpus.iter();
            parts
                .map(|part| (part.device.to.uuid.as_str(), part.device.relation, part.device.source, part.memory))
                .collect()
        };
        let (given, used) = (Relation::Allocated, Relation::Used);
        assert_eq!(of(0), [("GPU-0", given, DOCKER, None), ("GPU-1", given, DOCKER, None)]);
        assert_eq!(of(1), [("GPU-1", given, DOCKER, None), ("GPU-1", used, "nvml", Some(12))]);
        assert_eq!(of(2), [("GPU-0", used, "nvml", Some(12))], "used, though nobody says that it was given");
        let process = &snapshot.gpus[0].processes.as_ref().expect("processes")[0];
        let link = process.container.as_ref().map(|link| (link.to.as_str(), link.relation, link.source));
        assert_eq!((link, process.container_name.as_deref()), (Some(("c", Relation::PartOf, CGROUP)), Some("c")));
    }
}
