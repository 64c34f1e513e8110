//! A container's id, runtime and pod from a cgroup path.
//!
//! Pure. Reading the paths is left to `collect`.

/// What a cgroup path says of the container it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupIdentity {
    /// 64 hex digits.
    pub id: String,
    /// The runtime the name gives away, in OpenTelemetry's spelling; `None` for a bare id.
    pub runtime: Option<&'static str>,
    /// The Kubernetes pod's UID.
    pub pod_uid: Option<String>,
}

/// What stands before the id in a cgroup's name, and whose habit that is.
/// Longer prefixes stand before those they begin with.
const PREFIXES: &[(&str, &str)] = &[
    ("docker-", "docker"),
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("crio-", CRIO),
    ("libpod-payload-", "podman"),
    ("libpod-", "podman"),
];

const CRIO: &str = "cri-o";

/// The container a cgroup path belongs to: the deepest component that names one.
///
/// Accepts paths as they stand in `/proc/PID/cgroup`, those of a private cgroup namespace (`/../../..`) among them.
#[must_use]
pub fn from_cgroup_path(path: &str) -> Option<CgroupIdentity> {
    let components: Vec<&str> = path.split('/').filter(|c| !c.is_empty() && *c != "..").collect();
    let (depth, (id, runtime)) =
        components.iter().enumerate().rev().find_map(|(depth, c)| Some((depth, container_component(c)?)))?;
    let parent = depth.checked_sub(1).map(|above| components[above]);
    Some(CgroupIdentity {
        id: id.to_owned(),
        runtime: runtime.or((parent == Some("docker")).then_some("docker")),
        pod_uid: components[..=depth].iter().rev().find_map(|c| pod_uid(c)),
    })
}

/// The container of a process, by the text of its `/proc/PID/cgroup`. On hybrid hosts the v2 line may be unrelated, so
/// the v1 lines of memory and CPU speak first.
#[must_use]
pub fn from_proc_cgroup(text: &str) -> Option<CgroupIdentity> {
    let lines = || {
        text.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            rest.split_once(':')
        })
    };
    let of = |controller: &'static str| {
        lines().filter(move |(names, _)| names.split(',').any(|name| name == controller)).map(|(_, path)| path)
    };
    let mut paths = of("memory").chain(of("cpu")).chain(of("")).chain(lines().map(|(_, path)| path));
    paths.find_map(from_cgroup_path)
}

/// The container a cgroup's own name (one path component) denotes, and the runtime its form gives away.
#[must_use]
pub fn container_component(component: &str) -> Option<(&str, Option<&'static str>)> {
    if is_container_id(component) {
        return Some((component, None));
    }
    // A cgroupfs runtime under a kubelet that speaks systemd: `<pod slice>:cri-containerd:<id>`.
    if let Some((rest, id)) = component.rsplit_once(':') {
        let (_, prefix) = rest.rsplit_once(':')?;
        let runtime = PREFIXES.iter().find(|(p, _)| p.trim_end_matches('-') == prefix)?.1;
        return is_container_id(id).then_some((id, Some(runtime)));
    }
    let (name, is_scope) = match component.strip_suffix(".scope") {
        Some(name) => (name, true),
        None => (component, false),
    };
    PREFIXES.iter().find_map(|(prefix, runtime)| {
        let id = name.strip_prefix(prefix).filter(|id| is_container_id(id))?;
        // CRI-O leaves the `.scope` off its sandboxes only.
        (*runtime != CRIO || is_scope).then_some((id, Some(*runtime)))
    })
}

/// An id as container runtimes give them: 64 hex digits.
#[must_use]
pub fn is_container_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The pod UID in one component: `pod<uid>`, or `...-pod<uid with _>.slice`.
fn pod_uid(component: &str) -> Option<String> {
    let component = component.split(':').next()?;
    let component = component.strip_suffix(".slice").unwrap_or(component);
    let (before, uid) = component.rsplit_once("pod")?;
    if !(before.is_empty() || before.ends_with('-')) {
        return None;
    }
    let uid = uid.replace('_', "-");
    let hex = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.bytes().filter(|b| *b == b'-').count();
    // A UUID, or the bare digest that static pods get.
    (hex == 32 && uid.len().checked_sub(hex) == Some(dashes) && matches!(dashes, 0 | 4)).then_some(uid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "604287fa60d1fefbf7007902c46cb05af84c751c0b1aeccebbbcc9ab87dc8dd9";
    const OUTER: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    const UID: &str = "2c48913c-b29f-11e7-9350-020968147796";
    const UID_: &str = "2c48913c_b29f_11e7_9350_020968147796";

    #[test]
    fn every_known_path_gives_its_container() {
        let pod = Some(UID);
        let cases: &[(String, Option<&str>, Option<&str>)] = &[
            (format!("/docker/{ID}"), Some("docker"), None),
            (format!("/docker/{ID}/init"), Some("docker"), None),
            (format!("/custom-parent/{ID}"), None, None),
            (format!("/system.slice/docker-{ID}.scope"), Some("docker"), None),
            (format!("/../../../../system.slice/docker-{ID}.scope"), Some("docker"), None),
            (format!("/kubepods/burstable/pod{UID}/{ID}"), None, pod),
            (format!("/kubepods/pod{UID}/{ID}"), None, pod),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope"
                ),
                Some("containerd"),
                pod,
            ),
            (format!("/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope"), Some("containerd"), pod),
            (
                format!("/system.slice/containerd.service/kubepods-besteffort-pod{UID_}.slice:cri-containerd:{ID}"),
                Some("containerd"),
                pod,
            ),
            (format!("/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope"), Some("cri-o"), pod),
            (format!("/kubepods.slice/kubepods-pod{UID_}.slice/docker-{ID}.scope"), Some("docker"), pod),
            (
                format!(
                    "/system.slice/docker-{OUTER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope"
                ),
                Some("containerd"),
                pod,
            ),
            (format!("/machine.slice/libpod-{ID}.scope/container"), Some("podman"), None),
            (
                format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container"),
                Some("podman"),
                None,
            ),
            (format!("/libpod_parent/libpod-{ID}"), Some("podman"), None),
            (format!("/system.slice/app.service/libpod-payload-{ID}"), Some("podman"), None),
        ];
        for (path, runtime, pod) in cases {
            let got = from_cgroup_path(path).unwrap_or_else(|| panic!("{path}: no container found"));
            assert_eq!((got.id.as_str(), got.runtime, got.pod_uid.as_deref()), (ID, *runtime, *pod), "{path}");
        }
    }

    #[test]
    fn a_process_belongs_to_the_container_its_controllers_name() {
        let of = |text: &str| from_proc_cgroup(text).map(|identity| identity.id);
        assert_eq!(of(&format!("0::/system.slice/docker-{ID}.scope\n")).as_deref(), Some(ID));
        let hybrid = format!("12:pids:/docker/{OUTER}\n4:memory:/docker/{ID}\n1:name=systemd:/x\n0::/docker/{OUTER}\n");
        assert_eq!(of(&hybrid).as_deref(), Some(ID), "memory's line speaks first");
        assert_eq!(of("4:memory:/user.slice\n0::/init.scope\n"), None);
        assert_eq!(of("rubbish"), None);
    }

    #[test]
    fn what_is_no_container_is_left_alone() {
        for path in [
            "/".to_owned(),
            "/system.slice/ssh.service".to_owned(),
            "/process_api/4f0e763d3c9f65fc4fea3e77f472691b".to_owned(),
            format!("/kubepods.slice/kubepods-pod{UID_}.slice/crio-conmon-{ID}.scope"),
            format!("/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}"),
            format!("/machine.slice/libpod-conmon-{ID}.scope"),
            format!("/system.slice/docker-{}.scope", &ID[..63]),
            format!("/kubepods/burstable/pod{UID}"),
        ] {
            assert_eq!(from_cgroup_path(&path), None, "{path}");
        }
    }

    #[test]
    fn static_pods_have_a_digest_for_uid() {
        let path = format!("/kubepods/burstable/pod0123456789abcdef0123456789abcdef/{ID}");
        assert_eq!(
            from_cgroup_path(&path).and_then(|c| c.pod_uid).as_deref(),
            Some("0123456789abcdef0123456789abcdef")
        );
    }

    proptest! {
        #[test]
        fn no_path_panics_and_an_id_is_always_64_hex(path in "[a-f0-9/:._-]{0,40}(docker-|pod|:cri-containerd:)?[a-f0-9]{60,66}(\\.scope)?/?") {
            if let Some(found) = from_cgroup_path(&path) {
                prop_assert!(is_container_id(&found.id));
                prop_assert!(path.contains(&found.id));
            }
        }

        #[test]
        fn anything_at_all_is_survived(path in "\\PC*") {
            let _ = from_cgroup_path(&path);
        }
    }
}
