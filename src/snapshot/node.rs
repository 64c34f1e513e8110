//! The node as one bar: what it has for pods, what they ask for, what containers use, and what is left.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{ContainerView, Snapshot};
use crate::identity::node::{CPU, MEMORY, NodeClaim, is_extended};
use crate::identity::{Source, Sourced};
use crate::metric::{self, Metric, Number, Point, Subject};
use crate::signal::container::id;

/// What the node has, and what was asked of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeView {
    /// Who says so.
    pub source: Source,
    /// When they last said so.
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// The pool that the node belongs to.
    pub pool: Option<String>,
    /// Its kind of machine.
    pub instance_type: Option<String>,
    /// Its labels, as far as they are kept.
    pub labels: BTreeMap<String, String>,
    /// Pods on it that hold what they asked for.
    pub pods: u64,
    /// By Kubernetes' names: `cpu` in cores, `memory` in bytes, others by count.
    pub resources: BTreeMap<String, Capacity>,
}

/// One resource of a node.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Capacity {
    /// All there is; `null` where it is not told.
    pub capacity: Option<f64>,
    /// What of it is for pods.
    pub allocatable: f64,
    /// What pods ask for.
    pub requested: f64,
    /// What containers use now; `null` where nobody measures it.
    pub used: Option<f64>,
    /// What can still be asked for; below zero where pods that need no scheduler ask for more than there is.
    pub free: f64,
    /// What of that stays free once the node's scarcer resource, CPU or memory, is asked for in full, by pods of the node's own
    /// shape. `null` of other resources.
    pub stranded: Option<f64>,
}

impl NodeView {
    /// Joins what is said of the node with what its containers use.
    #[must_use]
    pub fn new(claim: &Sourced<Arc<NodeClaim>>, containers: &[ContainerView]) -> Self {
        let NodeClaim { capacity, allocatable, requested, pods, labels } = &*claim.value;
        let used = |name: &str| {
            let of = |view: &ContainerView| match name {
                CPU => view.signals.value(const { id("cpu.usage") }),
                MEMORY => view.signals.value(const { id("memory.working_set") }),
                _ => None,
            };
            let mut known = containers.iter().filter_map(of).peekable();
            known.peek().is_some().then(|| known.sum())
        };
        let free = |name: &str| Some(allocatable.get(name)? - requested.get(name).copied().unwrap_or(0.0));
        let share = |name: &str| {
            let allocatable = allocatable.get(name).filter(|amount| **amount > 0.0)?;
            Some((free(name)? / allocatable).clamp(0.0, 1.0))
        };
        let scarcer = share(CPU).zip(share(MEMORY)).map(|(cpu, memory)| cpu.min(memory));
        let resources =
            allocatable.iter().filter(|(name, _)| matches!(name.as_str(), CPU | MEMORY) || is_extended(name));
        let resources = resources.map(|(name, allocatable)| {
            let stranded = scarcer.zip(share(name)).filter(|_| matches!(name.as_str(), CPU | MEMORY));
            let of = Capacity {
                capacity: capacity.get(name).copied(),
                allocatable: *allocatable,
                requested: requested.get(name).copied().unwrap_or(0.0),
                used: used(name),
                free: free(name).unwrap_or(*allocatable),
                stranded: stranded.map(|(scarcer, share)| (share - scarcer) * allocatable),
            };
            (name.clone(), of)
        });
        Self {
            source: claim.source,
            at: claim.at,
            pool: claim.value.pool().map(str::to_owned),
            instance_type: claim.value.instance_type().map(str::to_owned),
            labels: labels.clone(),
            pods: *pods,
            resources: resources.collect(),
        }
    }
}

impl Snapshot {
    /// The node's own points.
    pub(super) fn add_node_points(&self, points: &mut Vec<Point>) {
        let Some(node) = &self.resources else { return };
        let subject = Arc::new(Subject::node());
        let mut add = |metric: &'static Metric, resource: Option<&String>, value: f64| {
            let attributes = resource.map(|name| ("resource", name.clone().into())).into_iter().collect();
            points.push(Point::new(metric, &subject, attributes, Number::Float(value), None, node.at));
        };
        for (name, of) in &node.resources {
            let [allocatable, requested, stranded] = match name.as_str() {
                CPU => [&metric::NODE_CPU_ALLOCATABLE, &metric::NODE_CPU_REQUESTED, &metric::NODE_CPU_STRANDED],
                MEMORY => {
                    [&metric::NODE_MEMORY_ALLOCATABLE, &metric::NODE_MEMORY_REQUESTED, &metric::NODE_MEMORY_STRANDED]
                }
                _ => {
                    add(&metric::NODE_EXTENDED_ALLOCATABLE, Some(name), of.allocatable);
                    add(&metric::NODE_EXTENDED_REQUESTED, Some(name), of.requested);
                    continue;
                }
            };
            add(allocatable, None, of.allocatable);
            add(requested, None, of.requested);
            if let Some(value) = of.stranded {
                add(stranded, None, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(allocatable: &[(&str, f64)], requested: &[(&str, f64)]) -> Sourced<Arc<NodeClaim>> {
        let amounts = |all: &[(&str, f64)]| all.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect();
        let value = NodeClaim {
            allocatable: amounts(allocatable),
            requested: amounts(requested),
            labels: [("karpenter.sh/nodepool".to_owned(), "gpu".to_owned())].into(),
            ..NodeClaim::default()
        };
        Sourced { value: Arc::new(value), source: "kubernetes", at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn what_the_scarcer_resource_leaves_over_is_stranded() {
        let gib = 1_073_741_824.0;
        let has =
            [("cpu", 8.0), ("memory", 32.0 * gib), ("nvidia.com/gpu", 2.0), ("pods", 110.0), ("hugepages-2Mi", 0.0)];
        let view = NodeView::new(&claim(&has, &[("cpu", 2.0), ("memory", 28.0 * gib), ("nvidia.com/gpu", 1.0)]), &[]);
        let (cpu, memory) = (view.resources["cpu"], view.resources["memory"]);
        // An eighth of the memory is free: an eighth of the cores can go with it, and five stay.
        assert_eq!((cpu.free, cpu.stranded), (6.0, Some(5.0)));
        assert_eq!((memory.free, memory.stranded), (4.0 * gib, Some(0.0)));
        assert_eq!((cpu.used, cpu.capacity), (None, None), "nobody measures");
        let gpu = view.resources["nvidia.com/gpu"];
        assert_eq!((gpu.free, gpu.stranded), (1.0, None));
        assert_eq!(view.resources.len(), 3, "pods and huge pages are no resources of workloads");
        assert_eq!(view.pool.as_deref(), Some("gpu"));
    }

    #[test]
    fn a_node_that_is_asked_for_too_much_strands_all_of_the_other() {
        let view = NodeView::new(&claim(&[("cpu", 4.0), ("memory", 8.0)], &[("cpu", 5.0)]), &[]);
        let (cpu, memory) = (view.resources["cpu"], view.resources["memory"]);
        assert_eq!((cpu.free, cpu.stranded, memory.stranded), (-1.0, Some(0.0), Some(8.0)));
        let alone = NodeView::new(&claim(&[("cpu", 4.0)], &[]), &[]);
        assert_eq!(alone.resources["cpu"].stranded, None, "against nothing there is nothing to say");
    }
}
