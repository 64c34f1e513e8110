//! All that is known at one instant, in the shape the page, the API and the exporters share; [`Snapshot::points`].
//!
//! Plain data and a pure derivation. What is unknown is `None` (JSON `null`), never zero.

pub mod relations;
mod sizing;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::alert::view::AlertsView;
use crate::identity::{FieldSource, Link, Model, Pod, Role, Share, Workload};
use crate::metric::{self, Attribute, Metric, Number, Point, PointAttributes, Subject};
use crate::minute::gpu::GpuState;
use crate::model::points::points as model_points;
use crate::model::view::ModelsView;
use crate::rightsize::review::Review;
use relations::Relations;

/// The node at one instant. Shared by `Arc`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// When it was made.
    pub as_of: Timestamp,
    /// The node's name.
    pub node: String,
    /// By name, then id.
    pub containers: Vec<ContainerView>,
    /// By index.
    pub gpus: Vec<GpuView>,
    /// Containers that ended within the last two full ticks.
    pub exited: Vec<ExitView>,
    /// Every signal has been read at least once.
    #[serde(skip)]
    pub ready: bool,
    /// Samples that arrived in each of the last minutes, by model.
    #[serde(skip)]
    pub traffic: Arc<BTreeMap<String, Vec<u64>>>,
    /// The models.
    #[serde(skip)]
    pub models: Arc<ModelsView>,
    /// What the history says of sizes and money; `None` before it was read.
    #[serde(skip)]
    pub review: Option<Arc<Review>>,
    /// The alerts.
    #[serde(skip)]
    pub alerts: Arc<AlertsView>,
    /// Who belongs to whom.
    #[serde(skip)]
    pub relations: Relations,
}

/// A container that ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExitView {
    /// When it was found gone.
    pub at: Timestamp,
    /// What was last known of it.
    pub last: ContainerView,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContainerView {
    /// 64 hex digits.
    pub id: String,
    /// The name people gave it, else the id's first twelve digits.
    pub name: String,
    /// Its image, without the tag.
    pub image: Option<String>,
    /// The image's tag.
    pub image_tag: Option<String>,
    /// Its runtime.
    pub runtime: Option<Cow<'static, str>>,
    /// Its pod; `null` outside Kubernetes.
    pub pod: Option<Pod>,
    /// Its name within the pod.
    pub pod_container: Option<String>,
    /// Its part in the pod, where that is known.
    pub role: Option<Role>,
    /// What it belongs to, and who says so. `null` while nobody has named it.
    pub workload: Option<Link<Workload>>,
    /// The model it serves, and who says so.
    pub model: Option<Link<Model>>,
    /// Labels set on the container or its image.
    pub labels: BTreeMap<String, String>,
    /// Where each field that could come from several sources is from, and when it was last said.
    pub sources: BTreeMap<&'static str, FieldSource>,
    /// Since when this run goes on: the runtime's word, else the start of its oldest process, else first seen.
    pub started: Timestamp,
    /// When its CPU usage and time, memory usage and working set were last read.
    pub read_at: Option<Timestamp>,
    /// When everything else was last read.
    pub detail_at: Option<Timestamp>,
    /// Restarts by the runtime of its own accord.
    pub restarts: Option<u64>,
    /// CPU.
    pub cpu: CpuView,
    /// Memory.
    pub memory: MemoryView,
    /// Tasks.
    pub pids: PidsView,
    /// Its own network namespace, by interface.
    pub network: Vec<NetworkView>,
    /// By block device.
    pub disk: Vec<DiskView>,
    /// Pressure stall totals in seconds.
    pub pressure: PressureView,
    /// GPUs that its processes hold memory on.
    pub gpus: Vec<ContainerGpuView>,
}

/// A container's part of a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContainerGpuView {
    /// The device's id.
    pub id: String,
    /// Its place among the node's devices.
    pub index: u32,
    /// GPU memory its processes hold, in bytes.
    pub memory: Option<u64>,
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GpuView {
    /// The device's own id.
    pub id: String,
    /// Its place among the node's devices.
    pub index: u32,
    /// What it is.
    pub model: Option<String>,
    /// Who made it.
    pub vendor: &'static str,
    /// The device it is a part of, by its id.
    pub parent: Option<String>,
    /// How much of the hardware it is.
    pub share: Share,
    /// The driver's version.
    pub driver: Option<String>,
    /// When it was read.
    pub read_at: Timestamp,
    /// Whether the driver reaches it.
    pub ok: Option<bool>,
    /// What it is paid for now.
    pub state: Option<GpuState>,
    /// Share of the driver's last sample period in which a kernel ran.
    pub utilization: Option<f64>,
    /// In bytes.
    pub memory_used: Option<u64>,
    /// In bytes.
    pub memory_total: Option<u64>,
    /// In watts.
    pub power: Option<f64>,
    /// In joules, since the driver was loaded.
    pub energy: Option<f64>,
    /// In degrees Celsius.
    pub temperature: Option<f64>,
    /// Who holds memory on it; `null` where the driver does not tell.
    pub processes: Option<Vec<GpuProcessView>>,
    /// The state of each minute since the agent began, oldest first, a day at most; `null` where it was not known.
    pub minutes: Vec<Option<GpuState>>,
}

/// A process on a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpuProcessView {
    /// Its number, as the driver sees it.
    pub pid: u32,
    /// Its container's id.
    pub container: Option<String>,
    /// Its container's name.
    pub container_name: Option<String>,
    /// Whether the process was found at all; without the host's PID namespace it is not.
    pub resolved: bool,
    /// GPU memory it holds, in bytes.
    pub memory: Option<u64>,
}

impl GpuView {
    /// Whom its points speak of.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let mut attributes = Vec::new();
        let mut add = |key: &'static str, value: Option<String>, label| {
            attributes.extend(value.map(|value| Attribute { key: key.into(), value, label }));
        };
        add("hw.id", Some(self.id.clone()), true);
        add("hw.name", Some(format!("GPU {}", self.index)), true);
        add("hw.type", Some("gpu".to_owned()), true);
        add("hw.model", self.model.clone(), true);
        add("hw.vendor", Some(self.vendor.to_owned()), false);
        add("hw.driver_version", self.driver.clone(), false);
        Subject { attributes }
    }

    fn add_points(&self, points: &mut Vec<Point>) {
        let subject = Arc::new(self.subject());
        let mut add = |metric: &'static Metric, attributes: PointAttributes, value: Option<Number>| {
            points.extend(value.map(|value| Point::new(metric, &subject, attributes, value, None, self.read_at)));
        };
        let real = |value: Option<f64>| value.map(Number::Float);
        let int = |value: Option<u64>| value.map(Number::Int);
        add(&metric::GPU_UTILIZATION, vec![("hw.gpu.task", "general".into())], real(self.utilization));
        add(&metric::GPU_MEMORY_USAGE, vec![], int(self.memory_used));
        add(&metric::GPU_MEMORY_LIMIT, vec![], int(self.memory_total));
        let total = self.memory_total.filter(|total| *total > 0);
        let share = self.memory_used.zip(total).map(|(used, total)| used as f64 / total as f64);
        add(&metric::GPU_MEMORY_UTILIZATION, vec![], real(share));
        add(&metric::GPU_POWER, vec![], real(self.power));
        add(&metric::GPU_ENERGY, vec![], real(self.energy));
        add(&metric::GPU_TEMPERATURE, vec![], real(self.temperature));
        if let Some(ok) = self.ok {
            for (state, is) in [("ok", ok), ("failed", !ok)] {
                add(&metric::GPU_STATUS, vec![("hw.state", state.into())], int(Some(is.into())));
            }
        }
        if let Some(now) = self.state {
            for state in GpuState::ALL {
                let is = u64::from(state == now);
                add(&metric::GPU_STATE, vec![("state", state.name().into())], int(Some(is)));
            }
        }
    }
}

/// CPU, in cores and seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CpuView {
    /// Cores used over the last full tick.
    pub usage: Option<f64>,
    /// CPU time since the start, as the kernel has it.
    pub time: Option<f64>,
    /// In user mode.
    pub time_user: Option<f64>,
    /// In kernel mode.
    pub time_system: Option<f64>,
    /// Cores it may use.
    pub limit: Option<f64>,
    /// Cores it asked for.
    pub request: Option<f64>,
    /// CFS periods elapsed.
    pub periods: Option<u64>,
    /// CFS periods throttled.
    pub throttled_periods: Option<u64>,
    /// Seconds throttled.
    pub throttled_time: Option<f64>,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MemoryView {
    /// Charged, page cache included.
    pub usage: Option<u64>,
    /// Usage less inactive file pages.
    pub working_set: Option<u64>,
    /// Anonymous.
    pub rss: Option<u64>,
    /// What it may use.
    pub limit: Option<u64>,
    /// What it asked for.
    pub request: Option<u64>,
    /// Limit less working set.
    pub available: Option<u64>,
    /// Processes killed for want of memory.
    pub oom_kills: Option<u64>,
    /// Page faults without disk.
    pub minor_faults: Option<u64>,
    /// Page faults from disk.
    pub major_faults: Option<u64>,
}

/// Tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PidsView {
    /// Now.
    pub current: Option<u64>,
    /// At most.
    pub limit: Option<u64>,
}

/// Bytes over one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkView {
    /// Its name inside the namespace.
    pub interface: String,
    /// Received.
    pub receive: u64,
    /// Transmitted.
    pub transmit: u64,
}

/// Bytes on one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskView {
    /// Its kernel name.
    pub device: String,
    /// Read.
    pub read: u64,
    /// Written.
    pub write: u64,
}

/// Stalled seconds by resource.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PressureView {
    /// CPU.
    pub cpu: StallView,
    /// Memory.
    pub memory: StallView,
    /// Block I/O.
    pub io: StallView,
}

/// Stalled seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct StallView {
    /// Some task waited.
    pub some: Option<f64>,
    /// Every task waited.
    pub full: Option<f64>,
}

impl Snapshot {
    /// A node of which nothing is known yet.
    #[must_use]
    pub fn empty(node: String, as_of: Timestamp) -> Self {
        Self {
            as_of,
            node,
            containers: Vec::new(),
            gpus: Vec::new(),
            exited: Vec::new(),
            ready: false,
            traffic: Arc::default(),
            models: Arc::default(),
            review: None,
            alerts: Arc::default(),
            relations: Relations::default(),
        }
    }

    /// The same with all else that is known, joined: what was concluded of models, sizes and alerts. Whoever reads, reads this.
    #[must_use]
    pub fn joined(self, models: Arc<ModelsView>, review: Option<Arc<Review>>, alerts: Arc<AlertsView>) -> Self {
        let mut joined = Self { models, review, alerts, ..self };
        joined.relations = Relations::of(&joined);
        joined
    }

    /// Every point of every container, GPU and model, and of what was recommended.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let mut points = Vec::with_capacity(self.containers.len() * 40);
        for container in &self.containers {
            container.add_points(self.as_of, &mut points);
        }
        // The kill that ended a container is told of after its end: else no scrape would ever meet it.
        for exit in &self.exited {
            if let Some(kills) = exit.last.memory.oom_kills.filter(|kills| *kills > 0) {
                let subject = Arc::new(exit.last.subject());
                let start = Some(exit.last.started);
                points.push(Point::new(
                    &metric::OOM_KILLS,
                    &subject,
                    Vec::new(),
                    Number::Int(kills),
                    start,
                    self.as_of,
                ));
            }
        }
        for gpu in &self.gpus {
            gpu.add_points(&mut points);
        }
        points.extend(model_points(&self.models, self.as_of));
        self.add_sizing_points(&mut points);
        points
    }
}

/// Label keys that would repeat what a subject's attributes already say.
const RUNTIME_LABELS: &str = "io.kubernetes.";
/// More labels than this are left to the API: a resource is sent with every batch.
const MAX_LABELS: usize = 32;

impl ContainerView {
    /// Whom the container's points speak of.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let mut attributes = Vec::new();
        let mut add = |key: Cow<'static, str>, value: Option<&str>, label| {
            attributes.extend(value.map(|value| Attribute { key, value: value.to_owned(), label }));
        };
        add("container.id".into(), Some(&self.id), true);
        add("container.name".into(), Some(&self.name), true);
        add("container.image.name".into(), self.image.as_deref(), true);
        add("container.image.tags".into(), self.image_tag.as_deref(), false);
        add("container.runtime.name".into(), self.runtime.as_deref(), false);
        if let Some(pod) = &self.pod {
            add("k8s.namespace.name".into(), pod.namespace.as_deref(), true);
            add("k8s.pod.name".into(), pod.name.as_deref(), true);
            add("k8s.pod.uid".into(), pod.uid.as_deref(), true);
            add("k8s.container.name".into(), self.pod_container.as_deref(), true);
        }
        let labels = self.labels.iter().filter(|(key, _)| !key.starts_with(RUNTIME_LABELS));
        for (key, value) in labels.take(MAX_LABELS) {
            add(format!("container.label.{key}").into(), Some(value), false);
        }
        Subject { attributes }
    }

    fn add_points(&self, as_of: Timestamp, points: &mut Vec<Point>) {
        let subject = Arc::new(self.subject());
        let at = self.read_at.unwrap_or(as_of);
        let detail_at = self.detail_at.unwrap_or(at);
        let mut add = |metric: &'static Metric, attributes: PointAttributes, value: Option<Number>| {
            let read_each_tick =
                [&metric::UPTIME, &metric::CPU_USAGE, &metric::MEMORY_USAGE, &metric::MEMORY_WORKING_SET];
            let at = if read_each_tick.contains(&metric) { at } else { detail_at };
            points.extend(value.map(|value| Point::new(metric, &subject, attributes, value, Some(self.started), at)));
        };
        let int = |value: Option<u64>| value.map(Number::Int);
        let real = |value: Option<f64>| value.map(Number::Float);
        let none = Vec::new;

        add(&metric::UPTIME, none(), real(Some(at.duration_since(self.started).as_secs_f64().max(0.0))));
        for (mode, time) in [("user", self.cpu.time_user), ("system", self.cpu.time_system)] {
            add(&metric::CPU_TIME, vec![("cpu.mode", mode.into())], real(time));
        }
        add(&metric::CPU_USAGE, none(), real(self.cpu.usage));
        add(&metric::CPU_LIMIT, none(), real(self.cpu.limit));
        add(&metric::CPU_REQUEST, none(), real(self.cpu.request));
        add(&metric::CPU_PERIODS, none(), int(self.cpu.periods));
        add(&metric::CPU_THROTTLED_PERIODS, none(), int(self.cpu.throttled_periods));
        add(&metric::CPU_THROTTLED_TIME, none(), real(self.cpu.throttled_time));

        add(&metric::MEMORY_USAGE, none(), int(self.memory.usage));
        add(&metric::MEMORY_WORKING_SET, none(), int(self.memory.working_set));
        add(&metric::MEMORY_RSS, none(), int(self.memory.rss));
        add(&metric::MEMORY_AVAILABLE, none(), int(self.memory.available));
        add(&metric::MEMORY_LIMIT, none(), int(self.memory.limit));
        add(&metric::MEMORY_REQUEST, none(), int(self.memory.request));
        add(&metric::OOM_KILLS, none(), int(self.memory.oom_kills));
        for (kind, faults) in [("minor", self.memory.minor_faults), ("major", self.memory.major_faults)] {
            add(&metric::PAGING_FAULTS, vec![("system.paging.fault.type", kind.into())], int(faults));
        }

        for disk in &self.disk {
            for (direction, bytes) in [("read", disk.read), ("write", disk.write)] {
                let attributes =
                    vec![("disk.io.direction", direction.into()), ("system.device", disk.device.clone().into())];
                add(&metric::DISK_IO, attributes, int(Some(bytes)));
            }
        }
        for network in &self.network {
            for (direction, bytes) in [("receive", network.receive), ("transmit", network.transmit)] {
                let attributes = vec![
                    ("network.io.direction", direction.into()),
                    ("network.interface.name", network.interface.clone().into()),
                ];
                add(&metric::NETWORK_IO, attributes, int(Some(bytes)));
            }
        }
        add(&metric::PIDS, none(), int(self.pids.current));
        add(&metric::PIDS_LIMIT, none(), int(self.pids.limit));
        add(&metric::RESTARTS, none(), int(self.restarts));
        let resources = [("cpu", self.pressure.cpu), ("memory", self.pressure.memory), ("io", self.pressure.io)];
        for (resource, stall) in resources {
            for (kind, seconds) in [("some", stall.some), ("full", stall.full)] {
                let attributes =
                    vec![("plumbline.pressure.resource", resource.into()), ("plumbline.pressure.kind", kind.into())];
                add(&metric::PRESSURE_TIME, attributes, real(seconds));
            }
        }
        for gpu in &self.gpus {
            add(&metric::CONTAINER_GPU_MEMORY, vec![("hw.id", gpu.id.clone().into())], int(gpu.memory));
        }
    }
}
