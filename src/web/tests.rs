//! What comes over HTTP, in every place where a value stands: whatever it is, there is an answer, and the agent goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::clock::FixedClock;
use crate::drift::modes::Mode;
use crate::drift::verdict::{Measured, Thresholds, judge};
use crate::frame::json::WrongTypes;
use crate::frame::stack::frame_of;
use crate::identity::ModelKey;
use crate::ingest::descriptions::{NotTaken, Registry, Shown};
use crate::ingest::{self, Described, Ingest, Refused, Reservation, Sink};
use crate::model::border::{Batch, Purpose};
use crate::model::reference::Reference;
use crate::model::{Spec, check_name, check_namespace};
use crate::units::hostile::values;

/// Takes everything in, and holds it against itself as a reference is.
struct Taking;

impl Sink for Taking {
    fn describe(&self, model: &ModelKey) -> Result<Described, Refused> {
        assert_eq!(check_name(&model.name), Ok(()));
        assert_eq!(model.namespace.as_deref().map_or(Ok(()), check_namespace), Ok(()));
        Ok(Described { spec: Arc::new(Spec::of(model)), schema: Arc::default(), max_features: 20 })
    }

    fn accept(&self, model: &ModelKey, _: Purpose, batch: Batch, _: Reservation) -> Result<(), Refused> {
        let frame = frame_of(&batch.record).expect("what passed the border is a frame");
        let reference = Reference::new(&frame.clone().into(), &Spec::of(model), 10, Timestamp::UNIX_EPOCH, false);
        let against_itself = |(name, column): (&String, &crate::model::reference::Column)| {
            Measured::new(name, &column.baseline, &column.baseline.sample, &crate::drift::defaults(), Mode::Default)
        };
        let judged = judge(reference.columns.iter().map(against_itself).collect(), &Thresholds::default());
        let text = serde_json::to_string(&judged).expect("JSON");
        assert!(judged.iter().all(|column| column.drift != Some(true)), "a column drifts from itself: {text}");
        Ok(())
    }

    fn remove(&self, _: &ModelKey) -> Result<bool, Refused> {
        Ok(false)
    }

    fn refused(&self, _: &ModelKey, _: &WrongTypes) {}

    fn agent(&self) -> Option<String> {
        None
    }

    fn takes_forwarded(&self, _: &ModelKey) -> bool {
        true
    }

    fn answered(&self, _: u16, _: ingest::RowCounts) {}
}

/// Knows of no description.
struct Undescribed;

impl Registry for Undescribed {
    fn put(&self, _: &ModelKey, _: &str, _: bool) -> Result<bool, NotTaken> {
        Err(NotTaken::Conflict("nothing is taken".to_owned()))
    }

    fn remove(&self, _: &ModelKey) -> Result<bool, NotTaken> {
        Ok(false)
    }

    fn all(&self) -> Vec<Shown> {
        Vec::new()
    }
}

/// What the routes read, and the snapshot's sender, which has to be kept.
pub fn shared(base: &str) -> (Shared, watch::Sender<Arc<Snapshot>>) {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (sender, snapshot) = watch::channel(Arc::new(Snapshot::empty("node-1".to_owned(), Timestamp::UNIX_EPOCH)));
    let shared = Shared {
        snapshot,
        window: Arc::new(|_, _| Ok(None)),
        history: Arc::new(query::History::new(Arc::new(|query, _| {
            Ok(crate::query::Folding::new(query.clone()).answer(0))
        }))),
        metrics: Arc::new(|| ("text/plain", String::new())),
        data: "/nowhere".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        sample: false,
        names: origin::Names::new("node-1", &[]),
        gate: access::Gate::new(crate::access::Shared::default(), false, Arc::default(), Arc::clone(&clock)),
        listeners: live::Places::default(),
        // It never stops.
        stopping: Box::leak(Box::new(watch::channel(false).0)).subscribe(),
        base: base.to_owned(),
        health: Arc::default(),
        clock,
    };
    (shared, sender)
}

/// The ingest's routes, as the agent adds them.
fn more() -> Router {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let config = ingest::Config { max_rows: 1000, ..ingest::Config::default() };
    let ingest = Ingest {
        sink: Arc::new(Taking),
        config,
        clock,
        in_flight: ingest::Room::new(1 << 27),
        repeats: Arc::default(),
        copies: None,
    };
    let events = ingest::events::Events::new(ingest.clone());
    let (logs, uploads) = (ingest::otlp::router(ingest.clone()), ingest::trustyai::router(ingest.clone()));
    ingest::router(ingest)
        .merge(logs)
        .merge(uploads)
        .merge(events.router())
        .merge(ingest::descriptions::router(Arc::new(Undescribed)))
}

/// Every route of the router, by method and path, as the router itself tells them.
pub fn routes() -> BTreeSet<(String, String)> {
    let (shared, _snapshot) = shared("http://127.0.0.1");
    let told = format!("{:?}", router(shared, more()));
    let told = told.split("fallback_router").next().expect("the first router");
    let (handlers, paths) = told.split_once("node: Node").expect("a table of paths");
    let number = |text: &str| text.split(')').next().and_then(|number| number.parse::<usize>().ok());
    let paths: BTreeMap<usize, &str> =
        paths.split("RouteId(").skip(1).filter_map(|entry| Some((number(entry)?, entry.split('"').nth(1)?))).collect();
    let mut found = BTreeSet::new();
    for entry in handlers.split("RouteId(").skip(1) {
        let path = *number(entry).and_then(|number| paths.get(&number)).expect("a path");
        for method in ["get", "delete", "options", "patch", "post", "put", "trace"] {
            let (_, handler) = entry.split_once(&format!("{method}: ")).expect("a method");
            if !handler.starts_with("None") {
                // The rest of a path is a parameter as any other.
                found.insert((method.to_owned(), path.replace("{*", "{")));
            }
        }
    }
    found
}

/// An agent's routes on a port of their own. The snapshot's sender has to be kept.
async fn served() -> (SocketAddr, watch::Sender<Arc<Snapshot>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (shared, sender) = shared(&format!("http://{address}"));
    tokio::spawn(serve(Entrance::Port(listener, None), shared, more(), std::future::pending()));
    (address, sender)
}

/// The answer to a request, sent byte for byte.
async fn answer(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // Who is refused early may find the connection closed before all is said.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "no end of the answer to {}", shown(request));
    String::from_utf8_lossy(&answer).into_owned()
}

fn shown(request: &[u8]) -> String {
    request.escape_ascii().to_string().chars().take(300).collect()
}

/// The status, which is one that was meant.
fn status(answer: &str, request: &[u8]) -> u16 {
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer but {answer:?} to {}", shown(request)));
    let meant = (200..500).contains(&status) || status == 503;
    let bug = answer.contains("bug in plumbline") || answer.contains("gave up");
    assert!(meant && !bug, "{answer} to {}", shown(request));
    status
}

fn request(method: &str, path: &str, head: &str, body: &str) -> Vec<u8> {
    let host = if head.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
    let length = if head.contains("Content-Length:") || head.contains("Transfer-Encoding:") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    format!("{method} {path} HTTP/1.1\r\n{host}{length}{head}Connection: close\r\n\r\n{body}").into_bytes()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).expect("a digit")
}

fn percent_encoded(value: &str) -> String {
    value.bytes().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect()
}

const JSON: &str = "Content-Type: application/x-ndjson\r\n";
const ROW: &str = r#"{"id":"a","label":1}"#;

/// Requests with the value as a model's name, a parameter, or a part of the path.
fn of_paths(value: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for text in [value.to_owned(), percent_encoded(value)] {
        for path in [format!("/models/{text}"), format!("/api/v1/models/{text}"), format!("/{text}"), text.clone()] {
            all.push(request("GET", &path, "", ""));
        }
        all.push(request("DELETE", &format!("/v1/models/{text}"), "", ""));
        all.push(request("POST", &format!("/v1/models/{text}/samples"), JSON, ROW));
        all.push(request("PUT", &format!("/v1/models/{text}/reference"), JSON, ROW));
        all.push(request("POST", &format!("/v1/models/m/samples?namespace={text}"), JSON, ROW));
        for path in ["/models/m", "/api/v1/models/m"] {
            all.push(request("GET", &format!("{path}?namespace={text}"), "", ""));
        }
        for path in ["/models/m/windows", "/api/v1/models/m/windows"] {
            all.extend(["", "/tally"].map(|below| request("GET", &format!("{path}/{text}{below}"), "", "")));
        }
        all.push(request("DELETE", &format!("/v1/models/m?namespace={text}"), "", ""));
        for query in [text.clone(), format!("all_or_nothing={text}"), format!("{text}=true"), format!("&&{text}&")] {
            all.push(request("POST", &format!("/v1/models/m/labels?{query}"), JSON, ROW));
        }
    }
    all
}

/// Requests with the value in a header.
fn of_heads(value: &str) -> Vec<Vec<u8>> {
    let names = [
        "Content-Length",
        "Content-Encoding",
        "Content-Type",
        "Transfer-Encoding",
        "Host",
        "Origin",
        "Expect",
        "Accept-Encoding",
        "Retry-After",
        "Range",
    ];
    let mut all = Vec::new();
    for name in names {
        let json = if name == "Content-Type" { "" } else { JSON };
        all.push(request("POST", "/v1/models/m/samples", &format!("{json}{name}: {value}\r\n"), ROW));
        all.push(request("GET", "/healthz", &format!("{name}: {value}\r\n"), ""));
    }
    // A chunk of any length.
    let chunked = format!("{JSON}Transfer-Encoding: chunked\r\n");
    all.push(request("POST", "/v1/models/m/samples", &chunked, &format!("{value}\r\n{ROW}\r\n0\r\n\r\n")));
    all.push(request("POST", "/v1/models/m/samples", &format!("{JSON}Content-Encoding: gzip\r\n"), value));
    all
}

/// Requests with the value as the whole body, and in every field of a row, as it stands and as text.
fn of_bodies(value: &str) -> Vec<Vec<u8>> {
    let text = serde_json::to_string(value).expect("text");
    let arrow = "Content-Type: application/vnd.apache.arrow.stream\r\n";
    let mut all = Vec::new();
    for (method, path) in [("POST", "samples"), ("POST", "labels"), ("PUT", "reference")] {
        let path = format!("/v1/models/m/{path}");
        all.extend([JSON, "Content-Type: application/json\r\n", arrow].map(|head| request(method, &path, head, value)));
        for token in [value, &text] {
            for field in ["id", "timestamp", "prediction", "score", "label", "version", "x"] {
                let row = |id: &str, value: &str| match field {
                    "id" => format!(r#"{{"id":{value},"label":1,"x":0.5}}"#),
                    "label" => format!(r#"{{"id":"{id}","label":{value},"x":0.5}}"#),
                    field => format!(r#"{{"id":"{id}","label":1,"{field}":{value}}}"#),
                };
                // Among ordinary rows, whose values have another sign and another form.
                let rows = [row("a", token), row("b", "-1"), row("c", token), row("d", "1.5")];
                all.push(request(method, &path, JSON, &rows.join("\n")));
            }
        }
        // As a field's name.
        all.push(request(method, &path, JSON, &format!(r#"{{"id":"a","label":1,{text}:1}}"#)));
    }
    all
}

/// The API and the page of each of two models of one name; and what is misspelled names none of them.
#[tokio::test]
async fn namesakes_have_an_address_each() {
    let (address, snapshot) = served().await;
    let view = |key: &ModelKey| {
        let progress = crate::model::watch::Progress::default();
        crate::model::watch::Watch::new(Spec::of(key), 10, progress, Timestamp::UNIX_EPOCH).view(Timestamp::UNIX_EPOCH)
    };
    let models = [ModelKey::named("m"), ModelKey::within("ml", "m")].iter().map(view).collect();
    let models = Arc::new(crate::model::view::ModelsView { models, ..Default::default() });
    snapshot.send_modify(|known| *known = Arc::new(known.as_ref().clone().joined(models, None, Arc::default())));
    let get = |path: &'static str| async move { answer(address, &request("GET", path, "", "")).await };
    for (path, namespace) in [("/api/v1/models/m", "null"), ("/api/v1/models/m?namespace=ml", "\"ml\"")] {
        let text = get(path).await;
        assert!(
            text.starts_with("HTTP/1.1 200") && text.contains(&format!("\"namespace\":{namespace},\"name\":\"m\"")),
            "{text}"
        );
    }
    assert!(get("/models/m?namespace=ml").await.contains("<title>plumbline · ml/m</title>"));
    for (path, status) in [
        ("/api/v1/models/m?namespace=shop", "404"),
        ("/api/v1/models/m?namspace=ml", "400"),
        ("/models/m?namespace=ml&namespace=ml", "404"),
    ] {
        assert!(get(path).await.starts_with(&format!("HTTP/1.1 {status}")), "{path}");
    }
    for (query, status) in [("", "404"), ("?namespace=ml", "404"), ("?namspace=ml", "400"), ("?namespace=..", "400")] {
        let removed = answer(address, &request("DELETE", &format!("/v1/models/m{query}"), "", "")).await;
        assert!(removed.starts_with(&format!("HTTP/1.1 {status}")), "{query}: {removed}");
    }
}

/// Packed one way or another, or as cells: the rows are the same.
#[tokio::test]
async fn bodies_are_unpacked_within_bounds() {
    let (address, _snapshot) = served().await;
    let rows = "id,label,x\na,1,0.5\nb,0,\n";
    let zstd = |text: &[u8], level: i32, window: Option<u32>| -> Vec<u8> {
        let mut packed = zstd::stream::write::Encoder::new(Vec::new(), level).expect("an encoder");
        if let Some(window) = window {
            packed.window_log(window).expect("a window");
        }
        std::io::Write::write_all(&mut packed, text).expect("packed");
        packed.finish().expect("packed")
    };
    let post = |body: Vec<u8>, encoding: &'static str| async move {
        let head = format!(
            "POST /v1/models/m/samples HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/csv\r\nContent-Encoding: {encoding}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        answer(address, &[head.as_bytes(), &body].concat()).await
    };
    for (body, encoding) in [
        (rows.as_bytes().to_vec(), "identity"),
        (zstd(rows.as_bytes(), 3, None), "zstd"),
        (zstd(rows.as_bytes(), 19, None), "zstd"),
    ] {
        let told = post(body, encoding).await;
        assert!(told.starts_with("HTTP/1.1 202") && told.contains("\"accepted\":2"), "{encoding}: {told}");
    }
    // A long body whose window is larger than levels up to 19 use; one that unpacks to more than is taken; and none at all.
    let long = vec![b'a'; 100 << 20];
    for (body, status) in [
        (zstd(&long[..20 << 20], 3, Some(27)), "400"),
        (zstd(&long, 3, None), "413"),
        (b"no zstd".to_vec(), "400"),
        (Vec::new(), "400"),
    ] {
        let told = post(body, "zstd").await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {told}");
    }
}

#[tokio::test]
async fn whatever_a_request_holds_it_is_answered() {
    let (address, _snapshot) = served().await;
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    let requests =
        values().into_iter().flat_map(|value| [of_paths(&value), of_heads(&value), of_bodies(&value)].concat());
    let answered = |request: Vec<u8>| async move { status(&answer(address, &request).await, &request) };
    let mut answers = stream::iter(requests).map(answered).buffer_unordered(50);
    while let Some(status) = answers.next().await {
        *statuses.entry(status).or_default() += 1;
    }
    for expected in [200, 202, 400, 404, 413, 415, 421, 422] {
        assert!(statuses.contains_key(&expected), "no {expected} among {statuses:?}");
    }
    let request = request("GET", "/healthz", "", "");
    assert!(matches!(status(&answer(address, &request).await, &request), 200 | 503));
}
