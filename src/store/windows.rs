//! Judged windows in full, which the page shows one by one: `DATA/models/windows/node=NAME/model_namespace=NAMESPACE/model=NAME/END.json.gz`,
//! END in milliseconds since 1970. Memory keeps of older windows which columns drifted, and no more.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::files::{Stored, files_below, write_atomically};
use super::history::node_folder;
use super::layout::of_model;
use crate::identity::ModelKey;

const TABLE: &str = "windows";
const EXTENSION: &str = "gz";
/// Windows kept of a model: as many as its list has.
const KEPT: usize = 1000;
/// The longest text that is read: what is written here stays far below it.
const LONGEST: u64 = 64 << 20;

fn table(models: &Path, node: &str) -> PathBuf {
    models.join(TABLE).join(node)
}

fn path(models: &Path, node: &str, model: &ModelKey, end: i64) -> PathBuf {
    // Of one length, so that names are in order of time.
    of_model(&table(models, node), model).join(format!("{end:015}.json.{EXTENSION}"))
}

/// A window of a model that ended then, in milliseconds since 1970, if it is kept. Any thread may ask, whoever holds the folder.
///
/// # Errors
/// The file cannot be read, or another version wrote it.
pub fn read<T: DeserializeOwned>(data: &Path, node: &str, model: &ModelKey, end: i64) -> Result<Option<T>, Error> {
    let path = path(&data.join("models"), &node_folder(node), model, end);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path)(error)),
    };
    let read = serde_json::from_reader(BufReader::new(GzDecoder::new(file).take(LONGEST)));
    read.map(Some).map_err(|error| Error::Record(format!("{}: {error}", path.display())))
}

/// Keeps a window in the place of what was known of it before.
pub(super) fn write<T: Serialize>(
    models: &Path,
    node: &str,
    model: &ModelKey,
    end: i64,
    window: &T,
) -> Result<(), Error> {
    let path = path(models, node, model, end);
    write_atomically(&path, |file| {
        let mut text = GzEncoder::new(file, Compression::fast());
        serde_json::to_writer(&mut text, window).map_err(|error| Error::Record(error.to_string()))?;
        let file = text.finish().map_err(Error::io(&path))?;
        file.flush().map_err(Error::io(&path))
    })
}

/// Removes what is kept of a model.
pub(super) fn remove(models: &Path, node: &str, model: &ModelKey) -> Result<(), Error> {
    let folder = of_model(&table(models, node), model);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder)(error)),
        _ => Ok(()),
    }
}

/// Removes windows that are too many of a model, that `is_old`, and of all the oldest beyond so many bytes. Returns the bytes that are
/// left.
pub(super) fn retain(models: &Path, most: u64, is_old: impl Fn(&Path) -> bool) -> Result<u64, Error> {
    let files = files_below(&models.join(TABLE), &[EXTENSION])?;
    let remove = |path: &Path| fs::remove_file(path).map_err(Error::io(path));
    let mut kept: Vec<&Stored> = Vec::new();
    for of_one in files.chunk_by(|a, b| a.path.parent() == b.path.parent()) {
        let too_many = of_one.len().saturating_sub(KEPT);
        for (at, file) in of_one.iter().enumerate() {
            if at < too_many || is_old(&file.path) {
                remove(&file.path)?;
            } else {
                kept.push(file);
            }
        }
    }
    // By the time in their names.
    kept.sort_by_key(|file| file.path.file_name());
    let mut left = kept.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    for file in kept {
        if left <= most {
            break;
        }
        remove(&file.path)?;
        left = left.saturating_sub(file.bytes);
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_kept_read_bounded_and_removed() {
        let data = tempfile::tempdir().expect("temporary folder");
        let (models, node) = (data.path().join("models"), node_folder("n/1"));
        let keys = [ModelKey::named("m"), ModelKey::within("shop", "m")];
        for (n, key) in keys.iter().enumerate() {
            for end in 0..1002_i64 {
                write(&models, &node, key, end * 1000, &(n, end)).expect("written");
            }
        }
        let of = |key: &ModelKey, end| read::<(usize, i64)>(data.path(), "n/1", key, end).expect("readable");
        assert_eq!((of(&keys[0], 1000), of(&keys[1], 1000)), (Some((0, 1)), Some((1, 1))));
        assert_eq!(of(&keys[0], 1500), None);
        write(&models, &node, &keys[0], 5000, &(9, 9)).expect("written again");
        assert_eq!(of(&keys[0], 5000), Some((9, 9)));
        let all = retain(&models, u64::MAX, |_| false).expect("retained");
        assert!(all > 0 && of(&keys[0], 1000).is_none() && of(&keys[1], 1000).is_none());
        assert!(of(&keys[0], 2000).is_some() && of(&keys[1], 2000).is_some());
        remove(&models, &node, &keys[0]).expect("removed");
        remove(&models, &node, &keys[0]).expect("nothing is left to remove");
        assert!(of(&keys[0], 5000).is_none() && of(&keys[1], 5000).is_some());
        let half = retain(&models, all / 4, |_| false).expect("retained");
        assert!(half <= all / 4 && half > all / 5, "{half} of {all}");
        assert!(of(&keys[1], 2000).is_none() && of(&keys[1], 1_000_000).is_some(), "the oldest go first");
        assert_eq!(retain(&models, u64::MAX, |_| true).expect("retained"), 0);
    }

    #[test]
    fn what_another_version_wrote_is_an_error_with_its_path() {
        let data = tempfile::tempdir().expect("temporary folder");
        let (models, node) = (data.path().join("models"), node_folder("n"));
        write(&models, &node, &ModelKey::named("m"), 1000, &"text").expect("written");
        let error = read::<i64>(data.path(), "n", &ModelKey::named("m"), 1000).expect_err("a text is no number");
        assert!(error.to_string().contains("000000000001000.json.gz"), "{error}");
        assert!(read::<i64>(data.path(), "n", &ModelKey::named("m"), -1000).expect("absent").is_none());
    }
}
