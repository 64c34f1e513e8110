//! How often intervals hold the true difference, how often equal versions are told apart, and how often unequal ones are.

use std::collections::BTreeMap;

use fastrand::Rng;
use polars::prelude::{NamedFrom, Series};

use super::difference::{Difference, differences};
use super::{Method, Verdict};
use crate::performance::cost::Cost;
use crate::performance::verdict::Limits;
use crate::performance::{Columns, Labels, Task, Wanted};

const DRAWS: usize = 400;

/// So often an interval may hold: 93 to 97 of 100, and two deviations of such a count of draws.
const HELD: std::ops::RangeInclusive<f64> = 0.908..=0.992;

/// So often, at most, equal versions are told apart with the margin that a model has by default.
const FALSE: f64 = 0.05;

const LIMITS: Limits = Limits { significance: 0.025, margin: 0.02, rows: 100, class_rows: 20 };

/// One version's columns.
struct Drawn {
    label: Series,
    prediction: Series,
    score: Option<Series>,
    scores: Vec<(String, Series)>,
}

impl Drawn {
    fn columns(&self) -> Columns<'_> {
        let (label, prediction) = (&self.label, Some(&self.prediction));
        Columns { label, prediction, score: self.score.as_ref(), scores: &self.scores, group: None }
    }
}

fn noise(random: &mut Rng) -> f64 {
    (0..4).map(|_| random.f64() - 0.5).sum::<f64>() * 3.0
}

/// Two versions with two classes; how much of their noise they share, and how well each tells the classes apart.
fn two_classes(random: &mut Rng, rows: usize, shared: f64, apart: [f64; 2]) -> [Drawn; 2] {
    let of = |random: &mut Rng, positive: bool, common: f64, apart: f64| {
        let own = noise(random);
        let logit = shared.sqrt() * common + (1.0 - shared).sqrt() * own + if positive { apart } else { -apart };
        1.0 / (1.0 + (-logit).exp())
    };
    let (mut labels, mut scores) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..rows {
        let (mut positive, mut common) = (random.f64() < 0.3, noise(random));
        for side in 0..2 {
            if side == 1 && shared <= 0.0 {
                (positive, common) = (random.f64() < 0.3, noise(random));
            }
            labels[side].push(i64::from(positive));
            scores[side].push(of(random, positive, common, apart[side]));
        }
    }
    let sides: Vec<Drawn> = labels
        .into_iter()
        .zip(scores)
        .map(|(label, score)| Drawn {
            label: Series::new("label".into(), label),
            prediction: Series::new(
                "prediction".into(),
                score.iter().map(|s| i64::from(*s >= 0.5)).collect::<Vec<_>>(),
            ),
            score: Some(Series::new("score".into(), score)),
            scores: Vec::new(),
        })
        .collect();
    sides.try_into().unwrap_or_else(|_| panic!("two sides"))
}

/// The same of three classes.
fn three_classes(random: &mut Rng, rows: usize, shared: f64, apart: [f64; 2]) -> [Drawn; 2] {
    let names = ["a", "b", "c"];
    let of = |apart: f64, classes: &[usize], noises: &[[f64; 3]]| {
        let mut scores = vec![Vec::new(); 3];
        let mut prediction = Vec::new();
        for (class, noise) in classes.iter().zip(noises) {
            let raw: Vec<f64> = (0..3).map(|at| (noise[at] + if at == *class { apart } else { 0.0 }).exp()).collect();
            let whole: f64 = raw.iter().sum();
            prediction.push((0..3).max_by(|a, b| raw[*a].total_cmp(&raw[*b])).map_or("a", |at| names[at]));
            scores.iter_mut().zip(raw).for_each(|(all, raw)| all.push(raw / whole));
        }
        Drawn {
            label: Series::new("label".into(), classes.iter().map(|class| names[*class]).collect::<Vec<_>>()),
            prediction: Series::new("prediction".into(), prediction),
            score: None,
            scores: names
                .iter()
                .zip(scores)
                .map(|(name, of)| ((*name).to_owned(), Series::new("s".into(), of)))
                .collect(),
        }
    };
    let mut side = |common: Option<&(Vec<usize>, Vec<[f64; 3]>)>| {
        let classes: Vec<usize> = (0..rows).map(|_| random.usize(0..3)).collect();
        let own: Vec<[f64; 3]> = (0..rows).map(|_| [0; 3].map(|_| noise(random) / 2.0)).collect();
        let Some((classes, before)) = common else { return (classes, own) };
        let mixed = |(own, before): (&[f64; 3], &[f64; 3])| {
            std::array::from_fn(|at| shared.sqrt() * before[at] + (1.0 - shared).sqrt() * own[at])
        };
        (classes.clone(), own.iter().zip(before).map(mixed).collect())
    };
    let one = side(None);
    let other = side(Some(&one).filter(|_| shared > 0.0));
    [of(apart[0], &one.0, &one.1), of(apart[1], &other.0, &other.1)]
}

/// The same of amounts: how large the errors are.
fn amounts(random: &mut Rng, rows: usize, shared: f64, sizes: [f64; 2]) -> [Drawn; 2] {
    let (mut labels, mut predictions) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..rows {
        let (mut label, mut common) = (5.0 + 10.0 * random.f64(), noise(random));
        for side in 0..2 {
            if side == 1 && shared <= 0.0 {
                (label, common) = (5.0 + 10.0 * random.f64(), noise(random));
            }
            let error = shared.sqrt() * common + (1.0 - shared).sqrt() * noise(random);
            labels[side].push(label);
            predictions[side].push(label + sizes[side] * error);
        }
    }
    let sides: Vec<Drawn> = labels
        .into_iter()
        .zip(predictions)
        .map(|(label, prediction)| Drawn {
            label: Series::new("label".into(), label),
            prediction: Series::new("prediction".into(), prediction),
            score: None,
            scores: Vec::new(),
        })
        .collect();
    sides.try_into().unwrap_or_else(|_| panic!("two sides"))
}

type Draw = fn(&mut Rng, usize, f64, [f64; 2]) -> [Drawn; 2];

/// Of one law: two classes, more, or amounts.
struct Law {
    name: &'static str,
    draw: Draw,
    rows: usize,
    task: Task,
    measures: usize,
}

const TWO: Law = Law { name: "two classes", draw: two_classes, rows: 500, task: Task::Classification, measures: 11 };
const THREE: Law =
    Law { name: "three classes", draw: three_classes, rows: 300, task: Task::Classification, measures: 7 };
const AMOUNTS: Law = Law { name: "amounts", draw: amounts, rows: 300, task: Task::Regression, measures: 5 };

fn found(law: &Law, random: &mut Rng, rows: usize, shared: f64, sides: [f64; 2]) -> Vec<Difference> {
    let drawn = (law.draw)(random, rows, shared, sides);
    let mut known = Labels::default();
    known.learn(&drawn[0].label);
    let cost =
        |predicted: &str, label: &str, cost| Cost { predicted: predicted.to_owned(), label: label.to_owned(), cost };
    let costs = [cost("1", "0", 5.0), cost("0", "1", 20.0)];
    let costs = if law.name == "two classes" { &costs[..] } else { &[] };
    let wanted = Wanted { quantile: Some(0.8), costs, ..Wanted::new(law.task, &known) };
    let method = if shared > 0.0 { Method::Paired } else { Method::Unpaired };
    differences(&drawn.each_ref().map(Drawn::columns), &wanted, (method, &LIMITS)).differences
}

/// What came of the draws, by measure: shares of them.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    /// The interval holds the true difference.
    held: f64,
    /// It shuts out that there is none.
    apart: f64,
    /// The verdicts, with a margin.
    worse: f64,
    better: f64,
}

fn simulate(law: &Law, shared: f64, sides: [f64; 2]) -> BTreeMap<&'static str, Counted> {
    let mut random = Rng::with_seed(17);
    let equal = sides[0].total_cmp(&sides[1]).is_eq();
    let truth: BTreeMap<&str, f64> = if equal {
        BTreeMap::new()
    } else {
        found(law, &mut random, 100_000, shared, sides).iter().map(|of| (of.measure, of.difference)).collect()
    };
    let mut all: BTreeMap<&'static str, Counted> = BTreeMap::new();
    let one = |is: bool| f64::from(u8::from(is)) / DRAWS as f64;
    for _ in 0..DRAWS {
        for of in found(law, &mut random, law.rows, shared, sides) {
            let counted = all.entry(of.measure).or_default();
            let holds = |value: f64| of.interval.is_some_and(|interval| interval.holds(value));
            counted.held += one(holds(truth.get(of.measure).copied().unwrap_or_default()));
            counted.apart += one(!holds(0.0));
            counted.worse += one(of.verdict == Verdict::Worse);
            counted.better += one(of.verdict == Verdict::Better);
        }
    }
    assert_eq!(all.len(), law.measures);
    all
}

/// Versions that are not equal: the intervals, and how often the worse one is found.
fn hold_unequal(law: &Law) {
    let sides = if law.task == Task::Regression { [0.8, 0.95] } else { [0.9, 0.65] };
    let leading = if law.task == Task::Regression { "mae" } else { "roc_auc" };
    let found = [0.7, 0.0].map(|shared| {
        let counted = simulate(law, shared, sides);
        // An error that is never below zero is no narrower than it ought to be.
        let least = |name: &str| name == "ece" && counted[name].held >= *HELD.start();
        let off: Vec<_> = counted.iter().filter(|(name, of)| !HELD.contains(&of.held) && !least(name)).collect();
        assert!(off.is_empty(), "{} {shared}: {off:?} of {counted:?}", law.name);
        counted[leading]
    });
    let [paired, unpaired] = found;
    assert!(paired.worse > 0.5 && paired.worse > unpaired.worse + 0.1, "{}: {paired:?}, {unpaired:?}", law.name);
    assert!(paired.better + unpaired.better <= 0.0, "{}: {paired:?}, {unpaired:?}", law.name);
}

/// Versions that are equal: how often they are told apart.
fn hold_equal(law: &Law) {
    for shared in [0.7, 0.0] {
        let counted = simulate(law, shared, [0.8, 0.8]);
        for (name, of) in &counted {
            assert!(of.apart <= 1.0 - HELD.start(), "{} {shared} {name}: {of:?}", law.name);
            assert!(of.worse + of.better <= FALSE, "{} {shared} {name}: {of:?}", law.name);
        }
    }
}

#[test]
fn two_classes_are_told_apart_as_often_as_is_said() {
    hold_unequal(&TWO);
    hold_equal(&TWO);
}

#[test]
fn three_classes_are_told_apart_as_often_as_is_said() {
    hold_unequal(&THREE);
    hold_equal(&THREE);
}

#[test]
fn amounts_are_told_apart_as_often_as_is_said() {
    hold_unequal(&AMOUNTS);
    hold_equal(&AMOUNTS);
}
