//! NannyML's figures that depend on the order of scores: its ROC AUC and average precision of chances, and their sampling errors.

use super::super::ranking::{Level, Ranking, are_tied};
use crate::stats::mersenne::Mersenne;

/// Samples whose average precisions are held against one another.
const EXPERIMENTS: usize = 50;
/// Rows of such a sample, at most.
const RESAMPLED: usize = 50_000;

/// Rounded to five digits, as NannyML does to sums that may be what rounding left.
fn rounded(value: f64) -> f64 {
    (value * 1e5).round_ties_even() / 1e5
}

/// The places of scores in descending order; equal ones as a stable ascending order has them, turned round.
pub(super) fn descending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let score = |at: &usize| scores.get(*at).copied().unwrap_or(f64::NAN);
    order.sort_by(|a, b| score(a).partial_cmp(&score(b)).unwrap_or(std::cmp::Ordering::Equal));
    order.reverse();
    order
}

/// The estimated ROC AUC of chances that are ordered by descending score: the trapezoids below the expected curve, row by row. `None`
/// where a class is not expected at all, or chances beyond 1 turn the curve back.
pub(super) fn roc_auc(chances: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut area) = (0.0, 0.0);
    let (mut hits, mut misses) = (0.0_f64, 0.0_f64);
    for (row, chance) in chances.into_iter().enumerate() {
        sum += chance;
        let (next_hits, next_misses) = (rounded(sum), rounded(1.0 + row as f64 - sum));
        if next_misses < misses {
            return None;
        }
        area += (next_misses - misses) * (hits + next_hits) / 2.0;
        (hits, misses) = (next_hits, next_misses);
    }
    Some(area / hits / misses).filter(|area| area.is_finite())
}

/// The estimated average precision of chances that are ordered by descending score.
pub(super) fn expected_precision(chances: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut hits, mut area) = (0.0, 0.0, 0.0);
    for (row, chance) in chances.into_iter().enumerate() {
        sum += chance;
        let next = rounded(sum);
        area += (next - hits) * next / (1.0 + row as f64);
        hits = next;
    }
    Some(area / hits).filter(|area| area.is_finite())
}

/// The variance of the share of negatives that lie below each positive, and the share of positives; of the rarer class. What lies
/// lowest is left out, as NannyML does.
pub(super) fn roc_auc_sampling(scores: &[f64], labels: &[bool]) -> (f64, f64) {
    let rows = labels.len() as f64;
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let turned = positives / rows > 0.5;
    let count = if turned { rows - positives } else { positives };
    let mut order: Vec<usize> = (0..labels.len()).collect();
    let score = |at: usize| scores.get(at).map_or(f64::NAN, |score| if turned { 1.0 - score } else { *score });
    order.sort_by(|a, b| score(*a).partial_cmp(&score(*b)).unwrap_or(std::cmp::Ordering::Equal));
    let is_counted = |at: &usize| labels.get(*at).is_some_and(|label| *label != turned);
    let ranks = order.iter().enumerate().filter(|(rank, at)| *rank > 0 && is_counted(at));
    let below: Vec<f64> =
        ranks.enumerate().map(|(before, (rank, _))| (rank as f64 - before as f64) / (rows - count)).collect();
    let mean = below.iter().sum::<f64>() / below.len() as f64;
    let variance = below.iter().map(|below| (below - mean).powi(2)).sum::<f64>() / below.len() as f64;
    (variance, count / rows)
}

/// The variance of the average precision of samples of half of the rows, and the rows of a sample.
pub(super) fn precision_sampling(random: &mut Mersenne, scores: &[f64], labels: &[bool]) -> (f64, f64) {
    let size = (labels.len() / 2).min(RESAMPLED);
    let Some(last) = labels.len().checked_sub(1).and_then(|last| u32::try_from(last).ok()) else {
        return (f64::NAN, size as f64);
    };
    let order = descending(scores);
    let mut level_of = vec![0_usize; order.len()];
    let mut levels = 0_usize;
    let mut before = f64::NAN;
    for at in order {
        let score = scores.get(at).copied().unwrap_or(f64::NAN);
        if !are_tied(score, before) {
            levels = levels.saturating_add(1);
        }
        before = score;
        if let Some(level) = level_of.get_mut(at) {
            *level = levels.saturating_sub(1);
        }
    }
    let found: Vec<f64> = (0..EXPERIMENTS)
        .map(|_| {
            let mut counts = vec![Level { positives: 0.0, negatives: 0.0, own: 0.0 }; levels];
            for _ in 0..size {
                let at = random.up_to(last) as usize;
                if let Some(level) = level_of.get(at).and_then(|level| counts.get_mut(*level)) {
                    let positive = labels.get(at).copied().unwrap_or(false);
                    *(if positive { &mut level.positives } else { &mut level.negatives }) += 1.0;
                }
            }
            Ranking::of(counts).average_precision().unwrap_or(0.0)
        })
        .collect();
    let mean = found.iter().sum::<f64>() / EXPERIMENTS as f64;
    (found.iter().map(|found| (found - mean).powi(2)).sum::<f64>() / EXPERIMENTS as f64, size as f64)
}
