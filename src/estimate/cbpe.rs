//! Confidence-based performance estimation (CBPE): a score that is a chance tells how often it is wrong. What a classifier's figures are
//! to be expected to be follows from its scores, calibrated on a reference with labels.
//!
//! Ours, unless told otherwise ([`Way::Ours`]):
//! - Scores are calibrated by isotonic regression, where that brings them nearer to the labels of reference rows that it was not fitted
//!   to (`calibration`); of more than two classes, each against all others, and the chances of a row add up to 1.
//! - A figure is what its formula gives of the expected confusion matrix; of the ROC AUC, the expected share of pairs in order.
//! - The band of 95 % is for what the labels of these very rows will say. It is of draws, the same for a seed: outcomes from the chances,
//!   and the chances from what another reference of as many rows might have said of them. Simulated without concept drift (references of
//!   2,000 and 5,000 rows, windows from a tenth to all of that; scores that are right, skewed, off by .02, and of rare classes; 400 times
//!   each) it holds the truth in 92 to 98 % of cases, 95 % on average; least for the average precision of a rare class.
//! - Rows that lie beyond the reference's scores, or where it has fewer than five rows in a twentieth of their range, are told of
//!   ([`Estimate::outside`](crate::estimate::Estimate::outside)), and widen the band: it also holds what draws
//!   give in which they are a coin's toss.
//! - An alert is an estimate beyond the mean and three standard deviations of the reference's own chunks, whose band leaves out that
//!   mean.
//!
//! [`Way::NannyMl`] gives the numbers of NannyML 0.13.1 (`nannyml`).

mod band;
mod binary;
mod calibration;
mod figure;
pub mod many;
mod nannyml;
mod ranking;
mod several;
mod table;

use std::ops::Range;

pub use many::{FittedMany, fit_many};
use serde::{Deserialize, Serialize};
pub use several::{Columns, Many};
pub use table::Normalise;

use super::{CAVEAT, Estimate, Measure, Unfit};
use crate::drift::modes::nannyml as peer;

/// Draws for a band, at most.
pub const MAX_DRAWS: usize = 2000;
/// Into so many chunks a reference is cut.
const CHUNKS: usize = 10;

/// Whose numbers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Ours.
    #[default]
    Ours,
    /// NannyML's.
    NannyMl,
}

/// How it is estimated.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Whose numbers they are.
    pub way: Way,
    /// What the cells of the confusion matrix are shares of.
    pub normalise: Normalise,
    /// What a row is worth, by true class (outer) and predicted class (inner), the negative one first. Without it there is no
    /// `business_value`.
    pub value: Option<Vec<Vec<f64>>>,
    /// Give the worth of a prediction, not of all. Ours: the mean over the rows. NannyML: the rows of each predicted class count as one.
    pub per_prediction: bool,
    /// The reference's rows that make each chunk, in the order of time. Without it ten of one size (NannyML: and what is left over).
    pub chunks: Option<Vec<Range<usize>>>,
    /// Draws for a band, up to [`MAX_DRAWS`]. NannyML draws none.
    pub draws: usize,
    /// What they are drawn from.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            way: Way::Ours,
            normalise: Normalise::Count,
            value: None,
            per_prediction: false,
            chunks: None,
            draws: 500,
            seed: 0,
        }
    }
}

impl Options {
    fn draws(&self) -> usize {
        self.draws.min(MAX_DRAWS)
    }

    /// The chunks of a reference of so many rows.
    fn chunks(&self, rows: usize) -> Vec<Range<usize>> {
        let edge = |chunk: usize| chunk.saturating_mul(rows) / CHUNKS;
        match (&self.chunks, self.way) {
            (Some(chunks), _) => chunks.clone(),
            (None, Way::NannyMl) => peer::chunks(rows),
            (None, Way::Ours) => (0..CHUNKS).map(|chunk| edge(chunk)..edge(chunk.saturating_add(1))).collect(),
        }
    }
}

/// Rows of a model of two classes, without labels.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// The score of the positive class; what is not finite is missing.
    pub score: &'a [f64],
    /// Whether the positive class is predicted. Without it the figures are those of scores alone.
    pub predicted: Option<&'a [bool]>,
}

/// The same with labels.
#[derive(Debug, Clone, Copy)]
pub struct Binary<'a> {
    /// The score of the positive class; what is not finite is missing.
    pub score: &'a [f64],
    /// Whether the positive class is predicted. Without it the figures are those of scores alone.
    pub predicted: Option<&'a [bool]>,
    /// Whether the row is of the positive class.
    pub label: &'a [bool],
}

impl<'a> Binary<'a> {
    fn part(&self, rows: &Range<usize>) -> Option<Self> {
        let predicted = match self.predicted {
            Some(predicted) => Some(predicted.get(rows.clone())?),
            None => None,
        };
        Some(Self { score: self.score.get(rows.clone())?, predicted, label: self.label.get(rows.clone())? })
    }

    fn scored(&self) -> Scored<'a> {
        Scored { score: self.score, predicted: self.predicted }
    }
}

/// A reference of two classes, as it is fitted.
#[derive(Debug, Clone)]
pub struct Fitted {
    way: Ways,
    options: Options,
}

#[derive(Debug, Clone)]
enum Ways {
    Ours(binary::Fitted),
    NannyMl(nannyml::binary::Fitted),
}

/// Fits a reference, its rows in the order of time.
///
/// # Errors
///
/// Where the columns differ in length, or there are too few rows with a score; where NannyML stops, if its numbers are asked for.
pub fn fit(reference: &Binary<'_>, options: &Options) -> Result<Fitted, Unfit> {
    let rows = reference.score.len();
    if reference.label.len() != rows || reference.predicted.is_some_and(|predicted| predicted.len() != rows) {
        return Err(Unfit::Lengths);
    }
    let kept = Kept::of(rows, |at| is_present(reference.score, at));
    if kept.places.len() < CHUNKS {
        return Err(Unfit::Rows(CHUNKS));
    }
    let chunks = options.chunks(rows);
    let way = match options.way {
        Way::NannyMl if kept.missing > 0 => return Err(Unfit::Missing),
        Way::NannyMl => Ways::NannyMl(nannyml::binary::Fitted::new(reference, &chunks, options)?),
        Way::Ours => {
            let (score, label) = (kept.of_column(reference.score), kept.of_column(reference.label));
            let predicted = reference.predicted.map(|predicted| kept.of_column(predicted));
            let chunks: Vec<Range<usize>> = chunks.iter().map(|rows| kept.range(rows)).collect();
            let reference = Binary { score: &score, predicted: predicted.as_deref(), label: &label };
            Ways::Ours(binary::Fitted::new(&reference, &chunks, options)?)
        }
    };
    Ok(Fitted { way, options: options.clone() })
}

impl Fitted {
    /// The same for estimates alone: their bands, but NannyML's, take most of the time.
    #[must_use]
    pub fn without_bands(self) -> Self {
        let way = match self.way {
            Ways::Ours(fitted) => Ways::Ours(fitted.without_bands()),
            theirs @ Ways::NannyMl(_) => theirs,
        };
        Self { way, ..self }
    }

    /// Whether the scores are calibrated; else they are taken for chances as they are.
    #[must_use]
    pub fn is_calibrated(&self) -> bool {
        match &self.way {
            Ways::Ours(fitted) => fitted.is_calibrated(),
            Ways::NannyMl(fitted) => fitted.is_calibrated(),
        }
    }

    /// What is to be expected of rows. Those without a score are left out; so are those beyond the shorter column.
    #[must_use]
    pub fn estimate(&self, rows: &Scored<'_>) -> Estimate {
        let most = rows.predicted.map_or(rows.score.len(), |predicted| predicted.len().min(rows.score.len()));
        let kept = Kept::of(most, |at| is_present(rows.score, at));
        let score = kept.of_column(rows.score);
        let predicted = rows.predicted.map(|predicted| kept.of_column(predicted));
        let scored = Scored { score: &score, predicted: predicted.as_deref() };
        let (figures, outside) = match &self.way {
            Ways::Ours(fitted) => fitted.estimate(&scored),
            Ways::NannyMl(fitted) => (fitted.estimate(&scored), None),
        };
        Estimate { caveat: CAVEAT, rows: score.len() as u64, missing: kept.missing, outside, figures }
    }

    /// The same with the truth beside it.
    #[must_use]
    pub fn compare(&self, rows: &Binary<'_>) -> Estimate {
        let mut estimate = self.estimate(&rows.scored());
        for (measure, realised) in realised(rows, &self.options) {
            estimate.hold_against([(measure.as_ref(), realised)]);
        }
        estimate
    }
}

/// The figures that labelled rows realise, by name, as ours are defined. Rows without a score are left out.
#[must_use]
pub fn realised(rows: &Binary<'_>, options: &Options) -> Vec<(Measure, Option<f64>)> {
    let most = rows.score.len().min(rows.label.len());
    let kept = Kept::of(most, |at| is_present(rows.score, at));
    let (score, label) = (kept.of_column(rows.score), kept.of_column(rows.label));
    let predicted = rows.predicted.map(|predicted| kept.of_column(predicted));
    let rows = Binary { score: &score, predicted: predicted.as_deref(), label: &label };
    binary::figures(&rows, options).into_iter().map(|(figure, value)| (figure.name(&[]), value)).collect()
}

fn is_present(score: &[f64], at: usize) -> bool {
    score.get(at).is_some_and(|score| score.is_finite())
}

/// The rows that are used.
struct Kept {
    places: Vec<usize>,
    missing: u64,
}

impl Kept {
    fn of(rows: usize, is_kept: impl Fn(usize) -> bool) -> Self {
        let places: Vec<usize> = (0..rows).filter(|at| is_kept(*at)).collect();
        let missing = rows.saturating_sub(places.len()) as u64;
        Self { places, missing }
    }

    fn of_column<T: Copy>(&self, column: &[T]) -> Vec<T> {
        self.places.iter().filter_map(|at| column.get(*at)).copied().collect()
    }

    /// Where these rows are among the kept ones.
    fn range(&self, rows: &Range<usize>) -> Range<usize> {
        let before = |row: usize| self.places.partition_point(|place| *place < row);
        before(rows.start)..before(rows.end)
    }
}

#[cfg(test)]
mod tests;
