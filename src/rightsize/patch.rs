//! A recommendation as something to apply: a command for Docker or Podman, for Kubernetes a command and a manifest's part.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::usage::Member;
use super::{Change, Provisioning, Resource};
use crate::stats::whole::unsigned;

/// What to apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Patch {
    /// With what.
    pub tool: Tool,
    /// The command, or the part of a manifest.
    pub text: String,
    /// What it does not do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// What a patch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// Docker's command line.
    Docker,
    /// Podman's command line.
    Podman,
    /// Kubernetes' command line.
    Kubectl,
    /// An editor: a part of a workload's manifest.
    Manifest,
}

impl Tool {
    /// Its name, which begins its commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Kubectl => "kubectl",
            Self::Manifest => "manifest",
        }
    }

    /// The patch is a command for the shell.
    #[must_use]
    pub fn is_command(self) -> bool {
        self != Self::Manifest
    }
}

const MIB: f64 = 1_048_576.0;

/// What applies the changes of a workload; nothing where none is to be made.
#[must_use]
pub fn patches(workload: &Member, cpu: &Resource, memory: &Resource) -> Vec<Patch> {
    let changes = |r: &Resource| r.request.is_some() || r.limit.is_some();
    let acts = |r: &Resource| r.provisioning != Provisioning::Unknown && changes(r);
    if !acts(cpu) && !acts(memory) {
        return Vec::new();
    }
    // A name that looks like an option would be taken for one, quoted or not.
    let names = [&workload.namespace, &workload.pod, &workload.pod_container, &workload.container_name];
    if names.into_iter().flatten().any(|name| name.starts_with('-') || name.chars().any(char::is_control)) {
        return Vec::new();
    }
    if let (Some(namespace), Some(pod), Some(container)) = (&workload.namespace, &workload.pod, &workload.pod_container)
    {
        return kubernetes(namespace, pod, container, cpu, memory);
    }
    let name = workload.container_name.as_deref().unwrap_or(&workload.container_id);
    match workload.runtime.as_deref() {
        Some("podman") => engine(Tool::Podman, name, cpu, memory).into_iter().collect(),
        Some("docker") => engine(Tool::Docker, name, cpu, memory).into_iter().collect(),
        // Whose it is nobody said, so there is nothing to tell it with.
        _ => Vec::new(),
    }
}

fn engine(tool: Tool, name: &str, cpu: &Resource, memory: &Resource) -> Option<Patch> {
    // Engines know no request of CPU: shares weigh containers against each other, and lowering one's would starve it.
    let mut words = vec![format!("{} update", tool.name())];
    if let Some(limit) = cpu.limit {
        words.push(format!("--cpus {}", limit.to));
    }
    if let Some(limit) = memory.limit {
        words.push(format!("--memory {}m", mib(limit.to)));
        // The engine refuses a limit above the one of memory and swap together; twice is what it sets by itself.
        if limit.from.is_none_or(|from| limit.to > from) {
            words.push(format!("--memory-swap {}m", mib(limit.to).saturating_mul(2)));
        }
    }
    if let Some(request) = memory.request {
        words.push(format!("--memory-reservation {}m", mib(request.to)));
    }
    if words.len() == 1 {
        return None;
    }
    words.push(quoted(name));
    let note = "lasts until the container is recreated; change its Compose file or command too";
    Some(Patch { tool, text: words.join(" "), note: Some(note) })
}

fn kubernetes(namespace: &str, pod: &str, container: &str, cpu: &Resource, memory: &Resource) -> Vec<Patch> {
    let amounts = |cpu: Option<Change>, memory: Option<Change>| -> Map<String, Value> {
        let amounts = [("cpu", cpu.map(|c| millicores(c.to))), ("memory", memory.map(|c| mebibytes(c.to)))];
        amounts.into_iter().filter_map(|(key, amount)| Some((key.to_owned(), Value::String(amount?)))).collect()
    };
    let parts = [("requests", amounts(cpu.request, memory.request)), ("limits", amounts(cpu.limit, memory.limit))];
    let parts = parts.into_iter().filter(|(_, amounts)| !amounts.is_empty());
    let resources: Map<_, _> = parts.map(|(name, amounts)| (name.to_owned(), Value::Object(amounts))).collect();
    let mut manifest = "resources:".to_owned();
    for (name, values) in &resources {
        let _ = write!(manifest, "\n  {name}:");
        for (key, value) in values.as_object().into_iter().flatten() {
            let _ = write!(manifest, "\n    {key}: {}", value.as_str().unwrap_or_default());
        }
    }
    let patch = json!({ "spec": { "containers": [{ "name": container, "resources": resources }] } });
    let resize = format!(
        "kubectl -n {} patch pod {} --subresource resize --patch {}",
        quoted(namespace),
        quoted(pod),
        quoted(&patch.to_string())
    );
    vec![
        Patch {
            tool: Tool::Kubectl,
            text: resize,
            note: Some(
                "resizes the running pod (Kubernetes 1.33 or newer; less memory from 1.34, else by a restart); change its owner's \
                 template too, as below",
            ),
        },
        Patch {
            tool: Tool::Manifest,
            text: manifest,
            note: Some("for the container in the template of its owner (a Deployment or other)"),
        },
    ]
}

fn mib(bytes: f64) -> u64 {
    unsigned((bytes / MIB).ceil())
}

fn millicores(cores: f64) -> String {
    format!("{}m", (cores * 1000.0).round())
}

fn mebibytes(bytes: f64) -> String {
    format!("{}Mi", mib(bytes))
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('-') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(request: Option<(f64, f64)>, limit: Option<(f64, f64)>) -> Resource {
        let change = |(from, to)| Change { from: Some(from), to };
        let provisioning = Provisioning::Over;
        Resource {
            provisioning,
            request: request.map(change),
            limit: limit.map(change),
            ..Resource::unknown(None, String::new())
        }
    }

    #[test]
    fn docker_is_told_by_one_command() {
        let workload = Member {
            runtime: Some("docker".to_owned()),
            container_name: Some("we b'".to_owned()),
            ..Member::default()
        };
        let (cpu, memory) = (resource(None, Some((2.0, 0.25))), resource(None, Some((1e9, 300.5 * MIB))));
        let text = |cpu: &Resource, memory: &Resource| patches(&workload, cpu, memory)[0].text.clone();
        assert_eq!(text(&cpu, &memory), r"docker update --cpus 0.25 --memory 301m 'we b'\'''");
        let raise = resource(None, Some((64.0 * MIB, 80.0 * MIB)));
        let nothing = resource(None, None);
        assert_eq!(text(&nothing, &raise), r"docker update --memory 80m --memory-swap 160m 'we b'\'''");
        assert_eq!(patches(&workload, &nothing, &nothing), []);
    }

    #[test]
    fn kubernetes_has_a_command_and_a_manifest() {
        let some = |text: &str| Some(text.to_owned());
        let workload =
            Member { namespace: some("ml"), pod: some("web-1"), pod_container: some("app"), ..Member::default() };
        let (cpu, memory) =
            (resource(Some((1.0, 0.25)), None), resource(Some((1e9, 300.0 * MIB)), Some((1e9, 300.0 * MIB))));
        let made = patches(&workload, &cpu, &memory);
        let patch = r#"'{"spec":{"containers":[{"name":"app","resources":{"limits":{"memory":"300Mi"},"requests":{"cpu":"250m","memory":"300Mi"}}}]}}'"#;
        assert_eq!(made[0].text, format!("kubectl -n ml patch pod web-1 --subresource resize --patch {patch}"));
        assert_eq!(serde_json::to_value(&made[0]).expect("JSON")["tool"], made[0].tool.name());
        assert_eq!([made[0].tool.is_command(), made[1].tool.is_command()], [true, false]);
        let manifest = "resources:\n  limits:\n    memory: 300Mi\n  requests:\n    cpu: 250m\n    memory: 300Mi";
        assert_eq!(made[1].text, manifest);
    }

    #[test]
    fn one_resource_is_enough_and_nothing_is_made_without_a_verdict() {
        let workload =
            Member { runtime: Some("podman".to_owned()), container_id: "c1".to_owned(), ..Member::default() };
        let nothing = resource(None, None);
        let cpu = resource(None, Some((2.0, 0.25)));
        let made = patches(&workload, &cpu, &nothing);
        assert_eq!((made[0].tool, made[0].text.as_str()), (Tool::Podman, "podman update --cpus 0.25 c1"));
        let unset = Resource { limit: Some(Change { from: None, to: 80.0 * MIB }), ..resource(None, None) };
        let made = patches(&workload, &nothing, &unset);
        assert_eq!(made[0].text, "podman update --memory 80m --memory-swap 160m c1");
        // An engine knows no request of CPU.
        assert_eq!(patches(&workload, &resource(Some((2.0, 0.25)), None), &nothing), []);
        let unknown = Resource { provisioning: Provisioning::Unknown, ..cpu.clone() };
        assert_eq!(patches(&workload, &unknown, &nothing), []);
        let stranger = Member { runtime: None, ..workload };
        assert_eq!(patches(&stranger, &cpu, &nothing), []);
    }

    #[test]
    fn a_pods_limits_of_cpu_are_whole_millicores() {
        let some = |text: &str| Some(text.to_owned());
        let workload =
            Member { namespace: some("ml"), pod: some("web-1"), pod_container: some("app"), ..Member::default() };
        let made = patches(&workload, &resource(None, Some((4.0, 2.01))), &resource(None, None));
        assert_eq!(made[1].text, "resources:\n  limits:\n    cpu: 2010m");
        assert!(made[0].text.contains(r#""resources":{"limits":{"cpu":"2010m"}}"#), "{}", made[0].text);
    }

    #[test]
    fn no_name_becomes_an_option_or_a_command() {
        let cpu = resource(None, Some((2.0, 0.25)));
        for name in ["--privileged", "a\nb"] {
            let workload = Member {
                runtime: Some("docker".to_owned()),
                container_name: Some(name.to_owned()),
                ..Member::default()
            };
            assert_eq!(patches(&workload, &cpu, &resource(None, None)), [], "{name}");
        }
        assert_eq!(["", "-x", "$HOME", "a/b-c_d.e"].map(quoted), ["''", "'-x'", "'$HOME'", "a/b-c_d.e"]);
    }
}
