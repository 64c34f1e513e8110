//! A model's metric points. Bounded: features beyond a number have none, and that is a point too.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::reference::COMPARED_ROLES;
use super::view::{BinsView, ModelView, ModelsView};
use crate::drift::verdict::Judged;
use crate::identity::ModelKey;
use crate::metric::{self, Metric, Number, Point, PointAttributes, Subject};
use crate::performance::Performance;

/// Every point of every model, as of `at`.
#[must_use]
pub fn points(view: &ModelsView, at: Timestamp) -> Vec<Point> {
    let mut made = Points { subject: Arc::new(Subject::node()), at, made: Vec::new() };
    for model in &view.models {
        made.of_model(model, view.metric_features);
    }
    made.made
}

/// The attributes that name a model.
#[must_use]
pub fn of(key: &ModelKey) -> PointAttributes {
    let namespace = key.namespace.as_ref().map(|namespace| ("model.namespace", Cow::from(namespace.clone())));
    [("model", Cow::from(key.name.clone()))].into_iter().chain(namespace).collect()
}

struct Points {
    subject: Arc<Subject>,
    at: Timestamp,
    made: Vec<Point>,
}

impl Points {
    fn add(&mut self, metric: &'static Metric, attributes: PointAttributes, value: Number, start: Option<Timestamp>) {
        self.made.push(Point::new(metric, &self.subject, attributes, value, start, self.at));
    }

    fn of_model(&mut self, model: &ModelView, most: usize) {
        let whose = of(&model.key);
        let with = |key: &'static str, value: &str| {
            let mut attributes = whose.clone();
            attributes.push((key, Cow::from(value.to_owned())));
            attributes
        };
        let since = Some(model.registered);
        let counts = &model.counts;
        self.add(&metric::MODEL_PREDICTIONS, whose.clone(), Number::Int(counts.samples), since);
        self.add(&metric::MODEL_LABELS, whose.clone(), Number::Int(counts.labels), since);
        self.add(&metric::MODEL_LATE, whose.clone(), Number::Int(counts.late), since);
        for (reason, rows) in [
            ("repeated", counts.repeated),
            ("too_late", counts.too_late),
            ("forgotten", counts.forgotten),
            ("unmatched", counts.unmatched),
            ("labels_forgotten", counts.labels_forgotten),
        ] {
            self.add(&metric::MODEL_DROPPED, with("reason", reason), Number::Int(rows), since);
        }
        self.add(&metric::MODEL_MEMORY, whose.clone(), Number::Int(model.bytes_in_memory), None);
        if let Some(drift) = model.verdict.drift {
            // A rule on the one must not fire for the other.
            let metric =
                if model.verdict.provisional { &metric::MODEL_DRIFT_PROVISIONAL } else { &metric::MODEL_DRIFT };
            self.add(metric, whose.clone(), Number::Int(drift.into()), None);
        }
        let exported = exported(model, most);
        self.add(&metric::MODEL_FEATURES_LEFT_OUT, whose.clone(), Number::Int(exported.left_out), None);
        if let Some(window) = &model.latest {
            self.add(&metric::MODEL_WINDOW_ROWS, whose.clone(), Number::Int(window.rows), None);
            for judged in window.features.iter().filter(|judged| exported.has(&judged.name)) {
                self.of_feature(&with("feature", &judged.name), judged);
            }
        }
        // Labels come late: the newest window that has any speaks for the model.
        let measured = model.windows.iter().find_map(|window| window.performance.as_ref());
        if let Some(performance) = measured {
            self.add(&metric::MODEL_PERFORMANCE_ROWS, whose.clone(), Number::Int(performance.rows), None);
            for (measure, value) in performance.measures() {
                self.add(&metric::MODEL_PERFORMANCE, with("measure", measure), Number::Float(value), None);
            }
        }
        // A few labels, or a reference that is the model's own beginning, are nothing to wake anybody for.
        let sound = model.leading_of(model.min_rows).filter(|_| !model.verdict.provisional);
        if let Some((leading, drop)) = sound.and_then(|leading| Some((leading, leading.drop()?))) {
            self.add(&metric::PERFORMANCE_DROP, with("measure", leading.measure), Number::Float(drop), None);
        }
        let Some(reference) = &model.reference else { return };
        for (measure, value) in reference.performance.iter().flat_map(Performance::measures) {
            self.add(&metric::REFERENCE_PERFORMANCE, with("measure", measure), Number::Float(value), None);
        }
        for bins in model.bins.iter().filter(|bins| exported.has(&bins.column)) {
            let mut base = with("reference.hash", &reference.about.hash);
            base.push(("reference.provisional", Cow::from(model.verdict.provisional.to_string())));
            self.of_bins(bins, &base, reference.about.since);
        }
    }

    fn of_feature(&mut self, base: &PointAttributes, judged: &Judged) {
        let with_test = |test: &str| {
            let mut attributes = base.clone();
            attributes.push(("test", Cow::from(test.to_owned())));
            attributes
        };
        for tested in &judged.tests {
            if let Some(statistic) = tested.statistic {
                self.add(&metric::FEATURE_DRIFT, with_test(&tested.test), Number::Float(statistic), None);
            }
            if let Some(p) = tested.p_adjusted {
                self.add(&metric::FEATURE_P_VALUE, with_test(&tested.test), Number::Float(p), None);
            }
        }
        if let Some(drift) = judged.drift {
            self.add(&metric::FEATURE_DRIFTED, base.clone(), Number::Int(drift.into()), None);
        }
        if let Some(missing) = judged.current_missing {
            self.add(&metric::DATA_MISSING, base.clone(), Number::Float(missing), None);
        }
    }

    fn of_bins(&mut self, bins: &BinsView, base: &PointAttributes, since: Timestamp) {
        let total = bins.reference.iter().sum::<u64>();
        for ((label, reference), current) in bins.bins.iter().zip(&bins.reference).zip(&bins.current) {
            let mut attributes = base.clone();
            attributes.push(("feature", Cow::from(bins.column.clone())));
            attributes.push(("bin", Cow::from(label.clone())));
            self.add(&metric::BIN_COUNT, attributes.clone(), Number::Int(*current), Some(since));
            if total > 0 {
                let share = Number::Float(*reference as f64 / total as f64);
                self.add(&metric::BIN_REFERENCE, attributes, share, None);
            }
        }
    }
}

/// The columns that have metrics: prediction and score first, then features in order of name.
struct Exported<'a> {
    names: Vec<&'a str>,
    left_out: u64,
}

impl Exported<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }
}

fn exported(model: &ModelView, most: usize) -> Exported<'_> {
    let is_feature = |name: &str| !COMPARED_ROLES.contains(&name);
    let (features, mut names): (Vec<&str>, Vec<&str>) =
        model.bins.iter().map(|bins| bins.column.as_str()).partition(|name| is_feature(name));
    let left_out = features.len().saturating_sub(most) as u64;
    names.extend(features.into_iter().take(most));
    Exported { names, left_out }
}
