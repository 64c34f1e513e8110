//! The ingest for samples, labels and references: reads a body within bounds, decodes it, and hands over what passed.
//!
//! Answers before any statistics. What becomes of the rows is the [`Sink`]'s.

#![warn(clippy::arithmetic_side_effects)]

mod body;
pub mod copies;
pub mod decode;
pub mod descriptions;
pub mod events;
pub mod folders;
pub mod otlp;
mod protobuf;
#[cfg(test)]
mod recorder;
pub mod repeats;
pub mod room;
mod routes;
pub mod trustyai;
mod turns;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use crate::clock::Clock;
use crate::frame::json::WrongTypes;
use crate::identity::ModelKey;
use crate::model::border::{Batch, Purpose};
use crate::model::{Schema, Spec};
use events::count::Counts;

pub use copies::Copies;
pub use repeats::Repeats;
pub use room::{Reservation, Room};
pub use routes::router;
#[cfg(test)]
pub use routes::{AgentResponse, RowsResponse};

/// The bounds of the ingest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A body may be so large, unpacked too.
    #[serde(deserialize_with = "crate::units::size")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "size")))]
    pub max_body: ByteSize,
    /// A body may have so many rows.
    #[serde(deserialize_with = "crate::units::count")]
    pub max_rows: usize,
    /// Bodies that are being read, and batches that wait to be processed, may take so much memory together; each model
    /// twice what is free of it, each sender three times.
    #[serde(deserialize_with = "crate::units::size")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "size")))]
    pub in_flight: ByteSize,
    /// A socket in a file, beside the port: who may open the file may send.
    pub socket: Option<PathBuf>,
    /// Where OTLP's logs come in over gRPC; nowhere without it.
    pub otlp_grpc: Option<SocketAddr>,
    /// The bounds of events.
    pub events: events::Config,
    /// Folders whose files are taken.
    pub folder: Vec<folders::Spec>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_body: ByteSize::mib(64),
            max_rows: 1_000_000,
            in_flight: ByteSize::mib(128),
            socket: None,
            otlp_grpc: None,
            events: events::Config::default(),
            folder: Vec::new(),
        }
    }
}

/// The path of a socket is no longer, in bytes, with what stands behind it while it is made.
const LONGEST_SOCKET: usize = 90;

impl Config {
    /// What one model may hold where nobody else holds anything, in bytes: a body may be no larger.
    #[must_use]
    pub fn one_alone(&self) -> u64 {
        Room::one_alone(self.in_flight.as_u64())
    }

    /// What is wrong with the socket, if anything is.
    #[must_use]
    pub fn problem_of_socket(&self) -> Option<String> {
        let path = self.socket.as_ref()?;
        if !path.is_absolute() {
            return Some("must begin with a slash".to_owned());
        }
        let long = path.as_os_str().len() > LONGEST_SOCKET;
        long.then(|| format!("is longer than {LONGEST_SOCKET} bytes, which a socket's path may not be"))
    }

    /// The same for an agent with no more than `limit` bytes of memory. A body is in memory several times over on its way: as it came,
    /// decoded, and as it is written.
    #[must_use]
    pub fn within(mut self, limit: Option<u64>) -> Self {
        if let Some(limit) = limit {
            self.in_flight = self.in_flight.min(ByteSize::b(limit / 10));
            self.max_body = self.max_body.min(ByteSize::b(self.one_alone()));
            self.events = self.events.within(self.in_flight);
        }
        self
    }
}

/// What ends once rows are safe.
pub type Kept = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send>>;

/// Who processes what the ingest accepts.
pub trait Sink: Send + Sync {
    /// What is known of the model.
    ///
    /// # Errors
    /// It is not known, and there is no room for another.
    fn describe(&self, model: &ModelKey) -> Result<Described, Refused>;

    /// Stores the rows, and processes them some time later; `reservation` is given back then.
    ///
    /// # Errors
    /// They cannot be stored now.
    fn accept(&self, model: &ModelKey, purpose: Purpose, batch: Batch, reservation: Reservation)
    -> Result<(), Refused>;

    /// Removes a model with all that is stored of it. False if it is not known.
    ///
    /// # Errors
    /// It cannot be removed now.
    fn remove(&self, model: &ModelKey) -> Result<bool, Refused>;

    /// Notes samples that were rejected for a value of another type.
    fn refused(&self, model: &ModelKey, wrong_types: &WrongTypes);

    /// Who this agent is, once what was stored before is read.
    fn agent(&self) -> Option<String>;

    /// Whether labels that another agent sends on may be the first that comes for this model, if they are.
    fn takes_forwarded(&self, model: &ModelKey) -> bool;

    /// Ends once all that was accepted so far is as safe as senders were promised.
    ///
    /// # Errors
    /// It cannot be made so.
    fn kept(&self) -> Kept {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Counts an answer, and what became of the rows of its request.
    fn answered(&self, status: u16, rows: RowCounts);

    /// Columns are kept from all, or treated, before anything is written: of this model, or of any where it is not known which.
    fn is_private(&self, _model: Option<&ModelKey>) -> bool {
        false
    }

    /// Counts a request that was answered as it had been before.
    fn repeated(&self) {}

    /// The model that is meant where a sender names one in a namespace: the one that is described without one, if none in it is.
    fn known_as(&self, model: ModelKey) -> ModelKey {
        model
    }

    /// Notes what became of events so far.
    fn counted(&self, _events: &Counts) {}
}

/// What became of the rows of a body. Each that was read is one of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// They are stored.
    pub accepted: u64,
    /// They are right, and left out because the model's description asks for a part.
    pub sampled_out: u64,
    /// They have a value of another type than the column's.
    pub wrong_type: u64,
    /// They have another fault, or came with rows that have in a body that is taken whole or not at all.
    pub faulty: u64,
}

impl Ingest {
    /// Has a copy made of a request that was accepted. What must not be kept must not be sent on either.
    fn copy(&self, model: Option<&ModelKey>, copied: Option<copies::Copied>) {
        let (Some(copies), Some(copied)) = (&self.copies, copied) else { return };
        if self.sink.is_private(model) { copies.withhold() } else { copies.offer(copied) }
    }
}

/// What is known of a model when a body for it comes.
#[derive(Clone)]
pub struct Described {
    /// Its description.
    pub spec: Arc<Spec>,
    /// Its columns so far.
    pub schema: Arc<Schema>,
    /// Features it may have.
    pub max_features: usize,
}

/// Why rows are not accepted though nothing is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no room now.
    #[error("{message}")]
    Busy {
        /// For people.
        message: String,
        /// When to try again.
        retry: Duration,
    },
    /// They cannot be stored.
    #[error("{0}")]
    NotStored(String),
    /// They cannot be kept as the model's description asks.
    #[error("{0}")]
    Unusable(String),
    /// Another body gave a column another kind meanwhile.
    #[error("the model's columns changed meanwhile; send the body again")]
    Changed,
}

/// What the routes work with.
#[derive(Clone)]
pub struct Ingest {
    /// Who processes rows.
    pub sink: Arc<dyn Sink>,
    /// The bounds.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The memory of what is in flight.
    pub in_flight: Arc<Room>,
    /// Batches that may be sent again.
    pub repeats: Arc<Repeats>,
    /// Who takes copies of what was accepted, if anybody.
    pub copies: Option<Arc<dyn Copies>>,
}
