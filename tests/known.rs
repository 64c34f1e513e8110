//! Known answers: every statistic against scipy, statsmodels and scikit-learn on real data (`tests/known/make.py` makes the values).

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot read its values has failed"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plumbline::dataset::Dataset;
use plumbline::drift::{Bins, Kind, Outcome, Pair, Sample, TESTS};
use plumbline::performance::{Columns, Labels, Performance, Task, Wanted, measure, regression};
use plumbline::stats::correction::benjamini_hochberg;
use plumbline::stats::cramer_von_mises;
use plumbline::stats::kolmogorov::{one_sample, two_sample_exact};
use plumbline::stats::tails::student;
use polars::prelude::{IdxCa, NamedFrom, Series};
use serde_json::Value;

#[path = "known/attribution.rs"]
mod attribution;
#[path = "known/estimate.rs"]
mod estimate;
#[path = "known/fairness.rs"]
mod fairness;
#[path = "known/infer.rs"]
mod infer;
#[path = "known/multi.rs"]
mod multi;
#[path = "known/peers.rs"]
mod peers;
#[path = "known/performance.rs"]
mod performance;
#[path = "known/stream.rs"]
mod stream;
#[path = "known/versions.rs"]
mod versions;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn values() -> Value {
    let text = std::fs::read_to_string(root().join("tests/known/values.json")).expect("the values");
    serde_json::from_str(&text).expect("JSON")
}

fn data(name: &str) -> Dataset {
    Dataset::open(Path::new(&root().join("tests/known/data").join(name))).expect("real data")
}

/// Relative to the size of the wanted value, absolute near zero.
fn agrees(what: &str, got: Option<f64>, want: &Value, relative: f64, absolute: f64) {
    let want = want.as_f64().unwrap_or_else(|| panic!("{what}: no wanted value"));
    let got = got.unwrap_or_else(|| panic!("{what}: undefined, wanted {want}"));
    let error = (got - want).abs();
    assert!(error <= absolute || error <= relative * want.abs(), "{what}: {got} is not {want} (off by {error:e})");
}

fn statistic(what: &str, got: Option<f64>, want: &Value) {
    agrees(what, got, want, 1e-9, 1e-12);
}

fn p_value(what: &str, got: Option<f64>, want: &Value) {
    // Below the smallest normal number there is no relative precision to hold to.
    agrees(what, got, want, 1e-6, f64::MIN_POSITIVE);
}

fn each<'a>(values: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    let list = values[key].as_array().unwrap_or_else(|| panic!("no list {key}"));
    assert!(!list.is_empty(), "{key} is empty");
    list.iter()
}

fn outcomes(reference: &Sample, current: &Sample) -> BTreeMap<&'static str, Outcome> {
    let bins = Bins::of(reference);
    let pair = Pair::new(&bins, reference, current);
    TESTS.iter().filter(|t| t.kinds.contains(&reference.kind())).map(|t| (t.name, t.run(&pair))).collect()
}

/// Holds one test's outcome to a distance, to a statistic with its p-value, or to being undefined.
fn hold_test(what: &str, got: Outcome, want: &Value) {
    match want {
        Value::Null => assert_eq!(got, Outcome::default(), "{what}"),
        // One bin alone has no chi-squared test for us; scipy calls it 0 with certainty.
        Value::Object(_) if want["df"].as_f64() == Some(0.0) => assert_eq!(got, Outcome::default(), "{what}"),
        Value::Object(_) => {
            match &want["statistic"] {
                Value::Null => assert_eq!(got.statistic, None, "{what}"),
                number => statistic(what, got.statistic, number),
            }
            p_value(&format!("{what} p"), got.p_value, &want["p_value"]);
        }
        distance => statistic(what, got.statistic, distance),
    }
}

fn hold_tests(name: &str, got: &BTreeMap<&'static str, Outcome>, want: &Value) {
    for (test, want) in want["tests"].as_object().expect("tests") {
        hold_test(&format!("{name} {test}"), got[test.as_str()], want);
    }
}

fn hold(name: &str, want: &Value, reference: &Sample, current: &Sample) {
    let got = outcomes(reference, current);
    assert_eq!(got.len(), want["tests"].as_object().expect("tests").len(), "{name}: every test of the kind is known");
    hold_tests(name, &got, want);
    let counts = Bins::of(reference).count_both(reference, current);
    let listed =
        |key: &str| want[key].as_array().expect("counts").iter().map(|v| v.as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(counts.reference, listed("reference_counts"), "{name}");
    assert_eq!(counts.current, listed("current_counts"), "{name}");
}

fn kind(want: &Value) -> Kind {
    if want["kind"] == "numeric" { Kind::Numeric } else { Kind::Categorical }
}

#[test]
fn drift_agrees_with_scipy_on_real_data() {
    let values = values();
    for set in ["housing", "employment"] {
        let (reference, later) = (data(&format!("{set}_reference.parquet")), data(&format!("{set}_later.parquet")));
        for want in each(&values["drift"], set) {
            let name = want["name"].as_str().expect("a name");
            let sample =
                |data: &Dataset| Sample::of(&data.column(name).expect("a column"), kind(want)).expect("usable");
            hold(&format!("{set} {name}"), want, &sample(&reference), &sample(&later));
        }
    }
}

#[test]
fn drift_agrees_with_scipy_where_values_are_missing_or_tied() {
    let values = values();
    for want in each(&values, "drift_missing") {
        let sample = |side: &str| {
            let list = want[side].as_array().expect("a side").iter();
            match kind(want) {
                Kind::Numeric | Kind::Embedding => Sample::numeric(list.map(Value::as_f64)),
                Kind::Categorical => Sample::categorical(list.map(|v| v.as_str().map(str::to_owned))),
            }
        };
        hold(want["name"].as_str().expect("a name"), want, &sample("reference"), &sample("current"));
    }
}

#[test]
fn drift_agrees_with_scipy_however_far_apart_numbers_lie() {
    let values = values();
    for want in each(&values, "shifted") {
        let number = |key: &str| want[key].as_f64().expect("a number");
        let (n, m, step) = (number("n"), number("m"), number("step"));
        let stepped = |value: f64| if step > 0.0 { (value / step).floor() * step } else { value };
        let places = |size: &str| (0..want[size].as_u64().expect("a number")).map(|i| i as f64);
        let reference = Sample::numeric(places("n").map(|i| Some(stepped(i / n + 0.5 / n))));
        let current = places("m").map(|i| (i / m + 0.25 / m) * number("stretch") + number("shift"));
        let current = Sample::numeric(current.map(|value| Some(stepped(value))));
        let name = format!("{n} against {m}, moved by {}, in steps of {step}", number("shift"));
        hold_tests(&name, &outcomes(&reference, &current), want);
    }
}

#[test]
fn tables_of_two_by_two_agree_with_scipy_and_statsmodels() {
    let values = values();
    for want in each(&values, "tables") {
        let side = |row: usize| {
            let count = |column: usize| want["rows"][row][column].as_u64().expect("a count");
            let named = [("b", count(0)), ("a", count(1))].into_iter().filter(|(_, count)| *count > 0);
            Sample::Categorical { counts: named.map(|(name, count)| (name.to_owned(), count)).collect(), missing: 0 }
        };
        hold_tests(&want["rows"].to_string(), &outcomes(&side(0), &side(1)), want);
    }
}

#[test]
fn the_tails_of_students_distribution_agree_with_scipy() {
    let values = values();
    for want in each(&values, "student_sf") {
        let (t, freedom) = (want["t"].as_f64().expect("t"), want["df"].as_f64().expect("df"));
        p_value(&format!("t {t}, {freedom} degrees"), student(t, freedom), &want["p"]);
    }
}

#[test]
fn the_limit_of_cramer_and_von_mises_agrees_with_many_digits() {
    let values = values();
    for want in each(&values, "cramer_sf") {
        let x = want["x"].as_f64().expect("x");
        p_value(&format!("x {x}"), Some(cramer_von_mises::limit(x)), &want["p"]);
    }
}

#[test]
fn the_exact_distribution_agrees_with_scipy() {
    let values = values();
    for want in each(&values, "ks_exact") {
        let number = |key: &str| want[key].as_u64().expect("a number");
        let (n, m) = (number("n1"), number("n2"));
        let steps = number("numerator") * (n * m / number("lcm"));
        p_value(&format!("{n} against {m}, {steps} steps"), two_sample_exact(n, m, steps), &want["p"]);
    }
}

#[test]
fn the_one_sample_distribution_agrees_with_scipy() {
    let values = values();
    for want in each(&values, "kstwo_sf") {
        let (n, d) = (want["n"].as_u64().expect("n"), want["d"].as_f64().expect("d"));
        // Beyond a million values scipy approximates the sum that we take whole.
        let relative = if n > 1_000_000 { 0.05 } else { 1e-6 };
        agrees(&format!("n {n}, d {d}, by {}", want["by"]), one_sample(n, d), &want["p"], relative, f64::MIN_POSITIVE);
    }
}

#[test]
fn the_upper_tail_of_chi_squared_agrees_with_scipy() {
    let values = values();
    for want in each(&values, "chi2_sf") {
        let (x, freedom) = (want["x"].as_f64().expect("x"), want["df"].as_f64().expect("df"));
        let got = statrs::function::gamma::checked_gamma_ur(freedom / 2.0, x / 2.0).ok();
        p_value(&format!("x {x}, {freedom} degrees"), got, &want["p"]);
    }
}

#[test]
fn the_correction_agrees_with_scipy() {
    let values = values();
    for want in each(&values, "benjamini_hochberg") {
        let p: Vec<Option<f64>> = want["p"].as_array().expect("p").iter().map(Value::as_f64).collect();
        for (got, want) in benjamini_hochberg(&p).into_iter().zip(want["adjusted"].as_array().expect("adjusted")) {
            statistic("corrected", got, want);
        }
    }
}

fn hold_classification(what: &str, got: &Performance, want: &Value) {
    let undefined: Vec<&str> =
        want["undefined"].as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
    let rows = want["rows"].as_u64().expect("rows");
    assert_eq!(got.rows, rows, "{what}");
    let measures: BTreeMap<&str, f64> = got.measures().collect();
    for measure in ["accuracy", "precision", "recall", "f1", "roc_auc", "brier", "log_loss"] {
        let got = measures.get(measure).copied();
        if undefined.contains(&measure) {
            assert_eq!(got, None, "{what} {measure}: scikit-learn warns and gives 0");
        } else {
            statistic(&format!("{what} {measure}"), got, &want[measure]);
        }
    }
}

#[test]
fn classification_agrees_with_scikit_learn() {
    let values = values();
    for (set, parts) in values["classification"].as_object().expect("sets") {
        let data = data(&format!("{set}.parquet"));
        let columns = ["label", "prediction", "score"].map(|name| data.column(name).expect("a column"));
        let time = data.column("timestamp").expect("a column");
        let months: Vec<String> = time
            .datetime()
            .expect("a time")
            .physical()
            .iter()
            .map(|ms| jiff::Timestamp::from_millisecond(ms.expect("a time")).unwrap().to_string())
            .collect();
        let mut known = Labels::default();
        known.learn(&columns[0]);
        assert_eq!(known.task(), Some(Task::Classification));
        for (part, want) in parts.as_object().expect("parts") {
            let rows: Vec<u32> = (0..)
                .zip(&months)
                .filter(|(_, at)| part == "all" || at.starts_with(part.as_str()))
                .map(|(i, _)| i)
                .collect();
            let rows = IdxCa::new("rows".into(), rows);
            let [label, prediction, score] = columns.each_ref().map(|column| column.take(&rows).expect("rows"));
            let columns =
                Columns { label: &label, prediction: Some(&prediction), score: Some(&score), scores: &[], group: None };
            let (got, _) = measure(&columns, &Wanted::new(Task::Classification, &known));
            hold_classification(&format!("{set} {part}"), &got, want);
        }
    }
}

#[test]
fn many_classes_agree_with_scikit_learn() {
    let values = values();
    for want in each(&values, "multi_class") {
        let names = |key: &str| {
            let names: Vec<&str> = want[key].as_array().expect("names").iter().filter_map(Value::as_str).collect();
            Series::new(key.into(), names)
        };
        let (label, prediction) = (names("label"), names("prediction"));
        let columns = Columns { label: &label, prediction: Some(&prediction), score: None, scores: &[], group: None };
        let none = Labels::default();
        let (got, _) = measure(&columns, &Wanted::new(Task::Classification, &none));
        statistic("accuracy", got.accuracy, &want["accuracy"]);
        statistic("precision", got.precision, &want["macro_precision"]);
        statistic("recall", got.recall, &want["macro_recall"]);
        statistic("f1", got.f1, &want["macro_f1"]);
        assert_eq!(got.roc_auc, None);
    }
}

#[test]
fn regression_agrees_with_scikit_learn() {
    let values = values();
    let hold = |got: &Performance, want: &Value| {
        statistic("mae", got.mae, &want["mean_absolute_error"]);
        statistic("rmse", got.rmse, &want["root_mean_squared_error"]);
        statistic("r2", got.r2, &want["r2_score"]);
    };
    let given = &values["regression"]["given"];
    let list = |key: &str| given[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let pairs: Vec<(f64, f64)> = list("label").into_iter().zip(list("prediction")).collect();
    hold(&regression::measure(&pairs, None), given);
    let data = data("housing_later.parquet");
    let (label, prediction) = (data.column("MedInc").unwrap(), data.column("AveRooms").unwrap());
    let columns = Columns { label: &label, prediction: Some(&prediction), score: None, scores: &[], group: None };
    let none = Labels::default();
    let (got, _) = measure(&columns, &Wanted::new(Task::Regression, &none));
    hold(&got, &values["regression"]["housing_later"]);
}
