//! What is told of versions: shadows, canaries, rollouts.

use fastrand::Rng;
use polars::prelude::{DataType, NamedFrom, Series};

use super::*;
use crate::performance::{Columns, Labels, Task};
use crate::segment::coded::Coded;

const LIMITS: Limits = Limits { significance: SIGNIFICANCE, margin: 0.02, rows: 200, class_rows: 20 };

/// One row: version, request, time, label, prediction.
type Row = (&'static str, u32, i64, Option<i64>, Option<i64>);

fn told(rows: &[Row], task: Task, settings: &Settings<'_>, timed: bool) -> Option<Versions> {
    let version = Coded::of_texts("version", rows.iter().map(|row| Some(row.0).filter(|name| !name.is_empty())));
    let request: Vec<Option<u128>> = rows.iter().map(|row| Some(u128::from(row.1))).collect();
    let at: Vec<i64> = rows.iter().map(|row| row.2).collect();
    let label = Series::new("label".into(), rows.iter().map(|row| row.3).collect::<Vec<_>>());
    let prediction = Series::new("prediction".into(), rows.iter().map(|row| row.4).collect::<Vec<_>>());
    let mut known = Labels::default();
    known.learn(&label);
    known.learn(&prediction);
    let columns = Columns { label: &label, prediction: Some(&prediction), score: None, scores: &[], group: None };
    let rows = Rows { version: &version, request: &request, at: Some(at.as_slice()).filter(|_| timed), columns };
    compare(&rows, &Wanted::new(task, &known), settings)
}

fn settings(champion: Option<&str>) -> Settings<'_> {
    Settings { champion, limits: LIMITS, looks: Looks::Once }
}

/// A prediction that is right so often.
fn said(random: &mut Rng, label: i64, right: f64) -> i64 {
    if random.f64() < right { label } else { 1 - label }
}

#[test]
fn a_shadow_is_held_to_the_same_requests_and_labels() {
    let mut random = Rng::with_seed(1);
    let mut rows: Vec<Row> = Vec::new();
    for request in 0..1000 {
        let label = i64::from(random.bool());
        let right = said(&mut random, label, 0.9);
        // The shadow is wrong where the champion is, and on some more; its rows have no label of their own.
        let shadow = if random.f64() < 0.06 { 1 - right } else { right };
        rows.push(("1", request, i64::from(request), Some(label), Some(right)));
        rows.push(("2", request, i64::from(request) + 5, None, Some(shadow)));
    }
    // What only the champion was asked is not compared.
    rows.extend((1000..1500).map(|request| ("1", request, i64::from(request), Some(1), Some(0))));
    let found = told(&rows, Task::Classification, &settings(None), true).expect("two versions");
    let [champion, shadow] = found.versions.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (champion.version.as_str(), champion.champion, champion.rows, champion.labelled),
        ("1", true, 1500, 1500)
    );
    assert!(champion.against_champion.is_none() && (champion.share - 0.6).abs() < 1e-12);
    assert!(shadow.performance.is_none() && shadow.labelled == 0);
    let of = shadow.against_champion.as_ref().expect("compared");
    assert_eq!(
        (of.method, of.rows, of.labelled.challenger),
        (Method::Paired, Both { champion: 1000, challenger: 1000 }, 1000)
    );
    assert_eq!((of.measure, of.verdict), (Some("accuracy"), Verdict::Worse));
    let accuracy = of.differences.iter().find(|of| of.measure == "accuracy").expect("an accuracy");
    let mcnemar = of.mcnemar.expect("classes");
    let by_counts = (mcnemar.challenger_alone as f64 - mcnemar.champion_alone as f64) / 1000.0;
    assert!((accuracy.difference - by_counts).abs() < 1e-12 && mcnemar.p_value < 1e-4, "{of:?}");
    let agreement = of.predictions.agreement.and_then(|of| of.value).expect("classes");
    let discordant = (mcnemar.challenger_alone + mcnemar.champion_alone) as f64 / 1000.0;
    assert!((agreement + discordant - 1.0).abs() < 1e-12, "of two classes who disagrees is right alone");
}

#[test]
fn a_canary_is_held_to_what_was_asked_while_both_ran() {
    let mut random = Rng::with_seed(2);
    let mut rows: Vec<Row> = Vec::new();
    for request in 0..6000_u32 {
        let label = i64::from(random.bool());
        let canary = request >= 2000 && random.f64() < 0.2;
        // Before the canary ran it was easy.
        let right = if request < 2000 { 1.0 } else { 0.85 };
        let version = if canary { "2" } else { "1" };
        rows.push((version, request, i64::from(request), Some(label), Some(said(&mut random, label, right))));
    }
    let found = told(&rows, Task::Classification, &settings(None), true).expect("two versions");
    let of = found.versions[1].against_champion.as_ref().expect("compared");
    assert_eq!(of.method, Method::Unpaired);
    assert!(of.verdict == Verdict::AsWell || of.verdict == Verdict::TooFew, "{of:?}");
    let accuracy = of.differences.iter().find(|of| of.measure == "accuracy").expect("an accuracy");
    assert!(accuracy.champion < 0.88 && accuracy.interval.is_some_and(|interval| interval.holds(0.0)), "{accuracy:?}");
    let whole = found.versions[0].performance.as_ref().and_then(|of| of.accuracy);
    assert!(whole.is_some_and(|whole| whole > 0.88), "all its rows");
    assert!(of.from.is_some_and(|from| from.as_millisecond() >= 2000));
    // Without times all rows are, which is said.
    let found = told(&rows, Task::Classification, &settings(None), false).expect("two versions");
    let of = found.versions[1].against_champion.as_ref().expect("compared");
    assert_eq!((of.method, of.verdict), (Method::WithoutTimes, Verdict::Worse));
}

#[test]
fn versions_that_never_ran_together_are_not_compared() {
    let rows: Vec<Row> = (0..800)
        .map(|at| (if at < 400 { "1" } else { "2" }, at, i64::from(at), Some(i64::from(at % 2)), Some(1)))
        .collect();
    let found = told(&rows, Task::Classification, &settings(None), true).expect("two versions");
    let of = found.versions[1].against_champion.as_ref().expect("told");
    assert_eq!((of.method, of.verdict), (Method::NeverTogether, Verdict::TooFew));
    assert_eq!(of.reason.as_deref(), Some("they never ran at the same time"));
    assert!(of.differences.is_empty() && found.versions[1].performance.is_some());
}

#[test]
fn few_rows_are_no_verdict_and_one_version_is_none() {
    let rows: Vec<Row> = (0..200)
        .map(|at| (if at % 2 == 0 { "1" } else { "2" }, at / 2, i64::from(at), Some(i64::from(at % 3 == 0)), Some(1)))
        .collect();
    let found = told(&rows, Task::Classification, &settings(Some("2")), true).expect("two versions");
    assert_eq!((found.versions[0].version.as_str(), found.champion_missing.as_deref()), ("2", None));
    let of = found.versions[1].against_champion.as_ref().expect("compared");
    assert_eq!(of.reason.as_deref(), Some("100 rows with labels of the same requests; 200 are needed"));
    let alone: Vec<Row> = rows.iter().map(|row| ("1", row.1, row.2, row.3, row.4)).collect();
    assert!(told(&alone, Task::Classification, &settings(None), true).is_none());
}

#[test]
fn without_labels_what_they_say_is_compared() {
    let row = |at: u32, version| (version, at / 2, i64::from(at), None, Some(i64::from(at.is_multiple_of(4))));
    let mut rows: Vec<Row> = (0..2000).map(|at| row(at, if at % 2 == 0 { "1" } else { "2" })).collect();
    let found = told(&rows, Task::Classification, &settings(None), true).expect("two versions");
    let of = found.versions[1].against_champion.as_ref().expect("compared");
    assert_eq!((of.method, of.verdict, of.labelled), (Method::Paired, Verdict::TooFew, Both::default()));
    let [shift] = of.predictions.shifts.as_slice() else { panic!("{of:?}") };
    assert_eq!(
        (shift.class.as_deref(), shift.champion.value, shift.challenger.value),
        (Some("1"), Some(0.5), Some(0.0))
    );
    assert!(
        shift.interval.is_some_and(|interval| interval.high < -0.4)
            && of.predictions.agreement.is_some_and(|of| of.value == Some(0.5))
    );
    // Of amounts their means, and how far apart they are.
    for (at, row) in (0..).zip(&mut rows) {
        row.4 = Some(at % 100 + if row.0 == "2" { 7 } else { 0 });
    }
    let found = told(&rows, Task::Regression, &settings(None), true).expect("two versions");
    let of = &found.versions[1].against_champion.as_ref().expect("compared").predictions;
    assert_eq!((of.shifts[0].of, of.shifts[0].difference), (predictions::Kind::MeanPrediction, 8.0));
    assert_eq!((of.agreement, of.apart.and_then(|of| of.value)), (None, Some(8.0)));
}

#[test]
fn several_challengers_share_the_error() {
    let mut random = Rng::with_seed(9);
    let mut rows: Vec<Row> = Vec::new();
    for request in 0..600 {
        let label = i64::from(random.bool());
        for version in ["1", "2", "3", "4"] {
            rows.push((version, request, i64::from(request), Some(label), Some(said(&mut random, label, 0.9))));
        }
    }
    let found = told(&rows, Task::Classification, &settings(Some("1")), true).expect("versions");
    assert_eq!(found.versions.iter().filter(|of| of.against_champion.is_some()).count(), 3);
    // A difference that is just certain by itself is not among several.
    let of = |rows: &[Row], names: usize| {
        let found = told(
            rows,
            Task::Classification,
            &Settings { limits: Limits { margin: 0.0, ..LIMITS }, ..settings(Some("1")) },
            true,
        );
        let found = found.expect("versions");
        assert_eq!(found.versions.len(), names);
        let second = found.versions.iter().find(|of| of.version == "2").and_then(|of| of.against_champion.clone());
        second.expect("compared").verdict
    };
    // The second is wrong alone 20 times, the first 8: McNemar's score is 2.27.
    for (at, row) in rows.iter_mut().enumerate() {
        let (request, label) = (at / 4, row.3.unwrap_or_default());
        row.4 = Some(match row.0 {
            "2" if request < 20 => 1 - label,
            "1" if (20..28).contains(&request) => 1 - label,
            _ => label,
        });
    }
    let two: Vec<Row> = rows.iter().filter(|row| ["1", "2"].contains(&row.0)).copied().collect();
    assert_eq!((of(&two, 2), of(&rows, 4)), (Verdict::Worse, Verdict::TooFew));
}

#[test]
fn rows_without_a_version_are_counted_and_dtypes_hold() {
    let rows: Vec<Row> =
        (0..900).map(|at| (["1", "2", ""][(at % 3) as usize], at, i64::from(at), None, Some(1))).collect();
    let found = told(&rows, Task::Classification, &settings(Some("7")), true).expect("two versions");
    let missing = found.champion_missing.as_deref();
    assert_eq!((found.without_version, missing, found.versions[0].rows), (300, Some("7"), 300));
    assert!((found.versions.iter().map(|of| of.share).sum::<f64>() - 1.0).abs() < 1e-12);
    // A side that lacks a column altogether is measured by what it has.
    let label = Series::full_null("label".into(), 4, &DataType::Boolean);
    let score = Series::new("score".into(), [Some(0.9), None, Some(0.2), None]);
    let version = Coded::of_texts("version", ["1", "2", "1", "2"].map(Some));
    let request: Vec<Option<u128>> = [1, 1, 2, 2].map(Some).to_vec();
    let columns = Columns { label: &label, prediction: None, score: Some(&score), scores: &[], group: None };
    let known = Labels::default();
    let rows = Rows { version: &version, request: &request, at: None, columns };
    let found = compare(&rows, &Wanted::new(Task::Classification, &known), &settings(None)).expect("two versions");
    let of = found.versions[1].against_champion.as_ref().expect("compared");
    assert_eq!((of.method, of.rows.champion, of.predictions.shifts.len()), (Method::Paired, 2, 0));
}
