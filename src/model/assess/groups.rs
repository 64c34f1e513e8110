//! Whether the model does as well by every group, and where it does worst: columns brought to `fairness` and `segment`.

use polars::prelude::{DataType, IdxCa, Series};

use super::{Context, Error, Side, Table};
use crate::fairness::{self, Fair, Rows, Settings, amounts};
use crate::frame::normal::ColumnKind;
use crate::model::Spec;
use crate::performance::classes::MISSING;
use crate::performance::{Coded as Classes, Performance, Task, errors, numbers};
use crate::segment::axis::Column;
use crate::segment::bins::Bins;
use crate::segment::by::{By, by};
use crate::segment::coded::Coded;
use crate::segment::search::{self, Found, search};

/// Protected columns of which pairs are crossed.
const CROSSED: usize = 4;
/// Values of each that a pair is made of.
const VALUES: usize = 30;

/// The figures of each protected attribute that the rows have, and of two crossed.
///
/// # Errors
/// An attribute is of no values that groups are made of.
pub fn fairness(
    samples: &impl Table,
    side: &Side,
    (spec, task, known): Context<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<Fair>, Error> {
    let mut attributes = Vec::new();
    for protected in &spec.protected {
        let column = &protected.column;
        let Some(series) = samples.column(column)? else {
            notes.push(format!("Groups by `{column}` (protected) are not compared: there is no such column."));
            continue;
        };
        let coded = Coded::of_series(&series).ok_or_else(|| {
            Error::Read(format!("protected column `{column}`: is of no values that groups are made of"))
        })?;
        attributes.push((coded, protected.privileged.clone()));
    }
    let mut crossed = Vec::new();
    for (at, (one, _)) in attributes.iter().take(CROSSED).enumerate() {
        crossed
            .extend(attributes.iter().take(CROSSED).skip(at + 1).map(|(other, _)| (one.crossed(other, VALUES), None)));
    }
    attributes.extend(crossed);
    if attributes.is_empty() {
        return Ok(Vec::new());
    }
    let settings = |privileged: &Option<String>| Settings { privileged: privileged.clone(), ..Settings::default() };
    let empty = Series::new_empty("label".into(), &DataType::Boolean);
    let label = side.label.as_ref().unwrap_or(&empty);
    if task == Task::Regression {
        let Some(prediction) = side.prediction.as_ref().or(side.score.as_ref()) else { return Ok(Vec::new()) };
        let (prediction, label) = (numbers(prediction), numbers(label));
        let of = |(attribute, privileged): &(Coded, Option<String>)| {
            Fair::Amounts(Box::new(amounts::measure(attribute, &prediction, &label, &settings(privileged))))
        };
        return Ok(attributes.iter().map(of).collect());
    }
    let columns = side.beside.columns(label, side.prediction.as_ref(), side.score.as_ref());
    let mut classes = Classes::of(&columns, &spec.measured(task, known));
    classes.label.resize(samples.rows(), MISSING);
    let kernel = classes.rows();
    let favourable = match &spec.favourable {
        Some(class) => kernel.code(class),
        None => kernel.positive(),
    };
    let Some(favourable) = favourable else {
        notes.push(
            "Groups are not compared: of more than two classes `favourable` must name the one that is good to get."
                .to_owned(),
        );
        return Ok(Vec::new());
    };
    let is = |codes: &[u32]| -> Vec<Option<bool>> {
        codes.iter().map(|code| (*code != MISSING).then_some(*code == favourable)).collect()
    };
    let (selected, positive, score) = (is(&kernel.predicted()), is(kernel.label), kernel.scores_of(favourable));
    let rows = Rows { selected: &selected, positive: &positive, score: &score };
    let of = |(attribute, privileged): &(Coded, Option<String>)| {
        Fair::Shares(Box::new(fairness::measure(attribute, &rows, &settings(privileged))))
    };
    Ok(attributes.iter().map(of).collect())
}

/// A column of the samples as segments are made of it, of some of the rows where they are named.
fn column(samples: &impl Table, name: &str, rows: Option<&IdxCa>, spec: &Spec) -> Result<Option<Column>, Error> {
    let Some(kind) = samples.kind(name) else { return Ok(None) };
    let is_number = kind == ColumnKind::Number && !spec.categorical.iter().any(|of| of == name);
    let read = || match rows {
        Some(rows) => samples.taken(name, rows),
        None => samples.column(name),
    };
    Ok(match kind {
        _ if is_number => read()?.map(|series| Column::Numbers { name: name.to_owned(), values: numbers(&series) }),
        ColumnKind::Number | ColumnKind::String | ColumnKind::Boolean => {
            read()?.and_then(|series| Coded::of_series(&series)).map(Column::Values)
        }
        ColumnKind::Timestamp | ColumnKind::Numbers | ColumnKind::Strings => None,
    })
}

/// Where it does worst: by rows that are wrong, of classes, else by how far they are. The side is of these rows of the samples, or of all.
///
/// # Errors
/// A column cannot be read.
pub fn worst(
    samples: &impl Table,
    side: &Side,
    rows: Option<&IdxCa>,
    (spec, task, _): Context<'_>,
) -> Result<Option<Found>, Error> {
    let (Some(label), Some(prediction)) = (&side.label, side.prediction.as_ref().or(side.score.as_ref())) else {
        return Ok(None);
    };
    let loss = errors(task, label, prediction);
    if loss.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut columns = Vec::new();
    for name in samples.names() {
        if spec.is_feature(&name) {
            columns.extend(column(samples, &name, rows, spec)?);
        }
    }
    Ok(Some(search(&columns, &loss, &search::Settings::default())))
}

/// Bins of a number, and values of names, that are told one by one.
const TOLD: usize = 20;
const BINS: usize = 10;

/// The measures by the values of each column that the description names and the rows have.
///
/// # Errors
/// A column cannot be read.
pub fn by_columns(
    samples: &impl Table,
    side: &Side,
    (spec, task, known): Context<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<By<Option<Performance>>>, Error> {
    let mut all = Vec::new();
    for name in &spec.segments {
        let coded = match column(samples, name, None, spec)? {
            Some(Column::Values(coded)) => coded,
            Some(Column::Numbers { name, values }) => match Bins::of(&values, BINS) {
                Some(bins) => bins.coded(&name, &values),
                None => continue,
            },
            None if samples.kind(name).is_none() => {
                notes.push(format!("Nothing is told by `{name}` (segments): there is no such column."));
                continue;
            }
            None => {
                return Err(Error::Read(format!(
                    "segments column `{name}`: holds times or lists, no values or numbers"
                )));
            }
        };
        let measured = |rows: &[usize]| {
            let part = side.part(rows).ok()?;
            part.measured((spec, task, known)).map(|(performance, _)| performance)
        };
        all.push(by(&coded, TOLD, measured));
    }
    Ok(all)
}
