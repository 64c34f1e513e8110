//! Scores and errors pass the model's detectors: samples as they come, errors as their labels do, each once. Of a label that is sent again,
//! or corrected, the first counts here, as a detector cannot take back what it saw; performance is that of the last.

use jiff::Timestamp;
use polars::prelude::{DataFrame, DataFrameJoinOps, PolarsResult, Series};

use super::Watch;
use crate::model::rows::keep;
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

    /// Rows whose labels are there: their errors have passed, or came before a detector did.
    pub(super) fn note_streamed(&mut self, frame: &DataFrame) {
        let (false, Ok(ids), Ok(labels)) = (self.spec.streams.is_empty(), frame.column("id"), frame.column("label"))
        else {
            return;
        };
        let Ok(ids) = ids.str() else { return };
        let labels = labels.is_not_null();
        let labelled = ids.iter().zip(labels.iter()).filter(|(_, labelled)| *labelled == Some(true));
        for id in labelled.filter_map(|(id, _)| id) {
            self.ids.stream(id);
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
        let first: Vec<bool> =
            fresh.column("id")?.str()?.iter().map(|id| id.is_some_and(|id| self.ids.stream(id))).collect();
        let fresh = keep(&fresh, &first)?;
        let positions = fresh.column("id")?.str()?.iter().flatten().flat_map(|id| self.ids.positions(id));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{frame, judge_all, labels, now, spec, take};
    use super::super::{Mode, Progress};
    use super::*;
    use crate::model::Spec;
    use crate::model::border::Purpose;
    use crate::model::streams::Detector;

    fn rows(numbers: std::ops::Range<u32>, more: &str) -> Vec<String> {
        let row = |i| format!(r#"{{"id": "r{i}", "timestamp": {}, "score": 0.9, "prediction": 1{more}}}"#, 1000 * i);
        numbers.map(row).collect()
    }

    fn labelled(numbers: std::ops::Range<u32>, label: u8) -> Vec<String> {
        numbers.map(|i| format!(r#"{{"id": "r{i}", "label": {label}, "timestamp": {i}}}"#)).collect()
    }

    fn seen(watch: &Watch) -> u64 {
        let of_errors = watch.progress.changes.get(&Stream::Error);
        of_errors.and_then(|of| of.get(&Detector::Adwin)).map_or(0, |found| found.values)
    }

    fn asked() -> Spec {
        Spec { streams: vec![Detector::Adwin], label_horizon: Duration::from_secs(1 << 30), ..spec() }
    }

    #[test]
    fn an_error_passes_once_whatever_is_sent_again() {
        let mut watch = Watch::new(asked(), 20, Progress::default(), now());
        take(&mut watch, &rows(0..100, ""));
        // Twice in one go, again later, and corrected.
        labels(&mut watch, &[labelled(0..50, 1), labelled(0..20, 1)].concat());
        judge_all(&mut watch, 0);
        assert_eq!(seen(&watch), 50);
        labels(&mut watch, &labelled(0..50, 1));
        labels(&mut watch, &labelled(10..60, 0));
        judge_all(&mut watch, 100);
        assert_eq!(seen(&watch), 60, "those of the ten that are new");
        // A label that comes with its row is the first.
        take(&mut watch, &rows(100..130, r#", "label": 1"#));
        assert_eq!(seen(&watch), 90);
        labels(&mut watch, &labelled(100..131, 0));
        judge_all(&mut watch, 200);
        assert_eq!(seen(&watch), 90);
        // One that came before its row said nothing of an error yet.
        take(&mut watch, &rows(130..131, ""));
        labels(&mut watch, &labelled(130..131, 0));
        judge_all(&mut watch, 300);
        assert_eq!(seen(&watch), 91);
        // Other windows place all rows anew.
        watch.configure(Spec { window_rows: Some(10), ..asked() }, 20).expect("configured");
        labels(&mut watch, &labelled(0..131, 1));
        judge_all(&mut watch, 400);
        assert_eq!(seen(&watch), 91 + 40, "of the rows that had no label");
    }

    #[test]
    fn a_restart_lets_none_pass_again() {
        let mut before = Watch::new(asked(), 20, Progress::default(), now());
        let samples = [rows(0..50, ""), rows(50..80, r#", "label": 1"#)].concat();
        let samples = frame(&mut before, Purpose::Samples, &samples);
        let given = frame(&mut before, Purpose::Labels, &labelled(0..20, 1));
        before.absorb(samples.clone(), Mode::Live, now()).expect("absorbed");
        before.absorb_labels(&given, Mode::Live).expect("absorbed");
        judge_all(&mut before, 0);
        assert_eq!(seen(&before), 50);
        let mut after = Watch::new(asked(), 20, before.progress.clone(), now());
        after.absorb(samples, Mode::Rebuild, now()).expect("absorbed");
        after.absorb_labels(&given, Mode::Rebuild).expect("absorbed");
        after.rebuilt().expect("rebuilt");
        labels(&mut after, &labelled(0..80, 0));
        judge_all(&mut after, 0);
        assert_eq!(seen(&after), 80, "thirty rows had no label");
    }
}
