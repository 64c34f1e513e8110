//! The mean of a loss over some rows, and whether that of some is larger than that of others by more than chance.

use crate::stats::interval::{self, Interval};
use crate::stats::moments::Moments;
use crate::stats::{tails, whole};

/// The losses of some rows.
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    /// Their moments.
    pub moments: Moments,
    /// Whether each is 0 or 1, so that their mean is a share.
    is_share: bool,
}

impl Tally {
    /// Of none.
    pub const NONE: Self = Self { moments: Moments::NONE, is_share: true };

    /// Of some losses.
    pub fn of(losses: impl IntoIterator<Item = f64>) -> Self {
        let mut tally = Self::NONE;
        for loss in losses {
            tally.add(loss);
        }
        tally
    }

    /// One more.
    pub fn add(&mut self, loss: f64) {
        self.moments.add(loss);
        self.is_share &= loss.to_bits() == 0 || loss.to_bits() == 1.0_f64.to_bits();
    }

    /// How many they are.
    pub fn rows(&self) -> u64 {
        whole::unsigned(self.moments.count)
    }

    /// The mean: Wilson's interval where each loss is 0 or 1, else Student's. `None` without a row, and of one alone that is no share.
    pub fn mean(&self, alpha: f64) -> Option<Interval> {
        if self.is_share {
            let ones = whole::unsigned((self.moments.mean * self.moments.count).round());
            return interval::wilson(ones, self.rows(), alpha);
        }
        interval::mean(&self.moments, alpha)
    }
}

/// How likely the first losses would have a mean so much larger than the others' by chance: the larger of two p-values, both one-sided.
/// Welch's holds where both sides vary differently. The other is of a permutation: which of all rows are the first ones is drawn, with
/// the first three moments of their sum, by Pearson's type III distribution; it holds where hardly a loss differs from another. `None`
/// where one side has fewer than two rows, or no two losses differ.
pub fn larger(first: &[f64], others: &[f64]) -> Option<f64> {
    let all = Moments::of(&[first, others].concat())?;
    let (a, b) = (Moments::of(first)?, Moments::of(others)?);
    if a.count < 2.0 || b.count < 2.0 || all.squares <= 0.0 {
        return None;
    }
    let cubes: f64 = first.iter().chain(others).map(|loss| (loss - all.mean).powi(3)).sum();
    Some(welch(&a, &b)?.max(permutation(&a, &all, cubes)?))
}

fn welch(a: &Moments, b: &Moments) -> Option<f64> {
    let part = |of: &Moments| of.squares / (of.count - 1.0) / of.count;
    let (one, other) = (part(a), part(b));
    if one + other <= 0.0 {
        return Some(if a.mean > b.mean { 0.0 } else { 1.0 });
    }
    let t = (a.mean - b.mean) / (one + other).sqrt();
    let freedom = (one + other).powi(2) / (one * one / (a.count - 1.0) + other * other / (b.count - 1.0));
    Some(one_sided(t, tails::student(t, freedom)?))
}

/// The sum of `n` of `N` rows drawn has the variance n (N - n) / (N - 1) times the mean square, and the third central moment
/// n (N - n) (N - 2 n) / ((N - 1) (N - 2)) times the mean cube.
fn permutation(drawn: &Moments, all: &Moments, cubes: f64) -> Option<f64> {
    let (n, rows) = (drawn.count, all.count);
    let variance = n * (rows - n) / (rows - 1.0) * all.squares / rows;
    let third = n * (rows - n) * (rows - 2.0 * n) / ((rows - 1.0) * (rows - 2.0)) * cubes / rows;
    let z = n * (drawn.mean - all.mean) / variance.sqrt();
    Some(one_sided(z, tails::skewed(z, third / variance.powf(1.5))?))
}

fn one_sided(statistic: f64, two_sided: f64) -> f64 {
    if statistic > 0.0 { two_sided / 2.0 } else { 1.0 - two_sided / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::pick::scattered;

    fn uniform(at: u64) -> f64 {
        (scattered(at) >> 11) as f64 / 9_007_199_254_740_992.0
    }

    #[test]
    fn a_share_has_wilsons_interval_and_an_amount_students() {
        let share = Tally::of([0.0, 1.0, 0.0, 0.0]);
        assert_eq!(share.mean(0.05), interval::wilson(1, 4, 0.05));
        let amount = Tally::of([0.0, 1.0, 0.5]).mean(0.05).expect("rows");
        assert!((amount.high - amount.value - 4.302_652_729_911_275 * 0.5 / 3.0_f64.sqrt()).abs() < 1e-9, "{amount:?}");
        assert_eq!((Tally::of([]).mean(0.05), Tally::of([0.3]).mean(0.05)), (None, None));
    }

    /// Of losses that are the same everywhere, so small a p-value is as rare as it says, whatever the losses are and few the rows.
    #[test]
    fn chance_is_told_as_chance() {
        let rare = |u: f64| f64::from(u8::from(u < 0.05));
        let common = |u: f64| f64::from(u8::from(u < 0.95));
        let skewed = |u: f64| (-(1.0 - u).ln()).powi(3);
        for (what, of) in [("rare", &rare as &dyn Fn(f64) -> f64), ("common", &common), ("skewed", &skewed)] {
            for first in [30, 300] {
                let p = |seed: u64| {
                    let losses: Vec<f64> = (0..1500).map(|row| of(uniform(seed * 1500 + row))).collect();
                    larger(&losses[..first], &losses[first..]).expect("they differ")
                };
                let small = (0..2000).filter(|seed| p(*seed) < 0.01).count();
                assert!(small <= 35, "{what} {first}: {small} of 2000");
            }
        }
    }

    #[test]
    fn a_larger_mean_is_found() {
        let losses = |from: u64, share: f64| (0..400).map(move |at| f64::from(u8::from(uniform(from + at) < share)));
        let (bad, good): (Vec<f64>, Vec<f64>) = (losses(0, 0.3).collect(), losses(400, 0.1).collect());
        assert!(larger(&bad, &good).is_some_and(|p| p < 1e-6) && larger(&good, &bad).is_some_and(|p| p > 0.999));
        assert_eq!((larger(&[1.0; 9], &[1.0; 9]), larger(&[1.0], &[0.0, 0.0])), (None, None));
        // Of few rows that are all wrong Welch's test knows no variance, and the permutation does.
        assert!(larger(&[1.0; 4], &[[1.0; 30], [0.0; 30]].concat()).is_some_and(|p| p > 0.02));
    }
}
