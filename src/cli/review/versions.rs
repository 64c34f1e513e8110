//! Versions of the model side by side, and which rows the reference is of: the samples' columns brought to `versions`.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::Series;

use super::labels::{Key, each_key};
use super::{Error, Side};
use crate::dataset::Dataset;
use crate::model::Spec;
use crate::performance::verdict::Limits;
use crate::performance::{Labels, Task};
use crate::segment::coded::Coded;
use crate::versions::reference::Judged;
use crate::versions::{Others, Rows, SIGNIFICANCE, Settings, Version, Versions, compare};

/// What is told of versions.
#[derive(Default)]
pub struct Told {
    /// Each row's version, where a column says so.
    pub coded: Option<Coded>,
    versions: Option<Versions>,
    /// Rows of versions that the reference is not of.
    pub unjudged: BTreeMap<String, u64>,
}

impl Told {
    /// Each version, those that there is no room for, and rows that are not judged.
    pub fn parts(self) -> (Vec<Version>, Others, BTreeMap<String, u64>) {
        let (versions, others) = self.versions.map(|found| (found.versions, found.others)).unwrap_or_default();
        (versions, others, self.unjudged)
    }
}

fn coded(data: &Dataset, spec: &Spec) -> Result<Option<Coded>, Error> {
    if data.field(&spec.version).is_none() {
        return Ok(None);
    }
    Ok(Coded::of_series(&data.column(&spec.version)?).filter(|coded| !coded.names.is_empty()))
}

/// Reads the samples' versions, and compares them where there are two or more.
pub fn told(
    samples: &Dataset,
    side: &Side,
    at: Option<&[i64]>,
    (spec, task, known): (&Spec, Option<Task>, &Labels),
    notes: &mut Vec<String>,
) -> Result<Told, Error> {
    let Some(version) = coded(samples, spec)? else {
        if spec.champion.is_some() {
            notes.push(format!("There is no column `{}`: champion has no meaning.", spec.version));
        }
        return Ok(Told::default());
    };
    // Without labels what is said tells what it is.
    let said = side.prediction.as_ref().or(side.score.as_ref());
    let (known, task) = task.map_or_else(|| of_predictions(side), |task| (known.clone(), Some(task)));
    let (Some(said), Some(task)) = (said.or(side.beside.scores.first().map(|(_, of)| of)), task) else {
        return Ok(Told { coded: Some(version), ..Told::default() });
    };
    let empty = Series::full_null(spec.label.as_str().into(), said.len(), said.dtype());
    let label = side.label.as_ref().unwrap_or(&empty);
    let request = if version.names.len() < 2 { Vec::new() } else { requests(samples, spec) };
    let rows = Rows {
        version: &version,
        request: &request,
        at,
        columns: side.beside.columns(label, side.prediction.as_ref(), side.score.as_ref()),
    };
    let limits = Limits { significance: SIGNIFICANCE, ..spec.limits() };
    let found = compare(&rows, &spec.measured(task, &known), &Settings { champion: spec.champion.as_deref(), limits });
    if let Some(found) = &found {
        notes.extend(of_rows(found, spec));
    }
    Ok(Told { coded: Some(version), versions: found, unjudged: BTreeMap::new() })
}

/// The task that predictions speak of, where no label does: scores are a classifier's.
fn of_predictions(side: &Side) -> (Labels, Option<Task>) {
    let mut known = Labels::default();
    if let Some(prediction) = &side.prediction {
        known.learn(prediction);
    }
    let scores = side.score.is_some() || !side.beside.scores.is_empty();
    let task = known.task().or(scores.then_some(Task::Classification));
    (known, task)
}

/// What names each row's request: its id. Without any nothing does.
fn requests(samples: &Dataset, spec: &Spec) -> Vec<Option<Key>> {
    if samples.field(&spec.id).is_none() {
        return Vec::new();
    }
    let mut keys = Vec::new();
    // What cannot be an id names nothing.
    each_key(samples, &spec.id, |key| keys.push(key)).map(|()| keys).unwrap_or_default()
}

fn of_rows(found: &Versions, spec: &Spec) -> Vec<String> {
    let grouped = crate::units::grouped;
    let mut said = Vec::new();
    if let Some(champion) = spec.champion.as_ref().filter(|_| found.champion_missing) {
        let instead = found.versions.first().map_or("", |version| version.version.as_str());
        said.push(format!("No row is of version {champion}, the champion: {instead} stands in its place."));
    }
    if found.others.versions > 0 {
        let (versions, rows) = (grouped(found.others.versions), grouped(found.others.rows));
        said.push(format!("{versions} more versions with {rows} rows together are not told of one by one."));
    }
    if found.without_version > 0 {
        said.push(format!("{} rows say no version.", grouped(found.without_version)));
    }
    said
}

/// Which rows the reference is of. `None` where nothing says of which version it is, or the samples name none.
pub fn judged(
    version: Option<&Coded>,
    reference: Option<&Dataset>,
    spec: &Spec,
    is_there: bool,
) -> Result<Option<Judged>, Error> {
    let Some(version) = version.filter(|_| is_there) else { return Ok(None) };
    let own: BTreeSet<String> = match (&spec.reference_version, reference) {
        (Some(version), _) => BTreeSet::from([version.clone()]),
        (None, Some(data)) => coded(data, spec)?.map(|coded| coded.names.into_iter().collect()).unwrap_or_default(),
        (None, None) => BTreeSet::new(),
    };
    Ok(Some(Judged::of(version, &own)).filter(|_| !own.is_empty()))
}

#[cfg(test)]
mod tests;
