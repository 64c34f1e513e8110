//! Measures of regression.

use super::{Performance, Task};

/// Measures labels against predictions.
#[must_use]
pub fn measure(pairs: &[(f64, f64)]) -> Performance {
    let mut measured = Performance::of_no_rows(Task::Regression);
    measured.rows = pairs.len() as u64;
    if pairs.is_empty() {
        return measured;
    }
    let rows = pairs.len() as f64;
    let mean = |of: &dyn Fn(f64, f64) -> f64| {
        pairs.iter().map(|(label, predicted)| of(*label, *predicted)).sum::<f64>() / rows
    };
    let finite = |value: f64| value.is_finite().then_some(value);
    let squared = mean(&|label, predicted| (label - predicted).powi(2));
    let middle = mean(&|label, _| label);
    let variance = mean(&|label, _| (label - middle).powi(2));
    measured.mae = finite(mean(&|label, predicted| (label - predicted).abs()));
    measured.rmse = finite(squared.sqrt());
    // Labels that are all the same have no variance to explain.
    measured.r2 = if variance > 0.0 { finite(1.0 - squared / variance) } else { None };
    measured
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::measure;
    use crate::performance::measures::MEASURES;

    #[test]
    fn undefined_is_none() {
        assert_eq!(measure(&[]).mae, None);
        assert_eq!(measure(&[(1.0, 2.0), (1.0, 0.0)]).r2, None);
        assert_eq!(measure(&[(f64::MAX, -f64::MAX)]).rmse, None);
    }

    proptest! {
        #[test]
        fn the_root_of_the_squares_is_no_less_than_the_mean(
            pairs in prop::collection::vec((-1e6..1e6f64, -1e6..1e6f64), 1..60),
        ) {
            let measured = measure(&pairs);
            let (mae, rmse) = (measured.mae.expect("defined"), measured.rmse.expect("defined"));
            prop_assert!(mae >= 0.0 && rmse >= mae * (1.0 - 1e-12));
            for measure in MEASURES {
                let value = measure.of(&measured);
                prop_assert!(value.is_none_or(|value| measure.bounds.contains(&value)), "{}: {value:?}", measure.name);
            }
        }
    }
}
