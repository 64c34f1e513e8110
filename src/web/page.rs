//! The page at `/`: models, and the node's containers with bars for CPU and memory. Whole without a script, live with one.

mod models;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use maud::{DOCTYPE, Markup, html};

use super::Shared;
use super::health::{self, Report};
use crate::snapshot::{ContainerView, Snapshot};
use crate::units::{bytes, cores, span};

pub async fn page(State(shared): State<Shared>) -> Html<String> {
    let snapshot = Arc::clone(&shared.snapshot.borrow());
    let report = health::report(&shared.health.state(), shared.clock.monotonic(), shared.stalled_after);
    let models = Arc::clone(&shared.models.borrow());
    Html(render(&snapshot, &models::section(&models, shared.address), &report).into_string())
}

pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page.css"))
}

pub async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page.js"))
}

fn render(snapshot: &Snapshot, models: &Markup, report: &Report) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "plumbline · " (snapshot.node) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                header {
                    h1 { "plumbline" }
                    p { "node " strong { (snapshot.node) } " · as of "
                        time #as-of datetime=(snapshot.as_of) { (snapshot.as_of.strftime("%Y-%m-%d %H:%M:%S UTC")) } }
                }
                main #live {
                    (attention(report))
                    (models)
                    (containers(snapshot))
                    (exited(snapshot))
                }
                footer {
                    a href="/metrics" { "metrics" } " · " a href="/healthz" { "health" } " · "
                    a href="/api/v1/containers" { "containers" } " and "
                    a href="/api/v1/models" { "models" } " as JSON"
                }
            }
        }
    }
}

fn attention(report: &Report) -> Markup {
    let lines = report.faults();
    html! {
        @if !lines.is_empty() {
            section aria-label="what needs attention" {
                ul.attention { @for line in lines { li { (line) } } }
            }
        }
    }
}

fn containers(snapshot: &Snapshot) -> Markup {
    // Bars without a limit of their own are drawn against the largest on the node.
    let most_cpu = snapshot.containers.iter().filter_map(|c| c.cpu.usage).fold(1.0, f64::max);
    let most_memory = snapshot.containers.iter().filter_map(|c| c.memory.working_set).fold(1, u64::max);
    html! {
        h2 { "Containers (" (snapshot.containers.len()) ")" }
        @if snapshot.containers.is_empty() {
            p.empty {
                @if snapshot.ready {
                    "No container runs on this node. Start one, and it stands here within two seconds: "
                    code { "docker run -d nginx" }
                } @else { "Reading the node …" }
            }
        } @else {
            div.wide {
                table {
                    thead { tr {
                        th scope="col" { "Container" } th scope="col" { "Image" }
                        th scope="col" { "CPU, used of limit" } th scope="col" { "Memory, working set of limit" }
                        th scope="col" { "Throttled" } th scope="col" { "OOM kills" } th scope="col" { "Up" }
                    } }
                    tbody { @for c in &snapshot.containers { (row(c, snapshot, most_cpu, most_memory)) } }
                }
            }
        }
    }
}

fn row(c: &ContainerView, snapshot: &Snapshot, most_cpu: f64, most_memory: u64) -> Markup {
    let place = c.kubernetes.as_ref().and_then(|k| Some(format!("{}/{}", k.namespace.as_ref()?, k.pod.as_ref()?)));
    let throttled = c.cpu.throttled_periods.zip(c.cpu.periods).filter(|(_, periods)| *periods > 0);
    html! {
        tr {
            th scope="row" title=(c.id) {
                (c.name) @if let Some(place) = place { br; small { (place) } }
            }
            td { (c.image.as_deref().unwrap_or("unknown")) @if let Some(tag) = &c.image_tag { ":" (tag) } }
            td { (bar(c.cpu.usage, c.cpu.limit, most_cpu, cores)) }
            td { (bar(c.memory.working_set.map(|v| v as f64), c.memory.limit.map(|v| v as f64), most_memory as f64, bytes)) }
            td.number { @match throttled {
                Some((throttled, periods)) => { (percent(throttled as f64 / periods as f64)) }
                None => { span.unknown title="no CPU limit, so nothing is throttled" { "–" } }
            } }
            td.number { @match c.memory.oom_kills {
                Some(0) => { "0" }
                Some(kills) => { strong { (kills) " ⚠" } }
                None => { span.unknown { "unknown" } }
            } }
            td.number title={ "since " (c.started.strftime("%Y-%m-%d %H:%M:%S UTC")) } {
                (span(snapshot.as_of.duration_since(c.started)))
            }
        }
    }
}

/// A bar of what is used, against the limit or, paler, against the largest on the node.
fn bar(used: Option<f64>, limit: Option<f64>, most: f64, unit: fn(f64) -> String) -> Markup {
    let Some(used) = used else { return html! { span.unknown { "unknown" } } };
    let share = used / limit.unwrap_or(most);
    let width = (share * 100.0).clamp(0.0, 100.0);
    let text = match limit {
        Some(limit) => format!("{} of {}", unit(used), unit(limit)),
        None => format!("{}, no limit", unit(used)),
    };
    html! {
        svg class=(if limit.is_some() { "bar" } else { "bar free" }) viewBox="0 0 100 8" preserveAspectRatio="none"
            role="img" aria-label=(text) {
            rect.all width="100" height="8" {}
            rect.used width=(format!("{width:.1}")) height="8" {}
        }
        span.number { (text) @if share >= 0.9 && limit.is_some() { strong { " near limit" } } }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn exited(snapshot: &Snapshot) -> Markup {
    html! {
        @if !snapshot.exited.is_empty() {
            h2 { "Just ended" }
            ul { @for exit in &snapshot.exited {
                li {
                    (exit.last.name) ", " (span(snapshot.as_of.duration_since(exit.at))) " ago"
                    @if exit.last.memory.oom_kills.is_some_and(|kills| kills > 0) { strong { " after an OOM kill ⚠" } }
                }
            } }
        }
    }
}
