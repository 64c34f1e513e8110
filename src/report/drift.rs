//! A comparison of two data sets as a table, JSON, Markdown or a page of HTML.

use std::fmt::Write as _;

use maud::{DOCTYPE, PreEscaped, html};

use super::plain;
use crate::drift::comparison::Comparison;
use crate::drift::verdict::{Judged, Named, Verdict};
use crate::drift::words::{self, number};
use crate::drift::{Kind, TESTS, Test};

/// For programs. Ends with a line break.
#[must_use]
pub fn json(comparison: &Comparison) -> String {
    // Every part is a plain structure with text keys and finite numbers, which cannot fail.
    serde_json::to_string_pretty(comparison).unwrap_or_default() + "\n"
}

/// The tests that have a column: those that are run where none are chosen, and what else was run.
fn shown(comparison: &Comparison) -> Vec<&'static Test> {
    let run = comparison.features.iter().flat_map(|judged| &judged.tests).map(|tested| tested.test.as_str());
    TESTS.iter().filter(|test| test.default || run.clone().any(|name: &str| name == test.name)).collect()
}

/// The head of each column of the table of features.
fn heads(tests: &[&Test]) -> Vec<String> {
    let mut heads = ["feature", "kind", "drift", "what", "effect", "threshold", "p"].map(str::to_owned).to_vec();
    heads.extend(tests.iter().map(|test| test.name.replace('_', "-")));
    heads.push("missing".to_owned());
    heads
}

/// Those that drift first, then by how near they are to it.
fn ordered(comparison: &Comparison) -> Vec<&Judged> {
    let mut features: Vec<&Judged> = comparison.features.iter().collect();
    features.sort_by(|a, b| (a.verdict as u8).cmp(&(b.verdict as u8)).then(b.distance().total_cmp(&a.distance())));
    features
}

fn cells(judged: &Judged, tests: &[&Test]) -> Vec<String> {
    let kind = match judged.kind {
        Kind::Numeric => "numeric",
        Kind::Categorical => "categorical",
    };
    let verdict = match judged.verdict {
        Verdict::Drift => "DRIFT",
        Verdict::TooFewRows => "too few rows",
        Verdict::NoDrift => "no",
        Verdict::Undefined => "unknown",
    };
    let mut cells = vec![judged.name.clone(), kind.to_owned(), verdict.to_owned()];
    for cell in [words::what(judged), words::size(judged), words::threshold(judged), words::p_value(judged)] {
        cells.push(cell.unwrap_or_else(dash));
    }
    for test in tests {
        let tested = judged.tests.iter().find(|tested| tested.test == test.name);
        cells.push(tested.and_then(|tested| tested.statistic).map_or_else(dash, number));
    }
    cells.push(match (judged.reference_missing, judged.current_missing) {
        (Some(reference), Some(current)) if reference + current > 0.0 => {
            format!("{} to {}", percent(reference), percent(current))
        }
        (Some(_), Some(_)) => "none".to_owned(),
        _ => dash(),
    });
    cells
}

fn dash() -> String {
    "-".to_owned()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A whole number with its thousands apart.
fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What is to be said of the whole, in one line.
fn verdict(comparison: &Comparison) -> String {
    let summary = &comparison.summary;
    let mut text = if summary.drift {
        format!("{} of {} features drift: {}", summary.drifted, summary.features, summary.drifted_features.join(", "))
    } else {
        format!("no drift in {} features", summary.features)
    };
    if summary.undecided > 0 {
        let _ = write!(text, "; {} without a verdict: too few values", summary.undecided);
    }
    text
}

/// Everything else worth a line: schema findings, categories that came or went.
fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes: Vec<String> =
        comparison.schema.iter().map(|finding| format!("{}: {}", finding.column, finding.message)).collect();
    let named = |named: &Named| {
        let more = if named.count > named.names.len() as u64 { ", ..." } else { "" };
        format!("{} ({}{more})", named.count, named.names.join(", "))
    };
    for judged in &comparison.features {
        notes.extend(words::needed(judged).map(|needed| format!("{}: {needed}", judged.name)));
        if judged.new_categories.count > 0 {
            notes.push(format!("{}: new categories: {}", judged.name, named(&judged.new_categories)));
        }
        if judged.vanished_categories.count > 0 {
            notes.push(format!("{}: vanished categories: {}", judged.name, named(&judged.vanished_categories)));
        }
    }
    notes
}

/// Measure, reference, current.
fn performance(comparison: &Comparison) -> Vec<[String; 3]> {
    let Some(both) = &comparison.performance else { return Vec::new() };
    let Some(any) = both.reference.as_ref().or(both.current.as_ref()) else { return Vec::new() };
    let find = |side: &Option<crate::performance::Performance>, name: &str| {
        side.as_ref().and_then(|p| p.measures().find(|(n, _)| *n == name)).map_or_else(dash, |(_, v)| number(v))
    };
    let rows = |side: &Option<crate::performance::Performance>| side.as_ref().map_or_else(dash, |p| whole(p.rows));
    let names = both.reference.iter().chain(&both.current).flat_map(|p| p.measures().map(|(name, _)| name));
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    let mut table = vec![["labelled rows".to_owned(), rows(&both.reference), rows(&both.current)]];
    if let Some(positive) = &any.positive {
        table.push(["positive class".to_owned(), positive.clone(), positive.clone()]);
    }
    table.extend(
        seen.iter().map(|name| [name.replace('_', " "), find(&both.reference, name), find(&both.current, name)]),
    );
    table
}

/// For a terminal.
#[must_use]
pub fn table(comparison: &Comparison, colour: bool) -> String {
    let paint =
        |code: &str, text: &str| if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() };
    let mut text = String::new();
    let sides = [("reference", &comparison.reference), ("current", &comparison.current)];
    for (role, side) in sides {
        let _ = writeln!(text, "{role:<10} {}  {} rows", plain(&side.name), whole(side.rows));
    }
    let code = if comparison.summary.drift { "1;31" } else { "1;32" };
    let _ = writeln!(text, "{}\n", paint(code, &plain(&verdict(comparison))));

    let tests = shown(comparison);
    let mut rows = vec![heads(&tests).into_iter().map(|head| head.to_uppercase()).collect::<Vec<_>>()];
    rows.extend(
        ordered(comparison).into_iter().map(|judged| cells(judged, &tests).iter().map(|cell| plain(cell)).collect()),
    );
    for (at, line) in aligned(&rows).into_iter().enumerate() {
        let line = match (at, rows[at][2].as_str()) {
            (0, _) => paint("1", &line),
            (_, "DRIFT") => paint("31", &line),
            _ => line,
        };
        let _ = writeln!(text, "{line}");
    }
    let performance = performance(comparison);
    if !performance.is_empty() {
        let mut rows = vec![["PERFORMANCE", "REFERENCE", "CURRENT"].map(str::to_owned).to_vec()];
        rows.extend(performance.into_iter().map(|row| row.map(|cell| plain(&cell)).to_vec()));
        let _ = writeln!(text, "\n{}", aligned(&rows).join("\n"));
    }
    let notes = notes(comparison);
    if !notes.is_empty() {
        let _ = writeln!(text, "\n{}", notes.iter().map(|note| plain(note)).collect::<Vec<_>>().join("\n"));
    }
    text
}

fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|row| row.get(c)).map(|v| v.chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// For a pull request or a ticket.
#[must_use]
pub fn markdown(comparison: &Comparison) -> String {
    let escape = |cell: &String| plain(cell).replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;");
    let row = |cells: &[String]| format!("| {} |\n", cells.iter().map(escape).collect::<Vec<_>>().join(" | "));
    let mut text = String::from("# Drift\n\n");
    let _ = writeln!(text, "**{}**\n", escape(&verdict(comparison)));
    for (role, side) in [("Reference", &comparison.reference), ("Current", &comparison.current)] {
        let _ = writeln!(text, "- {role}: `{}`, {} rows", plain(&side.name), whole(side.rows));
    }
    text.push('\n');
    let tests = shown(comparison);
    let heads = heads(&tests);
    text += &row(&heads);
    text += &row(&vec!["---".to_owned(); heads.len()]);
    for judged in ordered(comparison) {
        text += &row(&cells(judged, &tests));
    }
    let performance = performance(comparison);
    if !performance.is_empty() {
        text += "\n## Performance\n\n| measure | reference | current |\n| --- | --- | --- |\n";
        for line in performance {
            text += &row(&line);
        }
    }
    let notes = notes(comparison);
    if !notes.is_empty() {
        text += "\n## Findings\n\n";
        for note in notes {
            let _ = writeln!(text, "- {}", escape(&note));
        }
    }
    text
}

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --drift: #c0392b; }
@media (prefers-color-scheme: dark) { :root { --drift: #ff7b6b; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left; white-space: nowrap; }
tr.drift td { color: var(--drift); }
.verdict { font-size: 1.2rem; font-weight: 600; }
.verdict.drift { color: var(--drift); }
";

/// A page of its own: no script, nothing loaded from elsewhere.
#[must_use]
pub fn html(comparison: &Comparison) -> String {
    let tests = shown(comparison);
    let performance = performance(comparison);
    let notes = notes(comparison);
    let drift = |yes: bool| if yes { "drift" } else { "" };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Drift: " (comparison.current.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Drift" }
                p class={ "verdict " (drift(comparison.summary.drift)) } { (verdict(comparison)) }
                ul {
                    @for (role, side) in [("Reference", &comparison.reference), ("Current", &comparison.current)] {
                        li { (role) ": " code { (side.name) } ", " (whole(side.rows)) " rows" }
                    }
                }
                div class="scroll" {
                    table {
                        thead { tr { @for head in heads(&tests) { th scope="col" { (head) } } } }
                        tbody {
                            @for judged in ordered(comparison) {
                                tr class=(drift(judged.drift == Some(true))) {
                                    @for cell in cells(judged, &tests) { td { (cell) } }
                                }
                            }
                        }
                    }
                }
                @if !performance.is_empty() {
                    h2 { "Performance" }
                    table {
                        thead { tr { th scope="col" { "measure" } th scope="col" { "reference" } th scope="col" { "current" } } }
                        tbody { @for row in performance { tr { @for cell in row { td { (cell) } } } } }
                    }
                }
                @if !notes.is_empty() {
                    h2 { "Findings" }
                    ul { @for note in notes { li { (note) } } }
                }
                h2 { "The tests" }
                dl {
                    @for test in &tests { dt { (test.name.replace('_', "-")) } dd { (test.help) } }
                }
            }
        }
    }
    .into_string()
        + "\n"
}
