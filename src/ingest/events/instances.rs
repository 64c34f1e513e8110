//! Rows of V1 to tensors: lists and values by their place, objects by their keys. Pure.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::nested::{Budget, Nested};
use super::reject::{Reason, Reject, no_body};
use super::tensor::{MAX_TENSORS, Tensor, Type};

/// Objects within objects of rows.
const MAX_DEPTH: usize = 8;

/// `instances` or `predictions`: rows that are values, lists, or objects with a name for each value.
///
/// # Errors
/// They are none, or are unlike one another.
pub fn by_rows(value: &RawValue, unnamed: &str, budget: &mut Budget) -> Result<Vec<Tensor>, Reject> {
    let text = value.get();
    let first = text.strip_prefix('[').map(str::trim_ascii_start).unwrap_or_default();
    if !first.starts_with('{') || is_bytes(first) {
        if !text.starts_with('[') {
            return Err(no_body(format!("the rows are no list but {}", text.chars().take(20).collect::<String>())));
        }
        let tensor = column(value, unnamed.to_owned(), budget)?;
        return Ok(vec![Tensor { unnamed: true, ..tensor }]);
    }
    let rows: Vec<Fields<'_>> =
        serde_json::from_str(text).map_err(|error| no_body(format!("rows are objects, or none is: {error}")))?;
    let length = rows.len();
    let mut columns = Columns::default();
    for (at, row) in rows.into_iter().enumerate() {
        columns.next = 0;
        for (name, value) in row.0 {
            columns.add(name.into_owned(), value, at, 0, budget)?;
        }
    }
    let whole = |mut column: Growing| {
        column.fill_to(length, budget)?;
        let (shape, data) = column.values.finish_rows(length);
        Tensor::new(column.name, Type::Json, shape, data)
    };
    columns.list.into_iter().map(whole).collect()
}

/// A column that grows row by row.
struct Growing {
    name: String,
    values: Nested,
    rows: usize,
}

impl Growing {
    fn fill_to(&mut self, rows: usize, budget: &mut Budget) -> Result<(), Reject> {
        while self.rows < rows {
            self.values.add_missing(1, &self.name, budget)?;
            self.rows = self.rows.saturating_add(1);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Columns {
    list: Vec<Growing>,
    by_name: HashMap<String, usize>,
    /// Where the next field is expected: rows mostly have their fields in one order.
    next: usize,
}

impl Columns {
    /// A field of the row `at`; those of an object within it, with its name before theirs.
    fn add(
        &mut self,
        name: String,
        value: &RawValue,
        at: usize,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), Reject> {
        let text = value.get();
        if text.starts_with('{') && !is_bytes(text) {
            if depth >= MAX_DEPTH {
                return Err(no_body(format!("`{name}` is nested deeper than {MAX_DEPTH} objects")));
            }
            let fields: Fields<'_> =
                serde_json::from_str(text).map_err(|error| no_body(format!("`{name}`: {error}")))?;
            for (below, value) in fields.0 {
                self.add(format!("{name}.{below}"), value, at, depth.saturating_add(1), budget)?;
            }
            return Ok(());
        }
        let column = self.column(name)?;
        if column.rows > at {
            return Err(no_body(format!("row {at} has `{}` twice", column.name)));
        }
        column.fill_to(at, budget)?;
        column.values.add(value, 1, &column.name, budget)?;
        column.rows = column.rows.saturating_add(1);
        Ok(())
    }

    fn column(&mut self, name: String) -> Result<&mut Growing, Reject> {
        let expected = self.list.get(self.next).is_some_and(|column| column.name == name);
        let place = if expected { Some(self.next) } else { self.by_name.get(&name).copied() };
        let place = match place {
            Some(place) => place,
            None if self.list.len() >= MAX_TENSORS => {
                let message = format!("the rows have more than {MAX_TENSORS} fields");
                return Err(Reject::new(Reason::TooLarge, message));
            }
            None => {
                self.by_name.insert(name.clone(), self.list.len());
                self.list.push(Growing { name, values: Nested::default(), rows: 0 });
                self.list.len().saturating_sub(1)
            }
        };
        self.next = place.saturating_add(1);
        Ok(&mut self.list[place])
    }
}

/// Bytes are written as an object where there are no types.
fn is_bytes(text: &str) -> bool {
    text.strip_prefix('{').is_some_and(|rest| rest.trim_ascii_start().starts_with("\"b64\""))
}

/// A column of its own.
///
/// # Errors
/// Its values are none, or are unlike one another.
pub fn column(value: &RawValue, name: String, budget: &mut Budget) -> Result<Tensor, Reject> {
    let (shape, data) = Nested::read(value, &name, budget)?;
    Tensor::new(name, Type::Json, shape, data)
}

/// The fields of an object in their order. One that comes twice is kept twice: whoever reads them tells.
#[derive(Default)]
pub struct Fields<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsFields;
        impl<'de> Visitor<'de> for AsFields {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    if fields.len() >= MAX_TENSORS {
                        return Err(A::Error::custom(format!("more than {MAX_TENSORS} fields")));
                    }
                    fields.push((key, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(AsFields)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
