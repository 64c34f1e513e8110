//! How much each aspect of a column varies over the reference's own chunks.

use super::Sample;
use super::aspect::Aspect;
use super::baseline::Baseline;
use super::effect::{Effect, both, jensen_shannon};
use super::findings::{cells, missing};
use super::homogeneity::{Cell, pooled};
use super::variation::Variation;
use crate::stats::whole;

/// Values of a reference that chunks are held against, at most: a chunk has far fewer.
const THINNED: usize = 2048;

impl Baseline {
    /// The same, with its parts in order of time: how much they differ from the whole is what the column varies by itself.
    #[must_use]
    pub fn with_chunks(mut self, chunks: &[Sample]) -> Self {
        self.variations = variations(&self, chunks);
        self
    }
}

/// How much each aspect varies over the reference's own chunks.
fn variations(baseline: &Baseline, chunks: &[Sample]) -> Vec<(Aspect, Variation)> {
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
pub(super) fn of_part(effect: Effect, all: u64, part: u64) -> Effect {
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
