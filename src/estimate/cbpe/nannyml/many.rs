//! NannyML's CBPE of three classes or more: each is calibrated against all others, the chances of a row then add up to 1, and measures are
//! the means over the classes.

use std::ops::Range;

use super::{Known, Sampling, calibration, cell, deviation, order, worth};
use crate::estimate::cbpe::Options;
use crate::estimate::cbpe::figure::Figure;
use crate::estimate::cbpe::ranking::{Ranking, levels};
use crate::estimate::cbpe::several::{Columns, Many, add_up_to_one};
use crate::estimate::cbpe::table::{One, Table};
use crate::estimate::isotonic::Isotonic;
use crate::estimate::{Estimated, Unfit};
use crate::stats::mersenne::Mersenne;

/// By so much NannyML widens the error of the mean of areas.
const TOGETHER: f64 = 1.2;

/// A reference, as it is fitted.
#[derive(Debug, Clone)]
pub(in crate::estimate::cbpe) struct Fitted {
    curves: Vec<Option<Isotonic>>,
    known: Vec<Known>,
    options: Options,
}

impl Fitted {
    /// Of a reference whose rows all have their scores.
    pub(in crate::estimate::cbpe) fn new(
        reference: &Many<'_>,
        chunks: &[Range<usize>],
        options: &Options,
    ) -> Result<Self, Unfit> {
        let count = reference.classes.len();
        if (0..count).any(|class| !reference.label.contains(&class)) {
            return Err(Unfit::Classes);
        }
        let is_class: Vec<Vec<bool>> =
            (0..count).map(|class| reference.label.iter().map(|label| *label == class).collect()).collect();
        let fit = |(score, labels): (&&[f64], &Vec<bool>)| calibration::fit(score, labels);
        let curves = reference.score.iter().zip(&is_class).map(fit).collect::<Result<_, _>>()?;
        let mut random = Mersenne::numpy(0);
        let parts: Vec<(Table, &Range<usize>)> = chunks.iter().map(|rows| (table(reference, rows), rows)).collect();
        let all = table(reference, &(0..reference.label.len()));
        let known = |figure: Figure| {
            let classes = || reference.score.iter().zip(&is_class);
            let sampling = match figure {
                Figure::RocAuc => {
                    let one = |(score, labels): (&&[f64], &Vec<bool>)| {
                        let (variance, share) = order::roc_auc_sampling(score, labels);
                        variance / share
                    };
                    of_means(classes().map(one), count, TOGETHER)
                }
                Figure::AveragePrecision => {
                    let mut one = |(score, labels): (&&[f64], &Vec<bool>)| {
                        let (variance, rows) = order::precision_sampling(&mut random, score, labels);
                        variance * rows
                    };
                    let mean = classes().map(&mut one).sum::<f64>() / count as f64;
                    Sampling { one: mean.sqrt(), total: false }
                }
                _ => of_table(figure, &all, count, options),
            };
            let realised = parts.iter().map(|(table, rows)| realised(figure, table, reference, rows, options));
            Known::new(figure, (reference.classes, options.normalise), sampling, realised)
        };
        let figures = Figure::all(count, true, options.value.is_some());
        Ok(Self { curves, known: figures.into_iter().map(known).collect(), options: options.clone() })
    }

    /// Whether any score is calibrated.
    pub(in crate::estimate::cbpe) fn is_calibrated(&self) -> bool {
        self.curves.iter().any(Option::is_some)
    }

    /// Of rows that all have their scores.
    pub(in crate::estimate::cbpe) fn estimate(&self, rows: &Columns<'_>) -> Vec<Estimated> {
        let count = self.curves.len();
        let chances = self.chances(rows);
        let mut table = Table::new(count);
        for (class, chances) in chances.iter().enumerate() {
            for (chance, predicted) in chances.iter().zip(rows.predicted) {
                table.add(class, *predicted, *chance);
            }
        }
        let by_order = |of: fn(std::vec::IntoIter<f64>) -> Option<f64>| {
            let one = |(score, chances): (&&[f64], &Vec<f64>)| {
                let ordered = order::descending(score).into_iter().filter_map(|at| chances.get(at)).copied();
                of(ordered.collect::<Vec<_>>().into_iter())
            };
            let sum: f64 = rows.score.iter().zip(&chances).map(one).sum::<Option<f64>>()?;
            Some(sum / count as f64)
        };
        let value = |figure| match figure {
            Figure::RocAuc => by_order(order::roc_auc),
            Figure::AveragePrecision => by_order(order::expected_precision),
            _ => of_cells(figure, &table, &self.options),
        };
        let value = |figure| value(figure).filter(|value| !rows.predicted.is_empty() && value.is_finite());
        self.known.iter().map(|known| known.estimated(value(known.figure), rows.predicted.len())).collect()
    }

    /// The chances of each class, by row.
    fn chances(&self, rows: &Columns<'_>) -> Vec<Vec<f64>> {
        let calibrated = |(score, curve): (&&[f64], &Option<Isotonic>)| -> Vec<f64> {
            score.iter().map(|score| curve.as_ref().map_or(*score, |curve| curve.at(*score))).collect()
        };
        let mut chances: Vec<Vec<f64>> = rows.score.iter().zip(&self.curves).map(calibrated).collect();
        add_up_to_one(&mut chances);
        chances
    }
}

/// Of measures that are the mean over the classes: their variances over the shares of rows that they are of.
fn of_means(variances: impl Iterator<Item = f64>, classes: usize, widened: f64) -> Sampling {
    Sampling { one: variances.sum::<f64>().sqrt() / classes as f64 * widened, total: false }
}

fn table(reference: &Many<'_>, rows: &Range<usize>) -> Table {
    let mut table = Table::new(reference.classes.len());
    let part = |column: &'_ [usize]| column.get(rows.clone()).unwrap_or_default().to_vec();
    for (label, predicted) in part(reference.label).into_iter().zip(part(reference.predicted)) {
        table.add(label, predicted, 1.0);
    }
    table
}

/// What follows from a confusion matrix.
fn of_cells(figure: Figure, table: &Table, options: &Options) -> Option<f64> {
    let value = options.value.as_deref().unwrap_or_default();
    match figure {
        Figure::F1 => Some(table.mean(One::f1)),
        Figure::Precision => Some(table.mean(One::precision)),
        Figure::Recall => Some(table.mean(One::recall)),
        Figure::Specificity => Some(table.mean(One::specificity)),
        Figure::Accuracy => table.accuracy(),
        Figure::Cell(class, predicted) => table.share(class, predicted, options.normalise),
        Figure::BusinessValue if options.per_prediction => Some(table.worth_per_prediction(value)),
        Figure::BusinessValue => Some(table.worth(value)),
        _ => None,
    }
}

fn realised(
    figure: Figure,
    table: &Table,
    reference: &Many<'_>,
    rows: &Range<usize>,
    options: &Options,
) -> Option<f64> {
    let count = reference.classes.len();
    let met = |of: &dyn Fn(usize) -> f64| (0..count).filter(|class| of(*class) > 0.0).count();
    let labels = met(&|class| table.of_class(class));
    let varies = labels > 1 && met(&|class| table.predicted(class)) > 1;
    let mean = |of: fn(Vec<(f64, bool)>) -> Option<f64>| {
        let label = reference.label.get(rows.clone())?;
        let one = |(class, score): (usize, &&[f64])| {
            let score = score.get(rows.clone())?;
            of(score.iter().copied().zip(label.iter().map(|label| *label == class)).collect())
        };
        let sum: f64 = reference.score.iter().enumerate().map(one).sum::<Option<f64>>()?;
        Some(sum / count as f64)
    };
    match figure {
        Figure::RocAuc | Figure::AveragePrecision if labels < count => None,
        Figure::RocAuc => mean(|mut rows| Ranking::of(levels(&mut rows)).roc_auc()),
        Figure::AveragePrecision => mean(|mut rows| Ranking::of(levels(&mut rows)).average_precision()),
        Figure::BusinessValue => of_cells(figure, table, options),
        _ if !varies => None,
        Figure::Cell(..) => of_cells(figure, table, options).or(Some(0.0)),
        Figure::Specificity if (0..count).any(|class| table.one(class).specificity().is_none()) => None,
        _ => of_cells(figure, table, options),
    }
}

/// The sampling error of what follows from the reference's confusion matrix.
fn of_table(figure: Figure, table: &Table, classes: usize, options: &Options) -> Sampling {
    let rows = table.rows();
    let mean = |part: fn(One) -> (f64, f64)| {
        let one = |class: usize| {
            let (ones, of) = part(table.one(class));
            deviation(ones, of).powi(2) / (of / rows)
        };
        of_means((0..classes).map(one), classes, 1.0)
    };
    match figure {
        Figure::F1 => mean(|one| (one.tp, one.tp + one.fp + one.missed)),
        Figure::Precision => mean(|one| (one.tp, one.tp + one.fp)),
        Figure::Recall => mean(|one| (one.tp, one.tp + one.missed)),
        Figure::Specificity => mean(|one| (one.tn, one.tn + one.fp)),
        Figure::Accuracy => {
            let right = table.accuracy().unwrap_or(f64::NAN) * rows;
            Sampling { one: deviation(right, rows), total: false }
        }
        Figure::Cell(class, predicted) => cell((class, predicted), table, options.normalise),
        Figure::BusinessValue => {
            let value = options.value.as_deref().unwrap_or_default();
            worth(table, classes, value, 1.0, options.per_prediction)
        }
        _ => Sampling { one: f64::NAN, total: false },
    }
}
