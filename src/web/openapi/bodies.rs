//! Bodies that clients send, for the document: what the decoders take, which have no types of their own.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::model::Spec;

/// A body of one type of content, with an example.
pub type Body = (&'static str, Value, Value);

/// One row of samples, or of a reference. An object in the place of a value is fields of its own.
fn row() -> Value {
    let told = or_absent(&json!({ "type": ["number", "boolean", "string"], "maxLength": 512 }));
    let id = or_absent(&json!({ "type": ["string", "number"], "maxLength": 512 }));
    json!({
        "type": "object",
        "description": "One prediction: its roles under the names that the model's description gives them, and its features.",
        "properties": {
            "id": id,
            "timestamp": {
                "description": "When it was: RFC 3339, or milliseconds since the epoch; the time of arrival where it is missing.",
                "anyOf": [time(), absent()],
            },
            "prediction": told,
            "score": or_absent(&json!({ "type": "number", "description": "The probability of the positive class, or how sure the model was." })),
            "label": told,
            "version": id,
        },
        "additionalProperties": {
            "description": "A feature: of one kind in all rows. Objects become columns with dotted names, lists of numbers embeddings.",
        },
    })
}

/// What counts as no value: an object's are fields of their own, and of a list of nulls there is none.
fn absent() -> Value {
    json!({ "anyOf": [{ "type": ["object", "null"] }, { "type": "array", "items": { "type": "null" } }] })
}

fn or_absent(one: &Value) -> Value {
    json!({ "anyOf": [one, absent()] })
}

fn time() -> Value {
    json!({ "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "number" }] })
}

fn label() -> Value {
    json!({
        "type": "object",
        "required": ["id", "label"],
        "properties": {
            "id": { "type": ["string", "number"], "maxLength": 512, "description": "The id of the prediction that it is about." },
            "label": { "type": ["number", "boolean", "string"], "maxLength": 512, "description": "What was true." },
            "timestamp": { "anyOf": [time(), absent()] },
        },
    })
}

fn rows_of(one: &Value, example: &Value) -> Vec<Body> {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let line = |keys: bool| {
        let object = example.as_object().into_iter().flatten();
        let cells = object.map(|(key, value)| if keys { key.clone() } else { value.to_string().replace('"', "") });
        cells.collect::<Vec<_>>()
    };
    let table = |between: &str| format!("{}\n{}\n", line(true).join(between), line(false).join(between));
    let arrow =
        json!({ "type": "string", "format": "binary", "description": "An Arrow IPC stream, plain or compressed." });
    let parquet = json!({ "type": "string", "format": "binary", "description": "A Parquet file." });
    vec![
        (
            "application/json",
            json!({ "oneOf": [one, { "type": "array", "minItems": 1, "items": one }] }),
            json!([example]),
        ),
        ("application/x-ndjson", text("An object a line, each as in application/json."), json!(format!("{example}\n"))),
        ("text/csv", text("A line of names, then a line for each row."), json!(table(","))),
        ("text/tab-separated-values", text("The same with tabs."), json!(table("\t"))),
        ("application/vnd.apache.arrow.stream", arrow, Value::Null),
        ("application/vnd.apache.parquet", parquet, Value::Null),
    ]
}

pub fn samples() -> Vec<Body> {
    rows_of(
        &row(),
        &json!({ "id": "r-1", "timestamp": "2026-01-31T12:00:00Z", "prediction": 1, "score": 0.9, "age": 42 }),
    )
}

pub fn reference() -> Vec<Body> {
    rows_of(&row(), &json!({ "prediction": 1, "score": 0.9, "age": 42 }))
}

pub fn labels() -> Vec<Body> {
    rows_of(&label(), &json!({ "id": "r-1", "label": 1 }))
}

/// OTLP's `ExportLogsServiceRequest`.
pub fn logs() -> Vec<Body> {
    let binary = json!({ "type": "string", "format": "binary", "description": "The message in protobuf." });
    let object =
        json!({ "type": "object", "description": "The same in OTLP's JSON: resourceLogs, scopeLogs, logRecords." });
    let value = |text: &str| json!({ "stringValue": text });
    let attributes = json!([
        { "key": "plumbline.model", "value": value("iris") }, { "key": "id", "value": value("r-1") },
        { "key": "prediction", "value": { "intValue": "1" } }, { "key": "age", "value": { "doubleValue": 42.0 } },
    ]);
    let example = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{ "attributes": attributes }] }] }] });
    vec![("application/json", object, example), ("application/x-protobuf", binary, Value::Null)]
}

/// CloudEvents in structured mode and in batches. In binary mode the attributes are headers, and the body is the data.
pub fn events() -> Vec<Body> {
    let example = json!({
        "specversion": "1.0", "id": "r-1", "source": "predictor", "type": "org.kubeflow.serving.inference.response",
        "inferenceservicename": "iris", "namespace": "default", "data": { "predictions": [1] },
    });
    let text = json!({ "type": ["string", "null"] });
    let properties = json!({
        "specversion": { "type": "string", "pattern": "^1(\\.[0-9]+)?$" },
        "id": text,
        "source": { "description": "Who sent it; it is not looked at." },
        "time": text,
        "inferenceservicename": { "type": ["string", "null"], "description": "The model's name." },
        "namespace": { "type": ["string", "null"], "description": "The model's namespace." },
        "component": { "type": ["string", "null"], "description": "Events of other components than `predictor` are left out." },
    });
    let with = |more: Value, required: &[&str]| {
        let mut properties = properties.as_object().cloned().unwrap_or_default();
        properties.extend(more.as_object().cloned().unwrap_or_default());
        json!({ "type": "object", "required": required, "properties": properties })
    };
    let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$" });
    let namespace = json!({ "type": ["string", "null"], "pattern": "^([A-Za-z0-9-][A-Za-z0-9_.-]{0,99})?$" });
    let id = json!({ "type": "string", "minLength": 1, "description": "512 bytes at most." });
    let half = |kind: &str, field: &str, about: &str| {
        let rows = json!({ "type": "array" });
        let data =
            json!({ "type": "object", "required": [field], "properties": { field: rows }, "description": about });
        let more = json!({ "type": { "const": kind }, "id": id, "inferenceservicename": name, "namespace": namespace, "data": data });
        with(more, &["specversion", "type", "id", "inferenceservicename", "data"])
    };
    let asked = "What the model was asked, by the V1 protocol; a body of the V2 protocol is taken alike, and either as data_base64.";
    let said = "What the model said, likewise.";
    let another = json!({ "type": "string", "minLength": 1, "description": "Seldon's events and its feedback likewise; others are left out." });
    let data = json!({ "description": "Anything." });
    let event = json!({ "anyOf": [
        half("org.kubeflow.serving.inference.request", "instances", asked),
        half("org.kubeflow.serving.inference.response", "predictions", said),
        with(json!({ "type": another, "data": data, "data_base64": { "type": "null" } }), &["specversion", "type"]),
    ] });
    let batch = json!({ "type": "array", "items": event });
    vec![
        ("application/cloudevents+json", event, example.clone()),
        ("application/cloudevents-batch+json", batch, json!([example])),
    ]
}

/// A model's name as ModelMesh and TrustyAI have it.
fn name() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$" })
}

/// Half of a prediction around a message in protobuf.
pub fn half() -> Vec<Body> {
    // `ModelInferResponse` with an output `predict` of one INT64 that is 1.
    let example = json!({ "id": "r-1", "kind": "response", "modelid": "iris", "metadata": {}, "data": "KhgKB3ByZWRpY3QSBUlOVDY0GgEBKgMaAQE=" });
    let schema = json!({
        "type": "object",
        "required": ["id", "kind", "modelid", "data"],
        "properties": {
            "id": { "type": "string", "minLength": 1, "maxLength": 512, "description": "What ties a request to its response; 512 bytes at most." },
            "kind": { "enum": ["request", "response"] },
            "modelid": name(),
            "metadata": { "description": "Headers of the call: an object of texts." },
            "status": { "type": ["string", "null"], "description": "gRPC's code of a response: one that is not OK is left out." },
            "data": { "type": "string", "contentEncoding": "base64", "minLength": 4, "description": "ModelInferRequest or ModelInferResponse." },
        },
    });
    vec![("application/json", schema, example)]
}

/// What TrustyAI takes as an upload.
pub fn upload() -> Vec<Body> {
    let tensor = |name: &str, datatype: &str, shape: Value, data: Value| json!({ "name": name, "datatype": datatype, "shape": shape, "data": data });
    // Bodies of other shapes are read, too: what is none is told.
    let tensors = |field: &str| {
        let about = "Tensors, each with name, shape, datatype and data. The first input may have execution_ids, the ids of the rows, which ground truth needs.";
        json!({ "type": "object", "required": [field], "properties": { field: { "description": about } } })
    };
    let schema = json!({
        "type": "object",
        "required": ["model_name", "request", "response"],
        "properties": {
            "model_name": name(),
            "data_tag": { "type": ["string", "null"], "description": "TRAINING makes the data the model's reference." },
            "is_ground_truth": { "type": ["boolean", "null"], "description": "The response is what was true." },
            "request": tensors("inputs"),
            "response": tensors("outputs"),
        },
    });
    let example = json!({
        "model_name": "iris", "data_tag": "TRAINING", "is_ground_truth": false,
        "request": { "inputs": [tensor("input-0", "FP64", json!([2, 2]), json!([[6.8, 2.8], [6.0, 3.4]]))] },
        "response": { "outputs": [tensor("predict", "INT64", json!([2, 1]), json!([1, 2]))] },
    });
    vec![("application/json", schema, example)]
}

/// What a `[[model]]` table of the configuration may hold.
pub fn description() -> Vec<Body> {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with(|settings| settings.inline_subschemas = true);
    let mut table = Value::from(settings.into_generator().into_root_schema_for::<Spec>());
    if let Some(table) = table.as_object_mut() {
        table.remove("$schema");
    }
    let toml = json!({ "type": "string", "description": "A [[model]] table, as in the configuration." });
    vec![
        ("application/json", table, json!({ "name": "iris", "task": "classification" })),
        ("application/toml", toml, json!("[[model]]\nname = \"iris\"\ntask = \"classification\"\n")),
    ]
}
