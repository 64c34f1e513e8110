//! Two-sample Kolmogorov-Smirnov test: the largest gap between the two empirical distribution functions.
//!
//! The p-value is exact up to 10,000 values a side; beyond, the one-sample distribution at the rounded effective size
//! n m / (n + m) stands for it, as scipy's `ks_2samp` has it. Missing values are left out.

use super::merged::Merged;
use super::{Outcome, Pair};
use crate::stats::kolmogorov::{one_sample, two_sample_exact};
use crate::stats::whole;

pub fn ks(pair: &Pair<'_>) -> Outcome {
    let Some(((a, b), merged)) = pair.numbers().zip(pair.merged()) else { return Outcome::default() };
    outcome(a.len(), b.len(), merged.steps, pair.exact_up_to)
}

/// The same of two lists of values, each in order; the p-value is exact up to so many of the longer.
pub(super) fn two_sample(a: &[f64], b: &[f64], exact_up_to: usize) -> Outcome {
    let merged = Merged::of(a, b, None);
    merged.map(|merged| outcome(a.len(), b.len(), merged.steps, exact_up_to)).unwrap_or_default()
}

/// Of the largest gap between the distribution functions, in steps of one over the product of both sides' rows.
fn outcome(n: usize, m: usize, steps: u64, exact_up_to: usize) -> Outcome {
    let (rows, others) = (n as f64, m as f64);
    let d = steps as f64 / (rows * others);
    let p_value = if n.max(m) <= exact_up_to {
        two_sample_exact(n as u64, m as u64, steps)
    } else {
        one_sample(whole::unsigned((rows * others / (rows + others)).round_ties_even()), d)
    };
    Outcome { statistic: Some(d), p_value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::{Bins, Sample};

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
