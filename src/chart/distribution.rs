//! Two distributions over each other with both axes: a share of the rows over numbers, or over categories.

use std::fmt::Write;

use maud::{Markup, html};

use super::cut;

const WIDTH: f64 = 440.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 8.0;
const HEIGHT: f64 = 150.0;
/// Below the drawing: the line of figures and the axis' name.
const BELOW: f64 = 40.0;
/// How wide a character of the axis is at most, and how high.
const CHARACTER: f64 = 6.7;
/// A longer label is cut, in characters.
const LONGEST: usize = 16;

/// What lies below the bars.
#[derive(Debug, Clone, Copy)]
pub enum Axis<'a> {
    /// Numbers: where each bin begins, and where the last ends.
    Edges(&'a [f64]),
    /// A name for each bin.
    Names(&'a [String]),
}

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Distribution<'a> {
    /// What lies below the bars.
    pub axis: Axis<'a>,
    /// The axis' own name.
    pub name: &'a str,
    /// The reference's share of each bin.
    pub reference: &'a [f64],
    /// The current one's.
    pub current: &'a [f64],
    /// A line at a place among numbers, of either side: their medians.
    pub marks: [Option<f64>; 2],
    /// The same for those who do not see it.
    pub text: &'a str,
}

/// Places on an axis with what is written there.
type Ticks = Vec<(f64, String)>;

/// Round numbers from `low` to `high`, some five of them.
fn ticks(low: f64, high: f64, most: f64) -> Ticks {
    let range = high - low;
    if !(range.is_finite() && range > 0.0) {
        return Vec::new();
    }
    let power = 10_f64.powf((range / most).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|by| by * power).into_iter().find(|step| range / step <= most);
    let step = step.unwrap_or(power * 10.0);
    let first = (low / step).ceil();
    let places = (0_u8..20).map(|at| (first + f64::from(at)) * step).take_while(|place| *place <= high + step * 1e-6);
    let decimals = if step < 1.0 { (-step.log10().floor()).min(12.0) } else { 0.0 };
    let far = low.abs().max(high.abs());
    let shown = |place: f64| {
        // A step that is lost in rounding is none.
        let place = if place.abs() < step * 1e-6 { 0.0 } else { place };
        if far >= 1e7 || step < 1e-5 { scientific(place) } else { format!("{place:.*}", digits(decimals)) }
    };
    places.map(|place| (place, shown(place))).collect()
}

fn scientific(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.3e}").replace(".000e", "e") }
}

fn digits(of: f64) -> usize {
    (0..=12).find(|digits| f64::from(*digits) >= of).map_or(12, |digits: u8| digits.into())
}

/// Labels that fit beside one another: each second, third, ... of them where not all do.
fn fitting(labels: Ticks) -> Ticks {
    let fits = |each: usize| {
        let kept: Vec<&(f64, String)> = labels.iter().step_by(each).collect();
        kept.windows(2).all(|pair| {
            let half = |label: &str| label.chars().count() as f64 * CHARACTER / 2.0;
            pair[1].0 - pair[0].0 > half(&pair[0].1) + half(&pair[1].1) + CHARACTER
        })
    };
    let each = (1..=labels.len().max(1)).find(|each| fits(*each)).unwrap_or(1);
    labels.into_iter().step_by(each).collect()
}

/// Drawn to scale, so that its figures keep their form. The reference is filled, the current side drawn over it as steps.
#[must_use]
pub fn distribution(of: &Distribution<'_>) -> Markup {
    let bins = of.reference.len().min(of.current.len()).max(1);
    let highest = of.reference.iter().chain(of.current).fold(0.0_f64, |a, b| a.max(*b)).clamp(1e-9, 1.0);
    let bottom = TOP + HEIGHT;
    let wide = WIDTH - LEFT - RIGHT;
    let step = wide / bins as f64;
    let x = |at: usize| LEFT + step * at as f64;
    let y = |share: f64| bottom - share / (highest * 1.06) * HEIGHT;
    let (mut filled, mut steps) = (String::new(), String::new());
    let gap = if matches!(of.axis, Axis::Names(_)) { step * 0.12 } else { step.min(4.0) * 0.1 };
    for (at, share) in of.reference.iter().take(bins).enumerate() {
        let _ = write!(filled, "M{:.1} {bottom}V{:.1}H{:.1}V{bottom}z", x(at) + gap, y(*share), x(at + 1) - gap);
    }
    for (at, share) in of.current.iter().take(bins).enumerate() {
        let _ = match (of.axis, at) {
            (Axis::Names(_), _) => write!(
                steps,
                "M{:.1} {bottom}V{:.1}H{:.1}V{bottom}",
                x(at) + gap * 2.0,
                y(*share),
                x(at + 1) - gap * 2.0
            ),
            (Axis::Edges(_), 0) => write!(steps, "M{:.1} {bottom}V{:.1}H{:.1}", x(0), y(*share), x(1)),
            (Axis::Edges(_), _) => write!(steps, "V{:.1}H{:.1}", y(*share), x(at + 1)),
        };
    }
    if matches!(of.axis, Axis::Edges(_)) {
        let _ = write!(steps, "V{bottom}");
    }
    let shares = ticks(0.0, highest * 106.0, 5.0);
    let range = match of.axis {
        Axis::Edges(edges) => edges.first().copied().zip(edges.last().copied()),
        Axis::Names(_) => None,
    };
    let place = |value: f64| {
        let (low, high) = range?;
        (high > low && (low..=high).contains(&value)).then(|| LEFT + (value - low) / (high - low) * wide)
    };
    let (labels, slanted) = match of.axis {
        Axis::Edges(_) => {
            let all = range.map(|(low, high)| ticks(low, high, 7.0)).unwrap_or_default();
            (fitting(all.into_iter().filter_map(|(value, text)| Some((place(value)?, text))).collect()), false)
        }
        Axis::Names(names) => {
            let all: Ticks = names.iter().enumerate().map(|(at, n)| (x(at) + step / 2.0, cut(n, LONGEST))).collect();
            let slanted = all.iter().any(|(_, name)| name.chars().count() as f64 * CHARACTER > step - 4.0);
            (all, slanted)
        }
    };
    let longest = labels.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0) as f64;
    let below = if slanted { BELOW + longest * CHARACTER * 0.6 } else { BELOW };
    let height = bottom + below;
    html! {
        svg.chart.distribution viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label=(of.text) {
            @for (share, label) in &shares {
                line.axis x1=(LEFT) x2=(WIDTH - RIGHT) y1=(format!("{:.1}", y(share / 100.0))) y2=(format!("{:.1}", y(share / 100.0))) {}
                text x=(LEFT - 5.0) y=(format!("{:.1}", y(share / 100.0) + 4.0)) text-anchor="end" { (label) " %" }
            }
            path.reference d=(filled) {}
            path.current d=(steps) {}
            @for (mark, class) in of.marks.iter().zip(["reference-mark", "current-mark"]) {
                @if let Some(at) = mark.and_then(place) {
                    line class=(class) x1=(format!("{at:.1}")) x2=(format!("{at:.1}")) y1=(TOP) y2=(bottom) {}
                }
            }
            @for (at, label) in &labels {
                @if slanted {
                    text text-anchor="end" transform=(format!("translate({:.1} {}) rotate(-40)", at + 4.0, bottom + 12.0)) { (label) }
                } @else {
                    text x=(format!("{at:.1}")) y=(bottom + 15.0) text-anchor="middle" { (label) }
                }
            }
            text.name x=(LEFT + wide / 2.0) y=(format!("{:.1}", height - 6.0)) text-anchor="middle" { (of.name) }
            text.name transform=(format!("translate(12 {}) rotate(-90)", TOP + HEIGHT / 2.0)) text-anchor="middle" { "share of rows" }
            @for at in 0..bins {
                rect x=(format!("{:.1}", x(at))) y=(TOP) width=(format!("{step:.1}")) height=(HEIGHT) fill="transparent" {
                    title { (bin_text(of, at)) }
                }
            }
        }
    }
}

/// What a bin tells on hover.
fn bin_text(of: &Distribution<'_>, at: usize) -> String {
    let share = |shares: &[f64]| shares.get(at).map_or(0.0, |share| share * 100.0);
    let bin = match of.axis {
        Axis::Names(names) => names.get(at).cloned().unwrap_or_default(),
        Axis::Edges(edges) => match (edges.get(at), edges.get(at + 1)) {
            (Some(from), Some(to)) => {
                let decimals = digits((2.0 - (to - from).abs().log10().floor()).clamp(0.0, 12.0));
                format!("{from:.decimals$} to {to:.decimals$}")
            }
            _ => String::new(),
        },
    };
    format!("{bin}: reference {:.2} %, current {:.2} %", share(of.reference), share(of.current))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(axis: Axis<'_>, reference: &[f64], current: &[f64]) -> String {
        let marks = [Some(1.0), None];
        distribution(&Distribution { axis, name: "a <b>", reference, current, marks, text: "t & u" }).into_string()
    }

    #[test]
    fn both_axes_are_labelled() {
        let text = drawn(Axis::Edges(&[0.0, 1.0, 2.0]), &[0.25, 0.75], &[1.0, 0.0]);
        for part in [">0 %<", ">100 %<", ">0.5<", ">2.0<", "share of rows", "a &lt;b&gt;", "aria-label=\"t &amp; u\""] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(
            text.contains("0 to 1.00: reference 25.00 %") || text.contains("0.00 to 1.00: reference 25.00 %"),
            "{text}"
        );
        assert_eq!(text.matches("reference-mark").count(), 1, "{text}");
    }

    #[test]
    fn names_are_cut_slanted_and_escaped() {
        let names = ["<script>alert(1)</script>".to_owned(), "b".to_owned()];
        let text = drawn(Axis::Names(&names), &[0.5, 0.5], &[0.1, 0.9]);
        assert!(text.contains("&lt;script&gt;alert(…") || text.contains("&lt;script&gt;alert(1…"), "{text}");
        assert!(!text.contains("<script"), "{text}");
        let many: Vec<String> = (0..12).map(|n| format!("category {n}")).collect();
        assert!(drawn(Axis::Names(&many), &[0.1; 12], &[0.0; 12]).contains("rotate(-40)"));
        assert!(drawn(Axis::Names(&[]), &[], &[]).contains("svg"));
    }

    #[test]
    fn labels_do_not_touch() {
        let labels: Ticks = (0..30).map(|at| (f64::from(at) * 10.0, "12345".to_owned())).collect();
        let kept = fitting(labels);
        assert!(kept.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 40.0) && kept.len() > 3, "{kept:?}");
    }

    proptest! {
        #[test]
        fn whatever_the_edges_the_drawing_is_finite(low in prop::num::f64::NORMAL, wide in 0.0..1e300, share in 0.0..=1.0) {
            let text = drawn(Axis::Edges(&[low, low + wide]), &[share], &[1.0]);
            prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{}", text);
        }
    }
}
