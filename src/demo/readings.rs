//! What a collector of the played node reports.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::fleet::{self, GPU_MEMORY, GPU_MODEL, GPUS, Gpu, WORKLOADS, Workload};
use super::life::Life;
use super::minutes::MODEL_LABEL;
use crate::clock::Moment;
use crate::identity::node::{CPU, INSTANCE_TYPE, MEMORY, Machine, NodeClaim};
use crate::identity::{About, ContainerClaim, Link, Pod, Relation, Role, claim};
use crate::reading::{ContainerReading, Depth, GpuProcess, GpuReading, Report};
use crate::signal::{Signals, container, gpu};
use crate::stats::whole;

/// CFS periods of a second.
const PERIODS: f64 = 10.0;

/// Counters go on from reading to reading.
#[derive(Debug, Default)]
pub struct Readings {
    containers: HashMap<String, Counted>,
    /// Joules, by device.
    energy: HashMap<&'static str, f64>,
    last: Option<Moment>,
}

/// What was counted in a container since it was met.
#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    cpu_seconds: f64,
    periods: f64,
    throttled: f64,
}

impl Readings {
    /// All that there is at a moment; counters have gone on since the last.
    pub fn read(&mut self, at: Moment, depth: Depth) -> Report {
        let second = at.wall.as_second();
        let since = self.last.map_or(0.0, |last| at.monotonic.saturating_sub(last.monotonic).as_secs_f64());
        self.last = Some(at);
        let mut before = std::mem::take(&mut self.containers);
        let (mut containers, mut claims) = (Vec::new(), Vec::new());
        for workload in WORKLOADS {
            for life in workload.lives(second) {
                let id = workload.container_id(&life);
                let (cores, throttled) = workload.cores(&life, second);
                let mut counted = before.remove(&id).unwrap_or_default();
                counted.cpu_seconds += cores * since;
                counted.periods += PERIODS * since;
                counted.throttled += PERIODS * since * throttled;
                containers.push(workload.reading(&life, (at, depth), &counted));
                claims.push(Arc::new(workload.claim(&life)));
                self.containers.insert(id, counted);
            }
        }
        let gpus = GPUS.iter().zip(0..).map(|(gpu, index)| {
            let energy = self.energy.entry(gpu.uuid).or_default();
            *energy += gpu.power(second) * since;
            gpu.reading(index, (at, depth), *energy)
        });
        let gpus = gpus.collect();
        let full = depth == Depth::Full;
        Report {
            containers: Some(containers),
            claims: full.then(|| claims.into()),
            node: full.then(|| Arc::new(node(second))),
            machine: full.then_some(Machine { cores: Some(fleet::CORES), memory: Some(fleet::MEMORY as f64) }),
            gpus: Some(gpus),
            left_out: 0,
        }
    }
}

impl Workload {
    fn reading(&self, life: &Life, (at, depth): (Moment, Depth), counted: &Counted) -> ContainerReading {
        let mut signals = Signals::default();
        let values = &mut signals.values;
        let mut count = |key: &str, value: u64| values.count(container::id(key), value);
        let set = self.working_set(life, at.wall.as_second());
        count("cpu.time", whole::unsigned(counted.cpu_seconds * 1e9));
        count("memory.working_set", set);
        count("memory.usage", set.saturating_add(set / 12));
        if depth == Depth::Full {
            count("memory.oom_kills", 0);
            if self.cpu_limit.is_some() {
                count("cpu.periods", whole::unsigned(counted.periods));
                count("cpu.throttled_periods", whole::unsigned(counted.throttled));
            }
            if let Some(limit) = self.memory_limit {
                count("memory.limit", limit);
            }
        }
        ContainerReading {
            id: self.container_id(life),
            runtime: Some("containerd"),
            pod_uid: Some(self.pod_uid(life)),
            at,
            started: Timestamp::from_second(life.began).ok(),
            depth,
            signals,
        }
    }

    fn claim(&self, life: &Life) -> ContainerClaim {
        let source = claim::KUBERNETES;
        let labels = self.model.map(|(name, does)| {
            let stage = if does == fleet::Does::Serves { "serving" } else { "training" };
            BTreeMap::from(
                [(MODEL_LABEL, name), ("plumbline.io/stage", stage)]
                    .map(|(key, value)| (key.to_owned(), value.to_owned())),
            )
        });
        ContainerClaim {
            about: About::Container(self.container_id(life)),
            source,
            name: Some(self.container.to_owned()),
            image: Some(self.image.to_owned()),
            image_tag: Some(life.tag()),
            runtime: Some("containerd"),
            pod: Some(Pod {
                namespace: Some(self.namespace.to_owned()),
                name: Some(self.pod(life)),
                uid: Some(self.pod_uid(life)),
            }),
            pod_container: Some(self.container.to_owned()),
            role: Some(Role::Main),
            workload: Some(Link { to: self.thing(), relation: Relation::PartOf, source }),
            labels,
            started: Timestamp::from_second(life.began).ok(),
            cpu_limit: self.cpu_limit,
            cpu_request: self.cpu_request,
            memory_limit: self.memory_limit,
            memory_request: self.memory_request,
            qos: Some(self.qos().to_owned()),
            restarts: Some(life.restarts.rem_euclid(1000).unsigned_abs()),
            ..ContainerClaim::default()
        }
    }
}

impl Gpu {
    fn reading(&self, index: u32, (at, depth): (Moment, Depth), energy: f64) -> GpuReading {
        let second = at.wall.as_second();
        let mut signals = Signals::default();
        let values = &mut signals.values;
        values.real(gpu::id("utilization"), self.utilization(second));
        values.count(gpu::id("memory_used"), self.memory(second));
        values.count(gpu::id("memory_total"), GPU_MEMORY);
        values.real(gpu::id("power"), self.power(second));
        if depth == Depth::Full {
            values.real(gpu::id("energy"), energy);
            values.real(gpu::id("temperature"), 31.0 + 38.0 * self.utilization(second));
        }
        let processes = self.held_by(second).map(|(workload, life)| GpuProcess {
            pid: 4000_u32.saturating_add(index),
            container: Some(workload.container_id(&life)),
            resolved: true,
            memory: Some(self.memory(second)),
        });
        GpuReading {
            identified: true,
            model: Some(GPU_MODEL.to_owned()),
            driver: Some("580.95.05".to_owned()),
            depth,
            ok: Some(true),
            signals,
            processes: (depth == Depth::Full).then(|| processes.into_iter().collect()),
            ..GpuReading::unread(self.uuid.to_owned(), index, "nvidia", at)
        }
    }
}

/// What the node has, and what is asked of it.
fn node(second: i64) -> NodeClaim {
    let has = [(CPU, fleet::CORES), (MEMORY, fleet::MEMORY as f64), ("nvidia.com/gpu", GPUS.len() as f64)];
    let all = BTreeMap::from(has.map(|(name, amount)| (name.to_owned(), amount)));
    let running = || WORKLOADS.iter().flat_map(|workload| workload.lives(second).map(move |_| workload));
    let asked = [
        (CPU, running().filter_map(|workload| workload.cpu_request).sum()),
        (MEMORY, running().filter_map(|workload| workload.memory_request).map(|bytes| bytes as f64).sum()),
        ("nvidia.com/gpu", GPUS.iter().filter(|gpu| gpu.held_by(second).is_some()).count() as f64),
    ];
    NodeClaim {
        capacity: all.clone(),
        allocatable: all,
        requested: asked.map(|(name, amount)| (name.to_owned(), amount)).into(),
        pods: running().count() as u64,
        labels: BTreeMap::from([(INSTANCE_TYPE.to_owned(), "g6e.12xlarge".to_owned())]),
    }
}
