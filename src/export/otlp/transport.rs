//! One connection to a receiver, over gRPC or HTTP, and what its answers mean.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::super::Error;
use super::super::http::{USER_AGENT, chain, client};
use super::NAME;
use super::config::{Compression, Config, Protocol, Target};

const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
/// More of an answer than this is not read.
const MAX_ANSWER: usize = 64 * 1024;

/// A connection. Opened without a word to the receiver, which may come later.
#[derive(Clone)]
pub struct Connection {
    pub wire: Wire,
    pub headers: HeaderMap,
    pub compression: Compression,
    pub timeout: Duration,
}

/// The two ways to speak.
#[derive(Clone)]
pub enum Wire {
    Grpc(Channel),
    Http(reqwest::Client, String),
}

/// What came of one attempt.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Taken, but for this many points.
    Taken { rejected: u64, message: String },
    /// Not now; perhaps later, and not before this long.
    Later { message: String, after: Option<Duration> },
    /// Never.
    Refused { message: String },
}

impl Connection {
    pub fn open(config: &Config, target: &Target) -> Result<Self, Error> {
        // Whoever came first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            wire: match target.protocol {
                Protocol::Grpc => Wire::Grpc(channel(config, target)?),
                Protocol::Http => Wire::Http(http_client(config, target)?, target.url.to_string()),
            },
            headers: headers(config)?,
            compression: config.compression,
            timeout: config.timeout,
        })
    }

    /// The headers as the SDK takes them.
    pub fn plain_headers(&self) -> HashMap<String, String> {
        let text = |(name, value): (&http::HeaderName, &HeaderValue)| {
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        };
        self.headers.iter().filter_map(text).collect()
    }

    /// One attempt.
    pub async fn send(&self, request: Bytes) -> Answer {
        let attempt = async {
            match &self.wire {
                Wire::Grpc(channel) => self.send_grpc(channel.clone(), request).await,
                Wire::Http(client, url) => self.send_http(client, url, request).await,
            }
        };
        tokio::time::timeout(self.timeout, attempt).await.unwrap_or_else(|_| Answer::Later {
            message: format!("no answer within {}", humantime::format_duration(self.timeout)),
            after: None,
        })
    }

    async fn send_grpc(&self, channel: Channel, request: Bytes) -> Answer {
        let mut client = tonic::client::Grpc::new(channel);
        if self.compression == Compression::Gzip {
            client = client.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
        }
        if let Err(error) = client.ready().await {
            return Answer::Later { message: chain(&error), after: None };
        }
        let mut request = Request::new(request);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        match client.unary(request, http::uri::PathAndQuery::from_static(EXPORT), Encoded).await {
            Ok(answer) => taken(answer.into_inner()),
            Err(status) => refused(&status),
        }
    }

    async fn send_http(&self, client: &reqwest::Client, url: &str, request: Bytes) -> Answer {
        let mut builder = client.post(url).headers(self.headers.clone()).header(CONTENT_TYPE, "application/x-protobuf");
        builder = match self.compression {
            Compression::None => builder.body(request),
            Compression::Gzip => match gzip(&request) {
                Ok(body) => builder.header(CONTENT_ENCODING, "gzip").body(body),
                Err(error) => return Answer::Refused { message: format!("cannot compress: {error}") },
            },
        };
        let response = match builder.send().await {
            Ok(response) => response,
            // The address may hold a password: it is not repeated.
            Err(error) => return Answer::Later { message: chain(&error.without_url()), after: None },
        };
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(retry_after);
        let body = match read_bounded(response).await {
            Ok(body) => body,
            Err(error) if status.is_success() => {
                return Answer::Later { message: chain(&error.without_url()), after: None };
            }
            Err(_) => Bytes::new(),
        };
        match status.as_u16() {
            200..=299 => ExportMetricsServiceResponse::decode(body)
                .map_or(Answer::Taken { rejected: 0, message: String::new() }, taken),
            300..=399 => Answer::Refused {
                message: format!("status {status}: redirects are not followed; set the final address"),
            },
            429 | 502 | 503 | 504 => Answer::Later { message: format!("status {status}"), after },
            _ => Answer::Refused { message: format!("status {status}{}", said(&body)) },
        }
    }
}

async fn read_bounded(mut response: reqwest::Response) -> Result<Bytes, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER.saturating_sub(body.len()))]);
    }
    Ok(body.into())
}

/// The beginning of an answer that is text, for the log.
fn said(body: &Bytes) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if !text.trim().is_empty() && !text.contains(|c: char| c.is_control() && c != '\n') => {
            format!(": {}", text.trim().chars().take(200).collect::<String>())
        }
        _ => String::new(),
    }
}

fn taken(answer: ExportMetricsServiceResponse) -> Answer {
    let partial = answer.partial_success.unwrap_or_default();
    Answer::Taken { rejected: u64::try_from(partial.rejected_data_points).unwrap_or(0), message: partial.error_message }
}

/// Which refusals may pass is OTLP's table; an exhausted resource only where the receiver says when to come back.
fn refused(status: &Status) -> Answer {
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    // What broke below gRPC stands in the causes.
    let causes = std::error::Error::source(status).map(|cause| format!(": {}", chain(cause))).unwrap_or_default();
    let message = format!("{:?}: {}{causes}", status.code(), status.message());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Answer::Later { message, after },
        Code::ResourceExhausted if after.is_some() => Answer::Later { message, after },
        // A connection that breaks mid-way surfaces so.
        Code::Unknown if std::error::Error::source(status).is_some() => Answer::Later { message, after: None },
        _ => Answer::Refused { message },
    }
}

/// `Retry-After` in seconds; its other form, a date, is left to the backoff.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// An error and its causes, in one line.
fn headers(config: &Config) -> Result<HeaderMap, Error> {
    config.headers.checked().map_err(|message| Error::Option { exporter: NAME, field: "headers", message })
}

fn read_pem(field: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|e| Error::Option { exporter: NAME, field, message: format!("{}: {e}", path.display()) })
}

/// What is wrong with the options that only show in use: headers and key files. Field and message.
pub fn problems(config: &Config) -> Vec<Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut problems: Vec<Error> = headers(config).err().into_iter().collect();
    problems.extend(authorities(config).err());
    problems.extend(identity(config).err());
    problems
}

fn authorities(config: &Config) -> Result<Vec<reqwest::Certificate>, Error> {
    const FIELD: &str = "certificate";
    let Some(path) = &config.certificate else { return Ok(Vec::new()) };
    let not_pem =
        |why: String| Error::Option { exporter: NAME, field: FIELD, message: format!("{}: {why}", path.display()) };
    let found = reqwest::Certificate::from_pem_bundle(&read_pem(FIELD, path)?).map_err(|e| not_pem(chain(&e)))?;
    if found.is_empty() { Err(not_pem("holds no certificate in PEM".to_owned())) } else { Ok(found) }
}

fn identity(config: &Config) -> Result<Option<reqwest::Identity>, Error> {
    const FIELD: &str = "client_certificate";
    let (Some(certificate), Some(key)) = (&config.client_certificate, &config.client_key) else { return Ok(None) };
    let mut pem = read_pem(FIELD, certificate)?;
    pem.push(b'\n');
    pem.extend(read_pem("client_key", key)?);
    let not_pem = |e: reqwest::Error| Error::Option { exporter: NAME, field: FIELD, message: chain(&e) };
    reqwest::Identity::from_pem(&pem).map(Some).map_err(not_pem)
}

fn channel(config: &Config, target: &Target) -> Result<Channel, Error> {
    let problem = |message| Error::Option { exporter: NAME, field: "endpoint", message };
    let half = config.timeout.mul_f64(0.5);
    let mut endpoint = Endpoint::from(target.url.clone())
        .user_agent(USER_AGENT)
        .map_err(|e| problem(chain(&e)))?
        .connect_timeout(config.timeout)
        // A connection that died in silence is noticed while a request waits on it.
        .http2_keep_alive_interval(half)
        .keep_alive_timeout(half);
    if target.is_tls() {
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(path) = &config.certificate {
            tls = tls.ca_certificate(Certificate::from_pem(read_pem("certificate", path)?));
        }
        if let (Some(certificate), Some(key)) = (&config.client_certificate, &config.client_key) {
            let certificate = read_pem("client_certificate", certificate)?;
            tls = tls.identity(Identity::from_pem(certificate, read_pem("client_key", key)?));
        }
        endpoint = endpoint.tls_config(tls).map_err(|e| problem(chain(&e)))?;
    }
    Ok(endpoint.connect_lazy())
}

fn http_client(config: &Config, target: &Target) -> Result<reqwest::Client, Error> {
    let problem = |e: reqwest::Error| Error::Option { exporter: NAME, field: "endpoint", message: chain(&e) };
    let mut builder = client(config.timeout, target.is_tls());
    if target.is_tls() {
        builder = builder.tls_certs_merge(authorities(config)?);
        if let Some(identity) = identity(config)? {
            builder = builder.identity(identity);
        }
    }
    builder.build().map_err(problem)
}

/// A gRPC codec whose requests are encoded already.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ExportMetricsServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = ExportMetricsServiceResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        ExportMetricsServiceResponse::decode(bytes).map(Some).map_err(|e| Status::internal(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_part_into_those_that_pass_and_those_that_stay() {
        let later = |code| matches!(refused(&Status::new(code, "")), Answer::Later { .. });
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Aborted, Code::DataLoss] {
            assert!(later(code), "{code:?}");
        }
        for code in [Code::InvalidArgument, Code::Unauthenticated, Code::Unimplemented, Code::ResourceExhausted] {
            assert!(!later(code), "{code:?}");
        }
        let delay = Duration::from_secs(7);
        let details = tonic_types::ErrorDetails::with_retry_info(Some(delay));
        let status = Status::with_error_details(Code::ResourceExhausted, "", details);
        assert!(matches!(refused(&status), Answer::Later { after: Some(after), .. } if after == delay));
    }

    #[test]
    fn whatever_a_receiver_asks_for_is_seconds_or_nothing() {
        for value in crate::units::hostile::values() {
            let Ok(header) = HeaderValue::from_str(&value) else { continue };
            let seconds = value.trim().parse().ok().map(Duration::from_secs);
            assert_eq!(retry_after(&header), seconds, "{value}");
        }
        let status = Status::with_error_details(
            Code::Unavailable,
            "",
            tonic_types::ErrorDetails::with_retry_info(Some(Duration::MAX)),
        );
        assert!(matches!(refused(&status), Answer::Later { .. }));
    }

    #[test]
    fn wrong_headers_are_named_without_their_value() {
        let mut config = Config::default();
        config.headers.0.insert("bad name".to_owned(), "secret".to_owned());
        let error = headers(&config).expect_err("refused").to_string();
        assert!(error.contains("bad name") && !error.contains("secret"), "{error}");
    }
}
