//! One side's vectors in a few of them: the mean and the spread of all, and one row of each run of so many.

use polars::prelude::Series;

use super::vectors::{Left, Lengths, Row, each};
use crate::drift::Sample;
use crate::drift::aspect::Aspect;
use crate::drift::order::is_to_learn_from;
use crate::drift::variation::Variation;
use crate::stats::pick::is_picked;
use crate::stats::quantile::quantile;

/// Rows that are kept of a side, at most.
const ROWS: usize = 2000;
/// Numbers in them, at most.
const CELLS: usize = 2_000_000;
/// Rows of a first look, at most.
const LOOKED_AT: usize = 500;
/// Rows that are kept in any case.
const FEWEST: usize = 60;
/// So many times the median distance from the middle a vector is as far out as can be.
const FAR: f64 = 10.0;

/// What vectors are measured by: the middle of a reference, and how far from it its vectors lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    middle: Vec<f64>,
    /// `None` where all vectors are one.
    unit: Option<f64>,
}

/// A first look at a reference: how long its vectors are, and some of them.
pub struct Look {
    step: usize,
    at: usize,
    cells: usize,
    lengths: Lengths,
    rows: Vec<Vec<f64>>,
}

/// A side's vectors, measured.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// What they are measured by.
    pub measure: Measure,
    /// Vectors.
    pub rows: u64,
    /// Rows without one.
    pub left: Left,
    /// How much the reference varies by itself, aspect by aspect; where that is more than chance.
    pub variations: Vec<(Aspect, Variation)>,
    /// Vectors from all over the side, from the middle in units.
    pub sample: Vec<Vec<f64>>,
    lengths: Lengths,
    step: usize,
    at: usize,
    /// Of all vectors, from the middle in units.
    sums: Vec<f64>,
    squares: f64,
    all: usize,
    /// Where distances are taken from: the mean of the rows of the reference that it is learnt from.
    from: From,
    /// Of each sampled vector, whether it is one of those.
    learnt: Vec<bool>,
}

/// Where distances are taken from.
#[derive(Debug, Clone)]
enum From {
    /// The sum of so many vectors of the reference, which are this side's own.
    Own(Vec<f64>, u64),
    /// Known from the reference.
    Known(Vec<f64>),
}

impl From {
    fn mean(&self) -> Vec<f64> {
        match self {
            Self::Own(sums, rows) => sums.iter().map(|sum| sum / (*rows).max(1) as f64).collect(),
            Self::Known(mean) => mean.clone(),
        }
    }
}

/// Which rows of so many are looked at.
fn step(rows: usize, width: usize) -> usize {
    let most = CELLS.checked_div(width).unwrap_or(ROWS).clamp(FEWEST, ROWS);
    rows.div_ceil(most).max(1)
}

impl Look {
    /// At so many rows.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self { step: rows.div_ceil(LOOKED_AT).max(1), at: 0, cells: 0, lengths: Lengths::default(), rows: Vec::new() }
    }

    /// The next part of the column.
    pub fn add(&mut self, part: &Series) {
        each(part, |row| {
            match row {
                Row::Empty => {}
                Row::NotFinite(length) => self.lengths.add(length),
                Row::Vector(vector) => {
                    self.lengths.add(vector.len());
                    let there_is_room = self.cells < CELLS || self.rows.len() < FEWEST;
                    if is_picked(self.at, self.step) && there_is_room {
                        self.cells = self.cells.saturating_add(vector.len());
                        self.rows.push(vector.to_vec());
                    }
                }
            }
            self.at = self.at.saturating_add(1);
        });
    }

    /// What to measure by. `None` where there is no list.
    ///
    /// # Errors
    /// The lists are no vectors; says for people what they are.
    pub fn measure(mut self) -> Result<Option<Measure>, String> {
        let Some(width) = self.lengths.width()? else { return Ok(None) };
        self.rows.retain(|row| row.len() == width);
        let rows = &self.rows;
        let mut column: Vec<f64> = Vec::with_capacity(rows.len());
        let mut middle = Vec::with_capacity(width);
        for at in 0..width {
            column.clear();
            column.extend(rows.iter().filter_map(|row| row.get(at)));
            middle.push(quantile(&mut column, 0.5).unwrap_or_default());
        }
        let mut distances: Vec<f64> = rows.iter().map(|row| squared(row, &middle).sqrt()).collect();
        let root =
            (distances.iter().map(|distance| distance * distance).sum::<f64>() / rows.len().max(1) as f64).sqrt();
        let median = quantile(&mut distances, 0.5).unwrap_or_default();
        let unit = [median, root].into_iter().find(|unit| *unit > 0.0 && unit.is_finite());
        Ok(Some(Measure { middle, unit }))
    }
}

fn squared(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
}

impl Measure {
    /// Numbers of a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.middle.len()
    }

    /// Whether there are different vectors.
    #[must_use]
    pub fn varies(&self) -> bool {
        self.unit.is_some()
    }

    /// How far most vectors lie from the middle, in their own unit; 1 where all are one.
    #[must_use]
    pub fn unit(&self) -> f64 {
        self.unit.unwrap_or(1.0)
    }

    /// From the middle in units, no farther than can be.
    fn of(&self, vector: &[f64], into: &mut Vec<f64>) {
        let unit = self.unit();
        into.clear();
        into.extend(vector.iter().zip(&self.middle).map(|(value, middle)| (value - middle) / unit));
        let length = into.iter().map(|value| value * value).sum::<f64>().sqrt();
        if length > FAR {
            for value in into.iter_mut() {
                *value *= FAR / length;
            }
        }
    }
}

impl Cloud {
    /// Of a side of so many rows. Without `reference` it is the reference itself.
    #[must_use]
    pub fn new(measure: Measure, rows: usize, reference: Option<&Self>) -> Self {
        let none = || From::Own(vec![0.0; measure.width()], 0);
        let from = reference.map_or_else(none, |reference| From::Known(reference.from.mean()));
        Self {
            step: step(rows, measure.width()),
            sums: vec![0.0; measure.width()],
            measure,
            rows: 0,
            left: Left::default(),
            variations: Vec::new(),
            sample: Vec::new(),
            lengths: Lengths::default(),
            at: 0,
            squares: 0.0,
            all: rows,
            from,
            learnt: Vec::new(),
        }
    }

    /// Of a column that is held as a whole.
    ///
    /// # Errors
    /// The lists of a reference are no vectors; says for people what they are. `None` where it has no list.
    pub fn reference(column: &Series) -> Result<Option<Self>, String> {
        let mut look = Look::new(column.len());
        look.add(column);
        Ok(look.measure()?.map(|measure| {
            let mut cloud = Self::new(measure, column.len(), None);
            cloud.add(column);
            cloud
        }))
    }

    /// Of a current column that is held as a whole.
    #[must_use]
    pub fn current(column: &Series, reference: &Self) -> Self {
        let mut cloud = Self::new(reference.measure.clone(), column.len(), Some(reference));
        cloud.add(column);
        cloud
    }

    /// The next part of the column.
    pub fn add(&mut self, part: &Series) {
        let mut vector = Vec::with_capacity(self.measure.width());
        let more = |count: &mut u64| *count = count.saturating_add(1);
        each(part, |row| {
            match row {
                Row::Empty => more(&mut self.left.empty),
                Row::NotFinite(length) => {
                    self.lengths.add(length);
                    let other = length != self.measure.width();
                    more(if other { &mut self.left.of_other_length } else { &mut self.left.not_finite });
                }
                Row::Vector(values) => {
                    self.lengths.add(values.len());
                    if values.len() == self.measure.width() {
                        more(&mut self.rows);
                        self.measure.of(values, &mut vector);
                        self.sums.iter_mut().zip(&vector).for_each(|(sum, value)| *sum += value);
                        self.squares += vector.iter().map(|value| value * value).sum::<f64>();
                        let mut is_learnt = false;
                        if let From::Own(sums, rows) = &mut self.from
                            && is_to_learn_from(self.at, self.all)
                        {
                            is_learnt = true;
                            more(rows);
                            sums.iter_mut().zip(&vector).for_each(|(sum, value)| *sum += value);
                        }
                        if is_picked(self.at, self.step) {
                            self.sample.push(vector.clone());
                            self.learnt.push(is_learnt);
                        }
                    } else {
                        more(&mut self.left.of_other_length);
                    }
                }
            }
            self.at = self.at.saturating_add(1);
        });
    }

    /// The length of most of its lists, where they have one.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        self.lengths.width().ok().flatten()
    }

    /// The mean of all vectors, from the middle in units.
    fn mean(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.rows.max(1) as f64).collect()
    }

    /// The mean squared distance of its vectors from their mean (n - 1), in squared units. `None` where it is nothing.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        let rows = self.rows as f64;
        let of_mean = self.mean().iter().map(|value| value * value).sum::<f64>() * rows;
        let variance = (self.squares - of_mean) / (rows - 1.0);
        (variance > 1e-12 && variance.is_finite()).then_some(variance)
    }

    /// The squared distance of both sides' means, in squared units.
    #[must_use]
    pub fn apart(&self, other: &Self) -> f64 {
        squared(&self.mean(), &other.mean())
    }

    /// The sampled vectors' distances from where they are taken, in their own unit; of a reference those of the rows that this is not
    /// learnt from.
    #[must_use]
    pub fn distances(&self) -> Sample {
        let from = self.from.mean();
        let seen = self.sample.iter().zip(&self.learnt).filter(|(_, learnt)| !**learnt);
        Sample::numeric(seen.map(|(row, _)| Some(squared(row, &from).sqrt() * self.measure.unit())))
    }

    /// Rows with a vector and without.
    #[must_use]
    pub fn presence(&self) -> Sample {
        Sample::Categorical { counts: [("vector".to_owned(), self.rows)].into(), missing: self.left.rows() }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let vectors = self.sample.len().saturating_add(4);
        (vectors as u64).saturating_mul(self.measure.width() as u64).saturating_mul(8)
    }
}
