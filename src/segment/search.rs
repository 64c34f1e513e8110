//! Where a model does worst, found without being told where to look.
//!
//! Candidates are values of a column of names, bins of a column of numbers and runs of them, rows without a value, and every pair of such
//! of two columns. One half of the rows is searched: the candidate whose mean loss stands out most is taken and its rows are set aside,
//! then the next, so that what overlaps is told once. The other half, which had no part in it, confirms: each find must be worse than the
//! rest there (`tally::larger`), a pair also than what is left of either of its parents, with p-values corrected for the finds (Holm). So
//! it does not matter in how many places was looked. A pair that is not confirmed may be its better parent, with some of its rows left out
//! by chance: that is tried with it.

use serde::{Deserialize, Serialize};

use super::axis::{Axis, Column, Span};
use super::tally::{Tally, larger};
use crate::stats::correction::holm;
use crate::stats::interval::Interval;
use crate::stats::pick;

/// How it is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Finds at most.
    pub most: usize,
    /// Rows that a segment has in each half.
    pub least_rows: u64,
    /// By how much its mean loss is larger than the rest's, as a share of the rest's.
    pub margin: f64,
    /// How likely it is that anything is claimed where there is nothing.
    pub alpha: f64,
    /// One less the confidence of intervals.
    pub interval_alpha: f64,
    /// Columns looked at, those given first.
    pub most_columns: usize,
}

impl Default for Settings {
    /// Ten segments of 30 rows in each half whose loss is a tenth larger, 1 % for a false claim, 95 % intervals, 200 columns.
    fn default() -> Self {
        Self { most: 10, least_rows: 30, margin: 0.1, alpha: 0.01, interval_alpha: 0.05, most_columns: 200 }
    }
}

/// Rows of the first half that are looked at.
const SEARCHED: usize = 100_000;
/// Columns of which pairs are looked at: those in which something stands out most.
const PAIRED: usize = 30;
/// What stands out by fewer standard errors is not worth a test.
const NOTABLE: f64 = 3.0;
/// By so many a pair stands out from each of its parents.
const BEYOND_PARENTS: f64 = 2.0;
/// With a larger share of the rows it is no segment: what is left is.
const LARGEST: f64 = 0.6;

/// A part of the rows on which the model does worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// In words: `age in (30, 40]`, `region = north and plan = basic`.
    pub segment: String,
    /// The columns it is of, one or two.
    pub columns: Vec<String>,
    /// Its rows with a loss.
    pub rows: u64,
    /// Of all rows with a loss.
    pub share: f64,
    /// Of its rows those that had no part in finding it: what follows is of these, and so is not better looking than the truth.
    pub rows_held_out: u64,
    /// Its mean loss: Wilson's interval where each loss is 0 or 1, else Student's.
    pub statistic: Interval,
    /// That of all other rows.
    pub rest: Interval,
    /// The first less the second.
    pub difference: Interval,
    /// How likely any segment at all would be claimed by chance, were it claimed at this one's evidence.
    pub p_value: f64,
}

/// What was found, and in what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The segments claimed, what explains most first.
    pub segments: Vec<Segment>,
    /// Rows with a loss.
    pub rows: u64,
    /// Columns looked at.
    pub columns: u64,
    /// Columns that were not: too many, of another number of rows, or with all rows alike.
    pub columns_left_out: u64,
    /// Finds of the first half, which the second confirmed or not.
    pub tried: u64,
}

/// A part of the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    /// Places of the axes; of one column the second is the whole, the last of them.
    axes: (usize, usize),
    spans: (Span, Span),
}

/// What is found in one half.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    part: Part,
    /// Of a pair, the column that stands out more without the other, where it is small enough.
    parent: Option<Part>,
    /// How far it stands out from the rest, in standard errors.
    z: f64,
}

impl Candidate {
    /// What it may be, the first that is confirmed: itself, or its better parent.
    fn claims(&self) -> impl Iterator<Item = Part> {
        std::iter::once(self.part).chain(self.parent)
    }
}

/// Searches the columns for where the loss is larger. A loss is any number that is larger where the model is worse, an error of 0 or 1
/// or a distance; a row without one, or whose loss is not finite, is left out.
#[must_use]
pub fn search(columns: &[Column], loss: &[Option<f64>], settings: &Settings) -> Found {
    let loss: Vec<Option<f64>> = loss.iter().map(|loss| loss.filter(|loss| loss.is_finite())).collect();
    let usable = |column: &&Column| column.rows() == loss.len();
    let mut axes: Vec<Axis> = columns.iter().filter(usable).take(settings.most_columns).filter_map(Axis::of).collect();
    let looked_at = axes.len();
    axes.push(Axis::whole(loss.len()));

    let known = || loss.iter().enumerate().filter_map(|(row, loss)| Some((row, (*loss)?)));
    let (searched, held_out): (Vec<_>, Vec<_>) = known().partition(|(row, _)| pick::scattered(*row as u64) & 1 == 0);
    // Measured from their mean, so that losses far from zero lose no digit to their distance.
    let mean = searched.iter().map(|(_, loss)| loss).sum::<f64>() / searched.len().max(1) as f64;
    let sample = || pick::spread(searched.len(), SEARCHED).filter_map(|at| searched.get(at).copied());
    // Only these rows, next to one another in memory: they are walked over once for each pair of columns.
    let of_sample: Vec<Axis> = axes.iter().map(|axis| axis.of_rows(sample().map(|(row, _)| row))).collect();
    let losses = sample().map(|(_, loss)| Some(loss - mean)).collect();
    let candidates = candidates(&of_sample, losses, settings);

    let tests = confirmed(&axes, &candidates, &held_out);
    let corrected = holm(&tests.iter().flatten().copied().map(Some).collect::<Vec<_>>());
    let mut corrected = corrected.into_iter().flatten();
    let mut told: Vec<(Part, Segment)> = Vec::new();
    for (candidate, tests) in candidates.iter().zip(&tests) {
        let p_values: Vec<f64> = corrected.by_ref().take(tests.len()).collect();
        let claims = candidate.claims().zip(p_values).filter(|(_, p_value)| *p_value < settings.alpha);
        let mut claims = claims.filter_map(|(part, p)| Some((part, part.told(&axes, &held_out, settings, p)?)));
        if let Some((part, segment)) = claims.next().filter(|(part, _)| told.iter().all(|(other, _)| part != other)) {
            let rows = known().filter(|(row, _)| part.holds(&axes, *row)).count() as u64;
            told.push((part, Segment { rows, share: rows as f64 / known().count() as f64, ..segment }));
        }
    }
    Found {
        segments: told.into_iter().map(|(_, segment)| segment).collect(),
        rows: known().count() as u64,
        columns: looked_at as u64,
        columns_left_out: (columns.len() - looked_at) as u64,
        tried: candidates.len() as u64,
    }
}

/// What stands out most, then what does without its rows, and so on.
fn candidates(axes: &[Axis], mut losses: Vec<Option<f64>>, settings: &Settings) -> Vec<Candidate> {
    let whole = axes.len() - 1;
    let mut found = Vec::new();
    while found.len() < settings.most {
        let total = losses.iter().fold(Sums::default(), |sums, loss| sums.with(*loss));
        let mut alone: Vec<(usize, Option<Candidate>)> =
            (0..whole).map(|axis| (axis, best_of((axis, whole), axes, &losses, total, settings))).collect();
        let z = |of: &Option<Candidate>| of.map_or(0.0, |of| of.z);
        alone.sort_by(|a, b| z(&b.1).total_cmp(&z(&a.1)));
        let paired: Vec<usize> = alone.iter().take(PAIRED).map(|(axis, _)| *axis).collect();
        let pairs =
            paired.iter().enumerate().flat_map(|(at, one)| paired.iter().skip(at + 1).map(move |two| (*one, *two)));
        let pairs =
            pairs.filter_map(|(one, two)| best_of((one.min(two), one.max(two)), axes, &losses, total, settings));
        let best = alone.iter().filter_map(|(_, of)| *of).chain(pairs).max_by(|a, b| a.z.total_cmp(&b.z));
        let Some(best) = best.filter(|best| best.z >= NOTABLE) else { break };
        for (row, loss) in losses.iter_mut().enumerate() {
            *loss = loss.filter(|_| !best.part.holds(axes, row));
        }
        found.push(best);
    }
    found
}

/// Rows that are still there, their losses added up, and the squares of those.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// With those that were set aside.
    all: f64,
    rows: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    /// And one row; without a loss it was set aside.
    fn with(self, loss: Option<f64>) -> Self {
        let (rows, loss) = (f64::from(u8::from(loss.is_some())), loss.unwrap_or(0.0));
        self.plus(Self { all: 1.0, rows, sum: loss, squares: loss * loss })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            rows: self.rows + other.rows,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            all: self.all - other.all,
            rows: self.rows - other.rows,
            sum: self.sum - other.sum,
            squares: self.squares - other.squares,
        }
    }

    fn mean(self) -> f64 {
        self.sum / self.rows
    }

    fn variance(self) -> f64 {
        (self.squares / self.rows - self.mean().powi(2)).max(0.0)
    }

    /// How many standard errors its mean is above the other's, by the variance of each and by that of both: the fewer.
    fn above(self, other: Self) -> f64 {
        let errors = |one: f64, two: f64| (one / self.rows + two / other.rows).sqrt();
        let together = self.plus(other).variance();
        let error = errors(self.variance(), other.variance()).max(errors(together, together));
        if error > 0.0 { (self.mean() - other.mean()) / error } else { 0.0 }
    }
}

/// The only cell of an axis that says nothing.
const WHOLE: Span = Span { first: 0, last: 0 };

/// The span, or pair of spans, of two columns that stands out most.
fn best_of(
    (one, two): (usize, usize),
    axes: &[Axis],
    losses: &[Option<f64>],
    total: Sums,
    settings: &Settings,
) -> Option<Candidate> {
    let (a, b) = (axes.get(one)?, axes.get(two)?);
    let is_pair = two + 1 < axes.len();
    let mut grid = vec![Sums::default(); a.count * b.count];
    for ((loss, one), two) in losses.iter().zip(&a.cells).zip(&b.cells) {
        let cell = &mut grid[usize::from(*one) * b.count + usize::from(*two)];
        *cell = cell.with(*loss);
    }
    let of_b = grid.chunks(b.count).fold(vec![Sums::default(); b.count], added);
    let others: Vec<(Span, Sums)> = b.spans().map(|other| (other, sum(&of_b, other))).collect();
    let is_small = |sums: Sums| sums.all <= LARGEST * total.all;
    let mut best: Option<Candidate> = None;
    for span in a.spans() {
        let lines = grid.chunks(b.count).take(span.last + 1).skip(span.first);
        let line = lines.fold(vec![Sums::default(); b.count], added);
        let of_a = line.iter().fold(Sums::default(), |sums, cell| sums.plus(*cell));
        if of_a.rows < settings.least_rows as f64 {
            continue;
        }
        for (other, of_other) in &others {
            let inside = sum(&line, *other);
            let rest = total.less(inside);
            if inside.rows < settings.least_rows as f64 || rest.rows < 2.0 || !is_small(inside) {
                continue;
            }
            let z = inside.above(rest);
            let parents = [(one, span, of_a), (two, *other, *of_other)].into_iter().filter(|_| is_pair);
            let stands_out = |(.., parent): (usize, Span, Sums)| {
                let left = parent.less(inside);
                left.rows >= 1.0 && inside.above(left) >= BEYOND_PARENTS
            };
            if best.is_none_or(|best| z > best.z) && parents.clone().all(stands_out) {
                let alone = |(axis, span, sums): (usize, Span, Sums)| {
                    let part = Part { axes: (axis, axes.len() - 1), spans: (span, WHOLE) };
                    (part, sums.above(total.less(sums)))
                };
                let parents = parents.filter(|(.., sums)| is_small(*sums)).map(alone);
                let parent = parents.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(part, _)| part);
                best = Some(Candidate { part: Part { axes: (one, two), spans: (span, *other) }, parent, z });
            }
        }
    }
    best
}

fn sum(cells: &[Sums], span: Span) -> Sums {
    cells.iter().take(span.last + 1).skip(span.first).fold(Sums::default(), |sums, cell| sums.plus(*cell))
}

fn added(mut sums: Vec<Sums>, more: &[Sums]) -> Vec<Sums> {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.plus(*more);
    }
    sums
}

/// The p-values of what each candidate may be, in the half that had no part in finding it, among rows that no earlier one has.
fn confirmed(axes: &[Axis], candidates: &[Candidate], held_out: &[(usize, f64)]) -> Vec<Vec<f64>> {
    let mut left = held_out.to_vec();
    let mut tests = Vec::new();
    for candidate in candidates {
        // What cannot be tested counts as a test that failed.
        tests.push(candidate.claims().map(|part| part.worse(axes, &left).unwrap_or(1.0)).collect());
        left.retain(|(row, _)| !candidate.part.holds(axes, *row));
    }
    tests
}

impl Part {
    /// Whether the row lies within either span.
    fn sides(&self, axes: &[Axis], row: usize) -> (bool, bool) {
        let side = |axis: usize, span: Span| {
            axes.get(axis).and_then(|axis| axis.cells.get(row)).is_some_and(|cell| span.holds(*cell))
        };
        (side(self.axes.0, self.spans.0), side(self.axes.1, self.spans.1))
    }

    fn holds(&self, axes: &[Axis], row: usize) -> bool {
        self.sides(axes, row) == (true, true)
    }

    /// How likely its rows would be so much worse than the rest by chance and, of a pair, than what is left of each parent: the larger.
    fn worse(&self, axes: &[Axis], rows: &[(usize, f64)]) -> Option<f64> {
        let losses = |is: &dyn Fn((bool, bool)) -> bool| -> Vec<f64> {
            rows.iter().filter(|(row, _)| is(self.sides(axes, *row))).map(|(_, loss)| *loss).collect()
        };
        let inside = losses(&|(a, b)| a && b);
        let p = larger(&inside, &losses(&|(a, b)| !(a && b)))?;
        if self.axes.1 + 1 >= axes.len() {
            return Some(p);
        }
        let [one, other] =
            [losses(&|(a, b)| a && !b), losses(&|(a, b)| b && !a)].map(|parent| larger(&inside, &parent));
        Some(p.max(one?).max(other?))
    }

    /// `None` where it has too few rows in the second half, or is not so much worse there.
    fn told(&self, axes: &[Axis], held_out: &[(usize, f64)], settings: &Settings, p_value: f64) -> Option<Segment> {
        let side = |inside: bool| {
            Tally::of(held_out.iter().filter(|(row, _)| self.holds(axes, *row) == inside).map(|(_, loss)| *loss))
        };
        let (inside, outside) = (side(true), side(false));
        let (statistic, rest) = (inside.mean(settings.interval_alpha)?, outside.mean(settings.interval_alpha)?);
        let difference = statistic.less(rest);
        let enough = inside.rows() >= settings.least_rows && difference.value > settings.margin * rest.value.abs();
        let parts = || [(self.axes.0, self.spans.0), (self.axes.1, self.spans.1)].into_iter();
        let told =
            parts().filter_map(|(axis, span)| axes.get(axis).and_then(|axis| Some((axis.name(), axis.words(span)?))));
        let (columns, words): (Vec<&str>, Vec<String>) = told.unzip();
        enough.then(|| Segment {
            segment: words.join(" and "),
            columns: columns.into_iter().map(str::to_owned).collect(),
            rows: 0,
            share: 0.0,
            rows_held_out: inside.rows(),
            statistic,
            rest,
            difference,
            p_value,
        })
    }
}
