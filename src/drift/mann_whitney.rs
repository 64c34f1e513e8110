//! Mann-Whitney U test, two-sided: the pairs in which the reference's value is the larger, ties by half, as scipy's `mannwhitneyu`
//! (Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than the other", 1947).
//!
//! The p-value is exact with at most 8 values on a side and no ties; else by the normal distribution, corrected for ties and for
//! continuity. Missing values are left out.

use super::{Outcome, Pair, Sample};
use crate::stats::ranks;
use crate::stats::tails::normal;
use crate::stats::whole;

/// With more values on both sides the normal distribution is near enough.
const EXACT_UP_TO: usize = 8;
/// Beyond so many pairs below U, near the middle of a million values or more, an exact p-value takes too much memory.
const MOST_PAIRS: f64 = 2e6;

/// Pairs more or fewer than half of them, as there are without a change.
pub fn apart(u: Option<f64>, pair: &Pair<'_>) -> Option<f64> {
    let (a, b) = pair.numbers()?;
    Some((u? - a.len() as f64 * b.len() as f64 / 2.0).abs())
}

pub fn mann_whitney(pair: &Pair<'_>) -> Outcome {
    let (Sample::Numeric { sorted: a, .. }, Sample::Numeric { sorted: b, .. }) = (pair.reference, pair.current) else {
        return Outcome::default();
    };
    if a.is_empty() || b.is_empty() {
        return Outcome::default();
    }
    let found = ranks::mann_whitney(a, b);
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (pairs, both) = (n * m, n + m);
    let smaller = found.u.min(pairs - found.u);
    let p_value = if a.len().min(b.len()) <= EXACT_UP_TO && found.ties == 0.0 && smaller <= MOST_PAIRS {
        ranks::mann_whitney_exact(a.len() as u64, b.len() as u64, whole::unsigned(smaller)).map(|p| (2.0 * p).min(1.0))
    } else {
        let variance = pairs / 12.0 * ((both + 1.0) - found.ties / (both * (both - 1.0)));
        let over = pairs / 2.0 - smaller - 0.5;
        // Where all values are one, none is larger than another.
        Some(if over <= 0.0 || variance <= 0.0 { 1.0 } else { normal(over / variance.sqrt()) })
    };
    Outcome { statistic: Some(found.u), p_value }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::drift::Bins;

    fn outcome(a: impl Iterator<Item = f64>, b: impl Iterator<Item = f64>) -> Outcome {
        let (reference, current) = (Sample::numeric(a.map(Some)), Sample::numeric(b.map(Some)));
        mann_whitney(&Pair::new(&Bins::of(&reference), &reference, &current))
    }

    proptest! {
        #[test]
        fn a_growing_map_changes_nothing(
            a in prop::collection::vec(-20..20_i8, 1..40), b in prop::collection::vec(-20..20_i8, 1..40),
        ) {
            let of = |map: fn(f64) -> f64| {
                outcome(a.iter().map(|v| map(f64::from(*v))), b.iter().map(|v| map(f64::from(*v))))
            };
            prop_assert_eq!(of(|v| v), of(|v| v.exp() + v.powi(3)));
        }
    }

    #[test]
    fn few_values_against_very_many_are_done_with() {
        let many = || (0..3_000_000).map(f64::from);
        let far = outcome([-1.0, -2.0, -3.0].into_iter(), many()).p_value.expect("defined");
        let exact = 2.0 * 6.0 / (3_000_001.0 * 3_000_002.0 * 3_000_003.0);
        assert!((far / exact - 1.0).abs() < 1e-9, "{far:e} {exact:e}");
        let middle = outcome([1_000_000.5, 1_500_000.5, 2_000_000.5].into_iter(), many()).p_value;
        assert!(middle.is_some_and(|p| p > 0.99));
    }
}
