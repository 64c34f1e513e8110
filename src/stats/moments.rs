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
    /// `None` where there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        // Measured from one of them, so that numbers far from zero lose no digit to their distance.
        let origin = *values.get(values.len() / 2)?;
        let count = values.len() as f64;
        let offset = sum(values.iter().map(|value| value - origin)) / count;
        let squares = sum(values.iter().map(|value| (value - origin - offset).powi(2)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_far_from_zero_keep_their_spread() {
        let far: Vec<f64> = (0..1000).map(|i| 1e15 + f64::from(i % 2)).collect();
        let found = Moments::of(&far).expect("defined");
        assert!((found.squares - 250.0).abs() < 1e-9, "{found:?}");
        assert_eq!(Moments::of(&[]), None);
    }

    #[test]
    fn a_small_term_is_not_lost() {
        assert_eq!(sum([1e100, 1.0, -1e100].into_iter()).to_bits(), 1.0_f64.to_bits());
    }
}
