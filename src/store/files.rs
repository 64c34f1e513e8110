//! Files that are whole or absent: written aside, flushed to the disk, then renamed into place.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::Error;

/// What a half-written file is called. Never read, removed when the store opens.
const ASIDE: &str = "tmp";

/// Writes `path` through `write`. After a crash at any moment the old file or the new one is there, whole.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), Error>,
) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let aside = path.with_extension(ASIDE);
    let result = (|| {
        let mut file = BufWriter::new(File::create(&aside).map_err(Error::io(&aside))?);
        write(&mut file)?;
        let file = file.into_inner().map_err(|e| Error::io(&aside)(e.into_error()))?;
        file.sync_all().map_err(Error::io(&aside))?;
        fs::rename(&aside, path).map_err(Error::io(path))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
    })();
    if result.is_err() {
        let _ = fs::remove_file(&aside);
    }
    result
}

/// One file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub path: PathBuf,
    pub bytes: u64,
}

/// Every file with one of these extensions below `folder`, in order of path. An absent folder has none.
pub fn files_below(folder: &Path, extensions: &[&str]) -> Result<Vec<Stored>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io(folder)(error)),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(path),
                Ok(meta) if meta.is_file() && path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) => {
                    files.push(Stored { path, bytes: meta.len() });
                }
                _ => {}
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Removes what a crash left half written.
pub fn remove_unfinished(folder: &Path) -> Result<(), Error> {
    for file in files_below(folder, &[ASIDE])? {
        fs::remove_file(&file.path).map_err(Error::io(file.path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_aside() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a/b.parquet");
        write_atomically(&path, |file| file.write_all(b"old").map_err(Error::io("b"))).expect("written");
        let failed = write_atomically(&path, |file| {
            file.write_all(b"half").map_err(Error::io("b"))?;
            Err(Error::Locked(PathBuf::new()))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("readable"), b"old");
        assert_eq!(files_below(dir.path(), &[ASIDE]).expect("listed"), []);
        assert_eq!(files_below(dir.path(), &["parquet"]).expect("listed"), [Stored { path, bytes: 3 }]);
    }
}
