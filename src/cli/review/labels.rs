//! Labels brought to the samples they are of, by the id of both.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};

use polars::prelude::{DataType, IdxCa, NewChunkedArray, Series};

use super::Error;
use crate::cli::times::times;
use crate::dataset::Dataset;
use crate::model::Spec;
use crate::review::Labelled;

/// What came of it.
pub struct Joined {
    /// Of each row of the samples, in their order.
    pub label: Series,
    /// How long after its row each label came, in milliseconds, where both have times.
    pub lag: Option<Vec<Option<i64>>>,
    /// What there is to tell; the coverage is not known yet.
    pub labelled: Labelled,
}

/// An id as a number: two hashes, so that hardly ever two ids are one.
pub type Key = u128;

fn key(text: impl Hash) -> Key {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, &text).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
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

/// A label: the row it stands in, and when it came.
struct Held {
    row: u32,
    at: Option<i64>,
    used: bool,
}

/// Brings them together: of several labels of one sample the latest counts, by their time, else by their place in the file.
pub fn join(samples: &Dataset, labels: &Dataset, spec: &Spec) -> Result<Joined, Error> {
    for (data, column) in [(samples, &spec.id), (labels, &spec.id), (labels, &spec.label)] {
        if data.field(column).is_none() {
            let file = data.path().display().to_string();
            return Err(Error::Column { file, column: column.clone() });
        }
    }
    let values = labels.column(&spec.label)?;
    let at = |data: &Dataset| -> Result<Option<Vec<i64>>, Error> {
        if data.field(&spec.timestamp).is_none() { Ok(None) } else { Ok(times(&data.column(&spec.timestamp)?).ok()) }
    };
    let (sample_times, label_times) = (at(samples)?, at(labels)?);
    let mut labelled = Labelled::default();
    let mut held: HashMap<Key, Held> = HashMap::new();
    let mut row = 0_u32;
    let same = |a: u32, b: u32| values.get(a as usize).ok() == values.get(b as usize).ok();
    each_key(labels, &spec.id, |key| {
        let now =
            Held { row, at: label_times.as_ref().and_then(|times| times.get(row as usize).copied()), used: false };
        row = row.saturating_add(1);
        let known = values.get(now.row as usize).is_ok_and(|value| !value.is_null());
        let Some(key) = key.filter(|_| known) else { return };
        match held.entry(key) {
            Entry::Vacant(place) => {
                place.insert(now);
            }
            Entry::Occupied(mut place) => {
                let before = place.get_mut();
                *if same(before.row, now.row) { &mut labelled.duplicates } else { &mut labelled.corrections } += 1;
                if now.at >= before.at {
                    *before = now;
                }
            }
        }
    })?;
    let mut places: Vec<Option<u32>> = Vec::new();
    let mut lag: Option<Vec<Option<i64>>> = sample_times.is_some().then(Vec::new).filter(|_| label_times.is_some());
    each_key(samples, &spec.id, |key| {
        let found = key.and_then(|key| held.get_mut(&key));
        let (row, at) = found.map_or((None, None), |found| {
            found.used = true;
            (Some(found.row), found.at)
        });
        if let Some(lag) = &mut lag {
            let sampled = sample_times.as_ref().and_then(|times| times.get(places.len()).copied());
            lag.push(at.zip(sampled).map(|(at, sampled)| at.saturating_sub(sampled)));
        }
        places.push(row);
    })?;
    labelled.unknown = held.values().filter(|held| !held.used).count() as u64;
    let places = IdxCa::from_slice_options("rows".into(), &places);
    let label = values.take(&places).map_err(|error| Error::Frame(error.to_string()))?;
    Ok(Joined { label, lag, labelled })
}
