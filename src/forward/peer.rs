//! One call to another agent: who it is, or labels for it; and what its answer means.
//!
//! Only what says that the rows themselves are wrong is for good. All else - a token that is not the right one, a proxy that knows of no
//! agent, an agent that starts - may be mended without the labels being lost.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Deserialize;

use super::{Address, Config};
use crate::client::{chain, client};
use crate::identity::ModelKey;
use crate::model::address;

/// More of an answer than this is not read.
const MAX_ANSWER: usize = 64 * 1024;
/// A token's file is no longer than this.
const MAX_TOKEN: u64 = 64 * 1024;

/// Another agent.
#[derive(Debug, Clone)]
pub struct Peer {
    config: Config,
    address: Address,
    http: reqwest::Client,
}

/// What came of labels that an agent took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Rows that it took.
    pub accepted: u64,
    /// Rows that it refused for good.
    pub refused: u64,
    /// Why it refused the first of them.
    pub message: Option<String>,
}

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may come to something later, and not before so long.
    Later {
        /// For people.
        message: String,
        /// What it asked for.
        after: Option<Duration>,
    },
    /// It takes no body so large, or not so many rows.
    TooLarge(String),
}

fn later(message: impl Into<String>) -> Failure {
    Failure::Later { message: message.into(), after: None }
}

/// Who an agent is, as it says.
#[derive(Deserialize)]
struct Identity {
    agent: String,
}

/// What an agent says of rows.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RowsAnswer {
    accepted: u64,
    rejected: u64,
    errors: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    message: String,
}

/// An answer, as far as it was read.
struct Answer {
    status: u16,
    after: Option<Duration>,
    body: Vec<u8>,
}

impl Peer {
    /// Speaks to nobody yet.
    ///
    /// # Errors
    /// The settings name what cannot be used.
    pub fn new(config: &Config, address: Address) -> Result<Self, String> {
        let tls = address.url.starts_with("https");
        // Each call has a connection of its own: among hundreds of agents those that are kept would be most of what one can hold.
        let mut http = client(config.timeout, tls).timeout(config.timeout).pool_max_idle_per_host(0);
        if tls {
            http = http.tls_certs_merge(authorities(config)?);
        }
        if let Some((name, at)) = &address.pinned {
            http = http.resolve(name, *at);
        }
        let http = http.build().map_err(|error| chain(&error))?;
        Ok(Self { config: config.clone(), address, http })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks who it is.
    ///
    /// # Errors
    /// It does not say.
    pub async fn identity(&self) -> Result<String, Failure> {
        let answer = self.call(self.http.get(self.url(address::AGENT))).await?;
        if answer.status != 200 {
            return Err(Failure::Later { message: answer.said(), after: answer.after });
        }
        let said = serde_json::from_slice::<Identity>(&answer.body).ok().map(|identity| identity.agent);
        let named = said.filter(|agent| agent.len() == 32 && agent.bytes().all(|byte| byte.is_ascii_hexdigit()));
        named.ok_or_else(|| later(format!("{} says no agent's name: is it one, of this version?", address::AGENT)))
    }

    /// Sends labels, of which this agent `from` is the first to have them, to the agent `to`.
    ///
    /// # Errors
    /// None were taken.
    pub async fn send(&self, model: &ModelKey, labels: &RecordBatch, from: &str, to: &str) -> Result<Taken, Failure> {
        let body = encode(labels).map_err(|error| later(format!("labels cannot be encoded: {error}")))?;
        let request = self
            .http
            .post(self.url(&address::of("/v1/models", model, "/labels")))
            .header(CONTENT_TYPE, "application/vnd.apache.arrow.stream")
            .header(address::FORWARDED_BY, from)
            .header(address::FOR_AGENT, to)
            .body(body);
        let answer = self.call(request).await?;
        let rows = || serde_json::from_slice::<RowsAnswer>(&answer.body).ok();
        match answer.status {
            202 => {
                let rows = rows().ok_or_else(|| later("its answer is none of an agent"))?;
                let message = rows.errors.into_iter().next().map(|told| told.message);
                Ok(Taken { accepted: rows.accepted, refused: rows.rejected, message })
            }
            413 => Err(Failure::TooLarge(answer.said())),
            // The rows are wrong, or there is no room for their model.
            400 | 422 | 507 => {
                Ok(Taken { accepted: 0, refused: labels.num_rows() as u64, message: Some(answer.said()) })
            }
            _ => Err(Failure::Later { message: answer.said(), after: answer.after }),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address.url)
    }

    async fn call(&self, mut request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        if let Some(token) = token(&self.config).map_err(later)? {
            request = request.header(AUTHORIZATION, token);
        }
        let mut response = request.send().await.map_err(|error| later(chain(&error.without_url())))?;
        let status = response.status().as_u16();
        let after = response.headers().get(RETRY_AFTER).and_then(retry_after);
        let mut body = Vec::new();
        while body.len() < MAX_ANSWER {
            match response.chunk().await {
                Ok(Some(part)) => body.extend_from_slice(&part),
                Ok(None) => break,
                Err(error) => return Err(later(chain(&error.without_url()))),
            }
        }
        Ok(Answer { status, after, body })
    }
}

impl Answer {
    /// The status, and what it says, in a line.
    fn said(&self) -> String {
        let told =
            serde_json::from_slice::<RowsAnswer>(&self.body).ok().and_then(|rows| rows.errors.into_iter().next());
        let text = || std::str::from_utf8(&self.body).ok()?.lines().next().map(str::to_owned);
        let told = told.map(|told| told.message).or_else(text);
        // A page is for browsers.
        let told =
            told.filter(|told| !told.trim().is_empty() && !told.starts_with('<') && !told.contains(char::is_control));
        let why = match self.status {
            300..=399 => Some("redirects are not followed".to_owned()),
            401 | 403 => Some("the token is not the right one (forward.token_file)".to_owned()),
            404 => Some("no agent of this version is there".to_owned()),
            _ => told.map(|told| told.chars().take(200).collect()),
        };
        why.map_or_else(|| format!("status {}", self.status), |why| format!("status {}: {why}", self.status))
    }
}

/// `Retry-After` in seconds; its other form, a date, is left to the pauses.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The rows as an Arrow stream. Texts take the place that they need, whatever they are a part of.
fn encode(labels: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let of = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
        _ => Arc::clone(column),
    };
    let labels = RecordBatch::try_new(labels.schema(), labels.columns().iter().map(of).collect())?;
    let mut writer = StreamWriter::try_new(Vec::new(), &labels.schema())?;
    writer.write(&labels)?;
    writer.into_inner()
}

/// What to trust beside the system's authorities.
pub(super) fn authorities(config: &Config) -> Result<Vec<reqwest::Certificate>, String> {
    let Some(path) = &config.certificate else { return Ok(Vec::new()) };
    let wrong = |why: String| format!("{}: {why}", path.display());
    let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let found = reqwest::Certificate::from_pem_bundle(&text).map_err(|error| wrong(chain(&error)))?;
    if found.is_empty() { Err(wrong("holds no certificate in PEM".to_owned())) } else { Ok(found) }
}

/// The header with the token, as its file has it now: it may change.
pub(super) fn token(config: &Config) -> Result<Option<HeaderValue>, String> {
    let Some(path) = &config.token_file else { return Ok(None) };
    let wrong = |why: &str| format!("{}: {why}", path.display());
    let meta = fs::metadata(path).map_err(|error| wrong(&error.to_string()))?;
    if !meta.is_file() || meta.len() > MAX_TOKEN {
        return Err(wrong("is no file with a token"));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?;
    let header = Some(text.trim()).filter(|token| !token.is_empty()).map(|token| format!("Bearer {token}"));
    let mut header = header.and_then(|text| HeaderValue::try_from(text).ok()).ok_or_else(|| wrong("holds no token"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

#[cfg(test)]
mod tests;
