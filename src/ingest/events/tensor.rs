//! Tensors of the Open Inference Protocol, and lists of values that name no type: their types, shapes and values. Pure.
//!
//! Values that came as JSON are held by kind; those that came packed stay packed, and are read where they are asked for.

use std::borrow::Cow;

use bytes::Bytes;
use half::{bf16, f16};

use super::reject::{Reason, Reject};
use crate::frame::json::Value;
use crate::stats::whole;

/// A longer text is a blob, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// Tensors of one body, and columns that V1 rows name.
pub const MAX_TENSORS: usize = 4096;
/// A tensor may have so many dimensions.
pub const MAX_RANK: usize = 16;

/// The types of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool,
    /// So many bytes, with a sign.
    Int(usize),
    /// So many bytes.
    UInt(usize),
    /// IEEE half precision.
    Fp16,
    /// The upper half of a single.
    Bf16,
    /// Single precision.
    Fp32,
    /// Double precision.
    Fp64,
    /// Texts or blobs.
    Bytes,
    /// The sender named none: values as JSON has them.
    Json,
}

const TYPES: [(&str, Type); 14] = [
    ("BOOL", Type::Bool),
    ("INT8", Type::Int(1)),
    ("INT16", Type::Int(2)),
    ("INT32", Type::Int(4)),
    ("INT64", Type::Int(8)),
    ("UINT8", Type::UInt(1)),
    ("UINT16", Type::UInt(2)),
    ("UINT32", Type::UInt(4)),
    ("UINT64", Type::UInt(8)),
    ("FP16", Type::Fp16),
    ("BF16", Type::Bf16),
    ("FP32", Type::Fp32),
    ("FP64", Type::Fp64),
    ("BYTES", Type::Bytes),
];

impl Type {
    /// By its name on the wire.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        TYPES.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(_, known)| *known == self).map_or("JSON", |(name, _)| name)
    }

    /// Bytes of one value when packed; none where they differ.
    #[must_use]
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Bool => Some(1),
            Self::Int(size) | Self::UInt(size) => Some(size),
            Self::Fp16 | Self::Bf16 => Some(2),
            Self::Fp32 => Some(4),
            Self::Fp64 => Some(8),
            Self::Bytes | Self::Json => None,
        }
    }

    /// One packed value of [`Type::size`] bytes.
    fn unpack(self, bytes: &[u8]) -> Value<'static> {
        let mut eight = [0_u8; 8];
        let length = bytes.len().min(8);
        eight[..length].copy_from_slice(&bytes[..length]);
        let raw = u64::from_le_bytes(eight);
        let low16 = u16::from_le_bytes([eight[0], eight[1]]);
        let unused = 64_u32.saturating_sub(u32::try_from(length).unwrap_or(8).saturating_mul(8));
        match self {
            Self::Bool => Value::Bool(raw != 0),
            // The sign is carried up by shifting there and back.
            Self::Int(_) => Value::Int(raw.cast_signed().wrapping_shl(unused).wrapping_shr(unused)),
            Self::UInt(_) => i64::try_from(raw).map_or(Value::UInt(raw), Value::Int),
            Self::Fp16 => float(f16::from_bits(low16).to_f64()),
            Self::Bf16 => float(bf16::from_bits(low16).to_f64()),
            Self::Fp32 => float(f32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]]).into()),
            Self::Fp64 => float(f64::from_le_bytes(eight)),
            Self::Bytes | Self::Json => Value::Null,
        }
    }
}

/// NaN is no value.
fn float(value: f64) -> Value<'static> {
    if value.is_nan() { Value::Null } else { Value::Float(value) }
}

/// The values of a tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Booleans.
    Bool(Vec<bool>),
    /// Whole numbers.
    Int(Vec<i64>),
    /// Whole numbers, some of which [`Data::Int`] cannot hold.
    UInt(Vec<u64>),
    /// Numbers; NaN stands for none.
    Float(Vec<f64>),
    /// Texts or blobs.
    Bytes(Vec<Bytes>),
    /// Values of several kinds, or some that are missing.
    Mixed(Vec<Value<'static>>),
    /// Values of a type of fixed size, little-endian.
    Packed(Type, Bytes),
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Item<'a> {
    /// A value of a row.
    Value(Value<'a>),
    /// What cannot be one.
    Blob(&'a [u8]),
}

impl Data {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::UInt(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Mixed(values) => values.len(),
            Self::Packed(of, bytes) => bytes.len().checked_div(of.size().unwrap_or(0)).unwrap_or(0),
        }
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The one at a place; none beyond the end.
    #[must_use]
    pub fn at(&self, at: usize) -> Option<Item<'_>> {
        Some(Item::Value(match self {
            Self::Bool(values) => Value::Bool(*values.get(at)?),
            Self::Int(values) => Value::Int(*values.get(at)?),
            Self::UInt(values) => {
                let value = *values.get(at)?;
                i64::try_from(value).map_or(Value::UInt(value), Value::Int)
            }
            Self::Float(values) => float(*values.get(at)?),
            Self::Bytes(values) => return Some(text_or_blob(values.get(at)?)),
            Self::Mixed(values) => match values.get(at)? {
                Value::Text(text) => return Some(text_or_blob(text.as_bytes())),
                value => value.clone(),
            },
            Self::Packed(of, bytes) => {
                let size = of.size()?;
                let from = at.checked_mul(size)?;
                of.unpack(bytes.get(from..from.checked_add(size)?)?)
            }
        }))
    }

    /// The number at a place, if there is one.
    #[must_use]
    pub fn number(&self, at: usize) -> Option<f64> {
        match self.at(at)? {
            Item::Value(Value::Int(value)) => Some(value as f64),
            Item::Value(Value::UInt(value)) => Some(value as f64),
            Item::Value(Value::Float(value)) => Some(value),
            _ => None,
        }
    }

    /// Whether they are numbers that need not be whole.
    #[must_use]
    pub fn is_float(&self) -> bool {
        matches!(self, Self::Float(_) | Self::Packed(Type::Fp16 | Type::Bf16 | Type::Fp32 | Type::Fp64, _))
    }

    /// Bytes of memory they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const EACH: usize = 32;
        match self {
            Self::Bool(values) => values.len(),
            Self::Int(_) | Self::UInt(_) | Self::Float(_) => self.len().saturating_mul(8),
            Self::Bytes(values) => values.iter().map(|value| value.len().saturating_add(EACH)).sum(),
            Self::Mixed(values) => values.iter().map(|value| text_length(value).saturating_add(EACH)).sum(),
            Self::Packed(_, bytes) => bytes.len(),
        }
    }
}

fn text_length(value: &Value<'_>) -> usize {
    if let Value::Text(text) = value { text.len() } else { 0 }
}

fn text_or_blob(bytes: &[u8]) -> Item<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= MAX_TEXT => Item::Value(Value::Text(Cow::Borrowed(text))),
        _ => Item::Blob(bytes),
    }
}

/// A tensor: its first dimension counts rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// The name is ours: the sender gave none.
    pub unnamed: bool,
    /// Names of its columns, where it came with some.
    pub names: Vec<String>,
    /// Its type.
    pub datatype: Type,
    /// Its dimensions: one at least, whose product is the number of values.
    pub shape: Vec<usize>,
    /// Its values.
    pub data: Data,
}

impl Tensor {
    /// One whose parts go together.
    ///
    /// # Errors
    /// The type does not fit the values, or the shape does not.
    pub fn new(name: String, datatype: Type, mut shape: Vec<usize>, data: Data) -> Result<Self, Reject> {
        let wrong = |message: String| Reject::new(Reason::Tensor, format!("tensor `{name}`: {message}"));
        if shape.is_empty() {
            shape.push(1); // a single value is one row
        }
        let wanted = count(&shape).map_err(&wrong)?;
        if wanted != data.len() {
            let values = data.len();
            return Err(wrong(format!("shape {} has {wanted} values, and the data {values}", shown(&shape))));
        }
        let data = typed(datatype, data).map_err(wrong)?;
        Ok(Self { name, unnamed: false, names: Vec::new(), datatype, shape, data })
    }

    /// The same with values of its own, where they were part of a body.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.data = match self.data {
            Data::Packed(of, bytes) => Data::Packed(of, Bytes::copy_from_slice(&bytes)),
            Data::Bytes(values) => Data::Bytes(values.iter().map(|value| Bytes::copy_from_slice(value)).collect()),
            data => data,
        };
        self
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Values of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Bytes of memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.bytes().saturating_add(self.name.len()).saturating_add(128)
    }
}

/// A shape as people write it.
pub fn shown(shape: &[usize]) -> String {
    let dimensions: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", dimensions.join(", "))
}

/// The number of values of a shape.
///
/// # Errors
/// It has too many dimensions, or more values than can be.
pub fn count(shape: &[usize]) -> Result<usize, String> {
    if shape.len() > MAX_RANK {
        return Err(format!("it has {} dimensions, more than {MAX_RANK}", shape.len()));
    }
    let product = |shape: &[usize]| shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    // A zero hides what the others multiply to, which widths are made of.
    let whole: Vec<usize> = shape.iter().map(|size| (*size).max(1)).collect();
    match (product(&whole), product(shape)) {
        (Some(_), Some(values)) => Ok(values),
        _ => Err(format!("shape {} has more values than can be", shown(shape))),
    }
}

/// Values as their type has them.
fn typed(datatype: Type, data: Data) -> Result<Data, String> {
    if matches!(datatype, Type::Json) || matches!(data, Data::Packed(..)) || data.is_empty() {
        return Ok(data);
    }
    let fits = |value: &Value<'_>| match (datatype, value) {
        (_, Value::Null)
        | (Type::Bool, Value::Bool(_))
        | (Type::Bytes, Value::Text(_))
        | (Type::Fp16 | Type::Bf16 | Type::Fp32 | Type::Fp64, Value::Int(_) | Value::UInt(_) | Value::Float(_)) => true,
        (Type::Bool, Value::Int(value)) => matches!(value, 0 | 1),
        (Type::Int(size), Value::Int(value)) => within(*value, size),
        (Type::UInt(size), Value::Int(value)) => u64::try_from(*value).is_ok_and(|value| within_unsigned(value, size)),
        (Type::UInt(size), Value::UInt(value)) => within_unsigned(*value, size),
        (Type::Int(size), Value::Float(value)) => exact(*value).is_some_and(|value| within(value, size)),
        (Type::UInt(size), Value::Float(value)) => {
            exact(*value).and_then(|value| u64::try_from(value).ok()).is_some_and(|value| within_unsigned(value, size))
        }
        _ => false,
    };
    for at in 0..data.len() {
        let value = match data.at(at) {
            Some(Item::Value(value)) => value,
            Some(Item::Blob(_)) => Value::Text(Cow::Borrowed("")),
            None => Value::Null,
        };
        if !fits(&value) {
            return Err(format!("value {at} is no {}", datatype.name()));
        }
    }
    Ok(match (datatype, data) {
        (Type::Bool, Data::Int(values)) => Data::Bool(values.iter().map(|value| *value != 0).collect()),
        (Type::Int(_) | Type::UInt(_), Data::Float(values)) if values.iter().all(|value| !value.is_nan()) => {
            Data::Int(values.iter().map(|value| whole::signed(*value)).collect())
        }
        (Type::Fp16 | Type::Bf16 | Type::Fp32 | Type::Fp64, Data::Int(values)) => {
            Data::Float(values.iter().map(|value| *value as f64).collect())
        }
        (Type::Fp16 | Type::Bf16 | Type::Fp32 | Type::Fp64, Data::UInt(values)) => {
            Data::Float(values.iter().map(|value| *value as f64).collect())
        }
        (_, data) => data,
    })
}

/// The whole number that a float is exactly.
fn exact(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= whole::EXACT).then(|| whole::signed(value))
}

fn within(value: i64, size: usize) -> bool {
    match size {
        1 => i8::try_from(value).is_ok(),
        2 => i16::try_from(value).is_ok(),
        4 => i32::try_from(value).is_ok(),
        _ => true,
    }
}

fn within_unsigned(value: u64, size: usize) -> bool {
    match size {
        1 => u8::try_from(value).is_ok(),
        2 => u16::try_from(value).is_ok(),
        4 => u32::try_from(value).is_ok(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packed_type_is_read_as_it_was_written() {
        let of = |datatype: Type, bytes: &[u8]| {
            let data = Data::Packed(datatype, Bytes::copy_from_slice(bytes));
            let size = datatype.size().expect("a fixed size");
            let values: Vec<Value<'static>> = bytes.chunks(size).map(|one| datatype.unpack(one)).collect();
            assert_eq!(data.len(), values.len());
            assert!(values.iter().enumerate().all(|(at, one)| data.at(at) == Some(Item::Value(one.clone()))));
            assert_eq!(data.at(values.len()), None);
            values
        };
        assert_eq!(of(Type::Bool, &[0, 1]), [Value::Bool(false), Value::Bool(true)]);
        assert_eq!(of(Type::Int(1), &[0x80, 0x7f]), [Value::Int(-128), Value::Int(127)]);
        for (size, lowest) in [(2, i64::from(i16::MIN)), (4, i64::from(i32::MIN)), (8, i64::MIN)] {
            assert_eq!(of(Type::Int(size), &lowest.to_le_bytes()[..size]), [Value::Int(lowest)], "{size}");
        }
        assert_eq!(of(Type::UInt(1), &[255]), [Value::Int(255)]);
        assert_eq!(of(Type::UInt(2), &[255; 2]), [Value::Int(u16::MAX.into())]);
        assert_eq!(of(Type::UInt(4), &[255; 4]), [Value::Int(u32::MAX.into())]);
        assert_eq!(of(Type::UInt(8), &[255; 8]), [Value::UInt(u64::MAX)]);
        assert_eq!(of(Type::Fp16, &f16::from_f64(-1.5).to_le_bytes()), [Value::Float(-1.5)]);
        assert_eq!(of(Type::Bf16, &bf16::from_f64(2.0).to_le_bytes()), [Value::Float(2.0)]);
        assert_eq!(of(Type::Fp32, &0.1_f32.to_le_bytes()), [Value::Float(0.1_f32.into())]);
        let [nan, inf] = [f64::NAN, f64::INFINITY].map(f64::to_le_bytes);
        assert_eq!(of(Type::Fp64, &[nan, inf].concat()), [Value::Null, Value::Float(f64::INFINITY)]);
    }

    #[test]
    fn names_of_types_are_those_of_the_wire() {
        for (name, datatype) in TYPES {
            assert_eq!((Type::of(name), datatype.name()), (Some(datatype), name));
        }
        assert_eq!((Type::of("FLOAT"), Type::Json.name()), (None, "JSON"));
    }

    #[test]
    fn a_shape_must_go_with_its_values() {
        let made = |shape: &[usize], values: usize| {
            Tensor::new("t".to_owned(), Type::Fp64, shape.to_vec(), Data::Float(vec![0.0; values]))
        };
        assert_eq!(made(&[2, 3], 6).map(|t| (t.rows(), t.width())), Ok((2, 3)));
        assert_eq!(made(&[], 1).map(|t| (t.rows(), t.width())), Ok((1, 1)));
        assert_eq!(made(&[0, 3], 0).map(|t| (t.rows(), t.width())), Ok((0, 3)));
        for (shape, values) in
            [(vec![2, 3], 5), (vec![usize::MAX, 2], 6), (vec![0, usize::MAX, usize::MAX], 0), (vec![1; 17], 1)]
        {
            let reject = made(&shape, values).expect_err("no tensor");
            assert!(reject.reason == Reason::Tensor && reject.message.starts_with("tensor `t`: "), "{reject}");
        }
    }

    #[test]
    fn values_must_be_of_the_type_that_is_named() {
        let made = |datatype, data: Data| {
            let length = data.len();
            Tensor::new("t".to_owned(), datatype, vec![length], data).map(|tensor| tensor.data)
        };
        assert_eq!(made(Type::Bool, Data::Int(vec![0, 1])), Ok(Data::Bool(vec![false, true])));
        assert_eq!(made(Type::Fp32, Data::Int(vec![1])), Ok(Data::Float(vec![1.0])));
        assert_eq!(made(Type::Int(4), Data::Float(vec![1.0, -2.0])), Ok(Data::Int(vec![1, -2])));
        let gap = Data::Mixed(vec![Value::Null, Value::Int(3)]);
        assert_eq!(made(Type::UInt(1), gap.clone()), Ok(gap));
        for (datatype, data) in [
            (Type::Bool, Data::Int(vec![2])),
            (Type::Int(1), Data::Int(vec![128])),
            (Type::UInt(2), Data::Int(vec![-1])),
            (Type::Int(8), Data::UInt(vec![u64::MAX])),
            (Type::Int(4), Data::Float(vec![0.5])),
            (Type::UInt(8), Data::Float(vec![1e300])),
            (Type::Fp64, Data::Bool(vec![true])),
            (Type::Bytes, Data::Int(vec![1])),
            (Type::Fp32, Data::Mixed(vec![Value::Text("NaN".into())])),
        ] {
            assert!(made(datatype, data.clone()).is_err(), "{datatype:?} {data:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_a_blob() {
        let long = vec![b'a'; MAX_TEXT + 1];
        let data = Data::Bytes(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"\xff"), Bytes::from(long)]);
        assert_eq!(data.at(0), Some(Item::Value(Value::Text("ab".into()))));
        assert!(matches!(data.at(1), Some(Item::Blob(b"\xff"))));
        assert!(matches!(data.at(2), Some(Item::Blob(bytes)) if bytes.len() == MAX_TEXT + 1));
        assert_eq!(data.at(3), None);
    }
}
