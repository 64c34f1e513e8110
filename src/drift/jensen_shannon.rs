//! Jensen-Shannon distance: the root of the mean Kullback-Leibler divergence of both shares from their middle, base 2, so
//! that it lies between 0 and 1 (Endres and Schindelin, "A new metric for probability distributions", 2003).

use super::{Outcome, Pair};

pub fn jensen_shannon(pair: &Pair<'_>) -> Outcome {
    let divergence = |share: f64, middle: f64| if share == 0.0 { 0.0 } else { share * (share / middle).log2() };
    let sum: f64 = pair
        .counts
        .shares()
        .map(|(r, c)| {
            let middle = f64::midpoint(r, c);
            divergence(r, middle) + divergence(c, middle)
        })
        .sum();
    // Rounding may leave a hair below zero where both sides are the same.
    Outcome { statistic: Some((sum / 2.0).max(0.0).sqrt()), p_value: None }
}
