//! What came true against what was said.

use std::fmt::Write;

use maud::{Markup, html};

/// Rows whose scores are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Their mean score, within 0 and 1.
    pub score: f64,
    /// The share that came true.
    pub realised: f64,
    /// Where that may lie.
    pub interval: Option<(f64, f64)>,
}

const SIZE: f64 = 240.0;
const EDGE: f64 = 24.0;

/// The curve over the diagonal, on which scores are right.
#[must_use]
pub fn reliability(points: &[Point], text: &str) -> Markup {
    let place = |value: f64| EDGE + value * (SIZE - 2.0 * EDGE);
    let (x, y) = (|value: f64| format!("{:.1}", place(value)), |value: f64| format!("{:.1}", SIZE - place(value)));
    let mut path = String::new();
    for point in points {
        let word = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{word}{} {}", x(point.score), y(point.realised));
    }
    html! {
        svg.chart.reliability viewBox=(format!("0 0 {SIZE} {SIZE}")) width=(SIZE) height=(SIZE) role="img" aria-label=(text) {
            line.axis x1=(x(0.0)) x2=(x(1.0)) y1=(y(0.0)) y2=(y(0.0)) {}
            line.axis x1=(x(0.0)) x2=(x(0.0)) y1=(y(0.0)) y2=(y(1.0)) {}
            line.level x1=(x(0.0)) x2=(x(1.0)) y1=(y(0.0)) y2=(y(1.0)) {}
            @for (value, word) in [(0.0, "0"), (1.0, "1")] {
                text x=(x(value)) y=(SIZE - 8.0) text-anchor="middle" { (word) }
                text x="8" y=(y(value)) { (word) }
            }
            text x=(SIZE / 2.0) y=(SIZE - 6.0) text-anchor="middle" { "score" }
            text x="4" y="12" { "came true" }
            @for point in points {
                @if let Some((low, high)) = point.interval {
                    line.error x1=(x(point.score)) x2=(x(point.score)) y1=(y(low)) y2=(y(high)) {}
                }
            }
            path.line d=(path) {}
            @for point in points { circle.dot cx=(x(point.score)) cy=(y(point.realised)) r="3" {} }
        }
    }
}
