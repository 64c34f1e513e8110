//! What is kept on disk: the minute history, and the models' samples, as hive-partitioned Parquet.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod archive;
pub mod descriptions;
mod files;
pub mod history;
pub mod ids;
pub mod layout;
pub mod log;
pub mod outgoing;
pub mod past;
pub mod samples;
pub mod state;
pub mod windows;

use std::path::PathBuf;

pub use history::History;
pub use log::Log;
pub use samples::Samples;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Another agent holds the folder.
    #[error("{0}: in use by another plumbline; give this one a folder of its own with --data")]
    Locked(PathBuf),
    /// The samples of several nodes lie there.
    #[error("{0}: has the samples of several nodes; choose one with --node")]
    Nodes(PathBuf),
    /// Another version of plumbline wrote the folder.
    #[error(
        "{path}: written by another version of plumbline (this one reads and writes {ours}); move the data folder away, or give a new one with --data"
    )]
    OtherVersion {
        /// The table's folder.
        path: PathBuf,
        /// What this plumbline has in its place.
        ours: String,
    },
    /// Rows cannot be written as they are.
    #[error("{0}")]
    Record(String),
    /// A column of a file is of a type that plumbline does not write.
    #[error(
        "{path}: column `{column}` is {found}, not {expected}: another program wrote it; write it again as {expected}, or move the file out of the data folder"
    )]
    OtherType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type as this version writes it.
        expected: String,
        /// Its type in the file.
        found: String,
    },
    /// A file is not what it should be.
    #[error("{path}: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What polars says.
        source: polars::error::PolarsError,
    },
}

impl Error {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
