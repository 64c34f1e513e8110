//! The node's GPUs between reports: what is known of each, its open minute, and who holds it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use polars::prelude::{DataFrame, DataType, PolarsResult, TimeUnit, TimeZone};

use crate::clock::Moment;
use crate::frame::gpu::GpuRow;
use crate::identity::claim::{CGROUP, Devices};
use crate::identity::{Device, Link, Relation, Source, Sourced};
use crate::minute::Accumulator;
use crate::minute::gpu::{self, GpuState, conclude, mostly};
use crate::reading::{Depth, GpuProcess, GpuReading};
use crate::signal::gpu::{self as signals, id};
use crate::snapshot::{ContainerGpuView, ContainerView, GpuProcessView, GpuView};

/// Minutes of a day, whose states are held for the page.
const MINUTES: u16 = 24 * 60;

/// The states of GPUs' minutes before this agent began, by device and minute since the epoch.
#[derive(Debug, Default)]
pub struct PastStates(HashMap<String, BTreeMap<i64, GpuState>>);

/// The columns of the GPU table that it is read from.
pub const PAST_COLUMNS: &[&str] = &["minute", "node", "gpu", "active", "held_idle", "free"];

impl PastStates {
    /// Takes this node's stored minutes in, row by row: a GPU has 1,440 a day, and each becomes one state.
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
        let from = minute.saturating_sub(i64::from(MINUTES));
        let first = states.range(from..minute).next().map_or(minute, |(first, _)| *first);
        (first..minute).map(|minute| states.get(&minute).copied()).collect()
    }
}

/// Every GPU that is there, or was within the last day, by its id.
#[derive(Debug, Default)]
pub struct Gpus {
    devices: BTreeMap<String, Gpu>,
    /// The open minute, in minutes since the epoch.
    minute: Option<i64>,
    /// The one that was closed last.
    closed: Option<i64>,
}

#[derive(Debug)]
struct Gpu {
    reading: GpuReading,
    minute: Accumulator<signals::Gpu>,
    states: VecDeque<Option<GpuState>>,
    /// It was in the last reading.
    there: bool,
}

impl Gpu {
    fn new(reading: GpuReading, states: VecDeque<Option<GpuState>>) -> Self {
        Self { reading, minute: Accumulator::new(false), states, there: true }
    }

    /// Takes a newer reading of the device in. What inner ticks leave out stands as last read, as long as the driver reaches it.
    fn take(&mut self, mut reading: GpuReading) {
        if reading.depth == Depth::Inner && reading.ok != Some(false) {
            reading.processes = reading.processes.or_else(|| self.reading.processes.clone());
            reading.signals.complete(&self.reading.signals);
        }
        (self.reading, self.there) = (reading, true);
    }

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
        let rows = if self.minute.is_some_and(|open| open != minute) { self.close(node) } else { Vec::new() };
        self.open(minute);
        for gpu in self.devices.values_mut() {
            gpu.there = false;
        }
        for reading in readings {
            let id = reading.id.clone();
            if let Some(gpu) = self.devices.get_mut(&id) {
                gpu.take(reading);
            } else {
                let states = past.before(&id, minute);
                self.devices.insert(id.clone(), Gpu::new(reading, states));
            }
            let Some(gpu) = self.devices.get_mut(&id) else { continue };
            conclude(&mut gpu.reading);
            gpu::take(&mut gpu.minute, &gpu.reading);
        }
        rows
    }

    /// Nobody reads them any longer. Returns the open minute's rows; what each did in the last day is not forgotten.
    pub fn lose(&mut self, node: &str) -> Vec<GpuRow> {
        for gpu in self.devices.values_mut() {
            gpu.there = false;
        }
        self.close(node)
    }

    /// Opens a minute. Minutes since the one that closed last, in which nobody read, are unknown; one that is opened again goes on.
    fn open(&mut self, minute: i64) {
        if let Some(closed) = self.closed.take().filter(|_| self.minute.is_none()) {
            let gap = minute.saturating_sub(closed).saturating_sub(1).clamp(-1, i64::from(MINUTES));
            for gpu in self.devices.values_mut() {
                if gap < 0 {
                    gpu.states.pop_back();
                }
                gpu.remember((0..gap).map(|_| None));
            }
        }
        self.minute = Some(minute);
    }

    /// Closes the open minute.
    pub fn close(&mut self, node: &str) -> Vec<GpuRow> {
        let Some(open) = self.minute.take() else { return Vec::new() };
        let Ok(minute) = Timestamp::from_second(open.saturating_mul(60)) else { return Vec::new() };
        self.closed = Some(open);
        let mut rows = Vec::new();
        for gpu in self.devices.values_mut() {
            let summary = gpu.minute.close(&gpu.reading.signals.values);
            gpu.remember([summary.as_ref().and_then(mostly)]);
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
        // One that is away for a day is gone.
        self.devices.retain(|_, gpu| gpu.there || gpu.states.iter().any(Option::is_some));
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
            let state = GpuState::told(&signals.values);
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
        let mut there: Vec<&Gpu> = self.devices.values().filter(|gpu| gpu.there).collect();
        there.sort_by_key(|gpu| gpu.reading.index);
        there.into_iter().map(view).collect()
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
                parts.len().saturating_sub(1)
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
    use crate::signal::gpu::id as id_of;

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

    /// A state is a signal with a series and a column; the API names the one that the device is in.
    #[test]
    fn a_state_is_told_once_in_the_api() {
        let mut gpus = Gpus::default();
        gpus.take("here", &PastStates::default(), vec![busy("G", 0, 1)], moment(1).wall);
        let view = |at| gpus.views("nvml", moment(at), Duration::from_secs(9)).remove(0);
        let json = serde_json::to_value(view(2)).expect("JSON");
        assert_eq!((&json["state"], &json["ok"]), (&"active".into(), &true.into()));
        assert!(json.get("status").is_none(), "{json}");
        let told = |key: &str, at| view(at).signals.get(id_of(key));
        assert_eq!(["status.ok", "status.failed"].map(|key| told(key, 2)), [Some(1), Some(0)]);
        assert_eq!(["state.active", "state.held_idle", "state.free"].map(|key| told(key, 2)), [1, 0, 0].map(Some));
        assert_eq!((told("state.active", 20), view(20).state), (None, None), "it was read too long ago");
    }

    fn moment(second: u32) -> Moment {
        let wall = Timestamp::from_second(i64::from(second)).expect("a time");
        Moment { wall, monotonic: Duration::from_secs(second.into()) }
    }

    /// A full reading of a device that computes, with its temperature.
    fn busy(id: &str, index: u32, second: u32) -> GpuReading {
        let mut reading = GpuReading::unread(id.to_owned(), index, "nvidia", moment(second));
        (reading.identified, reading.ok) = (true, Some(true));
        reading.signals.values.real(id_of("utilization"), 0.5);
        reading.signals.values.real(id_of("temperature"), 60.0);
        reading.processes = Some(Vec::new());
        reading
    }

    #[test]
    fn what_a_full_reading_no_longer_tells_is_unknown() {
        let mut gpus = Gpus::default();
        let mut take = |reading| drop(gpus.take("n", &PastStates::default(), vec![reading], moment(1).wall));
        take(busy("G", 0, 0));
        let inner = GpuReading { depth: Depth::Inner, ..GpuReading::unread("G".to_owned(), 0, "nvidia", moment(1)) };
        take(inner.clone());
        let known = |gpus: &Gpus| {
            let view = gpus.views("nvml", moment(2), Duration::from_secs(9)).remove(0);
            (view.signals.value(id_of("temperature")), view.processes.is_some())
        };
        assert_eq!(known(&gpus), (Some(60.0), true), "an inner tick leaves it out");
        drop(gpus.take("n", &PastStates::default(), vec![GpuReading { depth: Depth::Full, ..inner }], moment(2).wall));
        assert_eq!(known(&gpus), (None, false), "the driver stopped to tell it");
    }

    #[test]
    fn a_device_that_goes_leaves_its_minute_and_its_day_outlives_the_collector() {
        let (mut gpus, past) = (Gpus::default(), PastStates::default());
        gpus.take("n", &past, vec![busy("A", 0, 0), busy("B", 1, 0)], moment(0).wall);
        // B takes A's place; A is gone.
        gpus.take("n", &past, vec![busy("B", 0, 30)], moment(30).wall);
        let ids = |rows: Vec<GpuRow>| rows.into_iter().map(|row| row.device.uuid).collect::<Vec<_>>();
        assert_eq!(ids(gpus.lose("n")), ["A", "B"], "both have a row of the minute");
        assert_eq!(gpus.views("nvml", moment(31), Duration::from_secs(99)).len(), 0);
        // Three minutes later the driver is back.
        assert_eq!(ids(gpus.take("n", &past, vec![busy("B", 0, 200)], moment(200).wall)), [""; 0]);
        let views = gpus.views("nvml", moment(200), Duration::from_secs(99));
        assert_eq!(views[0].minutes, [Some(GpuState::Active), None, None], "the day is not forgotten");
    }

    #[test]
    fn a_container_has_what_it_was_given_beside_what_it_uses() {
        let at = crate::clock::Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO };
        let mut state = crate::analysis::State::new("node-1".to_owned(), Duration::from_secs(10), 10);
        let claim = |id: &str, devices| {
            let claim = ContainerClaim {
                about: crate::identity::About::Container(id.to_owned()),
                source: DOCKER,
                name: Some(id.to_owned()),
                ..Default::default()
            };
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
