//! Containers: used against asked for against the limit, throttling and kills, and what they should ask for.

use maud::{Markup, html};

use super::{View, anchor, section as whole, since, sizes, unknown, wide};
use crate::chart;
use crate::health::Brings;
use crate::rightsize::Provisioning;
use crate::signal::Id;
use crate::signal::container::{Container, id};
use crate::snapshot::ContainerView;
use crate::units::{bytes, cores, percent};

/// More are left to the API: the page is fetched anew all the time.
const MOST: usize = 200;

const CPU: Id<Container> = id("cpu.usage");
const MEMORY: Id<Container> = id("memory.working_set");
const KILLS: Id<Container> = id("memory.oom_kills");

pub fn section(view: &View) -> Markup {
    let snapshot = &view.snapshot;
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
            (wide("Containers", &html! { table {
                thead { tr {
                    th scope="col" { "Container" } th scope="col" { "CPU: used, requested, limit" }
                    th scope="col" { "Memory: used, requested, limit" } th scope="col" { "Throttled" } th scope="col" { "OOM kills" }
                    th scope="col" { "Size" } th scope="col" { "Up" }
                } }
                tbody {
                    @for (place, c) in snapshot.containers.iter().enumerate().take(MOST) {
                        (row(view, place, c, most_cpu, most_memory))
                    }
                }
            } }))
            @if snapshot.containers.len() > MOST {
                p.empty { (snapshot.containers.len() - MOST) " more: " a href="/api/v1/containers" { "as JSON" } }
            }
        }
        @if !snapshot.exited.is_empty() {
            h3 { "Recently ended" }
            ul { @for exit in &snapshot.exited {
                li {
                    (exit.last.name) ", " (since(snapshot.as_of, exit.at)) " ago"
                    @if exit.last.signals.get(KILLS).is_some_and(|kills| kills > 0) { strong { ", OOM killed ⚠" } }
                }
            } }
        }
    };
    whole("containers", &format!("Containers ({})", snapshot.containers.len()), &body)
}

fn row(view: &View, place: usize, c: &ContainerView, most_cpu: f64, most_memory: f64) -> Markup {
    let pod = c.pod.as_ref().and_then(|p| Some(format!("{}/{}", p.namespace.as_ref()?, p.name.as_ref()?)));
    let value = |id| c.signals.value(id);
    let periods = value(const { id("cpu.periods") }).filter(|periods| *periods > 0.0);
    let throttled = value(const { id("cpu.throttled_periods") }).zip(periods).map(|(t, periods)| t / periods);
    let cpu = [value(CPU), value(const { id("cpu.request") }), value(const { id("cpu.limit") })];
    let memory = [value(MEMORY), value(const { id("memory.request") }), value(const { id("memory.limit") })];
    html! {
        tr id=(anchor("c", &c.id)) {
            th scope="row" title=(c.id.get(..12).unwrap_or(&c.id)) {
                (c.name) br;
                small {
                    (pod.as_deref().or(c.image.as_deref()).unwrap_or("image unknown"))
                    @if pod.is_none() { @if let Some(tag) = &c.image_tag { ":" (tag) } }
                    @for word in c.stage.iter().chain(&c.owner) { " · " (word) }
                }
            }
            td { (bar(cpu, most_cpu, cores)) }
            td { (bar(memory, most_memory, bytes)) }
            td.number { @match throttled {
                Some(share) => {
                    @if share > 0.25 { strong { (percent(share)) " ⚠" } } @else { (percent(share)) }
                }
                None => { span.unknown title="no CPU limit, so nothing is throttled" { "–" } }
            } }
            td.number { @match c.signals.get(KILLS) {
                Some(0) => { "0" }
                Some(kills) => { strong { (kills) " ⚠" } }
                None => { (unknown("unknown")) }
            } }
            td { (size(view, place)) }
            td.number { (since(view.snapshot.as_of, c.run.began)) }
        }
    }
}

/// The verdict in a word, with a way to the reason.
fn size(view: &View, place: usize) -> Markup {
    let Some(judged) = view.snapshot.assessment(place) else { return unknown("no verdict yet") };
    let [(_, cpu), (_, memory)] = judged.resources();
    let bad = judged.is(Provisioning::Under);
    let verdict = html! {
        @if cpu.provisioning == memory.provisioning {
            @if bad { strong { (cpu.provisioning.name()) " ⚠" } } @else { (cpu.provisioning.name()) }
        } @else {
            @for (name, resource) in [("CPU ", cpu), ("memory ", memory)] {
                (name)
                @if resource.provisioning == Provisioning::Under { strong { (resource.provisioning.name()) " ⚠" } }
                @else { (resource.provisioning.name()) }
                br;
            }
        }
    };
    match sizes::link(view, place) {
        Some(place) => html! { a href=(place) { (verdict) } },
        None => verdict,
    }
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
