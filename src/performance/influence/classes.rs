//! Of measures of classification.

use super::{mean, ranks, ratio};
use crate::performance::calibration::EDGES;
use crate::performance::classes::MISSING;
use crate::performance::classification::{Rows, SHARES, Scores, log_losses, square_losses};
use crate::performance::confusion::{Average, Confusion, Of};

/// Row by row; `None` where the measure is not one of these, or not defined.
pub fn influence(name: &str, rows: &Rows<'_>, predicted: &[u32]) -> Option<Vec<f64>> {
    let count = rows.label.len();
    let told = || pairs(rows, predicted);
    match name {
        "accuracy" => mean(count, told().map(|(at, label, predicted)| (at, one(label == predicted)))),
        "cost" => mean(count, told().map(|(at, label, predicted)| (at, rows.cost(label, predicted)))),
        "specificity" => {
            let positive = rows.positive()?;
            let part = |(at, label, predicted)| (at, one(label != positive && predicted != positive));
            ratio(count, told().map(|pair| (part(pair).0, part(pair).1, one(pair.1 != positive))))
        }
        "precision" | "recall" | "f1" => {
            let of = SHARES.iter().find(|(share, _)| *share == name).map(|(_, of)| *of)?;
            match rows.positive() {
                Some(positive) => share_of(of, count, positive, told()),
                None => average(of, count, told),
            }
        }
        "roc_auc" => match (rows.positive(), rows.scores) {
            (Some(_), _) => ranks::roc_auc(count, scored(rows)),
            (None, Scores::Classes(all)) => mean_area(rows.label, all),
            _ => None,
        },
        "pr_auc" => ranks::average_precision(count, scored(rows)),
        "ece" => calibration_error(count, &scored(rows).collect::<Vec<_>>()),
        "brier" => match (rows.positive(), rows.scores) {
            (None, Scores::Classes(all)) => mean(count, square_losses(rows.label, all)?),
            _ => mean(count, scored(rows).map(|(at, score, positive)| (at, (score - one(positive)).powi(2)))),
        },
        "log_loss" => match (rows.positive(), rows.scores) {
            (None, Scores::Classes(all)) => mean(count, log_losses(rows.label, all)?),
            _ => mean(
                count,
                scored(rows).map(|(at, score, positive)| {
                    let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                    (at, -(if positive { score } else { 1.0 - score }).ln())
                }),
            ),
        },
        _ => None,
    }
}

/// Whether each row counts for the share, of rows whose number is the label's matter alone.
pub fn share(name: &str, rows: &Rows<'_>, predicted: &[u32]) -> Option<Vec<Option<bool>>> {
    let positive = rows.positive();
    let belongs = |label: u32| match name {
        "accuracy" => Some(true),
        "recall" => positive.map(|positive| label == positive),
        "specificity" => positive.map(|positive| label != positive),
        _ => None,
    };
    belongs(MISSING)?;
    let mut shares = vec![None; rows.label.len()];
    for (at, label, predicted) in pairs(rows, predicted).filter(|(_, label, _)| belongs(*label) == Some(true)) {
        // What is negative is right where it is not said to be positive, whichever other class it is said to be.
        let negative = name == "specificity";
        let right = if negative { Some(predicted) != positive } else { predicted == label };
        if let Some(share) = shares.get_mut(at) {
            *share = Some(right);
        }
    }
    Some(shares)
}

fn one(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Place, label and prediction, where both are known.
fn pairs<'a>(rows: &'a Rows<'_>, predicted: &'a [u32]) -> impl Iterator<Item = (usize, u32, u32)> + 'a {
    let all = rows.label.iter().zip(predicted).enumerate();
    let all = all.map(|(at, (label, predicted))| (at, *label, *predicted));
    all.filter(|(_, label, predicted)| *label != MISSING && *predicted != MISSING)
}

/// Place, score of the positive class, and whether the row is of it.
fn scored<'a>(rows: &'a Rows<'_>) -> impl Iterator<Item = (usize, f64, bool)> + 'a {
    let positive = rows.positive();
    let known = rows.label.iter().enumerate().filter(|(_, label)| **label != MISSING);
    known.filter_map(move |(at, label)| Some((at, rows.score(at)?, *label == positive?)))
}

/// Of a class's share of rows.
fn share_of(of: Of, rows: usize, class: u32, pairs: impl Iterator<Item = (usize, u32, u32)>) -> Option<Vec<f64>> {
    let part = |(at, label, predicted)| {
        let (given, said) = (label == class, predicted == class);
        let both = one(given && said);
        match of {
            Of::Precision => (at, both, one(said)),
            Of::Recall => (at, both, one(given)),
            Of::F1 => (at, 2.0 * both, one(given) + one(said)),
        }
    };
    ratio(rows, pairs.map(part))
}

/// Of the mean of the classes' shares.
fn average<I: Iterator<Item = (usize, u32, u32)>>(of: Of, rows: usize, pairs: impl Fn() -> I) -> Option<Vec<f64>> {
    let table = Confusion::of(pairs().map(|(_, label, predicted)| (label, predicted)));
    let (_, steps) = table.steps(of, Average::Macro)?;
    let mut influence = vec![0.0; rows];
    for (at, label, predicted) in pairs() {
        if let Some(place) = influence.get_mut(at) {
            *place = steps.of((label, predicted));
        }
    }
    Some(influence)
}

/// Of the mean of each class's area against all others.
fn mean_area(label: &[u32], all: &[(u32, Vec<f64>)]) -> Option<Vec<f64>> {
    let mut sum = vec![0.0; label.len()];
    for (class, scores) in all {
        let known = label.iter().zip(scores).enumerate().filter(|(_, (l, s))| **l != MISSING && s.is_finite());
        let of = ranks::roc_auc(label.len(), known.map(|(at, (label, score))| (at, *score, label == class)))?;
        for (sum, one) in sum.iter_mut().zip(of) {
            *sum += one / all.len() as f64;
        }
    }
    Some(sum)
}

/// Of the expected calibration error, where it is known on which side of its score each bin lies.
fn calibration_error(rows: usize, scored: &[(usize, f64, bool)]) -> Option<Vec<f64>> {
    let place = |score: f64| EDGES.iter().filter(|edge| score > **edge).count();
    let mut apart = [0.0; EDGES.len() + 1];
    for (_, score, positive) in scored {
        if let Some(apart) = apart.get_mut(place(*score)) {
            *apart += one(*positive) - score;
        }
    }
    let side = |score: f64| apart.get(place(score)).map_or(0.0, |apart| apart.signum());
    mean(rows, scored.iter().map(|(at, score, positive)| (*at, side(*score) * (one(*positive) - score))))
}
