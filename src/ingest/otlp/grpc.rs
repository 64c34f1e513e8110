//! OTLP's log records over gRPC, `LogsService/Export`: what [`POST /v1/logs`](super) takes, in gRPC's frame.
//!
//! The frame is read here and not by tonic, which would unpack a message and make all of it before anybody could ask whether there is room.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::wire::Encoding;
use super::{Message, Refusal, Rejected, Shared, by, code, count, receive, response};
use crate::access::{Caller, Sender};
use crate::ingest::body::{self, Packing};
use crate::ingest::{Ingest, Reservation};

/// The method's address.
pub const PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("grpc-accept-encoding"), HeaderValue::from_static("identity,gzip,zstd"));

/// Before a message: whether it is packed, and its length.
const PREFIX: usize = 5;

/// The service of OTLP's logs; every other method is told that there is none.
pub fn router(ingest: Ingest) -> Router {
    Router::new()
        .route(PATH, post(answer))
        .layer(DefaultBodyLimit::disable())
        .with_state(Shared::new(ingest))
        .fallback(no_method)
}

async fn no_method() -> Response {
    Status::unimplemented("this port takes OTLP's logs alone: opentelemetry.proto.collector.logs.v1.LogsService")
        .into_http()
}

async fn answer(
    State(shared): State<Shared>,
    caller: Option<Extension<Caller>>,
    sender: Option<Extension<Sender>>,
    mut headers: HeaderMap,
    body: Body,
) -> Response {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if !["application/grpc", "application/grpc+proto"].contains(&essence) {
        let message = "this port speaks gRPC with protobuf; OTLP over HTTP goes to /v1/logs at the agent's other port";
        let refused = Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        count(&shared.ingest, &refused);
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("{message}\n")).into_response();
    }
    headers.remove(header::CONTENT_ENCODING);
    let packing = headers.get(ENCODING).map(|value| value.to_str().unwrap_or("?").to_owned());
    let limit = shared.ingest.config.max_body.as_u64();
    let unwrapped = move |frame, reservation| unwrapped(&frame, packing.as_deref(), limit, reservation);
    let came = receive(&shared, by(caller, sender), &headers, body, unwrapped).await;
    match came {
        Ok(rejected) => success(rejected),
        Err(refusal) => ([ACCEPTED], status(refusal).into_http::<Body>()).into_response(),
    }
}

/// The one message that a request is, unpacked.
fn unwrapped(body: &Bytes, packing: Option<&str>, limit: u64, reservation: Reservation) -> Result<Message, Refusal> {
    let broken = || Refusal::new(StatusCode::BAD_REQUEST, "the request is not one whole message in gRPC's frame");
    let (prefix, message) = body.split_first_chunk::<PREFIX>().ok_or_else(broken)?;
    let [packed, length @ ..] = *prefix;
    let length = u32::from_be_bytes(length);
    if usize::try_from(length) != Ok(message.len()) || packed > 1 {
        return Err(broken());
    }
    if packed == 0 {
        return Ok((Encoding::Protobuf, body.slice_ref(message), reservation));
    }
    let Some(packing) = packing else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the message is packed, and grpc-encoding does not say how"));
    };
    let Some(known) = Packing::named(packing) else {
        let message = format!("grpc-encoding {packing} is not supported; send messages plain, as gzip or as zstd");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    };
    let (message, reservation) = body::unpacked(known, message, limit, reservation)?;
    Ok((Encoding::Protobuf, message, reservation))
}

/// The answer's message, and after it that all went well.
fn success(rejected: Rejected) -> Response {
    let message = response(rejected).encode_to_vec();
    let mut framed = BytesMut::with_capacity(PREFIX.saturating_add(message.len()));
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(&message);
    let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(framed.freeze()).with_trailers(async { Some(Ok(trailers)) });
    ([(header::CONTENT_TYPE, CONTENT_TYPE), ACCEPTED], Body::new(body)).into_response()
}

/// Who is to come again is told when: else a sender takes what is exhausted for lost.
fn status(refusal: Refusal) -> Status {
    let code = Code::from_i32(code(refusal.status));
    let mut details = ErrorDetails::new();
    if refusal.retry.is_some() {
        details.set_retry_info(refusal.retry);
    }
    Status::with_error_details(code, refusal.message, details)
}
