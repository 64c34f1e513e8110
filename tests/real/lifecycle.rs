//! Start, reload, end; and the commands that only print. Needs no part but a Linux host.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options, command};
use crate::parts::{check, eventually};

pub const TESTS: &[Test] = &[
    (&[], "lifecycle::check_names_file_line_and_field", check_names_file_line_and_field),
    (&[], "lifecycle::once_prints_json", once_prints_json),
    (&[], "lifecycle::sigterm_and_ctrl_c_end_with_0", sigterm_and_ctrl_c_end_with_0),
    (&[], "lifecycle::sighup_swaps_whole_or_not_at_all", sighup_swaps_whole_or_not_at_all),
    (&[], "lifecycle::a_taken_port_is_told", a_taken_port_is_told),
    (&[], "lifecycle::first_metrics_within_a_second", first_metrics_within_a_second),
    (&[], "lifecycle::every_route_answers", every_route_answers),
    (&[], "lifecycle::idle_connections_do_not_shut_others_out", idle_connections_do_not_shut_others_out),
];

fn check_names_file_line_and_field() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("wrong.toml");
    fs::write(&file, "[agent]\nlisen = \"127.0.0.1:1\"\n\n[history]\nretention = \"soon\"\n")?;
    let output = command().args(["check", "--config"]).arg(&file).output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(2), || format!("exit {:?}", output.status))?;
    let first = format!("{}:2: agent.lisen: unknown field `lisen`; did you mean `listen`?", file.display());
    let second = format!("{}:5: history.retention: ", file.display());
    check(errors.contains(&first) && errors.contains(&second), || errors.clone())?;
    fs::write(&file, "[agent]\ntick = \"5s\"\n")?;
    let output = command().args(["check", "--config"]).arg(&file).output()?;
    check(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    let absent = command().args(["agent", "--config", "/nowhere/plumbline.toml"]).output()?;
    check(absent.status.code() == Some(2), || format!("an absent file: {:?}", absent.status))
}

fn once_prints_json() -> Result<(), Failed> {
    let output = command().args(["agent", "--once", "--format", "json"]).output()?;
    check(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    let reading: Value = serde_json::from_slice(&output.stdout)?;
    check(reading["containers"].is_array() && reading["node"].is_string(), || reading.to_string())
}

fn sigterm_and_ctrl_c_end_with_0() -> Result<(), Failed> {
    for signal in ["TERM", "INT"] {
        let mut agent = Agent::with_defaults()?;
        let begun = Instant::now();
        agent.signal(signal)?;
        let status = agent.wait(Duration::from_secs(10))?;
        check(status.code() == Some(0), || format!("SIG{signal}: {status}; {}", agent.log()))?;
        check(begun.elapsed() < Duration::from_secs(6), || format!("took {:?}", begun.elapsed()))?;
    }
    Ok(())
}

fn sighup_swaps_whole_or_not_at_all() -> Result<(), Failed> {
    let agent = Agent::start(Options { config: "", ..Options::default() })?;
    let collectors = || -> Result<Vec<String>, Failed> {
        let health = agent.json("/healthz")?;
        Ok(health["collectors"].as_object().ok_or("no collectors")?.keys().cloned().collect())
    };
    check(collectors()?.contains(&"podman".to_owned()), || format!("{:?}", collectors()))?;

    fs::write(&agent.config, "[collect]\ndisabled = [\"podman\"]\n")?;
    agent.signal("HUP")?;
    eventually(Duration::from_secs(5), || {
        check(!collectors()?.contains(&"podman".to_owned()), || format!("not reloaded; {}", agent.log()))
    })?;

    fs::write(&agent.config, "[collect]\ndisabled = [\"docker\"]\n[agent]\nlisen = 1\n")?;
    agent.signal("HUP")?;
    eventually(Duration::from_secs(5), || {
        check(agent.log().contains(":4: agent.lisen"), || format!("the error is not told; {}", agent.log()))
    })?;
    check(collectors()?.contains(&"docker".to_owned()), || "half of an invalid config was taken".to_owned())?;

    // The old generation's threads are gone: readings go on, once a tick and not twice.
    let health = agent.json("/healthz")?;
    check(health["collectors"]["cgroup"]["up"] == true, || health.to_string())
}

fn a_taken_port_is_told() -> Result<(), Failed> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let folder = tempfile::tempdir()?;
    let output = command().args(["agent", "--listen", &address, "--data"]).arg(folder.path()).output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(1), || format!("{}", output.status))?;
    check(errors.contains(&address) && errors.contains("--listen"), || errors.clone())
}

fn first_metrics_within_a_second() -> Result<(), Failed> {
    let begun = Instant::now();
    let agent = Agent::with_defaults()?;
    let text = eventually(Duration::from_secs(2), || {
        let (status, _) = agent.get("/readyz")?;
        check(status == 200, || format!("readyz: {status}"))?;
        Ok(agent.get("/metrics")?.1)
    })?;
    // A debug build on a shared machine: the README's figure is measured on a release build by benches/weight.
    check(begun.elapsed() < Duration::from_secs(4), || format!("took {:?}", begun.elapsed()))?;
    check(text.contains("plumbline_collector_up{collector=\"cgroup\"} 1"), || text)
}

fn every_route_answers() -> Result<(), Failed> {
    let agent = Agent::with_defaults()?;
    for (path, part) in [
        ("/", "<title>plumbline"),
        ("/page.css", "body"),
        ("/page.js", "fetch"),
        ("/metrics", "# TYPE plumbline_collector_up gauge"),
        ("/healthz", "\"collectors\""),
        ("/api/v1/containers", "\"containers\""),
    ] {
        let (status, body) = agent.get(path)?;
        check(status == 200 && body.contains(part), || format!("{path}: {status}, {} bytes", body.len()))?;
    }
    let (status, body) = agent.get("/nothing")?;
    check(status == 404 && body.contains("/api/v1/containers"), || body)
}

/// A page open in many browsers, or a port scanner, must not shut Prometheus out for good.
fn idle_connections_do_not_shut_others_out() -> Result<(), Failed> {
    let agent = Agent::with_defaults()?;
    let idle: Vec<_> = (0..60).map(|_| std::net::TcpStream::connect(&agent.address)).collect::<Result<_, _>>()?;
    let (status, _) = agent.get("/metrics")?;
    check(status == 200 && idle.len() == 60, || format!("{status}"))
}
