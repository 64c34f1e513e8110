//! Figures of groups against fairlearn, and limits of shares against statsmodels (`tests/known/fairness.py` makes the values).

use plumbline::fairness::{Fairness, Rows, Settings, measure};
use plumbline::segment::coded::Coded;
use plumbline::stats::interval::{exact, wilson};
use polars::prelude::Series;
use serde_json::Value;

use super::peers::uniform;
use super::{agrees, data, each, root, statistic};

fn values() -> Value {
    let text = std::fs::read_to_string(root().join("tests/known/fairness.json")).expect("the values");
    serde_json::from_str(&text).expect("JSON")
}

/// Groups, what is selected, and what is positive, by row.
struct Made {
    group: Coded,
    selected: Vec<Option<bool>>,
    positive: Vec<Option<bool>>,
}

/// As `made` in fairness.py.
fn made(of: &Value) -> Made {
    let (how, seed) = (&of["how"], of["seed"].as_u64().expect("a seed"));
    let rows = how["rows"].as_u64().expect("rows");
    let shares = |key: &str| each(how, key).map(|share| share.as_f64().expect("a share")).collect::<Vec<_>>();
    let (selected, positive) = (shares("selected"), shares("positive"));
    let groups = selected.len() as u64;
    let even = how["even"] == true;
    let group = |at: u64| {
        let u = uniform(seed, at);
        let spread = (1..how["skew"].as_u64().unwrap_or(1)).fold(u, |spread, _| spread * u);
        if even { at % groups } else { (0..groups).rfind(|k| *k as f64 <= spread * groups as f64).unwrap_or(0) }
    };
    let is_missing = |key: &str, at: u64| at % how[key].as_u64().unwrap_or(rows + 1) == 1;
    let draw = |seed: u64, at: u64, shares: &[f64]| {
        uniform(seed, if even { at / groups } else { at }) < shares[usize::try_from(group(at)).expect("few")]
    };
    let names: Vec<Option<String>> =
        (0..rows).map(|at| (!is_missing("missing", at)).then(|| format!("g{:02}", group(at)))).collect();
    Made {
        group: Coded::of_texts("group", names.iter().map(Option::as_deref)),
        selected: (0..rows).map(|at| Some(draw(seed + 1, at, &selected))).collect(),
        positive: (0..rows).map(|at| (!is_missing("unlabelled", at)).then(|| draw(seed + 2, at, &positive))).collect(),
    }
}

fn hold(what: &str, got: &Fairness, want: &Value) {
    let told = serde_json::to_value(got).expect("JSON");
    for (name, want) in want["figures"].as_object().expect("figures") {
        let what = format!("{what} {name}");
        if want.is_null() {
            assert!(told[name].is_null(), "{what}: {}", told[name]);
        } else {
            statistic(&what, told[name].as_f64(), want);
        }
    }
    let Some(groups) = want["groups"].as_object() else { return };
    assert_eq!(got.groups.len(), groups.len(), "{what}");
    for (name, want) in groups {
        let group = told["groups"].as_array().expect("groups").iter().find(|group| group["name"] == name.as_str());
        let group = group.unwrap_or_else(|| panic!("{what}: no group {name}"));
        let rates = [
            "selection_rate",
            "accuracy",
            "true_positive_rate",
            "false_positive_rate",
            "true_negative_rate",
            "false_negative_rate",
            "precision",
        ];
        for rate in rates {
            let what = format!("{what} {name} {rate}");
            if want[rate].is_null() {
                assert!(group[rate].is_null(), "{what}: {}", group[rate]);
            } else {
                statistic(&what, group[rate]["value"].as_f64(), &want[rate]);
            }
        }
        for count in ["rows", "labelled"] {
            assert_eq!(group[count], want[count], "{what} {name}");
        }
        if !want["mean_score"].is_null() {
            // pandas adds the float32 up, as we read them, but in another order.
            agrees(
                &format!("{what} {name} score"),
                group["calibration"]["mean_score"].as_f64(),
                &want["mean_score"],
                1e-5,
                0.0,
            );
        }
    }
}

#[test]
fn groups_agree_with_fairlearn_where_some_lack_what_a_rate_needs() {
    let values = values();
    for want in each(&values, "made") {
        let Made { group, selected, positive } = made(want);
        let rows = Rows { selected: &selected, positive: &positive, score: &[] };
        let privileged = want["privileged"]["group"].as_str().map(str::to_owned);
        let got = measure(&group, &rows, &Settings { privileged, ..Settings::default() });
        let name = want["name"].as_str().expect("a name");
        hold(name, &got, want);
        let against = got.privileged.expect("named").all_others;
        let spd = &want["privileged"]["spd"];
        assert_eq!(against.is_none(), spd.is_null(), "{name}");
        if let Some(against) = against {
            statistic(name, Some(against.statistical_parity_difference.value), spd);
            match &want["privileged"]["dir"] {
                Value::Null => assert_eq!(against.disparate_impact_ratio, None, "{name}"),
                ratio => statistic(name, against.disparate_impact_ratio.map(|of| of.value), ratio),
            }
        }
    }
}

fn is_one(series: &Series) -> Vec<Option<bool>> {
    let values = series.cast(&polars::prelude::DataType::Int64).expect("whole numbers");
    values.i64().expect("whole numbers").iter().map(|value| value.map(|value| value == 1)).collect()
}

#[test]
fn groups_agree_with_fairlearn_on_real_data() {
    let values = values();
    for set in ["employment_reference", "employment_later", "housing_later"] {
        let data = data(&format!("{set}.parquet"));
        let [selected, positive] = ["prediction", "label"].map(|name| is_one(&data.column(name).expect("a column")));
        let score = data.column("score").expect("a column").cast(&polars::prelude::DataType::Float64).expect("numbers");
        let score: Vec<Option<f64>> = score.f64().expect("numbers").iter().collect();
        let rows = Rows { selected: &selected, positive: &positive, score: &score };
        for want in each(&values, "real").filter(|want| want["set"] == set) {
            let columns: Vec<Coded> = each(want, "attributes")
                .map(|name| data.column(name.as_str().expect("a name")).expect("a column"))
                .map(|column| Coded::of_series(&column).expect("values"))
                .collect();
            let attribute = match columns.as_slice() {
                [one] => one.clone(),
                [one, other] => one.crossed(other, 100),
                _ => panic!("one or two attributes"),
            };
            hold(&format!("{set} {}", attribute.name), &measure(&attribute, &rows, &Settings::default()), want);
        }
    }
}

#[test]
fn limits_of_shares_agree_with_statsmodels() {
    let values = values();
    for want in each(&values, "shares") {
        let count = |at: usize| want["counts"][at].as_u64().expect("a count");
        let alpha = want["alpha"].as_f64().expect("alpha");
        let what = want["counts"].to_string();
        let hold = |method: &str, low: f64, high: f64, relative: f64| {
            agrees(&format!("{what} {method} low"), Some(low), &want[method][0], relative, 1e-12);
            agrees(&format!("{what} {method} high"), Some(high), &want[method][1], relative, 1e-12);
        };
        let (one, other) =
            (wilson(count(0), count(1), alpha).expect("rows"), wilson(count(2), count(3), alpha).expect("rows"));
        hold("wilson", one.low, one.high, 1e-9);
        let difference = one.less(other);
        hold("difference", difference.low, difference.high, 1e-9);
        // From a thousand of either kind on ours is Wilson's.
        let exact = exact(count(0), count(1), alpha).expect("rows");
        hold("exact", exact.low, exact.high, if count(0) > 1000 { 1e-4 } else { 1e-8 });
    }
}
