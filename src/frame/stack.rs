//! Frames below one another, though their columns differ: what one lacks is missing there, and numbers widen.

use arrow::array::{Array, RecordBatch};
use polars::prelude::{
    BooleanChunked, Column, CompatLevel, DataFrame, DataType, IntoColumn, NewChunkedArray, PolarsError, PolarsResult,
    Series,
};

use super::bridge::{to_arrow, to_polars};

/// A batch as a frame; every column is of a normalised type already.
///
/// # Errors
/// A column is of another type.
pub fn frame_of(record: &RecordBatch) -> PolarsResult<DataFrame> {
    let schema = record.schema();
    let columns = schema.fields().iter().zip(record.columns());
    let columns = columns.map(|(field, array)| Ok(to_polars(field.name(), array)?.into_column()));
    DataFrame::new(record.num_rows(), columns.collect::<PolarsResult<Vec<Column>>>()?)
}

/// A frame as a batch.
///
/// # Errors
/// A column is of a type that arrow does not know.
pub fn record_of(frame: &DataFrame) -> PolarsResult<RecordBatch> {
    let columns = frame.columns().iter().map(|column| {
        let whole = column.as_materialized_series().rechunk();
        Ok((column.name().to_string(), to_arrow(whole.to_arrow(0, CompatLevel::newest()))?, true))
    });
    let columns = columns.collect::<PolarsResult<Vec<_>>>()?;
    RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|error| PolarsError::ComputeError(error.to_string().into()))
}

/// The bytes a batch's own values take. Columns of one body share its buffer, which the batch's own count adds up for each.
#[must_use]
pub fn bytes_of(record: &RecordBatch) -> usize {
    let of = |column: &arrow::array::ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(column.len() * 16);
    record.columns().iter().map(of).sum()
}

/// The rows for which `keep` is true.
///
/// # Errors
/// There are more or fewer of them than rows.
pub fn keep(frame: &DataFrame, keep: &[bool]) -> PolarsResult<DataFrame> {
    frame.filter(&BooleanChunked::from_slice("keep".into(), keep))
}

/// Puts `below` under `top`.
///
/// # Errors
/// A column holds text in one and numbers in the other.
pub fn stack(top: &mut DataFrame, mut below: DataFrame) -> PolarsResult<()> {
    if top.width() == 0 {
        *top = below;
        return Ok(());
    }
    for column in below.columns() {
        let (name, dtype) = (column.name(), column.dtype());
        match top.column(name).map(|column| column.dtype().clone()) {
            Err(_) => {
                let missing = Series::full_null(name.clone(), top.height(), dtype);
                top.with_column(missing.into_column())?;
            }
            Ok(held) if held != *dtype => {
                let wide = wider(&held, dtype);
                let cast = top.column(name)?.cast(&wide)?;
                top.with_column(cast)?;
            }
            Ok(_) => {}
        }
    }
    let mut ordered = Vec::with_capacity(top.width());
    for column in top.columns() {
        let (name, dtype) = (column.name(), column.dtype());
        ordered.push(match below.column(name) {
            Ok(given) if given.dtype() == dtype => given.clone(),
            Ok(given) => given.cast(dtype)?,
            Err(_) => Series::full_null(name.clone(), below.height(), dtype).into_column(),
        });
    }
    below = DataFrame::new(below.height(), ordered)?;
    top.vstack_mut(&below)?;
    Ok(())
}

/// The type that holds both.
fn wider(one: &DataType, other: &DataType) -> DataType {
    match (one, other) {
        (DataType::Null, known) | (known, DataType::Null) => known.clone(),
        (DataType::String, _) | (_, DataType::String) => DataType::String,
        (a, b) if a == b => a.clone(),
        _ => DataType::Float64,
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{AnyValue, NamedFrom};

    use super::*;

    #[test]
    fn what_one_lacks_is_missing_there_and_numbers_widen() {
        let frame = |columns: Vec<Series>| {
            let height = columns[0].len();
            DataFrame::new(height, columns.into_iter().map(IntoColumn::into_column).collect()).expect("a frame")
        };
        let mut top = frame(vec![Series::new("a".into(), [1_i64]), Series::new("b".into(), ["x"])]);
        stack(&mut top, frame(vec![Series::new("c".into(), [true]), Series::new("a".into(), [0.5])])).expect("stacked");
        stack(&mut top, frame(vec![Series::new("a".into(), [7_u64])])).expect("stacked");
        assert_eq!((top.height(), top.width()), (3, 3));
        let a: Vec<AnyValue<'_>> = top.column("a").expect("a").as_materialized_series().iter().collect();
        assert_eq!(a, [1.0, 0.5, 7.0].map(AnyValue::Float64));
        assert_eq!(top.column("b").expect("b").null_count(), 2);
    }
}
