//! Segments to files and back, whatever is lost, damaged, removed or too much.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringViewArray};
use bytesize::ByteSize;

use super::*;
use crate::store::log::Log;

/// The model that is told so: `m`, or `shop/m`.
fn key(told: &str) -> ModelKey {
    told.split_once('/').map_or_else(|| ModelKey::named(told), |(namespace, name)| ModelKey::within(namespace, name))
}

#[test]
fn two_models_of_one_name_lie_side_by_side() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    let of = |model, values: &[i64]| [(Kind::Samples, model, ints(values)), (Kind::Labels, model, ints(values))];
    let entries = [of("m", &[1]), of("ml/m", &[1, 2]), of("shop/m", &[1, 2, 3])].concat();
    samples.compact(&segment(&samples, &entries), NOTHING).expect("compacted");
    let all = [("m", 1), ("ml/m", 2), ("shop/m", 3)].map(|(model, rows)| (1, model.to_owned(), rows));
    assert_eq!((rows(&samples, Kind::Samples), rows(&samples, Kind::Labels)), (all.to_vec(), all.to_vec()));
    for (model, path) in [("m", "__HIVE_DEFAULT_PARTITION__"), ("ml/m", "ml"), ("shop/m", "shop")] {
        let path = format!("models/samples/node=node-1/model_namespace={path}/model=m/000000000001.parquet");
        let files = samples.compacted_of(Kind::Samples, &key(model)).expect("files");
        assert_eq!(files, [data.path().join(path)]);
        samples.keep_reference(&key(model), false, &frame_of(&ints(&[1])).expect("a frame")).expect("kept");
    }
    let logged = segment(&samples, &[of("m", &[4]), of("shop/m", &[4, 5])].concat());
    let mut found = Vec::new();
    let take = |rows: DataFrame| {
        found.push(rows.height());
        Ok(())
    };
    samples.logged((Kind::Samples, &key("shop/m")), None, take).expect("read");
    assert_eq!(found, [2], "of what the log has yet its own");
    fs::remove_file(logged.path).expect("removed");
    samples.remove(&key("ml/m")).expect("removed");
    let left = vec![all[0].clone(), all[2].clone()];
    assert_eq!((rows(&samples, Kind::Samples), rows(&samples, Kind::Labels)), (left.clone(), left));
    let references: Vec<_> = samples.references().expect("kept").iter().map(|kept| kept.model.to_string()).collect();
    assert_eq!(references, ["m", "shop/m"]);
}

#[test]
fn a_segment_becomes_a_file_for_each_model_and_kind_once() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    assert!(matches!(Samples::open(data.path(), "node-1"), Err(Error::Locked(_))));
    let mut log = Log::open(&samples.log_folder(), 1, 1).expect("a log");
    let ints = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1, 2])) as _)]).expect("a record");
    let mixed = RecordBatch::try_from_iter([
        ("a", Arc::new(Float64Array::from(vec![0.5])) as _),
        ("b", Arc::new(StringViewArray::from(vec!["x"])) as _),
    ])
    .expect("a record");
    log.append(Kind::Samples, &key("m"), &ints).expect("written");
    log.append(Kind::Samples, &key("m"), &mixed).expect("written");
    log.append(Kind::Labels, &key("m"), &ints).expect("written");
    log.append(Kind::Samples, &key("n"), &ints).expect("written");
    log.rotate().expect("rotated");
    let closed = log.closed().expect("segments");
    let copy = fs::read(&closed[0].path).expect("bytes");
    assert_eq!(samples.compact(&closed[0], NOTHING).expect("compacted"), 7);
    let files = samples.compacted(Kind::Samples).expect("files");
    assert_eq!(files.iter().map(|(n, m, _)| (*n, m.name.as_str())).collect::<Vec<_>>(), [(1, "m"), (1, "n")]);
    assert_eq!(read_parquet(&files[0].2).expect("a frame").shape(), (3, 2));
    // A crash before the segment was removed: it is compacted again, to the same files.
    fs::write(&closed[0].path, copy).expect("written");
    samples.remove_half_compacted().expect("removed");
    assert_eq!(samples.compacted(Kind::Samples).expect("files"), []);
    samples.compact(&closed[0], NOTHING).expect("compacted");
    assert_eq!(samples.compacted(Kind::Samples).expect("files"), files);
    let config = Config { max_bytes: ByteSize::b(1), ..Config::default() };
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    samples.retain(&config, now, |_| Some(Duration::ZERO)).expect("retained");
    assert_eq!(samples.compacted(Kind::Samples).expect("files"), []);
}

const NOTHING: Leave<'static> =
    Leave { removed: &BTreeMap::new(), repeated: &BTreeMap::new(), of_counts_alone: &BTreeSet::new() };

fn ints(values: &[i64]) -> RecordBatch {
    RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(values.to_vec())) as _)]).expect("a record")
}

/// Logs a batch in a segment of its own and makes Parquet of it.
fn store(samples: &Samples, values: &[i64]) {
    let next = samples.next_segment().expect("a number");
    let mut log = Log::open(&samples.log_folder(), next, 1).expect("a log");
    log.append(Kind::Samples, &key("m"), &ints(values)).expect("written");
    log.rotate().expect("rotated");
    samples.compact(log.closed().expect("segments").last().expect("one"), NOTHING).expect("compacted");
}

#[test]
fn a_log_that_was_removed_overwrites_nothing_that_is_stored() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    store(&samples, &[1, 2]);
    fs::remove_dir_all(samples.log_folder()).expect("removed");
    samples.remove_half_compacted().expect("nothing is half compacted");
    store(&samples, &[3]);
    let files = samples.compacted(Kind::Samples).expect("files");
    let rows: Vec<usize> = files.iter().map(|(_, _, path)| read_parquet(path).expect("a frame").height()).collect();
    assert_eq!(rows, [2, 1]);
    // Segments that were set aside count too.
    fs::write(samples.log_folder().join("000000000099.damaged"), "x").expect("written");
    assert_eq!(samples.next_segment().expect("a number"), 100);
}

#[test]
fn what_came_before_a_removal_is_not_stored() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    let mut log = Log::open(&samples.log_folder(), 1, 1).expect("a log");
    for (kind, model, values) in [
        (Kind::Samples, "m", &[1, 2][..]),
        (Kind::Samples, "n", &[3]),
        (Kind::Removal, "m", &[]),
        (Kind::Samples, "m", &[4]),
    ] {
        log.append(kind, &key(model), &ints(values)).expect("written");
    }
    log.rotate().expect("rotated");
    let removed = BTreeMap::from([(key("m"), 3)]);
    assert_eq!(
        samples
            .compact(
                &log.closed().expect("segments")[0],
                Leave { removed: &removed, repeated: &BTreeMap::new(), of_counts_alone: &BTreeSet::new() }
            )
            .expect("compacted"),
        2
    );
    samples.remove(&key("m")).expect("removed");
    samples.remove(&key("never-met")).expect("nothing to remove");
    let left = samples.compacted(Kind::Samples).expect("files");
    assert_eq!(left.iter().map(|(_, model, _)| model.name.as_str()).collect::<Vec<_>>(), ["n"]);
}

/// A file goes with its index, which counts among the bytes; what goes too early is counted.
#[test]
fn retention_takes_indexes_along_and_counts_what_labels_may_still_come_for() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    let mut log = Log::open(&samples.log_folder(), 1, 1).expect("a log");
    for (hour, rows) in [(0, 3), (10, 2), (20, 1)] {
        let at = arrow::array::TimestampMillisecondArray::from(vec![hour * 3_600_000; rows]).with_timezone("UTC");
        let ids = StringViewArray::from_iter_values((0..rows).map(|i| format!("{hour}-{i}")));
        let record = RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("timestamp", Arc::new(at) as _)]);
        log.append(Kind::Samples, &key("m"), &record.expect("a record")).expect("written");
        log.rotate().expect("rotated");
        samples.compact(&log.closed().expect("segments")[0], NOTHING).expect("compacted");
    }
    let files = samples.compacted_of(Kind::Samples, &key("m")).expect("files");
    let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
    let both: Vec<u64> = files.iter().map(|path| size(path) + size(&ids::beside(path))).collect();
    let head = size(&samples.log_folder().join("000000000004.log"));
    let retain = |max_bytes: u64| {
        let config = Config { max_bytes: ByteSize::b(max_bytes), ..Config::default() };
        let now = Timestamp::from_second(24 * 3600).expect("a time");
        samples.retain(&config, now, |_| Some(Duration::from_secs(14 * 3600))).expect("retained")
    };
    let all = head + both.iter().sum::<u64>();
    assert_eq!(retain(all), Retained { bytes: all, early: 0, unarchived: 0 });
    // The first is past the horizon, the second on its edge.
    let two = all - both[0];
    assert_eq!(retain(all - 1), Retained { bytes: two, early: 0, unarchived: 0 });
    assert_eq!(retain(two - 1), Retained { bytes: two - both[1], early: 2, unarchived: 0 });
    assert_eq!(files.iter().map(|path| ids::beside(path).exists()).collect::<Vec<_>>(), [false, false, true]);
    // A crash came between the removal of a file and that of its index.
    fs::remove_file(&files[2]).expect("removed");
    retain(all);
    assert!(!ids::beside(&files[2]).exists());
}

#[test]
fn what_was_set_aside_goes_when_it_is_too_old_or_too_much() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    fs::create_dir_all(samples.log_folder()).expect("a folder");
    let aside = samples.log_folder().join("000000000001.damaged");
    fs::write(&aside, vec![0; 1000]).expect("written");
    let now = Timestamp::try_from(fs::metadata(&aside).and_then(|m| m.modified()).expect("a time")).expect("a time");
    let later = now.checked_add(jiff::SignedDuration::from_hours(24)).expect("a time");
    let config = Config::default();
    let retain = |config: &Config| samples.retain(config, later, |_| Some(Duration::ZERO)).expect("retained").bytes;
    assert_eq!(retain(&config), 1000, "its bytes are told");
    let short = Config { retention: std::time::Duration::from_secs(3600), ..config };
    assert_eq!(retain(&short), 0);
    assert!(!aside.exists());
}

/// A closed segment with these entries.
fn segment(samples: &Samples, entries: &[(Kind, &str, RecordBatch)]) -> Segment {
    let mut log = Log::open(&samples.log_folder(), samples.next_segment().expect("a number"), 1).expect("a log");
    for (kind, model, record) in entries {
        log.append(*kind, &key(model), record).expect("written");
    }
    log.rotate().expect("rotated");
    log.closed().expect("segments").pop().expect("one")
}

fn rows(samples: &Samples, kind: Kind) -> Vec<(u64, String, usize)> {
    let files = samples.compacted(kind).expect("files").into_iter();
    files
        .map(|(number, model, path)| (number, model.to_string(), read_parquet(&path).expect("a frame").height()))
        .collect()
}

#[test]
fn a_folder_of_another_version_is_not_taken_and_what_is_half_written_goes() {
    let data = tempfile::tempdir().expect("a folder");
    let other = data.path().join("models/samples/model=m");
    fs::create_dir_all(&other).expect("made");
    assert!(matches!(Samples::open(data.path(), "node-1"), Err(Error::OtherVersion { .. })));
    fs::remove_dir(&other).expect("removed");
    let half = data.path().join("models/samples/node=node-1/model_namespace=ml/model=m/000000000001.tmp");
    fs::create_dir_all(half.parent().expect("a folder")).expect("made");
    fs::write(&half, "half").expect("written");
    Samples::open(data.path(), "node-1").expect("ours");
    assert!(!half.exists());
}

#[test]
fn rows_that_came_before_are_left_out_and_references_are_not_stored_twice() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    let closed = segment(
        &samples,
        &[
            (Kind::Samples, "m", ints(&[1, 2])),
            (Kind::Samples, "m", ints(&[3, 4])),
            (Kind::Reference, "m", ints(&[5])),
            (Kind::Removal, "n", ints(&[])),
        ],
    );
    // The second is of another entry: it says nothing of these rows.
    let repeated = BTreeMap::from([(1, vec![false, true]), (2, vec![false])]);
    let leave = Leave { removed: &BTreeMap::new(), repeated: &repeated, of_counts_alone: &BTreeSet::new() };
    assert_eq!(samples.compact(&closed, leave).expect("compacted"), 3);
    assert_eq!(rows(&samples, Kind::Samples), [(1, "m".to_owned(), 3)]);
    assert_eq!(rows(&samples, Kind::Reference), []);
    assert!(!closed.path.exists() && !closed.path.with_extension(log::DAMAGED).exists(), "all of it is stored");
}

#[test]
fn a_segment_that_cannot_be_read_or_joined_is_set_aside() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    // Two columns of one name, which the border lets nobody send.
    let column = || ("a", Arc::new(Int64Array::from(vec![2])) as _);
    let twice = RecordBatch::try_from_iter([column(), column()]).expect("a record");
    let mixed = segment(&samples, &[(Kind::Samples, "m", ints(&[1])), (Kind::Samples, "m", twice)]);
    assert_eq!(samples.compact(&mixed, NOTHING).expect("compacted"), 1);
    let cut = segment(&samples, &[(Kind::Samples, "m", ints(&[1])), (Kind::Samples, "m", ints(&[2]))]);
    let bytes = fs::read(&cut.path).expect("bytes");
    fs::write(&cut.path, &bytes[..bytes.len() - 1]).expect("written");
    assert_eq!(samples.compact(&cut, NOTHING).expect("compacted"), 1);
    for closed in [mixed, cut] {
        assert!(!closed.path.exists() && closed.path.with_extension(log::DAMAGED).exists(), "{closed:?}");
    }
}

#[test]
fn of_a_crash_only_that_segments_files_go_and_of_a_removal_all_of_the_model() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    let both = |model| [(Kind::Samples, model, ints(&[1])), (Kind::Labels, model, ints(&[2]))];
    samples.compact(&segment(&samples, &both("n")), NOTHING).expect("compacted");
    let closed = segment(&samples, &both("m"));
    let copy = fs::read(&closed.path).expect("bytes");
    samples.compact(&closed, NOTHING).expect("compacted");
    let number = closed.number;
    let all = [(1, "n".to_owned(), 1), (number, "m".to_owned(), 1)];
    assert_eq!((rows(&samples, Kind::Samples), rows(&samples, Kind::Labels)), (all.to_vec(), all.to_vec()));
    fs::write(&closed.path, copy).expect("written");
    samples.remove_half_compacted().expect("removed");
    assert_eq!((rows(&samples, Kind::Samples), rows(&samples, Kind::Labels)), (all[..1].to_vec(), all[..1].to_vec()));
    samples
        .keep_reference(
            &key("n"),
            false,
            &read_parquet(&samples.compacted(Kind::Labels).expect("files")[0].2).expect("a frame"),
        )
        .expect("kept");
    samples.remove(&key("n")).expect("removed");
    assert_eq!((rows(&samples, Kind::Samples), rows(&samples, Kind::Labels)), (vec![], vec![]));
    assert!(samples.references().expect("references").is_empty());
}

/// The bytes that are left.
fn retained(samples: &Samples, config: &Config) -> u64 {
    samples.retain(config, Timestamp::UNIX_EPOCH, |_| Some(Duration::ZERO)).expect("retained").bytes
}

#[test]
fn segments_of_labels_alone_and_of_other_nodes_count_too() {
    let data = tempfile::tempdir().expect("a folder");
    let other = Samples::open(data.path(), "other").expect("ours");
    other.compact(&segment(&other, &[(Kind::Labels, "m", ints(&[1]))]), NOTHING).expect("compacted");
    drop(other);
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    fs::remove_dir_all(samples.log_folder()).expect("removed");
    assert_eq!(samples.next_segment().expect("a number"), 2);
    let config = Config { max_bytes: ByteSize::b(1), ..Config::default() };
    assert_eq!(retained(&samples, &config), 0, "another node's goes, too");
}

#[test]
fn a_reference_takes_the_place_of_a_provisional_one_alone() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    let frame = frame_of(&ints(&[1, 2])).expect("a frame");
    let kept = || {
        let all = samples.references().expect("references").into_iter();
        let rows = |held| match held {
            Held::Rows(frame) => frame.height(),
            Held::Profile(text) => text.len(),
        };
        all.map(|kept| (kept.model.to_string(), kept.provisional, rows(kept.held.expect("it is read"))))
            .collect::<Vec<_>>()
    };
    samples.keep_reference(&key("m"), true, &frame).expect("kept");
    assert_eq!(kept(), [("m".to_owned(), true, 2)]);
    samples.keep_reference(&key("m"), false, &frame).expect("kept");
    assert_eq!(kept(), [("m".to_owned(), false, 2)]);
}

#[test]
fn a_profile_and_rows_take_the_place_of_each_other() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    let frame = frame_of(&ints(&[1, 2])).expect("a frame");
    let kept = || {
        let all = samples.references().expect("references").into_iter().map(|kept| kept.held.expect("it is read"));
        all.map(|held| if let Held::Profile(text) = held { text } else { String::new() }).collect::<Vec<_>>()
    };
    samples.keep_reference(&key("m"), true, &frame).expect("kept");
    samples.keep_profile(&key("m"), false, "a text").expect("kept");
    assert_eq!(kept(), ["a text"]);
    samples.keep_reference(&key("m"), false, &frame).expect("kept");
    assert_eq!(kept(), [""]);
    // A crash before the one before is removed leaves both: the later one counts.
    let rows = samples.of_model(Kind::Reference, &key("m")).join(reference_name(Form::Rows, false));
    let before = std::fs::read(&rows).expect("bytes");
    samples.keep_profile(&key("m"), false, "another").expect("kept");
    std::fs::write(&rows, before).expect("written");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::open(&rows).and_then(|file| file.set_modified(long_ago)).expect("it is old");
    assert_eq!(kept(), ["another"]);
}

#[test]
fn the_oldest_segments_go_first_and_the_log_counts() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    for model in ["z", "a", "m"] {
        samples.compact(&segment(&samples, &[(Kind::Samples, model, ints(&[1]))]), NOTHING).expect("compacted");
    }
    let models = || rows(&samples, Kind::Samples).into_iter().map(|(_, model, _)| model).collect::<String>();
    let hour = std::time::Duration::from_secs(3600);
    let bound = |max| Config { max_bytes: ByteSize::b(max), retention: hour, ..Config::default() };
    // Files from the future are not old.
    let all = retained(&samples, &bound(u64::MAX));
    assert_eq!(retained(&samples, &bound(all)), all);
    assert_eq!(models(), "zam");
    let logged: u64 = files_below(&samples.log_folder(), &["log"]).expect("files").iter().map(|file| file.bytes).sum();
    let left = retained(&samples, &bound(all - 1));
    assert_eq!(models(), "am");
    assert!(logged > 0 && left > logged);
    assert_eq!(retained(&samples, &bound(1)), logged, "the log is never taken");
}

#[test]
fn a_checkpoint_that_is_absent_is_none_and_a_damaged_one_is_told() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    assert_eq!(samples.read_checkpoint::<u64>(), (None, None));
    samples.write_checkpoint(&7_u64).expect("written");
    assert_eq!(samples.read_checkpoint::<u64>(), (Some(7), None));
    fs::write(data.path().join("models/checkpoint.json"), "{").expect("written");
    let (none, why) = samples.read_checkpoint::<u64>();
    assert!(none.is_none() && why.is_some_and(|why| why.contains("checkpoint.json")));
}

#[test]
fn columns_that_a_file_lacks_are_left_out() {
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    store(&samples, &[1, 2]);
    let path = samples.compacted(Kind::Samples).expect("files").remove(0).2;
    assert_eq!(read_columns(&path, &["a", "b"]).expect("a frame").shape(), (2, 1));
}

/// What an archive lacks stays beyond its age, and goes last for want of room, counted; what it has goes as ever.
#[test]
fn what_is_not_archived_stays_as_long_as_there_is_room() {
    use crate::store::archive::{mark, waiting};
    let data = tempfile::tempdir().expect("a folder");
    let samples = Samples::open(data.path(), "node-1").expect("ours");
    for model in ["a", "b", "c"] {
        let both = segment(&samples, &[(Kind::Samples, model, ints(&[1, 2])), (Kind::Labels, model, ints(&[1]))]);
        samples.compact(&both, NOTHING).expect("compacted");
    }
    let agent = samples.agent().expect("who it is");
    let waits = || waiting(data.path(), |_| true).expect("files");
    let names = || waits().into_iter().map(|file| file.name).collect::<Vec<_>>();
    let all = names();
    assert_eq!(all.len(), 6);
    assert!(
        all[0].starts_with("labels/node=node-1/")
            && all[0].ends_with(&format!("/model=a/{}-000000000001.parquet", &agent[..8])),
        "{all:?}"
    );
    assert!(all[1].starts_with("samples/node=node-1/") && all[5].contains("model=c"), "{all:?}");
    // The newest are there; the others are not.
    let files = waits();
    assert_eq!(waiting(data.path(), |model| model.name != "b").expect("files").len(), 4, "of b no row is to be kept");
    for file in &files[4..] {
        mark(file).expect("marked");
    }
    assert_eq!(names(), all[..4]);
    let written = std::fs::metadata(&files[0].path).and_then(|meta| meta.modified()).expect("a time");
    let now = Timestamp::try_from(written).expect("a time").checked_add(Duration::from_secs(7200)).expect("a time");
    let retained = |archive: Option<&str>, max| {
        let hour = std::time::Duration::from_secs(3600);
        let archive = archive.map(str::to_owned);
        let config = Config { max_bytes: ByteSize::b(max), retention: hour, archive, ..Config::default() };
        samples.retain(&config, now, |_| Some(Duration::ZERO)).expect("retained")
    };
    let to = Some("s3://bucket");
    let left = retained(to, u64::MAX);
    assert_eq!((left.unarchived, names().len()), (0, 4), "what is old and archived goes alone");
    assert!(files[4..].iter().all(|file| !file.path.exists() && !file.path.with_extension("archived").exists()));
    let less = retained(to, left.bytes - 1);
    let [labels, _, rest @ ..] = &all[..4] else { panic!("{all:?}") };
    let of_others = [std::slice::from_ref(labels), rest].concat();
    assert_eq!((less.unarchived, names()), (1, of_others), "the oldest samples go for want of room");
    // Of a file that went while it was sent no mark stays.
    mark(&files[1]).expect("nothing to mark");
    assert!(!files[1].path.with_extension("archived").exists());
    assert_eq!(retained(None, u64::MAX).unarchived, 0);
    assert!(names().is_empty(), "without an archive age is enough");
}
