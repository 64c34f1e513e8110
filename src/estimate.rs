//! How well a model does before its labels come: estimated from its scores (cbpe) or from its inputs (dle).
//!
//! Whatever is estimated takes the reference's relation between inputs and labels for the present one. Only labels tell whether that
//! still holds, so room for the truth is kept beside every estimate.

pub mod cbpe;
pub mod dle;
pub mod isotonic;
mod thresholds;
pub mod usual;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What holds of every estimate without labels.
pub const CAVEAT: &str =
    "blind to concept drift: inputs are taken to mean what they meant in the reference; only labels can tell";

/// A name of a measure.
pub type Measure = Cow<'static, str>;

/// How well a model does on some rows, as far as that can be told without their labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimate {
    /// What holds of every estimate: [`CAVEAT`].
    #[serde(skip_deserializing, default = "caveat")]
    pub caveat: &'static str,
    /// Rows that were used.
    pub rows: u64,
    /// Rows that were left out, as they have no score.
    pub missing: u64,
    /// Share of the used rows that lie where the reference has none or hardly any, so that the estimate does not know them. `None`
    /// without rows; NannyML does not ask.
    pub outside: Option<f64>,
    /// Each measure.
    pub figures: Vec<Estimated>,
}

const fn caveat() -> &'static str {
    CAVEAT
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimated {
    /// Its name.
    pub measure: Measure,
    /// The estimate; `None` where it is undefined.
    pub value: Option<f64>,
    /// How far it is likely to be off: a standard deviation (NannyML: its sampling error).
    pub standard_error: Option<f64>,
    /// Lower end of its band.
    pub low: Option<f64>,
    /// Upper end of its band.
    pub high: Option<f64>,
    /// What the reference's own chunks stay above.
    pub threshold_low: Option<f64>,
    /// What they stay below.
    pub threshold_high: Option<f64>,
    /// The estimate lies beyond a threshold.
    pub alert: bool,
    /// The figure once labels have come.
    pub realised: Option<f64>,
    /// What the estimate has too much then, or too little where it is negative.
    pub error: Option<f64>,
}

impl Estimate {
    /// The estimate of a measure.
    #[must_use]
    pub fn figure(&self, measure: &str) -> Option<&Estimated> {
        self.figures.iter().find(|figure| figure.measure == measure)
    }

    /// Puts the truth beside what was estimated, by name; what has no estimate is passed over.
    pub fn hold_against<'a>(&mut self, realised: impl IntoIterator<Item = (&'a str, Option<f64>)>) {
        for (measure, realised) in realised {
            if let Some(figure) = self.figures.iter_mut().find(|figure| figure.measure == measure) {
                figure.realised = realised;
                figure.error = figure.value.zip(realised).map(|(value, realised)| value - realised);
            }
        }
    }
}

/// Why there is nothing to estimate by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Scores, predictions and labels differ in number.
    #[error("the columns of the reference differ in length")]
    Lengths,
    /// Too few rows for the chunks of a reference.
    #[error("the reference has fewer than {0} rows that can be used")]
    Rows(usize),
    /// NannyML stops there.
    #[error("the reference lacks scores, where NannyML stops")]
    Missing,
    /// NannyML stops there.
    #[error("a class has one row or none in the reference, where NannyML stops")]
    Classes,
}
