//! Anderson-Darling test of two samples: the squared gap between the distribution functions, weighted towards both ends, with
//! midranks for ties and standardised (Scholz and Stephens, "K-sample Anderson-Darling tests", 1987, equations 4 and 7), as
//! scipy's `anderson_ksamp` has it. It may lie below zero.
//!
//! The p-value is interpolated in their table 2, as scipy does it: it is never above 0.25 nor below 0.001, whatever the data.
//! Missing values are left out; fewer than four values in all, or one value alone on both sides, have no test.

use super::{Outcome, Pair, Sample};
use crate::stats::ranks::ties;

/// The first and the last quantile of their table for two samples, and the p-values there.
const TABLE: [(f64, f64); 2] = [(0.325, 0.25), (6.546, 0.001)];
/// The parabola by least squares through ln p over the seven quantiles, highest power first.
const PARABOLA: [f64; 3] = [0.018_198_094_574_111_6, -1.008_226_564_465_25, -1.077_770_279_820_48];

/// It is standardised: 0 without a change, and below that more alike than by chance.
pub fn apart(statistic: Option<f64>, _: &Pair<'_>) -> Option<f64> {
    statistic.map(|statistic| statistic.max(0.0))
}

pub fn anderson_darling(pair: &Pair<'_>) -> Outcome {
    let (Sample::Numeric { sorted: a, .. }, Sample::Numeric { sorted: b, .. }) = (pair.reference, pair.current) else {
        return Outcome::default();
    };
    if a.is_empty() || b.is_empty() {
        return Outcome::default();
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let all = n + m;
    let (mut sum, mut values) = (0.0, 0.0);
    for tie in ties(a, b) {
        values += 1.0;
        let (here_a, here_b) = (tie.a as f64, tie.b as f64);
        let here = here_a + here_b;
        // Half of what ties lies below.
        let below_a = tie.below_a as f64 + here_a / 2.0;
        let below = below_a + tie.below_b as f64 + here_b / 2.0;
        let gap = all * below_a - below * n;
        // The other side has the same gap, the other way.
        sum += here / all * gap * gap / (below * (all - below) - all * here / 4.0);
    }
    if all < 4.0 || values < 2.0 {
        return Outcome::default();
    }
    let statistic = ((all - 1.0) / all * sum * (1.0 / n + 1.0 / m) - 1.0) / variance(n, m).sqrt();
    Outcome { statistic: Some(statistic), p_value: Some(p_value(statistic)) }
}

fn p_value(statistic: f64) -> f64 {
    let [(first, most), (last, least)] = TABLE;
    if statistic < first {
        return most;
    }
    if statistic > last {
        return least;
    }
    let [a, b, c] = PARABOLA;
    ((a * statistic + b) * statistic + c).exp()
}

/// Of the sum, where both sides come from one distribution (their equation 4), for two samples.
fn variance(n: f64, m: f64) -> f64 {
    let all = n + m;
    let inverse = 1.0 / n + 1.0 / m;
    // h = the sum of 1/i below N; g = the sum of 1/((N - i) j) over i < j < N.
    let (mut h, mut g) = (0.0, 0.0);
    let mut i = 1.0;
    while i < all - 1.0 {
        h += 1.0 / (all - i);
        g += h / (i + 1.0);
        i += 1.0;
    }
    h += 1.0;
    let a = 4.0 * g - 6.0 + (10.0 - 6.0 * g) * inverse;
    let b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h + 4.0 * g - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * 4.0 + (4.0 * h - 4.0 * g + 6.0) * 2.0 + (2.0 * h - 6.0) * inverse + 4.0 * h;
    let d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
    (((a * all + b) * all + c) * all + d) / ((all - 1.0) * (all - 2.0) * (all - 3.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p_value_stays_within_the_table() {
        assert!((p_value(-1.0) - 0.25).abs() < 1e-15 && (p_value(99.0) - 0.001).abs() < 1e-15);
        assert!((p_value(1.961) - 0.05).abs() < 1e-3);
    }
}
