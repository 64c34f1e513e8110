//! Two-sample test of Cramér and von Mises: the squared gap between the two distribution functions, over all values, as scipy's
//! `cramervonmises_2samp`.
//!
//! The p-value is exact up to 20 values a side, beyond it that of the limit. Tied values have the mean of their ranks, as scipy has
//! it: with many ties and sides of unequal size that makes the statistic too large, so that columns of few distinct numbers
//! seem to differ. Missing values are left out; fewer than two values on a side, or one value alone on both, have no test.

use super::{Outcome, Pair, Sample};
use crate::stats::cramer_von_mises::Criterion;

/// The larger side up to which the p-value is exact.
const EXACT_UP_TO: usize = 20;

pub fn cramer_von_mises(pair: &Pair<'_>) -> Outcome {
    let (Sample::Numeric { sorted: a, .. }, Sample::Numeric { sorted: b, .. }) = (pair.reference, pair.current) else {
        return Outcome::default();
    };
    let one_value = a.first() == b.first() && a.last() == b.last() && a.first() == a.last();
    if a.len() < 2 || b.len() < 2 || one_value {
        return Outcome::default();
    }
    let Some(found) = Criterion::of(a, b) else { return Outcome::default() };
    let p_value = if a.len().max(b.len()) <= EXACT_UP_TO { found.exact() } else { found.asymptotic() };
    Outcome { statistic: Some(found.statistic()), p_value: Some(p_value) }
}
