//! Throws damaged bodies at the decoders and the border behind them: whatever comes, there is an answer, and what is
//! taken keeps its laws. `PLUMBLINE_FUZZ_SECONDS` says for how long (3 s each by default), `PLUMBLINE_FUZZ_SEED` repeats a run.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that lives in real time, in a real environment, and reports to a terminal"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, LargeListArray, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::{Float64Type, Int8Type};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plumbline::frame::json::{Builder, Limits, Rows};
use plumbline::frame::normal::normalise;
use plumbline::frame::stack::frame_of;
use plumbline::ingest::decode::{Format, decode};
use plumbline::ingest::events::cloud::{self, Arrived, Half};
use plumbline::ingest::events::payload::Payload;
use plumbline::ingest::events::predicted::Predicted;
use plumbline::ingest::events::{feedback, grpc, partial, payload};
use plumbline::ingest::folders::blobs::{self, Log};
use plumbline::ingest::folders::file::Reader;
use plumbline::ingest::otlp::mapping;
use plumbline::ingest::otlp::wire::{self, Any, Attributes, Encoding, Record};
use plumbline::ingest::trustyai::upload;
use plumbline::model::border::{Purpose, expected, pass};
use plumbline::model::{Schema, Spec};
use polars::prelude::{ParquetCompression, ParquetWriter};

const LIMITS: Limits = Limits { rows: 1000, columns: 50, cells: 10_000 };

/// A small generator (splitmix64), so that a run can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }
}

/// Bytes that decoders trip over.
const TOKENS: &[&[u8]] = &[
    b"null",
    b"true",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b",",
    b":",
    b"\n",
    b"1e999",
    b"-0",
    b"-",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\"id\"",
    b"\"timestamp\"",
    b"\"score\"",
    b"9223372036854775807",
    b"1e-320",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x01\x00\x00\x00",
];

fn damaged(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut body = seed.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(body.len() + 1);
        match random.below(8) {
            0 if !body.is_empty() => {
                let at = at.min(body.len() - 1);
                body[at] ^= 1 << random.below(8);
            }
            1 if !body.is_empty() => {
                let at = at.min(body.len() - 1);
                body[at] = random.next().to_le_bytes()[0];
            }
            2 => body.truncate(at),
            3 => {
                let token = TOKENS[random.below(TOKENS.len())];
                body.splice(at..at, token.iter().copied());
            }
            4 => {
                let token = TOKENS[random.below(TOKENS.len())];
                let end = (at + token.len()).min(body.len());
                body.splice(at..end, token.iter().copied());
            }
            5 => {
                let end = (at + random.below(40)).min(body.len());
                body.drain(at..end);
            }
            6 => {
                let from = random.below(other.len());
                let part = other[from..(from + random.below(80)).min(other.len())].to_vec();
                body.splice(at..at, part);
            }
            _ => {
                let end = (at + random.below(40)).min(body.len());
                let part = body[at..end].to_vec();
                body.splice(at..at, part);
            }
        }
    }
    body
}

fn json_seeds() -> Vec<Vec<u8>> {
    [
        "{\"id\":\"a\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"x\":1,\"c\":\"u\",\"prediction\":1,\"score\":0.5}\n{\"id\":\"b\",\"x\":2.5}\n",
        "[{\"id\":1,\"label\":true,\"l\":[1,null,2.5]},{\"id\":2,\"label\":false,\"l\":[]},{\"t\":[\"a\",null]}]",
        "{\"id\":\"a\",\"label\":3}\n{\"id\":\"a\",\"label\":4}\n\n  {\"version\":\"v1\",\"big\":18446744073709551615}",
        "{\"a\":{\"deep\":[{}]},\"b\":\"\\u00e4\\n\",\"timestamp\":1700000000000}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn csv_seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "id,timestamp,prediction,score,x,plan\na,2026-01-01T00:00:00Z,1,0.5,3,basic\nb,,0,,NaN,\"a, \"\"b\"\"\"\n",
        "id,label\n1,true\n2,false\n3,\n",
        "id\tx\ty\n1\t1e308\t-1e-320\n2\t18446744073709551616\t9223372036854775807\n",
        "\u{feff}a\n\"\"\n\n1,2\n",
    ];
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

fn arrow_seeds() -> Vec<Vec<u8>> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(StringArray::from(vec![Some("a"), None, Some("a longer one than is inline")]))),
        ("x", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN)]))),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("timestamp", Arc::new(TimestampMillisecondArray::from(vec![Some(0), None, Some(1)]))),
        ("d", Arc::new(vec![Some("u"), None, Some("v")].into_iter().collect::<DictionaryArray<Int8Type>>())),
        (
            "l",
            Arc::new(LargeListArray::from_iter_primitive::<Float64Type, _, _>(vec![
                Some(vec![Some(1.0)]),
                None,
                Some(vec![]),
            ])),
        ),
    ];
    let record = |columns: Vec<(&str, ArrayRef)>| {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).expect("a record")
    };
    let written = |record: &RecordBatch, times: usize| {
        let mut body = Vec::new();
        let mut writer = StreamWriter::try_new(&mut body, &record.schema()).expect("a writer");
        for _ in 0..times {
            writer.write(record).expect("written");
        }
        writer.finish().expect("finished");
        drop(writer);
        body
    };
    let all = record(columns.clone());
    let few = record(columns.into_iter().take(2).collect());
    vec![written(&all, 1), written(&all, 3), written(&few, 1), written(&all.slice(1, 2), 1)]
}

fn parquet_seeds() -> Vec<Vec<u8>> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(StringArray::from(vec![Some("a"), None, Some("a longer one than is inline"), Some("a")]))),
        ("x", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)]))),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 3]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None]))),
        ("timestamp", Arc::new(TimestampMillisecondArray::from(vec![Some(0), None, Some(1), Some(2)]))),
        (
            "l",
            Arc::new(LargeListArray::from_iter_primitive::<Float64Type, _, _>(vec![
                Some(vec![Some(1.0), None]),
                None,
                Some(vec![]),
                Some(vec![Some(2.0)]),
            ])),
        ),
    ];
    let record = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| {
        let array = normalise(&array).expect("a normal type");
        (name, array, true)
    }));
    let record = record.expect("a record");
    let packings = [
        ParquetCompression::Uncompressed,
        ParquetCompression::Snappy,
        ParquetCompression::Gzip(None),
        ParquetCompression::Zstd(None),
        ParquetCompression::Lz4Raw,
    ];
    let written = |(at, packing): (usize, ParquetCompression)| {
        let mut body = Vec::new();
        let mut frame = frame_of(&record.slice(at % 2, 3)).expect("a frame");
        let writer = ParquetWriter::new(&mut body).with_compression(packing);
        writer.with_row_group_size(Some(2 + at)).finish(&mut frame).expect("written");
        body
    };
    packings.into_iter().enumerate().map(written).collect()
}

/// What must hold of whatever is taken.
fn hold(body: &[u8], format: Format) {
    let spec = Spec::new("m");
    let schema = Schema::default();
    let bytes = bytes::Bytes::copy_from_slice(body);
    let Ok(rows) = decode(&bytes, format, LIMITS, &|field| expected(field, &spec, &schema)) else { return };
    assert!(rows.kept.len() <= LIMITS.rows && rows.columns.len() <= LIMITS.columns);
    assert!(rows.kept.windows(2).all(|pair| pair[0] < pair[1]), "rows keep their order");
    assert!(rows.columns.iter().all(|(_, column)| column.len() == rows.kept.len()), "columns are of one length");
    assert_eq!(rows.rejected == 0, rows.errors.iter().all(|error| error.row.is_none()), "what is rejected is told");
    let (kept, rejected) = (rows.kept.len() as u64, rows.rejected);
    for purpose in [Purpose::Samples, Purpose::Labels, Purpose::Reference] {
        let again = decode(&bytes, format, LIMITS, &|field| expected(field, &spec, &schema)).expect("as before");
        let now = jiff::Timestamp::UNIX_EPOCH;
        let passed = pass(again, purpose, &spec, &schema, 20, now);
        let taken = passed.batch.as_ref().map_or(0, |batch| batch.record.num_rows() as u64);
        assert_eq!(taken + passed.rejected, kept + rejected, "every row is taken or rejected");
        if let Some(batch) = passed.batch {
            assert!(batch.schema.features.len() <= 20);
            let frame = frame_of(&batch.record).expect("polars takes what passed");
            assert_eq!(frame.height() as u64, taken);
        }
    }
}

fn run<F: Copy + std::fmt::Debug + std::panic::RefUnwindSafe>(
    name: &str,
    seeds: &[Vec<u8>],
    formats: &[F],
    hold: fn(&[u8], F),
) {
    let setting = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let seed = setting("PLUMBLINE_FUZZ_SEED", std::process::id().into());
    let until = Instant::now() + Duration::from_secs(setting("PLUMBLINE_FUZZ_SECONDS", 3));
    let mut random = Random(seed);
    let mut bodies = 0_u64;
    for body in seeds {
        for format in formats {
            hold(body, *format);
        }
    }
    // A decoder that panics is caught and answered; its message would only hide a broken law's.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.location().is_some_and(|at| at.file().ends_with("fuzz.rs")) {
            hook(info);
        }
    }));
    while Instant::now() < until {
        let (one, other) = (random.below(seeds.len()), random.below(seeds.len()));
        let body = damaged(&seeds[one], &seeds[other], &mut random);
        let format = formats[random.below(formats.len())];
        let held = std::panic::catch_unwind(|| hold(&body, format));
        assert!(held.is_ok(), "seed {seed}, body {bodies}, {format:?}: {}", body.escape_ascii());
        bodies += 1;
    }
    eprintln!("{name}: {bodies} bodies, seed {seed}");
}

#[test]
fn json_bodies_keep_the_laws() {
    run("json", &json_seeds(), &[Format::Ndjson, Format::Json], hold);
}

#[test]
fn parquet_bodies_keep_the_laws() {
    let seeds = parquet_seeds();
    for seed in &seeds {
        let whole = decode(&bytes::Bytes::copy_from_slice(seed), Format::Parquet, LIMITS, &|_| None).expect("whole");
        assert_eq!((whole.kept.len(), whole.columns.len()), (3, 6), "a seed is a body that is taken");
    }
    run("parquet", &seeds, &[Format::Parquet], hold);
}

#[test]
fn arrow_bodies_keep_the_laws() {
    run("arrow", &arrow_seeds(), &[Format::ArrowStream], hold);
}

fn event_seeds() -> Vec<Vec<u8>> {
    let event = |half: &str, data: &str| {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"a\",\"type\":\"org.kubeflow.serving.inference.{half}\",\"inferenceservicename\":\"m\",\"time\":\"2026-01-01T00:00:00Z\",\"metadata\":\"{{}}\",{data}}}"
        )
    };
    let v2 = r#"{"id":"1","parameters":{"n":1},"inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","data":[[1,2.5],[3,null]]},{"name":"b","shape":[2],"datatype":"BYTES","data":["u","v"]}]}"#;
    let texts = [
        r#"{"instances":[[6.8,2.8,"x"],[6,3.4,null]]}"#.to_owned(),
        r#"{"instances":[{"a":1,"b":{"c":[1,2]}},{"b":{"c":[3,4]},"a":{"b64":"/w=="}}]}"#.to_owned(),
        r#"{"request":{"data":{"names":["a","b"],"ndarray":[[1,2]]}},"truth":{"data":{"tensor":{"shape":[1,1],"values":[1]}}}}"#.to_owned(),
        r#"{"data":{"names":["a"],"ndarray":[[1],["x"]]}}"#.to_owned(),
        r#"{"predictions":[{"label":"a","score":0.5}],"outputs":null}"#.to_owned(),
        r#"{"outputs":[{"name":"p","shape":[2,2],"datatype":"FP64","data":[0.25,0.75,1,0]},{"name":"i","shape":[2,1,2],"datatype":"UINT64","data":[18446744073709551615,0,1,2]}],"model_version":"1"}"#.to_owned(),
        v2.to_owned(),
        event("request", &format!("\"data\":{v2}")),
        format!("[{},{}]", event("request", "\"data_base64\":\"e30=\""), event("response", "\"data\":{\"predictions\":[1]}")),
    ];
    let mut seeds: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    let packed = r#"{"inputs":[{"name":"a","shape":[1,2],"datatype":"FP16","parameters":{"binary_data_size":4}},{"name":"t","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]}"#;
    seeds.push([packed.as_bytes(), &[0, 60, 0, 192, 2, 0, 0, 0, 0xff, 0x41]].concat());
    seeds
}

/// What must hold of whatever events say.
fn hold_event(body: &[u8], half: Half) {
    let bytes = bytes::Bytes::copy_from_slice(body);
    let mut bodies = vec![bytes.clone()];
    let structured = [cloud::structured(&bytes)].into_iter().chain(cloud::batch(&bytes).unwrap_or_default());
    for arrived in structured.flatten() {
        if let Arrived::Event(event) = arrived {
            bodies.push(event.data);
        }
    }
    if let Ok(feedback) = feedback::read(&bytes, 100_000) {
        let told = feedback.truth.map(|truth| Predicted::rows_of_truth(&truth, 1000));
        assert!(told.is_none_or(|rows| rows.is_err() || rows.is_ok_and(|rows| rows <= 1000)));
    }
    for body in bodies {
        if let Ok(payload) = payload::decode(half, &body, 100_000) {
            hold_payload(payload, half);
        }
    }
}

/// What must hold of whatever tensors there are.
fn hold_payload(payload: Payload, half: Half) {
    for tensor in &payload.tensors {
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len(), "a shape goes with its values");
        assert_eq!(tensor.rows() * tensor.width(), tensor.data.len());
    }
    let payload = payload.settle(20);
    let other = payload.clone();
    let (request, response) = match half {
        Half::Request => (Some(payload), None),
        Half::Response => (Some(other), Some(payload)),
    };
    let (id, ids) = ("a".to_owned(), Vec::new());
    let predicted = Predicted { id, ids, time: None, endpoint: None, metadata: Vec::new(), request, response };
    let Ok(rows) = predicted.rows(1000) else { return };
    assert!((1..=1000).contains(&rows));
    let spec = Spec::new("m");
    let mut builder = Builder::new(LIMITS, &|_| None);
    predicted.add(rows, &spec, 20, &mut builder);
    hold_rows(builder.finish(), rows, Purpose::Samples);
}

/// Each row is taken or rejected, and what passes is a frame.
fn hold_rows(made: Rows, rows: usize, purpose: Purpose) {
    assert_eq!(made.kept.len() as u64 + made.rejected, rows as u64, "every row is taken or rejected");
    let passed = pass(made, purpose, &Spec::new("m"), &Schema::default(), 20, jiff::Timestamp::UNIX_EPOCH);
    if let Some(batch) = passed.batch {
        frame_of(&batch.record).expect("polars takes what passed");
    }
}

#[test]
fn events_keep_the_laws() {
    run("events", &event_seeds(), &[Half::Request, Half::Response], hold_event);
}

/// Messages as KServe writes them, and halves of predictions around them.
fn message_seeds() -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/known/infer.json");
    let known: serde_json::Value = serde_json::from_slice(&std::fs::read(path).expect("messages")).expect("JSON");
    let cases = known["cases"].as_array().expect("cases");
    cases.iter().flat_map(|case| {
        let (half, data) = (case["half"].as_str().expect("a half"), case["data"].as_str().expect("data"));
        let around = format!(
            r#"{{"id":"a","kind":"{half}","modelid":"m__isvc-1","metadata":{{"k":"v"}},"status":"OK","data":"{data}"}}"#
        );
        [STANDARD.decode(data).expect("base64"), around.into_bytes()]
    }).collect()
}

/// What must hold of whatever messages say.
fn hold_message(body: &[u8], half: Half) {
    let bytes = bytes::Bytes::copy_from_slice(body);
    let mut messages = vec![(half, bytes.clone())];
    if let Ok(Arrived::Event(event)) = partial::read(&bytes, None) {
        assert!(event.id.is_some_and(|id| !id.is_empty() && id.len() <= 512) && !event.model.name.is_empty());
        messages.push((event.half, event.data));
    }
    for (half, message) in messages {
        if let Ok(payload) = grpc::decode(half, &message, 100_000) {
            hold_payload(payload, half);
        }
    }
}

#[test]
fn messages_over_grpc_keep_the_laws() {
    let seeds = message_seeds();
    let taken = |seed: &Vec<u8>| {
        let bytes = bytes::Bytes::copy_from_slice(seed);
        partial::read(&bytes, None).is_ok()
            || [Half::Request, Half::Response].iter().any(|half| grpc::decode(*half, &bytes, 100_000).is_ok())
    };
    assert!(seeds.iter().all(taken), "a seed is a message that is taken");
    run("messages", &seeds, &[Half::Request, Half::Response], hold_message);
}

fn upload_seeds() -> Vec<Vec<u8>> {
    let of = |more: &str| {
        format!(
            r#"{{"model_name":"m"{more},"request":{{"inputs":[{{"name":"x","shape":[2,2],"datatype":"FP64","data":[[1,2.5],[3,4]],"execution_ids":["a","b"]}}]}},"response":{{"outputs":[{{"name":"p","shape":[2,2],"datatype":"FP32","data":[0,1,1,0]}},{{"name":"y","shape":[2],"datatype":"BYTES","data":["u","v"]}}]}}}}"#
        )
        .into_bytes()
    };
    vec![of(""), of(r#","data_tag":"TRAINING""#), of(r#","is_ground_truth":true"#)]
}

/// What must hold of whatever uploads say.
fn hold_upload(body: &[u8], query: Option<&str>) {
    let Ok(upload) = upload::read(&bytes::Bytes::copy_from_slice(body), query, 100_000) else { return };
    let upload = upload.settle(20);
    let Ok(rows) = upload.rows(1000) else { return };
    assert!((1..=1000).contains(&rows));
    let mut builder = Builder::new(LIMITS, &|_| None);
    upload.add(rows, &Spec::new("m"), 20, &mut builder);
    hold_rows(builder.finish(), rows, upload.purpose);
}

#[test]
fn uploads_keep_the_laws() {
    let seeds = upload_seeds();
    let rows =
        |seed: &Vec<u8>| upload::read(&bytes::Bytes::copy_from_slice(seed), None, 100_000).expect("an upload").rows(9);
    assert!(seeds.iter().all(|seed| rows(seed) == Ok(2)), "a seed is an upload that is taken");
    run("uploads", &seeds, &[None, Some("namespace=shop")], hold_upload);
}

#[test]
fn csv_bodies_keep_the_laws() {
    run("csv", &csv_seeds(), &[Format::Csv, Format::Tsv], hold);
}

/// A request in protobuf: a field's number, its kind and what it holds.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(value.len()).expect("a short one")], value].concat()
}

fn log_seeds() -> Vec<Vec<u8>> {
    let text = |value: &str| field(1, value.as_bytes());
    let pair = |key: &str, value: &[u8]| [field(1, key.as_bytes()), field(2, value)].concat();
    let number = [&[0x21], 0.5_f64.to_le_bytes().as_slice()].concat();
    let whole = vec![0x18, 0x07];
    let list = field(5, &[field(1, &number), field(1, &whole)].concat());
    let body = field(6, &[field(1, &pair("prediction", &whole)), field(1, &pair("e", &list))].concat());
    let record = [
        [&[0x09], 1_700_000_000_000_000_000_u64.to_le_bytes().as_slice()].concat(),
        field(5, &body),
        field(6, &pair("id", &text("a"))),
        field(6, &pair("x", &number)),
    ]
    .concat();
    let resource = field(1, &field(1, &pair("service.name", &text("m"))));
    let protobuf = field(1, &[resource, field(2, &field(2, &record))].concat());
    let json = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"m"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1700000000000000000","eventName":"plumbline.label","body":{"kvlistValue":{"values":[{"key":"n","value":{"intValue":"7"}}]}},"attributes":[{"key":"e","value":{"arrayValue":{"values":[{"doubleValue":"NaN"},{"boolValue":true}]}}},{"key":"b","value":{"bytesValue":"AA=="}}]}]}]}]}"#;
    vec![protobuf, json.as_bytes().to_vec()]
}

/// What must hold of whatever log records say.
fn hold_log(body: &[u8], encoding: Encoding) {
    fn depth(value: &Any) -> usize {
        1 + match value {
            Any::List(list) => list.iter().map(depth).max().unwrap_or(0),
            Any::Map(pairs) => pairs.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
            _ => 0,
        }
    }
    let mut take = |resource: &Attributes, record: Result<Record, String>| {
        let Ok(record) = record else { return Ok(()) };
        assert!(depth(&record.body) <= 40);
        let Ok(row) = mapping::row(resource, record) else { return Ok(()) };
        assert!(!row.fields.is_empty() && !row.model.name.is_empty());
        let mut builder = Builder::new(LIMITS, &|_| None);
        builder.row(row.fields);
        let made = builder.finish();
        assert_eq!(made.kept.len() as u64 + made.rejected, 1, "a row is taken or rejected");
        let passed = pass(made, row.purpose, &Spec::new("m"), &Schema::default(), 20, jiff::Timestamp::UNIX_EPOCH);
        if let Some(batch) = passed.batch {
            frame_of(&batch.record).expect("polars takes what passed");
        }
        Ok(())
    };
    let _ = wire::each(body, encoding, &mut take);
}

#[test]
fn log_records_keep_the_laws() {
    let seeds = log_seeds();
    for (seed, encoding) in seeds.iter().zip([Encoding::Protobuf, Encoding::Json]) {
        let mut rows = 0;
        let mut take = |resource: &Attributes, record: Result<Record, String>| {
            rows += usize::from(mapping::row(resource, record.expect("a record")).is_ok());
            Ok(())
        };
        wire::each(seed, encoding, &mut take).expect("a request");
        assert_eq!(rows, 1, "a seed is a request that is taken: {encoding:?}");
    }
    run("logs", &seeds, &[Encoding::Protobuf, Encoding::Json], hold_log);
}

/// Rows as KServe's logger writes them into an object store.
fn blob_seeds() -> Vec<Vec<u8>> {
    let body = STANDARD.encode(r#"{"instances":[[1,2.5],[3,4]]}"#);
    let csv = format!(
        "url,bytes,contentType,reqType,id,sourceUri,inferenceService,namespace,component,endpoint,metadata\n\
         http://x,{body},application/json,org.kubeflow.serving.inference.request,7,,iris,ml,predictor,,\"{{\"\"X-Id\"\":[\"\"q\"\"]}}\"\n"
    );
    let json = format!(
        r#"{{"Bytes":"{body}","ReqType":"org.kubeflow.serving.inference.request","Id":"7","InferenceService":"iris","Metadata":{{"X-Id":["q"]}}}}"#
    );
    vec![csv.into_bytes(), json.into_bytes()]
}

/// A row of a file is no longer, in bytes.
const LONGEST: usize = 1 << 20;

/// What must hold of whatever lies in a watched folder: parts follow one another to the end, and who begins again where a part ended finds
/// the next one as it was.
fn hold_file(body: &[u8], extension: &str) {
    let mut file = tempfile::Builder::new().suffix(extension).tempfile().expect("a file");
    std::io::Write::write_all(&mut file, body).expect("written");
    let Ok(mut reader) = Reader::open(file.path(), LONGEST) else { return };
    let mut from = 0;
    for _ in 0..100 {
        let again = Reader::open(file.path(), LONGEST).expect("as before").next(from);
        let part = match (reader.next(from), again) {
            (Ok(Some(part)), Ok(Some(again))) => {
                assert_eq!((part.at, part.next), (again.at, again.next), "from {from}");
                part
            }
            (one, other) => {
                let is_end = |read: &Result<Option<_>, String>| read.as_ref().is_ok_and(Option::is_none);
                assert_eq!(is_end(&one), is_end(&other), "both end or both fail, from {from}");
                return;
            }
        };
        assert!(part.at >= from && part.next > part.at, "{} to {} of {from}", part.at, part.next);
        from = part.next;
        let spec = Spec::new("m");
        if let Ok(rows) = part.rows(&|field| expected(field, &spec, &Schema::default())) {
            let all = rows.kept.len();
            assert!(rows.columns.iter().all(|(_, column)| column.len() == all), "columns are of one length");
            let _ = pass(rows, Purpose::Samples, &spec, &Schema::default(), 20, jiff::Timestamp::UNIX_EPOCH);
        }
        if let Ok(rows) = part.rows(&blobs::expected)
            && let Ok(log) = Log::of(&rows, jiff::Timestamp::UNIX_EPOCH)
        {
            assert_eq!(log.events().count(), rows.kept.len());
        }
    }
}

/// How many parts a whole file has.
fn parts_of(body: &[u8], extension: &str) -> usize {
    let mut file = tempfile::Builder::new().suffix(extension).tempfile().expect("a file");
    std::io::Write::write_all(&mut file, body).expect("written");
    let mut reader = Reader::open(file.path(), LONGEST).expect("a whole file");
    let mut from = 0;
    std::iter::from_fn(|| {
        let part = reader.next(from).expect("a whole file")?;
        from = part.next;
        Some(())
    })
    .count()
}

#[test]
fn texts_of_a_folder_keep_the_laws() {
    let plain = [csv_seeds(), json_seeds(), blob_seeds()].concat();
    let packed = plain.iter().step_by(3).flat_map(|seed| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, seed).expect("packed");
        [gzip.finish().expect("packed"), zstd::stream::encode_all(seed.as_slice(), 1).expect("packed")]
    });
    assert_eq!(parts_of(&csv_seeds()[0], ".csv"), 1);
    let seeds: Vec<Vec<u8>> = packed.chain(plain.iter().cloned()).collect();
    run("texts", &seeds, &[".csv", ".tsv", ".ndjson", ".json"], hold_file);
}

#[test]
fn tables_of_a_folder_keep_the_laws() {
    let mut seeds = parquet_seeds();
    let mut frame =
        polars::df!("id" => (0..40).map(|id| id.to_string()).collect::<Vec<_>>(), "x" => (0..40).collect::<Vec<i64>>());
    let (frame, mut body) = (frame.as_mut().expect("a frame"), Vec::new());
    ParquetWriter::new(&mut body).with_row_group_size(Some(10)).finish(frame).expect("written");
    assert_eq!(parts_of(&body, ".parquet"), 4);
    seeds.push(body);
    run("parquet files", &seeds, &[".parquet"], hold_file);
    seeds = arrow_seeds();
    let record = RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef)]);
    let record = record.expect("a record");
    let mut body = Vec::new();
    let mut writer = FileWriter::try_new(&mut body, &record.schema()).expect("a writer");
    (0..2).for_each(|_| writer.write(&record).expect("written"));
    writer.finish().expect("finished");
    drop(writer);
    assert_eq!(parts_of(&body, ".arrow"), 2);
    seeds.push(body);
    run("arrow files", &seeds, &[".arrow"], hold_file);
}
