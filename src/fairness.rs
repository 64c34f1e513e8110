//! Whether a model does as well by every group of people: by the values of a protected attribute, and of two crossed
//! ([`Coded::crossed`](crate::segment::coded::Coded::crossed)).
//!
//! Two sets of figures: over every group with a row, as fairlearn has them (`parity`), and over the groups that are large enough to be
//! judged, with intervals (`judged`). The four-fifths rule accuses on the interval alone (`four_fifths`). Amounts have figures of their
//! own (`amounts`).
//!
//! The measures contradict one another wherever groups differ in their share of positives: no model but a perfect one is calibrated and
//! has equal error rates (Kleinberg, Mullainathan and Raghavan, "Inherent trade-offs in the fair determination of risk scores", 2016).
//! Which of them matters is for people to say.

pub mod amounts;
pub mod counts;
pub mod four_fifths;
pub mod group;
pub mod judged;
pub mod parity;
pub mod privileged;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::segment::coded::Coded;
use counts::{Counted, Counts, Rate, count};
use four_fifths::FourFifths;
use group::Group;
use judged::{Enough, Gap, Judged};
use parity::Parity;
use privileged::Privileged;

/// What the model did, row by row, as many rows as the attribute has.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Whether the prediction is the favourable class; a row without one is left out.
    pub selected: &'a [Option<bool>],
    /// Whether the label is; a row without one has its part in selection rates only. May be shorter.
    pub positive: &'a [Option<bool>],
    /// The probability of the favourable class; what is not within [0, 1] is none. May be shorter.
    pub score: &'a [Option<f64>],
}

/// How it is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The group that has the advantage, where one is named.
    pub privileged: Option<String>,
    /// Groups told, the largest; the others are one.
    pub most_groups: usize,
    /// Rows that a group takes to be judged.
    pub least_rows: u64,
    /// Positives, negatives or selected rows that it takes, where a rate is over those.
    pub least_of_a_kind: u64,
    /// One less the confidence of intervals.
    pub alpha: f64,
    /// What the four-fifths rule asks of the ratio of selection rates.
    pub least_ratio: f64,
    /// One less the confidence with which it accuses, all pairs together.
    pub rule_alpha: f64,
}

impl Default for Settings {
    /// 95 % intervals; groups of 30 rows, and ten of a kind; four fifths with 99.5 % confidence.
    fn default() -> Self {
        Self {
            privileged: None,
            most_groups: 100,
            least_rows: 30,
            least_of_a_kind: 10,
            alpha: 0.05,
            least_ratio: 0.8,
            rule_alpha: 0.005,
        }
    }
}

/// One attribute's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fairness {
    /// What the attribute is called; of two, both.
    pub attribute: String,
    /// Rows with a prediction and a value.
    pub rows: u64,
    /// Rows with a prediction and no value: they are in no group.
    pub rows_without_value: u64,
    /// The groups with a row, the largest first.
    pub groups: Vec<Group>,
    /// What more groups there are than are told, as one. It is not judged.
    pub rest: Option<Rest>,
    /// Over every group with a row, as fairlearn; those of the rest are each one as far as they have a name.
    #[serde(flatten)]
    pub parity: Parity,
    /// Over the groups that are told and large enough.
    pub judged: Judged,
    /// The groups that are too small for a selection rate to be judged by: named, and not judged.
    pub too_small: Vec<String>,
    /// Against the privileged group, where one is named.
    pub privileged: Option<Privileged>,
    /// The four-fifths rule over the judged groups.
    pub four_fifths: FourFifths,
}

/// The figures of an attribute's groups, of either kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Fair {
    /// Of classes.
    Shares(Box<Fairness>),
    /// Of amounts.
    Amounts(Box<amounts::Amounts>),
}

impl Fair {
    /// What the attribute is called.
    #[must_use]
    pub fn attribute(&self) -> &str {
        match self {
            Self::Shares(of) => &of.attribute,
            Self::Amounts(of) => &of.attribute,
        }
    }

    /// The figures over the groups that are large enough, by name; those that are undefined are left out.
    pub fn figures(&self) -> impl Iterator<Item = (&'static str, Gap)> {
        let figures: Vec<(&'static str, &Option<Gap>)> = match self {
            Self::Shares(of) => vec![
                ("demographic_parity_difference", &of.judged.demographic_parity_difference),
                ("demographic_parity_ratio", &of.judged.demographic_parity_ratio),
                ("equalized_odds_difference", &of.judged.equalized_odds_difference),
                ("equalized_odds_ratio", &of.judged.equalized_odds_ratio),
                ("equal_opportunity_difference", &of.judged.equal_opportunity_difference),
                ("equal_opportunity_ratio", &of.judged.equal_opportunity_ratio),
                ("predictive_parity_difference", &of.judged.predictive_parity_difference),
                ("false_positive_rate_difference", &of.judged.false_positive_rate_difference),
                ("accuracy_difference", &of.judged.accuracy_difference),
            ],
            Self::Amounts(of) => vec![
                ("mean_prediction_difference", &of.judged.mean_prediction_difference),
                ("mean_error_difference", &of.judged.mean_error_difference),
                ("mean_absolute_error_difference", &of.judged.mean_absolute_error_difference),
            ],
        };
        let defined: Vec<_> = figures.into_iter().filter_map(|(name, gap)| Some((name, gap.clone()?))).collect();
        defined.into_iter()
    }

    /// Whether the four-fifths rule is broken for certain; `None` of amounts, and where it is not judged.
    #[must_use]
    pub fn breaks_four_fifths(&self) -> Option<bool> {
        let Self::Shares(of) = self else { return None };
        match of.four_fifths.verdict {
            four_fifths::Verdict::Below => Some(true),
            four_fifths::Verdict::Met | four_fifths::Verdict::Unclear => Some(false),
            four_fifths::Verdict::NotJudged => None,
        }
    }
}

/// Groups that are not told one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rest {
    /// How many values they have.
    pub values: u64,
    /// All of their rows.
    pub group: Group,
}

/// The figures of an attribute's groups.
#[must_use]
pub fn measure(attribute: &Coded, rows: &Rows<'_>, settings: &Settings) -> Fairness {
    of_counts(attribute, &count(attribute, rows), settings)
}

/// The same of what was counted, of an attribute whose rows are not looked at: counts of several windows or replicas add up.
#[must_use]
pub fn of_counts(attribute: &Coded, counted: &Counted, settings: &Settings) -> Fairness {
    let Counted { named, rest: unnamed, without_value } = counted;
    let mut groups: Vec<(&str, &Counts)> = attribute.names.iter().map(String::as_str).zip(named).collect();
    groups.retain(|(_, counts)| counts.rows() > 0);
    let parity = Parity::of(&groups.iter().map(|(_, counts)| *counts).chain(Some(unnamed)).collect::<Vec<_>>());
    groups.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.rows()));
    let enough = Enough { rows: settings.least_rows, of_a_kind: settings.least_of_a_kind };
    let privileged = settings
        .privileged
        .as_deref()
        .map(|name| Privileged::of(name, &groups, settings.most_groups, unnamed, enough, settings.alpha));
    let untold = groups.split_off(groups.len().min(settings.most_groups));
    let mut together = *unnamed;
    for (_, counts) in &untold {
        together.add(counts);
    }

    let has_labels = groups.iter().any(|(_, counts)| counts.labelled() > 0);
    let told = |name: &str, counts: &Counts| {
        let asked = Rate::ALL.into_iter().filter(|rate| has_labels || !rate.needs_labels());
        let too_small = asked.filter(|rate| !enough.is(*rate, counts)).collect();
        Group::of(name, counts, settings.alpha, too_small)
    };
    let (large, small): (Vec<_>, Vec<_>) =
        groups.iter().copied().partition(|(_, counts)| enough.is(Rate::SelectionRate, counts));
    Fairness {
        attribute: attribute.name.clone(),
        rows: groups.iter().map(|(_, counts)| counts.rows()).sum::<u64>() + together.rows(),
        rows_without_value: without_value.rows(),
        rest: (together.rows() > 0)
            .then(|| Rest { values: untold.len() as u64 + attribute.rest, group: told("", &together) }),
        parity,
        judged: Judged::of(&groups, enough, settings.alpha),
        too_small: small.iter().map(|(name, _)| (*name).to_owned()).collect(),
        privileged,
        four_fifths: FourFifths::of(&large, settings.least_ratio, settings.rule_alpha),
        groups: groups.iter().map(|(name, counts)| told(name, counts)).collect(),
    }
}
