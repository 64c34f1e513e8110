//! `POST /v1/logs`, and [the same over gRPC](grpc): OTLP's log records as samples and labels. Answers as the protocol says: what was
//! rejected is told as a partial success, which is not to be sent again, and what could not be taken now is a status that is.

pub mod grpc;
pub mod mapping;
pub mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use bytes::Bytes;
use bytesize::ByteSize;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message as _;
use tokio::sync::Semaphore;

use super::room::For;
use super::{Ingest, Refused, Reservation, RowCounts, body};
use crate::access::{Caller, Right, Sender};
use crate::frame::json::{Builder, Limits, Value};
use crate::frame::stack::bytes_of;
use crate::identity::ModelKey;
use crate::model::Role;
use crate::model::border::{Passed, Purpose, expected, pass};

use mapping::Row;
use wire::Encoding;

/// The address.
const PATH: &str = "/v1/logs";
/// A body is no larger, unpacked too: a record takes many times its bytes while it is read.
const LARGEST: ByteSize = ByteSize::mib(16);
/// A body must have come by then.
const LIMIT: Duration = Duration::from_secs(60);
/// Bodies decoded at once.
const AT_ONCE: usize = 2;
/// Models of one request, and values of all its rows.
const MODELS: usize = 100;
const VALUES: usize = 1_000_000;
/// Columns of one request's rows of a model.
const COLUMNS: usize = 4096;

#[derive(Clone)]
struct Shared {
    ingest: Ingest,
    decoding: Arc<Semaphore>,
}

impl Shared {
    fn new(mut ingest: Ingest) -> Self {
        ingest.config.max_body = ingest.config.max_body.min(LARGEST);
        Self { ingest, decoding: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// The route of OTLP's logs.
pub fn router(ingest: Ingest) -> Router {
    // `body` has its own limit.
    Router::new().route(PATH, post(answer)).layer(DefaultBodyLimit::disable()).with_state(Shared::new(ingest))
}

/// Why nothing of a request is taken.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
    retry: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry: None }
    }

    fn later(status: StatusCode, message: impl Into<String>, retry: Duration) -> Self {
        Self { retry: Some(retry), ..Self::new(status, message) }
    }
}

impl From<body::Error> for Refusal {
    fn from(error: body::Error) -> Self {
        match error {
            body::Error::TooLarge(limit) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {limit} bytes; send fewer records at once"),
            ),
            body::Error::Busy(full) => {
                Self::later(StatusCode::TOO_MANY_REQUESTS, full.message(), Duration::from_secs(1))
            }
            body::Error::Encoding(given) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("Content-Encoding {given} is not supported; send it plain, as gzip or as zstd"),
            ),
            body::Error::Broken(message) => Self::new(StatusCode::BAD_REQUEST, message),
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::Busy { retry, .. } => Self::later(StatusCode::TOO_MANY_REQUESTS, message, retry),
            Refused::NotStored(_) => Self::later(StatusCode::SERVICE_UNAVAILABLE, message, Duration::from_secs(10)),
            Refused::Unusable(_) => Self::new(StatusCode::BAD_REQUEST, message),
            Refused::Changed => Self::later(StatusCode::SERVICE_UNAVAILABLE, message, Duration::from_secs(1)),
        }
    }
}

/// Who sends, and by what name it shares the room.
type By = (Caller, Option<Arc<str>>);

fn by(caller: Option<Extension<Caller>>, sender: Option<Extension<Sender>>) -> By {
    let Extension(caller) = caller.unwrap_or(Extension(Caller::Stranger));
    (caller, sender.map(|Extension(sender)| sender.into_name()))
}

/// What a status says in protobuf: `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Records that were not taken, and why the first was not.
#[derive(Debug, Default)]
struct Rejected {
    records: u64,
    told: Option<String>,
    /// What became of the others.
    accepted: u64,
    sampled_out: u64,
    /// Of the records those with a value of another type than the column's.
    wrong_type: u64,
    /// What is worth telling though nothing was rejected for it.
    warning: Option<String>,
}

impl Rejected {
    fn add(&mut self, records: u64, why: impl FnOnce() -> String) {
        self.records = self.records.saturating_add(records);
        if records > 0 {
            self.told.get_or_insert_with(why);
        }
    }
}

async fn answer(
    State(shared): State<Shared>,
    caller: Option<Extension<Caller>>,
    sender: Option<Extension<Sender>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let encoding = match essence.as_str() {
        "application/x-protobuf" => Encoding::Protobuf,
        "application/json" => Encoding::Json,
        _ => {
            body::drain(body, shared.ingest.config.max_body.as_u64()).await;
            let message = "send OTLP as application/x-protobuf or application/json";
            let refused = Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            count(&shared.ingest, &refused);
            return told(Encoding::Json, refused);
        }
    };
    let came = receive(&shared, by(caller, sender), &headers, body, move |body, reservation| {
        Ok((encoding, body, reservation))
    });
    told(encoding, came.await)
}

fn status(came: &Result<Rejected, Refusal>) -> StatusCode {
    came.as_ref().err().map_or(StatusCode::OK, |refusal| refusal.status)
}

/// Counts what became of a request, by its status.
fn count(ingest: &Ingest, came: &Result<Rejected, Refusal>) {
    let counts = |came: &Rejected| RowCounts {
        accepted: came.accepted,
        sampled_out: came.sampled_out,
        wrong_type: came.wrong_type,
        faulty: came.records.saturating_sub(came.wrong_type),
    };
    ingest.sink.answered(status(came).as_u16(), came.as_ref().map_or_else(|_| RowCounts::default(), counts));
}

fn told(encoding: Encoding, came: Result<Rejected, Refusal>) -> Response {
    let status = status(&came);
    let retry = came.as_ref().err().and_then(|refusal| refusal.retry);
    let (content_type, bytes) = match encoding {
        Encoding::Protobuf => ("application/x-protobuf", protobuf(came)),
        Encoding::Json => ("application/json", json(came)),
    };
    let mut response = (status, [(header::CONTENT_TYPE, content_type)], bytes).into_response();
    if let Some(retry) = retry {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry.as_secs().max(1)));
    }
    response
}

fn protobuf(came: Result<Rejected, Refusal>) -> Vec<u8> {
    match came {
        Ok(rejected) => response(rejected).encode_to_vec(),
        Err(refusal) => RpcStatus { code: code(refusal.status), message: refusal.message }.encode_to_vec(),
    }
}

fn response(rejected: Rejected) -> ExportLogsServiceResponse {
    let partial_success = partial(rejected).map(|(records, error_message)| ExportLogsPartialSuccess {
        rejected_log_records: i64::try_from(records).unwrap_or(i64::MAX),
        error_message,
    });
    ExportLogsServiceResponse { partial_success }
}

fn json(came: Result<Rejected, Refusal>) -> Vec<u8> {
    let value = match came.map(partial) {
        Ok(None) => serde_json::json!({}),
        Ok(Some((records, message))) => {
            let partial = serde_json::json!({ "rejectedLogRecords": records.to_string(), "errorMessage": message });
            serde_json::json!({ "partialSuccess": partial })
        }
        Err(refusal) => serde_json::json!({ "code": code(refusal.status), "message": refusal.message }),
    };
    value.to_string().into_bytes()
}

/// What is told of a success that is none of all records.
fn partial(rejected: Rejected) -> Option<(u64, String)> {
    let Rejected { records, told, warning, .. } = rejected;
    (records > 0 || warning.is_some()).then(|| (records, told.or(warning).unwrap_or_default()))
}

/// gRPC's code for a status.
fn code(status: StatusCode) -> i32 {
    match status.as_u16() {
        403 => 7,
        // Which is sent again: a body that came too slowly may come faster.
        408 => 4,
        415 => 12,
        429 => 8,
        503 => 14,
        500 => 13,
        _ => 3,
    }
}

/// What there is to take: the message, as it is encoded.
type Message = (Encoding, Bytes, Reservation);

/// Reads a body, makes it a message by `unwrapped`, takes that, and counts what became of it.
async fn receive(
    shared: &Shared,
    (caller, sender): By,
    headers: &HeaderMap,
    body: Body,
    unwrapped: impl FnOnce(Bytes, Reservation) -> Result<Message, Refusal> + Send + 'static,
) -> Result<Rejected, Refusal> {
    let late = |_| {
        let message = format!("the body did not arrive within {} s", LIMIT.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, message)
    };
    let of = For { model: None, sender };
    let reading = tokio::time::timeout(LIMIT, body::read(&shared.ingest, &of, headers, body));
    let read = reading.await.map_err(late).and_then(|read| read.map_err(Refusal::from));
    let shared = shared.clone();
    // Once it is there it is seen to its end, and counted, though its sender may be gone by then.
    let seeing = tokio::spawn(async move {
        let came = match read {
            Ok((bytes, reservation)) => process(&shared, caller, move || unwrapped(bytes, reservation)).await,
            Err(refusal) => Err(refusal),
        };
        count(&shared.ingest, &came);
        came
    });
    seeing.await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the records could not be processed; this is a bug in plumbline")
}

async fn process(
    shared: &Shared,
    caller: Caller,
    message: impl FnOnce() -> Result<Message, Refusal> + Send + 'static,
) -> Result<Rejected, Refusal> {
    let permit = Arc::clone(&shared.decoding).acquire_owned().await;
    let ingest = shared.ingest.clone();
    let work = move || {
        let (encoding, bytes, reservation) = message()?;
        let _held = (permit, reservation);
        take(&ingest, &caller, encoding, &bytes)
    };
    let rejected = tokio::task::spawn_blocking(work).await.map_err(|_| gone())??;
    shared.ingest.sink.kept().await?;
    Ok(rejected)
}

type Groups = BTreeMap<(ModelKey, bool), Vec<Row>>;

/// Stores the rows that a request's records are.
fn take(ingest: &Ingest, caller: &Caller, encoding: Encoding, bytes: &[u8]) -> Result<Rejected, Refusal> {
    let (mut groups, mut rejected) = (Groups::new(), Rejected::default());
    let (mut rows, mut values) = (0_usize, 0_usize);
    let read = wire::each(bytes, encoding, &mut |resource, record| {
        let row = match record.and_then(|record| mapping::row(resource, record)) {
            Ok(row) => row,
            Err(why) => {
                rejected.add(1, || format!("a record is not taken: {why}"));
                return Ok(());
            }
        };
        (rows, values) = (rows.saturating_add(1), values.saturating_add(row.fields.len()));
        if rows > ingest.config.max_rows || values > VALUES {
            return Err(format!(
                "the request has more than {} rows (ingest.max_rows) or {VALUES} values",
                ingest.config.max_rows
            ));
        }
        let model = ingest.sink.known_as(row.model.clone());
        if !caller.may(Right::Write, Some(&model)) {
            rejected.add(1, || format!("this token has no right to write with model `{model}`"));
            return Ok(());
        }
        let key = (model, row.purpose == Purpose::Labels);
        if !groups.contains_key(&key) && groups.len() >= MODELS {
            rejected.add(1, || format!("the request names more than {MODELS} models"));
            return Ok(());
        }
        groups.entry(key).or_default().push(row);
        Ok(())
    });
    if let Err(message) = read {
        let too_many = rows > ingest.config.max_rows || values > VALUES;
        let status = if too_many { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        return Err(Refusal::new(status, message));
    }
    let mut stored = false;
    for ((model, labels), rows) in groups {
        let purpose = if labels { Purpose::Labels } else { Purpose::Samples };
        match store(ingest, &model, purpose, &rows, &mut rejected) {
            Ok(()) => stored = true,
            // What was stored must not be sent again: the rest is lost to the sender's knowledge, not silently.
            Err(refused) if stored => rejected.add(rows.len() as u64, || format!("model `{model}`: {refused}")),
            Err(refused) => return Err(refused.into()),
        }
    }
    Ok(rejected)
}

fn store(
    ingest: &Ingest,
    model: &ModelKey,
    purpose: Purpose,
    rows: &[Row],
    rejected: &mut Rejected,
) -> Result<(), Refused> {
    // Another body may give a new column its kind meanwhile; then the rows are made again.
    for _ in 0..3 {
        let known = ingest.sink.describe(model)?;
        let kind = |field: &str| expected(field, &known.spec, &known.schema);
        let room = usize::try_from(ingest.config.in_flight.as_u64() / 8).unwrap_or(usize::MAX);
        let limits = Limits { rows: rows.len(), columns: COLUMNS, cells: room };
        let mut builder = Builder::new(limits, &kind);
        for (at, row) in rows.iter().enumerate() {
            if builder.cells() > room {
                let left = rows.len().saturating_sub(at) as u64;
                rejected.add(left, || {
                    format!("model `{model}`: its records have more columns together than there is room for")
                });
                break;
            }
            let has_time = row.fields.iter().any(|(name, _)| known.spec.role_of(name) == Some(Role::Timestamp));
            let time = row.time.filter(|_| !has_time);
            let time = time.map(|time| (known.spec.timestamp.as_str(), Value::Text(time.to_string().into())));
            builder.row(row.fields.iter().map(|(name, value)| (name.as_str(), value.clone())).chain(time));
        }
        let now = ingest.clock.now();
        let passed = pass(builder.finish(), purpose, &known.spec, &known.schema, known.max_features, now);
        let Passed { batch, sampled_out, rejected: wrong, errors, wrong_types } = passed;
        if let Some(batch) = batch {
            let mut reservation = ingest.in_flight.reserve(&For::model(model));
            reservation.become_size(bytes_of(&batch.record) as u64);
            let accepted = batch.record.num_rows() as u64;
            match ingest.sink.accept(model, purpose, batch, reservation) {
                Ok(()) => {
                    rejected.accepted = rejected.accepted.saturating_add(accepted);
                    rejected.sampled_out = rejected.sampled_out.saturating_add(sampled_out);
                }
                Err(Refused::Changed) => continue,
                Err(refused) => return Err(refused),
            }
        }
        if purpose == Purpose::Samples && wrong_types.rows > 0 {
            ingest.sink.refused(model, &wrong_types);
        }
        let shown = |error: &crate::frame::json::RowError| {
            format!("model `{model}`: {} {}", error.field.as_deref().unwrap_or("a row"), error.message)
        };
        let of_row = errors.iter().find(|error| error.row.is_some()).or(errors.first());
        rejected.wrong_type = rejected.wrong_type.saturating_add(wrong_types.rows);
        rejected.add(wrong, || of_row.map_or_else(|| format!("model `{model}`: rows are wrong"), shown));
        if rejected.warning.is_none() {
            rejected.warning = errors.iter().find(|error| error.row.is_none()).map(shown);
        }
        return Ok(());
    }
    Err(Refused::Changed)
}

#[cfg(test)]
mod tests;
