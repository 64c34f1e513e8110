//! The envelope: a CloudEvent 1.0 in binary mode (headers), structured mode (JSON) or a JSON batch, as one type. Pure; what the data
//! holds is left to `payload`.
//!
//! Attributes are read as KServe's logger and Seldon's name them. What the content type says of the data is not believed: KServe
//! sends that of the request with both halves.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::reject::{Reason, Reject};
use crate::identity::ModelKey;
use crate::model::{check_name, check_namespace};

/// Events of one batch.
const MAX_BATCH: usize = 10_000;
/// An id may be so long, in bytes: as long as a row's.
pub const MAX_ID: usize = 512;
/// Names of headers that were passed on with a prediction, of one event.
const MAX_METADATA: usize = 64;

/// Which half of a prediction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Half {
    /// What the model was asked.
    Request,
    /// What it said.
    Response,
}

/// An event that is about a prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Which half.
    pub half: Half,
    /// What ties the halves, if the envelope says so.
    pub id: Option<String>,
    /// Whose prediction.
    pub model: ModelKey,
    /// The part of the service that sent it, if it is another than the predictor.
    pub beside: Option<String>,
    /// Which of the models that one request passes, where there are several.
    pub unit: Option<String>,
    /// Which of several endpoints of the service answered.
    pub endpoint: Option<String>,
    /// When it was.
    pub time: Option<Timestamp>,
    /// Headers of the request that were passed on: name and first value.
    pub metadata: Vec<(String, String)>,
    /// How the data is written.
    pub written: Written,
    /// The body of the request or of the response.
    pub data: Bytes,
}

/// How the body of a request or of a response is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// As JSON, with packed tensors behind it or without.
    Json,
    /// As the messages of the V2 protocol over gRPC.
    Protobuf,
}

/// What arrived.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrived {
    /// It is about a prediction.
    Event(Box<Event>),
    /// It says what was true of one. Its data has the request with it.
    Feedback(Box<Event>),
    /// It is an event of another type, which is nobody's here.
    Other(String),
    /// It says that the model did not answer.
    Failed,
}

/// How events stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Attributes are headers, the body is the data.
    Binary,
    /// The body is one JSON object.
    Structured,
    /// The body is a JSON array of such objects.
    Batch,
}

/// Tells the mode by the content type, else by the headers, else by the body itself.
#[must_use]
pub fn mode(content_type: &str, has_attributes: bool, body: &[u8]) -> Mode {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/cloudevents-batch+json" => Mode::Batch,
        essence if essence.starts_with("application/cloudevents") => Mode::Structured,
        _ if has_attributes => Mode::Binary,
        _ if body.trim_ascii_start().starts_with(b"[") => Mode::Batch,
        _ => Mode::Structured,
    }
}

/// Attributes as they came; what is empty is not given.
#[derive(Debug, Default, Deserialize)]
struct Attributes<'a> {
    #[serde(borrow, default)]
    specversion: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    inferenceservicename: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    component: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    requestid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    modelid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    endpoint: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    metadata: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data_base64: Option<Cow<'a, str>>,
}

/// An event in binary mode. `header` gives a header's value.
///
/// # Errors
/// An attribute is missing, or is none.
pub fn binary<'a>(header: impl Fn(&str) -> Option<&'a str>, data: Bytes) -> Result<Arrived, Reject> {
    let text = |name: &str| header(name).map(|value| percent_decode_str(value).decode_utf8_lossy());
    let attributes = Attributes {
        specversion: text("ce-specversion"),
        id: text("ce-id"),
        kind: text("ce-type"),
        time: text("ce-time"),
        inferenceservicename: text("ce-inferenceservicename"),
        namespace: text("ce-namespace"),
        component: text("ce-component"),
        requestid: text("ce-requestid"),
        modelid: text("ce-modelid"),
        endpoint: text("ce-endpoint"),
        metadata: text("ce-metadata"),
        data: None,
        data_base64: None,
    };
    attributes.into_event(data)
}

/// An event that was kept elsewhere, by attributes as they are called here. `find` gives one's value.
///
/// # Errors
/// An attribute is missing, or is none.
pub fn logged(find: impl Fn(&str) -> Option<String>, data: Bytes) -> Result<Arrived, Reject> {
    let text = |name: &str| find(name).map(Cow::Owned);
    let attributes = Attributes {
        specversion: text("specversion"),
        id: text("id"),
        kind: text("type"),
        time: text("time"),
        inferenceservicename: text("inferenceservicename"),
        namespace: text("namespace"),
        component: text("component"),
        endpoint: text("endpoint"),
        metadata: text("metadata"),
        ..Attributes::default()
    };
    attributes.into_event(data)
}

/// An event in structured mode.
///
/// # Errors
/// The body is none, or an attribute is missing or is none.
pub fn structured(body: &Bytes) -> Result<Arrived, Reject> {
    let part: &RawValue = serde_json::from_slice(body).map_err(|error| no_event(&error.to_string()))?;
    one(part, body)
}

/// The events of a batch, each by itself.
///
/// # Errors
/// The body is no array of objects, or has too many.
pub fn batch(body: &Bytes) -> Result<Vec<Result<Arrived, Reject>>, Reject> {
    let parts: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| no_event(&error.to_string()))?;
    if parts.len() > MAX_BATCH {
        let message = format!("the batch has {} events, more than {MAX_BATCH}; send it in parts", parts.len());
        return Err(Reject::new(Reason::TooLarge, message));
    }
    Ok(parts.into_iter().map(|part| one(part, body)).collect())
}

/// A part of the body as an event.
fn one(part: &RawValue, body: &Bytes) -> Result<Arrived, Reject> {
    // A list would be taken for the attributes in their order.
    if !part.get().starts_with('{') {
        return Err(no_event("not an object"));
    }
    let attributes: Attributes<'_> = serde_json::from_str(part.get()).map_err(|error| no_event(&error.to_string()))?;
    attributes.within(body)
}

fn no_event(error: &str) -> Reject {
    let message = format!(
        "no CloudEvent: {error}; send headers ce-specversion, ce-id, ce-type, ce-source and the body, or the JSON format of CloudEvents 1.0"
    );
    Reject::new(Reason::Envelope, message)
}

fn given(text: Option<Cow<'_, str>>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(Cow::into_owned)
}

impl Attributes<'_> {
    /// With its data, which lies in `body`.
    fn within(mut self, body: &Bytes) -> Result<Arrived, Reject> {
        let data = match (self.data.take(), self.data_base64.take()) {
            (Some(_), Some(_)) => {
                return Err(Reject::new(Reason::Envelope, "the event has both data and data_base64; send one"));
            }
            (None, Some(text)) => {
                let wrong = |error| Reject::new(Reason::Envelope, format!("data_base64 is no base64: {error}"));
                STANDARD.decode(text.as_bytes()).map_err(wrong)?.into()
            }
            // JSON data that is a text is one of another format, or JSON written as a text.
            (Some(data), None) if data.get().starts_with('"') => {
                let wrong = |error: serde_json::Error| Reject::new(Reason::Envelope, format!("data: {error}"));
                Bytes::from(serde_json::from_str::<String>(data.get()).map_err(wrong)?)
            }
            (Some(data), None) => body.slice_ref(data.get().as_bytes()),
            (None, None) => Bytes::new(),
        };
        self.into_event(data)
    }

    fn into_event(self, data: Bytes) -> Result<Arrived, Reject> {
        let wrong = |message: String| Reject::new(Reason::Envelope, message);
        match self.specversion.as_deref() {
            Some(version) if version == "1" || version.starts_with("1.") => {}
            Some(version) => return Err(wrong(format!("CloudEvents {version} is not supported; send 1.0"))),
            None => return Err(wrong("specversion is missing: this is no CloudEvent 1.0".to_owned())),
        }
        let Some(kind) = given(self.kind) else { return Err(wrong("type is missing".to_owned())) };
        let (sender, half) = match kind.as_str() {
            "org.kubeflow.serving.inference.request" => (Sender::KServe, Half::Request),
            "org.kubeflow.serving.inference.response" => (Sender::KServe, Half::Response),
            "io.seldon.serving.inference.request" => (Sender::Seldon, Half::Request),
            "io.seldon.serving.inference.response" => (Sender::Seldon, Half::Response),
            "io.seldon.serving.feedback" => (Sender::SeldonsFeedback, Half::Request),
            _ => return Ok(Arrived::Other(kind)),
        };
        let Some(name) = given(self.inferenceservicename) else {
            return Err(wrong("inferenceservicename is missing: it names the model".to_owned()));
        };
        check_name(&name).map_err(|message| wrong(format!("inferenceservicename `{name}` {message}")))?;
        let namespace = given(self.namespace);
        if let Some(namespace) = &namespace {
            check_namespace(namespace).map_err(|message| wrong(format!("namespace `{namespace}` {message}")))?;
        }
        // Seldon's events have an id each, and what they are about in common.
        let id = match sender {
            Sender::KServe => given(self.id),
            Sender::Seldon | Sender::SeldonsFeedback => given(self.requestid).or_else(|| given(self.id)),
        };
        if id.as_ref().is_some_and(|id| id.len() > MAX_ID) {
            return Err(wrong(format!("id is longer than {MAX_ID} bytes")));
        }
        // A time that cannot be read is none: the row happened when it came.
        let time = self.time.and_then(|time| time.parse().ok());
        let event = Event {
            half,
            id,
            model: ModelKey { namespace, name },
            beside: given(self.component).filter(|component| component != "predictor"),
            unit: given(self.modelid),
            endpoint: given(self.endpoint),
            time,
            metadata: self.metadata.as_deref().map(metadata).unwrap_or_default(),
            written: Written::Json,
            data,
        };
        Ok(match sender {
            Sender::KServe | Sender::Seldon => Arrived::Event(Box::new(event)),
            Sender::SeldonsFeedback => Arrived::Feedback(Box::new(event)),
        })
    }
}

/// Who names attributes so.
#[derive(Clone, Copy)]
enum Sender {
    KServe,
    Seldon,
    SeldonsFeedback,
}

/// Headers that KServe passes on: an object of lists of texts. What is none of that is left out.
pub(super) fn metadata(text: &str) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(all)) = serde_json::from_str(text) else { return Vec::new() };
    let first = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Array(list) => list.into_iter().next().and_then(|v| v.as_str().map(str::to_owned)),
        _ => None,
    };
    all.into_iter().filter_map(|(name, value)| Some((name, first(value)?))).take(MAX_METADATA).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KSERVE: [(&str, &str); 8] = [
        ("specversion", "1.0"),
        ("id", "0009174a"),
        ("type", "org.kubeflow.serving.inference.request"),
        ("time", "2026-11-23T10:00:00.07Z"),
        ("inferenceservicename", "sklearn-iris"),
        ("namespace", "default"),
        ("component", "predictor"),
        ("metadata", "{\"X-Request-Id\":[\"order 7\",\"b\"]}"),
    ];

    fn event(arrived: Result<Arrived, Reject>) -> Event {
        match arrived {
            Ok(Arrived::Event(event)) => *event,
            other => panic!("{other:?}"),
        }
    }

    fn from_headers(headers: &[(&str, &'static str)]) -> Result<Arrived, Reject> {
        let find = |name: &str| headers.iter().find(|(n, _)| name == format!("ce-{n}")).map(|(_, value)| *value);
        binary(find, Bytes::from_static(b"{}"))
    }

    #[test]
    fn all_three_modes_give_the_same_event() {
        let one = event(from_headers(&KSERVE));
        assert_eq!((one.half, one.id.as_deref()), (Half::Request, Some("0009174a")));
        assert_eq!((&one.model, &one.beside), (&ModelKey::within("default", "sklearn-iris"), &None));
        assert_eq!(one.time, Some("2026-11-23T10:00:00.07Z".parse().expect("a time")));
        assert_eq!(one.metadata, [("X-Request-Id".to_owned(), "order 7".to_owned())]);
        let mut json = serde_json::Map::new();
        json.extend(KSERVE.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
        for (key, data) in [("data", serde_json::json!({})), ("data", "{}".into()), ("data_base64", "e30=".into())] {
            let mut json = json.clone();
            json.insert(key.to_owned(), data);
            let whole = Bytes::from(serde_json::to_vec(&json).expect("json"));
            assert_eq!(event(structured(&whole)), one, "{key}");
            let list = Bytes::from(serde_json::to_vec(&[&json, &json]).expect("json"));
            let list = batch(&list).expect("a batch");
            assert!(list.into_iter().all(|arrived| event(arrived) == one), "{key}");
        }
    }

    #[test]
    fn the_mode_is_told_by_what_is_there() {
        for (content_type, attributes, body, found) in [
            ("application/json", true, "{\"specversion\": \"1.0\"}", Mode::Binary),
            ("application/cloudevents+json; charset=UTF-8", true, "{}", Mode::Structured),
            ("Application/CloudEvents-Batch+JSON", false, "[]", Mode::Batch),
            ("application/json", false, " {}", Mode::Structured),
            ("", false, " [", Mode::Batch),
        ] {
            assert_eq!(mode(content_type, attributes, body.as_bytes()), found, "{content_type} {body}");
        }
    }

    #[test]
    fn what_is_missing_or_none_is_told() {
        let without = |name: &str| {
            let headers: Vec<_> = KSERVE.into_iter().filter(|(n, _)| *n != name).collect();
            from_headers(&headers)
        };
        let with = |name: &'static str, value: &'static str| {
            let headers: Vec<_> = KSERVE.into_iter().filter(|(n, _)| *n != name).chain([(name, value)]).collect();
            from_headers(&headers)
        };
        for (arrived, told) in [
            (without("specversion"), "specversion is missing"),
            (with("specversion", "0.3"), "CloudEvents 0.3 is not supported"),
            (without("type"), "type is missing"),
            (without("inferenceservicename"), "inferenceservicename is missing"),
            (with("inferenceservicename", "../up"), "is no model's name"),
            (with("namespace", "_none"), "is no namespace"),
        ] {
            let reject = arrived.expect_err(told);
            assert_eq!(reject.reason, Reason::Envelope);
            assert!(reject.message.contains(told), "{reject}");
        }
        assert_eq!(with("type", "dev.knative.ping"), Ok(Arrived::Other("dev.knative.ping".to_owned())));
        assert_eq!(event(without("id")).id, None);
        assert_eq!(event(with("time", "yesterday")).time, None);
        assert_eq!(event(with("component", "transformer")).beside.as_deref(), Some("transformer"));
        assert_eq!(event(with("id", "a%20b")).id.as_deref(), Some("a b"));
        assert!(event(with("metadata", "[1]")).metadata.is_empty());
        let both = br#"{"specversion": "1.0", "type": "x", "data": 1, "data_base64": ""}"#;
        assert!(structured(&Bytes::from_static(both)).is_err());
        assert!(structured(&Bytes::from_static(b"{\"id\": \"a\", \"id\": \"b\"}")).is_err(), "given twice");
        assert!(batch(&Bytes::from_static(b"{}")).is_err());
    }
}
