//! What an estimate varies by from one window to the next where nothing is wrong: by the hour, by the day, in runs. A window's estimate that
//! lies within what the reference's own windows showed is no drop, however certain it is: a night on which a model does worse every night.
//!
//! As a column's own variation is told (`drift::variation`): a stretch that is unlike all others is left out, and what was predicted from
//! the others' deviation is not believed far beyond what any of them showed.

use crate::drift::odd;
use crate::drift::variation::{BEYOND_ANY, FEWEST, far};
use crate::stats::interval::Interval;
use crate::stats::moments::Moments;
use crate::stats::quantile::quantile;

/// Where the next window's estimate lies, about the mean of the estimates of a reference's parts, each as long as a window, in order of time. `None` of fewer than ten.
#[must_use]
pub fn usual(parts: &[f64]) -> Option<Interval> {
    let middle = quantile(&mut parts.to_vec(), 0.5)?;
    let parts: Vec<f64> = odd::usual(parts, |value| (value - middle).abs()).into_iter().copied().collect();
    if parts.len() < FEWEST {
        return None;
    }
    let of = Moments::of(&parts)?;
    let largest = parts.iter().map(|value| (value - of.mean).abs()).fold(0.0, f64::max);
    let deviation = (of.squares / (of.count - 1.0) * (1.0 + 1.0 / of.count)).sqrt();
    let reach = (far(parts.len())? * deviation).min(BEYOND_ANY * largest);
    let found = Interval { value: of.mean, low: of.mean - reach, high: of.mean + reach };
    Some(found).filter(|found| found.low.is_finite() && found.high.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_is_usual_and_what_lies_beyond_it_is_not() {
        let day = |hour: u32| 0.9 + 0.05 * (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
        let parts: Vec<f64> = (0..72).map(day).collect();
        let found = usual(&parts).expect("three days");
        assert!(found.low < 0.85 && found.low > 0.82 && found.high > 0.95, "{found:?}");
        // One hour that is unlike all others says nothing of where the next lies.
        let mut odd = parts.clone();
        odd[30] = 0.3;
        assert!(usual(&odd).is_some_and(|of| of.low > 0.82), "{odd:?}");
        assert_eq!((usual(&parts[..9]), usual(&[])), (None, None));
        let same = usual(&[0.7; 12]).expect("twelve");
        assert!((same.low - 0.7).abs() < 1e-12 && (same.high - 0.7).abs() < 1e-12, "{same:?}");
    }

    /// Where parts vary by chance alone the next one seldom lies beyond on the side that matters, the less the more parts there are.
    #[test]
    fn the_next_part_lies_within() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut normal = || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        for (count, most) in [(10, 40), (24, 15), (168, 4)] {
            let beyond = (0..2000)
                .filter(|_| {
                    let parts: Vec<f64> = (0..count).map(|_| normal()).collect();
                    let (of, next) = (usual(&parts).expect("enough"), normal());
                    next < of.low
                })
                .count();
            assert!(beyond <= most, "{beyond} of 2000 beyond {count} parts");
        }
    }
}
