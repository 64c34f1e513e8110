//! Columns that name rows instead of describing them: identifiers, counters, running times. That new rows have new names is no drift.
//!
//! A value in each row alone is not enough: so is any quantity that is fine enough. A column of whole numbers names rows where values spread
//! as its own would have met, had they been drawn; where they lie further apart than a quantity's do; or where its name says so besides.
//! A column that rises from row to row, and from the reference on into the current rows, counts them.

use std::collections::HashSet;

use polars::prelude::{DataType, Series};

use crate::stats::whole;

/// Fewer rows say nothing.
const FEWEST: usize = 50;
/// Rows whose values are held against each other, at most: the first ones.
const ROWS: usize = 200_000;
/// Rows that show at once, in nearly all columns, that they name nothing.
const FIRST: usize = 1000;
/// So many values would have met by chance: that none did happens once in 20,000 times.
const MEETINGS: f64 = 10.0;
/// Neighbours by value, among which values are taken to be spread evenly.
const NEIGHBOURS: usize = 32;
/// Whole numbers that reach further are made, not counted or measured.
const FAR: i128 = 1 << 48;
/// Last words of a name that say that it names rows.
const WORDS: [&str; 8] = ["id", "uuid", "guid", "key", "index", "row", "rownum", "number"];

/// Why a column names rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Every value is in one row alone.
    Once,
    /// It rises, or falls, with every row.
    Runs,
}

impl Names {
    /// The same for people, after the column's name.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Once => "names rows: each value is in one row alone",
            Self::Runs => "names rows: it rises or falls with every row",
        }
    }
}

/// Whether a look at the rest is worth it: of both sides, one costs a reading.
#[must_use]
pub fn may_name(column: &Series) -> bool {
    column.len() >= FEWEST && column.null_count() == 0 && {
        let first = column.head(Some(FIRST));
        let way = run(&first);
        way.is_some() || Values::of(&first).is_some_and(|values| values.are_distinct())
    }
}

/// Of the reference's rows and, where there are any, the current ones. `None` where the column may say something of its rows.
#[must_use]
pub fn names_rows(name: &str, reference: &Series, current: Option<&Series>) -> Option<Names> {
    let sides = || std::iter::once(reference).chain(current);
    if !sides().all(may_name) {
        return None;
    }
    if runs_on(reference, current) {
        return Some(Names::Runs);
    }
    let values: Vec<Values<'_>> = sides().map(Values::of).collect::<Option<_>>()?;
    if !values.iter().all(Values::are_distinct) {
        return None;
    }
    let meetings = values.iter().map(Values::meetings).sum::<Option<f64>>();
    let told = meetings.is_none_or(|meetings| meetings >= MEETINGS)
        || values.iter().any(Values::are_far)
        || last_word(name).is_some_and(|word| WORDS.contains(&word.as_str()));
    told.then_some(Names::Once)
}

/// What a column holds, as far as it can name rows.
enum Values<'a> {
    Whole(Vec<i128>),
    Text(&'a Series),
}

impl<'a> Values<'a> {
    /// `None` of numbers with fractions, and of all else.
    fn of(column: &'a Series) -> Option<Self> {
        let rows = column.len().min(ROWS);
        let values = match column.dtype() {
            DataType::String => return Some(Self::Text(column)),
            DataType::Int64 => column.i64().ok()?.iter().take(rows).map(|v| v.map(i128::from)).collect::<Option<_>>(),
            DataType::UInt64 => column.u64().ok()?.iter().take(rows).map(|v| v.map(i128::from)).collect::<Option<_>>(),
            DataType::Float64 => {
                column.f64().ok()?.iter().take(rows).map(|v| v.and_then(as_whole)).collect::<Option<_>>()
            }
            _ => None,
        };
        values.map(|mut values: Vec<i128>| {
            values.sort_unstable();
            Self::Whole(values)
        })
    }

    fn are_distinct(&self) -> bool {
        match self {
            Self::Whole(sorted) => sorted.windows(2).all(|pair| pair[0] != pair[1]),
            Self::Text(column) => {
                let mut seen = HashSet::new();
                column.str().is_ok_and(|texts| texts.iter().take(ROWS).flatten().all(|text| seen.insert(text)))
            }
        }
    }

    /// How many pairs of equal values chance would have made of such numbers. Strings have no order to tell by: those that are categories
    /// repeat.
    fn meetings(&self) -> Option<f64> {
        let Self::Whole(sorted) = self else { return None };
        let of = |near: &[i128]| {
            let span = near.last()?.saturating_sub(*near.first()?).saturating_add(1) as f64;
            let rows = near.len() as f64;
            Some(rows * (rows - 1.0) / 2.0 / span)
        };
        Some(sorted.chunks(NEIGHBOURS).filter_map(of).sum())
    }

    fn are_far(&self) -> bool {
        match self {
            Self::Whole(sorted) => {
                sorted.first().zip(sorted.last()).is_some_and(|(low, high)| high.saturating_sub(*low) > FAR)
            }
            Self::Text(_) => false,
        }
    }
}

fn as_whole(value: f64) -> Option<i128> {
    (whole::is(value) && value.abs() < whole::EXACT).then(|| whole::signed(value).into())
}

/// Numbers that go one way with each row: the first and the last of them.
fn run(column: &Series) -> Option<[f64; 2]> {
    fn one_way<T: PartialOrd + Copy>(values: impl Iterator<Item = Option<T>>) -> Option<[T; 2]> {
        let (mut ends, mut rises) = (None::<[T; 2]>, None);
        for value in values {
            let value = value?;
            if let Some([first, last]) = ends {
                let up = value > last;
                if (!up && value.partial_cmp(&last) != Some(std::cmp::Ordering::Less))
                    || rises.is_some_and(|rises| rises != up)
                {
                    return None;
                }
                rises = Some(up);
                ends = Some([first, value]);
            } else {
                ends = Some([value, value]);
            }
        }
        ends
    }
    match column.dtype() {
        DataType::Int64 => one_way(column.i64().ok()?.iter()).map(|ends| ends.map(|end| end as f64)),
        DataType::UInt64 => one_way(column.u64().ok()?.iter()).map(|ends| ends.map(|end| end as f64)),
        DataType::Float64 => one_way(column.f64().ok()?.iter().map(|value| value.filter(|value| value.is_finite()))),
        _ => None,
    }
}

/// Both sides go one way, and the current rows go on where the reference ended. A file that is sorted by a column begins anew.
fn runs_on(reference: &Series, current: Option<&Series>) -> bool {
    let (Some([first, last]), Some(Some([next, end]))) = (run(reference), current.map(run)) else { return false };
    let (rise, fall) = (first < last && next < end, first > last && next > end);
    // Where the newest row stands first, the newer file lies above.
    (rise && last < next) || (fall && (first < end || next < last))
}

/// `customerId`, `customer_id` and `Customer ID` end in `id`.
fn last_word(name: &str) -> Option<String> {
    let trimmed = name.trim_end_matches(|c: char| !c.is_alphanumeric());
    let letters: Vec<char> = trimmed.chars().collect();
    let begins = |at: usize| {
        let (Some(before), Some(here)) = (letters.get(at.wrapping_sub(1)), letters.get(at)) else { return true };
        !before.is_alphanumeric() || (before.is_lowercase() && here.is_uppercase())
    };
    let start = (0..letters.len()).rev().find(|at| begins(*at))?;
    Some(letters.get(start..)?.iter().collect::<String>().to_lowercase())
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "values of a test stay small")]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;

    fn whole_numbers(values: impl Iterator<Item = i64>) -> Series {
        Series::new("c".into(), values.collect::<Vec<_>>())
    }

    /// A permutation of 0 to 9999, begun somewhere.
    fn shuffled(from: i64, rows: i64) -> impl Iterator<Item = i64> {
        (from..from + rows).map(|i| i * 7919 % 10_000)
    }

    #[test]
    fn identifiers_and_counters_name_rows() {
        let names = |reference: &Series, current: &Series| names_rows("c", reference, Some(current));
        let (before, after) = (whole_numbers(0..5000), whole_numbers(5000..9000));
        assert_eq!(names(&before, &after), Some(Names::Runs));
        assert_eq!(names(&after, &before), Some(Names::Once), "they lie close, each of them once");
        let falling = [whole_numbers((0..900).rev()), whole_numbers((900..1800).rev())];
        assert_eq!(names(&falling[0], &falling[1]), Some(Names::Runs), "the newest first");
        let (one, other) = (whole_numbers(shuffled(0, 4000)), whole_numbers(shuffled(4000, 4000)));
        assert_eq!(names(&one, &other), Some(Names::Once));
        let as_floats = |of: &Series| of.cast(&DataType::Float64).expect("numbers");
        assert_eq!(names(&as_floats(&one), &as_floats(&other)), Some(Names::Once), "as pandas reads them beside a gap");
        let hashes = |from: i64| {
            whole_numbers((from..from + 500).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed())))
        };
        assert_eq!(names(&hashes(0), &hashes(500)), Some(Names::Once));
        let strings =
            |from: u32| Series::new("c".into(), (from..from + 500).map(|i| format!("h-{i}")).collect::<Vec<_>>());
        assert_eq!(names(&strings(0), &strings(0)), Some(Names::Once));
        let running =
            |from: u32| Series::new("c".into(), (from..from + 500).map(|i| f64::from(i) + 0.25).collect::<Vec<_>>());
        assert_eq!(names(&running(0), &running(500)), Some(Names::Runs));
        assert_eq!(names_rows("c", &one, None), Some(Names::Once), "a reference alone");
    }

    #[test]
    fn what_describes_a_row_does_not() {
        let names = |reference: &Series, current: &Series| names_rows("amount", reference, Some(current));
        // Fine, so that no value is there twice; and sorted, as a file may be.
        let fine = |from: u32| {
            Series::new("c".into(), (from..from + 500).map(|i| f64::from(i * 7919 % 10_000).sqrt()).collect::<Vec<_>>())
        };
        assert_eq!(names(&fine(0), &fine(500)), None);
        let sorted = fine(0).sort(polars::prelude::SortOptions::default()).expect("sorted");
        assert_eq!(names(&sorted, &sorted), None);
        // So far apart that none would meet.
        let cents = |from: i64| whole_numbers((from..from + 500).map(|i| i * 7919 * 7919 % 1_000_003 * 911));
        assert_eq!(names(&cents(0), &cents(500)), None);
        assert_eq!(names_rows("order_id", &cents(0), Some(&cents(500))), Some(Names::Once), "but for its name");
        // Now and then a value repeats.
        let with_one_twice = whole_numbers((0..5000).map(|i| if i == 4000 { 17 } else { i }));
        assert_eq!(names(&with_one_twice, &whole_numbers(5000..9000)), None);
        assert_eq!(names(&whole_numbers((0..500).map(|i| i % 97)), &whole_numbers(0..500)), None);
        let gaps = Series::new("c".into(), (0..500).map(|i| (i != 7).then_some(i64::from(i))).collect::<Vec<_>>());
        assert_eq!(names(&gaps, &whole_numbers(0..500)), None);
        assert_eq!(names(&whole_numbers(0..20), &whole_numbers(20..40)), None, "too few to tell");
        let empty = whole_numbers(0..0);
        assert_eq!(names(&empty, &empty), None);
    }

    #[test]
    fn a_names_last_word() {
        let words = ["id", "customerId", "customer_id", "Customer ID", "valid", "ID", "id_", "", "_"].map(last_word);
        let words = words.map(Option::unwrap_or_default);
        assert_eq!(words, ["id", "id", "id", "id", "valid", "id", "id", "", ""]);
    }
}
