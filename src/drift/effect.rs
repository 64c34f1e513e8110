//! How large a change is, in units that need no thought, with the noise of both samples taken off.
//!
//! Two samples of one distribution are never alike, and a distance between them grows with every category and every row that is
//! missing. What is taken off is the square of what the distance would be of nothing but that, from the square of what it is:
//! the excess is what has changed.

use super::area::Area;
use super::homogeneity::{Cell, total};
use crate::stats::quantile::quantile_of_sorted;
use crate::stats::ranks::{Tie, ties};

/// A distance, and what it would be without any change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// As measured.
    pub measured: f64,
    /// The root of its expected square, were both sides of one distribution.
    pub noise: f64,
}

impl Effect {
    /// Its square less the noise's; below zero where there is less than noise.
    #[must_use]
    pub fn excess(self) -> f64 {
        self.measured * self.measured - self.noise * self.noise
    }

    /// What is left without the noise.
    #[must_use]
    pub fn corrected(self) -> f64 {
        self.excess().max(0.0).sqrt()
    }
}

/// The harmonic sum of both sides' rows: one over the rows of one sample with the noise of both.
#[must_use]
pub fn both(reference: f64, current: f64) -> f64 {
    1.0 / reference + 1.0 / current
}

/// What numbers are measured by: the reference's spread, and the range beyond which a value is as far out as can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    spread: f64,
    /// The integral of the root of F (1 - F) over the range, F being the reference's distribution, in spreads.
    unrest: f64,
}

/// A normal distribution's interquartile range in standard deviations.
const NORMAL_QUARTILES: f64 = 1.349;
/// So many spreads beyond the quartiles a value is as far out as can be: one wrong digit in one row moves no verdict.
const FAR: f64 = 10.0;
/// Steps of the integral.
const STEPS: usize = 512;
/// The mean square of a Wasserstein distance without change over the square of its mean: 1.09 to 1.19 for normal, uniform,
/// exponential, log-normal and Student samples.
const SQUARE_OF_MEAN: f64 = 1.13;

impl Scale {
    /// Of a reference in ascending order. `None` without values, or where all are one.
    #[must_use]
    pub fn of(sorted: &[f64]) -> Option<Self> {
        let at = |p: f64| quantile_of_sorted(sorted, p).filter(|value| value.is_finite());
        let (first, third) = (at(0.25)?, at(0.75)?);
        let quartiles = (third - first) / NORMAL_QUARTILES;
        let reach = if quartiles > 0.0 { quartiles * FAR } else { at(0.999)? - at(0.001)? };
        let (low, high) = (first - reach, third + reach);
        let clipped = || sorted.iter().map(|value| value.clamp(low, high));
        let rows = sorted.len() as f64;
        let mean = clipped().sum::<f64>() / rows;
        let deviation = (clipped().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
        let spread = if quartiles > 0.0 { quartiles.min(deviation) } else { deviation };
        if !(spread > 0.0 && spread.is_finite()) {
            return None;
        }
        let step = sorted.len().div_ceil(STEPS).max(1);
        let mut unrest = 0.0;
        for (part, edges) in sorted.iter().step_by(step).zip(sorted.iter().skip(step).step_by(step)).enumerate() {
            let below = ((part as f64 + 0.5) * step as f64 / rows).min(1.0);
            unrest += (edges.1.clamp(low, high) - edges.0.clamp(low, high)) * (below * (1.0 - below)).sqrt();
        }
        Some(Self { low, high, spread, unrest: unrest / spread })
    }

    /// Beyond this range a value is as far out as can be.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// The shift that an area within the range is, between two sides of so many rows: their Wasserstein-1 distance, in spreads of the
    /// reference. A spread is its standard deviation, or its interquartile range over 1.349 where that is less.
    #[must_use]
    pub fn effect(&self, area: &Area, (reference, current): (f64, f64)) -> Effect {
        Effect { measured: area.sum / self.spread, noise: self.noise(both(reference, current)) }
    }

    /// The shift between two sides in ascending order.
    #[must_use]
    pub fn shift(self, reference: &[f64], current: &[f64]) -> Effect {
        let rows = (reference.len() as f64, current.len() as f64);
        let mut area = Area::new(self.low, self.range());
        let gap = |tie: &Tie| tie.below_a as f64 / rows.0 - tie.below_b as f64 / rows.1;
        ties(reference, current).for_each(|tie| area.add(tie.value, gap(&tie)));
        self.effect(&area, rows)
    }

    /// What a shift is counted in: the standard deviation, or the interquartile range over 1.349 where that is less.
    #[must_use]
    pub fn spread(&self) -> f64 {
        self.spread
    }

    /// The value, or the end of the range that is nearer to it.
    #[must_use]
    pub fn clipped(&self, value: f64) -> f64 {
        value.clamp(self.low, self.high)
    }

    /// The noise of a shift, of two samples of which one over their rows add up to this.
    #[must_use]
    pub fn noise(&self, reciprocals: f64) -> f64 {
        (SQUARE_OF_MEAN * std::f64::consts::FRAC_2_PI * reciprocals).sqrt() * self.unrest
    }
}

/// The Jensen-Shannon distance (base 2) between both sides' shares of the cells. Its noise holds for cells that are not rare.
#[must_use]
pub fn jensen_shannon(cells: &[Cell]) -> Effect {
    let sum = total(cells);
    let (m, n) = (sum.reference as f64, sum.current as f64);
    let part = |share: f64, middle: f64| if share > 0.0 { share * (share / middle).log2() } else { 0.0 };
    let divergence: f64 = cells
        .iter()
        .map(|cell| (cell.reference as f64 / m, cell.current as f64 / n))
        .map(|(r, c)| part(r, f64::midpoint(r, c)) + part(c, f64::midpoint(r, c)))
        .sum();
    Effect { measured: (divergence / 2.0).max(0.0).sqrt(), noise: divergence_noise(cells.len(), both(m, n)).sqrt() }
}

/// What a Jensen-Shannon divergence (base 2) over so many cells is expected to be of nothing but chance: half of the chi-squared
/// statistic's expectation over four times the rows, in bits.
#[must_use]
pub fn divergence_noise(cells: usize, reciprocals: f64) -> f64 {
    (cells as f64 - 1.0).max(0.0) * reciprocals / (8.0 * std::f64::consts::LN_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(rows: u32, by: f64) -> Vec<f64> {
        (0..rows).map(|i| f64::from(i) / f64::from(rows) + by).collect()
    }

    #[test]
    fn a_shift_is_counted_in_spreads() {
        // A uniform distribution from 0 to 1 has a standard deviation of 0.2887, and quartiles 0.5 apart, which is more.
        let reference = steps(10_000, 0.0);
        let scale = Scale::of(&reference).expect("it varies");
        let effect = scale.shift(&reference, &steps(5000, 0.2));
        assert!((effect.measured - 0.2 / (1.0 / 12.0_f64).sqrt()).abs() < 1e-3, "{effect:?}");
        // The integral of the root of F (1 - F) is pi / 8 here; a thousand of both sides are 500 rows.
        let wanted = (1.13 * 2.0 / std::f64::consts::PI / 500.0).sqrt() * std::f64::consts::PI / 8.0 * 12.0_f64.sqrt();
        assert!((scale.noise(both(1000.0, 1000.0)) / wanted - 1.0).abs() < 1e-3);
    }

    #[test]
    fn one_wild_value_is_as_far_out_as_can_be() {
        let reference = steps(1000, 0.0);
        let scale = Scale::of(&reference).expect("it varies");
        for wild in [1e12, 1e300, f64::INFINITY] {
            let mut current = steps(999, 0.0);
            current.push(wild);
            let effect = scale.shift(&reference, &current);
            assert!(effect.measured < 0.03, "{wild}: {effect:?}");
        }
        let mut spoilt = steps(999, 0.0);
        spoilt.push(1e12);
        let of_spoilt = Scale::of(&spoilt).expect("it varies");
        assert!((of_spoilt.spread / scale.spread - 1.0).abs() < 0.1);
    }

    #[test]
    fn what_never_varies_has_no_scale() {
        assert!(Scale::of(&[2.0; 50]).is_none() && Scale::of(&[]).is_none());
        let mostly: Vec<f64> = std::iter::repeat_n(0.0, 90).chain((1..=10).map(f64::from)).collect();
        assert!(Scale::of(&mostly).is_some_and(|scale| scale.spread > 0.5), "quartiles alone see nothing");
    }

    #[test]
    fn noise_is_taken_off() {
        let effect = jensen_shannon(&[(50, 60), (50, 40)].map(|(reference, current)| Cell { reference, current }));
        assert!((effect.noise.powi(2) - 0.02 / (8.0 * std::f64::consts::LN_2)).abs() < 1e-12);
        // scipy.spatial.distance.jensenshannon([.5, .5], [.6, .4], base=2)
        assert!((effect.measured - 0.085_435_102_624_588_07).abs() < 1e-12, "{effect:?}");
        assert!(effect.corrected() < effect.measured && Effect { measured: 0.1, noise: 0.2 }.corrected() == 0.0);
    }
}
