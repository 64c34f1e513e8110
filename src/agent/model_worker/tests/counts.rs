//! A model of which counts are kept, and no row.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

const COUNTS: &str = "[[model]]\nname = \"m\"\nstore = \"counts\"\nmin_rows = 50\nreference_rows = 400\n";

/// An hour of rows. Each has an id, a name and a comment of its own; its plan is one of three.
fn hour(hour: i64, rows: i64, level: i64) -> Vec<String> {
    let row = |i: i64| {
        let (at, x) = (hour * 3_600_000 + i * (3_600_000 / rows), level + (i * 37) % 100);
        let plan = ["basic", "plus", "pro"][usize::try_from(i % 3).unwrap_or_default()];
        format!(
            r#"{{"id":"secret-id-{hour}-{i}","timestamp":{at},"x":{x},"plan":"{plan}","name":"secret-name-{hour}-{i}","comment":"my secret words number {i} of hour {hour}","prediction":{}}}"#,
            i % 2
        )
    };
    (0..rows).map(row).collect()
}

fn labels(hour: i64, rows: i64) -> Vec<String> {
    (0..rows).map(|i| format!(r#"{{"id":"secret-id-{hour}-{i}","label":{}}}"#, i % 2)).collect()
}

/// The files below a folder, as they read unpacked.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
            continue;
        }
        let mut bytes = std::fs::read(entry.path()).expect("a file");
        if entry.path().extension().is_some_and(|extension| extension == "gz") {
            let packed = std::mem::take(&mut bytes);
            GzDecoder::new(&packed[..]).read_to_end(&mut bytes).expect("gzip");
        }
        found.push((entry.path(), bytes));
    }
    found
}

fn no_row_is_on_the_disk(data: &Path) {
    let all = files(data);
    assert!(all.iter().any(|(path, _)| path.extension().is_some_and(|extension| extension == "log")), "{all:?}");
    for (path, bytes) in all {
        assert!(path.extension().is_none_or(|extension| extension != "parquet"), "{}", path.display());
        let told = bytes.windows(6).position(|part| part == b"secret");
        let around = told.map(|at| String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 60)]).into_owned());
        assert_eq!(around, None, "{}", path.display());
    }
}

#[test]
fn no_row_touches_the_disk_and_drift_is_told_over_a_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let config = Config::parse(COUNTS).expect("a config");
    let (out, queue) = channel();
    let (models, mut worker) = begun(data.path(), config.clone(), out, &clock);
    send(&mut worker, &queue, Purpose::Reference, &hour(-30, 2000, 0));
    for at in 0..3 {
        clock.advance(Duration::from_secs(3600));
        send(&mut worker, &queue, Purpose::Samples, &hour(at, 300, 0));
    }
    // Of the second hour, whose window is still open, labels come in time; of the first they are late.
    send(&mut worker, &queue, Purpose::Labels, &labels(2, 300));
    send(&mut worker, &queue, Purpose::Labels, &labels(0, 300));
    worker.keep_checkpoint();
    models.with_log(|log| log.rotate().expect("rotated"));
    worker.compact();
    no_row_is_on_the_disk(data.path());
    let view = worker.watches[&key()].view(clock.now());
    assert_eq!((view.counts.samples, view.counts.labels, view.counts.unmatched, view.counts.lost), (900, 600, 300, 0));
    assert!(view.rows_in_memory <= 600, "{} rows are in memory", view.rows_in_memory);
    assert!(!view.not_told.is_empty() && view.verdict.drift == Some(false), "{:?}", view.verdict);
    assert!(view.reference.is_some_and(|reference| reference.about.profile.is_some()));

    // Killed after more has come than the checkpoint has: what was not judged is lost, and said to be.
    send(&mut worker, &queue, Purpose::Samples, &hour(3, 100, 0)[..40]);
    drop(worker);
    let (out, queue) = channel();
    let (_models, mut worker) = begun(data.path(), config, out, &clock);
    let view = worker.watches[&key()].view(clock.now());
    assert_eq!((view.counts.samples, view.counts.lost, view.rows_in_memory), (900, 340, 0));
    assert_eq!(view.verdict.drift, Some(false), "what was judged stands: {:?}", view.verdict);
    // A row that is late, of a window that was judged before, does not take its verdict's place.
    send(&mut worker, &queue, Purpose::Samples, &hour(1, 300, 900)[290..]);
    for at in 4..7 {
        clock.advance(Duration::from_secs(3600));
        send(&mut worker, &queue, Purpose::Samples, &hour(at, 300, 80));
    }
    clock.advance(Duration::from_secs(120));
    worker.judge();
    let view = worker.watches[&key()].view(clock.now());
    assert_eq!(view.verdict.drift, Some(true), "{:?}", view.verdict);
    assert_eq!(view.verdict.columns, ["x"]);
    let of_first = view.windows.iter().find(|window| window.start == "1970-01-01T01:00:00Z".parse().expect("a time"));
    assert_eq!(of_first.map(|window| window.rows), Some(300));
    assert!(view.tallies.iter().any(|tally| tally.tally.rows() == 300));
    worker.keep_checkpoint();
    no_row_is_on_the_disk(data.path());
}

#[test]
fn the_first_rows_are_a_profile_and_labels_in_time_measure_it() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let config = Config::parse(COUNTS).expect("a config");
    let (out, queue) = channel();
    let (_models, mut worker) = begun(data.path(), config.clone(), out, &clock);
    for at in 0..3 {
        clock.advance(Duration::from_secs(3600));
        send(&mut worker, &queue, Purpose::Samples, &hour(at, 300, 0));
        send(&mut worker, &queue, Purpose::Labels, &labels(at, 300));
    }
    clock.advance(Duration::from_secs(120));
    worker.judge();
    worker.keep_checkpoint();
    let view = |worker: &ModelWorker| worker.watches[&key()].view(clock.now());
    let before = view(&worker);
    let about = before.reference.clone().expect("a reference").about;
    assert!(about.provisional && about.profile.is_some() && about.rows == 400, "{about:?}");
    assert_eq!(
        (before.windows.len(), before.rows_in_memory),
        (3, 0),
        "what was judged is gone, though nothing more comes"
    );
    assert!(before.windows.iter().any(|window| window.performance.as_ref().is_some_and(|p| p.rows == 300)));
    drop(worker);
    let (out, _queue) = channel();
    let (_models, worker) = begun(data.path(), config, out, &clock);
    assert_eq!(view(&worker).reference.map(|reference| reference.about), Some(about));
    no_row_is_on_the_disk(data.path());
}

/// Who asks for counts of a model that has rows already has them removed.
#[test]
fn what_was_stored_before_is_removed() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, queue) = channel();
    let (models, mut worker) = begun(data.path(), Config::default(), out, &clock);
    send(&mut worker, &queue, Purpose::Reference, &hour(-30, 2000, 0));
    send(&mut worker, &queue, Purpose::Samples, &hour(0, 300, 0));
    send(&mut worker, &queue, Purpose::Labels, &labels(0, 300));
    models.with_log(|log| log.rotate().expect("rotated"));
    worker.keep_checkpoint();
    worker.compact();
    let parquet = |(path, _): &(PathBuf, Vec<u8>)| path.extension().is_some_and(|extension| extension == "parquet");
    assert_eq!(files(data.path()).into_iter().filter(parquet).count(), 3);
    worker.configure(Config::parse(COUNTS).expect("a config"));
    models.with_log(|log| log.rotate().expect("rotated"));
    worker.keep_checkpoint();
    worker.tidy(Duration::from_secs(10));
    no_row_is_on_the_disk(data.path());
    assert!(worker.watches[&key()].view(clock.now()).reference.is_some_and(|of| of.about.profile.is_some()));
}

#[test]
fn a_reference_that_cannot_be_counts_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
    let (out, _queue) = channel();
    let (models, _worker) = begun(data.path(), Config::parse(COUNTS).expect("a config"), out, &clock);
    let known = models.describe(&key()).expect("known");
    let limits = Limits { rows: 10, columns: 10, cells: 100 };
    let kinds = |name: &str| expected(name, &known.spec, &known.schema);
    let rows = decode(br#"{"x":1}"#, Layout::Lines, limits, &kinds).expect("rows");
    let batch = pass(rows, Purpose::Reference, &known.spec, &known.schema, 10, clock.now()).batch.expect("a batch");
    let refused = models.accept(&key(), Purpose::Reference, batch, Reservation::none(&models.in_flight));
    let message = refused.expect_err("one row is nobody's business").to_string();
    assert!(message.contains("fewer than five rows"), "{message}");
}
