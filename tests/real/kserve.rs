//! KServe's own agent before a model server, with this agent as the sink of its logger: what is stored is what was predicted, row by
//! row, whatever becomes of the sink.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::access::tokens;
use crate::agent::{Agent, Options, get};
use crate::archive::Store;
use crate::parts::{Part, Server, check, command, eventually, free_port, python};

pub const TESTS: &[Test] = &[
    (&[Part::KServe, Part::DuckDb], "kserve::what_arrives_is_what_was_predicted", what_arrives_is_what_was_predicted),
    (
        &[Part::KServe, Part::DuckDb, Part::ObjectStore],
        "kserve::what_it_logs_into_a_store_is_what_was_predicted",
        what_it_logs_into_a_store_is_what_was_predicted,
    ),
];

/// KServe's agent, as `tests/serving/build` leaves it.
pub fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"), PathBuf::from);
    cache.join("plumbline/serving/bin/agent")
}

fn script(name: &str) -> String {
    format!("{}/tests/serving/{name}", env!("CARGO_MANIFEST_DIR"))
}

const OPEN: u8 = 0;
const SLOW: u8 = 1;
const AWAY: u8 = 2;

/// The way to the sink: open, slow, or closed.
struct Gate {
    port: u16,
    mode: Arc<AtomicU8>,
}

impl Gate {
    fn before(address: &str) -> Result<Self, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (port, mode) = (listener.local_addr()?.port(), Arc::new(AtomicU8::new(OPEN)));
        let (watched, address) = (Arc::clone(&mode), address.to_owned());
        std::thread::spawn(move || {
            for sender in listener.incoming().map_while(Result::ok) {
                if watched.load(Ordering::Relaxed) == AWAY {
                    continue;
                }
                let Ok(sink) = TcpStream::connect(&address) else { continue };
                let (Ok(back), Ok(forth)) = (sink.try_clone(), sender.try_clone()) else { continue };
                let (there, here) = (Arc::clone(&watched), Arc::clone(&watched));
                std::thread::spawn(move || pass_on(sender, sink, &there));
                std::thread::spawn(move || pass_on(back, forth, &here));
            }
        });
        Ok(Self { port, mode })
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::Relaxed);
    }
}

/// Copies until either side ends, or the gate closes.
fn pass_on(mut from: TcpStream, mut to: TcpStream, mode: &AtomicU8) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        match mode.load(Ordering::Relaxed) {
            AWAY => break,
            SLOW => std::thread::sleep(Duration::from_millis(15)),
            _ => {}
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

const CONFIG: &str = r#"
[ingest.events]
wait = "5s"

[[model]]
name = "iris"
namespace = "shop"
columns = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
scores = { 0 = "predict_proba-0", 1 = "predict_proba-1", 2 = "predict_proba-2" }
prediction = "predict"
"#;

/// A row: its inputs, where they came, and its prediction.
type Row = (Option<Vec<f64>>, i64);

/// Predicts so often, and tells the rows by their ids.
fn predict(port: u16, phase: &str, requests: u32) -> Result<BTreeMap<String, Row>, Failed> {
    let output = command(python(), &[&script("load.py"), &port.to_string(), phase, &requests.to_string(), "4"])?;
    let mut rows = BTreeMap::new();
    for line in output.lines() {
        let told: Value = serde_json::from_str(line)?;
        let id = told["id"].as_str().ok_or("no id")?;
        let inputs: Vec<Vec<f64>> = serde_json::from_value(told["inputs"].clone())?;
        let predictions: Vec<i64> = serde_json::from_value(told["predictions"].clone())?;
        for (at, (inputs, prediction)) in inputs.iter().zip(&predictions).enumerate() {
            let id = if predictions.len() == 1 { id.to_owned() } else { format!("{id}#{at}") };
            rows.insert(id, (Some(inputs.clone()), *prediction));
        }
    }
    Ok(rows)
}

/// What the agent stored, by id.
fn stored(data: &Path) -> Result<BTreeMap<String, Row>, Failed> {
    let code = "import duckdb, json, sys\n\
        files = f\"read_parquet('{sys.argv[1]}/models/samples/**/*.parquet', hive_partitioning=true, union_by_name=true)\"\n\
        print(json.dumps(duckdb.sql(f\"select id, sepal_length, sepal_width, petal_length, petal_width, prediction from {files} \
        where model = 'iris' and model_namespace = 'shop'\").fetchall()))";
    let text = command(python(), &["-c", code, &data.to_string_lossy()])?;
    let mut rows = BTreeMap::new();
    for row in serde_json::from_str::<Vec<Vec<Value>>>(&text)? {
        let id = row[0].as_str().ok_or("no id")?.to_owned();
        let inputs: Option<Vec<f64>> = row[1..5].iter().map(Value::as_f64).collect();
        let known = rows.insert(id.clone(), (inputs, row[5].as_i64().ok_or("no prediction")?));
        check(known.is_none(), || format!("{id} is stored twice"))?;
    }
    Ok(rows)
}

/// A model server, and its port.
fn model_server(folder: &Path) -> Result<(u16, Server), Failed> {
    let port = free_port();
    let model = Command::new(python())
        .args([&script("model.py"), &port.to_string()])
        .stdout(File::create(folder.join("model.log"))?)
        .stderr(File::create(folder.join("model.err"))?)
        .spawn()?;
    let model = Server(model);
    eventually(Duration::from_secs(90), || {
        let (status, body) = get(&format!("127.0.0.1:{port}"), "/v2/models/iris/ready")?;
        check(status == 200, || body)
    })?;
    Ok((port, model))
}

/// KServe's agent before a model, which logs as it is told; and its port.
fn sender(folder: &Path, model: u16, log: &[&str], settings: &[(&str, &str)]) -> Result<(u16, Server), Failed> {
    let port = free_port();
    let sender = Command::new(program())
        .args(["--port", &port.to_string(), "--component-port", &model.to_string(), "--log-mode", "all"])
        .args(log)
        .args(["--inference-service", "iris", "--namespace", "shop", "--component", "predictor"])
        .args(["--source-uri", "http://pod-1/"])
        .envs(settings.iter().copied())
        .env("SERVING_READINESS_PROBE", format!(r#"{{"tcpSocket":{{"host":"127.0.0.1","port":{model}}}}}"#))
        .stdout(Stdio::null())
        .stderr(File::create(folder.join(format!("sender-{port}.log")))?)
        .spawn()?;
    let sender = Server(sender);
    eventually(Duration::from_secs(30), || TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(Failed::from))?;
    Ok((port, sender))
}

/// Nothing waits for its other half, and nothing was lost or refused on the way.
fn all_is_well(agent: &Agent) -> Result<(), Failed> {
    // Halves that the gate parted are given up by then.
    eventually(Duration::from_secs(20), || {
        let waiting = agent.sum("plumbline_events_waiting", "")?;
        check(waiting == 0.0, || format!("{waiting} still wait"))
    })?;
    for metric in ["plumbline_events_dropped_total", "plumbline_events_rejected_rows_total"] {
        check(agent.sum(metric, "")? == 0.0, || format!("{metric}: {:?}", agent.samples("events")))?;
    }
    check(agent.samples("plumbline_events_rejected_total")?.is_empty(), || format!("{:?}", agent.json("/healthz")))
}

fn what_arrives_is_what_was_predicted() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let (file, [read, write, _]) = tokens(folder.path())?;
    let start = || {
        let (data, token, arguments) = (Some(data.clone()), Some(read.clone()), &["--tokens", &file][..]);
        let agent = Agent::start(Options { config: CONFIG, data, token, arguments, ..Options::default() })?;
        eventually(Duration::from_secs(10), || {
            let came = agent.ask("POST /v1/models/_probe/labels", Some(&write), "application/x-ndjson", "{}")?;
            check(came.0 == 422, || format!("{came:?}"))
        })?;
        Ok::<Agent, Failed>(agent)
    };
    let mut agent = start()?;
    let gate = Gate::before(&agent.address)?;

    let (model_port, _model) = model_server(folder.path())?;
    let url = format!("http://any:{write}@127.0.0.1:{}", gate.port);
    let (port, _sender) = sender(folder.path(), model_port, &["--log-url", &url], &[])?;

    let rows = |agent: &Agent| agent.sum("plumbline_events_rows_total", "");
    let mut predicted = predict(port, "steady", 600)?;
    let arrived = |agent: &Agent, wanted: usize| {
        eventually(Duration::from_secs(60), || {
            let found = rows(agent)?;
            check(found >= wanted as f64, || format!("{found} of {wanted}; {:?}", agent.samples("events")))
        })
    };
    arrived(&agent, predicted.len())?;
    gate.set(SLOW);
    predicted.extend(predict(port, "slow", 300)?);
    arrived(&agent, predicted.len())?;
    gate.set(AWAY);
    let lost = predict(port, "away", 150)?;
    gate.set(OPEN);
    predicted.extend(predict(port, "back", 300)?);
    arrived(&agent, predicted.len())?;
    all_is_well(&agent)?;
    let counted = rows(&agent)?;

    agent.signal("TERM")?;
    agent.wait(Duration::from_secs(10))?;
    // The next start makes Parquet of what was logged.
    let _agent = start()?;
    let found = eventually(Duration::from_secs(30), || {
        let found = stored(&data)?;
        check(found.len() as f64 == counted, || format!("{} of {counted}", found.len()))?;
        Ok(found)
    })?;
    for (id, row) in &predicted {
        check(found.get(id) == Some(row), || format!("{id}: {row:?} was predicted, {:?} is stored", found.get(id)))?;
    }
    for (id, (inputs, prediction)) in &found {
        let told = predicted.get(id).or_else(|| lost.get(id)).ok_or_else(|| format!("{id} was never predicted"))?;
        let same = told.1 == *prediction && (inputs.is_none() || told.0 == *inputs);
        check(same, || format!("{id}: {told:?} was predicted, {inputs:?} {prediction} is stored"))?;
    }
    Ok(())
}

/// Makes a folder of a bucket, as a mount of it does.
const MOUNT: &str = r"
import boto3, os, sys
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='id', aws_secret_access_key='key')
for one in s3.list_objects_v2(Bucket='telemetry', MaxKeys=1000).get('Contents', []):
    path = os.path.join(sys.argv[2], one['Key'])
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        s3.download_file('telemetry', one['Key'], path + '.part')
        os.rename(path + '.part', path)
        print(path)
";

/// In each of the formats that its logger writes, many halves a file.
fn what_it_logs_into_a_store_is_what_was_predicted() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (data, spool) = (folder.path().join("data"), folder.path().join("spool"));
    std::fs::create_dir(&spool)?;
    let store = Store::start(free_port())?;
    let url = format!("http://{}", store.address);
    let config = format!("[[ingest.folder]]\npath = \"{}\"\nholds = \"events\"\n{CONFIG}", spool.display());
    let start = || Agent::start(Options { config: &config, data: Some(data.clone()), ..Options::default() });
    let mut agent = start()?;
    let (model_port, _model) = model_server(folder.path())?;
    let mut predicted = BTreeMap::new();
    for format in ["json", "csv", "parquet"] {
        let log = ["--log-url", "s3://telemetry/logs", "--log-store-format", format, "--log-store-path", format];
        let batch = ["--log-batch-size", "7", "--log-batch-interval", "1s"];
        let settings = [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
            // So it is called.
            ("S3_USER_VIRTUAL_BUCKET", "false"),
        ];
        let (port, _sender) = sender(folder.path(), model_port, &[&log[..], &batch].concat(), &settings)?;
        predicted.extend(predict(port, format, 60)?);
        eventually(Duration::from_secs(60), || {
            command(python(), &["-c", MOUNT, &url, &spool.to_string_lossy()])?;
            let found = agent.sum("plumbline_events_rows_total", "")?;
            check(found >= predicted.len() as f64, || {
                format!("{format}: {found} of {}; {:?} {}", predicted.len(), agent.samples("folders"), agent.log())
            })
        })?;
    }
    all_is_well(&agent)?;
    agent.signal("TERM")?;
    agent.wait(Duration::from_secs(10))?;
    let _agent = start()?;
    eventually(Duration::from_secs(30), || {
        let found = stored(&data)?;
        check(found == predicted, || format!("{} rows of {}", found.len(), predicted.len()))
    })
}
