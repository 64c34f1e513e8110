//! Folders with files in them: what is taken, once, and what is left.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use polars::prelude::ParquetWriter;

use super::*;
use crate::clock::{Clock, FixedClock};
use crate::frame::json::WrongTypes;
use crate::frame::normal::normalise;
use crate::frame::stack::frame_of;
use crate::ingest::events::count::Counts;
use crate::ingest::room::Room;
use crate::ingest::{Described, RowCounts, Sink};
use crate::model::border::{Batch, PART};
use crate::model::{Schema, Spec as Model};

/// A batch as it was stored: its model, what it is, the numbers of its rows, and its mark.
type Stored = (String, Purpose, Vec<i64>, Option<String>);

/// Keeps what comes, until the power is cut.
#[derive(Default)]
struct Store {
    stored: Mutex<Vec<Stored>>,
    schema: Mutex<Schema>,
    refuses: Mutex<Option<Refused>>,
    /// After so many batches the process is killed: one more is stored, and nobody learns of it.
    killed_after: Mutex<Option<usize>>,
    is_over: Arc<AtomicBool>,
}

impl Store {
    /// The numbers of all rows, in order.
    fn rows(&self) -> Vec<i64> {
        let mut all: Vec<i64> =
            self.stored.lock().expect("unlocked").iter().flat_map(|batch| batch.2.clone()).collect();
        all.sort_unstable();
        all
    }
}

impl Sink for Store {
    fn describe(&self, model: &ModelKey) -> Result<Described, Refused> {
        let schema = Arc::new(self.schema.lock().expect("unlocked").clone());
        Ok(Described { spec: Arc::new(Model::of(model)), schema, max_features: 500 })
    }

    fn accept(&self, model: &ModelKey, purpose: Purpose, batch: Batch, _: Reservation) -> Result<(), Refused> {
        if let Some(refused) = self.refuses.lock().expect("unlocked").clone() {
            self.is_over.store(true, Ordering::Relaxed);
            return Err(refused);
        }
        self.schema.lock().expect("unlocked").merge(&batch.schema);
        let ids = batch.record.column_by_name("id").expect("ids");
        let ids = arrow::array::AsArray::as_string_view(ids.as_ref()).iter();
        let numbers = ids.map(|id| id.expect("an id").trim_start_matches('r').parse().expect("a number")).collect();
        let mark = batch.record.schema().metadata().get(PART).cloned();
        let mut stored = self.stored.lock().expect("unlocked");
        stored.push((model.to_string(), purpose, numbers, mark));
        if self.killed_after.lock().expect("unlocked").is_some_and(|after| stored.len() > after) {
            self.is_over.store(true, Ordering::Relaxed);
            return Err(Refused::Changed);
        }
        Ok(())
    }

    fn remove(&self, _: &ModelKey) -> Result<bool, Refused> {
        Ok(false)
    }

    fn refused(&self, _: &ModelKey, _: &WrongTypes) {}

    fn agent(&self) -> Option<String> {
        None
    }

    fn takes_forwarded(&self, _: &ModelKey) -> bool {
        true
    }

    fn answered(&self, _: u16, _: RowCounts) {}

    fn counted(&self, _: &Counts) {}
}

struct Place {
    folder: tempfile::TempDir,
    data: tempfile::TempDir,
    store: Arc<Store>,
    clock: Arc<FixedClock>,
    in_flight: Arc<Room>,
    told: Arc<Mutex<Status>>,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            data: tempfile::tempdir().expect("a folder"),
            store: Arc::default(),
            clock: Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH)),
            in_flight: Room::new(crate::ingest::Config::default().in_flight.as_u64()),
            told: Arc::default(),
        }
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, content).expect("written");
    }

    /// The folder as a new process finds it.
    fn start(&self, change: impl FnOnce(&mut Spec)) -> Folder {
        self.store.is_over.store(false, Ordering::Relaxed);
        let mut spec: Spec =
            toml::from_str(&format!("path = {:?}\nmodel = \"m\"", self.folder.path())).expect("a folder");
        change(&mut spec);
        let ingest = Ingest {
            sink: Arc::clone(&self.store) as _,
            config: crate::ingest::Config::default(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            in_flight: Arc::clone(&self.in_flight),
            repeats: Arc::default(),
            copies: None,
        };
        let log = self.store.stored.lock().expect("unlocked");
        let key = |model: &str| ModelKey::named(model);
        let stored = log.iter().filter_map(|batch| Some((batch.3.clone()?, key(&batch.0)))).collect();
        let (is_over, told) = (Arc::clone(&self.store.is_over), Arc::clone(&self.told));
        let setting = Setting {
            events: Events::new(ingest.clone()),
            ingest,
            journals: self.data.path().join("folders"),
            stored: Arc::new(stored),
            wait: Box::new(move |_| is_over.load(Ordering::Relaxed)),
            kept: Box::new(|| Ok(())),
            tell: Box::new(move |status| told.lock().expect("unlocked").clone_from(status)),
        };
        Folder::new(spec, setting)
    }

    /// Looks until what is there has settled, and once more.
    fn settle(&self, folder: &mut Folder) -> Result<(), Failure> {
        folder.look()?;
        self.clock.advance(Duration::from_secs(11));
        while folder.look()? {}
        Ok(())
    }

    fn told(&self) -> Status {
        self.told.lock().expect("unlocked").clone()
    }

    fn names(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join(below)).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    }
}

fn record(rows: std::ops::Range<i64>) -> RecordBatch {
    let ids: ArrayRef = Arc::new(rows.clone().map(|row| Some(format!("r{row}"))).collect::<StringArray>());
    let x: ArrayRef = Arc::new(rows.clone().map(|row| Some(row as f64 / 2.0)).collect::<Float64Array>());
    let n: ArrayRef = Arc::new(rows.map(Some).collect::<Int64Array>());
    RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("x", x, true), ("n", n, true)]).expect("a record")
}

fn parquet(rows: std::ops::Range<i64>, group: usize) -> Vec<u8> {
    let record = record(rows);
    let columns = record
        .schema()
        .fields()
        .iter()
        .zip(record.columns())
        .map(|(field, array)| (field.name().clone(), normalise(array).expect("normal"), true))
        .collect::<Vec<_>>();
    let record = RecordBatch::try_from_iter_with_nullable(columns).expect("a record");
    let mut body = Vec::new();
    let mut frame = frame_of(&record).expect("a frame");
    ParquetWriter::new(&mut body).with_row_group_size(Some(group)).finish(&mut frame).expect("written");
    body
}

fn arrow_file(rows: std::ops::Range<i64>, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).expect("options");
    let mut body = Vec::new();
    let mut writer = FileWriter::try_new_with_options(&mut body, &record(0..1).schema(), options).expect("a writer");
    let middle = i64::midpoint(rows.start, rows.end);
    for part in [rows.start..middle, middle..rows.end] {
        writer.write(&record(part)).expect("written");
    }
    writer.finish().expect("finished");
    drop(writer);
    body
}

fn lines(rows: std::ops::Range<i64>) -> String {
    let each: Vec<String> =
        rows.map(|row| format!("{{\"id\":\"r{row}\",\"x\":{},\"n\":{row}}}\n", row as f64 / 2.0)).collect();
    each.concat()
}

fn cells(rows: std::ops::Range<i64>, between: char) -> String {
    let rows = rows.map(|row| format!("r{row}{between}{}{between}{row}\n", row as f64 / 2.0));
    format!("id{between}x{between}n\n{}", rows.collect::<String>())
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).expect("packed");
    packer.finish().expect("packed")
}

#[test]
fn every_format_is_taken_once_over_restarts_and_renames() {
    let place = Place::new();
    place.put("a.csv", cells(0..10, ','));
    place.put("b/b.tsv.gz", gzip(&cells(10..20, '\t')));
    place.put("c.ndjson.zst", zstd::encode_all(lines(20..30).as_bytes(), 3).expect("packed"));
    place.put("d.json", format!("[{}]", lines(30..40).trim().replace('\n', ",")));
    place.put("e.parquet", parquet(40..50, 3));
    place.put("f.feather", arrow_file(50..60, Some(CompressionType::LZ4_FRAME)));
    place.put("g.arrow", arrow_file(60..70, Some(CompressionType::ZSTD)));
    let mut stream = Vec::new();
    let mut writer = StreamWriter::try_new(&mut stream, &record(0..1).schema()).expect("a writer");
    writer.write(&record(70..80)).expect("written");
    writer.finish().expect("finished");
    drop(writer);
    place.put("h.arrows", stream);
    place.put("i.csv.tmp", cells(900..910, ','));
    let mut folder = place.start(|_| {});
    folder.look().expect("looked");
    assert_eq!((place.store.rows(), place.told().waiting), (Vec::new(), 8), "nothing has settled");
    place.settle(&mut folder).expect("taken");
    let all: Vec<i64> = (0..80).collect();
    assert_eq!(place.store.rows(), all);
    let told = place.told();
    assert_eq!((told.taken, told.bad, told.rows, told.waiting, told.passed_over), (8, 0, 80, 0, 1), "{told:?}");
    assert_eq!((told.up, told.error, told.current), (Some(true), None, None));
    // Touched, renamed, copied, and after a restart: nothing comes again.
    place.settle(&mut folder).expect("looked");
    let mut folder = place.start(|_| {});
    fs::rename(place.folder.path().join("a.csv"), place.folder.path().join("renamed.csv")).expect("renamed");
    place.put("e.parquet", parquet(40..50, 3));
    place.put("copy.ndjson", lines(20..30));
    place.settle(&mut folder).expect("looked");
    // The copy has other bytes than what was packed: its rows come once more, under the same ids.
    assert_eq!(place.store.rows().len(), 90);
    assert_eq!((place.told().taken, place.told().repeated), (1, 1));
    // Written anew it is another file, and taken whole; what it held before is known still.
    place.put("renamed.csv", cells(100..105, ','));
    place.settle(&mut folder).expect("taken");
    assert_eq!(place.store.rows().len(), 95);
    place.put("back.csv", cells(0..10, ','));
    place.settle(&mut folder).expect("looked");
    assert_eq!((place.store.rows().len(), place.told().repeated), (95, 2));
}

#[test]
fn a_kill_within_a_file_neither_loses_nor_repeats_a_row() {
    let rows = 120_000_i64;
    for (name, content) in [
        ("a.parquet", parquet(0..rows, 70_000)),
        ("a.csv", cells(0..rows * 2, ',').into_bytes()),
        ("a.ndjson.gz", gzip(&lines(0..rows))),
        ("a.feather", arrow_file(0..rows, None)),
    ] {
        let place = Place::new();
        place.put(name, content);
        let mut kills = 0;
        for after in 0..20 {
            *place.store.killed_after.lock().expect("unlocked") = Some(after);
            match place.settle(&mut place.start(|_| {})) {
                Err(Failure::Stopped) => kills += 1,
                other => {
                    other.expect("taken");
                    break;
                }
            }
        }
        let wanted = if name == "a.csv" { rows * 2 } else { rows };
        assert!(kills >= 2, "{name} was taken in parts: {kills}");
        let found = place.store.rows();
        assert!(found.iter().copied().eq(0..wanted), "{name}: {} rows of {wanted}", found.len());
        assert_eq!(place.told().rows + place.told().rejected, place.told().rows, "{name}");
    }
}

#[test]
fn a_bad_file_is_moved_aside_with_its_error_and_the_rest_goes_on() {
    let place = Place::new();
    place.put("a.parquet", "no parquet at all");
    let whole = parquet(0..10, 3);
    place.put("b.parquet", &whole[..whole.len() / 2]);
    place.put("sub/c.json", "[{\"id\":\"r1\"},");
    place.put("d.csv", "id,x\nr1,1,2\nr2,1,2\n");
    place.put("e.csv", cells(0..3, ','));
    place.put("f.csv", "id,x\nr5,0.5\nr6,1,7\n");
    let mut folder = place.start(|_| {});
    place.settle(&mut folder).expect("taken");
    assert_eq!(place.store.rows(), [0, 1, 2, 5]);
    let moved = [
        "a.parquet",
        "a.parquet.error.txt",
        "b.parquet",
        "b.parquet.error.txt",
        "d.csv",
        "d.csv.error.txt",
        "sub__c.json",
        "sub__c.json.error.txt",
    ];
    assert_eq!(place.names("bad"), moved);
    let error = |name: &str| fs::read_to_string(place.folder.path().join("bad").join(name)).expect("an error");
    assert!(error("a.parquet.error.txt").contains("PAR1") && error("d.csv.error.txt").contains("none of its 2 rows"));
    let told = place.told();
    assert_eq!((told.taken, told.bad, told.rows, told.rejected), (2, 4, 4, 3), "{told:?}");
    // What cannot be moved is remembered, and left alone until it changes.
    let place = Place::new();
    place.put("bad", "a file in its place");
    place.put("a.parquet", "no parquet at all");
    for bad in [1, 0] {
        let mut folder = place.start(|_| {});
        place.settle(&mut folder).expect("taken");
        assert_eq!((place.told().bad, place.names("")), (bad, vec!["a.parquet".to_owned(), "bad".to_owned()]));
    }
    place.put("a.parquet", parquet(0..10, 3));
    let mut folder = place.start(|_| {});
    place.settle(&mut folder).expect("taken");
    assert_eq!(place.store.rows().len(), 10);
}

#[test]
fn what_is_still_being_written_waits() {
    let place = Place::new();
    let mut folder = place.start(|_| {});
    for rows in 1..5 {
        place.put("a.csv", cells(0..rows, ','));
        folder.look().expect("looked");
        place.clock.advance(Duration::from_secs(6));
    }
    assert_eq!(place.store.rows(), Vec::<i64>::new());
    place.settle(&mut folder).expect("taken");
    assert_eq!(place.store.rows(), [0, 1, 2, 3]);
}

#[test]
fn a_column_may_name_the_model_and_the_files_may_hold_labels() {
    let place = Place::new();
    place.put("a.csv", "id,model,label,n\nr1,m,1,1\nr2,shop/k,0,2\nr3,m,0,3\nr4,,1,4\nr5,../up,1,5\n");
    place.put("b.csv", "id,label\nr9,1\n");
    let mut folder = place.start(|spec| {
        (spec.model, spec.model_column, spec.holds) = (None, Some("model".to_owned()), Holds::Labels);
    });
    place.settle(&mut folder).expect("taken");
    let stored: Vec<_> =
        place.store.stored.lock().expect("unlocked").iter().map(|b| (b.0.clone(), b.1, b.2.clone())).collect();
    assert_eq!(
        stored,
        [("m".to_owned(), Purpose::Labels, vec![1, 3]), ("shop/k".to_owned(), Purpose::Labels, vec![2])]
    );
    let told = place.told();
    assert_eq!((told.rows, told.rejected, told.bad), (3, 2, 1), "{told:?}");
    assert!(told.last_rejection.is_some_and(|told| told.contains("no column `model`")));
}

#[test]
fn while_there_is_no_room_or_no_disk_files_wait() {
    let place = Place::new();
    place.put("a.csv", cells(0..3, ','));
    let mut others = Reservation::none(&place.in_flight);
    others.become_size(1 << 30);
    let mut folder = place.start(|_| {});
    folder.look().expect("looked");
    place.clock.advance(Duration::from_secs(11));
    // The one who waits is told to end, or it would wait for ever.
    let is_over = Arc::clone(&place.store.is_over);
    let waits = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&waits);
    folder.setting.wait = Box::new(move |pause| {
        is_over.load(Ordering::Relaxed) || (!pause.is_zero() && counted.fetch_add(1, Ordering::Relaxed) > 3)
    });
    assert_eq!(folder.look(), Err(Failure::Stopped));
    assert!(place.told().waits.is_some_and(|why| why.contains("in_flight")) && place.store.rows().is_empty());
    drop(others);
    *place.store.refuses.lock().expect("unlocked") = Some(Refused::NotStored("the disk is full".to_owned()));
    assert_eq!(place.settle(&mut place.start(|_| {})), Err(Failure::Stopped));
    assert!(place.told().waits.is_some_and(|why| why.contains("disk is full")));
    *place.store.refuses.lock().expect("unlocked") = None;
    place.settle(&mut place.start(|_| {})).expect("taken");
    assert_eq!(place.store.rows(), [0, 1, 2]);
    assert!(waits.load(Ordering::Relaxed) > 3);
    fs::remove_dir_all(place.folder.path()).expect("removed");
    assert!(matches!(place.start(|_| {}).look(), Err(Failure::Later(_))));
}

#[test]
fn logs_of_kserve_become_predictions() {
    use base64::Engine as _;
    let place = Place::new();
    let bytes = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let row = |half: &str, id: i64, body: &str| {
        format!("{},org.kubeflow.serving.inference.{half},{id},iris,predictor\n", bytes(body))
    };
    let head = "bytes,reqType,id,inferenceService,component\n";
    let asked = |id: i64| row("request", id, &format!("{{\"instances\":[[{id},2]]}}"));
    let said = |id: i64| row("response", id, "{\"predictions\":[1]}");
    // Halves in one file and in several, in either order; one row that is none.
    place.put("ml/iris/1.csv", format!("{head}{}{}", said(1), asked(1)));
    place.put("ml/iris/2-request.csv", format!("{head}{}", asked(2)));
    place.put("ml/iris/2-response.csv", format!("{head}{}%%,x,,iris,\n", said(2)));
    let mut folder = place.start(|spec| (spec.holds, spec.model) = (Holds::Events, None));
    place.settle(&mut folder).expect("taken");
    assert_eq!(place.store.rows(), [1, 2]);
    let told = place.told();
    assert_eq!((told.taken, told.rows, told.rejected, told.bad), (3, 4, 1, 0), "{told:?}");
    place.settle(&mut place.start(|spec| (spec.holds, spec.model) = (Holds::Events, None))).expect("looked");
    assert_eq!(place.store.rows(), [1, 2]);
}

#[test]
fn what_makes_no_sense_is_told() {
    let problems = |text: &str| -> Vec<&'static str> {
        let spec: Spec = toml::from_str(text).expect("a folder");
        spec.problems().into_iter().map(|(field, _)| field).collect()
    };
    assert_eq!(problems("path = \"/a\"\nmodel = \"m\"\nnamespace = \"n\""), Vec::<&str>::new());
    assert_eq!(problems("path = \"/a\"\nholds = \"events\""), Vec::<&str>::new());
    assert_eq!(problems("path = \"a\"\nmodel_column = \"m\""), ["path"]);
    assert_eq!(problems("path = \"/a\""), ["model"]);
    assert_eq!(problems("path = \"/a\"\nmodel = \"m\"\nmodel_column = \"m\""), ["model_column"]);
    assert_eq!(
        problems("path = \"/a\"\nmodel = \"..\"\nevery = \"1ms\"\nsettle = \"2d\""),
        ["every", "settle", "model"]
    );
    assert_eq!(problems("path = \"/a\"\nholds = \"events\"\nmodel = \"m\""), ["holds"]);
}
