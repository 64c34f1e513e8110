//! A GPU's own page: what it was paid for over time, what it did, and who held it when.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::range::Range;
use super::{View, moment, section as whole, unknown, wide};
use crate::chart::course::{Course, Kind, Line, course};
use crate::chart::{self, Level, Piece};
use crate::query::{Answer, Query, Series, Table};
use crate::snapshot::GpuView;
use crate::units::{bytes, money, percent, span};

/// Below which these pages are.
pub const FOLDER: &str = "/gpus";

const COLUMNS: [&str; 10] = [
    "utilization_mean",
    "utilization_max",
    "memory_used_mean",
    "memory_used_max",
    "memory_total",
    "power_mean",
    "power_max",
    "active",
    "held_idle",
    "free",
];

/// Its page's address.
pub fn address(uuid: &str) -> String {
    format!("{FOLDER}/{uuid}")
}

/// What the page asks the history.
pub fn query(view: &View, gpu: &GpuView, range: Range, minute: Timestamp) -> Query {
    let only = [("node", view.snapshot.node.clone()), ("gpu", gpu.device.uuid.clone())];
    let only = only.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Query { changes: vec!["containers".to_owned()], ..range.query(Table::Gpus, &COLUMNS, only, minute) }
}

/// Who containers were: asked of the containers' own minutes, as those that held it may have ended.
pub fn holders(view: &View, range: Range, minute: Timestamp) -> Query {
    let only = vec![("node".to_owned(), view.snapshot.node.clone())];
    let by = ["container_id", "workload", "pod_container", "container_name"].map(str::to_owned).to_vec();
    Query { by, ..range.query(Table::Containers, &["cpu_usage_mean"], only, minute) }
}

pub fn sections(view: &View, gpu: &GpuView, range: Range, answer: &Answer, holders: Option<&Answer>) -> Markup {
    let series = answer.series.first();
    html! {
        (verdict(view, gpu))
        (whole("time", "What it did", &html! {
            (range.links(&address(&gpu.device.uuid)))
            @match series {
                Some(series) => { (charts(answer, series)) }
                None => { p.empty { "The history has no minute of it in this time." } }
            }
        }))
        (whole("held", "Who held it", &held(series, holders)))
    }
}

fn verdict(view: &View, gpu: &GpuView) -> Markup {
    let used = view.snapshot.review.iter().flat_map(|review| &review.gpus).find(|used| used.id == gpu.device.uuid);
    let body = html! {
        @if let Some(used) = used {
            p.lead {
                @match (used.active, used.held_idle, used.free) {
                    (Some(active), Some(idle), Some(free)) => {
                        "It computed in " (percent(active)) " of the time, was held idle in " (percent(idle)) " and free in " (percent(free)) ". "
                    }
                    _ => { "What it was used for is not known: the driver does not tell who is on it. " }
                }
                @match used.held_idle_cost.map(|idle| idle + used.free_cost.unwrap_or(0.0)) {
                    Some(lost) if lost >= 1.0 => { strong.plain { (money(lost, view.currency())) " of " (money(used.cost, view.currency())) " a month" } " are for nothing." }
                    _ => { "It costs " (money(used.cost, view.currency())) " a month." }
                }
            }
        }
        dl.facts {
            dt { "What it is" } dd { (gpu.model.as_deref().unwrap_or("unknown")) @if let Some(driver) = &gpu.driver { ", driver " (driver) } }
            dt { "Id" } dd { code { (gpu.device.uuid) } }
            @if let Some(used) = used.and_then(|used| used.memory_peak.zip(used.memory_total)) {
                dt { "Memory, at most" } dd { (bytes(used.0)) " of " (bytes(used.1 as f64)) }
            }
        }
    };
    whole("verdict", "Is it worth its money?", &body)
}

fn charts(answer: &Answer, series: &Series) -> Markup {
    let line = |kind, name, column: &str| Line { kind, name, values: series.column(column).to_vec() };
    let drawn = |lines: Vec<Line>, unit: fn(f64) -> String, top: Option<f64>, text: &str| {
        let (since, step) = (answer.since, answer.step_seconds);
        course(&Course { top, ..Course::of(since, step, &lines, &[], unit, text) })
    };
    html! {
        h3 { "State" }
        div.ribbon { (ribbon(series)) }
        h3 { "Utilization: share of time a kernel ran" }
        (drawn(vec![line(Kind::Used, "mean", "utilization_mean"), line(Kind::Peak, "largest", "utilization_max")], percent, Some(1.0), "utilization over time"))
        h3 { "Memory in use" }
        (drawn(vec![line(Kind::Used, "mean", "memory_used_mean"), line(Kind::Limit, "there is", "memory_total")], bytes, None, "GPU memory in use over time"))
        h3 { "Power" }
        (drawn(vec![line(Kind::Used, "mean", "power_mean"), line(Kind::Peak, "largest", "power_max")], |watts| format!("{watts:.0} W"), None, "power over time, in watts"))
    }
}

/// The state that each step was mostly in.
fn ribbon(series: &Series) -> Markup {
    let states =
        [("active", Level::Full, "active"), ("held_idle", Level::Half, "held idle"), ("free", Level::Low, "free")];
    let steps = series.column("active").len();
    let mut pieces: Vec<Piece> = Vec::new();
    for step in 0..steps {
        let of = |column: &str| series.column(column).get(step).copied().flatten();
        let most = states
            .iter()
            .filter_map(|(column, level, _)| of(column).map(|share| (share, *level)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let level = most.map(|(_, level)| level);
        match pieces.last_mut() {
            Some((length, last)) if *last == level => *length += 1,
            _ => pieces.push((1, level)),
        }
    }
    let mean = |column: &str| {
        let known: Vec<f64> = series.column(column).iter().flatten().copied().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let words: Vec<String> =
        states.iter().filter_map(|(column, _, name)| Some(format!("{} {name}", percent(mean(column)?)))).collect();
    html! {
        (chart::strip(&pieces, &words.join(", ")))
        p.key { @for (column, level, name) in states {
            span.level { span class={ "swatch " (level.class()) } {} (name) @if let Some(share) = mean(column) { " " strong.plain { (percent(share)) } } } " "
        } }
    }
}

fn held(series: Option<&Series>, holders: Option<&Answer>) -> Markup {
    let names: BTreeMap<&str, String> = holders
        .iter()
        .flat_map(|answer| &answer.series)
        .filter_map(|series| {
            let label = |name: &str| series.labels.get(name).and_then(Option::as_deref);
            let container = label("pod_container").or(label("container_name"))?;
            let workload = label("workload").map_or_else(String::new, |workload| format!("{workload}/"));
            Some((label("container_id")?, format!("{workload}{container}")))
        })
        .collect();
    let changes = series.map_or(&[][..], |series| &series.changes);
    html! {
        @if changes.is_empty() { p.empty { "No container was seen on it in this time." } } @else {
            (wide("Who held it", &html! { table {
                thead { tr { th scope="col" { "Container" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "For" } } }
                tbody { @for change in changes.iter().rev() { tr {
                    th scope="row" {
                        @match names.get(change.value.as_str()) { Some(name) => { (name) } None => { (unknown("name not known")) } }
                        br; small { code { (change.value.get(..12).unwrap_or(&change.value)) } }
                    }
                    td.number { (moment(change.at)) }
                    td.number { (moment(change.last)) }
                    td.number { (span(change.last.duration_since(change.at))) }
                } } }
            } }))
        }
    }
}
