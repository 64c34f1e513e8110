//! Two-sample Kolmogorov-Smirnov test: the largest gap between the two empirical distribution functions.
//!
//! The p-value is exact up to 10,000 values a side; beyond, the one-sample distribution at the rounded effective size
//! n m / (n + m) stands for it, as scipy's `ks_2samp` has it. Missing values are left out.

use super::{Outcome, Pair, Sample};
use crate::stats::kolmogorov::{one_sample, two_sample_exact};
use crate::stats::ranks::ties;
use crate::stats::whole;

pub fn ks(pair: &Pair<'_>) -> Outcome {
    let (Sample::Numeric { sorted: a, .. }, Sample::Numeric { sorted: b, .. }) = (pair.reference, pair.current) else {
        return Outcome::default();
    };
    two_sample(a, b, pair.exact_up_to)
}

/// The same of two lists of values, each in order; the p-value is exact up to so many of the longer.
pub(super) fn two_sample(a: &[f64], b: &[f64], exact_up_to: usize) -> Outcome {
    if a.is_empty() || b.is_empty() {
        return Outcome::default();
    }
    let (n, m) = (a.len() as u64, b.len() as u64);
    let steps = largest_gap(a, b);
    let d = steps as f64 / (n as f64 * m as f64);
    let p_value = if a.len().max(b.len()) <= exact_up_to {
        two_sample_exact(n, m, steps)
    } else {
        let (n, m) = (n as f64, m as f64);
        one_sample(whole::unsigned((n * m / (n + m)).round_ties_even()), d)
    };
    Outcome { statistic: Some(d), p_value }
}

/// The largest |i m - j n| where i of the n values of `a` and j of the m values of `b` lie below a value.
fn largest_gap(a: &[f64], b: &[f64]) -> u64 {
    let (n, m) = (a.len() as u64, b.len() as u64);
    ties(a, b).map(|tie| tie.below_a.saturating_mul(m).abs_diff(tie.below_b.saturating_mul(n))).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::Bins;

    #[test]
    fn the_larger_side_decides_what_the_p_value_is_taken_from() {
        // Near enough to one another that no probability is nothing.
        let found = |n: u32, m: u32| {
            let reference = Sample::numeric((0..n).map(|i| Some(f64::from(i) / f64::from(n))));
            let current = Sample::numeric((0..m).map(|i| Some(0.01 + f64::from(i) / f64::from(m))));
            let outcome = ks(&Pair::new(&Bins::of(&reference), &reference, &current));
            let d = outcome.statistic.expect("defined");
            let steps = crate::stats::whole::unsigned((d * f64::from(n) * f64::from(m)).round());
            (outcome.p_value, two_sample_exact(n.into(), m.into(), steps), d)
        };
        let (p, exact, _) = found(10_000, 3);
        assert_eq!(p, exact);
        let (p, exact, d) = found(10_001, 3);
        assert_eq!(p, one_sample(3, d), "30003 / 10004 is nearly 3");
        assert_ne!(p, exact);
        let (p, _, d) = found(10_002, 30_006);
        // 7501.5 is rounded to the even one of its neighbours.
        assert_eq!(p, one_sample(7502, d));
        let (p, _, d) = found(10_001, 10_001);
        assert_eq!(p, one_sample(5000, d), "5000.5");
    }
}
