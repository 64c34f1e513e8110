//! Columns in, verdicts out.

use super::super::{defaults, words};
use super::*;

fn measured(name: &str, reference: Sample, current: &Sample) -> Measured {
    Measured::new(name, &Baseline::new(reference), current, &defaults(), Mode::Default)
}

fn column(name: &str, rows: u32, shift: f64) -> Measured {
    let values = |by: f64| Sample::numeric((0..rows).map(move |i| Some(f64::from(i % 97) + by)));
    measured(name, values(0.0), &values(shift))
}

fn categories(counts: &[(&str, u64)], missing: u64) -> Sample {
    Sample::Categorical { counts: counts.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(), missing }
}

fn judged(reference: Sample, current: &Sample) -> Judged {
    judge(vec![measured("c", reference, current)], &Thresholds::default()).remove(0)
}

#[test]
fn a_change_must_be_certain_and_large() {
    // A 97 wide uniform distribution has a standard deviation of 28.
    let judged = |rows, shift| judge(vec![column("c", rows, shift)], &Thresholds::default()).remove(0);
    let large = judged(2000, 14.0);
    assert_eq!((large.verdict, large.drift), (Verdict::Drift, Some(true)));
    let aspect = large.deciding().expect("one decides");
    assert!((aspect.effect - 0.5).abs() < 0.02 && aspect.p_adjusted < Some(1e-20), "{aspect:?}");
    let small = judged(50_000, 2.0);
    assert_eq!(small.verdict, Verdict::NoDrift);
    assert!(small.deciding().is_some_and(|aspect| aspect.p_adjusted < Some(1e-9)), "certain, but small: {small:?}");
    let few = judged(97, 10.0);
    assert_eq!((few.verdict, few.drift), (Verdict::TooFewRows, None));
    let aspect = few.deciding().expect("one decides");
    assert!(aspect.effect > 0.2 && aspect.rows_needed.is_none(), "against 97 rows nothing does: {aspect:?}");
    assert_eq!(judged(1000, 0.0).verdict, Verdict::NoDrift);
}

/// An outage within the reference hides no other: its windows are no measure of what a column varies by itself.
#[test]
fn an_outage_within_the_reference_hides_no_other() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut window = |out: bool| {
        let row = |random: &mut fastrand::Rng| (!out || random.u8(..10) >= 4).then(|| random.f64());
        Sample::numeric((0..200).map(|_| row(&mut random)).collect::<Vec<_>>())
    };
    for (windows, outage) in [(12, 5..6), (24, 0..1), (48, 47..48), (168, 80..83)] {
        let parts: Vec<Sample> = (0..windows).map(|at| window(outage.contains(&at))).collect();
        let present = parts.iter().flat_map(|part| match part {
            Sample::Numeric { sorted, missing } => {
                sorted.iter().copied().map(Some).chain((0..*missing).map(|_| None)).collect::<Vec<_>>()
            }
            Sample::Categorical { .. } => Vec::new(),
        });
        let baseline = Baseline::new(Sample::numeric(present)).with_chunks(&parts);
        let mut judged = |out: bool| {
            let measured = Measured::new("c", &baseline, &window(out), &[], Mode::Default);
            judge(vec![measured], &Thresholds::default()).remove(0).verdict
        };
        assert_eq!(judged(true), Verdict::Drift, "{windows}");
        let wrong = (0..50).filter(|_| judged(false) == Verdict::Drift).count();
        assert_eq!(wrong, 0, "{windows}: windows as most are");
    }
}

#[test]
fn it_says_how_many_rows_it_takes() {
    let values = |rows: u32, by: f64| Sample::numeric((0..rows).map(move |i| Some(f64::from(i % 97) + by)));
    let needed = |rows| judged(values(48_500, 0.0), &values(rows, 6.0)).deciding().and_then(|of| of.rows_needed);
    let rows = needed(97).expect("a number");
    // The effect that is seen in few rows is less than it is: noise is taken off.
    assert!((400..2000).contains(&rows), "{rows}");
    let enough = u32::try_from(rows).expect("few") * 3;
    assert_eq!(judged(values(48_500, 0.0), &values(enough, 6.0)).verdict, Verdict::Drift);
}

#[test]
fn p_values_are_corrected_over_all_aspects_of_all_columns() {
    let one =
        |n: usize| (0..n).map(|i| column(&i.to_string(), 200, if i == 0 { 13.0 } else { 0.0 })).collect::<Vec<_>>();
    let thresholds = Thresholds { significance: 0.001, ..Thresholds::default() };
    let alone = judge(one(1), &thresholds).remove(0);
    let p = alone.deciding().and_then(|of| of.p_value).expect("defined");
    assert!((1e-6..1e-3).contains(&p), "{p}");
    assert_eq!(alone.verdict, Verdict::Drift);
    let among = |correction| judge(one(2000), &Thresholds { correction, ..thresholds.clone() }).remove(0);
    for correction in [Correction::BenjaminiHochberg, Correction::Bonferroni] {
        let found = among(correction);
        assert_eq!(found.verdict, Verdict::TooFewRows, "{correction:?}");
        let adjusted = found.deciding().and_then(|of| of.p_adjusted).expect("defined");
        assert!((adjusted / (p * 2000.0).min(1.0) - 1.0).abs() < 1e-9, "one stands out: both say the same");
    }
}

#[test]
fn one_category_may_drift_among_many() {
    let names: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    let even: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 100)).collect();
    let mut current: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 3)).collect();
    current.push(("new", 30));
    let found = judged(categories(&even, 0), &categories(&current, 0));
    assert_eq!(found.verdict, Verdict::Drift);
    let aspect = found.deciding().expect("one decides");
    assert_eq!((aspect.aspect, aspect.category.as_deref()), (Aspect::Category, Some("new")));
    assert_eq!(found.new_categories, Named { count: 1, names: vec!["new".into()] });
}

#[test]
fn values_that_go_missing_drift() {
    let found = judged(Sample::numeric([Some(1.0); 900]), &Sample::numeric([None; 900]));
    assert_eq!((found.verdict, found.deciding().map(|of| of.aspect)), (Verdict::Drift, Some(Aspect::Missing)));
    let numbers = |missing: u32| Sample::numeric((0..2000).map(|i| (i >= missing).then(|| f64::from(i % 89))));
    let found = judged(numbers(0), &numbers(100));
    assert_eq!((found.verdict, found.deciding().map(|of| of.aspect)), (Verdict::Drift, Some(Aspect::Missing)));
}

#[test]
fn a_constant_that_moves_drifts() {
    let moved = |value: f64, moved: usize| {
        let values = (0..1000).map(|i| Some(if i < moved { value } else { 3.0 }));
        judged(Sample::numeric([Some(3.0); 1000]), &Sample::numeric(values)).verdict
    };
    assert_eq!((moved(2.0, 1000), moved(4.0, 500), moved(4.0, 0)), (Verdict::Drift, Verdict::Drift, Verdict::NoDrift));
}

#[test]
fn a_column_without_rows_has_no_verdict() {
    let found = judged(Sample::numeric([Some(1.0)]), &Sample::numeric([]));
    assert_eq!((found.verdict, found.drift, found.deciding()), (Verdict::Undefined, None, None));
}

#[test]
fn what_a_column_varies_by_itself_is_no_drift() {
    // An hour's values lie around one of 24 places, two standard deviations apart at most.
    let hour = |hour: u32| {
        let place = (f64::from(hour % 24) * std::f64::consts::TAU / 24.0).sin();
        Sample::numeric((0..200_u32).map(move |i| Some(place + f64::from(i * 7919 % 200) / 200.0)))
    };
    let hours: Vec<Sample> = (0..168).map(hour).collect();
    let all = hours.iter().flat_map(|hour| match hour {
        Sample::Numeric { sorted, .. } => sorted.iter().map(|value| Some(*value)).collect::<Vec<_>>(),
        Sample::Categorical { .. } => Vec::new(),
    });
    let baseline = Baseline::new(Sample::numeric(all));
    let verdict = |baseline: &Baseline, current: &Sample| {
        judge(vec![Measured::new("c", baseline, current, &[], Mode::Default)], &Thresholds::default()).remove(0)
    };
    assert_eq!(verdict(&baseline, &hour(6)).verdict, Verdict::Drift, "without the order of time");
    let ordered = baseline.with_chunks(&hours);
    let within = verdict(&ordered, &hour(6));
    assert_eq!(within.verdict, Verdict::NoDrift, "{within:?}");
    assert!(within.deciding().is_some_and(|of| of.varies && of.threshold > 0.5), "{within:?}");
    let beyond = Sample::numeric((0..200_u32).map(|i| Some(4.0 + f64::from(i) / 200.0)));
    assert_eq!(verdict(&ordered, &beyond).verdict, Verdict::Drift);
}

#[test]
fn another_tools_rule_decides_where_it_is_chosen() {
    let reference = Sample::numeric((0..2000_u32).map(|i| Some(f64::from(i % 97))));
    let current = Sample::numeric((0..2000_u32).map(|i| Some(f64::from(i % 97) + 14.0)));
    let found = Measured::new("c", &Baseline::new(reference), &current, &[], Mode::Evidently);
    let found = judge(vec![found], &Thresholds::default()).remove(0);
    let decision = found.decision.clone().expect("it decides");
    assert_eq!((found.verdict, decision.method.as_str()), (Verdict::Drift, "Wasserstein distance (normed)"));
    assert!((found.distance() - decision.value.expect("defined") / 0.1).abs() < 1e-9);
}

#[test]
fn thresholds_have_bounds() {
    let fields = |thresholds: Thresholds| thresholds.problems().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
    let default = Thresholds::default;
    assert_eq!(fields(Thresholds { jensen_shannon: 1.0, shift: 9.0, ..default() }), [""; 0]);
    for significance in [0.0, 1.0, f64::NAN] {
        assert_eq!(fields(Thresholds { significance, ..default() }), ["significance"]);
    }
    for shift in [0.0, f64::INFINITY, f64::NAN] {
        assert_eq!(fields(Thresholds { shift, ..default() }), ["shift"]);
    }
    for jensen_shannon in [0.0, 1.1] {
        assert_eq!(fields(Thresholds { jensen_shannon, ..default() }), ["jensen_shannon"]);
    }
    let mut given = default();
    for text in ["psi=0.2", "shift=0.1", "jensen_shannon=2", "a:b:shift=0.3", "x:ks=-1", "x:sense=1", "sense=1"] {
        assert_eq!(given.set(text), Ok(()), "{text}");
    }
    let wrong = ["jensen_shannon", "tests.sense", "columns.x.ks", "columns.x.sense"];
    assert_eq!(
        (given.shift, given.columns["a:b"]["shift"], fields(given)),
        (0.1, 0.3, wrong.map(str::to_owned).to_vec())
    );
    for text in ["psi", "psi=high", "=", ""] {
        assert!(default().set(text).is_err(), "{text}");
    }
    let within = Thresholds { tests: [("jensen_shannon".to_owned(), 0.1)].into(), ..default() };
    assert_eq!(fields(within), ["tests.jensen_shannon"]);
}

/// A threshold of a column, or of a test, in the place of the effect's; the change must be certain all the same.
#[test]
fn a_column_or_a_test_has_a_threshold_of_its_own() {
    let with = |given: &[&str], shift: f64, rows: u32| {
        let mut thresholds = Thresholds::default();
        for text in given {
            thresholds.set(text).expect("a threshold");
        }
        let tests = thresholds.with_deciding(Vec::new());
        let values = |rows: u32, by: f64| Sample::numeric((0..rows).map(move |i| Some(f64::from(i * 37 % 97) + by)));
        let baseline = Baseline::new(values(9700, 0.0));
        let measured = |name: &str| Measured::new(name, &baseline, &values(rows, shift), &tests, Mode::Default);
        judge(vec![measured("a"), measured("b")], &thresholds)
    };
    let verdicts = |judged: &[Judged]| judged.iter().map(|of| of.verdict).collect::<Vec<_>>();
    // 14 of 28 is half a standard deviation.
    assert_eq!(verdicts(&with(&[], 14.0, 2000)), [Verdict::Drift, Verdict::Drift]);
    assert_eq!(verdicts(&with(&["a:shift=0.7"], 14.0, 2000)), [Verdict::NoDrift, Verdict::Drift]);
    assert_eq!(verdicts(&with(&["shift=0.7", "b:shift=0.2"], 14.0, 2000)), [Verdict::NoDrift, Verdict::Drift]);
    let by_test = with(&["psi=5", "b:psi=0.01"], 14.0, 2000);
    assert_eq!(verdicts(&by_test), [Verdict::NoDrift, Verdict::Drift]);
    let aspect = by_test[1].deciding().expect("one decides");
    assert_eq!((aspect.test.as_deref(), aspect.threshold, aspect.noise), (Some("psi"), 0.01, 0.0));
    let statistic = by_test[1].tests[0].statistic.expect("defined");
    assert!((0.0..0.02).contains(&(statistic - aspect.effect)), "the noise is taken off: {statistic} {aspect:?}");
    assert!(words::sentence(&by_test[1]).starts_with("drifts: psi is 0."), "{}", words::sentence(&by_test[1]));
    // The farthest of several; a statistic below zero by its size.
    let farthest = with(&["psi=100", "welch_t=2"], -14.0, 2000);
    let aspect = farthest[0].deciding().expect("one decides");
    assert!(aspect.test.as_deref() == Some("welch_t") && aspect.effect > 2.0, "{aspect:?}");
    // Large, and nothing but chance.
    assert_eq!(verdicts(&with(&["ks=0.01"], 3.0, 50)), [Verdict::TooFewRows, Verdict::TooFewRows]);
}

/// Not every statistic is 0 where nothing changes.
#[test]
fn a_threshold_of_a_test_counts_from_no_change() {
    let with = |given: &str, reference: Sample, current: &Sample| {
        let mut thresholds = Thresholds::default();
        thresholds.set(given).expect("a threshold");
        let tests = thresholds.with_deciding(Vec::new());
        let measured = Measured::new("c", &Baseline::new(reference), current, &tests, Mode::Default);
        let judged = judge(vec![measured], &thresholds).remove(0);
        let aspect = judged.deciding().expect("one decides").clone();
        (judged.verdict, aspect.effect, judged.tests[0].statistic)
    };
    let odds = |yes: u64, no: u64| categories(&[("no", no * 100), ("yes", yes * 100)], 0);
    // The reference's odds over the current ones: 3, a third, and what is no more than 2.
    assert_eq!(with("fisher=2", odds(30, 10), &odds(20, 20)), (Verdict::Drift, 3.0, Some(3.0)));
    let (verdict, apart, statistic) = with("fisher=2", odds(20, 20), &odds(30, 10));
    assert!(
        verdict == Verdict::Drift && (apart - 3.0).abs() < 1e-12 && statistic < Some(0.334),
        "as far as its inverse"
    );
    assert_eq!(with("fisher=4", odds(20, 20), &odds(30, 10)).0, Verdict::NoDrift);
    // What was never there is as far as can be told, either way.
    for (before, now) in [(odds(0, 100), odds(1, 99)), (odds(1, 99), odds(0, 100))] {
        let (verdict, apart, statistic) = with("fisher=2", before, &now);
        assert!(verdict == Verdict::Drift && (100.0..300.0).contains(&apart), "{verdict:?} {apart}");
        assert!(statistic.is_none_or(|odds| odds == 0.0));
    }
    for same in [odds(20, 20), odds(21, 20), odds(20, 21)] {
        assert_eq!(with("fisher=2", odds(20, 20), &same).0, Verdict::NoDrift);
    }
    assert!((with("fisher=1.2", odds(20, 20), &odds(20, 20)).1 - 1.0).abs() < 1e-12);
    let numbers = |by: f64| Sample::numeric((0..2000_u32).map(move |i| Some(f64::from(i * 37 % 97) + by)));
    // Of 4,000,000 pairs half are without a change.
    let (verdict, apart, statistic) = with("mann_whitney=500000", numbers(0.0), &numbers(0.0));
    assert_eq!((verdict, apart, statistic), (Verdict::NoDrift, 0.0, Some(2_000_000.0)));
    for by in [-30.0, 30.0] {
        let (verdict, apart, _) = with("mann_whitney=500000", numbers(0.0), &numbers(by));
        assert!(verdict == Verdict::Drift && (500_000.0..2_000_000.0).contains(&apart), "{by}: {apart}");
    }
    let (_, apart, statistic) = with("anderson_darling=0.5", numbers(0.0), &numbers(0.0));
    assert!(apart == 0.0 && statistic < Some(-0.5), "{apart}, {statistic:?}");
    assert!(with("anderson_darling=0.5", numbers(0.0), &numbers(30.0)).0 == Verdict::Drift);
    let wrong = |text: &str| {
        let mut thresholds = Thresholds::default();
        thresholds.set(text).expect("a threshold");
        thresholds.problems()
    };
    assert!(wrong("fisher=2").is_empty() && wrong("fisher=1").len() == 1 && wrong("c:fisher=0.5").len() == 1);
}

#[test]
fn a_column_says_what_is_missing_and_how_it_lies() {
    let names: Vec<String> = (0..12).map(|n| format!("c{n:02}")).collect();
    let many: Vec<(&str, u64)> = names.iter().zip(1..).map(|(name, n)| (name.as_str(), n)).collect();
    let (reference, current) = (categories(&many, 26), categories(&[("c11", 3), ("c00", 4), ("z", 1)], 0));
    let there = judged(reference.clone(), &current);
    assert_eq!((there.reference_missing, there.current_missing), (Some(0.25), Some(0.0)));
    let shape = there.shape.expect("it is drawn");
    assert_eq!((shape.bins.len(), shape.bins[0].as_str(), shape.bins[9].as_str()), (12, "c02", "c11"));
    assert_eq!((&shape.reference[8..], &shape.current[8..]), (&[11, 12, 3, 26][..], &[0, 3, 5, 0][..]));
    // The most frequent of the new first, ten of them by name.
    let back = judged(current, &reference);
    assert_eq!((back.new_categories.count, back.new_categories.names[0].as_str()), (10, "c10"));
    let ties: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let new = judged(categories(&[("z", 1)], 0), &categories(&ties, 0));
    assert_eq!(new.new_categories, Named { count: 12, names: names[..10].to_vec() });
    let gone = judged(reference.clone(), &categories(&[], 9));
    assert_eq!(gone.vanished_categories, Named::default(), "where nothing is present, nothing in particular is gone");
    assert_eq!(judged(reference, &categories(&[], 0)).current_missing, None);
}

#[test]
fn the_defaults_are_those_that_the_configuration_shows() {
    #[derive(Deserialize)]
    struct Shown {
        thresholds: Thresholds,
    }
    let lines = include_str!("../../../config/plumbline.toml").lines();
    let shown = lines.filter_map(|line| line.strip_prefix("# ")).find(|line| line.starts_with("thresholds = "));
    let shown: Shown = toml::from_str(shown.expect("it is shown")).expect("thresholds");
    assert_eq!(shown.thresholds, Thresholds::default());
}
