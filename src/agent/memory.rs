//! What the kernel lets this process have: the least memory limit of its own cgroup and those above it.

use std::fs;
use std::path::{Path, PathBuf};

use super::OWN_PROC;
use crate::config::Config;

/// The agent's own cgroup, as it sees it.
const OWN_CGROUP: &str = "/sys/fs/cgroup";
/// A limit above this is the kernel's way of saying none.
const NONE: u64 = 1 << 60;

/// What the agent may take in all: as configured, else 80 % of its own cgroup's limit.
#[must_use]
pub fn allowance(config: &Config) -> Option<u64> {
    let own = || limit(OWN_PROC.as_ref(), OWN_CGROUP.as_ref()).map(|limit| limit / 5 * 4);
    config.models.memory_limit.map(|limit| limit.as_u64()).or_else(own)
}

/// The limit in bytes, from `proc` and `root` as this process sees them; none if there is none.
#[must_use]
pub fn limit(proc: &Path, root: &Path) -> Option<u64> {
    let cgroups = fs::read_to_string(proc.join("self/cgroup")).ok()?;
    let mut least: Option<u64> = None;
    for line in cgroups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (base, file) = if controllers.is_empty() {
            (root.to_owned(), "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let mut folder: PathBuf = base.join(path.trim_start_matches('/'));
        // In a container the path may be the host's, while the tree is our own: then the root is ours.
        loop {
            let read = fs::read_to_string(folder.join(file)).ok().and_then(|text| text.trim().parse::<u64>().ok());
            least = [least, read.filter(|limit| *limit < NONE)].into_iter().flatten().min();
            if folder == base || !folder.pop() {
                break;
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_on_the_way_up_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        let (proc, root) = (folder.path().join("proc"), folder.path().join("cgroup"));
        let write = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write(proc.join("self/cgroup"), "0::/a/b\n");
        write(root.join("a/b/memory.max"), "max\n");
        assert_eq!(limit(&proc, &root), None);
        write(root.join("a/memory.max"), "1000\n");
        write(root.join("a/b/memory.max"), "2000\n");
        assert_eq!(limit(&proc, &root), Some(1000));
        write(proc.join("self/cgroup"), "5:cpu:/x\n4:memory:/host/path\n");
        write(root.join("memory/memory.limit_in_bytes"), "9223372036854771712\n");
        assert_eq!(limit(&proc, &root), None);
        write(root.join("memory/memory.limit_in_bytes"), "4096\n");
        assert_eq!(limit(&proc, &root), Some(4096));
    }
}
