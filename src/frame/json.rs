//! Flat JSON rows, one a line (NDJSON) or in an array, to arrow columns. Pure: bytes in, columns and errors out.
//!
//! A row is taken whole or not at all: its errors say which row and which field, and the other rows go on. Of a file ([`decode_file`])
//! a value of another type than its column's is missing, and counted, and the rest of its row is taken.

#![warn(clippy::arithmetic_side_effects)]

mod build;
mod column;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use arrow::array::ArrayRef;
pub use build::Builder;
use column::Column;
use serde::Serialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
pub use value::Value;

use super::normal::ColumnKind;

/// One thing wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// Objects within objects are taken apart so deep.
const DEEPEST: usize = 8;
/// The name of a field within objects is no longer, in bytes.
const LONGEST_NAME: usize = 1000;

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
    /// Rows with a value of another type than the column's, all of them and by column.
    pub wrong_types: WrongTypes,
    /// Of a file: the columns with such values, which are missing there.
    pub mixed: Vec<Mixed>,
}

/// A column with values of another type than its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mixed {
    /// Its name.
    pub name: String,
    /// Values of its own type.
    pub own: u64,
    /// Values of each other type; `None` of objects and of lists of unlike things.
    pub others: Vec<(Option<ColumnKind>, u64)>,
}

impl Mixed {
    /// Values of another type.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.others.iter().fold(0, |sum, (_, values)| sum.saturating_add(*values))
    }
}

/// Rows with a value of another type than the column's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrongTypes {
    /// All of them.
    pub rows: u64,
    /// By column; a row may have several.
    pub by_column: BTreeMap<String, u64>,
}

impl WrongTypes {
    /// So many more rows of one column.
    pub fn add(&mut self, column: &str, rows: u64) {
        let known = self.by_column.entry(column.to_owned()).or_default();
        *known = known.saturating_add(rows);
    }
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
    read(body, layout, Table::new(limits, expected))
}

/// Reads the rows of a file: without limits, and a value of another type than its column's is missing.
///
/// # Errors
/// An array that is broken.
pub fn decode_file(body: &[u8], layout: Layout, expected: &dyn Fn(&str) -> Option<ColumnKind>) -> Result<Rows, Error> {
    let limits = Limits { rows: usize::MAX, columns: usize::MAX, cells: usize::MAX };
    read(body, layout, Table { sets_aside: true, ..Table::new(limits, expected) })
}

fn read(body: &[u8], layout: Layout, mut table: Table<'_>) -> Result<Rows, Error> {
    let limits = table.limits;
    let too_many_cells = |table: &Table<'_>| table.columns.len().saturating_mul(table.rows.kept.len()) > limits.cells;
    match layout {
        Layout::Lines => {
            for line in body.split(|byte| *byte == b'\n') {
                let line = line.trim_ascii();
                if line.is_empty() {
                    continue;
                }
                if table.row >= limits.rows as u64 {
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

/// The columns as they grow, row by row.
pub(super) struct Table<'e> {
    columns: Vec<(String, Column)>,
    by_name: HashMap<String, usize>,
    /// Where the next field is expected: rows mostly have their fields in one order.
    next: usize,
    row: u64,
    rows: Rows,
    limits: Limits,
    expected: &'e dyn Fn(&str) -> Option<ColumnKind>,
    too_many: bool,
    /// A value of another type is set aside, not its row.
    sets_aside: bool,
}

impl<'e> Table<'e> {
    pub(super) fn new(limits: Limits, expected: &'e dyn Fn(&str) -> Option<ColumnKind>) -> Self {
        let (columns, by_name, rows) = Default::default();
        Self { columns, by_name, next: 0, row: 0, rows, limits, expected, too_many: false, sets_aside: false }
    }

    /// The column of this name, if there is one.
    fn known(&self, name: &str) -> Option<usize> {
        if self.columns.get(self.next).is_some_and(|(known, _)| known == name) {
            return Some(self.next);
        }
        self.by_name.get(name).copied()
    }

    /// Adds a field to the row; of an object each of its own, their names joined by dots.
    fn field<'v>(&mut self, name: Name, value: Value<'v>, row: &mut Fields<'v>) -> Result<(), String> {
        if let Value::Object(fields) = value {
            let name = match name {
                Name::Known(index) => self.columns.get(index).map(|(name, _)| name.clone()).unwrap_or_default(),
                Name::New(name) => name,
            };
            return self.fields(&name, fields, 1, row);
        }
        let index = match name {
            Name::Known(index) => index,
            Name::New(name) => self.column(&name)?,
        };
        self.next = index.saturating_add(1);
        row.push((index, value));
        Ok(())
    }

    /// The fields of an object that stands in so many others.
    fn fields<'v>(
        &mut self,
        above: &str,
        fields: Vec<(String, Value<'v>)>,
        depth: usize,
        row: &mut Fields<'v>,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("`{above}` stands in more than {DEEPEST} objects"));
        }
        for (name, value) in fields {
            let name = format!("{above}.{name}");
            if name.len() > LONGEST_NAME {
                return Err(format!("a field's name is longer than {LONGEST_NAME} bytes"));
            }
            match value {
                Value::Object(fields) => self.fields(&name, fields, depth.saturating_add(1), row)?,
                value => {
                    let index = self.column(&name)?;
                    row.push((index, value));
                }
            }
        }
        Ok(())
    }

    /// The column of this name, which may be new.
    pub(super) fn column(&mut self, name: &str) -> Result<usize, String> {
        let index = match self.known(name) {
            Some(index) => index,
            None if self.columns.len() >= self.limits.columns => {
                return Err(format!("more than {} fields", self.limits.columns));
            }
            None => {
                let index = self.columns.len();
                self.columns.push((name.to_owned(), Column::new((self.expected)(name))));
                self.by_name.insert(name.to_owned(), index);
                index
            }
        };
        self.next = index.saturating_add(1);
        Ok(index)
    }

    /// Takes the row, or tells why not.
    pub(super) fn end_row(&mut self, broken: Option<String>, mut row: Vec<(usize, Value<'_>)>) {
        let number = self.row;
        self.row = number.saturating_add(1);
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
            let mut is_wrong = false;
            for (column, value) in &mut row {
                let (name, column) = &mut self.columns[*column];
                let Err(message) = column.fits(value) else { continue };
                is_wrong = true;
                self.rows.wrong_types.add(name, 1);
                if self.sets_aside {
                    column.set_aside(value);
                } else {
                    wrong.push((Some(name.clone()), message));
                }
            }
            if is_wrong {
                self.rows.wrong_types.rows = self.rows.wrong_types.rows.saturating_add(1);
            }
        }
        if wrong.is_empty() {
            let at = self.rows.kept.len();
            for (column, value) in row {
                self.columns[column].1.push(at, value);
            }
            self.rows.kept.push(number);
        } else {
            self.rows.rejected = self.rows.rejected.saturating_add(1);
            let room = ERRORS_TOLD.saturating_sub(self.rows.errors.len());
            let told = wrong.into_iter().take(room);
            self.rows.errors.extend(told.map(|(field, message)| RowError { row: Some(number), field, message }));
        }
    }

    pub(super) fn finish(self) -> Rows {
        let length = self.rows.kept.len();
        let mut rows = self.rows;
        rows.mixed = self.columns.iter().filter_map(|(name, column)| column.mixed(name)).collect();
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
        while let Some(key) = map.next_key_seed(Key { table: self.table })? {
            self.table.field(key, map.next_value()?, self.row).map_err(de::Error::custom)?;
        }
        Ok(())
    }
}

/// A field's name: a column that is known, or one that may become one once its value is.
enum Name {
    Known(usize),
    New(String),
}

/// Reads a key. What is known is told without a copy.
struct Key<'t, 'e> {
    table: &'t Table<'e>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
        Ok(self.table.known(name).map_or_else(|| Name::New(name.to_owned()), Name::Known))
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
            if self.table.row >= self.table.limits.rows as u64 || cells > self.table.limits.cells {
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
        while let Some(key) = map.next_key_seed(Key { table: self.table })? {
            if let Err(message) = self.table.field(key, map.next_value()?, &mut row) {
                broken = Some(message);
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
{"a": 2, "b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": {"k": 1}}}}}}}}}}
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
        Some(2) None not a JSON object: `b.c.d.e.f.g.h.i.j` stands in more than 8 objects at byte 79
        Some(3) Some("a") given twice
        Some(4) None not a JSON object: expected ident at byte 2
        Some(5) None not a JSON object: invalid type: sequence, expected an object of fields at byte 0
        Some(6) None not a JSON object: EOF while parsing an object at byte 7
        Some(7) None not a JSON object: trailing characters at byte 21
        Some(8) Some("b") is a list of unlike things; it may hold numbers or strings
        "#);
    }

    #[test]
    fn an_object_is_its_fields() {
        let body = r#"{"user": {"age": 3, "home": {"zip": "a"}}, "x": 1}
{"user.age": 4, "x": 2, "user": null}
{"user": {"age": "five"}, "x": 3}
{"user.age": 6, "user": {"age": 7}}
{"user": {}, "x": 8, "tags": {"list": [1, 2.5]}}"#;
        insta::assert_snapshot!(lines(body), @r#"
        user.age Int64: 3|4|
        user.home.zip Utf8View: a||
        x Int64: 1|2|8
        user Null: ||
        tags.list LargeList(Float64): ||[1.0, 2.5]
        kept [0, 1, 4], rejected 2
        Some(2) Some("user.age") expected a number, found a string
        Some(3) Some("user.age") given twice
        "#);
        let read = |body: &str| decode(body.as_bytes(), Layout::Array, LIMITS, &|_| None).map(|rows| shown(&rows));
        insta::assert_snapshot!(read(r#"[{"a": {"b": {"c": true}}}, {"a": {"b": {"c": null}}, "d": 1}]"#).expect("rows"), @r"
        a.b.c Boolean: true|
        d Int64: |1
        kept [0, 1], rejected 0
        ");
        let long = format!(r#"{{"{0}": {{"{0}": 1}}}}"#, "n".repeat(600));
        assert!(lines(&long).contains("longer than 1000 bytes"));
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

    #[test]
    fn of_a_file_the_rest_of_the_row_is_taken() {
        let body = r#"{"a": 1, "b": "x"}
{"a": "one", "b": "y"}
{"a": [{"deep": 1}], "b": 2}
not json
{"a": 4, "b": null}"#;
        let rows = decode_file(body.as_bytes(), Layout::Lines, &|_| None).expect("rows");
        insta::assert_snapshot!(shown(&rows), @r#"
        a Int64: 1|||4
        b Utf8View: x|y||
        kept [0, 1, 2, 4], rejected 1
        Some(3) None not a JSON object: expected ident at byte 2
        "#);
        let mixed = |name: &str, own, others: &[(Option<ColumnKind>, u64)]| Mixed {
            name: name.to_owned(),
            own,
            others: others.to_vec(),
        };
        let [text, number] = [ColumnKind::String, ColumnKind::Number].map(Some);
        assert_eq!(rows.mixed, [mixed("a", 2, &[(text, 1), (None, 1)]), mixed("b", 2, &[(number, 1)])]);
        assert_eq!((rows.wrong_types.rows, rows.mixed[0].wrong()), (2, 2));
    }
}
