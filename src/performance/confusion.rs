//! How often each class was given and each was predicted: counts, and what is derived of them.

use std::collections::{BTreeMap, BTreeSet};

use super::figure::Figure;
use super::interval;

/// Rows by their label's class and the predicted one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confusion {
    cells: BTreeMap<(u32, u32), u64>,
    /// By class: given, predicted, both.
    counts: BTreeMap<u32, [u64; 3]>,
    rows: u64,
}

/// A share of a class's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Of those predicted, those that are of the class.
    Precision,
    /// Of those of the class, those predicted.
    Recall,
    /// The harmonic mean of both.
    F1,
}

/// How the classes' shares become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// Each class counts alike.
    Macro,
    /// Each class counts by its rows.
    Weighted,
}

/// What a row more in a cell does to an average of the classes: linear in what it does to the classes of its label and its prediction.
#[derive(Debug, Clone)]
pub struct Steps {
    by_class: BTreeMap<u32, [f64; 3]>,
    moved: f64,
}

impl Steps {
    /// What a row of this label and this prediction does.
    #[must_use]
    pub fn of(&self, (label, predicted): (u32, u32)) -> f64 {
        let of = |class: u32, part: usize| self.by_class.get(&class).map_or(0.0, |parts| parts[part]);
        let right = if label == predicted { of(label, 2) } else { 0.0 };
        of(label, 0) + of(predicted, 1) + right - self.moved
    }
}

/// Cells that are counted in a table at first, of so many classes; rare ones go into the map at once.
const DENSE: u32 = 32;

impl Confusion {
    /// Counts pairs of a label and a prediction.
    pub fn of(pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut table = vec![0_u64; (DENSE * DENSE) as usize];
        let mut cells: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (label, predicted) in pairs {
            if label < DENSE && predicted < DENSE {
                table[(label * DENSE + predicted) as usize] += 1;
            } else {
                *cells.entry((label, predicted)).or_default() += 1;
            }
        }
        for (place, count) in (0_u32..).zip(table).filter(|(_, count)| *count > 0) {
            cells.insert((place / DENSE, place % DENSE), count);
        }
        let mut counts: BTreeMap<u32, [u64; 3]> = BTreeMap::new();
        for ((label, predicted), count) in &cells {
            counts.entry(*label).or_default()[0] += count;
            counts.entry(*predicted).or_default()[1] += count;
            if label == predicted {
                counts.entry(*label).or_default()[2] += count;
            }
        }
        let rows = cells.values().sum();
        Self { cells, counts, rows }
    }

    /// Rows that were counted.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The classes that were given or predicted.
    pub fn met(&self) -> impl Iterator<Item = u32> {
        self.counts.keys().copied()
    }

    /// Rows of this label and this prediction.
    #[must_use]
    pub fn cell(&self, label: u32, predicted: u32) -> u64 {
        self.cells.get(&(label, predicted)).copied().unwrap_or_default()
    }

    /// Rows of the class: given, predicted, both.
    #[must_use]
    pub fn counts(&self, class: u32) -> [u64; 3] {
        self.counts.get(&class).copied().unwrap_or_default()
    }

    /// Share of rows whose prediction is the label.
    #[must_use]
    pub fn accuracy(&self) -> Figure {
        Figure::share(self.counts.values().map(|counts| counts[2]).sum(), self.rows)
    }

    /// A class's share.
    #[must_use]
    pub fn share(&self, of: Of, class: u32) -> Figure {
        let [given, predicted, both] = self.counts(class);
        match of {
            Of::Precision => Figure::share(both, predicted),
            Of::Recall => Figure::share(both, given),
            // Rows of the class that are right, of all that are the class or are said to be, are a plain share; it grows with this mean.
            Of::F1 => Figure::share(both, given + predicted - both).map(|share| 2.0 * share / (1.0 + share)),
        }
    }

    /// Of rows that are not of the class those that are not predicted as it.
    #[must_use]
    pub fn specificity(&self, class: u32) -> Figure {
        let [given, predicted, both] = self.counts(class);
        Figure::share(self.rows + both - given - predicted, self.rows - given)
    }

    /// The mean of the classes' shares; what is undefined for a class counts as 0: it was not found.
    #[must_use]
    pub fn average(&self, of: Of, by: Average) -> Figure {
        let Some((average, steps)) = self.steps(of, by) else { return Figure::default() };
        let variance = self.cells.iter().map(|(cell, count)| *count as f64 * steps.of(*cell).powi(2)).sum();
        // Sums of rounded shares may end a little beyond.
        let average = f64::min(average, 1.0);
        Figure::new(average, interval::share(average, variance, self.rows as f64))
    }

    /// The mean of the classes' shares, and what a row does to it. `None` of no rows.
    #[must_use]
    pub fn steps(&self, of: Of, by: Average) -> Option<(f64, Steps)> {
        if self.rows == 0 {
            return None;
        }
        let (rows, classes) = (self.rows as f64, self.counts.len() as f64);
        let mut average = 0.0;
        let mut by_class: BTreeMap<u32, [f64; 3]> = BTreeMap::new();
        for (class, [given, predicted, both]) in &self.counts {
            let [given, predicted, both] = [*given as f64, *predicted as f64, *both as f64];
            let (whole, twice) = match of {
                Of::Precision => (predicted, 1.0),
                Of::Recall => (given, 1.0),
                Of::F1 => (given + predicted, 2.0),
            };
            let share = if whole > 0.0 { twice * both / whole } else { 0.0 };
            let weight = match by {
                Average::Macro => 1.0 / classes,
                Average::Weighted => given / rows,
            };
            average += weight * share;
            let per = if whole > 0.0 { weight / whole } else { 0.0 };
            let (of_given, of_predicted) = match of {
                Of::Precision => (0.0, 1.0),
                Of::Recall => (1.0, 0.0),
                Of::F1 => (1.0, 1.0),
            };
            let by_weight = if by == Average::Weighted { share / rows } else { 0.0 };
            by_class.insert(*class, [by_weight - of_given * per * share, -of_predicted * per * share, twice * per]);
        }
        let moved = if by == Average::Weighted { average / rows } else { 0.0 };
        Some((average, Steps { by_class, moved }))
    }

    /// The most frequent classes, `most` of them at most, in their order; and how many rows are of others.
    #[must_use]
    pub fn frequent(&self, most: usize) -> (Vec<u32>, u64) {
        let mut by_rows: Vec<(u64, u32)> =
            self.counts.iter().map(|(class, [given, predicted, _])| (given + predicted, *class)).collect();
        by_rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let kept: BTreeSet<u32> = by_rows.into_iter().take(most).map(|(_, class)| class).collect();
        let others =
            self.cells.iter().filter(|((label, predicted), _)| !kept.contains(label) || !kept.contains(predicted));
        let others = others.map(|(_, count)| count).sum();
        (kept.into_iter().collect(), others)
    }
}
