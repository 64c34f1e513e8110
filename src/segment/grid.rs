//! Losses added up by the cells of two columns, and over any rectangle of those at once.

use super::axis::{Axis, Span};
use super::sums::Sums;

/// The rows of each cell of one column that are in each cell of another.
#[derive(Debug, Clone)]
pub struct Grid {
    /// The places of the two columns.
    pub axes: (usize, usize),
    /// Cells of the second.
    width: usize,
    cells: Vec<Sums>,
}

impl Grid {
    /// Of every row, whose losses are given in the order of the cells. `None` where there is no such column.
    pub fn of((one, two): (usize, usize), axes: &[Axis], losses: &[f64]) -> Option<Self> {
        let (a, b) = (axes.get(one)?, axes.get(two)?);
        let mut cells = vec![Sums::default(); a.count * b.count];
        for ((loss, one), two) in losses.iter().zip(&a.cells).zip(&b.cells) {
            let cell = &mut cells[usize::from(*one) * b.count + usize::from(*two)];
            *cell = cell.plus(Sums::one(*loss));
        }
        Some(Self { axes: (one, two), width: b.count, cells })
    }

    /// How many cells there are.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Takes so much from the losses of these rows, which have been as given so far.
    pub fn lower(&mut self, axes: &[Axis], rows: &[(usize, f64)], by: f64) {
        let (Some(a), Some(b)) = (axes.get(self.axes.0), axes.get(self.axes.1)) else { return };
        for (row, loss) in rows {
            let cell = &mut self.cells[usize::from(a.cells[*row]) * self.width + usize::from(b.cells[*row])];
            cell.sum -= by;
            cell.squares -= by * (2.0 * loss - by);
        }
    }

    /// The sums over rectangles.
    pub fn areas(&self) -> Areas {
        let width = self.width + 1;
        let mut sums = vec![Sums::default(); width];
        sums.reserve(self.cells.len() + self.cells.len() / self.width.max(1));
        for line in self.cells.chunks(self.width) {
            let above = sums.len() - width;
            let mut left = Sums::default();
            sums.push(left);
            for (at, cell) in line.iter().enumerate() {
                left = left.plus(*cell);
                sums.push(sums[above + at + 1].plus(left));
            }
        }
        Areas { width, sums }
    }
}

/// A summed-area table (Crow, "Summed-area tables for texture mapping", 1984): at each corner what lies before it in both columns.
#[derive(Debug, Clone)]
pub struct Areas {
    width: usize,
    sums: Vec<Sums>,
}

impl Areas {
    /// Of the rows within both spans.
    pub fn within(&self, one: Span, other: Span) -> Sums {
        let corner = |a: usize, b: usize| self.sums[a * self.width + b];
        let upto = |a: usize| corner(a, other.last + 1).less(corner(a, other.first));
        upto(one.last + 1).less(upto(one.first))
    }

    /// Of all rows.
    pub fn all(&self) -> Sums {
        self.sums.last().copied().unwrap_or_default()
    }

    /// Of the rows within a span of the first column.
    pub fn of_first(&self, span: Span) -> Sums {
        self.within(span, Span { first: 0, last: self.width - 2 })
    }

    /// Of the rows within a span of the second.
    pub fn of_second(&self, span: Span) -> Sums {
        self.within(Span { first: 0, last: self.sums.len() / self.width - 2 }, span)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::axis::Column;
    use super::super::coded::Coded;
    use super::*;

    fn axis(values: &[u8]) -> Axis {
        let values: Vec<String> = values.iter().map(u8::to_string).collect();
        let coded = Coded::of_texts("x", values.iter().map(|value| Some(value.as_str())));
        Axis::of(&Column::Values(coded)).unwrap_or_else(|| Axis::whole(values.len()))
    }

    proptest! {
        #[test]
        fn a_rectangle_has_the_sums_of_its_rows(
            rows in prop::collection::vec((0..4_u8, 0..5_u8, -9..9_i8), 1..60), by in -3..3_i8, lowered in 0..4_u8,
        ) {
            let of = |pick: &dyn Fn(&(u8, u8, i8)) -> u8| axis(&rows.iter().map(pick).collect::<Vec<_>>());
            let axes = [of(&|row| row.0), of(&|row| row.1)];
            let mut losses: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
            let mut grid = Grid::of((0, 1), &axes, &losses).expect("both");
            let some: Vec<(usize, f64)> = losses.iter().copied().enumerate().filter(|(at, _)| rows[*at].0 == lowered).collect();
            grid.lower(&axes, &some, f64::from(by));
            for (row, _) in some {
                losses[row] -= f64::from(by);
            }
            let areas = grid.areas();
            let sums = |is: &dyn Fn(usize) -> bool| {
                (0..rows.len()).filter(|row| is(*row)).fold(Sums::default(), |sums, row| sums.plus(Sums::one(losses[row])))
            };
            // Whole numbers, so that every sum is exact.
            for one in axes[0].spans() {
                let first = |row: usize| one.holds(axes[0].cells[row]);
                prop_assert_eq!(areas.of_first(one), sums(&first));
                for other in axes[1].spans() {
                    let second = |row: usize| other.holds(axes[1].cells[row]);
                    prop_assert_eq!(areas.of_second(other), sums(&second));
                    prop_assert_eq!(areas.within(one, other), sums(&|row| first(row) && second(row)));
                }
            }
        }
    }
}
