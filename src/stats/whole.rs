//! Floats as whole numbers: the one place where a float is cast to an integer, so that what does not fit has one meaning.

/// The part before the point. What is below zero or no number is 0, what is too large is the largest there is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what `as` does to a float is what is said above: it cuts off, and stays within the type"
)]
#[must_use]
pub fn unsigned(value: f64) -> u64 {
    value as u64
}

/// The same below zero too: what is too small is the smallest there is, but for one.
#[must_use]
pub fn signed(value: f64) -> i64 {
    let size = i64::try_from(unsigned(value.abs())).unwrap_or(i64::MAX);
    if value < 0.0 { -size } else { size }
}

/// The same as a place or a length.
#[must_use]
pub fn index(value: f64) -> usize {
    usize::try_from(unsigned(value)).unwrap_or(usize::MAX)
}

/// From here on, 2^53, a float stands for its neighbours, too.
pub const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether it is a whole number; so is whatever is too large for a fraction.
#[must_use]
pub fn is(value: f64) -> bool {
    /// From here on every float is whole: what is added to it is rounded to a whole number.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let size = value.abs();
    size >= WHOLE || (size + WHOLE) - WHOLE - size == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_has_no_fraction() {
        let values =
            [0.0, -0.0, 1.0, 0.5, -2.5, 1e-300, 4_503_599_627_370_495.5, 4_503_599_627_370_497.0, 9e15 + 1.0, 1e300];
        for value in values.into_iter().chain((-999..999).map(|i| f64::from(i) / 8.0)) {
            assert_eq!(is(value), value.fract() == 0.0, "{value}");
        }
        assert!(is(f64::INFINITY) && !is(f64::NAN));
    }

    #[test]
    fn what_does_not_fit_is_the_nearest_that_does() {
        let values = [0.0, -0.0, 1.9, -1.9, 1e308, -1e308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-320];
        assert_eq!(values.map(unsigned), [0, 0, 1, 0, u64::MAX, 0, u64::MAX, 0, 0, 0]);
        assert_eq!(values.map(signed), [0, 0, 1, -1, i64::MAX, -i64::MAX, i64::MAX, -i64::MAX, 0, 0]);
        assert_eq!(values.map(index), [0, 0, 1, 0, usize::MAX, 0, usize::MAX, 0, 0, 0]);
        assert_eq!(
            (unsigned(9_007_199_254_740_993.0), signed(-4e18)),
            (9_007_199_254_740_992, -4_000_000_000_000_000_000)
        );
    }
}
