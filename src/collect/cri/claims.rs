//! What a runtime lists, as claims: who runs, in which pod, and who has ended a moment ago. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::protocol::{CREATED, Container, EXITED, Image, Linux, Listed, READY, Sandbox, Status};
use crate::collect::grpc::entries;
use crate::collect::sockets::{LINGER, kept, short};
use crate::identity::cgroup::is_container_id;
use crate::identity::claim::{CRI, SANDBOX_NAME, pod_by_labels};
use crate::identity::things::Termination;
use crate::identity::{About, ContainerClaim, Pod, Role, split_image};

/// Claims by the id of their container.
pub type Claims = BTreeMap<String, Arc<ContainerClaim>>;

/// Containers and sandboxes that run, or have ended of late.
pub struct Listing {
    pub containers: BTreeMap<String, Container>,
    sandboxes: BTreeMap<String, Sandbox>,
    /// No more than so many of either, nor of those that have gone.
    most: usize,
}

impl Listing {
    /// Runtimes keep what has ended for long: of those only what was told of `before`, or made a moment ago, is of
    /// interest. Containers beyond the configured bound are not shown, and need no claim.
    pub fn new(containers: &Listed, sandboxes: &Listed, before: &Claims, most: usize, now: Timestamp) -> Self {
        let of_interest = |id: &str, runs: bool, created: i64| {
            let new = || time(created).is_some_and(|at| now.duration_since(at) < LINGER);
            is_container_id(id) && (runs || before.contains_key(id) || new())
        };
        let containers = entries::<Container>(&containers.items)
            .filter(|c| c.state != CREATED && of_interest(&c.id, c.state != EXITED, c.created_at));
        let sandboxes =
            entries::<Sandbox>(&sandboxes.items).filter(|s| of_interest(&s.id, s.state == READY, s.created_at));
        Self {
            containers: containers.take(most).map(|container| (container.id.clone(), container)).collect(),
            sandboxes: sandboxes.take(most).map(|sandbox| (sandbox.id.clone(), sandbox)).collect(),
            most,
        }
    }

    /// All claims: of those that are listed with their `status`, and of those that were, for a while.
    pub fn claims<'a>(
        &self,
        runtime: Option<&'static str>,
        status: impl Fn(&str) -> Option<&'a Status>,
        before: &Claims,
        now: Timestamp,
    ) -> Claims {
        let sandboxes = self.sandboxes.iter().map(|(id, sandbox)| (id, sandbox.state == READY, of_sandbox(sandbox)));
        let containers = self.containers.iter().map(|(id, container)| {
            let sandbox = self.sandboxes.get(&container.pod_sandbox_id);
            (id, container.state != EXITED, of_container(container, sandbox, status(id)))
        });
        let mut claims = Claims::new();
        for (id, runs, mut claim) in sandboxes.chain(containers) {
            let known = before.get(id).and_then(|known| known.finished);
            // An end that was told of does not move on.
            claim.finished = (!runs).then(|| claim.finished.into_iter().chain(known).fold(now, Timestamp::min));
            (claim.runtime, claim.source) = (runtime, CRI);
            claims.insert(id.clone(), Arc::new(claim));
        }
        let gone = before.iter().filter(|(id, _)| !claims.contains_key(*id)).take(self.most).map(|(id, known)| {
            let finished = Some(known.finished.unwrap_or(now));
            (id.clone(), Arc::new(ContainerClaim { finished, ..(**known).clone() }))
        });
        let gone: Vec<_> = gone.collect();
        claims.extend(gone);
        claims.retain(|_, claim| claim.finished.is_none_or(|at| now.duration_since(at) < LINGER));
        claims
    }
}

/// Its labels are its pod's: they speak of the containers in it.
fn of_sandbox(sandbox: &Sandbox) -> ContainerClaim {
    ContainerClaim {
        about: About::Container(sandbox.id.clone()),
        name: Some(SANDBOX_NAME.to_owned()),
        pod: pod(sandbox),
        role: Some(Role::Sandbox),
        started: time(sandbox.created_at),
        ..ContainerClaim::default()
    }
}

/// Without a status it says what the list does. A kubelet sets a pod's own labels on its sandbox alone: they are its containers' too.
fn of_container(container: &Container, sandbox: Option<&Sandbox>, status: Option<&Status>) -> ContainerClaim {
    let (labelled, labelled_name) = pod_by_labels(&container.labels);
    let metadata = container.metadata.as_ref();
    let name = metadata.and_then(|metadata| short(&metadata.name)).or(labelled_name);
    let linux = status.and_then(|status| status.resources.as_ref()?.linux.as_ref());
    let (image, image_tag) = image(container, status).map_or((None, None), |reference| {
        let (name, tag) = split_image(&reference);
        (Some(name), tag)
    });
    let own = container.labels.clone().into_iter();
    let of_pod = sandbox.into_iter().flat_map(|sandbox| sandbox.labels.clone());
    let of_pod = of_pod.filter(|(key, _)| !container.labels.contains_key(key));
    let ended = status.filter(|_| container.state == EXITED).map(|status| Termination {
        reason: short(&status.reason),
        exit_code: Some(status.exit_code.into()),
        at: time(status.finished_at),
    });
    ContainerClaim {
        about: About::Container(container.id.clone()),
        name: name.clone(),
        image,
        image_tag,
        image_digest: status.and_then(|status| short(status.image_ref.rsplit_once('@')?.1)),
        // As in the cgroup: the kubelet's shares are a request, anyone else's a weight.
        cpu_request: linux.filter(|_| labelled.is_some()).and_then(cpu_request),
        pod: sandbox.and_then(pod).or(labelled),
        pod_container: name,
        labels: Some(kept(own.chain(of_pod))),
        started: status.and_then(|status| time(status.started_at)),
        finished: status.and_then(|status| time(status.finished_at)),
        cpu_limit: linux.and_then(cpu_limit),
        memory_limit: linux.and_then(|linux| positive(linux.memory_limit_in_bytes)),
        restarts: metadata.map(|metadata| metadata.attempt.into()),
        oom_events: ended.as_ref().is_some_and(Termination::is_oom_kill).into(),
        last_termination: ended,
        ..ContainerClaim::default()
    }
}

fn pod(sandbox: &Sandbox) -> Option<Pod> {
    let metadata = sandbox.metadata.as_ref()?;
    let pod = Pod { namespace: short(&metadata.namespace), name: short(&metadata.name), uid: short(&metadata.uid) };
    (pod != Pod::default()).then_some(pod)
}

/// Its image by a reference, wherever one is told; by an id only once the status knows no reference either.
fn image(container: &Container, status: Option<&Status>) -> Option<String> {
    let of_status = status.and_then(|status| status.image.as_ref());
    let told = |image: &Image| [short(&image.image), short(&image.user_specified_image)];
    let told: Vec<String> = of_status.into_iter().chain(&container.image).flat_map(told).flatten().collect();
    let is_id = |reference: &str| reference.starts_with("sha256:") || is_container_id(reference);
    let named = told.iter().find(|reference| !is_id(reference));
    named.or(told.first().filter(|_| status.is_some())).cloned()
}

fn cpu_limit(linux: &Linux) -> Option<f64> {
    let quota = positive(linux.cpu_quota)?;
    Some(quota as f64 / positive(linux.cpu_period).unwrap_or(100_000) as f64)
}

/// Two shares are the least there is: nothing was asked for.
fn cpu_request(linux: &Linux) -> Option<f64> {
    positive(linux.cpu_shares).filter(|shares| *shares > 2).map(|shares| shares as f64 / 1024.0)
}

/// The interface writes 0 for "not set".
fn positive(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value > 0)
}

/// Nanoseconds since the epoch; 0 for never.
fn time(nanoseconds: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanoseconds.into()).ok().filter(|at| *at > Timestamp::UNIX_EPOCH)
}
