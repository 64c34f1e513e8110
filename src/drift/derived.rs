//! Columns that are compared by numbers made of them, row by row: of a text its length, the words that the reference lacks and its mix of
//! characters; of a date its age. Each is a column of its own, named after its source (`note.length`), and judged like any other.

pub mod dates;
pub mod text;

use polars::prelude::{Float64Chunked, Int64Chunked, IntoSeries, NewChunkedArray, Series};

use self::dates::Dates;
use self::text::Text;
use super::{Kind, Sample};

/// A column made of another.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its source's name, a dot, and what it is.
    pub name: String,
    /// A number for each row, or none.
    pub values: Series,
    /// A row without a number lacks a value, which is counted. Of several columns of one source the first alone counts it.
    pub counts_missing: bool,
    /// It has a number for each row of the reference that has a text; of out-of-vocabulary words every other part has none.
    pub in_every_row: bool,
}

/// How the numbers are made, as the reference's column says.
#[derive(Debug, Clone)]
pub enum Derived {
    /// Of texts.
    Text(Text),
    /// Of dates.
    Dates(Dates),
}

/// Which side of a comparison rows are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is held against.
    Reference,
    /// The one in question.
    Current,
}

/// The columns that may be made of a source: of strings as texts or dates, of instants as dates.
#[must_use]
pub fn names(source: &str, strings: bool) -> Vec<String> {
    let texts = text::ENTRIES.iter().filter(|_| strings).map(|entry| entry.name);
    texts.chain([dates::AGE]).map(|made| named(source, made)).collect()
}

fn named(source: &str, made: &str) -> String {
    format!("{source}.{made}")
}

impl Derived {
    /// Of a reference's column: texts where they are (see [`text::is_text`]) or `as_text` says so, dates where all of its values are, and
    /// `None` for all else. `times` are the times of its rows, in milliseconds.
    #[must_use]
    pub fn of(reference: &Series, times: Option<&Int64Chunked>, as_text: bool) -> Option<Self> {
        if as_text {
            return Text::of(reference).map(Self::Text);
        }
        let dates = || Dates::of(reference, times).map(Self::Dates);
        dates().or_else(|| text::is_text(reference).then(|| Text::of(reference).map(Self::Text)).flatten())
    }

    /// Whether each row's numbers are its own: ages that are counted from a side's newest date are not.
    #[must_use]
    pub fn is_by_row(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Dates(dates) => dates.is_by_row(),
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Text(text) => text.bytes(),
            Self::Dates(_) => 1024,
        }
    }

    /// What is made of rows of a side.
    #[must_use]
    pub fn made(&self, side: Side, rows: &Series, times: Option<&Int64Chunked>) -> Vec<Made> {
        match self {
            Self::Text(text) => text.made(side, rows),
            Self::Dates(dates) => vec![dates.made(side, rows, times)],
        }
    }
}

impl Made {
    fn new(source: &Series, name: &str, values: impl Iterator<Item = Option<f64>>) -> Self {
        let name = named(source.name(), name);
        let values = Float64Chunked::from_iter_options(name.as_str().into(), values).into_series();
        Self { name, values, counts_missing: true, in_every_row: true }
    }

    /// Its values.
    #[must_use]
    pub fn sample(&self) -> Sample {
        self.sample_of(&self.values)
    }

    /// Those of a part of its rows.
    #[must_use]
    pub fn sample_of(&self, part: &Series) -> Sample {
        let sample = Sample::of(part, Kind::Numeric);
        let sample = sample.unwrap_or_else(|| Sample::missing_rows(Kind::Numeric, part.len() as u64));
        if self.counts_missing { sample } else { sample.without_missing() }
    }
}
