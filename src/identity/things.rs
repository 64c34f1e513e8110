//! The things of a node and their keys. Each key has one form, here: the API, metrics, paths and columns spell it alike.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A Kubernetes pod, as far as its names are known. Its UID alone is a key; the names are what people read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pod {
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its UID.
    pub uid: Option<String>,
}

/// What a workload is: a kind of Kubernetes' own or of a custom resource, or what a plain engine knows. The set is open: any
/// controller may own pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct WorkloadKind(Cow<'static, str>);

impl WorkloadKind {
    /// A pod that nothing owns, or whose owner is not known.
    pub const POD: Self = Self::of("Pod");
    /// A Deployment, through its ReplicaSets.
    pub const DEPLOYMENT: Self = Self::of("Deployment");
    /// A ReplicaSet of its own.
    pub const REPLICA_SET: Self = Self::of("ReplicaSet");
    /// A StatefulSet.
    pub const STATEFUL_SET: Self = Self::of("StatefulSet");
    /// A DaemonSet.
    pub const DAEMON_SET: Self = Self::of("DaemonSet");
    /// A Job of its own.
    pub const JOB: Self = Self::of("Job");
    /// A CronJob, through its Jobs.
    pub const CRON_JOB: Self = Self::of("CronJob");
    /// KServe's inference service.
    pub const INFERENCE_SERVICE: Self = Self::of("InferenceService");
    /// A set of Jobs.
    pub const JOB_SET: Self = Self::of("JobSet");
    /// Argo's rollout, through its ReplicaSets.
    pub const ROLLOUT: Self = Self::of("Rollout");
    /// A service of a Compose project.
    pub const COMPOSE_SERVICE: Self = Self::of("ComposeService");
    /// A named container of a plain engine.
    pub const CONTAINER: Self = Self::of("Container");

    const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }

    /// Its name in keys, columns and the API.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// What owns containers: it goes on while they come and go. With the node and the container's name it is the key of the
/// history and of every recommendation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It does the pod's work, or stands alone.
    Main,
    /// It runs to its end before the others begin.
    Init,
    /// It begins before the others and goes on beside them.
    Sidecar,
    /// It holds the pod's namespaces and does nothing (`pause`).
    Sandbox,
    /// Somebody looks into the pod with it (`kubectl debug`).
    Ephemeral,
}

impl Role {
    /// Its name in columns and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Init => "init",
            Self::Sidecar => "sidecar",
            Self::Sandbox => "sandbox",
            Self::Ephemeral => "ephemeral",
        }
    }
}

/// How much of the hardware a device is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Device {
    /// Who made it.
    pub vendor: &'static str,
    /// The vendor's own id of it.
    pub uuid: String,
}

/// What a model is known by. Its version is no part of it: one model is served in several at once, labels name none, and each new one
/// would begin without a reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelKey {
    /// In what its name is unique: a Kubernetes namespace; `None` on plain hosts.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ModelKey {
    /// Of a model that is in no namespace.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { namespace: None, name: name.to_owned() }
    }

    /// Of a model in a namespace.
    #[must_use]
    pub fn within(namespace: &str, name: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }

    /// Which of the models that are `known` a container means that names this one: this one itself; else the one of its name without a
    /// namespace, which is anybody's. A container that is in no namespace means the only one of the name.
    #[must_use]
    pub fn among<'a>(&self, known: impl Iterator<Item = &'a Self> + Clone) -> Option<&'a Self> {
        let named = known.filter(|key| key.name == self.name);
        let in_namespace = |namespace: Option<&String>| named.clone().find(|key| key.namespace.as_ref() == namespace);
        in_namespace(self.namespace.as_ref()).or_else(|| in_namespace(None)).or_else(|| {
            let mut any = named.clone().filter(|_| self.namespace.is_none());
            any.next().filter(|_| any.next().is_none())
        })
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

/// A model as a container names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Model {
    /// Which.
    #[serde(flatten)]
    pub key: ModelKey,
    /// The version that is served.
    pub version: Option<String>,
}

/// One execution of a container, and so of its workload: a restart is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// When it began.
    #[cfg_attr(test, schemars(with = "String"))]
    pub began: Timestamp,
    /// When it was found to have ended; `None` while it goes on.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub ended: Option<Timestamp>,
}

/// How a container's last run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Termination {
    /// Why, in a word of the runtime's: `OOMKilled`, `Error`, `Completed`.
    pub reason: Option<String>,
    /// What its first process ended with.
    pub exit_code: Option<i64>,
    /// When.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub at: Option<Timestamp>,
}

impl Termination {
    /// Memory ran out, in the word that the kubelet and runtimes have for it.
    #[must_use]
    pub fn is_oom_kill(&self) -> bool {
        self.reason.as_deref() == Some("OOMKilled")
    }
}

/// What one thing is to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
        assert_eq!(workload(Some("docker"), WorkloadKind::CONTAINER, "web").to_string(), "docker/Container/web");
        assert_eq!(workload(None, WorkloadKind::CONTAINER, "web").to_string(), "Container/web");
        assert_eq!(WorkloadKind::named("Deployment"), WorkloadKind::DEPLOYMENT, "whoever spells it");
    }

    #[test]
    fn a_container_means_the_model_of_its_own_namespace_before_anybody_s() {
        let (ml, shop, any) = (ModelKey::within("ml", "m"), ModelKey::within("shop", "m"), ModelKey::named("m"));
        let other = ModelKey::within("ml", "n");
        let all = [&other, &ml, &shop, &any];
        let among = |told: &ModelKey, known: &[&ModelKey]| told.among(known.iter().copied()).map(ToString::to_string);
        assert_eq!(among(&ml, &all).as_deref(), Some("ml/m"));
        assert_eq!(among(&any, &all).as_deref(), Some("m"));
        assert_eq!(among(&ModelKey::within("web", "m"), &all).as_deref(), Some("m"), "anybody's");
        assert_eq!(among(&ModelKey::within("web", "m"), &all[..3]), None);
        assert_eq!(among(&any, &all[..2]).as_deref(), Some("ml/m"), "the only one of the name");
        assert_eq!(among(&any, &all[..3]), None, "one of two, and nobody says which");
    }
}
