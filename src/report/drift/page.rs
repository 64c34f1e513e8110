//! The comparison as a page of its own: the verdict, three answers, an index, then every column with what moved. No script, nothing from
//! elsewhere.

use maud::{Markup, html};

use super::column::{column, word};
use super::{dash, measured, ordered, over_time, together, verdict, whole};
use crate::chart;
use crate::drift::TESTS;
use crate::drift::aspect::Aspect;
use crate::drift::comparison::{Comparison, FindingKind};
use crate::drift::moved::shortened;
use crate::drift::verdict::{Judged, Verdict};
use crate::drift::words::{self, chance, figure};
use crate::performance::verdict as performance;
use crate::quality::{Check, Finding};
use crate::report::document::{Answer, Stands, answers, document, scrolled};
use crate::report::plain;

/// Columns that are named in a sentence.
const NAMED: usize = 3;
/// Characters of a column's name in a sentence.
const NAME: usize = 40;

/// A page of its own: no script, nothing loaded from elsewhere.
#[must_use]
pub fn html(comparison: &Comparison, quality: Option<&[Finding]>) -> String {
    let columns = ordered(comparison);
    let class = if comparison.summary.drift { "verdict drift" } else { "verdict" };
    let body = html! {
        h1 { "Drift report" }
        p class=(class) { (plain(&verdict(comparison))) }
        dl.facts {
            @for (role, side) in [("Reference", &comparison.reference), ("Current", &comparison.current)] {
                dt { (role) } dd { code { (plain(&side.name)) } ", " (whole(side.rows)) " rows" }
            }
        }
        (answers(&[drift(comparison, &columns), quality_of(comparison, quality), does(comparison)]))
        (schema(comparison))
        (index(comparison, &columns))
        (over_time::picture(comparison))
        (together::correlations(quality))
        (together::together(comparison))
        (faults(quality))
        (measures(comparison))
        @if !columns.is_empty() {
            section aria-labelledby="columns" {
                h2 #columns { "Column by column" }
                @for (at, judged) in columns.iter().enumerate() { (column(comparison, at, judged)) }
            }
        }
        (meaning(&columns))
    };
    document(&format!("Drift: {}", plain(&comparison.current.name)), &body)
}

/// Do the columns still look as they did?
fn drift(comparison: &Comparison, columns: &[&Judged]) -> Answer {
    let of = |wanted: Verdict| columns.iter().filter(move |judged| judged.verdict == wanted);
    let (drifted, same) = (of(Verdict::Drift).count(), of(Verdict::NoDrift).count());
    let (few, none) = (of(Verdict::TooFewRows).count(), of(Verdict::Undefined).count());
    let most: Vec<String> =
        of(Verdict::Drift).take(NAMED).map(|judged| shortened(&plain(&judged.name), NAME)).collect();
    let (stands, figure) = match (drifted, same) {
        (0, 0) => (Stands::Open, "unknown".to_owned()),
        (0, _) => (Stands::Well, "no drift".to_owned()),
        _ => (Stands::Wrong, format!("{drifted} of {} drift", columns.len())),
    };
    let mut words = vec![match most.as_slice() {
        [] => format!("{same} columns are as they were."),
        [one] => format!("{one}; {same} are as they were."),
        most => format!("{} moved most; {same} columns are as they were.", most.join(", ")),
    }];
    for (count, why) in [(few, "with too few rows to tell"), (none, "without values to compare")] {
        if count > 0 {
            words.push(format!("{count} {why}."));
        }
    }
    if comparison.schema.iter().any(|finding| finding.finding.is_drift()) {
        words.push("Columns came, went or changed their type.".to_owned());
    }
    Answer { question: "Do the columns look as they did?", stands, figure, picture: html! {}, words }
}

/// Are the rows themselves sound?
fn quality_of(comparison: &Comparison, quality: Option<&[Finding]>) -> Answer {
    let question = "Are the rows sound?";
    let words = |text: &str| vec![text.to_owned()];
    let (stands, figure, words) = match quality {
        None => (Stands::Open, "unknown".to_owned(), words("Counts of windows say nothing of whole rows.")),
        Some([]) => {
            let text = format!("Nothing found in {} rows by any check.", whole(comparison.current.rows));
            (Stands::Well, "sound".to_owned(), words(&text))
        }
        Some(findings) => {
            let first = findings.iter().take(2).map(|finding| format!("{}.", plain(&finding.message)));
            let noun = if findings.len() == 1 { "finding" } else { "findings" };
            (Stands::Wrong, format!("{} {noun}", findings.len()), first.collect())
        }
    };
    Answer { question, stands, figure, picture: html! {}, words }
}

/// Does the model still do as well?
fn does(comparison: &Comparison) -> Answer {
    let question = "Does the model do as well?";
    let open = |figure: &str, words: &str| Answer {
        question,
        stands: Stands::Open,
        figure: figure.to_owned(),
        picture: html! {},
        words: vec![words.to_owned()],
    };
    let Some(both) = &comparison.performance else {
        return open("no labels", "--label and --prediction name the columns that tell.");
    };
    let (Some(_), Some(now)) = (&both.reference, &both.current) else {
        return open("unknown", "Labels are on one side alone: there is nothing to hold them against.");
    };
    let Some(change) = performance::verdict(now, &both.changes) else {
        return open("unknown", "No measure is defined on both sides.");
    };
    let name = change.measure.replace('_', " ");
    let figure = format!("{name} {:.3} → {:.3}", change.reference, change.current);
    let (stands, said) = match change.verdict {
        performance::Verdict::Worse => (Stands::Wrong, "Worse, for certain and by more than the margin.".to_owned()),
        performance::Verdict::Better => (Stands::Well, "Better, for certain.".to_owned()),
        performance::Verdict::Same => (Stands::Well, "No worse for certain.".to_owned()),
        performance::Verdict::Unknown => {
            (Stands::Open, format!("No verdict: {}.", change.reason.as_deref().unwrap_or("too few rows")))
        }
    };
    let interval =
        change.interval.map(|of| format!("The change lies between {:+.3} and {:+.3} at 95 %.", of.low, of.high));
    Answer { question, stands, figure, picture: html! {}, words: [said].into_iter().chain(interval).collect() }
}

/// What is wrong with the current rows, but for correlations, which have a picture of their own.
fn faults(quality: Option<&[Finding]>) -> Markup {
    let findings: Vec<&Finding> =
        quality.unwrap_or_default().iter().filter(|of| of.check != Check::Correlation).collect();
    html! {
        @if !findings.is_empty() {
            section aria-labelledby="quality" {
                h2 #quality { "Data quality" }
                (scrolled("Data quality", &html! { table.narrow {
                    thead { tr { th scope="col" { "Check" } th scope="col" { "Found" } th.number scope="col" { "Limit" } th.number scope="col" { "p" } } }
                    tbody { @for finding in findings { tr {
                        th scope="row" title=(finding.check.rule()) { (finding.check.name().replace('_', " ")) }
                        td.told { (plain(&finding.message)) }
                        td.number { (figure(finding.limit)) }
                        td.number { (finding.p_adjusted.map_or_else(dash, chance)) }
                    } } }
                } }))
            }
        }
    }
}

/// Columns that came, went or changed their type: the model gets other columns than it was made for.
fn schema(comparison: &Comparison) -> Markup {
    let drift: Vec<_> = comparison.schema.iter().filter(|finding| finding.finding.is_drift()).collect();
    html! {
        @if !drift.is_empty() {
            ul.schema aria-label="Columns that changed" {
                @for finding in drift { li { strong.drift { (plain(&finding.column)) } ": " (plain(&finding.message)) } }
            }
        }
    }
}

/// Columns that are in neither list: what names rows, and what cannot be compared.
fn left_out(comparison: &Comparison) -> Markup {
    let is = |kind: FindingKind| comparison.schema.iter().filter(move |finding| finding.finding == kind);
    let other = comparison.schema.iter().filter(|of| !of.finding.is_drift() && of.finding != FindingKind::NamesRows);
    html! {
        ul.soft {
            @for finding in is(FindingKind::NamesRows) { li { strong { (plain(&finding.column)) } " is left out: it " (plain(&finding.message)) "." } }
            @for finding in other { li { strong { (plain(&finding.column)) } " is not compared: " (plain(&finding.message)) "." } }
        }
    }
}

fn missing(judged: &Judged) -> String {
    match (judged.reference_missing, judged.current_missing) {
        (Some(before), Some(now)) if before + now > 0.0 => words::shares(before, now),
        (Some(_), Some(_)) => "none".to_owned(),
        _ => "–".to_owned(),
    }
}

fn index(comparison: &Comparison, columns: &[&Judged]) -> Markup {
    let cell = |text: Option<String>| text.map_or_else(|| "–".to_owned(), |text| plain(&text));
    html! {
        section aria-labelledby="index" {
            h2 #index { "Columns, what moved most first" }
            @if columns.is_empty() {
                p.soft { "No column is compared." }
            } @else {
                (scrolled("Columns", &html! { table {
                    thead { tr {
                        @for head in ["Column", "Drift", "Distribution", "What moved"] { th scope="col" { (head) } }
                        @for head in ["Effect", "Threshold", "p", "Missing"] { th.number scope="col" { (head) } }
                    } }
                    tbody { @for (at, judged) in columns.iter().enumerate() { tr {
                        th scope="row" { a href={ "#column-" (at) } { (plain(&judged.name)) } br; small { (judged.kind.name()) } }
                        td { (word(judged.verdict)) }
                        td { (small(judged)) }
                        td.told { (cell(words::moved(judged))) }
                        td.number { (cell(words::size(judged))) }
                        td.number { (cell(words::threshold(judged))) }
                        td.number { (cell(words::p_value(judged))) }
                        td.number { (missing(judged)) }
                    } } }
                } }))
            }
            (left_out(comparison))
        }
    }
}

/// Both sides over each other, as small as a word.
fn small(judged: &Judged) -> Markup {
    let Some(shape) = &judged.shape else { return html! {} };
    let text = words::moved(judged).map_or_else(|| plain(&judged.name), |moved| plain(&moved));
    match &shape.histogram {
        Some(of) => chart::overlay(&[], &of.reference, &of.current, false, &text),
        None => chart::overlay(&shape.bins, &shape.reference, &shape.current, false, &text),
    }
}

fn measures(comparison: &Comparison) -> Markup {
    let rows = measured(comparison);
    let changes = comparison.performance.as_ref().map_or(&[][..], |both| &both.changes);
    let change = |name: &str| changes.iter().find(|change| change.measure.replace('_', " ") == name);
    let said = |verdict: performance::Verdict| match verdict {
        performance::Verdict::Worse => html! { span class="pill bad" { "worse" } },
        performance::Verdict::Better => html! { span class="pill good" { "better" } },
        performance::Verdict::Same => html! { span class="pill" { "no certain change" } },
        performance::Verdict::Unknown => html! { span class="pill" { "too few rows" } },
    };
    html! {
        @if !rows.is_empty() {
            section aria-labelledby="performance" {
                h2 #performance { "Performance" }
                (scrolled("Performance", &html! { table {
                    thead { tr {
                        th scope="col" { "Measure" }
                        @for head in ["Reference", "Current", "Change, and where it lies at 95 %"] { th.number scope="col" { (head) } }
                        th scope="col" { "Verdict" }
                    } }
                    tbody { @for [measure, reference, current] in rows { tr {
                        th scope="row" { (plain(&measure)) } td.number { (plain(&reference)) } td.number { (plain(&current)) }
                        @match change(&measure) {
                            Some(of) => {
                                td.number { (format!("{:+.3}", of.change)) @if let Some(within) = of.interval { small { (format!(" ({:+.3} to {:+.3})", within.low, within.high)) } } }
                                td { (said(of.verdict)) }
                            }
                            None => { td {} td {} }
                        }
                    } } }
                } }))
            }
        }
    }
}

/// What the words and the tests mean.
fn meaning(columns: &[&Judged]) -> Markup {
    let run = |name: &str| columns.iter().any(|judged| judged.tests.iter().any(|tested| tested.test == name));
    let seen = |aspect: Aspect| columns.iter().any(|judged| judged.aspects.iter().any(|of| of.aspect == aspect));
    html! {
        section aria-labelledby="meaning" {
            h2 #meaning { "What this means" }
            @if columns.iter().any(|judged| judged.decision.is_some()) {
                p { "The rule of another tool decides here: each column by the method that is named, at the threshold that is shown." }
            } @else { p {
                "A column drifts when something of it changed for certain and by much: its corrected p-value lies below the level of "
                "significance, and its effect, the noise of both samples taken off, lies beyond the threshold and beyond what the column varies by itself. "
                "With too few rows a change that large may as well be chance."
            } }
            details {
                summary { "Effects and tests" }
                dl.tests {
                    @for aspect in Aspect::ALL.into_iter().filter(|aspect| seen(*aspect)) {
                        dt { (aspect.name()) } dd { (aspect.help()) ". Effect: " (aspect.measure().help()) "." }
                    }
                    @for test in TESTS.iter().filter(|test| run(test.name)) {
                        dt { (test.name.replace('_', "-")) } dd { (test.help) }
                    }
                }
            }
        }
    }
}
