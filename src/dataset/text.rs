//! CSV and NDJSON files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch};
use arrow::csv::reader::{Format, ReaderBuilder};
use arrow::datatypes::{DataType, Field, Schema};

use super::{Wanted, is_nearly_all};
use crate::frame::json::{self, Layout, Mixed};
use crate::frame::normal::{ColumnKind, kind, normal_type};

/// What stands for a missing value, as pandas has it.
const MISSING: &str = "^(|#N/A|N/A|NA|<NA>|NaN|nan|NULL|null|None)$";

/// A file that was read whole.
pub struct Text {
    pub batches: Vec<RecordBatch>,
    /// Columns with values of another type, which are missing there: how many, and of what type most are if they cannot be used at all.
    pub wrong: BTreeMap<String, (u64, Option<&'static str>)>,
    /// For people.
    pub told: Vec<String>,
}

/// The file's rows. Its columns' types are found from all of them; where another is wanted, cells are read as that.
pub fn csv(mut file: File, delimiter: u8, wanted: Wanted<'_>) -> Result<Text, String> {
    let missing = regex::Regex::new(MISSING).map_err(|error| error.to_string())?;
    let format = Format::default().with_header(true).with_delimiter(delimiter).with_null_regex(missing);
    let (found, _) = format.infer_schema(BufReader::new(&file), None).map_err(|error| csv_error(&error))?;
    file.rewind().map_err(|error| error.to_string())?;
    let cells: Vec<Cells> = found.fields().iter().map(|field| Cells::of(field, wanted(field.name()))).collect();
    let as_read = |(field, cells): (&Arc<Field>, &Cells)| match cells {
        Cells::AsFound => Arc::clone(field),
        _ => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
    };
    let schema = Schema::new(found.fields().iter().zip(&cells).map(as_read).collect::<Vec<_>>());
    let reader = ReaderBuilder::new(Arc::new(schema.clone()))
        .with_format(format)
        .with_batch_size(65_536)
        .build_buffered(BufReader::new(file))
        .map_err(|error| csv_error(&error))?;
    let mut read = Text {
        batches: reader.collect::<Result<_, _>>().map_err(|error| csv_error(&error))?,
        wrong: BTreeMap::new(),
        told: Vec::new(),
    };
    for (at, cells) in cells.iter().enumerate() {
        let name = schema.field(at).name();
        match cells {
            Cells::AsFound | Cells::Strings => {}
            Cells::Mixed => read.told.extend(mixed_with_numbers(name, &read.batches, at)),
            Cells::Numbers => {
                read.cells(name, at, number, |values| Arc::new(Float64Array::from(values)))?;
            }
            Cells::Booleans => {
                read.cells(name, at, boolean, |values| Arc::new(BooleanArray::from(values)))?;
            }
        }
    }
    Ok(read)
}

/// As what a column's cells are read.
enum Cells {
    AsFound,
    /// Strings, of which nobody knows what they should be.
    Mixed,
    Strings,
    Numbers,
    Booleans,
}

impl Cells {
    fn of(found: &Field, wanted: &[ColumnKind]) -> Self {
        let found = normal_type(found.data_type()).ok().and_then(|normal| kind(&normal));
        match (found, wanted.first()) {
            (Some(ColumnKind::String), None) => Self::Mixed,
            (Some(found), Some(_)) if wanted.contains(&found) => Self::AsFound,
            // Whatever stands in a cell is a string, too.
            (Some(_), Some(ColumnKind::String)) => Self::Strings,
            (Some(ColumnKind::String), Some(ColumnKind::Number)) => Self::Numbers,
            (Some(ColumnKind::String), Some(ColumnKind::Boolean)) => Self::Booleans,
            _ => Self::AsFound,
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

impl Text {
    /// Reads a column's cells anew; those that cannot be read are missing. A column that hardly has any other stays as it is.
    fn cells<T>(
        &mut self,
        name: &str,
        at: usize,
        read: impl Fn(&str) -> Option<T>,
        array: impl Fn(Vec<Option<T>>) -> ArrayRef,
    ) -> Result<(), String> {
        let (mut present, mut wrong) = (0_u64, 0_u64);
        let mut columns = Vec::with_capacity(self.batches.len());
        for batch in &self.batches {
            let texts = batch.column(at).as_string::<i32>();
            let values: Vec<Option<T>> = texts.iter().map(|text| read(text?)).collect();
            present = present.saturating_add(texts.len().saturating_sub(texts.null_count()) as u64);
            wrong = wrong
                .saturating_add(texts.iter().zip(&values).filter(|(t, v)| t.is_some() && v.is_none()).count() as u64);
            columns.push(array(values));
        }
        if is_nearly_all(wrong, present) {
            return Ok(());
        }
        for (batch, column) in self.batches.iter_mut().zip(columns) {
            *batch = with_column(batch, at, column)?;
        }
        if wrong > 0 {
            self.told.push(told(name, wrong, present));
            self.wrong.insert(name.to_owned(), (wrong, None));
        }
        Ok(())
    }
}

fn with_column(batch: &RecordBatch, at: usize, column: ArrayRef) -> Result<RecordBatch, String> {
    let mut columns = batch.columns().to_vec();
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
    if let (Some(old), Some(field)) = (columns.get_mut(at), fields.get_mut(at)) {
        *field = Arc::new(Field::new(field.name(), column.data_type().clone(), true));
        *old = column;
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| error.to_string())
}

/// What is said of a column of strings that are nearly all numbers.
fn mixed_with_numbers(name: &str, batches: &[RecordBatch], at: usize) -> Option<String> {
    let cells = || batches.iter().flat_map(|batch| batch.column(at).as_string::<i32>().iter().flatten());
    let is_number = |text: &&str| number(text).is_some();
    // The first say of most columns of strings that they are none.
    if count(cells().take(1000).filter(is_number)).saturating_mul(2) < count(cells().take(1000)) {
        return None;
    }
    let (all, numbers) = (count(cells()), count(cells().filter(is_number)));
    (is_nearly_all(numbers, all) && numbers < all).then(|| {
        let others = all.saturating_sub(numbers);
        format!("column `{name}`: {others} of {all} values are no numbers, so all are read as strings; where they stand for nothing, leave them empty")
    })
}

fn count<T>(of: impl Iterator<Item = T>) -> u64 {
    of.count() as u64
}

fn told(name: &str, wrong: u64, present: u64) -> String {
    format!("column `{name}`: {wrong} of {present} values are of another type, and count as missing")
}

/// The error without the names of the layers it passed through.
fn csv_error(error: &arrow::error::ArrowError) -> String {
    let error = error.to_string();
    error.strip_prefix("Csv error: ").map(str::to_owned).unwrap_or(error)
}

/// The file's rows. A column has the type that is wanted of it, or else that of most of its values.
pub fn ndjson(mut file: File, wanted: Wanted<'_>) -> Result<Text, String> {
    let mut body = Vec::new();
    file.read_to_end(&mut body).map_err(|error| error.to_string())?;
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
    let layout = if body.trim_ascii_start().starts_with(b"[") { Layout::Array } else { Layout::Lines };
    let read = |other: &BTreeMap<String, ColumnKind>| {
        let expected = |name: &str| other.get(name).copied().or_else(|| written(wanted(name)));
        json::decode_file(body, layout, &expected).map_err(|error| error.to_string())
    };
    let mut rows = read(&BTreeMap::new())?;
    let other = |mixed: &Mixed| Some((mixed.name.clone(), other(mixed, wanted(&mixed.name))?));
    let other: BTreeMap<String, ColumnKind> = rows.mixed.iter().filter_map(other).collect();
    if !other.is_empty() {
        rows = read(&other)?;
    }
    if rows.kept.is_empty() && rows.rejected > 0 {
        let first = rows.errors.first().map_or_else(String::new, |error| format!("; the first: {}", error.message));
        return Err(format!("none of its {} rows can be read{first}", rows.rejected));
    }
    let mut told_all = Vec::new();
    if rows.rejected > 0 {
        told_all.push(format!("{} rows are left out", rows.rejected));
        told_all.extend(rows.errors.iter().take(5).map(|error| {
            let field = error.field.as_ref().map_or_else(String::new, |field| format!(", `{field}`"));
            format!("row {}{field}: {}", error.row.unwrap_or_default(), error.message)
        }));
    }
    if rows.columns.is_empty() {
        return Err("has no rows with fields".to_owned());
    }
    let mut wrong = BTreeMap::new();
    for mixed in rows.mixed {
        let all = mixed.own.saturating_add(mixed.wrong());
        let unusable = is_nearly_all(mixed.wrong(), all).then_some("JSON object");
        if unusable.is_none() {
            told_all.push(told(&mixed.name, mixed.wrong(), all));
        }
        wrong.insert(mixed.name.clone(), (mixed.wrong(), unusable));
    }
    let batch =
        RecordBatch::try_from_iter_with_nullable(rows.columns.into_iter().map(|(name, array)| (name, array, true)))
            .map_err(|error| error.to_string())?;
    Ok(Text { batches: vec![batch], wrong, told: told_all })
}

/// The first kind that JSON can write.
fn written(wanted: &[ColumnKind]) -> Option<ColumnKind> {
    wanted.iter().copied().find(|kind| *kind != ColumnKind::Timestamp)
}

/// The kind that a mixed column has rather than the one that it was read as.
fn other(mixed: &Mixed, wanted: &[ColumnKind]) -> Option<ColumnKind> {
    let known = mixed.others.iter().filter_map(|(kind, values)| Some((*values, (*kind)?)));
    let (values, kind) = known.max_by_key(|(values, _)| *values)?;
    let wrong = mixed.wrong();
    let better =
        if wanted.is_empty() { values > mixed.own } else { is_nearly_all(wrong, mixed.own.saturating_add(wrong)) };
    better.then_some(kind)
}
