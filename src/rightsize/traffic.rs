//! Models' minutes -> traffic, drift and performance of a time, and with what their containers cost, the price of a prediction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use polars::prelude::{ChunkAgg, DataFrame, PolarsResult, StringChunked};
use serde::Serialize;

use super::usage::Member;
use crate::frame::past::{Past, columns};
use crate::identity::ModelKey;
use crate::signal::Part::{Increase, Last};
use crate::signal::model::{Model, id};

const IDENTITY: &[&str] = &["minute", "node", "model_namespace", "model_name", "model_versions", "drifted", "measure"];

/// The columns of the models' table that are read.
#[must_use]
pub fn read_columns() -> Vec<String> {
    columns::<Model>(IDENTITY)
}

/// A model over a time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelUse {
    /// The node that its samples came to.
    pub node: String,
    /// The model.
    #[serde(flatten)]
    pub key: ModelKey,
    /// The versions of it that rows of the last window at the end of the time are of.
    pub versions: Vec<String>,
    /// Minutes that were seen.
    pub minutes: u64,
    /// Samples that arrived.
    pub predictions: u64,
    /// Labels that arrived.
    pub labels: u64,
    /// The verdict at the end of the time; `None` without one.
    pub drift: Option<bool>,
    /// It is against the model's own beginning.
    pub provisional: bool,
    /// Share of the minutes with a verdict in which the model drifted.
    pub drifting: Option<f64>,
    /// The columns that drift at the end of the time.
    pub drifted: Vec<String>,
    /// The leading measure.
    pub measure: Option<String>,
    /// Its value at the end of the time.
    pub performance: Option<f64>,
    /// Its value over the reference.
    pub reference_performance: Option<f64>,
    /// What the containers that are labelled with the model cost over the time, their GPUs included. `None` where none is.
    pub cost: Option<f64>,
    /// The same for a thousand predictions.
    pub cost_per_thousand: Option<f64>,
    #[serde(skip)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    last: Option<Timestamp>,
    #[serde(skip)]
    judged: u64,
    #[serde(skip)]
    drifted_minutes: u64,
}

/// Every model that was met.
#[derive(Debug, Default)]
pub struct ModelUses(BTreeMap<(String, ModelKey), ModelUse>);

impl ModelUses {
    /// Takes rows from `since` to `until` in, in order of time.
    ///
    /// # Errors
    /// A column is of another type than this version writes.
    pub fn take(&mut self, frame: &DataFrame, since: Timestamp, until: Timestamp) -> PolarsResult<()> {
        let past = Past::new(frame, &["node", "model_namespace", "model_name"], &[], since, until)?;
        let (names, drifted, measures) = (past.text("model_name")?, past.text("drifted")?, past.text("measure")?);
        let (nodes, namespaces) = (past.text("node")?, past.text("model_namespace")?);
        let versions = past.list("model_versions")?;
        let count = |key: &str, part| past.counted(id(key).column(part));
        let (predictions, labels) = (count("predictions", Increase)?, count("labels", Increase)?);
        let (drift, provisional) = (count("verdict", Last)?, count("provisional", Last)?);
        let real = |key: &str| past.signal(id(key).column(Last));
        let (performance, reference) = (real("leading")?, real("leading_reference")?);
        let text = |column: Option<&StringChunked>, row: usize| Some(column?.get(row)?.to_owned());
        for run in &past.runs {
            let last = run.last();
            let Some(name) = text(names, last) else { continue };
            let (node, key) =
                (text(nodes, last).unwrap_or_default(), ModelKey { namespace: text(namespaces, last), name });
            let new = || ModelUse { node: node.clone(), key: key.clone(), ..ModelUse::default() };
            let model = self.0.entry((node.clone(), key.clone())).or_insert_with(new);
            let versions = versions.and_then(|versions| versions.get_as_series(last));
            model.versions = match &versions {
                Some(versions) => versions.str()?.iter().flatten().map(str::to_owned).collect(),
                None => Vec::new(),
            };
            model.minutes += past.new_minutes(run, &mut model.last);
            model.predictions = model.predictions.saturating_add(run.of(&predictions).sum().unwrap_or(0));
            model.labels = model.labels.saturating_add(run.of(&labels).sum().unwrap_or(0));
            let verdicts = run.of(&drift);
            model.judged += (verdicts.len() - verdicts.null_count()) as u64;
            model.drifted_minutes = model.drifted_minutes.saturating_add(verdicts.sum().unwrap_or(0));
            model.drift = drift.get(last).map(|drift| drift == 1);
            model.provisional = provisional.get(last) == Some(1);
            model.drifting = (model.judged > 0).then(|| model.drifted_minutes as f64 / model.judged as f64);
            let drifted = text(drifted, last).unwrap_or_default();
            model.drifted = drifted.split_whitespace().map(str::to_owned).collect();
            model.measure = text(measures, last);
            (model.performance, model.reference_performance) = (performance.get(last), reference.get(last));
        }
        Ok(())
    }

    /// The newest minute.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|model| model.last).max()
    }

    /// The model that a workload serves.
    pub(super) fn served(&self, workload: &Member) -> Option<(String, ModelKey)> {
        let told = ModelKey { namespace: workload.model_namespace.clone(), name: workload.model.clone()? };
        let on_node = self.0.keys().filter(|(node, _)| *node == workload.node).map(|(_, key)| key);
        Some((workload.node.clone(), told.among(on_node)?.clone()))
    }

    /// Each model, with what `cost` says its containers cost.
    #[must_use]
    pub fn priced(self, cost: &BTreeMap<(String, ModelKey), f64>) -> Vec<ModelUse> {
        let price = |(of, mut model): ((String, ModelKey), ModelUse)| {
            model.cost = cost.get(&of).copied();
            let thousands = (model.predictions > 0).then_some(model.predictions as f64 / 1000.0);
            model.cost_per_thousand = model.cost.zip(thousands).map(|(cost, thousands)| cost / thousands);
            model
        };
        self.0.into_iter().map(price).collect()
    }
}
