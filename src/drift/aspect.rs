//! What of a column is tested: each aspect has a p-value for whether anything changed, and an effect for how much.
//!
//! | Aspect | For | P-value | Effect |
//! |---|---|---|---|
//! | `values` | numbers | Kolmogorov-Smirnov, rank sum and Mood's test, combined | Wasserstein distance in spreads |
//! | `categories` | categories | chi-squared over all of them, the rare ones as one | Jensen-Shannon distance over the same |
//! | `category` | three categories or more | each against the rest, exact, times their number | Jensen-Shannon distance of that one |
//! | `missing` | both | with a value or without, exact | Jensen-Shannon distance of the two |

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::effect::{Effect, Scale, both, jensen_shannon};
use super::homogeneity::{Cell, alone, pooled, together, total};
use super::ranks::Ranking;
use super::variation::Variation;
use super::walk::{Gap, Ties};
use super::{Pair, Sample};
use crate::stats::combination::cauchy;
use crate::stats::kolmogorov::one_sample;
use crate::stats::whole;

/// What of a column is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// How the numbers lie.
    Values,
    /// All categories' shares.
    Categories,
    /// The share of the one category that changed most.
    Category,
    /// The share of rows without a value.
    Missing,
}

/// In what an effect is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Wasserstein-1 distance over the reference's spread.
    Shift,
    /// Jensen-Shannon distance, base 2.
    JensenShannon,
}

impl Aspect {
    /// As the output and the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Categories => "categories",
            Self::Category => "category",
            Self::Missing => "missing",
        }
    }

    /// In what its effect is measured.
    #[must_use]
    pub fn measure(self) -> Measure {
        match self {
            Self::Values => Measure::Shift,
            Self::Categories | Self::Category | Self::Missing => Measure::JensenShannon,
        }
    }
}

impl Measure {
    /// As the output and the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::JensenShannon => "jensen_shannon",
        }
    }
}

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
        (Sample::Numeric { sorted: reference, .. }, Sample::Numeric { sorted: current, .. })
            if !reference.is_empty() && !current.is_empty() =>
        {
            found.push(values(baseline.scale, reference, current));
        }
        (Sample::Categorical { .. }, Sample::Categorical { .. }) => found.extend(categories(pair)),
        _ => {}
    }
    found.extend(missing(pair.reference, pair.current));
    found
}

/// How the numbers lie: everything that a verdict needs of them in one walk over both sides.
fn values(scale: Option<Scale>, reference: &[f64], current: &[f64]) -> Finding {
    let (m, n) = (reference.len() as f64, current.len() as f64);
    let mut area = scale.map(|scale| scale.area(m, n));
    let (mut gap, mut ranking) = (Gap::default(), Ranking::new(m, n));
    for tie in Ties::of(reference, current) {
        gap.add(&tie, reference.len() as u64, current.len() as u64);
        ranking.add(tie.reference as f64, tie.current as f64);
        if let Some(area) = &mut area {
            area.add(&tie);
        }
    }
    // Of one sample with the noise of both: near enough to the exact distribution, and quick.
    let of_gap = one_sample(whole::unsigned((m * n / (m + n)).round()), gap.steps() as f64 / (m * n));
    let [place, spread] = ranking.p_values();
    let effect = area.map_or_else(
        || {
            // The reference has one value only: what moved is the share of rows that have another.
            let same = reference.first().map_or(0, |value| current.iter().filter(|other| *other == value).count());
            Effect { measured: 1.0 - same as f64 / n, noise: 0.0 }
        },
        |area| area.effect(),
    );
    let p_value = cauchy([of_gap, place, spread].into_iter().flatten());
    Finding { aspect: Aspect::Values, category: None, p_value, effect, cells: 2 }
}

fn share_of(aspect: Aspect, cell: Cell, sum: Cell) -> Finding {
    let rest = Cell {
        reference: sum.reference.saturating_sub(cell.reference),
        current: sum.current.saturating_sub(cell.current),
    };
    Finding {
        aspect,
        category: None,
        p_value: alone(cell, sum),
        effect: jensen_shannon(&[cell, rest]),
        cells: 2,
    }
}

/// With a value or without.
fn missing(reference: &Sample, current: &Sample) -> Option<Finding> {
    let cell = Cell { reference: reference.missing(), current: current.missing() };
    let sum = Cell { reference: reference.rows(), current: current.rows() };
    let there = cell.reference > 0 || cell.current > 0;
    (there && sum.reference > 0 && sum.current > 0).then(|| share_of(Aspect::Missing, cell, sum))
}

/// All categories of both sides with their rows.
fn cells(reference: &Sample, current: &Sample) -> Vec<(String, Cell)> {
    let (Sample::Categorical { counts: r, .. }, Sample::Categorical { counts: c, .. }) = (reference, current) else {
        return Vec::new();
    };
    let names: BTreeSet<&String> = r.keys().chain(c.keys()).collect();
    let rows = |counts: &std::collections::BTreeMap<String, u64>, name| counts.get(name).copied().unwrap_or_default();
    names.into_iter().map(|name| (name.clone(), Cell { reference: rows(r, name), current: rows(c, name) })).collect()
}

fn categories(pair: &Pair<'_>) -> Vec<Finding> {
    let named = cells(pair.reference, pair.current);
    let all: Vec<Cell> = named.iter().map(|(_, cell)| *cell).collect();
    let sum = total(&all);
    if sum.reference == 0 || sum.current == 0 {
        return Vec::new();
    }
    if let [one, _] = all.as_slice() {
        // Of two, one says what the other does, and exactly.
        return vec![Finding { aspect: Aspect::Categories, ..share_of(Aspect::Categories, *one, sum) }];
    }
    let common = pooled(&all);
    let effect = jensen_shannon(&common);
    let together =
        Finding { aspect: Aspect::Categories, category: None, p_value: together(&common), effect, cells: common.len() };
    let mut found = vec![together];
    if all.len() > 2 {
        found.extend(one_against_the_rest(&named, sum));
    }
    found
}

/// The category that changed most: of those that are significant by themselves the one whose share moved furthest, else the most
/// significant. Its p-value is taken times the number of categories (Bonferroni).
fn one_against_the_rest(named: &[(String, Cell)], sum: Cell) -> Option<Finding> {
    const SIGNIFICANT: f64 = 1e-3;
    let tests = named.len() as f64;
    let mut best: Option<Finding> = None;
    for (name, cell) in named {
        let mut found = share_of(Aspect::Category, *cell, sum);
        found.p_value = found.p_value.map(|p| (p * tests).min(1.0));
        let rank = |found: &Finding| {
            let p = found.p_value.unwrap_or(1.0);
            (p < SIGNIFICANT, if p < SIGNIFICANT { found.effect.measured } else { -p })
        };
        if best.as_ref().is_none_or(|best| rank(&found) > rank(best)) {
            best = Some(Finding { category: Some(name.clone()), ..found });
        }
    }
    best
}

/// Values of a reference that chunks are held against, at most: a chunk has far fewer.
const THINNED: usize = 2048;

/// How much each aspect varies over the reference's own chunks.
#[must_use]
pub fn variations(baseline: &Baseline, chunks: &[Sample]) -> Vec<(Aspect, Variation)> {
    let rows = chunks.iter().map(Sample::rows).sum::<u64>() as f64 / chunks.len().max(1) as f64;
    let reference = thinned(&baseline.sample);
    let mut effects: Vec<(Aspect, Vec<Effect>)> = Vec::new();
    for chunk in chunks {
        for (aspect, effect) in effects_of(baseline, &reference, chunk) {
            match effects.iter_mut().find(|(of, _)| *of == aspect) {
                Some((_, all)) => all.push(effect),
                None => effects.push((aspect, vec![effect])),
            }
        }
    }
    effects.into_iter().filter_map(|(aspect, all)| Some((aspect, Variation::of(&all, rows)?))).collect()
}

/// The same distribution in fewer values.
fn thinned(sample: &Sample) -> Sample {
    match sample {
        Sample::Numeric { sorted, missing } if sorted.len() > THINNED => {
            let step = sorted.len() as f64 / THINNED as f64;
            let at = |i: usize| whole::index((i as f64 + 0.5) * step);
            Sample::Numeric { sorted: (0..THINNED).filter_map(|i| sorted.get(at(i)).copied()).collect(), missing: *missing }
        }
        other => other.clone(),
    }
}

/// A chunk's distances from the whole that it is a part of, with the noise of a part. For one category's share the one that differs
/// most counts, as in a window; its noise is that of the most of so many.
fn effects_of(baseline: &Baseline, reference: &Sample, chunk: &Sample) -> Vec<(Aspect, Effect)> {
    let (all, part) = (baseline.sample.present() as f64, chunk.present() as f64);
    if part == 0.0 || all <= part {
        return Vec::new();
    }
    // A part is nearer to the whole than another sample of as many rows would be.
    let of_part = (1.0 / part - 1.0 / all) / both(all, part);
    let damped = |effect: Effect| Effect { noise: effect.noise * of_part.sqrt(), ..effect };
    let mut found = Vec::new();
    match (reference, chunk) {
        (Sample::Numeric { sorted: reference, .. }, Sample::Numeric { sorted: chunk, .. }) => {
            if let Some(scale) = baseline.scale {
                let measured = scale.shift(reference, chunk).measured;
                found.push((Aspect::Values, damped(Effect { measured, noise: scale.noise(both(all, part)) })));
            }
        }
        _ => {
            let cells: Vec<Cell> = cells(reference, chunk).into_iter().map(|(_, cell)| cell).collect();
            found.push((Aspect::Categories, damped(jensen_shannon(&pooled(&cells)))));
            let sum = total(&cells);
            let ones = cells.iter().map(|cell| share_of(Aspect::Category, *cell, sum).effect);
            if let Some(most) = ones.max_by(|a, b| a.excess().total_cmp(&b.excess())) {
                let of_most = (2.0 * (cells.len() as f64).ln()).max(1.0);
                found.push((Aspect::Category, damped(Effect { noise: most.noise * of_most.sqrt(), ..most })));
            }
        }
    }
    if let Some(missing) = missing(&baseline.sample, chunk) {
        found.push((Aspect::Missing, damped(missing.effect)));
    }
    found
}
