//! Versions of the model side by side, and which rows the reference is of: the samples' columns brought to `versions`.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{Key, each_key};
use super::{Error, Side};
use crate::dataset::Dataset;
use crate::model::Spec;
use crate::model::assess::versions::{Asked, compared, notes as of_rows};
use crate::performance::{Labels, Task};
use crate::segment::coded::Coded;
use crate::versions::reference::Judged;
use crate::versions::{Looks, Others, Version, Versions};

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
    let request = if version.names.len() < 2 { Vec::new() } else { requests(samples, spec) };
    let asked = Asked { version: &version, request: &request, at };
    let found = compared(&asked, side, (spec, task, known), (spec.champion.as_deref(), Looks::Once));
    if let Some(found) = &found {
        notes.extend(of_rows(found));
    }
    Ok(Told { coded: Some(version), versions: found, unjudged: BTreeMap::new() })
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
