//! One half of a prediction as ModelMesh's payload processor posts it, to TrustyAI as a rule: JSON around a message of the V2 protocol over
//! gRPC. Pure; what the message holds is `grpc`'s.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::cloud::{Arrived, Event, Half, MAX_ID, Written, metadata};
use super::reject::{Reason, Reject};
use crate::model::address;

/// ModelMesh puts it and a hash behind the name of the service.
const SUFFIX: &str = "__isvc";

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    modelid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<Cow<'a, str>>,
    /// gRPC's code, of a response.
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// The name of a model without what ModelMesh adds to it.
#[must_use]
pub fn plain_name(name: &str) -> &str {
    name.rfind(SUFFIX).and_then(|at| name.get(..at)).unwrap_or(name)
}

/// Reads a half; `query` is the address's, which may name the namespace.
///
/// # Errors
/// It is none, or lacks what it must say.
pub fn read(body: &[u8], query: Option<&str>) -> Result<Arrived, Reject> {
    let wrong = |message: String| Reject::new(Reason::Envelope, message);
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(wrong("send a JSON object with id, kind, modelid and data".to_owned()));
    }
    let wire: Wire<'_> = serde_json::from_slice(body)
        .map_err(|error| wrong(format!("no half of a prediction: {error}; send id, kind, modelid and data")))?;
    let given = |field: &str, value: Option<Cow<'_, str>>| {
        let value = value.filter(|value| !value.is_empty()).map(Cow::into_owned);
        value.ok_or_else(|| wrong(format!("{field} is missing")))
    };
    let half = match wire.kind.as_deref() {
        Some("request") => Half::Request,
        Some("response") => Half::Response,
        Some(other) => return Err(wrong(format!("kind `{other}` is none; there are request and response"))),
        None => return Err(wrong("kind is missing: request or response".to_owned())),
    };
    let id = given("id", wire.id)?;
    if id.len() > MAX_ID {
        return Err(wrong(format!("id is longer than {MAX_ID} bytes")));
    }
    let name = given("modelid", wire.modelid)?;
    let model = address::alone(plain_name(&name), query).map_err(|message| wrong(format!("modelid: {message}")))?;
    if half == Half::Response && wire.status.is_some_and(|status| !matches!(&*status, "" | "OK")) {
        return Ok(Arrived::Failed);
    }
    let data = STANDARD
        .decode(given("data", wire.data)?)
        .map_err(|error| Reject::new(Reason::Encoding, format!("data is no base64: {error}")))?;
    Ok(Arrived::Event(Box::new(Event {
        half,
        id: Some(id),
        model,
        beside: None,
        unit: None,
        endpoint: None,
        time: None,
        metadata: wire.metadata.map(|all| metadata(all.get())).unwrap_or_default(),
        written: Written::Protobuf,
        data: Bytes::from(data),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_names_its_prediction_and_its_model() {
        let text =
            br#"{"id": "a", "kind": "response", "modelid": "iris__isvc-1a2b", "vModelId": "iris", "data": "AAE=",
                        "status": "OK", "metadata": {"X-Request-Id": "order 7", "n": 1}}"#;
        let Ok(Arrived::Event(event)) = read(text, Some("namespace=shop")) else { panic!("an event") };
        assert_eq!((event.half, event.id.as_deref(), event.written), (Half::Response, Some("a"), Written::Protobuf));
        assert_eq!(event.model.to_string(), "shop/iris");
        assert_eq!(event.data, Bytes::from_static(&[0, 1]));
        assert_eq!(event.metadata, [("X-Request-Id".to_owned(), "order 7".to_owned())]);
        for (name, plain) in
            [("iris", "iris"), ("a__isvc-b__isvc-c", "a__isvc-b"), ("__isvc", ""), ("a_isvc", "a_isvc")]
        {
            assert_eq!(plain_name(name), plain);
        }
    }

    #[test]
    fn a_model_that_did_not_answer_has_no_data() {
        let failed =
            read(br#"{"id": "a", "kind": "response", "modelid": "m", "status": "INTERNAL", "data": ""}"#, None);
        assert_eq!(failed, Ok(Arrived::Failed));
    }

    #[test]
    fn what_lacks_something_is_told_so() {
        let of = |text: &str, query: Option<&str>| match read(text.as_bytes(), query) {
            Err(reject) => format!("{} {}", reject.reason.status(), reject.message),
            Ok(taken) => panic!("{text}: {taken:?}"),
        };
        let whole = r#"{"id": "a", "kind": "request", "modelid": "m", "data": "AAE="}"#;
        for (field, told) in
            [("id", "400 id is"), ("kind", "400 kind is"), ("modelid", "400 modelid is"), ("data", "400 data is")]
        {
            let without = whole.replace(&format!("\"{field}\":"), "\"other\":");
            assert!(of(&without, None).starts_with(told), "{field}");
        }
        assert!(of(&whole.replace("AAE=", "A?"), None).starts_with("415 data is no base64"));
        assert!(of(&whole.replace("request", "both"), None).contains("there are request and response"));
        assert!(of(&whole.replace("\"m\"", "\"../m\""), None).starts_with("400 modelid: `../m`"));
        assert!(of(&whole.replace("\"m\"", "\"__isvc-1\""), None).starts_with("400 modelid: ``"));
        assert!(of(&whole.replace("\"a\"", &format!("\"{}\"", "a".repeat(513))), None).contains("512"));
        assert!(of(whole, Some("name=x")).contains("unknown parameter"));
        for text in ["", "[]", "[\"a\",\"request\",\"m\",\"AAE=\"]", "{", "{\"id\": 7}", "\u{0}"] {
            assert!(of(text, None).starts_with("400"), "{text}");
        }
    }
}
