//! What scikit-learn says of predictions and labels (`tests/known/performance.py` makes the values).

use plumbline::performance::detail::{Detail, Shares};
use plumbline::performance::figure::Figure;
use plumbline::performance::{Columns, Labels, Performance, Task, Wanted, measure, regression};
use polars::prelude::{NamedFrom, Series};
use serde_json::Value;

use super::peers::uniform;
use super::{data, each, root, statistic};

fn values() -> Value {
    let text = std::fs::read_to_string(root().join("tests/known/performance.json")).expect("the values");
    serde_json::from_str(&text).expect("JSON")
}

fn classified(label: &Series, prediction: &Series, score: &Series) -> (Performance, Detail) {
    let columns = Columns { label, prediction: Some(prediction), score: Some(score), scores: &[], group: None };
    let none = Labels::default();
    let (measured, detail) = measure(&columns, &Wanted::new(Task::Classification, &none));
    (measured, detail.expect("classes"))
}

fn counts(rows: &Value) -> Vec<Vec<u64>> {
    serde_json::from_value(rows.clone()).expect("counts")
}

fn numbers(list: &Value) -> Vec<f64> {
    serde_json::from_value(list.clone()).expect("numbers")
}

fn hold_binary(what: &str, (measured, detail): &(Performance, Detail), want: &Value) {
    for (name, got) in [("pr_auc", measured.pr_auc), ("specificity", measured.specificity), ("ece", measured.ece)] {
        statistic(&format!("{what} {name}"), got, &want[name]);
    }
    assert_eq!(detail.confusion, counts(&want["confusion"]), "{what}");
    let bins: Vec<_> = detail.reliability.iter().filter(|bin| bin.rows > 0).collect();
    assert_eq!(bins.len(), numbers(&want["realised"]).len(), "{what}");
    for (at, bin) in bins.iter().enumerate() {
        statistic(&format!("{what} bin {at}"), bin.realised, &want["realised"][at]);
        statistic(&format!("{what} bin {at}"), bin.score, &want["score"][at]);
    }
}

#[test]
fn two_classes_agree() {
    let values = values();
    for (name, want) in values["real"].as_object().expect("sets") {
        let data = data(&format!("{name}.parquet"));
        let [label, prediction, score] =
            ["label", "prediction", "score"].map(|name| data.column(name).expect("a column"));
        hold_binary(name, &classified(&label, &prediction, &score), want);
    }
    for want in each(&values, "binary") {
        let (seed, ties) = (want["seed"].as_u64().expect("a seed"), want["ties"].as_f64().expect("ties"));
        let rows = want["rows"].as_u64().expect("rows");
        let score = |at| if ties > 0.0 { (uniform(seed, at) * ties).floor() / ties } else { uniform(seed, at) };
        let scores: Vec<f64> = (0..rows).map(score).collect();
        let label: Vec<i64> = (0..).zip(&scores).map(|(at, s)| i64::from(uniform(seed + 1, at) < s * s)).collect();
        let prediction: Vec<i64> = scores.iter().map(|score| i64::from(*score >= 0.5)).collect();
        let series = |of: Vec<i64>| Series::new("c".into(), of);
        let found = classified(&series(label), &series(prediction), &Series::new("s".into(), scores));
        hold_binary(&format!("made {seed}"), &found, want);
    }
}

#[test]
fn many_classes_with_scores_agree() {
    for want in each(&values(), "classes") {
        let (seed, rows) = (want["seed"].as_u64().expect("a seed"), want["rows"].as_u64().expect("rows"));
        let count = want["count"].as_u64().expect("classes");
        let mut scores: Vec<Vec<f64>> =
            (0..count).map(|k| (0..rows).map(|at| uniform(seed + k, at) + 0.001).collect()).collect();
        let mut label = Vec::new();
        for at in 0..usize::try_from(rows).expect("few") {
            let whole: f64 = scores.iter().map(|of| of[at]).sum();
            for of in &mut scores {
                of[at] /= whole;
            }
            let likeliest = (0..scores.len()).reduce(|a, b| if scores[b][at] > scores[a][at] { b } else { a });
            let drawn = (0..count).rev().find(|k| uniform(seed + 100, at as u64) * count as f64 >= *k as f64);
            let of_likeliest = uniform(seed + 200, at as u64) < 0.5;
            label.push(if of_likeliest { likeliest.expect("a class") as u64 } else { drawn.expect("a class") });
        }
        let label = Series::new("l".into(), label);
        let scores: Vec<(String, Series)> =
            (0..).zip(scores).map(|(k, of): (u64, _)| (k.to_string(), Series::new("s".into(), of))).collect();
        let columns = Columns { label: &label, prediction: None, score: None, scores: &scores, group: None };
        let none = Labels::default();
        let (measured, detail) = measure(&columns, &Wanted::new(Task::Classification, &none));
        let detail = detail.expect("classes");
        let what = format!("{count} classes");
        for (name, got) in [("roc_auc", measured.roc_auc), ("log_loss", measured.log_loss), ("brier", measured.brier)] {
            statistic(&format!("{what} {name}"), got, &want[name]);
        }
        for (class, want) in detail.classes.iter().zip(want["of_classes"].as_array().expect("areas")) {
            statistic(&format!("{what} {}", class.class), class.roc_auc.value, want);
        }
        assert_eq!(detail.confusion, counts(&want["confusion"]), "{what}");
        let hold = |name: &str, shares: &Shares| {
            let all: [(usize, Figure); 3] = [(0, shares.precision), (1, shares.recall), (2, shares.f1)];
            for (at, figure) in all {
                statistic(&format!("{what} {name} {at}"), figure.value, &want["averages"][name][at]);
            }
        };
        hold("macro", &detail.macro_average);
        hold("micro", &detail.micro_average);
        hold("weighted", &detail.weighted_average);
    }
}

#[test]
fn what_is_ranked_agrees() {
    for want in each(&values(), "ranking") {
        let number = |key: &str| want[key].as_u64().expect("a number");
        let (seed, ties, size) = (number("seed"), number("ties") as f64, number("size"));
        let rows = 0..number("groups") * size;
        let score = |at| if ties > 0.0 { (uniform(seed, at) * ties).floor() / ties } else { uniform(seed, at) };
        let series = |of: Vec<f64>| Series::new("c".into(), of);
        let label = series(rows.clone().map(|at| (uniform(seed + 1, at) * 4.0).floor()).collect());
        let group = Series::new("g".into(), rows.clone().map(|at| at / size).collect::<Vec<u64>>());
        let score = series(rows.map(score).collect());
        let columns =
            Columns { label: &label, prediction: Some(&score), score: None, scores: &[], group: Some(&group) };
        let none = Labels::default();
        let top = usize::try_from(number("top")).expect("few");
        let (measured, _) = measure(&columns, &Wanted { top, ..Wanted::new(Task::Regression, &none) });
        statistic(&format!("ndcg of {seed}"), measured.ndcg, &want["ndcg"]);
    }
}

#[test]
fn amounts_agree() {
    for want in each(&values(), "regression") {
        let (seed, rows) = (want["seed"].as_u64().expect("a seed"), want["rows"].as_u64().expect("rows"));
        let label = |at| uniform(seed, at) * 10.0 + 1.0;
        let pairs: Vec<(f64, f64)> =
            (0..rows).map(|at| (label(at), label(at) + uniform(seed + 1, at) * 3.0 - 1.0)).collect();
        let found = regression::measure(&pairs, want["level"].as_f64());
        for (name, got) in
            [("mape", found.mape), ("quantile_loss", found.quantile_loss), ("mae", found.mae), ("r2", found.r2)]
        {
            statistic(&format!("{name} of {seed}"), got, &want[name]);
        }
    }
}
