//! Judging windows: their rows against the reference, their predictions against the labels that have come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use polars::prelude::{
    ChunkAgg, ChunkUnique, DataFrame, DataFrameJoinOps, DataType, PolarsResult, Series, SortMultipleOptions,
    UniqueKeepStrategy,
};

use super::{DETAILED, IN_ONE_GO, RESULTS, SETTLE, Watch, sample};
use crate::drift::defaults;
use crate::drift::derived::Side;
use crate::drift::moved::Spread;
use crate::drift::over_time::distances;
use crate::drift::profile::tally::Tally;
use crate::drift::verdict::{Judged, Measured, judge};
use crate::estimate::Estimate;
use crate::fairness::Fair;
use crate::model::Store;
use crate::model::assess::{Window, beside, groups};
use crate::model::made::cloud;
use crate::model::reference::Reference;
use crate::model::view::WindowResult;
use crate::performance::Performance;
use crate::quality::learnt::Across;
use crate::quality::profiled;

use crate::quality::{self, Detail, Suspect};
use crate::segment::by::By;

/// Versions that a window names at most.
const VERSIONS: usize = 20;

/// The versions that the rows are of, in order.
fn versions(frame: &DataFrame) -> Vec<String> {
    let unique = frame.column("version").ok().and_then(|column| column.str().ok()?.unique().ok());
    let mut versions: Vec<String> = unique.iter().flat_map(|texts| texts.iter().flatten()).map(str::to_owned).collect();
    versions.sort();
    versions.truncate(VERSIONS);
    versions
}

/// How well the model does on some rows.
#[derive(Default)]
pub(super) struct Assessed {
    pub(super) performance: Option<Performance>,
    estimated: Option<Estimate>,
    pub(super) fairness: Vec<Fair>,
    pub(super) by_column: Vec<By<Option<Performance>>>,
    pub(super) notes: Vec<String>,
}

/// What is found of a window's rows.
#[derive(Default)]
struct Found {
    features: Vec<Judged>,
    quality: Vec<quality::Finding>,
    /// Its counts, under a profile.
    tally: Option<Tally>,
}

impl Watch {
    /// Judges windows that are closed and pending, some at a time. Returns whether any was. Versions are compared beside, window or not.
    ///
    /// # Errors
    /// Rows that are held cannot be read; the window is passed over.
    pub fn judge(&mut self, now: Timestamp, monotonic: Duration) -> PolarsResult<bool> {
        self.compare_versions(monotonic)?;
        let streamed =
            self.fresh_labels.height() > 0 && self.streamed.is_none_or(|at| monotonic.saturating_sub(at) >= SETTLE);
        if streamed {
            self.streamed = Some(monotonic);
            self.stream_labels(now)?;
        }
        let Some(watermark) = self.closed_until(now) else { return Ok(streamed) };
        let (step, steps) = (self.spec.step(), self.spec.steps());
        let last = watermark.div_euclid(step);
        // A window that began before the first row is not whole, unless it is one of those that touch.
        let first = self.progress.first.map_or(i64::MIN, |first| first.saturating_add(steps));
        if first > last {
            return Ok(false);
        }
        let settled = self.judged_again.is_none_or(|at| monotonic.saturating_sub(at) >= SETTLE);
        let mut due = Vec::new();
        let mut again = false;
        // A window older than all results that are kept would be judged for nobody.
        let oldest = self.progress.results.keys().next().filter(|_| self.progress.results.len() >= RESULTS).copied();
        let first = first.max(oldest.unwrap_or(i64::MIN));
        if first > last {
            return Ok(false);
        }
        // The newest first: they are what the verdict is about.
        for end in self.progress.pending.range(first..=last).rev() {
            let judged_before = self.progress.results.contains_key(end);
            if !judged_before || settled {
                again |= judged_before;
                due.push(*end);
            }
            if due.len() >= IN_ONE_GO {
                break;
            }
        }
        if due.is_empty() {
            self.search(monotonic)?;
            self.explain(monotonic)?;
            return Ok(false);
        }
        self.settle_labels()?;
        for end in &due {
            self.progress.pending.remove(end);
            // What was found when its rows were all here stands; only labels can add to it.
            if self.has_left(*end) && self.progress.results.contains_key(end) {
                self.measure_stored([*end]);
                continue;
            }
            if let Some((mut result, tally)) = self.judge_window(*end, now)? {
                match tally {
                    Some(tally) => self.progress.tallies.insert(*end, Arc::new(tally)),
                    None => self.progress.tallies.remove(end),
                };
                // With rows or labels that have left memory, its performance is to be measured from what is stored.
                let left = self.has_left(*end) || self.labels_have_left(*end);
                if left && self.progress.counts.labels > 0 {
                    self.measure_stored([*end]);
                    if let Some(before) = self.progress.results.get(end).filter(|before| before.performance.is_some()) {
                        result.performance.clone_from(&before.performance);
                        result.fairness.clone_from(&before.fairness);
                        result.by_column.clone_from(&before.by_column);
                        result.estimated = result.estimated.map(|of| beside(of, before.performance.as_ref()));
                    }
                }
                self.search_due |= result.performance.is_some();
                self.judged.push(result.clone());
                self.progress.results.insert(*end, result);
            }
        }
        // Only when the last of them has been judged do others have to wait.
        if again && due.len() < IN_ONE_GO {
            self.judged_again = Some(monotonic);
        }
        while self.progress.results.len() > RESULTS {
            self.progress.results.pop_first();
        }
        // A shape is only ever drawn of the newest.
        for judged in self.progress.results.values_mut().rev().skip(1).take(IN_ONE_GO).flat_map(|r| &mut r.features) {
            judged.shape = None;
        }
        while self.progress.tallies.len() > DETAILED {
            self.progress.tallies.pop_first();
        }
        for result in self.progress.results.values_mut().rev().skip(DETAILED) {
            (result.features, result.quality) = (Vec::new(), Vec::new());
        }
        self.slim();
        self.search(monotonic)?;
        self.explain(monotonic)?;
        if self.spec.store == Store::Counts {
            self.forget_judged(now)?;
        }
        Ok(true)
    }

    /// Of groups and estimates keeps in full what is shown: the newest windows' and the newest one's with labels.
    pub(super) fn slim(&mut self) {
        let leading = self.reference.as_ref().and_then(|of| Some(of.performance.as_ref()?.leading()?.0.name));
        let labelled = self.progress.results.iter().rev().find(|(_, result)| result.performance.is_some());
        let labelled = labelled.map(|(end, _)| *end);
        let older = self.progress.results.iter_mut().rev().skip(DETAILED);
        for (_, result) in older.filter(|(end, _)| Some(**end) != labelled) {
            (result.fairness, result.by_column, result.notes) = (Vec::new(), Vec::new(), Vec::new());
            if let (Some(estimate), Some(leading)) = (&mut result.estimated, leading) {
                estimate.figures.retain(|figure| figure.measure == leading);
            }
        }
    }

    fn judge_window(&self, end: i64, now: Timestamp) -> PolarsResult<Option<(WindowResult, Option<Tally>)>> {
        let step = self.spec.step();
        let from = end.saturating_sub(self.spec.steps()).saturating_mul(step);
        let to = end.saturating_mul(step);
        let frame = self.rows.range(from, to)?;
        if frame.height() == 0 {
            return Ok(None);
        }
        let (rows, seen) = (frame.height() as u64, versions(&frame));
        let (first, last) = self.ends((from, to), &frame)?;
        let (frame, unjudged) = match &self.reference {
            Some(reference) => reference.own(frame)?,
            None => (frame, BTreeMap::new()),
        };
        // A window of other versions alone is held against nothing.
        let reference = self.reference.as_ref().filter(|_| frame.height() > 0);
        let enough = frame.height() as u64 >= self.spec.min_rows;
        let Found { features, quality, tally } =
            reference.map(|reference| self.compared(reference, &frame, enough)).unwrap_or_default();
        let count = |wanted: fn(Option<bool>) -> bool| features.iter().filter(|of| wanted(of.drift)).count() as u64;
        let drift =
            self.spec.thresholds.mode.data_set(count(|drift| drift == Some(true)), count(|drift| drift.is_some()));
        let label = label_of(&frame, self.latest_labels.as_ref())?;
        let assessed = self.assessed(&frame, label, true);
        let result = WindowResult {
            start: first,
            end: last,
            rows,
            versions: seen,
            unjudged,
            reference: reference.map(|reference| reference.about.hash.clone()),
            evaluated: now,
            evaluations: self.progress.results.get(&end).map_or(1, |result| result.evaluations + 1),
            drift,
            drifted: features.iter().filter(|f| f.drift == Some(true)).map(|f| f.name.clone()).collect(),
            distances: if enough { distances(&features) } else { BTreeMap::new() },
            features,
            quality,
            performance: assessed.performance,
            estimated: assessed.estimated,
            fairness: assessed.fairness,
            by_column: assessed.by_column,
            notes: assessed.notes,
        };
        Ok(Some((result, tally)))
    }

    /// When a window begins and ends: of one of rows its first and last event.
    fn ends(&self, (from, to): (i64, i64), frame: &DataFrame) -> PolarsResult<(Timestamp, Timestamp)> {
        let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        if self.spec.window_rows.is_none() {
            return Ok((time(from), time(to)));
        }
        let times = frame.column("timestamp")?.datetime()?.physical();
        Ok((time(times.min().unwrap_or_default()), time(times.max().unwrap_or_default())))
    }

    /// Every column of the rows against the reference's; without a verdict on any where they are not enough.
    fn compared(&self, reference: &Reference, frame: &DataFrame, enough: bool) -> Found {
        let tests = self.spec.thresholds.with_deciding(defaults());
        let (mut measured, mut suspects, mut across) = (Vec::new(), Vec::new(), Across::new(frame.height()));
        let mut tally = reference.tally.clone();
        if let Some(tally) = &mut tally {
            tally.more_rows(frame.height() as u64);
        }
        let made = reference.made.with(frame, Side::Current);
        for (name, of) in &reference.columns {
            let baseline = &of.baseline;
            let came = sample(&made, name, baseline.sample.kind());
            let came = match &of.profiled {
                Some(held) if self.spec.store == Store::Counts => held.column.without_rare(came),
                _ => came,
            };
            let of_profile = of.profiled.as_ref().map(|held| profiled::suspects(name, &held.column, &came));
            let current = reference.made.counted(name, of.seen(came));
            if let (Some(tally), Some(profiled)) = (&mut tally, &of.profiled) {
                tally.count(&profiled.column.name, &profiled.fine, &current);
            }
            measured.push(Measured::new(name, baseline, &current, &tests, self.spec.thresholds.mode));
            let is_made = reference.made.is_made(name);
            let of_rows = || reference.learnt.of_column(name, &baseline.sample, &current);
            let of_column = of_profile.unwrap_or_else(of_rows);
            suspects.extend(of_column.into_iter().filter(|suspect| !is_made || suspect.check.is_of_made()));
        }
        reference.across(frame, |series, kind| across.add(series, kind));
        let clouds = reference.made.clouds.iter();
        measured.extend(clouds.map(|(name, held)| Measured::of_embedding(name, held, &cloud(frame, name, held))));
        let mut features = judge(measured, &self.spec.thresholds);
        if self.spec.store == Store::Counts {
            without_single_values(&mut features, &mut suspects, enough);
        }
        if !enough {
            features.iter_mut().for_each(Judged::withdraw);
            return Found { features, quality: Vec::new(), tally };
        }
        suspects.extend(reference.learnt.of_rows(across));
        let quality = quality::judge(suspects, &self.spec.quality, &self.spec.thresholds, &reference.learnt.own);
        Found { features, quality, tally }
    }

    /// How well the model does on rows, with labels in their order where there are any; `estimates` says whether it is to be estimated
    /// too. Of what cannot be told nothing is said.
    pub(super) fn assessed(&self, frame: &DataFrame, label: Option<Series>, estimates: bool) -> Assessed {
        let mut known = self.progress.known.clone();
        if let Some(label) = &label {
            known.learn(label);
        }
        let Some(task) = self.spec.task.or(known.task()) else { return Assessed::default() };
        let window = Window { frame, spec: &self.spec };
        let (side, context) = (window.side(label), (&self.spec, task, &known));
        let performance = side.measured(context).map(|(performance, _)| performance);
        let estimator = self.reference.as_ref().filter(|_| estimates).and_then(|of| of.estimator.as_ref().ok());
        let prepared = estimator.and_then(|estimator| estimator.prepare(&window, &side, context).ok().flatten());
        let all: Vec<usize> = (0..frame.height()).collect();
        let estimated = prepared.map(|prepared| beside(prepared.estimate(&all), performance.as_ref()));
        let mut notes = Vec::new();
        let fairness = groups::fairness(&window, &side, context, &mut notes);
        let by_column = groups::by_columns(&window, &side, context, &mut notes);
        let told = [fairness.as_ref().err(), by_column.as_ref().err()];
        notes.extend(told.into_iter().flatten().map(ToString::to_string));
        Assessed {
            performance,
            estimated: estimated.filter(|estimate| estimate.rows > 0),
            fairness: fairness.unwrap_or_default(),
            by_column: by_column.unwrap_or_default(),
            notes,
        }
    }

    /// Brings together the labels that came since windows were judged last.
    pub(super) fn settle_labels(&mut self) -> PolarsResult<()> {
        if self.latest_labels.is_none() && self.labels.rows() > 0 {
            self.latest_labels = Some(latest(&self.labels.all()?)?);
        }
        Ok(())
    }
}

/// Of what is kept of a window where no row is: the least and the largest value are a row's own, and all figures are of too few.
fn without_single_values(features: &mut [Judged], suspects: &mut [Suspect], enough: bool) {
    for moved in features.iter_mut().map(|of| &mut of.moved) {
        moved.current = moved.current.take().filter(|_| enough).map(|of| Spread { min: None, max: None, ..of });
    }
    for suspect in suspects {
        if let Detail::Range { now, .. } = &mut suspect.detail {
            *now = None;
        }
    }
}

/// Of labels in the order in which they came: of each id the one with the latest time.
pub(super) fn latest(labels: &DataFrame) -> PolarsResult<DataFrame> {
    // Stable, so that of labels of one time the one that came last stands last.
    let in_order = SortMultipleOptions::default().with_maintain_order(true);
    let all = labels.sort(["timestamp"], in_order)?.select(["id", "label"])?;
    all.unique_stable(Some(&["id".to_owned()]), UniqueKeepStrategy::Last, None)
}

/// The labels of these rows, in their order: those that came, by a join on the id, else those that the rows came with.
pub(super) fn label_of(frame: &DataFrame, latest: Option<&DataFrame>) -> PolarsResult<Option<Series>> {
    let joined = match (frame.select(["id"]), latest.filter(|labels| labels.height() > 0)) {
        (Ok(ids), Some(labels)) => series(&ids.left_join(labels, ["id"], ["id"])?, "label"),
        _ => None,
    };
    match (joined, series(frame, "label")) {
        (Some(joined), Some(given)) => first_of(&joined, &given).map(Some),
        (joined, given) => Ok(joined.or(given)),
    }
}

/// A column, where there is one.
pub(super) fn series(frame: &DataFrame, name: &str) -> Option<Series> {
    frame.column(name).ok().map(|column| column.as_materialized_series().clone())
}

/// The first where it has a value, else the second.
pub(super) fn first_of(first: &Series, second: &Series) -> PolarsResult<Series> {
    let (mut one, mut other) = (first.clone(), second.clone());
    if one.dtype() != other.dtype() {
        let text = [&one, &other].iter().any(|series| series.dtype() == &DataType::String);
        let wide = if text { DataType::String } else { DataType::Float64 };
        (one, other) = (one.cast(&wide)?, other.cast(&wide)?);
    }
    one.zip_with(&one.is_not_null(), &other)
}
