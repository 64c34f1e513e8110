//! How long the texts of a batch's views are together. Views may overlap: a few of them can stand for any number of copies of one
//! text, which would unfold when they become values of their own.

use arrow::datatypes::DataType;
use arrow::ipc::RecordBatch;

/// The sum over all views, zero without columns of views.
///
/// # Errors
/// There are columns of views beside columns whose buffers cannot be told apart here.
pub fn total_length(types: &[DataType], batch: RecordBatch<'_>, data: &[u8]) -> Result<u64, String> {
    if !types.iter().any(has_views) {
        return Ok(0);
    }
    let mut walk = Walk {
        buffers: batch.buffers().into_iter().flatten().map(|buffer| (buffer.offset(), buffer.length())).collect(),
        variadic: batch.variadicBufferCounts().into_iter().flatten().collect(),
        at: 0,
        views: 0,
        data,
        total: 0,
    };
    for given in types {
        walk.column(given)?;
    }
    Ok(walk.total)
}

fn has_views(given: &DataType) -> bool {
    match given {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_views(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_views(field.data_type())),
        _ => false,
    }
}

struct Walk<'a> {
    buffers: Vec<(i64, i64)>,
    variadic: Vec<i64>,
    at: usize,
    views: usize,
    data: &'a [u8],
    total: u64,
}

impl Walk<'_> {
    /// Goes past so many buffers.
    fn pass(&mut self, buffers: usize) {
        self.at = self.at.saturating_add(buffers);
    }

    fn column(&mut self, given: &DataType) -> Result<(), String> {
        match given {
            DataType::Null => {}
            DataType::Utf8View | DataType::BinaryView => {
                let (offset, length) = self.buffers.get(self.at.saturating_add(1)).copied().unwrap_or_default();
                let bytes = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
                let views = bytes.and_then(|(offset, length)| self.data.get(offset..offset.checked_add(length)?));
                for view in views.unwrap_or_default().chunks_exact(16) {
                    let length = u32::from_le_bytes([view[0], view[1], view[2], view[3]]);
                    self.total = self.total.saturating_add(length.into());
                }
                let more = self.variadic.get(self.views).copied().and_then(|count| usize::try_from(count).ok());
                self.views = self.views.saturating_add(1);
                self.pass(more.unwrap_or(0).saturating_add(2));
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => self.pass(3),
            DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
                self.pass(2);
                self.column(item.data_type())?;
            }
            DataType::FixedSizeList(item, _) => {
                self.pass(1);
                self.column(item.data_type())?;
            }
            DataType::Struct(fields) => {
                self.pass(1);
                for field in fields {
                    self.column(field.data_type())?;
                }
            }
            DataType::Union(..) | DataType::RunEndEncoded(..) | DataType::ListView(_) | DataType::LargeListView(_) => {
                return Err(format!("columns of type {given} are not supported beside columns of views"));
            }
            _ => self.pass(2),
        }
        Ok(())
    }
}
