//! GPUs: what each does, what it is paid for over time, and who holds it.

use maud::{Markup, html};

use super::{View, anchor, gpu, section as whole, unknown, wide};
use crate::chart::{self, Level, Piece};
use crate::health::Brings;
use crate::minute::gpu::GpuState;
use crate::signal::gpu::id;
use crate::snapshot::{GpuProcessView, GpuView};
use crate::units::{bytes, money, percent};

pub fn section(view: &View) -> Markup {
    let gpus = &view.snapshot.gpus;
    let body = html! {
        @if gpus.is_empty() {
            p.empty {
                "No GPU found. " @if let Some(why) = view.health.why_none(Brings::Devices) { (why) " " }
                "If the agent runs in a container, start it with --gpus all, or with NVIDIA_VISIBLE_DEVICES=all."
            }
        } @else {
            (wide("GPUs", &html! { table.cards.sortable {
                thead { tr {
                    th scope="col" { "GPU" } th scope="col" { "State" } th scope="col" { "Utilization" } th scope="col" { "Memory" }
                    th scope="col" { "Power" } th scope="col" { "Temp." } th scope="col" { "Last day by minute" } th scope="col" { "Used by" }
                } }
                tbody { @for gpu in gpus { (row(view, gpu)) } }
            } }))
            p.key {
                @for (state, text) in [
                    (GpuState::Active, "active: computing "),
                    (GpuState::HeldIdle, "held idle: memory resident, nothing computed "),
                    (GpuState::Free, "free: no process"),
                ] { span class={ "swatch " (level(state).class()) } {} (text) }
            }
        }
    };
    whole("gpus", &format!("GPUs ({})", gpus.len()), &body)
}

fn row(view: &View, gpu: &GpuView) -> Markup {
    let value = |id| gpu.signals.value(id);
    let total = value(const { id("memory_total") }).filter(|total| *total > 0.0);
    let memory = value(const { id("memory_used") }).zip(total);
    let power = value(const { id("power") });
    let temperature = value(const { id("temperature") });
    html! {
        tr id=(anchor("gpu", &gpu.device.uuid)) {
            th scope="row" title=(gpu.device.uuid) { a href=(gpu::address(&gpu.device.uuid)) { "GPU " (gpu.index) } br; small { (gpu.model.as_deref().unwrap_or("model unknown")) } }
            td data-name="State" {
                @match (gpu.ok, gpu.state) {
                    (Some(false), _) => { span.pill.bad { "⚠ lost" } br; small { "the driver cannot reach it" } }
                    (_, Some(GpuState::HeldIdle)) => { span.pill.warn { "⚠ held idle" } (price(view, gpu)) }
                    (_, Some(GpuState::Active)) => { span.pill.good { "active" } }
                    (_, Some(GpuState::Free)) => { span.pill { "free" } (price(view, gpu)) }
                    (_, None) => { (unknown("unknown")) }
                }
            }
            td data-name="Utilization" { @match value(const { id("utilization") }) {
                Some(v) => { (chart::bar(v, None, 1.0, true)) span.number { (percent(v)) } }
                None => { (unknown("unknown")) }
            } }
            td data-name="Memory" { @match memory {
                Some((used, total)) => {
                    @let text = format!("{} of {}", bytes(used), bytes(total));
                    (chart::bar(used, None, total, true)) span.number { (text) }
                }
                None => { (unknown("unknown")) }
            } }
            td.number data-name="Power" { @match power { Some(w) => { (format!("{w:.0} W")) } None => { (unknown("unknown")) } } }
            td.number data-name="Temperature" { @match temperature { Some(c) => { (format!("{c:.0} °C")) } None => { (unknown("unknown")) } } }
            td data-name="Last day" { (strip(gpu)) }
            td data-name="Used by" { (holders(gpu)) }
        }
    }
}

/// What it costs in a month while it computes nothing.
fn price(view: &View, gpu: &GpuView) -> Markup {
    let Some(review) = &view.snapshot.review else { return html! {} };
    let month = review.prices.gpu(gpu.model.as_deref()) * crate::rightsize::cost::MONTH;
    html! { br; small { "at " (money(month, view.currency())) " a month" } }
}

fn level(state: GpuState) -> Level {
    match state {
        GpuState::Active => Level::Full,
        GpuState::HeldIdle => Level::Half,
        GpuState::Free => Level::Low,
    }
}

fn strip(gpu: &GpuView) -> Markup {
    if gpu.minutes.is_empty() {
        return unknown("after the first minute");
    }
    let mut pieces: Vec<Piece> = Vec::new();
    for level in gpu.minutes.iter().map(|state| state.map(level)) {
        match pieces.last_mut() {
            Some((length, last)) if *last == level => *length += 1,
            _ => pieces.push((1, level)),
        }
    }
    let share = |state| gpu.minutes.iter().filter(|s| **s == Some(state)).count() as f64 / gpu.minutes.len() as f64;
    let text = format!(
        "{} min: {} active, {} held idle, {} free",
        gpu.minutes.len(),
        percent(share(GpuState::Active)),
        percent(share(GpuState::HeldIdle)),
        percent(share(GpuState::Free))
    );
    html! { (chart::strip(&pieces, &text)) small { (text) } }
}

fn holders(gpu: &GpuView) -> Markup {
    let Some(processes) = &gpu.processes else { return unknown("not reported by the driver") };
    let name = |process: &GpuProcessView| match (&process.container_name, &process.container) {
        (Some(name), _) => name.clone(),
        (None, Some(link)) => link.to.chars().take(12).collect(),
        (None, None) if process.resolved => format!("host process {}", process.pid),
        (None, None) => format!(
            "process {}, container unknown: run the agent with the host's PIDs (hostPID, --pid=host)",
            process.pid
        ),
    };
    html! {
        @if processes.is_empty() { "no process" }
        @for process in processes {
            (name(process)) @if let Some(memory) = process.memory { " " small { (bytes(memory as f64)) } } br;
        }
    }
}
