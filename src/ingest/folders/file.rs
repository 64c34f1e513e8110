//! One file of a folder: whether it is still as it was seen, what its content is called, its parts, and how it is moved aside.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::look::{Stamp, Written};
use super::tables::Table;
use super::text::Text;
use super::{Failure, hex};
use crate::frame::json::{Limits, Rows};
use crate::frame::normal::ColumnKind;
use crate::ingest::decode::decode;

/// What a part of a text may hold.
const LIMITS: Limits = Limits { rows: 1 << 22, columns: 4096, cells: 1 << 24 };
/// The logarithm of the window that a packed text may ask for: 8 MiB, as of a body.
const WINDOW: u32 = 23;
/// So much is read at once.
const STEP: usize = 1 << 20;

/// Opens a file that is no link, and is what it was when it was seen.
fn open(path: &Path) -> std::io::Result<File> {
    let seen = fs::symlink_metadata(path)?;
    let file = File::open(path)?;
    let opened = file.metadata()?;
    if !seen.is_file() || (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) {
        return Err(std::io::Error::other("is no regular file"));
    }
    Ok(file)
}

/// The file is still as it was seen.
///
/// # Errors
/// It is not.
pub fn is_still(path: &Path, stamp: Stamp) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(meta) if Stamp::of(&meta) == stamp => Ok(()),
        _ => Err(Failure::Changed),
    }
}

/// The SHA-256 of its content.
///
/// # Errors
/// It changed, is gone, cannot be read, or it is time to end.
pub fn sha256(path: &Path, stamp: Stamp, is_over: &dyn Fn() -> bool) -> Result<String, Failure> {
    is_still(path, stamp)?;
    let bad = |error: std::io::Error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::Other => Failure::Bad(format!("cannot be read: {error}")),
        // The volume failed, not the file: it is read again.
        _ => {
            tracing::warn!(file = %path.display(), %error, "the file cannot be read now");
            Failure::Changed
        }
    };
    let mut file = open(path).map_err(bad)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; STEP]);
    loop {
        let read = file.read(&mut buffer).map_err(bad)?;
        if read == 0 {
            break;
        }
        digest.update(buffer.get(..read).unwrap_or_default());
        if is_over() {
            return Err(Failure::Stopped);
        }
    }
    is_still(path, stamp)?;
    Ok(hex(&digest.finalize()))
}

/// A part of a file.
pub struct Part {
    /// Where it begins: a byte of a text, a row of a table.
    pub at: u64,
    /// Where the next one may begin.
    pub next: u64,
    held: Held,
}

enum Held {
    Text(super::text::Part),
    Table(Box<Rows>),
}

impl Part {
    /// What it takes in memory, more or less.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.held {
            Held::Text(part) => part.body.len() as u64,
            Held::Table(rows) => {
                let of = |array: &arrow::array::ArrayRef| array.to_data().get_slice_memory_size().unwrap_or(0) as u64;
                rows.columns.iter().map(|(_, array)| of(array)).fold(0, u64::saturating_add)
            }
        }
    }

    /// Its rows; `expected` is the kind that a column is known to have.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn rows(&self, expected: &dyn Fn(&str) -> Option<ColumnKind>) -> Result<Rows, String> {
        match &self.held {
            Held::Text(part) => decode(&part.body, part.format, LIMITS, expected).map_err(|error| error.to_string()),
            Held::Table(rows) => Ok(Rows {
                columns: rows.columns.clone(),
                kept: rows.kept.clone(),
                errors: rows.errors.clone(),
                ..Rows::default()
            }),
        }
    }
}

/// Reads a file part by part.
pub enum Reader {
    /// A text.
    Text(Text),
    /// A table.
    Table(Table),
}

impl Reader {
    /// Begins to read; a row of a text may be so long, in bytes.
    ///
    /// # Errors
    /// It cannot be read, or is not what its name says.
    pub fn open(path: &Path, longest: usize) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot be read: {error}");
        let written = path.to_str().and_then(Written::of).ok_or("its name does not say how it is written")?;
        let file = open(path).map_err(failed)?;
        match written {
            Written::Parquet => return Table::parquet(file).map(Self::Table),
            Written::Arrow => return Table::arrow(file).map(Self::Table),
            Written::Cells(_) | Written::Lines | Written::Json => {}
        }
        let mut input = BufReader::with_capacity(STEP, file);
        let head = std::io::BufRead::fill_buf(&mut input).map_err(failed)?;
        // By its first bytes: who packs a file may not say so.
        let (gzip, zstd) = (head.starts_with(&[0x1f, 0x8b]), head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
        let input: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(input))
        } else if zstd {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(failed)?;
            decoder.window_log_max(WINDOW).map_err(failed)?;
            Box::new(decoder)
        } else {
            Box::new(input)
        };
        Text::open(input, written, longest).map(Self::Text)
    }

    /// The part that begins at `from` or behind it; none at the end.
    ///
    /// # Errors
    /// The file is broken.
    pub fn next(&mut self, from: u64) -> Result<Option<Part>, String> {
        Ok(match self {
            Self::Text(text) => {
                let part = text.next(from)?;
                let next = text.at();
                part.map(|part| Part { at: part.at, next, held: Held::Text(part) })
            }
            Self::Table(table) => table.next(from)?.map(|part| {
                let next = part.at.saturating_add(part.rows.kept.len() as u64);
                Part { at: part.at, next, held: Held::Table(Box::new(part.rows)) }
            }),
        })
    }
}

/// Moves a file into a folder within its own, with what is wrong in a text beside it.
///
/// # Errors
/// It cannot be moved.
pub fn move_aside(folder: &Path, name: &str, aside: &str, error: &str) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    let aside = folder.join(aside);
    fs::create_dir_all(&aside).map_err(told)?;
    let flat = name.replace('/', "__");
    // Another file of this name may lie there.
    let places = (0..10_000_u32).map(|at| if at == 0 { flat.clone() } else { format!("{at}.{flat}") });
    let place = places.map(|name| aside.join(name)).find(|place| fs::symlink_metadata(place).is_err());
    let place = place.ok_or("there are too many of its name")?;
    fs::rename(folder.join(name), &place).map_err(told)?;
    let beside = place.with_file_name(format!("{}.error.txt", place.file_name().unwrap_or_default().to_string_lossy()));
    fs::write(beside, error).map_err(told)
}
