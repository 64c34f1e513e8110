//! The vectors in a column of lists, and why rows have none.

use std::collections::BTreeMap;

use polars::prelude::Series;
use polars_arrow::array::{Array, PrimitiveArray};
use serde::{Deserialize, Serialize};

/// Longer lists are no vectors.
pub const WIDEST: usize = 32_768;
/// Beyond this a number has no square.
const LARGEST: f64 = 1e100;
/// Lengths that are told apart, at most.
const LENGTHS: usize = 1000;

/// Rows without a vector, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Left {
    /// They have no list, or an empty one.
    pub empty: u64,
    /// Their list has another length.
    pub of_other_length: u64,
    /// A number in it is missing, or is none, or is beyond 1e100.
    pub not_finite: u64,
}

impl Left {
    /// All of them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.empty.saturating_add(self.of_other_length).saturating_add(self.not_finite)
    }
}

/// A row's list.
pub enum Row<'a> {
    /// None, or one of nothing.
    Empty,
    /// So many numbers, of which one at least is missing, none, or too large.
    NotFinite(usize),
    /// All of them are numbers.
    Vector(&'a [f64]),
}

/// Every row's list, one after another. Nothing of a column that is none of lists of numbers.
pub fn each(column: &Series, mut take: impl FnMut(Row<'_>)) {
    let Ok(lists) = column.list() else {
        (0..column.len()).for_each(|_| take(Row::Empty));
        return;
    };
    for array in lists.downcast_iter() {
        let values = array.values().as_any().downcast_ref::<PrimitiveArray<f64>>();
        for (at, [from, to]) in
            array.offsets().buffer().windows(2).filter_map(|ends| <[i64; 2]>::try_from(ends).ok()).enumerate()
        {
            let (from, to) = (usize::try_from(from).unwrap_or_default(), usize::try_from(to).unwrap_or_default());
            let list = values.filter(|_| !array.is_null(at)).and_then(|all| Some((all, all.values().get(from..to)?)));
            match list.filter(|(_, list)| !list.is_empty()) {
                None => take(Row::Empty),
                Some((all, list)) => {
                    let is_known = all.validity().is_none_or(|known| (from..to).all(|place| known.get_bit(place)));
                    let is_vector = is_known && list.iter().all(|value| value.abs() <= LARGEST);
                    take(if is_vector { Row::Vector(list) } else { Row::NotFinite(list.len()) });
                }
            }
        }
    }
}

/// How many rows have lists of which length.
#[derive(Debug, Clone, Default)]
pub struct Lengths {
    rows: BTreeMap<usize, u64>,
    others: u64,
}

impl Lengths {
    /// One more.
    pub fn add(&mut self, length: usize) {
        if self.rows.len() < LENGTHS || self.rows.contains_key(&length) {
            let rows = self.rows.entry(length).or_default();
            *rows = rows.saturating_add(1);
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    /// The length of most lists, where more than half of them have it.
    ///
    /// # Errors
    /// Says for people what they are instead. `None` where there are no lists.
    pub fn width(&self) -> Result<Option<usize>, String> {
        let all = self.rows.values().fold(self.others, |sum, rows| sum.saturating_add(*rows));
        let Some((width, rows)) = self.rows.iter().max_by_key(|(_, rows)| **rows) else { return Ok(None) };
        let (least, most) = (self.rows.keys().next().unwrap_or(width), self.rows.keys().next_back().unwrap_or(width));
        if rows.saturating_mul(2) <= all {
            return Err(format!("lists of {least} to {most} numbers, no vectors of one length, are not compared"));
        }
        if *width > WIDEST {
            return Err(format!("lists of {width} numbers are not compared; vectors have {WIDEST} at most"));
        }
        Ok(Some(*width))
    }
}
