//! Data quality: what is wrong with the rows themselves, whether they drift or not.
//!
//! A check is a variant of [`Check`] with its rule. What chance could show is held to the verdict's own standard: a finding is certain (a
//! p-value, corrected over all checks of all columns) and large (beyond the check's limit), and goes beyond what the reference's own
//! windows show, where its rows say when they were. What chance cannot show (a value of another type) has no p-value, and needs none.
//!
//! `column` looks at one column, `profiled` at one against a profile, `rows` at whole rows, `correlation` at pairs; `learnt` is what a
//! reference teaches them all.

#![warn(clippy::arithmetic_side_effects)]

pub mod column;
pub mod correlation;
pub mod groups;
pub mod learnt;
pub mod profiled;
pub mod rows;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::words::Detail;
use crate::drift::verdict::{Correction, Thresholds};
use crate::stats::correction::{benjamini_hochberg, bonferroni};

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Rows without a value.
    Missing,
    /// Values of another type than the column's.
    WrongType,
    /// Numbers outside of what the reference has.
    Range,
    /// Categories that the reference does not have.
    NewCategories,
    /// Categories of the reference that are not there.
    VanishedCategories,
    /// One value in all rows.
    Constant,
    /// Many more different values, or many fewer.
    Cardinality,
    /// Rows that repeat another.
    DuplicatedRows,
    /// Ids that were there before.
    DuplicatedIds,
    /// Two columns that no longer go together.
    Correlation,
    /// Nothing comes any longer.
    Staleness,
}

impl Check {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 11] = [
        Self::Missing,
        Self::WrongType,
        Self::Range,
        Self::NewCategories,
        Self::VanishedCategories,
        Self::Constant,
        Self::Cardinality,
        Self::DuplicatedRows,
        Self::DuplicatedIds,
        Self::Correlation,
        Self::Staleness,
    ];

    /// As the output, the metrics and the config name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongType => "wrong_type",
            Self::Range => "range",
            Self::NewCategories => "new_categories",
            Self::VanishedCategories => "vanished_categories",
            Self::Constant => "constant",
            Self::Cardinality => "cardinality",
            Self::DuplicatedRows => "duplicated_rows",
            Self::DuplicatedIds => "duplicated_ids",
            Self::Correlation => "correlation",
            Self::Staleness => "staleness",
        }
    }

    /// Its rule, for people.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Missing => "share of rows without a value, less the reference's; certain by Fisher's exact test",
            Self::WrongType => {
                "share of rows that are refused for a value of another type than the column's, of those that came within one window's length; in a file of rows whose value cannot be read as the reference's type: it counts as missing"
            }
            Self::Range => {
                "share of values below the reference's lowest or above its highest, five of them at least; certain by how many of the most extreme values of both sides are current"
            }
            Self::NewCategories => {
                "share of values in categories that the reference does not have, less what its own rare ones let expect; not of a column of which more than a fifth of the reference's rows have a category of their own"
            }
            Self::VanishedCategories => {
                "share of the reference's values in categories that are not there, of those whose absence is no chance"
            }
            Self::Constant => "share of the reference's values that are another than the one that all rows have",
            Self::Cardinality => {
                "how many times as many different values, or as few, as so many rows of the reference have (rarefaction)"
            }
            Self::DuplicatedRows => {
                "share of rows that repeat another in every column that is compared, less what so many rows of the reference have"
            }
            Self::DuplicatedIds => {
                "share of rows whose id was there before, of min_rows or more; an agent skips them; in a file less what so many rows of the reference have"
            }
            Self::Correlation => {
                "how far Spearman's rank correlation of two numeric columns has moved, of those that are 0.5 or more in the reference"
            }
            Self::Staleness => {
                "seconds since a sample came; more than three windows, than twice the longest but one of its pauses in 30 days, and than 36 h in the first week; or than stale_after"
            }
        }
    }

    /// Whether it says something of numbers that are made of a column: the age of a date moves with the side's newest.
    #[must_use]
    pub fn is_of_made(self) -> bool {
        matches!(self, Self::Missing | Self::Constant)
    }

    /// Beyond this it is a finding, unless another limit is set. Staleness learns its own.
    #[must_use]
    pub fn limit(self) -> f64 {
        match self {
            Self::Staleness => 0.0,
            Self::Range => 0.005,
            Self::Missing | Self::WrongType | Self::NewCategories | Self::VanishedCategories | Self::Constant => 0.01,
            Self::DuplicatedRows => 0.05,
            Self::DuplicatedIds => 0.2,
            Self::Correlation => 0.3,
            Self::Cardinality => 2.0,
        }
    }
}

/// What is looked for, and how much of it is too much.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Checks to leave out.
    pub disabled: Vec<Check>,
    /// Other limits than the default ones, by check.
    pub limits: BTreeMap<Check, f64>,
    /// Without a sample for so long the model is stale; learnt from its own pauses if not given.
    #[serde(deserialize_with = "crate::units::some_duration")]
    #[cfg_attr(test, schemars(with = "Option<String>", extend("x-kind" = "duration")))]
    pub stale_after: Option<Duration>,
}

impl Rules {
    /// Sets the limit `CHECK=VALUE`, as the command line gives it.
    ///
    /// # Errors
    /// It is not written so. Whether the value makes sense is for [`Self::problems`].
    pub fn set(&mut self, given: &str) -> Result<(), String> {
        const FORM: &str = "is no limit; write CHECK=VALUE, such as missing=0.05";
        let (name, value) = given.split_once('=').ok_or(FORM)?;
        let value: f64 = value.trim().parse().map_err(|_| FORM)?;
        let checks = Check::ALL.into_iter().filter(|check| *check != Check::Staleness);
        let check = checks.clone().find(|check| check.name() == name.trim()).ok_or_else(|| {
            let names: Vec<&str> = checks.map(Check::name).collect();
            format!("is of no check; there are {}", names.join(", "))
        })?;
        self.limits.insert(check, value);
        Ok(())
    }

    /// What is wrong with them, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (check, limit) in &self.limits {
            let field = format!("limits.{}", check.name());
            match check {
                Check::Staleness => found.push((field, "has no limit of its own; set stale_after".to_owned())),
                Check::Cardinality if !(*limit >= 1.0 && limit.is_finite()) => {
                    found.push((field, "must be 1 or more: it is a ratio".to_owned()));
                }
                Check::Correlation if !(0.0..=2.0).contains(limit) => {
                    found.push((field, "must lie between 0 and 2".to_owned()));
                }
                Check::Cardinality | Check::Correlation => {}
                _ if !(0.0..=1.0).contains(limit) => {
                    found.push((field, "must lie between 0 and 1: it is a share".to_owned()));
                }
                _ => {}
            }
        }
        found
    }

    /// Whether it is looked for.
    #[must_use]
    pub fn asks(&self, check: Check) -> bool {
        !self.disabled.contains(&check)
    }

    /// Beyond this it is a finding.
    #[must_use]
    pub fn limit(&self, check: Check) -> f64 {
        self.limits.get(&check).copied().unwrap_or_else(|| check.limit())
    }
}

/// What a check saw, before it is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// The check.
    pub check: Check,
    /// The column, the two of a pair, or none where it is about whole rows.
    pub columns: Vec<String>,
    /// How much there is of it, as its rule says.
    pub value: f64,
    /// How likely as much is of nothing but chance. `None` where chance has no part in it.
    pub p_value: Option<f64>,
    /// What to say of it.
    pub detail: Detail,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The column, the two of a pair, or none where it is about whole rows.
    pub columns: Vec<String>,
    /// How much there is of it, as the check's rule says.
    pub value: f64,
    /// What it lies beyond.
    pub limit: f64,
    /// How likely as much is of nothing but chance, corrected over all checks of all columns. `None` where chance has no part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_adjusted: Option<f64>,
    /// The reference's figure and the current one, of a check of such: rank correlations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides: Option<[f64; 2]>,
    /// The same for people.
    pub message: String,
}

/// Of a pair, a column or whole rows: what was seen most of it in any of the reference's own windows.
pub type Own = BTreeMap<(Check, Vec<String>), f64>;

/// How many times as much as the reference's own windows show is more than they would show another time.
const BEYOND_OWN: f64 = 1.5;

/// Findings of one window, or one file, in the order of the checks.
#[must_use]
pub fn judge(suspects: Vec<Suspect>, rules: &Rules, thresholds: &Thresholds, own: &Own) -> Vec<Finding> {
    let suspects: Vec<Suspect> = suspects.into_iter().filter(|suspect| rules.asks(suspect.check)).collect();
    let raw: Vec<Option<f64>> = suspects.iter().map(|suspect| suspect.p_value).collect();
    let corrected = match thresholds.correction {
        Correction::BenjaminiHochberg => benjamini_hochberg(&raw),
        Correction::Bonferroni => bonferroni(&raw),
    };
    let mut findings: Vec<Finding> = suspects
        .into_iter()
        .zip(corrected)
        .filter_map(|(suspect, p_adjusted)| {
            let key = (suspect.check, suspect.columns);
            let limit = rules.limit(key.0).max(own.get(&key).map_or(0.0, |own| own * BEYOND_OWN));
            let certain = p_adjusted.is_none_or(|p| p < thresholds.significance);
            let message = || suspect.detail.message(&key.1);
            (certain && suspect.value > limit).then(|| Finding {
                check: key.0,
                message: message(),
                columns: key.1.clone(),
                value: suspect.value,
                limit,
                p_adjusted,
                sides: suspect.detail.sides(),
            })
        })
        .collect();
    findings.sort_by(|a, b| a.check.cmp(&b.check).then(b.value.total_cmp(&a.value)));
    findings
}

#[cfg(test)]
mod tests;
