//! How well predictions fit the labels that came for them.
//!
//! The kernels (`classification`, `regression`) work on slices; here the task is found and columns are brought to them.

pub mod calibration;
pub mod classes;
pub mod classification;
pub mod confusion;
pub mod cost;
pub mod detail;
pub mod figure;
pub mod influence;
pub mod interval;
pub mod measures;
pub mod ranked;
pub mod ranking;
pub mod regression;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{DataType, Series};
use serde::{Deserialize, Serialize};

use classes::{Classes, Form, reorder};
use classification::Scores;
use cost::Cost;
use detail::Detail;
use figure::Figure;
use interval::Within;
use measures::{MEASURES, Measure};

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of a few classes.
    #[serde(alias = "binary", alias = "multiclass")]
    Classification,
    /// A number.
    Regression,
}

/// Whole-numbered labels with more distinct values than this are amounts, not classes.
pub const MAX_INTEGER_CLASSES: usize = 20;

/// How well the predictions of some rows fit their labels. What is undefined, or is not of this task, is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Share of the negatives that are predicted so; of two classes.
    #[serde(default)]
    pub specificity: Option<f64>,
    /// Harmonic mean of both; with more than two classes the mean over the classes.
    pub f1: Option<f64>,
    /// Area under the receiver operating characteristic; equal scores count one half.
    pub roc_auc: Option<f64>,
    /// Area under the curve of precision over recall, as average precision; of two classes.
    #[serde(default)]
    pub pr_auc: Option<f64>,
    /// Mean squared difference of score and outcome.
    pub brier: Option<f64>,
    /// Mean negative log-likelihood of the outcome, scores clipped to the next number beside 0 and 1.
    pub log_loss: Option<f64>,
    /// Expected calibration error, in ten bins of equal width; of two classes.
    #[serde(default)]
    pub ece: Option<f64>,
    /// Mean cost of a row, by the model's costs.
    #[serde(default)]
    pub cost: Option<f64>,
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Root mean squared error.
    pub rmse: Option<f64>,
    /// Share of the labels' variance that the prediction explains.
    pub r2: Option<f64>,
    /// Mean absolute error over the label's size; undefined where a label is 0.
    #[serde(default)]
    pub mape: Option<f64>,
    /// Mean loss of a prediction of the quantile that the model names.
    #[serde(default)]
    pub quantile_loss: Option<f64>,
    /// Mean normalised discounted cumulative gain over the groups.
    #[serde(default)]
    pub ndcg: Option<f64>,
    /// Rows of the rarest class that was met.
    #[serde(default)]
    pub rarest: Option<u64>,
    /// Where they may lie, at 95 %, by their names. How each is made stands in [`interval`].
    #[serde(default)]
    pub intervals: BTreeMap<String, Within>,
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
            specificity: None,
            f1: None,
            roc_auc: None,
            pr_auc: None,
            brier: None,
            log_loss: None,
            ece: None,
            cost: None,
            mae: None,
            rmse: None,
            r2: None,
            mape: None,
            quantile_loss: None,
            ndcg: None,
            rarest: None,
            intervals: BTreeMap::new(),
        }
    }

    /// Keeps a figure under its name.
    fn set(&mut self, name: &str, figure: Figure) {
        if let Some(measure) = MEASURES.iter().find(|measure| measure.name == name) {
            *measure.place(self) = figure.value;
            self.intervals.remove(name);
            self.intervals
                .extend(figure.interval.filter(|_| figure.value.is_some()).map(|interval| (name.to_owned(), interval)));
        }
    }

    /// Where a measure may lie.
    #[must_use]
    pub fn interval(&self, name: &str) -> Option<Within> {
        self.intervals.get(name).copied()
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
            let mut met = Classes::default();
            met.read(labels, Form::Own);
            let (names, _) = met.in_order();
            let room = room.saturating_sub(self.classes.len());
            self.classes.extend(names.into_iter().take(room));
        }
    }

    /// The same without amounts: of an amount's labels no class is one, and what was met before that was known is nobody's business.
    #[must_use]
    pub fn without_amounts(self) -> Self {
        if self.task() != Some(Task::Regression) {
            return self;
        }
        let classes = self.classes.iter().enumerate().map(|(at, _)| at.to_string()).collect();
        Self { classes, ..self }
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

/// Columns of rows that have a label.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// What was true.
    pub label: &'a Series,
    /// What was predicted. Without scores, predictions between 0 and 1 that are no classes themselves are taken as scores, cut at one half.
    pub prediction: Option<&'a Series>,
    /// How sure the model was of the positive class.
    pub score: Option<&'a Series>,
    /// How sure it was of each class, by name.
    pub scores: &'a [(String, Series)],
    /// Which rows are ranked together.
    pub group: Option<&'a Series>,
}

/// How they are to be read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What was predicted.
    pub task: Task,
    /// The class of interest of a model with two classes; without it, it is the one that sorts last (1 of 0 and 1, true of false and true).
    pub positive: Option<&'a str>,
    /// Classes that were met elsewhere.
    pub known: &'a Labels,
    /// What mistakes cost.
    pub costs: &'a [Cost],
    /// The level of the quantile that is predicted.
    pub quantile: Option<f64>,
    /// Rows of a group that are looked at.
    pub top: usize,
}

impl<'a> Wanted<'a> {
    /// The task alone, all else as it is by default.
    #[must_use]
    pub fn new(task: Task, known: &'a Labels) -> Self {
        Self { task, positive: None, known, costs: &[], quantile: None, top: TOP }
    }
}

/// Rows of a group that are looked at by default.
pub const TOP: usize = 10;

/// Measures the predictions of rows that have a label, and says what stands behind a classifier's measures.
#[must_use]
pub fn measure(columns: &Columns<'_>, wanted: &Wanted<'_>) -> (Performance, Option<Detail>) {
    let (mut performance, detail) = match wanted.task {
        Task::Regression => {
            let Some(prediction) = columns.prediction.or(columns.score) else {
                return (Performance::of_no_rows(Task::Regression), None);
            };
            let pairs = numbers(columns.label).into_iter().zip(numbers(prediction));
            let pairs: Vec<(f64, f64)> = pairs.filter_map(|(label, predicted)| Some((label?, predicted?))).collect();
            (regression::measure(&pairs, wanted.quantile), None)
        }
        Task::Classification => {
            let coded = Coded::of(columns, wanted);
            let (performance, detail) = classification::measure(&coded.rows());
            (performance, Some(detail))
        }
    };
    if let (Some(group), Some(score)) = (columns.group, columns.score.or(columns.prediction)) {
        let group = Classes::default().read(group, Form::Own);
        let rows = group.into_iter().zip(numbers(score)).zip(numbers(columns.label));
        let rows = rows.filter(|((group, _), _)| *group != classes::MISSING);
        let rows = rows.filter_map(|((group, score), gain)| Some((group, score?, gain?)));
        performance.set("ndcg", ranking::ndcg(rows, wanted.top));
    }
    (performance, detail)
}

/// A classifier's columns as codes and numbers.
#[derive(Debug, Clone)]
pub struct Coded {
    /// The classes in order.
    pub classes: Vec<String>,
    /// What was true.
    pub label: Vec<u32>,
    /// What was predicted, where it is told.
    pub prediction: Option<Vec<u32>>,
    /// How sure the model was of the positive class; NaN where it is missing.
    pub score: Option<Vec<f64>>,
    /// Of each class.
    pub scores: Vec<(u32, Vec<f64>)>,
    /// The class of interest.
    pub positive: Option<u32>,
    /// What mistakes cost: predicted, label, money.
    pub costs: Vec<(u32, u32, f64)>,
}

impl Coded {
    /// Reads the columns.
    #[must_use]
    pub fn of(columns: &Columns<'_>, wanted: &Wanted<'_>) -> Self {
        let told = columns.prediction;
        let scored = columns.score.is_none() && columns.scores.is_empty() && told.is_some_and(is_score);
        // Held against numbers, false and true are 0 and 1.
        let is_boolean = |series: &Series| series.dtype() == &DataType::Boolean;
        let mixed = told.is_some_and(|prediction| prediction.dtype() != columns.label.dtype());
        let any_boolean = [Some(columns.label), told].into_iter().flatten().any(is_boolean);
        let form = if mixed && any_boolean { Form::Numbers } else { Form::Own };
        let renamed = |class: &str| match class {
            "false" if form == Form::Numbers => "0".to_owned(),
            "true" if form == Form::Numbers => "1".to_owned(),
            _ => class.to_owned(),
        };
        let mut classes = Classes::default();
        let mut label = classes.read(columns.label, form);
        let mut prediction = told.filter(|_| !scored).map(|prediction| classes.read(prediction, form));
        let mut code = |class: &str| classes.code(&renamed(class));
        for class in &wanted.known.classes {
            code(class);
        }
        let mut scores: Vec<(u32, Vec<f64>)> =
            columns.scores.iter().map(|(class, scores)| (code(class), plain(scores))).collect();
        let mut costs: Vec<(u32, u32, f64)> =
            wanted.costs.iter().map(|cost| (code(&cost.predicted), code(&cost.label), cost.cost)).collect();
        let (names, moved) = classes.in_order();
        reorder(&mut label, &moved);
        if let Some(prediction) = &mut prediction {
            reorder(prediction, &moved);
        }
        for (class, _) in &mut scores {
            reorder(std::slice::from_mut(class), &moved);
        }
        for (predicted, label, _) in &mut costs {
            reorder(std::slice::from_mut(predicted), &moved);
            reorder(std::slice::from_mut(label), &moved);
        }
        let positive = wanted.positive.map(renamed).and_then(|positive| names.binary_search(&positive).ok());
        Self {
            positive: positive.and_then(|place| u32::try_from(place).ok()),
            score: if scored { told.map(plain) } else { columns.score.map(plain) },
            classes: names,
            label,
            prediction,
            scores,
            costs,
        }
    }

    /// As the kernel takes them.
    #[must_use]
    pub fn rows(&self) -> classification::Rows<'_> {
        classification::Rows {
            classes: &self.classes,
            label: &self.label,
            prediction: self.prediction.as_deref(),
            scores: match &self.score {
                Some(score) => Scores::Positive(score),
                None if self.scores.is_empty() => Scores::None,
                None => Scores::Classes(&self.scores),
            },
            positive: self.positive,
            costs: &self.costs,
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
    let known = Labels::default();
    let columns = Columns { label, prediction: Some(prediction), score: None, scores: &[], group: None };
    let coded = Coded::of(&columns, &Wanted::new(task, &known));
    let told = coded.prediction.unwrap_or_default();
    let is_known = |code: u32| code != classes::MISSING;
    let pairs = coded.label.into_iter().zip(told);
    pairs.map(|(l, p)| (is_known(l) && is_known(p)).then(|| f64::from(u8::from(l != p)))).collect()
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

/// The values as numbers; what is none, or not finite, is missing.
#[must_use]
pub fn numbers(series: &Series) -> Vec<Option<f64>> {
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
mod coverage;

/// The values as plain numbers; what is none is NaN.
fn plain(series: &Series) -> Vec<f64> {
    numbers(series).into_iter().map(|value| value.unwrap_or(f64::NAN)).collect()
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
        fn measured(label: &Series, prediction: &Series, score: Option<&Series>, known: &Labels) -> Performance {
            let columns = Columns { label, prediction: Some(prediction), score, scores: &[], group: None };
            measure(&columns, &Wanted::new(Task::Classification, known)).0
        }
        let none = Labels::default();
        let of = |l: &Series, p: &Series| measured(l, p, None, &none);
        assert_eq!(of(&label, &prediction).accuracy, Some(2.0 / 3.0));
        let mut known = Labels::default();
        known.learn(&label);
        let scores = Series::new("s".into(), [0.9, 0.2, 0.4]);
        let measured = measured(&label, &prediction, Some(&scores), &known);
        assert_eq!((measured.positive.as_deref(), measured.roc_auc), (Some("1"), Some(1.0)));
        let label = Series::new("l".into(), [1_i64, 0, 1]);
        assert_eq!(of(&label, &prediction).recall, Some(0.5));
        let probabilities = Series::new("p".into(), [0.9, 0.2, 0.4]);
        let measured = of(&label, &probabilities);
        assert_eq!((measured.accuracy, measured.roc_auc), (Some(2.0 / 3.0), Some(1.0)));
    }
}
