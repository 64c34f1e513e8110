//! Real containers of a real Docker engine, held against the kernel's and the engine's own figures.

use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::parts::{Container, Part, check, command, docker, eventually};

pub const TESTS: &[Test] = &[
    (&[Part::Docker], "containers::half_a_cpu_is_half_a_cpu", half_a_cpu_is_half_a_cpu),
    (&[Part::Docker], "containers::the_exported_counter_is_the_kernels", the_exported_counter_is_the_kernels),
    (&[Part::Docker], "containers::filled_memory_is_seen", filled_memory_is_seen),
    (&[Part::Docker], "containers::an_oom_kill_is_counted", an_oom_kill_is_counted),
    (
        &[Part::Docker],
        "containers::an_oom_kill_that_ends_the_container_is_counted",
        an_oom_kill_that_ends_the_container,
    ),
    (&[Part::Docker], "containers::agrees_with_the_engine", agrees_with_the_engine),
    (&[Part::Docker], "containers::start_and_stop_show_within_2_s", start_and_stop_show_within_2_s),
    (&[Part::Docker], "containers::a_removed_container_is_gone_within_two_ticks", a_removed_container_is_gone),
    (&[Part::Docker], "containers::a_restart_counts_anew_from_its_own_start", a_restart_counts_anew),
    (&[Part::Docker], "containers::a_shared_network_is_counted_once", a_shared_network_is_counted_once),
    (&[Part::Docker], "containers::without_a_socket_ids_stand_for_names", without_a_socket_ids_stand_for_names),
    (&[Part::Docker], "containers::block_io_is_counted", block_io_is_counted),
];

const SPIN: &[&str] = &["sh", "-c", "while :; do :; done"];
const SLEEP: &[&str] = &["sleep", "1000"];
/// Short ticks, so that the tests need not wait; their ratio is the default's.
const FAST: &str = "[agent]\ntick = \"2s\"\ninner_tick = \"200ms\"\n";

fn fast() -> Result<Agent, Failed> {
    Agent::start(Options { config: FAST, ..Options::default() })
}

fn seen(agent: &Agent, container: &Container) -> Result<Value, Failed> {
    eventually(Duration::from_secs(5), || agent.container(&container.id))
}

/// A reading just made, and the kernel's own count in the same breath.
fn fresh(agent: &Agent, container: &Container) -> Result<(Value, f64), Failed> {
    let before = read_at(&agent.container(&container.id)?)?;
    eventually(Duration::from_secs(3), || {
        let view = agent.container(&container.id)?;
        check(read_at(&view)? > before, || "no new reading".to_owned())?;
        Ok((view, container.kernel_cpu_time()?))
    })
}

fn read_at(view: &Value) -> Result<jiff::Timestamp, Failed> {
    Ok(view["read_at"].as_str().ok_or("read_at is unknown")?.parse()?)
}

fn cpu_time(view: &Value) -> Result<f64, Failed> {
    Ok(view["cpu"]["time"].as_f64().ok_or("cpu.time is unknown")?)
}

fn within(value: f64, of: f64, share: f64) -> bool {
    (value - of).abs() <= of.abs() * share
}

fn half_a_cpu_is_half_a_cpu() -> Result<(), Failed> {
    let container = Container::start("half", &["--cpus", "0.5"], SPIN)?;
    let agent = Agent::with_defaults()?;
    seen(&agent, &container)?;
    let (before, kernel_before) = fresh(&agent, &container)?;
    // Usage is over the last full tick, ten seconds: so is the kernel's delta it is held against.
    sleep(Duration::from_secs(10));
    let (view, kernel_after) = fresh(&agent, &container)?;
    let (ours, kernel) = (cpu_time(&view)? - cpu_time(&before)?, kernel_after - kernel_before);
    check(within(ours, kernel, 0.01), || format!("our delta {ours} s, the kernel's {kernel} s"))?;

    let elapsed = read_at(&view)?.duration_since(read_at(&before)?).as_secs_f64();
    let usage = view["cpu"]["usage"].as_f64().ok_or("cpu.usage is unknown")?;
    check(within(usage, kernel / elapsed, 0.05), || format!("usage {usage}, the kernel {}", kernel / elapsed))?;
    if within(kernel / elapsed, 0.5, 0.02) {
        check(within(usage, 0.5, 0.05), || format!("usage {usage}, not about 0.5"))?;
    } else {
        eprintln!("this machine held the container to {:.3} of a core: usage is not held to 0.5", kernel / elapsed);
    }
    check(view["cpu"]["limit"] == 0.5, || view["cpu"].to_string())?;
    // Throttling is read on full ticks.
    eventually(Duration::from_secs(12), || {
        let cpu = agent.container(&container.id)?["cpu"].clone();
        let throttled = cpu["throttled_periods"].as_u64() > Some(50) && cpu["throttled_time"].as_f64() > Some(1.0);
        check(throttled, || cpu.to_string())
    })
}

/// As the metrics have it, by mode: the same delta, though on cgroup v1 in ticks of 10 ms.
fn the_exported_counter_is_the_kernels() -> Result<(), Failed> {
    const METRIC: &str = "container_cpu_time_seconds_total";
    let container = Container::start("counter", &["--cpus", "0.5"], SPIN)?;
    let agent = fast()?;
    seen(&agent, &container)?;
    // The moment the metric moves is the moment it was read.
    let pair = || -> Result<(f64, f64), Failed> {
        let before = eventually(Duration::from_secs(5), || agent.sum(METRIC, &container.id))?;
        eventually(Duration::from_secs(5), || {
            let now = agent.sum(METRIC, &container.id)?;
            check(now > before, || "has not moved".to_owned())?;
            Ok((now, container.kernel_cpu_time()?))
        })
    };
    let (ours_before, kernel_before) = pair()?;
    sleep(Duration::from_secs(16));
    let (ours_after, kernel_after) = pair()?;
    let (ours, kernel) = (ours_after - ours_before, kernel_after - kernel_before);
    check(within(ours, kernel, 0.01), || format!("our delta {ours} s, the kernel's {kernel} s"))
}

fn filled_memory_is_seen() -> Result<(), Failed> {
    const SIZE: f64 = 100.0 * 1024.0 * 1024.0;
    // tail keeps the last 100 MiB that it read, and its input stays open.
    let fill = "(head -c 104857600 /dev/zero; sleep 1000) | tail -c 104857600";
    let container = Container::start("memory", &["-m", "256m"], &["sh", "-c", fill])?;
    let agent = fast()?;
    let view = eventually(Duration::from_secs(20), || {
        let view = agent.container(&container.id)?;
        let rss = view["memory"]["rss"].as_f64().unwrap_or(0.0);
        check(rss >= SIZE, || format!("{}", view["memory"]))?;
        Ok(view)
    })?;
    for signal in ["rss", "working_set", "usage"] {
        let bytes = view["memory"][signal].as_f64().ok_or("unknown")?;
        check(within(bytes, SIZE, 0.05), || format!("{signal}: {bytes} bytes, not about {SIZE}"))?;
    }
    check(view["memory"]["limit"] == 256 << 20, || view["memory"].to_string())?;
    let available = view["memory"]["available"].as_f64().ok_or("unknown")?;
    let used = view["memory"]["working_set"].as_f64().ok_or("unknown")?;
    check(within(available + used, 256.0 * 1024.0 * 1024.0, 1e-9), || view["memory"].to_string())
}

/// A child dies, the container lives on: only the cgroup tells.
fn an_oom_kill_is_counted() -> Result<(), Failed> {
    let eat = "sleep 3; tail -c 200000000 /dev/zero; sleep 1000";
    let container = Container::start("oom", &["-m", "32m"], &["sh", "-c", eat])?;
    let agent = fast()?;
    let view = seen(&agent, &container)?;
    check(view["memory"]["oom_kills"] == 0, || format!("before: {}", view["memory"]))?;
    eventually(Duration::from_secs(20), || {
        check(within(agent.sum("plumbline_container_memory_oom_kills_total", &container.id)?, 1.0, 0.0), || {
            "not counted".to_owned()
        })
    })
}

/// The container's first process dies, and its cgroup with it.
fn an_oom_kill_that_ends_the_container() -> Result<(), Failed> {
    let agent = fast()?;
    let container =
        Container::start("oom-end", &["-m", "32m"], &["sh", "-c", "sleep 2; exec tail -c 200000000 /dev/zero"])?;
    seen(&agent, &container)?;
    eventually(Duration::from_secs(20), || {
        check(agent.sum("plumbline_container_memory_oom_kills_total", &container.id)? >= 1.0, || {
            "not counted".to_owned()
        })
    })?;
    // The engine tells of the kill a moment before the end.
    eventually(Duration::from_secs(2), || {
        let exited = agent.json("/api/v1/containers")?["exited"].to_string();
        check(exited.contains(&container.id), || format!("exited: {exited}"))
    })
}

fn agrees_with_the_engine() -> Result<(), Failed> {
    let container = Container::start("stats", &["--cpus", "0.3", "-m", "64m"], SPIN)?;
    let agent = fast()?;
    seen(&agent, &container)?;
    sleep(Duration::from_secs(4));
    let format = "{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}";
    // The engine takes a second or two for this: usage of the same span.
    let stats = docker(&["stats", "--no-stream", "--format", format, &container.name])?;
    let view = agent.container(&container.id)?;
    let fields: Vec<&str> = stats.split_ascii_whitespace().collect();
    let cores = fields[0].trim_end_matches('%').parse::<f64>()? / 100.0;
    let usage = view["cpu"]["usage"].as_f64().ok_or("unknown")?;
    check((usage - cores).abs() < 0.06, || format!("usage {usage}, the engine {cores}"))?;
    // The engine's figure is the working set, in rounded binary units.
    let engine_memory = binary_size(fields[1])?;
    let ours = view["memory"]["working_set"].as_f64().ok_or("unknown")?;
    check((ours - engine_memory).abs() < 512.0 * 1024.0, || format!("{ours} bytes, the engine {engine_memory}"))?;
    check(view["memory"]["limit"] == 64 << 20, || view["memory"].to_string())?;
    check(view["pids"]["current"].as_u64() == fields[4].parse().ok(), || {
        format!("{} pids, the engine {stats}", view["pids"])
    })
}

fn binary_size(text: &str) -> Result<f64, Failed> {
    let split = text.find(|c: char| c.is_alphabetic()).ok_or("no unit")?;
    let unit = match &text[split..] {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        other => return Err(format!("unit {other}").into()),
    };
    Ok(text[..split].parse::<f64>()? * unit)
}

fn start_and_stop_show_within_2_s() -> Result<(), Failed> {
    let agent = Agent::with_defaults()?;
    let container = Container::start("start", &["--label", "team=search"], SLEEP)?;
    let started = Instant::now();
    // Its cgroup may be seen before the engine names it.
    eventually(Duration::from_secs(2), || {
        let view = agent.container(&container.id)?;
        check(view["name"] == container.name.as_str(), || view.to_string())?;
        check(view["labels"]["team"] == "search" && view["image"] == "plumbline-test", || view.to_string())
    })?;
    check(started.elapsed() <= Duration::from_secs(2), || format!("took {:?}", started.elapsed()))?;
    check(!agent.samples(&container.id)?.is_empty(), || "no series yet".to_owned())?;
    let page = agent.get("/")?.1;
    check(page.contains(&container.name), || "not on the page".to_owned())?;

    docker(&["rm", "-f", &container.name])?;
    let stopped = Instant::now();
    eventually(Duration::from_secs(2), || check(agent.container(&container.id).is_err(), || "still there".to_owned()))?;
    check(stopped.elapsed() <= Duration::from_secs(2), || format!("took {:?}", stopped.elapsed()))
}

fn a_removed_container_is_gone() -> Result<(), Failed> {
    let container = Container::start("gone", &[], SLEEP)?;
    let agent = fast()?;
    seen(&agent, &container)?;
    check(!agent.samples(&container.id)?.is_empty(), || "no series".to_owned())?;
    container.remove();
    sleep(Duration::from_secs(4)); // two ticks
    let left = agent.samples(&container.id)?;
    check(left.is_empty(), || format!("{left:?}"))
}

fn a_restart_counts_anew() -> Result<(), Failed> {
    let container = Container::start("restart", &["--cpus", "0.5"], SPIN)?;
    let agent = fast()?;
    seen(&agent, &container)?;
    sleep(Duration::from_secs(4));
    let before = agent.container(&container.id)?;
    docker(&["restart", "-t", "0", &container.name])?;
    eventually(Duration::from_secs(5), || {
        let after = agent.container(&container.id)?;
        let (started_before, started_after) = (before["run"]["began"].as_str(), after["run"]["began"].as_str());
        check(started_after > started_before, || format!("started {started_after:?}"))?;
        let (cpu_before, cpu_after) = (before["cpu"]["time"].as_f64(), after["cpu"]["time"].as_f64());
        check(cpu_after < cpu_before, || format!("CPU time {cpu_after:?}, before {cpu_before:?}"))
    })?;
    let told = docker(&["inspect", "-f", "{{.State.StartedAt}}", &container.name])?.parse::<jiff::Timestamp>()?;
    let ours: jiff::Timestamp = agent.container(&container.id)?["run"]["began"].as_str().ok_or("unknown")?.parse()?;
    let apart = ours.duration_since(told).as_secs_f64().abs();
    check(apart < 2.0, || format!("started {ours}, the engine {told}"))
}

fn a_shared_network_is_counted_once() -> Result<(), Failed> {
    let owner = Container::start("net-owner", &[], SLEEP)?;
    let guest = Container::start("net-guest", &["--network", &format!("container:{}", owner.name)], SLEEP)?;
    let host = Container::start("net-host", &["--network", "host"], SLEEP)?;
    let agent = fast()?;
    for container in [&owner, &guest, &host] {
        seen(&agent, container)?;
    }
    // Bytes that are known: 200 packets of 1,400 bytes and their headers there, and as many back.
    let before = agent.sum("container_network_io_bytes_total", &owner.id)?;
    let gateway = docker(&["inspect", "-f", "{{.NetworkSettings.Gateway}}", &owner.name])?;
    docker(&["exec", &guest.name, "ping", "-q", "-A", "-c", "200", "-s", "1400", &gateway])?;
    eventually(Duration::from_secs(10), || {
        let moved = agent.sum("container_network_io_bytes_total", &owner.id)? - before;
        check(within(moved, 2.0 * 200.0 * 1442.0, 0.05), || format!("{moved} bytes"))
    })?;
    for container in [&guest, &host] {
        let found = agent.samples(&container.id)?;
        check(!found.keys().any(|series| series.starts_with("container_network")), || container.name.clone())?;
    }
    Ok(())
}

fn without_a_socket_ids_stand_for_names() -> Result<(), Failed> {
    let container = Container::start("nameless", &["--cpus", "0.5", "-m", "64m"], SPIN)?;
    let config = "[agent]\ntick = \"2s\"\ninner_tick = \"200ms\"\n[collect]\ndisabled = [\"docker\", \"podman\"]\n";
    let agent = Agent::start(Options { config, ..Options::default() })?;
    let view = seen(&agent, &container)?;
    check(view["name"] == container.id[..12], || view["name"].to_string())?;
    check(view["cpu"]["limit"] == 0.5 && view["memory"]["limit"] == 64 << 20, || view.to_string())?;
    check(view["image"].is_null(), || view["image"].to_string())?;
    // Its start comes from its oldest process.
    let told = docker(&["inspect", "-f", "{{.State.StartedAt}}", &container.name])?.parse::<jiff::Timestamp>()?;
    let ours: jiff::Timestamp = view["run"]["began"].as_str().ok_or("unknown")?.parse()?;
    let apart = ours.duration_since(told).as_secs_f64().abs();
    check(apart < 3.0, || format!("started {ours}, the engine {told}"))
}

fn block_io_is_counted() -> Result<(), Failed> {
    // Recent kernels with cgroup v1 count a device's bytes only while something throttles it.
    let device = command("findmnt", &["-n", "-o", "SOURCE", "-T", "/var/tmp"])?;
    if !device.starts_with("/dev/") {
        eprintln!("/var/tmp lies on {device}, no block device: block I/O is not tested");
        return Ok(());
    }
    let throttle = format!("{device}:500mb");
    let container = Container::start("disk", &["-v", "/var/tmp:/data", "--device-write-bps", &throttle], SLEEP)?;
    let agent = fast()?;
    seen(&agent, &container)?;
    // Direct, so that the write is the container's own and not a later flush of the page cache.
    let write =
        "dd if=/dev/zero of=/data/plumbline-test.bin bs=1M count=8 oflag=direct 2>&1; rm /data/plumbline-test.bin";
    docker(&["exec", &container.name, "sh", "-c", write])?;
    eventually(Duration::from_secs(6), || {
        let view = agent.container(&container.id)?;
        let written: f64 = view["disk"].as_array().into_iter().flatten().filter_map(|d| d["write"].as_f64()).sum();
        check(within(written, 8.0 * 1024.0 * 1024.0, 0.05), || view["disk"].to_string())
    })
}
