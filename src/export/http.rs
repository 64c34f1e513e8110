//! What exporters over HTTP share: headers beside the client.

use std::collections::BTreeMap;
use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, de};

pub use crate::client::{USER_AGENT, chain, client};

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
