//! Wasserstein-1 (earth mover's) distance: the area between the two empirical distribution functions, in the column's own
//! unit (as scipy's `wasserstein_distance`). Missing values are left out; an infinite value leaves it undefined.

use super::ks::past;
use super::{Outcome, Pair, Sample};

pub fn wasserstein(pair: &Pair<'_>) -> Outcome {
    Outcome { statistic: area(pair, |gap| gap), p_value: None }
}

/// The area under a function of the gap between both distribution functions.
pub(super) fn area(pair: &Pair<'_>, of: impl Fn(f64) -> f64) -> Option<f64> {
    let (Sample::Numeric { sorted: a, .. }, Sample::Numeric { sorted: b, .. }) = (pair.reference, pair.current) else {
        return None;
    };
    let (Some(a_first), Some(b_first)) = (a.first(), b.first()) else { return None };
    let (a_share, b_share) = (1.0 / a.len() as f64, 1.0 / b.len() as f64);
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    let mut at = a_first.min(*b_first);
    while i < a.len() || j < b.len() {
        let next = match (a.get(i), b.get(j)) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(a), None) => *a,
            (None, b) => b.copied().unwrap_or(at),
        };
        let gap = (i as f64 * a_share - j as f64 * b_share).abs();
        area += of(gap) * (next - at);
        at = next;
        i = past(a, i, at);
        j = past(b, j, at);
    }
    Some(area)
}
