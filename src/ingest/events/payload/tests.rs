use super::*;
use crate::ingest::events::tensor::Item;

const LIMIT: usize = 100_000;

fn request(text: &str) -> Result<Payload, Reject> {
    decode(Half::Request, &Bytes::copy_from_slice(text.as_bytes()), LIMIT)
}

fn response(text: &str) -> Result<Payload, Reject> {
    decode(Half::Response, &Bytes::copy_from_slice(text.as_bytes()), LIMIT)
}

fn shown(payload: &Payload) -> String {
    let tensor = |tensor: &Tensor| {
        let values: Vec<String> = (0..tensor.data.len())
            .map(|at| match tensor.data.at(at) {
                Some(Item::Value(value)) => match value {
                    Value::Null => "-".to_owned(),
                    Value::Bool(value) => value.to_string(),
                    Value::Int(value) => value.to_string(),
                    Value::UInt(value) => value.to_string(),
                    Value::Float(value) => format!("{value:?}"),
                    Value::Text(text) => text.into_owned(),
                    other => format!("{other:?}"),
                },
                Some(Item::Blob(bytes)) => format!("{bytes:?}"),
                None => "?".to_owned(),
            })
            .collect();
        let (name, datatype, shape) = (&tensor.name, tensor.datatype.name(), &tensor.shape);
        format!("{name} {datatype} {shape:?} {}", values.join(" "))
    };
    payload.tensors.iter().map(tensor).collect::<Vec<_>>().join("\n")
}

#[test]
fn rows_of_v1_become_tensors() {
    let of = |text: &str| request(text).map(|payload| shown(&payload));
    let ok = |text: &str| Ok(text.to_owned());
    assert_eq!(of(r#"{"instances": [[6.8, 2.8], [6, 3.4]]}"#), ok("input JSON [2, 2] 6.8 2.8 6.0 3.4"));
    assert_eq!(of(r#"{"instances": ["a", "b"]}"#), ok("input JSON [2] a b"));
    assert_eq!(
        of(
            r#"{"instances": [{"x": 1, "tags": [1, 2], "who": {"age": 4}}, {"x": null, "who": {"age": 5}, "tags": [3, 4]}]}"#
        ),
        ok("x JSON [2] 1 -\ntags JSON [2, 2] 1 2 3 4\nwho.age JSON [2] 4 5")
    );
    assert_eq!(of(r#"{"instances": [{"a": 1}, {"b": "x"}, {"a": 3}]}"#), ok("a JSON [3] 1 - 3\nb JSON [3] - x -"));
    assert_eq!(of(r#"{"instances": [{"b64": "/w=="}]}"#), ok("input JSON [1] [255]"));
    assert_eq!(of(r#"{"inputs": {"a": [1, 2], "b": [["u"], ["v"]]}}"#), ok("a JSON [2] 1 2\nb JSON [2, 1] u v"));
    assert_eq!(of(r#"{"inputs": [[1, 2]]}"#), ok("input JSON [1, 2] 1 2"));
    let of = |text: &str| response(text).map(|payload| shown(&payload));
    assert_eq!(of(r#"{"predictions": [1, 0]}"#), ok("output JSON [2] 1 0"));
    assert_eq!(of(r#"{"predictions": [{"label": "a", "p": 0.5}]}"#), ok("label JSON [1] a\np JSON [1] 0.5"));
    assert!(request(r#"{"instances": [[1]]}"#).expect("rows").tensors[0].unnamed);
}

#[test]
fn tensors_of_v2_are_read_flat_and_nested_with_what_stands_beside() {
    let text = r#"{"id": "42", "model_name": "m", "parameters": {"tenant": "t", "n": 3, "deep": {}},
        "inputs": [{"name": "a", "shape": [2, 2], "datatype": "FP32", "data": [[32, 0.5], [1, 2]]},
                   {"name": "b", "shape": [2], "datatype": "BYTES", "data": ["x", "y"]},
                   {"name": "c", "shape": [2, 1], "datatype": "BOOL", "data": [1, 0]},
                   {"name": "d", "shape": [2], "datatype": "BYTES", "parameters": {"content_type": "base64"},
                    "data": ["/w==", "not base64"]}],
        "outputs": [{"name": "wanted", "parameters": {"binary_data": true}}]}"#;
    let payload = request(text).expect("a body");
    assert_eq!(
        shown(&payload),
        "a FP32 [2, 2] 32.0 0.5 1.0 2.0\nb BYTES [2] x y\nc BOOL [2, 1] true false\nd BYTES [2] [255] not base64"
    );
    assert_eq!(payload.id.as_deref(), Some("42"));
    let parameters = [("tenant", Value::Text("t".into())), ("n", Value::Int(3))];
    assert_eq!(payload.parameters, parameters.map(|(name, value)| (name.to_owned(), value)));
    let answer = r#"{"model_name": "m", "model_version": "v3", "id": 42,
        "outputs": [{"name": "predict", "shape": [1, 1], "datatype": "INT64", "data": [0]}]}"#;
    let payload = response(answer).expect("a body");
    assert_eq!((shown(&payload).as_str(), payload.version.as_deref()), ("predict INT64 [1, 1] 0", Some("v3")));
    assert_eq!(payload.id.as_deref(), Some("42"));
}

/// The JSON, then what stands behind it.
fn with_tail(json: &str, tail: &[u8]) -> Result<Payload, Reject> {
    decode(Half::Request, &Bytes::from([json.as_bytes(), tail].concat()), LIMIT)
}

#[test]
fn packed_tensors_stand_behind_the_json_in_their_order() {
    let json = r#"{"inputs": [
        {"name": "a", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
        {"name": "j", "shape": [2], "datatype": "INT8", "data": [1, 2]},
        {"name": "t", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 11}}]}"#;
    let numbers: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let texts = [2_u32.to_le_bytes().as_slice(), b"ab", &1_u32.to_le_bytes(), b"\xff"].concat();
    let whole = with_tail(json, &[numbers.as_slice(), &texts].concat()).expect("a body");
    assert_eq!(shown(&whole), "a FP32 [2] 1.5 -2.0\nj INT8 [2] 1 2\nt BYTES [2] ab [255]");
    for tail in [&numbers[..], &[numbers.as_slice(), &texts, b"x"].concat()[..], &[0; 19], &[255; 19]] {
        assert!(with_tail(json, tail).is_err(), "{tail:?}");
    }
    let sized = |size: &str, datatype: &str| {
        let json = format!(
            r#"{{"inputs": [{{"name": "a", "shape": [1], "datatype": "{datatype}", "parameters": {{"binary_data_size": {size}}}}}]}}"#
        );
        with_tail(&json, &[0; 8])
    };
    assert!(sized("8", "FP64").is_ok());
    for (size, datatype) in [
        ("9", "FP64"),
        ("-8", "FP64"),
        ("8", "FP32"),
        ("18446744073709551615", "FP64"),
        ("8", "BYTES"),
        ("\"8\"", "FP64"),
    ] {
        assert_eq!(sized(size, datatype).expect_err("no tensor").reason, Reason::Tensor, "{size} {datatype}");
    }
}

#[test]
fn hostile_bodies_are_told() {
    let tensor = |rest: &str| format!(r#"{{"inputs": [{{"name": "a", {rest}}}]}}"#);
    let cases = [
        (String::new(), Reason::Body, "is empty"),
        ("not json".to_owned(), Reason::Body, "no JSON object"),
        ("[1]".to_owned(), Reason::Body, "no JSON object"),
        ("{\"instances\": [NaN]}".to_owned(), Reason::Body, "no JSON object"),
        ("{}".to_owned(), Reason::Body, "are missing"),
        ("{\"instances\": [1], \"inputs\": []}".to_owned(), Reason::Body, "side by side"),
        ("{\"instances\": 1}".to_owned(), Reason::Body, "are no list"),
        ("{\"instances\": [{\"a\": 1}, 2]}".to_owned(), Reason::Body, "rows are objects"),
        ("{\"instances\": [{\"a\": 1, \"a\": 2}]}".to_owned(), Reason::Body, "`a` twice"),
        ("{\"instances\": [[1, 2], [3]]}".to_owned(), Reason::Tensor, "must be alike"),
        ("{\"instances\": [1]} x".to_owned(), Reason::Body, "stand behind the JSON"),
        (tensor(r#""shape": [2], "datatype": "FP32", "data": [1]"#), Reason::Tensor, "shape [2] has 2 values"),
        (tensor(r#""shape": [-1], "datatype": "FP32", "data": [1]"#), Reason::Tensor, "cannot be read"),
        (tensor(r#""shape": [1e3], "datatype": "FP32", "data": [1]"#), Reason::Tensor, "cannot be read"),
        (
            tensor(r#""shape": [9223372036854775807, 9], "datatype": "FP32", "data": []"#),
            Reason::Tensor,
            "more values than can be",
        ),
        (
            tensor(r#""shape": [0, 9223372036854775807, 9], "datatype": "FP32", "data": []"#),
            Reason::Tensor,
            "more values than can be",
        ),
        (tensor(r#""shape": [1], "datatype": "FLOAT", "data": [1]"#), Reason::Tensor, "datatype FLOAT is none"),
        (tensor(r#""shape": [1], "datatype": "INT8", "data": [300]"#), Reason::Tensor, "value 0 is no INT8"),
        (tensor(r#""shape": [1], "datatype": "INT8""#), Reason::Tensor, "has no data"),
        (
            tensor(r#""shape": [1], "datatype": "INT8", "parameters": {"shared_memory_region": "r"}"#),
            Reason::Tensor,
            "shared memory",
        ),
        (
            tensor(r#""shape": [1], "datatype": "INT8", "data": [1], "parameters": {"binary_data_size": 1}"#),
            Reason::Tensor,
            "both data and",
        ),
        (
            r#"{"inputs": [{"name": "a", "shape": [1], "data": [1]}, {"name": "a", "shape": [1], "data": [1]}]}"#
                .to_owned(),
            Reason::Tensor,
            "`a` occurs twice",
        ),
        (format!("{{\"instances\": [{}]}}", "1,".repeat(20_000) + "1"), Reason::TooLarge, "more memory"),
    ];
    for (text, reason, told) in cases {
        let reject = request(&text).expect_err(told);
        assert_eq!(reject.reason, reason, "{reject}");
        assert!(reject.message.contains(told), "{reject}");
    }
    let nested = format!("{{\"instances\": [{}1{}]}}", "{\"a\": ".repeat(20), "}".repeat(20));
    assert!(request(&nested).expect_err("deep").message.contains("nested deeper than 8"));
    let bottomless = format!("{{\"instances\": {}", "[".repeat(100_000));
    assert!(request(&bottomless).is_err(), "and the stack holds");
}

#[test]
fn many_columns_are_one_tensor_or_many() {
    let wide: Vec<String> = (0..2000).map(|i| format!("\"c{i}\": {i}")).collect();
    let payload = request(&format!("{{\"instances\": [{{{}}}]}}", wide.join(","))).expect("a row");
    assert_eq!((payload.tensors.len(), payload.tensors[1999].rows()), (2000, 1));
    let more: Vec<String> = (0..4097).map(|i| format!("\"c{i}\": {i}")).collect();
    assert!(request(&format!("{{\"instances\": [{{{}}}]}}", more.join(","))).is_err());
}
