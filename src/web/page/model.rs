//! A model's own page: the verdict, features with reference and current drawn over each other, drift and performance over time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::models::{alike, by_distance, cost, over_time, overlay_text, verdict};
use super::range::Range;
use super::timeline::{self, Past};
use super::{View, ago, section, told, unknown, wide};
use crate::chart;
use crate::chart::heat::{Heat, Row};
use crate::drift::moved::shortened;
use crate::drift::over_time::{self, Line};
use crate::drift::verdict::{Judged, Named, Verdict};
use crate::drift::words;
use crate::model::address;
use crate::model::streams::{Detector, Found};
use crate::model::view::{ModelView, ReferenceView, WindowResult, WindowSummary};
use crate::performance::Performance;
use crate::quality::{Check, Finding};
use crate::snapshot::relations::{ModelContainer, Thing};
use crate::units::{grouped, percent};

/// Windows drawn.
const WINDOWS: usize = 200;
/// Characters of a category's name.
const NAME: usize = 40;
/// Windows drawn by column, and columns.
const CELLS: usize = 60;
const ROWS: usize = 30;
/// Features listed.
const FEATURES: usize = 200;

pub fn sections(view: &View, place: usize, model: &ModelView, range: Option<Range>, past: &Past<'_>) -> Markup {
    html! {
        (summary(view, place, model))
        (section("time", "On one time axis", &timeline::section(view, model, range, past)))
        (section("features", "Features in the last window", &of_last(model)))
        (section("quality", "Data quality", &quality(model)))
        (section("drift", "Drift over time", &drift(model)))
        (section("performance", "Performance over time", &performance(view, model)))
        (section("estimate", "Estimated without labels", &told::without_labels(model)))
        @if model.has_groups() { (section("groups", "Groups", &told::groups(model))) }
        (section("parts", "Where it does worst", &told::parts(model)))
        @if let Some(found) = &model.versions { (section("versions", "Versions", &told::versions(found))) }
        @if let Some(explained) = &model.moved { (section("moved", "What moved it", &told::moved(explained))) }
        (section("served", "Served by", &served(view, place, model)))
    }
}

fn summary(view: &View, place: usize, model: &ModelView) -> Markup {
    let alerts: Vec<_> =
        view.snapshot.firing().filter_map(|(about, alert)| (about == Thing::Model(place)).then_some(alert)).collect();
    let counts = &model.counts;
    html! {
        section #summary aria-label="In short" {
            @if !alerts.is_empty() {
                ul.attention { @for alert in &alerts {
                    li class=(alert.severity.name()) {
                        span.tag { (alert.severity.name()) } " " (alert.message)
                        @if let Some(at) = alert.fired { " " small { (ago(view.now, at)) } }
                    }
                } }
            }
            dl.facts {
                dt { "Verdict" } dd { (verdict(model)) @if !model.verdict.columns.is_empty() { ": " (model.verdict.columns.join(", ")) } }
                dt { "Reference" } dd {
                    @match &model.reference {
                        Some(reference) => {
                            (grouped(reference.about.rows)) " rows, since "
                            (reference.about.since.strftime("%Y-%m-%d %H:%M UTC"))
                            @if reference.about.provisional { ", provisional: its own first rows" }
                            @if let Some(of) = &reference.about.profile { ", by the profile of " (of) }
                        }
                        None => { (unknown("none yet")) ". " code {
                            "curl -X PUT '" (view.base) (address::of("/v1/models", &model.key, "/reference"))
                            "' -H 'Content-Type: application/x-ndjson' --data-binary @train.ndjson"
                        } }
                    }
                }
                dt { "Samples" } dd {
                    (grouped(counts.samples)) ", " (grouped(counts.labels)) " labels"
                    @if counts.late + counts.too_late + counts.repeated + counts.unmatched > 0 {
                        " (" (counts.late) " late, " (counts.too_late) " too late, " (counts.repeated) " repeated, "
                        (counts.unmatched) " labels without a sample)"
                    }
                    @if counts.sampled_out > 0 {
                        "; " (grouped(counts.sampled_out)) " more sampled out"
                        @if counts.labels_sampled_out > 0 { ", with " (grouped(counts.labels_sampled_out)) " labels" }
                    }
                    @if counts.lost > 0 { "; " (grouped(counts.lost)) " lost with an agent that ended before their windows were judged" }
                    @if counts.elsewhere > 0 { ", " (grouped(counts.elsewhere)) " labels of other agents' samples" }
                }
                @if let Some(window) = &model.latest {
                    dt { "Last window" } dd {
                        (window.start.strftime("%Y-%m-%d %H:%M")) " to " (window.end.strftime("%Y-%m-%d %H:%M UTC")) ", "
                        (grouped(window.rows)) " rows"
                    }
                    @if !window.versions.is_empty() { dt { "Its versions" } dd { (window.versions.join(", ")) } }
                }
                @if !model.streams.is_empty() {
                    dt { "Value by value" } dd {
                        @for (at, (stream, found)) in model.streams.iter().enumerate() {
                            @if at > 0 { "; " } (stream.name()) ": " (changes(view, found))
                        }
                    }
                }
                dt { "Cost of 1000" } dd { (cost(view, place)) }
                @if !model.not_told.is_empty() {
                    dt { "Kept" } dd {
                        "counts, no row"
                        details { summary { "not told for that" } ul { @for what in model.not_told { li { (what) } } } }
                    }
                }
            }
            p { a href=(address::of("/api/v1/models", &model.key, "")) { "Everything as JSON" } }
        }
    }
}

fn of_last(model: &ModelView) -> Markup {
    html! {
        @match &model.latest {
            Some(window) => { (features(window, "last window")) }
            None => { p.empty { "No window has closed yet. A window closes once its end and the allowed lateness have passed." } }
        }
        @if !model.schema.is_empty() {
            ul { @for finding in &model.schema { li { strong { (finding.column) } ": " (finding.message) } } }
        }
    }
}

/// A window's columns beside the reference's, those that came nearest to drift first. `which` window, in the key.
pub fn features(window: &WindowResult, which: &str) -> Markup {
    let all = by_distance(&window.features);
    html! {
        @if all.is_empty() {
            p.empty { "There is no reference to compare the window with." }
        } @else {
            p.key { span.swatch.reference {} "reference " span.swatch.current {} (which) }
            (wide("Features", &html! { table {
                thead { tr {
                    th scope="col" { "Feature" } th scope="col" { "Verdict" } th scope="col" { "Reference and now" }
                    th scope="col" { "What moved" } th scope="col" { "Effect" } th scope="col" { "Threshold" } th scope="col" { "p" } th scope="col" { "Missing" }
                } }
                tbody { @for judged in all.iter().take(FEATURES) { (feature(judged)) } }
            } }))
            @if all.len() > FEATURES { p.empty { (all.len() - FEATURES) " more are in the JSON." } }
        }
    }
}

/// What each detector found in a stream.
fn changes(view: &View, found: &BTreeMap<Detector, Found>) -> String {
    let one = |(detector, found): (&Detector, &Found)| {
        let name = detector.name().replace('_', "-");
        match (found.changes, found.last) {
            (0, _) | (_, None) => format!("{name} no change in {} values", grouped(found.values)),
            (1, Some(at)) => format!("{name} 1 change in {} values, {} ago", grouped(found.values), ago(view.now, at)),
            (n, Some(at)) => {
                format!(
                    "{name} {} changes in {} values, the last {} ago",
                    grouped(n),
                    grouped(found.values),
                    ago(view.now, at)
                )
            }
        }
    };
    found.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What is wrong with the rows, check by check.
fn quality(model: &ModelView) -> Markup {
    let told = Check::ALL.iter().filter(|check| model.faults(**check).is_some()).count();
    html! {
        @if model.quality.is_empty() {
            p.empty {
                @if told == Check::ALL.len() { "Nothing found: " (Check::ALL.len()) " checks." }
                @else { "Nothing found. Most checks wait for a window with a verdict, against a reference that was given." }
            }
        } @else {
            (faults(&model.quality))
            @if model.verdict.provisional { small { "Against its own first rows: worth a look, not an alarm." } }
        }
    }
}

/// What is wrong with rows, a line each.
pub fn faults(found: &[Finding]) -> Markup {
    wide(
        "Data quality",
        &html! { table {
            thead { tr { th scope="col" { "Check" } th scope="col" { "Found" } th scope="col" { "Limit" } th scope="col" { "p" } } }
            tbody { @for finding in found.iter().take(FEATURES) { tr {
                th scope="row" title=(finding.check.rule()) { (finding.check.name().replace('_', " ")) }
                td.told { (finding.message) }
                td.number { (words::figure(finding.limit)) }
                td.number { (finding.p_adjusted.map_or_else(|| "–".to_owned(), words::chance)) }
            } } }
        } },
    )
}

fn feature(judged: &Judged) -> Markup {
    let cell = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let missing = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
    html! {
        tr {
            th scope="row" { (judged.name) br; small { (judged.kind.name()) } }
            td.told {
                @match judged.verdict {
                    Verdict::Drift => { strong { "drifts ⚠" } }
                    Verdict::NoDrift => { "no drift" }
                    Verdict::TooFewRows => { "too few rows" }
                    Verdict::Undefined => { (unknown("no verdict")) }
                }
                br; small { (reason(judged)) }
            }
            td {
                @if let Some(shape) = &judged.shape {
                    @match &shape.histogram {
                        Some(of) => { (chart::overlay(&edges(&of.edges), &of.reference, &of.current, true, &overlay_text(judged))) }
                        None => { (chart::overlay(&shape.bins, &shape.reference, &shape.current, true, &overlay_text(judged))) }
                    }
                }
                @if judged.new_categories.count > 0 {
                    small { (judged.new_categories.count) " new: " (names(&judged.new_categories)) }
                }
                @if judged.vanished_categories.count > 0 {
                    small { (judged.vanished_categories.count) " vanished: " (names(&judged.vanished_categories)) }
                }
            }
            td.told {
                (cell(words::moved(judged)))
                @if let Some(what) = words::what(judged) { br; small { (what) } }
            }
            td.number { (cell(words::size(judged))) }
            td.number { (cell(words::threshold(judged))) }
            td.number { (cell(words::p_value(judged))) }
            td.number { (missing(judged.reference_missing)) " → " (missing(judged.current_missing)) }
        }
    }
}

/// The sentence behind the verdict, which stands before it already.
fn reason(judged: &Judged) -> String {
    let sentence = words::sentence(judged);
    let verdicts = ["drifts: ", "does not drift: ", "no verdict: "];
    let reason = verdicts.iter().find_map(|verdict| sentence.strip_prefix(verdict)).map(str::to_owned);
    reason.unwrap_or(sentence)
}

/// What each bin holds, from edge to edge.
fn edges(edges: &[f64]) -> Vec<String> {
    edges.windows(2).map(|pair| words::from_to(pair[0], pair[1])).collect()
}

fn names(named: &Named) -> String {
    let names: Vec<String> = named.names.iter().map(|name| shortened(name, NAME)).collect();
    let more = if named.count > named.names.len() as u64 { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}

fn drift(model: &ModelView) -> Markup {
    let windows: Vec<_> = model.windows.iter().take(WINDOWS).rev().collect();
    let values: Vec<Option<f64>> = windows.iter().map(|w| w.drift.map(|_| w.drifted.len() as f64)).collect();
    if values.iter().all(Option::is_none) {
        return html! { p.empty { "No window has a verdict yet." } };
    }
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let drifting = windows.iter().filter(|w| w.drift == Some(true)).count();
    let text = format!("{drifting} of {} windows drift; at most {most:.0} columns drift in one", windows.len());
    html! {
        p { (text) }
        (chart::timeline(&values, None, Some(0.0), &text))
        (ends(windows.first().map(|w| w.start), windows.last().map(|w| w.end)))
        (by_column(model))
        (list(model))
    }
}

/// The last windows, each with a page of its own.
fn list(model: &ModelView) -> Markup {
    html! {
        details #windows {
            summary { "The last " (model.windows.len().min(CELLS)) " windows" }
            (wide("Windows", &html! { table {
                thead { tr { th scope="col" { "Ended" } th scope="col" { "Rows" } th scope="col" { "Verdict" } th scope="col" { "Drifts" } } }
                tbody { @for line in model.windows.iter().take(CELLS) { tr {
                    th scope="row" { a href=(address_of(model, line.end)) { (line.end.strftime("%Y-%m-%d %H:%M")) } }
                    td.number { (grouped(line.rows)) }
                    td { (said(line.drift)) }
                    td.told { (line.drifted.join(", ")) }
                } } }
            } }))
        }
    }
}

/// The page of a window that ended then.
pub fn address_of(model: &ModelView, end: Timestamp) -> String {
    address::of("/models", &model.key, &format!("/windows/{end}"))
}

/// A window's verdict in a word.
pub fn said(drift: Option<bool>) -> Markup {
    html! {
        @match drift {
            Some(true) => { strong { "drifts ⚠" } }
            Some(false) => { "no drift" }
            None => { (unknown("no verdict")) }
        }
    }
}

/// Each column's way through the last windows, the ones that drift most first.
fn by_column(model: &ModelView) -> Markup {
    let windows: Vec<&WindowSummary> = model.windows.iter().take(CELLS).rev().collect();
    let lines: Vec<Line<'_>> = windows.iter().map(|window| (window.drifted.as_slice(), &window.distances)).collect();
    let columns = over_time::by_column(&lines);
    if columns.is_empty() || windows.len() < 2 {
        return html! {};
    }
    let cell = |line: &Line<'_>, name: &str| {
        let (distance, drifts) = over_time::cell(*line, name);
        Heat::of(distance, drifts)
    };
    let row = |(name, drifts): &(&str, usize)| Row {
        name: (*name).to_owned(),
        note: format!("{drifts} of {}", windows.len()),
        cells: lines.iter().map(|line| cell(line, name)).collect(),
    };
    let rows: Vec<Row> = columns.iter().take(ROWS).map(row).collect();
    let drifting: Vec<String> = columns
        .iter()
        .take_while(|(_, drifts)| *drifts > 0)
        .take(5)
        .map(|(name, drifts)| format!("{name} in {drifts}"))
        .collect();
    let drifting = if drifting.is_empty() { "none drifts".to_owned() } else { drifting.join(", ") };
    let text = format!("windows with drift by column, of the last {}: {drifting}", windows.len());
    let time =
        |at: Option<&&WindowSummary>| at.map(|w| w.end.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    let link = |window: &&WindowSummary| {
        let when = window.end.strftime("%Y-%m-%d %H:%M");
        (address_of(model, window.end), format!("window to {when}: {} drift", window.drifted.len()))
    };
    let links: Vec<(String, String)> = windows.iter().map(link).collect();
    html! {
        h3 { "By column" }
        p.key { @for (heat, words) in Heat::ALL { span.level { span class={ "swatch " (heat.class()) } {} (words) } " " } }
        (wide("Drift by column and window", &chart::heat::heat(&rows, &links, [&time(windows.first()), &time(windows.last())], &text)))
        @if columns.len() > ROWS { p.empty { (columns.len() - ROWS) " more columns are in the JSON." } }
    }
}

fn performance(view: &View, model: &ModelView) -> Markup {
    let Some(leading) = model.leading() else {
        if model.counts.labels > 0 {
            return html! { p.empty { "No closed window has labels yet." } };
        }
        return html! { p.empty { "No labels yet. Send the first, with its sample's id: " code {
            "curl '" (view.base) (address::of("/v1/models", &model.key, "/labels"))
            "' -H 'Content-Type: application/json' -d '" r#"{"id": "1", "label": 1}"# "'"
        } } };
    };
    let mut values = over_time(model, leading.measure);
    let windows: Vec<_> = model.windows.iter().take(WINDOWS).rev().collect();
    values.drain(..values.len().saturating_sub(WINDOWS));
    let name = leading.measure.replace('_', " ");
    let reference =
        leading.reference.map_or_else(String::new, |reference| format!(", over the reference {reference:.3}"));
    let text = format!("{name} by window, now {:.3}{reference}", leading.now);
    let all = model.windows.iter().find_map(|window| window.performance.as_ref());
    html! {
        p { (text) }
        (chart::timeline(&values, leading.reference, None, &text))
        (ends(windows.first().map(|w| w.start), windows.last().map(|w| w.end)))
        @if let Some(all) = all {
            (measures(all, model.reference.as_ref(), "Now"))
            small { (grouped(all.rows)) " labelled rows in the newest window that has any" }
        }
    }
}

/// A window's measures beside the reference's.
pub fn measures(of: &Performance, reference: Option<&ReferenceView>, head: &str) -> Markup {
    let reference = reference.and_then(|reference| reference.performance.as_ref());
    let before = |name: &str| reference.and_then(|p| p.measures().find(|(measure, _)| *measure == name));
    let cell = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    let within = |name: &str| of.interval(name).map(|interval| format!("{:.4} to {:.4}", interval.low, interval.high));
    wide(
        "Measures",
        &html! { table.narrow {
            thead { tr { th scope="col" { "Measure" } th scope="col" { "Reference" } th scope="col" { (head) } th scope="col" { "In 95 of 100" } } }
            tbody { @for (name, value) in of.measures() { tr {
                th scope="row" { (name.replace('_', " ")) }
                td.number { (cell(before(name).map(|(_, value)| value))) }
                td.number { (cell(Some(value))) }
                td.number { (within(name).unwrap_or_else(|| "–".to_owned())) }
            } } }
        } },
    )
}

/// The times at the two ends of a chart.
fn ends(first: Option<Timestamp>, last: Option<Timestamp>) -> Markup {
    let shown = |at: Option<Timestamp>| at.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    html! { p.ends { span { (shown(first)) } span { (shown(last)) } } }
}

fn served(view: &View, place: usize, model: &ModelView) -> Markup {
    let serving: Vec<_> = view.snapshot.served_by(place).collect();
    let training: Vec<_> = view.snapshot.trained_by(place).collect();
    html! {
        @if serving.is_empty() {
            p.empty {
                "No container is labelled as serving this model. Label it: "
                code { "docker run --label plumbline.io/model=" (model.key.name) " …" }
                ". Then the cost of a thousand predictions is shown too."
            }
        } @else {
            (containers(view, &serving))
        }
        @if !training.is_empty() { h3 { "Trained by" } (containers(view, &training)) }
    }
}

/// Each with its GPUs, and the label that says so.
fn containers(view: &View, of_model: &[ModelContainer<'_>]) -> Markup {
    html! { ul { @for replicas in alike(view, of_model) { li {
        a href=(replicas.address) { (replicas.name) }
        @if replicas.count > 1 { span.number { " ×" (replicas.count) } }
        @for gpu in &replicas.gpus { ", GPU " (gpu) }
        " " small { "by " (replicas.source) }
    } } } }
}
