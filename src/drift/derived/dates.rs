//! Dates as ages, in days: how long before its row's time a date lies; below 0 for one that is to come.
//!
//! Where rows have no time, an age is counted from the side's newest date. How near that is to the time at which the rows were gathered is
//! seen from the dates before it: as far as the newest stands from the tenth newest (of a larger side, from the one that would be the tenth
//! of as few rows as the other has), on either side, all ages may as well be more or less, and by no more than that the current ones are
//! moved towards the reference's median. So a newest date that is newer by chance, or wildly wrong, makes no drift; and dates that all
//! became older by as much can only be told with the rows' times.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use polars::prelude::{DataType, Int64Chunked, NewChunkedArray, Series};

use super::{Made, Side};
use crate::stats::quantile::quantile_of_sorted;

/// What is made of a date, as the column is named after its source and a dot.
pub const AGE: &str = "age";
/// What an age is counted in.
const DAY: f64 = 86_400_000.0;
/// From the newest to so many before it a date may be newer by chance.
const NEWEST: usize = 10;

/// How ages are counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Dates {
    /// Of the reference's, where they are counted from the newest.
    ages: Option<Ages>,
}

/// Ages from a side's newest date on.
#[derive(Debug, Clone, PartialEq)]
struct Ages {
    newest: i64,
    rows: usize,
    /// Days from the newest to the tenth newest, to the twentieth, to the fortieth and so on; to the oldest in the end.
    before: Vec<f64>,
    median: f64,
}

/// The instants of a column of dates, in milliseconds: timestamps, or strings that are all ISO 8601 (`2026-01-31`, with or without a time).
/// `None` for any other column, and without a value.
#[must_use]
pub fn instants(column: &Series) -> Option<Int64Chunked> {
    if let Ok(texts) = column.str() {
        // The first says of most columns that they are no dates.
        instant(texts.iter().flatten().next()?)?;
    }
    let found = read(column)?;
    let present = column.len().saturating_sub(column.null_count());
    (present > 0 && found.len().saturating_sub(found.null_count()) == present).then_some(found)
}

/// The same of a column that may hold what is no date, which is none then.
fn read(column: &Series) -> Option<Int64Chunked> {
    match column.dtype() {
        DataType::Datetime(..) => Some(column.datetime().ok()?.physical().clone()),
        DataType::String => {
            let texts = column.str().ok()?;
            Some(Int64Chunked::from_iter_options(column.name().clone(), texts.iter().map(|text| instant(text?))))
        }
        _ => None,
    }
}

/// How many values of a side are no dates.
#[must_use]
pub fn no_dates(column: &Series) -> u64 {
    let present = column.len().saturating_sub(column.null_count());
    let dates = read(column).map_or(0, |found| found.len().saturating_sub(found.null_count()));
    present.saturating_sub(dates) as u64
}

fn instant(text: &str) -> Option<i64> {
    // A number of eight digits is a date of ISO 8601, too, and rarely meant as one.
    if text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    parsed(text)
}

/// Milliseconds since the epoch: of an instant of RFC 3339, or of a date, or a date and a time, in UTC.
#[must_use]
pub fn parsed(text: &str) -> Option<i64> {
    if let Ok(instant) = jiff::Timestamp::from_str(text) {
        return Some(instant.as_millisecond());
    }
    let local = DateTime::from_str(text).or_else(|_| Date::from_str(text).map(|date| date.at(0, 0, 0, 0))).ok()?;
    Some(TimeZone::UTC.to_timestamp(local).ok()?.as_millisecond())
}

/// Whether rows stand in the order of these instants, the oldest or the newest first; all of them may be one.
#[must_use]
pub fn in_order(instants: &Int64Chunked) -> bool {
    let pairs = || instants.iter().zip(instants.iter().skip(1));
    let is_ordered = || pairs().all(|(one, next)| one <= next) || pairs().all(|(one, next)| one >= next);
    !instants.is_empty() && instants.null_count() == 0 && is_ordered()
}

impl Dates {
    /// Of a reference's column and its rows' times. `None` where it is not of dates.
    #[must_use]
    pub fn of(reference: &Series, times: Option<&Int64Chunked>) -> Option<Self> {
        let instants = instants(reference)?;
        Some(Self { ages: if times.is_some() { None } else { Ages::of(&instants) } })
    }

    /// Whether ages are counted from each row's own time.
    #[must_use]
    pub fn is_by_row(&self) -> bool {
        self.ages.is_none()
    }

    /// The ages of rows of a side.
    pub(super) fn made(&self, side: Side, rows: &Series, times: Option<&Int64Chunked>) -> Made {
        let Some(instants) = read(rows) else { return Made::new(rows, AGE, std::iter::repeat_n(None, rows.len())) };
        let days = |from: i64, date: i64| (from.saturating_sub(date)) as f64 / DAY;
        match (&self.ages, times) {
            (None, Some(times)) => {
                let ages = instants.iter().zip(times.iter()).map(|(date, time)| Some(days(time?, date?)));
                Made::new(rows, AGE, ages)
            }
            (ages, _) => {
                let own = Ages::of(&instants);
                let moved = match (ages, &own, side) {
                    (Some(reference), Some(own), Side::Current) => {
                        let unsure = reference.unsure(own.rows) + own.unsure(reference.rows);
                        (reference.median - own.median).clamp(-unsure, unsure)
                    }
                    _ => 0.0,
                };
                let newest = own.map(|own| own.newest);
                Made::new(rows, AGE, instants.iter().map(|date| Some(days(newest?, date?) + moved)))
            }
        }
    }
}

impl Ages {
    fn of(instants: &Int64Chunked) -> Option<Self> {
        let mut sorted: Vec<i64> = instants.iter().flatten().collect();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        let newest = *sorted.first()?;
        let days: Vec<f64> = sorted.iter().map(|date| newest.saturating_sub(*date) as f64 / DAY).collect();
        let places = std::iter::successors(Some(NEWEST), |place| place.checked_mul(2));
        let before = places.map_while(|place| days.get(place).copied()).chain(days.last().copied()).collect();
        Some(Self { newest, rows: days.len(), before, median: quantile_of_sorted(&days, 0.5)? })
    }

    /// Days that all ages may be more or less, held against so many rows.
    fn unsure(&self, others: usize) -> f64 {
        let times = self.rows.checked_div(others).unwrap_or_default().max(1);
        // The first place that is no less than so many times ten.
        let place = times.checked_next_power_of_two().map_or(usize::MAX, |power| power.trailing_zeros() as usize);
        self.before.get(place).or(self.before.last()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, TimeUnit};

    use super::*;
    use crate::drift::baseline::Baseline;
    use crate::drift::defaults;
    use crate::drift::derived::Derived;
    use crate::drift::modes::Mode;
    use crate::drift::verdict::{Measured, Thresholds, judge};
    use crate::stats::whole;

    /// Dates so many days before a time, and the rows' times: each its own minute after `now`, in days.
    fn rows(now: f64, ages: &[f64]) -> (Series, Int64Chunked) {
        let time = |at: usize| whole::signed(now * DAY + 60_000.0 * at as f64);
        let times: Vec<i64> = (0..ages.len()).map(time).collect();
        let dates: Vec<i64> =
            ages.iter().zip(&times).map(|(age, time)| time.saturating_sub(whole::signed(age * DAY))).collect();
        let dates = Series::new("seen".into(), dates).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
        (dates.expect("dates"), Int64Chunked::from_vec("at".into(), times))
    }

    fn ages(made: &Made) -> Vec<Option<f64>> {
        made.values.f64().expect("numbers").iter().collect()
    }

    fn drifts(reference: &(Series, Int64Chunked), current: &(Series, Int64Chunked), timed: bool) -> bool {
        let times = |side: &(Series, Int64Chunked)| timed.then(|| side.1.clone());
        let derived = Derived::of(&reference.0, times(reference).as_ref(), false).expect("dates");
        let made = |side, rows: &(Series, Int64Chunked)| derived.made(side, &rows.0, times(rows).as_ref()).remove(0);
        let (one, other) = (made(Side::Reference, reference), made(Side::Current, current));
        assert_eq!(one.name, "seen.age");
        let measured =
            Measured::new(&one.name, &Baseline::new(one.sample()), &other.sample(), &defaults(), Mode::Default);
        judge(vec![measured], &Thresholds::default())[0].drift == Some(true)
    }

    /// Ages in days, by an exponential distribution or a bell.
    fn drawn(random: &mut fastrand::Rng, rows: usize, mean: f64, bell: bool) -> Vec<f64> {
        let one = |random: &mut fastrand::Rng| {
            if bell {
                mean + mean / 8.0 * ((0..12).map(|_| random.f64()).sum::<f64>() - 6.0)
            } else {
                -mean * random.f64().max(1e-12).ln()
            }
        };
        (0..rows).map(|_| one(random)).collect()
    }

    #[test]
    fn ages_as_before_are_calm_though_years_have_gone_by() {
        for (reference, window) in [(500, 200), (500, 5000), (20_000, 200), (20_000, 2000)] {
            for seed in 0..20 {
                let random = &mut fastrand::Rng::with_seed(seed);
                for bell in [false, true] {
                    let before = rows(10_000.0, &drawn(random, reference, 400.0, bell));
                    let now = rows(11_000.0, &drawn(random, window, 400.0, bell));
                    for timed in [true, false] {
                        assert!(!drifts(&before, &now, timed), "{reference}, {window}, {seed}, {bell}, {timed}");
                    }
                }
            }
        }
    }

    #[test]
    fn older_dates_are_found_with_times_and_without() {
        let random = &mut fastrand::Rng::with_seed(7);
        let before = rows(10_000.0, &drawn(random, 2000, 30.0, false));
        let older = rows(11_000.0, &drawn(random, 1000, 60.0, false));
        assert!(drifts(&before, &older, true) && drifts(&before, &older, false));
        let all: Vec<f64> = drawn(random, 1000, 30.0, false).iter().map(|age| age + 20.0).collect();
        assert!(drifts(&before, &rows(11_000.0, &all), true), "all by as much");
    }

    #[test]
    fn a_wild_date_moves_no_age() {
        let random = &mut fastrand::Rng::with_seed(8);
        let before = rows(10_000.0, &drawn(random, 2000, 30.0, false));
        let mut wild = drawn(random, 1000, 30.0, false);
        wild[0] = -1e6;
        assert!(!drifts(&before, &rows(11_000.0, &wild), true) && !drifts(&before, &rows(11_000.0, &wild), false));
    }

    #[test]
    fn strings_are_dates_where_all_are() {
        let of = |texts: &[Option<&str>]| instants(&Series::new("d".into(), texts));
        let found = of(&[Some("1970-01-02"), None, Some("1970-01-01T00:00:01+01:00"), Some("1970-01-01 00:00:02")]);
        let found: Option<Vec<Option<i64>>> = found.map(|found| found.iter().collect());
        assert_eq!(found, Some(vec![Some(86_400_000), None, Some(-3_599_000), Some(2000)]));
        for none in ["2026", "2026-01", "20260131", "2026-13-01", "31.01.2026", "", "red", "2026-0101"] {
            assert!(of(&[Some(none)]).is_none(), "{none}");
        }
        assert!(of(&[Some("1970-01-02"), Some("soon")]).is_none() && of(&[None]).is_none() && of(&[]).is_none());
        // The current side may hold what is none.
        let reference = Series::new("d".into(), ["1970-01-02", "1970-01-03"]);
        let derived = Dates::of(&reference, None).expect("dates");
        let made = derived.made(Side::Current, &Series::new("d".into(), ["1970-01-03", "soon"]), None);
        assert_eq!(ages(&made), [Some(0.5), None], "a day or half a day: the newest may be so by chance");
        assert_eq!(ages(&derived.made(Side::Current, &Series::new("d".into(), [1_i64]), None)), [None]);
    }

    #[test]
    fn rows_stand_in_order_of_a_date_or_not() {
        let of = |values: &[Option<i64>]| in_order(&Int64Chunked::from_slice_options("d".into(), values));
        assert!(of(&[Some(1), Some(1), Some(2)]) && of(&[Some(3), Some(1), Some(1)]) && of(&[Some(1); 9]));
        for none in [&[Some(1), Some(3), Some(2)][..], &[Some(1), None, Some(2)], &[None], &[]] {
            assert!(!of(none), "{none:?}");
        }
    }
}
