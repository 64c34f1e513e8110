//! Sample quantiles.

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
    let below = rank.floor() as usize;
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let fraction = rank - below as f64;
    if fraction == 0.0 {
        return Some(low);
    }
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(low + fraction * (high - low))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::quantile;

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
        }
    }
}
