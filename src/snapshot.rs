//! All that is known at one instant, in the shape the page, the API and the exporters share; [`Snapshot::points`].
//!
//! Plain data and a pure derivation. What is unknown is `None` (JSON `null`), never zero.

mod node;
pub mod relations;
mod replicas;
mod sizing;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::alert::view::AlertsView;
use crate::identity::node::{Amounts, Machine};
use crate::identity::{
    Allocation, Autoscaler, Device, FieldSource, Link, Model, ModelKey, Pod, Relation, Role, Run, Share, Source,
    Termination, Workload, WorkloadKind,
};
use crate::metric::{self, Attribute, Number, Point, Subject, attribute};
use crate::minute::gpu::GpuState;
use crate::model::points::points as model_points;
use crate::model::view::ModelsView;
use crate::rightsize::review::Review;
use crate::signal::Signals;
use crate::signal::container::{Container, id};
use crate::signal::gpu::Gpu;
pub use node::{Capacity, NodeView};
use relations::Relations;
pub use replicas::Replicas;

/// The node at one instant. Shared by `Arc`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// When it was made.
    #[cfg_attr(test, schemars(with = "String"))]
    pub as_of: Timestamp,
    /// The node's name.
    pub node: String,
    /// What the node has, and what was asked of it; `null` where nobody says.
    pub resources: Option<NodeView>,
    /// What the machine itself has; `null` until it was read.
    pub machine: Option<Machine>,
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
    pub traffic: Arc<BTreeMap<ModelKey, Vec<u64>>>,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExitView {
    /// When it was found gone.
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// What was last known of it.
    pub last: ContainerView,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ContainerView {
    /// 64 hex digits.
    pub id: String,
    /// The name people gave it, else the id's first twelve digits.
    pub name: String,
    /// Its image, without the tag.
    pub image: Option<String>,
    /// The image's tag.
    pub image_tag: Option<String>,
    /// The digest of the image that runs.
    pub image_digest: Option<String>,
    /// Its runtime.
    pub runtime: Option<Cow<'static, str>>,
    /// Its pod; `null` outside Kubernetes.
    pub pod: Option<Pod>,
    /// Its name within the pod.
    pub pod_container: Option<String>,
    /// Its part in the pod, where that is known.
    pub role: Option<Role>,
    /// What its pod asks for as a whole: cores, bytes.
    pub pod_requests: Option<Amounts>,
    /// Its pod's class of service in Kubernetes.
    pub qos: Option<String>,
    /// What changes its requests or the number of its pods.
    pub autoscalers: Vec<Autoscaler>,
    /// What else it asks for: resources of device plugins, by count.
    pub extended: Option<Amounts>,
    /// How its last run ended.
    pub last_termination: Option<Termination>,
    /// What it belongs to, and who says so. `null` while nobody has named it.
    pub workload: Option<Link<Workload>>,
    /// The model it serves, and who says so.
    pub model: Option<Link<Model>>,
    /// The stage of the workflow it is part of (label `plumbline.io/stage`).
    pub stage: Option<String>,
    /// Whose it is (label `plumbline.io/owner`).
    pub owner: Option<String>,
    /// Labels set on the container or its image.
    pub labels: BTreeMap<String, String>,
    /// Where each field that could come from several sources is from, and when it was last said.
    pub sources: BTreeMap<&'static str, FieldSource>,
    /// This run of it. It began by the runtime's word, else with its oldest process, else when it was first seen.
    pub run: Run,
    /// When what every tick reads was last read: CPU usage and time, memory usage and working set.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub read_at: Option<Timestamp>,
    /// When everything else was last read.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub full_at: Option<Timestamp>,
    /// Its signals, by groups.
    #[serde(flatten)]
    pub signals: Signals<Container>,
    /// GPUs that it was given, and those that its processes hold memory on.
    pub gpus: Vec<ContainerGpuView>,
    /// What the kubelet set aside for it; `null` where it set aside nothing, or where nobody says.
    pub allocated: Option<Allocation>,
}

/// A container's part of a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ContainerGpuView {
    /// The device, what it is to the container, and who says so.
    pub device: Link<Device>,
    /// Its place among the node's devices.
    pub index: u32,
    /// GPU memory its processes hold, in bytes; `null` where it is not told, and of what was merely given.
    pub memory: Option<u64>,
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GpuView {
    /// The device.
    pub device: Device,
    /// Who reads it.
    pub source: Source,
    /// Its place among the node's devices.
    pub index: u32,
    /// What it is.
    pub model: Option<String>,
    /// The device it is a part of, by its id.
    pub parent: Option<String>,
    /// How much of the hardware it is.
    pub share: Share,
    /// The driver's version.
    pub driver: Option<String>,
    /// When it was read.
    #[cfg_attr(test, schemars(with = "String"))]
    pub read_at: Timestamp,
    /// Whether the driver reaches it.
    pub ok: Option<bool>,
    /// What it is paid for now.
    pub state: Option<GpuState>,
    /// Its signals.
    #[serde(flatten)]
    pub signals: Signals<Gpu>,
    /// Who holds memory on it; `null` where the driver does not tell.
    pub processes: Option<Vec<GpuProcessView>>,
    /// The state of each minute since the agent began, oldest first, a day at most; `null` where it was not known.
    pub minutes: Vec<Option<GpuState>>,
}

/// A process on a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GpuProcessView {
    /// Its number, as the driver sees it.
    pub pid: u32,
    /// Its container, by id, and who says so.
    pub container: Option<Link<String>>,
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
        let said = [
            (&attribute::GPU_ID, Some(self.device.uuid.clone())),
            (&attribute::GPU_NAME, Some(format!("GPU {}", self.index))),
            (&attribute::GPU_TYPE, Some("gpu".to_owned())),
            (&attribute::GPU_MODEL, self.model.clone()),
            (&attribute::GPU_VENDOR, Some(self.device.vendor.to_owned())),
            (&attribute::GPU_DRIVER, self.driver.clone()),
        ];
        let attributes = said.into_iter().filter_map(|(named, value)| Some(Attribute::new(named, value?)));
        Subject { attributes: attributes.collect() }
    }

    fn add_points(&self, points: &mut Vec<Point>) {
        let subject = Arc::new(self.subject());
        for (signal, attributes, value) in self.signals.numbers() {
            let point = |metric| Point::new(metric, &subject, attributes, value, None, self.read_at);
            points.extend(signal.metric.as_ref().map(point));
        }
    }
}

impl Snapshot {
    /// A node of which nothing is known yet.
    #[must_use]
    pub fn empty(node: String, as_of: Timestamp) -> Self {
        Self {
            as_of,
            node,
            resources: None,
            machine: None,
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
            let kills = const { id("memory.oom_kills") };
            if let Some(count) = exit.last.signals.get(kills).filter(|count| *count > 0) {
                let subject = Arc::new(exit.last.subject());
                let (value, start) = (Number::Int(count), Some(exit.last.run.began));
                let point = |metric| Point::new(metric, &subject, Vec::new(), value, start, self.as_of);
                points.extend(kills.signal().metric.as_ref().map(point));
            }
        }
        for gpu in &self.gpus {
            gpu.add_points(&mut points);
        }
        self.add_node_points(&mut points);
        points.extend(model_points(&self.models, self.as_of));
        self.add_sizing_points(&mut points);
        points
    }
}

/// Label keys that would repeat what a subject's attributes already say.
const RUNTIME_LABELS: &str = "io.kubernetes.";
/// More labels than this are left to the API: a resource is sent with every batch.
const MAX_LABELS: usize = 32;

/// The attribute that names what owns a pod, by the kinds that the conventions know.
fn owner_attribute(kind: &WorkloadKind) -> Option<&'static attribute::Named> {
    match kind.name() {
        "Deployment" => Some(&attribute::DEPLOYMENT),
        "StatefulSet" => Some(&attribute::STATEFUL_SET),
        "DaemonSet" => Some(&attribute::DAEMON_SET),
        "ReplicaSet" => Some(&attribute::REPLICA_SET),
        "Job" => Some(&attribute::JOB),
        "CronJob" => Some(&attribute::CRON_JOB),
        _ => None,
    }
}

impl ContainerView {
    /// Whom the container's points speak of.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let of_pod = |field: fn(&Pod) -> &Option<String>| self.pod.as_ref().and_then(|pod| field(pod).as_deref());
        let digest = self.image.as_ref().zip(self.image_digest.as_ref());
        let digest = digest.map(|(image, digest)| format!("{image}@{digest}"));
        let said = [
            (&attribute::CONTAINER_ID, Some(self.id.as_str())),
            (&attribute::CONTAINER_NAME, Some(self.name.as_str())),
            (&attribute::IMAGE_NAME, self.image.as_deref()),
            (&attribute::IMAGE_TAGS, self.image_tag.as_deref()),
            (&attribute::RUNTIME_NAME, self.runtime.as_deref()),
            (&attribute::NAMESPACE, of_pod(|pod| &pod.namespace)),
            (&attribute::POD_NAME, of_pod(|pod| &pod.name)),
            (&attribute::POD_UID, of_pod(|pod| &pod.uid)),
            (&attribute::POD_CONTAINER, self.pod.as_ref().and(self.pod_container.as_deref())),
            (&attribute::IMAGE_DIGEST, digest.as_deref()),
        ];
        let owner = self.workload.as_ref().filter(|_| self.pod.is_some()).map(|link| &link.to);
        let owner = owner.filter(|owner| owner.kind != WorkloadKind::POD).into_iter().flat_map(|owner| {
            let named = match owner_attribute(&owner.kind) {
                Some(named) => [Some((named, &*owner.name)), None],
                None => [
                    Some((&attribute::WORKLOAD_KIND, owner.kind.name())),
                    Some((&attribute::WORKLOAD_NAME, &*owner.name)),
                ],
            };
            named.into_iter().flatten().map(|(named, value)| Attribute::new(named, value))
        });
        let of_label = if self.pod.is_some() { &attribute::POD_LABEL } else { &attribute::CONTAINER_LABEL };
        let labels = self.labels.iter().filter(|(key, _)| !key.starts_with(RUNTIME_LABELS));
        let labels = labels.take(MAX_LABELS).map(|(key, value)| Attribute::label(of_label, key, value));
        let attributes = said.into_iter().filter_map(|(named, value)| Some(Attribute::new(named, value?)));
        Subject { attributes: attributes.chain(owner).chain(labels).collect() }
    }

    /// As people tell it from others: `NAMESPACE/POD/CONTAINER` in Kubernetes, else its name.
    #[must_use]
    pub fn title(&self) -> String {
        let pod = self.pod.as_ref().and_then(|pod| pod.namespace.as_ref().zip(pod.name.as_ref()));
        match pod {
            Some((namespace, pod)) => format!("{namespace}/{pod}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Its pod's sandbox: it does nothing.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.role == Some(Role::Sandbox)
    }

    fn add_points(&self, as_of: Timestamp, points: &mut Vec<Point>) {
        let subject = Arc::new(self.subject());
        let at = self.read_at.unwrap_or(as_of);
        let full_at = self.full_at.unwrap_or(at);
        let start = Some(self.run.began);
        for (signal, attributes, value) in self.signals.numbers() {
            let at = if signal.every_tick { at } else { full_at };
            points.extend(
                signal.metric.as_ref().map(|metric| Point::new(metric, &subject, attributes, value, start, at)),
            );
        }
        let restarts = self.signals.get(const { id("restarts") }).filter(|_| self.pod_container.is_some());
        points.extend(restarts.map(|count| {
            Point::new(&metric::POD_CONTAINER_RESTARTS, &subject, Vec::new(), Number::Int(count), start, as_of)
        }));
        for gpu in self.gpus.iter().filter(|gpu| gpu.device.relation == Relation::Used) {
            let attributes = vec![("hw.id", gpu.device.to.uuid.clone().into())];
            let point = |bytes| {
                Point::new(&metric::CONTAINER_GPU_MEMORY, &subject, attributes, Number::Int(bytes), start, full_at)
            };
            points.extend(gpu.memory.map(point));
        }
    }
}
