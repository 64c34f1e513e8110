//! How a column's numbers lie, in a few points: its distribution function as a line through them.
//!
//! Points are added where the line is worst, until it is within `GAP` of the rows' own function everywhere and within `AREA` spreads
//! of it in area, or there are `MOST` parts. (A greedy line as Douglas and Peucker's, "Algorithms for the reduction of the number of
//! points required to represent a digitized line or its caricature", 1973.) By the triangle inequality a Kolmogorov-Smirnov or a
//! Wasserstein distance to the rows and one to the line differ by no more than the line's own distance from the rows, which
//! [`Within`] states.
//!
//! What it tells of the data: a point lies between two rows' values, at the shortest number there, never at one of them, but for a
//! value that [`FEWEST`] rows or more share. Between two points lie as many rows at least; fewer between two shared values count as the
//! nearer one. Of the outermost rows no more than their mean is told, what is far out being no further than ten spreads.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::FEWEST;
use crate::drift::effect::Scale;
use crate::stats::moments::sum;
use crate::stats::ranks::ties;
use crate::stats::whole;

/// Shares of the rows that the line may be off.
const GAP: f64 = 4e-4;
/// Spreads that the area between the line and the rows' function may have in one part.
const AREA: f64 = 2e-6;
/// Parts at most.
const MOST: usize = 500;

/// A distribution function as a line through points.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Values in ascending order; one that many rows share stands there twice.
    values: Vec<f64>,
    /// Rows between each and the one before it.
    rows: Vec<u64>,
}

/// How far the curve is from the rows that it was made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// Kolmogorov-Smirnov distance.
    pub ks: f64,
    /// Wasserstein-1 distance in spreads of the rows; what lies beyond ten spreads from the quartiles lies there. `None` where that is
    /// more than there are numbers.
    pub wasserstein: Option<f64>,
}

/// One value's rows: their first place, and the one past their last.
#[derive(Debug, Clone, Copy)]
struct Run {
    value: f64,
    from: usize,
    to: usize,
}

/// Some values in a row, and the line that stands for them.
struct Part {
    from: usize,
    to: usize,
    low: f64,
    high: f64,
    /// How badly a cut is wanted; up to 1 it is not.
    badness: f64,
    /// Where it is to be cut.
    cut: Option<usize>,
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Part {}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.badness.total_cmp(&other.badness).then(other.from.cmp(&self.from))
    }
}

/// The rows' values and what their parts are measured by.
struct Rows<'a> {
    sorted: &'a [f64],
    runs: Vec<Run>,
    scale: Option<Scale>,
}

/// The shortest number from `low` to `high`, of as few digits as there are, near their middle.
fn shortest(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    let rounded = |digits: usize| format!("{middle:.digits$e}").parse::<f64>().ok();
    (0..17).filter_map(rounded).find(|value| (low..=high).contains(value)).unwrap_or(middle)
}

/// A number strictly between two that follow one another; `None` where there is none.
fn between(low: f64, high: f64) -> Option<f64> {
    let quarter = high / 4.0 - low / 4.0;
    let found = shortest(low + quarter, high - quarter);
    (low < found && found < high).then_some(found)
}

/// Every value with its rows. Those between two values that many rows share, or beside one at the end, count as the nearer one
/// where they are too few to be told of.
fn runs(sorted: &[f64]) -> Vec<Run> {
    let mut from = 0_usize;
    let of = |rows: &[f64]| {
        let run = Run { value: rows.first().copied().unwrap_or_default(), from, to: from.saturating_add(rows.len()) };
        from = run.to;
        run
    };
    let all: Vec<Run> = sorted.chunk_by(|one, other| one.total_cmp(other).is_eq()).map(of).collect();
    let shared = |run: &Run| run.rows() >= FEWEST;
    if !all.iter().any(shared) {
        return all;
    }
    let mut kept: Vec<Run> = Vec::with_capacity(all.len());
    let mut rest = all.as_slice();
    while let Some(first) = rest.first() {
        let here = rest.iter().take_while(|run| shared(run) == shared(first)).count();
        let (stretch, after) = rest.split_at(here);
        rest = after;
        if shared(first) || stretch.iter().map(Run::rows).sum::<u64>() >= FEWEST {
            kept.extend(stretch);
            continue;
        }
        // Whatever stands beside them is shared.
        let (below, above) = (kept.last().map(|run| run.value), rest.first().map(|run| run.value));
        for run in stretch {
            let nearer = match (below, above) {
                (Some(below), Some(above)) if run.value - below > above - run.value => above,
                (None, Some(above)) => above,
                (below, _) => below.unwrap_or(run.value),
            };
            kept.push(Run { value: nearer, ..*run });
        }
    }
    let together = |runs: &[Run]| Some(Run { to: runs.last()?.to, ..*runs.first()? });
    kept.chunk_by(|one, other| one.value.total_cmp(&other.value).is_eq()).filter_map(together).collect()
}

impl Run {
    fn rows(&self) -> u64 {
        self.to.saturating_sub(self.from) as u64
    }
}

impl Rows<'_> {
    /// A number between the run and the one before it.
    fn gap(&self, run: usize) -> Option<f64> {
        between(self.runs.get(run.checked_sub(1)?)?.value, self.runs.get(run)?.value)
    }

    /// Whether the values may be parted before this run.
    fn parts(&self, from: usize, run: usize, to: usize) -> bool {
        let place = |run: usize| self.runs.get(run).map_or(self.sorted.len(), |run| run.from);
        let rows = |from: usize, to: usize| place(to).saturating_sub(place(from)) as u64;
        from < run && run < to && rows(from, run) >= FEWEST && rows(run, to) >= FEWEST && self.gap(run).is_some()
    }

    /// The line for the runs from here to there.
    fn part(&self, from: usize, to: usize) -> Part {
        let held = self.runs.get(from..to).unwrap_or_default();
        let (Some(first), Some(last)) = (held.first(), held.last()) else {
            return Part { from, to, low: 0.0, high: 0.0, badness: 0.0, cut: None };
        };
        let rows = last.to.saturating_sub(first.from);
        if held.len() == 1 && rows as u64 >= FEWEST {
            return Part { from, to, low: first.value, high: first.value, badness: 0.0, cut: None };
        }
        let share = |run: &Run| run.rows() as f64 / rows as f64;
        // A share of each, so that the largest numbers there are have a mean.
        let mean = |of: &dyn Fn(f64) -> f64| sum(held.iter().map(|run| of(run.value) * share(run)));
        let near = mean(&|value| self.scale.map_or(value, |scale| scale.clipped(value)));
        let (low, high) = match (self.gap(from), self.gap(to).filter(|_| to < self.runs.len())) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, end(low, if near > low { near } else { mean(&|value| value) })),
            (None, Some(high)) => (end(high, if near < high { near } else { mean(&|value| value) }), high),
            (None, None) => {
                let deviation = mean(&|value| (value - near).powi(2)).sqrt();
                let reach = if deviation.is_finite() { deviation * 3.0_f64.sqrt() } else { 0.0 };
                let about = |value: f64| shortest(value - reach / 64.0, value + reach / 64.0);
                (about(near - reach), about(near + reach))
            }
        };
        let (badness, worst) = self.badness(held, low, high);
        let nearest = || {
            let far = to.saturating_sub(from);
            let both = |by: usize| [worst.checked_sub(by), worst.checked_add(by)];
            (0..far).flat_map(both).flatten().find(|run| self.parts(from, *run, to))
        };
        let cut = if badness > 1.0 { nearest() } else { None };
        Part { from, to, low, high, badness, cut }
    }

    /// How far the line is off, in what is allowed, and the run before which it is furthest off.
    fn badness(&self, held: &[Run], low: f64, high: f64) -> (f64, usize) {
        let (Some(first), Some(last)) = (held.first(), held.last()) else { return (0.0, 0) };
        let all = self.sorted.len() as f64;
        let rows = last.to.saturating_sub(first.from) as f64;
        let at = |value: f64| first.from as f64 + rows * ((value - low) / (high - low)).clamp(0.0, 1.0);
        let (mut gap, mut worst, mut area) = (0.0_f64, first.from, 0.0);
        let clip = |value: f64| self.scale.map_or(0.0, |scale| scale.clipped(value));
        let (mut before, mut off) = (clip(low), 0.0);
        for run in held {
            let line = at(run.value);
            let (under, over) = ((line - run.from as f64).abs(), (line - run.to as f64).abs());
            area += f64::midpoint(off, under) * (clip(run.value) - before).max(0.0);
            (before, off) = (clip(run.value), over);
            for (off, place) in [(under, run.from), (over, run.to)] {
                if off > gap {
                    (gap, worst) = (off, place);
                }
            }
        }
        area += off / 2.0 * (clip(high) - before).max(0.0);
        let area = self.scale.map_or(0.0, |scale| area / all / scale.spread());
        let worst = self.runs.partition_point(|run| run.from < worst);
        ((gap / all / GAP).max(area / AREA), worst)
    }
}

/// The end of a line from `near` whose middle is the mean.
fn end(near: f64, mean: f64) -> f64 {
    let reach = mean - near;
    let (one, other) = (mean + reach * 0.97, mean + reach * 1.03);
    let found = shortest(one.min(other), one.max(other));
    if found.is_finite() { found } else { mean }
}

impl Curve {
    /// Of finite numbers in ascending order, and how far it is off. Without any, or with fewer than [`FEWEST`], there is none.
    #[must_use]
    pub fn of(sorted: &[f64]) -> Option<(Self, Within)> {
        if (sorted.len() as u64) < FEWEST {
            return None;
        }
        let rows = Rows { sorted, runs: runs(sorted), scale: Scale::of(sorted) };
        let mut open = BinaryHeap::from([rows.part(0, rows.runs.len())]);
        let mut done: Vec<Part> = Vec::new();
        while let Some(part) = open.pop() {
            match part.cut {
                Some(cut) if done.len().saturating_add(open.len()) < MOST => {
                    open.extend([rows.part(part.from, cut), rows.part(cut, part.to)]);
                }
                _ => done.push(part),
            }
        }
        done.sort_by_key(|part| part.from);
        let mut curve = Self::default();
        for part in &done {
            let place = |run: usize| rows.runs.get(run).map_or(sorted.len(), |run| run.from);
            curve.push(part.low, 0);
            curve.push(part.high, place(part.to).saturating_sub(place(part.from)) as u64);
        }
        let within = curve.within(&rows);
        Some((curve, within))
    }

    fn push(&mut self, value: f64, rows: u64) {
        if self.values.last() != Some(&value) || rows > 0 {
            self.values.push(value);
            self.rows.push(rows);
        }
    }

    fn within(&self, of: &Rows<'_>) -> Within {
        let line = self.values_of(self.rows());
        let count = of.sorted.len() as f64;
        let gap = |below_a: u64, below_b: u64| (below_a as f64 - below_b as f64).abs() / count;
        let ks = ties(of.sorted, &line).map(|tie| gap(tie.below_a, tie.below_b)).fold(0.0, f64::max);
        let wasserstein = of.scale.map_or(0.0, |scale| scale.shift(of.sorted, &line).measured);
        Within { ks: rounded_up(ks), wasserstein: Some(rounded_up(wasserstein)).filter(|shift| shift.is_finite()) }
    }

    /// Rows it stands for.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.iter().fold(0, |sum, rows| sum.saturating_add(*rows))
    }

    /// Its points: values, and how many rows lie up to each.
    pub fn points(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut sum = 0_u64;
        let up_to = self.rows.iter().map(move |rows| {
            sum = sum.saturating_add(*rows);
            sum
        });
        self.values.iter().copied().zip(up_to)
    }

    /// So many values in ascending order that lie as it says: its own rows, each in the middle of its place, or fewer.
    #[must_use]
    pub fn values_of(&self, rows: u64) -> Vec<f64> {
        let mut found = Vec::new();
        self.extend(&mut found, rows);
        found
    }

    /// Puts so many values behind others.
    pub fn extend(&self, values: &mut Vec<f64>, rows: u64) {
        values.reserve_exact(usize::try_from(rows).unwrap_or_default());
        let share = rows as f64 / (self.rows() as f64).max(1.0);
        let (mut low, mut from, mut done) = (0.0, 0.0, 0);
        for (high, to) in self.points() {
            let to = to as f64 * share;
            // The rows whose middle lies here.
            let last = whole::unsigned((to - 0.5).ceil().max(0.0)).max(done);
            values.extend((done..last).map(|row| {
                let part = (row as f64 + 0.5 - from) / (to - from);
                // Never the sum of two values that is more than there are numbers.
                let value = low * (1.0 - part) + high * part;
                if low < high { value.clamp(low, high) } else { high }
            }));
            (low, from, done) = (high, to, last);
        }
    }

    /// The value below which this share of the rows lies.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = share.clamp(0.0, 1.0) * self.rows() as f64;
        let (mut low, mut from) = self.points().next().map(|(value, rows)| (value, rows as f64))?;
        for (high, to) in self.points().map(|(value, rows)| (value, rows as f64)) {
            if wanted <= to && to > from {
                let part = (wanted - from) / (to - from);
                // Of a value that many rows share no other is made by rounding.
                return Some((low * (1.0 - part) + high * part).clamp(low, high));
            }
            (low, from) = (high, to);
        }
        Some(low)
    }

    /// Its lowest and its highest value, and the rows of the part next to each, of which some may lie further out.
    #[must_use]
    pub fn ends(&self) -> Option<[(f64, u64); 2]> {
        let outermost = |rows: Option<&u64>| rows.copied().unwrap_or_default();
        let lowest = (*self.values.first()?, outermost(self.rows.iter().find(|rows| **rows > 0)));
        let highest = (*self.values.last()?, outermost(self.rows.iter().rev().find(|rows| **rows > 0)));
        Some([lowest, highest])
    }

    /// The rows that share this value, as far as it says.
    #[must_use]
    pub fn rows_at(&self, value: f64) -> u64 {
        let is_it = |end: &f64| end.total_cmp(&value).is_eq();
        self.steps().filter(|(low, high, _)| is_it(low) && is_it(high)).map(|(.., rows)| rows).sum()
    }

    /// The rows of each value, where every row's is one that it shares.
    #[must_use]
    pub fn shared(&self) -> Option<Vec<u64>> {
        let held = || self.steps().filter(|(.., rows)| *rows > 0);
        held().all(|(low, high, _)| low.total_cmp(&high).is_eq()).then(|| held().map(|(.., rows)| rows).collect())
    }

    /// From one point to the next, and the rows between.
    fn steps(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        self.values.windows(2).zip(self.rows.iter().skip(1)).filter_map(|(ends, rows)| match ends {
            [low, high] => Some((*low, *high, *rows)),
            _ => None,
        })
    }

    /// What is wrong with it, having been read.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        if self.values.len() != self.rows.len() || self.values.len() == 1 {
            return Some("its quantiles and their rows are not of one number");
        }
        let ascending = self.values.is_sorted() && self.rows.first().is_none_or(|rows| *rows == 0);
        if !ascending || self.values.iter().any(|value| !value.is_finite()) {
            return Some("its quantiles are not in ascending order");
        }
        None
    }
}

/// With three digits.
fn rounded_up(value: f64) -> f64 {
    let up = value * 1.005;
    format!("{up:.2e}").parse().unwrap_or(up)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Evenly over the distribution, with a little chance.
    fn drawn(rows: u32, seed: u64, of: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut state = seed;
        let mut values: Vec<f64> = (0..rows)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                of(((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64)
            })
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    fn normal(p: f64) -> f64 {
        use statrs::distribution::{ContinuousCDF, Normal};
        Normal::standard().inverse_cdf(p)
    }

    type Quantile = fn(f64) -> f64;

    const DISTRIBUTIONS: &[(&str, Quantile)] = &[
        ("normal", normal),
        ("uniform", |p| p),
        ("exponential", |p| -(1.0 - p).ln()),
        ("log-normal", |p| normal(p).exp()),
        ("two modes", |p| if p < 0.3 { normal(p / 0.3) } else { 20.0 + normal((p - 0.3) / 0.7) }),
        ("half zero", |p| if p < 0.5 { 0.0 } else { -(2.0 * (1.0 - p)).ln() }),
        ("ten values", |p| (p * 10.0).floor()),
        ("a thousand values", |p| (p * 1000.0).floor()),
        ("whole numbers of a normal", |p| (normal(p) * 300.0).round()),
        ("cents", |p| (normal(p).exp() * 1000.0).round() / 100.0),
        ("steps of a geometric", |p| ((1.0 - p).ln() / 0.9_f64.ln()).floor()),
        ("Student with 2", |p| (2.0 * p - 1.0) * (2.0 / (4.0 * p * (1.0 - p))).sqrt()),
    ];

    #[test]
    fn it_is_within_a_thousandth_of_the_rows() {
        for (name, quantile) in DISTRIBUTIONS {
            for (rows, most) in [(10_000, 2e-3), (100_000, 1e-3)] {
                let sorted = drawn(rows, 7, quantile);
                let (curve, within) = Curve::of(&sorted).expect("enough rows");
                assert!(
                    within.ks <= most && within.wasserstein.is_some_and(|shift| shift <= most),
                    "{name}, {rows} rows: {within:?}"
                );
                assert_eq!((curve.rows(), curve.problem()), (u64::from(rows), None));
                let bytes = serde_json::to_string(&curve).expect("text").len();
                assert!(bytes < 7500, "{name}, {rows} rows: {bytes}");
                distances_are_those_of_the_rows(name, &sorted, &curve, within);
            }
        }
    }

    /// To samples of others and of its own, moved and not.
    fn distances_are_those_of_the_rows(name: &str, sorted: &[f64], curve: &Curve, within: Within) {
        use crate::drift::{Bins, Pair, Sample, test};
        let scale = Scale::of(sorted).expect("it varies");
        let line = curve.values_of(curve.rows());
        let own = drawn(2000, 99, |p| sorted[whole::index(p * sorted.len() as f64)]);
        let moved = own.iter().map(|value| value + 0.1 * scale.spread()).collect();
        for current in [own, moved, drawn(2000, 5, normal)] {
            let shift = |reference: &[f64]| scale.shift(reference, &current).measured;
            assert!((shift(sorted) - shift(&line)).abs() <= within.wasserstein.expect("finite"), "{name}");
            let current = Sample::numeric(current.iter().copied().map(Some));
            let ks = |reference: &[f64]| {
                let reference = Sample::numeric(reference.iter().copied().map(Some));
                test("ks").expect("a test").run(&Pair::new(&Bins::of(&reference), &reference, &current)).statistic
            };
            let (rows, profile) = (ks(sorted).expect("defined"), ks(&line).expect("defined"));
            assert!((rows - profile).abs() <= within.ks + 1e-12, "{name}: {rows} {profile}");
        }
    }

    #[test]
    fn no_row_is_told() {
        let sorted = drawn(3000, 3, normal);
        let (curve, _) = Curve::of(&sorted).expect("enough rows");
        assert!(curve.values.iter().all(|value| !sorted.contains(value)));
        let held = curve.rows.iter().skip(1).all(|rows| *rows >= FEWEST);
        assert!(held && curve.values.len() > 20, "{curve:?}");
        // A value that many share is told, one that few do is not.
        let shared = [vec![1.0; 40], vec![2.0; 3], vec![3.0; 60], vec![1e9]].concat();
        let (curve, _) = Curve::of(&shared).expect("enough rows");
        assert_eq!(curve.values_of(104), [vec![1.0; 43], vec![3.0; 61]].concat());
        assert_eq!(Curve::of(&[1.0; 4]), None);
    }

    #[test]
    fn few_values_are_exact() {
        let sorted: Vec<f64> = (0..10_u8).flat_map(|value| vec![f64::from(value); 70 + usize::from(value)]).collect();
        let (curve, within) = Curve::of(&sorted).expect("enough rows");
        assert_eq!(curve.values_of(curve.rows()), sorted);
        assert_eq!(within, Within { ks: 0.0, wasserstein: Some(0.0) });
        assert_eq!((curve.quantile(0.0), curve.quantile(1.0)), (Some(0.0), Some(9.0)));
        assert_eq!(Curve::of(&[4.5; 9]).expect("enough rows").0.values_of(9), [4.5; 9]);
        assert_eq!(curve.values_of(75).len(), 75);
    }

    #[test]
    fn a_number_is_as_short_as_can_be() {
        for (low, high, want) in [(0.12, 0.29, 0.2), (7.25, 7.75, 7.5), (-1e-300, 3e-300, 1e-300)] {
            assert!((shortest(low, high) - want).abs() <= want * 1e-12, "{low} to {high}: {}", shortest(low, high));
        }
        assert_eq!(between(1.0, 1.0_f64.next_up()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        /// Whatever the numbers: the distances stated are kept to, and the rows are as many.
        #[test]
        fn any_numbers_have_one(values in prop::collection::vec(prop_oneof![
            (-9..9_i8).prop_map(f64::from), -1.0..1.0, prop::num::f64::NORMAL,
        ], 5..300)) {
            let mut sorted = values;
            sorted.sort_unstable_by(f64::total_cmp);
            let sorted: Vec<f64> = sorted.into_iter().map(|value| value + 0.0).collect();
            let (curve, within) = Curve::of(&sorted).expect("enough rows");
            prop_assert_eq!(curve.problem(), None, "{:?}", curve);
            let line = curve.values_of(curve.rows());
            prop_assert_eq!(line.len(), sorted.len());
            prop_assert!(line.is_sorted() && line.iter().all(|value| value.is_finite()));
            let count = sorted.len() as f64;
            let ks = ties(&sorted, &line).map(|tie| (tie.below_a as f64 - tie.below_b as f64).abs() / count).fold(0.0, f64::max);
            prop_assert!(ks <= within.ks);
        }
    }
}
