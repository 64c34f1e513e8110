//! The few types that pass the border: bool, i64, u64, f64, string, timestamp (ms, UTC), list of numbers or strings.
//!
//! Whatever a body or a file holds is cast to one of these, or named as what cannot be compared.

#![warn(clippy::arithmetic_side_effects)]

mod convert;

use std::sync::Arc;

pub use convert::convert;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, TimeUnit};

/// The column of the time at which a row came.
pub const ARRIVAL: &str = "_arrival";
/// The column that is true in labels that another agent sent on.
pub const FORWARDED: &str = "_forwarded";
/// Beside the rows of a batch, in its notes: how many were left out because the model's description asks for a part.
pub const SAMPLED_OUT: &str = "sampled_out";

/// In the notes of a batch whose rows are not stored: how many they were.
pub const NOT_STORED: &str = "not_stored";

/// What a column holds, as far as people and schemas care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// i64, u64 or f64.
    Number,
    /// bool.
    Boolean,
    /// UTF-8.
    String,
    /// An instant.
    Timestamp,
    /// A list of numbers; compared where all are of one length.
    Numbers,
    /// A list of strings; kept, not compared.
    Strings,
}

impl ColumnKind {
    /// With its article, for messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::String => "a string",
            Self::Timestamp => "a timestamp",
            Self::Numbers => "a list of numbers",
            Self::Strings => "a list of strings",
        }
    }
}

/// A column of a type that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "columns of type {0} cannot be used; there are booleans, numbers, strings, timestamps and lists of numbers or strings"
)]
pub struct Unsupported(pub String);

/// What a normalised type holds; `None` for a column of nulls, which may become anything.
#[must_use]
pub fn kind(normal: &DataType) -> Option<ColumnKind> {
    match normal {
        DataType::Boolean => Some(ColumnKind::Boolean),
        DataType::Int64 | DataType::UInt64 | DataType::Float64 => Some(ColumnKind::Number),
        DataType::Utf8View => Some(ColumnKind::String),
        DataType::Timestamp(..) => Some(ColumnKind::Timestamp),
        DataType::LargeList(item) if item.data_type() == &DataType::Utf8View => Some(ColumnKind::Strings),
        DataType::LargeList(_) => Some(ColumnKind::Numbers),
        _ => None,
    }
}

/// The normalised type that a column of type `given` takes.
///
/// # Errors
/// There is none.
pub fn normal_type(given: &DataType) -> Result<DataType, Unsupported> {
    let unsupported = || Err(Unsupported(given.to_string()));
    Ok(match given {
        DataType::Null => DataType::Null,
        DataType::Boolean => DataType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::UInt64,
        DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => timestamp(),
        DataType::Dictionary(_, values) => match normal_type(values)? {
            // A dictionary of lists would unfold without bound.
            DataType::LargeList(_) => return unsupported(),
            plain => plain,
        },
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            // A list of nulls has a length and no bytes: it would unfold without bound.
            match normal_type(item.data_type()) {
                Ok(DataType::Boolean | DataType::Int64 | DataType::UInt64 | DataType::Float64)
                    if item.data_type().is_primitive() || item.data_type() == &DataType::Boolean =>
                {
                    list_of(DataType::Float64)
                }
                Ok(DataType::Utf8View) if item.data_type().is_string() => list_of(DataType::Utf8View),
                _ => return unsupported(),
            }
        }
        _ => return unsupported(),
    })
}

/// Milliseconds since the epoch, UTC.
#[must_use]
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

fn list_of(item: DataType) -> DataType {
    DataType::LargeList(Arc::new(Field::new("item", item, true)))
}

/// The column in its normalised type. A value that does not fit becomes null.
///
/// # Errors
/// The type cannot be compared.
pub fn normalise(array: &ArrayRef) -> Result<ArrayRef, Unsupported> {
    let wanted = normal_type(array.data_type())?;
    convert(array, &wanted).ok_or_else(|| Unsupported(array.data_type().to_string()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Decimal128Array, DictionaryArray, FixedSizeListArray, Int8Array, NullArray};
    use arrow::array::{Float32Array, StringArray, TimestampSecondArray, UInt16Array};
    use arrow::datatypes::Int8Type;

    use super::*;

    fn shown(array: impl Array + 'static) -> String {
        let normal = normalise(&(Arc::new(array) as ArrayRef)).expect("supported");
        assert_eq!(normal_type(normal.data_type()).as_ref(), Ok(normal.data_type()), "a normal form stays as it is");
        let name = normal.data_type().to_string();
        let values: Vec<String> = (0..normal.len())
            .map(|i| arrow::util::display::array_value_to_string(&normal, i).expect("a value"))
            .collect();
        format!("{name}: {}", values.join(" "))
    }

    #[test]
    fn what_passes_takes_one_of_a_few_types() {
        let all = [
            shown(Int8Array::from(vec![Some(-1), None])),
            shown(UInt16Array::from(vec![7])),
            shown(Float32Array::from(vec![0.5])),
            shown(Decimal128Array::from(vec![Some(1234)]).with_precision_and_scale(6, 2).expect("a decimal")),
            shown(StringArray::from(vec!["a"])),
            shown(vec![Some("x"), None, Some("x")].into_iter().collect::<DictionaryArray<Int8Type>>()),
            shown(Date32Array::from(vec![1])),
            shown(TimestampSecondArray::from(vec![1])),
            shown(TimestampSecondArray::from(vec![1]).with_timezone("+01:00")),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        Int64: -1 
        UInt64: 7
        Float64: 0.5
        Float64: 12.34
        Utf8View: a
        Utf8View: x  x
        Timestamp(ms, "UTC"): 1970-01-02T00:00:00Z
        Timestamp(ms, "UTC"): 1970-01-01T00:00:01Z
        Timestamp(ms, "UTC"): 1970-01-01T00:00:01Z
        "#);
    }

    /// Every type by arrow's own casts, which the binary does without: rows of each with gaps, whole and cut.
    #[test]
    fn each_type_is_converted_as_arrow_casts_it() {
        use arrow::compute::{CastOptions, cast_with_options};
        use arrow::datatypes::{Field, TimeUnit};
        let options = CastOptions { safe: true, ..Default::default() };
        let cast = |array: &ArrayRef, to: &DataType| cast_with_options(array, to, &options).expect("a cast");
        let long = Some("a text that is longer than what a view holds inline");
        let numbers: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![Some(3), None, Some(-120), Some(0)]));
        let naturals: ArrayRef = Arc::new(arrow::array::UInt64Array::from(vec![Some(3), None, Some(200), Some(0)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, long, Some("")]));
        let booleans: ArrayRef =
            Arc::new(arrow::array::BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]));
        let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(-5), None, Some(1_700_000_000), Some(0)]));
        let stamp = |unit, zone: Option<&str>| DataType::Timestamp(unit, zone.map(Into::into));
        let mut given = vec![booleans.clone(), numbers.clone(), naturals.clone(), texts.clone()];
        for to in [DataType::Int8, DataType::Int16, DataType::Int32, DataType::Float16, DataType::Float32] {
            given.push(cast(&numbers, &to));
        }
        for (precision, scale) in [(5, 0), (9, 3), (8, -1)] {
            let all = [
                DataType::Decimal32(precision, scale),
                DataType::Decimal64(precision, scale),
                DataType::Decimal128(precision, scale),
                DataType::Decimal256(precision, scale),
            ];
            given.extend(all.map(|to| cast(&numbers, &to)));
        }
        given.extend([DataType::UInt8, DataType::UInt16, DataType::UInt32].map(|to| cast(&naturals, &to)));
        given.extend([DataType::LargeUtf8, DataType::Utf8View].map(|to| cast(&texts, &to)));
        given.extend([DataType::Date32, DataType::Date64].map(|to| cast(&times, &to)));
        for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
            given.extend([None, Some("UTC"), Some("+02:00")].map(|zone| cast(&times, &stamp(unit, zone))));
        }
        for values in given.clone() {
            for keys in [DataType::Int8, DataType::UInt32] {
                if !matches!(values.data_type(), DataType::Boolean | DataType::Float16) {
                    let to = DataType::Dictionary(Box::new(keys), Box::new(values.data_type().clone()));
                    given.extend(cast_with_options(&values, &to, &options).ok());
                }
            }
        }
        for items in [&numbers, &naturals, &texts, &booleans] {
            let field = Arc::new(Field::new("item", items.data_type().clone(), true));
            let nulls = Some(vec![true, false].into());
            let fixed = FixedSizeListArray::new(Arc::clone(&field), 2, Arc::clone(items), nulls);
            let fixed: ArrayRef = Arc::new(fixed);
            given.extend([DataType::List(Arc::clone(&field)), DataType::LargeList(field)].map(|to| cast(&fixed, &to)));
            given.push(fixed);
        }
        assert!(given.len() > 70, "{} kinds", given.len());
        for array in given {
            for part in [array.slice(0, array.len()), array.slice(1, array.len() - 1), array.slice(0, 0)] {
                let kind = part.data_type().clone();
                let to = normal_type(&kind).expect("a normal type");
                let ours = normalise(&part).expect("supported");
                // A time without a zone is UTC for us, and nothing that arrow would guess.
                let plain = match &kind {
                    DataType::Dictionary(_, values) => cast(&part, values),
                    _ => Arc::clone(&part),
                };
                let plain = match plain.data_type() {
                    DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, None) => {
                        cast(&plain, &stamp(TimeUnit::Millisecond, None))
                    }
                    _ => plain,
                };
                let theirs = cast(&plain, &to);
                let value = |of: &ArrayRef| {
                    let shown =
                        (0..of.len()).map(|i| arrow::util::display::array_value_to_string(of, i).expect("a value"));
                    (of.data_type().clone(), of.logical_null_count(), shown.collect::<Vec<_>>())
                };
                assert_eq!(value(&ours), value(&theirs), "{kind}");
            }
        }
        let empty: DictionaryArray<Int8Type> = vec![None::<&str>, None].into_iter().collect();
        assert_eq!(shown(empty), "Utf8View:  ");
        assert_eq!(shown(NullArray::new(2)), "Null:  ");
        let keys = arrow::array::Int8Array::from(vec![0, 1]);
        assert_eq!(shown(DictionaryArray::new(keys, Arc::new(NullArray::new(2)))), "Null:  ");
        let far = TimestampSecondArray::from(vec![i64::MAX]);
        assert_eq!(shown(far), "Timestamp(ms, \"UTC\"): ");
    }

    #[test]
    fn what_would_unfold_without_bound_is_refused() {
        let item = Arc::new(Field::new("item", DataType::Null, true));
        let nulls =
            FixedSizeListArray::try_new(item, 1_000_000, Arc::new(NullArray::new(3_000_000)), None).expect("an array");
        assert!(normalise(&(Arc::new(nulls) as ArrayRef)).is_err());
        assert!(normal_type(&DataType::Binary).is_err());
    }
}
