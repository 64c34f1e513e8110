//! A model's metric points. Bounded: features beyond a number have none, and that is a point too.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::reference::COMPARED_ROLES;
use super::view::{BinsView, ModelView, ModelsView};
use crate::drift::verdict::Judged;
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
        let name = || ("model", Cow::from(model.name.clone()));
        let since = Some(model.registered);
        let counts = &model.counts;
        self.add(&metric::MODEL_PREDICTIONS, vec![name()], Number::Int(counts.samples), since);
        self.add(&metric::MODEL_LABELS, vec![name()], Number::Int(counts.labels), since);
        self.add(&metric::MODEL_LATE, vec![name()], Number::Int(counts.late), since);
        for (reason, rows) in [
            ("repeated", counts.repeated),
            ("too_late", counts.too_late),
            ("forgotten", counts.forgotten),
            ("unmatched", counts.unmatched),
            ("labels_forgotten", counts.labels_forgotten),
        ] {
            self.add(&metric::MODEL_DROPPED, vec![name(), ("reason", reason.into())], Number::Int(rows), since);
        }
        self.add(&metric::MODEL_MEMORY, vec![name()], Number::Int(model.bytes_in_memory), None);
        let provisional = || ("reference.provisional", Cow::from(model.verdict.provisional.to_string()));
        if let Some(drift) = model.verdict.drift {
            // A rule on the one must not fire for the other.
            let metric =
                if model.verdict.provisional { &metric::MODEL_DRIFT_PROVISIONAL } else { &metric::MODEL_DRIFT };
            self.add(metric, vec![name()], Number::Int(drift.into()), None);
        }
        let exported = exported(model, most);
        self.add(&metric::MODEL_FEATURES_LEFT_OUT, vec![name()], Number::Int(exported.left_out), None);
        if let Some(window) = &model.latest {
            self.add(&metric::MODEL_WINDOW_ROWS, vec![name()], Number::Int(window.rows), None);
            for judged in window.features.iter().filter(|judged| exported.has(&judged.name)) {
                self.of_feature(&model.name, judged);
            }
        }
        // Labels come late: the newest window that has any speaks for the model.
        let measured = model.windows.iter().find_map(|window| window.performance.as_ref());
        if let Some(performance) = measured {
            self.add(&metric::MODEL_PERFORMANCE_ROWS, vec![name()], Number::Int(performance.rows), None);
            for (measure, value) in performance.measures() {
                let attributes = vec![name(), ("measure", measure.into())];
                self.add(&metric::MODEL_PERFORMANCE, attributes, Number::Float(value), None);
            }
        }
        // A few labels, or a reference that is the model's own beginning, are nothing to wake anybody for.
        let sound = model.leading_of(model.min_rows).filter(|_| !model.verdict.provisional);
        if let Some((leading, drop)) = sound.and_then(|leading| Some((leading, leading.drop()?))) {
            let attributes = vec![name(), ("measure", leading.measure.into())];
            self.add(&metric::PERFORMANCE_DROP, attributes, Number::Float(drop), None);
        }
        let Some(reference) = &model.reference else { return };
        for (measure, value) in reference.performance.iter().flat_map(Performance::measures) {
            let attributes = vec![name(), ("measure", measure.into())];
            self.add(&metric::REFERENCE_PERFORMANCE, attributes, Number::Float(value), None);
        }
        for bins in model.bins.iter().filter(|bins| exported.has(&bins.column)) {
            let hash = ("reference.hash", Cow::from(reference.about.hash.clone()));
            self.of_bins(bins, &[name(), hash, provisional()], reference.about.since);
        }
    }

    fn of_feature(&mut self, model: &str, judged: &Judged) {
        let base = || vec![("model", Cow::from(model.to_owned())), ("feature", Cow::from(judged.name.clone()))];
        let with = |key: &'static str, value: &str| {
            let mut attributes = base();
            attributes.push((key, Cow::from(value.to_owned())));
            attributes
        };
        for tested in &judged.tests {
            if let Some(statistic) = tested.statistic {
                self.add(&metric::FEATURE_DRIFT, with("test", &tested.test), Number::Float(statistic), None);
            }
        }
        for aspect in &judged.aspects {
            let attributes = || with("aspect", aspect.aspect.name());
            self.add(&metric::FEATURE_EFFECT, attributes(), Number::Float(aspect.effect), None);
            self.add(&metric::FEATURE_EFFECT_THRESHOLD, attributes(), Number::Float(aspect.threshold), None);
            if let Some(p) = aspect.p_adjusted {
                self.add(&metric::FEATURE_P_VALUE, attributes(), Number::Float(p), None);
            }
        }
        if let Some(drift) = judged.drift {
            self.add(&metric::FEATURE_DRIFTED, base(), Number::Int(drift.into()), None);
        }
        if let Some(missing) = judged.current_missing {
            self.add(&metric::DATA_MISSING, base(), Number::Float(missing), None);
        }
    }

    fn of_bins(&mut self, bins: &BinsView, base: &[(&'static str, Cow<'static, str>)], since: Timestamp) {
        let total = bins.reference.iter().sum::<u64>();
        for ((label, reference), current) in bins.bins.iter().zip(&bins.reference).zip(&bins.current) {
            let mut attributes = base.to_vec();
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
