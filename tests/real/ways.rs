//! Other ways in than rows over TCP: Parquet bodies, watched folders, a socket in a file; with what others write and send.

use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::{Agent, Options};
use crate::models::{CONFIG, NDJSON, accepted, hour, ready};
use crate::parts::{Part, check, command, eventually, python};

pub const TESTS: &[Test] = &[
    (&[Part::PyArrow], "ways::parquet_bodies_are_taken_within_bounds", parquet_bodies_are_taken),
    (&[Part::PyArrow], "ways::strange_values_have_one_result_in_every_format", strange_values_have_one_result),
    (&[Part::PyArrow], "ways::files_of_a_folder_survive_kill_9_once_each", files_survive_kill_9),
    (&[], "ways::a_folder_that_is_read_only_is_taken_and_its_bad_files_are_told", a_read_only_folder_is_taken),
    (&[Part::Curl], "ways::a_socket_serves_what_the_port_does", a_socket_serves),
];

const PARQUET: &str = "application/vnd.apache.parquet";
const ARROW: &str = "application/vnd.apache.arrow.stream";
const SAMPLES: &str = "POST /v1/models/m/samples";

fn write(code: &str, folder: &Path) -> Result<(), Failed> {
    command(python(), &["-c", code, &folder.to_string_lossy()]).map(drop)
}

fn parquet_bodies_are_taken() -> Result<(), Failed> {
    let agent = ready(Options { config: CONFIG, ..Options::default() })?;
    let folder = tempfile::tempdir()?;
    let code = r"
import pyarrow as pa, pyarrow.parquet as pq, sys, datetime as d
times = [d.datetime(2026, 1, 1, i // 60 % 24) for i in range(1000)]
t = pa.table({'id': [f'a{i}' for i in range(1000)], 'x': pa.array(range(1000), pa.float32()),
    'c': pa.array(['u', 'v'] * 500).dictionary_encode(), 'timestamp': pa.array(times),
    'v': pa.array([[1.0, None]] * 999 + [None]), 'f': pa.array([[1.0, 2.0]] * 1000, pa.list_(pa.float64(), 2)),
    's': pa.array([{'a': 1}] * 1000), 'prediction': pa.array([True, False] * 500)})
for name, options in (('plain', dict(compression='none')), ('snappy', {}), ('gzip', dict(compression='gzip')),
        ('zstd', dict(compression='zstd')), ('lz4', dict(compression='lz4')), ('brotli', dict(compression='brotli')),
        ('groups', dict(row_group_size=70)), ('second', dict(data_page_version='2.0', version='2.6')),
        ('deltas', dict(use_dictionary=False, column_encoding={'id': 'DELTA_BYTE_ARRAY', 'x': 'BYTE_STREAM_SPLIT'}))):
    pq.write_table(t, f'{sys.argv[1]}/{name}', **options)
# Small files that unfold.
def bomb(name, table, **options):
    pq.write_table(table, f'{sys.argv[1]}/{name}', **options)
n = 1 << 20
bomb('rows', pa.table({'x': pa.array([1.0] * n * 4)}))
bomb('cells', pa.table({f'c{i}': pa.array([1] * n, pa.int8()) for i in range(64)}))
bomb('texts', pa.table({'s': pa.array(['x' * n] * 1000).dictionary_encode()}))
bomb('lists', pa.table({'l': pa.array([[True] * (n * 32)])}))
bomb('page', pa.table({'s': pa.array(['x' * (200 * n)])}), compression='zstd', use_dictionary=False, write_statistics=False)
bomb('columns', pa.table({f'c{i}': [1] for i in range(5000)}))
pq.write_table(pa.table({'x': pa.array([], pa.float64())}), f'{sys.argv[1]}/empty')
";
    write(code, folder.path())?;
    let read = |name: &str| fs::read(folder.path().join(name));
    let send = |body: &[u8]| agent.send(SAMPLES, PARQUET, body);
    for name in ["plain", "snappy", "gzip", "zstd", "lz4", "brotli", "groups", "second", "deltas"] {
        let answer = send(&read(name)?)?;
        accepted(&answer, 1000).map_err(|failed| format!("{name}: {failed:?}"))?;
        let told = &answer.2["errors"][0];
        check(told["field"] == "s" && told["row"].is_null(), || format!("structs are left out, and told: {answer:?}"))?;
    }
    for name in ["rows", "cells", "texts", "lists", "page", "columns"] {
        let body = read(name)?;
        check(body.len() < 2 << 20, || format!("{name} is small: {}", body.len()))?;
        let (status, _, answer) = send(&body)?;
        check(status == 413, || format!("{name}: {status} {answer}"))?;
    }
    let (status, _, answer) = send(&read("empty")?)?;
    check(status == 422 && answer["errors"][0]["message"] == "the body has no rows", || format!("{status} {answer}"))?;
    accepted(&agent.send(SAMPLES, "application/x-parquet", &read("plain")?)?, 1000)?;
    // Cut anywhere, or with any byte changed: an answer, never a death.
    let whole = read("groups")?;
    for cut in (0..whole.len()).step_by(whole.len() / 40) {
        let (status, _, _) = send(&whole[..cut])?;
        check(status == 422, || format!("cut at {cut}: {status}"))?;
    }
    for at in (0..whole.len()).step_by(whole.len() / 200) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        let (status, _, answer) = send(&damaged)?;
        check(matches!(status, 202 | 413 | 415 | 422), || format!("damage at {at}: {status} {answer}"))?;
    }
    check(agent.get("/healthz")?.0 == 200, || agent.log())
}

/// What comes of numbers as strings, NaN, infinities, nulls, 2,000 columns, a megabyte of text, another type, and a missing column.
fn strange_values_have_one_result() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let code = r"
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.csv as pc, json, sys, math
cases = {
    'usual': {'id': ['1', '2'], 'x': [1.5, 2.5], 'c': ['a', 'b']},
    'strings': {'id': ['3', '4'], 'x': ['1.5', '2.5'], 'c': ['a', 'b']},
    'words': {'id': ['3', '4'], 'x': ['one', 'two'], 'c': ['a', 'b']},
    'nan': {'id': ['5', '6'], 'x': [math.nan, 2.5], 'c': ['a', 'b']},
    'infinite': {'id': ['7', '8'], 'x': [math.inf, -math.inf], 'c': ['a', 'b']},
    'nulls': {'id': ['9', '10'], 'x': [None, 2.5], 'c': [None, 'b']},
    'wide': {'id': ['11', '12'], **{f'w{i}': [1.5, 2.5] for i in range(2000)}},
    'long': {'id': ['13', '14'], 'x': [1.5, 2.5], 'c': ['x' * (1 << 20), 'b']},
    'changed': {'id': ['15', '16'], 'x': [True, False], 'c': [1, 2]},
    'missing': {'id': ['17', '18'], 'c': ['a', 'b']},
}
for name, columns in cases.items():
    t = pa.table(columns)
    pq.write_table(t, f'{sys.argv[1]}/{name}.parquet')
    pc.write_csv(t, f'{sys.argv[1]}/{name}.csv')
    with pa.ipc.new_stream(f'{sys.argv[1]}/{name}.arrow', t.schema) as w:
        w.write_table(t)
    with open(f'{sys.argv[1]}/{name}.ndjson', 'w') as f:
        for row in t.to_pylist():
            f.write(json.dumps(row) + '\n')
";
    write(code, folder.path())?;
    for (ending, content_type, results) in [
        // Typed: a column of another type refuses the body.
        ("arrow", ARROW, [202, 422, 422, 202, 202, 202, 202, 202, 422, 202]),
        ("parquet", PARQUET, [202, 422, 422, 202, 202, 202, 202, 202, 422, 202]),
        // JSON knows neither NaN nor infinities: those rows are none.
        ("ndjson", NDJSON, [202, 422, 422, 202, 422, 202, 202, 202, 422, 202]),
        // A cell has no type: what reads as its column's is one of it.
        ("csv", "text/csv", [202, 202, 422, 202, 422, 202, 202, 202, 422, 202]),
    ] {
        let agent = ready(Options { config: CONFIG, ..Options::default() })?;
        let names = ["usual", "strings", "words", "nan", "infinite", "nulls", "wide", "long", "changed", "missing"];
        for (name, wanted) in names.into_iter().zip(results) {
            let body = fs::read(folder.path().join(format!("{name}.{ending}")))?;
            let (status, _, answer) = agent.send(SAMPLES, content_type, &body)?;
            check(status == wanted, || format!("{ending}, {name}: {status} {}", short(&answer)))?;
            let told = answer["errors"].to_string();
            match name {
                "strings" | "words" | "changed" if status == 422 => {
                    check(told.contains("number") || told.contains("string"), || {
                        format!("{ending}, {name}: {}", short(&answer))
                    })?;
                }
                "wide" => check(told.contains("features are left out"), || format!("{ending}: {}", short(&answer)))?,
                "nan" if ending == "ndjson" => check(answer["rejected"] == 1, || short(&answer))?,
                _ => {
                    check(status != 202 || answer["accepted"] == 2, || {
                        format!("{ending}, {name}: {}", short(&answer))
                    })?;
                }
            }
        }
        // What is of another type is drift of the schema: counted, and no crash.
        eventually(Duration::from_secs(10), || {
            let samples = agent.model("m")?["counts"]["samples"].clone();
            check(samples.as_u64().is_some_and(|rows| rows >= 10), || format!("{ending}: {samples}"))
        })?;
        check(agent.get("/healthz")?.0 == 200, || agent.log())?;
    }
    Ok(())
}

fn short(answer: &Value) -> String {
    answer.to_string().chars().take(600).collect()
}

fn watched(folder: &Path, more: &str) -> String {
    format!("[[ingest.folder]]\npath = \"{}\"\nevery = \"1s\"\nsettle = \"1s\"\n{more}\n", folder.display())
}

fn files_survive_kill_9() -> Result<(), Failed> {
    let (folder, data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let code = r"
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.csv as pc, pyarrow.feather as pf, sys, datetime as d
def table(begin, rows):
    r = range(begin, begin + rows)
    return pa.table({'id': [f'r{i}' for i in r], 'timestamp': pa.array([1_767_225_600_000 + i for i in r]),
        'x': [i % 100 / 7 for i in r], 'c': [f'c{i % 5}' for i in r], 'prediction': [i % 2 for i in r]})
pq.write_table(table(0, 200_000), f'{sys.argv[1]}/a.parquet', row_group_size=150_000)
# In a cell a time is a text.
cells = table(200_000, 100_000)
times = [d.datetime.fromtimestamp(t / 1000, d.timezone.utc).isoformat() for t in cells['timestamp'].to_pylist()]
pc.write_csv(cells.set_column(1, 'timestamp', pa.array(times)), f'{sys.argv[1]}/b.csv')
pf.write_feather(table(300_000, 100_000), f'{sys.argv[1]}/c.feather')
";
    write(code, folder.path())?;
    let config = format!("[[model]]\nname = \"m\"\nwindow = \"1h\"\n{}", watched(folder.path(), "model = \"m\""));
    let options = || Options { config: &config, data: Some(data.path().to_owned()), ..Options::default() };
    let mut killed_within = 0;
    for kill in 0..12_u64 {
        let mut agent = Agent::start(options())?;
        std::thread::sleep(Duration::from_millis(1500 + 217 * kill));
        let health = agent.json("/healthz")?["folders"][&*folder.path().to_string_lossy()].clone();
        killed_within += u64::from(!health["current"].is_null());
        agent.signal("KILL")?;
        agent.wait(Duration::from_secs(5))?;
        if health["waiting"] == 0 && kill > 2 {
            break;
        }
    }
    check(killed_within >= 2, || format!("killed {killed_within} times while a file was taken"))?;
    let mut agent = Agent::start(options())?;
    let told = |agent: &Agent| -> Result<Value, Failed> {
        let counts = agent.model("m")?["counts"].clone();
        Ok(json!([counts["samples"], counts["repeated"]]))
    };
    eventually(Duration::from_secs(90), || {
        let health = agent.json("/healthz")?["folders"].clone();
        let found = told(&agent)?;
        check(found == json!([400_000, 0]), || format!("{found} {health}"))
    })?;
    // Nothing comes twice: over a restart, under another name.
    fs::rename(folder.path().join("a.parquet"), folder.path().join("z.parquet"))?;
    fs::write(folder.path().join("bad.parquet"), "no parquet")?;
    agent.signal("TERM")?;
    agent.wait(Duration::from_secs(20))?;
    let agent = Agent::start(options())?;
    eventually(Duration::from_secs(30), || {
        let health = agent.json("/healthz")?["folders"][&*folder.path().to_string_lossy()].clone();
        let wanted = json!([1, 1, 0, 0, 0]);
        let found = json!([health["repeated"], health["bad"], health["taken"], health["waiting"], health["rows"]]);
        check(found == wanted, || health.to_string())
    })?;
    eventually(Duration::from_secs(30), || {
        let found = told(&agent)?;
        check(found == json!([400_000, 0]), || found.to_string())
    })?;
    let error = fs::read_to_string(folder.path().join("bad/bad.parquet.error.txt"))?;
    check(error.contains("PAR1") && !folder.path().join("bad.parquet").exists(), || error.clone())?;
    let metrics = agent.get("/metrics")?.1;
    check(metrics.contains("plumbline_folders_files_total{") && metrics.contains("state=\"bad\""), || metrics.clone())
}

/// A volume that is mounted read-only: files are taken, and what is bad is told and left.
fn a_read_only_folder_is_taken() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("a.ndjson"), hour(0, 50, 0))?;
    fs::write(folder.path().join("b.parquet"), "no parquet")?;
    let path = folder.path().to_string_lossy().into_owned();
    command("mount", &["--bind", &path, &path])?;
    let test = || -> Result<(), Failed> {
        command("mount", &["-o", "remount,bind,ro", &path])?;
        let agent = Agent::start(Options { config: &watched(folder.path(), "model = \"m\""), ..Options::default() })?;
        eventually(Duration::from_secs(20), || {
            let health = agent.json("/healthz")?["folders"][&path].clone();
            let told = health["last_rejection"].as_str().unwrap_or_default().to_owned();
            check(health["taken"] == 1 && health["bad"] == 1 && told.contains("stays where it is"), || {
                health.to_string()
            })
        })?;
        eventually(Duration::from_secs(20), || check(agent.model("m")?["counts"]["samples"] == 50, || agent.log()))?;
        std::thread::sleep(Duration::from_secs(3));
        let health = agent.json("/healthz")?["folders"][&path].clone();
        check(health["bad"] == 1 && health["waiting"] == 0, || format!("it is remembered: {health}"))
    };
    let came = test();
    command("umount", &[&path])?;
    came
}

fn a_socket_serves() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("plumbline.sock").to_string_lossy().into_owned();
    let config = format!("[ingest]\nsocket = {path:?}\n");
    let curl = |more: &[&str]| -> Result<String, Failed> {
        let arguments = ["-sS", "-w", " %{http_code}", "--unix-socket", &path];
        command("curl", &[&arguments, more].concat())
    };
    let post = |more: &[&str]| {
        let row = ["-H", "Content-Type: application/json", "-d", r#"{"id":"1","x":1}"#];
        curl(&[more, &row, &["http://localhost/v1/models/m/samples"]].concat())
    };
    let mut agent = ready(Options { config: &config, ..Options::default() })?;
    let said = post(&[])?;
    check(said.ends_with(" 202") && said.contains("\"accepted\":1"), || said.clone())?;
    let said = curl(&["http://localhost/healthz"])?;
    check(said.ends_with(" 200"), || said.clone())?;
    let said = curl(&["http://evil.example/healthz"])?;
    check(!said.ends_with(" 200"), || format!("a page's name is no name here: {said}"))?;
    let mode = command("stat", &["-c", "%a %F", &path])?;
    check(mode == "660 socket", || mode.clone())?;
    // A live one's is not taken over; a dead one's is.
    let second = Agent::start(Options { config: &config, ..Options::default() });
    check(second.is_err(), || "two agents listen on one socket".to_owned())?;
    check(post(&[])?.ends_with(" 202"), || agent.log())?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    let tokens = folder.path().join("tokens.toml");
    let token = "0123456789abcdef0123456789abcdef";
    fs::write(&tokens, format!("[[token]]\nname = \"a\"\ntoken = \"{token}\"\nmay = [\"read\", \"write\"]\n"))?;
    let config = format!("{config}[access]\ntokens = \"{}\"\n", tokens.display());
    let mut agent = Agent::start(Options { config: &config, token: Some(token.to_owned()), ..Options::default() })?;
    check(post(&[])?.ends_with(" 401"), || "a token is asked for where the port asks".to_owned())?;
    let header = format!("Authorization: Bearer {token}");
    eventually(Duration::from_secs(10), || {
        let said = post(&["-H", &header])?;
        check(said.ends_with(" 202"), || said.clone())
    })?;
    agent.signal("TERM")?;
    agent.wait(Duration::from_secs(10))?;
    check(!Path::new(&path).exists(), || "its file is gone with it".to_owned())
}
