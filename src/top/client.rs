//! Asks an agent: over HTTP, with TLS or without, or by its socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;

use super::answers::{Answers, Health};
use crate::client::{chain, client};

/// An agent that takes longer is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer is larger: the models of a node in full take a few MiB.
const LARGEST: usize = 64 << 20;
/// No token is longer.
const MAX_TOKEN: u64 = 4096;
/// As much of a refusal as is shown.
const SHOWN: usize = 200;

/// Where the token comes from.
#[derive(Clone)]
pub enum Token {
    /// There is none.
    None,
    /// The environment.
    Given(String),
    /// A file, read with each question: it may change.
    File(PathBuf),
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Given(_) => "Given",
            Self::File(_) => "File",
        })
    }
}

/// Whom to ask, and how.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    agent: String,
    token: Token,
}

/// Why a part is not answered.
enum Failure {
    /// Nobody answers.
    Away(String),
    /// The agent refuses.
    Refused(StatusCode, String),
    /// What is said is not understood.
    Strange(String),
}

impl Client {
    /// Asks nobody yet. `agent` is `http://host:port`, `https://host:port` or `unix:/path`; `ca` holds authorities beside the system's.
    ///
    /// # Errors
    /// The address is none, or the authorities cannot be read.
    pub fn new(agent: &str, ca: Option<&Path>, token: Token) -> Result<Self, String> {
        let socket = agent.strip_prefix("unix:").map(|path| PathBuf::from(path.strip_prefix("//").unwrap_or(path)));
        let wrong =
            |why: &str| format!("--agent {agent}: {why}; write http://HOST:PORT, https://HOST:PORT or unix:/PATH");
        let base = if socket.is_some() { "http://localhost/" } else { agent };
        let mut base = Url::parse(base).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("is no address of an agent"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            // Everybody on the machine sees what stands on a command line.
            return Err("--agent: holds a password; give the token by --token-file, or by PLUMBLINE_TOKEN".to_owned());
        }
        if socket.as_deref().is_some_and(|path| !path.is_absolute()) {
            return Err(wrong("the path of a socket begins with /"));
        }
        base.set_query(None);
        base.set_fragment(None);
        let path = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        let tls = base.scheme() == "https";
        let mut builder = client(PATIENCE, tls).timeout(PATIENCE);
        let is_here = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if is_here {
            builder = builder.no_proxy();
        }
        if let Some(socket) = socket {
            builder = builder.unix_socket(socket);
        }
        if let Some(ca) = ca {
            let wrong = |why: String| format!("--ca {}: {why}", ca.display());
            let text = std::fs::read(ca).map_err(|error| wrong(error.to_string()))?;
            let found = reqwest::Certificate::from_pem_bundle(&text).map_err(|error| wrong(chain(&error)))?;
            if found.is_empty() {
                return Err(wrong("holds no certificate in PEM".to_owned()));
            }
            builder = builder.tls_certs_merge(found);
        }
        let http = builder.build().map_err(|error| chain(&error))?;
        Ok(Self { http, base, agent: agent.to_owned(), token })
    }

    /// Whom it asks, as it was given.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// All that the agent says now.
    ///
    /// # Errors
    /// It is away, or lets nobody in without another token: what is wrong, and what to do.
    pub async fn ask(&self) -> Result<Answers, String> {
        let token = self.header()?;
        let token = token.as_ref();
        let mut answers = Answers::default();
        let missing = &mut answers.missing;
        answers.node = self.part("api/v1/containers", "workloads and GPUs", token, missing).await?;
        answers.models = self.part("api/v1/models", "models", token, missing).await?;
        answers.alerts = self.part("api/v1/alerts", "alerts", token, missing).await?;
        answers.sizes = self.part("api/v1/recommendations", "sizes", token, missing).await?;
        answers.health = self.part("healthz", "health", token, missing).await?.map(|health: Health| health.status);
        Ok(answers)
    }

    /// One part; where it is refused, that is told and the others go on.
    async fn part<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &str,
        token: Option<&HeaderValue>,
        missing: &mut Vec<String>,
    ) -> Result<Option<T>, String> {
        match self.get(path, token).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Failure::Away(why)) => Err(format!(
                "no answer from {}: {why}; start one by `plumbline agent`, or name another by --agent",
                self.agent
            )),
            Err(Failure::Refused(StatusCode::UNAUTHORIZED, _)) => Err(match token {
                None => format!("{} wants a token: give one by --token-file, or by PLUMBLINE_TOKEN", self.agent),
                Some(_) => format!("{} does not know this token: it is old, or of another agent", self.agent),
            }),
            Err(Failure::Refused(StatusCode::FORBIDDEN, _)) => {
                missing.push(format!("{what}: this token may not read them"));
                Ok(None)
            }
            Err(Failure::Refused(status, said)) => {
                missing.push(format!("{what}: {}", if said.is_empty() { status.to_string() } else { said }));
                Ok(None)
            }
            Err(Failure::Strange(why)) => {
                missing.push(format!("{what}: {why}; is {} an agent of this version?", self.agent));
                Ok(None)
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, token: Option<&HeaderValue>) -> Result<T, Failure> {
        let url = self.base.join(path).map_err(|error| Failure::Strange(error.to_string()))?;
        let mut request = self.http.get(url);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let away = |error: reqwest::Error| Failure::Away(chain(&error.without_url()));
        let mut answer = request.send().await.map_err(away)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(away)? {
            if body.len().saturating_add(part.len()) > LARGEST {
                return Err(Failure::Strange(format!("the answer is larger than {} MiB", LARGEST >> 20)));
            }
            body.extend_from_slice(&part);
        }
        // An agent in which nothing moves says so with 503 and in full.
        if !status.is_success() && path != "healthz" {
            let said = String::from_utf8_lossy(&body);
            return Err(Failure::Refused(status, said.trim().chars().take(SHOWN).collect()));
        }
        serde_json::from_slice(&body)
            .map_err(|error| Failure::Strange(format!("the answer is not understood ({error})")))
    }

    fn header(&self) -> Result<Option<HeaderValue>, String> {
        let (token, from) = match &self.token {
            Token::None => return Ok(None),
            Token::Given(token) => (token.clone(), "PLUMBLINE_TOKEN".to_owned()),
            Token::File(path) => {
                let from = format!("--token-file {}", path.display());
                let wrong = |why: String| format!("{from}: {why}");
                let meta = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
                if !meta.is_file() || meta.len() > MAX_TOKEN {
                    return Err(wrong("holds no token: it is no file, or too large".to_owned()));
                }
                (std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?, from)
            }
        };
        let token = token.trim();
        if token.is_empty() {
            return Err(format!("{from}: holds no token"));
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| format!("{from}: holds no token: it has signs that none has"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(agent: &str) -> String {
        Client::new(agent, None, Token::None).expect_err("wrong")
    }

    #[test]
    fn an_address_that_is_none_is_refused_in_words() {
        assert!(wrong("localhost:9477").contains("write http://HOST:PORT"));
        assert!(wrong("").contains("--agent : "));
        assert!(wrong("ftp://x").contains("is no address of an agent"));
        assert!(wrong("unix:run/x.sock").contains("begins with /"));
        let told = wrong("http://any:secret@node:9477");
        assert!(told.contains("--token-file") && !told.contains("secret"), "{told}");
        for good in [
            "http://127.0.0.1:9477",
            "https://node:9477/",
            "http://[::1]:1/below",
            "unix:/run/p.sock",
            "unix:///run/p.sock",
        ] {
            assert!(Client::new(good, None, Token::None).is_ok(), "{good}");
        }
        assert!(
            Client::new("https://x", Some("/nowhere.pem".as_ref()), Token::None)
                .is_err_and(|why| why.starts_with("--ca /nowhere.pem: "))
        );
    }

    #[test]
    fn a_token_is_read_when_it_is_needed_and_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let of = |token: Token| Client::new("http://127.0.0.1:1", None, token).expect("a client").header();
        assert!(of(Token::File(path.clone())).is_err_and(|why| why.contains("--token-file")));
        std::fs::write(&path, " abc\n").expect("written");
        let header = of(Token::File(path.clone())).expect("read").expect("a token");
        assert_eq!((header.as_bytes(), format!("{header:?}")), (&b"Bearer abc"[..], "Sensitive".to_owned()));
        std::fs::write(&path, "\n").expect("written");
        assert!(of(Token::File(path.clone())).is_err());
        assert!(of(Token::File(folder.path().to_owned())).is_err());
        assert!(of(Token::Given("a\u{1}b".to_owned())).is_err_and(|why| !why.contains('\u{1}')));
    }
}
