//! One model's state: takes rows and labels in, gives verdicts on closed windows. Pure: the time is an argument, and what is
//! to be stored is returned.
//!
//! A window is named by its end, in steps. A row in step `b` lies in the windows that end at `b + 1` to `b + steps`; these
//! are pending until they have been judged (`judge`), and become pending again with a late row or label.

mod explained;
mod judge;
mod search;
mod shown;
pub mod stored;
mod stream;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use polars::prelude::{DataFrame, PolarsResult};
use serde::{Deserialize, Serialize};

use super::border::ARRIVAL;
use super::intake::Intake;
use super::reference::{About, Column, Given, Reference};
use super::rows::{Ids, Key, POSITION, Rows, keep, versions, with_positions};
use super::streams::{Changes, Streams};
use super::view::{Counts, Explained, WindowResult, Worst};
use super::{Schema, Spec, Store};
use crate::drift::Sample;
use crate::drift::profile::tally::Tally;
use crate::frame::json::WrongTypes;
use crate::frame::stack::stack;
use crate::performance::Labels;
use crate::versions::{Since, Versions};

/// Results kept of a model.
const RESULTS: usize = 1000;
/// Of so many of them every column is kept, and counts under a profile.
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Progress {
    /// Since when the model is known.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub registered: Option<Timestamp>,
    /// When something last came for it.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub heard: Option<Timestamp>,
    /// Other agents have sent labels of it on.
    pub shared: bool,
    /// What its columns hold.
    pub schema: Schema,
    /// The reference in effect.
    pub reference: Option<About>,
    counts: Counts,
    /// Samples that were in memory alone when this was kept, of windows still to be judged: lost with the agent.
    unjudged: u64,
    intake: Intake,
    changes: Changes,
    /// The newest event, in milliseconds.
    newest: Option<i64>,
    /// The step of the first row.
    first: Option<i64>,
    /// Rows taken in.
    arrived: i64,
    pending: BTreeSet<i64>,
    results: BTreeMap<i64, WindowResult>,
    /// Where it does worst.
    worst: Option<Worst>,
    /// Since when versions have been compared, and with which.
    compared_since: Since,
    known: Labels,
    /// Labels whose rows are not in memory: they are looked up among what is stored.
    missing: BTreeSet<String>,
    /// Windows that labels came for and whose rows are not all in memory: they are measured from what is stored.
    stored: BTreeSet<i64>,
    /// Counts in the exported bins, by column.
    bins: BTreeMap<String, Vec<u64>>,
    /// Of the newest windows that were held against a profile, their counts under it.
    tallies: BTreeMap<i64, Arc<Tally>>,
}

impl Progress {
    /// Labels whose rows are not in memory.
    #[must_use]
    pub fn unmatched(&self) -> u64 {
        self.counts.unmatched.saturating_add(self.missing.len() as u64)
    }
}

/// A model that is watched.
pub struct Watch {
    spec: Spec,
    metric_bins: usize,
    /// Since when it listens.
    since: Timestamp,
    /// What is kept beside the rows.
    pub progress: Progress,
    reference: Option<Reference>,
    /// The first rows, until they are enough for a provisional reference.
    gathered: DataFrame,
    /// Why they made none.
    no_profile: Option<String>,
    rows: Rows,
    labels: Rows,
    /// Labels with the latest of each id alone, until others come.
    latest_labels: Option<DataFrame>,
    streams: Streams,
    /// Labels whose errors the streams have not seen, and when they were last shown some.
    fresh_labels: DataFrame,
    streamed: Option<Duration>,
    ids: Ids,
    /// Of the frame that was absorbed last: which rows were new, if any was not.
    repeated: Option<Vec<bool>>,
    /// Rows before this position have left memory.
    left: i64,
    /// Labels that came before this time have left memory.
    labels_left: i64,
    judged_again: Option<Duration>,
    /// Labels have come since it was searched where the model does worst, and when that was.
    search_due: bool,
    searched: Option<Duration>,
    /// Versions side by side; none of one alone.
    versions: Option<Versions>,
    /// Rows or labels have come since they were compared, and when that was.
    versions_due: bool,
    compared: Option<Duration>,
    /// What moved it, on the newest window that asks for it; and when that was last looked for.
    explained: Option<(explained::Asked, Explained)>,
    explained_at: Option<Duration>,
    /// Windows judged since they were taken last.
    judged: Vec<WindowResult>,
}

impl Watch {
    /// Its description.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// For how long nothing has come for it.
    #[must_use]
    pub fn silent(&self, now: Timestamp) -> Duration {
        let last = self.progress.heard.or(self.progress.registered).unwrap_or(now);
        now.duration_since(last).max(SignedDuration::ZERO).unsigned_abs()
    }

    /// The windows that were judged since this was asked last, in full: here only the newest stay so.
    pub fn take_judged(&mut self) -> Vec<WindowResult> {
        std::mem::take(&mut self.judged)
    }

    /// A model that is met for the first time, or as the checkpoint left it.
    #[must_use]
    pub fn new(spec: Spec, metric_bins: usize, mut progress: Progress, now: Timestamp) -> Self {
        progress.registered = progress.registered.or(Some(now));
        progress.counts.lost = progress.counts.lost.saturating_add(std::mem::take(&mut progress.unjudged));
        Self {
            spec,
            metric_bins,
            since: now,
            progress,
            reference: None,
            gathered: DataFrame::empty(),
            no_profile: None,
            rows: Rows::default(),
            labels: Rows::default(),
            latest_labels: None,
            streams: Streams::default(),
            fresh_labels: DataFrame::empty(),
            streamed: None,
            ids: Ids::default(),
            repeated: None,
            left: i64::MIN,
            labels_left: i64::MIN,
            judged_again: None,
            search_due: false,
            searched: None,
            versions: None,
            versions_due: true,
            compared: None,
            explained: None,
            explained_at: None,
            judged: Vec::new(),
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
        (self.versions_due, self.compared) = (true, None);
        if moved {
            // Windows have other bounds now: what was concluded of the old ones is void.
            self.progress.results.clear();
            self.progress.tallies.clear();
            self.progress.pending.clear();
            self.progress.first = None;
        }
        if by_arrival {
            self.place_again()?;
        }
        self.judge_all_again();
        Ok(true)
    }

    /// Takes samples in. Returns a provisional reference when there are enough for one.
    ///
    /// # Errors
    /// The frame does not fit what is held; it is left out then.
    pub fn absorb(&mut self, frame: DataFrame, mode: Mode, now: Timestamp) -> PolarsResult<Option<Given>> {
        let came = frame.height() as u64;
        let (frame, keys) = self.without_repetition(frame, mode)?;
        if mode == Mode::Live {
            self.progress.intake.take(came, came.saturating_sub(frame.height() as u64), &self.spec, now);
        }
        if frame.height() == 0 {
            return Ok(None);
        }
        if mode == Mode::Live {
            self.progress.counts.samples += frame.height() as u64;
            let given = frame.column("label").map_or(0, |label| label.len() - label.null_count());
            self.progress.counts.labels += given as u64;
            self.count_bins(&frame);
            self.stream_samples(&frame, now);
        }
        self.note_streamed(&frame);
        let provisional = self.gather(&frame, mode, now)?;
        let frame = self.place(frame, &keys, mode)?;
        self.rows.push(&frame)?;
        self.versions_due = true;
        self.forget();
        Ok(provisional)
    }

    /// Notes rows that were left out at the door, as the description asks for a part of them.
    pub fn sample_out(&mut self, samples: u64, labels: u64) {
        let counts = &mut self.progress.counts;
        counts.sampled_out = counts.sampled_out.saturating_add(samples);
        counts.labels_sampled_out = counts.labels_sampled_out.saturating_add(labels);
    }

    /// Notes samples that were in memory alone, and are gone with the agent that had them.
    pub fn lose(&mut self, samples: u64) {
        let lost = &mut self.progress.counts.lost;
        *lost = lost.saturating_add(samples);
    }

    /// What a checkpoint keeps of it.
    #[must_use]
    pub fn checkpoint(&self) -> Progress {
        if self.spec.store == Store::Rows {
            return self.progress.clone();
        }
        let waiting = |from: i64| self.rows.range(from, i64::MAX).map_or(0, |rows| rows.height() as u64);
        // What is judged again adds to what is known, and takes nothing away.
        let unjudged = self.waiting().find(|end| !self.progress.results.contains_key(end)).map(|end| self.from(end));
        let known = self.progress.known.clone().without_amounts();
        Progress { unjudged: unjudged.map_or(0, waiting), known, ..self.progress.clone() }
    }

    /// Notes samples that were rejected for a value of another type.
    pub fn refuse(&mut self, wrong_types: WrongTypes, now: Timestamp) {
        self.progress.intake.refuse(wrong_types.rows, wrong_types.by_column, &self.spec, now);
    }

    /// Of the samples absorbed last, which rows were new; `None` where all were.
    pub fn take_repeated(&mut self) -> Option<Vec<bool>> {
        self.repeated.take()
    }

    /// Leaves out rows whose id is known, of the same version. Gives what the others' ids are known by, in the order of the rows.
    fn without_repetition(&mut self, frame: DataFrame, mode: Mode) -> PolarsResult<(DataFrame, Vec<Option<Key>>)> {
        self.repeated = None;
        let Ok(ids) = frame.column("id").and_then(|column| column.str()) else { return Ok((frame, Vec::new())) };
        let mut keys = Vec::with_capacity(frame.height());
        let mut fresh = Vec::with_capacity(frame.height());
        for (id, version) in ids.iter().zip(versions(&frame)) {
            let key = id.map(|id| self.ids.note(id, version));
            fresh.push(key != Some(None));
            if key != Some(None) {
                keys.push(key.flatten());
            }
        }
        let repeated = frame.height() - keys.len();
        if repeated == 0 {
            return Ok((frame, keys));
        }
        if mode == Mode::Live {
            self.progress.counts.repeated += repeated as u64;
        }
        let kept = keep(&frame, &fresh)?;
        self.repeated = Some(fresh);
        Ok((kept, keys))
    }

    /// Gives the rows their positions, and makes the windows they fall in pending.
    fn place(&mut self, frame: DataFrame, keys: &[Option<Key>], mode: Mode) -> PolarsResult<DataFrame> {
        let (times, arrivals) = (milliseconds(&frame, "timestamp")?, milliseconds(&frame, ARRIVAL)?);
        let before = self.watermark();
        let step = self.spec.step();
        let by_arrival = self.spec.window_rows.is_some();
        if mode == Mode::Live || by_arrival {
            // A sender whose clock runs ahead closes no window before its time.
            let seen = times.iter().zip(&arrivals).map(|(time, arrival)| *time.min(arrival)).max();
            self.progress.newest = self.progress.newest.max(seen);
        }
        let positions: Vec<i64> = if by_arrival {
            let first = if mode == Mode::Live { self.progress.arrived } else { signed(self.rows.rows()) };
            (first..).take(times.len()).collect()
        } else {
            times
        };
        if mode == Mode::Live {
            self.progress.arrived = self.progress.arrived.saturating_add(signed(positions.len() as u64));
        }
        let horizon = self.horizon();
        let held: Vec<bool> = positions.iter().map(|position| *position >= horizon).collect();
        for ((key, position), held) in keys.iter().zip(&positions).zip(&held) {
            if let Some(key) = key {
                self.ids.place(*key, held.then_some(*position));
            }
        }
        if mode == Mode::Live {
            let mut touched = BTreeSet::new();
            let mut last = None;
            for position in positions.iter().zip(&held).filter(|(_, held)| **held).map(|(position, _)| *position) {
                let bucket = position.div_euclid(step);
                // Rows come mostly in order of time.
                if last.replace(bucket) != Some(bucket) {
                    touched.insert(bucket);
                }
                if before.is_some_and(|watermark| bucket.saturating_add(1).saturating_mul(step) <= watermark) {
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
            let (first, last) = (bucket.saturating_add(1), bucket.saturating_add(steps));
            let end = if done == i64::MIN { last } else { last.min(done - 1) };
            self.progress.pending.extend(first..=end);
            done = first;
            if self.progress.pending.len() > PENDING {
                break;
            }
        }
    }

    /// Adds to the first rows while there is no reference.
    fn gather(&mut self, frame: &DataFrame, mode: Mode, now: Timestamp) -> PolarsResult<Option<Given>> {
        if self.progress.reference.is_some() {
            return Ok(None);
        }
        stack(&mut self.gathered, frame.clone())?;
        if (self.gathered.height() as u64) < self.spec.reference_rows || mode == Mode::Rebuild {
            return Ok(None);
        }
        let wanted = usize::try_from(self.spec.reference_rows).unwrap_or(usize::MAX);
        let rows = std::mem::take(&mut self.gathered).head(Some(wanted));
        match Given::from(rows).kept(&self.spec) {
            Ok(given) => {
                self.no_profile = None;
                self.refer_to(&given, now, true);
                Ok(Some(given))
            }
            // The rows are judged without one, and the next ones are tried.
            Err(why) => {
                self.no_profile = Some(why);
                Ok(None)
            }
        }
    }

    /// Takes a reference into effect; every window that is held is judged anew against it.
    pub fn refer_to(&mut self, given: &Given, since: Timestamp, provisional: bool) {
        let mut reference = Reference::new(given, &self.spec, self.metric_bins, since, provisional);
        self.gathered = DataFrame::empty();
        self.progress.known.merge(&reference.labels);
        match &self.progress.reference {
            // The same again: its counters go on.
            Some(before) if is_same(before, &reference) => {
                reference.about.since = before.since;
            }
            _ => {
                let zero = |column: &Column| vec![0; column.counts.len()];
                self.progress.bins = reference.columns.iter().map(|(name, of)| (name.clone(), zero(of))).collect();
            }
        }
        self.progress.reference = Some(reference.about.clone());
        self.reference = Some(reference);
        self.explained = None;
        self.judge_all_again();
    }

    /// Takes the checkpoint's reference up again, after a restart. If the description has changed meanwhile it makes other bins,
    /// and takes effect at `now` under another hash.
    pub fn remember(&mut self, given: &Given, now: Timestamp) {
        let Some(about) = self.progress.reference.clone() else { return };
        let reference = Reference::new(given, &self.spec, self.metric_bins, about.since, about.provisional);
        if is_same(&about, &reference) {
            self.reference = Some(reference);
        } else {
            self.refer_to(given, now, about.provisional);
        }
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
        if frame.height() == 0 {
            return Ok(()); // all of them were sampled out
        }
        self.progress.known.learn(frame.column("label")?.as_materialized_series());
        let (step, steps) = (self.spec.step(), self.spec.steps());
        let arrivals = milliseconds(frame, ARRIVAL)?;
        if mode == Mode::Live {
            self.progress.counts.labels += frame.height() as u64;
            for id in frame.column("id")?.str()?.iter().flatten() {
                let positions: Vec<i64> = self.ids.positions(id).collect();
                if positions.is_empty() {
                    self.miss(id);
                }
                for position in positions {
                    let bucket = position.div_euclid(step);
                    let (gone, whole): (Vec<i64>, Vec<i64>) =
                        (bucket.saturating_add(1)..=bucket.saturating_add(steps)).partition(|end| self.has_left(*end));
                    self.progress.pending.extend(whole);
                    self.measure_stored(gone);
                }
            }
        }
        let newest = arrivals.iter().copied().max().unwrap_or_default();
        let slim = frame.select(["id", "label", "timestamp"])?;
        if mode == Mode::Live && !self.spec.streams.is_empty() {
            stack(&mut self.fresh_labels, slim.clone())?;
        }
        if mode == Mode::Rebuild {
            self.note_streamed(frame);
        }
        self.labels.push(&with_positions(slim, arrivals)?)?;
        self.latest_labels = None;
        self.versions_due = true;
        self.forget_labels(newest)?;
        let mut excess = self.labels.rows().saturating_sub(self.spec.max_rows);
        while excess > 0 {
            match self.give_up_labels(excess) {
                0 => break,
                gone => excess = excess.saturating_sub(gone),
            }
        }
        Ok(())
    }

    /// After a rebuild: rows of windows by arrival take the numbers they had, and windows are judged anew if the reference is
    /// another by now.
    ///
    /// # Errors
    /// Never, for rows that were pushed before.
    pub fn rebuilt(&mut self) -> PolarsResult<()> {
        if self.spec.window_rows.is_some() {
            self.place_again()?;
            self.forget();
        }
        // What is stored from before the first row that fits is not here.
        let behind_all =
            self.progress.newest.filter(|_| self.spec.store == Store::Counts).map(|newest| newest.saturating_add(1));
        self.left = self.rows.first().or(behind_all).unwrap_or(i64::MIN);
        self.labels_left = self.labels.first().unwrap_or(i64::MIN);
        let hash = self.progress.reference.as_ref().map(|about| &about.hash);
        if self.progress.results.values().next_back().is_some_and(|latest| latest.reference.as_ref() != hash) {
            self.judge_all_again();
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
            let first = self.progress.arrived.saturating_sub_unsigned(all.height() as u64);
            (first..).take(all.height()).collect()
        } else {
            milliseconds(&all, "timestamp")?
        };
        let before = std::mem::take(&mut self.ids);
        if let Ok(ids) = all.column("id").and_then(|column| column.str()) {
            let named = ids.iter().zip(versions(&all)).zip(&positions);
            for (id, version, position) in named.filter_map(|((id, version), position)| Some((id?, version, position)))
            {
                if let Some(key) = self.ids.note(id, version) {
                    self.ids.place(key, Some(*position));
                    if before.is_streamed(id) {
                        self.ids.stream(id);
                    }
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
            self.progress.newest.map(|newest| newest.saturating_sub(span(self.spec.lateness)))
        }
    }

    /// Windows that end at or before this position are closed as of `now`: by the watermark, or, where nothing has come for as long
    /// as the lateness and the grace, by the wall clock. What comes later all the same has its windows judged again, so that when a
    /// window was closed makes no difference to what is found in it.
    fn closed_until(&self, now: Timestamp) -> Option<i64> {
        let watermark = self.watermark()?;
        let patience = self.spec.lateness.saturating_add(self.spec.grace);
        if self.spec.window_rows.is_some() || self.silent(now) < patience {
            return Some(watermark);
        }
        Some(watermark.max(now.as_millisecond().saturating_sub(span(patience))))
    }

    /// Windows that are still to be judged, or judged again: those that began before the first row never are.
    fn waiting(&self) -> impl Iterator<Item = i64> {
        let whole = self.progress.first.unwrap_or(i64::MAX).saturating_add(self.spec.steps());
        self.progress.pending.range(whole..).copied()
    }

    /// Where the first of them begins.
    fn first_needed(&self) -> Option<i64> {
        self.waiting().next().map(|end| self.from(end))
    }

    /// Rows before this position belong to no window that can still change.
    fn horizon(&self) -> i64 {
        if self.spec.window_rows.is_some() {
            return i64::MIN; // these are bounded by their number alone
        }
        let longest = span(self.spec.holds());
        let first = self.watermark().map(|watermark| watermark.saturating_sub(longest));
        // What goes as soon as it has been judged, stays until then.
        let needed = self.first_needed().filter(|_| self.spec.store == Store::Counts).unwrap_or(i64::MAX);
        let first = first.map(|first| first.min(needed));
        let whole_steps = first.map(|first| first.div_euclid(self.spec.step()));
        whole_steps.map_or(i64::MIN, |steps| steps.saturating_mul(self.spec.step()))
    }

    /// Of a model of which no row is kept: rows leave once no window that is still to be judged needs them, and labels as long after as rows
    /// may be late.
    fn forget_judged(&mut self, now: Timestamp) -> PolarsResult<()> {
        let needed = self.first_needed().unwrap_or(i64::MAX);
        for gone in self.rows.forget_exactly_before(needed)? {
            self.leave(&gone);
            self.ids.forget(&gone);
        }
        self.forget_labels(now.as_millisecond())
    }

    /// Gives up labels that came so long before this time that none is waited for.
    fn forget_labels(&mut self, now: i64) -> PolarsResult<()> {
        let gone = match self.spec.store {
            Store::Rows => self.labels.forget_before(now.saturating_sub(span(self.spec.label_horizon))),
            Store::Counts => {
                // By when they came; rows may be as late.
                let waits = span(self.spec.holds().saturating_add(self.spec.lateness));
                let needed = self.first_needed().unwrap_or(i64::MAX).min(now);
                self.labels.forget_exactly_before(needed.saturating_sub(waits))?
            }
        };
        for gone in gone {
            self.leave_labels(&gone);
            self.progress.counts.labels_forgotten += gone.height() as u64;
            self.latest_labels = None;
        }
        Ok(())
    }

    fn forget(&mut self) {
        let horizon = self.horizon();
        let gone = match self.spec.store {
            Store::Rows => self.rows.forget_before(horizon),
            Store::Counts => self.rows.forget_exactly_before(horizon).unwrap_or_default(),
        };
        for gone in gone {
            self.leave(&gone);
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
            self.progress.pending = self.progress.pending.split_off(&whole.saturating_add(self.spec.steps()));
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
        self.leave(&gone);
        self.ids.forget(&gone);
        match self.spec.store {
            Store::Rows => self.progress.counts.forgotten += gone.height() as u64,
            Store::Counts => self.lose(gone.height() as u64),
        }
        gone.height() as u64
    }

    fn give_up_labels(&mut self, most: u64) -> u64 {
        let Some(gone) = self.labels.forget_oldest(most) else { return 0 };
        self.leave_labels(&gone);
        self.progress.counts.labels_forgotten += gone.height() as u64;
        self.latest_labels = None;
        gone.height() as u64
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let reference = self.reference.as_ref().map_or(0, Reference::bytes);
        let latest = self.latest_labels.as_ref().map_or(0, DataFrame::estimated_size);
        let frames = (self.gathered.estimated_size() + latest + self.fresh_labels.estimated_size()) as u64;
        let missing: u64 = self.progress.missing.iter().map(|id| id.len() as u64 + 48).sum();
        let tallies: u64 = self.progress.tallies.values().map(|tally| tally.bytes()).sum();
        missing + tallies + self.rows.bytes() + self.labels.bytes() + self.ids.bytes() + reference + frames
    }

    fn count_bins(&mut self, frame: &DataFrame) {
        let Some(reference) = &self.reference else { return };
        let frame = &reference.made.with_rows(frame);
        for (name, of) in &reference.columns {
            let silent = reference.made.is_silent(name);
            let counted = match frame.column(name) {
                Ok(column) if silent => of.exported.count_series(&column.as_materialized_series().drop_nulls()),
                Err(_) if reference.made.is_made(name) => continue,
                Ok(column) => of.exported.count_series(column.as_materialized_series()),
                Err(_) => of.exported.count(&sample(frame, name, of.baseline.sample.kind())),
            };
            let counts = self.progress.bins.entry(name.clone()).or_insert_with(|| vec![0; counted.len()]);
            for (count, more) in counts.iter_mut().zip(counted) {
                *count += more;
            }
        }
    }
}

/// Whether what was counted so far was counted in these bins: a profile keeps its hash where the description has others exported.
fn is_same(before: &About, reference: &Reference) -> bool {
    (&before.hash, &before.bins) == (&reference.about.hash, &reference.about.bins)
}

/// A duration in milliseconds.
fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A count as a position.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A column of times, none of which is missing once past the border.
fn milliseconds(frame: &DataFrame, name: &str) -> PolarsResult<Vec<i64>> {
    Ok(frame.column(name)?.datetime()?.physical().iter().map(Option::unwrap_or_default).collect())
}

/// The column's values; a frame that lacks it lacks them in every row.
fn sample(frame: &DataFrame, name: &str, kind: crate::drift::Kind) -> Sample {
    let found = frame.column(name).ok().and_then(|column| Sample::of(column.as_materialized_series(), kind));
    found.unwrap_or_else(|| Sample::missing_rows(kind, frame.height() as u64))
}

#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod tests;
