//! Models: verdict first, then what moved, how well the model still does, and what it costs.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{View, section as whole, unknown, wide};
use crate::chart;
use crate::drift::verdict::Judged;
use crate::drift::words;
use crate::model::address;
use crate::model::view::ModelView;
use crate::performance::verdict::Verdict;
use crate::snapshot::relations::ModelContainer;
use crate::units::{grouped, money, percent};

/// Features named in a row.
const NAMED: usize = 2;
/// Windows in a sparkline.
const WINDOWS: usize = 60;

pub fn section(view: &View) -> Markup {
    let models = &view.snapshot.models.models;
    let body = html! {
        @if models.is_empty() {
            p.empty {
                "No samples yet. Send the first: "
                code {
                    "curl " (view.base) "/v1/models/my-model/samples -H 'Content-Type: application/json' -d '"
                    r#"{"id": "1", "age": 41, "prediction": 1, "score": 0.83}"# "'"
                }
            }
        } @else {
            (wide("Models", &html! { table.cards.sortable {
                thead { tr {
                    th scope="col" { "Model" } th scope="col" { "Quality" } th scope="col" { "Drift" } th scope="col" { "Largest shift" }
                    th scope="col" { "Traffic" } th scope="col" { "Labels" } th scope="col" { "Served by" } th scope="col" { "1000 predictions" }
                } }
                tbody { @for (place, model) in models.iter().enumerate() { (row(view, place, model)) } }
            } }))
        }
    };
    whole("models", &format!("Models ({})", models.len()), &body)
}

fn row(view: &View, place: usize, model: &ModelView) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href=(address::of("/models", &model.key, "")) { (model.key) }
                @if let Some(window) = &model.latest {
                    br; small title={ (window.start) " to " (window.end) } { "window to " (window.end.strftime("%Y-%m-%d %H:%M")) }
                }
            }
            td data-name="Quality" { (performance(model)) }
            td data-name="Drift" { (verdict(model)) }
            td data-name="Largest shift" { (moved(model)) }
            td data-name="Traffic" { (traffic(view, place, model)) }
            td.number data-name="Labels" { (coverage(model)) }
            td data-name="Served by" { (served_by(view, place)) }
            td.number data-name="1000 predictions" { (cost(view, place)) }
        }
    }
}

pub fn verdict(model: &ModelView) -> Markup {
    let provisional = html! { @if model.verdict.provisional { br; small { "against its own first rows" } } };
    match model.verdict.drift {
        Some(true) => html! { span.pill.warn { "⚠ drifts" } (provisional) },
        Some(false) => html! { span.pill.good { "✓ no drift" } (provisional) },
        None => html! {
            (unknown("no verdict yet"))
            @if let Some(reason) = &model.verdict.reason { br; small { (reason) } }
        },
    }
}

/// The features farthest beyond their thresholds, or nearest to them.
fn moved(model: &ModelView) -> Markup {
    let Some(window) = &model.latest else { return unknown("–") };
    let by_distance = by_distance(&window.features);
    let drifted = window.features.iter().filter(|judged| judged.drift == Some(true)).count();
    html! {
        @for judged in by_distance.iter().take(NAMED) {
            span.moved {
                @if judged.drift == Some(true) { strong { (judged.name) } } @else { (judged.name) }
                @if let Some(shape) = &judged.shape {
                    @match &shape.histogram {
                        Some(of) => { (chart::overlay(&[], &of.reference, &of.current, false, &overlay_text(judged))) }
                        None => { (chart::overlay(&[], &shape.reference, &shape.current, false, &overlay_text(judged))) }
                    }
                }
                @if judged.drift == Some(true) && let Some(moved) = words::moved(judged) { small { (moved) } }
            }
        }
        @if drifted > NAMED { small { "and " (drifted - NAMED) " more" } }
    }
}

/// The features, those farthest beyond their thresholds first, those without a verdict last.
pub fn by_distance(features: &[Judged]) -> Vec<&Judged> {
    let mut all: Vec<&Judged> = features.iter().collect();
    all.sort_by(|a, b| {
        let far = Judged::distance;
        (b.drift == Some(true)).cmp(&(a.drift == Some(true))).then(far(b).total_cmp(&far(a)))
    });
    all
}

/// What the drawing shows, in words: what moved.
pub fn overlay_text(judged: &Judged) -> String {
    words::moved(judged).map_or_else(|| judged.name.clone(), |moved| format!("{}: {moved}", judged.name))
}

fn performance(model: &ModelView) -> Markup {
    let Some(leading) = model.leading() else {
        return unknown(if model.counts.labels > 0 { "no closed window has labels yet" } else { "no labels yet" });
    };
    let values: Vec<Option<f64>> = over_time(model, leading.measure).into_iter().rev().take(WINDOWS).rev().collect();
    let name = leading.measure.replace('_', " ");
    let text = match leading.reference {
        Some(reference) => format!("{name}: {:.3}, reference {reference:.3}", leading.now),
        None => format!("{name}: {:.3}", leading.now),
    };
    let worse = model.change().is_some_and(|change| change.verdict == Verdict::Worse);
    html! {
        (chart::sparkline(&values, leading.reference, chart::middle, &text))
        span.number {
            (name) " "
            @if let Some(before) = leading.reference { (format!("{before:.3} → ")) }
            @if worse { strong { (format!("{:.3}", leading.now)) " ⚠" } } @else { (format!("{:.3}", leading.now)) }
        }
    }
}

/// A measure by window, oldest first.
pub fn over_time(model: &ModelView, measure: &str) -> Vec<Option<f64>> {
    let value = |p: &crate::performance::Performance| p.measures().find(|(name, _)| *name == measure).map(|(_, v)| v);
    model.windows.iter().rev().map(|window| window.performance.as_ref().and_then(value)).collect()
}

fn traffic(view: &View, place: usize, model: &ModelView) -> Markup {
    let minutes = view.snapshot.traffic_of(place);
    let values: Vec<Option<f64>> = minutes.iter().map(|count| Some(*count as f64)).collect();
    let last = minutes.last().copied().unwrap_or(0);
    html! {
        @if values.len() > 1 { (chart::sparkline(&values, None, chart::middle, &format!("samples a minute, {last} in the last"))) }
        @let counts = &model.counts;
        span.number { (grouped(counts.samples.saturating_add(counts.sampled_out))) } br; small { (grouped(last)) " in the last minute" }
    }
}

fn coverage(model: &ModelView) -> Markup {
    let (labels, samples) = (model.counts.labels, model.counts.samples);
    html! {
        (grouped(labels))
        @if samples > 0 { br; small { (percent((labels as f64 / samples as f64).min(1.0))) " of samples" } }
    }
}

fn served_by(view: &View, place: usize) -> Markup {
    let all: Vec<_> = view.snapshot.served_by(place).collect();
    if all.is_empty() {
        return html! { span.unknown title="the label plumbline.io/model on a container names the model it serves" { "unknown" } };
    }
    html! { @for replicas in alike(view, &all) {
        a href=(replicas.address) { (replicas.name) }
        @if replicas.count > 1 { span.number title={ (replicas.count) " replicas on this node" } { " ×" (replicas.count) } }
        @for gpu in &replicas.gpus { " " small { "GPU " (gpu) } }
        br;
    } }
}

/// Containers of a model that are one to a reader: replicas, which lead to one page.
pub struct Alike<'a> {
    pub name: String,
    pub address: String,
    pub count: usize,
    /// Their GPUs' places among the node's devices.
    pub gpus: BTreeSet<u32>,
    /// Who says that they are the model's.
    pub source: &'a str,
}

/// Each once, in the order in which they come.
pub fn alike<'a>(view: &View, all: &[ModelContainer<'a>]) -> Vec<Alike<'a>> {
    let mut found: Vec<Alike<'a>> = Vec::new();
    for c in all {
        let address = super::containers::address(view, c.place);
        let gpus = c.view.gpus.iter().map(|gpu| gpu.index);
        match found.iter_mut().find(|known| known.address == address && known.source == c.container.source) {
            Some(known) => {
                known.count += 1;
                known.gpus.extend(gpus);
            }
            None => found.push(Alike {
                name: match &c.view.workload {
                    Some(workload) if c.view.pod.is_some() => format!("{}/{}", workload.to.name, c.container_name),
                    _ => c.container_name.to_owned(),
                },
                address,
                count: 1,
                gpus: gpus.collect(),
                source: c.container.source,
            }),
        }
    }
    found
}

pub fn cost(view: &View, place: usize) -> Markup {
    let used = view.snapshot.model_use(place);
    html! {
        @if let Some(cost) = used.and_then(|used| used.cost_per_thousand) { (money(cost, view.currency())) }
        @else { span.unknown title="needs a container labelled plumbline.io/model, and traffic" { "–" } }
    }
}
