//! What a measure stays within on the reference: the mean of its chunks' realised figures, three standard deviations to either side, as
//! NannyML 0.13.1 has it.

use std::ops::Range;

/// So many standard deviations to either side.
const DEVIATIONS: f64 = 3.0;

/// The ends beyond which a figure is an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Thresholds {
    /// The mean of the chunks.
    pub(super) mean: f64,
    /// The lower end.
    pub(super) low: f64,
    /// The upper end.
    pub(super) high: f64,
}

impl Thresholds {
    /// Of the chunks' figures, undefined ones left out; what lies beyond the measure's own limits is cut off. `None` without any.
    pub(super) fn of(chunks: impl IntoIterator<Item = Option<f64>>, limits: &Range<f64>) -> Option<Self> {
        let values: Vec<f64> = chunks.into_iter().flatten().collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let (low, high) = (mean - DEVIATIONS * deviation, mean + DEVIATIONS * deviation);
        mean.is_finite().then_some(Self { mean, low: low.max(limits.start), high: high.min(limits.end) })
    }

    /// Whether a figure lies beyond.
    pub(super) fn is_beyond(&self, value: f64) -> bool {
        value < self.low || value > self.high
    }

    /// Whether an estimate lies beyond, and its band leaves out the mean, so that a few rows raise no alert.
    pub(super) fn is_alert(&self, value: f64, band: Option<(f64, f64)>) -> bool {
        self.is_beyond(value) && !band.is_some_and(|(low, high)| (low..=high).contains(&self.mean))
    }

    /// The same of that many rows, where they are of one.
    pub(super) fn times(self, rows: f64) -> Self {
        Self { mean: self.mean * rows, low: self.low * rows, high: self.high * rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_lie_three_deviations_out_but_not_beyond_the_measure() {
        let found = Thresholds::of([Some(0.6), None, Some(0.8)], &(0.0..1.0)).expect("defined");
        assert!((found.mean - 0.7).abs() < 1e-12 && (found.low - 0.4).abs() < 1e-12 && found.high >= 1.0 - 1e-12);
        assert!(found.is_beyond(0.39) && !found.is_beyond(1.0));
        assert_eq!(Thresholds::of([None], &(0.0..1.0)), None);
    }
}
