//! One bounded question to the history: columns of a table over time, in steps, a series for each thing.
//!
//! What may be asked for is what the Parquet files hold, by the names that they have there: a number of a minute is a value, a text tells
//! things apart (`by`) or leaves some out. How minutes become a step follows from how a minute is made of readings (`signal::Part`): means
//! of means, the largest of the largest, sums of increases, the last of what is set. Several rows of one minute, as of replicas, are taken
//! alike: so a mean is that of one of them, and a sum that of all. With `total` they are summed up within each minute.
//!
//! The parsing of addresses is in `parse`, the tables are in `table`. Reading files is left to the store.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod fold;
mod parse;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::stats::quantile::quantile;

pub use fold::Folding;
pub use parse::{PARAMETERS, parse};
pub use table::{Table, tables};

/// Steps of one answer.
pub const MOST_STEPS: i64 = 2000;
/// Series of one answer; those met first are told.
pub const MOST_SERIES: usize = 100;
/// Columns of one question.
pub const MOST_COLUMNS: usize = 20;
/// Values of a text whose beginnings are told, each.
pub const MOST_CHANGES: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Of which table.
    pub table: Table,
    /// Which numbers.
    pub columns: Vec<String>,
    /// Rows whose texts are these, and no others.
    pub only: Vec<(String, String)>,
    /// Texts that tell series apart.
    pub by: Vec<String>,
    /// Texts, or lists of texts, of which is told when each value was met: a new version, a new container, who held a GPU.
    pub changes: Vec<String>,
    /// Rows of one minute are summed up, and are not taken alike: what all of them used together.
    pub total: bool,
    /// From when on: a whole number of steps since the epoch.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// In seconds.
    pub step: i64,
}

impl Query {
    /// How many steps there are.
    #[must_use]
    pub fn steps(&self) -> usize {
        let seconds = self.until.as_second().saturating_sub(self.since.as_second());
        let steps = seconds.saturating_add(self.step.saturating_sub(1)).checked_div(self.step).unwrap_or(0);
        usize::try_from(steps.clamp(0, MOST_STEPS)).unwrap_or(0)
    }

    /// The columns of the table that must be read for it.
    #[must_use]
    pub fn read(&self) -> Vec<&str> {
        let texts = self.only.iter().map(|(name, _)| name).chain(&self.by).chain(&self.changes);
        let mut all: Vec<&str> = texts.chain(&self.columns).map(String::as_str).chain(["minute"]).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What the history says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Answer {
    /// The table.
    pub table: &'static str,
    /// When the first step begins.
    #[cfg_attr(test, schemars(with = "String"))]
    pub since: Timestamp,
    /// Until when rows are taken.
    #[cfg_attr(test, schemars(with = "String"))]
    pub until: Timestamp,
    /// How long a step is, in seconds.
    pub step_seconds: i64,
    /// What each column tells, with its unit, by its name.
    pub columns: BTreeMap<String, String>,
    /// A series for each combination of the texts it is told by.
    pub series: Vec<Series>,
    /// There are more series than are told: leave some out.
    pub more_series: bool,
    /// Files that could not be read.
    pub files_left_out: u64,
}

/// One thing over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Series {
    /// Which: the texts that tell it apart.
    pub labels: BTreeMap<String, Option<String>>,
    /// A value for each step, by column; `null` where nothing is known.
    pub values: BTreeMap<String, Vec<Option<f64>>>,
    /// Each value of the texts asked for by `changes` that was met within the time, in order of their beginnings.
    pub changes: Vec<Change>,
}

impl Series {
    /// A column's values.
    #[must_use]
    pub fn column(&self, name: &str) -> &[Option<f64>] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// A column's quantile over the steps that are known; `None` where none is.
    #[must_use]
    pub fn quantile(&self, name: &str, share: f64) -> Option<f64> {
        let mut known: Vec<f64> = self.column(name).iter().flatten().copied().collect();
        quantile(&mut known, share)
    }
}

/// A value of a text that was not there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// The minute it was met first.
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// The minute it was met last.
    #[cfg_attr(test, schemars(with = "String"))]
    pub last: Timestamp,
    /// Which text.
    pub column: String,
    /// What it is.
    pub value: String,
    /// It was there when the time began, or when the thing was first seen: nothing changed then.
    pub first: bool,
}
