//! A model's stored samples and labels taken in again, in the order in which they came: what is concluded is what the live agent concluded.
//!
//! Windows are held against the reference that is stored now. The data folder is read, never touched; an agent may hold it meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsError, PolarsResult};

use super::model_worker::given;
use crate::frame::stack::frame_of;
use crate::identity::ModelKey;
use crate::model::border::ARRIVAL;
use crate::model::view::{ModelView, WindowResult};
use crate::model::watch::{Mode, Progress, Watch};
use crate::model::{Schema, Spec, Store};
use crate::store::log::{self, Entry, Kind};
use crate::store::samples::read_parquet;
use crate::store::{self, Samples};

/// Why nothing can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is stored cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What is stored does not go together.
    #[error("what is stored of the model: {0}")]
    Rows(#[from] PolarsError),
    /// Its rows are not kept.
    #[error(
        "of {0} counts alone are kept (store = \"counts\"): there are no rows to replay; its page and /api/v1/models have what is known"
    )]
    Counts(ModelKey),
    /// There is nothing of the model.
    #[error("{}: holds nothing of {model}; there are: {there}", data.display())]
    Nothing {
        /// The data folder.
        data: PathBuf,
        /// The model.
        model: ModelKey,
        /// The models it has.
        there: String,
    },
}

/// What came of it.
#[derive(Debug)]
pub struct Replayed {
    /// The model, as the API shows it.
    pub view: ModelView,
    /// Each window as it was judged last, the oldest first.
    pub windows: Vec<WindowResult>,
    /// Labels of rows that were not held any longer when they came, or that never came.
    pub unmatched: u64,
    /// What could not be read, and was passed over.
    pub warnings: Vec<String>,
}

/// Parts of the rows in order, and what could not be read.
type Parts = (Vec<(Kind, Part)>, Vec<String>);

/// Where a part of the rows lies.
enum Part {
    Parquet(PathBuf),
    Logged(Box<Entry>),
}

/// Takes in all that is stored of a model, as of `now`. `told` is called after each part with how many are done and how many there are.
///
/// # Errors
/// Nothing is stored of it, or the folder cannot be read.
pub fn replay(
    (data, node): (&Path, Option<&str>),
    (spec, metric_bins): (&Spec, usize),
    now: Timestamp,
    told: &mut dyn FnMut(usize, usize),
) -> Result<Replayed, Error> {
    let (store, key) = (Samples::look(data, node)?, spec.key());
    let (parts, mut warnings) = parts(&store, &key)?;
    let mut watch = Watch::new(spec.clone(), metric_bins, Progress::default(), now);
    let mut is_there = !parts.is_empty();
    if spec.store == Store::Counts && !is_there {
        return Err(Error::Counts(key));
    }
    for reference in store.references()?.into_iter().filter(|reference| reference.model == key) {
        is_there = true;
        match given(reference.held) {
            // The rows make a provisional one again.
            Ok(_) if reference.provisional => {}
            Ok(given) => {
                watch.progress.schema.replace(&given.schema(spec));
                watch.refer_to(&given, now, false);
            }
            Err(error) => warnings.push(format!("its reference cannot be read: {error}")),
        }
    }
    if !is_there {
        let there = store.compacted(Kind::Samples)?.into_iter().map(|(_, model, _)| model.to_string());
        let there: BTreeSet<String> = there.collect();
        let there = if there.is_empty() { "none".to_owned() } else { Vec::from_iter(there).join(", ") };
        return Err(Error::Nothing { data: data.to_owned(), model: key, there });
    }
    let all = parts.len();
    let mut windows = BTreeMap::new();
    for (at, (kind, part)) in parts.into_iter().enumerate() {
        let frame = match part {
            Part::Logged(entry) => frame_of(&entry.record)?,
            Part::Parquet(path) => match read_parquet(&path) {
                Ok(frame) => frame,
                Err(error) => {
                    warnings.push(error.to_string());
                    continue;
                }
            },
        };
        let came = arrived(&frame)?.unwrap_or(now);
        if let Err(error) = take(&mut watch, kind, frame, came) {
            warnings.push(format!("a batch does not fit what came before it: {error}"));
        }
        // Labels pass the detectors and windows are judged again at their own pace.
        judge(&mut watch, came, Duration::from_secs(3600 * (at as u64 + 1)), &mut windows)?;
        told(at + 1, all);
    }
    judge(&mut watch, now, Duration::from_secs(3600 * (all as u64 + 1)), &mut windows)?;
    let unmatched = watch.progress.unmatched();
    Ok(Replayed { view: watch.view(now), windows: windows.into_values().collect(), unmatched, warnings })
}

fn take(watch: &mut Watch, kind: Kind, frame: DataFrame, came: Timestamp) -> PolarsResult<()> {
    watch.progress.registered = Some(watch.progress.registered.map_or(came, |registered| registered.min(came)));
    watch.progress.heard = watch.progress.heard.max(Some(came));
    if kind == Kind::Labels {
        return watch.absorb_labels(&frame, Mode::Live);
    }
    let schema = Schema::of(&frame, watch.spec());
    watch.progress.schema.merge(&schema);
    watch.absorb(frame, Mode::Live, came).map(drop)
}

fn judge(
    watch: &mut Watch,
    now: Timestamp,
    monotonic: Duration,
    windows: &mut BTreeMap<Timestamp, WindowResult>,
) -> PolarsResult<()> {
    while watch.judge(now, monotonic)? {}
    for window in watch.take_judged() {
        windows.insert(window.end, window);
    }
    Ok(())
}

/// When the last of these rows came.
fn arrived(frame: &DataFrame) -> PolarsResult<Option<Timestamp>> {
    let Ok(arrivals) = frame.column(ARRIVAL) else { return Ok(None) };
    let last = arrivals.datetime()?.physical().iter().flatten().max();
    Ok(last.and_then(|ms| Timestamp::from_millisecond(ms).ok()))
}

/// Samples and labels of a model in the order in which they came, and what cannot be read of the log. The log is read first: a segment that
/// becomes Parquet meanwhile is there twice, and counts once.
fn parts(store: &Samples, key: &ModelKey) -> Result<Parts, Error> {
    let (mut parts, mut warnings, mut logged) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut removed = false;
    for segment in log::segments(&store.log_folder())? {
        logged.insert(segment.number);
        let end = log::read(&segment.path, |entry| match entry.kind {
            _ if entry.model != *key => {}
            // All its rows were sampled out.
            Kind::Samples | Kind::Labels if entry.record.num_rows() == 0 => {}
            Kind::Removal => {
                removed = true;
                parts.clear();
            }
            Kind::Samples | Kind::Labels => {
                parts.push((segment.number, entry.kind, Part::Logged(Box::new(entry))));
            }
            Kind::Reference | Kind::Profile => {}
        })?;
        if let log::End::Broken(bytes) = end {
            warnings.push(format!("{}: {bytes} bytes at its end cannot be read", segment.path.display()));
        }
    }
    let kinds = if removed { [].as_slice() } else { [Kind::Samples, Kind::Labels].as_slice() };
    let mut stored = Vec::new();
    for kind in kinds {
        let files = store.compacted(*kind)?.into_iter();
        let files = files.filter(|(segment, model, _)| model == key && !logged.contains(segment));
        stored.extend(files.map(|(segment, _, path)| (segment, *kind, Part::Parquet(path))));
    }
    stored.sort_by_key(|(segment, kind, _)| (*segment, *kind));
    Ok((stored.into_iter().chain(parts).map(|(_, kind, part)| (kind, part)).collect(), warnings))
}
