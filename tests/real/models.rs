//! Samples in, drift out, over the agent's own ingest: its contract, its durability, the demonstration.

use std::fmt::Write as _;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::{Agent, Options};
use crate::parts::{Part, check, command, eventually, python};

pub const TESTS: &[Test] = &[
    (&[], "models::the_door_takes_what_is_right_and_tells_what_is_wrong", the_door_takes_what_is_right),
    (&[], "models::bodies_that_are_broken_are_refused_and_nothing_dies", broken_bodies_are_refused),
    (&[], "models::bounds_are_told_by_413_and_429", bounds_are_told),
    (&[], "models::a_drifting_model_is_found_and_exported", a_drifting_model_is_found),
    (&[], "models::faults_of_the_rows_are_told_and_alerted", faults_are_told),
    (&[], "models::models_have_metrics_where_no_container_is_read", models_have_metrics_alone),
    (&[], "models::an_unknown_model_gets_a_provisional_reference", an_unknown_model_gets_a_provisional_reference),
    (&[], "models::what_was_accepted_survives_kill_9_once_each", accepted_rows_survive_kill_9),
    (&[], "models::a_model_that_is_removed_is_gone_and_makes_room", a_removed_model_is_gone),
    (&[], "models::namesakes_in_two_namespaces_are_two_models", namesakes_are_two_models),
    (&[Part::DuckDb], "models::what_was_accepted_is_parquet_for_others", accepted_rows_become_parquet),
    (&[Part::PyArrow], "models::arrow_streams_are_taken_and_compressed_ones_are_not", arrow_streams_are_taken),
    (&[Part::PyArrow], "models::every_readable_format_gives_the_same_drift", every_format_gives_the_same),
    (&[], "models::the_command_line_compares_and_exits_as_it_says", the_command_line_compares),
    (&[], "models::the_demonstration_drifts_within_a_minute_and_employment_does_not", the_demonstration_drifts),
    (&[Part::Curl, Part::PyArrow], "models::the_examples_of_the_readme_run", the_examples_run),
];

pub const NDJSON: &str = "application/x-ndjson";
const HOUR: i64 = 3_600_000;

pub const CONFIG: &str = "[[model]]\nname = \"m\"\nwindow = \"1h\"\nlateness = \"1m\"\nmin_rows = 20\n";

pub fn ready(options: Options<'_>) -> Result<Agent, Failed> {
    let agent = Agent::start(options)?;
    eventually(Duration::from_secs(10), || {
        let (status, _, answer) = agent.send("POST /v1/models/_probe/labels", NDJSON, b"")?;
        check(status == 422, || format!("{status} {answer}"))
    })?;
    Ok(agent)
}

/// With all that was stored of it, over a kill too; and what comes later under its name is new.
fn a_removed_model_is_gone() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let options =
        || Options { config: "[models]\nmax_models = 1\n", data: Some(data.path().to_owned()), ..Options::default() };
    let started = || -> Result<Agent, Failed> {
        let agent = Agent::start(options())?;
        let samples = "POST /v1/models/dated-1/samples";
        let asked = || agent.send(samples, NDJSON, b"").map(|answer| answer.0);
        eventually(Duration::from_secs(10), || check(asked()? == 422, || agent.log()))?;
        Ok(agent)
    };
    let mut agent = started()?;
    let post = |agent: &Agent, model: &str, rows: i64| -> Result<u16, Failed> {
        let body = hour(0, rows, 0);
        Ok(agent.send(&format!("POST /v1/models/{model}/samples"), NDJSON, body.as_bytes())?.0)
    };
    let samples = |agent: &Agent| -> Result<Option<u64>, Failed> {
        let models = agent.json("/api/v1/models")?;
        let found = models["models"].as_array().into_iter().flatten().find(|model| model["name"] == "dated-1").cloned();
        Ok(found.and_then(|model| model["counts"]["samples"].as_u64()))
    };
    check(post(&agent, "dated-1", 60)? == 202, || agent.log())?;
    eventually(Duration::from_secs(5), || check(samples(&agent)? == Some(60), || agent.log()))?;
    check(post(&agent, "dated-2", 60)? == 429, || "there is no room for a second".to_owned())?;
    let remove = |agent: &Agent, model: &str| -> Result<u16, Failed> {
        Ok(agent.send(&format!("DELETE /v1/models/{model}"), NDJSON, b"")?.0)
    };
    check(remove(&agent, "dated-2")? == 404, || "nobody knows it".to_owned())?;
    check(remove(&agent, ".hidden")? == 400, || "it is no name".to_owned())?;
    check(remove(&agent, "dated-1")? == 204, || agent.log())?;
    eventually(Duration::from_secs(5), || check(samples(&agent)?.is_none(), || agent.log()))?;
    check(remove(&agent, "dated-1")? == 404, || "it is gone".to_owned())?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;

    let mut agent = started()?;
    check(samples(&agent)?.is_none(), || "a restart brought it back".to_owned())?;
    check(post(&agent, "dated-1", 30)? == 202, || agent.log())?;
    eventually(Duration::from_secs(5), || check(samples(&agent)? == Some(30), || format!("{:?}", samples(&agent))))?;
    // With a checkpoint behind it, too.
    agent.signal("TERM")?;
    agent.wait(Duration::from_secs(10))?;
    let agent = started()?;
    eventually(Duration::from_secs(5), || check(samples(&agent)? == Some(30), || format!("{:?}", samples(&agent))))
}

/// An hour's samples of which the feature lies about `level`.
pub fn hour(hour: i64, rows: i64, level: i64) -> String {
    (0..rows).fold(String::new(), |mut body, i| {
        let (at, x) = (hour * HOUR + i * (HOUR / rows), level + (i * 37) % 100);
        let class = match i % 3 {
            0 => "a",
            1 => "b",
            _ => "c",
        };
        let _ = writeln!(
            body,
            r#"{{"id":"h{hour}-{i}","timestamp":{at},"x":{x}.5,"class":"{class}","prediction":{},"score":0.{}}}"#,
            i % 2,
            1 + i % 9
        );
        body
    })
}

pub fn accepted(answer: &(u16, String, Value), rows: i64) -> Result<(), Failed> {
    check(answer.0 == 202 && answer.2["accepted"] == rows, || format!("{answer:?}"))
}

fn the_door_takes_what_is_right() -> Result<(), Failed> {
    let agent = ready(Options { config: CONFIG, ..Options::default() })?;
    let samples = "POST /v1/models/m/samples";
    let answer =
        agent.send(samples, NDJSON, b"{\"id\":\"1\",\"x\":1}\n{\"id\":\"2\",\"x\":\"one\"}\n{\"id\":\"3\"\n")?;
    let expected = json!({"accepted": 1, "rejected": 2, "errors": [
        {"row": 1, "field": "x", "message": "expected a number, found a string"},
        {"row": 2, "field": null, "message": "not a JSON object: EOF while parsing an object at byte 9"},
    ]});
    check(answer.0 == 202 && answer.2 == expected, || format!("{answer:?}"))?;
    let answer =
        agent.send("POST /v1/models/m/samples?all_or_nothing=true", NDJSON, b"{\"x\":1}\n{\"x\":\"one\"}\n")?;
    check(answer.0 == 422 && answer.2["accepted"] == 0, || format!("{answer:?}"))?;
    let answer = agent.send(samples, NDJSON, b"{\"x\":\"one\"}")?;
    check(answer.0 == 422 && answer.2["rejected"] == 1, || format!("the kind is known by now: {answer:?}"))?;
    accepted(&agent.send(samples, "application/json; charset=utf-8", br#"[{"id":"4","x":2},{"id":"5","x":3}]"#)?, 2)?;
    accepted(
        &agent.send(samples, "application/json", br#"{"id":"6","x":2.5,"timestamp":"2026-01-01T00:00:00Z"}"#)?,
        1,
    )?;
    // A repeated id is taken in good faith, and counted.
    accepted(&agent.send(samples, NDJSON, br#"{"id":"1","x":1}"#)?, 1)?;
    accepted(&agent.send("POST /v1/models/m/labels", NDJSON, br#"{"id":"1","label":1}"#)?, 1)?;
    eventually(Duration::from_secs(5), || {
        let counts = agent.model("m")?["counts"].clone();
        check(counts["samples"] == 4 && counts["repeated"] == 1 && counts["labels"] == 1, || counts.to_string())
    })
}

fn broken_bodies_are_refused() -> Result<(), Failed> {
    let agent = ready(Options { config: CONFIG, ..Options::default() })?;
    let arrow = "application/vnd.apache.arrow.stream";
    let deep = "[".repeat(100_000);
    let deep_row = format!("{{\"a\":{}", "[".repeat(100_000));
    let head = b"\xff\xff\xff\xff\xff\xff\xff\x7f".as_slice();
    let cases: &[(&str, &[u8], u16)] = &[
        (NDJSON, b"", 422),
        (NDJSON, b"\n\n  \n", 422),
        (NDJSON, b"null", 422),
        (NDJSON, b"{}", 202),
        (NDJSON, b"\xff\xfe\x00", 422),
        (NDJSON, b"{\"a\": \"\xff\"}", 422),
        (NDJSON, b"{\"a\": 1e999}", 422),
        (NDJSON, b"{\"a\": NaN}", 422),
        (NDJSON, b"{\"score\": \"high\"}", 422),
        (NDJSON, b"{\"id\": [1]}", 422),
        (NDJSON, b"{\"timestamp\": 1e300}", 422),
        (NDJSON, b"{\"timestamp\": \"yesterday\"}", 422),
        (NDJSON, deep_row.as_bytes(), 422),
        ("application/json", deep.as_bytes(), 422),
        ("application/json", b"[{\"a\": 1}", 422),
        ("application/json", b"7", 422),
        (NDJSON, b"{\"tags\": []}\n{\"tags\": [\"a\"]}\n{\"tags\": [1]}", 202),
        (NDJSON, b"{\"tags\": [1]}", 422),
        (arrow, b"", 422),
        (arrow, b"ARROW1\0\0", 422),
        (arrow, b"\xff\xff\xff\xff", 422),
        (arrow, head, 422),
        ("text/plain", b"{}", 415),
        ("", b"{}", 415),
    ];
    for (content_type, body, wanted) in cases {
        let (status, _, answer) = agent.send("POST /v1/models/b/samples", content_type, body)?;
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        check(status == *wanted, || format!("{content_type} {shown}: {status}, not {wanted}: {answer}"))?;
        check(*wanted == 202 || answer["errors"][0]["message"].is_string(), || format!("{shown}: {answer}"))?;
    }
    // Few bytes that would unfold to many gigabytes: rows that each have every column once any row has it.
    let columns: Vec<String> = (0..4000).map(|i| format!("\"c{i}\":1")).collect();
    let sparse = "{}\n".repeat(80_000) + &format!("{{{}}}", columns.join(","));
    let (status, _, answer) = agent.send("POST /v1/models/b/samples", NDJSON, sparse.as_bytes())?;
    check(status == 413, || format!("{status} {answer}"))?;
    for name in ["..", ".a", "a%2fb", "a%20b", "%00", &"x".repeat(200)] {
        let (status, _, _) = agent.send(&format!("POST /v1/models/{name}/samples"), NDJSON, b"{\"a\": 1}")?;
        check(status == 400 || status == 404, || format!("{name}: {status}"))?;
    }
    let labels = agent.send("POST /v1/models/b/labels", NDJSON, b"{\"label\": 1}\n{\"id\": \"a\"}")?;
    check(labels.0 == 422 && labels.2["rejected"] == 2, || format!("{labels:?}"))?;
    let failed = agent.sum("plumbline_samples_failed_total", "plumbline")?;
    check(failed == 0.0 && agent.get("/healthz")?.0 == 200, || format!("{failed} failed; the log: {}", agent.log()))
}

fn bounds_are_told() -> Result<(), Failed> {
    let config = "[ingest]\nmax_body = \"64 KiB\"\nin_flight = \"96 KiB\"\nmax_rows = 50\n[models]\nmax_models = 2\n";
    let agent = ready(Options { config, ..Options::default() })?;
    let samples = "POST /v1/models/m/samples";
    let (status, _, answer) = agent.send(samples, NDJSON, &vec![b' '; 70_000])?;
    check(status == 413, || format!("{status} {answer}"))?;
    let (status, _, answer) = agent.send(samples, NDJSON, "{\"x\":1}\n".repeat(51).as_bytes())?;
    check(status == 413, || format!("{status} {answer}"))?;
    accepted(&agent.send(samples, NDJSON, b"{\"x\":1}")?, 1)?;
    accepted(&agent.send("POST /v1/models/n/samples", NDJSON, b"{\"x\":1}")?, 1)?;
    let (status, head, answer) = agent.send("POST /v1/models/o/samples", NDJSON, b"{\"x\":1}")?;
    check(status == 429 && head.contains("retry-after:"), || format!("{status} {head} {answer}"))?;
    // What came before is taken in first: it has its part of the room until then.
    eventually(Duration::from_secs(10), || {
        let samples = agent.json("/healthz")?["samples"].clone();
        check(samples["in_flight_bytes"] == 0, || samples.to_string())
    })?;
    // A slow sender holds its part of the room; the next is told to wait, and may come again.
    let slow = std::net::TcpStream::connect(&agent.address)?;
    let mut writer = &slow;
    let body = vec![b' '; 60_000];
    std::io::Write::write_all(
        &mut writer,
        format!("{samples} HTTP/1.1\r\nHost: a\r\nContent-Type: {NDJSON}\r\nContent-Length: 60001\r\n\r\n").as_bytes(),
    )?;
    std::io::Write::write_all(&mut writer, &body)?;
    // The next must not take its place before it has it.
    eventually(Duration::from_secs(10), || {
        let samples = agent.json("/healthz")?["samples"].clone();
        check(samples["in_flight_bytes"].as_u64() >= Some(60_000), || samples.to_string())
    })?;
    eventually(Duration::from_secs(5), || {
        let (status, head, answer) = agent.send(samples, NDJSON, &body)?;
        check(status == 429 && head.contains("retry-after:"), || format!("{status} {answer}"))
    })?;
    drop(slow);
    eventually(Duration::from_secs(5), || {
        let answer = agent.send(samples, NDJSON, b"{\"x\":1}")?;
        accepted(&answer, 1)
    })?;
    let refused = agent.sum("plumbline_ingest_requests_total", "\"429\"")?;
    check(refused >= 2.0, || format!("{refused} counted"))
}

fn a_drifting_model_is_found() -> Result<(), Failed> {
    let agent = ready(Options { config: &format!("[agent]\ntick = \"1s\"\n{CONFIG}"), ..Options::default() })?;
    accepted(&agent.send("PUT /v1/models/m/reference", NDJSON, hour(0, 2000, 0).as_bytes())?, 2000)?;
    // The bins are there from zero, before any sample.
    eventually(Duration::from_secs(10), || {
        let counted = agent.sum("plumbline_model_feature_bin_count_total", "feature=\"x\"")?;
        let share = agent.sum("plumbline_model_feature_bin_reference_share_ratio", "feature=\"x\"")?;
        check(counted == 0.0 && (share - 1.0).abs() < 1e-9, || format!("{counted} counted, share {share}"))
    })?;
    for (at, level) in [(10, 0), (11, 500), (12, 500), (13, 500)] {
        accepted(&agent.send("POST /v1/models/m/samples", NDJSON, hour(at, 100, level).as_bytes())?, 100)?;
    }
    eventually(Duration::from_secs(10), || {
        let model = agent.model("m")?;
        let verdict = &model["verdict"];
        check(verdict["drift"] == true && verdict["columns"] == json!(["x"]), || model.to_string())?;
        let windows: Vec<&Value> =
            model["windows"].as_array().into_iter().flatten().rev().map(|w| &w["drift"]).collect();
        check(windows == [false, true, true], || format!("{windows:?}"))
    })?;
    // Each window has an address to share, and says there what it looked like.
    let window = |path: &str| agent.get(&format!("{path}/models/m/windows/1970-01-01T11:00:00Z"));
    let one: Value = serde_json::from_str(&window("/api/v1")?.1)?;
    check(one["drift"] == false && one["features"][0]["shape"].is_object(), || one.to_string())?;
    let (status, page) = window("")?;
    check(status == 200 && page.contains("no drift") && page.contains("this window"), || format!("{status} {page}"))?;
    let (status, missing) = agent.get("/api/v1/models/m/windows/1999-01-01T11:00:00Z")?;
    check(status == 404 && missing.contains("the nearest ended at 1970-01-01T13:00:00Z"), || missing.clone())?;
    let labels = (0..100).fold(String::new(), |mut body, i| {
        let _ = writeln!(body, r#"{{"id":"h12-{i}","label":{}}}"#, u8::from(i % 4 == 1));
        body
    });
    accepted(&agent.send("POST /v1/models/m/labels", NDJSON, labels.as_bytes())?, 100)?;
    eventually(Duration::from_secs(15), || {
        let model = agent.model("m")?;
        let performance = &model["windows"][0]["performance"];
        check(performance["accuracy"] == 0.75 && model["task"] == "classification", || model["windows"].to_string())?;
        let series = ["model=\"m\"", "measure=\"accuracy\""];
        let samples = agent.samples("plumbline_model_performance")?;
        let found = samples.iter().find(|(name, _)| series.iter().all(|part| name.contains(part)));
        check(found.is_some_and(|(_, value)| *value == 0.75), || format!("{samples:?}"))
    })?;
    eventually(Duration::from_secs(5), || {
        let counted = agent.sum("plumbline_model_feature_bin_count_total", "feature=\"x\"")?;
        let drift = agent.sum("plumbline_model_drift", "model=\"m\"")?;
        let psi = agent.samples("feature=\"x\",test=\"psi\"")?;
        check(counted == 400.0 && drift == 1.0 && psi.len() == 1, || format!("{counted} {drift} {psi:?}"))
    })
}

/// Rows without a value, rows of another type, and none at all: on the page, as metrics and as one alert.
fn faults_are_told() -> Result<(), Failed> {
    let config = format!("[agent]\ntick = \"1s\"\n{CONFIG}quality = {{ stale_after = \"20s\" }}\n");
    let agent = ready(Options { config: &config, ..Options::default() })?;
    accepted(&agent.send("PUT /v1/models/m/reference", NDJSON, hour(0, 2000, 0).as_bytes())?, 2000)?;
    let gaps: Vec<String> = hour(10, 100, 0)
        .lines()
        .enumerate()
        .map(
            |(i, row)| {
                if i % 4 == 0 { row.replace("\"class\":\"", "\"class\":null,\"was\":\"") } else { row.to_owned() }
            },
        )
        .collect();
    accepted(&agent.send("POST /v1/models/m/samples", NDJSON, gaps.join("\n").as_bytes())?, 100)?;
    accepted(&agent.send("POST /v1/models/m/samples", NDJSON, hour(12, 1, 0).as_bytes())?, 1)?;
    let faults = |check: &str| agent.sum("plumbline_model_data_faults", &format!("check=\"{check}\""));
    let said = || -> Result<Vec<String>, Failed> {
        let found = agent.model("m")?["quality"].clone();
        let findings = found.as_array().ok_or("no findings")?.iter();
        Ok(findings.map(|finding| finding["message"].as_str().unwrap_or_default().to_owned()).collect())
    };
    eventually(Duration::from_secs(10), || {
        let said = said()?;
        check(said == ["class: missing in 25.0 % of rows, 0.0 % in the reference"], || format!("{said:?}"))?;
        check(faults("missing")? == 1.0 && faults("range")? == 0.0, || "the metrics say otherwise".to_owned())
    })?;
    let answer = agent.send("POST /v1/models/m/samples", NDJSON, "{\"x\":\"many\"}\n".repeat(20).as_bytes())?;
    check(answer.0 == 422 && answer.2["rejected"] == 20, || format!("{answer:?}"))?;
    eventually(Duration::from_secs(10), || {
        let (said, count) = (said()?, faults("wrong_type")?);
        check(said.iter().any(|said| said.starts_with("x: 20 of 121 rows refused")), || format!("{said:?}"))?;
        check(count == 1.0, || format!("{count} faults"))
    })?;
    eventually(Duration::from_secs(45), || {
        let (said, count) = (said()?, faults("staleness")?);
        check(said.iter().any(|said| said.starts_with("no sample for ")) && count == 1.0, || format!("{said:?}"))
    })?;
    let page = agent.get("/models/m")?.1;
    check(page.contains("missing in 25.0 % of rows") && page.contains("rows refused"), || page.clone())?;
    eventually(Duration::from_secs(10), || {
        let alerts = agent.json("/api/v1/alerts")?["alerts"].to_string();
        check(alerts.matches("DataQuality").count() == 1 && alerts.contains("faulty by 3 of the checks"), || {
            alerts.clone()
        })
    })
}

/// Each with its own samples, verdict, metrics and page, over a kill too; and one goes without the other.
fn namesakes_are_two_models() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let config = format!(
        "[agent]\ntick = \"1s\"\n{CONFIG}\n{}",
        CONFIG.replace("name = \"m\"", "name = \"m\"\nnamespace = \"ml\"")
    );
    let start = || ready(Options { config: &config, data: Some(data.path().to_owned()), ..Options::default() });
    let mut agent = start()?;
    for (query, level) in [("", 0), ("?namespace=ml", 500)] {
        accepted(
            &agent.send(&format!("PUT /v1/models/m/reference{query}"), NDJSON, hour(0, 2000, 0).as_bytes())?,
            2000,
        )?;
        for at in 10..14 {
            let body = hour(at, 100, level);
            accepted(&agent.send(&format!("POST /v1/models/m/samples{query}"), NDJSON, body.as_bytes())?, 100)?;
        }
    }
    let drift = |agent: &Agent, query: &str| {
        Ok::<_, Failed>(agent.json(&format!("/api/v1/models/m{query}"))?["verdict"]["drift"].clone())
    };
    let both = |agent: &Agent| {
        eventually(Duration::from_secs(15), || {
            let found = (drift(agent, "")?, drift(agent, "?namespace=ml")?);
            check(found == (json!(false), json!(true)), || format!("{found:?}"))?;
            let series = agent.samples("plumbline_model_drift")?;
            let is = |of: &str, value: f64| series.iter().any(|(name, at)| name.contains(of) && *at == value);
            check(is("{model=\"m\"}", 0.0) && is("model_namespace=\"ml\"", 1.0), || format!("{series:?}"))
        })
    };
    both(&agent)?;
    let (status, page) = agent.get("/models/m?namespace=ml")?;
    check(status == 200 && page.contains("plumbline · ml/m"), || page.clone())?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    agent = start()?;
    both(&agent)?;
    let (misspelled, _, _) = agent.send("DELETE /v1/models/m?namspace=ml", NDJSON, b"")?;
    let (removed, _, _) = agent.send("DELETE /v1/models/m?namespace=ml", NDJSON, b"")?;
    check((misspelled, removed) == (400, 204), || format!("{misspelled} {removed}"))?;
    eventually(Duration::from_secs(5), || {
        let models = agent.json("/api/v1/models")?["models"].clone();
        let left: Vec<&Value> = models.as_array().into_iter().flatten().map(|model| &model["namespace"]).collect();
        check(left == [&Value::Null] && models[0]["counts"]["samples"] == 400, || models.to_string())
    })
}

fn models_have_metrics_alone() -> Result<(), Failed> {
    let config = "[agent]\ntick = \"1s\"\n[collect]\ndisabled = [\"cgroup\", \"docker\", \"podman\"]\n";
    let agent = ready(Options { config, ..Options::default() })?;
    accepted(&agent.send("POST /v1/models/m/samples", NDJSON, b"{\"x\":1}")?, 1)?;
    eventually(Duration::from_secs(10), || {
        let counted = agent.sum("plumbline_model_prediction_count_total", "model=\"m\"")?;
        let reason = agent.model("m")?["verdict"]["reason"].to_string();
        check(counted == 1.0 && reason.contains("there is no reference"), || format!("{counted} {reason}"))
    })
}

fn an_unknown_model_gets_a_provisional_reference() -> Result<(), Failed> {
    let agent = ready(Options::default())?;
    for (at, level) in [(10, 0), (11, 0), (12, 500), (13, 500), (14, 500)] {
        accepted(&agent.send("POST /v1/models/new/samples", NDJSON, hour(at, 600, level).as_bytes())?, 600)?;
    }
    eventually(Duration::from_secs(10), || {
        let model = agent.model("new")?;
        let reference = &model["reference"];
        check(reference["provisional"] == true && reference["rows"] == 1000, || reference.to_string())?;
        check(model["verdict"]["drift"] == true && model["verdict"]["provisional"] == true, || {
            model["verdict"].to_string()
        })
    })
}

/// How many rows the model has taken in, by its own count.
fn taken(agent: &Agent) -> Result<Value, Failed> {
    let model = agent.model("m")?;
    Ok(json!([model["counts"]["samples"], model["rows_in_memory"], model["counts"]["labels"]]))
}

fn accepted_rows_survive_kill_9() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let start = || ready(Options { config: CONFIG, data: Some(data.clone()), ..Options::default() });
    let mut agent = start()?;
    accepted(&agent.send("PUT /v1/models/m/reference", NDJSON, hour(0, 2000, 0).as_bytes())?, 2000)?;
    for round in 0..4_i64 {
        for part in 0..3 {
            let at = 10 + round * 3 + part;
            accepted(&agent.send("POST /v1/models/m/samples", NDJSON, hour(at, 100, 500).as_bytes())?, 100)?;
        }
        let label = format!("{{\"id\":\"h{}-1\",\"label\":1}}", 10 + round * 3);
        accepted(&agent.send("POST /v1/models/m/labels", NDJSON, label.as_bytes())?, 1)?;
        if round == 1 {
            // Let a checkpoint come in between, so that both ways back are walked.
            std::thread::sleep(Duration::from_secs(11));
        }
        agent.signal(if round == 2 { "TERM" } else { "KILL" })?;
        agent.wait(Duration::from_secs(10))?;
        if round == 3 {
            // The checkpoint can be rebuilt from what is stored.
            std::fs::write(data.join("models/checkpoint.json"), "{ broken")?;
        }
        agent = start()?;
        let rows = (round + 1) * 300;
        eventually(Duration::from_secs(10), || {
            let found = taken(&agent)?;
            check(found == json!([rows, rows, round + 1]), || format!("after round {round}: {found}"))
        })?;
    }
    // Repeated rows are known after the restart too, and the verdict stands.
    accepted(&agent.send("POST /v1/models/m/samples", NDJSON, hour(20, 100, 500).as_bytes())?, 100)?;
    eventually(Duration::from_secs(10), || {
        let model = agent.model("m")?;
        check(model["counts"]["repeated"] == 100 && model["verdict"]["drift"] == true, || {
            model["verdict"].to_string()
        })?;
        let reference = &model["reference"];
        check(reference["rows"] == 2000 && reference["provisional"] == false, || reference.to_string())
    })
}

fn accepted_rows_become_parquet() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let start = || ready(Options { config: CONFIG, data: Some(data.clone()), ..Options::default() });
    let mut agent = start()?;
    for at in 10..13 {
        accepted(&agent.send("POST /v1/models/m/samples", NDJSON, hour(at, 100, 0).as_bytes())?, 100)?;
    }
    // One of the same name, with the same ids.
    accepted(&agent.send("POST /v1/models/m/samples?namespace=ml", NDJSON, hour(10, 50, 0).as_bytes())?, 50)?;
    accepted(&agent.send("POST /v1/models/m/labels", NDJSON, b"{\"id\":\"h10-1\",\"label\":1}")?, 1)?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    // The next start closes the segment, and makes Parquet of it with its first checkpoint.
    agent = start()?;
    let code = "import duckdb, sys\n\
        s, l = (f\"read_parquet('{sys.argv[1]}/models/{t}/**/*.parquet', hive_partitioning=true)\" for t in ('samples', 'labels'))\n\
        print(duckdb.sql(f\"select s.model_namespace, s.model, count(*), count(distinct s.id), sum(l.label), typeof(any_value(s.timestamp)) \
        from {s} s left join {l} l on s.id = l.id and s.model = l.model and s.model_namespace is not distinct from l.model_namespace \
        group by all order by all nulls first\").fetchall())";
    eventually(Duration::from_secs(30), || {
        let found = command(python(), &["-c", code, &data.to_string_lossy()])?;
        let wanted = "[(None, 'm', 300, 300, 1, 'TIMESTAMP WITH TIME ZONE'), ('ml', 'm', 50, 50, None, 'TIMESTAMP WITH TIME ZONE')]";
        check(found.trim().replace("Decimal('1')", "1") == wanted, || found.clone())
    })?;
    // What became Parquet is there after another kill, once.
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    let agent = start()?;
    eventually(Duration::from_secs(10), || {
        let found = taken(&agent)?;
        check(found == json!([300, 300, 1]), || found.to_string())
    })
}

fn arrow_streams_are_taken() -> Result<(), Failed> {
    let agent = ready(Options { config: CONFIG, ..Options::default() })?;
    let folder = tempfile::tempdir()?;
    let code = r"
import pyarrow as pa, sys, datetime as d
times = [d.datetime(2026, 1, 1, i // 60 % 24) for i in range(1000)]
t = pa.table({'id': [f'a{i}' for i in range(1000)], 'x': pa.array(range(1000), pa.float32()),
    'c': pa.array(['u', 'v'] * 500).dictionary_encode(), 'timestamp': pa.array(times),
    'v': pa.array([[1.0, 2.0]] * 1000), 's': pa.array([{'a': 1}] * 1000), 'prediction': pa.array([True, False] * 500)})
for name, compression in (('plain', None), ('lz4', 'lz4'), ('zstd', 'zstd')):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(f'{sys.argv[1]}/{name}', t.schema, options=options) as w:
        w.write_table(t, max_chunksize=300)
def write(name, batches, **options):
    with pa.ipc.new_stream(f'{sys.argv[1]}/{name}', batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        for b in batches:
            w.write_batch(b)
def dictionary(values, keys):
    return pa.record_batch({'d': pa.DictionaryArray.from_arrays(pa.array(keys, pa.int8()), pa.array(values))})
# A dictionary that grows, and dictionaries of each batch's own.
write('deltas', [dictionary([f'v{i}' for i in range(10 + j)], [0]) for j in range(5)], emit_dictionary_deltas=True)
write('dictionaries', [dictionary([f'v{j}-{i}' for i in range(100)], range(100)) for j in range(3)])
# A thousand views of one megabyte, and lists of bits.
n, size = 1000, 1 << 20
views = b''.join(int(size - i).to_bytes(4, 'little') + b'x' * 4 + bytes(8) for i in range(n))
view = pa.Array.from_buffers(pa.string_view(), n, [None, pa.py_buffer(views), pa.py_buffer(b'x' * size)])
write('views', [pa.record_batch({'s': view})])
bits = pa.Array.from_buffers(pa.bool_(), 1 << 25, [None, pa.py_buffer(bytes(1 << 22))])
write('bits', [pa.record_batch({'l': pa.FixedSizeListArray.from_arrays(bits, 1 << 25)})])
";
    command(python(), &["-c", code, &folder.path().to_string_lossy()])?;
    let read = |name: &str| std::fs::read(folder.path().join(name));
    let send = |body: &[u8]| agent.send("POST /v1/models/m/samples", "application/vnd.apache.arrow.stream", body);
    let answer = send(&read("plain")?)?;
    accepted(&answer, 1000)?;
    let told = &answer.2["errors"][0];
    check(told["field"] == "s" && told["row"].is_null(), || format!("structs are left out, and told: {answer:?}"))?;
    for packed in ["lz4", "zstd", "deltas", "views", "bits"] {
        let (status, _, answer) = send(&read(packed)?)?;
        check(matches!(status, 413 | 415), || format!("{packed}: {status} {answer}"))?;
    }
    accepted(&send(&read("dictionaries")?)?, 300)?;
    // Cut anywhere, or with any byte changed: an answer, never a death.
    let plain = read("plain")?;
    for cut in (0..plain.len()).step_by(plain.len() / 40) {
        let (status, _, _) = send(&plain[..cut])?;
        check(matches!(status, 202 | 422), || format!("cut at {cut}: {status}"))?;
    }
    for at in (0..2000).step_by(23) {
        let mut damaged = plain.clone();
        damaged[at] ^= 0xff;
        let (status, _, answer) = send(&damaged)?;
        check(matches!(status, 202 | 413 | 415 | 422 | 409), || format!("damage at {at}: {status} {answer}"))?;
    }
    check(agent.get("/healthz")?.0 == 200, || agent.log())
}

fn every_format_gives_the_same() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let code = r"
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.csv as pc, json, sys
for name, shift in (('a', 0), ('b', 30)):
    n = 3000
    t = pa.table({
        'x': [None if i % 17 == 0 else (i * 7919) % 1009 / 8 + shift for i in range(n)],
        'c': ['uvwxyz'[(i * i + shift) % 6] for i in range(n)],
        'k': [(i * 31) % 50 for i in range(n)]})
    p = f'{sys.argv[1]}/{name}'
    pq.write_table(t.set_column(1, 'c', t['c'].dictionary_encode()), p + '.parquet', row_group_size=700)
    pc.write_csv(t, p + '.csv')
    open(p + '.ndjson', 'w').write('\n'.join(json.dumps(r) for r in t.to_pylist()))
    with pa.ipc.new_file(p + '.arrow', t.schema, options=pa.ipc.IpcWriteOptions(compression='lz4')) as w:
        w.write_table(t)
    with pa.ipc.new_stream(p + '.arrows', t.schema) as w:
        w.write_table(t)
";
    command(python(), &["-c", code, &folder.path().to_string_lossy()])?;
    let compare = |a: &str, b: &str| -> Result<Value, Failed> {
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let mut run = crate::agent::command();
        let run = run.args(["drift", "--format", "json", "--reference", &path(a), "--current", &path(b)]).output()?;
        check(run.status.success(), || String::from_utf8_lossy(&run.stderr).into_owned())?;
        Ok(serde_json::from_slice::<Value>(&run.stdout)?["features"].clone())
    };
    let wanted = compare("a.parquet", "b.parquet")?;
    check(wanted.as_array().is_some_and(|features| features.len() == 3), || wanted.to_string())?;
    for (a, b) in [("a.csv", "b.csv"), ("a.ndjson", "b.ndjson"), ("a.arrow", "b.arrow"), ("a.arrows", "b.parquet")] {
        let found = compare(a, b)?;
        check(found == wanted, || format!("{a} {b}: {found} is not {wanted}"))?;
    }
    Ok(())
}

fn the_command_line_compares() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    let rows = |shift: u32, class: &str| {
        (0..500).fold("id,x,c,only_here\n".replace("only_here", class), |text, i| {
            format!("{text}{i},{},{class},1\n", i % 90 + shift)
        })
    };
    write("a.csv", &rows(0, "u"))?;
    write("b.csv", &rows(40, "u"))?;
    write("w.csv", "id,x\n1,2\n3\n")?;
    write("empty.csv", "")?;
    let run = |arguments: &[&str]| -> Result<(Option<i32>, String, String), Failed> {
        let output = crate::agent::command().arg("drift").args(arguments).current_dir(folder.path()).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    };
    let files = ["--reference", "a.csv", "--current", "b.csv", "--id", "id"];
    let with = |more: &[&str]| run(&[&files[..], more].concat());
    check(with(&[])?.0 == Some(0), || "without --fail-on-drift drift is no failure".to_owned())?;
    let (code, out, _) = with(&["--fail-on-drift", "--format", "json"])?;
    let json: Value = serde_json::from_str(&out)?;
    check(code == Some(1) && json["summary"]["drifted_features"] == json!(["x"]), || out.clone())?;
    check(json["reference"]["rows"] == 500 && json["features"][0]["tests"][0]["test"] == "ks", || out.clone())?;
    let same = ["--reference", "a.csv", "--current", "a.csv", "--fail-on-drift"];
    check(run(&same)?.0 == Some(0), || "no drift from itself".to_owned())?;
    for (format, mark) in
        [("table", "DRIFT"), ("markdown", "| x | numeric | DRIFT |"), ("html", "<span class=\"pill bad\">drift</span>")]
    {
        let (_, out, _) = with(&["--format", format])?;
        check(out.contains(mark), || format!("{format}: {out}"))?;
    }
    for (arguments, told) in [
        (["--reference", "nowhere.csv", "--current", "b.csv"], "nowhere.csv"),
        (["--reference", "a.csv", "--current", "w.csv"], "w.csv"),
        (["--reference", "empty.csv", "--current", "b.csv"], "is empty"),
        (["--reference", ".", "--current", "b.csv"], "is a folder"),
    ] {
        let (code, _, errors) = run(&arguments)?;
        check(code == Some(2) && errors.contains(told), || format!("{arguments:?}: {code:?} {errors}"))?;
    }
    let (code, _, errors) = with(&["--exclude", "id,xx"])?;
    check(code == Some(2) && errors.contains("neither file has this column"), || errors.clone())
}

fn the_demonstration_drifts() -> Result<(), Failed> {
    let agent = Agent::demonstration()?;
    eventually(Duration::from_secs(60), || {
        let (housing, employment) = (agent.model("housing")?, agent.model("employment")?);
        let columns = housing["verdict"]["columns"].to_string();
        check(housing["verdict"]["drift"] == true, || housing["verdict"].to_string())?;
        check(["Latitude", "Longitude", "score"].iter().all(|name| columns.contains(name)), || columns.clone())?;
        check(employment["verdict"]["drift"] == false, || employment["verdict"].to_string())?;
        let worst =
            housing["windows"].as_array().into_iter().flatten().filter_map(|w| w["performance"]["roc_auc"].as_f64());
        check(worst.fold(1.0, f64::min) < 0.92, || housing["windows"].to_string())
    })
}

/// The guide's examples and the README's, as they stand there, against a running agent.
fn the_examples_run() -> Result<(), Failed> {
    let text = |name: &str| std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let (guide, readme) = (text("GUIDE.md")?, text("README.md")?);
    check(readme.len() <= 8192, || {
        format!("the README has {} bytes; what it says more belongs into the guide", readme.len())
    })?;
    let section = |page: &str, name: &str| -> Result<String, Failed> {
        Ok(page.split("\n## ").find(|section| section.starts_with(name)).ok_or("no such section")?.to_owned())
    };
    let section = section(&guide, "Watch a model")? + &section(&readme, "First steps")?;
    let agent = ready(Options::default())?;
    let folder = tempfile::tempdir()?;
    let mut ran = 0;
    for block in section.split("\n```").skip(1).step_by(2) {
        let (language, code) = block.split_once('\n').ok_or("an empty block")?;
        let code = code.replace("127.0.0.1:9477", &agent.address);
        let output = match language {
            "sh" if code.contains("curl") => {
                command("sh", &["-ec", &format!("cd {}; {code}", folder.path().display())])?
            }
            "python" => command(python(), &["-c", &code])?,
            _ => continue,
        };
        check(output.contains("\"accepted\"") || output.contains("accepted"), || format!("{code}\n{output}"))?;
        ran += 1;
    }
    check(ran >= 3, || format!("{ran} examples ran"))?;
    eventually(Duration::from_secs(10), || {
        let models = agent.json("/api/v1/models")?;
        let counted =
            models["models"].as_array().into_iter().flatten().any(|m| m["counts"]["labels"].as_u64() > Some(0));
        check(counted, || models.to_string())
    })
}
