//! A model's row of a minute and its columns: traffic, and what was concluded as of then.

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult};

use super::{Cells, MinuteColumn, Row, column};
use crate::identity::ModelKey;

/// One model's row of one minute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelRow {
    /// When the minute began.
    pub minute: Timestamp,
    /// The node's name.
    pub node: String,
    /// The model.
    pub key: ModelKey,
    /// The versions of it that the last window's rows are of, in order.
    pub versions: Vec<String>,
    /// Samples that arrived in the minute.
    pub predictions: u64,
    /// Labels that arrived in the minute.
    pub labels: u64,
    /// The verdict.
    pub drift: Option<bool>,
    /// The verdict is against the model's own beginning.
    pub provisional: bool,
    /// The columns that drift, in order, with blanks between.
    pub drifted: Option<String>,
    /// The leading measure's name.
    pub measure: Option<String>,
    /// Its value over the newest window with labels.
    pub performance: Option<f64>,
    /// Its value over the reference.
    pub reference_performance: Option<f64>,
}

/// The columns of the models' minutes.
pub const MODEL_COLUMNS: &[MinuteColumn<ModelRow>] = &[
    column("minute", "when the minute began (UTC)", Cells::Time(|r| Some(r.minute))),
    column("node", "name of the node", Cells::Text(|r| Some(&r.node))),
    column(
        "model_namespace",
        "in what its name is unique; null if not told",
        Cells::Text(|r| r.key.namespace.as_deref()),
    ),
    column("model_name", "the model", Cells::Text(|r| Some(&r.key.name))),
    column(
        "model_versions",
        "the versions of it that the last window's rows are of; empty where samples name none",
        Cells::Texts(|r| Some(&r.versions)),
    ),
    column("predictions", "increase: samples that arrived", Cells::Count(|r| Some(r.predictions))),
    column("labels", "increase: labels that arrived", Cells::Count(|r| Some(r.labels))),
    column("drift", "the verdict: 1 drift, 0 none, null without one", Cells::Count(|r| r.drift.map(u64::from))),
    column(
        "provisional",
        "1 when the verdict is against the model's own first rows",
        Cells::Count(|r| Some(r.provisional.into())),
    ),
    column("drifted", "columns that drift, with blanks between", Cells::Text(|r| r.drifted.as_deref())),
    column("measure", "the leading measure of performance", Cells::Text(|r| r.measure.as_deref())),
    column("performance", "its value over the newest window with labels", Cells::Real(|r| r.performance)),
    column("reference_performance", "its value over the reference", Cells::Real(|r| r.reference_performance)),
];

impl Row for ModelRow {
    const TABLE: &'static str = "model_minute";
    const VERSION: u32 = 2;

    fn minute(&self) -> Timestamp {
        self.minute
    }

    fn frame(rows: &[Self]) -> PolarsResult<DataFrame> {
        DataFrame::new(rows.len(), MODEL_COLUMNS.iter().map(|column| column.cells(rows)).collect())
    }
}
