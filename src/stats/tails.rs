//! Two-sided tails of the normal, of Student's and of Pearson's type III distribution, and that of a sum of squares, with their
//! relative precision down to the smallest number.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::{checked_gamma_lr, checked_gamma_ur, ln_gamma};

/// Below this skewness the normal distribution stands for Pearson's.
const NEARLY_SYMMETRIC: f64 = 5e-3;

/// P(|Z| >= |z|) of a standard normal Z.
#[must_use]
pub fn normal(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// Two-sided p-value of a statistic `z` standard deviations from its mean and with a skewness, by Pearson's type III
/// distribution (a gamma distribution, moved and mirrored): twice the tail beyond `z`. It is nothing where the statistic lies
/// beyond the end of that distribution.
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

/// How many standard deviations out a two-sided p-value lies: the inverse of [`normal`].
#[must_use]
pub fn deviations(p: f64) -> f64 {
    SQRT_2 * erfc_inv(p.clamp(f64::MIN_POSITIVE, 1.0))
}

/// P(|T| >= |t|) of Student's distribution: the regularised incomplete beta function I_x(f / 2, 1 / 2) at
/// x = f / (f + t^2) (DLMF 8.17, <https://dlmf.nist.gov/8.17>). `None` where one of the two is no number or there is no freedom.
#[must_use]
pub fn student(t: f64, freedom: f64) -> Option<f64> {
    if t.is_nan() || !freedom.is_finite() || freedom <= 0.0 {
        return None;
    }
    if t == 0.0 || t.is_infinite() {
        return Some(if t == 0.0 { 1.0 } else { 0.0 });
    }
    let (a, b) = (freedom / 2.0, 0.5);
    let ratio = t * t / freedom;
    // Both shares by themselves: one taken from the other would lose the smaller.
    let (x, rest) = (1.0 / (1.0 + ratio), ratio / (1.0 + ratio));
    // x^a (1 - x)^b / B(a, b), by logarithms.
    let front = (gamma_ratio(a) - 0.5 * PI.ln() - a * ratio.ln_1p() + 0.5 * rest.ln()).exp();
    Some(if x < (a + 1.0) / (a + b + 2.0) {
        (front / a * fraction(a, b, x)).min(1.0)
    } else {
        (1.0 - front / b * fraction(b, a, rest)).clamp(0.0, 1.0)
    })
}

/// How many standard errors out a two-sided p-value of Student's distribution lies: the inverse of [`student`]. From a thousand degrees
/// on by its expansion about the normal one (Abramowitz and Stegun, "Handbook of mathematical functions", 26.7.5). `None` where there is
/// no freedom, or `p` is not within (0, 1].
#[must_use]
pub fn student_deviations(p: f64, freedom: f64) -> Option<f64> {
    if !(p > 0.0 && p <= 1.0 && freedom > 0.0) {
        return None;
    }
    let z = deviations(p);
    if freedom > 1000.0 {
        let square = z * z;
        let first = z * (square + 1.0) / 4.0;
        let second = z * ((5.0 * square + 16.0) * square + 3.0) / 96.0;
        return Some(z + first / freedom + second / (freedom * freedom));
    }
    let (mut low, mut high) = (0.0, z.max(1.0));
    while student(high, freedom)? > p && high.is_finite() {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if student(middle, freedom)? > p { low = middle } else { high = middle }
    }
    Some(f64::midpoint(low, high))
}

/// The regularised incomplete beta function I_x(a, b) of positive `a` and `b` (DLMF 8.17.22), for `x` within [0, 1].
#[must_use]
pub fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        (front / a * fraction(a, b, x)).min(1.0)
    } else {
        (1.0 - front / b * fraction(b, a, 1.0 - x)).clamp(0.0, 1.0)
    }
}

/// ln(gamma(a + 1/2) / gamma(a)); for large `a` by the series of Tricomi and Erdelyi (DLMF 5.11.13), where the difference of two
/// large logarithms would have few digits left.
fn gamma_ratio(a: f64) -> f64 {
    if a < 30.0 {
        return ln_gamma(a + 0.5) - ln_gamma(a);
    }
    0.5 * a.ln() - 1.0 / (8.0 * a) + 1.0 / (192.0 * a.powi(3)) - 1.0 / (640.0 * a.powi(5))
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz' method. It takes some `a`.sqrt() terms.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TERMS: u32 = 1_000_000;
    let near = |value: f64| if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / near(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = value;
        for term in [even, odd] {
            d = 1.0 / near(1.0 + term * d);
            c = near(1.0 + term / c);
            value *= c * d;
        }
        if (value - before).abs() <= 1e-16 * value.abs() {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_tails_by_moments_are_those_of_scipy() {
        let near = |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 1e-6, "{found} is not {wanted}");
        // 2 * scipy.stats.norm.sf(z)
        near(normal(-1.0), 0.317_310_507_862_914_1);
        near(normal(10.0), 1.523_970_604_832_105e-23);
        near(normal(37.0), 1.145_114_886_614_352_4e-299);
        // 2 * scipy.stats.pearson3.sf(4, 0.5), 2 * scipy.stats.pearson3.cdf(-3, 0.5), and both mirrored.
        near(skewed(4.0, 0.5).expect("defined"), 0.001_319_855_105_199_879_8);
        near(skewed(-4.0, -0.5).expect("defined"), 0.001_319_855_105_199_879_8);
        near(skewed(-3.0, 0.5).expect("defined"), 9.785_221_439_755_674e-6);
        assert_eq!(
            skewed(-5.0, 2.0),
            Some(0.0),
            "an exponential distribution ends one standard deviation below its mean"
        );
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

    #[test]
    fn few_degrees_have_closed_forms() {
        for t in [1e-3, 0.5, 1.0, 3.0, 1e3, 1e9] {
            let one = 1.0 - 2.0 / PI * f64::atan(t);
            let got = student(t, 1.0).expect("defined");
            assert!((got - one).abs() < 1e-13, "{t}: {got} {one}");
            // 1 - t / sqrt(2 + t^2), without the difference.
            let two = 2.0 / ((2.0 + t * t).sqrt() * ((2.0 + t * t).sqrt() + t));
            let got = student(-t, 2.0).expect("defined");
            assert!((got - two).abs() < 1e-12 * two, "{t}: {got} {two}");
        }
    }

    #[test]
    fn the_inverse_of_students_tail_is_one() {
        for freedom in [1.0, 2.5, 30.0, 999.0, 1001.0, 1e5, 1e9] {
            for p in [1.0, 0.5, 0.05, 1e-3, 1e-7] {
                let back = student_deviations(p, freedom).and_then(|t| student(t, freedom)).expect("defined");
                assert!((back / p - 1.0).abs() < 1e-5, "{freedom} {p}: {back}");
            }
        }
        assert_eq!((student_deviations(0.0, 3.0), student_deviations(0.5, 0.0)), (None, None));
    }

    #[test]
    fn the_incomplete_beta_function_has_closed_forms() {
        for x in [0.0, 1e-9, 0.01, 0.3, 0.5, 0.9, 1.0] {
            assert!((beta(1.0, 7.0, x) - (1.0 - (1.0 - x).powi(7))).abs() < 1e-13, "{x}");
            assert!((beta(3.0, 1.0, x) - x.powi(3)).abs() < 1e-13, "{x}");
            assert!((beta(900.0, 4e5, x / 200.0) + beta(4e5, 900.0, 1.0 - x / 200.0) - 1.0).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn many_degrees_are_nearly_normal() {
        for (t, freedom) in [(0.1, 1e9), (1.3, 1e9), (5.0, 1e10), (0.5, 3e8), (2.0, 1e9)] {
            let got = student(t, freedom).expect("defined");
            assert!((got / normal(t) - 1.0).abs() < 1e-6, "{t}: {got} {}", normal(t));
        }
    }

    #[test]
    fn what_is_undefined_is_none_and_the_ends_are_certain() {
        assert_eq!((student(f64::NAN, 3.0), student(1.0, 0.0), student(1.0, f64::NAN)), (None, None, None));
        assert_eq!((student(0.0, 3.0), student(f64::INFINITY, 3.0)), (Some(1.0), Some(0.0)));
        assert!((normal(0.0) - 1.0).abs() < 1e-15 && normal(-38.0) > 0.0);
    }
}
