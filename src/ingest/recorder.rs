//! For tests of doors: a sink that notes what is stored and answered, or refuses it.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::array_value_to_string;

use super::{Described, Refused, Reservation, RowCounts, Sink};
use crate::frame::json::WrongTypes;
use crate::identity::ModelKey;
use crate::model::border::{Batch, Purpose};
use crate::model::{Schema, Spec};

/// What came through a door.
#[derive(Debug, Default)]
pub struct Recorder {
    /// What every model is described as; each by its name alone where there is none.
    spec: Option<Spec>,
    rows: Mutex<Vec<String>>,
    refuses: Mutex<Option<Refused>>,
    answers: Mutex<Vec<(u16, u64, u64)>>,
}

impl Recorder {
    /// Of models that are all described so.
    pub fn of(spec: Spec) -> Self {
        Self { spec: Some(spec), ..Self::default() }
    }

    /// Rows that were stored since this was asked last, as `MODEL PURPOSE: COLUMN=VALUE ...`.
    pub fn take_rows(&self) -> Vec<String> {
        std::mem::take(&mut self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses all from now on, or nothing.
    pub fn refuse(&self, why: Option<Refused>) {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Each answer: its status, rows that were accepted, and rows that were wrong.
    pub fn answers(&self) -> Vec<(u16, u64, u64)> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Each row's values by column, without those that are the agent's own or missing.
pub fn shown(record: &RecordBatch) -> impl Iterator<Item = String> {
    let schema = record.schema();
    (0..record.num_rows()).map(move |row| {
        let columns = schema.fields().iter().zip(record.columns());
        let values = columns.filter(|(field, column)| !field.name().starts_with('_') && !column.is_null(row));
        let value = |column| array_value_to_string(column, row).unwrap_or_else(|error| error.to_string());
        values.map(|(field, column)| format!("{}={}", field.name(), value(column))).collect::<Vec<_>>().join(" ")
    })
}

impl Sink for Recorder {
    fn describe(&self, model: &ModelKey) -> Result<Described, Refused> {
        let spec = self.spec.clone().unwrap_or_else(|| Spec::of(model));
        Ok(Described { spec: Arc::new(spec), schema: Arc::<Schema>::default(), max_features: 500 })
    }

    fn accept(&self, model: &ModelKey, purpose: Purpose, batch: Batch, _: Reservation) -> Result<(), Refused> {
        if let Some(refused) = self.refuses.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(refused);
        }
        let rows = shown(&batch.record).map(|row| format!("{model} {}: {row}", purpose.name()));
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
        Ok(())
    }

    fn remove(&self, _: &ModelKey) -> Result<bool, Refused> {
        Ok(false)
    }

    fn refused(&self, _: &ModelKey, _: &WrongTypes) {}

    fn agent(&self) -> Option<String> {
        None
    }

    fn takes_forwarded(&self, _: &ModelKey) -> bool {
        true
    }

    fn answered(&self, status: u16, rows: RowCounts) {
        let wrong = rows.faulty.saturating_add(rows.wrong_type);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push((status, rows.accepted, wrong));
    }
}
