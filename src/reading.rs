//! What a collector reports about a container: counters with their start, gauges, limits.
//!
//! Plain data. Every signal is optional: a kernel, a driver or a permission may lack it, and then it is
//! `None`, never zero. Meaning (rates, minutes, points) is derived elsewhere.

use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::identity::{ContainerClaim, Share};

/// All that a collector knows now, as of one read. `None` is "not what I read", never "unchanged": a report that was lost is
/// made good by the next.
#[derive(Debug, Default)]
pub struct Report {
    /// Every container seen.
    pub containers: Option<Vec<ContainerReading>>,
    /// What a source says of every container it knows. The same list again is the same `Arc`.
    pub claims: Option<Arc<[Arc<ContainerClaim>]>>,
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
    /// Total CPU time, in nanoseconds.
    pub cpu_usage_ns: Option<u64>,
    /// Memory charged to the cgroup, page cache included, in bytes.
    pub memory_usage: Option<u64>,
    /// Usage less inactive file pages, in bytes: what the kernel cannot easily take back.
    pub memory_working_set: Option<u64>,
    /// What only a full tick reads.
    pub detail: Option<Box<Detail>>,
}

/// The signals of a full tick.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detail {
    /// CPU time in user mode, in nanoseconds.
    pub cpu_user_ns: Option<u64>,
    /// CPU time in kernel mode, in nanoseconds.
    pub cpu_system_ns: Option<u64>,
    /// Enforcement periods that have elapsed while it was runnable.
    pub cpu_periods: Option<u64>,
    /// Periods in which it used up its quota.
    pub cpu_throttled_periods: Option<u64>,
    /// Time its tasks stood throttled, in nanoseconds.
    pub cpu_throttled_ns: Option<u64>,
    /// CFS quota over period, in cores; `None` without a limit.
    pub cpu_limit: Option<f64>,
    /// CPU request in cores, where the cgroup alone tells it (Kubernetes on cgroup v1).
    pub cpu_request: Option<f64>,
    /// Anonymous memory, in bytes.
    pub memory_rss: Option<u64>,
    /// Memory limit in bytes; `None` without one.
    pub memory_limit: Option<u64>,
    /// Processes the kernel killed for want of memory.
    pub oom_kills: Option<u64>,
    /// Page faults that needed no disk.
    pub minor_faults: Option<u64>,
    /// Page faults that needed the disk.
    pub major_faults: Option<u64>,
    /// Tasks in it.
    pub pids: Option<u64>,
    /// The most tasks it may have; `None` without a limit.
    pub pids_limit: Option<u64>,
    /// Bytes moved, per block device.
    pub block_io: Vec<DeviceIo>,
    /// Bytes moved, per interface of its network namespace (loopback excluded). Empty when the namespace is
    /// the host's, cannot be read, or is reported by the container that owns it.
    pub network: Vec<InterfaceIo>,
    /// Pressure stall totals.
    pub pressure: Pressure,
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
    /// Whether the driver still reaches it; `None` when it does not say.
    pub ok: Option<bool>,
    /// Share of the driver's last sample period in which a kernel ran.
    pub utilization: Option<f64>,
    /// Memory in use, in bytes, without what the driver reserves.
    pub memory_used: Option<u64>,
    /// Memory there is, in bytes.
    pub memory_total: Option<u64>,
    /// In watts.
    pub power: Option<f64>,
    /// In joules, since the driver was loaded.
    pub energy: Option<f64>,
    /// In degrees Celsius.
    pub temperature: Option<f64>,
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
            ok: None,
            utilization: None,
            memory_used: None,
            memory_total: None,
            power: None,
            energy: None,
            temperature: None,
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

/// Bytes a container moved on one block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIo {
    /// The device's kernel name (`sda`), or `major:minor` where it has none.
    pub device: String,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub write: u64,
}

/// Bytes that passed one network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceIo {
    /// The interface's name inside the namespace.
    pub interface: String,
    /// Bytes received.
    pub receive: u64,
    /// Bytes transmitted.
    pub transmit: u64,
}

/// Pressure stall information: total stalled time per resource, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pressure {
    /// CPU.
    pub cpu: Option<Stall>,
    /// Memory.
    pub memory: Option<Stall>,
    /// Block I/O.
    pub io: Option<Stall>,
}

/// One resource's stalled time, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// At least one task waited.
    pub some: u64,
    /// Every task waited. Old kernels have no such line for CPU.
    pub full: Option<u64>,
}
