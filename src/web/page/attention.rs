//! What needs attention: what fires, what is broken, what wastes most; each a sentence with its reason, its age and a way to go.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{View, drifting, since, workload};
use crate::alert::rule::Severity;
use crate::minute::gpu::GpuState;
use crate::model::address;
use crate::rightsize::Provisioning;
use crate::signal::{container, gpu, model};
use crate::snapshot::relations::Thing;
use crate::units::money;

/// More than these are left to their sections.
const MOST: usize = 8;
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

pub fn section(view: &View) -> Markup {
    let mut items = items(view);
    items.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.money.total_cmp(&a.money)));
    let more = items.len().saturating_sub(MOST);
    html! {
        section #attention aria-labelledby="attention-title" {
            h2 #attention-title { "What needs attention" }
            @if items.is_empty() {
                p.calm { span aria-hidden="true" { "✓ " } "Nothing needs attention." }
            } @else {
                ul.attention {
                    @for item in items.iter().take(MOST) {
                        li class=(item.severity.name()) {
                            span.tag { (item.severity.name()) } " " a href=(item.target) { (item.text) }
                            small.number { @if let Some(at) = item.at { (since(view.now, at)) } }
                        }
                    }
                    @if more > 0 { li { span {} a href="#recommendations" { "and " (more) " more below" } } }
                }
            }
        }
    }
}

fn items(view: &View) -> Vec<Item> {
    let mut items: Vec<Item> = view
        .health
        .faults()
        .into_iter()
        .map(|text| Item { severity: Severity::Warning, money: 0.0, text, target: "/healthz".to_owned(), at: None })
        .collect();
    let snapshot = &view.snapshot;
    for (about, alert) in snapshot.firing() {
        items.push(Item {
            severity: alert.severity,
            money: 0.0,
            text: alert.message.clone(),
            target: target(view, about),
            at: alert.fired,
        });
    }
    for (place, drifting) in drifting(view) {
        let drifts = const { model::id("drift") }.metric();
        if drifts.is_some_and(|metric| snapshot.fires(metric, Thing::Model(place))) {
            continue;
        }
        items.push(Item {
            severity: Severity::Warning,
            money: 0.0,
            text: format!(
                "{}: {} columns drift: {}.",
                drifting.key,
                drifting.verdict.columns.len(),
                drifting.verdict.columns.join(", ")
            ),
            target: target(view, Thing::Model(place)),
            at: drifting.latest.as_ref().map(|window| window.evaluated),
        });
    }
    let currency = view.currency();
    for (place, w) in snapshot.acting() {
        let name = &w.workload.name;
        // An alert that fires says the same, and more.
        let metric = const { container::id("memory.oom_kills") }.metric();
        let killed = metric.is_some_and(|metric| snapshot.fires(metric, Thing::Container(place)));
        for (resource, told) in [(&w.cpu, false), (&w.memory, killed)] {
            let text = match resource.provisioning {
                Provisioning::Under if !told => {
                    format!("{name}: {}.", resource.reason)
                }
                Provisioning::Over if resource.saving >= WORTH => {
                    format!(
                        "{name}: {} a month to save. {}.",
                        money(resource.saving, currency),
                        sentence(&resource.reason)
                    )
                }
                _ => continue,
            };
            let under = resource.provisioning == Provisioning::Under;
            items.push(Item {
                severity: if under && resource.confirmed { Severity::Warning } else { Severity::Info },
                money: resource.saving.abs(),
                text,
                target: workload::address(&w.workload),
                at: None,
            });
        }
    }
    for (place, held) in snapshot.gpus.iter().enumerate().filter(|(_, held)| held.state == Some(GpuState::HeldIdle)) {
        let idle = const { gpu::id("state.held_idle") }.metric();
        if !idle.is_some_and(|metric| snapshot.fires(metric, Thing::Gpu(place))) {
            items.push(Item {
                severity: Severity::Info,
                money: 0.0,
                text: format!("GPU {}: held idle; memory resident, no kernel runs.", held.index),
                target: target(view, Thing::Gpu(place)),
                at: None,
            });
        }
    }
    items
}

/// With a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Where the page speaks of the thing.
pub fn target(view: &View, about: Thing) -> String {
    let snapshot = &view.snapshot;
    let place = match about {
        Thing::Model(place) => snapshot.models.models.get(place).map(|model| address::of("/models", &model.key, "")),
        Thing::Gpu(place) => snapshot.gpus.get(place).map(|of| super::gpu::address(&of.device.uuid)),
        Thing::Container(place) => Some(super::containers::address(view, place)),
        Thing::Agent => Some("/healthz".to_owned()),
        Thing::Node => None,
    };
    place.unwrap_or_else(|| super::ALERTS.to_owned())
}
