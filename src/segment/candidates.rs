//! What stands out in one half of the rows: what does so most, then what does once that is explained, and so on.

use super::axis::{Axis, Span};
use super::grid::Grid;
use super::part::{Losses, Part, WHOLE};
use super::sums::Sums;
use crate::stats::tails;

/// Columns of which pairs are looked at: those in which something stands out most.
const PAIRED: usize = 30;
/// What stands out by fewer standard errors is not worth a test.
const NOTABLE: f64 = 3.0;
/// By so many a pair stands out from each of its parents.
const BEYOND_PARENTS: f64 = 2.0;
/// With a larger share of the rows it is no segment: half, and as much more as the larger of two values has that are about as frequent.
/// One of a single column, of which what is left can be said as well, is explained without being told.
const LARGEST: f64 = 0.55;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Finds at most.
    pub most: usize,
    /// Rows that each has, and leaves, at least.
    pub least_rows: u64,
    /// By how much its mean loss is larger than the rest's, as a share of the mean of all.
    pub margin: f64,
}

/// What is found in one half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// What stands out.
    pub part: Part,
    /// Of a pair, the column that stands out more without the other, where it is small enough.
    parent: Option<Part>,
    /// Whether it is small enough to be told.
    is_small: bool,
    /// How far it stands out from the rest, in standard errors.
    z: f64,
    /// By how much its mean is above the rest's.
    excess: f64,
}

impl Candidate {
    /// What it may be told as, the first that is confirmed: itself, or its better parent.
    pub fn claims(&self) -> impl Iterator<Item = Part> {
        [Some(self.part), self.parent].into_iter().flatten().filter(|_| self.is_small)
    }
}

/// Of losses in the order of the axes' cells; the last axis is the whole. What is found is explained before the next is looked for: its
/// rows are taken down to the mean of the rest. So nothing is found again in what overlaps it, and what is worse still within it is found.
/// A column's span that is too large to be told is explained likewise, so that no piece of it is told in its place.
pub fn candidates(axes: &[Axis], mut losses: Vec<f64>, wanted: Wanted) -> Vec<Candidate> {
    // Measured from their mean, so that losses far from zero lose no digit to their distance.
    let mean = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
    for loss in &mut losses {
        *loss -= mean;
    }
    let mut bar = Bar { least_rows: wanted.least_rows as f64, excess: wanted.margin * mean.abs(), z: 0.0 };
    let mut grids = grids(axes, &losses, bar);
    let cells: usize = grids.iter().map(Grid::cells).sum();
    // Of so many places that say nothing one stands out so far.
    bar.z = tails::deviations(2.0 / cells.max(1) as f64).max(NOTABLE);
    let mut found: Vec<Candidate> = Vec::new();
    let is_enough = |found: &[Candidate]| {
        found.len() >= 2 * wanted.most || found.iter().filter(|of| of.is_small).count() >= wanted.most
    };
    while !is_enough(&found) {
        let better = |best: Option<Candidate>, grid| {
            let bar = Bar { z: best.map_or(bar.z, |best| best.z), ..bar };
            best_of(grid, axes, bar).or(best)
        };
        let Some(best) = grids.iter().fold(None, better) else { break };
        let inside: Losses =
            losses.iter().copied().enumerate().filter(|(row, _)| best.part.holds(axes, *row)).collect();
        for grid in &mut grids {
            grid.lower(axes, &inside, best.excess);
        }
        for (row, _) in inside {
            losses[row] -= best.excess;
        }
        found.push(best);
    }
    found
}

/// What a part must have and surpass.
#[derive(Debug, Clone, Copy)]
struct Bar {
    least_rows: f64,
    /// Of its mean above the rest's.
    excess: f64,
    /// In standard errors.
    z: f64,
}

/// Of each column alone, and of pairs.
fn grids(axes: &[Axis], losses: &[f64], bar: Bar) -> Vec<Grid> {
    let whole = axes.len() - 1;
    let mut grids: Vec<Grid> = (0..whole).filter_map(|axis| Grid::of((axis, whole), axes, losses)).collect();
    let z = |grid: &Grid| best_of(grid, axes, bar).map_or(0.0, |best| best.z);
    let mut alone: Vec<(usize, f64)> = grids.iter().map(|grid| (grid.axes.0, z(grid))).collect();
    alone.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut paired: Vec<usize> = alone.iter().take(PAIRED).map(|(axis, _)| *axis).collect();
    paired.sort_unstable();
    for (at, one) in paired.iter().enumerate() {
        grids.extend(paired.iter().skip(at + 1).filter_map(|two| Grid::of((*one, *two), axes, losses)));
    }
    grids
}

/// The span, or pair of spans, of two columns that stands out most; `None` where none does by more than the bar.
fn best_of(grid: &Grid, axes: &[Axis], mut bar: Bar) -> Option<Candidate> {
    let (one, two) = grid.axes;
    let (a, b) = (axes.get(one)?, axes.get(two)?);
    let is_pair = two + 1 < axes.len();
    let areas = grid.areas();
    let total = areas.all();
    let is_small = |sums: Sums| sums.rows <= LARGEST * total.rows;
    let others: Vec<(Span, Sums)> = b.spans().map(|other| (other, areas.of_second(other))).collect();
    // By the variance of all rows a part stands out further than by the larger of that and its own: a bound that needs no root.
    let scatter = total.variance() * total.rows;
    let may_pass = |inside: Sums, bar: Bar| {
        let above = inside.sum * total.rows - total.sum * inside.rows;
        above > 0.0 && above * above > bar.z * bar.z * scatter * inside.rows * (total.rows - inside.rows)
    };
    let mut best = None;
    for span in a.spans() {
        let of_a = areas.of_first(span);
        if of_a.rows < bar.least_rows {
            continue;
        }
        for (other, of_other) in &others {
            let inside = areas.within(span, *other);
            let rest = total.less(inside);
            let has_rows = inside.rows.min(rest.rows) >= bar.least_rows.max(2.0);
            if !has_rows || (is_pair && !is_small(inside)) || !may_pass(inside, bar) {
                continue;
            }
            let (z, excess) = (inside.above(rest), inside.mean() - rest.mean());
            let parents = [(one, span, of_a), (two, *other, *of_other)].into_iter().filter(|_| is_pair);
            let stands_out = |(.., parent): (usize, Span, Sums)| {
                let left = parent.less(inside);
                left.rows >= 1.0 && inside.above(left) >= BEYOND_PARENTS
            };
            if z > bar.z && excess > bar.excess && parents.clone().all(stands_out) {
                let alone = |(axis, span, sums): (usize, Span, Sums)| {
                    let part = Part { axes: (axis, axes.len() - 1), spans: (span, WHOLE) };
                    (part, sums.above(total.less(sums)))
                };
                let parents = parents.filter(|(.., sums)| is_small(*sums)).map(alone);
                let parent = parents.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(part, _)| part);
                let part = Part { axes: (one, two), spans: (span, *other) };
                bar.z = z;
                best = Some(Candidate { part, parent, is_small: is_small(inside), z, excess });
            }
        }
    }
    best
}
