//! What owns a pod, by what stands on the pod itself: its controller, its labels, and its name. Nothing else is read.
//!
//! A controller is the owner, but for those that a greater one makes: ReplicaSets of a Deployment, Jobs of a CronJob. Theirs is
//! told by how they are named, which is a guess where somebody names things alike; the tests say when it is wrong.

use std::collections::BTreeMap;

use super::things::{Link, Pod, Relation, Workload, WorkloadKind};

/// The controller that a pod names (`controller: true` among its owner references).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// The label that a Deployment sets on its ReplicaSets' pods.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// The same of an Argo rollout.
const ROLLOUT_HASH: &str = "rollouts-pod-template-hash";
const INFERENCE_SERVICE: &str = "serving.kserve.io/inferenceservice";
const COMPONENT: &str = "component";
const JOB_SET: &str = "jobset.sigs.k8s.io/jobset-name";
/// What parts of one custom resource are told apart by: each has a size of its own, and its containers may be named alike.
const PARTS: [&str; 4] =
    ["jobset.sigs.k8s.io/replicatedjob-name", "training.kubeflow.org/replica-type", "ray.io/group", "ray.io/node-type"];
/// What stands on a pod whose controller says it.
const CONTROLLER: &str = "controller";
/// What stands on one whose owner is guessed from names.
const NAME: &str = "name";

/// Labels that tell whose a pod is: those who read pods keep them.
pub const LABELS: [&str; 9] =
    [TEMPLATE_HASH, ROLLOUT_HASH, INFERENCE_SERVICE, COMPONENT, JOB_SET, PARTS[0], PARTS[1], PARTS[2], PARTS[3]];

/// What owns a pod, and what says so: a label's key, `controller`, or `name` where its Job's name says so.
#[must_use]
pub fn of_pod(
    pod: &Pod,
    labels: &BTreeMap<String, String>,
    controller: Option<&Controller>,
    source: &'static str,
) -> Option<Link<Workload>> {
    let label = |key: &'static str| labels.get(key).filter(|value| !value.is_empty());
    let owned = |kind: WorkloadKind, name: &str, source| {
        let to = Workload { namespace: pod.namespace.clone(), kind, name: name.to_owned() };
        Some(Link { to, relation: Relation::PartOf, source })
    };
    // They outlive the Deployments and Jobs that they make, and set the pods' resources.
    if let Some(service) = label(INFERENCE_SERVICE) {
        let name = match label(COMPONENT).map(String::as_str) {
            None | Some("predictor") => service.clone(),
            Some(component) => format!("{service}-{component}"),
        };
        return owned(WorkloadKind::INFERENCE_SERVICE, &name, INFERENCE_SERVICE);
    }
    let part = PARTS.into_iter().find_map(label).map(|part| part.to_lowercase());
    let in_parts = |name: &str| part.as_ref().map_or_else(|| name.to_owned(), |part| format!("{name}-{part}"));
    if let Some(set) = label(JOB_SET) {
        return owned(WorkloadKind::JOB_SET, &in_parts(set), JOB_SET);
    }
    let Some(Controller { kind, name }) = controller else {
        return owned(WorkloadKind::POD, pod.name.as_ref()?, source);
    };
    let before_hash = |key| name.strip_suffix(label(key)?.as_str())?.strip_suffix('-').filter(|rest| !rest.is_empty());
    match kind.as_str() {
        "ReplicaSet" => match (before_hash(ROLLOUT_HASH), before_hash(TEMPLATE_HASH)) {
            (Some(rollout), _) => owned(WorkloadKind::ROLLOUT, rollout, ROLLOUT_HASH),
            (None, Some(deployment)) => owned(WorkloadKind::DEPLOYMENT, deployment, TEMPLATE_HASH),
            (None, None) => owned(WorkloadKind::REPLICA_SET, name, CONTROLLER),
        },
        "Job" => match cron_job(name) {
            Some(cron_job) => owned(WorkloadKind::CRON_JOB, cron_job, NAME),
            None => owned(WorkloadKind::JOB, name, CONTROLLER),
        },
        // A static pod is the node's own: the file that it is made from is named like it, and the node's name follows.
        "Node" => {
            let pod = pod.name.as_ref()?;
            let file = pod.strip_suffix(name.as_str()).and_then(|rest| rest.strip_suffix('-'));
            owned(WorkloadKind::POD, file.unwrap_or(pod), CONTROLLER)
        }
        "StatefulSet" | "DaemonSet" | "ReplicationController" => owned(WorkloadKind::named(kind), name, CONTROLLER),
        kind => owned(WorkloadKind::named(kind), &in_parts(name), CONTROLLER),
    }
}

/// What owns a pod as far as its name tells, where nothing else is known of it: a Deployment's pods end in two hashes, a StatefulSet's
/// in a number, a CronJob's in the minute and a hash. All others stand for themselves.
#[must_use]
pub fn by_name(pod: &Pod, source: &'static str) -> Option<Link<Workload>> {
    let link = |kind, name: &str, source| {
        let to = Workload { namespace: pod.namespace.clone(), kind, name: name.to_owned() };
        Some(Link { to, relation: Relation::PartOf, source })
    };
    let Some(name) = pod.name.as_deref() else { return link(WorkloadKind::POD, pod.uid.as_deref()?, source) };
    // A static pod has a digest for a UID, and its node's name, which may end in a number, behind its own.
    let of_node = pod.uid.as_ref().is_some_and(|uid| !uid.contains('-'));
    let Some((rest, last)) = name.rsplit_once('-').filter(|(rest, _)| !rest.is_empty() && !of_node) else {
        return link(WorkloadKind::POD, name, source);
    };
    if last.len() == SUFFIX && is_hash(last) {
        if let Some(cron_job) = cron_job(rest) {
            return link(WorkloadKind::CRON_JOB, cron_job, NAME);
        }
        let template = rest.rsplit_once('-').filter(|(_, hash)| HASH.contains(&hash.len()) && is_hash(hash));
        if let Some((deployment, _)) = template.filter(|(deployment, _)| !deployment.is_empty()) {
            return link(WorkloadKind::DEPLOYMENT, deployment, NAME);
        }
    }
    if !last.is_empty() && last.len() <= 4 && last.bytes().all(|b| b.is_ascii_digit()) {
        return link(WorkloadKind::STATEFUL_SET, rest, NAME);
    }
    link(WorkloadKind::POD, name, source)
}

/// Characters that Kubernetes appends to a name to make it unique.
const SUFFIX: usize = 5;
/// Characters of a template's hash: 32 bits in decimal digits, each written as a letter; ten as a rule.
const HASH: std::ops::RangeInclusive<usize> = 7..=10;

/// Kubernetes' random names have no vowels and nothing that looks like one, so that no word comes of them.
fn is_hash(text: &str) -> bool {
    text.bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b))
}

/// The CronJob that made a Job: the Job's name is its own, and the minute that it was due at, since the epoch. Minutes of the years from
/// 2015 on: a date (20261127) would be one of 2008.
fn cron_job(job: &str) -> Option<&str> {
    const MINUTES: std::ops::Range<u64> = 23_668_560..100_000_000;
    let (name, minute) = job.rsplit_once('-')?;
    let due = minute.bytes().all(|b| b.is_ascii_digit()) && MINUTES.contains(&minute.parse().ok()?);
    (due && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KUBERNETES: &str = "kubernetes";
    const POD_LOGS: &str = "pod_logs";

    fn pod(name: &str) -> Pod {
        let uid = Some("8f7d2c1e-0000-4000-8000-000000000000".to_owned());
        Pod { namespace: Some("shop".to_owned()), name: Some(name.to_owned()), uid }
    }

    fn owner(name: &str, labels: &[(&str, &str)], controller: Option<(&str, &str)>) -> (String, &'static str) {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let controller = controller.map(|(kind, name)| Controller { kind: kind.to_owned(), name: name.to_owned() });
        let link = of_pod(&pod(name), &labels, controller.as_ref(), KUBERNETES).expect("an owner");
        (link.to.to_string(), link.source)
    }

    fn guessed(name: &str) -> String {
        by_name(&pod(name), POD_LOGS).expect("an owner").to.to_string()
    }

    fn is(owner: &str, source: &'static str) -> (String, &'static str) {
        (owner.to_owned(), source)
    }

    #[test]
    fn a_pod_tells_its_owner() {
        let hash = [("pod-template-hash", "6d5f7c9b8")];
        let set = Some(("ReplicaSet", "web-6d5f7c9b8"));
        assert_eq!(owner("web-6d5f7c9b8-x2x4z", &hash, set), is("shop/Deployment/web", TEMPLATE_HASH));
        assert_eq!(owner("web-x2x4z", &[], Some(("ReplicaSet", "web"))), is("shop/ReplicaSet/web", CONTROLLER));
        let rollout = [("rollouts-pod-template-hash", "6d5f7c9b8")];
        assert_eq!(owner("web-6d5f7c9b8-x2x4z", &rollout, set), is("shop/Rollout/web", ROLLOUT_HASH));
        assert_eq!(owner("db-0", &[], Some(("StatefulSet", "db"))), is("shop/StatefulSet/db", CONTROLLER));
        assert_eq!(owner("log-x2x4z", &[], Some(("DaemonSet", "log"))), is("shop/DaemonSet/log", CONTROLLER));
        let nightly = Some(("Job", "nightly-29749680"));
        assert_eq!(owner("nightly-29749680-x2x4z", &[], nightly), is("shop/CronJob/nightly", NAME));
        assert_eq!(owner("train-x2x4z", &[], Some(("Job", "train"))), is("shop/Job/train", CONTROLLER));
        assert_eq!(owner("ray-head", &[], Some(("RayCluster", "ray"))), is("shop/RayCluster/ray", CONTROLLER));
        assert_eq!(owner("t-worker-0", &[], Some(("PyTorchJob", "t"))), is("shop/PyTorchJob/t", CONTROLLER));
        assert_eq!(owner("alone", &[], None), is("shop/Pod/alone", KUBERNETES));
        assert_eq!(owner("etcd-node-1", &[], Some(("Node", "node-1"))), is("shop/Pod/etcd", CONTROLLER));
        let kserve = [("serving.kserve.io/inferenceservice", "house"), ("pod-template-hash", "6d5f7c9b8")];
        let revision = Some(("ReplicaSet", "house-predictor-00001-deployment-6d5f7c9b8"));
        let service = is("shop/InferenceService/house", INFERENCE_SERVICE);
        assert_eq!(owner("house-predictor-00001-deployment-6d5f7c9b8-x2x4z", &kserve, revision), service);
        let transformer = [kserve[0], ("component", "transformer")];
        assert_eq!(owner("p", &transformer, revision).0, "shop/InferenceService/house-transformer");
        let set = [("jobset.sigs.k8s.io/jobset-name", "llama"), ("jobset.sigs.k8s.io/replicatedjob-name", "node")];
        let job = Some(("Job", "llama-node-0"));
        assert_eq!(owner("llama-node-0-0-x2x4z", &set[..1], job).0, "shop/JobSet/llama");
        assert_eq!(owner("llama-node-0-0-x2x4z", &set, job).0, "shop/JobSet/llama-node");
        let worker = [("training.kubeflow.org/replica-type", "Worker")];
        assert_eq!(
            owner("t-worker-0", &worker, Some(("TFJob", "t"))).0,
            "shop/TFJob/t-worker",
            "not its parameter server"
        );
        let group = [("ray.io/group", "gpu"), ("ray.io/node-type", "worker")];
        assert_eq!(owner("ray-gpu-x", &group, Some(("RayCluster", "ray"))).0, "shop/RayCluster/ray-gpu");
    }

    /// What `of_pod` takes for a Deployment's or a CronJob's and is not.
    #[test]
    fn owners_told_by_names_can_be_wrong() {
        // A ReplicaSet of one's own, named and labelled as a Deployment would.
        let (hash, set) = ([("pod-template-hash", "v2")], Some(("ReplicaSet", "web-v2")));
        assert_eq!(owner("web-v2-x2x4z", &hash, set).0, "shop/Deployment/web", "nobody made it but its author");
        // A Job whose author put the minute behind its name; a date is none.
        assert_eq!(owner("p", &[], Some(("Job", "load-29749680"))).0, "shop/CronJob/load");
        assert_eq!(owner("p", &[], Some(("Job", "load-20261127"))).0, "shop/Job/load-20261127");
        assert_eq!(owner("p", &[], Some(("Job", "load-29749680000"))).0, "shop/Job/load-29749680000");
        // A Job made by hand from a CronJob (`kubectl create job --from`) has a name of its own.
        assert_eq!(owner("p", &[], Some(("Job", "by-hand"))).0, "shop/Job/by-hand", "it is the CronJob's");
    }

    #[test]
    fn a_name_alone_tells_some_owners() {
        assert_eq!(guessed("web-6d5f7c9b8-x2x4z"), "shop/Deployment/web");
        assert_eq!(guessed("house-prices-7bf8c4d5f9-zzk42"), "shop/Deployment/house-prices");
        assert_eq!(guessed("nightly-29749680-x2x4z"), "shop/CronJob/nightly");
        assert_eq!(guessed("db-0"), "shop/StatefulSet/db");
        assert_eq!(guessed("log-x2x4z"), "shop/Pod/log-x2x4z", "a DaemonSet's, a Job's or a ReplicaSet's");
        assert_eq!(guessed("alone"), "shop/Pod/alone");
        assert_eq!(guessed("-0"), "shop/Pod/-0");
        let fixed = Pod { uid: Some("0123456789abcdef0123456789abcdef".to_owned()), ..pod("etcd-node-1") };
        assert_eq!(by_name(&fixed, POD_LOGS).expect("one").to.to_string(), "shop/Pod/etcd-node-1", "a static pod");
        let nameless = Pod { namespace: None, name: None, uid: Some("u".to_owned()) };
        assert_eq!(by_name(&nameless, POD_LOGS).expect("one").to.to_string(), "Pod/u");
        // Wrong: a pod that somebody numbered, and a Job's whose name ends like a template's hash.
        assert_eq!(guessed("batch-7"), "shop/StatefulSet/batch");
        assert_eq!(guessed("train-2xb4c5d-x2x4z"), "shop/Deployment/train");
    }

    proptest! {
        /// Whatever the names: an owner, in the pod's namespace, with a name.
        #[test]
        fn every_pod_has_an_owner(name in "[a-z0-9-]{0,30}", controller in prop::option::of(("(ReplicaSet|Job|Node|Foo)", "[a-z0-9-]{0,30}")), hash in "[a-z0-9-]{0,10}") {
            let labels = BTreeMap::from([("pod-template-hash".to_owned(), hash)]);
            let controller = controller.map(|(kind, name)| Controller { kind, name });
            for link in [of_pod(&pod(&name), &labels, controller.as_ref(), KUBERNETES), by_name(&pod(&name), POD_LOGS)] {
                let link = link.expect("an owner");
                prop_assert_eq!(link.to.namespace.as_deref(), Some("shop"));
                prop_assert!(!link.to.name.is_empty() || name.is_empty() || controller.is_some());
            }
        }
    }
}
