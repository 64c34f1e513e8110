//! Which of a source's claims is about which container: the one with its id, else with its name in its pod, else about its pod.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::container::Container;
use crate::clock::Moment;
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
/// without a name it is the first, once another of its pod has one; a runtime may do without sandboxes, and a name may be on its way.
pub fn find_sandboxes(containers: &mut BTreeMap<String, Container>, now: Moment) {
    let mut first: HashMap<String, (Timestamp, String)> = HashMap::new();
    let (mut found, mut named) = (HashSet::new(), HashMap::<String, [Timestamp; 2]>::new());
    for (id, container) in containers.iter().filter(|(_, container)| container.running) {
        let Some(pod) = container.claims.pod().map(|pod| pod.value) else { continue };
        let (Some(uid), Some(_)) = (pod.uid, pod.name) else { continue };
        if container.sandbox || container.is_sandbox_by_name() {
            found.insert(uid);
        } else if container.has_name() {
            let [began, seen] = named.entry(uid).or_insert([Timestamp::MIN; 2]);
            (*began, *seen) = (container.began().max(*began), container.first_seen().max(*seen));
        } else {
            let candidate = (container.began(), id.clone());
            let earliest = first.entry(uid).or_insert_with(|| candidate.clone());
            *earliest = candidate.min(earliest.clone());
        }
    }
    for (uid, (began, id)) in first.into_iter().filter(|(uid, _)| !found.contains(uid)) {
        if let Some(container) = containers.get_mut(&id) {
            // Where processes are not visible, as without the host's PID namespace, it counts when they were seen.
            let is_first = named.get(&uid).is_some_and(|[named, seen]| {
                if container.start_is_known() { began <= *named } else { container.first_seen() <= *seen }
            });
            container.sandbox = is_first || !container.awaits_name(now);
        }
    }
}
