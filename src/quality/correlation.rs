//! Pairs of numeric columns that go together, and whether they still do: Spearman's rank correlation, over a bounded number of rows.

use std::collections::BTreeMap;

use super::{Check, Detail, Suspect};
use crate::stats::pick::picked;
use crate::stats::tails;

/// Rows looked at, at most: every so many of more.
pub const ROWS: usize = 2000;
/// Columns looked at, at most: the first ones.
pub const COLUMNS: usize = 100;
/// Pairs remembered, at most: the strongest.
const PAIRS: usize = 200;
/// Weaker pairs are not remembered.
const STRONG: f64 = 0.5;
/// Fewer rows that differ from the most frequent value say nothing.
const FEWEST: usize = 30;

/// Numeric columns by name, row by row; what is missing is no number.
pub type Columns = BTreeMap<String, Vec<f64>>;

/// A pair that goes together.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The two columns, in order of their names.
    pub columns: [String; 2],
    /// Their rank correlation.
    pub correlation: f64,
    /// Rows that have both.
    pub rows: usize,
}

/// The places of the rows that are looked at, out of so many.
pub fn places(rows: usize) -> impl Iterator<Item = usize> {
    picked(rows, rows.div_ceil(ROWS))
}

/// Ranks about their mean, in units that make a column's squares sum up to one. `None` where all values are one, or too few.
fn ranked(values: &[f64]) -> Option<Vec<f64>> {
    let mut order: Vec<usize> = (0..values.len()).filter(|at| values.get(*at).is_some_and(|v| !v.is_nan())).collect();
    if order.len() < FEWEST {
        return None;
    }
    let value = |at: &usize| values.get(*at).copied().unwrap_or(f64::NAN);
    order.sort_unstable_by(|a, b| value(a).total_cmp(&value(b)));
    let mut ranks = vec![f64::NAN; values.len()];
    let middle = (order.len() as f64 - 1.0) / 2.0;
    // Of nearly one value the few others would say all: their number is what counts.
    let most = order.chunk_by(|a, b| value(a).total_cmp(&value(b)).is_eq()).map(<[usize]>::len).max().unwrap_or(0);
    if order.len().saturating_sub(most) < FEWEST {
        return None;
    }
    let (mut below, mut squares) = (0.0, 0.0);
    for tied in order.chunk_by(|a, b| value(a).total_cmp(&value(b)).is_eq()) {
        let rank = below + (tied.len() as f64 - 1.0) / 2.0 - middle;
        for at in tied {
            if let Some(place) = ranks.get_mut(*at) {
                *place = rank;
            }
        }
        squares += rank * rank * tied.len() as f64;
        below += tied.len() as f64;
    }
    let length = squares.sqrt();
    (length > 0.0).then(|| ranks.into_iter().map(|rank| rank / length).collect())
}

/// Of two columns' ranks, over the rows that have both.
fn correlation(one: &[f64], other: &[f64]) -> Option<(f64, usize)> {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>().clamp(-1.0, 1.0);
    let whole = |values: &[f64]| !values.iter().any(|value| value.is_nan());
    if whole(one) && whole(other) {
        return Some((product(one, other), one.len().min(other.len())));
    }
    // Ranked again among the rows that have both: their ranks say in which order.
    let both = one.iter().zip(other).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
    Some((product(&ranked(&a)?, &ranked(&b)?), a.len()))
}

fn all_ranked(columns: &Columns) -> BTreeMap<&String, Vec<f64>> {
    columns.iter().take(COLUMNS).filter_map(|(name, values)| Some((name, ranked(values)?))).collect()
}

/// The pairs that go together.
#[must_use]
pub fn pairs(columns: &Columns) -> Vec<Pair> {
    let ranked = all_ranked(columns);
    let mut pairs = Vec::new();
    for (at, (one, a)) in ranked.iter().enumerate() {
        for (other, b) in ranked.iter().skip(at.saturating_add(1)) {
            if let Some((correlation, rows)) = correlation(a, b).filter(|(r, _)| r.abs() >= STRONG) {
                pairs.push(Pair { columns: [(*one).clone(), (*other).clone()], correlation, rows });
            }
        }
    }
    pairs.sort_by(|a, b| b.correlation.abs().total_cmp(&a.correlation.abs()));
    pairs.truncate(PAIRS);
    pairs
}

/// How far each of the reference's pairs has moved. The p-value is of the difference of Fisher's z, whose variance is that of Bonett and
/// Wright ("Sample size requirements for estimating Pearson, Kendall and Spearman correlations", 2000).
#[must_use]
pub fn suspects(reference: &[Pair], current: &Columns) -> Vec<Suspect> {
    if reference.is_empty() {
        return Vec::new();
    }
    let ranked = all_ranked(current);
    let suspect = |pair: &Pair| {
        let [one, other] = &pair.columns;
        let (now, rows) = correlation(ranked.get(one)?, ranked.get(other)?)?;
        let before = pair.correlation;
        let z = |r: f64| r.clamp(-0.999_999, 0.999_999).atanh();
        let variance = |r: f64, rows: usize| (1.0 + r * r / 2.0) / (rows as f64 - 3.0);
        let deviation = (variance(before, pair.rows) + variance(now, rows)).sqrt();
        Some(Suspect {
            check: Check::Correlation,
            columns: pair.columns.to_vec(),
            value: (now - before).abs(),
            p_value: Some(tails::normal((z(now) - z(before)) / deviation)),
            detail: Detail::Correlation { before, now },
        })
    };
    reference.iter().filter_map(suspect).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_correlate_as_scipy_says() {
        // scipy.stats.spearmanr([1, 2, 2, 3, 5] * 24, [2, 1, 4, 3, 5] * 24).statistic
        let [one, other] = [[1.0, 2.0, 2.0, 3.0, 5.0], [2.0, 1.0, 4.0, 3.0, 5.0]].map(|values| values.repeat(24));
        let columns: Columns = [("a".to_owned(), one), ("b".to_owned(), other)].into();
        let pairs = pairs(&columns);
        assert!((pairs[0].correlation - 0.666_885_928_855_35).abs() < 1e-12, "{pairs:?}");
        assert_eq!(pairs[0].rows, 120);
        // With every seventh of the one and every eleventh of the other gone; the same of scipy's with nan_policy="omit".
        let mut gaps = columns;
        for (name, every) in [("a", 7), ("b", 11)] {
            let values = gaps.get_mut(name).expect("a column");
            values.iter_mut().enumerate().filter(|(at, _)| at % every == 0).for_each(|(_, value)| *value = f64::NAN);
        }
        let (a, b) = (ranked(&gaps["a"]), ranked(&gaps["b"]));
        let found = correlation(&a.expect("ranks"), &b.expect("ranks")).expect("defined");
        assert!((found.0 - 0.655_684_853_673_410_6).abs() < 1e-12 && found.1 == 93, "{found:?}");
    }
}
