//! Minutes in, hours of files out, whatever becomes of the disk and the folder.

use super::*;
use crate::frame::RowIdentity;
use crate::minute::Summary;
use crate::signal::container::Container;
use crate::signal::gpu::Gpu;

const NODE: &str = "node-1";

fn row(minute: &str, container: &str) -> MinuteRow {
    MinuteRow {
        minute: minute.parse().expect("a time"),
        identity: RowIdentity { container_id: container.to_owned(), ..RowIdentity::default() },
        summary: Summary::of::<Container>(60, []),
    }
}

fn rows_of(path: &Path) -> usize {
    ParquetReader::new(File::open(path).expect("the file")).finish().expect("parquet").height()
}

fn open(data: &Path) -> History {
    let mut history = History::new(data, NODE, Config::default());
    history.open().expect("a history");
    history
}

#[test]
fn minutes_gather_in_their_hour_across_restarts() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut history = open(dir.path());
    let (appended, result) = history.append(vec![row("2026-11-23T13:58:00Z", "a"), row("2026-11-23T13:58:00Z", "b")]);
    result.expect("written");
    assert_eq!(appended, Appended { written: 2, ..Appended::default() });
    drop(history);
    let mut history = open(dir.path());
    history.append(vec![row("2026-11-23T13:59:00Z", "a"), row("2026-11-23T14:00:00Z", "a")]).1.expect("written");
    let date = dir.path().join("container_minute/version=2/node=node-1/date=2026-11-23");
    assert_eq!(rows_of(&date.join("hour=13/minutes.parquet")), 3);
    assert_eq!(rows_of(&date.join("hour=14/minutes.parquet")), 1);
}

#[test]
fn a_second_agent_is_turned_away() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let _first = open(dir.path());
    let mut second = History::new(dir.path(), NODE, Config::default());
    assert!(matches!(second.open(), Err(Error::Locked(_))));
    let (appended, result) = second.append(vec![row("2026-11-23T13:58:00Z", "a")]);
    assert!(result.is_err());
    assert_eq!(appended.pending, 1, "its rows wait for the folder to be free");
}

#[test]
fn a_folder_that_was_removed_is_taken_anew() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let data = dir.path().join("data");
    let mut first = open(&data);
    fs::remove_dir_all(&data).expect("removed");
    let second = open(&data);
    assert!(first.append(vec![row("2026-11-23T13:58:00Z", "a")]).1.is_err(), "it is another's now");
    drop(second);
    first.append(Vec::new()).1.expect("written");
}

#[test]
fn a_damaged_hour_is_set_aside_and_a_half_written_one_removed() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let hour = dir.path().join("container_minute/version=2/node=node-1/date=2026-11-23/hour=13");
    fs::create_dir_all(&hour).expect("folder");
    fs::write(hour.join("minutes.parquet"), "no parquet").expect("file");
    fs::write(hour.join("minutes.tmp"), "half").expect("file");
    let mut history = open(dir.path());
    history.append(vec![row("2026-11-23T13:58:00Z", "a")]).1.expect("written");
    assert_eq!(rows_of(&hour.join("minutes.parquet")), 1);
    assert_eq!(fs::read(hour.join("minutes.damaged")).expect("kept"), b"no parquet");
    assert!(!hour.join("minutes.tmp").exists());
}

#[test]
fn rows_wait_for_a_disk_that_fails() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut history = open(dir.path());
    // A file where the hour's folder should be: refused even to root.
    let date = dir.path().join("container_minute/version=2/node=node-1/date=2026-11-23");
    fs::write(&date, "in the way").expect("file");
    let (appended, result) = history.append(vec![row("2026-11-23T13:58:00Z", "a")]);
    assert!(result.is_err());
    assert_eq!(appended, Appended { pending: 1, ..Appended::default() });
    fs::remove_file(&date).expect("removed");
    let (appended, result) = history.append(Vec::new());
    result.expect("written");
    assert_eq!(appended, Appended { written: 1, ..Appended::default() });
}

#[test]
fn retention_takes_the_oldest_and_never_the_newest() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut history = open(dir.path());
    for hour in ["2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"] {
        history.append(vec![row(hour, "a")]).1.expect("written");
    }
    let now = "2026-11-23T01:00:00Z".parse().expect("a time");
    let week = Duration::from_secs(7 * 24 * 3600);
    history.configure(Config { retention: week, ..Config::default() });
    assert_eq!(history.retain(now).expect("retained").len(), 2);
    assert!(
        !dir.path().join("container_minute/version=2/node=node-1/date=2026-11-01").exists(),
        "empty folders go too"
    );
    history.configure(Config { retention: week, max_bytes: ByteSize::b(1) });
    let kept = history.retain(now).expect("retained");
    assert_eq!(kept.len(), 1);
    assert!(kept[0].path.to_string_lossy().contains("2026-11-23"));
}

fn gpu(minute: &str) -> GpuRow {
    GpuRow {
        minute: minute.parse().expect("a time"),
        node: NODE.to_owned(),
        device: crate::identity::Device { vendor: "nvidia", uuid: "GPU-1".to_owned() },
        parent: None,
        share: crate::identity::Share::Whole,
        index: 0,
        model: None,
        containers: None,
        summary: Summary::of::<Gpu>(0, []),
    }
}

fn model(minute: &str) -> ModelRow {
    ModelRow {
        minute: minute.parse().expect("a time"),
        node: NODE.to_owned(),
        key: crate::identity::ModelKey::named("m"),
        ..ModelRow::default()
    }
}

fn now() -> Timestamp {
    "2026-11-23T01:00:00Z".parse().expect("a time")
}

fn stored(history: &History) -> Vec<PathBuf> {
    let files = files_below(&history.data, &["parquet", DAMAGED]).expect("files");
    files.into_iter().map(|file| hour_of(&file.path).expect("an hour").to_owned()).collect()
}

#[test]
fn rows_of_before_a_folder_was_removed_do_not_come_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let data = dir.path().join("data");
    let mut first = open(&data);
    let fill = |history: &mut History, minute: &str| {
        history.append(vec![row(minute, "a")]).1.expect("written");
        history.append_gpus(vec![gpu(minute)]).1.expect("written");
        history.append_models(vec![model(minute)]).1.expect("written");
    };
    fill(&mut first, "2026-11-23T13:57:00Z");
    fs::remove_dir_all(&data).expect("removed");
    let mut second = open(&data);
    fill(&mut second, "2026-11-23T13:58:00Z");
    fill(&mut second, "2026-11-23T13:58:00Z");
    drop(second);
    fill(&mut first, "2026-11-23T13:59:00Z");
    let files = files_below(&data, &["parquet"]).expect("files");
    assert_eq!(files.iter().map(|file| rows_of(&file.path)).collect::<Vec<_>>(), [3; 3], "the other's is kept");
}

#[test]
fn a_folder_of_another_version_is_not_taken_and_all_half_written_goes() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let other = dir.path().join("container_minute/version=1");
    fs::create_dir_all(&other).expect("folder");
    let mut history = History::new(dir.path(), NODE, Config::default());
    assert!(matches!(history.open(), Err(Error::OtherVersion { .. })));
    fs::remove_dir(&other).expect("removed");
    let half = history.folder().join("date=2026-11-22/minutes.tmp");
    fs::create_dir_all(half.parent().expect("a folder")).expect("folder");
    fs::write(&half, "half").expect("file");
    history.open().expect("ours");
    assert!(!half.exists());
}

#[test]
fn an_append_tells_what_became_of_each_row() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let first = open(dir.path());
    let mut second = History::new(dir.path(), NODE, Config::default());
    let mut rows = vec![row("2026-11-23T13:59:00Z", "oldest")];
    rows.extend(std::iter::repeat_n(row("2026-11-23T14:00:00Z", "a"), MAX_PENDING));
    let (appended, _) = second.append(rows);
    assert_eq!(appended, Appended { dropped: 1, pending: MAX_PENDING as u64, written: 0 });
    drop(first);
    let (appended, _) = second.append(vec![row("2026-11-23T15:00:00Z", "a")]);
    assert_eq!(appended, Appended { written: MAX_PENDING as u64 + 1, ..Appended::default() });
    assert!(!dir.path().join("container_minute/version=2/node=node-1/date=2026-11-23/hour=13").exists());
}

#[test]
fn a_write_that_failed_leaves_no_row_twice() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut history = open(dir.path());
    history.append(vec![row("2026-11-23T13:58:00Z", "a")]).1.expect("written");
    let hour = history.folder().join("date=2026-11-23/hour=13");
    fs::create_dir(hour.join("minutes.tmp")).expect("a folder in the way");
    assert!(history.append(vec![row("2026-11-23T13:59:00Z", "a")]).1.is_err());
    fs::remove_dir(hour.join("minutes.tmp")).expect("removed");
    history.append(Vec::new()).1.expect("written");
    assert_eq!(rows_of(&hour.join(FILE)), 2);
}

#[test]
fn what_an_older_version_wrote_goes_on_and_what_does_not_fit_is_set_aside() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut history = open(dir.path());
    let hour = history.folder().join("date=2026-11-23/hour=13");
    fs::create_dir_all(&hour).expect("folder");
    let write = |mut frame: DataFrame| {
        ParquetWriter::new(File::create(hour.join(FILE)).expect("a file")).finish(&mut frame).expect("written");
    };
    let old = MinuteRow::frame(&[row("2026-11-23T13:57:00Z", "a")]).expect("a frame");
    write(old.drop("samples").expect("a column"));
    history.append(vec![row("2026-11-23T13:58:00Z", "a")]).1.expect("written");
    let mut reader = ParquetReader::new(File::open(hour.join(FILE)).expect("the file"));
    let about = reader.get_metadata().expect("metadata").key_value_metadata().clone().unwrap_or_default();
    let about: Vec<_> = about.into_iter().filter(|pair| pair.key.starts_with("plumbline")).collect();
    assert_eq!(
        about.iter().map(|pair| pair.value.as_deref()).collect::<Vec<_>>(),
        [Some("container_minute"), Some("2")]
    );
    let frame = reader.finish().expect("parquet");
    assert_eq!((frame.height(), frame.column("samples").expect("a column").null_count()), (2, 1));
    drop(history);
    // Another program's file: the id of a container is a time there.
    let mut odd = old.clone();
    let times = odd.column("minute").expect("a column").clone().with_name("container_id".into());
    odd.with_column(times).expect("replaced");
    write(odd);
    let mut history = open(dir.path());
    history.append(vec![row("2026-11-23T13:59:00Z", "a")]).1.expect("written");
    assert_eq!((rows_of(&hour.join(FILE)), rows_of(&hour.join("minutes.damaged"))), (1, 1));
}

#[test]
fn who_does_not_hold_the_folder_removes_nothing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut first = open(dir.path());
    first.append(vec![row("2026-11-01T00:00:00Z", "a"), row("2026-11-23T00:00:00Z", "a")]).1.expect("written");
    let mut second = History::new(dir.path(), NODE, Config { retention: Duration::ZERO, ..Config::default() });
    assert_eq!(second.retain(now()).expect("nothing to do"), []);
    assert_eq!(stored(&first).len(), 2);
}

#[test]
fn of_all_nodes_the_oldest_hour_goes_first_and_no_more_than_must() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut old = History::new(dir.path(), "b", Config::default());
    for hour in ["2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z"] {
        old.append(vec![row(hour, "a")]).1.expect("written");
    }
    drop(old);
    let mut history = History::new(dir.path(), "a", Config::default());
    for hour in ["2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z"] {
        history.append(vec![row(hour, "a")]).1.expect("written");
    }
    let all = stored(&history);
    let sum = |files: &[Stored]| files.iter().map(|file| file.bytes).sum::<u64>();
    let bytes = sum(&history.retain(now()).expect("retained"));
    let bound = |max| Config { max_bytes: ByteSize::b(max), retention: Duration::MAX };
    history.configure(bound(bytes));
    assert_eq!(history.retain(now()).expect("retained").len(), 4, "as much as may be is not too much");
    history.configure(bound(bytes - 1));
    history.retain(now()).expect("retained");
    let left = stored(&history);
    assert_eq!(left.len(), 3, "{all:?}");
    assert!(!left.iter().any(|hour| hour.starts_with("date=2026-11-20")), "{left:?}");
    history.configure(bound(1));
    history.retain(now()).expect("retained");
    assert_eq!(stored(&history), [hour_file("2026-11-23T00:00:00Z".parse().expect("a time"))]);
    let node = |node: &str| table_folder::<MinuteRow>(dir.path()).join(node_folder(node));
    assert!(node("a").exists() && !node("b").exists(), "a node without a file has no folder");
}

#[test]
fn an_hour_goes_when_all_of_it_is_too_old_with_what_was_set_aside_in_it() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut history = open(dir.path());
    for hour in ["2026-11-22T22:00:00Z", "2026-11-22T23:00:00Z", "2026-11-23T00:00:00Z"] {
        history.append(vec![row(hour, "a")]).1.expect("written");
    }
    for hour in ["date=2026-11-22/hour=22", "date=2026-11-22/hour=23", "date=2026-11-23/hour=00"] {
        fs::write(history.folder().join(hour).join("minutes.damaged"), "no parquet").expect("file");
    }
    history.configure(Config { retention: Duration::from_secs(90 * 60), ..Config::default() });
    history.retain(now()).expect("retained");
    assert_eq!(stored(&history).len(), 4, "half of the second hour is young enough");
    history.configure(Config { retention: Duration::ZERO, max_bytes: ByteSize::b(1) });
    history.retain(now()).expect("retained");
    assert_eq!(stored(&history).len(), 2, "both files of the newest hour stay");
}

#[test]
fn a_nodes_name_makes_one_folder_whatever_is_in_it() {
    assert_eq!(node_folder("node-1_a.b"), "node=node-1_a.b");
    assert_eq!(node_folder("a/b c=\u{e9}\n"), "node=a%2Fb%20c%3D%C3%A9%0A");
}
