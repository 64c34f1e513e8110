//! What stands in deploy/: its settings are valid, its command lines are the program's, and the agent does what it should as nobody,
//! in a container without a privilege, with the mounts of the compose file.

mod rendered;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{BINARY, command, get};
use crate::parts::{Container, Part, check, docker, docker_image, eventually, free_port};

pub const TESTS: &[Test] = &[
    (&[], "deploy::settings_and_command_lines_are_valid", settings_and_command_lines_are_valid),
    (&[Part::Renderers], "deploy::helm_and_kustomize_say_the_same", rendered::helm_and_kustomize_say_the_same),
    (&[Part::Renderers], "deploy::settings_of_the_manifests_are_valid", rendered::settings_of_the_manifests_are_valid),
    (&[Part::Renderers], "deploy::bad_values_are_refused", rendered::bad_values_are_refused),
    (&[Part::Renderers], "deploy::no_right_is_taken_that_is_not_named", rendered::no_right_is_taken_that_is_not_named),
    (&[Part::Docker], "deploy::nobody_in_a_container_sees_the_host", nobody_in_a_container_sees_the_host),
];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// The program's arguments in a file: of a JSON-like list (`["agent", ...]`), or behind its path in a unit.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let of_list = |line: &str| -> Option<Vec<String>> {
        let list = &line[line.find("[\"agent\"")?..=line.rfind(']')?];
        serde_json::from_str(list).ok()
    };
    let of_unit = |line: &str| -> Option<Vec<String>> {
        let (_, rest) = line.strip_prefix("ExecStart")?.split_once("/plumbline ")?;
        Some(rest.split_whitespace().map(str::to_owned).collect())
    };
    text.lines().filter_map(|line| of_list(line).or_else(|| of_unit(line))).collect()
}

fn settings_and_command_lines_are_valid() -> Result<(), Failed> {
    for file in [
        "compose/plumbline.toml",
        "kubernetes/base/plumbline.toml",
        "kubernetes/components/autoscalers/plumbline.toml",
        "kubernetes/components/descriptions/plumbline.toml",
        "../config/plumbline.toml",
    ] {
        let output = command().args(["check", "--config"]).arg(deploy().join(file)).output()?;
        check(output.status.success(), || format!("{file}: {}", String::from_utf8_lossy(&output.stderr)))?;
    }
    let mut lines = 0;
    for file in [
        "Dockerfile",
        "compose/compose.yaml",
        "kubernetes/base/daemonset.yaml",
        "helm/plumbline/templates/daemonset.yaml",
        "systemd/plumbline.service",
    ] {
        let found = command_lines(&fs::read_to_string(deploy().join(file))?);
        check(!found.is_empty(), || format!("{file}: no command line is found"))?;
        for arguments in found {
            lines += 1;
            // What stands before --help must be known.
            let output = command().args(&arguments).arg("--help").output()?;
            check(output.status.success(), || {
                format!("{file}: {arguments:?}: {}", String::from_utf8_lossy(&output.stderr))
            })?;
        }
    }
    check(lines == 7, || format!("{lines} command lines"))
}

fn nobody_in_a_container_sees_the_host() -> Result<(), Failed> {
    let watched = Container::start("watched", &["--cpus", "0.2", "-m", "64m"], &["sh", "-c", "while :; do :; done"])?;
    let image = docker_image().as_ref().map_err(Clone::clone)?;
    let socket = docker(&["context", "inspect", "-f", "{{.Endpoints.docker.Host}}"]).unwrap_or_default();
    let socket = socket.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").to_owned();
    let group = std::os::unix::fs::MetadataExt::gid(&fs::metadata(&socket)?).to_string();
    let settings = deploy().join("compose/plumbline.toml").display().to_string();
    let port = free_port();
    let name = "plumbline-test-agent";
    let _ = docker(&["rm", "-f", name]);
    let mut mounts = vec![
        format!("{BINARY}:/plumbline:ro"),
        format!("{settings}:/etc/plumbline/plumbline.toml:ro"),
        "/sys/fs/cgroup:/host/sys/fs/cgroup:ro".to_owned(),
        "/proc:/host/proc:ro".to_owned(),
        format!("{socket}:/var/run/docker.sock:ro"),
    ];
    // The image has no C library: the host's stands in for the one of the base image.
    mounts
        .extend(["/lib", "/lib64", "/usr/lib"].iter().filter(|f| Path::new(f).exists()).map(|f| format!("{f}:{f}:ro")));
    let listen = format!("127.0.0.1:{port}");
    let mut arguments =
        vec!["run", "-d", "--name", name, "--network", "host", "--pid", "host", "--user", "65532:65532"];
    arguments.extend([
        "--group-add",
        &group,
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--read-only",
    ]);
    arguments.extend(["--tmpfs", "/state:mode=1777", "-m", "512m"]);
    arguments.extend(mounts.iter().flat_map(|mount| ["-v", mount.as_str()]));
    arguments.extend([image.as_str(), "/plumbline", "agent", "--config", "/etc/plumbline/plumbline.toml"]);
    arguments.extend(["--listen", &listen, "--data", "/state"]);
    docker(&arguments)?;
    let seen = eventually(Duration::from_secs(20), || {
        let (_, body) = get(&listen, "/api/v1/containers")?;
        let all: Value = serde_json::from_str(&body)?;
        let containers = all["containers"].as_array().ok_or("no list")?;
        let ours = containers.iter().find(|c| c["id"] == watched.id.as_str()).ok_or_else(|| body.clone())?;
        check(ours["name"] == watched.name.as_str() && ours["cpu"]["usage"].as_f64() > Some(0.1), || ours.to_string())?;
        let itself = containers.iter().any(|c| c["name"] == name);
        check(itself, || "it does not see itself".to_owned())
    });
    let log = docker(&["logs", name]);
    let _ = docker(&["rm", "-f", name]);
    seen.map_err(|failed| format!("{failed:?}; {log:?}").into())
}
