//! Whether what matters most is put first: normalised discounted cumulative gain at k (Järvelin and Kekäläinen, 2002), with gains as they
//! are and ties by their mean, as scikit-learn has it.

use super::figure::Figure;
use super::interval::Spread;

/// Mean NDCG@k over the groups: of each row its group's code, its score and its relevance (not below zero). A group without anything relevant
/// has none, and is left out.
#[must_use]
pub fn ndcg(rows: impl Iterator<Item = (u32, f64, f64)>, k: usize) -> Figure {
    let spread: Spread = by_group(rows, k).into_iter().map(|(_, of)| of).collect();
    Figure {
        value: spread.mean(),
        interval: spread
            .interval()
            .map(|interval| super::interval::Within { low: interval.low.max(0.0), high: interval.high.min(1.0) }),
    }
}

/// That of each group that has one, by its code.
#[must_use]
pub fn by_group(rows: impl Iterator<Item = (u32, f64, f64)>, k: usize) -> Vec<(u32, f64)> {
    let mut rows: Vec<(u32, f64, f64)> = rows
        .filter(|(_, score, gain)| score.is_finite() && *gain >= 0.0)
        // No negative zero: it equals zero.
        .map(|(group, score, gain)| (group, score + 0.0, gain))
        .collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let groups = rows.chunk_by(|a, b| a.0 == b.0);
    groups.filter_map(|group| Some((group.first()?.0, of_group(group, k)?))).collect()
}

/// Of rows by falling score.
fn of_group(rows: &[(u32, f64, f64)], k: usize) -> Option<f64> {
    let discount = |rank: usize| if rank < k { 1.0 / (rank as f64 + 2.0).log2() } else { 0.0 };
    let mut best: Vec<f64> = rows.iter().map(|(_, _, gain)| *gain).collect();
    best.sort_unstable_by(|a, b| b.total_cmp(a));
    let ideal: f64 = best.iter().enumerate().map(|(rank, gain)| gain * discount(rank)).sum();
    let (mut found, mut rank) = (0.0, 0);
    for tied in rows.chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq()) {
        let gain = tied.iter().map(|(_, _, gain)| gain).sum::<f64>() / tied.len() as f64;
        found += gain * (rank..rank + tied.len()).map(discount).sum::<f64>();
        rank += tied.len();
    }
    (ideal > 0.0).then(|| found / ideal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_order_is_one_and_a_group_without_gain_is_none() {
        let rows = [(0, 0.9, 3.0), (0, 0.5, 1.0), (0, 0.1, 0.0), (1, 0.3, 0.0)];
        assert_eq!(ndcg(rows.into_iter(), 10).value, Some(1.0));
        assert_eq!(ndcg([(1, 0.3, 0.0)].into_iter(), 10).value, None);
        // One position too late: 1 / log2(3).
        let late = ndcg([(0, 0.9, 0.0), (0, 0.5, 1.0)].into_iter(), 10).value.expect("defined");
        assert!((late - 1.0 / 3.0_f64.log2()).abs() < 1e-15);
        assert_eq!(ndcg([(0, 0.9, 0.0), (0, 0.5, 1.0)].into_iter(), 1).value, Some(0.0));
    }

    #[test]
    fn ties_count_by_their_mean() {
        let tied = ndcg([(0, 0.5, 1.0), (0, 0.5, 0.0)].into_iter(), 10).value.expect("defined");
        assert!((tied - f64::midpoint(1.0, 1.0 / 3.0_f64.log2())).abs() < 1e-15);
    }
}
