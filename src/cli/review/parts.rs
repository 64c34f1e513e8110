//! The samples part by part, in order of time.

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

/// The rows in order of time.
fn in_order(times: &[i64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).take(times.len()).collect();
    if !times.is_sorted() {
        order.sort_by_key(|row| times.get(*row as usize));
    }
    order
}

/// The rows of each part, of rows in order of time.
fn places<'a>(order: &'a [u32], times: &[i64], window: Window) -> Vec<&'a [u32]> {
    match window {
        Window::Rows(rows) => order.chunks(usize::try_from(rows).unwrap_or(usize::MAX)).collect(),
        Window::Time(length) => {
            let part = |row: &u32| times.get(*row as usize).map(|time| time.div_euclid(length.max(1)));
            order.chunk_by(|one, other| part(one) == part(other)).collect()
        }
    }
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
    let counted: Vec<i64>;
    let times = if let Some(times) = at {
        times
    } else {
        counted = (0..).take(usize::try_from(rows).unwrap_or(usize::MAX)).collect();
        &counted
    };
    let order = in_order(times);
    let places = places(&order, times, window);
    let skipped = places.len().saturating_sub(MOST);
    let mut parts = Vec::new();
    for places in places.into_iter().skip(skipped) {
        let places: Vec<usize> = places.iter().map(|row| *row as usize).collect();
        let (from, to) = (
            places.iter().filter_map(|row| times.get(*row)).min(),
            places.iter().filter_map(|row| times.get(*row)).max(),
        );
        let time = |ms: Option<&i64>| at.and(ms).and_then(|ms| Timestamp::from_millisecond(*ms).ok());
        let part = side.part(&places)?;
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
