//! How well rows are made again from the principal components of the reference, as NannyML's `DataReconstructionDriftCalculator`
//! has it (0.13.1): where columns no longer go together as they did, the error changes.
//!
//! A number that is missing counts as the reference's mean, a category as its most frequent one; a category counts as its share of the
//! reference's rows, which is 0 for a new one. All is standardised by the reference. Components are kept until they explain more than
//! 65 % of its variance. The error of a row is the Euclidean distance to what its components make of it; of a chunk, the mean. Drift
//! is a chunk beyond three standard deviations around the mean of the reference's own chunks.
//!
//! NannyML takes a missing category that pandas holds as `None`, not as NaN, for a category of its own, and stops with an error at a
//! number without end.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Column;
use crate::drift::modes::nannyml;
use crate::stats::eigen::{Eigen, symmetric};
use crate::stats::moments::{Moments, sum};

/// The share of the variance that the components explain.
const EXPLAINED: f64 = 0.65;
/// How far from the mean of the reference's chunks is drift.
const DEVIATIONS: f64 = 3.0;

/// How a column's values become numbers.
#[derive(Debug, Clone, PartialEq)]
enum Encoding {
    /// What is missing is the mean.
    Number { mean: f64 },
    /// The share of each category, and that of the most frequent one for what is missing.
    Share { of: BTreeMap<String, f64>, missing: f64 },
}

/// A column of the reference.
#[derive(Debug, Clone, PartialEq)]
struct Fitted {
    encoding: Encoding,
    mean: f64,
    deviation: f64,
}

/// What the reference's rows are made of, and the errors of its own chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    columns: Vec<Fitted>,
    components: Vec<Vec<f64>>,
    /// The error of each of the reference's chunks.
    pub reference: Vec<f64>,
    /// A chunk at or below this is drift. `None` where that would be no more than 0.
    pub lower: Option<f64>,
    /// A chunk at or above this is drift.
    pub upper: f64,
}

impl Reconstruction {
    /// Of a reference, its rows in the order of time. `None` where the columns differ in their rows, there are fewer than ten rows, one
    /// has no value, or nothing varies.
    #[must_use]
    pub fn of(reference: &[Column]) -> Option<Self> {
        let rows = reference.first()?.rows();
        if reference.iter().any(|column| column.rows() != rows) {
            return None;
        }
        let columns: Vec<Fitted> = reference.iter().map(Fitted::of).collect::<Option<_>>()?;
        let standard = standardised(&columns, reference, 0..rows)?;
        let together = |a: &[f64], b: &[f64]| sum(a.iter().zip(b).map(|(a, b)| a * b)) / rows as f64;
        let mut matrix: Vec<Vec<f64>> = vec![vec![0.0; columns.len()]; columns.len()];
        for (i, a) in standard.iter().enumerate() {
            for (j, b) in standard.iter().enumerate().skip(i) {
                let value = together(a, b);
                for (row, column) in [(i, j), (j, i)] {
                    *matrix.get_mut(row)?.get_mut(column)? = value;
                }
            }
        }
        let components = explaining(symmetric(&matrix)?)?;
        let mut found = Self { columns, components, reference: Vec::new(), lower: None, upper: f64::INFINITY };
        let chunks = nannyml::chunks(rows).into_iter();
        found.reference = chunks.map(|chunk| found.error(reference, chunk)).collect::<Option<_>>()?;
        let Moments { count, mean, squares } = Moments::of(&found.reference)?;
        let deviation = (squares / count).sqrt();
        found.lower = Some(mean - DEVIATIONS * deviation).filter(|lower| *lower > 0.0);
        found.upper = mean + DEVIATIONS * deviation;
        Some(found)
    }

    /// How many components are kept.
    #[must_use]
    pub fn components(&self) -> usize {
        self.components.len()
    }

    /// The mean error of these rows. `None` where there are none, or the columns are not those of the reference.
    #[must_use]
    pub fn error(&self, columns: &[Column], rows: Range<usize>) -> Option<f64> {
        let standard = standardised(&self.columns, columns, rows.clone())?;
        let errors: Vec<f64> = (0..rows.len())
            .map(|row| {
                let values: Vec<f64> = standard.iter().filter_map(|column| column.get(row)).copied().collect();
                let mut made = vec![0.0; values.len()];
                for component in &self.components {
                    let score: f64 = component.iter().zip(&values).map(|(weight, value)| weight * value).sum();
                    made.iter_mut().zip(component).for_each(|(made, weight)| *made += score * weight);
                }
                values.iter().zip(&made).map(|(value, made)| (value - made).powi(2)).sum::<f64>().sqrt()
            })
            .collect();
        Moments::of(&errors).map(|moments| moments.mean).filter(|mean| mean.is_finite())
    }

    /// Whether an error is drift.
    #[must_use]
    pub fn is_drift(&self, error: f64) -> bool {
        error >= self.upper || self.lower.is_some_and(|lower| error <= lower)
    }
}

impl Fitted {
    fn of(column: &Column) -> Option<Self> {
        let encoding = match column {
            Column::Numbers(values) => {
                let present: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
                Encoding::Number { mean: Moments::of(&present)?.mean }
            }
            Column::Names(names) => {
                let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
                for name in names.iter().flatten() {
                    let count = counts.entry(name).or_default();
                    *count = count.saturating_add(1);
                }
                // Of those that are as frequent the first in order is the one.
                let frequent = counts.iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)))?;
                let frequent = *frequent.0;
                let missing = names.iter().filter(|name| name.is_none()).count() as u64;
                let all = names.len() as f64;
                let share = |(name, count): (&&str, &u64)| {
                    let filled = if *name == frequent { missing } else { 0 };
                    ((*name).to_owned(), count.saturating_add(filled) as f64 / all)
                };
                let of: BTreeMap<String, f64> = counts.iter().map(share).collect();
                let missing = of.get(frequent).copied()?;
                Encoding::Share { of, missing }
            }
        };
        let values = encoding.encoded(column, 0..column.rows())?;
        let Moments { count, mean, squares } = Moments::of(&values)?;
        let variance = squares / count;
        // What rounding alone can leave is no variance, as scikit-learn's StandardScaler has it.
        let rounding = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
        let deviation = if variance <= rounding { 1.0 } else { variance.sqrt() };
        (mean.is_finite() && deviation.is_finite()).then_some(Self { encoding, mean, deviation })
    }
}

impl Encoding {
    fn encoded(&self, column: &Column, rows: Range<usize>) -> Option<Vec<f64>> {
        match (self, column) {
            (Self::Number { mean }, Column::Numbers(values)) => {
                let number = |value: &Option<f64>| value.filter(|value| value.is_finite()).unwrap_or(*mean);
                Some(values.get(rows)?.iter().map(number).collect())
            }
            (Self::Share { of, missing }, Column::Names(names)) => {
                let share = |name: &Option<String>| match name {
                    Some(name) => of.get(name).copied().unwrap_or_default(),
                    None => *missing,
                };
                Some(names.get(rows)?.iter().map(share).collect())
            }
            _ => None,
        }
    }
}

/// These rows, column by column.
fn standardised(fitted: &[Fitted], columns: &[Column], rows: Range<usize>) -> Option<Vec<Vec<f64>>> {
    if fitted.len() != columns.len() {
        return None;
    }
    let one = |(fitted, column): (&Fitted, &Column)| {
        let mut values = fitted.encoding.encoded(column, rows.clone())?;
        for value in &mut values {
            *value = (*value - fitted.mean) / fitted.deviation;
        }
        Some(values)
    };
    fitted.iter().zip(columns).map(one).collect()
}

/// The first of them that explain more than their share of the variance together.
fn explaining(found: Vec<Eigen>) -> Option<Vec<Vec<f64>>> {
    let all: f64 = found.iter().map(|component| component.value).sum();
    let mut explained = 0.0;
    let mut kept = Vec::new();
    for component in found {
        explained += component.value / all;
        kept.push(component.vector);
        if explained > EXPLAINED {
            break;
        }
    }
    (all > 0.0).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rows: u32, of: impl Fn(f64) -> f64) -> Column {
        Column::Numbers((0..rows).map(|i| Some(of(f64::from(i)))).collect())
    }

    #[test]
    fn columns_that_no_longer_go_together_are_drift_though_each_is_as_before() {
        let reference = [numbers(1000, |i| i % 10.0), numbers(1000, |i| i % 10.0), numbers(1000, |i| i % 7.0)];
        let turned = [numbers(1000, |i| i % 10.0), numbers(1000, |i| 9.0 - i % 10.0), numbers(1000, |i| i % 7.0)];
        let fitted = Reconstruction::of(&reference).expect("defined");
        let error = |columns| fitted.error(columns, 0..1000).expect("defined");
        assert!(!fitted.is_drift(error(&reference)));
        assert!(fitted.is_drift(error(&turned)));
    }

    #[test]
    fn what_cannot_be_held_is_none() {
        let one = || numbers(20, |i| i);
        let names = || Column::Names(vec![Some("a".to_owned()); 20]);
        assert_eq!(Reconstruction::of(&[]), None);
        assert_eq!(Reconstruction::of(&[one(), numbers(19, |i| i)]), None, "rows differ");
        assert_eq!(Reconstruction::of(&[numbers(9, |i| i)]), None, "no chunks");
        assert_eq!(Reconstruction::of(&[numbers(20, |_| 3.0), names()]), None, "nothing varies");
        assert_eq!(Reconstruction::of(&[one(), Column::Names(vec![None; 20])]), None, "no value");
        let fitted = Reconstruction::of(&[one(), names()]).expect("defined");
        assert_eq!(fitted.error(&[one()], 0..20), None, "a column is gone");
        assert_eq!(fitted.error(&[names(), one()], 0..20), None, "a column is another");
        assert_eq!(fitted.error(&[one(), names()], 0..21), None, "no such rows");
        assert_eq!(fitted.error(&[one(), names()], 3..3), None, "no rows");
    }
}
