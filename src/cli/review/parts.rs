//! The samples part by part, in order of time.

use std::ops::Range;

use jiff::Timestamp;

use super::Error;
use crate::drift::order::Window;
use crate::model::assess::estimator::Prepared;
use crate::model::assess::{Context, Side, beside};
use crate::performance::Performance;
use crate::performance::verdict::{Limits, changes, verdict};
use crate::review::Part;

/// Parts that are told one by one where nobody says how long they are.
pub const PARTS: u64 = 10;
/// More are not told.
const MOST: usize = 400;

/// The rows in order of time; `None` where they stand in it, as rows of a log do: a week of them would be a copy of 40 MB.
fn in_order(times: &[i64]) -> Option<Vec<u32>> {
    if times.is_sorted() {
        return None;
    }
    let mut order: Vec<u32> = (0..).take(times.len()).collect();
    order.sort_by_key(|row| times.get(*row as usize));
    Some(order)
}

/// Where in the order of time each part begins and ends, of so many rows whose times are asked for by their place in it.
fn places(rows: usize, time: impl Fn(usize) -> Option<i64>, window: Window) -> Vec<Range<usize>> {
    let ends: Vec<usize> = match window {
        Window::Rows(length) => {
            let length = usize::try_from(length).unwrap_or(usize::MAX).max(1);
            (length..rows).step_by(length).chain([rows]).collect()
        }
        Window::Time(length) => {
            let part = |at: usize| time(at).map(|time| time.div_euclid(length.max(1)));
            (1..rows).filter(|at| part(at - 1) != part(*at)).chain([rows]).collect()
        }
    };
    let begins = [0].into_iter().chain(ends.iter().copied());
    begins.zip(&ends).map(|(begin, end)| begin..*end).filter(|part| !part.is_empty()).collect()
}

/// What each part is held against.
pub struct Against<'a> {
    pub described: Context<'a>,
    pub reference: Option<&'a Performance>,
    pub limits: &'a Limits,
    /// What estimates it without labels, where something does.
    pub prepared: Option<&'a Prepared<'a>>,
}

/// Each part of so many rows, the oldest first.
pub fn parts(
    side: &Side,
    at: Option<&[i64]>,
    window: Window,
    rows: u64,
    against: &Against<'_>,
) -> Result<Vec<Part>, Error> {
    let rows = at.map_or(usize::try_from(rows).unwrap_or(usize::MAX), <[i64]>::len);
    let order = at.and_then(in_order);
    // The row that is at a place in the order, and when it was: without times the number of the row.
    let row = |at: usize| order.as_ref().map_or(Some(at), |order| order.get(at).map(|row| *row as usize));
    let time_of = |row: usize| at.map_or(i64::try_from(row).ok(), |times| times.get(row).copied());
    let ranges = places(rows, |at| row(at).and_then(time_of), window);
    let skipped = ranges.len().saturating_sub(MOST);
    let mut parts = Vec::new();
    for range in ranges.into_iter().skip(skipped) {
        let places: Vec<usize> = range.clone().filter_map(row).collect();
        let times = || places.iter().filter_map(|row| at.and_then(|at| at.get(*row)));
        let (from, to) = (times().min(), times().max());
        let time = |ms: Option<&i64>| ms.and_then(|ms| Timestamp::from_millisecond(*ms).ok());
        let part = if order.is_some() { side.part(&places)? } else { side.slice(range) };
        let performance = part.measured(against.described).map(|(performance, _)| performance);
        let verdict = performance
            .as_ref()
            .zip(against.reference)
            .and_then(|(now, was)| verdict(now, &changes(was, now, against.limits)).map(|change| change.verdict));
        let estimated = against.prepared.map(|prepared| beside(prepared.estimate(&places), performance.as_ref()));
        let (rows, labelled) = (places.len() as u64, part.labelled());
        parts.push(Part { from: time(from), to: time(to), rows, labelled, performance, verdict, estimated });
    }
    Ok(parts)
}
