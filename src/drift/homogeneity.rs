//! Whether two sides' counts by category may be of one distribution: of all categories together, and of each against the rest.

use crate::stats::{hypergeometric, tails};

/// A category of which either side would be expected to have fewer rows than this is rare.
const RARE: f64 = 10.0;

/// One category's rows on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Of the reference.
    pub reference: u64,
    /// Of the current side.
    pub current: u64,
}

impl Cell {
    fn both(self) -> u64 {
        self.reference.saturating_add(self.current)
    }

    fn add(&mut self, other: Self) {
        self.reference = self.reference.saturating_add(other.reference);
        self.current = self.current.saturating_add(other.current);
    }
}

/// Both sides' rows.
#[must_use]
pub fn total(cells: &[Cell]) -> Cell {
    let mut sum = Cell { reference: 0, current: 0 };
    for cell in cells {
        sum.add(*cell);
    }
    sum
}

/// The cells with all rare ones as one. Which are rare is seen from both sides together, so that it says nothing of how they differ.
#[must_use]
pub fn pooled(cells: &[Cell]) -> Vec<Cell> {
    let sum = total(cells);
    let all = sum.both() as f64;
    let smaller = sum.reference.min(sum.current) as f64;
    let is_rare = |cell: Cell| cell.both() as f64 * smaller < RARE * all;
    let mut kept: Vec<Cell> = cells.iter().copied().filter(|cell| !is_rare(*cell)).collect();
    let mut rare = Cell { reference: 0, current: 0 };
    for cell in cells.iter().filter(|cell| is_rare(**cell)) {
        rare.add(*cell);
    }
    if rare.both() > 0 {
        // Too few even together: they go with the smallest of the others.
        match kept.iter_mut().min_by_key(|cell| cell.both()).filter(|_| is_rare(rare)) {
            Some(smallest) => smallest.add(rare),
            None => kept.push(rare),
        }
    }
    kept
}

/// P-value of the chi-squared statistic of pooled cells, by a gamma distribution with the statistic's own mean and variance (Lewis,
/// Saunders and Westcott, "The moments of the Pearson chi-squared statistic and the minimum expected value in two-way tables",
/// 1984, to the first order): with few rows in a cell these are not the chi-squared distribution's. `None` without rows on either side.
#[must_use]
pub fn together(pooled: &[Cell]) -> Option<f64> {
    let sum = total(pooled);
    let (n, m, all) = (sum.current as f64, sum.reference as f64, sum.both() as f64);
    if pooled.is_empty() || n <= 0.0 || m <= 0.0 {
        return None;
    }
    if pooled.len() == 1 {
        return Some(1.0); // one category on both sides has nothing to differ in
    }
    let share = n / all;
    let (mut statistic, mut reciprocals) = (0.0, 0.0);
    for cell in pooled {
        let both = cell.both() as f64;
        statistic += (cell.current as f64 - both * share).powi(2) / (both * share * (1.0 - share));
        reciprocals += all / both;
    }
    let cells = pooled.len() as f64;
    let split = share * (1.0 - share);
    let excess = (reciprocals - cells * cells - 2.0 * cells + 2.0) * (1.0 - 6.0 * split) / (all * split);
    let mean = (cells - 1.0) * all / (all - 1.0);
    tails::sum_of_squares(statistic, mean, 2.0 * (cells - 1.0) + excess)
}

/// P-value of one cell against all others, by Fisher's exact test.
#[must_use]
pub fn alone(cell: Cell, sum: Cell) -> Option<f64> {
    let row = |cell: u64, sum: u64| [cell as f64, sum.saturating_sub(cell) as f64];
    hypergeometric::fisher([row(cell.reference, sum.reference), row(cell.current, sum.current)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(counts: &[(u64, u64)]) -> Vec<Cell> {
        counts.iter().map(|(reference, current)| Cell { reference: *reference, current: *current }).collect()
    }

    #[test]
    fn rare_cells_are_one_whichever_side_has_them() {
        // Of 1000 and 100 rows, 110 in all are 10 expected on the smaller side.
        let found = pooled(&cells(&[(600, 60), (0, 30), (80, 0), (100, 10), (220, 0)]));
        assert_eq!(found, cells(&[(600, 60), (100, 10), (220, 0), (80, 30)]));
        let few = pooled(&cells(&[(890, 88), (100, 10), (10, 2)]));
        assert_eq!(few, cells(&[(890, 88), (110, 12)]), "too few to stand alone");
        assert_eq!(pooled(&cells(&[(1, 0), (0, 1)])), cells(&[(1, 1)]));
    }

    #[test]
    fn many_rows_make_it_the_chi_squared_test() {
        // scipy.stats.chi2_contingency([[30000, 20000, 50000], [30400, 20100, 49500]], correction=False)
        let p = together(&cells(&[(30_000, 30_400), (20_000, 20_100), (50_000, 49_500)])).expect("defined");
        assert!((p / 0.066_838_701_823_384_21 - 1.0).abs() < 1e-3, "{p}");
        assert_eq!((together(&cells(&[(5, 5)])), together(&cells(&[(5, 0)])), together(&[])), (Some(1.0), None, None));
    }

    #[test]
    fn one_cell_alone_is_exact() {
        // All four rows of a category fall to the 200 of 700, for which there is no counterpart as unlikely.
        let found = alone(Cell { reference: 0, current: 4 }, Cell { reference: 500, current: 200 }).expect("defined");
        assert!((found - 0.006_521_553_659_506_728).abs() < 1e-12, "{found}");
    }
}
