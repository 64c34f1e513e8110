//! CBPE as NannyML 0.13.1 has it: calibration by ten shuffled splits, a band of three sampling errors that are taken from the reference's
//! labels, an alert where the estimate leaves what the reference's chunks realised.
//!
//! What NannyML leaves to chance or to the machine:
//! - The sampling error of the average precision is drawn from numpy's global generator; here as after `numpy.random.seed(0)`.
//! - numpy sorts equal scores in another order on another processor (with AVX-512, with AVX2, without); here they keep their order. Of two
//!   classes that moves no estimate, but with many equal scores the sampling error of the ROC AUC (of the housing data from .00740 to
//!   .00742). Of several it moves the ROC AUC by some 1e-6, and where calibration helps as much as it harms it may decide whether a class
//!   is calibrated (of NannyML's own example of three classes it does, and moves the ROC AUC by 6e-4).
//! - An estimate that is its threshold but for rounding may be an alert there.
//!
//! NannyML stops at a missing score that it has to calibrate; here the row is left out.

pub(super) mod binary;
pub(super) mod calibration;
pub(super) mod many;
pub(super) mod order;

use super::figure::Figure;
use super::table::{Normalise, Table, value_of};
use crate::estimate::thresholds::Thresholds;
use crate::estimate::{Estimated, Measure};

/// So many sampling errors make half a band.
const ERRORS: f64 = 3.0;

/// The standard error of one row, and how it grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sampling {
    /// Of one row.
    one: f64,
    /// Of a sum over rows, not of a mean.
    total: bool,
}

impl Sampling {
    /// Of a mean over rows, of which a share are of interest.
    fn mean(deviation: f64, share: f64) -> Self {
        Self { one: deviation / share.sqrt(), total: false }
    }

    fn of(self, rows: f64) -> Option<f64> {
        let error = if self.total { self.one * rows.sqrt() } else { self.one / rows.sqrt() };
        Some(error).filter(|error| error.is_finite())
    }
}

/// What the reference tells of a measure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) figure: Figure,
    name: Measure,
    sampling: Sampling,
    limits: std::ops::Range<f64>,
    thresholds: Option<Thresholds>,
}

impl Known {
    /// From its sampling error and what each chunk realised.
    pub(super) fn new(
        figure: Figure,
        (classes, normalise): (&[String], Normalise),
        sampling: Sampling,
        chunks: impl IntoIterator<Item = Option<f64>>,
    ) -> Self {
        let limits = figure.limits(normalise);
        let thresholds = Thresholds::of(chunks, &limits);
        Self { figure, name: figure.name(classes), sampling, limits, thresholds }
    }

    /// With its band and thresholds.
    pub(super) fn estimated(&self, value: Option<f64>, rows: usize) -> Estimated {
        let error = self.sampling.of(rows as f64);
        let at = |errors: f64| {
            let end = value? + errors * error?;
            Some(end.max(self.limits.start).min(self.limits.end))
        };
        Estimated {
            measure: self.name.clone(),
            value,
            standard_error: error,
            low: at(-ERRORS),
            high: at(ERRORS),
            threshold_low: self.thresholds.map(|found| found.low),
            threshold_high: self.thresholds.map(|found| found.high),
            alert: value.zip(self.thresholds).is_some_and(|(value, found)| found.is_beyond(value)),
            realised: None,
            error: None,
        }
    }
}

/// The deviation of so many ones among zeros; NaN of nothing.
fn deviation(ones: f64, of: f64) -> f64 {
    let share = ones / of;
    (share * (1.0 - share)).sqrt()
}

/// The sampling error of a cell.
fn cell((class, predicted): (usize, usize), table: &Table, normalise: Normalise) -> Sampling {
    let (ones, rows) = (table.cell(class, predicted), table.rows());
    if normalise == Normalise::Count {
        return Sampling { one: deviation(ones, rows), total: true };
    }
    let whole = table.whole(class, predicted, normalise);
    Sampling::mean(deviation(ones, whole), whole / rows)
}

/// The sampling error of a value of rows; `lost` rows are taken off where the deviation is divided by the number of rows.
fn worth(table: &Table, classes: usize, value: &[Vec<f64>], lost: f64, per_prediction: bool) -> Sampling {
    let rows = table.rows();
    let mean = table.worth(value) / rows;
    let square = |(class, predicted)| table.cell(class, predicted) * (value_of(value, class, predicted) - mean).powi(2);
    let squares: f64 = Table::pairs(classes).map(square).sum();
    Sampling { one: (squares / (rows - lost)).sqrt(), total: !per_prediction }
}
