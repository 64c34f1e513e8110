//! Stored files that an archive is still to have. Each is sent once: a mark beside it says that it was, `SEGMENT.archived`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::files::files_below;
use super::layout::{AGENT, model_of};
use super::{Error, state};
use crate::identity::ModelKey;

/// A mark's extension.
pub(super) const EXTENSION: &str = "archived";
/// The tables that are sent.
const TABLES: [&str; 2] = ["samples", "labels"];

/// A file that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is called in the archive: as below the models' folder, but that the file's own name begins with what tells this data folder
    /// from others, as each begins anew to number its segments.
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

/// The files below a data folder that the archive lacks, oldest segment first; those of models of which no row is to be kept are none.
///
/// # Errors
/// A folder cannot be read.
pub fn waiting(data: &Path, keeps: impl Fn(&ModelKey) -> bool) -> Result<Vec<Waiting>, Error> {
    let models = data.join("models");
    // Without it nothing was stored yet.
    let Ok(Some(agent)) = state::read::<String>(&models.join(AGENT)) else { return Ok(Vec::new()) };
    let agent = agent.get(..8).unwrap_or(&agent);
    let name = |path: &Path| {
        let folder = path.parent()?.strip_prefix(&models).ok()?.to_str()?;
        Some(format!("{folder}/{agent}-{}", path.file_name()?.to_str()?))
    };
    let mut found = Vec::new();
    for table in TABLES {
        for file in files_below(&models.join(table), &["parquet"])?.into_iter().filter(|file| !has(&file.path)) {
            if model_of(&file.path).is_some_and(|model| !keeps(&model)) {
                continue;
            }
            found.extend(name(&file.path).map(|name| Waiting { path: file.path.clone(), name, bytes: file.bytes }));
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
    if file.path.exists() {
        there(File::create(&mark).map(drop)).map_err(Error::io(&mark))?;
    }
    if !file.path.exists() {
        there(fs::remove_file(&mark)).map_err(Error::io(&mark))?;
    }
    Ok(())
}

/// What is gone by now, or whose folder is, was removed by somebody else meanwhile.
pub(super) fn there(done: std::io::Result<()>) -> std::io::Result<()> {
    done.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
