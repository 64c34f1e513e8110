//! Containers by what they are replicas of: the same container of the same workload.

use std::collections::BTreeMap;

use super::Snapshot;
use crate::identity::Workload;

/// The replicas of one container of a workload on this node, or a container that stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replicas<'a> {
    /// What they belong to; `None` while nobody has named it.
    pub workload: Option<&'a Workload>,
    /// Their places in the snapshot's list: one at least.
    pub places: Vec<usize>,
}

impl Snapshot {
    /// The containers that run, by what they are replicas of, in order of their workloads' names. Sandboxes are left out: they do
    /// nothing.
    #[must_use]
    pub fn replicas(&self) -> Vec<Replicas<'_>> {
        let mut alone = Vec::new();
        let mut groups: BTreeMap<(&Workload, &str), Vec<usize>> = BTreeMap::new();
        for (place, container) in self.containers.iter().enumerate().filter(|(_, container)| !container.is_sandbox()) {
            match (&container.workload, &container.pod_container) {
                (Some(workload), Some(name)) => groups.entry((&workload.to, name)).or_default().push(place),
                (workload, _) => {
                    let workload = workload.as_ref().map(|link| &link.to);
                    alone.push(Replicas { workload, places: vec![place] });
                }
            }
        }
        let of_workloads =
            groups.into_iter().map(|((workload, _), places)| Replicas { workload: Some(workload), places });
        of_workloads.chain(alone).collect()
    }
}
