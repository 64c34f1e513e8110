//! What the kubelet set aside for a container, beside what the container uses.

use serde::Serialize;

/// All that was set aside for one container. What was not is empty, and left out of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Allocation {
    /// Devices of device plugins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<AllocatedDevices>,
    /// Devices by claims on them (dynamic resource allocation).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<AllocatedClaim>,
    /// Numbers of the CPUs that nobody else may run on (CPU manager, policy `static`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclusive_cpus: Vec<u32>,
    /// Memory that was reserved on NUMA nodes (memory manager, policy `Static`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<AllocatedMemory>,
}

impl Allocation {
    /// Nothing was set aside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.claims.is_empty() && self.exclusive_cpus.is_empty() && self.memory.is_empty()
    }
}

/// Devices of one resource in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AllocatedDevices {
    /// The resource, as pods ask for it (`nvidia.com/gpu`).
    pub resource: String,
    /// Their ids, as their plugin names them.
    pub ids: Vec<String>,
    /// The NUMA nodes that they are near to; none where the plugin does not tell.
    pub numa_nodes: Vec<i64>,
}

/// A claim on devices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AllocatedClaim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it was met with.
    pub devices: Vec<ClaimedDevice>,
}

/// A device that met a claim. Driver, pool and device name it on the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClaimedDevice {
    /// Its driver.
    pub driver: String,
    /// The driver's pool that it is of, often the node.
    pub pool: String,
    /// Its name in the pool.
    pub device: String,
    /// What the runtime was told to put into the container (`vendor.com/gpu=0`).
    pub cdi: Vec<String>,
}

/// Memory of one kind in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AllocatedMemory {
    /// Its kind: `memory`, or pages of one size (`hugepages-2Mi`).
    pub kind: String,
    /// How much, in bytes.
    pub bytes: u64,
    /// The NUMA nodes that it is on.
    pub numa_nodes: Vec<i64>,
}
