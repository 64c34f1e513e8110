//! What clients send, once more to another sink: best effort, within bounds of its own, and never in a sender's way.
//!
//! A copy that cannot be delivered at once is lost, and counted: who must have every row reads the stored Parquet. Which requests are copied
//! is decided before (`ingest::copies`, wired by `agent::copying`).

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use tokio::sync::{Mutex, mpsc};

use crate::client::{chain, client};
use crate::health::Health;

/// Copies that wait, at most, however small.
const MOST: usize = 10_000;
/// What one takes beside its body, in bytes.
const OVERHEAD: u64 = 512;
/// Copies on their way at once.
const AT_ONCE: usize = 4;
/// A token's file is no longer than this, in bytes.
const MAX_TOKEN: u64 = 64 * 1024;

/// Where copies go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The other sink's base address, `http://host:port`: each request's own path comes behind it. Without one nothing is copied.
    pub url: Option<String>,
    /// A file with the token that is sent to it.
    pub token_file: Option<PathBuf>,
    /// Copies that wait may take so much memory; more are dropped.
    #[serde(deserialize_with = "crate::units::size")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "size")))]
    pub waiting_memory: ByteSize,
    /// How long one delivery may take.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: None, token_file: None, waiting_memory: ByteSize::mib(16), timeout: Duration::from_secs(5) }
    }
}

impl Config {
    /// All that is wrong with the settings: the field and what is wrong. The address is not repeated: there may be a key in it.
    #[must_use]
    pub fn problems(&self, listen: SocketAddr) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if let Some(url) = &self.url {
            match base(url) {
                Err(message) => found.push(("url", message)),
                Ok(uri) if is_own(&uri, listen) => found.push(("url", "is this agent's own address".to_owned())),
                Ok(_) => {}
            }
        }
        if self.timeout.is_zero() {
            found.push(("timeout", "must be more than 0".to_owned()));
        }
        found
    }
}

/// A base address without a key in it.
fn base(url: &str) -> Result<Uri, String> {
    const WRITE: &str = "is not an address; write it as http://host:port, and a token into token_file";
    let uri: Uri = url.parse().map_err(|_| WRITE.to_owned())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_bare = uri.query().is_none() && !uri.authority().is_some_and(|all| all.as_str().contains('@'));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if is_http && is_bare && has_host && !url.contains('#') { Ok(uri) } else { Err(WRITE.to_owned()) }
}

/// As far as an address tells: other names of this machine are told by what comes back, which is copied to nobody.
fn is_own(uri: &Uri, listen: SocketAddr) -> bool {
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    if uri.port_u16().unwrap_or(usual) != listen.port() {
        return false;
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|at| at.to_canonical().is_loopback());
    here || host.parse::<IpAddr>().is_ok_and(|at| at == listen.ip())
}

/// One copy.
#[derive(Debug)]
pub struct Copy {
    /// The path and what follows it.
    pub target: String,
    /// What is said of the body.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Copy {
    fn size(&self) -> u64 {
        (self.body.len() as u64).saturating_add(self.target.len() as u64).saturating_add(OVERHEAD)
    }
}

/// Where copies are handed in.
#[derive(Clone)]
pub struct Mirror {
    queue: mpsc::Sender<Copy>,
    waiting: Arc<AtomicU64>,
    most: u64,
    health: Arc<Health>,
}

/// Those that wait.
pub struct Queue {
    copies: Arc<Mutex<mpsc::Receiver<Copy>>>,
    waiting: Arc<AtomicU64>,
    config: Config,
    health: Arc<Health>,
}

/// A mirror, where one is named, and what is to be run for it.
#[must_use]
pub fn new(config: &Config, health: &Arc<Health>) -> Option<(Mirror, Queue)> {
    let url = config.url.clone()?;
    health.update(|state| state.mirror.url = Some(url));
    let (queue, copies) = mpsc::channel(MOST);
    let waiting = Arc::<AtomicU64>::default();
    let most = config.waiting_memory.as_u64();
    let mirror = Mirror { queue, waiting: Arc::clone(&waiting), most, health: Arc::clone(health) };
    let queue =
        Queue { copies: Arc::new(Mutex::new(copies)), waiting, config: config.clone(), health: Arc::clone(health) };
    Some((mirror, queue))
}

impl Mirror {
    /// Takes a copy, or drops and counts it; at once either way.
    pub fn offer(&self, copy: Copy) {
        let size = copy.size();
        let before = self.waiting.fetch_add(size, Ordering::Relaxed);
        if before.saturating_add(size) > self.most || self.queue.try_send(copy).is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            self.drop_one("full");
        }
    }

    /// Counts a copy that is not made.
    pub fn drop_one(&self, reason: &'static str) {
        self.health.update(|state| {
            let dropped = state.mirror.dropped.entry(reason).or_default();
            *dropped = dropped.saturating_add(1);
        });
    }
}

impl Queue {
    /// Delivers, until it is dropped.
    pub async fn run(self) {
        let https = self.config.url.as_deref().is_some_and(|url| url.starts_with("https"));
        let http = client(self.config.timeout, https).timeout(self.config.timeout).build();
        let http = match http {
            Ok(http) => http,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "mirror: nothing can be copied");
                self.health.update(|state| state.mirror.error = Some(why));
                return;
            }
        };
        let token = Arc::new(Mutex::new(None));
        let one = || self.deliver_all(&http, &token);
        let all: [_; AT_ONCE] = std::array::from_fn(|_| one());
        futures_util::future::join_all(all).await;
    }

    async fn deliver_all(&self, http: &reqwest::Client, token: &Mutex<Option<HeaderValue>>) {
        loop {
            let next = self.copies.lock().await.recv().await;
            let Some(copy) = next else { return };
            let size = copy.size();
            let came = self.deliver(http, token, copy).await;
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            self.note(came);
        }
    }

    async fn deliver(
        &self,
        http: &reqwest::Client,
        token: &Mutex<Option<HeaderValue>>,
        copy: Copy,
    ) -> Result<(), String> {
        let base = self.config.url.as_deref().unwrap_or_default().trim_end_matches('/');
        let mut request = http.post(format!("{base}{}", copy.target)).headers(copy.headers).body(copy.body);
        if let Some(token) = self.token(token).await? {
            request = request.header(AUTHORIZATION, token);
        }
        let answer = request.send().await.map_err(|error| chain(&error.without_url()))?;
        let status = answer.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            // It may have changed.
            *token.lock().await = None;
        }
        if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
    }

    /// The token, read where it is not known.
    async fn token(&self, known: &Mutex<Option<HeaderValue>>) -> Result<Option<HeaderValue>, String> {
        let Some(path) = &self.config.token_file else { return Ok(None) };
        let mut known = known.lock().await;
        if known.is_none() {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || read_token(&path)).await;
            *known = Some(read.map_err(|error| error.to_string())??);
        }
        Ok(known.clone())
    }

    fn note(&self, came: Result<(), String>) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.health.update(|state| {
            let mirror = &mut state.mirror;
            mirror.waiting_bytes = waiting;
            match came {
                Ok(()) => {
                    mirror.sent = mirror.sent.saturating_add(1);
                    if mirror.error.take().is_some() {
                        tracing::info!("mirror: copies are taken again");
                    }
                }
                Err(why) => {
                    mirror.failed = mirror.failed.saturating_add(1);
                    if mirror.error.is_none() {
                        tracing::warn!(why, "mirror: a copy was not taken; it is lost");
                    }
                    mirror.error = Some(why);
                }
            }
        });
    }
}

/// The value that says who we are. No error repeats the token.
fn read_token(path: &std::path::Path) -> Result<HeaderValue, String> {
    let failed = |message: &str| format!("token_file {}: {message}", path.display());
    let size = std::fs::metadata(path).map_err(|error| failed(&error.to_string()))?.len();
    if size > MAX_TOKEN {
        return Err(failed("is too large for a token"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim())).map_err(|_| failed("holds no token"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_key_in_it_and_is_not_the_agents_own() {
        let listen = "127.0.0.1:9477".parse().expect("an address");
        let told = |url: &str| {
            let config = Config { url: Some(url.to_owned()), ..Config::default() };
            config.problems(listen).into_iter().map(|(field, message)| format!("{field} {message}")).collect::<Vec<_>>()
        };
        for right in
            ["http://other:9477", "https://sink.example.com/logs", "http://127.0.0.1:9478", "http://10.0.0.1:9477"]
        {
            assert_eq!(told(right), Vec::<String>::new(), "{right}");
        }
        for wrong in ["other", "ftp://a", "http://user:secret@a", "http://a/?key=secret", "http://a/#b", "http://"] {
            let told = told(wrong);
            assert!(
                told.len() == 1 && told[0].contains("token_file") && !told[0].contains("secret"),
                "{wrong}: {told:?}"
            );
        }
        for own in ["http://127.0.0.1:9477", "http://localhost:9477/", "http://[::1]:9477", "http://127.0.0.2:9477"] {
            assert_eq!(told(own), ["url is this agent's own address"], "{own}");
        }
        assert_eq!(Config { timeout: Duration::ZERO, ..Config::default() }.problems(listen).len(), 1);
    }

    /// Nobody waits for a sink: what there is no room for is dropped, and counted.
    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_number() {
        let health = Arc::<Health>::default();
        let config = Config {
            url: Some("http://127.0.0.1:9".to_owned()),
            waiting_memory: ByteSize::b(3 * (1000 + 1 + OVERHEAD)),
            ..Config::default()
        };
        let copy =
            |bytes: usize| Copy { target: "/".to_owned(), headers: HeaderMap::new(), body: vec![b'a'; bytes].into() };
        let (mirror, queue) = new(&config, &health).expect("a mirror");
        for _ in 0..5 {
            mirror.offer(copy(1000));
        }
        assert_eq!(health.state().mirror.dropped["full"], 2);
        // Nobody listens there: each is lost and counted, and makes room.
        tokio::spawn(queue.run());
        for _ in 0..200 {
            if health.state().mirror.failed == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let state = health.state().mirror;
        assert_eq!((state.failed, state.sent, mirror.waiting.load(Ordering::Relaxed)), (3, 0, 0));
        assert!(state.error.is_some_and(|why| why.contains("onnect")));
        assert!(new(&Config::default(), &health).is_none());
    }

    #[test]
    fn a_token_is_read_and_never_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        assert!(read_token(&path).expect_err("not there").contains("token_file"));
        std::fs::write(&path, "sesame\n").expect("written");
        let value = read_token(&path).expect("a token");
        assert_eq!(value.to_str().ok(), Some("Bearer sesame"));
        assert!(!format!("{value:?}").contains("sesame"));
        std::fs::write(&path, "ses\name").expect("written");
        assert!(!read_token(&path).expect_err("two lines").contains("ses\n"));
    }
}
