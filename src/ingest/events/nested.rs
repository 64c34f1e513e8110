//! JSON lists, nested or flat, as the values of a tensor and their shape. Pure, and bounded: what the values take in memory is
//! counted as they come.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{self, Deserialize as _, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reject::{Reason, Reject};
use super::tensor::{Data, MAX_RANK};
use crate::frame::json::Value;

/// Bytes that values of one event may still take.
#[derive(Debug, Clone, Copy)]
pub struct Budget(pub usize);

/// Values as they come. Several texts may be read one after the other, as rows of one list.
#[derive(Debug, Default)]
pub struct Nested {
    /// The length of the lists at each depth.
    dimensions: Vec<usize>,
    /// How deep values lie.
    leaf: Option<usize>,
    data: Option<Data>,
    too_large: bool,
}

impl Nested {
    /// A list of values, whose lists may be nested, or one value.
    ///
    /// # Errors
    /// It is none, or takes more than the budget.
    pub fn read(text: &RawValue, name: &str, budget: &mut Budget) -> Result<(Vec<usize>, Data), Reject> {
        let mut nested = Self::default();
        nested.add(text, 0, name, budget)?;
        Ok(nested.finish())
    }

    /// More values, as if they stood that deep.
    ///
    /// # Errors
    /// As of [`Nested::read`].
    pub fn add(&mut self, text: &RawValue, depth: usize, name: &str, budget: &mut Budget) -> Result<(), Reject> {
        let mut source = serde_json::Deserializer::from_str(text.get());
        let read = Node { nested: self, budget, depth }.deserialize(&mut source);
        read.map_err(|error| {
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or(&text);
            let reason = if self.too_large { Reason::TooLarge } else { Reason::Tensor };
            Reject::new(reason, format!("`{name}`: {message}"))
        })
    }

    /// A missing value, that deep.
    ///
    /// # Errors
    /// The other values lie deeper.
    pub fn add_missing(&mut self, depth: usize, name: &str, budget: &mut Budget) -> Result<(), Reject> {
        self.push(Value::Null, depth, budget)
            .map_err(|message| Reject::new(Reason::Tensor, format!("`{name}` is missing in some rows: {message}")))
    }

    /// What was read: the shape below the depth of the first [`Nested::add`], and the values.
    #[must_use]
    pub fn finish(self) -> (Vec<usize>, Data) {
        (self.dimensions, self.data.unwrap_or(Data::Float(Vec::new())))
    }

    /// The dimensions of a list of so many rows that were added one by one at depth 1.
    #[must_use]
    pub fn finish_rows(self, rows: usize) -> (Vec<usize>, Data) {
        let (mut shape, data) = self.finish();
        match shape.first_mut() {
            Some(first) => *first = rows,
            None => shape.push(rows),
        }
        (shape, data)
    }

    /// Notes a list's length; lists of one depth are of one length.
    fn close(&mut self, depth: usize, length: usize) -> Result<(), String> {
        // Depths that no list of this text stands at.
        while self.dimensions.len() < depth {
            self.dimensions.push(OPEN);
        }
        match self.dimensions.get_mut(depth) {
            None => self.dimensions.push(length),
            Some(known) if *known == OPEN => *known = length,
            Some(known) if *known != length => {
                return Err(format!("lists of one depth are of {known} and of {length} values; rows must be alike"));
            }
            Some(_) => {}
        }
        match self.leaf {
            Some(leaf) if depth >= leaf => Err(UNEVEN.to_owned()),
            _ => Ok(()),
        }
    }

    fn push(&mut self, value: Value<'_>, depth: usize, budget: &mut Budget) -> Result<(), String> {
        match self.leaf {
            None if self.dimensions.len() > depth && self.dimensions.get(depth).is_some_and(|known| *known != OPEN) => {
                return Err(UNEVEN.to_owned());
            }
            None => self.leaf = Some(depth),
            Some(leaf) if leaf != depth => return Err(UNEVEN.to_owned()),
            Some(_) => {}
        }
        let data = self.data.take();
        let before = data.as_ref().map_or(0, |data| if matches!(data, Data::Mixed(_)) { 0 } else { data.len() });
        let (data, mixes) = put(data, value);
        let cost = match &data {
            Data::Bool(_) => 1,
            Data::Bytes(values) => values.last().map_or(0, Bytes::len).saturating_add(EACH),
            Data::Mixed(_) if mixes => before.saturating_add(1).saturating_mul(EACH),
            Data::Mixed(values) => match values.last() {
                Some(Value::Text(text)) => text.len().saturating_add(EACH),
                _ => EACH,
            },
            _ => 8,
        };
        self.data = Some(data);
        let Some(left) = budget.0.checked_sub(cost) else {
            self.too_large = true;
            return Err("its values take more memory than a body may (ingest.max_body); send fewer at once".to_owned());
        };
        budget.0 = left;
        Ok(())
    }
}

const EACH: usize = 32;
const OPEN: usize = usize::MAX;
const UNEVEN: &str = "values and lists stand side by side; rows must be alike";

/// Appends the value; true where the values became ones of several kinds by it.
fn put(data: Option<Data>, value: Value<'_>) -> (Data, bool) {
    match (data, value) {
        (None, Value::Bool(value)) => (Data::Bool(vec![value]), false),
        (None, Value::Int(value)) => (Data::Int(vec![value]), false),
        (None, Value::UInt(value)) => (Data::UInt(vec![value]), false),
        (None, Value::Float(value)) => (Data::Float(vec![value]), false),
        (None, Value::Text(text)) => (Data::Bytes(vec![bytes(text)]), false),
        (Some(Data::Bool(mut values)), Value::Bool(value)) => {
            values.push(value);
            (Data::Bool(values), false)
        }
        (Some(Data::Int(mut values)), Value::Int(value)) => {
            values.push(value);
            (Data::Int(values), false)
        }
        (Some(Data::Float(mut values)), value @ (Value::Float(_) | Value::Int(_) | Value::UInt(_) | Value::Null)) => {
            values.push(number(&value));
            (Data::Float(values), false)
        }
        (Some(Data::UInt(mut values)), Value::UInt(value)) => {
            values.push(value);
            (Data::UInt(values), false)
        }
        (Some(Data::UInt(mut values)), Value::Int(value)) if value >= 0 => {
            values.push(value.unsigned_abs());
            (Data::UInt(values), false)
        }
        (Some(Data::Int(values)), Value::UInt(value)) if values.iter().all(|value| *value >= 0) => {
            (Data::UInt(values.iter().map(|value| value.unsigned_abs()).chain([value]).collect()), false)
        }
        (Some(Data::Int(values)), value @ (Value::Float(_) | Value::UInt(_))) => {
            (Data::Float(values.iter().map(|value| *value as f64).chain([number(&value)]).collect()), false)
        }
        (Some(Data::UInt(values)), value @ (Value::Float(_) | Value::Int(_))) => {
            (Data::Float(values.iter().map(|value| *value as f64).chain([number(&value)]).collect()), false)
        }
        (Some(Data::Bytes(mut values)), Value::Text(text)) => {
            values.push(bytes(text));
            (Data::Bytes(values), false)
        }
        (Some(Data::Mixed(mut values)), value) => {
            values.push(owned(value));
            (Data::Mixed(values), false)
        }
        (data, value) => {
            let mut values: Vec<Value<'static>> = data.map(mixed).unwrap_or_default();
            values.push(owned(value));
            (Data::Mixed(values), true)
        }
    }
}

fn mixed(data: Data) -> Vec<Value<'static>> {
    match data {
        Data::Bool(values) => values.into_iter().map(Value::Bool).collect(),
        Data::Int(values) => values.into_iter().map(Value::Int).collect(),
        Data::UInt(values) => values.into_iter().map(|v| i64::try_from(v).map_or(Value::UInt(v), Value::Int)).collect(),
        Data::Float(values) => {
            values.into_iter().map(|v| if v.is_nan() { Value::Null } else { Value::Float(v) }).collect()
        }
        Data::Bytes(values) => {
            let text = |value: &Bytes| Value::Text(String::from_utf8_lossy(value).into_owned().into());
            values.iter().map(text).collect()
        }
        Data::Mixed(values) => values,
        Data::Packed(..) => Vec::new(),
    }
}

fn number(value: &Value<'_>) -> f64 {
    match value {
        Value::Int(value) => *value as f64,
        Value::UInt(value) => *value as f64,
        Value::Float(value) => *value,
        _ => f64::NAN,
    }
}

fn bytes(text: Cow<'_, str>) -> Bytes {
    match text {
        Cow::Borrowed(text) => Bytes::copy_from_slice(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(value) => Value::Bool(value),
        Value::Int(value) => Value::Int(value),
        Value::UInt(value) => Value::UInt(value),
        Value::Float(value) => Value::Float(value),
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::Numbers(values) => Value::Numbers(values),
        Value::Texts(values) => Value::Texts(values),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(name, value)| (name, owned(value))).collect()),
        Value::Nested(what) => Value::Nested(what),
    }
}

/// A value or a list of them.
struct Node<'n, 'b> {
    nested: &'n mut Nested,
    budget: &'b mut Budget,
    depth: usize,
}

impl Node<'_, '_> {
    fn value<E: de::Error>(self, value: Value<'_>) -> Result<(), E> {
        self.nested.push(value, self.depth, self.budget).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.value(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.value(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.value(Value::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.value(i64::try_from(value).map_or(Value::UInt(value), Value::Int))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.value(Value::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.value(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { nested, budget, depth } = self;
        if depth >= MAX_RANK {
            return Err(de::Error::custom(format!("lists are nested deeper than {MAX_RANK}")));
        }
        let inner = depth.saturating_add(1);
        let mut length = 0_usize;
        while list.next_element_seed(Node { nested: &mut *nested, budget: &mut *budget, depth: inner })?.is_some() {
            length = length.saturating_add(1);
        }
        nested.close(depth, length).map_err(de::Error::custom)
    }

    /// Bytes are written `{"b64": "..."}` where there are no types.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { nested, budget, depth } = self;
        let is_bytes = map.next_key::<Cow<'de, str>>()?.is_some_and(|key| key == "b64");
        if !is_bytes {
            return Err(de::Error::custom("an object stands where a value should"));
        }
        let text = map.next_value_seed(Text)?;
        let decoded = STANDARD.decode(text.as_bytes());
        let decoded = decoded.map_err(|error| de::Error::custom(format!("b64 is no base64: {error}")))?;
        if map.next_key::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::custom("an object stands where a value should"));
        }
        // What is no text goes past `put`, which knows texts alone.
        nested.push(Value::Text(Cow::Borrowed("")), depth, budget).map_err(de::Error::custom)?;
        match nested.data.as_mut() {
            Some(Data::Bytes(values)) => {
                budget.0 = budget.0.saturating_sub(decoded.len());
                if let Some(last) = values.last_mut() {
                    *last = decoded.into();
                }
                Ok(())
            }
            _ => Err(de::Error::custom("b64 stands beside values of another kind")),
        }
    }
}

struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        String::deserialize(deserializer).map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<usize>, Data), String> {
        let raw: &RawValue = serde_json::from_str(text).expect("json");
        Nested::read(raw, "x", &mut Budget(10_000)).map_err(|reject| reject.message)
    }

    #[test]
    fn lists_have_a_shape_and_a_kind() {
        let ok = |shape: &[usize], data| Ok((shape.to_vec(), data));
        assert_eq!(read("[[1, 2], [3, 4], [5, 6]]"), ok(&[3, 2], Data::Int(vec![1, 2, 3, 4, 5, 6])));
        assert_eq!(read("[1, 2.5, -3]"), ok(&[3], Data::Float(vec![1.0, 2.5, -3.0])));
        assert_eq!(read("7"), ok(&[], Data::Int(vec![7])));
        assert_eq!(read("[1, 18446744073709551615]"), ok(&[2], Data::UInt(vec![1, u64::MAX])));
        assert_eq!(read("[true, false]"), ok(&[2], Data::Bool(vec![true, false])));
        assert_eq!(read("[[\"a\"], [\"b\"]]"), ok(&[2, 1], Data::Bytes(vec!["a".into(), "b".into()])));
        assert_eq!(read("[{\"b64\": \"/w==\"}]"), ok(&[1], Data::Bytes(vec![Bytes::from_static(b"\xff")])));
        assert_eq!(read("[[], []]"), ok(&[2, 0], Data::Float(Vec::new())));
        let mixed = vec![Value::Float(5.1), Value::Text("red".into()), Value::Null, Value::Bool(true)];
        assert_eq!(read("[5.1, \"red\", null, true]"), ok(&[4], Data::Mixed(mixed)));
        let Ok((_, Data::Float(gap))) = read("[1.5, null]") else { panic!("numbers") };
        assert!(gap[1].is_nan());
    }

    #[test]
    fn what_is_uneven_or_deep_is_told() {
        for text in ["[[1, 2], [3]]", "[[1], 2]", "[1, [2]]", "[[], 1]", "[[[1]], [2]]"] {
            let told = read(text).expect_err(text);
            assert!(told.contains("rows must be alike"), "{text}: {told}");
        }
        let deep = format!("{}1{}", "[".repeat(17), "]".repeat(17));
        assert!(read(&deep).expect_err("deep").contains("nested deeper than 16"));
        for text in ["[{\"a\": 1}]", "[{\"b64\": \"*\"}]", "[1, {\"b64\": \"\"}]", "[{\"b64\": \"\", \"c\": 1}]"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_is_counted_as_values_come() {
        let limit = |text: &str, bytes: usize| {
            let raw: &RawValue = serde_json::from_str(text).expect("json");
            Nested::read(raw, "x", &mut Budget(bytes)).map_err(|reject| reject.reason)
        };
        assert!(limit("[1, 2, 3]", 24).is_ok());
        assert_eq!(limit("[1, 2, 3]", 23), Err(Reason::TooLarge));
        assert_eq!(limit("[1, 2, \"a\"]", 100), Err(Reason::TooLarge), "three of several kinds take more");
        assert_eq!(limit("[\"0123456789\"]", 40), Err(Reason::TooLarge));
    }

    #[test]
    fn rows_that_come_one_by_one_are_one_list() {
        let mut nested = Nested::default();
        let mut budget = Budget(1000);
        for text in ["[1, 2]", "[3, 4]"] {
            let raw: &RawValue = serde_json::from_str(text).expect("json");
            nested.add(raw, 1, "x", &mut budget).expect("a row");
        }
        assert_eq!(nested.finish_rows(2), (vec![2, 2], Data::Int(vec![1, 2, 3, 4])));
        let mut nested = Nested::default();
        nested.add_missing(1, "x", &mut budget).expect("missing");
        nested.add(serde_json::from_str("2").expect("json"), 1, "x", &mut budget).expect("a row");
        assert_eq!(nested.finish_rows(2), (vec![2], Data::Mixed(vec![Value::Null, Value::Int(2)])));
    }
}
