//! `POST /`, to which KServe's `logger.url` points, and `POST /v1/events`: CloudEvents in any mode. `POST /consumer/kserve/v2`: halves of
//! predictions as ModelMesh posts them, by TrustyAI's address.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use axum::{Extension, Router};
use bytes::Bytes;
use serde::Serialize;

use super::super::copies::Copied;
use super::super::room::For;
use super::super::{RowCounts, body};
use super::cloud::{self, Mode};
use super::partial;
use super::reject::{Reason, Reject};
use super::{Events, is_gzip, not_read};
use crate::access::{Caller, Sender};
use crate::frame::json::{ERRORS_TOLD, RowError};

/// A body must have come by then.
const LIMIT: Duration = Duration::from_secs(60);
/// A larger body is decoded beside the runtime's threads, which have others to answer.
const SMALL: usize = 32 * 1024;

/// Where ModelMesh posts halves of predictions.
pub const PARTIAL: &str = "/consumer/kserve/v2";

/// What comes at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    CloudEvents,
    Partials,
}

/// The response to events.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventsResponse {
    accepted: u64,
    rejected: u64,
    /// `row` is the event's place in its batch.
    errors: Vec<RowError>,
}

impl Events {
    /// The routes of events.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/", post(answer).layer(Extension(Door::CloudEvents)))
            .route("/v1/events", post(answer).layer(Extension(Door::CloudEvents)))
            .route(PARTIAL, post(answer).layer(Extension(Door::Partials)))
            // `body` has its own.
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(self))
    }

    /// Takes the events of a body.
    pub(super) fn receive(&self, caller: &Caller, headers: &HeaderMap, bytes: &Bytes) -> Response {
        match mode(headers, bytes) {
            Mode::Binary => {
                self.one(caller, cloud::binary(|name| text(headers, name), bytes.clone()), StatusCode::ACCEPTED)
            }
            Mode::Structured => self.one(caller, cloud::structured(bytes), StatusCode::ACCEPTED),
            Mode::Batch => match cloud::batch(bytes) {
                Ok(events) => self.many(caller, events),
                Err(reject) => self.refuse(&reject),
            },
        }
    }

    /// Takes half of a prediction from ModelMesh, which takes any other status than 200 for a failure.
    pub(super) fn receive_partial(&self, caller: &Caller, query: Option<&str>, bytes: &Bytes) -> Response {
        self.one(caller, partial::read(bytes, query), StatusCode::OK)
    }

    fn one(&self, caller: &Caller, arrived: Result<cloud::Arrived, Reject>, taken: StatusCode) -> Response {
        match self.take(arrived, caller) {
            Ok(()) => self.told(taken, EventsResponse { accepted: 1, ..EventsResponse::default() }, None),
            Err(reject) => self.told_reject(&reject),
        }
    }

    fn many(&self, caller: &Caller, events: Vec<Result<cloud::Arrived, Reject>>) -> Response {
        let mut response = EventsResponse::default();
        let mut first = None;
        for (place, arrived) in (0..).zip(events) {
            match self.take(arrived, caller) {
                Ok(()) => response.accepted = response.accepted.saturating_add(1),
                Err(reject) => {
                    response.rejected = response.rejected.saturating_add(1);
                    if response.errors.len() < ERRORS_TOLD {
                        response.errors.push(RowError {
                            row: Some(place),
                            field: None,
                            message: reject.message.clone(),
                        });
                    }
                    first.get_or_insert(reject);
                }
            }
        }
        match first {
            Some(reject) if response.accepted == 0 => self.told(status(reject.reason), response, reject.retry),
            _ => self.told(StatusCode::ACCEPTED, response, None),
        }
    }

    /// Refuses what is no event yet.
    fn refuse(&self, reject: &Reject) -> Response {
        self.count_rejected(reject);
        self.told_reject(reject)
    }

    fn told_reject(&self, reject: &Reject) -> Response {
        let errors = vec![RowError { row: None, field: None, message: reject.message.clone() }];
        self.told(status(reject.reason), EventsResponse { accepted: 0, rejected: 1, errors }, reject.retry)
    }

    fn told(&self, status: StatusCode, response: EventsResponse, retry: Option<Duration>) -> Response {
        self.ingest.sink.answered(status.as_u16(), RowCounts::default());
        let mut response = (status, Json(response)).into_response();
        if let Some(retry) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry.as_secs().max(1)));
        }
        response
    }
}

fn status(reason: Reason) -> StatusCode {
    StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
}

fn mode(headers: &HeaderMap, bytes: &[u8]) -> Mode {
    let content_type = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    cloud::mode(content_type, headers.contains_key("ce-specversion"), bytes)
}

async fn answer(
    State(events): State<Arc<Events>>,
    Extension(door): Extension<Door>,
    caller: Option<Extension<Caller>>,
    sender: Option<Extension<Sender>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Extension(caller) = caller.unwrap_or(Extension(Caller::Stranger));
    // Which model it is about stands in the body, as a rule.
    let of = For { model: None, sender: sender.map(|Extension(sender)| sender.into_name()) };
    let reading = tokio::time::timeout(LIMIT, body::read(&events.ingest, &of, &headers, body)).await;
    let late = || Reject::new(Reason::Transfer, format!("the body did not arrive within {} s", LIMIT.as_secs()));
    let (bytes, reservation) = match reading.map_err(|_| late()).and_then(|read| read.map_err(not_read)) {
        Ok(read) => read,
        Err(reject) => return events.refuse(&reject),
    };
    let copied = events.ingest.copies.as_ref().and_then(|_| Copied::of(&uri, &headers, &bytes));
    let copy = |answer: Response| {
        if answer.status().is_success() {
            events.ingest.copy(None, copied);
        }
        answer
    };
    let is_one = door == Door::Partials || mode(&headers, &bytes) == Mode::Binary;
    let receive = move |events: &Events, bytes: &Bytes| match door {
        Door::CloudEvents => events.receive(&caller, &headers, bytes),
        Door::Partials => events.receive_partial(&caller, uri.query(), bytes),
    };
    if bytes.len() <= SMALL && is_one && !is_gzip(&bytes) {
        return copy(receive(&events, &bytes));
    }
    let permit = events.decoding.take(of).await;
    let working = Arc::clone(&events);
    let work = move || {
        let _held = (permit, reservation);
        receive(&working, &bytes)
    };
    let gone = |_| {
        let message = "the event could not be processed; this is a bug in plumbline\n";
        (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
    };
    copy(tokio::task::spawn_blocking(work).await.unwrap_or_else(gone))
}
