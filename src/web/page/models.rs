//! The models' part of the page: verdict first, then what moved, and how well the model still does.

use std::net::SocketAddr;

use maud::{Markup, html};

use crate::drift::verdict::Judged;
use crate::model::view::{ModelView, ModelsView};
use crate::performance::Performance;

/// Features named in a row.
const NAMED: usize = 2;

pub fn section(view: &ModelsView, address: Option<SocketAddr>) -> Markup {
    let address = address.map_or_else(|| "127.0.0.1:9477".to_owned(), |address| address.to_string());
    html! {
        h2 { "Models (" (view.models.len()) ")" }
        @if view.models.is_empty() {
            p.empty {
                "No model has sent samples yet. Send the first: "
                code {
                    "curl http://" (address) "/v1/models/my-model/samples -H 'Content-Type: application/json' -d '"
                    r#"{"id": "1", "age": 41, "prediction": 1, "score": 0.83}"# "'"
                }
            }
        } @else {
            div.wide {
                table {
                    thead { tr {
                        th scope="col" { "Model" } th scope="col" { "Drift" } th scope="col" { "Moved most" }
                        th scope="col" { "Performance, reference to now" } th scope="col" { "Last window" }
                        th scope="col" { "Samples" } th scope="col" { "Labels" }
                    } }
                    tbody { @for model in &view.models { (row(model)) } }
                }
            }
        }
    }
}

fn row(model: &ModelView) -> Markup {
    html! {
        tr {
            th scope="row" { a href={ "/api/v1/models/" (model.name) } { (model.name) } }
            td { (verdict(model)) }
            td { (moved(model)) }
            td.number { (performance(model)) }
            td.number {
                @match &model.latest {
                    Some(window) => {
                        (window.start.strftime("%Y-%m-%d %H:%M")) " to " (window.end.strftime("%Y-%m-%d %H:%M"))
                        br; small { (window.rows) " rows" }
                    }
                    None => { span.unknown { "none has closed yet" } }
                }
            }
            td.number { (model.counts.samples) }
            td.number { (model.counts.labels) }
        }
    }
}

fn verdict(model: &ModelView) -> Markup {
    let provisional = html! { @if model.verdict.provisional { br; small { "against its own first rows" } } };
    match model.verdict.drift {
        Some(true) => html! { strong { "drifts ⚠" } (provisional) },
        Some(false) => html! { "no drift" (provisional) },
        None => html! {
            span.unknown { "no verdict yet" }
            @if let Some(reason) = &model.verdict.reason { br; small { (reason) } }
        },
    }
}

/// The features farthest beyond their thresholds, or nearest to them.
fn moved(model: &ModelView) -> Markup {
    let Some(window) = &model.latest else { return html! { span.unknown { "–" } } };
    let mut by_distance: Vec<(f64, &Judged)> =
        window.features.iter().filter_map(|judged| Some((distance(judged)?, judged))).collect();
    by_distance.sort_by(|a, b| b.0.total_cmp(&a.0));
    html! {
        @for (at, (_, judged)) in by_distance.iter().take(NAMED).enumerate() {
            @if at > 0 { ", " }
            @if judged.drift == Some(true) { strong { (judged.name) } } @else { (judged.name) }
        }
        @if window.features.iter().filter(|judged| judged.drift == Some(true)).count() > NAMED { " and more" }
    }
}

/// How many times its threshold the deciding test's finding is.
fn distance(judged: &Judged) -> Option<f64> {
    let test = judged.tests.iter().find(|test| test.decides)?;
    let threshold = test.threshold?;
    match test.p_adjusted {
        Some(p) => Some(threshold / p.max(f64::MIN_POSITIVE)),
        None => test.statistic.map(|statistic| statistic / threshold),
    }
}

fn performance(model: &ModelView) -> Markup {
    let now = model.windows.iter().find_map(|window| window.performance.as_ref());
    let reference = model.reference.as_ref().and_then(|reference| reference.performance.as_ref());
    let leading =
        |p: &Performance| p.measures().find(|(name, _)| matches!(*name, "roc_auc" | "mae")).or(p.measures().next());
    let Some((name, value)) = now.and_then(leading) else {
        return html! { span.unknown { "no labels yet" } };
    };
    let before = reference.and_then(|p| p.measures().find(|(known, _)| *known == name));
    html! {
        (name.replace('_', " ")) " "
        @if let Some((_, before)) = before { (format!("{before:.3} → ")) }
        (format!("{value:.3}"))
        @if let Some(now) = now { br; small { (now.rows) " labelled rows" } }
    }
}
