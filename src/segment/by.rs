//! Any statistic by the values of a column, or by the bins of a number.

use serde::{Deserialize, Serialize};

use super::coded::Coded;
use super::tally::Tally;
use crate::stats::interval::Interval;

/// A statistic by the values of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct By<T> {
    /// The column.
    pub column: String,
    /// Of the values that have a row, in the column's order.
    pub parts: Vec<Part<T>>,
    /// Of the rows of all other values together, and how many those are.
    pub rest: Option<(u64, Part<T>)>,
    /// Rows without a value: in no part.
    pub rows_without_value: u64,
}

/// One value's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Part<T> {
    /// The value.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Of all rows.
    pub share: f64,
    /// What was asked for.
    pub statistic: T,
}

/// What `of` says of the rows of each value, which it is given the places of: of the `most` values with most rows, and of all others as
/// one.
pub fn by<T>(column: &Coded, most: usize, mut of: impl FnMut(&[usize]) -> T) -> By<T> {
    let column = column.largest(most);
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); column.names.len() + 1];
    for (at, code) in column.codes.iter().enumerate() {
        if let Some(places) = code.and_then(|code| places.get_mut(code as usize)) {
            places.push(at);
        }
    }
    let all = column.rows() as f64;
    let mut part = |name: &str, rows: &[usize]| Part {
        name: name.to_owned(),
        rows: rows.len() as u64,
        share: rows.len() as f64 / all,
        statistic: of(rows),
    };
    let rest = places.pop().filter(|rows| !rows.is_empty()).map(|rows| (column.rest, part("", &rows)));
    let named = column.names.iter().zip(&places).filter(|(_, rows)| !rows.is_empty());
    By {
        parts: named.map(|(name, rows)| part(name, rows)).collect(),
        rest,
        rows_without_value: column.codes.iter().filter(|code| code.is_none()).count() as u64,
        column: column.name,
    }
}

/// The mean of a value of the rows by a column: a loss, or a rate where each is 0 or 1. Wilson's interval of a rate, else Student's.
#[must_use]
pub fn mean_by(column: &Coded, most: usize, values: &[Option<f64>], alpha: f64) -> By<Option<Interval>> {
    let at = |at: &usize| values.get(*at).copied().flatten().filter(|value| value.is_finite());
    by(column, most, |rows| Tally::of(rows.iter().filter_map(at)).mean(alpha))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_is_of_the_rows_of_its_value() {
        let column = Coded::of_texts("x", [Some("b"), Some("a"), None, Some("b"), Some("c")]);
        let found = by(&column, 2, <[usize]>::to_vec);
        let parts: Vec<_> = found.parts.iter().map(|part| (part.name.as_str(), part.statistic.as_slice())).collect();
        assert_eq!(parts, [("a", [1].as_slice()), ("b", &[0, 3])]);
        let (values, rest) = found.rest.expect("one more");
        assert_eq!((values, rest.statistic, rest.rows, found.rows_without_value), (1, vec![4], 1, 1));
        assert!((found.parts[1].share - 0.4).abs() < 1e-15);
    }

    #[test]
    fn a_mean_leaves_out_what_is_missing() {
        let column = Coded::of_texts("x", ["a", "a", "a", "b"].map(Some));
        let found = mean_by(&column, 9, &[Some(0.0), Some(1.0), None, Some(f64::NAN)], 0.05);
        assert!(found.parts[0].statistic.is_some_and(|mean| (mean.value - 0.5).abs() < 1e-15));
        assert_eq!((found.parts[0].rows, found.parts[1].statistic, found.rest), (3, None, None));
    }
}
