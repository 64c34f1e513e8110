//! The two-sample statistic of Cramér and von Mises, and its distributions.
//!
//! Small probabilities keep their relative precision: nothing is taken from 1.

use std::f64::consts::PI;

use super::ranks::ties;

/// Below this the limit distribution is 1 to the last digit.
const CERTAIN: f64 = 0.003;

/// The statistic of two samples, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Criterion {
    n: i128,
    m: i128,
    /// 12 (U - its least value), where U is that of Anderson ("On the distribution of the two-sample Cramér-von Mises
    /// criterion", 1962, equation 10): a whole number, so that the difference of two large ones is exact.
    excess: i128,
}

impl Criterion {
    /// Of two sorted samples of at most a billion values. Tied values have the mean of their ranks.
    #[must_use]
    pub fn of(a: &[f64], b: &[f64]) -> Option<Self> {
        const MOST: usize = 1_000_000_000;
        if a.is_empty() || b.is_empty() || a.len().max(b.len()) > MOST {
            return None;
        }
        let (n, m) = (a.len() as i128, b.len() as i128);
        // 12 times the sum over a sample of (rank in both - rank in it)^2. Of k tied values those in it lie evenly about the mean.
        let twelve =
            |here: i128, below: i128, others: i128| 3 * here * (2 * below + others).pow(2) + here.pow(3) - here;
        let (mut of_a, mut of_b) = (0, 0);
        for tie in ties(a, b) {
            let (here_a, here_b) = (i128::from(tie.a), i128::from(tie.b));
            of_a += twelve(here_a, tie.below_b.into(), here_b);
            of_b += twelve(here_b, tie.below_a.into(), here_a);
        }
        let pairs = n * m;
        Some(Self { n, m, excess: n * of_a + m * of_b - 2 * pairs * (4 * pairs - 1) })
    }

    /// T (Anderson's equation 9).
    #[must_use]
    pub fn statistic(&self) -> f64 {
        self.excess as f64 / (12.0 * (self.n * self.m) as f64 * (self.n + self.m) as f64)
    }

    /// P(T >= this) where both samples come from one distribution without ties, in the limit of many values; T is first given the
    /// mean and the variance of the limit (Anderson's equations 11, 14 and 15).
    #[must_use]
    pub fn asymptotic(&self) -> f64 {
        let (n, m) = (self.n as f64, self.m as f64);
        let (pairs, both) = (n * m, n + m);
        let mean = (1.0 + 1.0 / both) / 6.0;
        let spread = (both + 1.0) * (4.0 * pairs * both - 3.0 * (n * n + m * m) - 2.0 * pairs);
        let variance = spread / (45.0 * both * both * 4.0 * pairs);
        limit(1.0 / 6.0 + (self.statistic() - mean) / (45.0 * variance).sqrt())
    }

    /// P(T >= this) where no values are tied, exactly: every order of the values is counted, by the value it leads to (Xiao, Gordon
    /// and Yakovlev, "A C++ program for the Cramér-von Mises two-sample test", 2006). For few values only: the work grows with
    /// the fourth power of their number.
    #[must_use]
    pub fn exact(&self) -> f64 {
        let (n, m) = (self.n, self.m);
        let multiple = n * m / greatest_common_divisor(n, m);
        let (a, b) = (multiple / n, multiple / m);
        // Their zeta, floored.
        let zeta = (multiple.pow(2) * (n + m) * self.excess).div_euclid(12 * (n * m).pow(2));
        // At each place along the first sample: how many orders lead to which sum. Ascending.
        let length = usize::try_from(n).unwrap_or_default() + 1;
        let mut sums: Vec<Vec<(i128, f64)>> = vec![Vec::new(); length];
        sums[0].push((0, 1.0));
        for u in 0..=m {
            let mut left: Vec<(i128, f64)> = Vec::new();
            for (v, above) in (0..).zip(&mut sums) {
                let step = (a * v - b * u).pow(2);
                left = merge(&left, above);
                for (sum, _) in &mut left {
                    *sum += step;
                }
                above.clone_from(&left);
            }
        }
        let last = sums.pop().unwrap_or_default();
        let all: f64 = last.iter().map(|(_, ways)| ways).sum();
        last.iter().filter(|(sum, _)| *sum >= zeta).map(|(_, ways)| ways).sum::<f64>() / all
    }
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Both lists as one, in order; what has the same sum is added.
fn merge(one: &[(i128, f64)], other: &[(i128, f64)]) -> Vec<(i128, f64)> {
    let mut merged = Vec::with_capacity(one.len() + other.len());
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        match a.0.cmp(&b.0) {
            std::cmp::Ordering::Less => (merged.push(*a), i += 1).1,
            std::cmp::Ordering::Greater => (merged.push(*b), j += 1).1,
            std::cmp::Ordering::Equal => (merged.push((a.0, a.1 + b.1)), i += 1, j += 1).2,
        }
    }
    merged.extend_from_slice(&one[i..]);
    merged.extend_from_slice(&other[j..]);
    merged
}

/// P(W >= x) of the limit of the statistic: the alternating series of Smirnov ("On the omega-squared distribution of von Mises",
/// 1936), 2 / pi times the integrals of exp(-x u^2 / 2) / sqrt(u |sin u|) over u from (2k - 1) pi to 2k pi. With
/// u = (2k - 1) pi + pi sin^2(theta / 2) what is integrated is smooth and even at both ends, where sums at midpoints converge faster than
/// any power of their number.
#[must_use]
pub fn limit(x: f64) -> f64 {
    const POINTS: u32 = 256;
    if x < CERTAIN {
        return 1.0;
    }
    let step = PI / f64::from(POINTS);
    let mut total: f64 = 0.0;
    for k in 0..100 {
        let start = (2.0 * f64::from(k) + 1.0) * PI;
        let integral: f64 = (0..POINTS)
            .map(|point| {
                let theta = (f64::from(point) + 0.5) * step;
                let (sine, cosine) = (theta / 2.0).sin_cos();
                let (from_start, to_end) = (PI * sine * sine, PI * cosine * cosine);
                let u = start + from_start;
                let weight = theta.sin() / (u * from_start.min(to_end).sin()).sqrt();
                weight * (-x * u * u / 2.0).exp()
            })
            .sum();
        // du is pi / 2 sin(theta) d theta, and the series is taken 2 / pi times.
        let term = integral * step;
        total += if k % 2 == 0 { term } else { -term };
        if term <= 1e-18 * total {
            break;
        }
    }
    total.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_limit_has_its_tabled_points() {
        // Anderson and Darling, "Asymptotic theory of certain goodness of fit criteria", 1952, table 1.
        for (x, p) in [(0.11888, 0.5), (0.34730, 0.1), (0.46136, 0.05), (0.74346, 0.01), (1.16786, 0.001)] {
            assert!((limit(x) / p - 1.0).abs() < 1e-3, "{x}: {}", limit(x));
        }
        assert!((limit(0.0031) - 1.0).abs() < 1e-12 && limit(130.0) > 0.0 && limit(1e9) == 0.0);
    }

    #[test]
    fn wholly_apart_is_the_rarest_order() {
        // Two of the 20 orders of 3 and 3 values.
        let apart = Criterion::of(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).expect("defined");
        assert!((apart.exact() - 0.1).abs() < 1e-15);
    }

    #[test]
    fn samples_of_many_values_lose_no_digit() {
        let even: Vec<f64> = (0..100_000).map(|i| f64::from(2 * i)).collect();
        let odd: Vec<f64> = even.iter().map(|v| v + 1.0).collect();
        // Each step of F - G is 1/n and back: T = n m / N^2 times n times 1 / n^2.
        let found = Criterion::of(&even, &odd).expect("defined").statistic();
        assert!((found - 0.25e-5 * 1.0).abs() < 1e-16, "{found:e}");
    }

    proptest! {
        /// Without ties it is n m / N^2 times the sum of (F - G)^2.
        #[test]
        fn it_is_the_sum_of_squared_gaps(which in prop::collection::vec(any::<bool>(), 2..80)) {
            let all = || which.iter().enumerate();
            let side = |side: bool| all().filter(|(_, w)| **w == side).map(|(i, _)| i as f64).collect::<Vec<_>>();
            let (a, b) = (side(true), side(false));
            prop_assume!(!a.is_empty() && !b.is_empty());
            let (n, m) = (a.len() as f64, b.len() as f64);
            let (mut i, mut j, mut sum) = (0.0, 0.0, 0.0);
            for in_a in &which {
                if *in_a { i += 1.0 } else { j += 1.0 }
                sum += f64::powi(i / n - j / m, 2);
            }
            let found = Criterion::of(&a, &b).expect("defined").statistic();
            prop_assert!((found - n * m / (n + m).powi(2) * sum).abs() < 1e-12, "{found}");
        }

        #[test]
        fn the_limit_falls(x in 0.001..5.0f64, y in 0.001..5.0f64) {
            prop_assert!(limit(x.min(y)) >= limit(x.max(y)) - 1e-12);
        }
    }
}
