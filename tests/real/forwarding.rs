//! Several agents, labels sent to one of them: each holds its share of the samples, and says of it what one agent says that has all.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::{Agent, Options};
use crate::models::{CONFIG, NDJSON, accepted, hour, ready};
use crate::parts::{check, eventually};

pub const TESTS: &[Test] = &[
    (&[], "forwarding::agents_are_told_apart_at_the_door", agents_are_told_apart),
    (&[], "forwarding::figures_of_three_agents_are_those_of_one", figures_are_those_of_one),
    (&[], "forwarding::labels_survive_an_outage_and_a_kill", labels_survive),
    (&[], "forwarding::a_wrong_token_costs_time_alone", a_wrong_token_costs_time_alone),
    (&[], "forwarding::a_name_stands_for_every_agent", a_name_stands_for_every_agent),
];

const AGENTS: i64 = 3;
const HOURS: std::ops::Range<i64> = 10..13;
const ROWS: i64 = 300;
const LABELS: &str = "POST /v1/models/m/labels";

/// The settings of an agent whose labels go to these, `more` being said of that.
fn settings(others: &[&str], more: &str) -> String {
    let others: Vec<String> = others.iter().map(|address| format!("http://{address}")).collect();
    format!("[agent]\ntick = \"1s\"\n[forward]\nagents = {}\n{more}\n{CONFIG}", json!(others))
}

fn start(config: &str, data: Option<&Path>) -> Result<Agent, Failed> {
    ready(Options { config, data: data.map(Path::to_owned), ..Options::default() })
}

/// Gives a running agent other settings.
fn reload(agent: &Agent, config: &str) -> Result<(), Failed> {
    std::fs::write(&agent.config, config)?;
    agent.signal("HUP")
}

/// What is true of an hour's rows: three of ten are not as predicted.
fn labels(hour: i64) -> String {
    (0..ROWS).fold(String::new(), |mut body, i| {
        let right = i % 10 < 7;
        let _ = writeln!(body, r#"{{"id":"h{hour}-{i}","label":{}}}"#, if right { i % 2 } else { 1 - i % 2 });
        body
    })
}

/// The rows of an hour that one of the agents holds.
fn share(hour_of: i64, agent: i64) -> String {
    let all = hour(hour_of, ROWS, 0);
    let ours = all.lines().enumerate().filter(|(i, _)| i64::try_from(*i).is_ok_and(|i| i % AGENTS == agent));
    ours.fold(String::new(), |body, (_, row)| body + row + "\n")
}

fn counts(agent: &Agent) -> Result<Value, Failed> {
    Ok(agent.model("m")?["counts"].clone())
}

/// It has had so many labels.
fn has_labels(agent: &Agent, wanted: i64) -> Result<(), Failed> {
    let limit = Duration::from_secs(40);
    eventually(limit, || {
        let counts = counts(agent)?;
        check(counts["labels"] == wanted, || format!("{counts}, not {wanted}; {}", agent.log()))
    })
}

/// The performance of a model's windows, by their start.
fn performance(agent: &Agent, model: &str) -> Result<Vec<(String, Value)>, Failed> {
    let model = agent.model(model)?;
    let windows = model["windows"].as_array().ok_or("no windows")?;
    let of = |window: &Value| (window["start"].to_string(), window["performance"].clone());
    let mut all: Vec<(String, Value)> = windows.iter().map(of).filter(|(_, found)| !found.is_null()).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

/// Labels with headers of an agent: the status.
fn send_on(agent: &Agent, model: &str, headers: &[(&str, &str)], body: &str) -> Result<u16, Failed> {
    let head = headers.iter().fold(NDJSON.to_owned(), |head, (name, value)| format!("{head}\r\n{name}: {value}"));
    Ok(agent.send(&format!("POST /v1/models/{model}/labels"), &head, body.as_bytes())?.0)
}

/// Who it is, that it takes nothing for another, and what it takes of a model that it does not know.
fn agents_are_told_apart() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let config = format!("[models]\nmax_models = 4\n{CONFIG}id = \"key\"\n");
    let mut agent = start(&config, Some(data.path()))?;
    let name = |agent: &Agent| Ok::<_, Failed>(agent.json("/v1/agent")?["agent"].as_str().ok_or("no name")?.to_owned());
    let first = name(&agent)?;
    check(first.len() == 32, || first.clone())?;
    let by = ("plumbline-forwarded-by", "00000000000000000000000000000000");
    let (label, of_client) = (r#"{"id":"1","label":1}"#, r#"{"key":"2","label":1}"#);
    for (headers, body, expected) in [
        (vec![by, ("plumbline-for", first.as_str())], label, 202),
        (vec![by], label, 202),
        (vec![by, ("plumbline-for", by.1)], label, 421),
        // Names of columns are those of agents there, and those of the model here.
        (vec![by], of_client, 422),
        (vec![], of_client, 202),
        (vec![], label, 422),
    ] {
        let status = send_on(&agent, "m", &headers, body)?;
        check(status == expected, || format!("{headers:?} {body}: {status}, not {expected}"))?;
    }
    // Half of the places are taken by two.
    let second = send_on(&agent, "second", &[by], label)?;
    check(second == 202, || format!("{second}"))?;
    let unknown = send_on(&agent, "unknown", &[by], label)?;
    let of_client = send_on(&agent, "unknown", &[], label)?;
    let known = send_on(&agent, "unknown", &[by], label)?;
    check((unknown, of_client, known) == (507, 202, 202), || format!("{unknown} {of_client} {known}"))?;
    let received = agent.sum("plumbline_labels_received_total", "plumbline_labels")?;
    check(received == 4.0, || format!("{received}"))?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    agent = start(&config, Some(data.path()))?;
    let again = name(&agent)?;
    check(again == first, || format!("{again} is not {first}"))?;
    let other = name(&start("", None)?)?;
    check(other != first, || "two agents of one name".to_owned())
}

fn figures_are_those_of_one() -> Result<(), Failed> {
    let lone_config: String =
        (0..AGENTS).fold(CONFIG.to_owned(), |text, k| text + &CONFIG.replace("\"m\"", &format!("\"share-{k}\"")));
    let lone = start(&lone_config, None)?;
    let third = start(&settings(&[], ""), None)?;
    let second = start(&settings(&[&third.address], ""), None)?;
    let first = start(&settings(&[&second.address, &third.address], ""), None)?;
    // Everyone names everyone, itself too: a label would go round for ever if it went further than once.
    let all = [&first, &second, &third];
    let addresses = all.map(|agent| agent.address.as_str());
    for agent in all {
        reload(agent, &settings(&addresses, ""))?;
    }
    // Of the last hour labels come before their samples.
    let send_labels = |hour: i64| -> Result<(), Failed> {
        accepted(&first.send(LABELS, NDJSON, labels(hour).as_bytes())?, ROWS)?;
        for model in (0..AGENTS).map(|k| format!("share-{k}")).chain(["m".to_owned()]) {
            let request = format!("POST /v1/models/{model}/labels");
            accepted(&lone.send(&request, NDJSON, labels(hour).as_bytes())?, ROWS)?;
        }
        Ok(())
    };
    send_labels(HOURS.end - 1)?;
    for agent in all {
        eventually(Duration::from_secs(20), || {
            check(agent.json("/healthz")?["samples"]["models"] == 1, || agent.log())
        })?;
    }
    // The hour after the last closes it.
    for hour in HOURS.chain([HOURS.end]) {
        for (k, agent) in (0..).zip(all) {
            let body = share(hour, k);
            accepted(&agent.send("POST /v1/models/m/samples", NDJSON, body.as_bytes())?, ROWS / AGENTS)?;
            for model in [&format!("share-{k}"), "m"] {
                let request = format!("POST /v1/models/{model}/samples");
                accepted(&lone.send(&request, NDJSON, body.as_bytes())?, ROWS / AGENTS)?;
            }
        }
    }
    // One by one and in one body.
    for line in labels(HOURS.start).lines() {
        accepted(&first.send(LABELS, NDJSON, line.as_bytes())?, 1)?;
    }
    for model in (0..AGENTS).map(|k| format!("share-{k}")).chain(["m".to_owned()]) {
        let request = format!("POST /v1/models/{model}/labels");
        accepted(&lone.send(&request, NDJSON, labels(HOURS.start).as_bytes())?, ROWS)?;
    }
    send_labels(HOURS.start + 1)?;
    let wanted = ROWS * (HOURS.end - HOURS.start);
    for agent in all {
        has_labels(agent, wanted)?;
    }
    let whole = eventually(Duration::from_secs(30), || {
        let whole = performance(&lone, "m")?;
        check(whole.len() == 3 && whole.iter().all(|(_, found)| found["rows"] == ROWS), || format!("{whole:?}"))?;
        Ok(whole)
    })?;
    for (k, agent) in (0..AGENTS).zip(all) {
        eventually(Duration::from_secs(40), || {
            let (ours, alone) = (performance(agent, "m")?, performance(&lone, &format!("share-{k}"))?);
            check(ours.len() == 3 && ours == alone, || format!("agent {k}: {ours:?} is not {alone:?}"))?;
            check(ours.iter().all(|(_, found)| found["rows"] == ROWS / AGENTS), || format!("{ours:?}"))
        })?;
    }
    together_they_say_what_one_says(all, &whole)?;
    none_came_back(all, wanted)?;
    // A model of which an agent has nothing but labels of others is not shown there.
    accepted(&first.send("POST /v1/models/other/labels", NDJSON, br#"{"id":"1","label":1}"#)?, 1)?;
    eventually(Duration::from_secs(20), || {
        let models = second.json("/healthz")?["samples"]["models"].clone();
        let shown = second.model("other").is_ok();
        check(models == 2 && !shown && first.model("other").is_ok(), || format!("{models} {shown}"))
    })
}

/// Of each window: what the parts say, weighted by their rows.
fn together_they_say_what_one_says(all: [&Agent; 3], whole: &[(String, Value)]) -> Result<(), Failed> {
    for (at, (start, one)) in whole.iter().enumerate() {
        let parts = all.iter().map(|agent| Ok(performance(agent, "m")?[at].1.clone()));
        let parts = parts.collect::<Result<Vec<Value>, Failed>>()?;
        let real = |value: &Value| value.as_f64().ok_or_else(|| format!("{start}: {value} is no number"));
        for measure in ["accuracy", "brier", "log_loss"] {
            let mut sum = 0.0;
            for part in &parts {
                sum += real(&part[measure])? * real(&part["rows"])?;
            }
            let (together, alone) = (sum / real(&one["rows"])?, real(&one[measure])?);
            check((together - alone).abs() < 1e-12, || format!("{start}: {measure} is {together}, not {alone}"))?;
        }
        check(one["accuracy"] == 0.7, || one.to_string())?;
    }
    Ok(())
}

/// What each had from clients and from others stays as it is.
fn none_came_back(all: [&Agent; 3], wanted: i64) -> Result<(), Failed> {
    std::thread::sleep(Duration::from_secs(3));
    for (agent, (sent, received)) in all.into_iter().zip([(2, 0), (0, 1), (0, 1)]) {
        has_labels(agent, wanted)?;
        let found = agent.json("/healthz")?["forwarding"].clone();
        let is = found["sent"] == sent * wanted && found["received"] == received * wanted;
        check(is && found["refused"] == 0 && found["lost"] == 0 && found["error"].is_null(), || found.to_string())?;
        let others = found["agents"].as_object().ok_or("no agents")?;
        check(others.len() == 2 && others.values().all(|other| other["up"] == true), || found.to_string())?;
        // The samples of two in three labels are others', and one is not called a stranger for that.
        eventually(Duration::from_secs(40), || {
            let counts = counts(agent)?;
            check(counts["unmatched"] == 0 && counts["elsewhere"].as_i64() >= Some(ROWS), || counts.to_string())
        })?;
        let metric = agent.sum("plumbline_labels_forwarded_total", "plumbline_labels")?;
        check(Some(metric) == found["sent"].as_f64(), || format!("{metric} {found}"))?;
    }
    Ok(())
}

fn labels_survive() -> Result<(), Failed> {
    let (of_first, of_second) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let second = start(&settings(&[], ""), Some(of_second.path()))?;
    let mut first = start(&settings(&[&second.address], ""), Some(of_first.path()))?;
    for hour in [10, 11] {
        accepted(&second.send("POST /v1/models/m/samples", NDJSON, hour_of(hour).as_bytes())?, ROWS)?;
    }
    accepted(&first.send(LABELS, NDJSON, labels(10).as_bytes())?, ROWS)?;
    has_labels(&second, ROWS)?;
    // The cursor is on disk before long.
    eventually(Duration::from_secs(10), || {
        check(of_first.path().join("models/forwarded.json").exists(), || first.log())
    })?;
    std::thread::sleep(Duration::from_secs(3));
    let address = second.address.clone();
    drop(second);
    accepted(&first.send(LABELS, NDJSON, labels(11).as_bytes())?, ROWS)?;
    eventually(Duration::from_secs(20), || {
        let health = first.json("/healthz")?["forwarding"].clone();
        let other = &health["agents"][format!("http://{address}")];
        check(other["failures"].as_u64() > Some(1) && other["error"].is_string(), || health.to_string())
    })?;
    first.signal("KILL")?;
    first.wait(Duration::from_secs(5))?;
    // With what it had, but at another address.
    let second = start(&settings(&[], ""), Some(of_second.path()))?;
    let mut first = start(&settings(&[&second.address], ""), Some(of_first.path()))?;
    has_labels(&second, 2 * ROWS)?;
    eventually(Duration::from_secs(30), || {
        let found = performance(&second, "m")?;
        check(found.iter().map(|(_, found)| &found["rows"]).eq([&json!(ROWS)]), || format!("{found:?}"))
    })?;
    // Killed between its answer and the sending, as far as that can be met.
    accepted(&first.send(LABELS, NDJSON, labels(12).as_bytes())?, ROWS)?;
    first.signal("KILL")?;
    first.wait(Duration::from_secs(5))?;
    // An agent that is new has all that is waited for, what was Parquet by now as well.
    let new = start(&settings(&[], ""), None)?;
    let first = start(&settings(&[&second.address, &new.address], ""), Some(of_first.path()))?;
    has_at_least(&second, 3 * ROWS)?;
    has_labels_in_store(&first, &new, 3 * ROWS)
}

fn hour_of(at: i64) -> String {
    hour(at, ROWS, 0)
}

/// It may have some twice, after a crash.
fn has_at_least(agent: &Agent, wanted: i64) -> Result<(), Failed> {
    eventually(Duration::from_secs(40), || {
        let counts = counts(agent)?;
        check(counts["labels"].as_i64() >= Some(wanted), || format!("{counts}, not {wanted}; {}", agent.log()))
    })
}

/// One that has no sample of the model shows none; what it received it says all the same.
fn has_labels_in_store(from: &Agent, agent: &Agent, wanted: i64) -> Result<(), Failed> {
    eventually(Duration::from_secs(40), || {
        let health = agent.json("/healthz")?["forwarding"].clone();
        check(health["received"].as_i64() >= Some(wanted), || format!("{health}, not {wanted}; {}", from.log()))
    })
}

/// Passes on what brings the right token, and refuses the rest.
fn proxy(to: &str, token: &'static str) -> Result<String, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, to): (SocketAddr, SocketAddr) = (listener.local_addr()?, to.parse()?);
    let pass = move |mut client: TcpStream| -> std::io::Result<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte)? > 0 {
            head.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        if !text.contains(&format!("authorization: bearer {token}\r\n")) {
            return client.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let mut server = TcpStream::connect(to)?;
        server.write_all(&head)?;
        let (mut from, mut into) = (client.try_clone()?, server.try_clone()?);
        let up = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut into);
        });
        std::io::copy(&mut server, &mut client)?;
        client.shutdown(Shutdown::Both)?;
        let _ = up.join();
        Ok(())
    };
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || pass(client));
        }
    });
    Ok(address.to_string())
}

fn a_wrong_token_costs_time_alone() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    std::fs::write(&file, "not-this-one")?;
    let second = start(&settings(&[], ""), None)?;
    let address = proxy(&second.address, "right-one")?;
    let token = format!("token_file = \"{}\"", file.display());
    let first = start(&settings(&[&address], &token), None)?;
    accepted(&second.send("POST /v1/models/m/samples", NDJSON, hour_of(10).as_bytes())?, ROWS)?;
    accepted(&first.send(LABELS, NDJSON, labels(10).as_bytes())?, ROWS)?;
    eventually(Duration::from_secs(20), || {
        let health = first.json("/healthz")?["forwarding"].clone();
        let error = health["agents"][format!("http://{address}")]["error"].to_string();
        check(error.contains("401") && health["refused"] == 0, || health.to_string())
    })?;
    has_labels(&second, 0)?;
    std::fs::write(&file, "right-one\n")?;
    has_labels(&second, ROWS)?;
    let said = first.log() + &first.get("/healthz")?.1;
    check(!said.contains("right-one") && !said.contains("not-this-one"), || said.clone())
}

fn a_name_stands_for_every_agent() -> Result<(), Failed> {
    let second = start(&settings(&[], ""), None)?;
    accepted(&second.send("POST /v1/models/m/samples", NDJSON, hour_of(10).as_bytes())?, ROWS)?;
    let port = second.address.rsplit_once(':').ok_or("no port")?.1;
    // As a DaemonSet is told: by the environment. Nobody may be at some of its addresses.
    let env = vec![("PLUMBLINE_FORWARD_SERVICE", format!("http://localhost:{port}"))];
    let first = ready(Options { config: CONFIG, env, ..Options::default() })?;
    accepted(&first.send(LABELS, NDJSON, labels(10).as_bytes())?, ROWS)?;
    has_labels(&second, ROWS)?;
    // A name that nobody knows is told; the agent goes on, and so do labels once it is known.
    reload(&first, &settings(&[], &format!("service = \"http://nowhere.invalid:{port}\"")))?;
    accepted(&first.send(LABELS, NDJSON, labels(11).as_bytes())?, ROWS)?;
    // The environment wins over the file.
    has_labels(&second, 2 * ROWS)?;
    let third = start(&settings(&[], &format!("service = \"http://nowhere.invalid:{port}\"")), None)?;
    accepted(&third.send(LABELS, NDJSON, labels(12).as_bytes())?, ROWS)?;
    eventually(Duration::from_secs(30), || {
        let health = third.json("/healthz")?["forwarding"].clone();
        let told = health["error"].as_str().is_some_and(|error| error.contains("nowhere.invalid cannot be looked up"));
        check(told, || health.to_string())
    })?;
    reload(&third, &settings(&[], &format!("service = \"http://127.0.0.1:{port}\"")))?;
    has_labels(&second, 3 * ROWS)
}
