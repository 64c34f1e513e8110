//! A Kubernetes node on this host: etcd, API server, controllers, scheduler, containerd and kubelet, each its own process, at
//! the paths and with the rights that they have on a node. `tests/cluster/build` makes the programs.
//!
//! Pod logs lie in /var/log/pods and /var/log/containers, the kubelet's sockets below /var/lib/kubelet, cgroups below `kubepods`;
//! all else is in a temporary folder. Pods have a bridge of their own, and reach the API server at the service's address;
//! there is no kube-proxy and no DNS.

mod certificates;
mod images;
mod leftovers;
mod settings;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::parts::{Server, check, command, eventually, free_port, in_path};

/// The API server, inside pods and outside: the first address of the services' range, on the loopback device.
const ADDRESS: &str = "10.96.0.1";
/// The node's name.
pub const NODE: &str = "plumbline-node";
const START: Duration = Duration::from_secs(60);

/// A program that `tests/cluster/build` made: kubectl, helm, kustomize or one of the servers.
pub fn program(name: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"))).unwrap_or_default();
    cache.join("plumbline/cluster/bin").join(name)
}

/// What is missing to start a cluster.
pub fn missing() -> Option<String> {
    let built = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet"];
    let plugins = ["/usr/lib/cni/bridge", "/usr/lib/cni/host-local"];
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() != 0) {
        Some("root".to_owned())
    } else if let Some(foreign) = leftovers::foreign() {
        Some(format!("a host without {foreign}"))
    } else if built.iter().any(|name| !program(name).exists()) {
        Some("the programs of Kubernetes: run `tests/cluster/build`".to_owned())
    } else if !plugins.iter().all(|path| Path::new(path).exists()) {
        Some("CNI plugins in /usr/lib/cni (Debian: containernetworking-plugins)".to_owned())
    } else {
        let installed = ["containerd", "ctr", "runc", "openssl", "ip", "setpriv"];
        let absent: Vec<&str> = installed.into_iter().filter(|program| !in_path(program)).collect();
        (!absent.is_empty()).then(|| format!("{} in PATH", absent.join(", ")))
    }
}

/// A running cluster of one node.
pub struct Cluster {
    folder: PathBuf,
    servers: Mutex<Vec<(&'static str, Server)>>,
    _lock: File,
}

static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();

/// The cluster that all tests share, started by the first that asks.
pub fn shared() -> Result<&'static Cluster, Failed> {
    let started = SHARED.get_or_init(|| Cluster::start().map_err(|failed| failed.message().unwrap_or("?").to_owned()));
    started.as_ref().map_err(|why| why.as_str().into())
}

/// A cluster to work with by hand: stands until Enter.
pub fn stand() -> Result<(), Failed> {
    let cluster = shared()?;
    eprintln!("\nexport KUBECONFIG={} PATH={}:$PATH", cluster.kubeconfig().display(), program("").display());
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Stops the shared cluster, if there is one.
pub fn stop() {
    if let Some(Ok(cluster)) = SHARED.get() {
        cluster.stop();
    }
}

impl Cluster {
    /// Waits for one that another process runs, takes away what a killed one left, and starts anew: 6 s on two idle cores.
    fn start() -> Result<Self, Failed> {
        let lock = leftovers::lock()?;
        let folder = tempfile::Builder::new().prefix(leftovers::PREFIX).tempdir()?.keep();
        let cluster = Self { folder, servers: Mutex::default(), _lock: lock };
        command("ip", &["address", "add", &format!("{ADDRESS}/32"), "dev", "lo"])?;
        certificates::make(&cluster.folder)?;
        settings::write(&cluster.folder)?;
        cluster.start_servers().map_err(|failed| {
            let logs: String = cluster.servers().iter().map(|(name, _)| cluster.log(name)).collect();
            Failed::from(format!("{}\n{logs}", failed.message().unwrap_or("?")))
        })?;
        Ok(cluster)
    }

    fn start_servers(&self) -> Result<(), Failed> {
        self.serve("containerd", Path::new("containerd"), &["--config", "containerd.toml"])?;
        let (clients, peers) =
            (format!("http://127.0.0.1:{}", free_port()), format!("http://127.0.0.1:{}", free_port()));
        self.serve("etcd", &program("etcd"), &settings::etcd(&clients, &peers))?;
        self.serve("kube-apiserver", &program("kube-apiserver"), &settings::api_server(&clients))?;
        self.wait_for(START, || self.kubectl(&["get", "--raw", "/readyz"]))?;
        self.serve("kube-controller-manager", &program("kube-controller-manager"), &settings::controller_manager())?;
        self.serve("kube-scheduler", &program("kube-scheduler"), &settings::scheduler())?;
        self.wait_for(START, || self.load_images())?;
        self.serve("kubelet", &program("kubelet"), &settings::kubelet())?;
        self.wait_for(START, || {
            let node = self.get(&["node", NODE])?;
            let conditions = node["status"]["conditions"].as_array().ok_or("no conditions")?;
            let ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
            check(ready, || format!("the node is not ready: {conditions:?}"))?;
            // Pods are refused before their namespace's account is there.
            self.get(&["serviceaccount", "default", "-n", "default"]).map(drop)
        })
    }

    /// Starts a server in the cluster's folder. It ends with this process, even if that is killed.
    fn serve<A: AsRef<std::ffi::OsStr>>(
        &self,
        name: &'static str,
        program: &Path,
        arguments: &[A],
    ) -> Result<(), Failed> {
        let log = File::create(self.folder.join(format!("{name}.log")))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.servers().push((name, Server(child)));
        Ok(())
    }

    fn servers(&self) -> MutexGuard<'_, Vec<(&'static str, Server)>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_run(&self) -> Result<(), Failed> {
        for (name, server) in self.servers().iter_mut() {
            if let Some(status) = server.0.try_wait()? {
                return Err(format!("{name} has ended: {status}\n{}", self.log(name)).into());
            }
        }
        Ok(())
    }

    /// The last lines of a server's log.
    fn log(&self, name: &str) -> String {
        let text = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("== {name}\n{}\n", lines[lines.len().saturating_sub(12)..].join("\n"))
    }

    /// Tries twice a second until it succeeds or `limit` is over, and no longer than all servers run.
    pub fn wait_for<T>(&self, limit: Duration, mut attempt: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
        eventually(limit, || match self.all_run() {
            Ok(()) => attempt().map(Ok).inspect_err(|_| std::thread::sleep(Duration::from_millis(450))),
            Err(ended) => Ok(Err(ended)),
        })?
    }

    /// The API server's address, and the file of the authority that signs its certificate.
    pub fn api(&self) -> (String, PathBuf) {
        (format!("https://{ADDRESS}:443"), self.folder.join("ca.crt"))
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.conf")
    }

    /// A folder of the node for the agent's data, which is not there at first.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A token of a service account, good for an hour.
    pub fn token(&self, namespace: &str, account: &str) -> Result<String, Failed> {
        self.kubectl(&["create", "token", account, "-n", namespace])
    }

    /// kubectl as administrator: what it prints. It ends after a minute.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Failed> {
        let (kubectl, kubeconfig) = (program("kubectl"), self.kubeconfig());
        let ours = ["60", &kubectl.to_string_lossy(), "--kubeconfig", &kubeconfig.to_string_lossy()];
        command("timeout", &[&ours, arguments].concat())
    }

    /// `kubectl get` as JSON.
    pub fn get(&self, what: &[&str]) -> Result<Value, Failed> {
        Ok(serde_json::from_str(&self.kubectl(&[&["get", "-o", "json"], what].concat())?)?)
    }

    /// The pods of a namespace that a label selector names.
    pub fn pods(&self, namespace: &str, selector: &str) -> Result<Vec<Value>, Failed> {
        let pods = self.get(&["pods", "-n", namespace, "-l", selector])?;
        Ok(pods["items"].as_array().cloned().unwrap_or_default())
    }

    /// `kubectl apply` of a text. It is tried again for a while: a new namespace takes pods once its account is there.
    pub fn apply(&self, text: &str) -> Result<(), Failed> {
        let file = self.folder.join("apply.yaml");
        fs::write(&file, text)?;
        self.wait_for(Duration::from_secs(20), || self.kubectl(&["apply", "-f", &file.to_string_lossy()]))?;
        Ok(())
    }

    /// Removes a namespace and all that is in it.
    pub fn remove_namespace(&self, name: &str) -> Result<(), Failed> {
        self.kubectl(&["delete", "namespace", name, "--ignore-not-found", "--timeout=50s"]).map(drop)
    }

    fn stop(&self) {
        let mut servers = std::mem::take(&mut *self.servers());
        // The kubelet first: it would start again what is killed next.
        while servers.pop().is_some() {}
        leftovers::remove();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}
