//! The area under the ROC curve, and its variance by DeLong, DeLong and Clarke-Pearson ("Comparing the areas under two or more
//! correlated receiver operating characteristic curves", 1988), from ranks as Sun and Xu have it ("Fast implementation of DeLong's
//! algorithm", 2014).

/// An area and its variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Auc {
    /// How likely a positive has the larger score, ties by half.
    pub area: f64,
    /// Its variance.
    pub variance: f64,
}

/// Of the scores of both. `None` with fewer than two of either, or one that is no number.
#[must_use]
pub fn delong(negatives: &[f64], positives: &[f64]) -> Option<Auc> {
    let (n, m) = (negatives.len() as f64, positives.len() as f64);
    if n < 2.0 || m < 2.0 || negatives.iter().chain(positives).any(|score| score.is_nan()) {
        return None;
    }
    let sorted = |scores: &[f64]| {
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    };
    // How many lie below, ties by half.
    let below = |sorted: &[f64], score: f64| {
        let under = sorted.partition_point(|other| *other < score);
        let to = sorted.partition_point(|other| *other <= score);
        (under + to) as f64 / 2.0
    };
    let (all_negatives, all_positives) = (sorted(negatives), sorted(positives));
    let of_positives: Vec<f64> = positives.iter().map(|score| below(&all_negatives, *score) / n).collect();
    let of_negatives: Vec<f64> = negatives.iter().map(|score| 1.0 - below(&all_positives, *score) / m).collect();
    let area = of_positives.iter().sum::<f64>() / m;
    let variance =
        |parts: &[f64], count: f64| parts.iter().map(|part| (part - area).powi(2)).sum::<f64>() / (count - 1.0) / count;
    Some(Auc { area, variance: variance(&of_positives, m) + variance(&of_negatives, n) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_and_variance_are_those_of_the_definition() {
        let found = delong(&[0.1, 0.4, 0.35, 0.8], &[0.35, 0.9, 0.7]).expect("defined");
        // By hand: of 12 pairs 1.5 + 4 + 3 are in order.
        let (area, positives, negatives) = (8.5 / 12.0, [1.5 / 4.0, 1.0, 0.75], [1.0, 2.0 / 3.0, 2.5 / 3.0, 1.0 / 3.0]);
        let squares = |parts: &[f64]| parts.iter().map(|part| (part - area).powi(2)).sum::<f64>();
        let variance = squares(&positives) / 2.0 / 3.0 + squares(&negatives) / 3.0 / 4.0;
        assert!((found.area - area).abs() < 1e-15 && (found.variance - variance).abs() < 1e-15, "{found:?}");
        assert_eq!(delong(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(delong(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(delong(&[1.0, 1.0], &[1.0, 1.0]), Some(Auc { area: 0.5, variance: 0.0 }));
    }
}
