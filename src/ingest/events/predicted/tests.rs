use bytes::Bytes;

use super::*;
use crate::frame::json::{Limits, Rows};
use crate::ingest::events::cloud::Half;
use crate::ingest::events::payload::decode;
use crate::model::protected::Protected;

const LIMITS: Limits = Limits { rows: 1000, columns: 4096, cells: 1_000_000 };

fn payload(half: Half, text: &str) -> Payload {
    decode(half, &Bytes::copy_from_slice(text.as_bytes()), 1_000_000).expect("a body").settle(500)
}

fn predicted(request: &str, response: &str) -> Predicted {
    Predicted {
        id: "ce-1".to_owned(),
        ids: Vec::new(),
        time: Some("2026-11-23T10:00:00.070Z".parse().expect("a time")),
        endpoint: None,
        metadata: Vec::new(),
        request: (!request.is_empty()).then(|| payload(Half::Request, request)),
        response: (!response.is_empty()).then(|| payload(Half::Response, response)),
    }
}

fn rows_of(predicted: &Predicted, spec: &Spec) -> Rows {
    let mut builder = Builder::new(LIMITS, &|_| None);
    predicted.add(predicted.rows(1000).expect("rows"), spec, 500, &mut builder);
    builder.finish()
}

fn shown(predicted: &Predicted, spec: &Spec) -> String {
    let rows = rows_of(predicted, spec);
    assert_eq!(rows.rejected, 0, "{:?}", rows.errors);
    let column = |(name, array): &(String, arrow::array::ArrayRef)| {
        let values =
            (0..array.len()).map(|at| arrow::util::display::array_value_to_string(array, at).expect("a value"));
        format!("{name}: {}", values.collect::<Vec<_>>().join("|"))
    };
    rows.columns.iter().map(column).collect::<Vec<_>>().join("\n")
}

const IRIS: &str = r#"{"instances": [[6.8, 2.8], [6.0, 3.4]]}"#;

#[test]
fn v1_rows_have_ids_times_features_and_predictions() {
    let pair = predicted(IRIS, r#"{"predictions": [1, 2]}"#);
    insta::assert_snapshot!(shown(&pair, &Spec::new("m")), @r"
    id: ce-1#0|ce-1#1
    timestamp: 1795428000070|1795428000070
    input-0: 6.8|6.0
    input-1: 2.8|3.4
    prediction: 1|2
    ");
    let mut spec = Spec::new("m");
    spec.columns = vec!["length".to_owned(), "width".to_owned()];
    spec.prediction = "species".to_owned();
    insta::assert_snapshot!(shown(&pair, &spec), @r"
    id: ce-1#0|ce-1#1
    timestamp: 1795428000070|1795428000070
    length: 6.8|6.0
    width: 2.8|3.4
    species: 1|2
    ");
}

#[test]
fn ids_times_and_versions_come_from_where_the_description_says() {
    let request = r#"{"id": "b7", "parameters": {"order": 17, "region": "north"},
        "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [0.5]},
                   {"name": "customer", "shape": [1, 1], "datatype": "BYTES", "data": ["c9"]}]}"#;
    let response = r#"{"model_version": "v2", "id": "b7",
        "outputs": [{"name": "predict", "shape": [1, 1], "datatype": "INT64", "data": [3]}]}"#;
    let mut pair = predicted(request, response);
    pair.metadata = vec![("X-Request-Id".to_owned(), "r1".to_owned()), ("X-Sex".to_owned(), "f".to_owned())];
    let id = |name: &str| {
        let spec = Spec { id: name.to_owned(), ..Spec::new("m") };
        let text = shown(&pair, &spec);
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        line.expect("an id")
    };
    let found = ["id", "order", "customer", "x-request-id", "request.id"].map(id);
    assert_eq!(found, ["ce-1", "17", "c9", "r1", "b7"]);
    let mut spec = Spec::new("m");
    spec.segments = vec!["region".to_owned(), "nowhere".to_owned()];
    spec.protected = vec![Protected { column: "x-sex".to_owned(), ..toml::from_str("column = \"c\"").expect("one") }];
    insta::assert_snapshot!(shown(&pair, &spec), @r"
    id: ce-1
    timestamp: 1795428000070
    version: v2
    region: north
    x-sex: f
    x: 0.5
    customer: c9
    prediction: 3
    ");
    let canary = Predicted { endpoint: Some("canary".to_owned()), ..predicted(IRIS, r#"{"predictions": [1, 2]}"#) };
    assert!(shown(&canary, &Spec::new("m")).contains("version: canary|canary"));
}

#[test]
fn class_scores_are_scores_and_outputs_are_never_the_truth() {
    let outputs = r#"{"outputs": [{"name": "label", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
        {"name": "p", "shape": [2, 3], "datatype": "FP32", "data": [0.5, 0.25, 0.25, 0, 1, 0]}]}"#;
    insta::assert_snapshot!(shown(&predicted(IRIS, outputs), &Spec::new("m")), @r"
    id: ce-1#0|ce-1#1
    timestamp: 1795428000070|1795428000070
    input-0: 6.8|6.0
    input-1: 2.8|3.4
    prediction: a|b
    p-0: 0.5|0.0
    p-1: 0.25|1.0
    p-2: 0.25|0.0
    ");
    let two = r#"{"predictions": [[0.25, 0.75], [0.5, 0.5]]}"#;
    insta::assert_snapshot!(shown(&predicted(IRIS, two), &Spec::new("m")), @r"
    id: ce-1#0|ce-1#1
    timestamp: 1795428000070|1795428000070
    prediction: 1|0
    input-0: 6.8|6.0
    input-1: 2.8|3.4
    score: 0.75|0.5
    ");
    let inputs = r#"{"instances": [{"label": 1, "x": 2, "prediction": 3}]}"#;
    let objects = r#"{"predictions": [{"label": "yes", "x": 0.9, "score": 0.8}]}"#;
    insta::assert_snapshot!(shown(&predicted(inputs, objects), &Spec::new("m")), @r"
    id: ce-1
    timestamp: 1795428000070
    input.label: 1
    x: 2
    input.prediction: 3
    prediction: yes
    output.x: 0.9
    score: 0.8
    ");
}

#[test]
fn one_half_alone_is_rows_too() {
    insta::assert_snapshot!(shown(&predicted("", r#"{"predictions": [7]}"#), &Spec::new("m")), @r"
    id: ce-1
    timestamp: 1795428000070
    prediction: 7
    ");
    insta::assert_snapshot!(shown(&predicted(IRIS, ""), &Spec::new("m")), @r"
    id: ce-1#0|ce-1#1
    timestamp: 1795428000070|1795428000070
    input-0: 6.8|6.0
    input-1: 2.8|3.4
    ");
}

#[test]
fn rows_that_do_not_go_together_are_told_and_names_that_clash_too() {
    let reject = predicted(IRIS, r#"{"predictions": [1, 2, 3]}"#).rows(1000).expect_err("no rows");
    assert!(reject.message.contains("of inputs are [2], of outputs [3]"), "{reject}");
    assert_eq!(predicted(IRIS, "").rows(1).expect_err("too many").reason, Reason::TooLarge);
    let twice = r#"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "INT8", "data": [1, 2]},
        {"name": "x-0", "shape": [1], "datatype": "INT8", "data": [3]}]}"#;
    let rows = rows_of(&predicted(twice, ""), &Spec::new("m"));
    assert_eq!((rows.rejected, rows.errors[0].field.as_deref()), (1, Some("x-0")));
}
