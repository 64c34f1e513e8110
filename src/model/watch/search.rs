//! Where the model does worst, searched over the newest windows with labels whose rows are in memory.

use std::time::Duration;

use polars::prelude::PolarsResult;

use super::Watch;
use super::judge::label_of;
use crate::model::assess::{Window, groups};
use crate::model::view::Worst;

/// Rows that are searched, about so many: windows are added until there are.
const ROWS: u64 = 50_000;
/// How often, at most.
const EVERY: Duration = Duration::from_secs(60);

impl Watch {
    /// Searches, where labels have come since, and not too soon after the last time.
    ///
    /// # Errors
    /// Never, for rows that were pushed before.
    pub(super) fn search(&mut self, monotonic: Duration) -> PolarsResult<()> {
        if !self.search_due || self.searched.is_some_and(|at| monotonic.saturating_sub(at) < EVERY) {
            return Ok(());
        }
        (self.search_due, self.searched) = (false, Some(monotonic));
        self.settle_labels()?;
        let (mut rows, mut ends) = (0_u64, Vec::new());
        for (end, result) in self.progress.results.iter().rev() {
            let Some(performance) = &result.performance else { continue };
            if self.has_left(*end) || rows >= ROWS {
                break;
            }
            rows = rows.saturating_add(performance.rows);
            ends.push(*end);
        }
        let (Some(last), Some(first)) = (ends.first().copied(), ends.last().copied()) else { return Ok(()) };
        let frame = self.rows.range(self.from(first), last.saturating_mul(self.spec.step()))?;
        let Some(label) = label_of(&frame, self.latest_labels.as_ref())? else { return Ok(()) };
        let there = label.is_not_null();
        let (frame, label) = (frame.filter(&there)?, label.filter(&there)?);
        let mut known = self.progress.known.clone();
        known.learn(&label);
        let Some(task) = self.spec.task.or(known.task()) else { return Ok(()) };
        let window = Window { frame: &frame, spec: &self.spec };
        let found = groups::worst(&window, &window.side(Some(label)), None, (&self.spec, task, &known)).ok().flatten();
        let of = |end: i64| self.progress.results.get(&end);
        if let (Some(found), Some(first), Some(last)) = (found, of(first), of(last)) {
            self.progress.worst = Some(Worst { start: first.start, end: last.end, found });
        }
        Ok(())
    }
}
