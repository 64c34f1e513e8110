//! CloudEvents of what a model was asked and what it said, as KServe's logger sends them: halves of predictions are paired, become
//! rows, and go the way of all samples.
//!
//! An event is decoded and acknowledged before anything is computed of it or stored; rows are gathered for a moment, and stored
//! together. The envelope is `cloud`'s, or `partial`'s where ModelMesh sends its halves; bodies are `payload`'s, which tensors are which columns `columns`', `outputs`' and
//! `predicted`'s; HTTP is `routes`'.

pub mod cloud;
pub mod columns;
pub mod count;
pub mod feedback;
pub mod grpc;
pub mod instances;
pub mod nested;
pub mod outputs;
pub mod pairing;
pub mod partial;
pub mod payload;
pub mod predicted;
pub mod reject;
mod routes;
pub mod seldon;
mod storing;
pub mod summary;
pub mod tensor;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use serde::Deserialize;
use tokio::sync::Notify;

use super::room::For;
use super::turns::Turns;
use super::{Described, Ingest, Refused, Reservation, body};
use crate::access::{Caller, Right};
use crate::identity::ModelKey;
use crate::model::Halves;

use cloud::{Arrived, Event, Half, Written};
use count::Counts;
use pairing::{Bounds, Expired, Key, Offered, Pairing};

#[cfg(test)]
pub use routes::EventsResponse;

use predicted::Predicted;
use reject::{Reason, Reject};

/// The bounds of events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long one half of a prediction waits for the other.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub wait: Duration,
    /// So many halves may wait.
    #[serde(deserialize_with = "crate::units::count")]
    pub max_waiting: usize,
    /// They may take so much memory.
    #[serde(deserialize_with = "crate::units::size")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "size")))]
    pub waiting_memory: ByteSize,
    /// Rows are gathered for so long, and stored together.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub gather: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(60),
            max_waiting: 50_000,
            waiting_memory: ByteSize::mib(32),
            gather: Duration::from_millis(100),
        }
    }
}

impl Config {
    /// The same for an agent that may use no more than `limit` bytes for all bodies in flight.
    #[must_use]
    pub fn within(mut self, limit: ByteSize) -> Self {
        self.waiting_memory = self.waiting_memory.min(limit);
        self
    }

    /// Settings that make no sense, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.max_waiting == 0 {
            found.push(("max_waiting", "must be at least 1".to_owned()));
        }
        if self.gather > Duration::from_secs(60) {
            found.push(("gather", "must be 60s at most: rows that are gathered are lost with the process".to_owned()));
        }
        found
    }
}

/// Rows are stored as soon as so many are gathered.
const ENOUGH: usize = 5_000;
/// Bodies decoded at once beside the runtime's threads.
const AT_ONCE: usize = 2;

/// Events on their way to rows.
pub struct Events {
    ingest: Ingest,
    state: Mutex<State>,
    /// Something came.
    came: Notify,
    /// Enough is gathered.
    enough: Notify,
    decoding: Arc<Turns>,
}

struct State {
    pairing: Pairing,
    gathered: BTreeMap<(ModelKey, What), Gathered>,
    rows: usize,
    counts: Counts,
}

/// What is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Predictions,
    /// In the place of the response is what was true.
    Truths,
}

/// Predictions of one model that are to be stored, or what was true of them.
struct Gathered {
    predictions: Vec<(Predicted, usize)>,
    reservation: Reservation,
    /// Since when the first of them waits.
    since: Duration,
}

impl Events {
    /// Events for whoever takes the ingest's rows.
    #[must_use]
    pub fn new(ingest: Ingest) -> Arc<Self> {
        let config = &ingest.config.events;
        let bounds = Bounds {
            wait: config.wait,
            number: config.max_waiting,
            bytes: usize::try_from(config.waiting_memory.as_u64()).unwrap_or(usize::MAX),
        };
        let state =
            State { pairing: Pairing::new(bounds), gathered: BTreeMap::new(), rows: 0, counts: Counts::default() };
        Arc::new(Self {
            ingest,
            state: Mutex::new(state),
            came: Notify::new(),
            enough: Notify::new(),
            decoding: Turns::new(AT_ONCE),
        })
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of events so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = self.locked();
        let (waiting, bytes) = state.pairing.waiting();
        Counts { waiting: waiting as u64, waiting_bytes: bytes as u64, ..state.counts.clone() }
    }

    /// Counts what did not come to be an event.
    fn count_rejected(&self, reject: &Reject) {
        let counts = &mut self.locked().counts;
        counts.received = counts.received.saturating_add(1);
        counts.reject(reject);
    }

    /// Takes what arrived, and counts what becomes of it.
    ///
    /// # Errors
    /// It is not taken.
    pub fn take(&self, arrived: Result<Arrived, Reject>, caller: &Caller) -> Result<(), Reject> {
        let taken = arrived.and_then(|arrived| self.let_in(arrived, caller)).and_then(|arrived| match arrived {
            Arrived::Other(_) => Ok(Err("type")),
            Arrived::Failed => Ok(Err("failed")),
            Arrived::Event(event) | Arrived::Feedback(event) if event.beside.is_some() => Ok(Err("component")),
            Arrived::Event(event) => self.take_event(*event),
            Arrived::Feedback(event) => self.take_feedback(*event),
        });
        let counts = &mut self.locked().counts;
        counts.received = counts.received.saturating_add(1);
        match &taken {
            Ok(Ok(())) => counts.accepted = counts.accepted.saturating_add(1),
            Ok(Err(why)) => counts.leave_out(why),
            Err(reject) => counts.reject(reject),
        }
        self.came.notify_one();
        taken.map(drop)
    }

    /// Whose token is for some models alone sends for those: which one it is stands in the event.
    fn let_in(&self, arrived: Arrived, caller: &Caller) -> Result<Arrived, Reject> {
        let (Arrived::Event(event) | Arrived::Feedback(event)) = &arrived else { return Ok(arrived) };
        let model = self.ingest.sink.known_as(event.model.clone());
        if caller.may(Right::Write, Some(&model)) {
            return Ok(arrived);
        }
        Err(Reject::new(Reason::Token, format!("this token has no right to write with model `{model}`")))
    }

    /// Takes an event about a prediction, or says why nobody wants it.
    fn take_event(&self, event: Event) -> Result<Result<(), &'static str>, Reject> {
        let model = self.ingest.sink.known_as(event.model.clone());
        let known = self.ingest.sink.describe(&model).map_err(refused)?;
        let half = event.half;
        let alone = match (known.spec.events, half) {
            (Halves::All, _) => false,
            (Halves::Request, Half::Request) | (Halves::Response, Half::Response) => true,
            _ => return Ok(Err("half")),
        };
        let unit = event.unit.clone();
        let predicted = self.decode(&model, event, &known)?;
        let most = self.ingest.config.max_rows;
        let now = self.ingest.clock.monotonic();
        let mut state = self.locked();
        let state = &mut *state;
        if alone {
            if predicted.is_synthetic() {
                return Ok(Err("synthetic"));
            }
            let rows = predicted.rows(most)?;
            let reservation = self.reserve(&model, predicted.bytes())?;
            self.gather(state, (&model, What::Predictions), predicted, rows, reservation, now);
            return Ok(Ok(()));
        }
        let key = Key { model: model.clone(), id: predicted.id.clone(), unit };
        let mut fits = None;
        let offered = state.pairing.offer(key, half, predicted, now, |whole| {
            let rows = whole.rows(most)?;
            fits = Some((rows, self.reserve(&model, whole.bytes())?));
            Ok(())
        })?;
        match (offered, fits) {
            (Offered::Paired(whole), _) if whole.is_synthetic() => Ok(Err("synthetic")),
            (Offered::Paired(whole), Some((rows, reservation))) => {
                self.gather(state, (&model, What::Predictions), *whole, rows, reservation, now);
                Ok(Ok(()))
            }
            (Offered::Paired(_) | Offered::Waits, _) => Ok(Ok(())),
            (Offered::Duplicate, _) => Ok(Err("duplicate")),
            (Offered::Full, _) => Err(Reject::for_now(
                Reason::Full,
                "too many predictions wait for their other half (ingest.events.max_waiting, waiting_memory)",
                Duration::from_secs(1),
            )),
            (Offered::Late(half_of), _) => {
                state.counts.late = state.counts.late.saturating_add(1);
                if half == Half::Response {
                    let rows = half_of.rows(most)?;
                    let reservation = self.reserve(&model, half_of.bytes())?;
                    self.gather(state, (&model, What::Predictions), *half_of, rows, reservation, now);
                }
                Ok(Ok(()))
            }
        }
    }

    /// Takes what was true of a prediction.
    fn take_feedback(&self, event: Event) -> Result<Result<(), &'static str>, Reject> {
        let model = self.ingest.sink.known_as(event.model.clone());
        let known = self.ingest.sink.describe(&model).map_err(refused)?;
        let limit = self.ingest.config.max_body.as_u64();
        let (data, _reservation) = self.unpacked(&model, event.data, limit)?;
        let feedback = feedback::read(&data, usize::try_from(limit).unwrap_or(usize::MAX))?;
        let Some(truth) = feedback.truth else { return Ok(Err("reward")) };
        let Some(id) = event.id else {
            return Err(Reject::new(Reason::Envelope, "requestid is missing: it says what the feedback is about"));
        };
        let truth = truth.settle(known.max_features);
        let rows = Predicted::rows_of_truth(&truth, self.ingest.config.max_rows)?;
        let told = Predicted {
            id,
            ids: Vec::new(),
            time: event.time.or_else(|| Some(self.ingest.clock.now())),
            endpoint: None,
            metadata: event.metadata,
            request: feedback.request.map(|request| request.settle(known.max_features)),
            response: Some(truth),
        };
        let reservation = self.reserve(&model, told.bytes())?;
        let now = self.ingest.clock.monotonic();
        self.gather(&mut self.locked(), (&model, What::Truths), told, rows, reservation, now);
        Ok(Ok(()))
    }

    fn decode(&self, model: &ModelKey, event: Event, known: &Described) -> Result<Predicted, Reject> {
        let limit = self.ingest.config.max_body.as_u64();
        let (data, _reservation) = self.unpacked(model, event.data, limit)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let payload = match event.written {
            Written::Json => payload::decode(event.half, &data, limit),
            Written::Protobuf => grpc::decode(event.half, &data, limit),
        };
        let payload = payload?.settle(known.max_features);
        let Some(id) = event.id.or_else(|| payload.id.clone()) else {
            return Err(Reject::new(Reason::Envelope, "id is missing, and the body has none either"));
        };
        let mut predicted = Predicted {
            id,
            ids: Vec::new(),
            time: event.time.or_else(|| Some(self.ingest.clock.now())),
            endpoint: event.endpoint.filter(|endpoint| endpoint != "default"),
            metadata: event.metadata,
            request: None,
            response: None,
        };
        match event.half {
            Half::Request => predicted.request = Some(payload),
            Half::Response => predicted.response = Some(payload),
        }
        Ok(predicted)
    }

    /// Data may be gzip though nothing says so.
    fn unpacked(&self, model: &ModelKey, data: Bytes, limit: u64) -> Result<(Bytes, Reservation), Reject> {
        let none = self.ingest.in_flight.reserve(&For::model(model));
        if !is_gzip(&data) {
            return Ok((data, none));
        }
        body::unpacked(body::Packing::Gzip, &data, limit, none).map_err(not_read)
    }

    fn reserve(&self, model: &ModelKey, bytes: usize) -> Result<Reservation, Reject> {
        let mut reservation = self.ingest.in_flight.reserve(&For::model(model));
        reservation.grow(bytes as u64).map_err(|full| not_read(body::Error::Busy(full)))?;
        Ok(reservation)
    }

    fn gather(
        &self,
        state: &mut State,
        of: (&ModelKey, What),
        predicted: Predicted,
        rows: usize,
        reservation: Reservation,
        now: Duration,
    ) {
        let fresh = || Gathered {
            predictions: Vec::new(),
            reservation: self.ingest.in_flight.reserve(&For::model(of.0)),
            since: now,
        };
        let gathered = state.gathered.entry((of.0.clone(), of.1)).or_insert_with(fresh);
        gathered.predictions.push((predicted, rows));
        gathered.reservation.absorb(reservation);
        state.rows = state.rows.saturating_add(rows);
        if state.rows >= ENOUGH {
            self.enough.notify_one();
        }
    }
}

/// Packed by gzip, by its first bytes.
fn is_gzip(data: &[u8]) -> bool {
    data.starts_with(&[0x1f, 0x8b])
}

/// Why there is no place for a model's rows.
fn refused(refused: Refused) -> Reject {
    match refused {
        Refused::Busy { message, retry } => Reject::for_now(Reason::Busy, message, retry),
        Refused::NotStored(message) => Reject::for_now(Reason::Storage, message, Duration::from_secs(10)),
        Refused::Unusable(message) => Reject::new(Reason::Body, message),
        Refused::Changed => Reject::for_now(Reason::Busy, refused.to_string(), Duration::from_secs(1)),
    }
}

/// Why a body was not read.
fn not_read(error: body::Error) -> Reject {
    match error {
        body::Error::TooLarge(limit) => Reject::new(
            Reason::TooLarge,
            format!("it is larger than {limit} bytes (ingest.max_body), or unpacks to more"),
        ),
        body::Error::Busy(full) => Reject::for_now(Reason::Full, full.message(), Duration::from_secs(1)),
        body::Error::Encoding(given) => Reject::new(
            Reason::Encoding,
            format!("Content-Encoding {given} is not supported; send it plain or as gzip"),
        ),
        body::Error::Broken(message) => Reject::new(Reason::Transfer, message),
    }
}
