//! Every operation: whom it lets in, what it takes, what it answers.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::bodies::{self, Body};
use crate::alert::view::AlertsView;
use crate::drift::profile::tally::Tally;
use crate::ingest::descriptions::{Descriptions, NotDescribed};
use crate::ingest::events::EventsResponse;
use crate::ingest::trustyai::UploadResponse;
use crate::ingest::{AgentResponse, RowsResponse};
use crate::model::view::WindowResult;
use crate::query::{Answer, Table, tables};
use crate::rightsize::review::Review;
use crate::snapshot::Snapshot;
use crate::web::{Briefly, Gpus, Model, Models, health};

/// What an answer holds.
#[derive(Clone, Copy)]
pub enum Content {
    Nothing,
    Text,
    Html,
    Css,
    JavaScript,
    Events,
    Metrics,
    Protobuf,
    Json(fn(&mut SchemaGenerator) -> Value),
}

/// Whom it lets in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    Nothing,
    Token,
    /// A token, or a session of the page.
    Page,
}

pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub about: &'static str,
    pub asks: Asks,
    /// Names of parameters, as `parameter` has them.
    pub parameters: &'static [&'static str],
    pub body: Option<fn() -> Vec<Body>>,
    /// Status, meaning, content; those that stand in the way of all are `made`'s.
    pub answers: Vec<(u16, &'static str, Content)>,
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().into()
}

/// How the agent is: in full for who may read.
fn health(generator: &mut SchemaGenerator) -> Value {
    json!({ "anyOf": [of::<health::Report>(generator), of::<Briefly>(generator)] })
}

/// A parameter by its name.
pub fn parameter(name: &str) -> Value {
    const NAME: &str = "^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$";
    let (place, about, schema, example) = match name {
        "model" => ("path", "The model's name.", json!({ "type": "string", "pattern": NAME }), json!("iris")),
        "end" => (
            "path",
            "When the window ended, as its line says; or `latest`.",
            json!({ "anyOf": [{ "const": "latest" }, { "type": "string", "format": "date-time" }] }),
            json!("latest"),
        ),
        "namespace" => (
            "query",
            "The model's namespace, where it is in one.",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9-][A-Za-z0-9_.-]{0,99}$" }),
            Value::Null,
        ),
        "all_or_nothing" => ("query", "Refuses a body with any wrong row.", json!({ "type": "boolean" }), json!(false)),
        "Idempotency-Key" => (
            "header",
            "Names this batch, such as by a UUID: sent again under it within a day, it is taken once and answered alike.",
            json!({ "type": "string", "pattern": "^\"?[!#-~]{1,255}\"?$" }),
            json!("8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ),
        "to" => ("query", "Where somebody goes on who has signed in.", json!({ "type": "string" }), json!("/")),
        "workload" => (
            "path",
            "The workload and the container in it: `namespace/kind/name/container`.",
            json!({ "type": "string", "minLength": 1 }),
            json!("shop/Deployment/checkout/api"),
        ),
        "gpu" => ("path", "The device's id (NVML's UUID).", json!({ "type": "string", "minLength": 1 }), Value::Null),
        "node" => ("path", "The node's name.", json!({ "type": "string", "minLength": 1 }), Value::Null),
        "range" => (
            "query",
            "How far the page looks back.",
            json!({ "type": "string", "enum": crate::web::page::RANGES.map(|range| range.name) }),
            json!("24h"),
        ),
        "table" => (
            "query",
            "The table of the history.",
            json!({ "type": "string", "enum": tables().map(Table::name) }),
            json!("container_minute"),
        ),
        "columns" => (
            "query",
            "Numbers of the table, with commas between; REFERENCE.md lists them. Any text of the table is a parameter too, and leaves out \
             rows of other values: `workload=checkout`.",
            json!({ "type": "string", "minLength": 1 }),
            json!("cpu_usage_mean,memory_working_set_max"),
        ),
        "by" => ("query", "Texts of the table that tell series apart.", json!({ "type": "string" }), json!("workload")),
        "changes" => (
            "query",
            "Texts, or lists of texts, of which is told from when until when each value was met.",
            json!({ "type": "string" }),
            json!("image_tag"),
        ),
        "total" => (
            "query",
            "Sums the rows of each minute up: what all of them used together.",
            json!({ "type": "boolean" }),
            json!(false),
        ),
        "since" => (
            "query",
            "How long ago (24h, 14d), or a time; a day ago without it.",
            json!({ "type": "string" }),
            json!("24h"),
        ),
        "until" => ("query", "How long ago, a time, or `now`.", json!({ "type": "string" }), json!("now")),
        "step" => (
            "query",
            "How long a step is: a minute or more; without it such that there are about 240.",
            json!({ "type": "string" }),
            json!("10m"),
        ),
        other => panic!("no parameter {other}"),
    };
    let required = place == "path" || matches!(name, "table" | "columns");
    let mut parameter =
        json!({ "name": name, "in": place, "description": about, "required": required, "schema": schema });
    if !example.is_null() {
        parameter["example"] = example;
    }
    parameter
}

/// What the ingest answers to rows.
fn to_rows() -> Vec<(u16, &'static str, Content)> {
    let rows = Content::Json(of::<RowsResponse>);
    vec![
        (202, "The rows that passed are stored; what is wrong with the others is told.", rows),
        (400, "The address or the body is none.", rows),
        (408, "The body did not arrive in time.", rows),
        (
            409,
            "Another body changed the model's columns meanwhile; or the configuration names the reference; or the same batch is being taken \
             under this key, and Retry-After says when to ask again.",
            rows,
        ),
        (413, "It is larger than is taken.", rows),
        (415, "Its type, or its packing, is none that is taken.", rows),
        (421, "It is meant for another agent.", rows),
        (422, "No row passed, or another batch came under this key.", rows),
        (429, "There is no room now: Retry-After says when.", rows),
        (503, "Nothing can be stored now.", rows),
        (507, "No room is kept for a model that is known only by labels of other agents.", rows),
    ]
}

/// What OTLP's door answers, in the encoding of the request.
fn to_logs() -> Vec<(u16, &'static str, Content)> {
    let all = [
        (200, "How many records were rejected, and why the first was."),
        (400, "The body is no request of OTLP's."),
        (408, "The body did not arrive in time."),
        (413, "It is larger than is taken."),
        (415, "Its type, or its packing, is none that is taken."),
        (429, "There is no room now: Retry-After says when."),
        (503, "Nothing can be stored now."),
    ];
    let object = Content::Json(|_| json!({ "type": "object" }));
    all.into_iter()
        .flat_map(|(status, about)| [(status, about, object), (status, "Likewise.", Content::Protobuf)])
        .collect()
}

fn read(path: &'static str, about: &'static str, parameters: &'static [&'static str], content: Content) -> Operation {
    let mut answers = vec![(200, "As of now.", content)];
    if !parameters.is_empty() {
        answers.push((400, "The address is none.", Content::Text));
        answers.push((404, "There is none.", Content::Text));
    }
    Operation { method: "get", path, about, asks: Asks::Token, parameters, body: None, answers }
}

fn open(path: &'static str, about: &'static str, answers: Vec<(u16, &'static str, Content)>) -> Operation {
    Operation { method: "get", path, about, asks: Asks::Nothing, parameters: &[], body: None, answers }
}

fn page(path: &'static str, about: &'static str, parameters: &'static [&'static str]) -> Operation {
    let mut operation = read(path, about, parameters, Content::Html);
    operation.asks = Asks::Page;
    for (_, _, content) in &mut operation.answers {
        *content = Content::Html;
    }
    operation
}

fn send(method: &'static str, path: &'static str, about: &'static str, body: fn() -> Vec<Body>) -> Operation {
    let parameters = &["model", "namespace", "all_or_nothing", "Idempotency-Key"];
    Operation { method, path, about, asks: Asks::Token, parameters, body: Some(body), answers: to_rows() }
}

fn take_events(path: &'static str) -> Operation {
    let events = Content::Json(of::<EventsResponse>);
    let answers = vec![
        (202, "They are taken; of a batch those that are not are told.", events),
        (400, "It is no event.", events),
        (403, "The token is for other models.", events),
        (413, "It is larger than is taken.", events),
        (415, "Its packing is none that is taken.", events),
        (422, "Its data is no body of an inference protocol.", events),
        (429, "There is no room now: Retry-After says when.", events),
        (503, "Nothing can be stored now.", events),
    ];
    let about = "Takes CloudEvents of predictions, one or a batch; KServe's logger sends them in binary mode, as headers `ce-*`.";
    Operation { method: "post", path, about, asks: Asks::Token, parameters: &[], body: Some(bodies::events), answers }
}

fn take_halves() -> Operation {
    let events = Content::Json(of::<EventsResponse>);
    Operation {
        method: "post",
        path: "/consumer/kserve/v2",
        about: "Takes half of a prediction as ModelMesh posts it to TrustyAI: a message of the V2 protocol over gRPC.",
        asks: Asks::Token,
        parameters: &["namespace"],
        body: Some(bodies::half),
        answers: vec![
            (200, "It is taken.", events),
            (400, "It lacks what it must say, or did not come whole.", events),
            (403, "The token is for other models.", events),
            (413, "It is larger than is taken.", events),
            (415, "Its packing is none that is taken, or its data is no base64.", events),
            (422, "Its data is no message of the protocol.", events),
            (429, "There is no room now: Retry-After says when.", events),
            (503, "Nothing can be stored now.", events),
        ],
    }
}

fn take_uploads() -> Operation {
    let told = Content::Json(of::<UploadResponse>);
    Operation {
        method: "post",
        path: "/data/upload",
        about: "Takes data as TrustyAI does: with the tag TRAINING the model's reference, ground truth as labels, all else as samples.",
        asks: Asks::Token,
        parameters: &["namespace"],
        body: Some(bodies::upload),
        answers: vec![
            (200, "The rows that passed are stored; what is wrong with the others is told.", told),
            (400, "It lacks what it must say, or says what cannot be done.", told),
            (403, "The token is for other models.", told),
            (408, "The body did not arrive in time.", told),
            (
                409,
                "The configuration names the reference; or another body changed the model's columns meanwhile.",
                told,
            ),
            (413, "It is larger than is taken.", told),
            (415, "Its packing is none that is taken.", told),
            (422, "Its halves are no bodies of the V2 protocol, or no row passed.", told),
            (429, "There is no room now: Retry-After says when.", told),
            (503, "Nothing can be stored now.", told),
        ],
    }
}

/// All of them.
#[expect(clippy::too_many_lines, reason = "a table, to be read from top to bottom")]
pub fn all() -> Vec<Operation> {
    const OF_MODEL: &[&str] = &["model", "namespace"];
    const OF_WINDOW: &[&str] = &["model", "end", "namespace"];
    let window = "/api/v1/models/{model}/windows/{end}";
    let description = "/v1/models/{model}/description";
    let (described, refused) = (Content::Json(of::<Descriptions>), Content::Json(of::<NotDescribed>));
    let rows = Content::Json(of::<RowsResponse>);
    let mut all = vec![
        page("/", "The page of the node.", &[]),
        page("/models/{model}", "The page of a model.", &["model", "namespace", "range"]),
        page("/models/{model}/windows/{end}", "The page of a window.", OF_WINDOW),
        page("/workloads/{workload}", "The page of a workload: what it used over time.", &["workload", "range"]),
        page(
            "/nodes/{node}",
            "The page of the node: what it has, and what is done with it over time.",
            &["node", "range"],
        ),
        page("/gpus/{gpu}", "The page of a GPU: what it did over time, and for whom.", &["gpu", "range"]),
        page("/alerts", "The page of alerts: what fires now, and what fired when.", &["range"]),
        Operation {
            answers: vec![
                (
                    200,
                    "Server-sent events: `newer`, with the time of the snapshot, at most every two seconds; without end.",
                    Content::Events,
                ),
                (503, "Too many listen.", Content::Text),
            ],
            ..read("/live", "Tells that there is a newer snapshot.", &[], Content::Nothing)
        },
        open("/page.css", "What the page looks like.", vec![(200, "A style sheet.", Content::Css)]),
        open("/page.js", "How the page keeps up.", vec![(200, "A script.", Content::JavaScript)]),
        read("/metrics", "All metrics, as Prometheus reads them.", &[], Content::Metrics),
        read("/openapi.json", "This document.", &[], Content::Json(|_| json!({ "type": "object" }))),
        open(
            "/healthz",
            "How the agent is: in full for who may read.",
            vec![(200, "It works.", Content::Json(health)), (503, "Nothing moves.", Content::Json(health))],
        ),
        open(
            "/readyz",
            "Whether containers have been read.",
            vec![(200, "They have.", Content::Text), (503, "Not yet.", Content::Text)],
        ),
        read("/api/v1/containers", "All that is known of the node at one instant.", &[], Content::Json(of::<Snapshot>)),
        read("/api/v1/gpus", "The node's GPUs.", &[], Content::Json(of::<Gpus<'_>>)),
        Operation {
            answers: vec![
                (200, "The answer, as old as the begun minute.", Content::Json(of::<Answer>)),
                (400, "The question is none: the text says why, and what there is.", Content::Text),
                (503, "It takes too long to read, or the disk failed.", Content::Text),
            ],
            ..read(
                "/api/v1/query",
                "Columns of the history over time, in steps.",
                &["table", "columns", "by", "changes", "total", "since", "until", "step"],
                Content::Nothing,
            )
        },
        read("/api/v1/alerts", "Alerts and their rules.", &[], Content::Json(of::<AlertsView>)),
        read("/api/v1/recommendations", "What workloads use and should ask for.", &[], Content::Json(of::<Review>)),
        read("/api/v1/models", "All models with their containers.", &[], Content::Json(of::<Models<'_>>)),
        read("/api/v1/models/{model}", "A model with its containers.", OF_MODEL, Content::Json(of::<Model<'_>>)),
        read(window, "A judged window in full.", OF_WINDOW, Content::Json(of::<WindowResult>)),
        read(
            "/api/v1/models/{model}/windows/{end}/tally",
            "A window's counts under the model's profile, which replicas add up.",
            OF_WINDOW,
            Content::Json(of::<Tally>),
        ),
        read("/v1/agent", "Who this agent is.", &[], Content::Json(of::<AgentResponse>)),
        take_events("/"),
        take_events("/v1/events"),
        take_halves(),
        take_uploads(),
        Operation {
            method: "post",
            body: Some(bodies::logs),
            answers: to_logs(),
            ..read("/v1/logs", "Takes OTLP's logs that are samples or labels; GUIDE.md has the attributes.", &[], rows)
        },
        send("post", "/v1/models/{model}/samples", "Takes samples: predictions with their features.", bodies::samples),
        send("post", "/v1/models/{model}/labels", "Takes labels: what was true.", bodies::labels),
        send(
            "put",
            "/v1/models/{model}/reference",
            "Takes what windows are held against: rows, or a profile of them as JSON.",
            bodies::reference,
        ),
        Operation {
            method: "delete",
            answers: vec![
                (204, "It is forgotten, with all that is stored of it.", Content::Nothing),
                (400, "The address is none.", rows),
                (404, "There is no such model.", rows),
                (503, "It cannot be removed now.", rows),
            ],
            ..read("/v1/models/{model}", "Removes a model with all that is stored of it.", OF_MODEL, rows)
        },
        read("/v1/descriptions", "What describes each model, and who said so.", &[], described),
        Operation {
            answers: vec![
                (200, "The one that counts first.", described),
                (400, "The address is none.", refused),
                (404, "Nobody describes it.", refused),
            ],
            ..read(description, "What describes a model.", OF_MODEL, described)
        },
        Operation {
            method: "put",
            body: Some(bodies::description),
            answers: vec![
                (201, "It is the first by the API.", Content::Nothing),
                (204, "It takes the place of the one before.", Content::Nothing),
                (400, "The address is none, or the body is no text.", refused),
                (409, "The configuration file describes it, or there is no room.", refused),
                (413, "It is larger than 256 KiB.", Content::Text),
                (415, "It is neither TOML nor JSON.", refused),
                (422, "It is wrong: each problem with its line and field.", refused),
                (503, "It cannot be stored now.", refused),
            ],
            ..read(description, "Describes a model.", OF_MODEL, described)
        },
        Operation {
            method: "delete",
            answers: vec![
                (204, "What came by the API counts no longer.", Content::Nothing),
                (400, "The address is none.", refused),
                (404, "Nothing came by the API.", refused),
                (503, "It cannot be removed now.", refused),
            ],
            ..read(description, "Takes back what came by the API.", OF_MODEL, described)
        },
        Operation {
            parameters: &["to"],
            ..open("/sign-in", "The form for a person with a token.", vec![(200, "The form.", Content::Html)])
        },
        Operation {
            method: "post",
            body: Some(|| {
                let properties = json!({ "token": { "type": "string" }, "to": { "type": "string" } });
                let form = json!({ "type": "object", "properties": properties });
                vec![("application/x-www-form-urlencoded", form, Value::Null)]
            }),
            answers: vec![
                (303, "Somebody is signed in, or nobody has to.", Content::Nothing),
                (401, "The token is not known, or may not read.", Content::Html),
                (413, "It is larger than 8 KiB.", Content::Text),
            ],
            ..open("/sign-in", "Begins a session.", Vec::new())
        },
        Operation {
            method: "post",
            ..open("/sign-out", "Ends a session.", vec![(303, "It has ended.", Content::Nothing)])
        },
    ];
    for operation in all.iter_mut().filter(|operation| operation.path == "/api/v1/recommendations") {
        operation.answers.push((503, "The history has not been read yet.", Content::Text));
    }
    for operation in all.iter_mut().filter(|operation| operation.path == "/v1/agent") {
        operation.answers.push((503, "What was stored before is not read yet.", rows));
    }
    all
}
