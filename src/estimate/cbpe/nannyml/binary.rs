//! NannyML's CBPE of two classes.

use std::ops::Range;

use super::{Known, Sampling, calibration, cell, deviation, order, worth};
use crate::estimate::cbpe::figure::Figure;
use crate::estimate::cbpe::ranking::{Ranking, levels};
use crate::estimate::cbpe::table::{One, Table};
use crate::estimate::cbpe::{Binary, Options, Scored};
use crate::estimate::isotonic::Isotonic;
use crate::estimate::{Estimated, Unfit};
use crate::stats::mersenne::Mersenne;

/// A reference, as it is fitted.
#[derive(Debug, Clone)]
pub(in crate::estimate::cbpe) struct Fitted {
    curve: Option<Isotonic>,
    known: Vec<Known>,
    options: Options,
}

impl Fitted {
    /// Of a reference whose rows all have a score.
    pub(in crate::estimate::cbpe) fn new(
        reference: &Binary<'_>,
        chunks: &[Range<usize>],
        options: &Options,
    ) -> Result<Self, Unfit> {
        let curve = calibration::fit(reference.score, reference.label)?;
        let figures = Figure::all(2, reference.predicted.is_some(), options.value.is_some());
        let parts: Vec<Part> = chunks.iter().map(|rows| part(reference, rows)).collect();
        let mut random = Mersenne::numpy(0);
        let table = table(reference, 0..reference.label.len());
        let known = |figure: Figure| {
            let sampling = match figure {
                Figure::RocAuc => {
                    let (variance, share) = order::roc_auc_sampling(reference.score, reference.label);
                    Sampling::mean(variance.sqrt(), share)
                }
                Figure::AveragePrecision if reference.label.contains(&true) => {
                    let (variance, rows) = order::precision_sampling(&mut random, reference.score, reference.label);
                    Sampling { one: (variance * rows).sqrt(), total: false }
                }
                _ => table
                    .as_ref()
                    .map_or(Sampling { one: f64::NAN, total: false }, |table| of_table(figure, table, options)),
            };
            let chunks = parts.iter().map(|(table, scored)| realised(figure, table.as_ref(), scored, options));
            Known::new(figure, (&[], options.normalise), sampling, chunks)
        };
        Ok(Self { curve, known: figures.into_iter().map(known).collect(), options: options.clone() })
    }

    /// Whether scores are calibrated.
    pub(in crate::estimate::cbpe) fn is_calibrated(&self) -> bool {
        self.curve.is_some()
    }

    /// Of rows that all have a score.
    pub(in crate::estimate::cbpe) fn estimate(&self, rows: &Scored<'_>) -> Vec<Estimated> {
        let chance = |score: &f64| self.curve.as_ref().map_or(*score, |curve| curve.at(*score));
        let chances: Vec<f64> = rows.score.iter().map(chance).collect();
        let descending = order::descending(rows.score);
        let ordered = || descending.iter().filter_map(|at| chances.get(*at)).copied();
        let mut table = Table::new(2);
        for (chance, predicted) in chances.iter().zip(rows.predicted.unwrap_or_default()) {
            table.add(1, usize::from(*predicted), *chance);
            table.add(0, usize::from(*predicted), 1.0 - chance);
        }
        let value = |figure| match figure {
            Figure::RocAuc => order::roc_auc(ordered()),
            Figure::AveragePrecision => order::expected_precision(ordered()),
            Figure::F1 => table.one(1).f1().or(Some(0.0)),
            Figure::Precision => table.one(1).precision().or(Some(0.0)),
            Figure::Recall => table.one(1).recall().or(Some(0.0)),
            Figure::Specificity => table.one(1).specificity().or(Some(0.0)),
            _ => plain(figure, &table, &self.options),
        };
        let value = |figure| value(figure).filter(|value| !chances.is_empty() && value.is_finite());
        self.known.iter().map(|known| known.estimated(value(known.figure), rows.score.len())).collect()
    }
}

/// What needs no care where it is undefined.
fn plain(figure: Figure, table: &Table, options: &Options) -> Option<f64> {
    let value = options.value.as_deref().unwrap_or_default();
    match figure {
        Figure::Accuracy => table.accuracy(),
        Figure::Cell(class, predicted) => table.share(class, predicted, options.normalise),
        Figure::BusinessValue if options.per_prediction => Some(table.worth_per_prediction(value)),
        Figure::BusinessValue => Some(table.worth(value)),
        _ => None,
    }
}

/// A chunk's confusion matrix, and its labelled scores.
type Part = (Option<Table>, Vec<(f64, bool)>);

fn part(reference: &Binary<'_>, rows: &Range<usize>) -> Part {
    let score = reference.score.get(rows.clone()).unwrap_or_default();
    let label = reference.label.get(rows.clone()).unwrap_or_default();
    (table(reference, rows.clone()), score.iter().copied().zip(label.iter().copied()).collect())
}

fn table(reference: &Binary<'_>, rows: Range<usize>) -> Option<Table> {
    let mut table = Table::new(2);
    for (label, predicted) in reference.label.get(rows.clone())?.iter().zip(reference.predicted?.get(rows)?) {
        table.add(usize::from(*label), usize::from(*predicted), 1.0);
    }
    Some(table)
}

fn realised(figure: Figure, table: Option<&Table>, scored: &[(f64, bool)], options: &Options) -> Option<f64> {
    match figure {
        Figure::RocAuc => return Ranking::of(levels(&mut scored.to_vec())).roc_auc(),
        Figure::AveragePrecision => return Ranking::of(levels(&mut scored.to_vec())).average_precision(),
        _ => {}
    }
    let table = table.filter(|table| table.rows() > 0.0)?;
    let varies = (0..2).all(|class| table.of_class(class) > 0.0 && table.predicted(class) > 0.0);
    let of = |of: fn(One) -> Option<f64>| varies.then(|| of(table.one(1)).unwrap_or(0.0));
    match figure {
        Figure::F1 => of(One::f1),
        Figure::Precision => of(One::precision),
        Figure::Recall => of(One::recall),
        Figure::Specificity => table.one(1).specificity(),
        Figure::Cell(..) => plain(figure, table, options).or(Some(0.0)),
        _ => plain(figure, table, options),
    }
}

/// The sampling error of what follows from the reference's confusion matrix.
fn of_table(figure: Figure, table: &Table, options: &Options) -> Sampling {
    let One { tp, fp, missed, tn } = table.one(1);
    let rows = table.rows();
    let among = |ones: f64, of: f64| Sampling::mean(deviation(ones, of), of / rows);
    match figure {
        Figure::F1 => {
            let of = tp + fp + missed;
            let found = among(tp, of);
            Sampling { one: found.one * of / ((fp + missed) * 0.5 + tp), ..found }
        }
        Figure::Precision => among(tp, tp + fp),
        Figure::Recall => among(tp, tp + missed),
        Figure::Specificity => among(tn, tn + fp),
        Figure::Accuracy => among(tp + tn, rows),
        Figure::Cell(class, predicted) => cell((class, predicted), table, options.normalise),
        Figure::BusinessValue => {
            worth(table, 2, options.value.as_deref().unwrap_or_default(), 0.0, options.per_prediction)
        }
        _ => Sampling { one: f64::NAN, total: false },
    }
}
