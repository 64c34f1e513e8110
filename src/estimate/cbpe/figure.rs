//! The measures that are estimated of classes.

use std::ops::Range;

use super::table::Normalise;
use crate::estimate::Measure;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    RocAuc,
    AveragePrecision,
    F1,
    Precision,
    Recall,
    Specificity,
    Accuracy,
    Brier,
    LogLoss,
    /// Of a true and a predicted class.
    Cell(usize, usize),
    BusinessValue,
}

/// Those of predictions and scores, in order.
const PLAIN: [Figure; 7] = [
    Figure::RocAuc,
    Figure::AveragePrecision,
    Figure::F1,
    Figure::Precision,
    Figure::Recall,
    Figure::Specificity,
    Figure::Accuracy,
];

impl Figure {
    /// Those of so many classes; of scores alone where there are no predictions.
    pub(super) fn all(classes: usize, predicted: bool, valued: bool) -> Vec<Self> {
        let plain = PLAIN.into_iter().filter(|figure| predicted || figure.is_of_scores());
        // The order of NannyML's columns: of two classes the positive cell first.
        let cells = match (predicted, classes) {
            (false, _) => Vec::new(),
            (true, 2) => vec![(1, 1), (0, 0), (0, 1), (1, 0)],
            (true, _) => super::table::Table::pairs(classes).collect(),
        };
        let cells = cells.into_iter().map(|(class, predicted)| Self::Cell(class, predicted));
        plain.chain(cells).chain((predicted && valued).then_some(Self::BusinessValue)).collect()
    }

    /// Whether it needs no predictions.
    pub(super) fn is_of_scores(self) -> bool {
        matches!(self, Self::RocAuc | Self::AveragePrecision | Self::Brier | Self::LogLoss)
    }

    /// Its name, as the labelled measures and NannyML have it.
    pub(super) fn name(self, classes: &[String]) -> Measure {
        let of = |class: usize| classes.get(class).map_or("", String::as_str);
        Measure::Borrowed(match self {
            Self::RocAuc => "roc_auc",
            Self::AveragePrecision => "pr_auc",
            Self::F1 => "f1",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Specificity => "specificity",
            Self::Accuracy => "accuracy",
            Self::Brier => "brier",
            Self::LogLoss => "log_loss",
            Self::BusinessValue => "business_value",
            Self::Cell(class, predicted) if !classes.is_empty() => {
                return Measure::Owned(format!("true_{}_pred_{}", of(class), of(predicted)));
            }
            Self::Cell(1, 1) => "true_positive",
            Self::Cell(0, 0) => "true_negative",
            Self::Cell(0, _) => "false_positive",
            Self::Cell(..) => "false_negative",
        })
    }

    /// What it cannot leave.
    pub(super) fn limits(self, normalise: Normalise) -> Range<f64> {
        match self {
            Self::BusinessValue => f64::NEG_INFINITY..f64::INFINITY,
            Self::LogLoss => 0.0..f64::INFINITY,
            Self::Cell(..) if normalise == Normalise::Count => 0.0..f64::INFINITY,
            _ => 0.0..1.0,
        }
    }
}
