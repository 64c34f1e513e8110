//! Recommendations: what to change, why, what it is worth, and the patch.

use maud::{Markup, html};

use super::{View, anchor, breakable, section as whole, since, wide, workload};
use crate::chart;
use crate::rightsize::review::Review;
use crate::rightsize::usage::Hour;
use crate::rightsize::{Assessment, Confidence, Provisioning, Resource};
use crate::units::{bytes, cores, minutes, money};

/// More are left to the API and the report.
const MOST: usize = 25;

pub fn section(view: &View) -> Markup {
    let Some(review) = &view.snapshot.review else {
        return whole("recommendations", "Recommendations", &html! { p.empty { "Reading the history …" } });
    };
    let all: Vec<&Assessment> = view.snapshot.acting().map(|(_, assessment)| assessment).collect();
    let more = all.len().saturating_sub(MOST);
    let body = html! {
        (sums(view, review))
        @if all.is_empty() { (nothing(review)) } @else {
            (wide("Recommendations", &html! { table.cards.sortable {
                thead { tr {
                    th scope="col" { "Workload" } th scope="col" { "CPU" } th scope="col" { "Memory" }
                    th scope="col" { "A month" } th scope="col" { "Confidence" } th scope="col" { "Apply" }
                } }
                tbody { @for a in all.iter().take(MOST) { (row(view, a)) } }
            } }))
            @if more > 0 { p.empty { (more) " more: " a href="/api/v1/recommendations" { "as JSON" } ", or by " code { "plumbline report" } } }
        }
        p.empty { "To write a report: " code { "plumbline report --data " (view.data) " --since 7d --format html --output review.html" } }
    };
    whole("recommendations", &format!("Recommendations ({})", all.len()), &body)
}

fn sums(view: &View, review: &Review) -> Markup {
    let t = &review.totals;
    let money = |amount| money(amount, view.currency());
    html! {
        p {
            "Containers cost " strong.plain { (money(t.cost)) } " a month; "
            strong.plain { (money(t.saving)) } " could be saved (" (money(t.confirmed_saving)) " confirmed, the rest to investigate)"
            @if t.needed > 0.0 { ", and the under-provisioned need " strong.plain { (money(t.needed)) } " more" }
            "."
            @if t.gpu_cost > 0.0 {
                " GPUs cost " strong.plain { (money(t.gpu_cost)) } " a month: " (money(t.gpu_held_idle_cost)) " while held idle, "
                (money(t.gpu_free_cost)) " while free."
            }
            " " small { "updated " (since(view.now, review.until)) " ago" }
        }
    }
}

/// Why there is nothing: that is an answer too.
fn nothing(review: &Review) -> Markup {
    let waiting = review.totals.no_verdict;
    html! {
        p.empty {
            @if review.totals.workloads == 0 { "No history yet. The first minute is written once it is over." }
            @else if waiting > 0 {
                (waiting) " of " (review.totals.workloads) " containers have no verdict. A verdict needs enough history ("
                code { "rightsizing.min_history" } ", 1 h by default) and a known request. After an OOM kill it needs no history."
            } @else { "Every container requests about what it needs." }
        }
    }
}

fn row(view: &View, a: &Assessment) -> Markup {
    html! {
        tr id=(anchor("w", &a.workload.container_id)) {
            th scope="row" { a href=(workload::address(&a.workload)) { (breakable(&a.workload.name)) } br; small { (a.workload.image.as_deref().unwrap_or("image unknown")) } }
            td data-name="CPU" { (resource(&a.cpu, cores)) (peaks(a, |hour| hour.cpu, a.cpu.requested, cores)) }
            td data-name="Memory" { (resource(&a.memory, bytes)) (peaks(a, |hour| hour.memory, a.memory.requested, bytes)) }
            td.number data-name="A month" data-sort=(a.saving) {
                @if a.saving > 0.0 { "saves " strong.plain { (money(a.saving, view.currency())) } }
                @else if a.saving < 0.0 { "costs " strong.plain { (money(-a.saving, view.currency())) } " more" }
                @else { "–" }
                br; small {
                    "of " (money(a.cost, view.currency()))
                    @if a.replicas > 1 { ", " (a.replicas) " replicas" }
                }
            }
            td data-name="Confidence" {
                @if a.confirmed { "confirmed" } @else if a.confidence == Confidence::None { "not enough history" } @else { "investigate" }
                br; small { (a.confidence.name()) ": " (minutes(a.history.minutes)) " of history" }
            }
            td data-name="Apply" {
                @for (at, patch) in a.patches.iter().enumerate() {
                    details id={ (anchor("p", &a.workload.container_id)) "-" (at) } {
                        summary { (patch.tool.name()) }
                        pre tabindex="0" { code { (patch.text) } }
                        @if let Some(note) = &patch.note { small { (note) } }
                    }
                }
                @if a.patches.is_empty() { (super::unknown("–")) }
            }
        }
    }
}

fn resource(resource: &Resource, unit: fn(f64) -> String) -> Markup {
    let arrow = resource.requested.zip(resource.recommended).filter(|_| resource.changes());
    let word = resource.provisioning.name();
    html! {
        @if resource.provisioning == Provisioning::Under { span.pill.warn { "⚠ " (word) } } @else { span.pill { (word) } }
        @if let Some((requested, to)) = arrow { " " span.number { (unit(requested)) " → " (unit(to)) } }
        @else if let Some(to) = resource.recommended.filter(|_| resource.requested.is_none()) { " " span.number { "→ " (unit(to)) } }
        br; small { (resource.reason) }
    }
}

/// Of the last week.
fn peaks(a: &Assessment, value: fn(&Hour) -> Option<f64>, requested: Option<f64>, unit: fn(f64) -> String) -> Markup {
    let hours = a.used.hourly(value);
    chart::peaks(&hours[hours.len().saturating_sub(7 * 24)..], requested, unit)
}
