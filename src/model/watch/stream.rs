//! Scores and errors pass the model's detectors: samples as they come, errors as their labels do.

use jiff::Timestamp;
use polars::prelude::{DataFrame, DataFrameJoinOps, PolarsResult, Series};

use super::Watch;
use crate::model::streams::Stream;
use crate::performance::errors;

impl Watch {
    /// Scores of samples pass the detectors, and the errors of those that come with their label.
    pub(super) fn stream_samples(&mut self, frame: &DataFrame, now: Timestamp) {
        if self.spec.streams.is_empty() {
            return;
        }
        if let Ok(scores) = frame.column("score").and_then(|score| score.f64()) {
            let scores: Vec<f64> = scores.iter().flatten().collect();
            self.stream(Stream::Score, &scores, now);
        }
        if let Ok(label) = frame.column("label") {
            self.stream_errors(frame, label.as_materialized_series(), now);
        }
    }

    fn stream_errors(&mut self, frame: &DataFrame, label: &Series, now: Timestamp) {
        let Ok(prediction) = frame.column("prediction").or_else(|_| frame.column("score")) else { return };
        let mut known = self.progress.known.clone();
        known.learn(label);
        let Some(task) = self.spec.task.or(known.task()) else { return };
        let errors: Vec<f64> = errors(task, label, prediction.as_materialized_series()).into_iter().flatten().collect();
        self.stream(Stream::Error, &errors, now);
    }

    fn stream(&mut self, stream: Stream, values: &[f64], now: Timestamp) {
        let asked = (self.spec.streams.as_slice(), self.spec.task.or(self.progress.known.task()));
        self.streams.take(stream, values, asked, &mut self.progress.changes, now);
    }

    /// Errors of the labels that came since, in the order in which they came, pass the detectors. Those whose samples have left memory
    /// do not.
    pub(super) fn stream_labels(&mut self, now: Timestamp) -> PolarsResult<()> {
        let fresh = std::mem::take(&mut self.fresh_labels);
        if fresh.height() == 0 {
            return Ok(());
        }
        let positions = fresh.column("id")?.str()?.iter().flatten().filter_map(|id| self.ids.position(id));
        let Some((first, last)) = positions.fold(None, |ends: Option<(i64, i64)>, at| {
            Some(ends.map_or((at, at), |(first, last)| (first.min(at), last.max(at))))
        }) else {
            return Ok(());
        };
        let predictions = self.rows.range_of(first, last.saturating_add(1), &["id", "prediction", "score"])?;
        let joined = fresh.left_join(&predictions, ["id"], ["id"])?;
        let label = joined.column("label")?.as_materialized_series().clone();
        self.stream_errors(&joined, &label, now);
        Ok(())
    }
}
