//! What is stored goes to a server that speaks S3: once each, over times when that is away and over kills.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options, get};
use crate::models::{CONFIG, NDJSON, accepted, hour, ready};
use crate::parts::{Part, check, eventually, free_port, python};

pub const TESTS: &[Test] =
    &[(&[Part::ObjectStore], "archive::what_is_stored_is_there_though_the_store_was_away", what_is_stored_is_there)];

/// moto's server, with a bucket `telemetry`.
pub struct Store {
    child: Child,
    pub address: String,
}

impl Store {
    pub fn start(port: u16) -> Result<Self, Failed> {
        let child = Command::new(python())
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let store = Self { child, address: format!("127.0.0.1:{port}") };
        eventually(Duration::from_secs(60), || {
            crate::agent::ask(&store.address, "PUT /telemetry", None, "", "")
                .and_then(|(status, answer)| check(status == 200, || format!("no bucket: {status} {answer}")))
        })?;
        Ok(store)
    }

    /// The names of its objects, in order.
    fn names(&self) -> Result<Vec<String>, Failed> {
        let (status, list) = get(&self.address, "/telemetry?list-type=2")?;
        check(status == 200, || list.clone())?;
        Ok(list.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).map(str::to_owned).collect())
    }

    /// An object's bytes are the file's, as Amazon's own client reads it.
    fn has(&self, name: &str, file: &Path) -> Result<(), Failed> {
        let url = format!("http://{}", self.address);
        let code = "import boto3, sys; s = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', \
            aws_access_key_id='id', aws_secret_access_key='key'); \
            a = s.get_object(Bucket='telemetry', Key=sys.argv[2])['Body'].read(); sys.exit(a != open(sys.argv[3], 'rb').read())";
        let done = Command::new(python()).args(["-c", code, &url, name, &file.to_string_lossy()]).output()?;
        check(done.status.success(), || format!("{name}: {}", String::from_utf8_lossy(&done.stderr)))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parquet(folder: &Path) -> Result<Vec<std::path::PathBuf>, Failed> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)?.flatten() {
        if entry.path().is_dir() {
            found.extend(parquet(&entry.path())?);
        } else if entry.path().extension().is_some_and(|extension| extension == "parquet") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn archive(agent: &Agent) -> Result<Value, Failed> {
    Ok(agent.json("/healthz")?["archive"].clone())
}

fn what_is_stored_is_there() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (data, port) = (folder.path().join("data"), free_port());
    let config = format!("[samples]\narchive = \"s3://telemetry/node pool\"\n{CONFIG}");
    let env = || {
        let keys =
            [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "a-secret-key"), ("AWS_REGION", "us-east-1")];
        let place = [("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")), ("AWS_ALLOW_HTTP", "true".to_owned())];
        place.into_iter().chain(keys.map(|(name, value)| (name, value.to_owned()))).collect::<Vec<_>>()
    };
    let start = || ready(Options { config: &config, data: Some(data.clone()), env: env(), ..Options::default() });
    let send = |agent: &Agent, at: i64| {
        accepted(&agent.send("POST /v1/models/m/samples", NDJSON, hour(at, 100, 0).as_bytes())?, 100)?;
        let label = format!("{{\"id\":\"h{at}-1\",\"label\":1}}");
        accepted(&agent.send("POST /v1/models/m/labels", NDJSON, label.as_bytes())?, 1)
    };
    // Nobody is there at first: rows are taken all the same, and files wait. A start makes Parquet of what the one before logged.
    let mut agent = start()?;
    send(&agent, 10)?;
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    let mut agent = start()?;
    eventually(Duration::from_secs(60), || {
        let found = archive(&agent)?;
        check(found["waiting"] == 2 && found["failures"].as_u64() > Some(0), || found.to_string())?;
        let health = agent.json("/healthz")?;
        check(health["status"] == "degraded" && agent.log().contains("they wait"), || health.to_string())
    })?;
    send(&agent, 11)?;
    // It comes: what waited is there, byte for byte, in the same folders.
    let store = Store::start(port)?;
    eventually(Duration::from_secs(60), || {
        let found = archive(&agent)?;
        check(found["waiting"] == 0 && found["sent"] == 2 && found["error"].is_null(), || found.to_string())
    })?;
    let models = data.join("models");
    let same = || {
        let (files, agent) = (parquet(&models)?, std::fs::read_to_string(models.join("agent.json"))?);
        let agent: String = serde_json::from_str(&agent)?;
        // The same folders; the name tells the data folder that it is of.
        let wanted = files.iter().filter_map(|file| {
            let (folder, name) = (file.parent()?.strip_prefix(&models).ok()?, file.file_name()?.to_str()?);
            Some(format!("node pool/{}/{}-{name}", folder.display(), &agent[..8]))
        });
        let (wanted, found) = (wanted.collect::<Vec<_>>(), store.names()?);
        check(found == wanted, || format!("{found:?} are not {wanted:?}"))?;
        for (name, file) in found.iter().zip(&files) {
            store.has(name, file)?;
        }
        Ok::<_, Failed>(found.len())
    };
    check(same()? == 2, || "two files".to_owned())?;
    // Killed, and with more: what is there is not sent again, what is new is.
    agent.signal("KILL")?;
    agent.wait(Duration::from_secs(5))?;
    let agent = start()?;
    eventually(Duration::from_secs(60), || {
        let found = archive(&agent)?;
        check(found["waiting"] == 0 && found["sent"] == 2, || found.to_string())?;
        check(same()? == 4, || "four files".to_owned())
    })?;
    let sent = agent.sum("plumbline_archive_sent_total", "")?;
    check((sent - 2.0).abs() < 0.5, || format!("{sent} are counted"))?;
    check(!agent.log().contains("a-secret-key"), || "a key is in the log".to_owned())
}
