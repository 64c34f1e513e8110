//! Measures of classification, as scikit-learn defines them; where it would put 0 for what is undefined, there is `None`.

use super::calibration::Calibration;
use super::classes::MISSING;
use super::confusion::{Average, Confusion, Of};
use super::detail::{Detail, OfClass, Shares};
use super::figure::Figure;
use super::interval::{self, Spread, Within};
use super::ranked::{Ranked, sides};
use super::{Performance, Task};

/// How sure the model was.
#[derive(Debug, Clone, Copy)]
pub enum Scores<'a> {
    /// Nobody knows.
    None,
    /// Of the positive class; NaN where it is missing.
    Positive(&'a [f64]),
    /// Of each class, by its code.
    Classes(&'a [(u32, Vec<f64>)]),
}

/// What is measured. Classes are codes into their names, which are in order.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The classes, those that were met elsewhere among them: they decide whether two are all.
    pub classes: &'a [String],
    /// What is true.
    pub label: &'a [u32],
    /// What was predicted; without it scores are cut at one half, or the class with the largest is taken.
    pub prediction: Option<&'a [u32]>,
    /// How sure the model was.
    pub scores: Scores<'a>,
    /// The class of interest, where it is named.
    pub positive: Option<u32>,
    /// What mistakes cost: predicted, label, money.
    pub costs: &'a [(u32, u32, f64)],
}

impl Rows<'_> {
    /// The positive class, if there are two classes at most.
    #[must_use]
    pub fn positive(&self) -> Option<u32> {
        if self.positive.is_some() {
            return self.positive;
        }
        match self.classes {
            [_, _] => Some(1),
            // One class alone is the positive one only if its name says so.
            [only] if matches!(only.as_str(), "1" | "true") => Some(0),
            _ => None,
        }
    }

    /// The code of a class.
    #[must_use]
    pub fn code(&self, class: &str) -> Option<u32> {
        (0..).zip(self.classes).find(|(_, name)| *name == class).map(|(code, _)| code)
    }

    /// How sure the model was of a class, row by row: of two, what is not of the positive one is of the other.
    #[must_use]
    pub fn scores_of(&self, class: u32) -> Vec<Option<f64>> {
        let finite = |score: &f64| Some(*score).filter(|score| score.is_finite());
        match self.scores {
            Scores::None => Vec::new(),
            Scores::Positive(scores) if self.positive() == Some(class) => scores.iter().map(finite).collect(),
            Scores::Positive(scores) => scores.iter().map(|score| finite(score).map(|score| 1.0 - score)).collect(),
            Scores::Classes(all) => {
                let of = all.iter().find(|(of, _)| *of == class);
                of.map_or_else(Vec::new, |(_, scores)| scores.iter().map(finite).collect())
            }
        }
    }

    /// The score of the positive class in a row.
    pub(super) fn score(&self, at: usize) -> Option<f64> {
        let scores = match self.scores {
            Scores::None => None,
            Scores::Positive(scores) => scores.get(at),
            Scores::Classes(all) => {
                let positive = self.positive()?;
                all.iter().find(|(class, _)| *class == positive).and_then(|(_, scores)| scores.get(at))
            }
        };
        scores.copied().filter(|score| score.is_finite())
    }

    /// What a row of this label and this prediction costs.
    pub(super) fn cost(&self, label: u32, predicted: u32) -> f64 {
        let of = self.costs.iter().find(|cost| (cost.0, cost.1) == (predicted, label));
        of.map_or(0.0, |(.., cost)| *cost)
    }

    /// What was predicted for each row.
    #[must_use]
    pub fn predicted(&self) -> Vec<u32> {
        if let Some(prediction) = self.prediction {
            return prediction.to_vec();
        }
        let positive = self.positive();
        let negative = positive.and_then(|positive| (0..).take(self.classes.len()).find(|class| *class != positive));
        let cut = |at: usize| {
            let by_score = || self.score(at).map(|score| if score >= 0.5 { positive } else { negative });
            match self.scores {
                Scores::Classes(all) => largest(all, at),
                _ => by_score().flatten(),
            }
        };
        (0..self.label.len()).map(|at| cut(at).unwrap_or(MISSING)).collect()
    }
}

/// The class with the largest score; of equal ones the first.
fn largest(all: &[(u32, Vec<f64>)], at: usize) -> Option<u32> {
    let of =
        |(class, scores): &(u32, Vec<f64>)| Some((*class, scores.get(at).copied().filter(|score| score.is_finite())?));
    let known: Option<Vec<(u32, f64)>> = all.iter().map(of).collect();
    let first = |best: (u32, f64), other: (u32, f64)| if other.1 > best.1 { other } else { best };
    known?.into_iter().reduce(first).map(|(class, _)| class)
}

/// Measures class names against class names, and scores where there are any.
#[must_use]
pub fn measure(rows: &Rows<'_>) -> (Performance, Detail) {
    let (positive, predicted) = (rows.positive(), rows.predicted());
    let pairs =
        || rows.label.iter().copied().zip(predicted.iter().copied()).filter(|(l, p)| *l != MISSING && *p != MISSING);
    let table = Confusion::of(pairs());
    let scored = |at: usize, label: u32| Some((rows.score(at)?, label == positive?));
    let scored = || {
        rows.label
            .iter()
            .enumerate()
            .filter(|(_, label)| **label != MISSING)
            .filter_map(|(at, label)| scored(at, *label))
    };

    let mut measured = Performance::of_no_rows(Task::Classification);
    measured.positive = positive.and_then(|positive| rows.classes.get(positive as usize)).cloned();
    // One class alone has no rarest.
    measured.rarest = table.met().map(|class| table.counts(class)[0]).min().filter(|_| rows.classes.len() > 1);
    measured.set("accuracy", table.accuracy());
    match positive {
        Some(positive) => {
            for (name, of) in SHARES {
                measured.set(name, table.share(of, positive));
            }
            measured.set("specificity", table.specificity(positive));
        }
        None => {
            for (name, of) in SHARES {
                measured.set(name, table.average(of, Average::Macro));
            }
        }
    }
    let (ups, downs) = sides(scored());
    let scores = (ups.len() + downs.len()) as u64;
    measured.rows = table.rows().max(scores);
    let ranked = Ranked::of(ups, downs);
    measured.set("roc_auc", ranked.roc_auc);
    measured.set("pr_auc", ranked.average_precision);
    let calibration = Calibration::of(scored());
    if let Some(calibration) = &calibration {
        measured.set("ece", calibration.ece);
        measured.set("brier", calibration.brier);
        measured.set("log_loss", calibration.log_loss);
    }
    let mut areas = Vec::new();
    if let (None, Scores::Classes(all)) = (positive, rows.scores) {
        areas = each_against_the_rest(rows.label, all);
        measured.rows = measured.rows.max(labelled(rows.label, all));
        measured.set("roc_auc", mean_of(&areas));
        measured.set("log_loss", log_loss(rows.label, all));
        measured.set("brier", brier(rows.label, all));
    }
    if !rows.costs.is_empty() {
        let spread: Spread = pairs().map(|(label, predicted)| rows.cost(label, predicted)).collect();
        measured.set("cost", Figure { value: spread.mean(), interval: spread.interval() });
    }
    let detail = Detail::new(rows.classes, &table, &areas, calibration.map(|calibration| calibration.bins));
    (measured, detail)
}

pub(super) const SHARES: [(&str, Of); 3] = [("precision", Of::Precision), ("recall", Of::Recall), ("f1", Of::F1)];

impl Detail {
    /// More classes than this are not told one by one.
    const CLASSES: usize = 50;

    fn new(
        names: &[String],
        table: &Confusion,
        areas: &[(u32, Figure)],
        reliability: Option<Vec<super::calibration::Bin>>,
    ) -> Self {
        let (kept, rows_of_others) = table.frequent(Self::CLASSES);
        let name = |class: u32| names.get(class as usize).cloned().unwrap_or_default();
        let of_class = |class: &u32| {
            let [rows, predicted, _] = table.counts(*class);
            OfClass {
                class: name(*class),
                rows,
                predicted,
                precision: table.share(Of::Precision, *class),
                recall: table.share(Of::Recall, *class),
                f1: table.share(Of::F1, *class),
                roc_auc: areas.iter().find(|(of, _)| of == class).map_or_else(Figure::default, |(_, area)| *area),
            }
        };
        let average = |by| Shares {
            precision: table.average(Of::Precision, by),
            recall: table.average(Of::Recall, by),
            f1: table.average(Of::F1, by),
        };
        // Each row has one class: of all of them together, what is predicted is what is given.
        let micro = table.accuracy();
        Self {
            classes: kept.iter().map(of_class).collect(),
            confusion: kept
                .iter()
                .map(|label| kept.iter().map(|predicted| table.cell(*label, *predicted)).collect())
                .collect(),
            rows_of_others,
            macro_average: average(Average::Macro),
            weighted_average: average(Average::Weighted),
            micro_average: Shares { precision: micro, recall: micro, f1: micro },
            reliability: reliability.unwrap_or_default(),
        }
    }
}

fn labelled(label: &[u32], all: &[(u32, Vec<f64>)]) -> u64 {
    (0..label.len()).filter(|at| label[*at] != MISSING && largest(all, *at).is_some()).count() as u64
}

/// Each class's area against all others.
fn each_against_the_rest(label: &[u32], all: &[(u32, Vec<f64>)]) -> Vec<(u32, Figure)> {
    let of = |(class, scores): &(u32, Vec<f64>)| {
        let scored = label.iter().zip(scores).filter(|(label, score)| **label != MISSING && score.is_finite());
        let (ups, downs) = sides(scored.map(|(label, score)| (*score, label == class)));
        (*class, Ranked::of(ups, downs).roc_auc)
    };
    all.iter().map(of).collect()
}

/// The mean over the classes, where each has one. The classes' areas are of the same rows: their errors are taken to go together, and the
/// interval is no narrower than it ought to be.
fn mean_of(areas: &[(u32, Figure)]) -> Figure {
    let all = |of: &dyn Fn(&Figure) -> Option<f64>| {
        let sum = areas.iter().map(|(_, area)| of(area)).sum::<Option<f64>>();
        sum.filter(|_| !areas.is_empty()).map(|sum| sum / areas.len() as f64)
    };
    let low = all(&|area| area.interval.map(|interval| interval.low));
    let high = all(&|area| area.interval.map(|interval| interval.high));
    Figure { value: all(&|area| area.value), interval: low.zip(high).map(|(low, high)| Within { low, high }) }
}

/// Rows with a label and a probability of each class, by their places.
fn probabilities<'a>(
    label: &'a [u32],
    all: &'a [(u32, Vec<f64>)],
) -> Option<impl Iterator<Item = (usize, u32, Vec<f64>)> + 'a> {
    let valid =
        all.iter().all(|(_, scores)| scores.iter().all(|score| !score.is_finite() || (0.0..=1.0).contains(score)));
    let row = |at: usize| -> Option<Vec<f64>> {
        all.iter().map(|(_, s)| s.get(at).copied().filter(|s| s.is_finite())).collect()
    };
    valid.then(|| {
        let known = label.iter().enumerate().filter(|(_, label)| **label != MISSING);
        known.filter_map(move |(at, label)| Some((at, *label, row(at)?)))
    })
}

/// The loss of each row with a score of each class, by its place: `None` where a score is no probability. A label that no score is of is
/// one that the model held for impossible.
pub(super) fn log_losses<'a>(
    label: &'a [u32],
    all: &'a [(u32, Vec<f64>)],
) -> Option<impl Iterator<Item = (usize, f64)> + 'a> {
    let loss = |(at, label, scores): (usize, u32, Vec<f64>)| {
        let whole: f64 = scores.iter().sum();
        let of_label = all.iter().position(|(class, _)| *class == label).map_or(0.0, |at| scores[at] / whole);
        (at, -of_label.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln())
    };
    Some(probabilities(label, all)?.filter(|(.., scores)| scores.iter().sum::<f64>() > 0.0).map(loss))
}

/// Half the squared distance of scores and outcome, likewise: of two classes what it is of the positive one alone.
pub(super) fn square_losses<'a>(
    label: &'a [u32],
    all: &'a [(u32, Vec<f64>)],
) -> Option<impl Iterator<Item = (usize, f64)> + 'a> {
    let loss = |(at, label, scores): (usize, u32, Vec<f64>)| {
        let apart = |(class, score): (usize, &f64)| (score - f64::from(u8::from(all[class].0 == label))).powi(2);
        (at, scores.iter().enumerate().map(apart).sum::<f64>() / 2.0)
    };
    Some(probabilities(label, all)?.map(loss))
}

fn log_loss(label: &[u32], all: &[(u32, Vec<f64>)]) -> Figure {
    let Some(losses) = log_losses(label, all) else { return Figure::default() };
    let spread: Spread = losses.map(|(_, loss)| loss).collect();
    let cut = |interval: Within| Within { low: interval.low.max(0.0), ..interval };
    Figure { value: spread.mean(), interval: spread.interval().map(cut) }
}

fn brier(label: &[u32], all: &[(u32, Vec<f64>)]) -> Figure {
    let Some(losses) = square_losses(label, all) else { return Figure::default() };
    let spread: Spread = losses.map(|(_, loss)| loss).collect();
    let interval = spread.mean().and_then(|mean| interval::positive(mean, spread.of_mean(), spread.count()));
    Figure { value: spread.mean(), interval }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::performance::measures::MEASURES;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn rows<'a>(classes: &'a [String], label: &'a [u32], prediction: &'a [u32], scores: &'a [f64]) -> Rows<'a> {
        let scores = if scores.is_empty() { Scores::None } else { Scores::Positive(scores) };
        Rows { classes, label, prediction: Some(prediction), scores, positive: None, costs: &[] }
    }

    #[test]
    fn one_class_alone_leaves_undefined_what_needs_two() {
        let (one, two) = (names(&["0"]), names(&["0", "1"]));
        let (measured, _) = measure(&rows(&one, &[0, 0], &[0, 0], &[0.1, 0.2]));
        assert_eq!((measured.accuracy, measured.roc_auc, measured.positive), (Some(1.0), None, None));
        let (measured, _) = measure(&rows(&two, &[0, 0], &[0, 0], &[0.1, 0.2]));
        assert_eq!((measured.precision, measured.recall, measured.positive.as_deref()), (None, None, Some("1")));
        assert!(measured.brier.is_some_and(|v| (v - 0.025).abs() < 1e-12));
    }

    #[test]
    fn scores_outside_0_and_1_rank_but_are_no_probabilities() {
        let two = names(&["0", "1"]);
        let (measured, _) = measure(&rows(&two, &[0, 1], &[0, 1], &[-3.0, 5.0]));
        assert_eq!((measured.roc_auc, measured.brier, measured.log_loss), (Some(1.0), None, None));
    }

    #[test]
    fn scores_of_classes_predict_the_largest() {
        let three = names(&["a", "b", "c"]);
        let scores = [(0, vec![0.6, 0.2, 0.1]), (1, vec![0.3, 0.5, 0.1]), (2, vec![0.1, 0.3, 0.8])];
        let of = Rows {
            classes: &three,
            label: &[0, 1, 0],
            prediction: None,
            scores: Scores::Classes(&scores),
            positive: None,
            costs: &[(2, 0, 6.0)],
        };
        let (measured, detail) = measure(&of);
        assert_eq!((measured.accuracy, measured.cost), (Some(2.0 / 3.0), Some(2.0)));
        assert_eq!(detail.confusion, [[1, 0, 1], [0, 1, 0], [0, 0, 0]]);
        let loss = -(0.6_f64.ln() + 0.5_f64.ln() + 0.1_f64.ln()) / 3.0;
        assert!(measured.log_loss.is_some_and(|found| (found - loss).abs() < 1e-12), "{measured:?}");
        assert_eq!(measured.roc_auc, None, "nothing is of class c");
    }

    proptest! {
        #[test]
        fn measures_lie_within_their_bounds(of in prop::collection::vec((0..3_u32, 0..3_u32, 0.0..=1.0f64), 0..60)) {
            let label: Vec<_> = of.iter().map(|r| r.0).collect();
            let prediction: Vec<_> = of.iter().map(|r| r.1).collect();
            let score: Vec<_> = of.iter().map(|r| r.2).collect();
            for classes in [names(&["a", "b", "c"]), names(&["a", "b"])] {
                let most = u32::try_from(classes.len()).expect("few") - 1;
                let cut = |codes: &[u32]| codes.iter().map(|code| (*code).min(most)).collect::<Vec<u32>>();
                let (label, prediction) = (cut(&label), cut(&prediction));
                let (measured, detail) = measure(&rows(&classes, &label, &prediction, &score));
                prop_assert_eq!(measured.rows, of.len() as u64);
                prop_assert_eq!(detail.confusion.iter().flatten().sum::<u64>() + detail.rows_of_others, of.len() as u64);
                for measure in MEASURES {
                    let value = measure.of(&measured);
                    prop_assert!(value.is_none_or(|value| measure.bounds.contains(&value)), "{}: {value:?}", measure.name);
                    let interval = measured.interval(measure.name);
                    let holds = |interval: Within| value.is_some_and(|value| interval.low <= value && value <= interval.high);
                    prop_assert!(interval.is_none_or(holds), "{}: {value:?} {interval:?}", measure.name);
                }
            }
        }
    }
}
