//! What of a column is tested: each aspect has a p-value for whether anything changed, and an effect for how much.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::effect::{Effect, Scale, both, jensen_shannon};
use super::homogeneity::{Cell, alone, pooled, together, total};
use super::variation::Variation;
use super::{Pair, Sample};
use crate::stats::combination::cauchy;
use crate::stats::kolmogorov::one_sample;
use crate::stats::linear_ranks::Ranking;
use crate::stats::ranks::ties;
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Values, Self::Categories, Self::Category, Self::Missing];

    /// What its p-value is taken from, for people.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Values => {
                "how numbers lie: Kolmogorov-Smirnov, rank sum and Mood's test, combined by Cauchy's (Liu and Xie, 2020)"
            }
            Self::Categories => {
                "all categories' shares: the chi-squared statistic over them, the rare ones as one, with its exact mean and its variance; of two categories Fisher's exact test"
            }
            Self::Category => {
                "the share of the one category that changed most, of three or more: Fisher's exact test, times the number of categories"
            }
            Self::Missing => "the share of rows without a value: Fisher's exact test",
        }
    }

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
    /// What it is, for people.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Shift => {
                "Wasserstein-1 distance over the reference's standard deviation, or its interquartile range over 1.349 where that is less"
            }
            Self::JensenShannon => "Jensen-Shannon distance, base 2",
        }
    }

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
        (Sample::Categorical { .. }, Sample::Categorical { .. }) => found.extend(categories(baseline, pair)),
        _ => {}
    }
    found.extend(missing(pair.reference, pair.current));
    for finding in found.iter_mut().filter(|finding| finding.aspect != Aspect::Category) {
        finding.p_value = baseline.p_value(finding.aspect, finding.p_value, finding.effect, pair.current.rows());
    }
    found
}

/// How the numbers lie: everything that a verdict needs of them in one walk over both sides.
fn values(scale: Option<Scale>, reference: &[f64], current: &[f64]) -> Finding {
    let (m, n) = (reference.len() as f64, current.len() as f64);
    let mut area = scale.map(|scale| scale.area(m, n));
    let (mut gap, mut ranking) = (0.0_f64, Ranking::new(m, n));
    for tie in ties(reference, current) {
        gap = gap.max((tie.below_a as f64 / m - tie.below_b as f64 / n).abs());
        ranking.add(tie.a as f64, tie.b as f64);
        if let Some(area) = &mut area {
            area.add(&tie);
        }
    }
    // Of one sample with the noise of both: near enough to the exact distribution, and quick.
    let of_gap = one_sample(whole::unsigned((m * n / (m + n)).round()), gap);
    let [place, spread] = ranking.p_values();
    let effect = area.map_or_else(
        || {
            // The reference has one value only: what moved is the share of rows that have another.
            let same = reference
                .first()
                .map_or(0, |value| current.iter().filter(|other| other.total_cmp(value).is_eq()).count());
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
    Finding { aspect, category: None, p_value: alone(cell, sum), effect: jensen_shannon(&[cell, rest]), cells: 2 }
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

fn categories(baseline: &Baseline, pair: &Pair<'_>) -> Vec<Finding> {
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
        found.extend(one_against_the_rest(baseline, &named, sum));
    }
    found
}

/// The category that changed most: of those that are significant by themselves the one whose share moved furthest, else the most
/// significant. Its p-value is taken times the number of categories (Bonferroni).
fn one_against_the_rest(baseline: &Baseline, named: &[(String, Cell)], sum: Cell) -> Option<Finding> {
    const SIGNIFICANT: f64 = 1e-3;
    let tests = named.len() as f64;
    let mut best: Option<Finding> = None;
    for (name, cell) in named {
        let mut found = share_of(Aspect::Category, *cell, sum);
        let p_value = baseline.p_value(Aspect::Category, found.p_value, found.effect, sum.current);
        found.p_value = p_value.map(|p| (p * tests).min(1.0));
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
    let variation = |effects: &[Effect]| Variation::of(effects, rows);
    let missing = of_missing(baseline, chunks).and_then(|effects| variation(&effects));
    let mut found: Vec<(Aspect, Option<Variation>)> = vec![(Aspect::Missing, missing)];
    match &baseline.sample {
        Sample::Numeric { .. } => found.push((Aspect::Values, variation(&of_values(baseline, chunks)))),
        Sample::Categorical { .. } => {
            let together = variation(&of_categories(baseline, chunks));
            let each = of_each_category(baseline, chunks);
            let alone = each.iter().filter_map(|effects| variation(effects)).chain(together).reduce(Variation::or);
            found.extend([(Aspect::Categories, together), (Aspect::Category, alone)]);
        }
    }
    found.into_iter().filter_map(|(aspect, variation)| Some((aspect, variation?))).collect()
}

/// The same distribution in fewer values.
fn thinned(sorted: &[f64]) -> Vec<f64> {
    let step = (sorted.len() as f64 / THINNED as f64).max(1.0);
    let places = (0..sorted.len().min(THINNED)).map(|i| whole::index((i as f64 + 0.5) * step));
    places.filter_map(|place| sorted.get(place).copied()).collect()
}

/// A chunk is a part of the whole that it is held against, and nearer to it than another sample of as many rows would be.
fn of_part(effect: Effect, all: u64, part: u64) -> Effect {
    let (all, part) = (all as f64, part as f64);
    let nearer = (1.0 / part - 1.0 / all) / both(all, part);
    Effect { noise: effect.noise * nearer.max(0.0).sqrt(), ..effect }
}

fn of_values(baseline: &Baseline, chunks: &[Sample]) -> Vec<Effect> {
    let (Some(scale), Sample::Numeric { sorted, .. }) = (baseline.scale, &baseline.sample) else { return Vec::new() };
    let (whole, all) = (thinned(sorted), sorted.len() as u64);
    let effect = |chunk: &Sample| match chunk {
        Sample::Numeric { sorted: part, .. } if !part.is_empty() => {
            let noise = scale.noise(both(all as f64, part.len() as f64));
            let measured = scale.shift(&whole, part).measured;
            Some(of_part(Effect { measured, noise }, all, part.len() as u64))
        }
        _ => None,
    };
    chunks.iter().filter_map(effect).collect()
}

fn of_categories(baseline: &Baseline, chunks: &[Sample]) -> Vec<Effect> {
    let effect = |chunk: &Sample| {
        let cells: Vec<Cell> = cells(&baseline.sample, chunk).into_iter().map(|(_, cell)| cell).collect();
        of_part(jensen_shannon(&pooled(&cells)), baseline.sample.present(), chunk.present())
    };
    chunks.iter().filter(|chunk| chunk.present() > 0).map(effect).collect()
}

/// For each category that is not rare in a chunk, its distance in each.
fn of_each_category(baseline: &Baseline, chunks: &[Sample]) -> Vec<Vec<Effect>> {
    const ROWS: u64 = 5;
    let Sample::Categorical { counts, .. } = &baseline.sample else { return Vec::new() };
    let all = baseline.sample.present();
    let enough = |rows: u64| rows >= ROWS.saturating_mul(chunks.len() as u64);
    let of_one = |(name, rows): (&String, &u64)| -> Vec<Effect> {
        let effect = |chunk: &Sample| {
            let Sample::Categorical { counts, .. } = chunk else { return None };
            let cell = Cell { reference: *rows, current: counts.get(name).copied().unwrap_or_default() };
            let rest = Cell {
                reference: all.saturating_sub(cell.reference),
                current: chunk.present().saturating_sub(cell.current),
            };
            (chunk.present() > 0).then(|| of_part(jensen_shannon(&[cell, rest]), all, chunk.present()))
        };
        chunks.iter().filter_map(effect).collect()
    };
    counts.iter().filter(|(_, rows)| enough(**rows)).map(of_one).collect()
}

fn of_missing(baseline: &Baseline, chunks: &[Sample]) -> Option<Vec<Effect>> {
    let effect =
        |chunk: &Sample| Some(of_part(missing(&baseline.sample, chunk)?.effect, baseline.sample.rows(), chunk.rows()));
    (baseline.sample.missing() > 0).then(|| chunks.iter().filter_map(effect).collect())
}
