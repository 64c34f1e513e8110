//! How well predictions fit the labels that came for them.
//!
//! The kernels (`classification`, `regression`) work on slices; here the task is found and columns are brought to them.

pub mod classification;
pub mod measures;
pub mod regression;

use std::collections::BTreeSet;

use polars::prelude::{DataType, Series};
use serde::{Deserialize, Serialize};

use measures::{MEASURES, Measure};

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of a few classes.
    Classification,
    /// A number.
    Regression,
}

/// Whole-numbered labels with more distinct values than this are amounts, not classes.
pub const MAX_INTEGER_CLASSES: usize = 20;

/// How well the predictions of some rows fit their labels. What is undefined, or is not of this task, is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// What was measured.
    pub task: Task,
    /// Rows with a prediction and a label.
    pub rows: u64,
    /// The class whose precision and recall are given; none if they are the mean over all classes.
    pub positive: Option<String>,
    /// Share of rows whose prediction is the label.
    pub accuracy: Option<f64>,
    /// Share of the predicted positives that are positive; with more than two classes the mean over the classes.
    pub precision: Option<f64>,
    /// Share of the positives that are predicted so; with more than two classes the mean over the classes.
    pub recall: Option<f64>,
    /// Harmonic mean of both; with more than two classes the mean over the classes.
    pub f1: Option<f64>,
    /// Area under the receiver operating characteristic; equal scores count one half.
    pub roc_auc: Option<f64>,
    /// Mean squared difference of score and outcome.
    pub brier: Option<f64>,
    /// Mean negative log-likelihood of the outcome, scores clipped to the next number beside 0 and 1.
    pub log_loss: Option<f64>,
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Root mean squared error.
    pub rmse: Option<f64>,
    /// Share of the labels' variance that the prediction explains.
    pub r2: Option<f64>,
}

impl Performance {
    fn of_no_rows(task: Task) -> Self {
        Self {
            task,
            rows: 0,
            positive: None,
            accuracy: None,
            precision: None,
            recall: None,
            f1: None,
            roc_auc: None,
            brier: None,
            log_loss: None,
            mae: None,
            rmse: None,
            r2: None,
        }
    }

    /// The measure that speaks for the model: of those that are defined the one that leads.
    #[must_use]
    pub fn leading(&self) -> Option<(&'static Measure, f64)> {
        let ranked = MEASURES.iter().filter_map(|measure| Some((measure.rank?, measure)));
        let defined = ranked.filter_map(|(rank, measure)| Some((rank, measure, measure.of(self)?)));
        defined.min_by_key(|(rank, ..)| *rank).map(|(_, measure, value)| (measure, value))
    }

    /// Every measure that is defined, by name.
    pub fn measures(&self) -> impl Iterator<Item = (&'static str, f64)> {
        MEASURES.iter().filter_map(|measure| Some((measure.name, measure.of(self)?)))
    }
}

/// What is known of a model's labels, so that a window that happens to hold few of them is measured like the others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Labels {
    /// The classes met, up to one more than [`MAX_INTEGER_CLASSES`].
    classes: BTreeSet<String>,
    /// A label was a number that is not whole.
    fractions: bool,
    /// A label was text or a boolean.
    named: bool,
}

impl Labels {
    /// Learns from a column of labels.
    pub fn learn(&mut self, labels: &Series) {
        match labels.dtype() {
            DataType::String | DataType::Boolean => self.named |= labels.null_count() < labels.len(),
            DataType::Float64 => {
                let fractions = |v: f64| v.is_finite() && v.fract() != 0.0;
                self.fractions |= labels.f64().is_ok_and(|values| values.iter().flatten().any(fractions));
            }
            _ => {}
        }
        if self.classes.len() <= MAX_INTEGER_CLASSES {
            let room = MAX_INTEGER_CLASSES + 1;
            for class in classes(labels).into_iter().flatten() {
                if self.classes.len() >= room {
                    break;
                }
                self.classes.insert(class);
            }
        }
    }

    /// Takes in what another learnt.
    pub fn merge(&mut self, other: &Self) {
        self.fractions |= other.fractions;
        self.named |= other.named;
        for class in &other.classes {
            if self.classes.len() <= MAX_INTEGER_CLASSES {
                self.classes.insert(class.clone());
            }
        }
    }

    /// The task they speak of: text, booleans or a few whole numbers are classes, all else is an amount.
    #[must_use]
    pub fn task(&self) -> Option<Task> {
        if self.classes.is_empty() && !self.named && !self.fractions {
            None
        } else if self.named || (!self.fractions && self.classes.len() <= MAX_INTEGER_CLASSES) {
            Some(Task::Classification)
        } else {
            Some(Task::Regression)
        }
    }
}

/// Measures the predictions of rows that have a label. `positive` names the class of interest of a model with two classes;
/// without it, it is the one that sorts last (1 of 0 and 1, true of false and true).
///
/// Without scores, predictions between 0 and 1 that are no classes themselves are taken as scores, cut at one half.
#[must_use]
pub fn measure(
    task: Task,
    label: &Series,
    prediction: &Series,
    score: Option<&Series>,
    positive: Option<&str>,
    known: &Labels,
) -> Performance {
    match task {
        Task::Regression => {
            let (label, prediction) = (numbers(label), numbers(prediction));
            let pairs: Vec<(f64, f64)> =
                label.into_iter().zip(prediction).filter_map(|(l, p)| Some((l?, p?))).collect();
            regression::measure(&pairs)
        }
        Task::Classification => {
            // Held against numbers, false and true are 0 and 1.
            let same_form = label.dtype() == prediction.dtype();
            let as_numbers = |s: &Series| !same_form && s.dtype() == &DataType::Boolean;
            let in_numbers = |class: &String| match class.as_str() {
                "false" if !same_form => "0".to_owned(),
                "true" if !same_form => "1".to_owned(),
                _ => class.clone(),
            };
            let any_boolean = [label, prediction].iter().any(|s| s.dtype() == &DataType::Boolean);
            let known: BTreeSet<String> =
                known.classes.iter().map(|c| if any_boolean { in_numbers(c) } else { c.clone() }).collect();
            let positive = positive.map(|c| if any_boolean { in_numbers(&c.to_owned()) } else { c.to_owned() });
            let of = |s: &Series| if as_numbers(s) { classes_of_numbers(&numbers(s)) } else { classes(s) };
            let label = of(label);
            let scored = score.is_none() && is_score(prediction);
            let scores = if scored { Some(numbers(prediction)) } else { score.map(numbers) };
            let prediction = if scored { Vec::new() } else { of(prediction) };
            classification::measure(&label, &prediction, scores.as_deref(), positive.as_deref(), &known)
        }
    }
}

/// Each row's error: of classes 1 where another is predicted than the label says, else 0; of amounts, and of probabilities in the place of
/// classes, how far both lie apart. `None` without either.
#[must_use]
pub fn errors(task: Task, label: &Series, prediction: &Series) -> Vec<Option<f64>> {
    if task == Task::Regression || is_score(prediction) {
        let pairs = numbers(label).into_iter().zip(numbers(prediction));
        return pairs.map(|(label, prediction)| Some((label? - prediction?).abs())).collect();
    }
    let same_form = label.dtype() == prediction.dtype();
    let of = |series: &Series| {
        // Held against numbers, false and true are 0 and 1.
        if same_form || series.dtype() != &DataType::Boolean {
            classes(series)
        } else {
            classes_of_numbers(&numbers(series))
        }
    };
    let pairs = of(label).into_iter().zip(of(prediction));
    pairs.map(|(label, prediction)| Some(f64::from(u8::from(label? != prediction?)))).collect()
}

/// Numbers within [0, 1] of which some are no classes: probabilities where a class was expected.
fn is_score(prediction: &Series) -> bool {
    prediction.dtype() == &DataType::Float64
        && prediction.f64().is_ok_and(|values| {
            let mut fractions = false;
            let within = values.iter().flatten().all(|v| {
                fractions |= v.fract() != 0.0;
                (0.0..=1.0).contains(&v)
            });
            within && fractions
        })
}

/// The values as class names; a whole number is written as one whatever its type.
fn classes(series: &Series) -> Vec<Option<String>> {
    match series.dtype() {
        DataType::String => series.str().map(|v| v.iter().map(|v| v.map(str::to_owned)).collect()).unwrap_or_default(),
        DataType::Boolean => {
            series.bool().map(|v| v.iter().map(|v| v.map(|v| v.to_string())).collect()).unwrap_or_default()
        }
        DataType::Int64 => {
            series.i64().map(|v| v.iter().map(|v| v.map(|v| v.to_string())).collect()).unwrap_or_default()
        }
        DataType::UInt64 => {
            series.u64().map(|v| v.iter().map(|v| v.map(|v| v.to_string())).collect()).unwrap_or_default()
        }
        DataType::Float64 => classes_of_numbers(&numbers(series)),
        _ => vec![None; series.len()],
    }
}

fn classes_of_numbers(values: &[Option<f64>]) -> Vec<Option<String>> {
    values.iter().map(|v| v.map(|v| (v + 0.0).to_string())).collect()
}

/// The values as numbers; what is none, or not finite, is missing.
fn numbers(series: &Series) -> Vec<Option<f64>> {
    let all: Vec<Option<f64>> = match series.dtype() {
        DataType::Float64 => series.f64().map(|v| v.iter().collect()).unwrap_or_default(),
        DataType::Int64 => series.i64().map(|v| v.iter().map(|v| v.map(|v| v as f64)).collect()).unwrap_or_default(),
        DataType::UInt64 => series.u64().map(|v| v.iter().map(|v| v.map(|v| v as f64)).collect()).unwrap_or_default(),
        DataType::Boolean => {
            series.bool().map(|v| v.iter().map(|v| v.map(|v| f64::from(u8::from(v)))).collect()).unwrap_or_default()
        }
        _ => vec![None; series.len()],
    };
    all.into_iter().map(|value| value.filter(|value| value.is_finite())).collect()
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;

    fn task_of(labels: &Series) -> Option<Task> {
        let mut known = Labels::default();
        known.learn(labels);
        known.task()
    }

    #[test]
    fn the_task_is_found_from_the_labels() {
        let ints = |n: i64| Series::new("l".into(), (0..n).collect::<Vec<_>>());
        assert_eq!(task_of(&ints(20)), Some(Task::Classification));
        assert_eq!(task_of(&ints(21)), Some(Task::Regression));
        assert_eq!(task_of(&Series::new("l".into(), [0.0, 1.0])), Some(Task::Classification));
        assert_eq!(task_of(&Series::new("l".into(), [0.0, 1.5])), Some(Task::Regression));
        assert_eq!(task_of(&Series::new("l".into(), [true])), Some(Task::Classification));
        let texts: Vec<String> = (0..30).map(|i| i.to_string()).collect();
        assert_eq!(task_of(&Series::new("l".into(), texts)), Some(Task::Classification));
        assert_eq!(task_of(&Series::new("l".into(), [None::<f64>])), None);
    }

    #[test]
    fn each_row_has_its_error() {
        let of = |task, label: &Series, prediction: &Series| errors(task, label, prediction);
        let (label, prediction) = (Series::new("l".into(), [true, false]), Series::new("p".into(), [1.0, 1.0]));
        assert_eq!(of(Task::Classification, &label, &prediction), [Some(0.0), Some(1.0)]);
        let texts = Series::new("l".into(), [Some("a"), None]);
        assert_eq!(of(Task::Classification, &texts, &Series::new("p".into(), ["b", "b"])), [Some(1.0), None]);
        let scores = Series::new("p".into(), [0.75, 0.5]);
        assert_eq!(of(Task::Classification, &label, &scores), [Some(0.25), Some(0.5)]);
        let amounts = Series::new("l".into(), [Some(10.0), Some(f64::NAN)]);
        assert_eq!(of(Task::Regression, &amounts, &Series::new("p".into(), [12_i64, 3])), [Some(2.0), None]);
    }

    #[test]
    fn classes_of_unlike_types_are_compared_by_value() {
        let label = Series::new("l".into(), [true, false, true]);
        let prediction = Series::new("p".into(), [1.0, 0.0, 0.0]);
        let of = |l: &Series, p: &Series| measure(Task::Classification, l, p, None, None, &Labels::default());
        assert_eq!(of(&label, &prediction).accuracy, Some(2.0 / 3.0));
        let mut known = Labels::default();
        known.learn(&label);
        let scores = Series::new("s".into(), [0.9, 0.2, 0.4]);
        let measured = measure(Task::Classification, &label, &prediction, Some(&scores), None, &known);
        assert_eq!((measured.positive.as_deref(), measured.roc_auc), (Some("1"), Some(1.0)));
        let label = Series::new("l".into(), [1_i64, 0, 1]);
        assert_eq!(of(&label, &prediction).recall, Some(0.5));
        let probabilities = Series::new("p".into(), [0.9, 0.2, 0.4]);
        let measured = of(&label, &probabilities);
        assert_eq!((measured.accuracy, measured.roc_auc), (Some(2.0 / 3.0), Some(1.0)));
    }
}
