//! What a reference teaches: how often its values and its rows repeat, which columns go together, and what its own windows show.

use std::collections::BTreeMap;

use polars::prelude::{DataType, IdxCa, IdxSize, Series};

use super::correlation::{self, Columns, Pair};
use super::groups::Groups;
use super::rows::{self, Rows};
use super::{Check, Own, Suspect, column};
use crate::drift::odd::usual;
use crate::drift::order::Order;
use crate::drift::{Kind, Sample};
use crate::stats::pick::{picked, spread};

/// Of so many of the reference's own windows correlations are taken, at most.
const PARTS: usize = 50;
/// And of so many rows of each.
const PART_ROWS: usize = 500;

/// One side's rows across its columns, as far as checks need them.
#[derive(Debug, Clone, Default)]
pub struct Across {
    rows: Rows,
    numbers: Columns,
    height: usize,
}

impl Across {
    /// Of so many rows, without a column yet.
    #[must_use]
    pub fn new(height: usize) -> Self {
        Self { rows: Rows::new(height), numbers: Columns::new(), height }
    }

    /// Adds a column.
    pub fn add(&mut self, series: &Series, kind: Kind) {
        self.rows.add(series);
        if kind == Kind::Numeric {
            let numbers = numbers(series, correlation::places(self.height));
            self.numbers.extend(numbers.map(|numbers| (series.name().to_string(), numbers)));
            self.stay_within();
        }
    }

    /// The rows have values that were not added.
    pub fn pass_over(&mut self) {
        self.rows.pass_over();
    }

    /// The first by name, in whatever order they come.
    fn stay_within(&mut self) {
        while self.numbers.len() > correlation::COLUMNS {
            self.numbers.pop_last();
        }
    }

    /// Takes the columns in that were added to another of the same rows.
    pub fn merge(&mut self, other: Self) {
        self.rows.merge(&other.rows);
        self.numbers.extend(other.numbers);
        self.stay_within();
    }
}

/// The values at these places; what is missing is no number.
fn numbers(series: &Series, places: impl Iterator<Item = usize>) -> Option<Vec<f64>> {
    let places: Vec<IdxSize> = places.filter_map(|place| IdxSize::try_from(place).ok()).collect();
    let taken = series.take(&IdxCa::from_vec("".into(), places)).ok()?;
    let floats = taken.cast(&DataType::Float64).ok()?;
    Some(floats.f64().ok()?.iter().map(|value| value.map_or(f64::NAN, |value| value + 0.0)).collect())
}

/// What each of a reference's own windows shows, in order of time.
struct Shown {
    windows: usize,
    values: BTreeMap<(Check, Vec<String>), Vec<f64>>,
}

impl Shown {
    fn new(windows: usize) -> Self {
        Self { windows, values: BTreeMap::new() }
    }

    fn note(&mut self, window: usize, suspects: impl IntoIterator<Item = Suspect>) {
        for suspect in suspects {
            self.note_one(window, suspect.check, suspect.columns, suspect.value);
        }
    }

    fn note_one(&mut self, window: usize, check: Check, columns: Vec<String>, value: f64) {
        let values = self.values.entry((check, columns)).or_insert_with(|| vec![0.0; self.windows]);
        if let Some(most) = values.get_mut(window) {
            *most = most.max(value);
        }
    }

    /// The most of each, but for a stretch that is unlike all others.
    fn own(self) -> impl Iterator<Item = ((Check, Vec<String>), f64)> {
        self.values.into_iter().map(|((check, columns), values)| {
            // What is within the limit anyway is not odd. A frequent category is gone or not: of rows that hang together one window in a week
            // may lack it by chance, and is no outage.
            let shows = |value: &f64| if check == Check::VanishedCategories { 0.0 } else { value.max(check.limit()) };
            let usual = usual(&values, shows);
            let most = usual.into_iter().copied().fold(0.0, f64::max);
            ((check, columns), most)
        })
    }
}

/// What is known of a reference beside its columns' values.
#[derive(Debug, Clone, Default)]
pub struct Learnt {
    columns: BTreeMap<String, Groups>,
    rows: Option<Groups>,
    pairs: Vec<Pair>,
    /// What its own windows show.
    pub own: Own,
}

impl Learnt {
    /// Learns from a column, and from its values in each of the reference's own windows.
    pub fn column(&mut self, name: &str, sample: &Sample, parts: &[Sample]) {
        let (groups, mut shown) = (column::groups(sample), Shown::new(parts.len()));
        for (at, part) in parts.iter().enumerate() {
            shown.note(at, column::suspects(name, sample, Some(&groups), part));
        }
        for (at, check, share) in column::beyond_the_others(parts) {
            shown.note_one(at, check, vec![name.to_owned()], share);
        }
        self.own.extend(shown.own());
        self.columns.insert(name.to_owned(), groups);
    }

    /// Learns from whole rows, and from those of each of the reference's own windows; `column` has the values.
    pub fn rows(&mut self, side: &Across, order: Option<&Order>, column: impl Fn(&str) -> Option<Series>) {
        self.rows = side.rows.clone().groups();
        self.pairs = correlation::pairs(&side.numbers);
        let windows: Vec<Vec<usize>> = order.map(Order::places).unwrap_or_default();
        if windows.is_empty() {
            return;
        }
        let mut shown = Shown::new(windows.len());
        for (at, window) in windows.iter().enumerate() {
            let of_window = side.rows.at(window.iter().copied()).groups();
            let suspect = self.rows.as_ref().zip(of_window).and_then(|(all, of_window)| rows::suspect(all, &of_window));
            shown.note(at, suspect);
        }
        self.own.extend(shown.own());
        let windows: Vec<&Vec<usize>> = spread(windows.len(), PARTS).filter_map(|at| windows.get(at)).collect();
        let mut parts: Vec<Columns> = windows.iter().map(|_| Columns::new()).collect();
        let paired = self.pairs.iter().flat_map(|pair| &pair.columns).collect::<std::collections::BTreeSet<_>>();
        for (name, series) in paired.into_iter().filter_map(|name| Some((name, column(name)?))) {
            for (part, window) in parts.iter_mut().zip(&windows) {
                let every = window.len().div_ceil(PART_ROWS).max(1);
                let places = picked(window.len(), every).filter_map(|at| window.get(at).copied());
                let numbers = numbers(&series, places);
                part.extend(numbers.map(|numbers| (name.clone(), numbers)));
            }
        }
        let mut shown = Shown::new(parts.len());
        for (at, part) in parts.iter().enumerate() {
            shown.note(at, correlation::suspects(&self.pairs, part));
        }
        self.own.extend(shown.own());
    }

    /// Takes in what was learnt from other columns of the same rows.
    pub fn merge(&mut self, other: Self) {
        self.columns.extend(other.columns);
        self.own.extend(other.own);
    }

    /// What a column's current values show.
    #[must_use]
    pub fn of_column(&self, name: &str, reference: &Sample, current: &Sample) -> Vec<Suspect> {
        column::suspects(name, reference, self.columns.get(name), current)
    }

    /// What whole rows and pairs show.
    #[must_use]
    pub fn of_rows(&self, current: Across) -> Vec<Suspect> {
        let mut found = correlation::suspects(&self.pairs, &current.numbers);
        let both = self.rows.as_ref().zip(current.rows.groups());
        found.extend(both.and_then(|(before, now)| rows::suspect(before, &now)));
        found
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let groups: usize = self.columns.values().chain(&self.rows).map(Groups::bytes).sum();
        let pairs = self.pairs.len().saturating_mul(120);
        groups.saturating_add(pairs).saturating_add(self.own.len().saturating_mul(80)) as u64
    }
}
