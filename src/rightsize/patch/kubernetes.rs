//! For Kubernetes: a command and a strategic merge for the owner, values for Helm, and an offer to resize the running pod in place.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::super::usage::Member;
use super::super::{Change, Resource};
use super::{Patch, Tool, mib, quoted};
use crate::identity::{Role, Workload, WorkloadKind};

/// An owner with a template of pods.
struct Template {
    kind: WorkloadKind,
    api: &'static str,
    /// Where the pod's `spec` stands.
    path: &'static [&'static str],
    note: Option<&'static str>,
}

const IN_TEMPLATE: &[&str] = &["spec", "template", "spec"];

/// Kubernetes' own kinds whose template can be changed.
static TEMPLATES: [Template; 5] = [
    Template {
        kind: WorkloadKind::DEPLOYMENT,
        api: "apps/v1",
        path: IN_TEMPLATE,
        note: Some("rolls its pods out anew"),
    },
    Template {
        kind: WorkloadKind::STATEFUL_SET,
        api: "apps/v1",
        path: IN_TEMPLATE,
        note: Some("rolls its pods out anew"),
    },
    Template {
        kind: WorkloadKind::DAEMON_SET,
        api: "apps/v1",
        path: IN_TEMPLATE,
        note: Some("rolls its pods out anew"),
    },
    Template {
        kind: WorkloadKind::REPLICA_SET,
        api: "apps/v1",
        path: IN_TEMPLATE,
        note: Some("counts for pods that it makes from then on"),
    },
    Template {
        kind: WorkloadKind::CRON_JOB,
        api: "batch/v1",
        path: &["spec", "jobTemplate", "spec", "template", "spec"],
        note: Some("counts from its next run on"),
    },
];

const IN_PLACE: &str = "an offer: resizes the running pod in place (Kubernetes 1.33 or newer; less memory from 1.34, else by a restart) and \
                        is lost with it";

pub fn patches(
    workload: &Member,
    [namespace, pod, container]: [&String; 3],
    cpu: &Resource,
    memory: &Resource,
) -> Vec<Patch> {
    let amounts = |cpu: Option<Change>, memory: Option<Change>| -> Map<String, Value> {
        let amounts = [("cpu", cpu.map(|c| millicores(c.to))), ("memory", memory.map(|c| mebibytes(c.to)))];
        amounts.into_iter().filter_map(|(key, amount)| Some((key.to_owned(), Value::String(amount?)))).collect()
    };
    let parts = [("requests", amounts(cpu.request, memory.request)), ("limits", amounts(cpu.limit, memory.limit))];
    let parts = parts.into_iter().filter(|(_, amounts)| !amounts.is_empty());
    let resources: Map<_, _> = parts.map(|(name, amounts)| (name.to_owned(), Value::Object(amounts))).collect();
    let init =
        matches!(workload.role.as_deref(), Some(role) if role == Role::Init.name() || role == Role::Sidecar.name());
    let list = if init { "initContainers" } else { "containers" };
    let mut found = Vec::new();
    let owner = workload.workload.as_ref();
    // Where the API was not read the owner is a guess from the pod's name, and nothing is to be run on a guess.
    let owner = owner.filter(|_| !workload.request_unknown);
    let template = owner.and_then(|owner| TEMPLATES.iter().find(|template| template.kind == owner.kind));
    if let Some((owner, template)) = owner.zip(template) {
        found.extend(set_resources(namespace, owner, container, &resources).map(|text| Patch {
            tool: Tool::Kubectl,
            text,
            note: template.note.map(Into::into),
        }));
        found.push(strategic_merge(namespace, owner, template, list, container, &resources));
    }
    let (note, text) = match owner {
        Some(owner) if owner.kind != WorkloadKind::POD => (
            format!("for the values of its chart, or for the container {container} in {}", owner_title(owner)),
            block(&resources),
        ),
        _ => (format!("for the container {container} in the pod's manifest"), block(&resources)),
    };
    found.push(Patch { tool: Tool::Manifest, text, note: Some(note.into()) });
    // An init container runs to its end: there is nothing to resize. And a resize may not change the class of service.
    let best_effort = workload.qos.as_deref() == Some("BestEffort");
    if workload.role.as_deref() != Some(Role::Init.name()) && !best_effort {
        let patch = json!({ "spec": { list: [{ "name": container, "resources": resources }] } });
        let text = format!(
            "kubectl -n {} patch pod {} --subresource resize --patch {}",
            quoted(namespace),
            quoted(pod),
            quoted(&patch.to_string())
        );
        found.push(Patch { tool: Tool::Kubectl, text, note: Some(IN_PLACE.into()) });
    }
    found
}

fn owner_title(owner: &Workload) -> String {
    format!("{} {}", owner.kind.name(), owner.name)
}

/// `kubectl set resources`. It finds init containers too.
fn set_resources(namespace: &str, owner: &Workload, container: &str, resources: &Map<String, Value>) -> Option<String> {
    let list = |name: &str| {
        let amounts = resources.get(name)?.as_object()?.iter();
        let amounts: Vec<String> =
            amounts.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
        Some(format!(" --{name}={}", amounts.join(",")))
    };
    let amounts: String = ["requests", "limits"].into_iter().filter_map(list).collect();
    let kind = owner.kind.name().to_ascii_lowercase();
    let name = quoted(&format!("{kind}/{}", owner.name));
    (!amounts.is_empty())
        .then(|| format!("kubectl -n {} set resources {name} -c {}{amounts}", quoted(namespace), quoted(container)))
}

/// A strategic merge for the owner: for `kubectl patch --patch-file`, and for kustomize as it is.
fn strategic_merge(
    namespace: &str,
    owner: &Workload,
    template: &Template,
    list: &str,
    container: &str,
    resources: &Map<String, Value>,
) -> Patch {
    let kind = owner.kind.name();
    let mut text = format!(
        "apiVersion: {}\nkind: {kind}\nmetadata:\n  name: {}\n  namespace: {}\n",
        template.api,
        yaml(&owner.name),
        yaml(namespace)
    );
    let mut indent = String::new();
    for key in template.path {
        let _ = writeln!(text, "{indent}{key}:");
        indent.push_str("  ");
    }
    let _ = write!(text, "{indent}{list}:\n{indent}- name: {}\n", yaml(container));
    for line in block(resources).lines() {
        let _ = writeln!(text, "{indent}  {line}");
    }
    let note = format!(
        "kubectl -n {} patch {} {} --patch-file FILE; or a patch of a kustomization",
        quoted(namespace),
        kind.to_ascii_lowercase(),
        quoted(&owner.name)
    );
    Patch { tool: Tool::StrategicMerge, text: text.trim_end().to_owned(), note: Some(note.into()) }
}

/// The `resources` of a container.
fn block(resources: &Map<String, Value>) -> String {
    let mut text = "resources:".to_owned();
    for (name, values) in resources {
        let _ = write!(text, "\n  {name}:");
        for (key, value) in values.as_object().into_iter().flatten() {
            let _ = write!(text, "\n    {key}: {}", value.as_str().unwrap_or_default());
        }
    }
    text
}

/// A name as YAML reads it as text: names of Kubernetes may be all digits, or a word that YAML takes for another.
fn yaml(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !matches!(name, "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n");
    if plain { name.to_owned() } else { Value::String(name.to_owned()).to_string() }
}

fn millicores(cores: f64) -> String {
    format!("{}m", (cores * 1000.0).round())
}

fn mebibytes(bytes: f64) -> String {
    format!("{}Mi", mib(bytes))
}
