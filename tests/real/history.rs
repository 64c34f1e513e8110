//! The minute history as another program reads it, after the agent was killed without warning.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::parts::{Container, Part, check, command, eventually, python};

pub const TESTS: &[Test] =
    &[(&[Part::Docker, Part::DuckDb], "history::closed_minutes_survive_kill_9", closed_minutes_survive_kill_9)];

/// Asks DuckDB; rows as JSON objects.
pub fn duckdb(folder: &Path, query: &str) -> Result<Vec<Value>, Failed> {
    let code = "import duckdb, json, sys\n\
        rows = duckdb.sql(sys.argv[2].replace('TABLE', f\"read_parquet('{sys.argv[1]}/**/*.parquet', hive_partitioning=true)\"))\n\
        print(json.dumps([dict(zip(rows.columns, row)) for row in rows.fetchall()], default=str))";
    let answer = command(python(), &["-c", code, &folder.to_string_lossy(), query])?;
    Ok(serde_json::from_str(&answer)?)
}

fn closed_minutes_survive_kill_9() -> Result<(), Failed> {
    let container = Container::start("history", &["--cpus", "0.5", "-m", "64m"], &["sh", "-c", "while :; do :; done"])?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let mut agent = Agent::start(Options { data: Some(data.clone()), ..Options::default() })?;
    // The first minute is a part of one; the second is whole, and on the disk soon after its end.
    let into_minute = jiff::Timestamp::now().as_second() % 60;
    std::thread::sleep(Duration::from_secs(60 - into_minute.unsigned_abs() + 60 + 3));
    let kernel = container.kernel_cpu_time()?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;

    let query = format!(
        "select typeof(minute) as type, date, hour, minute, container_name, samples, cpu_usage_mean, cpu_usage_p95, \
         cpu_usage_max, cpu_time, cpu_time_user, cpu_limit, memory_limit, memory_working_set_max, oom_kills, \
         cpu_throttled_periods from TABLE where container_id = '{}' order by minute",
        container.id
    );
    let rows = duckdb(&data, &query)?;
    check(rows.len() >= 2, || format!("{rows:?}"))?;
    let row = &rows[1];
    let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    check(row["type"] == "TIMESTAMP WITH TIME ZONE", || row.to_string())?;
    check(row["container_name"] == container.name.as_str(), || row.to_string())?;
    // One a second; an engine's events, of other containers too, bring a few more.
    check((57.0..=90.0).contains(&number("samples")), || row.to_string())?;
    check(number("cpu_limit") == 0.5 && row["memory_limit"] == 64 << 20, || row.to_string())?;
    check((0.4..0.6).contains(&number("cpu_usage_mean")), || row.to_string())?;
    check(number("cpu_usage_p95") <= number("cpu_usage_max"), || row.to_string())?;
    // CPU time is the mean over a minute, and both counters saw the same minute.
    check((number("cpu_time") / 60.0 - number("cpu_usage_mean")).abs() < 0.02, || row.to_string())?;
    check((number("cpu_time") - number("cpu_time_user")).abs() < 1.0, || row.to_string())?;
    check(number("cpu_throttled_periods") > 300.0 && row["oom_kills"] == 0, || row.to_string())?;
    let sum: f64 = rows.iter().filter_map(|row| row["cpu_time"].as_f64()).sum();
    check(sum <= kernel, || format!("{sum} s in the history, {kernel} s by the kernel"))?;

    // The next agent goes on where this one stopped.
    let again = Agent::start(Options { data: Some(data.clone()), ..Options::default() })?;
    eventually(Duration::from_secs(70), || {
        let written = again.json("/healthz")?["history"]["rows"].as_u64();
        check(written >= Some(1), || format!("{written:?}"))
    })?;
    let more = duckdb(&data, &query)?;
    check(more.len() > rows.len() && more[1] == rows[1], || format!("{more:?}"))
}
