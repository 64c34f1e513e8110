//! Two-sample chi-squared test of homogeneity over the bins (Pearson), without Yates' correction: the expected counts come
//! from both sides together, as scipy's `chi2_contingency` has it. One bin alone has no test.

use statrs::function::gamma::checked_gamma_ur;

use super::{Outcome, Pair};

pub fn chi_squared(pair: &Pair<'_>) -> Outcome {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let (reference, current) = (total(&pair.counts.reference), total(&pair.counts.current));
    let mut statistic = 0.0;
    let mut bins = 0.0;
    for (r, c) in pair.counts.reference.iter().zip(&pair.counts.current) {
        let both = *r as f64 + *c as f64;
        if both == 0.0 {
            continue;
        }
        bins += 1.0;
        for (observed, side) in [(*r as f64, reference), (*c as f64, current)] {
            let expected = both * (side / (reference + current));
            statistic += (observed - expected).powi(2) / expected;
        }
    }
    if bins < 2.0 {
        return Outcome::default();
    }
    Outcome { statistic: Some(statistic), p_value: tail(statistic, bins - 1.0) }
}

/// The upper tail of the chi-squared distribution: the regularised upper incomplete gamma function.
pub(super) fn tail(statistic: f64, freedom: f64) -> Option<f64> {
    if statistic <= 0.0 { Some(1.0) } else { checked_gamma_ur(freedom / 2.0, statistic / 2.0).ok() }
}
