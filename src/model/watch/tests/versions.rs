//! Versions of a model side by side, as their rows and labels come.

use fastrand::Rng;

use super::*;
use crate::versions::{Comparison, Method, Verdict, Versions};

/// A request's rows: version "1" is right nine times of ten, version "2" also wrong in so many more; and the label.
fn shadow(seed: u64, requests: std::ops::Range<i64>, worse: f64) -> (Vec<String>, Vec<String>) {
    let mut random = Rng::with_seed(seed);
    let (mut samples, mut labels) = (Vec::new(), Vec::new());
    for id in requests {
        let label = i64::from(random.bool());
        let champion = if random.f64() < 0.9 { label } else { 1 - label };
        let challenger = if random.f64() < worse { 1 - champion } else { champion };
        samples.extend([("1", champion), ("2", challenger)].map(|(version, prediction)| {
            format!(
                "{{\"id\": \"{id}\", \"timestamp\": {}, \"version\": \"{version}\", \"prediction\": {prediction}}}",
                id * 1000
            )
        }));
        labels.push(format!("{{\"id\": \"{id}\", \"label\": {label}}}"));
    }
    (samples, labels)
}

fn described() -> Spec {
    Spec { min_rows: 200, task: Some(crate::performance::Task::Classification), ..spec() }
}

fn versions(watch: &Watch) -> Versions {
    watch.view(now()).versions.expect("two versions")
}

fn challenger(found: &Versions) -> &Comparison {
    found.versions[1].against_champion.as_ref().expect("compared")
}

#[test]
fn a_shadow_stands_beside_the_champion_before_labels_and_after() {
    let mut watch = watch(described());
    let (samples, truth) = shadow(1, 0..2000, 0.1);
    take(&mut watch, &samples);
    judge_all(&mut watch, 0);
    let found = versions(&watch);
    let of = challenger(&found);
    assert_eq!((of.method, of.verdict, of.enough, of.rows.champion), (Method::Paired, Verdict::TooFew, false, 2000));
    assert!(of.predictions.agreement.and_then(|share| share.value).is_some_and(|share| (share - 0.9).abs() < 0.03));
    labels(&mut watch, &truth);
    judge_all(&mut watch, 30);
    assert_eq!(versions(&watch), found, "once a minute");
    judge_all(&mut watch, 60);
    let found = versions(&watch);
    let of = challenger(&found);
    assert_eq!((of.verdict, of.enough, of.measure), (Verdict::Worse, true, Some("accuracy")));
    assert_eq!((of.labelled.champion, found.versions[0].version.as_str()), (2000, "1"));
    let looked = of.looked.expect("again and again");
    assert!(looked.turns == 1 && looked.significance < 0.0025, "{looked:?}");
    // With nothing new there is nothing to compare.
    assert!(!watch.versions_due);
    judge_all(&mut watch, 600);
    assert_eq!(watch.compared, Some(Duration::from_secs(60)));
}

/// Labels that come with one version's rows are of the request.
#[test]
fn a_shadow_has_the_labels_of_the_champions_rows() {
    let mut watch = watch(described());
    let (samples, truth) = shadow(2, 0..1000, 0.0);
    let label = |at: usize| truth[at / 2].rsplit(": ").next().expect("a label").to_owned();
    let joined = |(at, row): (usize, &String)| {
        if at % 2 == 0 { format!("{}, \"label\": {}", &row[..row.len() - 1], label(at)) } else { row.clone() }
    };
    take(&mut watch, &samples.iter().enumerate().map(joined).collect::<Vec<_>>());
    judge_all(&mut watch, 0);
    let found = versions(&watch);
    let of = challenger(&found);
    assert_eq!((of.method, of.labelled.challenger, of.verdict), (Method::Paired, 1000, Verdict::AsWell));
}

/// A canary that takes over stays the challenger for as long as the champion has rows.
#[test]
fn the_champion_stays_until_it_is_gone() {
    let mut watch = watch(Spec { max_rows: 3000, ..described() });
    let mut random = Rng::with_seed(3);
    let mut send = |watch: &mut Watch, rows: std::ops::Range<i64>, share: f64| {
        let row = |id: i64| {
            let (version, label) = (if random.f64() < share { "2" } else { "1" }, i64::from(random.bool()));
            format!(
                "{{\"id\": \"{id}\", \"timestamp\": {}, \"version\": \"{version}\", \"prediction\": 1, \"label\": {label}}}",
                id * 1000
            )
        };
        take(watch, &rows.map(row).collect::<Vec<_>>());
    };
    send(&mut watch, 0..2000, 0.1);
    judge_all(&mut watch, 0);
    let first = versions(&watch);
    assert_eq!((first.versions[0].version.as_str(), challenger(&first).method), ("1", Method::Unpaired));
    send(&mut watch, 2000..4500, 0.95);
    judge_all(&mut watch, 100);
    let second = versions(&watch);
    assert_eq!((second.versions[0].version.as_str(), second.champion_missing.as_ref()), ("1", None));
    assert!(second.versions[0].share < 0.5, "{}", second.versions[0].share);
    let looked = [&first, &second].map(|found| challenger(found).looked.expect("again and again"));
    assert!(looked[1].turns > 1 && looked[0].since == looked[1].since, "rows have left: {looked:?}");
    // What is kept of it says the same after a restart.
    let text = serde_json::to_string(&watch.progress).expect("JSON");
    assert_eq!(serde_json::from_str::<Progress>(&text).expect("read back"), watch.progress);
    // Of one version alone nothing is told, and the next begins anew.
    send(&mut watch, 4500..9000, 1.0);
    judge_all(&mut watch, 200);
    assert!(watch.view(now()).versions.is_none());
}

/// A new version without a reference is not held against the old one's, and stands beside it all the same.
#[test]
fn versions_are_compared_whatever_the_reference_is_of() {
    let mut watch = watch(Spec { reference_version: Some("1".to_owned()), ..described() });
    let (samples, truth) = shadow(4, 0..600, 0.0);
    let only: Vec<String> = samples.iter().step_by(2).cloned().collect();
    refer(&mut watch, &only);
    take(&mut watch, &samples);
    labels(&mut watch, &truth);
    take(&mut watch, &hour(5, 1, 0));
    judge_all(&mut watch, 0);
    let view = watch.view(now());
    let unjudged: u64 = watch.progress.results.values().flat_map(|window| window.unjudged.values()).sum();
    assert_eq!(unjudged, 600);
    assert_eq!(view.versions.as_ref().map(|found| (found.versions.len(), found.without_version)), Some((2, 0)));
}

#[test]
fn the_newest_with_labels_are_taken_and_no_more() {
    let mut watch = watch(described());
    let (samples, truth) = shadow(5, 0..100, 0.0);
    take(&mut watch, &samples);
    assert_eq!(watch.newest(50).expect("rows"), (75_000, false), "two rows of each second");
    labels(&mut watch, &truth[..40]);
    watch.settle_labels().expect("labels");
    assert_eq!(watch.newest(50).expect("rows"), (15_000, true));
    assert_eq!(watch.newest(500).expect("rows"), (i64::MIN, true));
}
