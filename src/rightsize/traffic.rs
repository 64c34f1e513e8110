//! Models' minutes -> traffic, drift and performance of a time, and with what their containers cost, the price of a prediction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult};
use serde::Serialize;

use super::usage::minutes;

/// The columns of the models' table that are read.
pub const COLUMNS: &[&str] = &[
    "minute",
    "model_name",
    "predictions",
    "labels",
    "drift",
    "provisional",
    "drifted",
    "measure",
    "performance",
    "reference_performance",
];

/// A model over a time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ModelUse {
    /// The model.
    pub name: String,
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
    last: Option<Timestamp>,
    #[serde(skip)]
    judged: u64,
    #[serde(skip)]
    drifted_minutes: u64,
}

/// Every model that was met.
#[derive(Debug, Default)]
pub struct ModelUses(BTreeMap<String, ModelUse>);

impl ModelUses {
    /// Takes rows from `since` to `until` in, in order of time.
    ///
    /// # Errors
    /// A column is of another type than this version writes.
    pub fn take(&mut self, frame: &DataFrame, since: Timestamp, until: Timestamp) -> PolarsResult<()> {
        let minute = minutes(frame)?;
        let text = |name: &str| frame.column(name)?.str();
        let real = |name: &str| frame.column(name)?.f64();
        let count = |name: &str| frame.column(name)?.u64();
        let (name, drifted, measure) = (text("model_name")?, text("drifted")?, text("measure")?);
        let (predictions, labels) = (count("predictions")?, count("labels")?);
        let (drift, provisional) = (count("drift")?, count("provisional")?);
        let (performance, reference) = (real("performance")?, real("reference_performance")?);
        for at in 0..frame.height() {
            let time = minute.get(at).and_then(|ms| Timestamp::from_millisecond(ms).ok());
            if !time.is_some_and(|time| (since..until).contains(&time)) {
                continue;
            }
            let Some(name) = name.get(at) else { continue };
            let model = self
                .0
                .entry(name.to_owned())
                .or_insert_with(|| ModelUse { name: name.to_owned(), ..ModelUse::default() });
            model.minutes += 1;
            model.last = model.last.max(time);
            model.predictions = model.predictions.saturating_add(predictions.get(at).unwrap_or(0));
            model.labels = model.labels.saturating_add(labels.get(at).unwrap_or(0));
            model.drift = drift.get(at).map(|drift| drift == 1);
            model.provisional = provisional.get(at) == Some(1);
            if let Some(drift) = model.drift {
                model.judged += 1;
                model.drifted_minutes += u64::from(drift);
            }
            model.drifting = (model.judged > 0).then(|| model.drifted_minutes as f64 / model.judged as f64);
            model.drifted = drifted.get(at).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
            model.measure = measure.get(at).map(str::to_owned);
            (model.performance, model.reference_performance) = (performance.get(at), reference.get(at));
        }
        Ok(())
    }

    /// The newest minute.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|model| model.last).max()
    }

    /// Each model, with what `cost` says its containers cost.
    #[must_use]
    pub fn priced(self, cost: impl Fn(&str) -> Option<f64>) -> Vec<ModelUse> {
        let price = |mut model: ModelUse| {
            model.cost = cost(&model.name);
            let thousands = (model.predictions > 0).then_some(model.predictions as f64 / 1000.0);
            model.cost_per_thousand = model.cost.zip(thousands).map(|(cost, thousands)| cost / thousands);
            model
        };
        self.0.into_values().map(price).collect()
    }
}
