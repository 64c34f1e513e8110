//! Evidently 0.7: its default choice of a method for a column, and its share of drifted columns for a data set.
//!
//! It leaves missing and infinite values out. Up to 1000 reference rows a p-value decides, beyond them a distance; which one is chosen
//! by the kind and by the distinct values of both sides together. There is no correction over the columns.

use std::borrow::Cow;

use statrs::function::erf::erfc;
use statrs::function::gamma::checked_gamma_ur;

use super::{Decision, deviation, divergence};
use crate::drift::ks::ks;
use crate::drift::sample::side_by_side;
use crate::drift::wasserstein::wasserstein;
use crate::drift::{Counts, Pair, Sample};
use crate::stats::ranks::ties;

/// Up to so many reference rows a p-value decides.
const SMALL: u64 = 1000;
/// Up to so many distinct values a numeric column is compared as categories are.
const FEW: usize = 5;
/// The threshold of p-values.
const SIGNIFICANCE: f64 = 0.05;
/// The threshold of distances.
const DISTANCE: f64 = 0.1;
/// The smallest standard deviation a distance is divided by.
const NARROWEST: f64 = 0.001;
/// A data set drifts from this share of its columns on.
pub const SHARE: f64 = 0.5;

/// What Evidently says of a column. It stops where a side has no value at all.
#[must_use]
pub fn decide(reference: &Sample, current: &Sample) -> Decision {
    let (reference, current) = (&*finite(reference), &*finite(current));
    let small = reference.present() <= SMALL;
    let Some(counts) = categories(reference, current) else {
        let pair = Pair::counted(reference, current, Counts::default());
        return if small {
            decision("K-S p_value", SIGNIFICANCE, ks(&pair).p_value, |p| p <= SIGNIFICANCE)
        } else {
            let normed = wasserstein(&pair).statistic.map(|area| area / width(reference));
            decision("Wasserstein distance (normed)", DISTANCE, normed, |distance| distance >= DISTANCE)
        };
    };
    let total = (reference.present() as f64, current.present() as f64);
    let defined = total.0 > 0.0 && total.1 > 0.0 && reference.kind() == current.kind();
    if !small {
        let distance = defined.then(|| jensen_shannon(&counts, total));
        decision("Jensen-Shannon distance", DISTANCE, distance, |distance| distance >= DISTANCE)
    } else if counts.len() > 2 {
        let p = defined.then(|| chi_squared(&counts, total)).flatten();
        decision("chi-square p_value", SIGNIFICANCE, p, |p| p < SIGNIFICANCE)
    } else {
        decision("Z-test p_value", SIGNIFICANCE, defined.then(|| z(&counts, total)), |p| p < SIGNIFICANCE)
    }
}

fn decision(method: &'static str, threshold: f64, value: Option<f64>, drifts: impl Fn(f64) -> bool) -> Decision {
    Decision { method, value: value.filter(|value| value.is_finite()), threshold, drift: value.map(drifts) }
}

/// The sample without its infinite values.
fn finite(sample: &Sample) -> Cow<'_, Sample> {
    let Sample::Numeric { sorted, missing } = sample else { return Cow::Borrowed(sample) };
    let first = sorted.partition_point(|value| *value == f64::NEG_INFINITY);
    let end = sorted.partition_point(|value| *value < f64::INFINITY);
    match sorted.get(first..end) {
        Some(kept) if kept.len() < sorted.len() => {
            let left_out = sorted.len().saturating_sub(kept.len()) as u64;
            Cow::Owned(Sample::Numeric { sorted: kept.to_vec(), missing: missing.saturating_add(left_out) })
        }
        _ => Cow::Borrowed(sample),
    }
}

/// Both sides' counts of each distinct value, in order. `None` for a numeric column with more than a few.
fn categories(reference: &Sample, current: &Sample) -> Option<Vec<(u64, u64)>> {
    match (reference, current) {
        (Sample::Numeric { sorted: a, .. }, Sample::Numeric { sorted: b, .. }) => {
            let mut counts = Vec::new();
            for tie in ties(a, b) {
                if counts.len() == FEW {
                    return None;
                }
                counts.push((tie.a, tie.b));
            }
            Some(counts)
        }
        (Sample::Categorical { counts: a, .. }, Sample::Categorical { counts: b, .. }) => {
            Some(side_by_side(a, b).map(|(_, r, c)| (r, c)).collect())
        }
        _ => Some(Vec::new()),
    }
}

/// What the distance of numbers is divided by.
fn width(reference: &Sample) -> f64 {
    match reference {
        Sample::Numeric { sorted, .. } => deviation(sorted).max(NARROWEST),
        Sample::Categorical { .. } => f64::NAN,
    }
}

/// One-sample chi-squared test: the reference's shares are taken for the truth, so a category it lacks is impossible.
fn chi_squared(counts: &[(u64, u64)], total: (f64, f64)) -> Option<f64> {
    let factor = total.1 / total.0;
    let part = |(r, c): &(u64, u64)| {
        let expected = *r as f64 * factor;
        (*c as f64 - expected).powi(2) / expected
    };
    let statistic: f64 = counts.iter().map(part).sum();
    let freedom = counts.len() as f64 - 1.0;
    if statistic <= 0.0 {
        Some(1.0)
    } else if statistic.is_infinite() {
        Some(0.0)
    } else {
        checked_gamma_ur(freedom / 2.0, statistic / 2.0).ok()
    }
}

/// Two-sided z-test of the share of the second of two values. One value alone has a p-value of 1.
fn z(counts: &[(u64, u64)], total: (f64, f64)) -> f64 {
    let [_, (r, c)] = counts else { return 1.0 };
    let (n, m) = total;
    let (a, b) = (*r as f64 / n, *c as f64 / m);
    let both = (a * n + b * m) / (n + m);
    let z = (a - b) / (both * (1.0 - both) * (1.0 / n + 1.0 / m)).sqrt();
    // From the lower tail, as there: what is beyond the last digit of 1 is lost.
    2.0 * (1.0 - erfc(-z.abs() / std::f64::consts::SQRT_2) / 2.0)
}

/// Jensen-Shannon distance to the base e.
fn jensen_shannon(counts: &[(u64, u64)], total: (f64, f64)) -> f64 {
    let (reference, current): (Vec<f64>, Vec<f64>) =
        counts.iter().map(|(r, c)| (*r as f64 / total.0, *c as f64 / total.1)).unzip();
    (divergence(&reference, &current) / 2.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_without_values_has_no_decision() {
        let none = Sample::numeric([None, Some(f64::INFINITY), Some(f64::NEG_INFINITY)]);
        let few = Sample::numeric((0..10).map(|i| Some(f64::from(i % 3))));
        let many = Sample::numeric((0..2000).map(|i| Some(f64::from(i))));
        let names = Sample::categorical(["a", "b"].map(|name| Some(name.to_owned())));
        let nobody = Sample::categorical([None]);
        for (reference, current) in [(&none, &few), (&few, &none), (&many, &none), (&none, &many), (&none, &none)] {
            let Decision { value, drift, .. } = decide(reference, current);
            assert_eq!((value, drift), (None, None));
        }
        for (reference, current) in [(&names, &nobody), (&nobody, &names), (&names, &few), (&few, &names)] {
            let Decision { value, drift, .. } = decide(reference, current);
            assert_eq!((value, drift), (None, None));
        }
    }
}
