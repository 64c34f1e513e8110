//! Shadows, canaries and new versions, as a user gives them.

use fastrand::Rng;
use serde_json::Value;

use super::super::tests::Folder;
use crate::units::grouped;

const SPEC: &str = "[[model]]\nname = \"m\"\n";

/// A request's line for a version: its features follow what it is asked.
fn line(id: u32, minute: u32, version: &str, x: f64, prediction: i64) -> String {
    format!("{id},{},{version},{x:.4},{prediction}\n", u64::from(minute) * 60_000)
}

const HEAD: &str = "id,timestamp,version,x,prediction\n";

/// A shadow's rows, and the requests' labels.
fn shadow() -> (String, String) {
    let mut random = Rng::with_seed(3);
    let (mut samples, mut labels) = (HEAD.to_owned(), vec!["id,label".to_owned()]);
    for id in 0..1000 {
        let x = random.f64();
        let label = i64::from(random.f64() < x);
        let champion = i64::from(x > 0.5);
        let challenger = if random.f64() < 0.15 { 1 - champion } else { champion };
        samples += &line(id, id, "1.0", x, champion);
        samples += &line(id, id, "2.0", x, challenger);
        labels.push(format!("{id},{label}"));
    }
    (samples, labels.join("\n"))
}

fn challenger(found: &Value) -> &Value {
    &found["versions"][1]["against_champion"]
}

#[test]
fn a_shadow_is_told_beside_the_champion_in_every_format() {
    let folder = Folder::new();
    let (samples, labels) = shadow();
    let (spec, samples, labels) =
        (folder.write("m.toml", SPEC), folder.write("s.csv", &samples), folder.write("l.csv", &labels));
    let words = ["--model", &spec, "--samples", &samples, "--labels", &labels];
    let found = folder.json(&words);
    // Versions are names, though they look like numbers.
    assert_eq!((&found["versions"][0]["version"], &found["versions"][1]["version"]), (&"1.0".into(), &"2.0".into()));
    assert_eq!(found["versions"][0]["champion"], true);
    let of = challenger(&found);
    assert_eq!(
        (&of["method"], &of["verdict"], &of["measure"]),
        (&"paired".into(), &"worse".into(), &"accuracy".into())
    );
    assert_eq!((&of["rows"]["challenger"], &found["labels"]["rows"]), (&1000.into(), &2000.into()));
    let accuracy = &of["differences"][0];
    let (low, high) = (&accuracy["interval"]["low"], &accuracy["interval"]["high"]);
    assert!(low.as_f64() < accuracy["difference"].as_f64() && high.as_f64() < Some(0.0), "{accuracy}");
    for (format, wanted) in [
        ("table", "2.0 does worse than 1.0: accuracy 0."),
        ("markdown", "## Version 2.0 beside 1.0"),
        ("html", &format!("On the same {} requests", grouped(1000))),
    ] {
        let text = folder.review(format, &words).expect("reviewed");
        assert!(text.contains(wanted) && !text.contains("NaN"), "{format}: {text}");
    }
    // Before labels come, what they say is compared.
    let found = folder.json(&words[..4]);
    let of = challenger(&found);
    assert_eq!((&of["verdict"], &of["labelled"]["champion"]), (&"too_few".into(), &0.into()));
    assert!(of["predictions"]["agreement"]["value"].as_f64().is_some_and(|share| (0.8..0.9).contains(&share)), "{of}");
    assert_eq!(of["predictions"]["shifts"][0]["class"], "1");
    // The other way round.
    let spec = folder.write("n.toml", &format!("{SPEC}champion = \"2.0\"\n"));
    let found = folder.json(&[&["--model", &spec], &words[2..]].concat());
    assert_eq!((&found["versions"][0]["version"], &challenger(&found)["verdict"]), (&"2.0".into(), &"better".into()));
}

#[test]
fn one_version_or_none_has_no_section() {
    let folder = Folder::new();
    let spec = folder.write("m.toml", &format!("{SPEC}champion = \"9\"\n"));
    let rows: String = (0..300).map(|id| line(id, id, "1.0", 0.5, 1)).collect();
    let samples = folder.write("s.csv", &format!("{HEAD}{rows}"));
    let found = folder.json(&["--model", &spec, "--samples", &samples]);
    assert_eq!(found["versions"], Value::Array(Vec::new()));
    assert!(!folder.review("table", &["--model", &spec, "--samples", &samples]).expect("told").contains("Versions"));
}

/// Samples of two versions, the second with other inputs and wrong, and a reference of the first.
fn canary(folder: &Folder, reference_says: bool) -> (String, String) {
    let mut random = Rng::with_seed(8);
    let mut rows = |count: u32, canary: bool, named: bool| {
        let mut lines = vec!["id,timestamp,x,prediction,label".to_owned() + if named { ",version" } else { "" }];
        for id in 0..count {
            let new = canary && random.f64() < 0.3;
            let x = random.f64() + if new { 2.0 } else { 0.0 };
            let label = i64::from(random.bool());
            let right = random.f64() < if new { 0.5 } else { 0.9 };
            let prediction = if right { label } else { 1 - label };
            let version = if new { ",2.0" } else { ",1.4" };
            let version = if named { version } else { "" };
            lines.push(format!("{id},{},{x:.4},{prediction},{label}{version}", u64::from(id) * 60_000));
        }
        lines.join("\n")
    };
    let reference = folder.write("r.csv", &rows(3000, false, reference_says));
    (reference, folder.write("s.csv", &rows(3000, true, true)))
}

#[test]
fn a_version_that_the_reference_is_not_of_is_not_judged() {
    let folder = Folder::new();
    let plain = folder.write("m.toml", SPEC);
    let told = folder.write("n.toml", &format!("{SPEC}reference_version = \"1.4\"\n"));
    for (spec, reference_says) in [(&plain, true), (&told, false)] {
        let (reference, samples) = canary(&folder, reference_says);
        let words = ["--model", spec, "--reference", &reference, "--samples", &samples];
        let found = folder.json(&words);
        let unjudged = found["unjudged"]["2.0"].as_u64().expect("a count");
        assert!((700..1100).contains(&unjudged) && found["unjudged"].as_object().is_some_and(|of| of.len() == 1));
        assert_eq!(
            (&found["performance"]["verdict"], &found["drift"]["summary"]["drift"]),
            (&"same".into(), &false.into())
        );
        assert_eq!((&found["rows"], &found["labels"]["rows"]), (&3000.into(), &3000.into()));
        assert_eq!(found["performance"]["rows"].as_u64(), Some(3000 - unjudged));
        let parts = found["over_time"].as_array().expect("parts");
        assert_eq!(parts.iter().filter_map(|part| part["rows"].as_u64()).sum::<u64>(), 3000 - unjudged);
        // It is told beside the champion all the same.
        assert_eq!(
            (&challenger(&found)["method"], &challenger(&found)["verdict"]),
            (&"unpaired".into(), &"worse".into())
        );
        let text = folder.review("table", &words).expect("reviewed");
        let said = format!("Version 2.0 has no reference: {} rows not judged.", grouped(unjudged));
        assert!(text.contains(&said), "{text}");
    }
    // Where nothing says of which version it is, all is as it was.
    let (reference, samples) = canary(&folder, false);
    let found = folder.json(&["--model", &plain, "--reference", &reference, "--samples", &samples]);
    assert_eq!(
        (&found["performance"]["verdict"], &found["drift"]["summary"]["drift"]),
        (&"worse".into(), &true.into())
    );
    assert_eq!(found["unjudged"].as_object().map(serde_json::Map::len), Some(0));
}

#[test]
fn where_no_row_is_of_the_references_version_nothing_is_held_against_it() {
    let folder = Folder::new();
    let (reference, samples) = canary(&folder, true);
    let spec = folder.write("m.toml", &format!("{SPEC}reference_version = \"0.9\"\n"));
    let found = folder.json(&["--model", &spec, "--reference", &reference, "--samples", &samples]);
    assert_eq!((&found["performance"]["reference"], &found["performance"]["verdict"]), (&Value::Null, &Value::Null));
    assert_eq!((&found["drift"], &found["performance"]["rows"]), (&Value::Null, &3000.into()));
    assert_eq!(found["unjudged"].as_object().map(serde_json::Map::len), Some(2));
}
