//! Labels that come when their rows have left memory: looks their rows up among what is stored, and measures their windows from
//! there, one at a time.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, PolarsResult};

use super::ModelWorker;
use crate::clock::Clock;
use crate::frame::stack::{keep, stack};
use crate::health::Health;
use crate::identity::ModelKey;
use crate::model::border::AHEAD;
use crate::model::watch::Watch;
use crate::model::watch::stored::{LABELS, labelled};
use crate::store::ids::{Span, hash, hashes};
use crate::store::log::Kind;
use crate::store::samples::read_columns;
use crate::store::{Error, Samples};

/// Windows measured in one go, so that nobody waits long.
const IN_ONE_GO: usize = 4;
/// So many labels do not wait for the next look.
const MANY: usize = 100_000;
/// Ids that are looked for first. Labels come for rows of one time: the files of a few ids are those of most.
const FIRST: usize = 16;
/// Rows that are joined with their labels at a time, about so many: those of a share of the window's ids.
const SHARE: usize = 500_000;
/// Shares that are measured at most. A window of more rows is measured by these, which are as good as any of its ids.
const SHARES: u64 = 20;

/// What is known of a model's stored files.
#[derive(Default)]
pub(super) struct StoredFiles {
    /// What each spans, by kind; nothing of one that cannot be read.
    spans: HashMap<Kind, HashMap<PathBuf, Option<Span>>>,
    /// Stored files read by looks and measurements.
    pub(super) read: u64,
}

/// A look at what is stored of a model.
pub(super) struct Look<'a> {
    store: &'a Samples,
    model: &'a ModelKey,
    /// What the log has of it from before this entry is removed.
    removal: Option<u64>,
    /// Rows that are joined with their labels at a time.
    pub(super) share: usize,
    known: &'a mut StoredFiles,
    health: &'a Health,
    clock: &'a dyn Clock,
}

impl ModelWorker {
    /// A look at what is stored of a model, and the model.
    pub(super) fn look<'a>(&'a mut self, model: &'a ModelKey) -> Option<(Look<'a>, &'a mut Watch)> {
        let known = self.stored.entry(model.clone()).or_default();
        let removal = self.removed.get(model).copied();
        let (store, health, clock) = (self.store.as_ref()?, self.health.as_ref(), self.clock.as_ref());
        let watch = self.watches.get_mut(model)?;
        Some((Look { store, model, removal, share: SHARE, known, health, clock }, watch))
    }

    /// Looks up what labels have come for, of each model as much as takes no long time.
    pub(super) fn look_up(&mut self) {
        let keys: Vec<ModelKey> = self.watches.keys().cloned().collect();
        for key in keys {
            if let Err(error) = self.find(&key).and_then(|()| self.measure(&key)) {
                tracing::error!(model = %key, %error, "labels wait for rows that cannot be read");
            }
        }
    }

    /// Looks up at once where many labels wait: beyond a bound they would be unmatched.
    pub(super) fn look_up_if_many(&mut self, model: &ModelKey) {
        let many = self.watches.get(model).is_some_and(|watch| watch.missing().0.len() >= MANY);
        if many && let Err(error) = self.find(model) {
            tracing::error!(%model, %error, "labels wait for rows that cannot be read");
        }
    }

    /// Finds the rows of labels that wait, and so the windows that are to be measured.
    fn find(&mut self, model: &ModelKey) -> Result<(), Error> {
        let Some((mut look, watch)) = self.look(model) else { return Ok(()) };
        let (missing, horizon) = watch.missing();
        if missing.is_empty() {
            return Ok(());
        }
        let found = look.find(missing, horizon)?;
        tracing::debug!(%model, labels = missing.len(), found = found.len(), read = look.known.read, "looked up");
        watch.found(&found);
        self.changed = true;
        Ok(())
    }

    /// Measures windows that labels have come for.
    fn measure(&mut self, model: &ModelKey) -> Result<(), Error> {
        let Some((mut look, watch)) = self.look(model) else { return Ok(()) };
        let mut changed = false;
        for _ in 0..IN_ONE_GO {
            let Some((end, from, to)) = watch.to_measure() else { break };
            match look.window(watch, from, to) {
                Ok((rows, labelled)) => watch.measured(end, rows, &labelled, look.clock.now()),
                Err(error) => {
                    // One that cannot be measured must not keep the others waiting.
                    watch.cannot_measure(end);
                    return Err(error);
                }
            }
            changed = true;
        }
        self.changed |= changed;
        Ok(())
    }
}

impl Look<'_> {
    /// The model's files of a kind, oldest first, with what they span.
    fn files(&mut self, kind: Kind) -> Result<Vec<(PathBuf, Span)>, Error> {
        let mut before = self.known.spans.remove(&kind).unwrap_or_default();
        let mut spans = HashMap::new();
        let mut files = Vec::new();
        for path in self.store.compacted_of(kind, self.model)? {
            let span = before.remove(&path).unwrap_or_else(|| {
                self.beat();
                let span = self.store.span(kind, &path);
                span.map_err(|error| self.unreadable(&error)).ok()
            });
            files.extend(span.map(|span| (path.clone(), span)));
            spans.insert(path, span);
        }
        self.known.spans.insert(kind, spans);
        Ok(files)
    }

    fn beat(&self) {
        self.health.beat(super::supervise::MODELS.name, self.clock.monotonic());
    }

    fn unreadable(&self, error: &Error) {
        tracing::error!(%error, "a stored file cannot be read; its rows and labels are passed over");
        self.health.update(|state| state.samples.damaged += 1);
    }

    /// Whether a file may hold any of these, which are sorted. Without an index it may.
    fn may_hold(&self, kind: Kind, path: &Path, wanted: &[u64]) -> bool {
        self.beat();
        let index = self.store.index(kind, path);
        let held = index.and_then(|index| {
            index.holds_any(wanted).or_else(|_| self.store.index_anew(kind, path)?.holds_any(wanted))
        });
        held.unwrap_or(true)
    }

    /// Reads columns of a file. One that cannot be read is told once, and passed over from then on.
    fn read(&mut self, kind: Kind, path: &Path, columns: &[&str]) -> Option<DataFrame> {
        self.beat();
        self.known.read += 1;
        match read_columns(path, columns) {
            Ok(rows) => Some(rows),
            Err(error) => {
                self.unreadable(&error);
                self.known.spans.entry(kind).or_default().insert(path.to_owned(), None);
                None
            }
        }
    }

    /// The missing ids that are stored, each with its event's time in milliseconds.
    fn find(&mut self, missing: &BTreeSet<String>, horizon: i64) -> Result<Vec<(String, i64)>, Error> {
        let mut left: Vec<(u64, &str)> = missing.iter().map(|id| (hash(id), id.as_str())).collect();
        left.sort_unstable();
        let mut files = self.files(Kind::Samples)?;
        files.retain(|(_, span)| span.times.1 >= horizon);
        let mut found = Vec::new();
        let mut few = left.len() > FIRST;
        loop {
            let before = left.len();
            let every = if few { left.len().div_ceil(FIRST) } else { 1 };
            let mut wanted: Vec<u64> = left.iter().step_by(every.max(1)).map(|(hash, _)| *hash).collect();
            let mut unread = Vec::with_capacity(files.len());
            for (path, span) in files.into_iter().rev() {
                if wanted.is_empty() || !self.may_hold(Kind::Samples, &path, &wanted) {
                    unread.push((path, span));
                    continue;
                }
                let Some(rows) = self.read(Kind::Samples, &path, &["id", "timestamp"]) else { continue };
                take(&rows, &mut left, &mut found).map_err(|source| Error::Parquet { path, source })?;
                wanted.retain(|hash| left.binary_search_by_key(hash, |(hash, _)| *hash).is_ok());
            }
            unread.reverse();
            files = unread;
            if !few || left.is_empty() {
                break;
            }
            // As long as a few lead to most of the others.
            few = left.len() > FIRST && left.len() < before / 2;
        }
        if !left.is_empty() {
            let (store, of) = (self.store, (Kind::Samples, self.model));
            store.logged(of, self.removal, |rows| take(&rows, &mut left, &mut found))?;
        }
        Ok(found)
    }

    /// A window's rows that have a label, and how many rows it has: from what is stored, from what the log has yet, and from memory.
    pub(super) fn window(&mut self, watch: &Watch, from: i64, to: i64) -> Result<(u64, DataFrame), Error> {
        let broken = |error| Error::Record(format!("a window of stored rows: {error}"));
        let mut files = self.files(Kind::Samples)?;
        files.retain(|(_, span)| span.meets(from, to));
        let files: Vec<PathBuf> = files.into_iter().map(|(path, _)| path).collect();
        let held = watch.rows_between(from, to).map_err(broken)?;
        let mut ids = hashes(&held).map_err(broken)?;
        let samples = (Kind::Samples, &files[..]);
        self.each(samples, &["id", "timestamp"], |rows| {
            ids.extend(hashes(&between(rows, from, to)?)?);
            Ok(())
        })?;
        ids.sort_unstable();
        ids.dedup();
        // A label comes after its row's event, but for the clocks.
        let mut candidates = self.files(Kind::Labels)?;
        candidates.retain(|(_, span)| span.times.1 >= from.saturating_sub(AHEAD));
        candidates.retain(|(path, _)| self.may_hold(Kind::Labels, path, &ids));
        let answers: Vec<PathBuf> = candidates.into_iter().map(|(path, _)| path).collect();
        let labels_in_memory = watch.labels_in_memory().map_err(broken)?;
        let shares = ids.len().div_ceil(self.share).max(1) as u64;
        let (mut count, mut all) = (0_u64, DataFrame::empty());
        for share in 0..shares.min(SHARES) {
            let ours = |id: &str| {
                let hash = hash(id);
                share_of(hash, shares) == share && ids.binary_search(&hash).is_ok()
            };
            let (mut rows, mut labels) = (DataFrame::empty(), DataFrame::empty());
            self.each(samples, &watch.measured_by(), |part| stack(&mut rows, of(&between(part, from, to)?, &ours)?))?;
            self.each((Kind::Labels, &answers), LABELS, |part| stack(&mut labels, of(part, &ours)?))?;
            let joined = of(&held, &ours).and_then(|part| stack(&mut rows, part));
            let joined = joined.and_then(|()| stack(&mut labels, of(&labels_in_memory, &ours)?));
            let (named, measured) = joined.and_then(|()| labelled(watch, &rows, &labels)).map_err(broken)?;
            count = count.saturating_add(named);
            if measured.height() > 0 {
                stack(&mut all, measured).map_err(broken)?;
            }
        }
        Ok((count, all))
    }

    /// Hands out these columns of files of a kind, then of what the log has yet.
    fn each(
        &mut self,
        (kind, files): (Kind, &[PathBuf]),
        columns: &[&str],
        mut take: impl FnMut(&DataFrame) -> PolarsResult<()>,
    ) -> Result<(), Error> {
        for path in files {
            let Some(rows) = self.read(kind, path, columns) else { continue };
            take(&rows).map_err(|source| Error::Parquet { path: path.clone(), source })?;
        }
        self.store.logged((kind, self.model), self.removal, |rows| {
            take(&rows.select(columns.iter().copied().filter(|name| rows.column(name).is_ok()))?)
        })
    }
}

/// Takes the wanted ids that are among the rows out of `left`, which is sorted, with their events' times.
fn take(rows: &DataFrame, left: &mut Vec<(u64, &str)>, found: &mut Vec<(String, i64)>) -> PolarsResult<()> {
    let Ok(ids) = rows.column("id") else { return Ok(()) };
    let times = rows.column("timestamp")?.datetime()?.physical();
    let mut here = vec![false; left.len()];
    for (id, at) in ids.str()?.iter().zip(times.iter()) {
        let (Some(id), Some(at)) = (id, at) else { continue };
        if let Ok(place) = left.binary_search(&(hash(id), id))
            && !std::mem::replace(&mut here[place], true)
        {
            found.push((id.to_owned(), at));
        }
    }
    let mut here = here.into_iter();
    left.retain(|_| here.next() != Some(true));
    Ok(())
}

/// In which of so many shares an id is, by its hash.
fn share_of(hash: u64, shares: u64) -> u64 {
    u64::try_from((u128::from(hash) * u128::from(shares)) >> 64).unwrap_or_default()
}

/// The rows of these ids.
fn of(rows: &DataFrame, ours: &impl Fn(&str) -> bool) -> PolarsResult<DataFrame> {
    let Ok(ids) = rows.column("id") else { return Ok(DataFrame::empty()) };
    let kept: Vec<bool> = ids.str()?.iter().map(|id| id.is_some_and(ours)).collect();
    keep(rows, &kept)
}

/// The rows whose event lies in `from..to`.
fn between(rows: &DataFrame, from: i64, to: i64) -> PolarsResult<DataFrame> {
    let times = rows.column("timestamp")?.datetime()?.physical();
    let within: Vec<bool> = times.iter().map(|at| at.is_some_and(|at| (from..to).contains(&at))).collect();
    keep(rows, &within)
}
