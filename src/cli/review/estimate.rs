//! How well the model does where no label says so: the samples brought to `estimate`.

use polars::prelude::{DataType, Series};

use super::{Error, Side};
use crate::dataset::Dataset;
use crate::drift::modes::Mode;
use crate::drift::multi::Column;
use crate::estimate::cbpe::{Binary, Columns, Fitted, FittedMany, Many, Options, Scored, Way, fit, fit_many};
use crate::estimate::{Estimate, dle};
use crate::frame::normal::ColumnKind;
use crate::model::Spec;
use crate::performance::classes::MISSING;
use crate::performance::classification::{Rows, Scores};
use crate::performance::{Coded, Labels, Task, numbers};

/// What a reference taught.
pub enum Estimator {
    /// Two classes.
    Two(Box<Fitted>, u32),
    /// More, with their names.
    Many(Box<FittedMany>, Vec<String>),
    /// Amounts, with the names of the inputs.
    Amounts(Box<dle::Fitted>, Vec<String>),
}

type Context<'a> = (&'a Spec, Task, &'a Labels);

/// A side's classes as codes; without labels all are missing.
fn coded(side: &Side, (spec, task, known): Context<'_>, rows: usize) -> Coded {
    let empty = Series::new_empty(spec.label.as_str().into(), &DataType::Boolean);
    let label = side.label.as_ref().unwrap_or(&empty);
    let columns = side.beside.columns(label, side.prediction.as_ref(), side.score.as_ref());
    let mut coded = Coded::of(&columns, &spec.measured(task, known));
    coded.label.resize(rows, MISSING);
    coded
}

/// The inputs of a regression, those that the reference has.
fn inputs(data: &Dataset, names: &[String], spec: &Spec) -> Result<Vec<Column>, Error> {
    let one = |name: &String| -> Result<Column, Error> {
        let series = data.column(name)?;
        let is_number = matches!(data.field(name).map(|field| &field.kind), Some(Ok(Some(ColumnKind::Number))));
        if is_number && !spec.categorical.contains(name) {
            return Ok(Column::Numbers(numbers(&series)));
        }
        let texts = series.cast(&DataType::String)?;
        Ok(Column::Names(texts.str()?.iter().map(|text| text.map(str::to_owned)).collect()))
    };
    names.iter().map(one).collect()
}

/// Columns that both have, of numbers, names or truth values.
fn shared(reference: &Dataset, samples: &Dataset, spec: &Spec) -> Vec<String> {
    let kind = |data: &Dataset, name: &str| match data.field(name).map(|field| &field.kind) {
        Some(Ok(Some(kind @ (ColumnKind::Number | ColumnKind::String | ColumnKind::Boolean)))) => Some(*kind),
        _ => None,
    };
    let fields = reference.fields.iter().map(|field| &field.name);
    let both = fields.filter(|name| kind(reference, name).is_some() && kind(reference, name) == kind(samples, name));
    both.filter(|name| spec.is_feature(name)).take(dle::MAX_COLUMNS - 1).cloned().collect()
}

/// The classes with a score of each row, by their codes, in order.
fn of_classes<'a>(rows: &Rows<'a>) -> Option<Vec<&'a [f64]>> {
    let Scores::Classes(all) = rows.scores else { return None };
    let of = |code: u32| all.iter().find(|(class, _)| *class == code).map(|(_, scores)| scores.as_slice());
    (0..).take(rows.classes.len()).map(of).collect()
}

/// Learns from a reference with labels. `Err` says in words why nothing can be estimated.
pub fn learn(
    (reference, before): (&Dataset, &Side),
    samples: &Dataset,
    context: Context<'_>,
) -> Result<Result<Estimator, String>, Error> {
    let (spec, task, _) = context;
    if before.label.is_none() {
        return Ok(Err("the reference has no labels".to_owned()));
    }
    if task == Task::Regression {
        let Some(prediction) = before.prediction.as_ref().or(before.score.as_ref()) else {
            return Ok(Err("the reference has no predictions".to_owned()));
        };
        let names = shared(reference, samples, spec);
        let plain = |series: &Series| numbers(series).into_iter().map(|v| v.unwrap_or(f64::NAN)).collect::<Vec<f64>>();
        let (predicted, label) = (plain(prediction), before.label.as_ref().map(plain).unwrap_or_default());
        let features = inputs(reference, &names, spec)?;
        let fitted = dle::fit(&dle::Regression { features: &features, predicted: &predicted, label: &label }, None);
        return Ok(fitted.map(|fitted| Estimator::Amounts(Box::new(fitted), names)).map_err(|why| why.to_string()));
    }
    let rows = usize::try_from(reference.rows).unwrap_or(usize::MAX);
    let coded = coded(before, context, rows);
    let kernel = coded.rows();
    let way = if spec.thresholds.mode == Mode::NannyMl { Way::NannyMl } else { Way::Ours };
    let options = Options { way, ..Options::default() };
    let predicted = kernel.predicted();
    let labelled =
        || (0..rows).filter(|at| kernel.label[*at] != MISSING && predicted.get(*at).is_some_and(|p| *p != MISSING));
    if let Some(positive) = kernel.positive() {
        let all = kernel.scores_of(positive);
        if all.is_empty() {
            return Ok(Err("there are no scores".to_owned()));
        }
        let score: Vec<f64> = labelled().map(|at| all[at].unwrap_or(f64::NAN)).collect();
        let is = |codes: &[u32]| -> Vec<bool> { labelled().map(|at| codes[at] == positive).collect() };
        let (said, label) = (is(&predicted), is(kernel.label));
        let fitted = fit(&Binary { score: &score, predicted: Some(&said), label: &label }, &options);
        return Ok(fitted.map(|fitted| Estimator::Two(Box::new(fitted), positive)).map_err(|why| why.to_string()));
    }
    let Some(scores) = of_classes(&kernel) else {
        return Ok(Err("of more than two classes each needs a score (`scores`)".to_owned()));
    };
    let of: Vec<Vec<f64>> = scores.iter().map(|scores| labelled().map(|at| scores[at]).collect()).collect();
    let of: Vec<&[f64]> = of.iter().map(Vec::as_slice).collect();
    let places = |codes: &[u32]| -> Vec<usize> { labelled().map(|at| codes[at] as usize).collect() };
    let (said, label) = (places(&predicted), places(kernel.label));
    let reference = Many { classes: kernel.classes, score: &of, predicted: &said, label: &label };
    let classes = kernel.classes.to_vec();
    Ok(fit_many(&reference, &options)
        .map(|fitted| Estimator::Many(Box::new(fitted), classes))
        .map_err(|why| why.to_string()))
}

/// The samples as an estimator takes them; parts of them are estimated one by one.
pub enum Prepared<'a> {
    Two(&'a Fitted, Vec<f64>, Vec<bool>),
    Many(&'a FittedMany, Vec<Vec<f64>>, Vec<usize>),
    Amounts(&'a dle::Fitted, Vec<Column>, Vec<f64>),
}

impl Estimator {
    /// Makes ready for the samples. `None` where they lack what it takes.
    pub fn prepare(&self, samples: &Dataset, side: &Side, context: Context<'_>) -> Result<Option<Prepared<'_>>, Error> {
        let rows = usize::try_from(samples.rows).unwrap_or(usize::MAX);
        match self {
            Self::Amounts(fitted, names) => {
                let Some(prediction) = side.prediction.as_ref().or(side.score.as_ref()) else { return Ok(None) };
                let predicted = numbers(prediction).into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
                Ok(Some(Prepared::Amounts(fitted, inputs(samples, names, context.0)?, predicted)))
            }
            Self::Two(fitted, positive) => {
                let coded = coded(side, context, rows);
                let kernel = coded.rows();
                let scores = kernel.scores_of(*positive);
                if scores.is_empty() {
                    return Ok(None);
                }
                let predicted = kernel.predicted();
                // A row without a prediction has no part in it.
                let known = |(score, said): (Option<f64>, &u32)| score.filter(|_| *said != MISSING).unwrap_or(f64::NAN);
                let score = scores.into_iter().zip(&predicted).map(known).collect();
                Ok(Some(Prepared::Two(fitted, score, predicted.iter().map(|code| code == positive).collect())))
            }
            Self::Many(fitted, classes) => {
                let coded = coded(side, context, rows);
                let kernel = coded.rows();
                if kernel.classes != classes.as_slice() {
                    return Ok(None);
                }
                let Some(scores) = of_classes(&kernel) else { return Ok(None) };
                let said = kernel.predicted().iter().map(|code| *code as usize).collect();
                Ok(Some(Prepared::Many(fitted, scores.into_iter().map(<[f64]>::to_vec).collect(), said)))
            }
        }
    }
}

impl Prepared<'_> {
    /// What is to be expected of these rows.
    pub fn estimate(&self, rows: &[usize]) -> Estimate {
        fn some<T: Copy>(of: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().filter_map(|row| of.get(*row).copied()).collect()
        }
        match self {
            Self::Two(fitted, score, predicted) => {
                fitted.estimate(&Scored { score: &some(score, rows), predicted: Some(&some(predicted, rows)) })
            }
            Self::Many(fitted, scores, predicted) => {
                let of: Vec<Vec<f64>> = scores.iter().map(|scores| some(scores, rows)).collect();
                let of: Vec<&[f64]> = of.iter().map(Vec::as_slice).collect();
                fitted.estimate(&Columns { score: &of, predicted: &some(predicted, rows) })
            }
            Self::Amounts(fitted, inputs, predicted) => {
                let part = |column: &Column| match column {
                    Column::Numbers(values) => Column::Numbers(some(values, rows)),
                    Column::Names(names) => {
                        Column::Names(rows.iter().filter_map(|row| names.get(*row).cloned()).collect())
                    }
                };
                let inputs: Vec<Column> = inputs.iter().map(part).collect();
                fitted.estimate(&inputs, &some(predicted, rows))
            }
        }
    }
}
