//! Collectors: each reads one part of the machine. The one list of them is [`COLLECTORS`].
//!
//! To add one: a file below `collect/` with an [`Entry`], and a line in [`COLLECTORS`] (and `pub mod`).
//! It reports levels: all it knows now, with every read. A report that is lost is made good by the next.
//! Its name in the config, its health, its line in the start-up summary and its retries follow from the entry.
//! Joining what they report is left to `analysis`.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod cgroup;
pub mod cri;
mod driver;
pub mod engine;
mod following;
pub mod grpc;
pub mod kubernetes;
pub mod nvml;
pub mod played;
pub mod pod_logs;
pub mod pod_resources;
mod sockets;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, de};

pub use driver::{Driver, Message, Schedule, Stop, Waited};

use crate::clock::Clock;
use crate::health::Brings;
use crate::reading::{Depth, Report};

/// Every collector there is, in the order the start-up summary names them.
pub const COLLECTORS: &[Entry] = &[
    cgroup::ENTRY,
    engine::DOCKER,
    engine::PODMAN,
    cri::ENTRY,
    kubernetes::ENTRY,
    pod_logs::ENTRY,
    pod_resources::ENTRY,
    nvml::ENTRY,
];

/// One collector: what people are told of it, and how it is opened.
pub struct Entry {
    /// Its name in the config, the metrics and the log.
    pub name: &'static str,
    /// What is lost where it cannot open.
    pub without: &'static str,
    /// What its reports hold; what waits for whom at the start, and what the page says where it is down, follow from it.
    pub brings: Brings,
    /// Opens it. Called again, with growing pauses, for as long as it fails.
    pub open: Open,
}

/// Opens a collector.
pub type Open = fn(&Config, &Context) -> Result<Box<dyn Collector>, Error>;

/// What every collector is given.
#[derive(Clone)]
pub struct Context {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Has every collector read at once, for one that learns of a change between ticks.
    pub wake: Stop,
    /// The node's name.
    pub node: String,
}

/// An opened collector. It runs on a thread of its own and may block.
pub trait Collector: Send {
    /// One line for people: what it found.
    fn found(&self) -> String;
    /// Reads.
    ///
    /// # Errors
    /// An error closes the collector; it is then opened anew.
    fn read(&mut self, depth: Depth) -> Result<Report, Error>;
}

/// Why a collector cannot open or read. Says what, where, and what to do where that is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing it reads is not on this machine.
    #[error("not found: {0}")]
    NotFound(String),
    /// It is there, but does not answer as it should.
    #[error("{0}")]
    Failed(String),
}

/// Options of the collectors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Collectors to switch off, by name.
    #[serde(deserialize_with = "collector_names")]
    pub disabled: Vec<String>,
    /// Containers beyond this many are left out, and counted.
    #[serde(deserialize_with = "crate::units::count")]
    pub max_containers: usize,
    /// The cgroup tree.
    pub cgroup: cgroup::Config,
    /// Docker's API.
    pub docker: engine::Config,
    /// Podman's Docker-compatible API.
    pub podman: engine::Config,
    /// The Kubernetes API.
    pub kubernetes: kubernetes::Config,
    /// The folders that a kubelet keeps logs in.
    pub pod_logs: pod_logs::Config,
    /// The runtime of a kubelet, by its own interface.
    pub cri: cri::Config,
    /// The kubelet's socket for pod resources.
    pub pod_resources: pod_resources::Config,
    /// GPUs; a section of its own in the file, `[gpu]`.
    #[serde(skip)]
    pub gpu: nvml::Config,
    /// The demonstration's node is read, and nothing else.
    #[serde(skip)]
    pub played: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            disabled: Vec::new(),
            max_containers: 1000,
            cgroup: cgroup::Config::default(),
            docker: engine::Config::default(),
            podman: engine::Config::default(),
            kubernetes: kubernetes::Config::default(),
            pod_logs: pod_logs::Config::default(),
            cri: cri::Config::default(),
            pod_resources: pod_resources::Config::default(),
            gpu: nvml::Config::default(),
            played: false,
        }
    }
}

impl Config {
    /// Takes the sockets that the environment names.
    pub fn apply_env(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        let set = |name| env(name).filter(|value: &String| !value.is_empty());
        let sockets =
            |config: &mut engine::Config, usual: &str| config.sockets.take().unwrap_or_else(|| vec![usual.to_owned()]);
        if let Some(host) = set("DOCKER_HOST") {
            let known = sockets(&mut self.docker, engine::DOCKER_SOCKET);
            self.docker.sockets = Some([vec![host], known].concat());
        }
        if let Some(folder) = set("XDG_RUNTIME_DIR") {
            let known = sockets(&mut self.podman, engine::PODMAN_SOCKET);
            self.podman.sockets = Some([known, vec![format!("{folder}/podman/podman.sock")]].concat());
        }
    }

    /// The collectors that are to run.
    pub fn enabled(&self) -> impl Iterator<Item = &'static Entry> {
        let real = COLLECTORS.iter().filter(|entry| !self.disabled.iter().any(|name| name == entry.name));
        let played = std::iter::once(&played::ENTRY).filter(|_| self.played);
        real.filter(|_| !self.played).chain(played)
    }
}

fn collector_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<Name>::deserialize(deserializer)?.into_iter().map(|Name(name)| name).collect())
}

/// The name of a collector that there is.
struct Name(String);

const NAMES: [&str; COLLECTORS.len()] = {
    let mut names = [""; COLLECTORS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = COLLECTORS[i].name;
        i += 1;
    }
    names
};

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By a visitor: only an error from within one is told with its place in the list.
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl de::Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a collector's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
        if NAMES.contains(&name) { Ok(Name(name.to_owned())) } else { Err(E::unknown_variant(name, &NAMES)) }
    }
}
