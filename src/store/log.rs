//! The write-ahead log of what was accepted: a row is safe from a `kill -9` once its entry is written.
//!
//! `DATA/models/log/SEGMENT.log`: a head, then entries, each with its length and a checksum. A segment that a crash cut
//! short ends at its last whole entry. How safe an entry is besides is [`Durability`]'s.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::Deserialize;

use super::Error;
use crate::frame::stack::bytes_of;
use crate::identity::ModelKey;

const HEAD: &[u8; 8] = b"PLUMLOG2";
pub(super) const EXTENSION: &str = "log";
/// What a segment is called that could not be read to its end.
pub(super) const DAMAGED: &str = "damaged";
/// Length, checksum.
const FRAME: usize = 8;
/// An entry may be so long; one that says it is longer is damaged.
const MAX_ENTRY: u32 = 1 << 30;
/// A segment is closed when it is this large: it is held in memory, several times over, when it becomes Parquet.
const SEGMENT_BYTES: u64 = 16 << 20;

/// What has become of a row when its sender is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// It is on the disk: a power failure does not lose it.
    Fsync,
    /// The system has it: a `kill -9` does not lose it, a power failure may.
    #[default]
    Os,
    /// The agent has it, and gives it to the system within a second: a `kill -9` may lose that.
    Memory,
}

/// So much waits in the agent at most, in bytes, where entries are not written at once.
const WAITS: usize = 1 << 20;

/// What an entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Samples.
    Samples,
    /// Labels.
    Labels,
    /// A reference's rows.
    Reference,
    /// The model is removed with all that came before; the batch is empty.
    Removal,
    /// A reference's profile: the batch has its text.
    Profile,
}

impl Kind {
    const ALL: [(Self, u8); 5] =
        [(Self::Samples, 1), (Self::Labels, 2), (Self::Reference, 3), (Self::Removal, 4), (Self::Profile, 5)];

    fn code(self) -> u8 {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or(0, |(_, code)| code)
    }

    fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == code).map(|(kind, _)| kind)
    }
}

/// One batch that was accepted.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Grows by one with each entry, over restarts too.
    pub sequence: u64,
    /// What it holds.
    pub kind: Kind,
    /// Whose it is.
    pub model: ModelKey,
    /// The rows.
    pub record: RecordBatch,
}

impl Entry {
    /// What was noted beside its rows under this name.
    #[must_use]
    pub fn note(&self, name: &str) -> Option<&str> {
        self.record.schema_ref().metadata().get(name).map(String::as_str)
    }
}

/// The open end of the log.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    file: File,
    segment: u64,
    bytes: u64,
    next: u64,
    durability: Durability,
    /// Closed segments that the disk has not confirmed, where senders wait for that.
    unsynced: Vec<Handle>,
    /// The disk failed, and there is no other segment.
    failed: bool,
    /// Entries that are not written yet.
    waiting: Vec<u8>,
    /// The last entry of each segment that this log has closed.
    lasts: BTreeMap<u64, u64>,
}

/// A second hold on a segment's file.
#[derive(Debug)]
pub struct Handle {
    file: File,
    path: PathBuf,
}

/// All that the disk has not confirmed.
#[derive(Debug)]
pub struct Unsynced(Vec<Handle>);

impl Unsynced {
    /// Has the disk confirm it. The system tells of a failure once: who is told must not ask again for the same rows.
    ///
    /// # Errors
    /// The disk failed, with any of it.
    pub fn sync(&self) -> Result<(), Error> {
        let mut came = Ok(());
        for handle in &self.0 {
            let one = handle.sync();
            came = came.and(one);
        }
        came
    }
}

impl Handle {
    /// Writes what the system still holds to the disk.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::io(&self.path))
    }
}

/// A segment that is written no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// Where it lies.
    pub path: PathBuf,
}

impl Log {
    /// Begins a new segment, number `segment` or behind those that are there. `next` is the number of its first entry.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn open(folder: &Path, segment: u64, next: u64) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        // A folder whose name a power failure forgets takes its segments along: those that may be new here.
        for above in folder.ancestors().skip(1).take(3).filter(|above| !above.as_os_str().is_empty()) {
            File::open(above).and_then(|above| above.sync_all()).map_err(Error::io(above))?;
        }
        let segment = segments(folder)?.last().map_or(1, |last| last.number.saturating_add(1)).max(segment);
        let file = begin(folder, segment)?;
        let (bytes, durability) = (HEAD.len() as u64, Durability::default());
        let (folder, unsynced, waiting, lasts) = (folder.to_owned(), Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Self { folder, file, segment, bytes, next, durability, unsynced, failed: false, waiting, lasts })
    }

    /// The same, as durable as this.
    #[must_use]
    pub fn with(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The number of the last entry.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// Gives the system what waits in the agent.
    ///
    /// # Errors
    /// The disk failed; it waits on.
    pub fn write_out(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let written = self.write(&waiting);
        if written.is_err() {
            self.waiting = waiting;
        }
        written
    }

    fn write(&mut self, entries: &[u8]) -> Result<(), Error> {
        let path = path(&self.folder, self.segment);
        if let Err(error) = self.file.write_all(entries) {
            // Half an entry must not stand before the next.
            let undone = self.file.set_len(self.bytes).and_then(|()| self.file.seek(SeekFrom::End(0)));
            if undone.is_err() {
                let _ = self.begin_next();
            }
            return Err(Error::io(path)(error));
        }
        self.bytes = self.bytes.saturating_add(entries.len() as u64);
        Ok(())
    }

    /// Writes an entry. Returns its number.
    ///
    /// # Errors
    /// The disk failed; the log is as it was before.
    pub fn append(&mut self, kind: Kind, model: &ModelKey, record: &RecordBatch) -> Result<u64, Error> {
        let entry = encode(self.next, kind, model, record)?;
        if self.durability == Durability::Memory {
            if self.waiting.len() >= WAITS {
                self.write_out()?;
            }
            self.waiting.extend_from_slice(&entry);
        } else {
            self.write(&entry)?;
        }
        let written = self.next;
        self.next = written.saturating_add(1);
        if self.bytes >= SEGMENT_BYTES {
            // The entry is written; a segment that cannot be closed now grows on, and is tried again with the next.
            let _ = self.rotate();
        }
        Ok(written)
    }

    /// The last entry of a segment that this log has closed.
    #[must_use]
    pub fn last_of(&self, segment: u64) -> Option<u64> {
        self.lasts.get(&segment).copied()
    }

    /// The open segment still lies where it was begun.
    #[must_use]
    pub fn is_there(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let inode = |meta: std::io::Result<fs::Metadata>| meta.ok().map(|meta| (meta.dev(), meta.ino()));
        inode(self.file.metadata()) == inode(fs::metadata(path(&self.folder, self.segment)))
    }

    /// The open segment holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes <= HEAD.len() as u64 && self.waiting.is_empty()
    }

    /// The open segment's file, to be flushed while the log goes on.
    ///
    /// # Errors
    /// There is no second handle to be had.
    pub fn handle(&self) -> Result<Handle, Error> {
        let path = path(&self.folder, self.segment);
        let file = self.file.try_clone().map_err(Error::io(&path))?;
        Ok(Handle { file, path })
    }

    /// All that the disk has not confirmed: what is closed is given away, and is the caller's to confirm.
    ///
    /// # Errors
    /// There is no second handle to be had.
    pub fn unsynced(&mut self) -> Result<Unsynced, Error> {
        if self.failed {
            let path = path(&self.folder, self.segment);
            return Err(Error::io(path)(std::io::Error::other("an earlier write failed")));
        }
        let open = self.handle()?;
        let mut all = std::mem::take(&mut self.unsynced);
        all.push(open);
        Ok(Unsynced(all))
    }

    /// Gives up what the disk failed to confirm, and begins the next segment: of a file that failed once the system says later that all is
    /// well, and what stands behind a broken entry is not read. Returns the last entry that is lost. Where no other segment can be begun, the
    /// disk's next confirmation is asked of the same file in vain.
    pub fn give_up(&mut self) -> u64 {
        self.failed = self.begin_next().is_err();
        self.unsynced.clear();
        self.last()
    }

    /// Closes the open segment, and begins the next.
    ///
    /// # Errors
    /// The disk failed; the segment stays open.
    pub fn rotate(&mut self) -> Result<(), Error> {
        self.write_out()?;
        self.begin_next()
    }

    fn begin_next(&mut self) -> Result<(), Error> {
        let next = self.segment.saturating_add(1);
        let begun = begin(&self.folder, next)?;
        let (file, path) = (std::mem::replace(&mut self.file, begun), path(&self.folder, self.segment));
        if self.durability == Durability::Fsync {
            self.unsynced.push(Handle { file, path });
        }
        self.lasts.insert(self.segment, self.next.saturating_sub(1));
        self.segment = next;
        self.bytes = HEAD.len() as u64;
        Ok(())
    }

    /// The segments that are closed, oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn closed(&self) -> Result<Vec<Segment>, Error> {
        let mut all = segments(&self.folder)?;
        all.retain(|segment| segment.number < self.segment);
        Ok(all)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.write_out() {
            tracing::error!(%error, "accepted rows could not be written before the end");
        }
    }
}

fn begin(folder: &Path, segment: u64) -> Result<File, Error> {
    let path = path(folder, segment);
    let file = OpenOptions::new().create_new(true).append(true).open(&path);
    let mut file = file.map_err(Error::io(&path))?;
    // A segment whose name a power failure forgets takes its rows along.
    let begun = file.write_all(HEAD).and_then(|()| File::open(folder)?.sync_all());
    if let Err(error) = begun {
        // It would stand in the way of the next try.
        let _ = fs::remove_file(&path);
        return Err(Error::io(path)(error));
    }
    Ok(file)
}

pub(super) fn path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:012}.{EXTENSION}"))
}

fn encode(sequence: u64, kind: Kind, model: &ModelKey, record: &RecordBatch) -> Result<Vec<u8>, Error> {
    let broken = |error: arrow::error::ArrowError| Error::Record(error.to_string());
    let mut entry = Vec::with_capacity(bytes_of(record).saturating_add(4096));
    entry.extend_from_slice(&[0; FRAME]);
    entry.extend_from_slice(&sequence.to_le_bytes());
    entry.push(kind.code());
    for part in [model.namespace.as_deref().unwrap_or_default(), &model.name] {
        entry.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        entry.extend_from_slice(&part.as_bytes()[..part.len().min(usize::from(u8::MAX))]);
    }
    let mut writer = StreamWriter::try_new(entry, &record.schema()).map_err(broken)?;
    writer.write(record).map_err(broken)?;
    writer.finish().map_err(broken)?;
    let mut entry = writer.into_inner().map_err(broken)?;
    let length = u32::try_from(entry.len().saturating_sub(FRAME)).ok().filter(|length| *length <= MAX_ENTRY);
    let length = length.ok_or_else(|| Error::Record("a batch is larger than 1 GiB".to_owned()))?;
    let checksum = crc32fast::hash(&entry[FRAME..]);
    entry[..4].copy_from_slice(&length.to_le_bytes());
    entry[4..8].copy_from_slice(&checksum.to_le_bytes());
    Ok(entry)
}

fn decode(bytes: &[u8]) -> Option<Entry> {
    let (sequence, rest) = bytes.split_at_checked(8)?;
    let (code, rest) = rest.split_first()?;
    let (namespace, rest) = text(rest)?;
    let (name, payload) = text(rest)?;
    let record = StreamReader::try_new(Cursor::new(payload), None).ok()?.next()?.ok()?;
    Some(Entry {
        sequence: u64::from_le_bytes(sequence.try_into().ok()?),
        kind: Kind::of(*code)?,
        model: ModelKey { namespace: Some(namespace).filter(|namespace| !namespace.is_empty()), name },
        record,
    })
}

/// A text behind its length, and what follows.
fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest))
}

/// A segment that another version of plumbline wrote.
pub(super) fn is_of_other_version(path: &Path) -> bool {
    let mut head = [0; HEAD.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    let (ours, theirs) = (HEAD.split_last(), head.split_last());
    read.is_ok() && ours.zip(theirs).is_some_and(|(ours, theirs)| ours.1 == theirs.1 && ours.0 != theirs.0)
}

/// The segments in a folder, oldest first. An absent folder has none.
///
/// # Errors
/// The folder cannot be read.
pub fn segments(folder: &Path) -> Result<Vec<Segment>, Error> {
    let mut found: Vec<Segment> = super::files::files_below(folder, &[EXTENSION])?
        .into_iter()
        .filter_map(|file| {
            let number = file.path.file_stem()?.to_str()?.parse().ok()?;
            Some(Segment { number, path: file.path })
        })
        .collect();
    found.sort_by_key(|segment| segment.number);
    Ok(found)
}

/// How reading a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At its end.
    Whole,
    /// At an entry that was cut short or is damaged, with so many bytes left.
    Broken(u64),
}

/// Reads a segment's entries in order.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, mut take: impl FnMut(Entry)) -> Result<End, Error> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut left = file.metadata().map_err(Error::io(path))?.len();
    let mut head = [0; HEAD.len()];
    if left < HEAD.len() as u64 || file.read_exact(&mut head).is_err() || &head != HEAD {
        return Ok(if left == 0 { End::Whole } else { End::Broken(left) });
    }
    left = left.saturating_sub(HEAD.len() as u64);
    while left > 0 {
        let mut frame = [0; FRAME];
        if left < FRAME as u64 || file.read_exact(&mut frame).is_err() {
            return Ok(End::Broken(left));
        }
        let [l0, l1, l2, l3, c0, c1, c2, c3] = frame;
        let (length, checksum) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([c0, c1, c2, c3]));
        if u64::from(length) > left.saturating_sub(FRAME as u64) || length > MAX_ENTRY {
            return Ok(End::Broken(left));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        if file.read_exact(&mut bytes).is_err() || crc32fast::hash(&bytes) != checksum {
            return Ok(End::Broken(left));
        }
        let Some(entry) = decode(&bytes) else { return Ok(End::Broken(left)) };
        take(entry);
        left = left.saturating_sub(u64::from(length).saturating_add(FRAME as u64));
    }
    Ok(End::Whole)
}

/// Hands out the entries of a kind that end behind this byte, in order, until `take` has enough; others are passed over unread. Of a
/// segment that is being written these are the entries that stand there whole. Returns the byte behind the last one.
///
/// # Errors
/// The file cannot be read.
pub fn read_behind(
    path: &Path,
    from: u64,
    kind: Kind,
    mut take: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<u64, Error> {
    /// The sequence and the kind.
    const BEGINNING: usize = 9;
    let failed = Error::io(path);
    let mut at = from.max(HEAD.len() as u64);
    let mut read = || -> std::io::Result<()> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut head = [0; HEAD.len()];
        if length < HEAD.len() as u64 || file.read_exact(&mut head).is_err() || &head != HEAD {
            return Ok(());
        }
        while at.saturating_add((FRAME + BEGINNING) as u64) <= length {
            let mut start = [0; FRAME + BEGINNING];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut start)?;
            let [l0, l1, l2, l3, c0, c1, c2, c3, .., code] = start;
            let (bytes, checksum) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([c0, c1, c2, c3]));
            let behind = at.saturating_add(FRAME as u64).saturating_add(u64::from(bytes));
            if behind > length || bytes > MAX_ENTRY || (bytes as usize) < BEGINNING {
                return Ok(());
            }
            let mut enough = ControlFlow::Continue(());
            if code == kind.code() {
                let mut entry = vec![0; bytes as usize];
                file.seek(SeekFrom::Start(at.saturating_add(FRAME as u64)))?;
                file.read_exact(&mut entry)?;
                let whole = Some(&entry).filter(|entry| crc32fast::hash(entry) == checksum);
                let Some(entry) = whole.and_then(|entry| decode(entry)) else { return Ok(()) };
                enough = take(entry);
            }
            at = behind;
            if enough.is_break() {
                return Ok(());
            }
        }
        Ok(())
    };
    read().map_err(failed)?;
    Ok(at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    fn key(name: &str) -> ModelKey {
        ModelKey::named(name)
    }

    fn record(values: &[i64]) -> RecordBatch {
        let texts = StringViewArray::from_iter_values(values.iter().map(|v| format!("a text that is not inline: {v}")));
        RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(values.to_vec())) as _),
            ("t", Arc::new(texts) as _),
        ])
        .expect("a record")
    }

    fn entries(path: &Path) -> (Vec<(u64, Kind, String, usize)>, End) {
        let mut found = Vec::new();
        let end = read(path, |e| found.push((e.sequence, e.kind, e.model.to_string(), e.record.num_rows())))
            .expect("readable");
        (found, end)
    }

    #[test]
    fn what_was_written_is_read_again_and_numbers_go_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = Log::open(folder.path(), 1, 7).expect("a log");
        assert_eq!(log.append(Kind::Samples, &key("m"), &record(&[1, 2])).expect("written"), 7);
        log.rotate().expect("rotated");
        assert_eq!(log.append(Kind::Labels, &ModelKey::within("shop", "m"), &record(&[3])).expect("written"), 8);
        let all = segments(folder.path()).expect("segments");
        assert_eq!(log.closed().expect("segments"), all[..1]);
        assert_eq!(entries(&all[0].path), (vec![(7, Kind::Samples, "m".to_owned(), 2)], End::Whole));
        assert_eq!(entries(&all[1].path), (vec![(8, Kind::Labels, "shop/m".to_owned(), 1)], End::Whole));
        let mut read_back = None;
        read(&all[0].path, |entry| read_back = Some(entry.record)).expect("readable");
        assert_eq!(read_back, Some(record(&[1, 2])));
    }

    #[test]
    fn a_segment_cut_anywhere_gives_its_whole_entries() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = Log::open(folder.path(), 1, 1).expect("a log");
        log.append(Kind::Samples, &key("m"), &record(&[1])).expect("written");
        let first = log.bytes;
        log.append(Kind::Samples, &key("m"), &record(&[2])).expect("written");
        let path = segments(folder.path()).expect("segments")[0].path.clone();
        let whole = fs::read(&path).expect("bytes");
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).expect("written");
            let (found, end) = entries(&path);
            assert_eq!(found.len(), usize::from(cut as u64 >= first), "cut at {cut}");
            let at_an_end = cut == 0 || cut == HEAD.len() || cut as u64 == first;
            assert_eq!(end == End::Whole, at_an_end, "cut at {cut}");
        }
        for at in (HEAD.len()..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            fs::write(&path, &damaged).expect("written");
            assert!(entries(&path).0.len() < 2, "damage at {at}");
        }
    }

    #[test]
    fn a_log_begins_behind_every_segment_and_tells_what_each_closed_one_ends_with() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Log::open(folder.path(), 3, 1).expect("a log"));
        let mut log = Log::open(folder.path(), 1, 7).expect("a log");
        assert_eq!((log.segment, log.is_empty()), (4, true));
        log.append(Kind::Samples, &key("m"), &record(&[1])).expect("written");
        log.append(Kind::Samples, &key("m"), &record(&[2])).expect("written");
        assert!(!log.is_empty());
        log.rotate().expect("rotated");
        assert_eq!((log.last_of(3), log.last_of(4), log.last_of(5)), (None, Some(8), None));
        assert!(log.is_empty() && log.is_there());
        fs::remove_file(path(folder.path(), 5)).expect("removed");
        fs::write(path(folder.path(), 5), HEAD).expect("written");
        assert!(!log.is_there(), "another file stands in its place");
    }

    #[test]
    fn a_segment_is_closed_when_it_is_large() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = Log::open(folder.path(), 1, 1).expect("a log");
        log.bytes = SEGMENT_BYTES - 1;
        log.append(Kind::Samples, &key("m"), &record(&[1])).expect("written");
        assert_eq!((log.segment, log.is_empty(), log.last_of(1)), (2, true, Some(1)));
    }

    #[test]
    fn a_segment_that_takes_no_more_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = Log::open(folder.path(), 1, 1).expect("a log");
        log.file = File::open(path(folder.path(), 1)).expect("for reading alone");
        log.append(Kind::Samples, &key("m"), &record(&[1])).expect_err("it cannot be written");
        assert_eq!(log.append(Kind::Samples, &key("m"), &record(&[1])).expect("written to the next"), 1);
        assert_eq!(entries(&path(folder.path(), 2)), (vec![(1, Kind::Samples, "m".to_owned(), 1)], End::Whole));
    }

    #[test]
    fn what_is_no_log_gives_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = Log::open(folder.path(), 1, 1).expect("a log");
        log.append(Kind::Samples, &key("m"), &record(&[1])).expect("written");
        let path = path(folder.path(), 1);
        let mut bytes = fs::read(&path).expect("bytes");
        bytes[0] ^= 1;
        fs::write(&path, &bytes).expect("written");
        assert_eq!(entries(&path), (vec![], End::Broken(bytes.len() as u64)));
    }
}
