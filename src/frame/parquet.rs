//! Parquet, a column of a row group at a time: what is held is what is asked for, and nothing that a file claims is believed before it is
//! held against its bytes. Where the bytes lie is a [`Source`]'s business.

#![warn(clippy::arithmetic_side_effects)]

mod thrift;

use std::io::Cursor;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use polars_arrow::datatypes::{ArrowDataType, Field as ArrowField};
use polars_buffer::Buffer;
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, Filter, PageReader, RowGroupMetadata, column_iter_to_arrays,
    infer_schema, read_metadata,
};

use super::bridge::to_arrow;
use super::guard::guarded;

/// Where a file's bytes lie.
pub trait Source {
    /// How many there are.
    ///
    /// # Errors
    /// It cannot be told.
    fn length(&self) -> Result<u64, String>;

    /// Some of them.
    ///
    /// # Errors
    /// They are not there.
    fn read(&self, from: u64, length: usize) -> Result<Vec<u8>, String>;
}

impl Source for bytes::Bytes {
    fn length(&self) -> Result<u64, String> {
        Ok(self.len() as u64)
    }

    fn read(&self, from: u64, length: usize) -> Result<Vec<u8>, String> {
        let from = usize::try_from(from).map_err(|error| error.to_string())?;
        let part = from.checked_add(length).and_then(|end| self.get(from..end));
        part.map(<[u8]>::to_vec).ok_or_else(|| ENDS_EARLY.to_owned())
    }
}

const ENDS_EARLY: &str = "the file ends before the column does";
/// The length of the footer and the mark behind it.
const TAIL: u64 = 8;
/// A footer is no longer, in bytes.
const LONGEST_FOOTER: u64 = 16 << 20;

/// A column at the top of a file.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as it is read; `None` of one that cannot be, such as a struct.
    pub given: Option<DataType>,
    /// Its type as the file has it, for people.
    pub type_name: String,
    /// It is stored as a dictionary, as categories are.
    pub dictionary: bool,
    read: ArrowField,
}

/// How much part of a file may unfold to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Bytes of its pages, unpacked.
    pub unpacked: u64,
    /// Bytes of one page, unpacked.
    pub page: u64,
    /// Bytes of a column of a row group, as it is stored.
    pub chunk: u64,
    /// Values of a column: the items of its lists, else its rows.
    pub values: u64,
    /// Bytes of its texts, each as often as it stands for a value.
    pub texts: u64,
}

impl Bound {
    /// Without any.
    pub const NONE: Self =
        Self { unpacked: u64::MAX, page: u64::MAX, chunk: u64::MAX, values: u64::MAX, texts: u64::MAX };
}

/// Why a part of a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not what it should be.
    #[error("{0}")]
    Broken(String),
    /// It is more than was asked for.
    #[error("{0}")]
    TooLarge(String),
}

/// A file whose columns can be read.
pub struct Parquet<S> {
    source: S,
    length: u64,
    metadata: FileMetadata,
    columns: Vec<Column>,
}

impl<S: Source> Parquet<S> {
    /// Reads the footer.
    ///
    /// # Errors
    /// There is none, or it is broken.
    pub fn open(source: S) -> Result<Self, String> {
        let length = source.length()?;
        let cut = || "it is cut short: a footer ends with PAR1".to_owned();
        let tail = length.checked_sub(TAIL).filter(|start| *start >= 4).ok_or_else(cut)?;
        let tail = source.read(tail, 8)?;
        let [l0, l1, l2, l3, mark @ ..] = tail.as_slice() else { return Err(cut()) };
        let footer = u64::from(u32::from_le_bytes([*l0, *l1, *l2, *l3])).saturating_add(TAIL);
        if mark != b"PAR1" || footer > length {
            return Err(cut());
        }
        if footer > LONGEST_FOOTER {
            return Err(format!("its footer is longer than {LONGEST_FOOTER} bytes"));
        }
        let bytes = source.read(length.saturating_sub(footer), usize::try_from(footer).unwrap_or(usize::MAX))?;
        thrift::look_over(&bytes[..bytes.len().saturating_sub(8)]).map_err(|_| "its footer is damaged".to_owned())?;
        let metadata = read_metadata(&mut Cursor::new(bytes)).map_err(|error| error.to_string())?;
        let schema = infer_schema(&metadata).map_err(|error| error.to_string())?;
        let columns = schema.iter_values().map(Column::of).collect();
        Ok(Self { source, length, metadata, columns })
    }

    /// Its columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Its rows, as the footer has it.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.metadata.row_groups.iter().fold(0, |rows, group| rows.saturating_add(group.num_rows() as u64))
    }

    /// Runs of rows that are read one by one.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.metadata.row_groups.len()
    }

    /// Rows of a group.
    #[must_use]
    pub fn rows_of(&self, group: usize) -> usize {
        self.metadata.row_groups.get(group).map_or(0, RowGroupMetadata::num_rows)
    }

    /// Rows that stand before a group.
    #[must_use]
    pub fn rows_before(&self, group: usize) -> usize {
        self.metadata.row_groups.iter().take(group).fold(0, |rows, group| rows.saturating_add(group.num_rows()))
    }

    /// What a group takes unpacked, in bytes, as the footer has it.
    #[must_use]
    pub fn unpacked_of(&self, group: usize) -> u64 {
        self.metadata.row_groups.get(group).map_or(0, |group| group.total_byte_size() as u64)
    }

    /// Some rows of a group's column, or all of them, within bounds. It is empty where the group has no rows.
    ///
    /// # Errors
    /// There is none of this name, it cannot be used, is broken, or more than `bound`.
    pub fn column(
        &self,
        name: &str,
        group: usize,
        rows: Option<Range<usize>>,
        bound: Bound,
    ) -> Result<Vec<ArrayRef>, Error> {
        let broken = |message: &str| Error::Broken(message.to_owned());
        let column = self.columns.iter().find(|column| column.name == name);
        let column = column.ok_or_else(|| broken("there is no such column"))?;
        if column.given.is_none() {
            return Err(broken("its type cannot be used"));
        }
        let Some(group) = self.metadata.row_groups.get(group) else { return Err(broken("there is no such row group")) };
        let chunks = group.columns_under_root_iter(name).ok_or_else(|| broken("a row group lacks it"))?;
        let (mut pages, mut types) = (Vec::new(), Vec::new());
        let mut left = bound;
        for chunk in chunks {
            let bytes = self.bytes_of(chunk, bound)?;
            left = look_over(&bytes, chunk, left)?;
            let reader = PageReader::new(Cursor::new(Buffer::from(bytes)), chunk, Vec::new(), usize::MAX);
            pages.push(BasicDecompressor::new(reader, Vec::new()));
            types.push(&chunk.descriptor().descriptor.primitive_type);
        }
        let wanted = rows.as_ref().map_or(group.num_rows(), ExactSizeIterator::len);
        let filter = rows.map(|rows| Filter::new_ranged(rows.start, rows.end));
        let failed = |error: polars::error::PolarsError| Error::Broken(error.to_string());
        let (parts, _) = column_iter_to_arrays(pages, types, column.read.clone(), filter).map_err(failed)?;
        let mut arrays = Vec::with_capacity(parts.len());
        let mut texts = 0_u64;
        for part in parts {
            let array = to_arrow(part).map_err(failed)?;
            texts = texts.saturating_add(text_length(&array));
            if texts > bound.texts {
                return Err(Error::TooLarge(format!("its texts are more than {} bytes", bound.texts)));
            }
            arrays.push(array);
        }
        if arrays.iter().map(Array::len).sum::<usize>() != wanted {
            return Err(broken("it has more or fewer values than its row group has rows"));
        }
        Ok(arrays)
    }

    /// A column's type as an array without values.
    #[must_use]
    pub fn empty(&self, name: &str) -> Option<ArrayRef> {
        let column = self.columns.iter().find(|column| column.name == name)?;
        Some(arrow::array::new_empty_array(column.given.as_ref()?))
    }

    fn bytes_of(&self, chunk: &ColumnChunkMetadata, bound: Bound) -> Result<Vec<u8>, Error> {
        let range = chunk.byte_range();
        if range.end.saturating_sub(range.start) > bound.chunk {
            return Err(Error::TooLarge(format!("it has more than {} bytes in a row group", bound.chunk)));
        }
        // A broken footer may claim any length; the file's own bounds it.
        let length = range.end.checked_sub(range.start).filter(|_| range.end <= self.length);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| Error::Broken(ENDS_EARLY.to_owned()))?;
        self.source.read(range.start, length).map_err(Error::Broken)
    }
}

/// Walks over the pages of a column as its decoder will: a page may claim any size, and unpack to it. What is left of the bound.
fn look_over(bytes: &[u8], chunk: &ColumnChunkMetadata, bound: Bound) -> Result<Bound, Error> {
    let damaged = || Error::Broken("a page's head is damaged".to_owned());
    let all = u64::try_from(chunk.num_values()).map_err(|_| damaged())?;
    let (mut at, mut values, mut left) = (0_usize, 0_u64, bound);
    while values < all {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty()).ok_or_else(damaged)?;
        let head = thrift::page_head(rest).map_err(|_| damaged())?;
        let too_large = |what: &str, most: u64| Error::TooLarge(format!("it has more than {most} {what}"));
        if head.unpacked > bound.page {
            return Err(too_large("bytes in a page, unpacked", bound.page));
        }
        left.unpacked =
            left.unpacked.checked_sub(head.unpacked).ok_or_else(|| too_large("bytes, unpacked", bound.unpacked))?;
        values = values.saturating_add(head.values);
        // An entry of a dictionary is a bit at least.
        if values > bound.values || head.entries > head.unpacked.saturating_mul(8) {
            return Err(too_large("values", bound.values));
        }
        let packed = usize::try_from(head.packed).map_err(|_| damaged())?;
        at = at.saturating_add(head.length).saturating_add(packed);
        if at > bytes.len() {
            return Err(damaged());
        }
    }
    Ok(left)
}

/// The texts of an array together, in bytes: views may overlap, and one text stand for any number of values.
#[must_use]
pub fn text_length(array: &ArrayRef) -> u64 {
    // A view begins with its text's length.
    let length = |view: &u128| u64::from(u32::try_from(view & u128::from(u32::MAX)).unwrap_or(u32::MAX));
    let of = |views: &[u128]| views.iter().fold(0_u64, |sum, view| sum.saturating_add(length(view)));
    match array.data_type() {
        DataType::Utf8View => of(array.as_string_view().views()),
        DataType::BinaryView => of(array.as_binary_view().views()),
        DataType::LargeList(_) => text_length(array.as_list::<i64>().values()),
        DataType::List(_) => text_length(array.as_list::<i32>().values()),
        _ => 0,
    }
}

impl Column {
    /// The column as it is read: categories by their values, lists as lists of any length.
    fn of(field: &ArrowField) -> Self {
        let (dictionary, values) = match &field.dtype {
            ArrowDataType::Dictionary(_, values, _) => (true, values.as_ref()),
            plain => (false, plain),
        };
        let dtype = match values {
            ArrowDataType::Utf8 | ArrowDataType::LargeUtf8 => ArrowDataType::Utf8View,
            ArrowDataType::Binary | ArrowDataType::LargeBinary => ArrowDataType::BinaryView,
            // A null of a fixed length takes room for its items, of which there are none.
            ArrowDataType::FixedSizeList(item, _) | ArrowDataType::List(item) => ArrowDataType::LargeList(item.clone()),
            other => other.clone(),
        };
        // Nested columns other than lists cannot be used, and some of them the decoder does not know.
        let given = match &dtype {
            ArrowDataType::Struct(_)
            | ArrowDataType::Map(..)
            | ArrowDataType::Union(_)
            | ArrowDataType::Extension(_)
            | ArrowDataType::FixedSizeBinary(_) => None,
            ArrowDataType::LargeList(item) if item.dtype.is_nested() => None,
            known => known_type(known),
        };
        let text = format!("{:?}", field.dtype);
        let type_name = text.split(['(', ' ', '{']).next().unwrap_or("unknown").to_owned();
        let read = ArrowField::new(field.name.clone(), dtype, true);
        Self { name: field.name.to_string(), given, type_name, dictionary, read }
    }
}

/// The arrow type of a polars-arrow type, by way of an empty array over the bridge.
fn known_type(dtype: &ArrowDataType) -> Option<DataType> {
    let empty = || to_arrow(polars_arrow::array::new_empty_array(dtype.clone())).ok();
    // The bridge gives up on a few types by a panic.
    guarded(empty)?.map(|array| array.data_type().clone())
}
