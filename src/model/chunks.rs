//! A reference's rows in order of time, in parts as long as a window: what a column varies by itself is seen between them. Shorter
//! parts would show more than a window does, so a reference of fewer than ten windows shows nothing.

use std::ops::Range;

use polars::prelude::{DataFrame, IdxCa, IdxSize, Series};

use super::{Spec, millis};

/// Fewer parts say nothing of how much they vary, and a part of fewer rows says nothing of itself.
const FEWEST: usize = 10;
/// Rows of a part at least.
const ROWS: usize = 30;

/// The rows' order, and the parts in it.
pub struct Chunks {
    /// Places of the rows, in order of time; none where they are in order already.
    places: Option<IdxCa>,
    /// The parts, of rows in order.
    pub ranges: Vec<Range<usize>>,
}

impl Chunks {
    /// The column's values in order of time.
    pub fn order(&self, series: &Series) -> Option<Series> {
        match &self.places {
            None => Some(series.clone()),
            Some(places) => series.take(places).ok(),
        }
    }
}

/// Of a frame whose rows say when they were. `None` where all say the same time, or where they are too few.
pub fn in_order(frame: &DataFrame, spec: &Spec) -> Option<Chunks> {
    let times: Vec<i64> = frame.column("timestamp").ok()?.datetime().ok()?.physical().iter().flatten().collect();
    let (first, last) = (times.iter().min()?, times.iter().max()?);
    if times.len() != frame.height() || first == last {
        return None;
    }
    let mut places: Vec<usize> = (0..times.len()).collect();
    let in_order = times.is_sorted();
    if !in_order {
        places.sort_by_key(|place| times.get(*place));
    }
    let ranges = match spec.window_rows {
        Some(rows) => by_rows(times.len(), usize::try_from(rows).unwrap_or(usize::MAX)),
        None => by_time(&places, &times, millis(spec.window)),
    };
    let as_places = || places.iter().map(|place| IdxSize::try_from(*place).unwrap_or(IdxSize::MAX)).collect();
    let places = if in_order { None } else { Some(IdxCa::from_vec("".into(), as_places())) };
    (ranges.len() >= FEWEST).then_some(Chunks { places, ranges })
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

fn by_rows(rows: usize, part: usize) -> Vec<Range<usize>> {
    let parts = rows.checked_div(part).unwrap_or(0);
    (0..parts).map(|at| at.saturating_mul(part)..at.saturating_add(1).saturating_mul(part)).collect()
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataType, IntoColumn, NamedFrom, TimeUnit};

    use super::*;

    fn frame(minutes: impl Iterator<Item = i64>) -> DataFrame {
        let times: Vec<i64> = minutes.map(|minute| minute * 60_000).collect();
        let (rows, values) = (times.len(), times.clone());
        let times = Series::new("timestamp".into(), times).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
        let values = Series::new("x".into(), values).into_column();
        DataFrame::new(rows, vec![times.expect("times").into_column(), values]).expect("a frame")
    }

    #[test]
    fn a_part_is_as_long_as_a_window() {
        let chunks = in_order(&frame(0..1440), &Spec::new("m")).expect("a day of hours");
        assert_eq!((chunks.ranges.len(), chunks.ranges[1].clone()), (24, 60..120));
        // Rows that come backwards are put in order.
        let backwards = frame((0..1440).rev());
        let chunks = in_order(&backwards, &Spec::new("m")).expect("a day of hours");
        let column = backwards.column("x").expect("x").as_materialized_series();
        let ordered = chunks.order(column).expect("in order");
        assert_eq!((chunks.ranges.len(), ordered.i64().expect("numbers").get(0)), (24, Some(0)));
    }

    #[test]
    fn windows_of_rows_are_parts_of_as_many() {
        let mut spec = Spec::new("m");
        spec.window_rows = Some(250);
        let short = frame((0..3000).map(|row| row / 100));
        let chunks = in_order(&short, &spec).expect("enough rows");
        assert_eq!((chunks.ranges.len(), chunks.ranges[1].clone()), (12, 250..500));
        assert!(in_order(&short, &Spec::new("m")).is_none(), "half an hour says nothing of hours");
        assert!(in_order(&frame((0..200).map(|_| 7)), &spec).is_none(), "no order");
    }
}
