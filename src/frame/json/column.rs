//! A column as it grows, row by row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, LargeListBuilder, NullArray};
use arrow::array::{StringViewBuilder, UInt64Builder};

use super::Mixed;
use super::value::Value;
use crate::frame::normal::ColumnKind;

/// One column's cells.
pub struct Column {
    /// The kind it is known to have, or took with its first value.
    kind: Option<ColumnKind>,
    cells: Cells,
    /// Values of its kind, and of each other that were set aside.
    own: u64,
    others: Vec<(Option<ColumnKind>, u64)>,
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
    pub fn new(expected: Option<ColumnKind>) -> Self {
        Self { kind: expected, cells: Cells::None, own: 0, others: Vec::new() }
    }

    /// Whether the value is of the column's kind; says what is wrong if not.
    pub fn fits(&self, value: &Value<'_>) -> Result<(), String> {
        if let Value::Nested(what) = value {
            return Err(format!("is {what}"));
        }
        if matches!(value, Value::Object(_)) {
            return Err("is an object".to_owned());
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

    /// Makes a missing value of one of another type, and counts it.
    pub fn set_aside(&mut self, value: &mut Value<'_>) {
        let kind = std::mem::replace(value, Value::Null).kind();
        match self.others.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, values)) => *values = values.saturating_add(1),
            None => self.others.push((kind, 1)),
        }
    }

    /// What was set aside, if anything was.
    pub fn mixed(&self, name: &str) -> Option<Mixed> {
        let mixed = || Mixed { name: name.to_owned(), own: self.own, others: self.others.clone() };
        (!self.others.is_empty()).then(mixed)
    }

    /// Appends the value as row `at`; rows between have none.
    pub fn push(&mut self, at: usize, value: Value<'_>) {
        if value == Value::Null {
            return;
        }
        self.own = self.own.saturating_add(1);
        self.kind = self.kind.or_else(|| value.kind());
        self.make_room_for(&value);
        self.cells.pad(at);
        match (&mut self.cells, value) {
            (Cells::Bool(cells), Value::Bool(value)) => cells.append_value(value),
            (Cells::Int(cells), Value::Int(value)) => cells.append_value(value),
            (Cells::UInt(cells), Value::UInt(value)) => cells.append_value(value),
            // One below zero has made floats of them.
            (Cells::UInt(cells), Value::Int(value)) => cells.append_value(value.unsigned_abs()),
            (Cells::Float(cells), Value::Int(value)) => cells.append_value(value as f64),
            (Cells::Float(cells), Value::UInt(value)) => cells.append_value(value as f64),
            (Cells::Float(cells), Value::Float(value)) => cells.append_value(value),
            (Cells::Text(cells), Value::Text(value)) => cells.append_value(value),
            (Cells::Numbers(cells), Value::Numbers(values)) => cells.append_value(values),
            (Cells::Texts(cells), Value::Texts(values)) => cells.append_value(values),
            // `fits` has let nothing else pass.
            (cells, _) => cells.pad(at.saturating_add(1)),
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
                let positive: Result<Vec<_>, _> =
                    cells.iter().map(|value| value.map(u64::try_from).transpose()).collect();
                match positive {
                    Ok(values) => {
                        let mut wide = UInt64Builder::new();
                        wide.extend(values);
                        Cells::UInt(wide)
                    }
                    Err(_) => floats(cells.iter().map(|value| value.map(|value| value as f64))),
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

    /// The column with nulls where its rows end before `length`.
    pub fn finish(mut self, length: usize) -> ArrayRef {
        self.cells.pad(length);
        let mut array: ArrayRef = match self.cells {
            Cells::None => Arc::new(NullArray::new(length)),
            Cells::Bool(mut cells) => Arc::new(cells.finish()),
            Cells::Int(mut cells) => Arc::new(cells.finish()),
            Cells::UInt(mut cells) => Arc::new(cells.finish()),
            Cells::Float(mut cells) => Arc::new(cells.finish()),
            Cells::Text(mut cells) => Arc::new(cells.finish()),
            Cells::Numbers(mut cells) => Arc::new(cells.finish()),
            Cells::Texts(mut cells) => Arc::new(cells.finish()),
        };
        // It grew by doubling; what it has too much would be held for as long as its rows.
        array.shrink_to_fit();
        array
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
            Self::Bool(cells) => cells.append_nulls(length.saturating_sub(cells.len())),
            Self::Int(cells) => cells.append_nulls(length.saturating_sub(cells.len())),
            Self::UInt(cells) => cells.append_nulls(length.saturating_sub(cells.len())),
            Self::Float(cells) => cells.append_nulls(length.saturating_sub(cells.len())),
            Self::Text(cells) => (cells.len()..length).for_each(|_| cells.append_null()),
            Self::Numbers(cells) => (cells.len()..length).for_each(|_| cells.append_null()),
            Self::Texts(cells) => (cells.len()..length).for_each(|_| cells.append_null()),
        }
    }
}
