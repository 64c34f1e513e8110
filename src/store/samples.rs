//! What is stored of models: the log's closed segments as Parquet, references, and the checkpoint.
//!
//! `DATA/models/samples/node=NAME/model_namespace=NAMESPACE/model=NAME/SEGMENT.parquet`, `labels/...` and `references/...` likewise,
//! `checkpoint.json`. A segment's files are named by its number, so that compacting it again after a crash writes the same files. Beside
//! those of samples and labels lie the indexes of their ids (`ids`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;
use polars::prelude::{DataFrame, ParquetReader, ParquetWriter, PolarsResult, SerReader};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::history::node_folder;
use super::layout::model_of;
use super::log::Durability;
use super::{Error, archive, history, ids, layout, state, windows};

use super::files::{Stored, files_below, remove_unfinished, write_atomically};
use super::ids::{Index, Span};
use super::log::{self, End, Kind, Segment};
use crate::frame::guard::{guarded, place};
use crate::frame::normal::ARRIVAL;
use crate::frame::stack::{frame_of, keep, stack};
use crate::identity::ModelKey;

const EXTENSION: &str = "parquet";
const CHECKPOINT: &str = "checkpoint.json";
/// Keys of batches, whose rows are Parquet by now.
const REPEATS: &str = "repeats.json";
/// Judged windows take one in so many bytes of what may be stored.
const WINDOWS_SHARE: u64 = 20;

/// How long and how much is kept, and how surely.
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
    /// What has become of a row when its sender is answered.
    pub durability: Durability,
    /// Where what is stored is sent to as well, `s3://BUCKET/FOLDER`, `gs://` or `az://`: then a file stays until it was sent, as long as
    /// there is room.
    pub archive: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        let history::Config { retention, max_bytes } = history::Config::default();
        Self { retention, max_bytes, durability: Durability::default(), archive: None }
    }
}

/// The models' folder below a data folder, held by one agent.
#[derive(Debug)]
pub struct Samples {
    folder: PathBuf,
    /// This node's folder below each table.
    node: String,
    _lock: Option<File>,
}

/// What of a segment is not stored.
#[derive(Debug, Clone, Copy)]
pub struct Leave<'a> {
    /// Entries of these models before these.
    pub removed: &'a BTreeMap<ModelKey, u64>,
    /// Rows that came before, by entry: false for each.
    pub repeated: &'a BTreeMap<u64, Vec<bool>>,
    /// Models of which no row is kept.
    pub of_counts_alone: &'a BTreeSet<ModelKey>,
}

/// What retention left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// Bytes on disk, the log's and the indexes' included.
    pub bytes: u64,
    /// Rows that were removed because there was too much, while labels for them could still come.
    pub early: u64,
    /// Files that were removed because there was too much, before the archive had them.
    pub unarchived: u64,
}

/// A reference that is kept.
#[derive(Debug)]
pub struct StoredReference {
    /// Whose it is.
    pub model: ModelKey,
    /// It is the model's own beginning.
    pub provisional: bool,
    /// What it is made of, or why that cannot be read.
    pub held: Result<Held, Error>,
}

/// What a reference is made of.
#[derive(Debug)]
pub enum Held {
    /// Its rows.
    Rows(DataFrame),
    /// A profile's text.
    Profile(String),
}

impl Samples {
    /// Takes the folder.
    ///
    /// # Errors
    /// It cannot be made, or another agent holds it.
    pub fn open(data: &Path, node: &str) -> Result<Self, Error> {
        layout::check(data)?;
        let folder = data.join("models");
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(Error::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(folder)),
            Err(TryLockError::Error(error)) => return Err(Error::io(path)(error)),
        }
        remove_unfinished(&folder)?;
        Ok(Self { folder, node: node_folder(node), _lock: Some(lock) })
    }

    /// The folder as another reads it: an agent may hold it meanwhile, and nothing is written. Without a node it is of the only one that
    /// has samples there.
    ///
    /// # Errors
    /// It is of another version, or several nodes have samples there.
    pub fn look(data: &Path, node: Option<&str>) -> Result<Self, Error> {
        layout::check(data)?;
        let folder = data.join("models");
        if let Some(node) = node {
            return Ok(Self { folder, node: node_folder(node), _lock: None });
        }
        let of_table = |table: &str| fs::read_dir(folder.join(table)).into_iter().flatten().flatten();
        let entries = ["samples", "references"].into_iter().flat_map(of_table);
        let names = entries.filter_map(|entry| entry.file_name().to_str().map(str::to_owned));
        let mut names: BTreeSet<String> = names.filter(|name| name.starts_with("node=")).collect();
        let first = names.pop_first();
        if !names.is_empty() {
            return Err(Error::Nodes(folder));
        }
        let node = first.unwrap_or_else(|| node_folder(""));
        Ok(Self { folder, node, _lock: None })
    }

    /// What tells this folder, and so the agent that has it, from every other: 32 hexadecimal digits, drawn when it is made.
    ///
    /// # Errors
    /// The disk failed.
    pub fn agent(&self) -> Result<String, Error> {
        let path = self.folder.join(layout::AGENT);
        // One that cannot be read is drawn anew: others then send again what this agent may have had from them.
        if let Ok(Some(agent)) = state::read::<String>(&path) {
            return Ok(agent);
        }
        // The system's random numbers are behind every state.
        let drawn = || RandomState::new().hash_one(());
        let agent = format!("{:016x}{:016x}", drawn(), drawn());
        state::write(&path, &agent)?;
        Ok(agent)
    }

    /// Where the log lies.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn table(&self, kind: Kind) -> PathBuf {
        let table = self.folder.join(match kind {
            Kind::Samples => "samples",
            Kind::Labels => "labels",
            Kind::Reference | Kind::Profile | Kind::Removal => "references",
        });
        table.join(&self.node)
    }

    /// A model's folder below a table.
    fn of_model(&self, kind: Kind, model: &ModelKey) -> PathBuf {
        layout::of_model(&self.table(kind), model)
    }

    /// The same of every node that ever wrote here.
    fn tables(&self, kind: Kind) -> PathBuf {
        let table = self.table(kind);
        table.parent().map_or(table.clone(), Path::to_owned)
    }

    /// Removes all that is stored of a model but what the log still has, which is passed over when it becomes Parquet.
    ///
    /// # Errors
    /// The disk failed.
    pub fn remove(&self, model: &ModelKey) -> Result<(), Error> {
        let mut came = windows::remove(&self.folder, &self.node, model);
        for kind in [Kind::Samples, Kind::Labels, Kind::Reference] {
            let folder = self.of_model(kind, model);
            // What cannot be removed of one keeps nothing of the others.
            came = came.and(archive::there(fs::remove_dir_all(&folder)).map_err(Error::io(&folder)));
        }
        came
    }

    /// Keeps a judged window that ended then, in milliseconds since 1970.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keep_window<T: Serialize>(&self, model: &ModelKey, end: i64, window: &T) -> Result<(), Error> {
        windows::write(&self.folder, &self.node, model, end, window)
    }

    /// A number beyond every segment that was ever made Parquet, logged or set aside: the log may have been removed, and its
    /// numbers must not come again, or a new segment would take an old one's place.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn next_segment(&self) -> Result<u64, Error> {
        let mut last = 0;
        for (folder, extensions) in [
            (self.log_folder(), &[log::EXTENSION, log::DAMAGED][..]),
            (self.tables(Kind::Samples), &[EXTENSION][..]),
            (self.tables(Kind::Labels), &[EXTENSION][..]),
        ] {
            let files = files_below(&folder, extensions)?;
            let numbers = files.iter().filter_map(|file| file.path.file_stem()?.to_str()?.parse::<u64>().ok());
            last = numbers.fold(last, u64::max);
        }
        Ok(last.saturating_add(1))
    }

    /// Writes a closed segment's entries as Parquet, a file for each model and kind, and removes it. References have files
    /// of their own already. `leave` says what is left out. Returns the rows written.
    ///
    /// # Errors
    /// The disk failed; the segment stays.
    pub fn compact(&self, segment: &Segment, leave: Leave<'_>) -> Result<u64, Error> {
        let mut frames: BTreeMap<(Kind, ModelKey), DataFrame> = BTreeMap::new();
        let mut wrong = 0_u64;
        let end = log::read(&segment.path, |entry| {
            let gone = leave.removed.get(&entry.model).is_some_and(|removal| entry.sequence < *removal);
            // One of which all rows were sampled out has none to store.
            if gone
                || leave.of_counts_alone.contains(&entry.model)
                || entry.record.num_rows() == 0
                || matches!(entry.kind, Kind::Reference | Kind::Profile | Kind::Removal)
            {
                return;
            }
            let frame = frames.entry((entry.kind, entry.model)).or_default();
            let rows = frame_of(&entry.record).and_then(|rows| match leave.repeated.get(&entry.sequence) {
                Some(fresh) if fresh.len() == rows.height() => keep(&rows, fresh),
                _ => Ok(rows),
            });
            wrong = u64::saturating_add(wrong, rows.and_then(|rows| stack(frame, rows)).is_err().into());
        })?;
        let mut rows = 0;
        for ((kind, model), mut frame) in frames {
            let path = self.of_model(kind, &model).join(name(segment.number));
            rows = u64::saturating_add(rows, frame.height() as u64);
            write_parquet(&path, &mut frame)?;
            ids::write(&path, &frame, time_of(kind))?;
        }
        if wrong > 0 || end != End::Whole {
            // What cannot be read is set aside for whoever wants to look, and out of the way.
            let aside = segment.path.with_extension(log::DAMAGED);
            return fs::rename(&segment.path, &aside).map(|()| rows).map_err(Error::io(aside));
        }
        fs::remove_file(&segment.path).map_err(Error::io(&segment.path))?;
        Ok(rows)
    }

    /// Removes the files of segments whose log is still there: a crash came between writing the one and removing the other.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn remove_half_compacted(&self) -> Result<(), Error> {
        for segment in log::segments(&self.log_folder())? {
            for kind in [Kind::Samples, Kind::Labels] {
                for file in files_below(&self.table(kind), &[EXTENSION])? {
                    if file.path.file_name().is_some_and(|file| *file == *name(segment.number)) {
                        remove_stored(&file.path)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps what was noted of batches that may be sent again.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keep_repeats(&self, notes: &[String]) -> Result<(), Error> {
        let path = self.folder.join(REPEATS);
        if notes.is_empty() && !path.exists() {
            return Ok(());
        }
        state::write(&path, &notes)
    }

    /// What was kept so.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn repeats(&self) -> Result<Vec<String>, Error> {
        Ok(state::read(&self.folder.join(REPEATS))?.unwrap_or_default())
    }

    /// The compacted files of a kind, oldest segment first, with their models.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn compacted(&self, kind: Kind) -> Result<Vec<(u64, ModelKey, PathBuf)>, Error> {
        let mut found: Vec<(u64, ModelKey, PathBuf)> = files_below(&self.table(kind), &[EXTENSION])?
            .into_iter()
            .filter_map(|Stored { path, .. }| {
                let number = path.file_stem()?.to_str()?.parse().ok()?;
                Some((number, model_of(&path)?, path))
            })
            .collect();
        found.sort();
        Ok(found)
    }

    /// The compacted files of a kind and a model, oldest segment first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn compacted_of(&self, kind: Kind, model: &ModelKey) -> Result<Vec<PathBuf>, Error> {
        let files = files_below(&self.of_model(kind, model), &[EXTENSION])?;
        let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let mut found: Vec<(u64, PathBuf)> =
            files.into_iter().filter_map(|file| Some((number(&file.path)?, file.path))).collect();
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// The index of a compacted file's ids. It is made anew from the file where it is missing or damaged.
    ///
    /// # Errors
    /// The file cannot be read, or the index not be written.
    pub fn index(&self, kind: Kind, parquet: &Path) -> Result<Index, Error> {
        if let Some(index) = Index::open(parquet) {
            return Ok(index);
        }
        self.index_anew(kind, parquet)
    }

    /// Makes the index of a compacted file's ids anew.
    ///
    /// # Errors
    /// The file cannot be read, or the index not be written.
    pub fn index_anew(&self, kind: Kind, parquet: &Path) -> Result<Index, Error> {
        let time = time_of(kind);
        ids::write(parquet, &read_columns(parquet, &["id", time])?, time)?;
        Index::open(parquet).ok_or_else(|| Error::Record(format!("{}: its index cannot be read", parquet.display())))
    }

    /// What a compacted file spans.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn span(&self, kind: Kind, parquet: &Path) -> Result<Span, Error> {
        if let Ok(index) = self.index(kind, parquet) {
            return Ok(index.span);
        }
        // There may be no room for its index.
        let time = time_of(kind);
        let span = Span::of(&read_columns(parquet, &[time])?, time);
        span.map_err(|source| Error::Parquet { path: parquet.to_owned(), source })
    }

    /// Hands out the rows of a kind and a model that the log still has, in order, but those of entries before `removal`.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn logged(
        &self,
        (kind, model): (Kind, &ModelKey),
        removal: Option<u64>,
        mut take: impl FnMut(DataFrame) -> PolarsResult<()>,
    ) -> Result<(), Error> {
        for segment in log::segments(&self.log_folder())? {
            let mut wrong = None;
            log::read(&segment.path, |entry| {
                let gone = removal.is_some_and(|removal| entry.sequence < removal);
                if entry.kind == kind && entry.model == *model && !gone && wrong.is_none() {
                    wrong = frame_of(&entry.record).and_then(&mut take).err();
                }
            })?;
            if let Some(source) = wrong {
                return Err(Error::Parquet { path: segment.path, source });
            }
        }
        Ok(())
    }

    /// Keeps a reference's rows, in the place of any before.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keep_reference(&self, model: &ModelKey, provisional: bool, frame: &DataFrame) -> Result<(), Error> {
        let folder = self.of_model(Kind::Reference, model);
        write_parquet(&folder.join(reference_name(Form::Rows, provisional)), &mut frame.clone())?;
        remove_followed(&folder, Form::Rows, provisional);
        Ok(())
    }

    /// Keeps a profile's text as the reference, in the place of any before.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keep_profile(&self, model: &ModelKey, provisional: bool, text: &str) -> Result<(), Error> {
        let folder = self.of_model(Kind::Reference, model);
        let path = folder.join(reference_name(Form::Profile, provisional));
        write_atomically(&path, |file| file.write_all(text.as_bytes()).map_err(Error::io(&path)))?;
        remove_followed(&folder, Form::Profile, provisional);
        Ok(())
    }

    /// The references that are kept. Where a crash left the one before beside its follower, that one alone.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn references(&self) -> Result<Vec<StoredReference>, Error> {
        let mut found = files_below(&self.table(Kind::Reference), &[EXTENSION, "json"])?;
        let written = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
        let followed = |path: &Path| {
            let Some((form, provisional)) = reference_of(path) else { return false };
            let other = path.with_file_name(reference_name(form.other(), provisional));
            other.exists() && written(&other) > written(path)
        };
        found.retain(|file| !followed(&file.path));
        let of = |file: Stored| {
            let (form, provisional) = reference_of(&file.path)?;
            let model = model_of(&file.path)?;
            let held = match form {
                Form::Profile => fs::read_to_string(&file.path).map(Held::Profile).map_err(Error::io(&file.path)),
                Form::Rows => read_parquet(&file.path).map(Held::Rows),
            };
            Some(StoredReference { model, provisional, held })
        };
        Ok(found.into_iter().filter_map(of).collect())
    }

    /// Removes what is too old or too much, each file with its index. `horizon` is how long labels of a model are waited for; of one without,
    /// no row is kept.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn retain(
        &self,
        config: &Config,
        now: Timestamp,
        horizon: impl Fn(&ModelKey) -> Option<Duration>,
    ) -> Result<Retained, Error> {
        let mut files = Vec::new();
        for kind in [Kind::Samples, Kind::Labels] {
            for mut file in files_below(&self.tables(kind), &[EXTENSION])? {
                let index = fs::metadata(ids::beside(&file.path)).map_or(0, |index| index.len());
                file.bytes = file.bytes.saturating_add(index);
                files.push(file);
            }
            // What a crash left of a file that was being removed.
            for beside in files_below(&self.tables(kind), &[ids::EXTENSION, archive::EXTENSION])? {
                if !beside.path.with_extension(EXTENSION).exists() {
                    archive::there(fs::remove_file(&beside.path)).map_err(Error::io(&beside.path))?;
                }
            }
        }
        // Where no row is to be kept, none of a reference is: its profile stands beside it, or nothing does.
        for file in files_below(&self.tables(Kind::Reference), &[EXTENSION])? {
            if model_of(&file.path).is_some_and(|model| horizon(&model).is_none()) {
                archive::there(fs::remove_file(&file.path)).map_err(Error::io(&file.path))?;
            }
        }
        // Segments that were set aside are for whoever wants to look, as long as all else is.
        files.extend(files_below(&self.log_folder(), &[log::DAMAGED])?);
        let is_owed = |path: &Path| config.archive.is_some() && !archive::has(path) && !is_damaged(path);
        // What the archive lacks goes last, and of each the oldest first.
        files.sort_by_cached_key(|file| (is_owed(&file.path), file.path.file_name().map(ToOwned::to_owned)));
        let logged: u64 = files_below(&self.log_folder(), &["log"])?.iter().map(|file| file.bytes).sum();
        let is_old = |path: &Path| {
            let written = fs::metadata(path).and_then(|meta| meta.modified()).ok();
            let written = written.and_then(|written| Timestamp::try_from(written).ok());
            written.is_some_and(|at| at < now && now.duration_since(at).unsigned_abs() > config.retention)
        };
        // Windows are the lesser loss: they have a share, and never take the place of samples.
        let windows = windows::retain(&self.folder, config.max_bytes.as_u64() / WINDOWS_SHARE, is_old)?;
        let others = logged.saturating_add(windows);
        let mut left = files.iter().map(|file| file.bytes).fold(others, u64::saturating_add);
        let (mut early, mut unarchived) = (0_u64, 0_u64);
        for file in files {
            let unwanted = model_of(&file.path).is_some_and(|model| horizon(&model).is_none());
            let owed = is_owed(&file.path) && !unwanted;
            let old = (is_old(&file.path) && !owed) || unwanted;
            if old || left > config.max_bytes.as_u64() {
                // What is old was kept as long as was promised; its events may seem newer where a sender's clock is ahead.
                if !old {
                    early = early.saturating_add(self.awaited(&file.path, now, &horizon));
                }
                unarchived = unarchived.saturating_add(owed.into());
                remove_stored(&file.path)?;
                left = left.saturating_sub(file.bytes);
            }
        }
        Ok(Retained { bytes: left, early, unarchived })
    }

    /// The rows of a file of samples whose labels may still come.
    fn awaited(&self, path: &Path, now: Timestamp, horizon: impl Fn(&ModelKey) -> Option<Duration>) -> u64 {
        let Some(model) = model_of(path).filter(|_| path.starts_with(self.tables(Kind::Samples))) else { return 0 };
        let Ok(span) = self.span(Kind::Samples, path) else { return 0 };
        let Some(horizon) = horizon(&model) else { return 0 };
        let horizon = i64::try_from(horizon.as_millis()).unwrap_or(i64::MAX);
        let waits = span.times.1 >= now.as_millisecond().saturating_sub(horizon);
        if waits { span.rows } else { 0 }
    }

    /// Writes the checkpoint, whole or not at all.
    ///
    /// # Errors
    /// The disk failed.
    pub fn write_checkpoint<T: Serialize>(&self, checkpoint: &T) -> Result<(), Error> {
        let text = serde_json::to_vec(checkpoint).map_err(|error| Error::Record(error.to_string()))?;
        let path = self.folder.join(CHECKPOINT);
        write_atomically(&path, |file| file.write_all(&text).map_err(Error::io(&path)))
    }

    /// The checkpoint. One that cannot be read is none, and told: it is rebuilt by replay.
    #[must_use]
    pub fn read_checkpoint<T: DeserializeOwned>(&self) -> (Option<T>, Option<String>) {
        let path = self.folder.join(CHECKPOINT);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (None, None),
            Err(error) => return (None, Some(error.to_string())),
        };
        match serde_json::from_reader(BufReader::new(file)) {
            Ok(checkpoint) => (Some(checkpoint), None),
            Err(error) => (None, Some(format!("{}: {error}", path.display()))),
        }
    }
}

/// By which column's times rows of a kind are looked for: samples by their event; labels, which need not name one, by arrival.
fn time_of(kind: Kind) -> &'static str {
    if kind == Kind::Labels { ARRIVAL } else { "timestamp" }
}

/// Removes a stored file with its index and the archive's mark, which would speak of nothing.
fn remove_stored(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(Error::io(path))?;
    for beside in [ids::beside(path), archive::beside(path)] {
        archive::there(fs::remove_file(&beside)).map_err(Error::io(&beside))?;
    }
    Ok(())
}

/// A segment that was set aside as it could not be read.
fn is_damaged(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == log::DAMAGED)
}

pub(super) fn name(segment: u64) -> String {
    format!("{segment:012}.{EXTENSION}")
}

/// What a reference is kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Rows,
    Profile,
}

impl Form {
    fn other(self) -> Self {
        match self {
            Self::Rows => Self::Profile,
            Self::Profile => Self::Rows,
        }
    }
}

fn reference_name(form: Form, provisional: bool) -> &'static str {
    match (form, provisional) {
        (Form::Rows, false) => "reference.parquet",
        (Form::Rows, true) => "provisional.parquet",
        (Form::Profile, false) => "reference.profile.json",
        (Form::Profile, true) => "provisional.profile.json",
    }
}

/// What a file of a reference is, by its name.
fn reference_of(path: &Path) -> Option<(Form, bool)> {
    let all = [Form::Rows, Form::Profile].into_iter().flat_map(|form| [(form, false), (form, true)]);
    let name = path.file_name()?;
    all.into_iter().find(|(form, provisional)| name == reference_name(*form, *provisional))
}

/// Removes what a reference that was kept takes the place of.
fn remove_followed(folder: &Path, form: Form, provisional: bool) {
    let same = [(form.other(), provisional)];
    let beginnings = [(Form::Rows, true), (Form::Profile, true)];
    let gone = same.iter().chain(beginnings.iter().filter(|_| !provisional));
    remove_all(folder, &gone.map(|(form, provisional)| reference_name(*form, *provisional)).collect::<Vec<_>>());
}

/// What is left of them when they cannot be removed is passed over where it is read.
fn remove_all(folder: &Path, names: &[&str]) {
    for name in names {
        let _ = fs::remove_file(folder.join(name));
    }
}

fn write_parquet(path: &Path, frame: &mut DataFrame) -> Result<(), Error> {
    write_atomically(path, |file| {
        let written = ParquetWriter::new(file).finish(frame);
        written.map(drop).map_err(|source| Error::Parquet { path: path.to_owned(), source })
    })
}

/// A stored frame's rows, by the file's footer.
///
/// # Errors
/// The file cannot be read.
pub fn rows_of_parquet(path: &Path) -> Result<u64, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let rows = ParquetReader::new(file).num_rows();
    rows.map(|rows| rows as u64).map_err(|source| Error::Parquet { path: path.to_owned(), source })
}

/// Reads these columns of a stored frame; those that it lacks are absent.
///
/// # Errors
/// The file cannot be read.
pub fn read_columns(path: &Path, columns: &[&str]) -> Result<DataFrame, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let read = || {
        let mut reader = ParquetReader::new(file);
        let there = reader.schema()?;
        let wanted = columns.iter().filter(|name| there.contains(name)).map(|name| (*name).to_owned()).collect();
        reader.with_columns(Some(wanted)).finish()
    };
    match guarded(read) {
        Some(frame) => frame.map_err(|source| Error::Parquet { path: path.to_owned(), source }),
        None => Err(Error::Record(format!("{}: the file is broken{}", path.display(), place()))),
    }
}

/// Reads a stored frame.
///
/// # Errors
/// The file cannot be read.
pub fn read_parquet(path: &Path) -> Result<DataFrame, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    match guarded(|| ParquetReader::new(file).finish()) {
        Some(frame) => frame.map_err(|source| Error::Parquet { path: path.to_owned(), source }),
        None => Err(Error::Record(format!("{}: the file is broken{}", path.display(), place()))),
    }
}

#[cfg(test)]
mod tests;
