//! What is said of a window before labels come and after, by group and by segment.

use fastrand::Rng;

use super::*;
use crate::model::protected::{Protected, Usage};
use crate::performance::verdict::Verdict;

const ROWS: usize = 2000;

/// Rows of an hour from a model whose scores are the probabilities of its labels; `bias` is what one group's scores lack, `shift` is how
/// far inputs lie on the side where it knows little. Labels stand apart.
fn rows(seed: u64, hour: usize, bias: f64, shift: f64) -> (Vec<String>, Vec<String>) {
    let mut random = Rng::with_seed(seed);
    let row = |at: usize, random: &mut Rng| {
        let (male, region) = (random.bool(), ["north", "south"][usize::from(random.bool())]);
        let far = random.f64() < shift;
        let score = if far { 0.4 + 0.2 * random.f64() } else { [0.1, 0.9][usize::from(random.bool())] };
        let score = if male { score } else { (score - bias).max(0.05) };
        let label = u8::from(random.f64() < score);
        let (prediction, sex) = (u8::from(score >= 0.5), if male { "m" } else { "f" });
        let time = hour as u64 * 3_600_000 + at as u64 * (3_600_000 / ROWS as u64);
        let sample = format!(
            "{{\"id\": \"{hour}-{at}\", \"timestamp\": {time}, \"prediction\": {prediction}, \
             \"score\": {score}, \"sex\": \"{sex}\", \"region\": \"{region}\", \"x\": {}}}",
            random.f64()
        );
        (sample, format!("{{\"id\": \"{hour}-{at}\", \"label\": {label}}}"))
    };
    (0..ROWS).map(|at| row(at, &mut random)).unzip()
}

fn described() -> Spec {
    let sex = Protected { column: "sex".to_owned(), privileged: None, usage: Usage::Fairness };
    Spec {
        min_rows: 200,
        protected: vec![sex],
        segments: vec!["region".to_owned()],
        label_horizon: Duration::from_secs(30 * 86_400),
        ..spec()
    }
}

/// Joined in the line.
fn labelled_rows((samples, labels): (Vec<String>, Vec<String>)) -> Vec<String> {
    let label = |row: &String| row.rsplit(": ").next().expect("a label").to_owned();
    samples
        .iter()
        .zip(&labels)
        .map(|(sample, row)| format!("{}, \"label\": {}", &sample[..sample.len() - 1], label(row)))
        .collect()
}

fn begun() -> Watch {
    let mut watch = Watch::new(described(), 10, Progress::default(), now());
    refer(&mut watch, &labelled_rows(rows(1, 0, 0.0, 0.1)));
    watch
}

#[test]
fn what_is_expected_stands_beside_what_came_true() {
    let mut watch = begun();
    let (samples, truth) = rows(2, 1, 0.0, 0.1);
    take(&mut watch, &samples);
    take(&mut watch, &hour(5, 1, 0));
    judge_all(&mut watch, 0);
    let view = watch.view(now());
    let accuracy = |view: &ModelView| {
        view.labelled().or(view.latest.as_ref()).and_then(|w| w.estimated.clone()).expect("an estimate")
    };
    let before = accuracy(&view).figure("accuracy").expect("an accuracy").clone();
    assert!(before.realised.is_none() && before.low < before.value && before.value < before.high, "{before:?}");
    assert_eq!(view.reference.as_ref().and_then(|reference| reference.not_estimated.clone()), None);
    assert!(view.segments.is_none(), "no labels yet");
    labels(&mut watch, &truth);
    judge_all(&mut watch, 100);
    let view = watch.view(now());
    let window = view.labelled().expect("labels came");
    let after = window.estimated.as_ref().and_then(|estimate| estimate.figure("accuracy")).expect("an accuracy");
    let performance = window.performance.as_ref().expect("measured");
    assert_eq!((after.value, after.realised), (before.value, performance.accuracy));
    assert!(after.error.is_some_and(|error| error.abs() < 0.03), "{after:?}");
    assert_eq!(view.expected().map(|change| change.verdict), Some(Verdict::Same));
    let segments = view.segments.as_ref().expect("searched");
    assert!(segments.found.segments.is_empty() && segments.found.rows == ROWS as u64, "{segments:?}");
    let by: Vec<_> = window.by_column.iter().map(|by| (by.column.as_str(), by.parts.len())).collect();
    assert_eq!(by, [("region", 2)]);
}

/// Inputs on which the model knows little: it is expected to do worse before any label comes.
#[test]
fn a_drop_is_expected_where_inputs_are_harder_and_only_there() {
    let mut watch = begun();
    for hour in 1..20 {
        take(&mut watch, &rows(100 + hour as u64, hour, 0.0, 0.1).0);
        take(&mut watch, &rows(0, hour + 1, 0.0, 0.1).0.split_off(ROWS - 1));
        judge_all(&mut watch, 0);
        let change = watch.view(now()).expected().expect("an estimate");
        assert_eq!(change.verdict, Verdict::Same, "{hour} {change:?}");
    }
    take(&mut watch, &rows(3, 21, 0.0, 0.9).0);
    take(&mut watch, &hour(23, 1, 0));
    judge_all(&mut watch, 0);
    let view = watch.view(now());
    let end = |window: &WindowResult| window.end.to_string();
    assert_eq!(view.windows.iter().map(|w| w.rows).find(|rows| *rows == ROWS as u64), Some(ROWS as u64));
    assert_eq!(
        view.expected().map(|change| change.verdict),
        Some(Verdict::Worse),
        "{:?}",
        view.latest.as_ref().map(end)
    );
}

/// A column that is kept for fairness alone is told apart by, and is no feature.
#[test]
fn groups_are_told_apart_by_what_is_kept_for_nothing_else() {
    let mut watch = begun();
    take(&mut watch, &rows(4, 1, 0.0, 0.1).0);
    take(&mut watch, &rows(5, 2, 0.3, 0.5).0);
    take(&mut watch, &hour(5, 1, 0));
    judge_all(&mut watch, 0);
    let broken: Vec<Option<bool>> =
        watch.progress.results.values().map(|w| w.fairness.first().and_then(Fair::breaks_four_fifths)).collect();
    assert_eq!(broken[..2], [Some(false), Some(true)]);
    assert!(!watch.progress.schema.features.contains_key("sex"), "no feature");
    let view = watch.view(now());
    let names: Vec<&str> = view.latest.iter().flat_map(|w| &w.features).map(|of| of.name.as_str()).collect();
    assert!(!names.contains(&"sex") && names.contains(&"region"), "{names:?}");
    assert!(!view.bins.iter().any(|bins| bins.column == "sex"));
    let last = view.latest.as_ref().expect("a window");
    assert!(view.fairness() == last.fairness && last.notes.is_empty() && view.labelled().is_none(), "{:?}", last.notes);
}

/// What the checkpoint keeps is read back as it was.
#[test]
fn a_window_is_read_back() {
    let mut watch = begun();
    let (samples, truth) = rows(6, 1, 0.3, 0.5);
    take(&mut watch, &samples);
    labels(&mut watch, &truth);
    take(&mut watch, &hour(5, 1, 0));
    judge_all(&mut watch, 0);
    let text = serde_json::to_string(&watch.progress).expect("JSON");
    let back: Progress = serde_json::from_str(&text).expect("read back");
    assert_eq!((&back.worst, &back.schema), (&watch.progress.worst, &watch.progress.schema));
    let (one, other) = (&watch.progress.results[&2], &back.results[&2]);
    // Numbers may differ in their last digit.
    let near =
        |one: Option<f64>, other: Option<f64>| one.zip(other).is_some_and(|(one, other)| (one - other).abs() < 1e-12);
    let value = |of: &WindowResult| of.estimated.as_ref().and_then(|estimate| estimate.figure("roc_auc")?.realised);
    assert!(near(value(one), value(other)), "{:?}", value(other));
    let gaps = |of: &WindowResult| of.fairness[0].figures().collect::<Vec<_>>();
    assert_eq!((gaps(one).len(), gaps(other).len(), other.fairness[0].attribute()), (9, 9, "sex"));
    assert!(gaps(one).iter().zip(gaps(other)).all(|((_, one), (_, other))| near(Some(one.high), Some(other.high))));
    assert_eq!(other.by_column[0].parts.iter().map(|part| part.rows).sum::<u64>(), ROWS as u64);
}

/// Labels that come when the rows have left memory: groups are measured from what is stored as they would have been in memory.
#[test]
fn groups_of_stored_rows_are_those_of_rows_in_memory() {
    let (samples, truth) = rows(7, 1, 0.3, 0.3);
    let mut held = begun();
    take(&mut held, &samples);
    labels(&mut held, &truth);
    take(&mut held, &hour(5, 1, 0));
    judge_all(&mut held, 0);
    let wanted = held.progress.results.values().find(|w| w.performance.is_some()).expect("measured").clone();
    let mut watch = begun();
    let end = *held.progress.results.iter().find(|(_, w)| w.performance.is_some()).expect("measured").0;
    let (rows, labels) = {
        let rows = frame(&mut watch, Purpose::Samples, &samples);
        (rows, frame(&mut watch, Purpose::Labels, &truth))
    };
    let (count, joined) = labelled(&watch, &rows, &labels).expect("joined");
    watch.measured(end, count, &joined, now());
    let found = &watch.progress.results[&end];
    assert_eq!(
        (&found.performance, &found.fairness, &found.by_column),
        (&wanted.performance, &wanted.fairness, &wanted.by_column)
    );
}
