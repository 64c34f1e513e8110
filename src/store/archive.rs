//! Stored files that an archive is still to have. Each is sent once: a mark beside it says that it was, `SEGMENT.archived`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::Error;
use super::files::files_below;

/// A mark's extension.
pub(super) const EXTENSION: &str = "archived";
/// The tables that are sent.
const TABLES: [&str; 2] = ["samples", "labels"];

/// A file that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is called in the archive: as below the models' folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// Where a file's mark lies.
pub(super) fn beside(path: &Path) -> PathBuf {
    path.with_extension(EXTENSION)
}

/// Whether the archive has the file.
pub(super) fn has(path: &Path) -> bool {
    beside(path).exists()
}

/// The files below a data folder that the archive lacks, oldest segment first.
///
/// # Errors
/// A folder cannot be read.
pub fn waiting(data: &Path) -> Result<Vec<Waiting>, Error> {
    let models = data.join("models");
    let mut found = Vec::new();
    for table in TABLES {
        for file in files_below(&models.join(table), &["parquet"])?.into_iter().filter(|file| !has(&file.path)) {
            let name = file.path.strip_prefix(&models).ok().and_then(Path::to_str).map(str::to_owned);
            found.extend(name.map(|name| Waiting { path: file.path.clone(), name, bytes: file.bytes }));
        }
    }
    found.sort_by(|a, b| a.path.file_name().cmp(&b.path.file_name()).then_with(|| a.name.cmp(&b.name)));
    Ok(found)
}

/// Notes that the archive has a file. One that is gone by now has no mark.
///
/// # Errors
/// The mark cannot be written; the file is sent again.
pub fn mark(file: &Waiting) -> Result<(), Error> {
    let mark = beside(&file.path);
    File::create(&mark).map_err(Error::io(&mark))?;
    if !file.path.exists() {
        fs::remove_file(&mark).map_err(Error::io(&mark))?;
    }
    Ok(())
}
