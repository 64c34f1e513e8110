//! Bands from draws.

use crate::estimate::thresholds::Thresholds;
use crate::estimate::{Estimated, Measure};
use crate::stats::moments::Moments;
use crate::stats::quantile::quantile_of_sorted;

/// What a band leaves out on either side.
const TAIL: f64 = 0.025;
/// Fewer draws than this in which a figure is defined make no band.
const DRAWN: usize = 20;

/// A figure's draws.
#[derive(Debug, Clone, Default)]
pub(super) struct Draws {
    /// As labels might have it.
    pub(super) drawn: Vec<f64>,
    /// The same where rows that the reference does not know are a coin's toss. None where it knows all.
    pub(super) tossed: Vec<f64>,
}

/// A figure with the band of its draws: what lies between their outer fortieths, where the reference does not know all rows also of those
/// that are tossed. It is moved by what the draws' own centre (the figure of the groups that were drawn from) is off the estimate. All are
/// of one row and come out `times` as large. An alert is an estimate beyond the thresholds whose band leaves out the mean of the
/// reference's chunks, too, so that a few rows raise none.
pub(super) fn estimated(
    measure: Measure,
    (value, centre): (Option<f64>, Option<f64>),
    mut draws: Draws,
    thresholds: Option<Thresholds>,
    limits: &std::ops::Range<f64>,
    times: f64,
) -> Estimated {
    let value = value.filter(|value| value.is_finite());
    let shift = value.zip(centre).map_or(0.0, |(value, centre)| value - centre);
    for draws in [&mut draws.drawn, &mut draws.tossed] {
        draws.sort_unstable_by(f64::total_cmp);
    }
    let enough = value.filter(|_| draws.drawn.len() >= DRAWN);
    let of = |draws: &[f64], part| Some((quantile_of_sorted(draws, part)? + shift).clamp(limits.start, limits.end));
    let end = |part| [of(&draws.drawn, part), of(&draws.tossed, part)].into_iter().flatten();
    let low = enough.map(|value| end(TAIL).fold(value, f64::min));
    let high = enough.map(|value| end(1.0 - TAIL).fold(value, f64::max));
    let error = enough.and_then(|_| Moments::of(&draws.drawn)).map(|found| (found.squares / found.count).sqrt());
    let alert = value.zip(thresholds).is_some_and(|(value, found)| found.is_alert(value, low.zip(high)));
    let thresholds = thresholds.map(|found| found.times(times));
    let times = |figure: Option<f64>| figure.map(|figure| figure * times);
    Estimated {
        measure,
        value: times(value),
        standard_error: times(error),
        low: times(low),
        high: times(high),
        threshold_low: thresholds.map(|found| found.low),
        threshold_high: thresholds.map(|found| found.high),
        alert,
        realised: None,
        error: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Option<f64>, draws: Draws) -> Estimated {
        let thresholds = Thresholds::of([Some(0.79), Some(0.81)], &(0.0..1.0));
        estimated("accuracy".into(), (value, Some(0.6)), draws, thresholds, &(0.0..1.0), 10.0)
    }

    fn around(centre: f64, wide: f64) -> Vec<f64> {
        (0..=100).map(|i| centre + wide * (f64::from(i) / 100.0 - 0.5)).collect()
    }

    #[test]
    fn a_band_lies_around_its_estimate_and_an_alert_is_beyond_noise() {
        let near = |got: Option<f64>, want: f64| got.is_some_and(|got| (got - want).abs() < 1e-9);
        let sure = of(Some(0.7), Draws { drawn: around(0.6, 0.1), ..Draws::default() });
        assert!(near(sure.low, 6.525) && near(sure.high, 7.475), "{sure:?}");
        assert!(sure.alert && sure.threshold_low.is_some_and(|low| (low - 7.7).abs() < 1e-9), "{sure:?}");
        let unsure = of(Some(0.7), Draws { drawn: around(0.6, 0.4), ..Draws::default() });
        assert!(!unsure.alert, "the band reaches the reference: {unsure:?}");
        let few = of(Some(0.7), Draws { drawn: vec![0.5; 3], ..Draws::default() });
        assert_eq!((few.low, few.high, few.standard_error), (None, None, None));
        assert_eq!(of(None, Draws { drawn: around(0.6, 0.1), ..Draws::default() }).value, None);
    }

    #[test]
    fn rows_that_are_not_known_widen_a_band() {
        let near = |got: Option<f64>, want: f64| got.is_some_and(|got| (got - want).abs() < 1e-9);
        let wide = of(Some(0.7), Draws { drawn: around(0.6, 0.1), tossed: around(0.5, 0.1) });
        assert!(near(wide.low, 5.525) && near(wide.high, 7.475), "{wide:?}");
    }
}
