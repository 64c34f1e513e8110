//! OTLP's requests for logs, in protobuf and JSON, record by record: a request may claim many more records than it has bytes for in memory,
//! so that each is read by itself and given on. Pure. What a record means is `mapping`'s.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use prost::Message as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ingest::protobuf::{self, Value};

/// A record is no longer, in bytes.
const LONGEST: usize = 4 << 20;
/// Values stand in so many others at most.
const DEEPEST: usize = 16;

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    Protobuf,
    /// JSON, as protobuf's mapping has it.
    Json,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Any {
    /// None.
    Null,
    /// A text.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A list.
    List(Vec<Self>),
    /// Names and values.
    Map(Attributes),
    /// Bytes.
    Bytes,
}

/// Names and values, in order.
pub type Attributes = Vec<(String, Any)>;

/// A log record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When it happened, or was observed.
    pub time: Option<Timestamp>,
    /// The event's name, if it has one.
    pub event: Option<String>,
    /// What it says.
    pub body: Any,
    /// What is said about it.
    pub attributes: Attributes,
}

/// Takes a record with its resource's attributes; an error ends the request.
pub type Take<'t> = dyn FnMut(&Attributes, Result<Record, String>) -> Result<(), String> + 't;

/// Hands out each record with its resource's attributes; one that cannot be read is an error of its own.
///
/// # Errors
/// The request is none.
pub fn each(body: &[u8], encoding: Encoding, take: &mut Take<'_>) -> Result<(), String> {
    match encoding {
        Encoding::Protobuf => {
            let mut broken = Ok(());
            fields(body, &mut |field, resource_logs| {
                if field == 1 && broken.is_ok() {
                    broken = resource_of(resource_logs, take);
                }
            })?;
            broken
        }
        Encoding::Json => {
            let wrong = |error: serde_json::Error| format!("the body is no OTLP JSON: {error}");
            let request: Request<'_> = serde_json::from_slice(body).map_err(wrong)?;
            for part in request.resource_logs {
                let part: ResourceLogs<'_> = serde_json::from_str(part.get()).map_err(wrong)?;
                let resource = part.resource.map_or_else(Vec::new, |resource| attributes(resource.attributes, 0));
                for part in part.scope_logs {
                    let part: ScopeLogs<'_> = serde_json::from_str(part.get()).map_err(wrong)?;
                    for record in part.log_records {
                        take(&resource, read(record))?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// The messages of a message, by their field.
fn fields<'b>(bytes: &'b [u8], visit: &mut dyn FnMut(u64, &'b [u8])) -> Result<(), String> {
    let mut only = |field, value| {
        if let Value::Bytes(value) = value {
            visit(field, value);
        }
    };
    protobuf::fields(bytes, &mut only).map_err(|error| format!("the body is no OTLP protobuf: {error}"))
}

fn resource_of(bytes: &[u8], take: &mut Take<'_>) -> Result<(), String> {
    let (mut resource, mut scopes) = (Vec::new(), Vec::new());
    fields(bytes, &mut |field, value| match field {
        1 => resource = ProtoResource::decode(value).map_or_else(|_| Vec::new(), |read| of_proto(read.attributes, 0)),
        2 => scopes.push(value),
        _ => {}
    })?;
    for scope in scopes {
        let mut came = Ok(());
        fields(scope, &mut |field, value| {
            if field == 2 && came.is_ok() {
                came = take(&resource, record(value));
            }
        })?;
        came?;
    }
    Ok(())
}

fn too_long(length: usize) -> Result<(), String> {
    if length > LONGEST { Err(format!("is longer than {LONGEST} bytes")) } else { Ok(()) }
}

fn record(bytes: &[u8]) -> Result<Record, String> {
    too_long(bytes.len())?;
    let record = LogRecord::decode(bytes).map_err(|error| error.to_string())?;
    Ok(Record {
        time: time(record.time_unix_nano).or_else(|| time(record.observed_time_unix_nano)),
        event: Some(record.event_name).filter(|name| !name.is_empty()),
        body: record.body.map_or(Any::Null, |body| value_of(body, 0)),
        attributes: of_proto(record.attributes, 0),
    })
}

fn time(nanoseconds: u64) -> Option<Timestamp> {
    Some(nanoseconds).filter(|known| *known > 0).and_then(|known| Timestamp::from_nanosecond(known.into()).ok())
}

fn of_proto(attributes: Vec<KeyValue>, depth: usize) -> Attributes {
    let of = |pair: KeyValue| (pair.key, pair.value.map_or(Any::Null, |value| value_of(value, depth)));
    attributes.into_iter().map(of).collect()
}

fn value_of(value: AnyValue, depth: usize) -> Any {
    let deeper = depth.saturating_add(1);
    match value.value {
        Some(_) if depth > DEEPEST => Any::Bytes,
        Some(any_value::Value::StringValue(text)) => Any::Text(text),
        Some(any_value::Value::BoolValue(value)) => Any::Bool(value),
        Some(any_value::Value::IntValue(value)) => Any::Int(value),
        Some(any_value::Value::DoubleValue(value)) => Any::Float(value),
        Some(any_value::Value::ArrayValue(list)) => {
            Any::List(list.values.into_iter().map(|value| value_of(value, deeper)).collect())
        }
        Some(any_value::Value::KvlistValue(list)) => Any::Map(of_proto(list.values, deeper)),
        Some(any_value::Value::BytesValue(_)) => Any::Bytes,
        _ => Any::Null,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, default)]
    resource_logs: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    #[serde(default)]
    resource: Option<Resource>,
    #[serde(borrow, default)]
    scope_logs: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    attributes: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a> {
    #[serde(borrow, default)]
    log_records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonRecord {
    #[serde(default)]
    time_unix_nano: Option<Number>,
    #[serde(default)]
    observed_time_unix_nano: Option<Number>,
    #[serde(default)]
    event_name: Option<String>,
    #[serde(default)]
    body: Option<JsonValue>,
    #[serde(default)]
    attributes: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    #[serde(default)]
    value: Option<JsonValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the protocol's own names")]
struct JsonValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Number>,
    double_value: Option<Number>,
    array_value: Option<JsonList>,
    kvlist_value: Option<JsonPairs>,
    bytes_value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonList {
    values: Vec<JsonValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonPairs {
    values: Vec<Pair>,
}

/// A number, or a text of one, as protobuf's mapping writes those of 64 bits.
struct Number(String);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => Ok(Self(number.to_string())),
            serde_json::Value::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("expected a number, or a text of one")),
        }
    }
}

fn read(record: &RawValue) -> Result<Record, String> {
    too_long(record.get().len())?;
    let record: JsonRecord = serde_json::from_str(record.get()).map_err(|error| error.to_string())?;
    let nanoseconds = |given: Option<Number>| time(given?.0.parse().ok()?);
    Ok(Record {
        time: nanoseconds(record.time_unix_nano).or_else(|| nanoseconds(record.observed_time_unix_nano)),
        event: record.event_name.filter(|name| !name.is_empty()),
        body: record.body.map_or(Any::Null, |body| plain(body, 0)),
        attributes: attributes(record.attributes, 0),
    })
}

fn attributes(pairs: Vec<Pair>, depth: usize) -> Attributes {
    pairs.into_iter().map(|pair| (pair.key, pair.value.map_or(Any::Null, |value| plain(value, depth)))).collect()
}

fn plain(value: JsonValue, depth: usize) -> Any {
    let deeper = depth.saturating_add(1);
    if depth > DEEPEST {
        return Any::Bytes;
    }
    if let Some(text) = value.string_value {
        Any::Text(text)
    } else if let Some(value) = value.bool_value {
        Any::Bool(value)
    } else if let Some(Number(text)) = value.int_value {
        text.parse().map_or(Any::Null, Any::Int)
    } else if let Some(Number(text)) = value.double_value {
        // NaN and the infinities are texts here.
        let text = text.replace("Infinity", "inf");
        text.parse().map_or(Any::Null, Any::Float)
    } else if let Some(list) = value.array_value {
        Any::List(list.values.into_iter().map(|value| plain(value, deeper)).collect())
    } else if let Some(pairs) = value.kvlist_value {
        Any::Map(attributes(pairs.values, deeper))
    } else if value.bytes_value.is_some_and(|text| STANDARD.decode(text).is_ok()) {
        Any::Bytes
    } else {
        Any::Null
    }
}

#[cfg(test)]
pub(super) mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};
    use opentelemetry_proto::tonic::logs::v1 as proto;

    use super::*;

    fn value(value: any_value::Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn pair(key: &str, of: any_value::Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(value(of)), ..KeyValue::default() }
    }

    /// A request in both encodings.
    pub fn requests() -> [(Encoding, Vec<u8>); 2] {
        use any_value::Value::{ArrayValue as List, BoolValue, DoubleValue, IntValue, KvlistValue, StringValue};
        let number = |value| AnyValue { value: Some(DoubleValue(value)) };
        let record = LogRecord {
            time_unix_nano: 1_700_000_000_000_000_000,
            event_name: "plumbline.sample".to_owned(),
            body: Some(value(KvlistValue(KeyValueList {
                values: vec![pair("id", StringValue("a".into())), pair("n", IntValue(7))],
            }))),
            attributes: vec![
                pair("x", DoubleValue(0.5)),
                pair("ok", BoolValue(true)),
                pair("e", List(ArrayValue { values: vec![number(1.0), number(2.0)] })),
                pair("nothing", DoubleValue(f64::NAN)),
            ],
            ..LogRecord::default()
        };
        let line = LogRecord {
            observed_time_unix_nano: 1,
            body: Some(value(StringValue("started".into()))),
            ..LogRecord::default()
        };
        let resource = ProtoResource {
            attributes: vec![pair("service.name", StringValue("churn".into()))],
            ..ProtoResource::default()
        };
        let scope = proto::ScopeLogs { log_records: vec![record, line], ..proto::ScopeLogs::default() };
        let request = ExportLogsServiceRequest {
            resource_logs: vec![proto::ResourceLogs {
                resource: Some(resource),
                scope_logs: vec![scope],
                ..proto::ResourceLogs::default()
            }],
        };
        let json = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"churn"}}]},
            "scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"1700000000000000000","eventName":"plumbline.sample",
            "body":{"kvlistValue":{"values":[{"key":"id","value":{"stringValue":"a"}},{"key":"n","value":{"intValue":"7"}}]}},
            "attributes":[{"key":"x","value":{"doubleValue":0.5}},{"key":"ok","value":{"boolValue":true}},
            {"key":"e","value":{"arrayValue":{"values":[{"doubleValue":1},{"doubleValue":2}]}}},
            {"key":"nothing","value":{"doubleValue":"NaN"}}],"traceId":"5B8EFFF798038103D269B633813FC60C"},
            {"observedTimeUnixNano":1,"body":{"stringValue":"started"}}]}]}]}"#;
        [(Encoding::Protobuf, request.encode_to_vec()), (Encoding::Json, json.as_bytes().to_vec())]
    }

    #[test]
    fn both_encodings_say_the_same() {
        let mut all = Vec::new();
        for (encoding, body) in requests() {
            let mut found = Vec::new();
            let mut take = |resource: &Attributes, record: Result<Record, String>| {
                assert_eq!(resource, &[("service.name".to_owned(), Any::Text("churn".to_owned()))]);
                found.push(record.expect("a record"));
                Ok(())
            };
            each(&body, encoding, &mut take).expect("a request");
            all.push(format!("{found:?}"));
            assert_eq!(found.len(), 2);
            assert_eq!(found[0].time, Some("2023-11-14T22:13:20Z".parse().expect("a time")));
            assert_eq!(
                found[0].body,
                Any::Map(vec![("id".to_owned(), Any::Text("a".to_owned())), ("n".to_owned(), Any::Int(7))])
            );
        }
        assert_eq!(all[0], all[1]);
    }

    #[test]
    fn what_is_no_request_is_told() {
        let none = &mut |_: &Attributes, _: Result<Record, String>| Ok(());
        for (encoding, body) in requests() {
            assert!(each(&body[..body.len() - 3], encoding, none).is_err(), "{encoding:?}");
            assert!(each(b"\xff\xff\xff", encoding, none).is_err(), "{encoding:?}");
        }
        assert!(each(b"", Encoding::Protobuf, none).is_ok(), "nothing is a request without records");
        let mut told = Vec::new();
        let wrong = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":3},{}]}]}]}"#;
        each(wrong, Encoding::Json, &mut |_, record| {
            told.push(record.is_ok());
            Ok(())
        })
        .expect("a request");
        assert_eq!(told, [false, true]);
    }
}
