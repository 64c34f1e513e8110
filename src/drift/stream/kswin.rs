//! KSWIN: the last values of a window against as many drawn from those before, by the Kolmogorov-Smirnov test (Raab, Heusinger and
//! Schleif, "Reactive soft prototype computing for concept drift streams", 2020).
//!
//! What is drawn is what Python's `random.Random` draws for the seed, as in river; after a drift both draw from the seed's beginning.
//! Where no seed is given river takes one from the system; here it is 0. A test of each value at 0.005 finds drift where there is none,
//! once in some hundreds of values or thousands: that is the method.

use std::collections::VecDeque;

use super::Signal;
use crate::drift::ks::two_sample;
use crate::stats::mersenne::Mersenne;

/// What is drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// A p-value up to this is drift, where the distance is above 0.1, too.
    pub alpha: f64,
    /// Values that are kept.
    pub window: u32,
    /// Of them the last so many are held against as many of the others.
    pub last: u32,
    /// What the values are drawn by.
    pub seed: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { alpha: 0.005, window: 100, last: 30, seed: 0 }
    }
}

/// The detector.
#[derive(Debug, Clone)]
pub struct Kswin {
    parameters: Parameters,
    random: Mersenne,
    window: VecDeque<f64>,
    p_value: Option<f64>,
    drift: bool,
}

impl Kswin {
    /// Without a value yet. `None` where the others are fewer than the last, or there are no last ones.
    #[must_use]
    pub fn new(parameters: Parameters) -> Option<Self> {
        let others = parameters.window.checked_sub(parameters.last)?;
        (parameters.last > 0 && others >= parameters.last).then(|| Self::empty(parameters))
    }

    fn empty(parameters: Parameters) -> Self {
        let random = Mersenne::new(parameters.seed);
        Self { parameters, random, window: VecDeque::new(), p_value: None, drift: false }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Stable;
        }
        if self.drift {
            *self = Self::empty(self.parameters);
        }
        let Parameters { alpha, window, last, .. } = self.parameters;
        self.window.push_back(value);
        if self.window.len() > window as usize {
            self.window.pop_front();
        }
        if self.window.len() < window as usize {
            return Signal::Stable;
        }
        let others = window.saturating_sub(last);
        let drawn = self.random.sample(others, last).into_iter().filter_map(|at| self.window.get(at as usize)).copied();
        let in_order = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let found = two_sample(
            &in_order(drawn.collect()),
            &in_order(self.window.range(others as usize..).copied().collect()),
            crate::drift::EXACT_UP_TO,
        );
        self.p_value = found.p_value;
        self.drift = found.p_value.is_some_and(|p| p <= alpha) && found.statistic.is_some_and(|d| d > 0.1);
        if self.drift { Signal::Drift } else { Signal::Stable }
    }

    /// That of the last test, if there was one.
    #[must_use]
    pub fn p_value(&self) -> Option<f64> {
        self.p_value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_is_too_short_is_none() {
        let with = |window, last| Kswin::new(Parameters { window, last, ..Parameters::default() }).is_some();
        assert_eq!(
            [(100, 30), (60, 30), (59, 30), (10, 30), (10, 0)].map(|(window, last)| with(window, last)),
            [true, true, false, false, false]
        );
    }
}
