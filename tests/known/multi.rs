//! What NannyML says of many columns together, and ours must say, too (`tests/known/multi.py` makes the values).

use plumbline::dataset::Dataset;
use plumbline::drift::modes::nannyml;
use plumbline::drift::multi::Column;
use plumbline::drift::multi::classifier::Classifier;
use plumbline::drift::multi::mmd::Mmd;
use plumbline::drift::multi::reconstruction::Reconstruction;
use polars::prelude::DataType;
use serde_json::Value;

use super::peers::uniform;
use super::{agrees, data, each, root};

fn bell(seed: u64, at: u64) -> f64 {
    (0..12).fold(0.0, |sum, i| sum + uniform(seed, at * 12 + i)) - 6.0
}

/// As `made` in multi.py.
fn made(set: &Value, side: usize) -> Vec<Column> {
    let seed = set["seed"].as_u64().expect("a seed") + 50 * side as u64;
    let rows = set["rows"][side].as_u64().expect("rows");
    let described = each(set, ["reference", "current"][side]);
    let mut columns: Vec<Column> = (0..)
        .zip(described)
        .map(|(which, column)| {
            let [first, second, own, mean] = [0, 1, 2, 3].map(|at| column[at].as_f64().expect("a number"));
            let missing = column[4].as_u64().expect("a number");
            let value =
                |at| first * bell(seed, at) + second * bell(seed + 1, at) + own * bell(seed + 2 + which, at) + mean;
            let is_missing = |at: u64| missing > 0 && at.is_multiple_of(missing);
            Column::Numbers((0..rows).map(|at| (!is_missing(at)).then(|| value(at))).collect())
        })
        .collect();
    let names = set["names"][side].as_u64().expect("names");
    if names > 0 {
        let name = |at| format!("n{}", (uniform(seed, at).min(uniform(seed + 1, at)) * names as f64).floor());
        columns.push(Column::Names((0..rows).map(|at| (!u64::is_multiple_of(at, 9)).then(|| name(at))).collect()));
    }
    columns
}

fn read(data: &Dataset, name: &str) -> Column {
    let series = data.column(name).expect("a column");
    match series.str() {
        Ok(names) => Column::Names(names.iter().map(|name| name.map(str::to_owned)).collect()),
        Err(_) => Column::Numbers(series.cast(&DataType::Float64).expect("numbers").f64().unwrap().iter().collect()),
    }
}

fn hold(what: &str, reference: &[Column], current: &[Column], want: &Value) {
    let number = |what: &str, got: Option<f64>, want: &Value| agrees(what, got, want, 1e-9, 1e-12);
    let fitted = Reconstruction::of(reference).expect("defined");
    assert_eq!(Some(fitted.components() as u64), want["components"].as_u64(), "{what}");
    assert_eq!(fitted.reference.len(), each(want, "reference").count(), "{what}");
    for (at, (got, want)) in fitted.reference.iter().zip(each(want, "reference")).enumerate() {
        number(&format!("{what}, chunk {at} of the reference"), Some(*got), want);
    }
    number(&format!("{what}, upper"), Some(fitted.upper), &want["upper"]);
    match &want["lower"] {
        Value::Null => assert_eq!(fitted.lower, None, "{what}"),
        lower => number(&format!("{what}, lower"), fitted.lower, lower),
    }
    let chunks = nannyml::chunks(current[0].rows());
    assert_eq!(chunks.len(), each(want, "current").count(), "{what}");
    for (at, (chunk, (error, drift))) in
        chunks.into_iter().zip(each(want, "current").zip(each(want, "drift"))).enumerate()
    {
        let got = fitted.error(current, chunk);
        number(&format!("{what}, chunk {at}"), got, error);
        assert_eq!(got.map(|error| fitted.is_drift(error)), drift.as_bool(), "{what}, chunk {at}");
    }
}

fn values() -> Value {
    let text = std::fs::read_to_string(root().join("tests/known/multi.json")).expect("the values");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_reconstruction_error_agrees_with_nannyml_on_made_columns() {
    for set in each(&values(), "sets") {
        hold(set["name"].as_str().expect("a name"), &made(set, 0), &made(set, 1), &set["found"]);
    }
}

#[test]
fn the_reconstruction_error_agrees_with_nannyml_on_real_data() {
    for set in each(&values(), "real") {
        let name = set["name"].as_str().expect("a name");
        let [reference, later] = ["reference", "later"].map(|side| {
            let data = data(&format!("{name}_{side}.parquet"));
            each(set, "columns").map(|column| read(&data, column.as_str().expect("a name"))).collect::<Vec<_>>()
        });
        hold(name, &reference, &later, set);
    }
}

#[test]
fn the_classifier_agrees_with_scikit_learn() {
    for set in each(&values(), "sets") {
        let (what, want) = (&set["name"], &set["classifier"]);
        let got = Classifier::of(&made(set, 0), &made(set, 1)).expect("defined");
        // A pair of rows whose scores differ in the last digits may be in another order.
        agrees(&format!("{what} auc"), Some(got.auc), &want["auc"], 1e-5, 0.0);
        agrees(&format!("{what} lower"), Some(got.interval.0), &want["lower"], 1e-5, 0.0);
    }
}

#[test]
fn the_discrepancy_agrees_with_numpy() {
    // Larger ones take minutes where the code is not optimised.
    let is_small = |set: &&Value| each(set, "rows").filter_map(Value::as_u64).sum::<u64>() <= 500;
    for set in each(&values(), "sets").filter(is_small) {
        let (what, want) = (&set["name"], &set["mmd"]);
        let got = Mmd::of(&made(set, 0), &made(set, 1)).expect("defined");
        agrees(&format!("{what} squared"), Some(got.squared), &want["squared"], 1e-9, 1e-12);
        agrees(&format!("{what} width"), Some(got.width), &want["width"], 1e-9, 0.0);
        agrees(&format!("{what} p"), Some(got.p_value), &want["p_value"], 1e-12, 0.0);
    }
}
