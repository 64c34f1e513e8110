//! Whom a point speaks of, in attributes, and the table of those: what each names, and how it is shown and sent. Alerts, exporters,
//! the snapshot and the reference page read it.

use std::borrow::Cow;

/// What an attribute belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Of {
    /// A container.
    Container,
    /// A GPU.
    Gpu,
    /// A model.
    Model,
    /// A part of the agent.
    Agent,
}

/// Where Prometheus has an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Queries need it: a label of every series.
    Label,
    /// The same, with the name beside it that kube-state-metrics, most dashboards, routes and silences have for it.
    LabelAnd(&'static str),
    /// A label of `target_info` alone.
    Info,
}

/// An attribute there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Named {
    /// Dotted, as OpenTelemetry spells it. A prefix, if it ends with a dot.
    pub key: &'static str,
    /// What it belongs to.
    pub of: Of,
    /// Alerts carry it: it says which one, where the rest change (an id with each new container) or go without saying.
    pub identity: bool,
    /// Where Prometheus has it.
    pub place: Place,
    /// The conventions make it a list.
    pub list: bool,
}

const fn named(key: &'static str, of: Of, place: Place) -> Named {
    Named { key, of, identity: false, place, list: false }
}

const fn identity(key: &'static str, of: Of, place: Place) -> Named {
    Named { identity: true, ..named(key, of, place) }
}

/// A container's id.
pub static CONTAINER_ID: Named = named("container.id", Of::Container, Place::Label);
/// A container's name.
pub static CONTAINER_NAME: Named = identity("container.name", Of::Container, Place::Label);
/// Its image.
pub static IMAGE_NAME: Named = named("container.image.name", Of::Container, Place::Label);
/// Its namespace in Kubernetes.
pub static NAMESPACE: Named = identity("k8s.namespace.name", Of::Container, Place::LabelAnd("namespace"));
/// Its pod.
pub static POD_NAME: Named = identity("k8s.pod.name", Of::Container, Place::LabelAnd("pod"));
/// The pod's id.
pub static POD_UID: Named = named("k8s.pod.uid", Of::Container, Place::Label);
/// Its name within the pod.
pub static POD_CONTAINER: Named = identity("k8s.container.name", Of::Container, Place::LabelAnd("container"));
/// What owns its pod, by kinds that the conventions know.
pub static DEPLOYMENT: Named = identity("k8s.deployment.name", Of::Container, Place::LabelAnd("deployment"));
/// The same.
pub static STATEFUL_SET: Named = identity("k8s.statefulset.name", Of::Container, Place::LabelAnd("statefulset"));
/// The same.
pub static DAEMON_SET: Named = identity("k8s.daemonset.name", Of::Container, Place::LabelAnd("daemonset"));
/// The same.
pub static REPLICA_SET: Named = identity("k8s.replicaset.name", Of::Container, Place::LabelAnd("replicaset"));
/// The same.
pub static JOB: Named = identity("k8s.job.name", Of::Container, Place::LabelAnd("job_name"));
/// The same.
pub static CRON_JOB: Named = identity("k8s.cronjob.name", Of::Container, Place::LabelAnd("cronjob"));
/// What owns its pod, by another kind.
pub static WORKLOAD_KIND: Named = identity("plumbline.workload.kind", Of::Container, Place::Label);
/// Its name.
pub static WORKLOAD_NAME: Named = identity("plumbline.workload.name", Of::Container, Place::Label);
/// The digest of the image.
pub static IMAGE_DIGEST: Named =
    Named { list: true, ..named("container.image.repo_digests", Of::Container, Place::Info) };
/// The pod's labels, each by its key.
pub static POD_LABEL: Named = named("k8s.pod.label.", Of::Container, Place::Info);
/// The image's tag.
pub static IMAGE_TAGS: Named = Named { list: true, ..named("container.image.tags", Of::Container, Place::Info) };
/// What runs it.
pub static RUNTIME_NAME: Named = named("container.runtime.name", Of::Container, Place::Info);
/// Its labels, each by its key.
pub static CONTAINER_LABEL: Named = named("container.label.", Of::Container, Place::Info);
/// A GPU's UUID.
pub static GPU_ID: Named = identity("hw.id", Of::Gpu, Place::Label);
/// Its number, as people say it.
pub static GPU_NAME: Named = identity("hw.name", Of::Gpu, Place::Label);
/// That it is a GPU.
pub static GPU_TYPE: Named = named("hw.type", Of::Gpu, Place::Label);
/// What is printed on it.
pub static GPU_MODEL: Named = identity("hw.model", Of::Gpu, Place::Label);
/// Who made it.
pub static GPU_VENDOR: Named = named("hw.vendor", Of::Gpu, Place::Info);
/// The driver's version.
pub static GPU_DRIVER: Named = named("hw.driver_version", Of::Gpu, Place::Info);
/// A model's name.
pub static MODEL: Named = identity("model", Of::Model, Place::Label);
/// A model's namespace, where it has one.
pub static MODEL_NAMESPACE: Named = identity("model.namespace", Of::Model, Place::Label);
/// A collector's name.
pub static COLLECTOR: Named = identity("collector", Of::Agent, Place::Label);
/// An exporter's name.
pub static EXPORTER: Named = identity("exporter", Of::Agent, Place::Label);

/// Every attribute that says whom a point speaks of.
pub static ATTRIBUTES: &[&Named] = &[
    &CONTAINER_ID,
    &CONTAINER_NAME,
    &IMAGE_NAME,
    &NAMESPACE,
    &POD_NAME,
    &POD_UID,
    &POD_CONTAINER,
    &DEPLOYMENT,
    &STATEFUL_SET,
    &DAEMON_SET,
    &REPLICA_SET,
    &JOB,
    &CRON_JOB,
    &WORKLOAD_KIND,
    &WORKLOAD_NAME,
    &IMAGE_TAGS,
    &IMAGE_DIGEST,
    &RUNTIME_NAME,
    &CONTAINER_LABEL,
    &POD_LABEL,
    &GPU_ID,
    &GPU_NAME,
    &GPU_TYPE,
    &GPU_MODEL,
    &GPU_VENDOR,
    &GPU_DRIVER,
    &MODEL,
    &MODEL_NAMESPACE,
    &COLLECTOR,
    &EXPORTER,
];

impl Named {
    /// The entry of a key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Self> {
        ATTRIBUTES.iter().copied().find(|named| named.has(key))
    }

    /// The key is this one's.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        if self.key.ends_with('.') { key.starts_with(self.key) } else { key == self.key }
    }

    /// Its key as people read it.
    #[must_use]
    pub fn shown(&self) -> Cow<'static, str> {
        if self.key.ends_with('.') { format!("{}<key>", self.key).into() } else { self.key.into() }
    }

    /// It is a label of every Prometheus series.
    #[must_use]
    pub fn is_label(&self) -> bool {
        self.place != Place::Info
    }

    /// The name that stands beside its own as a Prometheus label.
    #[must_use]
    pub fn short(&self) -> Option<&'static str> {
        if let Place::LabelAnd(short) = self.place { Some(short) } else { None }
    }
}

/// Whom a point speaks of: a container, a device, or the node. Becomes an OTLP resource and Prometheus labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Subject {
    /// In a fixed order.
    pub attributes: Vec<Attribute>,
}

/// One attribute of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// Dotted, as OpenTelemetry spells it.
    pub key: Cow<'static, str>,
    /// Its value.
    pub value: String,
    /// What it is.
    pub named: &'static Named,
}

impl Attribute {
    /// An attribute of the table.
    #[must_use]
    pub fn new(named: &'static Named, value: impl Into<String>) -> Self {
        Self { key: named.key.into(), value: value.into(), named }
    }

    /// A label of a container, or of a pod.
    #[must_use]
    pub fn label(named: &'static Named, key: &str, value: &str) -> Self {
        Self { key: format!("{}{key}", named.key).into(), value: value.to_owned(), named }
    }
}

impl Subject {
    /// The node itself, and the agent on it: the node's attributes stand in every resource.
    #[must_use]
    pub fn node() -> Self {
        Self::default()
    }

    /// It is the node itself.
    #[must_use]
    pub fn is_node(&self) -> bool {
        self.attributes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_in_the_table_and_found_by_its_key() {
        let declared = include_str!("attribute.rs").lines().filter(|line| line.starts_with("pub static ")).count() - 1;
        assert_eq!(ATTRIBUTES.len(), declared, "a static is not listed");
        for named in ATTRIBUTES {
            assert_eq!(Named::find(named.key), Some(*named));
        }
        let own = Attribute::label(&CONTAINER_LABEL, "team", "a");
        assert_eq!((own.key.as_ref(), Named::find(&own.key)), ("container.label.team", Some(&CONTAINER_LABEL)));
        assert_eq!(Named::find("cpu.mode"), None);
    }
}
