//! Total variation distance: half the sum over the bins of |r - c|: the share of rows that would have to move to another bin. From 0
//! to 1 (Levin, Peres and Wilmer, "Markov Chains and Mixing Times", 2009, proposition 4.2).

use super::{Outcome, Pair};

pub fn tvd(pair: &Pair<'_>) -> Outcome {
    let sum: f64 = pair.counts.shares().map(|(r, c)| (r - c).abs()).sum();
    Outcome { statistic: Some(sum / 2.0), p_value: None }
}
