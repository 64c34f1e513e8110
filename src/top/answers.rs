//! What an agent says, as far as it is shown. An agent of another version may say more, or less: what it does not say is `None`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::performance::Performance;

/// All that an agent said at about one time.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// What runs; `None` where it may not be read.
    pub node: Option<Node>,
    /// Sizes and money; `None` before the agent has read its history, or where it may not be read.
    pub sizes: Option<Sizes>,
    /// The models.
    pub models: Option<Models>,
    /// The alerts.
    pub alerts: Option<Alerts>,
    /// How the agent is, in its own word: `ok`, `degraded`.
    pub health: Option<String>,
    /// What was not answered, and why.
    pub missing: Vec<String>,
}

/// `/healthz`.
#[derive(Debug, Clone, Deserialize)]
pub struct Health {
    /// In a word.
    pub status: String,
}

/// `/api/v1/containers`.
#[derive(Debug, Clone, Deserialize)]
pub struct Node {
    /// When it was so.
    pub as_of: Timestamp,
    /// The node's name.
    pub node: String,
    /// What it has.
    #[serde(default)]
    pub resources: Option<Resources>,
    /// By name.
    #[serde(default)]
    pub containers: Vec<Container>,
    /// By index.
    #[serde(default)]
    pub gpus: Vec<Gpu>,
}

/// What the node has, by resource.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Resources {
    /// `cpu` in cores, `memory` in bytes.
    #[serde(default)]
    pub resources: BTreeMap<String, Capacity>,
}

/// Of one resource.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Capacity {
    /// What containers may have.
    pub allocatable: Option<f64>,
    /// What they ask for.
    pub requested: Option<f64>,
    /// What they use.
    pub used: Option<f64>,
}

/// A container.
#[derive(Debug, Clone, Deserialize)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its name within its pod.
    #[serde(default)]
    pub pod_container: Option<String>,
    /// What it is part of.
    #[serde(default)]
    pub workload: Option<Linked<Workload>>,
    /// Cores and periods.
    #[serde(default)]
    pub cpu: Cpu,
    /// Bytes.
    #[serde(default)]
    pub memory: Memory,
}

/// What something is linked to.
#[derive(Debug, Clone, Deserialize)]
pub struct Linked<T> {
    /// The other end.
    pub to: T,
}

/// A workload.
#[derive(Debug, Clone, Deserialize)]
pub struct Workload {
    /// In what its name is unique.
    #[serde(default)]
    pub namespace: Option<String>,
    /// What it is.
    #[serde(default)]
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
}

/// CPU of a container.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// Cores in use.
    pub usage: Option<f64>,
    /// Cores it asks for.
    pub request: Option<f64>,
    /// Cores it may use.
    pub limit: Option<f64>,
    /// Periods of the kernel's that it ran in, since it began.
    pub periods: Option<f64>,
    /// Those in which it was throttled.
    pub throttled_periods: Option<f64>,
}

/// Memory of a container, in bytes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What cannot be taken from it.
    pub working_set: Option<f64>,
    /// What it asks for.
    pub request: Option<f64>,
    /// What it may have.
    pub limit: Option<f64>,
    /// How often it was killed for want of it.
    pub oom_kills: Option<f64>,
}

/// A GPU.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Gpu {
    /// Its place.
    pub index: Option<u64>,
    /// What it is.
    pub model: Option<String>,
    /// `active`, `held_idle`, `free`.
    pub state: Option<String>,
    /// Whether the driver reaches it.
    pub ok: Option<bool>,
    /// 0 to 1.
    pub utilization: Option<f64>,
    /// Bytes.
    pub memory_used: Option<f64>,
    /// Bytes.
    pub memory_total: Option<f64>,
    /// Watts.
    pub power: Option<f64>,
    /// Who holds memory on it.
    pub processes: Option<Vec<Process>>,
}

/// A process on a GPU.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Its number.
    pub pid: Option<u64>,
    /// Its container.
    pub container_name: Option<String>,
}

/// `/api/v1/recommendations`.
#[derive(Debug, Clone, Deserialize)]
pub struct Sizes {
    /// Its prices.
    pub prices: Prices,
    /// The sums.
    #[serde(default)]
    pub totals: Totals,
    /// Each workload.
    #[serde(default)]
    pub workloads: Vec<Size>,
}

/// What things cost.
#[derive(Debug, Clone, Deserialize)]
pub struct Prices {
    /// The currency.
    pub currency: String,
}

/// The sums, in money a month.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// What containers cost.
    pub cost: Option<f64>,
    /// What could be saved.
    pub saving: Option<f64>,
    /// What GPUs cost.
    pub gpu_cost: Option<f64>,
}

/// A workload's sizes.
#[derive(Debug, Clone, Deserialize)]
pub struct Size {
    /// Its name.
    pub workload: Named,
    /// The ids of its containers.
    #[serde(default)]
    pub containers: Vec<String>,
    /// Whether it has ended.
    #[serde(default)]
    pub ended: bool,
    /// Of CPU.
    #[serde(default)]
    pub cpu: Judged,
    /// Of memory.
    #[serde(default)]
    pub memory: Judged,
    /// A month.
    #[serde(default)]
    pub cost: Option<f64>,
    /// A month; below zero where it needs more.
    #[serde(default)]
    pub saving: Option<f64>,
}

/// What has a name.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
}

/// A verdict on a size.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Judged {
    /// `under_provisioned`, `over_provisioned`, `fits`, ...
    pub provisioning: Option<String>,
}

/// `/api/v1/models`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Models {
    /// By name.
    pub models: Vec<Model>,
}

/// A model.
#[derive(Debug, Clone, Deserialize)]
pub struct Model {
    /// In what its name is unique.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Rows in and out.
    #[serde(default)]
    pub counts: Counts,
    /// What it is held against.
    #[serde(default)]
    pub reference: Option<Measured>,
    /// The last window.
    #[serde(default)]
    pub latest: Option<Measured>,
    /// The newest window with labels, where that is another.
    #[serde(default)]
    pub labelled: Option<Measured>,
    /// Over the last windows.
    #[serde(default)]
    pub verdict: Drift,
}

/// Rows of a model.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Samples taken.
    pub samples: u64,
    /// Samples that the model's sampling leaves out.
    pub sampled_out: u64,
    /// Labels taken.
    pub labels: u64,
}

/// What may have been measured.
#[derive(Debug, Clone, Deserialize)]
pub struct Measured {
    /// Every measure that is defined. One that this version cannot read is none.
    #[serde(default, deserialize_with = "readable")]
    pub performance: Option<Performance>,
}

fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Performance>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// Whether a model drifts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Drift {
    /// `None` without a verdict.
    pub drift: Option<bool>,
    /// The columns.
    pub columns: Vec<String>,
    /// Why there is none.
    pub reason: Option<String>,
}

/// `/api/v1/alerts`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Alerts {
    /// Those that are pending or fire.
    pub alerts: Vec<Alert>,
}

/// An alert.
#[derive(Debug, Clone, Deserialize)]
pub struct Alert {
    /// Its rule.
    pub name: String,
    /// `info`, `warning`, `critical`.
    #[serde(default)]
    pub severity: String,
    /// `pending`, `firing`.
    #[serde(default)]
    pub state: String,
    /// Since when its condition has been met.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Whom it is about.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// For people.
    #[serde(default)]
    pub message: String,
}
