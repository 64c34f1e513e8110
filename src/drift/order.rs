//! Rows in order of time, and parts of them one after another: what a column varies by itself is seen between those.
//!
//! Parts are as long as a window. Shorter ones would show more than a window does, longer ones less, so a reference of fewer than ten
//! windows shows nothing.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use polars::prelude::{IdxCa, IdxSize, Series};
use serde::{Deserialize, Serialize};

/// Fewer parts say nothing of how much they vary, and a part of fewer rows says nothing of itself.
pub const FEWEST: usize = 10;
/// Rows of a part at least.
pub const ROWS: usize = 30;

/// How long a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// Milliseconds, from a whole number of them on.
    Time(i64),
    /// Rows, by the order of their times.
    Rows(u64),
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows} rows"),
            Self::Time(length) => {
                let whole = Duration::from_millis(u64::try_from(*length).unwrap_or_default());
                write!(f, "{}", humantime::format_duration(whole))
            }
        }
    }
}

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

    /// The places of the rows, part by part.
    #[must_use]
    pub fn places(&self) -> Vec<Vec<usize>> {
        let place = |at: usize| match &self.places {
            None => Some(at),
            Some(places) => places.get(at).and_then(|place| usize::try_from(place).ok()),
        };
        self.parts.iter().map(|part| part.clone().filter_map(place).collect()).collect()
    }

    /// Of rows that were at these times, in milliseconds, in parts of a window each. `None` where all say the same time, or where the
    /// parts are too few.
    #[must_use]
    pub fn in_windows(times: &[i64], window: Window) -> Option<Self> {
        if times.iter().min() == times.iter().max() {
            return None;
        }
        Some(Self::by_window(times, window)).filter(|order| order.parts.len() >= FEWEST)
    }

    /// The same in however many parts.
    #[must_use]
    pub fn by_window(times: &[i64], window: Window) -> Self {
        let mut places: Vec<usize> = (0..times.len()).collect();
        places.sort_by_key(|place| times.get(*place));
        let parts = match window {
            Window::Rows(rows) => even(times.len(), usize::try_from(rows).unwrap_or(usize::MAX)),
            Window::Time(length) => by_time(&places, times, length),
        };
        Self::new(places, parts)
    }

    /// The same without all but the last parts.
    #[must_use]
    pub fn last(mut self, parts: usize) -> Self {
        self.parts.drain(..self.parts.len().saturating_sub(parts));
        self
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

/// Runs of rows within one window's length, of those that have enough.
fn by_time(places: &[usize], times: &[i64], window: i64) -> Vec<Range<usize>> {
    let part = |place: &usize| times.get(*place).map(|time| time.div_euclid(window.max(1)));
    let mut begun = 0_usize;
    let ends = places.chunk_by(|one, other| part(one) == part(other)).map(|rows| {
        let from = begun;
        begun = from.saturating_add(rows.len());
        from..begun
    });
    ends.filter(|rows: &Range<usize>| rows.len() >= ROWS).collect()
}

/// Parts of a column's values.
#[must_use]
pub fn slices(series: &Series, parts: &[Range<usize>]) -> Vec<Series> {
    parts.iter().map(|rows| series.slice(i64::try_from(rows.start).unwrap_or(i64::MAX), rows.len())).collect()
}

/// Whether a reference's row is one to learn from, and not one to be held against what was learnt: every other of twenty parts, one after
/// another, is. A reference that is held against what was learnt from the very same rows is nearer to it than any other sample;
/// parts, so that rows that came together are on one side.
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
        let places = |order: &Order| order.places();
        assert_eq!(places(&Order::new(vec![1, 3, 0, 2, 4], even(5, 2))), [[1, 3], [0, 2]]);
        assert_eq!(places(&Order::new((0..5).collect(), even(5, 2))), [[0, 1], [2, 3]]);
        let learnt: Vec<usize> = (0..40).filter(|at| is_to_learn_from(*at, 40)).collect();
        assert_eq!((learnt.len(), &learnt[..5]), (20, &[0, 1, 4, 5, 8][..]));
        assert!(is_to_learn_from(0, 1) && !is_to_learn_from(0, 0));
        assert!(even(5, 0).is_empty() && even(5, 6).is_empty());
    }
}
