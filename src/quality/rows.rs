//! Whole rows: which of them repeat another. Columns are added one by one, in any order and from several threads: of a row nothing is kept
//! but a hash.

use std::hash::{DefaultHasher, Hash, Hasher};

use polars::prelude::{DataType, IdxCa, IdxSize, Series};

use super::groups::Groups;
use super::{Check, Detail, Suspect};
use crate::stats::pick::{picked, run_of, scattered};
use crate::stats::{tails, whole};

/// Rows looked at, at most: one of every so many of more.
pub const MOST: usize = 200_000;

/// A hash of each row; none where they have values that cannot be hashed.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    hashes: Option<Vec<u64>>,
    /// One of so many rows is looked at.
    every: usize,
    /// Which, where not all are.
    places: Option<IdxCa>,
}

impl Rows {
    /// Of so many rows, without a column yet.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        let every = rows.div_ceil(MOST).max(1);
        let as_place = |place: usize| IdxSize::try_from(place).unwrap_or(IdxSize::MAX);
        let places = (every > 1).then(|| IdxCa::from_vec("".into(), picked(rows, every).map(as_place).collect()));
        let looked_at = places.as_ref().map_or(rows, IdxCa::len);
        Self { hashes: Some(vec![0; looked_at]), every, places }
    }

    /// The rows have values that were not added.
    pub fn pass_over(&mut self) {
        self.hashes = None;
    }

    /// Adds a column's values to the rows. After one that cannot be hashed (a list) nothing is known of them.
    pub fn add(&mut self, series: &Series) {
        let taken = self.places.as_ref().and_then(|places| series.take(places).ok());
        let physical = taken.as_ref().unwrap_or(series).to_physical_repr();
        let series: &Series = &physical;
        let mut seed = DefaultHasher::new();
        series.name().as_str().hash(&mut seed);
        let seed = seed.finish();
        let text = |value: Option<&str>| {
            value.map_or(0, |value| {
                let mut hasher = DefaultHasher::new();
                value.hash(&mut hasher);
                hasher.finish()
            })
        };
        match series.dtype() {
            DataType::String => {
                if let Ok(values) = series.str() {
                    self.mix(seed, values.iter().map(text));
                }
            }
            DataType::Float64 => {
                if let Ok(values) = series.f64() {
                    // What is no number is missing, and both zeros are one.
                    let bits = |value: f64| (value + 0.0).to_bits();
                    self.mix(seed, values.iter().map(|value| value.filter(|v| !v.is_nan()).map_or(0, bits)));
                }
            }
            DataType::Int64 => {
                if let Ok(values) = series.i64() {
                    self.mix(seed, values.iter().map(|value| value.map_or(0, |v| v.cast_unsigned().wrapping_add(1))));
                }
            }
            DataType::UInt64 => {
                if let Ok(values) = series.u64() {
                    self.mix(seed, values.iter().map(|value| value.map_or(0, |v| v.wrapping_add(1))));
                }
            }
            DataType::Boolean => {
                if let Ok(values) = series.bool() {
                    self.mix(seed, values.iter().map(|value| value.map_or(0, |v| u64::from(v).wrapping_add(1))));
                }
            }
            DataType::Null => {}
            _ => self.pass_over(),
        }
    }

    /// Sums do not mind the order in which columns come.
    fn mix(&mut self, seed: u64, values: impl Iterator<Item = u64>) {
        for (row, value) in self.hashes.iter_mut().flatten().zip(values) {
            *row = row.wrapping_add(scattered(value ^ seed));
        }
    }

    /// Takes the columns in that were added to another of the same rows.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.hashes, &other.hashes) {
            (Some(rows), Some(more)) => {
                for (row, more) in rows.iter_mut().zip(more) {
                    *row = row.wrapping_add(*more);
                }
            }
            _ => self.hashes = None,
        }
    }

    /// Of some of the rows.
    #[must_use]
    pub fn at(&self, places: impl Iterator<Item = usize>) -> Self {
        let every = self.every.max(1);
        // Where not all rows are looked at, the place among those is its run.
        let hash = |rows: &Vec<u64>, place| run_of(place, every).and_then(|run| rows.get(run).copied());
        let hashes = self.hashes.as_ref().map(|rows| places.filter_map(|place| hash(rows, place)).collect());
        Self { hashes, every: 1, places: None }
    }

    /// How often they repeat.
    #[must_use]
    pub fn groups(self) -> Option<Groups> {
        let mut rows = self.hashes?;
        rows.sort_unstable();
        Some(Groups::of_sorted(&rows, |a, b| a == b))
    }
}

/// Whether some of these ids may be their neighbours': floats do not tell whole numbers from 2^53 on apart.
#[must_use]
pub fn are_inexact(ids: &Series) -> bool {
    ids.f64().is_ok_and(|ids| ids.iter().flatten().any(|id| id.abs() >= whole::EXACT))
}

/// Rows that repeat another, beyond what so many rows of the reference have.
#[must_use]
pub fn suspect(reference: &Groups, current: &Groups) -> Option<Suspect> {
    let rows = reference.rows().min(current.rows());
    if rows == 0 {
        return None;
    }
    let repeated = |groups: &Groups| (rows as f64 - groups.distinct_at(rows)).max(0.0);
    let (before, now) = (repeated(reference), repeated(current));
    let (before_share, now_share) = (before / rows as f64, now / rows as f64);
    let p_value = if now > before { tails::normal((now - before) / (now + before).sqrt()) } else { 1.0 };
    Some(Suspect {
        check: Check::DuplicatedRows,
        columns: Vec::new(),
        value: now_share - before_share,
        p_value: Some(p_value),
        detail: Detail::Rows { before: before_share, now: now_share },
    })
}
