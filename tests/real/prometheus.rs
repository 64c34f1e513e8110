//! A real Prometheus scrapes the agent and is queried; promtool looks over the text.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options, get};
use crate::parts::{Container, Part, Server, check, eventually, free_port};

pub const TESTS: &[Test] = &[
    (&[Part::Docker, Part::Prometheus], "prometheus::promtool_finds_nothing", promtool_finds_nothing),
    (&[Part::Docker, Part::Prometheus], "prometheus::scrapes_and_answers", scrapes_and_answers),
];

const SPIN: &[&str] = &["sh", "-c", "while :; do :; done"];

fn promtool_finds_nothing() -> Result<(), Failed> {
    let container = Container::start("promtool", &["--cpus", "0.1", "-m", "64m", "--label", "a.b=c \"d\""], SPIN)?;
    let agent = Agent::with_defaults()?;
    eventually(Duration::from_secs(5), || agent.container(&container.id))?;
    std::thread::sleep(Duration::from_secs(2));
    let text = agent.get("/metrics")?.1;
    check(text.contains("container_cpu_usage{"), || text.clone())?;
    let mut promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    promtool.stdin.take().ok_or("no stdin")?.write_all(text.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.success() && said.trim().is_empty(), || said)
}

fn scrapes_and_answers() -> Result<(), Failed> {
    let container = Container::start("scraped", &["--cpus", "0.5"], SPIN)?;
    let agent =
        Agent::start(Options { config: "[agent]\ntick = \"1s\"\ninner_tick = \"200ms\"\n", ..Options::default() })?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("prometheus.yml");
    fs::write(
        &config,
        format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n- job_name: plumbline\n  static_configs:\n  - targets: ['{}']\n",
            agent.address
        ),
    )?;
    let address = format!("127.0.0.1:{}", free_port());
    let log = fs::File::create(folder.path().join("log"))?;
    let _prometheus = Server(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?,
    );
    let query = |query: &str| -> Result<Value, Failed> {
        let encoded = query.bytes().fold(String::new(), |text, b| text + &format!("%{b:02x}"));
        let answer: Value = serde_json::from_str(&get(&address, &format!("/api/v1/query?query={encoded}"))?.1)?;
        Ok(answer["data"]["result"].clone())
    };
    let number = |text: &str| -> Result<f64, Failed> {
        let result = query(text)?;
        check(result.as_array().is_some_and(|r| r.len() == 1), || format!("{text}: {result}"))?;
        Ok(result[0]["value"][1].as_str().ok_or("no value")?.parse()?)
    };
    eventually(Duration::from_secs(30), || check(number("up{job=\"plumbline\"}")? == 1.0, || "not up".to_owned()))?;
    let name = &container.name;
    let rate =
        format!("sum by (container_name) (rate(container_cpu_time_seconds_total{{container_name=\"{name}\"}}[10s]))");
    eventually(Duration::from_secs(30), || {
        let cores = number(&rate)?;
        check((0.35..0.65).contains(&cores), || format!("a rate of {cores} cores"))
    })?;
    let image = query(&format!("target_info{{container_name=\"{name}\"}}"))?;
    check(image[0]["metric"]["container_runtime_name"] == "docker", || image.to_string())?;
    container.remove();
    // Prometheus marks a series that a scrape no longer has at once.
    eventually(Duration::from_secs(6), || {
        let left = query(&format!("container_memory_usage_bytes{{container_name=\"{name}\"}}"))?;
        check(left.as_array().is_some_and(Vec::is_empty), || left.to_string())
    })
}
