//! Where, over the values of a feature, rows of the same inputs have another mean than they had.
//!
//! In each bin of the feature: what the current rows are beyond their expectation, less what the reference's, weighted by their ratio, are
//! (see [`mod@super::split`]). Whether that differs over the bins by more than chance is Cochran's Q ("The combination of estimates from
//! different experiments", 1954), its p-value from chi-squared, corrected for the features (Holm). A bin's variance is, at least, what it
//! would be if both sides varied alike. How much it differs is its standard deviation over the current rows, that which chance makes
//! taken off. A change that is the same everywhere is in the split, and no feature is named for it.
//!
//! What stands out most is a bin, or some that are side by side; intervals are widened for all there are to pick from (Bonferroni).

use serde::Serialize;

use super::Settings;
use super::split::Side;
use crate::segment::axis::{Axis, Span};
use crate::stats::correction::holm;
use crate::stats::interval::Interval;
use crate::stats::tails::{deviations, sum_of_squares};

/// Rows that either side of a bin is worth, at least.
const LEAST: f64 = 20.0;

/// A feature by whose values the change of the relation differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RelationLead {
    /// The feature.
    pub feature: String,
    /// How much the change differs over its values: a standard deviation.
    pub spread: f64,
    /// How likely as much is of chance, corrected for the features looked at.
    pub p_value: f64,
    /// Where it stands out most: `age in (30, 40]`.
    pub values: String,
    /// The share of the current rows there.
    pub share: f64,
    /// How the mean of rows of the same inputs changed there.
    pub change: Interval,
    /// How it changed elsewhere.
    pub elsewhere: Interval,
}

/// Of features over the rows of both sides, the one by which it differs most first.
pub fn leads(
    axes: &[Axis],
    (reference, current): (&Side<'_>, &Side<'_>),
    margin: f64,
    settings: &Settings,
) -> Vec<RelationLead> {
    let before: Vec<(usize, f64, f64)> = placed(reference).collect();
    let now: Vec<(usize, f64)> =
        placed(current).map(|(row, residual, _)| (row + reference.values.len(), residual)).collect();
    let places: Vec<Places> = axes.iter().map(|axis| Places::of(axis, &before, &now)).collect();
    let differing: Vec<Option<Differing>> = places.iter().map(Places::differing).collect();
    let p_values = holm(&differing.iter().map(|of| of.as_ref().map(|of| of.p_value)).collect::<Vec<_>>());
    let all = now.len() as f64;
    let lead = |axis: &Axis, places: &Places, spread: f64, p_value: f64| {
        if p_value > settings.alpha || spread <= margin {
            return None;
        }
        let spans: Vec<Span> = axis.spans().collect();
        let half = deviations(settings.interval_alpha / spans.len() as f64);
        // Of two parts that make a whole the one that changed more.
        let of = |span: &Span| {
            let both = places.inside_out(*span).map(|(inside, outside)| (*span, inside, outside));
            both.filter(|(_, inside, outside)| inside.change().abs() >= outside.change().abs())
        };
        let stands_out = |(_, inside, outside): &(Span, Cell, Cell)| inside.apart(outside).abs();
        let (span, inside, outside) =
            spans.iter().filter_map(of).max_by(|a, b| stands_out(a).total_cmp(&stands_out(b)))?;
        Some(RelationLead {
            feature: axis.name().to_owned(),
            spread,
            p_value,
            values: axis.words(span)?,
            share: inside.now.count / all,
            change: inside.interval(half),
            elsewhere: outside.interval(half),
        })
    };
    let tested = differing.iter().zip(&p_values).map(|(of, p)| Some((of.as_ref()?.spread, (*p)?)));
    let all_tested = axes.iter().zip(&places).zip(tested);
    let mut leads: Vec<RelationLead> = all_tested
        .filter_map(|((axis, places), of)| of.and_then(|(spread, p)| lead(axis, places, spread, p)))
        .collect();
    leads.sort_by(|a, b| b.spread.total_cmp(&a.spread).then(a.feature.cmp(&b.feature)));
    leads.truncate(settings.most);
    leads
}

/// Rows with a like on the other side: the place, what it is beyond its expectation, its ratio.
fn placed<'a>(side: &'a Side<'_>) -> impl Iterator<Item = (usize, f64, f64)> + 'a {
    side.residuals().enumerate().filter_map(|(row, of)| of.map(|(residual, ratio)| (row, residual, ratio)))
}

/// Weighted sums of residuals.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    weights: f64,
    squared_weights: f64,
    first: f64,
    second: f64,
    /// Of the squared weights, for the variance of the weighted mean.
    squared_first: f64,
    squared_second: f64,
}

impl Sums {
    fn add(&mut self, residual: f64, weight: f64) {
        let square = weight * weight;
        self.count += 1.0;
        self.weights += weight;
        self.squared_weights += square;
        self.first += weight * residual;
        self.second += weight * residual * residual;
        self.squared_first += square * residual;
        self.squared_second += square * residual * residual;
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            count: self.count + other.count,
            weights: self.weights + other.weights,
            squared_weights: self.squared_weights + other.squared_weights,
            first: self.first + other.first,
            second: self.second + other.second,
            squared_first: self.squared_first + other.squared_first,
            squared_second: self.squared_second + other.squared_second,
        }
    }

    fn worth(&self) -> f64 {
        if self.squared_weights > 0.0 { self.weights * self.weights / self.squared_weights } else { 0.0 }
    }

    fn mean(&self) -> f64 {
        self.first / self.weights
    }

    /// Of the residuals.
    fn variance(&self) -> f64 {
        (self.second / self.weights - self.mean().powi(2)).max(0.0)
    }

    /// Of their weighted mean.
    fn of_mean(&self) -> f64 {
        let mean = self.mean();
        let squares = self.squared_second - 2.0 * mean * self.squared_first + mean * mean * self.squared_weights;
        squares.max(0.0) / (self.weights * self.weights)
    }
}

/// Both sides of some values.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    before: Sums,
    now: Sums,
}

impl Cell {
    fn is_worth(&self) -> bool {
        self.before.worth() >= LEAST && self.now.worth() >= LEAST
    }

    fn plus(&self, other: &Self) -> Self {
        Self { before: self.before.plus(&other.before), now: self.now.plus(&other.now) }
    }

    fn change(&self) -> f64 {
        self.now.mean() - self.before.mean()
    }

    /// Of the change.
    fn variance(&self) -> f64 {
        let (one, other) = (self.before.worth(), self.now.worth());
        let gap = self.change();
        let shares = (one / (one + other), other / (one + other));
        let alike =
            shares.0 * self.before.variance() + shares.1 * self.now.variance() + shares.0 * shares.1 * gap * gap;
        (self.before.of_mean() + self.now.of_mean()).max(alike * (1.0 / one + 1.0 / other))
    }

    fn apart(&self, other: &Self) -> f64 {
        let error = (self.variance() + other.variance()).sqrt();
        if error > 0.0 { (self.change() - other.change()) / error } else { 0.0 }
    }

    fn interval(&self, deviations: f64) -> Interval {
        let (value, half) = (self.change(), deviations * self.variance().sqrt());
        Interval { value, low: value - half, high: value + half }
    }
}

/// The bins of a feature.
struct Places(Vec<Cell>);

/// How a change differs over bins.
struct Differing {
    spread: f64,
    p_value: f64,
}

impl Places {
    fn of(axis: &Axis, before: &[(usize, f64, f64)], now: &[(usize, f64)]) -> Self {
        let mut cells = vec![Cell::default(); axis.count];
        let place = |row: usize| axis.cells.get(row).map(|cell| usize::from(*cell));
        for (row, residual, ratio) in before {
            if let Some(cell) = place(*row).and_then(|at| cells.get_mut(at)) {
                cell.before.add(*residual, *ratio);
            }
        }
        for (row, residual) in now {
            if let Some(cell) = place(*row).and_then(|at| cells.get_mut(at)) {
                cell.now.add(*residual, 1.0);
            }
        }
        Self(cells)
    }

    /// `None` with fewer than two bins of rows enough.
    fn differing(&self) -> Option<Differing> {
        let cells: Vec<(f64, f64, f64)> = self
            .0
            .iter()
            .filter(|cell| cell.is_worth())
            .map(|cell| (cell.change(), cell.variance(), cell.now.count))
            .filter(|(_, variance, _)| *variance > 0.0)
            .collect();
        if cells.len() < 2 {
            return None;
        }
        let precision: f64 = cells.iter().map(|(_, variance, _)| 1.0 / variance).sum();
        let mean = cells.iter().map(|(change, variance, _)| change / variance).sum::<f64>() / precision;
        let q: f64 = cells.iter().map(|(change, variance, _)| (change - mean).powi(2) / variance).sum();
        let freedom = cells.len() as f64 - 1.0;
        let rows: f64 = cells.iter().map(|(.., count)| count).sum();
        let middle = cells.iter().map(|(change, _, count)| change * count).sum::<f64>() / rows;
        let excess = |(change, variance, count): &(f64, f64, f64)| {
            let share = count / rows;
            share * ((change - middle).powi(2) - variance * (1.0 - share))
        };
        let spread = cells.iter().map(excess).sum::<f64>().max(0.0).sqrt();
        Some(Differing { spread, p_value: sum_of_squares(q, freedom, 2.0 * freedom)? })
    }

    /// The values of the span together, and all others.
    fn inside_out(&self, span: Span) -> Option<(Cell, Cell)> {
        let (mut inside, mut outside) = (Cell::default(), Cell::default());
        for (at, cell) in self.0.iter().enumerate() {
            let side = if (span.first..=span.last).contains(&at) { &mut inside } else { &mut outside };
            *side = side.plus(cell);
        }
        (inside.is_worth() && outside.is_worth()).then_some((inside, outside))
    }
}
