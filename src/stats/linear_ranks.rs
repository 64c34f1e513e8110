//! Two tests on the ranks of both sides' values together, for what Kolmogorov-Smirnov is slow to see: Wilcoxon's rank sum for a
//! change of place, and Mood's test for a change of spread ("On the asymptotic efficiency of certain nonparametric two-sample
//! tests", 1954).
//!
//! Both add up scores of the current values, the rank from the middle and its square. Were the sides one, the current values would
//! be any rows of all: the first three moments of such a sum are known exactly, ties included (every tied value has the middle of
//! its ranks), and Pearson's type III distribution has them.

use super::tails;

/// Takes both sides in, value by value. Ranks are counted from the middle and doubled, so that they are whole numbers: -(n - 1), -(n - 3),
/// ..., n - 1 for n rows without ties.
pub struct Ranking {
    drawn: f64,
    all: f64,
    before: f64,
    /// Sums over all rows of the rank's second, third, fourth and sixth power; of the rank itself it is 0.
    powers: [f64; 4],
    /// Sums over the current rows of the rank and of its square.
    drawn_powers: [f64; 2],
}

impl Ranking {
    /// Of so many rows of each side.
    #[must_use]
    pub fn new(reference: f64, current: f64) -> Self {
        Self { drawn: current, all: reference + current, before: 0.0, powers: [0.0; 4], drawn_powers: [0.0; 2] }
    }

    /// The next value's rows.
    #[inline]
    pub fn add(&mut self, reference: f64, current: f64) {
        let rows = reference + current;
        let rank = 2.0 * self.before + rows - self.all;
        let square = rank * rank;
        let [one, two] = &mut self.drawn_powers;
        *one += current * rank;
        *two += current * square;
        let [second, third, fourth, sixth] = &mut self.powers;
        let squares = rows * square;
        *second += squares;
        *third += squares * rank;
        *fourth += squares * square;
        *sixth += squares * square * square;
        self.before += rows;
    }

    /// The next rows of the reference, each of a value of its own and with none of the current side's among them: evenly spaced
    /// ranks, whose powers have closed sums about their middle.
    pub fn pass(&mut self, reference: f64) {
        let n = reference;
        let rank = 2.0 * self.before + n - self.all;
        let square = rank * rank;
        // Of -(n - 1), -(n - 3), ..., n - 1, what is odd being 0.
        let second = n * (n * n - 1.0) / 3.0;
        let fourth = second * (3.0 * n * n - 7.0) / 5.0;
        let sixth = second * (3.0 * n.powi(4) - 18.0 * n * n + 31.0) / 7.0;
        let own = [
            n * square + second,
            n * square * rank + 3.0 * rank * second,
            n * square * square + 6.0 * square * second + fourth,
            n * square.powi(3) + 15.0 * square * square * second + 15.0 * square * fourth + sixth,
        ];
        for (sum, own) in self.powers.iter_mut().zip(own) {
            *sum += own;
        }
        self.before += n;
    }

    /// The p-values: of the rank sum, whether the values lie higher or lower, and of Mood's test, whether they lie further out or
    /// further in. `None` where all rows have one value.
    #[must_use]
    pub fn p_values(&self) -> [Option<f64>; 2] {
        let [second, third, fourth, sixth] = self.powers;
        let [place, spread] = self.drawn_powers;
        [([0.0, second, third], place), ([second, fourth, sixth], spread)]
            .map(|(sums, drawn)| self.p_value(sums, drawn))
    }

    /// How likely the current rows have such a sum of scores, whose first three powers add up to these over all rows.
    fn p_value(&self, sums: [f64; 3], drawn: f64) -> Option<f64> {
        let (n, all) = (self.drawn, self.all);
        let [mean, square, cube] = sums.map(|sum| sum / all);
        let variance = square - mean * mean;
        let third = cube - 3.0 * mean * square + 2.0 * mean.powi(3);
        let rest = all - n;
        let of_sum = n * rest / (all - 1.0) * variance;
        if all < 3.0 || of_sum <= 1e-12 * n * square {
            return None; // all rows have one score
        }
        let third_of_sum = n * rest * (rest - n) / ((all - 1.0) * (all - 2.0)) * third;
        tails::skewed((drawn - n * mean) / of_sum.sqrt(), third_of_sum / of_sum.powf(1.5))
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
                ranking.drawn_powers[0] / (2.0 * all.len() as f64)
            };
            // At the mean itself rounding decides which tail is meant.
            prop_assume!((sum - mean).abs() > 1e-9);
            let wanted = tails::skewed((sum - mean) / variance.sqrt(), third / variance.powf(1.5));
            let found = ranked(reference, current)[0];
            prop_assert!((found.unwrap_or(-1.0) - wanted.unwrap_or(-1.0)).abs() < 1e-6, "{found:?} {wanted:?}");
        }
    }

    proptest! {
        /// Rows that are passed together come to what they do one by one.
        #[test]
        fn rows_passed_together_are_rows_one_by_one(stretches in prop::collection::vec((0..40_u8, 1..3_u8, 1..3_u8), 1..12)) {
            let side = |of: fn(&(u8, u8, u8)) -> u8| stretches.iter().map(|stretch| f64::from(of(stretch))).sum::<f64>();
            let (passed, tied, drawn) = (side(|s| s.0), side(|s| s.1), side(|s| s.2));
            let [mut one, mut other] = [(); 2].map(|()| Ranking::new(passed + tied, drawn));
            for (passed, tied, drawn) in &stretches {
                one.pass(f64::from(*passed));
                (0..*passed).for_each(|_| other.add(1.0, 0.0));
                one.add(f64::from(*tied), f64::from(*drawn));
                other.add(f64::from(*tied), f64::from(*drawn));
            }
            // Whole numbers, few enough that no sum is rounded but for the sixth power's.
            prop_assert_eq!((one.before, one.drawn_powers), (other.before, other.drawn_powers));
            for (one, other) in one.powers.iter().zip(&other.powers) {
                prop_assert!((one - other).abs() <= 1e-12 * other.abs(), "{one} {other}");
            }
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
