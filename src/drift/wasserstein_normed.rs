//! Wasserstein-1 distance over the reference's standard deviation (of a population, at least 0.001), as Evidently has it: it has no unit.
//! Missing values are left out; an infinite value leaves it undefined.

use super::{Outcome, Pair, Sample};
use crate::stats::moments::Moments;

/// The least that the distance is divided by.
const LEAST_DEVIATION: f64 = 0.001;

pub fn wasserstein_normed(pair: &Pair<'_>) -> Outcome {
    let Sample::Numeric { sorted, .. } = pair.reference else { return Outcome::default() };
    let deviation = Moments::of(sorted).map(|moments| (moments.squares / moments.count).sqrt());
    let normed = pair.merged().zip(deviation).map(|(merged, by)| merged.area / by.max(LEAST_DEVIATION));
    Outcome { statistic: normed, p_value: None }
}
