//! A file's columns, as rows are assessed by them.

use polars::prelude::{IdxCa, Series};

use super::Error;
use crate::dataset::{self, Dataset};
use crate::frame::normal::ColumnKind;
use crate::model::assess::{self, Side, Table};
use crate::model::{Beside, Spec};

impl Error {
    /// What is wrong with the rows of a file.
    pub fn of(error: assess::Error, data: &Dataset) -> Self {
        match error {
            assess::Error::Missing(column) => Self::Column { file: data.path().display().to_string(), column },
            assess::Error::Read(message) => Self::Frame(message),
        }
    }
}

impl Table for Dataset {
    fn rows(&self) -> usize {
        usize::try_from(self.rows).unwrap_or(usize::MAX)
    }

    fn names(&self) -> Vec<String> {
        self.fields.iter().map(|field| field.name.clone()).collect()
    }

    fn kind(&self, name: &str) -> Option<ColumnKind> {
        self.field(name).and_then(|field| field.kind.clone().ok().flatten())
    }

    fn column(&self, name: &str) -> Result<Option<Series>, assess::Error> {
        let read = self.field(name).is_some().then(|| self.column(name)).transpose();
        read.map_err(|error| assess::Error::Read(error.to_string()))
    }

    fn taken(&self, name: &str, rows: &IdxCa) -> Result<Option<Series>, assess::Error> {
        let read = self.field(name).is_some().then(|| some_rows(self, name, rows)).transpose();
        read.map_err(|error| assess::Error::Read(error.to_string()))
    }
}

/// Some rows of a column, which are in order; of the others no more is held than a part of the file.
pub fn some_rows(samples: &Dataset, name: &str, rows: &IdxCa) -> Result<Series, Error> {
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
    Ok(all.unwrap_or_else(|| Series::new_empty(name.into(), &polars::prelude::DataType::Boolean)))
}

/// What a file says of predictions; labels may have come apart from it.
pub fn side(data: &Dataset, spec: &Spec, label: Option<Series>) -> Result<Side, Error> {
    // In one piece, which rows are taken from again and again.
    let column = |name: &str| {
        let read = data.field(name).is_some().then(|| data.column(name)).transpose()?;
        Ok::<_, dataset::Error>(read.map(|read| read.rechunk()))
    };
    let mut scores = Vec::new();
    for (class, name) in &spec.scores {
        match column(name)? {
            Some(of) => scores.push((class.clone(), of)),
            None => return Err(Error::of(assess::Error::Missing(name.clone()), data)),
        }
    }
    let group = spec.group.as_deref().map(column).transpose()?.flatten();
    Ok(Side {
        label: match label {
            Some(label) => Some(label),
            None => column(&spec.label)?,
        },
        prediction: column(&spec.prediction)?,
        score: column(&spec.score)?,
        beside: Beside { scores, group },
    })
}

/// The rows that have a label, where not all have.
pub fn with_labels(side: &Side) -> Result<Option<(IdxCa, Side)>, Error> {
    Ok(match side.with_labels() {
        Some(rows) => Some((rows.clone(), side.taken(&rows)?)),
        None => None,
    })
}
