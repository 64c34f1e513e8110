//! Quantiles of many values in bounded memory: exact at first, then within half a percent.
//!
//! The buckets are those of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
//! relative-error guarantees", 2019): their borders grow geometrically, so that a bucket's middle is near all it holds.

use std::collections::BTreeMap;

use super::quantile::quantile;
use super::whole;

/// Values kept as they are: the minutes of a day.
const EXACT: usize = 1440;
/// The greatest relative error beyond them.
const ERROR: f64 = 0.005;
/// Below this everything is nothing.
const SMALLEST: f64 = 1e-9;

/// Values at or above zero, of which quantiles are asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sketch {
    exact: Vec<f64>,
    buckets: BTreeMap<i32, u64>,
    count: u64,
    sum: f64,
    max: Option<f64>,
}

impl Sketch {
    /// Takes a value in; one that is not finite or below zero is none.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        self.count += 1;
        self.sum += value;
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
        if self.buckets.is_empty() && self.exact.len() < EXACT {
            self.exact.push(value);
            return;
        }
        for value in std::mem::take(&mut self.exact).into_iter().chain([value]) {
            *self.buckets.entry(bucket(value)).or_default() += 1;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The largest.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.max
    }

    /// The `p`-quantile: R-7 of up to 1440 values, of more the value at that rank within 0.5 %.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<f64> {
        if self.buckets.is_empty() {
            return quantile(&mut self.exact.clone(), p);
        }
        if !(0.0..=1.0).contains(&p) {
            return None;
        }
        let rank = whole::unsigned((p * (self.count - 1) as f64).round());
        let mut below = 0;
        let (at, _) = self.buckets.iter().find(|(_, count)| {
            below += **count;
            below > rank
        })?;
        Some(middle(*at).min(self.max.unwrap_or(f64::INFINITY)))
    }
}

fn growth() -> f64 {
    (1.0 + ERROR) / (1.0 - ERROR)
}

fn bucket(value: f64) -> i32 {
    if value <= SMALLEST {
        return i32::MIN;
    }
    // The largest number there is has a bucket of five digits.
    i32::try_from(whole::signed((value.ln() / growth().ln()).ceil())).unwrap_or(i32::MAX)
}

fn middle(bucket: i32) -> f64 {
    if bucket == i32::MIN { 0.0 } else { 2.0 * growth().powi(bucket) / (growth() + 1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_are_exact_and_none_is_undefined() {
        let mut sketch = Sketch::default();
        assert_eq!((sketch.quantile(0.95), sketch.mean(), sketch.max()), (None, None, None));
        for value in [3.0, 1.0, f64::NAN, -1.0, 2.0] {
            sketch.push(value);
        }
        assert_eq!(
            (sketch.quantile(0.5), sketch.mean(), sketch.max(), sketch.count()),
            (Some(2.0), Some(2.0), Some(3.0), 3)
        );
    }

    proptest! {
        #[test]
        fn many_are_within_half_a_percent(values in prop::collection::vec(0.0..1e10_f64, 1441..4000), p in 0.0..=1.0_f64) {
            let mut sketch = Sketch::default();
            for value in &values {
                sketch.push(*value);
            }
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let exact = sorted[whole::index((p * (sorted.len() - 1) as f64).round())];
            let told = sketch.quantile(p).expect("defined");
            prop_assert!((told - exact).abs() <= exact * 0.005_001 + 1e-9, "{told} for {exact}");
            prop_assert!(sketch.buckets.len() < 10_000);
        }
    }
}
