//! CSV rows to arrow columns, as JSON rows become some: a row is taken whole or not at all, and its errors say which row and field. Pure.
//!
//! A cell has no type of its own. It is read as what its column is known to hold; where nobody knows, a column whose cells are all
//! numbers holds numbers, one of `true` and `false` booleans, and any other strings. What stands for a missing value is as pandas has it.

use std::borrow::Cow;

use csv::{ByteRecord, ReaderBuilder};
use csv_core::ReadFieldResult;

use super::json::{Limits, Rows, Table, Value};
use super::normal::ColumnKind;

/// What stands for a missing value.
const MISSING: [&str; 11] = ["", "#N/A", "N/A", "NA", "<NA>", "NaN", "nan", "NULL", "null", "None", "none"];

/// Why nothing of the body can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its first line does not name the columns.
    #[error("the body's first line must name the columns: {0}")]
    Header(String),
    /// Its quotes do not end.
    #[error("the body is no CSV: {0}")]
    Broken(String),
    /// Too much.
    #[error("the body has more than {0}; send it in parts")]
    TooLarge(String),
}

/// As what a column's cells are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cells {
    Numbers,
    Booleans,
    Texts,
}

/// Reads the rows below a line that names the columns. `expected` is the kind a column is known to have.
///
/// # Errors
/// No header, a broken body, or too many rows, columns or cells.
pub fn decode(
    body: &[u8],
    delimiter: u8,
    limits: Limits,
    expected: &dyn Fn(&str) -> Option<ColumnKind>,
) -> Result<Rows, Error> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    bound_fields(body, delimiter, limits)?;
    let names = names(body, delimiter, limits)?;
    let (cells, rows) = looked_over(body, delimiter, &names, expected)?;
    if rows > limits.rows as u64 {
        return Err(Error::TooLarge(format!("{} rows", limits.rows)));
    }
    if rows.saturating_mul(names.len() as u64) > limits.cells as u64 {
        return Err(Error::TooLarge(format!("{} cells, rows times columns", limits.cells)));
    }
    let kind = |name: &str| {
        let at = names.iter().position(|known| known == name)?;
        match cells.get(at)? {
            Cells::Numbers => Some(ColumnKind::Number),
            Cells::Booleans => Some(ColumnKind::Boolean),
            Cells::Texts => expected(name).or(Some(ColumnKind::String)),
        }
    };
    let mut table = Table::new(limits, &kind);
    let columns =
        names.iter().map(|name| table.column(name)).collect::<Result<Vec<_>, _>>().map_err(Error::TooLarge)?;
    let mut record = ByteRecord::new();
    let mut reader = reader(body, delimiter);
    while reader.read_byte_record(&mut record).map_err(|error| Error::Broken(error.to_string()))? {
        if record.len() != names.len() {
            let message = format!("has {} cells, and the first line names {} columns", record.len(), names.len());
            table.end_row(Some(message), Vec::new());
            continue;
        }
        let (mut row, mut broken) = (Vec::with_capacity(names.len()), None);
        for ((cell, column), read) in record.iter().zip(&columns).zip(&cells) {
            match std::str::from_utf8(cell) {
                Ok(text) => row.push((*column, value(text, *read))),
                Err(_) => broken = Some("is no text in UTF-8".to_owned()),
            }
        }
        table.end_row(broken, row);
    }
    Ok(table.finish())
}

/// Looks over the body without holding a row of it: one of many millions of cells is a small body, once it is packed.
fn bound_fields(body: &[u8], delimiter: u8, limits: Limits) -> Result<(), Error> {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let (mut rest, mut thrown_away, mut fields) = (body, [0; 8192], 0_usize);
    loop {
        let (came, read, _) = reader.read_field(rest, &mut thrown_away);
        rest = rest.get(read..).unwrap_or_default();
        match came {
            ReadFieldResult::Field { record_end } => {
                fields = fields.saturating_add(1);
                if fields > limits.columns {
                    return Err(Error::TooLarge(format!("{} columns", limits.columns)));
                }
                if record_end {
                    fields = 0;
                }
            }
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            ReadFieldResult::End => return Ok(()),
        }
    }
}

fn reader(body: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(delimiter).has_headers(true).flexible(true).from_reader(body)
}

fn names(body: &[u8], delimiter: u8, limits: Limits) -> Result<Vec<String>, Error> {
    let header = |message: String| Error::Header(message);
    let mut reader = reader(body, delimiter);
    let record = reader.byte_headers().map_err(|error| Error::Broken(error.to_string()))?;
    if record.len() > limits.columns {
        return Err(Error::TooLarge(format!("{} columns", limits.columns)));
    }
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for (at, name) in record.iter().enumerate() {
        let name = std::str::from_utf8(name).map_err(|_| header("it is no text in UTF-8".to_owned()))?.trim();
        if name.is_empty() {
            return Err(header(format!("column {} has no name", at.saturating_add(1))));
        }
        names.push(name.to_owned());
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    if let Some([twice, _]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(header(format!("column `{twice}` occurs twice")));
    }
    if names.is_empty() { Err(header("it is empty".to_owned())) } else { Ok(names) }
}

/// As what each column is read, and how many rows there are.
fn looked_over(
    body: &[u8],
    delimiter: u8,
    names: &[String],
    expected: &dyn Fn(&str) -> Option<ColumnKind>,
) -> Result<(Vec<Cells>, u64), Error> {
    let known: Vec<Option<Cells>> = names
        .iter()
        .map(|name| match expected(name)? {
            ColumnKind::Number => Some(Cells::Numbers),
            ColumnKind::Boolean => Some(Cells::Booleans),
            ColumnKind::String | ColumnKind::Timestamp | ColumnKind::Numbers | ColumnKind::Strings => {
                Some(Cells::Texts)
            }
        })
        .collect();
    // Whether all cells so far are numbers, and whether all are booleans; and whether there is any.
    let mut seen = vec![(true, true, false); names.len()];
    let (mut record, mut rows) = (ByteRecord::new(), 0_u64);
    let mut reader = reader(body, delimiter);
    while reader.read_byte_record(&mut record).map_err(|error| Error::Broken(error.to_string()))? {
        rows = rows.saturating_add(1);
        if record.len() != names.len() {
            continue;
        }
        for ((cell, seen), known) in record.iter().zip(&mut seen).zip(&known) {
            if known.is_some() || (!seen.0 && !seen.1) {
                continue;
            }
            let text = std::str::from_utf8(cell).unwrap_or_default().trim();
            if !MISSING.contains(&text) {
                *seen = (seen.0 && number(text).is_some(), seen.1 && boolean(text).is_some(), true);
            }
        }
    }
    let found = |(known, seen): (Option<Cells>, (bool, bool, bool))| {
        known.unwrap_or(match seen {
            (true, _, true) => Cells::Numbers,
            (_, true, true) => Cells::Booleans,
            _ => Cells::Texts,
        })
    };
    Ok((known.into_iter().zip(seen).map(found).collect(), rows))
}

fn number(text: &str) -> Option<Value<'static>> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Int(whole));
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(Value::UInt(whole));
    }
    // `inf` and `infinity` are no numbers that JSON could say either.
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::Float)
}

fn boolean(text: &str) -> Option<Value<'static>> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(Value::Bool(true)) } else { is("false").then_some(Value::Bool(false)) }
}

/// A cell as its column is read; one that is something else stays a text, and its row is told to be wrong.
fn value(text: &str, read: Cells) -> Value<'_> {
    let trimmed = text.trim();
    if MISSING.contains(&trimmed) {
        return Value::Null;
    }
    let typed = match read {
        Cells::Numbers => number(trimmed),
        Cells::Booleans => boolean(trimmed),
        Cells::Texts => None,
    };
    typed.unwrap_or(Value::Text(Cow::Borrowed(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int64Type};

    const LIMITS: Limits = Limits { rows: 100, columns: 10, cells: 500 };

    fn read(text: &str) -> Rows {
        decode(text.as_bytes(), b',', LIMITS, &|_| None).expect("rows")
    }

    fn column<'a>(rows: &'a Rows, name: &str) -> &'a dyn Array {
        &rows.columns.iter().find(|(known, _)| known == name).expect("a column").1
    }

    #[test]
    fn a_column_holds_what_all_its_cells_are() {
        let rows = read("id,x,y,ok,plan\n1,0.5,3,true,basic\n2,,4,FALSE,\"a, b\"\n3,1e3,NaN,,7\n");
        assert_eq!((rows.kept.len(), rows.rejected), (3, 0));
        let x = column(&rows, "x").as_primitive::<Float64Type>();
        assert_eq!((x.value(0), x.is_null(1), x.value(2)), (0.5, true, 1000.0));
        let y = column(&rows, "y").as_primitive::<Int64Type>();
        assert_eq!((y.value(0), y.value(1), y.is_null(2)), (3, 4, true));
        let ok = column(&rows, "ok").as_boolean();
        assert_eq!((ok.value(0), ok.value(1), ok.is_null(2)), (true, false, true));
        let plan = column(&rows, "plan").as_string_view();
        assert_eq!((plan.value(0), plan.value(1), plan.value(2)), ("basic", "a, b", "7"));
    }

    #[test]
    fn a_known_column_is_read_as_it_is_known_and_wrong_cells_are_told() {
        let expected = |name: &str| match name {
            "plan" => Some(ColumnKind::String),
            "x" => Some(ColumnKind::Number),
            _ => None,
        };
        let text = "plan,x\n7,1\n8,many\n9,inf\n10,2,extra\n11,3\n";
        let rows = decode(text.as_bytes(), b',', LIMITS, &expected).expect("rows");
        assert_eq!(rows.kept, [0, 4], "of the body's rows");
        assert_eq!(column(&rows, "plan").as_string_view().value(0), "7");
        let told: Vec<_> = rows.errors.iter().map(|error| (error.row, error.field.as_deref())).collect();
        assert_eq!(told, [(Some(1), Some("x")), (Some(2), Some("x")), (Some(3), None)]);
        assert!(rows.errors[2].message.contains("has 3 cells, and the first line names 2"));
        assert_eq!(rows.wrong_types.by_column.get("x"), Some(&2));
    }

    #[test]
    fn what_is_no_csv_is_refused() {
        let why = |body: &[u8]| decode(body, b',', LIMITS, &|_| None).expect_err("refused").to_string();
        assert!(why(b"").contains("first line"));
        assert!(why(b"a,,c\n1,2,3").contains("column 2 has no name"));
        assert!(why(b"a,b,a\n1,2,3").contains("`a` occurs twice"));
        assert!(why(b"\xff,b\n1,2").contains("UTF-8"));
        assert!(why(format!("a\n{}", "1\n".repeat(101)).as_bytes()).contains("100 rows"));
        assert!(why(format!("a,b,c,d,e,f\n{}", "1,2,3,4,5,6\n".repeat(90)).as_bytes()).contains("500 cells"));
        assert!(why(b"a,b,c,d,e,f,g,h,i,j,k\n").contains("10 columns"));
        for bomb in [",".repeat(100), format!("a,b\nx\"{}", ",".repeat(100)), format!("a\n1{}", ",".repeat(11))] {
            assert!(why(bomb.as_bytes()).contains("10 columns"), "{bomb}");
        }
        let rows = decode(b"a,b\n\xff,1\n2,3\n", b',', LIMITS, &|_| None).expect("rows");
        assert_eq!((rows.kept.as_slice(), rows.rejected), ([1].as_slice(), 1));
        let tabs = decode(b"\xef\xbb\xbfa\tb\n1\t2,5\n", b'\t', LIMITS, &|_| None).expect("rows");
        assert_eq!(column(&tabs, "b").as_string_view().value(0), "2,5", "and no mark before the first name");
        assert_eq!(tabs.columns[0].0, "a");
    }
}
