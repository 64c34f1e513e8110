//! Uploads through the door: what is answered, and what is stored.

use axum::http::Request;
use tower_service::Service as _;

use super::*;
use crate::access::{Digest, Tokens};
use crate::clock::FixedClock;
use crate::ingest::Config;
use crate::ingest::recorder::Recorder;
use crate::ingest::room::Room;
use crate::model::Spec;

struct Door {
    store: Arc<Recorder>,
    router: Router,
}

impl Door {
    fn new(change: impl FnOnce(&mut Spec, &mut Config)) -> Self {
        let (mut spec, mut config) = (Spec::new("iris"), Config::default());
        change(&mut spec, &mut config);
        let store = Arc::new(Recorder::of(spec));
        let ingest = Ingest {
            sink: Arc::clone(&store) as _,
            in_flight: Room::new(config.in_flight.as_u64()),
            config,
            clock: Arc::new(FixedClock::new("2026-11-23T10:00:05Z".parse().expect("a time"))),
            repeats: Arc::default(),
            copies: None,
        };
        Self { store, router: router(ingest) }
    }

    async fn send_as(&mut self, caller: Caller, target: &str, body: &str) -> (u16, serde_json::Value) {
        let request = Request::post(target).header("content-type", "application/json").extension(caller);
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.router.as_service().call(request).await.expect("an answer");
        let status = response.status().as_u16();
        assert_eq!(response.headers().contains_key("retry-after"), matches!(status, 429 | 503));
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).expect("json"))
    }

    async fn send(&mut self, body: &str) -> (u16, serde_json::Value) {
        self.send_as(Caller::Anybody, PATH, body).await
    }

    fn stored(&self) -> Vec<String> {
        self.store.take_rows()
    }
}

/// As its documentation has training data: two rows of two inputs, and what the model said.
fn body(more: &str, output: &str) -> String {
    format!(
        r#"{{"model_name": "iris"{more},
        "request": {{"inputs": [{{"name": "input-0", "shape": [2, 2], "datatype": "FP64", "data": [[6.8, 2.8], [6.0, 3.4]], "execution_ids": ["a", "b"]}}]}},
        "response": {{"outputs": [{output}]}}}}"#
    )
}

const SAID: &str = r#"{"name": "predict", "shape": [2, 1], "datatype": "INT64", "data": [1, 2]}"#;

#[tokio::test]
async fn data_become_samples_a_reference_and_labels() {
    let mut door = Door::new(|_, _| {});
    let (status, answer) = door.send(&body("", SAID)).await;
    assert_eq!((status, answer["status"].as_str(), answer["accepted"].as_u64()), (200, Some("success"), Some(2)));
    assert_eq!(answer["message"], "2 datapoints successfully added to iris data.");
    let at = "timestamp=2026-11-23T10:00:05Z";
    assert_eq!(
        door.stored(),
        [
            format!("iris samples: id=a {at} prediction=1 input-0-0=6.8 input-0-1=2.8"),
            format!("iris samples: id=b {at} prediction=2 input-0-0=6.0 input-0-1=3.4"),
        ]
    );
    let (status, answer) = door.send(&body(r#", "data_tag": "TRAINING""#, SAID)).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["message"].as_str().is_some_and(|told| told.contains("they are its reference now")), "{answer}");
    let stored = door.stored();
    assert!(stored.len() == 2 && stored[0].starts_with("iris reference: "), "{stored:?}");
    assert!(stored[0].ends_with("prediction=1 input-0-0=6.8 input-0-1=2.8"), "{stored:?}");
    let (status, answer) = door.send(&body(r#", "is_ground_truth": true"#, &SAID.replace("[1, 2]", "[2, 2]"))).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(door.stored(), [format!("iris labels: id=a {at} label=2"), format!("iris labels: id=b {at} label=2")]);
    assert_eq!(door.store.answers(), [(200, 2, 0); 3]);
}

/// Ground truth has the outputs' own names, as TrustyAI asks for: the label is what the prediction would be.
#[tokio::test]
async fn of_several_outputs_the_label_is_the_one_that_predicts() {
    let truth = r#", "is_ground_truth": true"#;
    let scores = r#"{"name": "p", "shape": [2, 2], "datatype": "FP32", "data": [0, 1, 1, 0]}"#;
    let mut door = Door::new(|_, _| {});
    door.send(&body(truth, &format!("{scores}, {SAID}"))).await;
    let labels = |stored: Vec<String>| -> Vec<String> {
        stored.iter().filter_map(|row| Some(row.rsplit_once("label=")?.1.to_owned())).collect()
    };
    assert_eq!(labels(door.stored()), ["1", "2"]);
    door.send(&body(truth, scores)).await;
    assert_eq!(labels(door.stored()), ["1", "0"], "of scores alone the place of the largest");
    let mut named = Door::new(|spec, _| spec.label = "p-0".to_owned());
    named.send(&body(truth, &format!("{scores}, {SAID}"))).await;
    assert_eq!(named.stored().len(), 2);
}

#[tokio::test]
async fn what_is_not_taken_is_told() {
    let mut door = Door::new(|_, config| config.max_rows = 1);
    let (status, answer) = door.send(&body("", SAID)).await;
    assert_eq!((status, answer["status"].as_str()), (413, Some("error")));
    let mut door = Door::new(|spec, _| spec.reference = Some("/x.parquet".to_owned()));
    let (status, answer) = door.send(&body(r#", "data_tag": "TRAINING""#, SAID)).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["message"].as_str().is_some_and(|told| told.contains("names this model's reference")), "{answer}");
    let mut door = Door::new(|_, _| {});
    let long = "x".repeat(600);
    let texts = |second: &str| {
        format!(r#"{{"name": "predict", "shape": [2], "datatype": "BYTES", "data": ["{second}", "{long}"]}}"#)
    };
    let (status, answer) = door.send(&body("", &texts("a"))).await;
    assert_eq!((status, answer["accepted"].as_u64(), answer["rejected"].as_u64()), (200, Some(1), Some(1)), "{answer}");
    let (status, answer) = door.send(&body("", &texts(&long))).await;
    assert_eq!((status, answer["accepted"].as_u64(), answer["rejected"].as_u64()), (422, Some(0), Some(2)), "{answer}");
    assert!(answer["message"].as_str().is_some_and(|told| told.starts_with("no row is taken: ")), "{answer}");
    assert_eq!(door.stored().len(), 1);
    for (refused, told) in [
        (Refused::NotStored("the disk is full".to_owned()), 503),
        (Refused::Busy { message: "starting".to_owned(), retry: Duration::from_secs(2) }, 429),
        (Refused::Changed, 409),
    ] {
        door.store.refuse(Some(refused));
        assert_eq!(door.send(&body("", SAID)).await.0, told);
    }
}

#[tokio::test]
async fn a_token_uploads_for_its_models_alone() {
    let file =
        "[[token]]\nname = \"shop\"\ntoken = \"shop-shop-shop-shop\"\nmay = [\"write\"]\nmodels = [\"shop/*\"]\n";
    let token = Tokens::parse(file).expect("tokens").find(&Digest::of(b"shop-shop-shop-shop")).cloned().expect("known");
    let caller = Caller::Known(Arc::new(token));
    let mut door = Door::new(|_, _| {});
    for (target, status) in
        [("/data/upload?namespace=shop", 200), ("/data/upload", 403), ("/data/upload?namespace=bank", 403)]
    {
        assert_eq!(door.send_as(caller.clone(), target, &body("", SAID)).await.0, status, "{target}");
    }
    assert_eq!(door.send_as(Caller::Stranger, PATH, &body("", SAID)).await.0, 403);
    assert_eq!(door.stored().len(), 2);
}
