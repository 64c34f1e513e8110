//! What depends on the order of scores: the area under the ROC curve and the average precision, from how many positives each score has.

use std::cmp::Ordering;

/// Rows of one score, or of scores that lie together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    /// Positives; expected ones have fractions.
    pub(super) positives: f64,
    /// Negatives.
    pub(super) negatives: f64,
    /// How many pairs of a row with itself are among its pairs of a positive and a negative: the sum of p (1 - p), where a row is a
    /// positive with chance p. None where labels are known.
    pub(super) own: f64,
}

/// What is kept of levels while they come by descending score.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Ranking {
    wins: f64,
    positives: f64,
    negatives: f64,
    own: f64,
    precision: f64,
}

impl Ranking {
    /// Of levels by descending score.
    pub(super) fn of(levels: impl IntoIterator<Item = Level>) -> Self {
        let mut found = Self::default();
        for level in levels {
            found.add(level);
        }
        found
    }

    /// Takes in the level below those that came.
    pub(super) fn add(&mut self, level: Level) {
        self.wins += level.negatives * (self.positives + level.positives / 2.0);
        self.positives += level.positives;
        self.negatives += level.negatives;
        self.own += level.own;
        if level.positives > 0.0 {
            self.precision += level.positives * self.positives / (self.positives + self.negatives);
        }
    }

    /// The area under the ROC curve: how likely a positive has the larger score, ties by half. `None` where one class has no row.
    pub(super) fn roc_auc(&self) -> Option<f64> {
        let pairs = self.positives * self.negatives - self.own;
        (pairs > 0.0).then(|| ((self.wins - self.own / 2.0) / pairs).clamp(0.0, 1.0))
    }

    /// The average precision: the mean, over the positives, of the precision at their score, as scikit-learn's
    /// `average_precision_score`. `None` without positives.
    pub(super) fn average_precision(&self) -> Option<f64> {
        (self.positives > 0.0).then(|| self.precision / self.positives)
    }
}

/// Whether scores are equal, as 0 and -0 are.
pub(super) fn are_tied(one: f64, other: f64) -> bool {
    one.partial_cmp(&other).is_some_and(Ordering::is_eq)
}

/// Levels of labelled rows, by descending score; sorts the rows.
pub(super) fn levels(rows: &mut [(f64, bool)]) -> Vec<Level> {
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let level = |tied: &[(f64, bool)]| {
        let positives = tied.iter().filter(|(_, positive)| *positive).count();
        Level { positives: positives as f64, negatives: tied.len() as f64 - positives as f64, own: 0.0 }
    };
    rows.chunk_by(|a, b| are_tied(a.0, b.0)).map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_by_half_and_steps_of_precision_are_whole() {
        let mut rows = [(0.1, false), (0.4, false), (0.35, true), (0.8, true), (0.35, false)];
        let ranking = Ranking::of(levels(&mut rows));
        // Of six pairs 1 + 2 and 1 / 2 + 1 are in order: roc_auc_score([0, 0, 1, 1, 0], [.1, .4, .35, .8, .35])
        assert_eq!(ranking.roc_auc(), Some(4.5 / 6.0));
        // average_precision_score of the same
        assert_eq!(ranking.average_precision(), Some(0.5 + 0.5 * 2.0 / 4.0));
        assert_eq!(Ranking::of([]).roc_auc(), None);
        assert_eq!(Ranking::of([Level { positives: 0.0, negatives: 3.0, own: 0.0 }]).average_precision(), None);
    }

    #[test]
    fn a_row_is_no_pair_with_itself() {
        // Two rows, each positive with chance p: one pair is in order with chance p1 (1 - p0), in disorder with p0 (1 - p1).
        let (low, high) = (0.3, 0.8);
        let level = |p: f64| Level { positives: p, negatives: 1.0 - p, own: p * (1.0 - p) };
        let (wins, losses) = (high * (1.0 - low), low * (1.0 - high));
        let area = Ranking::of([level(high), level(low)]).roc_auc().expect("defined");
        assert!((area - wins / (wins + losses)).abs() < 1e-12, "{area}");
    }
}
