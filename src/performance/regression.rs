//! Measures of regression.

use super::figure::Figure;
use super::interval::{self, Spread, Within};
use super::{Performance, Task};

/// Measures labels against predictions; `quantile` is the level that the predictions are meant to be of, if any.
#[must_use]
pub fn measure(pairs: &[(f64, f64)], quantile: Option<f64>) -> Performance {
    let mut measured = Performance::of_no_rows(Task::Regression);
    measured.rows = pairs.len() as u64;
    if pairs.is_empty() {
        return measured;
    }
    let rows = pairs.len() as f64;
    let spread = |of: &dyn Fn(f64, f64) -> f64| {
        pairs.iter().map(|(label, predicted)| of(*label, *predicted)).collect::<Spread>()
    };
    let above_zero = |spread: &Spread| Figure {
        value: spread.mean(),
        interval: spread.mean().and_then(|mean| interval::positive(mean, spread.of_mean(), rows)),
    };
    let squares = spread(&|label, predicted| (label - predicted).powi(2));
    measured.set("mae", above_zero(&spread(&|label, predicted| (label - predicted).abs())));
    measured.set("rmse", above_zero(&squares).map(f64::sqrt));
    measured.set("r2", explained(pairs, &squares));
    if pairs.iter().all(|(label, _)| *label != 0.0) {
        measured.set("mape", above_zero(&spread(&|label, predicted| ((label - predicted) / label).abs())));
    }
    if let Some(level) = quantile {
        let loss = |label: f64, predicted: f64| (level * (label - predicted)).max((level - 1.0) * (label - predicted));
        measured.set("quantile_loss", above_zero(&spread(&loss)));
    }
    measured
}

/// The share of the variance that is explained. Labels that are all the same have no variance to explain.
fn explained(pairs: &[(f64, f64)], squares: &Spread) -> Figure {
    let rows = pairs.len() as f64;
    let middle: Option<f64> = pairs.iter().map(|(label, _)| *label).collect::<Spread>().mean();
    let Some((middle, error)) = middle.zip(squares.mean()) else { return Figure::default() };
    let Some(variance) = pairs.iter().map(|(label, _)| (label - middle).powi(2)).collect::<Spread>().mean() else {
        return Figure::default();
    };
    if variance <= 0.0 {
        return Figure::default();
    }
    // What is not explained is above zero; each row moves it by its own error and its own distance from the mean.
    let left = error / variance;
    let influence =
        |(label, predicted): &(f64, f64)| ((label - predicted).powi(2) - left * (label - middle).powi(2)) / variance;
    let influences: Spread = pairs.iter().map(influence).collect();
    let interval = interval::positive(left, influences.of_mean(), rows);
    Figure::new(1.0 - left, interval.map(|interval| Within { low: 1.0 - interval.high, high: 1.0 - interval.low }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::measure;
    use crate::performance::measures::MEASURES;

    #[test]
    fn undefined_is_none() {
        assert_eq!(measure(&[], None).mae, None);
        assert_eq!(measure(&[(1.0, 2.0), (1.0, 0.0)], None).r2, None);
        assert_eq!(measure(&[(f64::MAX, -f64::MAX)], None).rmse, None);
        assert_eq!((measure(&[(0.0, 1.0)], None).mape, measure(&[(1.0, 2.0)], None).quantile_loss), (None, None));
    }

    #[test]
    fn a_quantile_is_missed_by_its_level() {
        // Above the label by one costs a tenth of what it costs below it, at .9.
        let measured = measure(&[(1.0, 2.0), (2.0, 1.0)], Some(0.9));
        assert!(measured.quantile_loss.is_some_and(|loss| (loss - 0.5).abs() < 1e-12), "{measured:?}");
    }

    proptest! {
        #[test]
        fn the_root_of_the_squares_is_no_less_than_the_mean(
            pairs in prop::collection::vec((-1e6..1e6f64, -1e6..1e6f64), 1..60),
        ) {
            let measured = measure(&pairs, Some(0.5));
            let (mae, rmse) = (measured.mae.expect("defined"), measured.rmse.expect("defined"));
            prop_assert!(mae >= 0.0 && rmse >= mae * (1.0 - 1e-12));
            for measure in MEASURES {
                let value = measure.of(&measured);
                prop_assert!(value.is_none_or(|value| measure.bounds.contains(&value)), "{}: {value:?}", measure.name);
                let interval = measured.interval(measure.name);
                prop_assert!(interval.is_none_or(|interval| value.is_some_and(|value| interval.low <= value && value <= interval.high)));
            }
        }
    }
}
