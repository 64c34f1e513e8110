//! Where a figure may lie, given how many rows it is of: two-sided intervals at [`LEVEL`].
//!
//! Two forms do for all of them. A figure that keeps within 0 and 1 has Wilson's score interval, over as many rows as would give a plain
//! share the variance that the figure has (for a plain share, its rows). A figure without an upper end has one on its logarithm, or
//! a plain one of a mean; both by Student's distribution.
//!
//! How they are made, and that of a difference, is [`stats::interval`](crate::stats::interval)'s, where the value is one with its limits.
//! Here the limits stand beside a figure that may be undefined, as they are written.

use serde::{Deserialize, Serialize};

use crate::stats::interval::{Interval, wilson_of};
use crate::stats::moments::Moments;
use crate::stats::tails;

/// How often an interval holds the true figure.
pub const LEVEL: f64 = 0.95;

/// The limits of a figure that stands beside them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Within {
    /// The lower.
    pub low: f64,
    /// The upper.
    pub high: f64,
}

impl From<Interval> for Within {
    fn from(of: Interval) -> Self {
        Self { low: of.low, high: of.high }
    }
}

impl Within {
    /// One with its figure.
    #[must_use]
    pub fn of(self, value: f64) -> Interval {
        Interval { value, low: self.low, high: self.high }
    }

    /// Holds the value.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// By a growing map of the figure.
    #[must_use]
    pub fn map(self, of: impl Fn(f64) -> f64) -> Self {
        Self { low: of(self.low), high: of(self.high) }
    }

    fn finite(self) -> Option<Self> {
        (self.low.is_finite() && self.high.is_finite()).then_some(self)
    }
}

/// A figure within 0 and 1, by the variance of its estimate; where that is nothing, as at either end, it is of `rows`.
#[must_use]
pub fn share(value: f64, variance: f64, rows: f64) -> Option<Within> {
    let room = value * (1.0 - value);
    let effective = if variance > 0.0 && room > 0.0 { (room / variance).min(1e15) } else { rows };
    wilson(value, effective)
}

/// A plain share of so many rows.
#[must_use]
pub fn wilson(share: f64, rows: f64) -> Option<Within> {
    wilson_of(share, rows, 1.0 - LEVEL).map(Within::from)
}

/// A mean of `rows` values, by the variance of its estimate.
#[must_use]
pub fn mean(value: f64, variance: f64, rows: f64) -> Option<Within> {
    let half = student(rows)? * variance.sqrt();
    Within { low: value - half, high: value + half }.finite()
}

/// A figure above zero, on its logarithm.
#[must_use]
pub fn positive(value: f64, variance: f64, rows: f64) -> Option<Within> {
    if value.is_nan() || value <= 0.0 {
        return None;
    }
    let half = student(rows)? * variance.sqrt() / value;
    Within { low: value * (-half).exp(), high: value * half.exp() }.finite()
}

/// What `now` is more than `before`, of rows that have nothing to do with each other.
#[must_use]
pub fn difference((before, at_before): (f64, Within), (now, at_now): (f64, Within)) -> Within {
    at_now.of(now).less(at_before.of(before)).into()
}

/// Beyond so many standard errors a mean of `rows` values lies by chance in one of twenty.
fn student(rows: f64) -> Option<f64> {
    tails::student_deviations(1.0 - LEVEL, rows - 1.0)
}

/// Values whose mean is wanted, and how it varies.
#[derive(Debug, Clone, Copy)]
pub struct Spread(Moments);

impl Spread {
    /// Of none.
    pub const NONE: Self = Self(Moments::NONE);

    /// One more.
    pub fn push(&mut self, value: f64) {
        self.0.add(value);
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.0.count
    }

    /// Their mean; `None` of none, and beyond the largest number.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.0.count > 0.0 && self.0.mean.is_finite()).then_some(self.0.mean)
    }

    /// The variance of their mean.
    #[must_use]
    pub fn of_mean(&self) -> f64 {
        if self.0.count > 1.0 { self.0.squares / (self.0.count - 1.0) / self.0.count } else { f64::NAN }
    }

    /// The interval of their mean.
    #[must_use]
    pub fn interval(&self) -> Option<Within> {
        mean(self.mean()?, self.of_mean(), self.0.count)
    }
}

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut spread = Self::NONE;
        for value in values {
            spread.push(value);
        }
        spread
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn they_are_those_of_the_books() {
        // statsmodels.stats.proportion.proportion_confint(7, 20, method="wilson"); scipy.stats.t.interval(.95, 4, 3, sqrt(2.5/5)).
        let found = wilson(0.35, 20.0).expect("defined");
        assert!((found.low - 0.181_191_824_101_082_03).abs() < 1e-12, "{found:?}");
        assert!((found.high - 0.567_145_723_314_763_8).abs() < 1e-12, "{found:?}");
        let found = [1.0, 2.0, 3.0, 4.0, 5.0].into_iter().collect::<Spread>().interval().expect("defined");
        assert!((found.low - 1.036_756_838_522_442_8).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn nothing_is_known_of_nothing_and_little_of_one() {
        assert_eq!((wilson(0.5, 0.0), wilson(f64::NAN, 5.0), positive(0.0, 1.0, 5.0)), (None, None, None));
        assert_eq!([3.0].into_iter().collect::<Spread>().interval(), None);
        let all = wilson(1.0, 10.0).expect("defined");
        assert!(all.high >= 1.0 && all.low > 0.6 && all.low < 0.8, "{all:?}");
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_figure_and_shrinks_with_rows(share in 0.0..=1.0_f64, rows in 1.0..1e6_f64) {
            let (few, many) = (wilson(share, rows).expect("defined"), wilson(share, rows * 4.0).expect("defined"));
            prop_assert!(few.holds(share) && many.holds(share) && 0.0 <= few.low && few.high <= 1.0);
            prop_assert!(many.high - many.low < few.high - few.low);
        }

        #[test]
        fn a_difference_of_the_same_holds_nothing(share in 0.0..=1.0_f64, rows in 1.0..1e6_f64) {
            let one = (share, wilson(share, rows).expect("defined"));
            prop_assert!(difference(one, one).holds(0.0));
        }
    }
}
