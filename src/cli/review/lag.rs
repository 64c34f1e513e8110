//! How long labels take, and whether those that come first are like those that come last.

use polars::prelude::IdxCa;

use super::Error;
use super::labels::Lags;
use crate::model::assess::Side;
use crate::performance::figure::Figure;
use crate::performance::interval::{self, Spread};
use crate::performance::{Task, errors};
use crate::review::{Early, Labelled};
use crate::stats::quantile::quantile;

/// Notes the median and the 95th percentile.
pub fn told_lags(labelled: &mut Labelled, lags: &Lags) {
    let mut seconds: Vec<f64> = lags.ms.iter().map(|ms| *ms as f64 / 1000.0).collect();
    labelled.lag_p50 = quantile(&mut seconds, 0.5);
    labelled.lag_p95 = quantile(&mut seconds, 0.95);
}

/// The errors of the rows whose labels came first beside those whose came last. `None` where all came at once.
pub fn early(side: &Side, lags: &Lags, task: Task) -> Result<Option<Early>, Error> {
    let (Some(label), Some(prediction)) = (&side.label, &side.prediction) else { return Ok(None) };
    let rows = IdxCa::from_vec("rows".into(), lags.rows.clone());
    Ok(first_and_last(&errors(task, &label.take(&rows)?, &prediction.take(&rows)?), &lags.ms))
}

/// Of errors, and how long after its row the label of each came.
fn first_and_last(errors: &[Option<f64>], lags: &[i64]) -> Option<Early> {
    let mut known: Vec<i64> = lags.to_vec();
    known.sort_unstable();
    let middle = *known.get(known.len() / 2)?;
    let of = |first: bool| -> Spread {
        let halves = errors.iter().zip(lags).filter(|(_, lag)| (**lag < middle) == first);
        halves.filter_map(|(error, _)| *error).collect()
    };
    let (first, last) = (of(true), of(false));
    let figure = |of: &Spread| Figure { value: of.mean(), interval: of.interval() };
    let (before, after) = ((first.mean()?, first.interval()?), (last.mean()?, last.interval()?));
    let apart = interval::difference(before, after);
    let change = after.0 - before.0;
    // In 999 of 1000, where the interval is one of 95 of 100.
    let wider = 3.29 / 1.96;
    let differ = change + wider * (apart.high - change) < 0.0 || change - wider * (change - apart.low) > 0.0;
    Some(Early { first: figure(&first), last: figure(&last), differ })
}
