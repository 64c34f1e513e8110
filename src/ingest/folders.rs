//! Watched folders: each file that is put there is taken once, over restarts and a `kill -9`, and goes the way of bodies.
//!
//! A file is known by its content. It is read in parts (`text`, `tables`); before a part is handed on the journal says so, and its rows are
//! stored with a mark, so that after a crash the log tells whether they were. Rows of KServe's logs become events (`blobs`), which are
//! stored before their file is noted as taken: a crash between the two brings rows of the same ids again, which count once.

#![warn(clippy::arithmetic_side_effects)]

pub mod blobs;
pub mod file;
mod journal;
mod look;
mod spec;
mod split;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::events::Events;
use super::room::For;
use super::{Ingest, Refused, Reservation};
use crate::access::Caller;
use crate::frame::stack::bytes_of;
use crate::identity::ModelKey;
use crate::model::border::{self, Passed, Purpose, expected, pass};

use file::{Part, Reader};
use journal::{Journal, Record, State};
use look::{ASIDE, Found, MOST, Stamp};
pub use spec::{Holds, MOST_FOLDERS, Spec};

/// Files of one look; the next one follows at once where there are more.
const LOOK: usize = 1000;
/// Files of events that are stored together, and then noted as taken.
const TOGETHER: usize = 200;
/// A folder takes no more than this part of what may be in flight: senders wait for an answer, files do not.
const SHARE: u64 = 4;
/// While there is no room it is asked for again so often, and what cannot be stored is tried again after so long at most.
const ROOM: Duration = Duration::from_millis(200);
const RETRY: Duration = Duration::from_secs(10);
/// A folder that takes long to look into is looked into seldom: its pause is so many times as long.
const SELDOM: u32 = 4;

/// How a folder is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The folder.
    pub path: String,
    /// It can be read; `None` before the first look.
    pub up: Option<bool>,
    /// Files that were taken since the start.
    pub taken: u64,
    /// Files whose content had been taken before.
    pub repeated: u64,
    /// Files that cannot be read.
    pub bad: u64,
    /// Rows that were stored.
    pub rows: u64,
    /// Rows that were told to be wrong.
    pub rejected: u64,
    /// Files that wait to be taken.
    pub waiting: u64,
    /// Names that are nobody's here, at the last look.
    pub passed_over: u64,
    /// The file that is being taken.
    pub current: Option<String>,
    /// What it waits for, while it does.
    pub waits: Option<String>,
    /// Why the folder cannot be watched, or not all of it.
    pub error: Option<String>,
    /// What was wrong last with a file or a row.
    pub last_rejection: Option<String>,
}

/// What a folder needs of whoever runs it.
pub struct Setting {
    /// Where rows go.
    pub ingest: Ingest,
    /// Where events go.
    pub events: Arc<Events>,
    /// Where journals are kept.
    pub journals: PathBuf,
    /// The parts that the log has of files that a crash left half taken, by their marks.
    pub stored: Arc<BTreeSet<(String, ModelKey)>>,
    /// Waits; true where it is time to end.
    pub wait: Box<dyn Fn(Duration) -> bool + Send>,
    /// Ends once what was stored is as safe as senders were promised.
    pub kept: Box<dyn Fn() -> Result<(), Refused> + Send>,
    /// Is told how the folder is doing.
    pub tell: Box<dyn Fn(&Status) + Send>,
}

/// Where the journal of a folder lies.
#[must_use]
pub fn journal(journals: &Path, folder: &Path) -> PathBuf {
    let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    journals.join(format!("{}.journal", hex(&digest[..8])))
}

/// Whether a crash left a file of the folder half taken, so that only the log knows how far.
#[must_use]
pub fn is_unsettled(journals: &Path, folder: &Path) -> bool {
    let path = journal(journals, folder);
    path.exists() && Journal::open(&path).is_ok_and(|journal| journal.is_unsettled())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Why a file is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is time to end: it is taken up again with the next start.
    Stopped,
    /// It has changed meanwhile: it is looked at again.
    Changed,
    /// The disk fails, or the folder: all that is tried again.
    Later(String),
    /// It cannot be read.
    Bad(String),
}

/// What came of a part or of a file.
#[derive(Debug, Clone, Default)]
struct Came {
    rows: u64,
    rejected: u64,
    told: Option<String>,
}

impl Came {
    fn add(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.rejected = self.rejected.saturating_add(other.rejected);
        self.told = self.told.take().or(other.told);
    }
}

/// A folder that is watched.
pub struct Folder {
    spec: Spec,
    setting: Setting,
    journal: Option<Journal>,
    /// Files that are not known yet, as they were seen first, and since when.
    settling: BTreeMap<String, (Stamp, Duration)>,
    /// Files that were taken, and are not noted yet: those of events wait to be stored.
    unstored: Vec<(Found, Record)>,
    /// The part that was stored last, by its mark, of which models: the note behind it may have failed.
    last: (String, BTreeSet<ModelKey>),
    status: Status,
}

impl Folder {
    /// A folder that nobody has looked into yet.
    #[must_use]
    pub fn new(spec: Spec, setting: Setting) -> Self {
        let status = Status { path: spec.path.display().to_string(), ..Status::default() };
        let (settling, unstored, last) = Default::default();
        Self { spec, setting, journal: None, settling, unstored, last, status }
    }

    /// Looks again and again until it is time to end.
    pub fn run(mut self) {
        loop {
            let began = self.setting.ingest.clock.monotonic();
            let looked = catch_unwind(AssertUnwindSafe(|| self.look()));
            let pause = match looked {
                Ok(Ok(true)) => Duration::ZERO,
                Ok(Ok(false)) => {
                    let took = self.setting.ingest.clock.monotonic().saturating_sub(began);
                    self.spec.every.max(took.saturating_mul(SELDOM))
                }
                Ok(Err(Failure::Stopped)) => return,
                Ok(Err(Failure::Later(error) | Failure::Bad(error))) => {
                    self.down(error);
                    RETRY
                }
                Ok(Err(Failure::Changed)) => self.spec.every,
                Err(_) => {
                    self.panicked();
                    RETRY
                }
            };
            if (self.setting.wait)(pause) {
                return;
            }
        }
    }

    fn down(&mut self, error: String) {
        if self.status.error.as_ref() != Some(&error) {
            tracing::warn!(folder = self.status.path, error, "the folder cannot be watched: it is tried again");
        }
        (self.status.up, self.status.error, self.status.current) = (Some(false), Some(error), None);
        self.tell();
    }

    /// Our own bug with a file must not be met again and again.
    fn panicked(&mut self) {
        tracing::error!(folder = self.status.path, file = self.status.current, "this is a bug in plumbline");
        let Some(name) = self.status.current.take() else { return };
        let path = self.spec.path.join(&name);
        let Ok(meta) = fs::symlink_metadata(&path) else { return };
        let found = Found { name, stamp: Stamp::of(&meta) };
        let _ =
            self.set_aside(&found, String::new(), &Came::default(), "the agent panicked; this is a bug in plumbline");
    }

    fn tell(&self) {
        (self.setting.tell)(&self.status);
    }

    /// Looks once, and takes what is there. Whether there is more to be taken at once.
    fn look(&mut self) -> Result<bool, Failure> {
        if self.journal.is_none() {
            let path = journal(&self.setting.journals, &self.spec.path);
            self.journal = Some(Journal::open(&path).map_err(Failure::Later)?);
        }
        self.note_stored()?;
        let listing = look::list(&self.spec.path).map_err(|error| Failure::Later(error.to_string()))?;
        let names: BTreeSet<&str> = listing.files.iter().map(|found| found.name.as_str()).collect();
        let journal = self.journal()?;
        if !listing.more {
            journal.forget_all_but(&names).map_err(Failure::Later)?;
        }
        let now = self.setting.ingest.clock.monotonic();
        self.settling.retain(|name, _| names.contains(name.as_str()));
        let new: Vec<&Found> = listing.files.iter().filter(|found| self.is_new(found)).collect();
        (self.status.up, self.status.passed_over) = (Some(true), listing.passed_over);
        self.status.waiting = new.len() as u64;
        self.status.error = listing.more.then(|| {
            format!("there are more than {MOST} files, and the rest is not looked at; move away what has been taken")
        });
        let mut settled: Vec<Found> = new.into_iter().filter(|found| self.is_settled(found, now)).cloned().collect();
        let more = settled.len() > LOOK;
        settled.truncate(LOOK);
        self.tell();
        let taken = self.take_all(settled);
        // What was handed on is noted, whatever came behind it.
        let noted = self.note_stored();
        self.status.current = None;
        self.tell();
        taken.and(noted).map(|()| more)
    }

    fn take_all(&mut self, files: Vec<Found>) -> Result<(), Failure> {
        for found in files {
            if (self.setting.wait)(Duration::ZERO) {
                return Err(Failure::Stopped);
            }
            self.status.current = Some(found.name.clone());
            match self.take(&found) {
                Ok(()) => {}
                Err(Failure::Changed) => {
                    self.settling.remove(&found.name);
                    continue;
                }
                Err(Failure::Bad(error)) => {
                    self.set_aside(&found, String::new(), &Came::default(), &error)?;
                }
                Err(other) => return Err(other),
            }
            self.settling.remove(&found.name);
            self.status.waiting = self.status.waiting.saturating_sub(1);
            if self.unstored.len() >= TOGETHER {
                self.note_stored()?;
            }
            self.tell();
        }
        Ok(())
    }

    fn journal(&mut self) -> Result<&mut Journal, Failure> {
        self.journal.as_mut().ok_or_else(|| Failure::Later("its journal is not open".to_owned()))
    }

    /// Nothing is known of it as it is now, or it is half taken.
    fn is_new(&self, found: &Found) -> bool {
        let known = self.journal.as_ref().and_then(|journal| journal.record(&found.name));
        known.is_none_or(|record| !record.is_of(found.stamp) || record.state == State::Taking)
    }

    /// It has been as it is for long enough to be whole.
    fn is_settled(&mut self, found: &Found, now: Duration) -> bool {
        let seen = self.settling.entry(found.name.clone()).or_insert((found.stamp, now));
        if seen.0 != found.stamp {
            *seen = (found.stamp, now);
        }
        now.saturating_sub(seen.1) >= self.spec.settle
    }

    /// Takes a file, from where a crash left it.
    fn take(&mut self, found: &Found) -> Result<(), Failure> {
        let path = self.spec.path.join(&found.name);
        let sha256 = file::sha256(&path, found.stamp, &|| (self.setting.wait)(Duration::ZERO))?;
        self.journal()?.rename_half(&sha256, &found.name).map_err(Failure::Later)?;
        let known = self.journal()?.record(&found.name).cloned().filter(|record| record.sha256 == sha256);
        let record = |state, at, came: &Came| Record {
            sha256: sha256.clone(),
            size: found.stamp.size,
            modified: found.stamp.modified,
            state,
            at,
            rows: came.rows,
            rejected: came.rejected,
        };
        if self.journal()?.is_taken(&sha256) {
            // The same file, touched, is no repetition.
            let same = known.as_ref().is_some_and(|known| known.state == State::Taken);
            let state = if same { State::Taken } else { State::Repeated };
            if !same {
                self.status.repeated = self.status.repeated.saturating_add(1);
                tracing::info!(
                    folder = self.status.path,
                    file = found.name,
                    "its content was taken before: it is left"
                );
            }
            return self.journal()?.note(&found.name, record(state, 0, &Came::default())).map_err(Failure::Later);
        }
        let half = known.filter(|known| known.state == State::Taking);
        let mut at = half.as_ref().map_or(0, |half| half.at);
        let mut came =
            half.map_or_else(Came::default, |half| Came { rows: half.rows, rejected: half.rejected, told: None });
        let longest = usize::try_from(self.setting.ingest.config.max_body.as_u64()).unwrap_or(usize::MAX);
        let bad = |message: String, came: &Came| (message, came.clone());
        let mut taking = || -> Result<Result<(), (String, Came)>, Failure> {
            let mut reader = match Reader::open(&path, longest) {
                Ok(reader) => reader,
                Err(error) => return Ok(Err(bad(error, &came))),
            };
            loop {
                let part = match reader.next(at) {
                    Ok(Some(part)) => part,
                    Ok(None) => break,
                    Err(error) => return Ok(Err(bad(error, &came))),
                };
                at = part.at;
                if self.spec.holds != Holds::Events {
                    self.journal()?.note(&found.name, record(State::Taking, at, &came)).map_err(Failure::Later)?;
                }
                let next = part.next;
                match self.hand_on(&sha256, &part, found.stamp) {
                    Ok(of_it) => came.add(of_it),
                    Err(Failure::Bad(error)) => return Ok(Err(bad(error, &came))),
                    Err(other) => return Err(other),
                }
                at = next;
                self.tell();
            }
            if came.rows == 0 && came.rejected > 0 {
                let why = came.told.clone().unwrap_or_default();
                return Ok(Err(bad(
                    format!("none of its {} rows can be taken; the first: {why}", came.rejected),
                    &came,
                )));
            }
            file::is_still(&path, found.stamp)?;
            Ok(Ok(()))
        };
        match taking()? {
            Ok(()) => {
                if came.rejected > 0 {
                    self.status.last_rejection = came.told.as_ref().map(|told| format!("{}: {told}", found.name));
                }
                self.unstored.push((found.clone(), record(State::Taken, at, &came)));
                if self.spec.holds == Holds::Events { Ok(()) } else { self.note_stored() }
            }
            Err((error, came)) => self.set_aside(found, sha256, &came, &error),
        }
    }

    /// Notes files whose rows were handed on, once these are as safe as those of senders.
    fn note_stored(&mut self) -> Result<(), Failure> {
        if self.unstored.is_empty() {
            return Ok(());
        }
        if self.spec.holds == Holds::Events {
            self.setting.events.store(false);
        }
        (self.setting.kept)().map_err(|refused| Failure::Later(refused.to_string()))?;
        while let Some((found, record)) = self.unstored.pop() {
            let (rows, rejected) = (record.rows, record.rejected);
            if let Err(error) = self.journal()?.note(&found.name, record.clone()) {
                self.unstored.push((found, record));
                return Err(Failure::Later(error));
            }
            self.status.taken = self.status.taken.saturating_add(1);
            tracing::info!(folder = self.status.path, file = found.name, rows, rejected, "the file was taken");
        }
        Ok(())
    }

    /// Notes that a file cannot be read, and moves it aside with the error beside it.
    fn set_aside(&mut self, found: &Found, sha256: String, came: &Came, error: &str) -> Result<(), Failure> {
        let Stamp { size, modified } = found.stamp;
        let record =
            Record { sha256, size, modified, state: State::Bad, at: 0, rows: came.rows, rejected: came.rejected };
        self.journal()?.note(&found.name, record).map_err(Failure::Later)?;
        let before =
            if came.rows > 0 { format!(" ({} rows before that were taken)", came.rows) } else { String::new() };
        let told = format!("{}: {error}{before}", found.name);
        let moved = file::move_aside(&self.spec.path, &found.name, ASIDE, &format!("{error}{before}\n"));
        let told = match moved {
            Ok(()) => told,
            Err(why) => format!("{told}; it cannot be moved to {ASIDE}/ and stays where it is: {why}"),
        };
        tracing::warn!(folder = self.status.path, "{told}");
        self.status.bad = self.status.bad.saturating_add(1);
        self.status.last_rejection = Some(told);
        self.tell();
        Ok(())
    }

    fn hand_on(&mut self, sha256: &str, part: &Part, stamp: Stamp) -> Result<Came, Failure> {
        let came = if self.spec.holds == Holds::Events {
            self.events_of(part, stamp)?
        } else {
            self.rows_of(&format!("{sha256}@{}", part.at), part)?
        };
        self.status.rows = self.status.rows.saturating_add(came.rows);
        self.status.rejected = self.status.rejected.saturating_add(came.rejected);
        Ok(came)
    }

    /// Waits, and says for what.
    fn pause(&mut self, why: &str, pause: Duration) -> Result<(), Failure> {
        if self.status.waits.as_deref() != Some(why) {
            self.status.waits = Some(why.to_owned());
            self.tell();
        }
        if (self.setting.wait)(pause.clamp(ROOM, RETRY)) { Err(Failure::Stopped) } else { Ok(()) }
    }

    /// Waits until there is room beside what senders have in flight, and holds as much as the part takes.
    fn room(&mut self, bytes: u64) -> Result<Reservation, Failure> {
        let limit = self.setting.ingest.config.in_flight.as_u64().checked_div(SHARE).unwrap_or(0);
        while self.setting.ingest.in_flight.held() > limit {
            self.pause("too much is in flight (ingest.in_flight)", ROOM)?;
        }
        let mut reservation = Reservation::none(&self.setting.ingest.in_flight);
        reservation.become_size(bytes);
        Ok(reservation)
    }

    fn refused(&mut self, refused: &Refused) -> Result<(), Failure> {
        let pause = match refused {
            Refused::Busy { retry, .. } => *retry,
            Refused::NotStored(_) | Refused::Unusable(_) => RETRY,
            Refused::Changed => ROOM,
        };
        self.pause(&refused.to_string(), pause)
    }

    /// Stores the rows of a part, of each of its models.
    fn rows_of(&mut self, mark: &str, part: &Part) -> Result<Came, Failure> {
        let _held = self.room(part.bytes())?;
        if self.last.0 != mark {
            self.last = (mark.to_owned(), BTreeSet::new());
        }
        let mut done: BTreeSet<ModelKey> = BTreeSet::new();
        let mut came = Came::default();
        let mut told_wrong = false;
        // Another body may give a new column its kind meanwhile, and a model may have no room yet: then it is tried again.
        'again: loop {
            let sink = Arc::clone(&self.setting.ingest.sink);
            let only = self.spec.key();
            let known = match only.as_ref().map(|model| sink.describe(model)).transpose() {
                Ok(known) => known,
                Err(refused) => {
                    self.refused(&refused)?;
                    continue 'again;
                }
            };
            let kind = |field: &str| known.as_ref().and_then(|known| expected(field, &known.spec, &known.schema));
            let rows = part.rows(&kind).map_err(Failure::Bad)?;
            let (by_model, strays) =
                split::by_model(rows, only, self.spec.model_column.as_deref()).map_err(Failure::Bad)?;
            if !std::mem::replace(&mut told_wrong, true) {
                came.add(strays);
            }
            for (model, rows) in by_model {
                if done.contains(&model) {
                    continue;
                }
                let before = (mark.to_owned(), model.clone());
                let is_stored = self.last.1.contains(&model) || self.setting.stored.contains(&before);
                match self.store(&model, rows, mark, is_stored) {
                    Ok(of_it) => {
                        came.add(of_it);
                        self.last.1.insert(model.clone());
                        done.insert(model);
                    }
                    Err(refused) => {
                        self.refused(&refused)?;
                        continue 'again;
                    }
                }
            }
            self.status.waits = None;
            return Ok(came);
        }
    }

    fn store(
        &self,
        model: &ModelKey,
        rows: crate::frame::json::Rows,
        mark: &str,
        is_stored: bool,
    ) -> Result<Came, Refused> {
        let ingest = &self.setting.ingest;
        let purpose = if self.spec.holds == Holds::Labels { Purpose::Labels } else { Purpose::Samples };
        let known = ingest.sink.describe(model)?;
        let now = ingest.clock.now();
        let Passed { batch, rejected, errors, wrong_types, .. } =
            pass(rows, purpose, &known.spec, &known.schema, known.max_features, now);
        let mut came = Came { rejected, ..Came::default() };
        if rejected > 0
            && let Some(error) = errors.iter().find(|error| error.row.is_some()).or(errors.first())
        {
            came.told = Some(format!("{} {}", error.field.as_deref().unwrap_or("a row"), error.message));
        }
        if let Some(batch) = batch {
            came.rows = batch.record.num_rows() as u64;
            if !is_stored {
                let batch = batch.noted(border::PART, mark).map_err(Refused::NotStored)?;
                let mut reservation = ingest.in_flight.reserve(&For::model(model));
                reservation.become_size(bytes_of(&batch.record) as u64);
                ingest.sink.accept(model, purpose, batch, reservation)?;
            }
        }
        if purpose == Purpose::Samples && wrong_types.rows > 0 {
            ingest.sink.refused(model, &wrong_types);
        }
        Ok(came)
    }

    /// Hands the rows of KServe's log on as events.
    fn events_of(&mut self, part: &Part, stamp: Stamp) -> Result<Came, Failure> {
        let _held = self.room(part.bytes())?;
        let rows = part.rows(&blobs::expected).map_err(Failure::Bad)?;
        // The volume's clock may be ahead of ours.
        let now = self.setting.ingest.clock.now();
        let time = Timestamp::from_nanosecond(stamp.modified.into()).map_or(now, |time| time.min(now));
        let log = blobs::Log::of(&rows, time).map_err(Failure::Bad)?;
        let told = rows.errors.iter().find(|error| error.row.is_some()).map(|error| error.message.clone());
        let mut came = Came { rejected: rows.rejected, told, ..Came::default() };
        for arrived in log.events() {
            loop {
                let Err(reject) = self.setting.events.take(arrived.clone(), &Caller::Anybody) else {
                    came.rows = came.rows.saturating_add(1);
                    break;
                };
                let Some(retry) = reject.retry else {
                    came.add(Came { rejected: 1, told: Some(reject.message), ..Came::default() });
                    break;
                };
                self.pause(&reject.message, retry)?;
            }
        }
        self.status.waits = None;
        Ok(came)
    }
}
