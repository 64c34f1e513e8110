//! What windows are held against: the reference's columns, their bins, and a hash that names them.

#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use polars::prelude::{DataFrame, Series};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::border::RESERVED;
use super::made::Made;
use super::{Spec, chunks};
use crate::drift::baseline::Baseline;
use crate::drift::derived::Side;
use crate::drift::order::slices;
use crate::drift::{Bins, Kind, Sample};
use crate::performance::{Labels, Performance, measure};

/// A window's Kolmogorov-Smirnov p-value is exact up to so many values a side; of more it would cost more than all the rest.
const EXACT_UP_TO: usize = 1000;

/// Columns that are compared beside the features.
pub const COMPARED_ROLES: [&str; 2] = ["prediction", "score"];

/// What is known of a reference without its rows; kept in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Names the profile: references with one hash have the same bins and counts.
    pub hash: String,
    /// Since when it is in effect.
    pub since: Timestamp,
    /// The model's own first rows, for want of a given one. Shown, never alerted on, never summed over nodes.
    pub provisional: bool,
    /// Its rows.
    pub rows: u64,
}

/// A reference, ready to be compared with.
pub struct Reference {
    /// What is known of it without its rows.
    pub about: About,
    /// Its columns by name.
    pub columns: BTreeMap<String, Profile>,
    /// Features that are compared by what is made of them.
    pub made: Made,
    /// How well its predictions fit its labels, where it has both.
    pub performance: Option<Performance>,
    /// What its labels tell of the task.
    pub labels: Labels,
}

/// One column of a reference.
pub struct Profile {
    /// What windows are held against.
    pub baseline: Baseline,
    /// The bins that are exported: categories beyond a number are one.
    pub exported: Bins,
    /// Its counts in the exported bins.
    pub counts: Vec<u64>,
}

/// How the frame's column is compared; `None` for what is not.
fn compared(name: &str, series: &polars::prelude::Series, spec: &Spec) -> Option<Kind> {
    let excluded = spec.exclude.iter().any(|excluded| excluded == name);
    if excluded || (RESERVED.contains(&name) && !COMPARED_ROLES.contains(&name)) {
        return None;
    }
    spec.kind_of(name, super::kind_of(series.dtype())?)
}

impl Reference {
    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let of = |profile: &Profile| match &profile.baseline.sample {
            Sample::Numeric { sorted, .. } => (sorted.capacity() as u64).saturating_mul(8),
            Sample::Categorical { counts, .. } => {
                counts.keys().map(|category| (category.len() as u64).saturating_add(64)).sum()
            }
        };
        self.columns.values().map(of).sum::<u64>().saturating_add(self.made.bytes())
    }

    /// Of a frame of rows.
    #[must_use]
    pub fn new(frame: &DataFrame, spec: &Spec, metric_bins: usize, since: Timestamp, provisional: bool) -> Self {
        let mut columns = BTreeMap::new();
        let order = chunks::in_order(frame, spec);
        let made = Made::of(frame, spec, order.as_ref());
        for column in made.with(frame, Side::Reference).columns() {
            let series = column.as_materialized_series();
            let name = series.name().to_string();
            let Some(kind) = compared(&name, series, spec).filter(|_| !made.is_source(&name)) else { continue };
            let of = |series: &Series| Sample::of(series, kind).map(|sample| made.counted(&name, sample));
            let Some(sample) = of(series) else { continue };
            let samples = |parts: Vec<Series>| parts.iter().filter_map(of).collect::<Vec<Sample>>();
            let mut baseline = Baseline::new(sample);
            if let Some(order) = &order {
                baseline = baseline.with_chunks(&samples(order.parts(series)));
            }
            baseline.exact_up_to = EXACT_UP_TO;
            baseline.row_chunks = samples(slices(series, &spec.thresholds.mode.chunks(series.len())));
            let exported = baseline.bins.most_frequent(&baseline.sample, metric_bins);
            let counts = exported.count(&baseline.sample);
            columns.insert(name, Profile { baseline, exported, counts });
        }
        let series = |name: &str| frame.column(name).ok().map(|column| column.as_materialized_series().clone());
        let mut labels = Labels::default();
        let label = series("label");
        if let Some(label) = &label {
            labels.learn(label);
        }
        let score = series("score");
        let performance = match (label, series("prediction").or_else(|| score.clone()), spec.task.or(labels.task())) {
            (Some(label), Some(prediction), Some(task)) => {
                let measured = measure(task, &label, &prediction, score.as_ref(), spec.positive.as_deref(), &labels);
                (measured.rows > 0).then_some(measured)
            }
            _ => None,
        };
        let hash = hash(&columns);
        let rows = frame.height() as u64;
        Self { about: About { hash, since, provisional, rows }, columns, made, performance, labels }
    }
}

/// Sixteen hex digits of SHA-256 over the profile as JSON: names, bins and counts.
fn hash(columns: &BTreeMap<String, Profile>) -> String {
    let profile: BTreeMap<&String, (&Bins, &Vec<u64>)> =
        columns.iter().map(|(name, profile)| (name, (&profile.exported, &profile.counts))).collect();
    let text = serde_json::to_vec(&profile).unwrap_or_default();
    let mut hex = String::new();
    for byte in &Sha256::digest(&text)[..8] {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
