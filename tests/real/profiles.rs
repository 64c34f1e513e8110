//! Profiles and references from elsewhere: sent, read from files, addresses and an object store, over kills and failures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::{Agent, Options};
use crate::models::{CONFIG, NDJSON, accepted, hour, ready};
use crate::parts::{check, eventually};

pub const TESTS: &[Test] = &[
    (&[], "profiles::one_that_was_sent_stands_over_kill_9_until_rows_take_its_place", one_that_was_sent_stands),
    (&[], "profiles::where_counts_are_kept_no_row_is_on_the_disk", counts_alone_are_kept),
    (&[], "profiles::a_reference_is_read_from_where_the_configuration_says", a_reference_is_read),
    (&[], "profiles::the_command_line_reads_addresses", the_command_line_reads_addresses),
];

const JSON: &str = "application/json";
const SOON: Duration = Duration::from_secs(15);

/// Runs `plumbline`; its exit code, output, and what it said.
fn plumbline(arguments: &[&str]) -> Result<(Option<i32>, String, String), Failed> {
    let output = crate::agent::command().args(arguments).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

/// Makes a profile of rows; its text and its hash.
fn profile(folder: &Path, rows: &str) -> Result<(String, String), Failed> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (data, output) = (path("rows.ndjson"), path("rows.profile.json"));
    std::fs::write(&data, rows)?;
    let build = ["profile", "build", &data, "-o", &output, "--id", "id", "--timestamp", "timestamp"];
    let (code, _, said) = plumbline(&build)?;
    check(code == Some(0), || said)?;
    let text = std::fs::read_to_string(output)?;
    let hash = serde_json::from_str::<Value>(&text)?["hash"].as_str().unwrap_or_default().to_owned();
    Ok((text, hash))
}

fn reference(agent: &Agent, model: &str) -> Result<Value, Failed> {
    Ok(agent.model(model)?["reference"].clone())
}

/// Whether any file below a folder has these bytes; and whether any is Parquet.
fn on_the_disk(folder: &Path, bytes: &[u8]) -> Result<Vec<String>, Failed> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(on_the_disk(&path, bytes)?);
            continue;
        }
        let mut text = std::fs::read(&path)?;
        if path.extension().is_some_and(|extension| extension == "gz") {
            text = Command::new("gzip").arg("-dc").arg(&path).output()?.stdout;
        }
        let is_of_rows = path.starts_with(folder) && path.display().to_string().contains("/models/");
        let is_parquet = is_of_rows && path.extension().is_some_and(|extension| extension == "parquet");
        if is_parquet || text.windows(bytes.len()).any(|part| part == bytes) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

/// `store = "counts"`: killed or not, no row and no id is found below the data folder; drift is told, and counts add up.
fn counts_alone_are_kept() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let config = CONFIG.replace("name = \"m\"", "name = \"m\"\nstore = \"counts\"");
    let data = folder.path().join("data");
    let start = || ready(Options { config: &config, data: Some(data.clone()), ..Options::default() });
    // Each row has an id and a city of its own.
    let row = |row: &str| {
        let id = row.split('"').nth(3).unwrap_or_default();
        row.replacen(id, &format!("secret-{id}"), 1).replacen('{', &format!("{{\"city\":\"secret-{id}\","), 1) + "\n"
    };
    let rows = |at: i64, level: i64| hour(at, 100, level).lines().map(row).collect::<String>();
    let mut agent = start()?;
    accepted(&agent.send("PUT /v1/models/m/reference", NDJSON, rows(0, 0).as_bytes())?, 100)?;
    for (at, level) in [(10, 0), (11, 500), (12, 500), (13, 500)] {
        accepted(&agent.send("POST /v1/models/m/samples", NDJSON, rows(at, level).as_bytes())?, 100)?;
    }
    let judged = |agent: &Agent, lost: u64| {
        eventually(SOON, || {
            let model = agent.model("m")?;
            let drift: Vec<&Value> = model["windows"].as_array().into_iter().flatten().map(|w| &w["drift"]).collect();
            let known = (&model["store"], &model["counts"]["lost"], &model["reference"]["rows"]);
            check(known == (&json!("counts"), &json!(lost), &json!(100)), || model.to_string())?;
            check(model["not_told"].as_array().is_some_and(|told| told.len() > 3), || model.to_string())?;
            check(drift == [true, true, false], || model.to_string())
        })
    };
    judged(&agent, 0)?;
    // A checkpoint is written every ten seconds, and then knows of the last hour, whose window is open.
    std::thread::sleep(Duration::from_secs(12));
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    let found = on_the_disk(&data, b"secret")?;
    check(found.is_empty(), || format!("rows are in {found:?}"))?;

    let agent = start()?;
    judged(&agent, 100)?;
    let end = agent.model("m")?["windows"][1]["end"].as_str().unwrap_or_default().to_owned();
    let address = |end: &str| format!("http://{}/api/v1/models/m/windows/{end}/tally", agent.address);
    let (code, out, said) = plumbline(&["profile", "merge", &address(&end), &address("latest")])?;
    let sum: Value = serde_json::from_str(&out).map_err(|error| format!("{code:?} {error} {said}"))?;
    check(sum["rows"] == json!(200), || out.clone())?;
    let page = agent.get("/models/m")?.1;
    check(page.contains("counts, no row") && page.contains("100 lost with an agent"), || page.clone())
}

fn one_that_was_sent_stands() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let start = || ready(Options { config: CONFIG, data: Some(folder.path().join("data")), ..Options::default() });
    let (text, hash) = profile(folder.path(), &hour(0, 2000, 0))?;
    let mut agent = start()?;
    let put = "PUT /v1/models/m/reference";
    let changed = text.replacen("\"rows\":2000", "\"rows\":2001", 1);
    let (status, _, answer) = agent.send(put, JSON, changed.as_bytes())?;
    let message = answer["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
    check(status == 400 && message.contains("it was changed after it was made"), || format!("{status} {answer}"))?;
    let (status, _, answer) = agent.send(put, JSON, text.as_bytes())?;
    let expected = json!({"accepted": 2000, "rejected": 0, "errors": [], "profile": hash});
    check(status == 202 && answer == expected, || format!("{status} {answer}"))?;
    for (at, level) in [(10, 0), (11, 500), (12, 500), (13, 500)] {
        accepted(&agent.send("POST /v1/models/m/samples", NDJSON, hour(at, 100, level).as_bytes())?, 100)?;
    }
    let judged = |agent: &Agent, windows: &[bool]| {
        eventually(SOON, || {
            let model = agent.model("m")?;
            let known = (&model["reference"]["hash"], &model["reference"]["profile"], &model["reference"]["rows"]);
            check(known == (&json!(hash), &json!("rows.ndjson"), &json!(2000)), || model["reference"].to_string())?;
            let drift: Vec<&Value> = model["windows"].as_array().into_iter().flatten().map(|w| &w["drift"]).collect();
            check(drift == windows && model["verdict"]["columns"] == json!(["x"]), || model.to_string())
        })
    };
    judged(&agent, &[true, true, false])?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;

    let agent = start()?;
    judged(&agent, &[true, true, false])?;
    // Two windows of this replica are one verdict over both; the same twice is refused.
    let windows = agent.model("m")?["windows"].clone();
    let end = |at: usize| windows[at]["end"].as_str().unwrap_or_default().to_owned();
    let address = |end: &str| format!("http://{}/api/v1/models/m/windows/{end}/tally", agent.address);
    let p = folder.path().join("rows.profile.json").display().to_string();
    let added = |one: &str, other: &str| {
        let (one, other) = (address(one), address(other));
        let words = ["drift", "--reference", &p, "--current", &one, "--current", &other];
        plumbline(&[&words[..], &["--format", "json", "--fail-on-drift"]].concat())
    };
    let (code, out, said) = added(&end(1), "latest")?;
    let found: Value = serde_json::from_str(&out).map_err(|error| format!("{code:?} {error} {said}"))?;
    let summed = (&found["current"]["rows"], &found["summary"]["drifted_features"], &found["windows"][1]["end"]);
    check(code == Some(1) && summed == (&json!(200), &json!(["x"]), &json!(end(0))), || {
        format!("{code:?} {out} {said}")
    })?;
    let (code, out, said) = added(&end(0), "latest")?;
    check(code == Some(2) && said.contains("shares rows with"), || format!("{code:?} {out} {said}"))?;
    for (end, status) in [("1970-01-01T09:00:00Z", 404), ("yesterday", 400), ("latest", 200)] {
        let (found, text) = agent.get(&format!("/api/v1/models/m/windows/{end}/tally"))?;
        check(found == status, || format!("{end}: {found} {text}"))?;
    }
    // What comes now is judged against it, too.
    accepted(&agent.send("POST /v1/models/m/samples", NDJSON, hour(14, 100, 500).as_bytes())?, 100)?;
    judged(&agent, &[true, true, true, false])?;
    let page = agent.get("/models/m")?.1;
    check(page.contains("by the profile of rows.ndjson"), || page.clone())?;
    accepted(&agent.send(put, NDJSON, hour(0, 2000, 500).as_bytes())?, 2000)?;
    eventually(SOON, || {
        let model = agent.model("m")?;
        let of_rows = model["reference"]["profile"].is_null() && model["reference"]["hash"] != json!(hash);
        check(of_rows && model["verdict"]["drift"] == false, || model.to_string())
    })?;
    accepted(&agent.send(put, JSON, text.as_bytes())?, 2000)?;
    judged(&agent, &[true, true, true, false])
}

/// What is served, by path, with its entity tag; and how often it was answered that nothing has changed.
#[derive(Default)]
struct Served {
    files: BTreeMap<String, (String, u32)>,
    unchanged: u32,
}

/// A server of files as web servers and object stores answer.
struct Files {
    address: String,
    served: Arc<Mutex<Served>>,
}

impl Files {
    fn start() -> Result<Self, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let served = Arc::<Mutex<Served>>::default();
        let shared = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(&stream);
                let mut asked = String::new();
                while reader.read_line(&mut asked).is_ok_and(|read| read > 2) {}
                let _ = (&stream).write_all(answer(&mut shared.lock().expect("unlocked"), &asked).as_bytes());
            }
        });
        Ok(Self { address, served })
    }

    fn serve(&self, path: &str, text: &str) {
        let mut served = self.served.lock().expect("unlocked");
        let version = served.files.get(path).map_or(1, |(_, version)| version + 1);
        served.files.insert(path.to_owned(), (text.to_owned(), version));
    }

    fn withdraw(&self, path: &str) {
        self.served.lock().expect("unlocked").files.remove(path);
    }

    fn unchanged(&self) -> u32 {
        self.served.lock().expect("unlocked").unchanged
    }
}

fn answer(served: &mut Served, asked: &str) -> String {
    let path = asked.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let Some((text, version)) = served.files.get(path) else {
        return "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned();
    };
    let tag = format!("\"v{version}\"");
    let head = format!("Connection: close\r\nETag: {tag}\r\nLast-Modified: Thu, 26 Nov 2026 12:00:00 GMT");
    if asked.to_ascii_lowercase().contains(&format!("if-none-match: {tag}")) {
        served.unchanged += 1;
        return format!("HTTP/1.1 304 Not Modified\r\n{head}\r\n\r\n");
    }
    format!("HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

fn a_reference_is_read() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let files = Files::start()?;
    let (first, first_hash) = profile(folder.path(), &hour(0, 2000, 0))?;
    let (second, second_hash) = profile(folder.path(), &hour(0, 1000, 500))?;
    files.serve("/m.profile.json", &first);
    files.serve("/bucket/a/s.ndjson", &hour(0, 300, 0));
    let rows = folder.path().join("f.csv");
    std::fs::write(&rows, format!("x,plan\n{}", "1.5,a\n2.5,b\n".repeat(200)))?;
    let config = |hash: &str| {
        format!(
            "[[model]]\nname = \"m\"\nreference = \"http://{}/m.profile.json?key=secret\"\nreference_every = \"1s\"\n{hash}\n\
             [[model]]\nname = \"s\"\nreference = \"s3://bucket/a/s.ndjson\"\nreference_every = \"1s\"\n\
             [[model]]\nname = \"f\"\nnamespace = \"ml\"\nreference = \"{}\"\nreference_every = \"1s\"\n",
            files.address,
            rows.display()
        )
    };
    let (wrong, right) =
        (format!("reference_hash = \"{}\"", "0".repeat(64)), format!("reference_hash = \"{first_hash}\""));
    let env = || {
        let pairs = [("AWS_ENDPOINT_URL", format!("http://{}", files.address)), ("AWS_ALLOW_HTTP", "true".to_owned())];
        let keys = [("AWS_SKIP_SIGNATURE", "true".to_owned()), ("AWS_REGION", "us-east-1".to_owned())];
        pairs.into_iter().chain(keys).collect::<Vec<_>>()
    };
    let data = || Some(folder.path().join("data"));
    let mut agent = Agent::start(Options { config: &config(&wrong), env: env(), data: data(), ..Options::default() })?;
    // Of another hash it is not taken, and health and log say why; the others are.
    eventually(SOON, || {
        let health = agent.json("/healthz")?;
        let (m, s, f) = (&health["references"]["m"], &health["references"]["s"], &health["references"]["ml/f"]);
        check(m["up"] == false && s["up"] == true && f["up"] == true, || format!("{health} {}", agent.log()))?;
        let error = m["error"].as_str().unwrap_or_default();
        check(
            error.contains(&first_hash) && error.contains("reference_hash says 000") && !error.contains("secret"),
            || error.to_owned(),
        )?;
        check(health["status"] == "degraded" && agent.log().contains("what was known stays"), || health.to_string())
    })?;
    eventually(SOON, || {
        let (s, f) = (reference(&agent, "s")?, agent.json("/api/v1/models/f?namespace=ml")?["reference"].clone());
        check(s["rows"] == 300 && f["rows"] == 400 && f["provisional"] == false, || format!("{s} {f}"))
    })?;
    check(agent.model("m").is_err(), || "nothing is known of it".to_owned())?;
    check(!agent.log().contains("secret"), || agent.log())?;
    // By PUT none is taken.
    let (status, _, told) = agent.send("PUT /v1/models/m/reference", JSON, first.as_bytes())?;
    check(status == 409 && told.to_string().contains("configuration"), || format!("{status} {told}"))?;
    // A reload with the right hash takes it; and then it is asked for whether it has changed.
    std::fs::write(&agent.config, config(&right))?;
    agent.signal("HUP")?;
    eventually(SOON, || {
        let found = reference(&agent, "m")?;
        check(found["hash"] == json!(first_hash), || format!("{found} {}", agent.log()))
    })?;
    let before = files.unchanged();
    eventually(SOON, || check(files.unchanged() >= before + 4, || format!("{} of {before}", files.unchanged())))?;
    // Another one in its place: not under this hash, but without one.
    files.serve("/m.profile.json", &second);
    eventually(SOON, || {
        let health = agent.json("/healthz")?["references"]["m"].clone();
        check(health["up"] == false && health["failures"].as_u64() > Some(0), || health.to_string())
    })?;
    check(reference(&agent, "m")?["hash"] == json!(first_hash), || agent.log())?;
    std::fs::write(&agent.config, config(""))?;
    agent.signal("HUP")?;
    let is_second = |agent: &Agent| {
        eventually(SOON, || {
            let found = reference(agent, "m")?;
            check(found["hash"] == json!(second_hash) && found["rows"] == 1000, || format!("{found} {}", agent.log()))
        })
    };
    is_second(&agent)?;
    // Gone, it stays, over a kill too; back, all is well again.
    files.withdraw("/m.profile.json");
    let gone = |agent: &Agent| {
        eventually(SOON, || {
            let health = agent.json("/healthz")?["references"]["m"].clone();
            check(health["error"].to_string().contains("404 Not Found"), || health.to_string())
        })
    };
    gone(&agent)?;
    is_second(&agent)?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    let agent = Agent::start(Options { config: &config(""), env: env(), data: data(), ..Options::default() })?;
    gone(&agent)?;
    is_second(&agent)?;
    files.serve("/m.profile.json", &first);
    eventually(SOON, || {
        let (health, found) = (agent.json("/healthz")?["references"]["m"].clone(), reference(&agent, "m")?);
        check(health["up"] == true && found["hash"] == json!(first_hash), || format!("{health} {found}"))
    })?;
    check(!folder.path().join("data/fetched/_none/m").exists(), || "what was fetched is still there".to_owned())
}

fn the_command_line_reads_addresses() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let files = Files::start()?;
    let (text, hash) = profile(folder.path(), &hour(0, 2000, 0))?;
    files.serve("/p", &text);
    files.serve("/rows.ndjson", &hour(0, 2000, 0));
    let current = folder.path().join("current.ndjson");
    std::fs::write(&current, hour(1, 500, 500))?;
    let (current, base) = (current.display().to_string(), format!("http://{}", files.address));
    let drift = |reference: &str, more: &[&str]| {
        let (reference, left_out) = (format!("{base}{reference}"), "id,timestamp");
        let all = ["drift", "--reference", &reference, "--current", &current, "--exclude", left_out, "--fail-on-drift"];
        plumbline(&[&all, more].concat())
    };
    let (code, out, said) = drift("/p?key=secret", &["--reference-hash", &hash.to_uppercase(), "--format", "json"])?;
    let found: Value = serde_json::from_str(&out)?;
    let name = json!(format!("{base}/p"));
    check(code == Some(1) && found["reference"]["name"] == name && found["reference"]["rows"] == 2000, || {
        format!("{code:?} {out} {said}")
    })?;
    let (code, out, said) = drift("/rows.ndjson", &["--format", "json"])?;
    check(code == Some(1) && out.contains(&format!("{base}/rows.ndjson")), || format!("{code:?} {out} {said}"))?;
    for (reference, more, why) in [
        ("/p", &["--reference-hash", &"0".repeat(64)][..], &hash[..]),
        ("/rows.ndjson", &["--reference-hash", &hash], "its SHA-256 is"),
        ("/none?key=secret", &[], "the server answers 404"),
    ] {
        let (code, _, said) = drift(reference, more)?;
        check(code == Some(2) && said.contains(why) && !said.contains("secret"), || format!("{code:?} {said}"))?;
    }
    let (code, out, said) = plumbline(&["profile", "show", &format!("{base}/p")])?;
    check(code == Some(0) && out.contains(&hash), || format!("{code:?} {out} {said}"))
}
