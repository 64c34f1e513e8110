//! The one stretch of a reference that is unlike all the rest of it, as an outage is. What it shows is not what a column varies by itself:
//! the next like it is to be told.

use std::ops::Range;

/// A stretch is odd where it shows so many times as much as anything outside of it does. Of parts that vary like normal deviates the
/// largest of 24 is once in 6,000 references, of 168 once in 500,000.
const ODD: f64 = 2.5;
/// A stretch is one of so many parts long, or one part.
const SHARE: usize = 50;
/// Of fewer parts beside it nothing is known that it could be unlike to.
const FEWEST: usize = 10;

/// Parts in order of time but for an odd stretch; `shows` says what of a part, which is not below 0. What is seen at two times of the
/// reference is usual.
pub fn usual<T>(parts: &[T], shows: impl Fn(&T) -> f64) -> Vec<&T> {
    let odd = odd(&parts.iter().map(shows).collect::<Vec<_>>()).unwrap_or_default();
    parts.iter().enumerate().filter(|(at, _)| !odd.contains(at)).map(|(_, part)| part).collect()
}

fn odd(shown: &[f64]) -> Option<Range<usize>> {
    let length = (shown.len() / SHARE).max(1);
    let starts = shown.len().checked_sub(length).filter(|others| *others >= FEWEST)?;
    let running = |values: &mut dyn Iterator<Item = &f64>| -> Vec<f64> {
        let mut most = 0.0_f64;
        std::iter::once(0.0)
            .chain(values.map(|value| {
                most = most.max(*value);
                most
            }))
            .collect()
    };
    let (before, mut after) = (running(&mut shown.iter()), running(&mut shown.iter().rev()));
    after.reverse();
    let beside = |start: usize| Some(before.get(start)?.max(*after.get(start.saturating_add(length))?));
    let (start, rest) =
        (0..=starts).filter_map(|start| Some((start, beside(start)?))).min_by(|a, b| a.1.total_cmp(&b.1))?;
    (before.last()? > &(ODD * rest)).then(|| start..start.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(count: usize, odd: &[usize]) -> Vec<f64> {
        (0..count).map(|at| if odd.contains(&at) { 0.4 } else { 0.01 * (at % 7) as f64 }).collect()
    }

    #[test]
    fn one_stretch_is_odd_and_what_comes_again_is_not() {
        assert_eq!(odd(&parts(24, &[5])), Some(5..6));
        assert!(usual(&parts(24, &[5]), |value| *value).iter().all(|value| **value < 0.1));
        for at in [0, 23] {
            assert_eq!(odd(&parts(24, &[at])), Some(at..at + 1), "at either end");
        }
        // Three hours of a week.
        let found = odd(&parts(168, &[80, 81, 82]));
        assert_eq!(found, Some(80..83));
        assert!(odd(&parts(168, &[80])).is_some_and(|stretch| stretch.contains(&80)));
        for usual in [
            parts(24, &[]),
            parts(24, &[5, 15]),
            parts(168, &[80, 81, 82, 83]),
            parts(10, &[5]),
            vec![0.3; 50],
            vec![0.0; 50],
            Vec::new(),
        ] {
            assert_eq!(odd(&usual), None, "{usual:?}");
        }
        // A season goes up and down again, be it of a single day.
        let season = |parts: u32| {
            (0..parts).map(|at| (f64::from(at) / 24.0 * std::f64::consts::TAU).sin().abs()).collect::<Vec<_>>()
        };
        assert_eq!((odd(&season(24)), odd(&season(168))), (None, None));
    }

    /// What varies by chance alone has no odd part.
    #[test]
    fn chance_is_not_odd() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut normal = || ((0..12).map(|_| random.f64()).sum::<f64>() - 6.0).abs();
        for parts in [24, 168] {
            let odd = (0..1000).filter(|_| odd(&(0..parts).map(|_| normal()).collect::<Vec<_>>()).is_some()).count();
            assert!(odd <= 2, "{odd} of 1000 references of {parts}");
        }
    }
}
