//! A model's review as a page of its own. No script, nothing from elsewhere.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::sections::{Chart, Section, sections, verdict};
use crate::chart;
use crate::chart::bands::{Band, bands};
use crate::chart::groups::{Row, bars};
use crate::chart::reliability::{Point, reliability};
use crate::report::plain;
use crate::review::Review;

const STYLE: &str = include_str!("../drift/page.css");

/// A page of its own: no script, nothing loaded from elsewhere.
#[must_use]
pub fn html(review: &Review) -> String {
    let class = if review.is_worse() { "verdict drift" } else { "verdict" };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Review: " (plain(&review.model)) }
                style { (PreEscaped(STYLE)) (PreEscaped(chart::STYLE)) }
            }
            body {
                h1 { (plain(&review.model)) }
                p class=(class) { (plain(&verdict(review))) }
                @for section in sections(review) { (shown(review, &section)) }
            }
        }
    }
    .into_string()
        + "\n"
}

fn shown(review: &Review, section: &Section) -> Markup {
    html! {
        h2 { (plain(&section.title)) }
        @for line in &section.said { p { (plain(line)) } }
        @match section.chart {
            Some(Chart::OverTime) => { (over_time(review)) }
            Some(Chart::Reliability) => { (curve(review)) }
            Some(Chart::Groups) => { (groups(section)) }
            None => {}
        }
        @if !section.rows.is_empty() {
            div.wide { table.narrow {
                thead { tr { @for head in &section.heads { th scope="col" { (head) } } } }
                tbody { @for row in &section.rows { tr {
                    @for (at, cell) in row.iter().enumerate() {
                        @if at == 0 { th scope="row" { (plain(cell)) } } @else { td { (plain(cell)) } }
                    }
                } } }
            } }
        }
    }
}

fn over_time(review: &Review) -> Markup {
    let Some((measured, (leading, _))) =
        review.performance.as_ref().and_then(|measured| Some((measured, measured.figures.leading()?)))
    else {
        return html! {};
    };
    let parts: Vec<Band> = review
        .over_time
        .iter()
        .map(|part| {
            let of = part.performance.as_ref();
            let interval = of.and_then(|of| of.interval(leading.name));
            Band {
                value: of.and_then(|of| leading.of(of)),
                interval: interval.map(|interval| (interval.low, interval.high)),
            }
        })
        .collect();
    let reference = measured.reference.as_ref().and_then(|reference| {
        let interval = reference.interval(leading.name);
        Some(Band {
            value: Some(leading.of(reference)?),
            interval: interval.map(|interval| (interval.low, interval.high)),
        })
    });
    bands(
        &parts,
        reference,
        &format!("{} over {} parts, with its interval, beside the reference's", leading.name, parts.len()),
    )
}

fn groups(section: &Section) -> Markup {
    let rows: Vec<Row> = section
        .groups
        .iter()
        .map(|(name, of)| Row { name: plain(name), value: of.value, interval: (of.low, of.high) })
        .collect();
    bars(&rows, &format!("{} of each group, with its interval", section.heads.get(3).copied().unwrap_or_default()))
}

fn curve(review: &Review) -> Markup {
    let bins = review
        .performance
        .iter()
        .filter_map(|measured| measured.detail.as_ref())
        .flat_map(|detail| &detail.reliability);
    let point = |bin: &crate::performance::calibration::Bin| {
        let interval = bin.interval.map(|interval| (interval.low, interval.high));
        Some(Point { score: bin.score?, realised: bin.realised?, interval })
    };
    let points: Vec<Point> = bins.filter_map(point).collect();
    reliability(
        &points,
        &format!(
            "share that came true over the mean score, of {} bins; on the diagonal scores are right",
            points.len()
        ),
    )
}
