//! The four-fifths rule: a group whose selection rate is less than four fifths of another's is a sign of adverse impact (US Equal
//! Employment Opportunity Commission, "Uniform guidelines on employee selection procedures", 1978, 29 CFR 1607.4 D).
//!
//! A ratio of few rows is below 0.8 by chance, and the smallest ratio of many groups more often still. So the rule is broken only where
//! the interval of a pair's ratio lies wholly below: exact limits of each rate (Clopper and Pearson), made into those of the ratio, at an
//! error that is shared by all pairs (Bonferroni).

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Rate};
use super::judged::pairs;
use crate::stats::interval::{self, Interval};

/// Pairs told.
const TOLD: usize = 10;

/// What the rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The ratio of a pair lies below with its whole interval: adverse impact.
    Below,
    /// The ratios of all pairs lie above with their whole intervals.
    Met,
    /// More rows would tell.
    Unclear,
    /// Fewer than two groups have rows enough, or nothing is selected.
    NotJudged,
}

/// Two groups' selection rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pair {
    /// The group with the lower rate.
    pub group: String,
    /// Its rate.
    pub rate: f64,
    /// The group it is held against.
    pub against: String,
    /// That group's rate.
    pub rate_against: f64,
    /// The lower rate over the higher, with its interval.
    pub ratio: Interval,
}

/// The rule and what it was judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FourFifths {
    /// What it says.
    pub verdict: Verdict,
    /// The ratio it asks for.
    pub least_ratio: f64,
    /// How likely it is that a pair is accused that keeps to the ratio, all pairs together, both sides of the intervals.
    pub alpha: f64,
    /// Pairs of groups with enough rows.
    pub pairs: u64,
    /// The pair whose upper limit is the lowest; where none is broken, that with the smallest ratio.
    pub worst: Option<Pair>,
    /// Pairs below with their whole interval, the lowest upper limit first, ten at most.
    pub below: Vec<Pair>,
    /// How many there are.
    pub pairs_below: u64,
}

impl FourFifths {
    /// Of named groups with rows enough.
    pub fn of(groups: &[(&str, &Counts)], least_ratio: f64, alpha: f64) -> Self {
        let of_all = pairs(groups.len());
        let limits = |counts: &Counts| {
            let (part, whole) = Rate::SelectionRate.of(counts);
            interval::exact(part, whole, alpha / of_all)
        };
        let rates: Vec<(&str, Interval)> =
            groups.iter().filter_map(|(name, counts)| Some((*name, limits(counts)?))).collect();
        let mut found: Vec<Pair> = Vec::new();
        for (at, one) in rates.iter().enumerate() {
            for other in rates.iter().skip(at + 1) {
                let (lower, higher) = if one.1.value <= other.1.value { (one, other) } else { (other, one) };
                found.extend(lower.1.over(higher.1).map(|ratio| Pair {
                    group: lower.0.to_owned(),
                    rate: lower.1.value,
                    against: higher.0.to_owned(),
                    rate_against: higher.1.value,
                    ratio,
                }));
            }
        }
        let mut below: Vec<&Pair> = found.iter().filter(|pair| pair.ratio.high < least_ratio).collect();
        below.sort_by(|a, b| a.ratio.high.total_cmp(&b.ratio.high));
        let smallest = found.iter().min_by(|a, b| a.ratio.value.total_cmp(&b.ratio.value));
        let verdict = if found.is_empty() {
            Verdict::NotJudged
        } else if !below.is_empty() {
            Verdict::Below
        } else if found.iter().all(|pair| pair.ratio.low >= least_ratio) {
            Verdict::Met
        } else {
            Verdict::Unclear
        };
        Self {
            verdict,
            least_ratio,
            alpha,
            pairs: found.len() as u64,
            worst: below.first().copied().or(smallest).cloned(),
            pairs_below: below.len() as u64,
            below: below.into_iter().take(TOLD).cloned().collect(),
        }
    }
}

impl Pair {
    /// In a sentence: `sex = f: selection rate 0.300, 0.600 (0.520 to 0.690) of that of m (0.500)`.
    #[must_use]
    pub fn words(&self, attribute: &str) -> String {
        let Self { group, rate, against, rate_against, ratio: Interval { value, low, high } } = self;
        format!(
            "{attribute} = {group}: selection rate {rate:.3}, {value:.3} ({low:.3} to {high:.3}) of that of {against} ({rate_against:.3})"
        )
    }
}
