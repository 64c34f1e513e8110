//! The one bridge between arrow and polars: the Arrow C data interface, both ways. Primitive columns cross without a copy.
//!
//! The only unsafe of the core. Both crates lay `ArrowArray` and `ArrowSchema` out as the interface's specification does
//! (`repr(C)`), so a structure of the one is a structure of the other; whoever receives it releases it.
#![expect(unsafe_code, reason = "the C data interface is a structure of pointers; see each block")]

use std::mem::transmute;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, NullArray, make_array};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use polars::prelude::{PlSmallStr, PolarsError, PolarsResult, Series};
use polars_arrow::ffi::{ArrowArray, ArrowSchema, export_array_to_c, export_field_to_c};
use polars_arrow::ffi::{import_array_from_c, import_field_from_c};

fn failed(error: impl std::fmt::Display) -> PolarsError {
    PolarsError::ComputeError(error.to_string().into())
}

/// A normalised column as a polars series.
///
/// # Errors
/// The column is of a type that polars is built without; normalised ones are not.
pub fn to_polars(name: &str, array: &dyn Array) -> PolarsResult<Series> {
    let (array, schema) = to_ffi(&array.to_data()).map_err(failed)?;
    // SAFETY: both types are the `ArrowArray` and `ArrowSchema` of the C data interface, `repr(C)`, with the same fields
    // in the same order. They are moved, so each is released once, by the type they become.
    let (array, schema) =
        unsafe { (transmute::<FFI_ArrowArray, ArrowArray>(array), transmute::<FFI_ArrowSchema, ArrowSchema>(schema)) };
    // SAFETY: the structures were exported just above by arrow, which upholds the interface: valid pointers, buffers of the
    // declared type and length, kept alive until released.
    let array = unsafe {
        let field = import_field_from_c(&schema)?;
        import_array_from_c(array, field.dtype)?
    };
    Series::try_from((PlSmallStr::from(name), vec![array]))
}

/// A column that polars read from a file, as an arrow array.
///
/// # Errors
/// The column is of a type that arrow does not know.
pub fn to_arrow(array: Box<dyn polars_arrow::array::Array>) -> PolarsResult<ArrayRef> {
    if array.dtype() == &polars_arrow::datatypes::ArrowDataType::Null {
        // polars exports nulls with a buffer, of which the interface has none.
        return Ok(Arc::new(NullArray::new(array.len())));
    }
    let field = polars_arrow::datatypes::Field::new("".into(), array.dtype().clone(), true);
    let schema = export_field_to_c(&field);
    let array = export_array_to_c(array);
    // SAFETY: as above, the other way round.
    let (array, schema) =
        unsafe { (transmute::<ArrowArray, FFI_ArrowArray>(array), transmute::<ArrowSchema, FFI_ArrowSchema>(schema)) };
    // SAFETY: exported just above by polars-arrow, which upholds the interface.
    let data = unsafe { from_ffi(array, &schema) }.map_err(failed)?;
    Ok(make_array(data))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Float64Array, Int64Array, StringViewArray, UInt64Array};
    use arrow::array::{LargeListArray, TimestampMillisecondArray};
    use arrow::datatypes::Float64Type;
    use polars::prelude::{AnyValue, CompatLevel, DataType};

    use super::*;

    #[test]
    fn every_normalised_type_crosses_both_ways_sliced_or_whole() {
        let long = "longer than what a view holds inline";
        let lists = vec![Some(vec![Some(1.0), None]), None, Some(vec![])];
        let arrays: [ArrayRef; 8] = [
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(Int64Array::from(vec![Some(-1), None, Some(i64::MAX)])),
            Arc::new(UInt64Array::from(vec![Some(1), None, Some(u64::MAX)])),
            Arc::new(Float64Array::from(vec![Some(0.5), None, Some(f64::NAN)])),
            Arc::new(StringViewArray::from(vec![Some("a"), None, Some(long)])),
            Arc::new(TimestampMillisecondArray::from(vec![Some(0), None, Some(1)]).with_timezone("UTC")),
            Arc::new(NullArray::new(3)),
            Arc::new(LargeListArray::from_iter_primitive::<Float64Type, _, _>(lists)),
        ];
        for array in arrays {
            for (offset, length) in [(0, 3), (1, 2), (2, 1), (3, 0)] {
                let part = array.slice(offset, length);
                let series = to_polars("c", &part).expect("a series");
                assert_eq!((series.name().as_str(), series.len()), ("c", length));
                assert_eq!(series.null_count(), part.logical_null_count());
                let back = to_arrow(series.to_arrow(0, CompatLevel::newest())).expect("an array");
                assert_eq!(back.len(), length);
                assert_eq!(format!("{back:?}"), format!("{part:?}"));
            }
        }
    }

    #[test]
    fn strings_outlive_what_they_came_from() {
        let series = {
            let array = StringViewArray::from(vec!["longer than what a view holds inline"]);
            to_polars("c", &array).expect("a series")
        };
        assert_eq!(series.dtype(), &DataType::String);
        assert_eq!(series.get(0).expect("a row"), AnyValue::String("longer than what a view holds inline"));
    }
}
