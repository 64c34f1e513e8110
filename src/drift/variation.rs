//! How much a column varies by itself: by the hour, by the day, in runs. A window is a stretch of time, and its rows are less than
//! independent; what the reference's own stretches show of it is no drift: a window must lie beyond it, in p-value and effect.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::effect::Effect;
use super::odd::usual;
use crate::stats::tails;

/// Fewer chunks say nothing.
pub const FEWEST: usize = 10;
/// So many standard errors the chunks must lie beyond what chance alone shows.
const CLEAR: f64 = 1.0;
/// How rarely a window lies beyond the bound though nothing changed: once in so many, for each column.
const RARELY: f64 = 20_000.0;
/// The bound is at most so many times the largest that any chunk showed.
pub const BEYOND_ANY: f64 = 1.5;

/// What the reference's chunks show beyond chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variation {
    /// The chunks.
    pub chunks: usize,
    /// Rows of one, on average.
    rows: f64,
    /// The standard deviation of the next chunk's distance, the noise taken off.
    deviation: f64,
    far: f64,
}

impl Variation {
    /// Of each chunk's distance from the whole reference, in order of time. `None` where they are few, or differ no more than by chance. A
    /// stretch that is unlike all others is no variation.
    #[must_use]
    pub fn of(effects: &[Effect], rows: f64) -> Option<Self> {
        let effects = usual(effects, |effect| effect.measured);
        let chunks = effects.len();
        if chunks < FEWEST {
            return None;
        }
        let count = chunks as f64;
        let excess = || effects.iter().map(|effect| effect.excess());
        let mean = excess().sum::<f64>() / count;
        let variance = excess().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        if mean.is_nan() || mean <= CLEAR * (variance / count).sqrt() {
            return None;
        }
        let far = far(chunks)?;
        let largest = effects.iter().map(|effect| effect.corrected()).fold(0.0, f64::max);
        // The next one's distance is predicted from those that were; hours of the day have an end, which a deviation does not know.
        let deviation = (mean * (1.0 + 1.0 / count)).sqrt().min(BEYOND_ANY * largest / far);
        Some(Self { chunks, rows, deviation, far })
    }

    /// Of what is known of one: its chunks, the rows of one on average, and the standard deviation of the next one's distance. `None`
    /// where that cannot be.
    #[must_use]
    pub fn known(chunks: usize, rows: f64, deviation: f64) -> Option<Self> {
        let sound = chunks >= FEWEST && rows >= 1.0 && rows.is_finite() && deviation > 0.0 && deviation.is_finite();
        sound.then(|| far(chunks)).flatten().map(|far| Self { chunks, rows, deviation, far })
    }

    /// Rows of a chunk, on average.
    #[must_use]
    pub fn rows(&self) -> f64 {
        self.rows
    }

    /// The standard deviation of the next chunk's distance, the noise taken off.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// The one that varies more.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.deviation < other.deviation { other } else { self }
    }

    /// In a window of so many rows. A shorter one than the chunks varies more.
    fn in_window(&self, rows: f64) -> f64 {
        self.deviation * (self.rows / rows).max(1.0).sqrt()
    }

    /// What a window of so many rows must lie beyond.
    #[must_use]
    pub fn bound(&self, rows: f64) -> f64 {
        self.far * self.in_window(rows)
    }

    /// How likely a window of so many rows lies so far out, being like the chunks: by Student's distribution, as their deviation is
    /// an estimate.
    #[must_use]
    pub fn p_value(&self, effect: f64, rows: f64) -> Option<f64> {
        tails::student(effect / self.in_window(rows), self.chunks as f64 - 1.0)
    }
}

/// So many deviations off lies one chunk in 20,000, where the deviation is of so many.
#[must_use]
pub fn far(chunks: usize) -> Option<f64> {
    Some(StudentsT::new(0.0, 1.0, chunks as f64 - 1.0).ok()?.inverse_cdf(1.0 - 0.5 / RARELY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(of: impl Fn(u32) -> f64) -> Vec<Effect> {
        (0..100).map(|i| Effect { measured: of(i), noise: 0.1 }).collect()
    }

    #[test]
    fn chance_is_no_variation() {
        // Squares about the square of the noise, on either side.
        let by_chance = effects(|i| if i % 2 == 0 { 0.05 } else { 0.13 });
        assert_eq!(Variation::of(&by_chance, 50.0), None);
        assert_eq!(Variation::of(&effects(|_| 0.5)[..FEWEST - 1], 50.0), None);
    }

    #[test]
    fn a_window_like_the_chunks_stays_within() {
        let found = Variation::of(&effects(|i| 0.2 + 0.001 * f64::from(i)), 50.0).expect("it varies");
        let largest = Effect { measured: 0.299, noise: 0.1 }.corrected();
        let bound = found.bound(50.0);
        assert!((bound - BEYOND_ANY * largest).abs() < 1e-9 && (found.bound(500.0) - bound).abs() < 1e-12);
        let p = |effect, rows| found.p_value(effect, rows).expect("defined");
        assert!((p(bound, 50.0) * RARELY - 1.0).abs() < 1e-6 && p(bound, 12.5) > 0.01);
        // A quarter of the rows varies twice as much.
        assert!((found.bound(12.5) - 2.0 * bound).abs() < 1e-12);
        // One chunk that is unlike all others says nothing of where the next lies.
        let one = Variation::of(&effects(|i| if i == 50 { 3.0 } else { 0.2 + 0.001 * f64::from(i) }), 50.0);
        let bound = one.expect("it varies").bound(50.0);
        assert!(bound <= found.bound(50.0), "{bound}");
    }
}
