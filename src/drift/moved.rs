//! What moved of a column, in its own unit: for people, who do not think in distances. Nothing here decides.

use serde::{Deserialize, Serialize};

use super::Sample;
use super::baseline::Baseline;
use super::embedding::Told;
use super::sample::side_by_side;
pub use super::spread::Spread;
use super::spread::distinct;
use crate::stats::quantile::quantile_of_sorted;
use crate::stats::whole;

/// Categories whose shares are told.
const TOLD: usize = 10;
/// A longer name is cut, in characters.
const LONGEST: usize = 100;
/// Bins of a histogram.
const BINS: u32 = 30;
/// So many whole numbers have a bin each.
const WHOLE: f64 = 40.0;

/// Both sides of a column in figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moved {
    /// How the reference's numbers lie; `None` for categories, and without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Spread>,
    /// How the current ones do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Spread>,
    /// The categories whose share of the values moved most, ten at most, that first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Share>,
    /// Values of the reference that differ from one another.
    #[serde(default)]
    pub reference_distinct: u64,
    /// The same of the current ones.
    #[serde(default)]
    pub current_distinct: u64,
    /// What is told of an embedding; its numbers are distances from the reference's mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Told>,
}

/// A category's share of the values of both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Share {
    /// The category.
    pub category: String,
    /// Of the reference's values.
    pub reference: f64,
    /// Of the current ones.
    pub current: f64,
}

/// Both sides' counts in bins of one width; the outer two hold what lies beyond them, too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Histogram {
    /// Where each bin begins, and where the last ends.
    pub edges: Vec<f64>,
    /// The reference's counts.
    pub reference: Vec<u64>,
    /// The current ones.
    pub current: Vec<u64>,
}

/// The name, cut where it is so long that nobody reads it.
#[must_use]
pub fn shortened(name: &str, longest: usize) -> String {
    match name.char_indices().nth(longest) {
        None => name.to_owned(),
        Some(_) => name.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}

impl Moved {
    /// Of both sides.
    #[must_use]
    pub fn new(baseline: &Baseline, current: &Sample) -> Self {
        Self {
            reference: baseline.spread.clone(),
            current: Spread::of(current),
            categories: shares(&baseline.sample, current),
            reference_distinct: baseline.distinct,
            current_distinct: distinct(current),
            embedding: None,
        }
    }

    /// The shares of one category, where they are told.
    #[must_use]
    pub fn share(&self, category: &str) -> Option<&Share> {
        let name = shortened(category, LONGEST);
        self.categories.iter().find(|share| share.category == name)
    }
}

fn shares(reference: &Sample, current: &Sample) -> Vec<Share> {
    let (Sample::Categorical { counts: r, .. }, Sample::Categorical { counts: c, .. }) = (reference, current) else {
        return Vec::new();
    };
    let (all, now) = (reference.present().max(1) as f64, current.present().max(1) as f64);
    let mut found: Vec<(&str, f64, f64)> =
        side_by_side(r, c).map(|(name, before, after)| (name, before as f64 / all, after as f64 / now)).collect();
    found.sort_by(|a, b| (b.2 - b.1).abs().total_cmp(&(a.2 - a.1).abs()).then_with(|| a.0.cmp(b.0)));
    let told = found.into_iter().take(TOLD);
    told.map(|(name, reference, current)| Share { category: shortened(name, LONGEST), reference, current }).collect()
}

impl Histogram {
    /// Of both sides' numbers. `None` for categories, and where neither has a number.
    #[must_use]
    pub fn of(reference: &Sample, current: &Sample) -> Option<Self> {
        let (Sample::Numeric { sorted: r, .. }, Sample::Numeric { sorted: c, .. }) = (reference, current) else {
            return None;
        };
        let edges = edges(r, c)?;
        let count = |sorted: &[f64]| -> Vec<u64> {
            let inner = edges.get(1..edges.len().saturating_sub(1)).unwrap_or_default();
            let ends = inner.iter().map(|edge| sorted.partition_point(|value| value < edge)).chain([sorted.len()]);
            let mut before = 0;
            ends.map(|end| end.saturating_sub(std::mem::replace(&mut before, end)) as u64).collect()
        };
        Some(Self { reference: count(r), current: count(c), edges })
    }
}

/// Without the last hundredth, should it lie far out: one odd value would leave all others in one bin.
fn edges(reference: &[f64], current: &[f64]) -> Option<Vec<f64>> {
    const TAIL: f64 = 0.005;
    const FAR: f64 = 0.25;
    let finite = |value: &f64| value.is_finite();
    let both =
        |p: f64| [reference, current].into_iter().filter_map(move |side| quantile_of_sorted(side, p)).filter(finite);
    let low = both(TAIL).reduce(f64::min)?;
    let high = both(1.0 - TAIL).reduce(f64::max)?;
    let reach = (high - low) * FAR;
    let low = both(0.0).reduce(f64::min).filter(|least| *least >= low - reach).unwrap_or(low);
    let high = both(1.0).reduce(f64::max).filter(|most| *most <= high + reach).unwrap_or(high);
    let range = high - low;
    if !range.is_finite() {
        return None;
    }
    let within = |side: &[f64]| {
        let (from, to) = (side.partition_point(|value| *value < low), side.partition_point(|value| *value <= high));
        side.get(from..to).unwrap_or_default().iter().all(|value| whole::is(*value))
    };
    if range < 1e9 && within(reference) && within(current) {
        // Whole numbers lie in the middle of their bins.
        let wide = if range <= WHOLE { 1.0 } else { (range / f64::from(BINS)).ceil() };
        let bins = whole::index((range / wide).floor()).saturating_add(1);
        return Some((0..=bins).map(|at| low - 0.5 + wide * at as f64).collect());
    }
    if range == 0.0 {
        let half = if low == 0.0 { 0.5 } else { low.abs() * 0.05 };
        return Some(vec![low - half, low + half]);
    }
    Some((0..=BINS).map(|at| low + range * (f64::from(at) / f64::from(BINS))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn categories(rows: &[(&str, u64)]) -> Sample {
        let counts = rows.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();
        Sample::Categorical { counts, missing: 0 }
    }

    fn both(reference: Sample, current: &Sample) -> Moved {
        Moved::new(&Baseline::new(reference), current)
    }

    #[test]
    fn numbers_are_told_by_their_quantiles() {
        let moved = both(
            Sample::numeric((0..=100).map(|i| Some(f64::from(i)))),
            &Sample::numeric([Some(2.0), Some(2.0), None]),
        );
        let spread = moved.reference.clone().expect("numbers");
        assert_eq!((spread.count, spread.mean, spread.median, spread.q05), (101, Some(50.0), Some(50.0), Some(5.0)));
        assert_eq!((spread.min, spread.max), (Some(0.0), Some(100.0)));
        assert_eq!((moved.reference_distinct, moved.current_distinct), (101, 1));
        let none = both(Sample::numeric([Some(f64::INFINITY)]), &Sample::numeric([None]));
        assert_eq!((none.reference.and_then(|spread| spread.max), none.current), (None, None));
    }

    #[test]
    fn what_is_kept_can_be_read_back() {
        let samples = [
            Sample::numeric([Some(f64::INFINITY), Some(-1.0)]),
            Sample::numeric([]),
            categories(&[("a", 1)]),
            categories(&[]),
        ];
        for (one, other) in samples.iter().flat_map(|one| samples.iter().map(move |other| (one, other))) {
            let moved = both(one.clone(), other);
            let text = serde_json::to_string(&moved).expect("JSON");
            assert_eq!(serde_json::from_str::<Moved>(&text).expect("read back"), moved);
        }
    }

    #[test]
    fn the_categories_that_moved_most_come_first() {
        let moved = both(categories(&[("a", 50), ("b", 40), ("c", 10)]), &categories(&[("a", 5), ("c", 2), ("n", 3)]));
        let names: Vec<&str> = moved.categories.iter().map(|share| share.category.as_str()).collect();
        assert_eq!(names, ["b", "n", "c", "a"]);
        assert_eq!((moved.categories[1].reference, moved.categories[1].current), (0.0, 0.3));
        let long = "x".repeat(400);
        let moved = both(categories(&[(&long, 1)]), &categories(&[("y", 1)]));
        assert_eq!(moved.share(&long).map(|share| share.category.chars().count()), Some(LONGEST));
    }

    #[test]
    fn a_histogram_holds_every_value() {
        let samples = |values: &[f64]| Sample::numeric(values.iter().map(|value| Some(*value)));
        let reals: Vec<f64> = (0..1000).map(|i| f64::from(i) / 7.0).collect();
        for (one, other) in [
            (samples(&reals), samples(&[1e300, f64::NEG_INFINITY, 3.5])),
            (samples(&[3.25]), samples(&[])),
            (samples(&[1.0, 2.0, 4.0]), samples(&[2.0])),
            (samples(&[1e15, 1e15 + 1.0]), samples(&[1e15])),
            (samples(&[0.0, 5000.0]), samples(&[0.0])),
        ] {
            let found = Histogram::of(&one, &other).expect("numbers");
            assert_eq!(found.edges.len(), found.reference.len() + 1);
            assert_eq!(found.reference.iter().sum::<u64>(), one.present());
            assert_eq!(found.current.iter().sum::<u64>(), other.present());
        }
        let whole = Histogram::of(&samples(&[1.0, 2.0, 4.0]), &samples(&[2.0])).expect("numbers");
        assert_eq!((whole.edges.clone(), whole.reference), (vec![0.5, 1.5, 2.5, 3.5, 4.5], vec![1, 1, 0, 1]));
        assert_eq!(Histogram::of(&samples(&[]), &samples(&[])), None);
        let far = Histogram::of(&samples(&reals), &samples(&[1e9])).map(|found| found.edges[30]);
        assert!(far.is_some(), "one value alone sets the end");
    }
}
