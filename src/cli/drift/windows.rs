//! The current rows window by window, where a column says when they were and an option how long a window is.

use jiff::Timestamp;
use polars::prelude::Series;

use super::super::times::{self, Length};
use super::{Error, tell};
use crate::dataset::Dataset;
use crate::drift::baseline::Baseline;
use crate::drift::modes::Mode;
use crate::drift::order::{Order, ROWS};
use crate::drift::over_time::Windowed;
use crate::drift::verdict::{Measured, Thresholds, judge};
use crate::drift::{Sample, Test};

/// Windows that are judged, the newest of them: more than these nobody reads.
const MOST: usize = 60;

/// The windows of the current rows.
pub(super) struct Windows {
    order: Order,
    /// Of each when it began and ended, and its rows.
    of: Vec<((Timestamp, Timestamp), u64)>,
    /// The tests that decide.
    tests: Vec<&'static Test>,
}

impl Windows {
    /// Of the column that is named. `None` where no window's length is, or where it cannot be known; that is said.
    pub(super) fn of(
        column: Option<&String>,
        current: &Dataset,
        length: &Length,
        thresholds: &Thresholds,
    ) -> Result<Option<Self>, Error> {
        let (Some(column), Some(window)) = (column, length.window()) else { return Ok(None) };
        let times = match current.field(column) {
            Some(_) => times::times(&current.column(column)?),
            None => Err("is no column of the current data"),
        };
        let times = match times {
            Ok(times) => times,
            Err(why) => {
                tell(&format!("warning: --timestamp {column}: {why}: its windows are not judged one by one"));
                return Ok(None);
            }
        };
        let all = Order::by_window(&times, window);
        let places = all.places();
        let left = times.len().saturating_sub(places.iter().map(Vec::len).sum());
        if left > 0 {
            tell(&format!(
                "warning: {left} of {} rows are in no window of {window} with {ROWS} rows or more: they are not in what is told over time",
                times.len()
            ));
        }
        let earlier = places.len().saturating_sub(MOST);
        if earlier > 0 {
            tell(&format!("warning: of {} windows of {window} the last {MOST} are judged one by one", places.len()));
        }
        let time = |ms: Option<&i64>| ms.and_then(|ms| Timestamp::from_millisecond(*ms).ok()).unwrap_or_default();
        let of = places.into_iter().skip(earlier).map(|places| {
            let within: Vec<i64> = places.iter().filter_map(|place| times.get(*place)).copied().collect();
            ((time(within.iter().min()), time(within.iter().max())), within.len() as u64)
        });
        Ok(Some(Self { of: of.collect(), order: all.last(MOST), tests: thresholds.with_deciding(Vec::new()) }))
    }

    /// A column in each of the windows.
    pub(super) fn measured(&self, name: &str, baseline: &Baseline, samples: &[Sample], mode: Mode) -> Vec<Measured> {
        samples.iter().map(|sample| Measured::new(name, baseline, sample, &self.tests, mode)).collect()
    }

    /// A column's values, window by window.
    pub(super) fn samples(&self, rows: &Series, sample: impl Fn(&Series) -> Sample) -> Vec<Sample> {
        self.order.parts(rows).iter().map(sample).collect()
    }

    /// Each window's verdict, of what was measured of each column in it.
    pub(super) fn judged(&self, columns: Vec<Vec<Measured>>, thresholds: &Thresholds) -> Vec<Windowed> {
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let window = |(span, rows): &((Timestamp, Timestamp), u64)| {
            let measured = columns.iter_mut().filter_map(Iterator::next).collect();
            Windowed::new(*span, *rows, &judge(measured, thresholds), thresholds.mode)
        };
        self.of.iter().map(window).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use clap::Parser;
    use serde_json::{Value, json};

    use crate::cli::{Cli, run};

    /// Rows of hours, 60 of each, in which `x` is moved and `c` is one of two.
    fn rows(hours: &[(u64, f64)]) -> String {
        let mut random = fastrand::Rng::with_seed(hours.len() as u64);
        hours.iter().fold("at,x,c\n".to_owned(), |mut text, (hour, by)| {
            for minute in 0..60 {
                let x = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0 + by;
                let _ =
                    writeln!(text, "{},{x:.4},{}", hour * 3_600_000 + minute * 60_000, ["a", "b"][random.usize(0..2)]);
            }
            text
        })
    }

    #[test]
    fn each_window_of_the_current_rows_is_judged_where_a_length_is_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (reference, current, profile, output) = (path("a.csv"), path("b.csv"), path("p"), path("out"));
        let calm: Vec<(u64, f64)> = (0..48).map(|hour| (hour, 0.0)).collect();
        std::fs::write(&reference, rows(&calm)).expect("written");
        // The newest first: the order of the file is not that of time.
        let moved: Vec<(u64, f64)> = (100..106).rev().map(|hour| (hour, if hour < 103 { 0.0 } else { 4.0 })).collect();
        std::fs::write(&current, rows(&moved)).expect("written");
        let done = |words: &[&str]| {
            let cli = Cli::try_parse_from(["plumbline"].iter().chain(words)).expect("words");
            run(cli).expect("done");
            std::fs::read_to_string(&output).unwrap_or_default()
        };
        let at = ["--timestamp", "at", "--exclude", "at"];
        done(&[&["profile", "build", &reference, "-o", &profile][..], &at, &["--window", "1h"]].concat());
        let compared = |reference: &str, format: &str, more: &[&str]| {
            let words = ["drift", "--reference", reference, "--current", &current, "--format", format, "-o", &output];
            done(&[&words, more].concat())
        };
        for of in [&reference, &profile] {
            let text = compared(of, "json", &[&at[..], &["--window", "1h"]].concat());
            let found: Value = serde_json::from_str(&text).expect("JSON");
            let of_each = |key: &str| -> Value {
                found["over_time"].as_array().into_iter().flatten().map(|window| window[key].clone()).collect()
            };
            assert_eq!(of_each("drift"), json!([false, false, false, true, true, true]), "{of}");
            assert_eq!(of_each("rows"), json!([60, 60, 60, 60, 60, 60]));
            assert_eq!(found["over_time"][5]["drifted"], json!(["x"]));
            assert_eq!(found["over_time"][0]["start"], "1970-01-05T04:00:00Z");
            assert_eq!(found["over_time"][0]["distances"].as_object().map(serde_json::Map::len), Some(2));
        }
        let in_rows: Value =
            serde_json::from_str(&compared(&reference, "json", &[&at[..], &["--window-rows", "120"]].concat()))
                .expect("JSON");
        assert_eq!(in_rows["over_time"].as_array().map(Vec::len), Some(3));
        let whole: Value = serde_json::from_str(&compared(&reference, "json", &at)).expect("JSON");
        assert_eq!(whole["over_time"], Value::Null, "no length, no windows");
        let hours = [&at[..], &["--window", "1h"]].concat();
        let page = compared(&reference, "html", &hours);
        assert!(page.contains("3 of 6 windows drift") && page.contains("<title>x: 3 of 6</title>"), "{page}");
        let table = compared(&reference, "table", &hours);
        assert!(table.contains("1970-01-05 09:00  1970-01-05 09:59  60    DRIFT  x"), "{table}");
        let markdown = compared(&reference, "markdown", &hours);
        assert!(markdown.contains("| 1970-01-05 09:00 | 1970-01-05 09:59 | 60 | DRIFT | x |"), "{markdown}");
        // Of very many windows the last are told of.
        std::fs::write(&current, rows(&(200..270).map(|hour| (hour, 0.0)).collect::<Vec<_>>())).expect("written");
        let many: Value = serde_json::from_str(&compared(&reference, "json", &hours)).expect("JSON");
        let windows = many["over_time"].as_array().expect("windows");
        assert_eq!((windows.len(), &windows[59]["start"]), (60, &json!("1970-01-12T05:00:00Z")));
    }
}
