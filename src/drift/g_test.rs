//! Two-sample G-test of homogeneity over the bins: 2 times the sum of o ln(o / e), with the expected counts e of both sides together
//! and the chi-squared distribution, without a correction, as scipy's `chi2_contingency` has it for `lambda_="log-likelihood"` (Wilks,
//! "The likelihood test of independence in contingency tables", 1935). One bin alone has no test.

use super::chi_squared::tail;
use super::{Outcome, Pair};

pub fn g_test(pair: &Pair<'_>) -> Outcome {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let (reference, current) = (total(&pair.counts.reference), total(&pair.counts.current));
    let all = reference + current;
    let mut sum = 0.0;
    let mut bins = 0.0;
    for (r, c) in pair.counts.reference.iter().zip(&pair.counts.current) {
        let (r, c) = (*r as f64, *c as f64);
        if r + c == 0.0 {
            continue;
        }
        bins += 1.0;
        // What is over on one side lacks on the other. The differences add up to nothing over the table, and with each taken off
        // its logarithm no term is below zero and none is lost to rounding.
        let over = (r * current - c * reference) / all;
        for (side, over) in [(reference, over), (current, -over)] {
            let expected = (r + c) * (side / all);
            let relative = over / expected;
            let observed = expected + over;
            sum += if observed > 0.0 && relative > -1.0 { observed * relative.ln_1p() - over } else { expected };
        }
    }
    if bins < 2.0 {
        return Outcome::default();
    }
    let statistic = (2.0 * sum).max(0.0);
    Outcome { statistic: Some(statistic), p_value: tail(statistic, bins - 1.0) }
}
