//! Which hierarchy of the cgroup tree carries which controller: v1, v2, or v1 with a v2 tree beside it (hybrid).
//!
//! Found by looking under the given root, never assumed from the kernel's version, so that a test can lay out
//! a tree and a container can mount the host's elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

/// The two interfaces a controller may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// Where one controller's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    pub root: PathBuf,
    pub version: Version,
}

/// Each controller's hierarchy; `None` where the kernel or the mount lacks it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    pub cpu: Option<Hierarchy>,
    pub cpuacct: Option<Hierarchy>,
    pub memory: Option<Hierarchy>,
    pub pids: Option<Hierarchy>,
    pub io: Option<Hierarchy>,
    /// Pressure files: always in the v2 tree.
    pub pressure: Option<Hierarchy>,
}

impl Layout {
    /// Looks under `root`. `None` where no cgroup hierarchy is mounted.
    pub fn detect(root: &Path) -> Option<Self> {
        if let Some(controllers) = v2_controllers(root) {
            let mut layout = Self::default();
            layout.take_v2(root, &controllers);
            return Some(layout);
        }
        let mut layout = Self::default();
        let mut unified = None;
        let mut entries: Vec<PathBuf> = fs::read_dir(root).ok()?.flatten().map(|entry| entry.path()).collect();
        // A joint mount (`cpu,cpuacct`) and the links to it (`cpu`) say the same; in order, so that runs agree.
        entries.sort();
        for path in entries {
            if let Some(controllers) = v2_controllers(&path) {
                unified = Some((path, controllers));
                continue;
            }
            let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
            for controller in name.split(',') {
                let slot = match controller {
                    "cpu" => &mut layout.cpu,
                    "cpuacct" => &mut layout.cpuacct,
                    "memory" => &mut layout.memory,
                    "pids" => &mut layout.pids,
                    "blkio" => &mut layout.io,
                    _ => continue,
                };
                slot.get_or_insert_with(|| Hierarchy { root: path.clone(), version: Version::V1 });
            }
        }
        if let Some((path, controllers)) = unified {
            layout.take_v2(&path, &controllers);
        }
        (layout != Self::default()).then_some(layout)
    }

    /// Fills what v1 left open from a v2 tree. CPU time and pressure need no controller to be enabled there.
    fn take_v2(&mut self, root: &Path, controllers: &str) {
        let here = || Hierarchy { root: root.to_owned(), version: Version::V2 };
        let has = |controller: &str| controllers.split_ascii_whitespace().any(|c| c == controller);
        for (slot, present) in [
            (&mut self.cpu, true),
            (&mut self.cpuacct, true),
            (&mut self.memory, has("memory")),
            (&mut self.pids, has("pids")),
            (&mut self.io, has("io")),
            (&mut self.pressure, true),
        ] {
            if present && slot.is_none() {
                *slot = Some(here());
            }
        }
    }

    /// The hierarchy whose directories are walked to find the containers.
    pub fn walked(&self) -> Option<&Path> {
        [&self.memory, &self.cpuacct, &self.cpu, &self.pids].into_iter().flatten().map(|h| h.root.as_path()).next()
    }

    /// One line for people: which version, and what is missing.
    pub fn describe(&self) -> String {
        let slots = [
            ("cpu", &self.cpu),
            ("cpuacct", &self.cpuacct),
            ("memory", &self.memory),
            ("pids", &self.pids),
            ("io", &self.io),
            ("pressure", &self.pressure),
        ];
        let has = |version| slots.iter().any(|(_, h)| h.as_ref().is_some_and(|h| h.version == version));
        let kind = match (has(Version::V1), has(Version::V2)) {
            (true, true) => "hybrid (v1 controllers, a v2 tree beside them)",
            (true, false) => "v1",
            _ => "v2",
        };
        let missing: Vec<&str> = slots.iter().filter(|(_, h)| h.is_none()).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            format!("cgroup {kind}")
        } else {
            format!("cgroup {kind}; without {}", missing.join(", "))
        }
    }
}

/// The controllers of a v2 tree, or `None` if `path` is not the root of one.
fn v2_controllers(path: &Path) -> Option<String> {
    fs::read_to_string(path.join("cgroup.controllers")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_takes_pressure_from_the_v2_tree() {
        let dir = tempfile::tempdir().expect("temporary folder");
        for name in ["cpu,cpuacct", "memory", "unified", "systemd"] {
            fs::create_dir(dir.path().join(name)).expect("folder");
        }
        fs::write(dir.path().join("unified/cgroup.controllers"), "pids\n").expect("file");
        let layout = Layout::detect(dir.path()).expect("a layout");
        let v1 = |name| Some(Hierarchy { root: dir.path().join(name), version: Version::V1 });
        let v2 = Some(Hierarchy { root: dir.path().join("unified"), version: Version::V2 });
        assert_eq!(layout.cpu, v1("cpu,cpuacct"));
        assert_eq!(layout.cpuacct, v1("cpu,cpuacct"));
        assert_eq!(layout.memory, v1("memory"));
        assert_eq!(layout.pids, v2);
        assert_eq!(layout.pressure, v2);
        assert_eq!(layout.io, None);
        assert_eq!(layout.describe(), "cgroup hybrid (v1 controllers, a v2 tree beside them); without io");
    }

    #[test]
    fn nothing_mounted_is_no_layout() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert_eq!(Layout::detect(dir.path()), None);
        assert_eq!(Layout::detect(&dir.path().join("absent")), None);
    }
}
