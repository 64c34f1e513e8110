//! Exporters: each sends what is known to one kind of receiver. The one list of those that push is [`EXPORTERS`].
//!
//! To add one: a file below `export/` with an [`Entry`], and a line in [`EXPORTERS`] (and `pub mod`).
//! [`prometheus`] is pulled, so it is only an encoding; `web` serves it.

pub mod alertmanager;
pub mod http;
pub mod otlp;
pub mod prometheus;
pub mod stdout;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::alert::view::AlertsView;
use crate::clock::Clock;
use crate::health::Health;
use crate::metric::Point;

/// Every exporter that pushes, in the order the start-up summary names them.
pub const EXPORTERS: &[Entry] = &[otlp::ENTRY, alertmanager::ENTRY, stdout::ENTRY];

/// One exporter: how it is started.
pub struct Entry {
    /// Its name in the config, the metrics and the log.
    pub name: &'static str,
    /// Starts it, or says why it is off. It runs until it is stopped, then drains for as long as it is let.
    pub start: fn(&Config, Context) -> Result<Started, Error>,
}

/// What every exporter is given.
#[derive(Clone)]
pub struct Context {
    /// The newest points, as they are made.
    pub points: watch::Receiver<Arc<Points>>,
    /// The newest alerts.
    pub alerts: watch::Receiver<Arc<AlertsView>>,
    /// What exporters have told of alerts, for the next generation of them after a reload.
    pub delivered: Arc<Delivered>,
    /// Turns true, or closes, when the exporter is to drain and end.
    pub stop: watch::Receiver<bool>,
    /// Attributes of the node, for every resource.
    pub node: Arc<[(String, String)]>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where it reports how it is doing.
    pub health: Arc<Health>,
}

/// The last event that each has told. Outlives a reload, so that nothing is passed over or told twice.
#[derive(Debug, Default)]
pub struct Delivered {
    /// As log events.
    pub otlp: AtomicU64,
    /// On standard output.
    pub stdout: AtomicU64,
}

/// The points of one tick.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    /// Of containers and devices.
    pub measured: Vec<Point>,
    /// Of the agent itself.
    pub own: Vec<Point>,
}

/// What starting came to.
pub enum Started {
    /// It runs: a line for people, and its task.
    Running(String, JoinHandle<()>),
    /// It is off: a line for people that says how to switch it on.
    Off(String),
}

/// Why an exporter cannot start: its options contradict each other or name what is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option is wrong.
    #[error("export.{exporter}.{field}: {message}")]
    Option {
        /// Whose.
        exporter: &'static str,
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

impl Config {
    /// All that is wrong with them.
    #[must_use]
    pub fn problems(&self) -> Vec<Error> {
        self.otlp.problems().into_iter().chain(self.alertmanager.problems()).collect()
    }
}

/// Options of the exporters.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// OpenTelemetry's protocol.
    pub otlp: otlp::Config,
    /// Prometheus' Alertmanager.
    pub alertmanager: alertmanager::Config,
    /// Alerts on standard output.
    pub stdout: stdout::Config,
    /// What `/metrics` has beside the agent's own.
    pub prometheus: prometheus::Config,
}
