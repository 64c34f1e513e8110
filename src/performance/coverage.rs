//! How often intervals hold what is true, in draws from laws whose figures are known.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::classification::{self, Rows, Scores};
use super::interval::Within;
use super::{Performance, ranking, regression};

const DRAWS: usize = 1000;

/// So often an interval may hold: 93 to 97 of 100, and two deviations of such a count of draws.
const HELD: std::ops::RangeInclusive<f64> = 0.916..=0.984;

/// How often each measure's interval holds the figure of very many rows, and how often it is there.
fn held(mut draw: impl FnMut(&mut Rng, usize) -> Performance, rows: usize) -> BTreeMap<&'static str, f64> {
    let mut random = Rng::with_seed(7);
    let truth: BTreeMap<&str, f64> = draw(&mut random, 400_000).measures().collect();
    let mut counts: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for _ in 0..DRAWS {
        let found = draw(&mut random, rows);
        for (name, true_value) in &truth {
            if let Some(interval) = found.interval(name) {
                let count = counts.entry(name).or_default();
                count[0] += f64::from(u8::from(interval.holds(*true_value)));
                count[1] += 1.0;
            }
        }
    }
    assert_eq!(counts.len(), truth.len(), "every measure has an interval: {counts:?}");
    counts.into_iter().map(|(name, [held, of])| (name, held / of)).collect()
}

fn check(what: &str, held: &BTreeMap<&str, f64>) {
    let off: Vec<_> = held.iter().filter(|(_, held)| !HELD.contains(*held)).collect();
    assert!(off.is_empty(), "{what}: {off:?} of {held:?}");
}

/// Scores that are no good probabilities, drawn of two laws by class.
fn two_classes(random: &mut Rng, rows: usize, positives: f64, apart: f64) -> Performance {
    let (mut label, mut score) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let positive = random.f64() < positives;
        let noise = (0..4).map(|_| random.f64() - 0.5).sum::<f64>();
        let logit = noise * 3.0 + if positive { apart } else { -apart };
        label.push(u32::from(positive));
        score.push(1.0 / (1.0 + (-logit).exp()));
    }
    let classes = ["0".to_owned(), "1".to_owned()];
    let prediction: Vec<u32> = score.iter().map(|score| u32::from(*score >= 0.5)).collect();
    let costs = [(1, 0, 5.0), (0, 1, 20.0)];
    classification::measure(&Rows {
        classes: &classes,
        label: &label,
        prediction: Some(&prediction),
        scores: Scores::Positive(&score),
        positive: None,
        costs: &costs,
    })
    .0
}

#[test]
fn intervals_of_two_classes_hold() {
    check("even", &held(|random, rows| two_classes(random, rows, 0.5, 0.5), 300));
    check("uneven", &held(|random, rows| two_classes(random, rows, 0.1, 0.8), 600));
    check("hardly wrong", &held(|random, rows| two_classes(random, rows, 0.3, 2.0), 400));
}

#[test]
fn intervals_of_many_classes_hold() {
    let draw = |random: &mut Rng, rows: usize| {
        let classes: Vec<String> = (0..4).map(|class| class.to_string()).collect();
        let (mut label, mut scores) = (Vec::new(), vec![Vec::new(); 4]);
        for _ in 0..rows {
            let mut of: Vec<f64> = (0..4).map(|class| random.f64() + 0.05 + 0.1 * f64::from(class)).collect();
            let drawn = random.f64() * of.iter().sum::<f64>();
            let mut upto = 0.0;
            let place = of.iter().position(|part| {
                upto += part;
                drawn < upto
            });
            label.push(u32::try_from(place.unwrap_or(3)).expect("few"));
            // Surer than it ought to be.
            for part in &mut of {
                *part = part.powi(3);
            }
            let whole: f64 = of.iter().sum();
            scores.iter_mut().zip(of).for_each(|(all, part)| all.push(part / whole));
        }
        let scores: Vec<(u32, Vec<f64>)> = (0..).zip(scores).collect();
        let rows = Rows {
            classes: &classes,
            label: &label,
            prediction: None,
            scores: Scores::Classes(&scores),
            positive: None,
            costs: &[],
        };
        classification::measure(&rows).0
    };
    let mut found = held(draw, 300);
    // Of the mean of areas it is said that it is no narrower than it ought to be.
    assert!(found.remove("roc_auc").is_some_and(|held| held >= *HELD.start()));
    check("four classes", &found);
}

#[test]
fn intervals_of_amounts_hold() {
    let draw = |skewed: bool| {
        move |random: &mut Rng, rows: usize| {
            let pair = |random: &mut Rng| {
                let label = 5.0 + 10.0 * random.f64();
                let noise: f64 = (0..6).map(|_| random.f64() - 0.5).sum();
                (label, label + if skewed { noise * noise * noise * 4.0 } else { noise })
            };
            let pairs: Vec<(f64, f64)> = (0..rows).map(|_| pair(random)).collect();
            regression::measure(&pairs, Some(0.8))
        }
    };
    check("plain", &held(draw(false), 100));
    check("skewed", &held(draw(true), 1000));
}

#[test]
fn intervals_of_rankings_hold() {
    let draw = |random: &mut Rng, rows: usize| {
        let row = |group: usize, random: &mut Rng| {
            let gain = (random.f64() * 4.0).floor();
            (u32::try_from(group / 8).expect("few"), gain + random.f64() * 4.0, gain)
        };
        let rows: Vec<_> = (0..rows).map(|at| row(at, random)).collect();
        let mut measured = Performance::of_no_rows(super::Task::Regression);
        measured.set("ndcg", ranking::ndcg(rows.into_iter(), 5));
        measured
    };
    check("groups of eight", &held(draw, 400));
}

#[test]
fn an_error_of_nothing_is_held_to_be_nothing() {
    // Scores that are right: the expected calibration error is 0, and chance alone makes it more.
    let mut random = Rng::with_seed(3);
    let holds = (0..400).filter(|_| {
        let rows: Vec<(f64, bool)> = (0..500)
            .map(|_| {
                let score = random.f64();
                (score, random.f64() < score)
            })
            .collect();
        let found = super::calibration::Calibration::of(rows.into_iter()).expect("defined").ece;
        found.interval.is_some_and(|Within { low, .. }| low <= 0.0)
    });
    let share = holds.count() as f64 / 400.0;
    assert!(share > 0.95, "{share}");
}
