//! Parquet files, one column at a time, by reads of just its bytes: no memory map, so what is held is what is counted.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use arrow::array::ArrayRef;

use super::{Field, described};
use crate::frame::parquet::{self, Bound, Column, Source};

pub struct Parquet(parquet::Parquet<OnDisk>);

struct OnDisk(File);

impl Source for OnDisk {
    fn length(&self) -> Result<u64, String> {
        self.0.metadata().map(|meta| meta.len()).map_err(|error| error.to_string())
    }

    fn read(&self, from: u64, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, from).map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

impl Parquet {
    pub fn open(file: File) -> Result<Self, String> {
        parquet::Parquet::open(OnDisk(file)).map(Self)
    }

    pub fn rows(&self) -> u64 {
        self.0.rows()
    }

    pub fn fields(&self) -> Vec<Field> {
        self.0.columns().iter().map(field).collect()
    }

    /// Runs of rows that are read one by one.
    pub fn groups(&self) -> usize {
        self.0.groups()
    }

    /// Rows that stand before a group.
    pub fn rows_before(&self, group: usize) -> usize {
        self.0.rows_before(group)
    }

    /// A column, of some of the groups.
    pub fn column(&self, name: &str, groups: Range<usize>) -> Result<Vec<ArrayRef>, String> {
        let column = self.0.columns().iter().find(|column| column.name == name).ok_or("there is no such column")?;
        if field(column).kind.is_err() {
            return Err("its type cannot be used".to_owned());
        }
        let mut arrays = Vec::new();
        for group in groups {
            arrays.extend(self.0.column(name, group, None, Bound::NONE).map_err(|error| error.to_string())?);
        }
        if arrays.is_empty() {
            arrays.extend(self.0.empty(name));
        }
        Ok(arrays)
    }
}

/// The column as people see it.
fn field(column: &Column) -> Field {
    let name = column.name.clone();
    match &column.given {
        Some(given) => Field { dictionary: column.dictionary, ..described(&name, given) },
        None => Field { name, kind: Err(column.type_name.clone()), dictionary: column.dictionary, wrong: 0 },
    }
}
