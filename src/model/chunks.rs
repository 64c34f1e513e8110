//! A reference's rows in order of time, in parts as long as a window: what a column varies by itself is seen between them. Shorter
//! parts would show more than a window does, so a reference of fewer than ten windows shows nothing.

use std::ops::Range;

use polars::prelude::DataFrame;

use super::{Spec, millis};
use crate::drift::order::{Order, even};

/// Fewer parts say nothing of how much they vary, and a part of fewer rows says nothing of itself.
const FEWEST: usize = 10;
/// Rows of a part at least.
const ROWS: usize = 30;

/// Of a frame whose rows say when they were. `None` where all say the same time, or where they are too few.
pub fn in_order(frame: &DataFrame, spec: &Spec) -> Option<Order> {
    let times: Vec<i64> = frame.column("timestamp").ok()?.datetime().ok()?.physical().iter().flatten().collect();
    let (first, last) = (times.iter().min()?, times.iter().max()?);
    if times.len() != frame.height() || first == last {
        return None;
    }
    let mut places: Vec<usize> = (0..times.len()).collect();
    places.sort_by_key(|place| times.get(*place));
    let parts = match spec.window_rows {
        Some(rows) => even(times.len(), usize::try_from(rows).unwrap_or(usize::MAX)),
        None => by_time(&places, &times, millis(spec.window)),
    };
    (parts.len() >= FEWEST).then(|| Order::new(places, parts))
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

#[cfg(test)]
mod tests {
    use polars::prelude::{DataType, IntoColumn, NamedFrom, Series, TimeUnit};

    use super::*;

    fn frame(minutes: impl Iterator<Item = i64>) -> DataFrame {
        let times: Vec<i64> = minutes.map(|minute| minute * 60_000).collect();
        let (rows, values) = (times.len(), times.clone());
        let times = Series::new("timestamp".into(), times).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
        let values = Series::new("x".into(), values).into_column();
        DataFrame::new(rows, vec![times.expect("times").into_column(), values]).expect("a frame")
    }

    /// Each part's length, and its first value in minutes.
    fn parts(frame: &DataFrame, spec: &Spec) -> Option<Vec<(usize, i64)>> {
        let column = frame.column("x").expect("x").as_materialized_series();
        let first = |part: &Series| part.i64().expect("numbers").get(0).expect("a row") / 60_000;
        in_order(frame, spec).map(|order| order.parts(column).iter().map(|part| (part.len(), first(part))).collect())
    }

    #[test]
    fn a_part_is_as_long_as_a_window() {
        let hours: Vec<(usize, i64)> = (0..24).map(|hour| (60, hour * 60)).collect();
        assert_eq!(parts(&frame(0..1440), &Spec::new("m")).as_ref(), Some(&hours));
        assert_eq!(parts(&frame((0..1440).rev()), &Spec::new("m")), Some(hours), "rows that come backwards");
    }

    #[test]
    fn windows_of_rows_are_parts_of_as_many() {
        let mut spec = Spec::new("m");
        spec.window_rows = Some(250);
        let short = frame((0..3000).map(|row| row / 100));
        let found = parts(&short, &spec).expect("enough rows");
        assert_eq!((found.len(), found[1]), (12, (250, 2)));
        assert!(in_order(&short, &Spec::new("m")).is_none(), "half an hour says nothing of hours");
        assert!(in_order(&frame((0..200).map(|_| 7)), &spec).is_none(), "no order");
    }
}
