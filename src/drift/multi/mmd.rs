//! Maximum mean discrepancy: whether two sets of rows are of one distribution, by how alike rows of one side are and how alike those of
//! both (Gretton, Borgwardt, Rasch, Schoelkopf and Smola, "A kernel two-sample test", 2012: the unbiased statistic, lemma 6).
//!
//! Rows are alike by exp(-d^2 / (2 s^2)) of their distance d, with s the median of all distances (their section 8); columns are
//! standardised over both sides, categories are a number of 0 or 1 each. The p-value is the share of drawn divisions of the rows whose
//! statistic is as large, the one that was found among them (Phipson and Smyth, "Permutation p-values should never be zero", 2010). The
//! divisions are drawn by a fixed seed: the same data has the same p-value.

use super::Column;
use super::features::{Features, features};
use crate::stats::mersenne::Mersenne;
use crate::stats::quantile::quantile_of_sorted;

/// Rows of a side that are looked at, spread evenly over it: each is held against each.
const ROWS: usize = 500;
/// Divisions that are drawn.
const DRAWN: u32 = 499;
/// What they are drawn by.
const SEED: u64 = 0;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mmd {
    /// The squared discrepancy, without bias: around 0 where nothing has changed, below it too.
    pub squared: f64,
    /// The distance at which rows are half alike, or so.
    pub width: f64,
    /// How likely so large a discrepancy is of rows of one distribution; no less than 1 in 500.
    pub p_value: f64,
}

impl Mmd {
    /// `None` where the sides' columns differ, there are fewer than ten rows on a side, or nothing varies.
    #[must_use]
    pub fn of(reference: &[Column], current: &[Column]) -> Option<Self> {
        let Features { list, counts: [n, m] } = features(reference, current, ROWS)?;
        let all = n.saturating_add(m);
        let rows: Vec<Vec<f64>> =
            (0..all).map(|row| list.iter().filter_map(|feature| feature.values.get(row)).copied().collect()).collect();
        let squared = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        // Of each row to those before it.
        let mut alike: Vec<Vec<f64>> =
            rows.iter().enumerate().map(|(at, a)| rows.iter().take(at).map(|b| squared(a, b)).collect()).collect();
        let mut distances: Vec<f64> = alike.iter().flatten().map(|squared| squared.sqrt()).collect();
        distances.sort_unstable_by(f64::total_cmp);
        let width = quantile_of_sorted(&distances, 0.5)?;
        if width <= 0.0 {
            return None;
        }
        for cell in alike.iter_mut().flatten() {
            *cell = (-*cell / (2.0 * width * width)).exp();
        }
        let in_current: Vec<bool> = (0..all).map(|at| at >= n).collect();
        let found = statistic(&alike, &in_current, [n, m]);
        let mut random = Mersenne::new(SEED);
        let (all, n_drawn) = (u32::try_from(all).ok()?, u32::try_from(n).ok()?);
        let mut as_large = 1_u32;
        for _ in 0..DRAWN {
            let mut in_current = vec![true; alike.len()];
            for at in random.sample(all, n_drawn) {
                in_current.get_mut(at as usize).into_iter().for_each(|side| *side = false);
            }
            as_large = as_large.saturating_add(u32::from(statistic(&alike, &in_current, [n, m]) >= found));
        }
        Some(Self { squared: found, width, p_value: f64::from(as_large) / (f64::from(DRAWN) + 1.0) })
    }
}

/// Lemma 6: the mean of those alike within each side, less twice that of those of both.
fn statistic(alike: &[Vec<f64>], in_current: &[bool], [n, m]: [usize; 2]) -> f64 {
    let (mut reference, mut current, mut between) = (0.0, 0.0, 0.0);
    for (row, one) in alike.iter().zip(in_current) {
        let mut sides = [0.0, 0.0];
        for (cell, other) in row.iter().zip(in_current) {
            *(if *other { &mut sides[1] } else { &mut sides[0] }) += cell;
        }
        let [to_reference, to_current] = sides;
        if *one {
            current += to_current;
            between += to_reference;
        } else {
            reference += to_reference;
            between += to_current;
        }
    }
    let (n, m) = (n as f64, m as f64);
    2.0 * reference / (n * (n - 1.0)) + 2.0 * current / (m * (m - 1.0)) - 2.0 * between / (n * m)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(seed: u64, rows: u32, together: bool) -> Vec<Column> {
        let mut random = Mersenne::new(seed);
        let mut level = || f64::from(random.below(1000));
        let pairs: Vec<(f64, f64)> = (0..rows)
            .map(|_| {
                let (one, other) = (level(), level() / 5.0);
                (one, other + if together { one } else { 1000.0 - one })
            })
            .collect();
        vec![
            Column::Numbers(pairs.iter().map(|pair| Some(pair.0)).collect()),
            Column::Numbers(pairs.iter().map(|pair| Some(pair.1)).collect()),
        ]
    }

    #[test]
    fn it_is_calm_where_nothing_changes_and_finds_what_no_column_shows() {
        let low = (0..60).filter(|seed| {
            let found = Mmd::of(&rows(2 * seed, 40, true), &rows(2 * seed + 1, 40, true)).expect("defined");
            found.p_value <= 0.05
        });
        // 5 % of 60 are 3; more than 9 would be another rate (binomial, at 0.1 %).
        assert!(low.count() <= 9);
        let turned = Mmd::of(&rows(1, 100, true), &rows(2, 100, false)).expect("defined");
        assert!((turned.p_value - 0.002).abs() < 1e-12 && turned.squared > 0.1, "{turned:?}");
    }

    #[test]
    fn what_cannot_be_held_is_none() {
        let number = |rows: usize, of: fn(usize) -> f64| Column::Numbers((0..rows).map(|i| Some(of(i))).collect());
        assert_eq!(Mmd::of(&[], &[]), None);
        assert_eq!(Mmd::of(&[number(9, |i| i as f64)], &[number(20, |i| i as f64)]), None, "too few rows");
        assert_eq!(Mmd::of(&[number(20, |_| 1.0)], &[number(20, |_| 1.0)]), None, "nothing varies");
        let rare = |i: usize| f64::from(u8::from(i == 0));
        assert_eq!(Mmd::of(&[number(20, rare)], &[number(20, rare)]), None, "most rows are one");
    }
}
