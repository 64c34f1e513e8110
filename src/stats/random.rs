//! Random draws that are the same for a seed, everywhere: the generator SplitMix64 (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", 2014), and what is made of it.

use super::pick::scattered;

/// What the state goes on by.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// Below so many expected successes, or failures, a binomial draw is exact; above it is a rounded normal one.
const FEW: f64 = 12.0;

/// A generator.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: scattered(seed) }
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        scattered(self.state)
    }

    /// A number of [0, 1), of 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// A number of the standard normal distribution (Box and Muller, "A note on the generation of random normal deviates", 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// How many of `n` trials succeed, each with chance `p`.
    pub fn binomial(&mut self, n: f64, p: f64) -> f64 {
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        if n < 1.0 || p.is_nan() || p <= 0.0 {
            return 0.0;
        }
        if n < 2.0 {
            return f64::from(u8::from(self.uniform() < p));
        }
        let mean = n * p;
        if mean >= FEW {
            return (mean + (mean * (1.0 - p)).sqrt() * self.normal()).round().clamp(0.0, n);
        }
        // By inversion: the chance of each number of successes in turn.
        let (mut chance, mut left, mut count) = ((1.0 - p).powf(n), self.uniform(), 0.0);
        while left >= chance && count < n {
            left -= chance;
            count += 1.0;
            chance *= p / (1.0 - p) * (n - count + 1.0) / count;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let drawn: Vec<f64> = (0..40_000).map(|_| draw()).collect();
        let mean = drawn.iter().sum::<f64>() / 40_000.0;
        (mean, drawn.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 40_000.0)
    }

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        let mut random = Random::new(1);
        let (mean, variance) = moments(|| random.uniform());
        assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.003, "{mean} {variance}");
        let (mean, variance) = moments(|| random.normal());
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
        for (n, p) in [(1.0, 0.3), (3.0, 0.9), (40.0, 0.02), (1000.0, 0.001), (500.0, 0.4), (1e6, 0.7)] {
            let (mean, variance) = moments(|| random.binomial(n, p));
            let wanted: f64 = n * p * (1.0 - p);
            assert!((mean - n * p).abs() < 5.0 * (wanted / 40_000.0).sqrt(), "{n} {p}: {mean}");
            assert!((variance / wanted - 1.0).abs() < 0.06, "{n} {p}: {variance}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_and_the_ends_are_certain() {
        let draws = |seed| {
            std::array::from_fn::<_, 4, _>(|_| 0).map({
                let mut random = Random::new(seed);
                move |_| random.bits()
            })
        };
        assert_eq!(draws(3), draws(3));
        assert_ne!(draws(3), draws(4));
        let mut random = Random::new(0);
        assert_eq!((random.binomial(9.0, 0.0), random.binomial(9.0, 1.0), random.binomial(0.0, 0.5)), (0.0, 9.0, 0.0));
        assert!(random.binomial(5.0, f64::NAN).abs() < 1e-12);
    }
}
