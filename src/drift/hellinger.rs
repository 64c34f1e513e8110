//! Hellinger distance: the root of half the sum over the bins of (sqrt(r) - sqrt(c))^2, which is sqrt(1 - sum of sqrt(r c)) without
//! the difference of two numbers near 1 (Hellinger, "Neue Begründung der Theorie quadratischer Formen", 1909). From 0 to 1.

use super::{Outcome, Pair};

pub fn hellinger(pair: &Pair<'_>) -> Outcome {
    let sum: f64 = pair.counts.shares().map(|(r, c)| (r.sqrt() - c.sqrt()).powi(2)).sum();
    Outcome { statistic: Some((sum / 2.0).sqrt()), p_value: None }
}
