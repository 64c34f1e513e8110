//! What lies at a path or an address, within bounds: read whole, and again only where it has changed. And where files are sent (`place`).
//!
//! `https://` and `http://` by a GET with `If-None-Match` or `If-Modified-Since`, five redirects at most; `s3://`, `gs://` and `az://` with
//! the keys that the environment or the machine's role gives; anything else is a path. An address may carry a key, in its user part or its
//! query, and is never shown with either.

mod http;
mod object;
pub mod place;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::client::chain;
use crate::units::hex;

/// An answer must have come whole by then.
const LIMIT: Duration = Duration::from_secs(600);
/// A connection must stand by then, and no part of an answer may be longer in coming.
const PATIENCE: Duration = Duration::from_secs(15);
/// Of a file so many bytes are read at once.
const PART: usize = 1 << 16;
/// The schemes of object stores.
const OBJECTS: &[&str] = &["s3", "gs", "az"];

/// Where something lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// At a path.
    File(PathBuf),
    /// Behind an address of HTTP.
    Http(String),
    /// In an object store.
    Object(String),
}

/// What tells whether it has changed since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// The entity tag, or what is known of a file.
    tag: Option<String>,
    /// The time it was changed, as it was told.
    modified: Option<String>,
}

/// What came of asking.
#[derive(Debug)]
pub enum Answer {
    /// It is as it was.
    Same,
    /// It is another, or is asked for for the first time.
    New(Fetched),
}

/// Something that was read: a copy that goes with this, and that nobody else writes to.
#[derive(Debug)]
pub struct Fetched {
    /// Where it lies now; of the name that it had, as that tells how it is written.
    pub path: PathBuf,
    /// What to ask with the next time.
    pub mark: Mark,
    /// Of what was read, in hex.
    pub sha256: String,
    aside: PathBuf,
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.aside);
    }
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct Error {
    /// Where it lies, as it may be shown.
    pub at: String,
    /// What happened.
    pub message: String,
}

impl Source {
    /// What a text names.
    ///
    /// # Errors
    /// It is an address of a scheme that is not known, or of no host.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return if text.trim().is_empty() { Err("is empty".to_owned()) } else { Ok(Self::File(text.into())) };
        };
        let scheme = scheme.to_ascii_lowercase();
        let known = matches!(scheme.as_str(), "http" | "https") || OBJECTS.contains(&scheme.as_str());
        if !known {
            return Err(format!("`{scheme}://` is not read; give a path, https://, http://, s3://, gs:// or az://"));
        }
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = path.split_once('/').unwrap_or((path, ""));
        if host.is_empty() || path.is_empty() {
            return Err(format!("is no address of a file; write it as {scheme}://HOST/PATH"));
        }
        let text = format!("{scheme}://{rest}");
        Ok(if OBJECTS.contains(&scheme.as_str()) { Self::Object(text) } else { Self::Http(text) })
    }

    /// It is a path.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// As it may be shown: without what may be a key.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Http(address) | Self::Object(address) => {
                let address = address.split(['?', '#']).next().unwrap_or_default();
                let (scheme, rest) = address.split_once("://").unwrap_or_default();
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let host = host.rsplit('@').next().unwrap_or_default();
                format!("{scheme}://{host}/{path}")
            }
        }
    }

    /// The name of what lies there.
    fn name(&self) -> String {
        let shown = self.shown();
        let name = shown.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = name.chars().filter(|c| plain(*c)).collect();
        let from = name.len().saturating_sub(100);
        // A name of dots would be a folder.
        format!("fetched-{}", name.get(from..).unwrap_or_default())
    }

    /// Reads it once, if it is another than `since` says, into a copy below `folder`.
    ///
    /// # Errors
    /// It cannot be read, or is larger than `most` bytes.
    pub async fn fetch(&self, since: Option<&Mark>, most: u64, folder: &Path) -> Result<Answer, Error> {
        let failed = |message| Error { at: self.shown(), message };
        let reading = async {
            match self {
                Self::File(path) => {
                    let (path, since, aside) = (path.clone(), since.cloned(), Aside::new(folder, self, most));
                    let read = tokio::task::spawn_blocking(move || file(&path, since.as_ref(), aside)).await;
                    read.unwrap_or_else(|error| Err(error.to_string()))
                }
                Self::Http(address) => http::get(address, since, Aside::new(folder, self, most)).await,
                Self::Object(address) => object::get(address, since, Aside::new(folder, self, most)).await,
            }
        };
        let read = tokio::time::timeout(LIMIT, reading).await;
        read.unwrap_or_else(|_| Err(format!("did not come within {} s", LIMIT.as_secs()))).map_err(failed)
    }

    /// The same on a thread that waits for it.
    ///
    /// # Errors
    /// As of [`Source::fetch`].
    pub fn fetch_now(&self, most: u64, folder: &Path) -> Result<Fetched, Error> {
        let failed = |message| Error { at: self.shown(), message };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        match runtime.block_on(self.fetch(None, most, folder))? {
            Answer::New(fetched) => Ok(fetched),
            Answer::Same => Err(failed("the server says that it has not changed, and was not asked".to_owned())),
        }
    }
}

fn file(path: &Path, since: Option<&Mark>, mut aside: Aside) -> Result<Answer, String> {
    use std::os::unix::fs::MetadataExt as _;
    let told = |error: std::io::Error| error.to_string();
    // Before it is opened, which of a pipe waits for somebody to write.
    if !fs::metadata(path).map_err(told)?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut file = File::open(path).map_err(told)?;
    let meta = file.metadata().map_err(told)?;
    aside.expect(Some(meta.len()))?;
    let tag = format!("{}-{}-{}.{}", meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
    let mark = Mark { tag: Some(tag), modified: None };
    if since == Some(&mark) {
        return Ok(Answer::Same);
    }
    let mut part = vec![0; PART];
    loop {
        match file.read(&mut part).map_err(told)? {
            0 => return aside.done(mark),
            read => aside.write(part.get(..read).unwrap_or_default())?,
        }
    }
}

fn too_large(most: u64) -> String {
    format!("is larger than {most} bytes")
}

/// The SHA-256 of a file, in hex.
///
/// # Errors
/// It cannot be read.
pub fn sha256(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut part) = (File::open(path)?, Sha256::new(), vec![0; PART]);
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(part.get(..read).unwrap_or_default());
    }
}

/// Where an answer is written and hashed as it comes, in a folder of its own that nobody else may enter.
struct Aside {
    folder: PathBuf,
    name: String,
    most: u64,
    written: u64,
    hash: Sha256,
    file: Option<File>,
}

impl Aside {
    fn new(folder: &Path, source: &Source, most: u64) -> Self {
        Self { folder: folder.to_owned(), name: source.name(), most, written: 0, hash: Sha256::new(), file: None }
    }

    /// Refuses what says that it is too large.
    fn expect(&self, bytes: Option<u64>) -> Result<(), String> {
        if bytes.is_some_and(|bytes| bytes > self.most) { Err(too_large(self.most)) } else { Ok(()) }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    fn write(&mut self, part: &[u8]) -> Result<(), String> {
        let failed = |path: &Path, error: &std::io::Error| format!("{}: {error}", path.display());
        self.written = self.written.saturating_add(part.len() as u64);
        self.expect(Some(self.written))?;
        let path = self.path();
        if self.file.is_none() {
            // One that a crash left is ours; one that somebody else made beforehand is not ours to fill.
            let _ = fs::remove_dir_all(&self.folder);
            let above = self.folder.parent().map_or(Ok(()), fs::create_dir_all);
            let made = above.and_then(|()| fs::DirBuilder::new().mode(0o700).create(&self.folder));
            made.map_err(|error| failed(&self.folder, &error))?;
            self.file = Some(File::create(&path).map_err(|error| failed(&path, &error))?);
        }
        self.hash.update(part);
        match &mut self.file {
            Some(file) => file.write_all(part).map_err(|error| failed(&path, &error)),
            None => Ok(()),
        }
    }

    /// All has come.
    fn done(mut self, mark: Mark) -> Result<Answer, String> {
        if self.file.take().is_none() {
            return Err("is empty".to_owned());
        }
        let sha256 = hex(&self.hash.finalize_reset());
        let fetched = Fetched { path: self.path(), mark, sha256, aside: std::mem::take(&mut self.folder) };
        self.name.clear();
        Ok(Answer::New(fetched))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// An error of the client, which may hold the address and so a key.
fn told(error: reqwest::Error) -> String {
    chain(&error.without_url())
}

#[cfg(test)]
mod tests;
