//! The agent's own telemetry, through the OpenTelemetry SDK, on the exporter's connection.
//!
//! Its instruments observe the same points that `/metrics` shows; they are few, far below the SDK's limit.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{MetricExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::metadata::MetadataMap;

use super::super::{Context, Points};
use super::config::Compression;
use super::transport::{Connection, Wire};
use crate::metric::{AGENT_METRICS, Kind, Metric, Number, Point};
use crate::stats::whole;

/// The running telemetry.
pub struct Own(Option<SdkMeterProvider>);

impl Own {
    /// Sends what is left and ends. The SDK blocks, so it does so on a thread of its own.
    pub async fn shutdown(mut self) {
        if let Some(provider) = self.0.take() {
            let _ = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Where the exporter was cut short: the SDK ends by blocking, and not on a thread of the runtime.
        if let Some(provider) = self.0.take() {
            std::thread::spawn(move || drop(provider));
        }
    }
}

/// Starts it. A failure is logged: the agent lives on without.
pub fn start(connection: &Connection, context: &Context, interval: Duration) -> Option<Own> {
    let exporter = match exporter(connection) {
        Ok(exporter) => exporter,
        Err(error) => {
            tracing::warn!(%error, "the agent's own telemetry is not sent");
            return None;
        }
    };
    let reader = PeriodicReader::builder(exporter).with_interval(interval).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource(&context.node)).build();
    let meter = provider.meter(env!("CARGO_PKG_NAME"));
    for metric in AGENT_METRICS {
        observe(&meter, metric, context.points.clone());
    }
    Some(Own(Some(provider)))
}

/// The agent as a resource: itself, and the node it is on.
pub fn resource(node: &[(String, String)]) -> Resource {
    let node = node.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .with_attributes(node)
        .build()
}

fn exporter(connection: &Connection) -> Result<MetricExporter, opentelemetry_otlp::ExporterBuildError> {
    let gzip = connection.compression == Compression::Gzip;
    match &connection.wire {
        Wire::Grpc(channel) => {
            let mut builder = MetricExporter::builder()
                .with_tonic()
                .with_channel(channel.clone())
                .with_metadata(MetadataMap::from_headers(connection.headers.clone()))
                .with_timeout(connection.timeout);
            if gzip {
                builder = builder.with_compression(opentelemetry_otlp::Compression::Gzip);
            }
            builder.build()
        }
        Wire::Http(client, url) => {
            let mut builder = MetricExporter::builder()
                .with_http()
                .with_shared_http_client(Arc::new(OnRuntime { client: client.clone(), runtime: Handle::current() }))
                .with_endpoint(url.clone())
                .with_headers(connection.plain_headers())
                .with_timeout(connection.timeout);
            if gzip {
                builder = builder.with_compression(opentelemetry_otlp::Compression::Gzip);
            }
            builder.build()
        }
    }
}

/// Registers the instrument whose values are the newest points of `metric`.
fn observe(meter: &Meter, metric: &'static Metric, points: watch::Receiver<Arc<Points>>) {
    let each = move |observe: &mut dyn FnMut(&Point, Number, &[KeyValue])| {
        let points = Arc::clone(&points.borrow());
        for point in points.own.iter().filter(|point| point.metric.name == metric.name) {
            let Some(value) = point.value else { continue };
            let attributes: Vec<KeyValue> =
                point.attributes.iter().map(|(key, value)| KeyValue::new(*key, value.to_string())).collect();
            observe(point, value, &attributes);
        }
    };
    let real = |value| match value {
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    };
    let count = |value| match value {
        Number::Int(value) => value,
        Number::Float(value) => whole::unsigned(value),
    };
    let (name, unit, help) = (metric.name, metric.unit, metric.help);
    // Counts stay whole; seconds are real.
    match (metric.kind, unit) {
        (Kind::Counter, "s") => {
            meter
                .f64_observable_counter(name)
                .with_unit(unit)
                .with_description(help)
                .with_callback(move |observer| {
                    each(&mut |_, value, attributes| observer.observe(real(value), attributes));
                })
                .build();
        }
        (Kind::Counter, _) => {
            meter
                .u64_observable_counter(name)
                .with_unit(unit)
                .with_description(help)
                .with_callback(move |observer| {
                    each(&mut |_, value, attributes| observer.observe(count(value), attributes));
                })
                .build();
        }
        (Kind::UpDown, _) => {
            meter
                .i64_observable_up_down_counter(name)
                .with_unit(unit)
                .with_description(help)
                .with_callback(move |observer| {
                    each(&mut |_, value, attributes| {
                        observer.observe(i64::try_from(count(value)).unwrap_or(i64::MAX), attributes);
                    });
                })
                .build();
        }
        (Kind::Gauge, _) => {
            meter
                .f64_observable_gauge(name)
                .with_unit(unit)
                .with_description(help)
                .with_callback(move |observer| {
                    each(&mut |_, value, attributes| observer.observe(real(value), attributes));
                })
                .build();
        }
    }
}

/// The SDK sends from a thread without a runtime; the client needs one.
#[derive(Debug)]
pub struct OnRuntime {
    pub client: reqwest::Client,
    pub runtime: Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let request = reqwest::Request::try_from(request)?;
            let response = client.execute(request).await?;
            let mut answer = Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                headers.extend(response.headers().clone());
            }
            Ok::<_, HttpError>(answer.body(response.bytes().await?)?)
        });
        sent.await?
    }
}
