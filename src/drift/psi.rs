//! Population stability index: the sum over the bins of (r - c) ln(r / c), where r and c are the shares of the reference
//! and of the current rows (Siddiqi, "Credit Risk Scorecards", 2006; Jeffreys' divergence of the binned shares).

use super::{Outcome, Pair};

/// What an empty share counts as, so that the logarithm is finite. The other shares are not renormalised.
const EMPTY: f64 = 1e-4;

pub fn psi(pair: &Pair<'_>) -> Outcome {
    let terms = pair.counts.shares().map(|(r, c)| (filled(r), filled(c))).map(|(r, c)| (r - c) * (r / c).ln());
    Outcome { statistic: Some(terms.sum()), p_value: None }
}

/// The share, or what stands for an empty one.
pub(super) fn filled(share: f64) -> f64 {
    if share == 0.0 { EMPTY } else { share }
}
