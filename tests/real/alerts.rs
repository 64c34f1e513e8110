//! Alerts all the way: a real Alertmanager that notifies, goes away and comes back; log events at a collector; standard output;
//! a restart in between. And what an OOM kill leads to: an alert, and a recommendation that a real engine takes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options, get};
use crate::gpus::{Node, gpu};
use crate::otlp::Collector;
use crate::parts::{Container, Part, Server, check, command, docker, eventually, free_port};

pub const TESTS: &[Test] = &[
    (&[Part::Alertmanager], "alerts::alertmanager_is_told_through_an_outage", alertmanager_is_told),
    (&[], "alerts::a_restart_forgets_nothing", a_restart_forgets_nothing),
    (&[Part::Rotel], "alerts::log_events_reach_a_collector_by_grpc", || log_events("grpc")),
    (&[Part::Rotel], "alerts::log_events_reach_a_collector_by_http", || log_events("http/protobuf")),
    (&[Part::Docker], "alerts::an_oom_kill_leads_to_a_patch_that_works", an_oom_kill_leads_to_a_patch),
    (&[], "alerts::a_reader_that_does_not_read_holds_nothing_up", a_reader_that_does_not_read),
    (&[], "alerts::wrong_rules_are_told", wrong_rules_are_told),
];

/// A rule that a test can meet at will.
const BUSY: &str = "[alerting]\ndefaults = false\n[[alert]]\nname = \"GpuBusy\"\nmetric = \"hw.gpu.utilization\"\nabove = 0.9\n\
    clear = 0.5\nfor = \"1s\"\nkeep_firing_for = \"1s\"\nseverity = \"critical\"\nmessage = \"{hw.name} at {value}.\"\n";

fn busy() -> Value {
    gpu(0, 95, 0, &[])
}

fn idle() -> Value {
    gpu(0, 10, 0, &[])
}

fn states(agent: &Agent) -> Result<Vec<String>, Failed> {
    let alerts = agent.json("/api/v1/alerts")?["alerts"].clone();
    Ok(alerts.as_array().ok_or("no list")?.iter().map(|a| a["state"].as_str().unwrap_or("").to_owned()).collect())
}

fn is_firing(agent: &Agent) -> Result<(), Failed> {
    eventually(Duration::from_secs(10), || {
        let states = states(agent)?;
        check(states == ["firing"], || format!("{states:?}; {}", agent.log()))
    })
}

fn is_over(agent: &Agent) -> Result<(), Failed> {
    eventually(Duration::from_secs(10), || {
        let states = states(agent)?;
        check(states.is_empty(), || format!("{states:?}; {}", agent.log()))
    })
}

/// What Alertmanager notifies, one status after the other.
#[derive(Clone, Default)]
struct Notified(Arc<Mutex<Vec<Value>>>);

impl Notified {
    fn listen() -> Result<(Self, u16), Failed> {
        let notified = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let told = notified.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut length = 0;
                let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length");
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                let _ = reader.read_exact(&mut body);
                told.0.lock().expect("the list").push(serde_json::from_slice(&body).unwrap_or_default());
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Ok((notified, port))
    }

    fn statuses(&self) -> Vec<String> {
        let all = self.0.lock().expect("the list");
        all.iter().map(|told| told["status"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn are(&self, expected: &[&str]) -> Result<(), Failed> {
        eventually(Duration::from_secs(45), || {
            let statuses = self.statuses();
            check(statuses == expected, || format!("{statuses:?} instead of {expected:?}"))
        })
    }
}

fn alertmanager(folder: &Path, port: u16) -> Result<Server, Failed> {
    let log = File::options().create(true).append(true).open(folder.join("log"))?;
    let child = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", folder.join("alertmanager.yml").display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(log.try_clone()?)
        .stderr(Stdio::from(log))
        .spawn()?;
    let server = Server(child);
    eventually(Duration::from_secs(10), || {
        let (status, body) = get(&format!("127.0.0.1:{port}"), "/-/ready")?;
        check(status == 200, || body)
    })?;
    Ok(server)
}

fn alertmanager_is_told() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (notified, webhook) = Notified::listen()?;
    fs::write(
        folder.path().join("alertmanager.yml"),
        format!(
            "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers:\n- name: hook\n  webhook_configs: [{{url: 'http://127.0.0.1:{webhook}/', send_resolved: true}}]\n"
        ),
    )?;
    let port = free_port();
    let running = alertmanager(folder.path(), port)?;
    let node = Node::new(&[idle()])?;
    let config = format!("{}{BUSY}[export.alertmanager]\nurls = [\"http://127.0.0.1:{port}\"]\n", Node::config());
    let agent = Agent::start(Options { config: &config, env: node.env(), ..Options::default() })?;

    node.play(&[busy()])?;
    is_firing(&agent)?;
    notified.are(&["firing"])?;
    let told = notified.0.lock().expect("the list")[0]["alerts"][0].clone();
    let labels = &told["labels"];
    check(labels["alertname"] == "GpuBusy" && labels["severity"] == "critical", || told.to_string())?;
    check(labels["hw_id"] == "GPU-0" && labels["node"].is_string() && labels["value"].is_null(), || told.to_string())?;
    check(told["annotations"]["summary"] == "GPU 0 at 95.0 %.", || told.to_string())?;
    node.play(&[idle()])?;
    is_over(&agent)?;
    notified.are(&["firing", "resolved"])?;

    // It fires while nobody listens: it is told when somebody does.
    let end = |mut server: Server| -> Result<(), Failed> {
        // In peace: what it notified it writes down at its end.
        command("kill", &["-TERM", &server.0.id().to_string()])?;
        server.0.wait()?;
        Ok(())
    };
    end(running)?;
    node.play(&[busy()])?;
    is_firing(&agent)?;
    eventually(Duration::from_secs(5), || {
        let health = agent.json("/healthz")?["exporters"]["alertmanager"].clone();
        check(health["up"] == false && health["failures"].as_u64() > Some(0), || health.to_string())
    })?;
    let running = alertmanager(folder.path(), port)?;
    notified.are(&["firing", "resolved", "firing"])?;

    // It is over while nobody listens. What Alertmanager knew it has forgotten, but not that it notified.
    end(running)?;
    node.play(&[idle()])?;
    is_over(&agent)?;
    let _running = alertmanager(folder.path(), port)?;
    notified.are(&["firing", "resolved", "firing", "resolved"])?;
    eventually(Duration::from_secs(5), || {
        let health = agent.json("/healthz")?["exporters"]["alertmanager"].clone();
        check(health["up"] == true, || health.to_string())
    })
}

fn a_restart_forgets_nothing() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let node = Node::new(&[busy()])?;
    let config = format!("{}{BUSY}", Node::config());
    let start = || {
        Agent::start(Options {
            config: &config,
            env: node.env(),
            data: Some(data.path().to_owned()),
            ..Options::default()
        })
    };
    let mut agent = start()?;
    is_firing(&agent)?;
    eventually(Duration::from_secs(5), || {
        let printed = agent.printed();
        let told = printed.contains("FIRING   critical GpuBusy") && printed.contains("GPU 0 at 95.0 %.");
        check(told && printed.lines().count() == 1, || printed)
    })?;
    let fired = agent.json("/api/v1/alerts")?["alerts"][0]["fired"].clone();
    check(agent.sum("plumbline_alert_active", "alert=\"GpuBusy\"")? == 1.0, || "no metric".to_owned())?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    let agent = start()?;
    is_firing(&agent)?;
    let again = agent.json("/api/v1/alerts")?["alerts"][0]["fired"].clone();
    check(again == fired, || format!("{fired}, then {again}"))?;
    check(agent.printed().is_empty(), || format!("told twice: {}", agent.printed()))?;
    node.play(&[idle()])?;
    is_over(&agent)?;
    eventually(Duration::from_secs(5), || {
        check(agent.printed().contains("RESOLVED critical GpuBusy"), || agent.printed())
    })?;
    let over = agent.json("/api/v1/alerts")?["resolved"][0].clone();
    check(over["fired"] == fired && over["resolved"].is_string(), || over.to_string())
}

fn log_events(protocol: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let collector = Collector { grpc: free_port(), http: free_port() };
    let port = if protocol == "grpc" { collector.grpc } else { collector.http };
    let node = Node::new(&[busy()])?;
    let config = format!("{}{BUSY}", Node::config());
    let mut env = node.env();
    env.push(("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}")));
    env.push(("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()));
    let agent = Agent::start(Options { config: &config, env, ..Options::default() })?;
    // It fires before anybody listens.
    is_firing(&agent)?;
    std::thread::sleep(Duration::from_secs(1));
    let _running = collector.start(&log)?;
    let seen = |text: &str| -> Result<(), Failed> {
        eventually(Duration::from_secs(40), || {
            let log = fs::read_to_string(&log)?;
            check(log.contains(text), || format!("no `{text}`: {}", log.chars().take(4000).collect::<String>()))
        })
    };
    for text in ["plumbline.alert", "GPU 0 at 95.0 %.", "GpuBusy", "firing", "alert.threshold"] {
        seen(text)?;
    }
    node.play(&[idle()])?;
    is_over(&agent)?;
    seen("resolved")
}

fn an_oom_kill_leads_to_a_patch() -> Result<(), Failed> {
    let eat = "while :; do sleep 3; tail -c 200000000 /dev/zero >/dev/null; done";
    let container = Container::start("too-small", &["-m", "32m"], &["sh", "-c", eat])?;
    let agent = Agent::start(Options { config: "[agent]\ntick = \"1s\"\n", ..Options::default() })?;
    eventually(Duration::from_secs(30), || {
        let alerts = agent.json("/api/v1/alerts")?;
        let all = alerts["alerts"].as_array().ok_or("no list")?.clone();
        let killed = all.iter().find(|alert| {
            alert["name"] == "ContainerOomKilled" && alert["labels"]["container.name"] == container.name.as_str()
        });
        check(killed.is_some_and(|alert| alert["state"] == "firing"), || alerts.to_string())
    })?;
    // A minute has to close before the history knows of it.
    let patch = eventually(Duration::from_secs(120), || {
        let (status, body) = agent.get("/api/v1/recommendations")?;
        check(status == 200, || body.clone())?;
        let review: Value = serde_json::from_str(&body)?;
        let all = review["workloads"].as_array().ok_or("no list")?.clone();
        let ours =
            all.iter().find(|w| w["workload"]["container_id"] == container.id.as_str()).ok_or("it is not there")?;
        check(ours["memory"]["provisioning"] == "under_provisioned" && ours["confirmed"] == true, || ours.to_string())?;
        check(ours["saving"].as_f64() < Some(0.0), || ours.to_string())?;
        Ok(ours["patches"][0]["text"].as_str().ok_or_else(|| ours.to_string())?.to_owned())
    })?;
    check(patch.starts_with("docker update --memory 40m"), || patch.clone())?;
    eventually(Duration::from_secs(20), || {
        let told = agent.samples("under_provisioned")?;
        let ours = told.iter().find(|(series, _)| series.contains(&container.name) && series.contains("memory"));
        check(ours.is_some_and(|(_, value)| *value == 1.0), || format!("{told:?}"))
    })?;
    command("sh", &["-c", &patch])?;
    let limit = docker(&["inspect", "-f", "{{.HostConfig.Memory}}", &container.name])?;
    check(limit == (40 << 20).to_string(), || limit)
}

/// A pipe that is full: the agent goes on, and ends when it is told to.
fn a_reader_that_does_not_read() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("plumbline.toml");
    let rule = |n: u32| {
        let message = "x".repeat(9000);
        format!("[[alert]]\nname = \"R{n}\"\nmetric = \"process.memory.usage\"\nabove = 0\nmessage = \"{message}\"\n")
    };
    let rules: String = (0..30).map(rule).collect();
    fs::write(&file, format!("[agent]\ntick = \"1s\"\n[collect]\ndisabled = [\"docker\", \"podman\"]\n{rules}"))?;
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut agent = crate::agent::command()
        .args(["agent", "--listen", &address, "--config"])
        .arg(&file)
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    eventually(Duration::from_secs(15), || {
        let (status, body) = get(&address, "/api/v1/alerts")?;
        check(status == 200 && body.matches("\"firing\"").count() >= 30, || format!("{status}"))
    })?;
    std::thread::sleep(Duration::from_secs(1));
    let (status, _) = get(&address, "/healthz")?;
    command("kill", &["-TERM", &agent.id().to_string()])?;
    let ended = eventually(Duration::from_secs(10), || agent.try_wait()?.ok_or_else(|| "still runs".into()));
    let _ = agent.kill();
    check(status == 200 && ended?.code() == Some(0), || format!("{status}"))
}

fn wrong_rules_are_told() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("plumbline.toml");
    fs::write(
        &file,
        "[[alert]]\nname = \"A\"\nmetric = \"container.cpu.usge\"\nabove = 1\nmessage = \"m\"\n[alerting]\ndisabled = [\"B\"]\n",
    )?;
    let output = crate::agent::command().args(["check", "--config"]).arg(&file).output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(2), || errors.clone())?;
    check(
        errors.contains(
            ":3: alert.0.metric: there is no metric `container.cpu.usge`; did you mean `container.cpu.usage`?",
        ),
        || errors.clone(),
    )?;
    check(errors.contains("alerting.disabled: there is no rule `B`"), || errors.clone())
}
