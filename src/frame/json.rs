//! Flat JSON rows, one a line (NDJSON) or in an array, to arrow columns. Pure: bytes in, columns and errors out.
//!
//! A row is taken whole or not at all. Its errors say which row and which field; the other rows go on.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, LargeListBuilder, NullArray};
use arrow::array::{StringViewBuilder, UInt64Builder};
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::normal::ColumnKind;

/// One thing wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// The row, counted from 0 in the body; none if it concerns all.
    pub row: Option<u64>,
    /// The field, if one is at fault.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// How the rows stand in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// An object a line.
    Lines,
    /// An array of objects.
    Array,
}

/// What is taken at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows of a body.
    pub rows: usize,
    /// Columns of a row.
    pub columns: usize,
    /// Rows times columns: what a sparse body unfolds to.
    pub cells: usize,
}

/// Errors that are told one by one; the rest are counted.
pub const ERRORS_TOLD: usize = 100;

/// The rows that were taken, as columns of equal length.
#[derive(Debug, Default)]
pub struct Rows {
    /// By name, in the order in which they came.
    pub columns: Vec<(String, ArrayRef)>,
    /// Which row of the body each kept row was.
    pub kept: Vec<u64>,
    /// How many rows were not taken.
    pub rejected: u64,
    /// What was wrong with them, the first of them.
    pub errors: Vec<RowError>,
}

/// Nothing of the body can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The array is broken, so where its rows end is not known.
    #[error("the body is no JSON array of objects: {0}")]
    Array(String),
    /// Too much.
    #[error("the body has more than {0} rows; send it in parts")]
    Rows(usize),
    /// Too much once every row has every column.
    #[error("the body has more than {0} cells, rows times columns; send it in parts")]
    Cells(usize),
}

/// Reads the rows. `expected` is the kind a column is known to have; one that is not known takes the kind of its first value.
///
/// # Errors
/// An array that is broken, or too many rows.
pub fn decode(
    body: &[u8],
    layout: Layout,
    limits: Limits,
    expected: &dyn Fn(&str) -> Option<ColumnKind>,
) -> Result<Rows, Error> {
    let mut table = Table::new(limits, expected);
    let too_many_cells = |table: &Table<'_>| table.columns.len().saturating_mul(table.rows.kept.len()) > limits.cells;
    match layout {
        Layout::Lines => {
            for line in body.split(|byte| *byte == b'\n') {
                let line = line.trim_ascii();
                if line.is_empty() {
                    continue;
                }
                if table.row as usize >= limits.rows {
                    return Err(Error::Rows(limits.rows));
                }
                let mut source = serde_json::Deserializer::from_slice(line);
                let mut row = Vec::new();
                let read =
                    Row { table: &mut table, row: &mut row }.deserialize(&mut source).and_then(|()| source.end());
                table.end_row(read.err().map(|error| syntax(&error)), row);
                if too_many_cells(&table) {
                    return Err(Error::Cells(limits.cells));
                }
            }
        }
        Layout::Array => {
            let mut source = serde_json::Deserializer::from_slice(body);
            Array { table: &mut table }
                .deserialize(&mut source)
                .and_then(|()| source.end())
                .map_err(|error| Error::Array(error.to_string()))?;
            if table.too_many {
                return Err(Error::Rows(limits.rows));
            }
            if too_many_cells(&table) {
                return Err(Error::Cells(limits.cells));
            }
        }
    }
    Ok(table.finish())
}

/// A line's own line number says nothing; its column does.
fn syntax(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    format!("not a JSON object: {message} at byte {}", error.column())
}

const UNLIKE: &str = "a list of unlike things; it may hold numbers or strings";

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(Cow<'a, str>),
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
    /// An object, or a list of what cannot be listed.
    Nested(&'static str),
}

impl Value<'_> {
    fn kind(&self) -> Option<ColumnKind> {
        match self {
            Self::Null | Self::Nested(_) => None,
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
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Nested("an object; rows are flat"))
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

/// The columns as they grow.
struct Table<'e> {
    columns: Vec<(String, Column)>,
    by_name: HashMap<String, usize>,
    /// Where the next field is expected: rows mostly have their fields in one order.
    next: usize,
    row: u64,
    rows: Rows,
    limits: Limits,
    expected: &'e dyn Fn(&str) -> Option<ColumnKind>,
    too_many: bool,
}

impl<'e> Table<'e> {
    fn new(limits: Limits, expected: &'e dyn Fn(&str) -> Option<ColumnKind>) -> Self {
        let (columns, by_name, rows) = Default::default();
        Self { columns, by_name, next: 0, row: 0, rows, limits, expected, too_many: false }
    }

    /// The column of this name, which may be new.
    fn column(&mut self, name: &str) -> Result<usize, String> {
        if self.columns.get(self.next).is_some_and(|(known, _)| known == name) {
            self.next += 1;
            return Ok(self.next - 1);
        }
        let index = match self.by_name.get(name) {
            Some(index) => *index,
            None if self.columns.len() >= self.limits.columns => {
                return Err(format!("more than {} fields", self.limits.columns));
            }
            None => {
                self.columns.push((name.to_owned(), Column::new((self.expected)(name))));
                self.by_name.insert(name.to_owned(), self.columns.len() - 1);
                self.columns.len() - 1
            }
        };
        self.next = index + 1;
        Ok(index)
    }

    /// Takes the row, or tells why not.
    fn end_row(&mut self, broken: Option<String>, mut row: Vec<(usize, Value<'_>)>) {
        let number = self.row;
        self.row += 1;
        self.next = 0;
        let mut wrong: Vec<(Option<String>, String)> = broken.map(|message| (None, message)).into_iter().collect();
        if wrong.is_empty() {
            let in_order = row.windows(2).all(|pair| pair[0].0 < pair[1].0);
            if !in_order {
                row.sort_by_key(|(column, _)| *column);
            }
            for pair in row.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
                wrong.push((Some(self.columns[pair[0].0].0.clone()), "given twice".to_owned()));
            }
            for (column, value) in &row {
                let (name, column) = &self.columns[*column];
                if let Err(message) = column.fits(value) {
                    wrong.push((Some(name.clone()), message));
                }
            }
        }
        if wrong.is_empty() {
            let at = self.rows.kept.len();
            for (column, value) in row {
                self.columns[column].1.push(at, value);
            }
            self.rows.kept.push(number);
        } else {
            self.rows.rejected += 1;
            let room = ERRORS_TOLD.saturating_sub(self.rows.errors.len());
            let told = wrong.into_iter().take(room);
            self.rows.errors.extend(told.map(|(field, message)| RowError { row: Some(number), field, message }));
        }
    }

    fn finish(self) -> Rows {
        let length = self.rows.kept.len();
        let mut rows = self.rows;
        rows.columns = self.columns.into_iter().map(|(name, column)| (name, column.finish(length))).collect();
        rows
    }
}

/// Reads one object into `row`, its keys as columns.
struct Row<'t, 'e, 'v, 'de> {
    table: &'t mut Table<'e>,
    row: &'v mut Vec<(usize, Value<'de>)>,
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(column) = map.next_key_seed(Key { table: self.table })? {
            self.row.push((column, map.next_value()?));
        }
        Ok(())
    }
}

/// Reads a key as its column's index.
struct Key<'t, 'e> {
    table: &'t mut Table<'e>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<usize, E> {
        self.table.column(name).map_err(E::custom)
    }
}

/// Reads an array of objects. What is no object is a wrong row, as long as the array's own brackets stand.
struct Array<'t, 'e> {
    table: &'t mut Table<'e>,
}

impl<'de> DeserializeSeed<'de> for Array<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Array<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some((row, broken)) = list.next_element_seed(Element { table: self.table })? {
            let cells = self.table.columns.len().saturating_mul(self.table.rows.kept.len());
            if self.table.row as usize >= self.table.limits.rows || cells > self.table.limits.cells {
                self.table.too_many |= cells <= self.table.limits.cells;
                continue;
            }
            self.table.end_row(broken, row);
        }
        Ok(())
    }
}

/// One element of the array: an object, or something else, which is told.
struct Element<'t, 'e> {
    table: &'t mut Table<'e>,
}

type Fields<'de> = Vec<(usize, Value<'de>)>;

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = (Fields<'de>, Option<String>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_> {
    type Value = (Fields<'de>, Option<String>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row = Vec::new();
        let mut broken = None;
        while let Some(column) = map.next_key_seed(TolerantKey { table: self.table })? {
            let value = map.next_value()?;
            match column {
                Ok(column) => row.push((column, value)),
                Err(message) => broken = Some(message),
            }
        }
        Ok((row, broken))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok((Vec::new(), Some("not an object but a list".to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok((Vec::new(), Some("not an object but null".to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok((Vec::new(), Some("not an object but a boolean".to_owned())))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok((Vec::new(), Some("not an object but a number".to_owned())))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok((Vec::new(), Some("not an object but a number".to_owned())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok((Vec::new(), Some("not an object but a number".to_owned())))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok((Vec::new(), Some("not an object but a string".to_owned())))
    }
}

/// A key that may be one too many, which must not break the array around it.
struct TolerantKey<'t, 'e> {
    table: &'t mut Table<'e>,
}

impl<'de> DeserializeSeed<'de> for TolerantKey<'_, '_> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TolerantKey<'_, '_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.table.column(name))
    }
}

/// One column's cells.
struct Column {
    /// The kind it is known to have, or took with its first value.
    kind: Option<ColumnKind>,
    cells: Cells,
}

enum Cells {
    None,
    Bool(BooleanBuilder),
    Int(Int64Builder),
    UInt(UInt64Builder),
    Float(Float64Builder),
    Text(StringViewBuilder),
    Numbers(LargeListBuilder<Float64Builder>),
    Texts(LargeListBuilder<StringViewBuilder>),
}

impl Column {
    fn new(expected: Option<ColumnKind>) -> Self {
        Self { kind: expected, cells: Cells::None }
    }

    fn fits(&self, value: &Value<'_>) -> Result<(), String> {
        if let Value::Nested(what) = value {
            return Err(format!("is {what}"));
        }
        match (self.kind, value.kind()) {
            // Times come as text or as milliseconds.
            (Some(ColumnKind::Timestamp), Some(ColumnKind::String | ColumnKind::Number)) => {
                match (&self.cells, value) {
                    (Cells::None, _)
                    | (Cells::Text(_), Value::Text(_))
                    | (
                        Cells::Int(_) | Cells::UInt(_) | Cells::Float(_),
                        Value::Int(_) | Value::UInt(_) | Value::Float(_),
                    ) => Ok(()),
                    _ => Err("is written another way than in the rows before".to_owned()),
                }
            }
            (Some(known), Some(given)) if known != given => {
                Err(format!("expected {}, found {}", known.noun(), given.noun()))
            }
            _ => Ok(()),
        }
    }

    /// Appends the value as row `at`; rows between have none.
    fn push(&mut self, at: usize, value: Value<'_>) {
        if value == Value::Null {
            return;
        }
        self.kind = self.kind.or_else(|| value.kind());
        self.make_room_for(&value);
        self.cells.pad(at);
        match (&mut self.cells, value) {
            (Cells::Bool(cells), Value::Bool(value)) => cells.append_value(value),
            (Cells::Int(cells), Value::Int(value)) => cells.append_value(value),
            (Cells::UInt(cells), Value::UInt(value)) => cells.append_value(value),
            (Cells::UInt(cells), Value::Int(value)) => cells.append_value(value as u64),
            (Cells::Float(cells), Value::Int(value)) => cells.append_value(value as f64),
            (Cells::Float(cells), Value::UInt(value)) => cells.append_value(value as f64),
            (Cells::Float(cells), Value::Float(value)) => cells.append_value(value),
            (Cells::Text(cells), Value::Text(value)) => cells.append_value(value),
            (Cells::Numbers(cells), Value::Numbers(values)) => cells.append_value(values),
            (Cells::Texts(cells), Value::Texts(values)) => cells.append_value(values),
            // `fits` has let nothing else pass.
            (cells, _) => cells.pad(at + 1),
        }
    }

    /// Chooses the cells by the first value, and widens whole numbers where one comes that does not fit.
    fn make_room_for(&mut self, value: &Value<'_>) {
        let widened = match (&mut self.cells, value) {
            (Cells::None, Value::Bool(_)) => Cells::Bool(BooleanBuilder::new()),
            (Cells::None, Value::Int(_)) => Cells::Int(Int64Builder::new()),
            (Cells::None, Value::UInt(_)) => Cells::UInt(UInt64Builder::new()),
            (Cells::None, Value::Float(_)) => Cells::Float(Float64Builder::new()),
            (Cells::None, Value::Text(_)) => Cells::Text(StringViewBuilder::new()),
            (Cells::None, Value::Numbers(_)) => Cells::Numbers(LargeListBuilder::new(Float64Builder::new())),
            (Cells::None, Value::Texts(_)) => Cells::Texts(LargeListBuilder::new(StringViewBuilder::new())),
            (Cells::Int(cells), Value::UInt(_)) => {
                let cells = cells.finish();
                if cells.iter().flatten().all(|value| value >= 0) {
                    let mut wide = UInt64Builder::new();
                    wide.extend(cells.iter().map(|value| value.map(|value| value as u64)));
                    Cells::UInt(wide)
                } else {
                    floats(cells.iter().map(|value| value.map(|value| value as f64)))
                }
            }
            (Cells::Int(cells), Value::Float(_)) => floats(cells.finish().iter().map(|value| value.map(|v| v as f64))),
            (Cells::UInt(cells), Value::Float(_)) => floats(cells.finish().iter().map(|value| value.map(|v| v as f64))),
            (Cells::UInt(cells), Value::Int(value)) if *value < 0 => {
                floats(cells.finish().iter().map(|value| value.map(|v| v as f64)))
            }
            _ => return,
        };
        self.cells = widened;
    }

    fn finish(mut self, length: usize) -> ArrayRef {
        self.cells.pad(length);
        match self.cells {
            Cells::None => Arc::new(NullArray::new(length)),
            Cells::Bool(mut cells) => Arc::new(cells.finish()),
            Cells::Int(mut cells) => Arc::new(cells.finish()),
            Cells::UInt(mut cells) => Arc::new(cells.finish()),
            Cells::Float(mut cells) => Arc::new(cells.finish()),
            Cells::Text(mut cells) => Arc::new(cells.finish()),
            Cells::Numbers(mut cells) => Arc::new(cells.finish()),
            Cells::Texts(mut cells) => Arc::new(cells.finish()),
        }
    }
}

fn floats(values: impl Iterator<Item = Option<f64>>) -> Cells {
    let mut cells = Float64Builder::new();
    cells.extend(values);
    Cells::Float(cells)
}

impl Cells {
    /// Fills up with nulls to `length`.
    fn pad(&mut self, length: usize) {
        use arrow::array::ArrayBuilder as _;
        match self {
            Self::None => {}
            Self::Bool(cells) => cells.append_nulls(length - cells.len()),
            Self::Int(cells) => cells.append_nulls(length - cells.len()),
            Self::UInt(cells) => cells.append_nulls(length - cells.len()),
            Self::Float(cells) => cells.append_nulls(length - cells.len()),
            Self::Text(cells) => (cells.len()..length).for_each(|_| cells.append_null()),
            Self::Numbers(cells) => (cells.len()..length).for_each(|_| cells.append_null()),
            Self::Texts(cells) => (cells.len()..length).for_each(|_| cells.append_null()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { rows: 100, columns: 8, cells: 500 };

    fn shown(rows: &Rows) -> String {
        let mut lines = Vec::new();
        for (name, column) in &rows.columns {
            let values: Vec<String> = (0..column.len())
                .map(|i| arrow::util::display::array_value_to_string(column, i).expect("a value"))
                .collect();
            lines.push(format!("{name} {}: {}", column.data_type(), values.join("|")));
        }
        lines.push(format!("kept {:?}, rejected {}", rows.kept, rows.rejected));
        for RowError { row, field, message } in &rows.errors {
            lines.push(format!("{row:?} {field:?} {message}"));
        }
        lines.join("\n")
    }

    fn lines(body: &str) -> String {
        shown(&decode(body.as_bytes(), Layout::Lines, LIMITS, &|_| None).expect("rows"))
    }

    #[test]
    fn rows_become_columns_and_numbers_widen() {
        let body = r#"
{"a": 1, "b": "x", "c": true, "l": [1, null]}
{"b": "y", "a": 2.5, "d": null}

{"a": 18446744073709551615, "n": 1}
{"n": 18446744073709551615, "e": "two\nlines", "l": []}
"#;
        insta::assert_snapshot!(lines(body), @r#"
        a Float64: 1.0|2.5|1.8446744073709552e19|
        b Utf8View: x|y||
        c Boolean: true|||
        l LargeList(Float64): [1.0, ]|||
        d Null: |||
        n UInt64: ||1|18446744073709551615
        e Utf8View: |||two
        lines
        kept [0, 1, 2, 3], rejected 0
        "#);
    }

    #[test]
    fn a_wrong_row_is_told_and_leaves_no_trace() {
        let body = r#"{"a": 1, "b": "x"}
{"a": "one", "b": "y"}
{"a": 2, "b": {"deep": 1}}
{"a": 3, "a": 4}
not json
[1]
{"a": 5
{"a": 6, "b": null} trailing
{"a": 7, "b": [[1]]}
{"b": "z", "a": 8}"#;
        insta::assert_snapshot!(lines(body), @r#"
        a Int64: 1|8
        b Utf8View: x|z
        kept [0, 9], rejected 8
        Some(1) Some("a") expected a number, found a string
        Some(2) Some("b") is an object; rows are flat
        Some(3) Some("a") given twice
        Some(4) None not a JSON object: expected ident at byte 2
        Some(5) None not a JSON object: invalid type: sequence, expected an object of fields at byte 0
        Some(6) None not a JSON object: EOF while parsing an object at byte 7
        Some(7) None not a JSON object: trailing characters at byte 21
        Some(8) Some("b") is a list of unlike things; it may hold numbers or strings
        "#);
    }

    #[test]
    fn an_array_is_read_as_its_objects() {
        let read = |body: &str| decode(body.as_bytes(), Layout::Array, LIMITS, &|_| None).map(|rows| shown(&rows));
        insta::assert_snapshot!(read(r#"[{"a": 1}, 2, null, [], "s", {"a": 2}]"#).expect("rows"), @r"
        a Int64: 1|2
        kept [0, 5], rejected 4
        Some(1) None not an object but a number
        Some(2) None not an object but null
        Some(3) None not an object but a list
        Some(4) None not an object but a string
        ");
        assert!(matches!(read(r#"[{"a": 1}, {"a""#), Err(Error::Array(_))));
        assert!(matches!(read(r#"{"a": 1}"#), Err(Error::Array(_))));
        let many = format!("[{}]", vec!["{}"; 101].join(","));
        assert_eq!(read(&many), Err(Error::Rows(100)));
        let wide: Vec<String> = (0..9).map(|i| format!("\"c{i}\": 1")).collect();
        let wide = read(&format!("[{{{}}}]", wide.join(","))).expect("rows");
        assert!(wide.contains("more than 8 fields"), "{wide}");
    }

    #[test]
    fn a_known_kind_is_held_to() {
        let expected = |name: &str| (name == "a").then_some(ColumnKind::String);
        let rows = decode(br#"{"a": 1}"#, Layout::Lines, LIMITS, &expected).expect("rows");
        assert_eq!((rows.rejected, rows.errors[0].message.as_str()), (1, "expected a string, found a number"));
    }
}
