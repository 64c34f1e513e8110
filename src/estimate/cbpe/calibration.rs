//! Scores as chances: by isotonic regression, where that is nearer to the reference's labels than the scores themselves.
//!
//! Each fifth of the reference is calibrated by the other four. The calibration is kept where that lowers the mean squared error (Brier
//! score), and where it corrects the scores as a whole: where the sum of the errors, or that of the errors towards the middle
//! (Spiegelhalter, "Probabilistic prediction in patient management and clinical trials", 1986), squared, is more than twice its
//! variance, as Akaike's criterion asks. Scores that are no chances, below 0 or above 1, are always calibrated.

use crate::estimate::isotonic::{Block, Isotonic};
use crate::stats::pick::scattered;
use crate::stats::random::Random;

/// Parts that are calibrated by the others.
const FOLDS: u64 = 5;
/// Rows that this is asked of, at most: of more, one of every so many in the order of their scores.
const ASKED: usize = 100_000;
/// A sum of errors is one of the scores, not of chance, where its square is more than so many variances.
const OFF: f64 = 2.0;
/// Stretches of as much score that are asked whether the reference knows them.
const STRETCHES: usize = 20;
/// With fewer rows of the reference than this a stretch is not known.
const KNOWN: u32 = 5;

/// A labelled score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labelled {
    score: f64,
    label: bool,
    fold: u8,
}

/// What became of a reference.
#[derive(Debug, Clone)]
pub(super) struct Calibration {
    curve: Isotonic,
    /// Scores are calibrated; else they are chances themselves.
    pub(super) is_kept: bool,
    low: f64,
    high: f64,
    known: [bool; STRETCHES],
}

/// A score's chance, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chance {
    /// The chance.
    pub(super) of_positive: f64,
    /// The curve's stretch that ends no sooner.
    pub(super) index: usize,
    /// The same, or the last one.
    pub(super) block: usize,
    /// The reference has rows around it.
    pub(super) is_known: bool,
}

impl Labelled {
    /// A row of the reference.
    pub(super) fn new(place: usize, score: f64, label: bool) -> Self {
        let fold = u8::try_from(scattered(place as u64) % FOLDS).unwrap_or(0);
        Self { score, label, fold }
    }

    fn outcome(self) -> f64 {
        f64::from(u8::from(self.label))
    }

    fn point(self) -> (f64, f64, f64) {
        (self.score, self.outcome(), 1.0)
    }
}

impl Calibration {
    /// Of finite scores in any order; sorts them. `None` without any.
    pub(super) fn of(rows: &mut [Labelled]) -> Option<Self> {
        rows.sort_unstable_by(|a, b| a.score.total_cmp(&b.score));
        let curve = Isotonic::of_sorted(rows.iter().map(|row| row.point()))?;
        let (low, high) = (rows.first()?.score, rows.last()?.score);
        let mut counts = [0_u32; STRETCHES];
        for row in rows.iter() {
            if let Some(count) = counts.get_mut(stretch(row.score, low, high)) {
                *count = count.saturating_add(1);
            }
        }
        let is_kept = low < 0.0 || high > 1.0 || is_off(rows) || is_nearer(rows);
        Some(Self { curve, is_kept, low, high, known: counts.map(|count| count >= KNOWN) })
    }

    /// Where a walk down the scores begins.
    pub(super) fn top(&self) -> usize {
        self.curve.blocks().len()
    }

    /// The chance of a score, in a walk down: `from` is the index of the one before.
    pub(super) fn down(&self, from: usize, score: f64) -> Chance {
        self.chance(self.curve.down(from, score), score)
    }

    /// The chance of a score.
    pub(super) fn at(&self, score: f64) -> Chance {
        self.chance(self.curve.index(score), score)
    }

    fn chance(&self, index: usize, score: f64) -> Chance {
        let of_positive = if self.is_kept { self.curve.from(index, score) } else { score.clamp(0.0, 1.0) };
        let inside = (self.low..=self.high).contains(&score);
        let is_known = inside && self.known.get(stretch(score, self.low, self.high)).copied().unwrap_or(false);
        Chance { of_positive, index, block: index.min(self.top().saturating_sub(1)), is_known }
    }

    /// The share of the reference that lies below the middle of each stretch.
    pub(super) fn places(&self) -> Vec<f64> {
        let all: f64 = self.curve.blocks().iter().map(|block| block.weight).sum();
        let mut below = 0.0;
        let place = |weight: f64| {
            below += weight;
            (below - weight / 2.0) / all
        };
        self.curve.blocks().iter().map(|block| block.weight).map(place).collect()
    }

    /// The rows of the reference in each stretch.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> {
        self.curve.blocks().iter().map(|block| block.weight)
    }

    /// By how much the chances of each stretch might have been others, had the reference been another one of its kind: its outcomes drawn
    /// anew. Scores that are left as they are may be off by as much, too: more the reference cannot tell.
    pub(super) fn redrawn(&self, random: &mut Random) -> Vec<f64> {
        let moved = |block: &Block| {
            let height = block.value();
            // What was never seen may still be: half a row.
            let unseen = 0.5 / (block.weight + 1.0);
            let positives = random.binomial(block.weight, height.clamp(unseen, 1.0 - unseen));
            positives / block.weight - height
        };
        self.curve.blocks().iter().map(moved).collect()
    }
}

/// Which stretch a score is of.
fn stretch(score: f64, low: f64, high: f64) -> usize {
    let part = (score - low) / (high - low) * STRETCHES as f64;
    crate::stats::whole::index(part).min(STRETCHES - 1)
}

/// Whether the scores are off as a whole.
fn is_off(rows: &[Labelled]) -> bool {
    let off = |weight: fn(f64) -> f64| {
        let (mut sum, mut variance) = (0.0, 0.0);
        for row in rows {
            let weight = weight(row.score);
            sum += (row.outcome() - row.score) * weight;
            variance += row.score * (1.0 - row.score) * weight * weight;
        }
        sum * sum > OFF * variance
    };
    off(|_| 1.0) || off(|score| 1.0 - 2.0 * score)
}

/// Whether the curve of the other parts is nearer to the labels of each part, in squares.
fn is_nearer(rows: &[Labelled]) -> bool {
    let asked: Vec<Labelled> = rows.iter().step_by(rows.len().div_ceil(ASKED).max(1)).copied().collect();
    let (mut plain, mut calibrated) = (0.0, 0.0);
    for fold in 0..u8::try_from(FOLDS).unwrap_or(0) {
        let others = asked.iter().filter(|row| row.fold != fold).map(|row| row.point());
        let Some(curve) = Isotonic::of_sorted(others) else { return false };
        let mut block = curve.blocks().len();
        for row in asked.iter().rev().filter(|row| row.fold == fold) {
            block = curve.down(block, row.score);
            plain += (row.score - row.outcome()).powi(2);
            calibrated += (curve.from(block, row.score) - row.outcome()).powi(2);
        }
    }
    calibrated < plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores evenly over 0 to 1, each a positive with the chance that is told.
    fn reference(rows: usize, seed: u64, chance: impl Fn(f64) -> f64) -> Calibration {
        let mut random = Random::new(seed);
        let mut rows: Vec<Labelled> = (0..rows)
            .map(|place| {
                let score = random.uniform();
                Labelled::new(place, score, random.uniform() < chance(score))
            })
            .collect();
        Calibration::of(&mut rows).expect("rows")
    }

    #[test]
    fn calibration_is_kept_where_it_helps() {
        let kept = |chance: fn(f64) -> f64| (0..40).filter(|seed| reference(2000, *seed, chance).is_kept).count();
        let (right, squared, shifted) = (kept(|s| s), kept(|s| s * s), kept(|s| (s + 0.06).min(1.0)));
        assert!(right < 20 && squared == 40 && shifted > 36, "{right} {squared} {shifted}");
        let mut rows: Vec<Labelled> = (0..50).map(|i| Labelled::new(i, i as f64 - 25.0, i % 3 == 0)).collect();
        assert!(Calibration::of(&mut rows).is_some_and(|found| found.is_kept), "no chances");
    }

    #[test]
    fn scores_beyond_the_reference_are_not_known() {
        let mut rows: Vec<Labelled> = (0..400).map(|i| Labelled::new(i, i as f64 / 1000.0, i % 3 == 0)).collect();
        rows.push(Labelled::new(400, 0.9, true));
        let found = Calibration::of(&mut rows).expect("rows");
        let known: Vec<bool> = [0.95, 0.9, 0.6, 0.3, 0.0, -0.1].map(|s| found.down(found.top(), s).is_known).to_vec();
        assert_eq!(known, [false, false, false, true, true, false]);
    }

    #[test]
    fn redrawn_curves_vary_as_references_do() {
        let height = |curve: &Calibration| curve.down(curve.top(), 0.5).of_positive;
        let found: Vec<f64> = (0..200).map(|seed| height(&reference(600, seed, |s| s * s))).collect();
        let deviation = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        };
        let one = reference(600, 7, |s| s * s);
        let block = one.down(one.top(), 0.5).block;
        let mut random = Random::new(3);
        let redrawn: Vec<f64> = (0..200).map(|_| one.redrawn(&mut random)[block]).collect();
        let ratio = deviation(&redrawn) / deviation(&found);
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
    }
}
