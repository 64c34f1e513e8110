//! CSV and NDJSON files.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::reader::{BufReader as CsvReader, Format, ReaderBuilder};

use crate::frame::json::{self, Layout, Limits};

/// What stands for a missing value, as pandas has it.
const MISSING: &str = "^(|#N/A|N/A|NA|<NA>|NaN|nan|NULL|null|None)$";

/// A reader of the file, its columns' types found from all of its rows.
pub fn csv(mut file: File, delimiter: u8) -> Result<CsvReader<BufReader<File>>, String> {
    let missing = regex::Regex::new(MISSING).map_err(|error| error.to_string())?;
    let format = Format::default().with_header(true).with_delimiter(delimiter).with_null_regex(missing.clone());
    let (schema, _) = format.infer_schema(BufReader::new(&file), None).map_err(|e| csv_error(e.to_string()))?;
    file.rewind().map_err(|error| error.to_string())?;
    ReaderBuilder::new(Arc::new(schema))
        .with_format(format)
        .with_batch_size(65_536)
        .build_buffered(BufReader::new(file))
        .map_err(|error| csv_error(error.to_string()))
}

/// The error without the names of the layers it passed through.
pub fn csv_error(error: String) -> String {
    error.strip_prefix("Csv error: ").map(str::to_owned).unwrap_or(error)
}

/// The file's rows, and what was passed over.
pub fn ndjson(mut file: File) -> Result<(RecordBatch, Vec<String>), String> {
    let mut body = Vec::new();
    file.read_to_end(&mut body).map_err(|error| error.to_string())?;
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
    let layout = if body.trim_ascii_start().starts_with(b"[") { Layout::Array } else { Layout::Lines };
    let limits = Limits { rows: usize::MAX, columns: usize::MAX, cells: usize::MAX };
    let rows = json::decode(body, layout, limits, &|_| None).map_err(|error| error.to_string())?;
    if rows.kept.is_empty() && rows.rejected > 0 {
        let first = rows.errors.first().map_or_else(String::new, |error| format!("; the first: {}", error.message));
        return Err(format!("none of its {} rows can be read{first}", rows.rejected));
    }
    let mut told = Vec::new();
    if rows.rejected > 0 {
        told.push(format!("{} rows are left out", rows.rejected));
        told.extend(rows.errors.iter().take(5).map(|error| {
            let field = error.field.as_ref().map_or_else(String::new, |field| format!(", `{field}`"));
            format!("row {}{field}: {}", error.row.unwrap_or_default(), error.message)
        }));
    }
    if rows.columns.is_empty() {
        return Err("has no rows with fields".to_owned());
    }
    let batch = RecordBatch::try_from_iter(rows.columns).map_err(|error| error.to_string())?;
    Ok((batch, told))
}
