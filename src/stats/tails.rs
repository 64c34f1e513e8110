//! How likely a statistic lies so far out, by its first moments.

use statrs::function::erf::erfc;
use statrs::function::gamma::{checked_gamma_lr, checked_gamma_ur};

/// Below this skewness the normal distribution stands for Pearson's.
const NEARLY_SYMMETRIC: f64 = 5e-3;

/// Two-sided p-value of a statistic that lies `z` standard deviations from its mean, by the normal distribution.
#[must_use]
pub fn normal(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The same of a statistic with a skewness, by Pearson's type III distribution (a gamma distribution, moved and mirrored): twice
/// the tail beyond `z`. It is nothing where the statistic lies beyond the end of that distribution.
#[must_use]
pub fn skewed(z: f64, skewness: f64) -> Option<f64> {
    if !z.is_finite() || !skewness.is_finite() {
        return None;
    }
    if skewness.abs() < NEARLY_SYMMETRIC {
        return Some(normal(z));
    }
    let shape = 4.0 / (skewness * skewness);
    let x = shape + z * skewness.signum() * shape.sqrt();
    let upper = (z > 0.0) == (skewness > 0.0);
    let tail = if x <= 0.0 {
        Some(if upper { 1.0 } else { 0.0 })
    } else if upper {
        checked_gamma_ur(shape, x).ok()
    } else {
        checked_gamma_lr(shape, x).ok()
    };
    tail.map(|tail| (2.0 * tail).min(1.0))
}

/// How likely a sum of squares is `value` or more, by a gamma distribution with its mean and variance.
#[must_use]
pub fn sum_of_squares(value: f64, mean: f64, variance: f64) -> Option<f64> {
    if value <= 0.0 {
        return Some(1.0);
    }
    if !(mean > 0.0 && variance > 0.0) {
        return None;
    }
    checked_gamma_ur(mean * mean / variance, value * mean / variance).ok()
}

/// How many standard deviations out a two-sided p-value lies, by the normal distribution: the inverse of [`normal`].
#[must_use]
pub fn deviations(p: f64) -> f64 {
    std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(p.clamp(f64::MIN_POSITIVE, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_tails_are_those_of_scipy() {
        let near = |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 1e-6, "{found} is not {wanted}");
        // 2 * scipy.stats.norm.sf(z)
        near(normal(-1.0), 0.317_310_507_862_914_1);
        near(normal(10.0), 1.523_970_604_832_105e-23);
        near(normal(37.0), 1.145_114_886_614_352_4e-299);
        // 2 * scipy.stats.pearson3.sf(4, 0.5), 2 * scipy.stats.pearson3.cdf(-3, 0.5), and both mirrored.
        near(skewed(4.0, 0.5).expect("defined"), 0.001_319_855_105_199_879_8);
        near(skewed(-4.0, -0.5).expect("defined"), 0.001_319_855_105_199_879_8);
        near(skewed(-3.0, 0.5).expect("defined"), 9.785_221_439_755_674e-6);
        assert_eq!(skewed(-5.0, 2.0), Some(0.0), "an exponential distribution ends one standard deviation below its mean");
        // scipy.stats.chi2.sf(20, 7)
        near(sum_of_squares(20.0, 7.0, 14.0).expect("defined"), 0.005_569_683_072_945_574);
        near(deviations(normal(4.2)), 4.2);
    }

    proptest! {
        #[test]
        fn a_little_skewness_changes_little(z in -6.0..6.0f64) {
            let (plain, skewed) = (normal(z), skewed(z, NEARLY_SYMMETRIC * 1.01).expect("defined"));
            prop_assert!((plain.ln() - skewed.ln()).abs() < 0.25, "{plain} {skewed}");
        }
    }
}
