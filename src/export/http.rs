//! What exporters over HTTP share: headers, the client, and errors as one line.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, de};

/// How this program calls itself.
pub const USER_AGENT: &str = concat!("plumbline/", env!("CARGO_PKG_VERSION"));

/// Headers. Their values are secrets: they are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde would repeat the value that is wrong.
        let expected = |_| de::Error::custom("expected a table of texts, as in { api-key = \"...\" }");
        BTreeMap::deserialize(deserializer).map(Self).map_err(expected)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Headers {
    /// As they are sent.
    ///
    /// # Errors
    /// One is no header; its value is not repeated.
    pub fn checked(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.0 {
            let key = HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` is not a header name"))?;
            let mut value =
                HeaderValue::try_from(value.as_str()).map_err(|_| format!("the value of `{name}` is not printable"))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(headers)
    }
}

/// The beginnings of a client that follows no redirect: one would turn the request into an empty GET, and hand the headers' keys
/// to whoever it names. Without `tls` it needs no authority to trust: a small image may have none, and would otherwise have no
/// client at all.
pub fn client(connect_timeout: Duration, tls: bool) -> reqwest::ClientBuilder {
    // Whoever came first has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none());
    if tls { builder } else { builder.tls_certs_only(std::iter::empty::<reqwest::Certificate>()) }
}

/// An error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
