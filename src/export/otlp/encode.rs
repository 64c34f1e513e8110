//! Points as OTLP metric requests. Pure.
//!
//! One resource per subject (the node's attributes and its own), each series with its own start time, a vanished
//! series as one point flagged "no recorded value".

use bytes::Bytes;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Gauge, Metric as OtlpMetric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::metric::{Kind, Number, Point, SCHEMA_URL, Subject};

/// Points in one request at most: about 1 MiB, while receivers take 4 MiB by default.
const MAX_POINTS: usize = 8000;

/// Encoded requests, each with the number of its points. `node` stands in every resource.
#[must_use]
pub fn requests<'a>(points: impl IntoIterator<Item = &'a Point>, node: &[(String, String)]) -> Vec<(Bytes, u64)> {
    let points: Vec<&Point> = points.into_iter().collect();
    points
        .chunks(MAX_POINTS)
        .map(|chunk| {
            let resource_metrics =
                chunk.chunk_by(|a, b| a.subject == b.subject).map(|points| resource_metrics(points, node)).collect();
            let request = ExportMetricsServiceRequest { resource_metrics };
            (request.encode_to_vec().into(), chunk.len() as u64)
        })
        .collect()
}

fn resource_metrics(points: &[&Point], node: &[(String, String)]) -> ResourceMetrics {
    ResourceMetrics {
        resource: Some(resource(&points[0].subject, node)),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..InstrumentationScope::default()
            }),
            metrics: points.chunk_by(|a, b| a.metric.name == b.metric.name).map(otlp_metric).collect(),
            schema_url: SCHEMA_URL.to_owned(),
        }],
        schema_url: SCHEMA_URL.to_owned(),
    }
}

fn resource(subject: &Subject, node: &[(String, String)]) -> Resource {
    let node = node.iter().map(|(key, value)| attribute(key, text(value)));
    let own = subject
        .attributes
        .iter()
        .map(|a| attribute(&a.key, if a.named.list { list(&a.value) } else { text(&a.value) }));
    Resource { attributes: node.chain(own).collect(), ..Resource::default() }
}

fn text(value: &str) -> any_value::Value {
    any_value::Value::StringValue(value.to_owned())
}

/// A list of one.
fn list(value: &str) -> any_value::Value {
    any_value::Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(text(value)) }] })
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn otlp_metric(points: &[&Point]) -> OtlpMetric {
    let definition = points[0].metric;
    let data_points = points.iter().map(|point| data_point(point)).collect();
    let sum = |is_monotonic, data_points| {
        metric::Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic,
        })
    };
    let data = match definition.kind {
        Kind::Counter => sum(true, data_points),
        Kind::UpDown => sum(false, data_points),
        Kind::Gauge => metric::Data::Gauge(Gauge { data_points }),
    };
    OtlpMetric {
        name: definition.name.to_owned(),
        description: definition.help.to_owned(),
        unit: definition.unit.to_owned(),
        data: Some(data),
        ..OtlpMetric::default()
    }
}

fn data_point(point: &Point) -> NumberDataPoint {
    let value = point.value.map(|value| match value {
        Number::Int(value) => number_data_point::Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX)),
        Number::Float(value) => number_data_point::Value::AsDouble(value),
    });
    NumberDataPoint {
        attributes: point.attributes.iter().map(|(key, value)| attribute(key, text(value))).collect(),
        start_time_unix_nano: match point.metric.kind {
            Kind::Counter | Kind::UpDown => point.start.map_or(0, nanos),
            Kind::Gauge => 0,
        },
        time_unix_nano: nanos(point.at),
        flags: if value.is_none() { DataPointFlags::NoRecordedValueMask as u32 } else { 0 },
        value,
        ..NumberDataPoint::default()
    }
}

fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalogue;
    use crate::metric::attribute::CONTAINER_ID;
    use crate::metric::{Attribute, Metric};

    fn subject(id: &str) -> Arc<Subject> {
        let attributes = vec![Attribute::new(&CONTAINER_ID, id)];
        Arc::new(Subject { attributes })
    }

    fn decode(bytes: &Bytes) -> ExportMetricsServiceRequest {
        ExportMetricsServiceRequest::decode(bytes.clone()).expect("a request")
    }

    fn metric(name: &str) -> &'static Metric {
        catalogue::named(name).expect("a metric")
    }

    #[test]
    fn each_series_has_its_own_start_and_each_container_its_resource() {
        let time = |second| Timestamp::from_second(second).expect("a time");
        let [a, b] = [subject("a"), subject("b")];
        let cpu = |subject, mode: &'static str, start| {
            Point::new(
                metric("container.cpu.time"),
                subject,
                vec![("cpu.mode", mode.into())],
                Number::Float(1.5),
                Some(time(start)),
                time(9),
            )
        };
        let points = [
            cpu(&a, "user", 1),
            cpu(&a, "system", 1),
            Point::new(metric("container.cpu.usage"), &a, vec![], Number::Float(0.5), Some(time(1)), time(9)),
            cpu(&b, "user", 2),
            Point { value: None, ..cpu(&b, "system", 2) },
        ];
        let encoded = requests(&points, &[("host.name".to_owned(), "node-1".to_owned())]);
        assert_eq!(encoded.len(), 1);
        assert_eq!(encoded[0].1, 5);
        let request = decode(&encoded[0].0);
        assert_eq!(request.resource_metrics.len(), 2);
        let of = |resource: usize| &request.resource_metrics[resource].scope_metrics[0].metrics;
        let keys: Vec<&str> = request.resource_metrics[0]
            .resource
            .as_ref()
            .expect("a resource")
            .attributes
            .iter()
            .map(|a| a.key.as_str())
            .collect();
        assert_eq!(keys, ["host.name", "container.id"]);
        assert_eq!(
            of(0).iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
            ["container.cpu.time", "container.cpu.usage"]
        );
        let Some(metric::Data::Sum(sum)) = &of(1)[0].data else { panic!("a sum") };
        assert!(sum.is_monotonic);
        assert_eq!(sum.data_points[0].start_time_unix_nano, 2_000_000_000);
        assert_eq!((sum.data_points[0].flags, sum.data_points[1].flags), (0, 1));
        assert_eq!(sum.data_points[1].value, None);
    }

    #[test]
    fn many_points_part_into_requests_and_none_is_lost() {
        let subject = subject("a");
        let point =
            Point::new(metric("container.cpu.usage"), &subject, vec![], Number::Int(1), None, Timestamp::UNIX_EPOCH);
        let points = vec![point; MAX_POINTS * 2 + 1];
        let encoded = requests(&points, &[]);
        assert_eq!(encoded.iter().map(|(_, points)| *points).collect::<Vec<_>>(), [8000, 8000, 1]);
        assert_eq!(requests(&[], &[]), []);
    }
}
