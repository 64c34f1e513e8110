//! Which rows are looked at, and in which order: one that is told by what they hold, so that nothing depends on how they were given.

use std::ops::Range;

use super::{LEAST_ROWS, MOST_COLUMNS, MOST_ROWS, Sides, Unfit};
use crate::segment::axis::Column;
use crate::segment::coded::Coded;
use crate::stats::pick::{scattered, spread};

/// The rows that are looked at, the reference's first.
pub struct Chosen {
    pub columns: Vec<Column>,
    pub values: Vec<f64>,
    /// How many are the reference's.
    pub reference: usize,
}

/// What a missing value is in the order of rows.
const MISSING: u64 = 0x6d69_7373_696e_6721;

impl Chosen {
    pub fn of(sides: &Sides<'_>) -> Result<Self, Unfit> {
        let (all, columns) = (sides.values.len(), sides.columns);
        if sides.reference > all || columns.iter().any(|column| column.rows() != all) {
            return Err(Unfit::Lengths);
        }
        // Of two columns that tell a tree the same it takes the first.
        let mut columns: Vec<&Column> = columns.iter().take(MOST_COLUMNS).collect();
        columns.sort_by_key(|column| column.name());
        let (before, now) = (
            in_order(&columns, sides.values, 0..sides.reference),
            in_order(&columns, sides.values, sides.reference..all),
        );
        if before.len().min(now.len()) < LEAST_ROWS {
            return Err(Unfit::Rows);
        }
        let taken = |places: &[usize]| -> Vec<usize> {
            spread(places.len(), MOST_ROWS).filter_map(|at| places.get(at).copied()).collect()
        };
        let (mut places, now) = (taken(&before), taken(&now));
        let reference = places.len();
        places.extend(now);
        let value = |row: &usize| sides.values.get(*row).copied().flatten();
        Ok(Self {
            columns: columns.into_iter().map(|column| of_rows(column, &places)).collect(),
            values: places.iter().filter_map(value).collect(),
            reference,
        })
    }
}

/// Rows with a value, by a hash of all that they hold. Rows that hold the same stand side by side, and so are spread over a sample and over
/// folds as evenly as can be.
fn in_order(columns: &[&Column], values: &[Option<f64>], rows: Range<usize>) -> Vec<usize> {
    let finite = |row: &usize| values.get(*row).copied().flatten().filter(|value| value.is_finite());
    // A sum, so that the order of columns does not matter, either.
    let hash = |row: usize, value: f64| {
        let cells = columns.iter().map(|column| scattered(cell(column, row)));
        cells.fold(scattered((value + 0.0).to_bits()), u64::wrapping_add)
    };
    let mut keyed: Vec<(u64, usize)> =
        rows.filter_map(|row| finite(&row).map(|value| (scattered(hash(row, value)), row))).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, row)| row).collect()
}

fn cell(column: &Column, row: usize) -> u64 {
    match column {
        Column::Values(coded) => coded.codes.get(row).copied().flatten().map_or(MISSING, u64::from),
        Column::Numbers { values, .. } => {
            let value = values.get(row).copied().flatten().filter(|value| value.is_finite());
            value.map_or(MISSING, |value| (value + 0.0).to_bits())
        }
    }
}

fn of_rows(column: &Column, rows: &[usize]) -> Column {
    match column {
        Column::Values(coded) => Column::Values(Coded {
            name: coded.name.clone(),
            names: coded.names.clone(),
            codes: rows.iter().map(|row| coded.codes.get(*row).copied().flatten()).collect(),
            rest: coded.rest,
        }),
        Column::Numbers { name, values } => Column::Numbers {
            name: name.clone(),
            values: rows.iter().map(|row| values.get(*row).copied().flatten()).collect(),
        },
    }
}
