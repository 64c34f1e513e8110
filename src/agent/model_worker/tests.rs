//! Rows in, windows, files and models out: what the thread does with them, over restarts and for models side by side.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::channel;

use jiff::Timestamp;
use polars::prelude::{ChunkAgg, IntoColumn, NamedFrom, Series};

use super::*;
use crate::clock::FixedClock;
use crate::frame::json::{Layout, Limits, decode};
use crate::ingest::Reservation;
use crate::model::border::{Purpose, expected, pass};
use crate::quality::Check;

mod counts;

const DAY: u64 = 86_400;

fn key() -> ModelKey {
    ModelKey::named("m")
}

fn known(worker: &ModelWorker) -> Vec<&str> {
    worker.watches.keys().map(|key| key.name.as_str()).collect()
}

/// Hands rows to the ingest's side, and takes them in.
fn send(worker: &mut ModelWorker, queue: &Receiver<Accepted>, purpose: Purpose, rows: &[String]) {
    send_to(worker, queue, &key(), purpose, rows);
}

fn send_to(worker: &mut ModelWorker, queue: &Receiver<Accepted>, key: &ModelKey, purpose: Purpose, rows: &[String]) {
    let models = Arc::clone(&worker.models);
    let known = models.describe(key).expect("known");
    let limits = Limits { rows: 1_000_000, columns: 100, cells: 100_000_000 };
    let kinds = |name: &str| expected(name, &known.spec, &known.schema);
    let decoded = decode(rows.join("\n").as_bytes(), Layout::Lines, limits, &kinds).expect("rows");
    let passed = pass(decoded, purpose, &known.spec, &known.schema, 100, worker.clock.now());
    let batch = passed.batch.expect("a batch");
    models.accept(key, purpose, batch, Reservation::none(&models.in_flight)).expect("accepted");
    while let Ok(accepted) = queue.try_recv() {
        worker.take(accepted);
    }
    worker.judge();
}

/// A worker on what the folder holds.
fn begun(
    data: &Path,
    config: Config,
    out: std::sync::mpsc::Sender<Accepted>,
    clock: &Arc<FixedClock>,
) -> (Arc<Models>, ModelWorker) {
    let models = Arc::new(Models::new(&config, Arc::default(), out));
    let view = watch::Sender::new(Arc::default());
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let place = (data.to_owned(), "n".to_owned());
    let mut worker = ModelWorker::new(Arc::clone(&models), place, config, clock, Arc::default(), view);
    worker.open();
    (models, worker)
}

/// What was concluded is a function of what was stored, part of it Parquet by now and part still in the log.
#[test]
fn a_replay_gives_what_the_live_agent_gave() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let described = "[[model]]\nname = \"m\"\nprotected = [{ column = \"sex\", use = \"fairness\" }]\n";
    let config = Config::parse(described).expect("a config");
    let (models, mut worker) = begun(data.path(), config.clone(), out, &clock);
    let mut random = fastrand::Rng::with_seed(9);
    let mut row = |hour: i64, i: i64, level: f64| {
        let (at, score) = (hour * 3_600_000 + i * 12_000, random.f64());
        let (x, sex, prediction) =
            (level + random.f64(), ["f", "m"][usize::from(random.bool())], u8::from(score > 0.5));
        let label = u8::from(random.f64() < score);
        let row = format!(
            r#""id": "{hour}-{i}", "timestamp": {at}, "x": {x}, "sex": "{sex}", "score": {score}, "prediction": {prediction}"#
        );
        (
            format!("{{{row}}}"),
            format!("{{{row}, \"label\": {label}}}"),
            format!(r#"{{"id": "{hour}-{i}", "label": {label}}}"#),
        )
    };
    let reference: Vec<String> = (0..300).map(|i| row(-2, i, 0.0).1).collect();
    send(&mut worker, &queue, Purpose::Reference, &reference);
    for hour in 0..12 {
        clock.advance(Duration::from_secs(3600));
        let rows: Vec<_> = (0..300).map(|i| row(hour, i, if hour > 8 { 0.5 } else { 0.0 })).collect();
        send(&mut worker, &queue, Purpose::Samples, &rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>());
        let labels: Vec<String> = rows.iter().filter(|_| hour % 2 == 0).map(|row| row.2.clone()).collect();
        if !labels.is_empty() {
            send(&mut worker, &queue, Purpose::Labels, &labels);
        }
        if hour == 5 {
            models.with_log(|log| log.rotate().expect("rotated"));
            worker.keep_checkpoint();
            worker.compact();
        }
    }
    clock.advance(Duration::from_secs(60));
    worker.judge();
    let live = worker.watches[&key()].view(clock.now());
    let bins = config.models.metric_bins;
    let replayed =
        crate::agent::replay::replay((data.path(), None), (&config.model[0], bins), clock.now(), &mut |_, _| {});
    let replayed = replayed.expect("replayed");
    assert_eq!(replayed.warnings, Vec::<String>::new());
    assert!(live.windows.len() >= 10 && live.verdict.drift == Some(true), "{:?}", live.verdict);
    assert_eq!((&replayed.view.windows, &replayed.view.verdict), (&live.windows, &live.verdict));
    assert_eq!((replayed.view.counts, replayed.unmatched), (live.counts, 0));
    let fairness = |view: &crate::model::view::ModelView| view.latest.as_ref().map(|window| window.fairness.clone());
    assert!(
        fairness(&live).is_some_and(|fairness| !fairness.is_empty()) && fairness(&live) == fairness(&replayed.view)
    );
    let told = crate::report::windows::table(&replayed.view, &replayed.windows, crate::terminal::Look::PLAIN);
    assert!(told.starts_with("m: drift: x\n3\u{202f}600 samples"), "{told}");
    let other = crate::model::Spec::new("other");
    let nothing = crate::agent::replay::replay((data.path(), None), (&other, bins), clock.now(), &mut |_, _| {});
    let nothing = nothing.expect_err("nothing").to_string();
    assert!(nothing.ends_with("holds nothing of other; there are: m"), "{nothing}");
}

/// Weeks of rows that memory holds a fraction of; then labels for the first of them.
#[test]
fn labels_that_come_late_find_their_rows_in_the_store() {
    const HOURS: i64 = 30 * 24;
    const ROWS: i64 = 250;
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let config = "[samples]\nretention = \"40d\"\n[[model]]\nname = \"m\"\nmax_rows = 5000\nlabel_horizon = \"40d\"\n";
    let config = Config::parse(config).expect("a config");
    let (models, mut worker) = begun(data.path(), config, out, &clock);
    let mut most = 0;
    for hour in 0..HOURS {
        let row = |i: i64| {
            let at = hour * 3_600_000 + i * (3_600_000 / ROWS);
            format!(r#"{{"id": "{hour}-{i}", "timestamp": {at}, "x": {i}, "prediction": {}}}"#, i % 2)
        };
        clock.advance(Duration::from_secs(3600));
        send(&mut worker, &queue, Purpose::Samples, &(0..ROWS).map(row).collect::<Vec<_>>());
        most = most.max(worker.watches[&key()].bytes());
        if hour % 48 == 47 {
            models.with_log(|log| log.rotate().expect("rotated"));
            worker.keep_checkpoint();
            worker.compact();
        }
    }
    assert!(most < 8 << 20, "{most} bytes for {} rows", HOURS * ROWS);
    // Every third is wrong, and one has a row that never came.
    let label = |hour: i64| {
        move |i: i64| format!(r#"{{"id": "{hour}-{i}", "label": {}}}"#, if i % 3 == 0 { 1 - i % 2 } else { i % 2 })
    };
    for hour in [0, 300] {
        send(&mut worker, &queue, Purpose::Labels, &(0..ROWS).map(label(hour)).collect::<Vec<_>>());
    }
    send(&mut worker, &queue, Purpose::Labels, &[r#"{"id": "never", "label": 1}"#.to_owned()]);
    let measured = |worker: &ModelWorker, hour: i64| {
        let start = Timestamp::from_second(hour * 3600).expect("a time");
        let view = worker.watches[&key()].view(worker.clock.now());
        let window = view.windows.iter().find(|window| window.start == start).cloned();
        window.and_then(|window| window.performance).map(|found| {
            let accuracy = found.measures().find(|(name, _)| *name == "accuracy").map(|(_, value)| value);
            (found.rows, accuracy.map(|accuracy| (accuracy * 1000.0).round()))
        })
    };
    worker.look_up();
    let right = (0..ROWS).filter(|i| i % 3 != 0).count() as f64 / ROWS as f64;
    for hour in [0, 300] {
        assert_eq!(measured(&worker, hour), Some((ROWS as u64, Some((right * 1000.0).round()))), "hour {hour}");
    }
    assert_eq!(worker.watches[&key()].view(worker.clock.now()).counts.unmatched, 1);
    // A restart in between forgets nothing that waits.
    send(&mut worker, &queue, Purpose::Labels, &(0..ROWS).map(label(100)).collect::<Vec<_>>());
    worker.keep_checkpoint();
    let (config, view) = (worker.config.clone(), watch::Sender::new(Arc::default()));
    let again = Arc::clone(&worker.clock);
    drop(worker);
    models.set_log(Err("away".to_owned()));
    let mut worker =
        ModelWorker::new(models, (data.path().to_owned(), "n".to_owned()), config, again, Arc::default(), view);
    worker.open();
    worker.look_up();
    assert_eq!(measured(&worker, 100).map(|found| found.0), Some(ROWS as u64));
}

/// Writes an hour a file, of so many rows each, as the log would become them.
fn store_hours(data: &std::path::Path, hours: i64, rows: i64) {
    const HOUR: i64 = 3_600_000;
    let store = Samples::open(data, "n").expect("a store");
    let mut log = crate::store::Log::open(&store.log_folder(), 1, 1).expect("a log");
    for hour in 0..hours {
        let times = arrow::array::TimestampMillisecondArray::from_iter_values(
            (0..rows).map(|i| hour * HOUR + i * (HOUR / rows)),
        );
        let times: arrow::array::ArrayRef = Arc::new(times.with_timezone("UTC"));
        let ids = arrow::array::StringViewArray::from_iter_values((0..rows).map(|i| format!("{hour}-{i}")));
        let predictions = arrow::array::Int64Array::from_iter_values((0..rows).map(|i| i % 2));
        let record = arrow::array::RecordBatch::try_from_iter([
            ("id", Arc::new(ids) as _),
            ("timestamp", Arc::clone(&times)),
            ("_arrival", times),
            ("prediction", Arc::new(predictions) as _),
        ]);
        log.append(Kind::Samples, &key(), &record.expect("a record")).expect("written");
        log.rotate().expect("rotated");
        let leave = Leave { removed: &BTreeMap::new(), repeated: &BTreeMap::new(), of_counts_alone: &BTreeSet::new() };
        store.compact(&log.closed().expect("segments")[0], leave).expect("compacted");
    }
}

/// A month at a rate that memory holds an hour of. At 1,000 rows/s an hour is a dozen files of 300,000 rows instead of one of 1,500,
/// and the index of an id a page in 587 instead of one in three: what is read of the files themselves for an hour's labels is
/// that hour's files in either case, and this counts them.
#[test]
fn labels_of_any_hour_of_a_month_read_that_hours_files_alone() {
    const HOURS: i64 = 30 * 24;
    const ROWS: i64 = 1500;
    const HOUR: i64 = 3_600_000;
    let data = tempfile::tempdir().expect("a folder");
    store_hours(data.path(), HOURS, ROWS);
    let clock = Arc::new(FixedClock::new(Timestamp::from_millisecond(HOURS * HOUR).expect("a time")));
    let (out, queue) = channel();
    let config = "[samples]\nretention = \"31d\"\n[[model]]\nname = \"m\"\nmax_rows = 5000\nlabel_horizon = \"31d\"\n";
    let config = Config::parse(config).expect("a config");
    let models = Arc::new(Models::new(&config, Arc::default(), out));
    let begin = || {
        models.set_log(Err("away".to_owned()));
        let folder = (data.path().to_owned(), "n".to_owned());
        let (view, shared) = (watch::Sender::new(Arc::default()), Arc::clone(&clock) as Arc<dyn Clock>);
        let mut worker = ModelWorker::new(Arc::clone(&models), folder, config.clone(), shared, Arc::default(), view);
        worker.open();
        worker
    };
    let mut worker = begin();
    clock.advance(Duration::from_secs(3600));
    let settle = |worker: &mut ModelWorker| {
        let read = |worker: &ModelWorker| worker.stored.get(&key()).map_or(0, |known| known.read);
        let before = read(worker);
        clock.advance(Duration::from_secs(300));
        worker.judge();
        worker.look_up();
        read(worker) - before
    };
    let measured = |worker: &ModelWorker, hour: i64| {
        let start = Timestamp::from_second(hour * 3600).expect("a time");
        let view = worker.watches[&key()].view(worker.clock.now());
        let window = view.windows.iter().find(|window| window.start == start).cloned();
        window.and_then(|window| window.performance).map_or((0, 0.0), |found| {
            let right = found.measures().find(|(name, _)| *name == "accuracy").map_or(0.0, |(_, value)| value);
            (found.rows, (right * found.rows as f64).round())
        })
    };
    // The first so many are wrong.
    let labels = |hour: i64, wrong: i64, ids: std::ops::Range<i64>| -> Vec<String> {
        ids.map(|i| format!(r#"{{"id": "{hour}-{i}", "label": {}}}"#, (i + i64::from(i < wrong)) % 2)).collect()
    };
    settle(&mut worker);
    for hour in [0, HOURS / 2, HOURS - 1] {
        send(&mut worker, &queue, Purpose::Labels, &labels(hour, 300, 0..ROWS));
        let read = settle(&mut worker);
        // Once for their ids, once to see which rows the window has, once for what is measured. The last hour is in memory.
        assert_eq!(read, if hour == HOURS - 1 { 0 } else { 3 }, "hour {hour}");
        assert_eq!(measured(&worker, hour), (1500, 1200.0), "hour {hour}");
    }
    // Labels of rows that were never here open nothing.
    let strangers: Vec<String> = (0..20_000).map(|i| format!(r#"{{"id": "never-{i}", "label": 1}}"#)).collect();
    send(&mut worker, &queue, Purpose::Labels, &strangers);
    assert_eq!(settle(&mut worker), 0);
    assert_eq!(worker.watches[&key()].view(worker.clock.now()).counts.unmatched, 20_000);
    // They pushed the others out of memory, which are read from where they are stored: here a few are corrected.
    models.with_log(|log| log.rotate().expect("rotated"));
    worker.keep_checkpoint();
    assert!(worker.compact());
    send(&mut worker, &queue, Purpose::Labels, &labels(0, 0, 0..100));
    // As before, and the one file of labels, twice at most.
    let read = settle(&mut worker);
    assert!((4..=5).contains(&read), "{read}");
    assert_eq!(measured(&worker, 0), (1500, 1300.0));
    // The hour in memory, too, though its labels are not.
    send(&mut worker, &queue, Purpose::Labels, &labels(HOURS - 1, 0, 0..100));
    settle(&mut worker);
    assert_eq!(measured(&worker, HOURS - 1), (1500, 1300.0));
    // Over a restart, with one index gone and another damaged.
    worker.keep_checkpoint();
    drop(worker);
    let store = Samples::open(data.path(), "n").expect("a store");
    let files = store.compacted_of(Kind::Samples, &key()).expect("files");
    drop(store);
    assert_eq!(files.len(), 720);
    let (gone, damaged) = (crate::store::ids::beside(&files[100]), crate::store::ids::beside(&files[200]));
    std::fs::remove_file(&gone).expect("removed");
    let mut bytes = std::fs::read(&damaged).expect("an index");
    let whole = bytes.clone();
    bytes[3000] ^= 1;
    std::fs::write(&damaged, bytes).expect("written");
    let mut worker = begin();
    for hour in [0, 100, 200, 300] {
        send(&mut worker, &queue, Purpose::Labels, &labels(hour, 0, 0..ROWS));
    }
    // Four windows in one go, and the last hour's is among them.
    settle(&mut worker);
    settle(&mut worker);
    for hour in [0, 100, 200, 300] {
        assert_eq!(measured(&worker, hour), (1500, 1500.0), "hour {hour}");
    }
    assert!(gone.exists());
    assert_eq!(std::fs::read(&damaged).expect("an index"), whole);
    // A window of more rows than are joined at a time has them all, and each once.
    let of_m = key();
    let (mut look, watch) = worker.look(&of_m).expect("it is known");
    let mut window = |share: usize| {
        look.share = share;
        let (rows, labelled) = look.window(watch, 0, HOUR).expect("a window");
        (rows, labelled.height(), labelled.column("label").expect("labels").i64().expect("whole").sum())
    };
    assert_eq!(window(400), window(1_000_000));
    assert_eq!(window(400), (1500, 1500, Some(750)));
    let bytes = worker.watches[&key()].bytes();
    assert!(bytes < 4 << 20, "{bytes} bytes in memory of {} rows", HOURS * ROWS);
}

/// Between memory and Parquet there is the log: rows that have left the one and are not in the other yet are there.
#[test]
fn labels_find_rows_that_only_the_log_has() {
    let data = tempfile::tempdir().expect("a folder");
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let config = Config::parse("[[model]]\nname = \"m\"\nmax_rows = 300\n").expect("a config");
    let models = Arc::new(Models::new(&config, Arc::default(), out));
    let (folder, view) = ((data.path().to_owned(), "n".to_owned()), watch::Sender::new(Arc::default()));
    let mut worker = ModelWorker::new(models, folder, config, clock, Arc::default(), view);
    worker.open();
    for hour in 0..4_i64 {
        let row = |i: i64| {
            let at = hour * 3_600_000 + i * 1000;
            format!(r#"{{"id": "{hour}-{i}", "timestamp": {at}, "prediction": {}}}"#, i % 2)
        };
        send(&mut worker, &queue, Purpose::Samples, &(0..250).map(row).collect::<Vec<_>>());
    }
    let label = |i: i64| format!(r#"{{"id": "0-{i}", "label": 1}}"#);
    send(&mut worker, &queue, Purpose::Labels, &(0..250).map(label).collect::<Vec<_>>());
    worker.look_up();
    let view = worker.watches[&key()].view(worker.clock.now());
    assert_eq!((view.rows_in_memory, view.counts.unmatched), (300, 0));
    let first = view.windows.last().and_then(|window| window.performance.as_ref());
    assert_eq!(first.map(|performance| (performance.rows, performance.accuracy)), Some((250, Some(0.5))));
}

/// A request that is sent again after a broken connection: its rows are counted, and stored once.
#[test]
fn a_repeated_id_is_stored_once() {
    let data = tempfile::tempdir().expect("a folder");
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let config = Config::default();
    let models = Arc::new(Models::new(&config, Arc::default(), out));
    let begin = |config: Config| {
        let view = watch::Sender::new(Arc::default());
        let folder = (data.path().to_owned(), "n".to_owned());
        let mut worker =
            ModelWorker::new(Arc::clone(&models), folder, config, Arc::clone(&clock), Arc::default(), view);
        worker.open();
        worker
    };
    let mut worker = begin(config.clone());
    let rows = |ids: std::ops::Range<i64>| {
        ids.map(|i| format!(r#"{{"id": "{i}", "timestamp": {}, "x": {i}}}"#, i * 1000)).collect::<Vec<_>>()
    };
    send(&mut worker, &queue, Purpose::Samples, &rows(0..10));
    send(&mut worker, &queue, Purpose::Samples, &rows(0..10));
    models.with_log(|log| log.rotate().expect("rotated"));
    send(&mut worker, &queue, Purpose::Samples, &rows(5..15));
    // Over a restart, which replays the log.
    drop(worker);
    models.set_log(Err("away".to_owned()));
    let mut worker = begin(config);
    send(&mut worker, &queue, Purpose::Samples, &rows(14..16));
    models.with_log(|log| log.rotate().expect("rotated"));
    worker.keep_checkpoint();
    assert!(worker.compact());
    let store = worker.store.as_ref().expect("a store");
    let mut ids: Vec<String> = Vec::new();
    for (_, _, path) in store.compacted(Kind::Samples).expect("files") {
        let frame = crate::store::samples::read_parquet(&path).expect("a frame");
        ids.extend(frame.column("id").expect("ids").str().expect("texts").iter().flatten().map(str::to_owned));
    }
    ids.sort_by_key(|id| id.parse::<i64>().expect("a number"));
    assert_eq!(ids, (0..16).map(|i| i.to_string()).collect::<Vec<_>>());
    assert!(worker.repeated.is_empty(), "nothing is remembered of what is stored");
}

/// Three models of one name: each has its own rows, verdict, files and end, over a restart too.
#[test]
fn namesakes_live_side_by_side() {
    let data = tempfile::tempdir().expect("a folder");
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let config =
        "[[model]]\nname = \"m\"\nwindow_rows = 250\n[[model]]\nname = \"m\"\nnamespace = \"ml\"\nwindow_rows = 300\n";
    let config = Config::parse(config).expect("a config");
    let models = Arc::new(Models::new(&config, Arc::default(), out));
    let begin = || {
        models.set_log(Err("away".to_owned()));
        let (folder, view) = ((data.path().to_owned(), "n".to_owned()), watch::Sender::new(Arc::default()));
        let shared = Arc::clone(&clock);
        let mut worker = ModelWorker::new(Arc::clone(&models), folder, config.clone(), shared, Arc::default(), view);
        worker.open();
        worker
    };
    let keys = [ModelKey::named("m"), ModelKey::within("ml", "m"), ModelKey::within("shop", "m")];
    // The same ids, a column of another kind in each, and as many rows as the first's window holds.
    let rows = |column: &str, value: &str| -> Vec<String> {
        (0..250)
            .map(|i| format!(r#"{{"id": "{i}", "timestamp": {i}, "{column}": {value}, "version": "{column}"}}"#))
            .collect()
    };
    let mut worker = begin();
    for (key, (column, value)) in keys.iter().zip([("x", "1"), ("x", "\"a\""), ("y", "true")]) {
        send_to(&mut worker, &queue, key, Purpose::Reference, &rows(column, value));
        send_to(&mut worker, &queue, key, Purpose::Samples, &rows(column, value));
    }
    let seen = |worker: &ModelWorker| -> Vec<(String, u64, Vec<String>, bool)> {
        let view = |watch: &Watch| {
            let view = watch.view(Timestamp::UNIX_EPOCH);
            let versions = view.latest.as_ref().map(|window| window.versions.clone()).unwrap_or_default();
            (view.key.to_string(), view.counts.samples, versions, view.reference.is_some_and(|r| !r.about.provisional))
        };
        worker.watches.values().map(view).collect()
    };
    let all = [("m", vec!["x"]), ("ml/m", vec![]), ("shop/m", vec![])];
    let all = all.map(|(key, versions): (&str, Vec<&str>)| {
        (key.to_owned(), 250, versions.into_iter().map(str::to_owned).collect::<Vec<_>>(), true)
    });
    assert_eq!(seen(&worker), all, "the first alone has windows of so many rows");
    // Half of it in Parquet, half in the log, all in the checkpoint; then without one.
    models.with_log(|log| log.rotate().expect("rotated"));
    worker.keep_checkpoint();
    assert!(worker.compact());
    drop(worker);
    let mut worker = begin();
    assert_eq!(seen(&worker), all);
    send_to(
        &mut worker,
        &queue,
        &keys[1],
        Purpose::Samples,
        &[r#"{"id": "250", "timestamp": 250, "x": "b"}"#.to_owned()],
    );
    drop(worker);
    std::fs::remove_file(data.path().join("models/checkpoint.json")).expect("removed");
    let mut worker = begin();
    let counts = |worker: &ModelWorker| {
        worker.watches.values().map(|w| w.view(Timestamp::UNIX_EPOCH).counts.samples).collect::<Vec<_>>()
    };
    assert_eq!(counts(&worker), [250, 251, 250]);
    // One goes, with its files and nobody else's.
    assert_eq!(models.remove(&keys[1]), Ok(true));
    assert_eq!(models.remove(&ModelKey::within("away", "m")), Ok(false));
    while let Ok(accepted) = queue.try_recv() {
        worker.take(accepted);
    }
    let stored = |worker: &ModelWorker| {
        let files = worker.store.as_ref().expect("a store").compacted(Kind::Samples).expect("files");
        files.into_iter().map(|(_, key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!((counts(&worker), stored(&worker)), (vec![250, 250], vec![keys[0].clone(), keys[2].clone()]));
    worker.keep_checkpoint();
    drop(worker);
    let mut worker = begin();
    assert_eq!(counts(&worker), [250, 250]);
    // It may come again, with columns of other kinds.
    send_to(&mut worker, &queue, &keys[1], Purpose::Samples, &rows("x", "2"));
    assert_eq!(counts(&worker), [250, 250, 250]);
}

#[test]
fn models_that_are_silent_expire_and_make_room() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let mut config = Config::parse("[[model]]\nname = \"described\"\n").expect("a config");
    config.models.max_models = 3;
    let (models, mut worker) = begun(data.path(), config, out, &clock);
    let hear = |worker: &mut ModelWorker, model: &str| {
        let rows = crate::frame::stack::frame_of(
            &arrow::array::RecordBatch::try_from_iter([(
                "id",
                Arc::new(arrow::array::StringViewArray::from(vec!["1"])) as _,
            )])
            .expect("a batch"),
        );
        let mut rows = rows.expect("a frame");
        let at = Series::new("label".into(), vec![1_i64]).into_column();
        rows.with_column(at).expect("a column");
        let model = ModelKey::named(model);
        models.remember(&model, &Schema::of(&rows, &models.spec(&model)));
        let mut progress = Progress::default();
        progress.heard = Some(clock.now());
        worker.watches.insert(model.clone(), Watch::new(models.spec(&model), 10, progress, clock.now()));
    };
    let expire = |worker: &mut ModelWorker| {
        worker.expire();
        while let Ok(accepted) = queue.try_recv() {
            worker.take(accepted);
        }
    };
    hear(&mut worker, "dated-1");
    clock.advance(Duration::from_secs(3600));
    hear(&mut worker, "dated-2");
    hear(&mut worker, "described");
    clock.advance(Duration::from_secs(DAY - 1800));
    expire(&mut worker);
    assert_eq!(known(&worker), ["dated-2", "described"], "the one that was silent for a day makes room");
    assert!(!models.is_full());
    clock.advance(Duration::from_secs(3 * DAY));
    expire(&mut worker);
    assert_eq!(known(&worker), ["dated-2", "described"], "there is room: nobody has to go");
    clock.advance(Duration::from_secs(90 * DAY));
    expire(&mut worker);
    assert!(known(&worker).is_empty(), "{:?}", known(&worker));
}

/// A profile is stored before it is answered, and stands over a `kill -9` and a lost checkpoint; rows take its place, and it theirs.
#[test]
fn a_profile_stands_until_rows_take_its_place() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let begin = || begun(data.path(), Config::default(), out.clone(), &clock);
    let text = {
        use crate::drift::Sample;
        use crate::drift::profile::{Column, Profile};
        let numbers = Sample::numeric((0..500).map(|i| Some(f64::from(i % 100))));
        let columns = vec![Column::of("x", numbers, true, &[]).expect("enough rows")];
        Profile::new("train.csv", 500, Vec::new(), columns).expect("readable").text().to_owned()
    };
    let known = |worker: &ModelWorker| {
        let reference = worker.watches.get(&key())?.view(worker.clock.now()).reference?;
        Some((reference.about.profile, reference.about.rows))
    };
    let (of_profile, of_rows) = (Some((Some("train.csv".to_owned()), 500)), Some((None, 300)));
    let put = |worker: &mut ModelWorker| {
        let models = Arc::clone(&worker.models);
        let spec = models.describe(&key()).expect("known").spec;
        let batch = crate::model::profile::admit(&text, &spec, 100).expect("it passes").batch;
        models.accept(&key(), Purpose::Profile, batch, Reservation::none(&models.in_flight)).expect("accepted");
    };
    let rows: Vec<String> = (0..300).map(|i| format!(r#"{{"x": {}}}"#, i % 100)).collect();
    let (_, mut worker) = begin();
    put(&mut worker);
    // Accepted, and killed before it was taken in; nor is there a checkpoint.
    drop(worker);
    while queue.try_recv().is_ok() {}
    let (models, mut worker) = begin();
    assert_eq!(known(&worker), of_profile);
    worker.keep_checkpoint();
    models.with_log(|log| log.rotate().expect("rotated"));
    assert!(worker.compact(), "the log has it no longer");
    drop(worker);
    let (_, mut worker) = begin();
    assert_eq!(known(&worker), of_profile);
    send(&mut worker, &queue, Purpose::Reference, &rows);
    assert_eq!(known(&worker), of_rows);
    drop(worker);
    let (_, mut worker) = begin();
    assert_eq!(known(&worker), of_rows);
    put(&mut worker);
    while let Ok(accepted) = queue.try_recv() {
        worker.take(accepted);
    }
    worker.keep_checkpoint();
    drop(worker);
    std::fs::remove_file(data.path().join("models/checkpoint.json")).expect("removed");
    let (_, worker) = begin();
    assert_eq!(known(&worker), of_profile);
}

/// A sender that changed a type has every row rejected: no window says so, but the model does.
#[test]
fn values_of_another_type_are_told_though_none_arrives() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new("2026-06-01T00:00:00Z".parse().expect("a time")));
    let (out, queue) = channel();
    let (models, mut worker) = begun(data.path(), Config::default(), out, &clock);
    send_to(&mut worker, &queue, &key(), Purpose::Samples, &[r#"{"age": 41}"#.to_owned()]);
    let limits = Limits { rows: 10, columns: 10, cells: 100 };
    let body = b"{\"age\": \"41\"}\n{\"age\": \"29\"}";
    let known = models.describe(&key()).expect("known");
    let rows = decode(body, Layout::Lines, limits, &|name| expected(name, &known.spec, &known.schema)).expect("rows");
    let passed = pass(rows, Purpose::Samples, &known.spec, &known.schema, 10, clock.now());
    assert!(passed.batch.is_none() && passed.rejected == 2);
    models.refused(&key(), &passed.wrong_types);
    models.refused(&ModelKey::named("nobody"), &passed.wrong_types);
    assert!(worker.round(&queue).is_continue());
    let view = worker.watches[&key()].view(clock.now());
    let found: Vec<&str> = view.quality.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(found, ["age: 2 of 3 rows refused: the value is of another type"]);
    assert_eq!((view.faults(Check::WrongType), worker.watches.len()), (Some(1), 1));
}

/// Memory soon has of a window no more than its line; a link to it still leads to what its columns looked like.
#[test]
fn a_window_is_kept_in_full_when_memory_has_its_line_alone() {
    use crate::model::view::WindowResult;
    use crate::store::windows::read;
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let config = "[[model]]\nname = \"m\"\nmin_rows = 50\n";
    let (models, mut worker) = begun(data.path(), Config::parse(config).expect("a config"), out, &clock);
    let hour = |hour: i64| -> Vec<String> {
        let row = |i: i64| format!(r#"{{"timestamp": {}, "x": {}}}"#, hour * 3_600_000 + i * 36_000, i * 37 % 100);
        (0..100).map(row).collect()
    };
    send(&mut worker, &queue, Purpose::Reference, &hour(0));
    for at in 1..40 {
        clock.advance(Duration::from_secs(3600));
        send(&mut worker, &queue, Purpose::Samples, &hour(at));
    }
    let kept = |end: i64| read::<WindowResult>(data.path(), "n", &key(), end * 3_600_000).expect("readable");
    // The first hour is not whole: nobody knows what came before its first row.
    let view = worker.watches[&key()].view(clock.now());
    let oldest = view.windows.last().expect("a window").end.as_second() / 3600;
    let window = kept(oldest).expect("kept");
    assert_eq!((window.rows, window.drift, window.features.len()), (100, Some(false), 1));
    assert!(window.features[0].shape.is_some() && kept(oldest + 30).is_some() && kept(90).is_none());
    models.remove(&key()).expect("removed");
    while let Ok(accepted) = queue.try_recv() {
        worker.take(accepted);
    }
    assert!(kept(oldest).is_none(), "a removed model leaves none");
}

/// They join as any do; but of a model that is not here they make none that is shown, keeps another's place or lives for ever.
#[test]
fn labels_of_other_agents_join_and_are_no_model_of_ours() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let config = Config::parse("[models]\nmax_models = 4\n[[model]]\nname = \"described\"\n").expect("a config");
    let (models, mut worker) = begun(data.path(), config.clone(), out.clone(), &clock);
    let send_on = |worker: &mut ModelWorker, model: &str, ids: std::ops::Range<i64>| {
        let (models, key) = (Arc::clone(&worker.models), ModelKey::named(model));
        let rows = ids.map(|i| format!(r#"{{"id": "{i}", "label": {}}}"#, i % 2)).collect::<Vec<_>>().join("\n");
        let limits = Limits { rows: 1000, columns: 10, cells: 10_000 };
        let known = models.describe(&key).expect("known");
        let rows = decode(rows.as_bytes(), Layout::Lines, limits, &|_| None).expect("rows");
        let batch = pass(rows, Purpose::Labels, &known.spec, &known.schema, 10, worker.clock.now()).batch;
        let batch = batch.and_then(|batch| batch.forwarded().ok()).expect("a batch");
        assert!(batch.clone().forwarded().is_err(), "they are marked once");
        models.accept(&key, Purpose::Labels, batch, Reservation::none(&models.in_flight)).expect("accepted");
        while let Ok(accepted) = queue.try_recv() {
            worker.take(accepted);
        }
        worker.look_up();
        worker.publish();
    };
    let rows = (0..10).map(|i| format!(r#"{{"id": "{i}", "timestamp": {i}, "prediction": 0}}"#)).collect::<Vec<_>>();
    send_to(&mut worker, &queue, &key(), Purpose::Samples, &rows);
    assert!(models.takes_forwarded(&ModelKey::named("other")));
    send_on(&mut worker, "m", 5..15);
    send_on(&mut worker, "other", 0..3);
    send_on(&mut worker, "described", 0..3);
    let shown = |worker: &ModelWorker| {
        let view = worker.view.borrow();
        let of = |view: &ModelView| {
            let counts = view.counts;
            (view.key.to_string(), counts.labels, counts.unmatched, counts.elsewhere)
        };
        view.models.iter().map(of).collect::<Vec<_>>()
    };
    let expected = vec![("described".to_owned(), 3, 0, 3), ("m".to_owned(), 10, 0, 5)];
    assert_eq!(shown(&worker), expected);
    let labels = worker.watches[&key()].labels_in_memory().expect("labels");
    assert_eq!(labels.height(), 10);
    assert_eq!(known(&worker), ["described", "m", "other"]);
    // Half of the places are taken.
    let takes = ["third", "other", "m", "described"].map(|model| models.takes_forwarded(&ModelKey::named(model)));
    assert_eq!(takes, [false, true, true, true]);
    // Nor do they keep one alive whose samples ended long ago.
    clock.advance(Duration::from_secs(2 * DAY));
    send_on(&mut worker, "other", 3..6);
    assert_eq!(worker.watches[&ModelKey::named("other")].silent(clock.now()), Duration::from_secs(2 * DAY));
    worker.keep_checkpoint();
    let before = models.agent();
    drop(worker);
    models.set_log(Err("away".to_owned()));
    let (models, mut worker) = begun(data.path(), config, out, &clock);
    worker.publish();
    assert_eq!((shown(&worker), models.agent()), (expected, before));
    // Where this agent sends labels on, too, those of clients are no mistake either.
    send(&mut worker, &queue, Purpose::Labels, &[r#"{"id": "away", "label": 1}"#.to_owned()]);
    worker.watches.get_mut(&key()).expect("watched").progress.shared = false;
    worker.look_up();
    worker.publish();
    assert_eq!(shown(&worker)[1], ("m".to_owned(), 11, 6, 0));
    worker.config.forward.agents = vec!["http://a:9477".to_owned()];
    worker.publish();
    assert_eq!(shown(&worker)[1], ("m".to_owned(), 11, 0, 6));
}

/// As many as came are traffic; a restart knows what was left out as it knows the rows, from the log and from a checkpoint.
#[test]
fn what_is_sampled_out_is_counted_over_a_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let config = || Config::parse("[[model]]\nname = \"m\"\nsample = 0.25\n").expect("a config");
    let (models, mut worker) = begun(data.path(), config(), out.clone(), &clock);
    let rows = |from: i32, to: i32| (from..to).map(|n| format!(r#"{{"id": "{n}", "x": {n}}}"#)).collect::<Vec<_>>();
    let labels = |from: i32, to: i32| (from..to).map(|n| format!(r#"{{"id": "{n}", "label": 1}}"#)).collect::<Vec<_>>();
    send(&mut worker, &queue, Purpose::Samples, &rows(0, 400));
    send(&mut worker, &queue, Purpose::Labels, &labels(0, 400));
    models.with_log(|log| log.rotate().expect("rotated"));
    worker.keep_checkpoint();
    assert!(worker.compact());
    // Behind the checkpoint; and one of which nothing is kept.
    send(&mut worker, &queue, Purpose::Samples, &rows(400, 500));
    let share = crate::model::sample::Share::of(Some(0.25)).expect("a part");
    let out_of_it = (500..600).find(|n| !share.keeps(&n.to_string())).expect("one");
    send(&mut worker, &queue, Purpose::Samples, &rows(out_of_it, out_of_it + 1));
    send(&mut worker, &queue, Purpose::Labels, &labels(out_of_it, out_of_it + 1));
    let counts = |worker: &ModelWorker| worker.watches[&key()].view(worker.clock.now()).counts;
    let before = counts(&worker);
    assert_eq!((before.samples + before.sampled_out, before.labels + before.labels_sampled_out), (501, 401));
    assert_eq!((before.unmatched, before.repeated), (0, 0), "labels meet their rows");
    assert!((80..120).contains(&before.labels) && before.samples > before.labels, "{before:?}");
    models.set_log(Err("away".to_owned()));
    drop(worker);
    let (_, worker) = begun(data.path(), config(), out, &clock);
    assert_eq!(counts(&worker), before);
}

/// One model's many batches delay no other's; and what is written down speaks of all up to one.
#[test]
fn models_take_turns_and_a_checkpoint_counts_each_batch_once() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let (models, mut worker) = begun(data.path(), Config::default(), out.clone(), &clock);
    let accept = |name: &str, n: usize| {
        let key = ModelKey::named(name);
        let known = models.describe(&key).expect("known");
        let kinds = |name: &str| expected(name, &known.spec, &known.schema);
        let limits = Limits { rows: 10, columns: 10, cells: 100 };
        let rows =
            decode(format!(r#"{{"id": "{n}", "x": {n}}}"#).as_bytes(), Layout::Lines, limits, &kinds).expect("rows");
        let passed = pass(rows, Purpose::Samples, &known.spec, &known.schema, 10, clock.now());
        let batch = passed.batch.expect("a batch");
        models.accept(&key, Purpose::Samples, batch, Reservation::none(&models.in_flight)).expect("accepted");
    };
    (0..200).for_each(|n| accept("flood", n));
    accept("trickle", 0);
    let counts = |worker: &ModelWorker, name: &str| {
        worker.watches.get(&ModelKey::named(name)).map_or(0, |watch| watch.view(worker.clock.now()).counts.samples)
    };
    assert!(worker.round(&queue).is_continue());
    assert_eq!((counts(&worker, "trickle"), counts(&worker, "flood")), (1, AT_ONCE as u64 - 1));
    assert_eq!(worker.through, 0, "others before it wait");
    worker.keep_checkpoint();
    assert_eq!((worker.through, worker.kept, counts(&worker, "flood")), (201, 201, 200));
    models.set_log(Err("away".to_owned()));
    drop(worker);
    let (_, worker) = begun(data.path(), Config::default(), out, &clock);
    assert_eq!((counts(&worker, "flood"), counts(&worker, "trickle")), (200, 1));
}
