//! The minute history: one row per container and minute, another per GPU and minute, one Parquet file per hour.
//!
//! `DATA/container_minute/version=2/node=node-1/date=YYYY-MM-DD/hour=HH/minutes.parquet`, hive-partitioned (UTC), so that
//! DuckDB, ClickHouse, Spark, DataFusion or polars read the folder in place.
//!
//! The open hour's file is written anew, whole and atomically, as each minute closes. So a reader never meets half a
//! file nor a row twice, nothing needs to be compacted later, and a `kill -9` costs the open minute at most.
//! Rewriting costs little: an hour of 50 containers is 3,000 rows.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;
use polars::error::PolarsError;
use polars::prelude::{Column, DataFrame, KeyValueMetadata, ParquetReader, ParquetWriter, PolarsResult, SerReader};
use serde::Deserialize;

use super::files::{self, Stored, files_below, write_atomically};
use super::{Error, layout};
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::frame::{MinuteRow, Row};

const FILE: &str = "minutes.parquet";
/// The extension of a file that could not be read and was set aside.
const DAMAGED: &str = "damaged";

/// How long and how much is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Files that are older are removed.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub retention: Duration,
    /// Oldest files are removed while there is more.
    #[serde(deserialize_with = "crate::units::size")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "size")))]
    pub max_bytes: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self { retention: Duration::from_secs(30 * DAY), max_bytes: ByteSize::gib(1) }
    }
}

/// The history in one data folder, written by one agent.
#[derive(Debug)]
pub struct History {
    data: PathBuf,
    config: Config,
    /// Held while the folder is ours; `None` until it could be opened.
    lock: Option<File>,
    containers: Table<MinuteRow>,
    gpus: Table<GpuRow>,
    models: Table<ModelRow>,
}

/// One table of minutes.
#[derive(Debug)]
struct Table<R> {
    /// This node's part of it.
    folder: PathBuf,
    hour: Option<OpenHour>,
    /// Rows that the disk has not taken yet, oldest first.
    pending: Vec<R>,
}

#[derive(Debug)]
struct OpenHour {
    path: PathBuf,
    frame: DataFrame,
}

/// What an append came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows now safe on disk.
    pub written: u64,
    /// Rows thrown away because too many waited.
    pub dropped: u64,
    /// Rows that still wait.
    pub pending: u64,
}

/// Rows kept in memory while the disk fails: an hour of 1,000 containers.
const MAX_PENDING: usize = 60_000;

/// The folder of a table below a data folder.
#[must_use]
pub fn table_folder<R: Row>(data: &Path) -> PathBuf {
    data.join(R::TABLE).join(format!("version={}", R::VERSION))
}

impl History {
    /// The history of this node below `data`. Touches nothing yet.
    #[must_use]
    pub fn new(data: &Path, node: &str, config: Config) -> Self {
        Self {
            data: data.to_owned(),
            config,
            lock: None,
            containers: Table::new(data, node),
            gpus: Table::new(data, node),
            models: Table::new(data, node),
        }
    }

    /// Takes the folder: makes it as needed, and removes what a crash left half written. Does nothing when it is ours.
    ///
    /// # Errors
    /// The folder cannot be made or written, or another agent holds it.
    pub fn open(&mut self) -> Result<(), Error> {
        let path = self.data.join("lock");
        if let Some(lock) = &self.lock {
            let inode = |meta: std::io::Result<fs::Metadata>| meta.ok().map(|meta| meta.ino());
            if inode(lock.metadata()) == inode(fs::metadata(&path)) {
                return Ok(());
            }
            // Somebody removed the folder: it may be another agent's by now.
            self.lock = None;
            self.containers.hour = None;
            self.gpus.hour = None;
            self.models.hour = None;
        }
        layout::check(&self.data)?;
        fs::create_dir_all(&self.containers.folder).map_err(Error::io(&self.containers.folder))?;
        let lock = File::create(&path).map_err(Error::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(self.data.clone())),
            Err(TryLockError::Error(error)) => return Err(Error::io(path)(error)),
        }
        for table in self.tables() {
            files::remove_unfinished(&table)?;
        }
        self.lock = Some(lock);
        Ok(())
    }

    /// The same for models' rows.
    pub fn append_models(&mut self, rows: Vec<ModelRow>) -> (Appended, Result<(), Error>) {
        let opened = self.open();
        self.models.append(rows, opened)
    }

    /// The folder is held by this agent.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.lock.is_some()
    }

    /// The tables with the rows of every node that was ever written here.
    fn tables(&self) -> [PathBuf; 3] {
        [table_folder::<MinuteRow>, table_folder::<GpuRow>, table_folder::<ModelRow>].map(|folder| folder(&self.data))
    }

    /// The folder below which a reader finds the containers' rows.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.containers.folder
    }

    /// Takes new bounds for what is kept.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
    }

    /// Writes rows of closed minutes. What the disk does not take is kept and tried again with the next call; the
    /// error, if any, comes beside the counts.
    pub fn append(&mut self, rows: Vec<MinuteRow>) -> (Appended, Result<(), Error>) {
        let opened = self.open();
        self.containers.append(rows, opened)
    }

    /// The same for GPUs' rows.
    pub fn append_gpus(&mut self, rows: Vec<GpuRow>) -> (Appended, Result<(), Error>) {
        let opened = self.open();
        self.gpus.append(rows, opened)
    }

    /// Removes what is too old or too much, oldest first, the newest hour never. Returns what is left.
    ///
    /// # Errors
    /// A folder or file cannot be read or removed.
    pub fn retain(&mut self, now: Timestamp) -> Result<Vec<Stored>, Error> {
        if self.lock.is_none() {
            return Ok(Vec::new()); // another agent's, or nobody's yet
        }
        let mut kept = Vec::new();
        for table in self.tables() {
            let files = files_below(&table, &["parquet", DAMAGED])?;
            // Below a node paths sort as their hours do.
            let hour = |file: &Stored| hour_of(&file.path).map(Path::to_owned).unwrap_or_default();
            kept.extend(files.into_iter().map(|file| (hour(&file), file)));
        }
        kept.sort_by(|a, b| (&a.0, &a.1.path).cmp(&(&b.0, &b.1.path)));
        let oldest = hour_file(now.checked_sub(self.config.retention).unwrap_or(Timestamp::MIN));
        let newest = kept.last().and_then(|(hour, _)| hour.parent().map(Path::to_owned));
        let is_newest = |hour: &Path| hour.parent() == newest.as_deref();
        let mut bytes: u64 = kept.iter().map(|(_, file)| file.bytes).sum();
        let mut remove = 0;
        while let Some((hour, file)) = kept.get(remove)
            && !is_newest(hour)
            && (hour.parent() < oldest.parent() || bytes > self.config.max_bytes.as_u64())
        {
            bytes = bytes.saturating_sub(file.bytes);
            remove = usize::saturating_add(remove, 1);
        }
        for (_, file) in kept.drain(..remove) {
            fs::remove_file(&file.path).map_err(Error::io(&file.path))?;
            // Folders go with their last file; a folder that is not empty refuses, as it should.
            for folder in file.path.ancestors().skip(1).take(3) {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        Ok(kept.into_iter().map(|(_, file)| file).collect())
    }
}

/// Writes the rows of an hour that is over, where there is no file of it yet. All are of the hour that the first is of.
///
/// # Errors
/// The file cannot be written.
pub fn write_past<R: Row>(data: &Path, node: &str, rows: &[R]) -> Result<(), Error> {
    let Some(first) = rows.first() else { return Ok(()) };
    let path = Table::<R>::new(data, node).hour_path(first.minute());
    if path.exists() {
        return Ok(());
    }
    let parquet = |source| Error::Parquet { path: path.clone(), source };
    let mut frame = R::frame(rows).map_err(parquet)?;
    write_parquet::<R>(&path, &mut frame)
}

fn write_parquet<R: Row>(path: &Path, frame: &mut DataFrame) -> Result<(), Error> {
    write_atomically(path, |file| {
        ParquetWriter::new(file)
            // A few thousand rows: threads would cost more memory than they save time.
            .set_parallel(false)
            .with_key_value_metadata(Some(schema_metadata::<R>()))
            .finish(frame)
            .map(drop)
            .map_err(|source| Error::Parquet { path: path.to_owned(), source })
    })
}

/// A node's folder, below a table. What may not stand in a path is written as URLs do.
pub(super) fn node_folder(node: &str) -> String {
    use std::fmt::Write;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let mut folder = String::from("node=");
    for byte in node.bytes() {
        if plain(byte) {
            folder.push(char::from(byte));
        } else {
            let _ = write!(folder, "%{byte:02X}");
        }
    }
    folder
}

/// The part of a file's path that tells its hour: `date=.../hour=.../FILE`.
pub(super) fn hour_of(path: &Path) -> Option<&Path> {
    let above = path.ancestors().nth(3)?;
    path.strip_prefix(above).ok()
}

/// The file of a minute's hour, below its table and node.
pub(super) fn hour_file(minute: Timestamp) -> PathBuf {
    Path::new(&minute.strftime("date=%Y-%m-%d/hour=%H").to_string()).join(FILE)
}

impl<R: Row> Table<R> {
    fn new(data: &Path, node: &str) -> Self {
        Self { folder: table_folder::<R>(data).join(node_folder(node)), hour: None, pending: Vec::new() }
    }

    fn append(&mut self, rows: Vec<R>, opened: Result<(), Error>) -> (Appended, Result<(), Error>) {
        self.pending.extend(rows);
        let mut appended = Appended::default();
        let mut result = opened;
        while result.is_ok()
            && let Some(first) = self.pending.first()
        {
            let path = self.hour_path(first.minute());
            let count = self.pending.iter().take_while(|row| self.hour_path(row.minute()) == path).count();
            result = self.write_hour(&path, count);
            if result.is_ok() {
                self.pending.drain(..count);
                appended.written = appended.written.saturating_add(count as u64);
            }
        }
        if let Some(excess) = self.pending.len().checked_sub(MAX_PENDING) {
            self.pending.drain(..excess);
            appended.dropped = excess as u64;
        }
        appended.pending = self.pending.len() as u64;
        (appended, result)
    }

    fn hour_path(&self, minute: Timestamp) -> PathBuf {
        self.folder.join(hour_file(minute))
    }

    /// Writes the hour's file with the first `count` pending rows added.
    fn write_hour(&mut self, path: &Path, count: usize) -> Result<(), Error> {
        let parquet = |source| Error::Parquet { path: path.to_owned(), source };
        let new = R::frame(&self.pending[..count]).map_err(parquet)?;
        let open = match self.hour.take() {
            Some(open) if open.path == path => open,
            _ => OpenHour { path: path.to_owned(), frame: read_hour(path)? },
        };
        let mut frame = match open.frame.width() {
            0 => new,
            _ => match appended(&open.frame, &new) {
                Ok(frame) => frame,
                Err(error) => {
                    set_aside(path, &error)?;
                    new
                }
            },
        };
        frame.rechunk_mut();
        let written = write_parquet::<R>(path, &mut frame);
        // The disk's truth is the old frame if the write failed.
        self.hour = Some(if written.is_ok() { OpenHour { frame, ..open } } else { open });
        written
    }
}

/// The hour as the disk has it; no rows where there is no file yet. A file that is no Parquet is set aside, not lost.
fn read_hour(path: &Path) -> Result<DataFrame, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(DataFrame::empty()),
        Err(error) => return Err(Error::io(path)(error)),
    };
    ParquetReader::new(file).finish().or_else(|error| {
        set_aside(path, &error)?;
        Ok(DataFrame::empty())
    })
}

/// The old rows and the new ones below them. A column that a later version added is null in the rows before it.
fn appended(old: &DataFrame, new: &DataFrame) -> PolarsResult<DataFrame> {
    let columns = new
        .columns()
        .iter()
        .map(|column| {
            let missing = |_| Column::full_null(column.name().clone(), old.height(), column.dtype());
            old.column(column.name()).cloned().unwrap_or_else(missing)
        })
        .collect();
    DataFrame::new(old.height(), columns)?.vstack(new)
}

fn set_aside(path: &Path, error: &PolarsError) -> Result<(), Error> {
    let aside = path.with_extension(DAMAGED);
    tracing::warn!(file = %path.display(), aside = %aside.display(), %error, "history file is damaged: set aside");
    fs::rename(path, &aside).map_err(Error::io(path))
}

fn schema_metadata<R: Row>() -> KeyValueMetadata {
    KeyValueMetadata::from_static(vec![
        ("plumbline.table".to_owned(), R::TABLE.to_owned()),
        ("plumbline.schema.version".to_owned(), R::VERSION.to_string()),
    ])
}

#[cfg(test)]
mod tests;
