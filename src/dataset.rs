//! Data files as normalised columns: Parquet, CSV, NDJSON and Arrow.
//!
//! Parquet is read column by column, so that a file of any width costs the memory of the columns at hand; the others are
//! read whole. What a column means is left to others.

#![warn(clippy::arithmetic_side_effects)]

mod parquet;
mod text;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter;
use arrow::datatypes::DataType;
use polars::prelude::Series;

use crate::frame::bridge::to_polars;
use crate::frame::guard;
use crate::frame::normal::{ColumnKind, kind, normal_type, normalise};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct Error {
    path: PathBuf,
    message: String,
}

impl Error {
    /// What is wrong, without where it lies.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds; `None` when every value is missing. An error names a type that cannot be used.
    pub kind: Result<Option<ColumnKind>, String>,
    /// It is stored as a dictionary, as categories are.
    pub dictionary: bool,
    /// Values of another type, which are missing.
    pub wrong: u64,
}

/// As which of these kinds a column is to be read where its file leaves it open, the first before the others; none if nobody knows.
pub type Wanted<'a> = &'a dyn Fn(&str) -> &'static [ColumnKind];

/// Where more of a column's values than this share are of another type it is the column that is.
const NEARLY_ALL: f64 = 0.9;

/// Whether so many of a column's values speak for the column.
#[must_use]
pub fn is_nearly_all(values: u64, of: u64) -> bool {
    of > 0 && values as f64 > NEARLY_ALL * of as f64
}

/// A file whose columns can be read.
pub struct Dataset {
    path: PathBuf,
    /// Its columns in order.
    pub fields: Vec<Field>,
    /// How many rows it has.
    pub rows: u64,
    /// What was passed over, for people.
    pub warnings: Vec<String>,
    source: Source,
    /// Which of the file's rows are its own, where not all are.
    kept: Option<BooleanArray>,
}

enum Source {
    Parquet(Box<parquet::Parquet>),
    Memory(Vec<RecordBatch>),
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    ArrowFile,
    ArrowStream,
    Ndjson,
    Csv { delimiter: u8 },
}

impl Format {
    /// By what the file begins with, then by its name.
    fn of(path: &Path, head: &[u8]) -> Option<Self> {
        if head.starts_with(b"PAR1") {
            return Some(Self::Parquet);
        }
        if head.starts_with(b"ARROW1") {
            return Some(Self::ArrowFile);
        }
        if head.starts_with(&[0xff; 4]) {
            return Some(Self::ArrowStream);
        }
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv { delimiter: b',' }),
            "tsv" => Some(Self::Csv { delimiter: b'\t' }),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

impl Dataset {
    /// Opens the file and learns its columns.
    ///
    /// # Errors
    /// The file cannot be read, or is not what it says it is.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_as(path, path, &|_| &[])
    }

    /// The same of a file that is called `name` where it is told of, its columns as they are wanted.
    ///
    /// # Errors
    /// The file cannot be read, or is not what it says it is.
    pub fn open_as(path: &Path, name: &Path, wanted: Wanted<'_>) -> Result<Self, Error> {
        let failed = |message: String| Error { path: name.to_owned(), message };
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => return Err(failed("is a folder; give a file".to_owned())),
            Ok(meta) if !meta.is_file() => {
                return Err(failed("is not a regular file; it must be read more than once".to_owned()));
            }
            _ => {}
        }
        let mut file = File::open(path).map_err(|error| failed(error.to_string()))?;
        let mut head = Vec::new();
        (&mut file).take(8).read_to_end(&mut head).map_err(|error| failed(error.to_string()))?;
        file.rewind().map_err(|error| failed(error.to_string()))?;
        if head.is_empty() {
            return Err(failed("is empty".to_owned()));
        }
        let format = Format::of(path, &head).ok_or_else(|| {
            let hint =
                "neither its content nor its name tells its format; use Parquet, Arrow, .csv, .tsv, .ndjson or .jsonl";
            failed(hint.to_owned())
        })?;
        let (mut warnings, mut wrong) = (Vec::new(), BTreeMap::new());
        let mut whole = |read: text::Text| {
            (warnings, wrong) = (read.told, read.wrong);
            in_memory(read.batches.into_iter().map(Ok))
        };
        // What decoders make of a broken file is theirs; a panic in one is this file's error.
        let opened = guarded(|| match format {
            Format::Parquet => {
                let source = parquet::Parquet::open(file)?;
                Ok((source.fields(), source.rows(), Source::Parquet(Box::new(source))))
            }
            Format::ArrowFile => {
                let reader = arrow::ipc::reader::FileReader::try_new(file, None).map_err(|e| e.to_string())?;
                in_memory(reader)
            }
            Format::ArrowStream => {
                let reader = arrow::ipc::reader::StreamReader::try_new(BufReader::new(file), None);
                in_memory(reader.map_err(|e| e.to_string())?)
            }
            Format::Csv { delimiter } => whole(text::csv(file, delimiter, wanted)?),
            Format::Ndjson => whole(text::ndjson(file, wanted)?),
        });
        let (mut fields, rows, source) = opened.map_err(failed)?;
        for field in &mut fields {
            let Some((values, unusable)) = wrong.get(&field.name) else { continue };
            field.wrong = *values;
            if let Some(unusable) = unusable {
                field.kind = Err((*unusable).to_owned());
            }
        }
        if rows == 0 {
            return Err(failed("has no rows".to_owned()));
        }
        let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        names.sort_unstable();
        if let Some([name, ..]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(failed(format!("column `{name}` occurs twice")));
        }
        Ok(Self { path: name.to_owned(), fields, rows, warnings, source, kept: None })
    }

    /// Some of its rows alone: those that are marked, in their order.
    #[must_use]
    pub fn only(mut self, marked: &[bool]) -> Self {
        let mut marks = marked.iter().copied();
        let kept = match &self.kept {
            Some(before) => before.iter().map(|was| was == Some(true) && marks.next() == Some(true)).collect(),
            None => marks.collect::<Vec<bool>>(),
        };
        self.rows = kept.iter().filter(|kept| **kept).count() as u64;
        for field in &mut self.fields {
            field.wrong = field.wrong.min(self.rows);
        }
        self.kept = Some(kept.into());
        self
    }

    /// Of arrays that follow one another from this row of the file on, its own rows.
    fn own(&self, arrays: Vec<ArrayRef>, mut from: usize) -> Result<Vec<ArrayRef>, String> {
        let Some(kept) = &self.kept else { return Ok(arrays) };
        let own = |array: &ArrayRef| {
            let to = from.saturating_add(array.len());
            if to > kept.len() {
                return Err("has more rows than the others".to_owned());
            }
            let marks = kept.slice(from, array.len());
            from = to;
            filter(array, &marks).map_err(|error| error.to_string())
        };
        arrays.iter().map(own).collect()
    }

    /// What it is called.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The column of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Its columns are held, and quick to read.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        matches!(self.source, Source::Memory(_))
    }

    /// Reads a column.
    ///
    /// # Errors
    /// There is none of this name or of a usable type, or the file is broken.
    pub fn column(&self, name: &str) -> Result<Series, Error> {
        guarded(|| series(name, self.arrays(name)?))
            .map_err(|message| Error { path: self.path.clone(), message: format!("column `{name}`: {message}") })
    }

    fn arrays(&self, name: &str) -> Result<Vec<ArrayRef>, String> {
        let arrays = match &self.source {
            Source::Parquet(source) => source.column(name, 0..source.groups())?,
            Source::Memory(batches) => batches.iter().filter_map(|b| b.column_by_name(name).cloned()).collect(),
        };
        self.own(arrays, 0)
    }

    /// Reads a column as it is written, whatever its type.
    ///
    /// # Errors
    /// There is none of this name, or the file is broken.
    pub fn array(&self, name: &str) -> Result<ArrayRef, Error> {
        let read = || {
            let arrays = self.arrays(name)?;
            let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            arrow::compute::concat(&arrays).map_err(|error| error.to_string())
        };
        guarded(read)
            .map_err(|message| Error { path: self.path.clone(), message: format!("column `{name}`: {message}") })
    }
}

impl Dataset {
    /// Reads a column part by part, each as large as the file's own: a row group of Parquet, a batch of what is held.
    pub fn parts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Result<Series, Error>> + 'a {
        let parts = match &self.source {
            Source::Parquet(source) => source.groups(),
            Source::Memory(batches) => batches.len(),
        };
        (0..parts).map(move |at| {
            let read = || {
                let (arrays, before): (Vec<ArrayRef>, usize) = match &self.source {
                    Source::Parquet(source) => (source.column(name, at..at.saturating_add(1))?, source.rows_before(at)),
                    Source::Memory(batches) => (
                        batches.get(at).and_then(|batch| batch.column_by_name(name).cloned()).into_iter().collect(),
                        batches.iter().take(at).map(RecordBatch::num_rows).sum(),
                    ),
                };
                series(name, self.own(arrays, before)?)
            };
            guarded(read)
                .map_err(|message| Error { path: self.path.clone(), message: format!("column `{name}`: {message}") })
        })
    }
}

/// The arrays of a column, one below the other.
fn series(name: &str, arrays: Vec<ArrayRef>) -> Result<Series, String> {
    let mut whole: Option<Series> = None;
    for array in arrays {
        let normal = normalise(&array).map_err(|error| error.to_string())?;
        let part = to_polars(name, &normal).map_err(|error| error.to_string())?;
        match &mut whole {
            None => whole = Some(part),
            Some(whole) => {
                whole.append_owned(part).map_err(|error| error.to_string())?;
            }
        }
    }
    whole.ok_or_else(|| "there is no such column".to_owned())
}

type Opened = (Vec<Field>, u64, Source);

fn in_memory(batches: impl Iterator<Item = Result<RecordBatch, arrow::error::ArrowError>>) -> Result<Opened, String> {
    let batches = batches.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let Some(first) = batches.first() else { return Ok((Vec::new(), 0, Source::Memory(batches))) };
    let schema = first.schema();
    let fields = schema.fields().iter().map(|field| described(field.name(), field.data_type())).collect();
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    Ok((fields, rows, Source::Memory(batches)))
}

fn described(name: &str, given: &DataType) -> Field {
    Field {
        name: name.to_owned(),
        kind: normal_type(given).map(|normal| kind(&normal)).map_err(|error| error.0),
        dictionary: matches!(given, DataType::Dictionary(..)),
        wrong: 0,
    }
}

/// Runs a decoder; a panic in it becomes an error.
fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    guard::guarded(decode).unwrap_or_else(|| Err(format!("the file is broken: its decoder gave up{}", guard::place())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(data: &Dataset, name: &str) -> (Vec<f64>, Vec<f64>) {
        let of = |series: Series| series.f64().expect("numbers").iter().flatten().collect::<Vec<f64>>();
        let parts = data.parts(name).flat_map(|part| of(part.expect("read"))).collect();
        (of(data.column(name).expect("read")), parts)
    }

    #[test]
    fn some_rows_alone_are_the_same_whole_and_in_parts() {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/housing_later.parquet");
        let folder = tempfile::tempdir().expect("a folder");
        let csv = folder.path().join("a.csv");
        let lines: Vec<String> = (0..500).map(|at| format!("{at}.5")).collect();
        std::fs::write(&csv, format!("MedInc\n{}", lines.join("\n"))).expect("written");
        for path in [demo, csv] {
            let open = || Dataset::open(&path).expect("opened");
            let (all, _) = numbers(&open(), "MedInc");
            let third: Vec<bool> = (0..all.len()).map(|at| at % 3 == 1).collect();
            let some = open().only(&third);
            let wanted: Vec<f64> = all.iter().skip(1).step_by(3).copied().collect();
            assert_eq!((numbers(&some, "MedInc"), some.rows), ((wanted.clone(), wanted.clone()), wanted.len() as u64));
            assert_eq!(some.array("MedInc").expect("read").len(), wanted.len());
            // Some of those.
            let again: Vec<bool> = (0..wanted.len()).map(|at| at % 2 == 0).collect();
            let wanted: Vec<f64> = wanted.into_iter().step_by(2).collect();
            assert_eq!(numbers(&some.only(&again), "MedInc").0, wanted);
        }
    }
}
