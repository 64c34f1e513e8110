//! The page at `/`, and a model's own at `/models/{model}`. Whole without a script, live with one.
//!
//! Each section stands in a file of its own below `page/` and is pure: views in, markup out. What needs attention comes first.

mod alerts;
mod attention;
mod containers;
mod gpus;
mod model;
mod models;
mod sizes;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::Shared;
use super::health::{self, Report};
use crate::alert::view::AlertsView;
use crate::chart;
use crate::model::view::{ModelView, ModelsView};
use crate::rightsize::review::Review;
use crate::snapshot::Snapshot;
use crate::units::{money, span};

/// All that a page is made of, as of one instant.
struct Known {
    snapshot: Arc<Snapshot>,
    models: Arc<ModelsView>,
    alerts: Arc<AlertsView>,
    review: Option<Arc<Review>>,
    health: Report,
    address: String,
    /// Since when the agent watches.
    started: Timestamp,
    now: Timestamp,
}

impl Known {
    fn of(shared: &Shared) -> Self {
        Self {
            snapshot: Arc::clone(&shared.snapshot.borrow()),
            models: Arc::clone(&shared.models.borrow()),
            alerts: Arc::clone(&shared.alerts.borrow()),
            review: shared.review.borrow().clone(),
            health: health::report(&shared.health.state(), shared.clock.monotonic(), shared.stalled_after),
            address: shared.address.map_or_else(|| "127.0.0.1:9477".to_owned(), |a: SocketAddr| a.to_string()),
            started: shared.started,
            now: shared.clock.now(),
        }
    }

    fn currency(&self) -> &str {
        self.review.as_ref().map_or("USD", |review| &review.prices.currency)
    }
}

pub async fn page(State(shared): State<Shared>) -> Html<String> {
    let known = Known::of(&shared);
    let sections = html! {
        (tiles(&known))
        (attention::section(&known))
        (models::section(&known))
        (containers::section(&known))
        (gpus::section(&known))
        (sizes::section(&known))
        (alerts::section(&known))
    };
    Html(shell(&known, &known.snapshot.node.clone(), None, &sections).into_string())
}

pub async fn model(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let known = Known::of(&shared);
    match known.models.models.iter().find(|model| model.name == name) {
        Some(found) => {
            let sections = model::sections(&known, found);
            Html(shell(&known, &found.name, Some(&found.name), &sections).into_string()).into_response()
        }
        None => {
            let sections = html! { section #missing { p.empty {
                "There is no model " strong { (name) } ". " a href="/" { "All models" } " are on the first page."
            } } };
            (StatusCode::NOT_FOUND, Html(shell(&known, &name, Some(&name), &sections).into_string())).into_response()
        }
    }
}

pub async fn style() -> impl IntoResponse {
    const STYLE: &str = include_str!("page.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], [STYLE, chart::STYLE].concat())
}

pub async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page.js"))
}

fn shell(known: &Known, title: &str, below: Option<&str>, sections: &Markup) -> Markup {
    let snapshot = &known.snapshot;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "plumbline · " (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#live" { "Skip to the content" }
                header {
                    h1 { a href="/" { "plumbline" } @if let Some(below) = below { " / " (below) } }
                    p { "node " strong { (snapshot.node) } ", watched for "
                        span #watched title={ "since " (exact(known.started)) } { (ago(known.now, known.started)) }
                        " · as of "
                        time #as-of datetime=(snapshot.as_of) { (snapshot.as_of.strftime("%H:%M:%S UTC")) } }
                    @if below.is_none() {
                        nav aria-label="Sections" {
                            @for (id, name) in [
                                ("models", "Models"), ("containers", "Containers"), ("gpus", "GPUs"),
                                ("recommendations", "Recommendations"), ("alerts", "Alerts"),
                            ] { a href={ "#" (id) } { (name) } " " }
                        }
                    }
                }
                main #live tabindex="-1" { (sections) }
                footer {
                    a href="/metrics" { "metrics" } " · " a href="/healthz" { "health" } " · as JSON: "
                    @for (path, name) in [
                        ("containers", "containers"), ("gpus", "GPUs"), ("models", "models"),
                        ("recommendations", "recommendations"), ("alerts", "alerts"),
                    ] { a href={ "/api/v1/" (path) } { (name) } " " }
                }
            }
        }
    }
}

/// What fires, what is wasted, what drifts: one second to the verdict.
fn tiles(known: &Known) -> Markup {
    let firing = known.alerts.firing().count();
    let wasted = known.review.as_ref().map(|review| review.totals.wasted());
    let (drifting, all) = (drifting(&known.models).count(), known.models.models.len());
    html! {
        section #tiles aria-label="In short" {
            ul.tiles {
                (tile("#alerts", firing > 0, &firing.to_string(), if firing == 1 { "alert fires" } else { "alerts fire" }))
                @match wasted {
                    Some(wasted) => { (tile("#recommendations", wasted >= 1.0, &money(wasted, known.currency()), "wasted a month")) }
                    None => { (tile("#recommendations", false, "–", "wasted a month: not known yet")) }
                }
                (tile("#models", drifting > 0, &format!("{drifting} of {all}"), "models drift"))
            }
        }
    }
}

fn tile(target: &str, bad: bool, figure: &str, word: &str) -> Markup {
    html! {
        li { a class=(if bad { "tile bad" } else { "tile" }) href=(target) {
            strong.figure { (figure) @if bad { span aria-hidden="true" { " ⚠" } } } " " span { (word) }
        } }
    }
}

/// The models whose verdict is drift, against a reference that was given.
fn drifting(models: &ModelsView) -> impl Iterator<Item = &ModelView> {
    models.models.iter().filter(|model| model.verdict.drift == Some(true) && !model.verdict.provisional)
}

/// A section with its heading; its table scrolls by itself on a small screen, by keyboard too.
fn section(id: &str, title: &str, body: &Markup) -> Markup {
    html! { section id=(id) aria-labelledby={ (id) "-title" } { h2 id={ (id) "-title" } { (title) } (body) } }
}

fn wide(label: &str, table: &Markup) -> Markup {
    html! { div.wide role="region" aria-label=(label) tabindex="0" { (table) } }
}

/// How long ago, with the time itself on hover.
fn since(now: Timestamp, at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(exact(at)) { (ago(now, at)) } }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    span(now.duration_since(at))
}

fn exact(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn unknown(text: &str) -> Markup {
    html! { span.unknown { (text) } }
}

/// The place on the page of a container or device.
fn anchor(kind: &str, id: &str) -> String {
    format!("{kind}-{}", id.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>())
}
