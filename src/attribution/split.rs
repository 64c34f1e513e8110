//! The split of a change, from what was fitted.
//!
//! With the reference's rows i of value l, expectation m and density ratio w, the current rows j, and only those of either side whose ratio
//! is no more than [`MOST_RATIO`] (trimming, after Crump et al., "Dealing with limited overlap in estimation of average treatment
//! effects", 2009; so no weight is clipped):
//!
//! ```text
//! r = sum(w (l - m)) / sum(w) over i          what the expectation is out, at the current inputs
//! brought = mean(m over j) + r                the reference's relation on the current inputs
//! other inputs = brought - mean(l over all i)
//! another relation = mean(l over j) - brought
//! unseen = mean(l over all j) - mean(l over j)
//! ```
//!
//! Variances are of each row's influence, with what was fitted taken as it is: its errors enter as a product only, that of the ratio times
//! that of the expectation. Intervals are Student's with as many degrees as the weighted rows are worth (Kish, "Survey sampling", 1965).
//! Where r is more than chance makes (two standard errors), so that the expectation is known to be out, half of what is beyond widens
//! them: as if the ratios were out by half. That matters where hardly anything is of chance, as with a score that is a function of the
//! inputs.

use serde::Serialize;

use super::Settings;
use crate::stats::interval::Interval;
use crate::stats::moments::{Moments, sum};
use crate::stats::tails::{student, student_deviations};

/// Current rows so many times likelier than the reference's have no like there.
pub const MOST_RATIO: f64 = 20.0;
/// Rows that the current ones and the weighted reference are worth, at least.
pub const LEAST_WORTH: f64 = 30.0;

/// How far ratios are taken to be out, where the expectation is.
const OUT: f64 = 0.5;

/// What other inputs make leaves this share in the other part, at times: no more is not told as another relation.
const LEFT_OVER: f64 = 0.05;
/// And this more, by the share of rows that are unseen: next to those the reference has few, and what is expected there is a guess.
const LEFT_OVER_BY_UNSEEN: f64 = 0.15;

/// A side's rows.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Their values.
    pub values: &'a [f64],
    /// What the reference expects of their inputs.
    pub expected: &'a [f64],
    /// The density of their inputs now over that in the reference.
    pub ratio: &'a [f64],
}

impl Side<'_> {
    /// What each row is beyond what is expected, and its ratio; of rows with a like on the other side.
    pub(super) fn residuals(&self) -> impl Iterator<Item = Option<(f64, f64)>> + '_ {
        let rows = self.values.iter().zip(self.expected).zip(self.ratio);
        rows.map(|((value, expected), ratio)| (*ratio <= MOST_RATIO).then_some((value - expected, *ratio)))
    }
}

/// A part of the change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Part {
    /// By how much the mean changes, and where that may lie.
    #[serde(flatten)]
    pub change: Interval,
    /// How likely as much is of chance.
    pub p_value: f64,
    /// It is more than chance makes, and more than the margin; another relation also more than a twentieth of other inputs, and up to a
    /// fifth the more rows are unseen.
    pub told: bool,
}

/// What a change is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Split {
    /// The same relation on other inputs. `None` where too few current rows have a like in the reference.
    pub other_inputs: Option<Part>,
    /// Another relation on the same inputs. `None` likewise.
    pub another_relation: Option<Part>,
    /// By how much the mean changes by current rows that the reference has no like of. `None` likewise.
    pub unseen: Option<f64>,
    /// Their share of the current rows.
    pub unseen_share: f64,
    /// Rows that the weighted reference is worth: (sum w)^2 / sum w^2.
    pub effective_rows: f64,
    /// Reference rows that were left out, as such rows are nearly all current.
    pub trimmed: u64,
}

/// Of the reference and the current rows.
pub fn split(reference: &Side<'_>, current: &Side<'_>, margin: f64, settings: &Settings) -> Split {
    let rows = reference.values.len() as f64;
    let weighted: Vec<Option<(f64, f64)>> = reference.residuals().collect();
    let like: Vec<(f64, f64)> = current
        .residuals()
        .zip(current.values)
        .filter_map(|(residual, value)| residual.map(|(residual, _)| (residual, value - residual)))
        .collect();
    let (residuals, expected): (Vec<f64>, Vec<f64>) = like.into_iter().unzip();
    let weights = sum(weighted.iter().flatten().map(|(_, ratio)| *ratio));
    let squares = sum(weighted.iter().flatten().map(|(_, ratio)| ratio * ratio));
    let worth = if squares > 0.0 { weights * weights / squares } else { 0.0 };
    let count = residuals.len() as f64;
    let mut found = Split {
        other_inputs: None,
        another_relation: None,
        unseen: None,
        unseen_share: 1.0 - count / current.values.len() as f64,
        effective_rows: worth,
        trimmed: weighted.iter().filter(|row| row.is_none()).count() as u64,
    };
    let (Some(of_residuals), Some(of_expected)) = (Moments::of(&residuals), Moments::of(&expected)) else {
        return found;
    };
    let (Some(before), Some(now)) = (Moments::of(reference.values), Moments::of(current.values)) else { return found };
    if count < LEAST_WORTH || worth < LEAST_WORTH {
        return found;
    }
    found.unseen = Some(now.mean - of_residuals.mean - of_expected.mean);
    let freedom = count.min(worth) - 1.0;
    let out = sum(weighted.iter().flatten().map(|(residual, ratio)| ratio * residual)) / weights;
    let per_row = |of: &Moments| of.squares / (of.count - 1.0) / of.count;
    let influence = |row: &Option<(f64, f64)>| row.map_or(0.0, |(residual, ratio)| ratio * (residual - out) / weights);
    // Of the reference's rows; those of the current ones are apart.
    let of_relation = sum(weighted.iter().map(|row| influence(row).powi(2)));
    let of_inputs =
        weighted.iter().zip(reference.values).map(|(row, value)| influence(row) - (value - before.mean) / rows);
    let of_inputs = sum(of_inputs.map(|influence| influence.powi(2)));
    let bias = OUT * (out.abs() - 2.0 * of_relation.sqrt()).max(0.0);
    let part = |change: f64, variance: f64| {
        let half = student_deviations(settings.interval_alpha, freedom)? * variance.sqrt() + bias;
        let t = (change.abs() - bias).max(0.0) / variance.sqrt();
        let p_value = if variance > 0.0 { student(t, freedom)? } else { 1.0 };
        Some(Part {
            change: Interval { value: change, low: change - half, high: change + half },
            p_value,
            told: p_value <= settings.alpha && change.abs() > margin,
        })
    };
    let (inputs, relation) = (of_expected.mean + out - before.mean, of_residuals.mean - out);
    found.other_inputs = part(inputs, per_row(&of_expected) + of_inputs);
    let left_over = (LEFT_OVER + LEFT_OVER_BY_UNSEEN * found.unseen_share) * inputs.abs();
    found.another_relation = part(relation, per_row(&of_residuals) + of_relation)
        .map(|part| Part { told: part.told && relation.abs() > left_over, ..part });
    found
}
