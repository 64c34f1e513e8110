//! A figure part by part with what it may be off, beside the band of a reference.

use std::fmt::Write;

use maud::{Markup, html};

use super::ABSURD;

/// A figure and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The figure; `None` where it is not known.
    pub value: Option<f64>,
    /// Where it may lie.
    pub interval: Option<(f64, f64)>,
}

impl Band {
    fn all(&self) -> impl Iterator<Item = f64> {
        let ends = self.interval.into_iter().flat_map(|(low, high)| [low, high]);
        self.value.into_iter().chain(ends).filter(|value| value.abs() < ABSURD)
    }
}

const SIZE: (f64, f64) = (640.0, 140.0);

/// The parts from left to right: a mark each with a bar for its interval. The reference lies behind as a band with a dashed line.
#[must_use]
pub fn bands(parts: &[Band], reference: Option<Band>, text: &str) -> Markup {
    let all = || parts.iter().chain(&reference).flat_map(Band::all);
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if !low.is_finite() {
        return html! { span.unknown { "–" } };
    }
    let pad = ((high - low) * 0.08).max(high.abs().max(low.abs()) * 0.01).max(1e-9);
    let (bottom, top) = (low - pad, high + pad);
    let (width, height) = SIZE;
    let y = |value: f64| (top - value) / (top - bottom) * height;
    let x = |at: usize| (at as f64 + 0.5) / parts.len() as f64 * width;
    let (mut line, mut last) = (String::new(), None);
    for (at, value) in parts.iter().enumerate().filter_map(|(at, part)| Some((at, part.value?))) {
        let word = if last.is_some() && last == at.checked_sub(1) { 'L' } else { 'M' };
        let _ = write!(line, "{word}{:.1} {:.1}", x(at), y(value));
        last = Some(at);
    }
    let bars = parts.iter().enumerate().filter_map(|(at, part)| Some((at, part.interval?)));
    let bars = bars.filter(|(_, (low, high))| low.abs() < ABSURD && high.abs() < ABSURD);
    html! {
        div.timeline {
            p.scale aria-hidden="true" { span { (format!("{high:.3}")) } span { (format!("{low:.3}")) } }
            svg.chart.wide-chart viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(text) {
                @if let Some(Band { value: Some(value), interval }) = reference {
                    @if let Some((low, high)) = interval {
                        rect.reference x="0" width=(width) y=(format!("{:.1}", y(high))) height=(format!("{:.1}", (y(low) - y(high)).max(0.5))) {}
                    }
                    line.level x1="0" x2=(width) y1=(format!("{:.1}", y(value))) y2=(format!("{:.1}", y(value))) {}
                }
                @for (at, (low, high)) in bars {
                    line.error x1=(format!("{:.1}", x(at))) x2=(format!("{:.1}", x(at))) y1=(format!("{:.1}", y(high))) y2=(format!("{:.1}", y(low))) {}
                }
                path.line d=(line) {}
                @for (at, value) in parts.iter().enumerate().filter_map(|(at, part)| Some((at, part.value?))) {
                    circle.dot cx=(format!("{:.1}", x(at))) cy=(format!("{:.1}", y(value))) r="3" {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_not_known_is_a_gap() {
        let known = |value| Band { value: Some(value), interval: Some((value - 0.1, value + 0.1)) };
        let none = Band { value: None, interval: None };
        let drawn = bands(&[known(0.5), none, known(0.6)], Some(known(0.7)), "three").into_string();
        assert_eq!((drawn.matches("circle").count() / 2, drawn.matches("class=\"error\"").count()), (2, 2), "{drawn}");
        assert!(drawn.contains("aria-label=\"three\"") && !drawn.contains("NaN"), "{drawn}");
        assert!(bands(&[none], None, "none").into_string().contains('–'));
    }
}
