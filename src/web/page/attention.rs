//! What needs attention: what fires, what is broken, what wastes most; each a sentence with its reason, its age and a way to go.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{Known, anchor, drifting, since, sizes};
use crate::alert::rule::Severity;
use crate::alert::view::Alert;
use crate::minute::gpu::GpuState;
use crate::rightsize::Provisioning;
use crate::units::money;

/// More than these are left to their sections.
const MOST: usize = 12;
/// A saving of less in a month is left to its section.
const WORTH: f64 = 1.0;

struct Item {
    severity: Severity,
    /// In a month.
    money: f64,
    text: String,
    target: String,
    at: Option<Timestamp>,
}

pub fn section(known: &Known) -> Markup {
    let mut items = items(known);
    items.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.money.total_cmp(&a.money)));
    let more = items.len().saturating_sub(MOST);
    html! {
        section #attention aria-label="What needs attention" {
            @if items.is_empty() {
                p.calm { span aria-hidden="true" { "✓ " } "Nothing needs attention." }
            } @else {
                ul.attention {
                    @for item in items.iter().take(MOST) {
                        li class=(item.severity.name()) {
                            span.tag { (item.severity.name()) } " " a href=(item.target) { (item.text) }
                            @if let Some(at) = item.at { " " small { (since(known.now, at)) } }
                        }
                    }
                    @if more > 0 { li { a href="#recommendations" { "and " (more) " more below" } } }
                }
            }
        }
    }
}

fn items(known: &Known) -> Vec<Item> {
    let mut items: Vec<Item> = known
        .health
        .faults()
        .into_iter()
        .map(|text| Item { severity: Severity::Warning, money: 0.0, text, target: "/healthz".to_owned(), at: None })
        .collect();
    for alert in known.alerts.firing() {
        items.push(Item {
            severity: alert.severity,
            money: 0.0,
            text: alert.message.clone(),
            target: target(known, alert),
            at: alert.fired,
        });
    }
    let told = |name: &str, label: &str, value: &str| {
        known.alerts.firing().any(|alert| alert.name == name && alert.labels.get(label).is_some_and(|v| v == value))
    };
    for model in drifting(&known.models).filter(|model| !told("ModelDrift", "model", &model.name)) {
        items.push(Item {
            severity: Severity::Warning,
            money: 0.0,
            text: format!("Model {} drifts: {}.", model.name, model.verdict.columns.join(", ")),
            target: format!("/models/{}", model.name),
            at: model.latest.as_ref().map(|window| window.evaluated),
        });
    }
    let currency = known.currency();
    for w in known.acting() {
        let container = w.workload.container_name.as_deref().unwrap_or(&w.workload.name);
        let kills = told("ContainerOomKilled", "container.name", container);
        for (name, resource) in w.resources() {
            let text = match resource.provisioning {
                Provisioning::Under if !(kills && name == "memory") => {
                    format!("{container} needs more {}: {}.", if name == "cpu" { "CPU" } else { name }, resource.reason)
                }
                Provisioning::Over if resource.saving >= WORTH => {
                    format!("{container} could save {} a month: {}.", money(resource.saving, currency), resource.reason)
                }
                _ => continue,
            };
            let under = resource.provisioning == Provisioning::Under;
            items.push(Item {
                severity: if under && resource.confirmed { Severity::Warning } else { Severity::Info },
                money: resource.saving.abs(),
                text,
                target: sizes::place(known, &w.workload.container_id).unwrap_or_else(|| "#recommendations".to_owned()),
                at: None,
            });
        }
    }
    for gpu in known.snapshot.gpus.iter().filter(|gpu| gpu.state == Some(GpuState::HeldIdle)) {
        if !told("GpuHeldIdle", "hw.id", &gpu.id) {
            items.push(Item {
                severity: Severity::Info,
                money: 0.0,
                text: format!("GPU {} is held and computes nothing.", gpu.index),
                target: format!("#{}", anchor("gpu", &gpu.id)),
                at: None,
            });
        }
    }
    items
}

/// Where the page speaks of what the alert is about.
fn target(known: &Known, alert: &Alert) -> String {
    let label = |key: &str| alert.labels.get(key);
    if let Some(model) = label("model") {
        return format!("/models/{model}");
    }
    if let Some(gpu) = label("hw.id") {
        return format!("#{}", anchor("gpu", gpu));
    }
    if let Some(name) = label("container.name") {
        let id = known.snapshot.containers.iter().find(|c| c.name == *name).map(|c| anchor("c", &c.id));
        return id.map_or_else(|| "#containers".to_owned(), |id| format!("#{id}"));
    }
    if label("collector").is_some() || label("exporter").is_some() {
        "/healthz".to_owned()
    } else {
        "#alerts".to_owned()
    }
}
