//! Descriptions of models that came by the API: a text each, as it was sent.
//!
//! ```text
//! DATA/models/descriptions/model_namespace=NAMESPACE/model=NAME/description.toml
//! ```

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::Error;
use super::files::{files_below, write_atomically};
use super::layout::{model_of, of_model};
use crate::identity::ModelKey;

const FILE: &str = "description.toml";

fn folder(data: &Path) -> PathBuf {
    data.join("models").join("descriptions")
}

fn path(data: &Path, model: &ModelKey) -> PathBuf {
    of_model(&folder(data), model).join(FILE)
}

/// Keeps a model's description in the place of the one before.
///
/// # Errors
/// The disk failed.
pub fn write(data: &Path, model: &ModelKey, text: &str) -> Result<(), Error> {
    let path = path(data, model);
    write_atomically(&path, |file| file.write_all(text.as_bytes()).map_err(Error::io(&path)))
}

/// Removes a model's description. False if there is none.
///
/// # Errors
/// The disk failed.
pub fn remove(data: &Path, model: &ModelKey) -> Result<bool, Error> {
    let path = path(data, model);
    match fs::remove_file(&path) {
        Ok(()) => {
            // The folder goes with it; where it is not empty it stays. A power failure must not bring the description back.
            let above = path.parent().filter(|folder| fs::remove_dir(folder).is_err()).or(path.ancestors().nth(2));
            if let Some(above) = above {
                fs::File::open(above).and_then(|folder| folder.sync_all()).map_err(Error::io(above))?;
            }
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(path)(error)),
    }
}

/// A model's description as it was sent, or why it cannot be read.
pub type Kept = (ModelKey, Result<String, Error>);

/// Every description that is kept, by its model; of one that cannot be read, why.
///
/// # Errors
/// The folder cannot be read.
pub fn read(data: &Path, longest: u64) -> Result<Vec<Kept>, Error> {
    let text = |path: &Path, bytes: u64| {
        if bytes > longest {
            return Err(Error::Record(format!("{}: is longer than {longest} bytes", path.display())));
        }
        fs::read_to_string(path).map_err(Error::io(path))
    };
    let files = files_below(&folder(data), &["toml"])?;
    Ok(files.into_iter().filter_map(|file| Some((model_of(&file.path)?, text(&file.path, file.bytes)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_until_it_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (free, shop) = (ModelKey::named("m"), ModelKey::within("shop", "m"));
        let all = || -> Vec<(ModelKey, Option<String>)> {
            let all = read(folder.path(), 10).expect("a folder");
            all.into_iter().map(|(key, text)| (key, text.ok())).collect()
        };
        assert_eq!(all(), []);
        for (key, text) in [(&free, "old"), (&free, "new"), (&shop, "longer than ten")] {
            write(folder.path(), key, text).expect("written");
        }
        assert_eq!(all(), [(free.clone(), Some("new".to_owned())), (shop.clone(), None)]);
        assert!(remove(folder.path(), &free).expect("removed"));
        assert!(!remove(folder.path(), &free).expect("nothing left"));
        assert_eq!(all(), [(shop, None)]);
    }
}
