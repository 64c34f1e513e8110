//! The rows of both sides as numbers: standardised over both, what is missing at the mean, and each of the most frequent categories a
//! number of 0 or 1, the missing ones too.

use std::collections::BTreeMap;

use super::Column;
use crate::drift::MISSING;
use crate::stats::moments::Moments;

/// With fewer rows on a side nothing is said.
const LEAST: usize = 10;
/// Categories of a column that are terms.
const CATEGORIES: usize = 10;

/// What the model weighs.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Of which columns it is the product, by their places; or of one.
    pub columns: Vec<usize>,
    /// Which category of it, if it is one of categories.
    pub category: Option<String>,
    /// How much a standard deviation of it adds to the logit of being current.
    pub weight: f64,
}

/// A term and its values.
pub struct Feature {
    /// What it is.
    pub term: Term,
    /// Of the reference's rows, then of the current ones.
    pub values: Vec<f64>,
}

/// What there is of both sides.
pub struct Features {
    /// One after another, in the order of the columns.
    pub list: Vec<Feature>,
    /// How many rows are the reference's, and how many current.
    pub counts: [usize; 2],
}

/// Of both sides, with so many rows of each at most, spread evenly. `None` where the sides' columns differ, there are too few rows, or
/// nothing varies.
pub fn features(reference: &[Column], current: &[Column], most: usize) -> Option<Features> {
    let places = [spread(reference, most)?, spread(current, most)?];
    if reference.len() != current.len() {
        return None;
    }
    let mut list = Vec::new();
    for (at, pair) in reference.iter().zip(current).enumerate() {
        match pair {
            (Column::Numbers(a), Column::Numbers(b)) => list.extend(numbers(at, [a, b], &places)),
            (Column::Names(a), Column::Names(b)) => list.extend(categories(at, [a, b], &places)),
            _ => return None,
        }
    }
    (!list.is_empty()).then(|| Features { list, counts: places.map(|places| places.len()) })
}

/// Which rows are looked at.
fn spread(columns: &[Column], most: usize) -> Option<Vec<usize>> {
    let rows = columns.first()?.rows();
    let taken = rows.min(most);
    if taken < LEAST || columns.iter().any(|column| column.rows() != rows) {
        return None;
    }
    Some((0..taken).filter_map(|i| i.saturating_mul(rows).checked_div(taken)).collect())
}

/// Standardised over both sides; `None` where all are one.
pub fn feature(term: Term, mut values: Vec<f64>) -> Option<Feature> {
    let Moments { count, mean, squares } = Moments::of(&values)?;
    let deviation = (squares / count).sqrt();
    for value in &mut values {
        *value = (*value - mean) / deviation;
    }
    values.iter().all(|value| value.is_finite()).then_some(Feature { term, values })
}

fn numbers(column: usize, sides: [&Vec<Option<f64>>; 2], places: &[Vec<usize>; 2]) -> Option<Feature> {
    let taken = |(side, places): (&&Vec<Option<f64>>, &Vec<usize>)| -> Vec<Option<f64>> {
        places.iter().map(|at| side.get(*at).copied().flatten().filter(|value| value.is_finite())).collect()
    };
    let values: Vec<Option<f64>> = sides.iter().zip(places).flat_map(taken).collect();
    let present: Vec<f64> = values.iter().flatten().copied().collect();
    let mean = Moments::of(&present)?.mean;
    let term = Term { columns: vec![column], category: None, weight: 0.0 };
    feature(term, values.into_iter().map(|value| value.unwrap_or(mean)).collect())
}

fn categories(column: usize, sides: [&Vec<Option<String>>; 2], places: &[Vec<usize>; 2]) -> Vec<Feature> {
    let taken = |(side, places): (&&Vec<Option<String>>, &Vec<usize>)| -> Vec<Option<String>> {
        places.iter().map(|at| side.get(*at).cloned().flatten()).collect()
    };
    let values: Vec<Option<String>> = sides.iter().zip(places).flat_map(taken).collect();
    let mut counts: BTreeMap<&Option<String>, u64> = BTreeMap::new();
    for value in &values {
        let count = counts.entry(value).or_default();
        *count = count.saturating_add(1);
    }
    let mut frequent: Vec<(&Option<String>, u64)> = counts.into_iter().collect();
    frequent.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let one = |(category, _): (&Option<String>, u64)| {
        let name = category.clone().unwrap_or_else(|| MISSING.to_owned());
        let term = Term { columns: vec![column], category: Some(name), weight: 0.0 };
        feature(term, values.iter().map(|value| f64::from(u8::from(value == category))).collect())
    };
    frequent.into_iter().take(CATEGORIES).filter_map(one).collect()
}
