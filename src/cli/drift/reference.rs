//! What the current data is compared with: a data file, or a profile of one.

use std::path::{Path, PathBuf};

use polars::prelude::Series;

use super::super::profile::file;
use super::{Error, open};
use crate::dataset::{Dataset, Field};
use crate::drift::baseline::Baseline;
use crate::drift::comparison::Side;
use crate::drift::modes::Mode;
use crate::drift::order::slices;
use crate::drift::profile::{Column, Profile, Values};
use crate::drift::verdict::Measured;
use crate::drift::{Kind, Sample, Test};
use crate::frame::normal::ColumnKind;

/// What the current data is compared with.
pub(super) enum Reference {
    Data(Dataset),
    Profile { path: PathBuf, profile: Profile, fields: Vec<Field> },
}

impl Reference {
    pub(super) fn open(path: &Path, mode: Mode) -> Result<Self, Error> {
        if !file::is_profile(path) {
            return Ok(Self::Data(open(path)?));
        }
        if mode == Mode::NannyMl {
            return Err(Error::Rows { option: "mode nannyml", path: path.to_owned() });
        }
        let profile = file::read(path)?;
        let field = |column: &Column| {
            let (kind, dictionary) = match &column.values {
                _ if column.present() == 0 => (None, false),
                Values::Numeric(_) => (Some(ColumnKind::Number), false),
                Values::Categorical(held) if held.numbers => (Some(ColumnKind::Number), true),
                Values::Categorical(_) => (Some(ColumnKind::String), false),
            };
            Field { name: column.name.clone(), kind: Ok(kind), dictionary }
        };
        let fields = profile.columns.iter().map(field).collect();
        Ok(Self::Profile { path: path.to_owned(), profile, fields })
    }

    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Self::Data(data) => &data.fields,
            Self::Profile { fields, .. } => fields,
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// Columns that it has or had.
    pub(super) fn names(&self) -> Vec<&str> {
        self.fields().iter().map(|field| field.name.as_str()).chain(self.left_out()).collect()
    }

    /// What was left out when it was made.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &str> {
        let profile = match self {
            Self::Data(_) => None,
            Self::Profile { profile, .. } => Some(profile),
        };
        profile.into_iter().flat_map(|profile| profile.left_out.iter().map(String::as_str))
    }

    /// Whether the column's numbers were categories when it was made.
    pub(super) fn is_of_categories(&self, name: &str) -> bool {
        matches!(self, Self::Profile { .. }) && self.field(name).is_some_and(|field| field.dictionary)
    }

    pub(super) fn side(&self) -> Side {
        match self {
            Self::Data(data) => Side { name: data.path().display().to_string(), rows: data.rows },
            Self::Profile { path, profile, .. } => Side { name: path.display().to_string(), rows: profile.rows },
        }
    }

    pub(super) fn data(&self) -> Option<&Dataset> {
        match self {
            Self::Data(data) => Some(data),
            Self::Profile { .. } => None,
        }
    }

    /// A column as it is held against, and the current values as they are.
    pub(super) fn measured(
        &self,
        name: &str,
        kind: Kind,
        current: Series,
        tests: &[&'static Test],
        mode: Mode,
    ) -> Result<Measured, Error> {
        // Kinds were checked before; what is left is a column of nulls.
        let sample = |series: &Series| {
            Sample::of(series, kind).unwrap_or_else(|| Sample::missing_rows(kind, series.len() as u64))
        };
        // A column as it was read is let go of before the other side's is read.
        let rows = current;
        let current = sample(&rows);
        drop(rows);
        let data = match self {
            Self::Data(data) => data,
            Self::Profile { profile, .. } => {
                let held = profile.column(name).filter(|column| column.kind() == kind);
                // A column without any value has the other side's kind.
                let none = || Baseline::new(Sample::missing_rows(kind, profile.rows));
                let baseline = held.map_or_else(none, Column::baseline);
                let current = if let Some(column) = held { column.seen(current) } else { current };
                return Ok(Measured::new(name, &baseline, &current, tests, mode));
            }
        };
        let series = data.column(name)?;
        let mut baseline = Baseline::new(sample(&series));
        baseline.row_chunks = slices(&series, &mode.chunks(series.len())).iter().map(sample).collect();
        drop(series);
        Ok(Measured::new(name, &baseline, &current, tests, mode))
    }
}
