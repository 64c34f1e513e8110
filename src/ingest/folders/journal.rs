//! What was taken from a folder, kept over restarts: a line of JSON for each step, the last one of a file counts. A line that a crash cut
//! short is none. A file's content is known by its SHA-256, whatever it is called and whenever it was touched.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::look::{MOST, Stamp};

/// Contents that were taken and are gone from the folder: so many are remembered.
const GONE: usize = MOST;
/// The journal is written anew when it has so many lines more than it needs.
const SLACK: usize = 10_000;

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its rows before `at` were stored; whether those from there on were is told by the log.
    Taking,
    /// All its rows were stored, or told to be wrong.
    Taken,
    /// Its content had been taken before.
    Repeated,
    /// It cannot be read.
    Bad,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The SHA-256 of its content, in hexadecimal digits; empty of one that could not be read.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds since the epoch.
    pub modified: u64,
    /// How far it has come.
    pub state: State,
    /// Where the part begins that is being taken.
    pub at: u64,
    /// Rows that were stored.
    pub rows: u64,
    /// Rows that were told to be wrong.
    pub rejected: u64,
}

impl Record {
    /// It is of the file as it is now.
    #[must_use]
    pub fn is_of(&self, stamp: Stamp) -> bool {
        (self.size, self.modified) == (stamp.size, stamp.modified)
    }
}

#[derive(Serialize, Deserialize)]
enum Line {
    #[serde(rename = "file")]
    File { name: String, record: Record },
    #[serde(rename = "gone")]
    Gone { name: String, sha256: Option<String> },
}

/// The journal of a folder.
pub struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
    records: BTreeMap<String, Record>,
    /// The oldest first.
    gone: VecDeque<String>,
    /// Contents that were taken.
    taken: HashSet<String>,
}

impl Journal {
    /// Reads what there is, and goes on behind it.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            lines: 0,
            records: BTreeMap::new(),
            gone: VecDeque::new(),
            taken: HashSet::new(),
        };
        for line in BufReader::new(File::open(path).map_err(failed)?).split(b'\n') {
            let line = line.map_err(failed)?;
            if let Ok(line) = serde_json::from_slice::<Line>(&line) {
                journal.apply(line);
                journal.lines = journal.lines.saturating_add(1);
            }
        }
        journal.shrink()?;
        Ok(journal)
    }

    /// What is known of the file of this name.
    #[must_use]
    pub fn record(&self, name: &str) -> Option<&Record> {
        self.records.get(name)
    }

    /// The content was taken before, under whatever name.
    #[must_use]
    pub fn is_taken(&self, sha256: &str) -> bool {
        self.taken.contains(sha256)
    }

    /// Whether a part of a file may have been stored or not: the log tells.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.records.values().any(|record| record.state == State::Taking)
    }

    /// Notes how far a file has come, and has the disk confirm it.
    ///
    /// # Errors
    /// It cannot be written: what is known is as before.
    pub fn note(&mut self, name: &str, record: Record) -> Result<(), String> {
        self.append(Line::File { name: name.to_owned(), record })?;
        self.shrink()
    }

    /// Forgets files that are no longer there; what was taken of them stays known for as long as there is room.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn forget_all_but(&mut self, there: &BTreeSet<&str>) -> Result<(), String> {
        // One that is half taken may come back under another name.
        let lost = self
            .records
            .iter()
            .filter(|(name, record)| record.state != State::Taking && !there.contains(name.as_str()));
        let lost: Vec<String> = lost.map(|(name, _)| name.clone()).collect();
        for name in lost {
            let taken = |record: &&Record| record.state == State::Taken;
            let sha256 = self.records.get(&name).filter(taken).map(|record| record.sha256.clone());
            self.append(Line::Gone { name, sha256 })?;
        }
        self.shrink()
    }

    /// A file of this content that is half taken under another name is called so from now on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn rename_half(&mut self, sha256: &str, name: &str) -> Result<(), String> {
        let half = |record: &Record| record.state == State::Taking && record.sha256 == sha256;
        let found = self.records.iter().find(|(known, record)| known.as_str() != name && half(record));
        let Some((known, record)) = found.map(|(known, record)| (known.clone(), record.clone())) else { return Ok(()) };
        self.append(Line::File { name: name.to_owned(), record })?;
        self.append(Line::Gone { name: known, sha256: None })
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::File { name, record } => {
                if record.state == State::Taken {
                    self.taken.insert(record.sha256.clone());
                }
                let before = self.records.insert(name, record);
                // Written anew, its content of before is remembered, too.
                if let Some(before) = before.filter(|before| before.state == State::Taken)
                    && !self.records.values().any(|record| record.sha256 == before.sha256)
                {
                    self.remember(before.sha256);
                }
            }
            Line::Gone { name, sha256 } => {
                self.records.remove(&name);
                if let Some(sha256) = sha256 {
                    self.taken.insert(sha256.clone());
                    self.remember(sha256);
                }
            }
        }
    }

    fn remember(&mut self, sha256: String) {
        self.gone.push_back(sha256);
        while self.gone.len() > GONE {
            let oldest = self.gone.pop_front().unwrap_or_default();
            let is_there = self.records.values().any(|record| record.sha256 == oldest) || self.gone.contains(&oldest);
            if !is_there {
                self.taken.remove(&oldest);
            }
        }
    }

    fn append(&mut self, line: Line) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        // A line that was cut short before ends here.
        let mut text = vec![b'\n'];
        serde_json::to_writer(&mut text, &line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(failed)?;
        self.lines = self.lines.saturating_add(1);
        self.apply(line);
        Ok(())
    }

    /// Writes the journal anew, aside, where it has grown far beyond what it says.
    fn shrink(&mut self) -> Result<(), String> {
        let needed = self.records.len().saturating_add(self.gone.len());
        if self.lines < needed.saturating_mul(2).saturating_add(SLACK) {
            return Ok(());
        }
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let aside = self.path.with_extension("new");
        let mut text = Vec::new();
        // A name of its own for each: they are no file's.
        let gone = self.gone.iter().map(|sha256| Line::Gone { name: String::new(), sha256: Some(sha256.clone()) });
        let records =
            self.records.iter().map(|(name, record)| Line::File { name: name.clone(), record: record.clone() });
        for line in gone.chain(records) {
            serde_json::to_writer(&mut text, &line).map_err(|error| failed(error.into()))?;
            text.push(b'\n');
        }
        let write = || {
            let mut file = File::create(&aside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&aside, &self.path)?;
            OpenOptions::new().append(true).open(&self.path)
        };
        self.file = write().map_err(failed)?;
        self.lines = needed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sha256: &str, state: State, at: u64) -> Record {
        Record { sha256: sha256.to_owned(), size: 1, modified: 2, state, at, rows: 3, rejected: 4 }
    }

    #[test]
    fn what_was_noted_is_known_after_a_restart_whatever_a_crash_left_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("folders/a.journal");
        let mut journal = Journal::open(&path).expect("opened");
        journal.note("a.csv", record("aa", State::Taking, 0)).expect("noted");
        journal.note("a.csv", record("aa", State::Taking, 7)).expect("noted");
        journal.note("b.csv", record("bb", State::Taken, 9)).expect("noted");
        journal.note("c.csv", record("", State::Bad, 0)).expect("noted");
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(b"{\"file\":{\"name\":\"d.csv\",\"rec").expect("cut short");
        let mut journal = Journal::open(&path).expect("opened");
        assert_eq!(journal.record("a.csv"), Some(&record("aa", State::Taking, 7)));
        assert!(journal.is_unsettled() && journal.is_taken("bb") && !journal.is_taken("aa") && !journal.is_taken(""));
        journal.note("d.csv", record("dd", State::Taken, 0)).expect("noted behind the broken line");
        let journal = Journal::open(&path).expect("opened");
        assert!(journal.is_taken("dd") && journal.record("d.csv").is_some());
    }

    #[test]
    fn what_is_gone_or_written_anew_stays_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.journal");
        let mut journal = Journal::open(&path).expect("opened");
        journal.note("a.csv", record("aa", State::Taken, 0)).expect("noted");
        journal.note("a.csv", record("a2", State::Taken, 0)).expect("noted");
        journal.note("b.csv", record("bb", State::Taken, 0)).expect("noted");
        journal.note("c.csv", record("cc", State::Taking, 0)).expect("noted");
        journal.forget_all_but(&["a.csv"].into()).expect("forgotten");
        for journal in [journal, Journal::open(&path).expect("opened")] {
            assert!(journal.record("b.csv").is_none() && journal.record("c.csv").is_some(), "it is half taken");
            assert!(["aa", "a2", "bb"].iter().all(|sha256| journal.is_taken(sha256)) && !journal.is_taken("cc"));
        }
    }

    #[test]
    fn what_is_half_taken_may_be_renamed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.journal");
        let mut journal = Journal::open(&path).expect("opened");
        journal.note("a.csv", record("aa", State::Taking, 7)).expect("noted");
        journal.rename_half("bb", "b.csv").expect("nothing to do");
        journal.rename_half("aa", "b.csv").expect("renamed");
        for journal in [journal, Journal::open(&path).expect("opened")] {
            assert_eq!(
                (journal.record("a.csv"), journal.record("b.csv")),
                (None, Some(&record("aa", State::Taking, 7)))
            );
        }
    }

    #[test]
    fn it_is_written_anew_when_it_has_grown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.journal");
        let mut journal = Journal::open(&path).expect("opened");
        journal.note("b.csv", record("bb", State::Taken, 0)).expect("noted");
        journal.forget_all_but(&BTreeSet::new()).expect("forgotten");
        // As if it had had as many lines.
        journal.lines = SLACK + 10;
        journal.note("a.csv", record("aa", State::Taken, 0)).expect("noted");
        assert_eq!(fs::read_to_string(&path).expect("read").lines().count(), 2);
        journal.note("a.csv", record("a2", State::Taken, 0)).expect("noted");
        let journal = Journal::open(&path).expect("opened");
        assert!(["aa", "a2", "bb"].iter().all(|sha256| journal.is_taken(sha256)));
    }
}
