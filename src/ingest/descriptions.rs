//! `GET /v1/descriptions`; `PUT`, `GET` and `DELETE /v1/models/{model}/description`, each with `?namespace=` for a model in one.
//!
//! What becomes of a description is the [`Registry`]'s. Whether somebody may is decided before (`web::access`).

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Serialize;

use crate::identity::ModelKey;
use crate::model::address;
use crate::model::described::Origin;

/// A body is no longer than this, in bytes: JSON takes more than TOML.
const LONGEST: usize = 256 * 1024;

/// Who knows what describes each model.
pub trait Registry: Send + Sync {
    /// Takes a description; `is_json` where it is no TOML. Whether it is a new one.
    ///
    /// # Errors
    /// It is not taken.
    fn put(&self, model: &ModelKey, text: &str, is_json: bool) -> Result<bool, NotTaken>;

    /// Removes what came by the API. False if nothing did.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove(&self, model: &ModelKey) -> Result<bool, NotTaken>;

    /// All descriptions, in order of model.
    fn all(&self) -> Vec<Shown>;
}

/// Why a description is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is wrong: each problem with its line and field.
    Wrong(Vec<Wrong>),
    /// Another goes before it, or there is no room.
    Conflict(String),
    /// The disk failed.
    NotStored(String),
}

/// One thing that is wrong with a description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Wrong {
    /// Of the text, from 1; `null` where it was JSON.
    pub line: Option<usize>,
    /// The field's full name; `null` where it is about the whole.
    pub field: Option<String>,
    /// For people.
    pub message: String,
}

/// A description as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shown {
    /// Of which model, as far as it says so.
    #[serde(flatten)]
    pub model: Option<ModelKey>,
    /// Who gave it.
    pub origin: Origin,
    /// It counts.
    pub in_force: bool,
    /// Why it does not.
    pub why: Option<String>,
    /// As it was given; the configuration file's are not repeated.
    pub text: Option<String>,
}

/// The routes.
pub fn router(registry: Arc<dyn Registry>) -> Router {
    Router::new()
        .route("/v1/descriptions", get(all))
        .route("/v1/models/{model}/description", get(one).put(put).delete(remove))
        .layer(DefaultBodyLimit::max(LONGEST))
        .with_state(registry)
}

/// Descriptions, in order of model.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Descriptions {
    descriptions: Vec<Shown>,
}

/// Why a description was not taken.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotDescribed {
    errors: Vec<Wrong>,
}

type Registered = State<Arc<dyn Registry>>;

fn refused(status: StatusCode, message: impl Into<String>) -> Response {
    let errors = vec![Wrong { line: None, field: None, message: message.into() }];
    (status, Json(NotDescribed { errors })).into_response()
}

impl IntoResponse for NotTaken {
    fn into_response(self) -> Response {
        match self {
            Self::Wrong(errors) => (StatusCode::UNPROCESSABLE_ENTITY, Json(NotDescribed { errors })).into_response(),
            Self::Conflict(message) => refused(StatusCode::CONFLICT, message),
            Self::NotStored(message) => refused(StatusCode::SERVICE_UNAVAILABLE, message),
        }
    }
}

async fn all(State(registry): Registered) -> Response {
    let all = tokio::task::spawn_blocking(move || registry.all()).await.unwrap_or_default();
    Json(Descriptions { descriptions: all }).into_response()
}

/// Every description of the model, the one that counts first.
async fn one(State(registry): Registered, Path(model): Path<String>, RawQuery(query): RawQuery) -> Response {
    let key = match address::alone(&model, query.as_deref()) {
        Ok(key) => key,
        Err(message) => return refused(StatusCode::BAD_REQUEST, message),
    };
    let all = tokio::task::spawn_blocking(move || registry.all()).await.unwrap_or_default();
    let mut of_it: Vec<Shown> = all.into_iter().filter(|shown| shown.model.as_ref() == Some(&key)).collect();
    of_it.sort_by_key(|shown| !shown.in_force);
    if of_it.is_empty() {
        return refused(StatusCode::NOT_FOUND, format!("nobody describes `{key}`; /v1/descriptions lists all"));
    }
    Json(Descriptions { descriptions: of_it }).into_response()
}

async fn put(
    State(registry): Registered,
    Path(model): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = match address::alone(&model, query.as_deref()) {
        Ok(key) => key,
        Err(message) => return refused(StatusCode::BAD_REQUEST, message),
    };
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = match given.split(';').next().unwrap_or_default().trim() {
        "application/json" => true,
        "application/toml" | "text/plain" => false,
        _ => {
            let message = format!("Content-Type `{given}` is not supported; send application/toml or application/json");
            return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        }
    };
    let Ok(text) = String::from_utf8(body.into()) else {
        return refused(StatusCode::BAD_REQUEST, "the description is no text in UTF-8");
    };
    // It goes to the disk.
    let taken = tokio::task::spawn_blocking(move || registry.put(&key, &text, is_json)).await;
    match taken {
        Ok(Ok(true)) => StatusCode::CREATED.into_response(),
        Ok(Ok(false)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(not_taken)) => not_taken.into_response(),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "it was not taken; this is a bug in plumbline"),
    }
}

async fn remove(State(registry): Registered, Path(model): Path<String>, RawQuery(query): RawQuery) -> Response {
    let key = match address::alone(&model, query.as_deref()) {
        Ok(key) => key,
        Err(message) => return refused(StatusCode::BAD_REQUEST, message),
    };
    let name = key.to_string();
    match tokio::task::spawn_blocking(move || registry.remove(&key)).await {
        Ok(Ok(true)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Ok(false)) => refused(StatusCode::NOT_FOUND, format!("nothing describes `{name}` by the API")),
        Ok(Err(not_taken)) => not_taken.into_response(),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "it was not removed; this is a bug in plumbline"),
    }
}
