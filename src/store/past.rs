//! The history, read back a file at a time, in order of time. Needs no lock: files are whole or absent.

use std::fs::File;
use std::path::Path;

use jiff::Timestamp;
use polars::prelude::{DataFrame, ParquetReader, PolarsError, PolarsResult, SerReader, SortMultipleOptions};

use super::Error;
use super::files::{Stored, files_below};
use super::history::{hour_file, hour_of, table_folder};
use crate::frame::Row;
use crate::frame::guard::guarded;

/// Rows of an hour: a thousand containers have 60,000. A small file may unfold to far more.
const MOST: usize = 1_000_000;

/// What was read, and what could not be.
#[derive(Debug, Default, PartialEq)]
pub struct Past {
    /// Files that were read.
    pub files: u64,
    /// Files that could not be read, and why.
    pub damaged: Vec<String>,
}

/// Gives each hour's rows of a table to `take`, node by node, oldest first, with these columns of it; columns that an older version did not
/// write are absent. A file that cannot be read is passed over and told.
///
/// # Errors
/// The folder cannot be read.
pub fn read<R: Row>(
    data: &Path,
    columns: &[&str],
    since: Timestamp,
    until: Timestamp,
    mut take: impl FnMut(&DataFrame) -> PolarsResult<()>,
) -> Result<Past, Error> {
    let folder = table_folder::<R>(data);
    super::layout::check(data)?;
    let (first, last) = (hour_file(since), hour_file(until));
    let mut past = Past::default();
    for Stored { path, .. } in files_below(&folder, &["parquet"])? {
        if hour_of(&path).is_none_or(|hour| *hour < *first || *hour > *last) {
            continue;
        }
        let read = match File::open(&path) {
            Ok(file) => guarded(|| projected(file, columns).and_then(|frame| take(&frame))),
            // Retention may have taken it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                past.damaged.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        match read {
            Some(Ok(())) => past.files += 1,
            Some(Err(error)) => past.damaged.push(format!("{}: {error}", path.display())),
            None => past.damaged.push(format!("{}: the file is broken", path.display())),
        }
    }
    Ok(past)
}

fn projected(file: File, columns: &[&str]) -> PolarsResult<DataFrame> {
    let mut reader = ParquetReader::new(file);
    let rows = reader.num_rows()?;
    if rows > MOST {
        let message = format!("holds {rows} rows, more than an hour has");
        return Err(PolarsError::ComputeError(message.into()));
    }
    let there = reader.schema()?;
    let wanted = columns.iter().filter(|column| there.contains(column)).map(|column| (*column).to_owned()).collect();
    // In order of time, whoever wrote it.
    reader
        .with_columns(Some(wanted))
        .finish()?
        .sort(["minute"], SortMultipleOptions::default().with_maintain_order(true))
}
