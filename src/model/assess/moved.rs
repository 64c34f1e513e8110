//! What moved the model's errors and its predictions: both sides' rows brought to `attribution`.

use std::panic::resume_unwind;
use std::thread::scope;

use polars::prelude::{DataType, IdxCa, Series};

use super::{Context, Error, Side, Table};
use crate::attribution::{MOST_ROWS, Moved, Moving, Settings, Sides, attribute};
use crate::frame::normal::ColumnKind;
use crate::performance::classes::MISSING;
use crate::performance::{Coded as Classes, Task, errors, numbers};
use crate::segment::axis::Column;
use crate::segment::coded::Coded;
use crate::stats::pick::spread;

type Values = Vec<Option<f64>>;

/// A value of each row: the reference's, and the current ones.
struct Both {
    of: String,
    values: [Values; 2],
    /// How many such values it was picked from.
    picked_from: usize,
}

/// Of the reference's rows and those that are asked about, by the features that both have.
///
/// # Errors
/// A column cannot be read.
pub fn moved<T: Table>(
    (reference, before): (&T, &Side),
    (rows, current): (&T, &Side),
    context: Context<'_>,
) -> Result<Moved, Error> {
    let (spec, task, _) = context;
    let (was, is) = (Said::of(before, reference.rows(), context), Said::of(current, rows.rows(), context));
    let all = [errors_of(task, &was, &is), predictions(&was, &is)].map(|both| {
        both.map(|both| {
            let places = both.values.each_ref().map(places);
            (both, places, Vec::new())
        })
    });
    let [mut error, mut prediction] = all;
    for name in rows.names().into_iter().filter(|name| spec.is_feature(name)) {
        let kind = rows.kind(&name).filter(|kind| reference.kind(&name).as_ref() == Some(kind));
        let as_names = match kind {
            Some(ColumnKind::Number) => spec.categorical.contains(&name),
            Some(ColumnKind::String | ColumnKind::Boolean) => true,
            _ => continue,
        };
        let (Some(was), Some(is)) = (reference.column(&name)?, rows.column(&name)?) else { continue };
        let sides = [was, is];
        for (_, places, columns) in [&mut error, &mut prediction].into_iter().flatten() {
            columns.extend(column(&name, &sides, places, as_names)?);
        }
    }
    let explained = |of: Option<(Both, [Vec<usize>; 2], Vec<Column>)>| {
        of.map(|(both, places, columns)| explained(both, &places, &columns))
    };
    let (error, prediction) = scope(|scope| {
        let other = scope.spawn(|| explained(prediction));
        (explained(error), other.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    Ok(Moved { error, prediction })
}

/// The rows with a value that are looked at.
fn places(values: &Values) -> Vec<usize> {
    let known: Vec<usize> =
        values.iter().enumerate().filter(|(_, value)| value.is_some()).map(|(place, _)| place).collect();
    spread(known.len(), MOST_ROWS).filter_map(|at| known.get(at).copied()).collect()
}

fn explained(both: Both, places: &[Vec<usize>; 2], columns: &[Column]) -> Moving {
    let taken = both.values.iter().zip(places);
    let values: Values = taken.flat_map(|(of, rows)| rows.iter().filter_map(|row| of.get(*row).copied())).collect();
    let default = Settings::default();
    let settings = Settings { alpha: default.alpha / both.picked_from as f64, ..default };
    let sides = Sides { columns, values: &values, reference: places[0].len() };
    let rows = both.values.map(|values| values.iter().flatten().count() as u64);
    match attribute(&sides, &settings) {
        Ok(found) => Moving { of: both.of, rows, found: Some(found), reason: None },
        Err(why) => Moving { of: both.of, rows, found: None, reason: Some(why.to_string()) },
    }
}

/// A feature's rows of both sides, one after another.
fn column(name: &str, sides: &[Series; 2], places: &[Vec<usize>; 2], as_names: bool) -> Result<Option<Column>, Error> {
    let index = |places: &[usize]| -> IdxCa {
        IdxCa::from_vec("rows".into(), places.iter().filter_map(|row| u32::try_from(*row).ok()).collect())
    };
    let (mut whole, now) = (sides[0].take(&index(&places[0]))?, sides[1].take(&index(&places[1]))?);
    if !as_names {
        let values = [numbers(&whole), numbers(&now)].concat();
        return Ok(Some(Column::Numbers { name: name.to_owned(), values }));
    }
    if whole.dtype() == now.dtype() {
        whole.append(&now)?;
    } else {
        // Whole numbers on one side alone.
        whole = whole.cast(&DataType::Float64)?;
        whole.append(&now.cast(&DataType::Float64)?)?;
    }
    Ok(Coded::of_series(&whole).map(|coded| Column::Values(Coded { name: name.to_owned(), ..coded })))
}

/// What the model said of a side's rows, and how far it was wrong.
struct Said {
    /// The classes; none of amounts.
    classes: Vec<String>,
    /// Of amounts what is predicted, of two classes the score of the positive one.
    number: Option<(String, Values)>,
    /// The class predicted, by its place.
    predicted: Vec<u32>,
    /// `None` without labels.
    error: Option<Values>,
}

impl Said {
    fn of(side: &Side, rows: usize, (spec, task, known): Context<'_>) -> Self {
        if task == Task::Regression {
            let prediction = side.prediction.as_ref().or(side.score.as_ref());
            let error = side.label.as_ref().zip(prediction).map(|(label, prediction)| errors(task, label, prediction));
            let number = prediction.map(|prediction| ("prediction".to_owned(), numbers(prediction)));
            return Self { classes: Vec::new(), number, predicted: Vec::new(), error };
        }
        let empty = Series::new_empty("label".into(), &DataType::Boolean);
        let label = side.label.as_ref().unwrap_or(&empty);
        let columns = side.beside.columns(label, side.prediction.as_ref(), side.score.as_ref());
        let mut classes = Classes::of(&columns, &spec.measured(task, known));
        classes.label.resize(rows, MISSING);
        let kernel = classes.rows();
        let predicted = kernel.predicted();
        let wrong = |(told, label): (&u32, &u32)| {
            (*told != MISSING && *label != MISSING).then(|| f64::from(u8::from(told != label)))
        };
        let error = side.label.as_ref().map(|_| predicted.iter().zip(kernel.label).map(wrong).collect());
        let score = kernel.positive().and_then(|positive| {
            let scores = kernel.scores_of(positive);
            let name = kernel.classes.get(positive as usize)?;
            (!scores.is_empty()).then(|| (format!("score of {name}"), scores))
        });
        Self { number: score, error, classes: classes.classes, predicted }
    }

    /// 1 where the class is predicted, 0 where another is.
    fn is(&self, class: &str) -> Values {
        let code = (0..).zip(&self.classes).find(|(_, name)| *name == class).map(|(code, _)| code);
        let is = |told: &u32| (*told != MISSING).then(|| f64::from(u8::from(Some(*told) == code)));
        self.predicted.iter().map(is).collect()
    }
}

fn errors_of(task: Task, was: &Said, is: &Said) -> Option<Both> {
    let of = if task == Task::Regression { "absolute error" } else { "share of wrong predictions" };
    let (before, now) = (was.error.clone()?, is.error.clone()?);
    let is_known = |values: &Values| values.iter().any(Option::is_some);
    (is_known(&before) && is_known(&now)).then(|| Both { of: of.to_owned(), values: [before, now], picked_from: 1 })
}

/// Of amounts what is predicted, of two classes the score, else how often one is predicted: that whose share moved most.
fn predictions(was: &Said, is: &Said) -> Option<Both> {
    if let (Some((of, before)), Some((_, now))) = (&was.number, &is.number) {
        return Some(Both { of: of.clone(), values: [before.clone(), now.clone()], picked_from: 1 });
    }
    let share = |values: &Values| {
        let known = values.iter().flatten().count() as f64;
        values.iter().flatten().sum::<f64>() / known.max(1.0)
    };
    let mut names = [was.classes.as_slice(), is.classes.as_slice()].concat();
    names.sort();
    names.dedup();
    let of_class = |name: &String| {
        let values = [was.is(name), is.is(name)];
        let moved = (share(&values[1]) - share(&values[0])).abs();
        (moved, name.clone(), values)
    };
    // Of two each says all, and the second is the positive one.
    let picked_from = if names.len() == 2 { 1 } else { names.len() };
    let most = names.iter().rev().map(of_class).reduce(|one, other| if other.0 > one.0 + 1e-12 { other } else { one });
    most.map(|(_, name, values)| Both { of: format!("share predicted {name}"), values, picked_from })
}
