//! The played node's rows of a minute, as the history has them.

use jiff::Timestamp;

use super::fleet::{Does, GPU_MEMORY, GPU_MODEL, GPU_POWER, GPUS, Gpu, NODE, TRAFFIC, WORKLOADS, Workload};
use super::life::Life;
use super::number_of;
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::frame::{MinuteRow, RowIdentity};
use crate::identity::{self, Device, Link, Model, ModelKey, Relation, Role, Share, WorkloadKind};
use crate::metric::Number::{self, Float, Int};
use crate::minute::Summary;
use crate::signal::Part::{Increase, Last, Max, Mean, P95};
use crate::signal::{self, container, gpu, model};
use crate::stats::whole;

/// Readings of a minute.
const SAMPLES: u32 = 60;
/// CFS periods of a minute.
const PERIODS: f64 = 600.0;
/// How far the largest reading of a minute, and the 95th percentile, lie above its mean.
const ABOVE: (f64, f64) = (1.35, 1.2);

/// The label that names a container's model.
pub const MODEL_LABEL: &str = "plumbline.io/model";

impl Workload {
    /// The workload as a thing.
    pub fn thing(&self) -> identity::Workload {
        identity::Workload {
            namespace: Some(self.namespace.to_owned()),
            kind: WorkloadKind::named(self.kind),
            name: self.name.to_owned(),
        }
    }

    fn identity(&self, life: &Life) -> RowIdentity {
        let relation = |does| if does == Does::Serves { Relation::Serves } else { Relation::Trains };
        RowIdentity {
            node: NODE.to_owned(),
            container_id: self.container_id(life),
            container_name: Some(self.container.to_owned()),
            role: Some(Role::Main),
            image: Some(self.image.to_owned()),
            image_tag: Some(life.tag()),
            runtime: Some("containerd".to_owned()),
            workload: Some(self.thing()),
            namespace: Some(self.namespace.to_owned()),
            pod: Some(self.pod(life)),
            pod_uid: Some(self.pod_uid(life)),
            pod_container: Some(self.container.to_owned()),
            qos: Some(self.qos().to_owned()),
            model: self.model.map(|(name, does)| Link {
                to: Model { key: ModelKey::within(self.namespace, name), version: None },
                relation: relation(does),
                source: MODEL_LABEL,
            }),
            started: Timestamp::from_second(life.began).ok(),
            ..RowIdentity::default()
        }
    }

    /// The pod's class of service.
    pub fn qos(&self) -> &'static str {
        if self.cpu_request.is_none() && self.memory_request.is_none() {
            "BestEffort"
        } else if self.cpu_request == self.cpu_limit && self.memory_request == self.memory_limit {
            "Guaranteed"
        } else {
            "Burstable"
        }
    }

    fn row(&self, life: &Life, second: i64, minute: Timestamp) -> MinuteRow {
        let (cores, throttled) = self.cores(life, second);
        let most = self.cpu_limit.unwrap_or(f64::INFINITY);
        let (set, cap) = (self.working_set(life, second) as f64, self.memory_limit.unwrap_or(u64::MAX) as f64);
        let cell = |key: &str, part, value: Number| (container::id(key).column(part), value);
        let cells = [
            cell("cpu.usage", Mean, Float(cores)),
            cell("cpu.usage", Max, Float((cores * ABOVE.0).min(most))),
            cell("cpu.usage", P95, Float((cores * ABOVE.1).min(most))),
            cell("cpu.time", Increase, Float(cores * 60.0)),
            cell("memory.usage", Mean, Float(set * 1.08)),
            cell("memory.usage", Max, Int(whole::unsigned(set * 1.09))),
            cell("memory.working_set", Mean, Float(set)),
            cell("memory.working_set", Max, Int(whole::unsigned((set * 1.01).min(cap)))),
            cell("memory.working_set", P95, Float((set * 1.008).min(cap))),
            cell("memory.oom_kills", Increase, Int(self.kills(life, second))),
            cell("restarts", Last, Int(life.restarts.rem_euclid(1000).unsigned_abs())),
        ];
        let limits = [
            self.cpu_limit.map(|limit| cell("cpu.limit", Last, Float(limit))),
            self.cpu_request.map(|request| cell("cpu.request", Last, Float(request))),
            self.memory_limit.map(|limit| cell("memory.limit", Last, Int(limit))),
            self.memory_request.map(|request| cell("memory.request", Last, Int(request))),
            self.cpu_limit.map(|_| cell("cpu.periods", Increase, Int(whole::unsigned(PERIODS)))),
            self.cpu_limit.map(|_| cell("cpu.throttled_periods", Increase, Int(whole::unsigned(PERIODS * throttled)))),
        ];
        let summary = Summary::of(SAMPLES, cells.into_iter().chain(limits.into_iter().flatten()));
        MinuteRow { minute, identity: self.identity(life), summary }
    }
}

impl Gpu {
    /// The container that holds it, with what it runs.
    pub fn held_by(&self, second: i64) -> Option<(&'static Workload, Life)> {
        let workload = self.holder.and_then(|place| WORKLOADS.get(place))?;
        workload.lives(second).next().map(|life| (workload, life))
    }

    /// The share of time that a kernel runs, between 0 and 1.
    pub fn utilization(&self, second: i64) -> f64 {
        if self.held_by(second).is_none() { 0.0 } else { self.load.at(number_of(&[self.uuid]), second).clamp(0.0, 1.0) }
    }

    /// Watts.
    pub fn power(&self, second: i64) -> f64 {
        GPU_POWER.0 + (GPU_POWER.1 - GPU_POWER.0) * self.utilization(second)
    }

    /// Bytes in use.
    pub fn memory(&self, second: i64) -> u64 {
        if self.held_by(second).is_some() { self.held } else { 0 }
    }

    fn row(&self, index: u32, second: i64, minute: Timestamp) -> GpuRow {
        let (busy, held, power) = (self.utilization(second), self.held_by(second), self.power(second));
        let cell = |key: &str, part, value: Number| (gpu::id(key).column(part), value);
        let share = |is: bool| Float(f64::from(u8::from(is)));
        let computes = busy > 0.0;
        let cells = [
            cell("utilization", Mean, Float(busy)),
            cell("utilization", Max, Float((busy * ABOVE.0).min(1.0))),
            cell("utilization", P95, Float((busy * ABOVE.1).min(1.0))),
            cell("memory_used", Mean, Float(self.memory(second) as f64)),
            cell("memory_used", Max, Int(self.memory(second))),
            cell("memory_total", Last, Int(GPU_MEMORY)),
            cell("power", Mean, Float(power)),
            cell("power", Max, Float(power * 1.05)),
            cell("energy", Increase, Float(power * 60.0)),
            cell("temperature", Max, Float(31.0 + 38.0 * busy)),
            cell("state.active", signal::Part::Share, share(computes)),
            cell("state.held_idle", signal::Part::Share, share(held.is_some() && !computes)),
            cell("state.free", signal::Part::Share, share(held.is_none())),
        ];
        GpuRow {
            minute,
            node: NODE.to_owned(),
            device: Device { vendor: "nvidia", uuid: self.uuid.to_owned() },
            parent: None,
            share: Share::Whole,
            index,
            model: Some(GPU_MODEL.to_owned()),
            containers: Some(held.iter().map(|(workload, life)| workload.container_id(life)).collect()),
            summary: Summary::of(SAMPLES, cells),
        }
    }
}

/// Every row of the minute that begins at this second.
#[must_use]
pub fn minutes(second: i64) -> (Vec<MinuteRow>, Vec<GpuRow>, Vec<ModelRow>) {
    let minute = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    let of = |workload: &'static Workload| workload.lives(second).map(move |life| workload.row(&life, second, minute));
    let gpus = GPUS.iter().zip(0..).map(|(gpu, index)| gpu.row(index, second, minute));
    let traffic = TRAFFIC.iter().map(|(name, load)| {
        let rows = Int(whole::unsigned(load.at(number_of(&[name]), second)));
        ModelRow {
            minute,
            node: NODE.to_owned(),
            key: ModelKey::named(name),
            summary: Summary::of(SAMPLES, [(model::id("predictions").column(Increase), rows)]),
            ..ModelRow::default()
        }
    });
    (WORKLOADS.iter().flat_map(of).collect(), gpus.collect(), traffic.collect())
}
