//! L-infinity distance: the largest |r - c| over the bins, as NannyML has it for categories. From 0 to 1.

use super::{Outcome, Pair};

pub fn l_infinity(pair: &Pair<'_>) -> Outcome {
    let largest = pair.counts.shares().map(|(r, c)| (r - c).abs()).fold(0.0, f64::max);
    Outcome { statistic: Some(largest), p_value: None }
}
