//! What is done to a column at the door, before anything of it is written: dropped, hashed with a key, rounded, or put into bins.

use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringViewArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use serde::Deserialize;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::frame::normal::convert;

/// Bins of a column at most.
const MOST_BINS: usize = 1000;

/// What is done to a column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// It is left out.
    Drop,
    /// Each value becomes 32 hex digits, the same ones wherever the key is the same (SipHash-2-4 of 128 bits).
    Hash,
    /// Numbers become the nearest multiple of this.
    Round(f64),
    /// Numbers become the name of the bin between these edges, rising: `<18`, `18..30`, `>=30`.
    Bins(Vec<f64>),
}

/// The key that values are hashed with; who has it can find out which value a hash is of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Key(Option<[u8; 16]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Key(..)" } else { "Key(none)" })
    }
}

impl Key {
    /// The key in a file's text: 32 hex digits.
    ///
    /// # Errors
    /// It is none; says how one is made.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.trim();
        let bytes = (digits.len() == 32).then(|| u128::from_str_radix(digits, 16).ok()).flatten();
        let key = bytes.ok_or("is no key; write 32 hex digits (openssl rand -hex 16)")?;
        Ok(Self(Some(key.to_be_bytes())))
    }
}

impl Treatment {
    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Round(step) if !(step.is_finite() && *step > 0.0) => Some("round must be more than 0"),
            Self::Bins(edges) if edges.is_empty() || edges.len() > MOST_BINS => Some("bins need 1 to 1000 edges"),
            Self::Bins(edges) if !edges.iter().all(|edge| edge.is_finite()) => Some("bins need finite edges"),
            Self::Bins(edges) if edges.windows(2).any(|pair| pair[0] >= pair[1]) => Some("bins need edges that rise"),
            _ => None,
        }
    }

    /// The column as it may be written; missing values stay missing.
    ///
    /// # Errors
    /// It cannot be treated so, and must not be written as it is.
    pub fn apply(&self, column: &ArrayRef, key: Key) -> Result<ArrayRef, String> {
        match self {
            Self::Drop => Err("it is to be dropped".to_owned()),
            Self::Hash => hashed(column, key),
            Self::Round(step) => {
                let numbers = numbers(column)?;
                let rounded = numbers.iter().map(|value| {
                    let rounded = (value? / step).round() * step;
                    rounded.is_finite().then_some(rounded + 0.0)
                });
                Ok(Arc::new(rounded.collect::<Float64Array>()))
            }
            Self::Bins(edges) => {
                let names = names(edges);
                let bin = |value: f64| names.get(edges.partition_point(|edge| *edge <= value)).map(String::as_str);
                let binned = numbers(column)?.iter().map(|value| bin(value.filter(|value| !value.is_nan())?)).collect();
                let binned: StringViewArray = binned;
                Ok(Arc::new(binned))
            }
        }
    }
}

/// The names of the bins between rising edges.
fn names(edges: &[f64]) -> Vec<String> {
    let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return Vec::new() };
    let between = edges.windows(2).map(|pair| format!("{}..{}", pair[0], pair[1]));
    std::iter::once(format!("<{first}")).chain(between).chain([format!(">={last}")]).collect()
}

fn numbers(column: &ArrayRef) -> Result<Float64Array, String> {
    let is_number = matches!(column.data_type(), DataType::Int64 | DataType::UInt64 | DataType::Float64);
    let floats = is_number.then(|| convert(column, &DataType::Float64)).flatten();
    floats.map(|floats| floats.as_primitive::<Float64Type>().clone()).ok_or_else(|| "holds no numbers".to_owned())
}

fn hashed(column: &ArrayRef, key: Key) -> Result<ArrayRef, String> {
    let Some(key) = key.0 else { return Err("is to be hashed, and there is no key (models.hash_key_file)".to_owned()) };
    let hash = |value: &str| {
        let mut hasher = SipHasher24::new_with_key(&key);
        hasher.write(value.as_bytes());
        format!("{:032x}", hasher.finish128().as_u128())
    };
    let hashes: StringViewArray = match column.data_type() {
        DataType::Utf8View => column.as_string_view().iter().map(|value| value.map(hash)).collect(),
        DataType::Boolean => {
            let booleans: &BooleanArray = column.as_boolean();
            booleans.iter().map(|value| value.map(|value| hash(if value { "true" } else { "false" }))).collect()
        }
        // A whole number is the same as whole and as real, as ids are.
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().map(|v| v.map(|v| hash(&v.to_string()))).collect(),
        DataType::UInt64 => {
            column.as_primitive::<UInt64Type>().iter().map(|v| v.map(|v| hash(&v.to_string()))).collect()
        }
        DataType::Float64 => {
            let floats = column.as_primitive::<Float64Type>().iter();
            floats.map(|v| v.map(|v| hash(&(v + 0.0).to_string()))).collect()
        }
        _ => return Err("holds neither texts, numbers nor truth values, and cannot be hashed".to_owned()),
    };
    Ok(Arc::new(hashes))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, ListArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f";

    fn texts(column: &ArrayRef) -> Vec<Option<String>> {
        column.as_string_view().iter().map(|value| value.map(str::to_owned)).collect()
    }

    #[test]
    fn a_hash_is_siphash_and_depends_on_the_key_and_the_value_alone() {
        let key = Key::parse(&format!("{KEY}\n")).expect("a key");
        let text: ArrayRef = Arc::new(StringViewArray::from(vec![Some(""), Some("7"), None]));
        let hashes = texts(&Treatment::Hash.apply(&text, key).expect("hashed"));
        // Of the empty text under this key: the first test vector of the algorithm's authors, its bytes as one number, the lowest first.
        assert_eq!(hashes[0].as_deref(), Some("930255c71472f66de6a825ba047f81a3"));
        assert_eq!(hashes[2], None);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(7.0), Some(-0.0)]));
        for other in [numbers, floats] {
            assert_eq!(texts(&Treatment::Hash.apply(&other, key).expect("hashed"))[0], hashes[1]);
        }
        let other = Key::parse(&KEY.replace("0f", "10")).expect("a key");
        assert_ne!(texts(&Treatment::Hash.apply(&text, other).expect("hashed"))[1], hashes[1]);
        assert!(Treatment::Hash.apply(&text, Key::default()).expect_err("no key").contains("hash_key_file"));
        assert!(!format!("{key:?}").contains("01"));
    }

    #[test]
    fn numbers_become_coarser_and_nothing_else_passes() {
        let numbers: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(17.9), Some(18.0), Some(44.0), None, Some(f64::NAN)]));
        let bins = Treatment::Bins(vec![18.0, 30.0]);
        let binned = texts(&bins.apply(&numbers, Key::default()).expect("binned"));
        assert_eq!(
            binned.iter().map(Option::as_deref).collect::<Vec<_>>(),
            [Some("<18"), Some("18..30"), Some(">=30"), None, None]
        );
        let rounded = Treatment::Round(5.0).apply(&numbers, Key::default()).expect("rounded");
        let rounded: Vec<_> = rounded.as_primitive::<Float64Type>().iter().collect();
        assert_eq!(rounded, [Some(20.0), Some(20.0), Some(45.0), None, None]);
        let text: ArrayRef = Arc::new(StringViewArray::from(vec!["secret"]));
        for treatment in [bins, Treatment::Round(5.0), Treatment::Drop] {
            assert!(treatment.apply(&text, Key::default()).is_err(), "{treatment:?}");
        }
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]));
        assert!(Treatment::Hash.apply(&list, Key::parse(KEY).expect("a key")).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (treatment, wrong) in [
            (Treatment::Round(0.0), true),
            (Treatment::Round(f64::INFINITY), true),
            (Treatment::Bins(vec![]), true),
            (Treatment::Bins(vec![2.0, 1.0]), true),
            (Treatment::Bins(vec![f64::NAN]), true),
            (Treatment::Bins(vec![1.0, 2.0]), false),
            (Treatment::Round(0.5), false),
            (Treatment::Hash, false),
        ] {
            assert_eq!(treatment.problem().is_some(), wrong, "{treatment:?}");
        }
        for text in ["", "abc", &"g".repeat(32), &"0".repeat(31)] {
            assert!(Key::parse(text).expect_err(text).contains("32 hex digits"));
        }
    }
}
