//! One model's state: takes rows and labels in, gives verdicts on closed windows. Pure: the time is an argument, and what is
//! to be stored is returned.
//!
//! A window is named by its end, in steps. A row in step `b` lies in the windows that end at `b + 1` to `b + steps`; these
//! are pending until they have been judged, and become pending again with a late row or label.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use polars::prelude::{
    ChunkAgg, DataFrame, DataFrameJoinOps, DataType, PolarsResult, Series, SortMultipleOptions, UniqueKeepStrategy,
};
use serde::{Deserialize, Serialize};

use super::reference::{About, Profile, Reference};
use super::rows::{Ids, POSITION, Rows, keep, with_positions};
use super::view::{BinsView, Counts, InARow, ModelView, ReferenceView, Verdict, WindowResult, WindowSummary};
use super::{Schema, Spec};
use crate::drift::Sample;
use crate::drift::comparison::{Finding, FindingKind};
use crate::drift::verdict::{Measured, judge};
use crate::frame::stack::stack;
use crate::performance::{Labels, Performance, measure};

/// Results kept of a model.
const RESULTS: usize = 1000;
/// Of so many of them every column is kept.
const DETAILED: usize = 20;
/// Windows that were judged before are judged again no more often than this: late labels come one by one.
const SETTLE: Duration = Duration::from_secs(5);
/// Windows judged in one go, so that nobody waits long.
const IN_ONE_GO: usize = 16;
/// Windows that may wait to be judged; beyond them the oldest are given up.
const PENDING: usize = 100_000;

/// How rows are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They have just come.
    Live,
    /// They had come before the checkpoint, which has counted them already.
    Rebuild,
}

/// What a checkpoint keeps of a model beside its rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Since when the model is known.
    pub registered: Option<Timestamp>,
    /// What its columns hold.
    pub schema: Schema,
    /// The reference in effect.
    pub reference: Option<About>,
    counts: Counts,
    /// The newest event, in milliseconds.
    newest: Option<i64>,
    /// The step of the first row.
    first: Option<i64>,
    /// Rows taken in.
    arrived: i64,
    pending: BTreeSet<i64>,
    results: BTreeMap<i64, WindowResult>,
    known: Labels,
    /// Counts in the exported bins, by column.
    bins: BTreeMap<String, Vec<u64>>,
}

/// A model that is watched.
pub struct Watch {
    spec: Spec,
    metric_bins: usize,
    /// What is kept beside the rows.
    pub progress: Progress,
    reference: Option<Reference>,
    /// The first rows, until they are enough for a provisional reference.
    gathered: DataFrame,
    rows: Rows,
    labels: Rows,
    /// Labels with the latest of each id alone, until others come.
    latest_labels: Option<DataFrame>,
    ids: Ids,
    judged_again: Option<Duration>,
}

impl Watch {
    /// A model that is met for the first time, or as the checkpoint left it.
    #[must_use]
    pub fn new(spec: Spec, metric_bins: usize, mut progress: Progress, now: Timestamp) -> Self {
        progress.registered = progress.registered.or(Some(now));
        Self {
            spec,
            metric_bins,
            progress,
            reference: None,
            gathered: DataFrame::empty(),
            rows: Rows::default(),
            labels: Rows::default(),
            latest_labels: None,
            ids: Ids::default(),
            judged_again: None,
        }
    }

    /// Takes a description in the place of the one before. Returns whether it differs: then the reference is to be taken up anew.
    ///
    /// # Errors
    /// Never, for rows that were pushed before.
    pub fn configure(&mut self, spec: Spec, metric_bins: usize) -> PolarsResult<bool> {
        if self.spec == spec && self.metric_bins == metric_bins {
            return Ok(false);
        }
        self.metric_bins = metric_bins;
        let by_arrival = self.spec.window_rows.is_some() != spec.window_rows.is_some();
        let moved = self.spec.step() != spec.step() || self.spec.window_rows != spec.window_rows;
        self.spec = spec;
        if moved {
            // Windows have other bounds now: what was concluded of the old ones is void.
            self.progress.results.clear();
            self.progress.pending.clear();
            self.progress.first = None;
        }
        if by_arrival {
            self.place_again()?;
        }
        self.judge_all_again();
        Ok(true)
    }

    /// Takes samples in. Returns the rows of a provisional reference when there are enough for one.
    ///
    /// # Errors
    /// The frame does not fit what is held; it is left out then.
    pub fn absorb(&mut self, frame: DataFrame, mode: Mode, now: Timestamp) -> PolarsResult<Option<DataFrame>> {
        let frame = self.without_repetition(frame, mode)?;
        if frame.height() == 0 {
            return Ok(None);
        }
        if mode == Mode::Live {
            self.progress.counts.samples += frame.height() as u64;
            let given = frame.column("label").map_or(0, |label| label.len() - label.null_count());
            self.progress.counts.labels += given as u64;
            self.count_bins(&frame);
        }
        let provisional = self.gather(&frame, mode, now)?;
        let frame = self.place(frame, mode)?;
        self.rows.push(&frame)?;
        self.forget();
        Ok(provisional)
    }

    /// Leaves out rows whose id is known. The others' ids are noted when they have their place.
    fn without_repetition(&mut self, frame: DataFrame, mode: Mode) -> PolarsResult<DataFrame> {
        let Ok(ids) = frame.column("id").and_then(|column| column.str()) else { return Ok(frame) };
        let mut seen = std::collections::HashSet::new();
        let fresh: Vec<bool> =
            ids.iter().map(|id| id.is_none_or(|id| self.ids.position(id).is_none() && seen.insert(id))).collect();
        let repeated = fresh.iter().filter(|fresh| !**fresh).count();
        if repeated == 0 {
            return Ok(frame);
        }
        if mode == Mode::Live {
            self.progress.counts.repeated += repeated as u64;
        }
        keep(&frame, &fresh)
    }

    /// Gives the rows their positions, and makes the windows they fall in pending.
    fn place(&mut self, frame: DataFrame, mode: Mode) -> PolarsResult<DataFrame> {
        let times: Vec<i64> =
            frame.column("timestamp")?.datetime()?.physical().iter().map(Option::unwrap_or_default).collect();
        let arrivals: Vec<i64> =
            frame.column("_arrival")?.datetime()?.physical().iter().map(Option::unwrap_or_default).collect();
        let before = self.watermark();
        let step = self.spec.step();
        let by_arrival = self.spec.window_rows.is_some();
        if mode == Mode::Live || by_arrival {
            // A sender whose clock runs ahead closes no window before its time.
            let seen = times.iter().zip(&arrivals).map(|(time, arrival)| *time.min(arrival)).max();
            self.progress.newest = self.progress.newest.max(seen);
        }
        let positions: Vec<i64> = if by_arrival {
            let first = if mode == Mode::Live { self.progress.arrived } else { self.rows.rows() as i64 };
            (first..).take(times.len()).collect()
        } else {
            times
        };
        if mode == Mode::Live {
            self.progress.arrived += positions.len() as i64;
        }
        let horizon = self.horizon();
        let held: Vec<bool> = positions.iter().map(|position| *position >= horizon).collect();
        if let Ok(ids) = frame.column("id").and_then(|column| column.str()) {
            for ((id, position), _) in ids.iter().zip(&positions).zip(&held).filter(|(_, held)| **held) {
                if let Some(id) = id {
                    self.ids.note(id, *position);
                }
            }
        }
        if mode == Mode::Live {
            let mut touched = BTreeSet::new();
            for position in positions.iter().zip(&held).filter(|(_, held)| **held).map(|(position, _)| *position) {
                let bucket = position.div_euclid(step);
                touched.insert(bucket);
                if before.is_some_and(|watermark| (bucket + 1) * step <= watermark) {
                    self.progress.counts.late += 1;
                }
            }
            self.touch(&touched);
        }
        let frame = with_positions(frame, positions)?;
        if held.iter().all(|held| *held) {
            return Ok(frame);
        }
        if mode == Mode::Live {
            self.progress.counts.too_late += held.iter().filter(|held| !**held).count() as u64;
        }
        keep(&frame, &held)
    }

    /// Makes the windows pending that any of these steps lies in.
    fn touch(&mut self, buckets: &BTreeSet<i64>) {
        self.progress.first = self.progress.first.into_iter().chain(buckets.first().copied()).min();
        let steps = self.spec.steps();
        let mut done = i64::MIN;
        // The newest are the ones that are wanted, should there be too many.
        for bucket in buckets.iter().rev() {
            let end = if done == i64::MIN { bucket + steps } else { (bucket + steps).min(done - 1) };
            self.progress.pending.extend(bucket + 1..=end);
            done = bucket + 1;
            if self.progress.pending.len() > PENDING {
                break;
            }
        }
    }

    /// Adds to the first rows while there is no reference.
    fn gather(&mut self, frame: &DataFrame, mode: Mode, now: Timestamp) -> PolarsResult<Option<DataFrame>> {
        if self.progress.reference.is_some() {
            return Ok(None);
        }
        stack(&mut self.gathered, frame.clone())?;
        if (self.gathered.height() as u64) < self.spec.reference_rows || mode == Mode::Rebuild {
            return Ok(None);
        }
        let rows = std::mem::take(&mut self.gathered).head(Some(self.spec.reference_rows as usize));
        self.refer_to(&rows, now, true);
        Ok(Some(rows))
    }

    /// Takes a reference into effect; every window that is held is judged anew against it.
    pub fn refer_to(&mut self, frame: &DataFrame, since: Timestamp, provisional: bool) {
        let mut reference = Reference::new(frame, &self.spec, self.metric_bins, since, provisional);
        self.gathered = DataFrame::empty();
        self.progress.known.merge(&reference.labels);
        match &self.progress.reference {
            // The same again: its counters go on.
            Some(before) if before.hash == reference.about.hash => reference.about.since = before.since,
            _ => {
                let zero = |profile: &Profile| vec![0; profile.counts.len()];
                self.progress.bins = reference.columns.iter().map(|(name, p)| (name.clone(), zero(p))).collect();
            }
        }
        self.progress.reference = Some(reference.about.clone());
        self.reference = Some(reference);
        self.judge_all_again();
    }

    /// Takes the checkpoint's reference up again, after a restart.
    pub fn remember(&mut self, frame: &DataFrame) {
        let Some(about) = self.progress.reference.clone() else { return };
        let mut reference = Reference::new(frame, &self.spec, self.metric_bins, about.since, about.provisional);
        for (name, profile) in &reference.columns {
            let counts = self.progress.bins.entry(name.clone()).or_default();
            if counts.len() != profile.counts.len() {
                *counts = vec![0; profile.counts.len()];
            }
        }
        reference.about = about;
        self.reference = Some(reference);
    }

    /// It had a reference, which has not been taken up again.
    #[must_use]
    pub fn lacks_reference(&self) -> bool {
        self.progress.reference.is_some() && self.reference.is_none()
    }

    /// Its reference cannot be read any longer: the next rows become a provisional one.
    pub fn forget_reference(&mut self) {
        self.reference = None;
        self.progress.reference = None;
        self.progress.bins.clear();
    }

    fn judge_all_again(&mut self) {
        let step = self.spec.step();
        let Ok(all) = self.rows.all() else { return };
        let Ok(positions) = all.column(POSITION).and_then(|column| column.i64()) else { return };
        let buckets: BTreeSet<i64> = positions.iter().flatten().map(|position| position.div_euclid(step)).collect();
        self.touch(&buckets);
        self.judged_again = None;
    }

    /// Takes labels in. The windows of the rows they are for become pending.
    ///
    /// # Errors
    /// The frame does not fit what is held; it is left out then.
    pub fn absorb_labels(&mut self, frame: &DataFrame, mode: Mode) -> PolarsResult<()> {
        self.progress.known.learn(frame.column("label")?.as_materialized_series());
        let (step, steps) = (self.spec.step(), self.spec.steps());
        let arrivals: Vec<i64> =
            frame.column("_arrival")?.datetime()?.physical().iter().map(Option::unwrap_or_default).collect();
        if mode == Mode::Live {
            self.progress.counts.labels += frame.height() as u64;
            for id in frame.column("id")?.str()?.iter().flatten() {
                match self.ids.position(id) {
                    Some(position) => {
                        let bucket = position.div_euclid(step);
                        self.progress.pending.extend(bucket + 1..=bucket + steps);
                    }
                    None => self.progress.counts.unmatched += 1,
                }
            }
        }
        let newest = arrivals.iter().copied().max().unwrap_or_default();
        let slim = frame.select(["id", "label", "timestamp"])?;
        self.labels.push(&with_positions(slim, arrivals)?)?;
        self.latest_labels = None;
        let horizon = newest.saturating_sub(self.spec.label_horizon.as_millis() as i64);
        let old: u64 = self.labels.forget_before(horizon).iter().map(|gone| gone.height() as u64).sum();
        self.progress.counts.labels_forgotten += old;
        let mut excess = self.labels.rows().saturating_sub(self.spec.max_rows);
        while excess > 0 {
            match self.give_up_labels(excess) {
                0 => break,
                gone => excess = excess.saturating_sub(gone),
            }
        }
        Ok(())
    }

    /// After a rebuild: rows of windows by arrival take the numbers they had.
    ///
    /// # Errors
    /// Never, for rows that were pushed before.
    pub fn rebuilt(&mut self) -> PolarsResult<()> {
        if self.spec.window_rows.is_some() {
            self.place_again()?;
            self.forget();
        }
        Ok(())
    }

    /// Gives every row that is held its position anew.
    fn place_again(&mut self) -> PolarsResult<()> {
        if self.rows.rows() == 0 {
            return Ok(());
        }
        let all = self.rows.all()?;
        let positions: Vec<i64> = if self.spec.window_rows.is_some() {
            let first = self.progress.arrived - all.height() as i64;
            (first..).take(all.height()).collect()
        } else {
            all.column("timestamp")?.datetime()?.physical().iter().map(Option::unwrap_or_default).collect()
        };
        self.ids = Ids::default();
        if let Ok(ids) = all.column("id").and_then(|column| column.str()) {
            for (id, position) in ids.iter().zip(&positions) {
                if let Some(id) = id {
                    self.ids.note(id, *position);
                }
            }
        }
        self.rows = Rows::default();
        self.rows.push(&with_positions(all, positions)?)
    }

    /// Windows that end at or before this position are closed.
    fn watermark(&self) -> Option<i64> {
        if self.spec.window_rows.is_some() {
            Some(self.progress.arrived)
        } else {
            self.progress.newest.map(|newest| newest.saturating_sub(self.spec.lateness.as_millis() as i64))
        }
    }

    /// Rows before this position belong to no window that can still change.
    fn horizon(&self) -> i64 {
        if self.spec.window_rows.is_some() {
            return i64::MIN; // these are bounded by their number alone
        }
        let span = self.spec.label_horizon.max(self.spec.window).as_millis() as i64;
        let whole_steps = self.watermark().map(|watermark| watermark.saturating_sub(span).div_euclid(self.spec.step()));
        whole_steps.map_or(i64::MIN, |steps| steps.saturating_mul(self.spec.step()))
    }

    fn forget(&mut self) {
        for gone in self.rows.forget_before(self.horizon()) {
            self.ids.forget(&gone);
        }
        let excess = self.rows.rows().saturating_sub(self.spec.max_rows);
        let mut left = excess;
        while left > 0 {
            match self.give_up_samples(left) {
                0 => break,
                gone => left = left.saturating_sub(gone),
            }
        }
        // A window that began before the first row that is held has lost rows, and what was found with them stands.
        let first = match self.spec.window_rows {
            Some(_) => self.progress.arrived.saturating_sub_unsigned(self.rows.rows()),
            None => self.horizon(),
        };
        if first > i64::MIN {
            let step = self.spec.step();
            let whole = first.div_euclid(step) + i64::from(first.rem_euclid(step) > 0);
            self.progress.pending = self.progress.pending.split_off(&(whole + self.spec.steps()));
        }
        while self.progress.pending.len() > PENDING {
            self.progress.pending.pop_first();
        }
    }

    /// Gives up what came first, samples before labels, to make room. Returns how many rows it was.
    pub fn give_up_oldest(&mut self) -> u64 {
        const AT_ONCE: u64 = 16_384;
        match self.give_up_samples(AT_ONCE) {
            0 => self.give_up_labels(AT_ONCE),
            gone => gone,
        }
    }

    fn give_up_samples(&mut self, most: u64) -> u64 {
        let Some(gone) = self.rows.forget_oldest(most) else { return 0 };
        self.ids.forget(&gone);
        self.progress.counts.forgotten += gone.height() as u64;
        gone.height() as u64
    }

    fn give_up_labels(&mut self, most: u64) -> u64 {
        let gone = self.labels.forget_oldest(most).map_or(0, |gone| gone.height() as u64);
        self.progress.counts.labels_forgotten += gone;
        self.latest_labels = None;
        gone
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let reference = self.reference.as_ref().map_or(0, Reference::bytes);
        let latest = self.latest_labels.as_ref().map_or(0, DataFrame::estimated_size);
        let frames = (self.gathered.estimated_size() + latest) as u64;
        self.rows.bytes() + self.labels.bytes() + self.ids.bytes() + reference + frames
    }

    fn count_bins(&mut self, frame: &DataFrame) {
        let Some(reference) = &self.reference else { return };
        for (name, profile) in &reference.columns {
            let counted = match frame.column(name) {
                Ok(column) => profile.exported.count_series(column.as_materialized_series()),
                Err(_) => profile.exported.count(&sample(frame, name, profile.sample.kind())),
            };
            let counts = self.progress.bins.entry(name.clone()).or_insert_with(|| vec![0; counted.len()]);
            for (count, more) in counts.iter_mut().zip(counted) {
                *count += more;
            }
        }
    }

    /// Judges windows that are closed and pending, some at a time. Returns whether any was.
    ///
    /// # Errors
    /// Rows that are held cannot be read; the window is passed over.
    pub fn judge(&mut self, now: Timestamp, monotonic: Duration) -> PolarsResult<bool> {
        let Some(watermark) = self.watermark() else { return Ok(false) };
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
        if !due.is_empty() {
            self.settle_labels()?;
        }
        for end in &due {
            self.progress.pending.remove(end);
            if let Some(result) = self.judge_window(*end, now)? {
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
        for result in self.progress.results.values_mut().rev().skip(DETAILED) {
            result.features = Vec::new();
        }
        Ok(!due.is_empty())
    }

    fn judge_window(&self, end: i64, now: Timestamp) -> PolarsResult<Option<WindowResult>> {
        let step = self.spec.step();
        let (from, to) = ((end - self.spec.steps()) * step, end * step);
        let frame = self.rows.range(from, to)?;
        if frame.height() == 0 {
            return Ok(None);
        }
        let enough = frame.height() as u64 >= self.spec.min_rows;
        let mut features = Vec::new();
        if let Some(reference) = &self.reference {
            let measured = reference.columns.iter().map(|(name, profile)| {
                let current = sample(&frame, name, profile.sample.kind());
                Measured::new(name, &profile.bins, &profile.sample, &current)
            });
            features = judge(measured.collect(), &self.spec.thresholds);
            if !enough {
                for judged in &mut features {
                    judged.drift = None;
                }
            }
        }
        let verdicts = || features.iter().filter_map(|judged| judged.drift);
        let drift = verdicts().next().map(|_| verdicts().any(|drift| drift));
        let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let (start, end_time) = if self.spec.window_rows.is_some() {
            let times = frame.column("timestamp")?.datetime()?;
            let times = times.physical();
            (time(times.min().unwrap_or_default()), time(times.max().unwrap_or_default()))
        } else {
            (time(from), time(to))
        };
        Ok(Some(WindowResult {
            start,
            end: end_time,
            rows: frame.height() as u64,
            reference: self.reference.as_ref().map(|reference| reference.about.hash.clone()),
            evaluated: now,
            evaluations: self.progress.results.get(&end).map_or(1, |result| result.evaluations + 1),
            drift,
            drifted: features.iter().filter(|f| f.drift == Some(true)).map(|f| f.name.clone()).collect(),
            features,
            performance: self.performance(&frame)?,
        }))
    }

    /// How well the rows' predictions fit the labels that have come for them.
    fn performance(&self, frame: &DataFrame) -> PolarsResult<Option<Performance>> {
        let series = |name: &str| frame.column(name).ok().map(|column| column.as_materialized_series().clone());
        let score = series("score");
        let Some(prediction) = series("prediction").or_else(|| score.clone()) else { return Ok(None) };
        let given = series("label");
        let joined = self.labels_for(frame)?;
        let label = match (joined, given) {
            (Some(joined), Some(given)) => first_of(&joined, &given)?,
            (Some(label), None) | (None, Some(label)) => label,
            (None, None) => return Ok(None),
        };
        let mut known = self.progress.known.clone();
        known.learn(&label);
        let Some(task) = self.spec.task.or(known.task()) else { return Ok(None) };
        let positive = self.spec.positive.as_deref();
        let measured = measure(task, &label, &prediction, score.as_ref(), positive, &known);
        Ok((measured.rows > 0).then_some(measured))
    }

    /// The labels of these rows, in their order, by a join on the id; the latest of each wins.
    fn labels_for(&self, frame: &DataFrame) -> PolarsResult<Option<Series>> {
        let Ok(ids) = frame.select(["id"]) else { return Ok(None) };
        let Some(labels) = &self.latest_labels else { return Ok(None) };
        if labels.height() == 0 {
            return Ok(None);
        }
        let joined = ids.left_join(labels, ["id"], ["id"])?;
        Ok(joined.column("label").ok().map(|column| column.as_materialized_series().clone()))
    }

    /// Brings together the labels that came since windows were judged last: of each id the one with the latest time.
    fn settle_labels(&mut self) -> PolarsResult<()> {
        if self.latest_labels.is_none() && self.labels.rows() > 0 {
            // Stable, so that of labels of one time the one that came last stands last.
            let in_order = SortMultipleOptions::default().with_maintain_order(true);
            let all = self.labels.all()?.sort(["timestamp"], in_order)?.select(["id", "label"])?;
            let unique = all.unique_stable(Some(&["id".to_owned()]), UniqueKeepStrategy::Last, None)?;
            self.latest_labels = Some(unique);
        }
        Ok(())
    }

    /// What people see of it.
    #[must_use]
    pub fn view(&self) -> ModelView {
        let time = |ms: i64| Timestamp::from_millisecond(ms).ok();
        let by_time = self.spec.window_rows.is_none();
        let results = self.progress.results.values().rev();
        ModelView {
            name: self.spec.name.clone(),
            task: self.spec.task.or(self.progress.known.task()),
            registered: self.progress.registered.unwrap_or(Timestamp::UNIX_EPOCH),
            counts: self.progress.counts,
            rows_held: self.rows.rows(),
            bytes_held: self.bytes(),
            newest: self.progress.newest.and_then(time),
            watermark: self.watermark().filter(|_| by_time).and_then(time),
            reference: self.reference.as_ref().map(|reference| ReferenceView {
                about: reference.about.clone(),
                performance: reference.performance.clone(),
            }),
            verdict: self.verdict(),
            latest: self.progress.results.values().next_back().cloned(),
            windows: results.map(summary).collect(),
            schema: self.findings(),
            bins: self.bins(),
        }
    }

    fn verdict(&self) -> Verdict {
        let why = |reason: String| Verdict { reason: Some(reason), ..Verdict::default() };
        let Some(about) = &self.progress.reference else {
            let rows = self.spec.reference_rows;
            return why(format!("there is no reference; the first {rows} rows become a provisional one"));
        };
        let judged = || {
            let of_reference = |result: &&WindowResult| result.reference.as_ref() == Some(&about.hash);
            self.progress.results.values().rev().filter(of_reference).filter(|result| result.drift.is_some())
        };
        let Some(latest) = judged().next() else {
            let reason = match self.progress.results.values().next_back() {
                None => "no window has closed yet".to_owned(),
                Some(window) if window.rows < self.spec.min_rows => {
                    format!("the last window has {} rows, fewer than min_rows ({})", window.rows, self.spec.min_rows)
                }
                Some(_) => "no column could be judged in the last window".to_owned(),
            };
            return Verdict { provisional: about.provisional, ..why(reason) };
        };
        let mut in_a_row = Vec::new();
        for column in &latest.drifted {
            let drifted = |result: &&WindowResult| result.drifted.contains(column);
            in_a_row.push(InARow { column: column.clone(), windows: judged().take_while(drifted).count() as u32 });
        }
        let enough = in_a_row.iter().filter(|column| column.windows >= self.spec.windows_in_a_row);
        let columns: Vec<String> = enough.map(|column| column.column.clone()).collect();
        Verdict { drift: Some(!columns.is_empty()), columns, in_a_row, provisional: about.provisional, reason: None }
    }

    fn findings(&self) -> Vec<Finding> {
        let Some(reference) = &self.reference else { return Vec::new() };
        let mut findings = Vec::new();
        let mut add = |column: &str, finding, message: &str| {
            findings.push(Finding { column: column.to_owned(), finding, message: message.to_owned() });
        };
        let schema = &self.progress.schema;
        for (name, kind) in schema.features.iter().filter(|(name, _)| !self.spec.exclude.contains(name)) {
            if self.spec.kind_of(name, *kind).is_none() {
                add(name, FindingKind::NotComparable, &format!("{} is not compared", kind.noun()));
            } else if !reference.columns.contains_key(name) {
                add(name, FindingKind::OnlyInCurrent, "the reference lacks it");
            }
        }
        if self.progress.counts.samples > 0 {
            for name in reference.columns.keys() {
                let there = match name.as_str() {
                    "prediction" => schema.prediction.is_some(),
                    "score" => schema.score,
                    name => schema.features.contains_key(name),
                };
                if !there {
                    add(name, FindingKind::OnlyInReference, "the samples lack it");
                }
            }
        }
        findings
    }

    fn bins(&self) -> Vec<BinsView> {
        let Some(reference) = &self.reference else { return Vec::new() };
        let view = |(name, profile): (&String, &super::reference::Profile)| BinsView {
            column: name.clone(),
            bins: profile.exported.labels(),
            reference: profile.counts.clone(),
            current: self.progress.bins.get(name).cloned().unwrap_or_else(|| vec![0; profile.counts.len()]),
        };
        reference.columns.iter().map(view).collect()
    }
}

/// The column's values; a frame that lacks it lacks them in every row.
fn sample(frame: &DataFrame, name: &str, kind: crate::drift::Kind) -> Sample {
    let found = frame.column(name).ok().and_then(|column| Sample::of(column.as_materialized_series(), kind));
    found.unwrap_or_else(|| Sample::missing_rows(kind, frame.height() as u64))
}

/// The first where it has a value, else the second.
fn first_of(first: &Series, second: &Series) -> PolarsResult<Series> {
    let (mut one, mut other) = (first.clone(), second.clone());
    if one.dtype() != other.dtype() {
        let text = [&one, &other].iter().any(|series| series.dtype() == &DataType::String);
        let wide = if text { DataType::String } else { DataType::Float64 };
        (one, other) = (one.cast(&wide)?, other.cast(&wide)?);
    }
    one.zip_with(&one.is_not_null(), &other)
}

fn summary(result: &WindowResult) -> WindowSummary {
    WindowSummary {
        start: result.start,
        end: result.end,
        rows: result.rows,
        drift: result.drift,
        drifted: result.drifted.clone(),
        performance: result.performance.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::json::{Layout, Limits, decode};
    use crate::frame::stack::frame_of;
    use crate::model::border::{Purpose, expected, pass};

    const HOUR: i64 = 3_600_000;

    fn now() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().expect("a time")
    }

    fn spec() -> Spec {
        Spec { min_rows: 5, label_horizon: Duration::from_secs(86_400), ..Spec::new("m") }
    }

    fn frame(watch: &mut Watch, purpose: Purpose, rows: &[String]) -> DataFrame {
        let limits = Limits { rows: 100_000, columns: 100, cells: 10_000_000 };
        let schema = watch.progress.schema.clone();
        let body = rows.join("\n");
        let rows = decode(body.as_bytes(), Layout::Lines, limits, &|name| expected(name, &watch.spec, &schema));
        let passed = pass(rows.expect("rows"), purpose, &watch.spec, &schema, 100, now());
        assert_eq!(passed.errors, []);
        let batch = passed.batch.expect("a batch");
        watch.progress.schema.merge(&batch.schema);
        frame_of(&batch.record).expect("a frame")
    }

    fn take(watch: &mut Watch, rows: &[String]) {
        let frame = frame(watch, Purpose::Samples, rows);
        watch.absorb(frame, Mode::Live, now()).expect("absorbed");
    }

    fn labels(watch: &mut Watch, rows: &[String]) {
        let frame = frame(watch, Purpose::Labels, rows);
        watch.absorb_labels(&frame, Mode::Live).expect("absorbed");
    }

    fn refer(watch: &mut Watch, rows: &[String]) {
        let frame = frame(watch, Purpose::Reference, rows);
        watch.refer_to(&frame, now(), false);
    }

    fn judge_all(watch: &mut Watch, second: u64) {
        while watch.judge(now(), Duration::from_secs(second)).expect("judged") {}
    }

    /// An hour's samples: `n` rows whose feature lies about `level`.
    fn hour(hour: i64, n: i64, level: i64) -> Vec<String> {
        (0..n)
            .map(|i| {
                let at = hour * HOUR + i * (HOUR / n);
                let x = level + (i * 37) % 100;
                format!(r#"{{"id": "h{hour}-{i}", "timestamp": {at}, "x": {x}, "prediction": {}}}"#, i % 2)
            })
            .collect()
    }

    fn watch(spec: Spec) -> Watch {
        Watch::new(spec, 20, Progress::default(), now())
    }

    fn windows(watch: &Watch) -> Vec<(i64, u64, Option<bool>)> {
        watch.progress.results.iter().map(|(end, result)| (*end, result.rows, result.drift)).collect()
    }

    #[test]
    fn a_window_is_judged_when_it_is_closed_and_drift_takes_two_in_a_row() {
        let mut watch = watch(spec());
        refer(&mut watch, &hour(0, 2000, 0));
        take(&mut watch, &hour(10, 100, 0));
        judge_all(&mut watch, 0);
        assert_eq!(windows(&watch), [], "lateness has not passed");
        take(&mut watch, &hour(11, 100, 500));
        take(&mut watch, &hour(12, 100, 500));
        judge_all(&mut watch, 0);
        assert_eq!(windows(&watch), [(11, 100, Some(false)), (12, 100, Some(true))]);
        assert_eq!(watch.view().verdict.drift, Some(false), "one window is not enough");
        take(&mut watch, &hour(13, 100, 0));
        judge_all(&mut watch, 0);
        let verdict = watch.view().verdict;
        assert_eq!((verdict.drift, verdict.columns), (Some(true), vec!["x".to_owned()]));
        take(&mut watch, &hour(14, 100, 0));
        judge_all(&mut watch, 0);
        assert_eq!(watch.view().verdict.drift, Some(false), "it has recovered");
    }

    #[test]
    fn late_rows_land_in_their_own_window_and_repeated_ones_nowhere() {
        let mut watch = watch(spec());
        refer(&mut watch, &hour(0, 2000, 0));
        for h in 10..13 {
            take(&mut watch, &hour(h, 50, 0));
        }
        judge_all(&mut watch, 0);
        take(&mut watch, &hour(10, 60, 0)); // ten of them are new
        take(&mut watch, &hour(8, 20, 0)); // backfill
        judge_all(&mut watch, 100);
        assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(9, 20), (11, 60), (12, 50)]);
        let counts = watch.view().counts;
        assert_eq!((counts.samples, counts.repeated, counts.late), (180, 50, 30));
        take(&mut watch, &hour(100, 10, 0)); // four days on: the day's horizon has passed them
        take(&mut watch, &hour(9, 5, 0));
        let counts = watch.view().counts;
        assert_eq!(
            (counts.too_late, watch.view().rows_held),
            (5, 190),
            "the part that holds the old rows is still open"
        );
    }

    #[test]
    fn late_labels_have_closed_windows_judged_again_and_the_latest_wins() {
        let mut watch = watch(spec());
        refer(&mut watch, &hour(0, 2000, 0));
        for h in 10..12 {
            take(&mut watch, &hour(h, 50, 0));
        }
        judge_all(&mut watch, 0);
        assert_eq!(watch.progress.results[&11].performance, None);
        let label = |i: i64, label: i64| format!(r#"{{"id": "h10-{i}", "label": {label}}}"#);
        labels(&mut watch, &(0..40).map(|i| label(i, 1 - i % 2)).collect::<Vec<_>>());
        labels(&mut watch, &(0..30).map(|i| label(i, i % 2)).chain([label(999, 1)]).collect::<Vec<_>>());
        judge_all(&mut watch, 100);
        let performance = watch.progress.results[&11].performance.clone().expect("labels came");
        assert_eq!((performance.rows, performance.accuracy), (40, Some(0.75)));
        assert_eq!(watch.view().counts.unmatched, 1);
        assert_eq!(watch.progress.results[&11].evaluations, 2);
        labels(&mut watch, &[label(45, 1)]);
        judge_all(&mut watch, 102);
        assert_eq!(watch.progress.results[&11].evaluations, 2, "not again so soon");
        judge_all(&mut watch, 106);
        assert_eq!(watch.progress.results[&11].evaluations, 3);
    }

    #[test]
    fn sliding_windows_overlap_and_begin_when_they_are_whole() {
        let spec = Spec { window: Duration::from_secs(3 * 3600), slide: Some(Duration::from_secs(3600)), ..spec() };
        let mut watch = watch(spec);
        for h in 10..15 {
            take(&mut watch, &hour(h, 10, 0));
        }
        judge_all(&mut watch, 0);
        assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(13, 30), (14, 30)]);
    }

    #[test]
    fn windows_of_rows_go_by_arrival() {
        let mut watch = watch(Spec { window_rows: Some(40), ..spec() });
        for h in [12, 10, 11] {
            take(&mut watch, &hour(h, 30, 0));
        }
        judge_all(&mut watch, 0);
        assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(1, 40), (2, 40)]);
    }

    #[test]
    fn the_first_rows_become_a_provisional_reference() {
        let mut watch = watch(Spec { reference_rows: 100, ..spec() });
        let frame = frame(&mut watch, Purpose::Samples, &hour(1, 250, 0));
        let stored = watch.absorb(frame, Mode::Live, now()).expect("absorbed").expect("enough rows");
        assert_eq!(stored.height(), 100);
        let about = watch.progress.reference.clone().expect("a reference");
        assert!(about.provisional && about.rows == 100);
        assert!(watch.view().bins.iter().all(|bins| bins.current.iter().all(|count| *count == 0)));
        take(&mut watch, &hour(2, 50, 0));
        assert!(watch.view().bins.iter().all(|bins| bins.current.iter().sum::<u64>() == 50));
    }

    #[test]
    fn bounds_hold_and_what_falls_off_is_counted() {
        let mut watch = watch(Spec { max_rows: 20_000, ..spec() });
        for part in 0..4 {
            let rows: Vec<String> =
                (0..10_000).map(|i| format!(r#"{{"timestamp": {}, "x": {i}}}"#, part * 10_000 + i)).collect();
            take(&mut watch, &rows);
        }
        let view = watch.view();
        assert_eq!((view.rows_held, view.counts.forgotten), (20_000, 20_000));
    }

    #[test]
    fn a_body_larger_than_the_bound_leaves_its_newest_rows() {
        let mut watch = watch(Spec { max_rows: 20_000, window_rows: Some(500), ..spec() });
        let rows: Vec<String> = (0..50_000).map(|i| format!(r#"{{"timestamp": {i}, "x": {i}}}"#)).collect();
        take(&mut watch, &rows);
        judge_all(&mut watch, 0);
        let view = watch.view();
        assert_eq!((view.rows_held, view.counts.forgotten, view.windows.len()), (20_000, 30_000, 40));
    }

    #[test]
    fn a_clock_that_runs_ahead_closes_no_window() {
        let mut watch = watch(spec());
        let day = now().as_millisecond() / HOUR;
        take(&mut watch, &hour(day + 10, 1, 0));
        take(&mut watch, &hour(day - 3, 50, 0));
        judge_all(&mut watch, 0);
        assert_eq!(windows(&watch).iter().map(|w| w.1).collect::<Vec<_>>(), [50]);
        assert_eq!(watch.view().counts.too_late, 0);
    }

    #[test]
    fn of_labels_the_one_with_the_latest_time_wins() {
        let mut watch = watch(spec());
        for h in 10..12 {
            take(&mut watch, &hour(h, 50, 0));
        }
        let label = |at: i64, label: u8| format!(r#"{{"id": "h10-1", "label": {label}, "timestamp": {at}}}"#);
        labels(&mut watch, &[label(2000, 1), label(1000, 0)]);
        judge_all(&mut watch, 0);
        let performance = watch.progress.results[&11].performance.clone().expect("a label came");
        assert_eq!((performance.rows, performance.accuracy), (1, Some(1.0)));
    }

    #[test]
    fn the_same_reference_again_starts_no_counter_anew() {
        let mut watch = watch(spec());
        refer(&mut watch, &hour(0, 2000, 0));
        take(&mut watch, &hour(10, 50, 0));
        let (since, bins) = (watch.progress.reference.clone(), watch.view().bins);
        let frame = frame(&mut watch, Purpose::Reference, &hour(0, 2000, 0));
        watch.refer_to(&frame, now() + Duration::from_secs(60), false);
        assert_eq!((watch.progress.reference.clone(), watch.view().bins), (since, bins));
    }

    #[test]
    fn another_kind_of_window_places_all_rows_anew() {
        let mut watch = watch(spec());
        for h in 10..13 {
            take(&mut watch, &hour(h, 50, 0));
        }
        judge_all(&mut watch, 0);
        watch.configure(Spec { window_rows: Some(60), ..spec() }, 20).expect("configured");
        judge_all(&mut watch, 10);
        assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(1, 60), (2, 60)]);
        watch.configure(spec(), 20).expect("configured");
        judge_all(&mut watch, 20);
        assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(11, 50), (12, 50)]);
    }

    #[test]
    fn windows_of_rows_go_on_after_a_restart() {
        let spec = Spec { window_rows: Some(40), max_rows: 100, ..spec() };
        let mut before = watch(spec.clone());
        let frames: Vec<DataFrame> = (10..20).map(|h| frame(&mut before, Purpose::Samples, &hour(h, 30, 0))).collect();
        for frame in &frames {
            before.absorb(frame.clone(), Mode::Live, now()).expect("absorbed");
            judge_all(&mut before, 0);
        }
        let progress = before.progress.clone();
        let mut after = Watch::new(spec, 20, progress, now());
        for frame in frames {
            after.absorb(frame, Mode::Rebuild, now()).expect("absorbed");
        }
        after.rebuilt().expect("rebuilt");
        assert_eq!(after.view().rows_held, before.view().rows_held);
        take(&mut after, &hour(19, 30, 0)); // all repeated
        assert_eq!(after.view().counts.repeated, 30);
    }

    #[test]
    fn a_restart_goes_on_where_it_was() {
        let mut before = watch(spec());
        let reference = frame(&mut before, Purpose::Reference, &hour(0, 2000, 0));
        before.refer_to(&reference, now(), false);
        let frames: Vec<DataFrame> =
            (10..13).map(|h| frame(&mut before, Purpose::Samples, &hour(h, 50, 300))).collect();
        for frame in &frames {
            before.absorb(frame.clone(), Mode::Live, now()).expect("absorbed");
        }
        judge_all(&mut before, 0);
        let kept = serde_json::to_string(&before.progress).expect("JSON");
        let progress: Progress = serde_json::from_str(&kept).expect("what was written");
        let mut after = Watch::new(spec(), 20, progress, now());
        after.remember(&reference);
        for frame in frames {
            after.absorb(frame, Mode::Rebuild, now()).expect("absorbed");
        }
        after.rebuilt().expect("rebuilt");
        let (one, other) = (before.view(), after.view());
        assert_eq!(
            (one.counts, one.rows_held, &one.verdict, &one.bins),
            (other.counts, other.rows_held, &other.verdict, &other.bins)
        );
        assert_eq!(one.windows, other.windows);
        for watch in [&mut before, &mut after] {
            take(watch, &hour(13, 50, 0));
            take(watch, &hour(12, 50, 300)); // repeated
            judge_all(watch, 100);
        }
        assert_eq!(before.view().windows, after.view().windows);
        assert_eq!(before.view().counts, after.view().counts);
    }
}
