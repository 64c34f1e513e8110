//! A figure with what is known of its error.

use serde::{Deserialize, Serialize};

use super::interval::{Within, wilson};

/// A figure and its interval. What is undefined is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Figure {
    /// The figure.
    pub value: Option<f64>,
    /// Where it may lie, at 95 %: `low` and `high` beside the value.
    #[serde(flatten)]
    pub interval: Option<Within>,
}

impl Figure {
    /// One that is defined.
    #[must_use]
    pub fn new(value: f64, interval: Option<Within>) -> Self {
        Self { value: Some(value).filter(|value| value.is_finite()), interval }
    }

    /// So many of so many.
    #[must_use]
    pub fn share(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::default();
        }
        let share = part as f64 / whole as f64;
        Self::new(share, wilson(share, whole as f64))
    }

    /// By a growing map of the figure.
    #[must_use]
    pub fn map(self, of: impl Fn(f64) -> f64) -> Self {
        Self { value: self.value.map(&of), interval: self.interval.map(|interval| interval.map(of)) }
    }
}
