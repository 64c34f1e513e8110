//! GPUs, through a library that plays NVML (`tests/fake_nvml`), held by real processes in real containers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::{Agent, BINARY, Options};
use crate::history::duckdb;
use crate::parts::{Container, Part, check, docker, eventually};

pub const TESTS: &[Test] = &[
    (&[], "gpus::without_a_library_there_is_one_line", without_a_library_there_is_one_line),
    (&[Part::Docker], "gpus::a_process_is_its_containers", a_process_is_its_containers),
    (&[], "gpus::a_lost_one_takes_only_itself_along", a_lost_one_takes_only_itself_along),
    (&[Part::DuckDb], "gpus::bursts_between_readings_are_seen", bursts_between_readings_are_seen),
    (&[], "gpus::a_gpu_is_who_it_says_it_is", a_gpu_is_who_it_says_it_is),
    (&[Part::Docker], "gpus::a_slow_one_delays_no_container", a_slow_one_delays_no_container),
    (&[Part::DuckDb], "gpus::minutes_are_kept", minutes_are_kept),
];

const GIB: u64 = 1 << 30;

/// The library that plays NVML, which cargo builds beside the tests.
pub fn library() -> PathBuf {
    Path::new(BINARY).with_file_name("examples").join("libfake_nvml.so")
}

/// A node of GPUs that a test can change.
pub struct Node {
    folder: tempfile::TempDir,
}

impl Node {
    pub fn new(gpus: &[Value]) -> Result<Self, Failed> {
        let node = Self { folder: tempfile::tempdir()? };
        node.play(gpus)?;
        Ok(node)
    }

    /// What the library answers from now on.
    pub fn play(&self, gpus: &[Value]) -> Result<(), Failed> {
        let scenario = json!({ "driver": "580.65.06", "gpus": gpus });
        let aside = self.folder.path().join("aside");
        fs::write(&aside, scenario.to_string())?;
        Ok(fs::rename(aside, self.scenario())?)
    }

    fn scenario(&self) -> PathBuf {
        self.folder.path().join("scenario.json")
    }

    pub fn config() -> String {
        format!("[agent]\ntick = \"1s\"\ninner_tick = \"500ms\"\n[gpu]\nnvml_library = \"{}\"\n", library().display())
    }

    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![("PLUMBLINE_FAKE_NVML", self.scenario().display().to_string())]
    }

    fn agent(&self) -> Result<Agent, Failed> {
        Agent::start(Options { config: &Self::config(), env: self.env(), ..Options::default() })
    }
}

pub fn gpu(index: u64, utilization: u64, used: u64, processes: &[(u32, u64)]) -> Value {
    let processes: Vec<Value> = processes.iter().map(|(pid, memory)| json!({ "pid": pid, "memory": memory })).collect();
    json!({
        "uuid": format!("GPU-{index}"), "name": "NVIDIA H100 80GB HBM3", "utilization": utilization,
        "memory_used": used, "memory_total": 80 * GIB, "power_mw": 312_500, "energy_mj": 5_000_000, "temperature": 61,
        "processes": processes,
    })
}

fn gpus(agent: &Agent) -> Result<Value, Failed> {
    Ok(agent.json("/api/v1/gpus")?["gpus"].clone())
}

fn without_a_library_there_is_one_line() -> Result<(), Failed> {
    let agent = Agent::with_defaults()?;
    eventually(Duration::from_secs(5), || {
        let nvml = agent.json("/healthz")?["collectors"]["nvml"].clone();
        check(nvml["absent"] == true && nvml["failures"] == 0, || nvml.to_string())
    })?;
    let log = agent.log();
    let lines = log.lines().filter(|line| line.contains("nvml") && !line.contains("without it")).count();
    check(lines == 1 && !log.contains("ERROR") && !log.contains("WARN"), || log.clone())?;
    check(gpus(&agent)? == json!([]), || "GPUs where there are none".to_owned())?;
    // One that was named is expected to be there.
    let config = "[gpu]\nnvml_library = \"/nowhere/libnvidia-ml.so\"\n";
    let agent = Agent::start(Options { config, ..Options::default() })?;
    eventually(Duration::from_secs(5), || {
        let nvml = agent.json("/healthz")?["collectors"]["nvml"].clone();
        let told = nvml["message"].as_str().is_some_and(|m| m.contains("/nowhere/libnvidia-ml.so"));
        check(nvml["absent"] == false && told, || nvml.to_string())
    })?;
    // It comes later: no restart is needed.
    let node = Node { folder: tempfile::tempdir()? };
    let agent = node.agent()?;
    eventually(Duration::from_secs(5), || {
        let nvml = agent.json("/healthz")?["collectors"]["nvml"].clone();
        check(nvml["absent"] == true, || nvml.to_string())
    })?;
    node.play(&[gpu(0, 0, 0, &[])])?;
    eventually(Duration::from_secs(10), || check(gpus(&agent)?[0]["device"]["uuid"] == "GPU-0", || agent.log()))
}

fn a_process_is_its_containers() -> Result<(), Failed> {
    let container = Container::start("on-a-gpu", &[], &["sleep", "1000"])?;
    let pid: u32 = docker(&["inspect", "-f", "{{.State.Pid}}", &container.name])?.parse()?;
    let gone = 4_000_000;
    let node = Node::new(&[
        gpu(0, 87, 30 * GIB, &[(pid, 20 * GIB), (1, GIB), (gone, 2 * GIB)]),
        gpu(1, 0, 30 * GIB, &[(pid, 30 * GIB)]),
        gpu(2, 0, 0, &[]),
    ])?;
    let agent = node.agent()?;
    eventually(Duration::from_secs(10), || {
        let gpus = gpus(&agent)?;
        let states: Vec<&Value> = gpus.as_array().ok_or("no list")?.iter().map(|gpu| &gpu["state"]).collect();
        check(states == ["active", "held_idle", "free"], || gpus.to_string())?;
        let holders = gpus[0]["processes"].as_array().ok_or("no processes")?.clone();
        let of = |pid: u32| holders.iter().find(|p| p["pid"] == pid).cloned().ok_or("a process is missing");
        check(of(pid)?["container_name"] == container.name.as_str(), || gpus.to_string())?;
        check(of(1)?["container"] == Value::Null && of(1)?["resolved"] == true, || gpus.to_string())?;
        check(of(gone)?["resolved"] == false, || gpus.to_string())
    })?;
    let parts = agent.container(&container.id)?["gpus"].clone();
    let part = |uuid: &str, index, memory| {
        let device = json!({ "to": { "vendor": "nvidia", "uuid": uuid }, "relation": "used", "source": "nvml" });
        json!({ "device": device, "index": index, "memory": memory })
    };
    let expected = json!([part("GPU-0", 0, 20 * GIB), part("GPU-1", 1, 30 * GIB)]);
    let link = json!({ "to": container.id, "relation": "part_of", "source": "cgroup" });
    let found = gpus(&agent)?[1]["processes"][0]["container"].clone();
    check(found == link, || found.to_string())?;
    check(parts == expected, || parts.to_string())?;
    for (metric, of, value) in [
        ("hw_gpu_utilization_ratio", "hw_id=\"GPU-0\"", 0.87),
        ("hw_gpu_memory_usage_bytes", "hw_id=\"GPU-1\"", (30 * GIB) as f64),
        ("hw_gpu_memory_limit_bytes", "hw_id=\"GPU-1\"", (80 * GIB) as f64),
        ("hw_power_watts", "hw_id=\"GPU-0\"", 312.5),
        ("hw_energy_joules_total", "hw_id=\"GPU-0\"", 5000.0),
        ("hw_temperature_celsius", "hw_id=\"GPU-2\"", 61.0),
        ("plumbline_container_gpu_memory_usage_bytes", &container.name, (50 * GIB) as f64),
    ] {
        let told = agent.sum(metric, of)?;
        check((told - value).abs() < 1e-9 * value, || format!("{metric} of {of}: {told}"))?;
    }
    let held = agent.samples("state=\"held_idle\"")?;
    check(held.values().sum::<f64>() == 1.0, || format!("{held:?}"))
}

fn a_lost_one_takes_only_itself_along() -> Result<(), Failed> {
    let node = Node::new(&[gpu(0, 50, GIB, &[]), gpu(1, 50, GIB, &[])])?;
    let agent = node.agent()?;
    eventually(Duration::from_secs(10), || check(gpus(&agent)?[1]["ok"] == true, || agent.log()))?;
    let mut lost = gpu(0, 0, 0, &[]);
    lost["lost"] = true.into();
    let mut poor = gpu(1, 70, GIB, &[]);
    for signal in ["power_mw", "energy_mj", "processes", "memory_total"] {
        poor.as_object_mut().ok_or("an object")?.remove(signal);
    }
    node.play(&[lost, poor])?;
    eventually(Duration::from_secs(5), || {
        let gpus = gpus(&agent)?;
        let (first, second) = (&gpus[0], &gpus[1]);
        check(first["device"]["uuid"] == "GPU-0" && first["ok"] == false && first["utilization"].is_null(), || {
            gpus.to_string()
        })?;
        check(first["state"].is_null() && second["utilization"] == 0.7, || gpus.to_string())?;
        check(second["power"].is_null() && second["memory_total"].is_null(), || gpus.to_string())
    })?;
    // Points follow the snapshot within a tick.
    eventually(Duration::from_secs(5), || {
        let failed = agent.sum("hw_status", "hw_state=\"failed\"")?;
        check(failed == 1.0, || format!("{failed} are told to have failed"))
    })?;
    check(agent.json("/healthz")?["collectors"]["nvml"]["up"] == true, || agent.log())?;
    check(agent.sum("hw_power_watts", "GPU-1").is_err(), || "power that nobody told".to_owned())
}

/// Work that comes in bursts is seen though every rate that is asked for falls between them.
fn bursts_between_readings_are_seen() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let mut bursty = gpu(0, 0, GIB, &[(1, GIB)]);
    bursty["samples"] = json!([[100, 90], [200, 0]]);
    let node = Node::new(&[bursty.clone()])?;
    let options =
        Options { config: &Node::config(), env: node.env(), data: Some(data.path().to_owned()), ..Options::default() };
    let mut agent = Agent::start(options)?;
    let held = || check(gpus(&agent)?[0]["state"] == "held_idle", || agent.log());
    eventually(Duration::from_secs(10), held)?;
    // Of five samples since, two tell of work; one is corrupt.
    bursty["samples"] = json!([[100, 90], [200, 0], [300, 0], [400, 30], [500, 70], [600, 0], [700, 101], [800, 0]]);
    node.play(&[bursty])?;
    std::thread::sleep(Duration::from_secs(3));
    agent.signal("TERM")?;
    agent.wait(Duration::from_secs(10))?;
    let rows = duckdb(
        &data.path().join("gpu_minute"),
        "select max(utilization_max) as most, max(active) as active, max(held_idle) as idle from TABLE",
    )?;
    let some = |name: &str| rows[0][name].as_f64().is_some_and(|share| share > 0.0);
    check(rows[0]["most"] == 0.2 && some("active") && some("idle"), || format!("{rows:?}"))
}

/// Cards that swap places keep their names.
fn a_gpu_is_who_it_says_it_is() -> Result<(), Failed> {
    let node = Node::new(&[gpu(0, 10, GIB, &[]), gpu(1, 90, GIB, &[])])?;
    let agent = node.agent()?;
    eventually(Duration::from_secs(10), || check(gpus(&agent)?[1]["utilization"] == 0.9, || agent.log()))?;
    node.play(&[gpu(1, 90, GIB, &[]), gpu(0, 10, GIB, &[(1, u64::MAX - 5), (2, u64::MAX - 5)])])?;
    eventually(Duration::from_secs(5), || {
        let gpus = gpus(&agent)?;
        check(gpus[0]["device"]["uuid"] == "GPU-1" && gpus[0]["utilization"] == 0.9, || gpus.to_string())?;
        // More memory than there is, is no answer.
        check(gpus[1]["device"]["uuid"] == "GPU-0" && gpus[1]["processes"][0]["memory"].is_null(), || gpus.to_string())
    })
}

fn a_slow_one_delays_no_container() -> Result<(), Failed> {
    let container = Container::start("beside-a-slow-gpu", &[], &["sleep", "1000"])?;
    let mut slow = gpu(0, 50, GIB, &[]);
    slow["slow_ms"] = 20_000.into();
    let node = Node::new(&[slow])?;
    let agent = node.agent()?;
    eventually(Duration::from_secs(5), || agent.container(&container.id))?;
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(500));
        let health = agent.json("/healthz")?;
        let age = health["collectors"]["cgroup"]["staleness"].as_f64().ok_or("no age")?;
        check(age < 2.0, || format!("containers are {age} s old"))?;
    }
    check(gpus(&agent)? == json!([]), || "it cannot have answered yet".to_owned())
}

fn minutes_are_kept() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let node = Node::new(&[gpu(0, 87, 30 * GIB, &[])])?;
    let options =
        Options { config: &Node::config(), env: node.env(), data: Some(data.path().to_owned()), ..Options::default() };
    let mut agent = Agent::start(options)?;
    eventually(Duration::from_secs(10), || check(gpus(&agent)?[0]["state"] == "active", || agent.log()))?;
    std::thread::sleep(Duration::from_secs(2));
    agent.signal("TERM")?;
    agent.wait(Duration::from_secs(10))?;
    let rows = duckdb(
        &data.path().join("gpu_minute"),
        "select gpu, max(utilization_max) as utilization, max(memory_used_max) as memory, max(active) as active, \
         sum(samples) as samples from TABLE group by gpu",
    )?;
    let row = &rows[0];
    check(row["gpu"] == "GPU-0" && row["utilization"] == 0.87 && row["active"] == 1.0, || format!("{rows:?}"))?;
    check(row["memory"].as_f64() == Some((30 * GIB) as f64), || format!("{rows:?}"))
}
