//! Labels brought to the samples they are of, by the id of both.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use polars::prelude::{ChunkedBuilder, DataType, IdxType, PrimitiveChunkedBuilder, Series};
use siphasher::sip128::SipHasher13;

use super::Error;
use crate::cli::times::times;
use crate::dataset::Dataset;
use crate::model::Spec;
use crate::review::Labelled;

/// What came of it.
pub struct Joined {
    /// Of each row of the samples, in their order.
    pub label: Series,
    /// How long after their rows labels came, where both have times.
    pub lags: Option<Lags>,
    /// What there is to tell; the coverage is not known yet.
    pub labelled: Labelled,
}

/// How long after its row each label came.
#[derive(Default)]
pub struct Lags {
    /// The rows of the samples that have a label.
    pub rows: Vec<u32>,
    /// In milliseconds.
    pub ms: Vec<i64>,
}

/// An id as a number: 128 bits, so that hardly ever two ids are one, and a table of these is far smaller than one of texts.
pub type Key = u128;

fn key(text: &str) -> Key {
    SipHasher13::new().hash(text.as_bytes()).as_u128()
}

/// The ids of a column in the order of the rows. Numbers and texts that are written alike are the same.
pub fn each_key(data: &Dataset, column: &str, mut take: impl FnMut(Option<Key>)) -> Result<(), Error> {
    for part in data.parts(column) {
        let no_ids = |_| Error::Id(column.to_owned());
        let texts = part?.cast(&DataType::String).map_err(no_ids)?;
        for text in texts.str().map_err(no_ids)?.iter() {
            take(text.map(key));
        }
    }
    Ok(())
}

/// Brings them together, given when each row of the samples was: of several labels of one sample the latest counts, by their time, else by
/// their place in the file. The labels are held by the hashes of their ids, and the samples' ids pass by.
pub fn join(samples: &Dataset, at: Option<&[i64]>, labels: &Dataset, spec: &Spec) -> Result<Joined, Error> {
    for (data, column) in [(samples, &spec.id), (labels, &spec.id), (labels, &spec.label)] {
        if data.field(column).is_none() {
            let file = data.path().display().to_string();
            return Err(Error::Column { file, column: column.clone() });
        }
    }
    let values = labels.column(&spec.label)?;
    let label_times = match labels.field(&spec.timestamp) {
        Some(_) => times(&labels.column(&spec.timestamp)?).ok(),
        None => None,
    };
    let came = |row: u32| label_times.as_ref().and_then(|times| times.get(row as usize).copied());
    let same = |a: u32, b: u32| values.get(a as usize).ok() == values.get(b as usize).ok();
    let mut labelled = Labelled::default();
    let mut held: HashMap<Key, u32, RandomState> = HashMap::default();
    let mut row = 0_u32;
    each_key(labels, &spec.id, |key| {
        let now = row;
        row = row.saturating_add(1);
        let known = values.get(now as usize).is_ok_and(|value| !value.is_null());
        let Some(key) = key.filter(|_| known) else { return };
        match held.entry(key) {
            Entry::Vacant(place) => {
                place.insert(now);
            }
            Entry::Occupied(mut place) => {
                let before = *place.get();
                *if same(before, now) { &mut labelled.duplicates } else { &mut labelled.corrections } += 1;
                if came(now) >= came(before) {
                    place.insert(now);
                }
            }
        }
    })?;
    let mut used = vec![false; values.len()];
    let mut lags = at.is_some().then(Lags::default).filter(|_| label_times.is_some());
    let rows = usize::try_from(samples.rows).unwrap_or(0);
    let mut places = PrimitiveChunkedBuilder::<IdxType>::new("rows".into(), rows);
    let mut sample = 0_u32;
    each_key(samples, &spec.id, |key| {
        let found = key.and_then(|key| held.get(&key).copied());
        if let Some(used) = found.and_then(|row| used.get_mut(row as usize)) {
            *used = true;
        }
        let sampled = at.and_then(|at| at.get(sample as usize).copied());
        if let (Some(lags), Some(came), Some(sampled)) = (&mut lags, found.and_then(came), sampled) {
            lags.rows.push(sample);
            lags.ms.push(came.saturating_sub(sampled));
        }
        places.append_option(found);
        sample = sample.saturating_add(1);
    })?;
    labelled.unknown = held.values().filter(|row| used.get(**row as usize) == Some(&false)).count() as u64;
    drop(held);
    let label = values.take(&places.finish()).map_err(|error| Error::Frame(error.to_string()))?;
    Ok(Joined { label, lags, labelled })
}
