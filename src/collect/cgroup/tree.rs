//! Finds the containers in a cgroup hierarchy.

use std::fs;
use std::path::Path;

use crate::identity::cgroup::{CgroupIdentity, container_component, from_cgroup_path};

/// Deeper nesting than any runtime makes; a guard against a tree that is not one.
const MAX_DEPTH: usize = 24;

/// A container's cgroup: its path below the hierarchy's root, and whom it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Begins with `/`.
    pub path: String,
    pub identity: CgroupIdentity,
}

/// Every cgroup below `root` that is a container's own, in order of path. Looks inside containers too, for containers
/// nested in them (kind, Docker in Docker), unless `enter` says of a container's path that there is no need to.
///
/// A folder that vanishes on the way is skipped; only an unreadable root is an error.
pub fn containers(root: &Path, enter: &dyn Fn(&str) -> bool) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::new();
    fs::read_dir(root)?;
    walk(root, &mut String::new(), 0, enter, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(folder: &Path, path: &mut String, depth: usize, enter: &dyn Fn(&str) -> bool, found: &mut Vec<Found>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if depth == MAX_DEPTH || !entry.file_type().is_ok_and(|t| t.is_dir()) {
            continue;
        }
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let length = path.len();
        path.push('/');
        path.push_str(name);
        let container = container_component(name).and_then(|_| from_cgroup_path(path));
        let is_container = container.is_some();
        found.extend(container.map(|identity| Found { path: path.clone(), identity }));
        if !is_container || enter(path) {
            walk(&entry.path(), path, depth.saturating_add(1), enter, found);
        }
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_nested_containers_and_nothing_inside_them() {
        let (outer, inner) = ("1".repeat(64), "2".repeat(64));
        let dir = tempfile::tempdir().expect("temporary folder");
        let nested = format!("system.slice/docker-{outer}.scope/kubelet.slice/cri-containerd-{inner}.scope/init");
        fs::create_dir_all(dir.path().join(nested)).expect("folders");
        fs::create_dir_all(dir.path().join("system.slice/ssh.service")).expect("folders");
        let ids: Vec<String> =
            containers(dir.path(), &|_| true).expect("readable").into_iter().map(|found| found.identity.id).collect();
        assert_eq!(ids, [outer, inner]);
        assert_eq!(containers(dir.path(), &|_| false).expect("readable").len(), 1, "not entered");
    }

    #[test]
    fn an_absent_root_is_an_error() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert!(containers(&dir.path().join("absent"), &|_| true).is_err());
    }
}
