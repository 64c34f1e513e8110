//! The start: what is stored is taken up again. The checkpoint says what was concluded, and up to which entry; rows before it
//! are put back where they were, those after it are taken in as if they had just come. Without a checkpoint all of them are.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::{Checkpoint, ModelWorker, taken_up};
use crate::identity::ModelKey;
use crate::ingest::repeats::NOTE;
use crate::model::Store;
use crate::model::watch::{Mode, Progress, Watch};
use crate::store::log::{self, End, Entry, Kind, Log};
use crate::store::samples::{StoredReference, read_parquet, rows_of_parquet};
use crate::store::{Error, Samples};

impl ModelWorker {
    /// Takes the folder, replays what is in it, and opens the log for the ingest.
    pub(super) fn open(&mut self) {
        match self.recover() {
            Ok(folder) => self.health.update(|state| {
                (state.samples.up, state.samples.message) = (Some(true), folder.display().to_string());
            }),
            Err(error) => {
                let message = format!("samples cannot be stored: {error}");
                tracing::error!("{message}");
                self.store = None;
                self.models.set_agent(None);
                self.watches.clear();
                self.models.set_log(Err(message));
                self.health.update(|state| {
                    (state.samples.up, state.samples.message) = (Some(false), error.to_string());
                });
            }
        }
    }

    fn recover(&mut self) -> Result<PathBuf, Error> {
        let store = Samples::open(&self.data, &self.node)?;
        let folder = store.log_folder();
        self.models.set_agent(Some(store.agent()?));
        if !self.watches.is_empty() {
            self.take_all();
            // The folder was lost and is made anew: what is known is still here, and entries that wait in the queue have their numbers.
            let next = self.through.max(self.models.last_written()).saturating_add(1);
            self.models.set_log(Ok(Log::open(&folder, store.next_segment()?, next)?));
            self.store = Some(store);
            self.keep_checkpoint();
            return Ok(folder);
        }
        store.remove_half_compacted()?;
        let (checkpoint, wrong) = store.read_checkpoint::<Checkpoint>();
        if let Some(error) = wrong {
            tracing::warn!(error, "the checkpoint cannot be read; it is rebuilt from what is stored");
            self.health.update(|state| state.samples.damaged += 1);
        }
        let checkpoint = checkpoint.unwrap_or_default();
        (self.through, self.kept) = (checkpoint.through, checkpoint.through);
        self.removed = checkpoint.removed.into_iter().collect();
        let counted: BTreeSet<ModelKey> = checkpoint.models.iter().map(|(key, _)| key.clone()).collect();
        let now = self.clock.now();
        for (key, progress) in checkpoint.models {
            self.models.remember(&key, &progress.schema);
            let watch = Watch::new(self.models.spec(&key), self.config.models.metric_bins, progress, now);
            self.watches.insert(key, watch);
        }
        self.take_up_references(&store, &counted)?;
        self.replay_compacted(&store, &counted)?;
        let segment = store.next_segment()?;
        match store.repeats() {
            Ok(notes) => notes.iter().for_each(|note| self.models.repeats.restore(note, now)),
            Err(error) => {
                tracing::error!(%error, "keys of batches cannot be read: one of the last day that is sent again is taken again");
                self.health.update(|state| state.samples.damaged += 1);
            }
        }
        self.store = Some(store);
        let last = self.replay_log(&folder, &counted)?;
        self.through = self.through.max(last);
        self.recovered = self.through;
        for (key, watch) in &self.watches {
            self.models.remember(key, &watch.progress.schema);
        }
        self.models.set_log(Ok(Log::open(&folder, segment, self.through.saturating_add(1))?));
        self.changed = true;
        Ok(folder)
    }

    fn take_up_references(&mut self, store: &Samples, counted: &BTreeSet<ModelKey>) -> Result<(), Error> {
        let now = self.clock.now();
        for reference in store.references()? {
            let StoredReference { model, provisional, held } = reference;
            let given = match taken_up(store, (&self.models.spec(&model), provisional), held) {
                Ok(given) => given,
                Err(error) => {
                    tracing::error!(%model, %error, "its reference cannot be read");
                    self.health.update(|state| state.samples.damaged += 1);
                    continue;
                }
            };
            let (spec, bins) = (self.models.spec(&model), self.config.models.metric_bins);
            let known = counted.contains(&model);
            let watch = self.watches.entry(model).or_insert_with(|| Watch::new(spec, bins, Progress::default(), now));
            let about = watch.progress.reference.as_ref();
            if known && about.is_some_and(|about| about.provisional == provisional) {
                watch.remember(&given, now);
            } else if about.is_none_or(|about| about.provisional && !provisional) {
                watch.refer_to(&given, now, provisional);
            }
        }
        for (key, watch) in &mut self.watches {
            if watch.lacks_reference() {
                tracing::error!(model = %key, "its reference is gone: its next rows become a provisional one");
                watch.forget_reference();
            }
        }
        Ok(())
    }

    /// Puts rows of compacted segments back, of each model as many as it may hold.
    fn replay_compacted(&mut self, store: &Samples, counted: &BTreeSet<ModelKey>) -> Result<(), Error> {
        let mut files: Vec<(u64, Kind, ModelKey, PathBuf)> = Vec::new();
        for kind in [Kind::Samples, Kind::Labels] {
            let mut rows: BTreeMap<ModelKey, u64> = BTreeMap::new();
            for (segment, model, path) in store.compacted(kind)?.into_iter().rev() {
                let (held, spec) = (rows.entry(model.clone()).or_default(), self.models.spec(&model));
                if *held < spec.max_rows && spec.store == Store::Rows {
                    *held += rows_of_parquet(&path).unwrap_or(0);
                    files.push((segment, kind, model, path));
                }
            }
        }
        files.sort();
        for (_, kind, model, path) in files {
            let mode = if counted.contains(&model) { Mode::Rebuild } else { Mode::Live };
            let frame = match read_parquet(&path) {
                Ok(frame) => frame,
                Err(error) => {
                    tracing::error!(%error, "stored samples cannot be read");
                    self.health.update(|state| state.samples.damaged += 1);
                    continue;
                }
            };
            match catch_unwind(AssertUnwindSafe(|| self.apply_frame(&model, kind, frame, mode))) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.failed(&model, &error.to_string()),
                Err(_) => self.failed(&model, "a panic; this is a bug in plumbline"),
            }
            self.stay_within_memory();
            self.beat();
        }
        Ok(())
    }

    /// Takes the log's entries in. Returns the last one's number.
    fn replay_log(&mut self, folder: &std::path::Path, counted: &BTreeSet<ModelKey>) -> Result<u64, Error> {
        let mut last = 0;
        let mut rebuilt = false;
        for segment in log::segments(folder)? {
            let end = log::read(&segment.path, |entry: Entry| {
                last = last.max(entry.sequence);
                if entry.kind == Kind::Removal {
                    self.models.repeats.forget(&entry.model);
                } else if let Some(note) = entry.note(NOTE) {
                    self.models.repeats.restore(note, self.clock.now());
                }
                let before = entry.sequence <= self.kept;
                if !before && !rebuilt {
                    rebuilt = true;
                    self.rebuilt();
                }
                let mode = if before && counted.contains(&entry.model) { Mode::Rebuild } else { Mode::Live };
                match catch_unwind(AssertUnwindSafe(|| self.apply(&entry, mode))) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => self.failed(&entry.model, &error.to_string()),
                    Err(_) => self.failed(&entry.model, "a panic; this is a bug in plumbline"),
                }
                self.stay_within_memory();
                self.beat();
            })?;
            if let End::Broken(bytes) = end {
                tracing::warn!(segment = %segment.path.display(), bytes, "the log was cut short; what came before is kept");
                self.health.update(|state| state.samples.damaged += 1);
            }
        }
        if !rebuilt {
            self.rebuilt();
        }
        Ok(last)
    }

    fn rebuilt(&mut self) {
        for (key, watch) in &mut self.watches {
            if let Err(error) = watch.rebuilt() {
                tracing::error!(model = %key, %error, "its rows cannot be numbered again");
            }
        }
    }
}
