//! The HTTP side: `/metrics`, health, the JSON API and the page. Reads what is shared, changes nothing.

pub mod access;
pub mod grpc;
mod health;
mod listener;
pub mod live;
mod openapi;
pub mod origin;
mod page;
pub mod query;
pub mod socket;
#[cfg(test)]
mod tests;
pub mod tls;
mod window;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

pub use listener::Entrance;

use crate::access::{Caller, Right};
use crate::clock::Clock;
use crate::health::Health;
use crate::identity::ModelKey;
use crate::model::address;
use crate::model::view::{ModelView, WindowResult};
use crate::snapshot::relations::ModelContainer;
use crate::snapshot::{GpuView, Snapshot};

/// Reads what is kept of a model's window that ended then.
pub type KeptWindow = dyn Fn(&ModelKey, Timestamp) -> Result<Option<WindowResult>, String> + Send + Sync;

/// What the routes read.
#[derive(Clone)]
pub struct Shared {
    /// The newest snapshot: all that is shown.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// A judged window in full, by its model and end, if it is kept.
    pub window: Arc<KeptWindow>,
    /// The history over time.
    pub history: Arc<query::History>,
    /// The text of `/metrics` as of now, and its content type.
    pub metrics: Arc<dyn Fn() -> (&'static str, String) + Send + Sync>,
    /// The data folder, as people type it.
    pub data: String,
    /// Since when the agent runs.
    pub started: Timestamp,
    /// What is shown is the demonstration.
    pub sample: bool,
    /// The names it answers to.
    pub names: origin::Names,
    /// Who is let in.
    pub gate: access::Gate,
    /// The places of pages that listen.
    pub listeners: live::Places,
    /// The agent ends: whoever listens is told nothing more.
    pub stopping: watch::Receiver<bool>,
    /// Where this is served: `http://127.0.0.1:9477`.
    pub base: String,
    /// How the agent is doing.
    pub health: Arc<Health>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Connections at once.
const CONNECTIONS: listener::Bounds = listener::Bounds { all: 400, of_one: 300, bodies: 200 };

/// Of a file on this machine, where all are one sender.
const LOCAL_CONNECTIONS: listener::Bounds = listener::Bounds { all: 200, of_one: 200, bodies: 100 };

/// Serves these routes and `more` at a port or a socket until `shutdown` ends, then lets open requests finish.
///
/// # Errors
/// The socket fails for good.
pub async fn serve(
    entrance: Entrance,
    shared: Shared,
    more: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let bounds = if matches!(entrance, Entrance::Port(..)) { CONNECTIONS } else { LOCAL_CONNECTIONS };
    let listener = listener::Bounded::new(entrance, bounds);
    let service = router(shared, more).into_make_service_with_connect_info::<listener::Peer>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}

fn router(shared: Shared, more: Router) -> Router {
    let (names, gate) = (shared.names.clone(), shared.gate.clone());
    Router::new()
        .route("/", get(page::page))
        .route("/models/{model}", get(page::model))
        .route("/models/{model}/windows/{end}", get(page::window))
        .route("/workloads/{*workload}", get(page::workload))
        .route("/gpus/{gpu}", get(page::gpu))
        .route("/nodes/{node}", get(page::node))
        .route("/alerts", get(page::alerts))
        .route(live::PATH, get(live::live))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/metrics", get(metrics))
        .route(openapi::PATH, get(openapi::document).with_state(gate.clone()))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1/containers", get(containers))
        .route("/api/v1/query", get(query::query))
        .route("/api/v1/gpus", get(gpus))
        .route("/api/v1/alerts", get(alerts))
        .route("/api/v1/recommendations", get(recommendations))
        .route("/api/v1/models", get(models))
        .route("/api/v1/models/{model}", get(model))
        .route("/api/v1/models/{model}/windows/{end}", get(window::one))
        .route("/api/v1/models/{model}/windows/{end}/tally", get(window::tally))
        .fallback(not_found)
        .layer(middleware::from_fn(within_time))
        .with_state(shared)
        // They bound their own time: a body may take longer than an answer.
        .merge(more)
        .merge(access::routes(gate.clone()).layer(middleware::from_fn(within_time)))
        .layer(middleware::from_fn_with_state(gate, access::guard))
        .layer(middleware::from_fn_with_state(names, origin::guard))
        .layer(middleware::map_response(with_headers))
}

/// Nothing here takes long; what does is stuck.
async fn within_time(request: axum::extract::Request, next: Next) -> Response {
    const LIMIT: Duration = Duration::from_secs(10);
    tokio::time::timeout(LIMIT, next.run(request))
        .await
        .unwrap_or_else(|_| (StatusCode::SERVICE_UNAVAILABLE, "timed out\n").into_response())
}

/// The page loads nothing from elsewhere and is framed by nobody.
async fn with_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                 frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
            ),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Nothing goes to other sites; the form's own answer must say where it comes from.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    response.headers_mut().extend(HEADERS);
    response
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let (content_type, text) = (shared.metrics)();
    ([(header::CONTENT_TYPE, content_type)], text)
}

/// How the agent is, and no more.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Briefly {
    /// `ok`; `degraded` when something needs attention; `stalled` when nothing moves.
    status: &'static str,
}

/// A probe has no token: it is told how the agent is, and no more.
async fn healthz(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    let report = health::report(&shared.health.state(), shared.clock.monotonic());
    let status = if report.alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if caller.may(Right::Read, None) {
        (status, Json(report)).into_response()
    } else {
        (status, Json(Briefly { status: report.status })).into_response()
    }
}

async fn readyz(State(shared): State<Shared>) -> Response {
    if shared.snapshot.borrow().ready {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: containers have not been read yet\n").into_response()
    }
}

async fn containers(State(shared): State<Shared>) -> Response {
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    Json(snapshot.as_ref()).into_response()
}

/// The GPUs of the node.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(clippy::struct_field_names, reason = "the API has it under this name")]
struct Gpus<'a> {
    /// When they were read.
    #[cfg_attr(test, schemars(with = "String"))]
    as_of: Timestamp,
    node: &'a str,
    gpus: &'a [GpuView],
}

async fn gpus(State(shared): State<Shared>) -> Response {
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    Json(Gpus { as_of: snapshot.as_of, node: &snapshot.node, gpus: &snapshot.gpus }).into_response()
}

async fn alerts(State(shared): State<Shared>) -> Response {
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    Json(snapshot.alerts.as_ref()).into_response()
}

async fn recommendations(State(shared): State<Shared>) -> Response {
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    match &snapshot.review {
        Some(review) => Json(review.as_ref()).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the history has not been read yet\n").into_response(),
    }
}

/// A model with its containers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Model<'a> {
    #[serde(flatten)]
    model: &'a ModelView,
    /// Those that serve it, then those that train it.
    containers: Vec<ModelContainer<'a>>,
}

impl<'a> Model<'a> {
    fn of(snapshot: &'a Snapshot, place: usize, model: &'a ModelView) -> Self {
        Self { model, containers: snapshot.served_by(place).chain(snapshot.trained_by(place)).collect() }
    }
}

/// All models.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Models<'a> {
    models: Vec<Model<'a>>,
}

async fn models(State(shared): State<Shared>) -> Response {
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    let models = snapshot.models.models.iter().enumerate();
    let models: Vec<Model<'_>> = models.map(|(place, model)| Model::of(&snapshot, place, model)).collect();
    Json(Models { models }).into_response()
}

async fn model(State(shared): State<Shared>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    let key = match address::alone(&name, query.as_deref()) {
        Ok(key) => key,
        Err(message) => return (StatusCode::BAD_REQUEST, format!("{message}\n")).into_response(),
    };
    match snapshot.model(&key) {
        Some((place, model)) => Json(Model::of(&snapshot, place, model)).into_response(),
        None => (StatusCode::NOT_FOUND, format!("no model `{key}`; /api/v1/models lists all\n")).into_response(),
    }
}

async fn not_found() -> impl IntoResponse {
    const PATHS: &str = "/, /alerts, /live, /nodes/{node}, /workloads/{workload}, /gpus/{gpu}, /models/{model}, /models/{model}/windows/{end}, /metrics, /openapi.json, /healthz, /readyz, /api/v1/containers, /api/v1/query, /api/v1/gpus, /api/v1/models, /api/v1/models/{model}/windows/{end} and /tally below it, /api/v1/recommendations, /api/v1/alerts; \
         POST / and /v1/events, POST /v1/logs, POST /consumer/kserve/v2 and /data/upload, POST /v1/models/{model}/samples and /labels, PUT /v1/models/{model}/reference, DELETE /v1/models/{model}, \
         /v1/models/{model}/description, /v1/descriptions; \
         models with ?namespace= where they are in one";
    (StatusCode::NOT_FOUND, format!("not found; the paths are {PATHS}\n"))
}
