//! Names, images, labels and limits of containers, from an engine that speaks Docker's API: Docker, or Podman's
//! compatible socket. Follows its events, so that a start or a stop is known at once; asks for the rest only then.
//!
//! Resource use is left to `cgroup`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, DeviceRequest, EventMessage, HostConfig};
use bollard::query_parameters::{EventsOptions, InspectContainerOptions, ListContainersOptions};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use serde::Deserialize;

use super::following::Following;
use super::sockets::{self, LINGER, explain};
use super::{Collector, Context, Entry, Error, Stop};
use crate::clock::Clock;
use crate::health::Brings;
use crate::identity::claim::{self, pod_by_labels};
use crate::identity::{About, ContainerClaim, Devices, Role, split_image};
use crate::reading::{Depth, Report};

const NAMES_LOST: &str =
    "its containers are shown by id, without image, labels and requests; a start or stop shows on the next tick";

/// Docker's place in the list.
pub const DOCKER: Entry = Entry {
    name: "docker",
    without: NAMES_LOST,
    brings: Brings::Names,
    open: |config, context| open("docker", &config.docker, DOCKER_SOCKET, config.max_containers, context),
};

/// Podman's place in the list.
pub const PODMAN: Entry = Entry {
    name: "podman",
    without: NAMES_LOST,
    brings: Brings::Names,
    open: |config, context| open("podman", &config.podman, PODMAN_SOCKET, config.max_containers, context),
};

/// Where an engine listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Sockets to try in turn: paths, `unix://` or `tcp://` addresses. Where none are named, the usual one of its engine.
    pub sockets: Option<Vec<String>>,
}

/// Docker's usual socket.
pub const DOCKER_SOCKET: &str = "/var/run/docker.sock";
/// Podman's usual socket for root.
pub const PODMAN_SOCKET: &str = "/run/podman/podman.sock";

/// Seconds an answer may take.
const TIMEOUT: u64 = 10;
/// Everything is asked anew this often, in case an event was lost.
const RESYNC: Duration = Duration::from_secs(60);
/// No node has more GPUs.
const MOST_DEVICES: i64 = 1024;
/// Inspections under way at once.
const AT_ONCE: usize = 4;

fn open(
    runtime: &'static str,
    config: &Config,
    usual: &str,
    max_containers: usize,
    context: &Context,
) -> Result<Box<dyn Collector>, Error> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::Failed(format!("no runtime for {runtime}: {e}")))?;
    let usual = [usual.to_owned()];
    let follower = sockets::first(config.sockets.as_deref().unwrap_or(&usual), |socket| {
        tokio.block_on(connect(runtime, socket, max_containers, context))
    })?;
    Engine::start(tokio, follower)
}

async fn connect(
    runtime: &'static str,
    socket: &str,
    max_containers: usize,
    context: &Context,
) -> Result<Follower, Error> {
    let version = bollard::API_DEFAULT_VERSION;
    let failed = |error: bollard::errors::Error| Error::Failed(format!("{socket}: {}", explain(&error)));
    let docker = if socket.starts_with("tcp://") || socket.starts_with("http://") {
        Docker::connect_with_http(socket, TIMEOUT, version)
    } else {
        let path = socket.trim_start_matches("unix://");
        if !std::path::Path::new(path).exists() {
            return Err(Error::NotFound(path.to_owned()));
        }
        Docker::connect_with_unix(path, TIMEOUT, version)
    };
    let docker = docker.map_err(failed)?.negotiate_version().await.map_err(failed)?;
    let server = docker.version().await.map_err(failed)?;
    // Podman may stand behind Docker's socket; its containers are Podman's all the same.
    let components = server.components.unwrap_or_default();
    let runtime = if components.iter().any(|c| c.name.starts_with("Podman")) { "podman" } else { runtime };
    let server = server.version.unwrap_or_else(|| "of unknown version".to_owned());
    let Context { clock, wake, .. } = context.clone();
    let since = clock.now().as_second().saturating_sub(1);
    let found = format!("{runtime} {server} at {socket}");
    let follower = Follower { runtime, docker, clock, wake, shared: Arc::default(), found, since, max_containers };
    follower.resync().await.map_err(failed)?;
    Ok(follower)
}

/// The collector: a thread follows the engine, and reads take what it has gathered.
struct Engine {
    shared: Arc<Mutex<Shared>>,
    found: String,
    _following: Following,
}

/// What the follower has gathered.
#[derive(Debug, Default)]
struct Shared {
    claims: HashMap<String, Arc<ContainerClaim>>,
    /// All of them, made anew with each change.
    list: Arc<[Arc<ContainerClaim>]>,
    /// Why the follower ended.
    ended: Option<String>,
}

impl Engine {
    fn start(tokio: tokio::runtime::Runtime, follower: Follower) -> Result<Box<dyn Collector>, Error> {
        let (shared, found) = (Arc::clone(&follower.shared), follower.found.clone());
        let following = Following::start(format!("follow-{}", follower.runtime), tokio, async move {
            let ended = follower.follow().await;
            follower.change(|shared| shared.ended = Some(ended));
        })?;
        Ok(Box::new(Self { shared, found, _following: following }))
    }
}

impl Collector for Engine {
    fn found(&self) -> String {
        self.found.clone()
    }

    fn read(&mut self, _: Depth) -> Result<Report, Error> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &shared.ended {
            return Err(Error::Failed(why.clone()));
        }
        Ok(Report { claims: Some(Arc::clone(&shared.list)), ..Report::default() })
    }
}

/// What an inspection came to.
type Answer = Result<Option<ContainerClaim>, bollard::errors::Error>;

/// Follows one engine.
struct Follower {
    runtime: &'static str,
    docker: Docker,
    clock: Arc<dyn Clock>,
    wake: Stop,
    shared: Arc<Mutex<Shared>>,
    found: String,
    /// Events are asked for from then on: from before the first list, so that none is missed.
    since: i64,
    /// No more containers than this are told of.
    max_containers: usize,
}

impl Follower {
    /// Changes what is known, and has everyone read at once if that made a difference.
    fn change(&self, change: impl FnOnce(&mut Shared)) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shared.claims.clone();
        change(&mut shared);
        if shared.claims != before || shared.ended.is_some() {
            shared.list = shared.claims.values().cloned().collect();
            self.wake.wake();
        }
    }

    /// Follows the events until they end, and says why they did.
    async fn follow(&self) -> String {
        let filters = HashMap::from([("type".to_owned(), vec!["container".to_owned()])]);
        let options =
            EventsOptions { since: Some(self.since.to_string()), filters: Some(filters), ..EventsOptions::default() };
        let docker = self.docker.clone();
        let mut events = std::pin::pin!(docker.events(Some(options)));
        let mut resync = tokio::time::interval(RESYNC);
        resync.tick().await;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => self.take_event(event).await,
                    Some(Err(error)) => return explain(&error),
                    None => return format!("{} closed its stream of events", self.runtime),
                },
                _ = resync.tick() => if let Err(error) = self.resync().await {
                    return explain(&error);
                },
            }
        }
    }

    /// Asks for everything.
    async fn resync(&self) -> Result<(), bollard::errors::Error> {
        let list = self.docker.list_containers(None::<ListContainersOptions>).await?;
        let ids = list.into_iter().filter_map(|summary| summary.id).take(self.max_containers);
        let answers: Vec<(String, Answer)> =
            stream::iter(ids).map(|id| self.inspect_with_id(id)).buffer_unordered(AT_ONCE).collect().await;
        let now = self.clock.now();
        self.change(|shared| {
            let mut before = std::mem::take(&mut shared.claims);
            for (id, answer) in answers {
                let known = before.remove(&id);
                let claim = match (answer, known) {
                    (Ok(Some(claim)), Some(known)) => Arc::new(carrying_ooms(claim, &known)),
                    (Ok(Some(claim)), None) => Arc::new(claim),
                    // It is in the list of those that run: an inspection that fails does not end it.
                    (Err(_), Some(known)) => known,
                    (_, None) | (Ok(None), _) => continue,
                };
                shared.claims.insert(id, claim);
            }
            for (id, claim) in before {
                let finished = claim.finished.unwrap_or(now);
                if now.duration_since(finished) < LINGER {
                    shared.claims.insert(id, Arc::new(ContainerClaim { finished: Some(finished), ..(*claim).clone() }));
                }
            }
        });
        Ok(())
    }

    async fn inspect_with_id(&self, id: String) -> (String, Answer) {
        let answer = self.inspect(&id).await;
        (id, answer)
    }

    /// What the engine says of one container; `None` where it knows none of that id.
    async fn inspect(&self, id: &str) -> Answer {
        match self.docker.inspect_container(id, None::<InspectContainerOptions>).await {
            Ok(answer) => Ok(claim_of(self.runtime, answer)),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => {
                tracing::debug!(runtime = self.runtime, id, %error, "container cannot be inspected");
                Err(error)
            }
        }
    }

    async fn take_event(&self, event: EventMessage) {
        let (Some(action), Some(id)) = (event.action, event.actor.and_then(|actor| actor.id)) else { return };
        // Health checks and logins come as exec events, many a minute: they change nothing here.
        if action.starts_with("exec") || matches!(action.as_str(), "attach" | "top" | "resize" | "kill" | "create") {
            return;
        }
        let answer = self.inspect(&id).await;
        let now = self.clock.now();
        self.change(|shared| {
            let known = shared.claims.get(&id).cloned();
            let mut claim = match (answer, &known) {
                (Ok(Some(claim)), Some(known)) => carrying_ooms(claim, known),
                (Ok(Some(claim)), None) => claim,
                // Removed already: what was known of it ends now.
                (Ok(None), Some(known)) => {
                    ContainerClaim { finished: known.finished.or(Some(now)), ..(**known).clone() }
                }
                (Err(_), Some(known)) => (**known).clone(),
                (_, None) => return,
            };
            if action == "oom" && claim.finished.is_none() {
                claim.oom_events = claim.oom_events.saturating_add(1);
            } else if action == "oom" {
                claim.oom_events = claim.oom_events.max(1);
            }
            if known.is_none() && shared.claims.len() >= self.max_containers {
                return;
            }
            shared.claims.insert(id, Arc::new(claim));
            shared.claims.retain(|_, claim| claim.finished.is_none_or(|at| now.duration_since(at) < LINGER));
        });
    }
}

/// A new claim with the OOM events of this run that were counted so far; none where the container began anew since.
fn carrying_ooms(now: ContainerClaim, known: &ContainerClaim) -> ContainerClaim {
    let counted = if known.started == now.started { known.oom_events } else { 0 };
    ContainerClaim { oom_events: now.oom_events.max(counted), ..now }
}

/// An inspection's answer as a claim. `None` for a container that has never run.
fn claim_of(runtime: &'static str, answer: ContainerInspectResponse) -> Option<ContainerClaim> {
    let id = answer.id?;
    let state = answer.state?;
    let config = answer.config.unwrap_or_default();
    let host = answer.host_config.unwrap_or_default();
    // Docker writes the year 1 for "never".
    let time = |text: Option<String>| text?.parse::<Timestamp>().ok().filter(|t| *t > Timestamp::UNIX_EPOCH);
    let started = time(state.started_at);
    let running = state.running.unwrap_or(false);
    if started.is_none() && !running {
        return None;
    }
    let (image, image_tag) = config.image.or(answer.image).map_or((None, None), |reference| {
        let (name, tag) = split_image(&reference);
        (Some(name), tag)
    });
    let labels = sockets::kept(config.labels.unwrap_or_default());
    let (pod, pod_container) = pod_by_labels(&labels);
    let sandbox = labels.get("io.kubernetes.docker.type").is_some_and(|kind| kind == "podsandbox");
    // As in the cgroup: the kubelet's shares are a request, anyone else's a weight.
    let shares = positive(host.cpu_shares).filter(|shares| *shares > 2 && pod.is_some());
    Some(ContainerClaim {
        name: answer.name.map(|name| name.trim_start_matches('/').to_owned()).filter(|name| !name.is_empty()),
        about: About::Container(id),
        source: if runtime == claim::PODMAN { claim::PODMAN } else { claim::DOCKER },
        runtime: Some(runtime),
        pod,
        pod_container,
        role: sandbox.then_some(Role::Sandbox),
        image,
        image_tag,
        labels: Some(labels),
        started,
        finished: (!running).then(|| time(state.finished_at).or(started)).flatten(),
        cpu_limit: cpu_limit(&host),
        cpu_request: shares.map(|shares| shares as f64 / 1024.0),
        memory_limit: positive(host.memory),
        memory_request: positive(host.memory_reservation),
        restarts: answer.restart_count.and_then(|count| u64::try_from(count).ok()),
        host_network: Some(host.network_mode.as_deref() == Some("host")),
        devices: devices(host.device_requests.as_deref().unwrap_or_default()),
        allocated: None,
        // While it runs the flag may still tell of the run before.
        oom_events: u64::from(!running && state.oom_killed.unwrap_or(false)),
        ..ContainerClaim::default()
    })
}

/// The GPUs that were requested: by count the first ones, as the engine gives them out; by their ids or places, as CDI spells them
/// too (`nvidia.com/gpu=0`).
fn devices(requests: &[DeviceRequest]) -> Option<Devices> {
    let gpu = |request: &&DeviceRequest| {
        let capable = request.capabilities.iter().flatten().flatten().any(|capability| capability == "gpu");
        capable || matches!(request.driver.as_deref(), Some("nvidia" | "cdi"))
    };
    let mut names = Vec::new();
    for request in requests.iter().filter(gpu) {
        let ids = request.device_ids.as_deref().unwrap_or_default();
        let ids = ids.iter().map(|id| id.strip_prefix("nvidia.com/gpu=").unwrap_or(id));
        names.extend(ids.map(str::to_owned));
        match request.count.unwrap_or(0) {
            -1 => return Some(Devices::All),
            count => names.extend((0..count.clamp(0, MOST_DEVICES)).map(|index| index.to_string())),
        }
    }
    if names.iter().any(|name| name == "all") {
        return Some(Devices::All);
    }
    (!names.is_empty()).then_some(Devices::Named(names))
}

fn cpu_limit(host: &HostConfig) -> Option<f64> {
    let nano = positive(host.nano_cpus).map(|nano| nano as f64 / 1e9);
    let quota =
        positive(host.cpu_quota).map(|quota| quota as f64 / positive(host.cpu_period).unwrap_or(100_000) as f64);
    nano.or(quota)
}

/// The API writes 0 for "not set".
fn positive(value: Option<i64>) -> Option<u64> {
    u64::try_from(value?).ok().filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerConfig, ContainerState};

    use super::*;

    fn answer() -> ContainerInspectResponse {
        ContainerInspectResponse {
            id: Some("c".repeat(64)),
            name: Some("/web".to_owned()),
            config: Some(ContainerConfig { image: Some("bb:1".to_owned()), ..ContainerConfig::default() }),
            state: Some(ContainerState {
                running: Some(true),
                started_at: Some("2026-11-23T13:17:33.722Z".to_owned()),
                finished_at: Some("0001-01-01T00:00:00Z".to_owned()),
                ..ContainerState::default()
            }),
            host_config: Some(HostConfig {
                nano_cpus: Some(500_000_000),
                memory: Some(64 << 20),
                memory_reservation: Some(0),
                cpu_shares: Some(512),
                network_mode: Some("host".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerInspectResponse::default()
        }
    }

    #[test]
    fn an_answer_becomes_facts() {
        let claim = claim_of("docker", answer()).expect("claim");
        assert_eq!(
            (claim.name.as_deref(), claim.image.as_deref(), claim.image_tag.as_deref()),
            (Some("web"), Some("bb"), Some("1"))
        );
        assert_eq!((claim.cpu_limit, claim.cpu_request), (Some(0.5), None));
        assert_eq!((claim.memory_limit, claim.memory_request), (Some(64 << 20), None), "zero means not set");
        assert!(claim.host_network == Some(true) && claim.finished.is_none());
    }

    #[test]
    fn a_quota_is_a_limit_and_shares_of_a_pod_a_request() {
        let mut answer = answer();
        let host = answer.host_config.as_mut().expect("a host config");
        (host.nano_cpus, host.cpu_quota, host.cpu_period) = (Some(0), Some(150_000), Some(50_000));
        let labels = HashMap::from([("io.kubernetes.pod.name".to_owned(), "p".to_owned())]);
        answer.config.as_mut().expect("a config").labels = Some(labels);
        let claim = claim_of("docker", answer).expect("claim");
        assert_eq!((claim.cpu_limit, claim.cpu_request), (Some(3.0), Some(0.5)));
    }

    #[test]
    fn requested_gpus_are_devices() {
        let request = |count, ids: &[&str]| DeviceRequest {
            count: Some(count),
            device_ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
            capabilities: Some(vec![vec!["gpu".to_owned()]]),
            ..DeviceRequest::default()
        };
        let cdi = DeviceRequest {
            driver: Some("cdi".to_owned()),
            device_ids: Some(vec!["nvidia.com/gpu=all".to_owned()]),
            ..DeviceRequest::default()
        };
        let named = |names: &[&str]| Some(Devices::Named(names.iter().map(|name| (*name).to_owned()).collect()));
        assert_eq!(devices(&[request(-1, &[])]), Some(Devices::All));
        assert_eq!(devices(&[request(2, &[])]), named(&["0", "1"]));
        assert_eq!(devices(&[request(0, &["GPU-a", "3"])]), named(&["GPU-a", "3"]));
        assert_eq!(devices(&[cdi]), Some(Devices::All));
        let other = DeviceRequest { capabilities: None, ..request(-1, &[]) };
        assert_eq!(devices(&[other]), None, "no GPU");
        let given = named(&["GPU-a", "3"]).expect("devices");
        assert!(given.have("GPU-a", 0) && given.have("GPU-b", 3) && !given.have("GPU-b", 0));
    }

    #[test]
    fn what_never_ran_is_no_container_yet() {
        let mut answer = answer();
        let state = answer.state.as_mut().expect("a state");
        state.started_at = Some("0001-01-01T00:00:00Z".to_owned());
        state.running = Some(false);
        assert_eq!(claim_of("docker", answer), None);
    }
}
