//! Columns in their normalised type, type by type. arrow's own casts go from any type to any other, and are a tenth of the binary.

use std::sync::Arc;

use arrow::array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, LargeListArray, PrimitiveArray, StringViewArray,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, TimeUnit};

const DAY: i64 = 86_400_000;

/// The column as a plain one of the type `wanted`, which is [`super::normal_type`] of its own, or the numbers of whole ones or
/// booleans. `None` where there is no way.
pub fn convert(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    if array.data_type() == wanted {
        return Some(Arc::clone(array));
    }
    match array.data_type() {
        DataType::Null => Some(new_null_array(wanted, array.len())),
        DataType::Dictionary(..) => unfolded(array, wanted),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => list(array, wanted),
        _ => match wanted {
            DataType::Int64 => whole(array),
            DataType::UInt64 => natural(array),
            DataType::Float64 => numbers(array),
            DataType::Utf8View => texts(array),
            DataType::Timestamp(TimeUnit::Millisecond, _) => times(array).map(|of| Arc::new(of) as ArrayRef),
            _ => None,
        },
    }
}

fn from<T: ArrowPrimitiveType, U: ArrowPrimitiveType>(
    array: &ArrayRef,
    of: impl Fn(T::Native) -> U::Native,
) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().unary::<_, U>(of))
}

fn whole(array: &ArrayRef) -> Option<ArrayRef> {
    Some(match array.data_type() {
        DataType::Int8 => from::<Int8Type, Int64Type>(array, i64::from),
        DataType::Int16 => from::<Int16Type, Int64Type>(array, i64::from),
        DataType::Int32 => from::<Int32Type, Int64Type>(array, i64::from),
        _ => return None,
    })
}

fn natural(array: &ArrayRef) -> Option<ArrayRef> {
    Some(match array.data_type() {
        DataType::UInt8 => from::<UInt8Type, UInt64Type>(array, u64::from),
        DataType::UInt16 => from::<UInt16Type, UInt64Type>(array, u64::from),
        DataType::UInt32 => from::<UInt32Type, UInt64Type>(array, u64::from),
        _ => return None,
    })
}

fn numbers(array: &ArrayRef) -> Option<ArrayRef> {
    let tens = |scale: i8| 10_f64.powi(i32::from(scale));
    Some(match array.data_type() {
        DataType::Boolean => {
            let one = |value: bool| if value { 1.0 } else { 0.0 };
            let numbers = array.as_boolean().iter().map(|value| value.map(one));
            Arc::new(numbers.collect::<PrimitiveArray<Float64Type>>())
        }
        DataType::Float16 => from::<Float16Type, Float64Type>(array, f64::from),
        DataType::Float32 => from::<Float32Type, Float64Type>(array, f64::from),
        DataType::Decimal32(_, scale) => {
            from::<Decimal32Type, Float64Type>(array, |value| f64::from(value) / tens(*scale))
        }
        DataType::Decimal64(_, scale) => from::<Decimal64Type, Float64Type>(array, |value| value as f64 / tens(*scale)),
        DataType::Decimal128(_, scale) => {
            from::<Decimal128Type, Float64Type>(array, |value| value as f64 / tens(*scale))
        }
        DataType::Decimal256(_, scale) => {
            // Its numbers have no way to a float but their digits.
            let number = |value: arrow::datatypes::i256| value.to_string().parse().unwrap_or(f64::NAN);
            from::<Decimal256Type, Float64Type>(array, |value| number(value) / tens(*scale))
        }
        _ => match whole(array).or_else(|| natural(array)).unwrap_or_else(|| Arc::clone(array)) {
            of if of.data_type() == &DataType::Int64 => from::<Int64Type, Float64Type>(&of, |value| value as f64),
            of if of.data_type() == &DataType::UInt64 => from::<UInt64Type, Float64Type>(&of, |value| value as f64),
            _ => return None,
        },
    })
}

/// As they stand in memory, behind views.
fn texts(array: &ArrayRef) -> Option<ArrayRef> {
    Some(match array.data_type() {
        DataType::Utf8 => Arc::new(StringViewArray::from(array.as_string::<i32>())),
        DataType::LargeUtf8 => Arc::new(StringViewArray::from(array.as_string::<i64>())),
        DataType::Int64 => written::<Int64Type>(array),
        DataType::UInt64 => written::<UInt64Type>(array),
        _ => return None,
    })
}

fn written<T: ArrowPrimitiveType<Native: ToString>>(array: &ArrayRef) -> ArrayRef {
    let texts = array.as_primitive::<T>().iter().map(|value| value.map(|value| value.to_string()));
    Arc::new(texts.collect::<StringViewArray>())
}

/// Milliseconds; what lies beyond them is missing. A timestamp without a zone is UTC, with one it is an instant already.
fn times(array: &ArrayRef) -> Option<PrimitiveArray<TimestampMillisecondType>> {
    type Ms = TimestampMillisecondType;
    let times: PrimitiveArray<Ms> = match array.data_type() {
        DataType::Date32 => array.as_primitive::<Date32Type>().unary(|days| i64::from(days).saturating_mul(DAY)),
        DataType::Date64 => array.as_primitive::<Date64Type>().unary(|ms| ms),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => {
                array.as_primitive::<TimestampSecondType>().unary_opt(|seconds| seconds.checked_mul(1000))
            }
            TimeUnit::Millisecond => array.as_primitive::<Ms>().clone(),
            TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().unary(|us| us.div_euclid(1000)),
            TimeUnit::Nanosecond => {
                array.as_primitive::<TimestampNanosecondType>().unary(|ns| ns.div_euclid(1_000_000))
            }
        },
        _ => return None,
    };
    Some(times.with_timezone("UTC"))
}

/// Each key's value.
fn unfolded(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    let dictionary = array.as_any_dictionary();
    let values = convert(dictionary.values(), wanted)?;
    if values.is_empty() || wanted == &DataType::Null {
        return Some(new_null_array(wanted, array.len()));
    }
    let (keys, nulls) = (dictionary.normalized_keys(), dictionary.logical_nulls());
    Some(match wanted {
        DataType::Boolean => {
            let values = values.as_boolean().values();
            Arc::new(BooleanArray::new(keys.iter().map(|key| values.value(*key)).collect(), nulls))
        }
        DataType::Int64 => picked::<Int64Type>(&values, &keys, nulls),
        DataType::UInt64 => picked::<UInt64Type>(&values, &keys, nulls),
        DataType::Float64 => picked::<Float64Type>(&values, &keys, nulls),
        DataType::Timestamp(..) => picked::<TimestampMillisecondType>(&values, &keys, nulls),
        DataType::Utf8View => {
            let values = values.as_string_view();
            let views = values.views();
            let views: ScalarBuffer<u128> = keys.iter().filter_map(|key| views.get(*key)).copied().collect();
            Arc::new(StringViewArray::try_new(views, values.data_buffers().to_vec(), nulls).ok()?)
        }
        _ => return None,
    })
}

fn picked<T: ArrowPrimitiveType>(values: &ArrayRef, keys: &[usize], nulls: Option<NullBuffer>) -> ArrayRef {
    let values = values.as_primitive::<T>();
    let of = keys.iter().filter_map(|key| values.values().get(*key)).copied().collect();
    Arc::new(PrimitiveArray::<T>::new(of, nulls).with_data_type(values.data_type().clone()))
}

/// A list of lists with long offsets, its items in their own normalised type.
fn list(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    let DataType::LargeList(item) = wanted else { return None };
    let (offsets, items) = match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            (list.offsets().iter().map(|offset| i64::from(*offset)).collect(), list.values())
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            (list.offsets().inner().clone(), list.values())
        }
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let rows = i64::try_from(list.len()).ok()?;
            let offsets: Option<ScalarBuffer<i64>> = (0..=rows).map(|row| row.checked_mul(i64::from(*size))).collect();
            (offsets?, list.values())
        }
        _ => return None,
    };
    let items = convert(items, item.data_type())?;
    let field = Arc::new(Field::new("item", item.data_type().clone(), true));
    let list = LargeListArray::try_new(field, OffsetBuffer::new(offsets), items, array.nulls().cloned());
    Some(Arc::new(list.ok()?))
}
