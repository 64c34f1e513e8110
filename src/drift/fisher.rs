//! Fisher's exact test, two-sided, for columns of two categories: the p-value is the share of all tables with the same margins that are
//! no likelier (Fisher, "The logic of inductive inference", 1935), as scipy's `fisher_exact`.
//!
//! The statistic is the odds ratio of the last category in order, reference to current. Where that divides by 0 it is undefined.

use super::two_by_two::table;
use super::{Outcome, Pair};
use crate::stats::hypergeometric;

/// An odds ratio is as far from 1 as its inverse. Of a table with a 0 in it, each cell with one half more (Haldane, "The estimation and
/// significance of the logarithm of a ratio of frequencies", 1956): it is far, and not without end.
pub fn apart(odds: Option<f64>, pair: &Pair<'_>) -> Option<f64> {
    let filled = || {
        let [[a, b], [c, d]] = table(pair)?.map(|row| row.map(|count| count + 0.5));
        Some(a * d / (b * c))
    };
    odds.filter(|odds| *odds > 0.0).or_else(filled).map(|odds| odds.max(odds.recip()))
}

pub fn fisher(pair: &Pair<'_>) -> Outcome {
    let Some([[a, b], [c, d]]) = table(pair) else { return Outcome::default() };
    Outcome { statistic: Some(a * d / (b * c)), p_value: hypergeometric::fisher([[a, b], [c, d]]) }
}
