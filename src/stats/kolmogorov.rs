//! Distributions of the Kolmogorov-Smirnov statistic.
//!
//! Every sum here is of positive terms, so that small probabilities keep their relative precision.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

use super::whole;

/// Above this exponent of the bound `e * exp(-2 n d^2)` (Wei and Dudley, "Two-sample
/// Dvoretzky-Kiefer-Wolfowitz inequalities", 2012) a probability is below the smallest `f64`.
const UNDERFLOW: f64 = 750.0;

/// P(D >= d) for the two-sided two-sample statistic of samples of `n` and `m` values without ties, where
/// `d = steps / (n * m)`; exact. Counts lattice paths that touch the boundary, as shares of all paths, by the recurrence of
/// Hodges ("The significance probability of the Smirnov two-sample test", 1957). Takes time `n * m * d`.
#[must_use]
pub fn two_sample_exact(n: u64, m: u64, steps: u64) -> Option<f64> {
    let (long, short) = (usize::try_from(n.max(m)).ok()?, usize::try_from(n.min(m)).ok()?);
    let steps = usize::try_from(steps).ok()?;
    let all = long.checked_mul(short)?;
    if short == 0 || steps > all {
        return None;
    }
    if steps == 0 {
        return Some(1.0);
    }
    let d = steps as f64 / all as f64;
    if 2.0 * d * d * (all as f64 / (long + short) as f64) > UNDERFLOW {
        return Some(0.0);
    }
    // At column i, those j are inside for which |i * short - j * long| < steps.
    let inside = |i: usize| {
        let at = i * short;
        let first = if at < steps { 0 } else { (at - steps) / long + 1 };
        let end = ((at + steps).div_ceil(long)).min(short + 1);
        (first, end)
    };
    // touched[j]: the share of paths to (i, j) that touched the boundary; 1 outside of it.
    let mut touched = vec![1.0; short + 1];
    let (_, end) = inside(0);
    touched[..end].fill(0.0);
    let mut before = 0;
    for i in 1..=long {
        let (first, end) = inside(i);
        touched[before..first.max(before)].fill(1.0);
        let mut left = if first == 0 { 0.0 } else { 1.0 };
        let i = i as f64;
        for (j, cell) in touched.iter_mut().enumerate().take(end).skip(first) {
            let j = j as f64;
            left = (*cell * i + left * j) / (i + j);
            *cell = left;
        }
        before = first;
    }
    touched.last().copied()
}

/// P(D >= d) for the two-sided one-sample statistic of `n` values, by the methods and regions of Simard and L'Ecuyer
/// ("Computing the two-sided Kolmogorov-Smirnov distribution", 2011).
#[must_use]
pub fn one_sample(n: u64, d: f64) -> Option<f64> {
    if n == 0 || d.is_nan() {
        return None;
    }
    let size = n as f64;
    let squared = size * d * d;
    Some(if d >= 1.0 {
        0.0
    } else if size * d <= 0.5 {
        1.0
    } else if d >= 0.5 || squared >= if n <= 140 { 4.0 } else { 2.2 } {
        (2.0 * one_sided(n, d)).min(1.0)
    } else if n <= 140 {
        (1.0 - matrix(n, d)).clamp(0.0, 1.0)
    } else {
        (1.0 - pelz_good(size, d)).clamp(0.0, 1.0)
    })
}

/// P(D+ >= d): the sum of Birnbaum and Tingey (1951). Above a few thousand terms every k-th stands for its neighbours: the terms are
/// a smooth function of their index that vanishes with all derivatives at both ends, where such a sum loses nothing.
fn one_sided(n: u64, d: f64) -> f64 {
    const TERMS: u64 = 4096;
    let size = n as f64;
    let last = whole::unsigned(size * (1.0 - d));
    let stride = (last / TERMS).max(1);
    let ln_factorial = |k: u64| ln_gamma(k as f64 + 1.0);
    let whole = ln_factorial(n);
    let term = |j: u64| {
        let at = d + j as f64 / size;
        let rest = 1.0 - at;
        if rest <= 0.0 {
            return 0.0;
        }
        let ways = whole - ln_factorial(j) - ln_factorial(n - j);
        d * (ways + (j as f64 - 1.0) * at.ln() + (n - j) as f64 * (-at).ln_1p()).exp()
    };
    (0..=last).step_by(usize::try_from(stride).unwrap_or(usize::MAX)).map(term).sum::<f64>() * stride as f64
}

/// P(D < d) by the matrix power of Durbin, as Marsaglia, Tsang and Wang compute it (2003).
fn matrix(n: u64, d: f64) -> f64 {
    let t = n as f64 * d;
    let k = whole::index(t.ceil());
    let size = 2 * k - 1;
    let h = k as f64 - t;
    let mut base = vec![0.0; size * size];
    for row in 0..size {
        for column in 0..size {
            if row + 1 >= column {
                base[row * size + column] = 1.0;
            }
        }
    }
    // Down the first column, and along the last row from its end.
    let mut exponent = 0;
    for i in 0..size {
        exponent += 1;
        base[i * size] -= h.powi(exponent);
        base[size * size - 1 - i] -= h.powi(exponent);
    }
    base[(size - 1) * size] += if 2.0 * h > 1.0 { (2.0 * h - 1.0).powi(exponent) } else { 0.0 };
    for row in 0..size {
        for column in 0..=row {
            // 1 / (row - column + 1)!
            let factorial: f64 = (1..=row - column + 1).map(|f| f as f64).product();
            base[row * size + column] /= factorial;
        }
    }
    let multiply = |a: &[f64], b: &[f64]| {
        let mut product = vec![0.0; size * size];
        for row in 0..size {
            for inner in 0..size {
                let factor = a[row * size + inner];
                for column in 0..size {
                    product[row * size + column] += factor * b[inner * size + column];
                }
            }
        }
        product
    };
    // n! / n^n is dealt out over the factors, so that nothing overflows: each step of the power takes its part of it.
    let scale = (1..=n).map(|i| (i as f64 / n as f64).ln()).sum::<f64>() / n as f64;
    let factor = scale.exp();
    for cell in &mut base {
        *cell *= factor;
    }
    let mut result: Vec<f64> = (0..size * size).map(|i| if i % (size + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let mut power = n;
    while power > 0 {
        if power & 1 == 1 {
            result = multiply(&result, &base);
        }
        base = multiply(&base, &base);
        power >>= 1;
    }
    result[(k - 1) * size + k - 1]
}

/// P(D < d) by the series of Pelz and Good ("Approximating the lower tail-areas of the Kolmogorov-Smirnov one-sample
/// statistic", 1976), to the term in n^(-3/2).
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let (z2, z4, z6, z8) = (z.powi(2), z.powi(4), z.powi(6), z.powi(8));
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    // Both sums over all integers are even in k.
    for k in 0..40 {
        let a = (PI * (f64::from(k) + 0.5)).powi(2);
        let e = 2.0 * (-a / (2.0 * z2)).exp();
        k0 += e;
        k1 += e * (a - z2);
        k2 += e * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * a + (1.0 - 2.0 * z2) * a * a);
        k3 += e
            * ((5.0 - 30.0 * z2) * a.powi(3) + (212.0 * z4 - 60.0 * z2) * a * a + (135.0 * z4 - 96.0 * z6) * a
                - (30.0 * z6 + 90.0 * z8));
        let b = (PI * f64::from(k)).powi(2);
        let e = 2.0 * (-b / (2.0 * z2)).exp();
        k2 -= 2.0 * z4 * e * b;
        k3 += 30.0 * z4 * e * (3.0 * b * z2 - b * b);
    }
    let half = (PI / 2.0).sqrt();
    half * (k0 / z
        + k1 / (6.0 * z4 * n.sqrt())
        + k2 / (72.0 * z.powi(7) * n)
        + k3 / (6480.0 * z.powi(10) * n.powf(1.5)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn undefined_is_none_and_the_ends_are_certain() {
        assert_eq!(two_sample_exact(0, 5, 0), None);
        assert_eq!(two_sample_exact(2, 3, 7), None);
        assert_eq!(two_sample_exact(2, 3, 0), Some(1.0));
        assert_eq!(one_sample(0, 0.5), None);
        assert_eq!((one_sample(10, 0.0), one_sample(10, 1.0)), (Some(1.0), Some(0.0)));
        // Two of the 10 orders of 2 and 3 values separate them wholly.
        assert!((two_sample_exact(2, 3, 6).expect("defined") - 0.2).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn probabilities_fall_as_the_distance_grows(n in 1..60u64, m in 1..60u64, a in 0.0..=1.0f64, b in 0.0..=1.0f64) {
            let (a, b) = if a <= b { (a, b) } else { (b, a) };
            let all = (n * m) as f64;
            let near = two_sample_exact(n, m, whole::unsigned(a * all)).expect("defined");
            let far = two_sample_exact(n, m, whole::unsigned(b * all)).expect("defined");
            prop_assert!((0.0..=1.0 + 1e-12).contains(&far) && far <= near + 1e-12);
            let near = one_sample(n * m, a).expect("defined");
            let far = one_sample(n * m, b).expect("defined");
            prop_assert!((0.0..=1.0).contains(&far) && far <= near + 1e-6);
        }

        #[test]
        fn the_order_of_the_samples_does_not_matter(n in 1..40u64, m in 1..40u64, share in 0.0..=1.0f64) {
            let steps = whole::unsigned(share * (n * m) as f64);
            prop_assert_eq!(two_sample_exact(n, m, steps), two_sample_exact(m, n, steps));
        }
    }
}
