use serde_json::json;

use super::*;
use crate::fairness::{Rows, Settings, measure};
use crate::identity::ModelKey;
use crate::model::Spec;
use crate::model::view::{BinsView, WindowResult};
use crate::model::watch::{Progress, Watch};
use crate::segment::coded::Coded;

/// Of 40 men 30 are selected, of 20 women 5, of 10 others none; `x` is a number that was tested, `c` a category.
fn view() -> ModelView {
    let at = Timestamp::UNIX_EPOCH;
    let mut spec = Spec::of(&ModelKey::within("shop", "loans"));
    (spec.prediction, spec.favourable) = ("approved".to_owned(), Some("1".to_owned()));
    let mut view = Watch::new(spec, 10, Progress::default(), at).view(at);
    let sexes: Vec<Option<&str>> =
        (0..70).map(|row| Some(["m", "f", "d"][usize::from(row >= 40) + usize::from(row >= 60)])).collect();
    let selected: Vec<Option<bool>> = (0..70).map(|row| Some(row < 30 || (40..45).contains(&row))).collect();
    let rows = Rows { selected: &selected, positive: &[], score: &[] };
    let settings = Settings { privileged: Some("m".to_owned()), ..Settings::default() };
    let fair = measure(&Coded::of_texts("sex", sexes), &rows, &settings);
    let none = json!({"count": 0, "names": []});
    let judged = |name: &str, kind: &str, tests: serde_json::Value| {
        json!({"name": name, "kind": kind, "verdict": "no_drift", "aspects": [], "tests": tests, "drift": false,
            "new_categories": none, "vanished_categories": none})
    };
    let tests = json!([{"test": "ks", "statistic": 0.25, "p_value": 0.04}, {"test": "welch_t", "statistic": -1.5, "p_value": 0.1}]);
    let categories = json!([{"test": "chi_squared", "statistic": 3.0, "p_value": 0.5}]);
    let features = json!([
        judged("x", "numeric", tests.clone()),
        judged("beyond", "numeric", tests),
        judged("c", "categorical", categories)
    ]);
    let window = json!({"start": at, "end": at, "rows": 70, "evaluated": at, "evaluations": 1, "features": features, "fairness": [fair]});
    view.latest = Some(serde_json::from_value::<WindowResult>(window).expect("a window"));
    let bins = |column: &str| BinsView {
        column: column.to_owned(),
        bins: Vec::new(),
        reference: Vec::new(),
        current: Vec::new(),
    };
    view.bins = ["c", "x", "zzz"].map(bins).into();
    view
}

fn shown(view: ModelView, service: Service) -> Vec<String> {
    let view = ModelsView { models: vec![view], metric_features: 50 };
    let shown = |point: &Point| {
        let of: Vec<String> = point.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let Some(Number::Float(value)) = point.value else { panic!("a number") };
        format!("{} {} {value:.6}", point.metric.name, of.join(" "))
    };
    points(&view, service, Timestamp::UNIX_EPOCH).iter().map(shown).collect()
}

#[test]
fn figures_have_the_names_and_meaning_of_either_service() {
    let whose = |short: &str| format!("metricName={short} model=loans namespace=shop");
    let of = |short: &str, group: &str| {
        format!("{} protected=sex privileged=m unprivileged={group} outcome=approved favorable_value=1", whose(short))
    };
    let java = [
        format!("trustyai.spd {} -0.500000", of("SPD", "f")),
        format!("trustyai.dir {} 0.333333", of("DIR", "f")),
        format!("trustyai.spd {} -0.750000", of("SPD", "d")),
        format!("trustyai.dir {} 0.000000", of("DIR", "d")),
        format!("trustyai.kstest {} subcategory=x 0.040000", whose("KSTEST")),
    ];
    assert_eq!(shown(view(), Service::Java), java);
    let python = shown(view(), Service::Python);
    assert_eq!(python.len(), 7);
    assert!(python[0].contains("protectedAttribute=sex") && python[0].contains("outcomeName=approved"), "{python:?}");
    let drift = [("kstest", "0.250000"), ("comparemeans", "-1.500000"), ("meanshift", "-1.500000")];
    for (line, (name, value)) in python[4..].iter().zip(drift) {
        assert_eq!(*line, format!("trustyai.{name} {} subcategory=x {value}", whose(&name.to_uppercase())));
    }
}

#[test]
fn what_is_undefined_is_absent() {
    let mut provisional = view();
    provisional.verdict.provisional = true;
    assert_eq!(
        shown(provisional, Service::Java).len(),
        4,
        "a reference that is the model's own beginning is no training data"
    );
    let mut nobody = view();
    let Some(Fair::Shares(fair)) = nobody.latest.as_mut().map(|window| &mut window.fairness[0]) else {
        panic!("shares")
    };
    if let Some(privileged) = &mut fair.privileged {
        for against in &mut privileged.each {
            against.disparate_impact_ratio = None;
        }
    }
    let left: Vec<String> =
        shown(nobody, Service::Java).into_iter().filter(|line| line.starts_with("trustyai.dir")).collect();
    assert!(left.is_empty(), "nobody privileged is selected: {left:?}");
    let mut unnamed = view();
    let Some(Fair::Shares(fair)) = unnamed.latest.as_mut().map(|window| &mut window.fairness[0]) else {
        panic!("shares")
    };
    fair.privileged = None;
    assert_eq!(shown(unnamed, Service::Java).len(), 1, "no group is named as privileged");
}
