//! Versions of the model side by side, compared over the newest rows with labels that are in memory.

use std::time::Duration;

use polars::prelude::{ChunkUnique, DataFrame, DataFrameJoinOps, PolarsResult, Series, UniqueKeepStrategy};

use super::Watch;
use super::judge::{first_of, label_of, series};
use super::milliseconds;
use crate::model::assess::Window;
use crate::model::assess::versions::{Asked, compared};
use crate::model::rows::POSITION;
use crate::segment::coded::Coded;
use crate::versions::{Looks, Versions};

/// Rows that are compared, at most.
const ROWS: usize = 50_000;
/// How often, at most.
const EVERY: Duration = Duration::from_secs(60);

impl Watch {
    /// Compares them, where rows or labels have come since, and not too soon after the last time.
    ///
    /// # Errors
    /// Never, for rows that were pushed before.
    pub(super) fn compare_versions(&mut self, monotonic: Duration) -> PolarsResult<()> {
        if !self.versions_due || self.compared.is_some_and(|at| monotonic.saturating_sub(at) < EVERY) {
            return Ok(());
        }
        (self.versions_due, self.compared) = (false, Some(monotonic));
        self.versions = self.side_by_side()?;
        if let Some(found) = &self.versions {
            self.progress.compared_since.note(found);
        }
        Ok(())
    }

    fn side_by_side(&mut self) -> PolarsResult<Option<Versions>> {
        if !self.has_versions()? {
            return Ok(None);
        }
        self.settle_labels()?;
        let latest = self.latest_labels.as_ref();
        let (from, labelled) = self.newest(ROWS)?;
        let names: Vec<&str> = self.measured_by().into_iter().chain(["version"]).collect();
        let mut frame = self.rows.range_of(from, i64::MAX, &names)?;
        let mut label = label_of_requests(&frame, latest)?;
        if let Some(known) = label.as_ref().filter(|_| labelled) {
            let there = known.is_not_null();
            (frame, label) = (frame.filter(&there)?, Some(known.filter(&there)?));
        }
        // Of many rows of one time those that came last.
        (frame, label) = (frame.tail(Some(ROWS)), label.map(|label| label.tail(Some(ROWS))));
        let Some(version) = series(&frame, "version").and_then(|of| Coded::of_series(&of)) else { return Ok(None) };
        let request: Vec<Option<u128>> = match frame.column("id") {
            Ok(ids) => ids.str()?.iter().map(|id| id.map(|id| self.ids.key(id))).collect(),
            Err(_) => Vec::new(),
        };
        let at = milliseconds(&frame, "timestamp")?;
        let mut known = self.progress.known.clone();
        if let Some(label) = &label {
            known.learn(label);
        }
        let task = self.spec.task.or(known.task());
        let side = Window { frame: &frame, spec: &self.spec }.side(label);
        let asked = Asked { version: &version, request: &request, at: Some(&at) };
        let named = self.spec.champion.as_deref();
        // One that was chosen stays the champion for as long as it has rows.
        let champion = named.or(self.progress.compared_since.champion.as_deref());
        let looks = Looks::Always(&self.progress.compared_since);
        let mut found = compared(&asked, &side, (&self.spec, task, &known), (champion, looks));
        if let Some(found) = found.as_mut().filter(|_| named.is_none()) {
            found.champion_missing = None;
        }
        Ok(found)
    }

    /// Whether the rows in memory are of two versions or more.
    fn has_versions(&self) -> PolarsResult<bool> {
        let rows = self.rows.range_of(i64::MIN, i64::MAX, &["version"])?;
        let Ok(version) = rows.column("version") else { return Ok(false) };
        Ok(version.str()?.unique()?.iter().flatten().count() > 1)
    }

    /// From which position on there are so many rows with a label, or with fewer all of them; where none has one, so many rows. Whether any
    /// has.
    pub(super) fn newest(&self, most: usize) -> PolarsResult<(i64, bool)> {
        let rows = self.rows.range_of(i64::MIN, i64::MAX, &["id", "label"])?;
        let positions: Vec<i64> = rows.column(POSITION)?.i64()?.iter().flatten().collect();
        let label = label_of_requests(&rows, self.latest_labels.as_ref())?;
        let there = label.map(|label| label.is_not_null());
        let is_labelled = |(is, _): &(Option<bool>, &i64)| *is == Some(true);
        let labelled: Vec<i64> = match &there {
            Some(there) => there.iter().zip(&positions).filter(is_labelled).map(|(_, position)| *position).collect(),
            None => Vec::new(),
        };
        let any = !labelled.is_empty();
        let mut positions = if any { labelled } else { positions };
        let Some(first) = positions.len().checked_sub(most) else { return Ok((i64::MIN, any)) };
        Ok((*positions.select_nth_unstable(first).1, any))
    }
}

/// The labels of rows, in their order: those that came; else the one that the row came with, or another version's row of the request.
fn label_of_requests(rows: &DataFrame, latest: Option<&DataFrame>) -> PolarsResult<Option<Series>> {
    let Some(label) = label_of(rows, latest)? else { return Ok(None) };
    let Ok(mut said) = rows.select(["id"]) else { return Ok(Some(label)) };
    if !label.has_nulls() || rows.column("label").is_err() {
        return Ok(Some(label));
    }
    let ids = said.clone();
    said.with_column(label.clone().with_name("label".into()).into())?;
    let there = said.column("id")?.is_not_null() & label.is_not_null();
    let said = said.filter(&there)?.unique_stable(Some(&["id".to_owned()]), UniqueKeepStrategy::Last, None)?;
    match series(&ids.left_join(&said, ["id"], ["id"])?, "label") {
        Some(of_request) => first_of(&label, &of_request).map(Some),
        None => Ok(Some(label)),
    }
}
