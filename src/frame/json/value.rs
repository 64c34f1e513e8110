//! A value of a row. What an object holds becomes fields of the row, their names joined by dots.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::frame::normal::ColumnKind;

const UNLIKE: &str = "a list of unlike things; it may hold numbers or strings";

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// None.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that [`Value::Int`] cannot hold.
    UInt(u64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list of numbers.
    Numbers(Vec<Option<f64>>),
    /// A list of texts.
    Texts(Vec<Option<String>>),
    /// An object's fields.
    Object(Vec<(String, Self)>),
    /// A list of what cannot be listed, or an object within objects within objects.
    Nested(&'static str),
}

impl Value<'_> {
    /// What it is; none for what has no kind of its own.
    #[must_use]
    pub fn kind(&self) -> Option<ColumnKind> {
        match self {
            Self::Null | Self::Object(_) | Self::Nested(_) => None,
            Self::Bool(_) => Some(ColumnKind::Boolean),
            Self::Int(_) | Self::UInt(_) | Self::Float(_) => Some(ColumnKind::Number),
            Self::Text(_) => Some(ColumnKind::String),
            Self::Numbers(_) => Some(ColumnKind::Numbers),
            Self::Texts(_) => Some(ColumnKind::Strings),
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsValue;
        impl<'de> Visitor<'de> for AsValue {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Value::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Value::Int(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(i64::try_from(value).map_or(Value::UInt(value), Value::Int))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Value::Float(value))
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Owned(value.to_owned())))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Value::Object(fields))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let (mut numbers, mut texts) = (Vec::new(), Vec::new());
                let mut nested = false;
                while let Some(item) = list.next_element::<Value<'de>>()? {
                    let number = match &item {
                        Value::Int(v) => Some(*v as f64),
                        Value::UInt(v) => Some(*v as f64),
                        Value::Float(v) => Some(*v),
                        _ => None,
                    };
                    match item {
                        Value::Null => {
                            numbers.push(None);
                            texts.push(None);
                        }
                        Value::Text(text) => texts.push(Some(text.into_owned())),
                        _ if number.is_some() => numbers.push(number),
                        _ => nested = true,
                    }
                }
                let (any_number, any_text) = (numbers.iter().any(Option::is_some), texts.iter().any(Option::is_some));
                Ok(match (any_number, any_text) {
                    (true, true) => Value::Nested(UNLIKE),
                    _ if nested => Value::Nested(UNLIKE),
                    (true, false) => Value::Numbers(numbers),
                    (false, true) => Value::Texts(texts),
                    // Nothing says what it is a list of.
                    (false, false) => Value::Null,
                })
            }
        }
        deserializer.deserialize_any(AsValue)
    }
}
