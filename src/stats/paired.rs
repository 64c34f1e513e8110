//! Two shares of the same rows: McNemar's test of whether they differ, and where their difference may lie.

use super::interval::Interval;
use super::tails;

/// How many rows are of the one alone, of the other alone, and in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discordant {
    /// Rows that count for the first alone.
    pub first: u64,
    /// Rows that count for the second alone.
    pub second: u64,
    /// All rows.
    pub rows: u64,
}

impl Discordant {
    /// Counts rows by whether each side counts them.
    pub fn of(rows: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut counted = Self { first: 0, second: 0, rows: 0 };
        for (first, second) in rows {
            counted.first += u64::from(first && !second);
            counted.second += u64::from(second && !first);
            counted.rows += 1;
        }
        counted
    }

    /// The exact p-value, two-sided, that a row is as often of the one alone as of the other (McNemar, "Note on the sampling error of the
    /// difference between correlated proportions or percentages", 1947; exact by the binomial distribution).
    #[must_use]
    pub fn mcnemar(&self) -> f64 {
        let (least, all) = (self.first.min(self.second) as f64, (self.first + self.second) as f64);
        // P(X <= k) of n tosses is the incomplete beta function of n - k and k + 1 at one half.
        if all <= 0.0 { 1.0 } else { (2.0 * tails::beta(all - least, least + 1.0, 0.5)).min(1.0) }
    }

    /// The interval of the first share less the second, by the score that McNemar's test is at 0 (Tango, "Equivalence test and confidence
    /// interval for the difference in proportions for the paired-sample design", 1998), wrong in so much (`alpha`) of samples. `None` of
    /// no rows.
    #[must_use]
    pub fn difference(&self, alpha: f64) -> Option<Interval> {
        let (b, c, n) = (self.first as f64, self.second as f64, self.rows as f64);
        if n <= 0.0 {
            return None;
        }
        let (value, reach) = ((b - c) / n, tails::deviations(alpha));
        // Of a difference the share of the second alone is what is likeliest with what was seen.
        let score = |difference: f64| {
            let (linear, constant) = ((2.0 * n - b + c) * difference - b - c, -c * difference * (1.0 - difference));
            let second = ((linear * linear - 8.0 * n * constant).max(0.0).sqrt() - linear) / (4.0 * n);
            let variance = n * (2.0 * second + difference * (1.0 - difference));
            let away = b - c - n * difference;
            if variance > 0.0 { away / variance.sqrt() } else { away * f64::INFINITY }
        };
        // It falls as the difference grows.
        let limit = |wanted: f64, mut low: f64, mut high: f64| {
            for _ in 0..80 {
                let middle = f64::midpoint(low, high);
                if score(middle) > wanted { low = middle } else { high = middle }
            }
            f64::midpoint(low, high)
        };
        Some(Interval { value, low: limit(reach, -1.0, value), high: limit(-reach, value, 1.0) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::random::Random;

    #[test]
    fn rows_that_never_differ_say_that_they_hardly_do() {
        let none = Discordant { first: 0, second: 0, rows: 100 };
        let found = none.difference(0.05).expect("rows");
        let square = tails::deviations(0.05).powi(2);
        let limit = square / (100.0 + square);
        assert!((found.high - limit).abs() < 1e-12 && (found.low + limit).abs() < 1e-12, "{found:?}");
        assert!((none.mcnemar() - 1.0).abs() < 1e-15);
        assert_eq!(Discordant { first: 0, second: 0, rows: 0 }.difference(0.05), None);
        let all = Discordant { first: 50, second: 0, rows: 50 }.difference(0.05).expect("rows");
        assert!(all.low > 0.8 && all.high >= 1.0 - 1e-12, "{all:?}");
    }

    proptest! {
        #[test]
        fn limits_stand_around_the_difference(first in 0..200_u64, second in 0..200_u64, more in 0..2000_u64, alpha in 1e-6..0.5_f64) {
            let rows = first + second + more;
            prop_assume!(rows > 0);
            let of = Discordant { first, second, rows };
            let (found, turned) = (of.difference(alpha).expect("rows"), Discordant { first: second, second: first, rows });
            let turned = turned.difference(alpha).expect("rows");
            prop_assert!((found.low + turned.high).abs() < 1e-9 && (found.high + turned.low).abs() < 1e-9, "{found:?} {turned:?}");
            prop_assert!(-1.0 <= found.low && found.low <= found.value && found.value <= found.high && found.high <= 1.0, "{found:?}");
        }
    }

    #[test]
    fn the_difference_holds_the_truth_as_often_as_it_says() {
        let mut random = Random::new(11);
        for (rows, first, second) in [(200, 0.08, 0.05), (1000, 0.02, 0.02), (400, 0.3, 0.1), (300, 0.1, 0.02)] {
            let held = (0..4000).filter(|_| {
                let row = |random: &mut Random| {
                    let u = random.uniform();
                    (u < first, (first..first + second).contains(&u))
                };
                let of = Discordant::of((0..rows).map(|_| row(&mut random)));
                of.difference(0.05).is_some_and(|found| found.holds(first - second))
            });
            let share = held.count() as f64 / 4000.0;
            assert!((0.935..=0.97).contains(&share), "{rows} {first} {second}: {share}");
        }
    }
}
