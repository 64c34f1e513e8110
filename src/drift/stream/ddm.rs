//! DDM: an error rate that lies further above its least value than chance puts it (Gama, Medas, Castillo and Rodrigues, "Learning
//! with drift detection", 2004). It finds a rate that grows, none that falls.

use super::{Mean, Signal};

/// What is drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// With so many values or fewer nothing is said.
    pub warm_start: u64,
    /// So many standard deviations above the least rate are a warning.
    pub warning: f64,
    /// So many are drift.
    pub drift: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { warm_start: 30, warning: 2.0, drift: 3.0 }
    }
}

/// The detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Ddm {
    parameters: Parameters,
    rate: Mean,
    /// The rate and its standard deviation where their sum was least.
    least: Option<(f64, f64)>,
    signal: Signal,
}

impl Ddm {
    /// Without a value yet.
    #[must_use]
    pub fn new(parameters: Parameters) -> Self {
        Self { parameters, rate: Mean::default(), least: None, signal: Signal::Stable }
    }

    /// Takes whether the next prediction was wrong.
    pub fn update(&mut self, wrong: bool) -> Signal {
        if self.signal == Signal::Drift {
            *self = Self::new(self.parameters);
        }
        self.rate.add(f64::from(u8::from(wrong)));
        let (p, n) = (self.rate.value, self.rate.count);
        let s = (p * (1.0 - p) / n).sqrt();
        if n > self.parameters.warm_start as f64 {
            let least = self.least.filter(|(p_min, s_min)| p + s > p_min + s_min).unwrap_or((p, s));
            self.least = Some(least);
            let above = |deviations: f64| p + s > least.0 + deviations * least.1;
            self.signal = if above(self.parameters.drift) {
                Signal::Drift
            } else if above(self.parameters.warning) {
                Signal::Warning
            } else {
                Signal::Stable
            };
        }
        self.signal
    }

    /// The error rate since it began, or began anew.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.rate.count > 0.0).then_some(self.rate.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_falls_is_no_drift() {
        let mut ddm = Ddm::new(Parameters::default());
        assert_eq!(ddm.rate(), None);
        let signals = (0..2000).map(|i| ddm.update(if i < 1000 { i % 2 == 0 } else { i % 20 == 0 }));
        assert!(signals.into_iter().skip(100).all(|signal| signal != Signal::Drift));
    }
}
