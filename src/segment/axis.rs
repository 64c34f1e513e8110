//! A column as a search sees it: every row in one of a few cells, and which cells together are a segment.

use super::bins::Bins;
use super::coded::Coded;

/// A column of any kind, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Of names.
    Values(Coded),
    /// Of numbers; what is not finite is missing.
    Numbers {
        /// What it is called.
        name: String,
        /// Its values.
        values: Vec<Option<f64>>,
    },
}

impl Column {
    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Values(coded) => coded.rows(),
            Self::Numbers { values, .. } => values.len(),
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Values(coded) => &coded.name,
            Self::Numbers { name, .. } => name,
        }
    }
}

/// Values of a column that are looked at, those with most rows; the others are in no segment of it.
const MOST_VALUES: usize = 30;
/// Bins of a column of numbers.
const MOST_BINS: usize = 10;

/// The cells of one column.
#[derive(Debug, Clone)]
pub struct Axis {
    name: String,
    /// Each row's cell.
    pub cells: Vec<u8>,
    /// How many there are.
    pub count: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// A cell for each value, then one for all others, then one for rows without any.
    Values(Vec<String>),
    /// A cell for each bin, then one for rows without a number.
    Bins(Bins),
    /// One cell for all.
    Whole,
}

/// Cells next to one another, from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: usize,
    /// The last.
    pub last: usize,
}

impl Span {
    /// Whether the cell is one of them.
    pub fn holds(self, cell: u8) -> bool {
        (self.first..=self.last).contains(&usize::from(cell))
    }
}

impl Axis {
    /// Of a column; `None` where all of its rows are alike.
    pub fn of(column: &Column) -> Option<Self> {
        let cell = |cell: usize| u8::try_from(cell).unwrap_or(u8::MAX);
        match column {
            Column::Values(coded) => {
                let coded = coded.largest(MOST_VALUES);
                let values = coded.names.len();
                let cells: Vec<u8> = coded
                    .codes
                    .iter()
                    .map(|code| cell(code.map_or(values + 1, |code| values.min(code as usize))))
                    .collect();
                let first = *cells.first()?;
                let differ = cells.iter().any(|cell| *cell != first);
                differ.then(|| Self { name: coded.name, cells, count: values + 2, kind: Kind::Values(coded.names) })
            }
            Column::Numbers { name, values } => {
                let bins = Bins::of(values, MOST_BINS)?;
                let place = |value: &Option<f64>| cell(value.and_then(|v| bins.bin(v)).unwrap_or(bins.count()));
                let cells = values.iter().map(place).collect();
                Some(Self { name: name.clone(), cells, count: bins.count() + 1, kind: Kind::Bins(bins) })
            }
        }
    }

    /// The same of these rows alone, in their order.
    #[must_use]
    pub fn of_rows(&self, rows: impl Iterator<Item = usize>) -> Self {
        let cells = rows.filter_map(|row| self.cells.get(row).copied()).collect();
        Self { name: self.name.clone(), cells, count: self.count, kind: self.kind.clone() }
    }

    /// All rows in one cell: a column that says nothing.
    pub fn whole(rows: usize) -> Self {
        Self { name: String::new(), cells: vec![0; rows], count: 1, kind: Kind::Whole }
    }

    /// What of it may be a segment: a value, missing values, a bin or a run of bins but for all of them. All other values are none, and
    /// of a column that says nothing it is all.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        let (runs, alone) = match &self.kind {
            Kind::Values(names) => (0, (0..self.count).filter(|at| *at != names.len()).collect()),
            Kind::Bins(bins) => (bins.count(), vec![bins.count()]),
            Kind::Whole => (0, vec![0]),
        };
        let run = move |first| (first..runs).map(move |last| Span { first, last });
        let runs = (0..runs).flat_map(run).filter(move |span| span.last - span.first + 1 < runs);
        runs.chain(alone.into_iter().map(|at| Span { first: at, last: at }))
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The span in words; `None` where it leaves nothing out.
    pub fn words(&self, span: Span) -> Option<String> {
        let missing = || format!("{} is missing", self.name);
        match &self.kind {
            Kind::Values(names) => {
                Some(names.get(span.first).map_or_else(missing, |value| format!("{} = {value}", self.name)))
            }
            Kind::Bins(bins) if span.first >= bins.count() => Some(missing()),
            Kind::Bins(bins) => Some(bins.words(&self.name, span.first, span.last)),
            Kind::Whole => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_alone_and_bins_stand_in_a_row() {
        let values =
            Axis::of(&Column::Values(Coded::of_texts("region", [Some("north"), None, Some("south")]))).expect("two");
        let span = |first, last| Span { first, last };
        assert_eq!((values.cells.as_slice(), values.count), ([0, 3, 1].as_slice(), 4));
        assert_eq!(values.spans().collect::<Vec<_>>(), [span(0, 0), span(1, 1), span(3, 3)]);
        assert_eq!(values.words(span(0, 0)).as_deref(), Some("region = north"));
        assert_eq!(values.words(span(3, 3)).as_deref(), Some("region is missing"));
        let numbers = Column::Numbers { name: "age".into(), values: vec![Some(1.0), None, Some(3.0), Some(2.0)] };
        let bins = Axis::of(&numbers).expect("three");
        assert_eq!(bins.cells, [0, 3, 2, 1]);
        let all: Vec<Span> = bins.spans().collect();
        assert_eq!(all, [span(0, 0), span(0, 1), span(1, 1), span(1, 2), span(2, 2), span(3, 3)]);
        assert_eq!(bins.words(span(3, 3)).as_deref(), Some("age is missing"));
        assert_eq!(bins.words(span(1, 2)).as_deref(), Some("age > 1"));
        assert!(Axis::of(&Column::Values(Coded::of_texts("x", ["a", "a"].map(Some)))).is_none());
    }
}
