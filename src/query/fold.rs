//! Frames of minutes folded into steps.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use polars::prelude::{
    BooleanChunked, ChunkCompareEq, ChunkFull, Column, DataFrame, DataType, Float64Chunked, ListChunked, PolarsResult,
    StringChunked, TimeUnit, TimeZone,
};

use super::{Answer, Change, MOST_CHANGES, MOST_SERIES, Query, Series};
use crate::signal::Part;

/// An answer in the making: frames come in order of time, node by node.
#[derive(Debug)]
pub struct Folding {
    query: Query,
    parts: Vec<Part>,
    series: BTreeMap<Vec<Option<String>>, Folded>,
    /// There were more series than there is room for.
    more: bool,
}

/// A step's value, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// The sum, the largest, or the last.
    value: f64,
    /// Rows behind it.
    rows: u32,
    /// The minute of the last.
    at: i64,
}

#[derive(Debug)]
struct Folded {
    /// By column, then by step.
    cells: Vec<Vec<Cell>>,
    /// The first minute.
    begun: i64,
    /// The minutes that there were rows of, a bit each; kept for totals alone.
    minutes: Minutes,
    /// When each value of a text was met first and last, by text.
    met: Vec<BTreeMap<String, (i64, i64)>>,
}

/// Minutes since a first one, a bit each.
#[derive(Debug, Default)]
struct Minutes(Vec<u64>);

impl Minutes {
    fn take(&mut self, minute: i64) {
        let (word, bit) = (usize::try_from(minute.div_euclid(64)), u32::try_from(minute.rem_euclid(64)));
        let (Ok(word), Ok(bit)) = (word, bit) else { return };
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1_u64.wrapping_shl(bit);
        }
    }

    fn all(&self) -> impl Iterator<Item = i64> {
        let bits = |word: u64| (0..64_u32).filter(move |bit| word.wrapping_shr(*bit) & 1 == 1);
        let words = (0_i64..).zip(&self.0);
        words.flat_map(move |(at, word)| bits(*word).map(move |bit| at.saturating_mul(64).saturating_add(bit.into())))
    }
}

impl Folded {
    /// How many minutes of each step there were rows of.
    fn minutes_by_step(&self, query: &Query) -> Vec<u32> {
        let mut by_step = vec![0_u32; query.steps()];
        let since = query.since.as_second();
        for minute in self.minutes.all() {
            let second = since.div_euclid(60).saturating_add(minute).saturating_mul(60);
            let step = second.saturating_sub(since).checked_div(query.step).and_then(|step| usize::try_from(step).ok());
            if let Some(count) = step.and_then(|step| by_step.get_mut(step)) {
                *count = count.saturating_add(1);
            }
        }
        by_step
    }
}

impl Cell {
    /// Adds the row of a total.
    fn add(&mut self, value: f64) {
        self.rows = self.rows.saturating_add(1);
        self.value += value;
    }

    /// The mean, over so many minutes, of their totals; increases are summed up over all of them.
    fn total(self, part: Part, minutes: u32) -> Option<f64> {
        let minutes = Some(f64::from(minutes)).filter(|minutes| *minutes > 0.0 && self.rows > 0)?;
        Some(if part == Part::Increase { self.value } else { self.value / minutes })
    }

    fn take(&mut self, part: Part, value: f64, at: i64) {
        let first = self.rows == 0;
        self.rows = self.rows.saturating_add(1);
        self.value = match part {
            Part::Mean | Part::Share | Part::Increase => self.value + value,
            Part::Max | Part::P95 if first => value,
            Part::Max | Part::P95 => self.value.max(value),
            // Of several of one minute the largest.
            Part::Last if first || at > self.at => value,
            Part::Last if at == self.at => self.value.max(value),
            Part::Last => self.value,
        };
        self.at = self.at.max(at);
    }

    fn told(self, part: Part) -> Option<f64> {
        let rows = Some(f64::from(self.rows)).filter(|rows| *rows > 0.0)?;
        Some(if matches!(part, Part::Mean | Part::Share) { self.value / rows } else { self.value })
    }
}

impl Folding {
    /// Nothing taken yet.
    #[must_use]
    pub fn new(query: Query) -> Self {
        let part = |name: &String| query.table.number(name).map_or(Part::Last, |number| number.part);
        let parts = query.columns.iter().map(part).collect();
        Self { query, parts, series: BTreeMap::new(), more: false }
    }

    /// Takes rows in. A column that an older version did not write is unknown.
    ///
    /// # Errors
    /// A column is of another type than this version writes.
    pub fn take(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        let wanted = self.wanted(frame)?;
        self.fold(&wanted)
    }

    fn fold<'f>(&mut self, frame: &'f DataFrame) -> PolarsResult<()> {
        let unit = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
        let minutes = frame.column("minute")?.cast(&unit)?.datetime()?.physical().clone();
        let by = texts(frame, self.query.by.iter())?;
        let changes: Vec<Values<'_>> =
            self.query.changes.iter().map(|name| Values::of(frame, name)).collect::<PolarsResult<_>>()?;
        let numbers: Vec<Option<Float64Chunked>> =
            self.query.columns.iter().map(|name| number(frame, name)).collect::<PolarsResult<_>>()?;
        let (since, until) = (self.query.since.as_second(), self.query.until.as_second());
        let steps = self.query.steps();
        // Rows of one thing mostly follow each other.
        let mut last: Option<Vec<Option<String>>> = None;
        for (row, minute) in minutes.iter().enumerate() {
            let Some(minute) = minute.map(|ms| ms.div_euclid(1000)).filter(|at| (since..until).contains(at)) else {
                continue;
            };
            let step =
                minute.saturating_sub(since).checked_div(self.query.step).and_then(|step| usize::try_from(step).ok());
            let Some(step) = step.filter(|step| *step < steps) else { continue };
            let text = |column: Option<&'f StringChunked>| column.and_then(|column| column.get(row));
            let same = last
                .as_ref()
                .is_some_and(|last| last.iter().zip(&by).all(|(is, column)| is.as_deref() == text(*column)));
            if !same {
                last = Some(by.iter().map(|column| text(*column).map(str::to_owned)).collect());
            }
            let key = last.clone().unwrap_or_default();
            let full = self.series.len() >= MOST_SERIES;
            let folded = match self.series.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(_) if full => {
                    self.more = true;
                    continue;
                }
                Entry::Vacant(new) => new.insert(Folded {
                    cells: vec![vec![Cell::default(); steps]; self.parts.len()],
                    begun: minute,
                    minutes: Minutes::default(),
                    met: vec![BTreeMap::new(); changes.len()],
                }),
            };
            folded.begun = folded.begun.min(minute);
            if self.query.total {
                folded.minutes.take(minute.div_euclid(60).saturating_sub(since.div_euclid(60)));
            }
            for ((cells, part), column) in folded.cells.iter_mut().zip(&self.parts).zip(&numbers) {
                let value = column.as_ref().and_then(|column| column.get(row)).filter(|value| value.is_finite());
                if let (Some(value), Some(cell)) = (value, cells.get_mut(step)) {
                    if self.query.total { cell.add(value) } else { cell.take(*part, value, minute) }
                }
            }
            for (met, column) in folded.met.iter_mut().zip(&changes) {
                column.each(row, |value| {
                    if let Some((first, last)) = met.get_mut(value) {
                        (*first, *last) = (minute.min(*first), minute.max(*last));
                    } else if met.len() < MOST_CHANGES {
                        met.insert(value.to_owned(), (minute, minute));
                    }
                });
            }
        }
        Ok(())
    }

    /// The rows whose texts are those that are asked for: most are of other things, and go before anything is made of them.
    fn wanted(&self, frame: &DataFrame) -> PolarsResult<DataFrame> {
        let mut mask: Option<BooleanChunked> = None;
        for (name, wanted) in &self.query.only {
            let of_it = match frame.column(name) {
                // What is asked for as an empty text is what has none.
                Ok(column) if wanted.is_empty() => column.is_null(),
                Ok(column) => column.str()?.equal(wanted.as_str()),
                Err(_) => BooleanChunked::full(name.as_str().into(), wanted.is_empty(), frame.height()),
            };
            mask = Some(match mask {
                Some(mask) => &mask & &of_it,
                None => of_it,
            });
        }
        mask.map_or_else(|| Ok(frame.clone()), |mask| frame.filter(&mask))
    }

    /// What it came to.
    #[must_use]
    pub fn answer(self, files_left_out: u64) -> Answer {
        let query = &self.query;
        let about = |name: &String| Some((name.clone(), query.table.number(name)?.about));
        let series = self.series.into_iter().map(|(key, folded)| {
            let minutes = if query.total { folded.minutes_by_step(query) } else { Vec::new() };
            let told = folded.cells.iter().zip(&self.parts).map(|(cells, part)| -> Vec<Option<f64>> {
                if query.total {
                    cells.iter().zip(&minutes).map(|(cell, minutes)| cell.total(*part, *minutes)).collect()
                } else {
                    cells.iter().map(|cell| cell.told(*part)).collect()
                }
            });
            let mut changes: Vec<Change> = folded
                .met
                .iter()
                .zip(&query.changes)
                .flat_map(|(met, column)| met.iter().map(move |(value, met)| (*met, column, value)))
                .filter_map(|((at, last), column, value)| {
                    let (column, value, first) = (column.clone(), value.clone(), at == folded.begun);
                    let time = |second| Timestamp::from_second(second).ok();
                    Some(Change { at: time(at)?, last: time(last)?, column, value, first })
                })
                .collect();
            changes.sort_by(|a, b| (a.at, &a.column, &a.value).cmp(&(b.at, &b.column, &b.value)));
            Series {
                labels: query.by.iter().cloned().zip(key).collect(),
                values: query.columns.iter().cloned().zip(told).collect(),
                changes,
            }
        });
        Answer {
            table: query.table.name(),
            since: query.since,
            until: query.until,
            step_seconds: query.step,
            columns: query.columns.iter().filter_map(about).collect(),
            series: series.collect(),
            more_series: self.more,
            files_left_out,
        }
    }
}

/// A column whose values are told.
enum Values<'a> {
    Texts(&'a StringChunked),
    Lists(&'a ListChunked),
    /// An older version did not write it.
    None,
}

impl<'a> Values<'a> {
    fn of(frame: &'a DataFrame, name: &str) -> PolarsResult<Self> {
        let Ok(column) = frame.column(name) else { return Ok(Self::None) };
        Ok(if column.dtype().is_list() { Self::Lists(column.list()?) } else { Self::Texts(column.str()?) })
    }

    fn each(&self, row: usize, mut told: impl FnMut(&str)) {
        match self {
            Self::Texts(texts) => texts.get(row).into_iter().for_each(told),
            Self::Lists(lists) => {
                let list = lists.get_as_series(row);
                let texts = list.as_ref().and_then(|list| list.str().ok());
                texts.into_iter().flat_map(StringChunked::iter).flatten().for_each(&mut told);
            }
            Self::None => {}
        }
    }
}

/// Columns of texts; `None` for one that an older version did not write.
fn texts<'a, 'f>(
    frame: &'f DataFrame,
    names: impl Iterator<Item = &'a String>,
) -> PolarsResult<Vec<Option<&'f StringChunked>>> {
    names.map(|name| frame.column(name).ok().map(Column::str).transpose()).collect()
}

fn number(frame: &DataFrame, name: &str) -> PolarsResult<Option<Float64Chunked>> {
    let Ok(column) = frame.column(name) else { return Ok(None) };
    Ok(Some(column.cast(&DataType::Float64)?.f64()?.clone()))
}
