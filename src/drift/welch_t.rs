//! Welch's t-test of two means, two-sided, without the assumption of one variance, as scipy's `ttest_ind` with `equal_var=False`
//! (Welch, "The generalization of Student's problem when several different population variances are involved", 1947). Above zero where
//! the reference's mean is the larger. Missing values are left out; it is undefined with fewer than two values on a side, without any
//! variance, and where a value is infinite.

use super::{Outcome, Pair, Sample};
use crate::stats::moments::Moments;
use crate::stats::tails::student;

pub fn welch_t(pair: &Pair<'_>) -> Outcome {
    let (Sample::Numeric { sorted: a, .. }, Sample::Numeric { sorted: b, .. }) = (pair.reference, pair.current) else {
        return Outcome::default();
    };
    let (Some(a), Some(b)) = (Moments::of(a), Moments::of(b)) else { return Outcome::default() };
    // The squared standard errors of both means.
    let [one, other] = [a, b].map(|side| side.squares / (side.count - 1.0) / side.count);
    if a.count < 2.0 || b.count < 2.0 || one + other <= 0.0 {
        return Outcome::default();
    }
    let t = (a.mean - b.mean) / (one + other).sqrt();
    // Shares first: the squares of small variances would vanish.
    let share = one / (one + other);
    let freedom = 1.0 / (share * share / (a.count - 1.0) + (1.0 - share).powi(2) / (b.count - 1.0));
    Outcome { statistic: Some(t), p_value: student(t, freedom) }
}
