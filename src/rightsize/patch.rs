//! A recommendation as something to apply: a command for Docker or Podman; for Kubernetes see `kubernetes`.

mod kubernetes;

use std::borrow::Cow;

use serde::Serialize;

use super::usage::Member;
use super::{Provisioning, Resource};
use crate::stats::whole::unsigned;

/// What to apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Patch {
    /// With what.
    pub tool: Tool,
    /// The command, or the part of a manifest.
    pub text: String,
    /// What it does not do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Cow<'static, str>>,
}

/// What a patch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Docker's command line.
    Docker,
    /// Podman's command line.
    Podman,
    /// Kubernetes' command line.
    Kubectl,
    /// Kubernetes' command line again: a file for `kubectl patch`, or for kustomize.
    StrategicMerge,
    /// An editor: the part of Helm values, or of a manifest, that holds a container's resources.
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
            Self::StrategicMerge => "strategic merge",
            Self::Manifest => "manifest",
        }
    }

    /// The patch is a command for the shell.
    #[must_use]
    pub fn is_command(self) -> bool {
        !matches!(self, Self::Manifest | Self::StrategicMerge)
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
    let owner = workload.workload.as_ref().map(|workload| workload.name.clone());
    let names = [&workload.namespace, &workload.pod, &workload.pod_container, &workload.container_name, &owner];
    if names.into_iter().flatten().any(|name| name.starts_with('-') || name.chars().any(char::is_control)) {
        return Vec::new();
    }
    if let (Some(namespace), Some(pod), Some(container)) = (&workload.namespace, &workload.pod, &workload.pod_container)
    {
        return kubernetes::patches(workload, [namespace, pod, container], cpu, memory);
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
    Some(Patch { tool, text: words.join(" "), note: Some(note.into()) })
}

fn mib(bytes: f64) -> u64 {
    unsigned((bytes / MIB).ceil())
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
    use super::super::Change;
    use super::*;
    use crate::identity::{Workload, WorkloadKind};

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

    fn member(pod: &str, owner: Option<(WorkloadKind, &str)>) -> Member {
        let some = |text: &str| Some(text.to_owned());
        let owner = owner.map(|(kind, name)| Workload { namespace: some("ml"), kind, name: name.to_owned() });
        let pod_container = some("app");
        Member { namespace: some("ml"), pod: some(pod), pod_container, workload: owner, ..Member::default() }
    }

    fn resized() -> (Resource, Resource) {
        (resource(Some((1.0, 0.25)), None), resource(Some((1e9, 300.0 * MIB)), Some((1e9, 300.0 * MIB))))
    }

    #[test]
    fn a_pod_of_its_own_has_a_manifest_and_an_offer() {
        let (cpu, memory) = resized();
        let made = patches(&member("web-1", None), &cpu, &memory);
        let patch = r#"'{"spec":{"containers":[{"name":"app","resources":{"limits":{"memory":"300Mi"},"requests":{"cpu":"250m","memory":"300Mi"}}}]}}'"#;
        assert_eq!(made[1].text, format!("kubectl -n ml patch pod web-1 --subresource resize --patch {patch}"));
        assert_eq!([made[0].tool.is_command(), made[1].tool.is_command()], [false, true]);
        let manifest = "resources:\n  limits:\n    memory: 300Mi\n  requests:\n    cpu: 250m\n    memory: 300Mi";
        assert_eq!(made[0].text, manifest);
        assert_eq!(patches(&member("web-1", Some((WorkloadKind::POD, "web-1"))), &cpu, &memory), made);
    }

    #[test]
    fn an_owner_is_patched_before_its_pods() {
        let (cpu, memory) = resized();
        let made = patches(&member("web-6d5f7c9b8-x2x4z", Some((WorkloadKind::DEPLOYMENT, "web"))), &cpu, &memory);
        let tools: Vec<Tool> = made.iter().map(|patch| patch.tool).collect();
        assert_eq!(tools, [Tool::Kubectl, Tool::StrategicMerge, Tool::Manifest, Tool::Kubectl]);
        let command =
            "kubectl -n ml set resources deployment/web -c app --requests=cpu=250m,memory=300Mi --limits=memory=300Mi";
        assert_eq!(made[0].text, command);
        let merge = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: ml\nspec:\n  template:\n    \
                     spec:\n      containers:\n      - name: app\n        resources:\n          limits:\n            memory: \
                     300Mi\n          requests:\n            cpu: 250m\n            memory: 300Mi";
        assert_eq!(made[1].text, merge);
        let offer = made[3].note.as_deref().unwrap_or_default();
        assert!(offer.starts_with("an offer"), "{offer}");
    }

    #[test]
    fn kinds_have_their_own_templates_and_parts_of_a_pod_their_own_lists() {
        let (cpu, memory) = resized();
        let made = patches(&member("n-29749680-x2x4z", Some((WorkloadKind::CRON_JOB, "n"))), &cpu, &memory);
        assert!(made[0].text.contains(" cronjob/n "), "{}", made[0].text);
        assert!(
            made[1].text.contains("apiVersion: batch/v1\nkind: CronJob") && made[1].text.contains("  jobTemplate:\n")
        );
        let sidecar =
            Member { role: Some("sidecar".to_owned()), ..member("web-0", Some((WorkloadKind::STATEFUL_SET, "web"))) };
        let made = patches(&sidecar, &cpu, &memory);
        assert!(made[1].text.contains("      initContainers:\n"), "{}", made[1].text);
        assert!(made[3].text.contains(r#"{"spec":{"initContainers":[{"#), "{}", made[3].text);
        let init = Member { role: Some("init".to_owned()), ..sidecar };
        assert_eq!(patches(&init, &cpu, &memory).len(), 3, "it has nothing to resize in place");
        // A custom resource has its pods' resources where it likes; a Job's template stays as it was made.
        for kind in ["RayCluster", "InferenceService", "Job"] {
            let made = patches(&member("r-head-x", Some((WorkloadKind::named(kind), "r"))), &cpu, &memory);
            assert_eq!(made[0].tool, Tool::Manifest);
            assert!(made[0].note.as_deref().is_some_and(|note| note.contains(&format!("{kind} r"))));
        }
        // A name of digits is no number.
        let made = patches(&member("1-0", Some((WorkloadKind::STATEFUL_SET, "1"))), &cpu, &memory);
        assert!(made[1].text.contains("  name: \"1\"\n"), "{}", made[1].text);
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
        let made = patches(&member("web-1", None), &resource(None, Some((4.0, 2.01))), &resource(None, None));
        assert_eq!(made[0].text, "resources:\n  limits:\n    cpu: 2010m");
        assert!(made[1].text.contains(r#""resources":{"limits":{"cpu":"2010m"}}"#), "{}", made[1].text);
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
