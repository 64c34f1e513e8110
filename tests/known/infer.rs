//! What KServe's own messages hold, and our reader must find in them, too (`tests/known/infer.py` makes them).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plumbline::frame::json::Value as Known;
use plumbline::ingest::events::cloud::Half;
use plumbline::ingest::events::grpc;
use plumbline::ingest::events::payload::Payload;
use plumbline::ingest::events::tensor::{Item, Tensor};
use serde_json::{Value, json};

use super::{each, root};

fn cases() -> Value {
    let text = std::fs::read_to_string(root().join("tests/known/infer.json")).expect("the values");
    serde_json::from_str(&text).expect("JSON")
}

fn shown(value: &Known<'_>) -> Value {
    match value {
        Known::Bool(value) => json!(value),
        Known::Int(value) => json!(value),
        Known::UInt(value) => json!(value),
        Known::Float(value) => json!(value),
        Known::Text(value) => json!(value),
        other => panic!("{other:?}"),
    }
}

fn tensor(of: &Tensor) -> Value {
    let value = |at: usize| match of.data.at(at) {
        Some(Item::Value(value)) => shown(&value),
        other => panic!("{other:?}"),
    };
    let values: Vec<Value> = (0..of.data.len()).map(value).collect();
    json!({ "name": of.name, "datatype": of.datatype.name(), "shape": of.shape, "values": values })
}

fn read(case: &Value) -> (Half, Vec<u8>) {
    let half = if case["half"] == "request" { Half::Request } else { Half::Response };
    (half, STANDARD.decode(case["data"].as_str().expect("data")).expect("base64"))
}

#[test]
fn messages_of_kserve_hold_what_it_put_in() {
    let cases = cases();
    for case in each(&cases, "cases") {
        let (half, data) = read(case);
        let Payload { id, version, parameters, tensors, summaries } =
            grpc::decode(half, &data.into(), 1 << 20).unwrap_or_else(|reject| panic!("{}: {reject}", case["name"]));
        let tensors: Vec<Value> = tensors.iter().map(tensor).collect();
        assert_eq!(json!(tensors), case["tensors"], "{}", case["name"]);
        assert_eq!((json!(id), json!(version)), (case["id"].clone(), case["version"].clone()), "{}", case["name"]);
        let given: serde_json::Map<String, Value> =
            parameters.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
        let wanted = case.get("parameters").cloned().unwrap_or_else(|| json!({}));
        assert_eq!((Value::from(given), summaries.len()), (wanted, 0), "{}", case["name"]);
    }
}

/// Half a message is none, or one with less in it: never the same. What follows the tensors in one case is read by nobody.
#[test]
fn a_message_that_is_cut_off_is_not_taken_for_the_whole() {
    let cases = cases();
    for case in each(&cases, "cases").filter(|case| case["name"] != "parameters") {
        let (half, data) = read(case);
        let whole = grpc::decode(half, &data.clone().into(), 1 << 20).expect("whole");
        for length in 0..data.len() {
            let cut = grpc::decode(half, &data[..length].to_vec().into(), 1 << 20);
            assert!(cut.is_err() || cut.is_ok_and(|cut| cut != whole), "{}: {length} bytes", case["name"]);
        }
    }
}
