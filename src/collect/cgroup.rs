//! Resource use of every container, straight from its cgroup's files and its network namespace.
//!
//! Needs no runtime and no socket: read access to the cgroup tree and to /proc. Names and images are left to the
//! runtimes' collectors.

mod files;
mod layout;
mod parse;
mod tree;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Deserialize;

use super::{Collector, Entry, Error};
use crate::clock::Clock;
use crate::health::Brings;
use crate::identity::cgroup::CgroupIdentity;
use crate::identity::node::Machine;
use crate::reading::{ContainerReading, Depth, Report};
use crate::signal::Signals;
use crate::signal::container::id;
use files::{ContainerFiles, KEPT, TextReader, items_of};
use layout::Layout;
use tree::Found;

/// The cgroup collector's place in the list.
pub const ENTRY: Entry = Entry {
    name: "cgroup",
    without: "no resource use at all: containers are known by name only",
    brings: Brings::Containers,
    open: |config, context| Ok(Box::new(Cgroups::open(config, Arc::clone(&context.clock))?)),
};

/// Where the host's trees are mounted. In a container, bind the host's read-only and point here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The cgroup tree.
    pub root: PathBuf,
    /// The host's proc file system.
    pub proc: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { root: PathBuf::from("/sys/fs/cgroup"), proc: PathBuf::from("/proc") }
    }
}

struct Cgroups {
    layout: Layout,
    walked: PathBuf,
    proc: PathBuf,
    max_containers: usize,
    /// Containers whose files stay open: a quarter of what the process may open is theirs.
    keeps: u64,
    clock: Arc<dyn Clock>,
    text: TextReader,
    host_network: Option<u64>,
    /// The containers' processes are visible.
    sees_processes: bool,
    devices: HashMap<String, String>,
    tracked: BTreeMap<String, Tracked>,
}

/// What is remembered of a container between ticks.
struct Tracked {
    identity: CgroupIdentity,
    files: ContainerFiles,
    started: Option<Timestamp>,
    /// Containers are nested in it.
    has_nested: bool,
    /// At the last tick; `None` before the first.
    cpu_time: Option<f64>,
}

/// A network namespace to be read through one of its processes, and the container that answers for it.
struct Namespace {
    owner: String,
    owner_started: Option<Timestamp>,
    pid: u32,
}

impl Cgroups {
    fn open(config: &super::Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let root = &config.cgroup.root;
        let layout = Layout::detect(root).ok_or_else(|| {
            Error::NotFound(format!(
                "{}: no cgroup hierarchy; mount the host's there or set collect.cgroup.root",
                root.display()
            ))
        })?;
        let walked = layout
            .walked()
            .ok_or_else(|| Error::NotFound(format!("{}: no cpu or memory controller", root.display())))?
            .to_owned();
        fs::read_dir(&walked).map_err(|error| Error::Failed(format!("{}: {error}", walked.display())))?;
        let proc = config.cgroup.proc.clone();
        let mut text = TextReader::default();
        Ok(Self {
            sees_processes: sees_processes(&layout, &walked, &proc, &mut text),
            layout,
            walked,
            host_network: namespace(&proc, 1).or_else(|| namespace_of(&proc.join("self/ns/net"))),
            proc,
            max_containers: config.max_containers,
            keeps: open_files() / 4 / KEPT,
            clock,
            text,
            devices: HashMap::new(),
            tracked: BTreeMap::new(),
        })
    }

    /// What the kernel says that there is.
    fn machine(&mut self) -> Machine {
        Machine {
            cores: self.text.read(&self.proc.join("stat")).and_then(parse::cores),
            memory: self.text.read(&self.proc.join("meminfo")).and_then(parse::memory),
        }
    }

    /// Brings `tracked` in line with the tree. Returns how many containers the bound leaves out.
    fn track(&mut self, found: Vec<Found>) -> u64 {
        let left_out = found.len().saturating_sub(self.max_containers);
        let mut before = std::mem::take(&mut self.tracked);
        // In order of path, what lies inside a folder follows it at once.
        let nested: Vec<bool> = found
            .iter()
            .enumerate()
            .map(|(i, f)| found.get(i.saturating_add(1)).is_some_and(|next| is_inside(&next.path, &f.path)))
            .collect();
        // Those already followed stay, so that a crowd of newcomers does not push out what is known.
        let (known, new): (Vec<_>, Vec<_>) =
            found.into_iter().zip(nested).partition(|(f, _)| before.contains_key(&f.path));
        for (Found { path, identity }, has_nested) in known.into_iter().chain(new).take(self.max_containers) {
            let keep = u64::try_from(self.tracked.len()).is_ok_and(|tracked| tracked < self.keeps);
            let mut tracked = before.remove(&path).unwrap_or_else(|| Tracked {
                files: ContainerFiles::new(&self.layout, &path, identity.pod_uid.is_some(), keep),
                identity,
                started: None,
                has_nested: false,
                cpu_time: None,
            });
            tracked.has_nested = has_nested;
            self.tracked.insert(path, tracked);
        }
        left_out as u64
    }

    /// Reads CPU time and memory of every container, and the rest too on a full tick, or at once when a container
    /// is new or began anew: who answers for a shared network namespace is only known from all of them together.
    fn read_containers(&mut self, depth: Depth) -> Vec<ContainerReading> {
        let mut full = depth == Depth::Full;
        let Self { tracked, text, devices, proc, host_network, clock, .. } = self;
        let mut readings = Vec::with_capacity(tracked.len());
        for container in tracked.values_mut() {
            let at = clock.moment();
            let mut signals = Signals::default();
            container.files.read_inner(text, &mut signals.values);
            if signals == Signals::default() {
                continue; // gone since the walk
            }
            let cpu_time = signals.value(const { id("cpu.time") }).unwrap_or(0.0);
            if container.cpu_time.is_none_or(|before| cpu_time < before) {
                full = true;
                container.started = oldest_process(text, proc, at.wall, &container.files);
            }
            container.cpu_time = Some(cpu_time);
            let reading = ContainerReading {
                id: container.identity.id.clone(),
                runtime: container.identity.runtime,
                pod_uid: container.identity.pod_uid.clone(),
                at,
                started: container.started,
                depth: Depth::Inner,
                signals,
            };
            readings.push((reading, &*container));
        }
        if full {
            let device_name = |number: &str| devices.get(number).cloned().unwrap_or_else(|| number.to_owned());
            let mut namespaces: HashMap<u64, Namespace> = HashMap::new();
            for (reading, container) in &mut readings {
                reading.depth = Depth::Full;
                container.files.read_full(text, &device_name, &mut reading.signals);
                if let Some(pid) = container.files.any_pid(text)
                    && let Some(inode) = namespace(proc, pid).filter(|inode| Some(*inode) != *host_network)
                {
                    note_namespace(&mut namespaces, inode, container, pid);
                }
            }
            let owners: HashMap<&str, u32> = namespaces.values().map(|n| (n.owner.as_str(), n.pid)).collect();
            for (reading, container) in &mut readings {
                if let Some(pid) = owners.get(container.identity.id.as_str()) {
                    let path = proc.join(pid.to_string()).join("net/dev");
                    let interfaces = text.read(&path).map(parse::net_dev).unwrap_or_default();
                    let moved = const { [id("network.receive"), id("network.transmit")] };
                    items_of(interfaces, moved, &mut reading.signals.items);
                }
            }
        }
        readings.into_iter().map(|(reading, _)| reading).collect()
    }
}

/// How many files the process may have open; as many as the system lets it.
fn open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current.unwrap_or(u64::MAX),
        Err(_) => limit.current.unwrap_or(u64::MAX),
    }
}

fn is_inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// When the oldest of a container's processes started.
///
/// Counted back from `now`: the boot time that the kernel tells is cut to whole seconds.
fn oldest_process(text: &mut TextReader, proc: &Path, now: Timestamp, files: &ContainerFiles) -> Option<Timestamp> {
    /// Processes are listed in no promised order, but a container's first is among its first.
    const LOOKED_AT: usize = 16;
    const MS_PER_TICK: i64 = 10;
    let pids = files.pids(text, LOOKED_AT);
    let ticks = pids
        .into_iter()
        .filter_map(|pid| parse::start_ticks(text.read(&proc.join(pid.to_string()).join("stat"))?))
        .min()?;
    let uptime_ms = parse::uptime_ms(text.read(&proc.join("uptime"))?)?;
    let age_ms = uptime_ms.checked_sub(i64::try_from(ticks).ok()?.checked_mul(MS_PER_TICK)?)?;
    now.checked_sub(SignedDuration::from_millis(age_ms.max(0))).ok()
}

/// A namespace that several containers share (a pod's) is reported once, by the one that started first:
/// its sandbox, or the container whose network the others joined.
fn note_namespace(namespaces: &mut HashMap<u64, Namespace>, inode: u64, container: &Tracked, pid: u32) {
    let candidate = Namespace { owner: container.identity.id.clone(), owner_started: container.started, pid };
    match namespaces.entry(inode) {
        std::collections::hash_map::Entry::Vacant(vacant) => {
            vacant.insert(candidate);
        }
        std::collections::hash_map::Entry::Occupied(mut held) => {
            let earlier = match (candidate.owner_started, held.get().owner_started) {
                (Some(candidate), Some(held)) => candidate < held,
                (Some(_), None) => true,
                _ => false,
            };
            if earlier {
                held.insert(candidate);
            }
        }
    }
}

/// Whether the network namespaces of the containers' processes can be read. Asked of a container where there is one;
/// else of the first process, which a sandbox may hide though the containers are visible.
fn sees_processes(layout: &Layout, walked: &Path, proc: &Path, text: &mut TextReader) -> bool {
    let found = tree::containers(walked, &|_| false).unwrap_or_default();
    match found.first() {
        Some(first) => {
            let pid = ContainerFiles::new(layout, &first.path, false, false).any_pid(text);
            pid.is_some_and(|pid| namespace(proc, pid).is_some())
        }
        None => namespace(proc, 1).is_some() || text.read(&proc.join("1/stat")).is_some(),
    }
}

/// The inode of a process's network namespace.
fn namespace(proc: &Path, pid: u32) -> Option<u64> {
    namespace_of(&proc.join(pid.to_string()).join("ns/net"))
}

fn namespace_of(link: &Path) -> Option<u64> {
    let target = fs::read_link(link).ok()?;
    target.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

impl Collector for Cgroups {
    fn found(&self) -> String {
        let network = if self.sees_processes {
            ""
        } else {
            "; without network and start times (processes are not visible: run as root, in the host's PID namespace)"
        };
        let pressure = if self.layout.pressure.as_ref().is_some_and(|h| h.root.join("cpu.pressure").exists()) {
            ""
        } else {
            "; without pressure (this kernel has PSI off)"
        };
        format!("{} at {}{network}{pressure}", self.layout.describe(), self.walked.display())
    }

    fn read(&mut self, depth: Depth) -> Result<Report, Error> {
        // Reading a container's folder costs as much as reading its files, and few have containers inside: those that
        // are known to have none are looked into on full ticks only.
        let tracked = &self.tracked;
        let enter = |path: &str| depth == Depth::Full || tracked.get(path).is_none_or(|t| t.has_nested);
        let found = tree::containers(&self.walked, &enter)
            .map_err(|e| Error::Failed(format!("{}: {e}", self.walked.display())))?;
        let left_out = self.track(found);
        if depth == Depth::Full || self.devices.is_empty() {
            let partitions = self.text.read(&self.proc.join("partitions")).map(parse::partitions);
            self.devices = partitions.unwrap_or_default().into_iter().collect();
        }
        let machine = (depth == Depth::Full).then(|| self.machine());
        Ok(Report { containers: Some(self.read_containers(depth)), machine, left_out, ..Report::default() })
    }
}
