//! What Evidently and NannyML say of columns, and the modes that must say the same (`tests/known/peers.py` makes the values).

use plumbline::drift::modes::{Decision, Mode, evidently, nannyml};
use plumbline::drift::{Kind, Sample};
use serde_json::Value;

use super::{agrees, data, each, root};

fn values() -> Value {
    let text = std::fs::read_to_string(root().join("tests/known/peers.json")).expect("the values");
    serde_json::from_str(&text).expect("JSON")
}

/// A column before it is a sample, as chunks are cut from it.
enum Column {
    Numbers(Vec<Option<f64>>),
    Names(Vec<Option<String>>),
}

impl Column {
    fn sample(&self) -> Sample {
        self.part(0..self.rows())
    }

    fn part(&self, rows: std::ops::Range<usize>) -> Sample {
        match self {
            Self::Numbers(values) => Sample::numeric(values[rows].iter().copied()),
            Self::Names(values) => Sample::categorical(values[rows].iter().cloned()),
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Names(values) => values.len(),
        }
    }
}

/// splitmix64 of a counter, as 53 bits of [0, 1).
pub fn uniform(seed: u64, at: u64) -> f64 {
    let mut z = seed.wrapping_mul(0xBF58_476D_1CE4_E5B9).wrapping_add((at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 / 9_007_199_254_740_992.0
}

/// As `made` in peers.py.
fn made(side: &Value, seed: u64, rows: u64) -> Column {
    let number = |key: &str, default: f64| side[key].as_f64().unwrap_or(default);
    let (tilt, shift, scale) = (number("tilt", 0.0), number("shift", 0.0), number("scale", 1.0));
    let each_so_many = |key: &str, at: u64, rest: u64| side[key].as_u64().is_some_and(|every| at % every == rest);
    let tilted = |at: u64| {
        let u = uniform(seed, at);
        u * (1.0 - tilt + tilt * u)
    };
    let how = side["how"].as_str().expect("how");
    if how == "zipf" {
        let levels = side["levels"].as_u64().expect("levels");
        let cumulative: Vec<f64> = (1..=levels)
            .scan(0.0, |sum, level| {
                *sum += 1.0 / level as f64;
                Some(*sum)
            })
            .collect();
        let all = cumulative.last().expect("a level");
        let name = |at: u64| {
            let picked = tilted(at) * all;
            let name = format!("c{:04}", cumulative.partition_point(|edge| *edge <= picked));
            let new = uniform(seed + 1, at) < number("new", 0.0);
            (!each_so_many("missing", at, 0)).then(|| if new { "new".to_owned() } else { name })
        };
        return Column::Names((0..rows).map(name).collect());
    }
    let value = |at: u64| {
        let bell = || ((0..12).fold(0.0, |sum, i| sum + uniform(seed, at * 12 + i)) - 6.0) * scale + shift;
        match how {
            "bell" => bell(),
            "ties" => (bell() * 2.0).floor(),
            "skewed" => scale / (0.02 + uniform(seed, at)) + shift,
            "levels" => (tilted(at) * number("levels", f64::NAN)).floor() * scale + shift,
            _ => panic!("no formula {how}"),
        }
    };
    let value = |at: u64| {
        if each_so_many("missing", at, 0) {
            None
        } else if each_so_many("infinite", at, 1) {
            Some(f64::INFINITY)
        } else if each_so_many("infinite", at, 2) {
            Some(f64::NEG_INFINITY)
        } else {
            Some(value(at))
        }
    };
    Column::Numbers((0..rows).map(value).collect())
}

fn held(what: &str, got: Decision, want: &Value) {
    if want.is_null() {
        assert_eq!((got.value, got.drift), (None, None), "{what}: it stops with an error");
        return;
    }
    assert!(want["method"].as_str().is_none_or(|method| got.method == method), "{what}: {got:?} is not {want}");
    match &want["value"] {
        Value::Null => assert_eq!(got.value, None, "{what}"),
        value => agrees(what, got.value, value, relative(want), absolute(want)),
    }
    if !want["threshold"].is_null() {
        agrees(&format!("{what} threshold"), Some(got.threshold), &want["threshold"], 1e-9, 1e-12);
    }
    assert_eq!(got.drift, want["drift"].as_bool(), "{what}: {got:?} is not {want}");
}

fn is_p_value(want: &Value) -> bool {
    want["method"].as_str().is_some_and(|method| method.ends_with("p_value"))
}

fn relative(want: &Value) -> f64 {
    if is_p_value(want) { 1e-6 } else { 1e-9 }
}

fn absolute(want: &Value) -> f64 {
    match want["method"].as_str() {
        // What Evidently leaves of 1 in its last digits.
        Some("Z-test p_value") => 4.0 * f64::EPSILON,
        Some(method) if method.ends_with("p_value") => f64::MIN_POSITIVE,
        _ => 1e-12,
    }
}

fn hold(what: &str, reference: &Column, current: &Column, want: &Value) -> [Decision; 2] {
    let chunks: Vec<Sample> = nannyml::chunks(reference.rows()).into_iter().map(|rows| reference.part(rows)).collect();
    let (reference, current) = (reference.sample(), current.sample());
    let decisions = [evidently::decide(&reference, &current), nannyml::decide(&reference, &current)];
    if let Some(want) = want.get("evidently") {
        held(&format!("{what}, Evidently"), decisions[0], want);
    }
    held(&format!("{what}, NannyML"), decisions[1], &want["nannyml"]);
    let by_chunks = nannyml::decide_by_chunks(&reference, &chunks, &current);
    held(&format!("{what}, NannyML by chunks"), by_chunks, &want["nannyml_chunks"]);
    decisions
}

fn hold_made(values: &Value, set: &Value) {
    let (rows, seed) = (&set["rows"], set["seed"].as_u64().expect("a seed"));
    let decisions: Vec<[Decision; 2]> = (0..)
        .zip(each(set, "columns"))
        .map(|(at, want)| {
            let described = each(values, "described").find(|column| column["name"] == want["name"]).expect("described");
            let column =
                |side: &str, seed: u64, rows: &Value| made(&described[side], seed, rows.as_u64().expect("rows"));
            let reference = column("reference", seed + 4 * at, &rows[0]);
            let current = column("current", seed + 4 * at + 2, &rows[1]);
            hold(&format!("{} of {rows} rows", want["name"]), &reference, &current, want)
        })
        .collect();
    if !set["evidently"].is_null() {
        hold_data_set(&decisions, set);
    }
}

fn hold_data_set(decisions: &[[Decision; 2]], set: &Value) {
    let evidently: Vec<Decision> = decisions.iter().map(|both| both[0]).collect();
    let drifted = evidently.iter().filter(|column| column.drift == Some(true)).count();
    let decided = evidently.iter().filter(|column| column.drift.is_some()).count();
    assert_eq!(Some(drifted as u64), set["evidently"]["drifted"].as_u64());
    assert_eq!(Mode::Evidently.data_set(drifted as u64, decided as u64), set["evidently"]["drift"].as_bool());
}

#[test]
fn the_modes_agree_with_the_tools_on_made_columns() {
    let values = values();
    for set in each(&values, "made") {
        hold_made(&values, set);
    }
}

#[test]
fn the_modes_agree_with_the_tools_where_those_stop() {
    let values = values();
    hold_made(&values, &values["alone"]);
}

#[test]
fn the_modes_agree_with_the_tools_on_real_data() {
    for set in each(&values(), "real") {
        let name = set["name"].as_str().expect("a name");
        let sides = ["reference", "later"].map(|side| data(&format!("{name}_{side}.parquet")));
        let decisions: Vec<[Decision; 2]> = each(set, "columns")
            .map(|want| {
                let column = want["name"].as_str().expect("a name");
                let [reference, current] = sides.each_ref().map(|side| {
                    let series = side.column(column).expect("a column");
                    match series.str() {
                        Ok(names) => Column::Names(names.iter().map(|name| name.map(str::to_owned)).collect()),
                        Err(_) => Column::Numbers(
                            series
                                .cast(&polars::prelude::DataType::Float64)
                                .expect("numbers")
                                .f64()
                                .unwrap()
                                .iter()
                                .collect(),
                        ),
                    }
                });
                assert_eq!(reference.sample().kind() == Kind::Categorical, matches!(reference, Column::Names(_)));
                hold(&format!("{name} {column}"), &reference, &current, want)
            })
            .collect();
        hold_data_set(&decisions, set);
    }
}
