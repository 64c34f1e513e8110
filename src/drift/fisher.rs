//! Fisher's exact test, two-sided, for columns of two categories: the p-value is the share of all tables with the same margins that are
//! no likelier (Fisher, "The logic of inductive inference", 1935), as scipy's `fisher_exact`.
//!
//! The statistic is the odds ratio of the last category in order, reference to current. Where that divides by 0 it is undefined.

use super::two_by_two::table;
use super::{Outcome, Pair};
use crate::stats::hypergeometric;

/// An odds ratio is as far from 1 as its inverse. `None` of 0, as of a division by 0.
pub fn apart(odds: f64, _: &Pair<'_>) -> Option<f64> {
    (odds > 0.0).then(|| odds.max(odds.recip()))
}

pub fn fisher(pair: &Pair<'_>) -> Outcome {
    let Some([[a, b], [c, d]]) = table(pair) else { return Outcome::default() };
    Outcome { statistic: Some(a * d / (b * c)), p_value: hypergeometric::fisher([[a, b], [c, d]]) }
}
