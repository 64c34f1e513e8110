//! Direct loss estimation (DLE): how large a regression's errors are, from its inputs and its prediction, by a model of the loss that was
//! fitted on a reference with labels (the idea is NannyML's; the model is ours, so are the numbers).
//!
//! For each loss (absolute, squared, relative, squared logarithmic error) gradient-boosted trees (`trees`) are fitted; where they are no
//! nearer to the losses of reference rows that they were not fitted to than the mean loss is, the mean stands for them. How near they are
//! is shown: [`Quality`].
//!
//! A band of 95 % is for what the labels of these very rows will say: a loss varies in proportion to its expectation, as the reference's
//! do out of fold; the mean of that proportion is known as well as the reference's rows let it be. The band is of the logarithm, so that it
//! stays above 0. Rows with a number beyond the reference's, or a new category, are told of
//! ([`Estimate::outside`]); the band then holds, too, what comes out if they err as the worst twentieth of the reference.
//! An alert is as of `cbpe`. Simulated without concept drift (references of 2,000 rows whose noise grows with an input, windows of 100 and
//! 1,000), the bands of absolute and relative errors hold the truth in 94 to 97 % of cases, those of squared errors in 97 to 98 %.

mod bins;
pub mod trees;

use std::ops::Range;

use bins::Binner;
use serde::Serialize;
use trees::{Binned, Boosted};

use super::thresholds::Thresholds;
use super::{CAVEAT, Estimate, Estimated, Unfit};
use crate::drift::multi::Column;
use crate::stats::pick::{scattered, spread};
use crate::stats::quantile::quantile_of_sorted;

/// Rows of the reference that are fitted to, at most, spread evenly over it.
pub const MAX_ROWS: usize = 10_000;
/// Rows that are estimated one by one, at most, spread evenly over them; they stand for the others.
pub const MAX_ESTIMATED: usize = 50_000;
/// Columns, at most, the prediction beside them.
pub const MAX_COLUMNS: usize = 200;
/// Parts that are estimated by the others.
const FOLDS: u64 = 3;
/// Chunks of a reference, and rows it needs for each.
const CHUNKS: usize = 10;
/// The normal distribution's ends of 95 %.
const ENDS: f64 = 1.959_963_984_540_054;
/// What the worst rows of the reference are.
const WORST: f64 = 0.95;
/// No loss is expected to be less than this share of the mean.
const LEAST: f64 = 0.01;

/// A reference: inputs, predictions and labels of the same rows, in the order of time.
#[derive(Debug, Clone, Copy)]
pub struct Regression<'a> {
    /// The inputs.
    pub features: &'a [Column],
    /// What is predicted; what is not finite is missing.
    pub predicted: &'a [f64],
    /// The truth; what is not finite is missing.
    pub label: &'a [f64],
}

/// How well a loss is told by inputs and prediction, on reference rows that were not fitted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quality {
    /// The measure.
    pub measure: &'static str,
    /// The share of the losses' variance that is explained; 0 where the mean is used.
    pub explained: f64,
    /// How far the estimates of the reference's chunks are off what they realised, on average, in the measure's unit.
    pub error: Option<f64>,
}

/// What a row's loss is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Absolute,
    Squared,
    /// Of the label.
    Relative,
    /// Of the logarithms of one more.
    Logarithmic,
}

/// A measure: its loss, and whether it is the root of the mean.
const MEASURES: [(&str, Loss, bool); 6] = [
    ("mae", Loss::Absolute, false),
    ("mse", Loss::Squared, false),
    ("rmse", Loss::Squared, true),
    ("mape", Loss::Relative, false),
    ("msle", Loss::Logarithmic, false),
    ("rmsle", Loss::Logarithmic, true),
];
const LOSSES: [Loss; 4] = [Loss::Absolute, Loss::Squared, Loss::Relative, Loss::Logarithmic];

impl Loss {
    /// `None` where it is undefined: relative to 0, or the logarithm of nothing.
    fn of(self, predicted: f64, label: f64) -> Option<f64> {
        let found = match self {
            Self::Absolute => (predicted - label).abs(),
            Self::Squared => (predicted - label).powi(2),
            Self::Relative => ((predicted - label) / label).abs(),
            Self::Logarithmic => (predicted.ln_1p() - label.ln_1p()).powi(2),
        };
        Some(found).filter(|found| found.is_finite())
    }

    /// The mean over rows, or its root. `None` where any row's is undefined.
    fn mean(self, rows: impl Iterator<Item = (f64, f64)>, root: bool) -> Option<f64> {
        let losses: Vec<f64> = rows.map(|(predicted, label)| self.of(predicted, label)).collect::<Option<_>>()?;
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        (!losses.is_empty()).then(|| rooted(mean, root))
    }
}

fn rooted(mean: f64, root: bool) -> f64 {
    if root { mean.sqrt() } else { mean }
}

/// A model of a loss.
#[derive(Debug, Clone)]
struct Modelled {
    loss: Loss,
    trees: Boosted,
    least: f64,
    worst: f64,
    /// The variance of a loss over the square of its expectation.
    variation: f64,
    rows: f64,
    explained: f64,
    /// What the reference's rows are expected to lose, out of fold, by place in the reference.
    out_of_fold: Vec<(usize, f64)>,
}

/// A reference, as it is fitted.
#[derive(Debug, Clone)]
pub struct Fitted {
    binners: Vec<Binner>,
    models: Vec<Modelled>,
    known: Vec<(&'static str, Loss, bool, Option<Thresholds>)>,
    quality: Vec<Quality>,
}

/// Fits a reference. `chunks` are its rows that make each chunk; without them ten of one size.
///
/// # Errors
///
/// Where the columns differ in length or are too many, or fewer than a hundred rows have both a prediction and a label.
pub fn fit(reference: &Regression<'_>, chunks: Option<&[Range<usize>]>) -> Result<Fitted, Unfit> {
    let rows = reference.label.len();
    let lengths = reference.features.iter().map(Column::rows).chain([reference.predicted.len()]);
    if reference.features.len() > MAX_COLUMNS || lengths.into_iter().any(|length| length != rows) {
        return Err(Unfit::Lengths);
    }
    let pair = |row: usize| {
        let found = (*reference.predicted.get(row)?, *reference.label.get(row)?);
        (found.0.is_finite() && found.1.is_finite()).then_some((row, found))
    };
    let whole: Vec<(usize, (f64, f64))> = (0..rows).filter_map(pair).collect();
    if whole.len() < CHUNKS * CHUNKS {
        return Err(Unfit::Rows(CHUNKS * CHUNKS));
    }
    let columns = with_prediction(reference.features, reference.predicted);
    let binners: Vec<Binner> = columns.iter().map(Binner::of).collect();
    let picked: Vec<(usize, (f64, f64))> =
        spread(whole.len(), MAX_ROWS).filter_map(|at| whole.get(at).copied()).collect();
    let bins: Vec<Vec<u8>> = columns
        .iter()
        .zip(&binners)
        .map(|(column, binner)| picked.iter().map(|(row, _)| binner.bin(column, *row).0).collect())
        .collect();
    let binned: Vec<Binned<'_>> =
        bins.iter().zip(&binners).map(|(bins, binner)| Binned { bins, is_named: binner.is_named() }).collect();
    let models: Vec<Modelled> = LOSSES.into_iter().filter_map(|loss| Modelled::of(loss, &binned, &picked)).collect();
    let edge = |chunk: usize| chunk * rows / CHUNKS;
    let even: Vec<Range<usize>> = (0..CHUNKS).map(|chunk| edge(chunk)..edge(chunk + 1)).collect();
    let chunks = chunks.unwrap_or(&even);
    let part = |rows: &Range<usize>| {
        let from = whole.partition_point(|(row, _)| *row < rows.start);
        let to = whole.partition_point(|(row, _)| *row < rows.end);
        whole.get(from..to).unwrap_or_default().iter().map(|(_, pair)| *pair)
    };
    let modelled = MEASURES.into_iter().filter_map(|(name, loss, root)| {
        let model = models.iter().find(|model| model.loss == loss)?;
        let realised: Vec<Option<f64>> = chunks.iter().map(|rows| loss.mean(part(rows), root)).collect();
        let errors: Vec<f64> = chunks
            .iter()
            .zip(&realised)
            .filter_map(|(rows, realised)| Some((rooted(model.out_of_fold(rows)?, root) - (*realised)?).abs()))
            .collect();
        let error = (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64);
        let quality = Quality { measure: name, explained: model.explained, error };
        Some(((name, loss, root, Thresholds::of(realised, &(0.0..f64::INFINITY))), quality))
    });
    let (known, quality) = modelled.unzip();
    Ok(Fitted { binners, models, known, quality })
}

/// The inputs, and the prediction as one of them.
fn with_prediction(features: &[Column], predicted: &[f64]) -> Vec<Column> {
    let predicted =
        Column::Numbers(predicted.iter().map(|value| Some(*value).filter(|value| value.is_finite())).collect());
    features.iter().cloned().chain([predicted]).collect()
}

impl Modelled {
    /// `None` where a row's loss is undefined.
    fn of(loss: Loss, columns: &[Binned<'_>], picked: &[(usize, (f64, f64))]) -> Option<Self> {
        let losses: Vec<f64> =
            picked.iter().map(|(_, (predicted, label))| loss.of(*predicted, *label)).collect::<Option<_>>()?;
        let count = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / count;
        let fold = |at: usize| scattered(picked[at].0 as u64) % FOLDS;
        let all: Vec<usize> = (0..losses.len()).collect();
        let (mut expected, mut plain) = (vec![0.0; losses.len()], vec![0.0; losses.len()]);
        for held in 0..FOLDS {
            let (inside, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|at| fold(**at) == held);
            let trees = Boosted::fit(columns, &losses, &others);
            let of_others = others.iter().map(|at| losses[*at]).sum::<f64>() / (others.len() as f64).max(1.0);
            for at in inside {
                expected[at] = trees.at(|column| columns[column].bins[at]);
                plain[at] = of_others;
            }
        }
        let squares = |of: &[f64]| of.iter().zip(&losses).map(|(of, loss)| (of - loss).powi(2)).sum::<f64>();
        let explained = 1.0 - squares(&expected) / squares(&plain);
        let is_better = explained > 0.0;
        let trees = if is_better { Boosted::fit(columns, &losses, &all) } else { Boosted::constant(mean) };
        let expected = if is_better { expected } else { plain };
        let least = LEAST * mean;
        let proportion = |(of, loss): (&f64, &f64)| ((loss - of) / of.max(least)).powi(2);
        let variation = expected.iter().zip(&losses).map(proportion).sum::<f64>() / count;
        let mut sorted = expected.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Self {
            loss,
            trees,
            least,
            worst: quantile_of_sorted(&sorted, WORST)?,
            variation: if variation.is_finite() { variation } else { 0.0 },
            rows: count,
            explained: if is_better { explained } else { 0.0 },
            out_of_fold: picked.iter().zip(expected).map(|((row, _), expected)| (*row, expected)).collect(),
        })
    }

    /// The mean loss that these rows of the reference are expected to have, out of fold.
    fn out_of_fold(&self, rows: &Range<usize>) -> Option<f64> {
        let from = self.out_of_fold.partition_point(|(row, _)| *row < rows.start);
        let to = self.out_of_fold.partition_point(|(row, _)| *row < rows.end);
        let part = self.out_of_fold.get(from..to).filter(|part| !part.is_empty())?;
        Some((part.iter().map(|(_, expected)| expected).sum::<f64>() / part.len() as f64).max(self.least))
    }

    /// The mean loss of so many rows, and its standard error; of some of them what they are expected to lose.
    fn mean(&self, expected: &[f64], rows: usize) -> Option<(f64, f64)> {
        let count = expected.len() as f64;
        let mean = expected.iter().sum::<f64>() / count;
        let square = expected.iter().map(|expected| expected * expected).sum::<f64>() / count;
        let variance = self.variation * (square / rows as f64 + mean * mean / self.rows);
        (count > 0.0).then(|| (mean, variance.sqrt()))
    }
}

impl Fitted {
    /// How well the losses are told, of each measure.
    #[must_use]
    pub fn quality(&self) -> &[Quality] {
        &self.quality
    }

    /// What is to be expected of rows with these inputs and predictions, the columns in the order of the reference's. Rows without a
    /// prediction are left out. A column that is shorter, or of another kind, counts as new or missing where it has no value.
    #[must_use]
    pub fn estimate(&self, features: &[Column], predicted: &[f64]) -> Estimate {
        let columns = with_prediction(features, predicted);
        let is_all = columns.len() == self.binners.len();
        let whole: Vec<usize> = (0..predicted.len()).filter(|row| is_all && predicted[*row].is_finite()).collect();
        let rows: Vec<usize> = spread(whole.len(), MAX_ESTIMATED).filter_map(|at| whole.get(at).copied()).collect();
        let mut bins: Vec<Vec<u8>> = Vec::with_capacity(columns.len());
        let mut is_known = vec![true; rows.len()];
        for (binner, column) in self.binners.iter().zip(&columns) {
            let of_row = |(row, is_known): (&usize, &mut bool)| {
                let (bin, known) = binner.bin(column, *row);
                *is_known &= known;
                bin
            };
            bins.push(rows.iter().zip(&mut is_known).map(of_row).collect());
        }
        let unknown = is_known.iter().filter(|known| !**known).count() as f64;
        let figures = self.known.iter().filter_map(|(name, loss, root, thresholds)| {
            let model = self.models.iter().find(|model| model.loss == *loss)?;
            let expected: Vec<f64> =
                (0..rows.len()).map(|at| model.trees.at(|column| bins[column][at]).max(model.least)).collect();
            let worst = |(expected, known): (&f64, &bool)| if *known { *expected } else { expected.max(model.worst) };
            let worst: Vec<f64> = expected.iter().zip(&is_known).map(worst).collect();
            let [expected, worst] = [expected, worst].map(|expected| model.mean(&expected, whole.len()));
            Some(figure(name, *root, expected, worst, *thresholds))
        });
        Estimate {
            caveat: CAVEAT,
            rows: whole.len() as u64,
            missing: predicted.len().saturating_sub(whole.len()) as u64,
            outside: Some(unknown / rows.len() as f64).filter(|share| share.is_finite()),
            figures: figures.collect(),
        }
    }

    /// The same with the truth beside it: of rows that have a label.
    #[must_use]
    pub fn compare(&self, rows: &Regression<'_>) -> Estimate {
        let labelled = |(predicted, label): (&f64, &f64)| if label.is_finite() { *predicted } else { f64::NAN };
        let predicted: Vec<f64> = rows.predicted.iter().zip(rows.label).map(labelled).collect();
        let mut estimate = self.estimate(rows.features, &predicted);
        let pairs =
            || predicted.iter().copied().zip(rows.label.iter().copied()).filter(|(predicted, _)| predicted.is_finite());
        estimate.hold_against(MEASURES.into_iter().map(|(name, loss, root)| (name, loss.mean(pairs(), root))));
        estimate
    }
}

/// A measure with its band, which holds the one of the worst case, too.
fn figure(
    name: &'static str,
    root: bool,
    mean: Option<(f64, f64)>,
    worst: Option<(f64, f64)>,
    thresholds: Option<Thresholds>,
) -> Estimated {
    let end = |(mean, error): (f64, f64), ends: f64| rooted(mean * (ends * error / mean).exp(), root);
    let value = mean.map(|(mean, _)| rooted(mean, root)).filter(|value| value.is_finite());
    // Without any loss there is nothing to vary.
    let is_none = value == Some(0.0);
    let low = mean.map(|mean| if is_none { 0.0 } else { end(mean, -ENDS) }).filter(|low| low.is_finite());
    let high = worst.map(|worst| if is_none { 0.0 } else { end(worst, ENDS) }).filter(|high| high.is_finite());
    let error = mean.map(|(mean, error)| if root && mean > 0.0 { error / (2.0 * mean.sqrt()) } else { error });
    Estimated {
        measure: name.into(),
        value,
        standard_error: error,
        low,
        high,
        threshold_low: thresholds.map(|found| found.low),
        threshold_high: thresholds.map(|found| found.high).filter(|high| high.is_finite()),
        alert: value.zip(thresholds).is_some_and(|(value, found)| found.is_alert(value, low.zip(high))),
        realised: None,
        error: None,
    }
}

#[cfg(test)]
mod tests;
