//! A model's review as a page of its own. No script, nothing from elsewhere.

use maud::{Markup, html};

use crate::chart::bands::{Band, bands};
use crate::chart::groups::{Row, bars};
use crate::chart::reliability::{Point, reliability};
use crate::estimate::Estimated;
use crate::performance::Performance;
use crate::report::document::{document, scrolled};
use crate::report::plain;
use crate::review::sections::{Chart, Section, followed, sections, verdict};
use crate::review::{Part, Review};

/// A page of its own: no script, nothing loaded from elsewhere.
#[must_use]
pub fn html(review: &Review) -> String {
    let class = if review.is_worse() { "verdict drift" } else { "verdict" };
    let body = html! {
        h1 { "Review of " (plain(&review.model)) }
        p class=(class) { (plain(&verdict(review))) }
        @for section in sections(review) { (shown(review, &section)) }
    };
    document(&format!("Review: {}", plain(&review.model)), &body)
}

fn shown(review: &Review, section: &Section) -> Markup {
    html! { section {
        h2 { (plain(&section.title)) }
        @for line in &section.said { p { (plain(line)) } }
        @match section.chart {
            Some(Chart::OverTime) => { (over_time(review)) }
            Some(Chart::Reliability) => { (curve(review)) }
            Some(Chart::Groups) => { (groups(section)) }
            None => {}
        }
        @if !section.rows.is_empty() {
            (scrolled(&plain(&section.title), &html! { table.narrow {
                thead { tr { @for head in &section.heads { th scope="col" { (head) } } } }
                tbody { @for row in &section.rows { tr {
                    @for (at, cell) in row.iter().enumerate() {
                        @if at == 0 { th scope="row" { (plain(cell)) } } @else { td { (plain(cell)) } }
                    }
                } } }
            } }))
        }
    } }
}

fn over_time(review: &Review) -> Markup {
    let Some(name) = followed(review) else { return html! {} };
    let none = Band { value: None, interval: None };
    let realised = |of: &Performance| {
        let interval = of.interval(name).map(|interval| (interval.low, interval.high));
        Band { value: of.measures().find(|(measure, _)| *measure == name).map(|(_, value)| value), interval }
    };
    let estimated = |of: &Estimated| Band { value: of.value, interval: of.low.zip(of.high) };
    let parts = |of: &dyn Fn(&Part) -> Option<Band>| -> Vec<Band> {
        review.over_time.iter().map(|part| of(part).unwrap_or(none)).collect()
    };
    let count = review.over_time.len();
    let by_labels = parts(&|part| part.performance.as_ref().map(realised));
    let by_estimate = parts(&|part| part.estimated.as_ref()?.figure(name).map(estimated));
    let reference = review.performance.as_ref().and_then(|measured| measured.reference.as_ref()).map(realised);
    let limits = review.estimated.as_ref().and_then(|estimate| estimate.figure(name)).and_then(|of| {
        let (low, high) = of.threshold_low.zip(of.threshold_high)?;
        Some(Band { value: Some(f64::midpoint(low, high)), interval: Some((low, high)) })
    });
    let known = |bands: &[Band]| bands.iter().any(|band| band.value.is_some());
    html! {
        @if known(&by_labels) {
            (bands(&by_labels, reference, &format!("{name} over {count} parts, with its interval, beside the reference's")))
        }
        @if known(&by_estimate) {
            p.soft { "Estimated without labels; the band is what the reference's own parts stay within." }
            (bands(&by_estimate, limits, &format!("{name} as estimated over {count} parts, with its band")))
        }
    }
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
