//! A pod as the API has it -> what it says of its containers, and what it asks of the node.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::allow::Allowed;
use super::object::{Amounts, Container, ContainerStatus, Pod, Resources, Terminated};
use crate::identity::cgroup::is_container_id;
use crate::identity::claim::KUBERNETES;
use crate::identity::node::is_extended;
use crate::identity::owner::{self, Controller};
use crate::identity::{self, About, ContainerClaim, Role, Termination, split_image};
use crate::stats::whole::unsigned;

/// What the kubelet writes of a static pod: the digest that stands in the cgroups' paths in the place of the UID.
const CONFIG_HASH: &str = "kubernetes.io/config.hash";

/// What a pod says of all its containers, of each that runs or ran last, and of the run before.
pub fn claims(pod: &Pod, allowed: &Allowed) -> Vec<ContainerClaim> {
    let metadata = &pod.metadata;
    let annotations = metadata.annotations.iter().flatten();
    let controller = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    // Only the kubelet's own word counts: anybody may write an annotation of that name.
    let is_static = controller.is_some_and(|owner| owner.kind == "Node");
    let hash = annotations.clone().find(|(key, _)| is_static && *key == CONFIG_HASH);
    let uid = hash.map(|(_, hash)| hash.clone());
    let of = identity::Pod {
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        uid: uid.or_else(|| metadata.uid.clone()),
    };
    let empty = BTreeMap::new();
    let own_labels = metadata.labels.as_ref().unwrap_or(&empty);
    let controller = controller.map(|owner| Controller { kind: owner.kind.clone(), name: owner.name.clone() });
    // An annotation says what a label could not hold; where both do, the label is what others see, too.
    let labels = allowed.annotations(annotations).chain(allowed.labels(own_labels.iter())).collect();
    let base = ContainerClaim {
        source: KUBERNETES,
        workload: owner::of_pod(&of, own_labels, controller.as_ref(), KUBERNETES),
        qos: pod.status.qos_class.clone(),
        pod_requests: Some(pod.spec.resources.requests.0.clone()).filter(|amounts| !amounts.is_empty()),
        host_network: Some(pod.spec.host_network),
        labels: Some(labels),
        pod: Some(of),
        ..ContainerClaim::default()
    };
    let all = base.pod.as_ref().and_then(|pod| pod.uid.clone());
    let all = all.map(|uid| ContainerClaim { about: About::Pod(uid), ..base.clone() });
    let statuses = [
        (&pod.status.container_statuses, &pod.spec.containers, Role::Main),
        (&pod.status.init_container_statuses, &pod.spec.init_containers, Role::Init),
        (&pod.status.ephemeral_container_statuses, &Vec::new(), Role::Ephemeral),
    ];
    let each = statuses.into_iter().flat_map(|(statuses, specs, role)| {
        statuses.iter().flat_map({
            let base = &base;
            move |status| {
                let spec = specs.iter().find(|spec| spec.name == status.name);
                let sidecar = role == Role::Init && spec.is_some_and(is_sidecar);
                runs(base, if sidecar { Role::Sidecar } else { role }, spec, status)
            }
        })
    });
    all.into_iter().chain(each).collect()
}

fn is_sidecar(spec: &Container) -> bool {
    spec.restart_policy.as_deref() == Some("Always")
}

/// Requests, or limits.
type Part = fn(&Resources) -> &Amounts;

/// A container's run that goes on or ended last, and the one before it.
fn runs(base: &ContainerClaim, role: Role, spec: Option<&Container>, status: &ContainerStatus) -> Vec<ContainerClaim> {
    let Some((runtime, id)) = status.container_id.as_deref().and_then(container_id) else { return Vec::new() };
    // A digest alone is no name: then what was asked for is.
    let by_digest = |image: &&String| image.starts_with("sha256:") || image.contains('@');
    let image = status.image.as_ref().filter(|image| !by_digest(image)).or_else(|| spec?.image.as_ref());
    let (image, image_tag) = image.map_or((None, None), |image| {
        let (name, tag) = split_image(image);
        (Some(name), tag)
    });
    let digest = status.image_id.as_deref().and_then(|id| id.rsplit_once('@').map(|(_, digest)| digest.to_owned()));
    let (now, last) = (status.state.terminated.as_ref(), status.last_state.terminated.as_ref());
    let asked = spec.map(|spec| &spec.resources);
    let in_force = status.resources.as_ref().or(asked);
    let amount = |of: Part, name: &str| of(in_force?).0.get(name).copied();
    let bytes = |of: Part| amount(of, "memory").filter(|bytes| *bytes > 0.0).map(unsigned);
    let requests: Part = |resources| &resources.requests;
    let limits: Part = |resources| &resources.limits;
    // Device plugins take no less than the limit.
    let extended: BTreeMap<String, f64> = asked
        .into_iter()
        .flat_map(|asked| asked.requests.0.iter().chain(&asked.limits.0))
        .filter(|(name, _)| is_extended(name))
        .map(|(name, amount)| (name.clone(), *amount))
        .collect();
    let named = ContainerClaim {
        name: Some(status.name.clone()),
        pod_container: Some(status.name.clone()),
        role: Some(role),
        image,
        image_tag,
        image_digest: digest,
        runtime,
        cpu_request: amount(requests, "cpu").filter(|cores| *cores > 0.0),
        cpu_limit: amount(limits, "cpu").filter(|cores| *cores > 0.0),
        memory_request: bytes(requests),
        memory_limit: bytes(limits),
        extended: (!extended.is_empty()).then_some(extended),
        ..base.clone()
    };
    let before = last.and_then(|last| container_id(last.container_id.as_deref()?).map(|(_, id)| (id, last)));
    let waits = before.filter(|(before, _)| *before == id).map(|(_, ended)| ended);
    let before = before.filter(|(before, _)| *before != id).map(|(id, ended)| ContainerClaim {
        restarts: status.restart_count.and_then(|count| count.checked_sub(1)),
        ..ended_by(&named, id, ended)
    });
    let current = ContainerClaim { restarts: status.restart_count, ..named.clone() };
    let running = status.state.running.as_ref();
    let current = match (now.or(waits), running) {
        // It waits to be started again: the id is still the one that ended.
        (Some(ended), None) => ended_by(&current, id, ended),
        (ended, _) => ContainerClaim {
            about: About::Container(id.to_owned()),
            started: running.and_then(|running| running.started_at),
            // Neither runs nor ended: it is not known to run.
            finished: running.is_none().then_some(Timestamp::UNIX_EPOCH),
            last_termination: ended.or(last).map(termination),
            ..current
        },
    };
    before.into_iter().chain([current]).collect()
}

/// A run that ended.
fn ended_by(claim: &ContainerClaim, id: &str, ended: &Terminated) -> ContainerClaim {
    let how = termination(ended);
    ContainerClaim {
        about: About::Container(id.to_owned()),
        started: ended.started_at,
        finished: ended.finished_at.or(Some(Timestamp::UNIX_EPOCH)),
        // The container's first process was killed, and took the cgroup's own count with it.
        oom_events: how.is_oom_kill().into(),
        last_termination: Some(how),
        ..claim.clone()
    }
}

fn termination(ended: &Terminated) -> Termination {
    Termination { reason: ended.reason.clone(), exit_code: ended.exit_code, at: ended.finished_at }
}

/// The id in `containerd://<64 hex digits>`, and the runtime by OpenTelemetry's name.
fn container_id(text: &str) -> Option<(Option<&'static str>, &str)> {
    let (scheme, id) = text.split_once("://")?;
    let runtime = match scheme {
        "containerd" => Some("containerd"),
        "cri-o" => Some("cri-o"),
        "docker" => Some("docker"),
        _ => None,
    };
    is_container_id(id).then_some((runtime, id))
}

/// What the scheduler counts a pod for: its main containers and sidecars together, or an init container at its time with the
/// sidecars before it where that is more; the pod's own amounts win over that; and its overhead.
///
/// Source: <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers>.
pub fn requested(pod: &Pod) -> BTreeMap<String, f64> {
    let mut sidecars = BTreeMap::new();
    let mut most = BTreeMap::new();
    for init in &pod.spec.init_containers {
        let asks = &init.resources.requests.0;
        if is_sidecar(init) {
            add(&mut sidecars, asks);
        } else {
            let mut at_its_time = sidecars.clone();
            add(&mut at_its_time, asks);
            raise(&mut most, &at_its_time);
        }
    }
    let mut main = sidecars;
    pod.spec.containers.iter().for_each(|container| add(&mut main, &container.resources.requests.0));
    raise(&mut most, &main);
    most.extend(pod.spec.resources.requests.0.clone());
    add(&mut most, &pod.spec.overhead.0);
    most
}

/// The pod holds what it asked for.
pub fn counts(pod: &Pod) -> bool {
    !matches!(pod.status.phase.as_deref(), Some("Succeeded" | "Failed"))
}

/// Adds amounts up.
pub fn add(sum: &mut BTreeMap<String, f64>, amounts: &BTreeMap<String, f64>) {
    for (name, amount) in amounts {
        *sum.entry(name.clone()).or_default() += amount;
    }
}

fn raise(most: &mut BTreeMap<String, f64>, amounts: &BTreeMap<String, f64>) {
    for (name, amount) in amounts {
        let known = most.entry(name.clone()).or_default();
        *known = known.max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::Config;
    use super::*;

    fn allowed() -> Allowed {
        let Config { labels, annotations, node_labels, .. } = Config::default();
        Allowed { labels, annotations, node_labels }
    }

    fn id(digit: &str) -> String {
        digit.repeat(64)
    }

    fn read(pod: &Value) -> Vec<ContainerClaim> {
        claims(&serde_json::from_value(pod.clone()).expect("a pod"), &allowed())
    }

    /// A pod of a Deployment with an init container that ended, a sidecar, and a container that was killed once.
    fn pod() -> Value {
        let hash = "644999c59c";
        json!({
            "metadata": {
                "name": format!("web-{hash}-jfs2s"), "namespace": "shop", "uid": "0fd3b15f-5e87-4c71-9905-7b0e0dffb4d0",
                "labels": { "app": "web", "pod-template-hash": hash, "secret": "s", "plumbline.io/model": "house-prices" },
                "annotations": { "plumbline.io/owner": "ml", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("web-{hash}"), "uid": "u", "controller": true }],
            },
            "spec": {
                "nodeName": "n", "overhead": { "cpu": "10m" },
                "initContainers": [
                    { "name": "prepare", "image": "tool:1", "resources": { "requests": { "cpu": "2", "memory": "64Mi" } } },
                    { "name": "proxy", "image": "proxy:2", "restartPolicy": "Always", "resources": { "requests": { "cpu": "20m", "memory": "16Mi" } } },
                ],
                "containers": [{
                    "name": "app", "image": "registry.example:5000/team/app:1.2", "env": [{ "name": "PASSWORD", "value": "hunter2" }],
                    "resources": { "requests": { "cpu": "200m", "memory": "128Mi" }, "limits": { "cpu": "400m", "memory": "256Mi", "nvidia.com/gpu": "1" } },
                }],
            },
            "status": {
                "phase": "Running", "qosClass": "Burstable",
                "initContainerStatuses": [
                    { "name": "prepare", "containerID": format!("containerd://{}", id("1")), "state": { "terminated": { "exitCode": 0, "reason": "Completed", "startedAt": "2026-11-27T01:29:13Z", "finishedAt": "2026-11-27T01:29:14Z", "containerID": format!("containerd://{}", id("1")) } }, "restartCount": 0 },
                    { "name": "proxy", "containerID": format!("containerd://{}", id("2")), "state": { "running": { "startedAt": "2026-11-27T01:29:13Z" } }, "restartCount": 0 },
                ],
                "containerStatuses": [{
                    "name": "app", "containerID": format!("containerd://{}", id("a")),
                    "image": "registry.example:5000/team/app:1.2", "imageID": "registry.example:5000/team/app@sha256:abc",
                    "restartCount": 3, "state": { "running": { "startedAt": "2026-11-27T01:30:00Z" } },
                    "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-11-27T01:29:50Z", "finishedAt": "2026-11-27T01:29:51Z", "containerID": format!("containerd://{}", id("9")) } },
                }],
            },
        })
    }

    fn of<'a>(claims: &'a [ContainerClaim], digit: &str) -> &'a ContainerClaim {
        claims.iter().find(|claim| claim.about == About::Container(id(digit))).expect("a claim")
    }

    #[test]
    fn a_pod_says_all_of_its_containers() {
        let claims = read(&pod());
        assert_eq!(claims[0].about, About::Pod("0fd3b15f-5e87-4c71-9905-7b0e0dffb4d0".to_owned()));
        let app = of(&claims, "a");
        assert_eq!(app.workload.as_ref().map(|link| link.to.to_string()).as_deref(), Some("shop/Deployment/web"));
        assert_eq!((app.name.as_deref(), app.role, app.runtime), (Some("app"), Some(Role::Main), Some("containerd")));
        assert_eq!(
            (app.image.as_deref(), app.image_tag.as_deref()),
            (Some("registry.example:5000/team/app"), Some("1.2"))
        );
        assert_eq!(app.image_digest.as_deref(), Some("sha256:abc"));
        assert_eq!((app.cpu_request, app.cpu_limit), (Some(0.2), Some(0.4)));
        assert_eq!((app.memory_request, app.memory_limit), (Some(128 << 20), Some(256 << 20)));
        assert_eq!(app.extended, Some([("nvidia.com/gpu".to_owned(), 1.0)].into()));
        assert_eq!((app.restarts, app.qos.as_deref(), app.host_network), (Some(3), Some("Burstable"), Some(false)));
        let last = app.last_termination.as_ref().expect("it ended once");
        assert_eq!((last.reason.as_deref(), last.exit_code), (Some("OOMKilled"), Some(137)));
        assert!(app.says_it_runs() && app.oom_events == 0);
        let before = of(&claims, "9");
        assert_eq!((before.oom_events, before.restarts, before.says_it_runs()), (1, Some(2), false));
        let (prepare, proxy) = (of(&claims, "1"), of(&claims, "2"));
        assert_eq!((prepare.role, prepare.says_it_runs(), prepare.oom_events), (Some(Role::Init), false, 0));
        assert_eq!((proxy.role, proxy.says_it_runs()), (Some(Role::Sidecar), true));
    }

    #[test]
    fn what_is_not_allowed_is_not_kept() {
        let claims = read(&pod());
        let labels = of(&claims, "a").labels.clone().expect("labels");
        let keys: Vec<&str> = labels.keys().map(String::as_str).collect();
        assert_eq!(keys, ["app", "plumbline.io/model", "plumbline.io/owner"]);
        assert!(!format!("{claims:?}").contains("hunter2"));
        let mut large = pod();
        let many: serde_json::Map<String, Value> = (0..5000)
            .map(|n| (format!("plumbline.io/{n}"), "x".repeat(if n == 0 { 300_000 } else { 100 }).into()))
            .collect();
        large["metadata"]["annotations"] = many.into();
        let kept = of(&read(&large), "a").labels.clone().expect("labels");
        assert!(kept.len() <= 128 && kept.values().map(String::len).sum::<usize>() < 20_000, "{}", kept.len());
    }

    #[test]
    fn a_container_that_waits_to_be_started_again_does_not_run() {
        let mut waiting = pod();
        let status = &mut waiting["status"]["containerStatuses"][0];
        status["containerID"] = json!(format!("containerd://{}", id("9")));
        status["state"] = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        let claims = read(&waiting);
        let app = of(&claims, "9");
        assert!(!app.says_it_runs());
        assert_eq!(claims.iter().filter(|claim| claim.about == app.about).count(), 1, "it is told of once");
        assert_eq!(app.oom_events, 1, "it was killed all the same");
        status_without_times(&mut waiting);
        assert!(!of(&read(&waiting), "9").says_it_runs());
    }

    fn status_without_times(pod: &mut Value) {
        pod["status"]["containerStatuses"][0]["lastState"] = json!({ "terminated": { "exitCode": 1 } });
    }

    #[test]
    fn what_is_in_force_goes_before_what_is_asked_for() {
        let mut resized = pod();
        resized["status"]["containerStatuses"][0]["resources"] =
            json!({ "requests": { "cpu": "150m" }, "limits": { "memory": "300Mi" } });
        let claims = read(&resized);
        let app = of(&claims, "a");
        assert_eq!((app.cpu_request, app.cpu_limit, app.memory_limit), (Some(0.15), None, Some(300 << 20)));
    }

    #[test]
    fn a_static_pod_is_known_by_its_digest() {
        let mut fixed = pod();
        fixed["metadata"]["annotations"] = json!({ "kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef" });
        fixed["metadata"]["ownerReferences"] =
            json!([{ "apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u", "controller": true }]);
        let claims = read(&fixed);
        assert_eq!(claims[0].about, About::Pod("0123456789abcdef0123456789abcdef".to_owned()));
        // Anybody may write the annotation; the kubelet's own pods are the node's.
        fixed["metadata"]["ownerReferences"] = json!([]);
        assert_eq!(read(&fixed)[0].about, About::Pod("0fd3b15f-5e87-4c71-9905-7b0e0dffb4d0".to_owned()));
    }

    #[test]
    fn odd_pods_say_what_they_can() {
        assert!(read(&json!({})).is_empty());
        let mut odd = pod();
        odd["status"]["phase"] = json!("Dreaming");
        odd["status"]["qosClass"] = json!("Excellent");
        odd["spec"]["initContainers"][1]["restartPolicy"] = json!("Sometimes");
        odd["spec"]["containers"][0]["resources"] =
            json!({ "requests": { "cpu": "lots", "memory": -5 }, "limits": null });
        odd["status"]["initContainerStatuses"][0]["containerID"] = json!("wasm://abc");
        odd["status"]["containerStatuses"][0]["image"] = json!("sha256:feed");
        let claims = read(&odd);
        let app = of(&claims, "a");
        assert_eq!((app.qos.as_deref(), app.cpu_request, app.memory_request), (Some("Excellent"), None, None));
        assert_eq!(app.image_tag.as_deref(), Some("1.2"), "a digest is no name");
        assert_eq!(of(&claims, "2").role, Some(Role::Init));
    }

    /// Times are the kubelet's, of this node; those of the API server's own clock are not read. Whatever they are, the rest is told.
    #[test]
    fn times_of_another_clock_take_nothing_along() {
        for time in ["2199-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-11-27T23:59:60Z", "yesterday", ""] {
            let mut odd = pod();
            odd["metadata"]["creationTimestamp"] = json!("1970-01-01T00:00:00Z");
            odd["status"]["containerStatuses"][0]["state"] = json!({ "running": { "startedAt": time } });
            odd["status"]["containerStatuses"][0]["lastState"]["terminated"]["finishedAt"] = json!(time);
            let claims = read(&odd);
            let app = of(&claims, "a");
            assert!(app.says_it_runs() && app.last_termination.is_some(), "{time}");
            assert_eq!(app.started, time.parse().ok(), "{time}");
        }
    }

    #[test]
    fn a_pod_counts_for_what_it_may_need_at_once() {
        let requested = |pod: &Value| requested(&serde_json::from_value(pod.clone()).expect("a pod"));
        let asked = requested(&pod());
        // The init container's two cores are more than the container and the sidecar together; of memory they are less. And the overhead.
        assert!((asked["cpu"] - 2.01).abs() < 1e-9, "{asked:?}");
        assert!((asked["memory"] - f64::from(144 << 20)).abs() < 1e-9, "{asked:?}");
        let mut after = pod();
        after["spec"]["initContainers"].as_array_mut().expect("a list").reverse();
        assert!((requested(&after)["cpu"] - 2.03).abs() < 1e-9, "the sidecar runs beside what begins after it");
        let mut whole = pod();
        whole["spec"]["resources"] = json!({ "requests": { "cpu": "1" } });
        assert_eq!(of(&read(&whole), "a").pod_requests, Some([("cpu".to_owned(), 1.0)].into()));
        assert!((requested(&whole)["cpu"] - 1.01).abs() < 1e-9, "the pod's own amount wins");
        let phase =
            |phase: &str| counts(&serde_json::from_value(json!({ "status": { "phase": phase } })).expect("a pod"));
        assert_eq!(
            ["Pending", "Running", "Succeeded", "Failed", "Unknown"].map(phase),
            [true, true, false, false, true]
        );
    }

    proptest! {
        /// A field of any type in any place: either the pod is refused as a whole, or it is read without a panic.
        #[test]
        fn no_field_panics(place in 0..8_usize, what in 0..6_usize) {
            let values = [json!(null), json!(-1), json!("x"), json!([]), json!({}), json!(1e300)];
            let places = ["/metadata/labels", "/metadata/ownerReferences", "/spec/containers", "/spec/overhead", "/status/containerStatuses",
                "/status/containerStatuses/0/state", "/spec/containers/0/resources", "/status/containerStatuses/0/restartCount"];
            let mut odd = pod();
            *odd.pointer_mut(places[place]).expect("a place") = values[what].clone();
            if let Ok(pod) = serde_json::from_value::<Pod>(odd) {
                let _ = (claims(&pod, &allowed()), requested(&pod));
            }
        }
    }
}
