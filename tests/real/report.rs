//! The capacity review of a folder whose figures another program counts from the same files.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Failed;
use plumbline::frame::gpu::GpuRow;
use plumbline::frame::model::ModelRow;
use plumbline::frame::{MinuteRow, RowIdentity};
use plumbline::identity::{Device, Link, Model, ModelKey, Relation, Share, Workload, WorkloadKind};
use plumbline::metric::Number::{Float, Int};
use plumbline::minute::Summary;
use plumbline::signal::Part::{Increase, Last, Max, Mean, P95, Share as InState};
use plumbline::signal::{container, gpu, model};
use plumbline::store::History;
use plumbline::store::history::Config;
use serde_json::Value;

use crate::Test;
use crate::agent::command;
use crate::browser::{Browser, WIDE};
use crate::history::duckdb;
use crate::parts::{Part, check};

pub const TESTS: &[Test] = &[
    (
        &[Part::DuckDb, Part::Chromium],
        "report::figures_are_those_of_another_program",
        figures_are_those_of_another_program,
    ),
    (&[], "report::what_is_wrong_is_told", what_is_wrong_is_told),
];

const MIB: f64 = 1_048_576.0;
/// Three days: more than the minutes that quantiles are exact for.
const MINUTES: i64 = 3 * 1440;

fn minute(end: Timestamp, at: i64) -> Timestamp {
    end.checked_sub(SignedDuration::from_mins(MINUTES - at)).expect("a time")
}

/// Three days of two containers, a GPU and a model, with values that look like chance and are none.
pub fn fill(data: &std::path::Path, end: Timestamp) -> Result<(), Failed> {
    let mut history =
        History::new(data, "node-1", Config { retention: Duration::from_secs(30 * 86_400), ..Config::default() });
    history.open()?;
    let (mut rows, mut gpus, mut models) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..MINUTES {
        let chance = |seed: i64| ((at * 7919 + seed * 104_729) % 10_007) as f64 / 10_007.0;
        for (name, scale, seed, model) in [("big", 0.3, 1, Some("churn")), ("small", 1.2, 2, None)] {
            let cores = chance(seed).powi(3) * scale;
            let memory = (100.0 + 50.0 * chance(2)) * MIB;
            let spread = |key: &str, v: f64| {
                let id = container::id(key);
                [(id.column(Mean), Float(v * 0.8)), (id.column(Max), Float(v * 1.1)), (id.column(P95), Float(v))]
            };
            let counted = |key: &str, grown| (container::id(key).column(Increase), Int(grown));
            let mut cells = vec![
                counted("memory.oom_kills", 0),
                (container::id("cpu.limit").column(Last), Float(1.0)),
                (container::id("memory.limit").column(Last), Int(2 << 30)),
            ];
            cells.extend(spread("cpu.usage", cores));
            cells.extend(spread("memory.working_set", memory));
            if name == "small" {
                let throttled = if at % 4 == 0 { 300 } else { 0 };
                cells.extend([counted("cpu.periods", 600), counted("cpu.throttled_periods", throttled)]);
            }
            rows.push(MinuteRow {
                minute: minute(end, at),
                identity: RowIdentity {
                    node: "node-1".to_owned(),
                    container_id: name.repeat(20),
                    container_name: Some(name.to_owned()),
                    runtime: Some("docker".to_owned()),
                    model: model.map(|name| Link {
                        to: Model { key: ModelKey::named(name), version: None },
                        relation: Relation::Serves,
                        source: "plumbline.io/model",
                    }),
                    workload: Some(Workload {
                        namespace: Some("docker".to_owned()),
                        kind: WorkloadKind::CONTAINER,
                        name: name.to_owned(),
                    }),
                    ..RowIdentity::default()
                },
                summary: Summary::of(60, cells),
            });
        }
        gpus.push(GpuRow {
            minute: minute(end, at),
            node: "node-1".to_owned(),
            device: Device { vendor: "NVIDIA", uuid: "GPU-1".to_owned() },
            parent: None,
            share: Share::Whole,
            index: 0,
            model: Some("NVIDIA H100 80GB HBM3".to_owned()),
            containers: Some(vec!["big".repeat(20)]),
            summary: Summary::of(
                60,
                [
                    (gpu::id("memory_total").column(Last), Int(80 << 30)),
                    (gpu::id("state.active").column(InState), Float(if at % 4 == 0 { 1.0 } else { 0.0 })),
                    (gpu::id("state.held_idle").column(InState), Float(if at % 4 == 0 { 0.0 } else { 1.0 })),
                    (gpu::id("state.free").column(InState), Float(0.0)),
                ],
            ),
        });
        models.push(ModelRow {
            minute: minute(end, at),
            node: "node-1".to_owned(),
            key: ModelKey::named("churn"),
            versions: Vec::new(),
            drifted: Some("age plan".to_owned()),
            measure: Some("roc_auc".to_owned()),
            summary: Summary::of(
                0,
                [
                    (model::id("predictions").column(Increase), Int(100)),
                    (model::id("labels").column(Increase), Int(1)),
                    (model::id("verdict").column(Last), Int(u64::from(at > MINUTES / 2))),
                    (model::id("provisional").column(Last), Int(0)),
                    (model::id("leading").column(Last), Float(0.8)),
                    (model::id("leading_reference").column(Last), Float(0.9)),
                ],
            ),
        });
    }
    history.append(rows).1?;
    history.append_gpus(gpus).1?;
    history.append_models(models).1?;
    Ok(())
}

fn report(arguments: &[&str]) -> Result<(Option<i32>, String, String), Failed> {
    let output = command().arg("report").args(arguments).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

fn near(told: &Value, expected: f64, within: f64, what: &str) -> Result<(), Failed> {
    let value = told.as_f64().unwrap_or(f64::NAN);
    check((value - expected).abs() <= within * expected.abs(), || format!("{what}: {told} instead of {expected}"))
}

fn figures_are_those_of_another_program() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let folder = data.path().display().to_string();
    let end = Timestamp::from_second(Timestamp::now().as_second().div_euclid(60) * 60)?;
    fill(data.path(), end)?;
    let (code, text, errors) = report(&["--data", &folder, "--since", "7d", "--format", "json"])?;
    check(code == Some(0) && errors.is_empty(), || errors.clone())?;
    let review: Value = serde_json::from_str(&text)?;
    let of = |name: &str| -> Result<Value, Failed> {
        let all = review["workloads"].as_array().ok_or("no workloads")?;
        Ok(all.iter().find(|w| w["workload"]["name"] == name).ok_or("it is missing")?.clone())
    };
    let rows = duckdb(
        &data.path().join("container_minute"),
        "select container_name as name, quantile_cont(cpu_usage_p95, 0.95) as p95, max(memory_working_set_max) as peak, \
         avg(cpu_usage_mean) as mean, sum(cpu_throttled_periods) / nullif(sum(cpu_periods), 0) as throttled, count(*) as minutes \
         from TABLE group by all",
    )?;
    check(rows.len() == 2, || format!("{rows:?}"))?;
    for row in &rows {
        let told = of(row["name"].as_str().ok_or("no name")?)?;
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        near(&told["used"]["cpu_p95"], number("p95"), 0.01, "p95")?;
        near(&told["used"]["cpu_mean"], number("mean"), 1e-9, "mean")?;
        near(&told["used"]["memory_peak"], number("peak"), 0.0, "peak")?;
        check(told["history"]["minutes"] == row["minutes"] && told["confidence"] == "medium", || told.to_string())?;
        if row["throttled"].is_number() {
            near(&told["used"]["throttled"], number("throttled"), 1e-9, "throttled")?;
        }
    }
    let (big, small) = (of("big")?, of("small")?);
    check(big["cpu"]["provisioning"] == "over_provisioned" && big["confirmed"] == true, || big.to_string())?;
    check(
        small["cpu"]["provisioning"] == "under_provisioned" && small["memory"]["provisioning"] == "over_provisioned",
        || small.to_string(),
    )?;
    // Money, counted by hand: what is asked for less what is recommended, at OpenCost's prices.
    let recommended = |key: &str| big[key]["recommended"].as_f64().unwrap_or(f64::NAN);
    let hour = (1.0 - recommended("cpu")) * 0.031_611 + (2.0 - recommended("memory") / 1024.0 / MIB) * 0.004_237;
    near(&big["saving"], hour * 730.0, 1e-9, "saving")?;
    let gpu = &review["gpus"][0];
    check(gpu["active"] == 0.25 && gpu["held_idle"] == 0.75, || gpu.to_string())?;
    near(&gpu["held_idle_cost"], 0.75 * 0.95 * 730.0, 1e-9, "held idle")?;
    // 432,000 predictions cost three days of the container and the GPU it holds.
    let days = 72.0 * (1.0 * 0.031_611 + 2.0 * 0.004_237 + 0.95);
    near(&review["models"][0]["cost_per_thousand"], days / 432.0, 1e-6, "cost per thousand")?;
    near(&review["models"][0]["drifting"], 0.5, 0.001, "drifting")?;

    let (_, markdown, _) = report(&["--data", &folder, "--since", "7d"])?;
    let (under, over) = (markdown.find("## Under-provisioned (1)"), markdown.find("## Over-provisioned (1)"));
    check(under.is_some() && under < over, || markdown.clone())?;
    check(
        markdown.contains("docker update --cpus") && markdown.contains("| churn | drifts: age, plan | 50.0 % |"),
        || markdown.clone(),
    )?;
    let (_, csv, _) = report(&["--data", &folder, "--since", "7d", "--format", "csv"])?;
    check(csv.lines().count() == 3 && csv.starts_with("workload,node,"), || csv.clone())?;
    let (_, day, _) = report(&["--data", &folder, "--since", "1d", "--format", "json"])?;
    let day: Value = serde_json::from_str(&day)?;
    check(day["workloads"][0]["history"]["minutes"].as_u64().is_some_and(|m| (1438..=1440).contains(&m)), || {
        day["workloads"][0].to_string()
    })?;

    let page = data.path().join("review.html");
    let shown = page.display().to_string();
    report(&["--data", &folder, "--since", "7d", "--format", "html", "--output", &shown])?;
    let html = std::fs::read_to_string(&page)?;
    check(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"), || {
        "it loads something".to_owned()
    })?;
    let browser = Browser::start(&WIDE)?;
    browser.open(&format!("file://{shown}"))?;
    let text = browser.text()?;
    check(text.contains("Capacity review of node-1") && text.contains("docker update"), || text.clone())?;
    let wide = browser.script("return document.documentElement.scrollWidth - innerWidth")?;
    check(wide.as_i64() <= Some(0), || format!("{wide} px too wide"))
}

fn what_is_wrong_is_told() -> Result<(), Failed> {
    let empty = tempfile::tempdir()?;
    let folder = empty.path().display().to_string();
    for (arguments, expected, says) in [
        (vec!["--data", "/nowhere"], 2, "/nowhere: there is no such folder"),
        (vec!["--data", &folder, "--since", "soon"], 2, "--since: `soon` is not a time"),
        (vec!["--data", &folder, "--since", "1d", "--until", "2d"], 2, "must be before --until"),
        (vec!["--data", &folder], 1, "holds no history between"),
    ] {
        let (code, _, errors) = report(&arguments)?;
        check(code == Some(expected) && errors.contains(says), || format!("{arguments:?}: {code:?}, {errors}"))?;
    }
    // One broken file is told and left out.
    let end = Timestamp::from_second(Timestamp::now().as_second().div_euclid(60) * 60)?;
    fill(empty.path(), end)?;
    let hour = minute(end, 100)
        .strftime("container_minute/version=2/node=node-1/date=%Y-%m-%d/hour=%H/minutes.parquet")
        .to_string();
    std::fs::write(empty.path().join(&hour), "no parquet")?;
    let (code, text, errors) = report(&["--data", &folder])?;
    check(code == Some(0) && errors.contains("left out") && errors.contains(&hour) && text.contains("big"), || errors)
}
