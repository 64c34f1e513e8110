//! Drift of many columns together: what changes between them may be seen in none of them alone.

pub mod classifier;
mod features;
pub mod mmd;
pub mod reconstruction;
pub mod together;

/// A column, row by row: what is compared here are rows, not distributions.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Of numbers. What has no end counts as missing.
    Numbers(Vec<Option<f64>>),
    /// Of categories.
    Names(Vec<Option<String>>),
}

impl Column {
    /// How many rows it has, those without a value too.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Names(values) => values.len(),
        }
    }
}
