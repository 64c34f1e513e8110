//! One group in figures, each with its interval.

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Rate, Scores};
use crate::stats::interval::{self, Interval};
use crate::stats::moments::Moments;
use crate::stats::tails;

/// What is known of one group. Shares are of 1 and have Wilson's interval; `None` where no row could have them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Group {
    /// The attribute's value.
    pub name: String,
    /// Rows with a prediction.
    pub rows: u64,
    /// Those with a label, too.
    pub labelled: u64,
    /// Rows whose label is the favourable class.
    pub positives: u64,
    /// Labelled rows of the other class.
    pub negatives: u64,
    /// Share of rows whose prediction is the favourable class.
    pub selection_rate: Option<Interval>,
    /// Share of labelled rows whose prediction is the label.
    pub accuracy: Option<Interval>,
    /// Share of the positives that are predicted so.
    pub true_positive_rate: Option<Interval>,
    /// Share of the negatives that are predicted positive.
    pub false_positive_rate: Option<Interval>,
    /// Share of the negatives that are predicted so.
    pub true_negative_rate: Option<Interval>,
    /// Share of the positives that are predicted negative.
    pub false_negative_rate: Option<Interval>,
    /// Share of the predicted positives that are positive: what predictive parity compares.
    pub precision: Option<Interval>,
    /// Score against outcome.
    pub calibration: Option<Calibration>,
    /// What too few of its rows speak of for it to be judged by.
    pub too_small_for: Vec<Rate>,
}

/// Whether a score is the share of positives that it says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Calibration {
    /// Rows with a score within [0, 1], a prediction and a label.
    pub rows: u64,
    /// Their mean score.
    pub mean_score: f64,
    /// The share of positives among them, with Wilson's interval.
    pub realised_rate: Interval,
    /// The realised rate less the mean score.
    pub gap: Interval,
}

impl Group {
    /// Of its counts.
    pub fn of(name: &str, counts: &Counts, alpha: f64, too_small_for: Vec<Rate>) -> Self {
        let rate = |rate: Rate| {
            let (part, whole) = rate.of(counts);
            interval::wilson(part, whole, alpha)
        };
        let (tpr, fpr) = (rate(Rate::TruePositiveRate), rate(Rate::FalsePositiveRate));
        Self {
            name: name.to_owned(),
            rows: counts.rows(),
            labelled: counts.labelled(),
            positives: counts.positives(),
            negatives: counts.labelled() - counts.positives(),
            selection_rate: rate(Rate::SelectionRate),
            accuracy: rate(Rate::Accuracy),
            true_positive_rate: tpr,
            false_positive_rate: fpr,
            true_negative_rate: fpr.map(Interval::complement),
            false_negative_rate: tpr.map(Interval::complement),
            precision: rate(Rate::Precision),
            calibration: Calibration::of(&counts.scores, alpha),
            too_small_for,
        }
    }
}

impl Calibration {
    fn of(scores: &Scores, alpha: f64) -> Option<Self> {
        let whole = crate::stats::whole::unsigned;
        let realised_rate = interval::wilson(whole(scores.positives), whole(scores.rows), alpha)?;
        Some(Self {
            rows: whole(scores.rows),
            mean_score: scores.sum / scores.rows,
            realised_rate,
            gap: gap(scores, alpha),
        })
    }
}

/// From so many labels of either class on a mean of labels less scores is nearly normal.
const MANY: f64 = 20.0;

/// The mean of label less score. Its interval is Student's, whatever the scores are worth; where hardly a label is 1, or 0, it is Wilson's
/// for labels that are 1 as often as their scores and the gap say: (D - n g)^2 = z^2 (V + W g - n g^2), with the sum D of the
/// differences, the variance V of the sum of labels without a gap, and what it gains by one.
fn gap(scores: &Scores, alpha: f64) -> Interval {
    let Scores { rows: n, positives, sum, squares, of_positives } = *scores;
    let difference = positives - sum;
    let value = difference / n;
    let deviations = positives - 2.0 * of_positives + squares - difference * value;
    let moments = Moments { count: n, mean: value, squares: deviations.max(0.0) };
    if let Some(student) = interval::mean(&moments, alpha).filter(|_| positives.min(n - positives) >= MANY) {
        return student;
    }
    let z2 = tails::deviations(alpha).powi(2);
    let (v, w) = ((sum - squares).max(0.0), n - 2.0 * sum);
    let (a, b, c) = (n * n + z2 * n, 2.0 * n * difference + z2 * w, difference * difference - z2 * v);
    let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
    Interval { value, low: ((b - root) / (2.0 * a)).min(value), high: ((b + root) / (2.0 * a)).max(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fairness::Rows;
    use crate::fairness::counts::count;
    use crate::segment::coded::Coded;

    #[test]
    fn a_group_is_its_confusion_matrix() {
        let codes = Coded::of_texts("sex", [Some("f"); 8]);
        let bits = |text: &str| -> Vec<Option<bool>> {
            text.chars().map(|c| if c == '-' { None } else { Some(c == '1') }).collect()
        };
        let (selected, positive) = (bits("111000-1"), bits("110100-1"));
        let score = [0.9, 0.8, 0.6, 0.4, 0.3, 2.0, 0.5, f64::NAN].map(Some);
        let mut positive = positive;
        positive[7] = None;
        let counted = count(&codes, &Rows { selected: &selected, positive: &positive, score: &score });
        let group = Group::of("f", &counted.named[0], 0.05, Vec::new());
        assert_eq!((group.rows, group.labelled, group.positives, group.negatives), (7, 6, 3, 3));
        let rates = [
            group.selection_rate,
            group.accuracy,
            group.true_positive_rate,
            group.false_positive_rate,
            group.true_negative_rate,
            group.false_negative_rate,
            group.precision,
        ];
        let wanted = [4.0 / 7.0, 4.0 / 6.0, 2.0 / 3.0, 1.0 / 3.0, 2.0 / 3.0, 1.0 / 3.0, 2.0 / 3.0];
        for (rate, wanted) in rates.into_iter().zip(wanted) {
            assert!(rate.is_some_and(|rate| (rate.value - wanted).abs() < 1e-15 && rate.holds(wanted)), "{group:?}");
        }
        let calibration = group.calibration.expect("scores");
        assert_eq!(calibration.rows, 5, "2 and what is no number are no scores");
        assert!((calibration.mean_score - 0.6).abs() < 1e-15 && calibration.gap.value.abs() < 1e-15);
    }

    #[test]
    fn the_gap_of_calibration_holds_the_truth_as_often_as_it_says() {
        let mut at = 0;
        let mut uniform = || {
            at += 1;
            (crate::stats::pick::scattered(at) >> 11) as f64 / 9_007_199_254_740_992.0
        };
        // Scores from `low` up that are right but for a gap, and such that tell nothing.
        for (rows, low, width, gap, tells) in [
            (100, 0.1, 0.8, 0.0, true),
            (60, 0.3, 0.4, 0.1, true),
            (200, 0.02, 0.04, 0.0, true),
            (100, 0.0, 1.0, 0.0, false),
        ] {
            let held = (0..2000).filter(|_| {
                let mut scores = Scores::default();
                for _ in 0..rows {
                    let score = low + width * uniform();
                    let chance = if tells { score + gap } else { 0.5 };
                    let positive = f64::from(u8::from(uniform() < chance));
                    let (squares, of_positives) = (score * score, score * positive);
                    scores.add(&Scores { rows: 1.0, positives: positive, sum: score, squares, of_positives });
                }
                super::gap(&scores, 0.05).holds(gap)
            });
            let coverage = held.count() as f64 / 2000.0;
            assert!((0.935..=0.97).contains(&coverage), "{rows} {low} {gap} {tells}: {coverage}");
        }
    }
}
