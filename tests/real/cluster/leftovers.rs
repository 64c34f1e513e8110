//! What a cluster leaves on the host: found by its marks, taken away when it stops, and before the next starts if it was killed.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::Failed;

use super::ADDRESS;
use super::settings::BRIDGE;
use crate::parts::{check, command, eventually};

/// What the names of clusters' folders begin with.
pub const PREFIX: &str = "plumbline-cluster-";
const KUBELET: &str = "/var/lib/kubelet";
/// Says that the kubelet's folder is a test's, not the host's own, and what `SYSCTLS` were before.
const MARK: &str = "/var/lib/kubelet/plumbline-test";
/// The mark goes last: what a removal that was cut short has left is found by it.
const FOLDERS: &[&str] = &["/var/log/pods", "/var/log/containers", "/var/lib/cni", KUBELET];
/// What the kubelet changes for the whole host.
const SYSCTLS: &[&str] = &["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"];

/// What on this host belongs to a kubelet that is not a test's: then no cluster may run here.
pub fn foreign() -> Option<String> {
    let occupied = |folder: &PathBuf| !fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().is_empty();
    if Path::new(MARK).exists() {
        None
    } else if Path::new(KUBELET).exists() {
        Some(format!("{KUBELET} of a kubelet that is here already"))
    } else {
        cgroups().into_iter().find(occupied).map(|folder| format!("a pod that is not a test's in {}", folder.display()))
    }
}

/// This host for one cluster, while the file is held. Waits up to ten minutes for the cluster of another process, then takes
/// away what a killed one left.
pub fn lock() -> Result<File, Failed> {
    let lock = File::create("/run/plumbline-cluster.lock")?;
    eventually(Duration::from_secs(600), || match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Err("another process runs a cluster here".into()),
        other => Ok(other?),
    })?;
    if Path::new(MARK).exists() {
        remove();
    }
    if let Some(foreign) = foreign() {
        return Err(format!("in the way: {foreign}").into());
    }
    fs::create_dir_all(KUBELET)?;
    let sysctl = |name: &&str| Some(format!("{name} {}", fs::read_to_string(sysctl(name)).ok()?.trim()));
    fs::write(MARK, SYSCTLS.iter().filter_map(sysctl).collect::<Vec<_>>().join("\n"))?;
    Ok(lock)
}

/// Ends the pods' processes and all that kept them, then removes mounts, cgroups, devices and folders. Each step goes on
/// where one before it has failed: the next start says what is still there.
pub fn remove() {
    let _ = eventually(Duration::from_secs(10), || {
        for pid in shims() {
            kill(&pid);
        }
        for folder in cgroups() {
            for pid in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
                kill(pid);
            }
            let _ = fs::remove_dir(folder);
        }
        check(cgroups().is_empty(), || format!("{:?}", cgroups()))
    });
    // The newest lie on top of older ones.
    for mount in mounts().iter().rev() {
        let _ = command("umount", &["-l", mount]);
    }
    let _ = command("ip", &["link", "delete", BRIDGE]);
    let _ = command("ip", &["address", "delete", &format!("{ADDRESS}/32"), "dev", "lo"]);
    for (name, value) in fs::read_to_string(MARK).unwrap_or_default().lines().filter_map(|line| line.split_once(' ')) {
        let _ = fs::write(sysctl(name), value);
    }
    // Behind a mount that stayed may lie folders of the host.
    if !mounts().is_empty() {
        return;
    }
    let temporary: Vec<PathBuf> =
        entries(&std::env::temp_dir()).filter(|at| at.to_string_lossy().contains(PREFIX)).collect();
    for socket in temporary.iter().flat_map(|folder| sockets(folder)) {
        let _ = fs::remove_file(socket);
    }
    for folder in temporary.into_iter().chain(FOLDERS.iter().map(PathBuf::from)) {
        let _ = fs::remove_dir_all(folder);
    }
}

fn sysctl(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

/// Where file systems are mounted below a cluster's folder or the kubelet's.
fn mounts() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    places.filter(|place| place.contains(PREFIX) || place.starts_with(KUBELET)).map(str::to_owned).collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Where the shims of a cluster's containerd listen: outside its folder, and a killed one leaves its socket.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let bundles = entries(&folder.join("containerd/state/io.containerd.runtime.v2.task/k8s.io"));
    let addresses = bundles.filter_map(|bundle| fs::read_to_string(bundle.join("address")).ok());
    addresses.filter_map(|address| Some(PathBuf::from(address.trim().strip_prefix("unix://")?))).collect()
}

/// The cgroups of pods in every hierarchy, children first.
fn cgroups() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for root in entries(Path::new("/sys/fs/cgroup")).chain([PathBuf::from("/sys/fs/cgroup")]) {
        children_first(&root.join("kubepods"), &mut found);
    }
    found
}

fn children_first(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.is_dir() {
        for entry in entries(folder) {
            children_first(&entry, found);
        }
        found.push(folder.to_owned());
    }
}

/// containerd's shims, which outlive it.
fn shims() -> Vec<String> {
    let is_shim = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.split('\0').next().is_some_and(|program| program.contains("containerd-shim")) && line.contains(PREFIX)
    };
    let shims = entries(Path::new("/proc")).filter(is_shim);
    shims.filter_map(|process| Some(process.file_name()?.to_str()?.to_owned())).collect()
}

fn kill(pid: &str) {
    let _ = command("kill", &["-9", pid]);
}
