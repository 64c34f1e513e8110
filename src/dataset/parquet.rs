//! Parquet, one column at a time, by reads of just its bytes: no memory map, so what is held is what is counted.

use std::fs::File;
use std::io::{Cursor, Seek};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use polars_arrow::datatypes::{ArrowDataType, Field as ArrowField};
use polars_buffer::Buffer;
use polars_parquet::read::{
    BasicDecompressor, FileMetadata, PageReader, RowGroupMetadata, column_iter_to_arrays, infer_schema, read_metadata,
};

use super::{Field, described};
use crate::frame::bridge::to_arrow;
use crate::frame::guard::guarded;

pub struct Parquet {
    file: File,
    metadata: FileMetadata,
    columns: Vec<(Field, Option<ArrowField>)>,
}

impl Parquet {
    pub fn open(mut file: File) -> Result<Self, String> {
        file.rewind().map_err(|error| error.to_string())?;
        let metadata = read_metadata(&mut file).map_err(|error| error.to_string())?;
        let schema = infer_schema(&metadata).map_err(|error| error.to_string())?;
        let columns = schema.iter_values().map(column).collect();
        Ok(Self { file, metadata, columns })
    }

    pub fn rows(&self) -> u64 {
        self.metadata.row_groups.iter().map(|group| group.num_rows() as u64).sum()
    }

    pub fn fields(&self) -> Vec<Field> {
        self.columns.iter().map(|(field, _)| field.clone()).collect()
    }

    /// Runs of rows that are read one by one.
    pub fn groups(&self) -> usize {
        self.metadata.row_groups.len()
    }

    /// Rows that stand before a group.
    pub fn rows_before(&self, group: usize) -> usize {
        self.metadata.row_groups.iter().take(group).map(RowGroupMetadata::num_rows).sum()
    }

    /// A column, of some of the groups.
    pub fn column(&self, name: &str, groups: Range<usize>) -> Result<Vec<ArrayRef>, String> {
        let (_, readable) =
            self.columns.iter().find(|(field, _)| field.name == name).ok_or("there is no such column")?;
        let field = readable.as_ref().ok_or("its type cannot be used")?;
        let mut arrays = Vec::new();
        for group in groups.filter_map(|at| self.metadata.row_groups.get(at)) {
            let chunks = group.columns_under_root_iter(name).ok_or("a row group lacks it")?;
            let mut pages = Vec::new();
            let mut types = Vec::new();
            for chunk in chunks {
                let range = chunk.byte_range();
                let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(|e| e.to_string())?;
                // A broken footer may claim any length; the file's own bounds it.
                let on_disk = self.file.metadata().map_err(|error| error.to_string())?.len();
                if range.end > on_disk {
                    return Err("the file ends before the column does".to_owned());
                }
                let mut bytes = vec![0; length];
                self.file.read_exact_at(&mut bytes, range.start).map_err(|error| error.to_string())?;
                let reader = PageReader::new(Cursor::new(Buffer::from(bytes)), chunk, Vec::new(), usize::MAX);
                pages.push(BasicDecompressor::new(reader, Vec::new()));
                types.push(&chunk.descriptor().descriptor.primitive_type);
            }
            let (parts, _) = column_iter_to_arrays(pages, types, field.clone(), None).map_err(|e| e.to_string())?;
            for part in parts {
                arrays.push(to_arrow(part).map_err(|error| error.to_string())?);
            }
        }
        if arrays.is_empty() {
            arrays.push(arrow::array::new_empty_array(&empty_type(&field.dtype)));
        }
        Ok(arrays)
    }
}

/// The column as people see it, and as it is read: categories by their values.
fn column(field: &ArrowField) -> (Field, Option<ArrowField>) {
    let (dictionary, values) = match &field.dtype {
        ArrowDataType::Dictionary(_, values, _) => (true, values.as_ref()),
        plain => (false, plain),
    };
    let dtype = match values {
        ArrowDataType::Utf8 | ArrowDataType::LargeUtf8 => ArrowDataType::Utf8View,
        other => other.clone(),
    };
    let name = field.name.to_string();
    // Nested columns other than lists cannot be used, and some of them the decoder does not know.
    let described = match &dtype {
        ArrowDataType::Struct(_) | ArrowDataType::Map(..) | ArrowDataType::Union(_) | ArrowDataType::Extension(_) => {
            None
        }
        known => known_type(known).map(|given| described(&name, &given)),
    };
    match described {
        Some(described) if described.kind.is_ok() => {
            let read = ArrowField::new(field.name.clone(), dtype, true);
            (Field { dictionary, ..described }, Some(read))
        }
        Some(described) => (described, None),
        None => (Field { name, kind: Err(type_name(&field.dtype)), dictionary, wrong: 0 }, None),
    }
}

fn type_name(dtype: &ArrowDataType) -> String {
    let text = format!("{dtype:?}");
    text.split(['(', ' ', '{']).next().unwrap_or("unknown").to_owned()
}

/// The arrow type of a polars-arrow type, by way of an empty array over the bridge.
fn known_type(dtype: &ArrowDataType) -> Option<DataType> {
    let empty = || to_arrow(polars_arrow::array::new_empty_array(dtype.clone())).ok();
    // The bridge gives up on a few types by a panic.
    guarded(empty)?.map(|array| array.data_type().clone())
}

fn empty_type(dtype: &ArrowDataType) -> DataType {
    known_type(dtype).unwrap_or(DataType::Null)
}
