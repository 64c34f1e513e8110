//! A reference's rows in order of time, in parts as long as the model's windows.

use polars::prelude::DataFrame;

use super::{Spec, millis};
use crate::drift::order::{Order, Window};

/// Of a frame whose rows say when they were. `None` where all say the same time, or where they are too few.
pub fn in_order(frame: &DataFrame, spec: &Spec) -> Option<Order> {
    let times: Vec<i64> = frame.column("timestamp").ok()?.datetime().ok()?.physical().iter().flatten().collect();
    let window = spec.window_rows.map_or_else(|| Window::Time(millis(spec.window)), Window::Rows);
    (times.len() == frame.height()).then(|| Order::in_windows(&times, window)).flatten()
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
