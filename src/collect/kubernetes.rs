//! This node's pods and the node itself, by the Kubernetes API: owners, requests and limits, restarts, labels, and what the node has.
//!
//! A list, and then a watch, of the pods that are bound to this node, and of the one node. Nothing else is asked for, but autoscalers where
//! the configuration says so. What of a pod is kept stands in `object`.

mod allow;
mod autoscaler;
mod claims;
pub mod descriptions;
mod object;
mod quantity;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::allow::Allowed;
use self::autoscaler::Autoscalers;
use self::object::{Node, Pod};
use super::following::Following;
use super::{Collector, Context, Entry, Error, Stop, sockets};
use crate::health::Brings;
use crate::identity::claim::KUBERNETES;
use crate::identity::node::{Amounts, NodeClaim};
use crate::identity::{ContainerClaim, owner};
use crate::reading::{Depth, Report};

/// Its place in the list.
pub const ENTRY: Entry = Entry {
    name: KUBERNETES,
    without: "requests, owners and labels of pods are unknown, and so are verdicts on sizes and patches",
    brings: Brings::Names,
    open: |config, context| open(&config.kubernetes, context),
};

/// How the API is asked, and what is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Outside a pod: a file that says where the API is and who asks.
    pub kubeconfig: Option<PathBuf>,
    /// The node's name in Kubernetes, where it is not the agent's (`agent.node`, $NODE_NAME).
    pub node: Option<String>,
    /// HorizontalPodAutoscalers and VerticalPodAutoscalers are listed every few minutes: the account needs the right to.
    pub autoscalers: bool,
    /// Namespaces whose labelled ConfigMaps describe models; `*` for all. The account needs the right to list and watch them.
    pub descriptions: Vec<String>,
    /// Labels of pods that are kept: keys, or what they begin with and a `*`.
    pub labels: Vec<String>,
    /// Annotations of pods that are kept, and read as labels.
    pub annotations: Vec<String>,
    /// Labels of the node that are kept.
    pub node_labels: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let own = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Self {
            kubeconfig: None,
            node: None,
            autoscalers: false,
            descriptions: Vec::new(),
            labels: own(&[
                "app",
                "app.kubernetes.io/*",
                "team",
                "plumbline.io/*",
                "serving.kserve.io/*",
                "training.kubeflow.org/*",
                "jobset.sigs.k8s.io/*",
                "ray.io/*",
                "kueue.x-k8s.io/*",
                "notebook-name",
            ]),
            annotations: own(&["plumbline.io/*"]),
            node_labels: own(&[
                "kubernetes.io/arch",
                "node.kubernetes.io/*",
                "topology.kubernetes.io/*",
                "karpenter.sh/*",
                "eks.amazonaws.com/nodegroup",
                "eks.amazonaws.com/capacityType",
                "cloud.google.com/gke-nodepool",
                "cloud.google.com/gke-spot",
                "kubernetes.azure.com/agentpool",
                "kubernetes.azure.com/scalesetpriority",
                "agentpool",
                "machine.openshift.io/*",
                "nvidia.com/gpu.product",
                "nvidia.com/mig.config",
            ]),
        }
    }
}

/// Pods in a page of the list.
const PAGE: u32 = 100;
/// The first list takes no longer.
const FIRST: Duration = Duration::from_secs(20);
/// A watch that fails is begun anew with growing pauses; when it has failed for so long, the collector is down.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 15 } else { 60 });
/// Autoscalers are listed so often: they change as seldom as deployments do.
const AUTOSCALERS: Duration = Duration::from_secs(300);
/// What changes at once is told at once.
const SETTLE: Duration = Duration::from_millis(200);
const TOLD_AT_LATEST: Duration = Duration::from_secs(1);

/// The instant so long from now, by the runtime's timer.
fn after(pause: Duration) -> Instant {
    tokio::time::sleep(pause).deadline()
}

fn open(config: &Config, context: &Context) -> Result<Box<dyn Collector>, Error> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::Failed(format!("no runtime: {e}")))?;
    let node = config.node.clone().unwrap_or_else(|| context.node.clone());
    let follower = tokio.block_on(async {
        let (client, server) = connect(config).await?;
        let mut follower = Follower::new(&client, server, config, node, context.wake.clone());
        match tokio::time::timeout(FIRST, follower.first()).await {
            Ok(Ok(())) => Ok(follower),
            Ok(Err(why)) => Err(Error::Failed(why)),
            Err(_) => Err(Error::Failed(format!("the API did not answer within {} s", FIRST.as_secs()))),
        }
    })?;
    Kubernetes::start(tokio, follower)
}

/// A client, and the server's address.
async fn connect(config: &Config) -> Result<(Client, String), Error> {
    let told = match &config.kubeconfig {
        Some(path) => {
            let failed = |error: &dyn std::fmt::Display| Error::Failed(format!("{}: {error}", path.display()));
            let file = Kubeconfig::read_from(path).map_err(|e| failed(&e))?;
            kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(|e| failed(&e))?
        }
        None => kube::Config::incluster().map_err(|error| {
            Error::NotFound(format!(
                "no token of a pod's account ({error}); outside a pod name collect.kubernetes.kubeconfig"
            ))
        })?,
    };
    // The API is reached as it is: a proxy of the environment is for what lies outside.
    let mut told = told;
    told.proxy_url = None;
    let server = told.cluster_url.to_string();
    Client::try_from(told).map(|client| (client, server)).map_err(|error| Error::Failed(explain(&error)))
}

/// What went wrong, and what to do where that is known.
fn explain(error: &dyn std::error::Error) -> String {
    let text = sockets::explain(error);
    let hint = if text.contains("forbidden") {
        "; the account needs list and watch of pods and nodes (deploy/kubernetes)"
    } else {
        ""
    };
    text + hint
}

/// What the follower has gathered.
#[derive(Debug, Default)]
struct Shared {
    claims: Arc<[Arc<ContainerClaim>]>,
    node: Option<Arc<NodeClaim>>,
    /// Why the follower ended.
    ended: Option<String>,
}

/// The collector: a thread follows the API, and reads take what it has gathered.
struct Kubernetes {
    shared: Arc<Mutex<Shared>>,
    found: String,
    _following: Following,
}

impl Kubernetes {
    fn start(tokio: tokio::runtime::Runtime, follower: Follower) -> Result<Box<dyn Collector>, Error> {
        let (shared, wake, found) = (Arc::clone(&follower.shared), follower.wake.clone(), follower.found());
        let told = Arc::clone(&shared);
        let following = Following::start("follow-kubernetes".to_owned(), tokio, async move {
            let ended = follower.follow().await;
            told.lock().unwrap_or_else(PoisonError::into_inner).ended = Some(ended);
            wake.wake();
        })?;
        Ok(Box::new(Self { shared, found, _following: following }))
    }
}

impl Collector for Kubernetes {
    fn found(&self) -> String {
        self.found.clone()
    }

    fn read(&mut self, _: Depth) -> Result<Report, Error> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &shared.ended {
            return Err(Error::Failed(why.clone()));
        }
        Ok(Report { claims: Some(Arc::clone(&shared.claims)), node: shared.node.clone(), ..Report::default() })
    }
}

/// What is kept of a pod.
struct Known {
    claims: Vec<Arc<ContainerClaim>>,
    /// What it asks of the node; `None` once it has ended.
    requested: Option<Amounts>,
}

type Events<K> = Pin<Box<dyn Stream<Item = Result<Event<K>, watcher::Error>> + Send>>;

/// Follows the API.
struct Follower {
    name: String,
    server: String,
    allowed: Allowed,
    wake: Stop,
    shared: Arc<Mutex<Shared>>,
    pod_events: Events<Pod>,
    node_events: Events<Node>,
    /// By UID.
    pods: BTreeMap<String, Known>,
    /// Those of a list that is being read: it takes the other's place when it is whole.
    listed: BTreeMap<String, Known>,
    node: Option<NodeClaim>,
    /// The lists were whole once: of pods, of the node.
    whole: (bool, bool),
    /// Since when each watch has failed, of pods and of the node: until when it may, and why it does.
    failing: [Option<(Instant, String)>; 2],
    /// Where autoscalers are listed: what was found each time.
    found_autoscalers: Option<mpsc::Receiver<Autoscalers>>,
    autoscalers: Autoscalers,
    /// What was told last.
    told: Vec<Arc<ContainerClaim>>,
}

impl Follower {
    fn new(client: &Client, server: String, config: &Config, name: String, wake: Stop) -> Self {
        let watched = |selector: String| watcher::Config::default().fields(&selector).any_semantic().page_size(PAGE);
        let pods = watcher(Api::<Pod>::all(client.clone()), watched(format!("spec.nodeName={name}")));
        let nodes = watcher(Api::<Node>::all(client.clone()), watched(format!("metadata.name={name}")));
        let kept = owner::LABELS.iter().map(|key| (*key).to_owned());
        let allowed = Allowed {
            labels: config.labels.iter().cloned().chain(kept).collect(),
            annotations: config.annotations.clone(),
            node_labels: config.node_labels.clone(),
        };
        Self {
            name,
            server,
            allowed,
            wake,
            shared: Arc::default(),
            // Pauses grow to half a minute, each of a random length: agents of a fleet do not come back at once.
            pod_events: Box::pin(pods.default_backoff()),
            node_events: Box::pin(nodes.default_backoff()),
            pods: BTreeMap::new(),
            listed: BTreeMap::new(),
            node: None,
            whole: (false, false),
            failing: [None, None],
            found_autoscalers: config.autoscalers.then(|| autoscaler::follow(client.clone(), AUTOSCALERS)),
            autoscalers: Autoscalers::new(),
            told: Vec::new(),
        }
    }

    fn found(&self) -> String {
        let node = if self.node.is_some() { String::new() } else { format!("; there is no node {}", self.name) };
        format!("{} pods on {} by {}{node}", self.pods.len(), self.name, self.server)
    }

    /// Reads both lists.
    async fn first(&mut self) -> Result<(), String> {
        while self.whole != (true, true) {
            self.next().await;
            // One that is whole already has begun to be watched, which may fail and go on.
            let [pods, node] = &mut self.failing;
            let to_come = [pods.take_if(|_| !self.whole.0), node.take_if(|_| !self.whole.1)];
            if let Some((_, why)) = to_come.into_iter().flatten().next() {
                return Err(why);
            }
        }
        self.tell();
        Ok(())
    }

    /// Follows for as long as it goes, and says why it ended.
    async fn follow(mut self) -> String {
        loop {
            let patience = self.failing.iter().flatten().map(|(until, _)| *until).min();
            match patience {
                Some(until) => {
                    let _ = tokio::time::timeout_at(until, self.next()).await;
                }
                None => self.next().await,
            }
            if let Some((_, why)) = self.failing.iter().flatten().find(|(until, _)| *until <= after(Duration::ZERO)) {
                return why.clone();
            }
            // A rollout is many changes within a moment; but where there is always one more, some are told of.
            let latest = after(TOLD_AT_LATEST);
            while after(Duration::ZERO) < latest && tokio::time::timeout(SETTLE, self.next()).await.is_ok() {}
            self.tell();
        }
    }

    /// Takes one event in.
    async fn next(&mut self) {
        let found = async {
            match &mut self.found_autoscalers {
                Some(found) => found.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            found = found => match found {
                Some(found) => self.autoscalers = found,
                None => self.found_autoscalers = None,
            },
            event = self.pod_events.next() => {
                if let Some(event) = self.heard(0, event) {
                    self.take_pod(event);
                }
            }
            event = self.node_events.next() => {
                if let Some(event) = self.heard(1, event) {
                    self.take_node(event);
                }
            }
        }
    }

    /// Notes whether a watch goes on. That it begins anew (`Init`) says nothing: what follows may fail.
    fn heard<K>(&mut self, watch: usize, event: Option<Result<Event<K>, watcher::Error>>) -> Option<Event<K>> {
        let why = match event {
            Some(Ok(event)) => {
                if !matches!(event, Event::Init) {
                    self.failing[watch] = None;
                }
                return Some(event);
            }
            Some(Err(error)) => explain(&error),
            None => "the watch ended".to_owned(),
        };
        tracing::debug!(collector = KUBERNETES, error = why, "watch failed: it is begun anew");
        self.failing[watch].get_or_insert_with(|| (after(PATIENCE), String::new())).1 = why;
        None
    }

    fn take_pod(&mut self, event: Event<Pod>) {
        let known = |pod: &Pod, allowed: &Allowed| Known {
            claims: claims::claims(pod, allowed).into_iter().map(Arc::new).collect(),
            requested: claims::counts(pod).then(|| claims::requested(pod)),
        };
        match event {
            Event::Apply(pod) => {
                self.pods.insert(pod.uid().unwrap_or_default(), known(&pod, &self.allowed));
            }
            Event::Delete(pod) => {
                self.pods.remove(&pod.uid().unwrap_or_default());
            }
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => {
                self.listed.insert(pod.uid().unwrap_or_default(), known(&pod, &self.allowed));
            }
            Event::InitDone => {
                self.pods = std::mem::take(&mut self.listed);
                self.whole.0 = true;
            }
        }
    }

    fn take_node(&mut self, event: Event<Node>) {
        match event {
            Event::Apply(node) | Event::InitApply(node) => {
                self.node = Some(NodeClaim {
                    capacity: node.status.capacity.0,
                    allocatable: node.status.allocatable.0,
                    labels: self.allowed.of_node(&node.metadata.labels.unwrap_or_default()),
                    ..NodeClaim::default()
                });
            }
            Event::Delete(_) | Event::Init => self.node = None,
            Event::InitDone => self.whole.1 = true,
        }
    }

    /// Tells what is known now, where that is another than before.
    fn tell(&mut self) {
        if self.whole != (true, true) {
            return;
        }
        let scaled = |claim: &Arc<ContainerClaim>| {
            let workload = claim.workload.as_ref();
            match workload.and_then(|workload| autoscaler::of(&self.autoscalers, &workload.to)) {
                Some(by) => Arc::new(ContainerClaim { autoscalers: Some(by.clone()), ..(**claim).clone() }),
                None => Arc::clone(claim),
            }
        };
        let claims: Vec<Arc<ContainerClaim>> =
            self.pods.values().flat_map(|pod| pod.claims.iter().map(scaled)).collect();
        let mut requested = Amounts::new();
        let holding = || self.pods.values().filter_map(|pod| pod.requested.as_ref());
        holding().for_each(|amounts| claims::add(&mut requested, amounts));
        let pods = holding().count() as u64;
        let node = self.node.clone().map(|node| Arc::new(NodeClaim { requested, pods, ..node }));
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let same = claims == self.told;
        if !same {
            shared.claims = claims.clone().into();
            self.told = claims;
        }
        if !same || shared.node != node {
            shared.node = node;
            drop(shared);
            self.wake.wake();
        }
    }
}
