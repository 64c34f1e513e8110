//! A model's metric points. Bounded: features beyond a number have none, and that is a point too.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::border::COMPARED_ROLES;
use super::signals::read;
use super::view::{BinsView, ModelView, ModelsView};
use crate::drift::verdict::Judged;
use crate::identity::ModelKey;
use crate::metric::{Kind, Number, Point, PointAttributes, Subject};
use crate::performance::Performance;
use crate::performance::verdict::Verdict;
use crate::quality::Check;
use crate::signal::model::{Model, id};
use crate::signal::values::attributes;
use crate::signal::{Id, Signals};
use crate::versions;

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
    /// Adds a point of one of several: of a feature, a measure, a bin.
    fn add(
        &mut self,
        id: Id<Model>,
        (whose, names): (&PointAttributes, &[&str]),
        value: Number,
        start: Option<Timestamp>,
    ) {
        let attributes = whose.iter().cloned().chain(attributes(id.signal(), names.iter().copied())).collect();
        let point = |metric| Point::new(metric, &self.subject, attributes, value, start, self.at);
        self.made.extend(id.metric().map(point));
    }

    /// The same of a gauge where its value is known.
    fn extend(&mut self, id: Id<Model>, which: (&PointAttributes, &[&str]), value: Option<Number>) {
        if let Some(value) = value {
            self.add(id, which, value, None);
        }
    }

    fn of_model(&mut self, model: &ModelView, most: usize) {
        let whose = &of(&model.key);
        let exported = exported(model, most);
        let mut signals = Signals { values: read(model), items: Vec::new() };
        signals.values.count(const { id("features_left_out") }, exported.left_out);
        for (signal, which, value) in signals.numbers() {
            let Some(metric) = &signal.metric else { continue };
            let since = (metric.kind == Kind::Counter).then_some(model.registered);
            let attributes = whose.iter().cloned().chain(which).collect();
            self.made.push(Point::new(metric, &self.subject, attributes, value, since, self.at));
        }
        for judged in model.latest.iter().flat_map(|window| &window.features).filter(|of| exported.has(&of.name)) {
            self.of_feature(whose, judged);
        }
        for (check, faults) in Check::ALL.into_iter().filter_map(|check| Some((check, model.faults(check)?))) {
            self.add(const { id("faults") }, (whose, &[check.name()][..]), Number::Int(faults), None);
        }
        for (stream, found) in &model.streams {
            for (detector, found) in found {
                let which = (whose, &[stream.name(), detector.name()][..]);
                self.add(const { id("stream.changes") }, which, Number::Int(found.changes), Some(model.registered));
            }
        }
        for (measure, value) in model.measured().into_iter().flat_map(Performance::measures) {
            let which = (whose, &[measure][..]);
            self.add(const { id("performance") }, which, Number::Float(value), None);
        }
        // A few labels, or a reference that is the model's own beginning, are nothing to wake anybody for.
        let sound = model.leading_of(model.min_rows).filter(|_| !model.verdict.provisional);
        if let Some((leading, drop)) = sound.and_then(|leading| Some((leading, leading.drop()?))) {
            let which = (whose, &[leading.measure][..]);
            self.add(const { id("performance_drop") }, which, Number::Float(drop), None);
        }
        if let Some(change) = model.change().filter(|change| change.verdict != Verdict::Unknown) {
            let worse = Number::Int(u64::from(change.verdict == Verdict::Worse));
            self.add(const { id("performance_worse") }, (whose, &[change.measure][..]), worse, None);
        }
        self.of_estimate(whose, model);
        self.of_groups(whose, model);
        self.of_versions(whose, model);
        let Some(reference) = &model.reference else { return };
        for (measure, value) in reference.performance.iter().flat_map(Performance::measures) {
            let which = (whose, &[measure][..]);
            self.add(const { id("reference_performance") }, which, Number::Float(value), None);
        }
        let provisional = model.verdict.provisional.to_string();
        for bins in model.bins.iter().filter(|bins| exported.has(&bins.column)) {
            self.of_bins(whose, bins, [&reference.about.bins, &provisional], reference.about.since);
        }
    }

    /// What is expected without labels, and how wrong that was.
    fn of_estimate(&mut self, whose: &PointAttributes, model: &ModelView) {
        for figure in model.estimated().into_iter().flat_map(|estimate| &estimate.figures) {
            let ends = [
                (const { id("estimated") }, figure.value),
                (const { id("estimated_low") }, figure.low),
                (const { id("estimated_high") }, figure.high),
            ];
            for (signal, value) in ends {
                self.extend(signal, (whose, &[&*figure.measure][..]), value.map(Number::Float));
            }
        }
        let known = model.labelled().and_then(|window| window.estimated.as_ref());
        for figure in known.into_iter().flat_map(|estimate| &estimate.figures) {
            let which = (whose, &[&*figure.measure][..]);
            self.extend(const { id("estimated_error") }, which, figure.error.map(Number::Float));
        }
        if let Some(change) = model.expected().filter(|change| change.verdict != Verdict::Unknown) {
            let worse = Number::Int(u64::from(change.verdict == Verdict::Worse));
            self.add(const { id("estimated_worse") }, (whose, &[change.measure][..]), worse, None);
        }
    }

    /// What groups by protected attributes say, and the measure that speaks for the model by the columns that are named.
    fn of_groups(&mut self, whose: &PointAttributes, model: &ModelView) {
        for fair in model.fairness() {
            for (measure, gap) in fair.figures() {
                let which = (whose, &[fair.attribute(), measure][..]);
                self.add(const { id("parity") }, which, Number::Float(gap.value), None);
            }
            let broken = fair.breaks_four_fifths().map(|broken| Number::Int(u64::from(broken)));
            self.extend(const { id("four_fifths") }, (whose, &[fair.attribute()][..]), broken);
        }
        for by in model.labelled().into_iter().flat_map(|window| &window.by_column) {
            for part in &by.parts {
                let leading = part.statistic.as_ref().and_then(Performance::leading);
                let Some((measure, value)) = leading else { continue };
                let which = (whose, &[by.column.as_str(), part.name.as_str(), measure.name][..]);
                self.add(const { id("segment.performance") }, which, Number::Float(value), None);
            }
        }
    }

    /// Each version, and each challenger beside the champion.
    fn of_versions(&mut self, whose: &PointAttributes, model: &ModelView) {
        let versions = model.versions.as_ref().map_or(&[][..], |found| found.versions.as_slice());
        let champion = versions.iter().find(|version| version.champion).map_or("", |version| version.version.as_str());
        for version in versions {
            for (measure, value) in version.performance.iter().flat_map(Performance::measures) {
                let which = (whose, &[version.version.as_str(), measure][..]);
                self.add(const { id("version.performance") }, which, Number::Float(value), None);
            }
            let Some(of) = &version.against_champion else { continue };
            let Some(leading) = of.differences.iter().find(|difference| Some(difference.measure) == of.measure) else {
                continue;
            };
            let which = (whose, &[version.version.as_str(), champion, leading.measure][..]);
            self.add(const { id("version.difference") }, which, Number::Float(leading.difference), None);
            let ends = leading.interval.map(|within| (Number::Float(within.low), Number::Float(within.high)));
            self.extend(const { id("version.difference_low") }, which, ends.map(|(low, _)| low));
            self.extend(const { id("version.difference_high") }, which, ends.map(|(_, high)| high));
            let worse = of.enough.then(|| Number::Int(u64::from(of.verdict == versions::Verdict::Worse)));
            self.extend(const { id("version.worse") }, which, worse);
        }
    }

    fn of_feature(&mut self, whose: &PointAttributes, judged: &Judged) {
        for tested in &judged.tests {
            let which = (whose, &[judged.name.as_str(), tested.test.as_str()][..]);
            if let Some(statistic) = tested.statistic {
                self.add(const { id("feature.drift") }, which, Number::Float(statistic), None);
            }
        }
        for aspect in &judged.aspects {
            let which = (whose, &[judged.name.as_str(), aspect.aspect.name()][..]);
            self.add(const { id("feature.effect") }, which, Number::Float(aspect.effect), None);
            self.add(const { id("feature.threshold") }, which, Number::Float(aspect.threshold), None);
            if let Some(p) = aspect.p_adjusted {
                self.add(const { id("feature.p_value") }, which, Number::Float(p), None);
            }
        }
        let which = (whose, &[judged.name.as_str()][..]);
        if let Some(drift) = judged.drift {
            self.add(const { id("feature.drifted") }, which, Number::Int(drift.into()), None);
        }
        if let Some(missing) = judged.current_missing {
            self.add(const { id("feature.missing") }, which, Number::Float(missing), None);
        }
    }

    fn of_bins(&mut self, whose: &PointAttributes, bins: &BinsView, reference: [&str; 2], since: Timestamp) {
        let [hash, provisional] = reference;
        let total = bins.reference.iter().sum::<u64>();
        for ((label, reference), current) in bins.bins.iter().zip(&bins.reference).zip(&bins.current) {
            let which = (whose, &[bins.column.as_str(), label.as_str(), hash, provisional][..]);
            self.add(const { id("bin.count") }, which, Number::Int(*current), Some(since));
            if total > 0 {
                let share = Number::Float(*reference as f64 / total as f64);
                self.add(const { id("bin.reference") }, which, share, None);
            }
        }
    }
}

/// The columns that have metrics: prediction and score first, then features in order of name.
pub(super) struct Exported<'a> {
    names: Vec<&'a str>,
    left_out: u64,
}

impl Exported<'_> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }
}

pub(super) fn exported(model: &ModelView, most: usize) -> Exported<'_> {
    let is_feature = |name: &str| !COMPARED_ROLES.contains(&name);
    let (features, mut names): (Vec<&str>, Vec<&str>) =
        model.bins.iter().map(|bins| bins.column.as_str()).partition(|name| is_feature(name));
    let left_out = features.len().saturating_sub(most) as u64;
    names.extend(features.into_iter().take(most));
    Exported { names, left_out }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use polars::prelude::{NamedFrom, Series};
    use serde_json::json;

    use super::*;
    use crate::catalogue::of_models;
    use crate::model::Spec;
    use crate::model::reference::About;
    use crate::model::streams::{Detector, Found, Stream};
    use crate::model::view::{ReferenceView, WindowResult, WindowSummary};
    use crate::model::watch::{Progress, Watch};
    use crate::performance::{Columns, Labels, Task, Wanted};
    use crate::segment::coded::Coded;

    /// A champion and a challenger that is worse.
    fn two_versions() -> versions::Versions {
        let names: Vec<Option<&str>> = (0..2000).map(|row| Some(["1", "2"][row % 2])).collect();
        let label = Series::new("label".into(), (0..2000).map(|row| i64::from(row / 2 % 3 == 0)).collect::<Vec<_>>());
        let wrong = |row: i64| row % 2 == 1 && row % 7 < 3;
        let said = |row: i64| i64::from(wrong(row) != (row / 2 % 3 == 0));
        let prediction = Series::new("prediction".into(), (0..2000).map(said).collect::<Vec<_>>());
        let mut known = Labels::default();
        known.learn(&label);
        let request: Vec<Option<u128>> = (0..2000).map(|row| Some(row / 2)).collect();
        let columns = Columns { label: &label, prediction: Some(&prediction), score: None, scores: &[], group: None };
        let version = Coded::of_texts("version", names);
        let rows = versions::Rows { version: &version, request: &request, at: None, columns };
        let (limits, since) = (Spec::new("m").limits(), versions::Since::default());
        let settings = versions::Settings { champion: Some("1"), limits, looks: versions::Looks::Always(&since) };
        versions::compare(&rows, &Wanted::new(Task::Classification, &known), &settings).expect("two versions")
    }

    /// A model of which everything is known, against a reference that is provisional or not.
    fn known(key: &ModelKey, provisional: bool) -> ModelView {
        let at = Timestamp::UNIX_EPOCH;
        let mut view = Watch::new(Spec::of(key), 10, Progress::default(), at).view(at);
        let performance = json!({
            "task": "classification", "rows": 1000, "accuracy": 0.9, "intervals": {"accuracy": {"low": 0.88, "high": 0.92}},
        });
        let tests = json!([{"test": "psi", "statistic": 0.3, "p_value": null}]);
        let aspect = json!({
            "aspect": "values", "p_value": 0.1, "p_adjusted": 0.2, "measure": "shift", "effect": 0.3, "noise": 0.01, "threshold": 0.1,
            "verdict": "drift",
        });
        let figure = json!({"measure": "accuracy", "value": 0.7, "low": 0.6, "high": 0.75, "alert": true, "realised": 0.9, "error": -0.2});
        let estimated = json!({"rows": 1000, "missing": 0, "figures": [figure]});
        let by = json!({
            "column": "plan", "rows_without_value": 0, "parts": [{"name": "basic", "rows": 9, "share": 0.9, "statistic": performance}],
        });
        let sexes: Vec<Option<&str>> = (0..400).map(|row| Some(["f", "m"][row % 2])).collect();
        let selected: Vec<Option<bool>> = (0..400).map(|row| Some(row % 2 == 1 && row % 3 > 0)).collect();
        let rows = crate::fairness::Rows { selected: &selected, positive: &selected, score: &[] };
        let sexes = crate::segment::coded::Coded::of_texts("sex", sexes);
        let fairness = crate::fairness::measure(&sexes, &rows, &crate::fairness::Settings::default());
        let none = json!({"count": 0, "names": []});
        let judged = json!({
            "name": "x", "kind": "numeric", "verdict": "drift", "aspects": [aspect], "tests": tests, "current_missing": 0.5, "drift": true, "new_categories": none,
            "vanished_categories": none,
        });
        let window = json!({
            "start": at, "end": at, "rows": 1000, "evaluated": at, "evaluations": 1, "features": [judged], "performance": performance, "estimated": estimated, "fairness": [fairness], "by_column": [by],
        });
        let window: WindowResult = serde_json::from_value(window).expect("a window");
        view.windows = vec![WindowSummary {
            rows: 1000,
            performance: window.performance.clone(),
            estimated: window.estimated.clone(),
            ..WindowSummary::default()
        }];
        let about =
            About { hash: "p".to_owned(), bins: "h".to_owned(), since: at, provisional, rows: 1000, profile: None };
        view.reference = Some(ReferenceView {
            about,
            performance: window.performance.clone(),
            not_estimated: None,
            usually_estimated: None,
        });
        view.latest = Some(window);
        view.segments =
            Some(crate::model::view::Worst { start: at, end: at, found: crate::segment::search::Found::default() });
        let found = Found { values: 10, changes: 1, last: None };
        view.versions = Some(two_versions());
        view.streams = [(Stream::Score, [(Detector::Adwin, found)].into())].into();
        (view.verdict.drift, view.verdict.provisional) = (Some(true), provisional);
        view.bins = vec![BinsView {
            column: "x".to_owned(),
            bins: vec!["all".to_owned()],
            reference: vec![1],
            current: vec![2],
        }];
        view
    }

    /// Every entry of the table has its line, and every point says what its metric is said to.
    #[test]
    fn a_model_of_which_all_is_known_has_every_metric() {
        let keys = [ModelKey::within("shop", "m"), ModelKey::named("m")];
        let models = keys.iter().zip([false, true]).map(|(key, provisional)| known(key, provisional)).collect();
        let points = points(&ModelsView { models, metric_features: 10 }, Timestamp::UNIX_EPOCH);
        let made: BTreeSet<&str> = points.iter().map(|point| point.metric.name).collect();
        let there: BTreeSet<&str> = of_models().map(|metric| metric.name).collect();
        // What a prediction costs is told by who knows the containers.
        assert_eq!(there.difference(&made).collect::<Vec<_>>(), [&"plumbline.model.cost"]);
        for point in &points {
            let said: Vec<&str> = point.attributes.iter().map(|(key, _)| *key).collect();
            let in_none = |key: &&&str| **key != "model.namespace";
            if said.contains(&"model.namespace") {
                assert_eq!(said, point.metric.attributes);
            } else {
                assert_eq!(said, point.metric.attributes.iter().filter(in_none).copied().collect::<Vec<_>>());
            }
            assert_eq!(point.start.is_some(), point.metric.kind == Kind::Counter, "{}", point.metric.name);
        }
        let worse = points.iter().find(|point| point.metric.name == "plumbline.model.version.performance.worse");
        let worse = worse.expect("a verdict");
        let said: Vec<&str> = worse.attributes.iter().rev().take(3).map(|(_, value)| &**value).collect();
        assert_eq!((&said[..], worse.value), (&["accuracy", "1", "2"][..], Some(Number::Int(1))));
        let drift = |name: &str| points.iter().filter(|point| point.metric.name == name).count();
        assert_eq!((drift("plumbline.model.drift"), drift("plumbline.model.drift.provisional")), (1, 1));
        let reasons = points.iter().filter(|point| point.metric.name == "plumbline.model.dropped").count();
        assert_eq!(reasons, 12, "six of each");
    }
}
