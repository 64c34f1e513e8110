//! Every query of every dashboard, run by a real Prometheus that scrapes a real agent under the demonstration.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options, get};
use crate::gpus::{Node, gpu};
use crate::parts::{Container, Part, Server, check, command, docker, eventually, free_port};

pub const TESTS: &[Test] = &[
    (&[], "dashboards::they_are_in_style", they_are_in_style),
    (&[Part::Docker, Part::Prometheus], "dashboards::every_query_has_an_answer", every_query_has_an_answer),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn dashboards() -> Result<Vec<(String, Value)>, Failed> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join("dashboards"))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            all.push((path.display().to_string(), serde_json::from_slice(&fs::read(&path)?)?));
        }
    }
    check(all.len() >= 2, || format!("{} dashboards", all.len()))?;
    Ok(all)
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().into_iter().flatten().filter(|panel| panel["type"] != "row")
}

/// The rules of grafana/dashboard-linter that a file can show.
fn they_are_in_style() -> Result<(), Failed> {
    for (name, dashboard) in dashboards()? {
        let wrong = |what: &str| format!("{name}: {what}");
        check(dashboard["schemaVersion"] == 39 && dashboard["editable"] == false, || wrong("schema or editable"))?;
        check(dashboard["uid"].as_str().is_some_and(|uid| uid.starts_with("plumbline-")), || wrong("uid"))?;
        let source = &dashboard["templating"]["list"][0];
        check(source["name"] == "datasource" && source["label"] == "Data source", || wrong("data source"))?;
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap_or_default();
            let told = |key: &str| panel[key].as_str().is_some_and(|text| !text.is_empty());
            check(told("title") && told("description"), || {
                wrong(&format!("`{title}` lacks a title or a description"))
            })?;
            check(panel["fieldConfig"]["defaults"]["unit"].is_string(), || wrong(&format!("`{title}` has no unit")))?;
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expr = target["expr"].as_str().unwrap_or_default();
                check(expr.contains("$instance"), || wrong(&format!("`{title}` is not of the chosen node")))?;
                let counters = expr.matches("_total").count();
                // Bins count from zero by design: their sum is what adds up over replicas.
                let as_it_is = expr.contains("_bin_count_total");
                let moved = expr.matches("rate(").count() + expr.matches("increase(").count();
                check(counters == moved || as_it_is, || wrong(&format!("`{title}` shows a counter as it is")))?;
            }
        }
    }
    Ok(())
}

/// A model with groups, segments and two versions: a shadow that answers the same requests.
const DESCRIBED: &str =
    "[[model]]\nname = \"shadowed\"\nprotected = [\"sex\"]\nsegments = [\"region\"]\nwindow = \"1h\"\n";

/// Its reference, an hour of samples, what closes it, and the labels.
fn send_described(agent: &Agent) -> Result<(), Failed> {
    let of = |at: u64, salt: u64| (at + 1).wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40_503)) >> 7;
    let row = |at: u64, hour: u64, version: &str, flipped: bool| {
        let score = (of(at, 1) % 97) as f64 / 97.0;
        let (prediction, sex, region) =
            (u8::from((score >= 0.5) != flipped), of(at, 2) % 2, ["north", "south"][usize::from(of(at, 3) % 2 == 1)]);
        let time = 1_760_000_400_000 + hour * 3_600_000 + at * 1000;
        format!(
            "\"id\": \"{hour}-{at}\", \"timestamp\": {time}, \"version\": \"{version}\", \"prediction\": {prediction}, \
             \"score\": {score}, \"sex\": {sex}, \"region\": \"{region}\""
        )
    };
    let label = |at: u64| u8::from(((of(at, 4) % 89) as f64) < 89.0 * ((of(at, 1) % 97) as f64 / 97.0));
    let send = |request: &str, lines: Vec<String>| -> Result<(), Failed> {
        let (status, _, answer) = agent.send(request, "application/x-ndjson", lines.join("\n").as_bytes())?;
        check((200..300).contains(&status), || format!("{request}: {status} {answer}"))
    };
    let labelled = (0..3000).map(|at| format!("{{{}, \"label\": {}}}", row(at, 0, "1", false), label(at)));
    send("PUT /v1/models/shadowed/reference", labelled.collect())?;
    let shadow = |at: u64| [row(at, 1, "1", false), row(at, 1, "2", of(at, 5).is_multiple_of(9))];
    let samples = (0..3000).flat_map(shadow).chain([row(0, 3, "1", false)]);
    send("POST /v1/models/shadowed/samples", samples.map(|row| format!("{{{row}}}")).collect())?;
    let labels = (0..3000).map(|at| format!("{{\"id\": \"1-{at}\", \"label\": {}}}", label(at)));
    send("POST /v1/models/shadowed/labels", labels.collect())
}

fn every_query_has_an_answer() -> Result<(), Failed> {
    let spin = "while :; do :; done";
    let options = ["--cpus", "0.2", "-m", "64m", "--label", "plumbline.io/model=housing"];
    let container = Container::start("dashboards", &options, &["sh", "-c", spin])?;
    let pid: u32 = docker(&["inspect", "-f", "{{.State.Pid}}", &container.name])?.parse()?;
    let node = Node::new(&[gpu(0, 87, 30 << 30, &[(pid, 30 << 30)])])?;
    let config = format!("{}[rightsizing]\nmin_history = \"1m\"\n{DESCRIBED}", Node::config());
    let agent = Agent::demonstration_with(Options { config: &config, env: node.env(), ..Options::default() })?;
    send_described(&agent)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("prometheus.yml");
    let scrape = "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: plumbline\n  static_configs:\n";
    fs::write(&file, format!("{scrape}  - targets: ['{}']\n", agent.address))?;
    let address = format!("127.0.0.1:{}", free_port());
    let _prometheus = Server(
        Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let ask = |expr: &str| -> Result<Value, Failed> {
        let encoded = expr.bytes().fold(String::new(), |text, b| text + &format!("%{b:02x}"));
        let answer: Value = serde_json::from_str(&get(&address, &format!("/api/v1/query?query={encoded}"))?.1)?;
        check(answer["status"] == "success", || format!("{expr}: {answer}"))?;
        Ok(answer["data"]["result"].clone())
    };
    // As Grafana fills them in with everything chosen.
    let filled = |expr: &str| {
        let range = |text: &str| text.replace("$__rate_interval", "30s").replace("$__range", "5m");
        ["$instance", "$container", "$model"].iter().fold(range(expr), |text, name| text.replace(name, ".*"))
    };
    let mut open: Vec<(String, String)> = Vec::new();
    for (_, dashboard) in dashboards()? {
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap_or_default();
            let targets = panel["targets"].as_array().into_iter().flatten();
            open.extend(targets.map(|t| (title.to_owned(), filled(t["expr"].as_str().unwrap_or_default()))));
        }
        for variable in dashboard["templating"]["list"].as_array().into_iter().flatten().skip(1) {
            // label_values(metric, label): the metric must be there, with that label.
            let query = variable["definition"].as_str().unwrap_or_default();
            let (metric, label) =
                query.trim_start_matches("label_values(").trim_end_matches(')').split_once(", ").ok_or("a variable")?;
            open.push((format!("variable {label}"), format!("{metric}{{{label}!=\"\"}}")));
        }
    }
    let all = open.len();
    check(all > 40, || format!("only {all} queries"))?;
    // Recommendations and costs come with the second minute, performance with the first labels.
    eventually(Duration::from_secs(200), || {
        let mut failed = Vec::new();
        for (title, expr) in &open {
            let result = ask(expr)?;
            let values: Vec<f64> = result
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|series| series["value"][1].as_str()?.parse().ok())
                .collect();
            if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
                failed.push((title.clone(), expr.clone()));
            }
        }
        let count = failed.len();
        open = failed;
        check(count == 0, || format!("without an answer: {open:#?}"))?;
        Ok(())
    })?;
    // The rules for those who want alerts from Prometheus alone.
    let path = root().join("deploy/prometheus/alerts.yml");
    command("promtool", &["check", "rules", &path.display().to_string()])?;
    let rules = fs::read_to_string(path)?;
    for line in rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")) {
        ask(line.trim_matches('\''))?;
    }
    Ok(())
}
