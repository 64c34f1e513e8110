//! Who may do what: tokens, what each may do and with which models ([`Tokens`]); certificates ([`Files`]); and when an agent may be reached without any
//! ([`Config::open_to_others`]). How a token comes with a request, and what is asked for which address, is `web::access`'s.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod certificate;
mod pattern;
mod token;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Deserialize;

pub use certificate::Files;
pub use token::{Digest, Right, Token, Tokens, fresh};

use crate::identity::ModelKey;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Anybody: nobody is asked for a token.
    Anybody,
    /// Somebody without a token where one is asked for, at what is open all the same.
    Stranger,
    /// Who has this token.
    Known(Arc<Token>),
}

impl Caller {
    /// Whether it may do this with the model; with `None`, with all of them.
    #[must_use]
    pub fn may(&self, right: Right, model: Option<&ModelKey>) -> bool {
        match self {
            Self::Anybody => true,
            Self::Stranger => false,
            Self::Known(token) => token.may(right, model),
        }
    }
}

/// Who sends, as far as it can be told: the name of a token and an address. Whoever has no share of its own has one with others of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Arc<str>);

impl Sender {
    /// Who has this token, where one is asked for, at this address, where there is one.
    #[must_use]
    pub fn new(caller: &Caller, address: Option<IpAddr>) -> Self {
        let token = if let Caller::Known(token) = caller { token.name.as_str() } else { "" };
        let address = address.map_or_else(String::new, |address| address.to_canonical().to_string());
        Self(format!("{token}@{address}").into())
    }

    /// Its name.
    #[must_use]
    pub fn into_name(self) -> Arc<str> {
        self.0
    }
}

/// Who is let in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A file of tokens; without one nobody is asked for any.
    pub tokens: Option<PathBuf>,
    /// Whoever reaches the agent may do everything but describe models: the only way to listen beyond loopback with neither tokens nor
    /// client_authority.
    pub insecure: bool,
    /// PEM file: the agent's certificate, those behind it after it. With it the port speaks TLS alone.
    pub certificate: Option<PathBuf>,
    /// PEM file: its private key.
    pub key: Option<PathBuf>,
    /// PEM file: the authority that each client's certificate must be of.
    pub client_authority: Option<PathBuf>,
}

/// A file of tokens is no longer than this, in bytes.
const MAX_FILE: u64 = 1 << 20;

impl Config {
    /// What the file of tokens holds; `None` where none is named.
    ///
    /// # Errors
    /// It cannot be read, or is wrong: says what, where and how it is written. No token is repeated.
    pub fn read(&self) -> Result<Option<Tokens>, String> {
        let Some(path) = &self.tokens else { return Ok(None) };
        let failed = |message: String| format!("{}: {message}", path.display());
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > MAX_FILE {
            return Err(failed(format!("is larger than {MAX_FILE} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Tokens::parse(&text).map(Some).map_err(failed)
    }

    /// The files that TLS needs, as they are now; `None` where the port does not speak it.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn files(&self) -> Result<Option<Files>, String> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else { return Ok(None) };
        Files::read(certificate, key, self.client_authority.as_deref()).map(Some)
    }

    /// All that is wrong with the settings by themselves: the field and what is wrong. The file of tokens is not read: it is the agent's alone.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let mut found = Vec::new();
        if self.insecure && self.tokens.is_some() {
            found.push(("insecure", "asks nobody for a token, and tokens says the opposite; leave one of them out"));
        }
        match (&self.certificate, &self.key) {
            (Some(_), None) => found.push(("certificate", "needs access.key")),
            (None, Some(_)) => found.push(("key", "needs access.certificate")),
            (None, None) if self.client_authority.is_some() => {
                found.push(("client_authority", "needs access.certificate and access.key: it is a part of TLS"));
            }
            _ => {}
        }
        found
    }

    /// Why the agent may not listen there: others would reach it, and nobody would be asked for a token.
    #[must_use]
    pub fn open_to_others(&self, listen: SocketAddr) -> Option<String> {
        let asks = self.tokens.is_some() || self.client_authority.is_some();
        let open = !listen.ip().to_canonical().is_loopback() && !asks && !self.insecure;
        open.then(|| {
            format!(
                "{listen} can be reached by others, and nobody is asked for a token: name a file of tokens (--tokens, access.tokens; \
                 `plumbline tokens` makes one), listen on 127.0.0.1, or let everyone in (--insecure, `insecure = true` in [access])"
            )
        })
    }
}

/// The tokens in force, shared by who asks for them and who reads their file again.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<RwLock<Option<Arc<Tokens>>>>);

impl Shared {
    /// These tokens; `None` where nobody is asked for any.
    #[must_use]
    pub fn new(tokens: Option<Tokens>) -> Self {
        Self(Arc::new(RwLock::new(tokens.map(Arc::new))))
    }

    /// Those in force now.
    #[must_use]
    pub fn now(&self) -> Option<Arc<Tokens>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts others in their place. Whether they differ.
    pub fn replace(&self, tokens: Option<Tokens>) -> bool {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_deref() == tokens.as_ref() {
            return false;
        }
        *held = tokens.map(Arc::new);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_open_without_a_token() {
        let at = |text: &str| text.parse().expect("an address");
        let config = Config::default();
        for loopback in ["127.0.0.1:9477", "127.8.0.1:1", "[::1]:9477", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(config.open_to_others(at(loopback)), None, "{loopback}");
        }
        for public in ["0.0.0.0:9477", "[::]:9477", "10.0.0.1:9477", "[::ffff:10.0.0.1]:1", "[fe80::1]:1"] {
            let why = config.open_to_others(at(public)).expect("refused");
            assert!(why.contains(public) && why.contains("--tokens") && why.contains("insecure = true"), "{why}");
            assert_eq!(Config { insecure: true, ..Config::default() }.open_to_others(at(public)), None);
            assert_eq!(Config { tokens: Some("t".into()), ..Config::default() }.open_to_others(at(public)), None);
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_told_of_without_its_tokens() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.toml");
        let config = Config { tokens: Some(path.clone()), ..Config::default() };
        let why = config.read().expect_err("not there");
        assert!(why.contains("tokens.toml") && why.contains("No such file"), "{why}");
        std::fs::write(&path, "[[token]]\nname = \"a\"\ntoken = \"sesame-sesame-sesame\"\nmay = [\"raed\"]\n")
            .expect("written");
        let why = config.read().expect_err("wrong");
        assert!(why.contains("raed") && !why.contains("sesame"), "{why}");
        std::fs::write(&path, "[[token]]\nname = \"a\"\ntoken = sesame-sesame-sesame\n").expect("written");
        let why = config.read().expect_err("no TOML");
        assert!(!why.contains("sesame"), "{why}");
        std::fs::write(&path, vec![b' '; (1 << 20) + 1]).expect("written");
        assert!(config.read().expect_err("too large").contains("larger"));
    }
}
