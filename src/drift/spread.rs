//! How one side's numbers lie, in figures for people.

use serde::{Deserialize, Serialize};

use super::Sample;
use crate::stats::moments::Moments;
use crate::stats::quantile::quantile_of_sorted;

/// How numbers lie. What is not finite is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// Their mean.
    pub mean: Option<f64>,
    /// Their standard deviation (n - 1); `None` of one value.
    pub deviation: Option<f64>,
    /// The least.
    pub min: Option<f64>,
    /// 1 % lie below.
    pub q01: Option<f64>,
    /// 5 % lie below.
    pub q05: Option<f64>,
    /// A quarter lies below.
    pub q25: Option<f64>,
    /// Half of them lie below.
    pub median: Option<f64>,
    /// Three quarters lie below.
    pub q75: Option<f64>,
    /// 95 % lie below.
    pub q95: Option<f64>,
    /// 99 % lie below.
    pub q99: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
}

/// Values that differ from one another.
#[must_use]
pub fn distinct(sample: &Sample) -> u64 {
    match sample {
        Sample::Numeric { sorted, .. } => {
            let steps = sorted.windows(2).filter(|pair| pair[0] < pair[1]).count() as u64;
            if sorted.is_empty() { 0 } else { steps.saturating_add(1) }
        }
        Sample::Categorical { counts, .. } => counts.len() as u64,
    }
}

impl Spread {
    /// Of numbers. `None` for categories, and without any.
    #[must_use]
    pub fn of(sample: &Sample) -> Option<Self> {
        let Sample::Numeric { sorted, .. } = sample else { return None };
        let finite = |value: &f64| value.is_finite();
        let at = |p: f64| quantile_of_sorted(sorted, p).filter(finite);
        let moments = Moments::of(sorted)?;
        Some(Self {
            count: sorted.len() as u64,
            mean: Some(moments.mean).filter(finite),
            deviation: Some((moments.squares / (moments.count - 1.0)).sqrt()).filter(finite),
            min: at(0.0),
            q01: at(0.01),
            q05: at(0.05),
            q25: at(0.25),
            median: at(0.5),
            q75: at(0.75),
            q95: at(0.95),
            q99: at(0.99),
            max: at(1.0),
        })
    }

    /// Each figure with its name, as people read them.
    #[must_use]
    pub fn figures(&self) -> [(&'static str, Option<f64>); 11] {
        [
            ("mean", self.mean),
            ("standard deviation", self.deviation),
            ("least", self.min),
            ("1 % quantile", self.q01),
            ("5 % quantile", self.q05),
            ("25 % quantile", self.q25),
            ("median", self.median),
            ("75 % quantile", self.q75),
            ("95 % quantile", self.q95),
            ("99 % quantile", self.q99),
            ("largest", self.max),
        ]
    }
}
