//! What is counted of each group, in one pass: every figure of classes is made of these.

use super::Rows;
use crate::segment::coded::Coded;

/// A group's rows by prediction and label; `selected` is a prediction of the favourable class, `positive` such a label.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Rows without a label: not selected, selected.
    unlabelled: [u64; 2],
    /// Rows with one: negatives not selected and selected, then positives.
    labelled: [[u64; 2]; 2],
    /// Of rows with a score and a label.
    pub scores: Scores,
}

/// Sums over rows with a score and a label.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores {
    /// How many rows.
    pub rows: f64,
    /// Of the labels, each 0 or 1.
    pub positives: f64,
    /// Of the scores.
    pub sum: f64,
    /// Of their squares.
    pub squares: f64,
    /// Of the scores of positives.
    pub of_positives: f64,
}

impl Counts {
    /// Rows with a prediction.
    pub fn rows(&self) -> u64 {
        self.unlabelled.iter().sum::<u64>() + self.labelled()
    }

    /// Those that have a label too.
    pub fn labelled(&self) -> u64 {
        self.labelled.iter().flatten().sum()
    }

    /// Rows whose label is the favourable class.
    pub fn positives(&self) -> u64 {
        self.labelled[1].iter().sum()
    }

    /// Takes in another group's.
    pub fn add(&mut self, other: &Self) {
        self.unlabelled.iter_mut().zip(other.unlabelled).for_each(|(count, more)| *count += more);
        let both = self.labelled.iter_mut().flatten().zip(other.labelled.iter().flatten());
        both.for_each(|(count, more)| *count += more);
        self.scores.add(&other.scores);
    }
}

impl Scores {
    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.positives += other.positives;
        self.sum += other.sum;
        self.squares += other.squares;
        self.of_positives += other.of_positives;
    }
}

/// A share that is compared between groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Rows selected, of all.
    SelectionRate,
    /// Predictions that are the label, of labelled rows.
    Accuracy,
    /// Positives selected, of the positives.
    TruePositiveRate,
    /// Negatives selected, of the negatives.
    FalsePositiveRate,
    /// Positives, of the labelled rows selected.
    Precision,
}

impl Rate {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::SelectionRate, Self::Accuracy, Self::TruePositiveRate, Self::FalsePositiveRate, Self::Precision];

    /// The rows that have it, and all that could.
    pub fn of(self, counts: &Counts) -> (u64, u64) {
        let [[tn, fp], [fn_, tp]] = counts.labelled;
        match self {
            Self::SelectionRate => (counts.unlabelled[1] + fp + tp, counts.rows()),
            Self::Accuracy => (tn + tp, counts.labelled()),
            Self::TruePositiveRate => (tp, fn_ + tp),
            Self::FalsePositiveRate => (fp, tn + fp),
            Self::Precision => (tp, fp + tp),
        }
    }

    /// Whether rows without a label say nothing of it.
    pub fn needs_labels(self) -> bool {
        self != Self::SelectionRate
    }
}

/// What is counted of an attribute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counted {
    /// Of each value that has a name, in the order of the names.
    pub named: Vec<Counts>,
    /// Of all other values.
    pub rest: Counts,
    /// Of rows without one.
    pub without_value: Counts,
}

/// Rows without a prediction are left out. A score that is no probability is none.
pub fn count(attribute: &Coded, rows: &Rows<'_>) -> Counted {
    let values = attribute.names.len();
    let mut cells = vec![Counts::default(); values + 2];
    let places = attribute.codes.iter().map(|code| code.map_or(values + 1, |code| values.min(code as usize)));
    let of = |values: &[Option<bool>], at: usize| values.get(at).copied().flatten();
    for ((at, place), selected) in places.enumerate().zip(rows.selected) {
        let (Some(selected), Some(cell)) = (selected.map(usize::from), cells.get_mut(place)) else { continue };
        let Some(positive) = of(rows.positive, at) else {
            cell.unlabelled[selected] += 1;
            continue;
        };
        cell.labelled[usize::from(positive)][selected] += 1;
        let score = rows.score.get(at).copied().flatten();
        if let Some(score) = score.filter(|score| (0.0..=1.0).contains(score)) {
            let positive = f64::from(u8::from(positive));
            cell.scores.add(&Scores {
                rows: 1.0,
                positives: positive,
                sum: score,
                squares: score * score,
                of_positives: score * positive,
            });
        }
    }
    let without_value = cells.pop().unwrap_or_default();
    let rest = cells.pop().unwrap_or_default();
    Counted { named: cells, rest, without_value }
}
