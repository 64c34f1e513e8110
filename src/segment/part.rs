//! A part of the rows: a span of one column, or of each of two.

use super::axis::{Axis, Span};
use super::tally::{Tally, larger};

/// The only cell of an axis that says nothing.
pub const WHOLE: Span = Span { first: 0, last: 0 };

/// Rows and their losses.
pub type Losses = Vec<(usize, f64)>;

/// A part of the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Places of the axes; of one column the second is the whole, the last of them.
    pub axes: (usize, usize),
    /// A span of each.
    pub spans: (Span, Span),
}

impl Part {
    /// Whether the row lies within either span.
    fn sides(&self, axes: &[Axis], row: usize) -> (bool, bool) {
        let side = |axis: usize, span: Span| {
            axes.get(axis).and_then(|axis| axis.cells.get(row)).is_some_and(|cell| span.holds(*cell))
        };
        (side(self.axes.0, self.spans.0), side(self.axes.1, self.spans.1))
    }

    /// Whether the row is in it.
    pub fn holds(&self, axes: &[Axis], row: usize) -> bool {
        self.sides(axes, row) == (true, true)
    }

    /// The columns, and the spans in words.
    pub fn words(&self, axes: &[Axis]) -> (Vec<String>, Vec<String>) {
        let parts = [(self.axes.0, self.spans.0), (self.axes.1, self.spans.1)].into_iter();
        parts
            .filter_map(|(at, span)| {
                let axis = axes.get(at)?;
                Some((axis.name().to_owned(), axis.words(span)?))
            })
            .unzip()
    }

    /// How likely its rows would be so much worse than the rest by chance and, of a pair, than what is left of each parent: the larger.
    pub fn worse(&self, axes: &[Axis], rows: &Losses) -> Option<f64> {
        let losses = |is: &dyn Fn((bool, bool)) -> bool| -> Vec<f64> {
            rows.iter().filter(|(row, _)| is(self.sides(axes, *row))).map(|(_, loss)| *loss).collect()
        };
        let inside = losses(&|(a, b)| a && b);
        let p = larger(&inside, &losses(&|(a, b)| !(a && b)))?;
        if self.axes.1 + 1 >= axes.len() {
            return Some(p);
        }
        let [one, other] =
            [losses(&|(a, b)| a && !b), losses(&|(a, b)| b && !a)].map(|parent| larger(&inside, &parent));
        Some(p.max(one?).max(other?))
    }

    /// The losses of its rows, and those of all others.
    pub fn tallies(&self, axes: &[Axis], rows: &Losses) -> (Tally, Tally) {
        let (mut inside, mut outside) = (Tally::NONE, Tally::NONE);
        for (row, loss) in rows {
            let side = if self.holds(axes, *row) { &mut inside } else { &mut outside };
            side.add(*loss);
        }
        (inside, outside)
    }

    /// Takes from the losses of its rows what their mean is above the rest's: nothing is left to be said of it.
    pub fn explain(&self, axes: &[Axis], rows: &mut Losses) {
        let (inside, outside) = self.tallies(axes, rows);
        if inside.rows() == 0 || outside.rows() == 0 {
            return;
        }
        let excess = inside.moments.mean - outside.moments.mean;
        for (row, loss) in rows {
            if self.holds(axes, *row) {
                *loss -= excess;
            }
        }
    }
}
