//! A Parquet file to columns. A small one may unfold to any size: what its footer and its pages claim is held against the limits before
//! they are unpacked, a column of a row group at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};

use super::Error;
use crate::frame::json::{Limits, RowError, Rows};
use crate::frame::normal::{Unsupported, normal_type, normalise};
use crate::frame::parquet::{self, Bound, Column, Parquet, Source};

/// A cell's bytes.
const CELL: u64 = 8;

/// The rows of a body.
///
/// # Errors
/// It is no Parquet file, or more than the limits.
pub fn decode(body: &bytes::Bytes, limits: Limits) -> Result<Rows, Error> {
    let file = Parquet::open(body.clone()).map_err(|message| Error::Broken(not_one(&message)))?;
    let columns = file.columns();
    if columns.len() > limits.columns {
        return Err(Error::TooLarge(format!("the body has more than {} columns", limits.columns)));
    }
    let rows = file.rows();
    if rows > limits.rows as u64 {
        return Err(Error::TooLarge(format!("the body has more than {} rows; send it in parts", limits.rows)));
    }
    if rows.saturating_mul(columns.len() as u64) > limits.cells as u64 {
        let message = format!("the body has more than {} cells, rows times columns; send it in parts", limits.cells);
        return Err(Error::TooLarge(message));
    }
    let mut whole = Rows { kept: (0..rows).collect(), ..Rows::default() };
    // What is held in the end is bounded over all columns: their values, and their texts.
    let mut left = bound(limits);
    for column in columns {
        if whole.columns.iter().any(|(name, _)| *name == column.name) {
            return Err(Error::Broken(format!("column `{}` occurs twice", column.name)));
        }
        if let Some(error) = unusable(column) {
            whole.errors.push(error);
            continue;
        }
        let mut parts: Vec<ArrayRef> = Vec::new();
        for group in 0..file.groups() {
            for part in read(&file, column, group, None, &mut left)? {
                parts.push(part);
            }
        }
        whole.columns.push((column.name.clone(), joined(&file, column, &parts)?));
    }
    Ok(whole)
}

/// How much a body of these limits may unfold to.
#[must_use]
pub fn bound(limits: Limits) -> Bound {
    let bytes = (limits.cells as u64).saturating_mul(CELL);
    Bound { unpacked: bytes, page: bytes, chunk: bytes, values: limits.cells as u64, texts: bytes }
}

/// What is told of a column that is left out, if it is.
#[must_use]
pub fn unusable(column: &Column) -> Option<RowError> {
    let usable = column.given.as_ref().map(normal_type);
    let type_name = match usable {
        Some(Ok(_)) => return None,
        Some(Err(Unsupported(name))) => name,
        None => column.type_name.clone(),
    };
    let message = format!("left out: {}", Unsupported(type_name));
    Some(RowError { row: None, field: Some(column.name.clone()), message })
}

/// Some rows of a column, or all of a group's, in their normalised type; `left` is what there is room for still.
///
/// # Errors
/// They are broken, or more than there is room for.
pub fn read<S: Source>(
    file: &Parquet<S>,
    column: &Column,
    group: usize,
    rows: Option<std::ops::Range<usize>>,
    left: &mut Bound,
) -> Result<Vec<ArrayRef>, Error> {
    let told = |error: parquet::Error| {
        let message = format!("column `{}`: {error}", column.name);
        match error {
            parquet::Error::Broken(_) => Error::Broken(message),
            parquet::Error::TooLarge(_) => Error::TooLarge(format!("{message}; send it in parts")),
        }
    };
    let parts = file.column(&column.name, group, rows, *left).map_err(told)?;
    let mut normal = Vec::with_capacity(parts.len());
    for part in parts {
        let part = normalise(&part).map_err(|error| Error::Broken(error.to_string()))?;
        left.texts = left.texts.saturating_sub(parquet::text_length(&part));
        left.values = left.values.saturating_sub(super::arrow::list_items(&part) as u64);
        normal.push(part);
    }
    Ok(normal)
}

/// The parts of a column, one below the other.
///
/// # Errors
/// They are of unlike types.
pub fn joined<S: Source>(file: &Parquet<S>, column: &Column, parts: &[ArrayRef]) -> Result<ArrayRef, Error> {
    let all: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let broken = |message: String| Error::Broken(not_one(&message));
    match all.as_slice() {
        [] => file.empty(&column.name).ok_or_else(|| broken(format!("column `{}` has no type", column.name))),
        [_] => Ok(Arc::clone(&parts[0])),
        all => ::arrow::compute::concat(all).map_err(|error| broken(error.to_string())),
    }
}

fn not_one(message: &str) -> String {
    format!("no Parquet file that can be read: {message}")
}
