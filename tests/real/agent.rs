//! The agent as people run it: its own process, on a free port, with a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::parts::{self, eventually};

pub const BINARY: &str = env!("CARGO_BIN_EXE_plumbline");

/// How an agent is started.
#[derive(Default)]
pub struct Options<'a> {
    /// The config file's text.
    pub config: &'a str,
    /// Variables of the environment.
    pub env: Vec<(&'a str, String)>,
    /// A data folder that outlives this agent.
    pub data: Option<PathBuf>,
    /// More of the command line.
    pub arguments: &'a [&'a str],
    /// What it is read with, where it asks for a token.
    pub token: Option<String>,
}

/// A running agent.
pub struct Agent {
    child: Child,
    pub address: String,
    pub config: PathBuf,
    pub log: Arc<Mutex<String>>,
    token: Option<String>,
    printed: Arc<Mutex<String>>,
    _folder: tempfile::TempDir,
}

/// What comes out of a pipe, as it comes.
fn gather(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let writer = Arc::clone(&text);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut text = writer.lock().expect("the text");
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

/// A command with an environment of its own, free of what the developer's shell says to OpenTelemetry.
pub fn command() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// Lays the agent's binary, without its symbols, into a tree at `path`, and the libraries that it names beside it.
pub fn lay_out(tree: &Path, path: &str) -> Result<(), Failed> {
    let place = |path: &str| -> Result<PathBuf, Failed> {
        let target = tree.join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().ok_or("no parent")?)?;
        Ok(target)
    };
    parts::command("strip", &["-o", &place(path)?.to_string_lossy(), BINARY])?;
    let libraries = parts::command("ldd", &[BINARY])?;
    for library in libraries.split_ascii_whitespace().filter(|word| word.starts_with('/')) {
        fs::copy(library, place(library)?)?;
    }
    Ok(())
}

impl Agent {
    pub fn start(options: Options<'_>) -> Result<Self, Failed> {
        Self::start_with(options, &[])
    }

    /// Where its configuration says.
    pub fn start_at(options: Options<'_>) -> Result<Self, Failed> {
        Self::start_on(options, &[], &[])
    }

    /// With the models that come with it, and a folder of its own.
    pub fn demonstration() -> Result<Self, Failed> {
        Self::demonstration_with(Options::default())
    }

    /// The whole of it: a node that is played, with fourteen days behind it.
    pub fn sample_node() -> Result<Self, Failed> {
        Self::start_with(Options::default(), &["--demo"])
    }

    pub fn demonstration_with(options: Options<'_>) -> Result<Self, Failed> {
        Self::start_with(options, &["--demo=models"])
    }

    fn start_with(options: Options<'_>, more: &[&str]) -> Result<Self, Failed> {
        Self::start_on(options, more, &["--listen", "127.0.0.1:0"])
    }

    fn start_on(options: Options<'_>, more: &[&str], listen: &[&str]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("plumbline.toml");
        fs::write(&config, options.config)?;
        let data = options.data.unwrap_or_else(|| folder.path().join("data"));
        let mut child = command()
            .arg("agent")
            .args(listen)
            .arg("--config")
            .arg(&config)
            .arg("--data")
            .arg(data)
            .args(more)
            .args(options.arguments)
            .envs(options.env)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = gather(child.stderr.take().ok_or("no stderr")?);
        let printed = gather(child.stdout.take().ok_or("no stdout")?);
        let address = eventually(Duration::from_secs(10), || {
            let text = log.lock().expect("the log").clone();
            let line = text.lines().find_map(|line| line.trim().strip_prefix("page"));
            let url = line.ok_or_else(|| format!("no summary; the log: {text}"))?;
            let address = url.trim().trim_start_matches("http://").trim_start_matches("https://");
            Ok(address.trim_end_matches('/').to_owned())
        })?;
        Ok(Self { child, address, config, log, token: options.token, printed, _folder: folder })
    }

    pub fn with_defaults() -> Result<Self, Failed> {
        Self::start(Options::default())
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// What it printed on standard output.
    pub fn printed(&self) -> String {
        self.printed.lock().expect("the output").clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The names of its threads, in order.
    pub fn threads(&self) -> Result<Vec<String>, Failed> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid()))?.flatten();
        // One that ends meanwhile has no name any longer.
        let mut names: Vec<String> = tasks
            .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
            .map(|name| name.trim_end().to_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    pub fn signal(&self, signal: &str) -> Result<(), Failed> {
        crate::parts::command("kill", &[&format!("-{signal}"), &self.pid().to_string()]).map(drop)
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Failed> {
        let child = &mut self.child;
        eventually(limit, || child.try_wait()?.ok_or_else(|| "still runs".into()))
    }

    /// A request with a token, and with a body where it has one: the status and what it was answered.
    pub fn ask(
        &self,
        request: &str,
        token: Option<&str>,
        content_type: &str,
        body: &str,
    ) -> Result<(u16, String), Failed> {
        ask(&self.address, request, token, content_type, body)
    }

    /// GET over real TCP: the status and the body.
    pub fn get(&self, path: &str) -> Result<(u16, String), Failed> {
        ask(&self.address, &format!("GET {path}"), self.token.as_deref(), "", "")
    }

    /// Sends a body of a type: the status, the head, the answer.
    pub fn send(&self, request: &str, content_type: &str, body: &[u8]) -> Result<(u16, String, Value), Failed> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            stream,
            "{request} HTTP/1.0\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        )?;
        // A body that is refused is not read to its end.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {answer}"))?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok((status, head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// The model of this name in the API, if it is there.
    pub fn model(&self, name: &str) -> Result<Value, Failed> {
        let (status, body) = self.get(&format!("/api/v1/models/{name}"))?;
        if status == 200 { Ok(serde_json::from_str(&body)?) } else { Err(body.into()) }
    }

    pub fn json(&self, path: &str) -> Result<Value, Failed> {
        Ok(serde_json::from_str(&self.get(path)?.1)?)
    }

    /// The container of this id in the API, if it is there.
    pub fn container(&self, id: &str) -> Result<Value, Failed> {
        let all = self.json("/api/v1/containers")?;
        let containers = all["containers"].as_array().ok_or("no list of containers")?;
        containers.iter().find(|c| c["id"] == id).cloned().ok_or_else(|| "the container is not there".into())
    }

    /// The samples of `/metrics` whose line mentions `of`: series and value.
    pub fn samples(&self, of: &str) -> Result<BTreeMap<String, f64>, Failed> {
        let text = self.get("/metrics")?.1;
        let lines = text.lines().filter(|line| !line.starts_with('#') && line.contains(of));
        lines
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').ok_or("a line without a value")?;
                Ok((series.to_owned(), value.parse()?))
            })
            .collect()
    }

    /// The sum over a metric's series that mention `of`; fails where there is none.
    pub fn sum(&self, metric: &str, of: &str) -> Result<f64, Failed> {
        let samples = self.samples(of)?;
        let values: Vec<f64> =
            samples.iter().filter(|(series, _)| series.split('{').next() == Some(metric)).map(|(_, v)| *v).collect();
        if values.is_empty() { Err(format!("no {metric} of {of}").into()) } else { Ok(values.iter().sum()) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// GET over real TCP, without a client that would forgive anything: the status and the body.
pub fn get(address: &str, path: &str) -> Result<(u16, String), Failed> {
    ask(address, &format!("GET {path}"), None, "", "")
}

/// The same of any request (`PUT /path`), with a token and a body where there is one.
pub fn ask(
    address: &str,
    request: &str,
    token: Option<&str>,
    content_type: &str,
    body: &str,
) -> Result<(u16, String), Failed> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let about = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len())
    };
    write!(stream, "{request} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n{bearer}{about}\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no header")?;
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    Ok((status, body.to_owned()))
}
