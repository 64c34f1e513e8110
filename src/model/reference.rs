//! What windows are held against: the reference's columns, their bins, and a hash that names them.

#![warn(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use polars::prelude::{DataFrame, IdxCa, PolarsError, PolarsResult, Series};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::assess::Window;
use super::assess::estimator::{self, Estimator};
use super::border::{COMPARED_ROLES, RESERVED};
use super::made::Made;
use super::profile::{TEXT, of_rows as profile_of_rows, taken};
use super::rows::keep;
use super::{Schema, Spec, Store, chunks};
use crate::drift::baseline::Baseline;
use crate::drift::derived::Side;
use crate::drift::order::slices;
use crate::drift::profile::tally::Tally;
use crate::drift::profile::{self, Profile};
use crate::drift::{Bins, Kind, Sample};
use crate::performance::{Labels, Performance};
use crate::quality::learnt::{Across, Learnt};
use crate::quality::profiled;
use crate::segment::coded::Coded;
use crate::stats::interval::Interval;
use crate::stats::pick::spread;
use crate::units::hex;
use crate::versions::reference::Judged;

/// A window's Kolmogorov-Smirnov p-value is exact up to so many values a side; of more it would cost more than all the rest.
const EXACT_UP_TO: usize = 1000;

/// Numbers that a profile stands for are held in memory: about so many over all columns, 32 MiB, and of each at least and at most so many.
/// A column counts as no more rows than that: the error of 100,000 is a third of what a window of 10,000 has.
const VALUES: u64 = 4_000_000;
const FEWEST_VALUES: u64 = 10_000;
const MOST_VALUES: u64 = 100_000;

/// Rows that are kept to tell what moved the model: so many at most, and so many cells, but for some rows; two to six MiB.
const KEPT_ROWS: usize = 10_000;
const KEPT_CELLS: usize = 400_000;
const FEWEST_KEPT: usize = 1000;

/// What is known of a reference without its rows; kept in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct About {
    /// Names it. A profile's own hash, or of rows that of `bins`.
    pub hash: String,
    /// Names the bins whose counts are exported, and the reference's counts in them: how many there are is the description's part. What
    /// was counted under one such hash adds up.
    #[serde(default)]
    pub bins: String,
    /// Since when it is in effect.
    #[cfg_attr(test, schemars(with = "String"))]
    pub since: Timestamp,
    /// The model's own first rows, for want of a given one. Shown, never alerted on, never summed over nodes.
    pub provisional: bool,
    /// Its rows.
    pub rows: u64,
    /// The data that it is a profile of, by name; `None` where its rows were given.
    #[serde(default)]
    pub profile: Option<String>,
}

/// What a reference is made of.
pub enum Given {
    /// Rows that passed the border.
    Rows(DataFrame),
    /// A profile of rows that are elsewhere.
    Profile(Box<Profile>),
}

impl From<DataFrame> for Given {
    fn from(rows: DataFrame) -> Self {
        Self::Rows(rows)
    }
}

impl Given {
    /// A profile's text.
    ///
    /// # Errors
    /// It is none that can be used.
    pub fn profile(text: &str) -> Result<Self, String> {
        Profile::read(text).map(|profile| Self::Profile(Box::new(profile))).map_err(|error| error.to_string())
    }

    /// The profile in a frame as the border makes one.
    ///
    /// # Errors
    /// There is none in it.
    pub fn profile_of(frame: &DataFrame) -> PolarsResult<Self> {
        let text = frame.column(TEXT)?.str()?.get(0).unwrap_or_default();
        Self::profile(text).map_err(|error| PolarsError::ComputeError(error.into()))
    }

    /// The same as it is kept of a model of this description: where no row is to be, as a profile of its rows.
    ///
    /// # Errors
    /// No column of it can be kept so.
    pub fn kept(self, spec: &Spec) -> Result<Self, String> {
        match (self, spec.store) {
            (Self::Rows(rows), Store::Counts) => Ok(Self::Profile(Box::new(profile_of_rows(&rows, spec)?))),
            (given, _) => Ok(given),
        }
    }

    /// What it says that the columns of a model of this description hold.
    #[must_use]
    pub fn schema(&self, spec: &Spec) -> Schema {
        match self {
            Self::Rows(frame) => Schema::of(frame, spec),
            Self::Profile(profile) => taken(profile, spec).schema,
        }
    }

    /// Its rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Rows(frame) => frame.height() as u64,
            Self::Profile(profile) => profile.rows,
        }
    }
}

/// A reference, ready to be compared with.
pub struct Reference {
    /// What is known of it without its rows.
    pub about: About,
    /// Its columns by name.
    pub columns: BTreeMap<String, Column>,
    /// Features that are compared by what is made of them.
    pub made: Made,
    /// What it teaches of the quality of data.
    pub learnt: Learnt,
    /// How well its predictions fit its labels, where it has both.
    pub performance: Option<Performance>,
    /// What tells, without labels, how well the model does; in words why nothing does.
    pub estimator: Result<Estimator, String>,
    /// What estimates of the measure that speaks for the model vary by from window to window of it; `None` where it has too few.
    pub usual: Option<Interval>,
    /// Some of its rows, spread over all: what the model was given and said, and what was true. `None` of a profile.
    pub kept: Option<DataFrame>,
    /// What its labels tell of the task.
    pub labels: Labels,
    /// What rows under a profile are counted in, of none yet.
    pub tally: Option<Tally>,
    /// The versions of the model that it is of; none where nothing says.
    pub versions: BTreeSet<String>,
}

/// One column of a reference.
pub struct Column {
    /// What windows are held against.
    pub baseline: Baseline,
    /// The bins that are exported: categories beyond a number are one.
    pub exported: Bins,
    /// Its counts in the exported bins.
    pub counts: Vec<u64>,
    /// What it is known by without its rows, where a profile was given.
    pub profiled: Option<Box<Profiled>>,
}

/// A profile's column.
pub struct Profiled {
    /// As it stands in the profile.
    pub column: profile::Column,
    /// The bins of counts that add up over replicas.
    pub fine: Bins,
}

impl Column {
    /// Current values as they are held against it.
    #[must_use]
    pub fn seen(&self, current: Sample) -> Sample {
        match &self.profiled {
            Some(profiled) => profiled.column.seen(current),
            None => current,
        }
    }
}

/// The columns of rows, as they came, that are compared by their values or by what is made of them, and how.
fn across_of(frame: &DataFrame, made: &Made, kind: impl Fn(&str) -> Option<Kind>, mut add: impl FnMut(&Series, Kind)) {
    for column in frame.columns() {
        let name = column.name().as_str();
        let source = made.is_source(name).then_some(Kind::Categorical);
        if let Some(kind) = source.or_else(|| kind(name)) {
            add(column.as_materialized_series(), kind);
        }
    }
}

/// How the frame's column is compared; `None` for what is not.
fn compared(name: &str, series: &polars::prelude::Series, spec: &Spec) -> Option<Kind> {
    let excluded = spec.leaves_out(name);
    if excluded || (RESERVED.contains(&name) && !COMPARED_ROLES.contains(&name)) {
        return None;
    }
    spec.kind_of(name, super::kind_of(series.dtype())?)
}

impl Reference {
    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let of = |column: &Column| match &column.baseline.sample {
            Sample::Numeric { sorted, .. } => (sorted.capacity() as u64).saturating_mul(8),
            Sample::Categorical { counts, .. } => {
                counts.keys().map(|category| (category.len() as u64).saturating_add(64)).sum()
            }
        };
        let columns = self.columns.values().map(of).sum::<u64>();
        let kept = self.kept.as_ref().map_or(0, |kept| kept.estimated_size() as u64);
        columns.saturating_add(self.made.bytes()).saturating_add(self.learnt.bytes()).saturating_add(kept)
    }

    /// The columns of current rows, as they came, that are compared with it.
    pub fn across(&self, frame: &DataFrame, add: impl FnMut(&Series, Kind)) {
        let kind = |name: &str| self.columns.get(name).map(|of| of.baseline.sample.kind());
        across_of(frame, &self.made, kind, add);
    }

    /// Of what was given.
    #[must_use]
    pub fn new(given: &Given, spec: &Spec, metric_bins: usize, since: Timestamp, provisional: bool) -> Self {
        match given {
            Given::Rows(frame) => Self::of_rows(frame, spec, metric_bins, since, provisional),
            Given::Profile(profile) => Self::of_profile(profile, spec, metric_bins, since, provisional),
        }
    }

    /// Of a profile. It has no labels, and so no performance; of the quality of data it teaches what single columns show.
    fn of_profile(profile: &Profile, spec: &Spec, metric_bins: usize, since: Timestamp, provisional: bool) -> Self {
        let taken = taken(profile, spec).columns;
        let most = VALUES.checked_div(taken.len() as u64).unwrap_or(VALUES).clamp(FEWEST_VALUES, MOST_VALUES);
        let (mut columns, mut learnt) = (BTreeMap::new(), Learnt::default());
        for (name, column) in taken {
            learnt.own.extend(profiled::own(name, column));
            let mut baseline = column.baseline_of(most);
            baseline.exact_up_to = EXACT_UP_TO;
            let exported = column.most_frequent(metric_bins);
            let counts = column.counted(&exported);
            let profiled = Some(Box::new(Profiled { column: column.clone(), fine: column.fine() }));
            columns.insert(name.to_owned(), Column { baseline, exported, counts, profiled });
        }
        let about = About {
            hash: profile.hash.clone(),
            bins: hash(Some(&profile.hash), &columns),
            since,
            provisional,
            rows: profile.rows,
            profile: Some(profile.reference.clone()),
        };
        Self {
            about,
            columns,
            made: Made::default(),
            learnt,
            performance: None,
            estimator: Err("a profile has no rows with labels to learn from".to_owned()),
            usual: None,
            kept: None,
            labels: Labels::default(),
            tally: Some(Tally::new(profile)),
            versions: spec.reference_version.iter().cloned().collect(),
        }
    }

    /// Of a frame of rows.
    fn of_rows(frame: &DataFrame, spec: &Spec, metric_bins: usize, since: Timestamp, provisional: bool) -> Self {
        let (mut columns, mut learnt, mut across) = (BTreeMap::new(), Learnt::default(), Across::new(frame.height()));
        let order = chunks::in_order(frame, spec);
        let made = Made::of(frame, spec, order.as_ref());
        let rows = made.with(frame, Side::Reference);
        for column in rows.columns() {
            let series = column.as_materialized_series();
            let name = series.name().to_string();
            let Some(kind) = compared(&name, series, spec).filter(|_| !made.is_source(&name)) else { continue };
            let of = |series: &Series| Sample::of(series, kind).map(|sample| made.counted(&name, sample));
            let Some(sample) = of(series) else { continue };
            let samples = |parts: Vec<Series>| parts.iter().filter_map(of).collect::<Vec<Sample>>();
            let parts = order.as_ref().map(|order| samples(order.parts(series))).unwrap_or_default();
            learnt.column(&name, &sample, &parts);
            let mut baseline = Baseline::new(sample);
            if order.is_some() {
                baseline = baseline.with_chunks(&parts);
            }
            baseline.exact_up_to = EXACT_UP_TO;
            baseline.row_chunks = samples(slices(series, &spec.thresholds.mode.chunks(series.len())));
            let exported = baseline.bins.most_frequent(&baseline.sample, metric_bins);
            let counts = exported.count(&baseline.sample);
            columns.insert(name, Column { baseline, exported, counts, profiled: None });
        }
        let series = |name: &str| frame.column(name).ok().map(|column| column.as_materialized_series().clone());
        let extended = |name: &str| rows.column(name).ok().map(|column| column.as_materialized_series().clone());
        across_of(
            frame,
            &made,
            |name| columns.get(name).map(|of: &Column| of.baseline.sample.kind()),
            |series, kind| across.add(series, kind),
        );
        learnt.rows(&across, order.as_ref(), extended);
        let mut labels = Labels::default();
        let label = series("label");
        if let Some(label) = &label {
            labels.learn(label);
        }
        let window = Window { frame, spec };
        let side = window.side(label);
        let mut usual = None;
        let (performance, estimator) = match spec.task.or(labels.task()) {
            Some(task) => {
                let context = (spec, task, &labels);
                let performance = side.measured(context).map(|(measured, _)| measured);
                let learnt = if provisional {
                    Err("the reference is the model's own first rows".to_owned())
                } else {
                    estimator::learn((&window, &side), None, context).unwrap_or_else(|error| Err(error.to_string()))
                };
                let leading = performance.as_ref().and_then(Performance::leading);
                if let (Ok(learnt), Some((leading, _)), Some(order)) = (&learnt, leading, &order) {
                    let parts = order.places();
                    usual = learnt.usual(&window, &side, context, (leading.name, &parts)).ok().flatten();
                }
                (performance, learnt)
            }
            None => (None, Err("the reference has no labels".to_owned())),
        };
        let hash = hash(None, &columns);
        let rows = frame.height() as u64;
        let about = About { bins: hash.clone(), hash, since, provisional, rows, profile: None };
        let versions = match &spec.reference_version {
            Some(version) => BTreeSet::from([version.clone()]),
            None => super::rows::versions(frame).flatten().map(str::to_owned).collect(),
        };
        Self {
            about,
            columns,
            made,
            learnt,
            performance,
            estimator,
            usual,
            kept: kept(frame, spec),
            labels,
            tally: None,
            versions,
        }
    }

    /// Of rows those that are held against it: all but those of versions that it is not of; and how many of each such version there are.
    ///
    /// # Errors
    /// Never, for rows that passed the border.
    pub fn own(&self, frame: DataFrame) -> PolarsResult<(DataFrame, BTreeMap<String, u64>)> {
        let Ok(told) = frame.column("version").and_then(|column| column.str()) else {
            return Ok((frame, BTreeMap::new()));
        };
        if self.versions.is_empty() {
            return Ok((frame, BTreeMap::new()));
        }
        let judged = Judged::of(&Coded::of_texts("version", told.iter()), &self.versions);
        let kept = if judged.all() { frame } else { keep(&frame, &judged.rows)? };
        Ok((kept, judged.unjudged))
    }
}

/// Rows to tell what moved the model by.
fn kept(frame: &DataFrame, spec: &Spec) -> Option<DataFrame> {
    let is_of_roles = |name: &str| {
        COMPARED_ROLES.contains(&name)
            || name == "label"
            || spec.group.as_deref() == Some(name)
            || spec.scores.values().any(|score| spec.held_as(score) == name)
    };
    let is_kept = |name: &&str| is_of_roles(name) || (!RESERVED.contains(name) && spec.is_feature(name));
    let names: Vec<&str> = frame.columns().iter().map(|column| column.name().as_str()).filter(is_kept).collect();
    let most = KEPT_CELLS.checked_div(names.len())?.clamp(FEWEST_KEPT, KEPT_ROWS);
    let places = spread(frame.height(), most).filter_map(|row| u32::try_from(row).ok()).collect();
    frame.select(names).ok()?.take(&IdxCa::from_vec("rows".into(), places)).ok()
}

/// Sixteen hex digits of SHA-256 over the columns as JSON: names, bins and counts; and the hash of the profile that they are of.
fn hash(profile: Option<&str>, columns: &BTreeMap<String, Column>) -> String {
    let counted: BTreeMap<&String, (&Bins, &Vec<u64>)> =
        columns.iter().map(|(name, column)| (name, (&column.exported, &column.counts))).collect();
    let mut text = serde_json::to_vec(&counted).unwrap_or_default();
    text.extend(profile.unwrap_or_default().bytes());
    hex(&Sha256::digest(&text)[..8])
}
