//! Parquet and Arrow files part by part: so many rows at once, within bounds of memory whatever a file claims. What the columns mean is
//! left to others.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::{self, MessageHeader};

use crate::frame::guard::{guarded, place};
use crate::frame::json::{RowError, Rows};
use crate::frame::normal::{Unsupported, normal_type, normalise};
use crate::frame::parquet::{Bound, Parquet, Source, text_length};
use crate::ingest::decode::arrow::list_items;
use crate::ingest::decode::parquet::{joined, read, unusable};

/// Rows of a part, and rows times columns. Never other numbers, or parts of a file that is half taken would begin elsewhere.
const ROWS: usize = 50_000;
const CELLS: usize = 2_000_000;
/// What a part takes in memory, as far as the file tells beforehand, in bytes.
const PART: u64 = 16 << 20;
/// What it may take whatever the file tells: a page unpacked, the column of a row group as it is stored, a batch of an Arrow file.
const PAGE: u64 = 64 << 20;
const CHUNK: u64 = 256 << 20;
const BATCH: u64 = 128 << 20;
/// Columns of a file.
const COLUMNS: usize = 4096;
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The largest alignment of an Arrow file, in bytes.
const ALIGNMENT: usize = 64;

/// Rows that follow one another.
pub struct Part {
    /// How many rows stand before them in the file.
    pub at: u64,
    /// The rows.
    pub rows: Rows,
}

/// A table that is read part by part.
pub enum Table {
    /// A Parquet file.
    Parquet(Box<Parquet<OnDisk>>),
    /// An Arrow file or stream.
    Arrow(Box<Batches>),
}

/// A file, of which parts are read.
pub struct OnDisk(File);

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

/// What a decoder makes of a broken file is its own; a panic in one is this file's error.
fn within<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    guarded(decode).unwrap_or_else(|| Err(format!("is broken: its decoder gave up{}", place())))
}

impl Table {
    /// A Parquet file.
    ///
    /// # Errors
    /// It is none, or has too many columns.
    pub fn parquet(file: File) -> Result<Self, String> {
        let file = within(|| Parquet::open(OnDisk(file)))?;
        bounded(file.columns().len())?;
        let mut names: Vec<&str> = file.columns().iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some([name, ..]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("column `{name}` occurs twice"));
        }
        Ok(Self::Parquet(Box::new(file)))
    }

    /// An Arrow file, or a stream.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn arrow(file: File) -> Result<Self, String> {
        Batches::open(file).map(|batches| Self::Arrow(Box::new(batches)))
    }

    /// The part that begins with this row; none at the end.
    ///
    /// # Errors
    /// The file is broken, or more than can be read.
    pub fn next(&mut self, from: u64) -> Result<Option<Part>, String> {
        match self {
            Self::Parquet(file) => within(|| part_of(file, from)),
            Self::Arrow(batches) => within(|| batches.next(from)),
        }
    }
}

fn bounded(columns: usize) -> Result<(), String> {
    if columns > COLUMNS { Err(format!("has more than {COLUMNS} columns")) } else { Ok(()) }
}

/// Rows of a part of so many columns.
fn height(columns: usize) -> usize {
    CELLS.checked_div(columns).unwrap_or(ROWS).clamp(1, ROWS)
}

fn part_of(file: &Parquet<OnDisk>, from: u64) -> Result<Option<Part>, String> {
    let mut before = 0_u64;
    for group in 0..file.groups() {
        let rows = file.rows_of(group);
        let end = before.saturating_add(rows as u64);
        if from >= end {
            before = end;
            continue;
        }
        let begin = usize::try_from(from.saturating_sub(before)).map_err(|error| error.to_string())?;
        let of_one = file.unpacked_of(group).checked_div(rows as u64).unwrap_or(0).max(1);
        let fit = usize::try_from(PART.checked_div(of_one).unwrap_or(1)).unwrap_or(usize::MAX).max(1);
        let count = height(file.columns().len()).min(fit).min(rows.saturating_sub(begin));
        return rows_of(file, group, begin..begin.saturating_add(count)).map(|rows| Some(Part { at: from, rows }));
    }
    Ok(None)
}

fn rows_of(file: &Parquet<OnDisk>, group: usize, range: std::ops::Range<usize>) -> Result<Rows, String> {
    let mut left = Bound { page: PAGE, chunk: CHUNK, texts: BATCH, ..Bound::NONE };
    let mut rows = Rows { kept: (0..range.len() as u64).collect(), ..Rows::default() };
    for column in file.columns() {
        let is_bytes = column.given == Some(DataType::BinaryView);
        let whole = match unusable(column) {
            Some(error) if !is_bytes => {
                rows.errors.push(error);
                continue;
            }
            Some(_) => {
                let read = file.column(&column.name, group, Some(range.clone()), left);
                joined(file, column, &read.map_err(|error| format!("column `{}`: {error}", column.name))?)
            }
            None => {
                read(file, column, group, Some(range.clone()), &mut left).and_then(|parts| joined(file, column, &parts))
            }
        };
        rows.columns.push((column.name.clone(), whole.map_err(|error| error.to_string())?));
    }
    Ok(rows)
}

/// The messages of an Arrow stream, which stand in an Arrow file as well: between its mark and its footer, which says nothing that they do
/// not.
pub struct Batches {
    input: BufReader<File>,
    length: u64,
    decoder: StreamDecoder,
    /// The batch at hand, and how many rows of the file stand before it.
    batch: Option<RecordBatch>,
    before: u64,
}

impl Batches {
    fn open(file: File) -> Result<Self, String> {
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let mut input = BufReader::new(file);
        let mut mark = [0; 8];
        input.read_exact(&mut mark).map_err(|_| "is no Arrow file: it is too short".to_owned())?;
        let mut batches = Self { input, length, decoder: StreamDecoder::new(), batch: None, before: 0 };
        if mark.starts_with(b"ARROW1") {
            batches.pass_padding()?;
        } else {
            batches.input.rewind().map_err(|error| error.to_string())?;
        }
        Ok(batches)
    }

    /// Behind a file's mark there are zeros, up to the alignment of whoever wrote it.
    fn pass_padding(&mut self) -> Result<(), String> {
        for _ in 0..ALIGNMENT {
            let next = self.input.fill_buf().map_err(|error| error.to_string())?;
            if next.first() != Some(&0) {
                break;
            }
            self.input.consume(1);
        }
        Ok(())
    }

    fn next(&mut self, from: u64) -> Result<Option<Part>, String> {
        loop {
            if let Some(batch) = &self.batch {
                let rows = batch.num_rows() as u64;
                if from < self.before.saturating_add(rows) {
                    let begin = usize::try_from(from.saturating_sub(self.before)).unwrap_or(usize::MAX);
                    let left = batch.num_rows().saturating_sub(begin);
                    let part = batch.slice(begin, height(batch.num_columns()).min(left));
                    return rows_of_batch(&part).map(|rows| Some(Part { at: from, rows }));
                }
                self.before = self.before.saturating_add(rows);
                self.batch = None;
            }
            let Some(message) = self.message()? else { return Ok(None) };
            let mut left = Buffer::from(message);
            while !left.is_empty() {
                let decoded = self.decoder.decode(&mut left).map_err(|error| format!("is no Arrow file: {error}"))?;
                let Some(batch) = decoded else { break };
                if batch.columns().iter().map(text_length).fold(0, u64::saturating_add) > BATCH {
                    return Err(format!("a batch has more than {BATCH} bytes of texts; write smaller ones"));
                }
                self.batch = Some(batch);
            }
        }
    }

    /// The next message, head and body; none at the end.
    fn message(&mut self) -> Result<Option<Vec<u8>>, String> {
        let cut = |_| "is no Arrow file: it ends within a message".to_owned();
        let mut head = [0; 4];
        // A stream may end without its mark.
        if self.input.read(&mut head[..1]).map_err(|error| error.to_string())? == 0 {
            return Ok(None);
        }
        self.input.read_exact(&mut head[1..]).map_err(cut)?;
        let mut message = head.to_vec();
        if head == CONTINUATION {
            self.input.read_exact(&mut head).map_err(cut)?;
            message.extend_from_slice(&head);
        }
        let length = u64::from(u32::from_le_bytes(head));
        if length == 0 {
            return Ok(None);
        }
        self.more(length, &mut message)?;
        let at = message.len().saturating_sub(usize::try_from(length).unwrap_or(usize::MAX));
        let body = {
            let damaged = || "is no Arrow file: a message's head is damaged".to_owned();
            let head = ipc::root_as_message(message.get(at..).unwrap_or_default()).map_err(|_| damaged())?;
            if head.header_type() == MessageHeader::Schema {
                let schema = head.header_as_schema().ok_or_else(damaged)?;
                let schema = ipc::convert::try_fb_to_schema(schema).map_err(|_| damaged())?;
                bounded(schema.fields().len())?;
            }
            u64::try_from(head.bodyLength()).map_err(|_| damaged())?
        };
        let body_at = message.len();
        self.more(body, &mut message)?;
        look_over(message.get(at..body_at).unwrap_or_default(), message.get(body_at..).unwrap_or_default())?;
        Ok(Some(message))
    }

    fn more(&mut self, bytes: u64, message: &mut Vec<u8>) -> Result<(), String> {
        if bytes > BATCH || bytes > self.length {
            return Err(format!("a message claims {bytes} bytes; {BATCH} are read at once: write smaller batches"));
        }
        let read = (&mut self.input).take(bytes).read_to_end(message).map_err(|error| error.to_string())?;
        if (read as u64) < bytes { Err("is no Arrow file: it ends within a message".to_owned()) } else { Ok(()) }
    }
}

/// What a batch unfolds to must be within bounds before anything is made of it.
fn look_over(head: &[u8], body: &[u8]) -> Result<(), String> {
    let damaged = || "is no Arrow file: a message's head is damaged".to_owned();
    let message = ipc::root_as_message(head).map_err(|_| damaged())?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => {
            let dictionary = message.header_as_dictionary_batch();
            // Every batch behind a delta keeps a dictionary as large as all deltas before it.
            if dictionary.is_some_and(|dictionary| dictionary.isDelta()) {
                return Err("its dictionaries grow (deltas); write them whole".to_owned());
            }
            dictionary.and_then(|dictionary| dictionary.data())
        }
        _ => return Ok(()),
    };
    let batch = batch.ok_or_else(damaged)?;
    let mut unpacked = body.len() as u64;
    if batch.compression().is_some() {
        unpacked = 0;
        for buffer in batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() > 0) {
            let at = usize::try_from(buffer.offset()).map_err(|_| damaged())?;
            let claimed = body.get(at..).and_then(<[u8]>::first_chunk::<8>).ok_or_else(damaged)?;
            // Below zero: this one is not packed.
            let claimed = u64::try_from(i64::from_le_bytes(*claimed)).unwrap_or(buffer.length().unsigned_abs());
            unpacked = unpacked.saturating_add(claimed);
        }
    }
    if unpacked > BATCH {
        return Err(format!("a batch unpacks to {unpacked} bytes; {BATCH} are read at once: write smaller batches"));
    }
    // Columns of nulls, and lists of them, have lengths without bytes.
    let nodes = batch.nodes().into_iter().flatten().map(|node| u64::try_from(node.length()).unwrap_or(u64::MAX));
    let longest = nodes.chain([u64::try_from(batch.length()).unwrap_or(u64::MAX)]).max().unwrap_or(0);
    if longest > unpacked.saturating_mul(8).max(1 << 20) {
        return Err("a batch claims more rows than it can hold".to_owned());
    }
    Ok(())
}

fn rows_of_batch(batch: &RecordBatch) -> Result<Rows, String> {
    let mut rows = Rows { kept: (0..batch.num_rows() as u64).collect(), ..Rows::default() };
    let schema = batch.schema();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name();
        if rows.columns.iter().any(|(known, _)| known == name) {
            return Err(format!("column `{name}` occurs twice"));
        }
        if list_items(array) as u64 > BATCH / 8 {
            return Err(format!("column `{name}` has lists of more than {} items in a batch", BATCH / 8));
        }
        match normal_type(field.data_type()) {
            Ok(_) => rows.columns.push((name.clone(), normalise(array).map_err(|error| error.to_string())?)),
            Err(Unsupported(_)) if is_bytes(array) => rows.columns.push((name.clone(), Arc::clone(array))),
            Err(error) => {
                let message = format!("left out: {error}");
                rows.errors.push(RowError { row: None, field: Some(name.clone()), message });
            }
        }
    }
    Ok(rows)
}

fn is_bytes(array: &ArrayRef) -> bool {
    matches!(array.data_type(), DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}
