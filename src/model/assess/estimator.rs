//! How well the model does where no label says so: rows brought to `estimate`.

use polars::prelude::{DataType, Series};

use super::{Context, Error, Side, Table};
use crate::drift::modes::Mode;
use crate::drift::multi::Column;
use crate::estimate::cbpe::{Binary, Columns, Fitted, FittedMany, Many, Options, Scored, Way, fit, fit_many};
use crate::estimate::usual::usual;
use crate::estimate::{Estimate, dle};
use crate::frame::normal::ColumnKind;
use crate::performance::classes::MISSING;
use crate::performance::classification::{Rows, Scores};
use crate::performance::{Coded, Task, numbers};
use crate::stats::interval::Interval;

/// What a reference taught.
pub enum Estimator {
    /// Two classes.
    Two(Box<Fitted>, u32),
    /// More, with their names.
    Many(Box<FittedMany>, Vec<String>),
    /// Amounts, with the inputs.
    Amounts(Box<dle::Fitted>, Vec<Input>),
}

/// A side's classes as codes; without labels all are missing.
fn coded(side: &Side, (spec, task, known): Context<'_>, rows: usize) -> Coded {
    let empty = Series::new_empty("label".into(), &DataType::Boolean);
    let label = side.label.as_ref().unwrap_or(&empty);
    let columns = side.beside.columns(label, side.prediction.as_ref(), side.score.as_ref());
    let mut coded = Coded::of(&columns, &spec.measured(task, known));
    coded.label.resize(rows, MISSING);
    coded
}

/// The inputs of a regression, as the reference has them; `categories` says which of them are names. What the rows lack is missing.
fn inputs(data: &impl Table, wanted: &[Input]) -> Result<Vec<Column>, Error> {
    let one = |Input { name, is_number }: &Input| -> Result<Column, Error> {
        let Some(series) = data.column(name)? else {
            let rows = data.rows();
            return Ok(if *is_number { Column::Numbers(vec![None; rows]) } else { Column::Names(vec![None; rows]) });
        };
        if *is_number {
            return Ok(Column::Numbers(numbers(&series)));
        }
        let texts = series.cast(&DataType::String).map_err(|error| Error::Read(error.to_string()))?;
        let texts = texts.str().map_err(|error| Error::Read(error.to_string()))?;
        Ok(Column::Names(texts.iter().map(|text| text.map(str::to_owned)).collect()))
    };
    wanted.iter().map(one).collect()
}

/// A column that errors are estimated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    name: String,
    /// Else it holds names or truth values.
    is_number: bool,
}

/// The features of numbers, names or truth values, as many as are taken.
fn inputs_of(data: &impl Table, (spec, ..): Context<'_>) -> Vec<Input> {
    let features = data.names().into_iter().filter(|name| spec.is_feature(name));
    let usable = features.filter_map(|name| {
        let is_number = match data.kind(&name)? {
            ColumnKind::Number => !spec.categorical.contains(&name),
            ColumnKind::String | ColumnKind::Boolean => false,
            ColumnKind::Timestamp | ColumnKind::Numbers | ColumnKind::Strings => return None,
        };
        Some(Input { name, is_number })
    });
    usable.take(dle::MAX_COLUMNS - 1).collect()
}

/// Those of them that these rows have too, of the same kind.
fn shared(inputs: Vec<Input>, (samples, context): (&impl Table, Context<'_>)) -> Vec<Input> {
    let theirs = inputs_of(samples, context);
    inputs.into_iter().filter(|input| theirs.contains(input)).collect()
}

/// The classes with a score of each row, by their codes, in order.
fn of_classes<'a>(rows: &Rows<'a>) -> Option<Vec<&'a [f64]>> {
    let Scores::Classes(all) = rows.scores else { return None };
    let of = |code: u32| all.iter().find(|(class, _)| *class == code).map(|(_, scores)| scores.as_slice());
    (0..).take(rows.classes.len()).map(of).collect()
}

/// Learns from a reference with labels. `Err` says in words why nothing can be estimated.
///
/// Errors of amounts are learnt from features that `samples` have too, where it is known what those are.
///
/// # Errors
/// A column cannot be read.
pub fn learn<T: Table>(
    (reference, before): (&T, &Side),
    samples: Option<&T>,
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
        let mut wanted = inputs_of(reference, context);
        if let Some(samples) = samples {
            wanted = shared(wanted, (samples, context));
        }
        let plain = |series: &Series| numbers(series).into_iter().map(|v| v.unwrap_or(f64::NAN)).collect::<Vec<f64>>();
        let (predicted, label) = (plain(prediction), before.label.as_ref().map(plain).unwrap_or_default());
        let features = inputs(reference, &wanted)?;
        let fitted = dle::fit(&dle::Regression { features: &features, predicted: &predicted, label: &label }, None);
        return Ok(fitted.map(|fitted| Estimator::Amounts(Box::new(fitted), wanted)).map_err(|why| why.to_string()));
    }
    let rows = reference.rows();
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
    /// Of two classes: scores, and whether the positive one was predicted.
    Two(&'a Fitted, Vec<f64>, Vec<bool>),
    /// Of more: the scores of each, and which was predicted.
    Many(&'a FittedMany, Vec<Vec<f64>>, Vec<usize>),
    /// Of amounts: inputs and predictions.
    Amounts(&'a dle::Fitted, Vec<Column>, Vec<f64>),
}

impl Estimator {
    /// What estimates of a measure vary by from one part of a reference to the next; parts are the places of rows, each as long as a window.
    /// `None` of too few.
    ///
    /// # Errors
    /// A column cannot be read.
    pub fn usual(
        &self,
        reference: &impl Table,
        before: &Side,
        context: Context<'_>,
        (measure, parts): (&str, &[Vec<usize>]),
    ) -> Result<Option<Interval>, Error> {
        let quick = match self {
            Self::Two(fitted, positive) => {
                Some(Self::Two(Box::new(fitted.as_ref().clone().without_bands()), *positive))
            }
            Self::Many(fitted, classes) => {
                Some(Self::Many(Box::new(fitted.as_ref().clone().without_bands()), classes.clone()))
            }
            Self::Amounts(..) => None,
        };
        let Some(prepared) = quick.as_ref().unwrap_or(self).prepare(reference, before, context)? else {
            return Ok(None);
        };
        let value = |rows: &Vec<usize>| prepared.estimate(rows).figure(measure)?.value;
        Ok(usual(&parts.iter().filter_map(value).collect::<Vec<f64>>()))
    }

    /// Makes ready for the samples. `None` where they lack what it takes.
    ///
    /// # Errors
    /// A column cannot be read.
    pub fn prepare(
        &self,
        samples: &impl Table,
        side: &Side,
        context: Context<'_>,
    ) -> Result<Option<Prepared<'_>>, Error> {
        let rows = samples.rows();
        match self {
            Self::Amounts(fitted, names) => {
                let Some(prediction) = side.prediction.as_ref().or(side.score.as_ref()) else { return Ok(None) };
                let predicted = numbers(prediction).into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
                Ok(Some(Prepared::Amounts(fitted, inputs(samples, names)?, predicted)))
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
    #[must_use]
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
