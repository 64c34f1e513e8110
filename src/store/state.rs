//! Small state as JSON, whole or absent.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::files::write_atomically;

/// What is kept so is small; a larger file is somebody else's.
const MOST: u64 = 64 << 20;

/// Writes it in the place of what was there.
///
/// # Errors
/// The disk failed.
pub fn write<T: Serialize>(path: &Path, state: &T) -> Result<(), Error> {
    let text = serde_json::to_vec(state).map_err(|error| Error::Record(error.to_string()))?;
    write_atomically(path, |file| file.write_all(&text).map_err(Error::io(path)))
}

/// What was written; `None` where nothing was.
///
/// # Errors
/// It cannot be read, or is no longer what was written.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path)(error)),
    };
    if !meta.is_file() || meta.len() > MOST {
        return Err(Error::Record(format!("{}: is no file of ours", path.display())));
    }
    let file = File::open(path).map_err(Error::io(path))?;
    let wrong = |error| Error::Record(format!("{}: {error}", path.display()));
    serde_json::from_reader(BufReader::new(file)).map(Some).map_err(wrong)
}
