//! `POST /v1/models/{model}/samples` and `/labels`, `PUT /v1/models/{model}/reference`, `DELETE /v1/models/{model}`; each with
//! `?namespace=` for a model in one. `GET /v1/agent` says who this is, for agents that send labels on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};
use bytes::Bytes;
use serde::Serialize;

use super::copies::Copied;
use super::decode::{self, CONTENT_TYPES, Format};
use super::repeats::{self, Begun, Claim, Running, Undone};
use super::room::For;
use super::turns::Turns;
use super::{Ingest, Refused, Reservation, RowCounts, Sink, body};
use crate::access::{Caller, Sender};
use crate::frame::json::{Limits, RowError};
use crate::frame::stack::bytes_of;
use crate::identity::ModelKey;
use crate::model::border::{Batch, Passed, Purpose, expected, pass};
use crate::model::profile::{self, Admitted};
use crate::model::{Spec, address};

/// Bodies decoded at once: it is work for a core each.
const AT_ONCE: usize = 2;
/// The configuration says where the reference lies.
const NAMED: &str = "the configuration names this model's reference (`reference` of its [[model]]); change it there, or take the setting out";
/// A body must have come by then.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Shared {
    ingest: Ingest,
    decoding: Arc<Turns>,
}

/// The ingest's routes.
pub fn router(ingest: Ingest) -> Router {
    let shared = Shared { ingest, decoding: Turns::new(AT_ONCE) };
    let accept = |purpose| {
        move |State(shared): State<Shared>,
              Path(model): Path<String>,
              RawQuery(query): RawQuery,
              sender: Option<Extension<Sender>>,
              caller: Option<Extension<Caller>>,
              uri: Uri,
              headers: HeaderMap,
              body: Body| {
            let request = Request {
                model,
                query,
                sender: sender.map(|Extension(sender)| sender),
                caller: caller.map(|Extension(caller)| caller),
                uri,
                headers,
                body,
            };
            answer(shared, request, purpose)
        }
    };
    Router::new()
        .route(address::AGENT, get(agent))
        .route("/v1/models/{model}", delete(remove))
        .route("/v1/models/{model}/samples", post(accept(Purpose::Samples)))
        .route("/v1/models/{model}/labels", post(accept(Purpose::Labels)))
        .route("/v1/models/{model}/reference", put(accept(Purpose::Reference)))
        // `body` has its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

/// The response to rows.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RowsResponse {
    /// Rows that are stored.
    accepted: u64,
    /// Rows that are right, and left out because the model's description asks for a part.
    #[serde(skip_serializing_if = "is_none")]
    sampled_out: u64,
    /// Rows that are wrong.
    rejected: u64,
    /// Of these the ones with a value of another type.
    #[serde(skip)]
    wrong_type: u64,
    /// What is wrong with rows, the first of them; and what else is worth telling.
    errors: Vec<RowError>,
    /// The hash of the profile that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
}

impl RowsResponse {
    fn counts(&self) -> RowCounts {
        let wrong_type = self.wrong_type.min(self.rejected);
        let faulty = self.rejected.saturating_sub(wrong_type);
        RowCounts { accepted: self.accepted, sampled_out: self.sampled_out, wrong_type, faulty }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Who this is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AgentResponse {
    /// Drawn at its first start; it keeps it with its data.
    agent: String,
}

/// An answer that accepts nothing.
struct Refusal {
    status: StatusCode,
    message: String,
    retry: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry: None }
    }

    fn busy(message: impl Into<String>, retry: Duration) -> Self {
        Self { retry: Some(retry), ..Self::new(StatusCode::TOO_MANY_REQUESTS, message) }
    }
}

impl From<body::Error> for Refusal {
    fn from(error: body::Error) -> Self {
        match error {
            body::Error::TooLarge(limit) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {limit} bytes (ingest.max_body); send it in parts"),
            ),
            body::Error::Busy(full) => Self::busy(full.message(), Duration::from_secs(1)),
            body::Error::Encoding(given) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("Content-Encoding {given} is not supported; send it plain, as gzip or as zstd"),
            ),
            body::Error::Broken(message) => Self::new(StatusCode::BAD_REQUEST, message),
        }
    }
}

impl From<decode::Error> for Refusal {
    fn from(error: decode::Error) -> Self {
        let status = match error {
            decode::Error::Broken(_) => StatusCode::UNPROCESSABLE_ENTITY,
            decode::Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            decode::Error::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        };
        Self::new(status, error.to_string())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy { message, retry } => Self::busy(message, retry),
            Refused::NotStored(message) => {
                Self { retry: Some(Duration::from_secs(10)), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message) }
            }
            Refused::Unusable(message) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message),
            Refused::Changed => Self::new(StatusCode::CONFLICT, refused.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let errors = vec![RowError { row: None, field: None, message: self.message }];
        let mut response = (self.status, Json(RowsResponse { errors, ..RowsResponse::default() })).into_response();
        if let Some(retry) = self.retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry.as_secs().max(1)));
        }
        response
    }
}

/// Who this is: 200, or 503 as long as nobody knows.
async fn agent(State(shared): State<Shared>) -> Response {
    match shared.ingest.sink.agent() {
        Some(agent) => Json(AgentResponse { agent }).into_response(),
        None => Refusal::from(Refused::NotStored("what was stored before is not read yet".to_owned())).into_response(),
    }
}

/// Forgets a model: 204, or 404 where there is none.
async fn remove(State(shared): State<Shared>, Path(model): Path<String>, RawQuery(query): RawQuery) -> Response {
    let sink = Arc::clone(&shared.ingest.sink);
    let kept = Arc::clone(&sink);
    let work = move || {
        let model = address::alone(&model, query.as_deref())
            .map_err(|message| Refusal::new(StatusCode::BAD_REQUEST, message))?;
        let unknown = || format!("no model `{model}`; /api/v1/models lists all");
        let removed = sink.remove(&model).map_err(Refusal::from)?;
        removed.then_some(StatusCode::NO_CONTENT).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, unknown()))
    };
    let gone = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "it was not removed; this is a bug in plumbline");
    match tokio::task::spawn_blocking(work).await.map_err(gone) {
        Ok(Ok(status)) => match kept.kept().await {
            Ok(()) => status.into_response(),
            Err(refused) => Refusal::from(refused).into_response(),
        },
        Ok(Err(refusal)) | Err(refusal) => refusal.into_response(),
    }
}

/// What came.
struct Request {
    model: String,
    query: Option<String>,
    sender: Option<Sender>,
    caller: Option<Caller>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
}

async fn answer(shared: Shared, request: Request, purpose: Purpose) -> Response {
    let read = read(&shared, request, purpose).await;
    // Once it is there it is seen to its end, and counted, though its sender may be gone by then.
    let seeing = tokio::spawn(async move {
        let came = match read {
            Ok(came) => process(&shared, came, purpose).await,
            Err(refusal) => Err(refusal),
        };
        told(shared.ingest.sink.as_ref(), came)
    });
    seeing.await.unwrap_or_else(|_| gone().into_response())
}

fn gone() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the rows could not be processed; this is a bug in plumbline")
}

fn told(sink: &dyn Sink, came: Result<Answer, Refusal>) -> Response {
    match came {
        Ok(Answer::Rows(status, response)) => {
            sink.answered(status.as_u16(), response.counts());
            (status, Json(response)).into_response()
        }
        Ok(Answer::Again(text)) => {
            sink.answered(StatusCode::ACCEPTED.as_u16(), RowCounts::default());
            sink.repeated();
            let about =
                [(header::CONTENT_TYPE, "application/json"), (HeaderName::from_static(repeats::REPLAYED), "true")];
            (StatusCode::ACCEPTED, about, text).into_response()
        }
        Err(refusal) => {
            sink.answered(refusal.status.as_u16(), RowCounts::default());
            refusal.into_response()
        }
    }
}

/// A body that is there.
struct Came {
    upload: Upload,
    of: For,
    bytes: Bytes,
    reservation: Reservation,
    copied: Option<Copied>,
}

async fn read(
    shared: &Shared,
    Request { model, query, sender, caller, uri, headers, body }: Request,
    purpose: Purpose,
) -> Result<Came, Refusal> {
    let upload = Upload::of(&model, query.as_deref(), caller.as_ref(), &headers).and_then(|mut upload| {
        upload.forwarded &= purpose == Purpose::Labels;
        // Whether there is room is asked before the body is read, too.
        let known = shared.ingest.sink.describe(&upload.model)?;
        for_us(&shared.ingest, &upload, &headers)?;
        let named = known.spec.reference.is_some() && purpose == Purpose::Reference;
        if named { Err(Refusal::new(StatusCode::CONFLICT, NAMED)) } else { Ok(upload) }
    });
    let upload = match upload {
        Ok(upload) => upload,
        Err(refusal) => {
            body::drain(body, shared.ingest.config.max_body.as_u64()).await;
            return Err(refusal);
        }
    };
    let late = |_| {
        Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not arrive within {} s; send it in parts", LIMIT.as_secs()),
        )
    };
    let of = For { model: Some(upload.model.clone()), sender: sender.map(Sender::into_name) };
    let (bytes, reservation) =
        tokio::time::timeout(LIMIT, body::read(&shared.ingest, &of, &headers, body)).await.map_err(late)??;
    // What another agent sends on has been copied there, and a reference is no traffic.
    let is_traffic = !upload.forwarded && purpose != Purpose::Reference;
    let copied = shared.ingest.copies.as_ref().filter(|_| is_traffic).and_then(|_| Copied::of(&uri, &headers, &bytes));
    Ok(Came { upload, of, bytes, reservation, copied })
}

async fn process(shared: &Shared, came: Came, purpose: Purpose) -> Result<Answer, Refusal> {
    let Came { upload, of, bytes, reservation, copied } = came;
    let permit = shared.decoding.take(of).await;
    let (ingest, model) = (shared.ingest.clone(), upload.model.clone());
    let work = move || {
        let _permit = permit;
        take(&ingest, &upload, &bytes, reservation, purpose)
    };
    let (answer, undone) = tokio::task::spawn_blocking(work).await.map_err(|_| gone())??;
    if matches!(answer, Answer::Again(_) | Answer::Rows(StatusCode::ACCEPTED, _))
        && let Err(refused) = shared.ingest.sink.kept().await
    {
        // Who is told so sends it again, to be taken.
        if let Some(undone) = undone {
            undone.forget();
        }
        return Err(refused.into());
    }
    if matches!(answer, Answer::Rows(StatusCode::ACCEPTED, _)) {
        shared.ingest.copy(Some(&model), copied);
    }
    Ok(answer)
}

/// What is answered.
enum Answer {
    Rows(StatusCode, RowsResponse),
    /// As the first batch under its key was.
    Again(String),
}

/// Takes a batch, unless one was taken under its key.
fn take(
    ingest: &Ingest,
    upload: &Upload,
    bytes: &bytes::Bytes,
    reservation: Reservation,
    purpose: Purpose,
) -> Result<(Answer, Option<Undone>), Refusal> {
    let mut running = match &upload.key {
        None => None,
        Some(key) => {
            let (what, whole) = (purpose.name(), if upload.whole { "whole" } else { "rows" });
            let content = [upload.format.name().as_bytes(), whole.as_bytes(), bytes.as_ref()];
            let claim = Claim::new(&upload.model, &[what, &upload.token], key, &content);
            match ingest.repeats.begin(claim, ingest.clock.now()) {
                Begun::First(running) => Some(running),
                Begun::Answered(text) => return Ok((Answer::Again(text), None)),
                Begun::Meanwhile => {
                    let message = "the same batch is being taken; send it again to hear what became of it";
                    return Err(Refusal {
                        retry: Some(repeats::RUNNING_RETRY),
                        ..Refusal::new(StatusCode::CONFLICT, message)
                    });
                }
                Begun::Other => {
                    let message = "another batch came under this Idempotency-Key; give each batch its own";
                    return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message));
                }
            }
        }
    };
    let undone = running.as_ref().map(Running::undone);
    let (status, response) = decode_and_store(ingest, upload, bytes, reservation, purpose, &mut running)?;
    Ok((Answer::Rows(status, response), undone))
}

/// The batch with what a repetition of it is to be answered, and that answer.
fn noted(batch: Batch, running: Option<&Running>, response: &RowsResponse) -> Result<(Batch, String), Refusal> {
    let bug = |message: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message);
    let Some(running) = running else { return Ok((batch, String::new())) };
    let text = serde_json::to_string(response).map_err(|error| bug(error.to_string()))?;
    let batch = batch.noted(repeats::NOTE, &running.note(&text)).map_err(bug)?;
    Ok((batch, text))
}

/// What is asked, by all but the body.
struct Upload {
    model: ModelKey,
    format: Format,
    whole: bool,
    /// Another agent sends on what clients sent to it.
    forwarded: bool,
    /// Under which key it comes.
    key: Option<String>,
    /// Whose key: the name of the token, or nobody's.
    token: String,
}

impl Upload {
    fn of(model: &str, query: Option<&str>, caller: Option<&Caller>, headers: &HeaderMap) -> Result<Self, Refusal> {
        let bad = |message| Refusal::new(StatusCode::BAD_REQUEST, message);
        let (model, more) = address::with_more(model, query).map_err(bad)?;
        let whole = all_or_nothing(&more).map_err(bad)?;
        let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let format = Format::of(given).ok_or_else(|| {
            let given = if given.is_empty() { "no Content-Type".to_owned() } else { format!("Content-Type {given}") };
            let message = format!("{given} is not supported; send {CONTENT_TYPES}");
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
        })?;
        let key = headers.get(repeats::HEADER).map(|value| repeats::key(value.as_bytes())).transpose().map_err(bad)?;
        let key = key.map(str::to_owned);
        let token = if let Some(Caller::Known(token)) = caller { token.name.clone() } else { String::new() };
        let forwarded = headers.contains_key(address::FORWARDED_BY);
        Ok(Self { model, format, whole, forwarded, key, token })
    }
}

/// Refuses what another agent sends on to one that was here before us, or for a model that nobody here is waiting for and there is no room
/// for.
fn for_us(ingest: &Ingest, upload: &Upload, headers: &HeaderMap) -> Result<(), Refusal> {
    let meant = headers.get(address::FOR_AGENT).map(|value| value.to_str().unwrap_or_default());
    if meant.is_some_and(|meant| ingest.sink.agent().is_none_or(|agent| agent != meant)) {
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "this is another agent by now; ask it who it is"));
    }
    if upload.forwarded && !ingest.sink.takes_forwarded(&upload.model) {
        let message = format!(
            "half of models.max_models is taken, and the rest is kept for models of which samples come; `{}` is not known here",
            upload.model
        );
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, message));
    }
    Ok(())
}

/// `?all_or_nothing=true` refuses a body with any wrong row.
fn all_or_nothing(parameters: &[&str]) -> Result<bool, String> {
    let mut whole = false;
    for parameter in parameters {
        whole = match *parameter {
            "all_or_nothing" | "all_or_nothing=true" | "all_or_nothing=1" => true,
            "all_or_nothing=false" | "all_or_nothing=0" => false,
            other => {
                return Err(format!(
                    "unknown parameter `{other}`; there are all_or_nothing=true and namespace=NAMESPACE"
                ));
            }
        };
    }
    Ok(whole)
}

fn decode_and_store(
    ingest: &Ingest,
    upload: &Upload,
    bytes: &bytes::Bytes,
    mut reservation: Reservation,
    purpose: Purpose,
    running: &mut Option<Running>,
) -> Result<(StatusCode, RowsResponse), Refusal> {
    let &Upload { ref model, format, whole, forwarded, .. } = upload;
    if purpose == Purpose::Reference && format.is_json() && profile::begins(bytes) {
        return store_profile(ingest, model, bytes, reservation, running);
    }
    let room = usize::try_from(ingest.config.in_flight.as_u64()).unwrap_or(usize::MAX);
    // A cell takes eight bytes or sixteen, whatever it took on the way.
    let limits = Limits { rows: ingest.config.max_rows, columns: 4096, cells: room / 8 };
    // Another body may give a new column its kind while this one is decoded; then it is decoded again.
    for _ in 0..3 {
        let mut known = ingest.sink.describe(model)?;
        if purpose == Purpose::Reference {
            // A reference says itself what its columns hold.
            known.schema = Arc::default();
        }
        if forwarded {
            // The names are ours, whatever those of clients are.
            known.spec = Arc::new(Spec::of(model));
        }
        let rows = decode::decode(bytes, format, limits, &|field| expected(field, &known.spec, &known.schema))?;
        let now = ingest.clock.now();
        let Passed { batch, sampled_out, rejected, errors, wrong_types } =
            pass(rows, purpose, &known.spec, &known.schema, known.max_features, now);
        let tell = || {
            if purpose == Purpose::Samples && wrong_types.rows > 0 {
                ingest.sink.refused(model, &wrong_types);
            }
        };
        let Some(mut batch) = batch.filter(|_| !whole || rejected == 0) else {
            tell();
            let errors = if errors.is_empty() {
                vec![RowError { row: None, field: None, message: "the body has no rows".to_owned() }]
            } else {
                errors
            };
            return Ok((
                StatusCode::UNPROCESSABLE_ENTITY,
                RowsResponse { rejected, wrong_type: wrong_types.rows, errors, ..RowsResponse::default() },
            ));
        };
        if forwarded {
            batch = batch.forwarded().map_err(|message| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message))?;
        }
        let accepted = batch.record.num_rows() as u64;
        reservation.become_size(bytes_of(&batch.record).max(bytes.len()) as u64);
        let handed = std::mem::replace(&mut reservation, Reservation::none(&ingest.in_flight));
        let wrong_type = wrong_types.rows;
        let response = RowsResponse { accepted, sampled_out, rejected, wrong_type, errors, profile: None };
        let (batch, text) = noted(batch, running.as_ref(), &response)?;
        match ingest.sink.accept(model, purpose, batch, handed) {
            Ok(()) => {
                if let Some(running) = running.take() {
                    running.done(&text);
                }
                tell();
                return Ok((StatusCode::ACCEPTED, response));
            }
            Err(Refused::Changed) => {}
            Err(refused) => return Err(refused.into()),
        }
    }
    Err(Refused::Changed.into())
}

/// A profile in the place of a reference's rows.
fn store_profile(
    ingest: &Ingest,
    model: &ModelKey,
    bytes: &bytes::Bytes,
    reservation: Reservation,
    running: &mut Option<Running>,
) -> Result<(StatusCode, RowsResponse), Refusal> {
    let bad = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
    if bytes.len() > profile::LARGEST {
        let message = format!("the body is larger than {} bytes, and so no profile", profile::LARGEST);
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| bad(format!("the profile: is no text: {error}")))?;
    let known = ingest.sink.describe(model)?;
    let Admitted { batch, hash, rows, told } = profile::admit(text, &known.spec, known.max_features).map_err(bad)?;
    let response = RowsResponse { accepted: rows, errors: told, profile: Some(hash), ..RowsResponse::default() };
    let (batch, text) = noted(batch, running.as_ref(), &response)?;
    ingest.sink.accept(model, Purpose::Profile, batch, reservation)?;
    if let Some(running) = running.take() {
        running.done(&text);
    }
    Ok((StatusCode::ACCEPTED, response))
}
