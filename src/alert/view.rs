//! Alerts as people and receivers see them. Plain data, which is kept as it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::rule::Severity;
use crate::metric::{self, Number, Point, Subject};

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition is met, though not for long enough.
    Pending,
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

impl AlertState {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert: a rule and one series that meets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Alert {
    /// The rule's name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub state: AlertState,
    /// Whom it is about. With the name its identity.
    pub labels: BTreeMap<String, String>,
    /// The rule's metric.
    pub metric: String,
    /// The value, as last seen.
    pub value: f64,
    /// The one farthest beyond the threshold; `null` of one that an older version kept.
    #[serde(default)]
    pub worst: Option<f64>,
    /// The rule's threshold.
    pub threshold: f64,
    /// Since when the condition has been met.
    #[cfg_attr(test, schemars(with = "String"))]
    pub since: Timestamp,
    /// Since when it fires.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub fired: Option<Timestamp>,
    /// When it was over.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub resolved: Option<Timestamp>,
    /// For people.
    pub message: String,
}

/// A time by a clock that is so much ahead; as far as times go.
pub(super) fn moved(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}

impl Alert {
    /// The same by a clock that is so much ahead.
    #[must_use]
    pub fn moved(mut self, by: SignedDuration) -> Self {
        self.since = moved(self.since, by);
        self.fired = self.fired.map(|at| moved(at, by));
        self.resolved = self.resolved.map(|at| moved(at, by));
        self
    }
}

/// Something that people are told: an alert fires or is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// Its number; they are told in order.
    pub sequence: u64,
    /// When.
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// The alert, as it became.
    pub alert: Alert,
}

impl Event {
    /// The same by a clock that is so much ahead.
    #[must_use]
    pub fn moved(self, by: SignedDuration) -> Self {
        Self { at: moved(self.at, by), alert: self.alert.moved(by), ..self }
    }
}

/// A rule that holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// Its metric.
    pub metric: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it says in words: `increase over 5m above 0.25, for 15m`.
    pub condition: String,
    /// What to do when it fires, where somebody has said so.
    pub action: Option<String>,
    /// Its values are shares.
    #[serde(skip)]
    pub is_share: bool,
}

/// All alerts as of one instant.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AlertsView {
    /// The node's name.
    pub node: String,
    /// Firing and pending ones, worst first.
    pub alerts: Vec<Alert>,
    /// Those that were over in the last 14 days, newest first: the newest 1,000.
    pub resolved: Vec<Alert>,
    /// How many of the last 14 days are not among `resolved`, because there were more than 1,000.
    pub resolved_left_out: u64,
    /// The rules.
    pub rules: Vec<RuleView>,
    /// Series that meet a rule but are not followed, because there are too many.
    pub left_out: u64,
    /// How many were over since the agent began: who tells people finds by it what is new among `resolved`, whatever the clock says.
    #[serde(skip)]
    pub over: u64,
    /// How far the wall clock has been corrected since the agent began. Times in this view have it; who holds on to an alert of an
    /// older one adds the difference.
    #[serde(skip)]
    pub correction: SignedDuration,
    /// The last events, oldest first, for those who tell people.
    #[serde(skip)]
    pub events: Vec<Event>,
}

impl AlertsView {
    /// Those that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.state == AlertState::Firing)
    }

    /// Those that were over since `seen` had been, newest first.
    pub fn newly_over(&self, seen: u64) -> impl Iterator<Item = &Alert> {
        self.resolved.iter().take(usize::try_from(self.over.saturating_sub(seen)).unwrap_or(usize::MAX))
    }

    /// The metric points about alerts themselves.
    #[must_use]
    pub fn points(&self, at: Timestamp) -> Vec<Point> {
        let subject = Arc::new(Subject::node());
        let mut counts: BTreeMap<(&str, Severity, AlertState), u64> = BTreeMap::new();
        for alert in &self.alerts {
            *counts.entry((&alert.name, alert.severity, alert.state)).or_default() += 1;
        }
        let mut points: Vec<Point> = counts
            .into_iter()
            .map(|((name, severity, state), count)| {
                let attributes = vec![
                    ("alert", name.to_owned().into()),
                    ("severity", severity.name().into()),
                    ("state", state.name().into()),
                ];
                Point::new(&metric::ALERTS, &subject, attributes, Number::Int(count), None, at)
            })
            .collect();
        let left_out = Number::Int(self.left_out);
        points.push(Point::new(&metric::ALERTS_LEFT_OUT, &subject, Vec::new(), left_out, None, at));
        points
    }
}
