//! A model's row of a minute and its columns: traffic, and what was concluded as of then.

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult};

use super::{Cells, MinuteColumn, Row, column, signals};
use crate::identity::ModelKey;
use crate::minute::Summary;
use crate::signal::model::Model;

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
    /// The columns that drift, in order, with blanks between.
    pub drifted: Option<String>,
    /// The leading measure's name.
    pub measure: Option<String>,
    /// Its signals.
    pub summary: Summary,
}

/// The models' minutes' own columns; those of their signals follow them.
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
    column("drifted", "columns that drift, with blanks between", Cells::Text(|r| r.drifted.as_deref())),
    column("measure", "the leading measure of performance", Cells::Text(|r| r.measure.as_deref())),
];

impl Row for ModelRow {
    const TABLE: &'static str = "model_minute";
    const VERSION: u32 = 2;

    fn minute(&self) -> Timestamp {
        self.minute
    }

    fn frame(rows: &[Self]) -> PolarsResult<DataFrame> {
        let own = MODEL_COLUMNS.iter().map(|column| column.cells(rows));
        DataFrame::new(rows.len(), own.chain(signals::<_, Model>(rows, |row| &row.summary)).collect())
    }
}
