//! A real Podman through its Docker-compatible socket.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::parts::{Part, Server, check, command, docker, docker_image, eventually};

pub const TESTS: &[Test] = &[(&[Part::Podman], "podman::containers_have_their_names", containers_have_their_names)];

/// Removes the container whatever becomes of the test.
struct Removed(&'static str);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = command("podman", &["rm", "-f", "-t", "0", self.0]);
    }
}

fn containers_have_their_names() -> Result<(), Failed> {
    const NAME: &str = "plumbline-test-podman";
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("image.tar");
    let image = docker_image().as_ref().map_err(Clone::clone)?;
    docker(&["save", "-o", &archive.to_string_lossy(), image])?;
    command("podman", &["load", "-i", &archive.to_string_lossy()])?;
    let socket = folder.path().join("podman.sock");
    let log = fs::File::create(folder.path().join("log"))?;
    let _service = Server(
        Command::new("podman")
            .args(["--runtime", "runc", "system", "service", "-t", "0", &format!("unix://{}", socket.display())])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?,
    );
    eventually(Duration::from_secs(10), || check(socket.exists(), || "no socket".to_owned()))?;
    let config = format!(
        "[agent]\ntick = \"2s\"\ninner_tick = \"200ms\"\n[collect]\ndisabled = [\"docker\"]\n[collect.podman]\nsockets = [\"{}\"]\n",
        socket.display()
    );
    let agent = Agent::start(Options { config: &config, ..Options::default() })?;
    let _ = command("podman", &["rm", "-f", "-t", "0", NAME]);
    let _removed = Removed(NAME);
    // crun refuses hybrid hosts, and without the limits runc may not raise its own here.
    let run = [
        "--runtime",
        "runc",
        "run",
        "-d",
        "--network",
        "host",
        "--ulimit",
        "nofile=1024:1024",
        "--ulimit",
        "nproc=1000:1000",
    ];
    let container = ["--name", NAME, "-m", "64m", &format!("localhost/{image}"), "sleep", "1000"];
    let id = command("podman", &[&run[..], &container[..]].concat())?;
    let id = id.lines().last().unwrap_or_default().to_owned();
    // The engine may name it before the files of its cgroup were read for the first time.
    eventually(Duration::from_secs(5), || {
        let view = agent.container(&id)?;
        check(view["name"] == NAME && view["runtime"] == "podman", || format!("{view}; {}", agent.log()))?;
        check(view["memory"]["usage"].as_u64() > Some(0), || view["memory"].to_string())
    })?;
    command("podman", &["rm", "-f", "-t", "0", NAME])?;
    eventually(Duration::from_secs(4), || check(agent.container(&id).is_err(), || "still there".to_owned()))
}
