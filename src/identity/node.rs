//! What a node has to give, what was asked of it, and where it belongs.

use std::collections::BTreeMap;

use serde::Serialize;

/// Amounts by resource, by Kubernetes' names: `cpu` in cores, `memory` and `ephemeral-storage` in bytes, others by count.
pub type Amounts = BTreeMap<String, f64>;

/// Cores.
pub const CPU: &str = "cpu";
/// Bytes of memory.
pub const MEMORY: &str = "memory";

/// What one source says of the node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeClaim {
    /// All that it has.
    pub capacity: Amounts,
    /// What of it is for pods.
    pub allocatable: Amounts,
    /// What the pods on it ask for, as the scheduler counts them.
    pub requested: Amounts,
    /// Pods on it that hold what they asked for.
    pub pods: u64,
    /// Its labels, as far as they are kept.
    pub labels: BTreeMap<String, String>,
}

/// What the machine has, by its kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Machine {
    /// Cores that are online; `null` where the kernel does not tell.
    pub cores: Option<f64>,
    /// Memory, in bytes; `null` where the kernel does not tell.
    pub memory: Option<f64>,
}

/// Labels that name the pool a node belongs to, by who sets them.
pub const POOL_LABELS: [&str; 7] = [
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/nodegroup",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "machine.openshift.io/cluster-api-machineset",
    "node.kubernetes.io/pool",
];
/// Its kind of machine.
pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";

impl NodeClaim {
    /// The pool it belongs to.
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        POOL_LABELS.iter().find_map(|key| self.labels.get(*key)).map(String::as_str)
    }

    /// Its kind of machine.
    #[must_use]
    pub fn instance_type(&self) -> Option<&str> {
        self.labels.get(INSTANCE_TYPE).map(String::as_str)
    }
}

/// A resource that a device plugin brings, such as `nvidia.com/gpu`.
#[must_use]
pub fn is_extended(name: &str) -> bool {
    name.contains('/')
}
