//! A model's figures once more, under the names that TrustyAI's service gives them: for dashboards and rules that ask for those. Only
//! what is defined as it defines it.
//!
//! Its two services differ: the one in Java gives p-values of drift, the one in Python statistics under the same names, and both name
//! attributes in their own way. What neither is the same as stays out: the mean shift of Java (degrees of freedom of equal variances),
//! Fourier MMD, the approximate Kolmogorov-Smirnov test, and Jensen-Shannon over kernel densities.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::points::exported;
use super::view::{ModelView, ModelsView};
use crate::drift::Kind as Column;
use crate::drift::verdict::Judged;
use crate::fairness::Fair;
use crate::fairness::privileged::Against;
use crate::metric::{Kind, Metric, Number, Point, PointAttributes, Subject, metric};

/// Whose definitions and attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The service in Java.
    Java,
    /// The one in Python.
    Python,
}

const OF_GROUPS: &[&str] = &["model", "protected", "privileged", "unprivileged", "outcome", "favorable_value"];
const OF_COLUMNS: &[&str] = &["model", "subcategory"];

static SPD: Metric = metric(
    "trustyai.spd",
    Kind::Gauge,
    "",
    OF_GROUPS,
    "Statistical parity difference: the share of the unprivileged group that is selected less that of the privileged.",
);
static DIR: Metric = metric(
    "trustyai.dir",
    Kind::Gauge,
    "",
    OF_GROUPS,
    "Disparate impact ratio: the share of the unprivileged group that is selected over that of the privileged.",
);
static KSTEST: Metric = metric(
    "trustyai.kstest",
    Kind::Gauge,
    "",
    OF_COLUMNS,
    "Two-sample Kolmogorov-Smirnov test of the newest window against the reference: the p-value as in Java, the statistic as in Python.",
);
static COMPAREMEANS: Metric = metric(
    "trustyai.comparemeans",
    Kind::Gauge,
    "",
    OF_COLUMNS,
    "Welch's t statistic of the reference against the newest window.",
);
static MEANSHIFT: Metric =
    metric("trustyai.meanshift", Kind::Gauge, "", OF_COLUMNS, "The same as trustyai_comparemeans.");

/// The points of all models, as of `at`.
#[must_use]
pub fn points(view: &ModelsView, service: Service, at: Timestamp) -> Vec<Point> {
    let mut made = Points { subject: Arc::new(Subject::node()), service, at, made: Vec::new() };
    for model in &view.models {
        made.of_groups(model);
        made.of_columns(model, view.metric_features);
    }
    made.made
}

struct Points {
    subject: Arc<Subject>,
    service: Service,
    at: Timestamp,
    made: Vec<Point>,
}

impl Points {
    fn add(&mut self, metric: &'static Metric, model: &ModelView, more: &[(&'static str, &str)], value: f64) {
        let short = metric.name.strip_prefix("trustyai.").unwrap_or(metric.name).to_ascii_uppercase();
        let namespace = model.key.namespace.iter().map(|namespace| ("namespace", Cow::from(namespace.clone())));
        let own = [("metricName", Cow::from(short)), ("model", Cow::from(model.key.name.clone()))];
        let more = more.iter().map(|(key, value)| (*key, Cow::from((*value).to_owned())));
        let attributes: PointAttributes = own.into_iter().chain(namespace).chain(more).collect();
        self.made.push(Point::new(metric, &self.subject, attributes, Number::Float(value), None, self.at));
    }

    /// Each group against the privileged one, where one is named.
    fn of_groups(&mut self, model: &ModelView) {
        for fair in model.fairness() {
            let Fair::Shares(of) = fair else { continue };
            for against in of.privileged.iter().flat_map(|privileged| &privileged.each) {
                let Against { group: Some(group), statistical_parity_difference, disparate_impact_ratio, .. } = against
                else {
                    continue;
                };
                let privileged = of.privileged.as_ref().map_or("", |privileged| privileged.group.as_str());
                let (protected, outcome) = match self.service {
                    Service::Java => ("protected", "outcome"),
                    Service::Python => ("protectedAttribute", "outcomeName"),
                };
                let mut which = vec![
                    (protected, of.attribute.as_str()),
                    ("privileged", privileged),
                    ("unprivileged", group.as_str()),
                    (outcome, model.prediction.as_str()),
                ];
                which.extend(model.favourable.as_deref().map(|favourable| ("favorable_value", favourable)));
                self.add(&SPD, model, &which, statistical_parity_difference.value);
                if let Some(ratio) = disparate_impact_ratio {
                    self.add(&DIR, model, &which, ratio.value);
                }
            }
        }
    }

    /// The columns of numbers, against a reference that was given.
    fn of_columns(&mut self, model: &ModelView, most: usize) {
        if model.verdict.provisional {
            return;
        }
        let exported = exported(model, most);
        let judged = model.latest.iter().flat_map(|window| &window.features);
        for of in judged.filter(|of| of.kind == Column::Numeric && exported.has(&of.name)) {
            let which = [("subcategory", of.name.as_str())];
            let (kstest, welch) = match self.service {
                Service::Java => (found(of, "ks").and_then(|tested| tested.p_value), None),
                Service::Python => (
                    found(of, "ks").and_then(|tested| tested.statistic),
                    found(of, "welch_t").and_then(|tested| tested.statistic),
                ),
            };
            for (metric, value) in [(&KSTEST, kstest), (&COMPAREMEANS, welch), (&MEANSHIFT, welch)] {
                if let Some(value) = value {
                    self.add(metric, model, &which, value);
                }
            }
        }
    }
}

fn found<'j>(judged: &'j Judged, test: &str) -> Option<&'j crate::drift::verdict::Tested> {
    judged.tests.iter().find(|tested| tested.test == test)
}

#[cfg(test)]
mod tests;
