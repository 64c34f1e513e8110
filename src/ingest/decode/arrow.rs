//! An Arrow IPC stream to columns. Its messages are looked over before anything is allocated for them: a stream may declare
//! any size.

mod views;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::{self, MessageHeader};

use super::Error;
use crate::frame::json::{Limits, Rows};
use crate::frame::normal::{normal_type, normalise};

const CONTINUATION: [u8; 4] = [0xff; 4];

/// The rows of a body.
///
/// # Errors
/// It is no Arrow stream, or more than the limits.
pub fn decode(body: &bytes::Bytes, limits: Limits) -> Result<Rows, Error> {
    if body.starts_with(b"ARROW1") {
        return Err(Error::Broken("this is an Arrow file (Feather); send the stream format".to_owned()));
    }
    look_over(body, limits)?;
    let broken = |error: ::arrow::error::ArrowError| Error::Broken(format!("the body is not an Arrow stream: {error}"));
    let mut decoder = StreamDecoder::new();
    let mut left = Buffer::from(body.clone());
    let mut batches: Vec<RecordBatch> = Vec::new();
    while !left.is_empty() {
        match decoder.decode(&mut left).map_err(broken)? {
            Some(batch) => batches.push(batch),
            None => break,
        }
    }
    // A stream may end without its mark, but not within a message.
    decoder.finish().map_err(broken)?;
    let Some(schema) = decoder.schema() else {
        return Err(Error::Broken("the body is not an Arrow stream: it has no schema".to_owned()));
    };
    let mut columns: Vec<(String, ArrayRef)> = Vec::with_capacity(schema.fields().len());
    for (at, field) in schema.fields().iter().enumerate() {
        if columns.iter().any(|(name, _)| name == field.name()) {
            return Err(Error::Broken(format!("column `{}` occurs twice", field.name())));
        }
        let mut parts: Vec<ArrayRef> = batches.iter().map(|batch| Arc::clone(batch.column(at))).collect();
        let items: usize = parts.iter().map(list_items).sum();
        if items > limits.cells {
            return Err(Error::TooLarge(format!(
                "column `{}` has lists of {items} items; send it in parts",
                field.name()
            )));
        }
        // Each batch may have a dictionary of its own. What cannot be normalised is rejected at the border.
        if normal_type(field.data_type()).is_ok() {
            for part in &mut parts {
                *part = normalise(part).map_err(|error| Error::Broken(error.to_string()))?;
            }
        }
        let all: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let whole = match all.as_slice() {
            [] => ::arrow::array::new_empty_array(field.data_type()),
            [_] => Arc::clone(&parts[0]),
            all => ::arrow::compute::concat(all).map_err(broken)?,
        };
        columns.push((field.name().clone(), whole));
    }
    let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
    Ok(Rows { columns, kept: (0..rows).collect(), rejected: 0, errors: Vec::new(), ..Rows::default() })
}

/// How many items the lists of a column hold, which a boolean's bit or a byte each may be.
#[must_use]
pub fn list_items(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().values().len(),
        DataType::LargeList(_) => array.as_list::<i64>().values().len(),
        DataType::FixedSizeList(..) => array.as_fixed_size_list().values().len(),
        _ => 0,
    }
}

/// Walks over the messages: every size that is declared must lie within the body, and nothing may be compressed, since
/// compressed buffers declare a size of their own.
fn look_over(body: &[u8], limits: Limits) -> Result<(), Error> {
    let broken = |what: &str| Error::Broken(format!("the body is not an Arrow stream: {what}"));
    let mut rest = body;
    let mut rows = 0_u64;
    let mut types: Vec<DataType> = Vec::new();
    while !rest.is_empty() {
        let (mut head, after) = rest.split_first_chunk::<4>().ok_or_else(|| broken("it ends within a message"))?;
        rest = after;
        if *head == CONTINUATION {
            (head, rest) = rest.split_first_chunk::<4>().ok_or_else(|| broken("it ends within a message"))?;
        }
        let length = u32::from_le_bytes(*head) as usize;
        if length == 0 {
            return Ok(()); // the end of the stream; what comes after it is not looked at
        }
        let (metadata, after) = rest.split_at_checked(length).ok_or_else(|| broken("it ends within a message"))?;
        let message = ipc::root_as_message(metadata).map_err(|_| broken("a message's head is damaged"))?;
        let length = usize::try_from(message.bodyLength()).map_err(|_| broken("a message's length is negative"))?;
        let (data, after) = after.split_at_checked(length).ok_or_else(|| broken("it ends within a message"))?;
        rest = after;
        let batch = match message.header_type() {
            MessageHeader::RecordBatch => message.header_as_record_batch(),
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch();
                // Every batch behind a delta keeps a dictionary as large as all deltas before it.
                if dictionary.is_some_and(|dictionary| dictionary.isDelta()) {
                    return Err(Error::Unsupported(
                        "dictionaries that grow (deltas) are not supported; send them whole".to_owned(),
                    ));
                }
                dictionary.and_then(|batch| batch.data())
            }
            MessageHeader::Schema => {
                let schema = message.header_as_schema().ok_or_else(|| broken("its schema is damaged"))?;
                let schema = ipc::convert::try_fb_to_schema(schema).map_err(|_| broken("its schema is damaged"))?;
                if schema.fields().len() > limits.columns {
                    return Err(Error::TooLarge(format!("the body has more than {} columns", limits.columns)));
                }
                types = schema.fields().iter().map(|field| field.data_type().clone()).collect();
                None
            }
            _ => return Err(broken("it holds a message of another kind")),
        };
        if let Some(batch) = batch {
            if batch.compression().is_some() {
                return Err(Error::Unsupported(
                    "compressed Arrow streams are not supported; send it uncompressed, or the whole body with Content-Encoding: gzip"
                        .to_owned(),
                ));
            }
            if message.header_type() == MessageHeader::RecordBatch {
                let text = views::total_length(&types, batch, data).map_err(Error::Unsupported)?;
                if text > (body.len() as u64).saturating_mul(16) {
                    return Err(Error::TooLarge("the body's texts overlap to many times its size".to_owned()));
                }
                rows = rows.saturating_add(u64::try_from(batch.length()).unwrap_or(u64::MAX));
            }
            // Columns of nulls, and lists of them, have lengths without bytes.
            let nodes = batch.nodes().into_iter().flatten();
            let longest = nodes.map(ipc::FieldNode::length).max().unwrap_or(0);
            // A length below zero is none, and longer than any.
            let longest = u64::try_from(longest).unwrap_or(u64::MAX);
            let bound = (body.len() as u64).saturating_mul(8).max(limits.rows as u64);
            if rows > limits.rows as u64 || longest > bound {
                return Err(Error::TooLarge(format!("the body has more than {} rows; send it in parts", limits.rows)));
            }
            if rows.saturating_mul(types.len() as u64) > limits.cells as u64 {
                let message =
                    format!("the body has more than {} cells, rows times columns; send it in parts", limits.cells);
                return Err(Error::TooLarge(message));
            }
        }
    }
    Ok(())
}
