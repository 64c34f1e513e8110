//! Several tests of one hypothesis as one.

/// The p-value of all of them together, by the Cauchy combination test (Liu and Xie, "Cauchy combination test: a powerful test
/// with analytic p-value calculation under arbitrary dependency structures", 2020): each p-value becomes a Cauchy variable,
/// whose mean is one again however they depend on each other, the more nearly the smaller it is. `None` without any.
#[must_use]
pub fn cauchy(p_values: impl IntoIterator<Item = f64>) -> Option<f64> {
    use std::f64::consts::PI;
    // A discrete test may say 1 without having seen the opposite of a difference.
    const MOST: f64 = 0.99;
    let (mut sum, mut count) = (0.0, 0.0);
    for p in p_values {
        // The tangent loses all digits near its pole; there it is the reciprocal.
        sum += if p < 1e-8 { 1.0 / (p * PI) } else { ((0.5 - p.min(MOST)) * PI).tan() };
        count += 1.0;
    }
    let mean = sum / count;
    if count == 0.0 {
        None
    } else if mean > 1e8 {
        Some(1.0 / (mean * PI))
    } else {
        Some(0.5 - mean.atan() / PI)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::cauchy;

    proptest! {
        #[test]
        fn it_lies_between_the_smallest_and_as_many_times_that(p in prop::collection::vec(1e-300..0.9f64, 1..6)) {
            let smallest = p.iter().copied().fold(1.0, f64::min);
            let together = cauchy(p.iter().copied()).expect("defined");
            prop_assert!(together >= smallest * (1.0 - 1e-6), "{together} {smallest}");
            if smallest < 1e-4 {
                prop_assert!(together <= smallest * p.len() as f64 * 1.01, "{together} {smallest}");
            }
        }

        #[test]
        fn the_same_again_changes_nothing(p in 1e-300..0.98f64, times in 1..5usize) {
            let together = cauchy(std::iter::repeat_n(p, times)).expect("defined");
            prop_assert!((together / p - 1.0).abs() < 1e-6, "{together} {p}");
        }
    }

    #[test]
    fn nothing_and_certainty() {
        assert_eq!(cauchy([]), None);
        assert_eq!(cauchy([0.0, 0.7]), Some(0.0));
        assert!(
            cauchy([1.0, 1e-9]).is_some_and(|p| (p / 2e-9 - 1.0).abs() < 1e-4),
            "one that sees nothing hides nothing"
        );
    }
}
