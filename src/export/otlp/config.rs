//! Options of the OTLP exporter, and the standard `OTEL_EXPORTER_OTLP_*` variables on top of them.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use super::super::Error;
use super::super::http::Headers;
use super::NAME;
use crate::units::milliseconds;

const NO_MILLISECONDS: &str = "must be a number of milliseconds above 0, 3650d at most";

/// Options of the OTLP exporter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The receiver's base address, `http://host:4317` or `https://...`. Without one the exporter is off.
    pub endpoint: Option<String>,
    /// How to speak; by default gRPC on port 4317, else HTTP.
    pub protocol: Option<Protocol>,
    /// Sent with every request; the place for keys.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>"))]
    pub headers: Headers,
    /// How requests are compressed.
    pub compression: Compression,
    /// How long one attempt may take.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub timeout: Duration,
    /// The least time between two batches.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub interval: Duration,
    /// Encoded bytes that may wait while the receiver is away; beyond them the oldest go, counted.
    #[serde(deserialize_with = "crate::units::size")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "size")))]
    pub queue_bytes: ByteSize,
    /// PEM file of the authority to trust, beside the system's.
    pub certificate: Option<PathBuf>,
    /// PEM file of our certificate, for receivers that ask for one.
    pub client_certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub client_key: Option<PathBuf>,
    /// The metrics address as it stands, from `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`.
    #[serde(skip)]
    pub metrics_endpoint: Option<String>,
    /// The same for logs, from `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`.
    #[serde(skip)]
    pub logs_endpoint: Option<String>,
    /// Alerts are not sent as log events, from `OTEL_LOGS_EXPORTER`.
    #[serde(skip)]
    pub no_logs: bool,
    /// An address without a scheme is not encrypted, from `OTEL_EXPORTER_OTLP_INSECURE`.
    #[serde(skip)]
    pub insecure: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: None,
            headers: Headers::default(),
            compression: Compression::Gzip,
            timeout: Duration::from_secs(10),
            interval: Duration::from_secs(10),
            queue_bytes: ByteSize::mib(8),
            certificate: None,
            client_certificate: None,
            client_key: None,
            metrics_endpoint: None,
            logs_endpoint: None,
            no_logs: false,
            insecure: false,
        }
    }
}

/// How to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Protocol {
    /// gRPC over HTTP/2.
    #[serde(rename = "grpc")]
    Grpc,
    /// Protobuf over HTTP.
    #[serde(rename = "http/protobuf")]
    Http,
}

impl Protocol {
    /// As OpenTelemetry spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// With gzip.
    Gzip,
    /// Not at all.
    None,
}

/// Where to send, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The address; for HTTP with its path.
    pub url: http::Uri,
    /// How to speak.
    pub protocol: Protocol,
}

impl Target {
    /// The address as it may be shown: without a user's name or password.
    #[must_use]
    pub fn shown(&self) -> String {
        let host = self.url.host().unwrap_or_default();
        let port = self.url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let path = if self.protocol == Protocol::Http { self.url.path() } else { "" };
        format!("{}://{host}{port}{path}", self.url.scheme_str().unwrap_or("http"))
    }

    /// The connection is to be encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme_str() == Some("https")
    }
}

impl Config {
    /// Takes the standard variables; those for metrics win over the general ones. Returns what cannot be used.
    pub fn apply_env(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        let mut problems = Vec::new();
        // An empty variable counts as unset, says the specification.
        let lookup = |suffix: &str| {
            [format!("OTEL_EXPORTER_OTLP_METRICS_{suffix}"), format!("OTEL_EXPORTER_OTLP_{suffix}")]
                .into_iter()
                .find_map(|name| Some((env(&name).filter(|value| !value.trim().is_empty())?, name)))
        };
        let general = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        if let Some(endpoint) = general("OTEL_EXPORTER_OTLP_ENDPOINT") {
            self.endpoint = Some(endpoint);
        }
        self.metrics_endpoint = general("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT").or(self.metrics_endpoint.take());
        self.logs_endpoint = general("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT").or(self.logs_endpoint.take());
        if let Some((text, name)) = lookup("PROTOCOL") {
            match text.trim() {
                "grpc" => self.protocol = Some(Protocol::Grpc),
                "http/protobuf" => self.protocol = Some(Protocol::Http),
                other => problems.push(format!("{name}: `{other}` is not supported; use grpc or http/protobuf")),
            }
        }
        if let Some((text, name)) = lookup("HEADERS") {
            for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
                match pair.split_once('=').map(|(key, value)| (key.trim(), percent_decoded(value.trim()))) {
                    Some((key, Some(value))) if !key.is_empty() => {
                        self.headers.0.insert(key.to_owned(), value);
                    }
                    // The pair may hold a key: it is not repeated.
                    _ => problems.push(format!("{name}: write each header as key=value, percent-encoded")),
                }
            }
        }
        if let Some((text, name)) = lookup("COMPRESSION") {
            match text.trim() {
                "gzip" => self.compression = Compression::Gzip,
                "none" => self.compression = Compression::None,
                other => problems.push(format!("{name}: `{other}` is not supported; use gzip or none")),
            }
        }
        if let Some((text, name)) = lookup("TIMEOUT") {
            match milliseconds(&text) {
                Some(timeout) => self.timeout = timeout,
                None => problems.push(format!("{name}: `{text}` {NO_MILLISECONDS}")),
            }
        }
        if let Some(text) = general("OTEL_METRIC_EXPORT_INTERVAL") {
            match milliseconds(&text) {
                Some(interval) => self.interval = interval,
                None => problems.push(format!("OTEL_METRIC_EXPORT_INTERVAL: `{text}` {NO_MILLISECONDS}")),
            }
        }
        if let Some((text, _)) = lookup("INSECURE") {
            self.insecure = text.trim().eq_ignore_ascii_case("true");
        }
        for (suffix, field) in [
            ("CERTIFICATE", &mut self.certificate),
            ("CLIENT_CERTIFICATE", &mut self.client_certificate),
            ("CLIENT_KEY", &mut self.client_key),
        ] {
            if let Some((path, _)) = lookup(suffix) {
                *field = Some(PathBuf::from(path));
            }
        }
        let off = |name: &str, value: &str| general(name).is_some_and(|text| text.trim().eq_ignore_ascii_case(value));
        if off("OTEL_SDK_DISABLED", "true") || off("OTEL_METRICS_EXPORTER", "none") {
            self.endpoint = None;
            self.metrics_endpoint = None;
        }
        self.no_logs = off("OTEL_SDK_DISABLED", "true") || off("OTEL_LOGS_EXPORTER", "none");
        if let Some(text) = general("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")
            && !text.trim().eq_ignore_ascii_case("cumulative")
        {
            problems.push(format!(
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: `{text}` is not supported; sums stay cumulative"
            ));
        }
        problems
    }

    /// Where to send metrics; `None` if the exporter is off.
    ///
    /// # Errors
    /// The address is none, or half of a key pair is missing.
    pub fn target(&self) -> Result<Option<Target>, Error> {
        self.target_of(self.metrics_endpoint.as_deref(), "/v1/metrics")
    }

    /// Where to send alerts as log events; `None` if they are not sent.
    ///
    /// # Errors
    /// The address is none.
    pub fn logs_target(&self) -> Result<Option<Target>, Error> {
        if self.no_logs { Ok(None) } else { self.target_of(self.logs_endpoint.as_deref(), "/v1/logs") }
    }

    /// The signal's own address as it stands, else the base address with the signal's path.
    fn target_of(&self, own: Option<&str>, path: &str) -> Result<Option<Target>, Error> {
        let problem = |field, message: String| Error::Option { exporter: NAME, field, message };
        let (text, is_base) = match (own, self.endpoint.as_deref()) {
            (Some(endpoint), _) => (endpoint, false),
            (None, Some(endpoint)) => (endpoint, true),
            (None, None) => return Ok(None),
        };
        if self.client_certificate.is_some() != self.client_key.is_some() {
            let message = "needs client_certificate and client_key together".to_owned();
            return Err(problem("client_certificate", message));
        }
        let text = text.trim();
        let with_scheme = match text.split_once("://") {
            Some(("http" | "https", _)) => text.to_owned(),
            Some((scheme, _)) => {
                return Err(problem("endpoint", format!("scheme `{scheme}` is not supported; use http or https")));
            }
            // As the specification has it: encrypted unless told otherwise.
            None if self.insecure => format!("http://{text}"),
            None => format!("https://{text}"),
        };
        let bad = |_| problem("endpoint", "is not an address; write it as http://host:4317".to_owned());
        let uri: http::Uri = with_scheme.parse().map_err(bad)?;
        if uri.port().is_some() && uri.port_u16().is_none() {
            return Err(problem("endpoint", "has a port beyond 65535".to_owned()));
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(problem("endpoint", "names no host; write it as http://host:4317".to_owned()));
        }
        let protocol =
            self.protocol.unwrap_or(if uri.port_u16() == Some(4317) { Protocol::Grpc } else { Protocol::Http });
        let url = match protocol {
            Protocol::Http if is_base => format!("{}{path}", with_scheme.trim_end_matches('/')).parse().map_err(bad)?,
            _ => uri,
        };
        Ok(Some(Target { url, protocol }))
    }
}

/// Text with `%XX` undone, as W3C baggage writes header values. `None` if it is not UTF-8 or an escape is broken.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_env(pairs: &[(&str, &str)]) -> (Config, Vec<String>) {
        let mut config = Config::default();
        let lookup = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let problems = config.apply_env(&lookup);
        (config, problems)
    }

    fn shown(config: &Config) -> String {
        let target = config.target().expect("a target").expect("on");
        format!("{} {}", target.protocol.name(), target.shown())
    }

    #[test]
    fn addresses_are_read_as_the_specification_says() {
        let base = |endpoint| shown(&from_env(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]).0);
        assert_eq!(base("http://c:4318"), "http/protobuf http://c:4318/v1/metrics");
        assert_eq!(base("https://c/otlp/"), "http/protobuf https://c/otlp/v1/metrics");
        assert_eq!(base("http://c:4317"), "grpc http://c:4317");
        assert_eq!(base("c:4317"), "grpc https://c:4317");
        let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317"), ("OTEL_EXPORTER_OTLP_INSECURE", "true")];
        assert_eq!(shown(&from_env(&env).0), "grpc http://c:4317");
        assert_eq!(base("http://user:secret@c:4318"), "http/protobuf http://c:4318/v1/metrics");
        let metrics = from_env(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:1/own/path"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ]);
        assert_eq!(shown(&metrics.0), "http/protobuf http://m:1/own/path", "used as it stands");
    }

    #[test]
    fn wrong_addresses_and_variables_are_named() {
        for endpoint in ["ftp://c", "http://", "http://a b"] {
            let config = Config { endpoint: Some(endpoint.to_owned()), ..Config::default() };
            assert!(config.target().is_err(), "{endpoint}");
        }
        let (config, problems) = from_env(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "ten"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", ""),
        ]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(config.compression, Compression::Gzip);
        assert!(config.target().expect("fine").is_none(), "off without an address");
    }

    #[test]
    fn no_value_of_any_variable_is_too_much() {
        let suffixes =
            ["ENDPOINT", "PROTOCOL", "HEADERS", "COMPRESSION", "TIMEOUT", "INSECURE", "CERTIFICATE", "CLIENT_KEY"];
        let names = suffixes.map(|suffix| format!("OTEL_EXPORTER_OTLP_{suffix}"));
        let own = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_SDK_DISABLED"];
        let bound = Duration::from_secs(3650 * 86_400);
        for name in names.iter().map(String::as_str).chain(own) {
            for value in crate::units::hostile::values() {
                let (config, problems) = from_env(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"), (name, &value)]);
                for duration in [config.timeout, config.interval] {
                    assert!(!duration.is_zero() && duration <= bound, "{name}={value}: {duration:?}, {problems:?}");
                }
                let wrong = config
                    .problems()
                    .iter()
                    .chain(config.target().err().iter())
                    .map(ToString::to_string)
                    .collect::<Vec<_>>();
                assert!(wrong.iter().all(|problem| !problem.is_empty()), "{name}={value}");
            }
        }
        let (_, problems) = from_env(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "18446744073709551615")]);
        assert!(problems[0].contains("3650d at most"), "{problems:?}");
    }

    #[test]
    fn headers_are_decoded_and_never_shown() {
        let (config, problems) = from_env(&[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s%20cret, x=1,broken")]);
        assert_eq!(config.headers.0["api-key"], "s cret");
        let shown = format!("{config:?} {problems:?}");
        assert!(!shown.contains("cret") && shown.contains("api-key"), "{shown}");
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn the_sdk_can_be_switched_off() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
        assert!(from_env(&[endpoint, ("OTEL_SDK_DISABLED", "true")]).0.target().expect("fine").is_none());
        assert!(from_env(&[endpoint, ("OTEL_METRICS_EXPORTER", "none")]).0.target().expect("fine").is_none());
    }
}
