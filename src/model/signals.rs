//! A model's view -> its signals, one value each. A gauge more is an entry in `signal::model` and a line here. What a model has several
//! of - by feature, measure or bin - is read in `points`.

use super::view::ModelView;
use crate::quality::Check;
use crate::signal::Values;
use crate::signal::model::{Model, id};

/// What is known of the model now.
#[must_use]
pub fn read(model: &ModelView) -> Values<Model> {
    let mut values = Values::default();
    let (counts, verdict) = (&model.counts, &model.verdict);
    values.count(const { id("predictions") }, counts.samples.saturating_add(counts.sampled_out));
    values.count(const { id("sampled_out") }, counts.sampled_out);
    values.count(const { id("labels_sampled_out") }, counts.labels_sampled_out);
    values.count(const { id("labels") }, counts.labels);
    values.count(const { id("dropped.repeated") }, counts.repeated);
    values.count(const { id("dropped.too_late") }, counts.too_late);
    values.count(const { id("dropped.forgotten") }, counts.forgotten);
    values.count(const { id("dropped.unmatched") }, counts.unmatched);
    values.count(const { id("dropped.elsewhere") }, counts.elsewhere);
    values.count(const { id("dropped.labels_forgotten") }, counts.labels_forgotten);
    values.count(const { id("late") }, counts.late);
    values.count(const { id("memory") }, model.bytes_in_memory);
    let drift = verdict.drift.map(u64::from);
    values.count(const { id("verdict") }, drift);
    values.count(const { id("drift") }, drift.filter(|_| !verdict.provisional));
    values.count(const { id("drift_provisional") }, drift.filter(|_| verdict.provisional));
    values.count(const { id("provisional") }, u64::from(verdict.provisional));
    let faulty = Check::ALL.into_iter().filter(|check| model.faults(*check).is_some_and(|faults| faults > 0));
    values.count(const { id("faulty_checks") }, faulty.count() as u64);
    values.count(const { id("window_rows") }, model.latest.as_ref().map(|window| window.rows));
    values.count(const { id("performance_rows") }, model.measured().map(|performance| performance.rows));
    values.count(const { id("segments") }, model.segments.as_ref().map(|worst| worst.found.segments.len() as u64));
    values.count(const { id("versions_left_out") }, model.versions.as_ref().map(|found| found.others.versions));
    let leading = model.leading();
    values.real(const { id("leading") }, leading.map(|leading| leading.now));
    values.real(const { id("leading_reference") }, leading.and_then(|leading| leading.reference));
    values
}
