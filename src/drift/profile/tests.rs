//! Rows in, a profile out, and what it says in their place.

use super::super::defaults;
use super::super::modes::Mode;
use super::super::verdict::{Measured, Thresholds, Verdict, judge};
use super::*;

fn normal(rows: u64, seed: u64, by: f64) -> Vec<f64> {
    let mut state = seed;
    let mut even = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    (0..rows).map(|_| (0..12).map(|_| even()).sum::<f64>() - 6.0 + by).collect()
}

fn numbers(values: &[f64]) -> Sample {
    Sample::numeric(values.iter().copied().map(Some))
}

fn profile(columns: Vec<(&str, Sample)>) -> Profile {
    let rows = columns.first().map_or(0, |(_, sample)| sample.rows());
    let columns = columns.into_iter().map(|(name, sample)| Column::of(name, sample, false, &[]).expect("enough"));
    Profile::new("train", rows, vec!["id".to_owned()], columns.collect()).expect("it can be read")
}

#[test]
fn it_is_read_as_it_was_written() {
    let odd = [Some(f64::INFINITY), None, Some(1e-310), Some(f64::MAX), Some(-0.0)].repeat(8);
    let names = ["a \"b\"", "c\\", " d  e", "é\n"].repeat(10).into_iter().map(|name| Some(name.to_owned()));
    let one = profile(vec![("x", Sample::numeric(odd)), ("a name\" \\", Sample::categorical(names))]);
    let text = one.text();
    assert!(is_one(text) && is_one(" {\n \"plumbline_profile\": 2") && !is_one("{\"x\":\"plumbline_profile\"}"));
    assert_eq!(Profile::read(text), Ok(one.clone()));
    // Written another way it is the same.
    let spaced = text.replacen("\"rows\":40,", "\n \"rows\" :\t40 , ", 1);
    assert_eq!(Profile::read(&spaced).map(|read| read.hash), Ok(one.hash.clone()));
    assert_eq!(one.hash.len(), 64);
    assert_eq!(one.columns[0].baseline().sample.rows(), 40);
}

#[test]
fn what_was_changed_is_refused() {
    let one = profile(vec![("x", numbers(&normal(100, 1, 0.0)))]);
    let text = one.text();
    let error = |from: &str, to: &str| Profile::read(&text.replacen(from, to, 1)).expect_err("refused").to_string();
    assert!(error("\"train\"", "\"other\"").contains("changed after it was made"));
    assert!(error("\"id\"", "\"i d\"").contains("changed"), "white space in a string is no white space");
    let version = error("\"plumbline_profile\":1", "\"plumbline_profile\":2");
    assert_eq!(
        version,
        "is a profile of version 2, and this plumbline reads version 1; make it anew with `plumbline profile build`"
    );
    assert!(error("\"rows\":100", "\"rows\":100,\"more\":1").contains("is no profile"));
    assert!(Profile::read("x,y\n1,2").is_err_and(|error| error.to_string().contains("is no profile")));
    // One that was made up, with a hash of its own.
    let made_up = text.replacen("\"rows\":100", "\"rows\":101", 1);
    let said = profile(vec![("x", numbers(&normal(100, 1, 0.0)))]).hash;
    let made_up = made_up.replacen(&said, &hash(&made_up.replacen(&said, "", 1)), 1);
    assert!(Profile::read(&made_up).is_err_and(|error| error.to_string().contains("column `x`: its bins")));
}

#[test]
fn wide_data_has_a_small_one() {
    let rows = 20_000;
    let levels = |seed: u64| {
        let values = normal(rows, seed, 0.0);
        let level = |value: &f64| Some(format!("level {:04}", whole::index((value + 6.0) * 1e6) % 1000));
        Sample::categorical(values.iter().map(level))
    };
    let names: Vec<String> = (0..50).map(|n| format!("column_{n}")).collect();
    let column = |n: usize| match n % 2 {
        0 => numbers(&normal(rows, n as u64, 0.0)),
        _ => levels(n as u64),
    };
    let mixed = profile(names.iter().enumerate().map(|(n, name)| (name.as_str(), column(n))).collect());
    assert!(mixed.text().len() < 300_000, "{} bytes", mixed.text().len());
    let numeric = names.iter().enumerate().map(|(n, name)| (name.as_str(), numbers(&normal(rows, n as u64, 0.0))));
    let numeric = profile(numeric.collect()).text().len();
    assert!(numeric < 300_000, "{numeric} bytes");
}

#[test]
fn the_verdict_is_that_of_the_rows() {
    for rows in [2000, 50_000] {
        let reference = numbers(&normal(rows, 1, 0.0));
        let baseline = Baseline::new(reference.clone());
        let profile = profile(vec![("x", reference)]);
        let of_profile = profile.columns[0].baseline();
        assert_eq!(of_profile.sample.rows(), rows);
        for (by, current_rows) in [(0.0, 1000), (0.05, 1000), (0.2, 5000), (0.5, 40), (0.15, 300)] {
            let current = numbers(&normal(current_rows, 77, by));
            let judged = |baseline: &Baseline| {
                let measured = Measured::new("x", baseline, &current, &defaults(), Mode::Default);
                judge(vec![measured], &Thresholds::default()).remove(0)
            };
            let (rows, profile) = (judged(&baseline), judged(&of_profile));
            assert_eq!(rows.verdict, profile.verdict, "by {by}");
            let (one, other) = (&rows.aspects[0], &profile.aspects[0]);
            assert!(
                (one.effect - other.effect).abs() < 0.003 && (one.noise - other.noise).abs() < 0.001,
                "{one:?} {other:?}"
            );
        }
    }
}

#[test]
fn what_is_missing_or_new_is_seen() {
    let of = |a: usize, b: usize, none: usize| {
        let values = [vec![Some("a"); a], vec![Some("b"); b], vec![None; none]].concat();
        Sample::categorical(values.into_iter().map(|value| value.map(str::to_owned)))
    };
    let column = &profile(vec![("c", of(600, 400, 0))]).columns[0];
    let judged = |current| {
        let measured = Measured::new("c", &column.baseline(), &column.seen(current), &defaults(), Mode::Default);
        judge(vec![measured], &Thresholds::default()).remove(0)
    };
    assert_eq!(judged(of(300, 200, 0)).verdict, Verdict::NoDrift);
    assert_eq!(judged(of(300, 200, 100)).verdict, Verdict::Drift);
    let new = Sample::categorical(["a", "b", "z"].repeat(300).into_iter().map(|name| Some(name.to_owned())));
    assert_eq!(judged(new).new_categories.names, ["z"]);
}

#[test]
fn it_knows_how_much_the_column_varies() {
    // By the hour of a day of 24 parts.
    let by = |hour: u32| 0.3 * (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
    let parts: Vec<Vec<f64>> = (0..48).map(|hour| normal(200, u64::from(hour), by(hour))).collect();
    let chunks: Vec<Sample> = parts.iter().map(|part| numbers(part)).collect();
    let column = Column::of("x", numbers(&parts.concat()), false, &chunks).expect("enough");
    let profile = Profile::new("train", 48 * 200, Vec::new(), vec![column]).expect("it can be read");
    let rows = Baseline::new(numbers(&parts.concat())).with_chunks(&chunks);
    let bound = |baseline: &Baseline| baseline.variation(Aspect::Values).expect("it varies").bound(200.0);
    assert!((bound(&rows) - bound(&profile.columns[0].baseline())).abs() < 1e-6);
}

#[test]
fn very_many_rows_count_as_fewer() {
    let one = profile(vec![("x", numbers(&[1.0, 1.0, 1.0, 1.0, 1.0]))]);
    assert!(one.text().len() < 600, "{}", one.text());
    let curve: Curve = serde_json::from_str("{\"values\":[0,1],\"rows\":[0,4000000000]}").expect("a curve");
    let within = Within { ks: 0.0, wasserstein: Some(0.0) };
    let numeric = Numeric {
        mean: None,
        standard_deviation: None,
        infinite: [0, 0],
        edges: vec![],
        counts: vec![],
        quantiles: curve,
        within,
    };
    let sample = numeric.sample(1_000_000_000, MOST_ROWS);
    assert_eq!((sample.present(), sample.missing()), (MOST_ROWS, 1_000_000));
}

#[test]
fn a_column_of_few_values_has_none() {
    let few = Column::of("x", Sample::numeric([Some(1.0), Some(2.0), None]), false, &[]);
    assert_eq!(few, Err(TooFew { rows: 2 }));
    let none = Column::of("x", Sample::missing_rows(Kind::Numeric, 9), false, &[]).expect("nothing is told");
    assert_eq!(none.baseline().sample, Sample::missing_rows(Kind::Numeric, 9));
}
