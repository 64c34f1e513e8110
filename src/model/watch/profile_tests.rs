//! A model whose reference is a profile.

use super::tests::{self, frame, judge_all, now, refer, spec, take};
use super::*;
use crate::drift::Kind;
use crate::drift::profile::{Column, Profile};
use crate::model::border::Purpose;
use crate::model::reference::Given;

/// An hour's rows, of three classes.
fn hour(at: i64, rows: i64, level: i64) -> Vec<String> {
    let classed = |(row, class): (String, &str)| row.replacen('{', &format!("{{\"class\": \"{class}\", "), 1);
    tests::hour(at, rows, level).into_iter().zip(["a", "b", "c"].into_iter().cycle()).map(classed).collect()
}

/// Of rows as they come to the agent, in parts of time where there are any.
fn profile_of(rows: &[String], parts: &[&[String]]) -> Profile {
    let mut watch = Watch::new(spec(), 20, Progress::default(), now());
    let mut read = |rows: &[String]| frame(&mut watch, Purpose::Reference, rows);
    let (all, parts): (DataFrame, Vec<DataFrame>) = (read(rows), parts.iter().map(|part| read(part)).collect());
    let column = |name: &str, kind| {
        let parts: Vec<Sample> = parts.iter().map(|part| sample(part, name, kind)).collect();
        Column::of(name, sample(&all, name, kind), kind == Kind::Numeric, &parts).expect("enough rows")
    };
    let columns = vec![column("x", Kind::Numeric), column("class", Kind::Categorical)];
    Profile::new("train.parquet", all.height() as u64, Vec::new(), columns).expect("readable")
}

fn given(profile: &Profile) -> Given {
    Given::profile(profile.text()).expect("a profile")
}

fn drifted(watch: &Watch) -> Vec<(i64, Vec<String>)> {
    watch.progress.results.iter().map(|(end, result)| (*end, result.drifted.clone())).collect()
}

#[test]
fn windows_are_judged_as_against_its_rows() {
    let rows = hour(0, 2000, 0);
    let profile = profile_of(&rows, &[]);
    let judged = |refer_to: &dyn Fn(&mut Watch)| {
        let mut watch = Watch::new(spec(), 2, Progress::default(), now());
        refer_to(&mut watch);
        for (at, level) in [(10, 0), (11, 500), (12, 3)] {
            take(&mut watch, &hour(at, 300, level));
        }
        take(&mut watch, &hour(20, 5, 0));
        judge_all(&mut watch, 0);
        watch
    };
    let of_profile = judged(&|watch| watch.refer_to(&given(&profile), now(), false));
    let of_rows = judged(&|watch| refer(watch, &rows));
    assert_eq!(drifted(&of_profile), drifted(&of_rows));
    assert_eq!(drifted(&of_profile)[1], (12, vec!["x".to_owned()]));
    let view = of_profile.view(now());
    let about = view.reference.expect("a reference").about;
    assert_eq!((about.hash.as_str(), about.rows, about.provisional), (profile.hash.as_str(), 2000, false));
    assert_eq!(about.profile.as_deref(), Some("train.parquet"));
    // The metrics' bins are those of the rows, and every row of either side is in one.
    let bins = |watch: &Watch| {
        let view = watch.view(now());
        let of = |name| view.bins.iter().find(|bins| bins.column == name).cloned().expect("its bins");
        (of("class"), of("x").reference.iter().sum::<u64>(), of("x").current.iter().sum::<u64>())
    };
    let (class, reference, current) = bins(&of_profile);
    assert_eq!(class, bins(&of_rows).0);
    assert_eq!(class.bins.iter().filter(|bin| *bin != "other" && *bin != "missing").count(), 2);
    assert_eq!((reference, current), (2000, 905));
}

#[test]
fn what_a_column_varies_by_itself_comes_with_it() {
    let level = |at: i64| [0, 25, 50, 75, 50, 25][usize::try_from(at % 6).unwrap_or_default()];
    let parts: Vec<Vec<String>> = (0..48).map(|at| hour(at, 100, level(at))).collect();
    let slices: Vec<&[String]> = parts.iter().map(Vec::as_slice).collect();
    let drifts = |profile: &Profile| {
        let mut watch = Watch::new(spec(), 20, Progress::default(), now());
        watch.refer_to(&given(profile), now(), false);
        for at in 60..66 {
            take(&mut watch, &hour(at, 100, level(at)));
        }
        take(&mut watch, &hour(70, 5, 0));
        judge_all(&mut watch, 0);
        drifted(&watch).iter().filter(|(_, columns)| !columns.is_empty()).count()
    };
    assert_eq!(drifts(&profile_of(&parts.concat(), &slices)), 0);
    assert!(drifts(&profile_of(&parts.concat(), &[])) >= 2, "without it a season is drift");
}

#[test]
fn a_profile_and_rows_follow_each_other_and_a_restart_keeps_the_counts() {
    let profile = profile_of(&hour(0, 2000, 0), &[]);
    let mut watch = Watch::new(spec(), 20, Progress::default(), now());
    let hash = |watch: &Watch| watch.progress.reference.as_ref().map(|about| about.hash.clone());
    let counted =
        |watch: &Watch| watch.view(now()).bins.iter().map(|bins| bins.current.iter().sum()).collect::<Vec<u64>>();
    watch.refer_to(&given(&profile), now(), false);
    take(&mut watch, &hour(10, 50, 0));
    assert_eq!(counted(&watch), [50, 50]);
    // Taken up again, with the same description and with one that exports other bins.
    let again = |bins: usize| {
        let mut again = Watch::new(spec(), bins, watch.progress.clone(), now());
        again.remember(&given(&profile), now() + Duration::from_secs(60));
        (hash(&again), counted(&again))
    };
    assert_eq!(again(20), (Some(profile.hash.clone()), vec![50, 50]));
    assert_eq!(again(2), (Some(profile.hash.clone()), vec![0, 0]));
    refer(&mut watch, &hour(0, 2000, 0));
    assert_ne!(hash(&watch), Some(profile.hash.clone()));
    assert!(watch.progress.reference.as_ref().is_some_and(|about| about.profile.is_none()));
    watch.refer_to(&given(&profile), now(), false);
    assert_eq!((hash(&watch), watch.bytes() > 0), (Some(profile.hash.clone()), true));
}

/// Two agents that export other bins of one profile have counts that do not add up, and say so by the hash at them.
#[test]
fn counts_in_other_bins_have_another_hash() {
    let profile = profile_of(&hour(0, 2000, 0), &[]);
    let exported = |bins: usize| {
        let mut watch = Watch::new(spec(), bins, Progress::default(), now());
        watch.refer_to(&given(&profile), now(), false);
        take(&mut watch, &hour(10, 50, 0));
        let view = crate::model::view::ModelsView { models: vec![watch.view(now())], metric_features: 10 };
        let counts = crate::model::points::points(&view, now()).into_iter();
        let counts = counts.filter(|point| point.metric.name == "plumbline.model.feature.bin.count");
        let hash = |point: crate::metric::Point| {
            point.attributes.iter().find(|(name, _)| *name == "reference.hash").map(|(_, hash)| hash.to_string())
        };
        let hashes: BTreeSet<String> = counts.filter_map(hash).collect();
        assert_eq!(hashes.len(), 1, "{hashes:?}");
        (hashes, watch.progress.reference.expect("a reference").hash)
    };
    let ((few, of_few), (many, of_many)) = (exported(2), exported(20));
    assert_eq!((of_few, of_many), (profile.hash.clone(), profile.hash.clone()));
    assert_ne!(few, many);
    // Of three classes ten bins hold no less than twenty.
    assert_eq!(exported(10).0, many);
}

/// What a profile knows of the quality of data is looked for in a window.
#[test]
fn faults_of_a_window_are_found_against_a_profile() {
    let profile = profile_of(&hour(0, 2000, 0), &[]);
    let mut watch = Watch::new(spec(), 20, Progress::default(), now());
    watch.refer_to(&given(&profile), now(), false);
    let renamed = |rows: Vec<String>| rows.into_iter().map(|row| row.replace("\"a\"", "\"z\"")).collect::<Vec<_>>();
    take(&mut watch, &hour(10, 300, 0));
    take(&mut watch, &renamed(hour(11, 300, 0)));
    take(&mut watch, &hour(20, 5, 0));
    judge_all(&mut watch, 0);
    let found = |end: i64| watch.progress.results[&end].quality.iter().map(|of| of.check).collect::<Vec<_>>();
    assert_eq!(found(11), []);
    assert_eq!(found(12), [crate::quality::Check::NewCategories, crate::quality::Check::VanishedCategories]);
}

/// A profile may stand for more rows than memory holds.
#[test]
fn a_profile_of_many_rows_takes_little_memory() {
    let columns = (0..100).map(|at| {
        let numbers = Sample::numeric((0..200_000_u32).map(|i| Some(f64::from(i % 1000 + at))));
        Column::of(&format!("x{at}"), numbers, true, &[]).expect("enough rows")
    });
    let first: Vec<Column> = columns.take(1).collect();
    let many = (0..100).map(|at| Column { name: format!("x{at}"), ..first[0].clone() }).collect();
    let profile = Profile::new("train", 200_000, Vec::new(), many).expect("readable");
    let mut watch = Watch::new(spec(), 20, Progress::default(), now());
    watch.refer_to(&given(&profile), now(), false);
    assert!((1 << 20..40 << 20).contains(&watch.bytes()), "{}", watch.bytes());
    assert_eq!(watch.view(now()).bins[0].reference.iter().sum::<u64>(), 200_000);
}

/// What two agents counted of a window comes to what one would have counted that had all rows; and so over a restart.
#[test]
fn replicas_add_up_to_one() {
    let profile = profile_of(&hour(0, 2000, 0), &[]);
    let all: Vec<String> = [hour(10, 301, 20), hour(11, 5, 0), hour(12, 5, 0)].concat();
    let watched = |rows: Vec<&String>| {
        let mut watch = Watch::new(Spec { min_rows: 200, ..spec() }, 20, Progress::default(), now());
        watch.refer_to(&given(&profile), now(), false);
        take(&mut watch, &rows.into_iter().cloned().collect::<Vec<_>>());
        judge_all(&mut watch, 0);
        watch
    };
    let counted = |watch: &Watch| {
        let view = watch.view(now());
        let window = view.tallies.iter().find(|window| window.end.as_second() == 11 * 3600).expect("a window");
        window.tally.as_ref().clone()
    };
    let one = counted(&watched(all.iter().collect()));
    let replicas =
        [0, 1].map(|own| watched(all.iter().enumerate().filter(|(i, _)| i % 2 == own).map(|(_, row)| row).collect()));
    let parts = replicas.each_ref().map(counted);
    assert!(parts.iter().all(|part| part.rows() < 200), "neither has a verdict of its own");
    let sum = Tally::sum(parts).expect("one profile").expect("two");
    assert_eq!((sum.rows(), sum.hash()), (301, profile.hash.as_str()));
    for name in ["x", "class"] {
        let (sum, one) = (sum.column(name).expect("counted"), one.column(name).expect("counted"));
        assert_eq!((sum.counts(), sum.rows()), (one.counts(), 301));
        assert!(sum.mean().zip(one.mean()).is_none_or(|(sum, one)| (sum - one).abs() < 1e-9));
    }
    // It is kept with what was concluded, and goes when windows are held against rows.
    let [mut watch, _] = replicas;
    let text = serde_json::to_string(&watch.progress).expect("text");
    let kept: Progress = serde_json::from_str(&text).expect("a checkpoint");
    let counts = |progress: &Progress| progress.tallies[&11].column("x").map(|x| x.counts().to_vec());
    assert!(counts(&kept).is_some() && counts(&kept) == counts(&watch.progress));
    refer(&mut watch, &hour(0, 2000, 0));
    judge_all(&mut watch, 100);
    assert!(watch.view(now()).tallies.is_empty());
}
