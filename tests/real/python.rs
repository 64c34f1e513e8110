//! The Python client in deploy/python: its own tests against an agent, its wheel, and its example as a service.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::Agent;
use crate::parts::{Part, check, eventually, free_port, python};

pub const TESTS: &[Test] = &[
    (&[Part::Service], "python::its_own_tests_pass", its_own_tests_pass),
    (&[Part::Service], "python::its_wheel_serves_the_example", its_wheel_serves_the_example),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/python")
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Result<String, Failed> {
    let mut command = Command::new(python());
    let output =
        command.args(arguments).envs(environment.iter().copied()).env("PYTHONDONTWRITEBYTECODE", "1").output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(said) } else { Err(said.into()) }
}

fn its_own_tests_pass() -> Result<(), Failed> {
    let agent = Agent::with_defaults()?;
    let (source, tests) = (folder().display().to_string(), folder().join("tests/test_client.py").display().to_string());
    let url = format!("http://{}", agent.address);
    let said = run(&[&tests], &[("PLUMBLINE_URL", &url), ("PYTHONPATH", &source)])?;
    check(said.contains("OK") && said.contains("Ran 13 tests"), || said.clone())
}

/// The example under uvicorn. Ends with the test.
struct Service(Child, String);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Service {
    fn start(installed: &str, agent: &str) -> Result<Self, Failed> {
        let port = free_port();
        let (examples, at) = (folder().join("examples").display().to_string(), port.to_string());
        let arguments =
            ["-m", "uvicorn", "--app-dir", &examples, "--port", &at, "--log-level", "warning", "fastapi_app:app"];
        let child = Command::new(python())
            .args(arguments)
            .env("PYTHONPATH", installed)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PLUMBLINE_URL", format!("http://{agent}"))
            .stdout(Stdio::null())
            .spawn()?;
        let service = Self(child, format!("127.0.0.1:{port}"));
        eventually(Duration::from_secs(30), || TcpStream::connect(&service.1).map(drop).map_err(Failed::from))?;
        Ok(service)
    }

    fn ask(&self, request: &str, body: &str) -> Result<Value, Failed> {
        let mut stream = TcpStream::connect(&self.1)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: service\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        check(head.starts_with("HTTP/1.1 200"), || answer.clone())?;
        Ok(serde_json::from_str(body)?)
    }
}

fn its_wheel_serves_the_example() -> Result<(), Failed> {
    let built = tempfile::tempdir()?;
    // Out of the checkout: a build leaves folders beside its source.
    let source = built.path().join("source");
    run(
        &[
            "-c",
            "import shutil, sys; shutil.copytree(*sys.argv[1:])",
            &folder().display().to_string(),
            &source.display().to_string(),
        ],
        &[],
    )?;
    let (wheels, installed) = (built.path().join("wheels"), built.path().join("installed").display().to_string());
    let of_source = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w"];
    run(&[&of_source[..], &[&wheels.display().to_string(), &source.display().to_string()]].concat(), &[])?;
    let wheel = std::fs::read_dir(&wheels)?.flatten().next().ok_or("no wheel")?.path().display().to_string();
    check(wheel.ends_with("-py3-none-any.whl"), || format!("{wheel} is not pure"))?;
    run(&["-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", &installed, &wheel], &[])?;

    let agent = Agent::with_defaults()?;
    let service = Service::start(&installed, &agent.address)?;
    let predict = |at: u32| {
        let body = json!({"age": 20 + at % 50, "income": 1000 + 37 * (at % 60)}).to_string();
        service.ask("POST /predict", &body)
    };
    for at in 0..200 {
        let predicted = predict(at)?;
        let truth = json!({"id": predicted["id"], "churned": predicted["churns"]}).to_string();
        service.ask("POST /truth", &truth)?;
    }
    eventually(Duration::from_secs(20), || {
        let model = agent.model("churn")?;
        let counts = &model["counts"];
        check(counts["samples"] == 200 && counts["labels"] == 200 && counts["unmatched"] == 0, || counts.to_string())
    })?;
    let expected = json!({"accepted": 400, "rejected": 0, "dropped": 0, "waiting": 0});
    check(service.ask("GET /counts", "")? == expected, || "every row is accounted for".to_owned())?;
    // Without an agent it serves as before.
    drop(agent);
    for at in 0..50 {
        predict(at)?;
    }
    let counts = service.ask("GET /counts", "")?;
    check(counts["accepted"] == 400 && counts["waiting"] == 50, || counts.to_string())
}
