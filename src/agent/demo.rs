//! The demonstration: two real models are replayed through the agent's own ingest, a simulated day a second; and the days that the
//! played node (`demo`) has behind it are written.
//!
//! Housing (California, 1990 census) drifts; employment (US Census, Massachusetts 2015 to 2018) does not. Where the data is
//! from and under which licence stands in `src/demo/SOURCES.md`.

use std::io::Cursor;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use polars::prelude::{AnyValue, DataFrame, ParquetReader, PolarsResult, SerReader};
use reqwest::{Client, StatusCode};
use serde_json::{Map, Value};

use super::alerting;
use crate::alert::engine::Kept;
use crate::alert::rule::Rule;
use crate::alert::view::{Alert, AlertState};
use crate::demo::Alarm;
use crate::export::http::client;
use crate::metric::attribute::POD_NAME;
use crate::model::Spec;
use crate::performance::Task;
use crate::store::history::write_past;
use crate::store::state;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Simulated time that passes with each step.
const STEP: i64 = 12 * HOUR;
/// How long a step takes.
const PACE: Duration = Duration::from_millis(500);
/// Rows of one request.
const ROWS: usize = 5000;
/// How often a request is tried.
const TRIES: u32 = 60;

struct Model {
    name: &'static str,
    reference: &'static [u8],
    later: &'static [u8],
    /// Labels follow their samples by so much.
    labels_after: i64,
}

const MODELS: [Model; 2] = [
    Model {
        name: "housing",
        reference: include_bytes!("../demo/housing_reference.parquet"),
        later: include_bytes!("../demo/housing_later.parquet"),
        labels_after: 7 * DAY,
    },
    Model {
        name: "employment",
        reference: include_bytes!("../demo/employment_reference.parquet"),
        later: include_bytes!("../demo/employment_later.parquet"),
        labels_after: 14 * DAY,
    },
];

/// Why the demonstration ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data in the binary cannot be read.
    #[error("the demonstration's data: {0}")]
    Data(#[from] polars::error::PolarsError),
    /// The history cannot be written.
    #[error("the demonstration's history: {0}")]
    Store(#[from] crate::store::Error),
    /// The ingest did not take it.
    #[error("the ingest answered {status}: {body}")]
    Refused {
        /// Its answer.
        status: StatusCode,
        /// What it said.
        body: String,
    },
    /// The ingest did not answer.
    #[error("the ingest did not answer: {0}")]
    Http(#[from] reqwest::Error),
}

/// How the two models are watched: windows of four weeks, a week apart.
#[must_use]
pub fn specs() -> Vec<Spec> {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let spec = |name: &str| Spec {
        task: Some(Task::Classification),
        window: days(28),
        slide: Some(days(7)),
        lateness: Duration::from_secs(3600),
        label_horizon: days(90),
        min_rows: 200,
        ..Spec::new(name)
    };
    MODELS.iter().map(|model| spec(model.name)).collect()
}

/// The days before a start that the played node has behind it.
const PAST: i64 = 14;

const HOUR_SECONDS: i64 = 3600;

/// Writes the played node's minutes of the hour that has begun, unless there are some.
///
/// # Errors
/// A file cannot be written.
pub fn fill_begun(data: &Path, node: &str, now: Timestamp) -> Result<(), Error> {
    let end = now.as_second().div_euclid(60) * 60;
    write_hour(data, node, end.div_euclid(HOUR_SECONDS) * HOUR_SECONDS, end)
}

/// The same of the fourteen days before, the newest hour first. It takes seconds.
///
/// # Errors
/// A file cannot be written.
pub fn fill(data: &Path, node: &str, now: Timestamp) -> Result<(), Error> {
    let begun = now.as_second().div_euclid(HOUR_SECONDS) * HOUR_SECONDS;
    let mut hours = (1..=PAST * 24).map(|hours| begun - hours * HOUR_SECONDS);
    hours.try_for_each(|hour| write_hour(data, node, hour, hour + HOUR_SECONDS))
}

/// Writes the alerts that the played node had in those days, unless there are some.
///
/// # Errors
/// The file cannot be written.
pub fn fill_alerts(data: &Path, rules: &[Rule], now: Timestamp) -> Result<(), Error> {
    let path = data.join(alerting::FILE);
    if path.exists() {
        return Ok(());
    }
    let until = now.as_second();
    let alarms = crate::demo::alarms(until - PAST * 24 * HOUR_SECONDS, until);
    let over: Vec<Alert> = alarms.into_iter().filter_map(|alarm| alert(alarm, rules)).collect();
    Ok(state::write(&path, &Kept::over(now, over))?)
}

/// The alert by the rule that is in force; none where there is no such rule.
fn alert(alarm: Alarm, rules: &[Rule]) -> Option<Alert> {
    let rule = rules.iter().find(|rule| rule.name == alarm.rule)?;
    let at = |second| Timestamp::from_second(second).ok();
    let since = SignedDuration::try_from(rule.hold).ok()?;
    let mut named = alarm.labels.clone();
    named.insert(POD_NAME.key.to_owned(), alarm.pod);
    Some(Alert {
        name: rule.name.clone(),
        severity: rule.severity,
        state: AlertState::Resolved,
        metric: rule.metric.clone(),
        value: alarm.worst,
        worst: Some(alarm.worst),
        threshold: rule.threshold(),
        since: at(alarm.fired)?.checked_sub(since).ok()?,
        fired: at(alarm.fired),
        resolved: at(alarm.over),
        message: rule.message(alarm.worst, &named),
        labels: alarm.labels,
    })
}

fn write_hour(data: &Path, node: &str, from: i64, to: i64) -> Result<(), Error> {
    let (mut containers, mut gpus, mut models) = (Vec::new(), Vec::new(), Vec::new());
    for rows in (from..to).step_by(60).map(crate::demo::minutes) {
        containers.extend(rows.0);
        gpus.extend(rows.1);
        models.extend(rows.2);
    }
    write_past(data, node, &containers)?;
    write_past(data, node, &gpus)?;
    Ok(write_past(data, node, &models)?)
}

/// Replays both models against the agent at `address`, until their data ends.
pub fn replay(address: Option<SocketAddr>) {
    let Some(address) = address else { return };
    for model in &MODELS {
        tokio::spawn(async move {
            match replay_model(address, model).await {
                Ok(()) => tracing::info!(model = model.name, "the demonstration's data has ended"),
                Err(error) => tracing::error!(model = model.name, %error, "the demonstration ended early"),
            }
        });
    }
}

async fn replay_model(address: SocketAddr, model: &Model) -> Result<(), Error> {
    let client = client(Duration::from_secs(5), false).no_proxy().timeout(Duration::from_secs(30)).build()?;
    let base = format!("http://{}/v1/models/{}", reachable(address), model.name);
    let reference = read(model.reference)?;
    // A reference is one body.
    send(&client, reqwest::Method::PUT, &format!("{base}/reference"), &lines(&reference, None)?).await?;
    drop(reference);
    let later = read(model.later)?;
    let times: Vec<i64> = later.column("timestamp")?.datetime()?.physical().iter().flatten().collect();
    let features = later.drop("label")?;
    let labels = later.select(["id", "label"])?;
    let upto = |time: i64| times.partition_point(|at| *at < time);
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(()) };
    let (mut now, mut sent, mut labelled) = (first.div_euclid(DAY) * DAY, 0, 0);
    while labelled < times.len() && now <= last + model.labels_after + 2 * STEP {
        now += STEP;
        let until = upto(now);
        post_rows(&client, &format!("{base}/samples"), &features, sent, until).await?;
        sent = until;
        let until = upto(now - model.labels_after);
        post_rows(&client, &format!("{base}/labels"), &labels, labelled, until).await?;
        labelled = until;
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

/// An agent that listens everywhere is reached over loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    address
}

fn read(parquet: &'static [u8]) -> PolarsResult<DataFrame> {
    ParquetReader::new(Cursor::new(parquet)).finish()
}

async fn post_rows(client: &Client, url: &str, frame: &DataFrame, from: usize, to: usize) -> Result<(), Error> {
    let mut at = from;
    while at < to {
        let rows = (to - at).min(ROWS);
        send(client, reqwest::Method::POST, url, &lines(frame, Some((at, rows)))?).await?;
        at += rows;
    }
    Ok(())
}

/// The rows as NDJSON.
fn lines(frame: &DataFrame, part: Option<(usize, usize)>) -> PolarsResult<Vec<u8>> {
    let frame =
        part.map_or_else(|| frame.clone(), |(from, rows)| frame.slice(i64::try_from(from).unwrap_or(i64::MAX), rows));
    let mut body = Vec::new();
    let columns = frame.columns();
    for row in 0..frame.height() {
        let mut object = Map::new();
        for column in columns {
            object.insert(column.name().to_string(), value(&column.get(row)?));
        }
        // Writing JSON into memory cannot fail.
        let _ = serde_json::to_writer(&mut body, &object);
        body.push(b'\n');
    }
    Ok(body)
}

fn value(cell: &AnyValue<'_>) -> Value {
    match cell {
        AnyValue::Boolean(v) => (*v).into(),
        AnyValue::Int64(v) | AnyValue::Datetime(v, _, _) => (*v).into(),
        AnyValue::Float32(v) => f64::from(*v).into(),
        AnyValue::Float64(v) => (*v).into(),
        AnyValue::String(v) => (*v).into(),
        _ => Value::Null,
    }
}

/// Sends, and again as long as the ingest asks to be patient.
async fn send(client: &Client, method: reqwest::Method, url: &str, body: &[u8]) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        let request = client.request(method.clone(), url).header("content-type", "application/x-ndjson");
        let response = request.body(body.to_vec()).send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if !busy || tries >= TRIES {
            return Err(Error::Refused { status, body: response.text().await.unwrap_or_default() });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
