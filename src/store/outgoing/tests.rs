//! Labels are handed out once, in order, whatever becomes of the segments meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, StringViewArray, TimestampMillisecondArray};

use super::*;
use crate::store::Samples;
use crate::store::log::Log;
use crate::store::samples::Leave;

fn times(at: i64, rows: usize) -> TimestampMillisecondArray {
    TimestampMillisecondArray::from(vec![at; rows]).with_timezone("UTC")
}

/// Labels that came at a time, from a client or from another agent.
fn labels(ids: &[&str], at: i64, forwarded: bool) -> RecordBatch {
    let mut columns: Vec<(&str, Arc<dyn Array>)> = vec![
        ("id", Arc::new(StringViewArray::from_iter_values(ids))),
        ("timestamp", Arc::new(times(7, ids.len()))),
        (ARRIVAL, Arc::new(times(at, ids.len()))),
        ("label", Arc::new(Int64Array::from(vec![1; ids.len()]))),
    ];
    if forwarded {
        columns.push((FORWARDED, Arc::new(BooleanArray::from(vec![true; ids.len()]))));
    }
    RecordBatch::try_from_iter(columns).expect("a record")
}

fn ids(read: &Labels) -> Vec<String> {
    let of = |(model, record): &(ModelKey, RecordBatch)| {
        let ids = record.column_by_name("id").expect("ids").as_string_view().clone();
        ids.iter().flatten().map(|id| format!("{model} {id}")).collect::<Vec<_>>()
    };
    read.batches.iter().flat_map(of).collect()
}

const EVER: fn(&ModelKey) -> i64 = |_| i64::MIN;

struct Stored {
    data: tempfile::TempDir,
    samples: Samples,
    log: Log,
    outgoing: Outgoing,
}

impl Stored {
    fn new() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let samples = Samples::open(data.path(), "n").expect("ours");
        let log = Log::open(&samples.log_folder(), 1, 1).expect("a log");
        let outgoing = Outgoing::new(data.path(), "n");
        Self { data, samples, log, outgoing }
    }

    fn append(&mut self, model: &str, record: &RecordBatch) {
        self.log.append(Kind::Labels, &ModelKey::named(model), record).expect("written");
    }

    fn samples(&mut self) {
        let rows = labels(&["a sample"], 0, false);
        self.log.append(Kind::Samples, &ModelKey::named("m"), &rows).expect("written");
    }

    fn compact(&mut self) {
        self.log.rotate().expect("rotated");
        for closed in self.log.closed().expect("segments") {
            let leave =
                Leave { removed: &BTreeMap::new(), repeated: &BTreeMap::new(), of_counts_alone: &BTreeSet::new() };
            self.samples.compact(&closed, leave).expect("compacted");
        }
    }

    fn read(&mut self, from: Position) -> Labels {
        self.outgoing.read(from, 1000, EVER).expect("readable")
    }
}

#[test]
fn labels_of_clients_are_handed_out_once_and_those_of_agents_never() {
    let mut stored = Stored::new();
    stored.samples();
    stored.append("m", &labels(&["1", "2"], 10, false));
    stored.append("m", &labels(&["3"], 10, true));
    stored.append("n", &labels(&["4"], 10, false));
    stored.append("m", &labels(&["5"], 10, false));
    let first = stored.read(Position::default());
    assert_eq!(ids(&first), ["m 1", "m 2", "m 5", "n 4"]);
    assert_eq!((first.rows, first.old, first.is_end, first.batches.len()), (4, 0, true, 2));
    assert_eq!(ids(&stored.read(first.to)), [""; 0], "nothing is new");
    // Once it is Parquet there is nothing new in it, either.
    stored.compact();
    let second = stored.read(first.to);
    assert_eq!((ids(&second), second.is_end), (vec![], true));
    stored.append("m", &labels(&["6"], 10, false));
    let third = stored.read(second.to);
    assert_eq!(ids(&third), ["m 6"]);
    // Who was away for all of it has all of it, in order.
    stored.compact();
    assert_eq!(ids(&stored.read(Position::default())), ["m 1", "m 2", "m 5", "m 6", "n 4"]);
    assert_eq!(stored.outgoing.stored_from(2).expect("counted"), 1);
    assert_eq!(stored.outgoing.stored_from(0).expect("counted"), 5, "the one of another agent is not owed");
}

#[test]
fn a_segment_that_became_parquet_half_read_is_handed_out_again() {
    let mut stored = Stored::new();
    for id in ["1", "2", "3"] {
        stored.append("m", &labels(&[id], 10, false));
    }
    let half = stored.outgoing.read(Position::default(), 2, EVER).expect("readable");
    assert_eq!((ids(&half), half.is_end), (vec!["m 1".to_owned(), "m 2".to_owned()], false));
    assert_eq!(ids(&stored.read(half.to)), ["m 3"], "as long as it is a log it goes on");
    stored.compact();
    assert_eq!(ids(&stored.read(half.to)), ["m 1", "m 2", "m 3"]);
}

#[test]
fn what_came_too_long_ago_is_counted_and_passed_over() {
    let mut stored = Stored::new();
    stored.append("m", &labels(&["1"], 10, false));
    stored.append("m", &labels(&["2"], 20, false));
    stored.append("n", &labels(&["3"], 10, false));
    for _ in 0..2 {
        let since = |model: &ModelKey| if model.name == "m" { 15 } else { 5 };
        let read = stored.outgoing.read(Position::default(), 1000, since).expect("readable");
        assert_eq!((ids(&read), read.rows, read.old), (vec!["m 2".to_owned(), "n 3".to_owned()], 2, 1));
        stored.compact();
    }
}

/// An entry of which half is written is none yet; a damaged one in a closed segment hides what is behind it there, and no more.
#[test]
fn an_entry_counts_when_it_is_whole() {
    use std::io::Write;
    let mut stored = Stored::new();
    stored.append("m", &labels(&["1"], 10, false));
    let first = stored.read(Position::default());
    let open = log::path(&stored.samples.log_folder(), 1);
    let whole = fs::read(&open).expect("bytes");
    stored.append("m", &labels(&["2"], 10, false));
    let both = fs::read(&open).expect("bytes");
    for cut in [whole.len() + 1, whole.len() + 12, both.len() - 1] {
        fs::write(&open, &both[..cut]).expect("written");
        let read = stored.read(first.to);
        assert_eq!((ids(&read), read.to), (vec![], first.to), "cut at {cut}");
    }
    fs::File::options()
        .append(true)
        .open(&open)
        .and_then(|mut file| file.write_all(&both[both.len() - 1..]))
        .expect("written");
    assert_eq!(ids(&stored.read(first.to)), ["m 2"]);
    let mut damaged = both.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 0xff;
    fs::write(&open, &damaged).expect("written");
    stored.log.rotate().expect("rotated");
    stored.append("m", &labels(&["3"], 10, false));
    assert_eq!(ids(&stored.read(Position::default())), ["m 1", "m 3"]);
}

#[test]
fn an_agent_has_a_name_of_its_own_and_keeps_it() {
    let (one, other) = (Stored::new(), Stored::new());
    let of_one = one.samples.agent().expect("a name");
    assert_eq!(one.samples.agent().expect("a name"), of_one);
    assert_ne!(other.samples.agent().expect("a name"), of_one);
    assert!(of_one.len() == 32 && of_one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(one.outgoing.cursors::<u64>().expect("none"), None);
    one.outgoing.keep_cursors(&7_u64).expect("kept");
    assert_eq!(one.outgoing.cursors::<u64>().expect("kept"), Some(7));
    assert!(one.outgoing.is_there() && one.data.path().join("models/forwarded.json").exists());
}
