//! Whether the model does as well by every group, and where it does worst: the samples' columns brought to `fairness` and `segment`.

use polars::prelude::{DataType, IdxCa, Series};

use super::{Error, Side};
use crate::dataset::Dataset;
use crate::fairness::{self, Rows, Settings, amounts};
use crate::frame::normal::ColumnKind;
use crate::model::Spec;
use crate::performance::classes::MISSING;
use crate::performance::{Coded as Classes, Labels, Performance, Task, errors, numbers};
use crate::review::Fair;
use crate::segment::axis::Column;
use crate::segment::bins::Bins;
use crate::segment::by::{By, by};
use crate::segment::coded::Coded;
use crate::segment::search::{self, Found, search};

/// Protected columns of which pairs are crossed.
const CROSSED: usize = 4;
/// Values of each that a pair is made of.
const VALUES: usize = 30;

/// The figures of each protected attribute, and of two crossed.
pub fn fairness(
    samples: &Dataset,
    side: &Side,
    (spec, task, known): (&Spec, Task, &Labels),
    notes: &mut Vec<String>,
) -> Result<Vec<Fair>, Error> {
    let mut attributes = Vec::new();
    for protected in &spec.protected {
        let column = &protected.column;
        if samples.field(column).is_none() {
            let file = samples.path().display().to_string();
            return Err(Error::Column { file, column: column.clone() });
        }
        let coded = Coded::of_series(&samples.column(column)?);
        let coded = coded.ok_or_else(|| {
            Error::Frame(format!("protected column `{column}`: is of no values that groups are made of"))
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
    let empty = Series::new_empty(spec.label.as_str().into(), &DataType::Boolean);
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
    let rows = usize::try_from(samples.rows).unwrap_or(usize::MAX);
    classes.label.resize(rows, MISSING);
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

/// Some rows of a column, which are in order; of the others no more is held than a part of the file.
fn some_rows(samples: &Dataset, name: &str, rows: &IdxCa) -> Result<Series, Error> {
    let mut rows = rows.iter().flatten().peekable();
    let mut all: Option<Series> = None;
    let mut begun = 0;
    for part in samples.parts(name) {
        let part = part?;
        let end = begun + u32::try_from(part.len()).unwrap_or(u32::MAX);
        let here = std::iter::from_fn(|| rows.next_if(|row| *row < end)).map(|row| row - begun).collect();
        let some = part.take(&IdxCa::from_vec("rows".into(), here))?;
        match &mut all {
            Some(all) => {
                all.append_owned(some)?;
            }
            None => all = Some(some),
        }
        begun = end;
    }
    Ok(all.unwrap_or_else(|| Series::new_empty(name.into(), &DataType::Boolean)))
}

/// A column of the samples as segments are made of it, of some of the rows where they are named.
fn column(samples: &Dataset, name: &str, rows: Option<&IdxCa>, spec: &Spec) -> Result<Option<Column>, Error> {
    let Some(Ok(Some(kind))) = samples.field(name).map(|field| field.kind.clone()) else { return Ok(None) };
    let is_number = kind == ColumnKind::Number && !spec.categorical.iter().any(|of| of == name);
    let read = || match rows {
        Some(rows) => some_rows(samples, name, rows),
        None => Ok(samples.column(name)?),
    };
    Ok(match kind {
        _ if is_number => Some(Column::Numbers { name: name.to_owned(), values: numbers(&read()?) }),
        ColumnKind::Number | ColumnKind::String | ColumnKind::Boolean => Coded::of_series(&read()?).map(Column::Values),
        ColumnKind::Timestamp | ColumnKind::Numbers | ColumnKind::Strings => None,
    })
}

/// Where it does worst: by rows that are wrong, of classes, else by how far they are. The side is of these rows of the samples, or of all.
pub fn worst(
    samples: &Dataset,
    side: &Side,
    rows: Option<&IdxCa>,
    (spec, task): (&Spec, Task),
) -> Result<Option<Found>, Error> {
    let (Some(label), Some(prediction)) = (&side.label, side.prediction.as_ref().or(side.score.as_ref())) else {
        return Ok(None);
    };
    let loss = errors(task, label, prediction);
    if loss.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut columns = Vec::new();
    for field in &samples.fields {
        if spec.is_feature(&field.name) {
            columns.extend(column(samples, &field.name, rows, spec)?);
        }
    }
    Ok(Some(search(&columns, &loss, &search::Settings::default())))
}

/// Bins of a number, and values of names, that are told one by one.
const TOLD: usize = 20;
const BINS: usize = 10;

/// The measures by the values of each column that the description names.
pub fn by_columns(
    samples: &Dataset,
    side: &Side,
    (spec, task, known): (&Spec, Task, &Labels),
) -> Result<Vec<By<Option<Performance>>>, Error> {
    let mut all = Vec::new();
    for name in &spec.segments {
        let coded = match column(samples, name, None, spec)? {
            Some(Column::Values(coded)) => coded,
            Some(Column::Numbers { name, values }) => match Bins::of(&values, BINS) {
                Some(bins) => bins.coded(&name, &values),
                None => continue,
            },
            None => {
                let file = samples.path().display().to_string();
                return Err(Error::Column { file, column: name.clone() });
            }
        };
        let measured = |rows: &[usize]| {
            let part = side.part(&super::index(rows)).ok()?;
            part.measured(spec, task, known).map(|(performance, _)| performance)
        };
        all.push(by(&coded, TOLD, measured));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_rows_of_several_parts_are_those_of_the_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.csv");
        let lines: Vec<String> = (0..140_000).map(|row| format!("{row},r{}\n", row % 7)).collect();
        std::fs::write(&path, format!("n,name\n{}", lines.concat())).expect("written");
        let samples = Dataset::open(&path).expect("read");
        assert!(samples.parts("n").count() > 2);
        for every in [1, 3, 70_001, 200_000] {
            let rows = IdxCa::from_vec("rows".into(), (0..140_000).filter(|row| row % every == every - 1).collect());
            for name in ["n", "name"] {
                let whole = samples.column(name).expect("read").take(&rows).expect("within");
                assert!(some_rows(&samples, name, &rows).expect("read").equals_missing(&whole), "{every} {name}");
            }
        }
    }
}
