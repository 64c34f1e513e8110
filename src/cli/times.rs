//! When rows were, by a column that tells it; and how long the windows are that they are parted in.

use std::time::Duration;

use polars::prelude::{ChunkAgg, DataType, Int64Chunked, Series};

use crate::drift::derived::dates::{self, parsed};
use crate::drift::order::{FEWEST, ROWS, Window};
use crate::drift::{Kind, Sample};

/// How long the windows are that the rows are parted in.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Length {
    /// How long the windows are that rows are judged in, such as 1h: between as long parts of the reference it is seen how much each
    /// column varies by itself, and `drift` tells of each window of the current data. With --timestamp.
    #[arg(long, value_name = "DURATION", value_parser = window, conflicts_with = "window_rows")]
    window: Option<Duration>,
    /// The same for windows of so many rows.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    window_rows: Option<u64>,
}

fn window(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if parsed < Duration::from_secs(1) { Err("is too short; windows are 1s at least".to_owned()) } else { Ok(parsed) }
}

impl From<Window> for Length {
    fn from(window: Window) -> Self {
        match window {
            Window::Rows(rows) => Self { window: None, window_rows: Some(rows) },
            Window::Time(ms) => Self { window: u64::try_from(ms).ok().map(Duration::from_millis), window_rows: None },
        }
    }
}

impl Length {
    /// None was given.
    pub fn is_none(&self) -> bool {
        self.window.is_none() && self.window_rows.is_none()
    }

    /// As it was given.
    pub fn window(&self) -> Option<Window> {
        let time = |window: Duration| Window::Time(i64::try_from(window.as_millis()).unwrap_or(i64::MAX));
        self.window_rows.map(Window::Rows).or(self.window.map(time))
    }

    /// As it was given, or `otherwise`.
    pub fn or(&self, otherwise: Window) -> Window {
        self.window().unwrap_or(otherwise)
    }
}

/// Why it is not known how much columns vary by themselves.
pub fn too_few_windows(window: Window) -> String {
    format!("the reference has fewer than {FEWEST} windows of {window} with {ROWS} rows each")
}

/// The same as a warning.
pub fn unknown_variation(column: &str, why: &str) -> String {
    format!(
        "warning: --timestamp {column}: {why}: how much columns vary by themselves is not known; --window sets another length"
    )
}

/// When each row was, in milliseconds since the epoch: an instant, RFC 3339 (or a date, or a date and a time, in UTC), or a number of
/// milliseconds.
///
/// # Errors
/// Some row does not say.
pub fn times(series: &Series) -> Result<Vec<i64>, &'static str> {
    const NONE: &str = "has rows without a value";
    const NO_TIME: &str =
        "is no time in all rows; write RFC 3339 (2026-01-31T12:00:00Z), 2026-01-31, or milliseconds since the epoch";
    match series.dtype() {
        DataType::String => {
            let texts = series.str().map_err(|_| NO_TIME)?;
            if texts.null_count() > 0 {
                return Err(NONE);
            }
            texts.iter().flatten().map(|text| parsed(text.trim())).collect::<Option<_>>().ok_or(NO_TIME)
        }
        DataType::Datetime(..) => {
            let times = series.datetime().map_err(|_| NO_TIME)?;
            times.physical().iter().collect::<Option<_>>().ok_or(NONE)
        }
        _ => {
            let of = Sample::of(series, Kind::Numeric).ok_or(NO_TIME)?;
            if of.missing() > 0 {
                return Err(NONE);
            }
            // Fractions of a millisecond are cut off; what is more than a whole number holds is none.
            let whole = series.cast(&DataType::Int64).map_err(|_| NO_TIME)?;
            let whole = whole.i64().map_err(|_| NO_TIME)?;
            whole.iter().collect::<Option<_>>().ok_or(NO_TIME)
        }
    }
}

/// The same of the rows that have a value: dates, or numbers of milliseconds. `None` where some value says no time, and without any.
pub fn instants(series: &Series) -> Option<Int64Chunked> {
    if !series.dtype().is_primitive_numeric() {
        return dates::instants(series);
    }
    let whole = series.cast(&DataType::Int64).ok()?;
    let whole = whole.i64().ok()?;
    (whole.null_count() == series.null_count() && whole.null_count() < whole.len()).then(|| whole.clone())
}

/// What is said of numbers that are seconds, as far as one can see: none lies after 1973 as milliseconds, and all after it as seconds.
pub fn as_seconds(column: &str, instants: &Int64Chunked) -> Option<String> {
    const IN_1973: i64 = 100_000_000;
    let between = |(least, most): (i64, i64)| least >= IN_1973 && most < IN_1973.saturating_mul(1000);
    instants.min().zip(instants.max()).is_some_and(between).then(|| {
        format!("warning: --timestamp {column}: its numbers are taken for milliseconds since the epoch, and look like seconds")
    })
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, NewChunkedArray, TimeUnit};

    use super::*;

    #[test]
    fn a_time_is_written_in_many_ways() {
        let of = |texts: &[&str]| times(&Series::new("at".into(), texts));
        let day = 86_400_000;
        assert_eq!(of(&["1970-01-02", "1970-01-02 00:00:01", "1970-01-02T00:00:00Z"]), Ok(vec![day, day + 1000, day]));
        assert_eq!(of(&["1970-01-02T01:00:00+01:00"]), Ok(vec![day]));
        assert!(of(&["1970-01-02", "yesterday"]).is_err_and(|why| why.contains("RFC 3339")));
        assert_eq!(times(&Series::new("at".into(), [1.9, -0.5])), Ok(vec![1, 0]));
        assert_eq!(times(&Series::new("at".into(), [7_i64])), Ok(vec![7]));
        assert!(times(&Series::new("at".into(), [Some(1.0), None])).is_err_and(|why| why.contains("without a value")));
        assert!(times(&Series::new("at".into(), [f64::INFINITY])).is_err());
        let instants = Series::new("at".into(), [5_i64]).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
        assert_eq!(times(&instants.expect("instants")), Ok(vec![5]));
    }

    #[test]
    fn numbers_are_instants_where_they_have_a_value() {
        let of = |values: &[Option<f64>]| {
            instants(&Series::new("at".into(), values)).map(|found| found.iter().collect::<Vec<_>>())
        };
        assert_eq!(of(&[Some(86_400_000.0), None, Some(0.5)]), Some(vec![Some(86_400_000), None, Some(0)]));
        assert_eq!((of(&[None]), of(&[Some(f64::INFINITY)])), (None, None));
        assert!(
            instants(&Series::new("at".into(), ["1970-01-02"])).is_some_and(|found| found.get(0) == Some(86_400_000))
        );
        assert!(instants(&Series::new("at".into(), [true])).is_none());
        let seconds = |values: &[i64]| as_seconds("at", &Int64Chunked::from_slice("at".into(), values)).is_some();
        assert!(seconds(&[1_700_000_000, 1_800_000_000]));
        assert!(!seconds(&[1_700_000_000_000]) && !seconds(&[0, 1_700_000_000]) && !seconds(&[]));
    }

    #[test]
    fn a_window_is_shown_as_it_is_written() {
        let length = |text: &str| Length { window: Some(window(text).expect("a duration")), window_rows: None };
        assert_eq!(length("90m").or(Window::Rows(1)).to_string(), "1h 30m");
        assert_eq!(Length::default().or(Window::Rows(250)).to_string(), "250 rows");
        assert!(window("10ms").is_err() && window("soon").is_err() && Length::default().is_none());
    }
}
