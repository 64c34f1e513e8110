//! Sections of a model's review on the page: what is expected without labels, groups, parts, versions, what moved it.

use jiff::Timestamp;
use maud::{Markup, html};

use super::wide;
use crate::chart::bands::{Band, bands};
use crate::chart::groups::{Row, bars};
use crate::model::assess::versions::notes as left_out;
use crate::model::view::{Because, Explained, ModelView, WindowResult};
use crate::review::sections::{self, Section, by_column, estimated, fair, segments};
use crate::versions::Versions;

/// Windows drawn.
const WINDOWS: usize = 60;

/// Lines, the groups drawn, and the table.
fn shown(section: &Section) -> Markup {
    let groups = section.groups.iter();
    let groups: Vec<Row> =
        groups.map(|(name, of)| Row { name: name.clone(), value: of.value, interval: (of.low, of.high) }).collect();
    html! {
        @for line in &section.said { p { (line) } }
        @if !groups.is_empty() {
            (bars(&groups, &format!("{} of each group, with its interval", section.heads.get(3).copied().unwrap_or_default())))
        }
        @if !section.rows.is_empty() {
            (wide(&section.title, &html! { table.narrow {
                thead { tr { @for head in &section.heads { th scope="col" { @if head.is_empty() { "What" } @else { (head) } } } } }
                tbody { @for row in &section.rows { tr {
                    @for (at, cell) in row.iter().enumerate() {
                        @if at == 0 && !cell.is_empty() { th scope="row" { (cell) } } @else { td.number { (cell) } }
                    }
                } } }
            } }))
        }
    }
}

/// What is expected of the newest windows.
pub fn without_labels(model: &ModelView) -> Markup {
    let why = model.reference.as_ref().and_then(|reference| reference.not_estimated.as_deref());
    let Some(estimate) = model.estimated() else {
        return html! { p.empty {
            @match (why, &model.reference) {
                (Some(why), _) => { "Nothing is estimated: " (why) "." }
                (None, None) => { "Nothing is estimated without a reference that has labels." }
                (None, Some(_)) => { "No closed window has what an estimate takes: scores, or the features of the reference." }
            }
        } };
    };
    let windows: Vec<_> = model.windows.iter().take(WINDOWS).rev().collect();
    let leading = model.reference.as_ref().and_then(|reference| reference.performance.as_ref()?.leading());
    let drawn = leading.map(|(measure, value)| {
        let part = |at: &&crate::model::view::WindowSummary| {
            let figure = at.estimated.as_ref().and_then(|estimate| estimate.figure(measure.name));
            Band { value: figure.and_then(|of| of.value), interval: figure.and_then(|of| of.low.zip(of.high)) }
        };
        let parts: Vec<Band> = windows.iter().map(part).collect();
        let name = measure.name.replace('_', " ");
        let text = format!("{name} as estimated by window, with its band; over the reference {value:.3}");
        (text.clone(), bands(&parts, Some(Band { value: Some(value), interval: None }), &text))
    });
    // What labels say stands beside the estimate of the window that they came for.
    let known = model.labelled().filter(|window| Some(window.end) != model.latest.as_ref().map(|latest| latest.end));
    html! {
        @if let Some((text, chart)) = drawn { p { (text) } (chart) }
        (shown(&estimated(estimate)))
        @if let Some((window, estimate)) = known.and_then(|window| Some((window, window.estimated.as_ref()?))) {
            details {
                summary { "The estimate and the truth of the newest window with labels, to " (window.end.strftime("%Y-%m-%d %H:%M UTC")) }
                (shown(&estimated(estimate)))
            }
        }
    }
}

/// The groups of each protected attribute.
pub fn groups(model: &ModelView) -> Markup {
    html! {
        @for fair_of in model.fairness() {
            @let section = fair(fair_of);
            h3 { (section.title) }
            (shown(&section))
        }
        (notes(model.latest.as_ref()))
    }
}

/// Where it does worst, and the measures by columns that are named.
pub fn parts(model: &ModelView) -> Markup {
    html! {
        @match &model.segments {
            Some(worst) => {
                small { "Rows of " (worst.start.strftime("%Y-%m-%d %H:%M")) " to " (worst.end.strftime("%Y-%m-%d %H:%M UTC")) }
                (shown(&segments(&worst.found.segments, worst.found.columns)))
            }
            None => { p.empty { "Parts on which it does worse are searched once labels have come." } }
        }
        @for by in model.labelled().into_iter().flat_map(|window| &window.by_column) {
            @let section = by_column(by);
            h3 { (section.title) }
            (shown(&section))
        }
    }
}

/// All versions, and each challenger beside the champion.
pub fn versions(found: &Versions) -> Markup {
    html! {
        @for (at, section) in sections::versions::sections(&found.versions).iter().enumerate() {
            @if at > 0 { h3 { (section.title) } }
            (shown(section))
        }
        @for note in left_out(found) { p.empty { (note) } }
    }
}

/// What moved it, as leads.
pub fn moved(explained: &Explained) -> Markup {
    let why = match explained.because {
        Because::Performance => "it does worse than over the reference",
        Because::Estimate => "it is estimated to do worse than over the reference",
        Because::Predictions => "its predictions drift",
    };
    let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
    html! {
        p { "Window of " (time(explained.start)) " to " (time(explained.end)) " UTC: " (why) "." }
        @if let Some(reason) = &explained.reason { p.empty { "Not told: " (reason) "." } }
        @for section in explained.moved.iter().flat_map(sections::moved::sections) {
            h3 { (section.title) }
            (shown(&section))
        }
    }
}

/// One window's own groups and estimate.
pub fn of_window(window: &WindowResult) -> Markup {
    html! {
        @if let Some(estimate) = &window.estimated {
            (super::section("estimate", "Estimated without labels", &shown(&estimated(estimate))))
        }
        @if !window.fairness.is_empty() {
            (super::section("groups", "Groups", &html! {
                @for fair_of in &window.fairness {
                    @let section = fair(fair_of);
                    h3 { (section.title) }
                    (shown(&section))
                }
            }))
        }
        @if !window.by_column.is_empty() {
            (super::section("parts", "Parts", &html! {
                @for by in &window.by_column {
                    @let section = by_column(by);
                    h3 { (section.title) }
                    (shown(&section))
                }
            }))
        }
        (notes(Some(window)))
    }
}

fn notes(window: Option<&WindowResult>) -> Markup {
    html! { @for note in window.into_iter().flat_map(|window| &window.notes) { p.empty { (note) } } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::performance::interval::Within;
    use crate::versions::{Both, Comparison, Difference, Looked, Method, Others, Predictions, Verdict, Version};

    fn version(name: &str, against_champion: Option<Comparison>) -> Version {
        Version {
            version: name.to_owned(),
            champion: against_champion.is_none(),
            rows: 3000,
            share: 0.5,
            labelled: 2000,
            from: None,
            to: None,
            performance: None,
            against_champion,
        }
    }

    fn worse() -> Comparison {
        let difference = Difference {
            measure: "accuracy",
            champion: 0.9,
            challenger: 0.8,
            difference: -0.1,
            interval: Some(Within { low: -0.12, high: -0.08 }),
            standard_error: None,
            margin: 0.018,
            verdict: Verdict::Worse,
            reason: None,
        };
        let rows = Both { champion: 2000, challenger: 2000 };
        Comparison {
            method: Method::Paired,
            rows,
            labelled: rows,
            from: None,
            to: None,
            measure: Some("accuracy"),
            verdict: Verdict::Worse,
            reason: None,
            looked: Some(Looked { since: None, turns: 3, significance: 1e-4 }),
            enough: true,
            differences: vec![difference],
            mcnemar: None,
            predictions: Predictions::default(),
        }
    }

    #[test]
    fn a_challenger_stands_beside_the_champion_and_what_is_left_out_is_said() {
        let found = Versions {
            versions: vec![version("1.4", None), version("2.0", Some(worse()))],
            others: Others { versions: 3, rows: 70 },
            without_version: 5,
            champion_missing: Some("1.3".to_owned()),
        };
        let page = versions(&found).into_string();
        for said in [
            "2.0 does worse than 1.4: accuracy 0.8, 0.9 of 1.4; difference -0.1 (-0.12 to -0.08).",
            "<th scope=\"row\">1.4 (champion)</th>",
            "<h3>Version 2.0 beside 1.4</h3>",
            "The verdict holds however often it is looked at",
            "3 more versions with 70 rows together are not told of one by one.",
            "5 rows say no version.",
            "No row is of version 1.3, the champion: 1.4 stands in its place.",
        ] {
            assert!(page.contains(said), "`{said}` is not in {page}");
        }
    }

    #[test]
    fn what_moved_it_says_why_it_is_asked_and_why_nothing_is_told() {
        let at = Timestamp::UNIX_EPOCH;
        let told = |because, reason: Option<&str>| {
            let reason = reason.map(str::to_owned);
            moved(&Explained { start: at, end: at, because, moved: None, reason }).into_string()
        };
        let page = told(Because::Estimate, None);
        assert!(
            page.contains("to 1970-01-01 00:00 UTC: it is estimated to do worse than over the reference."),
            "{page}"
        );
        assert!(told(Because::Predictions, Some("no rows")).contains("Not told: no rows."));
    }
}
