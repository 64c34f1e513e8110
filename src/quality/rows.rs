//! Whole rows: which of them repeat another. Columns are added one by one, in any order and from several threads: of a row nothing is kept
//! but a hash.

use std::hash::{DefaultHasher, Hash, Hasher};

use polars::prelude::{DataType, Series};

use super::groups::Groups;
use super::{Check, Detail, Suspect};
use crate::stats::tails;

/// Rows looked at, at most: the first ones.
pub const MOST: usize = 200_000;

/// A hash of each row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows(Vec<u64>);

impl Rows {
    /// Of so many rows, without a column yet.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self(vec![0; rows.min(MOST)])
    }

    /// Adds a column's values to the rows. One that cannot be compared adds nothing.
    pub fn add(&mut self, series: &Series) {
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
            _ => {}
        }
    }

    /// Sums do not mind the order in which columns come.
    fn mix(&mut self, seed: u64, values: impl Iterator<Item = u64>) {
        for (row, value) in self.0.iter_mut().zip(values) {
            *row = row.wrapping_add(scattered(value ^ seed));
        }
    }

    /// Takes the columns in that were added to another of the same rows.
    pub fn merge(&mut self, other: &Self) {
        for (row, more) in self.0.iter_mut().zip(&other.0) {
            *row = row.wrapping_add(*more);
        }
    }

    /// Of some of the rows.
    #[must_use]
    pub fn at(&self, places: impl Iterator<Item = usize>) -> Self {
        Self(places.filter_map(|place| self.0.get(place).copied()).collect())
    }

    /// How often they repeat.
    #[must_use]
    pub fn groups(mut self) -> Groups {
        self.0.sort_unstable();
        Groups::of_sorted(&self.0, |a, b| a == b)
    }
}

/// Every bit of the value in every bit of the result (the finaliser of Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
fn scattered(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
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
