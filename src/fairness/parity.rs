//! The figures over every group, as fairlearn has them.
//!
//! fairlearn compares every group that has a row, however small, and has no undefined rate: without positives a true positive rate is 0,
//! without negatives a false positive rate is 0, and precision is 0 where nothing is selected. These are its figures; [`super::judged`]
//! has those that leave out what nobody can know. Groups of no labelled row are no groups where labels are needed, and one group alone
//! has a difference of 0 and a ratio of 1.

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Rate};

/// Differences are of the largest and the smallest rate of all groups, ratios the smallest over the largest (`None`, where fairlearn has
/// no number, if the largest is 0). `None` without a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Parity {
    /// Of selection rates.
    pub demographic_parity_difference: Option<f64>,
    /// Of selection rates.
    pub demographic_parity_ratio: Option<f64>,
    /// Of true or of false positive rates, the larger.
    pub equalized_odds_difference: Option<f64>,
    /// Of true or of false positive rates, the smaller; that of true ones where no negative is selected.
    pub equalized_odds_ratio: Option<f64>,
    /// Of true positive rates.
    pub equal_opportunity_difference: Option<f64>,
    /// Of true positive rates.
    pub equal_opportunity_ratio: Option<f64>,
    /// Of precisions.
    pub predictive_parity_difference: Option<f64>,
    /// Of false positive rates.
    pub false_positive_rate_difference: Option<f64>,
    /// Of accuracies.
    pub accuracy_difference: Option<f64>,
}

impl Parity {
    /// Of all groups.
    pub fn of(groups: &[&Counts]) -> Self {
        let extremes = |rate: Rate| -> Option<(f64, f64)> {
            let is_there =
                |counts: &&Counts| if rate.needs_labels() { counts.labelled() > 0 } else { counts.rows() > 0 };
            let share = |counts: &Counts| {
                let (part, whole) = rate.of(counts);
                if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
            };
            let rates = groups.iter().copied().filter(is_there).map(share);
            rates.fold(None, |ends, rate| {
                let (low, high) = ends.unwrap_or((rate, rate));
                Some((rate.min(low), rate.max(high)))
            })
        };
        let difference = |rate| extremes(rate).map(|(low, high)| high - low);
        let ratio = |rate| extremes(rate).filter(|(_, high)| *high > 0.0).map(|(low, high)| low / high);
        let (true_positive, false_positive) = (Rate::TruePositiveRate, Rate::FalsePositiveRate);
        let either = difference(true_positive).zip(difference(false_positive));
        Self {
            demographic_parity_difference: difference(Rate::SelectionRate),
            demographic_parity_ratio: ratio(Rate::SelectionRate),
            equalized_odds_difference: either.map(|(one, other)| one.max(other)),
            equalized_odds_ratio: ratio(true_positive)
                .map(|one| ratio(false_positive).map_or(one, |other| one.min(other))),
            equal_opportunity_difference: difference(true_positive),
            equal_opportunity_ratio: ratio(true_positive),
            predictive_parity_difference: difference(Rate::Precision),
            false_positive_rate_difference: difference(false_positive),
            accuracy_difference: difference(Rate::Accuracy),
        }
    }
}
