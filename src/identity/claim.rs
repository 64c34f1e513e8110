//! What sources say of a container, merged field by field: a source that is still there goes before one that is not, then
//! the stronger before the weaker, then the newer before the older. A source that says nothing of a field hides no other.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::allocation::Allocation;
use super::autoscaler::{self, Autoscaler};
use super::node::Amounts;
use super::owner;
use super::things::{Link, Model, ModelKey, Pod, Relation, Role, Termination, Workload, WorkloadKind};

/// A source of facts. Its place in [`SOURCES`] is its strength.
pub type Source = &'static str;

/// The Kubernetes API.
pub const KUBERNETES: Source = "kubernetes";
/// The container runtime of a kubelet, by its own interface.
pub const CRI: Source = "cri";
/// The kubelet's list of what it gave to pods.
pub const POD_RESOURCES: Source = "pod_resources";
/// The folders that the kubelet keeps logs in.
pub const POD_LOGS: Source = "pod_logs";
/// The Docker engine.
pub const DOCKER: Source = "docker";
/// Podman.
pub const PODMAN: Source = "podman";
/// The path of the container's cgroup, and what is set in it.
pub const CGROUP: Source = "cgroup";

/// Every source, the strongest first.
pub const SOURCES: &[Source] = &[KUBERNETES, CRI, DOCKER, PODMAN, POD_RESOURCES, POD_LOGS, CGROUP];

/// What tools of the field call a pod's sandbox.
pub const SANDBOX_NAME: &str = "POD";

/// Those that know names and no lives: a log stays for a while when its container has gone.
const NAMES_ONLY: [Source; 3] = [POD_RESOURCES, POD_LOGS, CGROUP];

/// Of which containers a claim speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Of the one with this id, 64 hex digits.
    Container(String),
    /// Of the one with this name in a pod, where the source knows no ids.
    Named {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
        /// The container's name in it.
        container: String,
    },
    /// Of all in the pod with this UID of which the source says nothing more: the sandbox is among them.
    Pod(String),
}

impl Default for About {
    fn default() -> Self {
        Self::Container(String::new())
    }
}

/// What one source says of a container. `None` is "says nothing".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerClaim {
    /// Of which.
    pub about: About,
    /// Who says it.
    pub source: Source,
    /// The name people gave it.
    pub name: Option<String>,
    /// Its image, without the tag.
    pub image: Option<String>,
    /// The image's tag.
    pub image_tag: Option<String>,
    /// The digest of the image that runs (`sha256:...`).
    pub image_digest: Option<String>,
    /// The runtime, in OpenTelemetry's spelling.
    pub runtime: Option<&'static str>,
    /// Its pod.
    pub pod: Option<Pod>,
    /// Its name within the pod.
    pub pod_container: Option<String>,
    /// Its part in the pod.
    pub role: Option<Role>,
    /// What owns its pod, and what says so.
    pub workload: Option<Link<Workload>>,
    /// Labels, as set on the container or its image.
    pub labels: Option<BTreeMap<String, String>>,
    /// Since when this run of it goes on.
    pub started: Option<Timestamp>,
    /// When it ended; `None` while it runs. Sources tell of an ended container for a short while.
    pub finished: Option<Timestamp>,
    /// CPU limit in cores.
    pub cpu_limit: Option<f64>,
    /// CPU request in cores.
    pub cpu_request: Option<f64>,
    /// Memory limit in bytes.
    pub memory_limit: Option<u64>,
    /// Memory request (soft limit) in bytes.
    pub memory_request: Option<u64>,
    /// What else it asks for: resources of device plugins (`nvidia.com/gpu`), by count.
    pub extended: Option<Amounts>,
    /// What its pod asks for as a whole, beside what its containers do: cores, bytes.
    pub pod_requests: Option<Amounts>,
    /// Its pod's class of service: `Guaranteed`, `Burstable`, `BestEffort`.
    pub qos: Option<String>,
    /// What scales its workload by itself.
    pub autoscalers: Option<Vec<Autoscaler>>,
    /// How its last run ended.
    pub last_termination: Option<Termination>,
    /// How often the runtime has restarted it of its own accord.
    pub restarts: Option<u64>,
    /// It runs in the host's network namespace.
    pub host_network: Option<bool>,
    /// The devices it was given.
    pub devices: Option<Devices>,
    /// What the kubelet set aside for it.
    pub allocated: Option<Allocation>,
    /// Out-of-memory events the runtime has reported in this run: a container that dies of one takes its cgroup's own
    /// count with it.
    pub oom_events: u64,
}

impl ContainerClaim {
    /// It says that the container runs.
    #[must_use]
    pub fn says_it_runs(&self) -> bool {
        self.finished.is_none() && !NAMES_ONLY.contains(&self.source)
    }
}

/// The fields that may come from several sources, as the API names them, and whether a claim says anything of them.
type Field = (&'static str, fn(&ContainerClaim) -> bool);
const FIELDS: &[Field] = &[
    ("name", |claim| claim.name.is_some()),
    ("image", |claim| claim.image.is_some()),
    ("runtime", |claim| claim.runtime.is_some()),
    ("pod", |claim| claim.pod.is_some()),
    ("pod_container", |claim| claim.pod_container.is_some()),
    ("role", |claim| claim.role.is_some()),
    ("workload", |claim| claim.workload.is_some()),
    ("labels", |claim| claim.labels.is_some()),
    ("run.began", |claim| claim.started.is_some()),
    ("host_network", |claim| claim.host_network.is_some()),
    ("gpus", |claim| claim.devices.is_some()),
    ("allocated", |claim| claim.allocated.is_some()),
    ("cpu.limit", |claim| claim.cpu_limit.is_some()),
    ("cpu.request", |claim| claim.cpu_request.is_some()),
    ("memory.limit", |claim| claim.memory_limit.is_some()),
    ("memory.request", |claim| claim.memory_request.is_some()),
    ("restarts", |claim| claim.restarts.is_some()),
    ("image_digest", |claim| claim.image_digest.is_some()),
    ("extended", |claim| claim.extended.is_some()),
    ("qos", |claim| claim.qos.is_some()),
    ("pod_requests", |claim| claim.pod_requests.is_some()),
    ("autoscalers", |claim| claim.autoscalers.is_some()),
    ("last_termination", |claim| claim.last_termination.is_some()),
];

/// The devices a container was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Devices {
    /// All of the node's.
    All,
    /// Those with these ids, or in these places (`0`, `1`).
    Named(Vec<String>),
}

impl Devices {
    /// The device is among them.
    #[must_use]
    pub fn have(&self, uuid: &str, index: u32) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == uuid || name.parse() == Ok(index)),
        }
    }
}

/// A value and where it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Who says so.
    pub source: Source,
    /// When they last said so.
    pub at: Timestamp,
}

/// Where one field of a container is from, for the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FieldSource {
    /// Who says so.
    pub source: Source,
    /// When they last said so.
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
}

impl<T> Sourced<T> {
    /// Where it is from.
    pub fn origin(&self) -> FieldSource {
        FieldSource { source: self.source, at: self.at }
    }
}

#[derive(Debug)]
struct Statement {
    claim: Arc<ContainerClaim>,
    at: Timestamp,
    /// The source is there and still says so.
    fresh: bool,
}

/// All that is said of one container, in order of belief.
#[derive(Debug, Default)]
pub struct Claims(Vec<Statement>);

impl Claims {
    /// Takes a claim in the place of the same source's last.
    pub fn take(&mut self, claim: Arc<ContainerClaim>, at: Timestamp) {
        match self.0.iter_mut().find(|statement| statement.claim.source == claim.source) {
            Some(statement) => (statement.claim, statement.at, statement.fresh) = (claim, at, true),
            None => self.0.push(Statement { claim, at, fresh: true }),
        }
        self.sort();
    }

    /// The source still says the same, where it still speaks.
    pub fn confirm(&mut self, source: &str, at: Timestamp) {
        let speaks = |statement: &&mut Statement| statement.fresh && statement.claim.source == source;
        for statement in self.0.iter_mut().filter(speaks) {
            statement.at = at;
        }
    }

    /// The source is gone, or says no more of this container: what it said stands until another says otherwise.
    pub fn let_age(&mut self, source: &str) {
        for statement in self.0.iter_mut().filter(|statement| statement.claim.source == source) {
            statement.fresh = false;
        }
        self.sort();
    }

    fn sort(&mut self) {
        let strength = |claim: &ContainerClaim| SOURCES.iter().position(|source| *source == claim.source);
        self.0.sort_by_key(|statement| {
            (!statement.fresh, strength(&statement.claim).unwrap_or(SOURCES.len()), Reverse(statement.at))
        });
    }

    /// One field: from the first in order that says anything of it.
    pub fn field<'a, T>(&'a self, get: impl Fn(&'a ContainerClaim) -> Option<T>) -> Option<Sourced<T>> {
        self.0.iter().find_map(|statement| {
            Some(Sourced { value: get(&statement.claim)?, source: statement.claim.source, at: statement.at })
        })
    }

    /// Out-of-memory events in this run: whoever has seen more has seen them.
    #[must_use]
    pub fn oom_events(&self) -> u64 {
        self.0.iter().map(|statement| statement.claim.oom_events).max().unwrap_or(0)
    }

    /// Its pod, each name from whoever knows it; `None` outside Kubernetes.
    #[must_use]
    pub fn pod(&self) -> Option<Sourced<Pod>> {
        let part = |get: fn(&Pod) -> Option<&String>| self.field(move |claim| get(claim.pod.as_ref()?).cloned());
        let (namespace, name, uid) =
            (part(|pod| pod.namespace.as_ref()), part(|pod| pod.name.as_ref()), part(|pod| pod.uid.as_ref()));
        let first = name.as_ref().or(uid.as_ref()).or(namespace.as_ref())?;
        let (source, at) = (first.source, first.at);
        let value = |part: Option<Sourced<String>>| part.map(|part| part.value);
        Some(Sourced { value: Pod { namespace: value(namespace), name: value(name), uid: value(uid) }, source, at })
    }

    /// The workload it belongs to, and who says so.
    #[must_use]
    pub fn workload(&self) -> Option<Link<Workload>> {
        if let Some(told) = self.field(|claim| claim.workload.clone()) {
            return Some(told.value);
        }
        if let Some(pod) = self.pod() {
            return owner::by_name(&pod.value, pod.source);
        }
        if let (Some(project), Some(service)) = (self.label(COMPOSE_PROJECT), self.label(COMPOSE_SERVICE)) {
            let to = Workload {
                namespace: Some(project.to_owned()),
                kind: WorkloadKind::COMPOSE_SERVICE,
                name: service.to_owned(),
            };
            return Some(Link { to, relation: Relation::PartOf, source: COMPOSE_SERVICE });
        }
        let name = self.field(|claim| claim.name.clone())?;
        let namespace = self.field(|claim| claim.runtime).map(|runtime| runtime.value.to_owned());
        let to = Workload { namespace, kind: WorkloadKind::CONTAINER, name: name.value };
        Some(Link { to, relation: Relation::PartOf, source: name.source })
    }

    /// The model it serves or trains, and the label that says so.
    #[must_use]
    pub fn model(&self) -> Option<Link<Model>> {
        let (source, name) = MODEL_LABELS.iter().find_map(|key| Some((*key, self.label(key)?)))?;
        let namespace = self.pod().and_then(|pod| pod.value.namespace);
        let version = self.label(MODEL_VERSION_LABEL).map(str::to_owned);
        let trains = self.stage().is_some_and(|stage| TRAINING.contains(&stage));
        let relation = if trains { Relation::Trains } else { Relation::Serves };
        let key = ModelKey { namespace, name: name.to_owned() };
        Some(Link { to: Model { key, version }, relation, source })
    }

    /// A label, from the first in order that has it.
    fn label(&self, key: &str) -> Option<&str> {
        let value =
            |claim: &'_ ContainerClaim| claim.labels.as_ref()?.get(key).filter(|value| !value.is_empty()).cloned();
        let statement = self.0.iter().find(|statement| value(&statement.claim).is_some())?;
        statement.claim.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// All labels, each from the first in order that has it.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        for statement in self.0.iter().rev() {
            labels.extend(statement.claim.labels.clone().unwrap_or_default());
        }
        labels
    }

    /// Where each field that anybody knows is from.
    #[must_use]
    pub fn sources(&self) -> BTreeMap<&'static str, FieldSource> {
        let from =
            |has: fn(&ContainerClaim) -> bool| self.field(|claim| has(claim).then_some(())).map(|at| at.origin());
        FIELDS.iter().filter_map(|(name, has)| Some((*name, from(*has)?))).collect()
    }

    /// What scales it by itself: as read, else as its annotation says.
    #[must_use]
    pub fn autoscalers(&self) -> Vec<Autoscaler> {
        let read = self.field(|claim| claim.autoscalers.clone()).map(|told| told.value);
        read.unwrap_or_else(|| self.label(autoscaler::ANNOTATION).map(autoscaler::parse_all).unwrap_or_default())
    }

    /// The stage of the workflow it is part of.
    #[must_use]
    pub fn stage(&self) -> Option<&str> {
        self.label(STAGE_LABEL)
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.label(OWNER_LABEL)
    }
}

/// The labels that name the model a container serves, ours first.
const MODEL_LABELS: [&str; 2] = ["plumbline.io/model", "serving.kserve.io/inferenceservice"];
/// The label that names the version of it.
const MODEL_VERSION_LABEL: &str = "plumbline.io/model-version";
/// The label that names the stage of the workflow it is part of, and the stages that make a model.
const STAGE_LABEL: &str = "plumbline.io/stage";
const OWNER_LABEL: &str = "plumbline.io/owner";
const TRAINING: [&str; 2] = ["training", "tuning"];
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// The pod, and the container's name in it, by the labels that the kubelet sets on containers.
#[must_use]
pub fn pod_by_labels(labels: &BTreeMap<String, String>) -> (Option<Pod>, Option<String>) {
    let label = |key: &str| labels.get(key).cloned();
    let pod = Pod {
        namespace: label("io.kubernetes.pod.namespace"),
        name: label("io.kubernetes.pod.name"),
        uid: label("io.kubernetes.pod.uid"),
    };
    ((pod != Pod::default()).then_some(pod), label("io.kubernetes.container.name"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn claim(source: Source, name: Option<&str>, image: Option<&str>) -> Arc<ContainerClaim> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Arc::new(ContainerClaim { source, name: own(name), image: own(image), ..ContainerClaim::default() })
    }

    fn name(claims: &Claims) -> Option<(String, Source)> {
        claims.field(|claim| claim.name.clone()).map(|name| (name.value, name.source))
    }

    #[test]
    fn fields_come_each_from_the_strongest_that_knows_them() {
        let mut claims = Claims::default();
        claims.take(claim(PODMAN, Some("p"), Some("image")), at(9));
        claims.take(claim(DOCKER, Some("d"), None), at(1));
        assert_eq!(name(&claims), Some(("d".to_owned(), DOCKER)), "stronger, though older");
        let image = claims.field(|claim| claim.image.clone()).expect("an image");
        assert_eq!((image.value.as_str(), image.source, image.at), ("image", PODMAN, at(9)));
        claims.let_age(DOCKER);
        assert_eq!(name(&claims), Some(("p".to_owned(), PODMAN)), "who is gone gives way");
        claims.let_age(PODMAN);
        assert_eq!(name(&claims), Some(("d".to_owned(), DOCKER)), "and stands where nobody else speaks");
    }

    #[test]
    fn a_pod_is_made_of_what_each_knows_of_it() {
        let pod = |namespace: Option<&str>, name: Option<&str>, uid: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Some(Pod { namespace: own(namespace), name: own(name), uid: own(uid) })
        };
        let mut claims = Claims::default();
        let by_path = ContainerClaim { source: CGROUP, pod: pod(None, None, Some("u")), ..ContainerClaim::default() };
        claims.take(Arc::new(by_path), at(1));
        let workload = |claims: &Claims| claims.workload().map(|link| (link.to.to_string(), link.source));
        assert_eq!(workload(&claims), Some(("Pod/u".to_owned(), CGROUP)));
        let named =
            ContainerClaim { source: DOCKER, pod: pod(Some("ml"), Some("web-0"), None), ..ContainerClaim::default() };
        claims.take(Arc::new(named), at(2));
        assert_eq!(claims.pod().map(|found| found.value), pod(Some("ml"), Some("web-0"), Some("u")));
        assert_eq!(workload(&claims), Some(("ml/Pod/web-0".to_owned(), DOCKER)));
    }

    #[test]
    fn labels_name_the_service_and_the_model() {
        let labels = |pairs: &[(&str, &str)]| {
            Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        let mut claims = Claims::default();
        let named = ContainerClaim {
            source: DOCKER,
            name: Some("shop-web-1".to_owned()),
            labels: labels(&[
                (COMPOSE_PROJECT, "shop"),
                (COMPOSE_SERVICE, "web"),
                ("serving.kserve.io/inferenceservice", "other"),
                ("plumbline.io/model", "housing"),
                ("plumbline.io/model-version", "7"),
            ]),
            ..ContainerClaim::default()
        };
        claims.take(Arc::new(named), at(1));
        assert_eq!(claims.workload().map(|link| link.to.to_string()).as_deref(), Some("shop/ComposeService/web"));
        let model = claims.model().expect("a model");
        assert_eq!((model.to.key.name.as_str(), model.to.version.as_deref()), ("housing", Some("7")));
        assert_eq!((model.source, model.relation), ("plumbline.io/model", Relation::Serves));
        let mut trainer = Claims::default();
        let labels = labels(&[("plumbline.io/model", "housing"), ("plumbline.io/stage", "training")]);
        trainer.take(Arc::new(ContainerClaim { source: DOCKER, labels, ..ContainerClaim::default() }), at(1));
        assert_eq!(trainer.model().map(|model| model.relation), Some(Relation::Trains));
    }

    proptest! {
        /// Whoever speaks in whatever order: a field is unknown only if nobody knows it, and a fresh word is never hidden
        /// by a stale one.
        #[test]
        fn a_fresh_word_is_never_hidden(words in prop::collection::vec((0..3_usize, prop::option::of(0..4_u8), any::<bool>()), 1..20)) {
            let mut claims = Claims::default();
            let mut last: BTreeMap<usize, (Option<u8>, bool)> = BTreeMap::new();
            for (second, (source, word, ages)) in (0..).zip(words) {
                let text = word.map(|word| word.to_string());
                claims.take(claim(SOURCES[source], text.as_deref(), None), at(second));
                if ages {
                    claims.let_age(SOURCES[source]);
                }
                last.insert(source, (word, !ages));
            }
            let found = name(&claims);
            prop_assert_eq!(found.is_some(), last.values().any(|(word, _)| word.is_some()));
            if let Some((_, source)) = found {
                let fresh = |source: usize| last.get(&source).is_some_and(|(word, fresh)| *fresh && word.is_some());
                let chosen = SOURCES.iter().position(|known| *known == source).expect("a source");
                prop_assert!(fresh(chosen) || !(0..SOURCES.len()).any(fresh));
                prop_assert!(!(0..chosen).any(fresh));
            }
        }
    }
}
