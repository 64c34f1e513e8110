//! A second sink has a copy of what is accepted, and whatever it is at, no sender notices.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::json;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::models::{NDJSON, ready};
use crate::parts::{check, eventually, free_port};

pub const TESTS: &[Test] = &[
    (&[], "mirror::another_agent_has_what_this_one_took", another_agent_has_what_this_one_took),
    (&[], "mirror::a_sink_that_hangs_or_is_away_delays_nobody", a_sink_that_hangs_or_is_away_delays_nobody),
    (&[], "mirror::a_sink_gets_the_body_and_what_is_said_of_it", a_sink_gets_the_body_and_what_is_said_of_it),
];

fn samples(agent: &Agent, model: &str, rows: u64) -> Result<(), Failed> {
    eventually(Duration::from_secs(10), || {
        let samples = agent.model(model)?["counts"]["samples"].as_u64();
        check(samples == Some(rows), || format!("{samples:?} and not {rows}"))
    })
}

/// Two agents that copy to each other; each row goes round once.
fn another_agent_has_what_this_one_took() -> Result<(), Failed> {
    let port = free_port();
    let folder = tempfile::tempdir()?;
    let key = folder.path().join("key");
    std::fs::write(&key, "0".repeat(32))?;
    let config = format!(
        "[mirror]\nurl = \"http://127.0.0.1:{port}\"\n[models]\nhash_key_file = \"{}\"\n[[model]]\nname = \"private\"\nprivacy = {{ name = \"drop\" }}\n",
        key.display()
    );
    let agent = ready(Options { config: &config, ..Options::default() })?;
    let back = format!("[agent]\nlisten = \"127.0.0.1:{port}\"\n[mirror]\nurl = \"http://{}\"\n", agent.address);
    // Its own address stands in the file: the command line's would win.
    let other = Agent::start_at(Options { config: &back, ..Options::default() })?;
    eventually(Duration::from_secs(10), || {
        check(other.send("POST /v1/models/_probe/labels", NDJSON, b"")?.0 == 422, || other.log())
    })?;
    for n in 0..20 {
        let row = format!("{{\"id\":\"{n}\",\"x\":{n}}}");
        check(agent.send("POST /v1/models/m/samples", NDJSON, row.as_bytes())?.0 == 202, || agent.log())?;
    }
    check(agent.send("POST /v1/models/m/labels", NDJSON, b"{\"id\":\"1\",\"label\":1}")?.0 == 202, || agent.log())?;
    // What is refused here, and what must not be kept, is not sent on.
    check(agent.send("POST /v1/models/m/samples", NDJSON, b"{\"x\":\"a text\"}")?.0 == 422, || agent.log())?;
    let private = b"{\"id\":\"p\",\"name\":\"Ada\",\"x\":1}";
    check(agent.send("POST /v1/models/private/samples", NDJSON, private)?.0 == 202, || agent.log())?;
    samples(&other, "m", 20)?;
    eventually(Duration::from_secs(5), || {
        let mirror = agent.json("/healthz")?["mirror"].clone();
        check(mirror["sent"] == 21 && mirror["failed"] == 0 && mirror["dropped"] == json!({"private": 1}), || {
            mirror.to_string()
        })
    })?;
    check(other.get("/api/v1/models/private")?.0 == 404, || "what is private was copied".to_owned())?;
    let labels = other.model("m")?["counts"]["labels"].clone();
    check(labels == 1, || labels.to_string())?;
    // Nothing comes back for ever.
    samples(&agent, "m", 20)?;
    let (there, here) =
        (other.json("/healthz")?["mirror"]["sent"].clone(), agent.model("m")?["counts"]["repeated"].clone());
    check(there == 0 && here == 0, || format!("{there} came back, {here} were repeated"))
}

fn a_sink_that_hangs_or_is_away_delays_nobody() -> Result<(), Failed> {
    // It takes connections and says nothing.
    let hangs = TcpListener::bind("127.0.0.1:0")?;
    let config =
        format!("[mirror]\nurl = \"http://{}\"\nwaiting_memory = \"200 KiB\"\ntimeout = \"1s\"\n", hangs.local_addr()?);
    let agent = ready(Options { config: &config, ..Options::default() })?;
    let body: String =
        (0..500).map(|n| format!("{{\"x\":{n},\"note\":\"{}\"}}\n", "a".repeat(60))).collect::<Vec<_>>().concat();
    let mut longest = Duration::ZERO;
    for _ in 0..30 {
        let begun = Instant::now();
        let (status, _, answer) = agent.send("POST /v1/models/m/samples", NDJSON, body.as_bytes())?;
        check(status == 202, || answer.to_string())?;
        longest = longest.max(begun.elapsed());
    }
    check(longest < Duration::from_secs(2), || format!("a sender waited {longest:?}"))?;
    eventually(Duration::from_secs(15), || {
        let mirror = agent.json("/healthz")?["mirror"].clone();
        let (failed, dropped) = (mirror["failed"].as_u64(), mirror["dropped"]["full"].as_u64());
        let all = failed.zip(dropped).map(|(failed, dropped)| failed + dropped);
        check(all == Some(30) && dropped > Some(10) && mirror["waiting_bytes"] == 0, || mirror.to_string())
    })?;
    let (failed, dropped) =
        (agent.sum("plumbline_mirror_failed_total", "")?, agent.sum("plumbline_mirror_dropped_total", "full")?);
    check(failed + dropped == 30.0, || format!("{failed} {dropped}"))?;
    samples(&agent, "m", 15_000)
}

fn a_sink_gets_the_body_and_what_is_said_of_it() -> Result<(), Failed> {
    let sink = TcpListener::bind("127.0.0.1:0")?;
    let folder = tempfile::tempdir()?;
    let token = folder.path().join("token");
    std::fs::write(&token, "sesame-for-the-sink\n")?;
    let config =
        format!("[mirror]\nurl = \"http://{}/logs/\"\ntoken_file = \"{}\"\n", sink.local_addr()?, token.display());
    let came = Arc::<Mutex<Vec<String>>>::default();
    let taken = Arc::clone(&came);
    std::thread::spawn(move || {
        for stream in sink.incoming().flatten() {
            let _ = taking(stream, &taken);
        }
    });
    let agent = ready(Options { config: &config, ..Options::default() })?;
    let event = "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"s\",\"type\":\"org.kubeflow.serving.inference.request\",\
                 \"inferenceservicename\":\"iris\",\"data\":{\"instances\":[[1,2]]}}";
    for (request, kind, body) in [
        ("POST /v1/models/m/samples?namespace=shop", NDJSON, "{\"x\":1}"),
        ("POST /v1/events", "application/cloudevents+json", event),
    ] {
        let (status, _, answer) = agent.send(request, kind, body.as_bytes())?;
        check(status == 202, || answer.to_string())?;
    }
    eventually(Duration::from_secs(10), || {
        let came = came.lock().expect("what came").clone();
        check(came.len() == 2, || format!("{came:?}"))?;
        let has = |parts: &[&str]| came.iter().any(|one| parts.iter().all(|part| one.contains(part)));
        let bearer = "authorization: Bearer sesame-for-the-sink";
        check(
            has(&[
                "POST /logs/v1/models/m/samples?namespace=shop ",
                "content-type: application/x-ndjson",
                bearer,
                "\r\n\r\n{\"x\":1}",
            ]),
            || format!("{came:?}"),
        )?;
        check(has(&["POST /logs/v1/events ", "content-type: application/cloudevents+json", event]), || {
            format!("{came:?}")
        })
    })?;
    let told = agent.log() + &agent.get("/healthz")?.1 + &agent.get("/metrics")?.1;
    check(!told.contains("sesame"), || "the token is told".to_owned())
}

/// Requests of one connection, one after the other.
fn taking(mut stream: TcpStream, came: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut text = String::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Ok(());
        }
        text.push_str(&String::from_utf8_lossy(&part[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            came.lock().expect("what came").push(std::mem::take(&mut text));
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}
