//! Labels that come when their rows have left memory: the rows are found among what is stored, and their windows measured anew.
//!
//! Pure: what is to be looked for is asked for here, and what was found is an argument. Only performance is measured: which columns
//! drifted was found when the window closed, and labels do not change it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult, UniqueKeepStrategy};

use super::RESULTS;
use super::Watch;
use super::judge::{label_of, latest};
use crate::model::assess::beside;
use crate::model::border::AHEAD;
use crate::model::view::WindowResult;
use crate::model::{Spec, Store};

/// Labels that wait to be looked up; more are unmatched at once.
const MISSING: usize = 1_000_000;
/// The columns of stored samples that every measurement takes.
const MEASURED: [&str; 5] = ["id", "timestamp", "prediction", "score", "label"];
/// The columns of stored labels that it takes.
pub const LABELS: &[&str] = &["id", "label", "timestamp"];

impl Watch {
    /// Where the window that ends in this step begins.
    pub(super) fn from(&self, end: i64) -> i64 {
        end.saturating_sub(self.spec.steps()).saturating_mul(self.spec.step())
    }

    /// The rows of the window are not all in memory.
    pub(super) fn has_left(&self, end: i64) -> bool {
        self.spec.window_rows.is_none() && self.from(end) < self.left
    }

    /// Labels of the window may have left memory: some that left came when its rows may have been there.
    pub(super) fn labels_have_left(&self, end: i64) -> bool {
        self.spec.window_rows.is_none() && self.from(end).saturating_sub(AHEAD) < self.labels_left
    }

    /// Notes rows that leave memory.
    pub(super) fn leave(&mut self, gone: &DataFrame) {
        self.left = self.left.max(behind(gone));
    }

    /// Notes labels that leave memory.
    pub(super) fn leave_labels(&mut self, gone: &DataFrame) {
        self.labels_left = self.labels_left.max(behind(gone));
    }

    /// Notes a label whose row is not in memory. Windows of rows have no time by which to find theirs again, and of counts there is nothing
    /// to be found.
    pub(super) fn miss(&mut self, id: &str) {
        let is_stored = self.spec.store == Store::Rows && self.spec.window_rows.is_none();
        if !is_stored || self.progress.missing.len() >= MISSING {
            self.progress.counts.unmatched += 1;
        } else {
            self.progress.missing.insert(id.to_owned());
        }
    }

    /// Notes windows that are to be measured from what is stored, if anything is.
    pub(super) fn measure_stored(&mut self, ends: impl IntoIterator<Item = i64>) {
        if self.spec.store == Store::Rows {
            self.progress.stored.extend(ends);
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
                self.measure_stored(bucket.saturating_add(1)..=bucket.saturating_add(steps));
            }
        }
        self.progress.counts.unmatched += self.progress.missing.len() as u64;
        self.progress.missing.clear();
    }

    /// The newest window that is to be measured from what is stored: its end, and the times in milliseconds between which its rows lie.
    #[must_use]
    pub fn to_measure(&self) -> Option<(i64, i64, i64)> {
        let end = *self.progress.stored.last()?;
        Some((end, self.from(end), end.saturating_mul(self.spec.step())))
    }

    /// The columns of stored samples that a measurement takes.
    #[must_use]
    pub fn measured_by(&self) -> Vec<&str> {
        MEASURED.into_iter().chain(self.beside()).collect()
    }

    /// Those of them that not every measurement takes.
    fn beside(&self) -> impl Iterator<Item = &str> {
        let Spec { scores, group, protected, segments, .. } = &self.spec;
        let protected = protected.iter().map(|protected| &protected.column);
        let all = scores.values().chain(group).chain(protected).chain(segments);
        let all: BTreeSet<&str> = all.map(|name| self.spec.held_as(name)).collect();
        all.into_iter().filter(|name| !MEASURED.contains(name))
    }

    /// Whether rows without a label are measured too: groups are told apart by what was predicted of all.
    fn wants_all(&self) -> bool {
        !self.spec.protected.is_empty()
    }

    /// The rows of a time that memory holds.
    ///
    /// # Errors
    /// Never, for rows that were pushed before.
    pub fn rows_between(&self, from: i64, to: i64) -> PolarsResult<DataFrame> {
        only(&self.rows.range(from, to)?, &self.measured_by())
    }

    /// The labels that memory holds, as they came.
    ///
    /// # Errors
    /// Never, for labels that were pushed before.
    pub fn labels_in_memory(&self) -> PolarsResult<DataFrame> {
        only(&self.labels.all()?, LABELS)
    }

    /// Takes a window's measurement: how many rows it has, and those that have a label ([`labelled`]).
    pub fn measured(&mut self, end: i64, rows: u64, labelled: &DataFrame, now: Timestamp) {
        self.progress.stored.remove(&end);
        if rows == 0 {
            return;
        }
        let own = self.reference.as_ref().and_then(|reference| reference.own(labelled.clone()).ok());
        let labelled = own.as_ref().map_or(labelled, |(own, _)| own);
        let label = labelled.column("label").ok().map(|label| label.as_materialized_series().clone());
        let assessed = self.assessed(labelled, label, false);
        let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let (from, to) = (self.from(end), end.saturating_mul(self.spec.step()));
        let result = self.progress.results.entry(end).or_insert_with(|| WindowResult {
            start: time(from),
            end: time(to),
            rows,
            ..WindowResult::default()
        });
        result.estimated = result.estimated.take().map(|estimate| beside(estimate, assessed.performance.as_ref()));
        result.performance = assessed.performance;
        if result.performance.is_some() {
            (result.fairness, result.by_column) = (assessed.fairness, assessed.by_column);
        }
        result.evaluated = now;
        result.evaluations += 1;
        while self.progress.results.len() > RESULTS {
            self.progress.results.pop_first();
        }
        self.slim();
    }

    /// Gives up the measurement of a window whose rows cannot be read.
    pub fn cannot_measure(&mut self, end: i64) {
        self.progress.stored.remove(&end);
    }
}

/// Of a window's rows in the order in which they came, those that have a label, with what a measurement takes of them; and how many
/// rows there are. A row that is stored and in memory, or was sent twice, is one; of several versions' rows of an id each is. Rows without an id can have no label that comes later.
///
/// # Errors
/// The rows are of other types than this version stores.
pub fn labelled(watch: &Watch, rows: &DataFrame, labels: &DataFrame) -> PolarsResult<(u64, DataFrame)> {
    let Ok(ids) = rows.column("id") else { return Ok((0, DataFrame::empty())) };
    let named = rows.filter(&ids.is_not_null())?;
    let by: Vec<String> =
        ["id", "version"].into_iter().filter(|name| named.column(name).is_ok()).map(str::to_owned).collect();
    let rows = named.unique_stable(Some(&by), UniqueKeepStrategy::First, None)?;
    let count = rows.height() as u64;
    let labels = if labels.height() > 0 { Some(latest(labels)?) } else { None };
    let Some(label) = label_of(&rows, labels.as_ref())? else { return Ok((count, DataFrame::empty())) };
    let there = label.is_not_null();
    let mut measured =
        only(&rows, &["prediction", "score", "version"].into_iter().chain(watch.beside()).collect::<Vec<_>>())?;
    measured.with_column(label.with_name("label".into()).into())?;
    Ok((count, if watch.wants_all() { measured } else { measured.filter(&there)? }))
}

/// Those of the columns that are there.
fn only(rows: &DataFrame, columns: &[&str]) -> PolarsResult<DataFrame> {
    rows.select(columns.iter().copied().filter(|name| rows.column(name).is_ok()))
}

/// The position behind the last of these rows.
fn behind(gone: &DataFrame) -> i64 {
    let last = gone.column(super::POSITION).and_then(|positions| positions.i64()).ok();
    let last = last.and_then(|positions| positions.iter().flatten().max());
    last.map_or(i64::MIN, |last| last.saturating_add(1))
}
