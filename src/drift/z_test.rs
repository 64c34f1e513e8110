//! Two-sided z-test of two proportions with the pooled variance, as statsmodels' `proportions_ztest`, for columns of two categories: above
//! zero where the last of them in order has the larger share in the reference.

use super::two_by_two::table;
use super::{Outcome, Pair};
use crate::stats::tails::normal;

pub fn z_test(pair: &Pair<'_>) -> Outcome {
    let Some([[a, b], [c, d]]) = table(pair) else { return Outcome::default() };
    let (reference, current) = (a + b, c + d);
    let pooled = ((a + c) / (reference + current)) * ((b + d) / (reference + current));
    // The difference of the shares by cross products, which are whole numbers.
    let difference = (a * d - b * c) / (reference * current);
    let z = difference / (pooled * (1.0 / reference + 1.0 / current)).sqrt();
    Outcome { statistic: Some(z), p_value: Some(normal(z)) }
}
