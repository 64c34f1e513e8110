//! Labels that come when their rows have left memory: the rows are found among what is stored, and their windows measured anew.
//!
//! Pure: what is to be looked for is asked for here, and what was found is an argument. Only performance is measured: which columns
//! drifted was found when the window closed, and labels do not change it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult, UniqueKeepStrategy};

use super::RESULTS;
use super::Watch;
use crate::frame::stack::stack;
use crate::model::view::WindowResult;

/// Labels that wait to be looked up; more are unmatched at once.
const MISSING: usize = 1_000_000;
/// The columns of stored samples that a measurement takes.
pub const MEASURED: &[&str] = &["id", "timestamp", "prediction", "score", "label"];

impl Watch {
    /// The rows of the window are not all in memory.
    pub(super) fn has_left(&self, end: i64) -> bool {
        let from = end.saturating_sub(self.spec.steps()).saturating_mul(self.spec.step());
        self.spec.window_rows.is_none() && from < self.left
    }

    /// Notes rows that leave memory.
    pub(super) fn leave(&mut self, gone: &DataFrame) {
        let last = gone.column(super::POSITION).and_then(|positions| positions.i64()).ok();
        let last = last.and_then(|positions| positions.iter().flatten().max());
        self.left = self.left.max(last.map_or(i64::MIN, |last| last.saturating_add(1)));
    }

    /// Notes a label whose row is not in memory. Windows of rows have no time by which to find theirs again.
    pub(super) fn miss(&mut self, id: &str) {
        if self.spec.window_rows.is_some() || self.progress.missing.len() >= MISSING {
            self.progress.counts.unmatched += 1;
        } else {
            self.progress.missing.insert(id.to_owned());
        }
    }

    /// The ids that are to be looked for among what is stored, and the time before which nothing is.
    #[must_use]
    pub fn missing(&self) -> (&BTreeSet<String>, i64) {
        (&self.progress.missing, self.horizon())
    }

    /// Takes what a look found of the missing ids: each with its event's time in milliseconds. What was not found is unmatched: its
    /// label is kept all the same, and counts if its row comes later.
    pub fn found(&mut self, found: &[(String, i64)]) {
        let (step, steps) = (self.spec.step(), self.spec.steps());
        for (id, at) in found {
            if self.progress.missing.remove(id) {
                let bucket = at.div_euclid(step);
                self.progress.stored.extend(bucket.saturating_add(1)..=bucket.saturating_add(steps));
            }
        }
        self.progress.counts.unmatched += self.progress.missing.len() as u64;
        self.progress.missing.clear();
    }

    /// The newest window that is to be measured from what is stored: its end, and the times in milliseconds between which its rows lie.
    #[must_use]
    pub fn to_measure(&self) -> Option<(i64, i64, i64)> {
        let end = *self.progress.stored.last()?;
        let step = self.spec.step();
        Some((end, end.saturating_sub(self.spec.steps()).saturating_mul(step), end.saturating_mul(step)))
    }

    /// Measures a window with its stored rows ([`MEASURED`]), and those that only memory has yet.
    ///
    /// # Errors
    /// The rows are of other types than this version stores.
    pub fn measure(&mut self, end: i64, stored: DataFrame, now: Timestamp) -> PolarsResult<()> {
        self.progress.stored.remove(&end);
        let step = self.spec.step();
        let (from, to) = (end.saturating_sub(self.spec.steps()).saturating_mul(step), end.saturating_mul(step));
        let mut rows = stored;
        let held = self.rows.range(from, to)?;
        if held.height() > 0 {
            let wanted: Vec<&str> = MEASURED.iter().copied().filter(|name| held.column(name).is_ok()).collect();
            stack(&mut rows, held.select(wanted)?)?;
        }
        if rows.height() == 0 || rows.column("id").is_err() {
            return Ok(());
        }
        // A row that is stored and in memory, or was sent twice, is one. Rows without an id can have no label that comes later.
        let named = rows.column("id")?.is_not_null();
        let rows = rows.filter(&named)?.unique_stable(Some(&["id".to_owned()]), UniqueKeepStrategy::First, None)?;
        self.settle_labels()?;
        let performance = self.performance(&rows)?;
        let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let result = self.progress.results.entry(end).or_insert_with(|| WindowResult {
            start: time(from),
            end: time(to),
            rows: rows.height() as u64,
            reference: None,
            evaluated: now,
            evaluations: 0,
            drift: None,
            drifted: Vec::new(),
            features: Vec::new(),
            performance: None,
        });
        result.performance = performance;
        result.evaluated = now;
        result.evaluations += 1;
        while self.progress.results.len() > RESULTS {
            self.progress.results.pop_first();
        }
        Ok(())
    }
}
