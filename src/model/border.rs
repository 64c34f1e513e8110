//! The border: a body's columns become a batch with one schema, or are told why not. Pure.
//!
//! A batch's columns are `id`, `timestamp`, `_arrival`, `prediction`, `score`, `label`, `version` where they are given, then
//! the features; every type is a normalised one.

#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::TimestampMillisecondArray;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringViewArray};
use arrow::compute::filter;
use arrow::datatypes::{
    DataType, Field, Float64Type, Int64Type, Schema as ArrowSchema, TimestampMillisecondType, UInt64Type,
};
use jiff::Timestamp;

use super::privacy::Treatment;
use super::rows::POSITION;
use super::sample::Share;
use super::{Role, Schema, Spec};
use crate::frame::json::{ERRORS_TOLD, RowError, Rows, WrongTypes};
pub use crate::frame::normal::{ARRIVAL, FORWARDED, NOT_STORED, SAMPLED_OUT};
use crate::frame::normal::{ColumnKind, convert, kind, normalise};
use crate::stats::whole;

/// Names that no feature may have.
pub const RESERVED: [&str; 8] = ["id", "timestamp", "prediction", "score", "label", "version", ARRIVAL, POSITION];
/// Of them those that are compared beside the features.
pub const COMPARED_ROLES: [&str; 2] = ["prediction", "score"];
/// An event may lie so far ahead of its arrival, in milliseconds: clocks differ.
pub const AHEAD: i64 = 24 * 3600 * 1000;
/// Texts that name something - ids, labels, predictions, versions - may be so long, in bytes.
const MAX_TEXT: usize = 512;
/// A feature's name may be so long, in bytes.
pub const MAX_NAME: usize = 200;

/// What a body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Predictions as they were made.
    Samples,
    /// What turned out to be true.
    Labels,
    /// What windows are held against, as rows.
    Reference,
    /// The same as a profile of such rows (`profile`).
    Profile,
}

impl Purpose {
    /// As addresses have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Labels => "labels",
            Self::Reference | Self::Profile => "reference",
        }
    }
}

/// Rows that passed.
#[derive(Debug, Clone)]
pub struct Batch {
    /// With the columns described above.
    pub record: RecordBatch,
    /// What its columns hold.
    pub schema: Schema,
}

/// What says in a batch's metadata which part of which file its rows are.
pub const PART: &str = "plumbline.part";

impl Batch {
    /// The same with a note beside its rows.
    ///
    /// # Errors
    /// Never, for a batch that is one.
    pub fn noted(self, name: &str, note: &str) -> Result<Self, String> {
        let Self { record, schema } = self;
        let record = noted(record, name, note)?;
        Ok(Self { record, schema })
    }

    /// What stands for it where no row is stored: its columns and notes, and how many rows there were.
    ///
    /// # Errors
    /// Never, for a batch that is one.
    pub fn without_rows(&self) -> Result<RecordBatch, String> {
        let rows = self.record.num_rows().to_string();
        noted(RecordBatch::new_empty(self.record.schema()), NOT_STORED, &rows)
    }

    /// The same labels, marked as sent on by another agent.
    ///
    /// # Errors
    /// They are marked already.
    pub fn forwarded(self) -> Result<Self, String> {
        let Self { record, schema } = self;
        let marks: ArrayRef = Arc::new(BooleanArray::from(vec![true; record.num_rows()]));
        let given = record.schema();
        let notes = given.metadata().clone();
        let fields = given.fields().iter().map(|field| field.as_ref().clone());
        let fields: Vec<Field> = fields.chain([Field::new(FORWARDED, DataType::Boolean, true)]).collect();
        if record.column_by_name(FORWARDED).is_some() {
            return Err(format!("column `{FORWARDED}` is there already"));
        }
        let columns = record.columns().iter().cloned().chain([marks]).collect();
        let record = RecordBatch::try_new(Arc::new(ArrowSchema::new_with_metadata(fields, notes)), columns);
        Ok(Self { record: record.map_err(|error| error.to_string())?, schema })
    }
}

/// A batch with one more note.
fn noted(record: RecordBatch, name: &str, note: &str) -> Result<RecordBatch, String> {
    let given = record.schema();
    let old = given.metadata().iter().map(|(name, note)| (name.to_owned(), note.to_owned()));
    let notes: BTreeMap<String, String> = old.chain([(name.to_owned(), note.to_owned())]).collect();
    let noted = ArrowSchema::new_with_metadata(given.fields().clone(), notes);
    record.with_schema(Arc::new(noted)).map_err(|error| error.to_string())
}

/// What became of a body.
#[derive(Debug, Clone)]
pub struct Passed {
    /// The rows that passed, if any did. It has none where all that did are sampled out; how many these are stands in its schema's notes
    /// ([`SAMPLED_OUT`]), so that they are counted wherever the batch goes.
    pub batch: Option<Batch>,
    /// Rows that passed and are left out, as the description asks for a part.
    pub sampled_out: u64,
    /// Rows that did not.
    pub rejected: u64,
    /// Why, and what else is worth telling.
    pub errors: Vec<RowError>,
    /// Of these the ones with a value of another type than the column's.
    pub wrong_types: WrongTypes,
}

/// The kind a field of a body must have, as far as it is known.
#[must_use]
pub fn expected(field: &str, spec: &Spec, schema: &Schema) -> Option<ColumnKind> {
    // What is known of it is what it becomes.
    if spec.privacy.contains_key(field) {
        return None;
    }
    match spec.role_of(field) {
        Some(Role::Timestamp) => Some(ColumnKind::Timestamp),
        Some(Role::Score) => Some(ColumnKind::Number),
        // Numbers and booleans are held against one another; see `alike`.
        Some(Role::Prediction | Role::Label) => schema.prediction.filter(|kind| *kind == ColumnKind::String),
        Some(Role::Id | Role::Version) => None,
        None => schema.features.get(field).copied(),
    }
}

/// Brings a body's columns to the model's schema.
#[must_use]
pub fn pass(
    rows: Rows,
    purpose: Purpose,
    spec: &Spec,
    known: &Schema,
    max_features: usize,
    arrival: Timestamp,
) -> Passed {
    let mut border = Border {
        spec,
        known,
        max_features,
        schema: Schema::default(),
        left_out: 0,
        length: rows.kept.len(),
        bad: vec![false; rows.kept.len()],
        kept: rows.kept,
        share: Share::of(spec.sample).filter(|_| matches!(purpose, Purpose::Samples | Purpose::Labels)),
        rejected: rows.rejected,
        errors: rows.errors,
        wrong_types: rows.wrong_types,
        arrival: arrival.as_millisecond(),
    };
    let mut roles: [Option<ArrayRef>; 6] = Default::default();
    let mut features: Vec<(String, ArrayRef)> = Vec::new();
    for (name, array) in rows.columns {
        let role = spec.role_of(&name);
        if purpose == Purpose::Labels && !matches!(role, Some(Role::Id | Role::Label | Role::Timestamp)) {
            continue;
        }
        match border.column(&name, &array, role) {
            Ok(None) => {}
            Ok(Some(array)) => match role {
                Some(role) => roles[role as usize] = Some(array),
                None => features.push((name, array)),
            },
            Err(message) => {
                let rows = border.length as u64;
                border.wrong_types.rows = border.wrong_types.rows.saturating_add(rows);
                border.wrong_types.add(&name, rows);
                return border.refuse(&name, message);
            }
        }
    }
    if border.left_out > 0 {
        let message = format!(
            "{} features are left out: there are {max_features} at most, of names up to {MAX_NAME} bytes",
            border.left_out
        );
        border.errors.push(RowError { row: None, field: None, message });
    }
    let [id, timestamp, prediction, score, label, version] = roles;
    if purpose == Purpose::Labels {
        for (column, name) in [(&id, &spec.id), (&label, &spec.label)] {
            match column {
                Some(column) => border.demand(name, column),
                None if border.length > 0 => return border.refuse(name, "is missing: a label needs it".to_owned()),
                None => {}
            }
        }
    }
    let names = [&spec.id, &spec.prediction, &spec.label, &spec.version];
    for (column, name) in [&id, &prediction, &label, &version].into_iter().zip(names) {
        if let Some(column) = column.as_ref().filter(|column| column.data_type() == &DataType::Utf8View) {
            border.bound_texts(name, column);
        }
    }
    let now = border.arrival;
    let arrival = TimestampMillisecondArray::from(vec![now; border.length]).with_timezone("UTC");
    // A row without a time of its own happened when it came.
    let timestamp = match timestamp {
        Some(given) => {
            let given = given.as_primitive::<TimestampMillisecondType>().iter();
            given.map(|ms| Some(ms.unwrap_or(now))).collect::<TimestampMillisecondArray>().with_timezone("UTC")
        }
        None => arrival.clone(),
    };
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    let mut add = |name: &str, column: Option<ArrayRef>| columns.extend(column.map(|c| (name.to_owned(), c)));
    add("id", id);
    add("timestamp", Some(Arc::new(timestamp)));
    add(ARRIVAL, Some(Arc::new(arrival)));
    add("prediction", prediction);
    add("score", score);
    add("label", label);
    add("version", version);
    columns.extend(features);
    border.finish(columns)
}

/// Texts, or numbers written as such.
fn texts(array: &ArrayRef) -> Result<ArrayRef, String> {
    let texts = match array.data_type() {
        DataType::Utf8View => Some(Arc::clone(array)),
        // A column of whole numbers with gaps comes as floats from pandas; they name the same rows.
        DataType::Float64 => {
            let texts = array.as_primitive::<Float64Type>().iter().map(|v| v.map(|v| (v + 0.0).to_string()));
            Some(Arc::new(texts.collect::<StringViewArray>()) as ArrayRef)
        }
        DataType::Int64 | DataType::UInt64 => convert(array, &DataType::Utf8View),
        _ => None,
    };
    texts.ok_or_else(|| "must be a string or a number".to_owned())
}

/// Values by which groups are told apart, as their names.
fn names(array: &ArrayRef) -> Option<ArrayRef> {
    match array.data_type() {
        DataType::Boolean => convert(array, &DataType::Utf8View),
        DataType::Float64 => {
            let finite =
                array.as_primitive::<Float64Type>().iter().map(|value| value.filter(|value| value.is_finite()));
            texts(&(Arc::new(finite.collect::<Float64Array>()) as ArrayRef)).ok()
        }
        _ => texts(array).ok(),
    }
}

/// Numbers; what is not finite is missing.
fn scores(array: &ArrayRef) -> Result<ArrayRef, String> {
    if kind(array.data_type()) != Some(ColumnKind::Number) {
        return Err("must be a number".to_owned());
    }
    let floats = convert(array, &DataType::Float64).ok_or("must be a number")?;
    let finite = floats.as_primitive::<Float64Type>().iter().map(|v| v.filter(|v| v.is_finite()));
    Ok(Arc::new(finite.collect::<Float64Array>()))
}

/// Whether labels of one kind can be held against predictions of the other.
fn alike(one: ColumnKind, other: ColumnKind) -> bool {
    (one == ColumnKind::String) == (other == ColumnKind::String)
}

struct Border<'a> {
    spec: &'a Spec,
    known: &'a Schema,
    max_features: usize,
    /// What this body's columns hold.
    schema: Schema,
    left_out: usize,
    length: usize,
    bad: Vec<bool>,
    kept: Vec<u64>,
    /// The part of rows to keep; `None` where it is all.
    share: Option<Share>,
    rejected: u64,
    errors: Vec<RowError>,
    wrong_types: WrongTypes,
    arrival: i64,
}

impl Border<'_> {
    /// The column as the schema has it; none if it is left out. An error refuses the body.
    fn column(&mut self, name: &str, array: &ArrayRef, role: Option<Role>) -> Result<Option<ArrayRef>, String> {
        let treatment = self.spec.privacy.get(name);
        if treatment == Some(&Treatment::Drop) {
            return Ok(None);
        }
        let is_apart = role.is_none() && self.spec.is_kept_apart(name);
        if role.is_none() && !is_apart && self.spec.leaves_out(name) {
            return Ok(None);
        }
        if role.is_none() && name.len() > MAX_NAME {
            self.left_out = self.left_out.saturating_add(1);
            return Ok(None);
        }
        if role.is_none() && RESERVED.contains(&name) {
            self.tell(name, "left out: the name is reserved, and its role is played by another column");
            return Ok(None);
        }
        let array = match normalise(array) {
            Ok(array) => array,
            Err(error) if role.is_some() => return Err(error.to_string()),
            Err(error) => {
                self.tell(name, &format!("left out: {error}"));
                return Ok(None);
            }
        };
        if kind(array.data_type()).is_some() && role == Some(Role::Id) {
            self.demand_exact(name, &array);
        }
        // What cannot be treated as it must be is not let in.
        let array = match treatment.map(|treatment| treatment.apply(&array, self.spec.key)) {
            Some(Err(_)) if kind(array.data_type()).is_none() => return Ok(None), // nothing but nulls
            Some(Err(error)) if role.is_some() => return Err(error),
            Some(Err(error)) => {
                self.tell(name, &format!("left out: {error}"));
                return Ok(None);
            }
            Some(Ok(treated)) => treated,
            None => array,
        };
        let Some(found) = kind(array.data_type()) else {
            return Ok(None); // nothing but nulls: as if it were not there
        };
        match role {
            Some(Role::Id | Role::Version) => texts(&array).map(Some),
            Some(Role::Timestamp) => self.times(name, &array, true).map(Some),
            Some(Role::Score) => {
                self.schema.score = true;
                scores(&array).map(Some)
            }
            Some(Role::Prediction | Role::Label) => {
                if matches!(found, ColumnKind::Timestamp | ColumnKind::Numbers | ColumnKind::Strings) {
                    return Err("must be a number, a boolean or a string".to_owned());
                }
                if let Some(before) = self.schema.prediction.or(self.known.prediction)
                    && !alike(before, found)
                {
                    let (found, before) = (found.noun(), before.noun());
                    return Err(format!("is {found}, but predictions and labels of this model are each {before}"));
                }
                self.schema.prediction = self.schema.prediction.or(Some(found));
                Ok(Some(array))
            }
            None if is_apart => {
                let names = names(&array);
                if names.is_none() {
                    self.tell(name, "left out: groups are made of texts, numbers or truth values");
                }
                Ok(names)
            }
            None => self.feature(name, array, found),
        }
    }

    fn feature(&mut self, name: &str, array: ArrayRef, found: ColumnKind) -> Result<Option<ArrayRef>, String> {
        match self.known.features.get(name).copied() {
            None if self.known.features.len().saturating_add(self.schema.features.len()) >= self.max_features => {
                self.left_out = self.left_out.saturating_add(1);
                Ok(None)
            }
            None => {
                self.schema.features.insert(name.to_owned(), found);
                Ok(Some(array))
            }
            Some(ColumnKind::Timestamp) if matches!(found, ColumnKind::String | ColumnKind::Number) => {
                self.times(name, &array, false).map(Some)
            }
            Some(wanted) if wanted != found => Err(format!("expected {}, found {}", wanted.noun(), found.noun())),
            Some(_) => Ok(Some(array)),
        }
    }

    /// Nothing of the body can be used.
    fn refuse(mut self, field: &str, message: String) -> Passed {
        self.errors.insert(0, RowError { row: None, field: Some(field.to_owned()), message });
        let rejected = self.rejected.saturating_add(self.length as u64);
        Passed { batch: None, sampled_out: 0, rejected, errors: self.errors, wrong_types: self.wrong_types }
    }

    /// Concerns the column, not its rows.
    fn tell(&mut self, field: &str, message: &str) {
        if self.errors.len() < ERRORS_TOLD {
            self.errors.push(RowError { row: None, field: Some(field.to_owned()), message: message.to_owned() });
        }
    }

    /// The row cannot be used.
    fn reject(&mut self, at: usize, field: &str, message: &str) {
        self.bad[at] = true;
        if self.errors.len() < ERRORS_TOLD {
            let row = self.kept.get(at).copied();
            self.errors.push(RowError { row, field: Some(field.to_owned()), message: message.to_owned() });
        }
    }

    /// Instants; `is_event` ones may not lie in the future.
    fn times(&mut self, field: &str, array: &ArrayRef, is_event: bool) -> Result<ArrayRef, String> {
        const NO_TIME: &str = "is no time; write RFC 3339 (2026-01-31T12:00:00Z) or milliseconds since the epoch";
        let at = |at: usize| -> Option<Result<i64, ()>> {
            if array.is_null(at) {
                return None;
            }
            let whole = |v: f64| if v.is_finite() { Ok(whole::signed(v.round())) } else { Err(()) };
            Some(match array.data_type() {
                DataType::Timestamp(..) => Ok(array.as_primitive::<TimestampMillisecondType>().value(at)),
                DataType::Int64 => Ok(array.as_primitive::<Int64Type>().value(at)),
                DataType::UInt64 => i64::try_from(array.as_primitive::<UInt64Type>().value(at)).map_err(drop),
                DataType::Float64 => whole(array.as_primitive::<Float64Type>().value(at)),
                _ => {
                    let text = array.as_string_view().value(at).trim();
                    // A number within quotes, or in a CSV, is the number.
                    let number = |_| text.parse().map_err(drop).and_then(whole);
                    text.parse::<Timestamp>().map(Timestamp::as_millisecond).or_else(number)
                }
            })
        };
        if !matches!(
            array.data_type(),
            DataType::Timestamp(..) | DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Utf8View
        ) {
            return Err(NO_TIME.to_owned());
        }
        let mut times = Vec::with_capacity(array.len());
        for row in 0..array.len() {
            times.push(match at(row) {
                None => None,
                Some(Ok(ms)) if is_event && ms > self.arrival.saturating_add(AHEAD) => {
                    self.reject(row, field, "lies more than a day in the future");
                    None
                }
                Some(Ok(ms)) if Timestamp::from_millisecond(ms).is_ok() => Some(ms),
                Some(_) => {
                    self.reject(row, field, NO_TIME);
                    None
                }
            });
        }
        Ok(Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC")))
    }

    /// Rejects rows without a value.
    fn demand(&mut self, field: &str, array: &ArrayRef) {
        for row in (0..array.len()).filter(|row| array.is_null(*row)) {
            self.reject(row, field, "is missing: a label needs it");
        }
    }

    /// Rejects rows whose id may be its neighbour's: floats do not tell whole numbers from 2^53 on apart. Whole numbers of 64 bits are.
    fn demand_exact(&mut self, field: &str, array: &ArrayRef) {
        let Some(floats) = array.as_primitive_opt::<Float64Type>() else { return };
        let inexact = |id: Option<f64>| id.is_some_and(|id| id.abs() >= whole::EXACT);
        for row in floats.iter().enumerate().filter(|(_, id)| inexact(*id)).map(|(row, _)| row) {
            self.reject(row, field, "is too large a number to be told from its neighbours; send it as a string");
        }
    }

    fn bound_texts(&mut self, field: &str, array: &ArrayRef) {
        let texts: &StringViewArray = array.as_string_view();
        // A view holds its text's length in its lowest 32 bits, so that no text is looked at.
        let length = |row: usize| texts.views()[row] & u128::from(u32::MAX);
        let long = |row: &usize| texts.is_valid(*row) && length(*row) > MAX_TEXT as u128;
        for row in (0..texts.len()).filter(long) {
            self.reject(row, field, "is longer than 512 bytes");
        }
    }

    fn finish(mut self, columns: Vec<(String, ArrayRef)>) -> Passed {
        self.errors.sort_by_key(|error| error.row);
        let bad = self.bad.iter().filter(|bad| **bad).count();
        self.rejected = self.rejected.saturating_add(bad as u64);
        if bad == self.length {
            let Self { rejected, errors, wrong_types, .. } = self;
            return Passed { batch: None, sampled_out: 0, rejected, errors, wrong_types };
        }
        let mut keep: Vec<bool> = self.bad.iter().map(|bad| !bad).collect();
        let mut sampled_out = 0_u64;
        if let Some(share) = self.share {
            for (keep, kept) in keep.iter_mut().zip(share.kept(&columns, &self.kept, self.arrival)) {
                sampled_out = sampled_out.saturating_add((*keep && !kept).into());
                *keep &= kept;
            }
        }
        let (all, keep) = (bad == 0 && sampled_out == 0, BooleanArray::from(keep));
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for (name, array) in columns {
            let array = if all { Ok(array) } else { filter(&array, &keep) };
            match array {
                Ok(array) => {
                    fields.push(Field::new(name, array.data_type().clone(), true));
                    arrays.push(array);
                }
                Err(error) => return self.refuse(&name, error.to_string()),
            }
        }
        let notes = (sampled_out > 0).then(|| (SAMPLED_OUT.to_owned(), sampled_out.to_string()));
        let schema = ArrowSchema::new_with_metadata(fields, notes.into_iter().collect::<BTreeMap<_, _>>());
        match RecordBatch::try_new(Arc::new(schema), arrays) {
            Ok(record) => Passed {
                batch: Some(Batch { record, schema: self.schema }),
                sampled_out,
                rejected: self.rejected,
                errors: self.errors,
                wrong_types: self.wrong_types,
            },
            Err(error) => self.refuse("", error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::json::{Layout, Limits, decode};

    fn sent(body: &str, purpose: Purpose, spec: &Spec, known: &Schema) -> Passed {
        let limits = Limits { rows: 100, columns: 100, cells: 1000 };
        let rows = decode(body.as_bytes(), Layout::Lines, limits, &|name| expected(name, spec, known)).expect("rows");
        pass(rows, purpose, spec, known, 3, "2026-01-01T00:00:00Z".parse().expect("a time"))
    }

    fn shown(passed: &Passed) -> String {
        let mut lines = Vec::new();
        if let Some(batch) = &passed.batch {
            for (field, column) in batch.record.schema().fields().iter().zip(batch.record.columns()) {
                let values: Vec<String> = (0..column.len())
                    .map(|i| arrow::util::display::array_value_to_string(column, i).expect("a value"))
                    .collect();
                lines.push(format!("{}: {}", field.name(), values.join("|")));
            }
        }
        lines.push(format!("rejected {}", passed.rejected));
        let message = |e: &RowError| format!("{:?} {}: {}", e.row, e.field.as_deref().unwrap_or("-"), e.message);
        lines.extend(passed.errors.iter().map(message));
        lines.join("\n")
    }

    #[test]
    fn rows_take_their_roles() {
        let body = r#"{"id": 7, "timestamp": "2025-12-31T23:00:00+01:00", "prediction": 1, "score": 0.5, "a": 1, "nothing": null}
{"id": 8, "timestamp": "soon", "prediction": 0, "a": 2}
{"id": 9, "timestamp": "2027-01-01T00:00:00Z", "a": 2}
{"a": 3, "version": "v2"}"#;
        insta::assert_snapshot!(shown(&sent(body, Purpose::Samples, &Spec::new("m"), &Schema::default())), @r"
        id: 7|
        timestamp: 2025-12-31T22:00:00Z|2026-01-01T00:00:00Z
        _arrival: 2026-01-01T00:00:00Z|2026-01-01T00:00:00Z
        prediction: 1|
        score: 0.5|
        version: |v2
        a: 1|3
        rejected 2
        Some(1) timestamp: is no time; write RFC 3339 (2026-01-31T12:00:00Z) or milliseconds since the epoch
        Some(2) timestamp: lies more than a day in the future
        ");
    }

    #[test]
    fn a_time_in_milliseconds_is_one_within_quotes_too() {
        let body = "{\"id\": 1, \"timestamp\": \" 1767222000000 \", \"prediction\": 1}\n{\"id\": 2, \"timestamp\": \"NaN\", \"prediction\": 1}";
        insta::assert_snapshot!(shown(&sent(body, Purpose::Samples, &Spec::new("m"), &Schema::default())), @r"
        id: 1
        timestamp: 2025-12-31T23:00:00Z
        _arrival: 2026-01-01T00:00:00Z
        prediction: 1
        rejected 1
        Some(1) timestamp: is no time; write RFC 3339 (2026-01-31T12:00:00Z) or milliseconds since the epoch
        ");
    }

    /// Neither as it came, nor in another column, nor in what is told.
    #[test]
    fn what_is_to_be_kept_from_all_does_not_pass() {
        let privacy = [
            ("name", Treatment::Drop),
            ("id", Treatment::Hash),
            ("a", Treatment::Round(10.0)),
            ("b", Treatment::Bins(vec![18.0, 65.0])),
            ("c", Treatment::Hash),
        ];
        let privacy = privacy.into_iter().map(|(name, treatment)| (name.to_owned(), treatment)).collect();
        let key = super::super::privacy::Key::parse(&"0".repeat(32)).expect("a key");
        let spec = Spec { privacy, key, ..Spec::new("m") };
        let body = "{\"id\": \"i-1\", \"name\": \"Ada\", \"a\": 1234, \"b\": 41, \"c\": \"secret\"}\n{\"id\": \"i-2\", \"name\": \"Bob\", \"a\": 1236, \"b\": 17}";
        let first = sent(body, Purpose::Samples, &spec, &Schema::default());
        let text = shown(&first);
        assert!(
            text.contains("a: 1230.0|1240.0") && text.contains("b: 18..65|<18") && text.contains("rejected 0"),
            "{text}"
        );
        for raw in ["i-1", "Ada", "Bob", "1234", "secret"] {
            assert!(!text.contains(raw), "{raw}: {text}");
        }
        // The same again, once the columns are known; and its label, which meets it by the hashed id.
        let known = first.batch.expect("a batch").schema;
        assert_eq!(shown(&sent(body, Purpose::Samples, &spec, &known)), text);
        let label = shown(&sent("{\"id\": \"i-1\", \"label\": 1}", Purpose::Labels, &spec, &known));
        let id = |text: &str| text.lines().next().and_then(|line| line.get(4..36)).map(str::to_owned);
        assert_eq!(id(&label), id(&text));
        // What cannot be treated is left out, and an id that cannot refuses the body.
        let odd =
            shown(&sent("{\"id\": \"i\", \"a\": \"zebra\", \"c\": [1]}", Purpose::Samples, &spec, &Schema::default()));
        assert!(
            odd.contains("a: left out: holds no numbers") && odd.contains("c: left out") && !odd.contains("zebra"),
            "{odd}"
        );
        let keyless = Spec { key: super::super::privacy::Key::default(), ..spec };
        assert!(shown(&sent(body, Purpose::Samples, &keyless, &Schema::default())).contains("hash_key_file"));
    }

    /// A label is kept where its row is; what is left out is counted, and is neither wrong nor accepted.
    #[test]
    fn a_part_of_rows_is_kept_with_its_labels() {
        let spec = Spec { sample: Some(0.3), ..Spec::new("m") };
        let body =
            |more: &str| (0..80).map(|id| format!("{{\"id\": \"r-{id}\"{more}}}\n")).collect::<Vec<_>>().concat();
        let samples =
            sent(&(body("") + "{\"id\": \"x\", \"timestamp\": \"soon\"}"), Purpose::Samples, &spec, &Schema::default());
        let labels = sent(&body(", \"label\": 1"), Purpose::Labels, &spec, &Schema::default());
        let ids = |passed: &Passed| {
            let record = &passed.batch.as_ref().expect("a batch").record;
            let ids: Vec<String> = record["id"].as_string_view().iter().flatten().map(str::to_owned).collect();
            assert_eq!(record.schema().metadata()[SAMPLED_OUT], passed.sampled_out.to_string());
            ids
        };
        let kept = ids(&samples);
        assert!(kept.len() > 10 && kept.len() < 40, "{kept:?}");
        assert_eq!((ids(&labels), labels.sampled_out), (kept.clone(), samples.sampled_out));
        assert_eq!((samples.sampled_out + kept.len() as u64, samples.rejected), (80, 1));
        // What all are left out of is a batch all the same: it counts.
        let out = (0..80).map(|id| format!("r-{id}")).find(|id| !kept.contains(id)).expect("one that is left out");
        let none = sent(&format!("{{\"id\": \"{out}\", \"a\": 1}}"), Purpose::Samples, &spec, &Schema::default());
        assert_eq!((none.batch.expect("a batch").record.num_rows(), none.sampled_out), (0, 1));
        // A reference is not traffic.
        assert_eq!(sent(&body(""), Purpose::Reference, &spec, &Schema::default()).sampled_out, 0);
    }

    #[test]
    fn large_ids_are_told_apart_or_rejected() {
        let of = |body: &str| shown(&sent(body, Purpose::Samples, &Spec::new("m"), &Schema::default()));
        let whole = of("{\"id\": 9007199254740992}\n{\"id\": 9007199254740993}\n{\"id\": 18446744073709551615}");
        assert!(whole.starts_with("id: 9007199254740992|9007199254740993|18446744073709551615\n"), "{whole}");
        let larger = of("{\"id\": 36893488147419103231}\n{\"id\": 36893488147419103232}\n{\"id\": 7}\n{\"id\": 1.5}");
        assert!(larger.starts_with("id: 7|1.5\n") && larger.contains("\nrejected 2\n"), "{larger}");
        assert!(
            larger.ends_with("id: is too large a number to be told from its neighbours; send it as a string"),
            "{larger}"
        );
    }

    #[test]
    fn names_can_be_given_to_other_columns_and_features_are_bounded() {
        let mut spec = Spec::new("m");
        spec.id = "request".to_owned();
        spec.exclude = vec!["note".to_owned()];
        let body =
            r#"{"request": "r", "id": "x", "a": 1, "b": 2, "c": 3, "d": 4, "note": "n", "timestamp": 1700000000000}"#;
        insta::assert_snapshot!(shown(&sent(body, Purpose::Samples, &spec, &Schema::default())), @r"
        id: r
        timestamp: 2023-11-14T22:13:20Z
        _arrival: 2026-01-01T00:00:00Z
        a: 1
        b: 2
        c: 3
        rejected 0
        None id: left out: the name is reserved, and its role is played by another column
        None -: 1 features are left out: there are 3 at most, of names up to 200 bytes
        ");
    }

    #[test]
    fn labels_need_an_id_and_fit_the_predictions() {
        let spec = Spec::new("m");
        let known = Schema { prediction: Some(ColumnKind::Number), ..Schema::default() };
        let of = |body: &str| shown(&sent(body, Purpose::Labels, &spec, &known));
        insta::assert_snapshot!(of("{\"id\": \"a\", \"label\": 1, \"extra\": 2}\n{\"label\": 1}\n{\"id\": \"b\", \"label\": null}"), @r"
        id: a
        timestamp: 2026-01-01T00:00:00Z
        _arrival: 2026-01-01T00:00:00Z
        label: 1
        rejected 2
        Some(1) id: is missing: a label needs it
        Some(2) label: is missing: a label needs it
        ");
        insta::assert_snapshot!(of(r#"{"id": "a", "label": "yes"}"#), @r"
        rejected 1
        None label: is a string, but predictions and labels of this model are each a number
        ");
        insta::assert_snapshot!(of(r#"{"label": 1}"#), @r"
        rejected 1
        None id: is missing: a label needs it
        ");
    }
}
