//! What statsmodels, scipy and scikit-learn make of a change, and ours must, too (`tests/known/attribution.py` makes the values).

use plumbline::attribution::split::{Part, Side, split};
use plumbline::attribution::{Settings, Sides, attribute, inputs, relation};
use plumbline::performance::numbers;
use plumbline::segment::axis::{Axis, Column};
use plumbline::segment::coded::Coded;
use serde_json::Value;

use super::peers::uniform;
use super::{agrees, data, each, p_value, root, statistic};

fn values() -> Value {
    let text = std::fs::read_to_string(root().join("tests/known/attribution.json")).expect("the values");
    serde_json::from_str(&text).expect("JSON")
}

fn side([values, expected, ratio]: &[Vec<f64>; 3]) -> Side<'_> {
    Side { values, expected, ratio }
}

/// All that there is, told or not.
fn all() -> Settings {
    Settings { alpha: 1.0, margin: -1.0, most: 100, ..Settings::default() }
}

fn column(set: &Value, name: &str) -> Vec<f64> {
    each(set, name).map(|value| value.as_f64().expect("a number")).collect()
}

fn hold(what: &str, got: Option<Part>, want: &Value) {
    let part = got.unwrap_or_else(|| panic!("{what}: undefined"));
    for (end, got) in [("value", part.change.value), ("low", part.change.low), ("high", part.change.high)] {
        statistic(&format!("{what} {end}"), Some(got), &want[end]);
    }
    p_value(&format!("{what} p"), Some(part.p_value), &want["p_value"]);
}

#[test]
fn a_split_agrees_with_weighted_least_squares() {
    let want = &values()["split"];
    let columns = |side: &str| ["value", "expected", "ratio"].map(|name| column(&want[side], name));
    let (before, now) = (columns("reference"), columns("current"));
    let (reference, current) = (&side(&before), &side(&now));
    let (found, of) = (split(reference, current, 0.0, &Settings::default()), &want["found"]);
    hold("other inputs", found.other_inputs, &of["other_inputs"]);
    hold("another relation", found.another_relation, &of["another_relation"]);
    for (name, got) in [
        ("unseen", found.unseen),
        ("unseen_share", Some(found.unseen_share)),
        ("effective_rows", Some(found.effective_rows)),
    ] {
        statistic(name, got, &of[name]);
    }
    assert_eq!(Some(found.trimmed), of["trimmed"].as_u64());
    // Where the relation changed: Cochran's Q over the values of a column.
    let axes: Vec<Axis> = each(want, "relation")
        .map(|of| {
            let name = of["column"].as_str().expect("a name");
            let both = ["reference", "current"].into_iter().flat_map(|side| each(&want[side], name));
            let coded = Coded::of_texts(name, both.map(Value::as_str));
            Axis::of(&Column::Values(coded)).expect("it varies")
        })
        .collect();
    let leads = relation::leads(&axes, (reference, current), -1.0, &all());
    for of in each(want, "relation") {
        let lead = leads.iter().find(|lead| of["column"] == lead.feature.as_str()).expect("all are told");
        p_value(&format!("{} p", lead.feature), Some(lead.p_value), &of["p_value"]);
        statistic(&format!("{} spread", lead.feature), Some(lead.spread), &of["spread"]);
    }
}

#[test]
fn what_a_feature_explains_agrees_with_its_shares() {
    let (before, now) = (data("employment_reference.parquet"), data("employment_later.parquet"));
    let both = |name: &str| {
        let mut whole = before.column(name).expect("a column").slice(0, 20_000);
        whole.append(&now.column(name).expect("a column").slice(-15_000, 15_000)).expect("of one type");
        whole
    };
    let wrong: Vec<f64> = numbers(&both("prediction"))
        .into_iter()
        .zip(numbers(&both("label")))
        .map(|(told, label)| f64::from(u8::from(told != label)))
        .collect();
    let want = &values();
    let axis = |of: &Value| {
        let name = of["column"].as_str().expect("a name");
        Axis::of(&Column::Values(Coded::of_series(&both(name)).expect("names"))).expect("it varies")
    };
    let axes: Vec<Axis> = each(want, "inputs").map(axis).collect();
    let leads = inputs::leads(&axes, wrong.split_at(20_000), -1.0, &all());
    assert_eq!(leads.len(), axes.len());
    for of in each(want, "inputs") {
        let lead = leads.iter().find(|lead| of["column"] == lead.feature.as_str()).expect("all are told");
        statistic(&format!("{} explains", lead.feature), Some(lead.explains.value), &of["explains"]);
        let error = (lead.explains.high - lead.explains.low) / 2.0 / 1.959_963_984_540_054;
        statistic(&format!("{} error", lead.feature), Some(error), &of["error"]);
        p_value(&format!("{} p", lead.feature), Some(lead.p_value), &of["p_value"]);
    }
}

/// Rows that were drawn from the reference by age: other inputs, and the relation is the same.
#[test]
fn rows_chosen_by_age_are_other_inputs_and_no_other_relation() {
    let want = &values()["chosen"];
    let all = data("employment_reference.parquet");
    let age = numbers(&all.column("AGEP").expect("ages"));
    let is_chosen = |at: usize| {
        let chance = age[at].map_or(0.05, |age| ((age - 10.0) / 60.0).clamp(0.05, 1.0));
        at % 14 == 7 && uniform(7, at as u64) < chance
    };
    let before: Vec<usize> = (0..age.len()).filter(|at| at % 14 == 0).collect();
    let now: Vec<usize> = (0..age.len()).filter(|at| is_chosen(*at)).collect();
    assert_eq!(
        [before.len() as u64, now.len() as u64].map(Value::from).as_slice(),
        want["rows"].as_array().expect("rows")
    );
    let places = [before.as_slice(), &now].concat();
    let some = |of: &[Option<f64>]| -> Vec<Option<f64>> { places.iter().map(|place| of[*place]).collect() };
    let of = |name: &str| all.column(name).expect("a column");
    let wrong: Vec<Option<f64>> = some(&numbers(&of("prediction")))
        .into_iter()
        .zip(some(&numbers(&of("label"))))
        .map(|(told, label)| Some(f64::from(u8::from(told != label))))
        .collect();
    let mut columns = vec![Column::Numbers { name: "AGEP".to_owned(), values: some(&age) }];
    for name in ["SCHL", "MAR", "RELP", "DIS", "CIT", "MIG", "SEX"] {
        let coded = Coded::of_series(&of(name)).expect("names");
        let codes = places.iter().map(|place| coded.codes[*place]).collect();
        columns.push(Column::Values(Coded { codes, ..coded }));
    }
    let sides = Sides { columns: &columns, values: &wrong, reference: before.len() };
    let found = attribute(&sides, &Settings::default()).expect("it can be told");
    let (inputs, relation) = (found.split.other_inputs.expect("told"), found.split.another_relation.expect("told"));
    assert!(inputs.told && inputs.change.holds(want["truth"].as_f64().expect("the truth")), "{inputs:?}");
    assert!(!relation.told && relation.change.holds(0.0) && found.relation.is_empty(), "{relation:?}");
    assert!(found.inputs.iter().any(|lead| lead.feature == "AGEP"), "{:?}", found.inputs);
    // Other trees on other folds: a third of the interval at most.
    let peer = &want["scikit_learn"];
    agrees("other inputs", Some(inputs.change.value), &peer["other_inputs"]["value"], 0.0, 0.003);
    agrees("another relation", Some(relation.change.value), &peer["another_relation"]["value"], 0.0, 0.006);
    agrees("effective rows", Some(found.split.effective_rows), &peer["effective_rows"], 0.1, 0.0);
}
