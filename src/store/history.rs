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
        let written = write_atomically(path, |file| {
            ParquetWriter::new(file)
                // A few thousand rows: threads would cost more memory than they save time.
                .set_parallel(false)
                .with_key_value_metadata(Some(schema_metadata::<R>()))
                .finish(&mut frame)
                .map(drop)
                .map_err(parquet)
        });
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
mod tests {
    use super::*;
    use crate::frame::RowIdentity;
    use crate::minute::Summary;
    use crate::signal::container::Container;
    use crate::signal::gpu::Gpu;

    const NODE: &str = "node-1";

    fn row(minute: &str, container: &str) -> MinuteRow {
        MinuteRow {
            minute: minute.parse().expect("a time"),
            identity: RowIdentity { container_id: container.to_owned(), ..RowIdentity::default() },
            summary: Summary::of::<Container>(60, []),
        }
    }

    fn rows_of(path: &Path) -> usize {
        ParquetReader::new(File::open(path).expect("the file")).finish().expect("parquet").height()
    }

    fn open(data: &Path) -> History {
        let mut history = History::new(data, NODE, Config::default());
        history.open().expect("a history");
        history
    }

    #[test]
    fn minutes_gather_in_their_hour_across_restarts() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut history = open(dir.path());
        let (appended, result) =
            history.append(vec![row("2026-11-23T13:58:00Z", "a"), row("2026-11-23T13:58:00Z", "b")]);
        result.expect("written");
        assert_eq!(appended, Appended { written: 2, ..Appended::default() });
        drop(history);
        let mut history = open(dir.path());
        history.append(vec![row("2026-11-23T13:59:00Z", "a"), row("2026-11-23T14:00:00Z", "a")]).1.expect("written");
        let date = dir.path().join("container_minute/version=2/node=node-1/date=2026-11-23");
        assert_eq!(rows_of(&date.join("hour=13/minutes.parquet")), 3);
        assert_eq!(rows_of(&date.join("hour=14/minutes.parquet")), 1);
    }

    #[test]
    fn a_second_agent_is_turned_away() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let _first = open(dir.path());
        let mut second = History::new(dir.path(), NODE, Config::default());
        assert!(matches!(second.open(), Err(Error::Locked(_))));
        let (appended, result) = second.append(vec![row("2026-11-23T13:58:00Z", "a")]);
        assert!(result.is_err());
        assert_eq!(appended.pending, 1, "its rows wait for the folder to be free");
    }

    #[test]
    fn a_folder_that_was_removed_is_taken_anew() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let data = dir.path().join("data");
        let mut first = open(&data);
        fs::remove_dir_all(&data).expect("removed");
        let second = open(&data);
        assert!(first.append(vec![row("2026-11-23T13:58:00Z", "a")]).1.is_err(), "it is another's now");
        drop(second);
        first.append(Vec::new()).1.expect("written");
    }

    #[test]
    fn a_damaged_hour_is_set_aside_and_a_half_written_one_removed() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let hour = dir.path().join("container_minute/version=2/node=node-1/date=2026-11-23/hour=13");
        fs::create_dir_all(&hour).expect("folder");
        fs::write(hour.join("minutes.parquet"), "no parquet").expect("file");
        fs::write(hour.join("minutes.tmp"), "half").expect("file");
        let mut history = open(dir.path());
        history.append(vec![row("2026-11-23T13:58:00Z", "a")]).1.expect("written");
        assert_eq!(rows_of(&hour.join("minutes.parquet")), 1);
        assert_eq!(fs::read(hour.join("minutes.damaged")).expect("kept"), b"no parquet");
        assert!(!hour.join("minutes.tmp").exists());
    }

    #[test]
    fn rows_wait_for_a_disk_that_fails() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut history = open(dir.path());
        // A file where the hour's folder should be: refused even to root.
        let date = dir.path().join("container_minute/version=2/node=node-1/date=2026-11-23");
        fs::write(&date, "in the way").expect("file");
        let (appended, result) = history.append(vec![row("2026-11-23T13:58:00Z", "a")]);
        assert!(result.is_err());
        assert_eq!(appended, Appended { pending: 1, ..Appended::default() });
        fs::remove_file(&date).expect("removed");
        let (appended, result) = history.append(Vec::new());
        result.expect("written");
        assert_eq!(appended, Appended { written: 1, ..Appended::default() });
    }

    #[test]
    fn retention_takes_the_oldest_and_never_the_newest() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut history = open(dir.path());
        for hour in ["2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"] {
            history.append(vec![row(hour, "a")]).1.expect("written");
        }
        let now = "2026-11-23T01:00:00Z".parse().expect("a time");
        let week = Duration::from_secs(7 * 24 * 3600);
        history.configure(Config { retention: week, ..Config::default() });
        assert_eq!(history.retain(now).expect("retained").len(), 2);
        assert!(
            !dir.path().join("container_minute/version=2/node=node-1/date=2026-11-01").exists(),
            "empty folders go too"
        );
        history.configure(Config { retention: week, max_bytes: ByteSize::b(1) });
        let kept = history.retain(now).expect("retained");
        assert_eq!(kept.len(), 1);
        assert!(kept[0].path.to_string_lossy().contains("2026-11-23"));
    }

    fn gpu(minute: &str) -> GpuRow {
        GpuRow {
            minute: minute.parse().expect("a time"),
            node: NODE.to_owned(),
            device: crate::identity::Device { vendor: "nvidia", uuid: "GPU-1".to_owned() },
            parent: None,
            share: crate::identity::Share::Whole,
            index: 0,
            model: None,
            containers: None,
            summary: Summary::of::<Gpu>(0, []),
        }
    }

    fn model(minute: &str) -> ModelRow {
        ModelRow {
            minute: minute.parse().expect("a time"),
            node: NODE.to_owned(),
            key: crate::identity::ModelKey::named("m"),
            ..ModelRow::default()
        }
    }

    fn now() -> Timestamp {
        "2026-11-23T01:00:00Z".parse().expect("a time")
    }

    fn stored(history: &History) -> Vec<PathBuf> {
        let files = files_below(&history.data, &["parquet", DAMAGED]).expect("files");
        files.into_iter().map(|file| hour_of(&file.path).expect("an hour").to_owned()).collect()
    }

    #[test]
    fn rows_of_before_a_folder_was_removed_do_not_come_again() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let data = dir.path().join("data");
        let mut first = open(&data);
        let fill = |history: &mut History, minute: &str| {
            history.append(vec![row(minute, "a")]).1.expect("written");
            history.append_gpus(vec![gpu(minute)]).1.expect("written");
            history.append_models(vec![model(minute)]).1.expect("written");
        };
        fill(&mut first, "2026-11-23T13:57:00Z");
        fs::remove_dir_all(&data).expect("removed");
        let mut second = open(&data);
        fill(&mut second, "2026-11-23T13:58:00Z");
        fill(&mut second, "2026-11-23T13:58:00Z");
        drop(second);
        fill(&mut first, "2026-11-23T13:59:00Z");
        let files = files_below(&data, &["parquet"]).expect("files");
        assert_eq!(files.iter().map(|file| rows_of(&file.path)).collect::<Vec<_>>(), [3; 3], "the other's is kept");
    }

    #[test]
    fn a_folder_of_another_version_is_not_taken_and_all_half_written_goes() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let other = dir.path().join("container_minute/version=1");
        fs::create_dir_all(&other).expect("folder");
        let mut history = History::new(dir.path(), NODE, Config::default());
        assert!(matches!(history.open(), Err(Error::OtherVersion { .. })));
        fs::remove_dir(&other).expect("removed");
        let half = history.folder().join("date=2026-11-22/minutes.tmp");
        fs::create_dir_all(half.parent().expect("a folder")).expect("folder");
        fs::write(&half, "half").expect("file");
        history.open().expect("ours");
        assert!(!half.exists());
    }

    #[test]
    fn an_append_tells_what_became_of_each_row() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let first = open(dir.path());
        let mut second = History::new(dir.path(), NODE, Config::default());
        let mut rows = vec![row("2026-11-23T13:59:00Z", "oldest")];
        rows.extend(std::iter::repeat_n(row("2026-11-23T14:00:00Z", "a"), MAX_PENDING));
        let (appended, _) = second.append(rows);
        assert_eq!(appended, Appended { dropped: 1, pending: MAX_PENDING as u64, written: 0 });
        drop(first);
        let (appended, _) = second.append(vec![row("2026-11-23T15:00:00Z", "a")]);
        assert_eq!(appended, Appended { written: MAX_PENDING as u64 + 1, ..Appended::default() });
        assert!(!dir.path().join("container_minute/version=2/node=node-1/date=2026-11-23/hour=13").exists());
    }

    #[test]
    fn a_write_that_failed_leaves_no_row_twice() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut history = open(dir.path());
        history.append(vec![row("2026-11-23T13:58:00Z", "a")]).1.expect("written");
        let hour = history.folder().join("date=2026-11-23/hour=13");
        fs::create_dir(hour.join("minutes.tmp")).expect("a folder in the way");
        assert!(history.append(vec![row("2026-11-23T13:59:00Z", "a")]).1.is_err());
        fs::remove_dir(hour.join("minutes.tmp")).expect("removed");
        history.append(Vec::new()).1.expect("written");
        assert_eq!(rows_of(&hour.join(FILE)), 2);
    }

    #[test]
    fn what_an_older_version_wrote_goes_on_and_what_does_not_fit_is_set_aside() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut history = open(dir.path());
        let hour = history.folder().join("date=2026-11-23/hour=13");
        fs::create_dir_all(&hour).expect("folder");
        let write = |mut frame: DataFrame| {
            ParquetWriter::new(File::create(hour.join(FILE)).expect("a file")).finish(&mut frame).expect("written");
        };
        let old = MinuteRow::frame(&[row("2026-11-23T13:57:00Z", "a")]).expect("a frame");
        write(old.drop("samples").expect("a column"));
        history.append(vec![row("2026-11-23T13:58:00Z", "a")]).1.expect("written");
        let mut reader = ParquetReader::new(File::open(hour.join(FILE)).expect("the file"));
        let about = reader.get_metadata().expect("metadata").key_value_metadata().clone().unwrap_or_default();
        let about: Vec<_> = about.into_iter().filter(|pair| pair.key.starts_with("plumbline")).collect();
        assert_eq!(
            about.iter().map(|pair| pair.value.as_deref()).collect::<Vec<_>>(),
            [Some("container_minute"), Some("2")]
        );
        let frame = reader.finish().expect("parquet");
        assert_eq!((frame.height(), frame.column("samples").expect("a column").null_count()), (2, 1));
        drop(history);
        // Another program's file: the id of a container is a time there.
        let mut odd = old.clone();
        let times = odd.column("minute").expect("a column").clone().with_name("container_id".into());
        odd.with_column(times).expect("replaced");
        write(odd);
        let mut history = open(dir.path());
        history.append(vec![row("2026-11-23T13:59:00Z", "a")]).1.expect("written");
        assert_eq!((rows_of(&hour.join(FILE)), rows_of(&hour.join("minutes.damaged"))), (1, 1));
    }

    #[test]
    fn who_does_not_hold_the_folder_removes_nothing() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut first = open(dir.path());
        first.append(vec![row("2026-11-01T00:00:00Z", "a"), row("2026-11-23T00:00:00Z", "a")]).1.expect("written");
        let mut second = History::new(dir.path(), NODE, Config { retention: Duration::ZERO, ..Config::default() });
        assert_eq!(second.retain(now()).expect("nothing to do"), []);
        assert_eq!(stored(&first).len(), 2);
    }

    #[test]
    fn of_all_nodes_the_oldest_hour_goes_first_and_no_more_than_must() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut old = History::new(dir.path(), "b", Config::default());
        for hour in ["2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z"] {
            old.append(vec![row(hour, "a")]).1.expect("written");
        }
        drop(old);
        let mut history = History::new(dir.path(), "a", Config::default());
        for hour in ["2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z"] {
            history.append(vec![row(hour, "a")]).1.expect("written");
        }
        let all = stored(&history);
        let sum = |files: &[Stored]| files.iter().map(|file| file.bytes).sum::<u64>();
        let bytes = sum(&history.retain(now()).expect("retained"));
        let bound = |max| Config { max_bytes: ByteSize::b(max), retention: Duration::MAX };
        history.configure(bound(bytes));
        assert_eq!(history.retain(now()).expect("retained").len(), 4, "as much as may be is not too much");
        history.configure(bound(bytes - 1));
        history.retain(now()).expect("retained");
        let left = stored(&history);
        assert_eq!(left.len(), 3, "{all:?}");
        assert!(!left.iter().any(|hour| hour.starts_with("date=2026-11-20")), "{left:?}");
        history.configure(bound(1));
        history.retain(now()).expect("retained");
        assert_eq!(stored(&history), [hour_file("2026-11-23T00:00:00Z".parse().expect("a time"))]);
        let node = |node: &str| table_folder::<MinuteRow>(dir.path()).join(node_folder(node));
        assert!(node("a").exists() && !node("b").exists(), "a node without a file has no folder");
    }

    #[test]
    fn an_hour_goes_when_all_of_it_is_too_old_with_what_was_set_aside_in_it() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut history = open(dir.path());
        for hour in ["2026-11-22T22:00:00Z", "2026-11-22T23:00:00Z", "2026-11-23T00:00:00Z"] {
            history.append(vec![row(hour, "a")]).1.expect("written");
        }
        for hour in ["date=2026-11-22/hour=22", "date=2026-11-22/hour=23", "date=2026-11-23/hour=00"] {
            fs::write(history.folder().join(hour).join("minutes.damaged"), "no parquet").expect("file");
        }
        history.configure(Config { retention: Duration::from_secs(90 * 60), ..Config::default() });
        history.retain(now()).expect("retained");
        assert_eq!(stored(&history).len(), 4, "half of the second hour is young enough");
        history.configure(Config { retention: Duration::ZERO, max_bytes: ByteSize::b(1) });
        history.retain(now()).expect("retained");
        assert_eq!(stored(&history).len(), 2, "both files of the newest hour stay");
    }

    #[test]
    fn a_nodes_name_makes_one_folder_whatever_is_in_it() {
        assert_eq!(node_folder("node-1_a.b"), "node=node-1_a.b");
        assert_eq!(node_folder("a/b c=\u{e9}\n"), "node=a%2Fb%20c%3D%C3%A9%0A");
    }
}
