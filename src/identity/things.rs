//! The things of a node and their keys. Each key has one form, here: the API, metrics, paths and columns spell it alike.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

/// A Kubernetes pod, as far as its names are known. Its UID alone is a key; the names are what people read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pod {
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its UID.
    pub uid: Option<String>,
}

/// What a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum WorkloadKind {
    /// A pod whose owner is not known.
    Pod,
    /// A service of a Compose project.
    ComposeService,
    /// A named container of a plain engine.
    Container,
}

impl WorkloadKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Pod, Self::ComposeService, Self::Container];

    /// Its name in keys, columns and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::ComposeService => "ComposeService",
            Self::Container => "Container",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What owns containers: it goes on while they come and go. With the node and the container's name it is the key of the
/// history and of every recommendation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Workload {
    /// In what its name is unique: a Kubernetes namespace, a Compose project, or the engine that named the container.
    pub namespace: Option<String>,
    /// What it is.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

/// A container's part in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It does the pod's work, or stands alone.
    Main,
    /// It runs to its end before the others begin.
    Init,
    /// It begins before the others and goes on beside them.
    Sidecar,
}

impl Role {
    /// Its name in columns and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Init => "init",
            Self::Sidecar => "sidecar",
        }
    }
}

/// How much of the hardware a device is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// All of it.
    #[default]
    Whole,
    /// A part of its own, such as a MIG instance.
    Slice,
    /// All of it, by turns with others.
    TimeShare,
}

impl Share {
    /// Its name in columns and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Slice => "slice",
            Self::TimeShare => "time_share",
        }
    }
}

/// A device of the node. The vendor and the UUID are its key; its place among the others may change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Device {
    /// Who made it.
    pub vendor: &'static str,
    /// The vendor's own id of it.
    pub uuid: String,
}

/// A model. One model may be served in several versions at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Model {
    /// In what its name is unique: a Kubernetes namespace; `None` on plain hosts.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
}

/// One execution of a container, and so of its workload: a restart is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Run {
    /// When it began.
    pub began: Timestamp,
    /// When it was found to have ended; `None` while it goes on.
    pub ended: Option<Timestamp>,
}

/// What one thing is to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// A container of a workload, a process of a container.
    PartOf,
    /// A container was given a device.
    Allocated,
    /// A container's processes are on a device.
    Used,
    /// A container answers for a model.
    Serves,
    /// A container makes a model.
    Trains,
}

impl Relation {
    /// Its name in columns and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PartOf => "part_of",
            Self::Allocated => "allocated",
            Self::Used => "used",
            Self::Serves => "serves",
            Self::Trains => "trains",
        }
    }
}

/// A relation from one thing to another, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link<T> {
    /// The other thing.
    pub to: T,
    /// What the one is to the other.
    pub relation: Relation,
    /// Where this is from: a label's key, or a source.
    pub source: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_has_one_spelling() {
        let workload = |namespace: Option<&str>, kind, name: &str| Workload {
            namespace: namespace.map(str::to_owned),
            kind,
            name: name.to_owned(),
        };
        assert_eq!(workload(Some("docker"), WorkloadKind::Container, "web").to_string(), "docker/Container/web");
        assert_eq!(workload(None, WorkloadKind::Container, "web").to_string(), "Container/web");
        for kind in WorkloadKind::ALL {
            assert_eq!(WorkloadKind::named(kind.name()), Some(kind));
        }
        assert_eq!(WorkloadKind::named("pod"), None);
    }
}
