//! How well scores put positives above negatives: the areas under the curves of receiver operating characteristic and of
//! precision over recall.
//!
//! Their variances are those of the mean of what each row adds (for the first that is DeLong's, `stats::auc`).

use super::figure::Figure;
use super::interval;
use crate::stats::ascending::{ascending, key};

/// Scores in order.
#[derive(Debug, Clone, Default)]
pub struct Ranked {
    /// Of both; `None` where there are none of one.
    pub roc_auc: Figure,
    /// Average precision, as scikit-learn sums it: the precision at each score, weighted by the recall it adds.
    pub average_precision: Figure,
}

/// Rows with one score.
struct Tied {
    positives: f64,
    negatives: f64,
}

/// Those of either side with the same score, the highest first.
fn tied(positives: &[f64], negatives: &[f64], mut take: impl FnMut(Tied)) {
    let (mut up, mut down) = (positives.len(), negatives.len());
    while up > 0 || down > 0 {
        let score = match (up.checked_sub(1), down.checked_sub(1)) {
            (Some(a), Some(b)) => positives[a].max(negatives[b]),
            (Some(a), None) => positives[a],
            (None, Some(b)) => negatives[b],
            (None, None) => return,
        };
        let of = |side: &[f64], from: &mut usize| {
            let before = *from;
            while from.checked_sub(1).is_some_and(|at| side[at] >= score) {
                *from -= 1;
            }
            (before - *from) as f64
        };
        take(Tied { positives: of(positives, &mut up), negatives: of(negatives, &mut down) });
    }
}

impl Ranked {
    /// Of the scores of both, in any order; none of them is NaN.
    #[must_use]
    pub fn of(positives: Vec<u64>, negatives: Vec<u64>) -> Self {
        let (m, n) = (positives.len() as f64, negatives.len() as f64);
        if positives.is_empty() {
            return Self::default();
        }
        let (positives, negatives) = (ascending(positives), ascending(negatives));
        // A precision that holds over the positives from here on down: each row adds its part to all that lie at its score or below.
        let (mut above, mut under, mut precision) = (0.0, 0.0, 0.0);
        let (mut wins, mut squared_up, mut squared_down) = (0.0, 0.0, 0.0);
        tied(&positives, &negatives, |tied| {
            let beaten = n - under - tied.negatives / 2.0;
            let ahead = above + tied.positives / 2.0;
            wins += tied.positives * beaten;
            squared_up += tied.positives * beaten * beaten;
            squared_down += tied.negatives * ahead * ahead;
            above += tied.positives;
            under += tied.negatives;
            precision += tied.positives * above / (above + under);
        });
        let average_precision = precision / m;
        let average = Figure::new(
            average_precision,
            interval::share(average_precision, precision_variance(&positives, &negatives, average_precision), m),
        );
        if negatives.is_empty() {
            return Self { roc_auc: Figure::default(), average_precision: average };
        }
        let area = wins / (m * n);
        let part = |squares: f64, count: f64, other: f64| {
            let mean = squares / (count * other * other);
            if count > 1.0 { (mean - area * area).max(0.0) / (count - 1.0) } else { f64::NAN }
        };
        let variance = part(squared_up, m, n) + part(squared_down, n, m);
        let interval = if m > 1.0 && n > 1.0 { interval::share(area, variance, m.min(n)) } else { None };
        Self { roc_auc: Figure::new(area, interval), average_precision: average }
    }
}

/// The variance of average precision: that of the mean of each row's influence. With A and B the positives and negatives at a score or
/// above it, a positive adds its own precision, and B / (A + B)^2 of each positive at its score or below; a negative takes A / (A + B)^2.
fn precision_variance(positives: &[f64], negatives: &[f64], average: f64) -> f64 {
    let (m, rows) = (positives.len() as f64, (positives.len() + negatives.len()) as f64);
    let (mut groups, mut above, mut under) = (Vec::new(), 0.0, 0.0);
    tied(positives, negatives, |tied| {
        above += tied.positives;
        under += tied.negatives;
        let all = above + under;
        groups.push((tied, above / all, under / (all * all), above / (all * all)));
    });
    let (mut gain, mut pain, mut squares) = (0.0, 0.0, 0.0);
    for (tied, precision, by_positive, by_negative) in groups.iter().rev() {
        gain += tied.positives * by_positive;
        pain += tied.positives * by_negative;
        squares += tied.positives * (gain + precision - average).powi(2) + tied.negatives * pain * pain;
    }
    // The influences are these times rows / positives; the variance of their mean is theirs over the rows.
    let influence = rows / m;
    squares / rows * influence * influence / rows
}

/// Scores of either side, as [`Ranked::of`] takes them.
#[must_use]
pub fn sides(rows: impl Iterator<Item = (f64, bool)>) -> (Vec<u64>, Vec<u64>) {
    let (mut positives, mut negatives) = (Vec::new(), Vec::new());
    for (score, positive) in rows {
        // No negative zero: it equals zero.
        if positive { &mut positives } else { &mut negatives }.push(key(score + 0.0));
    }
    (positives, negatives)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::auc::delong;

    fn ranked(rows: &[(f64, bool)]) -> Ranked {
        let (positives, negatives) = sides(rows.iter().copied());
        Ranked::of(positives, negatives)
    }

    #[test]
    fn one_class_alone_has_no_area() {
        let only = ranked(&[(0.2, true), (0.7, true)]);
        assert_eq!((only.roc_auc, only.average_precision.value), (Figure::default(), Some(1.0)));
        assert_eq!(ranked(&[(0.2, false)]).average_precision.value, None);
    }

    proptest! {
        /// A growing map of the scores moves no rank; turning them round mirrors the area.
        #[test]
        fn the_area_is_of_ranks(rows in prop::collection::vec((any::<bool>(), -50..50_i32), 2..80)) {
            let of = |map: &dyn Fn(f64) -> f64| {
                let scored: Vec<(f64, bool)> = rows.iter().map(|(p, s)| (map(f64::from(*s)), *p)).collect();
                ranked(&scored)
            };
            let (plain, grown, turned) = (of(&|s| s), of(&|s| s * 3.0 + 1.0), of(&|s| -s));
            prop_assert_eq!(plain.roc_auc, grown.roc_auc);
            prop_assert_eq!(plain.average_precision, grown.average_precision);
            if let (Some(plain), Some(turned)) = (plain.roc_auc.value, turned.roc_auc.value) {
                prop_assert!((plain + turned - 1.0).abs() < 1e-12);
            }
        }

        #[test]
        fn its_variance_is_delongs(rows in prop::collection::vec((any::<bool>(), -9..9_i32), 4..80)) {
            let of = |side: bool| rows.iter().filter(|(p, _)| *p == side).map(|(_, s)| f64::from(*s)).collect::<Vec<_>>();
            if let Some(auc) = delong(&of(false), &of(true)) {
                let scored: Vec<(f64, bool)> = rows.iter().map(|(p, s)| (f64::from(*s), *p)).collect();
                let found = ranked(&scored).roc_auc;
                prop_assert!(found.value.is_some_and(|value| (value - auc.area).abs() < 1e-12));
                let positives = rows.iter().filter(|(p, _)| *p).count() as f64;
                let expected = interval::share(auc.area, auc.variance, positives.min(rows.len() as f64 - positives));
                let close = |a: Option<f64>, b: Option<f64>| a.zip(b).is_some_and(|(a, b)| (a - b).abs() < 1e-6);
                prop_assert!(close(found.interval.map(|i| i.low), expected.map(|i| i.low)), "{found:?} {expected:?}");
            }
        }
    }
}
