//! containerd, and the pods that are made in it. The messages that make them are declared here: the agent only reads.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use plumbline::collect::grpc::Client;
use prost::Message;

use crate::parts::{Server, check, command, docker, docker_image, eventually};

/// A containerd that ends with the test, and what it ran with it.
pub struct Containerd {
    folder: tempfile::TempDir,
    server: RefCell<Option<Server>>,
}

const PAUSE: &str = "plumbline-test-pause:1";
const UID: &str = "0b7b7c1e-51a5-4f3e-9d55-6a3c1d1f9e10";
/// No kubelet looks for pods here.
const PARENT: &str = "/plumbline-test";

impl Containerd {
    /// `more` stands in its configuration.
    pub fn start(more: &str) -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("plumbline-cri-").tempdir()?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = \"{}\"\nstate = \"{}\"\n{more}[grpc]\naddress = \"{}\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"docker.io/library/{PAUSE}\"\n\
             # Without it a sandbox does not start where the test may not lower its own score.\n\
             restrict_oom_score_adj = true\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"native\"\n\
             [plugins.\"io.containerd.internal.v1.opt\"]\npath = \"{}\"\n",
            at("root"),
            at("state"),
            at("containerd.sock"),
            at("opt"),
        );
        fs::write(folder.path().join("config.toml"), config)?;
        let containerd = Self { folder, server: RefCell::default() };
        containerd.start_again()?;
        if more.is_empty() {
            containerd.import()?;
        }
        Ok(containerd)
    }

    pub fn start_again(&self) -> Result<(), Failed> {
        let log = fs::File::options().create(true).append(true).open(self.path("log"))?;
        let containerd = Command::new("containerd")
            .arg("--config")
            .arg(self.path("config.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.server.replace(Some(Server(containerd)));
        eventually(Duration::from_secs(20), || self.ctr(&["version"]).map(drop))
    }

    /// Kills it; what it runs goes on.
    pub fn stop(&self) {
        self.server.take();
    }

    pub fn socket(&self) -> String {
        self.path("containerd.sock").display().to_string()
    }

    /// A container in a namespace that is not CRI's; its id.
    pub fn beside(&self) -> Result<String, Failed> {
        let random = || fs::read_to_string("/proc/sys/kernel/random/uuid").map(|uuid| uuid.trim().replace('-', ""));
        let id = format!("{}{}", random()?, random()?);
        let image = format!("docker.io/library/{PAUSE}");
        self.ctr(&[
            "-n",
            "k8s.io",
            "run",
            "-d",
            "--snapshotter",
            "native",
            "--cgroup",
            &format!("{PARENT}/{id}"),
            &image,
            &id,
        ])?;
        Ok(id)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ctr(&self, arguments: &[&str]) -> Result<String, Failed> {
        command("ctr", &[&["-a", &self.socket()], arguments].concat())
    }

    /// The test's image, and another of it that runs by itself, as sandboxes must.
    fn import(&self) -> Result<(), Failed> {
        let image = docker_image().as_ref().map_err(Clone::clone)?;
        let [tree, archive] = ["tree.tar", "images.tar"].map(|name| self.path(name).display().to_string());
        let container = docker(&["create", image, "sleep"])?;
        let exported = docker(&["export", "-o", &tree, &container]);
        docker(&["rm", &container])?;
        exported?;
        docker(&["import", "-c", "CMD [\"/bin/sleep\", \"2147483647\"]", &tree, PAUSE])?;
        docker(&["save", "-o", &archive, image, PAUSE])?;
        self.ctr(&["-n", "k8s.io", "images", "import", "--snapshotter", "native", &archive]).map(drop)
    }

    fn call<Q: Message + 'static, A: Message + Default + 'static>(
        &self,
        method: &'static str,
        request: Q,
    ) -> Result<A, Failed> {
        let why = |error| {
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(5).collect();
            format!("{method}: {error}; {tail:#?}")
        };
        Ok(Client::open(&self.socket(), 1 << 20).and_then(|mut client| client.call(method, request)).map_err(why)?)
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.stop();
        // A shim goes on without containerd, and its containers with it.
        let socket = self.socket();
        let is_shim = |arguments: &str| arguments.contains("containerd-shim") && arguments.contains(&socket);
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            if is_shim(&String::from_utf8_lossy(&arguments).replace('\0', " ")) {
                let _ = command("kill", &["-9", &process.file_name().to_string_lossy()]);
            }
        }
        // runc keeps what it knows of containers in one place for all, which a killed shim does not clear.
        for known in fs::read_dir("/run/containerd/runc/k8s.io").into_iter().flatten().flatten() {
            let state = fs::read_to_string(known.path().join("state.json")).unwrap_or_default();
            if state.contains(&*self.folder.path().to_string_lossy()) {
                let _ = fs::remove_dir_all(known.path());
            }
        }
        let cgroups = cgroups();
        for cgroup in &cgroups {
            for process in fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default().lines() {
                let _ = command("kill", &["-9", process]);
            }
        }
        let _ = eventually(Duration::from_secs(2), || {
            for cgroup in &cgroups {
                let _ = fs::remove_dir(cgroup);
            }
            check(!cgroups.iter().any(|cgroup| cgroup.exists()), || "busy".to_owned())
        });
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let below = self.folder.path().display().to_string();
        for mount in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)).filter(|at| at.starts_with(&below))
        {
            let _ = command("umount", &["-l", mount]);
        }
    }
}

/// All below the parent of our pods, in every hierarchy, the deepest first.
fn cgroups() -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        let folders = fs::read_dir(folder).into_iter().flatten().flatten();
        folders.filter(|entry| entry.path().is_dir()).for_each(|entry| below(&entry.path(), found));
        found.push(folder.to_path_buf());
    }
    let mut found = Vec::new();
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain(["/sys/fs/cgroup".into()]) {
        let parent = hierarchy.join(PARENT.trim_start_matches('/'));
        if parent.is_dir() {
            below(&parent, &mut found);
        }
    }
    found
}

/// A pod in the host's network: no plugin is needed.
pub struct Pod<'a> {
    containerd: &'a Containerd,
    config: SandboxConfig,
    pub sandbox: String,
    pub uid: String,
}

impl<'a> Pod<'a> {
    pub fn run(containerd: &'a Containerd, name: &str) -> Result<Self, Failed> {
        let labels = BTreeMap::from([("plumbline.io/model".to_owned(), "housing".to_owned())]);
        let options = NamespaceOptions { network: HOST };
        let linux = LinuxSandbox {
            cgroup_parent: format!("{PARENT}/burstable/pod{UID}"),
            security_context: Some(SandboxSecurity { namespace_options: Some(options) }),
        };
        let metadata =
            SandboxMetadata { name: name.to_owned(), uid: UID.to_owned(), namespace: "shop".to_owned(), attempt: 0 };
        let config = SandboxConfig { metadata: Some(metadata), labels, linux: Some(linux) };
        let run = RunSandbox { config: Some(config.clone()) };
        let sandbox: Id = containerd.call("/runtime.v1.RuntimeService/RunPodSandbox", run)?;
        Ok(Self { containerd, config, sandbox: sandbox.id, uid: UID.to_owned() })
    }

    /// Starts a container of half a core in it, as if for the second time; its id.
    pub fn start(&self, name: &str, run: &[&str]) -> Result<String, Failed> {
        let image = docker_image().as_ref().map_err(Clone::clone)?;
        let labels = [("io.kubernetes.container.name", name), ("io.kubernetes.pod.uid", UID)];
        let options = NamespaceOptions { network: HOST };
        let resources = Resources { cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 256, memory: 64 << 20 };
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata { name: name.to_owned(), attempt: 1 }),
            image: Some(Image { image: format!("docker.io/library/{image}") }),
            command: run.iter().map(|word| (*word).to_owned()).collect(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            linux: Some(LinuxContainer {
                resources: Some(resources),
                security_context: Some(ContainerSecurity { namespace_options: Some(options) }),
            }),
        };
        let create = CreateContainer {
            sandbox: self.sandbox.clone(),
            config: Some(config),
            sandbox_config: Some(self.config.clone()),
        };
        let container: Id = self.containerd.call("/runtime.v1.RuntimeService/CreateContainer", create)?;
        let _: Nothing = self.containerd.call("/runtime.v1.RuntimeService/StartContainer", container.clone())?;
        Ok(container.id)
    }

    pub fn stop(&self, id: &str) -> Result<(), Failed> {
        let _: Nothing = self.containerd.call("/runtime.v1.RuntimeService/StopContainer", Id { id: id.to_owned() })?;
        Ok(())
    }
}

/// `NODE` of the interface's network modes.
const HOST: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Nothing {}

/// Every message that is an id alone.
#[derive(Clone, PartialEq, Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct RunSandbox {
    #[prost(message, optional, tag = "1")]
    config: Option<SandboxConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<SandboxMetadata>,
    #[prost(btree_map = "string, string", tag = "6")]
    labels: BTreeMap<String, String>,
    #[prost(message, optional, tag = "8")]
    linux: Option<LinuxSandbox>,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(uint32, tag = "4")]
    attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
struct LinuxSandbox {
    #[prost(string, tag = "1")]
    cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    security_context: Option<SandboxSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxSecurity {
    #[prost(message, optional, tag = "1")]
    namespace_options: Option<NamespaceOptions>,
}

#[derive(Clone, PartialEq, Message)]
struct NamespaceOptions {
    #[prost(int32, tag = "1")]
    network: i32,
}

#[derive(Clone, PartialEq, Message)]
struct CreateContainer {
    #[prost(string, tag = "1")]
    sandbox: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    sandbox_config: Option<SandboxConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "2")]
    image: Option<Image>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(btree_map = "string, string", tag = "9")]
    labels: BTreeMap<String, String>,
    #[prost(message, optional, tag = "15")]
    linux: Option<LinuxContainer>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(string, tag = "1")]
    image: String,
}

#[derive(Clone, PartialEq, Message)]
struct LinuxContainer {
    #[prost(message, optional, tag = "1")]
    resources: Option<Resources>,
    #[prost(message, optional, tag = "2")]
    security_context: Option<ContainerSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct Resources {
    #[prost(int64, tag = "1")]
    cpu_period: i64,
    #[prost(int64, tag = "2")]
    cpu_quota: i64,
    #[prost(int64, tag = "3")]
    cpu_shares: i64,
    #[prost(int64, tag = "4")]
    memory: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerSecurity {
    #[prost(message, optional, tag = "3")]
    namespace_options: Option<NamespaceOptions>,
}
