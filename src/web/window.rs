//! One judged window of a model, by when it ended: in full, or its counts under the model's profile.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;

use super::Shared;
use crate::identity::ModelKey;
use crate::model::address;
use crate::model::view::{ModelView, WindowResult};

/// Which window an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The one that was closed last.
    Latest,
    /// The one that ended then.
    Ended(Timestamp),
}

impl Wanted {
    fn of(text: &str) -> Result<Self, String> {
        match text {
            "latest" => Ok(Self::Latest),
            time => time.parse().map(Self::Ended).map_err(|_| {
                format!("`{time}` is no time; write `latest`, or when the window ended, as 2026-01-31T12:00:00Z")
            }),
        }
    }

    fn is(self, end: Timestamp) -> bool {
        match self {
            Self::Latest => true,
            Self::Ended(wanted) => wanted == end,
        }
    }
}

/// The window that an address names, or why there is none.
///
/// # Errors
/// No such model or window, or the disk failed; the status says which.
pub async fn found(
    shared: &Shared,
    name: &str,
    end: &str,
    query: Option<&str>,
) -> Result<(ModelKey, WindowResult), (StatusCode, String)> {
    let none = |message: String| (StatusCode::NOT_FOUND, message);
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    let bad = |message: String| (StatusCode::BAD_REQUEST, message);
    let key = address::alone(name, query).map_err(bad)?;
    let wanted = Wanted::of(end).map_err(bad)?;
    let Some((_, model)) = snapshot.model(&key) else {
        return Err(none(format!("no model `{key}`; /api/v1/models lists all")));
    };
    if let Some(latest) = model.latest.as_ref().filter(|latest| wanted.is(latest.end)) {
        return Ok((key, latest.clone()));
    }
    let Wanted::Ended(end) = wanted else {
        return Err(none(format!("no window of `{key}` has closed yet")));
    };
    if model.windows.iter().filter(|line| line.end == end).count() > 1 {
        return Err(none(format!(
            "several windows of `{key}` ended at {end}, as their rows have one time: none has this address"
        )));
    }
    let (read, of) = (Arc::clone(&shared.window), key.clone());
    let kept = tokio::task::spawn_blocking(move || read(&of, end)).await;
    match kept.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(Some(window)) => Ok((key, with_newer(window, model))),
        Ok(None) if model.windows.iter().any(|line| line.end == end) => Err(none(format!(
            "of the window of `{key}` that ended at {end} no more is known than its line with the model"
        ))),
        Ok(None) => Err(none(format!("no window of `{key}` that ended at {end} is kept{}", nearest(model, end)))),
        Err(message) => Err((StatusCode::INTERNAL_SERVER_ERROR, message)),
    }
}

/// Labels that came when the window's rows had left memory added to its line alone.
fn with_newer(mut window: WindowResult, model: &ModelView) -> WindowResult {
    let line = model.windows.iter().find(|line| line.end == window.end);
    window.performance = line.and_then(|line| line.performance.clone()).or(window.performance);
    window
}

fn nearest(model: &ModelView, end: Timestamp) -> String {
    let away = |at: Timestamp| at.duration_since(end).unsigned_abs();
    let nearest = model.windows.iter().map(|line| line.end).min_by_key(|at| away(*at));
    nearest.map_or_else(String::new, |at| format!("; the nearest ended at {at}"))
}

pub async fn one(
    State(shared): State<Shared>,
    Path((name, end)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    match found(&shared, &name, &end, query.as_deref()).await {
        Ok((_, window)) => Json(window).into_response(),
        Err((status, message)) => (status, format!("{message}\n")).into_response(),
    }
}

/// A window's counts under the model's profile: what replicas add up.
pub async fn tally(
    State(shared): State<Shared>,
    Path((name, end)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let none = |message: String| (StatusCode::NOT_FOUND, format!("{message}\n")).into_response();
    let bad = |message: String| (StatusCode::BAD_REQUEST, format!("{message}\n")).into_response();
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    let key = match address::alone(&name, query.as_deref()) {
        Ok(key) => key,
        Err(message) => return bad(message),
    };
    let wanted = match Wanted::of(&end) {
        Ok(wanted) => wanted,
        Err(message) => return bad(message),
    };
    let Some((_, model)) = snapshot.model(&key) else {
        return none(format!("no model `{key}`; /api/v1/models lists all"));
    };
    match model.tallies.iter().find(|window| wanted.is(window.end)) {
        Some(window) => {
            let text = window.text(&model.key, &snapshot.node);
            ([(header::CONTENT_TYPE, "application/json")], text).into_response()
        }
        None if model.tallies.is_empty() => {
            none(format!("no window of `{key}` was held against a profile; PUT one as its reference"))
        }
        None => {
            let kept: Vec<String> = model.tallies.iter().map(|window| window.end.to_string()).collect();
            none(format!("no counts of a window that ends at {end}; there are those that end at {}", kept.join(", ")))
        }
    }
}
