//! The history, read back a file at a time, in order of time. Needs no lock: files are whole or absent.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use jiff::Timestamp;
use polars::prelude::{DataFrame, ParquetReader, PolarsResult, Schema, SerReader, SortMultipleOptions};

use super::Error;
use super::files::{Stored, files_below};
use super::history::{hour_file, hour_of, table_folder};
use crate::frame::Row;
use crate::frame::guard::{guarded, place};

/// Rows read at once: a thousand containers make 60,000 in an hour, and a small file may unfold to far more.
const AT_ONCE: usize = 500_000;

/// What was read, and what could not be.
#[derive(Debug, Default, PartialEq)]
pub struct Past {
    /// Files that were read.
    pub files: u64,
    /// Files that could not be read, and why.
    pub left_out: Vec<String>,
}

/// Gives each hour's rows of a table to `take`, node by node, oldest first, with these columns of it; columns that an older version did not
/// write are absent. A file that cannot be read is left out, and named.
///
/// # Errors
/// The folder cannot be read.
pub fn read<R: Row>(
    data: &Path,
    columns: &[impl AsRef<str>],
    since: Timestamp,
    until: Timestamp,
    take: impl FnMut(&DataFrame) -> PolarsResult<()>,
) -> Result<Past, Error> {
    read_while::<R>(data, columns, since..until, &|| true, take)
}

/// The same for as long as it is to go on, which is asked before each file.
///
/// # Errors
/// The folder cannot be read.
pub fn read_while<R: Row>(
    data: &Path,
    columns: &[impl AsRef<str>],
    time: Range<Timestamp>,
    goes_on: &dyn Fn() -> bool,
    mut take: impl FnMut(&DataFrame) -> PolarsResult<()>,
) -> Result<Past, Error> {
    let folder = table_folder::<R>(data);
    super::layout::check(data)?;
    let ours = R::frame(&[]).map_err(|error| Error::Record(error.to_string()))?;
    let (first, last) = (hour_file(time.start), hour_file(time.end));
    let mut past = Past::default();
    for Stored { path, .. } in files_below(&folder, &["parquet"])? {
        if hour_of(&path).is_none_or(|hour| *hour < *first || *hour > *last) {
            continue;
        }
        if !goes_on() {
            break;
        }
        match rows(&path, columns, ours.schema(), &mut take) {
            Ok(()) => past.files = past.files.saturating_add(1),
            // Retention may have taken it meanwhile.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => past.left_out.push(error.to_string()),
        }
    }
    Ok(past)
}

/// Gives a file's rows to `take`, a bounded number at a time.
fn rows(
    path: &Path,
    columns: &[impl AsRef<str>],
    ours: &Schema,
    take: &mut impl FnMut(&DataFrame) -> PolarsResult<()>,
) -> Result<(), Error> {
    let parquet = |source| Error::Parquet { path: path.to_owned(), source };
    // What others may have written is decoded under guard; what is made of it is ours, and is not.
    let broken = || Error::Record(format!("{}: the file is broken{}", path.display(), place()));
    let mut from = 0;
    loop {
        let file = File::open(path).map_err(Error::io(path))?;
        let frame = guarded(|| projected(file, columns, from)).ok_or_else(broken)?.map_err(parquet)?;
        check_types(path, &frame, ours)?;
        let rows = frame.height();
        if rows > 0 {
            take(&frame).map_err(parquet)?;
        }
        if rows < AT_ONCE {
            return Ok(());
        }
        from = rows.saturating_add(from);
    }
}

/// Of what the file has, each column must be of the type that is written today; of times any unit will do.
fn check_types(path: &Path, frame: &DataFrame, ours: &Schema) -> Result<(), Error> {
    for column in frame.columns() {
        let (Some(expected), found) = (ours.get(column.name()), column.dtype()) else { continue };
        if expected != found && !(expected.is_datetime() && found.is_datetime()) {
            let (path, column) = (path.to_owned(), column.name().to_string());
            return Err(Error::OtherType { path, column, expected: expected.to_string(), found: found.to_string() });
        }
    }
    Ok(())
}

fn projected(file: File, columns: &[impl AsRef<str>], from: usize) -> PolarsResult<DataFrame> {
    let mut reader = ParquetReader::new(file);
    let there = reader.schema()?;
    let columns = columns.iter().map(AsRef::as_ref).filter(|column| there.contains(column));
    let wanted = columns.map(str::to_owned).collect();
    // In order of time, whoever wrote it.
    reader
        .with_columns(Some(wanted))
        .with_slice(Some((from, AT_ONCE)))
        .finish()?
        .sort(["minute"], SortMultipleOptions::default().with_maintain_order(true))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, DataType, IntoColumn, NamedFrom, ParquetWriter, Series, TimeUnit, TimeZone};

    use super::*;
    use crate::frame::MinuteRow;

    #[test]
    fn an_hour_of_more_than_a_million_rows_is_read_to_its_end() {
        let data = tempfile::tempdir().expect("a folder");
        let folder = table_folder::<MinuteRow>(data.path()).join("node=n/date=2026-11-23/hour=13");
        std::fs::create_dir_all(&folder).expect("made");
        let rows: usize = 1_200_001;
        let begin = "2026-11-23T13:00:00Z".parse::<Timestamp>().expect("a time").as_millisecond();
        let minutes: Vec<i64> = (0_i64..).take(rows).map(|row| begin + (row / 20_001) * 60_000).collect();
        let minutes = polars::prelude::Int64Chunked::new("minute".into(), minutes);
        let minute: Column = minutes.into_datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)).into_column();
        let used = Series::new("cpu_usage_mean".into(), vec![0.5; rows]).into_column();
        let mut frame = DataFrame::new(rows, vec![minute, used]).expect("a frame");
        let file = File::create(folder.join("minutes.parquet")).expect("a file");
        ParquetWriter::new(file).finish(&mut frame).expect("written");
        let (mut found, mut largest) = (0, 0);
        let until = "2026-11-24T00:00:00Z".parse().expect("a time");
        let since = "2026-11-23T00:00:00Z".parse().expect("a time");
        let past = read::<MinuteRow>(data.path(), &["minute", "cpu_usage_mean"], since, until, |frame| {
            found += frame.height();
            largest = largest.max(frame.height());
            Ok(())
        });
        assert_eq!(past.expect("read"), Past { files: 1, left_out: Vec::new() });
        assert_eq!(found, rows);
        assert!(largest <= AT_ONCE);
    }

    /// An hour's file with these minutes of it and one column more.
    fn fill(data: &Path, hour: &str, minutes: &[i64]) -> std::path::PathBuf {
        let begin: Timestamp = hour.parse().expect("a time");
        let path = table_folder::<MinuteRow>(data).join("node=n").join(hour_file(begin));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let times: Vec<i64> = minutes.iter().map(|minute| begin.as_millisecond() + minute * 60_000).collect();
        let times = polars::prelude::Int64Chunked::new("minute".into(), times);
        let times: Column = times.into_datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)).into_column();
        let counts: Vec<u64> = minutes.iter().map(|minute| minute.unsigned_abs()).collect();
        let count = Series::new("samples".into(), counts).into_column();
        let mut frame = DataFrame::new(minutes.len(), vec![times, count]).expect("a frame");
        ParquetWriter::new(File::create(&path).expect("a file")).finish(&mut frame).expect("written");
        path
    }

    /// What was read of 13:30 to 15:30, and the counts in their order.
    fn half_past_one_to_half_past_three(data: &Path) -> (Result<Past, Error>, Vec<u64>) {
        let at = |time: &str| format!("2026-11-23T{time}:00Z").parse().expect("a time");
        let mut found = Vec::new();
        let past = read::<MinuteRow>(data, &["minute", "samples", "model"], at("13:30"), at("15:30"), |frame| {
            assert!(frame.height() > 0 && frame.width() == 2, "{frame}");
            found.extend(frame.column("samples")?.u64()?.iter().flatten());
            Ok(())
        });
        (past, found)
    }

    #[test]
    fn the_hours_of_the_time_are_read_in_order_and_no_others() {
        let data = tempfile::tempdir().expect("a folder");
        for (hour, minutes) in [("12", &[1][..]), ("13", &[3, 2]), ("14", &[]), ("15", &[5]), ("16", &[6])] {
            fill(data.path(), &format!("2026-11-23T{hour}:00:00Z"), minutes);
        }
        let (past, found) = half_past_one_to_half_past_three(data.path());
        assert_eq!((past.expect("read"), found), (Past { files: 3, left_out: vec![] }, vec![2, 3, 5]));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_passed_over_and_told_unless_it_went_meanwhile() {
        let data = tempfile::tempdir().expect("a folder");
        let [broken, gone, _] =
            ["13", "14", "15"].map(|hour| fill(data.path(), &format!("2026-11-23T{hour}:00:00Z"), &[1]));
        std::fs::write(&broken, "no parquet").expect("written");
        // The first that is read takes the next away, as retention may.
        let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let whole = fill(data.path(), "2026-11-23T12:00:00Z", &[1]);
        let past = read::<MinuteRow>(data.path(), &["minute"], since, until, |_| {
            let _ = std::fs::remove_file(&gone);
            Ok(())
        });
        let past = past.expect("read");
        assert_eq!((past.files, past.left_out.len()), (2, 1), "{past:?}");
        assert!(past.left_out[0].contains("hour=13"), "{past:?}");
        // Nor can a link to itself be read.
        std::fs::remove_file(&broken).expect("removed");
        let past = read::<MinuteRow>(data.path(), &["minute"], since, until, |_| {
            let _ = std::fs::remove_file(&whole);
            let last = data.path().join("container_minute/version=2/node=n/date=2026-11-23/hour=15/minutes.parquet");
            let _ = std::fs::remove_file(&last);
            let _ = std::os::unix::fs::symlink(&last, &last);
            Ok(())
        });
        let past = past.expect("read");
        assert_eq!((past.files, past.left_out.len()), (1, 1), "{past:?}");
    }

    #[test]
    fn a_column_of_another_type_is_named_with_both_types_and_its_file_is_left_out() {
        let data = tempfile::tempdir().expect("a folder");
        let path = fill(data.path(), "2026-11-23T14:00:00Z", &[1]);
        fill(data.path(), "2026-11-23T15:00:00Z", &[5]);
        let mut frame = ParquetReader::new(File::open(&path).expect("a file")).finish().expect("a frame");
        frame.with_column(Series::new("samples".into(), ["many"]).into_column()).expect("a column");
        // Of times any unit will do.
        let unit = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
        let minute = frame.column("minute").expect("a column").cast(&unit).expect("times");
        frame.with_column(minute).expect("a column");
        ParquetWriter::new(File::create(&path).expect("a file")).finish(&mut frame).expect("written");
        let (past, found) = half_past_one_to_half_past_three(data.path());
        let left_out = format!(
            "{}: column `samples` is str, not u64: another program wrote it; write it again as u64, or move the file out of the data folder",
            path.display()
        );
        assert_eq!((past.expect("read"), found), (Past { files: 1, left_out: vec![left_out] }, vec![5]));
    }

    #[test]
    fn a_folder_of_another_version_is_not_read() {
        let data = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(data.path().join("container_minute/version=1")).expect("made");
        assert!(matches!(half_past_one_to_half_past_three(data.path()).0, Err(Error::OtherVersion { .. })));
    }
}
