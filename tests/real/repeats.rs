//! A batch that is sent again under its `Idempotency-Key` is there once: in memory, in the log and in Parquet, over `kill -9`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use libtest_mimic::Failed;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::models::{NDJSON, ready};
use crate::parts::{Part, check, command, eventually, python};

pub const TESTS: &[Test] = &[
    (&[Part::DuckDb], "repeats::a_batch_sent_again_is_there_once", a_batch_sent_again_is_there_once),
    (&[], "repeats::one_of_many_at_once_is_taken", one_of_many_at_once_is_taken),
];

/// The status, whether it was answered before, and the answer.
fn send(address: &str, model: &str, key: &str, body: &str) -> Result<(u16, bool, String), Failed> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "POST /v1/models/{model}/samples HTTP/1.0\r\nHost: a\r\nContent-Type: {NDJSON}\r\nIdempotency-Key: {key}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {answer}"))?;
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    Ok((status, head.to_ascii_lowercase().contains("idempotency-replayed: true"), body.to_owned()))
}

/// Without an id nothing else tells them from new ones. One of them is wrong, which the answer says.
fn batch(rows: usize) -> String {
    (0..rows).map(|n| format!("{{\"x\":{n},\"prediction\":1}}\n")).collect::<Vec<_>>().concat()
        + "{\"x\":1,\"timestamp\":\"soon\"}\n"
}

fn holds(agent: &Agent, rows: u64) -> Result<(), Failed> {
    eventually(Duration::from_secs(10), || {
        let samples = agent.model("m")?["counts"]["samples"].as_u64();
        check(samples == Some(rows), || format!("{samples:?} and not {rows}"))
    })
}

fn a_batch_sent_again_is_there_once() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let start = || ready(Options { data: Some(data.clone()), ..Options::default() });
    let mut agent = start()?;
    let body = batch(40);
    let first = send(&agent.address, "m", "k-1", &body)?;
    check(first.0 == 202 && !first.1 && first.2.contains("\"accepted\":40,\"rejected\":1"), || format!("{first:?}"))?;
    let again = |agent: &Agent, of: &str| -> Result<(), Failed> {
        let came = send(&agent.address, "m", "k-1", &body)?;
        check(came == (202, true, first.2.clone()), || format!("{of}: {came:?} and not {first:?}"))
    };
    again(&agent, "at once")?;
    let other = send(&agent.address, "m", "k-1", &batch(41))?;
    check(other.0 == 422 && !other.1 && other.2.contains("another batch"), || format!("{other:?}"))?;
    check(send(&agent.address, "m", "", &body)?.0 == 400, || "an empty key is none".to_owned())?;
    // Another key, and the same of another model, are others.
    for (model, key) in [("m", "k-2"), ("n", "k-1")] {
        let came = send(&agent.address, model, key, &body)?;
        check(came.0 == 202 && !came.1, || format!("{came:?}"))?;
    }
    holds(&agent, 80)?;
    let repeated = agent.sum("plumbline_ingest_repeated_total", "plumbline")?;
    check(repeated == 1.0, || format!("{repeated} counted"))?;
    // From the log.
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    agent = start()?;
    again(&agent, "after a kill")?;
    holds(&agent, 80)?;
    // And once the log is Parquet.
    let code = "import duckdb, sys\n\
        print(duckdb.sql(f\"select count(*) from read_parquet('{sys.argv[1]}/models/samples/**/*.parquet', hive_partitioning=true) \
        where model = 'm'\").fetchall()[0][0])";
    let stored = || command(python(), &["-c", code, &data.to_string_lossy()]);
    eventually(Duration::from_secs(30), || {
        let rows = stored()?;
        check(rows == "80", || rows.clone())
    })?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    agent = start()?;
    again(&agent, "after Parquet")?;
    holds(&agent, 80)?;
    let rows = stored()?;
    check(rows == "80", || format!("{rows} rows are stored"))?;
    // What is removed may come anew.
    let removed = agent.ask("DELETE /v1/models/m", None, "", "")?;
    check(removed.0 == 204, || format!("{removed:?}"))?;
    let came = send(&agent.address, "m", "k-1", &body)?;
    check(came.0 == 202 && !came.1, || format!("{came:?}"))?;
    holds(&agent, 40)
}

fn one_of_many_at_once_is_taken() -> Result<(), Failed> {
    let agent = ready(Options::default())?;
    let body = batch(5000);
    let came: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..12).map(|_| scope.spawn(|| send(&agent.address, "m", "k", &body))).collect();
        all.into_iter().map(|one| one.join().expect("it ended")).collect::<Result<_, Failed>>()
    })?;
    let first = came.iter().filter(|(status, again, _)| *status == 202 && !again).count();
    let told = came.iter().all(|(status, ..)| matches!(status, 202 | 409));
    check(first == 1 && told, || {
        came.iter().map(|(status, again, _)| format!("{status} {again} ")).collect::<Vec<_>>().concat()
    })?;
    holds(&agent, 5000)?;
    let later = send(&agent.address, "m", "k", &body)?;
    check(later.0 == 202 && later.1, || format!("{later:?}"))?;
    holds(&agent, 5000)
}
