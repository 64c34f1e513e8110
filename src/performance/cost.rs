//! What mistakes cost, in the user's money.

use serde::Deserialize;

/// What it costs to predict one class where another is true. A gain is a cost below zero; what is not named costs nothing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The class that is predicted.
    pub predicted: String,
    /// The class that is true.
    pub label: String,
    /// Money for each such row.
    pub cost: f64,
}

/// Settings that make no sense.
#[must_use]
pub fn problem(costs: &[Cost]) -> Option<String> {
    if costs.iter().any(|cost| !cost.cost.is_finite()) {
        return Some("must be numbers".to_owned());
    }
    let again = costs.iter().enumerate().find(|(at, cost)| {
        let is_same = |other: &Cost| (&other.predicted, &other.label) == (&cost.predicted, &cost.label);
        costs[..*at].iter().any(is_same)
    });
    again.map(|(_, cost)| format!("name predicted `{}` for label `{}` twice", cost.predicted, cost.label))
}
