//! Gathered predictions to stored rows, a batch for each model, and halves whose time is over. Blocking: rows are written.

use std::sync::Arc;
use std::time::Duration;

use super::super::Refused;
use super::super::room::For;
use super::cloud::Half;
use super::predicted::{Predicted, Truth};
use super::{Events, Expired, Gathered, State, What};
use crate::frame::json::{Builder, Limits};
use crate::frame::stack::bytes_of;
use crate::identity::ModelKey;
use crate::model::border::{Passed, Purpose, expected, pass};

/// Rows of one batch, and rows times columns: what is made of it stays small.
const ROWS: usize = 20_000;
const CELLS: usize = 2_000_000;
/// Columns that one batch may have; the border leaves out what a model may not.
const COLUMNS: usize = 4096;

impl Events {
    /// Stores what is gathered, again and again.
    pub async fn run(self: Arc<Self>) {
        loop {
            if self.is_idle() {
                self.came.notified().await;
            }
            let _ = tokio::time::timeout(self.ingest.config.events.gather, self.enough.notified()).await;
            let events = Arc::clone(&self);
            if tokio::task::spawn_blocking(move || events.store(false)).await.is_err() {
                tracing::error!("events: what was gathered is lost to a bug in plumbline");
            }
        }
    }

    /// Stores what is gathered, and what waits too: nobody will come for it.
    pub fn close(&self) {
        self.store(true);
    }

    fn is_idle(&self) -> bool {
        let state = self.locked();
        state.gathered.is_empty() && state.pairing.waiting().0 == 0
    }

    /// Stores what is gathered; with `last` what waits for its other half, too. What cannot be stored now is kept for the next time.
    pub fn store(&self, last: bool) {
        let now = self.ingest.clock.monotonic();
        let gathered = {
            let mut state = self.locked();
            self.expire(&mut state, now, last);
            state.rows = 0;
            std::mem::take(&mut state.gathered)
        };
        for (of, gathered) in gathered {
            self.store_all(&of, gathered, now, last);
        }
        self.ingest.sink.counted(&self.counts());
    }

    /// What was said alone is rows all the same; what was asked alone was never answered, or failed.
    fn expire(&self, state: &mut State, now: Duration, all: bool) {
        let over = state.pairing.expire(now, all);
        if all && !over.is_empty() {
            tracing::info!(waiting = over.len(), "events: halves of predictions will not meet their other half");
        }
        for Expired { model, half, predicted } in over {
            let counts = &mut state.counts;
            if half == Half::Request {
                counts.unpaired_requests = counts.unpaired_requests.saturating_add(1);
                continue;
            }
            counts.unpaired_responses = counts.unpaired_responses.saturating_add(1);
            let room = || self.reserve(&model, predicted.bytes());
            match predicted.rows(self.ingest.config.max_rows).and_then(|rows| Ok((rows, room()?))) {
                Ok((rows, reservation)) => {
                    self.gather(state, (&model, What::Predictions), predicted, rows, reservation, now);
                }
                Err(reject) => {
                    counts.dropped = counts.dropped.saturating_add(1);
                    counts.last_rejection = Some(reject.message);
                }
            }
        }
    }

    /// Stores one model's predictions in batches. Those that cannot be stored now are kept for as long as a half would wait.
    fn store_all(&self, of: &(ModelKey, What), gathered: Gathered, now: Duration, last: bool) {
        let Gathered { mut predictions, reservation, since } = gathered;
        let mut stored = 0;
        while stored < predictions.len() {
            match self.store_batch(of, &predictions[stored..]) {
                Ok(taken) => stored = stored.saturating_add(taken.max(1)),
                Err(refused) => {
                    predictions.drain(..stored);
                    self.keep(of, Gathered { predictions, reservation, since }, &refused, now, last);
                    return;
                }
            }
        }
    }

    fn keep(&self, of: &(ModelKey, What), gathered: Gathered, refused: &Refused, now: Duration, last: bool) {
        let mut state = self.locked();
        let lost = gathered.predictions.len() as u64;
        if last || now.saturating_sub(gathered.since) > self.ingest.config.events.wait {
            state.counts.dropped = state.counts.dropped.saturating_add(lost);
            tracing::warn!(model = %of.0, predictions = lost, %refused, "events: acknowledged predictions could not be stored");
            return;
        }
        let mut kept = gathered;
        if let Some(newer) = state.gathered.remove(of) {
            kept.predictions.extend(newer.predictions);
            kept.reservation.absorb(newer.reservation);
        }
        state.gathered.insert(of.clone(), kept);
    }

    /// Stores as many of them as one batch holds, and tells how many these were.
    fn store_batch(&self, of: &(ModelKey, What), predictions: &[(Predicted, usize)]) -> Result<usize, Refused> {
        let sink = &self.ingest.sink;
        let (model, what) = of;
        let purpose = match what {
            What::Predictions => Purpose::Samples,
            What::Truths => Purpose::Labels,
        };
        // Another body may give a new column its kind meanwhile; then the rows are made again.
        for _ in 0..3 {
            let known = sink.describe(model)?;
            let expected = |field: &str| expected(field, &known.spec, &known.schema);
            let limits = Limits { rows: ROWS, columns: COLUMNS, cells: CELLS };
            let mut builder = Builder::new(limits, &expected);
            let (mut taken, mut rows) = (0_usize, 0_usize);
            for (predicted, of_it) in predictions {
                if taken > 0 && (rows.saturating_add(*of_it) > ROWS || builder.cells() > CELLS) {
                    break;
                }
                match what {
                    What::Predictions => predicted.add(*of_it, &known.spec, known.max_features, &mut builder),
                    What::Truths => {
                        predicted.add_truth(*of_it, &known.spec, known.max_features, Truth::Named, &mut builder);
                    }
                }
                (taken, rows) = (taken.saturating_add(1), rows.saturating_add(*of_it));
            }
            let now = self.ingest.clock.now();
            let Passed { batch, rejected, errors, wrong_types, sampled_out } =
                pass(builder.finish(), purpose, &known.spec, &known.schema, known.max_features, now);
            let mut accepted = 0;
            if let Some(batch) = batch {
                accepted = batch.record.num_rows() as u64;
                let mut reservation = self.ingest.in_flight.reserve(&For::model(model));
                reservation.become_size(bytes_of(&batch.record) as u64);
                match sink.accept(model, purpose, batch, reservation) {
                    Ok(()) => {}
                    Err(Refused::Changed) => continue,
                    Err(refused) => return Err(refused),
                }
            }
            if *what == What::Predictions && wrong_types.rows > 0 {
                sink.refused(model, &wrong_types);
            }
            let counts = &mut self.locked().counts;
            counts.rows = counts.rows.saturating_add(accepted);
            counts.sampled_out_rows = counts.sampled_out_rows.saturating_add(sampled_out);
            counts.rejected_rows = counts.rejected_rows.saturating_add(rejected);
            if rejected > 0
                && let Some(error) = errors.iter().find(|error| error.row.is_some()).or(errors.first())
            {
                let field = error.field.as_deref().unwrap_or("a row");
                counts.last_rejection = Some(format!("{model}: {field} {}", error.message));
            }
            return Ok(taken);
        }
        Err(Refused::Changed)
    }
}
