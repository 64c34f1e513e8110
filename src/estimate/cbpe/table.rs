//! A confusion matrix, counted or expected, and what follows from it.

use serde::{Deserialize, Serialize};

/// What the cells of a confusion matrix are shares of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// Of nothing: they are numbers of rows.
    #[default]
    Count,
    /// Of all rows.
    All,
    /// Of the rows of the true class.
    True,
    /// Of the rows of the predicted class.
    Predicted,
}

/// Rows by true class (outer) and predicted class (inner); expected numbers have fractions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    cells: Vec<f64>,
    classes: usize,
}

/// One class against all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct One {
    /// Of the class and predicted so.
    pub(super) tp: f64,
    /// Predicted so alone.
    pub(super) fp: f64,
    /// Of the class alone.
    pub(super) missed: f64,
    /// Neither.
    pub(super) tn: f64,
}

impl Table {
    /// Without a row.
    pub(super) fn new(classes: usize) -> Self {
        Self { cells: vec![0.0; classes.saturating_mul(classes)], classes }
    }

    /// Adds rows to a cell; one that is not there takes none.
    pub(super) fn add(&mut self, class: usize, predicted: usize, rows: f64) {
        if let Some(cell) = self.row_mut(class).get_mut(predicted) {
            *cell += rows;
        }
    }

    fn row_mut(&mut self, class: usize) -> &mut [f64] {
        let from = class.saturating_mul(self.classes);
        self.cells.get_mut(from..from.saturating_add(self.classes)).unwrap_or_default()
    }

    /// A cell.
    pub(super) fn cell(&self, class: usize, predicted: usize) -> f64 {
        self.cells.get(class.saturating_mul(self.classes).saturating_add(predicted)).copied().unwrap_or(0.0)
    }

    fn places(&self) -> std::ops::Range<usize> {
        0..self.classes
    }

    /// Every pair of a true and a predicted class, in order.
    pub(super) fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..classes).flat_map(move |class| (0..classes).map(move |predicted| (class, predicted)))
    }

    /// All rows.
    pub(super) fn rows(&self) -> f64 {
        self.cells.iter().sum()
    }

    /// Rows of a class.
    pub(super) fn of_class(&self, class: usize) -> f64 {
        self.places().map(|predicted| self.cell(class, predicted)).sum()
    }

    /// Rows that are predicted to be of a class.
    pub(super) fn predicted(&self, predicted: usize) -> f64 {
        self.places().map(|class| self.cell(class, predicted)).sum()
    }

    /// A class against all others.
    pub(super) fn one(&self, class: usize) -> One {
        let tp = self.cell(class, class);
        let (fp, missed) = (self.predicted(class) - tp, self.of_class(class) - tp);
        One { tp, fp, missed, tn: self.rows() - tp - fp - missed }
    }

    /// Share of the rows whose prediction is right.
    pub(super) fn accuracy(&self) -> Option<f64> {
        ratio(self.places().map(|class| self.cell(class, class)).sum(), self.rows())
    }

    /// The mean over the classes, what is undefined counted as 0.
    pub(super) fn mean(&self, of: impl Fn(One) -> Option<f64>) -> f64 {
        self.places().map(|class| of(self.one(class)).unwrap_or(0.0)).sum::<f64>() / self.classes as f64
    }

    /// What a cell is a share of.
    pub(super) fn whole(&self, class: usize, predicted: usize, normalise: Normalise) -> f64 {
        match normalise {
            Normalise::Count => 1.0,
            Normalise::All => self.rows(),
            Normalise::True => self.of_class(class),
            Normalise::Predicted => self.predicted(predicted),
        }
    }

    /// A cell as it is asked for.
    pub(super) fn share(&self, class: usize, predicted: usize, normalise: Normalise) -> Option<f64> {
        ratio(self.cell(class, predicted), self.whole(class, predicted, normalise))
    }

    /// What all rows are worth, by what a row of each cell is.
    pub(super) fn worth(&self, value: &[Vec<f64>]) -> f64 {
        self.weighed(value, |_| 1.0)
    }

    /// The same with the rows of each predicted class counted as one row, as NannyML has it.
    pub(super) fn worth_per_prediction(&self, value: &[Vec<f64>]) -> f64 {
        self.weighed(value, |predicted| self.predicted(predicted))
    }

    fn weighed(&self, value: &[Vec<f64>], whole: impl Fn(usize) -> f64) -> f64 {
        let worth = |(class, predicted)| value_of(value, class, predicted);
        let one = |(class, predicted)| ratio(self.cell(class, predicted), whole(predicted)).unwrap_or(0.0);
        Self::pairs(self.classes).map(|pair| worth(pair) * one(pair)).sum()
    }
}

/// What a row of a cell is worth.
pub(super) fn value_of(value: &[Vec<f64>], class: usize, predicted: usize) -> f64 {
    value.get(class).and_then(|row| row.get(predicted)).copied().unwrap_or(0.0)
}

impl One {
    /// Harmonic mean of precision and recall.
    pub(super) fn f1(self) -> Option<f64> {
        ratio(self.tp, self.tp + 0.5 * (self.fp + self.missed))
    }

    /// Share of the predicted that are of the class.
    pub(super) fn precision(self) -> Option<f64> {
        ratio(self.tp, self.tp + self.fp)
    }

    /// Share of the class that is predicted so.
    pub(super) fn recall(self) -> Option<f64> {
        ratio(self.tp, self.tp + self.missed)
    }

    /// Share of the others that are not predicted so.
    pub(super) fn specificity(self) -> Option<f64> {
        ratio(self.tn, self.tn + self.fp)
    }
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    Some(part / whole).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_from_the_cells() {
        let mut table = Table::new(2);
        for ((class, predicted), rows) in Table::pairs(2).zip([50.0, 10.0, 5.0, 35.0]) {
            table.add(class, predicted, rows);
        }
        let one = table.one(1);
        assert_eq!(one, One { tp: 35.0, fp: 10.0, missed: 5.0, tn: 50.0 });
        assert_eq!((table.accuracy(), one.precision(), one.recall()), (Some(0.85), Some(35.0 / 45.0), Some(0.875)));
        assert_eq!((one.specificity(), one.f1()), (Some(50.0 / 60.0), Some(35.0 / 42.5)));
        let shares = [Normalise::Count, Normalise::All, Normalise::True, Normalise::Predicted];
        let shares = shares.map(|normalise| table.share(0, 1, normalise));
        assert_eq!(shares, [Some(10.0), Some(0.1), Some(10.0 / 60.0), Some(10.0 / 45.0)]);
        let value = [vec![1.0, -2.0], vec![-10.0, 4.0]];
        assert!((table.worth(&value) - 120.0).abs() < 1e-12);
        let expected = (50.0 - 50.0) / 55.0 + (140.0 - 20.0) / 45.0;
        assert!((table.worth_per_prediction(&value) - expected).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_rows_is_undefined() {
        let empty = Table::new(3);
        assert_eq!((empty.accuracy(), empty.one(0).precision(), empty.share(0, 0, Normalise::All)), (None, None, None));
        assert!(empty.mean(One::recall).abs() < 1e-12);
    }
}
