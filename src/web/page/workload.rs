//! A workload's own page: what it used over time beside what it asked for, what happened meanwhile, and what to change.

use jiff::Timestamp;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::range::Range;
use super::{View, moment, section as whole, since, unknown, wide};
use crate::chart::course::{Course, Kind, Line, Mark, course};
use crate::query::{Answer, Query, Series, Table};
use crate::rightsize::usage::Member;
use crate::rightsize::{Assessment, Provisioning, Resource};
use crate::snapshot::ContainerView;
use crate::units::{bytes, cores, minutes, money, percent};

/// Below which these pages are.
pub const FOLDER: &str = "/workloads";
/// What stays as it is in an address.
pub const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/');

const COLUMNS: [&str; 13] = [
    "cpu_usage_mean",
    "cpu_usage_p95",
    "cpu_usage_max",
    "cpu_request",
    "cpu_limit",
    "cpu_periods",
    "cpu_throttled_periods",
    "memory_working_set_mean",
    "memory_working_set_max",
    "memory_request",
    "memory_limit",
    "oom_kills",
    "restarts",
];

/// Its key: `namespace/kind/name/container`.
pub fn key(member: &Member) -> String {
    let container = member.pod_container.as_ref().or(member.container_name.as_ref()).unwrap_or(&member.container_id);
    match &member.workload {
        Some(workload) => format!("{workload}/{container}"),
        None => container.clone(),
    }
}

/// Its page's address.
pub fn address(member: &Member) -> String {
    format!("{FOLDER}/{}", utf8_percent_encode(&key(member), PLAIN))
}

/// The workload of this node that an address names.
pub fn found<'a>(view: &'a View, wanted: &str) -> Option<&'a Assessment> {
    let workloads = &view.snapshot.review.as_ref()?.workloads;
    workloads.iter().find(|a| a.workload.node == view.snapshot.node && key(&a.workload) == wanted)
}

/// What the page asks the history.
pub fn query(a: &Assessment, range: Range, minute: Timestamp) -> Query {
    let member = &a.workload;
    let mut only = vec![("node".to_owned(), member.node.clone())];
    let mut text = |name: &str, value: Option<&str>| only.push((name.to_owned(), value.unwrap_or_default().to_owned()));
    let workload = member.workload.as_ref();
    text("workload", workload.map(|workload| workload.name.as_str()));
    text("workload_kind", workload.map(|workload| workload.kind.name()));
    text("workload_namespace", workload.and_then(|workload| workload.namespace.as_deref()));
    match &member.pod_container {
        Some(container) => text("pod_container", Some(container)),
        None => text("container_name", member.container_name.as_deref()),
    }
    let mut query = range.query(Table::Containers, &COLUMNS, only, minute);
    query.changes = ["image_tag", "container_id"].map(str::to_owned).to_vec();
    query
}

pub fn sections(view: &View, a: &Assessment, range: Range, answer: &Answer) -> Markup {
    html! {
        (verdict(view, a))
        (over_time(a, range, answer))
        (change(a))
        (replicas(view, a))
    }
}

/// The verdict in a sentence, and the facts beside it.
fn verdict(view: &View, a: &Assessment) -> Markup {
    let money = |amount| money(amount, view.currency());
    let word = |name: &str, resource: &Resource| match resource.provisioning {
        Provisioning::Fits => format!("{name} fits"),
        provisioning => format!("{name}: {}", provisioning.name()),
    };
    let member = &a.workload;
    let body = html! {
        p.lead {
            @if a.ended { "It has ended. " }
            (word("CPU", &a.cpu)) ". " (word("Memory", &a.memory)) ". "
            @if a.saving > 0.0 { strong.good { "Saves " (money(a.saving)) " a month" } ", of " (money(a.cost)) "." }
            @else if a.saving < 0.0 { strong.plain { "Needs " (money(-a.saving)) " more a month" } ", beside " (money(a.cost)) "." }
            @else { "It costs " (money(a.cost)) " a month." }
        }
        dl.facts {
            dt { "Runs" }
            dd {
                @if a.ended { "no longer" } @else { (a.replicas) @if a.replicas == 1 { " replica" } @else { " replicas" } " on " (member.node) }
                @if let Some(qos) = &member.qos { ", " (qos) }
            }
            dt { "Image" } dd { (member.image.as_deref().unwrap_or("unknown")) }
            @if let Some(model) = &member.model {
                dt { "Serves" }
                dd { @match view.snapshot.models.models.iter().find(|known| known.key.name == *model) {
                    Some(known) => { a href=(crate::model::address::of("/models", &known.key, "")) { (model) } }
                    None => { (model) }
                } }
            }
            dt { "Judged on" } dd { (minutes(a.history.minutes)) " of history, confidence " (a.confidence.name()) }
        }
    };
    whole("verdict", "Is it the right size?", &body)
}

fn over_time(a: &Assessment, range: Range, answer: &Answer) -> Markup {
    let none = || html! { p.empty { "The history has no minute of it in this time." } };
    let body = answer.series.first().map_or_else(none, |series| charts(a, answer, series));
    whole(
        "time",
        "What it used",
        &html! {
            (range.links(&address(&a.workload)))
            (body)
            @if answer.files_left_out > 0 { p.empty { (answer.files_left_out) " files of the history cannot be read." } }
        },
    )
}

fn charts(a: &Assessment, answer: &Answer, series: &Series) -> Markup {
    let line = |kind, name, column: &str| Line { kind, name, values: series.column(column).to_vec() };
    let proposal = |resource: &Resource| {
        let to = resource.recommended.filter(|_| resource.changes());
        to.map(|to| Line { kind: Kind::Proposal, name: "proposed", values: vec![Some(to); answer_steps(series)] })
    };
    let marks = marks(answer, series);
    let is_known = |line: &Line| line.values.iter().any(Option::is_some);
    let drawn = |lines: Vec<Line>, proposed: Option<Line>, unit: fn(f64) -> String, text: &str| {
        let lines: Vec<Line> = lines.into_iter().filter(is_known).chain(proposed).collect();
        let (since, step) = (answer.since, answer.step_seconds);
        course(&Course::of(since, step, &lines, &marks, unit, text))
    };
    let throttled: Vec<Option<f64>> = series
        .column("cpu_throttled_periods")
        .iter()
        .zip(series.column("cpu_periods"))
        .map(|(throttled, periods)| Some((*throttled)? / periods.filter(|periods| *periods > 0.0)?))
        .collect();
    let each = if a.replicas > 1 { ", of one replica" } else { "" };
    html! {
        h3 { "CPU" (each) }
        (drawn(
            vec![
                line(Kind::Used, "mean", "cpu_usage_mean"), line(Kind::Peak, "95th percentile", "cpu_usage_p95"),
                line(Kind::Request, "request", "cpu_request"), line(Kind::Limit, "limit", "cpu_limit"),
            ],
            proposal(&a.cpu), cores, "CPU used over time, beside request and limit, in cores",
        ))
        @if throttled.iter().flatten().any(|share| *share > 0.0) {
            h3 { "Throttled: share of periods in which it had to wait" }
            (drawn(vec![Line { kind: Kind::Peak, name: "throttled", values: throttled }], None, percent, "share of CFS periods that were throttled"))
        }
        h3 { "Memory" (each) }
        (drawn(
            vec![
                line(Kind::Used, "mean working set", "memory_working_set_mean"), line(Kind::Peak, "largest", "memory_working_set_max"),
                line(Kind::Request, "request", "memory_request"), line(Kind::Limit, "limit", "memory_limit"),
            ],
            proposal(&a.memory), bytes, "working set over time, beside request and limit",
        ))
        (happened(&marks))
        (percentiles(series))
    }
}

fn answer_steps(series: &Series) -> usize {
    series.values.values().map(Vec::len).max().unwrap_or(0)
}

/// What happened: kills, new versions, and containers begun anew without one.
pub fn marks(answer: &Answer, series: &Series) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (step, kills) in (0..).zip(series.column("oom_kills")) {
        let second = answer.since.as_second().saturating_add(answer.step_seconds.saturating_mul(step));
        let at = Timestamp::from_second(second.saturating_add(answer.step_seconds / 2));
        if let (Some(kills), Ok(at)) = (kills.filter(|kills| *kills > 0.0), at) {
            let text = if kills > 1.0 { format!("{kills:.0} OOM kills") } else { "OOM kill".to_owned() };
            marks.push(Mark { at, sign: "✕", text, bad: true });
        }
    }
    let changes = || series.changes.iter().filter(|change| !change.first);
    let near = |at: Timestamp, others: &[Timestamp], seconds: i64| {
        others.iter().any(|other| at.duration_since(*other).abs().as_secs() <= seconds)
    };
    let kills: Vec<Timestamp> = marks.iter().map(|mark| mark.at).collect();
    let rollouts: Vec<Timestamp> =
        changes().filter(|change| change.column == "image_tag").map(|change| change.at).collect();
    for change in changes() {
        let mark = |sign, text| Mark { at: change.at, sign, text, bad: false };
        match change.column.as_str() {
            "image_tag" => marks.push(mark("▲", format!("version {}", change.value))),
            // A rollout brings new containers, and so does a kill: one line is enough.
            _ if near(change.at, &rollouts, 3600) || near(change.at, &kills, 2 * answer.step_seconds) => {}
            _ => marks.push(mark("↻", format!("container {} began", change.value.get(..12).unwrap_or(&change.value)))),
        }
    }
    marks.sort_by_key(|mark| mark.at);
    // Replicas that begin together are one mark.
    marks.dedup_by(|next, mark| next.sign == mark.sign && next.at.duration_since(mark.at).as_secs() < 300 && !mark.bad);
    marks
}

fn happened(marks: &[Mark]) -> Markup {
    html! {
        @if !marks.is_empty() {
            details #happened {
                summary { "What happened (" (marks.len()) ")" }
                ul.plain { @for mark in marks {
                    li { span.number { (moment(mark.at)) } " "
                        @if mark.bad { strong { (mark.sign) " " (mark.text) } } @else { (mark.sign) " " (mark.text) } }
                } }
            }
        }
    }
}

/// Of the steps that are drawn.
fn percentiles(series: &Series) -> Markup {
    let row = |name: &str, column: &str, unit: fn(f64) -> String| {
        html! { tr { th scope="row" { (name) } @for share in [0.5, 0.9, 0.99, 1.0] {
            td.number { @match series.quantile(column, share) { Some(value) => { (unit(value)) } None => { (unknown("–")) } } }
        } } }
    };
    wide(
        "Percentiles",
        &html! { table.narrow {
            caption { "Over the steps that are drawn" }
            thead { tr { th scope="col" { "Use" } th scope="col" { "Median" } th scope="col" { "90 %" } th scope="col" { "99 %" } th scope="col" { "Most" } } }
            tbody {
                (row("CPU, 95th percentile of a minute", "cpu_usage_p95", cores))
                (row("Working set, largest of a minute", "memory_working_set_max", bytes))
            }
        } },
    )
}

/// What to change, why, and the patch.
fn change(a: &Assessment) -> Markup {
    let row = |name: &str, resource: &Resource, unit: fn(f64) -> String| {
        let shown = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), unit);
        html! { tr {
            th scope="row" { (name) }
            td.number { (shown(resource.requested)) }
            td.number { @match resource.recommended { Some(to) => { strong.plain { (unit(to)) } } None => { (unknown("–")) } } }
            td { (resource.reason) "." @if resource.confirmed { "" } @else if resource.changes() { " To investigate: there is not enough history yet to act on." } }
        } }
    };
    let body = html! {
        (wide("Recommendation", &html! { table {
            thead { tr { th scope="col" { "Resource" } th scope="col" { "Requests" } th scope="col" { "Should request" } th scope="col" { "Why" } } }
            tbody { (row("CPU", &a.cpu, cores)) (row("Memory", &a.memory, bytes)) }
        } }))
        @if a.patches.is_empty() { p.empty { "There is nothing to apply." } }
        @for (at, patch) in a.patches.iter().enumerate() {
            details open[at == 0] id={ "patch-" (at) } {
                summary { "Apply with " (patch.tool.name()) }
                div.copy { pre tabindex="0" id={ "patch-text-" (at) } { code { (patch.text) } } button type="button" data-copy={ "patch-text-" (at) } hidden { "Copy" } }
                @if let Some(note) = &patch.note { p { small { (note) } } }
            }
        }
    };
    whole("change", "What to change", &body)
}

fn replicas(view: &View, a: &Assessment) -> Markup {
    let running: Vec<&ContainerView> =
        view.snapshot.containers.iter().filter(|container| a.containers.contains(&container.id)).collect();
    let value = |c: &ContainerView, key: &str, unit: fn(f64) -> String| {
        c.signals.value(crate::signal::container::id(key)).map_or_else(|| "unknown".to_owned(), unit)
    };
    let body = html! {
        @if running.is_empty() { p.empty { "None runs now." } } @else {
            (wide("Replicas", &html! { table {
                thead { tr { th scope="col" { "Container" } th scope="col" { "CPU" } th scope="col" { "Memory" } th scope="col" { "Restarts" } th scope="col" { "Up" } } }
                tbody { @for c in running { tr {
                    th scope="row" { (c.pod.as_ref().and_then(|pod| pod.name.as_deref()).unwrap_or(&c.name)) br; small { code { (c.id.get(..12).unwrap_or(&c.id)) } @if let Some(tag) = &c.image_tag { " · " (tag) } } }
                    td.number { (value(c, "cpu.usage", cores)) }
                    td.number { (value(c, "memory.working_set", bytes)) }
                    td.number { (value(c, "restarts", |count| format!("{count:.0}"))) }
                    td.number { (since(view.now, c.run.began)) }
                } } }
            } }))
        }
    };
    whole("replicas", "Replicas on this node", &body)
}
