//! What a review is told in.

use crate::stats::interval::Interval;

/// Lines and a table under a title.
pub struct Section {
    pub title: String,
    /// Whole sentences.
    pub said: Vec<String>,
    pub heads: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
    /// What is drawn of groups: the name and the rate with its interval.
    pub groups: Vec<(String, Interval)>,
    /// Which chart belongs to it.
    pub chart: Option<Chart>,
}

/// The charts that the page draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chart {
    /// The leading measure part by part.
    OverTime,
    /// Scores against what came true.
    Reliability,
    /// A rate of each group with its interval.
    Groups,
}

/// A title and a table.
pub fn section(title: &str, heads: &[&'static str], rows: Vec<Vec<String>>) -> Section {
    Section { title: title.to_owned(), said: Vec::new(), heads: heads.to_vec(), rows, groups: Vec::new(), chart: None }
}

/// Rows, in thousands.
pub fn count(rows: u64) -> String {
    crate::units::grouped(rows)
}
