//! The document, made of operations and types, and held to the router and to the file that is served.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operations::{Asks, Content, Operation, all, parameter};
use super::*;
use crate::web::tests::routes;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/openapi/openapi.json");

fn content(content: Content, generator: &mut schemars::SchemaGenerator) -> Option<(&'static str, Value)> {
    let text = json!({ "type": "string" });
    Some(match content {
        Content::Nothing => return None,
        Content::Text => ("text/plain", text),
        Content::Html => ("text/html", text),
        Content::Css => ("text/css", text),
        Content::JavaScript => ("text/javascript", text),
        Content::Metrics => (crate::export::prometheus::CONTENT_TYPE, text),
        Content::Events => ("text/event-stream", text),
        Content::Protobuf => ("application/x-protobuf", json!({ "type": "string", "format": "binary" })),
        Content::Json(schema) => ("application/json", schema(generator)),
    })
}

/// What stands before every route answers.
fn in_the_way(operation: &Operation) -> Vec<(u16, &'static str, Content)> {
    let mut answers = vec![
        (400, "The request is none.", Content::Text),
        (403, "A page of another site asks, or the token has no right to this.", Content::Text),
        (421, "It is meant for another host.", Content::Text),
        (503, "It took too long.", Content::Text),
    ];
    match operation.asks {
        Asks::Nothing => {}
        Asks::Token => answers.push((401, "A token is asked for, or is not known.", Content::Text)),
        Asks::Page => {
            answers.push((303, "A person is sent to sign in.", Content::Nothing));
            answers.push((401, "A token is asked for, or is not known.", Content::Text));
        }
    }
    answers
}

fn responses(operation: &Operation, generator: &mut schemars::SchemaGenerator) -> Value {
    let mut responses: BTreeMap<u16, (Vec<&str>, Map<String, Value>)> = BTreeMap::new();
    for (status, meaning, answer) in operation.answers.iter().copied().chain(in_the_way(operation)) {
        let (meanings, bodies) = responses.entry(status).or_default();
        meanings.push(meaning);
        if let Some((kind, schema)) = content(answer, generator) {
            bodies.entry(kind).or_insert_with(|| json!({ "schema": schema }));
        }
    }
    let one = |(status, (meanings, bodies)): (u16, (Vec<&str>, Map<String, Value>))| {
        let mut response = json!({ "description": meanings.join(" Or: ") });
        if !bodies.is_empty() {
            response["content"] = bodies.into();
        }
        let header = match status {
            401 => Some(("WWW-Authenticate", "How to ask with a token.", json!({ "type": "string" }))),
            409 | 429 | 503 => Some((
                "Retry-After",
                "Seconds until it may be tried again.",
                json!({ "type": "integer", "minimum": 1 }),
            )),
            202 => Some((
                "Idempotency-Replayed",
                "`true` where the batch came before under its key, and this is what was answered then.",
                json!({ "type": "string", "const": "true" }),
            )),
            303 => Some(("Location", "Where to go on.", json!({ "type": "string" }))),
            _ => None,
        };
        if let Some((name, about, schema)) = header {
            response["headers"] = json!({ name: { "description": about, "schema": schema } });
        }
        (status.to_string(), response)
    };
    Value::Object(responses.into_iter().map(one).collect())
}

fn operation(operation: &Operation, generator: &mut schemars::SchemaGenerator) -> Value {
    let place = operation.path.trim_matches('/').replace(['/', '{', '}', '.'], " ");
    let words: Vec<&str> = std::iter::once(operation.method).chain(place.split_whitespace()).collect();
    let mut made = json!({
        "operationId": words.join("_"),
        "summary": operation.about,
        "parameters": operation.parameters.iter().map(|name| parameter(name)).collect::<Vec<_>>(),
        "responses": responses(operation, generator),
    });
    if operation.asks == Asks::Nothing {
        made["security"] = json!([]);
    }
    if let Some(body) = operation.body {
        let one = |(kind, schema, example): super::bodies::Body| {
            let mut media = json!({ "schema": schema });
            if !example.is_null() {
                media["example"] = example;
            }
            (kind.to_owned(), media)
        };
        let bodies: Map<String, Value> = body().into_iter().map(one).collect();
        // A form that says nothing is answered, too.
        made["requestBody"] = json!({ "required": operation.asks != Asks::Nothing, "content": bodies });
    }
    made
}

fn made() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut generator =
        settings.with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for one in all() {
        let before = paths.entry(one.path).or_default().insert(one.method.to_owned(), operation(&one, &mut generator));
        assert!(before.is_none(), "{} {} stands there twice", one.method, one.path);
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "plumbline",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "A node agent that answers whether each model is still right, whether each container has the right size, and \
                            what a prediction costs. Errors are plain sentences, or JSON where the answer is.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }, { "basic": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "A token of the agent's file of tokens." },
                "basic": { "type": "http", "scheme": "basic", "description": "The same as a password, for senders that can add no header." },
            },
            "schemas": generator.take_definitions(true),
        },
    });
    laid_out(&document)
}

/// A line for each part that somebody would compare by itself.
fn laid_out(document: &Value) -> String {
    let mut text = String::from("{");
    let entries = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let separate = |text: &mut String, first: &mut bool| {
        if !std::mem::take(first) {
            text.push(',');
        }
    };
    let mut first = true;
    for (key, value) in entries(document) {
        separate(&mut text, &mut first);
        if matches!(key.as_str(), "paths" | "components") {
            let _ = write!(text, "\n {}: {{", json!(key));
            let mut first = true;
            for (name, below) in entries(&value) {
                separate(&mut text, &mut first);
                if name == "schemas" || key == "paths" {
                    let _ = write!(text, "\n  {}: {{", json!(name));
                    let mut first = true;
                    for (name, below) in entries(&below) {
                        separate(&mut text, &mut first);
                        let _ = write!(text, "\n   {}: {below}", json!(name));
                    }
                    text.push('}');
                } else {
                    let _ = write!(text, "\n  {}: {below}", json!(name));
                }
            }
            text.push('}');
        } else {
            let compact = value.to_string().replace("\":[]", "\": []");
            text.push_str(&format!("\n {}: {compact}", json!(key)).replace("[]},{", "[]}, {"));
        }
    }
    text.push_str("\n}\n");
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is told by the environment to write the document anew")]
fn the_document_is_made_of_the_routes_own_types() {
    let made = made();
    serde_json::from_str::<Value>(&made).expect("JSON");
    if std::env::var_os("PLUMBLINE_BLESS").is_some() {
        std::fs::write(FILE, &made).expect("written");
        std::fs::write(format!("{FILE}.zst"), zstd::bulk::compress(made.as_bytes(), 19).expect("packed"))
            .expect("written");
        return;
    }
    assert!(
        made == include_str!("openapi.json") && made == unpacked(),
        "src/web/openapi/openapi.json is of other routes or types; PLUMBLINE_BLESS=1 writes it anew"
    );
    assert_eq!((made.matches(ASKED).count(), ASKED.replace(ASKED, WELCOME)), (1, WELCOME.to_owned()));
}

/// Neither has a route that the other lacks.
#[test]
fn the_document_has_every_route_of_the_router() {
    let documented: BTreeSet<(String, String)> =
        all().into_iter().map(|one| (one.method.to_owned(), one.path.to_owned())).collect();
    let routes = routes();
    assert!(routes.len() > 25 && routes.contains(&("put".to_owned(), "/v1/models/{model}/reference".to_owned())));
    let apart: Vec<_> = documented.symmetric_difference(&routes).collect();
    assert!(apart.is_empty(), "only in the document or only in the router: {apart:?}");
}
