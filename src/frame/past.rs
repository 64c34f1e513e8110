//! Frames of minutes, read back: their columns typed by the table of signals, and their rows in runs.
//!
//! Rows of one thing that follow each other in time and differ in nothing but what was measured are a run. What is derived from a
//! history takes runs: sums and maxima of a run's columns are polars', over slices of them; only where a quantile needs each value are
//! the values walked, one column at a time.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::ops::Range;

use jiff::Timestamp;
use polars::prelude::{
    BooleanChunked, ChunkApply, ChunkCompareEq, ChunkFullNull, Column, DataFrame, DataType, Float64Chunked, GroupsType,
    IdxCa, ListChunked, PolarsResult, StringChunked, TimeUnit, TimeZone, UInt64Chunked,
};

use crate::signal::{self, Table};

/// No machine has so many cores or bytes; what is said to is not believed.
const ABSURD: f64 = 1e15;
const MINUTE: &str = "minute";
const HOUR: &str = "hour";
const MS_PER_HOUR: i64 = 3_600_000;

/// Rows of a table, thing by thing, in order of time.
#[derive(Debug)]
pub struct Past {
    frame: DataFrame,
    minutes: Vec<i64>,
    /// In order of their first minute.
    pub runs: Vec<Run>,
}

/// A run of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where its rows lie.
    pub rows: Range<usize>,
}

impl Run {
    /// Its last row.
    #[must_use]
    pub fn last(&self) -> usize {
        self.rows.end.saturating_sub(1)
    }

    /// The part of a column.
    #[must_use]
    pub fn of<C: Slice>(&self, column: &C) -> C {
        column.part(&self.rows)
    }
}

/// A column of which a part can be taken.
pub trait Slice {
    /// The rows of it.
    #[must_use]
    fn part(&self, rows: &Range<usize>) -> Self;
}

impl Slice for Float64Chunked {
    fn part(&self, rows: &Range<usize>) -> Self {
        self.slice(i64::try_from(rows.start).unwrap_or(i64::MAX), rows.len())
    }
}

impl Slice for UInt64Chunked {
    fn part(&self, rows: &Range<usize>) -> Self {
        self.slice(i64::try_from(rows.start).unwrap_or(i64::MAX), rows.len())
    }
}

impl Past {
    /// The rows from `since` to `until`, thing by thing (`keys`); a run ends where any of `alike` changes, and with each hour.
    /// The rows come in order of time.
    ///
    /// # Errors
    /// A column is of another type than this version writes, or a key is missing.
    pub fn new(
        frame: &DataFrame,
        keys: &[&str],
        alike: &[&str],
        since: Timestamp,
        until: Timestamp,
    ) -> PolarsResult<Self> {
        let unit = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
        let at = frame.column(MINUTE)?.cast(&unit)?.datetime()?.physical().clone();
        let wanted = since.as_millisecond()..until.as_millisecond();
        let within: BooleanChunked = at.iter().map(|at| at.is_some_and(|at| wanted.contains(&at))).collect();
        let mut frame = frame.clone();
        let hours: Vec<Option<i64>> = at.iter().map(|at| Some(at?.div_euclid(MS_PER_HOUR))).collect();
        frame.with_column(Column::new(HOUR.into(), hours))?;
        frame.with_column(Column::new(MINUTE.into(), at.iter().collect::<Vec<_>>()))?;
        if !within.all() {
            frame = frame.filter(&within)?;
        }
        if frame.height() == 0 {
            return Ok(Self { frame, minutes: Vec::new(), runs: Vec::new() });
        }
        let grouped = frame.group_by_stable(keys.iter().copied())?.into_groups();
        let mut frame = match &*grouped {
            GroupsType::Idx(groups) => {
                let rows: Vec<_> = groups.all().iter().flat_map(|rows| rows.iter().copied()).collect();
                frame.take(&IdxCa::from_vec("".into(), rows))?
            }
            GroupsType::Slice { .. } => frame,
        };
        frame.rechunk_mut();
        let mut changes = vec![false; frame.height()];
        changes[0] = true;
        for name in keys.iter().chain(alike).chain([&HOUR]) {
            if let Ok(column) = frame.column(name) {
                mark_changes(column, &mut changes)?;
            }
        }
        let minutes: Vec<i64> = frame.column(MINUTE)?.i64()?.iter().map(Option::unwrap_or_default).collect();
        let starts: Vec<usize> =
            changes.iter().enumerate().filter(|(_, changes)| **changes).map(|(row, _)| row).collect();
        let ends = starts.iter().skip(1).copied().chain([frame.height()]);
        let mut runs: Vec<Run> = starts.iter().zip(ends).map(|(start, end)| Run { rows: *start..end }).collect();
        // What follows in time follows here too, whoever's it is: a container that takes another's place goes on where that ended.
        runs.sort_by_key(|run| minutes[run.rows.start]);
        Ok(Self { frame, minutes, runs })
    }

    /// The beginnings of a run's minutes, in milliseconds.
    #[must_use]
    pub fn minutes(&self, run: &Run) -> &[i64] {
        &self.minutes[run.rows.clone()]
    }

    /// How many of a run's minutes are later than `last`, which moves on to its end: a minute that has two rows counts once.
    #[must_use]
    pub fn new_minutes(&self, run: &Run, last: &mut Option<Timestamp>) -> u64 {
        let mut new = 0;
        for minute in self.minutes(run).iter().filter_map(|ms| Timestamp::from_millisecond(*ms).ok()) {
            if last.is_none_or(|last| minute > last) {
                *last = Some(minute);
                new = u64::saturating_add(new, 1);
            }
        }
        new
    }

    /// A column of texts; `None` if an older version did not write it.
    ///
    /// # Errors
    /// It is of another type.
    pub fn text(&self, name: &str) -> PolarsResult<Option<&StringChunked>> {
        self.frame.column(name).ok().map(Column::str).transpose()
    }

    /// A column of lists.
    ///
    /// # Errors
    /// It is of another type.
    pub fn list(&self, name: &str) -> PolarsResult<Option<&ListChunked>> {
        self.frame.column(name).ok().map(Column::list).transpose()
    }

    /// A column of counts; unknown throughout if an older version did not write it.
    ///
    /// # Errors
    /// It is of another type.
    pub fn count(&self, name: &str) -> PolarsResult<UInt64Chunked> {
        match self.frame.column(name) {
            Ok(column) => column.u64().cloned(),
            Err(_) => Ok(UInt64Chunked::full_null(name.into(), self.frame.height())),
        }
    }

    /// A column of reals at or above zero; what is absurd is unknown.
    ///
    /// # Errors
    /// It is of another type.
    pub fn real(&self, name: &str) -> PolarsResult<Float64Chunked> {
        match self.frame.column(name) {
            Ok(column) => column.f64().map(sane),
            Err(_) => Ok(Float64Chunked::full_null(name.into(), self.frame.height())),
        }
    }

    /// A signal's column, as reals; of counts those that are whole numbers become reals.
    ///
    /// # Errors
    /// It is of another type.
    pub fn signal<T: Table>(&self, column: signal::Column<T>) -> PolarsResult<Float64Chunked> {
        if column.is_count() {
            return Ok(sane(&self.counted(column)?.iter().map(|count| Some(count? as f64)).collect()));
        }
        self.real(&wanted(column))
    }

    /// A signal's column of whole numbers.
    ///
    /// # Errors
    /// It is of another type.
    pub fn counted<T: Table>(&self, column: signal::Column<T>) -> PolarsResult<UInt64Chunked> {
        self.count(&wanted(column))
    }
}

/// The column's name. It must be read back, or it would never be there.
fn wanted<T: Table>(column: signal::Column<T>) -> std::borrow::Cow<'static, str> {
    debug_assert!(
        signal::Column::read_back().any(|read| read == column),
        "{}: name the part in its entry",
        column.name()
    );
    column.name()
}

/// The columns that a reader of signals takes, its own first.
#[must_use]
pub fn columns<T: Table>(own: &[&str]) -> Vec<String> {
    let signals = signal::Column::<T>::read_back().map(|column| column.name().into_owned());
    own.iter().map(|name| (*name).to_owned()).chain(signals).collect()
}

fn sane(column: &Float64Chunked) -> Float64Chunked {
    column.apply(|value| value.filter(|value| (0.0..ABSURD).contains(value)))
}

/// Notes the rows that differ from the one before; two unknowns are alike.
fn mark_changes(column: &Column, changes: &mut [bool]) -> PolarsResult<()> {
    let (Some(last), series) = (column.len().checked_sub(1), column.as_materialized_series()) else { return Ok(()) };
    let differ = series.slice(1, last).not_equal_missing(&series.slice(0, last))?;
    for (change, differs) in changes.iter_mut().skip(1).zip(differ.iter()) {
        *change |= differs == Some(true);
    }
    Ok(())
}
