//! The node's own page: what there is, what is used and asked for of it, who asks for what nobody uses, and how it was over time.

use maud::{Markup, html};
use percent_encoding::utf8_percent_encode;

use super::range::Range;
use super::workload::{self, PLAIN};
use super::{View, section as whole, unknown, wide};
use crate::chart::capacity::{Capacity, capacity};
use crate::chart::course::{Course, Kind, Line, course};
use crate::identity::node::{CPU, MEMORY};
use crate::minute::gpu::GpuState;
use crate::query::{Answer, Query, Series, Table};
use crate::rightsize::cost::MONTH;
use crate::rightsize::{Assessment, Resource};
use crate::signal::Id;
use crate::signal::container::{Container, id};
use crate::units::{bytes, cores, money, percent};

/// Below which this page is.
pub const FOLDER: &str = "/nodes";
/// Workloads that are listed.
const MOST: usize = 20;

const CONTAINERS: [&str; 4] = ["cpu_usage_mean", "cpu_request", "memory_working_set_mean", "memory_request"];
const GPUS: [&str; 3] = ["active", "held_idle", "free"];

/// Its page's address.
pub fn address(node: &str) -> String {
    format!("{FOLDER}/{}", utf8_percent_encode(node, PLAIN))
}

/// What the page asks the history of containers: all of them together.
pub fn query(view: &View, range: Range, minute: jiff::Timestamp) -> Query {
    of_node(view, range, Table::Containers, &CONTAINERS, minute)
}

/// What it asks of GPUs.
pub fn gpus(view: &View, range: Range, minute: jiff::Timestamp) -> Query {
    of_node(view, range, Table::Gpus, &GPUS, minute)
}

fn of_node(view: &View, range: Range, table: Table, columns: &[&str], minute: jiff::Timestamp) -> Query {
    let only = vec![("node".to_owned(), view.snapshot.node.clone())];
    Query { total: true, ..range.query(table, columns, only, minute) }
}

/// One resource: what there is of it and how that is written.
struct Has {
    name: &'static str,
    of: Capacity,
    unit: fn(f64) -> String,
}

pub fn sections(view: &View, range: Range, containers: &Answer, gpus: Option<&Answer>) -> Markup {
    let has = all(view);
    html! {
        (summary(view, &has))
        (whole("capacity", "What it has", &bars(view, &has)))
        (whole("unused", "Asked for, and not used", &unused(view)))
        (whole("time", "What was used and asked for", &over_time(view, &has, range, containers, gpus)))
    }
}

/// What the node has, as far as anybody says: what Kubernetes has for pods, else the machine.
fn all(view: &View) -> Vec<Has> {
    let snapshot = &view.snapshot;
    let sum = |key: Id<Container>| -> Option<f64> {
        let mut known = snapshot.containers.iter().filter_map(|c| c.signals.value(key)).peekable();
        known.peek().is_some().then(|| known.sum())
    };
    let machine = |name: &str| match name {
        CPU => snapshot.machine?.cores,
        _ => snapshot.machine?.memory,
    };
    let of = |name: &str, used: Option<f64>, requested: Option<f64>| -> Option<Capacity> {
        if let Some(of) = snapshot.resources.as_ref().and_then(|node| node.resources.get(name)) {
            let kept = of.capacity.map_or(0.0, |all| (all - of.allocatable).max(0.0));
            return Some(Capacity { used: of.used.or(used), requested: of.requested, whole: of.allocatable, kept });
        }
        Some(Capacity { used, requested: requested.unwrap_or(0.0), whole: machine(name)?, kept: 0.0 })
    };
    let cpu = of(CPU, sum(const { id("cpu.usage") }), sum(const { id("cpu.request") }));
    let memory = of(MEMORY, sum(const { id("memory.working_set") }), sum(const { id("memory.request") }));
    let mut all = Vec::new();
    all.extend(cpu.map(|of| Has { name: "CPU", of, unit: cores }));
    all.extend(memory.map(|of| Has { name: "Memory", of, unit: bytes }));
    if !snapshot.gpus.is_empty() {
        let count = |wanted: &[GpuState]| {
            snapshot.gpus.iter().filter(|gpu| gpu.state.is_some_and(|state| wanted.contains(&state))).count() as f64
        };
        let known = snapshot.gpus.iter().all(|gpu| gpu.state.is_some());
        let requested = count(&[GpuState::Active, GpuState::HeldIdle]);
        let of = Capacity {
            used: known.then(|| count(&[GpuState::Active])),
            requested: if known { requested } else { snapshot.gpus.len() as f64 },
            whole: snapshot.gpus.len() as f64,
            kept: 0.0,
        };
        all.push(Has { name: "GPUs", of, unit: devices });
    }
    all
}

/// A number of GPUs, or a mean of such.
fn devices(count: f64) -> String {
    let rounded = (count * 10.0).round() / 10.0;
    if (rounded - 1.0).abs() < 1e-9 { "1 GPU".to_owned() } else { format!("{rounded} GPUs") }
}

fn summary(view: &View, has: &[Has]) -> Markup {
    let over: Vec<String> = has
        .iter()
        .filter(|has| has.of.free() < -1e-9)
        .map(|has| format!("{} by {}", has.name, (has.unit)(-has.of.free())))
        .collect();
    let free: Vec<String> = has.iter().map(|has| (has.unit)(has.of.free().max(0.0))).collect();
    let node = view.snapshot.resources.as_ref();
    let body = html! {
        p.lead {
            @if has.is_empty() { "What the node has is " (unknown("unknown")) "." }
            @else if over.is_empty() { strong.plain { (listed(&free)) } " are free." }
            @else { strong { "Over-committed ⚠" } ": " (listed(&over)) " more than there is." }
            @if let Some(lost) = lost(view).filter(|lost| *lost >= 1.0) {
                " " strong.plain { (money(lost, view.currency())) " a month" } " are for what workloads ask for and do not use."
            }
        }
        dl.facts {
            dt { "Machine" } dd {
                @match node.map(|node| [&node.instance_type, &node.pool].into_iter().flatten().cloned().collect::<Vec<_>>()) {
                    Some(known) if !known.is_empty() => { (known.join(", pool ")) }
                    _ => { (unknown("kind unknown")) }
                }
                @if let Some(machine) = view.snapshot.machine {
                    ", " (machine.cores.map_or_else(|| "cores unknown".to_owned(), cores))
                    ", " (machine.memory.map_or_else(|| "memory unknown".to_owned(), bytes))
                }
            }
            dt { "Runs" } dd {
                (view.snapshot.containers.iter().filter(|c| !c.is_sandbox()).count()) " containers"
                @if let Some(node) = node { " in " (node.pods) " pods that ask for something" }
            }
            dt { "Collectors" } dd { (view.health.collectors()) " " a href="/healthz" { "Health as JSON" } }
        }
    };
    whole("summary", "Is the node well filled?", &body)
}

/// `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn bars(view: &View, has: &[Has]) -> Markup {
    html! {
        @if has.is_empty() {
            p.empty {
                "Neither Kubernetes nor the machine says what there is. "
                @if let Some(why) = view.health.why_none(crate::health::Brings::Containers) { (why) }
            }
        }
        @for has in has { (bar(has)) }
        @if view.snapshot.resources.is_some() {
            p { small { "What there is for pods, and what they ask for, as the scheduler counts it. What containers use is measured." } }
        } @else if !has.is_empty() {
            p { small { "Kubernetes is not read here: what there is is the machine's, and processes outside containers use of it, too." } }
        }
    }
}

fn bar(has: &Has) -> Markup {
    let (of, unit) = (&has.of, has.unit);
    let is_gpu = has.name == "GPUs";
    let share = |part: f64| percent(part / of.whole.max(f64::MIN_POSITIVE));
    let names =
        if is_gpu { ["computing", "held idle", "held by nobody"] } else { ["used", "asked for, not used", "free"] };
    let parts: Vec<(&str, String)> = match of.used {
        Some(used) => vec![
            ("used", format!("{} {} ({})", names[0], unit(used), share(used))),
            ("asked", format!("{} {} ({})", names[1], unit(of.unused()), share(of.unused()))),
        ],
        None if is_gpu => {
            vec![("unsure", "what they are used for is not known: the driver does not tell who holds them".to_owned())]
        }
        None => vec![("unsure", format!("asked for {} ({}), use unknown", unit(of.requested), share(of.requested)))],
    };
    let free = (of.free() >= 0.0).then(|| ("free", format!("{} {} ({})", names[2], unit(of.free()), share(of.free()))));
    let kept = (of.kept > 0.0).then(|| ("kept", format!("kept for the system {}", unit(of.kept))));
    let over = (of.free() < -1e-9).then(|| format!("{} more than there is", unit(-of.free())));
    let all: Vec<(&str, String)> = parts.into_iter().chain(free).chain(kept).collect();
    let words: Vec<&str> = all.iter().map(|(_, text)| text.as_str()).chain(over.as_deref()).collect();
    html! {
        h3 { (has.name) ": " (unit(of.whole)) }
        (capacity(of, &format!("{}: {}", has.name, words.join(", "))))
        p.key {
            @for (class, text) in &all { span.level { span class={ "swatch " (class) } {} (text) } " " }
            @if let Some(over) = &over { strong { "⚠ over-committed: " (over) } }
        }
    }
}

/// What one workload asks for and does not use, over all of its replicas: cores, bytes.
struct Unused<'a> {
    of: &'a Assessment,
    cpu: Option<f64>,
    memory: Option<f64>,
    /// In a month.
    money: f64,
}

/// The workloads of this node that ask for what they do not use at their peaks, the dearest first.
fn all_unused(view: &View) -> Vec<Unused<'_>> {
    let Some(review) = &view.snapshot.review else { return Vec::new() };
    let unused =
        |of: &Resource, used: Option<f64>, replicas: u64| Some((of.requested? - used?).max(0.0) * replicas as f64);
    let here = review.workloads.iter().filter(|a| !a.ended && a.workload.node == view.snapshot.node);
    let mut all: Vec<Unused<'_>> = here
        .map(|a| {
            let (cpu, memory) =
                (unused(&a.cpu, a.used.cpu_p95, a.replicas), unused(&a.memory, a.used.memory_peak, a.replicas));
            let money = review.prices.hour(cpu.unwrap_or(0.0), memory.unwrap_or(0.0)) * MONTH;
            Unused { of: a, cpu, memory, money }
        })
        .filter(|unused| unused.money > 0.0)
        .collect();
    all.sort_by(|a, b| b.money.total_cmp(&a.money));
    all
}

/// In a month.
fn lost(view: &View) -> Option<f64> {
    view.snapshot.review.as_ref().map(|_| all_unused(view).iter().map(|unused| unused.money).sum())
}

fn unused(view: &View) -> Markup {
    let all = all_unused(view);
    let shown = |value: Option<f64>, unit: fn(f64) -> String| {
        value.map_or_else(|| unknown("unknown"), |value| html! { (unit(value)) })
    };
    html! {
        @if view.snapshot.review.is_none() { p.empty { "Reading the history …" } }
        @else if all.is_empty() { p.empty { "No workload asks for more than it uses at its peaks, as far as is known." } }
        @else {
            (wide("Workloads that ask for more than they use", &html! { table.cards.sortable {
                thead { tr {
                    th scope="col" { "Workload" } th scope="col" { "A month" } th scope="col" { "CPU not used" } th scope="col" { "Memory not used" }
                    th scope="col" { "Replicas" }
                } }
                tbody { @for unused in all.iter().take(MOST) { tr {
                    th scope="row" { a href=(workload::address(&unused.of.workload)) { (super::breakable(&workload::key(&unused.of.workload))) } }
                    td.number data-name="A month" data-sort=(unused.money) { strong.plain { (money(unused.money, view.currency())) } }
                    td.number data-name="CPU" data-sort=(unused.cpu.unwrap_or(0.0)) { (shown(unused.cpu, cores)) }
                    td.number data-name="Memory" data-sort=(unused.memory.unwrap_or(0.0)) { (shown(unused.memory, bytes)) }
                    td.number data-name="Replicas" { (unused.of.replicas) }
                } } }
            } }))
            @if all.len() > MOST { p.empty { (all.len() - MOST) " more are in " a href="/#recommendations" { "the recommendations" } "." } }
            p { small { "Requests less the 95th percentile of CPU and the peak of memory. Some of it is room that a workload should have: what to change says its page." } }
        }
    }
}

fn over_time(view: &View, has: &[Has], range: Range, containers: &Answer, gpus: Option<&Answer>) -> Markup {
    let drawn = |answer: &Answer, lines: Vec<Line>, unit: fn(f64) -> String, text: &str| {
        let lines: Vec<Line> = lines.into_iter().filter(|line| line.values.iter().any(Option::is_some)).collect();
        let (since, step) = (answer.since, answer.step_seconds);
        course(&Course::of(since, step, &lines, &[], unit, text))
    };
    let line = |kind, name, values: &[Option<f64>]| Line { kind, name, values: values.to_vec() };
    let there_is = |name: &str, series: &Series| {
        let whole = has.iter().find(|has| has.name == name).map(|has| has.of.whole);
        let steps = series.values.values().map(Vec::len).max().unwrap_or(0);
        Line { kind: Kind::Limit, name: "there is", values: vec![whole; steps] }
    };
    let used_and_asked =
        |answer: &Answer, series: &Series, of: [&str; 2], name: &str, unit: fn(f64) -> String, text: &str| {
            let lines = vec![
                line(Kind::Used, "used", series.column(of[0])),
                line(Kind::Request, "asked for", series.column(of[1])),
                there_is(name, series),
            ];
            drawn(answer, lines, unit, text)
        };
    html! {
        (range.links(&address(&view.snapshot.node)))
        @match containers.series.first() {
            None => { p.empty { "The history has no minute of a container in this time." } }
            Some(series) => {
                h3 { "CPU of all containers" }
                (used_and_asked(containers, series, ["cpu_usage_mean", "cpu_request"], "CPU", cores, "cores that all containers used and asked for over time"))
                h3 { "Memory of all containers" }
                (used_and_asked(containers, series, ["memory_working_set_mean", "memory_request"], "Memory", bytes, "working set of all containers over time, and what they asked for"))
            }
        }
        @if let Some((answer, series)) = gpus.and_then(|answer| Some((answer, answer.series.first()?))) {
            @let held: Vec<Option<f64>> = series.column("active").iter().zip(series.column("held_idle")).map(|(a, idle)| Some((*a)? + (*idle)?)).collect();
            h3 { "GPUs" }
            (drawn(
                answer,
                vec![line(Kind::Used, "computing", series.column("active")), line(Kind::Request, "held", &held), there_is("GPUs", series)],
                devices, "GPUs that computed, and that were held, over time",
            ))
        }
        @if containers.files_left_out > 0 { p.empty { (containers.files_left_out) " files of the history cannot be read." } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_devices_and_lists_read_as_people_write_them() {
        assert_eq!([0.0, 1.0, 2.04, 3.55].map(devices), ["0 GPUs", "1 GPU", "2 GPUs", "3.6 GPUs"]);
        let list = |parts: &[&str]| listed(&parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>());
        assert_eq!([list(&["a"]), list(&["a", "b"]), list(&["a", "b", "c"])], ["a", "a and b", "a, b and c"]);
    }
}
