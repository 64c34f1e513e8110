//! The figures over the groups that are large enough to be judged, with intervals that know that the worst of many was picked.
//!
//! Every pair of groups has an interval, all of which hold together with the confidence asked for (Bonferroni's share of the error for
//! each pair). The largest difference of the true rates then lies between the largest lower and the largest upper limit. It does so at
//! least as often as it says: of two groups that differ nearly exactly, of many, and of such that hardly differ, more often.

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Rate};
use crate::stats::interval::{self, Interval};

/// A difference or a ratio of the groups that lie furthest apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gap {
    /// As measured: the largest less the smallest, or the smallest over the largest.
    pub value: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper limit; of a ratio it may be infinite (in JSON null).
    #[serde(deserialize_with = "interval::upper")]
    pub high: f64,
    /// The group with the smallest rate or mean.
    pub lowest: String,
    /// The group with the largest.
    pub highest: String,
}

/// As [`super::parity::Parity`], of groups with enough rows; `None` where fewer than two of them have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judged {
    /// Groups with enough rows.
    pub groups: u64,
    /// Of selection rates.
    pub demographic_parity_difference: Option<Gap>,
    /// Of selection rates.
    pub demographic_parity_ratio: Option<Gap>,
    /// Of true or of false positive rates, the larger.
    pub equalized_odds_difference: Option<Gap>,
    /// Of true or of false positive rates, the smaller.
    pub equalized_odds_ratio: Option<Gap>,
    /// Of true positive rates.
    pub equal_opportunity_difference: Option<Gap>,
    /// Of true positive rates.
    pub equal_opportunity_ratio: Option<Gap>,
    /// Of precisions.
    pub predictive_parity_difference: Option<Gap>,
    /// Of false positive rates.
    pub false_positive_rate_difference: Option<Gap>,
    /// Of accuracies.
    pub accuracy_difference: Option<Gap>,
}

/// How many rows a group takes to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enough {
    /// Rows with a prediction; of accuracy, labelled ones.
    pub rows: u64,
    /// Positives for a true positive rate, negatives for a false one, selected ones for precision.
    pub of_a_kind: u64,
}

impl Enough {
    /// Whether the group has them.
    pub fn is(self, rate: Rate, counts: &Counts) -> bool {
        let (_, whole) = rate.of(counts);
        let least = if matches!(rate, Rate::SelectionRate | Rate::Accuracy) { self.rows } else { self.of_a_kind };
        counts.rows() >= self.rows && whole >= least.max(1)
    }
}

/// How many pairs so many make.
pub fn pairs(groups: usize) -> f64 {
    let groups = groups as f64;
    groups * (groups - 1.0) / 2.0
}

/// Of named groups whose intervals have the confidence that every pair's is to have. The gap of the two that lie furthest apart by
/// `measure`, of the lower one against the higher: `Difference` or `Ratio`. `None` of fewer than two.
pub fn gap(groups: &[(&str, Interval)], measure: Measure) -> Option<Gap> {
    let by_value = |a: &&(&str, Interval), b: &&(&str, Interval)| a.1.value.total_cmp(&b.1.value);
    // Of equal ones the first and the last, so that they are two.
    let (lowest, highest) = (groups.iter().min_by(by_value)?, groups.iter().max_by(by_value)?);
    if groups.len() < 2 {
        return None;
    }
    let value = measure.of(lowest.1, highest.1)?.value;
    let pairs = groups.iter().enumerate().flat_map(|(at, one)| {
        let others = groups.iter().enumerate().filter(move |(other, _)| *other != at);
        others.filter_map(move |(_, other)| measure.of(one.1, other.1))
    });
    let (low, high) = pairs.fold(None, |ends, pair| {
        let (low, high) = ends.unwrap_or((pair.low, pair.high));
        Some(match measure {
            Measure::Difference => (pair.low.max(low), pair.high.max(high)),
            Measure::Ratio => (pair.low.min(low), pair.high.min(high)),
        })
    })?;
    let (low, high) = match measure {
        Measure::Difference => (low.max(0.0), high),
        Measure::Ratio => (low, high.min(1.0)),
    };
    let [lowest, highest] = [lowest.0, highest.0].map(str::to_owned);
    Some(Gap { value, low, high, lowest, highest })
}

/// How two groups are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The higher less the lower.
    Difference,
    /// The lower over the higher.
    Ratio,
}

impl Measure {
    fn of(self, lower: Interval, higher: Interval) -> Option<Interval> {
        match self {
            Self::Difference => Some(higher.less(lower)),
            Self::Ratio => lower.over(higher),
        }
    }
}

impl Judged {
    /// Of named groups, at an error of so much for each figure.
    pub fn of(groups: &[(&str, &Counts)], enough: Enough, alpha: f64) -> Self {
        let large = |rate: Rate| groups.iter().filter(move |(_, counts)| enough.is(rate, counts));
        let at = |rate: Rate, measure: Measure, pairs: f64| {
            let rates: Vec<(&str, Interval)> = large(rate)
                .filter_map(|(name, counts)| {
                    let (part, whole) = rate.of(counts);
                    Some((*name, interval::wilson(part, whole, alpha / pairs)?))
                })
                .collect();
            gap(&rates, measure)
        };
        let pairs_of = |rate: Rate| pairs(large(rate).count()).max(1.0);
        let one = |rate: Rate, measure: Measure| at(rate, measure, pairs_of(rate));
        let (true_positive, false_positive) = (Rate::TruePositiveRate, Rate::FalsePositiveRate);
        let either = |measure: Measure| {
            let pairs = pairs_of(true_positive) + pairs_of(false_positive);
            let (one, other) = (at(true_positive, measure, pairs)?, at(false_positive, measure, pairs)?);
            Some(worse(one, other, measure))
        };
        Self {
            groups: large(Rate::SelectionRate).count() as u64,
            demographic_parity_difference: one(Rate::SelectionRate, Measure::Difference),
            demographic_parity_ratio: one(Rate::SelectionRate, Measure::Ratio),
            equalized_odds_difference: either(Measure::Difference),
            equalized_odds_ratio: either(Measure::Ratio),
            equal_opportunity_difference: one(true_positive, Measure::Difference),
            equal_opportunity_ratio: one(true_positive, Measure::Ratio),
            predictive_parity_difference: one(Rate::Precision, Measure::Difference),
            false_positive_rate_difference: one(false_positive, Measure::Difference),
            accuracy_difference: one(Rate::Accuracy, Measure::Difference),
        }
    }
}

/// Of two gaps the worse, between the limits of both.
fn worse(one: Gap, other: Gap, measure: Measure) -> Gap {
    let (low, high, first) = match measure {
        Measure::Difference => (one.low.max(other.low), one.high.max(other.high), one.value >= other.value),
        Measure::Ratio => (one.low.min(other.low), one.high.min(other.high), one.value <= other.value),
    };
    Gap { low, high, ..if first { one } else { other } }
}
