//! Requests for logs through the door: what is answered, what is stored.

use std::io::Write as _;

use axum::http::Request;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use tower_service::Service as _;

use super::*;
use crate::access::Tokens;
use crate::clock::FixedClock;
use crate::ingest::recorder::Recorder;
use crate::ingest::room::Room;

struct Door {
    store: Arc<Recorder>,
    router: Router,
    grpc: Router,
}

impl Door {
    fn open() -> Self {
        let store = Arc::<Recorder>::default();
        let ingest = Ingest {
            sink: Arc::clone(&store) as _,
            config: crate::ingest::Config::default(),
            clock: Arc::new(FixedClock::new("2026-11-23T10:00:05Z".parse().expect("a time"))),
            in_flight: Room::new(crate::ingest::Config::default().in_flight.as_u64()),
            repeats: Arc::default(),
            copies: None,
        };
        Self { store, grpc: grpc::router(ingest.clone()), router: router(ingest) }
    }

    async fn send_as(
        &mut self,
        caller: Caller,
        content_type: &str,
        encoding: Option<&str>,
        body: Vec<u8>,
    ) -> (u16, Option<String>, Vec<u8>) {
        let mut request = Request::post("/v1/logs").header("content-type", content_type).extension(caller);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.router.as_service().call(request).await.expect("an answer");
        let status = response.status().as_u16();
        let retry = response.headers().get("retry-after").map(|value| value.to_str().expect("text").to_owned());
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, retry, bytes.to_vec())
    }

    async fn send(&mut self, content_type: &str, body: Vec<u8>) -> (u16, Option<String>, Vec<u8>) {
        self.send_as(Caller::Anybody, content_type, None, body).await
    }
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json; charset=utf-8";

#[tokio::test]
async fn records_become_rows_and_what_is_none_is_a_partial_success() {
    for (encoding, body) in wire::tests::requests() {
        let mut door = Door::open();
        let content_type = if encoding == Encoding::Json { JSON } else { PROTOBUF };
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&body).expect("packed");
        let packed = packer.finish().expect("packed");
        for (encoded, body) in [(None, body), (Some("gzip"), packed)] {
            let (status, _, answer) = door.send_as(Caller::Anybody, content_type, encoded, body).await;
            assert_eq!(status, 200);
            let (records, message) = if encoding == Encoding::Json {
                let answer: serde_json::Value = serde_json::from_slice(&answer).expect("json");
                let partial = &answer["partialSuccess"];
                (
                    partial["rejectedLogRecords"].as_str().expect("a count").to_owned(),
                    partial["errorMessage"].to_string(),
                )
            } else {
                let answer = ExportLogsServiceResponse::decode(answer.as_slice()).expect("protobuf");
                let partial = answer.partial_success.expect("one");
                (partial.rejected_log_records.to_string(), partial.error_message)
            };
            assert_eq!(records, "1");
            assert!(message.contains("a line of a log"), "{message}");
        }
        let row = "churn samples: id=a timestamp=2023-11-14T22:13:20Z x=0.5 ok=true e=[1.0, 2.0] n=7";
        assert_eq!(door.store.take_rows(), [row, row], "{encoding:?}");
        assert_eq!(door.store.answers(), [(200, 1, 1), (200, 1, 1)]);
    }
}

#[tokio::test]
async fn what_cannot_be_taken_says_whether_to_send_it_again() {
    let mut door = Door::open();
    let [(_, body), (_, json)] = wire::tests::requests();
    let (status, _, answer) = door.send("text/plain", Vec::new()).await;
    assert!(status == 415 && String::from_utf8_lossy(&answer).contains("application/x-protobuf"));
    let (status, retry, answer) = door.send(PROTOBUF, b"\xff\xff".to_vec()).await;
    let told = RpcStatus::decode(answer.as_slice()).expect("a status");
    assert_eq!((status, retry, told.code), (400, None, 3));
    let (status, _, answer) = door.send(JSON, b"[1".to_vec()).await;
    assert!(
        status == 400 && serde_json::from_slice::<serde_json::Value>(&answer).expect("json")["message"].is_string()
    );
    let (status, ..) = door.send(PROTOBUF, vec![0; 17 << 20]).await;
    assert_eq!(status, 413);
    let busy = Refused::Busy { message: "full".to_owned(), retry: Duration::from_secs(7) };
    for (refused, wanted) in [(busy, (429, "7")), (Refused::NotStored("disk".to_owned()), (503, "10"))] {
        door.store.refuse(Some(refused));
        for (content_type, body) in [(PROTOBUF, &body), (JSON, &json)] {
            let (status, retry, _) = door.send(content_type, body.clone()).await;
            assert_eq!((status, retry.as_deref()), (wanted.0, Some(wanted.1)));
        }
    }
    door.store.refuse(None);
    assert_eq!(door.send(PROTOBUF, Vec::new()).await, (200, None, Vec::new()), "nothing is a whole success");
    assert_eq!(door.send(JSON, b"{}".to_vec()).await.2, b"{}");
}

#[tokio::test]
async fn a_token_for_another_model_stores_nothing() {
    let text = "[[token]]\nname = \"k\"\ntoken = \"0123456789abcdef0123456789abcdef\"\nmay = [\"write\"]\nmodels = [\"other\"]\n";
    let tokens = Tokens::parse(text).expect("tokens");
    let token = tokens.find(&crate::access::Digest::of(b"0123456789abcdef0123456789abcdef")).expect("the token");
    let mut door = Door::open();
    let [(_, body), _] = wire::tests::requests();
    let (status, _, answer) = door.send_as(Caller::Known(Arc::new(token.clone())), PROTOBUF, None, body).await;
    let answer = ExportLogsServiceResponse::decode(answer.as_slice()).expect("protobuf");
    assert_eq!((status, answer.partial_success.map(|partial| partial.rejected_log_records)), (200, Some(2)));
    assert!(door.store.take_rows().is_empty());
}

/// A message in gRPC's frame.
fn framed(packed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a length").to_be_bytes();
    [&[packed], &length[..], message].concat()
}

impl Door {
    /// The message that answers, or the status.
    async fn call(&mut self, packing: Option<&str>, body: Vec<u8>) -> Result<ExportLogsServiceResponse, tonic::Status> {
        let mut request =
            Request::post(grpc::PATH).header("content-type", "application/grpc").extension(Caller::Anybody);
        if let Some(packing) = packing {
            request = request.header("grpc-encoding", packing);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.grpc.as_service().call(request).await.expect("an answer");
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"application/grpc".parse().expect("a value"))
        );
        assert_eq!(response.headers()["grpc-accept-encoding"], "identity,gzip,zstd");
        if let Some(status) = tonic::Status::from_header_map(response.headers()) {
            return Err(status);
        }
        let answer = http_body_util::BodyExt::collect(response.into_body()).await.expect("a body");
        assert_eq!(answer.trailers().expect("they end it")["grpc-status"], "0");
        let bytes = answer.to_bytes();
        let message = ExportLogsServiceResponse::decode(&bytes[5..]).expect("protobuf");
        assert_eq!(bytes, framed(0, &message.encode_to_vec()));
        Ok(message)
    }
}

#[tokio::test]
async fn over_grpc_the_same_records_become_the_same_rows() {
    let mut door = Door::open();
    let [(_, body), _] = wire::tests::requests();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&body).expect("packed");
    let (gzip, zstd) = (packer.finish().expect("packed"), zstd::stream::encode_all(&body[..], 1).expect("packed"));
    for (packing, packed, message) in
        [(None, 0, &body), (Some("gzip"), 0, &body), (Some("gzip"), 1, &gzip), (Some("zstd"), 1, &zstd)]
    {
        let answer = door.call(packing, framed(packed, message)).await.expect("taken");
        assert_eq!(answer.partial_success.map(|partial| partial.rejected_log_records), Some(1));
        assert_eq!(door.store.take_rows().len(), 1);
    }
    assert_eq!(door.store.answers(), [(200, 1, 1); 4]);
    assert_eq!(door.call(None, framed(0, b"")).await.expect("taken"), ExportLogsServiceResponse::default());
}

#[tokio::test]
async fn over_grpc_what_cannot_be_taken_is_a_status() {
    use tonic::Code;
    use tonic_types::StatusExt as _;

    let mut door = Door::open();
    let [(_, body), _] = wire::tests::requests();
    let whole = framed(0, &body);
    let more = [whole.clone(), framed(0, &body)].concat();
    let bomb = zstd::stream::encode_all(&vec![0_u8; 17 << 20][..], 1).expect("packed");
    for (packing, body, code, said) in [
        (None, whole[..whole.len() - 1].to_vec(), Code::InvalidArgument, "not one whole message"),
        (None, b"\0\0".to_vec(), Code::InvalidArgument, "not one whole message"),
        (None, Vec::new(), Code::InvalidArgument, "not one whole message"),
        (None, more, Code::InvalidArgument, "not one whole message"),
        (Some("gzip"), framed(2, &body), Code::InvalidArgument, "not one whole message"),
        (Some("gzip"), framed(1, &body), Code::InvalidArgument, "not gzip"),
        (Some("zstd"), framed(1, &bomb), Code::InvalidArgument, "larger than"),
        (None, framed(0, &vec![0; 17 << 20]), Code::InvalidArgument, "larger than"),
        (Some("snappy"), framed(1, &body), Code::Unimplemented, "snappy is not supported"),
        (None, framed(1, &body), Code::InvalidArgument, "does not say how"),
        (None, framed(0, b"\xff\xff"), Code::InvalidArgument, ""),
    ] {
        let status = door.call(packing, body).await.expect_err("it is refused");
        assert!(status.code() == code && status.message().contains(said), "{status:?}, not {code:?} {said}");
        assert!(status.get_details_retry_info().is_none(), "it would be the same again");
    }
    let busy = Refused::Busy { message: "full".to_owned(), retry: Duration::from_secs(7) };
    for (refused, code, seconds) in
        [(busy, Code::ResourceExhausted, 7), (Refused::NotStored("disk".to_owned()), Code::Unavailable, 10)]
    {
        door.store.refuse(Some(refused));
        let status = door.call(None, whole.clone()).await.expect_err("it is refused");
        let delay = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        assert_eq!((status.code(), delay), (code, Some(Duration::from_secs(seconds))));
    }
    let request = Request::post("/grpc.health.v1.Health/Check").header("content-type", "application/grpc");
    let response =
        door.grpc.as_service().call(request.body(Body::empty()).expect("a request")).await.expect("an answer");
    assert_eq!(response.headers()["grpc-status"], "12");
    for other in ["application/x-protobuf", "application/grpc-web", "application/grpc+json"] {
        let request = Request::post(grpc::PATH).header("content-type", other).body(Body::empty());
        let response = door.grpc.as_service().call(request.expect("a request")).await.expect("an answer");
        assert_eq!(response.status(), 415);
    }
    assert_eq!(door.store.answers().iter().filter(|(status, ..)| *status == 415).count(), 4);
}

#[tokio::test]
async fn what_is_stored_is_counted_though_its_sender_is_gone() {
    let mut door = Door::open();
    let [(_, body), _] = wire::tests::requests();
    let request = Request::post("/v1/logs").header("content-type", PROTOBUF).extension(Caller::Anybody);
    let answer = door.router.as_service().call(request.body(Body::from(body)).expect("a request"));
    assert!(tokio::time::timeout(Duration::ZERO, answer).await.is_err(), "nobody waits for the answer");
    for _ in 0..500 {
        if !door.store.answers().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((door.store.take_rows().len(), door.store.answers()), (1, vec![(200, 1, 1)]));
}
