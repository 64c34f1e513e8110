//! Which of a source's claims is about which container: the one with its id, else with its name in its pod, else about its pod.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::container::Container;
use crate::identity::{About, ContainerClaim};

/// What one collector claims.
pub type Claimed = BTreeMap<About, Arc<ContainerClaim>>;

/// What a collector claims of this container.
pub fn of<'a>(claims: &'a Claimed, id: &str, container: &Container) -> Option<&'a Arc<ContainerClaim>> {
    if claims.is_empty() {
        return None;
    }
    let by_id = claims.get(&About::Container(id.to_owned()));
    by_id.or_else(|| {
        let pod = container.claims.pod()?.value;
        let named = || {
            let container = container.claims.field(|claim| claim.pod_container.clone())?.value;
            claims.get(&About::Named { namespace: pod.namespace.clone()?, pod: pod.name.clone()?, container })
        };
        named().or_else(|| claims.get(&About::Pod(pod.uid.clone()?)))
    })
}

/// Finds the sandboxes of pods whose names are known. Nobody names a sandbox, and it begins before all others of its pod: of those
/// without a name it is the first. One that comes later waits for its name.
pub fn find_sandboxes(containers: &mut BTreeMap<String, Container>) {
    let mut first: HashMap<String, (jiff::Timestamp, String)> = HashMap::new();
    let mut found = HashSet::new();
    for (id, container) in containers.iter() {
        let Some(pod) = container.claims.pod().map(|pod| pod.value) else { continue };
        let (Some(uid), Some(_)) = (pod.uid, pod.name) else { continue };
        if container.sandbox || container.is_sandbox_by_name() {
            found.insert(uid);
        } else if !container.has_name() {
            let candidate = (container.began(), id.clone());
            let earliest = first.entry(uid).or_insert_with(|| candidate.clone());
            *earliest = candidate.min(earliest.clone());
        }
    }
    for (uid, (_, id)) in first {
        if !found.contains(&uid)
            && let Some(container) = containers.get_mut(&id)
        {
            container.sandbox = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::analysis::State;
    use crate::clock::Moment;
    use crate::identity::allocation::{AllocatedDevices, Allocation};
    use crate::identity::claim::{CRI, POD_RESOURCES};
    use crate::identity::{Devices, Pod, Relation};
    use crate::reading::{GpuReading, Report};

    /// The kubelet knows no ids; whoever names the container says which it is.
    #[test]
    fn what_was_set_aside_meets_the_container_by_its_names() {
        let at = Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO };
        let text = |text: &str| Some(text.to_owned());
        let named = |id: &str, container: &str| {
            Arc::new(ContainerClaim {
                about: About::Container(id.to_owned()),
                source: CRI,
                name: text(container),
                pod: Some(Pod { namespace: text("ml"), name: text("web-0"), uid: None }),
                pod_container: text(container),
                ..ContainerClaim::default()
            })
        };
        let devices = AllocatedDevices {
            resource: "nvidia.com/gpu".to_owned(),
            ids: vec!["GPU-0::1".to_owned()],
            numa_nodes: vec![],
        };
        let given = ContainerClaim {
            about: About::Named { namespace: "ml".to_owned(), pod: "web-0".to_owned(), container: "main".to_owned() },
            source: POD_RESOURCES,
            devices: Some(Devices::Named(vec!["GPU-0".to_owned()])),
            allocated: Some(Allocation { devices: vec![devices], exclusive_cpus: vec![2], ..Allocation::default() }),
            ..ContainerClaim::default()
        };
        let gpus = (0..2).map(|index| GpuReading::unread(format!("GPU-{index}"), index, "nvidia", at)).collect();
        let claims = |claims: Vec<Arc<ContainerClaim>>| Report { claims: Some(claims.into()), ..Report::default() };
        // Whoever comes first.
        for kubelet_first in [true, false] {
            let mut state = State::new("node-1".to_owned(), Duration::from_secs(10), 10);
            let kubelet = |state: &mut State| state.absorb(POD_RESOURCES, claims(vec![Arc::new(given.clone())]), at);
            if kubelet_first {
                kubelet(&mut state);
            }
            state.absorb(CRI, claims(vec![named("a", "main"), named("b", "proxy")]), at);
            kubelet(&mut state);
            state.absorb("nvml", Report { gpus: Some(Vec::clone(&gpus)), ..Report::default() }, at);
            let containers = state.snapshot(at, true).containers;
            let [main, proxy] = &containers[..] else { panic!("two containers: {containers:?}") };
            assert_eq!(main.allocated, given.allocated);
            assert_eq!(main.sources["allocated"].source, POD_RESOURCES);
            let parts: Vec<_> = main
                .gpus
                .iter()
                .map(|part| (part.device.to.uuid.as_str(), part.device.relation, part.device.source))
                .collect();
            assert_eq!(parts, [("GPU-0", Relation::Allocated, POD_RESOURCES)]);
            assert!(proxy.allocated.is_none() && proxy.gpus.is_empty() && !proxy.sources.contains_key("allocated"));
            // What is said no more stands as it was last said.
            state.absorb(POD_RESOURCES, claims(Vec::new()), at);
            let json = serde_json::to_value(&state.snapshot(at, true).containers[0]).expect("JSON");
            assert_eq!(json["allocated"]["exclusive_cpus"], serde_json::json!([2]), "{json}");
        }
    }
}
