//! NannyML 0.13: the Jensen-Shannon distance of its `UnivariateDriftCalculator`, for numbers and for categories.
//!
//! The bins are the reference's alone; all that lies beyond them, or was never seen, shares one more. It leaves missing values out.
//! Its documentation names a threshold of 0.1; what its calculator takes, unless told otherwise, is the mean and three standard
//! deviations of the distances that the reference's own chunks have.

use std::ops::Range;

use super::{Decision, deviation, divergence, mean, sum};
use crate::drift::Sample;

/// Its name for the method.
const METHOD: &str = "jensen_shannon";
/// The constant threshold.
const DISTANCE: f64 = 0.1;
/// So many standard deviations lie between the mean of the reference's chunks and the threshold.
const DEVIATIONS: f64 = 3.0;
/// Into so many chunks the reference is cut.
const CHUNKS: usize = 10;

/// What NannyML says of a column, held against the constant threshold. It stops where there is no current row, or where the reference
/// is infinite.
#[must_use]
pub fn decide(reference: &Sample, current: &Sample) -> Decision {
    held(Fitted::new(reference).as_ref(), current, DISTANCE)
}

/// The same held against the threshold that the reference's own chunks give: what its calculator does unless told otherwise.
#[must_use]
pub fn decide_by_chunks(reference: &Sample, chunks: &[Sample], current: &Sample) -> Decision {
    let fitted = Fitted::new(reference);
    let distances: Vec<f64> = fitted
        .iter()
        .flat_map(|fitted| chunks.iter().map(|chunk| fitted.distance(chunk)))
        .filter(|distance| !distance.is_nan())
        .collect();
    held(fitted.as_ref(), current, mean(&distances) + DEVIATIONS * deviation(&distances))
}

/// Which rows make the chunks of a reference, in the order of its rows: ten of one size, and what is left over. None below ten rows,
/// where NannyML stops.
#[must_use]
pub fn chunks(rows: usize) -> Vec<Range<usize>> {
    let size = rows.checked_div(CHUNKS).unwrap_or_default();
    if size == 0 {
        return Vec::new();
    }
    (0..rows).step_by(size).map(|first| first..first.saturating_add(size).min(rows)).collect()
}

fn held(fitted: Option<&Fitted<'_>>, current: &Sample, threshold: f64) -> Decision {
    let fitted = fitted.filter(|fitted| current.rows() > 0 && current.kind() == fitted.reference.kind());
    let distance = fitted.map(|fitted| fitted.distance(current));
    // A distance that is no number is no alert.
    let drift = distance.map(|distance| distance > threshold);
    Decision { method: METHOD, value: distance.filter(|distance| distance.is_finite()), threshold, drift }
}

/// A reference, as it is fitted.
struct Fitted<'a> {
    reference: &'a Sample,
    /// The edges of the bins of numbers.
    edges: Vec<f64>,
    /// The reference's share of each bin.
    shares: Vec<f64>,
}

impl<'a> Fitted<'a> {
    /// `None` where there are no such bins.
    fn new(reference: &'a Sample) -> Option<Self> {
        let edges = match reference {
            Sample::Numeric { sorted, .. } => doane(sorted)?,
            Sample::Categorical { .. } => Vec::new(),
        };
        let mut fitted = Self { reference, edges, shares: Vec::new() };
        fitted.shares = fitted.shares_of(reference);
        (reference.rows() > 0).then_some(fitted)
    }

    fn distance(&self, current: &Sample) -> f64 {
        if current.present() == 0 {
            return f64::NAN;
        }
        let (mut reference, mut current) = (self.shares.clone(), self.shares_of(current));
        // What the shares lack of 1 is beyond the bins, though it may be what rounding took.
        let beyond = 1.0 - sum(&current);
        if beyond > 0.0 {
            reference.push(0.0);
            current.push(beyond);
        }
        (divergence(&reference, &current) / std::f64::consts::LN_2 / 2.0).sqrt()
    }

    /// A sample's share of each bin of the reference. None of a sample of another kind.
    fn shares_of(&self, sample: &Sample) -> Vec<f64> {
        let counts = match (self.reference, sample) {
            (Sample::Numeric { .. }, Sample::Numeric { sorted, .. }) => in_bins(&self.edges, sorted),
            (Sample::Categorical { counts: bins, .. }, Sample::Categorical { counts, .. }) => {
                bins.keys().map(|bin| counts.get(bin).copied().unwrap_or_default()).collect()
            }
            _ => Vec::new(),
        };
        let all = sample.present() as f64;
        counts.into_iter().map(|count| count as f64 / all).collect()
    }
}

/// Counts as numpy's `histogram` does: an edge belongs to the bin above it, the last one to the last bin.
fn in_bins(edges: &[f64], sorted: &[f64]) -> Vec<u64> {
    let last = edges.len().saturating_sub(1);
    let below =
        |(i, edge): (usize, &f64)| sorted.partition_point(|value| if i == last { value <= edge } else { value < edge });
    let below: Vec<usize> = edges.iter().enumerate().map(below).collect();
    below.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as u64).collect()
}

/// Edges of equal bins, as many as Doane's formula asks for (numpy's `histogram_bin_edges` with "doane"): more than Sturges' the more
/// the values are skewed. `None` where values are not finite, or lie too near to one another for so many bins.
fn doane(sorted: &[f64]) -> Option<Vec<f64>> {
    let (mut first, mut last) = match (sorted.first(), sorted.last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (0.0, 1.0),
    };
    let width = doane_width(sorted, last - first);
    if last <= first {
        (first, last) = (first - 0.5, last + 0.5);
    }
    let bins = if width == 0.0 { 1.0 } else { ((last - first) / width).ceil() };
    let step = (last - first) / bins;
    if !step.is_finite() || bins < 1.0 {
        return None;
    }
    let bins = crate::stats::whole::index(bins);
    let mut edges: Vec<f64> = (0..bins).map(|bin| bin as f64 * step + first).collect();
    edges.push(last);
    edges.is_sorted_by(|a, b| a < b).then_some(edges)
}

/// Zero where the formula says nothing.
fn doane_width(sorted: &[f64], spread: f64) -> f64 {
    let n = sorted.len() as f64;
    if n <= 2.0 {
        return 0.0;
    }
    let (middle, sigma) = (mean(sorted), deviation(sorted));
    if sigma.is_nan() || sigma <= 0.0 {
        return 0.0;
    }
    let cubes: Vec<f64> = sorted.iter().map(|value| ((value - middle) / sigma).powi(3)).collect();
    let error = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
    spread / (1.0 + n.log2() + (1.0 + mean(&cubes).abs() / error).log2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_rows_or_of_two_kinds_there_is_no_decision() {
        let (numbers, names) = (Sample::numeric([Some(1.0)]), Sample::categorical([Some("1".to_owned())]));
        let none = Sample::numeric([]);
        for (reference, current) in [(&numbers, &names), (&names, &numbers), (&numbers, &none), (&none, &numbers)] {
            assert_eq!(decide(reference, current).drift, None);
        }
        assert_eq!(decide(&numbers, &Sample::numeric([None])).drift, Some(false), "NannyML: no number, no alert");
    }

    #[test]
    fn a_reference_is_cut_into_ten_and_what_is_left() {
        assert!(chunks(9).is_empty());
        assert_eq!(chunks(10).len(), 10);
        let cut = chunks(209);
        assert_eq!((cut.len(), cut[0].clone(), cut[10].clone()), (11, 0..20, 200..209));
    }

    #[test]
    fn the_last_edge_is_the_last_bins() {
        assert_eq!(in_bins(&[0.0, 1.0, 2.0], &[-1.0, 0.0, 1.0, 1.5, 2.0, 2.5]), [1, 3]);
        assert_eq!(in_bins(&[0.0, 1.0], &[f64::NEG_INFINITY, 0.5, f64::INFINITY]), [1]);
    }

    #[test]
    fn bins_that_cannot_be_made_are_none() {
        let of = |values: &[f64]| doane(&values.iter().map(|v| v + 0.0).collect::<Vec<_>>());
        assert_eq!(of(&[]), Some(vec![0.0, 1.0]));
        assert_eq!(of(&[2.0, 2.0, 2.0]), Some(vec![1.5, 2.5]));
        assert_eq!(of(&[1.0, 2.0]), Some(vec![1.0, 2.0]));
        assert_eq!(of(&[1.0, 2.0, f64::INFINITY]), None);
        assert_eq!(of(&[-1e308, 0.0, 1e308]), None);
        assert_eq!(of(&[1e300, 1e300, 1e300 * (1.0 + f64::EPSILON)]), None);
    }
}
