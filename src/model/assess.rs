//! A model's rows, a file's or a window's, brought to what measures them: performance, estimates, groups, segments, versions, what moved.

pub mod estimator;
pub mod groups;
pub mod moved;
pub mod versions;

use std::ops::Range;

use polars::prelude::{Column, DataFrame, IdxCa, PolarsError, PolarsResult, Series};

use super::border::RESERVED;
use super::{Beside, Spec, kind_of};
use crate::estimate::Estimate;
use crate::frame::normal::ColumnKind;
use crate::performance::detail::Detail;
use crate::performance::interval::Within;
use crate::performance::verdict::{self, Change, Limits};
use crate::performance::{Labels, Performance, Task, measure};
use crate::stats::interval::Interval;

/// A model's description, what it predicts, and what its labels are known to be.
pub type Context<'a> = (&'a Spec, Task, &'a Labels);

/// Why rows cannot be assessed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A column that the description names.
    #[error("there is no column `{0}`")]
    Missing(String),
    /// A column cannot be used.
    #[error("{0}")]
    Read(String),
}

impl From<PolarsError> for Error {
    fn from(error: PolarsError) -> Self {
        Self::Read(error.to_string())
    }
}

/// An estimate with the truth beside it, where that is known.
#[must_use]
pub fn beside(mut estimate: Estimate, performance: Option<&Performance>) -> Estimate {
    let measures = performance.into_iter().flat_map(Performance::measures);
    estimate.hold_against(measures.map(|(name, value)| (name, Some(value))));
    estimate
}

/// The measure that speaks for the model as it is estimated, beside the reference's. What estimates of the reference's own windows vary by
/// (`usual`) is no change.
#[must_use]
pub fn expected(
    estimate: &Estimate,
    reference: &Performance,
    usual: Option<Interval>,
    limits: &Limits,
) -> Option<Change> {
    let of = |name: &str| {
        let figure = estimate.figure(name)?;
        Some((figure.value?, figure.low.zip(figure.high).map(|(low, high)| Within { low, high })))
    };
    verdict::expected(reference, of, (estimate.rows, usual.map(Within::from)), limits)
}

/// Rows by column.
pub trait Table {
    /// How many.
    fn rows(&self) -> usize;

    /// The columns that may be features, in order.
    fn names(&self) -> Vec<String>;

    /// What a column holds; `None` without it, or where it cannot be used.
    fn kind(&self, name: &str) -> Option<ColumnKind>;

    /// A column, where there is one.
    ///
    /// # Errors
    /// It cannot be read.
    fn column(&self, name: &str) -> Result<Option<Series>, Error>;

    /// Some rows of a column, which are in order.
    ///
    /// # Errors
    /// It cannot be read.
    fn taken(&self, name: &str, rows: &IdxCa) -> Result<Option<Series>, Error> {
        Ok(self.column(name)?.map(|column| column.take(rows)).transpose()?)
    }
}

/// Rows that passed the border: what has a role has the name of it.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The rows.
    pub frame: &'a DataFrame,
    /// Whose they are.
    pub spec: &'a Spec,
}

impl Window<'_> {
    /// The column, by the name that the description has for it.
    fn series(&self, name: &str) -> Option<&Series> {
        self.frame.column(self.spec.held_as(name)).ok().map(Column::as_materialized_series)
    }

    /// Its predictions and scores, with these labels.
    #[must_use]
    pub fn side(&self, label: Option<Series>) -> Side {
        let of = |name: &str| self.frame.column(name).ok().map(|column| column.as_materialized_series().clone());
        Side { label, prediction: of("prediction"), score: of("score"), beside: self.spec.beside(self.frame) }
    }
}

impl Table for Window<'_> {
    fn rows(&self) -> usize {
        self.frame.height()
    }

    fn names(&self) -> Vec<String> {
        let names = self.frame.get_column_names().into_iter().map(ToString::to_string);
        names.filter(|name| !RESERVED.contains(&name.as_str())).collect()
    }

    fn kind(&self, name: &str) -> Option<ColumnKind> {
        kind_of(self.series(name)?.dtype())
    }

    fn column(&self, name: &str) -> Result<Option<Series>, Error> {
        Ok(self.series(name).cloned())
    }
}

/// What was said of rows, and what was true.
#[derive(Debug, Clone)]
pub struct Side {
    /// What was true, where that is known.
    pub label: Option<Series>,
    /// What the model said.
    pub prediction: Option<Series>,
    /// How sure it was.
    pub score: Option<Series>,
    /// What else predictions are measured by.
    pub beside: Beside,
}

impl Side {
    /// Some of its rows, by their places.
    ///
    /// # Errors
    /// There are not so many.
    pub fn part(&self, rows: &[usize]) -> PolarsResult<Self> {
        let rows = rows.iter().filter_map(|row| u32::try_from(*row).ok()).collect();
        self.taken(&IdxCa::from_vec("rows".into(), rows))
    }

    /// The same, by places as polars has them.
    ///
    /// # Errors
    /// There are not so many.
    pub fn taken(&self, rows: &IdxCa) -> PolarsResult<Self> {
        let of = |series: &Option<Series>| series.as_ref().map(|series| series.take(rows)).transpose();
        let scores = self.beside.scores.iter().map(|(class, of)| Ok((class.clone(), of.take(rows)?)));
        Ok(Self {
            label: of(&self.label)?,
            prediction: of(&self.prediction)?,
            score: of(&self.score)?,
            beside: Beside { scores: scores.collect::<PolarsResult<_>>()?, group: of(&self.beside.group)? },
        })
    }

    /// Rows next to one another, which are not copied for it.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let start = i64::try_from(rows.start).unwrap_or(i64::MAX);
        let of = |series: &Series| series.slice(start, rows.len());
        let scores = self.beside.scores.iter().map(|(class, scores)| (class.clone(), of(scores)));
        Self {
            label: self.label.as_ref().map(of),
            prediction: self.prediction.as_ref().map(of),
            score: self.score.as_ref().map(of),
            beside: Beside { scores: scores.collect(), group: self.beside.group.as_ref().map(of) },
        }
    }

    /// The rows that have a label; `None` where all have, or none can.
    #[must_use]
    pub fn with_labels(&self) -> Option<IdxCa> {
        let label = self.label.as_ref().filter(|label| label.has_nulls())?;
        let rows = label.is_not_null();
        let rows = rows.iter().zip(0..).filter_map(|(is, row)| (is == Some(true)).then_some(row));
        Some(IdxCa::from_vec("rows".into(), rows.collect()))
    }

    /// How well predictions fit labels, and what stands behind it. `None` without a label.
    #[must_use]
    pub fn measured(&self, (spec, task, known): Context<'_>) -> Option<(Performance, Option<Detail>)> {
        let label = self.label.as_ref()?;
        let columns = self.beside.columns(label, self.prediction.as_ref(), self.score.as_ref());
        Some(measure(&columns, &spec.measured(task, known))).filter(|(performance, _)| performance.rows > 0)
    }

    /// Rows with a label.
    #[must_use]
    pub fn labelled(&self) -> u64 {
        self.label.as_ref().map_or(0, |label| (label.len() - label.null_count()) as u64)
    }
}
