//! What is found of a column: every aspect of it that both sides have values for.

use super::aspect::Aspect;
use super::baseline::Baseline;
use super::effect::{Effect, jensen_shannon};
use super::homogeneity::{Cell, alone, pooled, together, total};
use super::sample::side_by_side;
use super::{Pair, Sample};
use crate::stats::combination::cauchy;
use crate::stats::kolmogorov::one_sample;
use crate::stats::whole;

/// What was found of one aspect.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Of what.
    pub aspect: Aspect,
    /// The category that changed most, where the aspect is one category's share.
    pub category: Option<String>,
    /// How likely as much is of nothing but chance. `None` where no test is defined.
    pub p_value: Option<f64>,
    /// How much it is.
    pub effect: Effect,
    /// Cells that a distance between shares was taken over.
    pub cells: usize,
}

/// Every aspect that both sides have values for.
#[must_use]
pub fn findings(baseline: &Baseline, pair: &Pair<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    match (pair.reference, pair.current) {
        (Sample::Categorical { .. }, Sample::Categorical { .. }) => found.extend(categories(baseline, pair)),
        _ => found.extend(values(pair)),
    }
    found.extend(missing(pair.reference, pair.current));
    for finding in found.iter_mut().filter(|finding| finding.aspect != Aspect::Category) {
        finding.p_value = baseline.p_value(finding.aspect, finding.p_value, finding.effect, pair.current.rows());
    }
    found
}

/// How numbers lie.
pub(super) fn values(pair: &Pair<'_>) -> Option<Finding> {
    let ((reference, current), merged) = pair.numbers().zip(pair.merged())?;
    let (m, n) = (reference.len() as f64, current.len() as f64);
    // Of one sample with the noise of both: near enough to the exact distribution, and quick.
    let of_gap = one_sample(whole::unsigned((m * n / (m + n)).round()), merged.steps as f64 / (m * n));
    let [place, spread] = merged.ranking.p_values();
    let effect = merged.shift.unwrap_or_else(|| {
        // The reference has one value only: what moved is the share of rows that have another.
        let same =
            reference.first().map_or(0, |value| current.iter().filter(|other| other.total_cmp(value).is_eq()).count());
        Effect { measured: 1.0 - same as f64 / n, noise: 0.0 }
    });
    let p_value = cauchy([of_gap, place, spread].into_iter().flatten());
    Some(Finding { aspect: Aspect::Values, category: None, p_value, effect, cells: 2 })
}

fn share_of(aspect: Aspect, cell: Cell, sum: Cell) -> Finding {
    let rest = Cell {
        reference: sum.reference.saturating_sub(cell.reference),
        current: sum.current.saturating_sub(cell.current),
    };
    Finding { aspect, category: None, p_value: alone(cell, sum), effect: jensen_shannon(&[cell, rest]), cells: 2 }
}

/// With a value or without.
pub(super) fn missing(reference: &Sample, current: &Sample) -> Option<Finding> {
    let cell = Cell { reference: reference.missing(), current: current.missing() };
    let sum = Cell { reference: reference.rows(), current: current.rows() };
    let there = cell.reference > 0 || cell.current > 0;
    (there && sum.reference > 0 && sum.current > 0).then(|| share_of(Aspect::Missing, cell, sum))
}

/// All categories of both sides with their rows.
pub(super) fn cells<'a>(reference: &'a Sample, current: &'a Sample) -> Vec<(&'a str, Cell)> {
    match (reference, current) {
        (Sample::Categorical { counts: r, .. }, Sample::Categorical { counts: c, .. }) => {
            side_by_side(r, c).map(|(name, reference, current)| (name, Cell { reference, current })).collect()
        }
        _ => Vec::new(),
    }
}

fn categories(baseline: &Baseline, pair: &Pair<'_>) -> Vec<Finding> {
    let named = cells(pair.reference, pair.current);
    let all: Vec<Cell> = named.iter().map(|(_, cell)| *cell).collect();
    let sum = total(&all);
    if sum.reference == 0 || sum.current == 0 {
        return Vec::new();
    }
    if let [one, _] = all.as_slice() {
        // Of two, one says what the other does, and exactly.
        return vec![share_of(Aspect::Categories, *one, sum)];
    }
    let common = pooled(&all);
    let effect = jensen_shannon(&common);
    let together =
        Finding { aspect: Aspect::Categories, category: None, p_value: together(&common), effect, cells: common.len() };
    let mut found = vec![together];
    if all.len() > 2 {
        found.extend(one_against_the_rest(baseline, &named, sum));
    }
    found
}

/// The category that changed most: of those that are significant by themselves the one whose share moved furthest, else the most
/// significant. Its p-value is taken times the number of categories (Bonferroni).
fn one_against_the_rest(baseline: &Baseline, named: &[(&str, Cell)], sum: Cell) -> Option<Finding> {
    const SIGNIFICANT: f64 = 1e-3;
    let tests = named.len() as f64;
    let mut best: Option<Finding> = None;
    // All of its rows on the smaller side is the least likely there is: of most rare categories nothing can be significant.
    let smaller = sum.reference.min(sum.current) as f64 / (sum.reference as f64 + sum.current as f64);
    let may_tell = |cell: &Cell| (cell.reference as f64 + cell.current as f64) * smaller.ln() < -tests.ln();
    for (name, cell) in named.iter().filter(|(_, cell)| may_tell(cell)) {
        let mut found = share_of(Aspect::Category, *cell, sum);
        let p_value = baseline.p_value(Aspect::Category, found.p_value, found.effect, sum.current);
        found.p_value = p_value.map(|p| (p * tests).min(1.0));
        let rank = |found: &Finding| {
            let p = found.p_value.unwrap_or(1.0);
            (p < SIGNIFICANT, if p < SIGNIFICANT { found.effect.measured } else { -p })
        };
        if best.as_ref().is_none_or(|best| rank(&found) > rank(best)) {
            best = Some(Finding { category: Some((*name).to_owned()), ..found });
        }
    }
    best
}
