//! Images, from Docker's engine into the node's.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;

use super::Cluster;
use crate::agent::lay_out;
use crate::parts::{command, docker, docker_image};

/// What holds a pod's namespaces.
pub const PAUSE: &str = "plumbline-pause:1";
/// What deploy/ gives the data folder to the agent with.
const OWNER: &str = "docker.io/library/busybox:1.37";
/// The agent as it was built for this test, with the entry point, the data folder and the user of deploy/Dockerfile.
const AGENT: &str = "plumbline:test";
const NOBODY: u32 = 65532;

impl Cluster {
    /// Imports busybox and what holds a pod's namespaces.
    pub(super) fn load_images(&self) -> Result<(), Failed> {
        let busybox = docker_image().as_ref().map_err(Clone::clone)?;
        self.load_image(busybox)?;
        self.ctr(&["images", "tag", "--force", &format!("docker.io/library/{busybox}"), OWNER])?;
        self.make_image(PAUSE, &["CMD [\"/bin/sleep\", \"2147483647\"]"], |tree| {
            fs::create_dir(tree.join("bin"))?;
            fs::copy("/bin/busybox", tree.join("bin/busybox"))?;
            Ok(std::os::unix::fs::symlink("busybox", tree.join("bin/sleep"))?)
        })
    }

    /// Makes an image of the agent's binary and the libraries that it names, and imports it; its name.
    pub fn load_agent_image(&self) -> Result<&'static str, Failed> {
        let changes = ["ENTRYPOINT [\"/usr/local/bin/plumbline\"]", &format!("USER {NOBODY}:{NOBODY}")];
        self.make_image(AGENT, &changes, |tree| {
            let data = tree.join("var/lib/plumbline");
            fs::create_dir_all(&data)?;
            std::os::unix::fs::chown(data, Some(NOBODY), Some(NOBODY))?;
            lay_out(tree, "usr/local/bin/plumbline")
        })?;
        Ok(AGENT)
    }

    /// Imports an image of Docker's. Pods name it as Docker does.
    pub fn load_image(&self, name: &str) -> Result<(), Failed> {
        let archive = self.folder.join("image.tar");
        docker(&["save", "-o", &archive.to_string_lossy(), name])?;
        self.ctr(&["images", "import", &archive.to_string_lossy()])?;
        Ok(fs::remove_file(archive)?)
    }

    /// Tells the node's containerd to do something with what the kubelet has there.
    fn ctr(&self, arguments: &[&str]) -> Result<(), Failed> {
        let socket = self.folder.join("containerd.sock");
        let ours = ["60", "ctr", "-a", &socket.to_string_lossy(), "-n", "k8s.io"];
        command("timeout", &[&ours[..], arguments].concat()).map(drop)
    }

    /// Imports an image of a tree that `fill` fills.
    fn make_image(
        &self,
        name: &str,
        changes: &[&str],
        fill: impl FnOnce(&Path) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let tree = tempfile::tempdir_in(&self.folder)?;
        let archive = self.folder.join("tree.tar");
        fill(tree.path())?;
        command("tar", &["-C", &tree.path().to_string_lossy(), "-cf", &archive.to_string_lossy(), "."])?;
        let changes: Vec<&str> = changes.iter().flat_map(|change| ["-c", change]).collect();
        docker(&[&["import"], &changes[..], &[&archive.to_string_lossy(), name]].concat())?;
        let loaded = self.load_image(name);
        docker(&["rmi", name])?;
        loaded
    }
}
