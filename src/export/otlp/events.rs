//! Alerts as OpenTelemetry log events, through `opentelemetry-otlp`.
//!
//! The SDK's own processors drop what a receiver does not take; so the exporter is called here, and again until it is taken.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{InstrumentationScope, Key};
use opentelemetry_otlp::{ExporterBuildError, LogExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider};
use tokio::runtime::Handle;
use tonic::metadata::MetadataMap;

use super::super::Context;
use super::NAME;
use super::config::Compression;
use super::own::{OnRuntime, resource};
use super::transport::{Connection, Wire};
use crate::alert::rule;
use crate::alert::view::{AlertState, Event};

/// The events' name.
const EVENT: &str = "plumbline.alert";
/// Events that may wait while the receiver is away; beyond them the oldest go, counted.
const WAITING: usize = 1000;
/// Between attempts, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Sends each event until told to stop, and what waits then once more.
pub async fn run(connection: Connection, mut context: Context) {
    let mut exporter = match exporter(&connection) {
        Ok(exporter) => exporter,
        Err(error) => {
            tracing::warn!(%error, "alerts are not sent as log events");
            return;
        }
    };
    exporter.set_resource(&resource(&context.node));
    let logger = SdkLoggerProvider::builder().build().logger(env!("CARGO_PKG_NAME"));
    let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION")).build();
    let mut waiting: VecDeque<Event> = VecDeque::new();
    let mut taken = context.delivered.otlp.load(Ordering::Relaxed);
    let mut pause = RETRY.0;
    let mut correction = context.alerts.borrow().correction;
    loop {
        let view = context.alerts.borrow_and_update().clone();
        let set = view.correction.saturating_sub(std::mem::replace(&mut correction, view.correction));
        if !set.is_zero() {
            waiting = waiting.into_iter().map(|event| event.moved(set)).collect();
        }
        waiting.extend(view.events.iter().filter(|event| event.sequence > taken).cloned());
        taken = view.events.last().map_or(taken, |event| event.sequence.max(taken));
        let lost = waiting.len().saturating_sub(WAITING);
        waiting.drain(..lost);
        context.health.exporter(NAME, |state| state.dropped = state.dropped.saturating_add(lost as u64));
        let stopping = *context.stop.borrow();
        if !waiting.is_empty() {
            let records: Vec<SdkLogRecord> = waiting.iter().map(|event| record(&logger, event)).collect();
            let batch: Vec<_> = records.iter().map(|record| (record, &scope)).collect();
            match tokio::time::timeout(connection.timeout, exporter.export(LogBatch::new(&batch))).await {
                Ok(Ok(())) => {
                    if let Some(last) = waiting.back() {
                        context.delivered.otlp.fetch_max(last.sequence, Ordering::Relaxed);
                    }
                    waiting.clear();
                    pause = RETRY.0;
                }
                failed => {
                    let error = match failed {
                        Ok(Err(error)) => error.to_string(),
                        _ => "no answer in time".to_owned(),
                    };
                    context.health.exporter(NAME, |state| state.failures = state.failures.saturating_add(1));
                    if pause == RETRY.0 {
                        tracing::warn!(
                            exporter = NAME,
                            error,
                            "log events of alerts are queued and will be sent again"
                        );
                    }
                }
            }
        }
        if stopping {
            return;
        }
        let retry = tokio::time::sleep(pause);
        tokio::select! {
            changed = context.alerts.changed() => if changed.is_err() { return },
            () = retry, if !waiting.is_empty() => pause = pause.saturating_mul(2).min(RETRY.1),
            _ = context.stop.wait_for(|stop| *stop) => {}
        }
    }
}

fn exporter(connection: &Connection) -> Result<LogExporter, ExporterBuildError> {
    let gzip = connection.compression == Compression::Gzip;
    match &connection.wire {
        Wire::Grpc(channel) => {
            let builder = LogExporter::builder()
                .with_tonic()
                .with_channel(channel.clone())
                .with_metadata(MetadataMap::from_headers(connection.headers.clone()))
                .with_timeout(connection.timeout);
            if gzip { builder.with_compression(opentelemetry_otlp::Compression::Gzip) } else { builder }.build()
        }
        Wire::Http(client, url) => {
            let headers: HashMap<String, String> = connection.plain_headers();
            let client = OnRuntime { client: client.clone(), runtime: Handle::current() };
            let builder = LogExporter::builder()
                .with_http()
                .with_shared_http_client(Arc::new(client))
                .with_endpoint(url.clone())
                .with_headers(headers)
                .with_timeout(connection.timeout);
            if gzip { builder.with_compression(opentelemetry_otlp::Compression::Gzip) } else { builder }.build()
        }
    }
}

/// An event is a log record with a name and flat attributes.
fn record(logger: &SdkLogger, event: &Event) -> SdkLogRecord {
    let alert = &event.alert;
    let mut record = logger.create_log_record();
    record.set_event_name(EVENT);
    let nanos = u64::try_from(event.at.as_nanosecond()).unwrap_or(0);
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos)).unwrap_or(SystemTime::UNIX_EPOCH);
    record.set_timestamp(at);
    record.set_observed_timestamp(at);
    let severity = match (alert.state, alert.severity) {
        (AlertState::Resolved, _) | (_, rule::Severity::Info) => Severity::Info,
        (_, rule::Severity::Warning) => Severity::Warn,
        (_, rule::Severity::Critical) => Severity::Error,
    };
    record.set_severity_number(severity);
    record.set_severity_text(severity.name());
    record.set_body(AnyValue::from(alert.message.clone()));
    let mut add = |key: String, value: AnyValue| record.add_attribute(Key::from(key), value);
    add("alert.name".to_owned(), alert.name.clone().into());
    add("alert.state".to_owned(), alert.state.name().into());
    add("alert.severity".to_owned(), alert.severity.name().into());
    add("alert.metric".to_owned(), alert.metric.clone().into());
    add("alert.value".to_owned(), alert.value.into());
    add("alert.threshold".to_owned(), alert.threshold.into());
    for (key, value) in &alert.labels {
        add(key.clone(), value.clone().into());
    }
    record
}
