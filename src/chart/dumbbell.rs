//! Pairs of figures on one axis: what was, what is, and the way between them.

use std::fmt::Write;

use maud::{Markup, html};

use super::{ABSURD, cut};

/// A figure before and now.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Its name.
    pub name: String,
    /// What it was.
    pub before: f64,
    /// What it is.
    pub now: f64,
}

/// Pairs that are drawn.
pub const MOST: usize = 30;
const NAME: usize = 38;
const STEP: f64 = 24.0;
const LEFT: f64 = 250.0;
const WIDTH: f64 = 640.0;
const TOP: f64 = 20.0;
/// Before the end of the axis.
const RIGHT: f64 = 20.0;

/// The pairs, one below the other, on an axis from `low` to `high` with a line at zero.
#[must_use]
pub fn dumbbells(pairs: &[Pair], (low, high): (f64, f64), text: &str) -> Markup {
    let fits = |pair: &&Pair| [pair.before, pair.now].iter().all(|value| value.abs() < ABSURD);
    let pairs: Vec<&Pair> = pairs.iter().filter(fits).take(MOST).collect();
    if pairs.is_empty() || low >= high {
        return html! {};
    }
    let x = |value: f64| LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let height = TOP + pairs.len() as f64 * STEP;
    let ways = pairs.iter().enumerate().fold(String::new(), |mut path, (at, pair)| {
        let y = TOP + (at as f64 + 0.5) * STEP;
        let _ = write!(path, "M{:.1} {y:.1}H{:.1}", x(pair.before), x(pair.now));
        path
    });
    html! {
        svg.chart.dumbbells viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(text) {
            @for value in [low, f64::midpoint(low, high), high] {
                line.axis x1=(format!("{:.1}", x(value))) x2=(format!("{:.1}", x(value))) y1=(TOP - 4.0) y2=(height) {}
                text x=(format!("{:.1}", x(value))) y="11" text-anchor="middle" { (value) }
            }
            path.way d=(ways) {}
            @for (at, pair) in pairs.iter().enumerate() {
                @let y = TOP + (at as f64 + 0.5) * STEP;
                text.name x=(LEFT - 10.0) y=(format!("{:.1}", y + 4.0)) text-anchor="end" { (cut(&pair.name, NAME)) }
                rect.before x=(format!("{:.1}", x(pair.before) - 4.0)) y=(format!("{:.1}", y - 4.0)) width="8" height="8" {}
                circle.now cx=(format!("{:.1}", x(pair.now))) cy=(format!("{y:.1}")) r="4.5" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_has_both_ends_and_its_name() {
        let pair = |name: &str, before, now| Pair { name: name.to_owned(), before, now };
        let pairs = [pair("a & b", -1.0, 1.0), pair("c", f64::NAN, 0.0), pair(&"x".repeat(60), 0.0, 0.5)];
        let text = dumbbells(&pairs, (-1.0, 1.0), "t").into_string();
        assert_eq!((text.matches("<circle").count(), text.matches("<rect").count()), (2, 2), "{text}");
        assert!(text.contains("a &amp; b") && text.contains("M250.0 32.0H620.0") && text.contains("xxx…"), "{text}");
        assert_eq!(dumbbells(&[], (-1.0, 1.0), "t").into_string(), "");
    }
}
