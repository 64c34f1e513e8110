//! Rows in order of time, and parts of them one after another: what a column varies by itself is seen between those.

use std::ops::Range;

use polars::prelude::{IdxCa, IdxSize, Series};

/// The rows' order, and the parts in it.
pub struct Order {
    /// Places of the rows, in order of time; none where they are in order already.
    places: Option<IdxCa>,
    parts: Vec<Range<usize>>,
}

impl Order {
    /// Of the places of all rows in order of time, and of parts in that order.
    #[must_use]
    pub fn new(places: Vec<usize>, parts: Vec<Range<usize>>) -> Self {
        let in_order = places.is_sorted();
        let as_places = places.into_iter().map(|place| IdxSize::try_from(place).unwrap_or(IdxSize::MAX));
        let places = (!in_order).then(|| IdxCa::from_vec("".into(), as_places.collect()));
        Self { places, parts }
    }

    /// The column's values, part by part.
    #[must_use]
    pub fn parts(&self, series: &Series) -> Vec<Series> {
        match &self.places {
            None => slices(series, &self.parts),
            Some(places) => series.take(places).map_or_else(|_| Vec::new(), |ordered| slices(&ordered, &self.parts)),
        }
    }
}

/// Parts of a column's values.
#[must_use]
pub fn slices(series: &Series, parts: &[Range<usize>]) -> Vec<Series> {
    parts.iter().map(|rows| series.slice(i64::try_from(rows.start).unwrap_or(i64::MAX), rows.len())).collect()
}

/// Whether a reference's row is one to learn from, and not one to be held against what was learnt: every other of twenty parts, one after
/// another, is. A reference that is held against what was learnt from the very same rows is nearer to it than any other sample; parts, so that
/// rows that came together are on one side.
#[must_use]
pub fn is_to_learn_from(at: usize, rows: usize) -> bool {
    const PARTS: usize = 20;
    at.saturating_mul(PARTS).checked_div(rows).is_some_and(|part| part.is_multiple_of(2))
}

/// So many rows in parts of so many each; what is left over is in none.
#[must_use]
pub fn even(rows: usize, part: usize) -> Vec<Range<usize>> {
    let parts = rows.checked_div(part).unwrap_or(0);
    (0..parts).map(|at| at.saturating_mul(part)..at.saturating_add(1).saturating_mul(part)).collect()
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;

    #[test]
    fn rows_are_put_in_order_and_parted() {
        let series = Series::new("x".into(), [30_i64, 10, 40, 20, 50]);
        let read = |order: &Order| -> Vec<Vec<i64>> {
            order.parts(&series).iter().map(|part| part.i64().expect("numbers").iter().flatten().collect()).collect()
        };
        assert_eq!(read(&Order::new(vec![1, 3, 0, 2, 4], even(5, 2))), [[10, 20], [30, 40]]);
        assert_eq!(read(&Order::new((0..5).collect(), even(5, 2))), [[30, 10], [40, 20]]);
        let learnt: Vec<usize> = (0..40).filter(|at| is_to_learn_from(*at, 40)).collect();
        assert_eq!((learnt.len(), &learnt[..5]), (20, &[0, 1, 4, 5, 8][..]));
        assert!(is_to_learn_from(0, 1) && !is_to_learn_from(0, 0));
        assert!(even(5, 0).is_empty() && even(5, 6).is_empty());
    }
}
