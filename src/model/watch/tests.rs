//! A model over time: what comes when, and what is said of it.

use super::stored::labelled;
use super::*;
use crate::fairness::Fair;
use crate::frame::json::{Layout, Limits, decode};
use crate::frame::stack::frame_of;
use crate::model::border::{Purpose, expected, pass};
use crate::model::view::ModelView;
use crate::quality::Check;

mod assessed;
mod explained;
mod made;
mod versions;

const HOUR: i64 = 3_600_000;

pub(super) fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().expect("a time")
}

pub(super) fn spec() -> Spec {
    Spec { min_rows: 5, label_horizon: Duration::from_secs(86_400), ..Spec::new("m") }
}

pub(super) fn frame(watch: &mut Watch, purpose: Purpose, rows: &[String]) -> DataFrame {
    let limits = Limits { rows: 100_000, columns: 100, cells: 10_000_000 };
    let schema = watch.progress.schema.clone();
    let body = rows.join("\n");
    let rows = decode(body.as_bytes(), Layout::Lines, limits, &|name| expected(name, &watch.spec, &schema));
    let passed = pass(rows.expect("rows"), purpose, &watch.spec, &schema, 100, now());
    assert_eq!(passed.errors, []);
    let batch = passed.batch.expect("a batch");
    watch.progress.schema.merge(&batch.schema);
    frame_of(&batch.record).expect("a frame")
}

pub(super) fn take(watch: &mut Watch, rows: &[String]) {
    let frame = frame(watch, Purpose::Samples, rows);
    watch.absorb(frame, Mode::Live, now()).expect("absorbed");
}

pub(super) fn labels(watch: &mut Watch, rows: &[String]) {
    let frame = frame(watch, Purpose::Labels, rows);
    watch.absorb_labels(&frame, Mode::Live).expect("absorbed");
}

pub(super) fn refer(watch: &mut Watch, rows: &[String]) {
    let frame = frame(watch, Purpose::Reference, rows);
    watch.refer_to(&frame.clone().into(), now(), false);
}

pub(super) fn judge_all(watch: &mut Watch, second: u64) {
    while watch.judge(now(), Duration::from_secs(second)).expect("judged") {}
}

/// A window says of which versions of the model its rows are.
#[test]
fn a_window_names_its_versions() {
    let mut watch = Watch::new(spec(), 10, Progress::default(), now());
    let versioned = |rows: Vec<String>, version: &str| {
        let version = format!("{{\"version\": \"{version}\", ");
        rows.into_iter().map(|row| row.replacen('{', &version, 1)).collect::<Vec<_>>()
    };
    take(&mut watch, &versioned(hour(0, 10, 0), "7"));
    take(&mut watch, &versioned(hour(0, 20, 0).split_off(10), "8"));
    take(&mut watch, &hour(1, 10, 0));
    take(&mut watch, &hour(5, 10, 0));
    judge_all(&mut watch, 100);
    let view = watch.view(now());
    let versions: Vec<&[String]> = view.windows.iter().rev().map(|window| window.versions.as_slice()).collect();
    assert_eq!(versions[0], ["7", "8"]);
    assert!(versions[1].is_empty(), "none is told");
}

/// How near each column came to drift stays known of a window when its features are gone, in the checkpoint too.
#[test]
fn a_window_says_how_near_its_columns_came_to_drift() {
    let mut watch = Watch::new(spec(), 10, Progress::default(), now());
    refer(&mut watch, &hour(0, 100, 0));
    for at in 1..30 {
        take(&mut watch, &hour(at, 100, 0));
    }
    judge_all(&mut watch, 100);
    let results = &watch.progress.results;
    let oldest = results.values().next().expect("a window");
    assert!(oldest.features.is_empty() && !oldest.distances.is_empty(), "{oldest:?}");
    assert!(oldest.distances.values().all(|distance| (0.0..=1000.0).contains(distance)), "{oldest:?}");
    let text = serde_json::to_string(oldest).expect("JSON");
    assert_eq!(&serde_json::from_str::<WindowResult>(&text).expect("read back"), oldest);
    let view = watch.view(now());
    assert!(view.windows.iter().all(|window| !window.distances.is_empty()), "all are among the newest sixty");
    take(&mut watch, &hour(40, 3, 0));
    take(&mut watch, &hour(42, 3, 0));
    judge_all(&mut watch, 1000);
    assert!(watch.view(now()).windows[0].distances.is_empty(), "with too few rows nothing is said");
}

/// A model whose traffic stops: the last window does not wait for the next event, which may never come.
#[test]
fn the_wall_clock_closes_the_last_window() {
    let mut watch = Watch::new(spec(), 10, Progress::default(), now());
    refer(&mut watch, &hour(0, 100, 0));
    take(&mut watch, &hour(1, 100, 0));
    let begin = Timestamp::from_millisecond(watch.progress.newest.expect("an event")).expect("a time");
    let end = begin.as_second().div_euclid(3600) * 3600 + 3600;
    let at = |second: i64| Timestamp::from_second(end + second).expect("a time");
    watch.progress.heard = Some(begin);
    let judged = |watch: &mut Watch, second: i64| {
        while watch.judge(at(second), Duration::from_secs(1000)).expect("judged") {}
        windows(watch).len()
    };
    assert_eq!(judged(&mut watch, 119), 0, "lateness and grace, a minute each");
    assert_eq!(judged(&mut watch, 120), 1);
    // Old rows that are still coming are not cut short: only silence closes.
    let mut late = Watch::new(spec(), 10, Progress::default(), now());
    take(&mut late, &hour(1, 100, 0));
    late.progress.heard = Some(at(100_000));
    assert_eq!(judged(&mut late, 100_030), 0);
    assert_eq!(judged(&mut late, 100_120), 1);
    // What comes all the same is judged again.
    let more: Vec<String> = hour(1, 50, 0).into_iter().map(|row| row.replace("h1-", "more-")).collect();
    take(&mut watch, &more);
    while watch.judge(at(10_000), Duration::from_secs(2000)).expect("judged") {}
    assert_eq!(windows(&watch).iter().map(|window| window.1).collect::<Vec<_>>(), [150]);
}

/// An hour's samples: `n` rows whose feature lies about `level`.
pub(super) fn hour(hour: i64, n: i64, level: i64) -> Vec<String> {
    (0..n)
        .map(|i| {
            let at = hour * HOUR + i * (HOUR / n);
            let x = level + (i * 37) % 100;
            format!(r#"{{"id": "h{hour}-{i}", "timestamp": {at}, "x": {x}, "prediction": {}}}"#, i % 2)
        })
        .collect()
}

fn watch(spec: Spec) -> Watch {
    Watch::new(spec, 20, Progress::default(), now())
}

fn windows(watch: &Watch) -> Vec<(i64, u64, Option<bool>)> {
    watch.progress.results.iter().map(|(end, result)| (*end, result.rows, result.drift)).collect()
}

#[test]
fn a_window_is_judged_when_it_is_closed_and_drift_takes_two_in_a_row() {
    let mut watch = watch(spec());
    refer(&mut watch, &hour(0, 2000, 0));
    take(&mut watch, &hour(10, 100, 0));
    judge_all(&mut watch, 0);
    assert_eq!(windows(&watch), [], "lateness has not passed");
    take(&mut watch, &hour(11, 100, 500));
    take(&mut watch, &hour(12, 100, 500));
    judge_all(&mut watch, 0);
    assert_eq!(windows(&watch), [(11, 100, Some(false)), (12, 100, Some(true))]);
    assert_eq!(watch.view(now()).verdict.drift, Some(false), "one window is not enough");
    take(&mut watch, &hour(13, 100, 0));
    judge_all(&mut watch, 0);
    let verdict = watch.view(now()).verdict;
    assert_eq!((verdict.drift, verdict.columns), (Some(true), vec!["x".to_owned()]));
    take(&mut watch, &hour(14, 100, 0));
    judge_all(&mut watch, 0);
    assert_eq!(watch.view(now()).verdict.drift, Some(false), "it has recovered");
}

/// What is wrong with the rows is told with the window, and of a model's own beginning nobody is woken.
#[test]
fn faults_are_told_with_the_window_they_are_in() {
    let gaps = |h: i64| -> Vec<String> {
        let rows = hour(h, 100, 0).into_iter().enumerate();
        rows.map(|(i, row)| if i % 4 == 0 { row.replace("\"x\"", "\"y\"") } else { row }).collect()
    };
    let mut given = watch(spec());
    refer(&mut given, &hour(0, 2000, 0));
    let mut own = watch(Spec { reference_rows: 2000, ..spec() });
    take(&mut own, &hour(0, 2000, 0));
    for watch in [&mut given, &mut own] {
        take(watch, &gaps(10));
        take(watch, &hour(12, 1, 0));
        judge_all(watch, 0);
        let view = watch.view(now());
        let found: Vec<_> = view.quality.iter().map(|finding| (finding.check, finding.message.as_str())).collect();
        assert_eq!(found, [(Check::Missing, "x: missing in 25.0 % of rows, 0.0 % in the reference")]);
    }
    let of =
        |watch: &Watch| [Check::Missing, Check::Range, Check::WrongType].map(|check| watch.view(now()).faults(check));
    assert_eq!(of(&given), [Some(1), Some(0), Some(0)]);
    assert_eq!(of(&own), [None, None, Some(0)], "its own beginning is worth a look, not an alarm");
    take(&mut given, &hour(13, 100, 0));
    take(&mut given, &hour(15, 1, 0));
    judge_all(&mut given, 1);
    assert_eq!(of(&given), [Some(0), Some(0), Some(0)]);
    let mut off = watch(Spec { quality: toml::from_str("disabled = [\"missing\"]").expect("rules"), ..spec() });
    refer(&mut off, &hour(0, 2000, 0));
    take(&mut off, &gaps(10));
    take(&mut off, &hour(12, 1, 0));
    judge_all(&mut off, 0);
    assert_eq!(of(&off)[0], Some(0));
}

#[test]
fn late_rows_land_in_their_own_window_and_repeated_ones_nowhere() {
    let mut watch = watch(spec());
    refer(&mut watch, &hour(0, 2000, 0));
    for h in 10..13 {
        take(&mut watch, &hour(h, 50, 0));
    }
    judge_all(&mut watch, 0);
    take(&mut watch, &hour(10, 60, 0)); // ten of them are new
    take(&mut watch, &hour(8, 20, 0)); // backfill
    judge_all(&mut watch, 100);
    assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(9, 20), (11, 60), (12, 50)]);
    let counts = watch.view(now()).counts;
    assert_eq!((counts.samples, counts.repeated, counts.late), (180, 50, 30));
    take(&mut watch, &hour(100, 10, 0)); // four days on: the day's horizon has passed them
    take(&mut watch, &hour(9, 5, 0));
    let counts = watch.view(now()).counts;
    assert_eq!(
        (counts.too_late, watch.view(now()).rows_in_memory),
        (5, 190),
        "the part that holds the old rows is still open"
    );
}

#[test]
fn late_labels_have_closed_windows_judged_again_and_the_latest_wins() {
    let mut watch = watch(spec());
    refer(&mut watch, &hour(0, 2000, 0));
    for h in 10..12 {
        take(&mut watch, &hour(h, 50, 0));
    }
    judge_all(&mut watch, 0);
    assert_eq!(watch.progress.results[&11].performance, None);
    let label = |i: i64, label: i64| format!(r#"{{"id": "h10-{i}", "label": {label}}}"#);
    labels(&mut watch, &(0..40).map(|i| label(i, 1 - i % 2)).collect::<Vec<_>>());
    labels(&mut watch, &(0..30).map(|i| label(i, i % 2)).chain([label(999, 1)]).collect::<Vec<_>>());
    judge_all(&mut watch, 100);
    let performance = watch.progress.results[&11].performance.clone().expect("labels came");
    assert_eq!((performance.rows, performance.accuracy), (40, Some(0.75)));
    watch.found(&[]);
    assert_eq!(watch.view(now()).counts.unmatched, 1, "it is not among what is stored");
    assert_eq!(watch.progress.results[&11].evaluations, 2);
    labels(&mut watch, &[label(45, 1)]);
    judge_all(&mut watch, 102);
    assert_eq!(watch.progress.results[&11].evaluations, 2, "not again so soon");
    judge_all(&mut watch, 106);
    assert_eq!(watch.progress.results[&11].evaluations, 3);
}

/// A window whose rows are in memory and whose labels are not: judged again from memory alone, it would lose them.
#[test]
fn a_window_whose_labels_have_left_memory_keeps_them() {
    let mut watch = watch(Spec { max_rows: 150, ..spec() });
    refer(&mut watch, &hour(0, 2000, 0));
    for h in 10..12 {
        take(&mut watch, &hour(h, 50, 0));
    }
    let label = |id: &str| format!(r#"{{"id": "{id}", "label": 1}}"#);
    labels(&mut watch, &(0..50).map(|i| label(&format!("h10-{i}"))).collect::<Vec<_>>());
    judge_all(&mut watch, 0);
    let rows = |watch: &Watch| watch.progress.results[&11].performance.as_ref().map(|performance| performance.rows);
    assert_eq!((rows(&watch), watch.to_measure()), (Some(50), None));
    labels(&mut watch, &(0..150).map(|i| label(&format!("never-{i}"))).collect::<Vec<_>>());
    watch.found(&[]);
    let late = label("h10-3");
    labels(&mut watch, &[late]);
    judge_all(&mut watch, 100);
    assert_eq!(rows(&watch), Some(50), "as it was, until it is measured");
    let (end, from, to) = watch.to_measure().expect("to be measured from what is stored");
    assert_eq!(end, 11);
    let held = watch.rows_between(from, to).expect("rows");
    let (count, measured) = labelled(&watch, &held, &watch.labels_in_memory().expect("labels")).expect("joined");
    assert_eq!((count, measured.height()), (50, 1), "memory has the one that came last");
}

#[test]
fn sliding_windows_overlap_and_begin_when_they_are_whole() {
    let spec = Spec { window: Duration::from_secs(3 * 3600), slide: Some(Duration::from_secs(3600)), ..spec() };
    let mut watch = watch(spec);
    for h in 10..15 {
        take(&mut watch, &hour(h, 10, 0));
    }
    judge_all(&mut watch, 0);
    assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(13, 30), (14, 30)]);
}

#[test]
fn windows_of_rows_go_by_arrival() {
    let mut watch = watch(Spec { window_rows: Some(40), ..spec() });
    for h in [12, 10, 11] {
        take(&mut watch, &hour(h, 30, 0));
    }
    judge_all(&mut watch, 0);
    assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(1, 40), (2, 40)]);
}

#[test]
fn the_first_rows_become_a_provisional_reference() {
    let mut watch = watch(Spec { reference_rows: 100, ..spec() });
    let frame = frame(&mut watch, Purpose::Samples, &hour(1, 250, 0));
    let stored = watch.absorb(frame, Mode::Live, now()).expect("absorbed").expect("enough rows");
    assert_eq!(stored.rows(), 100);
    let about = watch.progress.reference.clone().expect("a reference");
    assert!(about.provisional && about.rows == 100);
    assert!(watch.view(now()).bins.iter().all(|bins| bins.current.iter().all(|count| *count == 0)));
    take(&mut watch, &hour(2, 50, 0));
    assert!(watch.view(now()).bins.iter().all(|bins| bins.current.iter().sum::<u64>() == 50));
}

#[test]
fn bounds_hold_and_what_falls_off_is_counted() {
    let mut watch = watch(Spec { max_rows: 20_000, ..spec() });
    for part in 0..4 {
        let rows: Vec<String> =
            (0..10_000).map(|i| format!(r#"{{"timestamp": {}, "x": {i}}}"#, part * 10_000 + i)).collect();
        take(&mut watch, &rows);
    }
    let view = watch.view(now());
    assert_eq!((view.rows_in_memory, view.counts.forgotten), (20_000, 20_000));
}

#[test]
fn a_body_larger_than_the_bound_leaves_its_newest_rows() {
    let mut watch = watch(Spec { max_rows: 20_000, window_rows: Some(500), ..spec() });
    let rows: Vec<String> = (0..50_000).map(|i| format!(r#"{{"timestamp": {i}, "x": {i}}}"#)).collect();
    take(&mut watch, &rows);
    judge_all(&mut watch, 0);
    let view = watch.view(now());
    assert_eq!((view.rows_in_memory, view.counts.forgotten, view.windows.len()), (20_000, 30_000, 40));
}

#[test]
fn a_clock_that_runs_ahead_closes_no_window() {
    let mut watch = watch(spec());
    let day = now().as_millisecond() / HOUR;
    take(&mut watch, &hour(day + 10, 1, 0));
    take(&mut watch, &hour(day - 3, 50, 0));
    judge_all(&mut watch, 0);
    assert_eq!(windows(&watch).iter().map(|w| w.1).collect::<Vec<_>>(), [50]);
    assert_eq!(watch.view(now()).counts.too_late, 0);
}

#[test]
fn of_labels_the_one_with_the_latest_time_wins() {
    let mut watch = watch(spec());
    for h in 10..12 {
        take(&mut watch, &hour(h, 50, 0));
    }
    let label = |at: i64, label: u8| format!(r#"{{"id": "h10-1", "label": {label}, "timestamp": {at}}}"#);
    labels(&mut watch, &[label(2000, 1), label(1000, 0)]);
    judge_all(&mut watch, 0);
    let performance = watch.progress.results[&11].performance.clone().expect("a label came");
    assert_eq!((performance.rows, performance.accuracy), (1, Some(1.0)));
}

#[test]
fn the_same_reference_again_starts_no_counter_anew() {
    let mut watch = watch(spec());
    refer(&mut watch, &hour(0, 2000, 0));
    take(&mut watch, &hour(10, 50, 0));
    let (since, bins) = (watch.progress.reference.clone(), watch.view(now()).bins);
    let frame = frame(&mut watch, Purpose::Reference, &hour(0, 2000, 0));
    watch.refer_to(&frame.clone().into(), now() + Duration::from_secs(60), false);
    assert_eq!((watch.progress.reference.clone(), watch.view(now()).bins), (since, bins));
}

#[test]
fn another_kind_of_window_places_all_rows_anew() {
    let mut watch = watch(spec());
    for h in 10..13 {
        take(&mut watch, &hour(h, 50, 0));
    }
    judge_all(&mut watch, 0);
    watch.configure(Spec { window_rows: Some(60), ..spec() }, 20).expect("configured");
    judge_all(&mut watch, 10);
    assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(1, 60), (2, 60)]);
    watch.configure(spec(), 20).expect("configured");
    judge_all(&mut watch, 20);
    assert_eq!(windows(&watch).iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(11, 50), (12, 50)]);
}

#[test]
fn windows_of_rows_go_on_after_a_restart() {
    let spec = Spec { window_rows: Some(40), max_rows: 100, ..spec() };
    let mut before = watch(spec.clone());
    let frames: Vec<DataFrame> = (10..20).map(|h| frame(&mut before, Purpose::Samples, &hour(h, 30, 0))).collect();
    for frame in &frames {
        before.absorb(frame.clone(), Mode::Live, now()).expect("absorbed");
        judge_all(&mut before, 0);
    }
    let progress = before.progress.clone();
    let mut after = Watch::new(spec, 20, progress, now());
    for frame in frames {
        after.absorb(frame, Mode::Rebuild, now()).expect("absorbed");
    }
    after.rebuilt().expect("rebuilt");
    assert_eq!(after.view(now()).rows_in_memory, before.view(now()).rows_in_memory);
    take(&mut after, &hour(19, 30, 0)); // all repeated
    assert_eq!(after.view(now()).counts.repeated, 30);
}

#[test]
fn a_description_that_changed_while_it_was_away_has_bins_of_its_own() {
    let mut before = watch(spec());
    let reference = frame(&mut before, Purpose::Reference, &hour(0, 2000, 0));
    before.refer_to(&reference.clone().into(), now(), false);
    take(&mut before, &hour(10, 50, 0));
    let spec = Spec { exclude: vec!["x".to_owned()], ..spec() };
    let mut after = Watch::new(spec, 20, before.progress.clone(), now());
    after.remember(&reference.clone().into(), now());
    let (one, other) = (before.progress.reference.expect("one"), after.progress.reference.clone().expect("one"));
    assert_ne!(one.hash, other.hash);
    let bins = after.view(now()).bins;
    assert!(bins.iter().all(|bins| bins.column != "x" && bins.current.iter().sum::<u64>() == 0), "{bins:?}");
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let mut before = watch(spec());
    let reference = frame(&mut before, Purpose::Reference, &hour(0, 2000, 0));
    before.refer_to(&reference.clone().into(), now(), false);
    let frames: Vec<DataFrame> = (10..13).map(|h| frame(&mut before, Purpose::Samples, &hour(h, 50, 300))).collect();
    for frame in &frames {
        before.absorb(frame.clone(), Mode::Live, now()).expect("absorbed");
    }
    judge_all(&mut before, 0);
    let kept = serde_json::to_string(&before.progress).expect("JSON");
    let progress: Progress = serde_json::from_str(&kept).expect("what was written");
    let mut after = Watch::new(spec(), 20, progress, now());
    after.remember(&reference.clone().into(), now());
    for frame in frames {
        after.absorb(frame, Mode::Rebuild, now()).expect("absorbed");
    }
    after.rebuilt().expect("rebuilt");
    let (one, other) = (before.view(now()), after.view(now()));
    assert_eq!(
        (one.counts, one.rows_in_memory, &one.verdict, &one.bins),
        (other.counts, other.rows_in_memory, &other.verdict, &other.bins)
    );
    assert_eq!(one.windows, other.windows);
    for watch in [&mut before, &mut after] {
        take(watch, &hour(13, 50, 0));
        take(watch, &hour(12, 50, 300)); // repeated
        judge_all(watch, 100);
    }
    assert_eq!(before.view(now()).windows, after.view(now()).windows);
    assert_eq!(before.view(now()).counts, after.view(now()).counts);
}

/// A shadow answers the same requests: its rows are no repetition, and a label is of both.
#[test]
fn a_shadow_has_rows_of_the_same_ids() {
    let row = |i: u32, version: &str, prediction: u32| {
        format!(r#"{{"id": "{i}", "version": "{version}", "timestamp": {}, "prediction": {prediction}}}"#, 1000 * i)
    };
    let mut watch = Watch::new(spec(), 10, Progress::default(), now());
    take(&mut watch, &(0..10).map(|i| row(i, "1", 1)).collect::<Vec<_>>());
    take(&mut watch, &(0..10).map(|i| row(i, "2", u32::from(i < 5))).collect::<Vec<_>>());
    assert_eq!((watch.progress.counts.samples, watch.progress.counts.repeated), (20, 0));
    // Sent again it is one.
    take(&mut watch, &[row(3, "2", 1), row(3, "1", 1)]);
    assert_eq!((watch.progress.counts.samples, watch.progress.counts.repeated), (20, 2));
    take(&mut watch, &[r#"{"id": "later", "timestamp": 7300000, "prediction": 1}"#.to_owned()]);
    labels(
        &mut watch,
        &(0..10).map(|i| format!(r#"{{"id": "{i}", "label": 1, "timestamp": {i}}}"#)).collect::<Vec<_>>(),
    );
    judge_all(&mut watch, 0);
    let window = watch.progress.results.values().next().expect("a window");
    let performance = window.performance.as_ref().expect("labels came");
    assert_eq!((window.rows, performance.rows, performance.accuracy), (20, 20, Some(0.75)));
    // What is stored is measured alike.
    let rows = watch.rows.range(0, HOUR).expect("rows");
    let (count, measured) = labelled(&watch, &rows, &watch.labels.all().expect("labels")).expect("joined");
    assert_eq!((count, measured.height()), (20, 20));
}

/// Rows of a version that the reference is not of are named and held against nothing.
#[test]
fn another_versions_rows_are_not_judged() {
    let row = |i: u32, version: &str, x: u32| {
        let at = 1000 * i;
        format!(
            r#"{{"id": "{version}{i}", "version": "{version}", "timestamp": {at}, "x": {x}, "prediction": 1, "label": {}}}"#,
            x / 100
        )
    };
    let reference: Vec<String> = (0..300).map(|i| row(i, "1", i % 10)).collect();
    let close = |watch: &mut Watch| {
        take(watch, &[r#"{"id": "later", "version": "1", "timestamp": 7300000, "x": 1, "prediction": 1}"#.to_owned()]);
        judge_all(watch, 0);
        watch.progress.results.values().next().cloned().expect("a window")
    };
    let told = Spec { reference_version: Some("1".to_owned()), ..spec() };
    let unversioned: Vec<String> = reference.iter().map(|row| row.replace(r#""version": "1", "#, "")).collect();
    for (spec, reference) in [(spec(), &reference), (told, &unversioned)] {
        let mut watch = Watch::new(spec, 10, Progress::default(), now());
        refer(&mut watch, reference);
        take(&mut watch, &(0..300).map(|i| row(i, "1", i % 10)).collect::<Vec<_>>());
        take(&mut watch, &(0..250).map(|i| row(i, "2", 100 + i % 10)).collect::<Vec<_>>());
        let window = close(&mut watch);
        assert_eq!((window.rows, window.unjudged.get("2"), window.unjudged.len()), (550, Some(&250), 1));
        assert_eq!((window.drift, window.versions.as_slice()), (Some(false), &["1".to_owned(), "2".to_owned()][..]));
        assert_eq!(window.performance.as_ref().map(|of| (of.rows, of.accuracy)), Some((300, Some(0.0))));
        // What is stored is measured alike.
        let rows = watch.rows.range(0, HOUR).expect("rows");
        let (count, measured) = labelled(&watch, &rows, &DataFrame::empty()).expect("joined");
        watch.measured(*watch.progress.results.keys().next().expect("a window"), count, &measured, now());
        let again = watch.progress.results.values().next().and_then(|window| window.performance.clone());
        assert_eq!(again.map(|of| of.rows), Some(300));
        // A window of it alone.
        let mut watch = Watch::new(watch.spec.clone(), 10, Progress::default(), now());
        refer(&mut watch, reference);
        take(&mut watch, &(0..250).map(|i| row(i, "2", 100 + i % 10)).collect::<Vec<_>>());
        let window = close(&mut watch);
        assert_eq!((window.rows, window.drift, window.reference, window.performance), (250, None, None, None));
    }
    // Where nothing says of which version the reference is, all rows are held against it.
    let mut watch = Watch::new(spec(), 10, Progress::default(), now());
    refer(&mut watch, &unversioned);
    take(&mut watch, &(0..250).map(|i| row(i, "2", 100 + i % 10)).collect::<Vec<_>>());
    let window = close(&mut watch);
    assert_eq!((window.drift, window.unjudged.len(), window.reference.is_some()), (Some(true), 0, true));
}
