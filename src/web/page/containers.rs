//! Containers: used against asked for against the limit, throttling and kills, and what they should ask for.

use maud::{Markup, html};

use super::{View, anchor, breakable, section as whole, since, unknown, wide, workload};
use crate::chart;
use crate::health::Brings;
use crate::identity::Role;
use crate::rightsize::Provisioning;
use crate::signal::Id;
use crate::signal::container::{Container, id};
use crate::snapshot::{ContainerView, Replicas};
use crate::units::{bytes, cores, percent};

/// More are left to the API: the page is fetched anew all the time.
const MOST: usize = 200;

const CPU: Id<Container> = id("cpu.usage");
const MEMORY: Id<Container> = id("memory.working_set");
const KILLS: Id<Container> = id("memory.oom_kills");

pub fn section(view: &View) -> Markup {
    let snapshot = &view.snapshot;
    let all = snapshot.replicas();
    let owned = all.iter().any(|replicas| snapshot.containers[replicas.places[0]].pod.is_some());
    // Bars without a limit of their own are drawn against the largest on the node.
    let most_cpu = snapshot.containers.iter().filter_map(|c| c.signals.value(CPU)).fold(1.0, f64::max);
    let most_memory = snapshot.containers.iter().filter_map(|c| c.signals.value(MEMORY)).fold(1.0, f64::max);
    let body = html! {
        @if snapshot.containers.is_empty() {
            p.empty {
                @if !snapshot.ready { "Reading the node …" }
                @else if let Some(why) = view.health.why_none(Brings::Containers) { "Containers cannot be read. " (why) }
                @else {
                    "No container is running on this node. Start one; it appears here within 2 s: "
                    code { "docker run -d --cpus 1 -m 512m nginx" }
                }
            }
        } @else {
            (wide("Containers", &html! { table.cards.sortable {
                thead { tr {
                    th scope="col" { (if owned { "Workload" } else { "Container" }) } th scope="col" { "CPU: used, requested, limit" }
                    th scope="col" { "Memory: used, requested, limit" } th scope="col" { "Throttled" } th scope="col" { "OOM kills" }
                    th scope="col" { "Size" } th scope="col" { "Up" }
                } }
                tbody {
                    @for replicas in all.iter().take(MOST) { (row(view, replicas, most_cpu, most_memory)) }
                }
            } }))
            @if all.len() > MOST {
                p.empty { (all.len() - MOST) " more: " a href="/api/v1/containers" { "as JSON" } }
            }
        }
        @let exited = snapshot.exited.iter().filter(|exit| !exit.last.is_sandbox());
        @if exited.clone().next().is_some() {
            h3 { "Recently ended" }
            ul { @for exit in exited {
                li {
                    (exit.last.title()) ", " (since(snapshot.as_of, exit.at)) " ago"
                    @if exit.last.signals.get(KILLS).is_some_and(|kills| kills > 0) { strong { ", OOM killed ⚠" } }
                }
            } }
        }
    };
    let containers = all.iter().map(|replicas| replicas.places.len()).sum::<usize>();
    let title = if owned {
        format!("Workloads ({}), {containers} containers", all.len())
    } else {
        format!("Containers ({containers})")
    };
    whole("containers", &title, &body)
}

/// Where the page speaks of a container: its workload's own page, else its place on the first.
pub fn address(view: &View, place: usize) -> String {
    match view.snapshot.assessment(place) {
        Some(judged) => workload::address(&judged.workload),
        None => format!("/#{}", anchor("c", &view.snapshot.containers[place].id)),
    }
}

/// The sum over replicas; `None` where one does not know it.
fn sum(view: &View, replicas: &Replicas<'_>, id: Id<Container>) -> Option<f64> {
    replicas.places.iter().map(|place| view.snapshot.containers[*place].signals.value(id)).sum()
}

fn row(view: &View, replicas: &Replicas<'_>, most_cpu: f64, most_memory: f64) -> Markup {
    let first = replicas.places[0];
    let c = &view.snapshot.containers[first];
    let value = |id| sum(view, replicas, id);
    let periods = value(const { id("cpu.periods") }).filter(|periods| *periods > 0.0);
    let throttled = value(const { id("cpu.throttled_periods") }).zip(periods).map(|(t, periods)| t / periods);
    let cpu = [value(CPU), value(const { id("cpu.request") }), value(const { id("cpu.limit") })];
    let memory = [value(MEMORY), value(const { id("memory.request") }), value(const { id("memory.limit") })];
    let began =
        replicas.places.iter().map(|place| view.snapshot.containers[*place].run.began).min().unwrap_or(c.run.began);
    html! {
        tr id=(anchor("c", &c.id)) {
            th scope="row" title=(c.id.get(..12).unwrap_or(&c.id)) { (name(view, replicas, c)) }
            td data-name="CPU" data-sort=(cpu[0].unwrap_or(0.0)) { (bar(cpu, most_cpu, cores)) }
            td data-name="Memory" data-sort=(memory[0].unwrap_or(0.0)) { (bar(memory, most_memory, bytes)) }
            td.number data-name="Throttled" data-sort=(throttled.unwrap_or(0.0)) { @match throttled {
                Some(share) => {
                    @if share > 0.25 { strong { (percent(share)) " ⚠" } } @else { (percent(share)) }
                }
                None => { span.unknown title="no CPU limit, so nothing is throttled" { "–" } }
            } }
            td.number data-name="OOM kills" { @match value(KILLS) {
                Some(kills) if kills > 0.0 => { strong { (format!("{kills:.0}")) " ⚠" } }
                Some(_) => { "0" }
                None => { (unknown("unknown")) }
            } }
            td data-name="Size" { (size(view, first)) }
            td.number data-name="Up" data-sort=(view.snapshot.as_of.duration_since(began).as_secs()) { (since(view.snapshot.as_of, began)) }
        }
    }
}

/// Who they are. Replicas are one row that opens.
fn name(view: &View, replicas: &Replicas<'_>, c: &ContainerView) -> Markup {
    let words = || html! { @for word in c.stage.iter().chain(&c.owner) { " · " (word) } };
    let Some((pod, workload)) = c.pod.as_ref().zip(replicas.workload) else {
        return html! {
            a href=(address(view, replicas.places[0])) { (c.name) } br;
            small {
                (c.image.as_deref().unwrap_or("image unknown"))
                @if let Some(tag) = &c.image_tag { ":" (tag) }
                (words())
            }
        };
    };
    let part = c.role.filter(|role| *role != Role::Main).map(Role::name);
    html! {
        a href=(address(view, replicas.places[0])) { (breakable(&workload.to_string())) } br;
        small { (c.name) @if let Some(part) = part { " (" (part) ")" } (words()) }
        @if let [_] = replicas.places[..] {
            @if let Some(name) = pod.name.as_ref().filter(|name| **name != workload.name) { br; small { (name) } }
        } @else {
            details id=(anchor("r", &c.id)) {
                summary { (replicas.places.len()) " replicas" }
                ul.replicas { @for place in &replicas.places { (replica(view, &view.snapshot.containers[*place])) } }
            }
        }
    }
}

fn replica(view: &View, c: &ContainerView) -> Markup {
    let pod = c.pod.as_ref().and_then(|pod| pod.name.as_deref()).unwrap_or(&c.name);
    let shown = |value: Option<f64>, unit: fn(f64) -> String| value.map_or_else(|| "unknown".to_owned(), unit);
    html! {
        li {
            (pod) br;
            small.number {
                (shown(c.signals.value(CPU), cores)) ", " (shown(c.signals.value(MEMORY), bytes))
                @if let Some(restarts) = c.signals.get(const { id("restarts") }).filter(|restarts| *restarts > 0) {
                    ", " (restarts) " restarts"
                    @if let Some(reason) = c.last_termination.as_ref().and_then(|last| last.reason.as_ref()) { " (" (reason) ")" }
                }
                ", up " (since(view.snapshot.as_of, c.run.began))
            }
        }
    }
}

/// The verdict in a word, with a way to the reason.
fn size(view: &View, place: usize) -> Markup {
    let Some(judged) = view.snapshot.assessment(place) else { return unknown("no verdict yet") };
    let [(_, cpu), (_, memory)] = judged.resources();
    let pill = |words: &str, provisioning: Provisioning| match provisioning {
        Provisioning::Under => html! { span.pill.warn { "⚠ " (words) } },
        Provisioning::Fits => html! { span.pill.good { "✓ " (words) } },
        _ => html! { span.pill { (words) } },
    };
    let verdict = html! {
        @if cpu.provisioning == memory.provisioning { (pill(cpu.provisioning.name(), cpu.provisioning)) } @else {
            @for (name, resource) in [("CPU", cpu), ("memory", memory)] {
                (pill(&format!("{name} {}", resource.provisioning.name()), resource.provisioning)) br;
            }
        }
    };
    html! { a href=(workload::address(&judged.workload)) { (verdict) } }
}

/// What is used against the limit or, paler, against the largest on the node; a mark where the request lies.
fn bar([used, requested, limit]: [Option<f64>; 3], most: f64, unit: fn(f64) -> String) -> Markup {
    let Some(used) = used else { return unknown("unknown") };
    let whole = limit.unwrap_or(most).max(requested.unwrap_or(0.0)).max(f64::MIN_POSITIVE);
    let text = match (limit, requested) {
        (Some(limit), Some(requested)) => format!("{}, {}, {}", unit(used), unit(requested), unit(limit)),
        (Some(limit), None) => format!("{} of {}", unit(used), unit(limit)),
        (None, Some(requested)) => format!("{} of {} requested, no limit", unit(used), unit(requested)),
        (None, None) => format!("{}, no limit", unit(used)),
    };
    let near = limit.is_some_and(|limit| used >= 0.9 * limit);
    html! {
        (chart::bar(used, requested, whole, limit.is_some()))
        span.number { (text) @if near { strong { " near limit" } } }
    }
}
