//! The command on files, as a user gives them.

use std::path::Path;

use clap::Parser;
use polars::prelude::IdxCa;
use serde_json::Value;

use super::columns::some_rows;
use crate::cli::{Cli, run};
use crate::dataset::Dataset;

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    pub fn review(&self, format: &str, words: &[&str]) -> Result<String, String> {
        let output = self.0.path().join("out").display().to_string();
        let all = ["plumbline", "review", "--format", format, "-o", &output];
        let cli = Cli::try_parse_from(all.iter().chain(words)).map_err(|error| error.to_string())?;
        run(cli).map_err(|error| error.to_string())?;
        std::fs::read_to_string(&output).map_err(|error| error.to_string())
    }

    pub fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.review("json", words).expect("reviewed")).expect("JSON")
    }
}

fn real(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/known/data").join(name).display().to_string()
}

#[test]
fn a_model_that_does_worse_is_told_in_every_format() {
    let folder = Folder::new();
    let spec = folder.write("m.toml", "[[model]]\nname = \"housing\"\n");
    let (reference, samples) = (real("housing_reference.parquet"), real("housing_later.parquet"));
    let words = ["--model", &spec, "--reference", &reference, "--samples", &samples];
    let found = folder.json(&words);
    assert_eq!((&found["model"], &found["performance"]["verdict"]), (&"housing".into(), &"worse".into()));
    let area = |of: &Value| of["roc_auc"].as_f64().expect("an area");
    let of = &found["performance"];
    assert!(area(of) < 0.85 && area(&of["reference"]) > 0.9, "{of}");
    let interval = &of["intervals"]["roc_auc"];
    assert!(interval["low"].as_f64() < Some(area(of)) && interval["high"].as_f64() > Some(area(of)), "{interval}");
    assert_eq!((&found["labels"]["coverage"], found["over_time"].as_array().map(Vec::len)), (&1.0.into(), Some(10)));
    assert_eq!(found["drift"]["summary"]["drift"], true);
    for (format, wanted) in [
        ("table", "housing does worse: ROC-AUC 0.84"),
        ("markdown", "**housing does worse"),
        ("html", "aria-label=\"roc_auc over 10 parts"),
    ] {
        let text = folder.review(format, &words).expect("reviewed");
        assert!(text.contains(wanted) && !text.contains("NaN"), "{format}: {text}");
    }
    let by_day = folder.json(&[&words[..], &["--chunk", "30d"]].concat());
    assert!(by_day["over_time"].as_array().is_some_and(|parts| (11..=13).contains(&parts.len())));
}

#[test]
fn groups_segments_and_estimates_are_in_the_document() {
    let folder = Folder::new();
    let spec = folder.write(
        "m.toml",
        "[[model]]\nname = \"employment\"\nprotected = [\"DIS\", { column = \"SEX\", privileged = \"1\", use = \"fairness\" }]\nsegments = [\"AGEP\"]\n",
    );
    let (reference, samples) = (real("employment_reference.parquet"), real("employment_later.parquet"));
    let words = ["--model", &spec, "--reference", &reference, "--samples", &samples];
    let found = folder.json(&words);
    let attributes: Vec<&str> =
        found["fairness"].as_array().into_iter().flatten().filter_map(|of| of["attribute"].as_str()).collect();
    assert_eq!(attributes, ["DIS", "SEX", "DIS and SEX"]);
    let of = &found["fairness"][0];
    for name in ["demographic_parity", "equalized_odds", "equal_opportunity"] {
        for what in ["difference", "ratio"] {
            let figure = of[format!("{name}_{what}")].as_f64();
            assert!(figure.is_some_and(|figure| (0.0..=1.0).contains(&figure)), "{name} {what}: {of}");
        }
    }
    assert_eq!(of["four_fifths"]["verdict"], "below");
    assert_eq!(found["fairness"][1]["privileged"]["group"], "1");
    // What is kept for fairness alone is no feature.
    let features = found["drift"]["features"].to_string();
    assert!(features.contains("\"DIS\"") && !features.contains("\"SEX\""));
    let segments = found["segments"].as_array().expect("segments");
    assert!(
        !segments.is_empty() && segments.iter().all(|of| !of["segment"].to_string().contains("SEX")),
        "{segments:?}"
    );
    assert_eq!(
        (&found["by_column"][0]["column"], found["by_column"].as_array().map(Vec::len)),
        (&"AGEP".into(), Some(1))
    );
    let estimate = found["estimated"]["figures"].as_array().expect("figures");
    let area = estimate.iter().find(|of| of["measure"] == "roc_auc").expect("an area");
    assert!(area["error"].as_f64().is_some_and(|error| error.abs() < 0.02), "{area}");
    assert!(found["estimated"]["caveat"].as_str().is_some_and(|caveat| caveat.contains("concept drift")));
    for (format, wanted) in
        [("table", "Adverse impact"), ("markdown", "## Groups by DIS"), ("html", "selection rate of each group")]
    {
        let text = folder.review(format, &words).expect("reviewed");
        assert!(text.contains(wanted) && !text.contains("NaN"), "{format}: {text}");
    }
}

#[test]
fn amounts_are_estimated_and_compared_by_group() {
    let folder = Folder::new();
    let spec = folder.write("m.toml", "[[model]]\nname = \"m\"\nprotected = [\"g\"]\n");
    let mut random = fastrand::Rng::with_seed(4);
    let mut rows = |count: u32, noise: f64| {
        let row = |n: u32| {
            let (x, group) = (random.f64() * 10.0, if random.bool() { "a" } else { "b" });
            // The label is off by more where x is large, and half of what it was in the first file.
            let label = 3.0 * x + noise * x * (random.f64() + random.f64() - 1.0);
            format!("{n},{x:.4},{group},{:.4},{label:.4}\n", 3.0 * x)
        };
        format!("id,x,g,prediction,label\n{}", (0..count).map(row).collect::<String>())
    };
    let (reference, samples) = (folder.write("r.csv", &rows(2000, 1.0)), folder.write("s.csv", &rows(1000, 1.0)));
    let found = folder.json(&["--model", &spec, "--reference", &reference, "--samples", &samples]);
    assert_eq!((&found["task"], &found["performance"]["verdict"]), (&"regression".into(), &"same".into()));
    let estimate = found["estimated"]["figures"].as_array().expect("figures");
    let mae = estimate.iter().find(|of| of["measure"] == "mae").expect("an MAE");
    let (low, high) = (mae["low"].as_f64().expect("low"), mae["high"].as_f64().expect("high"));
    assert!(mae["realised"].as_f64().is_some_and(|realised| low < realised && realised < high), "{mae}");
    assert!(found["fairness"][0]["groups"].as_array().is_some_and(|groups| groups.len() == 2));
    // It does worse where x is large, and nothing is claimed of groups that do not differ.
    let segments = found["segments"].to_string();
    assert!(segments.contains("x >") && !segments.contains("g = "), "{segments}");
}

#[test]
fn what_moved_it_is_told_as_leads() {
    let folder = Folder::new();
    let spec = folder.write("m.toml", "[[model]]\nname = \"housing\"\n");
    let (reference, samples) = (real("housing_reference.parquet"), real("housing_later.parquet"));
    let words = ["--model", &spec, "--reference", &reference, "--samples", &samples];
    let found = folder.json(&words);
    // True concept drift, in other places than before.
    let error = &found["moved"]["error"];
    assert_eq!((&error["of"], &error["rows"]), (&"share of wrong predictions".into(), &vec![5832, 8232].into()));
    let split = &error["found"]["split"];
    assert_eq!((&split["another_relation"]["told"], &split["other_inputs"]["told"]), (&true.into(), &false.into()));
    assert!(split["unseen_share"].as_f64() > Some(0.3), "{split}");
    let names = |of: &Value| -> Vec<String> {
        of.as_array().into_iter().flatten().filter_map(|lead| lead["feature"].as_str().map(str::to_owned)).collect()
    };
    let places = names(&error["found"]["relation"]);
    assert!(places.iter().take(2).all(|name| ["Latitude", "Longitude"].contains(&name.as_str())), "{places:?}");
    // The model is what it was: its score is of other inputs, and those are other places.
    let score = &found["moved"]["prediction"];
    assert_eq!(
        (&score["of"], &score["found"]["split"]["another_relation"]["told"]),
        (&"score of 1".into(), &false.into())
    );
    assert_eq!(score["found"]["split"]["other_inputs"]["told"], true);
    assert_eq!(names(&score["found"]["inputs"]).first().map(String::as_str), Some("Longitude"));
    for (format, wanted) in
        [("table", "Another relation: the same inputs"), ("html", "<h2>What moved its predictions</h2>")]
    {
        let text = folder.review(format, &words).expect("reviewed");
        assert!(
            text.contains(wanted) && text.contains("Leads, not causes") && !text.contains("NaN"),
            "{format}: {text}"
        );
    }
    // Nothing moved what is calm; what has a role, or is kept for fairness alone, is no feature.
    let spec =
        folder.write("e.toml", "[[model]]\nname = \"e\"\nprotected = [{ column = \"SEX\", use = \"fairness\" }]\n");
    let (reference, samples) = (real("employment_reference.parquet"), real("employment_later.parquet"));
    let found = folder.json(&["--model", &spec, "--reference", &reference, "--samples", &samples]);
    for of in ["error", "prediction"] {
        let found = &found["moved"][of]["found"];
        assert_eq!((&found["inputs"], &found["relation"]), (&Value::Array(vec![]), &Value::Array(vec![])));
        assert_eq!((&found["features"], &found["looked_at"]), (&15.into(), &vec![20_000, 20_000].into()));
    }
}

#[test]
fn without_labels_predictions_of_any_kind_are_told() {
    let folder = Folder::new();
    let mut random = fastrand::Rng::with_seed(6);
    let mut rows = |count: u32, more: f64, label: bool| {
        let row = |n: u32| {
            let x = random.f64() + more;
            let class = ["a", "b", "c"][usize::from(x > 0.5) + usize::from(x > 1.0)];
            let label = if label { class } else { "" };
            format!("{n},{x:.4},{},{class},{label}\n", random.f64())
        };
        format!("id,x,y,prediction,label\n{}", (0..count).map(row).collect::<String>())
    };
    let (reference, samples) =
        (folder.write("r.csv", &rows(900, 0.2, true)), folder.write("s.csv", &rows(700, 0.4, false)));
    let spec = folder.write("m.toml", "[[model]]\nname = \"m\"\n");
    let found = folder.json(&["--model", &spec, "--reference", &reference, "--samples", &samples]);
    let of = &found["moved"]["prediction"];
    assert_eq!((&found["moved"]["error"], &of["reason"]), (&Value::Null, &Value::Null));
    // Of three classes that whose share moved most; what moved it is x alone.
    assert!(["share predicted a", "share predicted c"].iter().any(|name| of["of"] == *name), "{of}");
    assert_eq!(of["found"]["split"]["other_inputs"]["told"], true);
    let leads = of["found"]["inputs"].as_array().expect("leads");
    assert!(leads.len() == 1 && leads[0]["feature"] == "x", "{leads:?}");
    let few = folder.write("f.csv", &rows(50, 0.4, false));
    let found = folder.json(&["--model", &spec, "--reference", &reference, "--samples", &few]);
    let of = &found["moved"]["prediction"];
    assert!(of["found"] == Value::Null && of["reason"].as_str().is_some_and(|why| why.contains("100 rows")), "{of}");
}

#[test]
fn labels_are_brought_to_samples() {
    let folder = Folder::new();
    let spec = folder.write("m.toml", "[[model]]\nname = \"m\"\nid = \"key\"\nlabel = \"truth\"\n");
    let hour = |n: u32| format!("2026-01-01T{n:02}:00:00Z");
    let samples: Vec<String> = (0..20).map(|n| format!("{n},{},{}\n", hour(n), n % 2)).collect();
    let samples = folder.write("s.csv", &format!("key,timestamp,prediction\n{}", samples.concat()));
    // Rows 0 to 9 have one, the newest first; 3 is corrected and 4 told twice; 99 is nobody's; a label that is none is no label.
    let mut labels = vec![format!("3,{},0\n", hour(12)), format!("4,{},0\n", hour(6)), format!("99,{},1\n", hour(1))];
    labels.extend((0..10).rev().map(|n| format!("{n},{},{}\n", hour(n + 2), n % 2)));
    labels.push(format!("15,{},\n", hour(16)));
    let labels = folder.write("l.csv", &format!("key,timestamp,truth\n{}", labels.concat()));
    let found = folder.json(&["--model", &spec, "--samples", &samples, "--labels", &labels]);
    let of = &found["labels"];
    let counts = ["rows", "unknown", "duplicates", "corrections"].map(|name| of[name].as_u64().expect("a count"));
    assert_eq!(counts, [10, 1, 1, 1]);
    assert_eq!((&of["coverage"], &of["lag_p50"]), (&0.5.into(), &7200.0.into()));
    // The correction is the later one, though it stands first in the file.
    assert_eq!(found["performance"]["accuracy"], 0.9);
    assert_eq!(found["performance"]["reference"], Value::Null);
    assert!(found["notes"][0].as_str().is_some_and(|note| note.contains("no reference")));
}

#[test]
fn rows_without_a_label_change_no_figure_of_labels() {
    let folder = Folder::new();
    let spec = folder.write("m.toml", "[[model]]\nname = \"m\"\n");
    let mut random = fastrand::Rng::with_seed(5);
    let rows: Vec<(u32, String, bool, bool)> = (0..4000)
        .map(|n| {
            let region = ["north", "east", "south"][random.usize(..3)];
            let label = random.bool();
            let is_wrong = random.f64() < if region == "south" { 0.4 } else { 0.1 };
            (n, format!("{n},{},{region}", u8::from(label != is_wrong)), label, n % 3 == 1)
        })
        .collect();
    let write = |name: &str, is_in: &dyn Fn(bool) -> bool| {
        let kept = rows.iter().filter(|row| is_in(row.3)).map(|(_, row, ..)| format!("{row}\n"));
        folder.write(name, &format!("id,prediction,region\n{}", kept.collect::<String>()))
    };
    let (all, some) = (write("all.csv", &|_| true), write("some.csv", &|is_labelled| is_labelled));
    let labels = rows.iter().filter(|row| row.3).rev().map(|(n, _, label, _)| format!("{n},{}\n", u8::from(*label)));
    let labels = folder.write("l.csv", &format!("id,label\n{}", labels.collect::<String>()));
    let of = |samples: &str| folder.json(&["--model", &spec, "--samples", samples, "--labels", &labels]);
    let (of_all, of_some) = (of(&all), of(&some));
    assert_eq!(
        (&of_all["rows"], &of_all["labels"]["rows"], &of_some["rows"]),
        (&4000.into(), &1333.into(), &1333.into())
    );
    assert_eq!(of_all["segments"][0]["segment"], "region = south");
    for part in ["performance", "segments", "segments_searched"] {
        assert_eq!(of_all[part], of_some[part], "{part}");
    }
}

#[test]
fn parts_are_those_of_time_in_whatever_order_rows_stand() {
    let folder = Folder::new();
    let spec = folder.write("m.toml", "[[model]]\nname = \"m\"\n");
    // Four hours of 7, 40, 1 and 52 rows, each with its own share of errors.
    let hours = [(0, 7, 2), (1, 40, 5), (3, 1, 1), (4, 52, 3)];
    let row = |hour: usize, at: usize, every: usize| {
        let minute = at % 60;
        format!("2026-03-01T{hour:02}:{minute:02}:00Z,{},1\n", usize::from(!at.is_multiple_of(every)))
    };
    let rows: Vec<String> =
        hours.iter().flat_map(|(hour, rows, every)| (0..*rows).map(move |at| row(*hour, at, *every))).collect();
    let scattered: Vec<String> = (0..rows.len()).map(|at| rows[at * 37 % rows.len()].clone()).collect();
    let parts = |name: &str, rows: &[String], chunk: &str| {
        let samples = folder.write(name, &format!("timestamp,prediction,label\n{}", rows.concat()));
        let found = folder.json(&["--model", &spec, "--samples", &samples, "--chunk", chunk]);
        let parts = found["over_time"].as_array().expect("parts").clone();
        parts
            .into_iter()
            .map(|part| (part["rows"].clone(), part["performance"]["accuracy"].clone(), part["from"].clone()))
            .collect::<Vec<_>>()
    };
    let by_hour = parts("sorted.csv", &rows, "1h");
    assert_eq!(by_hour, parts("scattered.csv", &scattered, "1h"));
    let told: Vec<(u64, f64)> = by_hour
        .iter()
        .map(|(rows, accuracy, _)| (rows.as_u64().expect("rows"), accuracy.as_f64().expect("a share")))
        .collect();
    assert_eq!(told, [(7, 3.0 / 7.0), (40, 0.8), (1, 0.0), (52, 34.0 / 52.0)]);
    let by_rows = |name| parts(name, if name == "one.csv" { &rows } else { &scattered }, "30");
    let counts: Vec<u64> = by_rows("one.csv").iter().filter_map(|(rows, ..)| rows.as_u64()).collect();
    assert_eq!(counts, [30, 30, 30, 10]);
    assert_eq!(by_rows("one.csv"), by_rows("two.csv"));
}

#[test]
fn ids_of_either_type_are_the_same() {
    let folder = Folder::new();
    let spec = folder.write("m.toml", "[[model]]\nname = \"m\"\n");
    let samples = folder.write("s.ndjson", "{\"id\":\"7\",\"prediction\":1}\n{\"id\":\"8\",\"prediction\":0}\n");
    let labels = folder.write("l.csv", "id,label\n8,0\n7,0\n");
    let found = folder.json(&["--model", &spec, "--samples", &samples, "--labels", &labels]);
    assert_eq!((&found["labels"]["rows"], &found["performance"]["accuracy"]), (&2.into(), &0.5.into()));
}

#[test]
fn what_is_wrong_is_told() {
    let folder = Folder::new();
    let (none, two) = (
        folder.write("none.toml", "[agent]\n"),
        folder.write("two.toml", "[[model]]\nname = \"a\"\n[[model]]\nname = \"b\"\n"),
    );
    let wrong = folder.write("wrong.toml", "[[model]]\nname = \"a\"\npredicton = \"y\"\n");
    let (samples, other) = (folder.write("s.csv", "id,prediction\n1,1\n"), folder.write("o.csv", "id,y\n1,1\n"));
    let said = |words: &[&str]| folder.review("json", words).expect_err("it is wrong");
    assert!(said(&["--model", &none, "--samples", &samples]).contains("describes no model"));
    assert!(said(&["--model", &two, "--samples", &samples]).contains("choose one by --name: a, b"));
    assert!(said(&["--model", &two, "--name", "c", "--samples", &samples]).contains("no model c; there are: a, b"));
    assert!(said(&["--model", &wrong, "--samples", &samples]).contains("prediction"), "the nearest name");
    let one = ["--model", &two, "--name", "a", "--samples"];
    assert!(said(&[&one[..], &[&other]].concat()).contains("has no column `prediction`"));
    assert!(said(&[&one[..], &[&samples, "--labels", &other]].concat()).contains("has no column `label`"));
    assert!(said(&[&one[..], &[&samples, "--chunk", "soon"]].concat()).contains("number of rows"));
    // Without labels and reference there is little to tell, and it is told.
    let found = folder.json(&[&one[..], &[&samples]].concat());
    assert_eq!((&found["performance"], &found["labels"]["rows"]), (&Value::Null, &0.into()));
    assert!(folder.review("table", &[&one[..], &[&samples]].concat()).expect("told").contains("no labels"));
}

#[test]
fn some_rows_of_several_parts_are_those_of_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.csv");
    let lines: Vec<String> = (0..140_000).map(|row| format!("{row},r{}", row % 7)).collect();
    std::fs::write(&path, format!("n,name\n{}\n", lines.join("\n"))).expect("written");
    let samples = Dataset::open(&path).expect("read");
    assert!(samples.parts("n").count() > 2);
    for every in [1, 3, 70_001, 200_000] {
        let rows = IdxCa::from_vec("rows".into(), (0..140_000).filter(|row| row % every == every - 1).collect());
        for name in ["n", "name"] {
            let whole = samples.column(name).map(|all| all.take(&rows)).expect("read").expect("within");
            assert!(some_rows(&samples, name, &rows).expect("read").equals_missing(&whole), "{every} {name}");
        }
    }
}
