//! One model's review: what its samples and labels say of it, in one document. Everything is measured elsewhere; here it stands together.

pub mod sections;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::attribution::Moved;
use crate::drift::comparison::Comparison;
use crate::estimate::Estimate;
use crate::fairness::Fair;
use crate::performance::detail::Detail;
use crate::performance::figure::Figure;
use crate::performance::verdict::{Change, Verdict};
use crate::performance::{Performance, Task};
use crate::quality::Finding;
use crate::segment::by::By;
use crate::segment::search::Segment;
use crate::versions::{Others, Version};

/// What was found of a model.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Review {
    /// Its name.
    pub model: String,
    /// In what its name is unique.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What it predicts; `None` where nothing says.
    pub task: Option<Task>,
    /// Rows of samples.
    pub rows: u64,
    /// The oldest and the newest row, where their times are known.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub from: Option<Timestamp>,
    /// The newest.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub to: Option<Timestamp>,
    /// What labels came.
    pub labels: Labelled,
    /// How well it does; `None` without labels.
    pub performance: Option<Measured>,
    /// How well it does as far as that can be told without labels, and beside it what they say.
    pub estimated: Option<Estimate>,
    /// What moved against the reference; `None` where nothing can be compared.
    pub drift: Option<Comparison>,
    /// What moved its errors and its predictions; `None` without a reference of rows.
    pub moved: Option<Moved>,
    /// What is wrong with the rows themselves.
    pub quality: Vec<Finding>,
    /// Part by part, the oldest first.
    pub over_time: Vec<Part>,
    /// By each protected attribute, and by two crossed.
    pub fairness: Vec<Fair>,
    /// Where it does worst: what is claimed holds for rows that had no part in finding it.
    pub segments: Vec<Segment>,
    /// In how many columns that was searched; `None` where there are no errors to search by.
    pub segments_searched: Option<u64>,
    /// The measures by the values of the columns that the description names.
    pub by_column: Vec<By<Option<Performance>>>,
    /// Each version of the model, the champion first, where its rows are of two or more.
    pub versions: Vec<Version>,
    /// Versions that there is no room for.
    pub other_versions: Others,
    /// Rows of versions that the reference is not of, by version: nothing but `versions` and `labels` is of them.
    pub unjudged: BTreeMap<String, u64>,
    /// What a reader ought to know of how this came about.
    pub notes: Vec<String>,
}

/// Labels, and how they fit the samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Labelled {
    /// Rows of samples with a label.
    pub rows: u64,
    /// Their share of all.
    pub coverage: Option<f64>,
    /// Labels of no sample.
    pub unknown: u64,
    /// Labels that say again what another said of the same sample.
    pub duplicates: u64,
    /// Labels that say something else than one before them of the same sample: the latest counts.
    pub corrections: u64,
    /// How long labels came after their samples, in seconds: the median, where both have times.
    pub lag_p50: Option<f64>,
    /// The 95th percentile.
    pub lag_p95: Option<f64>,
    /// What the labels that came first say beside those that came last.
    pub early: Option<Early>,
}

/// The earlier half of the labels by their lag beside the later: where they differ, labels that are still to come will change the figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Early {
    /// Mean error of the rows whose labels came first.
    pub first: Figure,
    /// Of those whose labels came last.
    pub last: Figure,
    /// Whether they differ for certain (in 999 of 1000).
    pub differ: bool,
}

/// How well predictions fit labels.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measured {
    /// Every measure that is defined, and where it may lie.
    #[serde(flatten)]
    pub figures: Performance,
    /// What stands behind a classifier's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// The same of the reference, where it has labels.
    pub reference: Option<Performance>,
    /// Each measure beside the reference's.
    pub changes: Vec<Change>,
    /// The verdict: that on the measure that speaks for the model. `None` without a reference's.
    pub verdict: Option<Verdict>,
}

/// A part of the samples.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Part {
    /// When its rows began, or `None` where times are not known.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub from: Option<Timestamp>,
    /// When they ended.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub to: Option<Timestamp>,
    /// Its rows.
    pub rows: u64,
    /// Those with a label.
    pub labelled: u64,
    /// How well the model does on them.
    pub performance: Option<Performance>,
    /// The verdict on it.
    pub verdict: Option<Verdict>,
    /// How well it does as far as that can be told without labels.
    pub estimated: Option<Estimate>,
}

impl Review {
    /// Whether it does worse than the reference, for certain.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.performance.as_ref().is_some_and(|measured| measured.verdict == Some(Verdict::Worse))
    }
}
