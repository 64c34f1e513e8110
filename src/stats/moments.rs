//! Mean and spread, with sums that carry what rounding drops.

/// Of some numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many they are.
    pub count: f64,
    /// Their mean.
    pub mean: f64,
    /// The sum of their squared deviations from it.
    pub squares: f64,
}

impl Moments {
    /// Of no numbers.
    pub const NONE: Self = Self { count: 0.0, mean: 0.0, squares: 0.0 };

    /// Takes in one number more (Welford, "Note on a method for calculating corrected sums of squares and products", 1962).
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        let away = value - self.mean;
        self.mean += away / self.count;
        self.squares += away * (value - self.mean);
    }

    /// Takes in all of another's (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
    /// 1979).
    pub fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if other.count <= 0.0 {
            return;
        }
        let away = other.mean - self.mean;
        self.mean += away * (other.count / count);
        self.squares += other.squares + away * away * (self.count * other.count / count);
        self.count = count;
    }

    /// `None` where there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        // Measured from one of them, so that numbers far from zero lose no digit to their distance.
        let origin = *values.get(values.len() / 2)?;
        let count = values.len() as f64;
        let offset = sum_of(values, |value| value - origin) / count;
        let squares = sum_of(values, |value| (value - origin - offset).powi(2));
        Some(Self { count, mean: origin + offset, squares })
    }
}

/// A sum that is as exact as its terms (Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen",
/// 1974).
pub fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut dropped) = (0.0_f64, 0.0);
    for term in terms {
        let next = sum + term;
        dropped += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        sum = next;
    }
    sum + dropped
}

/// Sums side by side, so that none waits for the one before it.
const LANES: usize = 8;

/// The same of a function of many numbers, several times as quick: in lanes, each with what rounding drops from it (Knuth, "The Art of
/// Computer Programming", volume 2, 4.2.2, theorem B).
fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (mut sums, mut dropped) = ([0.0; LANES], [0.0; LANES]);
    let (lanes, rest) = values.as_chunks::<LANES>();
    for chunk in lanes {
        for ((sum, dropped), value) in sums.iter_mut().zip(&mut dropped).zip(chunk) {
            let term = term(*value);
            let next = *sum + term;
            let added = next - *sum;
            *dropped += (*sum - (next - added)) + (term - added);
            *sum = next;
        }
    }
    sum(sums.into_iter().chain(dropped).chain(rest.iter().map(|value| term(*value))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_far_from_zero_keep_their_spread() {
        let far: Vec<f64> = (0..1000).map(|i| 1e15 + f64::from(i % 2)).collect();
        let found = Moments::of(&far).expect("defined");
        assert!((found.squares - 250.0).abs() < 1e-9, "{found:?}");
        assert_eq!(Moments::of(&[]), None);
    }

    proptest! {
        #[test]
        fn lanes_add_up_to_the_sum(values in prop::collection::vec(prop_oneof![-1e12..1e12f64, -1e-3..1e-3f64], 0..100)) {
            // Of whole multiples of one power of two, so that the sum itself is exact.
            let values: Vec<f64> = values.into_iter().map(|value| (value * 1024.0).round() / 1024.0).collect();
            prop_assert!((sum_of(&values, |value| value) - sum(values.iter().copied())).abs() < 1e-9);
            let mirrored: Vec<f64> = values.iter().map(|value| -value).chain(values.iter().copied()).collect();
            prop_assert!(sum_of(&mirrored, |value| value).abs() <= 0.0);
        }
    }

    proptest! {
        #[test]
        fn one_by_one_and_in_parts_is_the_same(values in prop::collection::vec(-1e3..1e3_f64, 1..60), cut in 0..60_usize) {
            let of = |values: &[f64]| {
                let mut moments = Moments::NONE;
                for value in values {
                    moments.add(*value);
                }
                moments
            };
            let (head, tail) = values.split_at(cut.min(values.len()));
            let mut parts = of(head);
            parts.merge(&of(tail));
            let want = Moments::of(&values).expect("values");
            for got in [of(&values), parts] {
                prop_assert!((got.count - want.count).abs() < 0.5 && (got.mean - want.mean).abs() < 1e-9, "{:?} {:?}", got, want);
                prop_assert!((got.squares - want.squares).abs() < 1e-6 * (1.0 + want.squares), "{:?} {:?}", got, want);
            }
        }
    }

    #[test]
    fn a_small_term_is_not_lost() {
        assert_eq!(sum([1e100, 1.0, -1e100].into_iter()).to_bits(), 1.0_f64.to_bits());
    }
}
