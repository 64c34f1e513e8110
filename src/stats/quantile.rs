//! Sample quantiles.

use super::whole;

/// The `p`-quantile of `values` by linear interpolation between order statistics
/// (definition 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996; the default of R and numpy).
///
/// Reorders `values`. `None` when the slice is empty, holds a NaN, or `p` lies outside [0, 1].
#[must_use]
pub fn quantile(values: &mut [f64], p: f64) -> Option<f64> {
    if values.is_empty() || !(0.0..=1.0).contains(&p) || values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let rank = p * (values.len() - 1) as f64;
    let below = whole::index(rank);
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let fraction = rank - below as f64;
    if fraction == 0.0 {
        return Some(low);
    }
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(between(low, high, fraction))
}

/// The same of values that are sorted already. `None` when there are none, or `p` lies outside [0, 1].
#[must_use]
pub fn quantile_of_sorted(sorted: &[f64], p: f64) -> Option<f64> {
    if sorted.is_empty() || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let rank = p * (sorted.len() - 1) as f64;
    let below = whole::index(rank);
    let fraction = rank - below as f64;
    let low = sorted[below];
    Some(if fraction == 0.0 { low } else { between(low, sorted[below + 1], fraction) })
}

/// Interpolates from the nearer end, so that a fraction just short of one gives `high` and not a value just below it,
/// which would put `high` itself on the other side of the edge. Equal values stay what they are, infinities too.
fn between(low: f64, high: f64, fraction: f64) -> f64 {
    if low >= high {
        low
    } else if fraction < 0.5 {
        low + (high - low) * fraction
    } else {
        high - (high - low) * (1.0 - fraction)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{quantile, quantile_of_sorted};

    #[test]
    fn agrees_with_numpy() {
        // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, .25, .5, .95, 1])
        let expected = [(0.0, 1.0), (0.25, 1.75), (0.5, 3.5), (0.95, 7.95), (1.0, 9.0)];
        for (p, want) in expected {
            let got = quantile(&mut [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0], p).expect("defined");
            assert!((got - want).abs() < 1e-12, "p {p}: {got} is not {want}");
        }
    }

    #[test]
    fn undefined_is_none() {
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [1.0, f64::NAN], 0.5), None);
        assert_eq!(quantile(&mut [1.0], 1.5), None);
        assert_eq!(quantile(&mut [1.0], f64::NAN), None);
    }

    proptest! {
        #[test]
        fn lies_between_the_extremes_and_grows_with_p(
            mut values in prop::collection::vec(-1e12..1e12f64, 1..80), p in 0.0..=1.0f64, q in 0.0..=1.0f64,
        ) {
            let (low, high) = (quantile(&mut values, 0.0).unwrap(), quantile(&mut values, 1.0).unwrap());
            let (p, q) = if p <= q { (p, q) } else { (q, p) };
            let (at_p, at_q) = (quantile(&mut values, p).unwrap(), quantile(&mut values, q).unwrap());
            prop_assert!(low <= at_p && at_p <= at_q + 1e-3 && at_q <= high + 1e-3);
            values.sort_unstable_by(f64::total_cmp);
            prop_assert_eq!(quantile_of_sorted(&values, p), Some(at_p));
        }
    }
}
