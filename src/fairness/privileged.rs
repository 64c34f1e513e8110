//! One group that is named as privileged, against each other and against all others together, as TrustyAI and AI Fairness 360 have it.

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Rate};
use super::judged::Enough;
use crate::stats::interval::{self, Interval};

/// The privileged group against the others. Unlike the figures over all groups it has a direction: below 0, and below 1, the others are
/// selected less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Privileged {
    /// Its name.
    pub group: String,
    /// Its rows with a prediction; without any there is nothing against it.
    pub rows: u64,
    /// All other rows with a value together.
    pub all_others: Option<Against>,
    /// Each other group that is told, in the same order.
    pub each: Vec<Against>,
}

/// The privileged group against another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Against {
    /// The unprivileged group; none where it is all others together.
    pub group: Option<String>,
    /// Its rows with a prediction.
    pub rows: u64,
    /// Whether both have rows enough to be judged.
    pub judged: bool,
    /// P(selected, unprivileged) - P(selected, privileged), with Newcombe's interval.
    pub statistical_parity_difference: Interval,
    /// P(selected, unprivileged) / P(selected, privileged), with the interval made of both Wilson intervals (MOVER). `None` where nobody
    /// privileged is selected.
    pub disparate_impact_ratio: Option<Interval>,
}

impl Privileged {
    /// Of a name and all groups, of which so many are told each, and the rows of no named one.
    pub fn of(name: &str, groups: &[(&str, &Counts)], told: usize, rest: &Counts, enough: Enough, alpha: f64) -> Self {
        let own = groups.iter().find(|(group, _)| *group == name).map_or_else(Counts::default, |(_, counts)| **counts);
        let mut together = *rest;
        for (_, counts) in groups.iter().filter(|(group, _)| *group != name) {
            together.add(counts);
        }
        let against = |group: Option<&str>, counts: &Counts| {
            let rate = |counts: &Counts| {
                let (part, whole) = Rate::SelectionRate.of(counts);
                interval::wilson(part, whole, alpha)
            };
            let (unprivileged, privileged) = (rate(counts)?, rate(&own)?);
            Some(Against {
                group: group.map(str::to_owned),
                rows: counts.rows(),
                judged: [counts, &own].into_iter().all(|counts| enough.is(Rate::SelectionRate, counts)),
                statistical_parity_difference: unprivileged.less(privileged),
                disparate_impact_ratio: unprivileged.over(privileged),
            })
        };
        let others = groups.iter().take(told).filter(|(group, _)| *group != name);
        Self {
            group: name.to_owned(),
            rows: own.rows(),
            all_others: against(None, &together),
            each: others.filter_map(|(group, counts)| against(Some(group), counts)).collect(),
        }
    }
}
