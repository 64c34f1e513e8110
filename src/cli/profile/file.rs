//! Profiles in files.

use std::path::{Path, PathBuf};

use crate::drift::profile::{self, LARGEST, Profile, is_one};

/// Why a file is no profile that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is no profile, or not one that can be used.
    #[error("{}: {source}", path.display())]
    Profile {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong with it.
        source: profile::Error,
    },
    /// The file cannot be read.
    #[error("{}: {message}", path.display())]
    Read {
        /// Where it lies.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

/// Whether the file is meant to be a profile, by what it begins with or by its name.
pub fn is_profile(path: &Path) -> bool {
    use std::io::Read as _;
    let named = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".profile.json"));
    let regular = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let begins = || {
        let mut head = Vec::new();
        std::fs::File::open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
        Some(is_one(&String::from_utf8_lossy(&head)))
    };
    regular && (named || begins().unwrap_or(false))
}

/// The profile in a file that is called `name` where it is told of.
pub fn read(path: &Path, name: &Path) -> Result<Profile, Error> {
    let failed = |message: String| Error::Read { path: name.to_owned(), message };
    let meta = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !meta.is_file() {
        return Err(failed("is not a regular file".to_owned()));
    }
    if meta.len() > LARGEST as u64 {
        return Err(failed(format!("is no profile: larger than {} MiB", LARGEST >> 20)));
    }
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| failed("is no profile: not text".to_owned()))?;
    Profile::read(&text).map_err(|source| Error::Profile { path: name.to_owned(), source })
}
