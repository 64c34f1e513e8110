//! Two tests on the ranks of both sides' values together, for what Kolmogorov-Smirnov is slow to see: Wilcoxon's rank sum for a
//! change of place, and Mood's test for a change of spread ("On the asymptotic efficiency of certain nonparametric two-sample
//! tests", 1954).
//!
//! Both add up scores of the current values, the rank from the middle and its square. Were the sides one, the current values would
//! be any rows of all: the first three moments of such a sum are known exactly, ties included (every tied value has the middle of
//! its ranks), and Pearson's type III distribution has them.

use super::tails;

/// Scores of all rows, and their sum over the drawn ones.
#[derive(Default)]
struct Scores {
    moments: [f64; 3],
    drawn: f64,
}

impl Scores {
    fn add(&mut self, score: f64, rows: f64, drawn: f64) {
        self.drawn += score * drawn;
        let mut power = rows;
        for moment in &mut self.moments {
            power *= score;
            *moment += power;
        }
    }

    /// How likely the drawn rows have such a sum, of `n` rows drawn from `all`.
    fn p_value(&self, n: f64, all: f64) -> Option<f64> {
        let [mean, square, cube] = self.moments.map(|sum| sum / all);
        let variance = square - mean * mean;
        let third = cube - 3.0 * mean * square + 2.0 * mean.powi(3);
        let rest = all - n;
        let of_sum = n * rest / (all - 1.0) * variance;
        if all < 3.0 || of_sum <= 1e-12 * n * square {
            return None; // all rows have one score
        }
        let third_of_sum = n * rest * (rest - n) / ((all - 1.0) * (all - 2.0)) * third;
        tails::skewed((self.drawn - n * mean) / of_sum.sqrt(), third_of_sum / of_sum.powf(1.5))
    }
}

/// Takes both sides in, value by value.
pub struct Ranking {
    drawn: f64,
    all: f64,
    before: f64,
    place: Scores,
    spread: Scores,
}

impl Ranking {
    /// Of so many rows of each side.
    #[must_use]
    pub fn new(reference: f64, current: f64) -> Self {
        let (place, spread) = (Scores::default(), Scores::default());
        Self { drawn: current, all: reference + current, before: 0.0, place, spread }
    }

    /// The next value's rows.
    pub fn add(&mut self, reference: f64, current: f64) {
        let rows = reference + current;
        // From the middle and over the number of rows, so that cubes stay small.
        let score = (self.before + rows / 2.0 - self.all / 2.0) / self.all;
        self.place.add(score, rows, current);
        self.spread.add(score * score, rows, current);
        self.before += rows;
    }

    /// The p-values: of the rank sum, whether the values lie higher or lower, and of Mood's test, whether they lie further out or
    /// further in. `None` where all rows have one value.
    #[must_use]
    pub fn p_values(&self) -> [Option<f64>; 2] {
        [&self.place, &self.spread].map(|scores| scores.p_value(self.drawn, self.all))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranked(reference: &[i32], current: &[i32]) -> [Option<f64>; 2] {
        let mut ranking = Ranking::new(reference.len() as f64, current.len() as f64);
        let values: std::collections::BTreeSet<i32> = reference.iter().chain(current).copied().collect();
        for value in values {
            let rows = |side: &[i32]| side.iter().filter(|other| **other == value).count() as f64;
            ranking.add(rows(reference), rows(current));
        }
        ranking.p_values()
    }

    /// The moments over every way to draw the current rows from all.
    fn enumerated(all: &[i32], n: usize) -> (f64, f64, f64) {
        let middle = |value: i32| {
            let below = all.iter().filter(|other| **other < value).count() as f64;
            let same = all.iter().filter(|other| **other == value).count() as f64;
            (below + same / 2.0 - all.len() as f64 / 2.0) / all.len() as f64
        };
        let mut sums = Vec::new();
        for drawn in 0..1_u32 << all.len() {
            if drawn.count_ones() as usize == n {
                sums.push((0..all.len()).filter(|at| drawn >> at & 1 == 1).map(|at| middle(all[at])).sum::<f64>());
            }
        }
        let count = sums.len() as f64;
        let mean = sums.iter().sum::<f64>() / count;
        let moment = |power: i32| sums.iter().map(|sum| (sum - mean).powi(power)).sum::<f64>() / count;
        (mean, moment(2), moment(3))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Of few rows every draw can be looked at: the first three moments are theirs.
        #[test]
        fn the_moments_are_exact(all in prop::collection::vec(0..6_i32, 4..11), n in 1..9usize) {
            prop_assume!(n < all.len());
            let (reference, current) = (&all[n..], &all[..n]);
            let (mean, variance, third) = enumerated(&all, n);
            prop_assume!(variance > 1e-9);
            let sum: f64 = {
                let mut ranking = Ranking::new(reference.len() as f64, n as f64);
                for value in 0..6 {
                    let rows = |side: &[i32]| side.iter().filter(|other| **other == value).count() as f64;
                    ranking.add(rows(reference), rows(current));
                }
                ranking.place.drawn
            };
            // At the mean itself rounding decides which tail is meant.
            prop_assume!((sum - mean).abs() > 1e-9);
            let wanted = tails::skewed((sum - mean) / variance.sqrt(), third / variance.powf(1.5));
            let found = ranked(reference, current)[0];
            prop_assert!((found.unwrap_or(-1.0) - wanted.unwrap_or(-1.0)).abs() < 1e-6, "{found:?} {wanted:?}");
        }
    }

    #[test]
    fn each_sees_its_own_change() {
        let reference: Vec<i32> = (0..500).map(|i| i * 100).collect();
        let moved: Vec<i32> = (0..200).map(|i| i * 250 + 8000).collect();
        let [place, spread] = ranked(&reference, &moved).map(|p| p.expect("defined"));
        assert!(place < 1e-6 && spread > 1e-3, "{place} {spread}");
        let wider: Vec<i32> = (0..200).map(|i| i * 400 - 15_000).collect();
        let [place, spread] = ranked(&reference, &wider).map(|p| p.expect("defined"));
        assert!(place > 0.5 && spread < 1e-6, "{place} {spread}");
        assert_eq!(ranked(&[7; 20], &[7; 10]), [None, None]);
    }
}
