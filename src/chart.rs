//! Charts as SVG, made here: each with a text alternative, none with a script or a style of its own.
//!
//! Colour never speaks alone: what differs in colour differs in height, place or stroke too. The classes are in [`STYLE`], over
//! the variables that the page around defines.

pub mod bands;
pub mod capacity;
pub mod course;
pub mod distribution;
pub mod dumbbell;
pub mod groups;
pub mod heat;
pub mod reliability;
pub mod ribbons;

use std::fmt::Write;

use maud::{Markup, html};

/// The variables that name the colours, light and dark: one palette for the page and all documents.
pub const PALETTE: &str = include_str!("chart/palette.css");

/// The classes that the charts use.
pub const STYLE: &str = include_str!("chart/chart.css");

/// Nothing that is drawn is so large; sums of such would not be finite.
const ABSURD: f64 = 1e100;

/// Finite values of a series, with the place of each.
fn known(values: &[Option<f64>]) -> Vec<(usize, f64)> {
    let finite = |(at, value): (usize, &Option<f64>)| Some((at, (*value)?)).filter(|(_, value)| value.abs() < ABSURD);
    values.iter().enumerate().filter_map(finite).collect()
}

/// A name that is longer than there is room for, cut.
fn cut(name: &str, longest: usize) -> String {
    if name.chars().count() <= longest {
        return name.to_owned();
    }
    name.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// Points of a small line: more would not be seen.
const SPARK: usize = 40;

/// A small line over time. `level` is drawn across it (a reference, a limit). Nothing known makes a dash. Of more values than it
/// has room for, `thin` makes one of each few: the larger of two for peaks, their mean for a course.
#[must_use]
pub fn sparkline(values: &[Option<f64>], level: Option<f64>, thin: fn(f64, f64) -> f64, text: &str) -> Markup {
    let each = values.len().div_ceil(SPARK).max(1);
    let thinned: Vec<Option<f64>> = values.chunks(each).map(|few| few.iter().flatten().copied().reduce(thin)).collect();
    line(&thinned, level, None, text, (120.0, 24.0), "chart spark")
}

/// The largest minute of each hour, with a line where the request or limit lies. One hour alone makes nothing.
#[must_use]
pub fn peaks(hours: &[Option<f64>], requested: Option<f64>, unit: fn(f64) -> String) -> Markup {
    if hours.len() < 2 {
        return html! {};
    }
    let most = hours.iter().flatten().copied().fold(0.0, f64::max);
    let text = format!("largest minute of each of {} hours, at most {}", hours.len(), unit(most));
    sparkline(hours, requested, f64::max, &text)
}

/// The middle of two values.
#[must_use]
pub fn middle(a: f64, b: f64) -> f64 {
    f64::midpoint(a, b)
}

/// A line over time, large enough to read, with its highest and lowest value beside it. `floor` is drawn at the bottom where
/// it is given (0 for counts).
#[must_use]
pub fn timeline(values: &[Option<f64>], level: Option<f64>, floor: Option<f64>, text: &str) -> Markup {
    let all = || {
        known(values).into_iter().map(|(_, value)| value).chain(level.filter(|level| level.abs() < ABSURD)).chain(floor)
    };
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let shown = |value: f64| if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.3}") };
    html! {
        div.timeline {
            @if low.is_finite() { p.scale aria-hidden="true" { span { (shown(high)) } span { (shown(low)) } } }
            (line(values, level, floor, text, (640.0, 120.0), "chart wide-chart"))
        }
    }
}

fn line(
    values: &[Option<f64>],
    level: Option<f64>,
    floor: Option<f64>,
    text: &str,
    (width, height): (f64, f64),
    class: &str,
) -> Markup {
    let known = known(values);
    if known.is_empty() {
        return html! { span.unknown { "–" } };
    }
    let all = || known.iter().map(|(_, value)| *value).chain(level.filter(|level| level.abs() < ABSURD)).chain(floor);
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    // A line that hardly moves is drawn as one that hardly moves.
    let pad = ((high - low) * 0.1).max(high.abs().max(low.abs()) * 0.02).max(1e-9);
    let (low, high) = (low - pad, high + pad);
    let x = |at: usize| if values.len() > 1 { at as f64 / (values.len() - 1) as f64 * width } else { width / 2.0 };
    let y = |value: f64| (high - value) / (high - low) * height;
    // A gap in what is known is a gap in the line.
    let mut path = String::new();
    let mut last = None;
    for (at, value) in &known {
        let word = if last == at.checked_sub(1) && last.is_some() { 'L' } else { 'M' };
        let _ = write!(path, "{word}{:.0} {:.1}", x(*at), y(*value));
        last = Some(*at);
    }
    let (end, now) = known[known.len() - 1];
    html! {
        svg class=(class) viewBox=(format!("0 0 {width} {height}")) preserveAspectRatio="none" role="img" aria-label=(text) {
            @if let Some(level) = level.filter(|level| level.abs() < ABSURD) {
                line.level x1="0" x2=(width) y1=(format!("{:.1}", y(level))) y2=(format!("{:.1}", y(level))) {}
            }
            path.line d=(path) {}
            circle.dot cx=(format!("{:.1}", x(end))) cy=(format!("{:.1}", y(now))) r="2" {}
        }
    }
}

/// Two distributions over the same bins: the reference filled, the current one drawn over it as steps. With `figures` each
/// bin tells its own on hover.
#[must_use]
pub fn overlay(bins: &[String], reference: &[u64], current: &[u64], figures: bool, text: &str) -> Markup {
    const HEIGHT: f64 = 60.0;
    const STEP: usize = 20;
    let shares = |counts: &[u64]| -> Vec<f64> {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|count| *count as f64 / total).collect()
    };
    let (reference, current) = (shares(reference), shares(current));
    let highest = reference.iter().chain(&current).fold(0.0_f64, |a, b| a.max(*b)).max(1e-9);
    let y = |share: f64| HEIGHT - share / highest * (HEIGHT - 2.0);
    let (mut filled, mut steps) = (String::new(), String::new());
    for (at, share) in reference.iter().enumerate() {
        let _ = write!(filled, "M{} {HEIGHT}V{:.1}h{}V{HEIGHT}z", at * STEP + 1, y(*share), STEP - 2);
    }
    for (at, share) in current.iter().enumerate() {
        let up = if at == 0 { "M0 ".to_owned() } else { "V".to_owned() };
        let _ = write!(steps, "{up}{:.1}H{}", y(*share), (at + 1) * STEP);
    }
    let width = STEP * reference.len().max(1);
    html! {
        svg.chart.overlay viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(text) {
            path.reference d=(filled) {}
            path.current d=(steps) {}
            @if figures {
                @for (at, (bin, (before, now))) in bins.iter().zip(reference.iter().zip(&current)).enumerate() {
                    rect x=(at * STEP) y="0" width=(STEP) height=(HEIGHT) fill="transparent" {
                        title { (bin) ": reference " (format!("{:.1} %", before * 100.0)) ", now " (format!("{:.1} %", now * 100.0)) }
                    }
                }
            }
        }
    }
}

/// A bar of what is used; a mark where what was asked for lies. `whole` is its full length. The figures stand beside it, so it says
/// nothing to those who do not see it.
#[must_use]
pub fn bar(used: f64, requested: Option<f64>, whole: f64, limited: bool) -> Markup {
    let place = |value: f64| (value / whole * 100.0).clamp(0.0, 100.0);
    html! {
        svg class=(if limited { "bar" } else { "bar free" }) viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(format!("{:.1}", place(used))) height="8" {}
            @if let Some(requested) = requested.map(place) { path d=(format!("M{requested:.1} 0V8")) {} }
        }
    }
}

/// A state in a strip. Levels differ in height as well as in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Used.
    Full,
    /// Used in vain.
    Half,
    /// Not used.
    Low,
}

impl Level {
    /// Its class, in a strip and in its key.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Half => "half",
            Self::Low => "low",
        }
    }

    fn height(self) -> u8 {
        match self {
            Self::Full => 16,
            Self::Half => 10,
            Self::Low => 3,
        }
    }
}

/// A piece of a strip: how many units long, and its level; `None` is unknown.
pub type Piece = (usize, Option<Level>);

/// A strip of states over time.
#[must_use]
pub fn strip(pieces: &[Piece], text: &str) -> Markup {
    let whole = pieces.iter().map(|(length, _)| length).sum::<usize>().max(1);
    let mut at = 0;
    let placed: Vec<(usize, usize, Level)> = pieces
        .iter()
        .filter_map(|(length, level)| {
            let begin = at;
            at += length;
            Some((begin, *length, (*level)?))
        })
        .collect();
    html! {
        svg.strip viewBox=(format!("0 0 {whole} 16")) preserveAspectRatio="none" role="img" aria-label=(text) {
            rect.all width=(whole) height="16" {}
            @for (x, length, level) in placed {
                rect class=(level.class()) x=(x) y=(16 - level.height()) width=(length) height=(level.height()) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_are_gaps_and_nothing_is_a_dash() {
        let text = sparkline(&[Some(1.0), Some(2.0), None, Some(1.0)], None, f64::max, "a & b").into_string();
        assert_eq!(text.matches('M').count(), 2, "{text}");
        assert!(text.contains("aria-label=\"a &amp; b\""), "{text}");
        assert!(!sparkline(&[None, Some(f64::NAN)], None, f64::max, "t").into_string().contains("svg"));
    }

    #[test]
    fn both_distributions_are_drawn() {
        let bins = ["a".to_owned(), "b".to_owned()];
        let text = overlay(&bins, &[3, 1], &[0, 8], true, "t").into_string();
        assert!(text.contains("d=\"M1 60V16.5h18V60zM21 60V45.5h18V60z\""), "{text}");
        assert!(text.contains("b: reference 25.0 %, now 100.0 %"), "{text}");
        assert!(text.contains("d=\"M0 60.0H20V2.0H40\""), "{text}");
    }

    #[test]
    fn states_differ_in_height() {
        let pieces = [(1, Some(Level::Full)), (2, Some(Level::Half)), (1, None), (3, Some(Level::Low))];
        let text = strip(&pieces, "t").into_string();
        assert!(text.contains("viewBox=\"0 0 7 16\"") && text.matches("<rect").count() == 4, "{text}");
        for rect in [
            "class=\"full\" x=\"0\" y=\"0\" width=\"1\" height=\"16\"",
            "class=\"half\" x=\"1\" y=\"6\" width=\"2\" height=\"10\"",
            "class=\"low\" x=\"4\" y=\"13\" width=\"3\" height=\"3\"",
        ] {
            assert!(text.contains(rect), "{rect}: {text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_values_the_drawing_is_finite(
            values in prop::collection::vec(prop::option::of(prop::num::f64::ANY), 0..30),
            level in prop::option::of(prop::num::f64::NORMAL),
        ) {
            let text = timeline(&values, level, None, "t").into_string();
            prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{}", text);
        }
    }
}
