//! Labels that clients sent here, in the order in which they came, for who sends them on to other agents: from the log, and from
//! Parquet once a segment has become that. What another agent sent on is left out: it goes no further.
//!
//! What has been handed out is a [`Position`], so that there is no queue beside what is stored anyway.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use polars::prelude::{DataFrame, PolarsResult};
use serde::{Deserialize, Serialize};

use super::files::files_below;
use super::history::node_folder;
use super::layout::{model_folders, model_of};
use super::log::{self, Kind};
use super::samples::{name, read_columns, rows_of_parquet};
use super::{Error, state};
use crate::frame::normal::{ARRIVAL, FORWARDED};
use crate::frame::stack::{frame_of, keep, record_of};
use crate::identity::ModelKey;

/// What is sent of a label.
const SENT: [&str; 3] = ["id", "timestamp", "label"];
const READ: &[&str] = &["id", "timestamp", "label", ARRIVAL, FORWARDED];
const CURSORS: &str = "forwarded.json";

/// Up to where labels have been handed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The log's segment, which is also the name of what becomes of it.
    pub segment: u64,
    /// The byte behind the last entry, while it is a log.
    pub offset: u64,
    /// Labels passed in it, whoever sent them: once it is Parquet, this many there are all of it.
    pub rows: u64,
}

/// Labels from one position to another.
#[derive(Debug)]
pub struct Labels {
    /// By model, in order: `id`, `timestamp` and `label`.
    pub batches: Vec<(ModelKey, RecordBatch)>,
    /// The same, before what is alike is put together.
    parts: Vec<(ModelKey, Vec<RecordBatch>)>,
    /// Rows of them.
    pub rows: u64,
    /// Rows that were passed over because they came too long ago.
    pub old: u64,
    /// Behind them.
    pub to: Position,
    /// Nothing is behind that yet.
    pub is_end: bool,
}

/// Reads a data folder's labels, while others write there.
#[derive(Debug)]
pub struct Outgoing {
    folder: PathBuf,
    labels: PathBuf,
    /// Segments that there were when this was looked up last.
    known: BTreeSet<u64>,
}

impl Outgoing {
    /// Of this node's part of a data folder.
    #[must_use]
    pub fn new(data: &Path, node: &str) -> Self {
        let folder = data.join("models");
        let labels = folder.join("labels").join(node_folder(node));
        Self { folder, labels, known: BTreeSet::new() }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The labels behind a position, `most` or a few more, but for those that came before a time (in milliseconds, by model). A segment
    /// that became Parquet after a part of it was handed out is handed out again as a whole.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn read(&mut self, from: Position, most: u64, since: impl Fn(&ModelKey) -> i64) -> Result<Labels, Error> {
        let mut read = Labels { batches: Vec::new(), parts: Vec::new(), rows: 0, old: 0, to: from, is_end: false };
        loop {
            let enough = |read: &Labels| read.rows.saturating_add(read.old) >= most;
            self.read_segment(&mut read, enough, &since)?;
            let next = if enough(&read) { None } else { self.after(read.to.segment)? };
            let Some(next) = next else {
                read.is_end = !enough(&read);
                return read.together();
            };
            read.to = Position { segment: next, ..Position::default() };
        }
    }

    /// What is behind `read.to` in its segment.
    fn read_segment(
        &self,
        read: &mut Labels,
        enough: impl Fn(&Labels) -> bool,
        since: &impl Fn(&ModelKey) -> i64,
    ) -> Result<(), Error> {
        let path = log::path(&self.log(), read.to.segment);
        let mut broken = None;
        let offset = log::read_behind(&path, read.to.offset, Kind::Labels, |entry| {
            read.to.rows = read.to.rows.saturating_add(entry.record.num_rows() as u64);
            let added = frame_of(&entry.record).and_then(|frame| read.add(&entry.model, &frame, since(&entry.model)));
            broken = added.err();
            if broken.is_some() || enough(read) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match offset {
            Ok(offset) => {
                read.to.offset = offset;
                match broken {
                    Some(source) => Err(Error::Parquet { path, source }),
                    None => Ok(()),
                }
            }
            // It is Parquet by now, whole: the log goes last.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                self.read_stored(read, since)
            }
            Err(error) => Err(error),
        }
    }

    fn read_stored(&self, read: &mut Labels, since: &impl Fn(&ModelKey) -> i64) -> Result<(), Error> {
        let file = name(read.to.segment);
        let mut files: Vec<PathBuf> =
            model_folders(&self.labels).map(|folder| folder.join(&file)).filter(|path| path.exists()).collect();
        files.sort();
        let mut rows = 0_u64;
        for path in &files {
            rows = rows.saturating_add(rows_of_parquet(path)?);
        }
        if rows != read.to.rows {
            let old = read.old;
            for path in files {
                let Some(model) = model_of(&path) else { continue };
                let frame = read_columns(&path, READ)?;
                read.add(&model, &frame, since(&model)).map_err(|source| Error::Parquet { path, source })?;
            }
            // What came first went first: of the oldest, so many have been handed out.
            read.old = old.saturating_add(read.old.saturating_sub(old).saturating_sub(read.to.rows));
        }
        read.to.rows = rows;
        Ok(())
    }

    /// The next segment that there is.
    fn after(&mut self, segment: u64) -> Result<Option<u64>, Error> {
        let behind = segment.saturating_add(1)..;
        if let Some(next) = self.known.range(behind.clone()).next() {
            return Ok(Some(*next));
        }
        let logs = log::segments(&self.log())?;
        // The one that is being written.
        if logs.last().is_some_and(|last| last.number == segment) {
            return Ok(None);
        }
        let stored = files_below(&self.labels, &["parquet"])?;
        self.known = stored.iter().filter_map(|file| number(&file.path)).collect();
        self.known.extend(logs.iter().map(|segment| segment.number));
        Ok(self.known.range(behind).next().copied())
    }

    /// Labels of clients in stored segments from this one on.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn stored_from(&self, segment: u64) -> Result<u64, Error> {
        let mut rows = 0_u64;
        for file in files_below(&self.labels, &["parquet"])? {
            if number(&file.path).is_some_and(|number| number >= segment) {
                let all = rows_of_parquet(&file.path)?;
                let forwarded = read_columns(&file.path, &[FORWARDED])?;
                let forwarded = forwarded.column(FORWARDED).and_then(|column| Ok(column.bool()?.sum())).ok().flatten();
                rows = rows.saturating_add(all.saturating_sub(forwarded.unwrap_or(0).into()));
            }
        }
        Ok(rows)
    }

    /// Keeps up to where others have been sent labels.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keep_cursors<T: Serialize>(&self, cursors: &T) -> Result<(), Error> {
        state::write(&self.folder.join(CURSORS), cursors)
    }

    /// What was kept so, if anything was.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn cursors<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        state::read(&self.folder.join(CURSORS))
    }

    /// The folder is there: without it nothing is kept in its place.
    #[must_use]
    pub fn is_there(&self) -> bool {
        fs::metadata(&self.folder).is_ok_and(|meta| meta.is_dir())
    }
}

impl Labels {
    fn add(&mut self, model: &ModelKey, frame: &DataFrame, since: i64) -> PolarsResult<()> {
        let forwarded = frame.column(FORWARDED).and_then(|column| Ok(column.bool()?.clone())).ok();
        let ours = |row: usize| forwarded.as_ref().is_none_or(|forwarded| forwarded.get(row) != Some(true));
        let arrivals = frame.column(ARRIVAL)?.datetime()?.physical().iter();
        let (mut kept, mut rows, mut old) = (Vec::with_capacity(frame.height()), 0_u64, 0_u64);
        for (row, arrival) in arrivals.enumerate() {
            let recent = arrival.is_none_or(|arrival| arrival >= since);
            rows = rows.saturating_add((ours(row) && recent).into());
            old = old.saturating_add((ours(row) && !recent).into());
            kept.push(ours(row) && recent);
        }
        self.old = self.old.saturating_add(old);
        if rows == 0 {
            return Ok(());
        }
        self.rows = self.rows.saturating_add(rows);
        let record = record_of(&keep(&frame.select(SENT)?, &kept)?)?;
        match self.parts.iter_mut().rev().find(|(of, _)| of == model) {
            Some((_, parts)) if parts[0].schema() == record.schema() => parts.push(record),
            _ => self.parts.push((model.clone(), vec![record])),
        }
        Ok(())
    }

    /// Makes one batch of those that are alike: clients that send a label at a time need not make as many requests here.
    fn together(mut self) -> Result<Self, Error> {
        for (model, parts) in std::mem::take(&mut self.parts) {
            let whole = arrow::compute::concat_batches(&parts[0].schema(), &parts);
            self.batches.push((model, whole.map_err(|error| Error::Record(error.to_string()))?));
        }
        Ok(self)
    }
}

fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
