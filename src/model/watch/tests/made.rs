//! Features that are compared by what is made of them: texts, dates, vectors.

use super::*;
use crate::drift::comparison::FindingKind;

/// What an hour's rows are like.
#[derive(Clone, Copy)]
struct Like {
    word: &'static str,
    days: u64,
    shift: f64,
    /// Every so many rows have none of it.
    gap: usize,
}

const BEFORE: Like = Like { word: "house", days: 30, shift: 0.0, gap: usize::MAX };

fn rows(hour: i64, n: usize, like: Like) -> Vec<String> {
    let random = &mut fastrand::Rng::with_seed(u64::try_from(hour).expect("an hour"));
    let words = ["red", "green", "blue", "old", "new", "small", "large", "far", "near", "cold"];
    let row = |i: usize| {
        let at = hour * HOUR + i64::try_from(i).expect("few") * (HOUR / i64::try_from(n).expect("few"));
        let text: Vec<&str> = (0..random.usize(3..9)).map(|_| words[random.usize(..10)]).collect();
        let seen = at - i64::try_from(random.u64(..like.days * 86_400_000)).expect("small");
        let seen = Timestamp::from_millisecond(seen).expect("a time");
        let vector: Vec<f64> = (0..6).map(|_| random.f64() + random.f64() + like.shift).collect();
        let made = if i.is_multiple_of(like.gap) && i > 0 {
            String::new()
        } else {
            format!(
                r#""note": "{} {} {}", "seen": "{seen}", "v": {vector:?}, "#,
                text.join(" "),
                like.word,
                random.u16(100..999)
            )
        };
        format!(r#"{{"id": "h{hour}-{i}", "timestamp": {at}, {made}"x": {}}}"#, random.f64())
    };
    (0..n).map(row).collect()
}

fn watched(spec: Spec, start: i64) -> Watch {
    let mut watch = watch(spec);
    let reference: Vec<String> = (start..start + 12).flat_map(|hour| rows(hour, 100, BEFORE)).collect();
    refer(&mut watch, &reference);
    watch
}

fn drifted(watch: &Watch) -> Vec<Vec<String>> {
    watch.progress.results.values().map(|result| result.drifted.clone()).collect()
}

#[test]
fn what_is_made_of_features_is_judged_window_by_window() {
    let mut watch = watched(spec(), 480_000);
    for hour in 490_000..490_002 {
        take(&mut watch, &rows(hour, 200, BEFORE));
    }
    take(&mut watch, &rows(490_002, 200, Like { word: "CASTLE", days: 90, shift: 0.5, gap: usize::MAX }));
    take(&mut watch, &rows(490_003, 200, Like { gap: 4, ..BEFORE }));
    take(&mut watch, &rows(490_004, 10, BEFORE));
    judge_all(&mut watch, 100);
    let found = drifted(&watch);
    assert_eq!(found[..2], [Vec::<String>::new(), Vec::new()]);
    for name in ["note.capitals", "note.out_of_vocabulary", "seen.age", "v"] {
        assert!(found[2].iter().any(|drifts| drifts == name), "{name}: {:?}", found[2]);
    }
    assert_eq!(found[3], ["note.length", "seen.age", "v"], "missing, each counted once");
    let view = watch.view(now());
    assert!(view.schema.is_empty(), "{:?}", view.schema);
    // Each is exported like a feature, with its bins and their counts; vectors have none.
    let bins = |name: &str| view.bins.iter().find(|bins| bins.column == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(bins("note.length").current.iter().sum::<u64>(), 810);
    assert_eq!(bins("note.out_of_vocabulary").current.iter().sum::<u64>(), 810 - 49);
    assert_eq!(bins("seen.age").current.iter().sum::<u64>(), 810);
    assert!(bins("v").bins.is_empty() && !view.bins.iter().any(|bins| bins.column == "note"));
}

#[test]
fn the_description_says_what_strings_are() {
    let names = |spec: Spec| {
        let watch = watched(spec, 480_000);
        watch.view(now()).bins.into_iter().map(|bins| bins.column).collect::<Vec<_>>()
    };
    assert_eq!(names(spec()).len(), 7 + 1 + 1 + 1);
    let forced = Spec { categorical: vec!["note".to_owned()], ..spec() };
    assert_eq!(names(forced), ["note", "seen.age", "x", "v"]);
    let as_text = Spec { text: vec!["seen".to_owned()], exclude: vec!["note".to_owned(), "v".to_owned()], ..spec() };
    assert!(names(as_text).contains(&"seen.digits".to_owned()));
}

#[test]
fn thresholds_of_a_column_that_is_not_compared_are_told() {
    let mut set = spec();
    for name in ["note.length", "note.lenght", "v", "x", "note", "prise"] {
        set.thresholds.columns.insert(name.to_owned(), [("shift".to_owned(), 0.2)].into());
    }
    assert!(watch(set.clone()).view(now()).schema.is_empty(), "without a reference nobody knows");
    let view = watched(set, 480_000).view(now());
    let found = &view.schema;
    let told: Vec<(&str, bool)> = found.iter().map(|f| (f.column.as_str(), f.finding.is_drift())).collect();
    assert_eq!(told, [("note", false), ("note.lenght", false), ("prise", false)]);
    assert!(view.in_vain()[2].starts_with("`prise`: thresholds are set for it"), "{:?}", view.in_vain());
    assert!(found[1].message.ends_with("; did you mean `note.length`?"), "{}", found[1].message);
}

#[test]
fn lists_of_any_length_are_not_compared_and_what_is_gone_is_told() {
    let mut watch = watch(spec());
    let lists: Vec<String> = (0..200_u32)
        .map(|i| {
            let list: Vec<u32> = (0..=i % 7).collect();
            format!(r#"{{"timestamp": {i}, "v": [1.0, {i}], "items": {list:?}}}"#)
        })
        .collect();
    refer(&mut watch, &lists);
    take(&mut watch, &(0..200).map(|i| format!(r#"{{"timestamp": {i}, "x": 1}}"#)).collect::<Vec<_>>());
    let found: Vec<(String, FindingKind)> =
        watch.view(now()).schema.into_iter().map(|finding| (finding.column, finding.finding)).collect();
    // The schema knows what the reference has.
    assert_eq!(found, [("items".to_owned(), FindingKind::NotComparable), ("x".to_owned(), FindingKind::OnlyInCurrent)]);
    let bytes = watch.bytes();
    assert!(bytes > 200 * 2 * 8, "{bytes}");
}

#[test]
fn dates_without_the_times_of_a_reference_are_counted_from_the_newest() {
    let mut watch = watch(spec());
    // Without times all rows came at once.
    let untimed = |hour: i64, like: Like| -> Vec<String> {
        rows(hour, 1200, like).iter().map(|row| row.replacen("\"timestamp\"", "\"then\"", 1)).collect()
    };
    refer(&mut watch, &untimed(480_000, BEFORE));
    take(&mut watch, &rows(490_000, 300, BEFORE));
    take(&mut watch, &rows(490_001, 300, Like { days: 90, ..BEFORE }));
    take(&mut watch, &rows(490_002, 10, BEFORE));
    judge_all(&mut watch, 100);
    let found = drifted(&watch);
    assert!(!found[0].contains(&"seen.age".to_owned()) && found[1].contains(&"seen.age".to_owned()), "{found:?}");
    let counted = watch.view(now()).bins.into_iter().find(|bins| bins.column == "seen.age").expect("an age");
    assert_eq!(counted.current.iter().sum::<u64>(), 0, "a row alone has no age");
}
