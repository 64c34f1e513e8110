//! The review as a page of its own: what it costs, wastes and risks on the first screen with the changes that are worth most; then each
//! workload with what it used beside what it asks for.

use jiff::Timestamp;
use maud::{Markup, html};

use super::since;
use super::steps::{Step, YEAR, steps};
use super::{GPU_HEADS, MODEL_HEADS, Parts, change, gpu_line, method, model_line, period, sums, title, trust, worth};
use crate::chart::course::{Course, Kind, Line, course};
use crate::chart::{self, Level, Piece};
use crate::report::document::{Answer, Stands, answers, document, scrolled};
use crate::report::plain;
use crate::rightsize::changed::Changed;
use crate::rightsize::gpu::GpuUse;
use crate::rightsize::patch::Patch;
use crate::rightsize::review::Review;
use crate::rightsize::usage::Hour;
use crate::rightsize::{Assessment, Provisioning, Resource};
use crate::units::{bytes, cores, money, percent};

/// Changes on the first page.
const FIRST: usize = 10;
const HOUR: i64 = 3600;

/// A page of its own: no script, nothing loaded from elsewhere.
#[must_use]
pub fn html(review: &Review, changed: Option<&Changed>) -> String {
    let parts = Parts::of(review);
    let steps = steps(review);
    let body = html! {
        h1 { (plain(&title(review))) }
        p.verdict { (verdict(review)) }
        p.soft { (period(review)) }
        (answers(&[cost(review), wasted(review), risk(review)]))
        (first(&steps, review))
        @if let Some(changed) = changed {
            section aria-labelledby="since" {
                h2 #since { (since::head(changed)) }
                ul.said { @for line in since::lines(changed, &review.prices.currency) { li { (plain(&line)) } } }
            }
        }
        @for (at, (head, list, empty)) in parts.sections().into_iter().enumerate() {
            @if !list.is_empty() || empty.is_some() {
                section aria-labelledby={ "part-" (at) } {
                    h2 id={ "part-" (at) } { (head) @if !list.is_empty() { " (" (list.len()) ")" } }
                    @if list.is_empty() { p.soft { (empty.unwrap_or_default()) } }
                    // What fits needs no patch and no chart.
                    @if at < 3 { @for a in list { (workload(a, review)) } } @else if !list.is_empty() { (fitting(list, review)) }
                }
            }
        }
        @if !review.gpus.is_empty() {
            section aria-labelledby="gpus" {
                h2 #gpus { "GPUs" }
                p.key { @for (level, words) in LEVELS { span { span class={ "swatch " (level.class()) } {} (words) } } }
                @for gpu in &review.gpus { (ribbon(gpu, review)) }
                (table("GPUs", &GPU_HEADS, &review.gpus.iter().map(|gpu| gpu_line(gpu, review)).collect::<Vec<_>>()))
            }
        }
        @if !review.models.is_empty() {
            section aria-labelledby="models" {
                h2 #models { "Models" }
                (table("Models", &MODEL_HEADS, &review.models.iter().map(|model| model_line(model, review)).collect::<Vec<_>>()))
            }
        }
        @if !parts.ended.is_empty() {
            section aria-labelledby="ended" {
                h2 #ended { "Ended" }
                p.soft { "Not in the sums: " @for (at, a) in parts.ended.iter().enumerate() {
                    @if at > 0 { ", " } (plain(&a.workload.name))
                } "." }
            }
        }
        section aria-labelledby="method" {
            h2 #method { "Method" }
            ul.said { @for line in sums(review).iter().chain(&method(review)) { li { (plain(line)) } } }
        }
    };
    document(&plain(&title(review)), &body)
}

/// All in a sentence.
fn verdict(review: &Review) -> String {
    let t = &review.totals;
    let money = |amount: f64| money(amount, &review.prices.currency);
    let all = t.cost + t.gpu_cost;
    let waste = match t.wasted() {
        wasted if wasted > 0.0 && all > 0.0 => {
            format!("{} of {} a month are wasted ({})", money(wasted), money(all), percent(wasted / all))
        }
        _ => format!("It costs {} a month, and no waste is confirmed", money(all)),
    };
    match t.under_provisioned {
        0 => format!("{waste}; no workload is at risk."),
        1 => format!("{waste}; one of {} workloads is at risk.", t.workloads),
        under => format!("{waste}; {under} of {} workloads are at risk.", t.workloads),
    }
}

/// A bar of parts: their class and size; the rest of the whole is left.
fn split(parts: &[(&'static str, f64)], whole: f64, text: &str) -> Markup {
    let mut at = 0.0;
    let placed: Vec<(&str, f64, f64)> = parts
        .iter()
        .map(|(class, size)| {
            let (from, wide) = (at, (size / whole.max(f64::MIN_POSITIVE) * 100.0).clamp(0.0, 100.0));
            at += wide;
            (*class, from, wide)
        })
        .collect();
    html! {
        svg.split viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=(text) {
            title { (text) }
            rect.all width="100" height="8" {}
            @for (class, from, wide) in placed { rect class=(class) x=(format!("{from:.1}")) width=(format!("{wide:.1}")) height="8" {} }
        }
    }
}

fn cost(review: &Review) -> Answer {
    let t = &review.totals;
    let money = |amount: f64| money(amount, &review.prices.currency);
    let all = t.cost + t.gpu_cost;
    let mut words = vec![format!("{} for CPU and memory of {} workloads.", money(t.cost), t.workloads)];
    if !review.gpus.is_empty() {
        words.push(format!("{} for {} GPUs.", money(t.gpu_cost), review.gpus.len()));
    }
    words.push(format!("{} a year.", money(all * YEAR)));
    let text = format!(
        "{} of it for workloads, {} for GPUs",
        percent(t.cost / all.max(1e-9)),
        percent(t.gpu_cost / all.max(1e-9))
    );
    let picture = split(&[("used", t.cost), ("idle", t.gpu_cost)], all, &text);
    let figure = format!("{} a month", money(all));
    Answer { question: "What does it cost?", stands: Stands::Well, figure, picture, words }
}

fn wasted(review: &Review) -> Answer {
    let t = &review.totals;
    let money = |amount: f64| money(amount, &review.prices.currency);
    let (all, wasted) = (t.cost + t.gpu_cost, t.wasted());
    let (sizes, idle) = (t.confirmed_saving, t.gpu_held_idle_cost + t.gpu_free_cost);
    let mut words = vec![format!("{} asked for and not needed.", money(sizes))];
    if !review.gpus.is_empty() {
        words.push(format!(
            "{} for GPUs held idle, {} for free ones.",
            money(t.gpu_held_idle_cost),
            money(t.gpu_free_cost)
        ));
    }
    let more = t.saving - t.confirmed_saving;
    if more >= 0.01 {
        words.push(format!("{} more may be: to investigate.", money(more)));
    }
    let text = format!(
        "{} asked for and not needed, {} on GPUs that compute nothing",
        percent(sizes / all.max(1e-9)),
        percent(idle / all.max(1e-9))
    );
    Answer {
        question: "What is wasted?",
        stands: if wasted > 0.0 { Stands::Wrong } else { Stands::Well },
        figure: format!("{} a month", money(wasted)),
        picture: split(&[("wasted", sizes), ("idle", idle)], all, &text),
        words,
    }
}

fn risk(review: &Review) -> Answer {
    let running = || review.workloads.iter().filter(|a| !a.ended);
    let under = || running().filter(|a| a.is(Provisioning::Under));
    let killed = under().filter(|a| a.used.oom_kills.is_some_and(|kills| kills > 0)).count();
    let short = under().filter(|a| a.cpu.provisioning == Provisioning::Under).count();
    let (all, at_risk) = (running().count(), under().count());
    let unknown =
        running().filter(|a| a.resources().iter().all(|(_, of)| of.provisioning == Provisioning::Unknown)).count();
    let mut words = Vec::new();
    if at_risk == 0 {
        words.push("Nothing asks for less than it needs.".to_owned());
    } else {
        words.push(format!("{killed} killed for memory, {short} short of CPU."));
        words.push(format!(
            "What they need costs {} more a month.",
            money(review.totals.needed, &review.prices.currency)
        ));
    }
    if unknown > 0 {
        words.push(format!("{unknown} have no verdict yet."));
    }
    let stands = match (at_risk, all > unknown) {
        (0, true) => Stands::Well,
        (0, false) => Stands::Open,
        _ => Stands::Wrong,
    };
    let text = format!("{at_risk} of {all} workloads at risk");
    Answer {
        question: "What is at risk?",
        stands,
        figure: format!("{at_risk} of {all}"),
        picture: split(&[("wasted", at_risk as f64)], all as f64, &text),
        words,
    }
}

/// What is worth most, with a year's money.
fn first(steps: &[Step<'_>], review: &Review) -> Markup {
    let money = |amount: f64| money(amount, &review.prices.currency);
    let shown = || steps.iter().take(FIRST);
    let sum: f64 = shown().map(|step| step.month).sum();
    html! {
        section aria-labelledby="first" {
            h2 #first { @if steps.len() > FIRST { "The ten changes worth most" } @else { "The changes worth most" } }
            @if steps.is_empty() {
                p.soft { "No change saves anything." }
            } @else {
                (scrolled("Changes", &html! { table {
                    thead { tr { th scope="col" { "Change" } th scope="col" { "From, to" } th.number scope="col" { "Saved a year" } th scope="col" { "How sure" } } }
                    tbody { @for step in shown() { tr {
                        th scope="row" { @match step.of { Some(a) => { a href={ "#" (anchor(a)) } { (plain(&step.what)) } } None => { a href="#gpus" { (plain(&step.what)) } } } }
                        td.told { (plain(&step.how)) }
                        td.number { strong { (money(step.month * YEAR)) } }
                        td { @if step.confirmed { span class="pill good" { "confirmed" } } @else { span class="pill" { "investigate" } } }
                    } } }
                } }))
                p { strong { (money(sum * YEAR)) } " a year, all of them together." @if steps.len() > FIRST { " " (steps.len() - FIRST) " smaller ones stand below." } }
            }
        }
    }
}

/// A name that an address can have.
fn anchor(a: &Assessment) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("w-{}-{}", a.workload.node, a.workload.name).chars().map(safe).collect()
}

fn table<const N: usize>(name: &str, heads: &[&str; N], rows: &[[String; N]]) -> Markup {
    scrolled(
        name,
        &html! { table {
            thead { tr { @for head in heads { th.told scope="col" { (head) } } } }
            tbody { @for row in rows { tr { @for (at, cell) in row.iter().enumerate() {
                @if at == 0 { th scope="row" { (plain(cell)) } } @else { td { (plain(cell)) } }
            } } } }
        } },
    )
}

fn pill(resource: &Resource, name: &str) -> Markup {
    let class = match resource.provisioning {
        Provisioning::Under => "pill bad",
        Provisioning::Over => "pill warn",
        Provisioning::Fits => "pill good",
        Provisioning::Unset | Provisioning::Unknown => "pill",
    };
    html! { span class=(class) { (name) ": " (resource.provisioning.name()) } }
}

/// A workload with its use beside what it asks for.
fn workload(a: &Assessment, review: &Review) -> Markup {
    html! {
        article id=(anchor(a)) {
            h3 { (plain(&a.workload.name)) " " (pill(&a.cpu, "CPU")) " " (pill(&a.memory, "memory")) }
            p.soft {
                (worth(a, review)) "; " (trust(a))
                @for word in [&a.workload.image, &a.workload.model].into_iter().flatten() { "; " (plain(word)) }
            }
            div class="sides even" {
                (resource("CPU", &a.cpu, &a.used.hours, |hour| hour.cpu, cores))
                (resource("Memory", &a.memory, &a.used.hours, |hour| hour.memory, bytes))
            }
            @if let [first, others @ ..] = a.patches.as_slice() {
                (patched(first))
                @if !others.is_empty() { details { summary { "Other ways to say it" } @for patch in others { (patched(patch)) } } }
            }
        }
    }
}

/// What to apply, with its own line breaks, and what it does besides.
fn patched(patch: &Patch) -> Markup {
    let lines: Vec<String> = patch.text.lines().map(plain).collect();
    html! {
        pre { (lines.join("\n")) }
        @if let Some(note) = &patch.note { p.soft { small { (plain(note)) } } }
    }
}

fn resource(
    name: &str,
    resource: &Resource,
    hours: &[Hour],
    value: fn(&Hour) -> Option<f64>,
    unit: fn(f64) -> String,
) -> Markup {
    let class = match resource.provisioning {
        Provisioning::Under => "under",
        Provisioning::Over => "over",
        _ => "",
    };
    let set = |kind, name, amount: Option<f64>| Some(Line { kind, name, values: vec![Some(amount?); hours.len()] });
    let used = Line { kind: Kind::Used, name: "peak of each hour", values: hours.iter().map(value).collect() };
    let proposal = resource.recommended.filter(|_| resource.changes());
    let lines: Vec<Line> = [used]
        .into_iter()
        .chain(set(Kind::Request, "asked for", resource.requested))
        .chain(set(Kind::Proposal, "proposed", proposal))
        .collect();
    let text = format!("{name}: {}; {}", change(resource, unit), resource.reason);
    html! {
        div {
            p { strong class=(class) { (name) " " (change(resource, unit)) } br; small { (plain(&resource.reason)) } }
            @if hours.len() > 1 {
                (course(&Course::of(
                    hours.first().map_or(Timestamp::UNIX_EPOCH, |hour| hour.hour),
                    HOUR, &lines, &[], unit, &plain(&text),
                )))
            }
        }
    }
}

/// Workloads that need nothing, a line each.
fn fitting(list: &[&Assessment], review: &Review) -> Markup {
    scrolled(
        "Workloads",
        &html! { table {
            thead { tr { @for head in ["Workload", "CPU", "Memory", "A month"] { th scope="col" { (head) } } } }
            tbody { @for a in list { tr id=(anchor(a)) {
                th scope="row" { (plain(&a.workload.name)) @if let Some(model) = &a.workload.model { br; small { (plain(model)) } } }
                td.told { (pill(&a.cpu, "CPU")) " " (change(&a.cpu, cores)) (chart::peaks(&a.used.hourly(|hour| hour.cpu), a.cpu.requested, cores)) br; small { (plain(&a.cpu.reason)) } }
                td.told { (pill(&a.memory, "memory")) " " (change(&a.memory, bytes)) (chart::peaks(&a.used.hourly(|hour| hour.memory), a.memory.requested, bytes)) br; small { (plain(&a.memory.reason)) } }
                td { (worth(a, review)) br; small { (trust(a)) } }
            } } }
        } },
    )
}

const LEVELS: [(Level, &str); 3] =
    [(Level::Full, "computing"), (Level::Half, "held, computing nothing"), (Level::Low, "free")];

/// A GPU's states hour by hour: what it did most of each.
fn ribbon(gpu: &GpuUse, review: &Review) -> Markup {
    let pieces: Vec<Piece> = gpu
        .hours
        .iter()
        .map(|hour| {
            let states = [(hour.active, Level::Full), (hour.held_idle, Level::Half), (hour.free, Level::Low)];
            let most = states.into_iter().filter_map(|(share, level)| Some((share?, level)));
            (1, most.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, level)| level))
        })
        .collect();
    let share = |share: Option<f64>| share.map_or_else(|| "unknown".to_owned(), percent);
    let text = format!(
        "computing {}, held idle {}, free {} of the time",
        share(gpu.active),
        share(gpu.held_idle),
        share(gpu.free)
    );
    let name = gpu_line(gpu, review)[0].clone();
    html! {
        figure.course {
            figcaption { strong { (plain(&name)) } " " small { (text) } }
            @if !pieces.is_empty() { (chart::strip(&pieces, &format!("{}: {text}", plain(&name)))) }
            @if let (Some(first), Some(last)) = (gpu.hours.first(), gpu.hours.last()) {
                p.ends { small { (super::time(first.hour)) } small { (super::time(last.hour)) } }
            }
        }
    }
}
