//! The capacity review as a page of HTML, Markdown, JSON, CSV, or a table for a terminal ([`table`]): sums in money first, the
//! under-provisioned as prominent as the over-provisioned, the largest changes first.

mod page;
mod since;
mod steps;
mod terminal;

use std::fmt::Write as _;

pub use page::html;
use serde::Serialize;

pub use self::terminal::table;
use super::plain;
pub use crate::rightsize::changed::{Changed, Earlier};
use crate::rightsize::gpu::GpuUse;
use crate::rightsize::review::Review;
use crate::rightsize::traffic::ModelUse;
use crate::rightsize::{Assessment, Provisioning, Resource};
use crate::units::{bytes, cores, grouped, minutes, money, percent};

/// What [`json`] writes, as a JSON Schema. A test makes it of the types themselves.
pub const SCHEMA: &str = include_str!("review/review.schema.json");

/// For programs. Ends with a line break.
#[must_use]
pub fn json(review: &Review, changed: Option<&Changed>) -> String {
    // Every part is a plain structure with text keys and finite numbers, which cannot fail.
    serde_json::to_string_pretty(&Whole { review, changed }).unwrap_or_default() + "\n"
}

/// The JSON: a review, and what changed since an earlier one.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Whole<'a> {
    #[serde(flatten)]
    review: &'a Review,
    /// What changed since the earlier review, where there is one.
    changed: Option<&'a Changed>,
}

/// A line for each workload, for a spreadsheet. Amounts are plain numbers: cores, bytes, money a month.
///
/// # Errors
/// Only where memory cannot be written.
pub fn csv(review: &Review) -> Result<String, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "workload",
        "node",
        "image",
        "model",
        "replicas",
        "ended",
        "confidence",
        "confirmed",
        "minutes",
        "cpu_verdict",
        "cpu_requested_cores",
        "cpu_p95_cores",
        "cpu_max_cores",
        "cpu_throttled",
        "cpu_recommended_cores",
        "cpu_reason",
        "memory_verdict",
        "memory_requested_bytes",
        "memory_peak_bytes",
        "oom_kills",
        "memory_recommended_bytes",
        "memory_reason",
        "cost_month",
        "saving_month",
        "currency",
        "patch",
    ])?;
    for a in &review.workloads {
        let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let text = |value: Option<&String>| harmless(value.map_or("", String::as_str));
        let patch = a.patches.first().map(|patch| patch.text.as_str()).unwrap_or_default();
        out.write_record([
            harmless(&a.workload.name),
            harmless(&a.workload.node),
            text(a.workload.image.as_ref()),
            text(a.workload.model.as_ref()),
            a.replicas.to_string(),
            a.ended.to_string(),
            a.confidence.name().to_owned(),
            a.confirmed.to_string(),
            a.history.minutes.to_string(),
            a.cpu.provisioning.name().to_owned(),
            number(a.cpu.requested),
            number(a.used.cpu_p95),
            number(a.used.cpu_max),
            number(a.used.throttled),
            number(a.cpu.recommended),
            a.cpu.reason.clone(),
            a.memory.provisioning.name().to_owned(),
            number(a.memory.requested),
            number(a.used.memory_peak),
            a.used.oom_kills.map(|kills| kills.to_string()).unwrap_or_default(),
            number(a.memory.recommended),
            a.memory.reason.clone(),
            format!("{:.4}", a.cost),
            format!("{:.4}", a.saving),
            review.prices.currency.clone(),
            harmless(patch),
        ])?;
    }
    let bytes = out.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Names come from containers: a spreadsheet would take some for formulas.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// The workloads by what is to be done about them, each list with the largest change first.
struct Parts<'a> {
    under: Vec<&'a Assessment>,
    over: Vec<&'a Assessment>,
    unset: Vec<&'a Assessment>,
    rest: Vec<&'a Assessment>,
    ended: Vec<&'a Assessment>,
}

impl<'a> Parts<'a> {
    fn of(review: &'a Review) -> Self {
        let mut parts = Self { under: vec![], over: vec![], unset: vec![], rest: vec![], ended: vec![] };
        for a in &review.workloads {
            let list = match a {
                a if a.ended => &mut parts.ended,
                a if a.is(Provisioning::Under) => &mut parts.under,
                a if a.is(Provisioning::Over) => &mut parts.over,
                a if a.is(Provisioning::Unset) => &mut parts.unset,
                _ => &mut parts.rest,
            };
            list.push(a);
        }
        // Who was killed or throttled stands before who is only near a limit.
        parts.under.sort_by_key(|a| !a.confirmed);
        parts
    }

    /// Each list with its heading; an empty one says so where it matters.
    fn sections(&self) -> [(&'static str, &[&'a Assessment], Option<&'static str>); 4] {
        [
            ("Under-provisioned", &self.under, Some("No workload requests less than it needs.")),
            ("Over-provisioned", &self.over, Some("No workload requests more than it needs.")),
            ("No request", &self.unset, None),
            ("Fits, or no verdict", &self.rest, None),
        ]
    }
}

fn title(review: &Review) -> String {
    match review.nodes.as_slice() {
        [] => "Capacity review".to_owned(),
        nodes => format!("Capacity review of {}", nodes.join(", ")),
    }
}

/// The time that was asked for, and what there is history of.
fn period(review: &Review) -> String {
    let requested = format!("{} to {}", time(review.since), time(review.until));
    match review.covered {
        Some((first, last)) => format!("{requested}; history from {} to {}", time(first), time(last)),
        None => format!("{requested}; no history of containers"),
    }
}

/// The sums in sentences.
fn sums(review: &Review) -> Vec<String> {
    let t = &review.totals;
    let money = |amount: f64| money(amount, &review.prices.currency);
    let mut lines = vec![
        format!(
            "{} workloads cost {} a month. {} could be saved: {} confirmed, the rest to investigate.",
            t.workloads,
            money(t.cost),
            money(t.saving),
            money(t.confirmed_saving)
        ),
        format!(
            "{} are over-provisioned, {} under-provisioned; what the latter need costs {} more a month.",
            t.over_provisioned,
            t.under_provisioned,
            money(t.needed)
        ),
    ];
    if t.no_request + t.no_verdict > 0 {
        lines.push(format!(
            "{} have no request or limit; {} have no verdict on CPU or memory: not enough history, or an unknown request.",
            t.no_request, t.no_verdict
        ));
    }
    if !review.gpus.is_empty() {
        lines.push(format!(
            "{} GPUs cost {} a month: {} of it while held idle, {} while free.",
            review.gpus.len(),
            money(t.gpu_cost),
            money(t.gpu_held_idle_cost),
            money(t.gpu_free_cost)
        ));
    }
    lines
}

/// The rules and prices behind it.
fn method(review: &Review) -> Vec<String> {
    let p = &review.prices;
    let mut lines = vec![
        "CPU: the 95th percentile, over the minutes, of each minute's 95th percentile of one-second readings, plus a margin of \
         15 %; memory: the peak working set plus 15 %, or 25 % above the limit after an OOM kill (percentile and margins \
         as configured)."
            .to_owned(),
        "Confirmed: throttled, OOM killed, or at least a day of history. Investigate: less than that. Throttling and \
         OOM kills count from the last change of the limit."
            .to_owned(),
        format!(
            "Prices: {} per core-hour, {} per GiB-hour of memory, {} per GPU-hour unless its model has a price of its own, in {}; a \
             month has 730 hours. A workload costs what it requests, or what it uses where that is more.",
            p.cpu_core_hour, p.memory_gib_hour, p.gpu_hour, p.currency
        ),
    ];
    if !p.gpu_model_hour.is_empty() {
        let models: Vec<String> = p.gpu_model_hour.iter().map(|(model, price)| format!("{model} {price}")).collect();
        lines.push(format!("GPU prices by model: {}.", models.join(", ")));
    }
    lines
}

/// What stands in the place of a request.
fn missing(resource: &Resource) -> &'static str {
    if resource.provisioning == Provisioning::Unset { "none" } else { "unknown" }
}

fn change(resource: &Resource, unit: fn(f64) -> String) -> String {
    match (resource.requested, resource.recommended) {
        (Some(requested), Some(to)) if resource.changes() => format!("{} → {}", unit(requested), unit(to)),
        (Some(requested), _) => unit(requested),
        (None, Some(to)) => format!("{} → {}", missing(resource), unit(to)),
        (None, None) => missing(resource).to_owned(),
    }
}

fn worth(a: &Assessment, review: &Review) -> String {
    let money = |amount: f64| money(amount, &review.prices.currency);
    let cost = match a.replicas {
        1 => money(a.cost),
        replicas => format!("{} for {replicas} replicas", money(a.cost)),
    };
    match a.saving {
        saving if saving > 0.0 => format!("saves {} of {cost}", money(saving)),
        saving if saving < 0.0 => format!("costs {} more than {cost}", money(-saving)),
        _ => cost,
    }
}

fn trust(a: &Assessment) -> String {
    let seen = minutes(a.history.minutes);
    let word = if a.confirmed { "confirmed" } else { "investigate" };
    format!("{word}; confidence {}, {seen} of history", a.confidence.name())
}

/// The node, where the review is of several.
fn on(node: &str, review: &Review) -> String {
    if review.nodes.len() > 1 { format!(" on {node}") } else { String::new() }
}

fn model_line(model: &ModelUse, review: &Review) -> [String; 6] {
    let verdict = match model.drift {
        Some(true) if model.provisional => format!("drifts from its own first rows: {}", model.drifted.join(", ")),
        Some(true) => format!("drifts: {}", model.drifted.join(", ")),
        Some(false) => "no drift".to_owned(),
        None => "no verdict".to_owned(),
    };
    let performance = match (&model.measure, model.performance) {
        (Some(measure), Some(now)) => {
            let before = model.reference_performance.map_or_else(String::new, |before| format!("{before:.3} → "));
            format!("{} {before}{now:.3}", measure.replace('_', " "))
        }
        _ => "no labels".to_owned(),
    };
    let share = model.drifting.map_or_else(|| "–".to_owned(), percent);
    let cost = model.cost_per_thousand.map_or_else(
        || if model.predictions == 0 { "no traffic".to_owned() } else { "no container is labelled".to_owned() },
        |cost| money(cost, &review.prices.currency),
    );
    [format!("{}{}", model.key, on(&model.node, review)), verdict, share, performance, grouped(model.predictions), cost]
}

const MODEL_HEADS: [&str; 6] =
    ["Model", "Drift", "Share of time drifting", "Performance", "Predictions", "Cost of 1000"];

fn gpu_line(gpu: &GpuUse, review: &Review) -> [String; 8] {
    let share = |share: Option<f64>| share.map_or_else(|| "unknown".to_owned(), percent);
    let cost =
        |cost: Option<f64>| cost.map_or_else(|| "unknown".to_owned(), |cost| money(cost, &review.prices.currency));
    let peak = gpu.memory_peak.map_or_else(|| "unknown".to_owned(), bytes);
    let total = gpu.memory_total.map_or_else(String::new, |total| format!(" of {}", bytes(total as f64)));
    [
        format!("GPU {} {}{}", gpu.index, gpu.model.as_deref().unwrap_or("of unknown model"), on(&gpu.node, review)),
        money(gpu.cost, &review.prices.currency),
        share(gpu.active),
        format!("{} ({})", share(gpu.held_idle), cost(gpu.held_idle_cost)),
        format!("{} ({})", share(gpu.free), cost(gpu.free_cost)),
        share(gpu.utilization_p50),
        share(gpu.utilization_p95),
        format!("{peak}{total}"),
    ]
}

const GPU_HEADS: [&str; 8] =
    ["GPU", "A month", "Active", "Held idle", "Free", "Utilization p50", "Utilization p95", "Peak memory"];

/// For a pull request or a ticket.
#[must_use]
pub fn markdown(review: &Review, changed: Option<&Changed>) -> String {
    let mut text = format!("# {}\n\n", escaped(&title(review)));
    let _ = writeln!(text, "{}\n", period(review));
    for line in sums(review) {
        let _ = writeln!(text, "- {line}");
    }
    if let Some(changed) = changed {
        let _ = writeln!(text, "\n## {}\n", since::head(changed));
        for line in since::lines(changed, &review.prices.currency) {
            let _ = writeln!(text, "- {}", escaped(&line));
        }
    }
    let parts = Parts::of(review);
    for (head, list, empty) in parts.sections() {
        if list.is_empty() {
            if let Some(empty) = empty {
                let _ = write!(text, "\n## {head}\n\n{empty}\n");
            }
            continue;
        }
        let _ = write!(text, "\n## {head} ({})\n\n", list.len());
        text += &row(&["Workload", "CPU", "Memory", "A month", "Why"]);
        text += &row(&["---"; 5]);
        for a in list {
            let why = format!("{}; {} ({})", a.cpu.reason, a.memory.reason, trust(a));
            text +=
                &row(&[&a.workload.name, &change(&a.cpu, cores), &change(&a.memory, bytes), &worth(a, review), &why]);
        }
        if list.iter().any(|a| !a.patches.is_empty()) {
            text += "\n```sh\n";
            for patch in list.iter().flat_map(|a| &a.patches).filter(|patch| patch.tool.is_command()) {
                let _ = writeln!(text, "{}", plain(&patch.text));
            }
            text += "```\n";
        }
    }
    if !review.gpus.is_empty() {
        text += "\n## GPUs\n\n";
        text += &row(&GPU_HEADS);
        text += &row(&["---"; 8]);
        for gpu in &review.gpus {
            text += &row(&gpu_line(gpu, review));
        }
    }
    if !review.models.is_empty() {
        text += "\n## Models\n\n";
        text += &row(&MODEL_HEADS);
        text += &row(&["---"; 6]);
        for model in &review.models {
            text += &row(&model_line(model, review));
        }
    }
    if !parts.ended.is_empty() {
        let names: Vec<String> = parts.ended.iter().map(|a| escaped(&a.workload.name)).collect();
        let _ = write!(text, "\n## Ended\n\nNot in the sums: {}.\n", names.join(", "));
    }
    text += "\n## Method\n\n";
    for line in method(review) {
        let _ = writeln!(text, "- {line}");
    }
    text
}

fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| escaped(cell.as_ref())).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Names come from containers: none ends a cell, begins a tag, or moves the cursor.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '|' | '`' | '[' | ']' | '!' | '*' | '_' | '#' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test is told by the environment to write the schema anew")]
    fn the_schema_is_of_what_is_written() {
        let settings = schemars::generate::SchemaSettings::draft2020_12();
        let schema = settings.into_generator().into_root_schema_for::<Whole<'static>>();
        let made = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::env::var_os("PLUMBLINE_BLESS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/review/review.schema.json");
            std::fs::write(path, &made).expect("written");
        }
        assert!(
            made == SCHEMA,
            "src/report/review/review.schema.json is of other types; PLUMBLINE_BLESS=1 writes it anew"
        );
    }
}
