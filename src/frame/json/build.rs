//! Rows that come as values, one by one, with the checks, columns and errors that rows of a body have.

use super::value::Value;
use super::{Limits, Rows, Table};
use crate::frame::normal::ColumnKind;

/// Columns that grow row by row.
pub struct Builder<'e> {
    table: Table<'e>,
}

impl<'e> Builder<'e> {
    /// Without rows yet. Of `limits` the number of columns is held to; who adds rows asks for [`Builder::cells`].
    /// `expected` is the kind a column is known to have.
    #[must_use]
    pub fn new(limits: Limits, expected: &'e dyn Fn(&str) -> Option<ColumnKind>) -> Self {
        Self { table: Table::new(limits, expected) }
    }

    /// Takes a row, or notes why not: a value that does not fit its column, a name that comes twice, too many columns.
    pub fn row<'v, N: AsRef<str>>(&mut self, fields: impl IntoIterator<Item = (N, Value<'v>)>) {
        let mut row = Vec::new();
        let mut broken = None;
        for (name, value) in fields {
            match self.table.column(name.as_ref()) {
                Ok(column) => row.push((column, value)),
                Err(message) => broken = Some(message),
            }
        }
        self.table.end_row(broken, row);
    }

    /// Rows times columns so far.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.table.columns.len().saturating_mul(self.table.rows.kept.len())
    }

    /// The rows that were taken.
    #[must_use]
    pub fn finish(self) -> Rows {
        self.table.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_values_are_checked_as_those_of_a_body() {
        let limits = Limits { rows: 10, columns: 2, cells: 100 };
        let expected = |name: &str| (name == "a").then_some(ColumnKind::Number);
        let mut builder = Builder::new(limits, &expected);
        builder.row([("a", Value::Int(1)), ("b", Value::Text("x".into()))]);
        builder.row([("b", Value::Null), ("a", Value::Float(2.5))]);
        builder.row([("a", Value::Text("one".into()))]);
        builder.row([("a", Value::Int(1)), ("a", Value::Int(2))]);
        builder.row([("a", Value::Int(1)), ("b", Value::Null), ("c", Value::Int(2))]);
        assert_eq!(builder.cells(), 4);
        let rows = builder.finish();
        assert_eq!((rows.kept, rows.rejected), (vec![0, 1], 3));
        let told: Vec<&str> = rows.errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(told, ["expected a number, found a string", "given twice", "more than 2 fields"]);
        assert_eq!(rows.columns[0].1.len(), 2);
    }
}
