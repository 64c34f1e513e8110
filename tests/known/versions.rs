//! Versions against statsmodels, scipy and DeLong's formula (`tests/known/versions.py` makes the values).

use plumbline::performance::verdict::Limits;
use plumbline::performance::{Columns, Labels, Task, Wanted};
use plumbline::segment::coded::Coded;
use plumbline::stats::paired::Discordant;
use plumbline::versions::{Comparison, Difference, Looks, Rows, Settings, compare};
use polars::prelude::{NamedFrom, Series};
use serde_json::Value;

use super::peers::uniform;
use super::{agrees, each, p_value, root, statistic};

fn values() -> Value {
    let text = std::fs::read_to_string(root().join("tests/known/versions.json")).expect("the values");
    serde_json::from_str(&text).expect("JSON")
}

fn number(of: &Value, at: usize) -> f64 {
    of[at].as_f64().expect("a number")
}

#[test]
fn shares_of_the_same_rows_agree_with_statsmodels_and_the_likelihood() {
    for want in each(&values(), "counts") {
        let count = |at: usize| want["counts"][at].as_u64().expect("a count");
        let of = Discordant { first: count(0), second: count(1), rows: count(2) };
        let what = want["counts"].to_string();
        p_value(&format!("{what} McNemar"), Some(of.mcnemar()), &want["mcnemar"]);
        for alpha in ["0.05", "0.001"] {
            let found = of.difference(alpha.parse().expect("a number")).expect("rows");
            let limits = &want["tango"][alpha];
            // The likelihood is searched with fewer digits than it is solved.
            agrees(&format!("{what} {alpha} low"), Some(found.low), &limits[0], 1e-7, 1e-9);
            agrees(&format!("{what} {alpha} high"), Some(found.high), &limits[1], 1e-7, 1e-9);
        }
        // McNemar's test is the score at no difference.
        if let Some(p) = want["p"].as_f64().filter(|p| *p < 1.0) {
            let found = of.difference(p).expect("rows");
            let nearest = if of.first > of.second { found.low } else { found.high };
            assert!(nearest.abs() < 1e-9, "{what}: {found:?} at {p}");
        }
    }
}

/// Two versions' columns, the first's below the second's.
struct Made {
    label: Series,
    prediction: Series,
    score: Option<Series>,
    rows: usize,
}

fn compared(made: &Made, task: Task, paired: bool) -> Comparison {
    let versions = std::iter::repeat_n(Some("1"), made.rows).chain(std::iter::repeat_n(Some("2"), made.rows));
    let version = Coded::of_texts("version", versions);
    let request: Vec<Option<u128>> = (0..2 * made.rows).map(|at| paired.then_some((at % made.rows) as u128)).collect();
    let (prediction, score) = (Some(&made.prediction), made.score.as_ref());
    let columns = Columns { label: &made.label, prediction, score, scores: &[], group: None };
    let mut known = Labels::default();
    known.learn(&made.label);
    let limits = Limits { significance: 0.025, margin: 0.0, rows: 1, class_rows: 1 };
    let settings = Settings { champion: Some("1"), limits, looks: Looks::Once };
    let rows = Rows { version: &version, request: &request, at: None, columns };
    let found = compare(&rows, &Wanted::new(task, &known), &settings).expect("two versions");
    found.versions[1].against_champion.clone().expect("compared")
}

fn of<'a>(found: &'a Comparison, measure: &str) -> &'a Difference {
    found.differences.iter().find(|of| of.measure == measure).expect("measured")
}

fn hold_interval(what: &str, found: &Difference, want: &Value) {
    let interval = found.interval.expect("an interval");
    agrees(&format!("{what} low"), Some(interval.low), &want[0], 1e-7, 1e-9);
    agrees(&format!("{what} high"), Some(interval.high), &want[1], 1e-7, 1e-9);
}

fn hold_sides(what: &str, found: &Difference, want: &Value) {
    statistic(what, Some(found.champion), &want[0]);
    statistic(what, Some(found.challenger), &want[1]);
}

/// As `classes` in versions.py.
fn classes(want: &Value) -> Made {
    let (seed, how) = (want["seed"].as_u64().expect("a seed"), &want["how"]);
    let rows = how[0].as_u64().expect("rows");
    let [positives, apart, shared, steps] = [1, 2, 3, 4].map(|at| number(how, at));
    let label: Vec<i64> = (0..rows).map(|at| i64::from(uniform(seed, at) < positives)).collect();
    let score = |side: u64, at: u64| {
        let noise = shared * uniform(seed + 1, at) + (1.0 - shared) * uniform(seed + 2 + side, at);
        let positive = f64::from(u8::from(uniform(seed, at) < positives));
        let score = (noise + apart * (1.0 + side as f64) * positive) / (1.0 + 2.0 * apart);
        if steps > 0.0 { (score * steps).floor() / steps } else { score }
    };
    let scores: Vec<f64> =
        (0..2).flat_map(|side| (0..rows).map(move |at| (side, at))).map(|(s, at)| score(s, at)).collect();
    let said: Vec<i64> = scores.iter().map(|score| i64::from(*score >= 0.5)).collect();
    Made {
        label: Series::new("label".into(), [label.clone(), label].concat()),
        prediction: Series::new("prediction".into(), said),
        score: Some(Series::new("score".into(), scores)),
        rows: usize::try_from(rows).expect("few"),
    }
}

#[test]
fn classifiers_on_the_same_requests_agree_with_delong_mcnemar_and_the_paired_t_test() {
    for want in each(&values(), "classes") {
        let what = want["how"].to_string();
        let made = classes(want);
        let found = compared(&made, Task::Classification, true);
        for measure in ["accuracy", "f1", "roc_auc"] {
            hold_sides(&format!("{what} {measure}"), of(&found, measure), &want[measure]);
        }
        let mcnemar = found.mcnemar.expect("classes");
        assert_eq!(
            (Some(mcnemar.challenger_alone), Some(mcnemar.champion_alone)),
            (want["discordant"][0].as_u64(), want["discordant"][1].as_u64()),
            "{what}"
        );
        p_value(&format!("{what} McNemar"), Some(mcnemar.p_value), &want["mcnemar"]);
        hold_interval(&format!("{what} accuracy"), of(&found, "accuracy"), &want["tango"]);
        agrees(&format!("{what} DeLong"), of(&found, "roc_auc").standard_error, &want["delong"], 1e-9, 1e-9);
        hold_interval(&format!("{what} Brier"), of(&found, "brier"), &want["brier"]);
        statistic(&what, found.predictions.agreement.and_then(|of| of.value), &want["agreement"]);
        // Taken for different requests, the errors of both add up.
        let found = compared(&made, Task::Classification, false);
        hold_interval(&format!("{what} Newcombe"), of(&found, "accuracy"), &want["newcombe"]);
        assert_eq!((found.mcnemar, found.predictions.agreement), (None, None), "{what}");
    }
}

#[test]
fn amounts_on_the_same_requests_agree_with_the_paired_t_test() {
    for want in each(&values(), "amounts") {
        let (seed, how) = (want["seed"].as_u64().expect("a seed"), &want["how"]);
        let rows = how[0].as_u64().expect("rows");
        let shared = number(how, 3);
        let label: Vec<f64> = (0..rows).map(|at| 10.0 * uniform(seed, at)).collect();
        let said = |side: u64, at: u64| {
            let noise = shared * uniform(seed + 1, at) + (1.0 - shared) * uniform(seed + 2 + side, at) - 0.5;
            10.0 * uniform(seed, at) + number(how, if side == 0 { 1 } else { 2 }) * noise
        };
        let said: Vec<f64> =
            (0..2).flat_map(|side| (0..rows).map(move |at| (side, at))).map(|(s, at)| said(s, at)).collect();
        let made = Made {
            label: Series::new("label".into(), [label.clone(), label].concat()),
            prediction: Series::new("prediction".into(), said),
            score: None,
            rows: usize::try_from(rows).expect("few"),
        };
        let (found, what) = (compared(&made, Task::Regression, true), how.to_string());
        hold_sides(&what, of(&found, "mae"), &want["mae"]);
        hold_interval(&what, of(&found, "mae"), &want["difference"]);
        let means = found.predictions.shifts[0].interval.expect("an interval");
        agrees(&what, Some(means.low), &want["means"][0], 1e-7, 1e-9);
        agrees(&what, Some(means.high), &want["means"][1], 1e-7, 1e-9);
        statistic(&what, found.predictions.apart.and_then(|of| of.value), &want["apart"]);
    }
}
