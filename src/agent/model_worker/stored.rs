//! Labels that come when their rows have left memory: looks their rows up in the stored Parquet, a window at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, PolarsResult};

use super::ModelWorker;
use crate::frame::stack::stack;
use crate::model::watch::stored::MEASURED;
use crate::store::log::Kind;
use crate::store::samples::read_columns;
use crate::store::{Error, Samples};

/// Windows measured in one go, so that nobody waits long.
const IN_ONE_GO: usize = 4;
/// So many labels do not wait for the next look.
const MANY: usize = 100_000;
/// Rows of a window that are measured at most.
const ROWS: usize = 5_000_000;

/// The files of a model's samples, newest first, with the event times of those that were read.
#[derive(Default)]
pub(super) struct Times(HashMap<PathBuf, (i64, i64)>);

impl ModelWorker {
    /// Looks up what labels have come for, of each model as much as takes no long time.
    pub(super) fn look_up(&mut self) {
        let names: Vec<String> = self.watches.keys().cloned().collect();
        for name in names {
            if let Err(error) = self.look_up_one(&name) {
                tracing::error!(model = name, %error, "labels wait for rows that cannot be read");
            }
        }
    }

    /// Looks up at once where many labels wait: beyond a bound they would be unmatched.
    pub(super) fn look_up_if_many(&mut self, model: &str) {
        let many = self.watches.get(model).is_some_and(|watch| watch.missing().0.len() >= MANY);
        if many && let Err(error) = self.look_up_one(model) {
            tracing::error!(model, %error, "labels wait for rows that cannot be read");
        }
    }

    fn look_up_one(&mut self, model: &str) -> Result<(), Error> {
        let Some(store) = &self.store else { return Ok(()) };
        let Some(watch) = self.watches.get_mut(model) else { return Ok(()) };
        let times = self.times.entry(model.to_owned()).or_default();
        let (missing, _) = watch.missing();
        if missing.is_empty() && watch.to_measure().is_none() {
            return Ok(());
        }
        let files = files(store, model)?;
        times.0.retain(|path, _| files.contains(path));
        if !missing.is_empty() {
            let mut found = Vec::new();
            for path in &files {
                if found.len() >= missing.len() {
                    break;
                }
                self.health.beat(super::supervise::MODELS.name, self.clock.monotonic());
                let rows = read_columns(path, &["id", "timestamp"])?;
                let matched = times.note(path, &rows).and_then(|()| ids(&rows, missing));
                found.extend(matched.map_err(|source| Error::Parquet { path: path.clone(), source })?);
            }
            watch.found(&found);
            self.changed = true;
        }
        for _ in 0..IN_ONE_GO {
            let Some((end, from, to)) = watch.to_measure() else { break };
            self.health.beat(super::supervise::MODELS.name, self.clock.monotonic());
            let mut rows = DataFrame::empty();
            for path in &files {
                let parquet = |source| Error::Parquet { path: path.clone(), source };
                if !times.0.contains_key(path) {
                    times.note(path, &read_columns(path, &["timestamp"])?).map_err(parquet)?;
                }
                let within = times.0.get(path).is_none_or(|(first, last)| *first < to && *last >= from);
                if within && rows.height() < ROWS {
                    let part = between(&read_columns(path, MEASURED)?, from, to).map_err(parquet)?;
                    stack(&mut rows, part).map_err(parquet)?;
                }
            }
            let measured = watch.measure(end, rows, self.clock.now());
            measured.map_err(|error| Error::Record(format!("a window of stored rows: {error}")))?;
            self.changed = true;
        }
        Ok(())
    }
}

/// The model's stored samples, newest first.
fn files(store: &Samples, model: &str) -> Result<Vec<PathBuf>, Error> {
    let all = store.compacted(Kind::Samples)?.into_iter().rev();
    Ok(all.filter(|(_, of, _)| of == model).map(|(_, _, path)| path).collect())
}

impl Times {
    fn note(&mut self, path: &Path, rows: &DataFrame) -> PolarsResult<()> {
        let times = rows.column("timestamp")?.datetime()?.physical();
        let all = || times.iter().flatten();
        if let (Some(first), Some(last)) = (all().min(), all().max()) {
            self.0.insert(path.to_owned(), (first, last));
        }
        Ok(())
    }
}

/// The wanted ids among the rows, each with its event's time in milliseconds.
fn ids(rows: &DataFrame, wanted: &std::collections::BTreeSet<String>) -> PolarsResult<Vec<(String, i64)>> {
    let Ok(ids) = rows.column("id") else { return Ok(Vec::new()) };
    let times = rows.column("timestamp")?.datetime()?.physical();
    let both = ids.str()?.iter().zip(times.iter());
    let matched = both.filter_map(|(id, at)| Some((wanted.get(id?)?.clone(), at?)));
    Ok(matched.collect())
}

/// The rows whose event lies in `from..to`.
fn between(rows: &DataFrame, from: i64, to: i64) -> PolarsResult<DataFrame> {
    let times = rows.column("timestamp")?.datetime()?.physical();
    let within = times.iter().map(|at| Some(at.is_some_and(|at| (from..to).contains(&at)))).collect();
    rows.filter(&within)
}
