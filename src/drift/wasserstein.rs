//! Wasserstein-1 (earth mover's) distance: the area between the two empirical distribution functions, in the column's own
//! unit (as scipy's `wasserstein_distance`). Missing values are left out; an infinite value leaves it undefined.

use super::{Outcome, Pair};

pub fn wasserstein(pair: &Pair<'_>) -> Outcome {
    Outcome { statistic: pair.merged().map(|merged| merged.area), p_value: None }
}
