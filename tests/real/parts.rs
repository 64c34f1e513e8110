//! The real parts: whether each is there, and how it is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::{cluster, kserve};

/// Something real that a test needs.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// A Docker engine that answers, and a static busybox to make an image of.
    Docker,
    /// Podman with runc.
    Podman,
    /// containerd with its own client and runc.
    Containerd,
    /// Prometheus and promtool.
    Prometheus,
    /// Prometheus' Alertmanager.
    Alertmanager,
    /// Chromium and its driver.
    Chromium,
    /// axe-core, which looks for what keeps people from using a page.
    Axe,
    /// rotel, an OTLP collector.
    Rotel,
    /// Python with duckdb.
    DuckDb,
    /// qemu and a kernel to boot in it.
    Kernel,
    /// openssl, to make certificates.
    OpenSsl,
    /// Python with pyarrow.
    PyArrow,
    /// Python with what a model service is made of.
    Service,
    /// Python with schemathesis.
    Schemathesis,
    /// Python with moto, whose server speaks S3.
    ObjectStore,
    /// curl.
    Curl,
    /// `script`, which gives a program a terminal.
    Script,
    /// groff, which reads manual pages.
    Groff,
    /// The programs of a Kubernetes node, and Docker, which makes the images.
    Cluster,
    /// helm and kustomize.
    Renderers,
    /// Python with OpenTelemetry's SDK and its exporter.
    OpenTelemetry,
    /// KServe's agent, and Python with its model server and scikit-learn.
    KServe,
}

impl Part {
    /// What is missing, or `None` if the part is there.
    pub fn missing(self) -> Option<String> {
        let found = match self {
            Self::Docker => docker_image().is_ok(),
            Self::Podman => in_path("podman") && in_path("runc") && docker_image().is_ok(),
            Self::Containerd => ["containerd", "ctr", "runc"].into_iter().all(in_path) && docker_image().is_ok(),
            Self::Prometheus => in_path("prometheus") && in_path("promtool"),
            Self::Alertmanager => in_path("prometheus-alertmanager"),
            Self::Chromium => in_path("chromium") && in_path("chromedriver"),
            Self::Axe => axe().is_some(),
            Self::Rotel => rotel().is_some(),
            Self::DuckDb => succeeds(python(), &["-c", "import duckdb, pytz"]),
            Self::OpenSsl => in_path("openssl"),
            Self::PyArrow => succeeds(python(), &["-c", "import pyarrow"]),
            Self::OpenTelemetry => succeeds(
                python(),
                &["-c", "import opentelemetry.sdk._logs; from opentelemetry.exporter.otlp.proto import grpc, http"],
            ),
            Self::Service => {
                succeeds(python(), &["-c", "import fastapi, numpy, pandas, pyarrow, setuptools, uvicorn, wheel"])
            }
            Self::Schemathesis => succeeds(python(), &["-c", "import schemathesis"]),
            Self::ObjectStore => succeeds(python(), &["-c", "import moto.server"]),
            Self::Curl => in_path("curl"),
            Self::Script => in_path("script") && in_path("stty"),
            Self::Groff => in_path("groff"),
            Self::Cluster => cluster::missing().is_none() && docker_image().is_ok(),
            Self::KServe => {
                // To import them takes seconds.
                let there =
                    "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, ('kserve', 'sklearn'))))";
                kserve::program().exists() && succeeds(python(), &["-c", there])
            }
            Self::Renderers => ["helm", "kustomize"].iter().all(|name| cluster::program(name).exists()),
            Self::Kernel => in_path("qemu-system-x86_64") && Path::new("/bin/busybox").exists() && kernel().is_some(),
        };
        (!found).then(|| match self {
            Self::Docker => {
                let why = docker_image().as_ref().err().cloned().unwrap_or_default();
                format!("a Docker engine ({why})")
            }
            Self::Podman => "podman with runc (and Docker, which makes the image)".to_owned(),
            Self::Containerd => "containerd, ctr and runc in PATH (and Docker, which makes the image)".to_owned(),
            Self::Prometheus => "prometheus and promtool in PATH".to_owned(),
            Self::Alertmanager => "prometheus-alertmanager in PATH".to_owned(),
            Self::Chromium => "chromium and chromedriver in PATH (Debian: chromium, chromium-driver)".to_owned(),
            Self::Axe => "axe-core (`npm pack axe-core` has package/axe.min.js; PLUMBLINE_AXE names it)".to_owned(),
            Self::Rotel => "rotel for Python (pip install rotel; PLUMBLINE_PYTHON names the interpreter)".to_owned(),
            Self::DuckDb => {
                "duckdb for Python (pip install duckdb pytz; PLUMBLINE_PYTHON names the interpreter)".to_owned()
            }
            Self::OpenSsl => "openssl in PATH".to_owned(),
            Self::PyArrow => {
                "pyarrow for Python (pip install pyarrow; PLUMBLINE_PYTHON names the interpreter)".to_owned()
            }
            Self::OpenTelemetry => "opentelemetry for Python (pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http \
                                    opentelemetry-exporter-otlp-proto-grpc; PLUMBLINE_PYTHON names the interpreter)"
                .to_owned(),
            Self::Service => "fastapi, numpy, pandas, pyarrow, setuptools, uvicorn and wheel for Python (pip install them; PLUMBLINE_PYTHON \
                              names the interpreter)"
                .to_owned(),
            Self::Schemathesis => {
                "schemathesis for Python (pip install schemathesis; PLUMBLINE_PYTHON names the interpreter)".to_owned()
            }
            Self::ObjectStore => {
                "moto for Python (pip install 'moto[server]'; PLUMBLINE_PYTHON names the interpreter)".to_owned()
            }
            Self::Curl => "curl in PATH".to_owned(),
            Self::Script => "script in PATH (Debian: bsdutils)".to_owned(),
            Self::Groff => "groff in PATH".to_owned(),
            Self::Cluster => {
                format!("a Kubernetes node ({})", cluster::missing().unwrap_or_else(|| "a Docker engine".to_owned()))
            }
            Self::Renderers => "helm and kustomize: run `tests/cluster/build`".to_owned(),
            Self::KServe => "KServe's agent (run `tests/serving/build`), and kserve and scikit-learn for Python (pip install kserve \
                 scikit-learn; PLUMBLINE_PYTHON names the interpreter)"
                .to_owned(),
            Self::Kernel => {
                "qemu-system-x86_64, /bin/busybox and a kernel image (PLUMBLINE_KERNEL names it)".to_owned()
            }
        })
    }
}

/// The interpreter that has the Python parts.
pub fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| std::env::var("PLUMBLINE_PYTHON").unwrap_or_else(|_| "python3".to_owned()))
}

/// The kernel image to boot.
pub fn kernel() -> Option<PathBuf> {
    std::env::var_os("PLUMBLINE_KERNEL").map(PathBuf::from).filter(|path| path.exists())
}

/// Whether a program is in PATH.
pub fn in_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).exists()))
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let silent = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    silent.is_ok_and(|status| status.success())
}

/// The script of axe-core.
pub fn axe() -> Option<PathBuf> {
    std::env::var_os("PLUMBLINE_AXE").map(PathBuf::from).filter(|path| path.is_file())
}

/// rotel's binary, which its wheel carries.
pub fn rotel() -> Option<PathBuf> {
    let code = "import rotel, os; print(os.path.dirname(rotel.__file__))";
    let output = Command::new(python()).args(["-c", code]).output().ok().filter(|output| output.status.success())?;
    let folder = String::from_utf8(output.stdout).ok()?;
    Some(Path::new(folder.trim()).join("rotel-agent")).filter(|path| path.exists())
}

/// The name of an image made of a static busybox, or why there is none.
pub fn docker_image() -> &'static Result<String, String> {
    static IMAGE: OnceLock<Result<String, String>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        if !succeeds("docker", &["version"]) {
            return Err("`docker version` fails: no engine answers".to_owned());
        }
        let busybox = Path::new("/bin/busybox");
        if !busybox.exists() {
            return Err("/bin/busybox is missing (Debian: busybox-static)".to_owned());
        }
        let tree = tempfile::tempdir().map_err(|e| e.to_string())?;
        for folder in ["bin", "tmp", "proc", "dev"] {
            fs::create_dir(tree.path().join(folder)).map_err(|e| e.to_string())?;
        }
        fs::copy(busybox, tree.path().join("bin/busybox")).map_err(|e| e.to_string())?;
        for applet in ["sh", "sleep", "head", "tail", "dd", "cat", "wget", "nc", "ping", "chown"] {
            std::os::unix::fs::symlink("busybox", tree.path().join("bin").join(applet)).map_err(|e| e.to_string())?;
        }
        let archive = tree.path().join("image.tar");
        let tar = Command::new("tar")
            .args(["-C", &tree.path().to_string_lossy(), "--exclude=image.tar", "-cf", &archive.to_string_lossy(), "."])
            .status();
        if !tar.is_ok_and(|status| status.success()) {
            return Err("tar cannot pack the image".to_owned());
        }
        let name = "plumbline-test:1";
        docker(&["import", &archive.to_string_lossy(), name]).map_err(|e| format!("{e:?}"))?;
        Ok(name.to_owned())
    })
}

/// Runs a command to its end; its output, or what it said when it failed.
pub fn command(program: &str, arguments: &[&str]) -> Result<String, Failed> {
    let Output { status, stdout, stderr } = Command::new(program).args(arguments).output()?;
    if !status.success() {
        return Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&stderr)).into());
    }
    Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
}

pub fn docker(arguments: &[&str]) -> Result<String, Failed> {
    command("docker", arguments)
}

/// A container that is removed when the test ends.
pub struct Container {
    pub name: String,
    pub id: String,
    cgroup: OnceLock<String>,
}

impl Container {
    /// Starts one under a name of its own. `options` stand before the image, `run` behind it.
    pub fn start(name: &str, options: &[&str], run: &[&str]) -> Result<Self, Failed> {
        let name = format!("plumbline-test-{name}");
        let _ = docker(&["rm", "-f", &name]);
        let image = docker_image().as_ref().map_err(Clone::clone)?;
        let arguments = [&["run", "-d", "--init=false", "--name", &name], options, &[image], run].concat();
        let id = docker(&arguments)?;
        Ok(Self { name, id, cgroup: OnceLock::new() })
    }

    pub fn remove(&self) {
        let _ = docker(&["rm", "-f", &self.name]);
    }

    /// A file of the container's own cgroup. Where it lies, its first process says.
    pub fn cgroup_file(&self, v1_controller: &str, v1: &str, v2: &str) -> Result<String, Failed> {
        // Asked once: the engine takes tens of milliseconds, in which counters go on.
        let lines = if let Some(lines) = self.cgroup.get() {
            lines
        } else {
            let pid = docker(&["inspect", "-f", "{{.State.Pid}}", &self.name])?;
            self.cgroup.get_or_init(|| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default())
        };
        for line in lines.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
            if controllers.split(',').any(|c| c == v1_controller) {
                return Ok(fs::read_to_string(format!("/sys/fs/cgroup/{v1_controller}{path}/{v1}"))?);
            }
        }
        let path = lines.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
        Ok(fs::read_to_string(format!("/sys/fs/cgroup{path}/{v2}"))?)
    }

    /// CPU time the kernel has counted, in seconds.
    pub fn kernel_cpu_time(&self) -> Result<f64, Failed> {
        let text = self.cgroup_file("cpuacct", "cpuacct.usage", "cpu.stat")?;
        if let Ok(nanoseconds) = text.trim().parse::<f64>() {
            return Ok(nanoseconds / 1e9);
        }
        let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).unwrap_or_default();
        Ok(usage.parse::<f64>()? / 1e6)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A server that ends with the test.
pub struct Server(pub Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Tries until it succeeds or `limit` is over; then the last failure.
pub fn eventually<T>(limit: Duration, mut attempt: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(failed) if begun.elapsed() > limit => return Err(failed),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// A failed check, with what was seen.
pub fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what().into()) }
}
