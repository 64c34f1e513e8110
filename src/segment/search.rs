//! Where a model does worst, found without being told where to look.
//!
//! Candidates are values of a column of names, bins of a column of numbers and runs of them, rows without a value, and every pair of such
//! of two columns. One half of the rows is searched: the candidate whose mean loss stands out most is taken and explained, its rows brought
//! down to the mean of the others, then the next. The other half, which had no part in it, confirms: each find must be worse than the
//! rest there (`tally::larger`), a pair also than what is left of either of its parents, with p-values corrected for the finds (Holm). So
//! it does not matter in how many places was looked. A pair that is not confirmed may be its better parent, with some of its rows left out
//! by chance: that is tried with it. What is confirmed is told in order of how much worse it is for certain, each as far as those before
//! it leave something to be told.

use serde::{Deserialize, Serialize};

use super::axis::{Axis, Column};
use super::candidates::{Candidate, Wanted, candidates};
use super::part::{Losses, Part};
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
/// A part of the rows on which the model does worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Found {
    /// The segments claimed, the worst first: by the lower limit of the difference.
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
    let (searched, held_out): (Losses, Losses) = known().partition(|(row, _)| pick::scattered(*row as u64) & 1 == 0);
    let sample = || pick::spread(searched.len(), SEARCHED).filter_map(|at| searched.get(at).copied());
    // Only these rows, next to one another in memory: they are walked over once for each pair of columns.
    let of_sample: Vec<Axis> = axes.iter().map(|axis| axis.of_rows(sample().map(|(row, _)| row))).collect();
    let wanted = Wanted { most: settings.most, least_rows: settings.least_rows, margin: settings.margin };
    let candidates = candidates(&of_sample, sample().map(|(_, loss)| loss).collect(), wanted);

    let rows = known().count() as u64;
    let of_all = |(part, segment): (Part, Segment)| {
        let inside = known().filter(|(row, _)| part.holds(&axes, *row)).count() as u64;
        Segment { rows: inside, share: inside as f64 / rows as f64, ..segment }
    };
    Found {
        segments: worst_first(confirmed(&axes, &candidates, &held_out, settings), &axes, &held_out, settings)
            .into_iter()
            .map(of_all)
            .collect(),
        rows,
        columns: looked_at as u64,
        columns_left_out: (columns.len() - looked_at) as u64,
        tried: candidates.iter().filter(|candidate| candidate.claims().next().is_some()).count() as u64,
    }
}

/// What of the candidates, or of their better parents, is worse than the rest in the half that had no part in finding them.
fn confirmed(axes: &[Axis], candidates: &[Candidate], held_out: &Losses, settings: &Settings) -> Vec<(Part, Segment)> {
    let mut left = held_out.clone();
    let mut tests: Vec<(usize, Part, f64)> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        // What cannot be tested counts as a test that failed.
        tests.extend(candidate.claims().map(|part| (at, part, part.worse(axes, &left).unwrap_or(1.0))));
        candidate.part.explain(axes, &mut left);
    }
    let corrected = holm(&tests.iter().map(|(.., p)| Some(*p)).collect::<Vec<_>>());
    let mut told: Vec<(usize, Part, Segment)> = Vec::new();
    for ((at, part, _), p_value) in tests.into_iter().zip(corrected.into_iter().flatten()) {
        let is_told = told.iter().any(|(from, other, _)| *from == at || *other == part);
        if !is_told && p_value < settings.alpha {
            told.extend(segment(part, axes, held_out, settings, p_value).map(|segment| (at, part, segment)));
        }
    }
    told.into_iter().map(|(_, part, segment)| (part, segment)).collect()
}

/// In order of how much worse they are for certain, each only as far as its rows that none before it has are still worse than all others
/// that none has: what is told is not told again, nor is what is worse for its sake alone.
fn worst_first(
    mut all: Vec<(Part, Segment)>,
    axes: &[Axis],
    held_out: &Losses,
    settings: &Settings,
) -> Vec<(Part, Segment)> {
    all.sort_by(|(_, a), (_, b)| b.difference.low.total_cmp(&a.difference.low));
    let mut left = held_out.clone();
    all.retain(|(part, _)| {
        let says_more = segment(*part, axes, &left, settings, 0.0).is_some_and(|more| more.difference.low > 0.0);
        if says_more {
            left.retain(|(row, _)| !part.holds(axes, *row));
        }
        says_more
    });
    all
}

/// `None` where it has too few rows in the second half, or is not so much worse there.
fn segment(part: Part, axes: &[Axis], held_out: &Losses, settings: &Settings, p_value: f64) -> Option<Segment> {
    let (inside, outside) = part.tallies(axes, held_out);
    let (statistic, rest) = (inside.mean(settings.interval_alpha)?, outside.mean(settings.interval_alpha)?);
    let difference = statistic.less(rest);
    let enough = inside.rows() >= settings.least_rows && difference.value > settings.margin * rest.value.abs();
    let (columns, words) = part.words(axes);
    enough.then(|| Segment {
        segment: words.join(" and "),
        columns,
        rows: 0,
        share: 0.0,
        rows_held_out: inside.rows(),
        statistic,
        rest,
        difference,
        p_value,
    })
}
