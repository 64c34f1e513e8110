//! The tables that can be asked, by the names that their folders and columns have.

use std::fmt;

use crate::frame::gpu::{GPU_COLUMNS, GpuRow};
use crate::frame::model::{MODEL_COLUMNS, ModelRow};
use crate::frame::{MINUTE_COLUMNS, MinuteColumn, MinuteRow, Row};
use crate::signal::container::Container;
use crate::signal::gpu::Gpu;
use crate::signal::model::Model;
use crate::signal::{self, Column, Part};

/// A table of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Minutes of containers.
    Containers,
    /// Minutes of GPUs.
    Gpus,
    /// Minutes of models.
    Models,
}

/// Every table.
#[must_use]
pub fn tables() -> [Table; 3] {
    [Table::Containers, Table::Gpus, Table::Models]
}

/// A number that can be asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// The column's name.
    pub name: String,
    /// What it tells, with its unit.
    pub about: String,
    /// How minutes become a step.
    pub part: Part,
}

impl Table {
    /// Its name: its folder in the history.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Containers => MinuteRow::TABLE,
            Self::Gpus => GpuRow::TABLE,
            Self::Models => ModelRow::TABLE,
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        tables().into_iter().find(|table| table.name() == name)
    }

    /// Its texts.
    #[must_use]
    pub fn texts(self) -> Vec<&'static str> {
        fn of<R>(columns: &'static [MinuteColumn<R>]) -> Vec<&'static str> {
            columns.iter().filter(|column| column.kind() == "string").map(|column| column.name).collect()
        }
        match self {
            Self::Containers => of(MINUTE_COLUMNS),
            Self::Gpus => of(GPU_COLUMNS),
            Self::Models => of(MODEL_COLUMNS),
        }
    }

    /// Its lists of texts: of these it can be asked when each value was there, and no more.
    #[must_use]
    pub fn lists(self) -> Vec<&'static str> {
        fn of<R>(columns: &'static [MinuteColumn<R>]) -> Vec<&'static str> {
            columns.iter().filter(|column| column.kind() == "list of strings").map(|column| column.name).collect()
        }
        match self {
            Self::Containers => of(MINUTE_COLUMNS),
            Self::Gpus => of(GPU_COLUMNS),
            Self::Models => of(MODEL_COLUMNS),
        }
    }

    /// Its numbers.
    #[must_use]
    pub fn numbers(self) -> Vec<Number> {
        fn of<T: signal::Table>() -> Vec<Number> {
            let number = |column: Column<T>| Number {
                name: column.name().into_owned(),
                about: column.about(),
                part: column.part,
            };
            Column::<T>::all().map(number).collect()
        }
        match self {
            Self::Containers => of::<Container>(),
            Self::Gpus => of::<Gpu>(),
            Self::Models => of::<Model>(),
        }
    }

    /// A number of it.
    #[must_use]
    pub fn number(self, name: &str) -> Option<Number> {
        self.numbers().into_iter().find(|number| number.name == name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
