//! Events through the door: what is answered, what is counted, what is stored.

#![expect(clippy::arithmetic_side_effects, reason = "a test counts a few")]

use std::io::Write as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::*;
use crate::access::{Caller, Digest, Tokens};
use crate::clock::{Clock, FixedClock};
use crate::frame::json::WrongTypes;
use crate::ingest::recorder::shown;
use crate::ingest::{Room, Sink};
use crate::model::border::{Batch, Purpose};
use crate::model::{Schema, Spec};

/// Keeps everything, or refuses it.
struct Store {
    spec: Spec,
    schema: Mutex<Schema>,
    rows: Mutex<Vec<(ModelKey, String)>>,
    batches: Mutex<usize>,
    refuses: Mutex<Option<Refused>>,
    answers: Mutex<Vec<u16>>,
    counts: Mutex<Counts>,
}

impl Sink for Store {
    fn describe(&self, _: &ModelKey) -> Result<Described, Refused> {
        let schema = Arc::new(self.schema.lock().expect("unlocked").clone());
        Ok(Described { spec: Arc::new(self.spec.clone()), schema, max_features: 500 })
    }

    fn accept(&self, model: &ModelKey, purpose: Purpose, batch: Batch, _: Reservation) -> Result<(), Refused> {
        if let Some(refused) = self.refuses.lock().expect("unlocked").clone() {
            return Err(refused);
        }
        self.schema.lock().expect("unlocked").merge(&batch.schema);
        *self.batches.lock().expect("unlocked") += 1;
        let rows = shown(&batch.record)
            .map(|row| if purpose == Purpose::Labels { format!("true: {row}") } else { row })
            .map(|row| (model.clone(), row));
        self.rows.lock().expect("unlocked").extend(rows);
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

    fn answered(&self, status: u16, _: super::super::RowCounts) {
        self.answers.lock().expect("unlocked").push(status);
    }

    fn counted(&self, counts: &Counts) {
        *self.counts.lock().expect("unlocked") = counts.clone();
    }
}

struct Door {
    store: Arc<Store>,
    clock: Arc<FixedClock>,
    events: Arc<Events>,
}

impl Door {
    fn new(change: impl FnOnce(&mut Spec, &mut super::super::Config)) -> Self {
        let (mut spec, mut config) = (Spec::new("iris"), super::super::Config::default());
        change(&mut spec, &mut config);
        let store = Arc::new(Store {
            spec,
            schema: Mutex::default(),
            rows: Mutex::default(),
            batches: Mutex::default(),
            refuses: Mutex::default(),
            answers: Mutex::default(),
            counts: Mutex::default(),
        });
        let clock = Arc::new(FixedClock::new("2026-11-23T10:00:05Z".parse::<Timestamp>().expect("a time")));
        let in_flight = Room::new(config.in_flight.as_u64());
        let (sink, times) = (Arc::clone(&store) as _, Arc::clone(&clock) as Arc<dyn Clock>);
        let ingest = Ingest { sink, config, clock: times, in_flight, repeats: Arc::default(), copies: None };
        Self { store, clock, events: Events::new(ingest) }
    }

    fn open() -> Self {
        Self::new(|_, _| {})
    }

    /// Sends an event as KServe does: the status.
    fn send(&self, half: &str, id: &str, body: impl AsRef<[u8]>) -> u16 {
        self.send_with(half, id, body, &[])
    }

    fn send_with(&self, half: &str, id: &str, body: impl AsRef<[u8]>, more: &[(&'static str, &str)]) -> u16 {
        let kind = format!("org.kubeflow.serving.inference.{half}");
        let headers = [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", id),
            ("ce-type", &kind),
            ("ce-time", "2026-11-23T10:00:00Z"),
            ("ce-inferenceservicename", "iris"),
            ("ce-namespace", "shop"),
            ("ce-component", "predictor"),
        ];
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().copied().chain(more.iter().copied()) {
            if value.is_empty() {
                map.remove(name);
            } else {
                map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
            }
        }
        self.events.receive(&Caller::Anybody, &map, &Bytes::copy_from_slice(body.as_ref())).status().as_u16()
    }

    fn stored(&self) -> Vec<String> {
        self.events.store(false);
        std::mem::take(&mut *self.store.rows.lock().expect("unlocked")).into_iter().map(|(_, row)| row).collect()
    }

    fn counts(&self) -> Counts {
        self.events.store(false);
        let counts = self.store.counts.lock().expect("unlocked").clone();
        let ends = counts.accepted + counts.left_out.values().sum::<u64>() + counts.rejected.values().sum::<u64>();
        assert_eq!(counts.received, ends, "{counts:?}");
        counts
    }

    fn in_flight(&self) -> u64 {
        self.events.ingest.in_flight.held()
    }
}

const ASKED: &str = r#"{"instances": [[6.8, 2.8]]}"#;
const SAID: &str = r#"{"predictions": [1]}"#;
const ROW: &str = "timestamp=2026-11-23T10:00:00Z prediction=1 input-0=6.8 input-1=2.8";

#[test]
fn halves_in_either_order_are_one_row_and_stored_together() {
    let door = Door::open();
    assert_eq!((door.send("request", "a", ASKED), door.send("response", "b", SAID)), (202, 202));
    assert!(door.stored().is_empty(), "halves are no rows");
    assert_eq!((door.send("response", "a", SAID), door.send("request", "b", ASKED)), (202, 202));
    assert_eq!(door.stored(), [format!("id=a {ROW}"), format!("id=b {ROW}")]);
    assert_eq!(*door.store.batches.lock().expect("unlocked"), 1);
    let counts = door.counts();
    assert_eq!((counts.received, counts.accepted, counts.rows, counts.waiting), (4, 4, 2, 0));
    assert_eq!(door.in_flight(), 0);
}

#[test]
fn the_model_is_the_service_in_its_namespace() {
    let door = Door::open();
    door.send("request", "a", ASKED);
    door.send("response", "a", SAID);
    door.events.store(false);
    assert_eq!(door.store.rows.lock().expect("unlocked")[0].0, ModelKey::within("shop", "iris"));
    for component in ["transformer", "explainer"] {
        assert_eq!(door.send_with("request", "b", ASKED, &[("ce-component", component)]), 202);
    }
    assert_eq!(door.send_with("request", "c", ASKED, &[("ce-type", "dev.knative.ping")]), 202);
    assert_eq!(door.counts().left_out, [("component", 2), ("type", 1)].into());
    assert_eq!(door.counts().waiting, 0);
}

#[test]
fn who_waits_in_vain_is_counted_and_what_was_said_alone_is_a_row() {
    let door = Door::open();
    door.send("request", "a", ASKED);
    door.send("response", "b", SAID);
    door.clock.advance(Duration::from_secs(59));
    assert!(door.stored().is_empty());
    door.clock.advance(Duration::from_secs(2));
    assert_eq!(door.stored(), ["id=b timestamp=2026-11-23T10:00:00Z prediction=1"]);
    assert_eq!((door.send("response", "a", SAID), door.send("request", "b", ASKED)), (202, 202));
    assert_eq!(door.stored(), ["id=a timestamp=2026-11-23T10:00:00Z prediction=1"]);
    let counts = door.counts();
    assert_eq!((counts.unpaired_requests, counts.unpaired_responses, counts.late, counts.waiting), (1, 1, 2, 0));
    door.send("response", "last", SAID);
    door.events.close();
    assert_eq!(door.store.rows.lock().expect("unlocked").len(), 1, "an orderly end keeps what was said");
}

#[test]
fn a_description_may_say_that_one_half_comes() {
    for (halves, kept, row) in [
        (Halves::Response, "response", "id=a timestamp=2026-11-23T10:00:00Z prediction=1"),
        (Halves::Request, "request", "id=a timestamp=2026-11-23T10:00:00Z input-0=6.8 input-1=2.8"),
    ] {
        let door = Door::new(|spec, _| spec.events = halves);
        assert_eq!((door.send("request", "a", ASKED), door.send("response", "a", SAID)), (202, 202));
        assert_eq!(door.stored(), [row], "{kept}");
        assert_eq!(door.counts().left_out, [("half", 1)].into());
    }
}

#[test]
fn gzip_is_told_by_its_bytes_and_its_size_is_bounded() {
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("packed");
        encoder.finish().expect("packed")
    };
    let door = Door::new(|_, config| config.max_body = ByteSize::kib(64));
    assert_eq!(door.send("request", "a", packed(ASKED.as_bytes())), 202);
    assert_eq!(door.send("response", "a", packed(SAID.as_bytes())), 202);
    assert_eq!(door.stored(), [format!("id=a {ROW}")]);
    assert_eq!(door.send("request", "b", packed(&vec![b' '; 10_000_000])), 413);
    let broken = &packed(ASKED.as_bytes())[..12];
    assert_eq!(door.send("request", "b", broken), 400);
    assert_eq!(door.counts().rejected, [("too_large", 1), ("transfer", 1)].into());
    assert_eq!(door.in_flight(), 0);
}

#[test]
fn what_is_wrong_is_told_at_once_and_the_rest_goes_on() {
    let door = Door::open();
    assert_eq!(door.send("request", "a", "{"), 422);
    assert_eq!(door.send("request", "a", r#"{"instances": [[1, 2], [3]]}"#), 422);
    assert_eq!(door.send_with("request", "a", ASKED, &[("ce-type", "")]), 400);
    assert_eq!(door.send_with("request", "", ASKED, &[]), 400, "neither an id nor one in the body");
    assert_eq!(door.send("request", "a", ASKED), 202);
    assert_eq!(door.send("request", "a", ASKED), 202, "sent twice");
    assert_eq!(door.send("response", "a", r#"{"predictions": [1, 2, 3]}"#), 202, "the request is one row of all");
    assert_eq!(door.send("request", "b", r#"{"instances": [[1], [2]]}"#), 202);
    assert_eq!(door.send("response", "b", r#"{"predictions": [1, 2, 3]}"#), 422);
    assert_eq!(door.send("response", "b", r#"{"predictions": [1, 2]}"#), 202, "the request still waits");
    let counts = door.counts();
    assert_eq!(counts.rejected, [("body", 1), ("envelope", 2), ("tensor", 2)].into());
    assert_eq!((counts.left_out, counts.rows), ([("duplicate", 1)].into(), 3));
    assert!(counts.last_rejection.is_some_and(|why| why.contains("of inputs are [2], of outputs [3]")));
}

#[test]
fn a_row_of_another_type_is_rejected_alone() {
    let door = Door::open();
    for (id, value) in [("a", "1.5"), ("b", "\"x\""), ("c", "null")] {
        door.send("request", id, format!(r#"{{"instances": [{{"v": {value}}}]}}"#));
        door.send("response", id, SAID);
    }
    let stored = door.stored();
    assert_eq!(stored.len(), 2, "{stored:?}");
    let counts = door.counts();
    assert_eq!((counts.rows, counts.rejected_rows), (2, 1));
    assert_eq!(counts.last_rejection.as_deref(), Some("shop/iris: v expected a number, found a string"));
}

#[test]
fn there_is_room_for_so_many_and_the_sender_is_told() {
    let door = Door::new(|_, config| config.events.max_waiting = 3);
    let sent: Vec<u16> = ["a", "b", "c"].map(|id| door.send("request", id, ASKED)).to_vec();
    assert_eq!(sent, [202, 202, 429]);
    assert_eq!(door.send("response", "a", SAID), 202, "who completes a pair needs no room");
    assert_eq!(door.send("request", "c", ASKED), 202);
    let tight = Door::new(|_, config| config.in_flight = ByteSize::b(10));
    assert_eq!((tight.send("request", "a", ASKED), tight.send("response", "a", SAID)), (202, 429));
    assert_eq!(tight.counts().rejected, [("full", 1)].into());
}

#[test]
fn rows_wait_for_a_store_that_is_away_and_are_counted_when_they_must_go() {
    let door = Door::open();
    *door.store.refuses.lock().expect("unlocked") = Some(Refused::NotStored("the disk is full".to_owned()));
    door.send("request", "a", ASKED);
    door.send("response", "a", SAID);
    assert!(door.stored().is_empty());
    door.send("request", "b", ASKED);
    door.send("response", "b", SAID);
    door.clock.advance(Duration::from_secs(30));
    *door.store.refuses.lock().expect("unlocked") = None;
    assert_eq!(door.stored().len(), 2);
    *door.store.refuses.lock().expect("unlocked") = Some(Refused::NotStored("the disk is full".to_owned()));
    door.send("request", "c", ASKED);
    door.send("response", "c", SAID);
    assert!(door.stored().is_empty());
    door.clock.advance(Duration::from_secs(61));
    assert!(door.stored().is_empty());
    *door.store.refuses.lock().expect("unlocked") = None;
    assert!(door.stored().is_empty());
    assert_eq!((door.counts().dropped, door.counts().rows, door.in_flight()), (1, 2, 0));
}

#[test]
fn batches_tell_each_event() {
    let door = Door::open();
    let event = |half: &str, data: &str| {
        format!(
            r#"{{"specversion": "1.0", "id": "a", "source": "p", "type": "org.kubeflow.serving.inference.{half}",
               "time": "2026-11-23T10:00:00Z", "inferenceservicename": "iris", "namespace": "shop", "data": {data}}}"#
        )
    };
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/cloudevents-batch+json"));
    let send = |body: String| door.events.receive(&Caller::Anybody, &headers, &Bytes::from(body)).status().as_u16();
    assert_eq!(send(format!("[{}, {}, {{}}]", event("request", ASKED), event("response", SAID))), 202);
    assert_eq!(door.stored(), [format!("id=a {ROW}")]);
    assert_eq!(send("[{}]".to_owned()), 400);
    assert_eq!(send("[]".to_owned()), 202);
    assert_eq!((door.counts().accepted, door.counts().rejected), (2, [("envelope", 2)].into()));
    headers.insert("content-type", HeaderValue::from_static("application/cloudevents+json"));
    assert_eq!(
        door.events.receive(&Caller::Anybody, &headers, &Bytes::from(event("request", ASKED))).status().as_u16(),
        202
    );
    assert_eq!(*door.store.answers.lock().expect("unlocked"), [202, 400, 202, 202]);
}

#[test]
fn two_thousand_columns_are_bounded_by_the_model() {
    let door = Door::open();
    let fields: Vec<String> = (0..2000).map(|i| format!("\"c{i}\": {i}")).collect();
    assert_eq!(door.send("request", "a", format!("{{\"instances\": [{{{}}}]}}", fields.join(","))), 202);
    door.send("response", "a", SAID);
    let row = door.stored().concat();
    assert!(row.contains("c499=499") && !row.contains("c500="), "{row}");
    let values: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
    door.send("request", "b", format!("{{\"instances\": [[{}]]}}", values.join(",")));
    door.send("response", "b", SAID);
    let row = door.stored().concat();
    assert!(!row.contains("input-0=") && !row.contains("input.mean="), "there is no room for more features: {row}");
    let fresh = Door::open();
    fresh.send("request", "b", format!("{{\"instances\": [[{}]]}}", values.join(",")));
    fresh.send("response", "b", SAID);
    let row = fresh.stored().concat();
    assert!(row.contains("input.shape=[2000]") && row.contains("input.mean=999.5"), "{row}");
}

#[test]
fn seldons_events_pair_on_their_request_and_feedback_is_labels() {
    let door = Door::open();
    let send = |kind: &'static str, id: &str, unit: &str, body: &str| {
        let kind = format!("io.seldon.serving.{kind}");
        let more = [("ce-type", kind.as_str()), ("ce-requestid", "r1"), ("ce-modelid", unit), ("ce-component", "")];
        door.send_with("request", id, body, &more)
    };
    let asked = r#"{"data": {"names": ["len", "width"], "ndarray": [[6.8, 2.8]]}}"#;
    assert_eq!(send("inference.request", "e1", "classifier", asked), 202);
    assert_eq!(send("inference.response", "e2", "router", r#"{"data": {"ndarray": [[0]]}}"#), 202, "another model's");
    let said = r#"{"data": {"names": ["t:0", "t:1"], "tensor": {"shape": [1, 2], "values": [0.25, 0.75]}}}"#;
    assert_eq!(send("inference.response", "e3", "classifier", said), 202);
    let row = "id=r1 timestamp=2026-11-23T10:00:00Z prediction=1 score=0.75 len=6.8 width=2.8";
    assert_eq!(door.stored(), [row]);
    let truth = format!(r#"{{"request": {asked}, "reward": 1, "truth": {{"data": {{"ndarray": [[1]]}}}}}}"#);
    assert_eq!(send("feedback", "e4", "classifier", &truth), 202);
    assert_eq!(send("feedback", "e5", "classifier", r#"{"reward": 1}"#), 202);
    assert_eq!(send("feedback", "e6", "classifier", r#"{"truth": {"data": {"ndarray": []}}}"#), 422);
    assert_eq!(door.stored(), ["true: id=r1 timestamp=2026-11-23T10:00:00Z label=1"]);
    assert_eq!(door.counts().left_out, [("reward", 1)].into());
}

#[test]
fn a_truth_is_of_the_row_that_a_column_names() {
    let door = Door::new(|spec, _| spec.id = "customer".to_owned());
    let more = [("ce-type", "io.seldon.serving.feedback"), ("ce-requestid", "r1")];
    let body = r#"{"request": {"data": {"names": ["customer", "x"], "ndarray": [["c1", 1], ["c2", 2]]}},
        "truth": {"data": {"names": ["label", "sure"], "ndarray": [["a", 1], ["b", 0]]}}}"#;
    assert_eq!(door.send_with("request", "e1", body, &more), 202);
    let told: Vec<String> = ["c1 timestamp=2026-11-23T10:00:00Z label=a", "c2 timestamp=2026-11-23T10:00:00Z label=b"]
        .map(|row| format!("true: id={row}"))
        .to_vec();
    assert_eq!(door.stored(), told);
}

/// A token that is for some models alone sends for those, whatever the event's form.
#[test]
fn a_token_sends_for_its_models_alone() {
    let door = Door::new(|_, _| {});
    let file =
        "[[token]]\nname = \"shop\"\ntoken = \"shop-shop-shop-shop\"\nmay = [\"write\"]\nmodels = [\"shop/*\"]\n";
    let token = Tokens::parse(file).expect("tokens").find(&Digest::of(b"shop-shop-shop-shop")).cloned().expect("known");
    let caller = Caller::Known(std::sync::Arc::new(token));
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/cloudevents+json"));
    let send = |namespace: &str, caller: &Caller| {
        let event = format!(
            r#"{{"specversion": "1.0", "id": "a", "source": "p", "type": "org.kubeflow.serving.inference.request",
               "time": "2026-11-23T10:00:00Z", "inferenceservicename": "roses", "namespace": "{namespace}", "data": {ASKED}}}"#
        );
        door.events.receive(caller, &headers, &Bytes::from(event)).status().as_u16()
    };
    assert_eq!((send("shop", &caller), send("bank", &caller), send("shop", &Caller::Stranger)), (202, 403, 403));
    let half = Bytes::from(r#"{"id": "a", "kind": "request", "modelid": "roses", "data": "AAE="}"#);
    let post = |query| door.events.receive_partial(&caller, query, &half).status().as_u16();
    assert_eq!((post(Some("namespace=shop")), post(Some("namespace=bank")), post(None)), (422, 403, 403));
    assert_eq!(door.counts().rejected, [("body", 1), ("token", 4)].into());
}

/// One half as ModelMesh posts it: the status.
fn post(door: &Door, kind: &str, id: &str, data: &str, more: &str) -> u16 {
    let text = format!(r#"{{"id": "{id}", "kind": "{kind}", "modelid": "iris__isvc-1a2b", "data": "{data}"{more}}}"#);
    let answer = door.events.receive_partial(&Caller::Anybody, Some("namespace=shop"), &Bytes::from(text));
    answer.status().as_u16()
}

#[test]
fn halves_over_grpc_are_paired_as_events_are() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/known/infer.json")).expect("cases");
    let of = |half: &str| {
        let is = |case: &&serde_json::Value| case["name"] == "kserve raw=True" && case["half"] == half;
        let case = cases["cases"].as_array().expect("cases").iter().find(is).expect("a case");
        case["data"].as_str().expect("data").to_owned()
    };
    let (asked, said) = (of("request"), of("response"));
    let rows = |id: &str| {
        let at = "timestamp=2026-11-23T10:00:05Z";
        [
            format!(
                "id={id}#0 {at} prediction=1 input-0-0=6.800000190734863 input-0-1=2.799999952316284 input-0-2=4.800000190734863 input-0-3=1.399999976158142"
            ),
            format!(
                "id={id}#1 {at} prediction=2 input-0-0=6.0 input-0-1=3.4000000953674316 input-0-2=4.5 input-0-3=1.600000023841858"
            ),
        ]
    };
    let door = Door::open();
    assert_eq!((post(&door, "request", "a", &asked, ""), post(&door, "response", "a", &said, "")), (200, 200));
    assert_eq!((post(&door, "response", "b", &said, ""), post(&door, "request", "b", &asked, "")), (200, 200));
    assert_eq!(door.stored(), [rows("a"), rows("b")].concat());
    // An event and a half of one prediction are a pair, too.
    post(&door, "request", "c", &asked, "");
    assert_eq!(door.send("response", "c", r#"{"predictions": [1, 2]}"#), 202);
    assert_eq!(door.stored().len(), 2);
    let counts = door.counts();
    assert_eq!((counts.received, counts.accepted, counts.rows, counts.waiting), (6, 6, 6, 0));
    assert_eq!(door.in_flight(), 0);
    // A failure, what explainers made up, and what is broken.
    assert_eq!(post(&door, "response", "d", "", r#", "status": "UNAVAILABLE""#), 200);
    let made_up = r#", "metadata": {"Bias-Ignore": "true"}"#;
    assert_eq!((post(&door, "request", "e", &asked, made_up), post(&door, "response", "e", &said, "")), (200, 200));
    assert_eq!(post(&door, "request", "f", &asked[..asked.len() - 8], ""), 422);
    assert_eq!(post(&door, "request", "g", "?", ""), 415);
    assert_eq!(post(&door, "both", "h", &asked, ""), 400);
    assert!(door.stored().is_empty());
    let counts = door.counts();
    assert_eq!(counts.left_out, [("failed", 1), ("synthetic", 1)].into());
    assert_eq!(counts.rejected, [("body", 1), ("encoding", 1), ("envelope", 1)].into());
}
