//! One who floods the agent waits; whoever else sends is taken at once.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::Test;
use crate::agent::{Agent, Options, ask};
use crate::models::{NDJSON, ready};
use crate::parts::{check, eventually};

pub const TESTS: &[Test] = &[
    (&[], "shares::a_flood_of_one_model_delays_no_other", a_flood_of_one_model_delays_no_other),
    (&[], "shares::a_sender_that_floods_many_models_leaves_room", a_sender_that_floods_many_models_leaves_room),
];

/// Senders that go on until they are dropped, whatever they are answered.
struct Flood {
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Flood {
    /// `path` of each sender by its number.
    fn begin(agent: &Agent, senders: usize, body: &str, path: impl Fn(usize) -> String) -> Self {
        let (stop, refused) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let one = |n: usize| {
            let (stop, refused, address) = (Arc::clone(&stop), Arc::clone(&refused), agent.address.clone());
            let (body, request) = (body.to_owned(), format!("POST {}", path(n)));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if ask(&address, &request, None, NDJSON, &body).is_ok_and(|(status, _)| status == 429) {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        };
        let threads = (0..senders).map(one).collect();
        Self { stop, refused, threads }
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A row every few milliseconds: every answer's status, and how long each took.
fn trickle(agent: &Agent, rows: usize) -> Result<Vec<Duration>, Failed> {
    let mut took = Vec::new();
    for n in 0..rows {
        let begun = Instant::now();
        let row = format!("{{\"id\":\"{n}\",\"prediction\":1,\"x\":{n}}}");
        let (status, answer) = ask(&agent.address, "POST /v1/models/trickle/samples", None, NDJSON, &row)?;
        check(status == 202, || format!("row {n}: {status} {answer}"))?;
        took.push(begun.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    took.sort();
    Ok(took)
}

/// Rows without an id, so that a debug build's own work on each does not make the sender the slower side.
fn body(rows: usize) -> String {
    (0..rows)
        .map(|n| format!("{{\"prediction\":{},\"x\":{n},\"note\":\"{}\"}}\n", n % 2, "a".repeat(200)))
        .collect::<Vec<_>>()
        .concat()
}

const CONFIG: &str = "[ingest]\nmax_body = \"2 MiB\"\nin_flight = \"6 MiB\"\n";

fn a_flood_of_one_model_delays_no_other() -> Result<(), Failed> {
    let agent = ready(Options { config: CONFIG, ..Options::default() })?;
    let flood = Flood::begin(&agent, 8, &body(6000), |_| "/v1/models/flood/samples".to_owned());
    eventually(Duration::from_secs(30), || check(flood.refused() > 0, || "the flood is no flood".to_owned()))?;
    let took = trickle(&agent, 200)?;
    let p99 = took[took.len() * 99 / 100 - 1];
    check(p99 < Duration::from_secs(2), || format!("99 % within {p99:?}, the longest {:?}", took.last()))?;
    // Its rows are not behind the flood's either, in the windows.
    eventually(Duration::from_secs(30), || {
        let samples = agent.model("trickle")?["counts"]["samples"].as_u64();
        check(samples == Some(200), || format!("{samples:?} of 200 are taken in"))
    })?;
    check(flood.refused() > 0 && agent.get("/healthz")?.0 == 200, || agent.log())?;
    eprintln!(
        "trickle: half within {:?}, 99 % within {p99:?}; the flood was refused {} times",
        took[100],
        flood.refused()
    );
    Ok(())
}

/// From one address many models are one sender: another address is told apart.
fn a_sender_that_floods_many_models_leaves_room() -> Result<(), Failed> {
    let agent = ready(Options { config: CONFIG, ..Options::default() })?;
    let slow: Vec<TcpStream> = (0..4)
        .map(|n| {
            let mut stream = TcpStream::connect(&agent.address)?;
            let head = format!(
                "POST /v1/models/slow-{n}/samples HTTP/1.1\r\nHost: a\r\nContent-Type: {NDJSON}\r\nContent-Length: 1500000\r\n\r\n"
            );
            std::io::Write::write_all(&mut stream, head.as_bytes())?;
            std::io::Write::write_all(&mut stream, &vec![b' '; 1_100_000])?;
            Ok(stream)
        })
        .collect::<Result<_, Failed>>()?;
    let held = || Ok::<_, Failed>(agent.json("/healthz")?["samples"]["in_flight_bytes"].as_u64().unwrap_or_default());
    // They are near three quarters; one more is told to wait, though its model holds nothing.
    eventually(Duration::from_secs(10), || check(held()? >= 4_300_000, || format!("{:?}", held())))?;
    check(held()? <= (9 << 20) / 2, || format!("{:?} are held by one", held()))?;
    let big = format!("{{\"x\":\"{}\"}}", "a".repeat(900_000));
    let from = |address: [u8; 4]| from(address, &agent.address, &big);
    let (status, answer) = from([127, 0, 0, 1])?;
    check(status == 429 && answer.contains("of this sender"), || format!("{status} {answer}"))?;
    let (status, answer) = from([127, 0, 0, 9])?;
    check(status == 202, || format!("{status} {answer}"))?;
    drop(slow);
    Ok(())
}

/// Sends a row from an address of this machine.
fn from(local: [u8; 4], agent: &str, body: &str) -> Result<(u16, String), Failed> {
    use std::io::{Read, Write};
    let port = crate::parts::free_port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((local, port).into())?;
        socket.connect(agent.parse().map_err(std::io::Error::other)?).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut writer = &stream;
    write!(
        writer,
        "POST /v1/models/other/samples HTTP/1.0\r\nHost: a\r\nContent-Type: {NDJSON}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    let _ = (&stream).read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).ok_or_else(|| format!("no answer: {answer}"))?.parse()?;
    Ok((status, answer))
}
