//! A model as people and programs see it. Plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::assess::expected;
use super::reference::About;
use super::streams::Changes;
use crate::attribution::Moved;
use crate::drift::comparison::{Finding, FindingKind};
use crate::drift::profile::span::Span;
use crate::drift::profile::tally::Tally;
use crate::drift::verdict::Judged;
use crate::estimate::Estimate;
use crate::fairness::Fair;
use crate::identity::ModelKey;
use crate::performance::measures::Better;
use crate::performance::verdict::{Change, Limits, changes, verdict};
use crate::performance::{Performance, Task};
use crate::quality::{self, Check};
use crate::segment::by::By;
use crate::segment::search::Found;
use crate::stats::interval::Interval;
use crate::versions::Versions;

/// All models as of one instant.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelsView {
    /// By namespace and name.
    pub models: Vec<ModelView>,
    /// Of the exporters' bounds, for the points made of this.
    #[serde(skip)]
    pub metric_features: usize,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelView {
    /// What it is known by.
    #[serde(flatten)]
    pub key: ModelKey,
    /// What it predicts, as told or as its labels say.
    pub task: Option<Task>,
    /// Since when it is known here.
    #[cfg_attr(test, schemars(with = "String"))]
    pub registered: Timestamp,
    /// Rows in and out.
    pub counts: Counts,
    /// Rows that a window needs for a verdict.
    #[serde(skip)]
    pub min_rows: u64,
    /// What makes a verdict on its performance.
    #[serde(skip)]
    pub limits: Limits,
    /// What of its rows is kept.
    pub store: Store,
    /// What is not told for that, in words.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub not_told: &'static [&'static str],
    /// The sender's column of what it says.
    #[serde(skip)]
    pub prediction: String,
    /// The class that is good to get, where the description names it.
    #[serde(skip)]
    pub favourable: Option<String>,
    /// Rows held in memory.
    pub rows_in_memory: u64,
    /// About how many bytes they take.
    pub bytes_in_memory: u64,
    /// The newest event.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub newest: Option<Timestamp>,
    /// Windows that end before this are closed.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub watermark: Option<Timestamp>,
    /// What windows are held against.
    pub reference: Option<ReferenceView>,
    /// The verdict over the last windows.
    pub verdict: Verdict,
    /// The last window that was closed, in full.
    pub latest: Option<WindowResult>,
    /// The newest window with labels, in full, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelled: Option<WindowResult>,
    /// The windows before it and itself, newest first.
    pub windows: Vec<WindowSummary>,
    /// Where it does worst; `None` before labels have come.
    pub segments: Option<Worst>,
    /// Its versions side by side, over the newest rows with labels; `None` with fewer than two.
    pub versions: Option<Versions>,
    /// What moved it, on the newest window that asks for it; `None` where none does.
    pub moved: Option<Explained>,
    /// What is wrong with the rows: of the last window, and of what came of late.
    pub quality: Vec<quality::Finding>,
    /// What detectors found in its scores and errors, value by value.
    pub streams: Changes,
    /// Columns that the reference and the rows do not share.
    pub schema: Vec<Finding>,
    /// Counts in the reference's bins since it took effect.
    pub bins: Vec<BinsView>,
    /// Counts of the newest windows that were held against a profile, newest first: they have an address of their own.
    #[serde(skip)]
    pub tallies: Vec<WindowTally>,
}

/// A window's counts under a profile, which add up over replicas.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowTally {
    /// When the window begins.
    pub start: Timestamp,
    /// When it ends, exclusively.
    pub end: Timestamp,
    /// Of a window of so many rows by arrival: the number of its first, and that after its last.
    pub arrivals: Option<[i64; 2]>,
    /// Its counts.
    pub tally: Arc<Tally>,
}

impl WindowTally {
    /// As text, said to be of a model on a node.
    #[must_use]
    pub fn text(&self, key: &ModelKey, node: &str) -> String {
        let window = Span {
            namespace: key.namespace.clone(),
            model: key.name.clone(),
            node: node.to_owned(),
            start: self.start,
            end: self.end,
            arrivals: self.arrivals,
            rows: self.tally.rows(),
        };
        self.tally.of_window(window).text()
    }
}

/// The measure that speaks for a model, over the newest window with labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Leading {
    /// Its name.
    pub measure: &'static str,
    /// Which way it is better.
    #[serde(skip)]
    pub better: Better,
    /// Its value.
    pub now: f64,
    /// Its value over the reference.
    pub reference: Option<f64>,
}

impl Leading {
    /// How much worse it is than over the reference, as a share of it.
    #[must_use]
    pub fn drop(&self) -> Option<f64> {
        let reference = self.reference.filter(|reference| *reference != 0.0)?;
        Some(self.better.loss(reference, self.now) / reference.abs())
    }
}

impl ModelView {
    /// How many columns, pairs or counts of rows each check finds fault with; `None` where it cannot be told, or is for people alone.
    #[must_use]
    pub fn faults(&self, check: Check) -> Option<u64> {
        let told = match check {
            Check::WrongType | Check::DuplicatedIds | Check::Staleness => true,
            // What differs from a model's own beginning is worth a look, not an alarm.
            _ => !self.verdict.provisional && self.latest.as_ref().is_some_and(|window| window.drift.is_some()),
        };
        let of_check = || self.quality.iter().filter(|finding| finding.check == check).count() as u64;
        told.then(of_check)
    }

    /// Settings that are of no column which is compared, in a line each.
    #[must_use]
    pub fn in_vain(&self) -> Vec<String> {
        let of_settings = self.schema.iter().filter(|finding| finding.finding == FindingKind::SetInVain);
        of_settings.map(|finding| format!("`{}`: {}", finding.column, finding.message)).collect()
    }

    /// Performance over the newest window with labels: they come late, and it speaks for the model.
    #[must_use]
    pub fn measured(&self) -> Option<&Performance> {
        self.windows.iter().find_map(|window| window.performance.as_ref())
    }

    /// How well the model still does.
    #[must_use]
    pub fn leading(&self) -> Option<Leading> {
        self.leading_of(1)
    }

    /// The measure that speaks for the model beside the reference's, over the newest window that has enough labelled rows. Of a reference
    /// that is the model's own beginning nothing is said.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        let reference = self.reference.as_ref().filter(|_| !self.verdict.provisional)?.performance.as_ref()?;
        let enough = |p: &&Performance| p.rows >= self.min_rows;
        let now = self.windows.iter().filter_map(|window| window.performance.as_ref()).find(enough)?;
        let all = changes(reference, now, &self.limits);
        verdict(now, &all).cloned()
    }

    /// The newest window with labels, in full.
    #[must_use]
    pub fn labelled(&self) -> Option<&WindowResult> {
        self.labelled.as_ref().or(self.latest.as_ref().filter(|window| window.performance.is_some()))
    }

    /// What is expected of the newest window, without labels.
    #[must_use]
    pub fn estimated(&self) -> Option<&Estimate> {
        self.latest.as_ref()?.estimated.as_ref()
    }

    /// The measure that speaks for the model as it is estimated over the newest window that has enough rows, beside the reference's. What
    /// the reference's own windows vary by is no change.
    #[must_use]
    pub fn expected(&self) -> Option<Change> {
        let view = self.reference.as_ref().filter(|_| !self.verdict.provisional)?;
        let reference = view.performance.as_ref()?;
        let estimates = self.windows.iter().filter_map(|window| window.estimated.as_ref());
        let now = estimates.into_iter().find(|estimate| estimate.rows >= self.min_rows)?;
        expected(now, reference, view.usually_estimated, &self.limits)
    }

    /// Groups are told apart, or it is told why not.
    #[must_use]
    pub fn has_groups(&self) -> bool {
        !self.fairness().is_empty() || self.latest.as_ref().is_some_and(|window| !window.notes.is_empty())
    }

    /// What each attribute's groups say: of the newest window with labels, else of the newest that has groups.
    #[must_use]
    pub fn fairness(&self) -> &[Fair] {
        let windows = [self.labelled(), self.latest.as_ref()];
        windows
            .into_iter()
            .flatten()
            .map(|window| window.fairness.as_slice())
            .find(|all| !all.is_empty())
            .unwrap_or_default()
    }

    /// The same over the newest window that has so many labelled rows.
    #[must_use]
    pub fn leading_of(&self, rows: u64) -> Option<Leading> {
        let now = self.windows.iter().filter_map(|window| window.performance.as_ref()).find(|p| p.rows >= rows)?;
        let (measure, value) = now.leading()?;
        let reference = self.reference.as_ref().and_then(|reference| reference.performance.as_ref());
        let reference = reference.and_then(|performance| measure.of(performance));
        Some(Leading { measure: measure.name, better: measure.better, now: value, reference })
    }
}

/// Rows in and out, since the model is known here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Counts {
    /// Samples taken in, each once.
    pub samples: u64,
    /// Samples that were left out, as the description asks for a part of them (`sample`): beside those taken in.
    pub sampled_out: u64,
    /// Samples whose id was known already, and which were passed over.
    pub repeated: u64,
    /// Samples that came after their window was closed; it is judged again.
    pub late: u64,
    /// Samples too old for any window that is still held. They are stored all the same, where rows are.
    pub too_late: u64,
    /// Samples given up from memory before their time, to stay within bounds. They are stored all the same.
    pub forgotten: u64,
    /// Samples that were in memory alone, as the description asks for counts (`store`), and were lost before their windows were judged: the
    /// agent ended, or memory was short.
    pub lost: u64,
    /// Labels taken in.
    pub labels: u64,
    /// Labels that were left out with their samples.
    pub labels_sampled_out: u64,
    /// Labels whose sample was not there when they came.
    pub unmatched: u64,
    /// The same where labels go to every agent: the sample is another's, as a rule. Never with `unmatched`.
    pub elsewhere: u64,
    /// Labels given up from memory: too old, or to stay within bounds.
    pub labels_forgotten: u64,
}

/// A reference in a few words.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReferenceView {
    /// Its hash, rows and time.
    #[serde(flatten)]
    pub about: About,
    /// How well its predictions fit its labels.
    pub performance: Option<Performance>,
    /// Why nothing is estimated without labels; `None` where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_estimated: Option<String>,
    /// Where the leading measure's estimate of a window lies though nothing is wrong, by the reference's own windows; `None` where it has
    /// fewer than ten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usually_estimated: Option<Interval>,
}

/// Whether the model drifts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// `None` before the first window with a verdict.
    pub drift: Option<bool>,
    /// Columns that drift for enough windows in a row.
    pub columns: Vec<String>,
    /// For how many windows in a row each column has drifted; those that have not are left out.
    pub in_a_row: Vec<InARow>,
    /// The reference is the model's own beginning: worth a look, not an alarm.
    pub provisional: bool,
    /// Why there is no verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// For how long a column has drifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InARow {
    /// The column.
    pub column: String,
    /// Windows in a row.
    pub windows: u32,
}

/// One window, judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WindowResult {
    /// When it begins: event time, or for windows of rows their first event.
    #[cfg_attr(test, schemars(with = "String"))]
    pub start: Timestamp,
    /// When it ends, exclusively; for windows of rows their last event.
    #[cfg_attr(test, schemars(with = "String"))]
    pub end: Timestamp,
    /// Its rows.
    pub rows: u64,
    /// The versions of the model that its rows are of, in order, twenty at most; none where samples name none.
    #[serde(default)]
    pub versions: Vec<String>,
    /// Rows of versions that the reference is not of, by version: nothing else that is told here is of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unjudged: BTreeMap<String, u64>,
    /// The hash of the reference it was held against.
    pub reference: Option<String>,
    /// When it was judged last.
    #[cfg_attr(test, schemars(with = "String"))]
    pub evaluated: Timestamp,
    /// How often: late rows and labels have it judged again.
    pub evaluations: u64,
    /// Whether any column drifts. `None` with too few rows or without a reference.
    pub drift: Option<bool>,
    /// The columns that drift.
    #[serde(default)]
    pub drifted: Vec<String>,
    /// How near columns came to drift: the effect of what decides over its threshold, of the thirty that came nearest or went beyond.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub distances: BTreeMap<String, f64>,
    /// Each column the reference has; of the newest windows only.
    pub features: Vec<Judged>,
    /// What is wrong with the rows; of the newest windows only.
    #[serde(default)]
    pub quality: Vec<quality::Finding>,
    /// How well the predictions fit the labels that have come.
    pub performance: Option<Performance>,
    /// How well they are expected to, without labels, and the truth beside it once labels have come; of all but the newest windows the
    /// leading measure alone.
    #[serde(default)]
    pub estimated: Option<Estimate>,
    /// By each protected attribute, and by two crossed; of the newest windows, and of the newest with labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fairness: Vec<Fair>,
    /// The measures by the values of the columns that the description names (`segments`); of the same windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_column: Vec<By<Option<Performance>>>,
    /// Why groups are not told apart that the description names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Where the model does worst, over the newest windows with labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Worst {
    /// When the first of them begins.
    #[cfg_attr(test, schemars(with = "String"))]
    pub start: Timestamp,
    /// When the last of them ends.
    #[cfg_attr(test, schemars(with = "String"))]
    pub end: Timestamp,
    /// What is claimed holds for rows that had no part in finding it.
    #[serde(flatten)]
    pub found: Found,
}

/// Why a window is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It does worse than over the reference.
    Performance,
    /// It is estimated to.
    Estimate,
    /// Its predictions or scores drift.
    Predictions,
}

/// What moved a model's errors and predictions on a window: leads, not causes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Explained {
    /// When the window begins.
    #[cfg_attr(test, schemars(with = "String"))]
    pub start: Timestamp,
    /// When it ends.
    #[cfg_attr(test, schemars(with = "String"))]
    pub end: Timestamp,
    /// Why it is asked.
    pub because: Because,
    /// Against rows of the reference.
    pub moved: Option<Moved>,
    /// Why nothing can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One window in a line.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WindowSummary {
    /// When it begins.
    #[cfg_attr(test, schemars(with = "String"))]
    pub start: Timestamp,
    /// When it ends, exclusively.
    #[cfg_attr(test, schemars(with = "String"))]
    pub end: Timestamp,
    /// Its rows.
    pub rows: u64,
    /// The versions of the model that its rows are of.
    pub versions: Vec<String>,
    /// Whether any column drifts.
    pub drift: Option<bool>,
    /// Those that do.
    pub drifted: Vec<String>,
    /// How near columns came to drift, as a window's result says it; of the newest sixty windows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub distances: BTreeMap<String, f64>,
    /// How well the predictions fit the labels that have come.
    pub performance: Option<Performance>,
    /// How well they are expected to, without labels.
    pub estimated: Option<Estimate>,
}

/// A column's bins: the reference's counts, and those of what came since.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BinsView {
    /// The column.
    pub column: String,
    /// What each bin holds.
    pub bins: Vec<String>,
    /// The reference's counts.
    pub reference: Vec<u64>,
    /// Counts since the reference took effect.
    pub current: Vec<u64>,
}
