//! `POST /data/upload`, TrustyAI's address for data beside the traffic: training data become the model's reference, other data samples,
//! and ground truth labels. What a body says is `upload`'s; halves of predictions go by `events`.

pub mod upload;

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

use super::copies::Copied;
use super::events::reject::{Reason, Reject};
use super::room::For;
use super::turns::Turns;
use super::{Ingest, Refused, RowCounts, body};
use crate::access::{Caller, Right, Sender};
use crate::frame::json::{Builder, Limits, RowError};
use crate::frame::stack::bytes_of;
use crate::identity::ModelKey;
use crate::model::border::{Passed, Purpose, expected, pass};

/// The address.
pub const PATH: &str = "/data/upload";
/// A body must have come by then.
const LIMIT: Duration = Duration::from_secs(60);
/// Bodies decoded at once.
const AT_ONCE: usize = 2;
/// Columns of one upload.
const COLUMNS: usize = 4096;

#[derive(Clone)]
struct Shared {
    ingest: Ingest,
    decoding: Arc<Turns>,
}

/// The route of uploads.
pub fn router(ingest: Ingest) -> Router {
    let shared = Shared { ingest, decoding: Turns::new(AT_ONCE) };
    // `body` has its own limit.
    Router::new().route(PATH, post(answer)).layer(DefaultBodyLimit::disable()).with_state(shared)
}

/// The response to an upload: as TrustyAI's, with what became of the rows.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UploadResponse {
    /// `success` or `error`.
    status: &'static str,
    /// For people.
    message: String,
    /// Rows that are stored.
    accepted: u64,
    /// Rows that are right, and left out because the model's description asks for a part.
    sampled_out: u64,
    /// Rows that are wrong.
    rejected: u64,
    /// What is wrong with rows, the first of them.
    errors: Vec<RowError>,
    /// Of those that are wrong the ones with a value of another type.
    #[serde(skip)]
    wrong_type: u64,
}

/// What became of an upload.
struct Told {
    status: StatusCode,
    response: UploadResponse,
    retry: Option<Duration>,
}

impl Told {
    fn refusal(status: StatusCode, message: String, retry: Option<Duration>) -> Self {
        Self { status, response: UploadResponse { status: "error", message, ..UploadResponse::default() }, retry }
    }
}

impl From<Reject> for Told {
    fn from(reject: Reject) -> Self {
        let status = StatusCode::from_u16(reject.reason.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self::refusal(status, reject.message, reject.retry)
    }
}

impl From<body::Error> for Told {
    fn from(error: body::Error) -> Self {
        let (status, message) = match error {
            body::Error::TooLarge(limit) => {
                let message = format!("the body is larger than {limit} bytes (ingest.max_body); send it in parts");
                (StatusCode::PAYLOAD_TOO_LARGE, message)
            }
            body::Error::Busy(full) => (StatusCode::TOO_MANY_REQUESTS, full.message().into()),
            body::Error::Encoding(given) => {
                let message = format!("Content-Encoding {given} is not supported; send it plain, as gzip or as zstd");
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
            }
            body::Error::Broken(message) => (StatusCode::BAD_REQUEST, message),
        };
        let retry = (status == StatusCode::TOO_MANY_REQUESTS).then_some(Duration::from_secs(1));
        Self::refusal(status, message, retry)
    }
}

impl From<Refused> for Told {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        let (status, retry) = match refused {
            Refused::Busy { retry, .. } => (StatusCode::TOO_MANY_REQUESTS, Some(retry)),
            Refused::NotStored(_) => (StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_secs(10))),
            Refused::Unusable(_) => (StatusCode::UNPROCESSABLE_ENTITY, None),
            Refused::Changed => (StatusCode::CONFLICT, None),
        };
        Self::refusal(status, message, retry)
    }
}

async fn answer(
    State(shared): State<Shared>,
    caller: Option<Extension<Caller>>,
    sender: Option<Extension<Sender>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Extension(caller) = caller.unwrap_or(Extension(Caller::Stranger));
    let of = For { model: None, sender: sender.map(|Extension(sender)| sender.into_name()) };
    let told = receive(&shared, caller, of, &uri, &headers, body).await;
    let Told { status, response, retry } = told.unwrap_or_else(|refusal| refusal);
    let wrong_type = response.wrong_type.min(response.rejected);
    let counts = RowCounts {
        accepted: response.accepted,
        sampled_out: response.sampled_out,
        wrong_type,
        faulty: response.rejected.saturating_sub(wrong_type),
    };
    shared.ingest.sink.answered(status.as_u16(), counts);
    let mut response = (status, Json(response)).into_response();
    if let Some(retry) = retry {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry.as_secs().max(1)));
    }
    response
}

async fn receive(
    shared: &Shared,
    caller: Caller,
    of: For,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Told, Told> {
    let late = |_| {
        let message = format!("the body did not arrive within {} s; send it in parts", LIMIT.as_secs());
        Told::refusal(StatusCode::REQUEST_TIMEOUT, message, None)
    };
    let reading = tokio::time::timeout(LIMIT, body::read(&shared.ingest, &of, headers, body));
    let (bytes, reservation) = reading.await.map_err(late)??;
    let permit = shared.decoding.take(of).await;
    let copied = shared.ingest.copies.as_ref().and_then(|_| Copied::of(uri, headers, &bytes));
    let (ingest, query) = (shared.ingest.clone(), uri.query().map(str::to_owned));
    let work = move || {
        let _held = (permit, reservation);
        take(&ingest, &caller, query.as_deref(), &bytes)
    };
    let gone = |_| {
        let message = "the rows could not be processed; this is a bug in plumbline".to_owned();
        Told::refusal(StatusCode::INTERNAL_SERVER_ERROR, message, None)
    };
    let (told, model, purpose) = tokio::task::spawn_blocking(work).await.map_err(gone)??;
    if told.status == StatusCode::OK {
        shared.ingest.sink.kept().await?;
        // A reference is no traffic.
        shared.ingest.copy(Some(&model), copied.filter(|_| purpose != Purpose::Reference));
    }
    Ok(told)
}

/// Reads an upload, and stores its rows.
fn take(
    ingest: &Ingest,
    caller: &Caller,
    query: Option<&str>,
    bytes: &Bytes,
) -> Result<(Told, ModelKey, Purpose), Told> {
    let limit = usize::try_from(ingest.config.max_body.as_u64()).unwrap_or(usize::MAX);
    let upload = upload::read(bytes, query, limit)?;
    let model = ingest.sink.known_as(upload.model.clone());
    if !caller.may(Right::Write, Some(&model)) {
        let message = format!("this token has no right to write with model `{model}`");
        return Err(Reject::new(Reason::Token, message).into());
    }
    let known = ingest.sink.describe(&model)?;
    let purpose = upload.purpose;
    if purpose == Purpose::Reference && known.spec.reference.is_some() {
        let message = "the configuration names this model's reference (`reference` of its [[model]]); change it there, or take the setting out";
        return Err(Told::refusal(StatusCode::CONFLICT, message.to_owned(), None));
    }
    let upload = upload.settle(known.max_features);
    let rows = upload.rows(ingest.config.max_rows)?;
    let told = store(ingest, &model, &upload, rows)?;
    Ok((told, model, purpose))
}

fn store(ingest: &Ingest, model: &ModelKey, upload: &upload::Upload, rows: usize) -> Result<Told, Told> {
    let purpose = upload.purpose;
    // A cell takes eight bytes or sixteen, whatever it took on the way.
    let room = usize::try_from(ingest.config.in_flight.as_u64() / 8).unwrap_or(usize::MAX);
    if upload.values() > room {
        let message = "the upload has more values than there is room for (ingest.in_flight); send it in parts";
        return Err(Reject::new(Reason::TooLarge, message).into());
    }
    // Another body may give a new column its kind meanwhile; then the rows are made again.
    for _ in 0..3 {
        let mut known = ingest.sink.describe(model)?;
        if purpose == Purpose::Reference {
            // A reference says itself what its columns hold.
            known.schema = Arc::default();
        }
        let kind = |field: &str| expected(field, &known.spec, &known.schema);
        let mut builder = Builder::new(Limits { rows, columns: COLUMNS, cells: room }, &kind);
        upload.add(rows, &known.spec, known.max_features, &mut builder);
        let now = ingest.clock.now();
        let Passed { batch, sampled_out, rejected, errors, wrong_types } =
            pass(builder.finish(), purpose, &known.spec, &known.schema, known.max_features, now);
        let mut response =
            UploadResponse { sampled_out, rejected, errors, wrong_type: wrong_types.rows, ..UploadResponse::default() };
        let tell = || {
            if purpose == Purpose::Samples && wrong_types.rows > 0 {
                ingest.sink.refused(model, &wrong_types);
            }
        };
        let Some(batch) = batch else {
            tell();
            let first = response.errors.first();
            let why = first.map(|error| format!("{} {}", error.field.as_deref().unwrap_or("a row"), error.message));
            response.status = "error";
            response.message =
                why.map_or_else(|| "no row is taken".to_owned(), |why| format!("no row is taken: {why}"));
            return Ok(Told { status: StatusCode::UNPROCESSABLE_ENTITY, response, retry: None });
        };
        let mut reservation = ingest.in_flight.reserve(&For::model(model));
        reservation.become_size(bytes_of(&batch.record) as u64);
        response.accepted = batch.record.num_rows() as u64;
        match ingest.sink.accept(model, purpose, batch, reservation) {
            Ok(()) => {
                tell();
                response.status = "success";
                response.message = upload.told(response.accepted);
                return Ok(Told { status: StatusCode::OK, response, retry: None });
            }
            Err(Refused::Changed) => {}
            Err(refused) => return Err(refused.into()),
        }
    }
    Err(Refused::Changed.into())
}

#[cfg(test)]
mod tests;
