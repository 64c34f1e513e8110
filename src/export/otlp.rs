//! OpenTelemetry's protocol over gRPC or HTTP.
//!
//! Measurements are encoded from our own points ([`encode`]): the SDK has one start time per instrument and folds
//! series beyond 2,000 together. The agent's own telemetry goes through the SDK (`own`), on the same connection; alerts
//! go as log events (`events`).

#![warn(clippy::arithmetic_side_effects)]

pub mod config;
pub mod encode;
mod events;
mod own;
mod queue;
mod send;
mod transport;

use std::sync::Arc;
use std::time::Duration;

pub use config::Config;

use super::{Context, Entry, Error, Points, Started};
use crate::metric::vanished;
use queue::{Batch, Queue};
use transport::Connection;

/// OTLP's place in the list.
pub const ENTRY: Entry = Entry { name: NAME, start: |config, context| start(&config.otlp, context) };

const NAME: &str = "otlp";

impl Config {
    /// All that is wrong with the options: with the addresses, and with what a connection is made of.
    #[must_use]
    pub fn problems(&self) -> Vec<Error> {
        let targets = [self.target(), self.logs_target()].into_iter().filter_map(Result::err);
        targets.chain(transport::problems(self)).collect()
    }
}

fn start(config: &Config, context: Context) -> Result<Started, Error> {
    let Some(target) = config.target()? else {
        return Ok(Started::Off(
            "off: set endpoint in [export.otlp] or OTEL_EXPORTER_OTLP_ENDPOINT to send to a collector".to_owned(),
        ));
    };
    let line = format!("{} by {}", target.shown(), target.protocol.name());
    let connection = Connection::open(config, &target)?;
    let queue = Arc::new(Queue::new(usize::try_from(config.queue_bytes.as_u64()).unwrap_or(usize::MAX)));
    let interval = config.interval;
    let events = match config.logs_target()? {
        Some(target) => Some(Connection::open(config, &target)?),
        None => None,
    };
    let task = tokio::spawn(async move {
        let events = events.map(|connection| tokio::spawn(events::run(connection, context.clone())));
        let own = own::start(&connection, &context, interval);
        let sender = tokio::spawn(send::run(connection, Arc::clone(&queue), context.clone()));
        fill(&queue, context, interval).await;
        queue.close();
        let _ = sender.await;
        if let Some(events) = events {
            let _ = events.await;
        }
        if let Some(own) = own {
            own.shutdown().await;
        }
    });
    Ok(Started::Running(line, task))
}

/// Encodes the newest points, at most once an interval, into the queue, until told to stop.
async fn fill(queue: &Queue, mut context: Context, interval: Duration) {
    // Ticks come a little early or late.
    let interval = interval.mul_f64(0.9);
    let mut before: Option<(Duration, Arc<Points>)> = None;
    loop {
        tokio::select! {
            changed = context.points.changed() => if changed.is_err() { return },
            _ = context.stop.wait_for(|stop| *stop) => return,
        }
        let now = context.clock.monotonic();
        if before.as_ref().is_some_and(|(at, _)| now.saturating_sub(*at) < interval) {
            continue;
        }
        let points = Arc::clone(&context.points.borrow_and_update());
        put(queue, &context, before.as_ref().map(|(_, points)| points.as_ref()), &points);
        before = Some((now, points));
    }
}

fn put(queue: &Queue, context: &Context, before: Option<&Points>, now: &Points) {
    let gone = before.map_or_else(Vec::new, |before| vanished(&before.measured, &now.measured, context.clock.now()));
    for (bytes, points) in encode::requests(now.measured.iter().chain(&gone), &context.node) {
        let dropped = queue.push(Batch { bytes, points });
        context.health.exporter(NAME, |state| {
            if dropped > 0 && state.dropped == 0 {
                tracing::warn!(exporter = NAME, "the queue is full: the oldest points are dropped and counted");
            }
            state.dropped = state.dropped.saturating_add(dropped);
            state.queued = queue.bytes();
        });
    }
}
