//! What the kubelet set aside for containers: devices of plugins, devices by claims, CPUs and memory of their own; by its
//! socket for pod resources, on full ticks.
//!
//! It knows containers by their names in pods. Nobody else needs to wait for it, and what was set aside for nobody is left out.

mod protocol;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::grpc::{Client, entries};
use super::sockets::short;
use super::{Collector, Entry, Error};
use crate::health::Brings;
use crate::identity::allocation::{AllocatedClaim, AllocatedDevices, AllocatedMemory, Allocation, ClaimedDevice};
use crate::identity::claim::POD_RESOURCES;
use crate::identity::{About, ContainerClaim, Devices};
use crate::reading::{Depth, Report};
use protocol::{ALLOCATABLE, Allocatable, LIST, Listed, Request, Topology};

/// Its place in the list.
pub const ENTRY: Entry = Entry {
    name: POD_RESOURCES,
    without: "what the kubelet set aside for pods (GPUs, CPUs of their own) is not shown beside what they use",
    brings: Brings::Allocations,
    open: |config, _| Ok(Box::new(PodResources::open(&config.pod_resources, config.max_containers)?)),
};

/// Where the kubelet tells what it set aside.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The kubelet's socket for pod resources. It is root's.
    pub socket: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { socket: "/var/lib/kubelet/pod-resources/kubelet.sock".to_owned() }
    }
}

/// A node of 250 pods answers some 100 KiB.
const MOST_BYTES: usize = 4 << 20;
/// No node has more CPUs, nor devices of one resource; what is more is left out.
const MOST: usize = 8192;

struct PodResources {
    client: Client,
    found: String,
    max_containers: usize,
    /// The last list: the same again is the same `Arc`.
    list: Arc<[Arc<ContainerClaim>]>,
}

impl PodResources {
    fn open(config: &Config, max_containers: usize) -> Result<Self, Error> {
        let mut client = Client::open(&config.socket, MOST_BYTES)?;
        let list = claims(&client.call(LIST, Request {})?, max_containers);
        // Kubelets before 1.23 list, and do not tell what there is.
        let all = client.call::<_, Allocatable>(ALLOCATABLE, Request {}).ok();
        let found = format!("kubelet at {}{}", client.path(), all.as_ref().map(to_give).unwrap_or_default());
        Ok(Self { client, found, max_containers, list: list.into() })
    }
}

impl Collector for PodResources {
    fn found(&self) -> String {
        self.found.clone()
    }

    fn read(&mut self, depth: Depth) -> Result<Report, Error> {
        if depth == Depth::Inner {
            return Ok(Report::default());
        }
        let list = claims(&self.client.call(LIST, Request {})?, self.max_containers);
        if *list != *self.list {
            self.list = list.into();
        }
        Ok(Report { claims: Some(Arc::clone(&self.list)), ..Report::default() })
    }
}

/// What a node has to give, in words.
fn to_give(all: &Allocatable) -> String {
    let mut devices: BTreeMap<&str, usize> = BTreeMap::new();
    for of in &all.devices {
        let count = devices.entry(&of.resource).or_default();
        *count = count.saturating_add(of.ids.len());
    }
    let devices = devices.into_iter().map(|(resource, count)| format!(", {count} {resource}"));
    let cpus = (!all.cpu_ids.is_empty()).then(|| format!(", {} CPUs", all.cpu_ids.len()));
    cpus.into_iter().chain(devices).collect()
}

/// The list as claims, in its order. Containers beyond the configured bound are not shown, and so need none.
fn claims(listed: &Listed, max_containers: usize) -> Vec<Arc<ContainerClaim>> {
    let containers = entries::<protocol::Pod>(&listed.pods).flat_map(|pod| {
        let all: Vec<_> = entries::<protocol::Container>(&pod.containers).filter_map(|of| claim(&pod, of)).collect();
        all
    });
    let claims: BTreeMap<About, ContainerClaim> =
        containers.map(|claim| (claim.about.clone(), claim)).take(max_containers).collect();
    claims.into_values().map(Arc::new).collect()
}

/// `None` where nothing was set aside, or where it does not say for whom.
fn claim(pod: &protocol::Pod, container: protocol::Container) -> Option<ContainerClaim> {
    let about =
        About::Named { namespace: short(&pod.namespace)?, pod: short(&pod.name)?, container: short(&container.name)? };
    let allocation = allocation(container);
    let devices = gpus(&allocation);
    (!allocation.is_empty()).then(|| ContainerClaim {
        about,
        source: POD_RESOURCES,
        devices,
        allocated: Some(allocation),
        ..ContainerClaim::default()
    })
}

/// In an order of its own: the kubelet's changes from answer to answer.
fn allocation(container: protocol::Container) -> Allocation {
    let mut devices: BTreeMap<(String, Vec<i64>), BTreeSet<String>> = BTreeMap::new();
    for of in container.devices.into_iter().take(MOST) {
        let ids = of.ids.iter().filter_map(|id| short(id)).take(MOST);
        if let Some(resource) = short(&of.resource) {
            devices.entry((resource, numa_nodes(of.topology))).or_default().extend(ids);
        }
    }
    devices.retain(|_, ids| !ids.is_empty());
    let claims: BTreeSet<AllocatedClaim> = container.dynamic_resources.into_iter().take(MOST).map(by_claim).collect();
    let cpus: BTreeSet<u32> = container.cpu_ids.into_iter().take(MOST).filter_map(|id| id.try_into().ok()).collect();
    let memory: BTreeSet<AllocatedMemory> = container.memory.into_iter().take(MOST).filter_map(memory).collect();
    Allocation {
        devices: devices
            .into_iter()
            .map(|((resource, numa_nodes), ids)| AllocatedDevices {
                resource,
                ids: ids.into_iter().collect(),
                numa_nodes,
            })
            .collect(),
        claims: claims.into_iter().collect(),
        exclusive_cpus: cpus.into_iter().collect(),
        memory: memory.into_iter().collect(),
    }
}

fn numa_nodes(topology: Option<Topology>) -> Vec<i64> {
    let nodes: BTreeSet<i64> =
        topology.into_iter().flat_map(|near| near.nodes).map(|node| node.id).take(MOST).collect();
    nodes.into_iter().collect()
}

fn by_claim(claim: protocol::Claim) -> AllocatedClaim {
    let devices: BTreeSet<ClaimedDevice> = claim.devices.into_iter().take(MOST).map(claimed).collect();
    AllocatedClaim {
        namespace: short(&claim.namespace).unwrap_or_default(),
        name: short(&claim.name).unwrap_or_default(),
        devices: devices.into_iter().collect(),
    }
}

fn claimed(device: protocol::ClaimedDevice) -> ClaimedDevice {
    let cdi: BTreeSet<String> = device.cdi.into_iter().filter_map(|cdi| short(&cdi.name)).take(MOST).collect();
    ClaimedDevice {
        driver: short(&device.driver).unwrap_or_default(),
        pool: short(&device.pool).unwrap_or_default(),
        device: short(&device.device).unwrap_or_default(),
        cdi: cdi.into_iter().collect(),
    }
}

fn memory(of: protocol::Memory) -> Option<AllocatedMemory> {
    let kind = short(&of.kind)?;
    (of.size > 0).then(|| AllocatedMemory { kind, bytes: of.size, numa_nodes: numa_nodes(of.topology) })
}

/// Those of the devices that are GPUs, by the ids that drivers know them by too. By claims they are told where the name that the runtime was
/// given has such an id.
fn gpus(allocation: &Allocation) -> Option<Devices> {
    let plugged = allocation.devices.iter().filter(|of| is_gpu(&of.resource)).flat_map(|of| {
        // Of a GPU that is shared by turns each turn is a device: `ID::0`, `ID::1`.
        let ids = of.ids.iter().map(|id| id.split_once("::").map_or(id.as_str(), |(id, _)| id));
        // A bare number is NVIDIA's place among its own.
        ids.filter(|id| of.resource.starts_with(NVIDIA) || id.parse::<u32>().is_err())
    });
    let claimed = allocation.claims.iter().flat_map(|claim| &claim.devices).flat_map(|device| &device.cdi);
    let claimed = claimed.filter_map(|cdi| cdi.strip_prefix("nvidia.com/gpu="));
    let ids: BTreeSet<&str> = plugged.chain(claimed).collect();
    (!ids.is_empty()).then(|| Devices::Named(ids.into_iter().map(str::to_owned).collect()))
}

const NVIDIA: &str = "nvidia.com/";

fn is_gpu(resource: &str) -> bool {
    ["nvidia.com/gpu", "nvidia.com/mig-", "amd.com/gpu", "gpu.intel.com/"].iter().any(|gpu| resource.starts_with(gpu))
}
