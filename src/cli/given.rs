//! What the command line names: a file by its path, or what lies behind an address, read into a file that goes with the command.

use std::path::{Path, PathBuf};

use crate::fetch::{self, Fetched, Source};

/// More than this of an address is not read, in bytes.
const LARGEST: u64 = 16 << 30;

/// Something that was named.
pub struct Given {
    /// Where it lies.
    pub path: PathBuf,
    /// As it was named, without what may be a key.
    pub shown: PathBuf,
    /// Lives as long as the file.
    fetched: Option<Fetched>,
}

/// Why what is named cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no address that is known.
    #[error("{}: {message}", path.display())]
    Address {
        /// As it was named, up to what may be a key.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// It is another than it should be.
    #[error("{}: its SHA-256 is {found}, and --reference-hash says {wanted}", path.display())]
    Hash {
        /// As it was named.
        path: PathBuf,
        /// The file's, or a profile's own.
        found: String,
        /// The one that was asked for.
        wanted: String,
    },
}

impl Given {
    /// What is named; `slot` keeps what one command fetches apart.
    pub fn new(named: &Path, slot: &str) -> Result<Self, Error> {
        let file = || Self { path: named.to_owned(), shown: named.to_owned(), fetched: None };
        let Some(text) = named.to_str().filter(|text| text.contains("://")) else { return Ok(file()) };
        let scheme = || text.split("://").next().unwrap_or_default().into();
        let source = Source::parse(text).map_err(|message| Error::Address { path: scheme(), message })?;
        let folder = std::env::temp_dir().join(format!("plumbline-{}-{slot}", std::process::id()));
        let fetched = source.fetch_now(LARGEST, &folder)?;
        Ok(Self { path: fetched.path.clone(), shown: source.shown().into(), fetched: Some(fetched) })
    }

    /// Refuses another file than one of this SHA-256, the file's or `own`.
    pub fn check(&self, wanted: Option<&str>, own: Option<&str>) -> Result<(), Error> {
        let Some(wanted) = wanted else { return Ok(()) };
        let is = |hash: &str| wanted.trim().eq_ignore_ascii_case(hash);
        if own.is_some_and(is) {
            return Ok(());
        }
        let unreadable =
            |error: std::io::Error| Error::Address { path: self.shown.clone(), message: error.to_string() };
        let found = match &self.fetched {
            Some(fetched) => fetched.sha256.clone(),
            None => fetch::sha256(&self.path).map_err(unreadable)?,
        };
        if is(&found) {
            return Ok(());
        }
        let found = own.map_or(found, str::to_owned);
        Err(Error::Hash { path: self.shown.clone(), found, wanted: wanted.to_owned() })
    }
}
