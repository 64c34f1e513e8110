//! Labels on to other agents: who they are ([`addresses`]), and one call to one of them ([`peer`]). What each has had, and when it is
//! asked again, is `agent::forwarding`'s.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

#[cfg(test)]
pub(crate) mod fake;
pub mod peer;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use serde::Deserialize;

/// Stands for all agents; wins over the file.
const SERVICE: &str = "PLUMBLINE_FORWARD_SERVICE";
/// The file with the token that is sent to them; wins over the file's.
const TOKEN_FILE: &str = "PLUMBLINE_FORWARD_TOKEN_FILE";
/// Other agents; more are left out, and told.
const MOST: usize = 1000;

/// To whom labels go on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Base addresses of other agents, `http://host:9477`; this one may be among them.
    pub agents: Vec<String>,
    /// A base address whose name stands for every agent's address, looked up again and again.
    pub service: Option<String>,
    /// A file with the token that is sent to them.
    pub token_file: Option<PathBuf>,
    /// PEM file: the authority to trust beside the system's.
    pub certificate: Option<PathBuf>,
    /// How long one call may take.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self { agents: Vec::new(), service: None, token_file: None, certificate: None, timeout }
    }
}

impl Config {
    /// Somebody is named.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.agents.is_empty() || self.service.is_some()
    }

    /// Takes the variables of the environment. Returns what cannot be used.
    pub fn apply_env(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        if let Some(file) = env(TOKEN_FILE).filter(|value| !value.trim().is_empty()) {
            self.token_file = Some(PathBuf::from(file.trim()));
        }
        let Some(service) = env(SERVICE).filter(|value| !value.trim().is_empty()) else { return Vec::new() };
        match Base::parse(service.trim()) {
            Ok(_) => {
                self.service = Some(service.trim().to_owned());
                Vec::new()
            }
            Err(message) => vec![format!("{SERVICE}: {message}")],
        }
    }

    /// All that is wrong with the settings: the field and what is wrong. Addresses are not repeated.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let named = self.agents.iter().map(|address| ("agents", address));
        let named = named.chain(self.service.iter().map(|address| ("service", address)));
        let mut found: Vec<_> =
            named.filter_map(|(field, address)| Some((field, Base::parse(address).err()?))).collect();
        if self.agents.len() > MOST {
            found.push(("agents", format!("names more than {MOST}")));
        }
        if self.timeout.is_zero() {
            found.push(("timeout", "must be more than 0".to_owned()));
        }
        found.extend(peer::authorities(self).err().map(|message| ("certificate", message)));
        found.extend(peer::token(self).err().map(|message| ("token_file", message)));
        found
    }
}

/// A base address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Base {
    scheme: &'static str,
    host: String,
    port: u16,
    path: String,
}

impl Base {
    fn parse(text: &str) -> Result<Self, String> {
        const WRITE: &str = "is not an address; write it as http://host:9477, and a token into token_file";
        let uri: Uri = text.parse().map_err(|_| WRITE.to_owned())?;
        let (scheme, usual) = match uri.scheme_str() {
            Some("http") => ("http", 80),
            Some("https") => ("https", 443),
            _ => return Err(WRITE.to_owned()),
        };
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| WRITE.to_owned())?;
        // What stands before an @ or behind a ? may be a key, and would be shown.
        if authority.contains('@') || uri.query().is_some() || text.contains('#') || uri.port_u16() == Some(0) {
            return Err(WRITE.to_owned());
        }
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { scheme, host: host.to_owned(), port: uri.port_u16().unwrap_or(usual), path })
    }
}

/// Where one agent is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// What calls begin with; it holds no key, and so is what is shown.
    pub url: String,
    /// A name that this address of it is meant by, where the name is what its certificate is for.
    pinned: Option<(String, SocketAddr)>,
}

impl Address {
    /// As people see it.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.pinned {
            Some((_, at)) => format!("{} ({at})", self.url),
            None => self.url.clone(),
        }
    }
}

/// Agents that were looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where each is, once, in order.
    pub addresses: Vec<Address>,
    /// The service's are among them.
    pub is_whole: bool,
    /// What is wrong.
    pub error: Option<String>,
}

/// Every agent that the settings name, as `look_up` finds addresses of a name now.
pub async fn addresses<L>(config: &Config, look_up: impl Fn(String, u16) -> L) -> Found
where
    L: Future<Output = io::Result<Vec<SocketAddr>>>,
{
    let named = config.agents.iter().filter_map(|text| Base::parse(text).ok());
    let mut all: Vec<Address> = named
        .map(|Base { scheme, host, port, path }| Address {
            url: format!("{scheme}://{host}:{port}{path}"),
            pinned: None,
        })
        .collect();
    let mut error = None;
    if let Some(Base { scheme, host, port, path }) = config.service.as_deref().and_then(|text| Base::parse(text).ok()) {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        match look_up(bare, port).await {
            Ok(found) if found.is_empty() => error = Some(format!("{host} has no address")),
            Ok(found) => all.extend(found.into_iter().map(|at| {
                // By name where the certificate is for the name; else by address, which every agent answers to.
                if scheme == "https" {
                    let url = format!("{scheme}://{host}:{port}{path}");
                    Address { url, pinned: Some((host.clone(), at)) }
                } else {
                    Address { url: format!("{scheme}://{at}{path}"), pinned: None }
                }
            })),
            Err(why) => error = Some(format!("{host} cannot be looked up: {why}")),
        }
    }
    all.sort();
    all.dedup();
    let is_whole = error.is_none();
    if all.len() > MOST {
        error = Some(format!("{} agents are named, and {MOST} are sent labels", all.len()));
        all.truncate(MOST);
    }
    Found { addresses: all, is_whole, error }
}

/// The system's resolver.
///
/// # Errors
/// The name is not known, or nobody answers.
pub async fn system(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(agents: &[&str], service: Option<&str>) -> Config {
        let agents = agents.iter().map(|&agent| agent.to_owned()).collect();
        Config { agents, service: service.map(str::to_owned), ..Config::default() }
    }

    fn found(config: &Config, known: &[&str]) -> (Vec<String>, Option<String>) {
        let known: Vec<SocketAddr> = known.iter().map(|at| at.parse().expect("an address")).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let found = runtime.block_on(addresses(config, |host, port| {
            let known = if host == "gone" { Err(io::ErrorKind::NotFound.into()) } else { Ok(known.clone()) };
            assert_eq!(port, 9477);
            async { known }
        }));
        assert_eq!(found.is_whole, found.error.as_ref().is_none_or(|error| error.contains("agents are named")));
        (found.addresses.iter().map(Address::shown).collect(), found.error)
    }

    #[test]
    fn a_name_stands_for_every_address_that_it_has() {
        let both = config(&["http://node-1:9477/", "http://node-1:9477"], Some("http://all.ml.svc:9477"));
        let (all, error) = found(&both, &["10.0.0.2:9477", "[fd00::1]:9477", "10.0.0.2:9477"]);
        assert_eq!(all, ["http://10.0.0.2:9477", "http://[fd00::1]:9477", "http://node-1:9477"]);
        assert_eq!(error, None);
        let (all, _) = found(&config(&[], Some("https://all:9477/x/")), &["10.0.0.2:9477"]);
        assert_eq!(all, ["https://all:9477/x (10.0.0.2:9477)"]);
    }

    #[test]
    fn a_name_that_is_not_found_is_told_and_the_others_stay() {
        let (all, error) = found(&config(&["https://a"], Some("http://gone:9477")), &[]);
        assert_eq!(all, ["https://a:443"]);
        assert!(error.expect("told").starts_with("gone cannot be looked up: "));
        let (all, error) = found(&config(&[], Some("http://none:9477")), &[]);
        assert_eq!((all.len(), error.as_deref()), (0, Some("none has no address")));
        let many: Vec<String> = (0..=MOST).map(|i| format!("10.0.{}.{}:9477", i / 250, i % 250)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (all, error) = found(&config(&[], Some("http://all:9477")), &many);
        assert_eq!((all.len(), error.as_deref()), (MOST, Some("1001 agents are named, and 1000 are sent labels")));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for wrong in
            ["", "node-1:9477", "ftp://a", "http://", "http://me:secret@a", "http://a?secret", "http://a:0", "a b"]
        {
            let problems = config(&[wrong], Some(wrong)).problems();
            let fields: Vec<&str> = problems.iter().map(|(field, _)| *field).collect();
            assert_eq!(fields, ["agents", "service"], "{wrong}");
            assert!(!problems[0].1.contains("secret"), "{problems:?}");
            let mut config = Config::default();
            let told = config.apply_env(&|_| Some(wrong.to_owned()));
            assert!(!config.is_on() && told.len() == usize::from(!wrong.is_empty()), "{told:?}");
        }
        assert_eq!(config(&["http://a", "https://[::1]:1/x"], Some("http://b:9477")).problems(), []);
        let none = Config { token_file: Some("/nowhere".into()), timeout: Duration::ZERO, ..Config::default() };
        let fields: Vec<&str> = none.problems().iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["timeout", "token_file"]);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let mut config = config(&[], Some("http://file:9477"));
        let told = config.apply_env(&|name| (name == SERVICE).then(|| "http://all:9477".to_owned()));
        assert_eq!((told.len(), config.service.as_deref()), (0, Some("http://all:9477")));
    }
}
