//! Wasserstein-1 (earth mover's) distance: the area between the two empirical distribution functions, in the column's own
//! unit (as scipy's `wasserstein_distance`). Missing values are left out; an infinite value leaves it undefined.

use super::{Outcome, Pair, Sample};
use crate::stats::ranks::ties;

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
    let (mut area, mut at) = (0.0, a_first.min(*b_first));
    for tie in ties(a, b) {
        let gap = (tie.below_a as f64 * a_share - tie.below_b as f64 * b_share).abs();
        area += of(gap) * (tie.value - at);
        at = tie.value;
    }
    Some(area)
}
