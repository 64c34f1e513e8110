//! What a collector reports: all that it knows now of containers and devices.
//!
//! Plain data. Every signal is optional: a kernel, a driver or a permission may lack it, and then it is
//! `None`, never zero. Meaning (rates, minutes, points) is derived elsewhere.

use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::identity::node::{Machine, NodeClaim};
use crate::identity::{ContainerClaim, Share};
use crate::signal::Signals;
use crate::signal::container::Container;
use crate::signal::gpu::Gpu;

/// All that a collector knows now, as of one read. `None` is "not what I read", never "unchanged": a report that was lost is
/// made good by the next.
#[derive(Debug, Default)]
pub struct Report {
    /// Every container seen.
    pub containers: Option<Vec<ContainerReading>>,
    /// What a source says of every container it knows. The same list again is the same `Arc`.
    pub claims: Option<Arc<[Arc<ContainerClaim>]>>,
    /// What a source says of the node.
    pub node: Option<Arc<NodeClaim>>,
    /// What the machine itself has, whoever may use it.
    pub machine: Option<Machine>,
    /// Every GPU seen.
    pub gpus: Option<Vec<GpuReading>>,
    /// Containers passed over because there are more than the configured bound.
    pub left_out: u64,
}

/// How much a collector reads on a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The inner tick: CPU and memory only, cheap enough for every second.
    Inner,
    /// The full tick: every signal.
    Full,
}

/// One container's cgroup, read once.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerReading {
    /// The container's id as its cgroup names it (64 hex digits).
    pub id: String,
    /// The runtime its cgroup's name gives away.
    pub runtime: Option<&'static str>,
    /// The Kubernetes pod its cgroup's path gives away.
    pub pod_uid: Option<String>,
    /// When it was read.
    pub at: Moment,
    /// Start of the oldest process in it: since when its counters count, where no runtime says better.
    pub started: Option<Timestamp>,
    /// How much was read.
    pub depth: Depth,
    /// What was read. There is no network interface when the namespace is the host's, cannot be read, or is reported by the container
    /// that owns it; loopback is left out.
    pub signals: Signals<Container>,
}

/// One GPU, read once. What the driver does not tell is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuReading {
    /// The device's own id (NVML's UUID).
    pub id: String,
    /// The id is its own; a device that was lost before it could tell has one by its place.
    pub identified: bool,
    /// Its place among the node's devices.
    pub index: u32,
    /// What it is (`NVIDIA H100 80GB HBM3`).
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
    pub at: Moment,
    /// How much was read: an inner tick leaves processes and slow signals out.
    pub depth: Depth,
    /// Whether the driver still reaches it; `None` when it does not say.
    pub ok: Option<bool>,
    /// What was read.
    pub signals: Signals<Gpu>,
    /// Who holds memory on it. `None` on inner ticks and where the driver does not tell.
    pub processes: Option<Vec<GpuProcess>>,
}

impl GpuReading {
    /// A device of which nothing is known but its place and that it was read.
    #[must_use]
    pub fn unread(id: String, index: u32, vendor: &'static str, at: Moment) -> Self {
        Self {
            id,
            identified: false,
            index,
            model: None,
            vendor,
            parent: None,
            share: Share::Whole,
            driver: None,
            at,
            depth: Depth::Full,
            ok: None,
            signals: Signals::default(),
            processes: None,
        }
    }

    /// Who it is, and nothing else.
    #[must_use]
    pub fn forgotten(&self) -> Self {
        let Self { identified, model, parent, share, driver, .. } = self.clone();
        Self {
            identified,
            model,
            parent,
            share,
            driver,
            ..Self::unread(self.id.clone(), self.index, self.vendor, self.at)
        }
    }
}

/// A process on a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuProcess {
    /// Its number, as the driver sees it.
    pub pid: u32,
    /// The container it belongs to; `None` for the host's own, and where it cannot be told.
    pub container: Option<String>,
    /// Its place in the process tree was found. Without the host's PID namespace it is not.
    pub resolved: bool,
    /// GPU memory it holds, in bytes.
    pub memory: Option<u64>,
}
