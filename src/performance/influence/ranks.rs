//! Of the areas under the curves of receiver operating characteristic and of precision over recall.

/// Rows of one score: their places, and how many of them are positive.
struct Tied<'a> {
    rows: &'a [(usize, f64, bool)],
    positives: f64,
    negatives: f64,
}

/// Rows by falling score, and both counts.
struct Ranked {
    rows: Vec<(usize, f64, bool)>,
    positives: f64,
    negatives: f64,
}

impl Ranked {
    fn of(scored: impl Iterator<Item = (usize, f64, bool)>) -> Self {
        // No negative zero: it equals zero.
        let mut rows: Vec<(usize, f64, bool)> =
            scored.map(|(at, score, positive)| (at, score + 0.0, positive)).collect();
        rows.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
        let positives = rows.iter().filter(|(.., positive)| *positive).count() as f64;
        let negatives = rows.len() as f64 - positives;
        Self { rows, positives, negatives }
    }

    fn tied(&self) -> impl DoubleEndedIterator<Item = Tied<'_>> {
        self.rows.chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq()).map(|rows| {
            let positives = rows.iter().filter(|(.., positive)| *positive).count() as f64;
            Tied { rows, positives, negatives: rows.len() as f64 - positives }
        })
    }
}

/// DeLong's components of ROC-AUC: of a positive the share of negatives below it less the area, of a negative that of the positives above
/// it, over so much that their squares add up to DeLong's variance. `None` with fewer than two of either.
pub fn roc_auc(rows: usize, scored: impl Iterator<Item = (usize, f64, bool)>) -> Option<Vec<f64>> {
    let ranked = Ranked::of(scored);
    let (m, n) = (ranked.positives, ranked.negatives);
    if m < 2.0 || n < 2.0 {
        return None;
    }
    let (mut above, mut over, mut wins) = (0.0, 0.0, 0.0);
    let mut influence = vec![0.0; rows];
    for tied in ranked.tied() {
        let beaten = (n - over - tied.negatives / 2.0) / n;
        let ahead = (above + tied.positives / 2.0) / m;
        for (at, _, positive) in tied.rows {
            if let Some(place) = influence.get_mut(*at) {
                *place = if *positive { beaten } else { ahead };
            }
        }
        wins += tied.positives * beaten;
        above += tied.positives;
        over += tied.negatives;
    }
    let area = wins / m;
    for (at, _, positive) in &ranked.rows {
        let count = if *positive { m } else { n };
        if let Some(place) = influence.get_mut(*at) {
            *place = (*place - area) / (count * (count - 1.0)).sqrt();
        }
    }
    Some(influence)
}

/// Of average precision, as its variance is made (`performance::ranked`). `None` without two positives.
pub fn average_precision(rows: usize, scored: impl Iterator<Item = (usize, f64, bool)>) -> Option<Vec<f64>> {
    let ranked = Ranked::of(scored);
    let m = ranked.positives;
    if m < 2.0 {
        return None;
    }
    let (mut above, mut under, mut average) = (0.0, 0.0, 0.0);
    let mut groups = Vec::new();
    for tied in ranked.tied() {
        above += tied.positives;
        under += tied.negatives;
        let all = above + under;
        average += tied.positives * above / all / m;
        groups.push((tied, above / all, under / (all * all), above / (all * all)));
    }
    let (mut gain, mut pain) = (0.0, 0.0);
    let mut influence = vec![0.0; rows];
    for (tied, precision, by_positive, by_negative) in groups.iter().rev() {
        gain += tied.positives * by_positive;
        pain += tied.positives * by_negative;
        for (at, _, positive) in tied.rows {
            if let Some(place) = influence.get_mut(*at) {
                *place = if *positive { gain + precision - average } else { -pain } / m;
            }
        }
    }
    Some(influence)
}
