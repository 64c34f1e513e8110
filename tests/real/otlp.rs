//! A real OTLP collector (rotel) takes what the agent sends, over gRPC and HTTP; dies, and comes back.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::parts::{Container, Part, Server, check, command, docker, eventually, free_port, python, rotel};

pub const TESTS: &[Test] = &[
    (&[Part::Docker, Part::Rotel], "otlp::grpc_survives_a_collector_that_dies", || survives("grpc")),
    (&[Part::Docker, Part::Rotel], "otlp::http_survives_a_collector_that_dies", || survives("http/protobuf")),
    (&[Part::Docker, Part::Rotel, Part::OpenSsl], "otlp::grpc_over_tls", || over_tls("grpc")),
    (&[Part::Docker, Part::Rotel, Part::OpenSsl], "otlp::http_over_tls", || over_tls("http/protobuf")),
];

const TICKS: &str = "[agent]\ntick = \"1s\"\ninner_tick = \"200ms\"\n[export.otlp]\ninterval = \"1s\"\n";

pub struct Collector {
    pub grpc: u16,
    pub http: u16,
}

impl Collector {
    pub fn start(&self, log: &Path) -> Result<Server, Failed> {
        let binary = rotel().ok_or("no rotel")?;
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(binary)
            .args([
                "start",
                "--exporter",
                "blackhole",
                "--debug-log",
                "metrics",
                "--debug-log",
                "logs",
                "--debug-log-verbosity",
                "detailed",
            ])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", self.grpc)])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{}", self.http)])
            .stdout(log.try_clone()?)
            .stderr(Stdio::from(log))
            .spawn()?;
        Ok(Server(child))
    }
}

/// A certificate of an authority of our own, and its key, in PEM.
fn certificate(folder: &Path) -> Result<(String, String, String), Failed> {
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (ca, ca_key, request, key, certificate) =
        (file("ca.pem"), file("ca.key"), file("request"), file("server.key"), file("server.pem"));
    let subject = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    command(
        "openssl",
        &[
            &["req", "-x509", "-days", "2", "-subj", "/CN=test authority", "-keyout", &ca_key, "-out", &ca],
            &subject[..],
        ]
        .concat(),
    )?;
    command(
        "openssl",
        &[&["req", "-subj", "/CN=localhost", "-keyout", &key, "-out", &request], &subject[..]].concat(),
    )?;
    let extensions = file("extensions");
    fs::write(&extensions, "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")?;
    let sign = ["x509", "-req", "-days", "2", "-CAcreateserial", "-in", &request, "-CA", &ca, "-CAkey", &ca_key];
    command("openssl", &[&sign[..], &["-extfile", &extensions, "-out", &certificate]].concat())?;
    Ok((ca, certificate, key))
}

/// Through a proxy that ends TLS: taken with its authority's certificate, refused without.
fn over_tls(protocol: &str) -> Result<(), Failed> {
    let container = Container::start("tls", &[], &["sleep", "1000"])?;
    let collector = Collector { grpc: free_port(), http: free_port() };
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let _running = collector.start(&log)?;
    let (authority, certificate, key) = certificate(folder.path())?;
    let target = if protocol == "grpc" { collector.grpc } else { collector.http };
    let port = free_port();
    let proxy = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/tls_proxy.py");
    let arguments = [proxy, &port.to_string(), &target.to_string(), &certificate, &key];
    let _proxy = Server(Command::new(python()).args(arguments).spawn()?);
    let agent = |trusted: Option<&str>| {
        let mut env = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://localhost:{port}")),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ];
        env.extend(trusted.map(|path| ("OTEL_EXPORTER_OTLP_CERTIFICATE", path.to_owned())));
        Agent::start(Options { config: TICKS, env, ..Options::default() })
    };
    let stranger = agent(None)?;
    eventually(Duration::from_secs(10), || {
        let otlp = stranger.json("/healthz")?["exporters"]["otlp"].clone();
        check(otlp["up"] == false && otlp["sent"] == 0, || format!("sent to a stranger: {otlp}"))
    })?;
    drop(stranger);
    let trusting = agent(Some(&authority))?;
    eventually(Duration::from_secs(20), || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let arrived = text.contains(&container.id) && text.contains("plumbline.collector.up");
        check(arrived, || format!("{}; {:?}", trusting.log(), trusting.get("/healthz")))
    })
}

fn survives(protocol: &str) -> Result<(), Failed> {
    let container = Container::start("sent", &["--cpus", "0.1"], &["sh", "-c", "while :; do :; done"])?;
    let collector = Collector { grpc: free_port(), http: free_port() };
    let folder = tempfile::tempdir()?;
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let port = if protocol == "grpc" { collector.grpc } else { collector.http };
    let env = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".to_owned()),
    ];
    let running = collector.start(&first)?;
    let mut agent = Agent::start(Options { config: TICKS, env, ..Options::default() })?;
    let arrives = |log: &Path, what: &[&str]| {
        eventually(Duration::from_secs(20), || {
            let text = fs::read_to_string(log).unwrap_or_default();
            let missing: Vec<&&str> = what.iter().filter(|part| !text.contains(**part)).collect();
            check(missing.is_empty(), || {
                format!("{missing:?} did not arrive; {}; health {:?}", agent.log(), agent.get("/healthz"))
            })
        })
    };
    let measured =
        [container.id.as_str(), &container.name, "container.cpu.time", "container.memory.working_set", "host.name"];
    arrives(&first, &measured)?;
    arrives(&first, &["plumbline.collector.up", "service.name", "deployment.environment.name"])?;

    drop(running);
    let otlp = |agent: &Agent| -> Result<Value, Failed> { Ok(agent.json("/healthz")?["exporters"]["otlp"].clone()) };
    eventually(Duration::from_secs(10), || {
        let state = otlp(&agent)?;
        check(state["up"] == false && state["queued_bytes"].as_u64() > Some(0), || state.to_string())
    })?;
    let running = collector.start(&second)?;
    arrives(&second, &measured)?;
    // What waited has gone too, and nothing was lost.
    eventually(Duration::from_secs(60), || {
        let state = otlp(&agent)?;
        let calm = state["up"] == true && state["queued_bytes"] == 0;
        check(calm && state["dropped"] == 0 && state["rejected"] == 0, || state.to_string())
    })?;

    // A container that goes is marked once as having no value.
    docker(&["rm", "-f", &container.name])?;
    std::thread::sleep(Duration::from_secs(4));
    let text = fs::read_to_string(&second)?;
    let points = text.split("-> Name: ").filter(|point| point.starts_with("container.memory.rss\n"));
    let marks = points.filter(|point| !point.contains("Value: ")).count();
    check(marks == 1, || format!("{marks} points without a value, not one"))?;
    check(!agent.log().contains("secret"), || "a header's value is in the log".to_owned())?;
    agent.signal("TERM")?;
    let status = agent.wait(Duration::from_secs(10))?;
    check(status.success(), || format!("{status}: {}", agent.log()))?;
    drop(running);
    Ok(())
}
