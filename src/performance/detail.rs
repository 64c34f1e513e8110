//! What stands behind a classifier's measures: class by class, which is taken for which, and what scores come true.

use serde::Serialize;

use super::calibration::Bin;
use super::figure::Figure;

/// A class's own figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OfClass {
    /// Its name.
    pub class: String,
    /// Rows of it.
    pub rows: u64,
    /// Rows that are predicted to be of it.
    pub predicted: u64,
    /// Share of those predicted that are.
    pub precision: Figure,
    /// Share of those that are that are predicted so.
    pub recall: Figure,
    /// The harmonic mean of both.
    pub f1: Figure,
    /// Against all others, where each class has a score.
    pub roc_auc: Figure,
}

/// Figures over the classes together.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shares {
    /// Share of those predicted that are.
    pub precision: Figure,
    /// Share of those that are that are predicted so.
    pub recall: Figure,
    /// The harmonic mean of both, class by class.
    pub f1: Figure,
}

/// What stands behind the measures.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Detail {
    /// The classes, the most frequent fifty of them, by name.
    pub classes: Vec<OfClass>,
    /// Rows by label, and by prediction within, in the order of `classes`.
    pub confusion: Vec<Vec<u64>>,
    /// Rows whose label or prediction is of another class.
    pub rows_of_others: u64,
    /// Each class counts alike; what is undefined of a class counts as 0.
    pub macro_average: Shares,
    /// Each class counts by its rows.
    pub weighted_average: Shares,
    /// Each row counts alike: of one class a row, all three are the accuracy.
    pub micro_average: Shares,
    /// Scores against what came true, in ten bins; of two classes alone.
    pub reliability: Vec<Bin>,
}
