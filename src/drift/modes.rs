//! The rules of other tools, for those who come from them: the same numbers and the same decisions.
//!
//! Both leave missing values out. What a tool computes is its own file's; here is what they have in common: the arithmetic of numpy
//! and scipy, as a distance near zero is made of nothing else.

pub mod evidently;
pub mod nannyml;

use serde::{Deserialize, Serialize};

use super::Sample;
use super::baseline::Baseline;

/// Whose rule decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Ours: significant and large.
    #[default]
    Default,
    /// Evidently's defaults.
    Evidently,
    /// `NannyML`'s defaults.
    NannyMl,
}

impl Mode {
    /// What the tool says of a column; `None` where the rule is ours.
    #[must_use]
    pub fn decide(self, baseline: &Baseline, current: &Sample) -> Option<Decision> {
        match self {
            Self::Default => None,
            Self::Evidently => Some(evidently::decide(&baseline.sample, current)),
            Self::NannyMl => Some(nannyml::decide_by_chunks(&baseline.sample, &baseline.row_chunks, current)),
        }
    }

    /// Whether a data set drifts of which so many columns do, out of so many that were decided. `None` where none was. Columns without
    /// a decision are left out, where Evidently would stop.
    #[must_use]
    pub fn data_set(self, drifted: u64, decided: u64) -> Option<bool> {
        let of_half = evidently::SHARE * decided as f64;
        (decided > 0).then_some(match self {
            Self::Default | Self::NannyMl => drifted > 0,
            Self::Evidently => drifted as f64 >= of_half,
        })
    }

    /// The rows of a reference, in the order given, that are to be kept apart for it.
    #[must_use]
    pub fn chunks(self, rows: usize) -> Vec<std::ops::Range<usize>> {
        if self == Self::NannyMl { nannyml::chunks(rows) } else { Vec::new() }
    }
}

/// What a tool says of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The method it chose, by the tool's own name.
    pub method: &'static str,
    /// The p-value or the distance, as it reports it. `None` where that is no number.
    pub value: Option<f64>,
    /// What it is held against.
    pub threshold: f64,
    /// Whether the column drifts. `None` where the tool stops with an error.
    pub drift: Option<bool>,
}

/// Below this many numbers numpy adds one after another.
const LANES: usize = 8;
/// Above this many it halves them first.
const BLOCK: usize = 128;

/// The sum as numpy rounds it: in eight lanes, and pairwise over blocks.
fn sum(values: &[f64]) -> f64 {
    if values.len() < LANES {
        return values.iter().fold(0.0, |sum, value| sum + value);
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half.saturating_sub(half % LANES));
        return sum(first) + sum(second);
    }
    let (rows, rest) = values.as_chunks::<LANES>();
    let lanes = rows.iter().copied().reduce(|lanes, row| std::array::from_fn(|i| lanes[i] + row[i]));
    let [a, b, c, d, e, f, g, h] = lanes.unwrap_or_default();
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
}

/// The arithmetic mean.
fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

/// The standard deviation of the whole population.
fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: Vec<f64> = values.iter().map(|value| (value - middle) * (value - middle)).collect();
    mean(&squares).sqrt()
}

/// The Jensen-Shannon divergence of two sides' shares, twice, in nats. NaN where a side has none.
fn divergence(reference: &[f64], current: &[f64]) -> f64 {
    let normed = |shares: &[f64]| {
        let all = sum(shares);
        shares.iter().map(|share| share / all).collect::<Vec<f64>>()
    };
    let (reference, current) = (normed(reference), normed(current));
    let from_middle = |side: &[f64]| {
        let middle = reference.iter().zip(&current).map(|(r, c)| (r + c) / 2.0);
        sum(&side.iter().zip(middle).map(|(share, middle)| entropy(*share, middle)).collect::<Vec<f64>>())
    };
    from_middle(&reference) + from_middle(&current)
}

/// One share's part of a relative entropy, as scipy's `rel_entr` rounds it: shares that are near one another by way of their difference.
/// A share of a middle is never so much smaller than it that their ratio is lost.
fn entropy(share: f64, middle: f64) -> f64 {
    if share == 0.0 && middle >= 0.0 {
        return 0.0;
    }
    let ratio = share / middle;
    share * if ratio > 0.5 && ratio < 2.0 { ((share - middle) / middle).ln_1p() } else { ratio.ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_set_drifts_by_any_column_or_by_half_of_them() {
        let of =
            |mode: Mode| [(0, 0), (0, 2), (1, 3), (1, 2)].map(|(drifted, decided)| mode.data_set(drifted, decided));
        let any = [None, Some(false), Some(true), Some(true)];
        assert_eq!((of(Mode::Default), of(Mode::NannyMl)), (any, any));
        assert_eq!(of(Mode::Evidently), [None, Some(false), Some(false), Some(true)]);
    }

    #[test]
    fn sums_round_as_those_of_numpy() {
        const NUMPY: &[(u32, f64)] = &[
            (7, 2.592_857_142_857_142_5),
            (8, 2.717_857_142_857_142_5),
            (9, 2.828_968_253_968_253_7),
            (128, 5.433_147_092_589_173),
            (129, 5.440_899_030_573_669),
            (300, 6.282_663_880_299_504),
            (1000, 7.485_470_860_550_345),
        ];
        // numpy.sum(1 / numpy.arange(1, n + 1)); one after another some of these end in other digits.
        for (n, want) in NUMPY {
            let values: Vec<f64> = (1..=*n).map(|i| 1.0 / f64::from(i)).collect();
            assert!(sum(&values).to_bits() == want.to_bits(), "{n}: {} is not {want}", sum(&values));
        }
    }
}
