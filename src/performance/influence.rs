//! What each row adds to the error of a figure: the sum of the squares over all rows is the figure's variance, and the sum of the squared
//! differences of two models' over the same rows is that of the difference of their figures.
//!
//! Of a mean these are the rows' deviations (the variance of a difference is then that of the paired t-test), of ROC-AUC DeLong's
//! components, of all else the derivatives by the weight of a row (the infinitesimal jackknife: Efron, "The jackknife, the bootstrap and
//! other resampling plans", 1982).

mod amounts;
mod classes;
mod ranks;

use super::classes::{Classes, Form, MISSING};
use super::{Coded, Columns, Performance, Task, Wanted, numbers, ranking};

/// Rows of one model, as their influences are asked for.
pub struct Influences {
    rows: usize,
    of: Of,
    /// NDCG of each group, at the place of its first row.
    groups: Vec<(usize, f64)>,
}

enum Of {
    Classes { coded: Box<Coded>, predicted: Vec<u32> },
    Amounts { pairs: Vec<Option<(f64, f64)>>, quantile: Option<f64> },
}

impl Influences {
    /// Reads the columns as they are measured ([`super::measure`]).
    #[must_use]
    pub fn of(columns: &Columns<'_>, wanted: &Wanted<'_>) -> Self {
        let of = match wanted.task {
            Task::Classification => {
                let coded = Box::new(Coded::of(columns, wanted));
                let predicted = coded.rows().predicted();
                Of::Classes { coded, predicted }
            }
            Task::Regression => {
                let prediction = columns.prediction.or(columns.score).map_or_else(Vec::new, numbers);
                let pairs = numbers(columns.label).into_iter().zip(prediction);
                Of::Amounts { pairs: pairs.map(|(l, p)| Some((l?, p?))).collect(), quantile: wanted.quantile }
            }
        };
        Self { rows: columns.label.len(), of, groups: groups(columns, wanted.top) }
    }

    /// Those of a measure, row by row, given what was measured of the same rows. `None` where it is not defined.
    #[must_use]
    pub fn measure(&self, name: &str, measured: &Performance) -> Option<Vec<f64>> {
        if name == "ndcg" {
            return mean(self.rows, self.groups.iter().copied());
        }
        match &self.of {
            Of::Classes { coded, predicted } => classes::influence(name, &coded.rows(), predicted),
            Of::Amounts { pairs, quantile } => amounts::influence(name, pairs, *quantile, measured),
        }
    }

    /// Of a classifier, whether each row counts for a share of rows that both models have alike: right ones of all (accuracy), of the positive
    /// ones (recall), of the negative ones (specificity). `None` of another measure, and of rows that do not belong to it.
    #[must_use]
    pub fn share(&self, name: &str) -> Option<Vec<Option<bool>>> {
        let Of::Classes { coded, predicted } = &self.of else { return None };
        classes::share(name, &coded.rows(), predicted)
    }

    /// The class of interest of a classifier with two.
    #[must_use]
    pub fn positive(&self) -> Option<&str> {
        let Of::Classes { coded, .. } = &self.of else { return None };
        let positive = coded.rows().positive()?;
        coded.classes.get(positive as usize).map(String::as_str)
    }

    /// What was predicted for each row, by the class's name. `None` of amounts.
    #[must_use]
    pub fn predicted(&self) -> Option<Vec<Option<&str>>> {
        let Of::Classes { coded, predicted } = &self.of else { return None };
        let name = |code: &u32| coded.classes.get(*code as usize).map(String::as_str);
        Some(predicted.iter().map(name).collect())
    }
}

fn groups(columns: &Columns<'_>, top: usize) -> Vec<(usize, f64)> {
    let (Some(group), Some(score)) = (columns.group, columns.score.or(columns.prediction)) else { return Vec::new() };
    let codes = Classes::default().read(group, Form::Own);
    let rows = codes.iter().zip(numbers(score)).zip(numbers(columns.label));
    let rows = rows.filter(|((group, _), _)| **group != MISSING);
    let found = ranking::by_group(rows.filter_map(|((group, score), gain)| Some((*group, score?, gain?))), top);
    // Codes are given in the order in which groups come first.
    let mut first: Vec<usize> = Vec::new();
    for (at, code) in codes.iter().enumerate() {
        if *code as usize == first.len() {
            first.push(at);
        }
    }
    found.into_iter().filter_map(|(code, value)| Some((*first.get(code as usize)?, value))).collect()
}

/// Of a mean of values at their places: deviations, over so much that their squares add up to the variance of the mean.
fn mean(rows: usize, values: impl Iterator<Item = (usize, f64)>) -> Option<Vec<f64>> {
    ratio(rows, values.map(|(at, value)| (at, value, 1.0)))
}

/// Of the sum of one number over that of another: place, number, and what it is of. A row that is of nothing has no part in it.
fn ratio(rows: usize, parts: impl Iterator<Item = (usize, f64, f64)>) -> Option<Vec<f64>> {
    let parts: Vec<(usize, f64, f64)> = parts.filter(|(.., of)| *of > 0.0).collect();
    let (sum, whole) = parts.iter().fold((0.0, 0.0), |(sum, whole), (_, part, of)| (sum + part, whole + of));
    let count = parts.len() as f64;
    if count < 2.0 {
        return None;
    }
    let (value, scale) = (sum / whole, (count / (count - 1.0)).sqrt() / whole);
    let mut influence = vec![0.0; rows];
    for (at, part, of) in parts {
        if let Some(place) = influence.get_mut(at) {
            *place = (part - value * of) * scale;
        }
    }
    Some(influence)
}

#[cfg(test)]
mod tests;
